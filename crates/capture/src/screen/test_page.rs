//! Drawn pages and played files in the place of a screen.

use std::path::Path;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use conclave_model::{MediaTime, Picture};

use super::{
    OpenedScreen, ScreenError, ScreenEvent, ScreenWish, TestPage,
    stream::{REFRESH, Sink},
};
use crate::{
    CameraChoice, CameraEvent, CameraStream, CaptureError, Clock,
    camera::CameraWish,
    worker::{Pace, Worker, now},
};

/// A page of text, drawn once and then moved about.
#[derive(Debug)]
pub struct DrawnPage {
    page: TestPage,
    width: u32,
    height: u32,
    /// Brightness of a text that is longer than the page, row by row.
    text: Vec<u8>,
}

impl DrawnPage {
    /// Draws the text for pages of `width` × `height` pixels: black on white, 16 pixels high at 1080 lines.
    ///
    /// # Errors
    /// [`CaptureError::Wish`] for a side below 16 or above 4096.
    pub fn new(page: TestPage, width: u32, height: u32) -> Result<Self, CaptureError> {
        CameraWish { width, height, frames_per_second: 15 }.check()?;
        let mut text = vec![PAPER; width as usize * (height * PAGES) as usize];
        write(&mut text, width, height);
        Ok(Self { page, width, height, text })
    }

    /// Picture `number` at 15 pictures a second, taken at `time`; `TestPage::Text` is always the same.
    pub fn draw(&self, number: u32, time: MediaTime) -> Option<Picture> {
        let (width, height) = (self.width as usize, self.height as usize);
        let slide = number / (TEST_RATE * SLIDE_SECONDS);
        let first = match self.page {
            TestPage::Text => 0,
            // 120 pixels a second, as a reader's wheel does.
            TestPage::Scroll => (number * 8 % (self.height * (PAGES - 1))) as usize,
            TestPage::Slides => (slide % PAGES) as usize * height,
        };
        let mut picture = Picture::black(self.width, self.height, time).ok()?;
        let (chroma_width, _) = picture.chroma_size();
        let [y, u, v] = picture.planes_mut();
        y.copy_from_slice(self.text.get(first * width..(first + height) * width)?);
        if self.page == TestPage::Slides {
            // A coloured head, as slides have.
            let rows = height / 8;
            for luma in y.iter_mut().take(rows * width).filter(|luma| **luma > INK + 40) {
                *luma = 120;
            }
            let head = rows / 2 * chroma_width as usize;
            u[..head].fill(150 + (slide % 3) as u8 * 20);
            v[..head].fill(110 - (slide % 3) as u8 * 10);
        }
        Some(picture)
    }
}

/// Draws one page; see [`DrawnPage`], which is quicker for many.
pub fn draw_page(page: TestPage, width: u32, height: u32) -> Option<Picture> {
    DrawnPage::new(page, width, height).ok()?.draw(0, MediaTime(0))
}

/// Fills all pages with lines of words.
fn write(text: &mut [u8], width: u32, page_height: u32) {
    let Ok(font) = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT) else { return };
    let height = page_height * PAGES;
    let size = (page_height as f32 / 54.0).max(9.0);
    let scaled = font.as_scaled(PxScale::from(size));
    let (margin, mut word) = (width as f32 * 0.04, 0_usize);
    let mut baseline = size * 2.0;
    while baseline < height as f32 - size {
        let mut pen = margin;
        // Paragraphs end somewhere.
        let end = width as f32 * if word % 11 == 3 { 0.5 } else { 0.96 };
        while pen < end {
            for character in WORDS[word * 7 % WORDS.len()].chars().chain([' ']) {
                let id = scaled.glyph_id(character);
                let glyph = id.with_scale_and_position(PxScale::from(size), point(pen, baseline));
                pen += scaled.h_advance(id);
                let Some(outline) = font.outline_glyph(glyph) else { continue };
                let corner = outline.px_bounds().min;
                outline.draw(|dx, dy, coverage| {
                    let (x, y) = (corner.x + dx as f32, corner.y + dy as f32);
                    if x >= 0.0 && y >= 0.0 && x < width as f32 && y < height as f32 {
                        let sample = &mut text[y as usize * width as usize + x as usize];
                        let dark = f32::from(PAPER) - (coverage * 1.3).min(1.0) * f32::from(PAPER - INK);
                        *sample = (*sample).min(dark as u8);
                    }
                });
            }
            word += 1;
        }
        baseline += size * 1.5;
    }
}

