//! How the meeting is led, as the group itself proves it.

use std::time::Instant;

use conclave_e2ee::NewcomerError;
use conclave_identity::Admission;
use conclave_model::{LeafIndex, LeafRef, Level, Person};

/// What the group has agreed on beside its members. All of it is in the group context, hence in the key schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governance {
    /// Who leads: the first of the signed succession who is a member. A successor leads once those before are gone
    /// for 10 s; `None` where nobody of the succession is here.
    pub chair: Option<LeafIndex>,
    /// The classification.
    pub level: Level,
    /// Whether only those admitted before may come in.
    pub locked: bool,
    /// Whether people wait in the lobby.
    pub admission: Admission,
    /// The level down to which the originator has agreed to go, while that is still open.
    pub consent: Option<Level>,
    /// How many people have been put out for good.
    pub ejected: usize,
    /// Six words that all members share and nobody else can make; compared aloud. They last while nobody comes or goes and
    /// the level and the door stay as they are.
    pub words: Vec<&'static str>,
}

/// Somebody in the lobby, as this member's own checks see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Their leaf.
    pub reference: LeafRef,
    /// Who they are, as certified; `None` where no certificate holds.
    pub person: Option<Person>,
    /// Why they cannot be let in, if so.
    pub problem: Option<NewcomerError>,
    /// Since when they wait.
    pub since: Instant,
}

/// Whether a member has shown of late that it is in the same state of the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It has.
    #[default]
    Confirmed,
    /// Nothing has come from it for 10 s, though the relay calls it connected.
    Silent,
    /// It is in another state of the group than this member: somebody keeps the two apart.
    Diverged,
}
