//! The classification as a part of the group: up without the uncleared, down with the originator.

use std::time::Duration;

use conclave_e2ee::NewcomerError;
use conclave_identity::{
    Listed, MemberError,
    issue::{PersonSpec, Validity, delegate},
};
use conclave_model::{Clearance, Level, TrackKind};
use conclave_session::{Command, EndReason, Event, OrderError, SessionConfig, SessionError};

use crate::world::{WALL, World};

const CHAIR: usize = 0;
const ORIGINATOR: usize = 2;

/// A meeting at RESTRICTED of five, the last of them cleared no further; whose lobby all have passed.
fn restricted() -> World {
    let mut world = World::with_lobby(5);
    let clearance = Some(Clearance { level: Level::Restricted, expires: WALL + 1_000_000 });
    let spec = PersonSpec { clearance, ..delegate(4, WALL) };
    let issued = world.rehearsal.authority.issue_credential(&spec, Validity::days(WALL, 1)).unwrap();
    world.rehearsal.holders[4] = issued.holder().clone();
    let listed = Listed::of(issued.holder(), Vec::new());
    world.rehearsal.reissue(|content| content.participants[4] = listed).unwrap();
    for seat in 0..5 {
        world.join(seat);
        world.run(Duration::from_millis(200));
        world.command(CHAIR, Command::Admit(Vec::new()));
        world.run(Duration::from_millis(300));
    }
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[0, 1, 2, 3, 4]);
    world
}

fn level(world: &World, seat: usize) -> Level {
    world.seats[seat].governance().level
}

#[test]
fn raising_the_level_puts_the_uncleared_out_before_any_banner_changes() {
    let mut world = restricted();
    world.command(3, Command::SetLevel(Level::Secret));
    world.command(CHAIR, Command::SetLevel(Level::TopSecret));
    assert_eq!(world.seats[3].orders_refused(), [OrderError::NotChair]);
    assert_eq!(world.seats[CHAIR].orders_refused(), [OrderError::Ceiling(Level::Secret)]);
    world.command(CHAIR, Command::SetLevel(Level::Secret));
    world.run(Duration::from_millis(500));
    world.assert_agreed(&[0, 1, 2, 3]);
    assert_eq!(world.seats[4].ended(), Some(&EndReason::LevelRaised(Level::Secret)));
    assert_eq!(level(&world, 4), Level::Restricted, "who goes is told nothing of the new level's meeting");
    for seat in 0..4 {
        let events = &world.seats[seat].events;
        let banner = |event: &Event| matches!(event, Event::Governance(now) if now.level == Level::Secret);
        let banner = events.iter().position(banner).unwrap();
        let roster = events[..banner].iter().rev().find_map(|event| match event {
            Event::Roster(members) => Some(members.clone()),
            _ => None,
        });
        assert!(roster.unwrap().iter().all(|member| member.person.is_cleared(Level::Secret, WALL)), "member {seat}");
    }
    world.assert_all_hear_all(&[0, 1, 2, 3]);

    // The app of whoever had to go knows; one that does not is told by the members.
    let config = world.config(4, world.rehearsal.holders[4].clone());
    let address = std::net::SocketAddr::from(([10, 0, 0, 9], 5000));
    let known = conclave_session::Session::new(config, address, world.now);
    let (needed, found) = (Level::Secret, Some(Level::Restricted));
    assert!(
        matches!(known, Err(SessionError::Credential(error)) if error == MemberError::NotCleared { needed, found })
    );
    world.seats[4].memory = None;
    world.join(4);
    world.run(Duration::from_millis(500));
    world.command(CHAIR, Command::Admit(Vec::new()));
    world.run(Duration::from_secs(1));
    world.assert_agreed(&[0, 1, 2, 3]);
    let problem = world.seats[CHAIR].lobby()[0].problem.clone();
    assert_eq!(problem, Some(NewcomerError::Member(MemberError::NotCleared { needed, found })));
}

#[test]
fn no_frame_of_another_level_opens() {
    let mut world = restricted();
    world.vanish(4);
    world.run(Duration::from_secs(3));
    // What the last member says to the relay takes long: it seals at the old level for a while.
    world.seats[3].signal_latency = Duration::from_millis(5);
    world.forget_frames();
    world.command(CHAIR, Command::SetLevel(Level::Secret));
    world.run(Duration::from_secs(2));
    for to in 0..4 {
        for from in (0..4).filter(|from| *from != to) {
            let leaf = world.leaf(from);
            let frames = world.seats[to].frames.iter().filter(|frame| frame.from == leaf);
            let sound: Vec<u32> =
                frames.filter(|frame| frame.track == TrackKind::Microphone).map(|frame| frame.number).collect();
            // All are as far away from the relay as each other, so next to nothing is lost.
            assert!(sound.len() >= 95, "{to} heard {} of {from}", sound.len());
        }
    }
}

