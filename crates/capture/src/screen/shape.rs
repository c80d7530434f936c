//! From a screen's pixels to a picture of the size that is sent.

use std::sync::Arc;

use conclave_model::{MediaTime, Picture};
use pic_scale::{ImageSize, ImageStore, ImageStoreMut, Resampling, ResamplingFunction, Scaler, ThreadingPolicy};
use yuv::{BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix};

use super::{
    ScreenError, ScreenWish,
    canvas::{Canvas, PIXEL},
};

/// Makes pictures; remembers how for the next of the same size.
pub(super) struct Shaper {
    wish: ScreenWish,
    plan: Option<Plan>,
    scaled: Vec<u8>,
}

struct Plan {
    from: (u32, u32),
    to: (u32, u32),
    resampling: Arc<Resampling<u8, PIXEL>>,
}

impl Shaper {
    pub(super) fn new(wish: ScreenWish) -> Self {
        Self { wish, plan: None, scaled: Vec::new() }
    }

    /// What `canvas` shows, at most as large as wished: about 1 ms for 1920×1080, more where it has to be scaled.
    ///
    /// Scaling comes before the colours lose half their resolution, with a filter that keeps the edges of letters.
    pub(super) fn picture(&mut self, canvas: &Canvas, time: MediaTime) -> Result<Picture, ScreenError> {
        let unusable = |reason: String| ScreenError::Unsupported { reason };
        let (from, to) = (canvas.size(), target_size(canvas.size(), self.wish));
        // Losing the last odd line keeps the others sharp.
        let (pixels, line) = if to == (from.0 & !1, from.1 & !1) {
            (canvas.pixels(), from.0)
        } else {
            self.scale(canvas, to).map_err(unusable)?;
            (self.scaled.as_slice(), to.0)
        };
        let mut picture = Picture::black(to.0, to.1, time).map_err(|error| unusable(error.to_string()))?;
        let chroma_width = picture.chroma_size().0;
        let [y, u, v] = picture.planes_mut();
        let mut planes = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(y),
            y_stride: to.0,
            u_plane: BufferStoreMut::Borrowed(u),
            u_stride: chroma_width,
            v_plane: BufferStoreMut::Borrowed(v),
            v_stride: chroma_width,
            width: to.0,
            height: to.1,
        };
        let (range, matrix, mode) = (YuvRange::Limited, YuvStandardMatrix::Bt709, YuvConversionMode::Balanced);
        let stride = line * PIXEL as u32;
        let rows = &pixels[..(stride * to.1) as usize];
        yuv::bgra_to_yuv420(&mut planes, rows, stride, range, matrix, mode)
            .map_err(|error| unusable(error.to_string()))?;
        Ok(picture)
    }

    fn scale(&mut self, canvas: &Canvas, to: (u32, u32)) -> Result<(), String> {
        let from = canvas.size();
        let sizes = [from, to].map(|(width, height)| ImageSize::new(width as usize, height as usize));
        let plan = match &self.plan {
            Some(plan) if (plan.from, plan.to) == (from, to) => plan,
            Some(_) | None => {
                let scaler = Scaler::new(ResamplingFunction::Lanczos3).set_threading_policy(ThreadingPolicy::Single);
                let resampling = scaler.plan_rgba_resampling(sizes[0], sizes[1], false);
                self.plan.insert(Plan { from, to, resampling: resampling.map_err(|error| error.to_string())? })
            }
        };
        self.scaled.resize(to.0 as usize * to.1 as usize * PIXEL, 0);
        let [source, target] = sizes;
        let store = ImageStore::<u8, PIXEL>::borrow(canvas.pixels(), source.width, source.height);
        let into = ImageStoreMut::<u8, PIXEL>::borrow(&mut self.scaled, target.width, target.height);
        let (store, mut into) = (store.map_err(|error| error.to_string())?, into.map_err(|error| error.to_string())?);
        plan.resampling.resample(&store, &mut into).map_err(|error| error.to_string())
    }
}

