//! Opus: mono at 48 kHz.

mod ffi;

use std::time::Duration;

use bytes::Bytes;
use conclave_model::Bitrate;

use crate::{AudioDecoder, AudioEncoder, CodecError, SAMPLE_RATE};
use ffi::{RawDecoder, RawDred, RawEncoder, Setting, VOICE};

/// How to encode sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSettings {
    /// The average, deep redundancy included; 6 to 256 kbit/s. Silence takes less, difficult sounds more.
    pub bitrate: Bitrate,
    /// How much sound a packet holds: 2.5, 5, 10, 20, 40 or 60 ms.
    pub frame: Duration,
    /// Whether to send next to nothing during silence. It tells an eavesdropper who speaks.
    pub dtx: bool,
    /// Whether every packet has the same size, so that sizes tell nothing about what is said. Silence is then sent like
    /// anything else, whatever `dtx` says.
    pub constant: bool,
    /// From 0 (fast) to 10 (good).
    pub complexity: u8,
}

/// 20 ms frames, 40 kbit/s, silence is sent like anything else.
impl Default for AudioSettings {
    fn default() -> Self {
        Self {
            bitrate: Bitrate::kbps(40),
            frame: Duration::from_millis(20),
            dtx: false,
            constant: false,
            complexity: 9,
        }
    }
}

/// What an encoder adds for decoders that miss packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// How much of the past each packet describes by deep redundancy (DRED): 0 for none, at most
    /// [`Protection::MAX_DRED`]. It takes bits from the sound itself.
    pub dred: Duration,
    /// Share of packets that are expected to be lost, in percent. Deep redundancy gets no bits at 0.
    pub loss: u8,
    /// Whether frequencies above 8 kHz are left out, which leaves more bits for those that make speech understood.
    pub wideband: bool,
    /// Whether packets repeat the frame before them in the way of Opus 1.0 (LBRR). Only for comparison: nothing here
    /// decodes it but [`OpusDecoder::decode_inband`], and libopus gives DRED fewer bits beside it.
    pub inband: bool,
}

impl Protection {
    /// The most that deep redundancy reaches back.
    pub const MAX_DRED: Duration = Duration::from_millis(1040);
}

/// libopus, encoding.
#[derive(Debug)]
pub struct OpusEncoder {
    encoder: RawEncoder,
    frame_samples: usize,
    dtx: bool,
}

/// libopus, decoding, with neural networks that make up what was lost, or restore it from what later packets tell.
#[derive(Debug)]
pub struct OpusDecoder {
    decoder: RawDecoder,
    /// Opened when the first loss may be restored.
    dred: Option<Dred>,
}

/// The deep redundancy of the packet that was looked at last.
#[derive(Debug)]
struct Dred {
    raw: RawDred,
    packet: Vec<u8>,
    /// How many samples before the packet it begins.
    begins: usize,
    processed: bool,
}

impl OpusEncoder {
    /// Opens an encoder without protection.
    ///
    /// # Errors
    /// [`CodecError::Setting`] for a setting out of bounds, [`CodecError::Codec`] where libopus refuses.
    pub fn new(settings: AudioSettings) -> Result<Self, CodecError> {
        if !FRAMES_US.contains(&settings.frame.as_micros()) {
            let found = u64::try_from(settings.frame.as_micros()).unwrap_or(u64::MAX);
            return Err(CodecError::Setting { what: "frame", found, allowed: FRAMES });
        }
        if settings.complexity > 10 {
            let found = settings.complexity.into();
            return Err(CodecError::Setting { what: "complexity", found, allowed: "0 to 10" });
        }
        let rate = bits(settings.bitrate)?;
        let dtx = settings.dtx && !settings.constant;
        let mut encoder = RawEncoder::open(SAMPLE_RATE)?;
        for (setting, value) in [
            (Setting::Bitrate, rate),
            (Setting::Vbr, i32::from(!settings.constant)),
            (Setting::ConstrainedVbr, 1),
            (Setting::Signal, VOICE),
            (Setting::Complexity, i32::from(settings.complexity)),
            (Setting::Dtx, i32::from(dtx)),
            (Setting::InbandFec, 0),
        ] {
            encoder.set(setting, value)?;
        }
        Ok(Self { encoder, frame_samples: samples(settings.frame), dtx })
    }

    /// Changes how much sound a packet holds, from the next frame on: 2.5, 5, 10, 20, 40 or 60 ms.
    ///
    /// # Errors
    /// [`CodecError::Setting`] for any other; the length is then as before.
    pub fn set_frame(&mut self, frame: Duration) -> Result<(), CodecError> {
        if !FRAMES_US.contains(&frame.as_micros()) {
            let found = u64::try_from(frame.as_micros()).unwrap_or(u64::MAX);
            return Err(CodecError::Setting { what: "frame", found, allowed: FRAMES });
        }
        self.frame_samples = samples(frame);
        Ok(())
    }

