//! Who hears of whom, and in which order commits are.

use std::time::Duration;

use conclave_model::{
    Epoch,
    wire::signal::{FromRelay, Neighbour, Refusal, ToRelay},
};

use crate::harness::Room;

fn neighbour(room: &Room, client: usize) -> Neighbour {
    Neighbour { peer: room.clients[client].number, leaf: room.clients[client].leaf }
}

fn committed(room: &Room, from: usize, epoch: u64) -> FromRelay {
    FromRelay::Committed {
        epoch: Epoch(epoch),
        from: room.clients[from].number,
        commit: format!("commit that ends {epoch}").into(),
    }
}

fn welcome(epoch: u64) -> FromRelay {
    FromRelay::Welcome { epoch: Epoch(epoch), welcome: format!("welcome to {epoch}").into() }
}

/// Whose arrival was heard.
fn arrivals(heard: &[FromRelay]) -> Vec<Neighbour> {
    let arrival = |message: &FromRelay| {
        if let FromRelay::Arrived(arrival) = message { Some(arrival.who) } else { None }
    };
    heard.iter().filter_map(arrival).collect()
}

#[test]
fn the_first_makes_the_group_and_hears_of_the_next() {
    let mut room = Room::new();
    let (first, second) = (room.join(1), room.join(2));
    let heard = room.heard(first);
    let FromRelay::Joined(joined) = &heard[0] else { panic!("{heard:?}") };
    assert!(joined.create && joined.neighbours.is_empty());
    assert_eq!(arrivals(&heard), [neighbour(&room, second)]);

    let heard = room.heard(second);
    let FromRelay::Joined(joined) = &heard[0] else { panic!("{heard:?}") };
    assert!(!joined.create);
    assert_eq!(joined.neighbours, [neighbour(&room, first)]);
    assert_eq!(heard.len(), 1);
}

#[test]
fn those_who_wait_know_of_each_other() {
    let mut room = Room::new();
    room.join(1);
    let (second, third) = (room.join(2), room.join(3));
    assert_eq!(arrivals(&room.heard(second)), [neighbour(&room, third)]);
    assert_eq!(arrivals(&room.heard(third)), [neighbour(&room, second)]);
}

#[test]
fn a_commit_reaches_every_member_and_its_welcome_the_newcomer() {
    let mut room = Room::with_members(2);
    let third = room.join(3);
    room.heard(0);
    room.heard(1);
    room.heard(third);
    room.commit(1, 1, &[third]);
    assert_eq!(room.heard(0), [committed(&room, 1, 1)]);
    assert_eq!(room.heard(1), [committed(&room, 1, 1)]);
    assert_eq!(room.heard(third), [welcome(2)]);
}

#[test]
fn of_two_commits_for_an_epoch_the_first_counts() {
    let mut room = Room::with_members(3);
    room.commit(2, 1, &[]);
    room.commit(0, 1, &[]);
    assert_eq!(room.heard(0), [committed(&room, 2, 1), FromRelay::CommitRefused { epoch: Epoch(2) }]);
    assert_eq!(room.heard(1), [committed(&room, 2, 1)]);
    assert_eq!(room.heard(2), [committed(&room, 2, 1)]);
    assert_eq!(room.relay.counters().late_commits, 1);

    room.commit(0, 2, &[]);
    for client in 0..3 {
        assert_eq!(room.heard(client), [committed(&room, 0, 2)]);
    }
}

#[test]
fn a_commit_for_an_epoch_to_come_is_refused() {
    let mut room = Room::with_members(2);
    room.commit(0, 7, &[]);
    assert_eq!(room.heard(0), [FromRelay::CommitRefused { epoch: Epoch(1) }]);
    assert_eq!(room.heard(1), []);
}

#[test]
fn a_late_commit_welcomes_nobody() {
    let mut room = Room::with_members(2);
    let third = room.join(3);
    room.heard(third);
    room.commit(0, 0, &[third]);
    assert_eq!(room.heard(third), []);
    room.say(third, ToRelay::Broadcast("too early".into()));
    assert_eq!(room.heard(third), [FromRelay::Refused(Refusal::Misbehaved)]);
}

