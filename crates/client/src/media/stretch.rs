//! Sound a little shorter or longer at the same pitch.
//!
//! Waveform similarity overlap-add (WSOLA, Verhelst and Roelands 1993), as NetEq does it: the place is looked for at
//! which the sound resembles itself most one pitch period further on; that period is left out, or repeated, in one
//! overlap. Where nothing resembles, nothing is changed, so that what is heard is at worst too late.

/// What was played last, which a repetition begins from.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    past: [f32; LONGEST],
}

impl Default for Stretch {
    fn default() -> Self {
        Self { past: [0.0; LONGEST] }
    }
}

impl Stretch {
    /// Leaves one period out of `samples` (at least 20 ms, the next to be played), if one is found. Returns how many
    /// samples shorter it became.
    pub(super) fn shorten(&mut self, samples: &mut Vec<f32>) -> usize {
        let length = samples.len();
        let Some(room) = length.checked_sub(OVERLAP).filter(|room| *room > SHORTEST) else { return 0 };
        let longest = LONGEST.min(room);
        let found = most_alike(&samples[..OVERLAP], longest, |lag| samples.get(lag..lag + OVERLAP));
        let Some(period) = found else { return 0 };
        for at in 0..OVERLAP {
            let share = fade(at);
            samples[at] = samples[at] * (1.0 - share) + samples[at + period] * share;
        }
        samples.drain(OVERLAP..OVERLAP + period);
        period
    }

    /// Repeats one period in front of `samples` (at least 5 ms, the next to be played), if one is found. Returns how
    /// many samples longer it became.
    pub(super) fn lengthen(&mut self, samples: &mut Vec<f32>) -> usize {
        if samples.len() < OVERLAP {
            return 0;
        }
        let end: [f32; OVERLAP] = std::array::from_fn(|at| samples[at]);
        let mut line = self.past.to_vec();
        line.extend_from_slice(&end);
        // One period before the beginning of `samples` must resemble that beginning.
        let found = most_alike(&end, LONGEST, |lag| line.get(LONGEST - lag..LONGEST - lag + OVERLAP));
        let Some(period) = found else { return 0 };
        // Begins as the new sound does and ends as the past did, which the beginning follows without a seam.
        let inserted: Vec<f32> = (0..period)
            .map(|at| {
                let (fresh, past) = (samples.get(at).copied().unwrap_or_default(), self.past[LONGEST - period + at]);
                let share = if at < OVERLAP { fade(at) } else { 1.0 };
                fresh * (1.0 - share) + past * share
            })
            .collect();
        samples.splice(0..0, inserted);
        period
    }

    /// Notes what is played.
    pub(super) fn played(&mut self, samples: &[f32]) {
        let new = samples.len().min(LONGEST);
        self.past.copy_within(new.., 0);
        self.past[LONGEST - new..].copy_from_slice(&samples[samples.len() - new..]);
    }
}

