//! The group as one member has it.

use std::sync::Arc;

use bytes::Bytes;
use conclave_identity::Holder;
use conclave_model::{Epoch, Fingerprint, LeafIndex, LeafRef, Level, Person, wire::FrameHead};
use openmls::prelude::{MlsGroup, OpenMlsProvider, ProcessedMessageContent, Sender};
use openmls_basic_credential::SignatureKeyPair;

use crate::{
    Consent, ConsentError, MAX_MEMBERS, Memory, NewcomerError, OpenError, Order, Refused, Rules, SealError, State,
    credential::{self, Bearer},
    frames::FrameKeys,
    governance,
    media_key::MediaKey,
    vault::Vault,
    words,
};

mod errors;
mod intake;
mod making;
mod pulses;
mod roster;
#[cfg(test)]
mod tests;
mod vouching;

pub use errors::{CommitError, MessageError, Rejection};
pub use pulses::{Pulse, PulseError};
pub(crate) use roster::Roster;
pub use vouching::Vouching;

use pulses::Pulses;

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

/// What a member has to commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Who wants to join: name and key package.
    pub add: Vec<(LeafRef, Bytes)>,
    /// Whose connection is gone; for the acting chair, whom to remove for any reason.
    pub remove: Vec<LeafRef>,
    /// What the acting chair wants.
    pub order: Option<Order>,
    /// Whether to make a commit for fresh keys where there is nothing else to do.
    pub renew: bool,
}

/// What came of some [`Work`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The commit; `None` where nothing was left to do.
    pub pending: Option<PendingCommit>,
    /// Who was not added, and why.
    pub refused: Vec<Refused>,
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
    /// Who made it.
    pub author: Member,
    /// Who came.
    pub added: Vec<Member>,
    /// Who went.
    pub removed: Vec<Member>,
    /// Whether this client went: it has no keys any more.
    pub me_removed: bool,
    /// The level before and after, where it changed.
    pub level: Option<(Level, Level)>,
    /// Whether the meeting is locked, where that changed.
    pub locked: Option<bool>,
    /// Who of the removed was put out for good.
    pub ejected: Vec<Fingerprint>,
}

/// The MLS group and the frame keys that come of it, as one member has them.
///
/// Commits come in the one order that the relay gives: [`Self::handle_commit`] for each, one's own included. Between
/// [`Self::commit`] and the relay's answer one commit is pending.
pub struct Group {
    rules: Arc<Rules>,
    keys: Keys,
    mls: MlsGroup,
    roster: Roster,
    state: State,
    frames: FrameKeys,
    pulses: Pulses,
    pending: Option<Pending>,
    /// Whether somebody of the succession has shown to be in this group.
    vouched: bool,
    words: Vec<&'static str>,
}

/// One's own keys, and where MLS keeps its own.
pub(crate) struct Keys {
    pub(crate) vault: Vault,
    pub(crate) signer: SignatureKeyPair,
    pub(crate) media: MediaKey,
}

/// One's own commit on its way.
struct Pending {
    commit: Bytes,
    /// Those whom it adds, checked.
    newcomers: Vec<(LeafRef, Bearer)>,
    /// What the group agrees on afterwards.
    state: State,
}

/// What a commit that has been checked leads to.
struct Outcome {
    author: Member,
    newcomers: Vec<(LeafRef, Bearer)>,
    state: State,
}

impl Group {
    /// A group that has been created or joined, its state and its members checked. `made_by` is the leaf that signed
    /// how the group is now: the own one, or that of the welcome.
    pub(crate) fn new(
        rules: Arc<Rules>,
        keys: Keys,
        mls: MlsGroup,
        roster: Roster,
        state: State,
        made_by: LeafIndex,
    ) -> Result<Self, CommitError> {
        let me = LeafIndex(mls.own_leaf_index().u32());
        let leaves = roster.members().iter().map(|member| member.leaf);
        let frames =
            FrameKeys::new(state.frame_context(), me, leaves, &mls, &keys.vault).map_err(|_| CommitError::Library)?;
        let pulses = Pulses::default();
        let words = words::words(mls.epoch_authenticator().as_slice());
        let (pending, vouched) = (None, false);
        let mut group = Self { rules, keys, mls, roster, state, frames, pulses, pending, vouched, words };
        group.record_epoch();
        group.vouch(made_by, group.epoch());
        Ok(group)
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
        self.roster.members()
    }

