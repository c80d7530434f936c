//! Credential files: PEM with one `ENCRYPTED PRIVATE KEY` (PKCS#8, PBES2) and the certificates from the person's up to
//! the root.
//!
//! The order of the certificates is: the person's, the issuing CA's, the root; text between the blocks is ignored. New
//! files are encrypted with AES-256-CBC under scrypt (N = 2^14, r = 8, p = 5: OWASP's figures, within the memory that
//! OpenSSL 3 allows, so `openssl pkey` reads them); files with PBKDF2, as OpenSSL writes them, are read as well.

mod assemble;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use bytes::Bytes;
use der::{Decode, Encode, ErrorKind, asn1::OctetString};
use pkcs8::{
    EncryptedPrivateKeyInfoOwned, EncryptedPrivateKeyInfoRef,
    pkcs5::{
        EncryptionScheme,
        pbes2::{Kdf, Parameters},
        scrypt,
    },
};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::{
    certificate::{self, ChainError, MAX_CHAIN, ProfileError},
    holder::Pkcs8,
    revocation::{MAX_LIST, MAX_LISTS},
    utc::Utc,
};

pub(crate) use assemble::order;
pub use assemble::{assemble, encrypted_key, is_encrypted, private_key};

/// The longest credential file that is read, in bytes.
pub const MAX_FILE: usize = 64 * 1024;

const KEY_LABEL: &str = "ENCRYPTED PRIVATE KEY";
const CERTIFICATE_LABEL: &str = "CERTIFICATE";

/// How much memory a file may ask for, in bytes, and how many rounds: a hostile file must not stop the machine.
const MAX_SCRYPT_MEMORY: u64 = 256 << 20;
const MAX_SCRYPT_PARALLEL: u16 = 16;
const MAX_PBKDF2_ROUNDS: u32 = 10_000_000;

/// Why a credential cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {}", words(*.kind))]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
    /// Others than the owner may read or write the file.
    #[error("{path} is open to others (mode {mode:03o}); run: chmod 600 {path}")]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file is too long to be a credential.
    #[error("the file is longer than {MAX_FILE} bytes, so it is no credential")]
    TooLarge,
    /// The file is no PEM, or a block of it is damaged.
    #[error("the file is damaged or no credential; ask for a new copy")]
    Broken,
    /// There is no encrypted key, or more than one.
    #[error("the file must hold exactly one block \"{KEY_LABEL}\"; it holds {0}")]
    Keys(usize),
    /// The key lies in the file unencrypted.
    #[error("the key in the file is not encrypted; credentials must be protected with a password")]
    Unencrypted,
    /// The key's encryption is of a kind that is not read, or asks for absurd amounts of work.
    #[error("the key is encrypted in a way that is not accepted; use AES-256 with scrypt or PBKDF2 (PBES2)")]
    Encryption,
    /// There is no certificate of the person.
    #[error("the file holds no certificate")]
    NoCertificate,
    /// The root certificate is missing, or there are several.
    #[error("the file must hold exactly one root certificate (issued by itself)")]
    Root,
    /// The password does not open the key.
    #[error("the password is wrong")]
    WrongPassword,
    /// What was encrypted is no ECDSA P-384 key.
    #[error("the private key is not ECDSA P-384")]
    Key,
    /// The private key is not that of the certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,
    /// A certificate is no longer valid.
    #[error("the credential expired at {}; ask the registry for a new one", Utc(*.not_after))]
    Expired {
        /// Its last second, since 1970-01-01 UTC.
        not_after: u64,
    },
    /// A certificate is not yet valid.
    #[error("the credential is valid only from {} on; is the clock right?", Utc(*.not_before))]
    NotYetValid {
        /// Its first second, since 1970-01-01 UTC.
        not_before: u64,
    },
    /// The certificates do not lead to the root.
    #[error("the certificates of the credential do not hold: {0}")]
    Chain(#[source] ChainError),
    /// The certificate states no acceptable person.
    #[error(transparent)]
    Profile(ProfileError),
}

