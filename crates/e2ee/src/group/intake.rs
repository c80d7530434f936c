//! What others bring: key packages and commits, checked before they change anything.

use bytes::Bytes;
use conclave_model::{LeafIndex, LeafRef, Person};
use openmls::prelude::{
    ContentType, KeyPackage, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider, ProcessedMessageContent, Proposal,
    ProtocolMessage, ProtocolVersion, Sender, StagedCommit, tls_codec::DeserializeBytes,
};

use super::{CommitError, Group, MAX_MEMBERS, Member, NewcomerError, Rejection};
use crate::{credential, rules::CIPHERSUITE};

/// Somebody with a key package who passed the checks.
pub(super) struct Newcomer {
    pub(super) reference: LeafRef,
    pub(super) person: Person,
    pub(super) key_package: KeyPackage,
}

impl Newcomer {
    /// Whether `member` is the same certificate's older leaf.
    pub(super) fn replaces(&self, member: &Member) -> bool {
        member.person.fingerprint == self.person.fingerprint && member.reference != self.reference
    }
}

/// The encrypted MLS message that bytes are; everything that members say to each other is one.
pub(super) fn private_message(bytes: &[u8]) -> Option<ProtocolMessage> {
    let body = MlsMessageIn::tls_deserialize_exact_bytes(bytes).ok()?.extract();
    if let MlsMessageBodyIn::PrivateMessage(message) = body { Some(message.into()) } else { None }
}

impl Group {
    /// Sorts those who want to join into who may and who may not.
    pub(super) fn sort_newcomers(
        &self,
        add: &[(LeafRef, Bytes)],
        wall: u64,
    ) -> (Vec<Newcomer>, Vec<(LeafRef, NewcomerError)>) {
        let mut newcomers: Vec<Newcomer> = Vec::new();
        let mut refused = Vec::new();
        for (reference, key_package) in add {
            // Somebody whom a commit has added in the meantime.
            if self.members.iter().any(|member| member.reference == *reference) {
                continue;
            }
            match self.check_newcomer(*reference, key_package, wall) {
                Ok(new) if newcomers.iter().any(|other| other.person.fingerprint == new.person.fingerprint) => {
                    refused.push((*reference, NewcomerError::Twice));
                }
                Ok(new) => newcomers.push(new),
                Err(error) => refused.push((*reference, error)),
            }
        }
        let room = MAX_MEMBERS.saturating_sub(self.members.len());
        newcomers.truncate(room);
        (newcomers, refused)
    }

    fn check_newcomer(&self, reference: LeafRef, bytes: &[u8], wall: u64) -> Result<Newcomer, NewcomerError> {
        let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| NewcomerError::KeyPackage)?;
        let MlsMessageBodyIn::KeyPackage(key_package) = message.extract() else {
            return Err(NewcomerError::KeyPackage);
        };
        let key_package =
            key_package.validate(self.vault.crypto(), ProtocolVersion::Mls10).map_err(|_| NewcomerError::KeyPackage)?;
        if key_package.ciphersuite() != CIPHERSUITE {
            return Err(NewcomerError::KeyPackage);
        }
        let leaf = key_package.leaf_node();
        if credential::reference(&self.vault, leaf.signature_key().as_slice()) != reference {
            return Err(NewcomerError::Reference);
        }
        let person = credential::check_leaf(leaf, &self.rules, wall)?;
        let mine = |member: &&Member| member.leaf == self.me();
        if self.members.iter().find(mine).is_some_and(|me| me.person.fingerprint == person.fingerprint) {
            return Err(NewcomerError::Own);
        }
        Ok(Newcomer { reference, person, key_package })
    }

    /// Reads another's commit and checks all that it would change.
    pub(super) fn stage(
        &mut self,
        commit: &[u8],
        wall: u64,
    ) -> Result<(StagedCommit, Vec<(LeafRef, Person)>), CommitError> {
        let message = private_message(commit).ok_or(CommitError::Malformed)?;
        if message.content_type() != ContentType::Commit {
            return Err(CommitError::Malformed);
        }
        if message.epoch() != self.mls.epoch() {
            return Err(CommitError::Malformed);
        }
        let processed = self.mls.process_message(&self.vault, message).map_err(|_| CommitError::Malformed)?;
        let Sender::Member(committer) = *processed.sender() else { return Err(CommitError::Malformed) };
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err(CommitError::Malformed);
        };
        let committer = LeafIndex(committer.u32());
        match self.check_commit(committer, &staged, wall) {
            Ok(newcomers) => Ok((*staged, newcomers)),
            Err(reason) => Err(CommitError::Rejected { committer, reason }),
        }
    }

    /// The rules for a commit: it adds and removes, nothing else, and whom it adds may be a member.
    fn check_commit(
        &self,
        committer: LeafIndex,
        staged: &StagedCommit,
        wall: u64,
    ) -> Result<Vec<(LeafRef, Person)>, Rejection> {
        let author = self.members.iter().find(|member| member.leaf == committer).ok_or(Rejection::Outsider)?;
        let mut added: Vec<(LeafRef, Person)> = Vec::new();
        let mut removed: Vec<LeafIndex> = Vec::new();
        for queued in staged.queued_proposals() {
            if !matches!(queued.sender(), Sender::Member(leaf) if leaf.u32() == committer.0) {
                return Err(Rejection::Outsider);
            }
            if let Proposal::Add(add) = queued.proposal() {
                let leaf = add.key_package().leaf_node();
                let reference = credential::reference(&self.vault, leaf.signature_key().as_slice());
                let person = credential::check_leaf(leaf, &self.rules, wall)
                    .map_err(|error| Rejection::Newcomer { reference, error })?;
                added.push((reference, person));
            } else if let Proposal::Remove(remove) = queued.proposal() {
                removed.push(LeafIndex(remove.removed().u32()));
            } else {
                return Err(Rejection::Proposal);
            }
        }
        if let Some(leaf) = staged.update_path_leaf_node() {
            let same_key = credential::reference(&self.vault, leaf.signature_key().as_slice()) == author.reference;
            let credential = self.mls.member(openmls::prelude::LeafNodeIndex::new(committer.0));
            if !same_key || credential != Some(leaf.credential()) {
                return Err(Rejection::Committer);
            }
        }
        if !staged.self_removed() && *staged.group_context().extensions() != self.rules.extensions() {
            return Err(Rejection::Proposal);
        }
        let staying: Vec<&Member> = self.members.iter().filter(|member| !removed.contains(&member.leaf)).collect();
        if staying.len() + added.len() > MAX_MEMBERS {
            return Err(Rejection::TooLarge);
        }
        for (nth, (reference, person)) in added.iter().enumerate() {
            let same = |other: &Person| other.fingerprint == person.fingerprint;
            let twice =
                staying.iter().any(|member| same(&member.person)) || added[..nth].iter().any(|(_, other)| same(other));
            if twice {
                return Err(Rejection::Newcomer { reference: *reference, error: NewcomerError::Twice });
            }
        }
        Ok(added)
    }
}
