//! TLS between a client and its relay, both ends.
//!
//! Fixed by policy, not negotiated down: TLS 1.3, key agreement X25519MLKEM768 (hybrid post-quantum) and no other,
//! AES-256-GCM or ChaCha20-Poly1305, signatures by ECDSA P-384. Both ends show certificates under the same root. There is no
//! session resumption and no early data, so every connection proves the key anew.
//!
//! The client knows its relay by chain *and* by the pin of its key in the signed invitation. The host name is not
//! compared: the pin says more, and a relay on a LAN may change its address.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureAlgorithm, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs as provider, verify_tls13_signature},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use webpki::aws_lc_rs as algorithms;

use crate::{
    certificate::{self, ChainError, MAX_CERTIFICATE, Purpose},
    holder::{Holder, Sign},
};

/// The application protocol of signalling (RFC 7301).
pub const ALPN_SIGNAL: &[u8] = b"conclave-signal/1";

/// The key by which a relay is known: SHA-256 over its SubjectPublicKeyInfo.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RelayPin(pub [u8; 32]);

impl fmt::Debug for RelayPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayPin({})", hex::encode(&self.0[..4]))
    }
}

/// Why no TLS configuration could be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TlsError {
    /// rustls refuses the parts: a key of a wrong kind, or not that of the certificate.
    #[error("certificate and key cannot be used for TLS: {0}")]
    Rustls(#[from] rustls::Error),
    /// There is no usable trust anchor.
    #[error("there is no usable trust anchor")]
    Anchors,
    /// The relay's own certificate does not hold.
    #[error("the relay's certificate does not hold: {0}")]
    Chain(#[source] ChainError),
}

/// Why a client does not trust the relay that answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayTrustError {
    /// Its certificate does not hold.
    #[error("the relay's certificate does not hold: {0}")]
    Chain(#[source] ChainError),
    /// Its key is not the one that the invitation names.
    #[error("the relay shows another key than the invitation names: it is another relay, or somebody sits in between")]
    Pin,
}

impl RelayTrustError {
    /// The reason of distrust in a failed handshake, where that is why it failed.
    pub fn of(error: &rustls::Error) -> Option<&Self> {
        #[allow(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive")]
        match error {
            rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => other.0.downcast_ref(),
            _ => None,
        }
    }
}

/// The signatures that are accepted in certificates and handshakes.
static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[algorithms::ECDSA_P384_SHA384, algorithms::ECDSA_P521_SHA512, algorithms::RSA_PKCS1_3072_8192_SHA384],
    mapping: &[(SignatureScheme::ECDSA_NISTP384_SHA384, &[algorithms::ECDSA_P384_SHA384])],
};

/// What both ends speak.
fn crypto() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            provider::cipher_suite::TLS13_AES_256_GCM_SHA384,
            provider::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![provider::kx_group::X25519MLKEM768],
        signature_verification_algorithms: ALGORITHMS,
        ..provider::default_provider()
    })
}

/// The client's end: proves `holder`, and accepts only the relay with the key of `relay` and a certificate for relays
/// under the holder's root.
///
/// A refused relay ends the handshake with an error in which [`RelayTrustError::of`] finds why.
///
/// # Errors
/// [`TlsError::Rustls`].
pub fn client_config(holder: &Holder, relay: &RelayPin) -> Result<ClientConfig, TlsError> {
    let verifier = PinnedRelay { root: holder.root().clone(), pin: *relay };
    let key = CertifiedKey::new(holder.chain().to_vec(), Arc::new(IdentityKey(holder.signer().clone())));
    let mut config = ClientConfig::builder_with_provider(crypto())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![ALPN_SIGNAL.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The relay's end: shows `chain` (the relay's certificate, then issuing CAs), and accepts only clients whose
/// certificate for people leads to one of `roots`.
///
/// Whether the client is invited is for the caller: the fingerprint of the first peer certificate is its name.
///
/// # Errors
/// [`TlsError::Rustls`] where the key is unusable or not that of the certificate, [`TlsError::Anchors`].
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: &[CertificateDer<'static>],
) -> Result<ServerConfig, TlsError> {
    let mut anchors = RootCertStore::empty();
    for root in roots {
        anchors.add(root.clone()).map_err(|_| TlsError::Anchors)?;
    }
    let crypto = crypto();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(anchors), crypto.clone())
        .build()
        .map_err(|_| TlsError::Anchors)?;
    let key = CertifiedKey::from_der(chain, key, &crypto)?;
    let mut config = ServerConfig::builder_with_provider(crypto)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![ALPN_SIGNAL.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Accepts one relay.
#[derive(Debug)]
struct PinnedRelay {
    root: CertificateDer<'static>,
    pin: RelayPin,
}

impl PinnedRelay {
    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), RelayTrustError> {
        let chain: Vec<CertificateDer<'_>> = std::iter::once(leaf).chain(rest).cloned().collect();
        certificate::verify_chain(&chain, &self.root, now.as_secs(), Purpose::Relay).map_err(RelayTrustError::Chain)?;
        let pin = certificate::key_pin(leaf).map_err(|_| RelayTrustError::Chain(ChainError::Malformed))?;
        if pin == self.pin.0 { Ok(()) } else { Err(RelayTrustError::Pin) }
    }
}

impl ServerCertVerifier for PinnedRelay {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.check(end_entity, intermediates, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(error) => Err(rustls::CertificateError::Other(rustls::OtherError(Arc::new(error))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if cert.len() > MAX_CERTIFICATE {
            return Err(rustls::CertificateError::BadEncoding.into());
        }
        verify_tls13_signature(message, cert, dss, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}

/// An identity key as rustls wants it.
#[derive(Debug)]
struct IdentityKey(Arc<dyn Sign>);

impl SigningKey for IdentityKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP384_SHA384)
            .then(|| Box::new(Self(self.0.clone())) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for IdentityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.0.sign(message).map_err(|error| rustls::Error::Other(rustls::OtherError(Arc::new(error))))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP384_SHA384
    }
}

#[cfg(test)]
mod tests;