/// Starts to show a drawn page.
pub(super) fn show(page: TestPage, wish: ScreenWish, clock: Clock, mut sink: Sink) -> Result<Worker, CaptureError> {
    let (width, height) = (wish.long_side.min(1920), wish.short_side.min(1080));
    let drawn = DrawnPage::new(page, width, height)?;
    Worker::start("screen-test", move |stop| {
        sink(ScreenEvent::Opened(OpenedScreen { name: "test page".to_owned(), width, height }));
        let (mut pace, mut number) = (Pace::new(u64::from(TEST_RATE), 1), 0_u32);
        let mut only_new = OnlyNew::default();
        while pace.wait(stop) {
            if let Some(picture) = drawn.draw(number, clock()).filter(|picture| only_new.wants(picture)) {
                sink(ScreenEvent::Picture(picture));
            }
            number = number.wrapping_add(1);
        }
    })
}

/// Starts to play a file.
pub(super) fn play(path: &Path, wish: ScreenWish, clock: Clock, mut sink: Sink) -> Result<Worker, CaptureError> {
    let path = path.to_owned();
    Worker::start("screen-file", move |stop| {
        let camera = CameraWish { width: 1920, height: 1080, frames_per_second: wish.frames_per_second };
        let (events, received) = crossbeam_channel::bounded(1);
        let stream = CameraStream::open(&CameraChoice::File(path), camera, clock, move |event| {
            let _ = events.send(event);
        });
        let opened = match &stream {
            Ok(stream) => stream.opened(),
            Err(error) => return sink(ScreenEvent::Lost(ScreenError::Source(error.clone()))),
        };
        let (name, width, height) = (opened.name.clone(), opened.width, opened.height);
        sink(ScreenEvent::Opened(OpenedScreen { name, width, height }));
        let mut only_new = OnlyNew::default();
        while !stop.is_set() {
            match received.recv_timeout(LOOK) {
                Ok(CameraEvent::Picture(picture)) if only_new.wants(&picture) => sink(ScreenEvent::Picture(picture)),
                Ok(CameraEvent::Lost(error)) => return sink(ScreenEvent::Lost(ScreenError::Source(error))),
                Ok(CameraEvent::Picture(_)) | Err(_) => {}
            }
        }
        // Whoever sends into a full queue would never be joined.
        drop(received);
    })
}

/// Lets through what differs from the picture before, or comes long after it.
#[derive(Default)]
struct OnlyNew(Option<(Picture, std::time::Instant)>);

impl OnlyNew {
    fn wants(&mut self, picture: &Picture) -> bool {
        let now = now();
        let old = self.0.as_ref().is_some_and(|(last, shown)| {
            let same = (last.width(), last.height()) == (picture.width(), picture.height())
                && last.planes() == picture.planes();
            same && now.duration_since(*shown) < REFRESH
        });
        if !old {
            self.0 = Some((picture.clone(), now));
        }
        !old
    }
}

/// How long a file's stream may take to see that nobody wants it any more.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);
/// Pictures per second of drawn pages.
const TEST_RATE: u32 = 15;
/// How long a slide stands.
const SLIDE_SECONDS: u32 = 5;
/// Pages of text that are drawn.
const PAGES: u32 = 4;
/// White and black.
const PAPER: u8 = 235;
const INK: u8 = 16;

const WORDS: [&str; 36] = [
    "The",
    "Council",
    "recalls",
    "that",
    "Member",
    "States",
    "shall",
    "consult",
    "one",
    "another",
    "within",
    "the",
    "framework",
    "of",
    "Article",
    "24(3)",
    "and",
    "notes",
    "paragraph",
    "17,",
    "as",
    "amended",
    "on",
    "12",
    "March;",
    "delegations",
    "will",
    "find",
    "attached",
    "a",
    "revised",
    "text",
    "(doc.",
    "ST",
    "8421/26",
    "REV",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn pages_stand_scroll_and_change() {
        let at = |page: &DrawnPage, number| page.draw(number, MediaTime(0)).unwrap();
        let text = DrawnPage::new(TestPage::Text, 320, 180).unwrap();
        assert_eq!(at(&text, 0), at(&text, 500));
        let dark = at(&text, 0).planes()[0].iter().filter(|luma| **luma < 120).count();
        assert!((1000..20_000).contains(&dark), "{dark} dark pixels");
        let scroll = DrawnPage::new(TestPage::Scroll, 320, 180).unwrap();
        assert_eq!(at(&scroll, 0).planes()[0][320 * 8..320 * 100], at(&scroll, 1).planes()[0][..320 * 92]);
        let slides = DrawnPage::new(TestPage::Slides, 320, 180).unwrap();
        assert_eq!(at(&slides, 0), at(&slides, 74));
        assert_ne!(at(&slides, 74), at(&slides, 75));
        assert!(DrawnPage::new(TestPage::Text, 5, 5).is_err());
    }

    #[test]
    fn what_stands_still_is_given_once() {
        let mut only_new = OnlyNew::default();
        let page = draw_page(TestPage::Text, 64, 36).unwrap();
        assert!(only_new.wants(&page));
        let mut other = page.clone();
        other.time = MediaTime(9);
        assert!(!only_new.wants(&other));
        other.planes_mut()[0][5] ^= 1;
        assert!(only_new.wants(&other));
    }
}
