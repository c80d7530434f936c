//! Writes speech as it is heard after losses, for the whole voice path: encoder, copies, loss, jitter buffer, decoder.
//!
//! ```text
//! speech OUT VOICE.wav...
//! ```
//!
//! For each voice (mono, 48 kHz) and each kind of loss it writes `OUT/SCHEME~LOSS~VOICE~SEED.wav`: scheme `conclave` as a
//! client does it, with the redundancy that the simulated line's own reports lead to (round trip 200 ms, so that nothing is
//! asked for again), and for comparison `plain` Opus without and `inband23`, `inband60` with in-band FEC at 23 and
//! 60 kbit/s, decoded without any bound of delay. `clean` is the source. Loss `r20` is 20 % at random, `b20` 20 % in bursts
//! of 3 on the average (Gilbert). Each voice is sent twice: the first time is for the line to be learnt, the second is
//! written. A table of bitrate, delay and what was restored goes to standard output; `speech_pesq.py` beside this file
//! scores the files by PESQ-WB.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_client::media::{RedundancyControl, SoundSource, VoiceEncoder};
use conclave_codec::{AudioDecoder, AudioEncoder, AudioSettings, OpusDecoder, OpusEncoder, Protection};
use conclave_model::{Bitrate, EncodedFrame, Layer, LeafIndex, MediaTime, TrackKind};
use conclave_session::RemoteFrame;

const FRAME: Duration = Duration::from_millis(20);
const SAMPLES: usize = 960;
const SEEDS: u64 = 2;
const LOSSES: [&str; 11] = ["r00", "r05", "r10", "r20", "r30", "r50", "b05", "b10", "b20", "b30", "b50"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, voices @ ..] = &arguments[..] else { panic!("speech OUT VOICE.wav...") };
    std::fs::create_dir_all(out).unwrap();
    println!(
        "{:<10} {:<4} {:<20} {:>6} {:>9} {:>9} {:>9}",
        "scheme", "loss", "voice", "kbit/s", "delay ms", "restored", "made up"
    );
    for voice in voices {
        let name = Path::new(voice).file_stem().unwrap().to_str().unwrap();
        let sound = read(voice);
        write(&format!("{out}/clean~r00~{name}~0.wav"), &sound);
        for loss in LOSSES {
            let mut sums = [0.0; 4];
            for seed in 0..SEEDS {
                let lost = pattern(loss, sound.len() / SAMPLES * 2, seed);
                let (heard, numbers) = conclave(&sound, &lost);
                sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number / SEEDS as f64);
                write(&format!("{out}/conclave~{loss}~{name}~{seed}.wav"), &heard);
                for (scheme, rate, inband) in [("plain", 40, false), ("inband23", 23, true), ("inband60", 60, true)] {
                    let (heard, kbps) = opus(&sound, &lost, rate, inband);
                    write(&format!("{out}/{scheme}~{loss}~{name}~{seed}.wav"), &heard);
                    if loss == "r20" && seed == 0 {
                        println!("{scheme:<10} {loss:<4} {name:<20} {kbps:>6.1}");
                    }
                }
            }
            let [kbps, delay, restored, concealed] = sums;
            println!(
                "{:<10} {loss:<4} {name:<20} {kbps:>6.1} {delay:>9.1} {:>8.2}% {:>8.2}%",
                "conclave",
                restored * 100.0,
                concealed * 100.0
            );
        }
    }
}

