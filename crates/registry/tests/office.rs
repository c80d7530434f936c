//! The program as an office uses it: real files, real passwords, no questions.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Office, PASSWORD, certificate, now};
use conclave_identity::{Holder, Invitation, Revocations, check_member};
use conclave_model::Role;

#[test]
fn an_office_makes_all_that_a_meeting_needs() {
    let office = Office::staffed();
    office.good(&office.invite(
        "--title Preparation --level unclassified --from now --until +2h --out meeting.conclave \
         --participant anna.crt.pem,languages=fi+en --participant elsa.pem,role=observer,rank=expert",
    ));
    let root = certificate(&office.path("relay/root.pem"));
    assert_eq!(root, certificate(&office.path("ca/root.pem")));
    let bytes = std::fs::read(office.path("meeting.conclave")).unwrap();
    let invitation = Invitation::parse(&bytes).unwrap().verify(&root, now()).unwrap();
    assert_eq!(invitation.check_window(now()), Ok(()));
    let relay = certificate(&office.path("relay/relay.pem"));
    assert_eq!(Ok(invitation.content().relay.key_pin), conclave_identity::key_pin(&relay));
    for (file, role) in [("anna.pem", Role::Chair), ("elsa.pem", Role::Observer)] {
        let holder = Holder::open(&office.path(file), PASSWORD, now()).unwrap();
        let person = check_member(
            holder.chain(),
            &invitation,
            &root,
            &Revocations::default(),
            invitation.content().level,
            now(),
        )
        .unwrap();
        assert_eq!(person.role, role);
    }
    let checked =
        office.good("verify meeting.conclave --root ca/root.pem --participant anna.pem --participant elsa.pem");
    assert!(checked.contains("ok      Anna Virtanen may enter") && checked.contains("Everything holds."), "{checked}");
    office.good("verify anna.pem --unlock --credential-password-file anna.password");
    office.good("verify relay/relay.pem --root relay/root.pem");
    office.good("verify anna.crt.pem --root ca/root.pem");
    let alone = std::fs::read_to_string(office.path("anna.crt.pem")).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    office.write("alone.pem", &alone[..alone.find(end).unwrap() + end.len()]);
    let output = office.run("verify alone.pem --root ca/root.pem");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("the certificate of the CA that issued it is missing"), "{said}");
}

#[cfg(unix)]
#[test]
fn keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let office = Office::staffed();
    for key in ["ca/root.key.pem", "ca/issuing.key.pem", "ca/office.key.pem", "relay/relay.key.pem", "anna.pem"] {
        let mode = std::fs::metadata(office.path(key)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{key}");
    }
    std::fs::set_permissions(office.path("ca.password"), PermissionsExt::from_mode(0o644)).unwrap();
    let said = office.refused(
        &office.invite("--title x --level unclassified --from now --until +1h --participant anna.pem --out m"),
    );
    assert!(said.contains("the password file ca.password is open to others; run: chmod 600 ca.password"), "{said}");
}

#[test]
fn a_meeting_can_be_described_in_a_file_beside_its_certificates() {
    let office = Office::staffed();
    std::fs::create_dir(office.path("plans")).unwrap();
    office.write(
        "plans/meeting.toml",
        r#"
        title = "Preparation of the council"
        warning = "Classified matters will be discussed."
        level = "secret"
        from = "now"
        until = "+3h"
        releasable = ["FI"]
        [relay]
        address = "relay.test:443"
        certificate = "../relay/relay.pem"
        [[participant]]
        certificate = "../anna.crt.pem"
        languages = ["fi"]
        "#,
    );
    let made = office.good("--json invite --ca ca --password-file ca.password --meeting plans/meeting.toml --level restricted --out m.conclave");
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!((&made["kind"], &made["level"]), (&"invited".into(), &"restricted".into()), "the flag wins");
    assert_eq!(made["warnings"], serde_json::json!([]));
    let shown: serde_json::Value = serde_json::from_str(&office.good("show m.conclave --json")).unwrap();
    assert_eq!(shown["relay"], "relay.test:443");
    assert_eq!(shown["releasable"], serde_json::json!(["FI"]));
    assert_eq!(shown["participants"][0]["name"], "Anna Virtanen");
    assert_eq!(shown["signer"][0]["purpose"], "signing invitations");
}

