//! Screens and windows of a real X11 display, shared by the real code and compared with what was drawn.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    reason = "a test may stop at once, and says what it measured"
)]

use std::{
    process::Command,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    time::{Duration, Instant},
};

use conclave_capture::{
    Clock, ScreenChoice, ScreenError, ScreenEvent, ScreenKind, ScreenPause, ScreenStream, ScreenWish, TestPage,
    screen::{DrawnPage, draw_page, list_screens_at},
};
use conclave_codec::quality::{psnr, ssim};
use conclave_interop_tests::{
    display::Display,
    recording::{self, Frame},
    world::{PASSWORD, World},
};
use conclave_model::{MediaTime, Picture};
use x11rb::protocol::{
    randr::{self, MonitorInfo},
    xproto::{ConfigureWindowAux, ConnectionExt as _, ScreenSaver},
};

/// Long enough for a busy machine.
const LONG: Duration = Duration::from_secs(20);
/// Shorter than the stream waits before it looks at everything: what comes within it was told by the display.
const PROMPT: Duration = Duration::from_millis(1500);

/// A stream and what it tells.
struct Shared {
    _stream: ScreenStream,
    events: Receiver<ScreenEvent>,
}

impl Shared {
    fn start(display: &Display, choice: &str) -> Self {
        let (send, events) = sync_channel(100);
        let clock: Clock = Arc::new(|| MediaTime(1));
        let choice: ScreenChoice = choice.parse().unwrap();
        let stream =
            ScreenStream::start_at(Some(display.name()), &choice, ScreenWish::default(), clock, move |event| {
                let _ = send.send(event);
            });
        Self { _stream: stream.unwrap(), events }
    }

    /// Starts, and takes the opening and the first picture.
    fn opened(display: &Display, choice: &str) -> (Self, Picture) {
        let shared = Self::start(display, choice);
        let first = shared.events.recv_timeout(LONG).unwrap();
        assert!(matches!(first, ScreenEvent::Opened(_)), "{first:?}");
        let picture = shared.picture(LONG);
        (shared, picture)
    }

    fn picture(&self, patience: Duration) -> Picture {
        match self.events.recv_timeout(patience).unwrap() {
            ScreenEvent::Picture(picture) => picture,
            other => panic!("{other:?}"),
        }
    }

    /// The picture that fulfils a condition, with how long it took to come.
    fn until(&self, patience: Duration, mut is_it: impl FnMut(&Picture) -> bool) -> (Picture, Duration) {
        let began = Instant::now();
        loop {
            let picture = self.picture(patience.saturating_sub(began.elapsed()));
            if is_it(&picture) {
                return (picture, began.elapsed());
            }
        }
    }

    /// What is told next that is no picture. A still screen gives a picture at times too, so that these are no end of it.
    fn told(&self) -> ScreenEvent {
        let began = Instant::now();
        loop {
            match self.events.recv_timeout(LONG.saturating_sub(began.elapsed())).unwrap() {
                ScreenEvent::Picture(_) => {}
                other => return other,
            }
        }
    }
}

fn id(window: u32) -> String {
    format!("window:{window:#x}")
}

fn luma_at(picture: &Picture, x: u32, y: u32) -> u8 {
    picture.planes()[0][(y * picture.width() + x) as usize]
}

/// Moves the pointer out of the way.
fn park_pointer(display: &Display) {
    let connection = display.connection();
    connection.warp_pointer(x11rb::NONE, display.root(), 0, 0, 0, 0, 0, 0).unwrap().check().unwrap();
}

