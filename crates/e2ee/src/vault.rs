//! Where MLS keeps its secrets: in memory, wiped when it goes.

use openmls_rust_crypto::{MemoryStorage, OpenMlsRustCrypto, RustCrypto};
use openmls_traits::OpenMlsProvider;
use zeroize::Zeroize;

/// The cryptography and the memory of one leaf.
#[derive(Debug, Default)]
pub(crate) struct Vault(OpenMlsRustCrypto);

impl OpenMlsProvider for Vault {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = MemoryStorage;

    fn storage(&self) -> &Self::StorageProvider {
        self.0.storage()
    }

    fn crypto(&self) -> &Self::CryptoProvider {
        self.0.crypto()
    }

    fn rand(&self) -> &Self::RandProvider {
        self.0.rand()
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        let mut values = match self.0.storage().values.write() {
            Ok(values) => values,
            Err(poisoned) => poisoned.into_inner(),
        };
        for (_, mut value) in values.drain() {
            value.zeroize();
        }
    }
}
