//! Development tasks: `cargo xtask demo`, `test`, `check`, `bench`, `package`.

#![allow(clippy::print_stdout, reason = "a command-line tool speaks on standard output")]

mod bench;
mod directions;
mod fuzz;
mod gates;
mod manual;
mod notices;
mod package;
mod run;
mod soak;
mod system;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{run::cargo, system::Purpose};

/// Builds, shows, tests and packages Conclave.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs the system packages that building and running need (Debian, Ubuntu), or names what is missing.
    Setup,
    /// Sets everything up, builds in release mode and opens a whole meeting on this machine.
    Demo {
        /// Handed to `conclave demo`, such as --headless --seconds 30 --report r.json.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Sets everything up and runs all that continuous integration runs.
    Test {
        /// How many seeds the simulation runs: honest, led and, two thirds of them, hostile meetings.
        #[arg(long, default_value_t = 3000)]
        seeds: u32,
    },
    /// Checks which crate may import which, and the licences of third parties.
    Check,
    /// Measures, in release mode.
    Bench {
        /// Only the measurements of this name.
        name: Option<String>,
        /// Handed to the measurement `media`, such as --only speech,picture --seeds 5, or --short.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Gives hostile bytes to every parser of what a peer or a file brings, guided by coverage.
    Fuzz {
        /// Only this target; `conclave-fuzz --list` names them.
        target: Option<String>,
        /// How long, for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Decides the mutations.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Plays many simulated meetings: honest, led and hostile ones.
    Soak {
        /// How many, two thirds of them hostile.
        #[arg(long, default_value_t = 150_000)]
        seeds: u32,
        /// Leaves out so many before them: where an earlier run ended.
        #[arg(long, default_value_t = 0)]
        first: u32,
    },
    /// Makes the Debian packages of the app and of the relay under target/packages.
    Package,
}

fn main() -> Result<()> {
    if let Some(code) = fuzz::compile() {
        std::process::exit(code);
    }
    match Arguments::parse().task {
        Task::Setup => system::install(&[Purpose::Build, Purpose::Window, Purpose::Test]),
        Task::Demo { arguments } => {
            system::install(&[Purpose::Build, Purpose::Window])?;
            println!("Building in release mode; the first time takes about 20 minutes on two cores.");
            cargo(["build", "--release", "--package", "conclave-desktop", "--bin", "conclave"])?;
            let program = run::target_directory()?.join("release/conclave");
            run::command(&program, ["demo".to_owned()].into_iter().chain(arguments))
        }
        Task::Test { seeds } => {
            system::install(&[Purpose::Build, Purpose::Window, Purpose::Test])?;
            gates::all(seeds)
        }
        Task::Check => {
            directions::check()?;
            gates::licences()
        }
        Task::Bench { name, arguments } => {
            system::install(&[Purpose::Build, Purpose::Bench])?;
            bench::run(name.as_deref(), &arguments)
        }
        Task::Fuzz { target, seconds, seed } => {
            system::install(&[Purpose::Build])?;
            fuzz::run(target.as_deref(), seconds, seed)
        }
        Task::Soak { seeds, first } => {
            system::install(&[Purpose::Build, Purpose::Test])?;
            soak::run(first, seeds)
        }
        Task::Package => {
            system::install(&[Purpose::Build, Purpose::Package])?;
            package::make()
        }
    }
}
