//! The long form of the simulated meetings.

use anyhow::{Result, bail};

use crate::run::{cargo, cargo_with, succeeds};

/// Plays so many seeds of honest, led and hostile meetings; those that fail are named.
///
/// # Errors
/// A seed that fails.
pub(crate) fn run(seeds: u32) -> Result<()> {
    let seeds = seeds.to_string();
    let environment = [("CONCLAVE_SEEDS", seeds.as_str())];
    // The whole workspace, so that features are those of the tests: no codec is built again.
    cargo(["build", "--workspace", "--locked", "--all-targets", "--quiet"])?;
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    if !succeeds(&cargo, &["nextest", "--version"]) {
        bail!("cargo-nextest is not installed: it is what spreads the seeds over the cores");
    }
    let only = ["--filterset", "package(conclave-simulation-tests)"];
    cargo_with(
        ["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--success-output", "never"]
            .into_iter()
            .chain(only),
        &environment,
    )
}
