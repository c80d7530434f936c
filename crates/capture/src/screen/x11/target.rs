//! What of a display is shared: a part of the root window, or a window of its own.

use x11rb::{
    connection::Connection as _,
    protocol::{
        composite,
        xproto::{ConnectionExt as _, Drawable, ImageFormat, MapState, Pixmap, Window},
    },
};

use super::{Display, Trouble, list::Monitor};
use crate::screen::{
    ScreenChoice, ScreenError,
    canvas::{Area, Canvas, PIXEL},
};

/// What is shared.
#[derive(Debug)]
pub(super) enum Target {
    /// A screen.
    Monitor(Monitor),
    /// A window.
    Window {
        window: Window,
        title: String,
        /// Its pixels, also where others cover them; `None` where the display keeps no such, or before they are named.
        pixels: Option<Pixmap>,
        /// Width of the border, which the pixels have around them.
        border: u16,
        size: (u16, u16),
    },
}

impl Target {
    /// Finds what `choice` names.
    pub(super) fn find(display: &Display, choice: &ScreenChoice) -> Result<Self, ScreenError> {
        let monitors = || display.monitors().map_err(Trouble::fatal).map(Vec::into_iter);
        match choice {
            ScreenChoice::Screen(id) => monitors()?
                .find(|monitor| monitor.name == *id)
                .map(Self::Monitor)
                .ok_or_else(|| ScreenError::UnknownScreen { id: id.clone() }),
            ScreenChoice::Window(id) => {
                let number = id.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
                Self::window(display, number.ok_or(ScreenError::UnknownWindow)?)
            }
            ScreenChoice::Main | ScreenChoice::Portal | ScreenChoice::File(_) | ScreenChoice::Test(_) => monitors()?
                .next()
                .map(Self::Monitor)
                .ok_or_else(|| ScreenError::NoDisplay { reason: "it has no screen".to_owned() }),
        }
    }

    fn window(display: &Display, window: Window) -> Result<Self, ScreenError> {
        let look = || -> Result<Self, Trouble> {
            display.connection.get_window_attributes(window)?.reply()?;
            let title = display.title(window)?;
            Ok(Self::Window { window, title, pixels: None, border: 0, size: (0, 0) })
        };
        look().map_err(|trouble| match trouble {
            Trouble::Stale => ScreenError::UnknownWindow,
            Trouble::Fatal(error) => error,
        })
    }

    /// Looks again where it is and how large. False where it is not shown at present.
    ///
    /// # Errors
    /// [`ScreenError::WindowClosed`], [`ScreenError::Unplugged`] where it is gone.
    pub(super) fn refresh(&mut self, display: &Display) -> Result<bool, Trouble> {
        match self {
            Self::Monitor(monitor) => {
                let found = display.monitors()?.into_iter().find(|found| found.name == monitor.name);
                *monitor = found.ok_or(ScreenError::Unplugged)?;
                Ok(true)
            }
            Self::Window { window, pixels, border, size, .. } => {
                let connection = &display.connection;
                if let Some(pixels) = pixels.take() {
                    connection.free_pixmap(pixels)?;
                }
                let closed = |trouble| match trouble {
                    Trouble::Stale => ScreenError::WindowClosed.into(),
                    fatal @ Trouble::Fatal(_) => fatal,
                };
                let attributes = connection.get_window_attributes(*window)?.reply();
                if attributes.map_err(|error| closed(error.into()))?.map_state != MapState::VIEWABLE {
                    return Ok(false);
                }
                let geometry = connection.get_geometry(*window)?.reply()?;
                (*border, *size) = (geometry.border_width, (geometry.width, geometry.height));
                if display.has.composite {
                    let name = connection.generate_id()?;
                    composite::name_window_pixmap(connection, *window, name)?.check()?;
                    *pixels = Some(name);
                }
                Ok(true)
            }
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Monitor(monitor) => &monitor.name,
            Self::Window { title, .. } => title,
        }
    }

    /// In pixels.
    pub(super) fn size(&self) -> (u32, u32) {
        match self {
            Self::Monitor(monitor) => (monitor.width.into(), monitor.height.into()),
            Self::Window { size, .. } => (size.0.into(), size.1.into()),
        }
    }

    /// The window whose drawing is watched.
    pub(super) fn watched(&self, display: &Display) -> Window {
        match self {
            Self::Monitor(_) => display.root,
            Self::Window { window, .. } => *window,
        }
    }

    /// Where its upper left corner is in the watched window.
    pub(super) fn corner(&self) -> (i32, i32) {
        match self {
            Self::Monitor(monitor) => (monitor.x.into(), monitor.y.into()),
            Self::Window { .. } => (0, 0),
        }
    }

    /// Reads a part of it into `canvas`; tells whether anything is new there.
    pub(super) fn read(&self, display: &Display, part: Area, canvas: &mut Canvas) -> Result<bool, Trouble> {
        let (drawable, (x, y)): (Drawable, (i32, i32)) = match self {
            Self::Monitor(_) => (display.root, self.corner()),
            Self::Window { window, pixels: None, .. } => (*window, (0, 0)),
            Self::Window { pixels: Some(pixels), border, .. } => (*pixels, ((*border).into(), (*border).into())),
        };
        let Some(part) = part.within(canvas.area()) else { return Ok(false) };
        // Neither leaves 16 bits: the canvas has the size that the display told in 16 bits.
        let place = |offset: i32, at: u32| i16::try_from(i64::from(offset) + i64::from(at)).map_err(|_| Trouble::Stale);
        let side = |side: u32| u16::try_from(side).map_err(|_| Trouble::Stale);
        let (left, width, height) = (place(x, part.x)?, side(part.width)?, side(part.height)?);
        let top = place(y, part.y)?;
        let image =
            display.connection.get_image(ImageFormat::Z_PIXMAP, drawable, left, top, width, height, !0)?.reply()?;
        if !matches!(image.depth, 24 | 32) || image.data.len() < part.width as usize * part.height as usize * PIXEL {
            let reason = format!("its colours have {} bits", image.depth);
            return Err(ScreenError::Unsupported { reason }.into());
        }
        Ok(canvas.put(part, &image.data, part.width as usize * PIXEL))
    }
}
