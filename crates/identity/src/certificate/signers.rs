//! Which authorities may sign revocation lists.

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use webpki::EndEntityCert;

use super::{CHAIN_ALGORITHMS, MAX_CHAIN, parse};

/// An authority that may sign revocation lists.
pub(crate) struct ListSigner<'a> {
    certificate: &'a CertificateDer<'a>,
    /// Its name, DER.
    pub(crate) name: Vec<u8>,
    /// SHA-256 over its public key.
    pub(crate) key: [u8; 32],
    /// How many authorities may follow below it.
    below: u32,
}

impl ListSigner<'_> {
    /// Whether it signed `message`, with any algorithm that authorities may use.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(entity) = EndEntityCert::try_from(self.certificate) else {
            return false;
        };
        CHAIN_ALGORITHMS.iter().any(|algorithm| entity.verify_signature(*algorithm, message, signature).is_ok())
    }
}

/// Whether `issuer` signed `certificate`, by name and key.
pub(crate) fn is_signed_by(certificate: &CertificateDer<'_>, issuer: &CertificateDer<'_>) -> bool {
    let (Ok(parsed), Some(signer)) = (parse(certificate), list_signer(issuer, u32::MAX)) else {
        return false;
    };
    signer.name == parsed.issuer().as_raw()
        && signer.signed(parsed.tbs_certificate.as_ref(), &parsed.signature_value.data)
}

/// The root, and those of `candidates` that are CAs under it, within its path lengths, and may sign revocation lists.
/// Times are not looked at: a list outlives the authority.
pub(crate) fn list_signers<'a>(
    candidates: &'a [CertificateDer<'_>],
    root: &'a CertificateDer<'_>,
) -> Vec<ListSigner<'a>> {
    let mut signers: Vec<ListSigner<'a>> = list_signer(root, u32::MAX).into_iter().collect();
    let mut rest: Vec<&'a CertificateDer<'_>> = candidates.iter().take(MAX_CHAIN).collect();
    // In whatever order they come, each round finds at least one, or there is none left.
    loop {
        let before = signers.len();
        rest.retain(|candidate| {
            let Some(below) = parent_allows(candidate, &signers) else { return true };
            signers.extend(list_signer(candidate, below));
            false
        });
        if signers.len() == before {
            return signers;
        }
    }
}

/// How many authorities may follow below `candidate`, as far as the one that signed it says; `None` where none did.
fn parent_allows(candidate: &CertificateDer<'_>, signers: &[ListSigner<'_>]) -> Option<u32> {
    let parsed = parse(candidate).ok()?;
    let parent = signers.iter().find(|signer| {
        signer.name == parsed.issuer().as_raw()
            && signer.signed(parsed.tbs_certificate.as_ref(), &parsed.signature_value.data)
    })?;
    parent.below.checked_sub(1)
}

fn list_signer<'a>(certificate: &'a CertificateDer<'_>, below: u32) -> Option<ListSigner<'a>> {
    let parsed = parse(certificate).ok()?;
    let constraints = parsed.basic_constraints().ok()??.value;
    let may_sign = parsed.key_usage().ok()?.is_none_or(|usage| usage.value.crl_sign());
    (constraints.ca && may_sign).then(|| ListSigner {
        certificate,
        name: parsed.subject().as_raw().to_vec(),
        key: Sha256::digest(parsed.public_key().raw).into(),
        below: constraints.path_len_constraint.map_or(below, |limit| limit.min(below)),
    })
}
