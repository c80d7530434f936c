//! Who may be a member of a meeting.

use conclave_model::{Level, Person};
use rustls_pki_types::CertificateDer;

use crate::{
    certificate::{self, ChainError, ProfileError, Purpose},
    invitation::Invitation,
    revocation::{Revocations, Revoked},
    utc::Utc,
};

/// Why somebody may not be a member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// Their certificate does not hold.
    #[error("the certificate does not hold: {0}")]
    Chain(#[source] ChainError),
    /// Their certificate, or that of its CA, was revoked.
    #[error("the certificate was revoked at {}", Utc(*.since))]
    Revoked {
        /// When, in seconds since 1970-01-01 UTC.
        since: u64,
    },
    /// Their certificate states no acceptable person.
    #[error(transparent)]
    Profile(ProfileError),
    /// The invitation does not name the certificate.
    #[error("the invitation does not name this certificate")]
    NotListed,
    /// The invitation says something else of the person than the certificate.
    #[error("the {0} in the invitation is not that of the certificate")]
    ListDiffers(&'static str),
    /// The clearance is too low or there is none.
    #[error("the meeting needs a clearance up to {needed}")]
    NotCleared {
        /// The level of the meeting.
        needed: Level,
        /// The level of the clearance, if there is one.
        found: Option<Level>,
    },
    /// The clearance is over.
    #[error("the clearance ended at {}", Utc(*.0))]
    ClearanceExpired(u64),
    /// The seat is outside the caveat.
    #[error("the meeting is not releasable to {0}")]
    NotReleasable(String),
}

/// Checks whether the holder of the certificate at the head of `chain` may be a member of the meeting while it has `level`,
/// at `wall` (seconds since 1970-01-01 UTC). Every member checks every newcomer with this.
///
/// In this order: the chain leads to `root` and is valid for a person; none of it is revoked by `revocations` or by the
/// invitation's own lists; the certificate is of the profile; the invitation names it, with the same name and seat; the
/// clearance reaches `level` and has not ended; the seat is within the caveat. The level is that of the group, which may
/// have changed since the invitation was signed. Rank and role of the returned person are the invitation's. That somebody *has* the private key is
/// proven elsewhere, by a signature. About one millisecond; pure.
///
/// # Errors
/// [`MemberError`], the first that applies.
pub fn check_member(
    chain: &[CertificateDer<'_>],
    invitation: &Invitation,
    root: &CertificateDer<'_>,
    revocations: &Revocations,
    level: Level,
    wall: u64,
) -> Result<Person, MemberError> {
    certificate::verify_chain(chain, root, wall, Purpose::Person).map_err(MemberError::Chain)?;
    for lists in [revocations, invitation.revocations()] {
        lists.check(chain, root).map_err(|Revoked { since }| MemberError::Revoked { since })?;
    }
    let leaf = chain.first().ok_or(MemberError::Chain(ChainError::Empty))?;
    let certified = certificate::read_person(leaf).map_err(MemberError::Profile)?;
    admit(certified, invitation, level, wall)
}

/// The rules that need no certificate any more.
fn admit(certified: Person, invitation: &Invitation, level: Level, wall: u64) -> Result<Person, MemberError> {
    let listed = invitation.place_of(&certified.fingerprint).ok_or(MemberError::NotListed)?;
    for (field, same) in [
        ("name", listed.name == certified.name),
        ("seat", listed.seat == certified.seat),
        ("seat code", listed.seat_code == certified.seat_code),
    ] {
        if !same {
            return Err(MemberError::ListDiffers(field));
        }
    }
    if !certified.is_cleared(level, wall) {
        return Err(match certified.clearance {
            Some(clearance) if clearance.level >= level => MemberError::ClearanceExpired(clearance.expires),
            other => MemberError::NotCleared { needed: level, found: other.map(|clearance| clearance.level) },
        });
    }
    if let Some(seats) = &invitation.content().releasable
        && !seats.contains(&certified.seat_code)
    {
        return Err(MemberError::NotReleasable(certified.seat_code));
    }
    Ok(Person { rank: listed.rank, role: listed.role, ..certified })
}

#[cfg(test)]
mod tests;
