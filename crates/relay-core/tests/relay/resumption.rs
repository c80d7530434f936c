//! Signalling that breaks off and goes on.

use std::time::Duration;

use bytes::Bytes;
use conclave_model::wire::signal::{FromRelay, Neighbour, Refusal, Resume, ToRelay, VERSION};
use conclave_relay_core::Resumed;

use crate::harness::{MEETING, Room};

/// Three members; and how many messages the second has heard.
fn room() -> (Room, u64) {
    let mut room = Room::new();
    for person in 0..3 {
        room.join(person);
    }
    room.commit(0, 0, &[1, 2]);
    let heard = room.heard(1).len() as u64;
    (room, heard)
}

/// What the second client says, who heard `heard` messages.
fn resumed(room: &Room, heard: u64) -> Resumed {
    let client = &room.clients[1];
    let who = Neighbour { peer: client.number, leaf: client.leaf };
    Resumed { fingerprint: [1; 32], resume: Resume { version: VERSION, meeting: MEETING, who, heard } }
}

fn broadcast(room: &mut Room, from: usize, word: &'static [u8]) {
    room.say(from, ToRelay::Broadcast(Bytes::from_static(word)));
}

fn has_left(room: &mut Room, seen_by: usize) -> bool {
    room.heard(seen_by).iter().any(|said| matches!(said, FromRelay::Departed(_)))
}

#[test]
fn who_comes_back_gets_what_was_said_meanwhile_and_nobody_else_notices() {
    let (mut room, heard) = room();
    let connection = room.clients[1].connection;
    broadcast(&mut room, 1, b"before");
    broadcast(&mut room, 0, b"arrived");
    let heard = heard + room.heard(1).len() as u64;
    room.relay.suspend(connection, room.now);
    broadcast(&mut room, 0, b"first");
    broadcast(&mut room, 2, b"second");
    // That went to a line that was broken.
    room.heard(1);
    room.run(Duration::from_secs(3));
    assert_eq!(room.relay.resume(resumed(&room, heard), room.now), Ok(connection));
    room.settle();
    let said = room.heard(1);
    let from = |client: usize| room.clients[client].number;
    let expected = [
        FromRelay::Resumed { heard: 1 },
        FromRelay::Broadcast { from: from(0), message: Bytes::from_static(b"first") },
        FromRelay::Broadcast { from: from(2), message: Bytes::from_static(b"second") },
    ];
    assert_eq!(said, expected);
    room.run(Duration::from_secs(20));
    assert!(!has_left(&mut room, 0));
    broadcast(&mut room, 0, b"third");
    assert_eq!(room.heard(1).len(), 1, "nothing is said twice");
}

#[test]
fn who_does_not_come_back_is_gone_after_some_seconds() {
    let (mut room, heard) = room();
    let connection = room.clients[1].connection;
    room.relay.suspend(connection, room.now);
    room.run(Duration::from_secs(5));
    assert!(!has_left(&mut room, 0));
    room.run(Duration::from_secs(2));
    assert!(has_left(&mut room, 0));
    assert_eq!(room.relay.resume(resumed(&room, heard), room.now), Err(Refusal::NotResumed));
}

#[test]
fn media_flow_while_signalling_is_broken() {
    let mut room = Room::with_members(2);
    let connection = room.clients[1].connection;
    room.relay.suspend(connection, room.now);
    let packet = room.packet(1, conclave_model::TrackKind::Microphone, 1, true);
    room.send(1, &packet);
    room.run(Duration::from_millis(200));
    assert_eq!(room.frames(0).len(), 1);
}

#[test]
fn nobody_goes_on_as_somebody_else_or_from_what_is_not_known() {
    let (mut room, heard) = room();
    let good = resumed(&room, heard);
    let refused = |room: &mut Room, change: fn(&mut Resumed)| {
        let mut bad = good.clone();
        change(&mut bad);
        room.relay.resume(bad, room.now).unwrap_err()
    };
    assert_eq!(refused(&mut room, |bad| bad.fingerprint = [0; 32]), Refusal::NotResumed);
    assert_eq!(refused(&mut room, |bad| bad.resume.who.peer.0 += 1), Refusal::NotResumed);
    assert_eq!(refused(&mut room, |bad| bad.resume.who.leaf.0[0] ^= 1), Refusal::NotResumed);
    assert_eq!(refused(&mut room, |bad| bad.resume.meeting.0[0] ^= 1), Refusal::NotResumed);
    assert_eq!(refused(&mut room, |bad| bad.resume.heard += 1), Refusal::NotResumed);
    assert_eq!(refused(&mut room, |bad| bad.resume.version += 1), Refusal::Version);
    room.settle();
    assert_eq!(room.heard(1), []);
    assert!(room.relay.resume(good, room.now).is_ok(), "with or without a word that the line broke");
}

#[test]
fn who_starts_the_program_again_is_not_asked_whether_to_take_over_from_a_broken_line() {
    let (mut room, _) = room();
    assert_eq!(room.try_join(1, |admitted| admitted.hello.take_over = false), Err(Refusal::AlreadyHere));
    let connection = room.clients[1].connection;
    room.relay.suspend(connection, room.now);
    assert!(room.try_join(1, |admitted| admitted.hello.take_over = false).is_ok());
}

#[test]
fn a_resumption_in_the_middle_of_a_connection_breaks_the_protocol() {
    let (mut room, heard) = room();
    let resume = resumed(&room, heard).resume;
    room.say(1, ToRelay::Resume(resume));
    assert_eq!(room.heard(1).last(), Some(&FromRelay::Refused(Refusal::Misbehaved)));
}
