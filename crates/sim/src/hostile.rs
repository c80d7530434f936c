//! Meetings in which somebody is hostile: the relay, a member, or who wants to become one.
//!
//! The honest are real sessions and the relay is the real one. A hostile relay is what stands between the two and
//! changes what is said; a hostile member is a [`Puppet`](crate::puppet::Puppet).

mod act;
mod cast;
mod moves;
mod play;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use conclave_model::{Level, wire::signal::FromRelay};
use conclave_session::{Event, Standing};

pub use moves::Move;
pub use play::run_hostile;

pub(crate) use cast::{Cast, cast, rules_of};

/// Who makes a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum By {
    /// The relay.
    Relay,
    /// A member, over an honest relay.
    Member,
    /// A member with the relay's help.
    Both,
    /// Somebody who is no member.
    Outsider,
}

/// What a move comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Every honest member refuses the newcomer, and shows it.
    Refused,
    /// There is no way to try: no certificate is issued, the own app says no, or the relay closes the door.
    AtTheDoor,
    /// No honest member follows the commit; each shows who made it, and that member is put out.
    NotFollowed,
    /// No honest member follows the commit, which nobody is proven to have made; its sender is put out.
    Annulled,
    /// The relay ends the connection of who did it; nobody else notices.
    PutOut,
    /// Dropped and counted; nobody else notices.
    Dropped,
    /// Whom it hits loses the connection, and is a member again by themselves.
    Rejoined,
    /// The honest members show that they are kept apart, or whom it hits notices first and comes anew.
    Shown,
    /// The honest members show that a track is forged, and play it no more.
    Named,
    /// The honest members show that what comes is not proven, and play none of it until it is; or that it is forged.
    Held,
    /// It has no effect.
    Ignored,
}

impl Outcome {
    /// Whether it is only known at the end of the time.
    fn is_watched(self) -> bool {
        matches!(self, Self::Ignored | Self::Held)
    }
}

/// A move and what the honest must see of it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What is done.
    pub action: Move,
    /// In words.
    pub what: &'static str,
    /// Who does it.
    pub by: By,
    /// What comes of it.
    pub outcome: Outcome,
    /// Within which time.
    pub within: Duration,
}

/// What an honest participant was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Refused,
    Objected,
    Apart,
    Forged,
    Held,
    Ended,
}

impl Sign {
    fn of(event: &Event) -> Option<Self> {
        match event {
            Event::NewcomerRefused { .. } => Some(Self::Refused),
            Event::Objected { .. } => Some(Self::Objected),
            Event::Standing { standing: Standing::Silent | Standing::Diverged, .. } => Some(Self::Apart),
            Event::TrackForged { .. } => Some(Self::Forged),
            Event::TrackHeld { held: true, .. } => Some(Self::Held),
            Event::Admitted { .. }
            | Event::Roster(_)
            | Event::EpochChanged(_)
            | Event::MemberState { .. }
            | Event::KeyFrameWanted { .. }
            | Event::LayersWanted { .. }
            | Event::Squeezed(_)
            | Event::Delayed(_)
            | Event::Revoked { .. }
            | Event::NobodyVouched
            | Event::Budget(_)
            | Event::PathUp
            | Event::PathDown
            | Event::PathSilent
            | Event::Heard(_)
            | Event::Quality(_)
            | Event::TrackHeld { held: false, .. }
            | Event::Undecryptable { .. }
            | Event::Governance(_)
            | Event::Lobby(_)
            | Event::Standing { standing: Standing::Confirmed, .. }
            | Event::OrderRefused(_)
            | Event::Stage(_)
            | Event::Share(_)
            | Event::ShareRefused(_)
            | Event::ScreenWithheld { .. }
            | Event::Ended(_) => None,
        }
    }
}

/// What a hostile relay makes of what the relay says to somebody.
pub(crate) type Tamper = Box<dyn FnMut(usize, FromRelay) -> Vec<FromRelay> + Send>;

/// How many of the relay's messages a hostile one remembers.
const HISTORY: usize = 400;

/// What is known in a meeting with somebody hostile.
pub(crate) struct Hostile {
    pub(crate) cast: Arc<Cast>,
    pub(crate) signs: Vec<(Instant, usize, Sign)>,
    pub(crate) tamper: Option<Tamper>,
    /// What the relay said of late, and to whom.
    pub(crate) history: VecDeque<(usize, FromRelay)>,
    /// What of a puppet's voice was played: by whom, whether true.
    pub(crate) played_false: usize,
    pub(crate) played_true: usize,
    /// When anything false was played first and last, and to whom.
    pub(crate) heard_false: BTreeMap<usize, (Instant, Instant)>,
    /// The highest level so far: nobody agrees to a lower one here.
    pub(crate) level: Level,
    /// Whether the honest may be in groups of their own for now.
    pub(crate) is_split: bool,
    /// Whether the attempt ended before anybody else could hear of it.
    pub(crate) at_the_door: bool,
    /// Why sessions ended, for who looks into a failure.
    pub(crate) reasons: Vec<String>,
    /// Who is hit.
    pub(crate) victim: usize,
}

impl Hostile {
    pub(crate) fn new(cast: Arc<Cast>, level: Level) -> Self {
        Self {
            cast,
            signs: Vec::new(),
            tamper: None,
            history: VecDeque::new(),
            played_false: 0,
            played_true: 0,
            heard_false: BTreeMap::new(),
            level,
            is_split: false,
            at_the_door: false,
            victim: 0,
            reasons: Vec::new(),
        }
    }

    /// Notes what somebody was told.
    pub(crate) fn hear(&mut self, who: usize, event: &Event, now: Instant) {
        if let Some(sign) = Sign::of(event) {
            self.signs.push((now, who, sign));
        }
    }

    /// What the relay's message to somebody becomes.
    pub(crate) fn pass(&mut self, who: usize, message: FromRelay) -> Vec<FromRelay> {
        if self.history.len() >= HISTORY {
            self.history.pop_front();
        }
        self.history.push_back((who, message.clone()));
        match &mut self.tamper {
            Some(tamper) => tamper(who, message),
            None => vec![message],
        }
    }
}
