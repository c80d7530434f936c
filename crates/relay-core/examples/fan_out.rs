//! How many packets a relay core forwards in a second of CPU time: one sender, many receivers, in memory.
//!
//! `cargo run --release --example fan_out -- [receivers] [packets in a frame] [frames per second] [seconds]`. Time is
//! virtual, CPU time is that of the relay's calls alone (Linux: `schedstat`). Sockets are not part of it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement may stop at once, and prints")]

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use conclave_model::{
    Epoch, Layer, LeafRef, MeetingId, PeerId, TrackKind,
    wire::{
        Descriptor, FrameHead,
        signal::{Commit, FromRelay, Hello, ToRelay, TrackName, VERSION, Wish},
    },
};
use conclave_relay_core::{Admitted, ConnectionId, Output, Relay, RelayConfig};
use conclave_transport::{Output as PathOutput, Path, Slot, Transmit};

const STEP: Duration = Duration::from_micros(500);

struct Client {
    connection: ConnectionId,
    number: PeerId,
    path: Path,
    due: Instant,
    packets: u64,
}

struct World {
    relay: Relay,
    clients: Vec<Client>,
    by_address: HashMap<SocketAddr, usize>,
    wire: VecDeque<Transmit>,
    now: Instant,
    spent: Duration,
    sent: u64,
    wake: Instant,
}

fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn relay_address() -> SocketAddr {
    "192.0.2.1:7443".parse().unwrap()
}

impl World {
    fn relay<T>(&mut self, act: impl FnOnce(&mut Relay, Instant) -> T) -> T {
        let before = cpu();
        let result = act(&mut self.relay, self.now);
        let mut outputs = Vec::new();
        let wake = loop {
            let output = self.relay.poll_output();
            if let Output::Wake(at) = output {
                break at;
            }
            outputs.push(output);
        };
        self.spent += cpu() - before;
        self.wake = wake;
        for output in outputs {
            match output {
                Output::Transmit(transmit) => {
                    self.sent += 1;
                    self.wire.push_back(transmit);
                }
                Output::Signal(to, FromRelay::Joined(joined)) => {
                    let now = self.now;
                    let client = self.clients.iter_mut().find(|client| client.connection == to).unwrap();
                    client.number = joined.peer;
                    client.path.connect(&joined.transport, now).unwrap();
                    client.due = now;
                }
                Output::Signal(..) | Output::Disconnect(_) | Output::Wake(_) => {}
            }
        }
        result
    }

    fn join(&mut self, number: usize) {
        let address: SocketAddr = ([198, 51, 100, 1], 10_000 + u16::try_from(number).unwrap()).into();
        let mut path = Path::client(self.now);
        path.add_local_address(address).unwrap();
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let hello = Hello {
            version: VERSION,
            meeting: MeetingId([1; 16]),
            invitation: vec![].into(),
            leaf: LeafRef(id[..16].try_into().unwrap()),
            key_package: vec![1].into(),
            transport: path.local(),
            take_over: true,
        };
        let until = self.now + Duration::from_secs(36_000);
        let admitted = Admitted { fingerprint: id, hello, until, rank: None, opens: true };
        let connection = self.relay.open(admitted, self.now).unwrap();
        self.by_address.insert(address, self.clients.len());
        self.clients.push(Client { connection, number: PeerId(0), path, due: self.now, packets: 0 });
        self.relay(|_, _| ());
    }

    fn say(&mut self, client: usize, message: ToRelay) {
        let connection = self.clients[client].connection;
        self.relay(|relay, now| relay.handle_signal(connection, message, now));
    }

