//! A tone through a sound service: what the loudspeaker plays, the microphone hears from the service's monitor.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout)]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use conclave_capture::{
    Clock, Level, MicrophoneChoice, MicrophoneEvent, MicrophoneStream, SpeakerChoice, SpeakerStream, Tone, devices,
};
use conclave_model::MediaTime;

/// Set in the process that uses the service, since only its environment leads there.
const INSIDE: &str = "CONCLAVE_CAPTURE_INSIDE";

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts PulseAudio with one silent sink that lives in `folder`; `None` where it or ALSA's way to it is not installed.
fn start(folder: &Path) -> Option<Service> {
    let plugin = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
        .iter()
        .any(|lib| Path::new(lib).join("alsa-lib/libasound_module_pcm_pulse.so").exists());
    if !plugin {
        return None;
    }
    let service = Command::new("pulseaudio")
        .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "-L", "module-native-protocol-unix auth-anonymous=1"])
        .args(["-L", "module-null-sink sink_name=room rate=44100"])
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let service = Service(service);
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        if folder.join("pulse/native").exists() {
            thread::sleep(Duration::from_millis(500));
            return Some(service);
        }
        thread::sleep(Duration::from_millis(50));
    }
    None
}

#[test]
fn a_tone_that_is_played_is_heard_back_through_the_sound_service() {
    if std::env::var_os(INSIDE).is_some() {
        return play_and_listen();
    }
    let folder = tempfile::tempdir().expect("a folder");
    let Some(_service) = start(folder.path()) else {
        println!("skipped: PulseAudio or ALSA's plug-in for it is not installed");
        return;
    };
    let inside = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_tone_that_is_played_is_heard_back_through_the_sound_service", "--nocapture"])
        .env(INSIDE, "1")
        .env("HOME", folder.path())
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("PULSE_SERVER", format!("unix:{}", folder.path().join("pulse/native").display()))
        .env("PULSE_SOURCE", "room.monitor")
        .output()
        .expect("this test");
    assert!(inside.status.success(), "{}", String::from_utf8_lossy(&inside.stdout));
}

fn play_and_listen() {
    let list = devices();
    println!("{list:?}");
    assert!(!list.microphones.is_empty() && !list.speakers.is_empty());
    let mut tone = Tone::new(440.0, 0.5, Duration::from_secs(20));
    let speaker =
        SpeakerStream::open(&SpeakerChoice::Default, move |piece| tone.fill(piece), |error| panic!("{error}"))
            .expect("a loudspeaker");
    let heard = Arc::new(Mutex::new((Vec::<f32>::new(), Vec::<MediaTime>::new())));
    let (began, shared) = (Instant::now(), heard.clone());
    let clock: Clock = Arc::new(move || MediaTime(5_000_000) + began.elapsed());
    let microphone = MicrophoneStream::open(&MicrophoneChoice::Default, clock, move |event| match event {
        MicrophoneEvent::Samples { time, samples } => {
            let mut heard = shared.lock().unwrap_or_else(PoisonError::into_inner);
            heard.0.extend_from_slice(samples);
            heard.1.push(time);
        }
        MicrophoneEvent::Lost(error) => panic!("{error}"),
    })
    .expect("a microphone");
    println!("{:?} {:?}", speaker.opened(), microphone.opened());
    thread::sleep(Duration::from_secs(5));
    drop((speaker, microphone));
    let (samples, times) = &*heard.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(samples.len() > 3 * 48_000, "{} samples in 5 s", samples.len());
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "times go forward");
    // The best of several half seconds: a busy machine may drop a piece.
    let best = samples
        .chunks_exact(24_000)
        .map(|half| {
            let rising = half.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
            println!("{:?} {rising}", Level::of(half));
            (rising.abs_diff(220) as f32) + (Level::of(half).rms + 9.03).abs()
        })
        .fold(f32::MAX, f32::min);
    assert!(best < 1.5, "no half second holds 440 Hz at half scale");
}
