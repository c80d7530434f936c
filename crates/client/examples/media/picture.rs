//! The picture of one camera through the whole path at every loss, with the voice beside it.

use std::time::{Duration, Instant};

use conclave_capture::PIECE_SAMPLES;
use conclave_client::media::SoundSource;
use conclave_model::{LeafIndex, MediaTime, TrackKind};
use conclave_session::{Command, MemberState, MemberWish, SourceState};
use conclave_sim::stage::{Happening, Stage, StageError};
use serde_json::Value;

use super::{
    Options,
    camera::Camera,
    clip::Clip,
    median, percentile,
    rig::Point,
    sources,
    speech::{PIECE, Speaker, ZERO},
    table::{Cell, Table, number, word},
    viewer::{Seen, Viewer},
};

/// How long a call goes on before anything counts.
const WARM_UP: Duration = Duration::from_secs(5);

/// One who shows itself and speaks, and one who watches and listens.
pub(crate) struct Call<'c> {
    pub(crate) stage: Stage,
    start: Instant,
    clip: &'c Clip,
    camera: Camera,
    pictures: u32,
    voice: Vec<f32>,
    speaker: Speaker,
    sounds: u32,
    pub(crate) viewer: Viewer,
    pub(crate) listener: SoundSource,
    /// For each 10 ms that were heard: when, and from capture to leaving the mixer, in milliseconds.
    pub(crate) delays: Vec<(Instant, f64)>,
}

impl<'c> Call<'c> {
    /// Compares one in `every` pictures with its source.
    pub(crate) fn new(clip: &'c Clip, seed: u64, every: usize) -> Result<Self, StageError> {
        let mut stage = Stage::assemble(2, seed, Instant::now())?;
        let camera = Camera::new();
        stage.command(0, Command::DesiredBitrate(camera.desired()))?;
        let on = MemberState { microphone: SourceState::On, camera: SourceState::On, ..MemberState::default() };
        stage.command(0, Command::Announce(on))?;
        let start = stage.now();
        let leaf = stage.leaf(0).unwrap_or(LeafIndex(0));
        stage.command(1, Command::Wishes(vec![MemberWish { leaf, track: TrackKind::Camera, height: 720 }]))?;
        Ok(Self {
            stage,
            start,
            clip,
            camera,
            pictures: 0,
            voice: sources::drawn(10),
            speaker: Speaker::new(),
            sounds: 0,
            viewer: Viewer::new(every),
            listener: SoundSource::new(leaf, TrackKind::Microphone).unwrap(),
            delays: Vec::new(),
        })
    }

    /// Goes on for so long.
    pub(crate) fn run(&mut self, length: Duration) -> Result<(), StageError> {
        let end = self.stage.now() + length;
        loop {
            let picture = self.start + self.clip.interval * self.pictures;
            let sound = self.start + PIECE * (self.sounds + 1);
            let next = picture.min(sound);
            if next >= end {
                return self.listen(end);
            }
            self.listen(next)?;
            if next == picture {
                let time = ZERO + self.clip.interval * self.pictures;
                let taken = self.clip.picture(u64::from(self.pictures));
                self.pictures += 1;
                for frame in self.camera.take(taken, time) {
                    self.stage.send(0, TrackKind::Camera, frame)?;
                }
            } else {
                self.speak(next)?;
            }
        }
    }

    fn speak(&mut self, now: Instant) -> Result<(), StageError> {
        let time = ZERO + PIECE * self.sounds;
        let from = self.sounds as usize * PIECE_SAMPLES % self.voice.len();
        self.sounds += 1;
        if let Some(frame) = self.speaker.say(time, &self.voice[from..from + PIECE_SAMPLES]) {
            self.stage.send(0, TrackKind::Microphone, frame)?;
        }
        if let Some(frame) = self.listener.piece(now) {
            let captured = self.start + frame.time.since(ZERO);
            self.delays.push((now, now.saturating_duration_since(captured).as_secs_f64() * 1e3));
        }
        Ok(())
    }

