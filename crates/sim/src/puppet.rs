//! A member whose keys the simulation holds: it follows the protocol by hand, up to the moment at which it does not.
//!
//! Whatever a member could seal, sign or commit, a puppet can; it believes in the rules that it is given. It has an
//! ideal line, so it is always first.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_e2ee::{Group, Leaf, Rules, Work};
use conclave_model::{
    Layer, LeafRef, PeerId, TrackKind,
    wire::{
        Descriptor, FrameHead,
        signal::{Commit, FromRelay, Refusal, ToRelay},
    },
};
use conclave_relay_core::ConnectionId;
use conclave_session::proofs::Prover;
use conclave_transport::{Output as PathOutput, Path, Slot, Transmit};

/// Between two signs of life, and between two frames of its voice.
const PULSE_INTERVAL: Duration = Duration::from_secs(2);
const VOICE_INTERVAL: Duration = Duration::from_millis(50);

/// Capture time and encoding delay of its frames, and that they need no other.
const TIMELESS: [u8; 13] = [0; 13];

/// What its frames contain: nobody else's begin so.
pub(crate) const TRUE_VOICE: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xfftrue";
pub(crate) const FALSE_VOICE: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xfffalse";

/// What a puppet does next.
pub(crate) enum Act {
    Say(ToRelay),
    Send(Transmit),
}

/// One frame as it is on the wire.
pub(crate) type Sealed = (FrameHead, Bytes);

/// A member in the hands of the simulation.
pub(crate) struct Puppet {
    pub(crate) address: SocketAddr,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) peer: PeerId,
    leaf: Option<Leaf>,
    pub(crate) group: Option<Group>,
    pub(crate) path: Path,
    pub(crate) signals: VecDeque<FromRelay>,
    pub(crate) datagrams: VecDeque<Transmit>,
    /// Connections, as the relay named them.
    pub(crate) arrivals: BTreeMap<LeafRef, (PeerId, Bytes)>,
    pub(crate) refused: Option<Refusal>,
    pub(crate) welcome: Option<Bytes>,
    /// Single packets of others' frames, as they came.
    pub(crate) heard: Vec<(Instant, Sealed)>,
    /// What it says next, in order.
    pub(crate) says: VecDeque<ToRelay>,
    /// Whether it talks, or shows itself, and truly.
    pub(crate) voice: Option<bool>,
    /// Whether that is its voice or its picture.
    pub(crate) track: TrackKind,
    /// Whether it objects to every commit.
    pub(crate) objects: bool,
    /// Whether it follows the commits of others.
    pub(crate) follows: bool,
    prover: Prover,
    number: u32,
    next_voice: Instant,
    next_pulse: Instant,
    path_due: Instant,
}

impl Puppet {
    pub(crate) fn new(leaf: Leaf, address: SocketAddr, now: Instant) -> Self {
        let mut path = Path::client(now);
        // The address is a plain one; where it is not taken, the puppet stays without media and its moves fail.
        let _: Result<(), _> = path.add_local_address(address);
        Self {
            address,
            connection: None,
            peer: PeerId(0),
            leaf: Some(leaf),
            group: None,
            path,
            signals: VecDeque::new(),
            datagrams: VecDeque::new(),
            arrivals: BTreeMap::new(),
            refused: None,
            welcome: None,
            heard: Vec::new(),
            says: VecDeque::new(),
            voice: None,
            track: TrackKind::Microphone,
            objects: false,
            follows: true,
            prover: Prover::default(),
            number: 0,
            next_voice: now,
            next_pulse: now,
            path_due: now,
        }
    }

    /// When it has something to do.
    pub(crate) fn next_event(&self, now: Instant) -> Instant {
        if !(self.signals.is_empty() && self.datagrams.is_empty() && self.says.is_empty()) {
            return now;
        }
        let voice = self.voice.filter(|_| self.group.is_some()).map(|_| self.next_voice);
        let pulse = self.group.as_ref().map(|_| self.next_pulse);
        voice.into_iter().chain(pulse).fold(self.path_due, Instant::min)
    }

    /// Takes in what came and does what is due.
    pub(crate) fn serve(&mut self, wall: u64, now: Instant) -> Vec<Act> {
        let mut acts = Vec::new();
        while let Some(signal) = self.signals.pop_front() {
            self.on_signal(signal, wall, now);
        }
        // A path holds one received packet at a time.
        while let Some(Transmit { from, to, bytes }) = self.datagrams.pop_front() {
            let _: Result<(), _> = self.path.handle_datagram(from, to, &bytes, now);
            self.drain(&mut acts, now);
        }
        if let Some(group) = &mut self.group
            && self.next_pulse <= now
        {
            self.next_pulse = now + PULSE_INTERVAL;
            if group.members().len() > 1 {
                self.says.push_back(ToRelay::Pulse(group.pulse()));
            }
        }
        if let Some(truly) = self.voice
            && self.next_voice <= now
            && self.group.is_some()
        {
            self.next_voice = now + VOICE_INTERVAL;
            let frame = if truly { self.speak(now) } else { self.next_frame(&[], FALSE_VOICE) };
            if let Some(frame) = frame {
                self.send(&frame, now);
            }
        }
        if self.path_due <= now {
            self.path.handle_timeout(now);
        }
        self.drain(&mut acts, now);
        acts.extend(self.says.drain(..).map(Act::Say));
        acts
    }

