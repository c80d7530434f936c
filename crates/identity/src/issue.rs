//! Issuing: a CA, credentials, relay certificates and signed invitations.
//!
//! An [`Authority`] is the deployment's own CA. Its root signs only the issuing CA, so its key can lie in a safe; the
//! issuing CA signs everything else, the certificate of the office that signs invitations included. [`Rehearsal`] makes
//! a whole throw-away meeting in memory, for the demo and for tests.

mod authority;
mod issued;
mod key;
mod rehearsal;
mod request;
mod revoke;
mod template;

use std::{
    io,
    path::{Path, PathBuf},
};

use conclave_model::{Clearance, Role, SeatRank};

use crate::{
    attributes::AttributesError,
    certificate::{ChainError, ProfileError},
    credential::{CredentialError, ProtectError, words},
    invitation::{ContentError, InvitationError, MAX_INVITATION},
    revocation::{RevocationError, Revoked},
    text::TextError,
};

pub use authority::{Authority, ROOT_FILE};
pub use issued::{IssuedCredential, RelayIdentity};
pub(crate) use key::pkcs8_from_sec1;
pub use rehearsal::{Rehearsal, RehearsalSpec, delegate, random_meeting};
pub use request::{Request, RequestError, new_request, public_key_of, request_for};
pub use revoke::{Reason, UnknownReason};

/// From when to when something is valid, in seconds since 1970-01-01 UTC; both are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: u64,
    /// The last second.
    pub not_after: u64,
}

impl Validity {
    const DAY: u64 = 24 * 60 * 60;

    /// From an hour before `wall`, since clocks differ, for `days` days.
    pub fn days(wall: u64, days: u32) -> Self {
        Self { not_before: wall.saturating_sub(3600), not_after: wall.saturating_add(u64::from(days) * Self::DAY) }
    }
}

/// Whom a credential is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonSpec {
    /// The name, as "Anna Virtanen".
    pub name: String,
    /// The state or institution, as "Finland".
    pub seat: String,
    /// The code of the seat, as "FI".
    pub seat_code: String,
    /// The place within the delegation.
    pub rank: SeatRank,
    /// What the person may do.
    pub role: Role,
    /// The clearance, if there is one.
    pub clearance: Option<Clearance>,
}

/// Why something could not be issued, stored or loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// A name may not be shown to people.
    #[error("the {field} cannot be accepted: {error}")]
    Text {
        /// Which one.
        field: &'static str,
        /// Why.
        #[source]
        error: TextError,
    },
    /// The attributes cannot be certified.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// The validity is empty, or reaches beyond the CA's.
    #[error("the validity must begin before it ends, and lie within that of the CA ({not_before} to {not_after})", not_before = crate::Utc(*.not_before), not_after = crate::Utc(*.not_after))]
    Validity {
        /// The CA's first second, since 1970-01-01 UTC.
        not_before: u64,
        /// The CA's last second.
        not_after: u64,
    },
    /// A host name for a relay is none.
    #[error("\"{0}\" is no host name or IP address")]
    Host(String),
    /// A relay certificate without a host.
    #[error("a relay certificate needs at least one host name or IP address")]
    NoHost,
    /// The content of an invitation cannot be accepted.
    #[error("the invitation cannot be signed: {0}")]
    Content(#[from] ContentError),
    /// Key generation, encoding or signing failed.
    #[error("the certificate could not be made: {0}")]
    Certificate(rcgen::Error),
    /// The invitation could not be signed.
    #[error("the invitation could not be signed")]
    Sign,
    /// The signed invitation would not be accepted: the CA is out of its time.
    #[error("nobody would accept the invitation: {0}")]
    Invitation(#[source] InvitationError),
    /// The signed invitation would be longer than anybody reads.
    #[error(
        "the invitation would have {0} bytes, and at most {MAX_INVITATION} are read; invite fewer, or shorten the revocation lists"
    )]
    TooLarge(usize),
    /// The certificate was not issued by this CA.
    #[error("the certificate was not issued by this CA")]
    Foreign,
    /// The certificate was revoked.
    #[error(transparent)]
    Revoked(Revoked),
    /// A revocation list cannot be used.
    #[error(transparent)]
    Revocations(RevocationError),
    /// A public key that is to be certified is of another kind.
    #[error("the public key is not ECDSA P-384")]
    PublicKey,
    /// A certificate is not of the profile.
    #[error(transparent)]
    Profile(ProfileError),
    /// The key is not that of the issuing CA.
    #[error(
        "the key is not that of the issuing CA, or of a kind that is not accepted; use ECDSA P-384, P-521 or RSA from 3072 bits, in PKCS#8"
    )]
    AdoptKey,
    /// What the CA issues would not be accepted.
    #[error("what this CA issues would not be accepted: {0}")]
    Adopt(#[source] ChainError),
    /// The issuing CA may not sign revocation lists.
    #[error("the issuing CA may not sign revocation lists: its key usage needs cRLSign")]
    AdoptUsage,
    /// There is no CA in the folder.
    #[error("there is no CA in {0}")]
    NoAuthority(PathBuf),
    /// Others may read or write the folder of the CA.
    #[error("the folder {path} is open to others (mode {mode:03o}); run: chmod 700 {path}")]
    FolderOpen {
        /// Which folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file of the CA could not be read.
    #[error("{}", load_words(.file, .error))]
    Load {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        error: CredentialError,
    },
    /// A protected file could not be made.
    #[error(transparent)]
    Protect(#[from] ProtectError),
    /// A folder could not be made.
    #[error("the folder {path} cannot be made: {}", words(*.kind))]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
}

/// Names the file once.
fn load_words(file: &Path, error: &CredentialError) -> String {
    if matches!(error, CredentialError::Read { .. } | CredentialError::Permissions { .. }) {
        return error.to_string();
    }
    format!("{} cannot be used: {error}", file.display())
}

impl From<rcgen::Error> for IssueError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error)
    }
}
