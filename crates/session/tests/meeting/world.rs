//! Sessions, a relay, and the network between them. Time is virtual; only keys are random.

mod seat;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_e2ee::{Member, may_open, succession};
use conclave_identity::{
    Admission, Holder,
    issue::{Rehearsal, RehearsalSpec},
};
use conclave_model::{
    EncodedFrame, Epoch, Fingerprint, Layer, LeafIndex, Level, MediaTime, TrackKind,
    wire::signal::{FromRelay, ToRelay},
};
use conclave_relay_core::{Admitted, ConnectionId, Output as RelayOutput, Relay, RelayConfig};
use conclave_session::{
    Command, Event, Input, MemberState, MemberWish, Output, Session, SessionConfig, SessionError, SourceState, Transmit,
};

use seat::Seat;

/// Seconds since 1970 at which every test begins.
pub(crate) const WALL: u64 = 1_800_000_000;

const LATENCY: Duration = Duration::from_millis(5);
const VIDEO_EVERY: u64 = 2;
const MEDIA_TICK: Duration = Duration::from_millis(20);

/// A meeting with everybody who could come.
pub(crate) struct World {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) rehearsal: Rehearsal,
    pub(crate) relay: Relay,
    relay_wake: Instant,
    pub(crate) seats: Vec<Seat>,
    queue: BTreeMap<(Instant, u64), Delivery>,
    sequence: u64,
    /// Datagrams lost, of a thousand, in each direction.
    pub(crate) loss: u32,
    /// Decides which are lost.
    pub(crate) noise: u32,
    /// What the relay keeps from whom: a hostile relay's choice.
    pub(crate) withholds: fn(usize, &FromRelay) -> bool,
    /// What the relay catches of what somebody says, instead of hearing it.
    pub(crate) catches: fn(usize, &ToRelay) -> bool,
    pub(crate) caught: Vec<(usize, ToRelay)>,
}

enum Delivery {
    ToRelay(Transmit),
    ToClient(Transmit),
    SignalToRelay(usize, ToRelay),
    SignalToClient(usize, ConnectionId, FromRelay),
    Closed(ConnectionId),
    Media,
}

impl World {
    /// A meeting of `people`, nobody in it yet.
    pub(crate) fn new(people: usize) -> Self {
        Self::of(&RehearsalSpec::new(people, WALL))
    }

    /// A meeting with a lobby; the second of the people follows the chair, the third is the originator.
    pub(crate) fn with_lobby(people: usize) -> Self {
        let (admission, succession, originator) = (Admission::Lobby, vec![1], Some(2));
        Self::of(&RehearsalSpec { admission, succession, originator, ..RehearsalSpec::new(people, WALL) })
    }

    /// A meeting as specified, nobody in it yet.
    pub(crate) fn of(spec: &RehearsalSpec) -> Self {
        let people = spec.people;
        let rehearsal = Rehearsal::new(spec).unwrap();
        let now = Instant::now();
        let config = RelayConfig { addresses: vec![relay_address()], max_peers: 100, max_peers_per_meeting: 100 };
        let mut world = Self {
            start: now,
            now,
            rehearsal,
            relay: Relay::new(config, now),
            relay_wake: now,
            seats: (0..people).map(|number| Seat::new(number, now)).collect(),
            queue: BTreeMap::new(),
            sequence: 0,
            loss: 0,
            noise: 1,
            withholds: |_, _| false,
            catches: |_, _| false,
            caught: Vec::new(),
        };
        world.post(MEDIA_TICK, Delivery::Media);
        world
    }

    /// Everybody joins and is admitted, one after the other; they send sound and picture, and wish for everybody's.
    pub(crate) fn assembled(people: usize) -> Self {
        let mut world = Self::new(people);
        for seat in 0..people {
            world.join(seat);
            world.run(Duration::from_millis(300));
        }
        world.run(Duration::from_millis(500));
        world
    }

    pub(crate) fn join(&mut self, seat: usize) {
        let holder = self.rehearsal.holders[seat].clone();
        self.join_as(seat, holder);
    }

    pub(crate) fn join_as(&mut self, number: usize, holder: Holder) {
        let config = SessionConfig { take_over: true, ..self.config(number, holder) };
        self.enter(number, config);
    }

