//! Development only: a simulated network, a virtual clock, participants and a relay.
//!
//! A [`Simulation`] runs real [`conclave_session::Session`]s and a real [`conclave_relay_core::Relay`] against each other
//! without sockets, threads or waiting: time jumps from one event to the next. Everything that is decided here (who
//! comes, who goes, what the network does to each datagram) follows from one seed. Keys stay random, so a run is
//! checked by its properties, never by its bytes; the properties are in [`Violation`].
//!
//! [`run`] plays one seed's meeting: scene after scene of people who join, leave, crash and come back on lines that lose
//! and reorder, until it has converged after each.

#![forbid(unsafe_code)]

mod checker;
mod hostile;
pub mod measure;
mod media;
mod network;
mod participant;
mod plan;
mod puppet;
mod simulation;
pub mod stage;

pub use checker::{Totals, Violation};
pub use hostile::{By, Move, Outcome as HostileOutcome, Row, run_hostile};
pub use plan::{Outcome, run, run_short};
pub use simulation::{Moved, Simulation, moving};
