//! A PKI that OpenSSL alone makes: root, issuing CA, people and relay. Only what signs invitations is ours.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use conclave_model::Level;

use super::{PASSWORD, World};

/// What an administrator is given for OpenSSL.
const PROFILE: &str = include_str!("../../../../packaging/doc/openssl.cnf");

/// A new key of the only kind that people and relays may have.
const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-384";

impl World {
    /// As [`World::new`], with every certificate and key but the office's made by `openssl`; the office tool adopts the
    /// CA to sign invitations. There is no invitation yet.
    ///
    /// # Errors
    /// The first step that does not succeed, with what the program said.
    pub fn by_openssl(people: &[(&str, &str, &str)]) -> Result<Self> {
        Self::cleared_by_openssl(people, &[])
    }

    /// As [`Self::by_openssl`], with a clearance for each of the people; those that there is none for are cleared to
    /// SECRET.
    ///
    /// # Errors
    /// The first step that does not succeed, with what the program said.
    pub fn cleared_by_openssl(people: &[(&str, &str, &str)], clearances: &[Level]) -> Result<Self> {
        let world = Self::empty(people)?;
        world.write_password(PASSWORD)?;
        fs::write(world.path("index.txt"), "")?;
        fs::write(world.path("crlnumber"), "0A\n")?;
        fs::write(world.path("profile.cnf"), PROFILE)?;
        world.openssl(&format!(
            "req -x509 {KEY} -nodes -sha384 -days 3650 -subj /O=Enterprise/CN=Root -keyout root.key -out root.pem \
             -addext basicConstraints=critical,CA:TRUE,pathlen:1 -addext keyUsage=critical,keyCertSign,cRLSign"
        ))?;
        world.certify("issuing", "/O=Enterprise/CN=Issuing", "issuing", "root")?;
        for (number, (name, seat, code)) in people.iter().enumerate() {
            let file = number.to_string();
            let subject = format!("/O={}/CN={}", seat.replace(' ', "~"), name.replace(' ', "~"));
            let (role, level) = (usize::from(number > 0), clearances.get(number).copied().unwrap_or(Level::Secret));
            let mut profile = PROFILE.to_owned();
            for (key, theirs) in [
                ("seatCode = UTF8String:", code.to_string()),
                ("rank = ENUMERATED:", "0".to_owned()),
                ("role = ENUMERATED:", role.to_string()),
                ("level = INTEGER:", level.code().to_string()),
            ] {
                let (before, after) = profile.split_once(key).with_context(|| format!("the profile has no {key}"))?;
                let rest = after.split_once('\n').map_or("", |(_, rest)| rest);
                profile = format!("{before}{key}{theirs}\n{rest}");
            }
            fs::write(world.path("profile.cnf"), profile)?;
            world.certify(&file, &subject, "person", "issuing")?;
            // What `req` encrypts with by itself is too weak to be accepted.
            world.openssl(&format!(
                "pkcs8 -topk8 -v2 aes-256-cbc -in {file}.key -out {file}.locked.key -passout file:password"
            ))?;
            let parts = [&format!("{file}.locked.key"), &format!("{file}.pem"), "issuing.pem", "root.pem"];
            world.join_files(&parts, &world.credential(number))?;
        }
        fs::create_dir(world.path("relay"))?;
        world.certify("relay", "/O=Relays/CN=127.0.0.1", "relay", "issuing")?;
        world.join_files(&["relay.pem", "issuing.pem"], &world.path("relay/relay.pem"))?;
        world.join_files(&["relay.key"], &world.path("relay/relay.key.pem"))?;
        world.join_files(&["root.pem"], &world.path("relay/root.pem"))?;
        world.write_config(world.port)?;
        world.keep_private("issuing.key")?;
        world.registry([
            "ca",
            "adopt",
            "--ca",
            "ca",
            "--password-file",
            "password",
            "--root",
            "root.pem",
            "--issuing",
            "issuing.pem",
            "--issuing-key",
            "issuing.key",
        ])?;
        Ok(world)
    }

    /// Revokes somebody's certificate by `openssl ca`, and writes the list beside the relay's configuration.
    ///
    /// # Errors
    /// Where OpenSSL does not.
    pub fn revoke_by_openssl(&self, number: usize) -> Result<()> {
        let ca = "ca -config profile.cnf -cert issuing.pem -keyfile issuing.key";
        self.openssl(&format!("{ca} -revoke {number}.pem -crl_reason keyCompromise"))?;
        self.openssl(&format!("{ca} -gencrl -out relay/crl.pem"))
    }

    /// A key and a certificate for it: `NAME.key` and `NAME.pem`.
    fn certify(&self, name: &str, subject: &str, section: &str, by: &str) -> Result<()> {
        self.openssl(&format!("req -new {KEY} -sha384 -subj {subject} -keyout {name}.key -out {name}.csr -nodes"))?;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -CAcreateserial -days 300 -sha384 \
             -extfile profile.cnf -extensions {section} -out {name}.pem"
        ))
    }

    /// The private number of one of the people's keys: 48 bytes.
    ///
    /// # Errors
    /// Where the key is not as OpenSSL made it.
    pub fn private_number(&self, number: usize) -> Result<Vec<u8>> {
        self.openssl(&format!("pkcs8 -topk8 -nocrypt -in {number}.key -outform DER -out {number}.der"))?;
        let key = fs::read(self.path(format!("{number}.der")))?;
        // ECPrivateKey (RFC 5915): version 1, then 48 bytes.
        let (begin, length) = (b"\x02\x01\x01\x04\x30", 48);
        let at = memchr::memmem::find(&key, begin).context("no private number")? + begin.len();
        Ok(key.get(at..at + length).context("no whole number")?.to_vec())
    }

    /// Runs `openssl` with words that are parted by spaces; `~` stands for a space within one.
    fn openssl(&self, line: &str) -> Result<()> {
        let words = line.split_whitespace().map(|word| word.replace('~', " "));
        let output = Command::new("openssl").args(words).current_dir(self.folder.path()).output();
        let output = output.context("openssl is not installed")?;
        ensure!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn join_files(&self, parts: &[&str], to: &std::path::Path) -> Result<()> {
        let text: Vec<String> =
            parts.iter().map(|part| fs::read_to_string(self.path(part))).collect::<Result<_, _>>()?;
        fs::write(to, text.concat())?;
        self.keep_private(to)
    }

    pub(super) fn keep_private(&self, file: impl AsRef<std::path::Path>) -> Result<()> {
        #[cfg(unix)]
        fs::set_permissions(self.path(file), std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(())
    }
}
