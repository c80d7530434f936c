//! Pictures from a camera, a file or a test source.
#![allow(clippy::todo)]

mod y4m;

use conclave_model::Picture;

pub use self::y4m::Y4mProblem;
use crate::{CameraChoice, CaptureError, Clock};

/// The picture that would suit best; what is opened is the nearest that the source has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameraWish {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Pictures per second.
    pub frames_per_second: u32,
}

/// What was really opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedCamera {
    /// The device's human name, the file's path or "test picture".
    pub name: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Pictures per second, rounded.
    pub frames_per_second: u32,
    /// What the source delivers before conversion, as "MJPEG" or "Y4M".
    pub format: String,
}

/// What a camera tells, on the stream's own thread.
#[derive(Debug)]
pub enum CameraEvent {
    /// A picture, just taken; its time is when the sensor had it, as near as the source can tell.
    Picture(Picture),
    /// The source went away or froze; told once. No picture follows.
    Lost(CaptureError),
}

/// An open camera; dropping it closes it.
#[derive(Debug)]
pub struct CameraStream {
    opened: OpenedCamera,
}

impl CameraStream {
    /// Opens what `choice` names and gives its pictures to `sink` on a thread of its own.
    ///
    /// Returns when the source is open. The sink must not block for longer than a frame lasts; while it does, a camera's
    /// older pictures are dropped in favour of the newest.
    ///
    /// # Errors
    /// Every [`CaptureError`] that says why a camera, file or test picture could not be opened.
    pub fn open(
        choice: &CameraChoice,
        wish: CameraWish,
        clock: Clock,
        sink: impl FnMut(CameraEvent) + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let _ = (choice, wish, clock, Box::new(sink));
        todo!()
    }

    /// What is really open.
    pub fn opened(&self) -> &OpenedCamera {
        &self.opened
    }
}

impl CameraWish {
    /// Whether anything could make such a picture.
    pub(crate) fn check(self) -> Result<(), CaptureError> {
        let Self { width, height, frames_per_second } = self;
        let sides = 16..=conclave_model::picture::MAX_SIDE;
        if sides.contains(&width) && sides.contains(&height) && (1..=120).contains(&frames_per_second) {
            Ok(())
        } else {
            Err(CaptureError::Wish { width, height, frames_per_second })
        }
    }
}
