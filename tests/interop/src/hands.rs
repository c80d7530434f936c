//! A person in front of a display: looks at it and types.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use conclave_model::{MediaTime, Picture};
use x11rb::protocol::{
    xproto::{ConnectionExt as _, ImageFormat, InputFocus, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MapState},
    xtest::ConnectionExt as _,
};

use crate::display::Display;

/// Keys without a letter, as X11 names them (keysymdef.h).
pub mod key {
    /// The tabulator.
    pub const TAB: u32 = 0xff09;
    /// The large key at the right.
    pub const RETURN: u32 = 0xff0d;
    pub(super) const SHIFT: u32 = 0xffe1;
}

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

impl Display {
    /// Gives the keyboard to the largest window once there is one, as a window manager would.
    ///
    /// # Errors
    /// Where none comes, and what the display says.
    pub fn focus_window(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            for window in self.connection().query_tree(self.root())?.reply()?.children {
                let place = self.connection().get_geometry(window)?.reply()?;
                let is_shown =
                    self.connection().get_window_attributes(window)?.reply()?.map_state == MapState::VIEWABLE;
                if is_shown && place.width > 400 && place.height > 300 {
                    self.connection().set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME)?.check()?;
                    return Ok(());
                }
            }
            ensure!(begun.elapsed() < PATIENCE, "no window comes");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Types what is written in letters, digits and signs of an English keyboard.
    ///
    /// # Errors
    /// Where the keyboard lacks one, and what the display says.
    pub fn type_text(&self, text: &str) -> Result<()> {
        text.chars().try_for_each(|letter| self.press(letter.into()))
    }

    /// Presses a key, named by its keysym, and lets it go.
    ///
    /// # Errors
    /// Where the keyboard lacks it, and what the display says.
    pub fn press(&self, keysym: u32) -> Result<()> {
        let (code, shifted) = self.code_of(keysym)?;
        let (shift, _) = self.code_of(key::SHIFT)?;
        let mut strokes = vec![(KEY_PRESS_EVENT, code), (KEY_RELEASE_EVENT, code)];
        if shifted {
            strokes.insert(0, (KEY_PRESS_EVENT, shift));
            strokes.push((KEY_RELEASE_EVENT, shift));
        }
        for (kind, code) in strokes {
            self.connection().xtest_fake_input(kind, code, 0, x11rb::NONE, 0, 0, 0)?.check()?;
        }
        Ok(())
    }

    /// Presses a key and waits until a part of the display shows something else: (left, top) to (right, bottom). A window
    /// takes the tabulator once in a picture.
    ///
    /// # Errors
    /// Where nothing changes, and what the display says.
    pub fn press_and_see(
        &self,
        keysym: u32,
        (left, top): (usize, usize),
        (right, bottom): (usize, usize),
    ) -> Result<()> {
        let part = |seen: &Picture| -> Vec<u8> {
            let rows = seen.planes()[0].chunks(seen.width() as usize).take(bottom).skip(top);
            rows.flat_map(|row| row.get(left..right).unwrap_or_default().to_vec()).collect()
        };
        let before = part(&self.look()?);
        self.press(keysym)?;
        self.until_shown("what a key changes", |seen| part(seen) != before).map(drop)
    }

    /// The key that gives a keysym, and whether with shift.
    fn code_of(&self, keysym: u32) -> Result<(u8, bool)> {
        let setup = x11rb::connection::Connection::setup(self.connection());
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let map = self.connection().get_keyboard_mapping(first, last - first + 1)?.reply()?;
        let per_key = usize::from(map.keysyms_per_keycode);
        let keys = map.keysyms.chunks(per_key);
        let found = keys.zip(first..=last).find_map(|(syms, code)| {
            let at = syms.iter().take(2).position(|sym| *sym == keysym)?;
            Some((code, at == 1))
        });
        found.with_context(|| format!("the keyboard has no key {keysym:#x}"))
    }

    /// What the whole display shows now, in grey: full-range brightness.
    ///
    /// # Errors
    /// What the display says.
    pub fn look(&self) -> Result<Picture> {
        let place = self.connection().get_geometry(self.root())?.reply()?;
        let (width, height) = (place.width, place.height);
        let format = ImageFormat::Z_PIXMAP;
        let image = self.connection().get_image(format, self.root(), 0, 0, width, height, u32::MAX)?.reply()?;
        let mut picture = Picture::black(width.into(), height.into(), MediaTime(0)).context("an absurd display")?;
        for (luma, pixel) in picture.planes_mut()[0].iter_mut().zip(image.data.chunks_exact(4)) {
            let (blue, green, red) = (u32::from(pixel[0]), u32::from(pixel[1]), u32::from(pixel[2]));
            // ITU-R BT.709 in parts of 10,000.
            *luma = ((red * 2126 + green * 7152 + blue * 722 + 5000) / 10_000) as u8;
        }
        Ok(picture)
    }

    /// Looks until what is shown fulfils a condition.
    ///
    /// # Errors
    /// Where it never does; `what` says which.
    pub fn until_shown(&self, what: &str, mut is_it: impl FnMut(&Picture) -> bool) -> Result<Picture> {
        let begun = Instant::now();
        loop {
            let picture = self.look()?;
            if is_it(&picture) {
                return Ok(picture);
            }
            ensure!(begun.elapsed() < PATIENCE, "never seen: {what}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}
