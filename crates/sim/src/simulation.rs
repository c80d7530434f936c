//! The world: participants, lines, a relay, and a clock that jumps.

mod events;
mod held;
mod leading;
mod making;
mod moving;
mod relay;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_identity::Invitation;
use conclave_model::{
    LeafIndex, Level, TrackKind,
    wire::signal::{self, FromRelay, decode_from_relay, decode_to_relay},
};
use conclave_relay_core::{ConnectionId, Relay};
use conclave_session::{
    Command, Input, MemberState, MemberWish, Output, RemoteFrame, Session, SessionConfig, SessionError, SourceState,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub(crate) use leading::{Leading, open, with_lobby};
pub use moving::{Moved, moving};

use crate::{
    checker::{Checker, Totals, Violation},
    hostile::Hostile,
    measure::Meter,
    media::Stamp,
    network::{Datagram, MAX_UNDER_WAY, Wire},
    participant::{Participant, Presence, Source},
    puppet::{FALSE_VOICE, Puppet, TRUE_VOICE},
};

/// The wall clock when the simulation begins, in seconds since 1970-01-01 UTC.
pub(crate) const WALL: u64 = 1_800_000_000;

/// The most that a machine may ask for at once.
const MAX_OUTPUTS: usize = 20_000;

/// The most signalling messages under way in one direction.
const MAX_SIGNALS: usize = 2000;

/// The most rounds in a row with something due: a machine that is always due has gone wrong.
const MAX_ROUNDS: u32 = 5000;

/// After so many rounds time goes on by itself, as a real clock does while something is computed.
const PATIENT_ROUNDS: u32 = 100;
const TICK: Duration = Duration::from_micros(1);

/// An app that has been let in and whose media path does not come about within this time connects again: on a line that
/// loses much a handshake fails now and then.
const PATH_UP: Duration = Duration::from_secs(12);

/// How many others each participant watches.
const WATCHED: usize = 6;

/// How high the watched pictures are, in pixels.
const HEIGHT: u16 = 180;

/// Where the relay is.
const RELAY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 7443);

/// A meeting of simulated participants on simulated lines.
pub struct Simulation {
    pub(crate) random: ChaCha8Rng,
    /// Where time begins.
    base: Instant,
    pub(crate) now: Instant,
    invitation: Invitation,
    pub(crate) participants: Vec<Participant>,
    pub(crate) relay: Relay,
    relay_wake: Instant,
    /// Whose connections are, as the relay has them.
    connections: BTreeMap<ConnectionId, usize>,
    /// When the relay notices which connections that nobody serves any more.
    lost: Vec<(Instant, ConnectionId)>,
    pub(crate) checker: Checker,
    /// What the chair and the others do, where the meeting is led.
    pub(crate) leading: Option<Leading>,
    /// What is known of those who are hostile, where somebody is.
    pub(crate) hostile: Option<Hostile>,
    /// Members by hand.
    pub(crate) puppets: Vec<Puppet>,
    /// What is spent, where that is measured.
    pub(crate) meter: Option<Meter>,
    /// How many of the participants talk and show themselves; all where it is not set.
    pub(crate) talkers: Option<usize>,
    /// How often in a row something was due without time having passed.
    rounds: u32,
}

impl Simulation {
    /// What was counted.
    pub fn totals(&self) -> Totals {
        self.checker.totals
    }

    /// How much time has gone by in the simulation.
    pub fn elapsed(&self) -> Duration {
        self.now.duration_since(self.base)
    }

