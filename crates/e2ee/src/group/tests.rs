//! Groups as tests make them: real certificates, real invitations, no network.

#![allow(clippy::unwrap_used)]

mod content;
mod frames;
mod governed;
mod hostile;
mod malice;
mod membership;
mod signs;
mod vouching;

use std::sync::Arc;

use bytes::Bytes;
use conclave_identity::{
    Admission, Holder, Listed,
    issue::{Rehearsal, RehearsalSpec, Validity, delegate},
};
use conclave_model::{Epoch, Fingerprint, Layer, LeafRef, Level, PeerId, TrackKind, wire::FrameHead};

use super::{Change, CommitError, Group, PendingCommit, Work};
use crate::{Leaf, NewcomerError, Order, Rules};

/// Some day in the meeting's window; the system's clock plays no part.
pub(crate) const WALL: u64 = 1_800_000_000;

/// A meeting that everybody in `rehearsal` is invited to.
pub(crate) struct Meeting {
    pub(crate) rehearsal: Rehearsal,
    pub(crate) rules: Arc<Rules>,
}

impl Meeting {
    pub(crate) fn new(people: usize) -> Self {
        let rehearsal = Rehearsal::new(&RehearsalSpec::new(people, WALL)).unwrap();
        let rules = Rules::new(rehearsal.invitation.clone(), rehearsal.authority.root().clone());
        Self { rehearsal, rules }
    }

    pub(crate) fn leaf(&self, person: usize) -> Leaf {
        self.leaf_of(&self.rehearsal.holders[person])
    }

    pub(crate) fn leaf_of(&self, holder: &Holder) -> Leaf {
        Leaf::new(holder, self.rules.clone()).unwrap()
    }

    /// The group of everybody, in the order of the invitation.
    pub(crate) fn started(people: usize) -> (Self, Vec<Group>) {
        let meeting = Self::new(people);
        let mut groups = vec![meeting.leaf(0).create(WALL).unwrap()];
        let others = (1..people).map(|person| meeting.leaf(person)).collect();
        if people > 1 {
            change(&mut groups, 0, others, &[]);
        }
        (meeting, groups)
    }
}

/// Where who stands in [`Meeting::governed`].
pub(crate) const CHAIR: usize = 0;
pub(crate) const DEPUTY: usize = 1;
pub(crate) const ORIGINATOR: usize = 2;
pub(crate) const DELEGATE: usize = 3;
/// Cleared up to RESTRICTED, the level of the invitation; the others up to TOP SECRET.
pub(crate) const LOW: usize = 4;
/// Listed, and not in yet.
pub(crate) const LATE: usize = 5;
/// Listed, not in yet, and cleared up to RESTRICTED.
pub(crate) const LATE_LOW: usize = 6;

impl Meeting {
    /// A meeting with a lobby, a deputy and an originator, that may go up to SECRET; and the group of all but the
    /// late.
    pub(crate) fn governed() -> (Self, Vec<Group>) {
        let mut rehearsal = Rehearsal::new(&RehearsalSpec::new(4, WALL)).unwrap();
        for number in LOW..=LATE_LOW {
            let mut person = delegate(number, WALL);
            if number != LATE {
                person.clearance.as_mut().unwrap().level = Level::Restricted;
            }
            let issued = rehearsal.authority.issue_credential(&person, Validity::days(WALL, 1)).unwrap();
            rehearsal.holders.push(issued.holder().clone());
        }
        let listed = rehearsal.holders.iter().map(|holder| Listed::of(holder, vec![])).collect();
        let name = |number: usize| Fingerprint(rehearsal.holders[number].person().fingerprint);
        let (deputy, originator) = (name(DEPUTY), name(ORIGINATOR));
        let invitation = rehearsal.reissue(|content| {
            content.admission = Admission::Lobby;
            content.participants = listed;
            content.succession = vec![deputy];
            content.originator = Some(originator);
        });
        let mut rules = Rules::clone(&Rules::new(invitation.unwrap().clone(), rehearsal.authority.root().clone()));
        rules.ceiling = Level::Secret;
        let meeting = Self { rehearsal, rules: Arc::new(rules) };
        let mut groups = vec![meeting.leaf(CHAIR).create(WALL).unwrap()];
        change(&mut groups, CHAIR, (DEPUTY..=LOW).map(|number| meeting.leaf(number)).collect(), &[]);
        switch(&mut groups);
        (meeting, groups)
    }

