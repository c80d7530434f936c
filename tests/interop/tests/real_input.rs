//! A real picture and a real voice, through a relay, out of another process.
//!
//! The clips are made up and small, because builds for tests are slow. With real ones, in a build that is not:
//!
//! ```sh
//! ffmpeg -i FILM -an -pix_fmt yuv420p clip/clip.y4m
//! ffmpeg -i FILM -vn -ac 1 -ar 48000 clip/voice.wav
//! CONCLAVE_CLIP=$PWD/clip cargo test --release --package conclave-interop-tests --test real_input -- --nocapture
//! ```

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{process::Command, thread, time::Duration};

use conclave_interop_tests::{
    clip,
    compare::{self, PictureMatch, SoundMatch},
    recording::{self, Sound},
    world::{PASSWORD, World},
};

const PEOPLE: [(&str, &str, &str); 3] =
    [("Anna Virtanen", "Finland", "FI"), ("Luc Hoffmann", "Luxembourg", "LU"), ("Maria Borg", "Malta", "MT")];

/// How long the clip is and the recorder listens, in seconds.
const CLIP: u32 = 8;
const LISTEN: u64 = 14;

/// What came out at the recorder.
struct Heard {
    picture: PictureMatch,
    sound: SoundMatch,
    frames: usize,
    concealed: f64,
    longest_gap: f64,
}

/// A relay and three clients as processes: one sends the clip, one a test source, one records the first.
fn record(recorder_options: &[&str]) -> Heard {
    let world = World::new(&PEOPLE, None).unwrap();
    let (video, voice) = (world.path("clip.y4m"), world.path("voice.wav"));
    match std::env::var_os("CONCLAVE_CLIP") {
        // A folder with a real clip.y4m and voice.wav (48 kHz mono).
        Some(folder) => {
            let folder = std::path::PathBuf::from(folder);
            std::fs::copy(folder.join("clip.y4m"), &video).unwrap();
            std::fs::copy(folder.join("voice.wav"), &voice).unwrap();
        }
        None => {
            clip::write_y4m(&video, CLIP).unwrap();
            clip::write_wav(&voice, CLIP).unwrap();
        }
    }
    let source = clip::read_y4m(&video).unwrap();
    let _relay = world.relay().unwrap();
    let file = |path: &std::path::Path| format!("file:{}", path.display());
    let (camera, microphone, height) = (file(&video), file(&voice), source.height.to_string());
    let mut sender = world
        .join(0, "meeting.conclave", ["--camera", &camera, "--microphone", &microphone, "--height", &height])
        .unwrap();
    let mut third =
        world.join(1, "meeting.conclave", ["--camera", "test", "--microphone", "off", "--height", "90"]).unwrap();
    thread::sleep(Duration::from_secs(2));

    let output = world.path("recording");
    std::fs::create_dir(&output).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_conclave-recorder"));
    command.arg(world.path("meeting.conclave")).arg("--credential").arg(world.credential(2));
    command.args(["--password", PASSWORD, "--from", PEOPLE[0].0, "--seconds", &LISTEN.to_string(), "--output"]);
    command.arg(&output).args(["--height", &height]).args(recorder_options);
    let mut recorder = world.start(command, "recorder").unwrap();
    let logs = || format!("{}\n{}\n{}", world.log("recorder"), world.log("join-0"), world.log("relay"));
    assert!(recorder.wait(Duration::from_secs(LISTEN + 30)).unwrap(), "{}", logs());
    assert!(sender.is_running() && third.is_running(), "a client ended by itself: {}", logs());

    let phase = std::fs::read_to_string(output.join("phase.txt")).unwrap();
    assert!(phase.contains("Joined"), "the recorder is no longer in the meeting: {phase}");
    // The first second is the bandwidth estimate's and the encoder's to find their feet.
    let mut frames = recording::read_frames(&output).unwrap();
    let begin = frames.first().map_or(0, |frame| frame.time) + 2_000_000;
    frames.retain(|frame| frame.time >= begin);
    let mut sound = recording::read_sound(&output).unwrap();
    sound.retain(|piece| piece.time >= begin);
    assert!(!frames.is_empty() && !sound.is_empty(), "nothing arrived: {}", logs());
    let sizes: std::collections::BTreeSet<_> = frames.iter().map(|frame| (frame.width, frame.height)).collect();
    let picture = compare::match_pictures(&source, &frames)
        .unwrap_or_else(|| panic!("pictures of {sizes:?}, not {}x{}", source.width, source.height));
    let total: usize = sound.iter().map(|piece| piece.samples.len()).sum();
    let made_up: usize = sound.iter().filter(|piece| piece.concealed).map(|piece| piece.samples.len()).sum();
    let gaps = frames.windows(2).map(|pair| pair[1].time.saturating_sub(pair[0].time) as f64 / 1000.0);
    let longest_gap = gaps.fold(0.0, f64::max);
    let heard: Vec<Sound> = sound.into_iter().filter(|piece| !piece.concealed).collect();
    let matched = compare::match_sound(&clip::read_wav(&voice).unwrap(), &heard).unwrap();
    let result =
        Heard { picture, sound: matched, frames: frames.len(), concealed: made_up as f64 / total as f64, longest_gap };
    eprintln!(
        "{} frames of {sizes:?}, median {:.1} dB, {} out of step, longest gap {:.0} ms; sound: correlation {:.3}, drift {:.1} ms, {:.1} % made up",
        result.frames,
        result.picture.median_psnr(),
        result.picture.out_of_step,
        result.longest_gap,
        result.sound.median(),
        result.sound.drift_ms,
        result.concealed * 100.0,
    );
    result
}

#[test]
fn picture_and_sound_arrive_as_they_were_sent() {
    let heard = record(&[]);
    assert!(heard.frames >= 100, "{} frames in {LISTEN} s", heard.frames);
    assert!(heard.picture.median_psnr() >= 33.0, "{:.1} dB", heard.picture.median_psnr());
    assert!(heard.picture.out_of_step * 20 <= heard.frames, "{} out of step", heard.picture.out_of_step);
    assert!(heard.sound.median() >= 0.9, "{:?}", heard.sound);
    assert!(heard.sound.drift_ms <= 20.0, "{:?}", heard.sound);
}

#[test]
fn with_a_tenth_of_the_datagrams_lost_sound_goes_on_and_the_picture_recovers() {
    let heard = record(&["--loss", "0.1", "--delay", "25"]);
    assert!(heard.frames >= 60, "{} frames in {LISTEN} s", heard.frames);
    assert!(heard.picture.median_psnr() >= 30.0, "{:.1} dB", heard.picture.median_psnr());
    assert!(heard.longest_gap <= 2_500.0, "no picture for {:.0} ms", heard.longest_gap);
    assert!(heard.sound.median() >= 0.9, "{:?}", heard.sound);
    assert!(heard.concealed <= 0.25, "{:.0} % of the sound is made up", heard.concealed * 100.0);
}
