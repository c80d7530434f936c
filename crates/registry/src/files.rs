//! Files that hold no secret.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use conclave_identity::{
    CredentialError,
    credential::{MAX_FILE, parse_bundle, read_lists},
    invitation::MAX_INVITATION,
};
use rustls_pki_types::CertificateDer;

use crate::RegistryError;

/// The longest file that is read, in bytes.
pub const MAX: usize = if MAX_FILE > MAX_INVITATION { MAX_FILE } else { MAX_INVITATION };

/// Reads a file of at most [`MAX`] bytes.
///
/// # Errors
/// [`RegistryError::Read`], [`RegistryError::TooLong`].
pub fn read(path: &Path) -> Result<Vec<u8>, RegistryError> {
    let failed = |error| RegistryError::Read { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX { Err(RegistryError::TooLong { path: path.to_owned(), limit: MAX }) } else { Ok(bytes) }
}

/// Writes a new file; an existing one is never overwritten.
///
/// # Errors
/// [`RegistryError::Write`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
    let written = File::options().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| RegistryError::Write { path: path.to_owned(), error })
}

/// Makes sure that a file can be created, before work is done for it.
///
/// # Errors
/// [`RegistryError::Write`] where it exists, or its folder does not.
pub fn check_new(path: &Path) -> Result<(), RegistryError> {
    let kind = match path.parent() {
        _ if path.exists() => io::ErrorKind::AlreadyExists,
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => io::ErrorKind::NotFound,
        _ => return Ok(()),
    };
    Err(RegistryError::Write { path: path.to_owned(), error: kind.into() })
}

/// Makes sure that the folder of a file is there.
///
/// # Errors
/// [`RegistryError::Write`].
pub fn check_folder(path: &Path) -> Result<(), RegistryError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => {
            Err(RegistryError::Write { path: path.to_owned(), error: io::ErrorKind::NotFound.into() })
        }
        _ => Ok(()),
    }
}

/// Writes a file, in place of an older one: whole or not at all.
///
/// # Errors
/// [`RegistryError::Write`].
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let written = std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, path));
    written.map_err(|error| RegistryError::Write { path: path.to_owned(), error })
}

/// The revocation lists of PEM files, DER.
///
/// # Errors
/// [`RegistryError::Certificates`].
pub fn revocations(paths: &[PathBuf]) -> Result<Vec<Bytes>, RegistryError> {
    let mut lists = Vec::new();
    for path in paths {
        let found = read_lists(path).map_err(|error| RegistryError::Certificates { path: path.clone(), error })?;
        lists.extend(found);
    }
    Ok(lists)
}

/// Makes sure that there is no such file yet; its folder need not be there either.
///
/// # Errors
/// [`RegistryError::Write`].
pub fn check_absent(path: &Path) -> Result<(), RegistryError> {
    if path.exists() {
        return Err(RegistryError::Write { path: path.to_owned(), error: io::ErrorKind::AlreadyExists.into() });
    }
    Ok(())
}

/// The certificates of a PEM file, in their order; at least one.
///
/// # Errors
/// [`RegistryError::Read`], [`RegistryError::Certificates`], [`RegistryError::NoCertificate`].
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, RegistryError> {
    let bytes = read(path)?;
    let broken = |error| RegistryError::Certificates { path: path.to_owned(), error };
    let text = std::str::from_utf8(&bytes).map_err(|_| broken(CredentialError::Broken))?;
    let certificates = parse_bundle(text).map_err(broken)?;
    if certificates.is_empty() { Err(RegistryError::NoCertificate(path.to_owned())) } else { Ok(certificates) }
}

/// The first certificate of a PEM file.
///
/// # Errors
/// As [`certificates`].
pub fn certificate(path: &Path) -> Result<CertificateDer<'static>, RegistryError> {
    certificates(path)?.into_iter().next().ok_or_else(|| RegistryError::NoCertificate(path.to_owned()))
}
