//! The long form of the fuzz targets: mutations guided by coverage.
//!
//! Our own crates are compiled once more with LLVM's counters (SanitizerCoverage), which the stable toolchain has; what
//! third parties wrote is used as it was built for the tests. For that cargo calls this program in the place of the
//! compiler (`RUSTC_WORKSPACE_WRAPPER`), and it adds the flags.

use std::{env, ffi::OsString, process::Command};

use anyhow::{Context, Result};

use crate::run::{cargo_with, command, target_directory};

/// Set where this program is called as the compiler.
const AS_COMPILER: &str = "CONCLAVE_XTASK_COVERAGE";

const FLAGS: [&str; 3] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=3",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
];

/// Builds the targets with counters and runs one of them, or all.
///
/// # Errors
/// Where they cannot be built, or one fails; the message names the input.
pub(crate) fn run(target: Option<&str>, seconds: u64, seed: u64) -> Result<()> {
    let myself = env::current_exe().context("this program has no path")?;
    let wrapper = myself.to_str().context("the path of this program is no text")?;
    let environment = [("RUSTC_WORKSPACE_WRAPPER", wrapper), (AS_COMPILER, "1")];
    // The whole workspace, so that features are those of the tests: no codec is built again.
    cargo_with(["build", "--workspace", "--bin", "conclave-fuzz", "--quiet"], &environment)?;
    let (seconds, seed) = (seconds.to_string(), seed.to_string());
    let options = ["--seconds", seconds.as_str(), "--seed", seed.as_str()];
    command(target_directory()?.join("debug/conclave-fuzz"), target.into_iter().chain(options))
}

/// Where cargo called this program as the compiler: calls the compiler and returns its exit code.
pub(crate) fn compile() -> Option<i32> {
    env::var_os(AS_COMPILER)?;
    let mut arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if arguments.is_empty() {
        return None;
    }
    let compiler = arguments.remove(0);
    // Without a crate it is only asked what it can do; and what counts is not counted.
    let name = arguments.iter().skip_while(|argument| *argument != "--crate-name").nth(1);
    let is_counted = name.and_then(|name| name.to_str()).is_some_and(|name| !name.starts_with("conclave_fuzz"));
    let status = Command::new(compiler).args(arguments).args(is_counted.then_some(FLAGS).iter().flatten()).status();
    Some(status.ok().and_then(|status| status.code()).unwrap_or(1))
}
