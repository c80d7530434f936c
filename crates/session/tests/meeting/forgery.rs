//! A member that colludes with the relay and seals frames in another's name.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_e2ee::{Group, Leaf, Rules, Work};
use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::{
    Layer, LeafIndex, Level, PeerId, TrackKind,
    wire::{
        Descriptor, FrameHead,
        signal::{FromRelay, Joined, Neighbour, ToRelay},
    },
};
use conclave_session::{Event, Input, Output, RemoteFrame, Session, SessionConfig, proofs::Prover};
use conclave_transport::{Output as PathOutput, Path, Slot};

use crate::world::{WALL, World};

const TICK: Duration = Duration::from_millis(20);
const TRUE: &[u8] = b"yes";
const FORGED: &[u8] = b"no!";

/// A member whose keys the test holds: whatever any member could seal in its name, the test can.
struct Puppet {
    group: Group,
    peer: PeerId,
    prover: Prover,
    numbers: BTreeMap<TrackKind, u32>,
}

impl Puppet {
    fn new(group: Group, peer: u16) -> Self {
        Self { group, peer: PeerId(peer), prover: Prover::default(), numbers: BTreeMap::new() }
    }

    fn seal(&mut self, track: TrackKind, number: u32, proof: &[u8], content: &[u8]) -> (FrameHead, Bytes) {
        let (sender, layer) = (self.peer, Layer(0));
        let key = !track.is_video() || number == 0;
        let head = FrameHead { sender, track, layer, number, key, discardable: false, packets: 1 };
        let length = u16::try_from(proof.len()).unwrap().to_be_bytes();
        let plaintext = [&[0; 12][..], &[u8::from(!key)], &length, proof, content].concat();
        (head, self.group.seal_frame(&head, &plaintext).unwrap())
    }

    /// The next true frame of a track.
    fn speak(&mut self, track: TrackKind, now: Instant) -> (FrameHead, Bytes) {
        let epoch = self.group.sending_epoch();
        let prove = |statement: &[u8]| self.group.prove(statement);
        let proof = self.prover.due(track, Layer(0), 0.0, epoch, prove, now).unwrap_or_default();
        let number = self.numbers.entry(track).or_default();
        let next = *number;
        *number += 1;
        let (head, sealed) = self.seal(track, next, &proof, TRUE);
        self.prover.sent(&head, &sealed, now);
        (head, sealed)
    }
}

/// The victim, a bystander, a relay in the test's hands, and an honest session.
struct Stage {
    now: Instant,
    relay: Path,
    session: Session,
    victim: Puppet,
    bystander: Puppet,
    events: Vec<Event>,
    frames: Vec<RemoteFrame>,
}

const RELAY: ([u8; 4], u16) = ([10, 0, 0, 200], 7443);
const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 5000);

/// Alters a sealed frame on its way.
type Tamper<'a> = dyn FnMut(&mut Puppet, (FrameHead, Bytes)) -> (FrameHead, Bytes) + 'a;

impl Stage {
    fn new() -> Self {
        let rehearsal = Rehearsal::new(&RehearsalSpec::new(3, WALL)).unwrap();
        let rules = Rules::new(rehearsal.invitation.clone(), rehearsal.holders[0].root().clone());
        let mut victim = Leaf::new(&rehearsal.holders[0], rules.clone()).unwrap().create(WALL).unwrap();
        let bystander = Leaf::new(&rehearsal.holders[2], rules).unwrap();

        let now = Instant::now();
        let config = SessionConfig {
            holder: rehearsal.holders[1].clone(),
            invitation: rehearsal.invitation.clone(),
            wall: WALL,
            ceiling: Level::TopSecret,
            memory: None,
            take_over: true,
        };
        let mut session = Session::new(config, SocketAddr::from(CLIENT), now).unwrap();
        let Output::Signal(ToRelay::Hello(hello)) = session.poll_output() else { panic!("no hello") };
        let mut relay = Path::relay(&[SocketAddr::from(RELAY)], now);
        relay.connect(&hello.transport, now).unwrap();

        let add = vec![(hello.leaf, hello.key_package), (bystander.reference(), bystander.key_package())];
        let pending = victim.commit(&Work { add, ..Work::default() }, WALL).unwrap().pending.unwrap();
        victim.commit_accepted().unwrap();
        victim.use_sending_epoch(victim.epoch());
        let welcome = pending.welcome.unwrap();
        let neighbours = vec![
            Neighbour { peer: PeerId(10), leaf: victim.members()[0].reference },
            Neighbour { peer: PeerId(30), leaf: bystander.reference() },
        ];
        let transport = relay.local();
        let joined = Joined { peer: PeerId(20), transport, create: false, neighbours, revocations: Vec::new() };
        session.handle_input(Input::Signal(FromRelay::Joined(joined)), now).unwrap();
        let epoch = victim.epoch();
        session.handle_input(Input::Signal(FromRelay::Welcome { epoch, welcome: welcome.clone() }), now).unwrap();
        let bystander = Puppet::new(bystander.join(&welcome, WALL).unwrap(), 30);
        let victim = Puppet::new(victim, 10);
        let mut stage = Self { now, relay, session, victim, bystander, events: Vec::new(), frames: Vec::new() };
        for _ in 0..100 {
            stage.pass();
        }
        assert!(stage.relay.is_connected());
        stage
    }

