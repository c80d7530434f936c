//! The own camera, microphone and loudspeaker, which outlive every connection.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_capture::{
    CameraChoice, CaptureError, DeviceKind, MicrophoneChoice, NullSpeaker, SpeakerChoice, SpeakerStream,
};
use conclave_codec::AudioSettings;
use conclave_model::{Bitrate, EncodedFrame, Layer, Level, TrackKind};
use conclave_session::{MemberState, Quality, SourceState};
use tokio::sync::mpsc;

use super::{own_camera::OwnCamera, own_screen::ScreenNews};
use crate::{
    Config, LocalSource, Notice, SpeakerState, VideoQuality,
    clock::{media_clock, now},
    devices::{DeviceState, DeviceThread, Opened, Opener},
    frames::FrameSlot,
    media::{
        CameraCounters, FrameControl, MediaError, MicrophoneCounters, MicrophoneOutput, MicrophonePipeline,
        RedundancyControl, SoundReceiver, VoiceMode,
    },
    preview::{camera_opener, microphone_opener},
};

/// What other threads tell the engine.
#[derive(Debug)]
pub(crate) enum FromMedia {
    /// An encoder finished a frame.
    Frame(TrackKind, EncodedFrame),
    /// An encoder failed; it goes on by itself.
    EncoderFailed(DeviceKind, String),
    /// A device opened, closed or failed.
    Device(DeviceKind, DeviceState),
    /// The own screen, and which sharing of it.
    Screen(u64, ScreenNews),
    /// A decoder cannot go on.
    NeedKeyFrame(conclave_model::LeafIndex, TrackKind),
}

/// The own devices and encoders.
///
/// The order of the fields is the order in which they end: first what feeds, then what is fed.
pub(crate) struct Local {
    devices: DeviceThread,
    camera: OwnCamera,
    microphone: MicrophonePipeline,
    own: Arc<FrameSlot>,
    video: VideoQuality,
    choices: (CameraChoice, MicrophoneChoice),
    /// Pulls the sound while there is no loudspeaker: who speaks is shown even then.
    deaf: Option<NullSpeaker>,
    pub(crate) camera_state: LocalSource,
    pub(crate) microphone_state: LocalSource,
    pub(crate) speaker_state: SpeakerState,
    redundancy: RedundancyControl,
    frames: FrameControl,
    constant: Constant,
    /// How the one who receives worst does, as far as the present relay has said.
    heard: Quality,
    voice: VoiceMode,
    /// Whether a device has failed since it last worked, so that its return is worth a word.
    missed: [bool; 3],
}

impl Local {
    /// Starts the encoders and opens what the configuration wants open.
    ///
    /// The loudspeaker plays what `sound` mixes.
    pub(crate) fn start(
        config: &Config,
        own: Arc<FrameSlot>,
        to_engine: &mpsc::Sender<FromMedia>,
        sound: &Arc<SoundReceiver>,
    ) -> Result<Self, MediaError> {
        let camera = OwnCamera::start(config.video, Arc::clone(&own), to_engine)?;
        let sender = to_engine.clone();
        let constant = Constant { always: config.constant_bitrate, from: config.constant_from };
        let is_constant = constant.at(config.invitation.content().level);
        let audio = AudioSettings { constant: is_constant, ..AudioSettings::default() };
        let (reference, muted) = (sound.reference(), !config.microphone_on);
        let mode = mode_for(&config.microphone, config.voice);
        let microphone = MicrophonePipeline::start_in(mode, reference, audio, muted, media_clock(), move |output| {
            let _ = sender.blocking_send(match output {
                MicrophoneOutput::Frame(frame) => FromMedia::Frame(TrackKind::Microphone, frame),
                MicrophoneOutput::Failed(error) => FromMedia::EncoderFailed(DeviceKind::Microphone, error.to_string()),
            });
        })?;
        let sender = to_engine.clone();
        let devices = DeviceThread::start(move |kind, state| {
            let _ = sender.blocking_send(FromMedia::Device(kind, state));
        })?;
        let mut local = Self {
            devices,
            camera,
            microphone,
            own,
            video: config.video,
            choices: (config.camera.clone(), config.microphone.clone()),
            deaf: None,
            camera_state: LocalSource { on: config.camera_on, ..LocalSource::default() },
            microphone_state: LocalSource { on: config.microphone_on, ..LocalSource::default() },
            speaker_state: SpeakerState::default(),
            redundancy: RedundancyControl::default(),
            frames: FrameControl::default(),
            constant,
            heard: Quality::default(),
            voice: config.voice,
            missed: [false; 3],
        };
        local.open_camera();
        local.open_microphone();
        local.devices.open(DeviceKind::Speaker, speaker_opener(config.speaker.clone(), sound));
        Ok(local)
    }

    /// Opens or mutes the microphone. The device stays open for the level meter; the gate is before the encoder.
    pub(crate) fn set_microphone(&mut self, on: bool) {
        self.microphone.set_muted(!on);
        self.microphone_state.on = on;
    }

