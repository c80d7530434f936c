//! An unlocked credential: a person's certificate chain and the key that proves it.

use std::{fmt, path::Path, sync::Arc};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use conclave_model::Person;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::{
    certificate::{self, ChainError, Purpose},
    credential::{self, CredentialError},
    tls::{self, RelayPin, TlsError},
};

/// An identity key: a file's, or a smart card's.
pub trait Sign: Send + Sync + fmt::Debug {
    /// Signs `message` with ECDSA P-384 SHA-384; the signature is in ASN.1 form (RFC 3279 section 2.2.3).
    ///
    /// # Errors
    /// [`SignError`] where the key cannot be used.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Whether the key can still be used: false once its card was taken out. May take as long as a card takes to answer, so
    /// ask every second or so, and not on a thread that must not wait.
    fn is_present(&self) -> bool {
        true
    }
}

/// Why a key did not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key refused, or is not there any more.
    #[error("the identity key cannot sign; is it still there?")]
    Unavailable,
}

/// An unlocked credential. Clones share the key; `Debug` shows neither key nor person.
#[derive(Clone)]
pub struct Holder(Arc<Inner>);

struct Inner {
    person: Person,
    chain: Vec<CertificateDer<'static>>,
    root: CertificateDer<'static>,
    public_key: Vec<u8>,
    not_before: u64,
    not_after: u64,
    signer: Arc<dyn Sign>,
}

impl Holder {
    /// Reads a credential file and unlocks it with `password`, at `wall` seconds since 1970-01-01 UTC.
    ///
    /// Costs about 200 ms, on purpose: the password is stretched with scrypt.
    ///
    /// # Errors
    /// [`CredentialError`]: the file cannot be read, others may read it (on Unix), it is damaged, the password is
    /// wrong, the key is not that of the certificate, the chain does not hold or is out of its time.
    pub fn open(path: &Path, password: &str, wall: u64) -> Result<Self, CredentialError> {
        let holder = Self::from_pem(&credential::read(path)?, password)?;
        holder.check_validity(wall)?;
        Ok(holder)
    }

    /// Unlocks a credential in PEM with `password`. Does not look at the clock: see [`Self::check_validity`].
    ///
    /// # Errors
    /// As [`Self::open`], files and time aside.
    pub fn from_pem(pem: &str, password: &str) -> Result<Self, CredentialError> {
        let file = credential::CredentialFile::parse(pem)?;
        let key = file.unlock(password)?;
        Self::from_parts(file.chain, file.root, &key)
    }

    /// A credential with an unencrypted PKCS#8 key.
    pub(crate) fn from_parts(
        chain: Vec<CertificateDer<'static>>,
        root: CertificateDer<'static>,
        pkcs8: &[u8],
    ) -> Result<Self, CredentialError> {
        let leaf = chain.first().ok_or(CredentialError::NoCertificate)?;
        let signer = check_key(pkcs8, leaf)?;
        Self::with_signer(chain, root, Arc::new(signer))
    }

    /// A credential whose key is elsewhere, as on a smart card. `chain` begins with the person's certificate and
    /// leaves the root out.
    ///
    /// # Errors
    /// [`CredentialError::NoCertificate`], [`CredentialError::Profile`].
    pub fn with_signer(
        chain: Vec<CertificateDer<'static>>,
        root: CertificateDer<'static>,
        signer: Arc<dyn Sign>,
    ) -> Result<Self, CredentialError> {
        let leaf = chain.first().ok_or(CredentialError::NoCertificate)?;
        let person = certificate::read_person(leaf).map_err(CredentialError::Profile)?;
        let public_key = certificate::public_key(leaf).map_err(CredentialError::Profile)?;
        let (not_before, not_after) = certificate::validity(leaf).map_err(CredentialError::Profile)?;
        Ok(Self(Arc::new(Inner { person, chain, root, public_key, not_before, not_after, signer })))
    }

    /// Checks the chain, and that every certificate of it is valid at `wall` (seconds since 1970-01-01 UTC).
    ///
    /// # Errors
    /// [`CredentialError::Expired`], [`CredentialError::NotYetValid`], [`CredentialError::Chain`].
    pub fn check_validity(&self, wall: u64) -> Result<(), CredentialError> {
        certificate::verify_chain(&self.0.chain, &self.0.root, wall, Purpose::Person).map_err(|error| match error {
            ChainError::Expired { not_after } => CredentialError::Expired { not_after },
            ChainError::NotYetValid { not_before } => CredentialError::NotYetValid { not_before },
            other @ (ChainError::Empty
            | ChainError::TooMany(_)
            | ChainError::TooLarge(_)
            | ChainError::Malformed
            | ChainError::UnknownIssuer
            | ChainError::Signature
            | ChainError::Algorithm
            | ChainError::Purpose(_)
            | ChainError::Rules) => CredentialError::Chain(other),
        })
    }

    /// Who holds the credential, as certified. Role and rank in a meeting are the invitation's:
    /// see [`crate::check_member`].
    pub fn person(&self) -> &Person {
        &self.0.person
    }

    /// The person's certificate, then the issuing CA's; without the root.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }

    /// The root that the holder trusts.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.0.root
    }

    /// The identity key.
    pub fn signer(&self) -> &Arc<dyn Sign> {
        &self.0.signer
    }

    /// Whether the key can still be used; see [`Sign::is_present`]. A card that comes back needs its PIN again.
    pub fn is_present(&self) -> bool {
        self.0.signer.is_present()
    }

    /// The public identity key: a SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.0.public_key
    }

    /// The first and the last second of the person's certificate, since 1970-01-01 UTC.
    pub fn validity(&self) -> (u64, u64) {
        (self.0.not_before, self.0.not_after)
    }

    /// The rustls configuration for a connection to the relay that `relay` pins; see [`tls::client_config`].
    ///
    /// # Errors
    /// [`TlsError`] where rustls refuses the parts.
    pub fn tls_config(&self, relay: &RelayPin) -> Result<rustls::ClientConfig, TlsError> {
        tls::client_config(self, relay)
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holder({})", hex::encode(&self.0.person.fingerprint[..4]))
    }
}

/// An identity key in memory.
pub(crate) struct FileKey {
    key: EcdsaKeyPair,
}

impl FileKey {
    /// `None` where the bytes are no PKCS#8 ECDSA P-384 key.
    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8).ok()?;
        Some(Self { key })
    }

    /// The public key as an uncompressed point.
    pub(crate) fn point(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }
}

impl Sign for FileKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.key.sign(&SystemRandom::new(), message).map_err(|_| SignError::Unavailable)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey")
    }
}

/// Checks that a PKCS#8 key is an ECDSA P-384 key, and that of `certificate`.
pub(crate) fn check_key(pkcs8: &[u8], certificate: &CertificateDer<'_>) -> Result<FileKey, CredentialError> {
    let signer = FileKey::from_pkcs8(pkcs8).ok_or(CredentialError::Key)?;
    let public_key = certificate::public_key(certificate).map_err(CredentialError::Profile)?;
    if certificate::p384_point(&public_key) != Some(signer.point()) {
        return Err(CredentialError::KeyMismatch);
    }
    Ok(signer)
}

/// A private key in PKCS#8 that is wiped when dropped.
pub(crate) type Pkcs8 = Zeroizing<Vec<u8>>;
