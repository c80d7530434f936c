//! Scripted clients with real media paths, and the wire between them and the relay.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_model::{
    Bitrate, Epoch, Layer, LeafRef, MeetingId, PeerId, TrackKind,
    wire::{
        Descriptor, FrameHead,
        signal::{Commit, FromRelay, Hello, Joined, Refusal, ToRelay, TrackName, VERSION, Wish},
    },
};
use conclave_relay_core::{Admitted, ConnectionId, Output, Relay, RelayConfig};
use conclave_transport::{Event, Output as PathOutput, Path, Slot, Transmit};

const STEP: Duration = Duration::from_millis(5);
pub(crate) const MEETING: MeetingId = MeetingId([1; 16]);

pub(crate) fn relay_address() -> SocketAddr {
    "192.0.2.1:7443".parse().unwrap()
}

pub(crate) struct Client {
    pub(crate) connection: ConnectionId,
    pub(crate) number: PeerId,
    pub(crate) leaf: LeafRef,
    pub(crate) address: SocketAddr,
    pub(crate) path: Path,
    /// What the relay said and [`Room::heard`] has not taken yet.
    said: Vec<FromRelay>,
    /// Packets that came, with the slot.
    pub(crate) packets: Vec<(Slot, Vec<u8>)>,
    /// When each of them came.
    pub(crate) arrived: Vec<Instant>,
    pub(crate) is_cut: bool,
    /// When its path is to be woken.
    wake: Instant,
    /// What its path says that the line carries, once it says so.
    pub(crate) estimate: Option<Bitrate>,
}

/// A relay and clients.
pub(crate) struct Room {
    pub(crate) relay: Relay,
    pub(crate) clients: Vec<Client>,
    pub(crate) began: Instant,
    pub(crate) now: Instant,
    /// The last STUN message of the first client.
    pub(crate) stun: Vec<u8>,
    /// What every datagram meets, both ways.
    pub(crate) line: Line,
    /// What the line to a client carries; any rate where nothing stands here.
    pub(crate) downlinks: BTreeMap<SocketAddr, Downlink>,
    /// What is under way, by the moment of its arrival and in the order in which it was sent.
    wire: BTreeMap<(Instant, u64), Transmit>,
    sent: u64,
    /// When the relay is to be woken.
    wake: Instant,
    leaves: u8,
}

/// A line that delays all datagrams and loses some.
#[derive(Clone, Copy, Default)]
pub(crate) struct Line {
    pub(crate) delay: Duration,
    /// Of a hundred datagrams.
    pub(crate) lost: u32,
    pub(crate) state: u64,
}

/// The narrow part of a line: what does not pass at once waits its turn, and what would wait too long is dropped.
#[derive(Clone, Copy)]
pub(crate) struct Downlink {
    pub(crate) rate: Bitrate,
    free: Option<Instant>,
    /// Bytes that came to it, and that it dropped.
    pub(crate) bytes: [usize; 2],
}

impl Downlink {
    /// How long a datagram may wait at most, as in a home router.
    const QUEUE: Duration = Duration::from_millis(300);

    pub(crate) fn new(rate: Bitrate) -> Self {
        Self { rate, free: None, bytes: [0; 2] }
    }

    /// When a datagram has passed that comes now; `None` where it is dropped.
    fn pass(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        let free = self.free.map_or(now, |free| free.max(now));
        self.bytes[0] += bytes + 28;
        if free - now > Self::QUEUE {
            self.bytes[1] += bytes + 28;
            return None;
        }
        let bits = (bytes + 28) as f64 * 8.0;
        let passed = free + Duration::from_secs_f64(bits / self.rate.as_bps() as f64);
        self.free = Some(passed);
        Some(passed)
    }
}

impl Line {
    /// Whether the next datagram is lost: Knuth's linear congruential generator, so that every run is the same.
    fn loses(&mut self) -> bool {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33 & 0xffff < u64::from(self.lost) * 0x1_0000 / 100
    }
}

impl Room {
    pub(crate) fn new() -> Self {
        Self::with_limits(100, 50)
    }

    pub(crate) fn with_limits(max_peers: usize, max_peers_per_meeting: usize) -> Self {
        let now = Instant::now();
        let config = RelayConfig { addresses: vec![relay_address()], max_peers, max_peers_per_meeting };
        Self {
            relay: Relay::new(config, now),
            clients: Vec::new(),
            began: now,
            now,
            stun: Vec::new(),
            line: Line::default(),
            downlinks: BTreeMap::new(),
            wire: BTreeMap::new(),
            sent: 0,
            wake: now,
            leaves: 0,
        }
    }

