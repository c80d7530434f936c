//! What a broken or hostile relay says, in every state.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use conclave_model::{
    Epoch, Layer, LeafRef, PeerId, TrackKind,
    wire::signal::{Arrival, Endpoint, FromRelay, Joined, Neighbour},
};
use conclave_session::{Command, EndReason, Event, Input, MemberState, Session, SessionConfig, SessionError};

use crate::world::{WALL, World};

fn neighbour(number: u16) -> Neighbour {
    Neighbour { peer: PeerId(number), leaf: LeafRef([number as u8; 16]) }
}

/// Everything that does not end a session by itself, out of place or without sense.
fn nonsense() -> Vec<FromRelay> {
    let garbage = Bytes::from_static(b"\x00\x01 garbage \xff");
    let everything = vec![
        FromRelay::Departed(neighbour(77)),
        FromRelay::CommitRefused { epoch: Epoch(0) },
        FromRelay::Broadcast { from: PeerId(1), message: garbage.clone() },
        FromRelay::Broadcast { from: PeerId(1), message: Bytes::new() },
        FromRelay::KeyFrameWanted { track: TrackKind::Booth(200), layer: Layer(255) },
        FromRelay::LayersWanted { track: TrackKind::Microphone, layers: 0b1 },
        FromRelay::LayersWanted { track: TrackKind::Camera, layers: 0xff },
        FromRelay::Arrived(Arrival { who: neighbour(78), key_package: garbage.clone() }),
        FromRelay::Arrived(Arrival { who: neighbour(79), key_package: vec![0; 1 << 20].into() }),
        FromRelay::Departed(neighbour(78)),
    ];
    everything
}

#[test]
fn a_member_survives_signals_without_sense() {
    let mut world = World::assembled(2);
    let before = world.assert_agreed(&[0, 1]);
    for signal in nonsense() {
        world.whisper(0, signal.clone());
        world.whisper(1, signal);
    }
    let garbage = Bytes::from_static(b"garbage");
    assert!(!world.whisper(0, FromRelay::Welcome { epoch: Epoch(9), welcome: garbage.clone() }));
    let old = FromRelay::Committed { epoch: Epoch(0), from: PeerId(1), commit: garbage };
    assert!(!world.whisper(0, old), "an old commit is ignored");
    world.run(Duration::from_secs(3));
    assert_eq!(world.assert_agreed(&[0, 1]), before);
    world.assert_all_hear_all(&[0, 1]);
    assert!(world.seats[0].session.as_ref().unwrap().counters().signals_ignored >= 7);
}

#[test]
fn a_relay_that_changes_its_mind_about_viewers_is_heard_ten_times_a_second() {
    let mut world = World::assembled(2);
    let told = |world: &World| {
        let layers = |event: &Event| match event {
            Event::LayersWanted { track: TrackKind::Camera, layers } => Some(*layers),
            _ => None,
        };
        world.seats[0].events.iter().filter_map(layers).collect::<Vec<_>>()
    };
    world.run(Duration::from_secs(4));
    let before = told(&world).len();
    for round in 0..200 {
        world.whisper(0, FromRelay::LayersWanted { track: TrackKind::Camera, layers: 0b1000_0010 | (round & 1) });
    }
    world.whisper(0, FromRelay::LayersWanted { track: TrackKind::Camera, layers: 0b100 });
    assert_eq!(told(&world)[before..], [0b010], "no bit of a layer that does not exist");
    world.run(Duration::from_millis(200));
    assert_eq!(told(&world)[before..], [0b010, 0b100], "the last word counts");
}

#[test]
fn a_commit_without_sense_is_not_followed_and_one_from_the_future_ends_the_session() {
    let mut world = World::assembled(3);
    let epoch = world.assert_agreed(&[0, 1, 2]);
    let commit = Bytes::from_static(b"garbage");
    world.whisper(0, FromRelay::Committed { epoch, from: PeerId(2), commit: commit.clone() });
    assert_eq!(world.seats[0].ended(), None, "most members may see it the same way, and the relay annul it");
    world.whisper(1, FromRelay::Committed { epoch: Epoch(99), from: PeerId(2), commit });
    assert_eq!(world.seats[1].ended(), Some(&EndReason::OutOfStep { ours: epoch, theirs: Epoch(99) }));
    world.run(Duration::from_secs(4));
    world.assert_agreed(&[0, 2]);
}

