//! Real processes and real parts: what the tests under `tests/` share.
//!
//! [`clip`] makes a picture and a sound that the clients send, [`recording`] is what the development-only
//! `conclave-recorder` writes of what it decoded, [`compare`] holds the two against each other, and [`world`] starts the
//! office tool, the relay and the clients as separate processes.

pub mod clip;
pub mod compare;
pub mod recording;
pub mod world;
