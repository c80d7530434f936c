//! From received pictures to the slot from which the window takes them.

use std::{sync::Arc, thread::JoinHandle};

use conclave_codec::{Av1Decoder, CodecError, VideoDecoder};
use conclave_model::{Layer, Picture, TrackKind};
use conclave_session::RemoteFrame;

use super::{
    FrameTimes, FreezeMeter, Hold, MediaError, Stages,
    inbox::Inbox,
    no_hold,
    queue::{DecodeQueue, Work},
    spawn,
};
use crate::{
    clock::{media_time, now},
    frames::FrameSlot,
    report::{LatencyReport, StagesReport},
};

/// Decodes one track on a thread of its own and puts the newest picture into a slot.
#[derive(Debug)]
pub struct VideoReceiver {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What a [`VideoReceiver`] tells, on its decoder thread.
#[derive(Debug)]
pub enum VideoEvent<'a> {
    /// A picture lies in the slot.
    Shown {
        /// Its frame number on the wire.
        number: u32,
        /// The picture.
        picture: &'a Arc<Picture>,
    },
    /// The decoder needs a key frame to go on.
    NeedKeyFrame,
    /// A frame could not be decoded. [`VideoEvent::NeedKeyFrame`] follows where it is needed.
    Failed(CodecError),
}

/// What a [`VideoReceiver`] has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VideoStatistics {
    /// Frames that came in.
    pub received: u64,
    /// Bytes of these frames.
    pub bytes: u64,
    /// Pictures that were decoded and shown.
    pub decoded: u64,
    /// Frames that were never decoded: they followed a gap, or the decoder was too slow.
    pub dropped: u64,
    /// Frames that the decoder refused.
    pub failed: u64,
    /// Pictures per second while the track was not paused.
    pub frames_per_second: f64,
    /// Bits per second of the bitstream while the track was not paused.
    pub bits_per_second: f64,
    /// How often the picture stood still, see [`FreezeMeter`].
    pub freezes: u64,
    /// The longest time between two pictures, in milliseconds.
    pub longest_gap_ms: f64,
    /// Width and height of the last picture; 0 before the first.
    pub size: [u32; 2],
    /// Which encoding the last picture was of; `None` before the first.
    pub layer: Option<Layer>,
    /// How often another encoding took over.
    pub switches: u64,
    /// From captured to ready in the slot.
    pub latency: LatencyReport,
    /// The parts of it.
    pub stages: StagesReport,
}

#[derive(Debug)]
struct Shared {
    inbox: Inbox<Content>,
}

#[derive(Debug, Default)]
struct Content {
    queue: DecodeQueue,
    tally: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    layer: Option<Layer>,
    switches: u64,
    received: u64,
    bytes: u64,
    decoded: u64,
    failed: u64,
    size: [u32; 2],
    freeze: FreezeMeter,
    stages: Stages,
}

