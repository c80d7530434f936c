//! `invite`: from a description of a meeting to a signed invitation that everybody on it can use.

mod plan;

use std::path::{Path, PathBuf};

use conclave_identity::{
    Admission, Invitation, InvitationContent, Listed, MemberError, Purpose, RelayAddress, Revocations, Utc,
    check_member, fingerprint,
    issue::{Authority, IssueError, random_meeting},
    key_pin, read_person, read_relay_level, verify_chain,
};
use conclave_model::{Fingerprint, Level};
use rustls_pki_types::CertificateDer;
use serde::Serialize;
use serde_bytes::ByteBuf;

use crate::{RegistryError, ca, cli::InviteOptions, files};

pub use plan::{Plan, PlannedParticipant};

/// What `invite` made.
#[derive(Clone, Debug, Serialize)]
pub struct Invited {
    /// The invitation.
    pub file: PathBuf,
    /// The meeting's random name, in hex.
    pub meeting: String,
    /// Its title.
    pub title: String,
    /// Its level.
    pub level: Level,
    /// When it opens, in seconds since 1970-01-01 UTC.
    pub not_before: u64,
    /// When it closes.
    pub not_after: u64,
    /// How many are invited.
    pub participants: usize,
    /// How they come in.
    pub admission: Admission,
    /// How many revocation lists it brings.
    pub revocation_lists: usize,
    /// What the office should look at.
    pub warnings: Vec<String>,
}

/// Signs an invitation.
///
/// Every participant is checked as members will check them when the meeting opens; who could not enter is an error.
///
/// # Errors
/// [`RegistryError`]; nothing is written then.
pub fn invite(options: &InviteOptions, wall: u64) -> Result<Invited, RegistryError> {
    files::check_new(&options.out)?;
    let plan = Plan::read(options, wall)?;
    if plan.not_after <= wall {
        return Err(RegistryError::Past(plan.not_after));
    }
    let lists = files::revocations(&plan.revocations)?;
    let mut authority = ca::open(&options.ca)?;
    authority.add_revocations(lists)?;
    let (content, chains) = plan.content(&authority)?;
    let bytes = authority.sign_invitation(&content)?;
    let opens = content.not_before.max(wall);
    let invitation = Invitation::parse(&bytes)
        .and_then(|invitation| invitation.verify(authority.root(), opens))
        .map_err(|error| RegistryError::Issue(IssueError::Invitation(error)))?;

    let mut warnings = Vec::new();
    for (chain, participant) in chains.iter().zip(&plan.participants) {
        let check = |at| {
            check_member(chain, &invitation, authority.root(), &Revocations::default(), invitation.content().level, at)
        };
        let name = || read_person(&chain[0]).map_or_else(|_| "somebody".to_owned(), |person| person.name);
        let refused = |error: MemberError| RegistryError::CannotEnter {
            name: name(),
            path: participant.certificate.clone(),
            error,
        };
        check(opens).map_err(refused)?;
        if let Err(error) = check(content.not_after) {
            warnings.push(format!("{} can enter when the meeting opens, but not until it closes: {error}", name()));
        }
    }
    if content.level > Level::Unclassified && content.warning.is_none() {
        warnings.push("classified matters will be discussed, and the invitation gives no warning of it".to_owned());
    }
    warnings.extend(late_lists(&invitation, wall));
    if !content.participants.iter().any(|listed| listed.role == conclave_model::Role::Chair) {
        warnings.push("nobody is listed as chair".to_owned());
    }
    files::write_new(&options.out, &bytes)?;
    Ok(Invited {
        file: options.out.clone(),
        meeting: content.meeting.to_string(),
        title: content.title,
        level: content.level,
        not_before: content.not_before,
        not_after: content.not_after,
        participants: content.participants.len(),
        admission: content.admission,
        revocation_lists: content.revocations.len(),
        warnings,
    })
}

/// Lists whose CA should have made a newer one by now.
fn late_lists(invitation: &Invitation, wall: u64) -> impl Iterator<Item = String> {
    let lists = invitation.revocations().summaries().into_iter();
    lists.filter(move |list| list.next_update.is_some_and(|due| due < wall)).map(|list| {
        format!("the revocation list of {} was to be renewed by {}", list.issuer, Utc(list.next_update.unwrap_or(0)))
    })
}

type Chains = Vec<Vec<CertificateDer<'static>>>;

impl Plan {
    /// The content to sign, and the chain of each participant.
    fn content(&self, authority: &Authority) -> Result<(InvitationContent, Chains), RegistryError> {
        let (mut participants, mut chains) = (Vec::new(), Chains::new());
        for planned in &self.participants {
            let path = &planned.certificate;
            let chain = with_issuer(files::certificates(path)?, authority);
            let person =
                read_person(&chain[0]).map_err(|error| RegistryError::Profile { path: path.clone(), error })?;
            let mut listed = Listed::of_person(&person, planned.languages.clone());
            listed.role = planned.role.unwrap_or(listed.role);
            listed.rank = planned.rank.unwrap_or(listed.rank);
            participants.push(listed);
            chains.push(chain);
        }
        let path = &self.relay_certificate;
        let relay = with_issuer(files::certificates(path)?, authority);
        verify_chain(&relay, authority.root(), self.not_before, Purpose::Relay)
            .map_err(|error| RegistryError::Relay { path: path.clone(), error })?;
        let allowed =
            read_relay_level(&relay[0]).map_err(|error| RegistryError::Profile { path: path.clone(), error })?;
        if self.level > allowed {
            return Err(RegistryError::RelayLevel { path: path.clone(), allowed, wanted: self.level });
        }
        let pin = key_pin(&relay[0]).map_err(|error| RegistryError::Profile { path: path.clone(), error })?;
        let content = InvitationContent {
            meeting: random_meeting().ok_or(IssueError::Sign)?,
            title: self.title.clone(),
            warning: self.warning.clone(),
            level: self.level,
            not_before: self.not_before,
            not_after: self.not_after,
            relay: RelayAddress { host: self.host.clone(), port: self.port, key_pin: pin },
            releasable: self.releasable.clone(),
            participants,
            admission: self.admission,
            succession: self.succession.iter().map(|path| named(path)).collect::<Result<_, _>>()?,
            originator: self.originator.as_deref().map(named).transpose()?,
            revocations: authority.revocations().iter().map(|list| ByteBuf::from(list.to_vec())).collect(),
            sharing: self.sharing,
        };
        Ok((content, chains))
    }
}

/// The certificate of somebody who is on the list.
fn named(path: &Path) -> Result<Fingerprint, RegistryError> {
    Ok(Fingerprint(fingerprint(&files::certificate(path)?)))
}

/// A file with one certificate alone is taken to be from the CA that signs.
pub(crate) fn with_issuer(
    mut chain: Vec<CertificateDer<'static>>,
    authority: &Authority,
) -> Vec<CertificateDer<'static>> {
    if chain.len() == 1 && fingerprint(&chain[0]) != fingerprint(authority.issuing()) {
        chain.extend(authority.issuers().iter().cloned());
    }
    chain
}
