#![allow(clippy::unwrap_used)]

use conclave_model::{Role, SeatRank};
use proptest::prelude::*;
use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};

use super::*;
use crate::{
    attributes::ATTRIBUTES_OID,
    issue::{PersonSpec, Rehearsal, RehearsalSpec, delegate},
};

const WALL: u64 = 1_800_000_000;

fn rehearsal() -> Rehearsal {
    Rehearsal::new(&RehearsalSpec::new(1, WALL)).unwrap()
}

/// A self-signed certificate of the profile, before `change`.
fn forged(change: impl FnOnce(&mut CertificateParams), key: &KeyPair) -> CertificateDer<'static> {
    let attributes = Attributes { seat_code: "FI".into(), rank: SeatRank::Head, role: Role::Delegate, clearance: None };
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Anna Virtanen");
    params.distinguished_name.push(DnType::OrganizationName, "Finland");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.custom_extensions = vec![CustomExtension::from_oid_content(ATTRIBUTES_OID, attributes.to_der().unwrap())];
    change(&mut params);
    params.self_signed(key).unwrap().der().clone()
}

fn p384() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap()
}

#[test]
fn a_certificate_states_what_it_was_issued_for() {
    let rehearsal = rehearsal();
    let PersonSpec { name, seat, seat_code, rank, role, clearance } = delegate(0, WALL);
    let certificate = &rehearsal.holders[0].chain()[0];
    let fingerprint = fingerprint(certificate);
    let stated = read_person(certificate);
    assert_eq!(stated, Ok(Person { name, seat, seat_code, rank, role, clearance, fingerprint }));
    assert!(certificate.len() < 1000, "profile certificates are small: {}", certificate.len());
}

#[test]
fn each_departure_from_the_profile_is_named() {
    assert!(read_person(&forged(|_| {}, &p384())).is_ok());
    let small = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    assert_eq!(read_person(&forged(|_| {}, &small)), Err(ProfileError::Key));
    type Change = fn(&mut CertificateParams);
    let cases: [(Change, ProfileError); 7] = [
        (|params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement], ProfileError::KeyUsage),
        (|params| params.key_usages.clear(), ProfileError::KeyUsage),
        (|params| params.custom_extensions.clear(), ProfileError::NoAttributes),
        (
            |params| params.custom_extensions[0] = CustomExtension::from_oid_content(ATTRIBUTES_OID, vec![0x30, 0]),
            ProfileError::Attributes(AttributesError::Malformed),
        ),
        (
            |params| {
                params.distinguished_name.remove(DnType::OrganizationName);
            },
            ProfileError::Subject("seat (O)"),
        ),
        (
            |params| params.distinguished_name.push(DnType::CommonName, "Anna\u{202e}"),
            ProfileError::Text { field: "name (CN)", error: TextError::Forbidden(0x202e) },
        ),
        (
            |params| params.distinguished_name.push(DnType::CommonName, "x".repeat(101)),
            ProfileError::Text { field: "name (CN)", error: TextError::TooLong { found: 101, limit: 100 } },
        ),
    ];
    for (change, wanted) in cases {
        assert_eq!(read_person(&forged(change, &p384())), Err(wanted));
    }
}

#[test]
fn chains_hold_for_their_purpose_and_time_only() {
    let rehearsal = rehearsal();
    let (person, relay) = (rehearsal.holders[0].chain(), rehearsal.relay.chain());
    let root = rehearsal.authority.root();
    assert_eq!(verify_chain(person, root, WALL, Purpose::Person), Ok(()));
    assert_eq!(verify_chain(relay, root, WALL, Purpose::Relay), Ok(()));
    for (chain, purpose) in [
        (person, Purpose::Relay),
        (person, Purpose::Invitations),
        (relay, Purpose::Person),
        (relay, Purpose::Invitations),
    ] {
        assert_eq!(verify_chain(chain, root, WALL, purpose), Err(ChainError::Purpose(purpose)));
    }
    assert_eq!(verify_chain(&person[..1], root, WALL, Purpose::Person), Err(ChainError::UnknownIssuer));
    assert!(matches!(verify_chain(person, root, 0, Purpose::Person), Err(ChainError::NotYetValid { .. })));
    assert!(matches!(verify_chain(person, root, u64::MAX, Purpose::Person), Err(ChainError::Expired { .. })));
    let other = Rehearsal::new(&RehearsalSpec { title: "other".into(), ..RehearsalSpec::new(1, WALL) }).unwrap();
    assert!(verify_chain(person, other.authority.root(), WALL, Purpose::Person).is_err());
    let unrelated = forged(|_| {}, &p384());
    assert_eq!(verify_chain(person, &unrelated, WALL, Purpose::Person), Err(ChainError::UnknownIssuer));
}

