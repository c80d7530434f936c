//! [`Relay`], the state machine.

mod delivery;
mod entry;
mod governance;
mod hearing;
mod media;
mod pictures;
mod resumption;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conclave_model::{
    Bitrate, MeetingId,
    wire::signal::{FromRelay, Hello, Refusal},
};
use conclave_transport::{Path, Transmit};
use tracing::debug;

use crate::{
    banned::Banned,
    counters::Counters,
    meeting::Meeting,
    peer::Peer,
    record::{Happening, Record},
};
pub(crate) use hearing::Hearing;
pub(crate) use pictures::LOOK;
pub(crate) use resumption::Backlog;
pub use resumption::Resumed;

/// How long to sleep where nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// What a relay is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// Addresses of the media socket as clients reach it.
    pub addresses: Vec<SocketAddr>,
    /// The most connections in all meetings together.
    pub max_peers: usize,
    /// The most connections in one meeting; never more than 256, for a newcomer is told of all at once.
    pub max_peers_per_meeting: usize,
}

/// A connection whose certificate and invitation the driver has checked.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// SHA-256 of the certificate with which it authenticated.
    pub fingerprint: [u8; 32],
    /// Its first message.
    pub hello: Hello,
    /// When the meeting's time window ends; the connection ends with it.
    pub until: Instant,
    /// Its place in the signed succession of the chair, from 0; `None` where it is not in it.
    pub rank: Option<u16>,
    /// Whether it may make the group where no member is there. Who may not, waits for one who may.
    pub opens: bool,
}

/// A connection, numbered over the life of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub(crate) u64);

/// What a [`Relay`] asks of the world.
#[derive(Debug)]
pub enum Output {
    /// A message to a client. In order, and never dropped: a client for which there is no room is closed instead.
    Signal(ConnectionId, FromRelay),
    /// A datagram to send; may be dropped.
    Transmit(Transmit),
    /// The relay is done with a connection: close it once what was said to it is sent. It must not be used any more.
    Disconnect(ConnectionId),
    /// Nothing more until input comes or this moment does. Ends a drain.
    Wake(Instant),
}

/// A relay: meetings, the connections in them, and their media.
#[derive(Debug)]
pub struct Relay {
    config: RelayConfig,
    /// The newest time that it was told.
    now: Instant,
    last_connection: u64,
    meetings: BTreeMap<MeetingId, Meeting>,
    peers: BTreeMap<ConnectionId, Peer>,
    /// Whose ICE user fragment.
    ufrags: HashMap<String, ConnectionId>,
    /// Who proved to send from which address.
    addresses: HashMap<SocketAddr, ConnectionId>,
    timetable: BTreeSet<(Instant, ConnectionId)>,
    /// Whose paths wait to be drained.
    touched: Vec<ConnectionId>,
    outputs: VecDeque<Output>,
    counters: Counters,
    /// Certificate revocation lists for those who come.
    revocations: Vec<Bytes>,
    banned: Banned,
    /// What nobody has taken for the audit log yet; `None` where nobody wants it.
    records: Option<VecDeque<Record>>,
}

impl Relay {
    /// A relay without meetings.
    pub fn new(config: RelayConfig, now: Instant) -> Self {
        Self {
            config,
            now,
            last_connection: 0,
            meetings: BTreeMap::new(),
            peers: BTreeMap::new(),
            ufrags: HashMap::new(),
            addresses: HashMap::new(),
            timetable: BTreeSet::new(),
            touched: Vec::new(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            revocations: Vec::new(),
            banned: Banned::default(),
            records: None,
        }
    }

    /// Gives certificate revocation lists (DER) to everybody who is connected, and who comes from now on. They check them
    /// themselves.
    pub fn set_revocations(&mut self, revocations: Vec<Bytes>, now: Instant) {
        self.now = now;
        let everybody: Vec<_> = self.peers.keys().copied().collect();
        for connection in everybody {
            self.say(connection, FromRelay::Revocations(revocations.clone()));
        }
        self.revocations = revocations;
    }

    /// Ends a connection whose certificate has been revoked since it was taken in.
    pub fn revoke(&mut self, connection: ConnectionId, now: Instant) {
        self.now = now;
        self.refuse(connection, Refusal::Revoked);
    }

    /// Begins to note who comes and goes, for [`Self::poll_record`]; the driver takes it out after each drain.
    pub fn keep_records(&mut self) {
        self.records.get_or_insert_default();
    }

    /// What happened since the last call, oldest first; `None` where there is nothing more.
    pub fn poll_record(&mut self) -> Option<Record> {
        self.records.as_mut()?.pop_front()
    }

    /// Takes in a connection that passed the driver's checks; the answer to it is among the outputs.
    ///
    /// An older connection with the same certificate in the same meeting ends where the newer takes over. The first who
    /// may open the meeting makes the group, whoever waits for that; the others are told of each later one.
    ///
    /// # Errors
    /// [`Refusal::Version`], [`Refusal::Over`], [`Refusal::Ejected`], [`Refusal::AlreadyHere`], [`Refusal::Full`], or
    /// [`Refusal::Misbehaved`] for a `Hello` that no client of ours sends. The driver tells the client.
    pub fn open(&mut self, admitted: Admitted, now: Instant) -> Result<ConnectionId, Refusal> {
        let path = Path::relay(&self.config.addresses, now);
        self.open_on(path, admitted, now)
    }

    /// Like [`Self::open`], with a fresh path of the relay's kind and addresses.
    ///
    /// Making a path costs some 3 ms (it makes a key and a certificate, and tests the cryptography). A driver with
    /// several threads does that elsewhere, so that it delays nobody's media.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(&mut self, path: Path, admitted: Admitted, now: Instant) -> Result<ConnectionId, Refusal> {
        self.now = now;
        let result = self.admit(path, admitted);
        match result {
            Ok(_) => self.counters.opened += 1,
            Err(_) => self.counters.refused += 1,
        }
        result
    }

