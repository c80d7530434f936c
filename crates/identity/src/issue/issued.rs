//! What an authority has issued.

use std::fmt;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::{
    credential::{self, ProtectError},
    holder::{Holder, Pkcs8},
    tls::{self, RelayPin, TlsError},
};

/// A fresh credential, unlocked.
#[derive(Clone)]
pub struct IssuedCredential {
    pub(super) holder: Holder,
    pub(super) key: Pkcs8,
}

impl IssuedCredential {
    pub(crate) fn of(holder: Holder, key: Pkcs8) -> Self {
        Self { holder, key }
    }

    /// The credential, ready for use.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The person's certificate: what whoever writes the invitation needs.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.holder.chain()[0]
    }

    /// The PKCS#8 key.
    #[cfg(test)]
    pub(crate) fn key_for_tests(&self) -> Pkcs8 {
        self.key.clone()
    }

    /// The credential file, key encrypted with `password`. About 200 ms.
    ///
    /// # Errors
    /// [`ProtectError::ShortPassword`], [`ProtectError::Encrypt`].
    pub fn to_pem(&self, password: &str) -> Result<String, ProtectError> {
        credential::to_file(&self.key, self.holder.chain(), self.holder.root(), password)
    }
}

/// Shows no key.
impl fmt::Debug for IssuedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuedCredential({:?})", self.holder)
    }
}

/// A relay's certificate and key.
#[derive(Clone)]
pub struct RelayIdentity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) root: CertificateDer<'static>,
    pub(super) key: Pkcs8,
    pub(super) pin: RelayPin,
}

impl RelayIdentity {
    /// The relay's certificate, then the issuing CA's.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The root under which the relay and its clients are.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The private key.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.to_vec()))
    }

    /// The pin for invitations.
    pub fn pin(&self) -> RelayPin {
        self.pin
    }

    /// The chain as a PEM file, without the root.
    pub fn certificate_pem(&self) -> String {
        self.chain.iter().map(credential::certificate_to_pem).collect()
    }

    /// The key as a PEM file, not encrypted: a service starts without anybody typing a password. Write it with
    /// [`credential::write_private`].
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(credential::to_pem("PRIVATE KEY", self.key.to_vec()))
    }

    /// See [`tls::server_config`].
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn server_config(&self) -> Result<rustls::ServerConfig, TlsError> {
        tls::server_config(self.chain.clone(), self.private_key(), std::slice::from_ref(&self.root))
    }
}

/// Shows no key.
impl fmt::Debug for RelayIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayIdentity({:?})", self.pin)
    }
}
