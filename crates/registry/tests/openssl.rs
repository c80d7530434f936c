//! A PKI that OpenSSL alone made, and every mixture of its parts with the program's.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Office, PASSWORD, certificate, now};
use conclave_identity::{
    ChainError, Holder, Invitation, MemberError, Revocations, check_member, read_relay_level,
    revocation::RevocationError, verify_chain,
};
use conclave_model::{Level, Role, SeatRank};

const CA: &str = "--ca ca --password-file ca.password";

/// What an administrator is given for OpenSSL.
const PROFILE: &str = include_str!("../../../packaging/doc/openssl.cnf");

const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-384";

impl Pki {
    /// Root, issuing CA (with this kind of key), a person with an encrypted key, and a relay.
    fn new(issuing_key: &str) -> Self {
        let office = Office::empty();
        office.write_secret("ca.password", "the door of the office");
        office.write_secret("anna.password", PASSWORD);
        office.write("profile.cnf", PROFILE);
        office.write("index.txt", "");
        office.write("crlnumber", "0A\n");
        office.tool(&format!(
            "openssl req -x509 {EC} -nodes -sha384 -days 3650 -subj /O=Enterprise/CN=Enterprise~Root -keyout root.key \
             -out root.pem -addext basicConstraints=critical,CA:TRUE,pathlen:1 -addext keyUsage=critical,keyCertSign,cRLSign"
        ));
        let pki = Self { office };
        pki.request(issuing_key, "/C=FI/O=Enterprise/OU=PKI/CN=Enterprise~Issuing", "issuing", "-nodes");
        pki.sign("issuing", "issuing", "root");
        pki.tool(
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -aes-256-cbc -pass file:anna.password -out anna.key",
        );
        pki.tool(
            "openssl req -new -key anna.key -passin file:anna.password -subj /O=Finland/CN=Anna~Virtanen -out anna.csr",
        );
        pki.sign("anna", "person", "issuing");
        pki.request(EC, "/O=Relays/CN=relay.test", "relay", "-nodes");
        pki.sign("relay", "relay", "issuing");
        for key in ["root.key", "issuing.key", "anna.key", "relay.key"] {
            pki.private(key);
        }
        pki
    }

    fn request(&self, key: &str, subject: &str, name: &str, password: &str) {
        self.tool(&format!(
            "openssl req -new {key} -sha384 -subj {subject} -keyout {name}.key -out {name}.csr {password}"
        ));
    }

    fn sign(&self, name: &str, section: &str, by: &str) {
        // The profile pairs P-521 with SHA-512.
        let key = self.tool(&format!("openssl x509 -in {by}.pem -noout -text"));
        let digest = if key.contains("P-521") { "sha512" } else { "sha384" };
        self.tool(&format!(
            "openssl x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -CAcreateserial -days 300 -{digest} \
             -extfile profile.cnf -extensions {section} -out {name}.pem"
        ));
    }

