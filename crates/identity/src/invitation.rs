//! Signed invitations: the file `….conclave` that names a meeting, its relay and everybody who may enter.
//!
//! The file is one COSE_Sign1 (RFC 9052 section 4.2, tag 18) over CBOR. Protected headers: `alg` ES384, content type
//! [`CONTENT_TYPE`], and `x5chain` (RFC 9360) with the signer's certificate and those of issuing CAs; external additional
//! data [`CONTEXT`]. The signer's certificate must lead to the trusted root and bear the extended key usage for
//! invitations. The payload is a CBOR map with the fields of [`InvitationContent`] and `version` 1; unknown fields are
//! refused.
//!
//! An invitation is no secret and admits nobody by itself: only the private key of a certificate that it names does.

mod content;
mod cose;

use std::sync::Arc;

use bytes::Bytes;
use conclave_model::Fingerprint;
use rustls_pki_types::CertificateDer;

use crate::{
    certificate::{self, ChainError, Purpose},
    revocation::{RevocationError, Revocations, Revoked},
    utc::Utc,
};

pub(crate) use content::is_host;
pub use content::{
    Admission, ContentError, InvitationContent, Listed, MAX_LANGUAGES, MAX_PARTICIPANTS, RelayAddress, Sharing,
};
pub(crate) use cose::sign;

/// The longest invitation that is read, in bytes. One participant takes about 200.
pub const MAX_INVITATION: usize = 128 * 1024;

/// The content type in the signed headers.
pub const CONTENT_TYPE: &str = "application/conclave-invitation+cbor";

/// The external additional data of the signature, so that it cannot be taken for another kind of statement.
pub const CONTEXT: &[u8] = b"conclave invitation v1";

/// A verified invitation. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Invitation(Arc<Verified>);

#[derive(Debug)]
struct Verified {
    content: InvitationContent,
    bytes: Bytes,
    revocations: Revocations,
    signer_chain: Vec<CertificateDer<'static>>,
}

/// An invitation that can be read, whose signature nobody has checked yet.
#[derive(Clone, Debug)]
pub struct UnverifiedInvitation {
    content: InvitationContent,
    bytes: Bytes,
    signed: cose::Signed,
}

