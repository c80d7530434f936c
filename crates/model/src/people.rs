//! Who sits at the table, as certified.

use serde::{Deserialize, Serialize};

use crate::Level;

/// What a participant may do in a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Leads the meeting.
    Chair,
    /// Sits for a state or institution.
    Delegate,
    /// Speaks in a booth.
    Interpreter,
    /// Sees and hears.
    Observer,
    /// Runs agenda, lists and minutes.
    Secretariat,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Chair, Self::Delegate, Self::Interpreter, Self::Observer, Self::Secretariat];

    /// The word used on command lines, in configuration and certificates.
    pub fn word(self) -> &'static str {
        match self {
            Self::Chair => "chair",
            Self::Delegate => "delegate",
            Self::Interpreter => "interpreter",
            Self::Observer => "observer",
            Self::Secretariat => "secretariat",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.word() == word).ok_or_else(|| UnknownRole(word.to_owned()))
    }
}

/// A word that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no role; use chair, delegate, interpreter, observer or secretariat")]
pub struct UnknownRole(pub String);

/// A person's place within the delegation that shares a seat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeatRank {
    /// Head of delegation.
    #[default]
    Head,
    /// Speaks when the head does not.
    Deputy,
    /// Advises.
    Expert,
}

/// A personnel security clearance: up to which level, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clearance {
    /// The highest level that the person may see.
    pub level: Level,
    /// The first moment at which it no longer counts, in seconds since 1970-01-01 UTC.
    pub expires: u64,
}

/// One person as their certificate states; nothing here is free text from the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The certified name, as "Anna Virtanen".
    pub name: String,
    /// The state or institution whose seat the person shares, as "Finland" or "European Commission".
    pub seat: String,
    /// ISO 3166 alpha-2 or institution code of the seat, as "FI" or "EC"; releasability caveats are sets of these.
    pub seat_code: String,
    /// The place within the delegation.
    pub rank: SeatRank,
    /// What the person may do.
    pub role: Role,
    /// The clearance; `None` where the certificate states none, which admits to unclassified meetings only.
    pub clearance: Option<Clearance>,
    /// SHA-256 over the DER of the certificate.
    #[serde(with = "serde_bytes")]
    pub fingerprint: [u8; 32],
}

impl Person {
    /// Whether the clearance reaches `level` at `wall` (seconds since 1970-01-01 UTC).
    pub fn is_cleared(&self, level: Level, wall: u64) -> bool {
        level == Level::Unclassified
            || self.clearance.is_some_and(|clearance| clearance.level >= level && wall < clearance.expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearance_counts_up_to_its_level_and_until_it_expires() {
        let mut person = Person {
            name: "A".into(),
            seat: "Finland".into(),
            seat_code: "FI".into(),
            rank: SeatRank::Head,
            role: Role::Delegate,
            clearance: Some(Clearance { level: Level::Secret, expires: 100 }),
            fingerprint: [0; 32],
        };
        assert!(person.is_cleared(Level::Secret, 99));
        assert!(!person.is_cleared(Level::Secret, 100));
        assert!(!person.is_cleared(Level::TopSecret, 99));
        person.clearance = None;
        assert!(person.is_cleared(Level::Unclassified, 0));
        assert!(!person.is_cleared(Level::Restricted, 0));
    }
}
