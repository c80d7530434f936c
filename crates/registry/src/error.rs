//! What can go wrong.

use std::{
    io,
    path::{Path, PathBuf},
};

use conclave_identity::{
    CardError, ChainError, CredentialError, InvitationError, MemberError, ProfileError, RevocationError,
    credential::{ProtectError, words},
    issue::{IssueError, RequestError},
};
use conclave_model::Level;

use crate::{moment::MomentError, password::PasswordError};

/// Why a command did not do its work: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A file could not be read.
    #[error("{} cannot be read: {}", path.display(), words(error.kind()))]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file could not be written.
    #[error("{} cannot be written: {}", path.display(), words(error.kind()))]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file is longer than anything this program reads.
    #[error("{} is longer than {limit} bytes; is it the right file?", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// In bytes.
        limit: usize,
    },
    /// A protected file could not be made.
    #[error(transparent)]
    Protect(#[from] ProtectError),
    /// A password could not be had.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A date or time is none.
    #[error("{option} \"{text}\" is no time: {error}")]
    Moment {
        /// Which option or key.
        option: String,
        /// What was given.
        text: String,
        /// What is possible.
        #[source]
        error: MomentError,
    },
    /// The CA refused.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The file that describes a meeting has a fault.
    #[error("{}: {message}", path.display())]
    Meeting {
        /// Which file.
        path: PathBuf,
        /// Line, key, and what is allowed.
        message: String,
    },
    /// Something of the meeting was neither in the file nor on the command line.
    #[error("the meeting has no {what}; give {option}, or \"{key}\" in the meeting file")]
    Missing {
        /// What.
        what: &'static str,
        /// As an option.
        option: &'static str,
        /// As a key.
        key: &'static str,
    },
    /// The relay's address is none.
    #[error("\"{0}\" is no address of a relay; write HOST:PORT, or [ADDRESS]:PORT for IPv6")]
    RelayAddress(String),
    /// A participant's specification is none.
    #[error("--participant \"{spec}\": {message}")]
    Participant {
        /// What was given.
        spec: String,
        /// What is wrong.
        message: String,
    },
    /// A file with certificates or keys cannot be used.
    #[error("{}", once(path, error))]
    Certificates {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: CredentialError,
    },
    /// A certificate is not of the profile.
    #[error("{}: {error}", path.display())]
    Profile {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: ProfileError,
    },
    /// A card cannot be used.
    #[error(transparent)]
    Card(#[from] CardError),
    /// A request cannot be accepted.
    #[error("{}: {error}", path.display())]
    Request {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: RequestError,
    },
    /// A PKCS#12 file cannot be used.
    #[error("{} cannot be used: {error}; is the password right, and is it encrypted with AES as OpenSSL 3 does?", path.display())]
    Pkcs12 {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: p12_keystore::error::Error,
    },
    /// A certificate cannot be revoked or renewed.
    #[error("{}: {error}", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: IssueError,
    },
    /// Revocation lists cannot be used.
    #[error("{}: {error}", path.display())]
    Revocations {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: RevocationError,
    },
    /// The relay may not carry a meeting of this level.
    #[error("{} allows the relay meetings up to {allowed}, and this one is {wanted}; issue it with --max-level {}", path.display(), wanted.word())]
    RelayLevel {
        /// The relay's certificate.
        path: PathBuf,
        /// Up to which level it may.
        allowed: Level,
        /// The level of the meeting.
        wanted: Level,
    },
    /// The noted head of an audit log is none.
    #[error("--head \"{0}\" is not 64 hex digits")]
    Head(String),
    /// The relay's certificate does not hold.
    #[error("{} cannot be the relay's certificate: {error}", path.display())]
    Relay {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: ChainError,
    },
    /// An invited person could not enter.
    #[error("{name} ({}) could not enter this meeting: {error}", path.display())]
    CannotEnter {
        /// Who.
        name: String,
        /// Their file.
        path: PathBuf,
        /// Why.
        #[source]
        error: MemberError,
    },
    /// The meeting is over before it is announced.
    #[error("the meeting closes at {}, which is past; give a later --until", conclave_identity::Utc(*.0))]
    Past(u64),
    /// The clearance is over before it is certified.
    #[error("the clearance ends at {}, which is past; give a later --clearance-until", conclave_identity::Utc(*.0))]
    ClearancePast(u64),
    /// A file is no invitation.
    #[error("{}: {error}", path.display())]
    Invitation {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: InvitationError,
    },
    /// A check needs the trusted root.
    #[error("{} does not bring its own root; give --root root.pem", .0.display())]
    NoRoot(PathBuf),
    /// A file has no certificate.
    #[error("{} holds no certificate", .0.display())]
    NoCertificate(PathBuf),
}

/// Names the file once: some errors do it themselves.
fn once(path: &Path, error: &CredentialError) -> String {
    if matches!(error, CredentialError::Read { .. } | CredentialError::Permissions { .. }) {
        return error.to_string();
    }
    format!("{}: {error}", path.display())
}
