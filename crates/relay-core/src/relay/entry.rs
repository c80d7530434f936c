//! Who comes in.

use conclave_model::{
    Fingerprint, LeafRef, MeetingId,
    wire::signal::{Arrival, Endpoint, FromRelay, Hello, Joined, MAX_LIST, Neighbour, Refusal, VERSION},
};
use conclave_transport::Path;
use tracing::debug;

use super::{Admitted, ConnectionId, Relay};
use crate::{
    meeting::Meeting,
    peer::{Entry, Peer, Standing},
    record::Happening,
};

/// The longest key package, in bytes; one with a certificate chain and post-quantum keys has about 10 kB.
const MAX_KEY_PACKAGE: usize = 128 << 10;

/// The longest ICE user fragment and password, in characters (RFC 8445 section 5.3).
const MAX_ICE_TEXT: usize = 256;

impl Relay {
    pub(super) fn admit(&mut self, mut path: Path, admitted: Admitted) -> Result<ConnectionId, Refusal> {
        let Admitted { fingerprint, hello, until, rank, opens } = admitted;
        if hello.version != VERSION {
            return Err(Refusal::Version);
        }
        if until <= self.now {
            return Err(Refusal::Over);
        }
        let fingerprint = Fingerprint(fingerprint);
        if self.is_banned(hello.meeting, fingerprint) {
            return Err(Refusal::Ejected);
        }
        Self::check_hello(&hello)?;
        let replaced = self.connection_of(hello.meeting, fingerprint);
        // Whose signalling broke off is nowhere else: their program was started again.
        let is_lost = |old: &ConnectionId| self.peers.get(old).is_some_and(|peer| peer.backlog.given_up.is_some());
        if replaced.is_some_and(|old| !is_lost(&old)) && !hello.take_over {
            return Err(Refusal::AlreadyHere);
        }
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
        let key_package = hello.key_package;
        let entry = Newcomer { meeting: hello.meeting, leaf: hello.leaf, fingerprint, key_package, until, rank, opens };
        self.enter(path, entry)
    }

    /// The connection of a certificate in a meeting.
    pub(super) fn connection_of(&self, meeting: MeetingId, fingerprint: Fingerprint) -> Option<ConnectionId> {
        let same = |peer: &Peer| peer.meeting == meeting && peer.fingerprint == fingerprint;
        self.peers.iter().find(|(_, peer)| same(peer)).map(|(connection, _)| *connection)
    }

    /// Refuses what no client of ours says.
    fn check_hello(hello: &Hello) -> Result<(), Refusal> {
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

    fn enter(&mut self, mut path: Path, newcomer: Newcomer) -> Result<ConnectionId, Refusal> {
        let Newcomer { meeting: id, leaf, fingerprint, key_package, until, rank, opens } = newcomer;
        let connection = ConnectionId(self.last_connection + 1);
        let create = opens && self.members(id).is_empty();
        let meeting = self.meetings.entry(id).or_default();
        let others: Vec<_> = meeting.connections().collect();
        let number = meeting.enter(connection).ok_or(Refusal::Full)?;
        let since = if create { meeting.begin() } else { meeting.epoch() };
        self.last_connection += 1;
        let who = Neighbour { peer: number, leaf };
        let transport = path.local();
        let ufrag = transport.ufrag.clone();
        let arrival = Arrival { who, key_package: key_package.clone() };
        let standing = if create { Standing::Member { since } } else { Standing::Waiting { key_package } };
        let entry = Entry { meeting: id, who, fingerprint, standing, path, ufrag, until, rank, opens };
        let peer = Peer::new(entry, self.now);
        self.ufrags.insert(peer.ufrag.clone(), connection);
        self.peers.insert(connection, peer);
        self.timetable.insert((self.now, connection));
        self.note(id, Happening::Connected(fingerprint));
        if create {
            self.note(id, Happening::Opened);
            self.note(id, Happening::Member(fingerprint));
        } else {
            self.note(id, Happening::Waiting(fingerprint));
        }

        let neighbours = others.iter().filter_map(|other| self.peers.get(other)).map(|peer| peer.who).collect();
        let revocations = self.revocations.clone();
        self.say(connection, FromRelay::Joined(Joined { peer: number, transport, create, neighbours, revocations }));
        for waiting in self.waiting(id, connection) {
            self.say(connection, FromRelay::Arrived(waiting));
        }
        // Those who wait hear of the one who makes the group as well: it is the member whom they meet in it.
        for other in others {
            self.say(other, FromRelay::Arrived(arrival.clone()));
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
}

/// Somebody who passed all checks.
struct Newcomer {
    meeting: MeetingId,
    leaf: LeafRef,
    fingerprint: Fingerprint,
    key_package: bytes::Bytes,
    until: std::time::Instant,
    rank: Option<u16>,
    opens: bool,
}
