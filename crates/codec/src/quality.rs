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

/// Structural similarity of brightness: 1 for equal pictures, above 0.98 hardly to be told apart, below 0.9 clearly worse.
/// `None` where the sizes differ or a side is below 8.
///
/// Wang, Bovik, Sheikh and Simoncelli 2004 over windows of 8×8 pixels at every fourth, as ffmpeg's `ssim` filter has it.
/// About 2 ms for 1280×720.
pub fn ssim(a: &Picture, b: &Picture) -> Option<f64> {
    let (width, height) = (a.width() as usize, a.height() as usize);
    if (a.width(), a.height()) != (b.width(), b.height()) || width < 8 || height < 8 {
        return None;
    }
    let ([a, ..], [b, ..]) = (a.planes(), b.planes());
    let row = |y: usize| -> Vec<Sums> { (0..width / 4).map(|x| Sums::of(a, b, width, x * 4, y * 4)).collect() };
    let mut upper = row(0);
    let mut total = 0.0;
    for y in 1..height / 4 {
        let lower = row(y);
        for (upper, lower) in upper.windows(2).zip(lower.windows(2)) {
            total += upper[0].add(&upper[1]).add(&lower[0]).add(&lower[1]).similarity();
        }
        upper = lower;
    }
    Some(total / ((width / 4 - 1) * (height / 4 - 1)) as f64)
}

/// Sums over the pixels of a block in two pictures.
#[derive(Clone, Copy)]
struct Sums {
    a: u32,
    b: u32,
    squares: u32,
    products: u32,
}

impl Sums {
    /// Of the 4×4 pixels from `x` and `y` on.
    fn of(a: &[u8], b: &[u8], width: usize, x: usize, y: usize) -> Self {
        let mut sums = Self { a: 0, b: 0, squares: 0, products: 0 };
        for start in (y..y + 4).map(|y| y * width + x) {
            for (a, b) in a[start..start + 4].iter().zip(&b[start..start + 4]) {
                let (a, b) = (u32::from(*a), u32::from(*b));
                sums.a += a;
                sums.b += b;
                sums.squares += a * a + b * b;
                sums.products += a * b;
            }
        }
        sums
    }

    fn add(&self, other: &Self) -> Self {
        Self {
            a: self.a + other.a,
            b: self.b + other.b,
            squares: self.squares + other.squares,
            products: self.products + other.products,
        }
    }

    /// Of a window of 64 pixels.
    fn similarity(&self) -> f64 {
        /// The constants of the paper for 64 pixels of 8 bits.
        const C1: f64 = 0.01 * 0.01 * 255.0 * 255.0 * 64.0;
        const C2: f64 = 0.03 * 0.03 * 255.0 * 255.0 * 64.0 * 63.0;
        let (a, b) = (f64::from(self.a), f64::from(self.b));
        let variances = f64::from(self.squares) * 64.0 - a * a - b * b;
        let covariance = f64::from(self.products) * 64.0 - a * b;
        (2.0 * a * b + C1) * (2.0 * covariance + C2) / ((a * a + b * b + C1) * (variances + C2))
    }
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
    fn ssim_is_what_ffmpeg_finds() {
        let pattern = |shift: usize| {
            let mut picture = Picture::black(64, 48, MediaTime(0)).unwrap();
            let [y, ..] = picture.planes_mut();
            for (at, value) in y.iter_mut().enumerate() {
                let (x, y) = (at % 64 + shift, at / 64);
                *value = ((x * x / 7 + y * 5 + x * y / 3) % 200 + 20) as u8;
            }
            picture
        };
        assert_eq!(ssim(&pattern(0), &pattern(0)), Some(1.0));
        // `ffmpeg -f rawvideo -pix_fmt gray -s 64x48 -i A -f rawvideo -pix_fmt gray -s 64x48 -i B -lavfi ssim -f null -`
        let found = ssim(&pattern(0), &pattern(1)).unwrap();
        assert!((found - 0.549504).abs() < 1e-5, "{found}");
        assert_eq!(ssim(&pattern(0), &Picture::black(64, 40, MediaTime(0)).unwrap()), None);
        let small = Picture::black(6, 6, MediaTime(0)).unwrap();
        assert_eq!(ssim(&small, &small), None);
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
