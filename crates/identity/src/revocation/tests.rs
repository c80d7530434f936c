#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::issue::{Authority, Reason, Rehearsal, RehearsalSpec, Validity, delegate};

const WALL: u64 = 1_800_000_000;

fn rehearsal() -> Rehearsal {
    Rehearsal::new(&RehearsalSpec::new(3, WALL)).unwrap()
}

fn revoke(rehearsal: &mut Rehearsal, number: usize, wall: u64) -> Bytes {
    let leaf = rehearsal.holders[number].chain()[0].clone();
    rehearsal.authority.revoke(&[leaf], Reason::Superseded, wall).unwrap().clone()
}

fn verify(rehearsal: &Rehearsal, lists: &[&[u8]]) -> Result<Revocations, RevocationError> {
    Revocations::verify(lists.iter().copied(), rehearsal.authority.issuers(), rehearsal.authority.root())
}

fn revoked(rehearsal: &Rehearsal, lists: &Revocations) -> Vec<usize> {
    let root = rehearsal.authority.root();
    (0..3).filter(|number| lists.check(rehearsal.holders[*number].chain(), root).is_err()).collect()
}

#[test]
fn the_newest_list_of_an_authority_counts_in_whatever_order_they_come() {
    let mut rehearsal = rehearsal();
    let first = revoke(&mut rehearsal, 0, WALL);
    let second = revoke(&mut rehearsal, 2, WALL + 10);
    for lists in [[&first[..], &second], [&second[..], &first]] {
        let lists = verify(&rehearsal, &lists).unwrap();
        assert_eq!(revoked(&rehearsal, &lists), [0, 2]);
        assert_eq!(lists.lists().count(), 1);
        assert_eq!(lists.summaries()[0].number, "2");
    }
    let old = verify(&rehearsal, &[&first]).unwrap();
    assert_eq!(revoked(&rehearsal, &old), [0]);
    let new = verify(&rehearsal, &[&second]).unwrap();
    assert_eq!(revoked(&rehearsal, &old.merged(&new)), [0, 2]);
    assert_eq!(revoked(&rehearsal, &new.merged(&old)), [0, 2], "an older list takes nothing back");
    assert_eq!(revoked(&rehearsal, &new.merged(&Revocations::default())), [0, 2]);
    assert_eq!(revoked(&rehearsal, &Revocations::default().merged(&new)), [0, 2]);
    let since = new.check(rehearsal.holders[0].chain(), rehearsal.authority.root());
    assert_eq!(since, Err(Revoked { since: WALL }), "the moment of the first list stays");
}

#[test]
fn a_list_outlives_its_next_update() {
    let mut rehearsal = rehearsal();
    let list = revoke(&mut rehearsal, 0, WALL);
    let lists = verify(&rehearsal, &[&list]).unwrap();
    assert!(lists.summaries()[0].next_update.unwrap() < WALL + 31 * 24 * 3600);
    assert_eq!(revoked(&rehearsal, &lists), [0], "no clock is asked");
}

#[test]
fn lists_of_others_do_not_count() {
    let rehearsal = rehearsal();
    let leaf = rehearsal.holders[0].chain()[0].clone();
    let issue = |name: &str| {
        let mut other = Authority::create(name, Validity::days(WALL, 1)).unwrap();
        let theirs = other.issue_credential(&delegate(5, WALL), Validity::days(WALL, 1)).unwrap();
        let list = other.revoke(&[theirs.certificate().clone()], Reason::Unspecified, WALL).unwrap().clone();
        (other, list)
    };
    let (_, namesake) = issue("Rehearsal");
    assert_eq!(verify(&rehearsal, &[&namesake]).unwrap_err(), RevocationError::Signature(1));
    let (other, foreign) = issue("Elsewhere");
    let lists = verify(&rehearsal, &[&foreign]).unwrap();
    assert_eq!(revoked(&rehearsal, &lists), [0_usize; 0]);
    let mut mixed = vec![leaf];
    mixed.extend(other.issuers().iter().cloned());
    assert_eq!(lists.check(&mixed, rehearsal.authority.root()), Ok(()), "a foreign CA in the chain proves nothing");
    let known = Revocations::verify([foreign.as_ref()], other.issuers(), rehearsal.authority.root()).unwrap();
    assert!(known.0[0].signer.is_none(), "not under this root");
}

