//! What breaks the protocol ends the one who does it, and nobody else notices.

use std::time::Duration;

use bytes::Bytes;
use conclave_model::{
    TrackKind,
    wire::signal::{FromRelay, MAX_LIST, Refusal, ToRelay, VERSION, Wish},
};

use crate::harness::{Room, relay_address};

/// Client 1 of two members is thrown out by `act`; client 0 only sees it go.
fn is_thrown_out(act: impl FnOnce(&mut Room)) {
    let mut room = Room::with_members(2);
    act(&mut room);
    assert_eq!(room.heard(1).pop(), Some(FromRelay::Refused(Refusal::Misbehaved)));
    assert!(room.clients[1].is_cut);
    let heard = room.heard(0);
    assert!(matches!(heard.last(), Some(FromRelay::Departed(_))), "{heard:?}");
    assert_eq!(room.relay.counters().misbehaved, 1);
    assert_eq!(room.relay.peers(), 1);
}

#[test]
fn a_second_hello_is_out_of_order() {
    is_thrown_out(|room| {
        let hello = room.admitted(1).0.hello;
        room.say(1, ToRelay::Hello(hello));
    });
}

#[test]
fn empty_and_oversized_messages_are_misuse() {
    is_thrown_out(|room| room.say(1, ToRelay::Broadcast(Bytes::new())));
    is_thrown_out(|room| room.say(1, ToRelay::Broadcast(vec![0; (64 << 10) + 1].into())));
    is_thrown_out(|room| {
        let mut commit = room.make_commit(1, &[]);
        commit.commit = Bytes::new();
        room.say(1, ToRelay::Commit(commit));
    });
}

#[test]
fn adding_without_a_welcome_is_misuse() {
    is_thrown_out(|room| {
        let mut commit = room.make_commit(1, &[0]);
        commit.welcome = None;
        room.say(1, ToRelay::Commit(commit));
    });
}

#[test]
fn garbage_that_the_driver_saw_is_misuse() {
    is_thrown_out(|room| {
        room.relay.accuse(room.clients[1].connection, room.now);
        room.settle();
    });
}

#[test]
fn a_flood_of_messages_ends_its_sender() {
    is_thrown_out(|room| {
        for _ in 0..1000 {
            room.say(1, ToRelay::NeedKeyFrame(room.camera(0)));
        }
    });
    is_thrown_out(|room| {
        for _ in 0..100 {
            let mut commit = room.make_commit(0, &[]);
            commit.commit = vec![0; 2 << 20].into();
            room.say(1, ToRelay::Commit(commit));
        }
    });
}

#[test]
fn who_is_no_member_may_neither_commit_nor_broadcast() {
    for message in ["commit", "broadcast"] {
        let mut room = Room::with_members(2);
        let waiting = room.join(3);
        room.heard(0);
        let message = match message {
            "commit" => ToRelay::Commit(room.make_commit(1, &[])),
            _ => ToRelay::Broadcast("hello".into()),
        };
        room.say(waiting, message);
        assert_eq!(room.heard(waiting).pop(), Some(FromRelay::Refused(Refusal::Misbehaved)));
        let heard = room.heard(0);
        assert!(matches!(heard[..], [FromRelay::Departed(_)]), "{heard:?}");
    }
}

#[test]
fn what_comes_after_the_end_is_ignored() {
    let mut room = Room::with_members(2);
    room.say(1, ToRelay::Leave);
    room.heard(0);
    room.say(1, ToRelay::Broadcast("ghost".into()));
    room.relay.close(room.clients[1].connection, room.now);
    room.settle();
    assert_eq!(room.heard(0), []);
}

#[test]
fn nobody_enters_with_the_leaf_of_another() {
    let mut room = Room::with_members(2);
    let taken = room.clients[1].leaf;
    assert_eq!(room.try_join(9, |admitted| admitted.hello.leaf = taken), Err(Refusal::Misbehaved));
    assert_eq!(room.heard(0), []);
    assert_eq!(room.relay.counters().refused, 1);
}

#[test]
fn a_hello_that_no_client_sends_is_refused() {
    let mut room = Room::new();
    let long = "x".repeat(300);
    assert_eq!(room.try_join(1, |admitted| admitted.hello.version = VERSION + 1), Err(Refusal::Version));
    assert_eq!(room.try_join(1, |admitted| admitted.hello.key_package = Bytes::new()), Err(Refusal::Misbehaved));
    assert_eq!(room.try_join(1, |admitted| admitted.hello.transport.ufrag = long), Err(Refusal::Misbehaved));
    let now = room.now;
    assert_eq!(room.try_join(1, |admitted| admitted.until = now), Err(Refusal::Over));
    assert_eq!((room.relay.peers(), room.relay.meetings()), (0, 0));
}

