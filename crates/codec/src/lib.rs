//! Opus and AV1, scaling and colour.
//!
//! The only home of codec FFI: `av1/aom.rs` (libaom, encoder) and `opus/ffi.rs` (libopus). Everything above
//! them is safe Rust; what comes from the network is decoded by `rav1d`, which is dav1d in Rust, and by libopus.
//! Pictures are 8-bit 4:2:0 from end to end ([`conclave_model::Picture`]); sound is mono at [`SAMPLE_RATE`].
//!
//! Encoders and decoders block for as long as they work: they belong on threads of their own.

pub mod av1;
pub mod colour;
pub mod error;
pub mod opus;
pub mod quality;
pub mod redundant;
pub mod scale;

use bytes::Bytes;
use conclave_model::{Bitrate, EncodedFrame, Picture};

pub use av1::{Av1Decoder, Av1Encoder, Content, VideoSettings};
pub use error::CodecError;
pub use opus::{AudioSettings, OpusDecoder, OpusEncoder, Protection, packet_length, without_redundancy};
pub use redundant::{FrameCopy, Redundant};
pub use scale::{Fit, PictureScaler, fit, scale};

/// Samples per second of all sound here.
pub const SAMPLE_RATE: u32 = 48_000;

/// Turns pictures into a bitstream.
pub trait VideoEncoder: Send {
    /// Encodes one picture; with `force_key` into a frame that a decoder can begin with.
    ///
    /// The frame carries the picture's time; its `encode_delay` is zero until the caller fills it in. `None` where the
    /// rate control left the picture out: the next one then follows the last that was sent.
    ///
    /// # Errors
    /// [`CodecError::PictureSize`] for a picture of another size than the settings name, else what the codec says.
    fn encode(&mut self, picture: &Picture, force_key: bool) -> Result<Option<EncodedFrame>, CodecError>;

    /// Changes the bitrate from the next frame on.
    ///
    /// # Errors
    /// [`CodecError::Codec`] where the codec refuses.
    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError>;

    /// The name for people and reports, as "libaom AV1".
    fn name(&self) -> &'static str;
}

/// Turns a bitstream into pictures.
pub trait VideoDecoder: Send {
    /// Decodes one frame. `None` where it shows nothing.
    ///
    /// The picture carries the frame's time. Any bytes are safe to pass.
    ///
    /// # Errors
    /// [`CodecError::Bitstream`] for bytes that are no frame or do not follow the last; begin again with a key frame.
    fn decode(&mut self, frame: &EncodedFrame) -> Result<Option<Picture>, CodecError>;
}

/// Turns sound into packets.
pub trait AudioEncoder: Send {
    /// Encodes one frame of mono samples at [`SAMPLE_RATE`], within −1 and 1. `None` where there is nothing to send
    /// because of silence.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`] for any other number of samples than the settings name.
    fn encode(&mut self, samples: &[f32]) -> Result<Option<Bytes>, CodecError>;

    /// Changes the bitrate from the next frame on.
    ///
    /// # Errors
    /// [`CodecError::Codec`] where the codec refuses.
    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError>;
}

/// Turns packets into sound.
pub trait AudioDecoder: Send {
    /// Decodes one packet to mono samples at [`SAMPLE_RATE`]: 2.5 to 120 ms of them. Any bytes are safe to pass.
    ///
    /// # Errors
    /// [`CodecError::Bitstream`] for bytes that are no packet.
    fn decode(&mut self, packet: &[u8]) -> Result<Vec<f32>, CodecError>;

    /// Makes up `samples` samples in the place of a packet that is lost; fades to silence when asked again and again.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`] unless `samples` is a multiple of 2.5 ms, up to 120 ms.
    fn conceal(&mut self, samples: usize) -> Result<Vec<f32>, CodecError>;
}
