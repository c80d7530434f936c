//! Signs of life, and what else members sign by their media keys.

use std::collections::BTreeMap;

use bytes::Bytes;
use conclave_model::{Epoch, LeafIndex, MeetingId};
use openmls::prelude::{OpenMlsCrypto, OpenMlsProvider};
use openmls_traits::types::HashType;
use zeroize::Zeroizing;

use super::Group;
use crate::{
    State,
    media_key::{self, PUBLIC, SIGNATURE},
};

/// What a media key signs is told apart by these.
const PULSE_LABEL: &[u8] = b"Conclave pulse v1";
const MEDIA_LABEL: &[u8] = b"Conclave media v1";

/// What names an epoch's state in a pulse is told apart from other digests by this.
const STATE_LABEL: &[u8] = b"Conclave epoch state v1";

/// Bytes by which a pulse names the state of its epoch.
const DIGEST: usize = 16;

/// Bytes of a pulse: epoch, leaf, counter, digest, signature.
const PULSE: usize = 8 + 4 + 8 + DIGEST + SIGNATURE;

/// How many epochs are remembered, as many as may have frame keys.
const EPOCHS: usize = 16;

/// A sign of life of another member: it is in the same state of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Whose.
    pub leaf: LeafIndex,
    /// In which epoch; the group's, or one of the last few.
    pub epoch: Epoch,
}

/// Why a sign of life is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PulseError {
    /// Its sender is in a later epoch, whose commit this member does not know.
    #[error("the sender is in epoch {0}")]
    Later(Epoch),
    /// It is of an epoch too far back.
    #[error("the epoch is forgotten")]
    Gone,
    /// Its sender is in the same epoch, and in another state of the group: somebody keeps the two apart.
    #[error("leaf {} is in another state of the group", .0.0)]
    Diverged(LeafIndex),
    /// It came before, or a later one of its sender did.
    #[error("the sign of life is a replay")]
    Replay,
    /// It is no sign of life, or not signed by whom it names.
    #[error("not a sign of life")]
    Malformed,
    /// It names a leaf that was no member, or oneself.
    #[error("the sign of life is of no other member")]
    Stranger,
}

/// What is remembered of the last epochs.
#[derive(Debug, Default)]
pub(super) struct Pulses {
    epochs: BTreeMap<Epoch, Record>,
    /// One's own last number.
    counter: u64,
    /// The last number of each other media key.
    heard: BTreeMap<[u8; PUBLIC], u64>,
    /// What is to be remembered of the meeting, where the commit that this member followed was annulled.
    annulled: Option<State>,
}

/// One epoch.
#[derive(Debug)]
struct Record {
    state: State,
    /// Digest of the epoch authenticator.
    digest: [u8; DIGEST],
    media: BTreeMap<LeafIndex, [u8; PUBLIC]>,
}

impl Pulses {
    /// The state from before an annulled commit, if there was one.
    pub(super) fn state_before_annulment(&self) -> Option<&State> {
        self.annulled.as_ref()
    }

    /// Forgets what became of the commit that ended `epoch`.
    pub(super) fn annul(&mut self, epoch: Epoch) {
        self.annulled = self.epochs.get(&epoch).map(|record| record.state.clone());
    }
}

/// The bytes that a pulse's signature covers. All lengths are fixed.
fn pulse_message(meeting: MeetingId, head: &[u8]) -> Vec<u8> {
    [PULSE_LABEL, &meeting.0, head].concat()
}

/// The bytes that a proof's signature covers. All lengths but the last are fixed.
fn proof_message(meeting: MeetingId, epoch: Epoch, leaf: LeafIndex, statement: &[u8]) -> Vec<u8> {
    [MEDIA_LABEL, &meeting.0, &epoch.0.to_be_bytes(), &leaf.0.to_be_bytes(), statement].concat()
}

impl Group {
    /// Remembers the epoch that the group is in.
    pub(super) fn record_epoch(&mut self) {
        let authenticator = self.mls.epoch_authenticator().as_slice();
        let material = Zeroizing::new([STATE_LABEL, authenticator].concat());
        let mut digest = [0; DIGEST];
        // SHA-384 is there, since the suite has it; without a digest no pulse of others would fit.
        if let Ok(full) = self.keys.vault.crypto().hash(HashType::Sha2_384, &material) {
            digest.copy_from_slice(&full[..DIGEST]);
        }
        let record = Record { state: self.state.clone(), digest, media: self.roster.media().clone() };
        self.pulses.epochs.insert(self.epoch(), record);
        while self.pulses.epochs.len() > EPOCHS {
            self.pulses.epochs.pop_first();
        }
        let known: Vec<_> = self.pulses.epochs.values().flat_map(|record| record.media.values().copied()).collect();
        self.pulses.heard.retain(|key, _| known.contains(key));
    }

