//! The certified attributes: a certificate extension in DER.
//!
//! The format is in the crate's documentation.

use std::time::Duration;

use conclave_model::{Clearance, Level, Role, SeatRank};
use der::{
    Decode, Encode, Enumerated, Sequence,
    asn1::{GeneralizedTime, Utf8StringRef},
};

use crate::text::{self, TextError};

/// The object identifier of the extension, as numbers.
pub const ATTRIBUTES_OID: &[u64] =
    &[1, 2, 840, 113_556, 1, 8000, 2554, 11160, 12542, 45650, 18831, 37659, 15_438_924, 12_427_610, 1];

/// The extended key usage that lets a certificate sign invitations, as numbers.
pub const INVITATION_USAGE_OID: &[u64] =
    &[1, 2, 840, 113_556, 1, 8000, 2554, 11160, 12542, 45650, 18831, 37659, 15_438_924, 12_427_610, 2];

/// The object identifier of the extension that states the highest level a relay may carry, as numbers.
pub const RELAY_LEVEL_OID: &[u64] =
    &[1, 2, 840, 113_556, 1, 8000, 2554, 11160, 12542, 45650, 18831, 37659, 15_438_924, 12_427_610, 3];

/// [`ATTRIBUTES_OID`] as DER content.
pub(crate) const ATTRIBUTES_OID_DER: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0xbe, 0x40, 0x93, 0x7a, 0xd7, 0x18, 0xe1, 0x7e, 0x82, 0xe4, 0x52, 0x81,
    0x93, 0x0f, 0x82, 0xa6, 0x1b, 0x87, 0xae, 0xa8, 0x4c, 0x85, 0xf6, 0xc2, 0x5a, 0x01,
];

/// [`INVITATION_USAGE_OID`] as DER content.
pub(crate) const INVITATION_USAGE_OID_DER: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0xbe, 0x40, 0x93, 0x7a, 0xd7, 0x18, 0xe1, 0x7e, 0x82, 0xe4, 0x52, 0x81,
    0x93, 0x0f, 0x82, 0xa6, 0x1b, 0x87, 0xae, 0xa8, 0x4c, 0x85, 0xf6, 0xc2, 0x5a, 0x02,
];

/// [`RELAY_LEVEL_OID`] as DER content.
pub(crate) const RELAY_LEVEL_OID_DER: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0xbe, 0x40, 0x93, 0x7a, 0xd7, 0x18, 0xe1, 0x7e, 0x82, 0xe4, 0x52, 0x81,
    0x93, 0x0f, 0x82, 0xa6, 0x1b, 0x87, 0xae, 0xa8, 0x4c, 0x85, 0xf6, 0xc2, 0x5a, 0x03,
];

const VERSION: u8 = 1;

/// What a certificate states of a person beside name and seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// ISO 3166 alpha-2 or institution code of the seat.
    pub seat_code: String,
    /// The place within the delegation.
    pub rank: SeatRank,
    /// What the person may do.
    pub role: Role,
    /// The clearance, if there is one.
    pub clearance: Option<Clearance>,
}

/// Why an extension holds no attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    /// It is no DER of the documented form.
    #[error("the conclave attributes are not in the documented form")]
    Malformed,
    /// A later version of the profile.
    #[error("the conclave attributes are of version {0}; this program knows version {VERSION}")]
    Version(u8),
    /// The seat code is none.
    #[error("the seat code cannot be accepted: {0}")]
    SeatCode(#[source] TextError),
    /// The level of the clearance is none.
    #[error("the clearance states level {0}; levels go from 1 to 4")]
    Level(u8),
    /// The end of the clearance cannot be written as a date.
    #[error("the end of the clearance is no date before the year 10000")]
    Date,
}

impl Attributes {
    /// Reads the content of the extension.
    ///
    /// # Errors
    /// [`AttributesError`]; trailing bytes count as malformed.
    pub fn from_der(bytes: &[u8]) -> Result<Self, AttributesError> {
        let wire = WireAttributes::from_der(bytes).map_err(|_| AttributesError::Malformed)?;
        if wire.version != VERSION {
            return Err(AttributesError::Version(wire.version));
        }
        let seat_code = wire.seat_code.as_str();
        text::check_code(seat_code).map_err(AttributesError::SeatCode)?;
        let clearance = match wire.clearance {
            None => None,
            Some(found) => Some(Clearance {
                level: Level::from_code(found.level)
                    .filter(|level| *level > Level::Unclassified)
                    .ok_or(AttributesError::Level(found.level))?,
                expires: found.expires.to_unix_duration().as_secs(),
            }),
        };
        Ok(Self { seat_code: seat_code.to_owned(), rank: wire.rank.into(), role: wire.role.into(), clearance })
    }

