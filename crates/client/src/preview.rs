//! Own picture and level meter before entering, by the same device code as in the meeting.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use arc_swap::ArcSwap;
use conclave_capture::{
    CameraChoice, CameraEvent, CameraStream, CameraWish, DeviceKind, Level, MicrophoneChoice, MicrophoneEvent,
    MicrophoneStream,
};
use conclave_model::Picture;

use crate::{
    LocalSource, StartError, VideoQuality, Waker,
    clock::media_clock,
    devices::{DeviceState, DeviceThread, Opened, Opener},
    frames::FrameSlot,
};

/// An open camera and microphone that nobody but the person sees and hears.
///
/// Dropping it closes both without waiting; [`Preview::close`] waits until they are closed.
pub struct Preview {
    devices: Option<DeviceThread>,
    shared: Arc<Shared>,
    video: VideoQuality,
}

struct Shared {
    picture: FrameSlot,
    /// Bits of an f32.
    level: AtomicU32,
    camera: ArcSwap<LocalSource>,
    microphone: ArcSwap<LocalSource>,
    waker: Waker,
}

impl Preview {
    /// Opens camera and microphone on threads of their own and returns at once.
    ///
    /// `waker` is called for each picture and each change of the level. A device that does not open says so in
    /// [`Preview::camera`] or [`Preview::microphone`] and is tried again where that makes sense.
    ///
    /// # Errors
    /// [`StartError::Thread`].
    pub fn start(
        camera: CameraChoice,
        microphone: MicrophoneChoice,
        video: VideoQuality,
        waker: Waker,
    ) -> Result<Self, StartError> {
        let shared = Arc::new(Shared {
            picture: FrameSlot::default(),
            level: AtomicU32::new(0),
            camera: ArcSwap::default(),
            microphone: ArcSwap::default(),
            waker,
        });
        let to = Arc::clone(&shared);
        let devices = DeviceThread::start(move |kind, state| to.report(kind, state))
            .map_err(|error| StartError::Thread(error.kind()))?;
        let preview = Self { devices: Some(devices), shared, video };
        preview.select_camera(camera);
        preview.select_microphone(microphone);
        Ok(preview)
    }

    /// The newest picture of the camera.
    pub fn latest(&self) -> Option<Arc<Picture>> {
        self.shared.picture.latest()
    }

    /// How often [`Preview::latest`] has changed.
    pub fn generation(&self) -> u64 {
        self.shared.picture.generation()
    }

    /// How loud the microphone is right now, from 0 to 1.
    pub fn level(&self) -> f32 {
        f32::from_bits(self.shared.level.load(Ordering::Relaxed))
    }

    /// What is open as camera, or why nothing is.
    pub fn camera(&self) -> Arc<LocalSource> {
        self.shared.camera.load_full()
    }

    /// What is open as microphone, or why nothing is.
    pub fn microphone(&self) -> Arc<LocalSource> {
        self.shared.microphone.load_full()
    }

    /// Changes the camera. Returns at once; the last choice counts.
    pub fn select_camera(&self, choice: CameraChoice) {
        let shared = Arc::clone(&self.shared);
        self.open(DeviceKind::Camera, choice != CameraChoice::Off, move |video| {
            camera_opener(choice, video, move |picture| {
                shared.picture.put(Arc::new(picture));
                (shared.waker)();
            })
        });
    }

    /// Changes the microphone. Returns at once; the last choice counts.
    pub fn select_microphone(&self, choice: MicrophoneChoice) {
        let shared = Arc::clone(&self.shared);
        self.open(DeviceKind::Microphone, choice != MicrophoneChoice::Off, move |_| {
            microphone_opener(choice, move |_, samples| {
                let level = Level::of(samples).bar();
                let before = f32::from_bits(shared.level.swap(level.to_bits(), Ordering::Relaxed));
                if (level - before).abs() > LEAST_CHANGE {
                    (shared.waker)();
                }
            })
        });
    }

    /// Closes the devices and waits until they are closed. Not for the window's thread; dropping does not wait.
    pub fn close(mut self) {
        drop(self.devices.take());
    }