    /// Opens or closes the camera.
    pub(crate) fn set_camera(&mut self, on: bool) {
        if self.camera_state.on != on {
            self.camera_state.on = on;
            // What was encoded meanwhile did not leave.
            self.camera.request_key_frames();
            self.open_camera();
        }
    }

    /// Changes the camera.
    pub(crate) fn select_camera(&mut self, choice: CameraChoice) {
        self.choices.0 = choice;
        self.camera_state.problem = None;
        self.open_camera();
    }

    /// Changes the microphone.
    pub(crate) fn select_microphone(&mut self, choice: MicrophoneChoice) {
        self.choices.1 = choice;
        self.microphone.set_mode(mode_for(&self.choices.1, self.voice));
        self.microphone_state.problem = None;
        self.open_microphone();
    }

    /// Changes the loudspeaker.
    pub(crate) fn select_speaker(&mut self, choice: SpeakerChoice, sound: &Arc<SoundReceiver>) {
        self.speaker_state.problem = None;
        self.devices.open(DeviceKind::Speaker, speaker_opener(choice, sound));
    }

    /// Takes what the device thread says; returns what the person must be told.
    pub(crate) fn on_device(
        &mut self,
        device: DeviceKind,
        state: DeviceState,
        sound: &Arc<SoundReceiver>,
    ) -> Option<Notice> {
        let missed = match device {
            DeviceKind::Camera => &mut self.missed[0],
            DeviceKind::Microphone => &mut self.missed[1],
            DeviceKind::Speaker => &mut self.missed[2],
        };
        let notice = match &state {
            DeviceState::Open(name) if std::mem::take(missed) => {
                Some(Notice::DeviceBack { device, name: name.clone() })
            }
            DeviceState::Failed(error) => {
                *missed = true;
                Some(Notice::DeviceLost { device, error: error.clone() })
            }
            DeviceState::Open(_) | DeviceState::Closed => None,
        };
        let found = LocalSource::from_state(state);
        match device {
            DeviceKind::Camera => self.camera_state = LocalSource { on: self.camera_state.on, ..found },
            DeviceKind::Microphone => {
                self.microphone.forget_silence();
                self.microphone_state = LocalSource { on: self.microphone_state.on, ..found };
            }
            DeviceKind::Speaker => {
                self.deaf = match &found.open_device {
                    Some(_) => None,
                    None => self.deaf.take().or_else(|| NullSpeaker::start(sound.output()).ok()),
                };
                self.speaker_state = SpeakerState { open_device: found.open_device, problem: found.problem };
            }
        }
        notice
    }

    /// What the others are told.
    pub(crate) fn announcement(&self) -> MemberState {
        let state = |source: &LocalSource, off: bool| match (source.on, &source.problem) {
            (false, _) => SourceState::Off,
            (true, None) if !off => SourceState::On,
            (true, _) => SourceState::Missing,
        };
        MemberState {
            microphone: state(&self.microphone_state, self.choices.1 == MicrophoneChoice::Off),
            camera: state(&self.camera_state, self.choices.0 == CameraChoice::Off),
            screen: SourceState::Off,
        }
    }

    /// Whether a finished frame may leave: the second gate, for what was in the encoder when the person muted.
    pub(crate) fn may_send(&self, track: TrackKind) -> bool {
        match track {
            TrackKind::Microphone => self.microphone_state.on,
            TrackKind::Camera => self.camera_state.on,
            TrackKind::Screen | TrackKind::ScreenAudio | TrackKind::Booth(_) => false,
        }
    }

    /// Fits the encoder to what the network takes for pictures.
    pub(crate) fn set_budget(&mut self, budget: Bitrate) {
        self.camera.set_budget(budget);
    }

    /// Fits the voice to what the line bears for pictures beside it.
    pub(crate) fn set_room(&mut self, pictures: Bitrate) {
        if let Some(frame) = self.frames.set_room(pictures) {
            self.microphone.set_frame(frame);
        }
        self.microphone.set_total(self.frames.total());
    }

    /// Fits the encoders to which encodings of the camera somebody watches, one bit for each.
    pub(crate) fn set_wanted(&mut self, layers: u8) {
        self.camera.set_wanted(layers);
    }

    /// Fits what is added to the voice to how the line does.
    pub(crate) fn set_line(&mut self, loss: f32, round_trip: Option<Duration>, now: Instant) {
        if let Some(redundancy) = self.redundancy.observe(loss, round_trip, JITTER_BUDGET, now) {
            tracing::info!(?redundancy, "the voice is sent with other redundancy");
            self.microphone.set_redundancy(redundancy);
        }
        // Whoever receives worst decides: what is far from there is far for both.
        let trips = round_trip.map(|trip| trip + self.heard.round_trip.unwrap_or_default());
        if let Some(frame) = self.frames.observe(loss.max(self.heard.loss), trips, now) {
            tracing::info!(?frame, "the voice is sent in other pieces");
            self.microphone.set_frame(frame);
        }
        self.microphone.set_total(self.frames.total());
    }

    /// Takes how the own voice arrives at the one who receives it worst.
    pub(crate) fn set_heard(&mut self, heard: Quality) {
        self.heard = heard;
        self.redundancy.set_heard(heard.loss, heard.round_trip);
    }

