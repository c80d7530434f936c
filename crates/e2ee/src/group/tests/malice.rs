//! A member that gets past its own program's rules, built on the raw MLS library.

use std::collections::BTreeSet;

use super::{
    hostile::{Malice, rejection_of, verdict},
    *,
};
use crate::{
    ConsentError, Member, Rejection, State,
    group::{Keys, intake::is_of_use},
    rules::{CIPHERSUITE, EXTENSION, capabilities, join_config, lifetime},
};
use conclave_identity::MemberError;
use conclave_model::LeafIndex;
use openmls::{
    prelude::{
        CredentialWithKey, Extension, Extensions, GroupContext, KeyPackage, LeafNode, LeafNodeParameters, MlsGroup,
        MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider, PreSharedKeyProposal, Proposal, ReInitProposal,
        RequiredCapabilitiesExtension, UnknownExtension,
        tls_codec::{DeserializeBytes, Serialize},
    },
    schedule::psk::{PreSharedKeyId, ResumptionPskUsage},
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::types::Ciphersuite;

fn package(leaf: &Leaf) -> KeyPackage {
    let message = MlsMessageIn::tls_deserialize_exact_bytes(&leaf.key_package()).unwrap();
    let MlsMessageBodyIn::KeyPackage(package) = message.extract() else { panic!("no key package") };
    package.validate(leaf.vault().crypto(), openmls::prelude::ProtocolVersion::Mls10).unwrap()
}

/// What the others say of a commit of `hostile`; afterwards all of them, the offender included, go on together.
fn refused(groups: &mut Vec<Group>, hostile: usize, malice: Malice) -> Rejection {
    let commit = groups[hostile].hostile_commit(malice);
    let reason = rejection_of(groups, hostile, &commit);
    // The offender is annulled, and behaves: a commit of its own for the same epoch is followed, and one of another's.
    groups[hostile].drop_hostile_commit();
    for committer in [hostile, (hostile + 1) % groups.len()] {
        carry_out(groups, committer, &Work { renew: true, ..Work::default() }, vec![]);
        assert_converged(groups);
    }
    reason
}

/// The state as the group has it, with a change.
fn changed(group: &Group, change: impl FnOnce(&mut State)) -> Option<State> {
    let mut state = group.state().clone();
    change(&mut state);
    Some(state)
}

fn member(groups: &[Group], person: usize) -> Member {
    groups[0].members()[person].clone()
}

#[test]
fn nobody_is_added_past_lobby_lock_clearance_and_ejection() {
    let (meeting, mut groups) = Meeting::governed();
    let late = meeting.leaf(LATE);
    let admit = |group: &Group, person: usize| changed(group, |state| state.admitted.extend([meeting.name(person)]));
    let newcomer = |leaf: &Leaf, error| Rejection::Newcomer { reference: leaf.reference(), error };

    let malice = Malice { add: vec![package(&late)], state: admit(&groups[DELEGATE], LATE), ..Malice::default() };
    let reason = refused(&mut groups, DELEGATE, malice);
    assert_eq!(reason, newcomer(&late, NewcomerError::NotAdmitted), "past the lobby");

    let malice = Malice { add: vec![package(&late)], ..Malice::default() };
    assert_eq!(refused(&mut groups, CHAIR, malice), Rejection::State, "the chair, without noting it");

    carry_out(&mut groups, CHAIR, &order(Order::Lock(true)), vec![]);
    let malice = Malice { add: vec![package(&late)], state: admit(&groups[CHAIR], LATE), ..Malice::default() };
    let reason = refused(&mut groups, CHAIR, malice);
    assert_eq!(reason, newcomer(&late, NewcomerError::Locked), "into a locked meeting");
    carry_out(&mut groups, CHAIR, &order(Order::Lock(false)), vec![]);

    carry_out(&mut groups, CHAIR, &order(Order::Level { to: Level::Secret, consent: None }), vec![]);
    groups.pop();
    let low = meeting.leaf(LATE_LOW);
    let malice = Malice { add: vec![package(&low)], state: admit(&groups[CHAIR], LATE_LOW), ..Malice::default() };
    let error = MemberError::NotCleared { needed: Level::Secret, found: Some(Level::Restricted) };
    let reason = refused(&mut groups, CHAIR, malice);
    assert_eq!(reason, newcomer(&low, NewcomerError::Member(error)), "not cleared");

    let gone = member(&groups, DELEGATE).reference;
    carry_out(&mut groups, CHAIR, &order(Order::Eject(gone)), vec![]);
    groups.pop();
    let again = meeting.leaf(DELEGATE);
    let malice = Malice { add: vec![package(&again)], state: admit(&groups[CHAIR], DELEGATE), ..Malice::default() };
    let reason = refused(&mut groups, CHAIR, malice);
    assert_eq!(reason, newcomer(&again, NewcomerError::Ejected), "ejected");
    // Nor by a chair that takes the ejection back.
    let state = changed(&groups[CHAIR], |state| {
        state.ejected.clear();
        state.admitted.insert(meeting.name(DELEGATE));
    });
    let malice = Malice { add: vec![package(&again)], state, ..Malice::default() };
    assert_eq!(refused(&mut groups, CHAIR, malice), newcomer(&again, NewcomerError::Ejected));
    let state = changed(&groups[CHAIR], |state| state.ejected.clear());
    assert_eq!(refused(&mut groups, CHAIR, Malice { state, ..Malice::default() }), Rejection::State);
}

#[test]
fn nobody_but_the_chair_removes_a_member_who_is_here() {
    let (_meeting, mut groups) = Meeting::governed();
    for victim in [CHAIR, ORIGINATOR, LOW] {
        let Member { leaf, reference, .. } = member(&groups, victim);
        let malice = Malice { remove: vec![leaf], ..Malice::default() };
        assert_eq!(refused(&mut groups, DELEGATE, malice), Rejection::Removal { reference });
    }
}

#[test]
fn an_old_key_package_does_not_put_out_whose_it_is() {
    let (meeting, mut groups) = Meeting::governed();
    let old = meeting.leaf(LOW);
    let Member { leaf, reference, .. } = member(&groups, LOW);
    let malice = Malice { add: vec![package(&old)], remove: vec![leaf], ..Malice::default() };
    let commit = groups[DELEGATE].hostile_commit(malice);
    let is_present = |leaf| leaf != old.reference();
    let committer = member(&groups, DELEGATE).leaf;
    for person in [CHAIR, ORIGINATOR, LOW] {
        let verdict = groups[person].handle_commit(commit.epoch, &commit.commit, &is_present, WALL);
        assert_eq!(verdict, Err(CommitError::Rejected { committer, reason: Rejection::Removal { reference } }));
    }
}

#[test]
fn a_removed_member_objects_even_where_the_relay_calls_it_gone() {
    let (_meeting, mut groups) = Meeting::governed();
    let Member { leaf, reference, .. } = member(&groups, LOW);
    let commit = groups[DELEGATE].hostile_commit(Malice { remove: vec![leaf], ..Malice::default() });
    let verdict = groups[LOW].handle_commit(commit.epoch, &commit.commit, &|_| false, WALL);
    let committer = member(&groups, DELEGATE).leaf;
    assert_eq!(verdict, Err(CommitError::Rejected { committer, reason: Rejection::Removal { reference } }));
}

#[test]
fn nobody_changes_what_the_group_agreed_on_without_right() {
    let (meeting, mut groups) = Meeting::governed();
    type Turn = fn(&mut State);
    let turns: [(usize, Turn, Rejection); 9] = [
        (DELEGATE, |state| state.locked = true, Rejection::NotChair),
        (DEPUTY, |state| state.locked = true, Rejection::NotChair),
        (DEPUTY, |state| state.level = Level::Secret, Rejection::NotChair),
        (CHAIR, |state| (state.level, state.locked) = (Level::Secret, true), Rejection::State),
        (CHAIR, |state| state.level_changes += 1, Rejection::State),
        (CHAIR, |state| state.admitted = BTreeSet::new(), Rejection::State),
        (CHAIR, |state| state.admitted.extend([Fingerprint([7; 32])]), Rejection::State),
        (CHAIR, |state| state.ejected.extend([Fingerprint([7; 32])]), Rejection::State),
        (CHAIR, |state| state.meeting = conclave_model::MeetingId([7; 16]), Rejection::State),
    ];
    for (number, (author, turn, expected)) in turns.into_iter().enumerate() {
        let state = changed(&groups[author], turn);
        assert_eq!(refused(&mut groups, author, Malice { state, ..Malice::default() }), expected, "turn {number}");
    }
    // Somebody who stays in is ejected.
    let name = meeting.name(LOW);
    let reference = member(&groups, LOW).reference;
    let state = changed(&groups[CHAIR], |state| {
        state.admitted.remove(&name);
        state.ejected.insert(name);
    });
    let reason = refused(&mut groups, CHAIR, Malice { state, ..Malice::default() });
    assert_eq!(reason, Rejection::Stays { reference });
}

#[test]
fn nobody_changes_the_extensions_of_the_group() {
    let (_meeting, mut groups) = Meeting::governed();
    let whole = groups[CHAIR].state().to_bytes();
    let required = || {
        Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(
            &[openmls::prelude::ExtensionType::Unknown(EXTENSION)],
            &[],
            &[crate::rules::CREDENTIAL_TYPE],
        ))
    };
    let state = |bytes: &[u8]| Extension::Unknown(EXTENSION, UnknownExtension(bytes.to_vec()));
    let broken: [Vec<Extension>; 4] = [
        vec![],
        vec![required()],
        vec![required(), state(&whole[..whole.len() - 1])],
        vec![required(), state(&[&whole[..], &[0]].concat())],
    ];
    for extensions in broken {
        let extensions: Option<Extensions<GroupContext>> = Some(Extensions::from_vec(extensions).unwrap());
        let reason = refused(&mut groups, CHAIR, Malice { extensions, ..Malice::default() });
        assert_eq!(reason, Rejection::State);
    }
}