    /// Changes whether every packet has the same size, from the next frame on; see [`AudioSettings::constant`].
    ///
    /// # Errors
    /// [`CodecError::Codec`] where libopus refuses.
    pub fn set_constant(&mut self, constant: bool) -> Result<(), CodecError> {
        self.encoder.set(Setting::Vbr, i32::from(!constant))?;
        if constant {
            self.encoder.set(Setting::Dtx, 0)?;
            self.dtx = false;
        }
        Ok(())
    }

    /// Changes what is added for decoders that miss packets, from the next frame on.
    ///
    /// # Errors
    /// [`CodecError::Setting`] for more than [`Protection::MAX_DRED`] or a loss above 100, [`CodecError::Codec`] where
    /// libopus refuses.
    pub fn protect(&mut self, protection: Protection) -> Result<(), CodecError> {
        let dred = protection.dred.as_millis() / 10;
        let Some(dred) = i32::try_from(dred).ok().filter(|_| protection.dred <= Protection::MAX_DRED) else {
            let found = u64::try_from(protection.dred.as_millis()).unwrap_or(u64::MAX);
            return Err(CodecError::Setting { what: "DRED", found, allowed: "0 to 1040 milliseconds" });
        };
        if protection.loss > 100 {
            let found = protection.loss.into();
            return Err(CodecError::Setting { what: "expected loss", found, allowed: "0 to 100 percent" });
        }
        self.encoder.set(Setting::MaxBandwidth, if protection.wideband { ffi::WIDEBAND } else { ffi::FULLBAND })?;
        self.encoder.set(Setting::InbandFec, i32::from(protection.inband))?;
        self.encoder.set(Setting::Loss, i32::from(protection.loss))?;
        self.encoder.set(Setting::Dred, dred)
    }
}

impl AudioEncoder for OpusEncoder {
    fn encode(&mut self, samples: &[f32]) -> Result<Option<Bytes>, CodecError> {
        if samples.len() != self.frame_samples {
            return Err(CodecError::FrameLength { found: samples.len(), wanted: self.frame_samples });
        }
        let packet = self.encoder.encode(samples, MAX_PACKET)?;
        // RFC 6716 and libopus: a packet of up to two bytes need not be sent.
        Ok((!self.dtx || packet.len() > 2).then(|| packet.into()))
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        self.encoder.set(Setting::Bitrate, bits(bitrate)?)
    }
}

impl OpusDecoder {
    /// Opens a decoder.
    ///
    /// # Errors
    /// [`CodecError::Codec`] where libopus refuses.
    pub fn new() -> Result<Self, CodecError> {
        Ok(Self { decoder: RawDecoder::open(SAMPLE_RATE, DEEP_CONCEALMENT)?, dred: None })
    }

    /// Restores `samples` samples that began `before` samples before the first of `packet`, a later packet, from its
    /// deep redundancy; the state goes on as after [`AudioDecoder::conceal`].
    ///
    /// Call it in the order of the sound, in the place of the lost packets. `None` where the packet does not tell of
    /// them, or nothing at all; the state is then as before. Any bytes are safe to pass. Reading a packet's redundancy
    /// costs about as much as decoding; it is read once for all losses that it restores.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`] unless `samples` is a multiple of 2.5 ms, up to 120 ms.
    pub fn recover(&mut self, packet: &[u8], before: usize, samples: usize) -> Result<Option<Vec<f32>>, CodecError> {
        check_length(samples)?;
        if packet.is_empty() || packet.len() > MAX_PACKET || before > MAX_DRED_SAMPLES {
            return Ok(None);
        }
        let dred = self.look_at(packet)?;
        if dred.begins < before.max(1) {
            return Ok(None);
        }
        if !dred.processed {
            dred.raw.process()?;
            dred.processed = true;
        }
        let Self { decoder, dred } = self;
        dred.as_ref().map(|dred| decoder.recover(&dred.raw, before, samples)).transpose()
    }

    /// How many samples before its own a packet can restore by deep redundancy; 0 for none. Any bytes are safe to pass.
    ///
    /// Cheap beside [`OpusDecoder::recover`], for which it is the first step.
    pub fn reach(&mut self, packet: &[u8]) -> usize {
        if packet.is_empty() || packet.len() > MAX_PACKET {
            return 0;
        }
        self.look_at(packet).map_or(0, |dred| dred.begins)
    }

