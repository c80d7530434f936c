//! Credentials on smart cards and in hardware security modules, by PKCS#11.
//!
//! The private key stays in the token: SHA-384 is computed here, ECDSA P-384 there. The token also holds the person's
//! certificate (sharing its `CKA_ID` with the key) and those of the issuing CAs; the trusted root may be there as well,
//! else a file brings it ([`CardUri::root`]). Modules are loaded when they are named, nothing is linked.
//!
//! A module is foreign code in this process, as trusted as the operating system: name only modules that were installed.

mod uri;
mod write;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::Mechanism,
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    slot::{Slot, TokenInfo},
    types::AuthPin,
};
use der::{Encode, asn1::UintRef};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha384};

use crate::{
    certificate::{self, MAX_CERTIFICATE, ProfileError, Purpose},
    credential::{self, CredentialError},
    holder::{Holder, Sign, SignError},
};

pub use uri::{CardUri, UriError};
pub use write::NewKey;

/// The most certificates that are read from a token.
const MAX_CERTIFICATES: usize = 64;

/// The length of a raw ECDSA P-384 signature: r and s.
const RAW_SIGNATURE: usize = 96;

/// Why a card cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// The address is none.
    #[error("the address of the card cannot be used: {0}")]
    Uri(#[from] UriError),
    /// There is no such module.
    #[error("there is no file {}; check module-path= in the address, and whether the card's driver is installed", .0.display())]
    NoModule(PathBuf),
    /// The module cannot be loaded.
    #[error(
        "{} cannot be loaded as a PKCS#11 module; check module-path= in the address, which names a shared library of \
         this system's kind", .0.display()
    )]
    Module(PathBuf),
    /// The module is loaded and does not start.
    #[error(
        "the PKCS#11 module {} does not start ({reason}); check its own configuration, as for SoftHSM whether the folder \
         with the tokens exists and can be read", .module.display()
    )]
    ModuleStart {
        /// Which one.
        module: PathBuf,
        /// What it says.
        reason: String,
    },
    /// No token is there.
    #[error("there is no card; is it inserted, and is the reader plugged in?")]
    NoToken,
    /// Tokens are there, and none fits.
    #[error("there is no card {wanted}; there is {found}")]
    OtherTokens {
        /// What the address asks for.
        wanted: String,
        /// The labels of those that are there.
        found: String,
    },
    /// Several tokens fit.
    #[error("several cards fit; name one by token= or serial= in the address")]
    SeveralTokens,
    /// The PIN is wrong.
    #[error("the PIN is wrong{}", if *.last { "; one more wrong PIN locks the card" } else { "" })]
    Pin {
        /// Whether one try is left.
        last: bool,
    },
    /// Too many wrong PINs were entered.
    #[error("the card is locked after too many wrong PINs; its issuer can unlock it")]
    PinLocked,
    /// There is no credential.
    #[error("the card holds no certificate of a person together with its private key")]
    NoCredential,
    /// There are several credentials.
    #[error("the card holds several credentials; name one by object= or id= in the address")]
    SeveralCredentials,
    /// There is no trusted root.
    #[error("the card does not bring the trusted root; add x-root=FILE to its address")]
    NoRoot,
    /// Its certificates, or the file with the root, cannot be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The card or its module refused, or is gone.
    #[error("the card did not {0}; is it still there?")]
    Refused(&'static str),
}

/// What a token says of itself, and what is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSummary {
    /// Its address.
    pub uri: CardUri,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// The certificates of people on it.
    pub credentials: Vec<CardCredential>,
}

/// A person's certificate on a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardCredential {
    /// Its address.
    pub uri: CardUri,
    /// Whose it is, or why that cannot be read.
    pub person: Result<conclave_model::Person, ProfileError>,
    /// The certificate.
    pub certificate: CertificateDer<'static>,
}

