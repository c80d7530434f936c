//! Signalling, both ways.
#![allow(clippy::unwrap_used, reason = "what is not under test works")]

use std::{fmt::Debug, net::SocketAddr};

use bytes::Bytes;
use conclave_e2ee::Work;
use conclave_model::{
    Epoch, Layer, LeafRef, MeetingId, PeerId, TrackKind,
    wire::signal::{
        Arrival, Commit, Delay, Dismissal, Endpoint, FromRelay, Hello, Joined, Neighbour, Refusal, SignalError,
        ToRelay, TrackName, VERSION, Wish, decode_from_relay, decode_to_relay, encode,
    },
};

use super::Case;
use crate::stage::{PEER, Stage, WALL};

fn endpoint() -> Endpoint {
    let candidates =
        vec![SocketAddr::from(([192, 0, 2, 1], 7443)), SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 1))];
    Endpoint { ufrag: "ufrag".into(), password: "password".into(), fingerprint: [3; 32], candidates }
}

/// What was read is written and read again as the same.
fn same_again<T: Debug + PartialEq>(message: &T, bytes: &Bytes, decode: impl Fn(&[u8]) -> Result<T, SignalError>) {
    assert_eq!(decode(bytes).as_ref(), Ok(message));
}

pub(super) fn to_relay() -> Case {
    let (bytes, peer) = (Bytes::from_static(b"opaque"), PeerId(7));
    let track = TrackName { peer, track: TrackKind::Booth(3) };
    let hello = Hello {
        version: VERSION,
        meeting: MeetingId([7; 16]),
        invitation: bytes.clone(),
        leaf: LeafRef([9; 16]),
        key_package: bytes.clone(),
        transport: endpoint(),
        take_over: false,
    };
    let commit = Commit { epoch: Epoch(5), commit: bytes.clone(), welcome: Some(bytes.clone()), added: vec![peer; 3] };
    let messages = [
        ToRelay::Hello(hello),
        ToRelay::Commit(commit),
        ToRelay::Broadcast(bytes.clone()),
        ToRelay::Wishes(vec![Wish { track, height: 360 }; 4]),
        ToRelay::NeedKeyFrame(track),
        ToRelay::Pulse(bytes),
        ToRelay::Object { epoch: Epoch(u64::MAX) },
        ToRelay::Dismiss { peer, why: Dismissal::Ejected },
        ToRelay::Delay { peer, why: Some(Delay::Locked) },
        ToRelay::Delay { peer, why: None },
        ToRelay::Leave,
    ];
    Case::new(messages.iter().map(|message| encode(message).to_vec()).collect(), |input| {
        if let Ok(message) = decode_to_relay(input) {
            same_again(&message, &encode(&message), decode_to_relay);
        }
    })
}

fn relay_messages() -> Vec<FromRelay> {
    let (bytes, leaf) = (Bytes::from_static(b"opaque"), LeafRef([9; 16]));
    let who = Neighbour { peer: PeerId(7), leaf };
    let joined = Joined {
        peer: PeerId(5),
        transport: endpoint(),
        create: true,
        neighbours: vec![who; 3],
        revocations: vec![bytes.clone()],
    };
    vec![
        FromRelay::Joined(joined),
        FromRelay::Arrived(Arrival { who, key_package: bytes.clone() }),
        FromRelay::Departed(who),
        FromRelay::Committed { epoch: Epoch(1), from: PEER, commit: bytes.clone() },
        FromRelay::CommitRefused { epoch: Epoch(1) },
        FromRelay::Welcome { epoch: Epoch(1), welcome: bytes.clone() },
        FromRelay::Broadcast { from: PEER, message: bytes.clone() },
        FromRelay::Pulse { from: PEER, pulse: bytes },
        FromRelay::Annulled { epoch: Epoch(1) },
        FromRelay::KeyFrameWanted { track: TrackKind::Camera, layer: Layer(1) },
        FromRelay::LayersWanted { track: TrackKind::Camera, layers: 0b101 },
        FromRelay::LayersWanted { track: TrackKind::Microphone, layers: 0xff },
        FromRelay::Squeezed(vec![TrackName { peer: PEER, track: TrackKind::Camera }; 2]),
        FromRelay::Delayed(Some(Delay::Locked)),
        FromRelay::Revocations(vec![Bytes::from_static(b"a list"); 3]),
        FromRelay::Refused(Refusal::Full),
    ]
}

pub(super) fn from_relay() -> Case {
    Case::new(relay_messages().iter().map(|message| encode(message).to_vec()).collect(), |input| {
        if let Ok(message) = decode_from_relay(input) {
            same_again(&message, &encode(&message), decode_from_relay);
        }
    })
}

/// A member survives whatever another member says by its own keys.
pub(super) fn member_content() -> Case {
    let mut stage = Stage::new();
    // What the session says to the members is what they may say to it.
    let valid: Vec<Vec<u8>> =
        stage.heard.iter().filter_map(|sealed| Some(stage.other.open_message(sealed).ok()?.1)).collect();
    assert!(!valid.is_empty(), "the session has announced itself");
    Case::new(valid, move |input| {
        let message = stage.other.seal_message(input).unwrap();
        stage.signal(FromRelay::Broadcast { from: PEER, message });
        stage.pass(std::time::Duration::from_millis(5));
        assert!(!stage.session.is_over(), "another member has ended it: {:?}", stage.ended);
    })
}

/// A member survives whatever its relay says, or ends in order.
pub(super) fn session_signals() -> Case {
    let mut stage = Stage::new();
    let mut messages = relay_messages();
    let other = stage.other.members()[0].reference;
    messages.push(FromRelay::Departed(Neighbour { peer: PEER, leaf: other }));
    messages.push(FromRelay::Broadcast { from: PEER, message: stage.other.seal_message(b"hello").unwrap() });
    messages.push(FromRelay::Pulse { from: PEER, pulse: stage.other.pulse() });
    let renewal = Work { renew: true, ..Work::default() };
    let pending = stage.other.commit(&renewal, WALL).unwrap().pending.unwrap();
    stage.other.commit_refused();
    messages.push(FromRelay::Committed { epoch: pending.epoch, from: PEER, commit: pending.commit });
    Case::new(messages.iter().map(|message| encode(message).to_vec()).collect(), move |input| {
        if let Ok(message) = decode_from_relay(input) {
            stage.signal(message);
            stage.pass(std::time::Duration::from_millis(5));
            if stage.session.is_over() {
                stage = Stage::new();
            }
        }
    })
}
