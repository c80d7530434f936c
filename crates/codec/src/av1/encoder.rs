//! The AV1 encoder.

use conclave_model::{Bitrate, EncodedFrame, Layer, MediaTime, Picture, picture::MAX_SIDE};

use super::{
    aom::{Aom, AomError, AomSettings},
    layering::{MAX_TEMPORAL, Pattern},
};
use crate::{CodecError, VideoEncoder};

/// What to encode and how. A change of anything but the bitrate means a new encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoSettings {
    /// In pixels, 16 to 4096.
    pub width: u32,
    /// In pixels, 16 to 4096.
    pub height: u32,
    /// Pictures per second that are to be expected, 1 to 120; the rate control follows the pictures' own times.
    pub frames_per_second: u32,
    /// The target, which holds on average over about a second.
    pub bitrate: Bitrate,
    /// Threads to encode with, 1 to 16. One suffices up to 640×360.
    pub threads: u32,
    /// What the pictures show.
    pub content: Content,
}

/// What pictures show: it decides which tools of the encoder pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Content {
    /// People and rooms.
    #[default]
    Camera,
    /// Text, windows and slides: few colours, sharp edges, and much that stands still or moves as a whole.
    Screen,
}

/// libaom in realtime mode: constant bitrate, no lag, key frames on request and at the start only.
pub struct Av1Encoder {
    aom: Aom,
    settings: VideoSettings,
    pattern: Pattern,
    /// Where the next frame stands on the encoder's own time line, in ticks.
    pts: i64,
    last: Option<MediaTime>,
}

impl Av1Encoder {
    /// Opens an encoder.
    ///
    /// # Errors
    /// [`CodecError::Setting`] for a setting out of bounds, [`CodecError::Codec`] where libaom refuses.
    pub fn new(settings: VideoSettings) -> Result<Self, CodecError> {
        let temporal = match settings.content {
            Content::Camera => CAMERA_LAYERS,
            Content::Screen => SCREEN_LAYERS,
        };
        Self::layered(settings, temporal)
    }

    /// Opens an encoder with so many temporal layers, 1 to 3, rather than as many as measured best.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn layered(settings: VideoSettings, temporal: u32) -> Result<Self, CodecError> {
        check("number of temporal layers", temporal, 1..=MAX_TEMPORAL, "1 to 3")?;
        check("width", settings.width, 16..=MAX_SIDE, "16 to 4096 pixels")?;
        check("height", settings.height, 16..=MAX_SIDE, "16 to 4096 pixels")?;
        check("frame rate", settings.frames_per_second, 1..=120, "1 to 120 frames per second")?;
        check("number of threads", settings.threads, 1..=16, "1 to 16")?;
        let aom = Aom::open(&AomSettings {
            width: settings.width,
            height: settings.height,
            kbps: kbps(settings.bitrate),
            threads: settings.threads,
            tile_columns_log2: settings.threads.ilog2().min(settings.width.div_ceil(MIN_TILE_WIDTH).ilog2()),
            ticks_per_second: TICKS_PER_SECOND,
            speed: SPEED,
            temporal,
            screen: settings.content == Content::Screen,
        })?;
        Ok(Self { aom, settings, pattern: Pattern::new(temporal), pts: 0, last: None })
    }

    /// What it was opened with, and the bitrate as it is now.
    pub fn settings(&self) -> VideoSettings {
        self.settings
    }

    /// Changes how many pictures per second are to be expected, 1 to 120, from the next one on.
    ///
    /// # Errors
    /// [`CodecError::Setting`] for a setting out of bounds.
    pub fn set_frames_per_second(&mut self, rate: u32) -> Result<(), CodecError> {
        check("frame rate", rate, 1..=120, "1 to 120 frames per second")?;
        self.settings.frames_per_second = rate;
        Ok(())
    }

    /// Ticks from the last picture to one captured at `time`: what really passed, within bounds that keep one late or
    /// early picture from unsettling the rate control. A screen may stand still for long, and its large frames need it.
    fn step(&self, time: MediaTime) -> i64 {
        let usual = i64::from(self.usual_step());
        let longest = match self.settings.content {
            Content::Camera => usual * 4,
            Content::Screen => i64::from(TICKS_PER_SECOND * LONGEST_STILL),
        };
        let Some(last) = self.last else { return usual };
        let micros = i64::try_from(time.0.saturating_sub(last.0)).unwrap_or(i64::MAX / 100_000);
        (micros.saturating_mul(i64::from(TICKS_PER_SECOND)) / 1_000_000).clamp(usual / 2, longest).max(1)
    }

    fn usual_step(&self) -> u32 {
        TICKS_PER_SECOND / self.settings.frames_per_second
    }
}

impl VideoEncoder for Av1Encoder {
    fn encode(&mut self, picture: &Picture, force_key: bool) -> Result<Option<EncodedFrame>, CodecError> {
        let found = (picture.width(), picture.height());
        let wanted = (self.settings.width, self.settings.height);
        if found != wanted {
            return Err(CodecError::PictureSize { found, wanted });
        }
        self.pts += self.step(picture.time);
        self.last = Some(picture.time);
        let place = self.pattern.next(force_key);
        let Some(packet) = self.aom.encode(picture, place, self.pts, self.usual_step(), force_key)? else {
            return Ok(None);
        };
        let back = self.pattern.made(place, packet.key);
        Ok(Some(EncodedFrame {
            time: picture.time,
            encode_delay: std::time::Duration::ZERO,
            key: packet.key,
            layer: Layer::default(),
            discardable: place.updates.is_none() && !packet.key,
            back,
            data: packet.bytes.into(),
        }))
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        if kbps(bitrate) != kbps(self.settings.bitrate) {
            self.aom.set_kbps(kbps(bitrate))?;
        }
        self.settings.bitrate = bitrate;
        Ok(())
    }

    fn name(&self) -> &'static str {
        "libaom AV1"
    }
}

impl std::fmt::Debug for Av1Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Av1Encoder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl From<AomError> for CodecError {
    fn from(error: AomError) -> Self {
        Self::Codec { codec: "libaom", action: error.action, code: error.code }
    }
}

fn check(
    what: &'static str,
    value: u32,
    range: std::ops::RangeInclusive<u32>,
    allowed: &'static str,
) -> Result<(), CodecError> {
    if range.contains(&value) { Ok(()) } else { Err(CodecError::Setting { what, found: value.into(), allowed }) }
}

/// libaom's unit, within what it accepts.
fn kbps(bitrate: Bitrate) -> u32 {
    u32::try_from(bitrate.as_bps() / 1000).unwrap_or(u32::MAX).clamp(MIN_KBPS, MAX_KBPS)
}

/// Temporal layers of a camera's pictures: the chain that has to arrive is a quarter of the frames and two fifths of the
/// bits. Measured within 0.3 dB of one layer, above it at low bitrates.
const CAMERA_LAYERS: u32 = 3;

/// Those of a screen's: of few pictures each is to be sharper than the one before, so each has to build on it.
const SCREEN_LAYERS: u32 = 1;

/// The clock of RTP video (RFC 3551), fine enough for any frame rate.
const TICKS_PER_SECOND: u32 = 90_000;

/// In seconds; longer ones count as this long.
const LONGEST_STILL: u32 = 5;

/// The fastest speed that still gains: 11 was measured to be no faster.
const SPEED: u32 = 10;

/// Narrower tiles cost more than a thread gains.
const MIN_TILE_WIDTH: u32 = 256;

/// Below this the smallest frames no longer fit.
const MIN_KBPS: u32 = 20;

/// More than any picture here needs.
const MAX_KBPS: u32 = 100_000;
