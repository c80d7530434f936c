//! A screen shared from one process and seen in another, by the chair's leave, all with the real programs.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{process::Command, time::Duration};

use conclave_capture::{TestPage, screen::draw_page};
use conclave_interop_tests::{
    recording,
    world::{PASSWORD, World},
};

const ANNA: (&str, &str, &str) = ("Anna Virtanen", "Finland", "FI");
const LUC: (&str, &str, &str) = ("Luc Hoffmann", "Luxembourg", "LU");
const MARIA: (&str, &str, &str) = ("Maria Borg", "Malta", "MT");
const SOURCES: [&str; 4] = ["--camera", "off", "--microphone", "off"];

/// How long the recorder listens, in seconds.
const LISTEN: u64 = 12;

/// Peak signal-to-noise ratio of two luma planes, in dB.
fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / squares.max(1.0)).log10()
}

#[test]
fn a_screen_is_asked_for_granted_seen_sharply_by_another_and_stopped() {
    let world = World::new(&[ANNA, LUC, MARIA], None).unwrap();
    let _relay = world.relay().unwrap();
    let mut chair = world.lead(0, "meeting.conclave", SOURCES).unwrap();
    world.until("join-0", "In the meeting").unwrap();
    let mut luc = world.lead(1, "meeting.conclave", SOURCES).unwrap();
    world.until("join-1", "members: Anna Virtanen, Luc Hoffmann").unwrap();

    // A label above the level is refused in words, and nobody grants but the chair.
    luc.order("share test secret").unwrap();
    world.until("join-1", "Raise its level first").unwrap();
    luc.order("share test").unwrap();
    world.until("join-1", "own screen: asked for").unwrap();
    world.until("join-0", "asking to share: Luc Hoffmann").unwrap();
    luc.order("grant Luc Hoffmann").unwrap();
    world.until("join-1", "Only the chair can do this.").unwrap();
    assert!(!world.log("join-0").contains("sharing: Luc"), "{}", world.log("join-0"));
    chair.order("grant Luc Hoffmann").unwrap();
    world.until("join-0", "sharing: Luc Hoffmann (restricted)").unwrap();
    world.until("join-1", "own screen: shared").unwrap();

    // Somebody who comes later sees it, sharp.
    let output = world.path("recording");
    std::fs::create_dir(&output).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_conclave-recorder"));
    command.arg(world.path("meeting.conclave")).arg("--credential").arg(world.credential(2));
    command.args(["--password", PASSWORD, "--from", LUC.0, "--screen", "--seconds", &LISTEN.to_string(), "--output"]);
    let mut recorder = world
        .start(
            {
                command.arg(&output);
                command
            },
            "recorder",
        )
        .unwrap();
    assert!(recorder.wait(Duration::from_secs(LISTEN + 30)).unwrap(), "{}", world.log("recorder"));
    let frames = recording::read_frames(&output).unwrap();
    let last = frames.last().expect("a picture of the screen");
    let (width, height) = (u32::try_from(last.width).unwrap(), u32::try_from(last.height).unwrap());
    let page = draw_page(TestPage::Text, width, height).unwrap();
    let [luma, ..] = page.planes();
    let found = psnr(luma, &last.luma);
    assert!(found > 30.0, "{found:.1} dB at {width}x{height} after {} pictures", frames.len());

    let said = [world.said("join-0"), world.said("join-1")];
    chair.order("stop sharing").unwrap();
    world.until_after("join-0", said[0], "sharing: nobody").unwrap();
    world.until_after("join-1", said[1], "Your sharing was ended by the chair.").unwrap();
    world.until_after("join-1", said[1], "own screen: idle").unwrap();
    assert!(!world.log("join-0").contains("without the chair's leave"), "{}", world.log("join-0"));
}
