//! The program `conclave`: see `conclave --help`.
#![cfg_attr(windows, windows_subsystem = "windows")]

use std::{io::IsTerminal as _, path::Path, process::ExitCode};

use clap::Parser as _;
use conclave_desktop::{
    cli::{Arguments, run},
    policy::PLACE,
};
use conclave_identity::hygiene::{forbid_core_dumps, hide_process};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// What is logged unless `CONCLAVE_LOG` says otherwise. The window's library warns of what a desktop lacks, which nobody
/// who runs the program can mend.
const LOGGED: &str = "warn,winit=error";

/// Whether something may be logged whatever `CONCLAVE_LOG` says: the library for ICE writes its passwords down at the most
/// detailed level.
fn is_harmless(metadata: &Metadata<'_>) -> bool {
    let is_ice = metadata.target() == "is" || metadata.target().starts_with("is::");
    !is_ice || *metadata.level() != Level::TRACE
}

fn main() -> ExitCode {
    // Before there are keys. What the system refuses is no reason to keep anybody out.
    forbid_core_dumps();
    let arguments = Arguments::parse();
    if !arguments.has_window() {
        hide_process();
    }
    // Standard error, so that what a script reads on standard output stays clean.
    let filter = EnvFilter::try_from_env("CONCLAVE_LOG").unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(lines.with_filter(filter_fn(is_harmless))).init();
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
