//! The lobby, the lock, ejecting, and who leads.

use std::time::Duration;

use conclave_e2ee::NewcomerError;
use conclave_model::{
    LeafRef, MediaTime,
    wire::signal::{FromRelay, Refusal, ToRelay},
};
use conclave_session::{Command, EndReason, OrderError};

use crate::world::{WALL, World};

const CHAIR: usize = 0;
const SUCCESSOR: usize = 1;

/// A meeting with a lobby in which the chair and `seats` are.
fn led(people: usize, seats: &[usize]) -> World {
    let mut world = World::with_lobby(people);
    world.join(CHAIR);
    world.run(Duration::from_millis(300));
    for seat in seats {
        world.join(*seat);
    }
    world.run(Duration::from_millis(200));
    world.command(CHAIR, Command::Admit(Vec::new()));
    world.run(Duration::from_secs(1));
    let everybody: Vec<usize> = [&[CHAIR], seats].concat();
    world.assert_agreed(&everybody);
    world
}

fn waiting(world: &World, seen_by: usize) -> Vec<String> {
    world.seats[seen_by].lobby().iter().map(|waiting| waiting.person.as_ref().unwrap().name.clone()).collect()
}

fn reference(world: &World, of: usize) -> LeafRef {
    let fingerprint = world.rehearsal.holders[of].person().fingerprint;
    let lobby = world.seats[CHAIR].lobby();
    let found = lobby.iter().find(|waiting| waiting.person.as_ref().unwrap().fingerprint == fingerprint);
    found.unwrap().reference
}

fn assert_led_by(world: &World, chair: Option<usize>, seats: &[usize]) {
    let chair = chair.map(|chair| world.leaf(chair));
    for seat in seats {
        assert_eq!(world.seats[*seat].governance().chair, chair, "as {seat} sees it");
    }
}

#[test]
fn the_named_wait_until_the_chair_admits_denies_or_lets_all_in() {
    let mut world = World::with_lobby(6);
    let name = |world: &World, seat: usize| world.rehearsal.holders[seat].person().name.clone();
    world.join(CHAIR);
    world.run(Duration::from_millis(300));
    for seat in [3, 4] {
        world.join(seat);
        world.run(Duration::from_millis(100));
    }
    assert_eq!(waiting(&world, CHAIR), [name(&world, 3), name(&world, 4)]);
    assert!(world.seats[CHAIR].lobby().iter().all(|waiting| waiting.problem.is_none()));
    world.run(Duration::from_secs(60));
    assert!(!world.seats[3].is_member() && !world.seats[4].is_member(), "nobody comes in by waiting");
    assert_eq!((world.seats[3].ended(), world.seats[4].ended()), (None, None));

    world.command(CHAIR, Command::Admit(vec![reference(&world, 3)]));
    world.run(Duration::from_millis(500));
    world.assert_agreed(&[CHAIR, 3]);
    assert_eq!(waiting(&world, 3), [name(&world, 4)], "every member sees who waits");
    // Only the chair's word counts.
    world.command(3, Command::Admit(Vec::new()));
    world.command(3, Command::Deny(reference(&world, 4)));
    world.run(Duration::from_secs(3));
    assert_eq!(world.seats[3].orders_refused(), [OrderError::NotChair, OrderError::NotChair]);
    assert!(!world.seats[4].is_member());

    world.command(CHAIR, Command::Deny(reference(&world, 4)));
    world.run(Duration::from_millis(300));
    assert_eq!(world.seats[4].ended(), Some(&EndReason::Refused(Refusal::Denied)));
    assert!(waiting(&world, CHAIR).is_empty());
    world.command(CHAIR, Command::Admit(vec![LeafRef([9; 16])]));
    assert_eq!(world.seats[CHAIR].orders_refused(), [OrderError::Gone]);

    // Whoever was sent away may ask again, and the succession never waits.
    for seat in [SUCCESSOR, 4, 5] {
        world.join(seat);
    }
    world.run(Duration::from_millis(500));
    world.assert_agreed(&[CHAIR, SUCCESSOR, 3]);
    world.command(CHAIR, Command::Admit(Vec::new()));
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[CHAIR, SUCCESSOR, 3, 4, 5]);
    world.assert_all_hear_all(&[CHAIR, SUCCESSOR, 3, 4, 5]);
}

