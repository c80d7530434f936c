//! Credentials in a token, with the real program and SoftHSM.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Office, certificate, now};
use conclave_identity::{Invitation, Revocations, check_member};

#[test]
fn an_office_makes_a_credential_on_a_card_and_invites_it() {
    let mut office = Office::staffed();
    let module = office.tokens("4711-card");
    let card = format!("pkcs11:token=Card?module-path={module}");
    office.write_secret("pin", "4711-card");
    office.write_secret("wrong.pin", "0000-wrong");
    let listed = office.good(&format!("card list --module {module}"));
    assert!(listed.contains("pkcs11:token=Card;serial=") && listed.contains("no credential"), "{listed}");

    let issue =
        "credential issue --ca ca --password-file ca.password --name Max_Borg --seat Malta --seat-code MT --role chair";
    let said = office.refused(&format!("{issue} --card {card} --pin-file wrong.pin"));
    assert!(said.starts_with("conclave-registry: the PIN is wrong"), "{said}");
    let said = office.good(&format!("{issue} --card {card} --pin-file pin --certificate-out max.crt.pem"));
    assert!(said.contains("The credential of Max Borg is on the card"), "{said}");
    let uri = said.lines().find_map(|line| line.trim().strip_prefix("pkcs11:")).unwrap();
    let said = office.good(&format!("card check pkcs11:{uri} --pin-file pin"));
    assert!(said.contains("The card of Max Borg works"), "{said}");
    let said = office.good(&format!("card check {card} --pin-file pin"));
    assert!(said.contains("The card of Max Borg works"), "the only one needs no name: {said}");
    let listed = office.good(&format!("card list --module {module}"));
    assert!(listed.contains("Max Borg, Malta"), "{listed}");

    let rest = "--title Talk --level unclassified --from now --until +1h --participant max.crt.pem --out m.conclave";
    office.good(&office.invite(rest));
    let root = certificate(&office.path("ca/root.pem"));
    let invitation = Invitation::parse(&std::fs::read(office.path("m.conclave")).unwrap()).unwrap();
    let invitation = invitation.verify(&root, now()).unwrap();
    let chain = [certificate(&office.path("max.crt.pem")), certificate(&office.path("ca/issuing.pem"))];
    let level = invitation.content().level;
    assert_eq!(
        check_member(&chain, &invitation, &root, &Revocations::default(), level, now()).unwrap().name,
        "Max Borg"
    );

    for (line, wanted) in [
        (
            format!("card check pkcs11:token=Other?module-path={module} --pin-file pin"),
            "there is no card \"Other\"; there is \"",
        ),
        (format!("card check {card};object=x --pin-file pin"), "no such card"),
        ("card list --module nowhere.so".to_owned(), "there is no file nowhere.so; check module-path= in the address"),
    ] {
        let output = office.run(&line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && (said.contains(wanted) || line.contains("object=x")), "{line}: {said}");
    }
    let output = office.run(&format!("card check {card}&pin-value=4711-card"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("a PIN does not belong into an address"), "{said}");
}
