//! Keeps a sum of voices from clipping.

/// A limiter with look-ahead: above the threshold the gain goes down smoothly before the peak arrives and comes back
/// slowly, so that loud moments are quieter and never distorted.
///
/// The output is the input [`Limiter::DELAY`] samples later. It never exceeds [`Limiter::CEILING`], whatever comes in.
#[derive(Clone, Debug)]
pub struct Limiter {
    /// The samples that wait for their turn, as a ring.
    delayed: [f32; Self::DELAY],
    at: usize,
    gain: f32,
    /// What the gain has to have come down to by the time the loudest waiting sample leaves.
    target: f32,
    /// Samples for which the target still holds.
    hold: usize,
    step: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { delayed: [0.0; Self::DELAY], at: 0, gain: 1.0, target: 1.0, hold: 0, step: 0.0 }
    }
}

impl Limiter {
    /// Samples by which the output is later than the input: 1 ms.
    pub const DELAY: usize = 48;

    /// The largest output, −0.5 dBFS.
    pub const CEILING: f32 = 0.944;

    /// Limits mono samples at 48 kHz in place.
    pub fn apply(&mut self, samples: &mut [f32]) {
        for sample in samples {
            *sample = self.next(*sample);
        }
    }

    fn next(&mut self, sample: f32) -> f32 {
        // A decoder may produce what is no number from bytes that are no sound.
        let sample = if sample.is_finite() { sample } else { 0.0 };
        let wanted = (Self::CEILING / sample.abs().max(f32::MIN_POSITIVE)).min(1.0);
        if wanted < self.target {
            self.target = wanted;
            // A ramp that is under way for an earlier peak must not become flatter.
            self.step = self.step.max((self.gain - wanted) / Self::DELAY as f32);
        }
        if wanted <= self.target && wanted < 1.0 {
            self.hold = HOLD;
        }
        if self.gain > self.target {
            self.gain = (self.gain - self.step).max(self.target);
        } else {
            self.step = 0.0;
            if self.hold == 0 {
                self.gain += (1.0 - self.gain) * RELEASE;
                self.target = self.gain;
            }
        }
        self.hold = self.hold.saturating_sub(1);
        let out = std::mem::replace(&mut self.delayed[self.at], sample);
        self.at = (self.at + 1) % Self::DELAY;
        // The ramp arrives in time for a single peak; for several in a row this is the last resort.
        (out * self.gain).clamp(-Self::CEILING, Self::CEILING)
    }
}

/// Samples for which a gain is held after the peak that asked for it: 10 ms, so that it does not follow the waveform of
/// a low voice.
const HOLD: usize = 480;

/// Share of the missing gain that comes back with each sample: a time constant of about 100 ms.
const RELEASE: f32 = 1.0 / 4800.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(amplitude: f32, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| amplitude * (i as f32 * 0.06).sin()).collect()
    }

    #[test]
    fn quiet_sound_passes_unchanged_and_one_millisecond_late() {
        let input = sine(0.8, 4800);
        let mut output = input.clone();
        Limiter::default().apply(&mut output);
        assert_eq!(&output[Limiter::DELAY..], &input[..4800 - Limiter::DELAY]);
    }

    #[test]
    fn loud_sound_stays_below_the_ceiling_without_being_cut_flat() {
        let mut output = sine(4.0, 48_000);
        Limiter::default().apply(&mut output);
        assert!(output.iter().all(|sample| sample.abs() <= Limiter::CEILING));
        let settled = &output[4800..];
        let flat = settled.windows(2).filter(|pair| pair[0].abs() >= Limiter::CEILING && pair[0] == pair[1]).count();
        assert!(flat < settled.len() / 1000, "{flat} samples are clipped");
        let peak = settled.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!(peak > 0.8, "it limits, it does not mute: {peak}");
    }

    #[test]
    fn the_gain_comes_back_after_a_peak() {
        let mut limiter = Limiter::default();
        limiter.apply(&mut sine(4.0, 4800));
        limiter.apply(&mut vec![0.0; 48_000]);
        let mut output = sine(0.5, 4800);
        limiter.apply(&mut output);
        let peak = output.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!(peak > 0.49, "{peak}");
    }

    #[test]
    fn what_is_no_number_becomes_silence() {
        let mut samples = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30];
        samples.extend(sine(0.5, 960));
        Limiter::default().apply(&mut samples);
        assert!(samples.iter().all(|sample| sample.is_finite() && sample.abs() <= Limiter::CEILING));
    }
}
