//! What the way of a picture and of a sound consists of, by the real clock on one machine with the relay between.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use conclave_capture::{FRAME_SAMPLES, NullSpeaker};
use conclave_client::{
    LatencyReport, VideoQuality, Watch,
    media::{MicrophoneOutput, MicrophonePipeline, SoundReceiver, VoiceMode},
    media_clock,
};
use conclave_codec::AudioSettings;
use conclave_model::{Bitrate, EncodedFrame, MediaTime, TrackKind};
use conclave_sim::stage::{Happening, Stage};
use serde_json::Value;

use super::{
    Options, percentile,
    room::Room,
    sources,
    table::{Cell, Table, number, word},
};

/// Measures both; returns the rows.
pub(crate) fn measure(options: &Options) -> Value {
    let length = Duration::from_secs(if options.short { 3 } else { 20 });
    let mut table = Table::new("stages: p50 and p95 by the real clock");
    picture(&mut table, length);
    sound(&mut table, length);
    table.finish()
}

/// Two whole clients and the relay's program, over loopback: 1280×720 at 30 pictures a second.
fn picture(table: &mut Table, length: Duration) {
    let room = Room::new(2);
    let quality = VideoQuality { height: 720, frames_per_second: 30, max_bitrate: Bitrate::kbps(1500) };
    let sender = room.client(0, |config| {
        config.video = quality;
        config.watch = Watch::Named;
    });
    let receiver = room.client(1, |config| {
        config.camera_on = false;
        config.watch = Watch::All { height: 720 };
    });
    room.wait("a picture", || receiver.frames_of_others() > 0);
    std::thread::sleep(length);
    let report = receiver.report();
    let Some(pair) = report.pairs.first() else { return };
    let stages = pair.stages_ms;
    for (stage, times) in [
        ("encode", stages.encode),
        ("network, pacing, relay", stages.network),
        ("open", stages.open),
        ("decode", stages.decode),
        ("ready", stages.ready),
        ("whole", pair.latency_ms),
    ] {
        add(table, "picture", stage, times, if stage == "whole" { Some((20.0, 33.0)) } else { None });
    }
    println!("\npicture: {:?} at {:.1} pictures a second", pair.video_size, pair.video_fps);
    drop((sender, receiver));
}

fn add(table: &mut Table, path: &str, stage: &str, times: LatencyReport, target: Option<(f64, f64)>) {
    let met = target.map(|(p50, p95)| times.p50 <= p50 && times.p95 <= p95);
    table.add(vec![
        ("path", word(path)),
        ("stage", word(stage)),
        ("p50", number(times.p50)),
        ("p95", number(times.p95)),
        ("target_p50", Cell::Number(target.map_or(f64::NAN, |target| target.0), 0)),
        ("met", Cell::Met(met)),
    ]);
}

/// The moments of one packet.
#[derive(Clone, Copy)]
struct Moments {
    captured: MediaTime,
    encoded: MediaTime,
    received: MediaTime,
    opened: MediaTime,
}

/// The voice's threads of two clients; between them sessions and relay without sockets.
fn sound(table: &mut Table, length: Duration) {
    let clock = media_clock();
    let mut stage = Stage::assemble(2, 1, Instant::now()).unwrap();
    // The simulated clock is ahead by the time that the meeting took to come about.
    std::thread::sleep(stage.now().saturating_duration_since(Instant::now()));
    let (sender, frames) = mpsc::sync_channel::<EncodedFrame>(50);
    let mixed = Arc::new(Mutex::new(VecDeque::new()));
    let (noted, now) = (Arc::clone(&mixed), media_clock());
    let receiver = SoundReceiver::new(move |event| {
        noted.lock().unwrap_or_else(PoisonError::into_inner).push_back((event.time, now()));
    });
    let pipeline = MicrophonePipeline::start_in(
        VoiceMode::Speech,
        receiver.reference(),
        AudioSettings::default(),
        false,
        media_clock(),
        move |output| match output {
            MicrophoneOutput::Frame(frame) => sender.send(frame).unwrap_or(()),
            MicrophoneOutput::Failed(error) => panic!("{error}"),
        },
    );
    let pipeline = pipeline.unwrap();
    let speaker = NullSpeaker::start(receiver.output()).unwrap();
    let voice = sources::drawn(5);
    let zero = (Instant::now(), clock());
    let of = |instant: Instant| zero.1 + instant.saturating_duration_since(zero.0);
    let (mut moments, mut given) = (BTreeMap::new(), 0_u32);
    while zero.0.elapsed() < length {
        // A microphone gives 20 ms when they are over.
        if zero.0.elapsed() >= FRAME * (given + 1) {
            let from = given as usize * FRAME_SAMPLES % voice.len();
            pipeline.input().push(zero.1 + FRAME * given, &voice[from..from + FRAME_SAMPLES]);
            given += 1;
        }
        for frame in frames.try_iter() {
            while stage.advance(Instant::now()).unwrap().is_some() {}
            stage.send(0, TrackKind::Microphone, frame).unwrap();
        }
        while let Some((who, happening)) = stage.advance(Instant::now()).unwrap() {
            if let (1, Happening::Frame(frame)) = (who, happening) {
                let captured = frame.frame.time;
                let encoded = captured + frame.frame.encode_delay;
                let of_packet = Moments { captured, encoded, received: of(frame.received), opened: of(frame.opened) };
                moments.insert(captured.0, of_packet);
                receiver.push(frame);
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    drop((speaker, pipeline));
    let mixed: Vec<_> = mixed.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
    report(table, &moments, &mixed);
}

/// 20 ms.
const FRAME: Duration = Duration::from_millis(20);

fn report(table: &mut Table, moments: &BTreeMap<u64, Moments>, mixed: &[(MediaTime, MediaTime)]) {
    let mut stages: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (time, at) in mixed.iter().skip(50) {
        // The pace moves what is played by some milliseconds against its packets.
        let Some((_, packet)) = moments.range(..=time.0 + 10_000).next_back() else { continue };
        let ends = [packet.captured, packet.captured + FRAME, packet.encoded, packet.received, packet.opened, *at];
        for (which, pair) in ends.windows(2).enumerate() {
            stages.entry(which).or_default().push(pair[1].since(pair[0]).as_secs_f64() * 1e3);
        }
        stages.entry(5).or_default().push(at.since(packet.captured).as_secs_f64() * 1e3);
    }
    let names =
        ["a frame fills", "prepare, encode", "relay, no sockets", "open", "jitter buffer, decode, mix", "whole"];
    for (which, name) in names.into_iter().enumerate() {
        let times = stages.get(&which).map(Vec::as_slice).unwrap_or_default();
        let times = LatencyReport { p50: percentile(times, 50), p95: percentile(times, 95) };
        add(table, "sound", name, times, if name == "whole" { Some((65.0, f64::INFINITY)) } else { None });
    }
}
