//! A meeting for measurements: real sessions and a real relay, and nothing else that is not the caller's.
//!
//! Unlike a [`Simulation`](crate::Simulation) it sends nothing by itself and judges nothing: the caller gives frames and
//! commands, changes the lines, and takes what the sessions tell. Time jumps from one event to the next. What the lines
//! do follows from the seed.

mod lines;

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use conclave_e2ee::{may_open, succession};
use conclave_identity::{
    Holder, Invitation,
    issue::{IssueError, Rehearsal, RehearsalSpec},
};
use conclave_model::{
    EncodedFrame, LeafIndex, TrackKind,
    wire::signal::{self, Hello, SignalError, ToRelay, decode_from_relay, decode_to_relay},
};
use conclave_relay_core::{Admitted, ConnectionId, Output as RelayOutput, Relay, RelayConfig};
use conclave_session::{Command, Event, Input, Output, RemoteFrame, Session, SessionConfig, SessionError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use lines::{LineSpec, Loss, Packets, Way};

use crate::{
    network::{Datagram, Line, Wire},
    simulation::WALL,
};

/// What a session tells.
#[derive(Debug)]
pub enum Happening {
    /// A frame of another member.
    Frame(RemoteFrame),
    /// Anything else.
    Event(Event),
}

/// What passed over one participant's line, in bytes with the headers of UDP and IPv4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Given to the line by the participant.
    pub sent: u64,
    /// Come to the relay.
    pub up: u64,
    /// Come to the participant.
    pub down: u64,
}

