//! libopus by its C interface: the safe crates have no way to ask for deep redundancy (DRED) and deep concealment.
#![expect(unsafe_code, reason = "libopus is C; the safe encoder and decoder above this file are the only callers")]

use std::{ffi::c_int, ptr, ptr::NonNull};

use opusic_sys as sys;

use crate::CodecError;

/// A setting of an encoder that takes one number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setting {
    /// Bits per second.
    Bitrate,
    /// 1 lets the size of packets follow the sound.
    Vbr,
    /// 1 keeps the bits of each moment near the bitrate.
    ConstrainedVbr,
    /// 0 to 10.
    Complexity,
    /// 1 sends next to nothing during silence.
    Dtx,
    /// 1 repeats the frame before within SILK frames.
    InbandFec,
    /// Expected loss in percent.
    Loss,
    /// Deep redundancy in units of 10 ms.
    Dred,
    /// What kind of sound it is.
    Signal,
    /// The highest frequencies that are kept.
    MaxBandwidth,
}

impl Setting {
    fn request(self) -> c_int {
        match self {
            Self::Bitrate => sys::OPUS_SET_BITRATE_REQUEST,
            Self::Vbr => sys::OPUS_SET_VBR_REQUEST,
            Self::ConstrainedVbr => sys::OPUS_SET_VBR_CONSTRAINT_REQUEST,
            Self::Complexity => sys::OPUS_SET_COMPLEXITY_REQUEST,
            Self::Dtx => sys::OPUS_SET_DTX_REQUEST,
            Self::InbandFec => sys::OPUS_SET_INBAND_FEC_REQUEST,
            Self::Loss => sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST,
            Self::Dred => sys::OPUS_SET_DRED_DURATION_REQUEST,
            Self::Signal => sys::OPUS_SET_SIGNAL_REQUEST,
            Self::MaxBandwidth => sys::OPUS_SET_MAX_BANDWIDTH_REQUEST,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bitrate => "set bitrate",
            Self::Vbr | Self::ConstrainedVbr => "set variable bitrate",
            Self::Complexity => "set complexity",
            Self::Dtx => "set silence suppression",
            Self::InbandFec => "set in-band FEC",
            Self::Loss => "set expected loss",
            Self::Dred => "set DRED",
            Self::Signal => "set kind of sound",
            Self::MaxBandwidth => "set bandwidth",
        }
    }
}

/// The value of [`Setting::Signal`] for voices.
pub(super) const VOICE: c_int = sys::OPUS_SIGNAL_VOICE;

/// The values of [`Setting::MaxBandwidth`]: up to 8 kHz, and all that people hear.
pub(super) const WIDEBAND: c_int = sys::OPUS_BANDWIDTH_WIDEBAND;
pub(super) const FULLBAND: c_int = sys::OPUS_BANDWIDTH_FULLBAND;

/// A mono encoder for all kinds of sound.
#[derive(Debug)]
pub(super) struct RawEncoder {
    state: NonNull<sys::OpusEncoder>,
}

