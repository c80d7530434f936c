//! Signs of life, and commits that most members do not follow.

use std::time::Duration;

use bytes::Bytes;
use conclave_model::{
    Epoch,
    wire::signal::{FromRelay, Neighbour, Refusal, ToRelay},
};

use crate::harness::Room;

const ANNULLED: FromRelay = FromRelay::Annulled { epoch: Epoch(1) };

fn object(room: &mut Room, client: usize, epoch: u64) {
    room.say(client, ToRelay::Object { epoch: Epoch(epoch) });
}

fn departed(room: &Room, client: usize) -> FromRelay {
    FromRelay::Departed(Neighbour { peer: room.clients[client].number, leaf: room.clients[client].leaf })
}

/// Five members, of whom the last has just committed and added a sixth, who waited.
fn bad_commit() -> Room {
    let mut room = Room::with_members(5);
    let sixth = room.join(6);
    room.commit(4, 1, &[sixth]);
    (0..6).for_each(|client| drop(room.heard(client)));
    room
}

fn is_misbehaved(room: &mut Room, client: usize) {
    assert_eq!(room.heard(client).last(), Some(&FromRelay::Refused(Refusal::Misbehaved)));
    assert!(room.clients[client].is_cut);
}

#[test]
fn a_commit_to_which_most_object_is_annulled() {
    let mut room = bad_commit();
    object(&mut room, 0, 1);
    object(&mut room, 1, 1);
    for client in 0..6 {
        assert_eq!(room.heard(client), [], "two of four are not more than half");
    }
    object(&mut room, 2, 1);
    is_misbehaved(&mut room, 4);
    assert!(room.clients[5].is_cut, "whom it added comes again");
    assert_eq!(room.heard(5), [departed(&room, 4)]);
    let gone = [ANNULLED, departed(&room, 4), departed(&room, 5)];
    for client in 0..4 {
        assert_eq!(room.heard(client), gone, "{client}");
    }
    assert_eq!(room.relay.counters().annulled, 1);

    // The epoch is current again, and who comes again waits.
    room.commit(0, 2, &[]);
    assert_eq!(room.heard(0), [FromRelay::CommitRefused { epoch: Epoch(1) }]);
    let again = room.join(6);
    room.commit(0, 1, &[again]);
    assert!(matches!(room.heard(again).last(), Some(FromRelay::Welcome { epoch: Epoch(2), .. })));
}

/// Two members, the first of whom is the chair.
fn chair_and_delegate() -> Room {
    let mut room = Room::new();
    let chair = room.try_join(1, |admitted| admitted.rank = Some(0)).unwrap();
    let delegate = room.join(2);
    room.commit(chair, 0, &[delegate]);
    room
}

#[test]
fn of_two_members_the_one_of_better_rank_is_believed() {
    let mut room = chair_and_delegate();
    room.commit(1, 1, &[]);
    (0..2).for_each(|client| drop(room.heard(client)));
    object(&mut room, 0, 1);
    is_misbehaved(&mut room, 1);
    assert_eq!(room.heard(0), [ANNULLED, departed(&room, 1)]);

    let mut room = chair_and_delegate();
    room.commit(0, 1, &[]);
    (0..2).for_each(|client| drop(room.heard(client)));
    object(&mut room, 1, 1);
    assert_eq!((room.heard(0), room.heard(1)), (Vec::new(), Vec::new()), "a delegate alone cannot put the chair out");
}

#[test]
fn of_two_members_of_no_rank_neither_puts_the_other_out() {
    let mut room = Room::with_members(2);
    room.commit(1, 1, &[]);
    (0..2).for_each(|client| drop(room.heard(client)));
    object(&mut room, 0, 1);
    assert_eq!((room.heard(0), room.heard(1)), (Vec::new(), Vec::new()));
}

#[test]
fn neither_the_committer_nor_whom_they_added_have_a_say() {
    let mut room = bad_commit();
    object(&mut room, 0, 1);
    object(&mut room, 1, 1);
    for _ in 0..10 {
        object(&mut room, 0, 1);
        object(&mut room, 4, 1);
        object(&mut room, 5, 1);
    }
    for client in 0..6 {
        assert_eq!((room.heard(client), room.clients[client].is_cut), (vec![], false), "{client}");
    }
    assert_eq!(room.relay.counters().objections, 2);
    assert_eq!(room.relay.counters().objections_ignored, 30);
}

