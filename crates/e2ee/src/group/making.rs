//! One's own commits.

use bytes::Bytes;
use conclave_model::{LeafRef, Person};
use openmls::prelude::{KeyPackage, LeafNodeIndex, OpenMlsProvider};

use super::{CommitError, Group, Made, Pending, PendingCommit, Work, intake::Newcomer};
use crate::{Refused, State, governance, rules::extensions};

/// What a commit is going to do.
struct Plan {
    newcomers: Vec<Newcomer>,
    removed: Vec<LeafRef>,
    state: State,
    refused: Vec<Refused>,
}

impl Group {
    /// Makes a commit that adds those in `work` who may be members, removes those who are to go, and carries out an
    /// order.
    ///
    /// A newcomer whose certificate has a leaf already replaces it. An order puts out whom it has to. Leaves that are
    /// not there any more need no removing, and nobody removes themselves. Returns no commit where nothing is left to
    /// do, and who was refused and why. `wall` in seconds since 1970-01-01 UTC. About 15 ms and 55 kB for a fresh tree
    /// of 27.
    ///
    /// # Errors
    /// [`CommitError::Order`] where the order cannot be carried out; nothing is done then. [`CommitError::Pending`],
    /// [`CommitError::NoMember`] or [`CommitError::Library`].
    pub fn commit(&mut self, work: &Work, wall: u64) -> Result<Made, CommitError> {
        if self.pending.is_some() {
            return Err(CommitError::Pending);
        }
        if !self.mls.is_active() {
            return Err(CommitError::NoMember);
        }
        let Plan { newcomers, removed, state, refused } = self.plan(work, wall)?;
        if newcomers.is_empty() && removed.is_empty() && work.order.is_none() && !work.renew {
            return Ok(Made { pending: None, refused });
        }
        let epoch = self.epoch();
        let packages: Vec<KeyPackage> = newcomers.iter().map(|new| new.key_package.clone()).collect();
        let gone = self.members().iter().filter(|member| removed.contains(&member.reference));
        let gone: Vec<LeafNodeIndex> = gone.map(|member| LeafNodeIndex::new(member.leaf.0)).collect();
        let vault = &self.keys.vault;
        let mut builder = self
            .mls
            .commit_builder()
            .consume_proposal_store(false)
            .force_self_update(true)
            .propose_removals(gone)
            .propose_adds(packages);
        if state != self.state {
            builder = builder.propose_group_context_extensions(extensions(&state)).map_err(|_| CommitError::Library)?;
        }
        let bundle = builder
            .load_psks(vault.storage())
            .and_then(|builder| builder.build(vault.rand(), vault.crypto(), &self.keys.signer, |_| true))
            .map_err(|_| CommitError::Library)?
            .stage_commit(vault)
            .map_err(|_| CommitError::Library)?;
        let commit = Bytes::from(bundle.commit().to_bytes().map_err(|_| CommitError::Library)?);
        let welcome = bundle.to_welcome_msg().map(|welcome| welcome.to_bytes()).transpose();
        let welcome = welcome.map_err(|_| CommitError::Library)?.map(Bytes::from);
        let newcomers: Vec<_> = newcomers.into_iter().map(|new| (new.reference, new.bearer)).collect();
        let added = newcomers.iter().map(|(reference, _)| *reference).collect();
        self.pending = Some(Pending { commit: commit.clone(), newcomers, state });
        Ok(Made { pending: Some(PendingCommit { epoch, commit, welcome, added }), refused })
    }

    /// Finds out by the rules what the work comes to.
    fn plan(&self, work: &Work, wall: u64) -> Result<Plan, CommitError> {
        let me = self.member(self.me()).ok_or(CommitError::NoMember)?;
        let is_present = |leaf: LeafRef| !work.remove.contains(&leaf);
        let check_consent = |consent: &crate::Consent| consent.check(&self.rules, &self.state, wall);
        let scene = self.scene(me, &is_present, &check_consent, wall);
        let put_out = work.order.as_ref().map_or(Vec::new(), |order| scene.put_out_by(order));
        let ordered = governance::next(&scene, &[], &put_out, work.order.as_ref()).map_err(CommitError::Order)?;
        let (mut newcomers, mut refused) = self.sort_newcomers(&work.add, ordered.level, wall);
        newcomers.retain(|new| {
            let person = &new.bearer.person;
            let may = governance::may_add(&ordered, &self.rules.invitation, self.members(), me, person);
            let Err(error) = may else { return true };
            refused.push(Refused { reference: new.reference, person: Some(person.clone()), error });
            false
        });
        let goes = |leaf: &LeafRef| work.remove.contains(leaf) || put_out.contains(leaf);
        let removed: Vec<LeafRef> = self
            .members()
            .iter()
            .filter(|member| member.leaf != self.me())
            .filter(|member| goes(&member.reference) || newcomers.iter().any(|new| new.replaces(member)))
            .map(|member| member.reference)
            .collect();
        let added: Vec<(LeafRef, Person)> =
            newcomers.iter().map(|new| (new.reference, new.bearer.person.clone())).collect();
        let state = governance::next(&scene, &added, &removed, work.order.as_ref()).map_err(CommitError::Order)?;
        Ok(Plan { newcomers, removed, state, refused })
    }
}
