//! Who may be a member of a meeting.

use conclave_model::{Level, Person};
use rustls_pki_types::CertificateDer;

use crate::{
    certificate::{self, ChainError, ProfileError, Purpose},
    invitation::Invitation,
    utc::Utc,
};

/// Why somebody may not be a member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// Their certificate does not hold.
    #[error("the certificate does not hold: {0}")]
    Chain(#[source] ChainError),
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

/// Checks whether the holder of the certificate at the head of `chain` may be a member of the meeting at `wall` (seconds
/// since 1970-01-01 UTC). Every member checks every newcomer with this.
///
/// In this order: the chain leads to `root` and is valid for a person; the certificate is of the profile; the invitation
/// names it, with the same name and seat; the clearance reaches the level of the meeting and has not ended; the seat is
/// within the caveat. Rank and role of the returned person are the invitation's. That somebody *has* the private key is
/// proven elsewhere, by a signature. About one millisecond; pure.
///
/// # Errors
/// [`MemberError`], the first that applies.
pub fn check_member(
    chain: &[CertificateDer<'_>],
    invitation: &Invitation,
    root: &CertificateDer<'_>,
    wall: u64,
) -> Result<Person, MemberError> {
    certificate::verify_chain(chain, root, wall, Purpose::Person).map_err(MemberError::Chain)?;
    let leaf = chain.first().ok_or(MemberError::Chain(ChainError::Empty))?;
    let certified = certificate::read_person(leaf).map_err(MemberError::Profile)?;
    admit(certified, invitation, wall)
}

/// The rules that need no certificate any more.
fn admit(certified: Person, invitation: &Invitation, wall: u64) -> Result<Person, MemberError> {
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
    let content = invitation.content();
    if !certified.is_cleared(content.level, wall) {
        return Err(match certified.clearance {
            Some(clearance) if clearance.level >= content.level => MemberError::ClearanceExpired(clearance.expires),
            other => MemberError::NotCleared { needed: content.level, found: other.map(|clearance| clearance.level) },
        });
    }
    if let Some(seats) = &content.releasable
        && !seats.contains(&certified.seat_code)
    {
        return Err(MemberError::NotReleasable(certified.seat_code));
    }
    Ok(Person { rank: listed.rank, role: listed.role, ..certified })
}

#[cfg(test)]
mod tests;
