//! The group as one member has it.

use std::sync::Arc;

use bytes::Bytes;
use conclave_model::{Epoch, LeafIndex, LeafRef, Person, wire::FrameHead};
use openmls::prelude::{KeyPackage, LeafNodeIndex, MlsGroup, OpenMlsProvider, ProcessedMessageContent, Sender};
use openmls_basic_credential::SignatureKeyPair;

use crate::{MAX_MEMBERS, NewcomerError, OpenError, Rules, SealError, credential, frames::FrameKeys, vault::Vault};

mod intake;
#[cfg(test)]
mod tests;

/// One leaf of the group, and whose it is by their certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The position in the tree; a leaf that has gone may make room for another.
    pub leaf: LeafIndex,
    /// The name of the leaf; never used twice.
    pub reference: LeafRef,
    /// Who it is.
    pub person: Person,
}

/// A commit that the relay has yet to put in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingCommit {
    /// The epoch that it ends.
    pub epoch: Epoch,
    /// An MLS message for every member.
    pub commit: Bytes,
    /// The MLS welcome for those in `added`.
    pub welcome: Option<Bytes>,
    /// Who becomes a member.
    pub added: Vec<LeafRef>,
}

/// What a commit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The epoch that the group is in now.
    pub epoch: Epoch,
    /// Who came.
    pub added: Vec<Member>,
    /// Who went.
    pub removed: Vec<Member>,
    /// Whether this client went: it has no keys any more.
    pub me_removed: bool,
}

/// Why an honest member does not follow a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It adds somebody who may not be a member.
    #[error("it adds {reference}, who is refused: {error}")]
    Newcomer {
        /// Whom.
        reference: LeafRef,
        /// Why.
        error: NewcomerError,
    },
    /// It changes more than who is a member: the group's context, a key from outside, another group.
    #[error("it contains a proposal that is not allowed")]
    Proposal,
    /// It gives the committer another identity.
    #[error("it changes the committer's identity")]
    Committer,
    /// It comes from outside the group.
    #[error("it comes from outside the group")]
    Outsider,
    /// More than [`MAX_MEMBERS`].
    #[error("it makes the group too large")]
    TooLarge,
}

/// Why a commit is not made or not followed. The group stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Our misuse: one's own commit still waits for the relay.
    #[error("a commit is pending already")]
    Pending,
    /// Our misuse: there is no commit to accept.
    #[error("no commit is pending")]
    NonePending,
    /// It does not follow the epoch that the group is in.
    #[error("a commit for epoch {found} in epoch {expected}")]
    Epoch {
        /// Which one it is.
        expected: Epoch,
        /// Which one it ends.
        found: Epoch,
    },
    /// No valid MLS commit of a member.
    #[error("not a valid commit of this group")]
    Malformed,
    /// A valid commit that breaks the rules: its author is at fault.
    #[error("the commit of leaf {} is rejected: {reason}", committer.0)]
    Rejected {
        /// Who made it; authenticated.
        committer: LeafIndex,
        /// Why.
        reason: Rejection,
    },
    /// The client has been removed.
    #[error("no longer a member")]
    NoMember,
    /// The cryptographic library failed; the group cannot be used on.
    #[error("the MLS library failed")]
    Library,
}

/// Why a message is not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// No valid application message of this group, or of an epoch too far back; a replay, too.
    #[error("not a valid message of this group")]
    Malformed,
    /// Its sender has been removed since.
    #[error("the message is of somebody who is no member any more")]
    SenderGone,
    /// The client has been removed.
    #[error("no longer a member")]
    NoMember,
    /// The cryptographic library failed.
    #[error("the MLS library failed")]
    Library,
}

/// The MLS group and the frame keys that come of it, as one member has them.
///
/// Commits come in the one order that the relay gives: [`Self::handle_commit`] for each, one's own included. Between
/// [`Self::commit`] and the relay's answer one commit is pending.
pub struct Group {
    rules: Arc<Rules>,
    vault: Vault,
    signer: SignatureKeyPair,
    mls: MlsGroup,
    members: Vec<Member>,
    frames: FrameKeys,
    pending: Option<Pending>,
}

