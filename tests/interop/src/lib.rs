//! Real processes and real parts: what the tests under `tests/` share.
//!
//! [`clip`] makes a picture and a sound that the clients send, [`recording`] is what the development-only
//! `conclave-recorder` writes of what it decoded, [`compare`] holds the two against each other, and [`world`] starts the
//! office tool, the relay and the clients as separate processes. [`tap`] keeps all that passes between clients and
//! relay, [`memory`] copies the memory of a process, [`markers`] are what is looked for in all of these;
//! [`display`] is an X11 display to be shared, [`desk`] a Wayland desktop, [`hands`] somebody who looks at a display and
//! types.

pub mod clip;
pub mod compare;
#[cfg(target_os = "linux")]
pub mod desk;
#[cfg(target_os = "linux")]
pub mod display;
#[cfg(target_os = "linux")]
pub mod hands;
pub mod markers;
#[cfg(target_os = "linux")]
pub mod memory;
pub mod recording;
pub mod tap;
pub mod world;
