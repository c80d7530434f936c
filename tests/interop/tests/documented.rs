//! What is written about the programs is what they do.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{fs, path::Path, process::Command};

use conclave_interop_tests::world::program;

#[test]
fn the_example_of_a_relays_configuration_documents_every_key() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/relay/relay.toml");
    let example = fs::read_to_string(example).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("relay.toml");
    let check = |text: &str| {
        fs::write(&config, text).unwrap();
        let mut command = Command::new(program("conclave-relay").unwrap());
        String::from_utf8(command.arg("check").arg("--config").arg(&config).output().unwrap().stderr).unwrap()
    };
    // With a key that there is not, the relay names all that there are.
    let said = check(&format!("{example}\nthere_is_no_such_key = 1\n"));
    let (_, keys) = said.split_once("there are ").unwrap_or_else(|| panic!("{said}"));
    let keys: Vec<_> = keys.trim().split([',', ' ', '`']).filter(|word| !matches!(*word, "" | "and")).collect();
    assert!(keys.contains(&"max_level") && keys.len() >= 10, "{keys:?}");
    for key in keys {
        let documented = |line: &&str| line.trim_start_matches('#').split(" = ").next() == Some(key);
        assert_eq!(example.lines().filter(documented).count(), 1, "{key}");
    }
    // The defaults that it shows are taken, where it is not only an example: what is missing then is only a file.
    let example_only = |line: &&str| line.starts_with("#audit") || line.starts_with("#revocations");
    let given = example.lines().filter(|line| !example_only(line)).map(uncommented);
    let said = check(&given.collect::<Vec<_>>().join("\n"));
    assert!(said.contains("`trust` names") && said.contains("root.pem"), "{said}");
}

/// A key that is only shown, as it would be given.
fn uncommented(line: &str) -> &str {
    line.strip_prefix('#').filter(|key| key.starts_with(char::is_alphabetic)).unwrap_or(line)
}
