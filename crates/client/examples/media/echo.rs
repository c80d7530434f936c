//! The echo canceller in three made-up rooms.
//!
//! A far voice is played 60 ms before the microphone hears it through the room, whose reflections die away by 60 dB in the
//! time that is given as `decay`. For each room: how much weaker the echo is after 5 s (echo return loss enhancement, ERLE)
//! alone; how much weaker what does not belong to the near voice is while that speaks as loudly, echo and damage together;
//! and how the near voice fares then: its loudness after the processing, and its likeness with itself as processed without
//! any echo.

use std::time::Instant;

use conclave_capture::{FRAME_SAMPLES, Turns, voice::Voice};
use conclave_client::media::{Reference, VoiceMode, VoiceProcessor};
use conclave_codec::quality::correlation;
use conclave_model::MediaTime;
use serde_json::Value;

use super::{
    Options,
    table::{Cell, Table, number, word},
};

/// Name, decay in milliseconds, loudness of the reflections.
const ROOMS: [(&str, f32, f32); 3] =
    [("small office", 200.0, 0.25), ("meeting room", 450.0, 0.25), ("hall", 900.0, 0.2)];

/// A loudspeaker's delay: what it holds, and the way through the air.
const DELAY: usize = 2_880;

/// Measures all rooms; returns their rows.
pub(crate) fn measure(options: &Options) -> Value {
    let seconds = if options.short { 8 } else { 20 };
    // From here on both speak.
    let both = seconds / 2 * 48_000;
    let (far, near) = (voice(3, seconds), voice(8, seconds));
    let mut near_only = vec![0.0; far.len()];
    near_only[both..].copy_from_slice(&near[both..]);
    let clean = run(&vec![0.0; far.len()], &near_only);
    let rooms = if options.short { &ROOMS[1..2] } else { &ROOMS[..] };
    let rows = options.spread(rooms, |(name, decay, gain)| {
        let echo = room(&far, *decay, *gain);
        let heard: Vec<f32> = echo.iter().zip(&near_only).map(|(echo, near)| echo + near).collect();
        let began = Instant::now();
        let sent = run(&far, &heard);
        let load = began.elapsed().as_secs_f64() / seconds as f64;
        let alone = both / 2..both;
        let less = decibel(power(&echo[alone.clone()]) / power(&sent[alone]).max(1e-12));
        let near_level = decibel(power(&sent[both..]) / power(&clean[both..]));
        let likeness = correlation(&sent[both..], &clean[both..]).unwrap_or(0.0);
        // What does not belong to the near voice, at the loudness that it had before the gain.
        let gain = power(&clean[both..]) / power(&near[both..]);
        let rest = power(&sent[both..]) * (1.0 - likeness * likeness) / gain;
        let double = decibel(power(&echo[both..]) / rest.max(1e-12));
        vec![
            ("room", word(*name)),
            ("decay", Cell::Number(f64::from(*decay), 0)),
            ("echo_dbfs", number(decibel(power(&echo)))),
            ("erle_db", number(less)),
            ("double_talk_erle_db", number(double)),
            ("near_db", number(near_level)),
            ("near_likeness", Cell::Number(likeness, 2)),
            ("core_percent", number(load * 100.0)),
        ]
    });
    let mut table =
        Table::new("echo: loudness against what the microphone heard, near voice against itself without echo");
    rows.into_iter().for_each(|row| table.add(row));
    let level = decibel(power(&clean[both..]) / power(&near[both..]));
    println!("\nwithout an echo the near voice comes out {level:.1} dB louder than it was");
    table.finish()
}

fn voice(seed: u64, seconds: usize) -> Vec<f32> {
    let mut sound = vec![0.0; seconds * 48_000];
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
        let delay = DELAY + after as usize;
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

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
}

fn decibel(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}
