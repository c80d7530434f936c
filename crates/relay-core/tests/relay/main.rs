//! The relay against scripted clients, in memory, on a virtual clock.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod delivery;
mod harness;
mod layers;
mod lobby;
mod media;
mod misuse;
mod objections;
mod resumption;
