//! Joining, leaving, and who commits.

use std::time::Duration;

use conclave_e2ee::NewcomerError;
use conclave_identity::{
    Holder, Listed, MemberError,
    issue::{PersonSpec, Reason, Validity, delegate},
};
use conclave_model::{
    Epoch, Level,
    wire::signal::{FromRelay, Refusal},
};
use conclave_session::{Command, EndReason, Event, MemberState, Session, SessionConfig, SessionError, SourceState};

use crate::world::{WALL, World};

#[test]
fn two_talk_a_third_joins_one_leaves_and_frames_keep_flowing() {
    let mut world = World::new(3);
    world.join(0);
    world.run(Duration::from_millis(300));
    assert_eq!(world.assert_agreed(&[0]), Epoch(0));
    world.join(1);
    world.run(Duration::from_millis(800));
    assert_eq!(world.assert_agreed(&[0, 1]), Epoch(1));
    world.assert_all_hear_all(&[0, 1]);

    world.join(2);
    world.run(Duration::from_millis(800));
    assert_eq!(world.assert_agreed(&[0, 1, 2]), Epoch(2));
    world.assert_all_hear_all(&[0, 1, 2]);

    world.command(0, Command::Leave);
    assert_eq!(world.seats[0].ended(), Some(&EndReason::Left));
    world.run(Duration::from_millis(500));
    assert_eq!(world.assert_agreed(&[1, 2]), Epoch(3));
    world.assert_all_hear_all(&[1, 2]);
    for seat in [1, 2] {
        let counters = world.seats[seat].session.as_ref().unwrap().counters().clone();
        let unopened = counters.frames_forged + counters.frames_replayed + counters.frames_malformed;
        assert_eq!(unopened + counters.frames_unknown_epoch, 0, "{counters:?}");
        assert_eq!(world.seats[seat].errors, 0);
    }
}

#[test]
fn a_crowd_that_comes_at_once_is_admitted_in_few_commits() {
    let mut world = World::new(8);
    world.join(0);
    world.run(Duration::from_millis(100));
    for seat in 1..8 {
        world.join(seat);
    }
    world.run(Duration::from_millis(1500));
    let everybody: Vec<usize> = (0..8).collect();
    let epoch = world.assert_agreed(&everybody);
    assert!(epoch <= Epoch(4), "{epoch}");
    world.assert_all_hear_all(&everybody);
}

#[test]
fn states_reach_members_and_those_who_come_later() {
    let mut world = World::assembled(2);
    let state = MemberState { microphone: SourceState::Off, camera: SourceState::Missing, ..MemberState::default() };
    world.command(0, Command::Announce(state));
    world.run(Duration::from_millis(100));
    assert_eq!(world.seats[1].state_of(world.leaf(0)), Some(state));

    let mut world = World::new(3);
    for seat in [0, 1] {
        world.join(seat);
        world.run(Duration::from_millis(300));
    }
    world.command(0, Command::Announce(state));
    world.run(Duration::from_secs(3));
    world.join(2);
    world.run(Duration::from_millis(500));
    assert_eq!(world.seats[2].state_of(world.leaf(0)), Some(state));
    assert_eq!(world.seats[0].state_of(world.leaf(2)).unwrap().camera, SourceState::On);
}

#[test]
fn a_lost_member_is_removed_and_the_duty_passes_on() {
    let mut world = World::assembled(4);
    let before = world.assert_agreed(&[0, 1, 2, 3]);
    world.vanish(0);
    world.run(Duration::from_millis(300));
    assert_eq!(world.assert_agreed(&[1, 2, 3]), before.next());
    world.assert_all_hear_all(&[1, 2, 3]);
}

#[test]
fn a_committer_that_hangs_is_stood_in_for_after_a_second() {
    let mut world = World::assembled(3);
    world.vanish(2);
    world.run(Duration::from_millis(200));
    // The first member's word takes forever; the second steps in after its second.
    world.seats[0].signal_latency = Duration::from_secs(60);
    world.join(2);
    world.run(Duration::from_millis(900));
    assert!(!world.seats[2].events.iter().any(|event| matches!(event, Event::Admitted { .. })));
    world.run(Duration::from_millis(900));
    world.assert_agreed(&[0, 1, 2]);
}

