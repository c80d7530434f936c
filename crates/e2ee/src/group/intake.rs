//! What others bring: key packages and commits, checked before they change anything.

use bytes::Bytes;
use conclave_identity::MemberError;
use conclave_model::{LeafIndex, LeafRef, Level, Person};
use openmls::prelude::{
    ContentType, KeyPackage, LeafNodeIndex, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider, ProcessedMessageContent,
    Proposal, ProtocolMessage, ProtocolVersion, Sender, StagedCommit, tls_codec::DeserializeBytes,
};

use super::{CommitError, Group, MAX_MEMBERS, Member, NewcomerError, Outcome, Rejection};
use crate::{
    Consent, ConsentError, Refused,
    credential::{self, Bearer},
    governance::{self, Scene},
    rules::{CIPHERSUITE, state_of},
};

/// Somebody with a key package who passed the checks.
pub(super) struct Newcomer {
    pub(super) reference: LeafRef,
    pub(super) bearer: Bearer,
    pub(super) key_package: KeyPackage,
}

impl Newcomer {
    /// Whether `member` is the same certificate's older leaf.
    pub(super) fn replaces(&self, member: &Member) -> bool {
        member.person.fingerprint == self.bearer.person.fingerprint && member.reference != self.reference
    }
}

/// The encrypted MLS message that bytes are; everything that members say to each other is one.
pub(super) fn private_message(bytes: &[u8]) -> Option<ProtocolMessage> {
    let body = MlsMessageIn::tls_deserialize_exact_bytes(bytes).ok()?.extract();
    if let MlsMessageBodyIn::PrivateMessage(message) = body { Some(message.into()) } else { None }
}

/// Whether a commit of a meeting contains such a proposal: it adds, removes, or changes the state.
pub(super) fn is_of_use(proposal: &Proposal) -> bool {
    matches!(proposal, Proposal::Add(_) | Proposal::Remove(_) | Proposal::GroupContextExtensions(_))
}

