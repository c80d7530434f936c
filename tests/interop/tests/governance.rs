//! A led meeting under a PKI that OpenSSL alone made: relay, chair and delegates as processes.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::time::Duration;

use conclave_interop_tests::world::World;

const PEOPLE: [(&str, &str, &str); 3] =
    [("Anna Virtanen", "Finland", "FI"), ("Luc Hoffmann", "Luxembourg", "LU"), ("Maria Borg", "Malta", "MT")];
const SOURCES: [&str; 4] = ["--camera", "off", "--microphone", "test"];
const LIMIT: Duration = Duration::from_secs(40);

/// What a client without a window says in the lobby and in the meeting.
const IN_LOBBY: &str = "Waiting to be let in";
const JOINED: &str = "In the meeting";

#[test]
fn the_chair_of_a_meeting_under_openssls_certificates_admits_and_ejects() {
    let world = World::by_openssl(&PEOPLE).unwrap();
    world.configure("audit = \"audit.jsonl\"").unwrap();
    world.invite_with("meeting.conclave", world.port, "now", "+2h", &["--lobby"]).unwrap();
    let _relay = world.relay().unwrap();
    let mut chair = world.lead(0, "meeting.conclave", SOURCES).unwrap();
    world.until("join-0", "chair: Anna Virtanen").unwrap();

    // Who was not admitted waits, however long; the chair sees who it is.
    let mut luc = world.join(1, "meeting.conclave", SOURCES).unwrap();
    world.until("join-1", IN_LOBBY).unwrap();
    world.until("join-0", "lobby: Luc Hoffmann").unwrap();
    let _maria = world.join(2, "meeting.conclave", SOURCES).unwrap();
    world.until("join-0", "Maria Borg").unwrap();
    assert!(!world.log("join-1").contains(JOINED) && !world.log("join-2").contains(JOINED));
    chair.order("admit Luc Hoffmann").unwrap();
    world.until("join-1", JOINED).unwrap();
    world.until("join-0", "members: Anna Virtanen, Luc Hoffmann").unwrap();
    assert!(!world.log("join-2").contains(JOINED), "the other one came in as well");
    chair.order("admit all").unwrap();
    world.until("join-2", JOINED).unwrap();

    // Who is put out stays out, even with the same invitation and a good certificate.
    chair.order("eject Luc Hoffmann").unwrap();
    assert!(!luc.wait(LIMIT).unwrap(), "{}", world.log("join-1"));
    assert!(world.log("join-1").contains("The chair put you out"), "{}", world.log("join-1"));
    let mut again = world.join(1, "meeting.conclave", SOURCES).unwrap();
    assert!(!again.wait(LIMIT).unwrap(), "{}", world.log("join-1"));
    assert!(!world.log("join-1").contains(JOINED), "{}", world.log("join-1"));
    assert!(chair.is_running(), "{}", world.log("join-0"));

    // The relay wrote down who came and went, by fingerprint, and nobody can change that unseen.
    world.registry(["audit", "verify", "relay/audit.jsonl"]).unwrap();
    let audit = std::fs::read_to_string(world.path("relay/audit.jsonl")).unwrap();
    assert!(audit.lines().count() >= 5, "{audit}");
    for (name, ..) in PEOPLE {
        assert!(!audit.contains(name), "{name} stands in the audit log");
    }
    let middle = audit.lines().nth(2).unwrap();
    std::fs::write(world.path("relay/audit.jsonl"), audit.replace(&format!("{middle}\n"), "")).unwrap();
    assert!(world.registry(["audit", "verify", "relay/audit.jsonl"]).is_err(), "a line is missing and nobody sees it");
}

#[test]
fn a_certificate_that_openssl_revoked_opens_no_meeting() {
    let world = World::by_openssl(&PEOPLE[..2]).unwrap();
    world.invite_with("meeting.conclave", world.port, "now", "+2h", &["--open"]).unwrap();
    world.revoke_by_openssl(1).unwrap();
    world.configure("revocations = [\"crl.pem\"]").unwrap();
    let _relay = world.relay().unwrap();
    let mut anna = world.join(0, "meeting.conclave", SOURCES).unwrap();
    world.until("join-0", JOINED).unwrap();
    let mut luc = world.join(1, "meeting.conclave", SOURCES).unwrap();
    assert!(!luc.wait(LIMIT).unwrap(), "{}", world.log("join-1"));
    let said = world.log("join-1");
    assert!(said.contains("revoked") && !said.contains(JOINED), "{said}");
    assert!(anna.is_running(), "{}", world.log("join-0"));
}