#[test]
fn a_shared_screen_shows_what_is_drawn_on_it() {
    let display = Display::start(1280, 720).unwrap();
    let page = draw_page(TestPage::Text, 1240, 680).unwrap();
    let window = display.window("Draft conclusions", (40, 40), (1240, 680)).unwrap();
    display.draw(window, page.planes()[0], 1240).unwrap();
    park_pointer(&display);
    let sources = list_screens_at(Some(display.name())).sources;
    assert_eq!(sources[0].kind, ScreenKind::Screen);
    assert_eq!((sources[0].width, sources[0].height), (1280, 720));
    let (_shared, picture) = Shared::opened(&display, &sources[0].choice.to_string());
    assert_eq!((picture.width(), picture.height()), (1280, 720));
    let rows = picture.planes()[0].chunks_exact(1280).skip(40);
    let mut found = Picture::black(1240, 680, MediaTime(0)).unwrap();
    for (row, source) in found.planes_mut()[0].chunks_exact_mut(1240).zip(rows) {
        row.copy_from_slice(&source[40..]);
    }
    let (psnr, ssim) = (psnr(&page, &found).unwrap(), ssim(&page, &found).unwrap());
    println!("screen: PSNR {psnr:.1} dB, SSIM {ssim:.4}");
    assert!(psnr > 45.0 && ssim > 0.99, "PSNR {psnr:.1} dB, SSIM {ssim:.4}");
}

#[test]
fn changes_come_promptly_and_a_still_screen_gives_nothing() {
    let display = Display::start(1280, 720).unwrap();
    let window = display.window("Page", (100, 100), (800, 500)).unwrap();
    park_pointer(&display);
    let (shared, _) = Shared::opened(&display, "main");
    let mut delays: Vec<Duration> = Vec::new();
    for number in 0..10_u8 {
        while shared.events.recv_timeout(Duration::from_millis(200)).is_ok() {}
        let grey = 100 + u32::from(number) * 10;
        display.fill(window, (10, 10), (50, 50), grey * 0x01_01_01).unwrap();
        let wanted = 16 + (grey * 219 / 255) as u8;
        let (_, delay) = shared.until(PROMPT, |picture| luma_at(picture, 120, 120).abs_diff(wanted) <= 2);
        delays.push(delay);
    }
    delays.sort();
    println!("change seen after {} ms (median), {} ms (worst)", delays[5].as_millis(), delays[9].as_millis());
    let silence = shared.events.recv_timeout(Duration::from_secs(3));
    assert!(matches!(silence, Err(RecvTimeoutError::Timeout)), "{silence:?}");
}

#[test]
fn one_of_several_windows_is_shared_even_where_another_covers_it() {
    let display = Display::start(1280, 720).unwrap();
    let page = draw_page(TestPage::Text, 600, 400).unwrap();
    let ours = display.window("Ours", (100, 100), (600, 400)).unwrap();
    display.draw(ours, page.planes()[0], 600).unwrap();
    let theirs = display.window("Theirs", (200, 150), (900, 500)).unwrap();
    display.fill(theirs, (0, 0), (900, 500), 0x20_40_60).unwrap();
    park_pointer(&display);
    let windows = list_screens_at(Some(display.name())).sources;
    let names = windows.iter().filter(|source| source.kind == ScreenKind::Window).map(|source| &source.name);
    assert_eq!(names.collect::<Vec<_>>(), ["Ours", "Theirs"]);
    let (shared, _) = Shared::opened(&display, &id(ours));
    // What was covered before the display kept it apart has to be drawn again, as programs are told to.
    display.draw(ours, page.planes()[0], 600).unwrap();
    let (picture, _) = shared.until(LONG, |picture| psnr(&page, picture).is_some_and(|psnr| psnr > 45.0));
    assert_eq!((picture.width(), picture.height()), (600, 400));
    display.fill(theirs, (0, 0), (900, 500), 0xff_ff_ff).unwrap();
    let silence = shared.events.recv_timeout(Duration::from_secs(1));
    assert!(matches!(silence, Err(RecvTimeoutError::Timeout)), "another window's change: {silence:?}");
}

