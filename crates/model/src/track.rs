//! Media tracks and their layers.

use serde::{Deserialize, Serialize};

/// What a participant sends; each participant has at most one track of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackKind {
    /// The participant's voice.
    Microphone,
    /// The participant's picture.
    Camera,
    /// A shared screen or window.
    Screen,
    /// The sound that belongs to the shared screen.
    ScreenAudio,
    /// An interpreter's voice, by language number 0 to 23 (the official languages in protocol order).
    Booth(u8),
}

impl TrackKind {
    const BOOTHS: u8 = 24;

    /// The byte that stands for the kind in a packet descriptor.
    pub fn code(self) -> u8 {
        match self {
            Self::Microphone => 0,
            Self::Camera => 1,
            Self::Screen => 2,
            Self::ScreenAudio => 3,
            Self::Booth(language) => 16 + language,
        }
    }

    /// The kind that a byte stands for; `None` where it stands for nothing.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Microphone),
            1 => Some(Self::Camera),
            2 => Some(Self::Screen),
            3 => Some(Self::ScreenAudio),
            16.. if code - 16 < Self::BOOTHS => Some(Self::Booth(code - 16)),
            _ => None,
        }
    }

    /// Whether frames of this kind are pictures.
    pub fn is_video(self) -> bool {
        match self {
            Self::Camera | Self::Screen => true,
            Self::Microphone | Self::ScreenAudio | Self::Booth(_) => false,
        }
    }
}

/// One encoding of a video track, 0 the lowest quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Layer(pub u8);

impl Layer {
    /// How many encodings a picture has at most: about 180, 360 and 720 lines.
    pub const COUNT: u8 = 3;
    /// One bit for each encoding, as in [`LayersWanted`](crate::wire::signal::FromRelay::LayersWanted).
    pub const ALL: u8 = (1 << Self::COUNT) - 1;

    /// The encoding's bit in a set of encodings; 0 for one that does not exist.
    pub fn bit(self) -> u8 {
        if self.0 < Self::COUNT { 1 << self.0 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_leads_back_to_its_kind() {
        let known: Vec<u8> = (0..=u8::MAX).filter(|code| TrackKind::from_code(*code).is_some()).collect();
        assert_eq!(known.len(), 4 + 24);
        for code in known {
            assert_eq!(TrackKind::from_code(code).map(TrackKind::code), Some(code));
        }
    }
}
