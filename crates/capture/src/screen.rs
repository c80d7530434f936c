//! Pictures of a screen or of one window.

mod canvas;
mod choice;
mod error;
mod list;
mod shape;
mod stream;
mod test_page;

#[cfg(target_os = "linux")]
mod portal;
#[cfg(target_os = "linux")]
mod x11;

pub use self::{
    choice::{ScreenChoice, TestPage},
    error::{ScreenError, ScreenPause},
    list::{ScreenKind, ScreenSource, Screens, list_screens, list_screens_at},
    stream::{OpenedScreen, ScreenEvent, ScreenStream, ScreenWish},
    test_page::{DrawnPage, draw_page},
};
