//! Pictures in other sizes.

use std::sync::Arc;

use conclave_model::{Picture, PictureError, picture::MAX_SIDE};
use pic_scale::{ImageSize, ImageStore, ImageStoreMut, Resampling, ResamplingFunction, Scaler, ThreadingPolicy};

use crate::CodecError;

/// How a picture is made to fit another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// All of it, with black bars where it does not reach.
    Letterbox,
    /// No bars; what sticks out is cut off, the same on both sides.
    Crop,
}

/// Scales pictures and remembers how for the next of the same sizes.
///
/// A triangle filter of the width of the target's pixels: no aliasing on the way down, no ringing on the way up.
#[derive(Default)]
pub struct PictureScaler {
    plan: Option<Plan>,
}

struct Plan {
    from: (u32, u32),
    to: (u32, u32),
    luma: Arc<Resampling<u8, 1>>,
    chroma: Arc<Resampling<u8, 1>>,
}

impl PictureScaler {
    /// Scales to exactly `width` × `height`, whatever that does to the proportions. Keeps the time.
    ///
    /// # Errors
    /// [`CodecError::Picture`] for an absurd size, [`CodecError::Scale`] where the scaler cannot.
    pub fn scale(&mut self, picture: &Picture, width: u32, height: u32) -> Result<Picture, CodecError> {
        let (from, to) = ((picture.width(), picture.height()), (width, height));
        if from == to {
            return Ok(picture.clone());
        }
        check(to)?;
        let plan = match &self.plan {
            Some(plan) if (plan.from, plan.to) == (from, to) => plan,
            Some(_) | None => self.plan.insert(Plan::new(from, to)?),
        };
        let [y, u, v] = picture.planes();
        let planes = [
            resample(&plan.luma, y, from, to)?,
            resample(&plan.chroma, u, half(from), half(to))?,
            resample(&plan.chroma, v, half(from), half(to))?,
        ];
        Ok(Picture::new(width, height, picture.time, planes)?)
    }
}

impl std::fmt::Debug for PictureScaler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PictureScaler").field("sizes", &self.plan.as_ref().map(|plan| (plan.from, plan.to))).finish()
    }
}

impl Plan {
    fn new(from: (u32, u32), to: (u32, u32)) -> Result<Self, CodecError> {
        let scaler = Scaler::new(ResamplingFunction::Bilinear).set_threading_policy(ThreadingPolicy::Single);
        let plan = |source: (u32, u32), target: (u32, u32)| {
            scaler
                .plan_planar_resampling(size(source), size(target))
                .map_err(|_| CodecError::Scale { from: source, to: target })
        };
        Ok(Self { from, to, luma: plan(from, to)?, chroma: plan(half(from), half(to))? })
    }
}

/// Scales one picture to exactly `width` × `height`, see [`PictureScaler::scale`].
///
/// # Errors
/// Those of [`PictureScaler::scale`].
pub fn scale(picture: &Picture, width: u32, height: u32) -> Result<Picture, CodecError> {
    PictureScaler::default().scale(picture, width, height)
}

/// Scales one picture into `width` × `height` without changing its proportions. Keeps the time.
///
/// # Errors
/// Those of [`PictureScaler::scale`].
pub fn fit(picture: &Picture, width: u32, height: u32, how: Fit) -> Result<Picture, CodecError> {
    check((width, height))?;
    let (w, h) = (u64::from(picture.width()), u64::from(picture.height()));
    let (wide, high) = (u64::from(width), u64::from(height));
    // Which of the two directions decides the scale.
    let by_width = (wide * h <= high * w) == (how == Fit::Letterbox);
    let (inner_width, inner_height) = if by_width { (wide, h * wide / w) } else { (w * high / h, high) };
    let even = |side: u64| u32::try_from(side).unwrap_or(MAX_SIDE).clamp(2, MAX_SIDE).next_multiple_of(2).min(MAX_SIDE);
    let scaled = scale(picture, exact_or_even(inner_width, wide, even), exact_or_even(inner_height, high, even))?;
    let mut target = Picture::black(width, height, picture.time)?;
    place(&scaled, &mut target);
    Ok(target)
}

/// Sides that fill the target stay as they are, others become even so that colour and brightness stay together.
fn exact_or_even(side: u64, target: u64, even: impl Fn(u64) -> u32) -> u32 {
    if side == target { u32::try_from(target).unwrap_or(MAX_SIDE) } else { even(side) }
}

