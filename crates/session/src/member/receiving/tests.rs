#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use std::net::SocketAddr;

use bytes::Bytes;
use conclave_e2ee::{Leaf, Rules, Work};
use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::{
    EncodedFrame, Layer, MediaTime,
    wire::{
        FrameHead,
        signal::{Arrival, Endpoint, Joined, Neighbour},
    },
};
use conclave_transport::Path;

use super::*;
use crate::{Event, packetizer::to_plaintext, proofs::Prover};

const WALL: u64 = 1_800_000_000;
const PEERS: [PeerId; 2] = [PeerId(10), PeerId(20)];

/// Two members: one sends, the other receives.
struct Pair {
    alice: Group,
    bob: Group,
    neighbours: Neighbours,
    receiver: Receiver,
    link: Link,
    prover: Prover,
    now: Instant,
    rehearsal: Rehearsal,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        let rehearsal = Rehearsal::new(&RehearsalSpec::new(3, WALL)).unwrap();
        let rules = Rules::new(rehearsal.invitation.clone(), rehearsal.holders[0].root().clone());
        let leaf = |number: usize| Leaf::new(&rehearsal.holders[number], rules.clone()).unwrap();
        let mut alice = leaf(0).create(WALL).unwrap();
        let newcomer = leaf(1);
        let add = vec![(newcomer.reference(), newcomer.key_package())];
        let made = alice.commit(&Work { add, ..Work::default() }, WALL).unwrap();
        let (pending, refused) = (made.pending, made.refused);
        assert!(refused.is_empty());
        alice.commit_accepted().unwrap();
        alice.use_sending_epoch(alice.epoch());
        let bob = newcomer.join(&pending.unwrap().welcome.unwrap(), WALL).unwrap();
        let transport =
            Endpoint { ufrag: String::new(), password: String::new(), fingerprint: [0; 32], candidates: Vec::new() };
        let first = Neighbour { peer: PEERS[0], leaf: alice.members()[0].reference };
        let joined =
            Joined { peer: PEERS[1], transport, create: false, neighbours: vec![first], revocations: Vec::new() };
        let mut neighbours = Neighbours::new(&joined);
        neighbours.set_members(bob.members());
        let mut path = Path::client(now);
        path.add_local_address(SocketAddr::from(([10, 0, 0, 1], 1))).unwrap();
        let mut receiver = Receiver::new(Holding::default());
        receiver.begin(now);
        Self {
            alice,
            bob,
            neighbours,
            receiver,
            link: Link::new(path, WALL, now),
            prover: Prover::default(),
            now,
            rehearsal,
        }
    }

    /// A picture of Alice's camera, sealed.
    fn sealed(&mut self, number: u32, key: bool) -> SealedFrame {
        self.proven(TrackKind::Camera, number, key)
    }

    /// A frame of Alice's, sealed, with a proof where one is due.
    fn proven(&mut self, track: TrackKind, number: u32, key: bool) -> SealedFrame {
        let (layer, epoch) = (Layer(0), self.alice.sending_epoch());
        let prove = |statement: &[u8]| self.alice.prove(statement);
        let proof = self.prover.due(track, layer, 0.0, epoch, prove, self.now).unwrap_or_default();
        let frame = self.seal(track, number, key, &proof);
        self.prover.sent(&frame.head, &frame.sealed, self.now);
        frame
    }

    /// A frame under Alice's key, which Bob and every other member could have made as well.
    fn seal(&mut self, track: TrackKind, number: u32, key: bool, proof: &[u8]) -> SealedFrame {
        let (sender, layer) = (PEERS[0], Layer(0));
        let head = FrameHead { sender, track, layer, number, key, discardable: false, packets: 1 };
        let time = MediaTime(u64::from(number));
        let data = Bytes::from_static(b"picture");
        let frame = EncodedFrame {
            time,
            encode_delay: Duration::ZERO,
            key,
            layer,
            discardable: false,
            back: u8::from(!key),
            data,
        };
        let sealed = self.alice.seal_frame(&head, &to_plaintext(&frame, proof)).unwrap().to_vec();
        SealedFrame { head, sealed, received: self.now }
    }

    fn give(&mut self, frame: SealedFrame) -> Vec<Output> {
        self.receiver.on_frame(frame, &mut self.bob, &self.neighbours, &mut self.link, self.now);
        self.outputs()
    }

    fn pass(&mut self, time: Duration) -> Vec<Output> {
        self.now += time;
        let wish = |track| MemberWish { leaf: self.alice.me(), track, height: 720 };
        let wishes = [TrackKind::Camera, TrackKind::Screen].map(wish);
        self.receiver.handle_timeout(&self.neighbours, &wishes, &mut self.link, self.now);
        self.outputs()
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.link.next_output()).collect()
    }

    /// Alice adds a third member and sends under the new epoch at once; returns the commit.
    fn alice_moves_on(&mut self) -> Bytes {
        let rules = Rules::new(self.rehearsal.invitation.clone(), self.rehearsal.holders[0].root().clone());
        let third = Leaf::new(&self.rehearsal.holders[2], rules).unwrap();
        let add = vec![(third.reference(), third.key_package())];
        let pending = self.alice.commit(&Work { add, ..Work::default() }, WALL).unwrap().pending;
        self.alice.commit_accepted().unwrap();
        self.alice.use_sending_epoch(self.alice.epoch());
        pending.unwrap().commit
    }
}