#[test]
fn nobody_lowers_the_level_without_the_originators_fresh_consent() {
    let (mut meeting, mut groups) = Meeting::governed();
    let originator = meeting.rehearsal.holders[ORIGINATOR].clone();
    let old = groups[ORIGINATOR].make_consent(&originator, Level::Unclassified).unwrap();
    carry_out(&mut groups, CHAIR, &order(Order::Level { to: Level::Secret, consent: None }), vec![]);
    groups.pop();
    let given = groups[ORIGINATOR].make_consent(&originator, Level::Restricted).unwrap();
    let mut forged = given.clone();
    forged.signature_mut()[30] ^= 1;
    // The chair signs for the originator, by rules that say so; the originator signs for another meeting.
    let name = meeting.name(CHAIR);
    let invitation = meeting.rehearsal.reissue(|content| content.originator = Some(name)).unwrap().clone();
    let holders = &meeting.rehearsal.holders;
    let rules = Rules::new(invitation, meeting.rules.root.clone());
    let foreign = crate::Consent::make(&holders[CHAIR], &rules, groups[CHAIR].state(), Level::Restricted).unwrap();
    let elsewhere = State { meeting: conclave_model::MeetingId([7; 16]), ..groups[CHAIR].state().clone() };
    let elsewhere = crate::Consent::make(&holders[ORIGINATOR], &meeting.rules, &elsewhere, Level::Restricted).unwrap();

    let lower = |group: &Group, to, consent: Option<crate::Consent>| {
        changed(group, |state| {
            (state.level, state.level_changes, state.consent) = (to, state.level_changes + 1, consent)
        })
    };
    let rows = [
        (CHAIR, Level::Restricted, None, Rejection::Consent(ConsentError::Missing)),
        (CHAIR, Level::Unclassified, Some(old), Rejection::Consent(ConsentError::Other)),
        (CHAIR, Level::Unclassified, Some(given.clone()), Rejection::Consent(ConsentError::Other)),
        (CHAIR, Level::Restricted, Some(forged), Rejection::Consent(ConsentError::Signature)),
        (CHAIR, Level::Restricted, Some(foreign), Rejection::Consent(ConsentError::NotOriginator)),
        (CHAIR, Level::Restricted, Some(elsewhere), Rejection::Consent(ConsentError::Signature)),
        (ORIGINATOR, Level::Restricted, Some(given.clone()), Rejection::NotChair),
    ];
    for (number, (author, to, consent, expected)) in rows.into_iter().enumerate() {
        let state = lower(&groups[author], to, consent);
        assert_eq!(refused(&mut groups, author, Malice { state, ..Malice::default() }), expected, "row {number}");
    }
    // Through the key renewals in between, the agreement still counts.
    carry_out(&mut groups, CHAIR, &order(Order::Level { to: Level::Restricted, consent: Some(given) }), vec![]);
    assert_converged(&groups);
}

