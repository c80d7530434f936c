//! The self-hosted relay: sockets, TLS and threads around [`conclave_relay_core`].
//!
//! Clients connect by WebSocket on TLS 1.3 and authenticate with their certificate. The relay checks that a known
//! office signed the invitation they bring, that their certificate is on its list and not revoked, that the meeting is
//! open, and that its level is one the relay may carry. Who may be a *member* is not its business: members check each other, and the
//! relay holds no key that would open what they say.
//!
//! [`start`] runs a relay inside the calling process, as the demo does; the program `conclave-relay` is that and a
//! configuration file ([`Config`]).
//!
//! Threads: one for media (the state machine and the UDP socket), two for TLS and signalling, so that a handshake never
//! delays a picture; one more where there is an audit log. Every queue between them is bounded.

#![forbid(unsafe_code)]

mod admission;
mod attempts;
mod audit;
mod clock;
mod config;
mod connection;
mod door;
mod engine;
mod heard;
mod outbox;
mod server;
mod socket;
mod tally;

pub use audit::{AuditProblem, inspect_audit};
pub use config::{Config, ConfigError, LogLevel, NamedProblem};
pub use server::{Parts, Running, StartError, Stopped, start};
pub use tally::DoorCounters;
