//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use conclave_model::{Level, Role, SeatRank};

use crate::moment;

/// The office tool of Conclave: a CA, credentials, relay certificates and signed invitations. Works offline.
#[derive(Clone, Debug, Parser)]
#[command(name = "conclave-registry", version, max_term_width = 110)]
pub struct Cli {
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Make a certification authority.
    #[command(subcommand)]
    Ca(CaCommand),
    /// Make credentials for people.
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Make a relay's certificate and key.
    RelayCertificate(RelayOptions),
    /// Sign an invitation to a meeting.
    Invite(InviteOptions),
    /// Show what a credential, certificate or invitation says, without checking it.
    Show(ShowOptions),
    /// Check a credential, certificate or invitation against the trusted root.
    Verify(VerifyOptions),
}

/// What to do with the CA.
#[derive(Clone, Debug, Subcommand)]
pub enum CaCommand {
    /// Make a root, an issuing CA and the office that signs invitations.
    Create(CaOptions),
}

/// What to do with credentials.
#[derive(Clone, Debug, Subcommand)]
pub enum CredentialCommand {
    /// Make a key and a certificate for a person, as one encrypted file.
    Issue(CredentialOptions),
}

/// Where the CA is and what opens it.
#[derive(Clone, Debug, Args)]
pub struct CaAccess {
    /// The folder of the CA.
    #[arg(long = "ca", value_name = "FOLDER")]
    pub folder: PathBuf,
    /// A file whose first line is the password of the CA. Otherwise CONCLAVE_CA_PASSWORD, otherwise a question.
    #[arg(long = "password-file", value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// A new CA.
#[derive(Clone, Debug, Args)]
pub struct CaOptions {
    /// Where it will be, and what opens it.
    #[command(flatten)]
    pub ca: CaAccess,
    /// Its name, as "Ministry of Foreign Affairs".
    #[arg(long)]
    pub name: String,
    /// How long it is valid.
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
}

/// A new credential.
#[derive(Clone, Debug, Args)]
pub struct CredentialOptions {
    /// The CA that issues it.
    #[command(flatten)]
    pub ca: CaAccess,
    /// The person's name, as "Anna Virtanen".
    #[arg(long)]
    pub name: String,
    /// The state or institution, as "Finland".
    #[arg(long)]
    pub seat: String,
    /// Its code: ISO 3166 or of the institution, as FI.
    #[arg(long = "seat-code", value_name = "CODE")]
    pub seat_code: String,
    /// The place within the delegation: head, deputy or expert.
    #[arg(long, default_value = "head", value_parser = parse_rank)]
    pub rank: SeatRank,
    /// What the person usually does: chair, delegate, interpreter, observer or secretariat.
    #[arg(long, default_value = "delegate")]
    pub role: Role,
    /// Cleared up to: restricted, confidential, secret or top-secret. Without it, unclassified meetings only.
    #[arg(long, value_name = "LEVEL", requires = "clearance_until")]
    pub clearance: Option<Level>,
    /// When the clearance ends, as 2027-12-31.
    #[arg(long = "clearance-until", value_name = "DATE", requires = "clearance")]
    pub clearance_until: Option<String>,
    /// How long the credential is valid.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_660))]
    pub days: u32,
    /// The file to write: key (encrypted) and certificates, for the person alone.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A file for the certificate alone, which is what an invitation needs. Nothing in it is secret.
    #[arg(long = "certificate-out", value_name = "FILE")]
    pub certificate_out: Option<PathBuf>,
    /// A file whose first line is the password for the credential. Otherwise CONCLAVE_CREDENTIAL_PASSWORD, otherwise a
    /// question.
    #[arg(long = "credential-password-file", value_name = "FILE")]
    pub credential_password_file: Option<PathBuf>,
}

/// A new relay certificate.
#[derive(Clone, Debug, Args)]
pub struct RelayOptions {
    /// The CA that issues it.
    #[command(flatten)]
    pub ca: CaAccess,
    /// Host name or IP address of the relay; may be given several times.
    #[arg(long = "host", required = true)]
    pub hosts: Vec<String>,
    /// The highest level of meetings that the relay may carry: unclassified, restricted, confidential, secret or
    /// top-secret.
    #[arg(long = "max-level", value_name = "LEVEL", default_value = "restricted")]
    pub max_level: Level,
    /// How long the certificate is valid.
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(u32).range(1..=3_660))]
    pub days: u32,
    /// The folder for relay.pem, relay.key.pem (not encrypted) and root.pem.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
}

