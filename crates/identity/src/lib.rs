//! Certificates, clearance, credentials and invitations.
//!
//! Who somebody is, is said by an X.509 certificate and proven with its private key. Who may enter a meeting is said by a
//! signed [`Invitation`] that names certificates. Both chain to one trusted root, the deployment's own CA. Nothing else
//! admits anybody: no link, no password, no meeting id.
//!
//! - [`Holder`]: an unlocked credential; [`Sign`] is its key, in a file ([`credential`]) or on a smart card ([`card`]).
//! - [`Invitation`]: a verified invitation; [`check_member`] is what every member asks about every newcomer.
//! - [`Revocations`]: verified lists of certificates that were taken back.
//! - [`audit`]: the relay's audit log, written and checked.
//! - [`Seal`]: asks for a secret again without having kept it.
//! - [`tls`]: rustls configurations for both ends of the signalling connection.
//! - [`hygiene`]: keeps the memory of a process that holds keys to itself.
//! - [`issue`]: the CA, credentials, relay certificates and invitations; used by the registry tool, the demo and tests.
//!
#![doc = include_str!("../../../packaging/doc/certificates.md")]
#![forbid(unsafe_code)]

pub mod attributes;
pub mod audit;
pub mod card;
pub mod certificate;
pub mod credential;
pub mod holder;
pub mod hygiene;
pub mod invitation;
pub mod issue;
pub mod member;
pub mod revocation;
pub mod seal;
pub mod text;
pub mod tls;
pub mod utc;

pub use card::{CardError, CardUri};
pub use certificate::{
    ChainError, MAX_CERTIFICATE, MAX_CHAIN, ProfileError, Purpose, SignatureError, fingerprint, key_pin, read_person,
    read_relay_level, verify_chain, verify_signature,
};
pub use credential::CredentialError;
pub use holder::{Holder, Sign, SignError};
pub use invitation::{
    Admission, Invitation, InvitationContent, InvitationError, Listed, RelayAddress, Sharing, UnverifiedInvitation,
    WindowError,
};
pub use member::{MemberError, check_member};
pub use revocation::{RevocationError, Revocations, Revoked};
pub use seal::Seal;
pub use tls::{RelayPin, RelayTrustError, TlsError};
pub use utc::Utc;
