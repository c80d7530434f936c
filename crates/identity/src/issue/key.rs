//! Private keys that certificate authorities, offices and requests sign with.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA384,
    },
};
use rcgen::{
    PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_RSA_SHA384, PublicKeyData, SignatureAlgorithm, SigningKey,
};
use zeroize::Zeroizing;

use super::IssueError;
use crate::{
    certificate,
    holder::{Pkcs8, Sign},
};

/// The shortest RSA key in bytes: 3072 bits.
const MIN_RSA: usize = 384;

/// A private key that signs certificates: ECDSA P-384 or P-521, or RSA from 3072 bits.
pub(super) struct CaKey {
    key: Kind,
    pkcs8: Pkcs8,
    public: Vec<u8>,
}

enum Kind {
    P384(EcdsaKeyPair),
    P521(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl CaKey {
    /// A fresh ECDSA P-384 key.
    pub(super) fn generate() -> Result<Self, IssueError> {
        Self::from_pkcs8(generate()?).ok_or(IssueError::Sign)
    }

    /// `None` where it is no key of these kinds.
    pub(super) fn from_pkcs8(pkcs8: Pkcs8) -> Option<Self> {
        let ecdsa = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8).ok();
        if let Some(key) = ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING) {
            let public = key.public_key().as_ref().to_vec();
            return Some(Self { key: Kind::P384(key), pkcs8, public });
        }
        if let Some(key) = ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING) {
            let public = key.public_key().as_ref().to_vec();
            return Some(Self { key: Kind::P521(key), pkcs8, public });
        }
        let key = rsa::KeyPair::from_pkcs8(&pkcs8).ok().filter(|key| key.public_modulus_len() >= MIN_RSA)?;
        let public = key.public_key().as_ref().to_vec();
        Some(Self { key: Kind::Rsa(key), pkcs8, public })
    }

    pub(super) fn pkcs8(&self) -> &Pkcs8 {
        &self.pkcs8
    }
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.key {
            Kind::P384(_) => &PKCS_ECDSA_P384_SHA384,
            Kind::P521(_) => &PKCS_ECDSA_P521_SHA512,
            Kind::Rsa(_) => &PKCS_RSA_SHA384,
        }
    }
}

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let random = SystemRandom::new();
        let failed = |_| rcgen::Error::RingUnspecified;
        match &self.key {
            Kind::P384(key) | Kind::P521(key) => {
                key.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(failed)
            }
            Kind::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA384, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

/// Shows no key.
impl fmt::Debug for CaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaKey")
    }
}

/// The public ECDSA P-384 key of somebody else.
pub(super) struct PublicKey(Vec<u8>);

impl PublicKey {
    /// From a SubjectPublicKeyInfo.
    pub(super) fn from_info(info: &[u8]) -> Result<Self, IssueError> {
        Ok(Self(certificate::p384_point(info).ok_or(IssueError::PublicKey)?.to_vec()))
    }

    /// From an uncompressed point.
    pub(super) fn from_point(point: &[u8]) -> Result<Self, IssueError> {
        Self::from_info(&certificate::p384_info(point).ok_or(IssueError::PublicKey)?)
    }
}

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P384_SHA384
    }
}

/// An identity key, wherever it is, that signs its own request.
pub(super) struct Requester<'a> {
    pub(super) public: PublicKey,
    pub(super) signer: &'a dyn Sign,
}

impl PublicKeyData for Requester<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.public.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.public.algorithm()
    }
}

impl SigningKey for Requester<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signer.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// A fresh ECDSA P-384 key.
pub(super) fn generate() -> Result<Pkcs8, IssueError> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &SystemRandom::new())
        .map_err(|_| IssueError::Sign)?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

/// The private key of a block `EC PRIVATE KEY` (RFC 5915), as `openssl ecparam -genkey` writes it, in PKCS#8; `None` where
/// it is no key on P-384.
pub(crate) fn pkcs8_from_sec1(sec1: &[u8]) -> Option<Pkcs8> {
    let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_ASN1_SIGNING, sec1).ok()?;
    key.to_pkcs8v1().ok().map(|document| Zeroizing::new(document.as_ref().to_vec()))
}
