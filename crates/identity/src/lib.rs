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
//! OpenSSL writes a person's certificate with this extension section, where `ARC` stands for the arc above:
//!
//! ```text
//! [person]
//! basicConstraints = critical, CA:FALSE
//! keyUsage = critical, digitalSignature
//! extendedKeyUsage = clientAuth
//! ARC.1 = ASN1:SEQUENCE:attributes
//! [attributes]
//! version = INTEGER:1
//! seatCode = UTF8String:FI
//! rank = ENUMERATED:0
//! role = ENUMERATED:1
//! clearance = EXPLICIT:0, SEQUENCE:clearance
//! [clearance]
//! level = INTEGER:3
//! expires = GENERALIZEDTIME:20281231000000Z
//! ```
//!
//! and a relay's with `extendedKeyUsage = serverAuth` and `ARC.3 = ASN1:INTEGER:3`. Beyond this:
//!
//! | what | rule |
//! | --- | --- |
//! | text | UTF-8; no invisible, direction-steering or look-alike characters, no word of two scripts ([`text`]) |
//! | name, seat | at most [`text::MAX_NAME`] bytes each; seat code as above |
//! | times | the whole chain is valid, the root included; the clearance ends before its `expires` |
//! | serial numbers | whatever the authority uses; the registry's are 16 random bytes |
//! | unknown extensions | ignored where not critical, refused where critical; host names are not compared |
//! | revocation lists | X.509 version 2, complete (no distribution point, no delta, not indirect), with a CRL number, signed by the authority itself, which needs `cRLSign`; at most [`revocation::MAX_LIST`] bytes each, [`revocation::MAX_LISTS`] together |
//! | requests | PKCS#10, ECDSA P-384, signed with their own key; only the key counts, the office says the rest |
//! | tokens | PKCS#11 with `CKM_ECDSA` on secp384r1; certificate and private key share their `CKA_ID` |

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
