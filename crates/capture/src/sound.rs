//! What microphone and loudspeaker share: streams of a device, resampling, WAV.

pub(crate) mod device;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod resample;
pub(crate) mod wav;

/// What was really opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedSound {
    /// The device's human name, the file's path, "test voice" or "no loudspeaker".
    pub name: String,
    /// Samples per second before conversion.
    pub rate: u32,
    /// Channels before conversion.
    pub channels: u16,
    /// Sample format before conversion, as "i16".
    pub format: String,
}

impl OpenedSound {
    /// What needs no conversion.
    pub(crate) fn plain(name: &str) -> Self {
        Self { name: name.to_owned(), rate: crate::SAMPLE_RATE, channels: 1, format: "f32".to_owned() }
    }
}
