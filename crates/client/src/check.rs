//! The test of devices and of the way to a relay, as data.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use conclave_capture::{
    CameraChoice, CameraEvent, CameraStream, CameraWish, CaptureError, Device, Level, MicrophoneChoice,
    MicrophoneEvent, MicrophoneStream, SpeakerChoice, SpeakerStream, devices,
};
use conclave_identity::{Holder, Invitation};
use serde::Serialize;

use crate::{
    ConnectError, VideoQuality,
    clock::{media_clock, now},
    connect::{dial, relay_name},
    engine::tls_config,
};

/// What to test.
#[derive(Clone, Debug)]
pub struct CheckConfig {
    /// Which camera to open.
    pub camera: CameraChoice,
    /// Which microphone to open.
    pub microphone: MicrophoneChoice,
    /// Which loudspeaker to open.
    pub speaker: SpeakerChoice,
    /// The picture to ask the camera for.
    pub video: VideoQuality,
    /// How long each device is tried.
    pub duration: Duration,
    /// Whose relay to connect to, and as whom; `None` tests devices only.
    pub relay: Option<(Holder, Invitation)>,
}

/// The default devices for two seconds each, no relay.
impl Default for CheckConfig {
    fn default() -> Self {
        Self {
            camera: CameraChoice::Default,
            microphone: MicrophoneChoice::Default,
            speaker: SpeakerChoice::Default,
            video: VideoQuality::default(),
            duration: Duration::from_secs(2),
            relay: None,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The system's cameras.
    pub cameras: Vec<DeviceFound>,
    /// The system's microphones.
    pub microphones: Vec<DeviceFound>,
    /// The system's loudspeakers.
    pub speakers: Vec<DeviceFound>,
    /// Why a list is empty or incomplete.
    pub list_errors: Vec<String>,
    /// The camera's test.
    pub camera: DeviceTest,
    /// The microphone's test.
    pub microphone: DeviceTest,
    /// The loudspeaker's test.
    pub speaker: DeviceTest,
    /// The connection's test, where one was asked for.
    pub relay: Option<RelayTest>,
}

/// One device of the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceFound {
    /// For `device:ID` on the command line.
    pub id: String,
    /// For people.
    pub name: String,
}

/// How a device did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeviceTest {
    /// Whether it opened and gave, or took, something.
    pub works: bool,
    /// What was open.
    pub device: Option<String>,
    /// Its format, as "1280x720 at 30 frames/s, MJPEG".
    pub format: Option<String>,
    /// Pictures, or blocks of sound, in the time of the test.
    pub count: u64,
    /// The loudest sound, from 0 to 1.
    pub level: f32,
    /// Why it does not work.
    pub problem: Option<String>,
}

/// How the way to the relay did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelayTest {
    /// As `host:port`.
    pub relay: String,
    /// Whether both sides have proven who they are and the relay speaks our protocol.
    pub works: bool,
    /// How long that took, in milliseconds.
    pub connect_ms: f64,
    /// The own address that leads there.
    pub local: Option<String>,
    /// Why it does not work.
    pub problem: Option<String>,
}

/// Tests everything, one after the other.
///
/// Takes about three times [`CheckConfig::duration`] and what the relay needs. Blocks: not for the window's thread.
/// Nothing that a device gives leaves this function but counts and a level.
pub fn run(config: &CheckConfig) -> CheckReport {
    let found = devices();
    let list = |devices: &[Device]| -> Vec<DeviceFound> {
        devices.iter().map(|device| DeviceFound { id: device.id.clone(), name: device.name.clone() }).collect()
    };
    CheckReport {
        cameras: list(&found.cameras),
        microphones: list(&found.microphones),
        speakers: list(&found.speakers),
        list_errors: found.errors.iter().map(ToString::to_string).collect(),
        camera: test_camera(config),
        microphone: test_microphone(config),
        speaker: test_speaker(config),
        relay: config.relay.as_ref().map(|(holder, invitation)| test_relay(holder, invitation)),
    }
}

impl CheckReport {
    /// Whether everything that was tested works.
    pub fn works(&self) -> bool {
        let devices = [&self.camera, &self.microphone, &self.speaker];
        devices.iter().all(|test| test.works) && self.relay.as_ref().is_none_or(|relay| relay.works)
    }
}

/// What the callbacks of a device leave behind.
#[derive(Default)]
struct Seen {
    count: AtomicU64,
    level: AtomicU32,
    lost: arc_swap::ArcSwapOption<CaptureError>,
}

impl Seen {
    fn saw(&self, level: f32) {
        self.count.fetch_add(1, Ordering::Relaxed);
        // Levels are not negative, so their bits are ordered as they are.
        self.level.fetch_max(level.max(0.0).to_bits(), Ordering::Relaxed);
    }