#[test]
fn refusals_say_what_where_and_what_to_do() {
    let office = Office::staffed();
    office.write_secret("wrong.password", "something else");
    office.write("broken.toml", "title = \"x\"\nlevel = \"cosmic\"\n");
    let meeting = "--title Talk --level unclassified --from now --until +1h --out m.conclave";
    let issue = "credential issue --ca ca --password-file ca.password --seat Finland --seat-code FI --out new.pem";
    for (line, wanted) in [
        (office.invite(&format!("{meeting} --participant nobody.pem")), "nobody.pem cannot be read: there is no such file or folder"),
        (office.invite(&format!("{meeting} --participant ca.password")), "ca.password holds no certificate"),
        (office.invite(&format!("{meeting} --participant relay/relay.pem")), "no conclave attributes"),
        (office.invite(meeting), "the meeting has no participants; give --participant"),
        (
            office.invite("--title Talk --level secret --from now --until +1h --out m.conclave --participant elsa.pem --open"),
            "Elsa Lindqvist (elsa.pem) could not enter this meeting: the meeting needs a clearance up to SECRET",
        ),
        (
            office.invite("--title Talk --level unclassified --from 2020-01-01 --until 2020-01-02 --out m.conclave --participant elsa.pem --open"),
            "which is past; give a later --until",
        ),
        (
            office.invite("--title Talk --level unclassified --from noon --until +1h --out m.conclave --participant elsa.pem --open"),
            "from \"noon\" is no time: write now, +30m",
        ),
        (
            office.invite("--title Talk --level unclassified --from +2h --until +1h --out m.conclave --participant elsa.pem --open"),
            "it closes before it opens",
        ),
        (
            office.invite(&format!("{meeting} --participant elsa.pem --participant elsa.pem --open")),
            "lists the same certificate twice",
        ),
        (
            office.invite("--meeting broken.toml --out m.conclave"),
            "line 2",
        ),
        (
            "invite --ca ca --password-file wrong.password --relay 127.0.0.1:7443 --relay-certificate relay/relay.pem --title x \
             --level unclassified --from now --until +1h --participant elsa.pem --out m.conclave"
                .to_owned(),
            "issuing.key.pem cannot be used: the password is wrong",
        ),
        (
            "invite --ca ca --password-file ca.password --relay 127.0.0.1:7443 --relay-certificate elsa.pem --title x \
             --level unclassified --from now --until +1h --participant elsa.pem --out m.conclave"
                .to_owned(),
            "elsa.pem cannot be the relay's certificate: the certificate was not issued for a relay",
        ),
        ("ca create --ca ca --password-file ca.password --name Ministry".to_owned(), "root.pem cannot be written: it exists already"),
        (
            office.invite(&format!("{meeting} --participant elsa.pem")),
            "there is a lobby, but no chair and no succession",
        ),
        (
            office.invite(&format!("{meeting} --participant elsa.pem --open --succession anna.crt.pem")),
            "the succession names somebody who is no participant",
        ),
        (
            office.invite(&format!("{meeting} --participant elsa.pem --open --originator anna.crt.pem")),
            "the originator is no participant",
        ),
        (
            office.invite("--title Talk --level top-secret --from now --until +1h --out m.conclave --participant anna.pem"),
            "relay/relay.pem allows the relay meetings up to SECRET UE/EU SECRET, and this one is TRÈS SECRET UE/EU TOP SECRET; issue it with --max-level top-secret",
        ),
        ("revoke --ca ca --password-file ca.password relay/root.pem".to_owned(), "relay/root.pem: the certificate was not issued by this CA"),
        ("credential assemble --key elsa.pem --certificates anna.crt.pem --key-password-file anna.password --out new.pem --credential-password-file anna.password".to_owned(), "anna.crt.pem: the private key does not belong to the certificate"),
        ("audit verify nowhere.log".to_owned(), "nowhere.log cannot be read: there is no such file or folder"),
        (format!("{issue} --name A\u{202e}B --credential-password-file anna.password"), "U+202E"),
        (format!("{issue} --name Anna"), "give --credential-password-file or CONCLAVE_CREDENTIAL_PASSWORD"),
        (
            "credential issue --ca nowhere --name A --seat B --seat-code CC --out new.pem".to_owned(),
            "there is no CA in nowhere",
        ),
        ("relay-certificate --ca ca --password-file ca.password --host bad_host! --out r".to_owned(), "\"bad host!\" is no host name"),
        (
            format!("{issue} --name Anna --clearance secret --clearance-until 2020-01-01"),
            "the clearance ends at 2020-01-01 00:00 UTC, which is past; give a later --clearance-until",
        ),
        (
            "renew --ca ca --password-file ca.password anna.pem --out new.pem --clearance-until 2020-01-01".to_owned(),
            "the clearance ends at 2020-01-01 00:00 UTC, which is past; give a later --clearance-until",
        ),
        ("show ca.password".to_owned(), "ca.password: the file is no invitation"),
        ("verify anna.crt.pem".to_owned(), "give --root root.pem"),
    ] {
        let said = office.refused(&line);
        assert!(said.starts_with("conclave-registry: ") && said.contains(wanted), "{line}\n{said}");
        assert!(!said.contains("os error") && !said.contains("entity"), "{said}");
        let named = said.split([' ', ':', ',']).filter(|word| word.ends_with(".pem")).max_by_key(|word| word.len());
        assert!(named.is_none_or(|file| said.matches(file).count() == 1), "the file is named twice: {said}");
    }
    for file in ["m.conclave", "new.pem", "r"] {
        assert!(!office.path(file).exists(), "{file} was written all the same");
    }
}

#[test]
fn what_does_not_hold_fails_the_check() {
    let office = Office::staffed();
    office.good("ca create --ca other --password-file ca.password --name Ministry");
    office
        .good(&office.invite(
            "--title Talk --level unclassified --from now --until +1h --out m.conclave --participant anna.pem",
        ));
    let mut edited = std::fs::read(office.path("m.conclave")).unwrap();
    let at = edited.windows(4).position(|window| window == b"Talk").unwrap();
    edited[at] = b'W';
    std::fs::write(office.path("edited.conclave"), edited).unwrap();
    for (line, wanted) in [
        ("verify m.conclave --root other/root.pem", "made by another CA of the same name"),
        ("verify m.conclave --root ca/root.pem --at +2h", "the meeting closed"),
        (
            "verify m.conclave --root ca/root.pem --participant elsa.pem",
            "the invitation does not name this certificate",
        ),
        ("verify edited.conclave --root ca/root.pem", "altered after it was signed"),
        ("verify anna.pem --root other/root.pem", "the file brings another root"),
        ("verify anna.pem --at +400d", "expired"),
        ("verify anna.pem --unlock --credential-password-file ca.password", "the password is wrong"),
        ("verify ca/issuing.pem --root ca/root.pem", "that of a certification authority"),
        ("verify ca.password --root ca/root.pem", "the file is no invitation"),
    ] {
        let output = office.run(line);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        assert!(said.contains(wanted) && said.contains("It does not hold."), "{line}\n{said}");
    }
}
