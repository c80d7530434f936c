//! `verify`: whether a file holds against the trusted root.

use std::path::{Path, PathBuf};

use conclave_identity::{
    ChainError, Holder, Invitation, Purpose, Revocations, Utc,
    certificate::{is_self_issued, purposes},
    check_member,
    credential::{self, parse_bundle},
    invitation::UnverifiedInvitation,
    read_person,
    revocation::ListSummary,
    verify_chain,
};
use rustls_pki_types::CertificateDer;
use serde::Serialize;

use crate::{
    RegistryError,
    cli::{VerifyOptions, moment_option},
    files,
    password::Wanted,
    show::is_pem,
};

/// The checks of a file.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// The file.
    pub file: PathBuf,
    /// At which time, in seconds since 1970-01-01 UTC.
    pub at: u64,
    /// Whether every check passed.
    pub good: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// Whether it passed.
    pub good: bool,
    /// Why it did not.
    pub problem: Option<String>,
}

impl Check {
    fn of<T, E: std::fmt::Display>(what: impl Into<String>, outcome: Result<T, E>) -> Self {
        let problem = outcome.err().map(|error| error.to_string());
        Self { what: what.into(), good: problem.is_none(), problem }
    }
}

/// Checks a file. What does not hold is a failed [`Check`], not an error.
///
/// # Errors
/// [`RegistryError`] where a file cannot be read or the root is missing.
pub fn verify(options: &VerifyOptions, wall: u64) -> Result<Verified, RegistryError> {
    let at = match &options.at {
        None => wall,
        Some(text) => moment_option("--at", text, wall)?,
    };
    let path = &options.file;
    let bytes = files::read(path)?;
    let root = options.root.as_deref().map(files::certificate).transpose()?;
    let checks = if is_pem(&bytes) {
        certificates(options, root, at)?
    } else {
        let root = root.ok_or_else(|| RegistryError::NoRoot(path.clone()))?;
        match Invitation::parse(&bytes) {
            Ok(parsed) => invitation(parsed, options, &root, at)?,
            Err(error) => vec![Check::of::<(), _>("the file is an invitation", Err(error))],
        }
    };
    Ok(Verified { file: path.clone(), at, good: checks.iter().all(|check| check.good), checks })
}

fn invitation(
    parsed: UnverifiedInvitation,
    options: &VerifyOptions,
    root: &CertificateDer<'_>,
    at: u64,
) -> Result<Vec<Check>, RegistryError> {
    let issuers = parsed.signer_chain()[1..].to_vec();
    let mut checks = Vec::new();
    let invitation = match parsed.verify(root, at) {
        Ok(invitation) => invitation,
        Err(error) => {
            return Ok(vec![Check::of::<(), _>("signed by an office under the trusted root", Err(error))]);
        }
    };
    checks.push(Check::of("signed by an office under the trusted root", Ok::<_, RegistryError>(())));
    let lists = files::revocations(&options.revocations)?;
    let lists = Revocations::verify(lists.iter().map(|list| list.as_ref()), &issuers, root);
    if !options.revocations.is_empty() {
        checks.push(Check::of("the revocation lists are those of CAs under the root", lists.as_ref()));
    }
    let lists = lists.unwrap_or_default();
    checks.push(Check::of("the signer is not revoked", invitation.check_signer(&lists, root)));
    for list in invitation.revocations().merged(&lists).summaries() {
        checks.push(fresh(&list, at));
    }
    checks.push(Check::of("the meeting is open", invitation.check_window(at)));
    for path in &options.participant {
        let mut chain = files::certificates(path)?;
        if chain.len() == 1 {
            chain.extend(issuers.iter().cloned());
        }
        let name = read_person(&chain[0]).map_or_else(|_| path.display().to_string(), |person| person.name);
        checks.push(Check::of(
            format!("{name} may enter"),
            check_member(&chain, &invitation, root, &lists, invitation.content().level, at),
        ));
    }
    Ok(checks)
}

fn certificates(
    options: &VerifyOptions,
    root: Option<CertificateDer<'static>>,
    at: u64,
) -> Result<Vec<Check>, RegistryError> {
    let path = &options.file;
    let chain = files::certificates(path)?;
    let failed = |error| RegistryError::Profile { path: path.clone(), error };
    let mut own_root = None;
    for der in &chain {
        if is_self_issued(der).map_err(failed)? {
            own_root = Some(der.clone());
        }
    }
    let mut checks = Vec::new();
    if let (Some(given), Some(own)) = (&root, &own_root) {
        let same = if given == own { Ok(()) } else { Err("the file brings another root") };
        checks.push(Check::of("the root in the file is the trusted one", same));
    }
    let root = root.or(own_root).ok_or_else(|| RegistryError::NoRoot(path.clone()))?;
    let purposes = purposes(&chain[0]).map_err(failed)?;
    if purposes.is_empty() {
        checks.push(Check::of::<(), _>(
            "the certificate is for a person, a relay or an office",
            Err("it is that of a certification authority"),
        ));
    }
    for purpose in purposes {
        let what = format!("holds under the root, for {}", purpose.words());
        checks.push(Check::of(what, verify_chain(&chain, &root, at, purpose).map_err(|error| explain(error, &chain))));
        if !options.revocations.is_empty() {
            checks.push(Check::of("is on none of the revocation lists", unrevoked(options, &chain, &root)?));
        }
        if purpose == Purpose::Person {
            checks.push(Check::of("states an acceptable person", read_person(&chain[0])));
        }
    }
    if options.unlock {
        checks.push(unlock(path, options)?);
    }
    Ok(checks)
}

/// A certificate alone in its file lacks the CA that issued it more often than it is of a stranger.
fn explain(error: ChainError, chain: &[CertificateDer<'_>]) -> String {
    if error != ChainError::UnknownIssuer || chain.len() > 1 {
        return error.to_string();
    }
    format!(
        "{error}, or the certificate of the CA that issued it is missing; where that is so, add it to the file, after this one"
    )
}

/// Whether a newer list should be there by now. An old one counts all the same.
fn fresh(list: &ListSummary, at: u64) -> Check {
    let what = format!("revocation list {} of {} ({} revoked) is up to date", list.number, list.issuer, list.revoked);
    match list.next_update.filter(|due| *due < at) {
        Some(due) => Check::of::<(), _>(what, Err(format!("the next one was due at {}", Utc(due)))),
        None => Check::of(what, Ok::<_, String>(())),
    }
}

fn unrevoked(
    options: &VerifyOptions,
    chain: &[CertificateDer<'_>],
    root: &CertificateDer<'_>,
) -> Result<Result<(), String>, RegistryError> {
    let lists = files::revocations(&options.revocations)?;
    let lists = Revocations::verify(lists.iter().map(|list| list.as_ref()), chain, root);
    Ok(match lists {
        Ok(lists) => lists.check(chain, root).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    })
}

fn unlock(path: &Path, options: &VerifyOptions) -> Result<Check, RegistryError> {
    let broken = |error| RegistryError::Certificates { path: path.to_owned(), error };
    let text = credential::read(path).map_err(broken)?;
    parse_bundle(&text).map_err(broken)?;
    let password = Wanted::of_credential(options.credential_password_file.as_deref(), false).read()?;
    Ok(Check::of("the key opens and belongs to the certificate", Holder::from_pem(&text, &password)))
}
