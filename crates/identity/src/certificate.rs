//! Certificates: chains up to the trusted root, and the person that a certificate states.

mod signers;

use std::time::Duration;

use conclave_model::{Level, Person};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage, aws_lc_rs as algorithms};
use x509_parser::{certificate::X509Certificate, extensions::ParsedExtension, prelude::FromDer, x509::X509Name};

use crate::{
    attributes::{ATTRIBUTES_OID_DER, Attributes, AttributesError, INVITATION_USAGE_OID_DER, RELAY_LEVEL_OID_DER},
    text::{self, TextError},
    utc::Utc,
};

pub(crate) use signers::{ListSigner, is_signed_by, list_signers};

/// The longest certificate that anything here reads, in bytes of DER.
///
/// The profile needs about 700; enterprise CAs add policies and distribution points.
pub const MAX_CERTIFICATE: usize = 8 * 1024;

/// The most certificates in a chain, the root included.
pub const MAX_CHAIN: usize = 4;

/// What certificate authorities may sign with.
const CHAIN_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[algorithms::ECDSA_P384_SHA384, algorithms::ECDSA_P521_SHA512, algorithms::RSA_PKCS1_3072_8192_SHA384];

/// What every SubjectPublicKeyInfo of an uncompressed P-384 key begins with (RFC 5480).
const P384_PREFIX: [u8; 24] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00, 0x04,
];

/// Length of the SubjectPublicKeyInfo of an uncompressed P-384 key in bytes.
const P384_LENGTH: usize = 120;

/// What a certificate is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To take part in meetings.
    Person,
    /// To be a relay.
    Relay,
    /// To sign invitations.
    Invitations,
}

impl Purpose {
    /// On CA certificates the usage may be left open, so absence is for the caller to judge on the leaf.
    fn usage(self) -> KeyUsage {
        match self {
            Self::Person => KeyUsage::client_auth(),
            Self::Relay => KeyUsage::server_auth(),
            Self::Invitations => KeyUsage::required_if_present(INVITATION_USAGE_OID_DER),
        }
    }

    /// The purpose in words, as "a person".
    pub fn words(self) -> &'static str {
        match self {
            Self::Person => "a person",
            Self::Relay => "a relay",
            Self::Invitations => "signing invitations",
        }
    }
}

/// Why a chain of certificates does not prove what it is shown for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// There is no certificate.
    #[error("there is no certificate")]
    Empty,
    /// The chain is too long.
    #[error("the chain has {0} certificates; at most {MAX_CHAIN} are read")]
    TooMany(usize),
    /// A certificate is too large.
    #[error("a certificate has {0} bytes; at most {MAX_CERTIFICATE} are read")]
    TooLarge(usize),
    /// Some certificate cannot be read.
    #[error("a certificate is damaged or not in X.509 form")]
    Malformed,
    /// A certificate of the chain is no longer valid.
    #[error("a certificate expired at {}", Utc(*.not_after))]
    Expired {
        /// Its end, in seconds since 1970-01-01 UTC.
        not_after: u64,
    },
    /// A certificate of the chain is not yet valid.
    #[error("a certificate is valid only from {} on", Utc(*.not_before))]
    NotYetValid {
        /// Its beginning, in seconds since 1970-01-01 UTC.
        not_before: u64,
    },
    /// The chain does not end at the trusted root.
    #[error("it was not issued under the trusted root")]
    UnknownIssuer,
    /// A signature in the chain is wrong: a certificate was altered, or made by another CA of the same name.
    #[error("the signature on a certificate is wrong: it was altered, or made by another CA of the same name")]
    Signature,
    /// A certificate is signed with an algorithm that policy does not accept.
    #[error(
        "a certificate is signed with an algorithm that is not accepted; use ECDSA P-384 or RSA from 3072 bits with SHA-384, or ECDSA P-521 with SHA-512"
    )]
    Algorithm,
    /// The certificate was issued for something else.
    #[error("the certificate was not issued for {}", .0.words())]
    Purpose(Purpose),
    /// A rule for chains is broken: path lengths, CA flags, name constraints, unknown critical extensions.
    #[error("the chain breaks the rules for certificate authorities")]
    Rules,
}

