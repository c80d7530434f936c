//! A voice-like signal: a glottal pulse through formants, in the rhythm of syllables and phrases.
//!
//! What is articulated when is a pure function of a seed and the time, so the lips of the portrait with the same seed
//! move with it. Source and filter follow the classic model (Fant 1960; formants of Peterson and Barney 1952).

use std::{f32::consts::TAU, time::Duration};

use conclave_model::MediaTime;

use crate::{SAMPLE_RATE, Turns};

/// Frequencies of the first three formants in Hz: a, e, i, o, u.
const VOWELS: [[f32; 3]; 5] = [
    [730.0, 1090.0, 2440.0],
    [530.0, 1840.0, 2480.0],
    [300.0, 2250.0, 3000.0],
    [570.0, 840.0, 2410.0],
    [330.0, 870.0, 2240.0],
];
/// Bandwidths of the formants in Hz.
const BANDWIDTHS: [f32; 3] = [80.0, 100.0, 140.0];
/// How much of each formant is heard.
const GAINS: [f32; 3] = [1.0, 0.55, 0.3];
/// Syllables of a phrase, its pause included.
const PHRASE: u64 = 14;
/// Samples between two looks at the articulation: 1 ms.
const CONTROL: usize = 48;
/// The noise of a quiet room, about −75 dBFS.
const FLOOR: f32 = 0.0003;
/// Brings a loud syllable to about −20 dBFS RMS.
const LOUDNESS: f32 = 0.3;

/// What the mouth does at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Articulation {
    /// Loudness of the voice, 0 to 1.
    pub(crate) voiced: f32,
    /// Loudness of breath noise at the beginning of some syllables, 0 to 1.
    pub(crate) breath: f32,
    /// How far the mouth opens, 0 to 1.
    pub(crate) openness: f32,
    /// How wide it is, −1 (rounded) to 1 (spread).
    pub(crate) spread: f32,
    /// Frequencies of the formants in Hz.
    formants: [f32; 3],
    /// Frequency of the glottis in Hz.
    pitch: f32,
}

/// What the speaker with `seed` articulates at `time`.
pub(crate) fn articulate(seed: u64, turns: Turns, time: MediaTime) -> Articulation {
    let person = hash(seed);
    let syllable_length = 170_000 + person % 60_000;
    let (syllable, within) = (time.0 / syllable_length, (time.0 % syllable_length) as f32 / syllable_length as f32);
    let (phrase, place) = (syllable / PHRASE, syllable % PHRASE);
    let spoken = PHRASE - 2 - hash(person ^ phrase) % 4;
    let (here, next) = (hash(person ^ syllable.wrapping_mul(31)), hash(person ^ (syllable + 1).wrapping_mul(31)));

    let last = place + 1 >= spoken;
    let fall = smoothstep(0.55, 1.0, within) * if last { 1.0 } else { 0.7 };
    let stress = 0.55 + 0.45 * unit(here >> 8);
    let gate = gate(turns, time) * if place < spoken { 1.0 } else { 0.0 };
    let loudness = gate * stress * smoothstep(0.0, 0.22, within) * (1.0 - fall);

    let (vowel, following) = (VOWELS[(here % 5) as usize], VOWELS[(next % 5) as usize]);
    let size = 0.9 + 0.28 * unit(person >> 20);
    let glide = smoothstep(0.6, 1.0, within);
    let formants = std::array::from_fn(|i| size * (vowel[i] + (following[i] - vowel[i]) * glide));
    let melody = 1.12 - 0.24 * place as f32 / PHRASE as f32 + 0.1 * (unit(here >> 16) - 0.5);
    let base = 90.0 + 130.0 * unit(person >> 40);
    let hiss = if here.is_multiple_of(3) { gate * (1.0 - smoothstep(0.12, 0.3, within)) } else { 0.0 };
    Articulation {
        voiced: loudness,
        breath: hiss,
        openness: loudness * (0.45 + 0.55 * (vowel[0] - 300.0) / 430.0),
        spread: (vowel[1] - 1500.0) / 750.0 * loudness,
        formants,
        pitch: base * melody,
    }
}

/// Synthesises one voice.
#[derive(Clone, Debug)]
pub struct Voice {
    seed: u64,
    turns: Turns,
    phase: f32,
    noise: u64,
    /// Two past outputs of each formant's resonator.
    resonators: [[f32; 2]; 3],
    gain: (f32, f32),
}

impl Voice {
    /// A voice with the pitch, timbre and rhythm of `seed` that speaks when `turns` say so.
    pub fn new(seed: u64, turns: Turns) -> Self {
        Self { seed, turns, phase: 0.0, noise: hash(seed) | 1, resonators: [[0.0; 2]; 3], gain: (0.0, 0.0) }
    }

    /// Writes the samples from `time` on, mono at 48 kHz.
    pub fn fill(&mut self, time: MediaTime, samples: &mut [f32]) {
        for (index, piece) in samples.chunks_mut(CONTROL).enumerate() {
            let articulation = articulate(self.seed, self.turns, time + Duration::from_millis(index as u64));
            self.fill_piece(&articulation, piece);
        }
    }

