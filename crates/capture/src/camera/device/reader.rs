//! The thread that waits for the camera's driver.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use nokhwa::{
    Buffer, Camera,
    utils::{CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType},
};

use super::{CameraWish, explain, rank};
use crate::{CaptureError, DeviceKind, worker::Stop};

/// Every format that can be converted.
const FORMATS: [FrameFormat; 6] = [
    FrameFormat::NV12,
    FrameFormat::YUYV,
    FrameFormat::MJPEG,
    FrameFormat::RAWRGB,
    FrameFormat::RAWBGR,
    FrameFormat::GRAY,
];
/// How many of the nearest formats are tried; some cameras list what they then refuse.
const TRIES: usize = 5;

/// What the reader has to say.
pub(super) enum Raw {
    Picture(Buffer),
    Nothing,
    Ended(String),
}

/// The receiving end; holds the newest picture only.
pub(super) struct Reader {
    newest: Receiver<Buffer>,
    ended: Receiver<String>,
}

impl Reader {
    /// Opens the camera on a thread of its own, which ends at the first picture after `stop` was set.
    pub(super) fn start(
        index: CameraIndex,
        name: &str,
        wish: CameraWish,
        stop: Stop,
        opening: Duration,
    ) -> Result<(Self, CameraFormat), CaptureError> {
        let (tell_opened, opened) = bounded(1);
        let (tell_ended, ended) = bounded(1);
        let (send, newest) = bounded(1);
        let (camera_name, replaced) = (name.to_owned(), newest.clone());
        let run = move || {
            // The driver's library panics where a camera is pulled out at the wrong moment.
            let result = catch_unwind(AssertUnwindSafe(|| {
                let (camera, format) = match open(index, &camera_name, wish) {
                    Ok(opened) => opened,
                    Err(error) => {
                        let _ = tell_opened.send(Err(error));
                        return String::new();
                    }
                };
                let _ = tell_opened.send(Ok(format));
                read(camera, &send, &replaced, &stop)
            }));
            let _ = tell_ended.send(result.unwrap_or_else(|_| "its driver failed".to_owned()));
        };
        thread::Builder::new()
            .name("camera-read".to_owned())
            .spawn(run)
            .map_err(|error| CaptureError::NoThread { reason: error.to_string() })?;
        let not_opened = |reason: &str| CaptureError::NotOpened {
            kind: DeviceKind::Camera,
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        match opened.recv_timeout(opening) {
            Ok(Ok(format)) => Ok((Self { newest, ended }, format)),
            Ok(Err(error)) => Err(error),
            Err(RecvTimeoutError::Timeout) => Err(not_opened("it does not answer; unplug it and plug it in again")),
            Err(RecvTimeoutError::Disconnected) => Err(not_opened("its driver failed")),
        }
    }

    /// Waits for the next picture.
    pub(super) fn next(&self, patience: Duration) -> Raw {
        match self.newest.recv_timeout(patience) {
            Ok(buffer) => Raw::Picture(buffer),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                self.ended.try_recv().map_or(Raw::Nothing, Raw::Ended)
            }
        }
    }

    /// Waits until the camera is closed, but not longer than `patience`.
    pub(super) fn wait(&self, patience: Duration) {
        let _ = self.ended.recv_timeout(patience);
    }
}

fn open(index: CameraIndex, name: &str, wish: CameraWish) -> Result<(Camera, CameraFormat), CaptureError> {
    let failed = |error: nokhwa::NokhwaError| explain(name, error.to_string());
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &FORMATS);
    let mut camera = Camera::new(index, any).map_err(failed)?;
    let offered = camera.compatible_camera_formats().map_err(failed)?;
    let mut refused = None;
    for format in rank(&offered, wish).into_iter().take(TRIES) {
        let exactly = RequestedFormat::with_formats(RequestedFormatType::Exact(format), &FORMATS);
        match camera.set_camera_requset(exactly) {
            Ok(_) => {
                refused = None;
                break;
            }
            Err(error) => refused = Some(error),
        }
    }
    if let Some(error) = refused {
        tracing::debug!(%error, "the camera keeps its own format");
    }
    let format = camera.camera_format();
    if rank(&[format], wish).is_empty() {
        let reason = format!("it offers {} formats, none from 16 to 4096 pixels wide and high", offered.len());
        return Err(CaptureError::Unsupported { kind: DeviceKind::Camera, name: name.to_owned(), reason });
    }
    camera.open_stream().map_err(failed)?;
    Ok((camera, format))
}

/// Reads until the camera fails or nobody listens; returns what the system said.
fn read(mut camera: Camera, send: &Sender<Buffer>, replaced: &Receiver<Buffer>, stop: &Stop) -> String {
    while !stop.is_set() {
        match camera.frame() {
            Ok(buffer) => match send.try_send(buffer) {
                Ok(()) => {}
                Err(TrySendError::Full(buffer)) => {
                    // The converter is behind: the newest picture replaces the one that waits.
                    let _ = replaced.try_recv();
                    let _ = send.try_send(buffer);
                }
                Err(TrySendError::Disconnected(_)) => break,
            },
            Err(nokhwa::NokhwaError::ReadFrameError(reason)) => return reason.to_lowercase(),
            Err(error) => return error.to_string(),
        }
    }
    String::new()
}
