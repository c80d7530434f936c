//! A tone to test a loudspeaker with.

use std::{f32::consts::TAU, time::Duration};

use crate::SAMPLE_RATE;

/// A sine at 48 kHz that begins and ends softly, so that no click is heard.
#[derive(Clone, Debug)]
pub struct Tone {
    step: f32,
    phase: f32,
    amplitude: f32,
    position: u64,
    length: u64,
}

impl Tone {
    /// How long it takes to become loud, and silent again, in samples: 10 ms.
    const RAMP: u64 = 480;

    /// A tone of `frequency` Hz at `amplitude` (0 to 1) for `length`; silence after it.
    pub fn new(frequency: f32, amplitude: f32, length: Duration) -> Self {
        Self {
            step: frequency / SAMPLE_RATE as f32,
            phase: 0.0,
            amplitude: amplitude.clamp(0.0, 1.0),
            position: 0,
            length: (length.as_secs_f64() * f64::from(SAMPLE_RATE)) as u64,
        }
    }

    /// Writes the next samples.
    pub fn fill(&mut self, samples: &mut [f32]) {
        for sample in samples {
            let to_edge = self.position.min(self.length.saturating_sub(self.position)).min(Self::RAMP);
            *sample = (self.phase * TAU).sin() * self.amplitude * (to_edge as f32 / Self::RAMP as f32);
            self.phase = (self.phase + self.step).fract();
            self.position = self.position.saturating_add(1);
        }
    }

    /// Whether only silence follows.
    pub fn is_over(&self) -> bool {
        self.position >= self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_has_its_pitch_and_ends_in_silence() {
        let mut tone = Tone::new(440.0, 0.5, Duration::from_secs(1));
        let mut samples = vec![0.0; 48_000 + 960];
        tone.fill(&mut samples);
        let crossings = samples.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        assert!((438..=441).contains(&crossings), "{crossings}");
        assert!(samples[48_000..].iter().all(|sample| *sample == 0.0));
        assert!(tone.is_over());
    }
}