    /// Makes a sign of life: signed, for all members, 100 bytes. It tells others nothing of the group's secrets.
    pub fn pulse(&mut self) -> Bytes {
        self.pulses.counter = self.pulses.counter.saturating_add(1);
        let digest = self.pulses.epochs.get(&self.epoch()).map_or([0; DIGEST], |record| record.digest);
        let mut bytes = Vec::with_capacity(PULSE);
        bytes.extend_from_slice(&self.epoch().0.to_be_bytes());
        bytes.extend_from_slice(&self.me().0.to_be_bytes());
        bytes.extend_from_slice(&self.pulses.counter.to_be_bytes());
        bytes.extend_from_slice(&digest);
        let signature = self.keys.media.sign(&pulse_message(self.rules.meeting(), &bytes));
        bytes.extend_from_slice(&signature);
        bytes.into()
    }

    /// Hears another's sign of life, of the present epoch or one of the last few.
    ///
    /// One of a later epoch may be heard again once its commit has come.
    ///
    /// # Errors
    /// A [`PulseError`]. All but [`PulseError::Gone`], [`PulseError::Malformed`] and [`PulseError::Stranger`] are proven
    /// to be of the member whom it names.
    pub fn hear_pulse(&mut self, bytes: &[u8]) -> Result<Pulse, PulseError> {
        let (head, signature) = bytes.split_last_chunk::<SIGNATURE>().ok_or(PulseError::Malformed)?;
        let (epoch, rest) = head.split_first_chunk::<8>().ok_or(PulseError::Malformed)?;
        let (leaf, rest) = rest.split_first_chunk::<4>().ok_or(PulseError::Malformed)?;
        let (counter, digest) = rest.split_first_chunk::<8>().ok_or(PulseError::Malformed)?;
        let digest: [u8; DIGEST] = digest.try_into().map_err(|_| PulseError::Malformed)?;
        let (epoch, leaf) = (Epoch(u64::from_be_bytes(*epoch)), LeafIndex(u32::from_be_bytes(*leaf)));
        let counter = u64::from_be_bytes(*counter);
        if leaf == self.me() || !self.mls.is_active() {
            return Err(PulseError::Stranger);
        }
        let present = self.epoch();
        let record = self.pulses.epochs.get(&epoch.min(present)).ok_or(PulseError::Gone)?;
        let media = *record.media.get(&leaf).ok_or(PulseError::Stranger)?;
        if !media_key::verify(&media, &pulse_message(self.rules.meeting(), head), signature) {
            return Err(PulseError::Malformed);
        }
        if self.pulses.heard.get(&media).is_some_and(|last| *last >= counter) {
            return Err(PulseError::Replay);
        }
        if epoch > present {
            return Err(PulseError::Later(epoch));
        }
        let is_same = record.digest == digest;
        self.pulses.heard.insert(media, counter);
        if !is_same {
            return Err(PulseError::Diverged(leaf));
        }
        self.vouch(leaf, epoch);
        Ok(Pulse { leaf, epoch })
    }

    /// Signs what this member says of its media, by its media key, for the sending epoch.
    pub fn prove(&self, statement: &[u8]) -> [u8; SIGNATURE] {
        let message = proof_message(self.rules.meeting(), self.sending_epoch(), self.me(), statement);
        self.keys.media.sign(&message)
    }

    /// Whether the member at `leaf` in `epoch` signed `statement`. Answers for the last 16 epochs.
    pub fn check_proof(&self, leaf: LeafIndex, epoch: Epoch, statement: &[u8], signature: &[u8; SIGNATURE]) -> bool {
        let key = self.pulses.epochs.get(&epoch).and_then(|record| record.media.get(&leaf));
        let message = proof_message(self.rules.meeting(), epoch, leaf, statement);
        key.is_some_and(|key| media_key::verify(key, &message, signature))
    }
}
