//! Quantities of media, and a frame as an encoder leaves it.

use std::{fmt, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Layer;

/// Bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bitrate(pub u64);

impl Bitrate {
    /// From thousands of bits per second.
    pub const fn kbps(value: u64) -> Self {
        Self(value * 1000)
    }

    /// Bits per second.
    pub const fn as_bps(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kbit/s", self.0 / 1000)
    }
}

/// When a sample was captured: microseconds on the sender's clock (since 1970-01-01 UTC as that clock has it).
///
/// Tracks of one sender share the clock, which is what keeps lips and sound together. It travels encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MediaTime(pub u64);

impl MediaTime {
    /// The time from `earlier` to this one; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for MediaTime {
    type Output = Self;

    fn add(self, step: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(step.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// One frame as an encoder leaves it and a decoder takes it: an AV1 temporal unit or an Opus packet.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    /// When it was captured.
    pub time: MediaTime,
    /// How long it took from capture to here, at the sender.
    pub encode_delay: Duration,
    /// Whether a decoder can begin with it; always true for sound.
    pub key: bool,
    /// Which encoding of the track it belongs to.
    pub layer: Layer,
    /// Whether no other frame needs it, so that it can be left out without harm.
    pub discardable: bool,
    /// How many frames before it, in its own layer, the one stands that it needs; 0 where it needs none.
    ///
    /// An encoder counts the frames that it made; in what is received, frame numbers are counted, and in these a frame
    /// may be missing that never had a picture. What it needs needs others in turn, up to a key frame.
    pub back: u8,
    /// The bitstream.
    pub data: Bytes,
}

/// Shows sizes, never content.
impl fmt::Debug for EncodedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedFrame")
            .field("time", &self.time)
            .field("key", &self.key)
            .field("layer", &self.layer)
            .field("discardable", &self.discardable)
            .field("back", &self.back)
            .field("bytes", &self.data.len())
            .finish()
    }
}
