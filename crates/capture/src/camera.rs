//! Pictures from a camera, a file or a test source.

mod convert;
mod device;
mod y4m;

use conclave_model::Picture;

pub use self::y4m::Y4mProblem;
use crate::{
    CameraChoice, CaptureError, Clock, DeviceKind, TestPerson,
    portrait::Portrait,
    worker::{Pace, Worker},
};
pub(crate) use device::cameras;

/// The picture that would suit best; what is opened is the nearest that the source has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameraWish {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Pictures per second.
    pub frames_per_second: u32,
}

/// What was really opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedCamera {
    /// The device's human name, the file's path or "test picture".
    pub name: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Pictures per second, rounded.
    pub frames_per_second: u32,
    /// What the source delivers before conversion, as "MJPEG" or "Y4M".
    pub format: String,
}

/// What a camera tells, on the stream's own thread.
#[derive(Debug)]
pub enum CameraEvent {
    /// A picture, just taken; its time is when the sensor had it, as near as the source can tell.
    Picture(Picture),
    /// The source went away or froze; told once. No picture follows.
    Lost(CaptureError),
}

/// Who takes the events of a camera.
type Sink = Box<dyn FnMut(CameraEvent) + Send>;

/// An open camera; dropping it closes it.
#[derive(Debug)]
pub struct CameraStream {
    opened: OpenedCamera,
    _worker: Worker,
}

impl CameraStream {
    /// Opens what `choice` names and gives its pictures to `sink` on a thread of its own.
    ///
    /// Returns when the source is open, for a device after some 100 ms. A sink that is slower than the source makes a
    /// device's older pictures give way to the newest; a file waits and then catches up.
    ///
    /// # Errors
    /// Every [`CaptureError`] that says why a camera, file or test picture could not be opened.
    pub fn open(
        choice: &CameraChoice,
        wish: CameraWish,
        clock: Clock,
        sink: impl FnMut(CameraEvent) + Send + 'static,
    ) -> Result<Self, CaptureError> {
        wish.check()?;
        let sink: Sink = Box::new(sink);
        let (opened, worker) = match choice {
            CameraChoice::Default => device::open(None, wish, clock, sink)?,
            CameraChoice::Device(id) => device::open(Some(id), wish, clock, sink)?,
            CameraChoice::File(path) => y4m::play(path, clock, sink)?,
            CameraChoice::Test(person) => draw(person, wish, clock, sink)?,
            CameraChoice::Off => return Err(CaptureError::Off(DeviceKind::Camera)),
        };
        Ok(Self { opened, _worker: worker })
    }

    /// What is really open.
    pub fn opened(&self) -> &OpenedCamera {
        &self.opened
    }
}

/// Converts a JPEG as a camera of this size delivered it; `None` where it is none. For tests of hostile cameras.
#[doc(hidden)]
pub fn convert_jpeg(data: &[u8], width: u32, height: u32) -> Option<Picture> {
    let (format, time) = (nokhwa::utils::FrameFormat::MJPEG, conclave_model::MediaTime(0));
    convert::Converter::default().convert(format, (width, height), time, data).ok()
}

impl CameraWish {
    /// Whether anything could make such a picture.
    pub(crate) fn check(self) -> Result<(), CaptureError> {
        let Self { width, height, frames_per_second } = self;
        let sides = 16..=conclave_model::picture::MAX_SIDE;
        if sides.contains(&width) && sides.contains(&height) && (1..=120).contains(&frames_per_second) {
            Ok(())
        } else {
            Err(CaptureError::Wish { width, height, frames_per_second })
        }
    }
}

/// Starts a test source.
fn draw(
    person: &TestPerson,
    wish: CameraWish,
    clock: Clock,
    mut sink: Sink,
) -> Result<(OpenedCamera, Worker), CaptureError> {
    let CameraWish { width, height, frames_per_second } = wish;
    let portrait = Portrait::new(person, width, height)?;
    let worker = Worker::start("camera-test", move |stop| {
        let (mut pace, mut number) = (Pace::new(u64::from(frames_per_second), 1), 0_u32);
        while pace.wait(stop) {
            sink(CameraEvent::Picture(portrait.draw(number, pace.due(&clock))));
            number = number.wrapping_add(1);
        }
    })?;
    let opened =
        OpenedCamera { name: "test picture".to_owned(), width, height, frames_per_second, format: "drawn".to_owned() };
    Ok((opened, worker))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use conclave_model::MediaTime;

    use super::*;
    use crate::read_marker;

    #[test]
    fn a_test_camera_numbers_its_pictures_and_keeps_its_rate() {
        let (send, receive) = crossbeam_channel::bounded(100);
        let clock: Clock = Arc::new(|| MediaTime(1_000_000));
        let wish = CameraWish { width: 320, height: 180, frames_per_second: 50 };
        let began = crate::worker::now();
        let stream = CameraStream::open(&CameraChoice::Test(TestPerson::default()), wish, clock, move |event| {
            let _ = send.try_send(event);
        })
        .expect("a test camera");
        assert_eq!(stream.opened().frames_per_second, 50);
        for number in 0..20 {
            match receive.recv().expect("a picture") {
                CameraEvent::Picture(picture) => {
                    assert_eq!(read_marker(&picture).map(|marker| marker.number), Some(number));
                }
                CameraEvent::Lost(error) => panic!("{error}"),
            }
        }
        let took = began.elapsed().as_millis();
        assert!((399..900).contains(&took), "20 pictures in {took} ms");
        drop(stream);
        assert!(receive.try_iter().count() < 50, "the stream ends");
    }

    #[test]
    fn nobody_gets_a_camera_that_is_off_or_a_picture_without_size() {
        let clock: Clock = Arc::new(|| MediaTime(0));
        let open = |choice: CameraChoice, width| {
            let wish = CameraWish { width, height: 180, frames_per_second: 30 };
            CameraStream::open(&choice, wish, clock.clone(), |_| ()).expect_err("nothing to open")
        };
        assert_eq!(open(CameraChoice::Off, 320), CaptureError::Off(DeviceKind::Camera));
        assert!(matches!(open(CameraChoice::Test(TestPerson::default()), 0), CaptureError::Wish { .. }));
    }
}
