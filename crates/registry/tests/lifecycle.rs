//! Revoking, renewing, requests, and the audit log, with the real program.
#![allow(clippy::unwrap_used)]

mod common;

use common::{CA_PASSWORD, Office, PASSWORD, certificate, now};
use conclave_identity::{
    Admission, Holder, Invitation, MemberError, Revocations,
    audit::{Chain, Event, Record},
    check_member, fingerprint, read_person,
};
use conclave_model::Fingerprint;

const CA: &str = "--ca ca --password-file ca.password";

fn meeting(office: &Office, name: &str) -> Invitation {
    let root = certificate(&office.path("ca/root.pem"));
    Invitation::parse(&std::fs::read(office.path(name)).unwrap()).unwrap().verify(&root, now()).unwrap()
}

fn enter(office: &Office, invitation: &Invitation, credential: &str) -> Result<(), MemberError> {
    let holder = Holder::open(&office.path(credential), PASSWORD, now()).unwrap();
    let level = invitation.content().level;
    check_member(holder.chain(), invitation, holder.root(), &Revocations::default(), level, now()).map(|_| ())
}

#[test]
fn who_is_revoked_is_kept_out_of_every_invitation_that_follows() {
    let office = Office::staffed();
    let rest = "--title Talk --level unclassified --from now --until +1h --participant anna.pem --participant elsa.pem";
    office.good(&office.invite(&format!("{rest} --out before.conclave")));
    let said = office.good(&format!("revoke {CA} elsa.pem --reason key-compromise --out relay/crl.pem"));
    assert!(said.contains("The certificate of Elsa Lindqvist is revoked."), "{said}");
    assert!(said.contains("List 1 with 1 revoked is in ca/crl.pem"), "{said}");
    let said = office.refused(&office.invite(&format!("{rest} --out after.conclave")));
    assert!(
        said.contains("Elsa Lindqvist (elsa.pem) could not enter this meeting: the certificate was revoked"),
        "{said}"
    );

    let alone = "--title Talk --level unclassified --from now --until +1h --participant anna.pem --out after.conclave";
    let made = office.good(&office.invite(alone));
    assert!(made.contains("the listed wait until the chair lets them in"), "{made}");
    let after = meeting(&office, "after.conclave");
    assert_eq!(after.revocations().summaries()[0].revoked, 1);
    assert_eq!(enter(&office, &after, "anna.pem"), Ok(()));
    assert_eq!(enter(&office, &meeting(&office, "before.conclave"), "elsa.pem"), Ok(()), "it knows no better");
    let checked =
        office.run("verify before.conclave --root ca/root.pem --participant elsa.pem --revocations relay/crl.pem");
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.contains("FAILED  Elsa Lindqvist may enter: the certificate was revoked at"), "{checked}");
    let shown = office.good("show after.conclave");
    assert!(shown.contains("revocation lists (1):") && shown.contains("number 1, of"), "{shown}");
    let shown = office.good("show ca/crl.pem");
    assert!(shown.contains("Ministry Issuing CA, number 1, of") && shown.contains(": 1 revoked"), "{shown}");
    let listed = office.tool("openssl crl -in ca/crl.pem -noout -text");
    assert!(listed.contains("Key Compromise") && listed.contains("X509v3 CRL Number"), "{listed}");
}

#[test]
fn each_list_has_a_higher_number_and_forgets_nobody() {
    let office = Office::staffed();
    let list = |line: &str| {
        let made: serde_json::Value = serde_json::from_str(&office.good(line)).unwrap();
        (made["number"].as_str().unwrap().to_owned(), made["revoked"].as_u64().unwrap())
    };
    assert_eq!(list(&format!("--json revoke {CA} elsa.pem")), ("1".to_owned(), 1));
    assert_eq!(list(&format!("--json revoke {CA}")), ("2".to_owned(), 1), "a fresh list");
    assert_eq!(list(&format!("--json revoke {CA} anna.crt.pem")), ("3".to_owned(), 2));
    let said = office.refused(&format!("revoke {CA} elsa.pem"));
    assert!(said.contains("elsa.pem: the certificate was revoked at"), "{said}");
    let said = office.refused(&format!("renew {CA} elsa.pem --out elsa2.pem"));
    assert!(said.contains("elsa.pem: the certificate was revoked at"), "{said}");
    let said = office.run(&format!("revoke {CA} anna.crt.pem --reason boredom"));
    assert!(
        String::from_utf8_lossy(&said.stderr).contains("\"boredom\" is no reason; use unspecified, key-compromise")
    );
}