/// Sends the sound twice; returns what was heard of the second time, and its bitrate in kbit/s, its delay from the arrival
/// of the fastest packet to the loudspeaker in ms, and the shares that were restored and made up.
fn conclave(sound: &[f32], lost: &[bool]) -> (Vec<f32>, [f64; 4]) {
    let mut encoder = VoiceEncoder::new(AudioSettings::default()).unwrap();
    let mut control = RedundancyControl::default();
    let mut source = SoundSource::new(LeafIndex(1), TrackKind::Microphone).unwrap();
    let count = sound.len() / SAMPLES;
    let (start, zero) = (Instant::now(), 10_000_000);
    let (mut heard, mut bytes, mut delays, mut before) = (Vec::new(), 0, Vec::new(), source.statistics());
    for at in 0..count * 2 {
        let (now, time) = (start + FRAME * at as u32, MediaTime(zero + at as u64 * 20_000));
        let chunk = &sound[at % count * SAMPLES..][..SAMPLES];
        let data = encoder.encode(time, chunk).unwrap().unwrap();
        if at == count {
            before = source.statistics();
        }
        bytes += if at >= count { data.len() } else { 0 };
        if !lost[at] {
            source.insert(packet(at as u32, time, data, now));
        }
        if at % 50 == 49 {
            // What the other end reports once a second.
            let share = lost[at - 49..=at].iter().filter(|lost| **lost).count() as f32 / 50.0;
            let change = control.observe(share, Some(Duration::from_millis(200)), Duration::from_millis(120), now);
            change.into_iter().for_each(|redundancy| encoder.set_redundancy(redundancy).unwrap());
        }
        // A pull of the loudspeaker 4 ms after each packet; the sound is heard from then on.
        let pulled = now + Duration::from_millis(4);
        if let Some(frame) = source.frame(pulled) {
            let captured = Duration::from_micros(frame.time.0 - zero);
            if at >= count {
                delays.push(pulled.duration_since(start).as_secs_f64() - captured.as_secs_f64());
                heard.extend(frame.samples);
            }
        } else if at >= count {
            heard.extend([0.0; SAMPLES]);
        }
    }
    let after = source.statistics();

    let length = count as f64 * 0.02;
    let share = |before: Duration, after: Duration| (after - before).as_secs_f64() / length;
    let delay = delays.iter().sum::<f64>() / delays.len() as f64 * 1000.0;
    let kbps = bytes as f64 * 8.0 / length / 1000.0;
    (heard, [kbps, delay, share(before.restored, after.restored), share(before.concealed, after.concealed)])
}

/// Opus alone: what is lost is taken from the next packet, if that came and has it, or made up.
fn opus(sound: &[f32], lost: &[bool], rate: u64, inband: bool) -> (Vec<f32>, f64) {
    let settings = AudioSettings { bitrate: Bitrate::kbps(rate), ..AudioSettings::default() };
    let mut encoder = OpusEncoder::new(settings).unwrap();
    encoder.protect(Protection { loss: if inband { 20 } else { 0 }, inband, ..Protection::default() }).unwrap();
    let packets: Vec<Bytes> = sound.chunks_exact(SAMPLES).map(|part| encoder.encode(part).unwrap().unwrap()).collect();
    let lost = &lost[packets.len()..];
    let mut decoder = OpusDecoder::new().unwrap();
    let heard = packets.iter().enumerate().flat_map(|(at, packet)| {
        if !lost[at] {
            return decoder.decode(packet).unwrap();
        }
        match packets.get(at + 1).filter(|_| inband && !lost[at + 1]) {
            Some(next) => decoder.decode_inband(next, SAMPLES).unwrap(),
            None => decoder.conceal(SAMPLES).unwrap(),
        }
    });
    let heard = heard.collect();
    let bytes: usize = packets.iter().map(Bytes::len).sum();
    (heard, bytes as f64 * 8.0 / (packets.len() as f64 * 20.0))
}

fn packet(number: u32, time: MediaTime, data: Bytes, received: Instant) -> RemoteFrame {
    let frame = EncodedFrame {
        time,
        encode_delay: Duration::ZERO,
        key: true,
        layer: Layer(0),
        discardable: false,
        back: 0,
        data,
    };
    RemoteFrame { from: LeafIndex(1), track: TrackKind::Microphone, number, frame, received, opened: received }
}

/// Which packets are lost.
fn pattern(loss: &str, count: usize, seed: u64) -> Vec<bool> {
    let rate = loss[1..].parse::<f64>().unwrap() / 100.0;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed + 77) ^ 0x00ab_cdef;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let (leave, mut bad) = (1.0 / 3.0, false);
    let enter = leave * rate / (1.0 - rate);
    (0..count)
        .map(|_| {
            bad = match (loss.starts_with('b'), bad) {
                (false, _) => random() < rate,
                (true, true) => random() >= leave,
                (true, false) => random() < enter,
            };
            bad
        })
        .collect()
}

fn read(path: &str) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!((reader.spec().channels, reader.spec().sample_rate), (1, 48_000), "{path}: mono at 48 kHz is needed");
    reader.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect()
}

fn write(path: &str, sound: &[f32]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    sound.iter().for_each(|sample| writer.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).unwrap());
    writer.finalize().unwrap();
}
