//! The originator's agreement to a lower level.

use conclave_identity::{Holder, SignError};
use conclave_model::{Fingerprint, Level, MeetingId};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    Rules, State, credential,
    state::{from_cbor, to_cbor},
};

/// What the identity key signs is told apart from everything else that it signs by this.
const LABEL: &[u8] = b"Conclave level consent v1";

/// The longest consent, in bytes of its parts: a chain of three certificates has about 2 kB.
const MAX_CONSENT: usize = 12 << 10;

/// The originator's signed agreement that the level goes down once, from one level to another.
///
/// Its signer brings the certificates along, so that it can be checked by those who come after the originator left.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The level from which it goes.
    pub from: Level,
    /// The level to which it goes.
    pub to: Level,
    /// How often the level had changed before; it counts for that once.
    pub level_changes: u32,
    /// DER certificates, the originator's first.
    chain: Vec<ByteBuf>,
    /// Signature by the originator's identity key over [`message`].
    signature: ByteBuf,
}

/// Why an agreement to a lower level does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsentError {
    /// There is none.
    #[error("the originator has not agreed to it")]
    Missing,
    /// The invitation names no originator.
    #[error("the invitation names nobody who may agree to a lower level")]
    NoOriginator,
    /// Somebody else signed it.
    #[error("somebody else than the originator agreed to it")]
    NotOriginator,
    /// The originator has not been in this meeting, or was ejected from it.
    #[error("the originator has not been in this meeting")]
    NeverHere,
    /// It was given for another change of the level than the next one.
    #[error("the originator agreed to another change of the level")]
    Other,
    /// The originator's certificate does not hold any more.
    #[error("the originator's certificate does not hold")]
    Certificate,
    /// The signature is not the originator's.
    #[error("the originator's signature is wrong")]
    Signature,
    /// The originator's key did not sign.
    #[error("the identity key cannot sign")]
    Sign(#[from] SignError),
}

/// The bytes that an originator signs: fixed lengths but for the label, so there is one reading.
fn message(meeting: MeetingId, level_changes: u32, from: Level, to: Level) -> Vec<u8> {
    [LABEL, &meeting.0, &level_changes.to_be_bytes(), &[from.code(), to.code()]].concat()
}

impl Consent {
    /// Signs that the level goes from that of `state` down to `to`.
    pub(crate) fn make(holder: &Holder, rules: &Rules, state: &State, to: Level) -> Result<Self, ConsentError> {
        let originator = rules.originator().ok_or(ConsentError::NoOriginator)?;
        if originator.0 != holder.person().fingerprint {
            return Err(ConsentError::NotOriginator);
        }
        if to >= state.level {
            return Err(ConsentError::Other);
        }
        let (from, level_changes) = (state.level, state.level_changes);
        let signature = holder.signer().sign(&message(state.meeting, level_changes, from, to))?;
        let chain = holder.chain().iter().map(|certificate| ByteBuf::from(certificate.as_ref())).collect();
        Ok(Self { from, to, level_changes, chain, signature: ByteBuf::from(signature) })
    }

    /// Checks that it allows the next change of `state`, to the level that it names.
    pub(crate) fn check(&self, rules: &Rules, state: &State, wall: u64) -> Result<(), ConsentError> {
        if self.from != state.level || self.to >= self.from || self.level_changes != state.level_changes {
            return Err(ConsentError::Other);
        }
        self.check_signature(rules, state, wall)
    }

    /// Checks that the originator signed it, for some change of the level of this meeting.
    pub(crate) fn check_signature(&self, rules: &Rules, state: &State, wall: u64) -> Result<(), ConsentError> {
        let originator = rules.originator().ok_or(ConsentError::NoOriginator)?;
        let chain: Vec<_> = self.chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let certificate = chain.first().ok_or(ConsentError::NotOriginator)?;
        if conclave_identity::fingerprint(certificate) != originator.0 {
            return Err(ConsentError::NotOriginator);
        }
        if !state.admitted.contains(&originator) || state.ejected.contains(&originator) {
            return Err(ConsentError::NeverHere);
        }
        credential::check_chain(&chain, rules, Level::Unclassified, wall).map_err(|_| ConsentError::Certificate)?;
        let signed = message(state.meeting, self.level_changes, self.from, self.to);
        conclave_identity::verify_signature(certificate, &signed, &self.signature).map_err(|_| ConsentError::Signature)
    }

    /// Whether it is of a size that members take.
    pub(crate) fn is_bounded(&self) -> bool {
        self.chain.len() <= conclave_identity::MAX_CHAIN
            && self.chain.iter().map(|der| der.len()).sum::<usize>() + self.signature.len() <= MAX_CONSENT
    }

    /// The consent in CBOR, about 2 kB, to be told to the members.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Reads a consent that a member told; checked by [`Group::check_consent`](crate::Group::check_consent).
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        from_cbor::<Self>(bytes, MAX_CONSENT + 1024).filter(Self::is_bounded)
    }

    /// The signer's certificate, by name; proves nothing.
    pub fn signer(&self) -> Option<Fingerprint> {
        let certificate = self.chain.first()?;
        Some(Fingerprint(conclave_identity::fingerprint(&CertificateDer::from(certificate.as_slice()))))
    }

    /// The signature, to be tampered with.
    #[cfg(test)]
    pub(crate) fn signature_mut(&mut self) -> &mut [u8] {
        &mut self.signature
    }
}

/// Shows what was agreed to, not by whom.
impl std::fmt::Debug for Consent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consent")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("level_changes", &self.level_changes)
            .finish_non_exhaustive()
    }
}
