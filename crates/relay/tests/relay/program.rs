//! The program as administrators see it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use conclave_identity::{
    credential,
    issue::{Reason, Rehearsal, RehearsalSpec},
};
use conclave_model::Level;

use crate::client::{validity, wall};

/// How often a text stands in another.
fn times(what: &str, text: &str) -> usize {
    text.matches(what).count()
}

/// A folder with a configuration and all that it names.
fn folder() -> (tempfile::TempDir, Rehearsal) {
    let folder = tempfile::tempdir().unwrap();
    let rehearsal = Rehearsal::new(&RehearsalSpec::new(1, wall())).unwrap();
    fs::write(folder.path().join("relay.pem"), rehearsal.relay.certificate_pem()).unwrap();
    credential::write_private(&folder.path().join("relay.key.pem"), &rehearsal.relay.key_pem()).unwrap();
    let root = credential::certificate_to_pem(rehearsal.authority.root());
    fs::write(folder.path().join("roots.pem"), root).unwrap();
    write_config(folder.path(), "");
    (folder, rehearsal)
}

fn write_config(folder: &Path, more: &str) {
    let config = format!(
        "listen = \"127.0.0.1:0\"\ncertificate = \"relay.pem\"\nkey = \"relay.key.pem\"\ntrust = \"roots.pem\"\n\
         max_level = \"restricted\"\n{more}"
    );
    fs::write(folder.join("relay.toml"), config).unwrap();
}

fn relay(command: &str, folder: &Path) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_conclave-relay"));
    process.args([command, "--config"]).arg(folder.join("relay.toml"));
    process
}