#[test]
fn a_broadcast_reaches_the_other_members_only() {
    let mut room = Room::with_members(3);
    let waiting = room.join(4);
    (0..4).for_each(|client| drop(room.heard(client)));
    room.say(1, ToRelay::Broadcast("hello".into()));
    let heard = FromRelay::Broadcast { from: room.clients[1].number, message: "hello".into() };
    assert_eq!(room.heard(0), std::slice::from_ref(&heard));
    assert_eq!(room.heard(1), []);
    assert_eq!(room.heard(2), [heard]);
    assert_eq!(room.heard(waiting), []);
}

#[test]
fn who_leaves_or_is_cut_off_has_departed() {
    let mut room = Room::with_members(3);
    room.say(1, ToRelay::Leave);
    assert!(room.clients[1].is_cut);
    let gone = FromRelay::Departed(neighbour(&room, 1));
    assert_eq!((room.heard(0), room.heard(2)), (vec![gone.clone()], vec![gone]));
    room.cut(2);
    assert_eq!(room.heard(0), [FromRelay::Departed(neighbour(&room, 2))]);
    assert_eq!(room.relay.peers(), 1);
}

#[test]
fn somebody_added_after_leaving_departs_again() {
    let mut room = Room::with_members(2);
    let third = room.join(3);
    let commit = room.make_commit(1, &[third]);
    room.cut(third);
    (0..2).for_each(|client| drop(room.heard(client)));
    room.say(0, ToRelay::Commit(commit));
    let gone = FromRelay::Departed(neighbour(&room, third));
    assert_eq!(room.heard(0), [committed(&room, 0, 1), gone.clone()]);
    assert_eq!(room.heard(1), [committed(&room, 0, 1), gone]);
}

#[test]
fn the_newer_connection_of_a_credential_replaces_the_older() {
    let mut room = Room::with_members(3);
    let again = room.join(1);
    assert_eq!(room.heard(1), [FromRelay::Refused(Refusal::Replaced)]);
    assert!(room.clients[1].is_cut);
    assert_ne!(room.clients[again].number, room.clients[1].number);
    let heard = room.heard(0);
    assert_eq!(heard[0], FromRelay::Departed(neighbour(&room, 1)));
    assert_eq!(arrivals(&heard[1..]), [neighbour(&room, again)]);
    assert_eq!(room.relay.peers(), 3);
}

#[test]
fn alone_in_a_meeting_the_newer_connection_makes_a_new_group() {
    let mut room = Room::with_members(1);
    let again = room.join(0);
    let heard = room.heard(again);
    let FromRelay::Joined(joined) = &heard[0] else { panic!("{heard:?}") };
    assert!(joined.create && joined.neighbours.is_empty());
}

#[test]
fn an_empty_meeting_is_forgotten() {
    let mut room = Room::with_members(2);
    room.cut(0);
    room.cut(1);
    assert_eq!((room.relay.peers(), room.relay.meetings()), (0, 0));
    let anew = room.join(5);
    room.heard(anew);
    room.commit(anew, 0, &[]);
    assert_eq!(room.heard(anew), [committed(&room, anew, 0)]);
}

#[test]
fn who_waits_for_members_that_are_all_gone_may_come_again() {
    let mut room = Room::new();
    let (first, waiting) = (room.join(1), room.join(2));
    room.cut(first);
    assert!(room.clients[waiting].is_cut);
    assert_eq!(room.relay.meetings(), 0);
    let again = room.join(2);
    let heard = room.heard(again);
    assert!(matches!(&heard[0], FromRelay::Joined(joined) if joined.create), "{heard:?}");
}

#[test]
fn the_end_of_the_meeting_ends_its_connections() {
    let mut room = Room::new();
    let until = room.now + Duration::from_secs(2);
    let first = room.try_join(1, |admitted| admitted.until = until).unwrap();
    room.heard(first);
    room.run(Duration::from_millis(1900));
    assert!(!room.clients[first].is_cut);
    room.run(Duration::from_millis(200));
    assert_eq!(room.heard(first), [FromRelay::Refused(Refusal::Over)]);
    assert!(room.clients[first].is_cut);
}

#[test]
fn a_relay_that_shuts_down_says_so_to_everybody() {
    let mut room = Room::with_members(3);
    room.relay.shut_down(room.now);
    room.settle();
    for client in 0..3 {
        let last = room.heard(client).pop();
        assert_eq!(last, Some(FromRelay::Refused(Refusal::GoingAway)));
        assert!(room.clients[client].is_cut);
    }
    assert_eq!((room.relay.peers(), room.relay.meetings()), (0, 0));
}
