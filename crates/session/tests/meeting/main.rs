//! Whole meetings: sessions and the real relay core on a network in memory with a virtual clock.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

mod disorder;
mod following;
mod forgery;
mod leading;
mod levels;
mod media;
mod membership;
mod secrecy;
mod sharing;
mod vouching;
mod world;