/// The tokens behind a module, without any PIN.
///
/// # Errors
/// [`CardError::Module`], [`CardError::Refused`].
pub fn list(module: &Path) -> Result<Vec<TokenSummary>, CardError> {
    let _one = one_at_a_time();
    let context = load(module)?;
    let mut tokens = Vec::new();
    for (slot, info) in present_tokens(&context, module)? {
        let mut uri = CardUri::of_token(module, info.label());
        uri.serial = Some(info.serial_number().to_owned()).filter(|serial| !serial.is_empty());
        let session = context.open_ro_session(slot).map_err(|_| CardError::Refused("open a session"))?;
        let mut credentials = Vec::new();
        for found in certificates(&session)? {
            if certificate::purposes(&found.der).is_ok_and(|purposes| purposes.contains(&Purpose::Person)) {
                let mut uri = CardUri { serial: None, ..uri.clone() };
                uri.id = Some(found.id).filter(|id| !id.is_empty());
                let person = certificate::read_person(&found.der);
                credentials.push(CardCredential { uri, person, certificate: found.der });
            }
        }
        let (manufacturer, model) = (info.manufacturer_id().to_owned(), info.model().to_owned());
        tokens.push(TokenSummary { uri, manufacturer, model, credentials });
    }
    Ok(tokens)
}

impl Holder {
    /// Unlocks the credential on a card with its PIN, at `wall` seconds since 1970-01-01 UTC.
    ///
    /// Signs once, to prove that the key is that of the certificate. Takes as long as the card does: up to seconds; not for
    /// a thread that must not wait. One token is unlocked once in a program: whoever unlocks it again ends the older use.
    /// [`Self::is_present`] tells whether the card is still there.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn on_card(uri: &CardUri, pin: &str, wall: u64) -> Result<Self, CardError> {
        let _one = one_at_a_time();
        let open = OpenToken::log_in(uri, pin, false)?;
        let all = certificates(&open.session)?;
        let found = open.find_credential(uri, &all)?;
        let key = open.private_key(&found.id)?.ok_or(CardError::NoCredential)?;
        let point = certificate::public_key(&found.der).map_err(CredentialError::Profile)?;
        let point = certificate::p384_point(&point).ok_or(CredentialError::Key)?.to_vec();
        let mut chain: Vec<_> = all.iter().map(|found| found.der.clone()).collect();
        if let Some(path) = &uri.root {
            chain.retain(|der| !certificate::is_self_issued(der).unwrap_or(false));
            chain.extend(credential::parse_bundle(&credential::read_public(path)?)?);
        }
        // Other credentials may be on the card: only this one's chain counts.
        chain.retain(|der| *der == found.der || certificate::purposes(der).is_ok_and(|purposes| purposes.is_empty()));
        let incomplete = CredentialError::Chain(certificate::ChainError::UnknownIssuer);
        let (chain, root) = credential::order(chain, &point)
            .map_err(|error| if error == incomplete { CardError::NoRoot } else { CardError::Credential(error) })?;
        let signer = Arc::new(open.into_key(key));
        prove(&*signer, &chain[0])?;
        let holder = Self::with_signer(chain, root, signer)?;
        holder.check_validity(wall)?;
        Ok(holder)
    }
}

/// Makes sure that key and certificate belong together: the token may say what it likes.
fn prove(signer: &dyn Sign, leaf: &CertificateDer<'_>) -> Result<(), CardError> {
    let mut challenge = *b"conclave card check v1: ................................";
    aws_lc_rs::rand::fill(&mut challenge[24..]).map_err(|_| CardError::Refused("sign"))?;
    let signature = signer.sign(&challenge).map_err(|_| CardError::Refused("sign"))?;
    certificate::verify_signature(leaf, &challenge, &signature)
        .map_err(|_| CardError::Credential(CredentialError::KeyMismatch))
}

/// A session with a token after the PIN.
struct OpenToken {
    context: Pkcs11,
    slot: Slot,
    serial: String,
    session: Session,
}

