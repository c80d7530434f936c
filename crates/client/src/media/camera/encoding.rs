//! One encoding of the camera: the newest picture in, frames out, on a thread of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use conclave_capture::Clock;
use conclave_codec::{Av1Encoder, CodecError, VideoEncoder, VideoSettings};
use conclave_model::{EncodedFrame, Layer, Picture};

use super::{CameraCounters, CameraOutput};
use crate::{clock::now, media::inbox::Inbox};

/// What an encoder thread shares with those who feed and ask it.
#[derive(Debug)]
pub(super) struct Encoding {
    inbox: Inbox<Mailbox>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Mailbox {
    newest: Option<Arc<Picture>>,
    /// `None` while nobody wants this encoding.
    settings: Option<VideoSettings>,
    key_wanted: bool,
    /// Time that encoding took and for how many pictures, since last asked.
    spent: (Duration, u32),
}

#[derive(Debug, Default)]
struct Counters {
    replaced: AtomicU64,
    frames: AtomicU64,
    key_frames: AtomicU64,
    bytes: AtomicU64,
}

/// What the encoder thread is to do.
enum Work {
    Encode(Arc<Picture>, VideoSettings, bool),
    /// Nobody wants this encoding any more.
    Rest,
}

impl Encoding {
    pub(super) fn new() -> Self {
        Self { inbox: Inbox::new(Mailbox::default()), counters: Counters::default() }
    }

    /// What to encode from the next picture on; `None` for nothing.
    pub(super) fn set(&self, settings: Option<VideoSettings>) {
        self.inbox.change(|mailbox| {
            let before = std::mem::replace(&mut mailbox.settings, settings);
            if settings.is_none() {
                (mailbox.newest, mailbox.key_wanted) = (None, false);
            } else if before.is_none() {
                // Its thread may not have seen that nobody wanted it, and would go on where it was.
                mailbox.key_wanted = true;
            }
        });
    }

    /// What is being encoded.
    pub(super) fn settings(&self) -> Option<VideoSettings> {
        self.inbox.change(|mailbox| mailbox.settings)
    }

    /// Gives a picture, in place of one that is still waiting.
    pub(super) fn push(&self, picture: Arc<Picture>) {
        if self.inbox.change(|mailbox| mailbox.newest.replace(picture)).is_some() {
            self.counters.replaced.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes the next frame one that a decoder can begin with.
    pub(super) fn request_key_frame(&self) {
        self.inbox.change(|mailbox| mailbox.key_wanted |= mailbox.settings.is_some());
    }

    /// The share of the time between two pictures that encoding one took, since last asked; `None` where none was.
    pub(super) fn take_share(&self) -> Option<f64> {
        self.inbox.change(|mailbox| {
            let (time, pictures) = std::mem::take(&mut mailbox.spent);
            let rate = f64::from(mailbox.settings?.frames_per_second);
            (pictures > 0).then(|| time.as_secs_f64() / f64::from(pictures) * rate)
        })
    }

    /// Adds what was done here.
    pub(super) fn count(&self, into: &mut CameraCounters) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        into.replaced += count(&self.counters.replaced);
        into.frames += count(&self.counters.frames);
        into.key_frames += count(&self.counters.key_frames);
        into.bytes += count(&self.counters.bytes);
    }

    /// Ends the encoder thread.
    pub(super) fn close(&self) {
        self.inbox.close();
    }

    fn note(&self, frame: &EncodedFrame) {
        self.counters.frames.fetch_add(1, Ordering::Relaxed);
        self.counters.key_frames.fetch_add(u64::from(frame.key), Ordering::Relaxed);
        self.counters.bytes.fetch_add(frame.data.len() as u64, Ordering::Relaxed);
    }
}

/// The encoder thread's own.
pub(super) struct Worker<S> {
    pub(super) layer: Layer,
    pub(super) shared: Arc<Encoding>,
    pub(super) clock: Clock,
    pub(super) sink: Arc<S>,
    pub(super) encoder: Option<Av1Encoder>,
}

impl<S: Fn(CameraOutput)> Worker<S> {
    pub(super) fn run(&mut self) {
        while let Some(work) = self.wait() {
            let Work::Encode(picture, settings, key_wanted) = work else {
                // It holds some ten megabytes.
                self.encoder = None;
                continue;
            };
            let began = now();
            let outcome = self.encode(&picture, settings, key_wanted);
            let took = now().saturating_duration_since(began);
            self.shared.inbox.change(|mailbox| {
                mailbox.spent = (mailbox.spent.0 + took, mailbox.spent.1 + 1);
                // Where the rate control left the picture out, a key frame that was wanted is still wanted.
                mailbox.key_wanted |= key_wanted && matches!(outcome, Ok(None)) && mailbox.settings.is_some();
            });
            match outcome {
                Ok(Some(frame)) => {
                    self.shared.note(&frame);
                    (self.sink)(CameraOutput::Frame(frame));
                }
                Ok(None) => {}
                Err(error) => {
                    self.encoder = None;
                    (self.sink)(CameraOutput::Failed(error));
                }
            }
        }
    }

