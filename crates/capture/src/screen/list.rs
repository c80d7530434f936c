//! What could be shared.

use super::{ScreenChoice, ScreenError};

/// What kind of thing a [`ScreenSource`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenKind {
    /// A whole screen.
    Screen,
    /// One window.
    Window,
    /// The system's own list: choosing it opens a window of the system, in which the person picks.
    Picker,
}

/// One thing that could be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenSource {
    /// Shares it.
    pub choice: ScreenChoice,
    /// What kind of thing it is.
    pub kind: ScreenKind,
    /// What people call it: the screen's connector, the window's title. Empty for [`ScreenKind::Picker`]. A title may
    /// be confidential: show it, never log it.
    pub name: String,
    /// In pixels; 0 where unknown.
    pub width: u32,
    /// In pixels; 0 where unknown.
    pub height: u32,
    /// Whether it is a window of this program.
    pub own: bool,
}

/// Everything that could be shared now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screens {
    /// Screens first, the main one before the others; then windows. Where the system has a list of its own, the one
    /// entry that opens it.
    pub sources: Vec<ScreenSource>,
    /// Why the list is empty.
    pub error: Option<ScreenError>,
}

/// Lists the screens and windows that could be shared.
///
/// Takes some milliseconds and speaks to the display, so not on a user interface's thread. Under Wayland programs may
/// not know what is on the screen: the list has the one entry that opens the system's picker.
pub fn list_screens() -> Screens {
    list_screens_at(None)
}

/// [`list_screens`] of the X11 display of this name instead of the session's. For tests.
#[doc(hidden)]
pub fn list_screens_at(display: Option<&str>) -> Screens {
    match sources(display) {
        Ok(sources) => Screens { sources, error: None },
        Err(error) => Screens { sources: Vec::new(), error: Some(error) },
    }
}

#[cfg(target_os = "linux")]
fn sources(display: Option<&str>) -> Result<Vec<ScreenSource>, ScreenError> {
    if display.is_none() && under_wayland() { Ok(vec![picker()]) } else { super::x11::list(display) }
}

#[cfg(not(target_os = "linux"))]
fn sources(_: Option<&str>) -> Result<Vec<ScreenSource>, ScreenError> {
    Err(ScreenError::Unsupported { reason: "screens of this system are not read yet".to_owned() })
}

/// Whether the session is one of Wayland, in which an X11 connection would show black screens only.
#[cfg(target_os = "linux")]
pub(super) fn under_wayland() -> bool {
    std::env::var_os("WAYLAND_DISPLAY").is_some_and(|display| !display.is_empty())
}

#[cfg(target_os = "linux")]
fn picker() -> ScreenSource {
    ScreenSource {
        choice: ScreenChoice::Portal,
        kind: ScreenKind::Picker,
        name: String::new(),
        width: 0,
        height: 0,
        own: false,
    }
}
