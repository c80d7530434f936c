//! The real window at a display of its own, with somebody who looks at it and types.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop at once")]

use std::time::{Duration, Instant};

use conclave_capture::{TestPage, screen::DrawnPage};
use conclave_codec::quality::ssim;
use conclave_interop_tests::{
    display::Display,
    hands::key,
    world::{PASSWORD, World},
};
use conclave_model::{MediaTime, Picture};

const PEOPLE: [(&str, &str, &str); 2] = [("Anna Virtanen", "Finland", "FI"), ("Luc Hoffmann", "Luxembourg", "LU")];
const SOURCES: [&str; 4] = ["--camera", "test", "--microphone", "test"];
const PIN: &str = "4711-card";
const BOTH: &str = "members: Anna Virtanen, Luc Hoffmann\n";

/// How soon whoever takes the card out is out of the meeting.
const OUT: Duration = Duration::from_secs(3);

/// Brightness of the banner of RESTRICTED, of the ground of all screens, and of what lies on it (`theme::colour`).
const BANNER: u8 = 77;
const CANVAS: u8 = 15;
const CARD: u8 = 24;
/// Brightness of the ground of a shared screen.
const TILE: u8 = 30;

fn luma_at(picture: &Picture, x: u32, y: u32) -> u8 {
    picture.planes()[0][(y * picture.width() + x) as usize]
}

fn is(found: u8, wanted: u8) -> bool {
    found.abs_diff(wanted) <= 2
}

/// The screen for password or PIN: a card that begins at 14 % of the height.
fn asks(display: &Display) {
    let what = |seen: &Picture| is(luma_at(seen, 100, 300), CANVAS) && is(luma_at(seen, 640, 115), CARD);
    display.until_shown("the question for password or PIN", what).unwrap();
}

/// Unlocks and enters, all by the keyboard.
fn enter(display: &Display, secret: &str) {
    asks(display);
    display.type_text(secret).unwrap();
    display.press(key::RETURN).unwrap();
    display.until_shown("the level", |seen| is(luma_at(seen, 100, 14), BANNER)).unwrap();
    // Camera, microphone, loudspeaker, test tone, and the way in.
    (0..5).for_each(|_| display.press_and_see(key::TAB, (800, 180), (1270, 620)).unwrap());
    display.press(key::RETURN).unwrap();
}

#[test]
fn a_card_that_is_taken_out_ends_the_meeting_in_the_window_and_brings_back_into_it() {
    let mut world = World::by_openssl(&PEOPLE).unwrap();
    let card = world.card(1, ("Luxembourg", "LU"), PIN).unwrap();
    world.invite("card.conclave", world.port, "now", "+2h").unwrap();
    let _relay = world.relay().unwrap();
    let _anna = world.lead(0, "card.conclave", SOURCES).unwrap();
    world.until("join-0", "In the meeting").unwrap();
    let display = Display::start(1280, 720).unwrap();
    let luc = world.client(1).by(&card.uri, "pin").with(SOURCES).at_display(display.name());
    let mut luc = luc.open("card.conclave").unwrap();
    display.focus_window().unwrap();
    enter(&display, PIN);
    world.until("join-0", BOTH).unwrap();
    // The picture of the other is there.
    display.until_shown("a face", |seen| luma_at(seen, 320, 300) > 50).unwrap();

    let said = world.said("join-0");
    card.take_out().unwrap();
    let begun = Instant::now();
    world.until_after("join-0", said, "members: Anna Virtanen\n").unwrap();
    let out = begun.elapsed();
    display.until_shown("why it ended", |seen| is(luma_at(seen, 100, 14), CANVAS)).unwrap();
    println!("others see it after {out:?}, the window says so after {:?}", begun.elapsed());
    assert!(begun.elapsed() <= OUT, "out after {out:?}, seen after {:?}", begun.elapsed());

    // Back without the card: in vain, and no harm.
    display.press_and_see(key::TAB, (300, 100), (1000, 600)).unwrap();
    display.press(key::RETURN).unwrap();
    asks(&display);
    display.type_text(PIN).unwrap();
    display.press(key::RETURN).unwrap();
    // The words below the field make the card longer.
    display.until_shown("that there is no card", |seen| is(luma_at(seen, 640, 500), CARD)).unwrap();

    let said = world.said("join-0");
    card.put_in().unwrap();
    enter(&display, PIN);
    world.until_after("join-0", said, BOTH).unwrap();
    assert!(luc.is_running());
}

