//! Echo cancellation, noise suppression and gain for the own voice.
//!
//! The work is that of `sonora`, a port of WebRTC's audio processing to Rust (AEC3, NS, AGC2). Beside it there is only the
//! original behind FFI (`webrtc-audio-processing`), whose build needs a C++ tool chain on every platform and whose input is
//! then judged by memory-unsafe code.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use conclave_capture::{FRAME_SAMPLES, SAMPLE_RATE};
use sonora::{
    AudioProcessing, Config, StreamConfig,
    config::{
        AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression, Pipeline,
    },
};

/// How the microphone's sound is prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VoiceMode {
    /// For people at a table: without the loudspeaker's echo and without noise, and equally loud.
    #[default]
    Speech,
    /// As the microphone gives it, for headsets, interpreters' booths and music.
    FullBand,
}

/// What was sent to the loudspeaker lately, on its way to the echo canceller.
///
/// The loudspeaker's thread writes, the voice thread reads; both hold the lock for a copy of 10 or 20 ms. Bounded: a
/// reader that does not come finds the newest 200 ms.
#[derive(Clone, Debug, Default)]
pub struct Reference(Arc<Mutex<VecDeque<f32>>>);

impl Reference {
    /// Adds what is going to be heard, mono at 48 kHz.
    pub fn push(&self, samples: &[f32]) {
        let mut line = self.lock();
        line.extend(samples.iter().map(|sample| if sample.is_finite() { *sample } else { 0.0 }));
        let excess = line.len().saturating_sub(MOST_WAITING);
        line.drain(..excess);
    }

    /// Takes the oldest 10 ms, if there are as many.
    fn take(&self, piece: &mut [f32; PIECE]) -> bool {
        let mut line = self.lock();
        if line.len() < PIECE {
            return false;
        }
        for (to, from) in piece.iter_mut().zip(line.drain(..PIECE)) {
            *to = from;
        }
        true
    }

    /// Forgets all but the newest samples, after a time in which nobody listened.
    fn keep_newest(&self, count: usize) {
        let mut line = self.lock();
        let excess = line.len().saturating_sub(count);
        line.drain(..excess);
    }

    /// Samples are usable even if a thread died while it held the lock.
    fn lock(&self) -> MutexGuard<'_, VecDeque<f32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prepares a microphone's sound as its [`VoiceMode`] says.
#[derive(Debug)]
pub struct VoiceProcessor {
    reference: Reference,
    /// There is none in [`VoiceMode::FullBand`].
    engine: Option<AudioProcessing>,
    mode: VoiceMode,
}

impl VoiceProcessor {
    /// Takes the echo's source from `reference`.
    pub fn new(reference: Reference, mode: VoiceMode) -> Self {
        let mut processor = Self { reference, engine: None, mode: VoiceMode::FullBand };
        processor.set_mode(mode);
        processor
    }

    /// Changes the mode. What was learnt of the room is lost with [`VoiceMode::FullBand`].
    pub fn set_mode(&mut self, mode: VoiceMode) {
        if mode == self.mode && self.engine.is_some() == (mode == VoiceMode::Speech) {
            return;
        }
        self.mode = mode;
        self.engine = match mode {
            VoiceMode::Speech => Some(engine()),
            VoiceMode::FullBand => None,
        };
    }

    /// Prepares the next 10 or 20 ms in place; samples of any other number are left as they are. `gap` says that samples are
    /// missing before these, as after a time muted.
    ///
    /// Costs about 5 % of a core while it prepares, nothing in [`VoiceMode::FullBand`].
    pub fn process(&mut self, samples: &mut [f32], gap: bool) {
        if gap {
            self.reference.keep_newest(FRAME_SAMPLES);
        }
        let Some(engine) = &mut self.engine else { return };
        if !samples.len().is_multiple_of(PIECE) || samples.len() > FRAME_SAMPLES {
            return;
        }
        let (mut heard, mut out) = ([0.0; PIECE], [0.0; PIECE]);
        for part in samples.chunks_exact_mut(PIECE) {
            // As much as was played meanwhile; two pieces where one was missing the last time.
            for _ in 0..2 {
                if !self.reference.take(&mut heard) {
                    break;
                }
                // Only what is no 10 ms of sound is refused, and this is.
                let _ = engine.process_render_f32(&[&heard], &mut [&mut out]);
                if self.reference.lock().len() < FRAME_SAMPLES {
                    break;
                }
            }
            for sample in part.iter_mut() {
                *sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
            }
            // Where the echo begins is found by the canceller itself; this is where it begins to look.
            let _ = engine.set_stream_delay_ms(USUAL_DELAY_MS);
            if engine.process_capture_f32(&[&*part], &mut [&mut out]).is_ok() {
                part.copy_from_slice(&out);
            }
        }
    }
}

/// A mode that one thread sets and another follows.
#[derive(Debug, Default)]
pub(super) struct SharedMode(AtomicU8);

impl SharedMode {
    pub(super) fn set(&self, mode: VoiceMode) {
        self.0.store(u8::from(mode == VoiceMode::FullBand), Ordering::Relaxed);
    }

