//! Who is in, as all see it.

use super::*;
use crate::{CommitError, LeafError, MessageError, NewcomerError};
use conclave_identity::MemberError;
use openmls::prelude::OpenMlsProvider;
use openmls_basic_credential::SignatureKeyPair;

#[test]
fn groups_of_two_to_eight_converge_at_each_commit() {
    for people in 2..=8 {
        let meeting = Meeting::new(people);
        let mut groups = vec![meeting.leaf(0).create(WALL).unwrap()];
        for person in 1..people {
            let committer = person / 2;
            let change = change(&mut groups, committer, vec![meeting.leaf(person)], &[]);
            assert_eq!(change.added.len(), 1);
            assert_eq!(change.added[0].person.name, meeting.rehearsal.holders[person].person().name);
            assert_converged(&groups);
        }
        let gone = groups.remove(people / 2);
        let last = groups.len() - 1;
        let change = change(&mut groups, last, vec![], &[gone.members()[people / 2].reference]);
        assert_eq!(change.removed.len(), 1);
        assert_eq!(groups[0].members().len(), people - 1);
        assert_converged(&groups);
    }
}

#[test]
fn one_commit_adds_and_removes_many() {
    let (meeting, mut groups) = Meeting::started(5);
    let gone: Vec<LeafRef> = groups[0].members()[3..].iter().map(|member| member.reference).collect();
    groups.truncate(3);
    let change = change(&mut groups, 1, vec![meeting.leaf(3), meeting.leaf(4)], &gone);
    assert_eq!((change.added.len(), change.removed.len()), (2, 2));
    assert_converged(&groups);
}

#[test]
fn a_newcomer_replaces_the_ghost_with_the_same_certificate() {
    let (meeting, mut groups) = Meeting::started(4);
    let ghost = groups.remove(2);
    let change = change(&mut groups, 0, vec![meeting.leaf(2)], &[]);
    assert_eq!(change.removed.iter().map(|member| member.leaf).collect::<Vec<_>>(), [ghost.me()]);
    assert_eq!(groups[0].members().len(), 4);
    assert_converged(&groups);
}

#[test]
fn a_committer_leaves_out_whom_it_must_refuse() {
    let (meeting, mut groups) = Meeting::started(2);
    let stranger = Rehearsal::new(&RehearsalSpec::new(3, WALL)).unwrap();
    let uninvited = meeting.rehearsal.authority.issue_credential(
        &conclave_identity::issue::delegate(9, WALL),
        conclave_identity::issue::Validity::days(WALL, 1),
    );
    let uninvited = meeting.leaf_of(uninvited.unwrap().holder());
    let foreign = meeting.leaf_of(&stranger.holders[2]);
    let own = meeting.leaf(0);
    let swapped = (meeting.leaf(1).reference(), meeting.leaf(1).key_package());
    let newcomers = [
        announce(&uninvited),
        announce(&foreign),
        announce(&own),
        swapped.clone(),
        (LeafRef([1; 16]), Bytes::from_static(b"garbage")),
    ];
    let (pending, refused) = groups[0].commit_members(&newcomers, &[]);
    assert_eq!(pending, None);
    let errors: Vec<_> = refused.into_iter().map(|(_, error)| error).collect();
    assert_eq!(errors[0], NewcomerError::Member(MemberError::NotListed));
    assert!(matches!(errors[1], NewcomerError::Member(MemberError::Chain(_))));
    assert_eq!(errors[2..], [NewcomerError::Own, NewcomerError::Reference, NewcomerError::KeyPackage]);
    assert!(!groups[0].has_pending_commit());
}

#[test]
fn nothing_to_do_is_no_commit() {
    let (_meeting, mut groups) = Meeting::started(2);
    let myself = groups[0].members()[0].reference;
    let (pending, refused) = groups[0].commit_members(&[], &[LeafRef([7; 16]), myself]);
    assert_eq!((pending, refused), (None, vec![]));
}

#[test]
fn of_two_commits_for_one_epoch_one_is_refused_and_made_again() {
    let (meeting, mut groups) = Meeting::started(3);
    let gone = groups[0].members()[2].reference;
    groups.truncate(2);
    let late = Meeting::leaf(&meeting, 2);
    let (first, _) = groups[0].commit_members(&[], &[gone]);
    let (second, _) = groups[1].commit_members(&[announce(&late)], &[]);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.epoch, second.epoch);
    assert_eq!(groups[1].commit(&work(&[], &[gone]), WALL).err(), Some(CommitError::Pending));

    // The relay took the first. Whether it says so before or after makes no difference.
    for group in &mut groups {
        group.follow(&first).unwrap();
    }
    groups[1].commit_refused();
    assert_converged(&groups);
    let stale = groups[0].follow(&second);
    assert_eq!(stale, Err(CommitError::Epoch { expected: groups[0].epoch(), found: second.epoch }));

    // The newcomer was not let in by the void commit; the next one does it.
    change(&mut groups, 1, vec![late], &[]);
    assert_converged(&groups);
}

#[test]
fn a_refused_commit_leaves_no_trace() {
    let (_meeting, mut groups) = Meeting::started(3);
    let gone = groups[0].members()[2].reference;
    let before = groups[0].epoch_authenticator();
    groups[0].commit_members(&[], &[gone]);
    groups[0].commit_refused();
    assert_eq!(groups[0].epoch_authenticator(), before);
    assert_eq!(groups[0].commit_accepted(), Err(CommitError::NonePending));
    change(&mut groups, 0, vec![], &[gone]);
    groups.truncate(2);
    assert_converged(&groups);
}