    /// Another machine of somebody.
    pub(crate) fn another_place_of(&mut self, number: usize) -> usize {
        self.rehearsal.holders.push(self.rehearsal.holders[number].clone());
        self.seats.push(Seat::new(self.seats.len(), self.now));
        self.seats.len() - 1
    }

    /// What somebody's app joins with.
    pub(crate) fn config(&self, number: usize, holder: Holder) -> SessionConfig {
        let seat = &self.seats[number];
        let invitation = seat.invitation.clone().unwrap_or_else(|| self.rehearsal.invitation.clone());
        let wall = WALL + (self.now - self.start).as_secs();
        let ceiling = Level::Secret;
        SessionConfig { ceiling, memory: seat.memory.clone(), ..SessionConfig::new(holder, invitation, wall) }
    }

    /// Begins a session.
    pub(crate) fn enter(&mut self, number: usize, config: SessionConfig) {
        let seat = &mut self.seats[number];
        let mut session = Session::new(config, seat.address, self.now).unwrap();
        let state = MemberState { microphone: SourceState::On, camera: SourceState::On, ..MemberState::default() };
        session.handle_input(Input::Command(Command::Announce(state)), self.now).unwrap();
        seat.session = Some(session);
        seat.hung_up = false;
        seat.events.clear();
        seat.frames.clear();
        seat.sends = true;
        seat.key_wanted = true;
        self.drain(number);
    }

    pub(crate) fn command(&mut self, seat: usize, command: Command) {
        self.seats[seat].session.as_mut().unwrap().handle_input(Input::Command(command), self.now).unwrap();
        self.drain(seat);
    }

    /// An encoder of somebody's finished a frame.
    pub(crate) fn send(&mut self, seat: usize, track: TrackKind, key: bool) -> Result<(), SessionError> {
        let time = MediaTime(WALL * 1_000_000) + (self.now - self.start);
        let data = Bytes::from(vec![u8::try_from(seat).unwrap(); 2_000]);
        let (encode_delay, layer, back) = (Duration::from_millis(3), Layer(0), u8::from(!key));
        let frame = EncodedFrame { time, encode_delay, key, layer, discardable: false, back, data };
        let sent = self.seats[seat].session.as_mut().unwrap().handle_input(Input::LocalFrame(track, frame), self.now);
        self.drain(seat);
        sent
    }

    /// The client is gone without a word, and the relay notices.
    pub(crate) fn vanish(&mut self, seat: usize) {
        if let Some(session) = self.seats[seat].session.take() {
            self.seats[seat].memory = session.memory();
        }
        if let Some(connection) = self.seats[seat].connection.take() {
            self.relay.close(connection, self.now);
            self.drain_relay();
        }
    }

