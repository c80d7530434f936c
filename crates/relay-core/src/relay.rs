//! [`Relay`], the state machine.

mod delivery;
mod media;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use conclave_model::{
    LeafRef, MeetingId,
    wire::signal::{Arrival, Endpoint, FromRelay, Hello, Joined, MAX_LIST, Neighbour, Refusal, VERSION},
};
use conclave_transport::{Path, Transmit};
use tracing::debug;

use crate::{
    counters::Counters,
    meeting::Meeting,
    peer::{Entry, Peer, Standing},
};

/// How long to sleep where nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// The longest key package, in bytes; one with a certificate chain and post-quantum keys has about 10 kB.
const MAX_KEY_PACKAGE: usize = 128 << 10;

/// The longest ICE user fragment and password, in characters (RFC 8445 section 5.3).
const MAX_ICE_TEXT: usize = 256;

/// What a relay is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// Addresses of the media socket as clients reach it.
    pub addresses: Vec<SocketAddr>,
    /// The most connections in all meetings together.
    pub max_peers: usize,
    /// The most connections in one meeting; never more than [`MAX_LIST`], for a newcomer is told of all at once.
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
        }
    }

    /// Takes in a connection that passed the driver's checks; the answer to it is among the outputs.
    ///
    /// An older connection with the same certificate in the same meeting ends, for the person is here now. The first
    /// in a meeting makes the group; the others are told of each later one.
    ///
    /// # Errors
    /// [`Refusal::Version`], [`Refusal::Over`], [`Refusal::Full`], or [`Refusal::Misbehaved`] for a `Hello` that no
    /// client of ours sends. The driver tells the client.
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
        self.remove(connection);
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

    fn admit(&mut self, mut path: Path, admitted: Admitted) -> Result<ConnectionId, Refusal> {
        let Admitted { fingerprint, hello, until } = admitted;
        if hello.version != VERSION {
            return Err(Refusal::Version);
        }
        if until <= self.now {
            return Err(Refusal::Over);
        }
        self.check_hello(&hello)?;
        let same = |peer: &Peer| peer.meeting == hello.meeting && peer.fingerprint == fingerprint;
        let replaced = self.peers.iter().find(|(_, peer)| same(peer)).map(|(connection, _)| *connection);
        self.check_leaf(&hello, replaced)?;
        self.check_room(hello.meeting, replaced)?;
        let remote = Endpoint { candidates: Vec::new(), ..hello.transport };
        path.connect(&remote, self.now).map_err(|error| {
            debug!(%error, "media path refused");
            Refusal::Misbehaved
        })?;
        if let Some(old) = replaced {
            self.refuse(old, Refusal::Replaced);
        }
        let standing = Standing::Waiting { key_package: hello.key_package };
        self.enter(hello.meeting, hello.leaf, fingerprint, standing, path, until)
    }

    /// Refuses what no client of ours says.
    fn check_hello(&self, hello: &Hello) -> Result<(), Refusal> {
        let Endpoint { ufrag, password, .. } = &hello.transport;
        let text = |text: &str| !text.is_empty() && text.len() <= MAX_ICE_TEXT;
        let package = 1..=MAX_KEY_PACKAGE;
        if text(ufrag) && text(password) && package.contains(&hello.key_package.len()) {
            Ok(())
        } else {
            Err(Refusal::Misbehaved)
        }
    }

    /// Refuses a leaf that somebody else has: leaving with it would take that person out of the group.
    fn check_leaf(&self, hello: &Hello, replaced: Option<ConnectionId>) -> Result<(), Refusal> {
        let taken = self.peers.iter().any(|(connection, peer)| {
            peer.meeting == hello.meeting && peer.who.leaf == hello.leaf && Some(*connection) != replaced
        });
        if taken { Err(Refusal::Misbehaved) } else { Ok(()) }
    }

    fn check_room(&self, meeting: MeetingId, replaced: Option<ConnectionId>) -> Result<(), Refusal> {
        let leaving = usize::from(replaced.is_some());
        let here = self.meetings.get(&meeting).map_or(0, Meeting::len) - leaving;
        if self.peers.len() - leaving >= self.config.max_peers
            || here >= self.config.max_peers_per_meeting.min(MAX_LIST)
        {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    fn enter(
        &mut self,
        id: MeetingId,
        leaf: LeafRef,
        fingerprint: [u8; 32],
        standing: Standing,
        mut path: Path,
        until: Instant,
    ) -> Result<ConnectionId, Refusal> {
        let connection = ConnectionId(self.last_connection + 1);
        let meeting = self.meetings.entry(id).or_default();
        let create = meeting.is_empty();
        let others: Vec<_> = meeting.connections().collect();
        let number = meeting.enter(connection).ok_or(Refusal::Full)?;
        self.last_connection += 1;
        let who = Neighbour { peer: number, leaf };
        let transport = path.local();
        let ufrag = transport.ufrag.clone();
        let standing = if create { Standing::Member } else { standing };
        let peer = Peer::new(Entry { meeting: id, who, fingerprint, standing, path, ufrag, until }, self.now);
        let arrival = peer.arrival();
        self.ufrags.insert(peer.ufrag.clone(), connection);
        self.peers.insert(connection, peer);
        self.timetable.insert((self.now, connection));

        let neighbours = others.iter().filter_map(|other| self.peers.get(other)).map(|peer| peer.who).collect();
        self.say(
            connection,
            FromRelay::Joined(Joined { peer: number, transport, create, neighbours, revocations: Vec::new() }),
        );
        for waiting in self.waiting(id, connection) {
            self.say(connection, FromRelay::Arrived(waiting));
        }
        if let Some(arrival) = arrival {
            for other in others {
                self.say(other, FromRelay::Arrived(arrival.clone()));
            }
        }
        self.touch(connection);
        debug!(meeting = %id, peer = number.0, create, "connection taken in");
        Ok(connection)
    }

    /// Everybody in the meeting but `except` who waits for a commit.
    fn waiting(&self, meeting: MeetingId, except: ConnectionId) -> Vec<Arrival> {
        let meeting = self.meetings.get(&meeting);
        let everybody = meeting.into_iter().flat_map(Meeting::connections).filter(|other| *other != except);
        everybody.filter_map(|other| self.peers.get(&other).and_then(Peer::arrival)).collect()
    }

    /// Everybody in the meeting but `except`.
    fn others(&self, meeting: MeetingId, except: ConnectionId) -> Vec<ConnectionId> {
        let meeting = self.meetings.get(&meeting);
        meeting.into_iter().flat_map(Meeting::connections).filter(|other| *other != except).collect()
    }

    fn say(&mut self, to: ConnectionId, message: FromRelay) {
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
        self.remove(connection);
    }

    /// Takes a connection out and tells the others.
    ///
    /// Where no member is left, those who wait have nobody to add them: their connections end without a word, they
    /// come again, and the first of them makes a new group.
    fn remove(&mut self, connection: ConnectionId) {
        let Some(peer) = self.take(connection) else { return };
        debug!(meeting = %peer.meeting, peer = peer.who.peer.0, "connection gone");
        let others = self.others(peer.meeting, connection);
        let is_member = |other: &ConnectionId| self.peers.get(other).is_some_and(Peer::is_member);
        if others.iter().any(is_member) {
            for other in &others {
                self.say(*other, FromRelay::Departed(peer.who));
            }
            self.refresh_meeting(peer.meeting);
        } else {
            for other in others {
                self.outputs.push_back(Output::Disconnect(other));
                self.take(other);
            }
        }
    }

    /// Forgets a connection.
    fn take(&mut self, connection: ConnectionId) -> Option<Peer> {
        let mut peer = self.peers.remove(&connection)?;
        self.timetable.remove(&(peer.scheduled, connection));
        self.ufrags.remove(&peer.ufrag);
        for address in peer.addresses() {
            self.addresses.remove(&address);
        }
        if let Some(meeting) = self.meetings.get_mut(&peer.meeting) {
            meeting.leave(peer.who);
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
        if peer.path_due <= now {
            peer.path.handle_timeout(now);
            self.drain(connection);
        }
        self.ask_due_key_frames(connection);
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