/// Why a protected file was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtectError {
    /// The password is shorter than [`MIN_PASSWORD`] characters.
    #[error("the password has {0} characters; use at least {MIN_PASSWORD}")]
    ShortPassword(usize),
    /// The system gave no random bytes, or the key is malformed.
    #[error("the key could not be encrypted")]
    Encrypt,
    /// The file could not be written.
    #[error("{path} cannot be written: {}", words(*.kind))]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
}

/// Why a file or folder could not be used, in words for people.
pub fn words(kind: io::ErrorKind) -> String {
    #[allow(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive, and its own words do for the rest")]
    match kind {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::AlreadyExists => "it exists already".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::NotADirectory => "a part of its path is no folder".to_owned(),
        io::ErrorKind::InvalidInput => "it is no ordinary file".to_owned(),
        io::ErrorKind::InvalidData => "it holds no text".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only".to_owned(),
        other => other.to_string(),
    }
}

/// The shortest password for a new file, in characters.
pub const MIN_PASSWORD: usize = 8;

/// Unlocks the one key in a PEM file.
pub(crate) fn unlock_key(text: &str, password: &str) -> Result<Pkcs8, CredentialError> {
    let blocks = pem::parse_many(text).map_err(|_| CredentialError::Broken)?;
    decrypt(only_key(&blocks)?, password)
}

fn only_key(blocks: &[pem::Pem]) -> Result<&[u8], CredentialError> {
    if blocks.iter().any(|block| block.tag().ends_with("PRIVATE KEY") && block.tag() != KEY_LABEL) {
        return Err(CredentialError::Unencrypted);
    }
    let mut keys = blocks.iter().filter(|block| block.tag() == KEY_LABEL);
    match (keys.next(), keys.count()) {
        (Some(key), 0) => Ok(key.contents()),
        (None, _) => Err(CredentialError::Keys(0)),
        (Some(_), more) => Err(CredentialError::Keys(1 + more)),
    }
}

/// The parts of a credential file, key still locked.
pub(crate) struct CredentialFile {
    /// The person's certificate and those of issuing CAs.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// The self-issued one.
    pub(crate) root: CertificateDer<'static>,
    key: Vec<u8>,
}

impl CredentialFile {
    pub(crate) fn parse(text: &str) -> Result<Self, CredentialError> {
        if text.len() > MAX_FILE {
            return Err(CredentialError::TooLarge);
        }
        let blocks = pem::parse_many(text).map_err(|_| CredentialError::Broken)?;
        if blocks.is_empty() {
            return Err(CredentialError::Broken);
        }
        let key = only_key(&blocks)?.to_vec();
        let (chain, root) = split_root(certificates(&blocks))?;
        Ok(Self { chain, root, key })
    }

    /// The PKCS#8 key.
    pub(crate) fn unlock(&self, password: &str) -> Result<Pkcs8, CredentialError> {
        decrypt(&self.key, password)
    }
}

/// Reads the certificates of a PEM file and parts the root from the rest.
///
/// # Errors
/// [`CredentialError::Broken`], [`CredentialError::NoCertificate`], [`CredentialError::Root`],
/// [`CredentialError::Chain`] for too many.
pub fn parse_certificates(
    text: &str,
) -> Result<(Vec<CertificateDer<'static>>, CertificateDer<'static>), CredentialError> {
    split_root(parse_bundle(text)?)
}

/// Reads the certificates of a PEM file in their order.
///
/// # Errors
/// [`CredentialError::TooLarge`], [`CredentialError::Broken`].
pub fn parse_bundle(text: &str) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
    if text.len() > MAX_FILE {
        return Err(CredentialError::TooLarge);
    }
    Ok(certificates(&pem::parse_many(text).map_err(|_| CredentialError::Broken)?))
}

fn certificates(blocks: &[pem::Pem]) -> Vec<CertificateDer<'static>> {
    let of_certificates = blocks.iter().filter(|block| block.tag() == CERTIFICATE_LABEL);
    of_certificates.map(|block| CertificateDer::from(block.contents().to_vec())).collect()
}