#[test]
fn a_person_cannot_sign_lists() {
    let mut rehearsal = rehearsal();
    let list = revoke(&mut rehearsal, 0, WALL);
    let person = rehearsal.holders[1].chain().to_vec();
    let signers = certificate::list_signers(&person, rehearsal.authority.root());
    assert_eq!(signers.len(), 2, "the root and the issuing CA, not the person");
    let lists = Revocations::verify([list.as_ref()], &person, rehearsal.authority.root()).unwrap();
    assert_eq!(revoked(&rehearsal, &lists), [0]);
}

#[test]
fn sizes_and_numbers_are_bounded_and_the_guilty_list_is_named() {
    let mut rehearsal = rehearsal();
    let good = revoke(&mut rehearsal, 0, WALL);
    let huge = vec![0x30; 10_000_000];
    let mut trailing = good.to_vec();
    trailing.push(0);
    let cases: [(&[u8], RevocationError); 6] = [
        (&huge, RevocationError::TooLarge { list: 2, size: 10_000_000 }),
        (b"", RevocationError::Malformed(2)),
        (b"-----BEGIN X509 CRL-----", RevocationError::Malformed(2)),
        (&trailing, RevocationError::Malformed(2)),
        (&good[..good.len() - 1], RevocationError::Malformed(2)),
        (rehearsal.authority.root(), RevocationError::Malformed(2)),
    ];
    for (bytes, wanted) in cases {
        assert_eq!(verify(&rehearsal, &[&good, bytes]).unwrap_err(), wanted);
    }
    let many = vec![&good[..]; 17];
    assert_eq!(verify(&rehearsal, &many).unwrap_err(), RevocationError::TooMany(17));
    assert!(verify(&rehearsal, &many[1..]).is_ok());
    let endless = std::iter::repeat(&good[..]);
    let refused = Revocations::verify(endless, &[], rehearsal.authority.root());
    assert!(matches!(refused, Err(RevocationError::TooMany(_))));
}

#[test]
fn a_thousand_revoked_certificates_fit_and_too_many_are_refused() {
    let mut rehearsal = rehearsal();
    let mut batch = |count: usize| {
        let leaves: Vec<_> = (0..count)
            .map(|_| {
                let key = rehearsal.holders[0].public_key();
                rehearsal.authority.certify(&delegate(0, WALL), key, Validity::days(WALL, 1)).unwrap().remove(0)
            })
            .collect();
        rehearsal.authority.revoke(&leaves, Reason::Unspecified, WALL).map(Bytes::len)
    };
    assert!(batch(1000).unwrap() < MAX_LIST);
    let refused = batch(1000);
    assert!(matches!(refused, Err(crate::issue::IssueError::Revocations(RevocationError::TooLarge { .. }))));
    assert!(batch(1).is_ok(), "the refused list was not kept");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn damaged_lists_are_errors_and_never_a_panic(at in 0_usize..500, value: u8, cut in 0_usize..600) {
        thread_local! {
            static SAMPLE: (Rehearsal, Bytes) = {
                let mut rehearsal = rehearsal();
                let list = revoke(&mut rehearsal, 0, WALL);
                (rehearsal, list)
            };
        }
        SAMPLE.with(|(rehearsal, list)| {
            let mut bytes = list.to_vec();
            let at = at % bytes.len();
            let same = bytes[at] == value && cut >= bytes.len();
            bytes[at] = value;
            bytes.truncate(cut);
            let counts = verify(rehearsal, &[&bytes]).is_ok_and(|lists| !revoked(rehearsal, &lists).is_empty());
            assert_eq!(counts, same);
        });
    }

    #[test]
    fn random_bytes_are_no_list(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(summarize(&bytes).is_err());
        prop_assert!(crate::issue::Request::from_der(&bytes).is_err());
    }
}