#[test]
fn those_who_come_first_wait_for_one_who_may_open() {
    let mut world = World::with_lobby(4);
    world.join(3);
    world.run(Duration::from_secs(120));
    assert_eq!((world.seats[3].ended(), world.seats[3].is_member()), (None, false));
    // A relay that has them open the meeting is not obeyed.
    let refused = world.seats[3].errors;
    world.join(CHAIR);
    world.run(Duration::from_millis(500));
    assert_eq!(waiting(&world, CHAIR).len(), 1);
    world.command(CHAIR, Command::Admit(Vec::new()));
    world.run(Duration::from_millis(500));
    world.assert_agreed(&[CHAIR, 3]);
    assert_eq!(world.seats[3].errors, refused);
}

#[test]
fn in_a_locked_meeting_only_those_admitted_before_come_back() {
    let mut world = led(6, &[3, 4]);
    world.command(3, Command::Lock(true));
    world.command(CHAIR, Command::Lock(true));
    world.run(Duration::from_millis(300));
    assert_eq!(world.seats[3].orders_refused(), [OrderError::NotChair]);
    for seat in [CHAIR, 3, 4] {
        assert!(world.seats[seat].governance().locked);
    }
    world.vanish(4);
    world.run(Duration::from_millis(500));
    world.join(4);
    world.join(5);
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[CHAIR, 3, 4]);
    assert_eq!(world.seats[CHAIR].lobby()[0].problem, Some(NewcomerError::Locked));
    world.command(CHAIR, Command::Admit(Vec::new()));
    world.command(CHAIR, Command::Admit(vec![reference(&world, 5)]));
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[CHAIR, 3, 4]);
    world.command(CHAIR, Command::Lock(false));
    world.run(Duration::from_millis(500));
    assert_eq!(world.seats[CHAIR].lobby()[0].problem, None);
    world.assert_agreed(&[CHAIR, 3, 4]);
    world.command(CHAIR, Command::Admit(Vec::new()));
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[CHAIR, 3, 4, 5]);
    world.assert_all_hear_all(&[CHAIR, 3, 4, 5]);
}

#[test]
fn the_ejected_go_and_do_not_come_back() {
    let mut world = led(6, &[SUCCESSOR, 3, 4]);
    world.command(3, Command::Eject(world.leaf(4)));
    world.run(Duration::from_millis(300));
    assert_eq!(world.seats[3].orders_refused(), [OrderError::NotChair]);
    world.command(CHAIR, Command::Eject(world.leaf(4)));
    world.run(Duration::from_millis(300));
    assert_eq!(world.seats[4].ended(), Some(&EndReason::Ejected));
    world.assert_agreed(&[CHAIR, SUCCESSOR, 3]);
    assert_eq!(world.seats[SUCCESSOR].governance().ejected, 1);
    world.join(4);
    world.run(Duration::from_millis(300));
    assert_eq!(world.seats[4].ended(), Some(&EndReason::Refused(Refusal::Ejected)));

    // A relay that lets them in all the same, at a time when the chair is away, finds no member who would.
    world.catches = |_, message| matches!(message, ToRelay::Dismiss { .. });
    world.command(CHAIR, Command::Eject(world.leaf(3)));
    world.run(Duration::from_millis(300));
    world.vanish(CHAIR);
    world.join(3);
    world.run(Duration::from_secs(30));
    world.assert_agreed(&[SUCCESSOR]);
    assert_eq!(world.seats[SUCCESSOR].lobby()[0].problem, Some(NewcomerError::Ejected));
    world.command(SUCCESSOR, Command::Admit(Vec::new()));
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[SUCCESSOR]);

    // Nor in a group that is made anew, by one who remembers.
    world.vanish(SUCCESSOR);
    world.run(Duration::from_secs(1));
    world.join(SUCCESSOR);
    world.run(Duration::from_secs(15));
    world.command(SUCCESSOR, Command::Admit(Vec::new()));
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[SUCCESSOR]);
    assert_eq!(world.seats[SUCCESSOR].governance().ejected, 2);
}

