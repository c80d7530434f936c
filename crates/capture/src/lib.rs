//! Camera, microphone, loudspeaker and screen: real devices, files and test sources behind one door each.
//!
//! [`CameraStream`], [`MicrophoneStream`], [`SpeakerStream`] and [`ScreenStream`] open what a [`CameraChoice`],
//! [`MicrophoneChoice`], [`SpeakerChoice`] or [`ScreenChoice`] names and run on threads of their own until dropped. Pictures leave as I420 in limited BT.709,
//! sound crosses as mono at 48 kHz, whatever the device speaks. A device that goes away is told once, in words, by a
//! `Lost` event; nothing here retries by itself.
//!
//! Device callbacks only copy between the device's buffer and a lock-free ring; everything that takes time happens on
//! the stream's own thread.

pub mod camera;
pub mod choice;
pub mod devices;
pub mod error;
pub mod level;
pub mod marker;
pub mod microphone;
pub mod portrait;
pub mod screen;
mod sound;
pub mod speaker;
pub mod tone;
pub mod voice;
mod worker;

use std::sync::Arc;

use conclave_model::MediaTime;

pub use camera::{CameraEvent, CameraStream, CameraWish, OpenedCamera};
pub use choice::{CameraChoice, MicrophoneChoice, SpeakerChoice, TestPerson, Turns, UnknownChoice};
pub use devices::{Device, DeviceKind, Devices, devices};
pub use error::CaptureError;
pub use level::Level;
pub use marker::{Marker, read_marker};
pub use microphone::{MicrophoneEvent, MicrophoneStream};
pub use screen::{
    OpenedScreen, ScreenChoice, ScreenError, ScreenEvent, ScreenKind, ScreenPause, ScreenSource, ScreenStream,
    ScreenWish, Screens, TestPage, list_screens,
};
pub use sound::OpenedSound;
pub use speaker::{NullSpeaker, SpeakerStream};
pub use tone::Tone;

/// Samples per second of all sound that crosses this crate's boundary.
pub const SAMPLE_RATE: u32 = 48_000;

/// Samples of 20 ms, which is what a packet of sound holds on most lines.
pub const FRAME_SAMPLES: usize = 960;

/// Samples of one [`MicrophoneEvent::Samples`], and of what a speaker's source is asked for at once: 10 ms.
pub const PIECE_SAMPLES: usize = 480;

/// The sender's clock, read when a picture or a sample is captured; streams of one client share it.
pub type Clock = Arc<dyn Fn() -> MediaTime + Send + Sync>;
