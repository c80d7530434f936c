//! Real cameras.
//!
//! Two threads per camera: one waits for the driver, which may be for ever when a camera freezes; the other converts the
//! newest picture, gives it away, and notices when nothing comes.

#[cfg(target_os = "linux")]
mod linux;
mod reader;

use std::time::Duration;

use nokhwa::utils::{ApiBackend, CameraFormat, CameraIndex, FrameFormat};

use self::reader::{Raw, Reader};
use super::{CameraEvent, CameraWish, OpenedCamera, Sink, convert::Converter};
use crate::{
    CaptureError, Clock, Device, DeviceKind,
    worker::{Stop, Worker, age, now},
};

/// How long a camera may give nothing before it counts as frozen; slow ones take 1 s to begin.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long the system may take to open a camera.
const OPENING: Duration = Duration::from_secs(10);
/// How often the thread looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);
/// Pictures in a row that cannot be converted before the camera is given up.
const MOST_BROKEN: u32 = 60;

/// A camera and how the system calls it.
pub(crate) struct Camera {
    pub(crate) device: Device,
    index: CameraIndex,
}

/// Lists the cameras of the system, the default first.
pub(crate) fn cameras() -> Result<Vec<Camera>, CaptureError> {
    let none = |reason: String| CaptureError::NoDevice { kind: DeviceKind::Camera, reason };
    let found = nokhwa::query(ApiBackend::Auto).map_err(|error| none(error.to_string()))?;
    let mut cameras: Vec<Camera> = found
        .into_iter()
        .filter_map(|info| {
            let name = info.human_name().trim_matches(['\0', ' ']).to_owned();
            let id = identify(info.index())?;
            Some(Camera { device: Device { id, name }, index: info.index().clone() })
        })
        .collect();
    cameras.sort_by_key(|camera| camera.index.as_index().unwrap_or(u32::MAX));
    if cameras.is_empty() {
        return Err(none("the system lists none; plug one in, or check that it is switched on".to_owned()));
    }
    Ok(cameras)
}

/// A name that stays; `None` for what is listed as a camera and takes no pictures.
#[cfg(target_os = "linux")]
fn identify(index: &CameraIndex) -> Option<String> {
    linux::identify(index.as_index().ok()?)
}

#[cfg(not(target_os = "linux"))]
fn identify(index: &CameraIndex) -> Option<String> {
    Some(index.as_string())
}

/// Opens a camera and starts to convert its pictures.
pub(super) fn open(
    id: Option<&str>,
    wish: CameraWish,
    clock: Clock,
    sink: Sink,
) -> Result<(OpenedCamera, Worker), CaptureError> {
    let mut cameras = cameras()?;
    let position = match id {
        Some(id) => cameras
            .iter()
            .position(|camera| camera.device.id == id)
            .ok_or_else(|| CaptureError::UnknownDevice { kind: DeviceKind::Camera, id: id.to_owned() })?,
        None => 0,
    };
    let Camera { device, index } = cameras.swap_remove(position);
    #[cfg(target_os = "linux")]
    if let Ok(index) = index.as_index() {
        linux::make_readable(index);
    }
    let stop = Stop::default();
    let (reader, format) = Reader::start(index, &device.name, wish, stop.clone(), OPENING)?;
    let opened = OpenedCamera {
        name: device.name.clone(),
        width: format.width(),
        height: format.height(),
        frames_per_second: format.frame_rate(),
        format: format_name(format.format()).to_owned(),
    };
    let worker = Worker::start("camera", move |ended| {
        let lost = deliver(&reader, &device.name, &clock, sink, ended);
        // The reader ends at its next picture; wait a moment, so that the camera is free for who opens it next.
        stop.set();
        reader.wait(Duration::from_millis(500));
        if let Some((error, mut sink)) = lost {
            sink(CameraEvent::Lost(error));
        }
    })?;
    Ok((opened, worker))
}

/// Converts and gives away pictures until the stream ends; returns why, where the camera is to blame.
fn deliver(reader: &Reader, name: &str, clock: &Clock, mut sink: Sink, ended: &Stop) -> Option<(CaptureError, Sink)> {
    let (mut converter, mut last, mut broken) = (Converter::default(), now(), 0);
    let name = name.to_owned();
    while !ended.is_set() {
        match reader.next(LOOK) {
            Raw::Picture(buffer) => {
                last = now();
                let resolution = buffer.resolution();
                let time = clock();
                let taken = conclave_model::MediaTime(time.0.saturating_sub(age(buffer.capture_timestamp())));
                let size = (resolution.width(), resolution.height());
                match converter.convert(buffer.source_frame_format(), size, taken, buffer.buffer()) {
                    Ok(picture) => {
                        broken = 0;
                        sink(CameraEvent::Picture(picture));
                    }
                    Err(error) => {
                        broken += 1;
                        tracing::debug!(%error, "a camera picture is dropped");
                        if broken > MOST_BROKEN {
                            let reason = format!("it gives pictures that cannot be used: {error}");
                            return Some((CaptureError::Lost { kind: DeviceKind::Camera, name, reason }, sink));
                        }
                    }
                }
            }
            Raw::Nothing if last.elapsed() > PATIENCE => {
                let seconds = last.elapsed().as_secs();
                return Some((CaptureError::Frozen { kind: DeviceKind::Camera, name, seconds }, sink));
            }
            Raw::Nothing => {}
            Raw::Ended(reason) => {
                return Some((CaptureError::Lost { kind: DeviceKind::Camera, name, reason }, sink));
            }
        }
    }
    None
}