#[test]
fn a_renewed_credential_keeps_key_and_attributes_and_outlives_the_old_one() {
    let office = Office::staffed();
    let said =
        office.good(&format!("renew {CA} anna.pem --out renewed.pem --days 700 --certificate-out renewed.crt.pem"));
    assert!(said.contains("Invitations made before name the old certificate: keep it until"), "{said}");
    office.good("verify renewed.crt.pem --root ca/root.pem");
    let (old, new) = (
        Holder::open(&office.path("anna.pem"), PASSWORD, now()).unwrap(),
        Holder::open(&office.path("renewed.pem"), PASSWORD, now()).unwrap(),
    );
    assert_eq!(old.public_key(), new.public_key(), "the key and its password stay");
    assert_ne!(old.person().fingerprint, new.person().fingerprint);
    assert!(new.validity().1 > old.validity().1);
    let same = |holder: &Holder| (holder.person().name.clone(), holder.person().role, holder.person().clearance);
    assert_eq!(same(&old), same(&new));
    office.good(&format!("revoke {CA} anna.pem --reason superseded"));
    let rest =
        "--title Talk --level unclassified --from now --until +1h --participant renewed.crt.pem --out m.conclave";
    office.good(&office.invite(rest));
    assert_eq!(
        enter(&office, &meeting(&office, "m.conclave"), "renewed.pem"),
        Ok(()),
        "the same key, another serial number"
    );

    let key = "--new-key --credential-password-file anna.password";
    office.good(&format!("renew {CA} renewed.crt.pem {key} --clearance-until 2998-01-01 --out fresh.pem"));
    let fresh = Holder::open(&office.path("fresh.pem"), PASSWORD, now()).unwrap();
    assert_ne!(fresh.public_key(), new.public_key());
    let clearance = |holder: &Holder| holder.person().clearance.unwrap();
    assert_eq!(clearance(&fresh).level, clearance(&new).level);
    assert!(clearance(&fresh).expires < clearance(&new).expires);
}

#[test]
fn a_key_can_stay_with_the_person_from_request_to_credential() {
    let office = Office::new();
    let password = "--credential-password-file anna.password";
    office.good(&format!("credential request --name Anna_V --seat Finland --out me.key --request me.csr {password}"));
    let shown = office.good("show me.csr");
    assert!(shown.contains("says it is of O=Finland, CN=Anna V; nobody has checked that"), "{shown}");
    let said = office.good(&format!(
        "credential issue {CA} --request me.csr --name Anna_Virtanen --seat Finland --seat-code FI --certificate-out me.crt.pem"
    ));
    assert!(said.contains("The request said that it was of O=Finland, CN=Anna V."), "{said}");
    let assemble = "credential assemble --key me.key --key-password-file anna.password --certificates me.crt.pem";
    office.good(&format!("{assemble} --out me.pem {password}"));
    let holder = Holder::open(&office.path("me.pem"), PASSWORD, now()).unwrap();
    assert_eq!(holder.person().name, "Anna Virtanen", "the office's word counts, not the request's");
    let said = office.refused(&format!(
        "credential assemble --key me.key --key-password-file ca.password --certificates me.crt.pem --out x.pem {password}"
    ));
    assert_eq!(said, "conclave-registry: me.key: the password is wrong\n");
    let mut forged = std::fs::read_to_string(office.path("me.csr")).unwrap();
    let at = forged.len() - 60;
    forged.replace_range(at..=at, if &forged[at..=at] == "A" { "B" } else { "A" });
    office.write("forged.csr", &forged);
    let said = office.refused(&format!(
        "credential issue {CA} --request forged.csr --name A --seat Finland --seat-code FI --certificate-out x.pem"
    ));
    assert!(
        said.contains("forged.csr: the request is not signed with its own key") || said.contains("damaged"),
        "{said}"
    );
}