fn split_root(
    certificates: Vec<CertificateDer<'static>>,
) -> Result<(Vec<CertificateDer<'static>>, CertificateDer<'static>), CredentialError> {
    if certificates.len() > MAX_CHAIN {
        return Err(CredentialError::Chain(ChainError::TooMany(certificates.len())));
    }
    let (mut chain, mut roots) = (Vec::new(), Vec::new());
    for certificate in certificates {
        let root = certificate::is_self_issued(&certificate).map_err(CredentialError::Profile)?;
        if root { roots.push(certificate) } else { chain.push(certificate) }
    }
    let root = match (roots.pop(), roots.pop()) {
        (Some(root), None) => root,
        (None, _) if chain.is_empty() => return Err(CredentialError::NoCertificate),
        _ => return Err(CredentialError::Root),
    };
    if chain.is_empty() { Err(CredentialError::NoCertificate) } else { Ok((chain, root)) }
}

/// The label of a revocation list.
const LIST_LABEL: &str = "X509 CRL";

/// The longest file of revocation lists, in bytes: as many as there may be, in base64.
const MAX_LIST_FILE: usize = MAX_LISTS * MAX_LIST * 3 / 2;

/// Reads a PEM file with revocation lists (blocks `X509 CRL`), DER; nothing of them is checked.
///
/// # Errors
/// [`CredentialError::Read`], [`CredentialError::TooLarge`], [`CredentialError::Broken`], also where there is none.
pub fn read_lists(path: &Path) -> Result<Vec<Bytes>, CredentialError> {
    let text = read_text(path, MAX_LIST_FILE)?;
    let blocks = pem::parse_many(text.as_bytes()).map_err(|_| CredentialError::Broken)?;
    let of_lists = blocks.iter().filter(|block| block.tag() == LIST_LABEL);
    let lists: Vec<Bytes> = of_lists.map(|block| Bytes::copy_from_slice(block.contents())).collect();
    if lists.is_empty() { Err(CredentialError::Broken) } else { Ok(lists) }
}

/// Opens an ordinary file to read it.
///
/// Anything else is refused without waiting: a named pipe would keep the program until somebody writes into it.
///
/// # Errors
/// What the system says; [`io::ErrorKind::IsADirectory`] for a folder, [`io::ErrorKind::InvalidInput`] for what is neither.
pub fn open_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NONBLOCK);
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok(file)
    } else if metadata.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no ordinary file"))
    }
}

/// Reads a file that holds no secret.
pub(crate) fn read_public(path: &Path) -> Result<String, CredentialError> {
    read_text(path, MAX_FILE)
}

fn read_text(path: &Path, limit: usize) -> Result<String, CredentialError> {
    let failed = |error: io::Error| CredentialError::Read { path: path.to_owned(), kind: error.kind() };
    let mut bytes = Vec::new();
    open_file(path).map_err(failed)?.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(CredentialError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| CredentialError::Broken)
}

/// Reads a text file that holds a private key.
///
/// # Errors
/// [`CredentialError::Read`], [`CredentialError::Permissions`] (Unix), [`CredentialError::TooLarge`],
/// [`CredentialError::Broken`] where it is no text.
pub fn read(path: &Path) -> Result<Zeroizing<String>, CredentialError> {
    let bytes = read_private(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| CredentialError::Broken)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Reads a file that holds a private key, as PKCS#12 does.
///
/// # Errors
/// [`CredentialError::Read`], [`CredentialError::Permissions`] (Unix), [`CredentialError::TooLarge`].
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    let failed = |error: io::Error| CredentialError::Read { path: path.to_owned(), kind: error.kind() };
    let file = open_file(path).map_err(failed)?;
    check_permissions(&file, path)?;
    // A buffer that grows would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_FILE { Err(CredentialError::TooLarge) } else { Ok(bytes) }
}

