//! What a member with valid keys can put beneath the authentication: garbled states, credentials and identities.
//!
//! `CONCLAVE_FUZZ_SEED` and `CONCLAVE_FUZZ_ROUNDS` play others than continuous integration does.

use super::{
    hostile::{Malice, verdict},
    *,
};
use crate::{
    Rejection, State,
    rules::{CIPHERSUITE, CREDENTIAL_TYPE, EXTENSION, capabilities, lifetime},
};
use openmls::prelude::{
    Credential, CredentialWithKey, Extension, ExtensionType, Extensions, KeyPackage, LeafNodeParameters, MlsMessageOut,
    RequiredCapabilitiesExtension, UnknownExtension,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn random() -> SmallRng {
    SmallRng::seed_from_u64(from_environment("CONCLAVE_FUZZ_SEED", 7))
}

fn rounds() -> u64 {
    from_environment("CONCLAVE_FUZZ_ROUNDS", 40)
}

/// Some bytes with one to three changes.
fn garbled(valid: &[u8], random: &mut SmallRng) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..6) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            2 if at < bytes.len() => bytes[at] = random.random(),
            3 => bytes.insert(at, random.random()),
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..(at + random.random_range(0..40)).min(bytes.len()))),
            _ => bytes.extend_from_slice(&valid[at.min(valid.len())..]),
        }
    }
    bytes
}

#[test]
fn no_garbled_state_of_a_delegate_is_followed() {
    let (_meeting, mut groups) = Meeting::governed();
    let (mut random, valid) = (random(), groups[CHAIR].state().to_bytes());
    for round in 0..rounds() {
        let bytes = garbled(&valid, &mut random);
        if bytes == valid {
            continue;
        }
        assert!(State::from_bytes(&bytes).is_none_or(|state| state.to_bytes() == bytes), "one encoding for each");
        let required =
            RequiredCapabilitiesExtension::new(&[ExtensionType::Unknown(EXTENSION)], &[], &[CREDENTIAL_TYPE]);
        let extensions = Extensions::from_vec(vec![
            Extension::RequiredCapabilities(required),
            Extension::Unknown(EXTENSION, UnknownExtension(bytes)),
        ]);
        let malice = Malice { extensions: Some(extensions.unwrap()), ..Malice::default() };
        let commit = groups[DELEGATE].hostile_commit(malice);
        let error = verdict(&mut groups[CHAIR], &commit);
        assert!(matches!(error, CommitError::Rejected { .. } | CommitError::Malformed), "round {round}: {error}");
        groups[DELEGATE].drop_hostile_commit();
    }
    carry_out(&mut groups, DELEGATE, &Work { renew: true, ..Work::default() }, vec![]);
    assert_converged(&groups);
}

#[test]
fn no_garbled_credential_makes_a_member() {
    let (meeting, mut groups) = Meeting::governed();
    let mut random = random();
    for round in 0..rounds() {
        let leaf = meeting.leaf(LATE);
        let valid = leaf.credential().serialized_content().to_vec();
        let content = garbled(&valid, &mut random);
        if content == valid {
            continue;
        }
        let credential = CredentialWithKey {
            credential: Credential::new(CREDENTIAL_TYPE, content),
            signature_key: leaf.signer().public().into(),
        };
        let bundle = KeyPackage::builder()
            .leaf_node_capabilities(capabilities())
            .key_package_lifetime(lifetime())
            .build(CIPHERSUITE, leaf.vault(), leaf.signer(), credential)
            .unwrap();
        let package = bundle.key_package().clone();
        let bytes = MlsMessageOut::from(package.clone()).to_bytes().unwrap();
        match groups[DEPUTY].check_newcomer(leaf.reference(), &bytes, WALL) {
            // Another way to write the same.
            Ok(person) => assert_eq!(person, *meeting.rehearsal.holders[LATE].person(), "round {round}"),
            Err(_) => {
                let mut state = groups[CHAIR].state().clone();
                state.admitted.insert(meeting.name(LATE));
                let malice = Malice { add: vec![package], state: Some(state), ..Malice::default() };
                let commit = groups[CHAIR].hostile_commit(malice);
                let error = verdict(&mut groups[DEPUTY], &commit);
                let rejected = |reason: &Rejection| matches!(reason, Rejection::Newcomer { .. });
                let is_rejected = matches!(&error, CommitError::Rejected { reason, .. } if rejected(reason));
                let is_refused = is_rejected || error == CommitError::Malformed;
                assert!(is_refused, "round {round}: {error}");
                groups[CHAIR].drop_hostile_commit();
            }
        }
    }
}

#[test]
fn nobody_gives_themselves_a_garbled_identity() {
    let (_meeting, mut groups) = Meeting::governed();
    let mut random = random();
    let me = openmls::prelude::LeafNodeIndex::new(groups[DELEGATE].me().0);
    let valid = groups[DELEGATE].mls.member(me).unwrap().serialized_content().to_vec();
    for round in 0..rounds() {
        let content = garbled(&valid, &mut random);
        if content == valid {
            continue;
        }
        let credential = CredentialWithKey {
            credential: Credential::new(CREDENTIAL_TYPE, content),
            signature_key: groups[DELEGATE].keys.signer.public().into(),
        };
        let leaf = LeafNodeParameters::builder().with_credential_with_key(credential).build();
        let commit = groups[DELEGATE].hostile_commit(Malice { leaf, ..Malice::default() });
        let committer = groups[DELEGATE].me();
        let error = verdict(&mut groups[CHAIR], &commit);
        let rejected = CommitError::Rejected { committer, reason: Rejection::Committer };
        assert!(error == rejected || error == CommitError::Malformed, "round {round}: {error}");
        groups[DELEGATE].drop_hostile_commit();
    }
}
