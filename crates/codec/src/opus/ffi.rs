//! The decoder of libopus, by its C interface: the `opus` crate has no way to ask for deep concealment.
#![expect(unsafe_code, reason = "libopus is C; the safe decoder above this file is the only caller")]

use std::{ffi::c_int, ptr, ptr::NonNull};

use opusic_sys as sys;

use crate::CodecError;

/// A mono decoder.
#[derive(Debug)]
pub(super) struct RawDecoder {
    state: NonNull<sys::OpusDecoder>,
}

// SAFETY: libopus keeps all state of a decoder behind this pointer, has no tie to threads, and the pointer is only used
// through `&mut self`.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    pub(super) fn open(sample_rate: u32, complexity: c_int) -> Result<Self, CodecError> {
        let mut code: c_int = 0;
        // SAFETY: `code` outlives the call; libopus checks rate and channels.
        let state = unsafe { sys::opus_decoder_create(sample_rate as i32, 1, &raw mut code) };
        let state = NonNull::new(state).ok_or_else(|| failed("open", code))?;
        let decoder = Self { state };
        // SAFETY: the state is open, and this request takes one int.
        let code = unsafe { sys::opus_decoder_ctl(state.as_ptr(), sys::OPUS_SET_COMPLEXITY_REQUEST, complexity) };
        if code == sys::OPUS_OK { Ok(decoder) } else { Err(failed("configure", code)) }
    }

    /// Decodes a packet, or makes up sound where there is none, to at most `room` samples.
    pub(super) fn decode(&mut self, packet: Option<&[u8]>, room: usize) -> Result<Vec<f32>, CodecError> {
        let mut samples = vec![0.0_f32; room];
        let (data, length) = packet.map_or((ptr::null(), 0), |packet| (packet.as_ptr(), packet.len()));
        let too_long = |_| CodecError::Bitstream;
        let (length, frame) = (i32::try_from(length).map_err(too_long)?, c_int::try_from(room).map_err(too_long)?);
        // SAFETY: the state is open; `data` is null with length 0 (a lost packet) or `length` readable bytes; `samples`
        // has room for `frame` samples of one channel, and libopus writes no more.
        let count =
            unsafe { sys::opus_decode_float(self.state.as_ptr(), data, length, samples.as_mut_ptr(), frame, 0) };
        samples.truncate(usize::try_from(count).map_err(|_| CodecError::Bitstream)?);
        Ok(samples)
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: the state came from `opus_decoder_create` and nobody uses it afterwards.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) };
    }
}

fn failed(action: &'static str, code: c_int) -> CodecError {
    CodecError::Codec { codec: "libopus", action, code }
}
