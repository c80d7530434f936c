//! A small rasteriser that draws smooth-edged shapes into the planes of a picture.

use conclave_model::Picture;

/// Lines between two lines of a plane at which a shape's edge is looked at.
const SUBLINES: usize = 4;

/// A colour as Y, U, V in limited BT.709.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Colour(pub(super) [f32; 3]);

impl Colour {
    pub(super) const WHITE: Self = Self([235.0, 128.0, 128.0]);
    pub(super) const BLACK: Self = Self([16.0, 128.0, 128.0]);

    /// From sRGB.
    pub(super) fn rgb(rgb: [u8; 3]) -> Self {
        let [r, g, b] = rgb.map(f32::from);
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        Self([
            16.0 + y * 219.0 / 255.0,
            128.0 + (b - y) / 1.8556 * 224.0 / 255.0,
            128.0 + (r - y) / 1.5748 * 224.0 / 255.0,
        ])
    }

    /// This colour with `share` of another in it.
    pub(super) fn mix(self, other: Self, share: f32) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + (other.0[i] - self.0[i]) * share))
    }
}

/// An ellipse: centre and radii in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ellipse {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) across: f32,
    pub(super) down: f32,
}

impl Ellipse {
    /// From where to where it reaches on line `y`.
    pub(super) fn span(self, y: f32) -> Option<(f32, f32)> {
        let rise = (y - self.y) / self.down;
        let rest = 1.0 - rise * rise;
        (rest > 0.0).then(|| {
            let half = self.across * rest.sqrt();
            (self.x - half, self.x + half)
        })
    }
}

/// From where to where a convex polygon reaches on line `y`.
pub(super) fn polygon_span(corners: &[(f32, f32)], y: f32) -> Option<(f32, f32)> {
    let mut span: Option<(f32, f32)> = None;
    for (index, from) in corners.iter().enumerate() {
        let to = corners[(index + 1) % corners.len()];
        if (from.1 <= y) != (to.1 <= y) {
            let x = from.0 + (to.0 - from.0) * (y - from.1) / (to.1 - from.1);
            span = Some(span.map_or((x, x), |(left, right)| (left.min(x), right.max(x))));
        }
    }
    span
}

/// What two spans share.
pub(super) fn both(one: Option<(f32, f32)>, other: Option<(f32, f32)>) -> Option<(f32, f32)> {
    let ((a, b), (c, d)) = (one?, other?);
    (a.max(c) < b.min(d)).then(|| (a.max(c), b.min(d)))
}

/// A picture to draw into.
pub(super) struct Canvas<'a> {
    planes: [&'a mut [u8]; 3],
    /// Width and height of luma and of chroma.
    sizes: [(usize, usize); 2],
}

impl<'a> Canvas<'a> {
    pub(super) fn new(picture: &'a mut Picture) -> Self {
        let chroma = picture.chroma_size();
        let sizes = [(picture.width(), picture.height()), chroma].map(|(w, h)| (w as usize, h as usize));
        Self { planes: picture.planes_mut(), sizes }
    }

    /// Luma plane and its width.
    pub(super) fn luma(&mut self) -> (&mut [u8], usize) {
        (self.planes[0], self.sizes[0].0)
    }

    /// Fills a shape that reaches from `top` to `bottom` and on each line `y` over `span(y)`, all in luma pixels.
    pub(super) fn fill(
        &mut self,
        colour: Colour,
        alpha: f32,
        (top, bottom): (f32, f32),
        span: impl Fn(f32) -> Option<(f32, f32)>,
    ) {
        for (plane, samples) in self.planes.iter_mut().enumerate() {
            let (width, height) = self.sizes[plane.min(1)];
            let scale = if plane == 0 { 1.0 } else { 0.5 };
            let first = (top * scale).floor().clamp(0.0, height as f32) as usize;
            let last = (bottom * scale).ceil().clamp(0.0, height as f32) as usize;
            for (line, row) in samples.chunks_exact_mut(width).enumerate().take(last).skip(first) {
                let spans: [Option<(f32, f32)>; SUBLINES] = std::array::from_fn(|i| {
                    let y = (line as f32 + (i as f32 + 0.5) / SUBLINES as f32) / scale;
                    let inside = y >= top && y < bottom;
                    if inside { span(y).map(|(left, right)| (left * scale, right * scale)) } else { None }
                });
                fill_row(row, colour.0[plane], alpha, &spans);
            }
        }
    }

    /// Fills an ellipse.
    pub(super) fn ellipse(&mut self, colour: Colour, alpha: f32, ellipse: Ellipse) {
        self.fill(colour, alpha, (ellipse.y - ellipse.down, ellipse.y + ellipse.down), |y| ellipse.span(y));
    }

    /// Fills a convex polygon.
    pub(super) fn polygon(&mut self, colour: Colour, alpha: f32, corners: &[(f32, f32)]) {
        let (top, bottom) =
            corners.iter().fold((f32::MAX, f32::MIN), |(top, bottom), (_, y)| (top.min(*y), bottom.max(*y)));
        self.fill(colour, alpha, (top, bottom), |y| polygon_span(corners, y));
    }
}

/// Blends one line of a shape into one line of a plane.
fn fill_row(row: &mut [u8], value: f32, alpha: f32, spans: &[Option<(f32, f32)>; SUBLINES]) {
    let width = row.len() as f32;
    let present = spans.iter().flatten();
    let (mut count, mut outer, mut inner) = (0, (width, 0.0_f32), (0.0_f32, width));
    for (left, right) in present.clone() {
        let (left, right) = (left.clamp(0.0, width), right.clamp(0.0, width));
        count += 1;
        outer = (outer.0.min(left), outer.1.max(right));
        inner = (inner.0.max(left), inner.1.min(right));
    }
    if count == 0 || outer.0 >= outer.1 {
        return;
    }
    let (from, to) = (outer.0.floor() as usize, outer.1.ceil() as usize);
    let full_from = (inner.0.ceil() as usize).min(to);
    let full_to = (inner.1.floor() as usize).clamp(full_from, to);
    let edge = |at: usize| {
        let covered: f32 = present
            .clone()
            .map(|(left, right)| (right.min(at as f32 + 1.0) - left.max(at as f32)).clamp(0.0, 1.0))
            .sum();
        covered / SUBLINES as f32 * alpha
    };
    for at in (from..full_from).chain(full_to..to) {
        row[at] = blend(row[at], value, (edge(at) * 256.0) as i32);
    }
    let share = (count as f32 / SUBLINES as f32 * alpha * 256.0) as i32;
    let full = &mut row[full_from..full_to];
    if share >= 256 {
        full.fill(value.round() as u8);
    } else {
        full.iter_mut().for_each(|sample| *sample = blend(*sample, value, share));
    }
}

/// Moves `sample` towards `value` by `share` / 256.
pub(super) fn blend(sample: u8, value: f32, share: i32) -> u8 {
    let from = i32::from(sample);
    (from + (((value as i32 - from) * share + 128) >> 8)).clamp(0, 255) as u8
}
