//! Where the person's credential is: in a file, or on a card.

use std::path::Path;

use conclave_identity::{CardError, CardUri, CredentialError, Holder, Seal};

use crate::screens::home::data::file_name;

/// How the address of a credential on a card begins (RFC 7512).
const CARD: &str = "pkcs11:";

/// Why a credential was not unlocked.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// The one in a file.
    #[error(transparent)]
    File(#[from] CredentialError),
    /// The one on a card.
    #[error(transparent)]
    Card(#[from] CardError),
}

/// What came of a password or PIN.
#[derive(Debug)]
pub struct Unlocked {
    /// The credential.
    pub holder: Holder,
    /// What tells the PIN from now on, where the credential is on a card.
    pub seal: Option<Seal>,
}

/// As [`open`], and keeps what tells a card's PIN.
///
/// # Errors
/// [`UnlockError`].
pub(super) fn unlock(path: &Path, secret: &str, wall: u64) -> Result<Unlocked, UnlockError> {
    let holder = open(path, secret, wall)?;
    Ok(Unlocked { holder, seal: address(path).and_then(|_| Seal::of(secret)) })
}

/// Unlocks the credential at `path`, a file or the address of a card, with its password or PIN, at `wall` seconds since
/// 1970-01-01 UTC. Takes as long as a password is stretched or a card signs; not for the window's thread.
///
/// # Errors
/// [`UnlockError`].
pub(super) fn open(path: &Path, secret: &str, wall: u64) -> Result<Holder, UnlockError> {
    match address(path) {
        Some(address) => Ok(Holder::on_card(&address.parse::<CardUri>().map_err(CardError::from)?, secret, wall)?),
        None => Ok(Holder::open(path, secret, wall)?),
    }
}

/// The address of a card, where `path` is one.
pub(super) fn address(path: &Path) -> Option<&str> {
    path.to_str().filter(|word| word.starts_with(CARD))
}

/// What people call the credential at `path`: the name of the file, or of the card; empty for whatever card is in the
/// reader.
pub(super) fn name(path: &Path) -> String {
    match address(path).and_then(|address| address.parse::<CardUri>().ok()) {
        Some(card) => card.token.unwrap_or_default(),
        None => file_name(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_goes_by_its_label_and_a_file_by_its_name() {
        let card = Path::new("pkcs11:token=Anna?module-path=/usr/lib/opensc-pkcs11.so");
        assert_eq!(name(card), "Anna");
        assert_eq!(name(Path::new("pkcs11:?module-path=/usr/lib/opensc-pkcs11.so")), "", "an office names no card");
        assert_eq!(name(Path::new("/home/anna/anna.pem")), "anna.pem");
        assert_eq!((address(card).is_some(), address(Path::new("pkcs11.pem")).is_some()), (true, false));
    }

    #[test]
    fn what_is_no_address_of_a_card_is_said_and_never_opened_as_a_file() {
        let error = open(Path::new("pkcs11:token=Anna"), "1234", 0).map(|_| ()).map_err(|error| error.to_string());
        assert!(error.is_err_and(|said| said.contains("module-path")));
    }
}