/// Why a certificate states no acceptable person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is too large.
    #[error("the certificate has {0} bytes; at most {MAX_CERTIFICATE} are read")]
    TooLarge(usize),
    /// It cannot be read.
    #[error("the certificate is damaged or not in X.509 form")]
    Malformed,
    /// The key is of another kind.
    #[error("the key in the certificate is not ECDSA P-384")]
    Key,
    /// The key may not sign.
    #[error("the key usage of the certificate does not include digital signatures")]
    KeyUsage,
    /// A part of the subject is missing or there twice.
    #[error("the subject of the certificate must have exactly one {0}")]
    Subject(&'static str),
    /// A part of the subject may not be shown to people.
    #[error("the {field} in the certificate cannot be accepted: {error}")]
    Text {
        /// Which part.
        field: &'static str,
        /// Why.
        #[source]
        error: TextError,
    },
    /// The certificate has no certified attributes, or has them twice.
    #[error("the certificate has no conclave attributes (seat, rank, role, clearance)")]
    NoAttributes,
    /// The certified attributes cannot be accepted.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// The highest level of a relay is stated twice, or is none.
    #[error("the level that the certificate allows the relay cannot be read")]
    RelayLevel,
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The certificate cannot be read or has no ECDSA P-384 key.
    #[error("the certificate has no ECDSA P-384 key")]
    Key,
    /// The signature is not by this key over this message.
    #[error("the signature is wrong")]
    Wrong,
}

/// Checks that `chain` (leaf first; the root may be left out) leads to `root`, is valid at `wall` (seconds since
/// 1970-01-01 UTC) and was issued for `purpose`.
///
/// Signatures and times of every certificate are checked, the root's time included (RFC 5280 section 6). About one
/// millisecond. Revocation is another question: [`crate::Revocations::check`].
///
/// # Errors
/// [`ChainError`]; sizes are checked before anything is parsed.
pub fn verify_chain(
    chain: &[CertificateDer<'_>],
    root: &CertificateDer<'_>,
    wall: u64,
    purpose: Purpose,
) -> Result<(), ChainError> {
    let (leaf, rest) = chain.split_first().ok_or(ChainError::Empty)?;
    if chain.len() > MAX_CHAIN {
        return Err(ChainError::TooMany(chain.len()));
    }
    for certificate in chain.iter().chain([root]) {
        if certificate.len() > MAX_CERTIFICATE {
            return Err(ChainError::TooLarge(certificate.len()));
        }
    }
    let (not_before, not_after) = validity(root).map_err(|_| ChainError::Malformed)?;
    if wall > not_after {
        return Err(ChainError::Expired { not_after });
    }
    if wall < not_before {
        return Err(ChainError::NotYetValid { not_before });
    }
    let anchor = webpki::anchor_from_trusted_cert(root).map_err(|_| ChainError::Malformed)?;
    let entity = EndEntityCert::try_from(leaf).map_err(|error| chain_error(&error, purpose))?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(wall));
    entity
        .verify_for_usage(CHAIN_ALGORITHMS, &[anchor], rest, now, purpose.usage(), None, None)
        .map_err(|error| chain_error(&error, purpose))?;
    match parse(leaf).map(|parsed| parsed.extended_key_usage().is_ok_and(|usage| usage.is_some())) {
        Ok(true) => Ok(()),
        Ok(false) => Err(ChainError::Purpose(purpose)),
        Err(_) => Err(ChainError::Malformed),
    }
}

/// Reads the person that a certificate states. Proves nothing: see [`verify_chain`].
///
/// # Errors
/// [`ProfileError`] where the certificate is not of the profile in the crate's documentation.
pub fn read_person(certificate: &CertificateDer<'_>) -> Result<Person, ProfileError> {
    let parsed = parse(certificate)?;
    if !is_p384(parsed.public_key().raw) {
        return Err(ProfileError::Key);
    }
    match parsed.key_usage() {
        Ok(Some(usage)) if usage.value.digital_signature() => {}
        Ok(_) => return Err(ProfileError::KeyUsage),
        Err(_) => return Err(ProfileError::Malformed),
    }
    let name = subject_text(parsed.subject().iter_common_name().map(|part| part.as_str().ok()), "name (CN)")?;
    let seat = subject_text(parsed.subject().iter_organization().map(|part| part.as_str().ok()), "seat (O)")?;
    let mut extensions = parsed.extensions().iter().filter(|extension| extension.oid.as_bytes() == ATTRIBUTES_OID_DER);
    let (Some(extension), None) = (extensions.next(), extensions.next()) else {
        return Err(ProfileError::NoAttributes);
    };
    let Attributes { seat_code, rank, role, clearance } = Attributes::from_der(extension.value)?;
    Ok(Person { name, seat, seat_code, rank, role, clearance, fingerprint: fingerprint(certificate) })
}

/// SHA-256 over the DER of a certificate: its name in invitations.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate.as_ref()).into()
}

/// SHA-256 over the SubjectPublicKeyInfo of a certificate: the pin of a relay (compare RFC 7469 section 2.4).
///
/// # Errors
/// [`ProfileError::TooLarge`] or [`ProfileError::Malformed`].
pub fn key_pin(certificate: &CertificateDer<'_>) -> Result<[u8; 32], ProfileError> {
    Ok(Sha256::digest(parse(certificate)?.public_key().raw).into())
}