/// The lag from [`SHORTEST`] to `longest` at which `at(lag)` resembles `sound` best; `None` where nothing does. Silence
/// resembles everything.
fn most_alike<'a>(sound: &[f32], longest: usize, at: impl Fn(usize) -> Option<&'a [f32]>) -> Option<usize> {
    let power: f32 = sound.iter().map(|sample| sample * sample).sum();
    if power < QUIET * sound.len() as f32 {
        return Some(longest.min(960 / 2)).filter(|lag| at(*lag).is_some());
    }
    let likeness = |lag: usize, step: usize| -> Option<f32> {
        let other = at(lag)?;
        let (mut product, mut power, mut other_power) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (a, b) in sound.iter().zip(other).step_by(step) {
            product += a * b;
            power += a * a;
            other_power += b * b;
        }
        Some(product / (power * other_power).sqrt().max(f32::MIN_POSITIVE))
    };
    let best = |lags: &mut dyn Iterator<Item = usize>, step| {
        lags.filter_map(|lag| Some((lag, likeness(lag, step)?))).max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let (coarse, _) = best(&mut (SHORTEST..=longest).step_by(COARSE), COARSE)?;
    let near = coarse.saturating_sub(COARSE).max(SHORTEST)..=(coarse + COARSE).min(longest);
    best(&mut near.into_iter(), 1).filter(|(_, likeness)| *likeness >= ALIKE).map(|(lag, _)| lag)
}

/// The share of what fades in, at a sample of the overlap.
fn fade(at: usize) -> f32 {
    (at as f32 + 0.5) / OVERLAP as f32
}

/// The shortest and longest period that is left out or repeated: 2.5 and 15 ms, voices from 67 to 400 Hz.
const SHORTEST: usize = 120;
const LONGEST: usize = 720;

/// How long both sounds are heard together: 5 ms.
const OVERLAP: usize = 240;

/// Step of the first look.
const COARSE: usize = 4;

/// The least normalized correlation at which sounds are alike.
const ALIKE: f32 = 0.75;

/// Mean square of what counts as silence: −60 dBFS.
const QUIET: f32 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f32, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|at| {
                let phase = at as f32 * hertz / 48_000.0 * std::f32::consts::TAU;
                phase.sin() * 0.3 + (phase * 2.0).sin() * 0.2 + (phase * 5.0).cos() * 0.1
            })
            .collect()
    }

    /// The largest step from one sample to the next.
    fn roughness(samples: &[f32]) -> f32 {
        samples.windows(2).fold(0.0, |most, pair| most.max((pair[1] - pair[0]).abs()))
    }

    /// Plays a tone, changing each third frame of 20 ms.
    fn play(hertz: f32, change: impl Fn(&mut Stretch, &mut Vec<f32>) -> usize) -> (Vec<f32>, usize) {
        let sound = tone(hertz, 48_000);
        let (mut stretch, mut heard, mut changed) = (Stretch::default(), Vec::new(), 0);
        for (number, frame) in sound.chunks_exact(960).enumerate() {
            let mut frame = frame.to_vec();
            if number % 3 == 1 {
                changed += change(&mut stretch, &mut frame);
            }
            stretch.played(&frame);
            heard.extend(frame);
        }
        (heard, changed)
    }

    #[test]
    fn a_voice_becomes_shorter_or_longer_by_whole_periods_without_seams() {
        for hertz in [90.0, 140.0, 220.0, 350.0] {
            let smooth = roughness(&tone(hertz, 48_000));
            let (shorter, left_out) = play(hertz, Stretch::shorten);
            let (longer, repeated) = play(hertz, Stretch::lengthen);
            assert_eq!((shorter.len(), longer.len()), (48_000 - left_out, 48_000 + repeated));
            assert!(left_out > 16 * 120 && repeated > 16 * 120, "{hertz}: {left_out}, {repeated}");
            for sound in [&shorter, &longer] {
                assert!(roughness(sound) < smooth * 1.15, "{hertz}: {} of {smooth}", roughness(sound));
                let crossings = sound.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
                let before = tone(hertz, 48_000).windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
                let pitch = crossings as f32 / sound.len() as f32 * 48_000.0 / before as f32;
                assert!((pitch - 1.0).abs() < 0.02, "{hertz}: the pitch is {pitch} of what it was");
            }
        }
    }

    #[test]
    fn noise_stays_as_it_is_and_silence_changes_most() {
        let mut seed = 1_u32;
        let mut noise: Vec<f32> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .take(960)
        .collect();
        let before = noise.clone();
        let mut stretch = Stretch::default();
        assert_eq!((stretch.shorten(&mut noise), stretch.lengthen(&mut noise)), (0, 0));
        assert_eq!(noise, before);
        let mut silence = vec![0.0; 960];
        assert_eq!(stretch.shorten(&mut silence), 480);
        assert_eq!(silence.len(), 480);
    }

    #[test]
    fn what_is_too_short_is_left_alone() {
        let mut stretch = Stretch::default();
        for length in [0, 1, 239, 240, 300, 360] {
            let mut sound = tone(200.0, length);
            stretch.shorten(&mut sound);
            assert_eq!(sound.len(), length);
            stretch.played(&sound);
        }
        assert_eq!(stretch.lengthen(&mut vec![0.1; 100]), 0);
    }
}
