//! What must hold before a change lands: `cargo xtask test`.

use std::{env, time::Instant};

use anyhow::{Result, bail};

use crate::{
    directions, package,
    run::{cargo, cargo_with, command, root, succeeds},
};

/// Runs every gate, the quick ones first, and says how long each took.
///
/// # Errors
/// The first gate that does not hold.
pub(crate) fn all(seeds: u32) -> Result<()> {
    let begun = Instant::now();
    timed("formatting", || cargo(["fmt", "--all", "--check"]))?;
    timed("dependency directions", directions::check)?;
    timed("licences", licences)?;
    timed("lints", || cargo(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))?;
    timed("documentation", || {
        cargo_with(["doc", "--workspace", "--no-deps", "--quiet"], &[("RUSTDOCFLAGS", "-D warnings")])
    })?;
    timed("tests", || tests(seeds))?;
    println!("everything holds, after {} s", begun.elapsed().as_secs());
    Ok(())
}

/// Checks licences and sources of third parties by `cargo deny`, which it installs into the target folder if needed.
///
/// # Errors
/// A licence, a source or a crate that deny.toml does not allow.
pub(crate) fn licences() -> Result<()> {
    let deny = package::tool("cargo-deny")?;
    command(deny, ["--log-level", "error", "check", "licenses", "bans", "sources"])
}

/// Runs all tests: by nextest where it is installed, else by cargo's own runner.
fn tests(seeds: u32) -> Result<()> {
    let seeds = seeds.to_string();
    let environment = [("CONCLAVE_SEEDS", seeds.as_str())];
    if !root().join("Cargo.lock").exists() {
        bail!("Cargo.lock is missing: the tests are to run with the versions it names");
    }
    // Tests of whole processes start the programs. All targets, so that features are those of the tests: the programs
    // alone would have other features, and every codec would be built twice.
    cargo(["build", "--workspace", "--locked", "--all-targets", "--quiet"])?;
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    if succeeds(&cargo, &["nextest", "--version"]) {
        cargo_with(["test", "--workspace", "--locked", "--doc", "--quiet"], &environment)?;
        cargo_with(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"], &environment)
    } else {
        println!("cargo-nextest is not installed; running the tests by cargo test.");
        cargo_with(["test", "--workspace", "--locked", "--no-fail-fast"], &environment)
    }
}

fn timed(name: &str, gate: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let begun = Instant::now();
    gate()?;
    println!("== {name}: held, {} s", begun.elapsed().as_secs());
    Ok(())
}