    /// Lets time go on until `until`.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub fn run_until(&mut self, until: Instant) -> Result<(), Violation> {
        loop {
            let next = self.next_event();
            if next > until {
                self.now = self.now.max(until);
                return Ok(());
            }
            self.pass_time(next)?;
            self.step()?;
        }
    }

    /// Lets the clock jump to the next event, or creep where everything is due at once.
    fn pass_time(&mut self, next: Instant) -> Result<(), Violation> {
        if next > self.now {
            self.now = next;
            self.rounds = 0;
            return Ok(());
        }
        self.rounds += 1;
        self.checker.totals.longest_rush = self.checker.totals.longest_rush.max(self.rounds);
        if self.rounds > MAX_ROUNDS {
            return Err(Violation::Spinning(self.restless()));
        }
        if self.rounds > PATIENT_ROUNDS {
            self.now += TICK;
        }
        Ok(())
    }

    fn next_event(&self) -> Instant {
        let people = self.participants.iter();
        let events = people.flat_map(|person| [person.comes_at, person.presence.as_ref().map(Presence::next_event)]);
        let lost = self.lost.iter().map(|(at, _)| *at);
        let puppets = self.puppets.iter().map(|puppet| puppet.next_event(self.now));
        events.flatten().chain(lost).chain(puppets).fold(self.relay_wake, Instant::min)
    }

    /// What is due at this moment, in words.
    fn restless(&self) -> String {
        if self.relay_wake <= self.now {
            return "the relay".to_owned();
        }
        let restless = self.participants.iter().enumerate().find_map(|(who, person)| {
            let presence = person.presence.as_ref()?;
            let (what, at) = presence.due(self.now)?;
            Some(format!("{what} of participant {who}, due {:?} ago", self.now.duration_since(at)))
        });
        restless.unwrap_or_else(|| "nobody".to_owned())
    }

    /// Everything that happens at this moment, once.
    fn step(&mut self) -> Result<(), Violation> {
        let now = self.now;
        while let Some(at) = self.lost.iter().position(|(at, _)| *at <= now) {
            let (_, connection) = self.lost.swap_remove(at);
            self.close(connection)?;
        }
        for who in 0..self.participants.len() {
            if self.participants[who].comes_at.is_some_and(|at| at <= now) {
                self.participants[who].comes_at = None;
                self.enter(who)?;
            }
            self.serve_lines(who)?;
            self.serve_session(who)?;
            self.tidy(who)?;
        }
        self.serve_puppets()?;
        if self.relay_wake <= now {
            self.relay.handle_timeout(now);
            self.drain_relay()?;
        }
        Ok(())
    }

    /// Begins a session.
    fn enter(&mut self, who: usize) -> Result<(), Violation> {
        let now = self.now;
        let wall = WALL + self.elapsed().as_secs();
        let invitation = self.invitation.clone();
        let person = &mut self.participants[who];
        person.sessions += 1;
        let host = u8::try_from(who + 1).unwrap_or(u8::MAX);
        let port = 40_000 + u16::try_from(person.sessions % 20_000).unwrap_or(0);
        let address = SocketAddr::from(([10, 0, 0, host], port));
        let ceiling = Level::Secret;
        let memory = person.memory.clone();
        let config =
            SessionConfig { holder: person.holder.clone(), invitation, wall, ceiling, memory, take_over: true };
        let session = match Session::new(config, address, now) {
            Ok(session) => session,
            // The level has been raised above their clearance, and their app remembers it.
            Err(SessionError::Credential(_)) if self.leading.is_some() => {
                person.wants_in = false;
                return Ok(());
            }
            Err(error) => return Err(Violation::Refused { who, error: error.to_string() }),
        };
        person.presence = Some(Presence {
            session,
            number: person.sessions,
            address,
            connection: None,
            leaf: None,
            up: person.weather.line(&mut self.random),
            down: person.weather.line(&mut self.random),
            to_relay: Wire::default(),
            from_relay: Wire::default(),
            hung_up: false,
            wake: now,
            source: Source::new(now),
            me: None,
            epoch: None,
            roster: Arc::new([]),
            settled_at: now,
            wishes_due: false,
            governance: None,
            lobby: Arc::new([]),
            lead_due: false,
            held: BTreeSet::new(),
            squeezed: Vec::new(),
            move_due: false,
            is_path_up: false,
            path_due: None,
            ended: None,
        });
        self.drain_session(who)?;
        let on = MemberState { microphone: SourceState::On, camera: SourceState::On, ..MemberState::default() };
        self.input(who, Input::Command(Command::Announce(on)))
    }

    /// Lets a session take in something.
    pub(crate) fn input(&mut self, who: usize, input: Input<'_>) -> Result<(), Violation> {
        let Some(presence) = &mut self.participants[who].presence else { return Ok(()) };
        if presence.ended.is_some() {
            return Ok(());
        }
        let is_frame = matches!(input, Input::LocalFrame(..));
        let is_commit = matches!(input, Input::Signal(FromRelay::Committed { .. }));
        let begun = self.meter.as_ref().map(|meter| (meter.clock)());
        let result = presence.session.handle_input(input, self.now);
        if let (Some(meter), Some(begun)) = (&mut self.meter, begun) {
            let spent = (meter.clock)().saturating_duration_since(begun);
            *meter.spent.entry(who).or_default() += spent;
            if is_commit {
                meter.followed.push((who, spent));
            }
        }
        self.drain_session(who)?;
        match result {
            // What a network does to datagrams, and what was under way to somebody who joined later, is nobody's fault.
            Err(error) if is_frame && !matches!(error, SessionError::Path(_)) => {
                Err(Violation::Refused { who, error: error.to_string() })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Moves what has arrived on somebody's lines.
    fn serve_lines(&mut self, who: usize) -> Result<(), Violation> {
        let now = self.now;
        let Some(presence) = &mut self.participants[who].presence else { return Ok(()) };
        let up = presence.up.arrived(now);
        let down = presence.down.arrived(now);
        let connection = presence.connection;
        for datagram in up {
            self.relay.handle_datagram(datagram.from, datagram.to, &datagram.bytes, now);
            self.drain_relay()?;
        }
        for Datagram { from, to, bytes } in down {
            self.input(who, Input::Datagram { from, to, bytes: &bytes })?;
        }
        while let Some(message) = self.arrived_at_relay(who) {
            let message =
                decode_to_relay(&message).map_err(|error| Violation::Refused { who, error: error.to_string() })?;
            self.relay_hears(who, connection, message)?;
        }
        while let Some(message) = self.arrived_from_relay(who) {
            let message = match decode_from_relay(&message) {
                Err(_) if self.hostile.is_some() => return self.hang_up_on(who),
                decoded => decoded.map_err(|error| Violation::Refused { who, error: error.to_string() })?,
            };
            self.input(who, Input::Signal(message))?;
        }
        Ok(())
    }

    fn arrived_at_relay(&mut self, who: usize) -> Option<Vec<u8>> {
        self.participants[who].presence.as_mut()?.to_relay.arrived(self.now)
    }

    fn arrived_from_relay(&mut self, who: usize) -> Option<Vec<u8>> {
        self.participants[who].presence.as_mut()?.from_relay.arrived(self.now)
    }

    /// Lets a session do what is due: its timers, its microphone and camera.
    fn serve_session(&mut self, who: usize) -> Result<(), Violation> {
        let now = self.now;
        while let Some((stamp, key)) = self.due_frame(who) {
            self.checker.totals.sent += 1;
            self.input(who, Input::LocalFrame(stamp.track, stamp.to_frame(key, self.base)))?;
        }
        if self.participants[who].presence.as_ref().is_some_and(|presence| presence.wake <= now) {
            self.input(who, Input::Timeout)?;
        }
        Ok(())
    }

    fn due_frame(&mut self, who: usize) -> Option<(Stamp, bool)> {
        let talks = self.talkers.is_none_or(|talkers| who < talkers);
        let presence = self.participants[who].presence.as_mut()?;
        if !talks {
            presence.source.pause(self.now);
            return None;
        }
        presence.source.due(who, presence.number, self.now)
    }

    /// Takes out what a session asks for.
    fn drain_session(&mut self, who: usize) -> Result<(), Violation> {
        for _ in 0..MAX_OUTPUTS {
            let latency = self.participants[who].weather.latency;
            let Some(presence) = &mut self.participants[who].presence else { return Ok(()) };
            match presence.session.poll_output() {
                Output::Wake(at) => {
                    presence.wake =
                        if presence.ended.is_some() { at.max(self.now + Duration::from_secs(1)) } else { at };
                    return Ok(());
                }
                Output::Signal(message) => {
                    presence.to_relay.send(signal::encode(&message).to_vec(), latency, self.now);
                    bound("signalling to the relay", presence.to_relay.under_way(), MAX_SIGNALS)?;
                }
                Output::Transmit(sent) => {
                    let datagram = Datagram { from: presence.address, to: sent.to, bytes: sent.bytes };
                    presence.up.send(datagram, self.now);
                    bound("a line to the relay", presence.up.under_way(), MAX_UNDER_WAY)?;
                }
                Output::RemoteFrame(frame) => self.on_frame(who, &frame)?,
                Output::Event(event) => self.on_event(who, event)?,
            }
        }
        Err(Violation::Unbounded { what: "a session's output", length: MAX_OUTPUTS, bound: MAX_OUTPUTS })
    }

    fn on_frame(&mut self, receiver: usize, frame: &RemoteFrame) -> Result<(), Violation> {
        if let Some(hostile) = &mut self.hostile {
            hostile.played_true += usize::from(frame.frame.data == TRUE_VOICE);
            if frame.frame.data == FALSE_VOICE {
                hostile.played_false += 1;
                hostile.heard_false.entry(receiver).or_insert((self.now, self.now)).1 = self.now;
            }
            if frame.frame.data == TRUE_VOICE || frame.frame.data == FALSE_VOICE {
                return Ok(());
            }
        }
        if let Some(meter) = &mut self.meter {
            meter.first_frames.entry(receiver).or_insert(self.now);
            if frame.track.is_video() {
                meter.first_pictures.entry(receiver).or_insert(self.now);
            }
        }
        let stamp = Stamp::read(&frame.frame, self.base).filter(|stamp| stamp.track == frame.track);
        let stamp = stamp.ok_or(Violation::Altered { receiver })?;
        let Some(presence) = &self.participants[receiver].presence else { return Ok(()) };
        let sender = &self.participants[stamp.who];
        let seat = presence.roster.iter().find(|member| member.leaf == frame.from);
        let same_person = seat.is_some_and(|member| member.person.fingerprint == sender.holder.person().fingerprint);
        // The leaf is of that very session, where that one is still there to be asked.
        let session = sender.presence.as_ref().filter(|presence| presence.number == stamp.session);
        let same_leaf = match (session, seat) {
            (Some(session), Some(member)) => session.leaf == Some(member.reference),
            (None, Some(_)) | (_, None) => true,
        };
        if !same_person || !same_leaf {
            return Err(Violation::WrongSender { receiver, sender: stamp.who, leaf: frame.from });
        }
        self.checker.opened((receiver, presence.number), presence.connection, &stamp, self.now)
    }

    /// Wishes for pictures after a change, and clears away what is over.
    fn tidy(&mut self, who: usize) -> Result<(), Violation> {
        let Some(presence) = &mut self.participants[who].presence else { return Ok(()) };
        if std::mem::take(&mut presence.wishes_due) {
            let wishes = presence.watched().map(|leaf| MemberWish { leaf, track: TrackKind::Camera, height: HEIGHT });
            let wishes = wishes.collect();
            self.input(who, Input::Command(Command::Wishes(wishes)))?;
        }
        let moves = self.participants[who].presence.as_mut().is_some_and(|one| std::mem::take(&mut one.move_due));
        if moves {
            self.change_address(who)?;
        }
        self.lead(who)?;
        let Some(presence) = &self.participants[who].presence else { return Ok(()) };
        if presence.path_due.is_some_and(|due| due <= self.now) && presence.ended.is_none() {
            self.crash(who, Duration::ZERO);
            self.participants[who].comes_at = Some(self.now + Duration::from_millis(500));
            return Ok(());
        }
        let all_said = presence.to_relay.under_way() == 0;
        let all_heard = presence.from_relay.under_way() == 0;
        if presence.ended.is_some() && all_said {
            let connection = presence.connection;
            self.participants[who].presence = None;
            return connection.map_or(Ok(()), |connection| self.close(connection));
        }
        if presence.hung_up && all_heard && presence.ended.is_none() {
            // The connection ended without a word: the app connects again.
            let again = self.now + Duration::from_millis(self.random.random_range(200..1500));
            let person = &mut self.participants[who];
            person.presence = None;
            person.comes_at = person.wants_in.then_some(again);
        }
        Ok(())
    }

    /// Somebody's program or machine is gone, without a word; the relay notices after `notice`.
    pub(crate) fn crash(&mut self, who: usize, notice: Duration) {
        let person = &mut self.participants[who];
        if let Some(presence) = &person.presence {
            person.memory = presence.session.memory();
        }
        if let Some(presence) = person.presence.take()
            && let Some(connection) = presence.connection
        {
            self.lost.push((self.now + notice, connection));
        }
    }

    /// Whether the relay has noticed every connection that is gone.
    pub(crate) fn has_noticed_all(&self) -> bool {
        self.lost.is_empty()
    }

    /// How many connections the relay has.
    pub(crate) fn relay_peers(&self) -> usize {
        self.relay.peers()
    }
}

impl Presence {
    /// Whose pictures are watched: the next few in the tree, so that everybody is watched by somebody.
    pub(crate) fn watched(&self) -> impl Iterator<Item = LeafIndex> {
        let me = self.roster.iter().position(|member| Some(member.leaf) == self.me).unwrap_or(0);
        let others = self.roster.iter().cycle().skip(me + 1).take(self.roster.len().saturating_sub(1));
        others.take(WATCHED).map(|member| member.leaf).collect::<Vec<_>>().into_iter()
    }
}

fn bound(what: &'static str, length: usize, bound: usize) -> Result<(), Violation> {
    if length > bound { Err(Violation::Unbounded { what, length, bound }) } else { Ok(()) }
}
