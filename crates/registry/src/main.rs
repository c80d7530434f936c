//! `conclave-registry`: reads the command line, runs the command, prints what came of it.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Parser;
use conclave_identity::hygiene::hide_process;
use conclave_registry::{Outcome, cli::Cli, run};

fn main() -> ExitCode {
    // Before a key is read or made. What the system refuses is no reason to refuse the work.
    hide_process();
    let cli = Cli::parse();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match run(&cli.command, wall) {
        Ok(outcome) => {
            let text = if cli.json { to_json(&outcome) } else { outcome.to_string() };
            // Nobody listens any more: the work is done all the same.
            let _ = writeln!(io::stdout(), "{}", text.trim_end());
            if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let text = if cli.json {
                serde_json::json!({ "kind": "error", "error": error.to_string() }).to_string()
            } else {
                format!("conclave-registry: {error}")
            };
            let _ = writeln!(io::stderr(), "{text}");
            ExitCode::from(2)
        }
    }
}

fn to_json(outcome: &Outcome) -> String {
    serde_json::to_string_pretty(outcome).expect("outcomes have string keys only")
}
