//! Sound to a loudspeaker.
#![allow(clippy::todo)]

use crate::{CaptureError, OpenedSound, SpeakerChoice};

/// An open loudspeaker; dropping it closes it.
#[derive(Debug)]
pub struct SpeakerStream {
    opened: OpenedSound,
}

/// A loudspeaker without a device: pulls its source in real time and drops the sound.
#[derive(Debug)]
pub struct NullSpeaker {}

impl SpeakerStream {
    /// Opens what `choice` names and pulls what it plays from `source`, on a thread of its own.
    ///
    /// `source` fills the whole slice with mono at 48 kHz, −1 to 1; it is asked for at most
    /// [`FRAME_SAMPLES`](crate::FRAME_SAMPLES) at once, some 10 to 30 ms before they are heard. `lost` is called at most
    /// once, when the device goes away; after that `source` is not called again.
    ///
    /// # Errors
    /// Every [`CaptureError`] that says why a loudspeaker could not be opened.
    pub fn open(
        choice: &SpeakerChoice,
        source: impl FnMut(&mut [f32]) + Send + 'static,
        lost: impl FnOnce(CaptureError) + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let _ = (choice, Box::new(source), Box::new(lost));
        todo!()
    }

    /// What is really open.
    pub fn opened(&self) -> &OpenedSound {
        &self.opened
    }
}

impl NullSpeaker {
    /// Starts to pull.
    ///
    /// # Errors
    /// [`CaptureError::NoThread`].
    pub fn start(source: impl FnMut(&mut [f32]) + Send + 'static) -> Result<Self, CaptureError> {
        let _ = Box::new(source);
        todo!()
    }
}