#[test]
fn nothing_that_is_sent_half_a_second_after_ejecting_opens_with_the_keys_of_the_ejected() {
    let mut world = led(6, &[SUCCESSOR, 3, 4, 5]);
    world.run(Duration::from_secs(1));
    // The relay and the ejected one conspire: it keeps its connection, gets every frame, and goes on with its keys.
    world.withholds = |to, signal| {
        let tells = matches!(signal, FromRelay::Committed { .. } | FromRelay::CommitRefused { .. });
        to == 4 && (tells || matches!(signal, FromRelay::Pulse { .. } | FromRelay::Departed(_)))
    };
    world.catches = |_, message| matches!(message, ToRelay::Dismiss { .. });
    world.forget_frames();
    let before = world.seats[4].session.as_ref().unwrap().counters().clone();
    let ordered = MediaTime(WALL * 1_000_000) + (world.now - world.start);
    world.command(CHAIR, Command::Eject(world.leaf(4)));
    world.run(Duration::from_secs(5));
    world.assert_agreed(&[CHAIR, SUCCESSOR, 3, 5]);
    assert_eq!(world.seats[4].ended(), None);
    let newest = world.seats[4].frames.iter().map(|frame| frame.frame.time).max();
    let cap = ordered + Duration::from_millis(500);
    assert!(newest.is_some_and(|newest| newest <= cap), "{newest:?} opened, ordered at {ordered:?}");
    let after = world.seats[4].session.as_ref().unwrap().counters();
    let came = after.frames_unknown_epoch - before.frames_unknown_epoch;
    assert!(came > 500, "only {came} frames came and did not open");
    world.assert_all_hear_all(&[CHAIR, SUCCESSOR, 3, 5]);
}

#[test]
fn whoever_is_to_be_ejected_and_drops_out_in_time_is_ejected_when_they_come_back() {
    let mut world = led(6, &[3, 4]);
    let leaf = world.leaf(4);
    // The order waits behind a commit that the relay holds up, and they are gone before it counts.
    world.seats[CHAIR].signal_latency = Duration::from_millis(400);
    world.vanish(4);
    world.command(CHAIR, Command::Eject(leaf));
    world.run(Duration::from_secs(3));
    world.seats[CHAIR].signal_latency = Duration::from_millis(5);
    world.assert_agreed(&[CHAIR, 3]);
    world.join(4);
    world.run(Duration::from_secs(2));
    world.assert_agreed(&[CHAIR, 3]);
    let ended = world.seats[4].ended();
    assert!(matches!(ended, Some(EndReason::Ejected | EndReason::Refused(Refusal::Ejected))), "{ended:?}");
}

#[test]
fn the_succession_follows_after_ten_seconds_and_the_chair_leads_again_on_return() {
    let mut world = led(6, &[SUCCESSOR, 3, 4]);
    assert_led_by(&world, Some(CHAIR), &[CHAIR, SUCCESSOR, 3, 4]);
    world.vanish(CHAIR);
    world.run(Duration::from_millis(500));
    assert_led_by(&world, None, &[SUCCESSOR, 3, 4]);
    world.run(Duration::from_secs(9));
    world.command(SUCCESSOR, Command::Lock(true));
    assert_eq!(world.seats[SUCCESSOR].orders_refused(), [OrderError::NotChair]);
    assert_led_by(&world, None, &[SUCCESSOR, 3, 4]);
    world.run(Duration::from_secs(1));
    assert_led_by(&world, Some(SUCCESSOR), &[SUCCESSOR, 3, 4]);

    world.join(5);
    world.run(Duration::from_millis(300));
    assert!(!world.seats[5].is_member());
    world.command(SUCCESSOR, Command::Admit(Vec::new()));
    world.run(Duration::from_millis(500));
    world.assert_agreed(&[SUCCESSOR, 3, 4, 5]);
    assert_led_by(&world, Some(SUCCESSOR), &[5]);

    world.join(CHAIR);
    world.run(Duration::from_millis(500));
    world.assert_agreed(&[CHAIR, SUCCESSOR, 3, 4, 5]);
    assert_led_by(&world, Some(CHAIR), &[CHAIR, SUCCESSOR, 3, 4, 5]);
    world.command(SUCCESSOR, Command::Lock(true));
    world.command(CHAIR, Command::Lock(true));
    world.run(Duration::from_millis(300));
    assert_eq!(world.seats[SUCCESSOR].orders_refused(), [OrderError::NotChair, OrderError::NotChair]);
    assert!(world.seats[5].governance().locked);
}

#[test]
fn a_meeting_goes_on_without_any_chair() {
    let mut world = led(6, &[SUCCESSOR, 3, 4]);
    world.vanish(CHAIR);
    world.vanish(SUCCESSOR);
    world.run(Duration::from_secs(30));
    world.assert_agreed(&[3, 4]);
    assert_led_by(&world, None, &[3, 4]);
    world.assert_all_hear_all(&[3, 4]);
    world.join(5);
    world.run(Duration::from_secs(2));
    assert_eq!(waiting(&world, 3).len(), 1, "nobody may let them in");
    world.vanish(4);
    world.run(Duration::from_secs(1));
    world.join(4);
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[3, 4]);
    world.join(CHAIR);
    world.run(Duration::from_secs(1));
    assert_led_by(&world, Some(CHAIR), &[CHAIR, 3, 4]);
    assert_eq!(waiting(&world, CHAIR).len(), 1);
}
