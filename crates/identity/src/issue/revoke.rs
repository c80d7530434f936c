//! Taking certificates back.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use rustls_pki_types::CertificateDer;

use super::{Authority, IssueError, template};
use crate::{
    certificate,
    revocation::{self, MAX_LIST, RevocationError, Revocations},
};

/// How long a list says that it is good for, in seconds: 30 days. Programs here do not forget it afterwards.
const NEXT_UPDATE: u64 = 30 * 24 * 60 * 60;

/// Why a certificate is revoked (RFC 5280 section 5.3.1). What can be taken back again, as a hold, is not offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reason {
    /// Nothing is said.
    #[default]
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// The person belongs elsewhere now.
    AffiliationChanged,
    /// There is a newer certificate.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// What it certifies does not hold any more, as the clearance.
    PrivilegeWithdrawn,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// The word, as "key-compromise".
    pub fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
            Self::PrivilegeWithdrawn => "privilege-withdrawn",
        }
    }

    fn of_code(code: u8) -> Self {
        match code {
            1 => Self::KeyCompromise,
            3 => Self::AffiliationChanged,
            4 => Self::Superseded,
            5 => Self::CessationOfOperation,
            9 => Self::PrivilegeWithdrawn,
            _ => Self::Unspecified,
        }
    }

    fn encoded(self) -> Option<rcgen::RevocationReason> {
        match self {
            Self::Unspecified => None,
            Self::KeyCompromise => Some(rcgen::RevocationReason::KeyCompromise),
            Self::AffiliationChanged => Some(rcgen::RevocationReason::AffiliationChanged),
            Self::Superseded => Some(rcgen::RevocationReason::Superseded),
            Self::CessationOfOperation => Some(rcgen::RevocationReason::CessationOfOperation),
            Self::PrivilegeWithdrawn => Some(rcgen::RevocationReason::PrivilegeWithdrawn),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that is no reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no reason; use {words}", words = Reason::ALL.map(Reason::word).join(", "))]
pub struct UnknownReason(pub String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(word: &str) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.word() == word).ok_or_else(|| UnknownReason(word.to_owned()))
    }
}

impl Authority {
    /// Takes certificates back and makes a new list with the next number, at `wall` seconds since 1970-01-01 UTC. Without
    /// certificates it makes a fresh list of those that were taken back before.
    ///
    /// The list is kept here, and on file once [`Self::save_revocations`] wrote it. What is on the list already keeps its
    /// date and reason.
    ///
    /// # Errors
    /// [`IssueError::Foreign`] for a certificate that this CA did not issue, [`IssueError::Revocations`] where the list
    /// would become too long, [`IssueError::Certificate`].
    pub fn revoke(
        &mut self,
        certificates: &[CertificateDer<'_>],
        reason: Reason,
        wall: u64,
    ) -> Result<&Bytes, IssueError> {
        let (mut number, mut entries) = match self.own_list()? {
            None => (0, Vec::new()),
            Some(list) => (list.number, list.entries),
        };
        let name = certificate::subject_name(self.issuing()).map_err(|_| IssueError::Foreign)?;
        for certificate in certificates {
            let found = certificate::serial_name(certificate).map_err(|_| IssueError::Foreign)?;
            if found.issuer != name {
                return Err(IssueError::Foreign);
            }
            let serial = revocation::trimmed(&found.serial).to_vec();
            if !entries.iter().any(|entry| entry.serial == serial) {
                entries.push(revocation::Entry { serial, since: wall, reason: reason.code() });
            }
        }
        number = number.saturating_add(1);
        let list = self.sign_list(number, &entries, wall)?;
        if list.len() > MAX_LIST {
            return Err(IssueError::Revocations(RevocationError::TooLarge { list: 1, size: list.len() }));
        }
        // Its own comes first; those of other authorities stay.
        self.revocations.retain(|other| revocation::issuer(other).is_ok_and(|issuer| issuer != name));
        self.revocations.insert(0, list);
        Ok(&self.revocations[0])
    }

    /// Takes lists over that were made before or by others under the same root; those of this CA are gone on from.
    ///
    /// # Errors
    /// [`IssueError::Revocations`]: damaged, or not signed by the CA that it names.
    pub fn add_revocations(&mut self, lists: Vec<Bytes>) -> Result<(), IssueError> {
        let all = self.revocations.iter().chain(&lists).map(|list| list.as_ref());
        let all = Revocations::verify(all, &self.issuers, self.root()).map_err(IssueError::Revocations)?;
        self.revocations = all.lists().cloned().collect();
        Ok(())
    }

    /// Checks that this CA issued a certificate, at whatever time, and has not taken it back.
    ///
    /// # Errors
    /// [`IssueError::Foreign`], [`IssueError::Revoked`].
    pub fn issued(&self, certificate: &CertificateDer<'_>) -> Result<(), IssueError> {
        if !certificate::is_signed_by(certificate, self.issuing()) {
            return Err(IssueError::Foreign);
        }
        let lists = self.revocations.iter().map(|list| list.as_ref());
        let lists = Revocations::verify(lists, &self.issuers, self.root()).map_err(IssueError::Revocations)?;
        lists.check(std::slice::from_ref(certificate), self.root()).map_err(IssueError::Revoked)
    }

    /// The revocation lists that invitations of this CA bring along, DER: its own, and those of others in its folder.
    pub fn revocations(&self) -> &[Bytes] {
        &self.revocations
    }

    fn own_list(&self) -> Result<Option<revocation::Entries>, IssueError> {
        let name = certificate::subject_name(self.issuing()).map_err(|_| IssueError::Foreign)?;
        let own = |list: &&Bytes| revocation::issuer(list).is_ok_and(|issuer| issuer == name);
        self.revocations
            .iter()
            .find(own)
            .map(|list| revocation::entries(list).map_err(IssueError::Revocations))
            .transpose()
    }

    fn sign_list(&self, number: u64, entries: &[revocation::Entry], wall: u64) -> Result<Bytes, IssueError> {
        let moment = |seconds| template::moment(seconds).ok_or(IssueError::Sign);
        let revoked = entries.iter().map(|entry| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from(entry.serial.clone()),
                revocation_time: moment(entry.since)?,
                reason_code: Reason::of_code(entry.reason).encoded(),
                invalidity_date: None,
            })
        });
        let params = CertificateRevocationListParams {
            this_update: moment(wall)?,
            next_update: moment(wall.saturating_add(NEXT_UPDATE))?,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect::<Result<_, IssueError>>()?,
            key_identifier_method: KeyIdMethod::PreSpecified(certificate::key_identifier(self.issuing())),
        };
        Ok(Bytes::copy_from_slice(params.signed_by(&self.issuer)?.der()))
    }
}

impl Reason {
    fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
        }
    }
}