/// The open file is asked, not the path, so that nobody swaps it in between.
#[cfg(unix)]
fn check_permissions(file: &File, path: &Path) -> Result<(), CredentialError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata =
        file.metadata().map_err(|error| CredentialError::Read { path: path.to_owned(), kind: error.kind() })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(CredentialError::Permissions { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_permissions(_: &File, _: &Path) -> Result<(), CredentialError> {
    Ok(())
}

/// Writes a new file that only its owner may read; an existing one is never overwritten.
///
/// # Errors
/// [`ProtectError::Write`].
pub fn write_private(path: &Path, text: &str) -> Result<(), ProtectError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| ProtectError::Write { path: path.to_owned(), kind: error.kind() })
}

/// Encrypts a PKCS#8 key; the result is a PEM block. About 200 ms.
///
/// # Errors
/// [`ProtectError::ShortPassword`], [`ProtectError::Encrypt`].
pub(crate) fn encrypt_to_pem(pkcs8: &[u8], password: &str) -> Result<String, ProtectError> {
    let characters = password.chars().count();
    if characters < MIN_PASSWORD {
        return Err(ProtectError::ShortPassword(characters));
    }
    let der = encrypt(pkcs8, password).ok_or(ProtectError::Encrypt)?;
    Ok(to_pem(KEY_LABEL, der))
}

fn encrypt(pkcs8: &[u8], password: &str) -> Option<Vec<u8>> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    rand::fill(&mut salt).ok()?;
    rand::fill(&mut iv).ok()?;
    let stretching = scrypt::Params::new(14, 8, 5).ok()?;
    let parameters = Parameters::generate_scrypt_aes256cbc(stretching, &salt, iv).ok()?;
    let encrypted = parameters.encrypt(password, pkcs8).ok()?;
    let info = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: EncryptionScheme::Pbes2(parameters),
        encrypted_data: OctetString::new(encrypted).ok()?,
    };
    info.to_der().ok()
}

fn decrypt(encrypted: &[u8], password: &str) -> Result<Pkcs8, CredentialError> {
    let info = EncryptedPrivateKeyInfoRef::from_der(encrypted).map_err(|error| {
        // A cipher or key derivation that nobody should use any more, as DES.
        let unknown = matches!(error.kind(), ErrorKind::OidUnknown { .. } | ErrorKind::OidMalformed);
        if unknown { CredentialError::Encryption } else { CredentialError::Broken }
    })?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(CredentialError::Encryption);
    };
    let affordable = match &parameters.kdf {
        Kdf::Pbkdf2(rounds) => rounds.iteration_count <= MAX_PBKDF2_ROUNDS,
        Kdf::Scrypt(cost) => {
            let memory = 128 * u64::from(cost.block_size);
            cost.cost_parameter.checked_mul(memory).is_some_and(|bytes| bytes <= MAX_SCRYPT_MEMORY)
                && cost.parallelization <= MAX_SCRYPT_PARALLEL
        }
        _ => false,
    };
    if !affordable {
        return Err(CredentialError::Encryption);
    }
    // CBC has no tag: a wrong password shows in the padding, and once in 256 times only in what is inside.
    let key = Zeroizing::new(
        parameters.decrypt(password, info.encrypted_data.as_bytes()).map_err(|_| CredentialError::WrongPassword)?,
    );
    match pkcs8::PrivateKeyInfoRef::from_der(&key) {
        Ok(_) => Ok(key),
        Err(_) => Err(CredentialError::WrongPassword),
    }
}

/// A credential file: key (encrypted with `password`), chain, root.
pub(crate) fn to_file(
    pkcs8: &[u8],
    chain: &[CertificateDer<'_>],
    root: &CertificateDer<'_>,
    password: &str,
) -> Result<String, ProtectError> {
    let mut text = encrypt_to_pem(pkcs8, password)?;
    for certificate in chain.iter().chain([root]) {
        text.push_str(&certificate_to_pem(certificate));
    }
    Ok(text)
}

/// A certificate as a PEM block.
pub fn certificate_to_pem(certificate: &CertificateDer<'_>) -> String {
    to_pem(CERTIFICATE_LABEL, certificate.to_vec())
}

pub(crate) fn to_pem(label: &str, der: Vec<u8>) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), config)
}

#[cfg(test)]
mod tests;
