//! Name and seat, written into the picture.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

use super::canvas::{Canvas, Colour, blend};

/// Longer names are cut, whatever their width.
const MOST_CHARACTERS: usize = 60;

/// A plate with two lines of text, laid out once.
#[derive(Debug)]
pub(super) struct Label {
    /// Left, top, right and bottom of the plate in pixels.
    plate: [f32; 4],
    /// Where in the luma plane how much of the text is, row by row: x, y, coverage of 256.
    dots: Vec<(u32, u32, u16)>,
}

impl Label {
    /// Lays out `name` over `seat` at the lower left of the upper `height` lines of a picture.
    pub(super) fn new(name: &str, seat: &str, width: u32, height: u32) -> Self {
        let unit = (height as f32).min(width as f32 * 0.62);
        let (margin, padding) = (unit * 0.05, unit * 0.028);
        let sizes = [unit * 0.066, unit * 0.05];
        let mut label = Self { plate: [0.0; 4], dots: Vec::new() };
        let Ok(font) = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT) else {
            return label;
        };
        let room = width as f32 - 2.0 * (margin + padding);
        let bottom = height as f32 - margin;
        let top = bottom - 2.0 * padding - sizes[0] * 1.15 - sizes[1] * 1.1;
        let mut longest = 0.0_f32;
        let mut line_top = top + padding;
        for (text, size) in [(name, sizes[0]), (seat, sizes[1])] {
            let length = label.write(&font, text, size, (margin + padding, line_top), room, (width, height));
            longest = longest.max(length);
            line_top += size * 1.15;
        }
        if longest > 0.0 {
            label.plate = [margin, top, margin + 2.0 * padding + longest, bottom];
        }
        label
    }

    /// Adds one line; returns its length in pixels.
    fn write(
        &mut self,
        font: &FontRef<'_>,
        text: &str,
        size: f32,
        (x, y): (f32, f32),
        room: f32,
        (width, height): (u32, u32),
    ) -> f32 {
        let scaled = font.as_scaled(PxScale::from(size * 1.1));
        let ellipsis = scaled.h_advance(scaled.glyph_id('…'));
        let mut text: Vec<char> = text.chars().filter(|c| !c.is_control()).take(MOST_CHARACTERS).collect();
        let advance = |text: &[char]| text.iter().map(|c| scaled.h_advance(scaled.glyph_id(*c))).sum::<f32>();
        if advance(&text) > room {
            while !text.is_empty() && advance(&text) + ellipsis > room {
                text.pop();
            }
            text.push('…');
        }
        let (mut pen, baseline) = (x, y + scaled.ascent());
        for character in text {
            let id = scaled.glyph_id(character);
            let glyph = id.with_scale_and_position(size * 1.1, point(pen, baseline));
            pen += scaled.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, coverage| {
                let (at_x, at_y) = (corner.x + dx as f32, corner.y + dy as f32);
                if at_x >= 0.0 && at_y >= 0.0 && at_x < width as f32 && at_y < height as f32 && coverage > 0.02 {
                    // A light face on a dark plate looks thinner than it is.
                    let coverage = (coverage * 1.25).min(1.0);
                    self.dots.push((at_x as u32, at_y as u32, (coverage * 256.0) as u16));
                }
            });
        }
        pen - x
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>) {
        let [left, top, right, bottom] = self.plate;
        let radius = ((bottom - top) * 0.14).max(0.01);
        canvas.fill(Colour::BLACK, 0.42, (top, bottom), |y| {
            let into = (top + radius - y).max(y - (bottom - radius)).max(0.0) / radius;
            let inset = radius * (1.0 - (1.0 - into * into).max(0.0).sqrt());
            Some((left + inset, right - inset))
        });
        let (luma, width) = canvas.luma();
        for (x, y, coverage) in &self.dots {
            let sample = &mut luma[*y as usize * width + *x as usize];
            *sample = blend(*sample, 232.0, i32::from(*coverage));
        }
    }
}
