//! Papers: certificates, credentials, invitations, revocation lists, audit logs.
#![allow(clippy::unwrap_used, reason = "what is not under test works")]

use conclave_identity::{
    Holder, Invitation, Revocations,
    attributes::Attributes,
    audit,
    certificate::{self, Purpose},
    credential,
    issue::{Authority, Reason, Rehearsal, RehearsalSpec, Request, Validity, delegate, new_request},
    revocation,
};
use conclave_model::Person;
use rustls_pki_types::CertificateDer;

use super::Case;
use crate::stage::WALL;

fn rehearsal() -> Rehearsal {
    Rehearsal::new(&RehearsalSpec::new(3, WALL)).unwrap()
}

pub(super) fn invitation() -> Case {
    let rehearsal = rehearsal();
    let root = rehearsal.holders[0].root().clone();
    let (valid, content) = (rehearsal.invitation.bytes().to_vec(), rehearsal.invitation.content().clone());
    Case::new(vec![valid], move |input| {
        let Ok(parsed) = Invitation::parse(input) else { return };
        if let Ok(invitation) = parsed.verify(&root, WALL) {
            assert_eq!(*invitation.content(), content, "an altered invitation holds");
        }
    })
}

pub(super) fn certificate() -> Case {
    let rehearsal = rehearsal();
    let holder = rehearsal.holders[0].clone();
    let valid = holder.chain().iter().chain(rehearsal.relay.chain()).chain([holder.root()]);
    let valid = valid.map(|der| der.to_vec()).collect();
    Case::new(valid, move |input| {
        let der = CertificateDer::from(input.to_vec());
        certificate::validity(&der).ok();
        certificate::is_self_issued(&der).ok();
        certificate::subject(&der).ok();
        certificate::purposes(&der).ok();
        certificate::key_pin(&der).ok();
        certificate::read_relay_level(&der).ok();
        let person = certificate::read_person(&der);
        let chain = [der, holder.chain()[1].clone()];
        if certificate::verify_chain(&chain, holder.root(), WALL, Purpose::Person).is_ok() {
            // The encoding of the signature may vary, what is signed may not.
            let fingerprint = holder.person().fingerprint;
            assert_eq!(Person { fingerprint, ..person.unwrap() }, *holder.person(), "an altered certificate holds");
        }
    })
}

pub(super) fn attributes() -> Case {
    let people = (0..3).map(|number| {
        let person = delegate(number, WALL);
        let (seat_code, rank, role, clearance) = (person.seat_code, person.rank, person.role, person.clearance);
        Attributes { seat_code, rank, role, clearance }.to_der().unwrap()
    });
    Case::new(people.collect(), |input| {
        if let Ok(attributes) = Attributes::from_der(input) {
            assert_eq!(attributes.to_der().unwrap(), input, "two encodings of one value");
        }
    })
}

pub(super) fn credential() -> Case {
    let validity = Validity::days(WALL, 1);
    let authority = Authority::create("Office", validity).unwrap();
    let issued = authority.issue_credential(&delegate(0, WALL), validity).unwrap();
    let (key, request) = new_request("Anna Virtanen", "Finland", "password").unwrap();
    let pem = issued.to_pem("password").unwrap().to_string();
    let without_key = pem.split("-----BEGIN CERTIFICATE").skip(1).map(|rest| format!("-----BEGIN CERTIFICATE{rest}"));
    let locked: String = pem.lines().take_while(|line| !line.starts_with("-----END")).skip(1).collect();
    let valid = vec![pem.clone(), without_key.collect(), key, request];
    let valid = valid.into_iter().map(String::into_bytes).collect();
    Case::new(valid, move |input| {
        let text = String::from_utf8_lossy(input);
        // Opening a key takes long on purpose, so only an altered one is tried.
        if text.lines().collect::<String>().contains(&locked) {
            credential::parse_certificates(&text).ok();
        } else {
            Holder::from_pem(&text, "password").ok();
        }
        credential::parse_bundle(&text).ok();
        Request::from_pem(&text).ok();
    })
}

pub(super) fn revocations() -> Case {
    let mut rehearsal = rehearsal();
    let holder = rehearsal.holders[1].clone();
    let empty = rehearsal.authority.revoke(&[], Reason::Unspecified, WALL).unwrap().to_vec();
    let one = rehearsal.authority.revoke(&holder.chain()[..1], Reason::KeyCompromise, WALL).unwrap().to_vec();
    Case::new(vec![empty, one], move |input| {
        revocation::summarize(input).ok();
        if let Ok(lists) = Revocations::verify([input], holder.chain(), holder.root()) {
            lists.check(holder.chain(), holder.root()).ok();
        }
    })
}

pub(super) fn audit_log() -> Case {
    let mut chain = audit::Chain::default();
    let records = [audit::Event::Left, audit::Event::Dismissed].map(audit::Record::of);
    let log: String = records.iter().map(|record| chain.append(&record.clone().because("no-reason"), WALL)).collect();
    let head = chain.head();
    Case::new(vec![log.clone().into_bytes()], move |input| {
        if let Ok(summary) = audit::verify(input) {
            assert!(summary.head() != head || input == log.as_bytes(), "another log ends alike");
        }
    })
}
