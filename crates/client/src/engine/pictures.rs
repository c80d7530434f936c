//! One picture track of another member: its decoder, where its pictures lie, and whether they can be shown at all.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use conclave_model::{LeafIndex, Person, TrackKind};
use tokio::sync::mpsc;

use super::local::FromMedia;
use crate::{
    DecodedSink,
    client::Shared,
    frames::FrameSlot,
    media::{Hold, MediaError, VideoEvent, VideoReceiver},
};

/// After so many frames in a row that cannot be decoded it is no accident of the line, and is said.
const HOPELESS: u32 = 3;

/// A track that is decoded.
pub(super) struct Video {
    pub(super) receiver: VideoReceiver,
    pub(super) slot: Arc<FrameSlot>,
    outcome: Arc<Outcome>,
}

/// What became of the last frames; the decoder's thread writes it.
#[derive(Debug, Default)]
struct Outcome {
    seen: AtomicBool,
    /// Frames in a row that could not be decoded.
    failures: AtomicU32,
}

/// Whose track it is, and where what comes of it goes.
pub(super) struct Source<'a> {
    pub(super) leaf: LeafIndex,
    pub(super) track: TrackKind,
    pub(super) person: Arc<Person>,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) to_engine: &'a mpsc::Sender<FromMedia>,
    pub(super) tap: Option<Arc<dyn DecodedSink>>,
}

impl Video {
    /// Starts the decoder of a track. Its pictures wait for their sound as long as `hold` says.
    pub(super) fn start(source: Source<'_>, hold: Hold) -> Result<Self, MediaError> {
        let Source { leaf, track, person, shared, to_engine, tap } = source;
        let slot = shared.frames.slot(leaf, track);
        let outcome = Arc::<Outcome>::default();
        let (seen, waker, to_engine) = (Arc::clone(&outcome), Arc::clone(&shared.waker), to_engine.clone());
        let emptied = Arc::clone(&slot);
        let name = format!("picture-{}", leaf.0);
        let sink = move |event: VideoEvent<'_>| match event {
            VideoEvent::Shown { number, picture } => {
                seen.on_picture();
                if let Some(tap) = &tap {
                    tap.picture(&person, track, number, picture);
                }
                waker();
            }
            // With a full queue the request is lost; the decoder asks again. Waiting here could wait for ever, since
            // the engine joins this thread.
            VideoEvent::NeedKeyFrame => drop(to_engine.try_send(FromMedia::NeedKeyFrame(leaf, track))),
            VideoEvent::Failed(error) => {
                tracing::debug!(leaf = leaf.0, %error, "a frame was not decoded");
                if seen.on_failure() {
                    // The last picture that was good would look like the present.
                    emptied.clear();
                    waker();
                }
            }
        };
        let receiver = VideoReceiver::start_in_step(&name, track, Arc::clone(&slot), hold, sink)?;
        Ok(Self { receiver, slot, outcome })
    }

    /// Shows nothing until a picture comes again.
    pub(super) fn blank(&self) {
        self.receiver.pause();
        self.slot.clear();
        self.outcome.forget();
    }

    /// Whether a picture was decoded since it was last blank.
    pub(super) fn is_seen(&self) -> bool {
        self.outcome.seen.load(Ordering::Relaxed)
    }

    /// Whether what comes cannot be decoded.
    pub(super) fn is_hopeless(&self) -> bool {
        self.outcome.failures.load(Ordering::Relaxed) >= HOPELESS
    }
}

impl Outcome {
    fn on_picture(&self) {
        self.seen.store(true, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Notes a frame that could not be decoded; true where it is the one after which there is no hope.
    fn on_failure(&self) -> bool {
        // One thread writes.
        let before = self.failures.load(Ordering::Relaxed);
        self.failures.store(before.saturating_add(1), Ordering::Relaxed);
        let is_last_straw = before + 1 == HOPELESS;
        if is_last_straw {
            self.seen.store(false, Ordering::Relaxed);
        }
        is_last_straw
    }

    fn forget(&self) {
        self.seen.store(false, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_hopeless_after_failures_in_a_row_and_no_longer_once_one_is_shown() {
        let outcome = Outcome::default();
        let fails = || outcome.on_failure();
        outcome.on_picture();
        assert_eq!([fails(), fails()], [false, false]);
        outcome.on_picture();
        assert_eq!([fails(), fails(), fails(), fails()], [false, false, true, false], "told once");
        assert!(!outcome.seen.load(Ordering::Relaxed));
        outcome.on_picture();
        assert_eq!(outcome.failures.load(Ordering::Relaxed), 0);
    }
}
