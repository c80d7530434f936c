#![allow(clippy::unwrap_used)]

use super::*;

const GOOD: &str = r#"
listen = "192.0.2.1:443"
public = [
  "192.0.2.1",
  "[2001:db8::1]:9",
]
certificate = "relay.pem"
key = "/keys/relay.key.pem"
trust = "roots.pem"
max_level = "secret"
max_participants_per_meeting = 0x40
log = "debug"
revocations = ["lists/crl.pem", "/lists/other.crl"]
audit = "log/audit.jsonl"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/etc/relay.toml"), text)
}

fn complaint(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn a_complete_file_is_read() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.listen, "192.0.2.1:443".parse().unwrap());
    assert_eq!(config.public, ["192.0.2.1:0".parse().unwrap(), "[2001:db8::1]:9".parse().unwrap()]);
    assert_eq!(config.certificate, Path::new("/etc/relay.pem"));
    assert_eq!(config.key, Path::new("/keys/relay.key.pem"));
    assert_eq!(config.max_level, Some(Level::Secret));
    assert_eq!((config.max_participants, config.max_participants_per_meeting), (500, 64));
    assert_eq!(config.log, LogLevel::Debug);
    assert_eq!(config.revocations, ["/etc/lists/crl.pem", "/lists/other.crl"].map(Path::new));
    assert_eq!(config.audit.as_deref(), Some(Path::new("/etc/log/audit.jsonl")));
    let config = parse(&GOOD.replace("revocations", "#").replace("audit", "#")).unwrap();
    assert_eq!((config.revocations.len(), config.audit), (0, None));
}

#[test]
fn the_default_address_takes_in_both_families() {
    let config = parse(&GOOD.replace("listen", "#")).unwrap();
    assert_eq!(config.listen, LISTEN.parse().unwrap());
    assert!(config.listen.ip().is_unspecified() && config.listen.is_ipv6());
}

#[test]
fn the_example_that_is_shipped_is_read() {
    let example = include_str!("../../../../packaging/relay/relay.toml");
    parse(example).unwrap();
}

#[test]
fn what_is_wrong_is_named_with_file_line_key_and_what_is_allowed() {
    assert_eq!(
        complaint(&GOOD.replace("\"secret\"", "\"cosmic\"")),
        "/etc/relay.toml:10: `max_level` is \"cosmic\"; it takes \"unclassified\", \"restricted\", \"confidential\", \
         \"secret\" or \"top-secret\""
    );
    assert_eq!(
        complaint(&GOOD.replace("0x40", "1")),
        "/etc/relay.toml:11: `max_participants_per_meeting` is 1; it takes a number from 2 to 256"
    );
    assert_eq!(
        complaint(&GOOD.replace("192.0.2.1:443", "relay.example:443")),
        "/etc/relay.toml:2: `listen` is \"relay.example:443\"; it takes an IP address and a port, as \
         \"192.0.2.1:7443\" or \"[::]:7443\""
    );
    assert!(complaint(&GOOD.replace("[2001:db8::1]:9", "here")).starts_with("/etc/relay.toml:5: `public` is \"here\""));
    assert!(complaint(&GOOD.replace("\"debug\"", "true")).contains("`log` is true; it takes a text in quotes"));
    assert!(complaint(&GOOD.replace("key =", "#")).contains("the key `key` is missing; it takes the path of"));
    let unknown = complaint(&GOOD.replace("log", "logs"));
    assert!(unknown.starts_with("/etc/relay.toml:12: there is no key `logs`; there are listen, media,"), "{unknown}");
}

#[test]
fn a_relay_without_an_address_that_clients_can_reach_is_refused() {
    let everywhere = GOOD.replace("192.0.2.1:443", "[::]:443");
    parse(&everywhere).unwrap();
    let nowhere = everywhere.replace("public", "#").replace("  \"192.0.2.1\",\n  \"[2001:db8::1]:9\",\n]\n", "");
    let error = complaint(&nowhere);
    assert!(error.contains("the key `public` is missing; it takes a list of IP addresses"), "{error}");
    parse(&format!("media = \"192.0.2.1:443\"\n{nowhere}")).unwrap();
}

#[test]
fn an_address_that_nobody_can_send_to_is_not_public() {
    for nowhere in ["0.0.0.0", "::", "[::]:9", "0.0.0.0:9", "224.0.0.1", "255.255.255.255"] {
        let error = complaint(&GOOD.replace("[2001:db8::1]:9", nowhere));
        assert!(error.starts_with(&format!("/etc/relay.toml:5: `public` is \"{nowhere}\"; it takes")), "{error}");
    }
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    assert!(complaint(&GOOD.replace("\"debug\"", "\"debug")).starts_with("/etc/relay.toml:12: "));
    assert!(complaint(&format!("{GOOD}\nlog = \"info\"")).starts_with("/etc/relay.toml:16: "));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nowhere/relay.toml")).unwrap_err().to_string();
    assert_eq!(error, "/nowhere/relay.toml: there is no such file or folder");
}
