//! The program `conclave`: see `conclave --help`.
#![cfg_attr(windows, windows_subsystem = "windows")]

use std::{io::IsTerminal as _, path::Path, process::ExitCode};

use clap::Parser as _;
use conclave_desktop::{
    cli::{Arguments, run},
    policy::PLACE,
};
use conclave_identity::hygiene::{forbid_core_dumps, hide_process};
use tracing_subscriber::EnvFilter;

/// What is logged unless `CONCLAVE_LOG` says otherwise. The window's library warns of what a desktop lacks, which nobody
/// who runs the program can mend.
const LOGGED: &str = "warn,winit=error";

/// What is not logged whatever `CONCLAVE_LOG` says: below this level, the library for ICE writes its passwords down.
const NEVER_MORE: [&str; 2] = ["is=debug", "is::agent=debug"];

fn main() -> ExitCode {
    // Before there are keys. What the system refuses is no reason to keep anybody out.
    forbid_core_dumps();
    let arguments = Arguments::parse();
    if !arguments.has_window() {
        hide_process();
    }
    // Standard error, so that what a script reads on standard output stays clean.
    let filter = EnvFilter::try_from_env("CONCLAVE_LOG").unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let filter = NEVER_MORE.iter().filter_map(|most| most.parse().ok()).fold(filter, EnvFilter::add_directive);
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    match run(arguments, Path::new(PLACE)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            use std::io::Write as _;
            // There is nothing left to do where even standard error is closed.
            let _ = writeln!(std::io::stderr(), "conclave: {error:#}");
            ExitCode::from(2)
        }
    }
}
