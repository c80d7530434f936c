//! One participant's own keys, before membership.

use std::sync::Arc;

use bytes::Bytes;
use conclave_identity::{Holder, SignError};
use conclave_model::{LeafIndex, LeafRef, Level};
use openmls::prelude::{
    CredentialWithKey, KeyPackage, MlsGroup, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, StagedWelcome,
    tls_codec::DeserializeBytes,
};
use openmls_basic_credential::SignatureKeyPair;

use crate::{
    Group, MAX_MEMBERS, NewcomerError, Rules, State,
    credential::{self, Bearer},
    governance,
    group::{Keys, Roster, member_of},
    media_key::MediaKey,
    rules::{CIPHERSUITE, capabilities, extensions, join_config, lifetime, state_of},
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
    /// One's own part does not allow to open the meeting: somebody of the succession has to.
    #[error("only the chair or a deputy named in the invitation may open the meeting")]
    MayNotOpen,
    /// The level is higher than the relay may carry, or than this app's policy allows.
    #[error("the meeting is at {found}, above {ceiling}, the most that is allowed here")]
    LevelAbove {
        /// The meeting's level.
        found: Level,
        /// The highest that is allowed.
        ceiling: Level,
    },
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
    /// Another suite or meeting than the invitation says, or a state that no rules lead to.
    #[error("the group is not that of the invitation")]
    OtherGroup,
    /// More than [`MAX_MEMBERS`].
    #[error("the group has too many members")]
    TooLarge,
    /// The group's level is lower than the invitation's, or than it was when this app was last in it, and the
    /// originator did not agree to that.
    #[error("the meeting is at {found}, below {floor}, and the originator has not agreed to that")]
    LevelBelow {
        /// The group's level.
        found: Level,
        /// The lowest that is entered.
        floor: Level,
    },
    /// The group's level is higher than the relay may carry, or than this app's policy allows.
    #[error("the meeting is at {found}, above {ceiling}, the most that is allowed here")]
    LevelAbove {
        /// The group's level.
        found: Level,
        /// The highest that is entered.
        ceiling: Level,
    },
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
    media: MediaKey,
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
        let media = MediaKey::generate().ok_or(LeafError::Library)?;
        let credential = CredentialWithKey {
            credential: credential::make(holder, rules.meeting(), media.public(), signer.public())?,
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
        Ok(Self { rules, vault, signer, media, credential, reference, key_package })
    }

    /// The leaf's short name.
    pub fn reference(&self) -> LeafRef {
        self.reference
    }

    /// The MLS key package, to be sent to the members by way of the relay. About 5 kB.
    pub fn key_package(&self) -> Bytes {
        self.key_package.clone()
    }

    /// Replaces the rules by those of the same meeting that are known now, as when the relay has brought newer
    /// revocations or its certified maximum.
    pub fn set_rules(&mut self, rules: Arc<Rules>) {
        debug_assert_eq!(rules.meeting(), self.rules.meeting(), "rules of another meeting");
        self.rules = rules;
    }

    /// Makes the group, with this leaf as its only member, in the state that this app remembers or else that of the
    /// invitation. `wall` in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`LeafError::Myself`] where one's own credential does not admit to the meeting or one was ejected,
    /// [`LeafError::MayNotOpen`], [`LeafError::LevelAbove`]. The leaf is lost then: [`Self::may_open`] says so before.
    pub fn create(self, wall: u64) -> Result<Group, LeafError> {
        let (state, bearer) = self.opening(wall)?;
        let Self { rules, vault, signer, media, credential, .. } = self;
        let mls = MlsGroup::builder()
            .with_group_id(rules.group_id())
            .ciphersuite(CIPHERSUITE)
            .with_group_context_extensions(extensions(&state))
            .with_capabilities(capabilities())
            .lifetime(lifetime())
            .with_wire_format_policy(join_config().wire_format_policy())
            .max_past_epochs(crate::rules::PAST_EPOCHS)
            .padding_size(join_config().padding_size())
            .use_ratchet_tree_extension(true)
            .build(&vault, &signer, credential)
            .map_err(|_| LeafError::Library)?;
        let mut roster = Roster::default();
        for leaf in mls.members() {
            roster.push(member_of(&leaf, &vault, bearer.person.clone()), bearer.media);
        }
        let me = LeafIndex(mls.own_leaf_index().u32());
        Group::new(rules, Keys { vault, signer, media }, mls, roster, state, me).map_err(|_| LeafError::Library)
    }

    /// Whether [`Self::create`] would make a group.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn may_open(&self, wall: u64) -> Result<(), LeafError> {
        self.opening(wall).map(|_| ())
    }

    /// The state in which this leaf would open the meeting.
    fn opening(&self, wall: u64) -> Result<(State, Bearer), LeafError> {
        let rules = &self.rules;
        let check = |level| {
            let (credential, key) = (&self.credential.credential, self.signer.public());
            credential::check(credential, key, rules, level, wall).map_err(|(_, error)| LeafError::Myself(error))
        };
        let first = check(Level::Unclassified)?;
        let state =
            governance::opened_by(&rules.invitation, rules.memory.as_ref(), &first.person).map_err(|error| {
                if error == NewcomerError::NotAdmitted { LeafError::MayNotOpen } else { LeafError::Myself(error) }
            })?;
        if state.level > rules.ceiling {
            return Err(LeafError::LevelAbove { found: state.level, ceiling: rules.ceiling });
        }
        let bearer = check(state.level)?;
        Ok((state, bearer))
    }

    /// Enters the group that a welcome leads to, after checking its state and every member. `wall` in seconds since
    /// 1970-01-01 UTC.
    ///
    /// The level is the group's; it is not below what the invitation says, or what this app remembers, unless the
    /// originator has agreed to that.
    ///
    /// # Errors
    /// A [`JoinError`]; the leaf is lost then.
    pub fn join(self, welcome: &[u8], wall: u64) -> Result<Group, JoinError> {
        let Self { rules, vault, signer, media, .. } = self;
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
        if context.ciphersuite() != CIPHERSUITE || *context.group_id() != rules.group_id() {
            return Err(JoinError::OtherGroup);
        }
        let state = state_of(context.extensions()).ok_or(JoinError::OtherGroup)?;
        check_state(&state, &rules, wall)?;
        let roster = checked_members(staged.members(), &vault, &rules, &state, wall)?;
        let made_by = LeafIndex(staged.welcome_sender_index().u32());
        let mls = staged.into_group(&vault).map_err(|_| JoinError::Library)?;
        Group::new(rules, Keys { vault, signer, media }, mls, roster, state, made_by).map_err(|_| JoinError::Library)
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

/// Checks what a group that is to be entered has agreed on.
fn check_state(state: &State, rules: &Rules, wall: u64) -> Result<(), JoinError> {
    let is_untouched = state.level_changes == 0;
    if state.meeting != rules.meeting() || (is_untouched && state.level > rules.invitation.content().level) {
        return Err(JoinError::OtherGroup);
    }
    if state.level > rules.ceiling {
        return Err(JoinError::LevelAbove { found: state.level, ceiling: rules.ceiling });
    }
    let check = |consent: &crate::Consent| consent.check_signature(rules, state, wall);
    let floor = governance::floor(&rules.invitation, rules.memory.as_ref(), state, check);
    if state.level < floor { Err(JoinError::LevelBelow { found: state.level, floor }) } else { Ok(()) }
}

/// Checks every leaf of a group, that no certificate has two, and that all were let in by the rules.
fn checked_members(
    leaves: impl Iterator<Item = openmls::prelude::Member>,
    vault: &Vault,
    rules: &Rules,
    state: &State,
    wall: u64,
) -> Result<Roster, JoinError> {
    let mut roster = Roster::default();
    let remembered = governance::remembered(&rules.invitation, rules.memory.as_ref());
    for leaf in leaves {
        if roster.members().len() >= MAX_MEMBERS {
            return Err(JoinError::TooLarge);
        }
        let refused = |error| JoinError::Member { leaf: leaf.index.u32(), error };
        let bearer = credential::check(&leaf.credential, &leaf.signature_key, rules, state.level, wall)
            .map_err(|(_, error)| refused(error))?;
        let name = governance::fingerprint(&bearer.person);
        if state.ejected.contains(&name) || remembered.is_some_and(|last| last.ejected.contains(&name)) {
            return Err(refused(NewcomerError::Ejected));
        }
        if !state.admitted.contains(&name) {
            return Err(refused(NewcomerError::NotAdmitted));
        }
        if roster.members().iter().any(|other| other.person.fingerprint == bearer.person.fingerprint) {
            return Err(refused(NewcomerError::Twice));
        }
        roster.push(member_of(&leaf, vault, bearer.person), bearer.media);
    }
    Ok(roster)
}

/// Shows the name, never keys.
impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaf").field("reference", &self.reference).finish_non_exhaustive()
    }
}