#[test]
fn a_window_is_followed_when_it_grows_hides_comes_back_and_closes() {
    let display = Display::start(1280, 720).unwrap();
    let window = display.window("Page", (10, 10), (300, 200)).unwrap();
    display.fill(window, (0, 0), (300, 200), 0x80_80_80).unwrap();
    let connection = display.connection();
    let (shared, picture) = Shared::opened(&display, &id(window));
    assert_eq!((picture.width(), picture.height()), (300, 200));
    connection.configure_window(window, &ConfigureWindowAux::new().width(501).height(301)).unwrap().check().unwrap();
    shared.until(PROMPT, |picture| (picture.width(), picture.height()) == (500, 300));
    connection.unmap_window(window).unwrap().check().unwrap();
    assert!(matches!(shared.told(), ScreenEvent::Paused(ScreenPause::Minimised)));
    connection.map_window(window).unwrap().check().unwrap();
    assert!(matches!(shared.told(), ScreenEvent::Resumed));
    shared.picture(LONG);
    connection.destroy_window(window).unwrap().check().unwrap();
    assert!(matches!(shared.told(), ScreenEvent::Lost(ScreenError::WindowClosed)));
    assert!(matches!(shared.events.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected)), "the stream is over");
}

#[test]
fn the_pointer_is_in_the_picture_where_it_stands() {
    let display = Display::start(640, 360).unwrap();
    let window = display.window("Page", (0, 0), (640, 360)).unwrap();
    display.fill(window, (0, 0), (640, 360), 0x80_80_80).unwrap();
    let connection = display.connection();
    let differs = |picture: &Picture, x: u32| {
        let around = (x.saturating_sub(12)..x + 12).flat_map(|x| (88..112).map(move |y| (x, y)));
        around.filter(|(x, y)| luma_at(picture, *x, *y).abs_diff(126) > 20).count()
    };
    connection.warp_pointer(x11rb::NONE, display.root(), 0, 0, 0, 0, 100, 100).unwrap().check().unwrap();
    let (shared, _) = Shared::opened(&display, "main");
    for x in [400_u32, 200] {
        connection.warp_pointer(x11rb::NONE, display.root(), 0, 0, 0, 0, x as i16, 100).unwrap().check().unwrap();
        let (picture, _) = shared.until(PROMPT, |picture| differs(picture, x) > 5);
        assert_eq!(differs(&picture, 600 - x), 0, "it left no trace where it was");
    }
}

#[test]
fn a_locked_screen_is_not_shown_and_an_unplugged_one_is_told() {
    let display = Display::start(640, 360).unwrap();
    let connection = display.connection();
    let name = connection.intern_atom(false, b"LEFT").unwrap().reply().unwrap().atom;
    let left = MonitorInfo { name, width: 320, height: 360, ..MonitorInfo::default() };
    randr::set_monitor(connection, display.root(), left).unwrap().check().unwrap();
    let (shared, picture) = Shared::opened(&display, "screen:LEFT");
    assert_eq!((picture.width(), picture.height()), (320, 360));
    connection.force_screen_saver(ScreenSaver::ACTIVE).unwrap().check().unwrap();
    assert!(matches!(shared.told(), ScreenEvent::Paused(ScreenPause::Locked)));
    display.fill(display.root(), (0, 0), (100, 100), 0xff_ff_ff).unwrap();
    let silence = shared.events.recv_timeout(Duration::from_millis(500));
    assert!(matches!(silence, Err(RecvTimeoutError::Timeout)), "{silence:?}");
    connection.force_screen_saver(ScreenSaver::RESET).unwrap().check().unwrap();
    assert!(matches!(shared.told(), ScreenEvent::Resumed));
    randr::delete_monitor(connection, display.root(), name).unwrap().check().unwrap();
    assert!(matches!(shared.told(), ScreenEvent::Lost(ScreenError::Unplugged)));
}