#[test]
fn nobody_raises_the_level_above_the_ceiling_or_with_the_uncleared_in() {
    let (meeting, mut groups) = Meeting::governed();
    let Member { leaf, reference, .. } = member(&groups, LOW);
    let raise = |group: &Group, to| changed(group, |state| (state.level, state.level_changes) = (to, 1));
    let state = raise(&groups[CHAIR], Level::Secret);
    let reason = refused(&mut groups, CHAIR, Malice { state, ..Malice::default() });
    assert_eq!(reason, Rejection::Stays { reference });
    let state = raise(&groups[CHAIR], Level::TopSecret);
    let reason = refused(&mut groups, CHAIR, Malice { state, remove: vec![leaf], ..Malice::default() });
    assert_eq!(reason, Rejection::Ceiling(Level::Secret));
    // Nor is one let in by the commit that raises.
    let low = meeting.leaf(LATE_LOW);
    let state = raise(&groups[CHAIR], Level::Secret).map(|mut state| {
        state.admitted.insert(meeting.name(LATE_LOW));
        state
    });
    let malice = Malice { state, remove: vec![leaf], add: vec![package(&low)], ..Malice::default() };
    let error = MemberError::NotCleared { needed: Level::Secret, found: Some(Level::Restricted) };
    let expected = Rejection::Newcomer { reference: low.reference(), error: NewcomerError::Member(error) };
    assert_eq!(refused(&mut groups, CHAIR, malice), expected);
    // The counter has to say so.
    let state = changed(&groups[CHAIR], |state| state.level = Level::Secret);
    assert_eq!(
        refused(&mut groups, CHAIR, Malice { state, remove: vec![leaf], ..Malice::default() }),
        Rejection::State
    );
}