/// The size of the picture of a source: its own, or the largest with its proportions that the wish allows; both sides
/// even and at least 16.
fn target_size((width, height): (u32, u32), wish: ScreenWish) -> (u32, u32) {
    let (most_wide, most_high) =
        if width >= height { (wish.long_side, wish.short_side) } else { (wish.short_side, wish.long_side) };
    let (w, h) = (u64::from(width.max(1)), u64::from(height.max(1)));
    let (wide, high) = (u64::from(most_wide), u64::from(most_high));
    let (to_width, to_height) = if w <= wide && h <= high {
        (w, h)
    } else if wide * h <= high * w {
        (wide, h * wide / w)
    } else {
        (w * high / h, high)
    };
    let even = |side: u64| (u32::try_from(side).unwrap_or(u32::MAX) & !1).max(SMALLEST_SIDE);
    (even(to_width), even(to_height))
}

/// What encoders take.
const SMALLEST_SIDE: u32 = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const WISH: ScreenWish = ScreenWish { long_side: 1920, short_side: 1080, frames_per_second: 15 };

    fn filled(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 3]) -> Canvas {
        let mut canvas = Canvas::new(width, height).unwrap();
        let pixels: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| {
                let [red, green, blue] = colour(x, y);
                [blue, green, red, 0]
            })
            .collect();
        canvas.put(canvas.area(), &pixels, width as usize * PIXEL);
        canvas
    }

    #[test]
    fn pictures_fit_the_wish_and_never_grow() {
        let sizes = [
            ((1920, 1080), (1920, 1080)),
            ((1366, 768), (1366, 768)),
            ((801, 601), (800, 600)),
            ((3840, 2160), (1920, 1080)),
            ((3440, 1440), (1920, 802)),
            ((1080, 1920), (1080, 1920)),
            ((2160, 3840), (1080, 1920)),
            ((1920, 1200), (1728, 1080)),
            ((3, 900), (16, 900)),
        ];
        for (from, to) in sizes {
            assert_eq!(target_size(from, WISH), to, "{from:?}");
        }
    }

    /// Pure red is 63, 102, 240 in limited BT.709.
    #[test]
    fn colours_are_those_of_limited_bt_709_scaled_or_not() {
        for (width, height) in [(64, 36), (65, 37), (4000, 100)] {
            let red = filled(width, height, |_, _| [255, 0, 0]);
            let picture = Shaper::new(WISH).picture(&red, MediaTime(5)).unwrap();
            assert_eq!(picture.time, MediaTime(5));
            let found = picture.planes().map(|plane| plane[plane.len() / 2]);
            assert!(found.iter().zip([63, 102, 240]).all(|(a, b)| a.abs_diff(b) <= 2), "{found:?}");
        }
    }

    #[test]
    fn an_odd_line_is_cut_off_and_the_others_stay_where_they_are() {
        let stripes = |x: u32, _| if x.is_multiple_of(2) { [255; 3] } else { [0; 3] };
        let picture = Shaper::new(WISH).picture(&filled(65, 37, stripes), MediaTime(0)).unwrap();
        assert_eq!((picture.width(), picture.height()), (64, 36));
        let row = &picture.planes()[0][64 * 20..64 * 21];
        assert!(row.chunks(2).all(|pair| pair[0] > 230 && pair[1] < 20), "{row:?}");
    }

    /// A triangle filter leaves half of the contrast, 110.
    #[test]
    fn lines_of_two_pixels_survive_halving() {
        let stripes = |_, y: u32| if (y / 2).is_multiple_of(2) { [255; 3] } else { [0; 3] };
        let picture = Shaper::new(WISH).picture(&filled(3840, 128, stripes), MediaTime(0)).unwrap();
        let column: Vec<u8> = picture.planes()[0].chunks(1920).skip(20).take(8).map(|row| row[900]).collect();
        assert!(column.chunks(2).all(|pair| pair[0].abs_diff(pair[1]) > 150), "{column:?}");
    }
}
