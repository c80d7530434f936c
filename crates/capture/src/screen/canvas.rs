//! The screen's pixels as they were last seen, and what has changed since.

use super::ScreenError;

/// Pixels of a screen: blue, green, red and one byte that means nothing, row by row from the top.
#[derive(Debug)]
pub(super) struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

/// A part of a canvas, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// The pointer's image, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pointer {
    /// Of its upper left corner on the canvas; may lie outside.
    pub(super) at: (i32, i32),
    pub(super) width: u32,
    /// Alpha, red, green and blue from the highest byte to the lowest, colours multiplied by alpha.
    pub(super) image: Vec<u32>,
}

/// Bytes of one pixel.
pub(super) const PIXEL: usize = 4;

/// Larger screens are not taken: two of 8K side by side.
const LONGEST_SIDE: u32 = 16_384;
/// No more than one of 8K and a half.
const MOST_PIXELS: u64 = 50_000_000;

impl Canvas {
    /// A black one.
    pub(super) fn new(width: u32, height: u32) -> Result<Self, ScreenError> {
        let sides = 1..=LONGEST_SIDE;
        let area = u64::from(width) * u64::from(height);
        if !sides.contains(&width) || !sides.contains(&height) || area > MOST_PIXELS {
            return Err(ScreenError::Unsupported { reason: format!("it has {width}x{height} pixels") });
        }
        Ok(Self { width, height, pixels: vec![0; width as usize * height as usize * PIXEL] })
    }

    pub(super) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub(super) fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All of it.
    pub(super) fn area(&self) -> Area {
        Area { x: 0, y: 0, width: self.width, height: self.height }
    }

    /// Takes over `rows`, each `stride` bytes after the one before, into `area`; tells whether anything is new.
    ///
    /// What lies outside, and what is missing of `rows`, is left as it was.
    pub(super) fn put(&mut self, area: Area, rows: &[u8], stride: usize) -> bool {
        let Some(area) = area.within(self.area()) else { return false };
        let length = area.width as usize * PIXEL;
        let line = self.width as usize * PIXEL;
        let targets = self.pixels.chunks_exact_mut(line).skip(area.y as usize).take(area.height as usize);
        let mut changed = false;
        for (target, source) in targets.zip(rows.chunks(stride.max(1))) {
            let (Some(target), Some(source)) = (
                target.get_mut(area.x as usize * PIXEL..).and_then(|rest| rest.get_mut(..length)),
                source.get(..length),
            ) else {
                continue;
            };
            if !same_colours(target, source) {
                target.copy_from_slice(source);
                changed = true;
            }
        }
        changed
    }

    /// Lets `look` see the canvas with the pointer on it.
    pub(super) fn with_pointer<T>(&mut self, pointer: Option<&Pointer>, look: impl FnOnce(&Self) -> T) -> T {
        let covered = pointer.map(|pointer| self.draw(pointer)).unwrap_or_default();
        let result = look(self);
        for (at, pixel) in covered.into_iter().rev() {
            if let Some(target) = self.pixels.get_mut(at..at + PIXEL) {
                target.copy_from_slice(&pixel);
            }
        }
        result
    }

    /// Draws the pointer; returns what it covers and where that stood.
    fn draw(&mut self, pointer: &Pointer) -> Vec<(usize, [u8; PIXEL])> {
        let mut covered = Vec::new();
        let (left, top) = (i64::from(pointer.at.0), i64::from(pointer.at.1));
        for (row, y) in pointer.image.chunks(pointer.width.max(1) as usize).zip(top..) {
            for (argb, x) in row.iter().zip(left..) {
                let inside = (0..i64::from(self.width)).contains(&x) && (0..i64::from(self.height)).contains(&y);
                let [blue, green, red, alpha] = argb.to_le_bytes();
                if !inside || alpha == 0 {
                    continue;
                }
                let at = (y as usize * self.width as usize + x as usize) * PIXEL;
                let Some(target) = self.pixels.get_mut(at..at + PIXEL) else { continue };
                let mut before = [0; PIXEL];
                before.copy_from_slice(target);
                covered.push((at, before));
                for (value, colour) in target.iter_mut().zip([blue, green, red]) {
                    let rest = u32::from(*value) * (255 - u32::from(alpha)) / 255;
                    *value = u8::try_from(rest + u32::from(colour)).unwrap_or(u8::MAX);
                }
            }
        }
        covered
    }
}

