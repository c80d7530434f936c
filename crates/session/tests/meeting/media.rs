//! Frames under loss and changes of keys.

use std::time::Duration;

use conclave_model::TrackKind;
use conclave_session::Event;

use crate::world::World;

#[test]
fn pictures_recover_from_loss_and_come_in_decodable_order() {
    // Which datagrams are lost decides much: a key frame asked for in vain costs a second. Hence several patterns.
    let received: Vec<usize> = (1..=6).flat_map(pictures_under_loss).collect();
    let mean = received.iter().sum::<usize>() / received.len();
    assert!(mean >= 90, "{mean} of 125 pictures on average: {received:?}");
    assert!(received.iter().all(|pictures| *pictures >= 25), "{received:?}");
}

/// How many of 125 pictures each of three receives of each other when a tenth of the datagrams is lost on each hop.
fn pictures_under_loss(pattern: u32) -> Vec<usize> {
    let mut world = World::assembled(3);
    world.loss = 100;
    world.noise = pattern;
    world.forget_frames();
    world.run(Duration::from_secs(5));
    let mut received = Vec::new();
    for to in 0..3 {
        for from in (0..3).filter(|from| *from != to) {
            let leaf = world.leaf(from);
            let frames = world.seats[to].frames.iter();
            let pictures: Vec<_> =
                frames.filter(|frame| frame.from == leaf && frame.track == TrackKind::Camera).collect();
            for pair in pictures.windows(2) {
                // Between the two may be frames that only prove.
                let follows = pair[1].number.wrapping_sub(u32::from(pair[1].frame.back)) == pair[0].number;
                assert!(follows || pair[1].frame.key, "{} after {}", pair[1].number, pair[0].number);
            }
            let sound = world.received(to, from, TrackKind::Microphone);
            assert!(sound >= 225, "{to} got {sound} of 250 frames of sound from {from}, pattern {pattern}");
            received.push(pictures.len());
        }
    }
    received
}

#[test]
fn sound_has_no_gap_when_somebody_joins_or_leaves() {
    let mut world = World::assembled(3);
    world.vanish(2);
    world.run(Duration::from_secs(1));
    world.forget_frames();
    let leaf = world.leaf(0);
    world.join(2);
    world.run(Duration::from_secs(1));
    world.vanish(2);
    world.run(Duration::from_secs(1));
    let heard: Vec<u32> = world.seats[1]
        .frames
        .iter()
        .filter(|frame| frame.from == leaf && frame.track == TrackKind::Microphone)
        .map(|frame| frame.number)
        .collect();
    assert!(heard.len() >= 98);
    assert!(heard.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap in {heard:?}");
}

#[test]
fn a_newcomer_sees_within_half_a_second_of_admission() {
    let mut world = World::assembled(2);
    world.vanish(1);
    world.run(Duration::from_secs(1));
    world.join(1);
    world.run(Duration::from_millis(700));
    let seen = world.seats[1].frames.iter().find(|frame| frame.track == TrackKind::Camera).unwrap();
    assert!(seen.frame.key);
    let joined = world.now - Duration::from_millis(700);
    let waited = seen.opened - joined;
    assert!(waited < Duration::from_millis(550), "{waited:?} from joining to the first picture");
}

#[test]
fn the_path_tells_its_budget_and_quality() {
    let mut world = World::assembled(2);
    world.run(Duration::from_secs(3));
    let events = &world.seats[0].events;
    assert!(events.iter().any(|event| matches!(event, Event::PathUp)));
    assert!(events.iter().any(|event| matches!(event, Event::Quality(quality) if quality.round_trip.is_some())));
    assert!(events.iter().any(|event| matches!(event, Event::Budget(rate) if rate.as_bps() > 500_000)));
}

#[test]
fn frames_carry_times_that_tile() {
    let mut world = World::assembled(2);
    world.forget_frames();
    world.run(Duration::from_millis(500));
    assert!(!world.seats[0].frames.is_empty());
    for frame in &world.seats[0].frames {
        assert!(frame.received <= frame.opened);
        assert_eq!(frame.frame.encode_delay, Duration::from_millis(3));
        assert_eq!(frame.frame.data.first(), Some(&1));
    }
}