impl OpenToken {
    fn log_in(uri: &CardUri, pin: &str, write: bool) -> Result<Self, CardError> {
        let context = load(&uri.module)?;
        let (slot, info) = find_token(&context, uri)?;
        if info.user_pin_locked() {
            return Err(CardError::PinLocked);
        }
        let opened = if write { context.open_rw_session(slot) } else { context.open_ro_session(slot) };
        let session = opened.map_err(|_| CardError::Refused("open a session"))?;
        let secret = AuthPin::from(pin.to_owned());
        let mut entered = session.login(UserType::User, Some(&secret));
        if matches!(entered, Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _))) {
            // Else nobody would have checked this PIN.
            session.logout().map_err(|_| CardError::Refused("log out"))?;
            entered = session.login(UserType::User, Some(&secret));
        }
        #[allow(
            clippy::wildcard_enum_match_arm,
            reason = "the enum is non-exhaustive and most of it cannot happen here"
        )]
        entered.map_err(|error| match error {
            Error::Pkcs11(RvError::PinLocked, _) => CardError::PinLocked,
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _) => {
                let last = context.get_token_info(slot).is_ok_and(|info| info.user_pin_final_try());
                CardError::Pin { last }
            }
            _ => CardError::Refused("accept a PIN"),
        })?;
        Ok(Self { context, slot, serial: info.serial_number().to_owned(), session })
    }

    fn find_credential<'a>(&self, uri: &CardUri, all: &'a [Found]) -> Result<&'a Found, CardError> {
        let mut fitting = Vec::new();
        for found in all {
            let named = uri.id.as_ref().is_none_or(|id| *id == found.id)
                && uri.object.as_ref().is_none_or(|label| label.as_bytes() == found.label);
            let person = certificate::purposes(&found.der).is_ok_and(|purposes| purposes.contains(&Purpose::Person));
            if named && person && !found.id.is_empty() && self.private_key(&found.id)?.is_some() {
                fitting.push(found);
            }
        }
        match (fitting.pop(), fitting.is_empty()) {
            (Some(found), true) => Ok(found),
            (Some(_), false) => Err(CardError::SeveralCredentials),
            (None, _) => Err(CardError::NoCredential),
        }
    }

    fn private_key(&self, id: &[u8]) -> Result<Option<ObjectHandle>, CardError> {
        let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(id.to_vec())];
        let found = self.session.find_objects(&template).map_err(|_| CardError::Refused("list its keys"))?;
        Ok(found.first().copied())
    }

    fn into_key(self, key: ObjectHandle) -> CardKey {
        let Self { context, slot, serial, session } = self;
        CardKey { context, slot, serial, session: Mutex::new((session, key)) }
    }
}

/// A private key in a token.
struct CardKey {
    context: Pkcs11,
    slot: Slot,
    serial: String,
    session: Mutex<(Session, ObjectHandle)>,
}

impl Sign for CardKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let _initialized = INITIALIZED.read().unwrap_or_else(PoisonError::into_inner);
        let digest = Sha384::digest(message);
        let session = self.session.lock().map_err(|_| SignError::Unavailable)?;
        let raw = session.0.sign(&Mechanism::Ecdsa, session.1, &digest).map_err(|_| SignError::Unavailable)?;
        to_asn1(&raw).ok_or(SignError::Unavailable)
    }

    fn is_present(&self) -> bool {
        let _initialized = INITIALIZED.read().unwrap_or_else(PoisonError::into_inner);
        let there = self.context.get_slot_info(self.slot).is_ok_and(|slot| slot.token_present());
        let same = || self.context.get_token_info(self.slot).is_ok_and(|info| info.serial_number() == self.serial);
        // Who signs just now has the session; a card that answers is there.
        let usable = || match self.session.try_lock() {
            Ok(session) => session.0.get_session_info().is_ok(),
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Poisoned(_)) => false,
        };
        there && same() && usable()
    }
}

impl fmt::Debug for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardKey")
    }
}

/// r and s, 48 bytes each, as Ecdsa-Sig-Value (RFC 3279 section 2.2.3).
fn to_asn1(raw: &[u8]) -> Option<Vec<u8>> {
    #[derive(der::Sequence)]
    struct EcdsaSigValue<'a> {
        r: UintRef<'a>,
        s: UintRef<'a>,
    }
    if raw.len() != RAW_SIGNATURE {
        return None;
    }
    let (r, s) = raw.split_at(RAW_SIGNATURE / 2);
    EcdsaSigValue { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
}

/// A certificate on a token.
struct Found {
    der: CertificateDer<'static>,
    id: Vec<u8>,
    label: Vec<u8>,
}

fn certificates(session: &Session) -> Result<Vec<Found>, CardError> {
    let refused = |_| CardError::Refused("list its certificates");
    let handles = session.find_objects(&[Attribute::Class(ObjectClass::CERTIFICATE)]).map_err(refused)?;
    let mut found = Vec::new();
    for handle in handles.into_iter().take(MAX_CERTIFICATES) {
        let wanted = [AttributeType::Value, AttributeType::Id, AttributeType::Label];
        let (mut der, mut id, mut label) = (Vec::new(), Vec::new(), Vec::new());
        for attribute in session.get_attributes(handle, &wanted).map_err(refused)? {
            #[allow(clippy::wildcard_enum_match_arm, reason = "only these were asked for")]
            match attribute {
                Attribute::Value(bytes) => der = bytes,
                Attribute::Id(bytes) => id = bytes,
                Attribute::Label(bytes) => label = bytes,
                _ => {}
            }
        }
        if (1..=MAX_CERTIFICATE).contains(&der.len()) {
            found.push(Found { der: der.into(), id, label });
        }
    }
    Ok(found)
}

