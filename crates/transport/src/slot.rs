//! The fixed m-lines of a path.

use str0m::{
    media::{MediaKind, Mid, Pt},
    rtp::Ssrc,
};

/// How many slots carry pictures. Each has its own retransmission cache and NACK window.
pub const VIDEO_SLOTS: u8 = 4;

/// A fixed, recycled m-line of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// Carries sound of all sources.
    Audio,
    /// Carries pictures; numbered from 0 to [`VIDEO_SLOTS`] − 1.
    Video(u8),
}

/// Which end of a path sends a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Client,
    Relay,
}

impl End {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Relay,
            Self::Relay => Self::Client,
        }
    }
}

pub(crate) const AUDIO_PT: u8 = 96;
pub(crate) const AUDIO_RTX_PT: u8 = 97;
pub(crate) const VIDEO_PT: u8 = 98;
pub(crate) const VIDEO_RTX_PT: u8 = 99;

impl Slot {
    /// Every slot of a path, sound first.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Audio).chain((0..VIDEO_SLOTS).map(Self::Video))
    }

    pub(crate) fn index(self) -> u8 {
        match self {
            Self::Audio => 0,
            Self::Video(number) => 1 + number,
        }
    }

    pub(crate) fn mid(self) -> Mid {
        Mid::from(format!("s{}", self.index()).as_str())
    }

    pub(crate) fn kind(self) -> MediaKind {
        match self {
            Self::Audio => MediaKind::Audio,
            Self::Video(_) => MediaKind::Video,
        }
    }

    pub(crate) fn payload_type(self) -> Pt {
        match self {
            Self::Audio => AUDIO_PT.into(),
            Self::Video(_) => VIDEO_PT.into(),
        }
    }

    /// Ticks of the RTP clock per second.
    pub(crate) fn clock_rate(self) -> u128 {
        match self {
            Self::Audio => 48_000,
            Self::Video(_) => 90_000,
        }
    }

    /// The SSRC of what `sender` sends in this slot. Both ends know all of them beforehand.
    pub(crate) fn ssrc(self, sender: End) -> Ssrc {
        Ssrc::from(base(sender) + u32::from(self.index()))
    }

    /// The SSRC of its retransmissions.
    pub(crate) fn rtx_ssrc(self, sender: End) -> Ssrc {
        Ssrc::from(base(sender) + 0x100 + u32::from(self.index()))
    }

    /// The slot in which `sender` uses `ssrc`.
    pub(crate) fn of_ssrc(ssrc: Ssrc, sender: End) -> Option<Self> {
        Self::all().find(|slot| slot.ssrc(sender) == ssrc)
    }
}

fn base(sender: End) -> u32 {
    match sender {
        End::Client => 0x1000,
        End::Relay => 0x2000,
    }
}
