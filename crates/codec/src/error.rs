//! Why a codec did not do what it was asked.

use conclave_model::PictureError;

/// Why encoding, decoding or scaling failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The codec library refused.
    #[error("{codec}: {action} failed with code {code}")]
    Codec {
        /// Which library.
        codec: &'static str,
        /// What it was asked for.
        action: &'static str,
        /// Its own error number.
        code: i32,
    },
    /// A setting outside what the codec can do.
    #[error("{what} of {found}; allowed are {allowed}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// What it was.
        found: u64,
        /// What it may be, in words.
        allowed: &'static str,
    },
    /// A picture of another size than the encoder was made for.
    #[error("a picture of {found:?} pixels in an encoder for {wanted:?}")]
    PictureSize {
        /// Width and height that came.
        found: (u32, u32),
        /// Width and height of the encoder.
        wanted: (u32, u32),
    },
    /// A wrong number of samples.
    #[error("{found} samples where {wanted} belong")]
    FrameLength {
        /// Samples that came.
        found: usize,
        /// Samples that belong there.
        wanted: usize,
    },
    /// Bytes that are no frame, or none that follows the last.
    #[error("the bitstream cannot be decoded")]
    Bitstream,
    /// A bitstream in a form that nobody here sends: not 8-bit 4:2:0, or too many pictures in one frame.
    #[error("the bitstream has a form that is not allowed here")]
    Form,
    /// A picture that is none.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The scaler refused the sizes.
    #[error("cannot scale {from:?} to {to:?} pixels")]
    Scale {
        /// Width and height of the source.
        from: (u32, u32),
        /// Width and height of the target.
        to: (u32, u32),
    },
}
