//! The self-hosted relay: sockets, TLS and threads around [`conclave_relay_core`].
//!
//! Clients connect by WebSocket on TLS 1.3 and authenticate with their certificate. The relay checks that a known
//! office signed the invitation they bring, that their certificate is on its list, that the meeting is open, and that
//! its level is one the relay may carry. Who may be a *member* is not its business: members check each other, and the
//! relay holds no key that would open what they say.
//!
//! [`start`] runs a relay inside the calling process, as the demo does; the program `conclave-relay` is that and a
//! configuration file ([`Config`]).
//!
//! Threads: one for media (the state machine and the UDP socket), two for TLS and signalling, so that a handshake never
//! delays a picture. Every queue between them is bounded.

#![forbid(unsafe_code)]

mod admission;
mod clock;
mod config;
mod connection;
mod door;
mod engine;
mod heard;
mod outbox;
mod server;
mod socket;

pub use config::{Config, ConfigError, LogLevel, NamedProblem};
pub use server::{Parts, Running, StartError, start};
