//! What is in a certificate before it is signed.

use aws_lc_rs::rand;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyUsagePurpose, SerialNumber};
use time::OffsetDateTime;

use super::{IssueError, Validity};

/// A certification authority with `below` others under it.
pub(super) fn authority(
    name: &str,
    owner: &str,
    below: u8,
    validity: Validity,
) -> Result<CertificateParams, IssueError> {
    let mut params = common(name, owner, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// A person, relay or office.
pub(super) fn leaf(name: &str, owner: &str, validity: Validity) -> Result<CertificateParams, IssueError> {
    let mut params = common(name, owner, validity)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// A moment as certificates have it.
pub(super) fn moment(seconds: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()
}

fn common(name: &str, owner: &str, validity: Validity) -> Result<CertificateParams, IssueError> {
    let Validity { not_before, not_after } = validity;
    let refused = IssueError::Validity { not_before, not_after };
    let (Some(first), Some(last), true) = (moment(not_before), moment(not_after), not_before < not_after) else {
        return Err(refused);
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, owner);
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (first, last);
    params.serial_number = Some(serial()?);
    Ok(params)
}

/// A random serial number: certificates for the same key must differ in it, else revoking one would revoke the others.
fn serial() -> Result<SerialNumber, IssueError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| IssueError::Sign)?;
    // Positive, and of one length.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from(bytes.to_vec()))
}
