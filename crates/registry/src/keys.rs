//! Private keys that other tools made: PEM, encrypted or not, and PKCS#12.

use std::path::Path;

use conclave_identity::{
    CredentialError,
    credential::{MAX_FILE, is_encrypted, private_key, read_private},
};
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::{RegistryError, password::Wanted};

/// What a file with a private key holds.
pub struct Parts {
    /// The key, unencrypted PKCS#8.
    pub key: Zeroizing<Vec<u8>>,
    /// The certificates beside it; PKCS#12 brings them.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// Reads a private key; asks for its password where it has one.
///
/// PKCS#12 is read as OpenSSL 3 and current enterprise CAs write it (PBES2 with AES, HMAC-SHA-256); RC2 and triple DES of
/// older tools are refused.
///
/// # Errors
/// [`RegistryError::Certificates`] with the file: others may read it, it is damaged, the password is wrong;
/// [`RegistryError::Password`], [`RegistryError::Pkcs12`].
pub fn read(path: &Path, password: Wanted<'_>) -> Result<Parts, RegistryError> {
    let failed = |error: CredentialError| RegistryError::Certificates { path: path.to_owned(), error };
    let bytes = read_private(path).map_err(failed)?;
    if let Ok(text) = std::str::from_utf8(&bytes) {
        let asked = if is_encrypted(text).map_err(failed)? { Some(password.read()?) } else { None };
        let key = private_key(text, asked.as_deref().map(String::as_str)).map_err(failed)?;
        return Ok(Parts { key, certificates: Vec::new() });
    }
    from_pkcs12(path, &bytes, &password.read()?)
}

fn from_pkcs12(path: &Path, bytes: &[u8], password: &str) -> Result<Parts, RegistryError> {
    debug_assert!(bytes.len() <= MAX_FILE, "the reader keeps the limit");
    let failed = |error: p12_keystore::error::Error| RegistryError::Pkcs12 { path: path.to_owned(), error };
    let store = KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Relaxed).map_err(failed)?;
    let mut keys = Vec::new();
    let mut certificates = Vec::new();
    for (_, entry) in store.entries() {
        match entry {
            KeyStoreEntry::PrivateKeyChain(chain) => {
                keys.push(Zeroizing::new(chain.key().as_der().to_vec()));
                certificates.extend(chain.certs().iter().map(|found| CertificateDer::from(found.as_der().to_vec())));
            }
            KeyStoreEntry::Certificate(found) => certificates.push(CertificateDer::from(found.as_der().to_vec())),
            KeyStoreEntry::Secret(_) => {}
        }
    }
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok(Parts { key, certificates }),
        (key, more) => {
            let error = CredentialError::Keys(more + usize::from(key.is_some()));
            Err(RegistryError::Certificates { path: path.to_owned(), error })
        }
    }
}
