//! From the camera to encoded frames, and from received frames to the picture slots and the loudspeaker.
//!
//! ```text
//! camera ──▶ CameraInput ──▶ [scaler thread] ──▶ [encoder thread of each layer: AV1] ──▶ CameraOutput
//! microphone ──▶ MicrophoneInput ──▶ [voice thread: mute gate, echo and noise, Opus, copies] ──▶ MicrophoneOutput
//! screen ──▶ ScreenInput ──▶ [encoder thread: AV1, the same picture until it is sharp] ──▶ ScreenOutput
//! RemoteFrame (picture) ──▶ VideoReceiver ──▶ [decoder thread: AV1] ──▶ FrameSlot
//! RemoteFrame (sound) ──▶ SoundReceiver ──▶ [loudspeaker's thread: jitter buffers, Opus, mixer] ──▶ SpeakerStream
//! ```
//!
//! What callers touch never waits: inputs are one-slot mailboxes or bounded queues, outputs are called on the thread
//! named above. Dropping a part stops and joins its thread.

pub mod camera;
pub mod freeze;
mod inbox;
pub mod limiter;
pub mod lips;
pub mod microphone;
mod mixer;
pub mod pacing;
pub mod processing;
mod queue;
pub mod redundancy;
pub mod screen;
pub mod sound;
pub mod source;
pub mod stages;
mod stretch;
pub mod video;
pub mod voice;

pub(crate) use camera::fitted;
pub use camera::{CameraCounters, CameraInput, CameraOutput, CameraPipeline};
pub use freeze::FreezeMeter;
pub use limiter::Limiter;
pub use lips::{Hold, no_hold};
pub use microphone::{MicrophoneCounters, MicrophoneInput, MicrophoneOutput, MicrophonePipeline};
pub use pacing::FrameControl;
pub use processing::{Reference, VoiceMode, VoiceProcessor};
pub use queue::{DecodeQueue, Work};
pub use redundancy::{Redundancy, RedundancyControl, redundancy};
pub use screen::{ScreenCounters, ScreenInput, ScreenOutput, ScreenPipeline};
pub use sound::{SoundEvent, SoundReceiver, SoundStatistics};
pub use source::{SoundSource, SourceFrame};
pub use stages::{FrameTimes, Stages};
pub use video::{VideoEvent, VideoReceiver, VideoStatistics};
pub use voice::VoiceEncoder;

use std::thread::JoinHandle;

/// Why a part of the media path could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The codec could not be opened.
    #[error(transparent)]
    Codec(#[from] conclave_codec::CodecError),
    /// The system gives no more threads.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Starts a thread with a name, which debuggers and `top -H` show (Linux cuts it to 15 bytes).
fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, MediaError> {
    Ok(std::thread::Builder::new().name(name.to_owned()).spawn(body)?)
}
