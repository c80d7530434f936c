//! The own camera's encodings: what is made of them, from who watches, what the line bears and what the processor does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_capture::DeviceKind;
use conclave_model::{Bitrate, Layer, TrackKind};
use tokio::sync::mpsc;

use super::{
    TICK,
    ladder::{Circumstances, Plan, Rung, desired, plan},
    local::FromMedia,
    strain::{Governor, Load, Strain},
};
use crate::{
    VideoQuality,
    clock::media_clock,
    frames::FrameSlot,
    media::{CameraCounters, CameraInput, CameraOutput, CameraPipeline, MediaError},
};

/// The own camera's encoders and what decides on them.
pub(crate) struct OwnCamera {
    pipeline: CameraPipeline,
    wish: VideoQuality,
    wanted: u8,
    budget: Bitrate,
    rung: Rung,
    governor: Governor,
    plan: Plan,
    ticked: Option<Instant>,
}

impl OwnCamera {
    /// Starts the encoders' threads. Until it is told who watches, the lowest encoding alone is made.
    pub(crate) fn start(
        wish: VideoQuality,
        own: Arc<FrameSlot>,
        to_engine: &mpsc::Sender<FromMedia>,
    ) -> Result<Self, MediaError> {
        let sender = to_engine.clone();
        // Waiting here is what slows the encoders down to what the engine takes; a closed channel means the end.
        let pipeline = CameraPipeline::start(media_clock(), own, move |output| {
            let _ = sender.blocking_send(match output {
                CameraOutput::Frame(frame) => FromMedia::Frame(TrackKind::Camera, frame),
                CameraOutput::Failed(error) => FromMedia::EncoderFailed(DeviceKind::Camera, error.to_string()),
            });
        })?;
        let mut camera = Self {
            pipeline,
            wish,
            wanted: Layer(0).bit(),
            budget: wish.max_bitrate,
            rung: Rung::default(),
            governor: Governor::default(),
            plan: Plan::default(),
            ticked: None,
        };
        camera.replan();
        Ok(camera)
    }

    /// Where pictures go in.
    pub(crate) fn input(&self) -> CameraInput {
        self.pipeline.input()
    }

    /// Who watches: one bit for each encoding.
    pub(crate) fn set_wanted(&mut self, layers: u8) {
        self.wanted = layers;
        self.replan();
    }

    /// What the line bears for the camera.
    pub(crate) fn set_budget(&mut self, budget: Bitrate) {
        self.budget = budget;
        self.replan();
    }

    /// Looks at the load and at what the camera gives; to be called every [`TICK`].
    pub(crate) fn tick(&mut self, now: Instant) {
        let elapsed = self.ticked.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let load = Load { encoding: self.pipeline.take_share(), late: elapsed.saturating_sub(TICK) };
        let (rung, of, now_made) = (self.rung, self.circumstances(self.governor.strain()), self.plan);
        let differs = |strain: Strain| plan(rung, &Circumstances { strain, ..of }).1 != now_made;
        if self.governor.observe(load, differs, now) {
            tracing::info!(strain = ?self.governor.strain(), "the camera's encodings follow the processor");
        }
        self.replan();
    }

    /// Makes the next frame of this encoding a key frame.
    pub(crate) fn request_key_frame(&self, layer: Layer) {
        self.pipeline.request_key_frame(layer);
    }

    /// Makes the next frame of each encoding a key frame.
    pub(crate) fn request_key_frames(&self) {
        for (layer, _) in (0..).zip(&self.plan).filter(|(_, settings)| settings.is_some()) {
            self.pipeline.request_key_frame(Layer(layer));
        }
    }

    /// What would be sent at best.
    pub(crate) fn desired(&self) -> Bitrate {
        desired(self.wish)
    }

    /// What was encoded so far.
    pub(crate) fn counters(&self) -> CameraCounters {
        self.pipeline.counters()
    }

    fn circumstances(&self, strain: Strain) -> Circumstances {
        Circumstances {
            camera: self.pipeline.camera_size(),
            wish: self.wish,
            wanted: self.wanted,
            budget: self.budget,
            strain,
        }
    }

    fn replan(&mut self) {
        let (rung, plan) = plan(self.rung, &self.circumstances(self.governor.strain()));
        self.rung = rung;
        if plan != self.plan {
            self.plan = plan;
            self.pipeline.set(plan);
        }
    }
}