    fn as_test(&self, device: String, format: String, silent: &str) -> DeviceTest {
        let count = self.count.load(Ordering::Relaxed);
        let lost = self.lost.load_full().map(|error| error.to_string());
        DeviceTest {
            works: count > 0 && lost.is_none(),
            device: Some(device),
            format: Some(format),
            count,
            level: f32::from_bits(self.level.load(Ordering::Relaxed)),
            problem: lost.or_else(|| (count == 0).then(|| silent.to_owned())),
        }
    }
}

fn failed(error: &CaptureError) -> DeviceTest {
    DeviceTest { problem: Some(error.to_string()), ..DeviceTest::default() }
}

fn test_camera(config: &CheckConfig) -> DeviceTest {
    let seen = Arc::<Seen>::default();
    let wish = CameraWish {
        width: config.video.width(),
        height: u32::from(config.video.height),
        frames_per_second: u32::from(config.video.frames_per_second),
    };
    let sink = Arc::clone(&seen);
    let opened = CameraStream::open(&config.camera, wish, media_clock(), move |event| match event {
        CameraEvent::Picture(_) => sink.saw(0.0),
        CameraEvent::Lost(error) => sink.lost.store(Some(Arc::new(error))),
    });
    match opened {
        Ok(stream) => {
            std::thread::sleep(config.duration);
            let open = stream.opened();
            let format =
                format!("{}x{} at {} frames/s, {}", open.width, open.height, open.frames_per_second, open.format);
            seen.as_test(open.name.clone(), format, "the camera is open and gives no picture")
        }
        Err(error) => failed(&error),
    }
}

fn test_microphone(config: &CheckConfig) -> DeviceTest {
    let seen = Arc::<Seen>::default();
    let sink = Arc::clone(&seen);
    let opened = MicrophoneStream::open(&config.microphone, media_clock(), move |event| match event {
        MicrophoneEvent::Samples { samples, .. } => sink.saw(Level::of(samples).bar()),
        MicrophoneEvent::Lost(error) => sink.lost.store(Some(Arc::new(error))),
    });
    match opened {
        Ok(stream) => {
            std::thread::sleep(config.duration);
            let open = stream.opened();
            let format = format!("{} Hz, {} channels, {}", open.rate, open.channels, open.format);
            seen.as_test(open.name.clone(), format, "the microphone is open and gives no sound")
        }
        Err(error) => failed(&error),
    }
}

/// Plays silence: a test of the device, not of the person's ears.
fn test_speaker(config: &CheckConfig) -> DeviceTest {
    let seen = Arc::<Seen>::default();
    let (source, sink) = (Arc::clone(&seen), Arc::clone(&seen));
    let fill = move |samples: &mut [f32]| {
        samples.fill(0.0);
        source.saw(0.0);
    };
    match SpeakerStream::open(&config.speaker, fill, move |error| sink.lost.store(Some(Arc::new(error)))) {
        Ok(stream) => {
            std::thread::sleep(config.duration);
            let open = stream.opened();
            let format = format!("{} Hz, {} channels, {}", open.rate, open.channels, open.format);
            seen.as_test(open.name.clone(), format, "the loudspeaker is open and takes no sound")
        }
        Err(error) => failed(&error),
    }
}

fn test_relay(holder: &Holder, invitation: &Invitation) -> RelayTest {
    let address = &invitation.content().relay;
    let start = now();
    let result = connect(holder, invitation);
    RelayTest {
        relay: relay_name(address),
        works: result.is_ok(),
        connect_ms: now().duration_since(start).as_secs_f64() * 1e3,
        local: result.as_ref().ok().cloned(),
        problem: result.err(),
    }
}

/// Connects as for a meeting, says nothing and hangs up. Returns the local address.
fn connect(holder: &Holder, invitation: &Invitation) -> Result<String, String> {
    let address = &invitation.content().relay;
    let tls = tls_config(holder, invitation).map_err(|error| error.to_string())?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let link: Result<_, ConnectError> = runtime.block_on(dial(address, tls));
    runtime.shutdown_background();
    link.map(|link| link.local.to_string()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_are_switched_off_are_reported_and_do_not_pass() {
        let config = CheckConfig {
            camera: CameraChoice::Off,
            microphone: MicrophoneChoice::File("no/such/file.wav".into()),
            speaker: SpeakerChoice::Null,
            duration: Duration::from_millis(200),
            ..CheckConfig::default()
        };
        let report = run(&config);
        assert!(!report.works());
        assert!(report.camera.problem.is_some());
        assert!(report.microphone.problem.as_deref().is_some_and(|problem| problem.contains("file.wav")));
        assert!(report.speaker.works, "{:?}", report.speaker);
    }
}