/// Checks an ECDSA P-384 SHA-384 signature (ASN.1 form) by the key of `certificate`.
///
/// # Errors
/// [`SignatureError`]. Whether the certificate itself can be trusted is for [`verify_chain`].
pub fn verify_signature(
    certificate: &CertificateDer<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    if certificate.len() > MAX_CERTIFICATE {
        return Err(SignatureError::Key);
    }
    let entity = EndEntityCert::try_from(certificate).map_err(|_| SignatureError::Key)?;
    if !is_p384(&entity.subject_public_key_info()) {
        return Err(SignatureError::Key);
    }
    entity.verify_signature(algorithms::ECDSA_P384_SHA384, message, signature).map_err(|_| SignatureError::Wrong)
}

/// The highest level that a relay's certificate allows it to carry; UNCLASSIFIED where it states none. Proves nothing:
/// see [`verify_chain`].
///
/// # Errors
/// [`ProfileError::TooLarge`], [`ProfileError::Malformed`], [`ProfileError::RelayLevel`].
pub fn read_relay_level(certificate: &CertificateDer<'_>) -> Result<Level, ProfileError> {
    let parsed = parse(certificate)?;
    let mut extensions = parsed.extensions().iter().filter(|extension| extension.oid.as_bytes() == RELAY_LEVEL_OID_DER);
    match (extensions.next(), extensions.next()) {
        (None, _) => Ok(Level::Unclassified),
        (Some(extension), None) => match *extension.value {
            [2, 1, code] => Level::from_code(code).ok_or(ProfileError::RelayLevel),
            _ => Err(ProfileError::RelayLevel),
        },
        (Some(_), Some(_)) => Err(ProfileError::RelayLevel),
    }
}

/// The SubjectPublicKeyInfo of a certificate in DER.
pub(crate) fn public_key(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, ProfileError> {
    Ok(parse(certificate)?.public_key().raw.to_vec())
}

/// The point of an ECDSA P-384 key, uncompressed, from its SubjectPublicKeyInfo.
pub(crate) fn p384_point(public_key: &[u8]) -> Option<&[u8]> {
    is_p384(public_key).then(|| &public_key[P384_PREFIX.len() - 1..])
}

/// The SubjectPublicKeyInfo of an ECDSA P-384 key from its uncompressed point.
pub(crate) fn p384_info(point: &[u8]) -> Option<Vec<u8>> {
    let info = [&P384_PREFIX[..P384_PREFIX.len() - 1], point].concat();
    is_p384(&info).then_some(info)
}

/// The first and the last second at which a certificate is valid, since 1970-01-01 UTC.
///
/// # Errors
/// [`ProfileError::TooLarge`] or [`ProfileError::Malformed`].
pub fn validity(certificate: &CertificateDer<'_>) -> Result<(u64, u64), ProfileError> {
    let parsed = parse(certificate)?;
    let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).unwrap_or(0);
    Ok((seconds(parsed.validity().not_before), seconds(parsed.validity().not_after)))
}

/// Whether subject and issuer are the same, as in a root.
///
/// # Errors
/// [`ProfileError::TooLarge`] or [`ProfileError::Malformed`].
pub fn is_self_issued(certificate: &CertificateDer<'_>) -> Result<bool, ProfileError> {
    let parsed = parse(certificate)?;
    let raw = |name: &X509Name<'_>| name.as_raw().to_vec();
    Ok(raw(parsed.subject()) == raw(parsed.issuer()))
}

/// The subject of a certificate in one line, for people; what may not be shown to them is replaced by "?".
///
/// # Errors
/// [`ProfileError::TooLarge`] or [`ProfileError::Malformed`].
pub fn subject(certificate: &CertificateDer<'_>) -> Result<String, ProfileError> {
    Ok(shown(&parse(certificate)?.subject().to_string()))
}

/// What the certificate says it was issued for; empty for CAs. Proves nothing: see [`verify_chain`].
///
/// # Errors
/// [`ProfileError::TooLarge`] or [`ProfileError::Malformed`].
pub fn purposes(certificate: &CertificateDer<'_>) -> Result<Vec<Purpose>, ProfileError> {
    let parsed = parse(certificate)?;
    let usage = parsed.extended_key_usage().map_err(|_| ProfileError::Malformed)?;
    let Some(usage) = usage.map(|extension| extension.value) else {
        return Ok(Vec::new());
    };
    let invitations = usage.other.iter().any(|oid| oid.as_bytes() == INVITATION_USAGE_OID_DER);
    let stated = [
        (usage.client_auth, Purpose::Person),
        (usage.server_auth, Purpose::Relay),
        (invitations, Purpose::Invitations),
    ];
    Ok(stated.into_iter().filter_map(|(stated, purpose)| stated.then_some(purpose)).collect())
}