#[test]
fn a_certificate_without_a_stated_purpose_serves_none() {
    let key = p384();
    let mut authority = CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = authority.self_signed(&key).unwrap().der().clone();
    let issuer = rcgen::Issuer::new(authority, key);
    let leaf = |usages: Vec<rcgen::ExtendedKeyUsagePurpose>| {
        let mut params = CertificateParams::default();
        params.extended_key_usages = usages;
        [params.signed_by(&p384(), &issuer).unwrap().der().clone()]
    };
    for purpose in [Purpose::Person, Purpose::Relay, Purpose::Invitations] {
        assert_eq!(verify_chain(&leaf(vec![]), &root, WALL, purpose), Err(ChainError::Purpose(purpose)));
    }
    let any = leaf(vec![rcgen::ExtendedKeyUsagePurpose::Any]);
    assert_eq!(verify_chain(&any, &root, WALL, Purpose::Person), Err(ChainError::Purpose(Purpose::Person)));
    let person = leaf(vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth]);
    assert_eq!(verify_chain(&person, &root, WALL, Purpose::Person), Ok(()));
}

#[test]
fn a_person_cannot_act_as_an_authority() {
    let rehearsal = rehearsal();
    let attacker =
        rehearsal.authority.issue_credential(&delegate(1, WALL), crate::issue::Validity::days(WALL, 1)).unwrap();
    // The attacker's certificate poses as issuer of another.
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Bulgaria");
    params.distinguished_name.push(DnType::CommonName, "Maria Dimitrova");
    let key = p384();
    let issuer = rcgen::Issuer::new(params.clone(), key);
    let victim = params.signed_by(&p384(), &issuer).unwrap().der().clone();
    let chain = [victim, attacker.certificate().clone(), rehearsal.authority.issuing().clone()];
    assert!(verify_chain(&chain, rehearsal.authority.root(), WALL, Purpose::Person).is_err());
}

#[test]
fn signatures_hold_for_one_key_and_one_message() {
    let rehearsal = rehearsal();
    let holder = &rehearsal.holders[0];
    let certificate = &holder.chain()[0];
    let mut signature = holder.signer().sign(b"hello").unwrap();
    assert_eq!(verify_signature(certificate, b"hello", &signature), Ok(()));
    assert_eq!(verify_signature(certificate, b"hullo", &signature), Err(SignatureError::Wrong));
    assert_eq!(verify_signature(&rehearsal.relay.chain()[0], b"hello", &signature), Err(SignatureError::Wrong));
    *signature.last_mut().unwrap() ^= 1;
    assert_eq!(verify_signature(certificate, b"hello", &signature), Err(SignatureError::Wrong));
    assert_eq!(verify_signature(certificate, b"hello", &[]), Err(SignatureError::Wrong));
    assert_eq!(verify_signature(&CertificateDer::from(vec![1, 2, 3]), b"", &[]), Err(SignatureError::Key));
}

#[test]
fn the_pin_is_of_the_key_not_of_the_certificate() {
    let rehearsal = rehearsal();
    let key = p384();
    let (first, second) = (forged(|_| {}, &key), forged(|params| params.key_usages.clear(), &key));
    assert_ne!(fingerprint(&first), fingerprint(&second));
    assert_eq!(key_pin(&first), key_pin(&second));
    assert_eq!(key_pin(&rehearsal.relay.chain()[0]), Ok(rehearsal.relay.pin().0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_certificates_are_errors_and_never_a_panic(at in 0_usize..900, value: u8, cut in 0_usize..1200) {
        thread_local! { static SAMPLE: Rehearsal = rehearsal(); }
        SAMPLE.with(|sample| {
            let chain = sample.holders[0].chain();
            let mut bytes = chain[0].to_vec();
            let at = at % bytes.len();
            let same = bytes[at] == value && cut >= bytes.len();
            bytes[at] = value;
            bytes.truncate(cut);
            let damaged = [CertificateDer::from(bytes), chain[1].clone()];
            let _ = read_person(&damaged[0]);
            let _ = key_pin(&damaged[0]);
            let verdict = verify_chain(&damaged, sample.authority.root(), WALL, Purpose::Person);
            assert_eq!(verdict.is_ok(), same);
        });
    }

    #[test]
    fn random_bytes_are_no_certificate(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let certificate = CertificateDer::from(bytes);
        prop_assert!(read_person(&certificate).is_err());
        prop_assert!(verify_chain(std::slice::from_ref(&certificate), &certificate, WALL, Purpose::Person).is_err());
    }
}
