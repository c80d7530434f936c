//! What members with bad intentions, relays and noise bring.

use conclave_identity::{MemberError, issue::Validity};
use conclave_model::{LeafIndex, Level};
use openmls::prelude::{
    Credential, CredentialWithKey, Extensions, GroupContext, KeyPackage, LeafNodeIndex, LeafNodeParameters,
    MIXED_PLAINTEXT_WIRE_FORMAT_POLICY, MlsGroupJoinConfig, OpenMlsProvider, Proposal,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::*;
use crate::{
    JoinError, Rejection, State,
    group::Keys,
    rules::{CIPHERSUITE, capabilities, extensions, lifetime},
};

/// What a member with bad intentions puts into a commit, past all rules of its own program.
#[derive(Default)]
pub(super) struct Malice {
    pub(super) proposals: Vec<Proposal>,
    pub(super) add: Vec<KeyPackage>,
    pub(super) remove: Vec<LeafIndex>,
    pub(super) state: Option<State>,
    pub(super) extensions: Option<Extensions<GroupContext>>,
    pub(super) leaf: LeafNodeParameters,
}

impl Group {
    /// A commit with whatever a hostile member builds, made known to others only.
    pub(super) fn hostile_commit(&mut self, malice: Malice) -> PendingCommit {
        let epoch = self.epoch();
        let Keys { vault, signer, .. } = &self.keys;
        let mut builder = self
            .mls
            .commit_builder()
            .force_self_update(true)
            .add_proposals(malice.proposals)
            .propose_adds(malice.add)
            .propose_removals(malice.remove.iter().map(|leaf| LeafNodeIndex::new(leaf.0)))
            .leaf_node_parameters(malice.leaf);
        if let Some(extensions) = malice.extensions.or_else(|| malice.state.as_ref().map(extensions)) {
            builder = builder.propose_group_context_extensions(extensions).unwrap();
        }
        let bundle = builder
            .load_psks(vault.storage())
            .unwrap()
            .build(vault.rand(), vault.crypto(), signer, |_| true)
            .unwrap()
            .stage_commit(vault)
            .unwrap();
        let commit = Bytes::from(bundle.commit().to_bytes().unwrap());
        let welcome = bundle.to_welcome_msg().map(|welcome| Bytes::from(welcome.to_bytes().unwrap()));
        PendingCommit { epoch, commit, welcome, added: vec![] }
    }

    /// Gives up a hostile commit, so that the next can be made.
    pub(super) fn drop_hostile_commit(&mut self) {
        self.mls.clear_pending_commit(self.keys.vault.storage()).unwrap();
    }

    /// A commit that only renews the committer's own keys.
    fn commit_update(&mut self) -> PendingCommit {
        self.hostile_commit(Malice::default())
    }
}

/// What an honest member says of a commit, after checking that it did not change anything.
pub(super) fn verdict(honest: &mut Group, commit: &PendingCommit) -> CommitError {
    let before = (honest.epoch_authenticator(), honest.state().clone(), honest.members().to_vec());
    let error = honest.follow(commit).unwrap_err();
    assert_eq!((honest.epoch_authenticator(), honest.state().clone(), honest.members().to_vec()), before);
    error
}

/// The reason for which all but the first of `groups` reject its commit.
fn rejection(groups: &mut [Group], commit: &PendingCommit) -> Rejection {
    rejection_of(groups, 0, commit)
}

/// The reason for which all others reject a commit of `hostile`. Checks that all of them go on in the same epoch.
pub(super) fn rejection_of(groups: &mut [Group], hostile: usize, commit: &PendingCommit) -> Rejection {
    let author = groups[hostile].me();
    switch(groups);
    let before = groups[hostile].seal_message(b"before").unwrap();
    let mut reasons = Vec::new();
    for (number, group) in groups.iter_mut().enumerate() {
        if number != hostile {
            let CommitError::Rejected { committer, reason } = verdict(group, commit) else { panic!("not rejected") };
            assert_eq!(committer, author);
            reasons.push(reason);
        }
    }
    assert!(reasons.windows(2).all(|pair| pair[0] == pair[1]), "{reasons:?}");
    // What was said before and after still opens, the offender's as well: the secrets of the epoch are as before.
    let messages: Vec<_> = groups.iter_mut().map(|group| group.seal_message(b"after").unwrap()).collect();
    let frames: Vec<_> = groups.iter_mut().map(|group| group.seal_frame(&head(0), b"frame").unwrap()).collect();
    for (number, group) in groups.iter_mut().enumerate().filter(|(number, _)| *number != hostile) {
        assert_eq!(group.open_message(&before), Ok((author, b"before".to_vec())));
        for other in (0..messages.len()).filter(|other| *other != number) {
            assert!(group.open_message(&messages[other]).is_ok());
            assert!(group.open_frame(&head(0), &frames[other]).is_ok());
        }
    }
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
    let (commit, refused) = groups[0].commit_members(&[announce(&newcomer)], &[]);
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
    let made = groups[0].commit(&work(&[announce(&newcomer)], &[]), WALL - 1).unwrap();
    assert_eq!(made.refused, []);
    let error = NewcomerError::Member(MemberError::ClearanceExpired(WALL));
    let reference = newcomer.reference();
    let commit = made.pending.unwrap();
    assert_eq!(rejection(&mut groups, &commit), Rejection::Newcomer { reference, error: error.clone() });
    // Nor would the newcomer's honest program enter, since its own check fails as well.
    let refused = newcomer.join(&commit.welcome.unwrap(), WALL).unwrap_err();
    assert!(matches!(refused, JoinError::Member { error: found, .. } if found == error));
}

#[test]
fn the_others_reject_a_second_leaf_for_one_certificate() {
    let (meeting, mut groups) = Meeting::started(3);
    let twin = meeting.leaf(2);
    let checked = groups[0].sort_newcomers(&[announce(&twin)], Level::Restricted, WALL).0.remove(0);
    let commit = groups[0].hostile_commit(Malice { add: vec![checked.key_package], ..Malice::default() });
    let twice = Rejection::Newcomer { reference: twin.reference(), error: NewcomerError::Twice };
    assert_eq!(rejection(&mut groups, &commit), twice);
}

#[test]
fn the_others_reject_a_committer_who_takes_another_identity() {
    let (_meeting, mut groups) = Meeting::started(3);
    let victim = groups[0].mls.member(LeafNodeIndex::new(groups[1].me().0)).unwrap().clone();
    let signature_key = groups[0].keys.signer.public().into();
    let leaf = LeafNodeParameters::builder()
        .with_credential_with_key(CredentialWithKey { credential: victim, signature_key })
        .build();
    let commit = groups[0].hostile_commit(Malice { leaf, ..Malice::default() });
    assert_eq!(rejection(&mut groups, &commit), Rejection::Committer);
}

/// The inside of a credential, as the wire has it.
#[derive(Serialize, Deserialize)]
struct Content {
    chain: Vec<ByteBuf>,
    media: ByteBuf,
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
    let stolen = Content { chain: contents(&victim).chain, media: own.media.clone(), binding: own.binding.clone() };
    let replayed = contents(&victim);
    let cut = Content { chain: own.chain[..1].to_vec(), media: own.media.clone(), binding: own.binding.clone() };
    let empty = Content { chain: vec![], media: own.media.clone(), binding: own.binding.clone() };
    let long = Content { chain: vec![own.chain[0].clone(); 7], media: own.media.clone(), binding: own.binding.clone() };
    let large = Content { chain: own.chain.clone(), media: own.media.clone(), binding: ByteBuf::from(vec![0; 40_000]) };
    let rekeyed = Content { chain: own.chain.clone(), media: ByteBuf::from(vec![1; 32]), binding: own.binding.clone() };
    let short = Content { chain: own.chain.clone(), media: ByteBuf::from(vec![1; 31]), binding: own.binding.clone() };
    let mut verdict = |content: &Content, kind| {
        let newcomer = forge(&thief, credential(content, kind));
        let (commit, mut refused) = group.commit_members(&[newcomer], &[]);
        assert_eq!(commit, None);
        refused.remove(0).1
    };
    assert_eq!(verdict(&stolen, 0xf0c1), NewcomerError::Binding);
    assert_eq!(verdict(&replayed, 0xf0c1), NewcomerError::Binding);
    assert!(matches!(verdict(&cut, 0xf0c1), NewcomerError::Member(MemberError::Chain(_))));
    assert_eq!(verdict(&rekeyed, 0xf0c1), NewcomerError::Binding);
    assert_eq!(verdict(&short, 0xf0c1), NewcomerError::Credential);
    assert_eq!(verdict(&own, 0x0001), NewcomerError::Credential);
    assert_eq!(verdict(&empty, 0xf0c1), NewcomerError::Credential);
    assert_eq!(verdict(&long, 0xf0c1), NewcomerError::Credential);
    assert_eq!(verdict(&large, 0xf0c1), NewcomerError::Credential);
    assert!(group.commit_members(&[announce(&thief)], &[]).0.is_some());
}

#[test]
fn a_binding_counts_for_one_meeting_only() {
    let (here, there) = (Meeting::new(2), Meeting::new(1));
    let mut group = here.leaf(0).create(WALL).unwrap();
    let invitation = there.rehearsal.invitation.clone();
    let elsewhere = Leaf::new(&here.rehearsal.holders[1], Rules::new(invitation, here.rules.root.clone())).unwrap();
    let (commit, refused) = group.commit_members(&[announce(&elsewhere)], &[]);
    assert_eq!((commit, refused), (None, vec![(elsewhere.reference(), NewcomerError::Binding)]));
}

#[test]
fn a_group_of_a_lower_level_than_the_invitation_says_is_not_entered() {
    let mut meeting = Meeting::new(2);
    let mut group = meeting.leaf(0).create(WALL).unwrap();
    let invitation = meeting.rehearsal.reissue(|content| content.level = Level::Secret).unwrap();
    let rules = Rules::new(invitation.clone(), meeting.rules.root.clone());
    let leaf = Leaf::new(&meeting.rehearsal.holders[1], rules).unwrap();
    let (commit, _) = group.commit_members(&[announce(&leaf)], &[]);
    let refused = JoinError::LevelBelow { found: Level::Restricted, floor: Level::Secret };
    assert_eq!(leaf.join(&commit.unwrap().welcome.unwrap(), WALL).err(), Some(refused));
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
    let (commit, _) = groups[0].commit_members(&[announce(&leaf)], &[]);
    let error = NewcomerError::Member(MemberError::NotListed);
    let expected = JoinError::Member { leaf: groups[1].me().0, error };
    assert_eq!(leaf.join(&commit.unwrap().welcome.unwrap(), WALL).err(), Some(expected));
}

#[test]
fn a_welcome_for_somebody_else_is_refused() {
    let meeting = Meeting::new(3);
    let mut group = meeting.leaf(0).create(WALL).unwrap();
    let (invited, other) = (meeting.leaf(1), meeting.leaf(2));
    let (commit, _) = group.commit_members(&[announce(&invited)], &[]);
    assert_eq!(other.join(&commit.unwrap().welcome.unwrap(), WALL).err(), Some(JoinError::Malformed));
}

#[test]
fn a_commit_in_the_clear_is_refused() {
    let (_meeting, mut groups) = Meeting::started(2);
    let group = &mut groups[0];
    let clear = MlsGroupJoinConfig::builder().wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY).build();
    group.mls.set_configuration(group.keys.vault.storage(), &clear).unwrap();
    let commit = group.commit_update();
    assert_eq!(verdict(&mut groups[1], &commit), CommitError::Malformed);
}

