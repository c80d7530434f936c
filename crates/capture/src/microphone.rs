//! Sound from a microphone, a file or a test source.

use conclave_model::MediaTime;

pub use crate::sound::wav::WavProblem;
use crate::{
    CaptureError, Clock, DeviceKind, MicrophoneChoice, OpenedSound, PIECE_SAMPLES, SAMPLE_RATE, Turns,
    sound::{
        input,
        wav::{self, PIECE_LENGTH},
    },
    voice::Voice,
    worker::{Pace, Worker},
};

/// What a microphone tells, on the stream's own thread.
#[derive(Debug)]
pub enum MicrophoneEvent<'a> {
    /// The next 10 ms, without a gap: mono at 48 kHz, −1 to 1.
    Samples {
        /// When the first of them was heard, as near as the source can tell.
        time: MediaTime,
        /// Always [`PIECE_SAMPLES`] of them.
        samples: &'a [f32],
    },
    /// The source went away; told once. No sound follows.
    Lost(CaptureError),
}

/// Who takes the events of a microphone.
pub(crate) type Sink = Box<dyn FnMut(MicrophoneEvent<'_>) + Send>;

/// An open microphone; dropping it closes it.
#[derive(Debug)]
pub struct MicrophoneStream {
    opened: OpenedSound,
    _worker: Worker,
}

impl MicrophoneStream {
    /// Opens what `choice` names and gives its sound to `sink` on a thread of its own.
    ///
    /// Returns when the source is open. The sink must take less than 10 ms on the average, or sound is lost.
    ///
    /// # Errors
    /// Every [`CaptureError`] that says why a microphone or file could not be opened.
    pub fn open(
        choice: &MicrophoneChoice,
        clock: Clock,
        sink: impl FnMut(MicrophoneEvent<'_>) + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let sink: Sink = Box::new(sink);
        let (opened, worker) = match choice {
            MicrophoneChoice::Default => input::open(None, clock, sink)?,
            MicrophoneChoice::Device(id) => input::open(Some(id), clock, sink)?,
            MicrophoneChoice::File(path) => wav::play(path, clock, sink)?,
            MicrophoneChoice::Test { seed, turns } => speak(*seed, *turns, clock, sink)?,
            MicrophoneChoice::Off => return Err(CaptureError::Off(DeviceKind::Microphone)),
        };
        Ok(Self { opened, _worker: worker })
    }

    /// What is really open.
    pub fn opened(&self) -> &OpenedSound {
        &self.opened
    }
}

/// Starts a test voice.
fn speak(seed: u64, turns: Turns, clock: Clock, mut sink: Sink) -> Result<(OpenedSound, Worker), CaptureError> {
    let worker = Worker::start("mic-test", move |stop| {
        let mut pace = Pace::new(u64::from(SAMPLE_RATE), PIECE_SAMPLES as u64);
        let (mut voice, mut frame) = (Voice::new(seed, turns), [0.0; PIECE_SAMPLES]);
        while pace.wait(stop) {
            let time = MediaTime(pace.due(&clock).0.saturating_sub(PIECE_LENGTH.as_micros() as u64));
            voice.fill(time, &mut frame);
            sink(MicrophoneEvent::Samples { time, samples: &frame });
        }
    })?;
    Ok((OpenedSound::plain("test voice"), worker))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Level;

    #[test]
    fn a_test_microphone_speaks_in_real_time() {
        let (send, receive) = crossbeam_channel::bounded(1000);
        let clock: Clock = Arc::new(|| MediaTime(1_700_000_000_000_000));
        let began = crate::worker::now();
        let choice = MicrophoneChoice::Test { seed: 3, turns: Turns::ALWAYS };
        let stream = MicrophoneStream::open(&choice, clock, move |event| match event {
            MicrophoneEvent::Samples { samples, .. } => drop(send.try_send((samples.len(), Level::of(samples)))),
            MicrophoneEvent::Lost(error) => panic!("{error}"),
        })
        .expect("a test microphone");
        for _ in 0..50 {
            assert_eq!(receive.recv().expect("samples").0, PIECE_SAMPLES);
        }
        let took = began.elapsed().as_millis();
        assert!((499..1000).contains(&took), "0.5 s of sound in {took} ms");
        drop(stream);
    }

    #[test]
    fn a_microphone_that_is_off_says_so() {
        let error = MicrophoneStream::open(&MicrophoneChoice::Off, Arc::new(|| MediaTime(0)), |_| ());
        assert_eq!(error.err(), Some(CaptureError::Off(DeviceKind::Microphone)));
    }
}
