//! What a client is started with.

use std::{fmt, sync::Arc, time::Duration};

use conclave_capture::{CameraChoice, MicrophoneChoice, SpeakerChoice};
use conclave_identity::{Holder, Invitation};
use conclave_model::{Bitrate, Level, MediaTime, Person, Picture, TrackKind};

use crate::{Impairment, media::VoiceMode};

/// Everything that [`Client::start`](crate::Client::start) needs to know.
#[derive(Clone)]
pub struct Config {
    /// The unlocked credential.
    pub holder: Holder,
    /// The verified invitation.
    pub invitation: Invitation,
    /// Which camera, if any.
    pub camera: CameraChoice,
    /// Which microphone, if any.
    pub microphone: MicrophoneChoice,
    /// Where the others are heard.
    pub speaker: SpeakerChoice,
    /// Whether to enter with the microphone open.
    pub microphone_on: bool,
    /// Whether to enter with the camera open.
    pub camera_on: bool,
    /// How the own voice is prepared.
    pub voice: VoiceMode,
    /// Whether the own voice is sent at a constant bitrate, so that the size of packets tells nothing about it; for
    /// meetings whose policy asks for that.
    pub constant_bitrate: bool,
    /// The lowest level of the meeting, as it is at the moment, at which the voice is sent at a constant bitrate as well.
    pub constant_from: Option<Level>,
    /// The size of the picture that is sent.
    pub video: VideoQuality,
    /// Whose pictures are wanted.
    pub watch: Watch,
    /// The highest level that this installation may be used for.
    pub ceiling: Level,
    /// Whether an older connection of the same credential ends without a question.
    pub take_over: bool,
    /// Development only: sees everything that was decoded, for tests that compare it with its source. The product
    /// leaves it empty and records nothing.
    pub decode_to: Option<Arc<dyn DecodedSink>>,
    /// Development only: a bad network in user space, applied to all datagrams of this client.
    #[doc(hidden)]
    pub impair: Option<Impairment>,
}

impl Config {
    /// The default devices, both open, 720p, all cameras wanted at 360p.
    pub fn new(holder: Holder, invitation: Invitation) -> Self {
        Self {
            holder,
            invitation,
            camera: CameraChoice::Default,
            microphone: MicrophoneChoice::Default,
            speaker: SpeakerChoice::Default,
            microphone_on: true,
            camera_on: true,
            voice: VoiceMode::default(),
            constant_bitrate: false,
            constant_from: None,
            video: VideoQuality::default(),
            watch: Watch::default(),
            ceiling: Level::TopSecret,
            take_over: false,
            decode_to: None,
            impair: None,
        }
    }
}

/// Names the meeting, no secret.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("meeting", &self.invitation.content().meeting)
            .field("video", &self.video)
            .field("watch", &self.watch)
            .finish_non_exhaustive()
    }
}

/// The picture that is sent at best; bandwidth may ask for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoQuality {
    /// Height in pixels; the width follows at 16:9.
    pub height: u16,
    /// Frames per second.
    pub frames_per_second: u8,
    /// The most that the encoder may use.
    pub max_bitrate: Bitrate,
}

impl VideoQuality {
    /// Width in pixels at 16:9, even.
    pub fn width(self) -> u32 {
        (u32::from(self.height) * 16 / 9).next_multiple_of(2)
    }

    /// How long one picture is shown.
    pub fn interval(self) -> Duration {
        Duration::from_secs(1) / u32::from(self.frames_per_second.max(1))
    }
}

/// 1280×720 at 30 frames per second, up to 1.5 Mbit/s.
impl Default for VideoQuality {
    fn default() -> Self {
        Self { height: 720, frames_per_second: 30, max_bitrate: Bitrate::kbps(1500) }
    }
}

/// Whose pictures a client asks its relay for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Every camera, at this height in pixels.
    All {
        /// In pixels.
        height: u16,
    },
    /// Only what [`Command::Watch`](crate::Command::Watch) names; nothing before the first.
    Named,
}

impl Default for Watch {
    fn default() -> Self {
        Self::All { height: 360 }
    }
}

/// Sees what a client decoded. Called on decoder and mixer threads, so it must be quick.
pub trait DecodedSink: Send + Sync {
    /// A picture was decoded; `number` is its frame number on the wire.
    fn picture(&self, from: &Person, track: TrackKind, number: u32, picture: &Arc<Picture>);

    /// Sound of one participant went to the mixer: mono at 48 kHz. `time` is when its first sample was captured at the
    /// sender, or, for what was `concealed`, would have been.
    fn sound(&self, from: &Person, time: MediaTime, concealed: bool, samples: &[f32]);
}