#[test]
fn who_is_removed_knows_it_and_has_no_keys() {
    let (_meeting, mut groups) = Meeting::started(3);
    let gone = groups[0].members()[1].reference;
    change(&mut groups, 0, vec![], &[gone]);
    let removed = &mut groups[1];
    assert_eq!(removed.members(), []);
    assert_eq!(removed.epochs_kept(), 0);
    assert_eq!(removed.seal_frame(&head(0), b"?"), Err(crate::SealError::NoMember));
    assert_eq!(removed.seal_message(b"?"), Err(MessageError::NoMember));
    assert_eq!(removed.open_message(b"?"), Err(MessageError::NoMember));
    assert_eq!(removed.commit(&Work::default(), WALL).err(), Some(CommitError::NoMember));
    assert_eq!(removed.handle_commit(Epoch(9), b"?", &|_| true, WALL), Err(CommitError::NoMember));
}

#[test]
fn messages_name_their_sender_and_open_once() {
    let (_meeting, mut groups) = Meeting::started(3);
    let message = groups[1].seal_message(b"microphone on").unwrap();
    let sender = groups[1].me();
    assert_eq!(groups[0].open_message(&message), Ok((sender, b"microphone on".to_vec())));
    assert_eq!(groups[2].open_message(&message), Ok((sender, b"microphone on".to_vec())));
    assert_eq!(groups[2].open_message(&message), Err(MessageError::Malformed));
    assert_eq!(groups[1].open_message(&message), Err(MessageError::Malformed));
}

#[test]
fn a_message_that_a_commit_overtook_still_opens_unless_its_sender_is_gone() {
    let (meeting, mut groups) = Meeting::started(4);
    let overtaken = groups[1].seal_message(b"here").unwrap();
    let late = groups[2].seal_message(b"gone").unwrap();
    let leaver = groups.remove(2);
    let name = groups[0].members()[2].reference;
    // The newcomer takes the leaver's place in the tree.
    change(&mut groups, 0, vec![meeting.leaf(2)], &[name]);
    assert_eq!(groups.last().map(Group::me), Some(leaver.me()));
    let sender = groups[1].me();
    assert_eq!(groups[0].open_message(&overtaken), Ok((sender, b"here".to_vec())));
    assert_eq!(groups[0].open_message(&late), Err(MessageError::SenderGone));
}

#[test]
fn nobody_makes_a_group_that_their_own_credential_does_not_admit_to() {
    let mut meeting = Meeting::new(2);
    let dropped = meeting.rehearsal.holders[1].person().fingerprint;
    let left = meeting.rehearsal.reissue(|content| {
        content.participants.retain(|listed| listed.fingerprint != dropped);
    });
    meeting.rules = Rules::new(left.unwrap().clone(), meeting.rules.root.clone());
    let refused = LeafError::Myself(NewcomerError::Member(MemberError::NotListed));
    assert_eq!(meeting.leaf(1).create(WALL).err(), Some(refused));
    assert!(meeting.leaf(0).create(WALL).is_ok());
}

#[test]
fn no_secret_shows_in_debug_output() {
    let (meeting, mut groups) = Meeting::started(2);
    let leaf = meeting.leaf(0);
    let memory = groups[0].memory();
    let pending = groups[0].commit(&Work { renew: true, ..Work::default() }, WALL).unwrap().pending.unwrap();
    let group = &groups[0];
    let short = format!("{group:?} {leaf:?}");
    assert!(short.len() < 400, "{short}");
    assert!(!short.contains(&meeting.rehearsal.holders[0].person().name));
    let (keys, members) = (&group.keys, group.members());
    let shown = format!(
        "{group:?} {group:#?} {leaf:?} {:?} {:?} {:?} {pending:?} {memory:?} {members:?} {:?} {:?} {:?} {:?}",
        keys.media, keys.signer, keys.vault, group.pulses, group.frames, group.roster, meeting.rules
    );
    let exported = group.mls.export_secret(keys.vault.crypto(), "SFrame 1.0 Base Key", b"", 32).unwrap();
    let secrets =
        [keys.media.seed(), group.epoch_authenticator(), exported, private(&keys.signer), private(leaf.signer())];
    for (number, secret) in secrets.iter().enumerate() {
        assert!(secret.len() >= 32, "secret {number} is not there");
        let decimal: Vec<String> = secret[..8].iter().map(u8::to_string).collect();
        let hexadecimal: String = secret[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [decimal.join(", "), decimal.join(",\n"), hexadecimal.to_uppercase(), hexadecimal] {
            assert!(!shown.contains(&text), "secret {number}");
        }
    }
}

/// The private part of a leaf's signature key.
fn private(signer: &SignatureKeyPair) -> Vec<u8> {
    #[derive(serde::Deserialize)]
    struct Pair {
        private: Vec<u8>,
    }
    let mut bytes = Vec::new();
    ciborium::into_writer(signer, &mut bytes).unwrap();
    ciborium::from_reader::<Pair, _>(bytes.as_slice()).unwrap().private
}
