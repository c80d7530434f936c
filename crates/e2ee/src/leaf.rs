//! One participant's own keys, before membership.

use std::sync::Arc;

use bytes::Bytes;
use conclave_identity::{Holder, SignError};
use conclave_model::LeafRef;
use openmls::prelude::{
    CredentialWithKey, KeyPackage, MlsGroup, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, StagedWelcome,
    tls_codec::DeserializeBytes,
};
use openmls_basic_credential::SignatureKeyPair;

use crate::{
    Group, MAX_MEMBERS, NewcomerError, Rules, credential,
    group::{Member, member_of},
    rules::{CIPHERSUITE, capabilities, join_config, lifetime},
    vault::Vault,
};

/// Why there is no leaf, or no group made of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// The identity key did not sign.
    #[error("the identity key cannot sign")]
    Sign(#[from] SignError),
    /// One's own credential does not admit to the meeting.
    #[error("one's own credential is refused: {0}")]
    Myself(#[from] NewcomerError),
    /// The cryptographic library failed, which it does not with what it is given here.
    #[error("the MLS library failed")]
    Library,
}

/// Why a welcome does not make a member. The leaf is spent: a new session begins with a new one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// No MLS welcome for this leaf.
    #[error("not a welcome for this leaf")]
    Malformed,
    /// Another suite, meeting or level than the invitation says, or unknown extensions.
    #[error("the group is not that of the invitation")]
    OtherGroup,
    /// More than [`MAX_MEMBERS`].
    #[error("the group has too many members")]
    TooLarge,
    /// A member fails the checks; a group with such a member is not entered.
    #[error("a member of the group (leaf {leaf}) is refused: {error}")]
    Member {
        /// The position in the tree.
        leaf: u32,
        /// Why.
        error: NewcomerError,
    },
    /// The cryptographic library failed.
    #[error("the MLS library failed")]
    Library,
}

/// A participant's own keys for one join: fresh ones each time, used once.
pub struct Leaf {
    rules: Arc<Rules>,
    vault: Vault,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
    reference: LeafRef,
    key_package: Bytes,
}

impl Leaf {
    /// Makes keys and a key package, bound to the holder's certificate by one signature of the identity key.
    ///
    /// # Errors
    /// [`LeafError::Sign`] where the identity key (a smart card, perhaps) does not sign.
    pub fn new(holder: &Holder, rules: Arc<Rules>) -> Result<Self, LeafError> {
        let vault = Vault::default();
        let signer = SignatureKeyPair::new(CIPHERSUITE.signature_algorithm()).map_err(|_| LeafError::Library)?;
        let credential = CredentialWithKey {
            credential: credential::make(holder, rules.meeting(), signer.public())?,
            signature_key: signer.public().into(),
        };
        let bundle = KeyPackage::builder()
            .leaf_node_capabilities(capabilities())
            .key_package_lifetime(lifetime())
            .build(CIPHERSUITE, &vault, &signer, credential.clone())
            .map_err(|_| LeafError::Library)?;
        let message = MlsMessageOut::from(bundle.key_package().clone());
        let key_package = message.to_bytes().map_err(|_| LeafError::Library)?.into();
        let reference = credential::reference(&vault, signer.public());
        Ok(Self { rules, vault, signer, credential, reference, key_package })
    }

    /// The leaf's short name.
    pub fn reference(&self) -> LeafRef {
        self.reference
    }

    /// The MLS key package, to be sent to the members by way of the relay. About 5 kB.
    pub fn key_package(&self) -> Bytes {
        self.key_package.clone()
    }

    /// Makes the group, with this leaf as its only member. `wall` in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`LeafError::Myself`] where one's own credential does not admit to the meeting.
    pub fn create(self, wall: u64) -> Result<Group, LeafError> {
        let Self { rules, vault, signer, credential, .. } = self;
        credential::check(&credential.credential, signer.public(), &rules, wall)?;
        let mls = MlsGroup::builder()
            .with_group_id(rules.group_id())
            .ciphersuite(CIPHERSUITE)
            .with_group_context_extensions(rules.extensions())
            .with_capabilities(capabilities())
            .lifetime(lifetime())
            .with_wire_format_policy(join_config().wire_format_policy())
            .max_past_epochs(crate::rules::PAST_EPOCHS)
            .padding_size(join_config().padding_size())
            .use_ratchet_tree_extension(true)
            .build(&vault, &signer, credential)
            .map_err(|_| LeafError::Library)?;
        let members = checked_members(mls.members(), &vault, &rules, wall).map_err(|error| match error {
            JoinError::Member { error, .. } => LeafError::Myself(error),
            JoinError::Malformed | JoinError::OtherGroup | JoinError::TooLarge | JoinError::Library => {
                LeafError::Library
            }
        })?;
        Group::new(rules, vault, signer, mls, members).map_err(|_| LeafError::Library)
    }

    /// Enters the group that a welcome leads to, after checking meeting, level and every member. `wall` in seconds
    /// since 1970-01-01 UTC.
    ///
    /// # Errors
    /// A [`JoinError`]; the leaf is lost then.
    pub fn join(self, welcome: &[u8], wall: u64) -> Result<Group, JoinError> {
        let Self { rules, vault, signer, .. } = self;
        let message = MlsMessageIn::tls_deserialize_exact_bytes(welcome).map_err(|_| JoinError::Malformed)?;
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else { return Err(JoinError::Malformed) };
        if welcome.ciphersuite() != CIPHERSUITE {
            return Err(JoinError::OtherGroup);
        }
        if welcome.secrets().len() > MAX_MEMBERS {
            return Err(JoinError::TooLarge);
        }
        let staged = StagedWelcome::build_from_welcome(&vault, &join_config(), welcome)
            .map_err(|_| JoinError::Malformed)?
            .skip_lifetime_validation()
            .build()
            .map_err(|_| JoinError::Malformed)?;
        let context = staged.group_context();
        if context.ciphersuite() != CIPHERSUITE
            || *context.group_id() != rules.group_id()
            || *context.extensions() != rules.extensions()
        {
            return Err(JoinError::OtherGroup);
        }
        let members = checked_members(staged.members(), &vault, &rules, wall)?;
        let mls = staged.into_group(&vault).map_err(|_| JoinError::Library)?;
        Group::new(rules, vault, signer, mls, members).map_err(|_| JoinError::Library)
    }
}

#[cfg(test)]
impl Leaf {
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(crate) fn signer(&self) -> &SignatureKeyPair {
        &self.signer
    }

    pub(crate) fn credential(&self) -> &openmls::prelude::Credential {
        &self.credential.credential
    }
}

/// Checks every leaf of a group, and that no certificate has two.
fn checked_members(
    leaves: impl Iterator<Item = openmls::prelude::Member>,
    vault: &Vault,
    rules: &Rules,
    wall: u64,
) -> Result<Vec<Member>, JoinError> {
    let mut members: Vec<Member> = Vec::new();
    for leaf in leaves {
        if members.len() >= MAX_MEMBERS {
            return Err(JoinError::TooLarge);
        }
        let refused = |error| JoinError::Member { leaf: leaf.index.u32(), error };
        let person = credential::check(&leaf.credential, &leaf.signature_key, rules, wall).map_err(refused)?;
        if members.iter().any(|other| other.person.fingerprint == person.fingerprint) {
            return Err(refused(NewcomerError::Twice));
        }
        members.push(member_of(&leaf, vault, person));
    }
    Ok(members)
}

/// Shows the name, never keys.
impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaf").field("reference", &self.reference).finish_non_exhaustive()
    }
}
