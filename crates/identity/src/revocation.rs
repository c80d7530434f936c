//! Revocation lists (CRLs, RFC 5280 section 5): which certificates an authority has taken back.
//!
//! Lists are never fetched from the net. They come inside signed invitations and from the relay, who may withhold them
//! but cannot make them: a list counts once its signature was checked with the key of the authority that it names, and
//! that authority is the trusted root or leads to it. A list stays in force after its `nextUpdate`, since what was
//! revoked does not come back; of several lists of one authority the one with the highest CRL number counts.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::{prelude::FromDer, revocation_list::CertificateRevocationList};

use crate::{
    certificate::{self, ListSigner},
    utc::Utc,
};

/// The longest list that is read, in bytes of DER: about 1,300 revoked certificates.
pub const MAX_LIST: usize = 64 * 1024;

/// The most lists that are read together.
pub const MAX_LISTS: usize = 16;

/// The longest CRL number in bytes (RFC 5280 section 5.2.3).
const MAX_NUMBER: usize = 20;

/// Verified revocation lists, the newest of each authority. Clones are cheap.
#[derive(Clone, Debug, Default)]
pub struct Revocations(Arc<Vec<List>>);

/// One revocation list that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct List {
    der: Bytes,
    /// The name of the authority, DER.
    issuer: Vec<u8>,
    /// SHA-256 over the public key that signed it; `None` while the authority is not known yet.
    signer: Option<[u8; 32]>,
    number: [u8; MAX_NUMBER],
    this_update: u64,
    next_update: Option<u64>,
    /// From serial numbers, without leading zeros, to the moment of revocation.
    revoked: BTreeMap<Vec<u8>, u64>,
}

/// What a revocation list says of itself, for showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListSummary {
    /// The authority in one line.
    pub issuer: String,
    /// The CRL number in hex, without leading zeros.
    pub number: String,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub this_update: u64,
    /// When the next one is due, if it says so.
    pub next_update: Option<u64>,
    /// How many certificates it revokes.
    pub revoked: usize,
}

/// A certificate was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate was revoked at {}", Utc(*.since))]
pub struct Revoked {
    /// When, in seconds since 1970-01-01 UTC.
    pub since: u64,
}

/// Why revocation lists cannot be accepted. Lists are counted from 1, in the order in which they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// There are too many.
    #[error("there are {0} revocation lists; at most {MAX_LISTS} are read")]
    TooMany(usize),
    /// One is too long.
    #[error("revocation list {list} has {size} bytes; at most {MAX_LIST} are read")]
    TooLarge {
        /// Which one.
        list: usize,
        /// Its length in bytes.
        size: usize,
    },
    /// One is no revocation list.
    #[error("revocation list {0} is damaged or no list of form X.509 version 2")]
    Malformed(usize),
    /// One has no number, so nobody can tell which of two is newer.
    #[error("revocation list {0} has no CRL number")]
    NoNumber(usize),
    /// One covers only a part of an authority's certificates.
    #[error("revocation list {0} covers only some certificates of its authority; give the complete one")]
    Partial(usize),
    /// The authority is known, and did not sign this.
    #[error("the signature of revocation list {0} is wrong: it was altered, or made by another CA of the same name")]
    Signature(usize),
}

impl Revocations {
    /// Reads lists and checks their signatures.
    ///
    /// `authorities` are certificates of CAs that may have signed them: what a verified chain brings beside its head.
    /// Only those count that are CAs under `root`, may sign lists (`cRLSign`), and keep its path lengths; the root counts
    /// always. A list of an authority that is not among them is kept, and counts from the moment when a chain brings that
    /// authority ([`Self::check`]). Some milliseconds for each list.
    ///
    /// # Errors
    /// [`RevocationError`] names the list; sizes are checked before anything is parsed.
    pub fn verify<'a>(
        lists: impl IntoIterator<Item = &'a [u8]>,
        authorities: &[CertificateDer<'_>],
        root: &CertificateDer<'_>,
    ) -> Result<Self, RevocationError> {
        let lists: Vec<&[u8]> = lists.into_iter().take(2 * MAX_LISTS).collect();
        if lists.len() > MAX_LISTS {
            return Err(RevocationError::TooMany(lists.len()));
        }
        if lists.is_empty() {
            return Ok(Self::default());
        }
        let signers = certificate::list_signers(authorities, root);
        let mut newest = Vec::new();
        for (at, der) in lists.into_iter().enumerate() {
            let mut list = List::parse(der, at + 1)?;
            if !list.attribute(&signers) && signers.iter().any(|signer| signer.name == list.issuer) {
                return Err(RevocationError::Signature(at + 1));
            }
            keep_newest(&mut newest, list);
        }
        Ok(Self(Arc::new(newest)))
    }

    /// These lists and others, the newest of each authority.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        if other.0.is_empty() || Arc::ptr_eq(&self.0, &other.0) {
            return self.clone();
        }
        let mut lists = Vec::clone(&self.0);
        for list in other.0.iter() {
            keep_newest(&mut lists, list.clone());
        }
        Self(Arc::new(lists))
    }

    /// Checks that no certificate of `chain` is revoked. The chain must have been verified up to `root`.
    ///
    /// Who is on no list passes: what a withheld list would have said cannot be known. Microseconds, and a millisecond for
    /// a list whose authority only this chain brings.
    ///
    /// # Errors
    /// [`Revoked`] with the earliest moment.
    pub fn check(&self, chain: &[CertificateDer<'_>], root: &CertificateDer<'_>) -> Result<(), Revoked> {
        let mut earliest: Option<u64> = None;
        for name in chain.iter().filter_map(|certificate| certificate::serial_name(certificate).ok()) {
            for list in self.0.iter().filter(|list| list.issuer == name.issuer) {
                let Some(since) = list.revoked.get(trimmed(&name.serial)).copied() else { continue };
                // Only a hit is worth a signature check.
                let counts = list.signer.is_some() || list.clone().attribute(&certificate::list_signers(chain, root));
                if counts {
                    earliest = Some(earliest.map_or(since, |other| other.min(since)));
                }
            }
        }
        earliest.map_or(Ok(()), |since| Err(Revoked { since }))
    }

    /// The lists, DER.
    pub fn lists(&self) -> impl Iterator<Item = &Bytes> {
        self.0.iter().map(|list| &list.der)
    }

    /// What the lists say of themselves.
    pub fn summaries(&self) -> Vec<ListSummary> {
        self.0.iter().map(List::summary).collect()
    }
}

