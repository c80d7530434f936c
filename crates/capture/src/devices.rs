//! Lists of what is plugged in.
#![allow(clippy::todo)]

use std::fmt;

/// What a device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceKind {
    /// Takes pictures.
    Camera,
    /// Hears.
    Microphone,
    /// Plays.
    Speaker,
}

/// One device of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Names it again after a restart, as far as the system can; for [`CameraChoice::Device`](crate::CameraChoice) and
    /// its like, never for people.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// Everything that could be opened now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// In the system's order; the first is the default.
    pub cameras: Vec<Device>,
    /// The default first.
    pub microphones: Vec<Device>,
    /// The default first.
    pub speakers: Vec<Device>,
    /// Why a list is empty or incomplete, in words.
    pub errors: Vec<crate::CaptureError>,
}

/// Lists cameras, microphones and loudspeakers.
///
/// Opens nothing but the systems' catalogues; takes some milliseconds, so not on a user interface's thread. A list that
/// is empty has its reason in [`Devices::errors`].
pub fn devices() -> Devices {
    todo!()
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::Speaker => "loudspeaker",
        })
    }
}
