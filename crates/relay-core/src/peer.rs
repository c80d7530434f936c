//! One connection.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use bytes::Bytes;
use conclave_model::{
    Bitrate, Epoch, Fingerprint, MeetingId, TrackKind,
    wire::signal::{Arrival, Neighbour, TrackName},
};
use conclave_transport::{FIRST_ESTIMATE, Path, Slot};

use crate::{
    bucket::Bucket,
    forward::Published,
    meeting::Former,
    relay::{Backlog, Hearing, LOOK},
    slots::Slots,
    watching::Watching,
};

/// How many addresses one connection may send media from: a change of network leaves the older one behind.
const ADDRESSES: usize = 4;

/// Messages a second, and at once: a client sends a handful when it joins and then a few a minute.
const MESSAGES: (u32, u32) = (50, 250);

/// Bytes of messages a second, and at once: commit and welcome for 100 members are 0.7 MB.
const MESSAGE_BYTES: (u32, u32) = (2 << 20, 32 << 20);

/// Signs of life a second, and at once: one every 3 s, and one for each commit.
const PULSES: (u32, u32) = (5, 100);

/// Datagrams a second, and at once: ten times what 720p with retransmissions needs.
const DATAGRAMS: (u32, u32) = (8_000, 8_000);

/// Where a connection stands with the group, as far as a relay can know.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nobody has committed its key package.
    Waiting { key_package: Bytes },
    /// It made the group, or was sent a welcome.
    Member {
        /// The first epoch that it is in.
        since: Epoch,
    },
}

/// One connection with its media path.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) meeting: MeetingId,
    pub(crate) who: Neighbour,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) standing: Standing,
    pub(crate) path: Path,
    pub(crate) ufrag: String,
    /// Whether media can flow.
    pub(crate) is_up: bool,
    /// Whether the path waits to be drained.
    pub(crate) is_touched: bool,
    /// The end of the meeting.
    pub(crate) until: Instant,
    /// The place in the signed succession of the chair.
    pub(crate) rank: Option<u16>,
    /// Whether it may make the group.
    pub(crate) opens: bool,
    /// When the path wants to be woken.
    pub(crate) path_due: Instant,
    /// What stands in the relay's timetable for this connection.
    pub(crate) scheduled: Instant,
    pub(crate) slots: Slots,
    pub(crate) tracks: BTreeMap<TrackKind, Published>,
    /// What its own sound takes.
    pub(crate) sound: Bitrate,
    pub(crate) watching: Watching,
    /// When its tracks, and what it watches, are looked at next, and when its line was shared out last.
    pub(crate) look_due: Instant,
    pub(crate) shared: Instant,
    /// What the path was told that there may be to send.
    pub(crate) desired: Bitrate,
    pub(crate) backlog: Backlog,
    pub(crate) hearing: Hearing,
    addresses: VecDeque<SocketAddr>,
    messages: Bucket,
    message_bytes: Bucket,
    pulses: Bucket,
    datagrams: Bucket,
}

/// What makes a [`Peer`].
pub(crate) struct Entry {
    pub(crate) meeting: MeetingId,
    pub(crate) who: Neighbour,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) standing: Standing,
    pub(crate) path: Path,
    pub(crate) ufrag: String,
    pub(crate) until: Instant,
    pub(crate) rank: Option<u16>,
    pub(crate) opens: bool,
}

impl Peer {
    pub(crate) fn new(entry: Entry, now: Instant) -> Self {
        let Entry { meeting, who, fingerprint, standing, path, ufrag, until, rank, opens } = entry;
        Self {
            meeting,
            who,
            fingerprint,
            standing,
            path,
            ufrag,
            is_up: false,
            is_touched: false,
            until,
            rank,
            opens,
            path_due: now,
            scheduled: now,
            slots: Slots::default(),
            tracks: BTreeMap::new(),
            sound: Bitrate(0),
            watching: Watching::new(FIRST_ESTIMATE),
            look_due: now + LOOK,
            shared: now,
            desired: Bitrate(0),
            backlog: Backlog::default(),
            hearing: Hearing::default(),
            addresses: VecDeque::new(),
            messages: Bucket::new(MESSAGES.0, MESSAGES.1, now),
            message_bytes: Bucket::new(MESSAGE_BYTES.0, MESSAGE_BYTES.1, now),
            pulses: Bucket::new(PULSES.0, PULSES.1, now),
            datagrams: Bucket::new(DATAGRAMS.0, DATAGRAMS.1, now),
        }
    }

    /// Whether one more message of this size is within the limits.
    pub(crate) fn may_say(&mut self, bytes: usize, now: Instant) -> bool {
        self.messages.take(1, now) && self.message_bytes.take(bytes, now)
    }

    /// Whether one more sign of life is within the limit.
    pub(crate) fn may_pulse(&mut self, now: Instant) -> bool {
        self.pulses.take(1, now)
    }

    /// Whether one more datagram is within the limit.
    pub(crate) fn may_send(&mut self, now: Instant) -> bool {
        self.datagrams.take(1, now)
    }

    /// Notes an address that proved to be this connection's. Returns the one that it displaces.
    pub(crate) fn learn(&mut self, address: SocketAddr) -> Option<SocketAddr> {
        if self.addresses.contains(&address) {
            return None;
        }
        self.addresses.push_back(address);
        if self.addresses.len() > ADDRESSES { self.addresses.pop_front() } else { None }
    }

    pub(crate) fn forget(&mut self, address: SocketAddr) {
        self.addresses.retain(|known| *known != address);
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().copied()
    }

    pub(crate) fn is_member(&self) -> bool {
        self.since().is_some()
    }

    /// The first epoch that it is in; `None` where it waits.
    pub(crate) fn since(&self) -> Option<Epoch> {
        match self.standing {
            Standing::Member { since } => Some(since),
            Standing::Waiting { .. } => None,
        }
    }

    /// What is remembered of it once it is gone.
    pub(crate) fn former(&self) -> Former {
        let Self { who, fingerprint, rank, until, .. } = *self;
        Former { who, fingerprint, rank, until }
    }

    /// What others are told of it while it waits.
    pub(crate) fn arrival(&self) -> Option<Arrival> {
        match &self.standing {
            Standing::Member { .. } => None,
            Standing::Waiting { key_package } => Some(Arrival { who: self.who, key_package: key_package.clone() }),
        }
    }

    /// Through which slot it receives a track of somebody else; `None` where it does not.
    pub(crate) fn slot_for(&self, name: TrackName) -> Option<Slot> {
        if !self.is_member() || name.peer == self.who.peer {
            None
        } else if name.track.is_video() {
            self.slots.of(name)
        } else {
            Some(Slot::Audio)
        }
    }

    /// When something is to be done for it.
    pub(crate) fn due(&self) -> Instant {
        let key_frame = self.tracks.values().filter_map(Published::key_frame_due).min();
        let first =
            self.backlog.given_up.into_iter().fold(self.path_due.min(self.until).min(self.look_due), Instant::min);
        key_frame.map_or(first, |due| due.min(first))
    }
}