/// Reads one list without checking who signed it, for showing.
///
/// # Errors
/// [`RevocationError`], as of the first list.
pub fn summarize(der: &[u8]) -> Result<ListSummary, RevocationError> {
    Ok(List::parse(der, 1)?.summary())
}

/// What the next list of the same authority goes on from.
pub(crate) struct Entries {
    pub(crate) number: u64,
    pub(crate) entries: Vec<Entry>,
}

/// One revoked certificate.
pub(crate) struct Entry {
    /// Big-endian without leading zeros.
    pub(crate) serial: Vec<u8>,
    /// In seconds since 1970-01-01 UTC.
    pub(crate) since: u64,
    /// RFC 5280 section 5.3.1.
    pub(crate) reason: u8,
}

/// The number and entries of a list. Checks no signature.
pub(crate) fn entries(der: &[u8]) -> Result<Entries, RevocationError> {
    List::parse(der, 1)?;
    let malformed = RevocationError::Malformed(1);
    let (_, parsed) = CertificateRevocationList::from_der(der).map_err(|_| malformed)?;
    let number = parsed.crl_number().and_then(|number| u64::try_from(number.clone()).ok()).ok_or(malformed)?;
    let entries = parsed.iter_revoked_certificates().map(|entry| Entry {
        serial: trimmed(entry.raw_serial()).to_vec(),
        since: u64::try_from(entry.revocation_date.timestamp()).unwrap_or(0),
        reason: entry.reason_code().map_or(0, |(_, code)| code.0),
    });
    Ok(Entries { number, entries: entries.collect() })
}

/// The name of the authority that a list names, DER.
pub(crate) fn issuer(der: &[u8]) -> Result<Vec<u8>, RevocationError> {
    Ok(List::parse(der, 1)?.issuer)
}

impl List {
    /// Two parsers must agree that it is a list: webpki for the rules, x509-parser for what webpki does not tell.
    fn parse(der: &[u8], at: usize) -> Result<Self, RevocationError> {
        if der.len() > MAX_LIST {
            return Err(RevocationError::TooLarge { list: at, size: der.len() });
        }
        let malformed = RevocationError::Malformed(at);
        let checked: CertRevocationList<'_> = OwnedCertRevocationList::from_der(der).map_err(|_| malformed)?.into();
        if checked.issuing_distribution_point().is_some() {
            return Err(RevocationError::Partial(at));
        }
        let Ok(([], parsed)) = CertificateRevocationList::from_der(der) else {
            return Err(malformed);
        };
        let digits = parsed.crl_number().ok_or(RevocationError::NoNumber(at))?.to_bytes_be();
        let mut number = [0; MAX_NUMBER];
        let start = MAX_NUMBER.checked_sub(digits.len()).ok_or(malformed)?;
        number[start..].copy_from_slice(&digits);
        let revoked = parsed.iter_revoked_certificates().map(|entry| {
            (trimmed(entry.raw_serial()).to_vec(), u64::try_from(entry.revocation_date.timestamp()).unwrap_or(0))
        });
        Ok(Self {
            der: Bytes::copy_from_slice(der),
            issuer: parsed.issuer().as_raw().to_vec(),
            signer: None,
            number,
            this_update: u64::try_from(parsed.last_update().timestamp()).unwrap_or(0),
            next_update: parsed.next_update().map(|time| u64::try_from(time.timestamp()).unwrap_or(0)),
            revoked: revoked.collect(),
        })
    }

    /// Finds the authority that signed it; whether one of these did.
    fn attribute(&mut self, signers: &[ListSigner<'_>]) -> bool {
        let Ok((_, parsed)) = CertificateRevocationList::from_der(&self.der) else {
            return false;
        };
        let (message, signature) = (parsed.tbs_cert_list.as_ref(), &parsed.signature_value.data);
        let signed = |signer: &&ListSigner<'_>| signer.name == self.issuer && signer.signed(message, signature);
        self.signer = signers.iter().find(signed).map(|signer| signer.key);
        self.signer.is_some()
    }

    fn summary(&self) -> ListSummary {
        ListSummary {
            issuer: certificate::name_line(&self.issuer),
            number: match hex::encode(self.number).trim_start_matches('0') {
                "" => "0".to_owned(),
                digits => digits.to_owned(),
            },
            this_update: self.this_update,
            next_update: self.next_update,
            revoked: self.revoked.len(),
        }
    }
}

/// Lists whose authority is not known yet do not push each other out: one of them may be made up.
fn keep_newest(lists: &mut Vec<List>, list: List) {
    if lists.contains(&list) {
        return;
    }
    let older = lists
        .iter_mut()
        .find(|other| other.signer.is_some() && other.signer == list.signer && other.issuer == list.issuer);
    match older {
        Some(older) if older.number < list.number => *older = list,
        Some(_) => {}
        None => lists.push(list),
    }
}

pub(crate) fn trimmed(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

#[cfg(test)]
mod tests;
