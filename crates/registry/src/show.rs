//! `show`: what a file says, without checking it.

use std::path::{Path, PathBuf};

use conclave_identity::{
    Admission, Invitation, ProfileError, Purpose, Sharing,
    certificate::{is_self_issued, purposes, subject, validity},
    fingerprint, key_pin, read_person, read_relay_level,
    revocation::{ListSummary, summarize},
};
use conclave_model::{Clearance, Fingerprint, Level, Person};
use rustls_pki_types::CertificateDer;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{RegistryError, cli::rank_word, files};

/// What a file says.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "content", rename_all = "kebab-case")]
pub enum Shown {
    /// A credential or certificates.
    Certificates {
        /// The file.
        file: PathBuf,
        /// Whether it holds an encrypted key.
        key: bool,
        /// Its certificates, in their order.
        certificates: Vec<ShownCertificate>,
    },
    /// An invitation.
    Invitation(Box<ShownInvitation>),
    /// Revocation lists.
    Revocations {
        /// The file.
        file: PathBuf,
        /// Its lists.
        lists: Vec<ShownList>,
    },
    /// A certificate request; its signature was checked.
    Request {
        /// The file.
        file: PathBuf,
        /// As whose the sender describes themselves.
        subject: String,
        /// SHA-256 of the public key, in hex.
        key_pin: String,
    },
}

/// What a revocation list says.
#[derive(Clone, Debug, Serialize)]
pub struct ShownList {
    /// The authority.
    pub issuer: String,
    /// Its number, in hex.
    pub number: String,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub this_update: u64,
    /// When the next one is due.
    pub next_update: Option<u64>,
    /// How many certificates it takes back.
    pub revoked: usize,
}

impl From<ListSummary> for ShownList {
    fn from(list: ListSummary) -> Self {
        let ListSummary { issuer, number, this_update, next_update, revoked } = list;
        Self { issuer, number, this_update, next_update, revoked }
    }
}

/// What an invitation says.
#[derive(Clone, Debug, Serialize)]
pub struct ShownInvitation {
    /// The file.
    pub file: PathBuf,
    /// The meeting's random name, in hex.
    pub meeting: String,
    /// The title.
    pub title: String,
    /// The warning.
    pub warning: Option<String>,
    /// The level.
    pub level: Level,
    /// When it opens, in seconds since 1970-01-01 UTC.
    pub not_before: u64,
    /// When it closes.
    pub not_after: u64,
    /// `host:port` of the relay.
    pub relay: String,
    /// SHA-256 of the relay's public key, in hex.
    pub relay_pin: String,
    /// The caveat.
    pub releasable: Option<Vec<String>>,
    /// How the listed come in.
    pub admission: Admission,
    /// By whose leave screens are shared.
    pub sharing: Sharing,
    /// Who leads the meeting, first to last: the chairs, then the succession; names.
    pub succession: Vec<String>,
    /// Whose consent it takes to lower the level.
    pub originator: Option<String>,
    /// The revocation lists that it brings.
    pub revocations: Vec<ShownList>,
    /// Who may enter.
    pub participants: Vec<ShownParticipant>,
    /// Who signed.
    pub signer: Vec<ShownCertificate>,
}

/// One invited person.
#[derive(Clone, Debug, Serialize)]
pub struct ShownParticipant {
    /// The name.
    pub name: String,
    /// State or institution.
    pub seat: String,
    /// Its code.
    pub seat_code: String,
    /// The rank.
    pub rank: &'static str,
    /// The role.
    pub role: &'static str,
    /// Languages.
    pub languages: Vec<String>,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
}

/// What a certificate says.
#[derive(Clone, Debug, Serialize)]
pub struct ShownCertificate {
    /// The subject.
    pub subject: String,
    /// What it is for.
    pub purpose: String,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
    /// SHA-256 of the public key, in hex.
    pub key_pin: String,
    /// The first second of its validity, since 1970-01-01 UTC.
    pub not_before: u64,
    /// The last one.
    pub not_after: u64,
    /// The highest level of meetings, if it is for a relay.
    pub relay_level: Option<Level>,
    /// The person, if it is for one.
    pub person: Option<ShownPerson>,
    /// Why no person could be read though it is for one.
    pub problem: Option<String>,
}

/// The person that a certificate states.
#[derive(Clone, Debug, Serialize)]
pub struct ShownPerson {
    /// The name.
    pub name: String,
    /// State or institution.
    pub seat: String,
    /// Its code.
    pub seat_code: String,
    /// The rank.
    pub rank: &'static str,
    /// The role.
    pub role: &'static str,
    /// The clearance, if there is one.
    pub clearance: Option<Clearance>,
}

impl From<Person> for ShownPerson {
    fn from(person: Person) -> Self {
        let Person { name, seat, seat_code, rank, role, clearance, fingerprint: _ } = person;
        Self { name, seat, seat_code, rank: rank_word(rank), role: role.word(), clearance }
    }
}

