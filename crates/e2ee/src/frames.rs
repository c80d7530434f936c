//! SFrame keys and replay windows, by epoch and sender.

use std::collections::BTreeMap;

use bytes::Bytes;
use conclave_model::{Epoch, LeafIndex, wire::FrameHead};
use openmls::prelude::{ExportSecretError, MlsGroup, OpenMlsProvider};
use sframe::{
    CipherSuite,
    error::SframeError,
    frame::{
        EncryptedFrameView, MediaFrameView, MonotonicCounter,
        validation::{ReplayAttackProtection, Tolerance},
    },
    header::SframeHeader,
    key::{DecryptionKey, EncryptionKey},
    mls::{MlsExporter, MlsKeyId, MlsKeyIdBitRange},
};
use zeroize::Zeroizing;

use crate::vault::Vault;

/// AES-256-GCM, 128-bit tags.
const SUITE: CipherSuite = CipherSuite::AesGcm256Sha512;

/// Bits of the epoch and of the leaf in a key id; the context id above them is always 0.
const EPOCH_BITS: u8 = 16;
const LEAF_BITS: u8 = 16;

/// How many frames of one sender may arrive between one and its late predecessor: 7 s of sound and three layers.
const REPLAY_WINDOW: usize = 1024;

/// The most epochs whose keys are kept. Members forget old ones after 2 s; this bounds what a storm of commits costs.
const MAX_EPOCHS: usize = 16;

/// On which side of the known epochs one lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Its commit has not come yet; the frame may be kept for a moment.
    Later,
    /// Its keys are gone, or the client was no member then.
    Gone,
}

/// Why a frame is not opened. It is dropped and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No SFrame, or too short for a tag.
    #[error("not an encrypted frame")]
    Malformed,
    /// No keys for its epoch.
    #[error("the frame is of another epoch ({0:?})")]
    UnknownEpoch(Missing),
    /// Its key id names a leaf that was no member in that epoch, or has been removed since.
    #[error("the frame names a sender who is no member (leaf {})", .0.0)]
    NoMember(LeafIndex),
    /// Its key id is the client's own: reflected by a relay, or forged by a member.
    #[error("the frame claims to be one's own")]
    OwnKeyId,
    /// It was opened before, or is too old to know.
    #[error("the frame is a replay (leaf {})", .0.0)]
    Replay(LeafIndex),
    /// It does not authenticate under the key of the sender it names: altered, or made by a stranger.
    #[error("the frame does not authenticate (leaf {})", .0.0)]
    Forged(LeafIndex),
}

/// Why a frame cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The client has been removed from the group.
    #[error("no longer a member")]
    NoMember,
    /// The key has sealed all the frames that it may; the next epoch brings another.
    #[error("the frame key is used up")]
    Exhausted,
}

/// What a frame's key depends on beyond the epoch: a member of MLS gives the same exporter secret.
struct Exporter<'a> {
    mls: &'a MlsGroup,
    vault: &'a Vault,
}

impl MlsExporter for Exporter<'_> {
    type BaseKey = Zeroizing<Vec<u8>>;
    type Error = ExportSecretError;

    fn export_secret(&self, label: &str, context: &[u8], length: usize) -> Result<Self::BaseKey, Self::Error> {
        self.mls.export_secret(self.vault.crypto(), label, context, length).map(Zeroizing::new)
    }
}

/// The frame keys of all epochs that are in use.
pub(crate) struct FrameKeys {
    me: LeafIndex,
    epochs: BTreeMap<Epoch, EpochKeys>,
    sending: Epoch,
}

/// One epoch's keys.
struct EpochKeys {
    /// Level and meeting in this epoch: authenticated with each frame.
    context: [u8; 17],
    sending: EncryptionKey,
    counter: MonotonicCounter,
    receiving: BTreeMap<LeafIndex, Receiving>,
}

/// One sender's key in one epoch, and what came under it.
struct Receiving {
    key: DecryptionKey,
    window: ReplayAttackProtection,
}

