//! `conclave-relay`: the self-hosted relay.

#![forbid(unsafe_code)]

use std::{
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use conclave_identity::hygiene::{Protection, protect_process};
use conclave_relay::{Config, Parts, Running, inspect_audit};
use rustls_pki_types::CertificateDer;

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
    let mut signals = runtime.block_on(async { Signals::new() })?;
    let mut lists = Lists::new(&config, &parts);
    let running = conclave_relay::start(parts)?;
    loop {
        match runtime.block_on(signals.next(&lists)) {
            Wish::Stop => break,
            Wish::Lists => lists.reload(&config, &running),
            Wish::Reload => {
                lists.reload(&config, &running);
                running.reopen_audit();
            }
        }
    }
    tracing::info!("shutting down");
    running.shutdown();
    Ok(())
}

/// What the administrator wants, or the files say.
enum Wish {
    Stop,
    /// Revocation lists and audit log.
    Reload,
    /// The revocation lists alone, which have changed.
    Lists,
}

/// SIGINT and SIGTERM stop the relay, SIGHUP has it read the revocation lists again and look for the audit log.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self, lists: &Lists) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.hang_up.recv() => Wish::Reload,
            () = lists.changed() => Wish::Lists,
        }
    }
}

/// Ctrl-C stops the relay.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self, lists: &Lists) -> Wish {
        tokio::select! {
            // Without it the process is ended from outside.
            _ = tokio::signal::ctrl_c() => Wish::Stop,
            () = lists.changed() => Wish::Lists,
        }
    }
}

/// How often the files with revocation lists are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// When a file was changed last, and how long it is; `None` where it is not there.
type Stamp = Option<(SystemTime, u64)>;

/// The files with revocation lists, as they were read last.
struct Lists {
    files: Vec<PathBuf>,
    seen: Vec<Stamp>,
    roots: Vec<CertificateDer<'static>>,
    chain: Vec<CertificateDer<'static>>,
}

impl Lists {
    fn new(config: &Config, parts: &Parts) -> Self {
        let files = config.revocations.clone();
        let (roots, chain) = (parts.roots.clone(), parts.chain.clone());
        Self { seen: stamps(&files), files, roots, chain }
    }

    /// Waits until a file has changed.
    async fn changed(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if stamps(&self.files) != self.seen {
                return;
            }
        }
    }

    /// Reads the files again. Where one cannot be used, the lists from before stay in force and the log says why.
    fn reload(&mut self, config: &Config, running: &Running) {
        // Before they are read, so that a change meanwhile is seen the next time.
        self.seen = stamps(&self.files);
        let read = config.revocations(&self.roots, &self.chain);
        let result = read.map_err(anyhow::Error::from).and_then(|lists| {
            let count = lists.len();
            running.set_revocations(lists).map(|()| count).map_err(anyhow::Error::from)
        });
        match result {
            Ok(count) => tracing::info!(count, "revocation lists read again; nothing else of the configuration is"),
            Err(error) => tracing::error!("{error:#}; the revocation lists from before stay in force"),
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(stamp).collect()
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