#[test]
fn what_cannot_be_shared_is_told_in_words() {
    let display = Display::start(640, 360).unwrap();
    let lost = |choice: &str| match Shared::start(&display, choice).told() {
        ScreenEvent::Lost(error) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(lost("window:0x123"), ScreenError::UnknownWindow);
    assert_eq!(lost("window:soon"), ScreenError::UnknownWindow);
    assert_eq!(lost("screen:HDMI-9"), ScreenError::UnknownScreen { id: "HDMI-9".into() });
    let shared = Shared::opened(&display, "main").0;
    drop(display);
    let told = shared.told();
    assert!(matches!(told, ScreenEvent::Lost(ScreenError::Broken { .. })), "{told:?}");
}

#[test]
fn a_window_shared_in_a_meeting_is_seen_sharply_by_another_and_so_is_its_next_page() {
    const SIZE: (u16, u16) = (800, 600);
    const SOURCES: [&str; 4] = ["--camera", "off", "--microphone", "off"];
    const LISTEN: u64 = 16;
    let people =
        [("Anna Virtanen", "Finland", "FI"), ("Luc Hoffmann", "Luxembourg", "LU"), ("Maria Borg", "Malta", "MT")];
    let display = Display::start(1280, 720).unwrap();
    let window = display.window("Draft conclusions", (100, 50), SIZE).unwrap();
    let pages = DrawnPage::new(TestPage::Slides, SIZE.0.into(), SIZE.1.into()).unwrap();
    let [first, second] = [0, 75].map(|number| pages.draw(number, MediaTime(0)).unwrap());
    display.draw(window, first.planes()[0], SIZE.0).unwrap();
    park_pointer(&display);

    let world = World::new(&people, None).unwrap();
    let _relay = world.relay().unwrap();
    let mut chair = world.client(0).led().with(SOURCES).start("meeting.conclave").unwrap();
    world.until("join-0", "In the meeting").unwrap();
    let luc = world.client(1).led().with(SOURCES).at_display(display.name());
    let mut luc = luc.start("meeting.conclave").unwrap();
    world.until("join-1", "members: Anna Virtanen, Luc Hoffmann").unwrap();
    luc.order(&format!("share {}", id(window))).unwrap();
    world.until("join-0", "asking to share: Luc Hoffmann").unwrap();
    chair.order("grant Luc Hoffmann").unwrap();
    world.until("join-1", "own screen: shared").unwrap();

    let output = world.path("recording");
    std::fs::create_dir(&output).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_conclave-recorder"));
    command.arg(world.path("meeting.conclave")).arg("--credential").arg(world.credential(2));
    command.args(["--password", PASSWORD, "--from", people[1].0, "--screen", "--seconds", &LISTEN.to_string()]);
    command.arg("--output").arg(&output);
    let mut recorder = world.start(command, "recorder").unwrap();
    world.until("join-1", "Maria Borg").unwrap();
    // The first page is seen for a while.
    assert!(!recorder.wait(Duration::from_secs(LISTEN / 2)).unwrap_or(false), "{}", world.log("recorder"));
    display.draw(window, second.planes()[0], SIZE.0).unwrap();
    assert!(recorder.wait(Duration::from_secs(LISTEN + 30)).unwrap(), "{}", world.log("recorder"));

    let frames = recording::read_frames(&output).unwrap();
    let likeness = |page: &Picture, frame: &Frame| {
        let mut found = Picture::black(SIZE.0.into(), SIZE.1.into(), MediaTime(0)).unwrap();
        assert_eq!((frame.width, frame.height), (SIZE.0.into(), SIZE.1.into()));
        found.planes_mut()[0].copy_from_slice(&frame.luma);
        ssim(page, &found).unwrap()
    };
    let best = frames.iter().map(|frame| likeness(&first, frame)).fold(0.0, f64::max);
    let last = likeness(&second, frames.last().expect("a picture of the window"));
    println!("in a meeting: SSIM {best:.4} and, of the next page, {last:.4}; {} pictures", frames.len());
    assert!(best > 0.98 && last > 0.98, "{best:.4}, {last:.4} after {} pictures", frames.len());
}
