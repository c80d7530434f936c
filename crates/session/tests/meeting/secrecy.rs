//! What a relay can reach: everything that a client hands it, inside of the hop's own encryption.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_identity::issue::{Rehearsal, RehearsalSpec};
use conclave_model::{
    EncodedFrame, Layer, MediaTime, PeerId, TrackKind,
    wire::{
        Descriptor,
        signal::{self, FromRelay, Joined, ToRelay},
    },
};
use conclave_session::{Command, Input, MemberState, Output, Session, SessionConfig, SourceState};
use conclave_transport::{Output as PathOutput, Path};

use crate::world::WALL;

/// What stands in every frame and must be seen nowhere.
const MARKER: &[u8; 16] = b"plaintext marker";

/// A relay that keeps all that it can read: SRTP ends at it, so packets are seen as they are within.
struct Listener {
    path: Path,
    address: SocketAddr,
    packets: Vec<Vec<u8>>,
    signals: Vec<Bytes>,
}

impl Listener {
    fn new(now: Instant) -> Self {
        let address = SocketAddr::from(([10, 0, 0, 200], 7443));
        Self { path: Path::relay(&[address], now), address, packets: Vec::new(), signals: Vec::new() }
    }

    /// Takes what the session puts out and gives it what the listener answers, until both are quiet.
    fn exchange(&mut self, session: &mut Session, client: SocketAddr, now: Instant) {
        loop {
            let mut quiet = true;
            loop {
                match session.poll_output() {
                    Output::Signal(message) => {
                        self.signals.push(signal::encode(&message));
                        if let ToRelay::Hello(hello) = message {
                            self.path.connect(&hello.transport, now).unwrap();
                            let transport = self.path.local();
                            let joined = Joined {
                                peer: PeerId(5),
                                transport,
                                create: true,
                                neighbours: Vec::new(),
                                revocations: Vec::new(),
                            };
                            session.handle_input(Input::Signal(FromRelay::Joined(joined)), now).unwrap();
                        }
                    }
                    Output::Transmit(sent) => {
                        self.path.handle_datagram(sent.from, sent.to, &sent.bytes, now).unwrap();
                        quiet = false;
                    }
                    Output::Event(_) | Output::RemoteFrame(_) => {}
                    Output::Wake(_) => break,
                }
            }
            loop {
                match self.path.poll_output() {
                    PathOutput::Transmit(sent) => {
                        let (from, to) = (self.address, client);
                        session.handle_input(Input::Datagram { from, to, bytes: &sent.bytes }, now).unwrap();
                        quiet = false;
                    }
                    PathOutput::Packet { payload, .. } => self.packets.push(payload.to_vec()),
                    PathOutput::Event(_) => {}
                    PathOutput::Wake(_) => break,
                }
            }
            if quiet {
                return;
            }
        }
    }
}

/// Whether half of the marker stands anywhere: frames are cut into packets at any byte.
fn shows_marker(bytes: &[u8]) -> bool {
    bytes.windows(8).any(|window| window == &MARKER[..8] || window == &MARKER[8..])
}

#[test]
fn nothing_that_a_relay_can_reach_holds_plaintext() {
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(2, WALL)).unwrap();
    let (mut now, client) = (Instant::now(), SocketAddr::from(([10, 0, 0, 1], 5000)));
    let config = SessionConfig::new(rehearsal.holders[0].clone(), rehearsal.invitation.clone(), WALL);
    let mut session = Session::new(config, client, now).unwrap();
    let mut relay = Listener::new(now);
    let frame = |number: u64, repeats: usize| EncodedFrame {
        time: MediaTime(WALL * 1_000_000 + number * 20_000),
        encode_delay: Duration::ZERO,
        key: true,
        layer: Layer(0),
        discardable: false,
        back: 0,
        data: Bytes::from(MARKER.repeat(repeats)),
    };
    assert!(shows_marker(&frame(0, 5).data), "the search finds what it looks for");
    for number in 0..200 {
        let state = MemberState { microphone: SourceState::On, camera: SourceState::Off, ..MemberState::default() };
        if number == 100 {
            session.handle_input(Input::Command(Command::Announce(state)), now).unwrap();
        }
        for (track, repeats) in [(TrackKind::Microphone, 5), (TrackKind::Camera, 300)] {
            session.handle_input(Input::LocalFrame(track, frame(number, repeats)), now).unwrap();
        }
        session.handle_input(Input::Timeout, now).unwrap();
        relay.path.handle_timeout(now);
        relay.exchange(&mut session, client, now);
        now += Duration::from_millis(20);
    }
    let carried: usize = relay.packets.iter().filter_map(|packet| Some(Descriptor::split(packet).ok()?.1.len())).sum();
    assert!(carried > 50 * MARKER.len() * 305, "only {carried} bytes of frames came through");
    for packet in &relay.packets {
        assert!(!shows_marker(packet), "a packet holds plaintext");
    }
    for message in &relay.signals {
        assert!(!shows_marker(message), "a signalling message holds plaintext");
    }
}
