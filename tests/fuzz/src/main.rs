//! The long form: `conclave-fuzz [TARGET] [--seconds N] [--seed S]`.

#![allow(clippy::print_stdout, reason = "a command-line tool speaks on standard output")]

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;
use conclave_fuzz_tests::{Plan, coverage, run, target, targets};

/// Gives hostile bytes to the parsers of what a peer or a file brings.
#[derive(Parser)]
struct Arguments {
    /// Which target; all where none is named.
    target: Option<String>,
    /// How long, for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Decides the mutations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tries this file only.
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
    /// Names the targets.
    #[arg(long)]
    list: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.list {
        targets().iter().for_each(|target| println!("{}", target.name));
        return Ok(());
    }
    let chosen = match &arguments.target {
        Some(name) => vec![target(name).with_context(|| format!("there is no target {name}; see --list"))?],
        None => targets().iter().collect(),
    };
    if let Some(path) = &arguments.input {
        let input = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        chosen.iter().for_each(|target| ((target.make)().run)(&input));
        return Ok(());
    }
    if !coverage::is_known() {
        println!("built without coverage: mutations are not guided (cargo xtask fuzz guides them)");
    }
    let plan = Plan { seed: arguments.seed, inputs: u64::MAX, time: Duration::from_secs(arguments.seconds) };
    for target in chosen {
        let report = run(target, &plan)?;
        let (name, each) = (target.name, report.inputs / arguments.seconds.max(1));
        println!("{name}: {} inputs ({each}/s), {} new, {} places", report.inputs, report.found, report.places);
    }
    Ok(())
}