/// Copies `source` into the middle of `target`; what does not fit is left out.
fn place(source: &Picture, target: &mut Picture) {
    let sizes = [
        ((source.width(), source.height()), (target.width(), target.height())),
        (source.chroma_size(), target.chroma_size()),
        (source.chroma_size(), target.chroma_size()),
    ];
    // Half of the even offset in brightness is the offset in colour.
    let offset = |from: u32, to: u32| ((to.abs_diff(from) / 2) & !1) as usize;
    let (x, y) = (offset(source.width(), target.width()), offset(source.height(), target.height()));
    let planes = source.planes().into_iter().zip(target.planes_mut()).zip(sizes).enumerate();
    for (index, ((from, to), ((from_width, from_height), (to_width, to_height)))) in planes {
        let (x, y) = if index == 0 { (x, y) } else { (x / 2, y / 2) };
        let (from_x, to_x) = if from_width > to_width { (x, 0) } else { (0, x) };
        let (from_y, to_y) = if from_height > to_height { (y, 0) } else { (0, y) };
        let width = (from_width.min(to_width)) as usize;
        let rows = from.chunks_exact(from_width as usize).skip(from_y);
        for (row, line) in rows.zip(to.chunks_exact_mut(to_width as usize).skip(to_y)) {
            for (pixel, value) in line.iter_mut().skip(to_x).zip(row.iter().skip(from_x).take(width)) {
                *pixel = *value;
            }
        }
    }
}

fn resample(
    plan: &Arc<Resampling<u8, 1>>,
    plane: &[u8],
    from: (u32, u32),
    to: (u32, u32),
) -> Result<Vec<u8>, CodecError> {
    let failed = |_| CodecError::Scale { from, to };
    let (source, target) = (size(from), size(to));
    let mut scaled = vec![0; target.width * target.height];
    let store = ImageStore::<u8, 1>::borrow(plane, source.width, source.height).map_err(failed)?;
    let mut into = ImageStoreMut::<u8, 1>::borrow(&mut scaled, target.width, target.height).map_err(failed)?;
    plan.resample(&store, &mut into).map_err(failed)?;
    Ok(scaled)
}

fn check((width, height): (u32, u32)) -> Result<(), PictureError> {
    let allowed = 1..=MAX_SIDE;
    if allowed.contains(&width) && allowed.contains(&height) {
        Ok(())
    } else {
        Err(PictureError::Size { width, height })
    }
}

fn half((width, height): (u32, u32)) -> (u32, u32) {
    (width.div_ceil(2), height.div_ceil(2))
}

fn size((width, height): (u32, u32)) -> ImageSize {
    ImageSize::new(width as usize, height as usize)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_model::MediaTime;

    use super::*;
    use crate::quality::psnr;

    /// A picture whose brightness runs from left to right and whose colours run from top to bottom.
    fn ramp(width: u32, height: u32) -> Picture {
        let mut picture = Picture::black(width, height, MediaTime(7)).unwrap();
        let (chroma_width, chroma_height) = picture.chroma_size();
        let [y, u, v] = picture.planes_mut();
        for (at, value) in y.iter_mut().enumerate() {
            *value = (16.0 + 200.0 * (at as u32 % width) as f64 / f64::from(width)) as u8;
        }
        for (at, (u, v)) in u.iter_mut().zip(v).enumerate() {
            let row = at as u32 / chroma_width;
            *u = (40.0 + 150.0 * f64::from(row) / f64::from(chroma_height)) as u8;
            *v = 255 - *u;
        }
        picture
    }

    #[test]
    fn down_and_up_again_is_nearly_the_same() {
        let picture = ramp(640, 360);
        let back = scale(&scale(&picture, 320, 180).unwrap(), 640, 360).unwrap();
        assert!(psnr(&picture, &back).unwrap() > 40.0);
        assert_eq!(back.time, MediaTime(7));
    }

    #[test]
    fn odd_and_tiny_sizes_work() {
        for (width, height) in [(1, 1), (3, 5), (333, 187), (641, 361), (2, 360)] {
            let scaled = scale(&ramp(640, 360), width, height).unwrap();
            assert_eq!((scaled.width(), scaled.height()), (width, height));
            let from_odd = scale(&scaled, 64, 36).unwrap();
            assert_eq!(from_odd.planes()[1].len(), 32 * 18);
        }
        assert!(scale(&ramp(64, 36), 0, 10).is_err());
        assert!(scale(&ramp(64, 36), 5000, 10).is_err());
    }

    #[test]
    fn a_letterboxed_picture_is_whole_between_black_bars() {
        let mut white = Picture::black(40, 30, MediaTime(0)).unwrap();
        white.planes_mut()[0].fill(235);
        let boxed = fit(&white, 64, 36, Fit::Letterbox).unwrap();
        let row: Vec<u8> = boxed.planes()[0][18 * 64..19 * 64].to_vec();
        assert_eq!((row[0], row[32], row[63]), (16, 235, 16));
        let white = row.iter().filter(|value| **value > 200).count();
        assert_eq!(white, 48, "4:3 in 36 lines is 48 wide");
    }

    #[test]
    fn a_cropped_picture_fills_the_frame() {
        let mut white = Picture::black(40, 30, MediaTime(0)).unwrap();
        white.planes_mut()[0].fill(235);
        let cropped = fit(&white, 64, 36, Fit::Crop).unwrap();
        assert!(cropped.planes()[0].iter().all(|value| *value > 230));
        assert!(fit(&ramp(30, 400), 64, 36, Fit::Crop).is_ok());
    }
}
