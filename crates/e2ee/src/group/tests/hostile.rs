//! What members with bad intentions, relays and noise bring.

use conclave_identity::{MemberError, issue::Validity};
use openmls::prelude::{
    Credential, CredentialWithKey, Extension, KeyPackage, LeafNodeIndex, LeafNodeParameters,
    MIXED_PLAINTEXT_WIRE_FORMAT_POLICY, MlsGroupJoinConfig, OpenMlsProvider, Proposal, UnknownExtension,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::*;
use crate::{
    CommitError, JoinError, NewcomerError, PendingCommit, Rejection,
    rules::{CIPHERSUITE, EXTENSION, capabilities, lifetime},
};

impl Group {
    /// A commit with whatever a hostile member builds, made known to others only.
    fn hostile_commit(
        &mut self,
        proposals: Vec<Proposal>,
        newcomers: Vec<KeyPackage>,
        leaf: LeafNodeParameters,
    ) -> PendingCommit {
        let epoch = self.epoch();
        let bundle = self
            .mls
            .commit_builder()
            .force_self_update(true)
            .add_proposals(proposals)
            .propose_adds(newcomers)
            .leaf_node_parameters(leaf)
            .load_psks(self.vault.storage())
            .unwrap()
            .build(self.vault.rand(), self.vault.crypto(), &self.signer, |_| true)
            .unwrap()
            .stage_commit(&self.vault)
            .unwrap();
        let commit = Bytes::from(bundle.commit().to_bytes().unwrap());
        let welcome = bundle.to_welcome_msg().map(|welcome| Bytes::from(welcome.to_bytes().unwrap()));
        PendingCommit { epoch, commit, welcome, added: vec![] }
    }

    /// A commit that only renews the committer's own keys.
    pub(super) fn commit_update(&mut self) -> PendingCommit {
        let bundle = self.hostile_commit(vec![], vec![], LeafNodeParameters::default());
        self.pending = Some(crate::group::Pending { commit: bundle.commit.clone(), newcomers: vec![] });
        bundle
    }
}

/// What an honest member says of a commit, after checking that it did not change anything.
fn verdict(honest: &mut Group, commit: &PendingCommit) -> CommitError {
    let before = honest.epoch_authenticator();
    let error = honest.handle_commit(commit.epoch, &commit.commit, WALL).unwrap_err();
    assert_eq!(honest.epoch_authenticator(), before);
    error
}

/// The reason for which all but the first of `groups` reject its commit.
fn rejection(groups: &mut [Group], commit: &PendingCommit) -> Rejection {
    let mut reasons = Vec::new();
    let (hostile, honest) = groups.split_first_mut().unwrap();
    for group in honest {
        let CommitError::Rejected { committer, reason } = verdict(group, commit) else { panic!("not rejected") };
        assert_eq!(committer, hostile.me());
        reasons.push(reason);
    }
    assert!(reasons.windows(2).all(|pair| pair[0] == pair[1]));
    reasons.swap_remove(0)
}

#[test]
fn the_others_reject_a_commit_that_adds_somebody_uninvited() {
    let (mut meeting, mut groups) = Meeting::started(4);
    // The office dropped somebody from the list; the hostile member goes by the list as it was.
    let dropped = meeting.rehearsal.holders[3].person().fingerprint;
    let newcomer = meeting.leaf(3);
    let gone = groups[0].members()[3].reference;
    groups.truncate(3);
    change(&mut groups, 0, vec![], &[gone]);
    let rules = meeting.rehearsal.reissue(|content| {
        content.participants.retain(|listed| listed.fingerprint != dropped);
    });
    let rules = Rules::new(rules.unwrap().clone(), meeting.rules.root.clone());
    for group in &mut groups[1..] {
        group.rules = rules.clone();
    }
    let reference = newcomer.reference();
    let (commit, refused) = groups[0].commit(&[announce(&newcomer)], &[], WALL).unwrap();
    assert_eq!(refused, []);
    let error = NewcomerError::Member(MemberError::NotListed);
    assert_eq!(rejection(&mut groups, &commit.unwrap()), Rejection::Newcomer { reference, error });
    // The honest ones go on without the author.
    let author = groups[1].members()[0].reference;
    groups.remove(0);
    change(&mut groups, 0, vec![], &[author]);
    assert_converged(&groups);
}

#[test]
fn the_others_reject_a_commit_that_adds_somebody_whose_clearance_is_over() {
    let mut meeting = Meeting::new(3);
    let mut person = conclave_identity::issue::delegate(5, WALL);
    person.clearance.as_mut().unwrap().expires = WALL;
    let issued = meeting.rehearsal.authority.issue_credential(&person, Validity::days(WALL, 1)).unwrap();
    let listed = conclave_identity::Listed::of(issued.holder(), vec![]);
    let invitation = meeting.rehearsal.reissue(|content| content.participants.push(listed)).unwrap().clone();
    meeting.rules = Rules::new(invitation, meeting.rules.root.clone());
    let mut groups = vec![meeting.leaf(0).create(WALL).unwrap()];
    change(&mut groups, 0, vec![meeting.leaf(1), meeting.leaf(2)], &[]);

    // The hostile member's clock is a second behind.
    let newcomer = meeting.leaf_of(issued.holder());
    let (commit, refused) = groups[0].commit(&[announce(&newcomer)], &[], WALL - 1).unwrap();
    assert_eq!(refused, []);
    let error = NewcomerError::Member(MemberError::ClearanceExpired(WALL));
    let reference = newcomer.reference();
    let commit = commit.unwrap();
    assert_eq!(rejection(&mut groups, &commit), Rejection::Newcomer { reference, error: error.clone() });
    // Nor would the newcomer's honest program enter, since its own check fails as well.
    let refused = newcomer.join(&commit.welcome.unwrap(), WALL).unwrap_err();
    assert!(matches!(refused, JoinError::Member { error: found, .. } if found == error));
}

#[test]
fn the_others_reject_a_second_leaf_for_one_certificate() {
    let (meeting, mut groups) = Meeting::started(3);
    let twin = meeting.leaf(2);
    let checked = groups[0].sort_newcomers(&[announce(&twin)], WALL).0.remove(0);
    let commit = groups[0].hostile_commit(vec![], vec![checked.key_package], LeafNodeParameters::default());
    let twice = Rejection::Newcomer { reference: twin.reference(), error: NewcomerError::Twice };
    assert_eq!(rejection(&mut groups, &commit), twice);
}

#[test]
fn the_others_reject_another_level_or_meeting_in_the_group_context() {
    let (_meeting, mut groups) = Meeting::started(3);
    let mut lower = groups[0].rules.context();
    lower[0] = 0;
    let mut extensions = groups[0].rules.extensions();
    extensions.add_or_replace(Extension::Unknown(EXTENSION, UnknownExtension(lower.to_vec()))).unwrap();
    let epoch = groups[0].epoch();
    let group = &mut groups[0];
    let bundle = group
        .mls
        .commit_builder()
        .propose_group_context_extensions(extensions)
        .unwrap()
        .load_psks(group.vault.storage())
        .unwrap()
        .build(group.vault.rand(), group.vault.crypto(), &group.signer, |_| true)
        .unwrap()
        .stage_commit(&group.vault)
        .unwrap();
    let commit = Bytes::from(bundle.commit().to_bytes().unwrap());
    let commit = PendingCommit { epoch, commit, welcome: None, added: vec![] };
    assert_eq!(rejection(&mut groups, &commit), Rejection::Proposal);
}

#[test]
fn the_others_reject_a_committer_who_takes_another_identity() {
    let (_meeting, mut groups) = Meeting::started(3);
    let victim = groups[0].mls.member(LeafNodeIndex::new(groups[1].me().0)).unwrap().clone();
    let signature_key = groups[0].signer.public().into();
    let leaf = LeafNodeParameters::builder()
        .with_credential_with_key(CredentialWithKey { credential: victim, signature_key })
        .build();
    let commit = groups[0].hostile_commit(vec![], vec![], leaf);
    assert_eq!(rejection(&mut groups, &commit), Rejection::Committer);
}

/// The inside of a credential, as the wire has it.
#[derive(Serialize, Deserialize)]
struct Content {
    chain: Vec<ByteBuf>,
    binding: ByteBuf,
}

/// A key package of `leaf`'s keys with another credential.
fn forge(leaf: &Leaf, credential: Credential) -> (LeafRef, Bytes) {
    let credential = CredentialWithKey { credential, signature_key: leaf.signer().public().into() };
    let bundle = KeyPackage::builder()
        .leaf_node_capabilities(capabilities())
        .key_package_lifetime(lifetime())
        .build(CIPHERSUITE, leaf.vault(), leaf.signer(), credential)
        .unwrap();
    let message = openmls::prelude::MlsMessageOut::from(bundle.key_package().clone());
    (leaf.reference(), message.to_bytes().unwrap().into())
}

fn contents(leaf: &Leaf) -> Content {
    ciborium::from_reader(leaf.credential().serialized_content()).unwrap()
}

fn credential(content: &impl Serialize, kind: u16) -> Credential {
    let mut bytes = Vec::new();
    ciborium::into_writer(content, &mut bytes).unwrap();
    Credential::new(kind.into(), bytes)
}

#[test]
fn anothers_certificate_is_worth_nothing_without_its_key() {
    let meeting = Meeting::new(3);
    let mut group = meeting.leaf(0).create(WALL).unwrap();
    let (thief, victim) = (meeting.leaf(1), meeting.leaf(2));
    let own = contents(&thief);
    let stolen = Content { chain: contents(&victim).chain, binding: own.binding.clone() };
    let replayed = contents(&victim);
    let cut = Content { chain: own.chain[..1].to_vec(), binding: own.binding.clone() };
    let empty = Content { chain: vec![], binding: own.binding.clone() };
    let long = Content { chain: vec![own.chain[0].clone(); 7], binding: own.binding.clone() };
    let large = Content { chain: own.chain.clone(), binding: ByteBuf::from(vec![0; 40_000]) };
    let mut verdict = |content: &Content, kind| {
        let newcomer = forge(&thief, credential(content, kind));
        let (commit, mut refused) = group.commit(&[newcomer], &[], WALL).unwrap();
        assert_eq!(commit, None);
        refused.remove(0).1
    };
    assert_eq!(verdict(&stolen, 0xf0c1), NewcomerError::Binding);
    assert_eq!(verdict(&replayed, 0xf0c1), NewcomerError::Binding);
    assert!(matches!(verdict(&cut, 0xf0c1), NewcomerError::Member(MemberError::Chain(_))));
    assert_eq!(verdict(&empty, 0xf0c1), NewcomerError::Credential);
    assert_eq!(verdict(&long, 0xf0c1), NewcomerError::Credential);
    assert_eq!(verdict(&large, 0xf0c1), NewcomerError::Credential);
    assert!(group.commit(&[announce(&thief)], &[], WALL).unwrap().0.is_some());
}

#[test]
fn a_binding_counts_for_one_meeting_only() {
    let (here, there) = (Meeting::new(2), Meeting::new(1));
    let mut group = here.leaf(0).create(WALL).unwrap();
    let invitation = there.rehearsal.invitation.clone();
    let elsewhere = Leaf::new(&here.rehearsal.holders[1], Rules::new(invitation, here.rules.root.clone())).unwrap();
    let (commit, refused) = group.commit(&[announce(&elsewhere)], &[], WALL).unwrap();
    assert_eq!((commit, refused), (None, vec![(elsewhere.reference(), NewcomerError::Binding)]));
}

#[test]
fn a_group_of_another_level_or_meeting_is_not_entered() {
    let mut meeting = Meeting::new(2);
    let mut group = meeting.leaf(0).create(WALL).unwrap();
    let invitation = meeting.rehearsal.reissue(|content| content.level = conclave_model::Level::Secret).unwrap();
    let rules = Rules::new(invitation.clone(), meeting.rules.root.clone());
    let leaf = Leaf::new(&meeting.rehearsal.holders[1], rules).unwrap();
    let (commit, _) = group.commit(&[announce(&leaf)], &[], WALL).unwrap();
    assert_eq!(leaf.join(&commit.unwrap().welcome.unwrap(), WALL).err(), Some(JoinError::OtherGroup));
}

#[test]
fn a_group_with_somebody_uninvited_is_not_entered() {
    let (mut meeting, mut groups) = Meeting::started(3);
    groups.truncate(2);
    let uninvited = meeting.rehearsal.holders[1].person().fingerprint;
    let invitation = meeting.rehearsal.reissue(|content| {
        content.participants.retain(|listed| listed.fingerprint != uninvited);
    });
    let rules = Rules::new(invitation.unwrap().clone(), meeting.rules.root.clone());
    let leaf = Leaf::new(&meeting.rehearsal.holders[2], rules).unwrap();
    let (commit, _) = groups[0].commit(&[announce(&leaf)], &[], WALL).unwrap();
    let error = NewcomerError::Member(MemberError::NotListed);
    let expected = JoinError::Member { leaf: groups[1].me().0, error };
    assert_eq!(leaf.join(&commit.unwrap().welcome.unwrap(), WALL).err(), Some(expected));
}

#[test]
fn a_welcome_for_somebody_else_is_refused() {
    let meeting = Meeting::new(3);
    let mut group = meeting.leaf(0).create(WALL).unwrap();
    let (invited, other) = (meeting.leaf(1), meeting.leaf(2));
    let (commit, _) = group.commit(&[announce(&invited)], &[], WALL).unwrap();
    assert_eq!(other.join(&commit.unwrap().welcome.unwrap(), WALL).err(), Some(JoinError::Malformed));
}

#[test]
fn a_commit_in_the_clear_is_refused() {
    let (_meeting, mut groups) = Meeting::started(2);
    let group = &mut groups[0];
    let clear = MlsGroupJoinConfig::builder().wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY).build();
    group.mls.set_configuration(group.vault.storage(), &clear).unwrap();
    let commit = group.commit_update();
    assert_eq!(verdict(&mut groups[1], &commit), CommitError::Malformed);
}

