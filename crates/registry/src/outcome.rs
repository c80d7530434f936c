//! What came of a command, for people and as JSON.

use std::fmt;

use conclave_identity::Utc;
use serde::Serialize;

use crate::{
    ca::CaCreated,
    credential::CredentialIssued,
    invite::Invited,
    relay::RelayCertificate,
    show::{Shown, ShownCertificate, ShownInvitation, ShownPerson},
    verify::Verified,
};

/// What came of a command. `Display` is for people; times in JSON are seconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// Of `ca create`.
    CaCreated(CaCreated),
    /// Of `credential issue`.
    CredentialIssued(CredentialIssued),
    /// Of `relay-certificate`.
    RelayCertificate(RelayCertificate),
    /// Of `invite`.
    Invited(Invited),
    /// Of `show`.
    Shown(Shown),
    /// Of `verify`.
    Verified(Verified),
}

impl Outcome {
    /// Whether the program should end with success: false where `verify` found fault.
    pub fn is_good(&self) -> bool {
        match self {
            Self::Verified(verified) => verified.good,
            Self::CaCreated(_)
            | Self::CredentialIssued(_)
            | Self::RelayCertificate(_)
            | Self::Invited(_)
            | Self::Shown(_) => true,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaCreated(made) => {
                writeln!(
                    f,
                    "A certification authority is in {}, valid until {}.",
                    made.folder.display(),
                    Utc(made.not_after)
                )?;
                writeln!(
                    f,
                    "  {} is the trusted root: give it to everybody. Its fingerprint (SHA-256):",
                    made.root.display()
                )?;
                writeln!(f, "  {}", made.root_fingerprint)?;
                writeln!(f, "  root.key.pem belongs into a safe: nothing here needs it until the CA is renewed.")
            }
            Self::CredentialIssued(made) => {
                writeln!(
                    f,
                    "The credential of {} is in {}, valid until {}.",
                    made.name,
                    made.file.display(),
                    Utc(made.not_after)
                )?;
                if let Some(path) = &made.certificate {
                    writeln!(f, "  Its certificate alone, for invitations, is in {}.", path.display())?;
                }
                writeln!(f, "  fingerprint {}", made.fingerprint)
            }
            Self::RelayCertificate(made) => {
                writeln!(
                    f,
                    "The relay's certificate is in {}, valid until {}.",
                    made.certificate.display(),
                    Utc(made.not_after)
                )?;
                writeln!(f, "  key (not encrypted)  {}", made.key.display())?;
                writeln!(f, "  trusted root         {}", made.root.display())?;
                writeln!(f, "  key pin              {}", made.pin)
            }
            Self::Invited(made) => {
                writeln!(f, "The invitation is in {}.", made.file.display())?;
                writeln!(f, "  {}", made.title)?;
                writeln!(f, "  {}, {} to {}", made.level, Utc(made.not_before), Utc(made.not_after))?;
                writeln!(f, "  {} invited; meeting {}", made.participants, made.meeting)?;
                made.warnings.iter().try_for_each(|warning| writeln!(f, "  Note: {warning}."))
            }
            Self::Shown(Shown::Certificates { file, key, certificates }) => {
                let what = if *key { "a credential (key encrypted)" } else { "certificates" };
                writeln!(f, "{}: {what}", file.display())?;
                certificates.iter().try_for_each(|certificate| show_certificate(f, certificate))
            }
            Self::Shown(Shown::Invitation(shown)) => show_invitation(f, shown),
            Self::Verified(verified) => {
                writeln!(f, "{}, at {}:", verified.file.display(), Utc(verified.at))?;
                for check in &verified.checks {
                    let mark = if check.good { "ok" } else { "FAILED" };
                    write!(f, "  {mark:<7} {}", check.what)?;
                    match &check.problem {
                        Some(problem) => writeln!(f, ": {problem}")?,
                        None => writeln!(f)?,
                    }
                }
                writeln!(f, "{}", if verified.good { "Everything holds." } else { "It does not hold." })
            }
        }
    }
}

fn show_certificate(f: &mut fmt::Formatter<'_>, shown: &ShownCertificate) -> fmt::Result {
    writeln!(f, "  {} [{}]", shown.subject, shown.purpose)?;
    writeln!(f, "    valid        {} to {}", Utc(shown.not_before), Utc(shown.not_after))?;
    if let Some(person) = &shown.person {
        show_person(f, person)?;
    }
    if let Some(problem) = &shown.problem {
        writeln!(f, "    problem      {problem}")?;
    }
    writeln!(f, "    fingerprint  {}", shown.fingerprint)?;
    writeln!(f, "    key pin      {}", shown.key_pin)
}

fn show_person(f: &mut fmt::Formatter<'_>, person: &ShownPerson) -> fmt::Result {
    writeln!(f, "    person       {}, {} ({})", person.name, person.seat, person.seat_code)?;
    writeln!(f, "    role         {}, {}", person.role, person.rank)?;
    match person.clearance {
        Some(clearance) => writeln!(f, "    clearance    {} until {}", clearance.level, Utc(clearance.expires)),
        None => writeln!(f, "    clearance    none"),
    }
}

fn show_invitation(f: &mut fmt::Formatter<'_>, shown: &ShownInvitation) -> fmt::Result {
    writeln!(f, "{}: an invitation (not checked; see verify)", shown.file.display())?;
    writeln!(f, "  {}", shown.title)?;
    if let Some(warning) = &shown.warning {
        writeln!(f, "  {warning}")?;
    }
    writeln!(f, "  level        {}", shown.level)?;
    writeln!(f, "  open         {} to {}", Utc(shown.not_before), Utc(shown.not_after))?;
    writeln!(f, "  relay        {}", shown.relay)?;
    writeln!(f, "  relay's key  {}", shown.relay_pin)?;
    if let Some(seats) = &shown.releasable {
        writeln!(f, "  releasable   to {} only", seats.join(", "))?;
    }
    writeln!(f, "  meeting      {}", shown.meeting)?;
    writeln!(f, "  participants ({}):", shown.participants.len())?;
    for listed in &shown.participants {
        write!(f, "    {}, {} ({}), {}, {}", listed.name, listed.seat, listed.seat_code, listed.role, listed.rank)?;
        if listed.languages.is_empty() { writeln!(f)? } else { writeln!(f, ", {}", listed.languages.join(" "))? }
    }
    writeln!(f, "  signed by:")?;
    shown.signer.iter().try_for_each(|certificate| show_certificate(f, certificate))
}
