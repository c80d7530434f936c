//! Opus: mono at 48 kHz.

mod ffi;

use std::time::Duration;

use bytes::Bytes;
use conclave_model::Bitrate;
use opus::{Application, Channels, Signal};

use crate::{AudioDecoder, AudioEncoder, CodecError, SAMPLE_RATE};
use ffi::RawDecoder;

/// How to encode sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSettings {
    /// The average; 6 to 256 kbit/s. Silence takes less, difficult sounds more.
    pub bitrate: Bitrate,
    /// How much sound a packet holds: 2.5, 5, 10, 20, 40 or 60 ms.
    pub frame: Duration,
    /// Whether to send next to nothing during silence. It tells an eavesdropper who speaks.
    pub dtx: bool,
    /// From 0 (fast) to 10 (good).
    pub complexity: u8,
}

/// 20 ms frames, 40 kbit/s, silence is sent like anything else.
impl Default for AudioSettings {
    fn default() -> Self {
        Self { bitrate: Bitrate::kbps(40), frame: Duration::from_millis(20), dtx: false, complexity: 9 }
    }
}

/// libopus, encoding.
#[derive(Debug)]
pub struct OpusEncoder {
    encoder: opus::Encoder,
    frame_samples: usize,
    dtx: bool,
}

/// libopus, decoding, with a neural network that makes up what was lost.
#[derive(Debug)]
pub struct OpusDecoder {
    decoder: RawDecoder,
}

impl OpusEncoder {
    /// Opens an encoder.
    ///
    /// # Errors
    /// [`CodecError::Setting`] for a setting out of bounds, [`CodecError::Codec`] where libopus refuses.
    pub fn new(settings: AudioSettings) -> Result<Self, CodecError> {
        if !FRAMES_US.contains(&settings.frame.as_micros()) {
            let found = u64::try_from(settings.frame.as_micros()).unwrap_or(u64::MAX);
            let allowed = "2500, 5000, 10000, 20000, 40000 and 60000 microseconds";
            return Err(CodecError::Setting { what: "frame", found, allowed });
        }
        if settings.complexity > 10 {
            let found = settings.complexity.into();
            return Err(CodecError::Setting { what: "complexity", found, allowed: "0 to 10" });
        }
        let rate = bits(settings.bitrate)?;
        let open = |error| refused("open", error);
        // Not the telephony mode: its high-pass filter and formant emphasis change a voice that is already clean.
        let mut encoder = opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Audio).map_err(open)?;
        encoder.set_bitrate(rate).map_err(open)?;
        encoder.set_vbr(true).map_err(open)?;
        encoder.set_vbr_constraint(true).map_err(open)?;
        encoder.set_signal(Signal::Voice).map_err(open)?;
        encoder.set_complexity(i32::from(settings.complexity)).map_err(open)?;
        encoder.set_dtx(settings.dtx).map_err(open)?;
        encoder.set_inband_fec(false).map_err(open)?;
        let frame_samples = samples(settings.frame);
        Ok(Self { encoder, frame_samples, dtx: settings.dtx })
    }
}

impl AudioEncoder for OpusEncoder {
    fn encode(&mut self, samples: &[f32]) -> Result<Option<Bytes>, CodecError> {
        if samples.len() != self.frame_samples {
            return Err(CodecError::FrameLength { found: samples.len(), wanted: self.frame_samples });
        }
        let packet = self.encoder.encode_vec_float(samples, MAX_PACKET).map_err(|error| refused("encode", error))?;
        // RFC 6716 and libopus: a packet of up to two bytes need not be sent.
        Ok((!self.dtx || packet.len() > 2).then(|| packet.into()))
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        self.encoder.set_bitrate(bits(bitrate)?).map_err(|error| refused("set bitrate", error))
    }
}

impl OpusDecoder {
    /// Opens a decoder.
    ///
    /// # Errors
    /// [`CodecError::Codec`] where libopus refuses.
    pub fn new() -> Result<Self, CodecError> {
        Ok(Self { decoder: RawDecoder::open(SAMPLE_RATE, DEEP_CONCEALMENT)? })
    }
}

impl AudioDecoder for OpusDecoder {
    fn decode(&mut self, packet: &[u8]) -> Result<Vec<f32>, CodecError> {
        if packet.is_empty() || packet.len() > MAX_PACKET {
            return Err(CodecError::Bitstream);
        }
        self.decoder.decode(Some(packet), MAX_SAMPLES)
    }

    fn conceal(&mut self, samples: usize) -> Result<Vec<f32>, CodecError> {
        if samples == 0 || samples > MAX_SAMPLES || !samples.is_multiple_of(SHORTEST) {
            return Err(CodecError::FrameLength { found: samples, wanted: SHORTEST });
        }
        self.decoder.decode(None, samples)
    }
}

fn bits(bitrate: Bitrate) -> Result<opus::Bitrate, CodecError> {
    let bps = bitrate.as_bps();
    match i32::try_from(bps) {
        Ok(bits) if (6_000..=256_000).contains(&bits) => Ok(opus::Bitrate::Bits(bits)),
        Ok(_) | Err(_) => {
            Err(CodecError::Setting { what: "bitrate", found: bps, allowed: "6000 to 256000 bits per second" })
        }
    }
}

fn samples(duration: Duration) -> usize {
    usize::try_from(duration.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000).unwrap_or(0)
}

fn refused(action: &'static str, error: opus::Error) -> CodecError {
    CodecError::Codec { codec: "libopus", action, code: error.code() as i32 }
}

/// The frames that Opus has (RFC 6716 section 2.1.4), in microseconds.
const FRAMES_US: [u128; 6] = [2_500, 5_000, 10_000, 20_000, 40_000, 60_000];

/// The longest packet of one frame that libopus makes (RFC 6716 section 3.2.1: 1275 bytes and a few of framing).
const MAX_PACKET: usize = 1500;

/// What a packet holds at most: 120 ms (RFC 6716 section 3.2.5).
const MAX_SAMPLES: usize = 5760;

/// The unit of concealment: 2.5 ms.
const SHORTEST: usize = 120;

/// The decoder complexity from which on libopus 1.6 conceals with its network; what is higher only adds to what SILK
/// alone decodes, which our encoder does not send at its bitrates.
const DEEP_CONCEALMENT: i32 = 5;

#[cfg(test)]
mod tests;
