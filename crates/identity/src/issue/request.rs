//! Certificate requests (PKCS#10, RFC 2986): the key stays with the person, the office sees its public part.

use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use webpki::{RawPublicKeyEntity, aws_lc_rs as algorithms};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer};

use super::{Authority, IssueError, PersonSpec, Validity, key};
use crate::{
    certificate::{self, MAX_CERTIFICATE},
    credential,
    holder::{FileKey, Sign},
    text,
};

const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// A request whose sender has proven that they have the private key.
///
/// Nothing else in it counts: what is certified is what the office says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The SubjectPublicKeyInfo of an ECDSA P-384 key, DER.
    public_key: Vec<u8>,
    subject: String,
}

/// Why a request is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is too long.
    #[error("the request has {0} bytes; at most {MAX_CERTIFICATE} are read")]
    TooLarge(usize),
    /// It is none.
    #[error("the file holds no certificate request (PKCS#10), or it is damaged")]
    Malformed,
    /// The key is of another kind.
    #[error("the key in the request is not ECDSA P-384")]
    Key,
    /// The signature is wrong, or of another kind.
    #[error("the request is not signed with its own key by ECDSA P-384 SHA-384")]
    Signature,
}

impl Request {
    /// Reads a PEM file with one request.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn from_pem(text: &str) -> Result<Self, RequestError> {
        if text.len() > credential::MAX_FILE {
            return Err(RequestError::TooLarge(text.len()));
        }
        let blocks = pem::parse_many(text).map_err(|_| RequestError::Malformed)?;
        let mut requests = blocks.iter().filter(|block| LABELS.contains(&block.tag()));
        let (Some(request), None) = (requests.next(), requests.next()) else {
            return Err(RequestError::Malformed);
        };
        Self::from_der(request.contents())
    }

    /// Reads a request in DER.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > MAX_CERTIFICATE {
            return Err(RequestError::TooLarge(der.len()));
        }
        let Ok(([], parsed)) = X509CertificationRequest::from_der(der) else {
            return Err(RequestError::Malformed);
        };
        let info = &parsed.certification_request_info;
        let public_key = info.subject_pki.raw.to_vec();
        certificate::p384_point(&public_key).ok_or(RequestError::Key)?;
        let key = SubjectPublicKeyInfoDer::from(public_key.as_slice());
        let entity = RawPublicKeyEntity::try_from(&key).map_err(|_| RequestError::Key)?;
        entity
            .verify_signature(algorithms::ECDSA_P384_SHA384, info.raw, &parsed.signature_value.data)
            .map_err(|_| RequestError::Signature)?;
        Ok(Self { public_key, subject: certificate::shown(&info.subject.to_string()) })
    }

    /// Whose it says it is, in one line; nobody checked that.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The public key: a SubjectPublicKeyInfo in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}

/// A request for a key elsewhere, as on a card; `public_key` is its SubjectPublicKeyInfo. PEM.
///
/// # Errors
/// [`IssueError::Text`], [`IssueError::PublicKey`], [`IssueError::Certificate`] where the key does not sign.
pub fn request_for(name: &str, seat: &str, public_key: &[u8], signer: &dyn Sign) -> Result<String, IssueError> {
    for (field, line) in [("name", name), ("seat", seat)] {
        text::check_line(line, text::MAX_NAME).map_err(|error| IssueError::Text { field, error })?;
    }
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::OrganizationName, seat);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let requester = key::Requester { public: key::PublicKey::from_info(public_key)?, signer };
    let request = params.serialize_request(&requester)?;
    Ok(credential::to_pem(LABELS[0], request.der().to_vec()))
}

/// A fresh key, encrypted with `password`, and the request for its certificate; both PEM. About 200 ms.
///
/// # Errors
/// [`IssueError::Text`], [`IssueError::Protect`] for a short password, [`IssueError::Certificate`].
pub fn new_request(name: &str, seat: &str, password: &str) -> Result<(String, String), IssueError> {
    let pkcs8 = key::generate()?;
    let signer = FileKey::from_pkcs8(&pkcs8).ok_or(IssueError::Sign)?;
    let public = certificate::p384_info(signer.point()).ok_or(IssueError::PublicKey)?;
    let request = request_for(name, seat, &public, &signer)?;
    Ok((credential::encrypt_to_pem(&pkcs8, password)?, request))
}

impl Authority {
    /// As a CA that does not look at names.
    #[cfg(test)]
    pub(crate) fn certify_unchecked(
        &self,
        person: &PersonSpec,
        public_key: &[u8],
        validity: Validity,
    ) -> Vec<CertificateDer<'static>> {
        let plain = PersonSpec { name: "Anybody".to_owned(), ..person.clone() };
        let mut params = self.person_params(&plain, validity).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, person.name.as_str());
        let certificate =
            params.signed_by(&key::PublicKey::from_info(public_key).unwrap(), &self.issuer).unwrap().der().clone();
        self.chain(certificate)
    }

    /// Certifies somebody else's public key: a [`Request::public_key`], or that of a certificate that is to be renewed.
    /// Returns the chain, the person's certificate first, without the root.
    ///
    /// # Errors
    /// [`IssueError::Text`], [`IssueError::Attributes`], [`IssueError::Validity`], [`IssueError::PublicKey`],
    /// [`IssueError::Certificate`].
    pub fn certify(
        &self,
        person: &PersonSpec,
        public_key: &[u8],
        validity: Validity,
    ) -> Result<Vec<CertificateDer<'static>>, IssueError> {
        let params = self.person_params(person, validity)?;
        let certificate = params.signed_by(&key::PublicKey::from_info(public_key)?, &self.issuer)?.der().clone();
        certificate::read_person(&certificate).map_err(IssueError::Profile)?;
        Ok(std::iter::once(certificate).chain(self.issuers.iter().cloned()).collect())
    }
}

/// The public key of a certificate that is to be renewed: a SubjectPublicKeyInfo in DER.
///
/// # Errors
/// [`IssueError::Profile`], [`IssueError::PublicKey`].
pub fn public_key_of(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, IssueError> {
    let key = certificate::public_key(certificate).map_err(IssueError::Profile)?;
    if certificate::p384_point(&key).is_some() { Ok(key) } else { Err(IssueError::PublicKey) }
}
