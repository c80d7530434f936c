//! Speech through the whole path at every loss, and beside it what Opus alone does on the same line.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_capture::{FRAME_SAMPLES, PIECE_SAMPLES};
use conclave_client::media::{FrameControl, Redundancy, RedundancyControl, SoundSource, VoiceEncoder};
use conclave_codec::{AudioDecoder, AudioEncoder, AudioSettings, OpusDecoder, OpusEncoder, Protection};
use conclave_model::{Bitrate, EncodedFrame, Layer, LeafIndex, MediaTime, TrackKind};
use conclave_session::{Command, Event, Quality};
use conclave_sim::stage::{Happening, LineSpec, Packets, Stage, StageError};
use serde_json::Value;

use super::{
    Options,
    camera::Camera,
    median, percentile, pesq,
    rig::Point,
    sources::{self, Speech},
    table::{Cell, Table, number, word},
};

/// What Opus alone has in a packet: 20 ms.
const FRAME: Duration = Duration::from_millis(20);
const SAMPLES: usize = FRAME_SAMPLES;

/// What a microphone gives and a loudspeaker takes at once: 10 ms.
pub(crate) const PIECE: Duration = Duration::from_millis(10);

/// What a receiver may hold sound back by, as the client reckons.
const JITTER_BUDGET: Duration = Duration::from_millis(120);

/// How long the line is known before anything counts: reports come once a second.
const WARM_UP: Duration = Duration::from_secs(8);

/// When the loudspeaker asks for sound, after each packet was sent; what is between the two clocks of two machines.
const PHASE: Duration = Duration::from_millis(4);

/// Capture time at the beginning.
pub(crate) const ZERO: MediaTime = MediaTime(1_000_000_000);

/// What came of one voice on one line.
struct Heard {
    samples: Vec<f32>,
    /// From capture to leaving the mixer, in milliseconds, for each frame.
    delays: Vec<f64>,
    kbps: f64,
    line_kbps: f64,
    restored: f64,
    made_up: f64,
}

/// Who speaks how on which line.
struct Job<'a> {
    scheme: &'static str,
    point: Point,
    voice: &'a Speech,
    seed: u64,
    redundancy: Option<Redundancy>,
}

const SCHEMES: [&str; 3] = ["conclave", "in-band-23", "in-band-60"];

/// Measures all points; returns their rows.
pub(crate) fn measure(options: &Options) -> Value {
    let voices = sources::voices(options);
    let points = Point::all(options);
    let mut jobs = Vec::new();
    for scheme in SCHEMES {
        // Opus alone does not ask again, so how far away it is makes no difference, nor which line is lossy.
        let is_wanted = |point: &&Point| {
            scheme == SCHEMES[0] || (point.at == 0 && point.round_trip == points[0].round_trip && point.share() > 0.0)
        };
        for point in points.iter().filter(is_wanted) {
            for voice in &voices {
                jobs.extend((0..options.seeds).map(|seed| Job {
                    scheme,
                    point: *point,
                    voice,
                    seed,
                    redundancy: options.redundancy,
                }));
            }
        }
    }
    let heard = options.spread(&jobs, |job| match job.scheme {
        "conclave" => through(job).unwrap(),
        "in-band-23" => alone(job, Bitrate::kbps(23)),
        _ => alone(job, Bitrate::kbps(60)),
    });
    let pairs: Vec<_> =
        jobs.iter().zip(&heard).map(|(job, heard)| (&job.voice.samples[..], &heard.samples[..])).collect();
    let scores = pesq::score(options, &pairs);

    let names: Vec<&str> = voices.iter().map(|voice| voice.name.as_str()).collect();
    let mut table = Table::new(format!("speech: {} × {} seeds", names.join(", "), options.seeds));
    let per_point = voices.len() * options.seeds as usize;
    for (jobs, (heard, scores)) in jobs.chunks(per_point).zip(heard.chunks(per_point).zip(scores.chunks(per_point))) {
        table.add(row(&jobs[0], heard, scores));
    }
    if options.python.is_none() {
        println!("no PESQ: Python or its package pesq cannot be had");
    }
    table.finish()
}

fn row(job: &Job<'_>, heard: &[Heard], scores: &[f64]) -> Vec<(&'static str, Cell)> {
    let middle = |of: fn(&Heard) -> f64| median(&heard.iter().map(of).collect::<Vec<_>>());
    let score = median(scores);
    let target = target(job);
    let is_far = job.scheme != SCHEMES[0];
    vec![
        ("scheme", word(job.scheme)),
        ("where", word(if is_far { "any" } else { job.point.place() })),
        ("round_trip", Cell::Number(if is_far { f64::NAN } else { job.point.round_trip.as_secs_f64() * 1e3 }, 0)),
        ("loss", word(job.point.kind())),
        ("share", Cell::Share(job.point.share())),
        ("pesq_wb", Cell::Number(score, 2)),
        ("delay_p50", number(middle(|heard| percentile(&heard.delays, 50)))),
        ("delay_p95", number(middle(|heard| percentile(&heard.delays, 95)))),
        ("kbps", number(middle(|heard| heard.kbps))),
        ("line_kbps", number(middle(|heard| heard.line_kbps))),
        ("restored", Cell::Share(middle(|heard| heard.restored))),
        ("made_up", Cell::Share(middle(|heard| heard.made_up))),
        ("target", Cell::Number(target.unwrap_or(f64::NAN), 1)),
        ("met", Cell::Met(target.filter(|_| score.is_finite()).map(|target| score >= target))),
    ]
}

