#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use super::*;
use crate::{
    Holder,
    issue::{Authority, Rehearsal, RehearsalSpec, Validity, delegate},
};

const WALL: u64 = 1_800_000_000;
const PASSWORD: &str = "correct horse";

struct Sample {
    authority: Authority,
    pem: String,
}

/// Encrypting costs time, so the tests share one file.
fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let authority = Authority::create("Test", Validity::days(WALL, 10)).unwrap();
        let issued = authority.issue_credential(&delegate(3, WALL), Validity::days(WALL, 5)).unwrap();
        Sample { pem: issued.to_pem(PASSWORD).unwrap(), authority }
    })
}

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("person.pem");
    write_private(&path, text).unwrap();
    (folder, path)
}

fn blocks() -> Vec<pem::Pem> {
    pem::parse_many(&sample().pem).unwrap()
}

fn from_blocks(blocks: &[pem::Pem]) -> Result<Holder, CredentialError> {
    Holder::from_pem(&pem::encode_many(blocks), PASSWORD)
}

#[test]
fn a_credential_file_opens_with_its_password() {
    let (_folder, path) = written(&sample().pem);
    let holder = Holder::open(&path, PASSWORD, WALL).unwrap();
    assert_eq!(holder.person().name, delegate(3, WALL).name);
    assert_eq!(holder.root(), sample().authority.root());
    assert_eq!(holder.chain().len(), 2);
    let signature = holder.signer().sign(b"x").unwrap();
    assert_eq!(crate::verify_signature(&holder.chain()[0], b"x", &signature), Ok(()));
}

#[test]
fn another_password_is_told_from_a_damaged_file() {
    let (_folder, path) = written(&sample().pem);
    for wrong in ["correct hors", "", "Correct horse", "correct horse "] {
        assert_eq!(Holder::open(&path, wrong, WALL).unwrap_err(), CredentialError::WrongPassword, "{wrong:?}");
    }
    let damaged = sample().pem.replace("-----END ENCRYPTED PRIVATE KEY-----", "-----END CERTIFICATE-----");
    assert_eq!(Holder::from_pem(&damaged, PASSWORD).unwrap_err(), CredentialError::Broken);
    assert_eq!(Holder::from_pem("", PASSWORD).unwrap_err(), CredentialError::Broken);
    assert_eq!(Holder::from_pem("holiday.jpg", PASSWORD).unwrap_err(), CredentialError::Broken);
}

#[test]
fn a_credential_counts_within_its_time_only() {
    let (_folder, path) = written(&sample().pem);
    let day = 24 * 60 * 60;
    let expired = Holder::open(&path, PASSWORD, WALL + 6 * day).unwrap_err();
    assert_eq!(expired, CredentialError::Expired { not_after: WALL + 5 * day });
    assert_eq!(expired.to_string(), "the credential expired at 2027-01-20 08:00 UTC; ask the registry for a new one");
    let early = Holder::open(&path, PASSWORD, WALL - day).unwrap_err();
    assert_eq!(early, CredentialError::NotYetValid { not_before: WALL - 3600 });
}