    fn look_at(&mut self, packet: &[u8]) -> Result<&mut Dred, CodecError> {
        if self.dred.is_none() {
            self.dred = Some(Dred { raw: RawDred::open()?, packet: Vec::new(), begins: 0, processed: false });
        }
        let Some(dred) = &mut self.dred else { return Err(CodecError::Bitstream) };
        if dred.packet != packet {
            dred.begins = dred.raw.parse(packet, MAX_DRED_SAMPLES, SAMPLE_RATE);
            dred.processed = false;
            dred.packet.clear();
            dred.packet.extend_from_slice(packet);
        }
        Ok(dred)
    }

    /// Restores the frame before `packet` from what [`Protection::inband`] put into it, or makes it up.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`] as in [`AudioDecoder::conceal`], [`CodecError::Bitstream`] for bytes that are no
    /// packet.
    pub fn decode_inband(&mut self, packet: &[u8], samples: usize) -> Result<Vec<f32>, CodecError> {
        check_length(samples)?;
        if packet.is_empty() || packet.len() > MAX_PACKET {
            return Err(CodecError::Bitstream);
        }
        self.decoder.decode(Some(packet), true, samples)
    }
}

impl AudioDecoder for OpusDecoder {
    fn decode(&mut self, packet: &[u8]) -> Result<Vec<f32>, CodecError> {
        if packet.is_empty() || packet.len() > MAX_PACKET {
            return Err(CodecError::Bitstream);
        }
        self.decoder.decode(Some(packet), false, MAX_SAMPLES)
    }

    fn conceal(&mut self, samples: usize) -> Result<Vec<f32>, CodecError> {
        check_length(samples)?;
        self.decoder.decode(None, false, samples)
    }
}

/// The packet without padding and deep redundancy: only the sound of its own frame.
///
/// For copies that travel in other packets, which bring deep redundancy of their own. `None` for bytes that are no
/// packet; any bytes are safe to pass.
pub fn without_redundancy(packet: &[u8]) -> Option<Bytes> {
    if packet.is_empty() || packet.len() > MAX_PACKET {
        return None;
    }
    ffi::strip(packet).map(Bytes::from)
}

/// How long the sound in a packet lasts, by its first bytes (RFC 6716 section 3.1 and 3.2); `None` for bytes that cannot
/// be a packet. Any bytes are safe to pass.
pub fn packet_length(packet: &[u8]) -> Option<Duration> {
    let head = *packet.first()?;
    let frame_us = match head >> 3 {
        config @ 0..=11 => [10_000, 20_000, 40_000, 60_000][usize::from(config % 4)],
        config @ 12..=15 => [10_000, 20_000][usize::from(config % 2)],
        config => [2_500, 5_000, 10_000, 20_000][usize::from(config % 4)],
    };
    let frames = match head & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(*packet.get(1)? & 0x3f),
    };
    (1..=120_000 / frame_us).contains(&frames).then(|| Duration::from_micros(frame_us * frames))
}

fn check_length(samples: usize) -> Result<(), CodecError> {
    if samples == 0 || samples > MAX_SAMPLES || !samples.is_multiple_of(SHORTEST) {
        return Err(CodecError::FrameLength { found: samples, wanted: SHORTEST });
    }
    Ok(())
}

fn bits(bitrate: Bitrate) -> Result<i32, CodecError> {
    let bps = bitrate.as_bps();
    match i32::try_from(bps) {
        Ok(bits) if (6_000..=256_000).contains(&bits) => Ok(bits),
        Ok(_) | Err(_) => {
            Err(CodecError::Setting { what: "bitrate", found: bps, allowed: "6000 to 256000 bits per second" })
        }
    }
}

fn samples(duration: Duration) -> usize {
    usize::try_from(duration.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000).unwrap_or(0)
}

/// The frames that Opus has (RFC 6716 section 2.1.4), in microseconds.
const FRAMES_US: [u128; 6] = [2_500, 5_000, 10_000, 20_000, 40_000, 60_000];

const FRAMES: &str = "2500, 5000, 10000, 20000, 40000 and 60000 microseconds";

/// The longest packet of one frame that libopus makes (RFC 6716 section 3.2.1: 1275 bytes and a few of framing).
const MAX_PACKET: usize = 1500;

/// What a packet holds at most: 120 ms (RFC 6716 section 3.2.5).
const MAX_SAMPLES: usize = 5760;

/// How far deep redundancy reaches back: 1.04 s.
const MAX_DRED_SAMPLES: usize = 49_920;

/// The unit of concealment: 2.5 ms.
const SHORTEST: usize = 120;

/// The decoder complexity from which on libopus 1.6 conceals with its network; what is higher only adds to what SILK
/// alone decodes, which our encoder does not send at its bitrates.
const DEEP_CONCEALMENT: i32 = 5;

#[cfg(test)]
mod tests;
