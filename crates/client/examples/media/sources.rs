//! What is said and shown.

use std::{path::Path, process::Command};

use conclave_capture::{FRAME_SAMPLES, Turns, voice::Voice};
use conclave_model::MediaTime;

use super::Options;

/// Someone speaking for some seconds: mono at 48 kHz, a whole number of 20 ms.
#[derive(Debug)]
pub(crate) struct Speech {
    pub(crate) name: String,
    pub(crate) samples: Vec<f32>,
}

/// Two lists of the Harvard sentences (IEEE 297-1969), as telephony is judged by.
const SENTENCES: [&str; 3] = [
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. \
     It's easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish. Rice is often served in round bowls. \
     The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck. The hogs were fed chopped corn and garbage. \
     Four hours of steady work faced us.",
];

/// The voices: by the speech synthesizers `flite` (two voices made of recordings of people) and `espeak-ng`, where they are
/// installed, else a voice-like signal.
pub(crate) fn voices(options: &Options) -> Vec<Speech> {
    let folder = options.out.join(format!("voices-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut voices = Vec::new();
    for (name, sentence) in ["slt", "rms", "en-gb"].into_iter().zip(SENTENCES) {
        let path = folder.join(format!("{name}.wav"));
        let file = path.to_string_lossy().into_owned();
        let (program, arguments): (_, &[&str]) = match name {
            "en-gb" => ("espeak-ng", &["-v", "en-gb", "-s", "150", "-w", &file, sentence]),
            _ => ("flite", &["-voice", name, "-t", sentence, "-o", &file]),
        };
        if Command::new(program).args(arguments).status().is_ok_and(|status| status.success()) {
            voices.push(Speech { name: format!("{program} {name}"), samples: read(&path) });
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    if voices.is_empty() {
        voices.push(Speech { name: "made-up voice".to_owned(), samples: drawn(8) });
    }
    if options.short {
        voices.truncate(1);
        voices[0].samples.truncate(3 * 48_000);
    }
    voices
}

/// A voice-like signal.
pub(crate) fn drawn(seconds: usize) -> Vec<f32> {
    let mut samples = vec![0.0; seconds * 48_000];
    let mut voice = Voice::new(3, Turns::ALWAYS);
    for (number, frame) in samples.chunks_exact_mut(FRAME_SAMPLES).enumerate() {
        voice.fill(MediaTime(1_700_000_000_000_000 + number as u64 * 20_000), frame);
    }
    samples
}

/// A WAV file as mono at 48 kHz, at the loudness of speech.
fn read(path: &Path) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).unwrap();
    let (rate, channels) = (reader.spec().sample_rate, usize::from(reader.spec().channels));
    let all: Vec<f32> = reader.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect();
    let mono: Vec<f32> = all.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    let mut samples = resample(&mono, rate, 48_000);
    samples.truncate(samples.len() / FRAME_SAMPLES * FRAME_SAMPLES);
    let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32;
    let gain = LOUDNESS / power.sqrt().max(1e-6);
    samples.iter_mut().for_each(|sample| *sample = (*sample * gain).clamp(-1.0, 1.0));
    samples
}

/// The effective value of the voices: −24 dB below a full square wave.
const LOUDNESS: f32 = 0.063;

/// Sound at another rate, by a windowed sinc over 16 periods of the lower rate on each side.
pub(crate) fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == to {
        return samples.to_vec();
    }
    let (from, to) = (f64::from(from), f64::from(to));
    // Below both halves, with room for the filter's slope.
    let cut = 0.95 * (to / from).min(1.0);
    let reach = 16.0 / cut;
    let length = (samples.len() as f64 * to / from) as usize;
    (0..length)
        .map(|number| {
            let middle = number as f64 * from / to;
            let first = (middle - reach).ceil().max(0.0) as usize;
            let last = ((middle + reach).floor() as usize).min(samples.len() - 1);
            let sum = (first..=last).map(|at| {
                let distance = at as f64 - middle;
                let turn = std::f64::consts::PI * distance * cut;
                let sinc = if turn.abs() < 1e-9 { 1.0 } else { turn.sin() / turn };
                let window = 0.5 + 0.5 * (std::f64::consts::PI * distance / reach).cos();
                f64::from(samples[at]) * sinc * window * cut
            });
            sum.sum::<f64>() as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use conclave_codec::quality::correlation;

    use super::*;

    #[test]
    fn resampling_there_and_back_keeps_what_both_rates_hold() {
        let tone = |rate: f32, length: usize| -> Vec<f32> {
            (0..length).map(|at| (at as f32 * 1000.0 * std::f32::consts::TAU / rate).sin()).collect()
        };
        let down = resample(&tone(48_000.0, 9600), 48_000, 16_000);
        assert_eq!(down.len(), 3200);
        let likeness = correlation(&down[100..3100], &tone(16_000.0, 3200)[100..3100]);
        assert!(likeness.is_some_and(|likeness| likeness > 0.9999), "{likeness:?}");
        let high: Vec<f32> = (0..9600).map(|at| (at as f32 * 1.5).sin()).collect();
        let power = resample(&high, 48_000, 16_000).iter().map(|sample| sample * sample).sum::<f32>();
        assert!(power < 1.0, "what the lower rate cannot hold is gone: {power}");
    }
}
