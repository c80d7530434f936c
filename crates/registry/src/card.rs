//! `card list` and `card check`.

use std::path::{Path, PathBuf};

use conclave_identity::{
    CardUri, Holder,
    card::{self, NewKey},
    fingerprint,
    issue::{Authority, PersonSpec, Validity},
};
use serde::Serialize;

use crate::{
    RegistryError,
    cli::{CardCheckOptions, CardListOptions},
    credential::CredentialIssued,
    password::Wanted,
};

/// What `card list` found.
#[derive(Clone, Debug, Serialize)]
pub struct Cards {
    /// The module.
    pub module: PathBuf,
    /// The tokens behind it.
    pub tokens: Vec<ShownToken>,
}

/// One token.
#[derive(Clone, Debug, Serialize)]
pub struct ShownToken {
    /// Its address.
    pub uri: String,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// The credentials on it.
    pub credentials: Vec<ShownCredential>,
}

/// One credential on a token.
#[derive(Clone, Debug, Serialize)]
pub struct ShownCredential {
    /// Its address: what the app and `card check` want.
    pub uri: String,
    /// Whose it is.
    pub name: Option<String>,
    /// State or institution.
    pub seat: Option<String>,
    /// Why it cannot be read.
    pub problem: Option<String>,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
}

/// What `card check` found.
#[derive(Clone, Debug, Serialize)]
pub struct CardChecked {
    /// Its address.
    pub uri: String,
    /// Whose it is.
    pub name: String,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
    /// The last second of its validity, since 1970-01-01 UTC.
    pub not_after: u64,
}

/// Lists what is behind a module; needs no PIN.
///
/// # Errors
/// [`RegistryError::Card`].
pub fn list(options: &CardListOptions) -> Result<Cards, RegistryError> {
    let tokens = card::list(&options.module)?.into_iter().map(|token| ShownToken {
        uri: token.uri.to_string(),
        manufacturer: token.manufacturer,
        model: token.model,
        credentials: token.credentials.into_iter().map(shown).collect(),
    });
    Ok(Cards { module: options.module.clone(), tokens: tokens.collect() })
}

fn shown(credential: card::CardCredential) -> ShownCredential {
    let (person, problem) = match credential.person {
        Ok(person) => (Some(person), None),
        Err(error) => (None, Some(error.to_string())),
    };
    ShownCredential {
        uri: credential.uri.to_string(),
        name: person.as_ref().map(|person| person.name.clone()),
        seat: person.map(|person| person.seat),
        problem,
        fingerprint: hex::encode(fingerprint(&credential.certificate)),
    }
}

/// Unlocks a card and has it sign once.
///
/// # Errors
/// [`RegistryError::Card`], [`RegistryError::Password`].
pub fn check(options: &CardCheckOptions, wall: u64) -> Result<CardChecked, RegistryError> {
    let pin = Wanted::of_card(options.pin_file.as_deref()).read()?;
    let holder = Holder::on_card(&options.card, &pin, wall)?;
    Ok(CardChecked {
        uri: options.card.to_string(),
        name: holder.person().name.clone(),
        fingerprint: hex::encode(holder.person().fingerprint),
        not_after: holder.validity().1,
    })
}

/// Makes a key in a token and stores its certificates there; the key never leaves. Returns the result and the person's
/// certificate.
///
/// # Errors
/// [`RegistryError`]; the token is left as it was then.
pub(crate) fn issue(
    uri: &CardUri,
    pin_file: Option<&Path>,
    authority: &Authority,
    person: &PersonSpec,
    validity: Validity,
) -> Result<(CredentialIssued, rustls_pki_types::CertificateDer<'static>), RegistryError> {
    let pin = Wanted::of_card(pin_file).read()?;
    let key = NewKey::generate(uri, &pin, &person.name)?;
    let mut chain = match authority.certify(person, key.public_key(), validity) {
        Ok(chain) => chain,
        Err(error) => {
            key.discard();
            return Err(error.into());
        }
    };
    let leaf = chain[0].clone();
    chain.push(authority.root().clone());
    let uri = key.certify(uri, &chain)?;
    let issued = CredentialIssued {
        file: None,
        card: Some(uri.to_string()),
        certificate: None,
        requested: None,
        is_renewal: false,
        name: person.name.clone(),
        fingerprint: hex::encode(fingerprint(&leaf)),
        not_after: validity.not_after,
    };
    Ok((issued, leaf))
}
