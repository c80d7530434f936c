//! The office tool: CA, credentials, relay certificates, invitations, and a look at any of them.
//!
//! Everything the program does is here as functions, so that other programs and tests call them in-process: build a
//! [`cli::Command`] and [`run`] it, or call the modules. All of it works offline.

#![forbid(unsafe_code)]

pub mod audit;
pub mod ca;
pub mod card;
pub mod cli;
pub mod credential;
pub mod error;
pub mod files;
pub mod invite;
pub mod keys;
pub mod moment;
pub mod outcome;
pub mod password;
pub mod relay;
pub mod renew;
pub mod request;
pub mod revoke;
pub mod show;
pub mod verify;

pub use error::RegistryError;
pub use outcome::Outcome;

use cli::{AuditCommand, CaCommand, CardCommand, Command, CredentialCommand};

/// Does what a command says, at `wall` seconds since 1970-01-01 UTC.
///
/// # Errors
/// [`RegistryError`]: what is wrong, where, and what to do.
pub fn run(command: &Command, wall: u64) -> Result<Outcome, RegistryError> {
    Ok(match command {
        Command::Ca(CaCommand::Create(options)) => Outcome::CaCreated(ca::create(options, wall)?),
        Command::Credential(CredentialCommand::Issue(options)) => {
            Outcome::CredentialIssued(credential::issue(options, wall)?)
        }
        Command::Ca(CaCommand::Adopt(options)) => Outcome::CaAdopted(ca::adopt(options, wall)?),
        Command::Credential(CredentialCommand::Request(options)) => Outcome::Requested(request::request(options)?),
        Command::Credential(CredentialCommand::Assemble(options)) => {
            Outcome::Assembled(request::assemble(options, wall)?)
        }
        Command::Revoke(options) => Outcome::Revoked(revoke::revoke(options, wall)?),
        Command::Renew(options) => Outcome::CredentialIssued(renew::renew(options, wall)?),
        Command::Card(CardCommand::List(options)) => Outcome::Cards(card::list(options)?),
        Command::Card(CardCommand::Check(options)) => Outcome::CardChecked(card::check(options, wall)?),
        Command::Audit(AuditCommand::Verify(options)) => Outcome::Audited(audit::verify(options)?),
        Command::RelayCertificate(options) => Outcome::RelayCertificate(relay::issue(options, wall)?),
        Command::Invite(options) => Outcome::Invited(invite::invite(options, wall)?),
        Command::Show(options) => Outcome::Shown(show::show(&options.file)?),
        Command::Verify(options) => Outcome::Verified(verify::verify(options, wall)?),
    })
}
