//! The stream of one shared screen or window.

use std::time::Duration;

use conclave_model::Picture;

use super::{ScreenChoice, ScreenError, ScreenPause, test_page};
use crate::{
    CaptureError, Clock,
    camera::CameraWish,
    worker::{Stop, Worker},
};

/// The pictures that would suit best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenWish {
    /// The longer side at most, in pixels; larger screens are scaled down.
    pub long_side: u32,
    /// The shorter side at most, in pixels.
    pub short_side: u32,
    /// Pictures per second at most; nothing comes while nothing moves.
    pub frames_per_second: u32,
}

/// What is really shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedScreen {
    /// The screen's connector, the window's title, the file's path; empty where the system does not say. A title may be
    /// confidential: show it, never log it.
    pub name: String,
    /// Of the source, before it is scaled, in pixels.
    pub width: u32,
    /// Of the source, before it is scaled, in pixels.
    pub height: u32,
}

/// What a stream tells, on its own thread, in this order: `Opened`, then the others, `Lost` as the last.
#[derive(Debug)]
pub enum ScreenEvent {
    /// The sharing begins; with the system's picker after the person has picked.
    Opened(OpenedScreen),
    /// What the screen shows has changed, or a long time has passed. Both sides are even. The size changes with the
    /// window's.
    Picture(Picture),
    /// No picture comes for now; the last one should no longer be taken for what the screen shows.
    Paused(ScreenPause),
    /// Pictures come again, the next one at once.
    Resumed,
    /// The source is gone or never was there; told once. Nothing follows.
    Lost(ScreenError),
}

/// Who takes the events of a stream.
pub(super) type Sink = Box<dyn FnMut(ScreenEvent) + Send>;

/// A screen that is being shared; dropping it ends that, and closes the system's picker.
#[derive(Debug)]
pub struct ScreenStream {
    _worker: Worker,
}

impl ScreenStream {
    /// Opens what `choice` names on a thread of its own and tells `sink` there what happens.
    ///
    /// Returns at once: what is opened or why not is told by [`ScreenEvent::Opened`] and [`ScreenEvent::Lost`]. The
    /// sink should take no longer than a picture lasts; while it is busy changes add up and no picture is lost that
    /// matters: the next one shows the screen as it is then.
    ///
    /// # Errors
    /// [`CaptureError::Wish`] for an absurd wish, [`CaptureError::NoThread`].
    pub fn start(
        choice: &ScreenChoice,
        wish: ScreenWish,
        clock: Clock,
        sink: impl FnMut(ScreenEvent) + Send + 'static,
    ) -> Result<Self, CaptureError> {
        Self::start_at(None, choice, wish, clock, sink)
    }

    /// [`Self::start`] at the X11 display of this name instead of the session's. For tests, which have displays of their
    /// own.
    ///
    /// # Errors
    /// Those of [`Self::start`].
    #[doc(hidden)]
    pub fn start_at(
        display: Option<&str>,
        choice: &ScreenChoice,
        wish: ScreenWish,
        clock: Clock,
        sink: impl FnMut(ScreenEvent) + Send + 'static,
    ) -> Result<Self, CaptureError> {
        wish.check()?;
        let mut sink: Sink = Box::new(sink);
        let display = display.map(str::to_owned);
        let worker = match choice.clone() {
            ScreenChoice::File(path) => test_page::play(&path, wish, clock, sink)?,
            ScreenChoice::Test(page) => test_page::show(page, wish, clock, sink)?,
            choice
            @ (ScreenChoice::Main | ScreenChoice::Screen(_) | ScreenChoice::Window(_) | ScreenChoice::Portal) => {
                Worker::start("screen", move |stop| {
                    if let Err(error) = share(display.as_deref(), &choice, wish, &clock, &mut sink, stop) {
                        sink(ScreenEvent::Lost(error));
                    }
                })?
            }
        };
        Ok(Self { _worker: worker })
    }
}

impl ScreenWish {
    /// Whether anything could make such pictures.
    fn check(self) -> Result<(), CaptureError> {
        let Self { long_side, short_side, frames_per_second } = self;
        CameraWish { width: long_side, height: short_side, frames_per_second }.check()
    }
}

/// 15 pictures a second of 1080 lines; also those of screens that are as wide and higher (16:10) stay unscaled.
impl Default for ScreenWish {
    fn default() -> Self {
        Self { long_side: 1920, short_side: 1200, frames_per_second: 15 }
    }
}

/// Shares a screen or window until `stop` is set; returns early with the reason.
#[cfg(target_os = "linux")]
fn share(
    display: Option<&str>,
    choice: &ScreenChoice,
    wish: ScreenWish,
    clock: &Clock,
    sink: &mut Sink,
    stop: &Stop,
) -> Result<(), ScreenError> {
    match choice {
        ScreenChoice::Portal => super::portal::share(wish, clock, sink, stop),
        ScreenChoice::Main if display.is_none() && super::list::under_wayland() => {
            share(None, &ScreenChoice::Portal, wish, clock, sink, stop)
        }
        ScreenChoice::Main
        | ScreenChoice::Screen(_)
        | ScreenChoice::Window(_)
        | ScreenChoice::File(_)
        | ScreenChoice::Test(_) => super::x11::share(display, choice, wish, clock, sink, stop),
    }
}

/// Other systems are not read yet.
#[cfg(not(target_os = "linux"))]
fn share(
    _: Option<&str>,
    _: &ScreenChoice,
    _: ScreenWish,
    _: &Clock,
    _: &mut Sink,
    _: &Stop,
) -> Result<(), ScreenError> {
    Err(ScreenError::Unsupported { reason: "screens of this system are not read yet".to_owned() })
}

/// After how long without a change a picture is given all the same, so that nobody takes a still screen for a dead one.
pub(super) const REFRESH: Duration = Duration::from_secs(10);