    pub(crate) fn admitted(&mut self, person: u8) -> (Admitted, Path, SocketAddr) {
        self.leaves += 1;
        let address: SocketAddr = format!("198.51.100.{}:{}", self.leaves, 40_000).parse().unwrap();
        let mut path = Path::client(self.now);
        path.add_local_address(address).unwrap();
        let hello = Hello {
            version: VERSION,
            meeting: MEETING,
            invitation: Bytes::from_static(b"checked by the driver"),
            leaf: LeafRef([self.leaves; 16]),
            key_package: vec![self.leaves; 20].into(),
            transport: path.local(),
            take_over: true,
        };
        let until = self.now + Duration::from_secs(3600);
        (Admitted { fingerprint: [person; 32], hello, until, rank: None, opens: true }, path, address)
    }

    /// Somebody connects; returns the number of the client.
    pub(crate) fn join(&mut self, person: u8) -> usize {
        self.try_join(person, |_| {}).unwrap()
    }

    pub(crate) fn try_join(&mut self, person: u8, change: impl FnOnce(&mut Admitted)) -> Result<usize, Refusal> {
        let (mut admitted, path, address) = self.admitted(person);
        change(&mut admitted);
        let leaf = admitted.hello.leaf;
        let connection = self.relay.open(admitted, self.now)?;
        let number = PeerId(0);
        let (said, packets, arrived) = (Vec::new(), Vec::new(), Vec::new());
        self.clients.push(Client {
            connection,
            number,
            leaf,
            address,
            path,
            said,
            packets,
            arrived,
            is_cut: false,
            wake: self.now,
            estimate: None,
        });
        self.settle();
        let client = self.clients.last_mut().unwrap();
        let Some(FromRelay::Joined(Joined { peer, transport, .. })) = client.said.first() else {
            panic!("the first thing to hear is Joined: {:?}", client.said);
        };
        client.number = *peer;
        client.path.connect(transport, self.now).unwrap();
        self.settle();
        Ok(self.clients.len() - 1)
    }

    /// A meeting of members whose media paths are up. What they heard so far is forgotten.
    pub(crate) fn with_members(count: u8) -> Self {
        let mut room = Self::new();
        for person in 0..count {
            room.join(person);
        }
        if count > 1 {
            let added: Vec<usize> = (1..usize::from(count)).collect();
            room.commit(0, 0, &added);
        }
        room.run(Duration::from_millis(700));
        for client in &mut room.clients {
            assert!(client.path.is_connected(), "{} has no media path", client.number);
            client.said.clear();
        }
        room
    }

    pub(crate) fn say(&mut self, client: usize, message: ToRelay) {
        self.relay.handle_signal(self.clients[client].connection, message, self.now);
        self.settle();
    }

    pub(crate) fn commit(&mut self, client: usize, epoch: u64, added: &[usize]) {
        let commit = self.make_commit(epoch, added);
        self.say(client, ToRelay::Commit(commit));
    }

    pub(crate) fn make_commit(&self, epoch: u64, added: &[usize]) -> Commit {
        Commit {
            epoch: Epoch(epoch),
            commit: format!("commit that ends {epoch}").into(),
            welcome: (!added.is_empty()).then(|| format!("welcome to {}", epoch + 1).into()),
            added: added.iter().map(|client| self.clients[*client].number).collect(),
        }
    }

    /// The connection breaks.
    pub(crate) fn cut(&mut self, client: usize) {
        self.relay.close(self.clients[client].connection, self.now);
        self.clients[client].is_cut = true;
        self.settle();
    }

    /// What the relay said to a client since the last call.
    pub(crate) fn heard(&mut self, client: usize) -> Vec<FromRelay> {
        std::mem::take(&mut self.clients[client].said)
    }

    pub(crate) fn wish(&mut self, client: usize, of: &[(usize, u16)]) {
        let wish = |(publisher, height): &(usize, u16)| Wish { track: self.camera(*publisher), height: *height };
        let wishes = of.iter().map(wish).collect();
        self.say(client, ToRelay::Wishes(wishes));
    }

    pub(crate) fn camera(&self, client: usize) -> TrackName {
        TrackName { peer: self.clients[client].number, track: TrackKind::Camera }
    }

    /// A packet as the client's own packetizer writes it.
    pub(crate) fn packet(&self, client: usize, track: TrackKind, number: u32, key: bool) -> Vec<u8> {
        let sender = self.clients[client].number;
        let head = FrameHead { sender, track, layer: Layer(0), number, key, discardable: false, packets: 1 };
        let mut packet = Descriptor { head, index: 0 }.to_bytes().to_vec();
        packet.extend_from_slice(b"ciphertext");
        packet
    }

    pub(crate) fn send(&mut self, client: usize, packet: &[u8]) {
        let slot = if packet[1] == 0 { Slot::Audio } else { Slot::Video(3) };
        self.clients[client].path.send(slot, packet, self.now).unwrap();
    }

