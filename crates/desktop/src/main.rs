//! The program `conclave`: see `conclave --help`.
#![cfg_attr(windows, windows_subsystem = "windows")]

use std::process::ExitCode;

use clap::Parser as _;
use conclave_desktop::cli::{Arguments, run};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Standard error, so that what a script reads on standard output stays clean.
    let filter = EnvFilter::try_from_env("CONCLAVE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
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