#[test]
fn a_proposal_alone_and_a_message_in_the_place_of_a_commit_are_refused() {
    let (_meeting, mut groups) = Meeting::started(3);
    let epoch = groups[0].epoch();
    let group = &mut groups[0];
    let message = group.seal_message(b"no commit").unwrap();
    let proposal = group.mls.leave_group(&group.vault, &group.signer).unwrap().to_bytes().unwrap();
    for bytes in [proposal.into(), message] {
        let commit = PendingCommit { epoch, commit: bytes, welcome: None, added: vec![] };
        assert_eq!(verdict(&mut groups[1], &commit), CommitError::Malformed);
    }
    // A commit in the place of a message neither opens nor changes anything.
    let commit = groups[2].commit_update();
    assert!(groups[1].open_message(&commit.commit).is_err());
    assert!(groups[1].handle_commit(epoch, &commit.commit, WALL).is_ok());
}

/// Bytes near to `good`: cut, flipped, repeated, or nothing like it.
fn mutate(good: &[u8], random: &mut SmallRng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    match random.random_range(0..5) {
        0 => bytes.truncate(random.random_range(0..good.len())),
        1 => bytes.extend_from_within(..random.random_range(1..good.len())),
        2 => bytes = (0..random.random_range(0..200)).map(|_| random.random()).collect(),
        3 => {
            for _ in 0..8 {
                let at = random.random_range(0..bytes.len());
                bytes[at] = random.random();
            }
        }
        _ => {
            // Most structure is in the first bytes.
            let at = random.random_range(0..bytes.len().min(80));
            bytes[at] ^= 1 << random.random_range(0..8);
        }
    }
    bytes
}