#[test]
fn a_late_commit_is_refused_and_tried_again_where_it_is_still_needed() {
    let mut world = World::assembled(4);
    world.vanish(2);
    world.vanish(3);
    world.run(Duration::from_millis(500));
    let before = world.assert_agreed(&[0, 1]);
    // Both commit: the first member's commit is on its way when the second's arrives.
    world.seats[0].signal_latency = Duration::from_millis(1400);
    world.join(2);
    world.run(Duration::from_millis(900));
    world.seats[0].signal_latency = Duration::from_millis(5);
    world.run(Duration::from_millis(200));
    world.join(3);
    world.run(Duration::from_millis(1500));
    let after = world.assert_agreed(&[0, 1, 2, 3]);
    assert!(after > before.next());
    let counters = world.seats[0].session.as_ref().unwrap().counters();
    assert_eq!((counters.commits_refused, world.relay.counters().late_commits), (1, 1));
    world.assert_all_hear_all(&[0, 1, 2, 3]);
}

#[test]
fn who_comes_back_leaves_no_ghost() {
    let mut world = World::assembled(3);
    // The old connection is still there for the relay when the same person comes again.
    world.join(1);
    world.run(Duration::from_millis(1000));
    world.assert_agreed(&[0, 1, 2]);
    world.assert_all_hear_all(&[0, 1, 2]);
}

#[test]
fn somebody_who_is_not_on_the_list_is_refused_by_every_member() {
    let mut world = World::new(3);
    for seat in [0, 1] {
        world.join(seat);
        world.run(Duration::from_millis(300));
    }
    // Certified by the same CA, but on no list; the relay core has not looked.
    let spec = delegate(20, WALL);
    let stranger = world.rehearsal.authority.issue_credential(&spec, Validity::days(WALL, 1)).unwrap().holder().clone();
    // An app of theirs that has another list, signed as well, does not know.
    let meant = world.rehearsal.invitation.clone();
    let listed = Listed::of(&stranger, Vec::new());
    let other = world.rehearsal.reissue(|content| content.participants.push(listed)).unwrap().clone();
    world.seats[2].invitation = Some(other);
    world.rehearsal.invitation = meant;
    world.join_as(2, stranger);
    world.run(Duration::from_secs(3));
    world.assert_agreed(&[0, 1]);
    for seat in [0, 1] {
        let refused = world.seats[seat].events.iter().filter(|event| matches!(event, Event::NewcomerRefused { .. }));
        assert_eq!(refused.count(), 1, "member {seat}");
        let problem = world.seats[seat].lobby()[0].problem.clone();
        assert_eq!(problem, Some(NewcomerError::Member(MemberError::NotListed)), "member {seat}");
    }
    assert!(world.seats[2].frames.is_empty());
    world.run(Duration::from_secs(20));
    assert_eq!(world.seats[2].ended(), Some(&EndReason::NotAdmitted));
}