fn frames(outputs: &[Output]) -> Vec<u32> {
    let number = |output: &Output| if let Output::RemoteFrame(frame) = output { Some(frame.number) } else { None };
    outputs.iter().filter_map(number).collect()
}

fn causes(outputs: &[Output]) -> Vec<(Option<LeafIndex>, UndecryptableCause)> {
    let cause = |output: &Output| match output {
        Output::Event(Event::Undecryptable { leaf, cause, .. }) => Some((*leaf, *cause)),
        _ => None,
    };
    outputs.iter().filter_map(cause).collect()
}

#[test]
fn altered_repeated_and_shapeless_frames_are_told_apart_and_named() {
    let mut pair = Pair::new();
    let alice = Some(pair.alice.me());
    let frame = pair.sealed(0, true);
    assert_eq!(frames(&pair.give(frame.clone())), [0]);
    assert_eq!(causes(&pair.give(frame)), [(alice, UndecryptableCause::Replay)]);

    let mut frame = pair.sealed(1, false);
    frame.head.key = true;
    assert_eq!(causes(&pair.give(frame)), [(alice, UndecryptableCause::Forged)], "the head is authenticated");

    let mut frame = pair.sealed(2, false);
    frame.sealed.truncate(3);
    assert_eq!(causes(&pair.give(frame)), [(alice, UndecryptableCause::Malformed)]);
    let counters = &pair.link.counters;
    assert_eq!((counters.frames_replayed, counters.frames_forged, counters.frames_malformed), (1, 1, 1));
}

#[test]
fn a_frame_from_a_connection_that_is_somebody_elses_is_not_played() {
    let mut pair = Pair::new();
    // The relay says that connection 10 is Bob's own leaf, though Alice's frames come from it.
    let bob = pair.bob.members()[1].reference;
    pair.neighbours.arrived(Arrival { who: Neighbour { peer: PEERS[0], leaf: bob }, key_package: Bytes::new() });
    pair.neighbours.set_members(pair.bob.members());
    let frame = pair.sealed(0, true);
    let outputs = pair.give(frame);
    assert!(frames(&outputs).is_empty());
    assert_eq!(causes(&outputs), [(Some(pair.bob.me()), UndecryptableCause::Forged)]);
}

#[test]
fn frames_of_the_next_epoch_wait_for_its_commit() {
    let mut pair = Pair::new();
    let frame = pair.sealed(0, true);
    assert_eq!(frames(&pair.give(frame)), [0]);
    let epoch = pair.bob.epoch();
    let commit = pair.alice_moves_on();
    for number in 1..4 {
        let frame = pair.sealed(number, false);
        assert!(pair.give(frame).is_empty());
    }
    pair.pass(Duration::from_millis(300));
    pair.bob.handle_commit(epoch, &commit, &|_| true, WALL).unwrap();
    pair.receiver.retry(&mut pair.bob, &pair.neighbours, &mut pair.link, pair.now);
    assert_eq!(frames(&pair.outputs()), [1, 2, 3]);
}