#[test]
fn nobody_takes_another_leaf_than_the_one_that_was_checked() {
    let (meeting, mut groups) = Meeting::governed();
    let signature_key: openmls::prelude::SignaturePublicKey = groups[DELEGATE].keys.signer.public().into();
    let with = |credential| {
        LeafNodeParameters::builder()
            .with_credential_with_key(CredentialWithKey { credential, signature_key: signature_key.clone() })
            .build()
    };
    let chairs = groups[CHAIR].mls.credential().unwrap().clone();
    let reason = refused(&mut groups, DELEGATE, Malice { leaf: with(chairs), ..Malice::default() });
    assert_eq!(reason, Rejection::Committer, "the chair's certificate");
    let fresh = meeting.leaf(DELEGATE).credential().clone();
    let reason = refused(&mut groups, DELEGATE, Malice { leaf: with(fresh), ..Malice::default() });
    assert_eq!(reason, Rejection::Committer, "another media key");
    let more: Extensions<LeafNode> =
        Extensions::single(Extension::Unknown(EXTENSION, UnknownExtension(vec![0; 1000]))).unwrap();
    let leaf = LeafNodeParameters::builder().with_extensions(more).build();
    assert_eq!(refused(&mut groups, DELEGATE, Malice { leaf, ..Malice::default() }), Rejection::Committer);
}

