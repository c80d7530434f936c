//! The AV1 decoder: dav1d in Rust.

use conclave_model::{EncodedFrame, Picture, picture::MAX_SIDE};
use re_rav1d::dav1d::{Decoder, Error, Picture as Decoded, PixelLayout, PlanarImageComponent, Settings};

use crate::{CodecError, VideoDecoder};

/// Decodes AV1 on the calling thread, without delay: a frame in, its picture out.
pub struct Av1Decoder {
    decoder: Decoder,
}

impl Av1Decoder {
    /// Opens a decoder for pictures of any size that a [`Picture`] may have.
    ///
    /// # Errors
    /// [`CodecError::Codec`] where it cannot be opened.
    pub fn new() -> Result<Self, CodecError> {
        Self::up_to(MAX_SIDE * MAX_SIDE)
    }

    /// Opens a decoder that refuses pictures of more than `pixels`, before it takes memory for one.
    ///
    /// A decoder holds about ten pictures of a stream, at one and a half bytes a pixel.
    ///
    /// # Errors
    /// As [`Av1Decoder::new`].
    pub fn up_to(pixels: u32) -> Result<Self, CodecError> {
        let mut settings = Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_all_layers(false);
        settings.set_frame_size_limit(pixels.clamp(1, MAX_SIDE * MAX_SIDE));
        let decoder = Decoder::with_settings(&settings).map_err(|error| CodecError::Codec {
            codec: "rav1d",
            action: "open",
            code: code(error),
        })?;
        Ok(Self { decoder })
    }

    /// Sends a temporal unit and takes out the last picture that it shows.
    fn run(&mut self, frame: &EncodedFrame) -> Result<Option<Decoded>, CodecError> {
        let mut sent = self.decoder.send_data(frame.data.clone(), None, None, None);
        let mut shown = None;
        for _ in 0..MAX_PICTURES_PER_FRAME {
            match self.decoder.get_picture() {
                Ok(picture) => shown = Some(picture),
                Err(Error::Again) if sent.is_ok() => return Ok(shown),
                Err(Error::Again) => {}
                Err(_) => return Err(CodecError::Bitstream),
            }
            match sent {
                Ok(()) => {}
                Err(Error::Again) => sent = self.decoder.send_pending_data(),
                Err(_) => return Err(CodecError::Bitstream),
            }
        }
        Err(CodecError::Form)
    }
}

impl VideoDecoder for Av1Decoder {
    fn decode(&mut self, frame: &EncodedFrame) -> Result<Option<Picture>, CodecError> {
        if frame.data.is_empty() {
            return Err(CodecError::Bitstream);
        }
        let outcome = self.run(frame).and_then(|decoded| decoded.map(|decoded| copy(&decoded, frame)).transpose());
        if outcome.is_err() {
            // What is left inside belongs to a stream that is broken.
            self.decoder.flush();
        }
        outcome
    }
}

impl std::fmt::Debug for Av1Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Av1Decoder").finish_non_exhaustive()
    }
}

/// Copies the planes row by row, without the decoder's padding.
fn copy(decoded: &Decoded, frame: &EncodedFrame) -> Result<Picture, CodecError> {
    if decoded.pixel_layout() != PixelLayout::I420 || decoded.bit_depth() != 8 {
        return Err(CodecError::Form);
    }
    let (width, height) = (decoded.width(), decoded.height());
    // Checks the size before anything is allocated for it.
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(conclave_model::PictureError::Size { width, height }.into());
    }
    let plane = |component, width: u32, height: u32| {
        let padded = decoded.plane(component);
        let stride = decoded.stride(component) as usize;
        let mut rows = Vec::with_capacity(width as usize * height as usize);
        for row in padded.chunks(stride.max(1)).take(height as usize) {
            rows.extend_from_slice(row.get(..width as usize).unwrap_or_default());
        }
        rows
    };
    let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
    let planes = [
        plane(PlanarImageComponent::Y, width, height),
        plane(PlanarImageComponent::U, chroma_width, chroma_height),
        plane(PlanarImageComponent::V, chroma_width, chroma_height),
    ];
    Ok(Picture::new(width, height, frame.time, planes)?)
}

/// The number that Linux gives the error, as dav1d's own interface does.
fn code(error: Error) -> i32 {
    match error {
        Error::Again => 11,
        Error::NotEnoughMemory => 12,
        Error::InvalidArgument => 22,
        Error::UnsupportedBitstream => 92,
        Error::UnknownError(_) => 1,
        _ => 2,
    }
}

/// A temporal unit of our encoder shows one picture; one that shows more than a few is an attempt to keep us busy.
const MAX_PICTURES_PER_FRAME: usize = 8;
