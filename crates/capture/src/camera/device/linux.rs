//! What Video4Linux needs beside nokhwa, by the same library that nokhwa stands on.

use std::{fs, path::Path};

use v4l::{Device, FourCC, capability::Flags, video::Capture};

/// Names a camera by its bus and serial number where udev does, else by its node.
///
/// `None` for nodes that take no pictures, such as a webcam's metadata node, and for those that cannot be asked.
pub(super) fn identify(index: u32) -> Option<String> {
    let node = format!("video{index}");
    // Busy and forbidden cameras cannot be asked and stay listed: opening them says what is wrong.
    if let Ok(device) = Device::new(index as usize) {
        let takes_pictures = device.query_caps().is_ok_and(|caps| caps.capabilities.contains(Flags::VIDEO_CAPTURE));
        if !takes_pictures || device.enum_formats().is_ok_and(|formats| formats.is_empty()) {
            return None;
        }
    }
    Some(stable_name(Path::new("/dev/v4l/by-id"), &node).unwrap_or(node))
}

/// The link in `folder` that leads to `node`.
fn stable_name(folder: &Path, node: &str) -> Option<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.ends_with(node)))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names.into_iter().next()
}

/// Brings a camera whose present format nokhwa does not know (as the last program left it) into one that it does.
///
/// Failing is no fault here: opening says what is wrong.
pub(super) fn make_readable(index: u32) {
    let known = [b"YUYV", b"NV12", b"MJPG"].map(FourCC::new);
    let Ok(device) = Device::new(index as usize) else { return };
    let whole_rate = device.params().is_ok_and(|params| params.interval.numerator == 1);
    let readable = device.format().is_ok_and(|format| known.contains(&format.fourcc));
    if readable && whole_rate {
        return;
    }
    let offered = device.enum_formats().unwrap_or_default();
    let Some(fourcc) = known.into_iter().find(|fourcc| offered.iter().any(|format| format.fourcc == *fourcc)) else {
        return;
    };
    // A small size: all cameras have it at a whole number of pictures per second.
    let _ = device.set_format(&v4l::Format::new(640, 480, fourcc));
    let _ = device.set_params(&v4l::video::capture::Parameters::with_fps(25));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_named_by_its_link() {
        let folder = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink("../../video3", folder.path().join("usb-Maker_Cam_42-video-index0"))
            .expect("a link");
        assert_eq!(stable_name(folder.path(), "video3").as_deref(), Some("usb-Maker_Cam_42-video-index0"));
        assert_eq!(stable_name(folder.path(), "video33"), None);
        assert_eq!(stable_name(Path::new("no/such/folder"), "video3"), None);
    }
}