    /// Takes out of the path what it has.
    fn drain(&mut self, acts: &mut Vec<Act>, now: Instant) {
        loop {
            match self.path.poll_output() {
                PathOutput::Transmit(sent) => acts.push(Act::Send(sent)),
                PathOutput::Packet { payload, .. } => self.on_packet(&payload, now),
                PathOutput::Event(_) => {}
                PathOutput::Wake(due) => {
                    self.path_due = due;
                    return;
                }
            }
        }
    }

    fn on_signal(&mut self, signal: FromRelay, wall: u64, now: Instant) {
        match signal {
            FromRelay::Joined(joined) => {
                self.peer = joined.peer;
                let _: Result<(), _> = self.path.connect(&joined.transport, now);
            }
            FromRelay::Arrived(arrival) => {
                self.arrivals.insert(arrival.who.leaf, (arrival.who.peer, arrival.key_package));
            }
            FromRelay::Departed(who) => {
                self.arrivals.remove(&who.leaf);
            }
            FromRelay::Welcome { welcome, .. } => {
                self.group = self.leaf.take().and_then(|leaf| leaf.join(&welcome, wall).ok());
                self.welcome = Some(welcome);
                self.next_pulse = now;
            }
            FromRelay::Committed { epoch, commit, .. } => {
                if let Some(group) = &mut self.group
                    && self.follows
                    && group.handle_commit(epoch, &commit, &|_| true, wall).is_ok()
                {
                    let newest = group.epoch();
                    group.use_sending_epoch(newest);
                    group.forget_epochs_before(newest);
                    self.next_pulse = now;
                }
                if self.objects {
                    self.says.push_back(ToRelay::Object { epoch });
                }
            }
            FromRelay::CommitRefused { .. } => {
                if let Some(group) = &mut self.group {
                    group.commit_refused();
                }
            }
            FromRelay::Refused(why) => self.refused = Some(why),
            FromRelay::Broadcast { .. }
            | FromRelay::Pulse { .. }
            | FromRelay::Annulled { .. }
            | FromRelay::KeyFrameWanted { .. }
            | FromRelay::LayersWanted { .. }
            | FromRelay::Squeezed(_)
            | FromRelay::Resumed { .. }
            | FromRelay::Heard { .. }
            | FromRelay::Delayed(_)
            | FromRelay::Revocations(_) => {}
        }
    }

    fn on_packet(&mut self, payload: &Arc<[u8]>, now: Instant) {
        if let Ok((Descriptor { head, .. }, sealed)) = Descriptor::split(payload)
            && head.packets == 1
        {
            self.heard.push((now, (head, Bytes::copy_from_slice(sealed))));
        }
    }

    /// What it would commit, as its own rules allow it; `None` where they do not.
    pub(crate) fn make(&mut self, work: &Work, wall: u64) -> Option<Commit> {
        let group = self.group.as_mut()?;
        let made = group.commit(work, wall).ok()?.pending?;
        let added = made.added.iter().filter_map(|leaf| self.arrivals.get(leaf)).map(|(peer, _)| *peer).collect();
        Some(Commit { epoch: made.epoch, commit: made.commit, welcome: made.welcome, added })
    }

    /// From now on it goes by other rules.
    pub(crate) fn believe(&mut self, rules: Arc<Rules>) {
        if let Some(group) = &mut self.group {
            group.set_rules(rules);
        }
    }

    /// The next frame of its voice as an honest member sends it.
    fn speak(&mut self, now: Instant) -> Option<Sealed> {
        let group = self.group.as_ref()?;
        let epoch = group.sending_epoch();
        let sign = |statement: &[u8]| group.prove(statement);
        let proof = self.prover.due(self.track, Layer(0), 0.0, epoch, sign, now).unwrap_or_default();
        let (head, sealed) = self.next_frame(&proof, TRUE_VOICE)?;
        self.prover.sent(&head, &sealed, now);
        Some((head, sealed))
    }

    /// The next frame of its voice, sealed by its key.
    pub(crate) fn next_frame(&mut self, proof: &[u8], content: &[u8]) -> Option<Sealed> {
        let number = self.number;
        self.number = number.wrapping_add(1);
        let head = FrameHead {
            sender: self.peer,
            track: self.track,
            layer: Layer(0),
            number,
            key: true,
            discardable: false,
            packets: 1,
        };
        let length = u16::try_from(proof.len()).ok()?.to_be_bytes();
        let plaintext = [&TIMELESS[..], &length, proof, content].concat();
        let sealed = self.group.as_mut()?.seal_frame(&head, &plaintext).ok()?;
        Some((head, sealed))
    }

    /// Sends a frame over its own path.
    pub(crate) fn send(&mut self, (head, sealed): &Sealed, now: Instant) {
        let packet = [&Descriptor { head: *head, index: 0 }.to_bytes()[..], sealed].concat();
        let slot = if head.track.is_video() { Slot::Video(0) } else { Slot::Audio };
        if self.path.send(slot, packet, now).is_ok() {
            self.path_due = now;
        }
    }
}
