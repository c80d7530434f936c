//! What microphone and loudspeaker share: streams of a device, resampling, WAV.

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