#[test]
fn frames_whose_commit_does_not_come_are_dropped_and_told_of() {
    let mut pair = Pair::new();
    pair.alice_moves_on();
    for number in 0..5 {
        let frame = pair.sealed(number, number == 0);
        assert!(pair.give(frame).is_empty());
    }
    let outputs = pair.pass(Duration::from_millis(500));
    assert_eq!(causes(&outputs), [(Some(pair.alice.me()), UndecryptableCause::UnknownEpoch)]);
    assert_eq!(pair.link.counters.frames_unknown_epoch, 5);
    assert_eq!(pair.receiver.holding.deadline(), None);
}

#[test]
fn a_lost_picture_leads_to_requests_for_a_key_frame_until_one_comes() {
    let mut pair = Pair::new();
    let asks = |outputs: &[Output]| {
        let is_ask = |output: &&Output| matches!(output, Output::Signal(ToRelay::NeedKeyFrame(_)));
        outputs.iter().filter(is_ask).count()
    };
    let frame = pair.sealed(0, true);
    pair.give(frame);
    let _lost = pair.sealed(1, false);
    let mut asked = 0;
    for number in 2..62 {
        let frame = pair.sealed(number, false);
        assert!(frames(&pair.give(frame)).is_empty());
        asked += asks(&pair.pass(Duration::from_millis(33)));
    }
    assert!((3..=7).contains(&asked), "{asked} requests in two seconds");
    let frame = pair.sealed(62, true);
    assert_eq!(frames(&pair.give(frame)), [62]);
    assert_eq!(asks(&pair.pass(Duration::from_secs(1))), 0);
}

/// The tracks that were called forged.
fn forged(outputs: &[Output]) -> Vec<(LeafIndex, TrackKind)> {
    let track = |output: &Output| match output {
        Output::Event(Event::TrackForged { leaf, track }) => Some((*leaf, *track)),
        _ => None,
    };
    outputs.iter().filter_map(track).collect()
}

#[test]
fn a_track_that_a_member_forges_is_named_soon_and_falls_silent() {
    let picture = Duration::from_millis(33);
    for (is_withheld, limit) in [(false, Duration::from_millis(300)), (true, Duration::from_millis(1000))] {
        let mut pair = Pair::new();
        let camera = (pair.alice.me(), TrackKind::Camera);
        for number in 0..60 {
            let frame = pair.sealed(number, number == 0);
            let outputs = pair.give(frame);
            assert_eq!((frames(&outputs), forged(&outputs)), (vec![number], vec![]));
            pair.pass(picture);
        }
        // From here on each frame is another's work, or three are.
        let begun = pair.now;
        let found = (60..200).find_map(|number| {
            let mut frame = pair.sealed(number, false);
            if is_withheld || number < 63 {
                frame = pair.seal(TrackKind::Camera, number, false, b"");
            }
            let outputs = pair.give(frame);
            pair.pass(picture);
            forged(&outputs).first().map(|track| (number, *track))
        });
        let (number, track) = found.unwrap();
        assert_eq!(track, camera);
        assert!(pair.now - begun <= limit + picture * 2, "{:?}", pair.now - begun);

        for number in number + 1..number + 20 {
            let frame = pair.sealed(number, true);
            let outputs = pair.give(frame);
            assert_eq!((frames(&outputs), forged(&outputs)), (vec![], vec![]), "said once, and nothing is played");
        }
        let voice = pair.seal(TrackKind::Microphone, 0, true, b"");
        assert_eq!(frames(&pair.give(voice)), [0], "the other track is untouched");
        pair.receiver.forget(camera.0, &mut pair.link);
        let frame = pair.seal(TrackKind::Camera, 500, true, b"");
        assert_eq!(frames(&pair.give(frame)), [500], "who joins anew begins anew");
    }
}

/// The tracks that were told to be held, or not to be any more.
fn held(outputs: &[Output]) -> Vec<(LeafIndex, TrackKind, bool)> {
    let track = |output: &Output| match output {
        Output::Event(Event::TrackHeld { leaf, track, held }) => Some((*leaf, *track, *held)),
        _ => None,
    };
    outputs.iter().filter_map(track).collect()
}