/// Why bytes are no acceptable invitation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// It is too long.
    #[error("the file has {0} bytes; invitations have at most {MAX_INVITATION}")]
    TooLarge(usize),
    /// It is no COSE_Sign1, or one of something else.
    #[error("the file is no invitation, or it is damaged; ask for it again")]
    NoInvitation,
    /// The signature is of a kind that is not accepted.
    #[error("the invitation is not signed with ES384")]
    Algorithm,
    /// Its content cannot be accepted.
    #[error("the content of the invitation cannot be accepted: {0}")]
    Content(#[from] ContentError),
    /// The signer's certificate does not hold for this root and time.
    #[error("the signer of the invitation cannot be trusted: {0}")]
    Signer(#[source] ChainError),
    /// The signer's certificate was revoked.
    #[error("the signer of the invitation cannot be trusted any more: {0}")]
    Revoked(#[source] Revoked),
    /// The revocation lists in the invitation cannot be accepted.
    #[error("the invitation cannot be accepted: {0}")]
    Revocations(#[source] RevocationError),
    /// The signature does not fit: the invitation was edited.
    #[error("the signature is wrong: the invitation was altered after it was signed")]
    Signature,
}

/// Why a meeting cannot be entered at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It has not begun.
    #[error("the meeting opens at {}", Utc(*.not_before))]
    NotBegun {
        /// When it opens, in seconds since 1970-01-01 UTC.
        not_before: u64,
    },
    /// It is over.
    #[error("the meeting closed at {}", Utc(*.not_after))]
    Over {
        /// When it closed, in seconds since 1970-01-01 UTC.
        not_after: u64,
    },
}

impl Invitation {
    /// Reads an invitation without trusting it.
    ///
    /// # Errors
    /// [`InvitationError`]; sizes are checked before anything is parsed.
    pub fn parse(bytes: &[u8]) -> Result<UnverifiedInvitation, InvitationError> {
        if bytes.len() > MAX_INVITATION {
            return Err(InvitationError::TooLarge(bytes.len()));
        }
        let signed = cose::Signed::parse(bytes)?;
        let content = InvitationContent::from_cbor(signed.payload())?;
        Ok(UnverifiedInvitation { content, bytes: Bytes::copy_from_slice(bytes), signed })
    }

    /// What the signer stated.
    pub fn content(&self) -> &InvitationContent {
        &self.0.content
    }

    /// The file.
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// Checks that the meeting is open at `wall` (seconds since 1970-01-01 UTC).
    ///
    /// # Errors
    /// [`WindowError`].
    pub fn check_window(&self, wall: u64) -> Result<(), WindowError> {
        self.0.content.check_window(wall)
    }

    /// The revocation lists that came with it, verified.
    pub fn revocations(&self) -> &Revocations {
        &self.0.revocations
    }

    /// The signer's certificate, then those of issuing CAs.
    pub fn signer_chain(&self) -> &[CertificateDer<'static>] {
        &self.0.signer_chain
    }

    /// Checks that lists from elsewhere, as the relay's, do not revoke the signer. `root` is the one that the invitation
    /// was verified with.
    ///
    /// # Errors
    /// [`InvitationError::Revoked`].
    pub fn check_signer(&self, revocations: &Revocations, root: &CertificateDer<'_>) -> Result<(), InvitationError> {
        revocations.check(&self.0.signer_chain, root).map_err(InvitationError::Revoked)
    }

    /// Who leads the meeting, first to last: every listed chair in the order of the list, then those that the invitation
    /// names for the time when none of them is there. Nobody is in it twice.
    pub fn succession(&self) -> Vec<Fingerprint> {
        self.0.content.leaders()
    }

    /// Whether this person may open the meeting: anybody who is invited where there is no lobby, else who is in the
    /// succession.
    pub fn may_open(&self, person: &Fingerprint) -> bool {
        match self.0.content.admission {
            Admission::Open => self.place_of(&person.0).is_some(),
            Admission::Lobby => self.rank(person).is_some(),
        }
    }

    /// The place of this person in the [`Self::succession`], from 0 on; `None` who never leads.
    pub fn rank(&self, person: &Fingerprint) -> Option<u16> {
        self.succession().iter().position(|leader| leader == person).and_then(|place| u16::try_from(place).ok())
    }

    /// The entry of the certificate with this fingerprint (see [`crate::fingerprint`]); `None` where it is not invited.
    pub fn place_of(&self, fingerprint: &[u8; 32]) -> Option<&Listed> {
        self.0.content.participants.iter().find(|listed| listed.fingerprint == *fingerprint)
    }
}

impl UnverifiedInvitation {
    /// What somebody stated, for showing before there is a root to check it with. Do not act on it.
    pub fn peek(&self) -> &InvitationContent {
        &self.content
    }

    /// The signer's certificate, then those of issuing CAs, as the file brings them.
    pub fn signer_chain(&self) -> &[CertificateDer<'static>] {
        self.signed.chain()
    }

    /// Checks the signature, and that the signer was allowed to by `root` at `wall` (seconds since 1970-01-01 UTC).
    ///
    /// Whether the meeting is open is another question: [`Invitation::check_window`].
    ///
    /// # Errors
    /// [`InvitationError::Signer`], [`InvitationError::Signature`], [`InvitationError::Revocations`],
    /// [`InvitationError::Revoked`].
    pub fn verify(self, root: &CertificateDer<'_>, wall: u64) -> Result<Invitation, InvitationError> {
        certificate::verify_chain(self.signed.chain(), root, wall, Purpose::Invitations)
            .map_err(InvitationError::Signer)?;
        self.signed.verify()?;
        let signer_chain = self.signed.chain().to_vec();
        let lists = self.content.revocations.iter().map(|list| list.as_slice());
        let revocations = Revocations::verify(lists, &signer_chain, root).map_err(InvitationError::Revocations)?;
        revocations.check(&signer_chain, root).map_err(InvitationError::Revoked)?;
        Ok(Invitation(Arc::new(Verified { content: self.content, bytes: self.bytes, revocations, signer_chain })))
    }
}

#[cfg(test)]
mod tests;