fn format_name(format: FrameFormat) -> &'static str {
    match format {
        FrameFormat::MJPEG => "MJPEG",
        FrameFormat::YUYV => "YUYV",
        FrameFormat::NV12 => "NV12",
        FrameFormat::GRAY => "grey",
        FrameFormat::RAWRGB => "RGB",
        FrameFormat::RAWBGR => "BGR",
    }
}

/// Sorts what a camera offers, the nearest to the wish first; drops what cannot be used.
///
/// Too small or too slow costs more than too large or too fast; among equals, what is cheap to convert wins.
fn rank(formats: &[CameraFormat], wish: CameraWish) -> Vec<CameraFormat> {
    let cost = |format: &CameraFormat| {
        let miss = |found: u32, wanted: u32, less: f64, more: f64| {
            let ratio = (f64::from(found) / f64::from(wanted.max(1))).ln();
            if ratio < 0.0 { -ratio * less } else { ratio * more }
        };
        let conversion = match format.format() {
            FrameFormat::NV12 => 0.0,
            FrameFormat::YUYV => 0.01,
            FrameFormat::MJPEG => 0.05,
            FrameFormat::RAWRGB | FrameFormat::RAWBGR => 0.06,
            FrameFormat::GRAY => 3.0,
        };
        miss(format.width(), wish.width, 2.0, 0.5)
            + miss(format.height(), wish.height, 2.0, 0.5)
            + miss(format.frame_rate(), wish.frames_per_second, 2.0, 0.05)
            + conversion
    };
    let sides = 16..=conclave_model::picture::MAX_SIDE;
    let mut ranked: Vec<CameraFormat> = formats
        .iter()
        .filter(|format| sides.contains(&format.width()) && sides.contains(&format.height()) && format.frame_rate() > 0)
        .copied()
        .collect();
    ranked.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
    ranked.dedup();
    ranked
}

/// Finds the words for what the system said about the camera called `name`.
fn explain(name: &str, reason: String) -> CaptureError {
    let (kind, name) = (DeviceKind::Camera, name.to_owned());
    if reason.contains("os error 16") {
        CaptureError::Busy { kind, name }
    } else if reason.contains("os error 13") || reason.contains("os error 1)") {
        CaptureError::Denied { kind, name }
    } else {
        CaptureError::NotOpened { kind, name, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: CameraWish = CameraWish { width: 1280, height: 720, frames_per_second: 30 };

    fn best(formats: &[(u32, u32, FrameFormat, u32)]) -> (u32, u32, FrameFormat, u32) {
        let formats: Vec<_> = formats.iter().map(|(w, h, f, r)| CameraFormat::new_from(*w, *h, *f, *r)).collect();
        let best = rank(&formats, WISH)[0];
        (best.width(), best.height(), best.format(), best.frame_rate())
    }

    #[test]
    fn the_nearest_format_to_the_wish_is_taken() {
        // A usual webcam: raw 720p only at 10 per second, JPEG at 30.
        let webcam = [
            (640, 480, FrameFormat::YUYV, 30),
            (1280, 720, FrameFormat::YUYV, 10),
            (1280, 720, FrameFormat::MJPEG, 30),
            (1920, 1080, FrameFormat::MJPEG, 30),
            (1920, 1080, FrameFormat::YUYV, 5),
        ];
        assert_eq!(best(&webcam), (1280, 720, FrameFormat::MJPEG, 30));
        let both = [(1280, 720, FrameFormat::MJPEG, 30), (1280, 720, FrameFormat::YUYV, 30)];
        assert_eq!(best(&both), (1280, 720, FrameFormat::YUYV, 30));
        let larger_or_smaller = [(320, 240, FrameFormat::YUYV, 30), (1920, 1080, FrameFormat::MJPEG, 30)];
        assert_eq!(best(&larger_or_smaller), (1920, 1080, FrameFormat::MJPEG, 30));
    }

    #[test]
    fn absurd_formats_are_dropped() {
        let formats = [
            CameraFormat::new_from(0, 0, FrameFormat::YUYV, 30),
            CameraFormat::new_from(100_000, 720, FrameFormat::YUYV, 30),
            CameraFormat::new_from(640, 480, FrameFormat::YUYV, 0),
        ];
        assert!(rank(&formats, WISH).is_empty());
    }

    #[test]
    fn the_system_s_words_become_ours() {
        let busy = explain("Cam", "Could not open device stream: Device or resource busy (os error 16)".into());
        assert_eq!(busy, CaptureError::Busy { kind: DeviceKind::Camera, name: "Cam".into() });
        assert!(matches!(explain("Cam", "Permission denied (os error 13)".into()), CaptureError::Denied { .. }));
    }
}