    fn fill_piece(&mut self, articulation: &Articulation, piece: &mut [f32]) {
        let step = articulation.pitch / SAMPLE_RATE as f32;
        let coefficients: [[f32; 3]; 3] = std::array::from_fn(|i| resonator(articulation.formants[i], BANDWIDTHS[i]));
        let ease = 1.0 / CONTROL as f32;
        let rise = ((articulation.voiced - self.gain.0) * ease, (articulation.breath - self.gain.1) * ease);
        for sample in piece {
            self.gain = (self.gain.0 + rise.0, self.gain.1 + rise.1);
            self.phase = (self.phase + step).fract();
            let source = glottis(self.phase) * self.gain.0;
            let mut sound = 0.0;
            for ((state, [gain, a, b]), mix) in self.resonators.iter_mut().zip(coefficients).zip(GAINS) {
                let output = gain * source + a * state[0] + b * state[1];
                *state = [output, state[0]];
                sound += mix * output;
            }
            let noise = self.next_noise();
            *sample = (LOUDNESS * sound + noise * (FLOOR + 0.035 * self.gain.1)).clamp(-1.0, 1.0);
        }
    }

    /// The next value of white noise, −1 to 1 (xorshift64).
    fn next_noise(&mut self) -> f32 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        unit(self.noise >> 20) * 2.0 - 1.0
    }
}

/// Flow through the glottis, differentiated: opens slowly, closes fast, rests (after Rosenberg 1971).
fn glottis(phase: f32) -> f32 {
    const OPEN: f32 = 0.6;
    if phase < OPEN {
        let x = phase / OPEN;
        2.0 * x - 3.0 * x * x
    } else {
        0.0
    }
}

/// Gain and feedback of a two-pole resonance of about unit gain at its peak.
fn resonator(frequency: f32, bandwidth: f32) -> [f32; 3] {
    let radius = (-std::f32::consts::PI * bandwidth / SAMPLE_RATE as f32).exp();
    let angle = TAU * frequency / SAMPLE_RATE as f32;
    [(1.0 - radius * radius) * angle.sin() * 2.2, 2.0 * radius * angle.cos(), -radius * radius]
}

/// 1 within the own turn, 0 outside, with soft edges.
fn gate(turns: Turns, time: MediaTime) -> f32 {
    if !turns.speaks_at(time) {
        return 0.0;
    }
    if turns.count <= 1 {
        return 1.0;
    }
    let length = (turns.length.as_micros() as u64).max(1);
    let within = time.0 % length;
    (within.min(length - within) as f32 / 60_000.0).min(1.0)
}

pub(crate) fn smoothstep(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Scatters a number (the finaliser of SplitMix64).
pub(crate) fn hash(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The low 16 bits as 0 to 1.
pub(crate) fn unit(number: u64) -> f32 {
    (number & 0xFFFF) as f32 / 65_535.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    const START: MediaTime = MediaTime(1_700_000_000_000_000);

    fn seconds(seed: u64, turns: Turns, length: usize) -> Vec<f32> {
        let (mut voice, mut samples) = (Voice::new(seed, turns), vec![0.0; length * 48_000]);
        for (index, frame) in samples.chunks_mut(960).enumerate() {
            voice.fill(START + Duration::from_millis(20 * index as u64), frame);
        }
        samples
    }

    #[test]
    fn every_voice_is_loud_enough_and_never_clips() {
        for seed in 0..40 {
            let level = Level::of(&seconds(seed, Turns::ALWAYS, 5));
            assert!((-32.0..-16.0).contains(&level.rms), "seed {seed}: {level:?}");
            assert!(level.peak < -0.5, "seed {seed}: {level:?}");
        }
    }

    #[test]
    fn who_has_not_the_word_is_as_quiet_as_a_room() {
        let level = Level::of(&seconds(3, Turns::NEVER, 1));
        assert!((-90.0..-65.0).contains(&level.rms), "{level:?}");
    }

    #[test]
    fn voices_of_two_seeds_differ() {
        let (one, two) = (seconds(1, Turns::ALWAYS, 3), seconds(2, Turns::ALWAYS, 3));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let correlation = dot(&one, &two) / (dot(&one, &one) * dot(&two, &two)).sqrt();
        assert!(correlation.abs() < 0.3, "{correlation}");
    }

    #[test]
    fn lips_move_with_the_sound() {
        let samples = seconds(5, Turns::ALWAYS, 4);
        let (mut open, mut shut) = (Vec::new(), Vec::new());
        for (index, frame) in samples.chunks(960).enumerate() {
            let at = START + Duration::from_millis(20 * index as u64 + 10);
            let lips = articulate(5, Turns::ALWAYS, at).openness;
            if lips > 0.4 {
                &mut open
            } else if lips < 0.01 {
                &mut shut
            } else {
                continue;
            }
            .push(Level::of(frame).rms);
        }
        let mean = |levels: &[f32]| levels.iter().sum::<f32>() / levels.len() as f32;
        assert!(open.len() > 10 && shut.len() > 10);
        assert!(mean(&open) > mean(&shut) + 12.0, "{} {}", mean(&open), mean(&shut));
    }
}