/// What the design asks for.
fn target(job: &Job<'_>) -> Option<f64> {
    match (job.scheme, job.point.kind(), (job.point.share() * 100.0).round() as u32) {
        ("conclave", "random", 20) => Some(3.8),
        ("conclave", "bursts", 20) => Some(2.9),
        ("conclave", "random", 50) => Some(2.6),
        _ => None,
    }
}

/// Conclave: encoder, session, relay, session, jitter buffer, decoder, on one simulated clock.
fn through(job: &Job<'_>) -> Result<Heard, StageError> {
    let mut stage = Stage::assemble(2, job.seed, Instant::now())?;
    job.point.apply(&mut stage);
    stage.command(0, Command::DesiredBitrate(Camera::new().desired()))?;
    let mut speaker = Speaker::new();
    if let Some(redundancy) = job.redundancy {
        speaker.force(redundancy);
    }
    let mut listener = SoundSource::new(LeafIndex(0), TrackKind::Microphone).unwrap();
    let sound = &job.voice.samples;
    let count = sound.len() / PIECE_SAMPLES;
    // The same words again and again; the last time that they are whole counts.
    let before = (WARM_UP.as_millis() / PIECE.as_millis()) as usize;
    let start = stage.now();
    let first = (ZERO + PIECE * before as u32).0 as i64;
    let (mut samples, mut delays) = (Vec::with_capacity(sound.len()), Vec::new());
    let mut marks = Vec::new();
    for at in 0..before + count + AFTER {
        let now = start + PIECE * (at + 1) as u32;
        listen(&mut stage, now, &mut speaker, &mut listener)?;
        if at == before || at == before + count {
            let heard = listener.statistics();
            marks.push([
                stage.traffic(0).sent as f64 * 8.0 / 1e3,
                speaker.bytes as f64 * 8.0 / 1e3,
                heard.restored.as_secs_f64(),
                heard.concealed.as_secs_f64(),
            ]);
        }
        let from = (at + count * 100 - before) % count * PIECE_SAMPLES;
        if let Some(frame) = speaker.say(ZERO + PIECE * at as u32, &sound[from..from + PIECE_SAMPLES]) {
            stage.send(0, TrackKind::Microphone, frame)?;
        }
        listen(&mut stage, now + PHASE, &mut speaker, &mut listener)?;
        let Some(piece) = listener.piece(now + PHASE) else {
            // What is not there is heard as silence, once the words that count have begun.
            if !samples.is_empty() && samples.len() < sound.len() {
                samples.extend([0.0; PIECE_SAMPLES]);
            }
            continue;
        };
        if (0..count as i64 * PIECE.as_micros() as i64).contains(&(piece.time.0 as i64 - first)) {
            let captured = start + piece.time.since(ZERO);
            delays.push((now + PHASE).saturating_duration_since(captured).as_secs_f64() * 1e3);
            // One after the other, as it is heard, whatever the pace.
            samples.extend(piece.samples);
        }
    }
    let length = count as f64 * PIECE.as_secs_f64();
    let [line_kbps, kbps, restored, made_up] =
        std::array::from_fn(|which| (marks[1][which] - marks[0][which]) / length);
    Ok(Heard { samples, delays, kbps, line_kbps, restored, made_up })
}

/// What is said after the last that counts, so that it comes out as any other.
const AFTER: usize = 150;

/// Lets time go on; the speaker hears of the line, the listener gets what comes.
fn listen(
    stage: &mut Stage,
    until: Instant,
    speaker: &mut Speaker,
    listener: &mut SoundSource,
) -> Result<(), StageError> {
    while let Some((who, happening)) = stage.advance(until)? {
        match (who, happening) {
            (0, Happening::Event(event)) => speaker.on_event(&event, stage.now()),
            (1, Happening::Frame(frame)) => listener.insert(frame),
            (_, Happening::Event(_) | Happening::Frame(_)) => {}
        }
    }
    Ok(())
}

/// The sending half of a client's voice path.
pub(crate) struct Speaker {
    encoder: VoiceEncoder,
    control: RedundancyControl,
    frames: FrameControl,
    /// How the one who hears it worst does.
    heard: Quality,
    /// Captured, and no whole frame yet.
    waiting: Vec<f32>,
    /// What came out of the encoder so far.
    bytes: u64,
    /// The line has no say.
    is_forced: bool,
}

