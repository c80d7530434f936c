//! Screens and windows under X11.

mod grab;
mod list;
mod target;

use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    errors::{ConnectionError, ReplyError, ReplyOrIdError},
    protocol::{ErrorKind, composite, damage, randr, screensaver, xfixes, xproto::ImageOrder, xproto::Window},
    rust_connection::RustConnection,
};

pub(super) use self::{grab::share, list::list};
use super::ScreenError;

x11rb::atom_manager! {
    /// Names that window managers and programs write to their windows.
    pub(super) Atoms: AtomsCookie {
        UTF8_STRING,
        _NET_CLIENT_LIST,
        _NET_WM_NAME,
        _NET_WM_PID,
        _NET_WM_WINDOW_TYPE,
        _NET_WM_WINDOW_TYPE_DESKTOP,
        _NET_WM_WINDOW_TYPE_DOCK,
    }
}

/// A connection to the display.
#[derive(Debug)]
pub(super) struct Display {
    connection: RustConnection,
    root: Window,
    atoms: Atoms,
    has: Extensions,
}

/// What the display can do beyond the core.
#[derive(Clone, Copy, Debug)]
struct Extensions {
    /// Names screens.
    randr: bool,
    /// Tells what was drawn.
    damage: bool,
    /// Keeps the pixels of hidden windows.
    composite: bool,
    /// Knows the pointer's image.
    xfixes: bool,
    /// Tells when the screen is blanked or locked.
    saver: bool,
}

/// Why a request to the display failed.
#[derive(Debug)]
enum Trouble {
    /// The window or the part of the screen is not what it was; it has to be looked at again.
    Stale,
    /// Something that looking again does not mend.
    Fatal(ScreenError),
}

impl Display {
    /// Connects to `name`, or to what `DISPLAY` names.
    fn open(name: Option<&str>) -> Result<Self, ScreenError> {
        let (connection, screen) =
            x11rb::connect(name).map_err(|error| ScreenError::NoDisplay { reason: error.to_string() })?;
        let setup = connection.setup();
        if setup.image_byte_order != ImageOrder::LSB_FIRST {
            return Err(ScreenError::Unsupported { reason: "the display is of another byte order".to_owned() });
        }
        let no_screen = || ScreenError::NoDisplay { reason: "it has no screen".to_owned() };
        let root = setup.roots.get(screen).ok_or_else(no_screen)?.root;
        let broken = |error: ReplyError| ScreenError::NoDisplay { reason: error.to_string() };
        let atoms = Atoms::new(&connection).map_err(|error| broken(error.into()))?.reply().map_err(broken)?;
        let has = Extensions::of(&connection);
        Ok(Self { connection, root, atoms, has })
    }
}

impl Extensions {
    /// Asks for versions, as each extension wants it before anything else.
    fn of(connection: &RustConnection) -> Self {
        /// Versions that have all that is used here.
        const RANDR: (u32, u32) = (1, 5);
        let there = |name| matches!(connection.extension_information(name), Ok(Some(_)));
        let xfixes = there(xfixes::X11_EXTENSION_NAME)
            && xfixes::query_version(connection, 5, 0).is_ok_and(|cookie| cookie.reply().is_ok());
        let randr = there(randr::X11_EXTENSION_NAME)
            && randr::query_version(connection, RANDR.0, RANDR.1)
                .ok()
                .and_then(|cookie| cookie.reply().ok())
                .is_some_and(|version| (version.major_version, version.minor_version) >= RANDR);
        Self {
            randr,
            damage: xfixes
                && there(damage::X11_EXTENSION_NAME)
                && damage::query_version(connection, 1, 1).is_ok_and(|cookie| cookie.reply().is_ok()),
            composite: there(composite::X11_EXTENSION_NAME)
                && composite::query_version(connection, 0, 4).is_ok_and(|cookie| cookie.reply().is_ok()),
            xfixes,
            saver: there(screensaver::X11_EXTENSION_NAME)
                && screensaver::query_version(connection, 1, 1).is_ok_and(|cookie| cookie.reply().is_ok()),
        }
    }
}

impl From<ConnectionError> for Trouble {
    fn from(error: ConnectionError) -> Self {
        Self::Fatal(ScreenError::Broken { reason: error.to_string() })
    }
}

impl From<ReplyError> for Trouble {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::ConnectionError(error) => error.into(),
            ReplyError::X11Error(error) => {
                use ErrorKind::{Drawable, Match, Pixmap, Value, Window};
                let kind = error.error_kind;
                if matches!(kind, Window | Drawable | Pixmap | Match | Value) {
                    return Self::Stale;
                }
                Self::Fatal(ScreenError::Broken { reason: format!("the display refuses: {kind:?}") })
            }
        }
    }
}

impl From<ReplyOrIdError> for Trouble {
    fn from(error: ReplyOrIdError) -> Self {
        match error {
            ReplyOrIdError::ConnectionError(error) => error.into(),
            ReplyOrIdError::X11Error(error) => ReplyError::X11Error(error).into(),
            ReplyOrIdError::IdsExhausted => {
                Self::Fatal(ScreenError::Broken { reason: "the display has no more names".to_owned() })
            }
        }
    }
}

impl From<ScreenError> for Trouble {
    fn from(error: ScreenError) -> Self {
        Self::Fatal(error)
    }
}

impl Trouble {
    /// Where there is nothing to look at again.
    fn fatal(self) -> ScreenError {
        match self {
            Self::Stale => ScreenError::Broken { reason: "the display has changed".to_owned() },
            Self::Fatal(error) => error,
        }
    }
}
