//! The cryptographic provider of one leaf, and the little that MLS must find again later.

use std::{cell::RefCell, collections::BTreeMap};

use openmls_rust_crypto::RustCrypto;
use openmls_traits::{
    OpenMlsProvider,
    storage::{CURRENT_VERSION as V, StorageProvider, traits},
};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// The cryptography and the memory of one leaf.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    crypto: RustCrypto,
    memory: Memory,
}

impl OpenMlsProvider for Vault {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = Memory;

    fn storage(&self) -> &Memory {
        &self.memory
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}

/// Holds the private keys of key packages and of the tree's nodes, and wipes each when it goes.
///
/// The library offers its whole state to a store at each step, so that a program can go on after it was ended. A
/// meeting's state is never to outlive the program: what is only meant for that is not kept, which also spares
/// copying the tree with each message.
#[derive(Default)]
pub(crate) struct Memory(RefCell<BTreeMap<Vec<u8>, Zeroizing<Vec<u8>>>>);

/// Why the store fails: never, with what the library gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value cannot be kept")]
pub(crate) struct MemoryError;

/// Which kind of secret stands under a key.
#[derive(Clone, Copy, Serialize)]
enum Kind {
    KeyPackage,
    KeyPair,
    EpochKeyPairs,
}

/// Room for any value, so that writing one does not leave parts of it in buffers that were too small.
const ROOM: usize = 64 << 10;

impl Memory {
    fn name(kind: Kind, key: &impl Serialize) -> Result<Vec<u8>, MemoryError> {
        let mut name = Vec::new();
        ciborium::into_writer(&(kind, key), &mut name).map_err(|_| MemoryError)?;
        Ok(name)
    }

    fn put(&self, kind: Kind, key: &impl Serialize, value: &(impl Serialize + ?Sized)) -> Result<(), MemoryError> {
        let mut room = Zeroizing::new(Vec::with_capacity(ROOM));
        ciborium::into_writer(value, &mut *room).map_err(|_| MemoryError)?;
        self.0.borrow_mut().insert(Self::name(kind, key)?, Zeroizing::new(room.to_vec()));
        Ok(())
    }

    fn find<T: DeserializeOwned>(&self, kind: Kind, key: &impl Serialize) -> Result<Option<T>, MemoryError> {
        let name = Self::name(kind, key)?;
        let values = self.0.borrow();
        values.get(&name).map(|value| ciborium::from_reader(value.as_slice()).map_err(|_| MemoryError)).transpose()
    }

    fn forget(&self, kind: Kind, key: &impl Serialize) -> Result<(), MemoryError> {
        self.0.borrow_mut().remove(&Self::name(kind, key)?);
        Ok(())
    }
}

/// Shows how much, never what.
impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({} secrets)", self.0.borrow().len())
    }
}

/// Methods that need nothing kept: each does nothing and gives the empty value of its return type.
macro_rules! not_kept {
    ($($name:ident[$($generic:ident),+]($($argument:ty),*) -> $kept:ty;)*) => {$(
        not_kept!(@method $name[$($generic: $generic),+]($($argument),*) -> $kept);
    )*};
    (@method $name:ident[$($generic:ident: $bound:ident),+]($one:ty) -> $kept:ty) => {
        fn $name<$($generic: traits::$bound<V>),+>(&self, _: $one) -> Result<$kept, MemoryError> {
            Ok(Default::default())
        }
    };
    (@method $name:ident[$($generic:ident: $bound:ident),+]($one:ty, $two:ty) -> $kept:ty) => {
        fn $name<$($generic: traits::$bound<V>),+>(&self, _: $one, _: $two) -> Result<$kept, MemoryError> {
            Ok(Default::default())
        }
    };
    (@method $name:ident[$($generic:ident: $bound:ident),+]($one:ty, $two:ty, $three:ty) -> $kept:ty) => {
        fn $name<$($generic: traits::$bound<V>),+>(&self, _: $one, _: $two, _: $three) -> Result<$kept, MemoryError> {
            Ok(Default::default())
        }
    };
}

impl StorageProvider<V> for Memory {
    type Error = MemoryError;

    fn write_key_package<HashReference: traits::HashReference<V>, KeyPackage: traits::KeyPackage<V>>(
        &self,
        reference: &HashReference,
        key_package: &KeyPackage,
    ) -> Result<(), MemoryError> {
        self.put(Kind::KeyPackage, reference, key_package)
    }

    fn key_package<HashReference: traits::HashReference<V>, KeyPackage: traits::KeyPackage<V>>(
        &self,
        reference: &HashReference,
    ) -> Result<Option<KeyPackage>, MemoryError> {
        self.find(Kind::KeyPackage, reference)
    }

    fn delete_key_package<HashReference: traits::HashReference<V>>(
        &self,
        reference: &HashReference,
    ) -> Result<(), MemoryError> {
        self.forget(Kind::KeyPackage, reference)
    }

    fn write_encryption_key_pair<EncryptionKey: traits::EncryptionKey<V>, HpkeKeyPair: traits::HpkeKeyPair<V>>(
        &self,
        public_key: &EncryptionKey,
        key_pair: &HpkeKeyPair,
    ) -> Result<(), MemoryError> {
        self.put(Kind::KeyPair, public_key, key_pair)
    }

    fn encryption_key_pair<HpkeKeyPair: traits::HpkeKeyPair<V>, EncryptionKey: traits::EncryptionKey<V>>(
        &self,
        public_key: &EncryptionKey,
    ) -> Result<Option<HpkeKeyPair>, MemoryError> {
        self.find(Kind::KeyPair, public_key)
    }