impl VideoReceiver {
    /// Starts the decoder thread for a camera; `name` tells threads apart for people.
    ///
    /// `sink` is called on the decoder thread and should not block for longer than a frame lasts.
    ///
    /// # Errors
    /// [`MediaError`] where the decoder or the thread cannot be had.
    pub fn start(
        name: &str,
        slot: Arc<FrameSlot>,
        sink: impl FnMut(VideoEvent<'_>) + Send + 'static,
    ) -> Result<Self, MediaError> {
        Self::start_in_step(name, TrackKind::Camera, slot, no_hold(), sink)
    }

    /// As [`VideoReceiver::start`]; each picture waits for its sound as long as `hold` says before it is shown.
    ///
    /// `track` says how large pictures may be; larger ones are refused as if they were damaged.
    ///
    /// # Errors
    /// As [`VideoReceiver::start`].
    pub fn start_in_step(
        name: &str,
        track: TrackKind,
        slot: Arc<FrameSlot>,
        hold: Hold,
        sink: impl FnMut(VideoEvent<'_>) + Send + 'static,
    ) -> Result<Self, MediaError> {
        let shared = Arc::new(Shared { inbox: Inbox::new(Content::default()) });
        let decoder = Av1Decoder::up_to(if track == TrackKind::Screen { SCREEN } else { CAMERA })?;
        let mut worker = Worker { shared: Arc::clone(&shared), slot, hold, decoder, sink };
        let thread = spawn(name, move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Gives the next frame of the track. Never waits for the decoder.
    pub fn push(&self, frame: RemoteFrame) {
        self.shared.inbox.change(|content| {
            content.tally.received += 1;
            content.tally.bytes += frame.frame.data.len() as u64;
            content.queue.push(frame);
        });
    }

    /// Tells that the track stops on purpose: the gap until the next picture is no freeze.
    pub fn pause(&self) {
        self.shared.inbox.change(|content| content.tally.freeze.pause());
    }

    /// What has been seen so far. Sorts the times of some thousand frames: not for every repaint.
    pub fn statistics(&self) -> VideoStatistics {
        let (statistics, stages) = self.shared.inbox.change(|Content { queue, tally }| {
            let watched = tally.freeze.watched().as_secs_f64();
            let statistics = VideoStatistics {
                received: tally.received,
                bytes: tally.bytes,
                decoded: tally.decoded,
                dropped: queue.dropped(),
                failed: tally.failed,
                frames_per_second: tally.freeze.rate(),
                bits_per_second: if watched > 0.0 { tally.bytes as f64 * 8.0 / watched } else { 0.0 },
                freezes: tally.freeze.freezes(),
                longest_gap_ms: tally.freeze.longest().as_secs_f64() * 1000.0,
                size: tally.size,
                layer: tally.layer,
                switches: tally.switches,
                ..VideoStatistics::default()
            };
            (statistics, tally.stages.clone())
        });
        VideoStatistics { latency: stages.latency(), stages: stages.report(), ..statistics }
    }
}

impl Drop for VideoReceiver {
    fn drop(&mut self) {
        self.shared.inbox.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the decoder thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

/// The decoder thread's own.
struct Worker<S> {
    shared: Arc<Shared>,
    slot: Arc<FrameSlot>,
    hold: Hold,
    decoder: Av1Decoder,
    sink: S,
}

impl<S: FnMut(VideoEvent<'_>)> Worker<S> {
    fn run(&mut self) {
        while let Some(work) = self.shared.inbox.wait(|content| content.queue.next()) {
            match work {
                Work::AskForKeyFrame => (self.sink)(VideoEvent::NeedKeyFrame),
                Work::Frame(frame) => self.decode(&frame),
            }
        }
    }

    fn decode(&mut self, frame: &RemoteFrame) {
        match self.decoder.decode(&frame.frame) {
            Ok(Some(picture)) => self.show(frame, picture),
            Ok(None) => {}
            Err(error) => {
                self.shared.inbox.change(|content| {
                    content.tally.failed += 1;
                    content.queue.decoding_failed();
                });
                (self.sink)(VideoEvent::Failed(error));
            }
        }
    }

    fn show(&mut self, frame: &RemoteFrame, picture: Picture) {
        let decoded = media_time(now());
        let picture = Arc::new(picture);
        let wait = (self.hold)(frame.frame.time, decoded);
        if !wait.is_zero() && !self.shared.inbox.rest(wait) {
            return;
        }
        self.slot.put(Arc::clone(&picture));
        let ready = media_time(now());
        let captured = frame.frame.time;
        let times = FrameTimes {
            captured,
            encoded: captured + frame.frame.encode_delay,
            received: media_time(frame.received),
            opened: media_time(frame.opened),
            decoded,
            ready,
        };
        self.shared.inbox.change(|Content { tally, .. }| {
            tally.decoded += 1;
            let before = tally.layer.replace(frame.frame.layer);
            tally.switches += u64::from(before.is_some_and(|before| before != frame.frame.layer));
            tally.size = [picture.width(), picture.height()];
            tally.freeze.shown(std::time::Duration::from_micros(ready.0));
            tally.stages.add(times);
        });
        (self.sink)(VideoEvent::Shown { number: frame.number, picture: &picture });
    }
}

/// The pixels of the largest pictures that are decoded: more than any of ours has, and few enough that whoever lies about
/// a size costs a receiver some ten megabytes.
const CAMERA: u32 = 1920 * 1200;
const SCREEN: u32 = 2560 * 1600;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{sync::mpsc, time::Duration};

    use conclave_codec::{Av1Encoder, Content, VideoEncoder, VideoSettings};
    use conclave_model::{Bitrate, EncodedFrame, LeafIndex};

    use super::*;

    #[derive(Debug, PartialEq)]
    enum Told {
        Shown(u32),
        NeedKeyFrame,
        Failed,
    }

    fn start() -> (VideoReceiver, Arc<FrameSlot>, mpsc::Receiver<Told>) {
        let slot = Arc::<FrameSlot>::default();
        let (sender, told) = mpsc::sync_channel(100);
        let receiver = VideoReceiver::start("test-decoder", Arc::clone(&slot), move |event| {
            let event = match event {
                VideoEvent::Shown { number, .. } => Told::Shown(number),
                VideoEvent::NeedKeyFrame => Told::NeedKeyFrame,
                VideoEvent::Failed(_) => Told::Failed,
            };
            sender.send(event).unwrap();
        });
        (receiver.unwrap(), slot, told)
    }

    fn encoded(count: u64) -> Vec<EncodedFrame> {
        let settings = VideoSettings {
            width: 64,
            height: 48,
            frames_per_second: 25,
            bitrate: Bitrate::kbps(200),
            threads: 1,
            content: Content::Camera,
        };
        let mut encoder = Av1Encoder::new(settings).unwrap();
        let base = media_time(now());
        (0..count)
            .map(|at| {
                let picture = Picture::black(64, 48, base + Duration::from_millis(at * 40)).unwrap();
                let frame = encoder.encode(&picture, false).unwrap().unwrap();
                EncodedFrame { encode_delay: Duration::from_millis(3), ..frame }
            })
            .collect()
    }

    fn remote(number: u32, frame: EncodedFrame) -> RemoteFrame {
        let now = now();
        RemoteFrame { from: LeafIndex(1), track: TrackKind::Camera, number, frame, received: now, opened: now }
    }

    fn next(told: &mpsc::Receiver<Told>) -> Told {
        told.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn frames_become_the_newest_picture_and_are_counted() {
        let (receiver, slot, told) = start();
        let frames = encoded(3);
        let last = frames[2].time;
        for (number, frame) in (0..).zip(frames) {
            receiver.push(remote(number, frame));
        }
        assert_eq!([next(&told), next(&told), next(&told)], [Told::Shown(0), Told::Shown(1), Told::Shown(2)]);
        assert_eq!(slot.latest().unwrap().time, last);
        assert_eq!(slot.generation(), 3);
        let statistics = receiver.statistics();
        assert_eq!((statistics.received, statistics.decoded, statistics.dropped), (3, 3, 0));
        assert_eq!(statistics.size, [64, 48]);
        assert!((statistics.stages.encode.p50 - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_picture_waits_for_its_sound_and_none_is_lost_by_that() {
        let (sender, told) = mpsc::sync_channel(100);
        let hold: Hold = Arc::new(|captured, now| (captured + Duration::from_millis(300)).since(now));
        let slot = Arc::<FrameSlot>::default();
        let receiver =
            VideoReceiver::start_in_step("test-decoder", TrackKind::Camera, Arc::clone(&slot), hold, move |event| {
                if let VideoEvent::Shown { picture, .. } = event {
                    sender.send((picture.time, media_time(now()))).unwrap();
                }
            })
            .unwrap();
        for (number, frame) in (0..).zip(encoded(3)) {
            receiver.push(remote(number, frame));
        }
        for _ in 0..3 {
            let (captured, shown) = told.recv_timeout(Duration::from_secs(10)).unwrap();
            assert!(shown >= captured + Duration::from_millis(300));
        }
    }

    #[test]
    fn a_gap_asks_for_a_key_frame_and_keeps_the_last_good_picture() {
        let (receiver, slot, told) = start();
        let mut frames = encoded(4).into_iter();
        receiver.push(remote(0, frames.next().unwrap()));
        assert_eq!(next(&told), Told::Shown(0));
        let shown = slot.latest().unwrap();
        // The fourth needs the third.
        receiver.push(remote(3, frames.nth(2).unwrap()));
        assert_eq!(next(&told), Told::NeedKeyFrame);
        assert_eq!(slot.latest().unwrap(), shown);
        assert_eq!(receiver.statistics().dropped, 1);
    }

    #[test]
    fn garbage_is_a_counted_failure_and_a_key_frame_repairs_it() {
        let (receiver, _slot, told) = start();
        let frames = encoded(1);
        let garbage = EncodedFrame { data: vec![0xa5; 700].into(), ..frames[0].clone() };
        receiver.push(remote(0, garbage));
        assert_eq!([next(&told), next(&told)], [Told::Failed, Told::NeedKeyFrame]);
        receiver.push(remote(1, frames[0].clone()));
        assert_eq!(next(&told), Told::Shown(1));
        assert_eq!(receiver.statistics().failed, 1);
    }
}
