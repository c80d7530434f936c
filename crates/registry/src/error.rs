//! What can go wrong.

use std::{io, path::PathBuf};

use conclave_identity::{
    ChainError, CredentialError, InvitationError, MemberError, ProfileError, credential::ProtectError,
    issue::IssueError,
};

use crate::{moment::MomentError, password::PasswordError};

/// Why a command did not do its work: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A file could not be read.
    #[error("{} cannot be read: {error}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file could not be written.
    #[error("{} cannot be written: {error}", path.display())]
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
    /// A file with certificates cannot be used.
    #[error("{}: {error}", path.display())]
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
