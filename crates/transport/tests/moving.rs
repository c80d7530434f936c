//! A client that changes its address while media flow.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use conclave_transport::{Event, Output, Path, Slot, Transmit, TransportError};

const STEP: Duration = Duration::from_millis(5);

/// From one end to the other.
const DELAY: Duration = Duration::from_millis(20);

fn relay_address() -> SocketAddr {
    "192.0.2.1:443".parse().unwrap()
}

fn client_address(network: u8) -> SocketAddr {
    format!("198.51.{network}.7:40000").parse().unwrap()
}

/// A client, the relay's end, and a line between them that reaches one address of the client's.
struct World {
    client: Path,
    relay: Path,
    /// The client's address that works.
    address: SocketAddr,
    is_dead: bool,
    now: Instant,
    wire: VecDeque<(Instant, Transmit)>,
    to_client: usize,
    to_relay: usize,
    silences: Vec<Instant>,
    /// Nominations that the client sent.
    nominations: Vec<Transmit>,
}

impl World {
    fn connected() -> Self {
        let now = Instant::now();
        let address = client_address(1);
        let mut client = Path::client(now);
        client.add_local_address(address).unwrap();
        let mut relay = Path::relay(&[relay_address()], now);
        let (offer, answer) = (client.local(), relay.local());
        relay.connect(&offer, now).unwrap();
        client.connect(&answer, now).unwrap();
        let mut world = Self {
            client,
            relay,
            address,
            is_dead: false,
            now,
            wire: VecDeque::new(),
            to_client: 0,
            to_relay: 0,
            silences: Vec::new(),
            nominations: Vec::new(),
        };
        world.run(Duration::from_secs(3));
        assert!(world.client.is_connected() && world.relay.is_connected());
        world
    }

    /// Both ends send a packet in each step.
    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            for path in [&mut self.client, &mut self.relay] {
                path.handle_timeout(self.now);
                if path.is_connected() {
                    path.send(Slot::Audio, vec![7; 80], self.now).unwrap();
                }
            }
            self.drain();
            while let Some((_, Transmit { from, to, bytes })) = self.wire.pop_front_if(|(at, _)| *at <= self.now) {
                let path = if to == relay_address() { &mut self.relay } else { &mut self.client };
                let _ = path.handle_datagram(from, to, &bytes, self.now);
                self.drain();
            }
            self.now += STEP;
        }
    }

    fn drain(&mut self) {
        loop {
            match self.client.poll_output() {
                // A socket sends from where it is bound, whatever str0m thinks.
                Output::Transmit(sent) => {
                    let sent = Transmit { from: self.address, ..sent };
                    if sent.bytes.first().is_some_and(|first| *first < 4) {
                        self.nominations.push(sent.clone());
                    }
                    self.put(sent);
                }
                Output::Packet { .. } => self.to_client += 1,
                Output::Event(Event::Silent) => self.silences.push(self.now),
                Output::Event(_) => {}
                Output::Wake(_) => break,
            }
        }
        loop {
            match self.relay.poll_output() {
                Output::Transmit(sent) if sent.to == self.address => self.put(sent),
                Output::Packet { .. } => self.to_relay += 1,
                Output::Event(Event::Silent) => panic!("the relay's end says nothing of silence"),
                Output::Transmit(_) | Output::Event(_) => {}
                Output::Wake(_) => break,
            }
        }
    }

    fn put(&mut self, sent: Transmit) {
        if !self.is_dead {
            self.wire.push_back((self.now + DELAY, sent));
        }
    }

    /// How many packets arrive at the client and at the relay in a while.
    fn flow(&mut self, time: Duration) -> (usize, usize) {
        let before = (self.to_client, self.to_relay);
        self.run(time);
        (self.to_client - before.0, self.to_relay - before.1)
    }
}

#[test]
fn media_follow_a_client_to_another_address_within_a_few_round_trips() {
    let mut world = World::connected();
    for network in 2..12 {
        world.wire.clear();
        world.address = client_address(network);
        world.client.move_to(world.address).unwrap();
        world.run(Duration::from_millis(300));
        let (to_client, to_relay) = world.flow(Duration::from_millis(500));
        assert!(to_client >= 95 && to_relay >= 95, "network {network}: {to_client} and {to_relay} of 100");
    }
    assert!(world.silences.is_empty(), "{:?}", world.silences);
}

#[test]
fn what_comes_late_from_the_old_address_does_not_call_the_media_back() {
    let mut world = World::connected();
    let late = world.nominations.clone();
    world.address = client_address(2);
    world.client.move_to(world.address).unwrap();
    world.run(Duration::from_millis(300));
    for Transmit { from, to, bytes } in late {
        let _ = world.relay.handle_datagram(from, to, &bytes, world.now);
        world.drain();
    }
    let (to_client, _) = world.flow(Duration::from_millis(500));
    assert!(to_client >= 95, "{to_client} of 100");
}

#[test]
fn a_forged_nomination_moves_nothing() {
    let mut world = World::connected();
    let mut forged = world.nominations.last().unwrap().clone();
    let last = forged.bytes.len() - 30;
    forged.bytes[last] ^= 1;
    let attacker = client_address(66);
    let _ = world.relay.handle_datagram(attacker, forged.to, &forged.bytes, world.now);
    world.drain();
    let (to_client, _) = world.flow(Duration::from_millis(500));
    assert!(to_client >= 95, "{to_client} of 100");
}

#[test]
fn a_client_that_hears_nothing_says_so_within_two_seconds_and_says_it_again() {
    let mut world = World::connected();
    world.is_dead = true;
    let begun = world.now;
    world.run(Duration::from_secs(6));
    let said: Vec<Duration> = world.silences.iter().map(|at| *at - begun).collect();
    assert!((3..=4).contains(&said.len()), "{said:?}");
    assert!(said[0] < Duration::from_secs(2), "{said:?}");
    world.is_dead = false;
    world.address = client_address(2);
    world.client.move_to(world.address).unwrap();
    world.run(Duration::from_millis(500));
    let (to_client, to_relay) = world.flow(Duration::from_millis(500));
    assert!(to_client >= 95 && to_relay >= 95, "{to_client} and {to_relay} of 100");
}

#[test]
fn an_address_that_cannot_be_used_is_refused_and_the_path_stays_where_it_is() {
    let mut world = World::connected();
    let nowhere: SocketAddr = "0.0.0.0:5".parse().unwrap();
    assert_eq!(world.client.move_to(nowhere), Err(TransportError::Address(nowhere)));
    let (to_client, to_relay) = world.flow(Duration::from_millis(500));
    assert!(to_client >= 95 && to_relay >= 95, "{to_client} and {to_relay} of 100");
}