#[test]
fn a_full_meeting_or_relay_takes_in_nobody_but_those_who_return() {
    let mut room = Room::with_limits(3, 2);
    room.join(1);
    room.join(2);
    assert_eq!(room.try_join(3, |_| {}), Err(Refusal::Full));
    room.join(2);
    let elsewhere = |id: u8| move |admitted: &mut conclave_relay_core::Admitted| admitted.hello.meeting.0 = [id; 16];
    room.try_join(3, elsewhere(8)).unwrap();
    assert_eq!(room.try_join(4, elsewhere(9)), Err(Refusal::Full));
    assert_eq!((room.relay.peers(), room.relay.meetings()), (3, 2));
}

#[test]
fn wishes_for_what_does_not_exist_do_nothing() {
    let mut room = Room::with_members(2);
    let own = room.camera(1);
    let mut wishes = vec![Wish { track: own, height: 720 }];
    for number in 0..MAX_LIST as u16 - 1 {
        let mut track = room.camera(0);
        track.peer.0 = 1000 + number;
        track.track = if number % 2 == 0 { TrackKind::Camera } else { TrackKind::Microphone };
        wishes.push(Wish { track, height: 720 });
    }
    room.say(1, ToRelay::Wishes(wishes));
    room.say(1, ToRelay::NeedKeyFrame(own));
    assert_eq!((room.heard(0), room.heard(1)), (vec![], vec![]));
}

#[test]
fn foreign_and_garbage_datagrams_are_dropped_and_counted() {
    let mut room = Room::with_members(2);
    let before = room.relay.counters();
    let stranger = "203.0.113.9:999".parse().unwrap();
    let stun: Vec<u8> = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[0; 12]].concat();
    for datagram in [&[][..], &[0xff; 1400], &[0x80; 100], &[22; 60], &stun] {
        room.relay.handle_datagram(stranger, relay_address(), datagram, room.now);
        room.relay.handle_datagram(room.clients[0].address, relay_address(), datagram, room.now);
    }
    room.settle();
    let after = room.relay.counters();
    assert_eq!(after.datagrams_unknown - before.datagrams_unknown, 6);
    assert!(after.datagrams_malformed > before.datagrams_malformed);

    let packet = room.packet(0, TrackKind::Microphone, 1, true);
    room.send(0, &packet);
    room.run(Duration::from_millis(50));
    assert_eq!(room.frames(1).len(), 1);
}

#[test]
fn a_flood_of_datagrams_is_cut_to_its_limit() {
    let mut room = Room::with_members(2);
    let before = room.relay.counters();
    for _ in 0..20_000 {
        room.relay.handle_datagram(room.clients[0].address, relay_address(), &[0xff; 100], room.now);
    }
    let after = room.relay.counters();
    assert!(after.datagrams_flooded - before.datagrams_flooded >= 12_000);
    room.run(Duration::from_secs(2));
    let packet = room.packet(0, TrackKind::Microphone, 1, true);
    room.send(0, &packet);
    room.run(Duration::from_millis(50));
    assert_eq!(room.frames(1).len(), 1);
}

#[test]
fn a_stun_request_without_the_password_takes_no_connection_over() {
    const INTEGRITY: [u8; 4] = [0, 8, 0, 20];
    let mut room = Room::with_members(2);
    let attacker = "203.0.113.9:999".parse().unwrap();
    let is_known = |room: &mut Room, request: &[u8]| {
        let before = room.relay.counters().datagrams_unknown;
        room.relay.handle_datagram(attacker, relay_address(), request, room.now);
        room.settle();
        room.relay.counters().datagrams_unknown == before
    };
    let mut forged = room.stun.clone();
    let integrity = forged.windows(4).position(|bytes| bytes == INTEGRITY).unwrap();
    forged[integrity + 4] ^= 1;
    assert!(!is_known(&mut room, &forged));
    assert!(!is_known(&mut room, &[0x80; 100]), "media from there are nobody's");
    let genuine = room.stun.clone();
    assert!(is_known(&mut room, &genuine), "otherwise this test tests nothing");
}