    /// Writes the content of the extension.
    ///
    /// # Errors
    /// [`AttributesError`] where a field is not one that [`Self::from_der`] would read.
    pub fn to_der(&self) -> Result<Vec<u8>, AttributesError> {
        text::check_code(&self.seat_code).map_err(AttributesError::SeatCode)?;
        let clearance = match self.clearance {
            None => None,
            Some(clearance) if clearance.level == Level::Unclassified => {
                return Err(AttributesError::Level(clearance.level.code()));
            }
            Some(clearance) => Some(WireClearance {
                level: clearance.level.code(),
                expires: GeneralizedTime::from_unix_duration(Duration::from_secs(clearance.expires))
                    .map_err(|_| AttributesError::Date)?,
            }),
        };
        let seat_code = Utf8StringRef::new(&self.seat_code).map_err(|_| AttributesError::Malformed)?;
        WireAttributes { version: VERSION, seat_code, rank: self.rank.into(), role: self.role.into(), clearance }
            .to_der()
            .map_err(|_| AttributesError::Malformed)
    }
}

#[derive(Sequence)]
struct WireAttributes<'a> {
    version: u8,
    seat_code: Utf8StringRef<'a>,
    rank: WireRank,
    role: WireRole,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    clearance: Option<WireClearance>,
}

#[derive(Sequence)]
struct WireClearance {
    level: u8,
    expires: GeneralizedTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
enum WireRank {
    Head = 0,
    Deputy = 1,
    Expert = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
enum WireRole {
    Chair = 0,
    Delegate = 1,
    Interpreter = 2,
    Observer = 3,
    Secretariat = 4,
}

impl From<WireRank> for SeatRank {
    fn from(rank: WireRank) -> Self {
        match rank {
            WireRank::Head => Self::Head,
            WireRank::Deputy => Self::Deputy,
            WireRank::Expert => Self::Expert,
        }
    }
}

impl From<SeatRank> for WireRank {
    fn from(rank: SeatRank) -> Self {
        match rank {
            SeatRank::Head => Self::Head,
            SeatRank::Deputy => Self::Deputy,
            SeatRank::Expert => Self::Expert,
        }
    }
}

impl From<WireRole> for Role {
    fn from(role: WireRole) -> Self {
        match role {
            WireRole::Chair => Self::Chair,
            WireRole::Delegate => Self::Delegate,
            WireRole::Interpreter => Self::Interpreter,
            WireRole::Observer => Self::Observer,
            WireRole::Secretariat => Self::Secretariat,
        }
    }
}

impl From<Role> for WireRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Chair => Self::Chair,
            Role::Delegate => Self::Delegate,
            Role::Interpreter => Self::Interpreter,
            Role::Observer => Self::Observer,
            Role::Secretariat => Self::Secretariat,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn attributes() -> Attributes {
        Attributes {
            seat_code: "FI".into(),
            rank: SeatRank::Deputy,
            role: Role::Interpreter,
            clearance: Some(Clearance { level: Level::Secret, expires: 1_924_992_000 }),
        }
    }

    #[test]
    fn attributes_survive_der_and_are_the_documented_bytes() {
        let bytes = attributes().to_der().unwrap();
        assert_eq!(Attributes::from_der(&bytes), Ok(attributes()));
        let mut documented = vec![0x30, 0x25, 0x02, 1, 1, 0x0c, 2, b'F', b'I', 0x0a, 1, 1, 0x0a, 1, 2, 0xa0, 0x16];
        documented.extend([0x30, 0x14, 0x02, 1, 3, 0x18, 15]);
        documented.extend(b"20310101000000Z");
        assert_eq!(bytes, documented);
        let uncleared = Attributes { clearance: None, ..attributes() };
        assert_eq!(Attributes::from_der(&uncleared.to_der().unwrap()), Ok(uncleared));
    }

    #[test]
    fn what_the_profile_does_not_allow_is_refused() {
        let good = attributes().to_der().unwrap();
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            Attributes::from_der(&bytes)
        };
        assert_eq!(with(4, 2), Err(AttributesError::Version(2)));
        assert_eq!(with(7, b'f'), Err(AttributesError::SeatCode(TextError::Forbidden(b'f'.into()))));
        assert_eq!(with(11, 3), Err(AttributesError::Malformed), "no such rank");
        assert_eq!(with(14, 9), Err(AttributesError::Malformed), "no such role");
        assert_eq!(with(21, 0), Err(AttributesError::Level(0)));
        assert_eq!(with(21, 5), Err(AttributesError::Level(5)));
        assert_eq!(with(30, b'x'), Err(AttributesError::Malformed), "no date");
        let mut trailing = good.clone();
        trailing.push(0);
        assert_eq!(Attributes::from_der(&trailing), Err(AttributesError::Malformed));
        for length in 0..good.len() {
            assert!(Attributes::from_der(&good[..length]).is_err());
        }
        let unclassified =
            Attributes { clearance: Some(Clearance { level: Level::Unclassified, expires: 1 }), ..attributes() };
        assert_eq!(unclassified.to_der(), Err(AttributesError::Level(0)));
    }
}
