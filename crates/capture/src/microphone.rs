//! Sound from a microphone, a file or a test source.
#![allow(clippy::todo)]

use conclave_model::MediaTime;

use crate::{CaptureError, Clock, MicrophoneChoice, OpenedSound};

/// What keeps a file from being played as WAV, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavProblem {
    /// It begins with something else.
    #[error("is no WAV file: it does not begin with RIFF....WAVE; make one with: ffmpeg -i IN -ar 48000 OUT.wav")]
    NotWav,
}

/// What a microphone tells, on the stream's own thread.
#[derive(Debug)]
pub enum MicrophoneEvent<'a> {
    /// The next 20 ms, without a gap: [`FRAME_SAMPLES`](crate::FRAME_SAMPLES) of mono at 48 kHz, −1 to 1.
    Samples {
        /// When the first of them was heard, as near as the source can tell.
        time: MediaTime,
        /// Always [`FRAME_SAMPLES`](crate::FRAME_SAMPLES) of them.
        samples: &'a [f32],
    },
    /// The source went away; told once. No sound follows.
    Lost(CaptureError),
}

/// An open microphone; dropping it closes it.
#[derive(Debug)]
pub struct MicrophoneStream {
    opened: OpenedSound,
}

impl MicrophoneStream {
    /// Opens what `choice` names and gives its sound to `sink` on a thread of its own.
    ///
    /// Returns when the source is open.
    ///
    /// # Errors
    /// Every [`CaptureError`] that says why a microphone or file could not be opened.
    pub fn open(
        choice: &MicrophoneChoice,
        clock: Clock,
        sink: impl FnMut(MicrophoneEvent<'_>) + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let _ = (choice, clock, Box::new(sink));
        todo!()
    }

    /// What is really open.
    pub fn opened(&self) -> &OpenedSound {
        &self.opened
    }
}
