//! `revoke`.

use std::path::PathBuf;

use conclave_identity::{issue::IssueError, read_person, revocation::summarize};
use serde::Serialize;

use crate::{RegistryError, ca, cli::RevokeOptions, files};

/// What `revoke` did.
#[derive(Clone, Debug, Serialize)]
pub struct RevokedCertificates {
    /// The CA's revocation list.
    pub file: PathBuf,
    /// A copy of it, if one was asked for.
    pub copy: Option<PathBuf>,
    /// Whom the certificates were for.
    pub names: Vec<String>,
    /// The number of the list, in hex.
    pub number: String,
    /// How many certificates it takes back.
    pub revoked: usize,
    /// When a fresh list is due, in seconds since 1970-01-01 UTC.
    pub next_update: Option<u64>,
}

/// Takes certificates back and writes the list.
///
/// # Errors
/// [`RegistryError`]; nothing is written then.
pub fn revoke(options: &RevokeOptions, wall: u64) -> Result<RevokedCertificates, RegistryError> {
    let (mut certificates, mut names) = (Vec::new(), Vec::new());
    for path in &options.files {
        let certificate = files::certificate(path)?;
        names.push(read_person(&certificate).map_or_else(|_| path.display().to_string(), |person| person.name));
        certificates.push(certificate);
    }
    if let Some(copy) = &options.out {
        files::check_folder(copy)?;
    }
    let mut authority = ca::open(&options.ca)?;
    for (certificate, path) in certificates.iter().zip(&options.files) {
        let own = authority.issued(certificate);
        own.map_err(|error| RegistryError::Foreign { path: path.clone(), error })?;
    }
    let list = authority.revoke(&certificates, options.reason, wall)?.clone();
    let summary = summarize(&list).map_err(IssueError::Revocations)?;
    let file = authority.save_revocations(&options.ca.folder)?;
    if let Some(copy) = &options.out {
        files::replace(copy, authority.revocations_pem().as_bytes())?;
    }
    Ok(RevokedCertificates {
        file,
        copy: options.out.clone(),
        names,
        number: summary.number,
        revoked: summary.revoked,
        next_update: summary.next_update,
    })
}
