//! One end of a media path: str0m with our fixed slots.
//!
//! Client and relay are the two ends of a path: ICE, DTLS 1.3, SRTP, pacing, NACK with RTX and bandwidth estimation by
//! transport-wide feedback, all of it str0m's in RTP mode. Nothing is negotiated but keys: the slots, their SSRCs and
//! payload types are constants of this crate, so there is no SDP to parse.
//!
//! A **slot** is one bidirectional m-line. It is a pipe: packets of several tracks share it, for each packet begins
//! with the [`conclave_model::wire::Descriptor`] of its own frame. The cost of a packet grows with the number of
//! m-lines (2.75 µs with one, 12 µs with 30), so their number stays fixed however large the meeting is.
//!
//! Sans-IO, after str0m: `handle_*` and [`Path::send`] change the state, [`Path::poll_output`] must then be drained
//! until it returns [`Output::Wake`].

#![forbid(unsafe_code)]

mod path;
mod round_trips;
mod slot;

pub use path::{Event, FIRST_ESTIMATE, MAX_PACKET, Output, Path, Quality, Transmit, TransportError};
pub use round_trips::RoundTrips;
pub use slot::{Slot, VIDEO_SLOTS};
