//! `ca create` and `ca adopt`.

use std::path::PathBuf;

use conclave_identity::{
    certificate::validity,
    fingerprint,
    issue::{Authority, IssueError, ROOT_FILE, Validity},
};
use serde::Serialize;

use crate::{
    RegistryError,
    cli::{AdoptOptions, CaAccess, CaOptions},
    files, keys,
    password::Wanted,
};

/// What `ca create` made.
#[derive(Clone, Debug, Serialize)]
pub struct CaCreated {
    /// The folder.
    pub folder: PathBuf,
    /// The root certificate.
    pub root: PathBuf,
    /// SHA-256 of the root certificate, in hex: to be compared by other means where the root is handed out.
    pub root_fingerprint: String,
    /// The last second of its validity, since 1970-01-01 UTC.
    pub not_after: u64,
}

/// Makes a CA in a folder that does not have one.
///
/// # Errors
/// [`RegistryError::Password`], [`RegistryError::Issue`].
pub fn create(options: &CaOptions, wall: u64) -> Result<CaCreated, RegistryError> {
    let validity = Validity::days(wall, options.days);
    let authority = Authority::create(&options.name, validity)?;
    let folder = &options.ca.folder;
    let root = folder.join(ROOT_FILE);
    crate::files::check_absent(&root)?;
    let password = Wanted::of_ca(options.ca.password_file.as_deref(), true).read()?;
    authority.save(folder, &password)?;
    Ok(CaCreated {
        folder: folder.clone(),
        root,
        root_fingerprint: hex::encode(fingerprint(authority.root())),
        not_after: validity.not_after,
    })
}

/// Takes over an existing CA into a folder that does not have one.
///
/// # Errors
/// [`RegistryError`]; nothing is written where the parts do not belong together.
pub fn adopt(options: &AdoptOptions, wall: u64) -> Result<CaCreated, RegistryError> {
    let folder = &options.ca.folder;
    let root_file = folder.join(ROOT_FILE);
    files::check_absent(&root_file)?;
    let (root, issuers) = (files::certificate(&options.root)?, files::certificates(&options.issuing)?);
    let lists = files::revocations(options.revocations.as_slice())?;
    let parts = keys::read(&options.issuing_key, Wanted::of_key(options.key_password_file.as_deref()))?;
    let (_, not_after) =
        validity(&issuers[0]).map_err(|error| RegistryError::Profile { path: options.issuing.clone(), error })?;
    let mut authority = Authority::adopt(root, issuers, parts.key, wall)?;
    authority.add_revocations(lists)?;
    let password = Wanted::of_ca(options.ca.password_file.as_deref(), true).read()?;
    authority.save(folder, &password)?;
    if !authority.revocations().is_empty() {
        authority.save_revocations(folder)?;
    }
    Ok(CaCreated {
        folder: folder.clone(),
        root: root_file,
        root_fingerprint: hex::encode(fingerprint(authority.root())),
        not_after,
    })
}

/// Opens a CA.
pub(crate) fn open(access: &CaAccess) -> Result<Authority, RegistryError> {
    // A missing folder is said before anybody types a password.
    if !access.folder.join(ROOT_FILE).is_file() {
        return Err(IssueError::NoAuthority(access.folder.clone()).into());
    }
    let password = Wanted::of_ca(access.password_file.as_deref(), false).read()?;
    Ok(Authority::load(&access.folder, &password)?)
}
