//! The COSE_Sign1 around an invitation.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey},
};
use ciborium::Value;
use coset::{
    ContentType, CoseSign1, CoseSign1Builder, HeaderBuilder, Label, RegisteredLabelWithPrivate, TaggedCborSerializable,
    iana,
};
use rustls_pki_types::CertificateDer;

use super::{CONTENT_TYPE, CONTEXT, InvitationError};
use crate::certificate::{self, MAX_CHAIN};

/// The header `x5chain` (RFC 9360 section 2).
const X5CHAIN: i64 = 33;

/// A signed statement whose signature nobody has checked yet.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    message: CoseSign1,
    chain: Vec<CertificateDer<'static>>,
}

impl Signed {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, InvitationError> {
        let message = CoseSign1::from_tagged_slice(bytes).map_err(|_| InvitationError::NoInvitation)?;
        let header = &message.protected.header;
        if header.content_type != Some(ContentType::Text(CONTENT_TYPE.to_owned()))
            || !header.crit.is_empty()
            || !message.unprotected.is_empty()
            || message.payload.is_none()
        {
            return Err(InvitationError::NoInvitation);
        }
        if header.alg != Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES384)) {
            return Err(InvitationError::Algorithm);
        }
        let chain = header.rest.iter().find(|(label, _)| *label == Label::Int(X5CHAIN)).map(|(_, value)| value);
        let chain = chain.and_then(read_chain).ok_or(InvitationError::NoInvitation)?;
        Ok(Self { message, chain })
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.message.payload.as_deref().unwrap_or_default()
    }

    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Checks the signature with the key of the first certificate.
    pub(super) fn verify(&self) -> Result<(), InvitationError> {
        let leaf = self.chain.first().ok_or(InvitationError::NoInvitation)?;
        let key = certificate::public_key(leaf).map_err(|_| InvitationError::NoInvitation)?;
        let point = certificate::p384_point(&key).ok_or(InvitationError::Algorithm)?;
        let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point);
        self.message
            .verify_signature(CONTEXT, |signature, statement| key.verify(statement, signature))
            .map_err(|_| InvitationError::Signature)
    }
}

/// One certificate is a byte string, several are an array of them.
fn read_chain(value: &Value) -> Option<Vec<CertificateDer<'static>>> {
    let certificate = |value: &Value| value.as_bytes().map(|der| CertificateDer::from(der.clone()));
    match value.as_array() {
        None => Some(vec![certificate(value)?]),
        Some(values) if (2..=MAX_CHAIN).contains(&values.len()) => values.iter().map(certificate).collect(),
        Some(_) => None,
    }
}

/// Signs a payload; `None` where the key is no PKCS#8 ECDSA P-384 key or the bytes cannot be written.
pub(crate) fn sign(payload: Vec<u8>, chain: &[CertificateDer<'_>], pkcs8: &[u8]) -> Option<Vec<u8>> {
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8).ok()?;
    let mut certificates: Vec<Value> = chain.iter().map(|der| Value::Bytes(der.to_vec())).collect();
    let chain = if certificates.len() == 1 { certificates.remove(0) } else { Value::Array(certificates) };
    let header = HeaderBuilder::new()
        .algorithm(iana::Algorithm::ES384)
        .content_type(CONTENT_TYPE.to_owned())
        .value(X5CHAIN, chain)
        .build();
    let random = SystemRandom::new();
    let signed = CoseSign1Builder::new()
        .protected(header)
        .payload(payload)
        .try_create_signature(CONTEXT, |statement| {
            key.sign(&random, statement).map(|signature| signature.as_ref().to_vec())
        })
        .ok()?
        .build();
    signed.to_tagged_vec().ok()
}
