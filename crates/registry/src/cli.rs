//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use conclave_identity::{CardUri, issue::Reason};
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
    /// Take certificates back: they go onto the CA's revocation list, which invitations and relays bring along.
    Revoke(RevokeOptions),
    /// Make a new certificate with what an older one states. Invitations made before name the old one: keep it until those
    /// meetings are over, or invite anew.
    Renew(RenewOptions),
    /// Sign an invitation to a meeting.
    Invite(Box<InviteOptions>),
    /// Show what a credential, certificate or invitation says, without checking it.
    Show(ShowOptions),
    /// Check a credential, certificate or invitation against the trusted root.
    Verify(VerifyOptions),
    /// Look at smart cards and hardware security modules (PKCS#11).
    #[command(subcommand)]
    Card(CardCommand),
    /// Look at a relay's audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
}

/// What to do with the CA.
#[derive(Clone, Debug, Subcommand)]
pub enum CaCommand {
    /// Make a root, an issuing CA and the office that signs invitations.
    Create(CaOptions),
    /// Take over an existing CA, made by other tools, and make the office that signs invitations.
    Adopt(AdoptOptions),
}

/// What to do with cards.
#[derive(Clone, Debug, Subcommand)]
pub enum CardCommand {
    /// List the tokens behind a module and the credentials on them; needs no PIN.
    List(CardListOptions),
    /// Unlock a credential on a card and have it sign once.
    Check(CardCheckOptions),
}

/// Which cards.
#[derive(Clone, Debug, Args)]
pub struct CardListOptions {
    /// The PKCS#11 module, as /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so.
    #[arg(long, value_name = "FILE")]
    pub module: PathBuf,
}

/// Which credential.
#[derive(Clone, Debug, Args)]
pub struct CardCheckOptions {
    /// Its address, as `card list` prints it.
    #[arg(value_name = "URI")]
    pub card: CardUri,
    /// A file whose first line is the PIN. Otherwise CONCLAVE_CARD_PIN, otherwise a question.
    #[arg(long = "pin-file", value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
}

/// What to do with an audit log.
#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that nothing in it was changed, taken out or put in.
    Verify(AuditOptions),
}

/// What to do with credentials.
#[derive(Clone, Debug, Subcommand)]
pub enum CredentialCommand {
    /// Make a key and a certificate for a person, as one encrypted file; or the certificate alone, for a request.
    Issue(Box<CredentialOptions>),
    /// Make a key that stays with the person, and the request for its certificate.
    Request(RequestOptions),
    /// Put a key and the certificates that an office made for it together into one encrypted file.
    Assemble(AssembleOptions),
}