    /// One step of time: what is on the wire arrives, in batches as a socket gives them.
    fn step(&mut self) {
        self.now += STEP;
        let now = self.now;
        let mut inbound = Vec::new();
        for Transmit { from, to, bytes } in std::mem::take(&mut self.wire) {
            if to == relay_address() {
                inbound.push((from, bytes));
            } else if let Some(client) = self.by_address.get(&to).map(|index| &mut self.clients[*index]) {
                let _ = client.path.handle_datagram(from, to, &bytes, now);
                client.drain(&mut self.wire);
            }
        }
        for batch in inbound.chunks(64) {
            self.relay(|relay, now| {
                for (from, bytes) in batch {
                    relay.handle_datagram(*from, relay_address(), bytes, now);
                }
            });
        }
        if self.wake <= now {
            self.relay(|relay, now| relay.handle_timeout(now));
        }
        for client in &mut self.clients {
            if client.due <= now {
                client.path.handle_timeout(now);
                client.drain(&mut self.wire);
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }
}

impl Client {
    fn drain(&mut self, wire: &mut VecDeque<Transmit>) {
        loop {
            match self.path.poll_output() {
                PathOutput::Transmit(transmit) => wire.push_back(transmit),
                PathOutput::Packet { .. } => self.packets += 1,
                PathOutput::Event(_) => {}
                PathOutput::Wake(at) => {
                    self.due = at;
                    return;
                }
            }
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let receivers = arguments.next().unwrap_or(100);
    let burst = arguments.next().unwrap_or(4);
    let rate = arguments.next().unwrap_or(30);
    let seconds = arguments.next().unwrap_or(5);
    let now = Instant::now();
    let config = RelayConfig { addresses: vec![relay_address()], max_peers: 1000, max_peers_per_meeting: 256 };
    let mut world = World {
        relay: Relay::new(config, now),
        clients: Vec::new(),
        by_address: HashMap::new(),
        wire: VecDeque::new(),
        now,
        spent: Duration::ZERO,
        sent: 0,
        wake: now,
    };
    (0..=usize::try_from(receivers).unwrap()).for_each(|number| world.join(number));
    let added = world.clients.iter().skip(1).map(|client| client.number).collect();
    let commit = Commit { epoch: Epoch(0), commit: vec![1].into(), welcome: Some(vec![1].into()), added };
    world.say(0, ToRelay::Commit(commit));
    world.run(Duration::from_secs(1));
    let track = TrackName { peer: world.clients[0].number, track: TrackKind::Camera };
    for client in 1..world.clients.len() {
        world.say(client, ToRelay::Wishes(vec![Wish { track, height: 720 }]));
    }
    world.run(Duration::from_secs(1));
    let before = world.relay.counters();
    (world.spent, world.sent) = (Duration::ZERO, 0);
    let received: u64 = world.clients.iter().map(|client| client.packets).sum();
    let packets = u16::try_from(burst).unwrap();
    for number in 0..u32::try_from(rate * seconds).unwrap() {
        for index in 0..packets {
            let head = FrameHead {
                sender: track.peer,
                track: TrackKind::Camera,
                layer: Layer(0),
                number,
                key: number == 0,
                discardable: false,
                packets,
            };
            let mut packet = Descriptor { head, index }.to_bytes().to_vec();
            packet.resize(1100, 7);
            world.clients[0].path.send(Slot::Video(0), packet, world.now).unwrap();
        }
        world.clients[0].due = world.now;
        world.run(Duration::from_secs(1) / u32::try_from(rate).unwrap());
    }
    world.run(Duration::from_secs(1));
    let after = world.relay.counters();
    let forwarded = after.packets_forwarded - before.packets_forwarded;
    let received = world.clients.iter().map(|client| client.packets).sum::<u64>() - received;
    let each = world.spent.as_secs_f64() * 1e6 / forwarded as f64;
    println!("receivers {receivers}, {burst} packets a frame, {rate} frames a second");
    assert_eq!(received, receivers * rate * seconds * burst, "everybody gets everything");
    println!("forwarded {forwarded}, received {received}, datagrams out {}", world.sent);
    println!("{each:.2} us of CPU a packet: {:.0} packets/s", 1e6 / each);
}
