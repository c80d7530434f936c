//! Sound to a loudspeaker.

use crate::{
    CaptureError, OpenedSound, SAMPLE_RATE, SpeakerChoice,
    sound::output::{self, PIECE},
    worker::{Pace, Worker},
};

/// Who is asked for what to play next.
pub(crate) type Source = Box<dyn FnMut(&mut [f32]) + Send>;

/// Who is told that the loudspeaker is gone.
pub(crate) type Lost = Box<dyn FnOnce(CaptureError) + Send>;

/// An open loudspeaker; dropping it closes it.
#[derive(Debug)]
pub struct SpeakerStream {
    opened: OpenedSound,
    _worker: Worker,
}

/// A loudspeaker without a device: pulls its source in real time and drops the sound.
///
/// So a client without a sound device does the same work as one with it.
#[derive(Debug)]
pub struct NullSpeaker {
    _worker: Worker,
}

impl SpeakerStream {
    /// Opens what `choice` names and pulls what it plays from `source`, on a thread of its own.
    ///
    /// `source` fills the whole slice with mono at 48 kHz, −1 to 1; it is asked for 480 samples (10 ms) at once, some 10
    /// to 30 ms before they are heard, and never on a thread of the device. `lost` is called at most once, when the
    /// device goes away; after that `source` is not called again.
    ///
    /// # Errors
    /// Every [`CaptureError`] that says why a loudspeaker could not be opened.
    pub fn open(
        choice: &SpeakerChoice,
        source: impl FnMut(&mut [f32]) + Send + 'static,
        lost: impl FnOnce(CaptureError) + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let (source, lost): (Source, Lost) = (Box::new(source), Box::new(lost));
        let (opened, worker) = match choice {
            SpeakerChoice::Default => output::open(None, source, lost)?,
            SpeakerChoice::Device(id) => output::open(Some(id), source, lost)?,
            SpeakerChoice::Null => (OpenedSound::plain("no loudspeaker"), pull(source)?),
        };
        Ok(Self { opened, _worker: worker })
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
        Ok(Self { _worker: pull(Box::new(source))? })
    }
}

fn pull(mut source: Source) -> Result<Worker, CaptureError> {
    Worker::start("speaker-null", move |stop| {
        let mut pace = Pace::new(u64::from(SAMPLE_RATE), PIECE as u64);
        let mut piece = [0.0; PIECE];
        while pace.wait(stop) {
            source(&mut piece);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_device_the_source_is_pulled_in_real_time() {
        let (send, receive) = crossbeam_channel::bounded(1000);
        let began = crate::worker::now();
        let choice = SpeakerChoice::Null;
        let stream = SpeakerStream::open(&choice, move |piece| send.try_send(piece.len()).unwrap_or_default(), |_| ());
        let stream = stream.expect("a loudspeaker without a device");
        let samples: usize = (0..50).map(|_| receive.recv().expect("a pull")).sum();
        assert_eq!(samples, 24_000);
        let took = began.elapsed().as_millis();
        assert!((499..1000).contains(&took), "0.5 s of sound in {took} ms");
        drop(stream);
        while receive.try_recv().is_ok() {}
        assert!(receive.recv().is_err(), "nothing is pulled after the end");
    }
}
