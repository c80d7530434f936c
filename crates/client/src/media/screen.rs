//! From pictures of a shared screen to encoded frames.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use conclave_capture::Clock;
use conclave_codec::{Av1Encoder, CodecError, Content, VideoEncoder, VideoSettings};
use conclave_model::{Bitrate, EncodedFrame, MediaTime, Picture};

use super::{MediaError, inbox::Inbox, spawn};
use crate::frames::FrameSlot;

/// Encodes the pictures of a shared screen on a thread of its own.
///
/// After a change a first frame goes out at once, as good as the bitrate allows; as long as nothing changes, the same
/// picture follows again and again, each time better, until it is sharp. Then nothing is sent until the next change or
/// the next request for a key frame. Only the newest picture counts. The frames have the pictures' size.
#[derive(Debug)]
pub struct ScreenPipeline {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Where the screen's pictures go in; clones feed the same pipeline.
#[derive(Clone, Debug)]
pub struct ScreenInput(Arc<Shared>);

/// What comes out of a [`ScreenPipeline`], on its encoder thread.
#[derive(Debug)]
pub enum ScreenOutput {
    /// The next frame, of `Layer(0)`; its `encode_delay` reaches from the picture's time to now. A frame that makes the
    /// same picture sharper has the time at which it was encoded.
    Frame(EncodedFrame),
    /// The encoder failed. The next picture is tried with a new one.
    Failed(CodecError),
}

/// What a [`ScreenPipeline`] has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScreenCounters {
    /// Pictures that the screen gave.
    pub pictures: u64,
    /// Pictures that a newer one replaced before the encoder came to them.
    pub replaced: u64,
    /// Frames that came out.
    pub frames: u64,
    /// Of these, key frames.
    pub key_frames: u64,
    /// Of these, frames that made a picture sharper which had been sent before.
    pub refinements: u64,
    /// Bytes of these frames.
    pub bytes: u64,
    /// How often the picture was found to be sharp.
    pub sharp: u64,
}

#[derive(Debug)]
struct Shared {
    mailbox: Inbox<Mailbox>,
    counters: Counters,
}

#[derive(Debug)]
struct Mailbox {
    newest: Option<Picture>,
    bitrate: Bitrate,
    key_wanted: bool,
    /// Whether the last picture is to be forgotten.
    cleared: bool,
    /// Whether anybody wants frames.
    wanted: bool,
}

#[derive(Debug, Default)]
struct Counters {
    pictures: AtomicU64,
    replaced: AtomicU64,
    frames: AtomicU64,
    key_frames: AtomicU64,
    refinements: AtomicU64,
    bytes: AtomicU64,
    sharp: AtomicU64,
}

