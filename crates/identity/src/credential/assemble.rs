//! Credentials from parts that other tools made.

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{CERTIFICATE_LABEL, CredentialError, KEY_LABEL, MAX_FILE, decrypt, to_pem};
use crate::{
    certificate::{self, ChainError, MAX_CHAIN},
    holder::{FileKey, Holder, Pkcs8},
    issue::{IssuedCredential, pkcs8_from_sec1},
};

const PLAIN_LABEL: &str = "PRIVATE KEY";
const SEC1_LABEL: &str = "EC PRIVATE KEY";

/// Whether the private key in a PEM file needs a password.
///
/// # Errors
/// [`CredentialError::TooLarge`], [`CredentialError::Broken`], [`CredentialError::Keys`] where there is not exactly one key.
pub fn is_encrypted(text: &str) -> Result<bool, CredentialError> {
    Ok(only_block(text)?.tag() == KEY_LABEL)
}

/// The private key in a PEM file, as PKCS#8: a block `ENCRYPTED PRIVATE KEY` with its password, or an unencrypted
/// `PRIVATE KEY` or `EC PRIVATE KEY`. For office tools; credentials themselves are always encrypted.
///
/// # Errors
/// [`CredentialError::TooLarge`], [`CredentialError::Broken`], [`CredentialError::Keys`], [`CredentialError::Encryption`],
/// [`CredentialError::WrongPassword`], [`CredentialError::Key`] for an EC key that is not on P-384.
pub fn private_key(text: &str, password: Option<&str>) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    let block = only_block(text)?;
    match block.tag() {
        KEY_LABEL => decrypt(block.contents(), password.ok_or(CredentialError::WrongPassword)?),
        PLAIN_LABEL => Ok(Zeroizing::new(block.contents().to_vec())),
        // The old encryption of OpenSSL stands in the headers of the block.
        _ if block.headers().iter().next().is_some() => Err(CredentialError::Encryption),
        _ => pkcs8_from_sec1(block.contents()).ok_or(CredentialError::Key),
    }
}

/// The encrypted key in a PEM file, as it is there; `None` where there is none.
pub fn encrypted_key(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let blocks = pem::parse_many(bytes).ok()?;
    let key = blocks.iter().find(|block| block.tag() == KEY_LABEL)?;
    Some(Zeroizing::new(to_pem(KEY_LABEL, key.contents().to_vec())))
}

/// A credential from a key (unencrypted PKCS#8) and certificates in whatever order, the root among them.
///
/// # Errors
/// [`CredentialError::Key`], [`CredentialError::KeyMismatch`] where no certificate is for this key,
/// [`CredentialError::Root`], [`CredentialError::Chain`] where one is missing or there are too many,
/// [`CredentialError::Profile`].
pub fn assemble(key: &[u8], certificates: Vec<CertificateDer<'static>>) -> Result<IssuedCredential, CredentialError> {
    let signer = FileKey::from_pkcs8(key).ok_or(CredentialError::Key)?;
    let (chain, root) = order(certificates, signer.point())?;
    let key: Pkcs8 = Zeroizing::new(key.to_vec());
    let holder = Holder::from_parts(chain, root, &key)?;
    Ok(IssuedCredential::of(holder, key))
}

/// The chain from the certificate with this public key up to, and without, the root; and the root.
pub(crate) fn order(
    mut certificates: Vec<CertificateDer<'static>>,
    point: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, CertificateDer<'static>), CredentialError> {
    certificates.dedup();
    if certificates.len() > 2 * MAX_CHAIN {
        return Err(CredentialError::Chain(ChainError::TooMany(certificates.len())));
    }
    let mut wanted = None;
    for (at, der) in certificates.iter().enumerate() {
        let key = certificate::public_key(der).map_err(CredentialError::Profile)?;
        if certificate::p384_point(&key) == Some(point) {
            wanted = Some(at);
        }
    }
    let mut next = match wanted {
        Some(at) => certificates.remove(at),
        None if certificates.is_empty() => return Err(CredentialError::NoCertificate),
        None => return Err(CredentialError::KeyMismatch),
    };
    let mut chain = Vec::new();
    loop {
        if certificate::is_self_issued(&next).map_err(CredentialError::Profile)? {
            return if chain.is_empty() { Err(CredentialError::Root) } else { Ok((chain, next)) };
        }
        let issuer = certificate::serial_name(&next).map_err(CredentialError::Profile)?.issuer;
        chain.push(next);
        let found = certificates.iter().position(|der| certificate::subject_name(der).is_ok_and(|name| name == issuer));
        next = certificates.swap_remove(found.ok_or(CredentialError::Chain(ChainError::UnknownIssuer))?);
    }
}

fn only_block(text: &str) -> Result<pem::Pem, CredentialError> {
    if text.len() > MAX_FILE {
        return Err(CredentialError::TooLarge);
    }
    let blocks = pem::parse_many(text).map_err(|_| CredentialError::Broken)?;
    let mut keys: Vec<_> = blocks
        .into_iter()
        .filter(|block| block.tag() != CERTIFICATE_LABEL && [KEY_LABEL, PLAIN_LABEL, SEC1_LABEL].contains(&block.tag()))
        .collect();
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok(key),
        (_, more) => Err(CredentialError::Keys(if more == 0 { 0 } else { more + 1 })),
    }
}