    /// Waits for something to do; `None` when the pipeline is dropped.
    fn wait(&mut self) -> Option<Work> {
        let has_encoder = self.encoder.is_some();
        self.shared.inbox.wait(|mailbox| match mailbox.settings {
            Some(settings) => {
                let picture = mailbox.newest.take()?;
                Some(Work::Encode(picture, settings, std::mem::take(&mut mailbox.key_wanted)))
            }
            None => has_encoder.then_some(Work::Rest),
        })
    }

    fn encode(
        &mut self,
        picture: &Picture,
        settings: VideoSettings,
        key_wanted: bool,
    ) -> Result<Option<EncodedFrame>, CodecError> {
        let (width, height) = (picture.width(), picture.height());
        let (layer, clock) = (self.layer, Arc::clone(&self.clock));
        let encoder = self.encoder_for(VideoSettings { width, height, ..settings })?;
        let frame = encoder.encode(picture, key_wanted)?;
        Ok(frame.map(|frame| EncodedFrame { encode_delay: clock().since(frame.time), layer, ..frame }))
    }

    /// The encoder with bitrate and rate set, a new one where anything else has changed.
    fn encoder_for(&mut self, settings: VideoSettings) -> Result<&mut Av1Encoder, CodecError> {
        let fits = |made: VideoSettings| {
            VideoSettings { bitrate: made.bitrate, frames_per_second: made.frames_per_second, ..settings } == made
        };
        let mut encoder = match self.encoder.take() {
            Some(encoder) if fits(encoder.settings()) => encoder,
            Some(_) | None => Av1Encoder::new(settings)?,
        };
        encoder.set_bitrate(settings.bitrate)?;
        encoder.set_frames_per_second(settings.frames_per_second)?;
        Ok(self.encoder.insert(encoder))
    }
}

#[cfg(test)]
mod tests {
    use conclave_codec::Content;
    use conclave_model::Bitrate;

    use super::*;

    #[test]
    fn what_is_wanted_again_wants_a_key_frame_though_the_thread_saw_no_pause() {
        let settings = VideoSettings {
            width: 64,
            height: 36,
            frames_per_second: 30,
            bitrate: Bitrate::kbps(100),
            threads: 1,
            content: Content::Camera,
        };
        let encoding = Encoding::new();
        let key_wanted = || encoding.inbox.change(|mailbox| std::mem::take(&mut mailbox.key_wanted));
        encoding.set(Some(settings));
        assert!(key_wanted());
        encoding.set(Some(VideoSettings { bitrate: Bitrate::kbps(80), ..settings }));
        assert!(!key_wanted(), "it was wanted all the time");
        encoding.set(None);
        encoding.set(Some(settings));
        assert!(key_wanted());
    }
}
