//! Keeps a sum of voices from clipping.

/// A limiter with look-ahead: above the threshold the gain goes down smoothly before the peak arrives and comes back
/// slowly, so that loud moments are quieter and never distorted.
///
/// The output is the input [`Limiter::DELAY`] samples later. It never exceeds [`Limiter::CEILING`], whatever comes in.
#[derive(Clone, Debug)]
pub struct Limiter {
    /// The samples that wait for their turn, each with the gain that it allows, as a ring.
    line: [(f32, f32); Self::DELAY],
    at: usize,
    gain: f32,
    /// How much the gain falls per sample while it has to.
    step: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { line: [(0.0, 1.0); Self::DELAY], at: 0, gain: 1.0, step: 0.0 }
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
        let allowed = (Self::CEILING / sample.abs().max(f32::MIN_POSITIVE)).min(1.0);
        let (out, leaving) = std::mem::replace(&mut self.line[self.at], (sample, allowed));
        self.at = (self.at + 1) % Self::DELAY;
        let target = self.line.iter().fold(leaving, |least, (_, allowed)| least.min(*allowed));
        if self.gain > target {
            // A ramp that is under way for an earlier peak must not become flatter.
            self.step = self.step.max((self.gain - allowed) / Self::DELAY as f32);
            self.gain = (self.gain - self.step).max(target);
        } else {
            self.step = 0.0;
            self.gain = (self.gain + (1.0 - self.gain) * RELEASE).min(target);
        }
        // The gain has come down in time; this is for what rounding leaves.
        (out * self.gain).clamp(-Self::CEILING, Self::CEILING)
    }
}

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
        let is_flat = |part: &&[f32]| part.iter().all(|sample| sample.abs() > Limiter::CEILING * 0.9999);
        let flat = settled.windows(4).filter(is_flat).count();
        assert_eq!(flat, 0, "tops are cut off");
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
