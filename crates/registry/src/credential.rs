//! `credential issue`.

use std::path::PathBuf;

use conclave_identity::{
    credential::{certificate_to_pem, write_private},
    issue::{PersonSpec, Validity},
};
use conclave_model::Clearance;
use serde::Serialize;

use crate::{
    RegistryError, ca,
    cli::{CredentialOptions, moment_option},
    files,
    password::Wanted,
};

/// What `credential issue` made.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialIssued {
    /// The credential file.
    pub file: PathBuf,
    /// The certificate file, if one was asked for.
    pub certificate: Option<PathBuf>,
    /// Whose it is.
    pub name: String,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
    /// The last second of its validity, since 1970-01-01 UTC.
    pub not_after: u64,
}

/// Issues a credential.
///
/// # Errors
/// [`RegistryError`]; nothing is written where a name, date or password is not acceptable.
pub fn issue(options: &CredentialOptions, wall: u64) -> Result<CredentialIssued, RegistryError> {
    files::check_new(&options.out)?;
    if let Some(path) = &options.certificate_out {
        files::check_new(path)?;
    }
    let clearance = match (options.clearance, &options.clearance_until) {
        (Some(level), Some(until)) => {
            Some(Clearance { level, expires: moment_option("--clearance-until", until, wall)? })
        }
        (_, _) => None,
    };
    let person = PersonSpec {
        name: options.name.clone(),
        seat: options.seat.clone(),
        seat_code: options.seat_code.clone(),
        rank: options.rank,
        role: options.role,
        clearance,
    };
    let authority = ca::open(&options.ca)?;
    let validity = Validity::days(wall, options.days);
    let issued = authority.issue_credential(&person, validity)?;
    let password = Wanted::of_credential(options.credential_password_file.as_deref(), true).read()?;
    write_private(&options.out, &issued.to_pem(&password)?)?;
    if let Some(path) = &options.certificate_out {
        files::write_new(path, certificate_to_pem(issued.certificate()).as_bytes())?;
    }
    Ok(CredentialIssued {
        file: options.out.clone(),
        certificate: options.certificate_out.clone(),
        name: person.name,
        fingerprint: hex::encode(issued.holder().person().fingerprint),
        not_after: validity.not_after,
    })
}
