//! The words of the domain and the wire messages.
//!
//! No I/O, no clock, no cryptography: every other crate speaks in these terms, so a word has one meaning everywhere.
//! [`wire`] holds what crosses the network: the clear [`wire::Descriptor`] in front of each media packet and the
//! signalling messages of [`wire::signal`].

#![forbid(unsafe_code)]

pub mod ids;
pub mod level;
pub mod media;
pub mod people;
pub mod picture;
pub mod track;
pub mod wire;

pub use ids::{Epoch, Fingerprint, LeafIndex, LeafRef, MeetingId, PeerId};
pub use level::Level;
pub use media::{Bitrate, EncodedFrame, MediaTime};
pub use people::{Clearance, Person, Role, SeatRank};
pub use picture::{Picture, PictureError};
pub use track::{Layer, TrackKind};
