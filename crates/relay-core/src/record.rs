//! What an audit log is told: who came, stayed and went; never what was said.

use conclave_model::{
    Fingerprint, MeetingId,
    wire::signal::{Dismissal, Refusal},
};

/// Something that happened in a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which meeting.
    pub meeting: MeetingId,
    /// What happened.
    pub what: Happening,
}

/// What can happen in a meeting. People are named by their certificates' fingerprints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Its first member came.
    Opened,
    /// Its last member went.
    Ended,
    /// A connection was taken in; it waits, or is a member, as the next record says.
    Connected(Fingerprint),
    /// It waits for a member to add it.
    Waiting(Fingerprint),
    /// It made the group, or was sent a welcome.
    Member(Fingerprint),
    /// The acting chair sent somebody away.
    Dismissed {
        /// Whom.
        who: Fingerprint,
        /// Who did.
        by: Fingerprint,
        /// Why.
        why: Dismissal,
    },
    /// A member's commit was annulled, for most others objected to it.
    Annulled {
        /// Whose commit.
        by: Fingerprint,
    },
    /// A connection ended.
    Left {
        /// Whose.
        who: Fingerprint,
        /// Why the relay ended it; `None` where it ended by itself, or is to come again.
        why: Option<Refusal>,
    },
}
