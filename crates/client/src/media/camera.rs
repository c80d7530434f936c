//! From camera pictures to encoded frames.
//!
//! ```text
//! CameraInput ──▶ [scaler thread] ─┬─ 720 lines ─▶ [encoder thread] ─┐
//!                        │         ├─ 360 lines ─▶ [encoder thread] ─┼─▶ CameraOutput
//!                        ▼         └─ 180 lines ─▶ [encoder thread] ─┘
//!                    self view
//! ```

mod encoding;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use conclave_capture::Clock;
use conclave_codec::{CodecError, PictureScaler, VideoSettings};
use conclave_model::{EncodedFrame, Layer, MediaTime, Picture};

use super::{MediaError, inbox::Inbox, spawn};
use crate::frames::FrameSlot;
use encoding::{Encoding, Worker};

/// How many encodings there are at most.
const LAYERS: usize = Layer::COUNT as usize;

/// The self view is at least this large, whatever is encoded.
const SELF_VIEW: (u32, u32) = (640, 360);

/// Scales and encodes the own camera's pictures, each encoding on a thread of its own.
///
/// An encoding that nobody wants costs nothing. Only the newest picture counts: while one is being encoded, later ones
/// replace each other. An encoded picture has the camera's proportions, fits into the size of its settings and is never
/// larger than the camera's.
#[derive(Debug)]
pub struct CameraPipeline {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// Where the camera's pictures go in; clones feed the same pipeline.
#[derive(Clone, Debug)]
pub struct CameraInput(Arc<Shared>);

/// What comes out of a [`CameraPipeline`], on the thread of its encoding.
#[derive(Debug)]
pub enum CameraOutput {
    /// The next frame of its layer; its `encode_delay` reaches from the picture's time to now.
    Frame(EncodedFrame),
    /// An encoder failed. The next picture is tried with a new one.
    Failed(CodecError),
}

/// What a [`CameraPipeline`] has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameraCounters {
    /// Pictures that the camera gave.
    pub pictures: u64,
    /// Pictures that a newer one replaced before the scaler or an encoder came to them, or that came faster than wished.
    pub replaced: u64,
    /// Pictures of which frames came out, in however many encodings; of one layer: its frames.
    pub frames: u64,
    /// Key frames that came out.
    pub key_frames: u64,
    /// Bytes of all frames.
    pub bytes: u64,
}

#[derive(Debug)]
struct Shared {
    newest: Inbox<Option<Picture>>,
    encodings: [Arc<Encoding>; LAYERS],
    pictures: AtomicU64,
    replaced: AtomicU64,
    /// Pictures of which a frame came out, and the time of the newest.
    sent: (AtomicU64, AtomicU64),
    /// Width and height of the camera's last picture, 32 bits each.
    size: AtomicU64,
}

impl CameraPipeline {
    /// Starts the threads; nothing is encoded before [`Self::set`].
    ///
    /// Pictures arrive through [`Self::input`]. `own` shows each picture, for the self view. `sink` is called on the
    /// encoder threads and should not block for longer than a frame lasts.
    ///
    /// # Errors
    /// [`MediaError::Thread`].
    pub fn start(
        clock: Clock,
        own: Arc<FrameSlot>,
        sink: impl Fn(CameraOutput) + Send + Sync + 'static,
    ) -> Result<Self, MediaError> {
        let shared = Arc::new(Shared {
            newest: Inbox::new(None),
            encodings: std::array::from_fn(|_| Arc::new(Encoding::new())),
            pictures: AtomicU64::new(0),
            replaced: AtomicU64::new(0),
            sent: (AtomicU64::new(0), AtomicU64::new(0)),
            size: AtomicU64::new(0),
        });
        let told = Arc::clone(&shared);
        let sink = Arc::new(move |output: CameraOutput| {
            if let CameraOutput::Frame(frame) = &output
                && told.sent.1.fetch_max(frame.time.0, Ordering::Relaxed) < frame.time.0
            {
                told.sent.0.fetch_add(1, Ordering::Relaxed);
            }
            sink(output);
        });
        // A pipeline from the first thread on, so that those that run end where another does not start.
        let mut pipeline = Self { shared, threads: Vec::new() };
        for (number, encoding) in (0..).zip(&pipeline.shared.encodings) {
            let layer = Layer(number);
            let (shared, clock, sink) = (Arc::clone(encoding), Arc::clone(&clock), Arc::clone(&sink));
            let mut worker = Worker { layer, shared, clock, sink, encoder: None };
            pipeline.threads.push(spawn(&format!("camera-layer-{number}"), move || worker.run())?);
        }
        let mut feeder = Feeder {
            shared: Arc::clone(&pipeline.shared),
            own,
            scalers: std::array::from_fn(|_| PictureScaler::default()),
            own_scaler: PictureScaler::default(),
            last: [None; LAYERS],
        };
        pipeline.threads.push(spawn("camera-scaler", move || feeder.run())?);
        Ok(pipeline)
    }