fn check(folder: &Path) -> (bool, String) {
    let Output { status, stdout, stderr } = relay("check", folder).output().unwrap();
    let said = [stdout, stderr].concat();
    (status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn check_prints_the_pin_for_invitations() {
    let (folder, rehearsal) = folder();
    let (good, said) = check(folder.path());
    assert!(good, "{said}");
    let pin: String = rehearsal.relay.pin().0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(said.contains(&pin), "{said}");
}

#[test]
fn check_names_what_is_wrong_with_each_file() {
    let (folder, rehearsal) = folder();
    let (good, said) = {
        write_config(folder.path(), "max_participants = 0\n");
        check(folder.path())
    };
    assert!(
        !good && said.contains("relay.toml:6: `max_participants` is 0; it takes a number from 1 to 10000"),
        "{said}"
    );
    write_config(folder.path(), "");

    let key = folder.path().join("relay.key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (good, said) = check(folder.path());
    assert!(!good && said.contains("relay.toml:3: `key` names"), "{said}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    fs::write(&key, Rehearsal::new(&RehearsalSpec::new(1, wall())).unwrap().relay.key_pem().as_bytes()).unwrap();
    let (good, said) = check(folder.path());
    assert!(!good && said.contains("it is not the key of the relay's certificate"), "{said}");

    let other = Rehearsal::new(&RehearsalSpec::new(1, wall())).unwrap();
    fs::write(folder.path().join("roots.pem"), credential::certificate_to_pem(other.authority.root())).unwrap();
    let (good, said) = check(folder.path());
    assert!(!good && said.contains("leads to no root in `trust`"), "{said}");

    let root = credential::certificate_to_pem(rehearsal.authority.root());
    let issuing = credential::certificate_to_pem(rehearsal.authority.issuing());
    for no_root in [rehearsal.relay.certificate_pem(), root + &issuing] {
        fs::write(folder.path().join("roots.pem"), no_root).unwrap();
        let (good, said) = check(folder.path());
        assert!(!good && said.contains("relay.toml:4: `trust` names") && said.contains(" is no root: "), "{said}");
    }

    fs::write(folder.path().join("roots.pem"), "nothing here").unwrap();
    let (good, said) = check(folder.path());
    assert!(!good && said.contains("relay.toml:4: `trust` names"), "{said}");

    fs::remove_file(folder.path().join("relay.pem")).unwrap();
    fs::write(folder.path().join("roots.pem"), credential::certificate_to_pem(other.authority.root())).unwrap();
    let (good, said) = check(folder.path());
    assert!(!good && said.contains("relay.toml:2: `certificate` names"), "{said}");
    assert_eq!(times("there is no such file", &said), 1, "{said}");

    fs::remove_file(folder.path().join("relay.toml")).unwrap();
    let (good, said) = check(folder.path());
    assert!(!good && times("there is no such file", &said) == 1, "{said}");
}

#[test]
fn a_port_that_is_taken_is_named_once() {
    let (folder, _) = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = fs::read_to_string(folder.path().join("relay.toml")).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fs::write(folder.path().join("relay.toml"), config.replace("127.0.0.1:0", &address)).unwrap();
    let Output { status, stderr, .. } = relay("serve", folder.path()).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(!status.success() && said.contains(&address), "{said}");
    assert_eq!(times("in use", &said), 1, "{said}");
}

#[test]
fn the_certificate_limits_the_level() {
    let (folder, rehearsal) = folder();
    let day = validity(&rehearsal);
    let relay = rehearsal.authority.issue_relay_certificate(&["127.0.0.1".into()], Level::Restricted, day).unwrap();
    fs::write(folder.path().join("relay.pem"), relay.certificate_pem()).unwrap();
    fs::remove_file(folder.path().join("relay.key.pem")).unwrap();
    credential::write_private(&folder.path().join("relay.key.pem"), &relay.key_pem()).unwrap();
    assert!(check(folder.path()).0);
    let config = fs::read_to_string(folder.path().join("relay.toml")).unwrap();
    fs::write(folder.path().join("relay.toml"), config.replace("restricted", "confidential")).unwrap();
    let (good, said) = check(folder.path());
    let words = "relay.toml:5: `max_level` is \"confidential\", but the relay's certificate allows only \"restricted\"";
    assert!(!good && said.contains(words), "{said}");
    fs::write(folder.path().join("relay.toml"), config.replace("max_level = \"restricted\"\n", "")).unwrap();
    let (good, said) = check(folder.path());
    assert!(good && said.contains("max level    restricted"), "{said}");
}

#[test]
fn check_reads_revocation_lists_and_names_bad_ones() {
    let (folder, mut rehearsal) = folder();
    let list = rehearsal.authority.revoke(&[], Reason::Unspecified, wall()).unwrap().clone();
    fs::write(folder.path().join("good.crl"), &list).unwrap();
    let pem = pem_of(&list);
    fs::write(folder.path().join("good.pem"), pem.repeat(2)).unwrap();
    write_config(folder.path(), "revocations = [\"good.crl\", \"good.pem\"]\n");
    let (good, said) = check(folder.path());
    assert!(good && said.contains("revocations  3 list(s)"), "{said}");

    let mut edited = list.to_vec();
    *edited.last_mut().unwrap() ^= 1;
    for (bad, words) in [
        (edited.as_slice(), "the signature of revocation list"),
        (b"0 is no list", "is damaged"),
        (b"nothing here", "it holds no certificate revocation list"),
        (b"", "it holds no certificate revocation list"),
        (&pem.as_bytes()[..200], "it holds no certificate revocation list"),
    ] {
        fs::write(folder.path().join("bad.crl"), bad).unwrap();
        write_config(folder.path(), "revocations = [\n\"good.crl\",\n\"bad.crl\"]\n");
        let (good, said) = check(folder.path());
        assert!(!good && said.contains("relay.toml:8: `revocations` names") && said.contains(words), "{said}");
    }
    write_config(folder.path(), "revocations = [\"none.crl\"]\n");
    let (good, said) = check(folder.path());
    assert!(!good && times("there is no such file", &said) == 1, "{said}");
}

fn pem_of(list: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list");
    fs::write(&file, list).unwrap();
    let openssl = Command::new("openssl").args(["crl", "-inform", "DER", "-in"]).arg(file).output().unwrap();
    String::from_utf8(openssl.stdout).unwrap()
}

#[test]
fn check_looks_into_the_audit_log_and_does_not_change_it() {
    let (folder, _) = folder();
    write_config(folder.path(), "audit = \"audit.jsonl\"\n");
    let (good, said) = check(folder.path());
    assert!(good && said.contains("audit.jsonl (0 records)"), "{said}");
    assert!(!folder.path().join("audit.jsonl").exists());
    fs::write(folder.path().join("audit.jsonl"), "somebody was here\n").unwrap();
    let (good, said) = check(folder.path());
    assert!(!good && said.contains("relay.toml:6: `audit` names") && said.contains("line 1"), "{said}");
}

#[test]
fn serve_reads_a_list_again_that_has_changed_and_keeps_the_old_one_where_the_new_is_bad() {
    let (folder, mut rehearsal) = folder();
    let first = rehearsal.authority.revoke(&[], Reason::Unspecified, wall()).unwrap().clone();
    let second = rehearsal.authority.revoke(&[], Reason::Unspecified, wall()).unwrap().clone();
    let path = folder.path().join("office.crl");
    let put = |bytes: &[u8]| {
        fs::write(folder.path().join("next"), bytes).unwrap();
        fs::rename(folder.path().join("next"), &path).unwrap();
    };
    put(&first);
    write_config(folder.path(), "revocations = [\"office.crl\"]\n");
    let mut process = relay("serve", folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |words: &str| lines.by_ref().find(|line| line.contains(words)).unwrap();
    until("relay is ready");
    put(b"0 is no list");
    let said = until("stay in force");
    assert!(said.contains("relay.toml:6: `revocations` names") && said.contains("office.crl"), "{said}");
    put(&second);
    until("read again");
    let hung_up = Command::new("kill").args(["-HUP", &process.id().to_string()]).status().unwrap();
    assert!(hung_up.success());
    until("read again");
    assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
    until("shutting down");
    assert!(process.wait().unwrap().success());
}

#[test]
fn serve_runs_until_it_is_told_to_stop() {
    let (folder, _) = folder();
    let mut process = relay("serve", folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(process.try_wait().unwrap(), None, "it runs");
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(cores.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["1", "1"], "{cores}");
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap().trim() != "0 kB";
    let killed = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let status = process.wait().unwrap();
    let mut log = String::new();
    process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(status.success(), "{log}");
    assert!(log.contains("relay is ready") && log.contains("shutting down"), "{log}");
    assert!(log.contains(&format!("core_dumps=false memory_locked={locked}")), "{log}");
}
