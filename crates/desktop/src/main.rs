//! The program `conclave`: see `conclave --help`.
#![cfg_attr(windows, windows_subsystem = "windows")]

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Parser as _;
use conclave_desktop::cli::{Arguments, run};
use tracing_subscriber::EnvFilter;

/// What is logged unless `CONCLAVE_LOG` says otherwise. The window's library warns of what a desktop lacks, which nobody
/// who runs the program can mend.
const LOGGED: &str = "warn,winit=error";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Standard error, so that what a script reads on standard output stays clean.
    let filter = EnvFilter::try_from_env("CONCLAVE_LOG").unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    match run(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            use std::io::Write as _;
            // There is nothing left to do where even standard error is closed.
            let _ = writeln!(std::io::stderr(), "conclave: {error:#}");
            ExitCode::from(2)
        }
    }
}