    /// Says something to a session as if the relay had; returns whether it was taken.
    pub(crate) fn whisper(&mut self, seat: usize, signal: FromRelay) -> bool {
        let Some(session) = self.seats[seat].session.as_mut() else { return false };
        let taken = session.handle_input(Input::Signal(signal), self.now).is_ok();
        self.drain(seat);
        taken
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let due = self.queue.keys().next().map(|(at, _)| *at);
            let wakes = self.seats.iter().filter(|seat| seat.session.is_some()).map(|seat| seat.wake);
            let next = wakes.chain(due).chain([self.relay_wake]).min().unwrap().max(self.now);
            if next > until {
                self.now = until;
                return;
            }
            self.now = next;
            while let Some(entry) = self.queue.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let delivery = entry.remove();
                self.deliver(delivery);
            }
            if self.relay_wake <= self.now {
                self.relay.handle_timeout(self.now);
                self.drain_relay();
            }
            for number in 0..self.seats.len() {
                if self.seats[number].wake <= self.now && self.seats[number].session.is_some() {
                    self.seats[number].session.as_mut().unwrap().handle_input(Input::Timeout, self.now).ok();
                    self.drain(number);
                }
            }
        }
    }

    /// The leaf that a participant has.
    pub(crate) fn leaf(&self, seat: usize) -> LeafIndex {
        let admitted = |event: &Event| if let Event::Admitted { me } = event { Some(*me) } else { None };
        self.seats[seat].events.iter().find_map(admitted).unwrap()
    }

    /// How many frames of a track `to` received from `from` since they were last forgotten.
    pub(crate) fn received(&self, to: usize, from: usize, track: TrackKind) -> usize {
        let leaf = self.leaf(from);
        self.seats[to].frames.iter().filter(|frame| frame.from == leaf && frame.track == track).count()
    }

    pub(crate) fn forget_frames(&mut self) {
        self.seats.iter_mut().for_each(|seat| seat.frames.clear());
    }

    /// Asserts that each of `seats` hears and sees each other one.
    pub(crate) fn assert_all_hear_all(&mut self, seats: &[usize]) {
        self.forget_frames();
        self.run(Duration::from_secs(1));
        for to in seats {
            for from in seats.iter().filter(|from| *from != to) {
                let (sound, pictures) =
                    (self.received(*to, *from, TrackKind::Microphone), self.received(*to, *from, TrackKind::Camera));
                assert!(sound >= 45, "{to} got {sound} frames of sound from {from}");
                assert!(pictures >= 20, "{to} got {pictures} pictures from {from}");
            }
        }
    }

    /// Asserts that `seats`, and nobody else, agree on an epoch and on who they are; returns the epoch.
    pub(crate) fn assert_agreed(&self, seats: &[usize]) -> Epoch {
        let views: Vec<(Epoch, Vec<Member>)> = seats.iter().map(|seat| self.seats[*seat].view()).collect();
        for view in &views {
            assert_eq!(view.0, views[0].0, "epochs differ");
            assert_eq!(view.1, views[0].1, "rosters differ");
        }
        assert_eq!(views[0].1.len(), seats.len());
        for seat in seats {
            let fingerprint = self.rehearsal.holders[*seat].person().fingerprint;
            assert!(views[0].1.iter().any(|member| member.person.fingerprint == fingerprint), "{seat} is missing");
        }
        views[0].0
    }

    fn post(&mut self, after: Duration, delivery: Delivery) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), delivery);
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::ToRelay(Transmit { from, to, bytes }) => {
                self.relay.handle_datagram(from, to, &bytes, self.now);
                self.drain_relay();
            }
            Delivery::ToClient(Transmit { from, to, bytes }) => {
                let Some(number) = self.seats.iter().position(|seat| seat.address == to) else { return };
                let Some(session) = self.seats[number].session.as_mut() else { return };
                session.handle_input(Input::Datagram { from, to, bytes: &bytes }, self.now).ok();
                self.drain(number);
            }
            Delivery::SignalToRelay(number, message) => self.on_signal_to_relay(number, message),
            Delivery::SignalToClient(number, _, message) if (self.withholds)(number, &message) => {}
            Delivery::SignalToClient(number, connection, message) => {
                if self.seats[number].connection == Some(connection) && self.seats[number].session.is_some() {
                    let session = self.seats[number].session.as_mut().unwrap();
                    let result = session.handle_input(Input::Signal(message), self.now);
                    self.seats[number].errors += usize::from(result.is_err());
                    self.drain(number);
                }
            }
            Delivery::Closed(connection) => {
                self.relay.close(connection, self.now);
                self.drain_relay();
            }
            Delivery::Media => {
                for number in 0..self.seats.len() {
                    self.send_media(number);
                }
                self.post(MEDIA_TICK, Delivery::Media);
            }
        }
    }

    fn on_signal_to_relay(&mut self, number: usize, message: ToRelay) {
        if (self.catches)(number, &message) {
            self.caught.push((number, message));
            return;
        }
        if let ToRelay::Hello(hello) = message {
            let person = self.rehearsal.holders[number].person().clone();
            let invitation = &self.rehearsal.invitation;
            let until = self.now + Duration::from_secs(86_400);
            let rank = succession(invitation).iter().position(|name| *name == Fingerprint(person.fingerprint));
            let rank = rank.map(|rank| u16::try_from(rank).unwrap());
            let opens = may_open(invitation, &person);
            let admitted = Admitted { fingerprint: person.fingerprint, hello, until, rank, opens };
            match self.relay.open(admitted, self.now) {
                Ok(opened) => self.seats[number].connection = Some(opened),
                Err(refusal) => {
                    self.whisper(number, FromRelay::Refused(refusal));
                }
            }
        } else if let Some(connection) = self.seats[number].connection {
            self.relay.handle_signal(connection, message, self.now);
        }
        self.drain_relay();
    }

    fn send_media(&mut self, number: usize) {
        let elapsed = self.now - self.start;
        let tick = u64::try_from(elapsed.as_millis() / MEDIA_TICK.as_millis()).unwrap();
        let seat = &mut self.seats[number];
        let Some(session) = seat.session.as_mut().filter(|session| seat.sends && !session.is_over()) else { return };
        let time = MediaTime(WALL * 1_000_000) + elapsed;
        let marker = u8::try_from(number).unwrap();
        let frame = |key: bool, length: usize| EncodedFrame {
            time,
            encode_delay: Duration::from_millis(3),
            key,
            layer: Layer(0),
            discardable: false,
            back: u8::from(!key),
            data: Bytes::from(vec![marker; length]),
        };
        session.handle_input(Input::LocalFrame(TrackKind::Microphone, frame(true, 80)), self.now).unwrap();
        // Whatever was due at this moment may have ended it.
        if tick % VIDEO_EVERY == 0 && !session.is_over() {
            let key = std::mem::take(&mut seat.key_wanted);
            seat.pictures += 1;
            let picture = frame(key, if key { 12_000 } else { 1_500 });
            session.handle_input(Input::LocalFrame(TrackKind::Camera, picture), self.now).unwrap();
        }
        self.drain(number);
    }

    fn drain(&mut self, number: usize) {
        loop {
            let Some(session) = self.seats[number].session.as_mut() else { return };
            match session.poll_output() {
                Output::Event(event) => self.on_event(number, event),
                Output::RemoteFrame(frame) => {
                    let sender = frame.frame.data.first().copied();
                    assert!(frame.frame.data.iter().all(|byte| Some(*byte) == sender), "a frame was damaged");
                    self.seats[number].frames.push(frame);
                }
                Output::Signal(message) => {
                    // In order, whatever the latency is at the moment.
                    let seat = &mut self.seats[number];
                    let at = (self.now + seat.signal_latency).max(seat.last_signal);
                    seat.last_signal = at;
                    self.post(at - self.now, Delivery::SignalToRelay(number, message));
                }
                Output::Transmit(transmit) => {
                    if !self.loses() {
                        self.post(LATENCY, Delivery::ToRelay(transmit));
                    }
                }
                Output::Wake(at) => {
                    self.seats[number].wake = at.max(self.now + Duration::from_micros(100));
                    return;
                }
            }
        }
    }

    fn on_event(&mut self, number: usize, event: Event) {
        match &event {
            Event::KeyFrameWanted { track: TrackKind::Camera, .. } => self.seats[number].key_wanted = true,
            Event::Roster(roster) => {
                let wish = |member: &Member| MemberWish { leaf: member.leaf, track: TrackKind::Camera, height: 360 };
                let wishes = roster.iter().map(wish).collect();
                let session = self.seats[number].session.as_mut().unwrap();
                // It may be over by now: this was said before.
                session.handle_input(Input::Command(Command::Wishes(wishes)), self.now).ok();
            }
            _ => {}
        }
        if let Event::Ended(_) = &event {
            let memory = self.seats[number].session.as_ref().unwrap().memory();
            self.seats[number].memory = memory;
            if let Some(connection) = self.seats[number].connection.take() {
                self.post(self.seats[number].signal_latency, Delivery::Closed(connection));
            }
        }
        self.seats[number].events.push(event);
    }

    fn drain_relay(&mut self) {
        loop {
            match self.relay.poll_output() {
                RelayOutput::Signal(connection, message) => {
                    if let Some(number) = self.seats.iter().position(|seat| seat.connection == Some(connection)) {
                        self.post(LATENCY, Delivery::SignalToClient(number, connection, message));
                    }
                }
                RelayOutput::Transmit(transmit) => {
                    if !self.loses() {
                        self.post(LATENCY, Delivery::ToClient(transmit));
                    }
                }
                RelayOutput::Disconnect(connection) => {
                    if let Some(seat) = self.seats.iter_mut().find(|seat| seat.connection == Some(connection)) {
                        seat.hung_up = true;
                    }
                }
                RelayOutput::Wake(at) => {
                    self.relay_wake = at.max(self.now + Duration::from_micros(100));
                    return;
                }
            }
        }
    }

    fn loses(&mut self) -> bool {
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.noise >> 8) % 1000 < self.loss
    }
}

fn relay_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 200], 7443))
}