    /// Where pictures go in.
    pub fn input(&self) -> CameraInput {
        CameraInput(Arc::clone(&self.shared))
    }

    /// What to encode from the next picture on, lowest layer first; width and height are a box that it fits into.
    ///
    /// A layer that begins, or whose size changes, begins with a key frame; bitrate and rate change without one.
    pub fn set(&self, settings: [Option<VideoSettings>; LAYERS]) {
        for (encoding, settings) in self.shared.encodings.iter().zip(settings) {
            encoding.set(settings);
        }
    }

    /// Makes the next frame of a layer one that a decoder can begin with; of the next lower one where it is not encoded.
    pub fn request_key_frame(&self, layer: Layer) {
        let up_to = usize::from(layer.0) + 1;
        let mut lower = self.shared.encodings.iter().take(up_to).rev();
        if let Some(encoding) = lower.find(|encoding| encoding.settings().is_some()) {
            encoding.request_key_frame();
        }
    }

    /// The largest share of the time between two pictures that encoding one took since last asked, over all encodings;
    /// `None` where nothing was encoded.
    pub fn take_share(&self) -> Option<f64> {
        self.shared.encodings.iter().filter_map(|encoding| encoding.take_share()).reduce(f64::max)
    }

    /// Width and height of the camera's last picture; `None` before the first.
    pub fn camera_size(&self) -> Option<(u32, u32)> {
        let size = self.shared.size.load(Ordering::Relaxed);
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
        (size != 0).then(|| (half(size >> 32), half(size)))
    }

    /// What has been done so far.
    pub fn counters(&self) -> CameraCounters {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut counters = CameraCounters {
            pictures: count(&self.shared.pictures),
            replaced: count(&self.shared.replaced),
            ..CameraCounters::default()
        };
        self.shared.encodings.iter().for_each(|encoding| encoding.count(&mut counters));
        counters.frames = count(&self.shared.sent.0);
        counters
    }

    /// What one layer has made so far; the pictures are those of the camera.
    pub fn counters_of(&self, layer: Layer) -> CameraCounters {
        let pictures = self.shared.pictures.load(Ordering::Relaxed);
        let mut counters = CameraCounters { pictures, ..CameraCounters::default() };
        if let Some(encoding) = self.shared.encodings.get(usize::from(layer.0)) {
            encoding.count(&mut counters);
        }
        counters
    }
}