#[test]
fn a_shared_window_is_seen_large_in_full_strength_and_pixel_by_pixel() {
    const SIZE: (u16, u16) = (800, 600);
    let world = World::new(&PEOPLE, None).unwrap();
    let _relay = world.relay().unwrap();
    let desk = Display::start(1280, 720).unwrap();
    let window = desk.window("Draft conclusions", (100, 50), SIZE).unwrap();
    let page = DrawnPage::new(TestPage::Text, SIZE.0.into(), SIZE.1.into()).unwrap();
    let page = page.draw(0, MediaTime(0)).unwrap();
    desk.draw(window, page.planes()[0], SIZE.0).unwrap();
    let quiet = ["--camera", "off", "--microphone", "off"];
    let mut anna = world.client(0).led().with(quiet).at_display(desk.name()).start("meeting.conclave").unwrap();
    world.until("join-0", "In the meeting").unwrap();

    let display = Display::start(1280, 720).unwrap();
    let _luc = world.client(1).with(quiet).at_display(display.name()).open("meeting.conclave").unwrap();
    display.focus_window().unwrap();
    enter(&display, PASSWORD);
    world.until("join-0", BOTH).unwrap();
    anna.order(&format!("share window:{window:#x}")).unwrap();
    world.until("join-0", "own screen: shared").unwrap();
    let white = |seen: &Picture| seen.planes()[0].iter().filter(|luma| **luma > 250).count();
    let large = |seen: &Picture| white(seen) > 640 * 480 * 6 / 10;
    display.until_shown("white paper, larger than half the window", large).unwrap();

    display.press('f'.into()).unwrap();
    let mut best = 0.0_f64;
    let sharp = |seen: &Picture| {
        best = best.max(cut_out(seen, SIZE.0.into()).map_or(0.0, |found| likeness(&page, &found)));
        best > 0.98
    };
    let seen = display.until_shown("every pixel", sharp);
    println!("SSIM in the window: {best:.4}");
    seen.unwrap();
}

/// The shared part, `width` pixels wide between the ground at its left and right; `None` where it is not there.
fn cut_out(seen: &Picture, width: u32) -> Option<Picture> {
    let ground = |x, y| is(luma_at(seen, x, y), TILE);
    let (middle, stage) = (seen.height() / 2, 20..seen.width());
    let left = stage.clone().find(|x| ground(x - 1, middle) && !ground(*x, middle))?;
    let top = (0..middle).rev().find(|y| luma_at(seen, left + 4, *y) < 200)? + 1;
    let bottom = (middle..seen.height()).find(|y| luma_at(seen, left + 4, *y) < 200)?;
    if left + width > seen.width() || !ground(left + width, middle) {
        return None;
    }
    let mut found = Picture::black(width, (bottom - top) & !1, MediaTime(0)).ok()?;
    let rows = (top..).map(|y| (y * seen.width() + left) as usize);
    for (row, from) in found.planes_mut()[0].chunks_exact_mut(width as usize).zip(rows) {
        let shown = seen.planes()[0][from..from + width as usize].iter();
        row.iter_mut().zip(shown).for_each(|(luma, shown)| *luma = 16 + (u16::from(*shown) * 219 / 255) as u8);
    }
    Some(found)
}

/// How alike the upper part of a page is to what is seen of it.
fn likeness(page: &Picture, found: &Picture) -> f64 {
    let mut part = Picture::black(found.width(), found.height(), MediaTime(0)).unwrap();
    let length = part.planes()[0].len();
    part.planes_mut()[0].copy_from_slice(&page.planes()[0][..length]);
    ssim(&part, found).unwrap()
}