/// A new invitation.
#[derive(Clone, Debug, Args)]
pub struct InviteOptions {
    /// The CA whose office signs it.
    #[command(flatten)]
    pub ca: CaAccess,
    /// A TOML file that describes the meeting; flags override it. Its paths are relative to it.
    #[arg(long, value_name = "FILE")]
    pub meeting: Option<PathBuf>,
    /// The title; unclassified.
    #[arg(long)]
    pub title: Option<String>,
    /// A warning that classified matters will be discussed.
    #[arg(long)]
    pub warning: Option<String>,
    /// The level: unclassified, restricted, confidential, secret or top-secret.
    #[arg(long)]
    pub level: Option<Level>,
    /// When the meeting opens: now, +30m, 2026-11-23T14:00Z. UTC.
    #[arg(long = "from", value_name = "TIME")]
    pub from: Option<String>,
    /// When it closes: +2h (from now), 2026-11-23T18:00Z. UTC.
    #[arg(long = "until", value_name = "TIME")]
    pub until: Option<String>,
    /// Where the relay is: `HOST:PORT`, or `[ADDRESS]:PORT` for IPv6.
    #[arg(long, value_name = "HOST:PORT", help = "Where the relay is: HOST:PORT, or [ADDRESS]:PORT for IPv6")]
    pub relay: Option<String>,
    /// The relay's certificate, whose key the invitation pins.
    #[arg(long = "relay-certificate", value_name = "FILE")]
    pub relay_certificate: Option<PathBuf>,
    /// Releasable only to these seats, as FI,SE,EE.
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub releasable: Option<Vec<String>>,
    /// Somebody who may enter: `FILE[,role=ROLE][,rank=RANK][,languages=fi+en]`.
    #[arg(
        long = "participant",
        value_name = "SPEC",
        help = "Somebody who may enter: FILE[,role=ROLE][,rank=RANK][,languages=fi+en]; the file is a certificate or credential"
    )]
    pub participants: Vec<String>,
    /// The file to write, as meeting.conclave.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What to show.
#[derive(Clone, Debug, Args)]
pub struct ShowOptions {
    /// A credential, certificate or invitation.
    pub file: PathBuf,
}

/// What to check.
#[derive(Clone, Debug, Args)]
pub struct VerifyOptions {
    /// A credential, certificate or invitation.
    pub file: PathBuf,
    /// The trusted root. Only a credential brings its own.
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// At which time; now unless given.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Whether the holder of this certificate or credential may enter the meeting of the invitation.
    #[arg(long, value_name = "FILE")]
    pub participant: Vec<PathBuf>,
    /// Also unlock the key of a credential and check that it belongs to the certificate.
    #[arg(long)]
    pub unlock: bool,
    /// A file whose first line is the password of the credential. Otherwise CONCLAVE_CREDENTIAL_PASSWORD, otherwise a
    /// question.
    #[arg(long = "credential-password-file", value_name = "FILE")]
    pub credential_password_file: Option<PathBuf>,
}

/// Reads a rank.
///
/// # Errors
/// A sentence with the allowed words.
pub fn parse_rank(word: &str) -> Result<SeatRank, String> {
    match word {
        "head" => Ok(SeatRank::Head),
        "deputy" => Ok(SeatRank::Deputy),
        "expert" => Ok(SeatRank::Expert),
        _ => Err(format!("\"{word}\" is no rank; use head, deputy or expert")),
    }
}

/// The word for a rank.
pub fn rank_word(rank: SeatRank) -> &'static str {
    match rank {
        SeatRank::Head => "head",
        SeatRank::Deputy => "deputy",
        SeatRank::Expert => "expert",
    }
}

/// Reads a date or time given as an option; `what` names the option for the error.
pub(crate) fn moment_option(what: &str, text: &str, wall: u64) -> Result<u64, crate::RegistryError> {
    moment::parse(text, wall).map_err(|error| crate::RegistryError::Moment {
        option: what.to_owned(),
        text: text.to_owned(),
        error,
    })
}