#[test]
fn a_credential_that_does_not_admit_is_known_before_anybody_is_asked() {
    let mut world = World::new(3);
    let issue = |world: &World, spec: &PersonSpec, days| {
        let validity = Validity::days(WALL, days);
        world.rehearsal.authority.issue_credential(spec, validity).unwrap().holder().clone()
    };
    let refusal = |world: &World, holder: &Holder, wall| {
        let config = SessionConfig { wall, ..world.config(1, holder.clone()) };
        let address = std::net::SocketAddr::from(([10, 0, 0, 9], 5000));
        match Session::new(config, address, world.now) {
            Err(SessionError::Credential(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let stranger = issue(&world, &delegate(20, WALL), 1);
    assert_eq!(refusal(&world, &stranger, WALL), MemberError::NotListed);
    let uncleared = issue(&world, &PersonSpec { clearance: None, ..delegate(1, WALL) }, 1);
    let listed = Listed::of(&uncleared, Vec::new());
    world.rehearsal.reissue(|content| content.participants[1] = listed).unwrap();
    let needed = Level::Restricted;
    assert_eq!(refusal(&world, &uncleared, WALL), MemberError::NotCleared { needed, found: None });
    let days = Duration::from_secs(3 * 86_400).as_secs();
    assert!(matches!(refusal(&world, &world.rehearsal.holders[2], WALL + days), MemberError::Chain(_)));
}

#[test]
fn a_revoked_credential_is_told_by_the_relays_list() {
    let mut world = World::new(2);
    let revoked = world.rehearsal.holders[1].chain()[0].clone();
    let list = world.rehearsal.authority.revoke(&[revoked], Reason::KeyCompromise, WALL).unwrap().clone();
    world.relay.set_revocations(vec![list], world.now);
    for seat in [0, 1] {
        world.join(seat);
        world.run(Duration::from_millis(300));
    }
    world.assert_agreed(&[0]);
    let ended = world.seats[1].ended();
    assert!(matches!(ended, Some(EndReason::Credential(MemberError::Revoked { .. }))), "{ended:?}");
}

#[test]
fn whoever_is_revoked_while_in_the_meeting_is_out_at_once_even_where_they_do_not_hear_of_it() {
    for hears in [true, false] {
        let mut world = World::assembled(3);
        let chain = world.rehearsal.holders[0].chain()[0].clone();
        let list = world.rehearsal.authority.revoke(&[chain], Reason::KeyCompromise, WALL).unwrap().clone();
        if !hears {
            world.withholds = |seat, message| seat == 0 && matches!(message, FromRelay::Revocations(_));
        }
        let gone = world.leaf(0);
        world.relay.set_revocations(vec![list], world.now);
        world.run(Duration::from_secs(1));
        let ended = world.seats[0].ended();
        match hears {
            true => assert!(matches!(ended, Some(EndReason::Credential(MemberError::Revoked { .. }))), "{ended:?}"),
            // It does not know why it is removed, objects, and finds that nobody else does.
            false => assert!(matches!(ended, Some(EndReason::Commit(_)) | None), "{ended:?}"),
        }
        world.assert_agreed(&[1, 2]);
        world.assert_all_hear_all(&[1, 2]);
        if !hears {
            assert!(world.seats[1].events.contains(&Event::Revoked { leaf: gone }), "the others are told");
        }
        // Nor do they come back.
        world.join(0);
        world.run(Duration::from_secs(1));
        world.assert_agreed(&[1, 2]);
    }
}

#[test]
fn the_newer_session_of_a_credential_asks_before_it_takes_over() {
    let mut world = World::assembled(3);
    let elsewhere = world.another_place_of(1);
    let config = world.config(elsewhere, world.rehearsal.holders[1].clone());
    assert!(!config.take_over, "it asks unless it is told not to");
    world.enter(elsewhere, config);
    world.run(Duration::from_secs(1));
    assert_eq!(world.seats[elsewhere].ended(), Some(&EndReason::Refused(Refusal::AlreadyHere)));
    world.assert_agreed(&[0, 1, 2]);
    world.assert_all_hear_all(&[0, 1, 2]);

    world.join(elsewhere);
    world.run(Duration::from_secs(1));
    assert_eq!(world.seats[1].ended(), Some(&EndReason::Refused(Refusal::Replaced)));
    world.assert_agreed(&[0, 2, elsewhere]);
    world.assert_all_hear_all(&[0, 2, elsewhere]);
}

#[test]
fn a_refusal_ends_the_session_with_its_reason() {
    let mut world = World::assembled(2);
    world.whisper(1, conclave_model::wire::signal::FromRelay::Refused(Refusal::GoingAway));
    assert_eq!(world.seats[1].ended(), Some(&EndReason::Refused(Refusal::GoingAway)));
    assert!(matches!(world.seats[1].events.last(), Some(Event::Ended(_))));
    assert!(world.seats[1].session.as_ref().unwrap().is_over());
}
