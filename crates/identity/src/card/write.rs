//! Making a key in a token, and storing its certificates there.

use std::fmt;

use cryptoki::{
    mechanism::Mechanism,
    object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle},
};
use der::{Decode, Encode, asn1::OctetStringRef};
use rustls_pki_types::CertificateDer;

use super::{CardError, CardKey, CardUri, OpenToken, one_at_a_time, prove};
use crate::{
    certificate::{self, MAX_CHAIN},
    credential::CredentialError,
    holder::{Sign, SignError},
};

/// The object identifier of secp384r1 in DER: what `CKA_EC_PARAMS` asks for.
const SECP384R1: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// A key that was made in a token just now, and has no certificate yet.
///
/// Dropped before [`Self::certify`], the key stays in the token: remove it with [`Self::discard`].
pub struct NewKey {
    key: CardKey,
    public_handle: ObjectHandle,
    id: Vec<u8>,
    label: String,
    public_key: Vec<u8>,
}

impl NewKey {
    /// Makes an ECDSA P-384 key in the token; it can sign, and can never leave. Takes as long as the token does.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn generate(uri: &CardUri, pin: &str, label: &str) -> Result<Self, CardError> {
        let _one = one_at_a_time();
        let open = OpenToken::log_in(uri, pin, true)?;
        let refused = CardError::Refused("make a key (ECDSA P-384)");
        let mut id = vec![0; 16];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| refused.clone())?;
        let common = [
            Attribute::Token(true),
            Attribute::KeyType(KeyType::EC),
            Attribute::Id(id.clone()),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        let public = [&common[..], &[Attribute::Verify(true), Attribute::EcParams(SECP384R1.to_vec())]].concat();
        let private = [
            &common[..],
            &[
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(true),
            ],
        ]
        .concat();
        let (public_handle, private_handle) = open
            .session
            .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
            .map_err(|_| refused.clone())?;
        let point = open.session.get_attributes(public_handle, &[AttributeType::EcPoint]);
        let public_key = match point.ok().and_then(|found| found.into_iter().next()) {
            Some(Attribute::EcPoint(point)) => from_ec_point(&point),
            _ => None,
        };
        let key = open.into_key(private_handle);
        let made = Self { key, public_handle, id, label: label.to_owned(), public_key: public_key.unwrap_or_default() };
        if made.public_key.is_empty() {
            made.discard();
            return Err(refused);
        }
        Ok(made)
    }

    /// The public key: a SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Stores the certificates of the key: the person's first, then those of the CAs, the root among them.
    ///
    /// Returns the address of the credential.
    ///
    /// # Errors
    /// [`CardError`]; key and certificates are removed again then.
    pub fn certify(self, uri: &CardUri, chain: &[CertificateDer<'_>]) -> Result<CardUri, CardError> {
        let _one = one_at_a_time();
        let mut stored = Vec::new();
        match self.store(chain, &mut stored) {
            Ok(()) => Ok(CardUri { id: Some(self.id.clone()), object: None, ..uri.clone() }),
            Err(error) => {
                if let Ok(session) = self.key.session.lock() {
                    stored.into_iter().for_each(|handle| drop(session.0.destroy_object(handle)));
                }
                self.discard();
                Err(error)
            }
        }
    }

    fn store(&self, chain: &[CertificateDer<'_>], stored: &mut Vec<ObjectHandle>) -> Result<(), CardError> {
        let leaf = chain.first().ok_or(CredentialError::NoCertificate)?;
        if chain.len() > MAX_CHAIN {
            return Err(CredentialError::Chain(certificate::ChainError::TooMany(chain.len())).into());
        }
        prove(&self.key, leaf)?;
        let session = self.key.session.lock().map_err(|_| CardError::Refused("store a certificate"))?;
        for (place, der) in chain.iter().enumerate() {
            let present = [Attribute::Class(ObjectClass::CERTIFICATE), Attribute::Value(der.to_vec())];
            if session.0.find_objects(&present).is_ok_and(|found| !found.is_empty()) {
                // The CAs of another credential on the same card.
                continue;
            }
            let name = certificate::serial_name(der).map_err(CredentialError::Profile)?;
            let subject = certificate::subject_name(der).map_err(CredentialError::Profile)?;
            let (id, label) = match place {
                0 => (self.id.clone(), self.label.clone()),
                _ => (certificate::key_identifier(der), certificate::name_line(&subject)),
            };
            let template = [
                Attribute::Class(ObjectClass::CERTIFICATE),
                Attribute::CertificateType(CertificateType::X_509),
                Attribute::Token(true),
                Attribute::Private(false),
                Attribute::Id(id),
                Attribute::Label(label.into_bytes()),
                Attribute::Subject(subject),
                Attribute::Issuer(name.issuer),
                Attribute::SerialNumber(serial_der(&name.serial)),
                Attribute::Value(der.to_vec()),
            ];
            let handle = session.0.create_object(&template).map_err(|_| CardError::Refused("store a certificate"))?;
            stored.push(handle);
        }
        Ok(())
    }

    /// Removes the key from the token, as far as that goes.
    pub fn discard(self) {
        if let Ok(session) = self.key.session.lock() {
            for handle in [session.1, self.public_handle] {
                drop(session.0.destroy_object(handle));
            }
        }
    }
}

/// Shows neither key nor label, which may be a name.
impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewKey")
    }
}

impl Sign for NewKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.key.sign(message)
    }

    fn is_present(&self) -> bool {
        self.key.is_present()
    }
}

/// The point as PKCS#11 has it: in an OCTET STRING, though some tokens leave that away.
fn from_ec_point(point: &[u8]) -> Option<Vec<u8>> {
    let inner = <&OctetStringRef>::from_der(point).map_or(point, |wrapped| wrapped.as_bytes());
    certificate::p384_info(inner)
}

/// A serial number as an INTEGER in DER, which is what `CKA_SERIAL_NUMBER` holds.
fn serial_der(content: &[u8]) -> Vec<u8> {
    der::asn1::IntRef::new(content).and_then(|serial| serial.to_der()).unwrap_or_default()
}