impl Speaker {
    pub(crate) fn new() -> Self {
        Self {
            encoder: VoiceEncoder::new(AudioSettings::default()).unwrap(),
            control: RedundancyControl::default(),
            frames: FrameControl::default(),
            heard: Quality::default(),
            waiting: Vec::new(),
            bytes: 0,
            is_forced: false,
        }
    }

    /// Uses this redundancy whatever the line.
    fn force(&mut self, redundancy: Redundancy) {
        self.encoder.set_redundancy(redundancy).unwrap();
        self.is_forced = true;
    }

    /// Does what the client's engine does when the line's quality is reported.
    pub(crate) fn on_event(&mut self, event: &Event, now: Instant) {
        if let Event::Heard(heard) = event {
            self.heard = *heard;
            self.control.set_heard(heard.loss, heard.round_trip);
        }
        if let Event::Budget(budget) = event {
            if let Some(frame) = self.frames.set_room(*budget) {
                self.encoder.set_frame(frame).unwrap();
            }
            self.encoder.set_total(self.frames.total()).unwrap();
        }
        let Event::Quality(Quality { loss, round_trip }) = *event else { return };
        if let Some(change) = self.control.observe(loss, round_trip, JITTER_BUDGET, now)
            && !self.is_forced
        {
            self.encoder.set_redundancy(change).unwrap();
        }
        let trips = round_trip.map(|trip| trip + self.heard.round_trip.unwrap_or_default());
        if let Some(frame) = self.frames.observe(loss.max(self.heard.loss), trips, now) {
            self.encoder.set_frame(frame).unwrap();
        }
        self.encoder.set_total(self.frames.total()).unwrap();
    }

    /// Takes 10 ms that were captured from `time` on, and encodes them when a frame is full.
    pub(crate) fn say(&mut self, time: MediaTime, samples: &[f32]) -> Option<EncodedFrame> {
        self.waiting.extend_from_slice(samples);
        let length = self.encoder.frame();
        let wanted = PIECE_SAMPLES * (length.as_millis() / PIECE.as_millis()) as usize;
        if self.waiting.len() < wanted {
            return None;
        }
        let time = MediaTime((time + PIECE).0 - length.as_micros() as u64);
        let data = self.encoder.encode(time, &self.waiting[..wanted]).unwrap();
        self.waiting.clear();
        let data = data?;
        self.bytes += data.len() as u64;
        Some(EncodedFrame { time, encode_delay: length, key: true, layer: Layer(0), discardable: false, back: 0, data })
    }
}

/// Opus alone: what is lost is taken from the next packet, if that came and has it, or made up. No packet is ever late.
fn alone(job: &Job<'_>, bitrate: Bitrate) -> Heard {
    let settings = AudioSettings { bitrate, ..AudioSettings::default() };
    let mut encoder = OpusEncoder::new(settings).unwrap();
    let loss = (job.point.share() * 100.0).round() as u8;
    encoder.protect(Protection { loss, inband: true, ..Protection::default() }).unwrap();
    let sound = &job.voice.samples;
    let packets: Vec<Bytes> = sound.chunks_exact(SAMPLES).map(|part| encoder.encode(part).unwrap().unwrap()).collect();
    let came = arrivals(job.point.line(), job.seed, packets.len());
    let mut decoder = OpusDecoder::new().unwrap();
    let heard = packets.iter().enumerate().flat_map(|(at, packet)| {
        if came[at] {
            return decoder.decode(packet).unwrap();
        }
        match packets.get(at + 1).filter(|_| came[at + 1]) {
            Some(next) => decoder.decode_inband(next, SAMPLES).unwrap(),
            None => decoder.conceal(SAMPLES).unwrap(),
        }
    });
    let samples = heard.collect();
    let bytes: usize = packets.iter().map(Bytes::len).sum();
    let kbps = bytes as f64 * 8.0 / (packets.len() as f64 * 20.0);
    Heard { samples, delays: Vec::new(), kbps, line_kbps: f64::NAN, restored: f64::NAN, made_up: f64::NAN }
}

/// Which of so many packets, one each 20 ms, come through a line.
fn arrivals(line: LineSpec, seed: u64, count: usize) -> Vec<bool> {
    let mut packets = Packets::new(line, seed);
    let start = Instant::now();
    let mut came = vec![false; count];
    let mut waiting: VecDeque<usize> = (0..count).collect();
    for step in 0..count as u32 + 100 {
        let now = start + FRAME * step;
        if let Some(number) = waiting.pop_front() {
            packets.send((number as u32).to_be_bytes().to_vec(), now);
        }
        for bytes in packets.arrived(now) {
            let number = bytes.first_chunk::<4>().map(|number| u32::from_be_bytes(*number) as usize);
            number.and_then(|number| came.get_mut(number)).into_iter().for_each(|came| *came = true);
        }
    }
    came
}
