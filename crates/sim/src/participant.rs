//! One simulated person: a credential, a connection of some quality, and at times a session.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_e2ee::{Member, Memory};
use conclave_identity::Holder;
use conclave_model::{Epoch, LeafIndex, LeafRef, TrackKind};
use conclave_relay_core::ConnectionId;
use conclave_session::{EndReason, Governance, Session, Waiting};

use crate::{
    media::{PICTURE_INTERVAL, SOUND_INTERVAL, Stamp},
    network::{Line, Weather, Wire},
};

/// One person.
pub(crate) struct Participant {
    pub(crate) holder: Holder,
    pub(crate) weather: Weather,
    /// What their app remembers of the meeting.
    pub(crate) memory: Option<Memory>,
    /// How many sessions they have had.
    pub(crate) sessions: u32,
    /// Whether they want to be in the meeting: whoever is thrown out by an accident comes again.
    pub(crate) wants_in: bool,
    /// Until when something that happened may be felt.
    pub(crate) disturbed_until: Option<Instant>,
    /// When they come, where that is set.
    pub(crate) comes_at: Option<Instant>,
    pub(crate) presence: Option<Presence>,
}

/// One session of one person, and its lines.
pub(crate) struct Presence {
    pub(crate) session: Session,
    /// Which of the person's sessions.
    pub(crate) number: u32,
    pub(crate) address: SocketAddr,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) leaf: Option<LeafRef>,
    pub(crate) up: Line,
    pub(crate) down: Line,
    pub(crate) to_relay: Wire,
    pub(crate) from_relay: Wire,
    /// When the relay's end of the signalling connection closed, the wire is read to its end first.
    pub(crate) hung_up: bool,
    pub(crate) wake: Instant,
    pub(crate) source: Source,
    pub(crate) me: Option<LeafIndex>,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) roster: Arc<[Member]>,
    /// Whether the roster changed since the last wishes.
    pub(crate) wishes_due: bool,
    /// Whether media flow.
    pub(crate) is_path_up: bool,
    /// When the app has waited long enough for media to flow for the first time.
    pub(crate) path_due: Option<Instant>,
    /// When the roster changed last.
    pub(crate) settled_at: Instant,
    pub(crate) ended: Option<EndReason>,
    /// How the meeting is led, as this one sees it.
    pub(crate) governance: Option<Governance>,
    /// Who waits.
    pub(crate) lobby: Arc<[Waiting]>,
    /// Whether one of the two changed since this one last did what a chair does.
    pub(crate) lead_due: bool,
    /// Tracks of others of which nothing is given out.
    pub(crate) held: BTreeSet<(LeafIndex, TrackKind)>,
    /// Pictures of others that come smaller than they could or not at all, as the relay says.
    pub(crate) squeezed: Vec<(LeafIndex, TrackKind)>,
    /// Whether the media path has been silent, so that the app binds another socket.
    pub(crate) move_due: bool,
}

impl Presence {
    /// When something happens here next.
    pub(crate) fn next_event(&self) -> Instant {
        let lines = [self.up.next_arrival(), self.down.next_arrival()];
        let wires = [self.to_relay.next_arrival(), self.from_relay.next_arrival()];
        let others = lines.into_iter().chain(wires).flatten().min();
        others.into_iter().fold(self.wake.min(self.source.next()), Instant::min)
    }
}

impl Presence {
    /// What is due here at `now`, in words.
    pub(crate) fn due(&self, now: Instant) -> Option<(&'static str, Instant)> {
        let moments = [
            ("the session", Some(self.wake)),
            ("the line to the relay", self.up.next_arrival()),
            ("the line from the relay", self.down.next_arrival()),
            ("signalling to the relay", self.to_relay.next_arrival()),
            ("signalling from the relay", self.from_relay.next_arrival()),
            ("the sources", Some(self.source.next())),
        ];
        moments.into_iter().filter_map(|(what, at)| Some((what, at?))).find(|(_, at)| *at <= now)
    }
}

/// Microphone and camera.
pub(crate) struct Source {
    next_sound: Instant,
    next_picture: Instant,
    sounds: u32,
    pictures: u32,
    /// The next picture must be a key frame.
    pub(crate) key_wanted: bool,
}

impl Source {
    pub(crate) fn new(start: Instant) -> Self {
        Self { next_sound: start, next_picture: start, sounds: 0, pictures: 0, key_wanted: true }
    }

    fn next(&self) -> Instant {
        self.next_sound.min(self.next_picture)
    }

    /// Nothing is due for a second.
    pub(crate) fn pause(&mut self, now: Instant) {
        self.next_sound = self.next_sound.max(now + Duration::from_secs(1));
        self.next_picture = self.next_picture.max(now + Duration::from_secs(1));
    }

    /// What is due by `now`: a stamp, and whether it is a key frame.
    pub(crate) fn due(&mut self, who: usize, session: u32, now: Instant) -> Option<(Stamp, bool)> {
        if self.next_sound <= now {
            self.next_sound += SOUND_INTERVAL;
            self.sounds += 1;
            let track = TrackKind::Microphone;
            return Some((Stamp { who, session, track, number: self.sounds, sent: now }, true));
        }
        if self.next_picture <= now {
            self.next_picture += PICTURE_INTERVAL;
            self.pictures += 1;
            let key = std::mem::take(&mut self.key_wanted);
            let track = TrackKind::Camera;
            return Some((Stamp { who, session, track, number: self.pictures, sent: now }, key));
        }
        None
    }
}