impl Area {
    /// What of it lies within `bounds`, where bounds begin at 0; `None` where nothing does.
    pub(super) fn within(self, bounds: Self) -> Option<Self> {
        let width = self.width.min(bounds.width.checked_sub(self.x)?);
        let height = self.height.min(bounds.height.checked_sub(self.y)?);
        (width > 0 && height > 0).then_some(Self { width, height, ..self })
    }
}

/// Whether two rows show the same; the fourth byte of each pixel is nobody's and may differ.
fn same_colours(a: &[u8], b: &[u8]) -> bool {
    a == b || a.chunks_exact(PIXEL).zip(b.chunks_exact(PIXEL)).all(|(a, b)| a[..3] == b[..3])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const BLOCK: Area = Area { x: 2, y: 1, width: 3, height: 2 };

    #[test]
    fn only_other_colours_count_as_a_change() {
        let mut canvas = Canvas::new(8, 4).unwrap();
        assert!(!canvas.put(BLOCK, &[0; 24], 12), "black on black");
        assert!(!canvas.put(BLOCK, &[0, 0, 0, 255].repeat(6), 12), "the fourth byte means nothing");
        assert!(canvas.put(BLOCK, &[0, 0, 9, 0].repeat(6), 12));
        assert!(!canvas.put(BLOCK, &[0, 0, 9, 0].repeat(6), 12));
        let red: Vec<usize> = (0..32).filter(|at| canvas.pixels()[at * 4 + 2] == 9).collect();
        assert_eq!(red, [10, 11, 12, 18, 19, 20]);
    }

    #[test]
    fn what_lies_outside_or_is_cut_short_is_left_out() {
        let mut canvas = Canvas::new(8, 4).unwrap();
        assert!(!canvas.put(Area { x: 8, ..BLOCK }, &[9; 24], 12));
        assert!(canvas.put(Area { x: 7, y: 3, width: 5, height: 5 }, &[9; 100], 20));
        assert_eq!(canvas.pixels().iter().filter(|value| **value == 9).count(), 4);
        assert!(!canvas.put(BLOCK, &[9; 11], 12), "less than a row");
        assert!(!canvas.put(BLOCK, &[], 0));
        assert!(Canvas::new(0, 5).is_err() && Canvas::new(5, 100_000).is_err() && Canvas::new(16_000, 16_000).is_err());
    }

    #[test]
    fn the_pointer_is_seen_and_leaves_no_trace() {
        let mut canvas = Canvas::new(4, 4).unwrap();
        canvas.put(canvas.area(), &[100; 64], 16);
        let before = canvas.pixels().to_vec();
        // Opaque white, half-transparent black, nothing, opaque red below; the left column lies outside.
        let image = vec![0xffff_ffff, 0xffff_ffff, 0x8000_0000, 0xffff_ffff, 0, 0xffff_0000];
        let pointer = Pointer { at: (-1, 2), width: 3, image };
        let seen = canvas.with_pointer(Some(&pointer), |canvas| canvas.pixels().to_vec());
        assert_eq!(seen[2 * 16..2 * 16 + 3], [255, 255, 255]);
        assert_eq!(seen[2 * 16 + 4..2 * 16 + 7], [49, 49, 49]);
        assert_eq!(seen[3 * 16..3 * 16 + 7], [100, 100, 100, 100, 0, 0, 255]);
        assert_eq!(canvas.pixels(), before);
    }

    #[test]
    fn areas_are_cut_to_the_canvas() {
        let bounds = Area { x: 0, y: 0, width: 10, height: 10 };
        assert_eq!(
            Area { x: 8, y: 9, width: 5, height: 5 }.within(bounds),
            Some(Area { x: 8, y: 9, width: 2, height: 1 })
        );
        assert_eq!(Area { x: 11, y: 0, width: 5, height: 5 }.within(bounds), None);
    }
}