#[test]
fn signals_before_the_hello_is_answered_are_errors() {
    let world = World::new(2);
    let local = SocketAddr::from(([10, 0, 0, 1], 5000));
    let mut session = Session::new(config(&world, 0), local, world.now).unwrap();
    for signal in nonsense() {
        assert!(session.handle_input(Input::Signal(signal), world.now).is_err());
    }
    let welcome = FromRelay::Welcome { epoch: Epoch(1), welcome: Bytes::from_static(b"x") };
    let result = session.handle_input(Input::Signal(welcome), world.now);
    assert!(matches!(result, Err(SessionError::OutOfTurn(_))));
    assert!(!session.is_over());
}

#[test]
fn a_broken_welcome_ends_the_session() {
    let world = World::new(2);
    let mut session = Session::new(config(&world, 0), SocketAddr::from(([10, 0, 0, 1], 5000)), world.now).unwrap();
    session.handle_input(Input::Signal(FromRelay::Joined(joined(false))), world.now).unwrap();
    assert!(session.handle_input(Input::Signal(FromRelay::Joined(joined(true))), world.now).is_err(), "once only");
    let welcome = FromRelay::Welcome { epoch: Epoch(1), welcome: Bytes::from_static(b"\x00\x01\x00\x03") };
    session.handle_input(Input::Signal(welcome.clone()), world.now).unwrap();
    assert!(session.is_over());
    assert!(events(&mut session).iter().any(|event| matches!(event, Event::Ended(EndReason::Join(_)))));
    assert!(matches!(session.handle_input(Input::Signal(welcome), world.now), Err(SessionError::Over)));
}

#[test]
fn garbage_datagrams_are_counted_and_change_nothing() {
    let mut world = World::assembled(2);
    let (from, to) = (SocketAddr::from(([10, 0, 0, 200], 7443)), SocketAddr::from(([10, 0, 0, 1], 5000)));
    let mut noise = 7_u32;
    let now = world.now;
    let session = world.seats[0].session.as_mut().unwrap();
    for length in 0..400_usize {
        let mut bytes: Vec<u8> = (0..length * 3)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        // The first byte says whether it is STUN, DTLS or SRTP (RFC 7983).
        if let Some(first) = bytes.first_mut() {
            *first = [0, 1, 22, 23, 64, 128, 144, 255][length % 8];
        }
        session.handle_input(Input::Datagram { from, to, bytes: &bytes }, now).ok();
        while !matches!(session.poll_output(), conclave_session::Output::Wake(_)) {}
    }
    assert!(session.counters().datagrams_dropped > 0);
    world.assert_all_hear_all(&[0, 1]);
}

#[test]
fn commands_and_frames_before_admission_are_kept_or_dropped_without_error() {
    let world = World::new(1);
    let mut session = Session::new(config(&world, 0), SocketAddr::from(([10, 0, 0, 1], 5000)), world.now).unwrap();
    let state = MemberState::default();
    session.handle_input(Input::Command(Command::Announce(state)), world.now).unwrap();
    session.handle_input(Input::Command(Command::Wishes(Vec::new())), world.now).unwrap();
    session.handle_input(Input::Timeout, world.now).unwrap();
    session.handle_input(Input::Signal(FromRelay::Joined(joined(true))), world.now).unwrap();
    let events = events(&mut session);
    assert!(matches!(events.first(), Some(Event::Admitted { .. })), "{events:?}");
    session.handle_input(Input::Command(Command::Leave), world.now).unwrap();
    assert!(session.is_over());
}

fn config(world: &World, seat: usize) -> SessionConfig {
    let (holder, invitation) = (world.rehearsal.holders[seat].clone(), world.rehearsal.invitation.clone());
    SessionConfig::new(holder, invitation, WALL)
}

fn joined(create: bool) -> Joined {
    let transport = Endpoint {
        ufrag: "abcd".to_owned(),
        password: "0123456789abcdef01234567".to_owned(),
        fingerprint: [1; 32],
        candidates: vec![SocketAddr::from(([10, 0, 0, 200], 7443))],
    };
    Joined { peer: PeerId(5), transport, create, neighbours: Vec::new(), revocations: Vec::new() }
}

fn events(session: &mut Session) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        match session.poll_output() {
            conclave_session::Output::Event(event) => events.push(event),
            conclave_session::Output::Wake(_) => return events,
            _ => {}
        }
    }
}