    /// The relay gives the session a frame.
    fn give(&mut self, (head, sealed): (FrameHead, Bytes)) {
        let slot = if head.track.is_video() { Slot::Video(0) } else { Slot::Audio };
        let packet = [&Descriptor { head, index: 0 }.to_bytes()[..], &sealed].concat();
        self.relay.send(slot, packet, self.now).unwrap();
    }

    /// Lets 20 ms pass.
    fn pass(&mut self) {
        for _ in 0..4 {
            self.now += TICK / 4;
            self.relay.handle_timeout(self.now);
            self.session.handle_input(Input::Timeout, self.now).unwrap();
            while self.exchange() {}
        }
    }

    fn exchange(&mut self) -> bool {
        let mut moved = false;
        loop {
            match self.session.poll_output() {
                Output::Transmit(sent) => {
                    self.relay.handle_datagram(sent.from, sent.to, &sent.bytes, self.now).unwrap();
                    moved = true;
                }
                Output::Event(event) => self.events.push(event),
                Output::RemoteFrame(frame) => self.frames.push(frame),
                Output::Signal(_) => {}
                Output::Wake(_) => break,
            }
        }
        loop {
            match self.relay.poll_output() {
                PathOutput::Transmit(sent) => {
                    let (from, to) = (SocketAddr::from(RELAY), SocketAddr::from(CLIENT));
                    self.session.handle_input(Input::Datagram { from, to, bytes: &sent.bytes }, self.now).unwrap();
                    moved = true;
                }
                PathOutput::Packet { .. } | PathOutput::Event(_) => {}
                PathOutput::Wake(_) => return moved,
            }
        }
    }

    /// One round in which everybody speaks; `tamper` decides what the relay passes on of the victim's voice.
    fn round(&mut self, tamper: &mut Tamper<'_>) {
        let voice = self.victim.speak(TrackKind::Microphone, self.now);
        let voice = tamper(&mut self.victim, voice);
        let others =
            [self.victim.speak(TrackKind::Camera, self.now), self.bystander.speak(TrackKind::Microphone, self.now)];
        self.give(voice);
        others.into_iter().for_each(|frame| self.give(frame));
        self.pass();
    }

    fn received(&self, leaf: LeafIndex, track: TrackKind, content: &[u8]) -> usize {
        let is_it = |frame: &&RemoteFrame| frame.from == leaf && frame.track == track && frame.frame.data == content;
        self.frames.iter().filter(is_it).count()
    }

    fn forged(&self) -> Vec<(LeafIndex, TrackKind)> {
        let track = |event: &Event| match event {
            Event::TrackForged { leaf, track } => Some((*leaf, *track)),
            _ => None,
        };
        self.events.iter().filter_map(track).collect()
    }
}

/// Replaces the victim's words from some frame on; returns how long it took to be found, and how many false frames were
/// played until then.
fn words_are_replaced(is_replaced: impl Fn(u32) -> bool) -> (Duration, usize) {
    let mut stage = Stage::new();
    let (victim, bystander) = (stage.victim.group.me(), stage.bystander.group.me());
    for _ in 0..100 {
        stage.round(&mut |_, frame| frame);
    }
    assert_eq!(stage.forged(), [], "honest talk is not forged");
    assert_eq!(stage.received(victim, TrackKind::Microphone, TRUE), 100);

    let begun = stage.now;
    let mut round = 0;
    let mut tamper = |victim: &mut Puppet, (head, sealed): (FrameHead, Bytes)| {
        round += 1;
        let is_replaced = is_replaced(round - 1);
        if is_replaced { victim.seal(head.track, head.number, b"", FORGED) } else { (head, sealed) }
    };
    while stage.forged().is_empty() {
        assert!(stage.now - begun < Duration::from_secs(20), "never found");
        stage.round(&mut tamper);
    }
    let took = stage.now - begun;
    assert_eq!(stage.forged(), [(victim, TrackKind::Microphone)]);
    let played = stage.received(victim, TrackKind::Microphone, FORGED);

    stage.frames.clear();
    for _ in 0..100 {
        stage.round(&mut tamper);
    }
    assert_eq!(stage.forged(), [(victim, TrackKind::Microphone)], "named once, and nobody else is");
    assert!(!stage.frames.iter().any(|frame| (frame.from, frame.track) == (victim, TrackKind::Microphone)));
    assert_eq!(stage.received(victim, TrackKind::Camera, TRUE), 100);
    assert_eq!(stage.received(bystander, TrackKind::Microphone, TRUE), 100);
    (took, played)
}

#[test]
fn one_replaced_word_is_found_by_the_next_proof() {
    let (took, played) = words_are_replaced(|round| round < 8);
    assert!(took < Duration::from_millis(400), "{took:?}");
    assert!(played <= 8);
}

#[test]
fn a_voice_that_is_replaced_for_good_is_found_soon() {
    let (took, played) = words_are_replaced(|_| true);
    assert!(took <= Duration::from_millis(1040), "{took:?}");
    assert!(played <= 51, "{played}");
}

#[test]
fn loss_and_changes_of_keys_in_a_whole_meeting_are_not_called_forgery() {
    for loss in [50, 200, 400] {
        let mut world = World::assembled(3);
        world.loss = loss;
        world.run(Duration::from_secs(6));
        world.vanish(2);
        world.run(Duration::from_secs(2));
        world.loss = 0;
        world.join(2);
        world.run(Duration::from_secs(4));
        for (number, seat) in world.seats.iter().enumerate() {
            let forged = seat.events.iter().find(|event| matches!(event, Event::TrackForged { .. }));
            assert_eq!(forged, None, "to {number} at {loss} per thousand");
        }
    }
}