/// One's own commit on its way.
struct Pending {
    commit: Bytes,
    /// Those whom it adds, checked.
    newcomers: Vec<(LeafRef, Person)>,
}

impl Group {
    /// A group that has been created or joined, its members checked.
    pub(crate) fn new(
        rules: Arc<Rules>,
        vault: Vault,
        signer: SignatureKeyPair,
        mls: MlsGroup,
        mut members: Vec<Member>,
    ) -> Result<Self, CommitError> {
        members.sort_by_key(|member| member.leaf);
        let me = LeafIndex(mls.own_leaf_index().u32());
        let leaves = members.iter().map(|member| member.leaf);
        let frames = FrameKeys::new(rules.context(), me, leaves, &mls, &vault).map_err(|_| CommitError::Library)?;
        Ok(Self { rules, vault, signer, mls, members, frames, pending: None })
    }

    /// The epoch that the group is in.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.mls.epoch().as_u64())
    }

    /// One's own position in the tree.
    pub fn me(&self) -> LeafIndex {
        LeafIndex(self.mls.own_leaf_index().u32())
    }

    /// Everybody in the group, oneself included, by leaf. Empty once the client has been removed.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A value that all members of the epoch share and nobody else can make (RFC 9420 section 8.7).
    pub fn epoch_authenticator(&self) -> Vec<u8> {
        self.mls.epoch_authenticator().as_slice().to_vec()
    }

    /// Whether one's own commit waits for the relay.
    pub fn has_pending_commit(&self) -> bool {
        self.pending.is_some()
    }

    /// Makes a commit that adds those in `add` who pass the checks and removes those in `remove`.
    ///
    /// Each newcomer is its name and key package. A newcomer whose certificate has a leaf already replaces it. Leaves
    /// that are not there any more need no removing, and nobody removes themselves. Returns no commit where nothing is
    /// left to do, and who was refused and why. `wall` in seconds since 1970-01-01 UTC. About 15 ms and 55 kB for a
    /// fresh tree of 27.
    ///
    /// # Errors
    /// [`CommitError::Pending`], [`CommitError::NoMember`] or [`CommitError::Library`].
    #[expect(clippy::type_complexity, reason = "a commit, and who is not in it")]
    pub fn commit(
        &mut self,
        add: &[(LeafRef, Bytes)],
        remove: &[LeafRef],
        wall: u64,
    ) -> Result<(Option<PendingCommit>, Vec<(LeafRef, NewcomerError)>), CommitError> {
        if self.pending.is_some() {
            return Err(CommitError::Pending);
        }
        if !self.mls.is_active() {
            return Err(CommitError::NoMember);
        }
        let (newcomers, refused) = self.sort_newcomers(add, wall);
        let removed: Vec<LeafNodeIndex> = self
            .members
            .iter()
            .filter(|member| member.leaf != self.me())
            .filter(|member| remove.contains(&member.reference) || newcomers.iter().any(|new| new.replaces(member)))
            .map(|member| LeafNodeIndex::new(member.leaf.0))
            .collect();
        if newcomers.is_empty() && removed.is_empty() {
            return Ok((None, refused));
        }
        let epoch = self.epoch();
        let packages: Vec<KeyPackage> = newcomers.iter().map(|new| new.key_package.clone()).collect();
        let bundle = self
            .mls
            .commit_builder()
            .consume_proposal_store(false)
            .force_self_update(true)
            .propose_removals(removed)
            .propose_adds(packages)
            .load_psks(self.vault.storage())
            .and_then(|builder| builder.build(self.vault.rand(), self.vault.crypto(), &self.signer, |_| true))
            .map_err(|_| CommitError::Library)?
            .stage_commit(&self.vault)
            .map_err(|_| CommitError::Library)?;
        let commit = Bytes::from(bundle.commit().to_bytes().map_err(|_| CommitError::Library)?);
        let welcome = bundle.to_welcome_msg().map(|welcome| welcome.to_bytes()).transpose();
        let welcome = welcome.map_err(|_| CommitError::Library)?.map(Bytes::from);
        let newcomers: Vec<_> = newcomers.into_iter().map(|new| (new.reference, new.person)).collect();
        let added = newcomers.iter().map(|(reference, _)| *reference).collect();
        self.pending = Some(Pending { commit: commit.clone(), newcomers });
        Ok((Some(PendingCommit { epoch, commit, welcome, added }), refused))
    }

    /// The relay took one's own commit: it takes effect.
    ///
    /// # Errors
    /// [`CommitError::NonePending`] or [`CommitError::Library`].
    pub fn commit_accepted(&mut self) -> Result<Change, CommitError> {
        let pending = self.pending.take().ok_or(CommitError::NonePending)?;
        self.mls.merge_pending_commit(&self.vault).map_err(|_| CommitError::Library)?;
        self.enter_epoch(pending.newcomers)
    }

    /// The relay took another's commit first: one's own is void.
    pub fn commit_refused(&mut self) {
        if self.pending.take().is_some() {
            let cleared = self.mls.clear_pending_commit(self.vault.storage());
            debug_assert!(cleared.is_ok(), "memory does not fail");
        }
    }

    /// Follows the commit that ends `epoch`, one's own or another's, after checking all that it changes.
    ///
    /// Another's commit makes one's own pending one void. On an error the group is as before: an honest member that
    /// rejects a commit stays in the old epoch, alone with the other honest ones. `wall` in seconds since 1970-01-01
    /// UTC.
    ///
    /// After a commit that removes somebody, frames are sealed under the new epoch at once.
    ///
    /// # Errors
    /// A [`CommitError`].
    pub fn handle_commit(&mut self, epoch: Epoch, commit: &[u8], wall: u64) -> Result<Change, CommitError> {
        if !self.mls.is_active() {
            return Err(CommitError::NoMember);
        }
        if epoch != self.epoch() {
            return Err(CommitError::Epoch { expected: self.epoch(), found: epoch });
        }
        if self.pending.as_ref().is_some_and(|pending| pending.commit == commit) {
            return self.commit_accepted();
        }
        let (staged, newcomers) = self.stage(commit, wall)?;
        self.pending = None;
        self.mls.merge_staged_commit(&self.vault, staged).map_err(|_| CommitError::Library)?;
        self.enter_epoch(newcomers)
    }

    /// Seals a message for all members of the epoch, signed by this member.
    ///
    /// # Errors
    /// [`MessageError::NoMember`] or [`MessageError::Library`].
    pub fn seal_message(&mut self, message: &[u8]) -> Result<Bytes, MessageError> {
        if !self.mls.is_active() {
            return Err(MessageError::NoMember);
        }
        let sealed = self.mls.create_message(&self.vault, &self.signer, message).map_err(|_| MessageError::Library)?;
        sealed.to_bytes().map(Bytes::from).map_err(|_| MessageError::Library)
    }

    /// Opens a message of another member, also one that the last few commits overtook, and says whose it is.
    ///
    /// # Errors
    /// A [`MessageError`].
    pub fn open_message(&mut self, sealed: &[u8]) -> Result<(LeafIndex, Vec<u8>), MessageError> {
        if !self.mls.is_active() {
            return Err(MessageError::NoMember);
        }
        let message = intake::private_message(sealed).ok_or(MessageError::Malformed)?;
        if message.content_type() != openmls::prelude::ContentType::Application {
            return Err(MessageError::Malformed);
        }
        let processed = self.mls.process_message(&self.vault, message).map_err(|_| MessageError::Malformed)?;
        let Sender::Member(sender) = *processed.sender() else { return Err(MessageError::Malformed) };
        // The leaf of an older epoch may have another holder now.
        if self.mls.member(sender) != Some(processed.credential()) {
            return Err(MessageError::SenderGone);
        }
        let ProcessedMessageContent::ApplicationMessage(message) = processed.into_content() else {
            return Err(MessageError::Malformed);
        };
        Ok((LeafIndex(sender.u32()), message.into_bytes()))
    }

    /// Bytes that a frame of `plaintext` bytes has once sealed, so that its packets can be counted before it is.
    ///
    /// True for the next frame that is sealed.
    pub fn sealed_length(&self, plaintext: usize) -> usize {
        self.frames.sealed_length(plaintext)
    }

    /// Seals one frame under the sending epoch: SFrame header, ciphertext and tag. `head`, level and meeting are
    /// authenticated along with it.
    ///
    /// # Errors
    /// A [`SealError`].
    pub fn seal_frame(&mut self, head: &FrameHead, plaintext: &[u8]) -> Result<Bytes, SealError> {
        self.frames.seal(head, plaintext)
    }

    /// Opens one frame and says who sealed it. Each frame opens once.
    ///
    /// # Errors
    /// An [`OpenError`].
    pub fn open_frame(&mut self, head: &FrameHead, sealed: &[u8]) -> Result<(LeafIndex, Vec<u8>), OpenError> {
        self.frames.open(head, sealed)
    }

    /// The epoch under which frames are sealed.
    pub fn sending_epoch(&self) -> Epoch {
        self.frames.sending_epoch()
    }

    /// Seals frames under `epoch` from now on. An older epoch than the present one is ignored.
    pub fn use_sending_epoch(&mut self, epoch: Epoch) {
        self.frames.use_sending_epoch(epoch);
    }

    /// Drops the frame keys of the epochs before `epoch`; those of the sending epoch and of later ones stay.
    pub fn forget_epochs_before(&mut self, epoch: Epoch) {
        self.frames.forget_before(epoch);
    }

    /// How many epochs have frame keys.
    pub fn epochs_kept(&self) -> usize {
        self.frames.epochs()
    }

    /// Takes over what the group is after a merge: members, frame keys.
    fn enter_epoch(&mut self, newcomers: Vec<(LeafRef, Person)>) -> Result<Change, CommitError> {
        let epoch = self.epoch();
        let before = std::mem::take(&mut self.members);
        if !self.mls.is_active() {
            self.frames.clear();
            return Ok(Change { epoch, added: Vec::new(), removed: before, me_removed: true });
        }
        let mut added = Vec::new();
        for leaf in self.mls.members() {
            let reference = credential::reference(&self.vault, &leaf.signature_key);
            let leaf = LeafIndex(leaf.index.u32());
            if let Some(known) = before.iter().find(|member| member.reference == reference) {
                self.members.push(Member { leaf, ..known.clone() });
            } else if let Some((_, person)) = newcomers.iter().find(|(name, _)| *name == reference) {
                let member = Member { leaf, reference, person: person.clone() };
                added.push(member.clone());
                self.members.push(member);
            } else {
                // A merged commit adds only whom it proposed, and those were checked.
                return Err(CommitError::Library);
            }
        }
        self.members.sort_by_key(|member| member.leaf);
        let stays = |gone: &Member| self.members.iter().any(|member| member.reference == gone.reference);
        let removed: Vec<Member> = before.into_iter().filter(|member| !stays(member)).collect();
        for member in &removed {
            self.frames.remove_sender(member.leaf);
        }
        let leaves = self.members.iter().map(|member| member.leaf);
        self.frames.enter(epoch, leaves, &self.mls, &self.vault).map_err(|_| CommitError::Library)?;
        if !removed.is_empty() {
            self.frames.use_sending_epoch(epoch);
        }
        Ok(Change { epoch, added, removed, me_removed: false })
    }
}

/// The member that a checked leaf is.
pub(crate) fn member_of(leaf: &openmls::prelude::Member, vault: &Vault, person: Person) -> Member {
    Member { leaf: LeafIndex(leaf.index.u32()), reference: credential::reference(vault, &leaf.signature_key), person }
}

/// Shows who and when, never keys.
impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group")
            .field("epoch", &self.epoch())
            .field("me", &self.me())
            .field("members", &self.members.len())
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}
