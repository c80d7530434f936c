#![allow(clippy::unwrap_used)]

use std::{env, fs, process::Command};

use super::*;
use crate::issue::{Authority, Validity, delegate};

const WALL: u64 = 1_800_000_000;
const PIN: &str = "4711-card";
const FOLDER: &str = "CONCLAVE_TEST_TOKENS";

/// Debian's SoftHSM; elsewhere `SOFTHSM2_MODULE` says where it is.
fn module() -> PathBuf {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib/libsofthsm2.so"];
    let found = env::var_os("SOFTHSM2_MODULE").map(PathBuf::from);
    let found = found.or_else(|| places.iter().map(PathBuf::from).find(|path| path.exists()));
    found.expect("SoftHSM is needed; cargo xtask setup installs it")
}

/// Runs the test again in a process with two fresh tokens, "Anna" and "Elsa", of its own: a module reads its configuration
/// once.
fn with_tokens(test: &str, body: impl FnOnce(&Path)) {
    if let Some(folder) = env::var_os(FOLDER) {
        return body(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let (tokens, config) = (folder.path().join("tokens"), folder.path().join("softhsm2.conf"));
    fs::create_dir(&tokens).unwrap();
    fs::write(&config, format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display())).unwrap();
    for label in ["Anna", "Elsa"] {
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "office-pin"])
            .env("SOFTHSM2_CONF", &config)
            .output()
            .expect("softhsm2-util is needed; cargo xtask setup installs it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("card::tests::{test}"), "--nocapture"])
        .env("SOFTHSM2_CONF", &config)
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

fn anna() -> CardUri {
    CardUri::of_token(&module(), "Anna")
}

fn authority() -> Authority {
    Authority::create("Office", Validity::days(WALL, 10)).unwrap()
}

/// A key and its certificates in the token; the address and the office.
fn issue(authority: &Authority, uri: &CardUri, number: usize, with_root: bool) -> CardUri {
    let key = NewKey::generate(uri, PIN, "identity").unwrap();
    let mut chain = authority.certify(&delegate(number, WALL), key.public_key(), Validity::days(WALL, 5)).unwrap();
    if with_root {
        chain.push(authority.root().clone());
    }
    key.certify(uri, &chain).unwrap()
}

#[test]
fn a_key_made_on_a_card_signs_as_its_holder_and_never_leaves() {
    with_tokens("a_key_made_on_a_card_signs_as_its_holder_and_never_leaves", |_| {
        let authority = authority();
        let uri = issue(&authority, &anna(), 0, true);
        let holder = Holder::on_card(&uri, PIN, WALL).unwrap();
        assert_eq!(holder.person().name, "Emma Peeters");
        assert_eq!(holder.root(), authority.root());
        assert_eq!(holder.chain().len(), 2);
        for message in [&b""[..], b"x", &[0; 5000]] {
            let signature = holder.signer().sign(message).unwrap();
            assert_eq!(certificate::verify_signature(&holder.chain()[0], message, &signature), Ok(()));
        }
        assert!(holder.is_present());
        let again = Holder::on_card(&anna(), PIN, WALL).unwrap();
        assert_eq!(again.person(), holder.person(), "the only credential needs no name");
        let shown = format!("{again:?} {:?}", again.signer());
        assert!(shown.ends_with("CardKey") && !shown.contains(PIN) && !shown.contains("Emma"), "{shown}");

        let listed = list(&module()).unwrap();
        assert_eq!(listed.len(), 2);
        let credentials: Vec<_> = listed.iter().flat_map(|token| &token.credentials).collect();
        assert_eq!(credentials.len(), 1);
        assert_eq!(credentials[0].uri, uri);
        assert_eq!(credentials[0].person.as_ref().unwrap().name, "Emma Peeters");

        let open = OpenToken::log_in(&anna(), PIN, false).unwrap();
        let key = open.private_key(uri.id.as_ref().unwrap()).unwrap().unwrap();
        let value = open.session.get_attributes(key, &[AttributeType::Value]).unwrap_or_default();
        assert!(!value.iter().any(|found| matches!(found, Attribute::Value(_))), "the key can be read");
    });
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    with_tokens("what_does_not_fit_is_refused_by_name", |folder| {
        let authority = authority();
        let open = |uri: &CardUri, pin: &str| Holder::on_card(uri, pin, WALL).map(|_| ()).unwrap_err();
        assert_eq!(open(&anna(), PIN), CardError::NoCredential);
        assert!(matches!(open(&anna(), "0000-wrong"), CardError::Pin { .. }));
        let other = open(&CardUri::of_token(&module(), "Nobody"), PIN);
        let CardError::OtherTokens { wanted, found } = &other else { panic!("{other}") };
        assert_eq!(wanted, "\"Nobody\"");
        assert!(found == "\"Anna\", \"Elsa\"" || found == "\"Elsa\", \"Anna\"", "{found}");
        assert_eq!(open(&CardUri { token: None, ..anna() }, PIN), CardError::SeveralTokens);
        let nowhere = folder.join("nothing.so");
        assert_eq!(open(&CardUri::of_token(&nowhere, "Anna"), PIN), CardError::NoModule(nowhere));
        let text = folder.join("softhsm2.conf");
        assert_eq!(open(&CardUri::of_token(&text, "Anna"), PIN), CardError::Module(text));

        let first = issue(&authority, &anna(), 0, false);
        assert_eq!(open(&first, PIN), CardError::NoRoot);
        let root = folder.join("root.pem");
        fs::write(&root, credential::certificate_to_pem(authority.root())).unwrap();
        let rooted = CardUri { root: Some(root.clone()), ..first.clone() };
        assert!(Holder::on_card(&rooted, PIN, WALL).is_ok());
        assert!(matches!(
            Holder::on_card(&rooted, PIN, WALL + 6 * 24 * 3600).unwrap_err(),
            CardError::Credential(CredentialError::Expired { .. })
        ));
        issue(&authority, &anna(), 1, true);
        assert_eq!(open(&anna(), PIN), CardError::SeveralCredentials);
        assert_eq!(Holder::on_card(&first, PIN, WALL).unwrap().person().name, "Emma Peeters");
        let absent = CardUri { id: Some(vec![1]), ..anna() };
        assert_eq!(open(&absent, PIN), CardError::NoCredential);

        // A certificate for another key is not stored, and the key is removed again.
        let key = NewKey::generate(&anna(), PIN, "other").unwrap();
        let foreign = authority.issue_credential(&delegate(2, WALL), Validity::days(WALL, 5)).unwrap();
        let error = key.certify(&anna(), foreign.holder().chain()).unwrap_err();
        assert_eq!(error, CardError::Credential(CredentialError::KeyMismatch));
        let open = OpenToken::log_in(&anna(), PIN, false).unwrap();
        let keys = open.session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap();
        assert_eq!(keys.len(), 2);
    });
}

#[test]
fn a_wrong_pin_is_refused_even_while_the_card_is_in_use() {
    with_tokens("a_wrong_pin_is_refused_even_while_the_card_is_in_use", |_| {
        let uri = issue(&authority(), &anna(), 0, true);
        let holder = Holder::on_card(&uri, PIN, WALL).unwrap();
        assert!(matches!(Holder::on_card(&uri, "0000-wrong", WALL), Err(CardError::Pin { .. })));
        assert_eq!(holder.signer().sign(b"x"), Err(SignError::Unavailable), "who cannot unlock it again ends its use");
        let back = Holder::on_card(&uri, PIN, WALL).unwrap();
        assert!(back.signer().sign(b"x").is_ok());
    });
}

#[test]
fn a_card_that_is_taken_out_is_gone_and_comes_back_by_its_pin() {
    with_tokens("a_card_that_is_taken_out_is_gone_and_comes_back_by_its_pin", |folder| {
        let uri = issue(&authority(), &anna(), 0, true);
        let holder = Holder::on_card(&uri, PIN, WALL).unwrap();
        assert!(holder.is_present());
        let (tokens, pocket) = (folder.join("tokens"), folder.join("pocket"));
        fs::rename(&tokens, &pocket).unwrap();
        assert!(!holder.is_present());
        assert_eq!(holder.signer().sign(b"x"), Err(SignError::Unavailable));
        // Whoever tries meanwhile does not spoil it for later.
        let missing = Holder::on_card(&uri, PIN, WALL).map(|_| ()).unwrap_err();
        assert!(matches!(missing, CardError::ModuleStart { .. } | CardError::NoToken), "{missing}");
        assert_eq!(Holder::on_card(&uri, PIN, WALL).map(|_| ()).unwrap_err(), missing);
        fs::rename(&pocket, &tokens).unwrap();
        let back = Holder::on_card(&uri, PIN, WALL).unwrap();
        assert!(back.is_present() && back.signer().sign(b"x").is_ok());
    });
}

/// The reader stays, as most do; a module may have begun without a card too.
#[test]
fn a_card_that_comes_back_is_found_though_somebody_tried_without_it() {
    with_tokens("a_card_that_comes_back_is_found_though_somebody_tried_without_it", |folder| {
        let uri = issue(&authority(), &anna(), 0, true);
        let holder = Holder::on_card(&uri, PIN, WALL).unwrap();
        let (reader, pocket) = (folder.join("tokens"), folder.join("pocket"));
        fs::create_dir(&pocket).unwrap();
        let move_all = |from: &Path, to: &Path| {
            for token in fs::read_dir(from).unwrap().map(Result::unwrap) {
                fs::rename(token.path(), to.join(token.file_name())).unwrap();
            }
        };
        move_all(&reader, &pocket);
        assert!(!holder.is_present());
        for _ in 0..3 {
            let missing = Holder::on_card(&uri, PIN, WALL).map(|_| ()).unwrap_err();
            assert_eq!(missing, CardError::NoToken);
        }
        move_all(&pocket, &reader);
        let back = Holder::on_card(&uri, PIN, WALL).unwrap();
        assert!(back.is_present() && back.signer().sign(b"x").is_ok());
    });
}

#[test]
fn a_module_without_its_folder_and_one_without_tokens_say_which() {
    with_tokens("a_module_without_its_folder_and_one_without_tokens_say_which", |folder| {
        let (tokens, pocket) = (folder.join("tokens"), folder.join("pocket"));
        fs::rename(&tokens, &pocket).unwrap();
        let open = || Holder::on_card(&anna(), PIN, WALL).map(|_| ()).unwrap_err();
        let error = open();
        assert!(matches!(&error, CardError::ModuleStart { module: named, .. } if *named == module()), "{error}");
        assert!(error.to_string().contains("token"), "{error}");
        fs::create_dir(&tokens).unwrap();
        assert_eq!(open(), CardError::NoToken);
    });
}

#[test]
fn raw_signatures_become_asn1() {
    let mut raw = [0; RAW_SIGNATURE];
    (raw[47], raw[48]) = (5, 0x80);
    let mut wanted = vec![0x30, 3 + 2 + 49, 0x02, 1, 5, 0x02, 49, 0, 0x80];
    wanted.extend([0; 47]);
    assert_eq!(to_asn1(&raw), Some(wanted));
    assert_eq!(to_asn1(&raw[1..]), None);
}
