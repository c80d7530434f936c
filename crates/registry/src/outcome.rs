//! What came of a command, for people and as JSON.

use std::fmt;

use conclave_identity::{Admission, Utc};
use serde::Serialize;

use crate::{
    audit::Audited,
    ca::CaCreated,
    card::{CardChecked, Cards},
    credential::CredentialIssued,
    invite::Invited,
    relay::RelayCertificate,
    request::{Assembled, Requested},
    revoke::RevokedCertificates,
    show::{Shown, ShownCertificate, ShownInvitation, ShownList, ShownPerson},
    verify::Verified,
};

/// What came of a command. `Display` is for people; times in JSON are seconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// Of `ca create`.
    CaCreated(CaCreated),
    /// Of `ca adopt`.
    CaAdopted(CaCreated),
    /// Of `credential request`.
    Requested(Requested),
    /// Of `credential assemble`.
    Assembled(Assembled),
    /// Of `revoke`.
    Revoked(RevokedCertificates),
    /// Of `card list`.
    Cards(Cards),
    /// Of `card check`.
    CardChecked(CardChecked),
    /// Of `audit verify`.
    Audited(Audited),
    /// Of `credential issue` and `renew`.
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
            Self::Audited(audited) => audited.good,
            Self::CaCreated(_)
            | Self::CaAdopted(_)
            | Self::Cards(_)
            | Self::CardChecked(_)
            | Self::Requested(_)
            | Self::Assembled(_)
            | Self::Revoked(_)
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
            Self::CaAdopted(made) => {
                writeln!(f, "The CA works from {} now, until {}.", made.folder.display(), Utc(made.not_after))?;
                writeln!(f, "  Its root is {}; the fingerprint (SHA-256):", made.root.display())?;
                writeln!(f, "  {}", made.root_fingerprint)
            }
            Self::CredentialIssued(made) => show_issued(f, made),
            Self::Requested(made) => {
                writeln!(f, "The key of {} is in {}; it stays with the person.", made.name, made.key.display())?;
                writeln!(f, "  The request for the office is in {}.", made.request.display())?;
                writeln!(
                    f,
                    "  When the certificates are there: credential assemble --key {} --certificates …",
                    made.key.display()
                )
            }
            Self::Assembled(made) => {
                let until = Utc(made.not_after);
                writeln!(f, "The credential of {} is in {}, valid until {until}.", made.name, made.file.display())?;
                writeln!(f, "  fingerprint {}", made.fingerprint)
            }
            Self::Revoked(made) => {
                for name in &made.names {
                    writeln!(f, "The certificate of {name} is revoked.")?;
                }
                writeln!(f, "  List {} with {} revoked is in {}.", made.number, made.revoked, made.file.display())?;
                if let Some(copy) = &made.copy {
                    writeln!(f, "  A copy is in {}.", copy.display())?;
                }
                writeln!(f, "  Give it to the relays. Invitations from now on bring it along; older ones do not.")
            }
            Self::Audited(audited) => show_audited(f, audited),
            Self::Cards(cards) => show_cards(f, cards),
            Self::CardChecked(checked) => {
                writeln!(f, "The card of {} works, until {}.", checked.name, Utc(checked.not_after))?;
                writeln!(f, "  {}", checked.uri)?;
                writeln!(f, "  fingerprint {}", checked.fingerprint)
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
                writeln!(f, "  {}, {:#} to {:#}", made.level, Utc(made.not_before), Utc(made.not_after))?;
                writeln!(f, "  {} invited; meeting {}", made.participants, made.meeting)?;
                writeln!(f, "  {}", admission_words(made.admission))?;
                made.warnings.iter().try_for_each(|warning| writeln!(f, "  Note: {warning}."))
            }
            Self::Shown(Shown::Certificates { file, key, certificates }) => {
                let what = if *key { "a credential (key encrypted)" } else { "certificates" };
                writeln!(f, "{}: {what}", file.display())?;
                certificates.iter().try_for_each(|certificate| show_certificate(f, certificate))
            }
            Self::Shown(Shown::Invitation(shown)) => show_invitation(f, shown),
            Self::Shown(Shown::Revocations { file, lists }) => {
                writeln!(f, "{}: revocation lists (signatures not checked; see verify)", file.display())?;
                lists.iter().try_for_each(|list| show_list(f, list))
            }
            Self::Shown(Shown::Request { file, subject, key_pin }) => {
                writeln!(f, "{}: a certificate request (signed with its own key)", file.display())?;
                writeln!(f, "  says it is of {subject}; nobody has checked that")?;
                writeln!(f, "  key pin  {key_pin}")
            }
            Self::Verified(verified) => {
                writeln!(f, "{}, at {:#}:", verified.file.display(), Utc(verified.at))?;
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

fn show_issued(f: &mut fmt::Formatter<'_>, made: &CredentialIssued) -> fmt::Result {
    let until = Utc(made.not_after);
    match (&made.file, &made.certificate) {
        (Some(file), certificate) => {
            writeln!(f, "The credential of {} is in {}, valid until {until}.", made.name, file.display())?;
            if let Some(path) = certificate {
                writeln!(f, "  Its certificate alone, for invitations, is in {}.", path.display())?;
            }
        }
        (None, Some(path)) if made.card.is_none() => {
            writeln!(f, "The certificates of {} are in {}, valid until {until}.", made.name, path.display())?;
        }
        (None, Some(path)) => writeln!(f, "The certificate, for invitations, is in {}.", path.display())?,
        (None, None) => {}
    }
    if let Some(card) = &made.card {
        writeln!(f, "The credential of {} is on the card, valid until {until}.", made.name)?;
        writeln!(f, "  {card}")?;
    }
    if let Some(subject) = &made.requested {
        writeln!(f, "  The request said that it was of {subject}.")?;
    }
    if made.is_renewal {
        writeln!(
            f,
            "  Invitations made before name the old certificate: keep it until those meetings are over, or invite anew."
        )?;
    }
    writeln!(f, "  fingerprint {}", made.fingerprint)
}

fn show_cards(f: &mut fmt::Formatter<'_>, cards: &Cards) -> fmt::Result {
    if cards.tokens.is_empty() {
        writeln!(f, "There is no card behind {}.", cards.module.display())?;
    }
    for token in &cards.tokens {
        writeln!(f, "{} ({}, {})", token.uri, token.manufacturer, token.model)?;
        for credential in &token.credentials {
            match (&credential.name, &credential.seat, &credential.problem) {
                (Some(name), Some(seat), _) => writeln!(f, "  {name}, {seat}")?,
                (_, _, problem) => writeln!(f, "  not usable: {}", problem.as_deref().unwrap_or_default())?,
            }
            writeln!(f, "    {}", credential.uri)?;
            writeln!(f, "    fingerprint {}", credential.fingerprint)?;
        }
        if token.credentials.is_empty() {
            writeln!(f, "  no credential")?;
        }
    }
    Ok(())
}

fn show_list(f: &mut fmt::Formatter<'_>, list: &ShownList) -> fmt::Result {
    write!(f, "    {}, number {}, of {}", list.issuer, list.number, Utc(list.this_update))?;
    if let Some(due) = list.next_update {
        write!(f, ", next due {}", Utc(due))?;
    }
    writeln!(f, ": {} revoked", list.revoked)
}

fn show_audited(f: &mut fmt::Formatter<'_>, audited: &Audited) -> fmt::Result {
    match &audited.problem {
        Some(problem) => {
            writeln!(f, "{} does not hold: {problem}.", audited.file.display())?;
            return match audited.lines {
                0 => Ok(()),
                1 => writeln!(f, "  The line before that holds."),
                lines => writeln!(f, "  The {lines} lines before that hold."),
            };
        }
        None => writeln!(f, "{} holds: {}.", audited.file.display(), counted(audited.lines, "line"))?,
    }
    if let (Some(first), Some(last)) = (audited.first, audited.last) {
        writeln!(f, "  from {:#} to {:#}", Utc(first), Utc(last))?;
    }
    for (event, count) in &audited.events {
        writeln!(f, "  {:<15} {count}", event.to_string())?;
    }
    if audited.set_back > 0 {
        writeln!(f, "  The relay's clock was set back {}.", counted(audited.set_back, "time"))?;
    }
    if audited.missing > 0 {
        let are = if audited.missing == 1 { "is" } else { "are" };
        let missing = counted(audited.missing, "record");
        writeln!(f, "  The relay could not write everything: {missing} {are} missing.")?;
    }
    match &audited.head {
        Some(head) => writeln!(f, "  Note its head elsewhere, for the next time: {head}"),
        None => Ok(()),
    }
}

/// A number with its noun.
fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn admission_words(admission: Admission) -> &'static str {
    match admission {
        Admission::Lobby => "the listed wait until the chair lets them in",
        Admission::Open => "the listed come in without waiting",
    }
}

fn show_certificate(f: &mut fmt::Formatter<'_>, shown: &ShownCertificate) -> fmt::Result {
    writeln!(f, "  {} [{}]", shown.subject, shown.purpose)?;
    writeln!(f, "    valid        {} to {}", Utc(shown.not_before), Utc(shown.not_after))?;
    if let Some(level) = shown.relay_level {
        writeln!(f, "    relay        for meetings up to {level}")?;
    }
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
    writeln!(f, "  open         {:#} to {:#}", Utc(shown.not_before), Utc(shown.not_after))?;
    writeln!(f, "  admission    {}", admission_words(shown.admission))?;
    if !shown.succession.is_empty() {
        writeln!(f, "  led by       {}", shown.succession.join(", then "))?;
    }
    match &shown.originator {
        Some(name) => writeln!(f, "  originator   {name}: the level is lowered with their consent only")?,
        None => writeln!(f, "  originator   none: nothing lowers the level")?,
    }
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
    writeln!(f, "  revocation lists ({}):", shown.revocations.len())?;
    shown.revocations.iter().try_for_each(|list| show_list(f, list))?;
    writeln!(f, "  signed by:")?;
    shown.signer.iter().try_for_each(|certificate| show_certificate(f, certificate))
}