#[test]
fn proposals_of_other_kinds_are_refused() {
    let (_meeting, mut groups) = Meeting::governed();
    let (group_id, epoch) = (groups[CHAIR].mls.group_id().clone(), groups[CHAIR].mls.epoch());
    let secret = PreSharedKeyId::resumption(ResumptionPskUsage::Application, group_id.clone(), epoch, vec![1; 48]);
    let secret = Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(secret)));
    let anew = [
        group_id.tls_serialize_detached().unwrap(),
        openmls::prelude::ProtocolVersion::Mls10.tls_serialize_detached().unwrap(),
        Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519.tls_serialize_detached().unwrap(),
        vec![0],
    ];
    let anew = ReInitProposal::tls_deserialize_exact_bytes(&anew.concat()).unwrap();
    // A weaker suite by a new group. The library's builder leaves it out of commits, so it is shown to the rule itself.
    for proposal in [&Proposal::ReInit(Box::new(anew)), &secret] {
        assert!(!is_of_use(proposal));
    }
    let commit = groups[CHAIR].hostile_commit(Malice { proposals: vec![secret], ..Malice::default() });
    let committer = groups[CHAIR].me();
    for group in &mut groups[1..] {
        let rejected = CommitError::Rejected { committer, reason: Rejection::Proposal };
        let verdict = verdict(group, &commit);
        // A secret that the library does not find makes it no commit at all.
        assert!(verdict == rejected || verdict == CommitError::Malformed, "{verdict:?}");
    }
    groups[CHAIR].drop_hostile_commit();
    carry_out(&mut groups, DELEGATE, &Work { renew: true, ..Work::default() }, vec![]);
    assert_converged(&groups);
}

#[test]
fn a_commit_from_outside_is_refused() {
    let (meeting, mut groups) = Meeting::governed();
    let outsider = meeting.leaf(LATE);
    let Keys { vault, signer, .. } = &groups[CHAIR].keys;
    // A member gives away what it takes to come in from outside.
    let info = groups[CHAIR].mls.export_group_info(vault.crypto(), signer, true).unwrap().to_bytes().unwrap();
    let MlsMessageBodyIn::GroupInfo(info) = MlsMessageIn::tls_deserialize_exact_bytes(&info).unwrap().extract() else {
        panic!("no group info")
    };
    let credential = CredentialWithKey {
        credential: outsider.credential().clone(),
        signature_key: outsider.signer().public().into(),
    };
    let (_, bundle) = MlsGroup::external_commit_builder()
        .with_config(join_config())
        .skip_lifetime_validation()
        .build_group(outsider.vault(), info, credential)
        .unwrap()
        .leaf_node_parameters(LeafNodeParameters::builder().with_capabilities(capabilities()).build())
        .load_psks(outsider.vault().storage())
        .unwrap()
        .build(outsider.vault().rand(), outsider.vault().crypto(), outsider.signer(), |_| true)
        .unwrap()
        .finalize(outsider.vault())
        .unwrap();
    let commit = Bytes::from(bundle.commit().to_bytes().unwrap());
    let commit = PendingCommit { epoch: groups[CHAIR].epoch(), commit, welcome: None, added: vec![] };
    for group in &mut groups {
        assert_eq!(verdict(group, &commit), CommitError::Malformed);
    }
    carry_out(&mut groups, CHAIR, &Work { renew: true, ..Work::default() }, vec![]);
    assert_converged(&groups);
}

#[test]
fn a_key_package_of_a_weaker_suite_is_refused() {
    const WEAKER: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
    let (meeting, groups) = Meeting::governed();
    let leaf = meeting.leaf(LATE);
    let signer = SignatureKeyPair::new(WEAKER.signature_algorithm()).unwrap();
    let media = [1; 32];
    let holder = &meeting.rehearsal.holders[LATE];
    let credential = crate::credential::make(holder, meeting.rules.meeting(), media, signer.public()).unwrap();
    let credential = CredentialWithKey { credential, signature_key: signer.public().into() };
    let mut able = capabilities();
    for suite in [CIPHERSUITE, WEAKER] {
        able = openmls::prelude::Capabilities::builder()
            .ciphersuites(vec![suite, WEAKER])
            .extensions(able.extensions().to_vec())
            .credentials(able.credentials().to_vec())
            .build();
    }
    let bundle = KeyPackage::builder()
        .leaf_node_capabilities(able)
        .key_package_lifetime(lifetime())
        .build(WEAKER, leaf.vault(), &signer, credential)
        .unwrap();
    let bytes = openmls::prelude::MlsMessageOut::from(bundle.key_package().clone()).to_bytes().unwrap();
    let reference = crate::credential::reference(leaf.vault(), signer.public());
    let refused = groups[CHAIR].check_newcomer(reference, &bytes, WALL).unwrap_err();
    assert_eq!(refused.error, NewcomerError::KeyPackage);
}

