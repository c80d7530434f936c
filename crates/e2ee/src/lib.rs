//! The MLS group and the frame encryption, sans-IO.
//!
//! A [`Leaf`] is one participant's keys for one join; it becomes a [`Group`] by [`Leaf::create`] (the first in a
//! meeting) or [`Leaf::join`] (with a welcome that a member made). A group gives two things: an authenticated list of
//! [`Member`]s, each checked by this member itself against the signed invitation, and keys for frames that only the
//! members of the same epoch have.
//!
//! - MLS (RFC 9420) with one fixed suite, hybrid post-quantum key agreement and post-quantum signatures ([`SUITE`]).
//! - A member's MLS credential carries the X.509 chain and a signature by the identity key over the leaf's key and the
//!   meeting, so a smart card needs to know nothing of MLS.
//! - What the group has agreed on ([`State`]: level, lock, who was admitted and ejected) is in the group context, hence in
//!   the key schedule; level and meeting are in each frame's authenticated data as well. Who may change it is said by the
//!   rules that all members share: a commit that breaks one is followed by nobody.
//! - Each member has an Ed25519 key for what is signed often: signs of life ([`Group::pulse`]) and statements about media
//!   ([`Group::prove`]).
//! - Frames are SFrame (RFC 9605) with keys from the MLS exporter as its section 5.2 says: AES-256-GCM, 128-bit tags,
//!   one key and one replay window for each sender and epoch.
//!
//! No I/O and no clock: the wall clock comes in as seconds since 1970-01-01 UTC. Keys are random, never from a seed.
//! Nothing that a peer sends makes it panic.

#![forbid(unsafe_code)]

mod consent;
mod credential;
mod frames;
mod governance;
mod group;
mod leaf;
mod media_key;
mod rules;
mod state;
mod vault;
mod words;

pub use consent::{Consent, ConsentError};
pub use credential::{NewcomerError, Refused};
pub use frames::{Missing, OpenError, SealError};
pub use governance::{Order, chair, may_add, may_come, may_open, needs_chair, succession};
pub use group::{
    Change, CommitError, Group, Made, Member, MessageError, PendingCommit, Pulse, PulseError, Rejection, Vouching, Work,
};
pub use leaf::{JoinError, Leaf, LeafError};
pub use rules::Rules;
pub use state::{Memory, State};

/// The suite that every meeting uses, as MLS names it. Nothing negotiates it down.
pub const SUITE: &str = "MLS_128_MLKEM768X25519_CHACHA20POLY1305_SHA384_MLDSA44";

/// The most members of a group: no larger tree, welcome or commit is taken.
pub const MAX_MEMBERS: usize = 256;