    pub(super) fn current(&self) -> VoiceMode {
        if self.0.load(Ordering::Relaxed) == 0 { VoiceMode::Speech } else { VoiceMode::FullBand }
    }
}

/// Everything that speech needs, at the full bandwidth.
fn engine() -> AudioProcessing {
    let stream = StreamConfig::new(SAMPLE_RATE, 1);
    let config = Config {
        pipeline: Pipeline { maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz, ..Pipeline::default() },
        high_pass_filter: Some(HighPassFilter::default()),
        echo_canceller: Some(EchoCanceller::default()),
        noise_suppression: Some(NoiseSuppression::default()),
        gain_controller2: Some(GainController2 {
            adaptive_digital: Some(AdaptiveDigital {
                initial_gain_db: 0.0,
                max_gain_db: MOST_GAIN_DB,
                ..AdaptiveDigital::default()
            }),
            ..GainController2::default()
        }),
        ..Config::default()
    };
    AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build()
}

/// What the engine takes at once: 10 ms.
const PIECE: usize = 480;

/// The most that waits for the voice thread: 200 ms.
const MOST_WAITING: usize = 9_600;

/// From the mixer through the loudspeaker and the microphone to here, about, in milliseconds: two periods of a device
/// each way.
const USUAL_DELAY_MS: i32 = 70;

/// The most that a quiet voice is made louder, in dB. More would make the room louder than the voice.
const MOST_GAIN_DB: f32 = 24.0;

#[cfg(test)]
mod tests {
    use conclave_capture::{Turns, voice::Voice};
    use conclave_model::MediaTime;

    use super::*;

    /// Two voices that speak all the time.
    fn voice(seed: u64, seconds: usize) -> Vec<f32> {
        let mut sound = vec![0.0; seconds * 48_000];
        let mut voice = Voice::new(seed, Turns::ALWAYS);
        for (number, frame) in sound.chunks_exact_mut(FRAME_SAMPLES).enumerate() {
            voice.fill(MediaTime(1_700_000_000_000_000 + number as u64 * 20_000), frame);
        }
        sound
    }

    /// What a microphone hears of a loudspeaker in a room: 60 ms later, with reflections that die away.
    fn echo(sound: &[f32]) -> Vec<f32> {
        let mut seed = 5_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let taps: Vec<(usize, f32)> = (0..150)
            .map(|number| {
                let after = number * 80 + (random().abs() * 79.0) as usize;
                (2_880 + after, 0.35 * random() * (-(after as f32) / 2_500.0).exp())
            })
            .collect();
        let mut heard = vec![0.0; sound.len()];
        for (delay, gain) in taps {
            for (to, from) in heard[delay..].iter_mut().zip(sound) {
                *to += from * gain;
            }
        }
        heard
    }

    fn power(samples: &[f32]) -> f32 {
        samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32
    }

    /// Plays `far` on the loudspeaker and hears `microphone`; returns what is sent.
    fn run(far: &[f32], microphone: &[f32], mode: VoiceMode) -> Vec<f32> {
        let reference = Reference::default();
        let mut processor = VoiceProcessor::new(reference.clone(), mode);
        let mut sent = microphone.to_vec();
        for (played, heard) in far.chunks_exact(FRAME_SAMPLES).zip(sent.chunks_exact_mut(FRAME_SAMPLES)) {
            reference.push(played);
            processor.process(heard, false);
        }
        sent
    }

    #[test]
    fn the_loudspeakers_echo_is_not_sent_and_full_band_leaves_everything_as_it_is() {
        let far = voice(3, 10);
        let heard = echo(&far);
        let sent = run(&far, &heard, VoiceMode::Speech);
        let settled = 5 * 48_000..;
        let less = 10.0 * (power(&heard[settled.clone()]) / power(&sent[settled]).max(1e-12)).log10();
        assert!(less > 20.0, "the echo is only {less} dB weaker");
        assert_eq!(run(&far, &heard, VoiceMode::FullBand), heard);
    }

    #[test]
    fn who_speaks_while_others_do_is_heard() {
        let (far, near) = (voice(3, 12), voice(8, 12));
        let mut heard = echo(&far);
        // The far voice alone first, then both.
        for (to, from) in heard[6 * 48_000..].iter_mut().zip(&near) {
            *to += from;
        }
        let sent = run(&far, &heard, VoiceMode::Speech);
        let (was, is) = (power(&near[..6 * 48_000]), power(&sent[6 * 48_000..]));
        assert!(is > was / 4.0, "of the near voice {} dB are left", 10.0 * (is / was).log10());
    }

    #[test]
    fn a_reference_nobody_reads_is_bounded_and_a_gap_forgets_it() {
        let reference = Reference::default();
        for _ in 0..1_000 {
            reference.push(&[0.1; 960]);
        }
        assert_eq!(reference.lock().len(), MOST_WAITING);
        let mut processor = VoiceProcessor::new(reference.clone(), VoiceMode::Speech);
        processor.process(&mut [0.0; FRAME_SAMPLES], true);
        assert_eq!(reference.lock().len(), 0);
    }

    #[test]
    fn what_is_no_sound_comes_out_as_sound_or_as_it_was() {
        let mut processor = VoiceProcessor::new(Reference::default(), VoiceMode::Speech);
        for value in [f32::NAN, f32::INFINITY, 1e30, -5.0] {
            processor.reference.push(&[value; 960]);
            let mut samples = [value; FRAME_SAMPLES];
            processor.process(&mut samples, false);
            assert!(samples.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.5), "{value}");
        }
        let mut odd = [0.5; 7];
        processor.process(&mut odd, false);
        assert_eq!(odd, [0.5; 7]);
    }
}