impl ScreenPipeline {
    /// Starts the encoder thread.
    ///
    /// Pictures arrive through [`Self::input`]. `own` shows each picture that goes to the encoder, for the one who
    /// shares. `sink` is called on the encoder thread; what blocks there slows the pictures down.
    ///
    /// # Errors
    /// [`MediaError::Thread`].
    pub fn start(
        bitrate: Bitrate,
        clock: Clock,
        own: Arc<FrameSlot>,
        sink: impl FnMut(ScreenOutput) + Send + 'static,
    ) -> Result<Self, MediaError> {
        let mailbox = Mailbox { newest: None, bitrate, key_wanted: false, cleared: false, wanted: true };
        let shared = Arc::new(Shared { mailbox: Inbox::new(mailbox), counters: Counters::default() });
        let mut worker = Worker {
            shared: Arc::clone(&shared),
            clock,
            own,
            sink,
            encoder: None,
            picture: None,
            sharpness: Sharpness::default(),
            pace: Pace::default(),
            sent: MediaTime(0),
        };
        let thread = spawn("screen-encoder", move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Where pictures go in.
    pub fn input(&self) -> ScreenInput {
        ScreenInput(Arc::clone(&self.shared))
    }

    /// Sends the picture again as a frame that a decoder can begin with.
    pub fn request_key_frame(&self) {
        self.shared.mailbox.change(|mailbox| mailbox.key_wanted = true);
    }

    /// Changes the bitrate from the next frame on.
    pub fn set_bitrate(&self, bitrate: Bitrate) {
        self.shared.mailbox.change(|mailbox| mailbox.bitrate = bitrate);
    }

    /// Whether anybody watches. While nobody does nothing is encoded; who comes begins with a key frame.
    pub fn set_wanted(&self, wanted: bool) {
        self.shared.mailbox.change(|mailbox| {
            mailbox.key_wanted |= wanted && !mailbox.wanted;
            mailbox.wanted = wanted;
        });
    }

    /// What has been done so far.
    pub fn counters(&self) -> ScreenCounters {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        ScreenCounters {
            pictures: count(&counters.pictures),
            replaced: count(&counters.replaced),
            frames: count(&counters.frames),
            key_frames: count(&counters.key_frames),
            refinements: count(&counters.refinements),
            bytes: count(&counters.bytes),
            sharp: count(&counters.sharp),
        }
    }
}

impl Drop for ScreenPipeline {
    fn drop(&mut self) {
        self.shared.mailbox.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the encoder thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl ScreenInput {
    /// Gives the newest picture, in place of one that is still waiting. Never waits for the encoder.
    pub fn push(&self, picture: Picture) {
        let counters = &self.0.counters;
        counters.pictures.fetch_add(1, Ordering::Relaxed);
        if self.0.mailbox.change(|mailbox| mailbox.newest.replace(picture)).is_some() {
            counters.replaced.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Forgets the last picture, which is not what the screen shows any more; nothing is sent until the next one.
    pub fn clear(&self) {
        self.0.mailbox.change(|mailbox| (mailbox.newest, mailbox.cleared) = (None, true));
    }
}

/// The encoder thread's own.
struct Worker<S> {
    shared: Arc<Shared>,
    clock: Clock,
    own: Arc<FrameSlot>,
    sink: S,
    encoder: Option<(Av1Encoder, VideoSettings)>,
    /// What the screen shows.
    picture: Option<Picture>,
    sharpness: Sharpness,
    pace: Pace,
    /// The time that the last frame bears.
    sent: MediaTime,
}

/// What there is to do.
enum Task {
    /// Forget the picture.
    Clear,
    /// Encode a new picture, or the last one once more.
    Encode { fresh: Option<Picture>, bitrate: Bitrate, key: bool },
}

impl Mailbox {
    /// What there is to do, where the thread has a picture or not, which is still to become sharper or not.
    fn task(&mut self, has_picture: bool, unfinished: bool) -> Option<Task> {
        if std::mem::take(&mut self.cleared) {
            return Some(Task::Clear);
        }
        let due = self.newest.is_some() || (has_picture && (unfinished || self.key_wanted));
        (due && self.wanted).then(|| Task::Encode {
            fresh: self.newest.take(),
            bitrate: self.bitrate,
            key: std::mem::take(&mut self.key_wanted),
        })
    }
}

impl<S: FnMut(ScreenOutput)> Worker<S> {
    fn run(&mut self) {
        while self.keep_distance() {
            let (has_picture, unfinished) = (self.picture.is_some(), !self.sharpness.is_reached());
            match self.shared.mailbox.wait(|mailbox| mailbox.task(has_picture, unfinished)) {
                Some(Task::Clear) => self.picture = None,
                Some(Task::Encode { fresh, bitrate, key }) => self.advance(fresh, bitrate, key),
                None => return,
            }
        }
    }

    /// Waits until the line is free for a frame; false when the pipeline is dropped.
    fn keep_distance(&self) -> bool {
        loop {
            let bitrate = self.shared.mailbox.change(|mailbox| mailbox.bitrate);
            let rest = self.pace.rest((self.clock)(), bitrate);
            // The bitrate may change meanwhile.
            if !self.shared.mailbox.rest(rest.min(INTERVAL)) {
                return false;
            }
            if rest <= INTERVAL {
                return true;
            }
        }
    }

    /// Encodes the next frame and gives it out.
    fn advance(&mut self, fresh: Option<Picture>, bitrate: Bitrate, key: bool) {
        let now = (self.clock)();
        let is_fresh = fresh.is_some();
        let captured = fresh.as_ref().map_or(now, |picture| picture.time);
        if let Some(picture) = fresh {
            self.own.put(Arc::new(picture.clone()));
            self.sharpness = Sharpness::of(&picture);
            self.picture = Some(picture);
        }
        let Some(picture) = &mut self.picture else { return };
        // The rate control is to know how long the line has had for the last frame, not how long the screen stood still.
        picture.time = now;
        let outcome = encoder_for(&mut self.encoder, picture, bitrate).and_then(|encoder| encoder.encode(picture, key));
        match outcome {
            Ok(Some(frame)) => {
                self.pace.sent(now, frame.data.len());
                self.sent = captured.max(self.sent + Duration::from_micros(1));
                let counters = &self.shared.counters;
                let add = |counter: &AtomicU64, what: u64| {
                    counter.fetch_add(what, Ordering::Relaxed);
                };
                add(&counters.frames, 1);
                add(&counters.key_frames, frame.key.into());
                add(&counters.refinements, (!is_fresh && !key).into());
                add(&counters.bytes, frame.data.len() as u64);
                if self.sharpness.sent(frame.data.len(), frame.key) {
                    add(&counters.sharp, 1);
                }
                let (time, encode_delay) = (self.sent, (self.clock)().since(self.sent));
                (self.sink)(ScreenOutput::Frame(EncodedFrame { time, encode_delay, ..frame }));
            }
            // The rate control left the picture out; what was wanted is still wanted.
            Ok(None) => {
                self.pace.sent(now, 0);
                self.shared.mailbox.change(|mailbox| mailbox.key_wanted |= key);
            }
            Err(error) => {
                self.encoder = None;
                self.sharpness = Sharpness::default();
                (self.sink)(ScreenOutput::Failed(error));
            }
        }
    }
}

/// When the line is free for the next frame.
///
/// A page of text takes 100 kB and more as its first frame: on a line of 1 Mbit/s that is a second, in which nothing
/// else is worth sending, because it would only arrive later.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    last: Option<MediaTime>,
    bits: u64,
}

impl Pace {
    fn sent(&mut self, now: MediaTime, bytes: usize) {
        (self.last, self.bits) = (Some(now), bytes as u64 * 8);
    }

    /// How long to wait for the next frame.
    fn rest(&self, now: MediaTime, bitrate: Bitrate) -> Duration {
        let Some(last) = self.last else { return Duration::ZERO };
        let line = Duration::from_micros(self.bits.saturating_mul(1_000_000) / bitrate.as_bps().max(1));
        line.max(INTERVAL).min(LONGEST_REST).saturating_sub(now.since(last))
    }
}

/// The encoder with the bitrate set, a new one where the picture has another size than the last.
fn encoder_for<'a>(
    encoder: &'a mut Option<(Av1Encoder, VideoSettings)>,
    picture: &Picture,
    bitrate: Bitrate,
) -> Result<&'a mut Av1Encoder, CodecError> {
    let (width, height) = (picture.width(), picture.height());
    let settings =
        VideoSettings { width, height, frames_per_second: RATE, bitrate, threads: THREADS, content: Content::Screen };
    let (mut open, made) = match encoder.take() {
        Some((open, made)) if (made.width, made.height) == (width, height) => (open, made),
        // Every frame is needed by the next: there are few of them.
        Some(_) | None => (Av1Encoder::layered(settings, 1)?, settings),
    };
    if made.bitrate != bitrate {
        open.set_bitrate(bitrate)?;
    }
    Ok(&mut encoder.insert((open, settings)).0)
}

/// Whether a picture has been sent as well as it ever will be.
///
/// The encoder spends what the bitrate allows on the picture that it is given again; once there is nothing left to
/// better, its frames say "as before" and are tiny.
#[derive(Clone, Copy, Debug)]
struct Sharpness {
    /// Bytes of a frame that changes nothing.
    nothing: usize,
    /// How many such frames there have been in a row, and how many frames in all.
    idle: u32,
    frames: u32,
}

impl Sharpness {
    fn of(picture: &Picture) -> Self {
        let pixels = picture.width() as usize * picture.height() as usize;
        Self { nothing: SMALLEST_FRAME + pixels / PIXELS_PER_BYTE, idle: 0, frames: 0 }
    }

    /// Counts a frame; tells whether the picture has become sharp with it.
    fn sent(&mut self, bytes: usize, key: bool) -> bool {
        let before = self.is_reached();
        self.frames += 1;
        self.idle = if bytes <= self.nothing && !key { self.idle + 1 } else { 0 };
        if key {
            self.frames = 0;
        }
        self.is_reached() && !before
    }

    fn is_reached(&self) -> bool {
        self.idle >= IDLE_FRAMES || self.frames >= MOST_FRAMES
    }
}

/// Nothing to be made sharper.
impl Default for Sharpness {
    fn default() -> Self {
        Self { nothing: 0, idle: IDLE_FRAMES, frames: 0 }
    }
}

/// Frames per second at most.
const RATE: u32 = 15;
/// What is left between two frames.
const INTERVAL: Duration = Duration::from_millis(1000 / RATE as u64);
/// However slow the line: a key frame that somebody waits for goes out.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// A screen has many pixels, and a page's first frame takes as long as twenty later ones.
const THREADS: u32 = 4;
/// Bytes of a frame in which nothing gets better: this, and one for so many pixels.
const SMALLEST_FRAME: usize = 100;
const PIXELS_PER_BYTE: usize = 5_000;
/// After a large frame the encoder pauses before it goes on bettering, for up to this many frames.
const IDLE_FRAMES: u32 = 10;
/// What is not sharp after so many frames never will be: a film plays in a corner, or the line is too thin.
const MOST_FRAMES: u32 = 150;

#[cfg(test)]
#[path = "screen/tests.rs"]
mod tests;
