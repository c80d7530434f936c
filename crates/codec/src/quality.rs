//! How near a decoded picture or sound is to its source.

use conclave_model::Picture;

/// Peak signal-to-noise ratio of brightness in dB: about 30 is fair, 40 good; infinite for equal pictures. `None` where
/// the sizes differ.
pub fn psnr(a: &Picture, b: &Picture) -> Option<f64> {
    if (a.width(), a.height()) != (b.width(), b.height()) {
        return None;
    }
    let ([a, ..], [b, ..]) = (a.planes(), b.planes());
    let squares: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    let mean = squares as f64 / a.len() as f64;
    Some(10.0 * (255.0 * 255.0 / mean).log10())
}

/// The delay in samples, up to `most`, at which `heard` resembles `source` best, and how much (1 is "the same").
///
/// Both at the same rate. `None` where either is silent or too short.
pub fn alignment(source: &[f32], heard: &[f32], most: usize) -> Option<(usize, f64)> {
    (0..most.min(heard.len()))
        .filter_map(|delay| Some((delay, correlation(source, heard.get(delay..)?)?)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Normalized correlation of two signals over their common length, −1 to 1; `None` where either is silent.
pub fn correlation(a: &[f32], b: &[f32]) -> Option<f64> {
    let (mut product, mut power_a, mut power_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f64::from(*a), f64::from(*b));
        product += a * b;
        power_a += a * a;
        power_b += b * b;
    }
    let power = (power_a * power_b).sqrt();
    (power > 0.0).then(|| product / power)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_model::MediaTime;

    use super::*;

    #[test]
    fn psnr_follows_its_definition() {
        let a = Picture::black(16, 16, MediaTime(0)).unwrap();
        let mut b = a.clone();
        assert_eq!(psnr(&a, &b), Some(f64::INFINITY));
        for value in b.planes_mut()[0].iter_mut() {
            *value += 1;
        }
        assert!((psnr(&a, &b).unwrap() - 48.13).abs() < 0.01);
        assert_eq!(psnr(&a, &Picture::black(16, 8, MediaTime(0)).unwrap()), None);
    }

    #[test]
    fn alignment_finds_the_delay() {
        let mut seed = 1_u32;
        let source: Vec<f32> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .take(2000)
        .collect();
        let mut heard = vec![0.0; 321];
        heard.extend(source.iter().map(|sample| sample * 0.5));
        let (delay, likeness) = alignment(&source, &heard, 500).unwrap();
        assert_eq!(delay, 321);
        assert!(likeness > 0.999);
        assert_eq!(correlation(&source, &[0.0; 10]), None);
    }
}