    /// Follows the meeting's level.
    pub(crate) fn set_level(&mut self, level: Level) {
        self.microphone.set_constant(self.constant.at(level));
    }

    /// How the own voice is prepared.
    pub(crate) fn voice_mode(&self) -> VoiceMode {
        mode_for(&self.choices.1, self.voice)
    }

    /// Changes how the own voice is prepared.
    pub(crate) fn set_voice_mode(&mut self, mode: VoiceMode) {
        self.voice = mode;
        self.microphone.set_mode(mode_for(&self.choices.1, mode));
    }

    /// What would be sent at best.
    pub(crate) fn desired_bitrate(&self) -> Bitrate {
        /// The voice with its overhead.
        const VOICE: u64 = 80_000;
        Bitrate(self.camera.desired().0 + VOICE)
    }

    /// Makes the next camera frame of this encoding a key frame.
    pub(crate) fn request_key_frame(&self, layer: Layer) {
        self.camera.request_key_frame(layer);
    }

    /// Makes the next camera frames key frames.
    pub(crate) fn request_key_frames(&self) {
        self.camera.request_key_frames();
    }

    /// Brings levels up to date; returns whether something that is shown has changed.
    pub(crate) fn tick(&mut self) -> bool {
        self.camera.tick(now());
        if self.camera_state.open_device.is_none() {
            // The encoder may have shown one more picture after the camera was closed.
            self.own.clear();
        }
        let level = if self.microphone_state.open_device.is_some() { self.microphone.level() } else { 0.0 };
        let changed = (level - self.microphone_state.level).abs() > 0.01;
        if changed {
            self.microphone_state.level = level;
        }
        changed
    }

    /// Notices a microphone that is open and gives digital silence; returns what the person must be told, once.
    ///
    /// It stays open: what holds the sound back, as a switch on the microphone, may let it pass again.
    pub(crate) fn watch_silence(&mut self) -> Option<Notice> {
        let name = self.microphone_state.open_device.clone()?;
        let device = DeviceKind::Microphone;
        let silence = self.microphone.silence();
        let is_known = self.microphone_state.problem.is_some();
        let is_real = matches!(self.choices.1, MicrophoneChoice::Default | MicrophoneChoice::Device(_));
        if silence >= SILENCE && self.microphone_state.on && is_real && !is_known {
            let error = CaptureError::Silent { kind: device, name, seconds: silence.as_secs() };
            self.microphone_state.problem = Some(error.clone());
            return Some(Notice::DeviceLost { device, error });
        }
        if silence.is_zero() && is_known {
            self.microphone_state.problem = None;
            return Some(Notice::DeviceBack { device, name });
        }
        None
    }

    /// What was encoded so far.
    pub(crate) fn counters(&self) -> (CameraCounters, MicrophoneCounters) {
        (self.camera.counters(), self.microphone.counters())
    }

    fn open_camera(&mut self) {
        if !self.camera_state.on || self.choices.0 == CameraChoice::Off {
            self.devices.close(DeviceKind::Camera);
            return;
        }
        let input = self.camera.input();
        let opener = camera_opener(self.choices.0.clone(), self.video, move |picture| input.push(picture));
        self.devices.open(DeviceKind::Camera, opener);
    }

    fn open_microphone(&mut self) {
        if self.choices.1 == MicrophoneChoice::Off {
            self.devices.close(DeviceKind::Microphone);
            return;
        }
        let input = self.microphone.input();
        let opener = microphone_opener(self.choices.1.clone(), move |time, samples| input.push(time, samples));
        self.devices.open(DeviceKind::Microphone, opener);
    }
}

/// At which levels the own voice is sent at a constant bitrate.
#[derive(Clone, Copy, Debug)]
struct Constant {
    always: bool,
    from: Option<Level>,
}

impl Constant {
    fn at(self, level: Level) -> bool {
        self.always || self.from.is_some_and(|from| level >= from)
    }
}

/// After how much digital silence of an open microphone the person is told.
const SILENCE: Duration = Duration::from_secs(3);

/// How the sound of a microphone is prepared: what comes from a file or a test source was in no room with a loudspeaker.
fn mode_for(choice: &MicrophoneChoice, wanted: VoiceMode) -> VoiceMode {
    match choice {
        MicrophoneChoice::Default | MicrophoneChoice::Device(_) => wanted,
        MicrophoneChoice::File(_) | MicrophoneChoice::Test { .. } | MicrophoneChoice::Off => VoiceMode::FullBand,
    }
}

/// How long receivers may hold sound back for what was asked for again.
const JITTER_BUDGET: Duration = Duration::from_millis(120);

/// Opens a loudspeaker that plays what the mixer gives.
fn speaker_opener(choice: SpeakerChoice, sound: &Arc<SoundReceiver>) -> Opener {
    let sound = Arc::clone(sound);
    Box::new(move |lost| {
        let stream = SpeakerStream::open(&choice, sound.output(), move |error| lost.tell(error))?;
        let name = stream.opened().name.clone();
        Ok(Opened { stream: Box::new(stream), name })
    })
}
