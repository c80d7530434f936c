//! A screen shared under Wayland: a desktop's portal and a real PipeWire, asked by the real code.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test may stop at once")]

use std::{
    process::Command,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    time::{Duration, Instant},
};

use conclave_capture::{
    Clock, ScreenChoice, ScreenError, ScreenEvent, ScreenKind, ScreenStream, ScreenWish, list_screens,
};
use conclave_interop_tests::desk::{Desk, SIZE, Services, stripe};
use conclave_model::{MediaTime, Picture};

/// Long enough for a busy machine.
const LONG: Duration = Duration::from_secs(20);

fn start() -> (ScreenStream, Receiver<ScreenEvent>) {
    let (send, events) = sync_channel(100);
    let clock: Clock = Arc::new(|| MediaTime(1));
    let stream = ScreenStream::start(&ScreenChoice::Main, ScreenWish::default(), clock, move |event| {
        let _ = send.send(event);
    });
    (stream.unwrap(), events)
}

fn picture(events: &Receiver<ScreenEvent>) -> Picture {
    match events.recv_timeout(LONG).unwrap() {
        ScreenEvent::Picture(picture) => picture,
        other => panic!("{other:?}"),
    }
}

fn luma_at(picture: &Picture, x: u32, y: u32) -> u8 {
    picture.planes()[0][(y * picture.width() + x) as usize]
}

fn is_grey(luma: u8, grey: u8) -> bool {
    luma.abs_diff(16 + (u16::from(grey) * 219 / 255) as u8) <= 2
}

/// What runs in the process that the test below starts, with that desktop in its environment.
#[test]
#[ignore = "runs in the desktop of the other test"]
fn in_the_desktop() {
    let mut desk = Desk::open().unwrap();
    let sources = list_screens().sources;
    assert_eq!((sources.len(), sources[0].kind), (1, ScreenKind::Picker), "one picker only: the system's");

    let (stream, events) = start();
    let opened = events.recv_timeout(LONG).unwrap();
    assert!(matches!(&opened, ScreenEvent::Opened(opened) if (opened.width, opened.height) == SIZE), "{opened:?}");
    let first = picture(&events);
    assert_eq!((first.width(), first.height()), SIZE);
    for (x, y) in [(500, 300), (1279, 719), (100, 100), (101, 3)] {
        assert!(is_grey(luma_at(&first, x, y), stripe(x, y)), "({x}, {y}) is {}", luma_at(&first, x, y));
    }
    let silence = events.recv_timeout(Duration::from_secs(1));
    assert!(matches!(silence, Err(RecvTimeoutError::Timeout)), "nothing moves: {silence:?}");
    desk.paint(200);
    let painted = Instant::now();
    while !is_grey(luma_at(&picture(&events), 50, 50), 200) {
        assert!(painted.elapsed() < LONG, "what was painted is never seen");
    }
    drop(stream);

    let (_stream, events) = start();
    assert!(matches!(events.recv_timeout(LONG).unwrap(), ScreenEvent::Opened(_)));
    picture(&events);
    desk.end_sharing().unwrap();
    let told = events.recv_timeout(LONG).unwrap();
    assert!(matches!(told, ScreenEvent::Lost(ScreenError::Ended)), "{told:?}");

    let (_stream, events) = start();
    assert!(matches!(events.recv_timeout(LONG).unwrap(), ScreenEvent::Opened(_)));
    picture(&events);
    desk.unplug().unwrap();
    let told = events.recv_timeout(LONG).unwrap();
    assert!(matches!(told, ScreenEvent::Lost(ScreenError::Ended | ScreenError::Broken { .. })), "{told:?}");
}

#[test]
fn a_screen_picked_in_the_desktops_portal_is_shown_and_its_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let services = Services::start(folder.path()).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "in_the_desktop", "--nocapture"])
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("DBUS_SESSION_BUS_ADDRESS", services.bus())
        .env("WAYLAND_DISPLAY", "wayland-0")
        .env_remove("DISPLAY")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
