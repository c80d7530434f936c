//! The sending half of a client's picture path, on the simulated clock: computing takes no time.

use std::time::Duration;

use conclave_client::{
    VideoQuality,
    measured::{Circumstances, Plan, Rung, Strain, desired, plan},
};
use conclave_codec::{Av1Encoder, PictureScaler, VideoEncoder, VideoSettings};
use conclave_model::{Bitrate, EncodedFrame, Layer, MediaTime, Picture, TrackKind};
use conclave_session::Event;

/// How many encodings there are at most.
const LAYERS: usize = Layer::COUNT as usize;

/// The encoders of one camera, and what decides over them as in a client.
pub(crate) struct Camera {
    encoders: [Option<Av1Encoder>; LAYERS],
    scalers: [PictureScaler; LAYERS],
    key_wanted: [bool; LAYERS],
    /// When each encoding had its last picture.
    last: [Option<MediaTime>; LAYERS],
    wish: VideoQuality,
    budget: Bitrate,
    wanted: u8,
    rung: Rung,
}

impl Camera {
    pub(crate) fn new() -> Self {
        let wish = VideoQuality::default();
        Self {
            encoders: [const { None }; LAYERS],
            scalers: Default::default(),
            key_wanted: [false; LAYERS],
            last: [None; LAYERS],
            wish,
            budget: wish.max_bitrate,
            wanted: Layer(0).bit(),
            rung: Rung::default(),
        }
    }

    /// What would be sent at best, the voice included.
    pub(crate) fn desired(&self) -> Bitrate {
        Bitrate(desired(self.wish).0 + VOICE)
    }

    /// Does what the client's engine does at such an event.
    pub(crate) fn on_event(&mut self, event: &Event) {
        if let Event::Budget(budget) = event {
            self.budget = *budget;
        }
        if let Event::LayersWanted { track: TrackKind::Camera, layers } = event {
            self.wanted = *layers;
        }
        if let Event::KeyFrameWanted { track: TrackKind::Camera, layer } = event {
            let up_to = usize::from(layer.0) + 1;
            let made = (0..LAYERS.min(up_to)).rev().find(|layer| self.encoders[*layer].is_some());
            made.into_iter().for_each(|layer| self.key_wanted[layer] = true);
        }
        if *event == Event::PathUp {
            self.key_wanted = [true; LAYERS];
        }
    }

    /// Encodes a picture that is taken at `time`.
    pub(crate) fn take(&mut self, picture: &Picture, time: MediaTime) -> Vec<EncodedFrame> {
        let plan = self.plan(picture);
        let mut frames = Vec::new();
        for (at, settings) in plan.into_iter().enumerate() {
            let Some(settings) = settings else {
                (self.encoders[at], self.last[at]) = (None, None);
                continue;
            };
            let interval = Duration::from_secs(1) / settings.frames_per_second.max(1);
            if self.last[at].is_some_and(|last| time.since(last) < interval * 3 / 4) {
                continue;
            }
            self.last[at] = Some(time);
            let mut small = self.scalers[at].scale(picture, settings.width, settings.height).unwrap();
            small.time = time;
            let key = std::mem::take(&mut self.key_wanted[at]);
            match self.encoder(at, settings).encode(&small, key).unwrap() {
                Some(frame) => {
                    let layer = Layer(u8::try_from(at).unwrap());
                    frames.push(EncodedFrame { layer, encode_delay: Duration::ZERO, ..frame });
                }
                // The rate control left it out; a key frame that was wanted is still wanted.
                None => self.key_wanted[at] |= key,
            }
        }
        frames
    }

    fn plan(&mut self, picture: &Picture) -> Plan {
        let at = Circumstances {
            camera: Some((picture.width(), picture.height())),
            wish: self.wish,
            wanted: self.wanted,
            budget: self.budget,
            strain: Strain::default(),
        };
        let (rung, plan) = plan(self.rung, &at);
        self.rung = rung;
        plan
    }

    /// The encoder with bitrate and rate set; a new one, which begins with a key frame, where the size has changed.
    fn encoder(&mut self, at: usize, settings: VideoSettings) -> &mut Av1Encoder {
        let fits = |made: VideoSettings| (made.width, made.height) == (settings.width, settings.height);
        let mut encoder = match self.encoders[at].take() {
            Some(encoder) if fits(encoder.settings()) => encoder,
            Some(_) | None => Av1Encoder::new(settings).unwrap(),
        };
        encoder.set_bitrate(settings.bitrate).unwrap();
        encoder.set_frames_per_second(settings.frames_per_second).unwrap();
        self.encoders[at].insert(encoder)
    }
}

/// The voice with its overhead, in bits per second, as the client reckons.
const VOICE: u64 = 80_000;
