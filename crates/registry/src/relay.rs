//! `relay-certificate`.

use std::{fs, path::PathBuf};

use conclave_identity::{
    credential::{certificate_to_pem, write_private},
    issue::ROOT_FILE,
};
use serde::Serialize;

use crate::{RegistryError, ca, cli::RelayOptions, files};

/// The file with the relay's certificate and the issuing CA's.
pub const CERTIFICATE_FILE: &str = "relay.pem";

/// The file with the relay's key.
pub const KEY_FILE: &str = "relay.key.pem";

/// What `relay-certificate` made.
#[derive(Clone, Debug, Serialize)]
pub struct RelayCertificate {
    /// The certificate with its issuer's; for the relay and for `invite`.
    pub certificate: PathBuf,
    /// The key, not encrypted; for the relay alone.
    pub key: PathBuf,
    /// The trusted root, for the relay.
    pub root: PathBuf,
    /// SHA-256 of the public key, in hex, as invitations pin it.
    pub pin: String,
    /// The last second of its validity, since 1970-01-01 UTC.
    pub not_after: u64,
}

/// Issues a relay's certificate and key into a folder.
///
/// # Errors
/// [`RegistryError`]; existing files are never overwritten.
pub fn issue(options: &RelayOptions, wall: u64) -> Result<RelayCertificate, RegistryError> {
    let folder = &options.out;
    let [certificate, key, root] = [CERTIFICATE_FILE, KEY_FILE, ROOT_FILE].map(|name| folder.join(name));
    for path in [&certificate, &key, &root] {
        files::check_absent(path)?;
    }
    let authority = ca::open(&options.ca)?;
    let validity = authority.validity(wall, options.days);
    let relay = authority.issue_relay_certificate(&options.hosts, options.max_level, validity)?;
    fs::create_dir_all(folder).map_err(|error| RegistryError::Write { path: folder.clone(), error })?;
    write_private(&key, &relay.key_pem())?;
    files::write_new(&certificate, relay.certificate_pem().as_bytes())?;
    files::write_new(&root, certificate_to_pem(authority.root()).as_bytes())?;
    Ok(RelayCertificate { certificate, key, root, pin: hex::encode(relay.pin().0), not_after: validity.not_after })
}