#[test]
fn a_name_that_looks_like_anothers_admits_nobody() {
    let (meeting, groups) = Meeting::governed();
    let spec = conclave_identity::issue::delegate(LATE, WALL);
    let validity = Validity::days(WALL, 1);
    // The same name and seat by the same CA, and by another CA of the same name.
    let twin = meeting.rehearsal.authority.issue_credential(&spec, validity).unwrap();
    let stranger = conclave_identity::issue::Authority::create("Rehearsal", validity).unwrap();
    let double = stranger.issue_credential(&spec, validity).unwrap();
    let verdict = |holder: &Holder| {
        let leaf = meeting.leaf_of(holder);
        groups[CHAIR].check_newcomer(leaf.reference(), &leaf.key_package(), WALL).unwrap_err()
    };
    let twin = verdict(twin.holder());
    assert_eq!(twin.error, NewcomerError::Member(MemberError::NotListed));
    assert_eq!(twin.person.map(|person| person.name), Some(spec.name.clone()), "proven, if not invited");
    let double = verdict(double.holder());
    assert!(matches!(double.error, NewcomerError::Member(MemberError::Chain(_))));
    assert_eq!(double.person, None, "no name is shown that nobody vouches for");
    // Letters of another script, or marks that turn the direction, get no certificate to begin with.
    for name in [spec.name.replace('a', "\u{430}"), format!("\u{202e}{}", spec.name)] {
        let spec = conclave_identity::issue::PersonSpec { name, ..spec.clone() };
        assert!(meeting.rehearsal.authority.issue_credential(&spec, validity).is_err(), "{:?}", spec.name);
    }
}

#[test]
fn a_welcome_into_a_state_that_no_rules_lead_to_is_refused() {
    use crate::JoinError;
    type Turn = fn(&mut State, Fingerprint);
    type Verdict = fn(&JoinError) -> bool;
    let turns: [(Turn, Verdict); 6] = [
        (|state, _| state.level = Level::Secret, |error| *error == JoinError::OtherGroup),
        (|state, _| state.level = Level::Unclassified, |error| matches!(error, JoinError::LevelBelow { .. })),
        (
            |state, _| (state.level, state.level_changes) = (Level::TopSecret, 1),
            |error| matches!(error, JoinError::LevelAbove { .. }),
        ),
        (|state, _| state.meeting = conclave_model::MeetingId([7; 16]), |error| *error == JoinError::OtherGroup),
        (
            |state, me| state.ejected.extend([me]),
            |error| matches!(error, JoinError::Member { error: NewcomerError::Ejected, .. }),
        ),
        (
            |state, me| state.admitted.retain(|name| *name != me),
            |error| matches!(error, JoinError::Member { error: NewcomerError::NotAdmitted, .. }),
        ),
    ];
    for (number, (turn, expected)) in turns.into_iter().enumerate() {
        let (meeting, mut groups) = Meeting::governed();
        let leaf = meeting.leaf(LATE);
        let state = changed(&groups[CHAIR], |state| {
            state.admitted.insert(meeting.name(LATE));
            turn(state, meeting.name(LATE));
        });
        let commit = groups[CHAIR].hostile_commit(Malice { add: vec![package(&leaf)], state, ..Malice::default() });
        let refused = leaf.join(&commit.welcome.unwrap(), WALL).unwrap_err();
        assert!(expected(&refused), "turn {number}: {refused}");
    }
    let _ = LeafIndex(0);
}