    /// The frame numbers of the packets that a client received since the last call, in order of arrival.
    pub(crate) fn frames(&mut self, client: usize) -> Vec<(PeerId, TrackKind, u32)> {
        let packets = std::mem::take(&mut self.clients[client].packets);
        self.clients[client].arrived.clear();
        let head = |(_, packet): &(Slot, Vec<u8>)| Descriptor::split(packet).unwrap().0.head;
        packets.iter().map(head).map(|head| (head.sender, head.track, head.number)).collect()
    }

    /// Lets time pass, in small steps.
    pub(crate) fn run(&mut self, time: Duration) {
        self.run_in_steps(time, STEP);
    }

    pub(crate) fn run_in_steps(&mut self, time: Duration, step: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += step;
            self.relay.handle_timeout(self.now);
            for client in &mut self.clients {
                client.path.handle_timeout(self.now);
            }
            self.settle();
        }
    }

    /// Lets time pass, from one thing that is due to the next, as exactly as anybody asks for it.
    pub(crate) fn run_exactly(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let clients = self.clients.iter().filter(|client| !client.is_cut).map(|client| client.wake);
            let wire = self.wire.first_key_value().map(|((arrival, _), _)| *arrival);
            let next = clients.chain(wire).fold(self.wake, Instant::min);
            if next >= end {
                break;
            }
            self.now = self.now.max(next);
            self.do_what_is_due();
        }
        self.now = end;
        self.do_what_is_due();
    }

    fn do_what_is_due(&mut self) {
        if self.wake <= self.now {
            self.relay.handle_timeout(self.now);
        }
        for client in self.clients.iter_mut().filter(|client| client.wake <= self.now) {
            client.path.handle_timeout(self.now);
        }
        self.settle();
    }

    /// Carries what is due to where it goes until nothing more happens at this moment.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut sent = Vec::new();
            self.drain_relay(&mut sent);
            for client in &mut self.clients {
                client.drain(&mut sent, self.now);
            }
            for transmit in sent {
                if self.line.loses() {
                    continue;
                }
                let passed = match self.downlinks.get_mut(&transmit.to) {
                    Some(downlink) => downlink.pass(transmit.bytes.len(), self.now),
                    None => Some(self.now),
                };
                if let Some(passed) = passed {
                    self.sent += 1;
                    self.wire.insert((passed + self.line.delay, self.sent), transmit);
                }
            }
            match self.wire.pop_first() {
                Some(((arrival, _), transmit)) if arrival <= self.now => self.deliver(transmit),
                Some((later, transmit)) => {
                    self.wire.insert(later, transmit);
                    return;
                }
                None => return,
            }
        }
    }

    fn deliver(&mut self, transmit: Transmit) {
        let Transmit { from, to, bytes } = transmit;
        if to == relay_address() {
            if bytes[0] < 4 && from == self.clients[0].address {
                self.stun.clone_from(&bytes);
            }
            self.relay.handle_datagram(from, to, &bytes, self.now);
        } else if let Some(client) = self.clients.iter_mut().find(|client| client.address == to && !client.is_cut) {
            // A path that its owner closed may refuse.
            let _ = client.path.handle_datagram(from, to, &bytes, self.now);
        }
    }

    fn drain_relay(&mut self, wire: &mut Vec<Transmit>) {
        loop {
            match self.relay.poll_output() {
                Output::Transmit(transmit) => wire.push(transmit),
                Output::Signal(to, message) => {
                    let client = self.clients.iter_mut().find(|client| client.connection == to).unwrap();
                    assert!(!client.is_cut, "a closed connection hears {message:?}");
                    client.said.push(message);
                }
                Output::Disconnect(connection) => {
                    let client = self.clients.iter_mut().find(|client| client.connection == connection).unwrap();
                    assert!(!client.is_cut, "closed twice");
                    client.is_cut = true;
                }
                Output::Wake(at) => {
                    assert!(at > self.now - Duration::from_secs(1));
                    self.wake = at;
                    return;
                }
            }
        }
    }
}

impl Client {
    fn drain(&mut self, wire: &mut Vec<Transmit>, now: Instant) {
        loop {
            match self.path.poll_output() {
                PathOutput::Transmit(transmit) if !self.is_cut => wire.push(transmit),
                PathOutput::Packet { slot, payload } => {
                    self.packets.push((slot, payload.to_vec()));
                    self.arrived.push(now);
                }
                PathOutput::Event(Event::Estimate(rate)) => self.estimate = Some(rate),
                PathOutput::Transmit(_) | PathOutput::Event(_) => {}
                PathOutput::Wake(at) => {
                    self.wake = at;
                    return;
                }
            }
        }
    }
}
