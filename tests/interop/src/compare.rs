//! Holds what was received against what was sent.

use std::borrow::Cow;

use conclave_codec::scale::scale;
use conclave_model::{MediaTime, Picture};

use crate::{
    clip::{Pictures, SAMPLE_RATE},
    recording::{Frame, Sound},
};

/// How a received clip compares with its source.
#[derive(Debug)]
pub struct PictureMatch {
    /// The number of the source frame that each received frame shows, and its PSNR in dB.
    pub frames: Vec<(usize, f64)>,
    /// How many frames show another source frame than their capture time says, by more than one frame.
    pub out_of_step: usize,
    /// Where in the source clip the sender's clock stood at 0, in seconds; comparable with [`SoundMatch::offset`].
    pub offset: f64,
}

impl PictureMatch {
    /// The median PSNR in dB.
    pub fn median_psnr(&self) -> f64 {
        let mut values: Vec<f64> = self.frames.iter().map(|(_, psnr)| *psnr).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    }
}

/// Finds for each received frame the source frame that it shows.
///
/// The first frame is searched in the whole clip; from then on the capture times say which frame is due, and its
/// neighbours compete with it. Of a smaller encoding, frames count as they are shown: enlarged to the source's size.
/// `None` where nothing was received, or in other proportions than the source's.
pub fn match_pictures(source: &Pictures, received: &[Frame]) -> Option<PictureMatch> {
    let count = source.luma.len();
    let first = received.first()?;
    let best = |candidates: &mut dyn Iterator<Item = usize>, luma: &[u8]| {
        candidates.map(|number| (number, psnr(&source.luma[number], luma))).max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let (begin, _) = best(&mut (0..count), &shown(first, source)?)?;
    let mut frames = Vec::new();
    let mut out_of_step = 0;
    for frame in received {
        let elapsed = frame.time.saturating_sub(first.time) as f64 / 1e6;
        let due = begin as f64 + elapsed * source.rate;
        let near = due.round() as usize;
        let found = best(&mut (near.saturating_sub(4)..near + 5).map(|number| number % count), &shown(frame, source)?)?;
        let distance = (found.0 as f64 - due).rem_euclid(count as f64);
        if distance.min(count as f64 - distance) > 1.5 {
            out_of_step += 1;
        }
        frames.push(found);
    }
    let offset = begin as f64 / source.rate - first.time as f64 / 1e6;
    Some(PictureMatch { frames, out_of_step, offset })
}

/// The brightness of a frame in the source's size.
fn shown<'a>(frame: &'a Frame, source: &Pictures) -> Option<Cow<'a, [u8]>> {
    if (frame.width, frame.height) == (source.width, source.height) {
        return Some(Cow::Borrowed(&frame.luma));
    }
    if frame.width * source.height != frame.height * source.width {
        return None;
    }
    let size = |length: usize| u32::try_from(length).ok();
    let mut picture = Picture::black(size(frame.width)?, size(frame.height)?, MediaTime(0)).ok()?;
    picture.planes_mut()[0].copy_from_slice(&frame.luma);
    let scaled = scale(&picture, size(source.width)?, size(source.height)?).ok()?;
    Some(Cow::Owned(scaled.planes()[0].to_vec()))
}

/// Peak signal-to-noise ratio of two 8-bit planes, in dB; 99 for equal ones.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let squares: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    let mean = squares as f64 / a.len().max(1) as f64;
    if mean == 0.0 { 99.0 } else { 10.0 * (255.0 * 255.0 / mean).log10() }
}

/// How received sound compares with its source.
#[derive(Debug)]
pub struct SoundMatch {
    /// Correlation of each window of half a second with its place in the source, −1 to 1.
    pub windows: Vec<f64>,
    /// How far the places of the windows stray from the first one's, in milliseconds.
    pub drift_ms: f64,
    /// Where in the source the sender's clock stood at 0, in seconds.
    pub offset: f64,
}

impl SoundMatch {
    /// The median correlation.
    pub fn median(&self) -> f64 {
        let mut values = self.windows.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    }
}

/// The search runs at a sixth of the sample rate, 8 kHz.
const COARSE: usize = 6;