#[test]
fn succession_originator_and_admission_stand_in_the_invitation() {
    let office = Office::staffed();
    let rest = "--title Talk --level unclassified --from now --until +1m --participant anna.pem --participant elsa.pem";
    office.good(&office.invite(&format!("{rest} --succession elsa.pem --originator elsa.pem --out lobby.conclave")));
    let [anna, elsa] = ["anna.pem", "elsa.pem"].map(|name| Fingerprint(fingerprint(&certificate(&office.path(name)))));
    let lobby = meeting(&office, "lobby.conclave");
    assert_eq!(lobby.content().admission, Admission::Lobby);
    assert_eq!(lobby.succession(), [anna, elsa]);
    assert_eq!(lobby.content().originator, Some(elsa));
    let shown = office.good("show lobby.conclave");
    assert!(shown.contains("led by       Anna Virtanen, then Elsa Lindqvist"), "{shown}");
    assert!(shown.contains("originator   Elsa Lindqvist: the level is lowered with their consent only"), "{shown}");
    let open = shown.lines().find(|line| line.starts_with("  open")).unwrap();
    let seconds = lobby.content().not_before % 60;
    let exact = format!(":{seconds:02} UTC");
    assert!(seconds == 0 || open.matches(&exact).count() == 2, "a minute needs its seconds: {open}");

    office.write(
        "meeting.toml",
        "title = \"Talk\"\nlevel = \"unclassified\"\nfrom = \"now\"\nuntil = \"+1h\"\nadmission = \"open\"\n\
         succession = [\"elsa.pem\"]\noriginator = \"anna.pem\"\n[relay]\naddress = \"127.0.0.1:7443\"\n\
         certificate = \"relay/relay.pem\"\n[[participant]]\ncertificate = \"anna.pem\"\n[[participant]]\n\
         certificate = \"elsa.pem\"\n",
    );
    office.good(&format!("invite {CA} --meeting meeting.toml --out open.conclave"));
    let open = meeting(&office, "open.conclave");
    assert_eq!((open.content().admission, open.content().originator), (Admission::Open, Some(anna)));
    assert_eq!(open.content().succession, [elsa]);
    office.good(&format!("invite {CA} --meeting meeting.toml --lobby --succession anna.pem --out flags.conclave"));
    let flags = meeting(&office, "flags.conclave");
    assert_eq!((flags.content().admission, flags.content().succession.clone()), (Admission::Lobby, vec![anna]));
}

#[cfg(unix)]
#[test]
fn a_ca_that_others_may_write_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let office = Office::staffed();
    let mode = |name: &str, mode: u32| {
        std::fs::set_permissions(office.path(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    mode("ca", 0o755);
    let said = office.refused(&format!("revoke {CA} elsa.pem"));
    assert!(said.contains("the folder ca is open to others (mode 755); run: chmod 700 ca"), "{said}");
    mode("ca", 0o700);
    mode("ca/issuing.key.pem", 0o640);
    let said = office.refused(&format!("revoke {CA} elsa.pem"));
    assert_eq!(said.matches("issuing.key.pem").count(), 2, "once what, once what to do: {said}");
    assert!(said.contains("is open to others (mode 640); run: chmod 600"), "{said}");
}

#[test]
fn an_audit_log_is_checked_offline() {
    let office = Office::new();
    let mut chain = Chain::default();
    let mut log = chain.append(&Record::of(Event::Started), now());
    let noted = hex::encode(chain.head());
    log += &chain.append(&Record::of(Event::Refused).person(Fingerprint([7; 32])).because("not-invited"), now());
    office.write("audit.log", &log);
    let said = office.good(&format!("audit verify audit.log --head {noted}"));
    assert!(said.contains("audit.log holds: 2 lines.") && said.contains(&hex::encode(chain.head())), "{said}");
    office.write("full.log", &(log.clone() + &chain.clone().append(&Record::missing(12), now())));
    let said = office.good("audit verify full.log");
    assert!(said.contains("The relay could not write everything: 12 records are missing."), "{said}");
    office.write("edited.log", &log.replace("started", "stopped"));
    let shorter = log.lines().next().unwrap().to_owned() + "\n";
    office.write("cut.log", &shorter);
    assert!(office.good("audit verify cut.log").contains("cut.log holds: 1 line.\n"));
    let head = hex::encode(chain.head());
    for (line, wanted) in [
        ("audit verify edited.log".to_owned(), "edited.log does not hold: line 2: the line before it was changed"),
        (format!("audit verify cut.log --head {head}"), "no line has the noted head"),
    ] {
        let output = office.run(&line);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(wanted) && said.ends_with("  The line before that holds.\n"), "{said}");
    }
    let json: serde_json::Value = serde_json::from_str(&office.good("audit verify audit.log --json")).unwrap();
    assert_eq!((&json["good"], &json["events"]["refused"]), (&true.into(), &1.into()));
    assert!(office.refused("audit verify audit.log --head 12").contains("is not 64 hex digits"));
}

#[test]
fn certificates_state_no_more_than_the_office_said() {
    let office = Office::staffed();
    let person = read_person(&certificate(&office.path("elsa.pem"))).unwrap();
    assert_eq!(person.clearance, None);
    let text = std::fs::read_to_string(office.path("ca/issuing.key.pem")).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "never in the clear");
    assert!(!CA_PASSWORD.is_empty());
}