    fn delete_encryption_key_pair<EncryptionKey: traits::EncryptionKey<V>>(
        &self,
        public_key: &EncryptionKey,
    ) -> Result<(), MemoryError> {
        self.forget(Kind::KeyPair, public_key)
    }

    fn write_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<V>,
        EpochKey: traits::EpochKey<V>,
        HpkeKeyPair: traits::HpkeKeyPair<V>,
    >(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf: u32,
        key_pairs: &[HpkeKeyPair],
    ) -> Result<(), MemoryError> {
        self.put(Kind::EpochKeyPairs, &(group, epoch, leaf), key_pairs)
    }

    fn encryption_epoch_key_pairs<
        GroupId: traits::GroupId<V>,
        EpochKey: traits::EpochKey<V>,
        HpkeKeyPair: traits::HpkeKeyPair<V>,
    >(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf: u32,
    ) -> Result<Vec<HpkeKeyPair>, MemoryError> {
        Ok(self.find(Kind::EpochKeyPairs, &(group, epoch, leaf))?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<GroupId: traits::GroupId<V>, EpochKey: traits::EpochKey<V>>(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf: u32,
    ) -> Result<(), MemoryError> {
        self.forget(Kind::EpochKeyPairs, &(group, epoch, leaf))
    }

    fn delete_psk<PskKey: traits::PskId<V>>(&self, _: &PskKey) -> Result<(), MemoryError> {
        Ok(())
    }

    not_kept! {
        write_mls_join_config[GroupId, MlsGroupJoinConfig](&GroupId, &MlsGroupJoinConfig) -> ();
        append_own_leaf_node[GroupId, LeafNode](&GroupId, &LeafNode) -> ();
        queue_proposal[GroupId, ProposalRef, QueuedProposal](&GroupId, &ProposalRef, &QueuedProposal) -> ();
        write_tree[GroupId, TreeSync](&GroupId, &TreeSync) -> ();
        write_interim_transcript_hash[GroupId, InterimTranscriptHash](&GroupId, &InterimTranscriptHash) -> ();
        write_context[GroupId, GroupContext](&GroupId, &GroupContext) -> ();
        write_confirmation_tag[GroupId, ConfirmationTag](&GroupId, &ConfirmationTag) -> ();
        write_group_state[GroupState, GroupId](&GroupId, &GroupState) -> ();
        write_message_secrets[GroupId, MessageSecrets](&GroupId, &MessageSecrets) -> ();
        write_resumption_psk_store[GroupId, ResumptionPskStore](&GroupId, &ResumptionPskStore) -> ();
        write_own_leaf_index[GroupId, LeafNodeIndex](&GroupId, &LeafNodeIndex) -> ();
        write_group_epoch_secrets[GroupId, GroupEpochSecrets](&GroupId, &GroupEpochSecrets) -> ();
        write_signature_key_pair[SignaturePublicKey, SignatureKeyPair](&SignaturePublicKey, &SignatureKeyPair) -> ();
        write_psk[PskId, PskBundle](&PskId, &PskBundle) -> ();
        mls_group_join_config[GroupId, MlsGroupJoinConfig](&GroupId) -> Option<MlsGroupJoinConfig>;
        own_leaf_nodes[GroupId, LeafNode](&GroupId) -> Vec<LeafNode>;
        queued_proposal_refs[GroupId, ProposalRef](&GroupId) -> Vec<ProposalRef>;
        queued_proposals[GroupId, ProposalRef, QueuedProposal](&GroupId) -> Vec<(ProposalRef, QueuedProposal)>;
        tree[GroupId, TreeSync](&GroupId) -> Option<TreeSync>;
        group_context[GroupId, GroupContext](&GroupId) -> Option<GroupContext>;
        interim_transcript_hash[GroupId, InterimTranscriptHash](&GroupId) -> Option<InterimTranscriptHash>;
        confirmation_tag[GroupId, ConfirmationTag](&GroupId) -> Option<ConfirmationTag>;
        group_state[GroupState, GroupId](&GroupId) -> Option<GroupState>;
        message_secrets[GroupId, MessageSecrets](&GroupId) -> Option<MessageSecrets>;
        resumption_psk_store[GroupId, ResumptionPskStore](&GroupId) -> Option<ResumptionPskStore>;
        own_leaf_index[GroupId, LeafNodeIndex](&GroupId) -> Option<LeafNodeIndex>;
        group_epoch_secrets[GroupId, GroupEpochSecrets](&GroupId) -> Option<GroupEpochSecrets>;
        signature_key_pair[SignaturePublicKey, SignatureKeyPair](&SignaturePublicKey) -> Option<SignatureKeyPair>;
        psk[PskBundle, PskId](&PskId) -> Option<PskBundle>;
        remove_proposal[GroupId, ProposalRef](&GroupId, &ProposalRef) -> ();
        delete_own_leaf_nodes[GroupId](&GroupId) -> ();
        delete_group_config[GroupId](&GroupId) -> ();
        delete_tree[GroupId](&GroupId) -> ();
        delete_confirmation_tag[GroupId](&GroupId) -> ();
        delete_group_state[GroupId](&GroupId) -> ();
        delete_context[GroupId](&GroupId) -> ();
        delete_interim_transcript_hash[GroupId](&GroupId) -> ();
        delete_message_secrets[GroupId](&GroupId) -> ();
        delete_all_resumption_psk_secrets[GroupId](&GroupId) -> ();
        delete_own_leaf_index[GroupId](&GroupId) -> ();
        delete_group_epoch_secrets[GroupId](&GroupId) -> ();
        clear_proposal_queue[GroupId, ProposalRef](&GroupId) -> ();
        delete_signature_key_pair[SignaturePublicKey](&SignaturePublicKey) -> ();
    }
}