#[test]
fn garbage_changes_nothing_and_never_panics() {
    let (meeting, mut groups) = Meeting::started(3);
    let mut random = SmallRng::seed_from_u64(7);
    groups.truncate(2);
    let newcomer = meeting.leaf(2);
    let (commit, _) = groups[1].commit(&[announce(&newcomer)], &[], WALL).unwrap();
    let commit = commit.unwrap();
    let message = groups[1].seal_message(b"message").unwrap();
    let frame = groups[1].seal_frame(&head(0), b"frame").unwrap();
    let welcome = commit.welcome.unwrap();
    let before = groups[0].epoch_authenticator();
    let honest = &mut groups[0];
    for _ in 0..300 {
        assert!(honest.handle_commit(commit.epoch, &mutate(&commit.commit, &mut random), WALL).is_err());
        assert!(honest.open_message(&mutate(&message, &mut random)).is_err());
        assert!(honest.open_frame(&head(0), &mutate(&frame, &mut random)).is_err());
        let (made, refused) = honest
            .commit(&[(newcomer.reference(), mutate(&newcomer.key_package(), &mut random).into())], &[], WALL)
            .unwrap();
        assert_eq!((made, refused.len()), (None, 1));
    }
    for _ in 0..30 {
        assert!(meeting.leaf(2).join(&mutate(&welcome, &mut random), WALL).is_err());
    }
    assert_eq!(honest.epoch_authenticator(), before);
    // The good ones still count.
    assert!(honest.open_frame(&head(0), &frame).is_ok());
    assert!(honest.open_message(&message).is_ok());
    assert!(honest.handle_commit(commit.epoch, &commit.commit, WALL).is_ok());
}
