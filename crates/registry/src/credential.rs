//! `credential issue`.

use std::path::{Path, PathBuf};

use conclave_identity::{
    credential::{certificate_to_pem, write_private},
    fingerprint,
    issue::PersonSpec,
};
use conclave_model::Clearance;
use rustls_pki_types::CertificateDer;
use serde::Serialize;

use crate::{
    RegistryError, ca, card,
    cli::{CredentialOptions, moment_option},
    files,
    password::Wanted,
    request,
};

/// What `credential issue` made.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialIssued {
    /// The credential file, if the key is in one.
    pub file: Option<PathBuf>,
    /// The address of the credential, if the key is on a card.
    pub card: Option<String>,
    /// The certificate file, if one was asked for.
    pub certificate: Option<PathBuf>,
    /// As whose the sender of the request described themselves, if there was one.
    pub requested: Option<String>,
    /// Whether it takes the place of an older one, which invitations may name.
    pub is_renewal: bool,
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
    for path in options.out.iter().chain(&options.certificate_out) {
        files::check_new(path)?;
    }
    let request = options.request.as_deref().map(request::read_request).transpose()?;
    let clearance = match (options.clearance, &options.clearance_until) {
        (Some(level), Some(until)) => Some(Clearance { level, expires: clearance_end(until, wall)? }),
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
    let validity = authority.validity(wall, options.days);
    if let Some(uri) = &options.card {
        let (mut issued, leaf) = card::issue(uri, options.pin_file.as_deref(), &authority, &person, validity)?;
        if let Some(path) = &options.certificate_out {
            write_certificates(path, &leaf, authority.issuers())?;
        }
        issued.certificate.clone_from(&options.certificate_out);
        return Ok(issued);
    }
    let certificates: Vec<_> = if let Some(request) = &request {
        let chain = authority.certify(&person, request.public_key(), validity)?;
        // The person's side needs the whole chain, and has no other way to get it.
        chain.into_iter().chain([authority.root().clone()]).collect()
    } else {
        let issued = authority.issue_credential(&person, validity)?;
        let password = Wanted::of_credential(options.credential_password_file.as_deref(), true).read()?;
        if let Some(out) = &options.out {
            write_private(out, &issued.to_pem(&password)?)?;
        }
        [issued.certificate()].into_iter().chain(authority.issuers()).cloned().collect()
    };
    if let Some(path) = &options.certificate_out {
        write_certificates(path, &certificates[0], &certificates[1..])?;
    }
    Ok(CredentialIssued {
        file: options.out.clone(),
        card: None,
        certificate: options.certificate_out.clone(),
        requested: request.map(|request| request.subject().to_owned()),
        is_renewal: false,
        name: person.name,
        fingerprint: hex::encode(fingerprint(&certificates[0])),
        not_after: validity.not_after,
    })
}

/// Writes a person's certificate and those of the CAs that it was issued by, so that it can be verified by itself.
pub(crate) fn write_certificates(
    path: &Path,
    certificate: &CertificateDer<'_>,
    issuers: &[CertificateDer<'_>],
) -> Result<(), RegistryError> {
    let text: String = [certificate].into_iter().chain(issuers).map(certificate_to_pem).collect();
    files::write_new(path, text.as_bytes())
}

/// When a clearance ends, in seconds since 1970-01-01 UTC. One that has ended would admit to nothing.
pub(crate) fn clearance_end(text: &str, wall: u64) -> Result<u64, RegistryError> {
    let end = moment_option("--clearance-until", text, wall)?;
    if end > wall { Ok(end) } else { Err(RegistryError::ClearancePast(end)) }
}