#[test]
fn a_missing_file_is_named() {
    let path = PathBuf::from("nowhere/person.pem");
    let missing = Holder::open(&path, PASSWORD, WALL).unwrap_err();
    assert_eq!(missing, CredentialError::Read { path, kind: io::ErrorKind::NotFound });
    assert!(missing.to_string().starts_with("nowhere/person.pem cannot be read"));
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_refused_without_waiting_for_its_writer() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("person.pem");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let refused = CredentialError::Read { path: pipe.clone(), kind: io::ErrorKind::InvalidInput };
    assert_eq!(Holder::open(&pipe, PASSWORD, WALL).unwrap_err(), refused);
    assert_eq!(read_lists(&pipe).unwrap_err(), refused);
    assert!(refused.to_string().ends_with("it is no ordinary file"), "{refused}");
    assert_eq!(open_file(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = written(&sample().pem);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o660, 0o777] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let refused = Holder::open(&path, PASSWORD, WALL).unwrap_err();
        assert_eq!(refused, CredentialError::Permissions { path: path.clone(), mode });
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    assert!(Holder::open(&path, PASSWORD, WALL).is_ok());
}

#[test]
fn existing_files_are_never_overwritten() {
    let (_folder, path) = written("first");
    let refused = write_private(&path, "second").unwrap_err();
    assert_eq!(refused, ProtectError::Write { path: path.clone(), kind: io::ErrorKind::AlreadyExists });
    assert_eq!(std::fs::read_to_string(path).unwrap(), "first");
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let other = sample().authority.issue_credential(&delegate(4, WALL), Validity::days(WALL, 5)).unwrap();
    let mut blocks = blocks();
    blocks[1] = pem::Pem::new("CERTIFICATE", other.certificate().to_vec());
    assert_eq!(from_blocks(&blocks).unwrap_err(), CredentialError::KeyMismatch);
}

#[test]
fn a_chain_under_another_root_is_refused() {
    let foreign = Authority::create("Test", Validity::days(WALL, 10)).unwrap();
    let mut blocks = blocks();
    blocks[3] = pem::Pem::new("CERTIFICATE", foreign.root().to_vec());
    let (_folder, path) = written(&pem::encode_many(&blocks));
    let refused = Holder::open(&path, PASSWORD, WALL).unwrap_err();
    assert_eq!(refused, CredentialError::Chain(ChainError::Signature));
}

#[test]
fn missing_and_surplus_parts_are_named() {
    let blocks = blocks();
    let without = |at: usize| {
        let mut fewer = blocks.clone();
        fewer.remove(at);
        from_blocks(&fewer).unwrap_err()
    };
    assert_eq!(without(0), CredentialError::Keys(0));
    assert_eq!(without(3), CredentialError::Root);
    assert_eq!(from_blocks(&blocks[..1]).unwrap_err(), CredentialError::NoCertificate);
    assert_eq!(from_blocks(&[blocks[0].clone(), blocks[3].clone()]).unwrap_err(), CredentialError::NoCertificate);
    let mut twice = blocks.clone();
    twice.push(blocks[0].clone());
    assert_eq!(from_blocks(&twice).unwrap_err(), CredentialError::Keys(2));
    let mut long = blocks.clone();
    long.extend([blocks[2].clone(), blocks[2].clone()]);
    assert_eq!(from_blocks(&long).unwrap_err(), CredentialError::Chain(ChainError::TooMany(5)));
    let mut plain = blocks.clone();
    plain[0] = pem::Pem::new("EC PRIVATE KEY", vec![1, 2, 3]);
    assert_eq!(from_blocks(&plain).unwrap_err(), CredentialError::Unencrypted);
    let mut swapped = blocks;
    swapped.swap(1, 2);
    assert!(matches!(from_blocks(&swapped).unwrap_err(), CredentialError::KeyMismatch));
    let huge = format!("{}{}", sample().pem, " ".repeat(MAX_FILE));
    assert_eq!(Holder::from_pem(&huge, PASSWORD).unwrap_err(), CredentialError::TooLarge);
}

#[test]
fn a_file_that_asks_for_absurd_work_is_refused_at_once() {
    let key = blocks()[0].contents().to_vec();
    // N = 2^14 as DER INTEGER; 2^30 takes a gigabyte times eight.
    let at = key.windows(4).position(|window| window == [0x02, 0x02, 0x40, 0x00]).unwrap();
    let info = EncryptedPrivateKeyInfoRef::from_der(&key).unwrap();
    let EncryptionScheme::Pbes2(mut parameters) = info.encryption_algorithm.clone() else { panic!("PBES2") };
    let Kdf::Scrypt(cost) = &mut parameters.kdf else { panic!("scrypt") };
    cost.cost_parameter = 1 << 30;
    let hostile = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: EncryptionScheme::Pbes2(parameters),
        encrypted_data: OctetString::new(info.encrypted_data.as_bytes()).unwrap(),
    };
    assert_eq!(decrypt(&hostile.to_der().unwrap(), PASSWORD).unwrap_err(), CredentialError::Encryption);
    let mut zero = key.clone();
    zero[at + 2] = 0;
    assert!(decrypt(&zero, PASSWORD).is_err());
}

/// Made with OpenSSL 3.0 by `req -x509`, `x509 -req -extfile` with an `ASN1:SEQUENCE` and `pkey -aes256`; the key
/// protects nothing.
#[test]
fn credentials_made_by_openssl_are_read() {
    let holder = Holder::from_pem(include_str!("data/openssl.pem"), "opensslpassword").unwrap();
    let person = holder.person();
    assert_eq!((person.name.as_str(), person.seat_code.as_str()), ("Anna Virtanen", "FI"));
    assert_eq!(person.clearance.unwrap().level, conclave_model::Level::Secret);
    assert_eq!(holder.check_validity(WALL), Ok(()));
    let wrong = Holder::from_pem(include_str!("data/openssl.pem"), "another").unwrap_err();
    assert_eq!(wrong, CredentialError::WrongPassword);
    let weak = Holder::from_pem(include_str!("data/openssl-3des.pem"), "opensslpassword").unwrap_err();
    assert_eq!(weak, CredentialError::Encryption, "what OpenSSL's `req` does by itself");
}

#[test]
fn short_passwords_protect_nothing() {
    let issued = sample().authority.issue_credential(&delegate(1, WALL), Validity::days(WALL, 1)).unwrap();
    assert_eq!(issued.to_pem("sevensi").unwrap_err(), ProtectError::ShortPassword(7));
}

#[test]
fn debug_output_shows_neither_key_nor_name() {
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(1, WALL)).unwrap();
    let issued = rehearsal.authority.issue_credential(&delegate(1, WALL), Validity::days(WALL, 1)).unwrap();
    for shown in [format!("{:?}", issued.holder()), format!("{issued:?}"), format!("{:?}", rehearsal.relay)] {
        assert!(!shown.contains("Dimitrova") && shown.len() < 60, "{shown}");
    }
    assert_eq!(format!("{:?}", issued.holder().signer()), "FileKey");
}

#[test]
fn an_authority_survives_its_folder_without_the_roots_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca");
    sample().authority.save(&path, PASSWORD).unwrap();
    std::fs::remove_file(path.join("root.key.pem")).unwrap();
    let loaded = Authority::load(&path, PASSWORD).unwrap();
    let issued = loaded.issue_credential(&delegate(7, WALL), Validity::days(WALL, 2)).unwrap();
    assert_eq!(issued.holder().check_validity(WALL), Ok(()));
    assert_eq!(issued.holder().root(), sample().authority.root());
    let wrong = Authority::load(&path, "wrong password").unwrap_err();
    let file = path.join("issuing.key.pem");
    assert_eq!(wrong, crate::issue::IssueError::Load { file, error: CredentialError::WrongPassword });
    assert!(matches!(sample().authority.save(&path, PASSWORD), Err(crate::issue::IssueError::Protect(_))));
    let beyond = loaded.issue_credential(&delegate(7, WALL), Validity::days(WALL, 11)).unwrap_err();
    assert!(matches!(beyond, crate::issue::IssueError::Validity { .. }));
}
