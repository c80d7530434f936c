//! Words that people compare aloud.

use aws_lc_rs::hkdf;
use bip39::Language;
use zeroize::Zeroizing;

/// How many words: 66 bits.
const WORDS: usize = 6;

/// Bits of one word.
const BITS: u32 = 11;

/// What is derived for the words is told apart from everything else by this.
const LABEL: &[u8] = b"Conclave safety words v1";

/// The words of an epoch, from its authenticator (RFC 9420 section 8.7) by HKDF-SHA-384.
///
/// Two groups with the same words would have to be searched for among 2^66, while their members' commits are signed
/// and made one after the other. The list is that of BIP-39: 2048 English words that differ in their first four
/// letters. Empty where the derivation fails, which it does not.
pub(crate) fn words(authenticator: &[u8]) -> Vec<&'static str> {
    let mut bits = Zeroizing::new([0u8; 16]);
    // 66 bits are in the first nine bytes; what is shifted out below is never used.
    let derived = hkdf::Salt::new(hkdf::HKDF_SHA384, &[])
        .extract(authenticator)
        .expand(&[LABEL], Length(9))
        .and_then(|okm| okm.fill(&mut bits[..9]));
    if derived.is_err() {
        return Vec::new();
    }
    let number = u128::from_be_bytes(*bits);
    let list = Language::English.word_list();
    (1..=WORDS)
        .map_while(|nth| u32::try_from(nth).ok())
        .map(|nth| {
            let index = (number >> (u128::BITS - BITS * nth)) & ((1 << BITS) - 1);
            list[usize::try_from(index).unwrap_or(0) % list.len()]
        })
        .collect()
}

/// How many bytes are derived.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_2048_different_words_told_apart_by_four_letters() {
        let heads: std::collections::BTreeSet<String> =
            Language::English.word_list().iter().map(|word| word.chars().take(4).collect()).collect();
        assert_eq!((heads.len(), Language::English.word_list().len()), (2048, 2048));
    }

    #[test]
    fn words_are_those_of_hkdf_and_change_with_every_bit() {
        // Computed with Python's hmac and the list of BIP-39.
        let known = words(&[7; 48]);
        assert_eq!(known, ["panda", "want", "strong", "clerk", "match", "omit"]);
        assert_eq!(known.len(), WORDS);
        for bit in 0..48 * 8 {
            let mut other = [7; 48];
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(words(&other), known, "bit {bit}");
        }
    }
}
