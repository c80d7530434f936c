//! Classification levels and their markings.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Classification of a meeting, lowest to highest.
///
/// The order is the order of protection, so `clearance >= level` is the test for access. The markings are those of
/// Council Decision 2013/488/EU and are never translated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// No classification; shown in the interface language.
    #[default]
    Unclassified,
    /// RESTREINT UE/EU RESTRICTED.
    Restricted,
    /// CONFIDENTIEL UE/EU CONFIDENTIAL.
    Confidential,
    /// SECRET UE/EU SECRET.
    Secret,
    /// TRÈS SECRET UE/EU TOP SECRET.
    TopSecret,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Self; 5] =
        [Self::Unclassified, Self::Restricted, Self::Confidential, Self::Secret, Self::TopSecret];

    /// The exact marking for a banner; `None` where the interface shows its own word for "unclassified".
    pub fn marking(self) -> Option<&'static str> {
        match self {
            Self::Unclassified => None,
            Self::Restricted => Some("RESTREINT UE/EU RESTRICTED"),
            Self::Confidential => Some("CONFIDENTIEL UE/EU CONFIDENTIAL"),
            Self::Secret => Some("SECRET UE/EU SECRET"),
            Self::TopSecret => Some("TRÈS SECRET UE/EU TOP SECRET"),
        }
    }

    /// The short marking, as `R-UE/EU-R`.
    pub fn short(self) -> Option<&'static str> {
        match self {
            Self::Unclassified => None,
            Self::Restricted => Some("R-UE/EU-R"),
            Self::Confidential => Some("C-UE/EU-C"),
            Self::Secret => Some("S-UE/EU-S"),
            Self::TopSecret => Some("TS-UE/EU-TS"),
        }
    }

    /// The number that stands for the level in key schedules and certificates, 0 to 4.
    pub fn code(self) -> u8 {
        match self {
            Self::Unclassified => 0,
            Self::Restricted => 1,
            Self::Confidential => 2,
            Self::Secret => 3,
            Self::TopSecret => 4,
        }
    }

    /// The level that a number stands for; `None` above 4.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The word used on command lines and in configuration, as `top-secret`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unclassified => "unclassified",
            Self::Restricted => "restricted",
            Self::Confidential => "confidential",
            Self::Secret => "secret",
            Self::TopSecret => "top-secret",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.marking().unwrap_or("UNCLASSIFIED"))
    }
}

impl std::str::FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        Self::ALL.into_iter().find(|level| level.word() == word).ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

/// A word that names no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no level; use unclassified, restricted, confidential, secret or top-secret")]
pub struct UnknownLevel(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_words_lead_back_to_their_level() {
        for level in Level::ALL {
            assert_eq!(Level::from_code(level.code()), Some(level));
            assert_eq!(level.word().parse(), Ok(level));
        }
        assert_eq!(Level::from_code(5), None);
        assert!("cosmic".parse::<Level>().is_err());
    }

    #[test]
    fn a_higher_level_protects_more() {
        assert!(Level::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
