//! `renew`.

use conclave_identity::{
    credential::{certificate_to_pem, encrypted_key, write_private},
    fingerprint,
    issue::{PersonSpec, public_key_of},
    read_person,
};
use conclave_model::Clearance;

use crate::{
    RegistryError, ca,
    cli::RenewOptions,
    credential::{CredentialIssued, clearance_end, write_certificates},
    files,
    password::Wanted,
};

/// Makes a new certificate with what an older one states. The older one stays valid until it ends or is revoked.
///
/// # Errors
/// [`RegistryError`]; a certificate of another CA and a revoked one are refused, and nothing is written then.
pub fn renew(options: &RenewOptions, wall: u64) -> Result<CredentialIssued, RegistryError> {
    files::check_new(&options.out)?;
    if let Some(path) = &options.certificate_out {
        files::check_new(path)?;
    }
    let path = &options.file;
    let old = files::certificate(path)?;
    let person = read_person(&old).map_err(|error| RegistryError::Profile { path: path.clone(), error })?;
    let until = options.clearance_until.as_deref();
    let until = until.map(|until| clearance_end(until, wall)).transpose()?;
    let clearance = match (options.clearance, until, person.clearance) {
        (Some(level), Some(expires), _) => Some(Clearance { level, expires }),
        (None, Some(expires), Some(before)) => Some(Clearance { expires, ..before }),
        (_, _, before) => before,
    };
    let spec = PersonSpec {
        name: person.name,
        seat: person.seat,
        seat_code: person.seat_code,
        rank: person.rank,
        role: person.role,
        clearance,
    };
    let authority = ca::open(&options.ca)?;
    authority.issued(&old).map_err(|error| RegistryError::Foreign { path: path.clone(), error })?;
    let validity = authority.validity(wall, options.days);
    let certificate = if options.new_key {
        let issued = authority.issue_credential(&spec, validity)?;
        let password = Wanted::of_credential(options.credential_password_file.as_deref(), true).read()?;
        write_private(&options.out, &issued.to_pem(&password)?)?;
        issued.certificate().clone()
    } else {
        let chain = authority.certify(&spec, &public_key_of(&old)?, validity)?;
        let certificates: String = chain.iter().chain([authority.root()]).map(certificate_to_pem).collect();
        // The key stays as it is, encrypted as it is: nobody has to type its password.
        match encrypted_key(&files::read(path)?) {
            Some(key) => write_private(&options.out, &format!("{}{certificates}", *key))?,
            None => files::write_new(&options.out, certificates.as_bytes())?,
        }
        chain[0].clone()
    };
    if let Some(path) = &options.certificate_out {
        write_certificates(path, &certificate, authority.issuers())?;
    }
    Ok(CredentialIssued {
        file: Some(options.out.clone()),
        card: None,
        certificate: options.certificate_out.clone(),
        requested: None,
        is_renewal: true,
        name: spec.name,
        fingerprint: hex::encode(fingerprint(&certificate)),
        not_after: validity.not_after,
    })
}