    fn listen(&mut self, until: Instant) -> Result<(), StageError> {
        while let Some((who, happening)) = self.stage.advance(until)? {
            let now = self.stage.now();
            match (who, happening) {
                (0, Happening::Event(event)) => {
                    self.camera.on_event(&event);
                    self.speaker.on_event(&event, now);
                }
                (1, Happening::Frame(frame)) if frame.track == TrackKind::Microphone => self.listener.insert(frame),
                (1, Happening::Frame(frame)) => {
                    let (start, clip) = (self.start, self.clip);
                    let captured = |time: MediaTime| start + time.since(ZERO);
                    let source = |time: MediaTime| {
                        let place = time.since(ZERO).as_secs_f64() / clip.interval.as_secs_f64();
                        clip.picture(place.round() as u64)
                    };
                    if let Some(command) = self.viewer.take(frame, now, captured, source) {
                        self.stage.command(1, command)?;
                    }
                }
                (_, Happening::Event(_) | Happening::Frame(_)) => {}
            }
        }
        Ok(())
    }
}

/// Measures all points; returns their rows.
pub(crate) fn measure(options: &Options) -> Value {
    let clip = Clip::load(options);
    let mut points = Point::all(options);
    // The point that the design names.
    points.extend(Point::design());
    let jobs: Vec<(Point, u64)> =
        points.iter().flat_map(|point| (0..options.seeds).map(|seed| (*point, seed))).collect();
    let length = if options.short { Duration::from_secs(2) } else { Duration::from_secs(15) };
    let seen = options.spread(&jobs, |(point, seed)| one(&clip, point, *seed, length).unwrap());
    let mut table = Table::new(format!("picture: {}, {} s × {} seeds", clip.name, length.as_secs(), options.seeds));
    let rows: Vec<(&Point, &[Seen])> = points.iter().zip(seen.chunks(options.seeds as usize)).collect();
    for (point, seen) in &rows {
        let calm = rows
            .iter()
            .find(|(other, _)| other.share() == 0.0 && (other.at, other.round_trip) == (point.at, point.round_trip));
        table.add(row(point, seen, calm.map(|(_, seen)| middle(seen, |seen| seen.psnr))));
    }
    table.finish()
}

fn one(clip: &Clip, point: &Point, seed: u64, length: Duration) -> Result<Seen, StageError> {
    let mut call = Call::new(clip, seed, 5)?;
    point.apply(&mut call.stage);
    call.run(if length < WARM_UP { Duration::from_secs(1) } else { WARM_UP })?;
    let from = call.stage.now();
    call.run(length)?;
    Ok(Seen::between(&call.viewer.shown, from, call.stage.now()))
}

fn middle(seen: &[Seen], of: fn(&Seen) -> f64) -> f64 {
    median(&seen.iter().map(of).collect::<Vec<_>>())
}

fn row(point: &Point, seen: &[Seen], calm: Option<f64>) -> Vec<(&'static str, Cell)> {
    let middle = |of| middle(seen, of);
    // Freezes are rare: what the worst of the seeds had counts.
    let worst = |of: fn(&Seen) -> f64| seen.iter().map(of).fold(0.0, f64::max);
    let loss_db = calm.map_or(f64::NAN, |calm| calm - middle(|seen| seen.psnr));
    let is_target = *point == Point::design()[1];
    let met = worst(|seen| seen.longest_gap) <= 200.0 && loss_db <= 1.0;
    let layers = (0..3).map(|at| seen.iter().map(|seen| seen.layers[at]).sum::<f64>() / seen.len() as f64);
    vec![
        ("where", word(point.place())),
        ("round_trip", Cell::Number(point.round_trip.as_secs_f64() * 1e3, 0)),
        ("loss", word(point.kind())),
        ("share", Cell::Share(point.share())),
        ("psnr", number(middle(|seen| seen.psnr))),
        ("loss_db", number(loss_db)),
        ("ssim", Cell::Number(middle(|seen| seen.ssim), 3)),
        ("fps", number(middle(|seen| seen.fps))),
        ("freezes", Cell::Number(worst(|seen| seen.freezes), 0)),
        ("longest_freeze", Cell::Number(worst(|seen| seen.longest_freeze), 0)),
        ("longest_gap", Cell::Number(worst(|seen| seen.longest_gap), 0)),
        ("frozen", Cell::Share(middle(|seen| seen.frozen))),
        ("kbps", Cell::Number(middle(|seen| seen.kbps), 0)),
        ("layers", Cell::Shares(layers.collect())),
        ("switches", Cell::Number(middle(|seen| seen.switches), 0)),
        ("key_frames", Cell::Number(middle(|seen| seen.key_frames), 0)),
        ("latency_p50", number(middle(|seen| percentile(&seen.latencies, 50)))),
        ("latency_p95", number(middle(|seen| percentile(&seen.latencies, 95)))),
        ("met", Cell::Met(is_target.then_some(met))),
    ]
}
