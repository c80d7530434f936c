//! Paths in memory: many clients, one relay address, a virtual clock.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use conclave_transport::{Event, MAX_PACKET, Output, Path, Slot, Transmit, TransportError};

const STEP: Duration = Duration::from_millis(5);

fn relay_address() -> SocketAddr {
    "192.0.2.1:443".parse().unwrap()
}

fn client_address(number: usize) -> SocketAddr {
    format!("198.51.100.{}:{}", number % 200 + 1, 40_000 + number).parse().unwrap()
}

/// A client and the relay's end that belongs to it.
struct Pair {
    client: Path,
    relay: Path,
    client_packets: Vec<(Slot, Vec<u8>)>,
    relay_packets: Vec<(Slot, Vec<u8>)>,
    connected: [bool; 2],
}

impl Pair {
    fn new(number: usize, now: Instant) -> Self {
        let mut client = Path::client(now);
        client.add_local_address(client_address(number)).unwrap();
        let mut relay = Path::relay(&[relay_address()], now);
        let (offer, answer) = (client.local(), relay.local());
        relay.connect(&offer, now).unwrap();
        client.connect(&answer, now).unwrap();
        Self { client, relay, client_packets: vec![], relay_packets: vec![], connected: [false; 2] }
    }
}

/// Many pairs that share the relay's one address: its datagrams find their path by [`Path::accepts`] alone.
struct World {
    pairs: Vec<Pair>,
    now: Instant,
}

impl World {
    fn new(clients: usize) -> Self {
        let now = Instant::now();
        Self { pairs: (0..clients).map(|number| Pair::new(number, now)).collect(), now }
    }

    fn step(&mut self) {
        let mut wire = VecDeque::new();
        for pair in &mut self.pairs {
            pair.client.handle_timeout(self.now);
            pair.relay.handle_timeout(self.now);
        }
        self.drain(&mut wire);
        while let Some(Transmit { from, to, bytes }) = wire.pop_front() {
            let path = if to == relay_address() {
                let found = self.pairs.iter_mut().find(|pair| pair.relay.accepts(from, to, &bytes, self.now));
                &mut found.expect("one of the relay's paths accepts what a client sent").relay
            } else {
                let number = usize::from(to.port()) - 40_000;
                &mut self.pairs[number].client
            };
            path.handle_datagram(from, to, &bytes, self.now).unwrap();
            self.drain(&mut wire);
        }
        self.now += STEP;
    }

    fn drain(&mut self, wire: &mut VecDeque<Transmit>) {
        for pair in &mut self.pairs {
            let Pair { client, relay, client_packets, relay_packets, connected } = pair;
            let [client_up, relay_up] = connected;
            for (path, packets, up) in [(client, client_packets, client_up), (relay, relay_packets, relay_up)] {
                loop {
                    match path.poll_output() {
                        Output::Transmit(transmit) => wire.push_back(transmit),
                        Output::Packet { slot, payload } => packets.push((slot, payload.to_vec())),
                        Output::Event(Event::Connected) => *up = true,
                        Output::Event(_) => {}
                        Output::Wake(_) => break,
                    }
                }
            }
        }
    }

    fn run(&mut self, steps: usize) {
        (0..steps).for_each(|_| self.step());
    }

    fn connected(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.connected == [true, true]).count()
    }
}

#[test]
fn fifty_clients_of_one_relay_all_connect_twenty_times_in_a_row() {
    for round in 0..20 {
        let mut world = World::new(50);
        for _ in 0..200 {
            world.step();
            if world.connected() == 50 {
                break;
            }
        }
        assert_eq!(world.connected(), 50, "round {round}: every client must connect within a second");
    }
}

#[test]
fn packets_pass_in_every_slot_both_ways() {
    let mut world = World::new(2);
    world.run(100);
    assert_eq!(world.connected(), 2);
    let now = world.now;
    for pair in &mut world.pairs {
        for slot in Slot::all() {
            pair.client.send(slot, vec![1; MAX_PACKET], now).unwrap();
            pair.relay.send(slot, vec![2; 20], now).unwrap();
        }
    }
    world.run(100);
    for pair in &mut world.pairs {
        let mut up: Vec<_> = std::mem::take(&mut pair.relay_packets);
        up.sort();
        assert_eq!(up, Slot::all().map(|slot| (slot, vec![1; MAX_PACKET])).collect::<Vec<_>>());
        let mut down: Vec<_> = std::mem::take(&mut pair.client_packets);
        down.sort();
        assert_eq!(down, Slot::all().map(|slot| (slot, vec![2; 20])).collect::<Vec<_>>());
    }
}

#[test]
fn garbage_and_misuse_are_errors_and_the_path_lives_on() {
    let mut world = World::new(1);
    world.run(100);
    let now = world.now;
    let pair = &mut world.pairs[0];
    for garbage in [vec![], vec![0xff; 1400], vec![22; 60], vec![0x80; 40], vec![0; 20]] {
        let _ = pair.relay.handle_datagram(client_address(0), relay_address(), &garbage, now);
        let _ = pair.client.handle_datagram(relay_address(), client_address(0), &garbage, now);
    }
    assert!(pair.relay.handle_datagram(client_address(0), relay_address(), &[0xff; 30], now).is_err());
    assert_eq!(pair.client.send(Slot::Audio, vec![0; MAX_PACKET + 1], now), Err(TransportError::PacketTooLong(1151)));
    assert_eq!(pair.client.send(Slot::Video(9), vec![0], now), Err(TransportError::NoSuchSlot(Slot::Video(9))));
    pair.client.send(Slot::Audio, b"still here".to_vec(), now).unwrap();
    world.run(20);
    assert_eq!(world.pairs[0].relay_packets, [(Slot::Audio, b"still here".to_vec())]);
}

#[test]
fn a_certificate_other_than_the_announced_one_does_not_connect() {
    let mut world = World::new(1);
    let now = world.now;
    let pair = &mut world.pairs[0];
    pair.relay = Path::relay(&[relay_address()], now);
    let (offer, mut answer) = (pair.client.local(), pair.relay.local());
    answer.fingerprint[0] ^= 1;
    pair.client = Path::client(now);
    pair.client.add_local_address(client_address(0)).unwrap();
    let fresh = pair.client.local();
    assert_ne!(fresh.ufrag, offer.ufrag);
    pair.relay.connect(&fresh, now).unwrap();
    pair.client.connect(&answer, now).unwrap();
    for _ in 0..200 {
        let mut wire = VecDeque::new();
        world.pairs[0].client.handle_timeout(world.now);
        world.pairs[0].relay.handle_timeout(world.now);
        world.drain(&mut wire);
        while let Some(Transmit { from, to, bytes }) = wire.pop_front() {
            let pair = &mut world.pairs[0];
            let path = if to == relay_address() { &mut pair.relay } else { &mut pair.client };
            let _ = path.handle_datagram(from, to, &bytes, world.now);
            world.drain(&mut wire);
        }
        world.now += STEP;
    }
    assert!(!world.pairs[0].client.is_connected());
}