    fn private(&self, name: &str) {
        #[cfg(unix)]
        std::fs::set_permissions(self.path(name), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn join(&self, parts: &[&str], to: &str) {
        let text: String = parts.iter().map(|name| std::fs::read_to_string(self.path(name)).unwrap()).collect();
        self.write(to, &text);
        self.private(to);
    }

    fn adopt(&self) {
        self.good(&format!("ca adopt {CA} --root root.pem --issuing issuing.pem --issuing-key issuing.key"));
    }

    fn invitation(&self, participant: &str) -> Invitation {
        self.good(&format!(
            "invite {CA} --relay relay.test:443 --relay-certificate relay.pem --title Talk --level secret --from now \
             --until +1h --warning Beware --participant {participant} --out m.conclave"
        ));
        let bytes = std::fs::read(self.path("m.conclave")).unwrap();
        Invitation::parse(&bytes).unwrap().verify(&certificate(&self.path("root.pem")), now()).unwrap()
    }
}

struct Pki {
    office: Office,
}

impl std::ops::Deref for Pki {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}

fn enter(invitation: &Invitation, holder: &Holder, lists: &Revocations) -> Result<conclave_model::Person, MemberError> {
    check_member(holder.chain(), invitation, holder.root(), lists, invitation.content().level, now())
}

#[test]
fn people_relays_and_offices_under_a_pki_of_openssl_are_as_good_as_ours() {
    for key in [EC, "-newkey rsa:3072", "-newkey ec -pkeyopt ec_paramgen_curve:P-521"] {
        let pki = Pki::new(key);
        if !key.ends_with("P-521") {
            pki.join(&["anna.key", "anna.pem", "issuing.pem", "root.pem"], "anna.credential.pem");
        } else {
            pki.good(
                "credential assemble --key anna.key --key-password-file anna.password --certificates root.pem \
                 --certificates issuing.pem --certificates anna.pem --out anna.credential.pem \
                 --credential-password-file anna.password",
            );
        }
        pki.good("verify anna.credential.pem --unlock --credential-password-file anna.password");
        let holder = Holder::open(&pki.path("anna.credential.pem"), PASSWORD, now()).unwrap();
        pki.adopt();
        let invitation = pki.invitation("anna.credential.pem");
        let person = enter(&invitation, &holder, &Revocations::default()).unwrap();
        assert_eq!((person.name.as_str(), person.seat.as_str()), ("Anna Virtanen", "Finland"), "{key}");
        assert_eq!((person.rank, person.role), (SeatRank::Deputy, Role::Chair));
        let relay = certificate(&pki.path("relay.pem"));
        assert_eq!(read_relay_level(&relay), Ok(Level::Secret));
        let chain = [relay, certificate(&pki.path("issuing.pem"))];
        let root = certificate(&pki.path("root.pem"));
        assert_eq!(verify_chain(&chain, &root, now(), conclave_identity::Purpose::Relay), Ok(()));

        // What the adopted CA issues itself holds as well, and so do its revocations.
        let issue =
            "--name Elsa_Lindqvist --seat Sweden --seat-code SE --clearance secret --clearance-until 2999-01-01";
        pki.good(&format!(
            "credential issue {CA} {issue} --out elsa.pem --credential-password-file anna.password --days 200 --role chair"
        ));
        std::fs::remove_file(pki.path("m.conclave")).unwrap();
        let invitation = pki.invitation("elsa.pem");
        let elsa = Holder::open(&pki.path("elsa.pem"), PASSWORD, now()).unwrap();
        assert!(enter(&invitation, &elsa, &Revocations::default()).is_ok());
        pki.good(&format!("revoke {CA} elsa.pem anna.pem"));
        assert!(
            pki.tool("openssl crl -in ca/crl.pem -noout -verify -CAfile issuing.pem -text").contains("Serial Number")
        );
        let lists = conclave_identity::credential::read_lists(&pki.path("ca/crl.pem")).unwrap();
        let lists = Revocations::verify(lists.iter().map(|list| list.as_ref()), elsa.chain(), elsa.root()).unwrap();
        assert!(matches!(enter(&invitation, &elsa, &lists), Err(MemberError::Revoked { .. })), "{key}");
        assert!(lists.check(holder.chain(), holder.root()).is_err(), "{key}");
    }
}

#[test]
fn lists_of_openssl_revoke_and_are_gone_on_from() {
    let pki = Pki::new(EC);
    pki.join(&["anna.key", "anna.pem", "issuing.pem", "root.pem"], "anna.credential.pem");
    let holder = Holder::open(&pki.path("anna.credential.pem"), PASSWORD, now()).unwrap();
    let ca = "openssl ca -config profile.cnf -cert issuing.pem -keyfile issuing.key";
    pki.tool(&format!("{ca} -gencrl -out empty.crl.pem"));
    pki.tool(&format!("{ca} -revoke anna.pem -crl_reason keyCompromise"));
    pki.tool(&format!("{ca} -gencrl -out crl.pem"));
    let read = |name: &str| conclave_identity::credential::read_lists(&pki.path(name)).unwrap().remove(0);
    let (empty, full) = (read("empty.crl.pem"), read("crl.pem"));
    let verify = |lists: &[&[u8]]| Revocations::verify(lists.iter().copied(), holder.chain(), holder.root());
    assert_eq!(verify(&[&empty]).unwrap().check(holder.chain(), holder.root()), Ok(()));
    for lists in [[&empty[..], &full], [&full[..], &empty]] {
        assert!(verify(&lists).unwrap().check(holder.chain(), holder.root()).is_err(), "the higher number counts");
    }
    let mut altered = full.to_vec();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    assert_eq!(verify(&[&empty, &altered]).unwrap_err(), RevocationError::Signature(2));

    pki.good(&format!(
        "ca adopt {CA} --root root.pem --issuing issuing.pem --issuing-key issuing.key --revocations crl.pem"
    ));
    let made: serde_json::Value = serde_json::from_str(&pki.good(&format!("--json revoke {CA}"))).unwrap();
    assert_eq!((&made["number"], &made["revoked"]), (&"c".into(), &1.into()), "0xb was OpenSSL's last");
}

#[test]
fn keys_of_openssl_in_every_form_become_credentials() {
    let pki = Pki::new(EC);
    pki.tool("openssl ec -in anna.key -passin file:anna.password -out sec1.key");
    pki.tool("openssl pkcs8 -topk8 -nocrypt -in sec1.key -out plain.key");
    pki.tool("openssl ec -in sec1.key -aes256 -passout file:anna.password -out old.key");
    pki.join(&["issuing.pem", "root.pem"], "chain.pem");
    pki.tool(
        "openssl pkcs12 -export -inkey plain.key -in anna.pem -certfile chain.pem -passout file:anna.password -out anna.p12",
    );
    pki.tool(
        "openssl pkcs12 -export -inkey plain.key -in anna.pem -certfile chain.pem -passout file:anna.password -legacy \
         -out old.p12",
    );
    for name in ["sec1.key", "plain.key", "old.key", "anna.p12", "old.p12"] {
        pki.private(name);
    }
    let passwords = "--key-password-file anna.password --credential-password-file anna.password";
    let certificates = "--certificates anna.pem --certificates issuing.pem --root root.pem";
    for (number, (key, with)) in [
        ("sec1.key", certificates),
        ("plain.key", certificates),
        ("anna.key", certificates),
        ("anna.p12", ""),
        ("anna.p12", certificates),
    ]
    .into_iter()
    .enumerate()
    {
        pki.good(&format!("credential assemble --key {key} {with} --out {number}.pem {passwords}"));
        let holder = Holder::open(&pki.path(&format!("{number}.pem")), PASSWORD, now()).unwrap();
        assert_eq!(holder.person().name, "Anna Virtanen", "{key}");
    }
    let wrong = "--key-password-file ca.password --credential-password-file anna.password";
    for (line, wanted) in [
        (format!("credential assemble --key old.key {certificates} --out x.pem {passwords}"), "encrypted in a way"),
        (format!("credential assemble --key old.p12 --out x.pem {passwords}"), "old.p12 cannot be used"),
        (format!("credential assemble --key anna.p12 --out x.pem {wrong}"), "is the password right"),
        (
            format!("credential assemble --key plain.key --certificates anna.pem --out x.pem {passwords}"),
            "not issued under",
        ),
        (
            format!("credential assemble --key issuing.key {certificates} --out x.pem {passwords}"),
            "the key usage of the certificate does not include digital signatures",
        ),
        (
            format!("credential assemble --key profile.cnf {certificates} --out x.pem {passwords}"),
            "profile.cnf is open to others",
        ),
    ] {
        let said = pki.refused(&line);
        assert!(said.contains(wanted), "{line}: {said}");
    }
}

#[test]
fn requests_go_both_ways() {
    let pki = Pki::new(EC);
    pki.adopt();
    // OpenSSL's request, our certificate.
    let person = "--name Elsa_Lindqvist --seat Sweden --seat-code SE";
    pki.request(EC, "/CN=elsa", "elsa", "-nodes");
    pki.private("elsa.key");
    pki.good(&format!("credential issue {CA} --request elsa.csr {person} --certificate-out elsa.crt.pem --days 200"));
    let password = "--credential-password-file anna.password";
    pki.good(&format!("credential assemble --key elsa.key --certificates elsa.crt.pem --out elsa.pem {password}"));
    assert!(Holder::open(&pki.path("elsa.pem"), PASSWORD, now()).is_ok());
    // Our request, OpenSSL's certificate.
    pki.good(&format!("credential request --name Max --seat Malta --out max.key --request max.csr {password}"));
    pki.sign("max", "person", "issuing");
    pki.good(&format!(
        "credential assemble --key max.key --key-password-file anna.password --certificates max.pem --certificates \
         issuing.pem --certificates root.pem --out max.credential.pem {password}"
    ));
    assert_eq!(Holder::open(&pki.path("max.credential.pem"), PASSWORD, now()).unwrap().person().name, "Max");
    // Keys of other kinds are refused by name.
    pki.request("-newkey ec -pkeyopt ec_paramgen_curve:P-256", "/CN=weak", "weak", "-nodes");
    let said = pki.refused(&format!("credential issue {CA} --request weak.csr {person} --certificate-out x.pem"));
    assert_eq!(said, "conclave-registry: weak.csr: the key in the request is not ECDSA P-384\n");
}

#[test]
fn a_ca_that_could_not_do_the_work_is_not_adopted() {
    let pki = Pki::new(EC);
    pki.write("no-crl.cnf", "[x]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n");
    pki.tool(
        "openssl x509 -req -in issuing.csr -CA root.pem -CAkey root.key -CAcreateserial -days 300 -sha384 -extfile \
         no-crl.cnf -extensions x -out no-crl.pem",
    );
    let other = Pki::new(EC);
    std::fs::copy(other.path("root.pem"), pki.path("other.pem")).unwrap();
    std::fs::copy(other.path("issuing.key"), pki.path("other.key")).unwrap();
    for (line, wanted) in [
        ("--root root.pem --issuing issuing.pem --issuing-key other.key", "the key is not that of the issuing CA"),
        ("--root other.pem --issuing issuing.pem --issuing-key issuing.key", "made by another CA of the same name"),
        ("--root root.pem --issuing no-crl.pem --issuing-key issuing.key", "its key usage needs cRLSign"),
        ("--root root.pem --issuing relay.pem --issuing-key relay.key", "what this CA issues would not be accepted"),
        (
            "--root root.pem --issuing nothing.pem --issuing-key issuing.key",
            "nothing.pem cannot be read: there is no such file",
        ),
    ] {
        let said = pki.refused(&format!("ca adopt {CA} {line}"));
        assert!(said.contains(wanted), "{line}: {said}");
        assert!(!pki.path("ca").exists());
    }
    assert_eq!(ChainError::UnknownIssuer.to_string(), "it was not issued under the trusted root");
}