    /// The certificate's name of one of the people.
    pub(crate) fn name(&self, person: usize) -> Fingerprint {
        Fingerprint(self.rehearsal.holders[person].person().fingerprint)
    }

    /// The rules with something else.
    pub(crate) fn rules_with(&self, change: impl FnOnce(&mut Rules)) -> Arc<Rules> {
        let mut rules = Rules::clone(&self.rules);
        change(&mut rules);
        Arc::new(rules)
    }
}

/// Whom a leaf announces.
fn announce(leaf: &Leaf) -> (LeafRef, Bytes) {
    (leaf.reference(), leaf.key_package())
}

/// Who joins and who goes.
pub(crate) fn work(add: &[(LeafRef, Bytes)], remove: &[LeafRef]) -> Work {
    Work { add: add.to_vec(), remove: remove.to_vec(), ..Work::default() }
}

/// What the acting chair wants.
pub(crate) fn order(order: Order) -> Work {
    Work { order: Some(order), ..Work::default() }
}

impl Group {
    /// A commit that adds and removes; who was refused, and why.
    fn commit_members(
        &mut self,
        add: &[(LeafRef, Bytes)],
        remove: &[LeafRef],
    ) -> (Option<PendingCommit>, Vec<(LeafRef, NewcomerError)>) {
        let made = self.commit(&work(add, remove), WALL).unwrap();
        (made.pending, made.refused.into_iter().map(|refused| (refused.reference, refused.error)).collect())
    }

    /// Follows a commit while everybody is here.
    fn follow(&mut self, commit: &PendingCommit) -> Result<Change, CommitError> {
        self.handle_commit(commit.epoch, &commit.commit, &|_| true, WALL)
    }
}

/// A commit of `groups[committer]` that adds and removes, followed by all of `groups`; those added come last in
/// `groups`.
///
/// Gives what it changed, the same for each; the removed are still in `groups`.
pub(crate) fn change(groups: &mut Vec<Group>, committer: usize, add: Vec<Leaf>, remove: &[LeafRef]) -> Change {
    let newcomers: Vec<_> = add.iter().map(announce).collect();
    carry_out(groups, committer, &work(&newcomers, remove), add)
}

/// A commit of `groups[committer]`, as [`change`].
pub(crate) fn carry_out(groups: &mut Vec<Group>, committer: usize, work: &Work, add: Vec<Leaf>) -> Change {
    let made = groups[committer].commit(work, WALL).unwrap();
    assert_eq!(made.refused, []);
    let pending = made.pending.unwrap();
    let is_present = |leaf| !work.remove.contains(&leaf);
    let mut changes = Vec::new();
    for group in groups.iter_mut() {
        changes.push(group.handle_commit(pending.epoch, &pending.commit, &is_present, WALL).unwrap());
    }
    for leaf in add {
        groups.push(leaf.join(pending.welcome.as_ref().unwrap(), WALL).unwrap());
    }
    let mine = changes.swap_remove(committer);
    assert!(changes.iter().all(|other| other.me_removed || *other == mine));
    mine
}

/// Checks that all have the same members, epoch and secrets.
pub(crate) fn assert_converged(groups: &[Group]) {
    for pair in groups.windows(2) {
        assert_eq!(pair[0].epoch(), pair[1].epoch());
        assert_eq!(pair[0].members(), pair[1].members());
        assert_eq!(pair[0].state(), pair[1].state());
        assert_eq!(pair[0].words(), pair[1].words());
        assert_eq!(pair[0].epoch_authenticator(), pair[1].epoch_authenticator());
    }
    for group in groups {
        assert!(group.members().iter().any(|member| member.leaf == group.me()));
    }
}

/// Everybody seals under the newest epoch.
pub(crate) fn switch(groups: &mut [Group]) -> Epoch {
    let epoch = groups[0].epoch();
    for group in groups {
        group.use_sending_epoch(epoch);
    }
    epoch
}

/// The head of some frame.
pub(crate) fn head(number: u32) -> FrameHead {
    FrameHead {
        sender: PeerId(3),
        track: TrackKind::Camera,
        layer: Layer(1),
        number,
        key: true,
        discardable: false,
        packets: 2,
    }
}
