//! How loud a piece of sound is.

/// Loudness of a piece of sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Root mean square in dB below full scale; [`Level::SILENCE`] at the least.
    pub rms: f32,
    /// The loudest sample in dB below full scale; [`Level::SILENCE`] at the least.
    pub peak: f32,
}

impl Level {
    /// What digital silence measures, in dBFS; below the noise of 16 bits.
    pub const SILENCE: f32 = -100.0;

    /// Measures `samples`; an empty slice is silence. A full-scale sine measures −3 dBFS RMS.
    pub fn of(samples: &[f32]) -> Self {
        let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32;
        Self { rms: decibel(power.sqrt()), peak: decibel(peak) }
    }

    /// The RMS as a bar's length, 0 at −60 dBFS and below, 1 at full scale.
    pub fn bar(self) -> f32 {
        ((self.rms + 60.0) / 60.0).clamp(0.0, 1.0)
    }
}

fn decibel(amplitude: f32) -> f32 {
    if amplitude > 0.0 { (20.0 * amplitude.log10()).max(Level::SILENCE) } else { Level::SILENCE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_scale_sine_is_three_decibels_below_full_scale() {
        let sine: Vec<f32> = (0..4800).map(|i| (i as f32 * std::f32::consts::TAU / 48.0).sin()).collect();
        let level = Level::of(&sine);
        assert!((level.rms + 3.01).abs() < 0.05, "{level:?}");
        assert!(level.peak.abs() < 0.05, "{level:?}");
    }

    #[test]
    fn silence_nothing_and_garbage_measure_as_silence_or_finite() {
        assert_eq!(Level::of(&[0.0; 960]), Level { rms: Level::SILENCE, peak: Level::SILENCE });
        assert_eq!(Level::of(&[]).bar(), 0.0);
        assert!(Level::of(&[f32::NAN]).rms >= Level::SILENCE);
    }
}