// SAFETY: libopus keeps all state of an encoder behind this pointer, has no tie to threads, and the pointer is only used
// through `&mut self`.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    pub(super) fn open(sample_rate: u32) -> Result<Self, CodecError> {
        let mut code: c_int = 0;
        // Not the telephony mode: its high-pass filter and formant emphasis change a voice that is already clean.
        let mode = sys::OPUS_APPLICATION_AUDIO;
        // SAFETY: `code` outlives the call; libopus checks rate, channels and mode.
        let state = unsafe { sys::opus_encoder_create(sample_rate as i32, 1, mode, &raw mut code) };
        NonNull::new(state).map(|state| Self { state }).ok_or_else(|| failed("open", code))
    }

    pub(super) fn set(&mut self, setting: Setting, value: c_int) -> Result<(), CodecError> {
        // SAFETY: the state is open, and each of the requests takes one int.
        let code = unsafe { sys::opus_encoder_ctl(self.state.as_ptr(), setting.request(), value) };
        if code == sys::OPUS_OK { Ok(()) } else { Err(failed(setting.name(), code)) }
    }

    /// Encodes one frame to at most `room` bytes.
    pub(super) fn encode(&mut self, samples: &[f32], room: usize) -> Result<Vec<u8>, CodecError> {
        let mut packet = vec![0_u8; room];
        let wrong = |_| CodecError::FrameLength { found: samples.len(), wanted: 0 };
        let frame = c_int::try_from(samples.len()).map_err(wrong)?;
        let space = i32::try_from(room).map_err(wrong)?;
        // SAFETY: the state is open; `samples` has `frame` samples of one channel, `packet` room for `space` bytes.
        let length =
            unsafe { sys::opus_encode_float(self.state.as_ptr(), samples.as_ptr(), frame, packet.as_mut_ptr(), space) };
        packet.truncate(usize::try_from(length).map_err(|_| failed("encode", length))?);
        Ok(packet)
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: the state came from `opus_encoder_create` and nobody uses it afterwards.
        unsafe { sys::opus_encoder_destroy(self.state.as_ptr()) };
    }
}

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
    pub(super) fn decode(&mut self, packet: Option<&[u8]>, fec: bool, room: usize) -> Result<Vec<f32>, CodecError> {
        let mut samples = vec![0.0_f32; room];
        let (data, length) = packet.map_or((ptr::null(), 0), |packet| (packet.as_ptr(), packet.len()));
        let too_long = |_| CodecError::Bitstream;
        let (length, frame) = (i32::try_from(length).map_err(too_long)?, c_int::try_from(room).map_err(too_long)?);
        let fec = c_int::from(fec);
        // SAFETY: the state is open; `data` is null with length 0 (a lost packet) or `length` readable bytes; `samples`
        // has room for `frame` samples of one channel, and libopus writes no more.
        let count =
            unsafe { sys::opus_decode_float(self.state.as_ptr(), data, length, samples.as_mut_ptr(), frame, fec) };
        samples.truncate(usize::try_from(count).map_err(|_| CodecError::Bitstream)?);
        Ok(samples)
    }

    /// Makes sound of what `dred` tells of the `room` samples that begin `before` samples before its packet.
    pub(super) fn recover(&mut self, dred: &RawDred, before: usize, room: usize) -> Result<Vec<f32>, CodecError> {
        let mut samples = vec![0.0_f32; room];
        let too_long = |_| CodecError::Bitstream;
        let (before, frame) = (i32::try_from(before).map_err(too_long)?, i32::try_from(room).map_err(too_long)?);
        // SAFETY: both states are open, `dred` was filled by `RawDred::process` (the only caller sees to that);
        // `samples` has room for `frame` samples, and libopus writes no more.
        let count = unsafe {
            sys::opus_decoder_dred_decode_float(
                self.state.as_ptr(),
                dred.content.as_ptr(),
                before,
                samples.as_mut_ptr(),
                frame,
            )
        };
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

/// The deep redundancy of one packet, and what reads it.
#[derive(Debug)]
pub(super) struct RawDred {
    reader: NonNull<sys::OpusDREDDecoder>,
    content: NonNull<sys::OpusDRED>,
}

// SAFETY: as for the decoder.
unsafe impl Send for RawDred {}

impl RawDred {
    /// Nothing is in it yet: it must not be given to [`RawDecoder::recover`] before a [`RawDred::process`].
    pub(super) fn open() -> Result<Self, CodecError> {
        let mut code: c_int = 0;
        // SAFETY: `code` outlives the calls.
        let reader = unsafe { sys::opus_dred_decoder_create(&raw mut code) };
        let reader = NonNull::new(reader).ok_or_else(|| failed("open DRED", code))?;
        // SAFETY: as above.
        let content = unsafe { sys::opus_dred_alloc(&raw mut code) };
        let Some(content) = NonNull::new(content) else {
            // SAFETY: it was created above and nobody else has it.
            unsafe { sys::opus_dred_decoder_destroy(reader.as_ptr()) };
            return Err(failed("open DRED", code));
        };
        Ok(Self { reader, content })
    }

    /// Reads what a packet tells of the `most` samples before it; returns how many samples before the packet that
    /// begins, 0 where it tells nothing. [`RawDred::process`] does the expensive part.
    pub(super) fn parse(&mut self, packet: &[u8], most: usize, sample_rate: u32) -> usize {
        let (Ok(length), Ok(most)) = (i32::try_from(packet.len()), i32::try_from(most)) else { return 0 };
        let mut end: c_int = 0;
        // SAFETY: both states are open; `packet` has `length` readable bytes; `end` outlives the call.
        let found = unsafe {
            sys::opus_dred_parse(
                self.reader.as_ptr(),
                self.content.as_ptr(),
                packet.as_ptr(),
                length,
                most,
                sample_rate as i32,
                &raw mut end,
                1,
            )
        };
        usize::try_from(found).unwrap_or(0)
    }

    /// Completes what [`RawDred::parse`] found.
    pub(super) fn process(&mut self) -> Result<(), CodecError> {
        let content = self.content.as_ptr();
        // SAFETY: both states are open; libopus allows the same state as source and target, and refuses one in which
        // nothing was found.
        let code = unsafe { sys::opus_dred_process(self.reader.as_ptr(), content, content) };
        if code == sys::OPUS_OK { Ok(()) } else { Err(failed("process DRED", code)) }
    }
}

impl Drop for RawDred {
    fn drop(&mut self) {
        // SAFETY: both came from their constructors and nobody uses them afterwards.
        unsafe {
            sys::opus_dred_free(self.content.as_ptr());
            sys::opus_dred_decoder_destroy(self.reader.as_ptr());
        }
    }
}

/// The packet without padding and without what extends it, as deep redundancy; `None` for bytes that are no packet.
pub(super) fn strip(packet: &[u8]) -> Option<Vec<u8>> {
    let mut stripped = packet.to_vec();
    let length = i32::try_from(packet.len()).ok()?;
    // SAFETY: `stripped` has `length` bytes, which libopus changes in place and at most shortens.
    let length = unsafe { sys::opus_packet_unpad(stripped.as_mut_ptr(), length) };
    stripped.truncate(usize::try_from(length).ok().filter(|length| *length > 0)?);
    Some(stripped)
}

fn failed(action: &'static str, code: c_int) -> CodecError {
    CodecError::Codec { codec: "libopus", action, code }
}
