//! An office in a temporary folder, which runs the real program.
#![allow(clippy::unwrap_used, dead_code, reason = "each test program uses a part")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustls_pki_types::{CertificateDer, pem::PemObject};

pub(crate) const CA_PASSWORD: &str = "the door of the office";
pub(crate) const PASSWORD: &str = "only Anna knows";

pub(crate) struct Office {
    folder: tempfile::TempDir,
    /// More of the environment.
    variables: Vec<(&'static str, PathBuf)>,
}

impl Office {
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    pub(crate) fn new() -> Self {
        let office = Self::empty();
        office.write_secret("ca.password", CA_PASSWORD);
        office.write_secret("anna.password", PASSWORD);
        office.good("ca create --ca ca --password-file ca.password --name Ministry");
        office
    }

    /// With Anna (SECRET, chair), Elsa (no clearance) and a relay.
    pub(crate) fn staffed() -> Self {
        let office = Self::new();
        let issue = "credential issue --ca ca --password-file ca.password --credential-password-file anna.password";
        office.good(&format!(
            "{issue} --name Anna_Virtanen --seat Finland --seat-code FI --role chair --clearance secret \
             --clearance-until 2999-01-01 --out anna.pem --certificate-out anna.crt.pem"
        ));
        office.good(&format!("{issue} --name Elsa_Lindqvist --seat Sweden --seat-code SE --out elsa.pem"));
        office.good(
            "relay-certificate --ca ca --password-file ca.password --host 127.0.0.1 --host relay.test --max-level secret --out relay",
        );
        office
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn write_secret(&self, name: &str, text: &str) {
        conclave_identity::credential::write_private(&self.path(name), &format!("{text}\n")).unwrap();
    }

    /// Runs the program; "_" in words stands for a space.
    pub(crate) fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_conclave-registry"))
            .args(line.split_whitespace().map(|word| word.replace('_', " ")))
            .current_dir(self.folder.path())
            .env_remove("CONCLAVE_CA_PASSWORD")
            .env_remove("CONCLAVE_CREDENTIAL_PASSWORD")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn good(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn refused(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(2), "{line}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    }

    /// Makes a token "Card" of SoftHSM for the programs that are run from now on; its module.
    pub(crate) fn tokens(&mut self, pin: &str) -> String {
        let places =
            ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib/libsofthsm2.so"];
        let given = std::env::var("SOFTHSM2_MODULE").ok();
        let found = given.or_else(|| places.into_iter().find(|path| Path::new(path).exists()).map(str::to_owned));
        let module = found.expect("SoftHSM is needed; cargo xtask setup installs it");
        std::fs::create_dir(self.path("tokens")).unwrap();
        self.write("softhsm2.conf", &format!("directories.tokendir = {}\n", self.path("tokens").display()));
        self.variables.push(("SOFTHSM2_CONF", self.path("softhsm2.conf")));
        self.tool(&format!("softhsm2-util --init-token --free --label Card --pin {pin} --so-pin office-pin"));
        module
    }

    /// Runs another program; "~" in words stands for a space.
    pub(crate) fn tool(&self, line: &str) -> String {
        let mut words = line.split_whitespace().map(|word| word.replace('~', " "));
        let program = words.next().unwrap();
        let output = Command::new(&program)
            .args(words)
            .current_dir(self.folder.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output();
        let output =
            output.unwrap_or_else(|error| panic!("{program} is needed; cargo xtask setup installs it: {error}"));
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn invite(&self, rest: &str) -> String {
        format!(
            "invite --ca ca --password-file ca.password --relay 127.0.0.1:7443 --relay-certificate relay/relay.pem {rest}"
        )
    }
}

pub(crate) fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
