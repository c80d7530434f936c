//! The receiving half of a client's picture path, and what is seen of it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_client::media::{DecodeQueue, FreezeMeter, Work};
use conclave_codec::{
    Av1Decoder, PictureScaler, VideoDecoder,
    quality::{psnr, ssim},
};
use conclave_model::{Layer, LeafIndex, MediaTime, Picture, TrackKind};
use conclave_session::{Command, RemoteFrame};

/// Decodes what comes, on the simulated clock: computing takes no time.
pub(crate) struct Viewer {
    queue: DecodeQueue,
    decoder: Av1Decoder,
    scaler: PictureScaler,
    freeze: FreezeMeter,
    last: Option<Instant>,
    /// One for each picture that was shown, in order.
    pub(crate) shown: Vec<Shown>,
    /// How many times so far a key frame was asked for.
    pub(crate) asked: usize,
    /// Each so many pictures one is compared with its source.
    every: usize,
}

/// A picture on the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) at: Instant,
    pub(crate) layer: Layer,
    pub(crate) height: u32,
    pub(crate) bytes: usize,
    pub(crate) key: bool,
    /// From captured to shown, in milliseconds.
    pub(crate) latency: f64,
    /// How long the picture before it stood.
    pub(crate) gap: Duration,
    /// Whether that was a freeze.
    pub(crate) frozen: bool,
    /// Against its source, at the camera's size; NaN where it was not compared.
    pub(crate) psnr: f64,
    pub(crate) ssim: f64,
}

impl Viewer {
    /// Compares one in `every` pictures.
    pub(crate) fn new(every: usize) -> Self {
        Self {
            queue: DecodeQueue::default(),
            decoder: Av1Decoder::new().unwrap(),
            scaler: PictureScaler::default(),
            freeze: FreezeMeter::default(),
            last: None,
            shown: Vec::new(),
            asked: 0,
            every,
        }
    }

    /// Takes in a frame; returns what its client asks of the session. `captured` is when a picture was taken, `source`
    /// that picture.
    pub(crate) fn take<'p>(
        &mut self,
        frame: RemoteFrame,
        now: Instant,
        captured: impl Fn(MediaTime) -> Instant,
        source: impl Fn(MediaTime) -> &'p Picture,
    ) -> Option<Command> {
        let leaf: LeafIndex = frame.from;
        let mut wish = None;
        self.queue.push(frame);
        while let Some(work) = self.queue.next() {
            match work {
                Work::AskForKeyFrame => {
                    self.asked += 1;
                    wish = Some(Command::NeedKeyFrame { leaf, track: TrackKind::Camera });
                }
                Work::Frame(frame) => match self.decoder.decode(&frame.frame) {
                    Ok(Some(picture)) => self.show(&frame, &picture, now, captured(picture.time), source(picture.time)),
                    Ok(None) => {}
                    Err(_) => self.queue.decoding_failed(),
                },
            }
        }
        wish
    }

    fn show(&mut self, frame: &RemoteFrame, picture: &Picture, now: Instant, captured: Instant, source: &Picture) {
        let first = *self.last.get_or_insert(now);
        let gap = now.duration_since(first);
        self.last = Some(now);
        let since = now.duration_since(captured);
        let frozen = self.freeze.shown(Duration::from_micros(picture.time.0) + since);
        let is_compared = self.shown.len().is_multiple_of(self.every);
        let (mut noise, mut likeness) = (f64::NAN, f64::NAN);
        if is_compared && let Ok(full) = self.scaler.scale(picture, source.width(), source.height()) {
            noise = psnr(&full, source).unwrap_or(f64::NAN);
            likeness = ssim(&full, source).unwrap_or(f64::NAN);
        }
        self.shown.push(Shown {
            at: now,
            layer: frame.frame.layer,
            height: picture.height(),
            bytes: frame.frame.data.len(),
            key: frame.frame.key,
            latency: since.as_secs_f64() * 1e3,
            gap,
            frozen,
            psnr: noise,
            ssim: likeness,
        });
    }
}

/// What was seen in a time.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) psnr: f64,
    pub(crate) ssim: f64,
    pub(crate) fps: f64,
    pub(crate) freezes: f64,
    pub(crate) longest_freeze: f64,
    pub(crate) longest_gap: f64,
    /// Share of the time.
    pub(crate) frozen: f64,
    pub(crate) kbps: f64,
    /// Shares by layer.
    pub(crate) layers: [f64; Layer::COUNT as usize],
    pub(crate) switches: f64,
    pub(crate) key_frames: f64,
    pub(crate) latencies: Vec<f64>,
}

impl Seen {
    /// Of the pictures that were shown between two moments. The time up to the end counts as a gap if it is the longest.
    pub(crate) fn between(shown: &[Shown], from: Instant, until: Instant) -> Self {
        let part: Vec<&Shown> = shown.iter().filter(|shown| (from..until).contains(&shown.at)).collect();
        let seconds = until.duration_since(from).as_secs_f64();
        let mean = |of: fn(&Shown) -> f64| {
            let values: Vec<f64> = part.iter().map(|shown| of(shown)).filter(|value| value.is_finite()).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        let last = part.last().map_or(from, |shown| shown.at);
        let gaps = part.iter().map(|shown| shown.gap).chain([until.duration_since(last)]);
        let frozen = || part.iter().filter(|shown| shown.frozen).map(|shown| shown.gap);
        let bytes: usize = part.iter().map(|shown| shown.bytes).sum();
        let mut layers = [0.0; Layer::COUNT as usize];
        for shown in &part {
            layers[usize::from(shown.layer.0)] += 1.0 / part.len() as f64;
        }
        let milliseconds = |gap: Option<Duration>| gap.unwrap_or_default().as_secs_f64() * 1e3;
        Self {
            psnr: mean(|shown| shown.psnr),
            ssim: mean(|shown| shown.ssim),
            fps: part.len() as f64 / seconds,
            freezes: frozen().count() as f64,
            longest_freeze: milliseconds(frozen().max()),
            longest_gap: milliseconds(gaps.max()),
            frozen: frozen().sum::<Duration>().as_secs_f64() / seconds,
            kbps: bytes as f64 * 8.0 / 1e3 / seconds,
            layers,
            switches: part.windows(2).filter(|pair| pair[0].layer != pair[1].layer).count() as f64,
            key_frames: part.iter().filter(|shown| shown.key).count() as f64,
            latencies: part.iter().map(|shown| shown.latency).collect(),
        }
    }

    /// The layer that most pictures had, if there were any.
    pub(crate) fn usual_layer(shown: &[Shown], from: Instant, until: Instant) -> Option<(Layer, u32)> {
        let mut counts = BTreeMap::new();
        for shown in shown.iter().filter(|shown| (from..until).contains(&shown.at)) {
            *counts.entry((shown.layer, shown.height)).or_insert(0) += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(which, _)| which)
    }
}