/// Finds where in the looping source the received sound belongs, and how well it fits there.
///
/// Pieces are laid out one after the other, and anew by their capture times where one is missing. `None` for less than a second of sound.
pub fn match_sound(source: &[f32], received: &[Sound]) -> Option<SoundMatch> {
    let first = received.first()?;
    let mut track: Vec<f32> = Vec::new();
    for piece in received {
        let stamped = (piece.time.saturating_sub(first.time) as usize * SAMPLE_RATE as usize).div_ceil(1_000_000);
        let next = track.len();
        // Stamps tremble by what a thread waits for its turn; what follows within half a piece follows at once.
        let at = if stamped.abs_diff(next) <= piece.samples.len() / 2 { next } else { stamped };
        if at + piece.samples.len() > track.len() {
            track.resize(at + piece.samples.len(), 0.0);
        }
        track[at..at + piece.samples.len()].copy_from_slice(&piece.samples);
    }
    let window = SAMPLE_RATE as usize / 2;
    let looped = |begin: usize| (begin..begin + window).map(|at| source[at % source.len()]).collect::<Vec<_>>();
    let coarse_source = thin(source);
    let mut windows = Vec::new();
    let mut places: Vec<usize> = Vec::new();
    for begin in (window..track.len().checked_sub(window)?).step_by(window) {
        let part = &track[begin..begin + window];
        if part.iter().map(|sample| sample * sample).sum::<f32>() < 0.5 {
            continue;
        }
        let coarse = thin(part);
        let lags = coarse_source.len();
        // The first window is searched everywhere, the others within a quarter of a second of where they are due.
        let near = SAMPLE_RATE as usize / COARSE / 4;
        let (from, count) = match places.first() {
            None => (0, lags),
            Some(origin) => (((origin + begin) / COARSE + 2 * lags - near) % lags, 2 * near),
        };
        let (place, _) = (from..from + count)
            .map(|lag| (lag % lags, correlation(&coarse, |at| coarse_source[(lag + at) % lags])))
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        let (place, fit) = (0..=4 * COARSE)
            .map(|shift| {
                let place = (place * COARSE + source.len() + shift - 2 * COARSE) % source.len();
                let there = looped(place);
                (place, correlation(part, |at| there[at]))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        windows.push(fit);
        places.push((place + source.len() - begin % source.len()) % source.len());
    }
    let origin = *places.first()?;
    let stray = |place: &usize| {
        let distance = place.abs_diff(origin);
        distance.min(source.len() - distance)
    };
    let drift = places.iter().map(stray).max()?;
    let rate = f64::from(SAMPLE_RATE);
    Some(SoundMatch {
        windows,
        drift_ms: drift as f64 * 1000.0 / rate,
        offset: origin as f64 / rate - first.time as f64 / 1e6,
    })
}

/// Every sixth sample, each the mean of six.
fn thin(samples: &[f32]) -> Vec<f32> {
    samples.chunks_exact(COARSE).map(|six| six.iter().sum::<f32>() / COARSE as f32).collect()
}

/// The normalised correlation at no lag.
fn correlation(a: &[f32], b: impl Fn(usize) -> f32) -> f64 {
    let (mut both, mut left, mut right) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (at, a) in a.iter().enumerate() {
        let (a, b) = (f64::from(*a), f64::from(b(at)));
        both += a * b;
        left += a * a;
        right += b * b;
    }
    both / (left * right).sqrt().max(1e-9)
}

/// The time from sound to picture of the same moment, in milliseconds; positive where the picture is late.
///
/// `loop_seconds` are the lengths of the two clips; both loop, so only the shorter distance counts.
pub fn lip_sync_ms(picture: &PictureMatch, sound: &SoundMatch, loop_seconds: f64) -> f64 {
    let apart = (sound.offset - picture.offset).rem_euclid(loop_seconds);
    (if apart > loop_seconds / 2.0 { apart - loop_seconds } else { apart }) * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip;

    #[test]
    fn a_shifted_noisy_copy_is_found_and_a_stranger_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("voice.wav");
        clip::write_wav(&path, 4).expect("a written file");
        let source = clip::read_wav(&path).expect("a read file");
        let cut = |shift: usize| -> Vec<Sound> {
            (0..100)
                .map(|number| Sound {
                    time: 5_000_000 + number as u64 * 20_000,
                    concealed: false,
                    samples: (0..960).map(|at| source[(shift + number * 960 + at) % source.len()]).collect(),
                })
                .collect()
        };
        let found = match_sound(&source, &cut(31_234)).expect("enough sound");
        assert!(found.median() > 0.999, "{found:?}");
        assert!(found.drift_ms < 0.1, "{found:?}");
        let mut torn = cut(0);
        for piece in torn.iter_mut().step_by(2) {
            piece.samples.reverse();
        }
        assert!(match_sound(&source, &torn).expect("enough sound").median() < 0.9);
    }

    #[test]
    fn frames_are_told_from_their_neighbours() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("clip.y4m");
        clip::write_y4m(&path, 1).expect("a written file");
        let source = clip::read_y4m(&path).expect("a read file");
        let received: Vec<Frame> = (0..20)
            .map(|number| Frame {
                number,
                time: 1_000_000 + u64::from(number) * 50_000,
                width: source.width,
                height: source.height,
                luma: source.luma[(number as usize + 7) % 20].clone(),
            })
            .collect();
        let found = match_pictures(&source, &received).expect("the same size");
        assert!(found.frames.iter().enumerate().all(|(at, (number, psnr))| *number == (at + 7) % 20 && *psnr == 99.0));
        assert_eq!(found.out_of_step, 0);
    }

    #[test]
    fn a_smaller_encoding_counts_as_it_is_shown_and_other_proportions_do_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("clip.y4m");
        clip::write_y4m(&path, 1).expect("a written file");
        let source = clip::read_y4m(&path).expect("a read file");
        let half = |number: u32| {
            let luma = &source.luma[number as usize];
            let rows = luma.chunks(source.width).step_by(2);
            Frame {
                number,
                time: 1_000_000 + u64::from(number) * 50_000,
                width: source.width / 2,
                height: source.height / 2,
                luma: rows.flat_map(|row| row.iter().step_by(2).copied()).collect(),
            }
        };
        let found = match_pictures(&source, &(0..20).map(half).collect::<Vec<_>>()).expect("the same proportions");
        assert_eq!(found.out_of_step, 0);
        let median = found.median_psnr();
        assert!(median > 15.0 && median < 60.0, "{median:.1} dB: close, and not the same");
        let narrow = Frame { width: source.width / 2 - 10, luma: vec![0; (source.width / 2 - 10) * 90], ..half(0) };
        assert!(match_pictures(&source, &[narrow]).is_none());
    }
}