    /// Ends a connection whose bytes were no messages, for the driver sees those first.
    pub fn accuse(&mut self, connection: ConnectionId, now: Instant) {
        self.now = now;
        self.refuse(connection, Refusal::Misbehaved);
    }

    /// A connection is gone.
    pub fn close(&mut self, connection: ConnectionId, now: Instant) {
        self.now = now;
        self.remove(connection, None);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        // What is due again at once has its turn in the next call: one broken path must not hold up the rest.
        let due = self.timetable.iter().take_while(|(due, _)| *due <= now);
        let due: Vec<_> = due.map(|(_, connection)| *connection).collect();
        for connection in due {
            self.on_due(connection);
        }
    }

    /// Ends every connection with [`Refusal::GoingAway`].
    pub fn shut_down(&mut self, now: Instant) {
        self.now = now;
        let everybody: Vec<_> = self.peers.keys().copied().collect();
        for connection in everybody {
            self.refuse(connection, Refusal::GoingAway);
        }
    }

    /// The next thing to do; call until it is [`Output::Wake`].
    pub fn poll_output(&mut self) -> Output {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            let Some(connection) = self.touched.pop() else {
                return Output::Wake(self.timetable.first().map_or(self.now + IDLE, |(due, _)| *due));
            };
            self.drain(connection);
        }
    }

    /// What was dropped and why.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many connections there are.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// How many meetings have somebody in them.
    pub fn meetings(&self) -> usize {
        self.meetings.len()
    }

    /// Everybody in the meeting.
    fn connections(&self, meeting: MeetingId) -> Vec<ConnectionId> {
        self.meetings.get(&meeting).into_iter().flat_map(Meeting::connections).collect()
    }

    fn say(&mut self, to: ConnectionId, message: FromRelay) {
        if let Some(peer) = self.peers.get_mut(&to) {
            peer.backlog.keep(&message, self.now);
        }
        self.outputs.push_back(Output::Signal(to, message));
    }

    /// Ends a connection and tells it why.
    fn refuse(&mut self, connection: ConnectionId, why: Refusal) {
        if !self.peers.contains_key(&connection) {
            return;
        }
        if why == Refusal::Misbehaved {
            self.counters.misbehaved += 1;
        }
        self.say(connection, FromRelay::Refused(why));
        self.outputs.push_back(Output::Disconnect(connection));
        self.remove(connection, Some(why));
    }

    /// Notes something for the audit log.
    fn note(&mut self, meeting: MeetingId, what: Happening) {
        if let Some(records) = &mut self.records {
            records.push_back(Record { meeting, what });
        }
    }

    /// Takes a connection out and tells the others.
    ///
    /// Where no member is left, those who wait go on waiting for one who may open the meeting. Who of them may do that
    /// themselves comes again, for only a newcomer is told to make the group: their connections end without a word.
    fn remove(&mut self, connection: ConnectionId, why: Option<Refusal>) {
        let Some(peer) = self.take(connection, why) else { return };
        debug!(meeting = %peer.meeting, peer = peer.who.peer.0, "connection gone");
        let mut gone = vec![peer.who];
        if self.members(peer.meeting).is_empty() {
            if peer.is_member() {
                self.note(peer.meeting, Happening::Ended);
            }
            for other in self.connections(peer.meeting) {
                if self.peers.get(&other).is_some_and(|other| other.opens) {
                    self.outputs.push_back(Output::Disconnect(other));
                    gone.extend(self.take(other, None).map(|other| other.who));
                }
            }
        }
        for other in self.connections(peer.meeting) {
            for who in &gone {
                self.say(other, FromRelay::Departed(*who));
            }
        }
        self.refresh_meeting(peer.meeting);
    }

    /// Forgets a connection.
    fn take(&mut self, connection: ConnectionId, why: Option<Refusal>) -> Option<Peer> {
        let mut peer = self.peers.remove(&connection)?;
        self.timetable.remove(&(peer.scheduled, connection));
        self.ufrags.remove(&peer.ufrag);
        for address in peer.addresses() {
            self.addresses.remove(&address);
        }
        self.note(peer.meeting, Happening::Left { who: peer.fingerprint, why });
        if let Some(meeting) = self.meetings.get_mut(&peer.meeting) {
            meeting.leave(peer.former());
            meeting.sound = Bitrate(meeting.sound.as_bps().saturating_sub(peer.sound.as_bps()));
            if meeting.is_empty() {
                self.meetings.remove(&peer.meeting);
            }
        }
        self.finish_path(&mut peer.path);
        Some(peer)
    }

    fn on_due(&mut self, connection: ConnectionId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        if peer.until <= now {
            self.refuse(connection, Refusal::Over);
            return;
        }
        if peer.backlog.given_up.is_some_and(|at| at <= now) {
            self.give_up(connection);
            return;
        }
        if peer.path_due <= now {
            peer.path.handle_timeout(now);
            self.drain(connection);
        }
        self.ask_due_key_frames(connection);
        self.look(connection);
        self.schedule(connection);
    }

    /// Puts a connection's next moment into the timetable.
    fn schedule(&mut self, connection: ConnectionId) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let due = peer.due();
        if due != peer.scheduled {
            self.timetable.remove(&(peer.scheduled, connection));
        }
        peer.scheduled = due;
        self.timetable.insert((due, connection));
    }
}
