//! `conclave-relay`: the self-hosted relay.

#![forbid(unsafe_code)]

use std::{
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use conclave_identity::hygiene::{Protection, protect_process};
use conclave_relay::{Config, Parts, inspect_audit};

/// The self-hosted relay of Conclave: it carries encrypted meetings and can open none of them.
#[derive(Debug, Parser)]
#[command(name = "conclave-relay", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until told to stop (SIGINT or SIGTERM).
    Serve {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check the configuration and the files that it names, and print what offices need for invitations.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve { config } => serve(&config),
        Command::Check { config } => check(&config),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell where even this fails.
            let _ = writeln!(std::io::stderr(), "conclave-relay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load(path: &std::path::Path) -> Result<(Config, Parts)> {
    let config = Config::load(path)?;
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let parts = config.parts(wall)?;
    Ok((config, parts))
}

fn serve(path: &std::path::Path) -> Result<()> {
    // Before the key is read.
    let Protection { undumpable, locked } = protect_process();
    let (config, parts) = load(path)?;
    let filter = tracing_subscriber::EnvFilter::new(format!(
        "warn,conclave={0},conclave_relay={0},conclave_relay_core={0}",
        config.log
    ));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    tracing::info!(core_dumps = !undumpable, memory_locked = locked, "memory of the process");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before anything starts, so that no signal is lost.
    let stop = runtime.block_on(async { signals() })?;
    let running = conclave_relay::start(parts)?;
    runtime.block_on(stop);
    tracing::info!("shutting down");
    running.shutdown();
    Ok(())
}

/// Waits for SIGINT or SIGTERM.
#[cfg(unix)]
fn signals() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
fn signals() -> Result<impl Future<Output = ()>> {
    Ok(async {
        // Without it the process is ended from outside.
        let _ = tokio::signal::ctrl_c().await;
    })
}

fn check(path: &std::path::Path) -> Result<()> {
    let (config, parts) = load(path)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}: good", path.display())?;
    writeln!(out, "listen       {} (TCP)", config.listen)?;
    writeln!(out, "media        {} (UDP)", config.media.unwrap_or(config.listen))?;
    for address in &config.public {
        writeln!(out, "public       {}", address.ip())?;
    }
    writeln!(out, "max level    {}", parts.max_level.word())?;
    writeln!(out, "trust        {} root certificate(s)", parts.roots.len())?;
    writeln!(out, "revocations  {} list(s)", parts.revocations.len())?;
    match &config.audit {
        None => writeln!(out, "audit log    none")?,
        Some(file) => {
            let lines = inspect_audit(file)?.map_or(0, |summary| summary.lines);
            writeln!(out, "audit log    {} ({lines} records)", file.display())?;
        }
    }
    if let Some(pin) = parts.pin() {
        writeln!(out, "key pin      {}", hex::encode(pin.0))?;
    }
    Ok(())
}