/// Reads a file and says what it says.
///
/// # Errors
/// [`RegistryError`] where the file is neither certificates nor an invitation.
pub fn show(path: &Path) -> Result<Shown, RegistryError> {
    let bytes = files::read(path)?;
    if is_pem(&bytes) {
        let text = String::from_utf8_lossy(&bytes);
        if text.contains("-----BEGIN X509 CRL-----") {
            return lists(path);
        }
        if text.contains("CERTIFICATE REQUEST-----") {
            return request(path);
        }
        let key = String::from_utf8_lossy(&bytes).contains("-----BEGIN ENCRYPTED PRIVATE KEY-----");
        let found = files::certificates(path)?;
        let certificates = found.iter().map(|der| show_certificate(der, path));
        return Ok(Shown::Certificates {
            file: path.to_owned(),
            key,
            certificates: certificates.collect::<Result<_, _>>()?,
        });
    }
    let invitation =
        Invitation::parse(&bytes).map_err(|error| RegistryError::Invitation { path: path.to_owned(), error })?;
    let content = invitation.peek();
    let participants = content.participants.iter().map(|listed| ShownParticipant {
        name: listed.name.clone(),
        seat: listed.seat.clone(),
        seat_code: listed.seat_code.clone(),
        rank: rank_word(listed.rank),
        role: listed.role.word(),
        languages: listed.languages.clone(),
        fingerprint: hex::encode(listed.fingerprint),
    });
    let name_of = |person: &Fingerprint| {
        let listed = content.participants.iter().find(|listed| listed.fingerprint == person.0);
        listed.map_or_else(|| person.to_string(), |listed| listed.name.clone())
    };
    let revocations = content.revocations.iter().map(|list| summarize(list).map(Into::into));
    let revocations = revocations.collect::<Result<_, _>>();
    Ok(Shown::Invitation(Box::new(ShownInvitation {
        file: path.to_owned(),
        meeting: content.meeting.to_string(),
        title: content.title.clone(),
        warning: content.warning.clone(),
        level: content.level,
        not_before: content.not_before,
        not_after: content.not_after,
        relay: format!("{}:{}", content.relay.host, content.relay.port),
        relay_pin: hex::encode(content.relay.key_pin),
        releasable: content.releasable.clone(),
        participants: participants.collect(),
        admission: content.admission,
        sharing: content.sharing,
        succession: content.leaders().iter().map(name_of).collect(),
        originator: content.originator.as_ref().map(name_of),
        revocations: revocations.map_err(|error| RegistryError::Revocations { path: path.to_owned(), error })?,
        signer: invitation.signer_chain().iter().map(|der| show_certificate(der, path)).collect::<Result<_, _>>()?,
    })))
}

fn lists(path: &Path) -> Result<Shown, RegistryError> {
    let failed = |error| RegistryError::Revocations { path: path.to_owned(), error };
    let lists = files::revocations(&[path.to_owned()])?;
    let lists = lists.iter().map(|list| summarize(list).map(Into::into).map_err(failed));
    Ok(Shown::Revocations { file: path.to_owned(), lists: lists.collect::<Result<_, _>>()? })
}

fn request(path: &Path) -> Result<Shown, RegistryError> {
    let request = crate::request::read_request(path)?;
    let key_pin = hex::encode(Sha256::digest(request.public_key()));
    Ok(Shown::Request { file: path.to_owned(), subject: request.subject().to_owned(), key_pin })
}

/// Whether a file is PEM rather than an invitation, which is binary.
pub(crate) fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

fn show_certificate(der: &CertificateDer<'_>, path: &Path) -> Result<ShownCertificate, RegistryError> {
    let failed = |error: ProfileError| RegistryError::Profile { path: path.to_owned(), error };
    let purposes = purposes(der).map_err(failed)?;
    let (not_before, not_after) = validity(der).map_err(failed)?;
    let person = purposes.contains(&Purpose::Person).then(|| read_person(der));
    let (person, problem) = match person {
        None => (None, None),
        Some(Ok(person)) => (Some(person.into()), None),
        Some(Err(error)) => (None, Some(error.to_string())),
    };
    Ok(ShownCertificate {
        subject: subject(der).map_err(failed)?,
        purpose: match purposes.as_slice() {
            [] if is_self_issued(der).map_err(failed)? => "root".to_owned(),
            [] => "issuing CA".to_owned(),
            stated => stated.iter().map(|purpose| purpose.words()).collect::<Vec<_>>().join(", "),
        },
        fingerprint: hex::encode(fingerprint(der)),
        key_pin: hex::encode(key_pin(der).map_err(failed)?),
        not_before,
        not_after,
        relay_level: purposes.contains(&Purpose::Relay).then(|| read_relay_level(der)).transpose().map_err(failed)?,
        person,
        problem,
    })
}