#[test]
fn a_bad_commit_cannot_be_hidden_under_another() {
    let mut room = bad_commit();
    room.commit(4, 2, &[]);
    room.commit(3, 3, &[]);
    (0..6).for_each(|client| drop(room.heard(client)));
    for client in 0..3 {
        object(&mut room, client, 1);
    }
    is_misbehaved(&mut room, 4);
    assert_eq!(room.heard(0)[0], ANNULLED);
    assert_eq!(room.heard(3)[0], ANNULLED, "who built on it learns that it is gone");
    room.commit(0, 1, &[]);
    assert!(matches!(room.heard(1).last(), Some(FromRelay::Committed { epoch: Epoch(1), .. })));
}

#[test]
fn objections_count_for_some_seconds_only() {
    let mut room = bad_commit();
    object(&mut room, 0, 1);
    object(&mut room, 1, 1);
    room.run(Duration::from_secs(11));
    object(&mut room, 2, 1);
    object(&mut room, 3, 1);
    for client in 0..6 {
        assert!(!room.clients[client].is_cut, "{client}");
    }
    room.commit(0, 2, &[]);
    assert!(matches!(room.heard(1).last(), Some(FromRelay::Committed { epoch: Epoch(2), .. })));
}

#[test]
fn who_is_left_over_cannot_undo_what_all_others_followed() {
    let mut room = bad_commit();
    for client in 1..4 {
        room.cut(client);
    }
    (0..6).for_each(|client| drop(room.heard(client)));
    object(&mut room, 0, 1);
    assert_eq!((room.heard(4), room.heard(5)), (vec![], vec![]));
}

#[test]
fn objections_to_what_never_was_mean_nothing() {
    let mut room = Room::with_members(2);
    for epoch in [0, 1, 2, u64::MAX] {
        object(&mut room, 1, epoch);
    }
    assert_eq!((room.heard(0), room.heard(1)), (vec![], vec![]));
    assert!(!room.clients[1].is_cut);
}

#[test]
fn a_committer_who_left_is_objected_to_as_well() {
    let mut room = bad_commit();
    room.cut(4);
    (0..6).for_each(|client| drop(room.heard(client)));
    for client in 0..3 {
        object(&mut room, client, 1);
    }
    assert_eq!(room.heard(0), [ANNULLED, departed(&room, 5)]);
    assert!(room.clients[5].is_cut);
}

#[test]
fn who_waits_may_neither_object_nor_give_signs_of_life() {
    for message in [ToRelay::Object { epoch: Epoch(0) }, ToRelay::Pulse("alive".into())] {
        let mut room = Room::with_members(2);
        let waiting = room.join(3);
        (0..2).for_each(|client| drop(room.heard(client)));
        room.say(waiting, message);
        is_misbehaved(&mut room, waiting);
        assert_eq!(room.heard(0), [departed(&room, waiting)]);
    }
}

#[test]
fn a_flood_of_objections_ends_its_sender() {
    let mut room = bad_commit();
    for _ in 0..300 {
        if !room.clients[3].is_cut {
            object(&mut room, 3, 1);
        }
    }
    is_misbehaved(&mut room, 3);
    assert_eq!(room.heard(0), [departed(&room, 3)]);
}

#[test]
fn a_sign_of_life_reaches_the_other_members_unchanged() {
    let mut room = Room::with_members(3);
    let waiting = room.join(7);
    (0..4).for_each(|client| drop(room.heard(client)));
    let pulse = Bytes::from(vec![9; 256]);
    room.say(1, ToRelay::Pulse(pulse.clone()));
    let heard = FromRelay::Pulse { from: room.clients[1].number, pulse };
    assert_eq!(room.heard(0), std::slice::from_ref(&heard));
    assert_eq!(room.heard(2), [heard]);
    assert_eq!((room.heard(1), room.heard(waiting)), (vec![], vec![]));
}

#[test]
fn an_empty_or_overlong_sign_of_life_is_misuse() {
    for length in [0, 257] {
        let mut room = Room::with_members(2);
        room.say(1, ToRelay::Pulse(vec![9; length].into()));
        is_misbehaved(&mut room, 1);
        assert_eq!(room.heard(0), [departed(&room, 1)]);
    }
}

#[test]
fn signs_of_life_are_thinned_out_and_a_flood_of_them_ends_its_sender() {
    let mut room = Room::with_members(2);
    for _ in 0..200 {
        room.say(1, ToRelay::Pulse("alive".into()));
    }
    assert_eq!(room.heard(0).len(), 100);
    assert_eq!(room.relay.counters().pulses_dropped, 100);
    assert!(!room.clients[1].is_cut);
    room.run(Duration::from_secs(3));
    room.say(1, ToRelay::Pulse("alive".into()));
    assert_eq!(room.heard(0).len(), 1, "the usual rate passes again");
    for _ in 0..300 {
        if !room.clients[1].is_cut {
            room.say(1, ToRelay::Pulse("alive".into()));
        }
    }
    is_misbehaved(&mut room, 1);
}
