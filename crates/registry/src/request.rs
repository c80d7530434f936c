//! `credential request` and `credential assemble`: keys that never leave the person, and certificates of other tools.

use std::path::{Path, PathBuf};

use conclave_identity::{
    CredentialError,
    credential::{assemble as assemble_credential, write_private},
    issue::{Request, new_request},
};
use serde::Serialize;

use crate::{
    RegistryError,
    cli::{AssembleOptions, RequestOptions},
    files, keys,
    password::Wanted,
};

/// What `credential request` made.
#[derive(Clone, Debug, Serialize)]
pub struct Requested {
    /// The key, encrypted; it stays with the person.
    pub key: PathBuf,
    /// The request, for the office.
    pub request: PathBuf,
    /// Who asks.
    pub name: String,
}

/// What `credential assemble` made.
#[derive(Clone, Debug, Serialize)]
pub struct Assembled {
    /// The credential.
    pub file: PathBuf,
    /// Whose it is.
    pub name: String,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
    /// The last second of its validity, since 1970-01-01 UTC.
    pub not_after: u64,
}

/// Makes a key and a request.
///
/// # Errors
/// [`RegistryError`]; nothing is written where a name or password is not acceptable.
pub fn request(options: &RequestOptions) -> Result<Requested, RegistryError> {
    files::check_new(&options.out)?;
    files::check_new(&options.request)?;
    let password = Wanted::of_credential(options.credential_password_file.as_deref(), true).read()?;
    let (key, request) = new_request(&options.name, &options.seat, &password)?;
    write_private(&options.out, &key)?;
    files::write_new(&options.request, request.as_bytes())?;
    Ok(Requested { key: options.out.clone(), request: options.request.clone(), name: options.name.clone() })
}

/// Reads a request.
///
/// # Errors
/// [`RegistryError::Read`], [`RegistryError::Request`].
pub fn read_request(path: &Path) -> Result<Request, RegistryError> {
    let bytes = files::read(path)?;
    let parsed = match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains("-----BEGIN ") => Request::from_pem(text),
        Ok(_) | Err(_) => Request::from_der(&bytes),
    };
    parsed.map_err(|error| RegistryError::Request { path: path.to_owned(), error })
}

/// Puts key and certificates together, whoever made them.
///
/// # Errors
/// [`RegistryError`]: the key is not that of the first certificate, the chain does not hold, a password is wrong.
/// Nothing is written then.
pub fn assemble(options: &AssembleOptions, wall: u64) -> Result<Assembled, RegistryError> {
    files::check_new(&options.out)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: CredentialError| RegistryError::Certificates { path, error }
    };
    let mut certificates = Vec::new();
    for path in options.certificates.iter().chain(&options.root) {
        certificates.extend(files::certificates(path)?);
    }
    let mut parts = keys::read(&options.key, Wanted::of_key(options.key_password_file.as_deref()))?;
    certificates.append(&mut parts.certificates);
    let first = options.certificates.first().unwrap_or(&options.key);
    let credential = assemble_credential(&parts.key, certificates).map_err(failed(first))?;
    credential.holder().check_validity(wall).map_err(failed(first))?;
    let password = Wanted::of_credential(options.credential_password_file.as_deref(), true).read()?;
    write_private(&options.out, &credential.to_pem(&password)?)?;
    let holder = credential.holder();
    Ok(Assembled {
        file: options.out.clone(),
        name: holder.person().name.clone(),
        fingerprint: hex::encode(holder.person().fingerprint),
        not_after: holder.validity().1,
    })
}
