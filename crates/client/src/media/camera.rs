//! From camera pictures to encoded frames.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use conclave_capture::Clock;
use conclave_codec::{Av1Encoder, CodecError, PictureScaler, VideoEncoder, VideoSettings};
use conclave_model::{Bitrate, EncodedFrame, MediaTime, Picture};

use super::{MediaError, inbox::Inbox, spawn};
use crate::frames::FrameSlot;

/// Scales and encodes the own camera's pictures on a thread of its own.
///
/// Only the newest picture counts: while one is being encoded, later ones replace each other. The encoded picture has
/// the camera's proportions, fits into the size of the settings and is never larger than the camera's.
#[derive(Debug)]
pub struct CameraPipeline {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Where the camera's pictures go in; clones feed the same pipeline.
#[derive(Clone, Debug)]
pub struct CameraInput(Arc<Shared>);

/// What comes out of a [`CameraPipeline`], on its encoder thread.
#[derive(Debug)]
pub enum CameraOutput {
    /// The next frame; its `encode_delay` reaches from the picture's time to now.
    Frame(EncodedFrame),
    /// The encoder failed. The next picture is tried with a new one.
    Failed(CodecError),
}

/// What a [`CameraPipeline`] has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameraCounters {
    /// Pictures that the camera gave.
    pub pictures: u64,
    /// Pictures that a newer one replaced before the encoder came to them, or that came faster than wished.
    pub replaced: u64,
    /// Frames that came out.
    pub frames: u64,
    /// Of these, key frames.
    pub key_frames: u64,
    /// Bytes of these frames.
    pub bytes: u64,
}

#[derive(Debug)]
struct Shared {
    mailbox: Inbox<Mailbox>,
    counters: Counters,
}

#[derive(Debug)]
struct Mailbox {
    newest: Option<Picture>,
    settings: VideoSettings,
    key_wanted: bool,
}

#[derive(Debug, Default)]
struct Counters {
    pictures: AtomicU64,
    replaced: AtomicU64,
    frames: AtomicU64,
    key_frames: AtomicU64,
    bytes: AtomicU64,
}

