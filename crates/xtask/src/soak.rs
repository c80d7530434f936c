//! The long form of the simulated meetings.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::run::{cargo, cargo_with, succeeds};

/// So many seeds are played at once; then it is said how they did.
const SLICE: u32 = 3_000;

/// Plays so many seeds of honest, led and hostile meetings from `first` on, slice by slice; those that fail are named, and
/// the others go on.
///
/// # Errors
/// The slices with a seed that failed, at the end.
pub(crate) fn run(first: u32, seeds: u32) -> Result<()> {
    // The whole workspace, so that features are those of the tests: no codec is built again.
    cargo(["build", "--workspace", "--locked", "--all-targets", "--quiet"])?;
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    if !succeeds(&cargo, &["nextest", "--version"]) {
        bail!("cargo-nextest is not installed: it is what spreads the seeds over the cores");
    }
    let end = first.saturating_add(seeds);
    let mut failed = Vec::new();
    for begin in (first..end).step_by(SLICE as usize) {
        let begun = Instant::now();
        let length = SLICE.min(end - begin);
        let holds = play(begin, length).is_ok();
        let outcome = if holds { "hold" } else { "FAILED" };
        println!("== seeds {begin} to {}: {outcome}, {} s", begin + length, begun.elapsed().as_secs());
        if !holds {
            failed.push(begin.to_string());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("seeds failed in the slices from {}", failed.join(", "))
}

fn play(first: u32, seeds: u32) -> Result<()> {
    let (first, seeds) = (first.to_string(), seeds.to_string());
    let environment = [("CONCLAVE_FIRST", first.as_str()), ("CONCLAVE_SEEDS", seeds.as_str())];
    let only = "package(conclave-simulation-tests) & test(/_[0-9]$/)";
    cargo_with(
        ["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--success-output", "never"]
            .into_iter()
            .chain(["--status-level", "fail", "--filterset", only]),
        &environment,
    )
}