#[test]
fn a_proposal_alone_and_a_message_in_the_place_of_a_commit_are_refused() {
    let (_meeting, mut groups) = Meeting::started(3);
    let epoch = groups[0].epoch();
    let group = &mut groups[0];
    let message = group.seal_message(b"no commit").unwrap();
    let proposal = group.mls.leave_group(&group.keys.vault, &group.keys.signer).unwrap().to_bytes().unwrap();
    for bytes in [proposal.into(), message] {
        let commit = PendingCommit { epoch, commit: bytes, welcome: None, added: vec![] };
        assert_eq!(verdict(&mut groups[1], &commit), CommitError::Malformed);
    }
    // A commit in the place of a message neither opens nor changes anything.
    let commit = groups[2].commit_update();
    assert!(groups[1].open_message(&commit.commit).is_err());
    assert!(groups[1].handle_commit(epoch, &commit.commit, &|_| true, WALL).is_ok());
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
    let (commit, _) = groups[1].commit_members(&[announce(&newcomer)], &[]);
    let commit = commit.unwrap();
    let message = groups[1].seal_message(b"message").unwrap();
    let frame = groups[1].seal_frame(&head(0), b"frame").unwrap();
    let welcome = commit.welcome.clone().unwrap();
    let before = groups[0].epoch_authenticator();
    let honest = &mut groups[0];
    for _ in 0..300 {
        assert!(honest.handle_commit(commit.epoch, &mutate(&commit.commit, &mut random), &|_| true, WALL).is_err());
        assert!(honest.open_message(&mutate(&message, &mut random)).is_err());
        assert!(honest.open_frame(&head(0), &mutate(&frame, &mut random)).is_err());
        let broken = (newcomer.reference(), mutate(&newcomer.key_package(), &mut random).into());
        let (made, refused) = honest.commit_members(&[broken], &[]);
        assert_eq!((made, refused.len()), (None, 1));
    }
    for _ in 0..30 {
        assert!(meeting.leaf(2).join(&mutate(&welcome, &mut random), WALL).is_err());
    }
    assert_eq!(honest.epoch_authenticator(), before);
    // The good ones still count.
    assert!(honest.open_frame(&head(0), &frame).is_ok());
    assert!(honest.open_message(&message).is_ok());
    assert!(honest.follow(&commit).is_ok());
}
