//! The key by which a member signs what is too frequent for the leaf's own: signs of life and digests of media.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// Bytes of an Ed25519 public key (RFC 8032).
pub(crate) const PUBLIC: usize = 32;

/// Bytes of an Ed25519 signature.
pub(crate) const SIGNATURE: usize = 64;

/// An Ed25519 key pair, made with a leaf and gone with it. Its owner wipes it when it goes.
pub(crate) struct MediaKey {
    pair: Ed25519KeyPair,
    public: [u8; PUBLIC],
}

impl MediaKey {
    /// A fresh one; `None` where the system gives no random bytes.
    pub(crate) fn generate() -> Option<Self> {
        let pair = Ed25519KeyPair::generate().ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pair, public })
    }

    pub(crate) fn public(&self) -> [u8; PUBLIC] {
        self.public
    }

    /// The secret, to look for where it must not be.
    #[cfg(test)]
    pub(crate) fn seed(&self) -> Vec<u8> {
        use aws_lc_rs::encoding::AsBigEndian;
        self.pair.seed().ok().and_then(|seed| seed.as_be_bytes().ok()).map_or(Vec::new(), |seed| seed.as_ref().to_vec())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE] {
        let mut bytes = [0; SIGNATURE];
        let signature = self.pair.sign(message);
        // An Ed25519 signature has 64 bytes; were it otherwise, this one would fit nothing.
        if signature.as_ref().len() == SIGNATURE {
            bytes.copy_from_slice(signature.as_ref());
        }
        bytes
    }
}

/// Whether `signature` is by the holder of `public`.
pub(crate) fn verify(public: &[u8; PUBLIC], message: &[u8], signature: &[u8; SIGNATURE]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

/// Shows nothing of the key.
impl std::fmt::Debug for MediaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MediaKey")
    }
}