    /// What the group has agreed on beside its members.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The classification.
    pub fn level(&self) -> Level {
        self.state.level
    }

    /// The acting chair: the first of the signed succession who is a member.
    pub fn chair(&self) -> Option<&Member> {
        governance::chair(self.members(), &self.rules.invitation)
    }

    /// What to remember of the meeting, and to give to the next [`Rules`] for it.
    pub fn memory(&self) -> Memory {
        Memory::of(self.pulses.state_before_annulment().unwrap_or(&self.state))
    }

    /// Six words that all members share and nobody else can make; compared aloud. 66 bits.
    ///
    /// They are those of the epoch in which the group last became another: somebody came or went, or its state changed.
    /// Everybody who is in it has been since then at least, so they last while keys are renewed.
    pub fn words(&self) -> &[&'static str] {
        &self.words
    }

    /// Replaces the rules by those of the same meeting that are known now, as with newer revocations. Those who are in
    /// stay in.
    pub fn set_rules(&mut self, rules: Arc<Rules>) {
        debug_assert_eq!(rules.meeting(), self.rules.meeting(), "rules of another meeting");
        self.rules = rules;
    }

    /// Signs that the level goes down to `to` once, for the acting chair to commit. Has the identity key sign.
    ///
    /// # Errors
    /// [`ConsentError::NoOriginator`], [`ConsentError::NotOriginator`], [`ConsentError::Other`] where `to` is not
    /// lower, [`ConsentError::Sign`].
    pub fn make_consent(&self, holder: &Holder, to: Level) -> Result<Consent, ConsentError> {
        Consent::make(holder, &self.rules, &self.state, to)
    }

    /// Checks that the originator agreed to the next change of the level. `wall` in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// A [`ConsentError`].
    pub fn check_consent(&self, consent: &Consent, wall: u64) -> Result<(), ConsentError> {
        consent.check(&self.rules, &self.state, wall)
    }

    /// A value that all members of the epoch share and nobody else can make (RFC 9420 section 8.7).
    pub fn epoch_authenticator(&self) -> Vec<u8> {
        self.mls.epoch_authenticator().as_slice().to_vec()
    }

    /// Whether one's own commit waits for the relay.
    pub fn has_pending_commit(&self) -> bool {
        self.pending.is_some()
    }

    /// The relay took one's own commit: it takes effect.
    ///
    /// # Errors
    /// [`CommitError::NonePending`] or [`CommitError::Library`].
    pub fn commit_accepted(&mut self) -> Result<Change, CommitError> {
        let pending = self.pending.take().ok_or(CommitError::NonePending)?;
        let author = self.member(self.me()).cloned().ok_or(CommitError::NoMember)?;
        self.mls.merge_pending_commit(&self.keys.vault).map_err(|_| CommitError::Library)?;
        self.enter_epoch(Outcome { author, newcomers: pending.newcomers, state: pending.state })
    }

    /// The relay took another's commit first: one's own is void.
    pub fn commit_refused(&mut self) {
        if self.pending.take().is_some() {
            let cleared = self.mls.clear_pending_commit(self.keys.vault.storage());
            debug_assert!(cleared.is_ok(), "memory does not fail");
        }
    }

    /// Follows the commit that ends `epoch`, one's own or another's, after checking all that it changes.
    ///
    /// Another's commit makes one's own pending one void. On an error the group is as before: an honest member that
    /// rejects a commit stays in the old epoch with the other honest ones, and goes on. `is_present` says whether a
    /// leaf's connection stands, a newcomer's as well, as far as this client knows; `wall` is in seconds since 1970-01-01 UTC.
    ///
    /// After a commit that removes somebody, frames are sealed under the new epoch at once.
    ///
    /// # Errors
    /// A [`CommitError`].
    pub fn handle_commit(
        &mut self,
        epoch: Epoch,
        commit: &[u8],
        is_present: &dyn Fn(LeafRef) -> bool,
        wall: u64,
    ) -> Result<Change, CommitError> {
        if !self.mls.is_active() {
            return Err(CommitError::NoMember);
        }
        if epoch != self.epoch() {
            return Err(CommitError::Epoch { expected: self.epoch(), found: epoch });
        }
        if self.pending.as_ref().is_some_and(|pending| pending.commit == commit) {
            return self.commit_accepted();
        }
        let (staged, outcome) = self.stage(commit, is_present, wall)?;
        self.pending = None;
        self.mls.merge_staged_commit(&self.keys.vault, staged).map_err(|_| CommitError::Library)?;
        self.enter_epoch(outcome)
    }

