//! A real session with a relay and another member in the hands of a test.
#![allow(clippy::unwrap_used, reason = "what is not under test works")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_e2ee::{Group, Leaf, Rules, Work};
use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::{
    Level, PeerId,
    wire::{
        Descriptor, FrameHead,
        signal::{Commit, FromRelay, Joined, Neighbour, ToRelay},
    },
};
use conclave_session::{Command, EndReason, Event, Input, MemberState, Output, Session, SessionConfig, SourceState};
use conclave_transport::{Output as PathOutput, Path, Slot};

/// Now, in seconds since 1970-01-01 UTC.
pub const WALL: u64 = 1_800_000_000;

const RELAY: ([u8; 4], u16) = ([10, 0, 0, 200], 7443);
const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 5000);

/// The number of the session's connection.
const ME: PeerId = PeerId(20);

/// The number of the other member's connection.
pub const PEER: PeerId = PeerId(10);

/// A session that is a member beside one other, whose group the test holds.
pub struct Stage {
    /// The session.
    pub session: Session,
    /// The other member.
    pub other: Group,
    /// What the session said to the members, sealed.
    pub heard: Vec<Bytes>,
    /// Why the session is over, if it is.
    pub ended: Option<EndReason>,
    relay: Path,
    now: Instant,
}

impl Stage {
    /// Admits the session and connects its media path, in some 50 ms.
    pub fn new() -> Self {
        let rehearsal = Rehearsal::new(&RehearsalSpec::new(2, WALL)).unwrap();
        let rules = Rules::new(rehearsal.invitation.clone(), rehearsal.holders[0].root().clone());
        let mut other = Leaf::new(&rehearsal.holders[0], rules).unwrap().create(WALL).unwrap();
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
        let state = MemberState { microphone: SourceState::On, ..MemberState::default() };
        session.handle_input(Input::Command(Command::Announce(state)), now).unwrap();
        let Output::Signal(ToRelay::Hello(hello)) = session.poll_output() else { panic!("no hello") };
        let mut relay = Path::relay(&[SocketAddr::from(RELAY)], now);
        relay.connect(&hello.transport, now).unwrap();
        let work = Work { add: vec![(hello.leaf, hello.key_package)], ..Work::default() };
        let pending = other.commit(&work, WALL).unwrap().pending.unwrap();
        other.commit_accepted().unwrap();
        other.use_sending_epoch(other.epoch());
        let neighbours = vec![Neighbour { peer: PEER, leaf: other.members()[0].reference }];
        let transport = relay.local();
        let joined = Joined { peer: ME, transport, create: false, neighbours, revocations: Vec::new() };
        let mut stage = Self { session, other, heard: Vec::new(), ended: None, relay, now };
        stage.signal(FromRelay::Joined(joined));
        let epoch = stage.other.epoch();
        stage.signal(FromRelay::Welcome { epoch, welcome: pending.welcome.unwrap() });
        for _ in 0..400 {
            stage.pass(Duration::from_millis(5));
        }
        assert!(stage.relay.is_connected() && !stage.session.is_over());
        stage
    }

    /// The relay says something.
    pub fn signal(&mut self, signal: FromRelay) {
        // Whatever it is: an error is an answer.
        self.session.handle_input(Input::Signal(signal), self.now).ok();
        while self.exchange() {}
    }

    /// The relay sends a packet.
    pub fn packet(&mut self, slot: Slot, packet: &[u8]) {
        // Longer ones do not exist.
        self.relay.send(slot, packet, self.now).ok();
    }

    /// The other member seals a frame of one packet, which the relay sends.
    pub fn frame(&mut self, head: FrameHead, plaintext: &[u8]) {
        let head = FrameHead { packets: 1, ..head };
        let Ok(sealed): Result<Bytes, _> = self.other.seal_frame(&head, plaintext) else { return };
        let packet = [&Descriptor { head, index: 0 }.to_bytes()[..], &sealed].concat();
        self.packet(if head.track.is_video() { Slot::Video(0) } else { Slot::Audio }, &packet);
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.relay.handle_timeout(self.now);
        self.session.handle_input(Input::Timeout, self.now).ok();
        while self.exchange() {}
    }

    /// The session renews its keys now and then; it would not wait for ever for the relay to say so.
    fn on_commit(&mut self, Commit { epoch, commit, .. }: Commit) {
        if self.other.handle_commit(epoch, &commit, &|_| true, WALL).is_ok() {
            self.other.use_sending_epoch(self.other.epoch());
            let signal = FromRelay::Committed { epoch, from: ME, commit };
            self.session.handle_input(Input::Signal(signal), self.now).ok();
        }
    }

    fn exchange(&mut self) -> bool {
        let mut moved = false;
        loop {
            match self.session.poll_output() {
                Output::Transmit(sent) => {
                    self.relay.handle_datagram(sent.from, sent.to, &sent.bytes, self.now).ok();
                    moved = true;
                }
                Output::Signal(ToRelay::Commit(commit)) => {
                    self.on_commit(commit);
                    moved = true;
                }
                Output::Signal(ToRelay::Broadcast(message)) if self.heard.len() < 16 => self.heard.push(message),
                Output::Event(Event::Ended(reason)) => self.ended = Some(reason),
                Output::Event(_) | Output::RemoteFrame(_) | Output::Signal(_) => {}
                Output::Wake(_) => break,
            }
        }
        loop {
            match self.relay.poll_output() {
                PathOutput::Transmit(sent) => {
                    let (from, to) = (SocketAddr::from(RELAY), SocketAddr::from(CLIENT));
                    self.session.handle_input(Input::Datagram { from, to, bytes: &sent.bytes }, self.now).ok();
                    moved = true;
                }
                PathOutput::Packet { .. } | PathOutput::Event(_) => {}
                PathOutput::Wake(_) => return moved,
            }
        }
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}
