//! The MLS credential: an X.509 chain, bound to the leaf by the identity key.

use conclave_identity::{Holder, MemberError, SignError};
use conclave_model::{LeafRef, Level, MeetingId, Person};
use openmls::prelude::{Credential, LeafNode, OpenMlsCrypto, OpenMlsProvider};
use openmls_traits::types::HashType;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    Rules,
    media_key::PUBLIC,
    rules::CREDENTIAL_TYPE,
    state::{from_cbor, to_cbor},
    vault::Vault,
};

/// What the identity key signs is told apart from everything else that it signs by this.
const BINDING_LABEL: &[u8] = b"Conclave MLS leaf v2";

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
    /// They were put out of the meeting for good.
    #[error("they were ejected from the meeting")]
    Ejected,
    /// The meeting is locked, and they were not admitted before.
    #[error("the meeting is locked")]
    Locked,
    /// The meeting has a lobby, and only the chair may let them in.
    #[error("only the chair may admit them")]
    NotAdmitted,
}

/// Somebody who may not be a member, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Their leaf, as it was announced.
    pub reference: LeafRef,
    /// Who they are; `None` where no certificate holds, or the leaf is not bound to it.
    pub person: Option<Person>,
    /// Why they may not.
    pub error: NewcomerError,
}

/// The content of the MLS credential, CBOR.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// DER certificates, the holder's first.
    chain: Vec<ByteBuf>,
    /// The Ed25519 key by which the leaf signs media and signs of life.
    #[serde(with = "serde_bytes")]
    media: [u8; PUBLIC],
    /// Signature by the holder's identity key over [`binding_message`].
    binding: ByteBuf,
}

/// Whose a leaf is, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) person: Person,
    /// The public part of the leaf's media key.
    pub(crate) media: [u8; PUBLIC],
}

/// Why a leaf's credential is refused, and whose it is where that is proven.
pub(crate) type CheckError = (Option<Box<Person>>, NewcomerError);

/// The bytes that bind a leaf to an identity and a meeting. All but the leaf's key have a fixed length.
fn binding_message(meeting: MeetingId, media: &[u8; PUBLIC], signature_key: &[u8]) -> Vec<u8> {
    [BINDING_LABEL, &meeting.0, media, signature_key].concat()
}

/// Makes the credential of one's own leaf.
pub(crate) fn make(
    holder: &Holder,
    meeting: MeetingId,
    media: [u8; PUBLIC],
    signature_key: &[u8],
) -> Result<Credential, SignError> {
    let binding = holder.signer().sign(&binding_message(meeting, &media, signature_key))?;
    let content = Content {
        chain: holder.chain().iter().map(|certificate| ByteBuf::from(certificate.as_ref())).collect(),
        media,
        binding: ByteBuf::from(binding),
    };
    Ok(Credential::new(CREDENTIAL_TYPE, to_cbor(&content)))
}

/// Checks that a leaf belongs to somebody who may be a member at `level`; the heart of invariant 3.
pub(crate) fn check(
    credential: &Credential,
    signature_key: &[u8],
    rules: &Rules,
    level: Level,
    wall: u64,
) -> Result<Bearer, CheckError> {
    let bytes = credential.serialized_content();
    if credential.credential_type() != CREDENTIAL_TYPE {
        return Err((None, NewcomerError::Credential));
    }
    let content: Content = from_cbor(bytes, MAX_CREDENTIAL).ok_or((None, NewcomerError::Credential))?;
    let Content { chain, media, binding } = content;
    if chain.len() > MAX_CHAIN {
        return Err((None, NewcomerError::Credential));
    }
    let chain: Vec<_> = chain.into_iter().map(|der| CertificateDer::from(der.into_vec())).collect();
    let holder = chain.first().ok_or((None, NewcomerError::Credential))?;
    let checked = check_chain(&chain, rules, level, wall);
    if matches!(checked, Err(MemberError::Chain(_) | MemberError::Profile(_))) {
        return Err((None, checked.map_or_else(NewcomerError::from, |_: Person| NewcomerError::Credential)));
    }
    conclave_identity::verify_signature(holder, &binding_message(rules.meeting(), &media, signature_key), &binding)
        .map_err(|_| (None, NewcomerError::Binding))?;
    match checked {
        Ok(person) => Ok(Bearer { person, media }),
        Err(error) => Err((conclave_identity::read_person(holder).ok().map(Box::new), error.into())),
    }
}

/// Checks that a chain admits to the meeting at `level`.
pub(crate) fn check_chain(
    chain: &[CertificateDer<'_>],
    rules: &Rules,
    level: Level,
    wall: u64,
) -> Result<Person, MemberError> {
    conclave_identity::check_member(chain, &rules.invitation, &rules.root, &rules.revocations, level, wall)
}

/// [`check`] for a leaf node.
pub(crate) fn check_leaf(leaf: &LeafNode, rules: &Rules, level: Level, wall: u64) -> Result<Bearer, CheckError> {
    if leaf.extensions().iter().next().is_some() {
        return Err((None, NewcomerError::KeyPackage));
    }
    check(leaf.credential(), leaf.signature_key().as_slice(), rules, level, wall)
}

/// The short name of a leaf with this signature key.
pub(crate) fn reference(vault: &Vault, signature_key: &[u8]) -> LeafRef {
    #[expect(clippy::expect_used, reason = "the provider has SHA-256")]
    let digest = vault.crypto().hash(HashType::Sha2_256, signature_key).expect("the provider knows SHA-256");
    let mut short = [0; 16];
    short.copy_from_slice(&digest.as_slice()[..16]);
    LeafRef(short)
}
