//! The sans-IO relay.
//!
//! It knows meetings and the connections in them, delivers MLS messages in one order, and forwards media by their clear
//! [`conclave_model::wire::Descriptor`]. It holds no key of any meeting and checks no member: members do that.
//!
//! # Contract
//! The driver owns sockets, TLS, the clock and the checks on certificate and invitation. It calls [`Relay::open`] for a
//! connection that passed those checks, then [`Relay::handle_signal`], [`Relay::handle_datagram`], [`Relay::close`] and
//! [`Relay::handle_timeout`] as things happen. After one or a few of those calls it drains [`Relay::poll_output`] until
//! [`Output::Wake`]. Nothing a client sends makes any of them fail: what breaks the protocol ends that client's
//! connection or is dropped and counted in [`Counters`], and the others never notice.

#![forbid(unsafe_code)]

mod allocate;
mod banned;
mod bucket;
mod counters;
mod forward;
mod key_frames;
mod line;
mod meeting;
mod meter;
mod peer;
mod record;
mod relay;
mod slots;
mod stun;
mod viewers;
mod watching;

pub use counters::Counters;
pub use record::{Happening, Record};
pub use relay::{Admitted, ConnectionId, Output, Relay, RelayConfig, Resumed};