/// Where the CA is and what opens it.
#[derive(Clone, Debug, Args)]
pub struct CaAccess {
    /// The folder of the CA.
    #[arg(long = "ca", value_name = "FOLDER")]
    pub folder: PathBuf,
    /// A file whose first line is the password of the CA (8 characters or more). Otherwise CONCLAVE_CA_PASSWORD,
    /// otherwise a question.
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

/// An existing CA.
#[derive(Clone, Debug, Args)]
pub struct AdoptOptions {
    /// Where it will be, and what will open it.
    #[command(flatten)]
    pub ca: CaAccess,
    /// Its root certificate.
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// The certificate of the CA that issues; where there are others between it and the root, theirs after it.
    #[arg(long, value_name = "FILE")]
    pub issuing: PathBuf,
    /// Its private key: PEM, encrypted or not. ECDSA P-384, P-521, or RSA from 3072 bits.
    #[arg(long = "issuing-key", value_name = "FILE")]
    pub issuing_key: PathBuf,
    /// A file whose first line is the password of that key, where it has one. Otherwise CONCLAVE_KEY_PASSWORD, otherwise
    /// a question.
    #[arg(long = "key-password-file", value_name = "FILE")]
    pub key_password_file: Option<PathBuf>,
    /// Its revocation lists, if there are any.
    #[arg(long = "revocations", value_name = "FILE")]
    pub revocations: Option<PathBuf>,
}

/// A request for a certificate.
#[derive(Clone, Debug, Args)]
pub struct RequestOptions {
    /// The person's name, as "Anna Virtanen".
    #[arg(long)]
    pub name: String,
    /// The state or institution, as "Finland".
    #[arg(long)]
    pub seat: String,
    /// The file to write for the key (encrypted); it stays with the person.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The file to write for the request (PKCS#10); the office needs it. Nothing in it is secret.
    #[arg(long, value_name = "FILE")]
    pub request: PathBuf,
    /// A file whose first line is the password for the key. Otherwise CONCLAVE_CREDENTIAL_PASSWORD, otherwise a question.
    #[arg(long = "credential-password-file", value_name = "FILE")]
    pub credential_password_file: Option<PathBuf>,
}

/// A key and its certificates.
#[derive(Clone, Debug, Args)]
pub struct AssembleOptions {
    /// The private key: PEM (PKCS#8 or EC PRIVATE KEY), encrypted or not; or a PKCS#12 file with key and certificates.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The certificates, the person's first; may be given several times.
    #[arg(long = "certificates", value_name = "FILE")]
    pub certificates: Vec<PathBuf>,
    /// The trusted root, where it is not among the certificates.
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// The file to write: key (encrypted) and certificates.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A file whose first line is the password of the key as it is now, where it has one. Otherwise CONCLAVE_KEY_PASSWORD,
    /// otherwise a question.
    #[arg(long = "key-password-file", value_name = "FILE")]
    pub key_password_file: Option<PathBuf>,
    /// A file whose first line is the password for the credential. Otherwise CONCLAVE_CREDENTIAL_PASSWORD, otherwise a
    /// question.
    #[arg(long = "credential-password-file", value_name = "FILE")]
    pub credential_password_file: Option<PathBuf>,
}

/// Certificates to take back.
#[derive(Clone, Debug, Args)]
pub struct RevokeOptions {
    /// The CA that issued them.
    #[command(flatten)]
    pub ca: CaAccess,
    /// Certificates or credentials. Without any, the list is made anew with a later date.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Why: key-compromise, affiliation-changed, superseded, cessation-of-operation, privilege-withdrawn or unspecified.
    #[arg(long, default_value = "unspecified")]
    pub reason: Reason,
    /// Another file for the list, as for a relay; crl.pem in the CA's folder is always written.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// A certificate to renew.
#[derive(Clone, Debug, Args)]
pub struct RenewOptions {
    /// The CA that issued it.
    #[command(flatten)]
    pub ca: CaAccess,
    /// The certificate or credential to renew.
    pub file: PathBuf,
    /// The file to write: where FILE is a credential or there is a new key, the new credential; else the certificates.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Make a new key as well; otherwise the key stays, with its password.
    #[arg(long = "new-key")]
    pub new_key: bool,
    /// How long the new certificate is valid.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_660))]
    pub days: u32,
    /// Another clearance than before: restricted, confidential, secret or top-secret.
    #[arg(long, value_name = "LEVEL", requires = "clearance_until")]
    pub clearance: Option<Level>,
    /// When the clearance ends, as 2027-12-31.
    #[arg(long = "clearance-until", value_name = "DATE")]
    pub clearance_until: Option<String>,
    /// A file for the new certificate and those of its CAs, without the key.
    #[arg(long = "certificate-out", value_name = "FILE")]
    pub certificate_out: Option<PathBuf>,
    /// With --new-key: a file whose first line is the password for the credential. Otherwise
    /// CONCLAVE_CREDENTIAL_PASSWORD, otherwise a question.
    #[arg(long = "credential-password-file", value_name = "FILE")]
    pub credential_password_file: Option<PathBuf>,
}

/// An audit log.
#[derive(Clone, Debug, Args)]
pub struct AuditOptions {
    /// The file that the relay wrote.
    pub file: PathBuf,
    /// The head that was noted at an earlier time, 64 hex digits: the file must hold that line.
    #[arg(long, value_name = "HEX")]
    pub head: Option<String>,
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
    #[arg(long, value_name = "FILE", required_unless_present_any = ["request", "card"])]
    pub out: Option<PathBuf>,
    /// Make the key on this card or in this HSM instead, and store the certificates there:
    /// `pkcs11:token=LABEL?module-path=/path/to/module.so`.
    #[arg(
        long,
        value_name = "URI",
        conflicts_with_all = ["out", "request", "credential_password_file"],
        help = "Make the key on this card instead, and store the certificates there: pkcs11:token=LABEL?module-path=FILE"
    )]
    pub card: Option<CardUri>,
    /// A file whose first line is the PIN of the card. Otherwise CONCLAVE_CARD_PIN, otherwise a question.
    #[arg(long = "pin-file", value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// A request (PKCS#10) whose key is to be certified; write the certificates with --certificate-out.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "credential_password_file"], requires = "certificate_out")]
    pub request: Option<PathBuf>,
    /// A file for the certificate and those of its CAs, which is what an invitation needs. Nothing in it is secret.
    #[arg(long = "certificate-out", value_name = "FILE")]
    pub certificate_out: Option<PathBuf>,
    /// A file whose first line is the password for the credential (8 characters or more). Otherwise
    /// CONCLAVE_CREDENTIAL_PASSWORD, otherwise a question.
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
    #[arg(long = "from", value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// When it closes: +2h (from now), 2026-11-23T18:00Z. UTC.
    #[arg(long = "until", value_name = "TIME", allow_hyphen_values = true)]
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
    /// The listed wait in the lobby until the chair lets them in. This is so unless --open is given.
    #[arg(long, conflicts_with = "open")]
    pub lobby: bool,
    /// Whoever is listed and passes the checks comes in without waiting.
    #[arg(long)]
    pub open: bool,
    /// Who leads the meeting while no chair is there, first to last: certificates of participants.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub succession: Vec<PathBuf>,
    /// Whose consent it takes to lower the level: the certificate of a participant. Without it nothing lowers it.
    #[arg(long, value_name = "FILE")]
    pub originator: Option<PathBuf>,
    /// Revocation lists of other CAs that the participants' certificates are from.
    #[arg(long, value_name = "FILE")]
    pub revocations: Vec<PathBuf>,
    /// The file to write, as meeting.conclave.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What to show.
#[derive(Clone, Debug, Args)]
pub struct ShowOptions {
    /// A credential, certificate, certificate request, revocation list or invitation.
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
    /// Revocation lists, as the relay's crl.pem. Those in an invitation count anyway.
    #[arg(long, value_name = "FILE")]
    pub revocations: Vec<PathBuf>,
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use conclave_identity::credential::MIN_PASSWORD;

    use super::*;

    #[test]
    fn the_help_says_how_long_a_new_password_must_be() {
        let mut program = Cli::command();
        program.build();
        for chain in [["ca", "create"], ["credential", "issue"]] {
            let command = chain
                .iter()
                .fold(&mut program, |command, name| command.find_subcommand_mut(name).expect("a command of this name"));
            let help = command.render_long_help().to_string();
            assert!(help.contains(&format!("{MIN_PASSWORD} characters or more")), "{help}");
        }
    }

    #[test]
    fn a_time_before_now_is_for_the_reader_of_times_to_refuse() {
        let words = "conclave-registry invite --ca ca --out m.conclave --from -2h --until -1h".split(' ');
        let Command::Invite(options) = Cli::try_parse_from(words).expect("a command").command else {
            panic!("no invitation")
        };
        assert_eq!((options.from.as_deref(), options.until.as_deref()), (Some("-2h"), Some("-1h")));
    }
}