impl Group {
    /// By what a change of `author` is judged.
    pub(super) fn scene<'a>(
        &'a self,
        author: &'a Member,
        is_present: &'a dyn Fn(LeafRef) -> bool,
        check_consent: &'a dyn Fn(&Consent) -> Result<(), ConsentError>,
        wall: u64,
    ) -> Scene<'a> {
        Scene {
            state: &self.state,
            invitation: &self.rules.invitation,
            members: self.members(),
            author,
            ceiling: self.rules.ceiling,
            is_present,
            check_consent,
            wall,
        }
    }

    /// Whether somebody who wants to join may, the chair's admission aside. `wall` in seconds since 1970-01-01 UTC.
    ///
    /// About 2 ms; changes nothing.
    ///
    /// # Errors
    /// [`Refused`], with the person where certificate and binding hold.
    #[expect(clippy::result_large_err, reason = "who it is, once for each newcomer")]
    pub fn check_newcomer(&self, reference: LeafRef, key_package: &[u8], wall: u64) -> Result<Person, Refused> {
        let Newcomer { bearer: Bearer { person, .. }, .. } =
            self.admissible(reference, key_package, self.state.level, wall)?;
        match governance::may_come(&self.state, &self.rules.invitation, &person) {
            Ok(()) => Ok(person),
            Err(error) => Err(Refused { reference, person: Some(person), error }),
        }
    }

    /// Whether somebody who may join waits for the acting chair to admit them.
    pub fn needs_chair(&self, person: &Person) -> bool {
        governance::needs_chair(&self.state, &self.rules.invitation, person)
    }

    /// The other members whose certificates have been revoked, by the rules as they are now. `wall` in seconds since
    /// 1970-01-01 UTC. Up to 2 ms for each member.
    pub fn revoked(&self, wall: u64) -> Vec<Member> {
        let is_revoked = |leaf: &openmls::prelude::Member| {
            let checked = credential::check(&leaf.credential, &leaf.signature_key, &self.rules, self.state.level, wall);
            matches!(checked, Err((_, NewcomerError::Member(MemberError::Revoked { .. }))))
        };
        let revoked = self.mls.members().filter(is_revoked).map(|leaf| LeafIndex(leaf.index.u32()));
        revoked.filter(|leaf| *leaf != self.me()).filter_map(|leaf| self.member(leaf).cloned()).collect()
    }

    /// Sorts those who want to join into those who pass the checks at `level` and those who do not.
    pub(super) fn sort_newcomers(
        &self,
        add: &[(LeafRef, Bytes)],
        level: Level,
        wall: u64,
    ) -> (Vec<Newcomer>, Vec<Refused>) {
        let mut newcomers: Vec<Newcomer> = Vec::new();
        let mut refused = Vec::new();
        for (reference, key_package) in add {
            // Somebody whom a commit has added in the meantime.
            if self.members().iter().any(|member| member.reference == *reference) {
                continue;
            }
            match self.admissible(*reference, key_package, level, wall) {
                Ok(new)
                    if newcomers
                        .iter()
                        .any(|other| other.bearer.person.fingerprint == new.bearer.person.fingerprint) =>
                {
                    let person = Some(new.bearer.person);
                    refused.push(Refused { reference: *reference, person, error: NewcomerError::Twice });
                }
                Ok(new) => newcomers.push(new),
                Err(error) => refused.push(error),
            }
        }
        let room = MAX_MEMBERS.saturating_sub(self.members().len());
        newcomers.truncate(room);
        (newcomers, refused)
    }

    /// Checks key package, leaf and certificate.
    #[expect(clippy::result_large_err, reason = "who it is, once for each newcomer")]
    fn admissible(&self, reference: LeafRef, bytes: &[u8], level: Level, wall: u64) -> Result<Newcomer, Refused> {
        let refused = |error| Refused { reference, person: None, error };
        let vault = &self.keys.vault;
        let message =
            MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| refused(NewcomerError::KeyPackage))?;
        let MlsMessageBodyIn::KeyPackage(key_package) = message.extract() else {
            return Err(refused(NewcomerError::KeyPackage));
        };
        let key_package = key_package
            .validate(vault.crypto(), ProtocolVersion::Mls10)
            .map_err(|_| refused(NewcomerError::KeyPackage))?;
        if key_package.ciphersuite() != CIPHERSUITE {
            return Err(refused(NewcomerError::KeyPackage));
        }
        let leaf = key_package.leaf_node();
        if credential::reference(vault, leaf.signature_key().as_slice()) != reference {
            return Err(refused(NewcomerError::Reference));
        }
        let bearer = credential::check_leaf(leaf, &self.rules, level, wall).map_err(|(person, error)| Refused {
            reference,
            person: person.map(|person| *person),
            error,
        })?;
        if self.member(self.me()).is_some_and(|me| me.person.fingerprint == bearer.person.fingerprint) {
            return Err(Refused { reference, person: Some(bearer.person), error: NewcomerError::Own });
        }
        Ok(Newcomer { reference, bearer, key_package })
    }

    /// Reads another's commit and checks all that it would change.
    pub(super) fn stage(
        &mut self,
        commit: &[u8],
        is_present: &dyn Fn(LeafRef) -> bool,
        wall: u64,
    ) -> Result<(StagedCommit, Outcome), CommitError> {
        let message = private_message(commit).ok_or(CommitError::Malformed)?;
        if message.content_type() != ContentType::Commit {
            return Err(CommitError::Malformed);
        }
        if message.epoch() != self.mls.epoch() {
            return Err(CommitError::Malformed);
        }
        let processed = self.mls.process_message(&self.keys.vault, message).map_err(|_| CommitError::Malformed)?;
        let Sender::Member(committer) = *processed.sender() else { return Err(CommitError::Malformed) };
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err(CommitError::Malformed);
        };
        let committer = LeafIndex(committer.u32());
        match self.check_commit(committer, &staged, is_present, wall) {
            Ok(outcome) => Ok((*staged, outcome)),
            Err(reason) => Err(CommitError::Rejected { committer, reason }),
        }
    }

    /// The rules for a commit: what it may contain, who may be added, and what it may make of the state.
    fn check_commit(
        &self,
        committer: LeafIndex,
        staged: &StagedCommit,
        is_present: &dyn Fn(LeafRef) -> bool,
        wall: u64,
    ) -> Result<Outcome, Rejection> {
        let author = self.member(committer).ok_or(Rejection::Outsider)?;
        self.check_committer(author, staged)?;
        let after = state_of(staged.group_context().extensions()).ok_or(Rejection::State)?;
        let (added, removed) = self.read_proposals(committer, staged, after.level, wall)?;
        let staying: Vec<&Member> =
            self.members().iter().filter(|member| !removed.contains(&member.reference)).collect();
        if staying.len() + added.len() > MAX_MEMBERS {
            return Err(Rejection::TooLarge);
        }
        for (nth, (reference, bearer)) in added.iter().enumerate() {
            let same = |other: &Person| other.fingerprint == bearer.person.fingerprint;
            let twice = staying.iter().any(|member| same(&member.person))
                || added[..nth].iter().any(|(_, other)| same(&other.person));
            if twice {
                return Err(Rejection::Newcomer { reference: *reference, error: NewcomerError::Twice });
            }
        }
        let me = self.member(self.me()).map(|me| me.reference);
        let is_present = |leaf: LeafRef| Some(leaf) == me || is_present(leaf);
        let check_consent = |consent: &Consent| consent.check(&self.rules, &self.state, wall);
        let scene = self.scene(author, &is_present, &check_consent, wall);
        let order = governance::order_between(&self.state, &after, self.members())?;
        let persons: Vec<_> = added.iter().map(|(leaf, bearer)| (*leaf, bearer.person.clone())).collect();
        let state = governance::next(&scene, &persons, &removed, order.as_ref())?;
        if state != after {
            return Err(Rejection::State);
        }
        Ok(Outcome { author: author.clone(), newcomers: added, state })
    }

    /// Whether the committer stays who it is.
    fn check_committer(&self, author: &Member, staged: &StagedCommit) -> Result<(), Rejection> {
        let Some(leaf) = staged.update_path_leaf_node() else { return Ok(()) };
        let vault = &self.keys.vault;
        let same_key = credential::reference(vault, leaf.signature_key().as_slice()) == author.reference;
        let credential = self.mls.member(LeafNodeIndex::new(author.leaf.0));
        let is_bare = leaf.extensions().iter().next().is_none();
        if same_key && is_bare && credential == Some(leaf.credential()) { Ok(()) } else { Err(Rejection::Committer) }
    }

    /// Whom a commit adds, checked at `level`, and whom it removes.
    #[expect(clippy::type_complexity, reason = "the added and the removed")]
    fn read_proposals(
        &self,
        committer: LeafIndex,
        staged: &StagedCommit,
        level: Level,
        wall: u64,
    ) -> Result<(Vec<(LeafRef, Bearer)>, Vec<LeafRef>), Rejection> {
        let mut added: Vec<(LeafRef, Bearer)> = Vec::new();
        let mut removed: Vec<LeafRef> = Vec::new();
        for queued in staged.queued_proposals() {
            if !matches!(queued.sender(), Sender::Member(leaf) if leaf.u32() == committer.0) {
                return Err(Rejection::Outsider);
            }
            if !is_of_use(queued.proposal()) {
                return Err(Rejection::Proposal);
            }
            if let Proposal::Add(add) = queued.proposal() {
                let leaf = add.key_package().leaf_node();
                let reference = credential::reference(&self.keys.vault, leaf.signature_key().as_slice());
                let bearer = credential::check_leaf(leaf, &self.rules, level, wall)
                    .map_err(|(_, error)| Rejection::Newcomer { reference, error })?;
                added.push((reference, bearer));
            } else if let Proposal::Remove(remove) = queued.proposal() {
                let leaf = LeafIndex(remove.removed().u32());
                removed.push(self.member(leaf).ok_or(Rejection::Proposal)?.reference);
            }
        }
        Ok((added, removed))
    }
}
