//! The sans-IO session of one participant: joining, the group's commits, encrypted frames in and out.
//!
//! A [`Session`] owns the participant's end of the media path, the MLS group and everything between an encoded frame
//! and a datagram. It reads no clock, opens no socket and starts no thread: the driver passes in what happened
//! ([`Input`]) with the current time, then takes out what is to be done ([`Output`]) until [`Output::Wake`] says when
//! to come back.
//!
//! ```text
//! LocalFrame ─ plaintext ─ SFrame ─ packetizer ─ Path ─ Transmit
//! RemoteFrame ─ order ─ SFrame (held while the epoch is not known yet) ─ reassembly ─ Path ─ Datagram
//! Signal ─ join / commit duty / member states ─ MLS group ─ Signal
//! ```
//!
//! A session lives for one connection. After [`Event::Ended`], and after the signalling connection broke, the driver
//! makes a new one, which joins with a fresh leaf.

#![forbid(unsafe_code)]

pub mod jitter;
pub mod proofs;

mod chair;
mod counters;
mod duty;
mod epochs;
mod governance;
mod holding;
mod io;
mod joining;
mod lineage;
mod link;
mod lobby;
mod member;
mod neighbours;
mod order;
mod orders;
mod packetizer;
mod papers;
mod pulse;
mod reassembly;
mod renewal;
mod repair;
mod reports;
mod session;
mod stage;
mod state;
mod throttle;
mod unvouched;
mod viewers;

pub use conclave_e2ee::NewcomerError;
pub use conclave_transport::{Quality, Transmit};
pub use counters::{Counters, TrackCounters};
pub use governance::{Governance, Standing, Waiting};
pub use io::{
    Command, Doubt, EndReason, Event, Input, MemberWish, OrderError, Output, RemoteFrame, SessionConfig, SessionError,
    UndecryptableCause,
};
pub use session::Session;
pub use stage::{ShareCommand, ShareError, ShareFault, ShareNews, ShareRequest, Shared, Stage};
pub use state::{MemberState, SourceState};