    fn open(&self, kind: DeviceKind, wanted: bool, opener: impl FnOnce(VideoQuality) -> Opener) {
        match &self.devices {
            Some(devices) if wanted => devices.open(kind, opener(self.video)),
            Some(devices) => devices.close(kind),
            None => {}
        }
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        if let Some(devices) = self.devices.take() {
            devices.release();
        }
    }
}

impl Shared {
    fn report(&self, kind: DeviceKind, state: DeviceState) {
        let source = LocalSource::from_state(state);
        match kind {
            DeviceKind::Camera => {
                if source.open_device.is_none() {
                    self.picture.clear();
                }
                self.camera.store(Arc::new(source));
            }
            DeviceKind::Microphone => {
                self.level.store(0, Ordering::Relaxed);
                self.microphone.store(Arc::new(source));
            }
            DeviceKind::Speaker => {}
        }
        (self.waker)();
    }
}

impl LocalSource {
    /// What a device's state says; the level is 0.
    pub(crate) fn from_state(state: DeviceState) -> Self {
        let (open_device, problem) = match state {
            DeviceState::Open(name) => (Some(name), None),
            DeviceState::Closed => (None, None),
            DeviceState::Failed(error) => (None, Some(error)),
        };
        Self { on: open_device.is_some(), open_device, level: 0.0, problem }
    }
}

/// Opens a camera whose pictures go to `sink`, which runs on the camera's thread.
pub(crate) fn camera_opener(
    choice: CameraChoice,
    video: VideoQuality,
    sink: impl FnMut(Picture) + Clone + Send + 'static,
) -> Opener {
    let wish = CameraWish {
        width: video.width(),
        height: u32::from(video.height),
        frames_per_second: u32::from(video.frames_per_second),
    };
    Box::new(move |lost| {
        let mut sink = sink.clone();
        let stream = CameraStream::open(&choice, wish, media_clock(), move |event| match event {
            CameraEvent::Picture(picture) => sink(picture),
            CameraEvent::Lost(error) => lost.tell(error),
        })?;
        let name = stream.opened().name.clone();
        Ok(Opened { stream: Box::new(stream), name })
    })
}

/// Opens a microphone whose sound goes to `sink`, which runs on the microphone's thread.
pub(crate) fn microphone_opener(
    choice: MicrophoneChoice,
    sink: impl FnMut(conclave_model::MediaTime, &[f32]) + Clone + Send + 'static,
) -> Opener {
    Box::new(move |lost| {
        let mut sink = sink.clone();
        let stream = MicrophoneStream::open(&choice, media_clock(), move |event| match event {
            MicrophoneEvent::Samples { time, samples } => sink(time, samples),
            MicrophoneEvent::Lost(error) => lost.tell(error),
        })?;
        let name = stream.opened().name.clone();
        Ok(Opened { stream: Box::new(stream), name })
    })
}

/// A change of the level that is worth drawing.
const LEAST_CHANGE: f32 = 0.01;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use conclave_capture::{TestPerson, Turns};
    use crossbeam_channel::bounded;

    use super::*;

    #[test]
    fn a_preview_shows_the_picture_and_the_level_of_what_is_open() {
        let (woken, wake) = bounded(1);
        let preview = Preview::start(
            CameraChoice::Test(TestPerson::default()),
            MicrophoneChoice::Test { seed: 1, turns: Turns::ALWAYS },
            VideoQuality::default(),
            Arc::new(move || {
                let _ = woken.try_send(());
            }),
        )
        .unwrap();
        let mut loudest: f32 = 0.0;
        while preview.generation() < 5 || loudest == 0.0 {
            wake.recv_timeout(Duration::from_secs(10)).unwrap();
            loudest = loudest.max(preview.level());
        }
        assert!(preview.camera().on && preview.microphone().open_device.is_some());
        preview.select_camera(CameraChoice::File("no/such/file.y4m".into()));
        while preview.camera().problem.is_none() {
            wake.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        assert_eq!(preview.latest(), None);
        preview.close();
    }
}