/// Why a stage does not go on.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// No people could be made up.
    #[error("no credentials could be made")]
    Issue(#[from] IssueError),
    /// A session could not be made.
    #[error("a session could not be made")]
    Session(#[from] SessionError),
    /// Signalling that the other end cannot read.
    #[error("signalling of participant {0} is unreadable")]
    Signal(usize, #[source] SignalError),
    /// A participant is out of the meeting.
    #[error("participant {who} is out: {why}")]
    Out {
        /// Who.
        who: usize,
        /// Why.
        why: String,
    },
    /// Something is always due.
    #[error("time does not go on")]
    Spinning,
    /// The meeting did not come about.
    #[error("not everybody was in after {0:?}")]
    Late(Duration),
}

/// A meeting of people in their places, on lines of the caller's.
pub struct Stage {
    random: ChaCha8Rng,
    base: Instant,
    now: Instant,
    invitation: Invitation,
    seats: Vec<Seat>,
    relay: Relay,
    relay_wake: Instant,
    connections: BTreeMap<ConnectionId, usize>,
    happened: VecDeque<(usize, Happening)>,
    rounds: u32,
}

struct Seat {
    holder: Holder,
    session: Session,
    address: SocketAddr,
    connection: Option<ConnectionId>,
    lines: [Line; 2],
    specs: [LineSpec; 2],
    to_relay: Wire,
    from_relay: Wire,
    wake: Instant,
    traffic: Traffic,
    me: Option<LeafIndex>,
    members: usize,
    is_path_up: bool,
}

impl Stage {
    /// Lets `people` meet on undisturbed lines of 1 ms; returns when everybody sees everybody and media can flow. `base`
    /// is some instant; time goes on from there.
    ///
    /// # Errors
    /// [`StageError`] where the meeting does not come about.
    pub fn assemble(people: usize, seed: u64, base: Instant) -> Result<Self, StageError> {
        let rehearsal = Rehearsal::new(&RehearsalSpec::new(people, WALL))?;
        let spec = LineSpec::plain(Duration::from_millis(1));
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut seats = Vec::with_capacity(people);
        for (number, holder) in rehearsal.holders.iter().enumerate() {
            let [high, low] = u16::try_from(number + 1).unwrap_or(u16::MAX).to_be_bytes();
            let address = SocketAddr::from(([10, 0, high, low], 40_000));
            let config = SessionConfig::new(holder.clone(), rehearsal.invitation.clone(), WALL);
            seats.push(Seat {
                holder: holder.clone(),
                session: Session::new(config, address, base)?,
                address,
                connection: None,
                lines: [(); 2].map(|()| Line::new(spec.config(random.random()))),
                specs: [spec; 2],
                to_relay: Wire::default(),
                from_relay: Wire::default(),
                wake: base,
                traffic: Traffic::default(),
                me: None,
                members: 0,
                is_path_up: false,
            });
        }
        let config = RelayConfig { addresses: vec![RELAY], max_peers: 300, max_peers_per_meeting: 256 };
        let mut stage = Self {
            random,
            base,
            now: base,
            invitation: rehearsal.invitation,
            seats,
            relay: Relay::new(config, base),
            relay_wake: base,
            connections: BTreeMap::new(),
            happened: VecDeque::new(),
            rounds: 0,
        };
        stage.settle()?;
        Ok(stage)
    }

    fn settle(&mut self) -> Result<(), StageError> {
        let people = self.seats.len();
        for who in 0..people {
            self.drain_session(who)?;
        }
        loop {
            let next = self.now + Duration::from_millis(50);
            while self.advance(next)?.is_some() {}
            if self.seats.iter().all(|seat| seat.members == people && seat.is_path_up) {
                // What was under way, as the last proofs of the last change.
                let next = self.now + AFTERWARDS;
                while self.advance(next)?.is_some() {}
                return Ok(());
            }
            if self.now > self.base + ASSEMBLY {
                return Err(StageError::Late(ASSEMBLY));
            }
        }
    }

    /// The present, in simulated time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// A participant's place in the group.
    pub fn leaf(&self, who: usize) -> Option<LeafIndex> {
        self.seats.get(who)?.me
    }

    /// What has passed over a participant's line.
    pub fn traffic(&self, who: usize) -> Traffic {
        self.seats.get(who).map(|seat| seat.traffic).unwrap_or_default()
    }

    /// Changes one way of somebody's line; what is under way stays so.
    pub fn set_line(&mut self, who: usize, way: Way, spec: LineSpec) {
        let config = spec.config(self.random.random());
        if let Some(seat) = self.seats.get_mut(who) {
            seat.lines[way as usize].change(config);
            seat.specs[way as usize] = spec;
        }
    }

    /// Gives a session a frame that its encoder finished. One that the session does not take is lost.
    ///
    /// # Errors
    /// A [`StageError`].
    pub fn send(&mut self, who: usize, track: TrackKind, frame: EncodedFrame) -> Result<(), StageError> {
        self.input(who, Input::LocalFrame(track, frame))
    }

    /// Gives a session a command.
    ///
    /// # Errors
    /// A [`StageError`].
    pub fn command(&mut self, who: usize, command: Command) -> Result<(), StageError> {
        self.input(who, Input::Command(command))
    }

    /// Lets time go on until something happens or `until` has come, which is `None`.
    ///
    /// What is sent or commanded in answer is so at the time of the happening, [`Stage::now`].
    ///
    /// # Errors
    /// A [`StageError`]; the stage is of no more use then.
    pub fn advance(&mut self, until: Instant) -> Result<Option<(usize, Happening)>, StageError> {
        loop {
            if let Some(happening) = self.happened.pop_front() {
                return Ok(Some(happening));
            }
            let next = self.next_event();
            if next > until {
                self.now = self.now.max(until);
                return Ok(None);
            }
            if next > self.now {
                (self.now, self.rounds) = (next, 0);
            } else {
                self.rounds += 1;
                if self.rounds > MAX_ROUNDS {
                    return Err(StageError::Spinning);
                }
            }
            self.step()?;
        }
    }

    fn next_event(&self) -> Instant {
        let seats = self.seats.iter().flat_map(|seat| {
            let lines = seat.lines.iter().filter_map(Line::next_arrival);
            let wires = [&seat.to_relay, &seat.from_relay].into_iter().filter_map(Wire::next_arrival);
            lines.chain(wires).chain([seat.wake])
        });
        seats.fold(self.relay_wake, Instant::min)
    }

    /// Everything that happens at this moment, once.
    fn step(&mut self) -> Result<(), StageError> {
        let now = self.now;
        for who in 0..self.seats.len() {
            self.serve(who)?;
        }
        if self.relay_wake <= now {
            self.relay.handle_timeout(now);
            self.drain_relay()?;
        }
        Ok(())
    }

    fn serve(&mut self, who: usize) -> Result<(), StageError> {
        let now = self.now;
        let seat = &mut self.seats[who];
        let [up, down] = &mut seat.lines;
        let (up, down) = (up.arrived(now), down.arrived(now));
        seat.traffic.up += up.iter().map(length).sum::<u64>();
        seat.traffic.down += down.iter().map(length).sum::<u64>();
        for datagram in up {
            self.relay.handle_datagram(datagram.from, datagram.to, &datagram.bytes, now);
            self.drain_relay()?;
        }
        for Datagram { from, to, bytes } in down {
            self.input(who, Input::Datagram { from, to, bytes: &bytes })?;
        }
        while let Some(message) = self.seats[who].to_relay.arrived(now) {
            let message = decode_to_relay(&message).map_err(|error| StageError::Signal(who, error))?;
            self.relay_hears(who, message)?;
        }
        while let Some(message) = self.seats[who].from_relay.arrived(now) {
            let message = decode_from_relay(&message).map_err(|error| StageError::Signal(who, error))?;
            self.input(who, Input::Signal(message))?;
        }
        if self.seats[who].wake <= now { self.input(who, Input::Timeout) } else { Ok(()) }
    }

    fn input(&mut self, who: usize, input: Input<'_>) -> Result<(), StageError> {
        let Some(seat) = self.seats.get_mut(who) else { return Ok(()) };
        // What a network does to datagrams is nobody's fault; what is fatal comes as an event as well.
        let _ = seat.session.handle_input(input, self.now);
        self.drain_session(who)
    }

    fn drain_session(&mut self, who: usize) -> Result<(), StageError> {
        let now = self.now;
        loop {
            let seat = &mut self.seats[who];
            match seat.session.poll_output() {
                Output::Wake(at) => {
                    seat.wake = at;
                    return Ok(());
                }
                Output::Signal(message) => {
                    seat.to_relay.send(signal::encode(&message).to_vec(), seat.specs[Way::Up as usize].latency, now);
                }
                Output::Transmit(sent) => {
                    let datagram = Datagram { from: seat.address, to: sent.to, bytes: sent.bytes };
                    seat.traffic.sent += length(&datagram);
                    seat.lines[Way::Up as usize].send(datagram, now);
                }
                Output::RemoteFrame(frame) => self.happened.push_back((who, Happening::Frame(frame))),
                Output::Event(event) => self.on_event(who, event)?,
            }
        }
    }

    fn on_event(&mut self, who: usize, event: Event) -> Result<(), StageError> {
        let seat = &mut self.seats[who];
        if let Event::Ended(reason) = &event {
            return Err(StageError::Out { who, why: reason.to_string() });
        }
        if let Event::Admitted { me } = &event {
            seat.me = Some(*me);
        }
        if let Event::Roster(members) = &event {
            seat.members = members.len();
        }
        seat.is_path_up = (seat.is_path_up || event == Event::PathUp) && event != Event::PathDown;
        self.happened.push_back((who, Happening::Event(event)));
        Ok(())
    }

    fn relay_hears(&mut self, who: usize, message: ToRelay) -> Result<(), StageError> {
        match (self.seats[who].connection, message) {
            (None, ToRelay::Hello(hello)) => self.admit(who, hello)?,
            (Some(connection), message) => self.relay.handle_signal(connection, message, self.now),
            (None, _) => {}
        }
        self.drain_relay()
    }

    /// What the relay's program does with a first message, after TLS and the invitation's signature.
    fn admit(&mut self, who: usize, hello: Hello) -> Result<(), StageError> {
        let person = self.seats[who].holder.person();
        let fingerprint = person.fingerprint;
        let rank = succession(&self.invitation).iter().position(|name| name.0 == fingerprint);
        let admitted = Admitted {
            fingerprint,
            hello,
            until: self.base + Duration::from_secs(24 * 3600),
            rank: rank.and_then(|rank| u16::try_from(rank).ok()),
            opens: may_open(&self.invitation, person),
        };
        let connection =
            self.relay.open(admitted, self.now).map_err(|refusal| StageError::Out { who, why: refusal.to_string() })?;
        self.connections.insert(connection, who);
        self.seats[who].connection = Some(connection);
        Ok(())
    }

    fn drain_relay(&mut self) -> Result<(), StageError> {
        let now = self.now;
        loop {
            match self.relay.poll_output() {
                RelayOutput::Wake(at) => {
                    self.relay_wake = at;
                    return Ok(());
                }
                RelayOutput::Signal(connection, message) => {
                    if let Some(who) = self.connections.get(&connection) {
                        let seat = &mut self.seats[*who];
                        let latency = seat.specs[Way::Down as usize].latency;
                        seat.from_relay.send(signal::encode(&message).to_vec(), latency, now);
                    }
                }
                RelayOutput::Transmit(sent) => {
                    if let Some(seat) = self.seats.iter_mut().find(|seat| seat.address == sent.to) {
                        let datagram = Datagram { from: sent.from, to: sent.to, bytes: sent.bytes };
                        seat.lines[Way::Down as usize].send(datagram, now);
                    }
                }
                RelayOutput::Disconnect(connection) => {
                    let who = self.connections.remove(&connection).unwrap_or(usize::MAX);
                    return Err(StageError::Out { who, why: "the relay hung up".to_owned() });
                }
            }
        }
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("people", &self.seats.len()).finish_non_exhaustive()
    }
}

/// With the headers of UDP and IPv4.
fn length(datagram: &Datagram) -> u64 {
    datagram.bytes.len() as u64 + 28
}

/// Where the relay is.
const RELAY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 7443);

/// How long a meeting may take to come about, in simulated time.
const ASSEMBLY: Duration = Duration::from_secs(60);

/// For what is still under way when everybody is in.
const AFTERWARDS: Duration = Duration::from_millis(1500);

/// The most rounds in a row with something due.
const MAX_ROUNDS: u32 = 5000;

#[cfg(test)]
mod tests;
