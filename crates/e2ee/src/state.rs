//! What a group has agreed on beside its members.

use std::collections::BTreeSet;

use conclave_identity::Invitation;
use conclave_model::{Fingerprint, Level, MeetingId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Consent, MAX_MEMBERS};

/// The longest state that is read or written, in bytes.
const MAX_STATE: usize = 32 << 10;

/// The most people in one of the state's lists.
pub(crate) const MAX_LISTED: usize = MAX_MEMBERS * 2;

/// How many levels of nesting the CBOR may have.
const MAX_DEPTH: usize = 8;

/// What the group has agreed on beside its members.
///
/// It stands in the group context, so it is in the key schedule: members of different states have different keys. It
/// changes by commits only, and each member computes by the same rules what a commit may make of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Which meeting.
    pub meeting: MeetingId,
    /// The classification.
    pub level: Level,
    /// How often the level has changed since the invitation; an agreement to lower it counts for one number.
    pub level_changes: u32,
    /// Whether only those in `admitted` may come in.
    pub locked: bool,
    /// Everybody who was let in, by certificate, those who left again included.
    pub admitted: BTreeSet<Fingerprint>,
    /// Everybody who was put out for good.
    pub ejected: BTreeSet<Fingerprint>,
    /// What the originator signed when the level was last lowered.
    pub consent: Option<Consent>,
}

impl State {
    /// Where a meeting begins: at the level of its invitation, nobody in.
    pub(crate) fn initial(invitation: &Invitation) -> Self {
        let content = invitation.content();
        Self {
            meeting: content.meeting,
            level: content.level,
            level_changes: 0,
            locked: false,
            admitted: BTreeSet::new(),
            ejected: BTreeSet::new(),
            consent: None,
        }
    }

    /// Level and meeting as each frame's authenticated data has them: one byte of level code, 16 of meeting id.
    pub(crate) fn frame_context(&self) -> [u8; 17] {
        let mut bytes = [self.level.code(); 17];
        bytes[1..].copy_from_slice(&self.meeting.0);
        bytes
    }

    /// The state in CBOR: one encoding for each state.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Reads a state; `None` for anything but what [`Self::to_bytes`] writes, or one that is too large.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let state: Self = from_cbor(bytes, MAX_STATE)?;
        (state.is_bounded() && state.to_bytes() == bytes).then_some(state)
    }

    /// Whether it is of a size that members take.
    pub(crate) fn is_bounded(&self) -> bool {
        self.admitted.len() <= MAX_LISTED
            && self.ejected.len() <= MAX_LISTED
            && self.consent.as_ref().is_none_or(Consent::is_bounded)
    }
}

/// What an app remembers of a meeting from when it was last in it.
///
/// A meeting that everybody was cut off from begins anew with what the first to come back remembers, and whoever
/// remembers does not enter one that has fallen behind. So cutting everybody off neither lowers the level nor lets the
/// ejected back in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory(State);

impl Memory {
    /// What a state leaves behind.
    pub(crate) fn of(state: &State) -> Self {
        Self(state.clone())
    }

    /// The state as it was last seen.
    pub fn state(&self) -> &State {
        &self.0
    }

    /// The memory in CBOR, at most 32 kB.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Reads a memory; `None` for anything but what [`Self::to_bytes`] writes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        State::from_bytes(bytes).map(Self)
    }
}

/// Writes a value that always can be written.
pub(crate) fn to_cbor(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    #[expect(clippy::expect_used, reason = "plain data into memory")]
    ciborium::into_writer(value, &mut bytes).expect("plain data serializes into memory");
    bytes
}

/// Reads a value that fills `bytes`, of at most `limit` bytes.
pub(crate) fn from_cbor<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Option<T> {
    if bytes.len() > limit {
        return None;
    }
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH).ok()?;
    rest.is_empty().then_some(value)
}