#[test]
fn frames_that_a_change_of_the_level_overtakes_are_no_failure_to_show() {
    let mut world = restricted();
    world.run(Duration::from_secs(5));
    world.command(CHAIR, Command::SetLevel(Level::Secret));
    world.run(Duration::from_secs(2));
    let sessions = world.seats[..4].iter().filter_map(|seat| seat.session.as_ref());
    let gone: u64 = sessions.map(|session| session.counters().frames_epoch_gone).sum();
    assert!(gone > 0, "some were on their way");
    for seat in &world.seats[..4] {
        assert!(!seat.events.iter().any(|event| matches!(event, Event::Undecryptable { .. })));
    }
}

#[test]
fn lowering_the_level_takes_the_originator_and_the_chair_and_counts_once() {
    let mut world = restricted();
    world.command(CHAIR, Command::SetLevel(Level::Secret));
    world.run(Duration::from_millis(500));
    world.command(CHAIR, Command::SetLevel(Level::Restricted));
    assert_eq!(world.seats[CHAIR].orders_refused(), [OrderError::NoConsent]);
    world.command(3, Command::Consent(Level::Restricted));
    assert_eq!(world.seats[3].orders_refused(), [OrderError::NotOriginator]);

    world.command(ORIGINATOR, Command::Consent(Level::Restricted));
    world.run(Duration::from_millis(300));
    for seat in 0..4 {
        assert_eq!(world.seats[seat].governance().consent, Some(Level::Restricted));
        assert_eq!(level(&world, seat), Level::Secret, "the originator alone changes nothing");
    }
    // Whoever comes later is told of it as well, so that a successor could carry it out.
    world.vanish(1);
    world.run(Duration::from_secs(3));
    world.join(1);
    world.run(Duration::from_secs(1));
    assert_eq!(world.seats[1].governance().consent, Some(Level::Restricted));

    world.command(CHAIR, Command::SetLevel(Level::Restricted));
    world.run(Duration::from_millis(500));
    for seat in 0..4 {
        assert_eq!((level(&world, seat), world.seats[seat].governance().consent), (Level::Restricted, None));
    }
    world.command(CHAIR, Command::SetLevel(Level::Secret));
    world.run(Duration::from_millis(500));
    world.command(CHAIR, Command::SetLevel(Level::Restricted));
    world.run(Duration::from_millis(500));
    assert_eq!(level(&world, 3), Level::Secret);
    let refused = [OrderError::NoConsent, OrderError::NoConsent];
    assert_eq!(world.seats[CHAIR].orders_refused(), refused, "what was agreed to counts once");
    world.assert_agreed(&[0, 1, 2, 3]);
    world.assert_all_hear_all(&[0, 1, 2, 3]);
}

#[test]
fn cutting_everybody_off_does_not_lower_the_level() {
    let mut world = restricted();
    world.command(CHAIR, Command::SetLevel(Level::Secret));
    world.run(Duration::from_millis(500));
    for seat in 0..4 {
        world.vanish(seat);
    }
    world.run(Duration::from_secs(1));
    world.join(CHAIR);
    world.run(Duration::from_millis(300));
    assert_eq!(level(&world, CHAIR), Level::Secret);
    world.join(3);
    world.run(Duration::from_millis(500));
    world.assert_agreed(&[CHAIR, 3]);

    // Somebody who opens it below what another remembers waits for that one in vain.
    let mut world = restricted();
    world.command(CHAIR, Command::SetLevel(Level::Secret));
    world.run(Duration::from_millis(500));
    for seat in 0..4 {
        world.vanish(seat);
    }
    world.run(Duration::from_secs(1));
    let fresh = SessionConfig { memory: None, ..world.config(1, world.rehearsal.holders[1].clone()) };
    world.enter(1, fresh);
    world.run(Duration::from_secs(12));
    assert_eq!(level(&world, 1), Level::Restricted);
    world.join(3);
    world.run(Duration::from_millis(300));
    world.command(1, Command::Admit(Vec::new()));
    world.run(Duration::from_secs(1));
    assert!(matches!(world.seats[3].ended(), Some(EndReason::Join(_))), "{:?}", world.seats[3].ended());
}
