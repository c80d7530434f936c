//! Asks for a secret again without having kept it.

use std::num::NonZeroU32;

use aws_lc_rs::{pbkdf2, rand};
use zeroize::Zeroizing;

/// Tells whether somebody knows a secret, as the PIN of a card that is in use: a card checks no PIN while it is, and
/// trying one by logging out ends its use.
///
/// It holds a salted digest, stretched so that a try costs about 0.1 s. A short PIN can still be found by trying all of
/// them, by whoever reads the memory of this process; they could use the card by then.
pub struct Seal {
    salt: [u8; 16],
    digest: Zeroizing<[u8; 48]>,
}

/// How often the digest is stretched (OWASP's recommendation for PBKDF2 with SHA-512 is 210,000).
const ROUNDS: NonZeroU32 = NonZeroU32::new(210_000).expect("not zero");

impl Seal {
    /// What tells this secret from others; `None` where the system gives no random numbers.
    pub fn of(secret: &str) -> Option<Self> {
        let (mut salt, mut digest) = ([0; 16], Zeroizing::new([0; 48]));
        rand::fill(&mut salt).ok()?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA384, ROUNDS, &salt, secret.as_bytes(), &mut *digest);
        Some(Self { salt, digest })
    }

    /// Whether it is this secret. Takes as long for a wrong one.
    pub fn is_of(&self, secret: &str) -> bool {
        let (kind, salt) = (pbkdf2::PBKDF2_HMAC_SHA384, &self.salt);
        pbkdf2::verify(kind, ROUNDS, salt, secret.as_bytes(), &*self.digest).is_ok()
    }
}

/// Shows nothing of it.
impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_the_secret_opens_its_seal() {
        let seal = Seal::of("123456").unwrap();
        assert!(seal.is_of("123456"));
        assert!(!seal.is_of("123457") && !seal.is_of("") && !seal.is_of("1234567"));
        assert_eq!(format!("{seal:?}"), "Seal");
    }
}
