//! The MLS credential: an X.509 chain, bound to the leaf by the identity key.

use conclave_identity::{Holder, MemberError, SignError};
use conclave_model::{LeafRef, MeetingId, Person};
use openmls::prelude::{Credential, LeafNode, OpenMlsCrypto, OpenMlsProvider};
use openmls_traits::types::HashType;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{Rules, rules::CREDENTIAL_TYPE, vault::Vault};

/// What the identity key signs is told apart from everything else that it signs by this.
const BINDING_LABEL: &[u8] = b"Conclave MLS leaf v1";

/// The longest credential that is parsed, in bytes: a chain of three has about 2 kB.
const MAX_CREDENTIAL: usize = 32 << 10;

/// The most certificates in a chain.
const MAX_CHAIN: usize = 6;

/// Why somebody may not become or be a member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewcomerError {
    /// No valid key package of our suite.
    #[error("the key package is malformed, of another suite or wrongly signed")]
    KeyPackage,
    /// The leaf has another name than the one it was announced by.
    #[error("the key package is not the one that was announced")]
    Reference,
    /// No credential of our kind.
    #[error("the MLS credential is malformed or of another kind")]
    Credential,
    /// The identity key did not sign this leaf for this meeting.
    #[error("the leaf is not bound to the certificate")]
    Binding,
    /// The certificate does not admit to the meeting.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// Their certificate is that of the member who was to add them: one of the two has to go, and another decides.
    #[error("the certificate is the committer's own")]
    Own,
    /// Two leaves with one certificate in the same change.
    #[error("the certificate has another leaf in the group")]
    Twice,
}

/// The content of the MLS credential, CBOR.
#[derive(Serialize, Deserialize)]
struct Content {
    /// DER certificates, the holder's first.
    chain: Vec<ByteBuf>,
    /// Signature by the holder's identity key over [`binding_message`].
    binding: ByteBuf,
}

/// The bytes that bind a leaf to an identity and a meeting.
fn binding_message(meeting: MeetingId, signature_key: &[u8]) -> Vec<u8> {
    [BINDING_LABEL, &meeting.0, signature_key].concat()
}

/// Makes the credential of one's own leaf.
pub(crate) fn make(holder: &Holder, meeting: MeetingId, signature_key: &[u8]) -> Result<Credential, SignError> {
    let binding = holder.signer().sign(&binding_message(meeting, signature_key))?;
    let content = Content {
        chain: holder.chain().iter().map(|certificate| ByteBuf::from(certificate.as_ref())).collect(),
        binding: ByteBuf::from(binding),
    };
    let mut bytes = Vec::new();
    #[expect(clippy::expect_used, reason = "byte strings into memory")]
    ciborium::into_writer(&content, &mut bytes).expect("a credential serializes into memory");
    Ok(Credential::new(CREDENTIAL_TYPE, bytes))
}

/// Checks that a leaf belongs to somebody who may be a member; the heart of invariant 3.
pub(crate) fn check(
    credential: &Credential,
    signature_key: &[u8],
    rules: &Rules,
    wall: u64,
) -> Result<Person, NewcomerError> {
    let bytes = credential.serialized_content();
    if credential.credential_type() != CREDENTIAL_TYPE || bytes.len() > MAX_CREDENTIAL {
        return Err(NewcomerError::Credential);
    }
    let mut rest = bytes;
    let content: Content = ciborium::de::from_reader_with_recursion_limit(&mut rest, 8)
        .map_err(|_: ciborium::de::Error<std::io::Error>| NewcomerError::Credential)?;
    if !rest.is_empty() || content.chain.len() > MAX_CHAIN {
        return Err(NewcomerError::Credential);
    }
    let chain: Vec<_> = content.chain.into_iter().map(|der| CertificateDer::from(der.into_vec())).collect();
    let holder = chain.first().ok_or(NewcomerError::Credential)?;
    let person = conclave_identity::check_member(
        &chain,
        &rules.invitation,
        &rules.root,
        &conclave_identity::Revocations::default(),
        rules.invitation.content().level,
        wall,
    )?;
    conclave_identity::verify_signature(holder, &binding_message(rules.meeting(), signature_key), &content.binding)
        .map_err(|_| NewcomerError::Binding)?;
    Ok(person)
}

/// [`check`] for a leaf node.
pub(crate) fn check_leaf(leaf: &LeafNode, rules: &Rules, wall: u64) -> Result<Person, NewcomerError> {
    check(leaf.credential(), leaf.signature_key().as_slice(), rules, wall)
}

/// The short name of a leaf with this signature key.
pub(crate) fn reference(vault: &Vault, signature_key: &[u8]) -> LeafRef {
    #[expect(clippy::expect_used, reason = "the provider has SHA-256")]
    let digest = vault.crypto().hash(HashType::Sha2_256, signature_key).expect("the provider knows SHA-256");
    let mut short = [0; 16];
    short.copy_from_slice(&digest.as_slice()[..16]);
    LeafRef(short)
}
