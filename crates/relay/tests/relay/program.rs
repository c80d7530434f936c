//! The program as administrators see it.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use conclave_identity::{
    credential,
    issue::{Rehearsal, RehearsalSpec},
};

use crate::client::wall;

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
    let (folder, _) = folder();
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
    assert!(!good && said.contains("the key cannot be used with the certificate"), "{said}");

    let other = Rehearsal::new(&RehearsalSpec::new(1, wall())).unwrap();
    fs::write(folder.path().join("roots.pem"), credential::certificate_to_pem(other.authority.root())).unwrap();
    let (good, said) = check(folder.path());
    assert!(!good && said.contains("leads to no root in `trust`"), "{said}");

    fs::write(folder.path().join("roots.pem"), "nothing here").unwrap();
    let (good, said) = check(folder.path());
    assert!(!good && said.contains("relay.toml:4: `trust` names"), "{said}");

    fs::remove_file(folder.path().join("relay.pem")).unwrap();
    fs::write(folder.path().join("roots.pem"), credential::certificate_to_pem(other.authority.root())).unwrap();
    let (good, said) = check(folder.path());
    assert!(!good && said.contains("relay.toml:2: `certificate` names"), "{said}");
}

#[test]
fn serve_runs_until_it_is_told_to_stop() {
    let (folder, _) = folder();
    let mut process = relay("serve", folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(process.try_wait().unwrap(), None, "it runs");
    let killed = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let status = process.wait().unwrap();
    let mut log = String::new();
    process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(status.success(), "{log}");
    assert!(log.contains("relay is ready") && log.contains("shutting down"), "{log}");
}