impl Drop for CameraPipeline {
    fn drop(&mut self) {
        self.shared.newest.close();
        self.shared.encodings.iter().for_each(|encoding| encoding.close());
        for thread in self.threads.drain(..) {
            // A panic of a thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl CameraInput {
    /// Gives the newest picture, in place of one that is still waiting. Never waits for an encoder.
    pub fn push(&self, picture: Picture) {
        self.0.pictures.fetch_add(1, Ordering::Relaxed);
        self.0.size.store(u64::from(picture.width()) << 32 | u64::from(picture.height()), Ordering::Relaxed);
        if self.0.newest.change(|newest| newest.replace(picture)).is_some() {
            self.0.replaced.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The scaler thread's own.
struct Feeder {
    shared: Arc<Shared>,
    own: Arc<FrameSlot>,
    scalers: [PictureScaler; LAYERS],
    own_scaler: PictureScaler,
    /// The time of the last picture of each encoding.
    last: [Option<MediaTime>; LAYERS],
}

impl Feeder {
    fn run(&mut self) {
        while let Some(picture) = self.shared.newest.wait(Option::take) {
            if let Err(error) = self.feed(Arc::new(picture)) {
                tracing::debug!(%error, "a picture of the camera was not scaled");
            }
        }
    }

    /// Gives a picture to each encoding for which one is due, in its size, and to the self view.
    ///
    /// Each is made from the next larger one, so that all together cost little more than the largest.
    fn feed(&mut self, picture: Arc<Picture>) -> Result<(), CodecError> {
        let camera = (picture.width(), picture.height());
        let mut source = picture;
        let mut is_shown = false;
        for layer in (0..LAYERS).rev() {
            let Some(settings) = self.shared.encodings[layer].settings() else {
                self.last[layer] = None;
                continue;
            };
            let size = fitted(camera, (settings.width, settings.height));
            if !is_shown && !covers(size, fitted(camera, SELF_VIEW)) {
                self.show(&source, camera)?;
                is_shown = true;
            }
            if !is_due(self.last[layer], source.time, settings.frames_per_second) {
                self.shared.replaced.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            self.last[layer] = Some(source.time);
            source = scaled(&mut self.scalers[layer], &source, size)?;
            self.shared.encodings[layer].push(Arc::clone(&source));
            if !is_shown {
                self.own.put(Arc::clone(&source));
                is_shown = true;
            }
        }
        if !is_shown {
            self.show(&source, camera)?;
        }
        Ok(())
    }

    fn show(&mut self, source: &Arc<Picture>, camera: (u32, u32)) -> Result<(), CodecError> {
        self.own.put(scaled(&mut self.own_scaler, source, fitted(camera, SELF_VIEW))?);
        Ok(())
    }
}

fn scaled(scaler: &mut PictureScaler, source: &Arc<Picture>, size: (u32, u32)) -> Result<Arc<Picture>, CodecError> {
    if (source.width(), source.height()) == size {
        return Ok(Arc::clone(source));
    }
    scaler.scale(source, size.0, size.1).map(Arc::new)
}

/// Whether a picture of one size is no smaller than one of the other.
fn covers(size: (u32, u32), other: (u32, u32)) -> bool {
    size.0 >= other.0 && size.1 >= other.1
}

/// Whether a picture taken at `time` is wanted after one taken at `last`; lets 30 fps with jitter pass a wish for 30.
fn is_due(last: Option<MediaTime>, time: MediaTime, frames_per_second: u32) -> bool {
    let interval = Duration::from_secs(1) / frames_per_second.max(1);
    last.is_none_or(|last| time < last || time.since(last) >= interval * 3 / 4)
}

/// The largest size with even sides and the camera's proportions that fits into `wished` and is no larger than the
/// camera's picture.
pub(crate) fn fitted(camera: (u32, u32), wished: (u32, u32)) -> (u32, u32) {
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
    use conclave_model::Bitrate;

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

    fn start(plan: [Option<VideoSettings>; LAYERS]) -> (CameraPipeline, Arc<FrameSlot>, Receiver<EncodedFrame>) {
        let own = Arc::<FrameSlot>::default();
        let (sender, frames) = mpsc::sync_channel(100);
        let clock: Clock = Arc::new(|| MediaTime(10_000_000));
        let pipeline = CameraPipeline::start(clock, Arc::clone(&own), move |output| match output {
            CameraOutput::Frame(frame) => sender.send(frame).unwrap(),
            CameraOutput::Failed(error) => panic!("{error}"),
        })
        .unwrap();
        pipeline.set(plan);
        (pipeline, own, frames)
    }

    fn picture(width: u32, height: u32, milliseconds: u64) -> Picture {
        Picture::black(width, height, MediaTime(milliseconds * 1000)).unwrap()
    }

    /// The next frames of all layers, by layer.
    fn next(frames: &Receiver<EncodedFrame>, count: usize) -> Vec<EncodedFrame> {
        let mut found: Vec<_> = (0..count).map(|_| frames.recv_timeout(10 * SECOND).unwrap()).collect();
        found.sort_by_key(|frame| frame.layer);
        found
    }

    #[test]
    fn the_encoded_size_keeps_the_proportions_and_never_grows() {
        assert_eq!(fitted((1280, 720), (640, 360)), (640, 360));
        assert_eq!(fitted((640, 480), (640, 360)), (480, 360));
        assert_eq!(fitted((320, 240), (1280, 720)), (320, 240));
        assert_eq!(fitted((1081, 1921), (640, 360)), (202, 360));
        assert_eq!(fitted((4096, 2), (640, 360)), (640, 16));
    }

    #[test]
    fn each_layer_comes_out_in_its_size_with_its_delay() {
        use conclave_codec::{Av1Decoder, VideoDecoder};

        let (pipeline, own, frames) =
            start([Some(settings(64, 36)), Some(settings(128, 72)), Some(settings(256, 144))]);
        pipeline.input().push(picture(256, 192, 9_900));
        let sizes = next(&frames, 3).into_iter().map(|frame| {
            assert!(frame.key);
            assert_eq!(frame.encode_delay, Duration::from_millis(100));
            let shown = Av1Decoder::new().unwrap().decode(&frame).unwrap().unwrap();
            (frame.layer.0, shown.width(), shown.height())
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [(0, 48, 36), (1, 96, 72), (2, 192, 144)]);
        assert_eq!(pipeline.camera_size(), Some((256, 192)));
        assert!(own.latest().is_some());
    }

    #[test]
    fn nobody_is_encoded_for_but_the_self_view_goes_on() {
        let (pipeline, own, frames) = start([None, None, None]);
        pipeline.input().push(picture(1280, 720, 0));
        // The layer that is wanted now gets the second picture as its first.
        while own.latest().is_none() {
            std::thread::yield_now();
        }
        let shown = own.latest().unwrap();
        assert_eq!((shown.width(), shown.height()), SELF_VIEW);
        pipeline.set([None, Some(settings(64, 36)), None]);
        pipeline.input().push(picture(1280, 720, 40));
        let first = frames.recv_timeout(10 * SECOND).unwrap();
        assert_eq!((first.time, first.layer, first.key), (MediaTime(40_000), Layer(1), true));
        assert_eq!(pipeline.counters().frames, 1);
    }

    #[test]
    fn a_small_layer_alone_does_not_make_the_self_view_small() {
        let (pipeline, own, frames) = start([Some(settings(64, 36)), None, None]);
        pipeline.input().push(picture(1280, 720, 0));
        frames.recv_timeout(10 * SECOND).unwrap();
        let shown = own.latest().unwrap();
        assert_eq!((shown.width(), shown.height()), SELF_VIEW);
    }

    #[test]
    fn a_key_frame_for_one_layer_is_made_in_that_layer_only() {
        let (pipeline, _own, frames) = start([Some(settings(32, 18)), Some(settings(64, 36)), None]);
        let mut keys = Vec::new();
        for number in 0..5 {
            match number {
                1 => pipeline.request_key_frame(Layer(0)),
                2 => pipeline.request_key_frame(Layer(1)),
                // Where it is not encoded, whoever wants it watches the next lower one.
                3 => pipeline.request_key_frame(Layer(2)),
                _ => {}
            }
            pipeline.input().push(picture(128, 72, number * 40));
            keys.push(next(&frames, 2).iter().map(|frame| frame.key).collect::<Vec<_>>());
        }
        assert_eq!(keys, [[true, true], [true, false], [false, true], [false, true], [false, false]]);
        assert_eq!(pipeline.counters_of(Layer(1)).key_frames, 3);
        assert_eq!((pipeline.counters_of(Layer(0)).frames, pipeline.counters().frames), (5, 4), "one is of time 0");
    }

    #[test]
    fn a_new_size_begins_with_a_key_frame_and_a_new_rate_or_bitrate_does_not() {
        let (pipeline, _own, frames) = start([Some(settings(64, 36)), None, None]);
        let mut keys = Vec::new();
        for number in 0..5 {
            match number {
                1 => pipeline.set([Some(VideoSettings { frames_per_second: 15, ..settings(64, 36) }), None, None]),
                2 => pipeline.set([Some(VideoSettings { bitrate: Bitrate::kbps(90), ..settings(64, 36) }), None, None]),
                3 => pipeline.set([Some(settings(32, 18)), None, None]),
                _ => {}
            }
            pipeline.input().push(picture(128, 72, number * 80));
            keys.push(frames.recv_timeout(10 * SECOND).unwrap().key);
        }
        assert_eq!(keys, [true, false, false, true, false]);
    }

    #[test]
    fn a_layer_that_is_wanted_again_begins_with_a_key_frame() {
        let (pipeline, _own, frames) = start([Some(settings(64, 36)), Some(settings(128, 72)), None]);
        for number in 0..3 {
            let high = (number != 1).then(|| settings(128, 72));
            pipeline.set([Some(settings(64, 36)), high, None]);
            pipeline.input().push(picture(128, 72, number * 40));
            let keys: Vec<_> = next(&frames, 1 + usize::from(number != 1)).iter().map(|frame| frame.key).collect();
            assert_eq!(keys, [vec![true, true], vec![false], vec![false, true]][number as usize]);
        }
    }

    #[test]
    fn the_newest_picture_wins_while_the_encoder_is_busy() {
        let (release, gate) = mpsc::sync_channel::<()>(100);
        let gate = std::sync::Mutex::new(gate);
        let (sender, frames) = mpsc::sync_channel(100);
        let clock: Clock = Arc::new(|| MediaTime(0));
        let own = Arc::<FrameSlot>::default();
        let pipeline = CameraPipeline::start(clock, Arc::clone(&own), move |output| {
            if let CameraOutput::Frame(frame) = output {
                sender.send(frame.time).unwrap();
                let _ = gate.lock().unwrap().recv();
            }
        })
        .unwrap();
        pipeline.set([Some(settings(64, 36)), None, None]);
        let input = pipeline.input();
        input.push(picture(64, 36, 0));
        assert_eq!(frames.recv_timeout(10 * SECOND).unwrap(), MediaTime(0));
        for time in [40, 80, 120] {
            input.push(picture(64, 36, time));
            // The scaler has passed it on when it is shown.
            while own.latest().is_none_or(|shown| shown.time != MediaTime(time * 1000)) {
                std::thread::yield_now();
            }
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
    fn dropping_the_pipeline_ends_its_threads_though_the_camera_still_holds_the_input() {
        let (pipeline, _own, _frames) = start([Some(settings(64, 36)), None, None]);
        let input = pipeline.input();
        drop(pipeline);
        input.push(picture(64, 36, 0));
    }
}