    /// The members have annulled the commit that ended `epoch`.
    ///
    /// Whoever did not follow it has nothing to undo. Whoever did cannot go back, for the keys of the epoch before are
    /// used up: this member has no keys any more, and remembers of the meeting what it was before.
    ///
    /// # Errors
    /// [`CommitError::Epoch`] for a member that is not in `epoch` any more.
    pub fn annul(&mut self, epoch: Epoch) -> Result<(), CommitError> {
        if epoch == self.epoch() {
            return Ok(());
        }
        if epoch < self.epoch() {
            self.pulses.annul(epoch);
            self.frames.clear();
        }
        Err(CommitError::Epoch { expected: self.epoch(), found: epoch })
    }

    /// Seals a message for all members of the epoch, signed by this member.
    ///
    /// # Errors
    /// [`MessageError::NoMember`] or [`MessageError::Library`].
    pub fn seal_message(&mut self, message: &[u8]) -> Result<Bytes, MessageError> {
        if !self.mls.is_active() {
            return Err(MessageError::NoMember);
        }
        let sealed =
            self.mls.create_message(&self.keys.vault, &self.keys.signer, message).map_err(|_| MessageError::Library)?;
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
        let processed = self.mls.process_message(&self.keys.vault, message).map_err(|_| MessageError::Malformed)?;
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

    fn member(&self, leaf: LeafIndex) -> Option<&Member> {
        self.members().iter().find(|member| member.leaf == leaf)
    }

    /// Takes over what the group is after a merge: members, state, frame keys.
    fn enter_epoch(&mut self, outcome: Outcome) -> Result<Change, CommitError> {
        let Outcome { author, newcomers, state } = outcome;
        let epoch = self.epoch();
        // Its author signed it over the group as it was, with this member in it.
        self.vouched |= self.is_of_succession(author.leaf);
        let before = std::mem::replace(&mut self.state, state);
        let old = std::mem::take(&mut self.roster);
        let mut change = Change {
            epoch,
            author,
            added: Vec::new(),
            removed: Vec::new(),
            me_removed: !self.mls.is_active(),
            level: (before.level != self.state.level).then_some((before.level, self.state.level)),
            locked: (before.locked != self.state.locked).then_some(self.state.locked),
            ejected: self.state.ejected.difference(&before.ejected).copied().collect(),
        };
        if change.me_removed {
            self.frames.clear();
            change.removed = old.into_members();
            return Ok(change);
        }
        for leaf in self.mls.members() {
            let reference = credential::reference(&self.keys.vault, &leaf.signature_key);
            if let Some((member, media)) = old.find(reference) {
                self.roster.push(Member { leaf: LeafIndex(leaf.index.u32()), ..member.clone() }, media);
            } else if let Some((_, bearer)) = newcomers.iter().find(|(name, _)| *name == reference) {
                let member = member_of(&leaf, &self.keys.vault, bearer.person.clone());
                change.added.push(member.clone());
                self.roster.push(member, bearer.media);
            } else {
                // A merged commit adds only whom it proposed, and those were checked.
                return Err(CommitError::Library);
            }
        }
        let stays = |gone: &Member| self.roster.find(gone.reference).is_some();
        change.removed = old.into_members().into_iter().filter(|member| !stays(member)).collect();
        for member in &change.removed {
            self.frames.remove_sender(member.leaf);
        }
        let leaves = self.roster.members().iter().map(|member| member.leaf);
        let context = self.state.frame_context();
        self.frames.enter(epoch, context, leaves, &self.mls, &self.keys.vault).map_err(|_| CommitError::Library)?;
        if !change.removed.is_empty() {
            self.frames.use_sending_epoch(epoch);
        }
        if self.state != before || !change.added.is_empty() || !change.removed.is_empty() {
            self.words = words::words(self.mls.epoch_authenticator().as_slice());
        }
        self.record_epoch();
        Ok(change)
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
            .field("members", &self.members().len())
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}