fn find_token(context: &Pkcs11, uri: &CardUri) -> Result<(Slot, TokenInfo), CardError> {
    let mut fitting = Vec::new();
    let present = present_tokens(context, &uri.module)?;
    let found: Vec<String> = present.iter().map(|(_, info)| format!("\"{}\"", info.label())).collect();
    for (slot, info) in present {
        let fits = [
            (&uri.token, info.label()),
            (&uri.serial, info.serial_number()),
            (&uri.manufacturer, info.manufacturer_id()),
            (&uri.model, info.model()),
        ];
        if fits.iter().all(|(wanted, found)| wanted.as_deref().is_none_or(|wanted| wanted == *found)) {
            fitting.push((slot, info));
        }
    }
    match (fitting.pop(), fitting.is_empty()) {
        (Some(token), true) => Ok(token),
        (Some(_), false) => Err(CardError::SeveralTokens),
        (None, _) if found.is_empty() => Err(CardError::NoToken),
        (None, _) => Err(CardError::OtherTokens { wanted: wanted_by(uri), found: found.join(", ") }),
    }
}

/// What an address asks of a token, in words.
fn wanted_by(uri: &CardUri) -> String {
    let parts = [
        ("", &uri.token),
        ("with the serial number ", &uri.serial),
        ("made by ", &uri.manufacturer),
        ("of the model ", &uri.model),
    ];
    let said = parts.iter().filter_map(|(what, value)| Some(format!("{what}\"{}\"", value.as_ref()?)));
    said.collect::<Vec<_>>().join(" ")
}

/// The initialized tokens that are there now.
fn present_tokens(context: &Pkcs11, module: &Path) -> Result<Vec<(Slot, TokenInfo)>, CardError> {
    let ask = || {
        let slots = context.get_slots_with_token()?;
        let tokens = slots.into_iter().map(|slot| Ok((slot, context.get_token_info(slot)?)));
        let mut tokens = tokens.collect::<Result<Vec<_>, Error>>()?;
        tokens.retain(|(_, info)| info.token_initialized());
        Ok(tokens)
    };
    match ask() {
        Ok(tokens) if !tokens.is_empty() => return Ok(tokens),
        // Some modules do not get over a token that went away, and some see none that came after they began. Beginning
        // anew ends what else they have open, which where there is no token is nothing.
        Ok(_) | Err(_) => {}
    }
    let _alone = INITIALIZED.write().unwrap_or_else(PoisonError::into_inner);
    // One that did not start the last time has nothing to end.
    let _ = context.clone().finalize();
    start(context, module)?;
    ask().map_err(|_: Error| CardError::Refused("list its slots"))
}

/// Held for reading while a key that is in use talks to its module, so that none is initialized anew under it.
static INITIALIZED: RwLock<()> = RwLock::new(());

/// Unlocking, listing and making keys happen one after the other.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static OPENING: Mutex<()> = Mutex::new(());
    OPENING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A module is initialized once in a program and stays; unloading foreign code under running threads is no option.
static MODULES: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

fn load(module: &Path) -> Result<Pkcs11, CardError> {
    let failed = || CardError::Module(module.to_owned());
    // A bare name would be searched for along the loader's paths.
    let path = module.canonicalize().map_err(|_| CardError::NoModule(module.to_owned()))?;
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(context) = modules.get(&path) {
        return Ok(context.clone());
    }
    let context = Pkcs11::new(&path).map_err(|_| failed())?;
    start(&context, module)?;
    modules.insert(path, context.clone());
    Ok(context)
}

fn start(context: &Pkcs11, module: &Path) -> Result<(), CardError> {
    let failed = |reason| CardError::ModuleStart { module: module.to_owned(), reason };
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(Error::Pkcs11(code, _)) => Err(failed(format!("{code:?}"))),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
