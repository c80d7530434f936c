//! Between the rate of a device or file and 48 kHz.

use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
    audioadapter_buffers::direct::InterleavedSlice,
};

/// Rates that are converted; outside of them a header is not believed.
pub(crate) const RATES: std::ops::RangeInclusive<u32> = 4_000..=768_000;
/// Length of the filter: 60 dB and better beyond the pass band, which ends at 0.9 of the lower rate's half.
const FILTER: usize = 96;

/// Converts a mono stream piece by piece; passes it through where the rates are equal.
pub(crate) struct Resampler {
    inner: Option<Async<f32>>,
    pending: Vec<f32>,
    output: Vec<f32>,
    from: u32,
}

impl Resampler {
    /// `None` for a rate outside of [`RATES`].
    pub(crate) fn new(from: u32, to: u32) -> Option<Self> {
        if !RATES.contains(&from) || !RATES.contains(&to) {
            return None;
        }
        let mut resampler = Self { inner: None, pending: Vec::new(), output: Vec::new(), from };
        if from != to {
            let parameters = SincInterpolationParameters::new(FILTER, WindowFunction::BlackmanHarris2)
                .interpolation(SincInterpolationType::Linear)
                .oversampling_factor(256);
            // Pieces of 5 ms.
            let piece = (from / 200) as usize;
            let ratio = f64::from(to) / f64::from(from);
            let inner = Async::new_sinc(ratio, 1.0, &parameters, piece, 1, FixedAsync::Input).ok()?;
            resampler.output.resize(inner.output_frames_max(), 0.0);
            resampler.inner = Some(inner);
        }
        Some(resampler)
    }

    /// Converts `input`, appends to `output`; up to 5 ms stay inside until more comes.
    pub(crate) fn convert(&mut self, input: &[f32], output: &mut Vec<f32>) {
        let Some(inner) = &mut self.inner else {
            output.extend_from_slice(input);
            return;
        };
        self.pending.extend_from_slice(input);
        let mut used = 0;
        loop {
            let needed = inner.input_frames_next();
            if self.pending.len() - used < needed {
                break;
            }
            let room = self.output.len();
            let source = InterleavedSlice::new(&self.pending[used..used + needed], 1, needed);
            let target = InterleavedSlice::new_mut(&mut self.output, 1, room);
            let (Ok(source), Ok(mut target)) = (source, target) else { break };
            match inner.process_into_buffer(&source, &mut target, Some(&Indexing::new())) {
                Ok((read, written)) => {
                    used += read;
                    output.extend_from_slice(&self.output[..written]);
                }
                Err(error) => {
                    tracing::error!(%error, "resampling failed");
                    used += needed;
                }
            }
        }
        self.pending.drain(..used);
    }

    /// Seconds that the filter and what waits inside hold back.
    pub(crate) fn delay(&self) -> f64 {
        match &self.inner {
            None => 0.0,
            Some(inner) => {
                let filter = inner.output_delay() as f64 / inner.resample_ratio();
                (self.pending.len() as f64 + filter) / f64::from(self.from)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// RMS of the difference to the wanted sine, with the best phase, in dB below it.
    fn purity(samples: &[f32], frequency: f64) -> f64 {
        let (mut sine, mut cosine, mut power) = (0.0, 0.0, 0.0);
        for (index, sample) in samples.iter().enumerate() {
            let angle = TAU * frequency * index as f64 / 48_000.0;
            sine += f64::from(*sample) * angle.sin();
            cosine += f64::from(*sample) * angle.cos();
            power += f64::from(sample * sample);
        }
        let tone = 2.0 * (sine * sine + cosine * cosine) / samples.len() as f64;
        10.0 * (tone / (power - tone).max(1e-12)).log10()
    }

    #[test]
    fn a_tone_of_any_rate_is_the_same_tone_at_48_khz() {
        for rate in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000] {
            let mut resampler = Resampler::new(rate, 48_000).expect("a usual rate");
            let input: Vec<f32> =
                (0..rate * 2).map(|i| (0.5 * (TAU * 1000.0 * f64::from(i) / f64::from(rate)).sin()) as f32).collect();
            let mut output = Vec::new();
            input.chunks(441).for_each(|piece| resampler.convert(piece, &mut output));
            assert!((output.len() as i64 - 96_000).abs() < 1000, "{rate}: {}", output.len());
            let purity = purity(&output[4_800..52_800], 1000.0);
            assert!(purity > 55.0, "{rate}: {purity} dB");
        }
    }

    #[test]
    fn absurd_rates_are_refused() {
        for rate in [0, 1, 3_999, 1_000_000, u32::MAX] {
            assert!(Resampler::new(rate, 48_000).is_none());
        }
    }
}
