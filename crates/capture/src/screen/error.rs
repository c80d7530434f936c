//! Why there is no picture of a screen, in words for the person who shares.

use crate::CaptureError;

/// Why a screen or window could not be shared, or is no longer. Never holds a window's title.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScreenError {
    /// There is no display, or it does not let this program in.
    #[error("the screen cannot be reached: {reason}; share from within a desktop session")]
    NoDisplay {
        /// What the system said.
        reason: String,
    },
    /// The chosen screen is not there.
    #[error("the screen \"{id}\" is not there; plug it in or choose another")]
    UnknownScreen {
        /// The identifier that was asked for.
        id: String,
    },
    /// The chosen window is not there.
    #[error("the chosen window is not there any more; choose another")]
    UnknownWindow,
    /// The window that was shared is gone.
    #[error("the shared window was closed; choose another to go on sharing")]
    WindowClosed,
    /// The screen that was shared is gone.
    #[error("the shared screen was unplugged or switched off; choose another to go on sharing")]
    Unplugged,
    /// The person closed the system's window without a choice, or the system refused.
    #[error("the system did not let the screen be shared; choose a screen or window in its question and allow it")]
    Declined,
    /// The system ended the sharing, or the person did with the system's own button.
    #[error("the system ended the sharing; share again to go on")]
    Ended,
    /// The system has nobody who could ask the person.
    #[error(
        "this desktop offers no way to share a screen: {reason}; ask for the desktop's portal (xdg-desktop-portal and its part for this desktop) and PipeWire to be installed"
    )]
    NoPortal {
        /// What the system said.
        reason: String,
    },
    /// What is chosen is of a kind that cannot be read here.
    #[error("this cannot be shared here: {reason}; choose another screen or window")]
    Unsupported {
        /// Why not.
        reason: String,
    },
    /// The connection to the display or to the system's video ended.
    #[error("the picture of the screen broke off: {reason}; share again")]
    Broken {
        /// What the system said.
        reason: String,
    },
    /// A file or test source, or a thread.
    #[error(transparent)]
    Source(#[from] CaptureError),
}

/// Why no pictures come at the moment, though the sharing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenPause {
    /// The shared window is minimised or on another desktop.
    Minimised,
    /// The screen is locked or its saver runs: what stands there is nobody else's business.
    Locked,
}