impl FrameKeys {
    /// With the keys of the epoch that `mls` is in.
    pub(crate) fn new(
        context: [u8; 17],
        me: LeafIndex,
        members: impl Iterator<Item = LeafIndex>,
        mls: &MlsGroup,
        vault: &Vault,
    ) -> Result<Self, SframeError> {
        let epoch = Epoch(mls.epoch().as_u64());
        let mut keys = Self { me, epochs: BTreeMap::new(), sending: epoch };
        keys.enter(epoch, context, members, mls, vault)?;
        Ok(keys)
    }

    /// Derives the keys of the epoch that `mls` has entered, for receiving; sending goes on under the old one.
    pub(crate) fn enter(
        &mut self,
        epoch: Epoch,
        context: [u8; 17],
        members: impl Iterator<Item = LeafIndex>,
        mls: &MlsGroup,
        vault: &Vault,
    ) -> Result<(), SframeError> {
        let exporter = Exporter { mls, vault };
        let range = MlsKeyIdBitRange::try_new(EPOCH_BITS, LEAF_BITS)?;
        let key_id = |leaf: LeafIndex| MlsKeyId::try_new(0u8, epoch.0, leaf.0, range);
        let mut receiving = BTreeMap::new();
        for leaf in members.filter(|leaf| *leaf != self.me) {
            let id = key_id(leaf)?;
            let key = DecryptionKey::derive_from_mls(SUITE, &exporter, id)?;
            let window = ReplayAttackProtection::new(id.into(), Tolerance::try_new(REPLAY_WINDOW)?);
            receiving.insert(leaf, Receiving { key, window });
        }
        let sending = EncryptionKey::derive_from_mls(SUITE, &exporter, key_id(self.me)?)?;
        let counter = MonotonicCounter::default();
        self.epochs.insert(epoch, EpochKeys { context, sending, counter, receiving });
        while self.epochs.len() > MAX_EPOCHS {
            self.epochs.pop_first();
        }
        // Should a storm of commits have driven out the sending epoch, the oldest that is left takes its place.
        if let Some(oldest) = self.epochs.keys().next() {
            self.sending = self.sending.max(*oldest);
        }
        Ok(())
    }

    /// Drops what a leaf that has been removed could still be heard by.
    pub(crate) fn remove_sender(&mut self, leaf: LeafIndex) {
        for keys in self.epochs.values_mut() {
            keys.receiving.remove(&leaf);
        }
    }

    /// Drops every key.
    pub(crate) fn clear(&mut self) {
        self.epochs.clear();
    }

    /// Seals under `epoch` from now on; never goes back, never to an epoch without keys.
    pub(crate) fn use_sending_epoch(&mut self, epoch: Epoch) {
        if epoch > self.sending && self.epochs.contains_key(&epoch) {
            self.sending = epoch;
        }
    }

    /// The epoch that frames are sealed in.
    pub(crate) fn sending_epoch(&self) -> Epoch {
        self.sending
    }

    /// Drops the keys of the epochs before `epoch`, the sending epoch and later ones excepted.
    pub(crate) fn forget_before(&mut self, epoch: Epoch) {
        self.epochs = self.epochs.split_off(&epoch.min(self.sending));
    }

    /// Level and meeting of an epoch, to be tampered with.
    #[cfg(test)]
    pub(crate) fn context_mut(&mut self, epoch: Epoch) -> Option<&mut [u8; 17]> {
        self.epochs.get_mut(&epoch).map(|keys| &mut keys.context)
    }

    /// How many epochs have keys.
    pub(crate) fn epochs(&self) -> usize {
        self.epochs.len()
    }

    /// Bytes of a frame once sealed: header, ciphertext, tag.
    pub(crate) fn sealed_length(&self, plaintext: usize) -> usize {
        let header = self
            .epochs
            .get(&self.sending)
            .map_or(0, |keys| SframeHeader::new(keys.sending.key_id(), keys.counter.current()).len());
        header + plaintext + SUITE.auth_tag_len()
    }