#[test]
fn a_track_that_nothing_proves_is_told_to_be_held_and_goes_on_with_a_key_frame_once_something_does() {
    let mut pair = Pair::new();
    let alice = pair.alice.me();
    let frame = pair.sealed(0, true);
    assert_eq!(frames(&pair.give(frame)), [0]);
    assert_eq!(pair.receiver.deadline(None), Some(pair.now + Duration::from_secs(1)), "whether anything comes or not");
    assert_eq!(held(&pair.pass(Duration::from_millis(999))), []);
    assert_eq!(held(&pair.pass(Duration::from_millis(1))), [(alice, TrackKind::Camera, true)]);
    // Its proof is lost.
    let _lost = pair.sealed(1, true);
    let frame = pair.sealed(2, true);
    let outputs = pair.give(frame);
    assert_eq!((frames(&outputs), held(&outputs)), (vec![], vec![]));
    assert_eq!(pair.link.counters.frames_unproven, 1);
    pair.pass(Duration::from_millis(200));
    let frame = pair.sealed(3, false);
    let outputs = pair.give(frame);
    assert_eq!(held(&outputs), [(alice, TrackKind::Camera, false)]);
    assert!(frames(&outputs).is_empty(), "it lacks what was not given out");
    let is_ask = |output: &Output| matches!(output, Output::Signal(ToRelay::NeedKeyFrame(_)));
    assert!(outputs.iter().any(is_ask));
    let frame = pair.sealed(4, true);
    assert_eq!(frames(&pair.give(frame)), [4]);
}

#[test]
fn sound_in_layers_is_refused() {
    let mut pair = Pair::new();
    let (sender, layer) = (PEERS[0], Layer(1));
    let head =
        FrameHead { sender, track: TrackKind::Microphone, layer, number: 0, key: true, discardable: false, packets: 1 };
    let sealed = pair.alice.seal_frame(&head, &[0; 20]).unwrap().to_vec();
    let outputs = pair.give(SealedFrame { head, sealed, received: pair.now });
    assert_eq!(causes(&outputs), [(Some(pair.alice.me()), UndecryptableCause::Malformed)]);
}

#[test]
fn a_screen_without_leave_is_held_back_counted_and_named_once_it_goes_on() {
    let mut pair = Pair::new();
    let alice = pair.alice.me();
    let mut named = 0;
    for number in 0..100 {
        for track in [TrackKind::Screen, TrackKind::ScreenAudio] {
            let frame = pair.proven(track, number, true);
            assert!(frames(&pair.give(frame)).is_empty());
        }
        pair.pass(Duration::from_millis(50));
        for (leaf, frames) in pair.receiver.screens.due(pair.now) {
            assert_eq!((leaf, frames > 0), (alice, true));
            assert!(number >= 40, "the first two seconds may be on their way");
            named += 1;
        }
    }
    assert!((3..=4).contains(&named), "named {named} times in three seconds");
    assert_eq!(pair.link.counters.frames_without_leave, 200);
    assert!(!pair.link.counters.received.contains_key(&(alice, TrackKind::Screen)));
    let frame = pair.proven(TrackKind::Camera, 0, true);
    assert_eq!(frames(&pair.give(frame)), [0], "the camera needs no leave");

    pair.receiver.show_screen(Some(alice), &pair.neighbours, &mut pair.link, pair.now);
    let asks = pair.outputs().iter().any(|output| matches!(output, Output::Signal(ToRelay::NeedKeyFrame(_))));
    assert!(asks, "what was held back may have been the key frame");
    let frame = pair.proven(TrackKind::Screen, 100, true);
    assert_eq!(frames(&pair.give(frame)), [100]);
    pair.receiver.show_screen(None, &pair.neighbours, &mut pair.link, pair.now);
    let frame = pair.proven(TrackKind::Screen, 101, true);
    assert!(frames(&pair.give(frame)).is_empty());
    assert_eq!(pair.receiver.screens.due(pair.now), [], "what was under way when it ended is nobody's fault");
}