impl CameraPipeline {
    /// Starts the encoder thread.
    ///
    /// Pictures arrive through [`Self::input`]. `own` shows each picture that goes to the encoder, for the self view.
    /// `sink` is called on the encoder thread and should not block for longer than a frame lasts.
    ///
    /// # Errors
    /// [`MediaError::Thread`].
    pub fn start(
        settings: VideoSettings,
        clock: Clock,
        own: Arc<FrameSlot>,
        sink: impl FnMut(CameraOutput) + Send + 'static,
    ) -> Result<Self, MediaError> {
        let mailbox = Inbox::new(Mailbox { newest: None, settings, key_wanted: false });
        let shared = Arc::new(Shared { mailbox, counters: Counters::default() });
        let mut worker = Worker {
            shared: Arc::clone(&shared),
            clock,
            own,
            sink,
            scaler: PictureScaler::default(),
            encoder: None,
            last: None,
        };
        let thread = spawn("camera-encoder", move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Where pictures go in.
    pub fn input(&self) -> CameraInput {
        CameraInput(Arc::clone(&self.shared))
    }

    /// Makes the next frame one that a decoder can begin with.
    pub fn request_key_frame(&self) {
        self.shared.mailbox.change(|mailbox| mailbox.key_wanted = true);
    }

    /// Changes the bitrate from the next frame on.
    pub fn set_bitrate(&self, bitrate: Bitrate) {
        self.shared.mailbox.change(|mailbox| mailbox.settings.bitrate = bitrate);
    }

    /// Changes size, rate or anything else from the next frame on, which is then a key frame.
    pub fn reconfigure(&self, settings: VideoSettings) {
        self.shared.mailbox.change(|mailbox| mailbox.settings = settings);
    }

    /// What has been done so far.
    pub fn counters(&self) -> CameraCounters {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        CameraCounters {
            pictures: count(&counters.pictures),
            replaced: count(&counters.replaced),
            frames: count(&counters.frames),
            key_frames: count(&counters.key_frames),
            bytes: count(&counters.bytes),
        }
    }
}

impl Drop for CameraPipeline {
    fn drop(&mut self) {
        self.shared.mailbox.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the encoder thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl CameraInput {
    /// Gives the newest picture, in place of one that is still waiting. Never waits for the encoder.
    pub fn push(&self, picture: Picture) {
        let counters = &self.0.counters;
        counters.pictures.fetch_add(1, Ordering::Relaxed);
        if self.0.mailbox.change(|mailbox| mailbox.newest.replace(picture)).is_some() {
            counters.replaced.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The encoder thread's own.
struct Worker<S> {
    shared: Arc<Shared>,
    clock: Clock,
    own: Arc<FrameSlot>,
    sink: S,
    scaler: PictureScaler,
    encoder: Option<(Av1Encoder, VideoSettings)>,
    last: Option<MediaTime>,
}

impl<S: FnMut(CameraOutput)> Worker<S> {
    fn run(&mut self) {
        while let Some((picture, settings, key_wanted)) = self.wait() {
            match self.encode(picture, settings, key_wanted) {
                Ok(Some(frame)) => {
                    let counters = &self.shared.counters;
                    counters.frames.fetch_add(1, Ordering::Relaxed);
                    counters.key_frames.fetch_add(u64::from(frame.key), Ordering::Relaxed);
                    counters.bytes.fetch_add(frame.data.len() as u64, Ordering::Relaxed);
                    (self.sink)(CameraOutput::Frame(frame));
                }
                // The rate control left the picture out; a key frame that was wanted is still wanted.
                Ok(None) => self.shared.mailbox.change(|mailbox| mailbox.key_wanted |= key_wanted),
                Err(error) => {
                    self.encoder = None;
                    (self.sink)(CameraOutput::Failed(error));
                }
            }
        }
    }

    /// Waits for a picture that is due; `None` when the pipeline is dropped.
    fn wait(&mut self) -> Option<(Picture, VideoSettings, bool)> {
        let last = self.last;
        let (picture, settings, key_wanted) = self.shared.mailbox.wait(|mailbox| {
            let picture = mailbox.newest.take()?;
            if !is_due(last, picture.time, mailbox.settings.frames_per_second) {
                self.shared.counters.replaced.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            Some((picture, mailbox.settings, std::mem::take(&mut mailbox.key_wanted)))
        })?;
        self.last = Some(picture.time);
        Some((picture, settings, key_wanted))
    }

    fn encode(
        &mut self,
        picture: Picture,
        settings: VideoSettings,
        key_wanted: bool,
    ) -> Result<Option<EncodedFrame>, CodecError> {
        let (width, height) = encoded_size((picture.width(), picture.height()), (settings.width, settings.height));
        let picture = if (picture.width(), picture.height()) == (width, height) {
            picture
        } else {
            self.scaler.scale(&picture, width, height)?
        };
        let picture = Arc::new(picture);
        self.own.put(Arc::clone(&picture));
        let encoder = self.encoder_for(VideoSettings { width, height, ..settings })?;
        let frame = encoder.encode(&picture, key_wanted)?;
        Ok(frame.map(|frame| EncodedFrame { encode_delay: (self.clock)().since(frame.time), ..frame }))
    }

    /// The encoder with the bitrate set, a new one where anything else has changed.
    fn encoder_for(&mut self, settings: VideoSettings) -> Result<&mut Av1Encoder, CodecError> {
        let fits = |made: &VideoSettings| VideoSettings { bitrate: settings.bitrate, ..*made } == settings;
        let (mut encoder, made) = match self.encoder.take() {
            Some((encoder, made)) if fits(&made) => (encoder, made),
            Some(_) | None => (Av1Encoder::new(settings)?, settings),
        };
        if made.bitrate != settings.bitrate {
            encoder.set_bitrate(settings.bitrate)?;
        }
        Ok(&mut self.encoder.insert((encoder, settings)).0)
    }
}

/// Whether a picture taken at `time` is wanted after one taken at `last`; lets 30 fps with jitter pass a wish for 30.
fn is_due(last: Option<MediaTime>, time: MediaTime, frames_per_second: u32) -> bool {
    let interval = Duration::from_secs(1) / frames_per_second.max(1);
    last.is_none_or(|last| time < last || time.since(last) >= interval * 3 / 4)
}

/// The largest size with even sides and the camera's proportions that fits into `wished` and is no larger than the
/// camera's picture.
fn encoded_size(camera: (u32, u32), wished: (u32, u32)) -> (u32, u32) {
    let (width, height) = (u64::from(camera.0.max(1)), u64::from(camera.1.max(1)));
    let (widest, highest) = (u64::from(wished.0).min(width), u64::from(wished.1).min(height));
    let (w, h) = if widest * height <= highest * width {
        (widest, widest * height / width)
    } else {
        (highest * width / height, highest)
    };
    let even = |side: u64| u32::try_from(side & !1).unwrap_or(u32::MAX).max(MIN_SIDE);
    (even(w), even(h))
}

/// The smallest side that the encoder takes.
const MIN_SIDE: u32 = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc::{self, Receiver};

    use conclave_codec::Content;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn settings(width: u32, height: u32) -> VideoSettings {
        VideoSettings {
            width,
            height,
            frames_per_second: 30,
            bitrate: Bitrate::kbps(300),
            threads: 1,
            content: Content::Camera,
        }
    }

    fn start(settings: VideoSettings) -> (CameraPipeline, Arc<FrameSlot>, Receiver<EncodedFrame>) {
        let own = Arc::<FrameSlot>::default();
        let (sender, frames) = mpsc::sync_channel(100);
        let clock: Clock = Arc::new(|| MediaTime(10_000_000));
        let pipeline = CameraPipeline::start(settings, clock, Arc::clone(&own), move |output| match output {
            CameraOutput::Frame(frame) => sender.send(frame).unwrap(),
            CameraOutput::Failed(error) => panic!("{error}"),
        });
        (pipeline.unwrap(), own, frames)
    }

    fn picture(width: u32, height: u32, milliseconds: u64) -> Picture {
        Picture::black(width, height, MediaTime(milliseconds * 1000)).unwrap()
    }

    #[test]
    fn the_encoded_size_keeps_the_proportions_and_never_grows() {
        assert_eq!(encoded_size((1280, 720), (640, 360)), (640, 360));
        assert_eq!(encoded_size((640, 480), (640, 360)), (480, 360));
        assert_eq!(encoded_size((320, 240), (1280, 720)), (320, 240));
        assert_eq!(encoded_size((1081, 1921), (640, 360)), (202, 360));
        assert_eq!(encoded_size((4096, 2), (640, 360)), (640, 16));
    }

    #[test]
    fn a_picture_comes_out_scaled_with_its_delay_and_is_shown_to_its_owner() {
        let (pipeline, own, frames) = start(settings(64, 36));
        pipeline.input().push(picture(128, 72, 9_900));
        let frame = frames.recv_timeout(10 * SECOND).unwrap();
        assert!(frame.key);
        assert_eq!(frame.encode_delay, Duration::from_millis(100));
        let shown = own.latest().unwrap();
        assert_eq!((shown.width(), shown.height()), (64, 36));
    }

    #[test]
    fn key_frames_come_on_request_and_after_a_new_size_only() {
        let (pipeline, _own, frames) = start(settings(64, 36));
        let mut keys = Vec::new();
        for number in 0..6 {
            if number == 2 {
                pipeline.request_key_frame();
            }
            if number == 4 {
                pipeline.reconfigure(settings(32, 18));
            }
            pipeline.input().push(picture(128, 72, number * 40));
            keys.push(frames.recv_timeout(10 * SECOND).unwrap().key);
        }
        assert_eq!(keys, [true, false, true, false, true, false]);
        assert_eq!(pipeline.counters().key_frames, 3);
    }

    #[test]
    fn the_newest_picture_wins_while_the_encoder_is_busy() {
        let (release, gate) = mpsc::sync_channel::<()>(100);
        let (sender, frames) = mpsc::sync_channel(100);
        let clock: Clock = Arc::new(|| MediaTime(0));
        let pipeline = CameraPipeline::start(settings(64, 36), clock, Arc::default(), move |output| {
            if let CameraOutput::Frame(frame) = output {
                sender.send(frame.time).unwrap();
                let _ = gate.recv();
            }
        })
        .unwrap();
        let input = pipeline.input();
        input.push(picture(64, 36, 0));
        assert_eq!(frames.recv_timeout(10 * SECOND).unwrap(), MediaTime(0));
        for time in [40, 80, 120] {
            input.push(picture(64, 36, time));
        }
        release.send(()).unwrap();
        assert_eq!(frames.recv_timeout(10 * SECOND).unwrap(), MediaTime(120_000));
        assert_eq!(pipeline.counters().replaced, 2);
        drop(release);
    }

    #[test]
    fn a_camera_that_is_too_fast_is_slowed_down() {
        let due = |last: u64, time: u64| is_due(Some(MediaTime(last * 1000)), MediaTime(time * 1000), 15);
        assert!(!due(0, 33));
        assert!(due(0, 66));
        assert!(due(0, 60));
        assert!(due(100, 0), "a clock that was set back does not stop the picture");
        assert!(is_due(None, MediaTime(0), 15));
    }

    #[test]
    fn dropping_the_pipeline_ends_its_thread_though_the_camera_still_holds_the_input() {
        let (pipeline, _own, _frames) = start(settings(64, 36));
        let input = pipeline.input();
        drop(pipeline);
        input.push(picture(64, 36, 0));
    }
}