    /// Seals one frame under the sending epoch.
    pub(crate) fn seal(&mut self, head: &FrameHead, plaintext: &[u8]) -> Result<Bytes, SealError> {
        let keys = self.epochs.get_mut(&self.sending).ok_or(SealError::NoMember)?;
        let meta_data = meta_data(head, &keys.context);
        let mut sealed = Vec::with_capacity(meta_data.len() + plaintext.len() + 40);
        MediaFrameView::try_with_meta_data(&mut keys.counter, plaintext, &meta_data)
            .and_then(|frame| frame.encrypt_into(&keys.sending, &mut sealed).map(|_| ()))
            .map_err(|_| SealError::Exhausted)?;
        Ok(Bytes::from(sealed).slice(meta_data.len()..))
    }

    /// Opens one frame and says who sealed it.
    pub(crate) fn open(&mut self, head: &FrameHead, sealed: &[u8]) -> Result<(LeafIndex, Vec<u8>), OpenError> {
        let header = SframeHeader::deserialize(sealed).map_err(|_| OpenError::Malformed)?;
        if sealed.len() < header.len() + SUITE.auth_tag_len() {
            return Err(OpenError::Malformed);
        }
        let (epoch, leaf) = self.key_owner(header.key_id())?;
        if leaf == self.me {
            return Err(OpenError::OwnKeyId);
        }
        let keys = self.epochs.get_mut(&epoch).ok_or(OpenError::UnknownEpoch(Missing::Gone))?;
        let meta_data = meta_data(head, &keys.context);
        let view = EncryptedFrameView::try_with_meta_data(sealed, &meta_data).map_err(|_| OpenError::Malformed)?;
        let Receiving { key, window } = keys.receiving.get_mut(&leaf).ok_or(OpenError::NoMember(leaf))?;
        let mut opened = Vec::with_capacity(meta_data.len() + sealed.len());
        match view.validated_decrypt_into(&*key, &mut opened, window) {
            Ok(frame) => Ok((leaf, frame.payload().to_vec())),
            Err(SframeError::FrameValidationFailed(_)) => Err(OpenError::Replay(leaf)),
            Err(_) => Err(OpenError::Forged(leaf)),
        }
    }

    /// The epoch and the leaf that a key id stands for.
    fn key_owner(&self, key_id: u64) -> Result<(Epoch, LeafIndex), OpenError> {
        let range = MlsKeyIdBitRange::try_new(EPOCH_BITS, LEAF_BITS).map_err(|_| OpenError::Malformed)?;
        let id = MlsKeyId::from_key_id(key_id, range);
        let leaf = u32::try_from(id.member_index()).map_err(|_| OpenError::Malformed)?;
        if id.context_id() != 0 {
            return Err(OpenError::Malformed);
        }
        let low = |epoch: Epoch| epoch.0 & ((1 << EPOCH_BITS) - 1);
        if let Some(epoch) = self.epochs.keys().copied().find(|epoch| low(*epoch) == id.epoch_lsb()) {
            return Ok((epoch, LeafIndex(leaf)));
        }
        let newest = self.epochs.keys().next_back().copied().unwrap_or(self.sending);
        let ahead = id.epoch_lsb().wrapping_sub(low(newest)) & ((1 << EPOCH_BITS) - 1);
        let side = if ahead < 1 << (EPOCH_BITS - 1) { Missing::Later } else { Missing::Gone };
        Err(OpenError::UnknownEpoch(side))
    }
}

/// The authenticated data beyond the SFrame header.
fn meta_data(head: &FrameHead, context: &[u8; 17]) -> [u8; FrameHead::LENGTH + 17] {
    let mut bytes = [0; FrameHead::LENGTH + 17];
    bytes[..FrameHead::LENGTH].copy_from_slice(&head.to_bytes());
    bytes[FrameHead::LENGTH..].copy_from_slice(context);
    bytes
}

/// Shows epochs, never keys.
impl std::fmt::Debug for FrameKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameKeys")
            .field("epochs", &self.epochs.keys())
            .field("sending", &self.sending)
            .finish_non_exhaustive()
    }
}
