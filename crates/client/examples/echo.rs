//! Measures the echo canceller in three made-up rooms: `echo`.
//!
//! A far voice is played 60 ms before the microphone hears it through the room (reflections that die away by 60 dB in the
//! time that is printed). For each room: how much weaker the echo is after 5 s (echo return loss enhancement, ERLE), alone
//! and while a near voice of the same loudness speaks; and how the near voice fares: its loudness after the processing and
//! its correlation with itself as processed without any echo.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use conclave_capture::{FRAME_SAMPLES, Turns, voice::Voice};
use conclave_client::media::{Reference, VoiceMode, VoiceProcessor};
use conclave_codec::quality::correlation;
use conclave_model::MediaTime;

const SECONDS: usize = 20;
/// From here on both speak.
const BOTH: usize = 10 * 48_000;

fn main() {
    let (far, near) = (voice(3), voice(8));
    let mut near_only = vec![0.0; far.len()];
    near_only[BOTH..].copy_from_slice(&near[BOTH..]);
    let quiet = vec![0.0; far.len()];
    let clean = run(&quiet, &near_only);
    println!("room            echo dBFS  ERLE dB  near dB  near likeness  core %");
    for (name, decay_ms, gain) in [("small office", 200.0, 0.25), ("meeting room", 450.0, 0.25), ("hall", 900.0, 0.2)] {
        let echo = room(&far, decay_ms, gain);
        let heard: Vec<f32> = echo.iter().zip(&near_only).map(|(echo, near)| echo + near).collect();
        let began = Instant::now();
        let sent = run(&far, &heard);
        let load = began.elapsed().as_secs_f64() / SECONDS as f64;
        let alone = 5 * 48_000..BOTH;
        let less = decibel(power(&echo[alone.clone()]) / power(&sent[alone]).max(1e-12));
        let near_level = decibel(power(&sent[BOTH..]) / power(&near[BOTH..]));
        let likeness = correlation(&sent[BOTH..], &clean[BOTH..]).unwrap_or(0.0);
        let loud = decibel(power(&echo));
        println!("{name:<16} {loud:>8.1} {less:>8.1} {near_level:>8.1} {likeness:>14.2} {:>7.1}", load * 100.0);
    }
    let level = decibel(power(&clean[BOTH..]) / power(&near[BOTH..]));
    println!(
        "without an echo the near voice comes out {level:.1} dB louder, likeness with its source {:.2}",
        likeness_of(&clean, &near)
    );
}

/// The best correlation within the few milliseconds that the processing takes.
fn likeness_of(sent: &[f32], source: &[f32]) -> f64 {
    (0..1_000).step_by(4).filter_map(|delay| correlation(&sent[BOTH + delay..], &source[BOTH..])).fold(0.0, f64::max)
}

fn voice(seed: u64) -> Vec<f32> {
    let mut sound = vec![0.0; SECONDS * 48_000];
    let mut voice = Voice::new(seed, Turns::ALWAYS);
    for (number, frame) in sound.chunks_exact_mut(FRAME_SAMPLES).enumerate() {
        voice.fill(MediaTime(1_700_000_000_000_000 + number as u64 * 20_000), frame);
    }
    sound
}

fn room(sound: &[f32], decay_ms: f32, gain: f32) -> Vec<f32> {
    let mut seed = 5_u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / 8_388_608.0 - 1.0
    };
    let length = decay_ms * 48.0;
    let mut heard = vec![0.0; sound.len()];
    for number in 0..400 {
        let after = (number as f32 + random().abs()) * length / 400.0;
        let tap = gain * random() * 10.0_f32.powf(-3.0 * after / length);
        let delay = 2_880 + after as usize;
        heard[delay..].iter_mut().zip(sound).for_each(|(to, from)| *to += from * tap);
    }
    heard
}

fn run(far: &[f32], microphone: &[f32]) -> Vec<f32> {
    let reference = Reference::default();
    let mut processor = VoiceProcessor::new(reference.clone(), VoiceMode::Speech);
    let mut sent = microphone.to_vec();
    for (played, heard) in far.chunks_exact(FRAME_SAMPLES).zip(sent.chunks_exact_mut(FRAME_SAMPLES)) {
        reference.push(played);
        processor.process(heard, false);
    }
    sent
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32
}

fn decibel(ratio: f32) -> f32 {
    10.0 * ratio.log10()
}
