//! Lists of what is plugged in.

use std::fmt;

use crate::{CaptureError, camera, sound::device};

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
    pub errors: Vec<CaptureError>,
}

/// Lists cameras, microphones and loudspeakers.
///
/// Opens nothing but the systems' catalogues; takes some milliseconds, so not on a user interface's thread. A list that
/// is empty has its reason in [`Devices::errors`].
pub fn devices() -> Devices {
    let mut devices = Devices::default();
    let mut take = |list: Result<Vec<Device>, CaptureError>| {
        list.unwrap_or_else(|error| {
            devices.errors.push(error);
            Vec::new()
        })
    };
    let cameras = take(camera::cameras().map(|list| list.into_iter().map(|camera| camera.device).collect()));
    let sound = |kind| device::list(kind).map(|list| list.into_iter().map(|found| found.device).collect());
    let microphones = take(sound(DeviceKind::Microphone));
    let speakers = take(sound(DeviceKind::Speaker));
    Devices { cameras, microphones, speakers, ..devices }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_machine_with_or_without_devices_lists_them_quickly_and_gives_reasons() {
        let began = crate::worker::now();
        let Devices { cameras, microphones, speakers, errors } = devices();
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let empty = [&cameras, &microphones, &speakers].iter().filter(|list| list.is_empty()).count();
        assert_eq!(errors.len(), empty, "{errors:?}");
        for device in cameras.iter().chain(&microphones).chain(&speakers) {
            assert!(!device.id.is_empty() && !device.name.is_empty(), "{device:?}");
        }
    }
}
