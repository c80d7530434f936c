//! Certificates, clearance, credentials and invitations.
//!
//! Who somebody is, is said by an X.509 certificate and proven with its private key. Who may enter a meeting is said by a
//! signed [`Invitation`] that names certificates. Both chain to one trusted root, the deployment's own CA. Nothing else
//! admits anybody: no link, no password, no meeting id.
//!
//! - [`Holder`]: an unlocked credential; [`Sign`] is its key, on file or (later) on a smart card.
//! - [`Invitation`]: a verified invitation; [`check_member`] is what every member asks about every newcomer.
//! - [`tls`]: rustls configurations for both ends of the signalling connection.
//! - [`issue`]: the CA, credentials, relay certificates and invitations; used by the registry tool, the demo and tests.
//!
//! # The certificate profile
//!
//! All certificates are X.509 v3 (RFC 5280), at most [`MAX_CERTIFICATE`] bytes of DER, in chains of at most
//! [`MAX_CHAIN`]. Certificate authorities may sign with ECDSA (P-384 with SHA-384, P-521 with SHA-512) or RSA (3072 to
//! 8192 bits, PKCS#1 with SHA-384).
//! Subject keys of people, relays and signers of invitations are ECDSA P-384.
//!
//! | certificate | basic constraints | key usage | extended key usage |
//! | --- | --- | --- | --- |
//! | root | CA, path length 1 | keyCertSign, cRLSign | none |
//! | issuing CA | CA, path length 0 | keyCertSign, cRLSign | none |
//! | person | none | digitalSignature | clientAuth |
//! | relay | none | digitalSignature | serverAuth |
//! | signer of invitations | none | digitalSignature | `….2` (below) |
//!
//! A person's subject has exactly one commonName (the name, as "Anna Virtanen") and one organizationName (the state or
//! institution, as "Finland"). What may stand there is defined in [`text`]. The rest of the certified attributes is in a
//! non-critical extension, DER:
//!
//! ```text
//! -- arc 1.2.840.113556.1.8000.2554.11160.12542.45650.18831.37659.15438924.12427610 (from a random UUID)
//! conclave-attributes OBJECT IDENTIFIER ::= { arc 1 }     -- certificate extension
//! conclave-invitation OBJECT IDENTIFIER ::= { arc 2 }     -- extended key usage: may sign invitations
//! conclave-relay-level OBJECT IDENTIFIER ::= { arc 3 }    -- certificate extension of relays
//!
//! Attributes ::= SEQUENCE {
//!   version    INTEGER (1),
//!   seatCode   UTF8String (SIZE (2..16)),                 -- A-Z, 0-9, "-"; as "FI", "EC"
//!   rank       ENUMERATED { head (0), deputy (1), expert (2) },
//!   role       ENUMERATED { chair (0), delegate (1), interpreter (2), observer (3), secretariat (4) },
//!   clearance  [0] EXPLICIT Clearance OPTIONAL }          -- absent: unclassified meetings only
//!
//! Clearance ::= SEQUENCE {
//!   level      INTEGER (1..4),                            -- RESTRICTED .. TOP SECRET
//!   expires    GeneralizedTime }                          -- the first moment at which it no longer counts
//!
//! RelayLevel ::= INTEGER (0..4)                           -- the highest level that a relay may carry;
//!                                                         -- absent: UNCLASSIFIED
//! ```
//!
//! OpenSSL writes it with `1.2.840.….1 = ASN1:SEQUENCE:attributes` in an extension section.

#![forbid(unsafe_code)]

pub mod attributes;
pub mod audit;
pub mod card;
pub mod certificate;
pub mod credential;
pub mod holder;
pub mod invitation;
pub mod issue;
pub mod member;
pub mod revocation;
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
    Admission, Invitation, InvitationContent, InvitationError, Listed, RelayAddress, UnverifiedInvitation, WindowError,
};
pub use member::{MemberError, check_member};
pub use revocation::{RevocationError, Revocations, Revoked};
pub use tls::{RelayPin, RelayTrustError, TlsError};
pub use utc::Utc;
