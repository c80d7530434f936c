//! The screens and windows of a display.

use x11rb::protocol::{
    randr,
    xproto::{Atom, AtomEnum, ConnectionExt as _, GetPropertyReply, MapState, Window, WindowClass},
};

use super::{Display, Trouble};
use crate::screen::{ScreenChoice, ScreenError, ScreenKind, ScreenSource};

/// A screen and where it lies on the display's root window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Monitor {
    pub(super) name: String,
    pub(super) x: i16,
    pub(super) y: i16,
    pub(super) width: u16,
    pub(super) height: u16,
}

/// Lists screens and windows.
pub(in crate::screen) fn list(display: Option<&str>) -> Result<Vec<ScreenSource>, ScreenError> {
    let display = Display::open(display)?;
    let mut sources: Vec<_> = display.monitors().map_err(Trouble::fatal)?.into_iter().map(Monitor::source).collect();
    for window in display.windows().map_err(Trouble::fatal)? {
        match display.window(window) {
            Ok(found) => sources.extend(found),
            // It was closed meanwhile.
            Err(Trouble::Stale) => {}
            Err(Trouble::Fatal(error)) => return Err(error),
        }
    }
    Ok(sources)
}

impl Monitor {
    fn source(self) -> ScreenSource {
        ScreenSource {
            choice: ScreenChoice::Screen(self.name.clone()),
            kind: ScreenKind::Screen,
            name: self.name,
            width: self.width.into(),
            height: self.height.into(),
            own: false,
        }
    }
}

impl Display {
    /// All screens, the main one first. Where the display does not name them, the whole of it counts as one.
    pub(super) fn monitors(&self) -> Result<Vec<Monitor>, Trouble> {
        let mut monitors = Vec::new();
        if self.has.randr {
            let mut found = randr::get_monitors(&self.connection, self.root, true)?.reply()?.monitors;
            found.sort_by_key(|monitor| !monitor.primary);
            for monitor in found.into_iter().take(MOST_SCREENS) {
                let name = self.connection.get_atom_name(monitor.name)?.reply()?.name;
                let randr::MonitorInfo { x, y, width, height, .. } = monitor;
                monitors.push(Monitor { name: readable(&name), x, y, width, height });
            }
        }
        if monitors.is_empty() {
            let root = self.connection.get_geometry(self.root)?.reply()?;
            monitors.push(Monitor { name: "screen".to_owned(), x: 0, y: 0, width: root.width, height: root.height });
        }
        Ok(monitors)
    }

    /// The programs' windows as the window manager knows them; without one, all that lie on the root window.
    fn windows(&self) -> Result<Vec<Window>, Trouble> {
        let list = self.property(self.root, self.atoms._NET_CLIENT_LIST, AtomEnum::WINDOW.into())?;
        let mut windows: Vec<Window> = list.value32().into_iter().flatten().collect();
        if windows.is_empty() {
            windows = self.connection.query_tree(self.root)?.reply()?.children;
        }
        windows.truncate(MOST_WINDOWS);
        Ok(windows)
    }

    /// A window, if people would call it one.
    fn window(&self, window: Window) -> Result<Option<ScreenSource>, Trouble> {
        let attributes = self.connection.get_window_attributes(window)?.reply()?;
        let geometry = self.connection.get_geometry(window)?.reply()?;
        let is_shown = attributes.map_state == MapState::VIEWABLE && attributes.class == WindowClass::INPUT_OUTPUT;
        if !is_shown || attributes.override_redirect || geometry.width < SMALLEST || geometry.height < SMALLEST {
            return Ok(None);
        }
        let kind = self.property(window, self.atoms._NET_WM_WINDOW_TYPE, AtomEnum::ATOM.into())?;
        let furniture = [self.atoms._NET_WM_WINDOW_TYPE_DESKTOP, self.atoms._NET_WM_WINDOW_TYPE_DOCK];
        if kind.value32().into_iter().flatten().any(|atom| furniture.contains(&atom)) {
            return Ok(None);
        }
        let process = self.property(window, self.atoms._NET_WM_PID, AtomEnum::CARDINAL.into())?;
        Ok(Some(ScreenSource {
            choice: ScreenChoice::Window(format!("{window:#x}")),
            kind: ScreenKind::Window,
            name: self.title(window)?,
            width: geometry.width.into(),
            height: geometry.height.into(),
            own: process.value32().and_then(|mut ids| ids.next()) == Some(std::process::id()),
        }))
    }

    /// A window's title; empty where it has none.
    pub(super) fn title(&self, window: Window) -> Result<String, Trouble> {
        let title = self.property(window, self.atoms._NET_WM_NAME, self.atoms.UTF8_STRING)?;
        if !title.value.is_empty() {
            return Ok(readable(&title.value));
        }
        let title = self.property(window, AtomEnum::WM_NAME.into(), AtomEnum::ANY.into())?;
        Ok(readable(&title.value))
    }

    fn property(&self, window: Window, name: Atom, kind: Atom) -> Result<GetPropertyReply, Trouble> {
        Ok(self.connection.get_property(false, window, name, kind, 0, LONGEST_PROPERTY)?.reply()?)
    }
}

/// Text of another program: without what would disturb the line that it is shown in, and not endless.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let turns_direction = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !c.is_control() && !turns_direction(*c)).take(LONGEST_TITLE).collect()
}

/// More are not listed.
const MOST_SCREENS: usize = 32;
/// More are not listed.
const MOST_WINDOWS: usize = 256;
/// In pixels; what is smaller is no window for people.
const SMALLEST: u16 = 32;
/// In units of four bytes.
const LONGEST_PROPERTY: u32 = 1024;
/// In characters.
const LONGEST_TITLE: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_of_other_programs_cannot_disturb_the_list() {
        assert_eq!(readable("Note\u{202e}txt.exe\n\u{7}é".as_bytes()), "Notetxt.exeé");
        assert_eq!(readable(&[b'a'; 5000]).len(), 200);
        assert_eq!(readable(&[0xff, b'b']), "\u{fffd}b");
    }

    #[test]
    fn a_display_that_is_not_there_is_named_with_what_to_do() {
        let error = list(Some(":9999")).expect_err("no such display").to_string();
        assert!(error.contains("share from within a desktop session"), "{error}");
    }
}