/// What revocation lists know a certificate by.
pub(crate) struct SerialName {
    /// The name of the authority, DER.
    pub(crate) issuer: Vec<u8>,
    /// The serial number, big-endian.
    pub(crate) serial: Vec<u8>,
}

/// The authority and serial number of a certificate.
pub(crate) fn serial_name(certificate: &CertificateDer<'_>) -> Result<SerialName, ProfileError> {
    let parsed = parse(certificate)?;
    Ok(SerialName { issuer: parsed.issuer().as_raw().to_vec(), serial: parsed.raw_serial().to_vec() })
}

/// Whose a CA is: the organization of its subject, else its common name, as far as it can be shown to people.
pub(crate) fn owner(certificate: &CertificateDer<'_>) -> Result<String, ProfileError> {
    let parsed = parse(certificate)?;
    let subject = parsed.subject();
    let mut names = subject.iter_organization().chain(subject.iter_common_name()).filter_map(|part| part.as_str().ok());
    let name = names.next().ok_or(ProfileError::Subject("organization (O) or name (CN)"))?;
    text::check_line(name, text::MAX_NAME - 32).map_err(|error| ProfileError::Text { field: "name", error })?;
    Ok(name.to_owned())
}

/// The name of a certificate's subject, DER.
pub(crate) fn subject_name(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, ProfileError> {
    Ok(parse(certificate)?.subject().as_raw().to_vec())
}

/// The subject key identifier of a certificate (RFC 5280 section 4.2.1.2); where it has none, one made from the key.
pub(crate) fn key_identifier(certificate: &CertificateDer<'_>) -> Vec<u8> {
    let Ok(parsed) = parse(certificate) else {
        return Vec::new();
    };
    let stated = parsed.extensions().iter().find_map(|extension| {
        let ParsedExtension::SubjectKeyIdentifier(identifier) = extension.parsed_extension() else {
            return None;
        };
        Some(identifier.0.to_vec())
    });
    stated.unwrap_or_else(|| Sha256::digest(parsed.public_key().raw)[..20].to_vec())
}

/// A name in DER as one line, for people; what may not be shown to them is replaced by "?".
pub(crate) fn name_line(name: &[u8]) -> String {
    match X509Name::from_der(name) {
        Ok((_, name)) => shown(&name.to_string()),
        Err(_) => "?".to_owned(),
    }
}

pub(crate) fn shown(line: &str) -> String {
    line.chars().map(|character| if text::is_forbidden(character) { '?' } else { character }).collect()
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, ProfileError> {
    if certificate.len() > MAX_CERTIFICATE {
        return Err(ProfileError::TooLarge(certificate.len()));
    }
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) | Err(_) => Err(ProfileError::Malformed),
    }
}

fn is_p384(public_key: &[u8]) -> bool {
    public_key.len() == P384_LENGTH && public_key.starts_with(&P384_PREFIX)
}

fn subject_text<'a>(
    mut parts: impl Iterator<Item = Option<&'a str>>,
    field: &'static str,
) -> Result<String, ProfileError> {
    let (Some(Some(part)), None) = (parts.next(), parts.next()) else {
        return Err(ProfileError::Subject(field));
    };
    text::check_line(part, text::MAX_NAME).map_err(|error| ProfileError::Text { field, error })?;
    Ok(part.to_owned())
}

fn chain_error(error: &webpki::Error, purpose: Purpose) -> ChainError {
    use webpki::Error;
    #[allow(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive and most of it concerns CRLs")]
    match error {
        Error::CertExpired { not_after, .. } => ChainError::Expired { not_after: not_after.as_secs() },
        Error::CertNotValidYet { not_before, .. } => ChainError::NotYetValid { not_before: not_before.as_secs() },
        Error::UnknownIssuer => ChainError::UnknownIssuer,
        Error::InvalidSignatureForPublicKey | Error::SignatureAlgorithmMismatch => ChainError::Signature,
        Error::UnsupportedSignatureAlgorithmContext(_) | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            ChainError::Algorithm
        }
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension | Error::CaUsedAsEndEntity => {
            ChainError::Purpose(purpose)
        }
        Error::BadDer
        | Error::BadDerTime
        | Error::TrailingData(_)
        | Error::InvalidCertValidity
        | Error::InvalidSerialNumber
        | Error::MalformedExtensions
        | Error::ExtensionValueInvalid
        | Error::UnsupportedCertVersion => ChainError::Malformed,
        _ => ChainError::Rules,
    }
}

#[cfg(test)]
mod tests;
