//! Mutations with a seed.

/// Random numbers with a seed (SplitMix64, Steele and others 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Always the same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() >> 1) as usize % end.max(1)
    }

    /// One of some values.
    pub fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
}

/// Values around which parsers err.
const EDGES: [u64; 17] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x3fff,
    0x7fff,
    0xffff,
    0x10000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];

/// Bytes that begin or end something: in CBOR (lengths, nesting, break), DER, TLS, text.
const TOKENS: [&[u8]; 14] = [
    &[0x9f],
    &[0xbf],
    &[0xff],
    &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
    &[0x30, 0x80],
    &[0xa0, 0x82, 0xff, 0xff],
    &[0xbf, 0xff, 0xff, 0xff],
    b"\n",
    b"\0",
    b"-1",
    b"99999999999999999999",
    "\u{202e}".as_bytes(),
];

/// Changes `bytes` in one to four places; `other` is an input to take pieces from.
pub fn mutate(bytes: &mut Vec<u8>, other: &[u8], longest: usize, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        once(bytes, other, random);
    }
    bytes.truncate(longest);
}

fn once(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let length = bytes.len();
    let at = random.below(length + 1);
    match random.below(12) {
        0 | 1 if at < length => bytes[at] ^= 1 << random.below(8),
        2 if at < length => bytes[at] = random.number() as u8,
        3 if at < length => bytes[at] = bytes[at].wrapping_add(random.one_of(&[1, 0xff, 0x10, 0x80])),
        4 => {
            let value = random.one_of(&EDGES);
            let width = random.one_of(&[1_usize, 2, 4, 8]);
            let (big, little) = (value.to_be_bytes(), value.to_le_bytes());
            let edge = if random.below(2) == 0 { &big[8 - width..] } else { &little[..width] };
            for (place, byte) in bytes.iter_mut().skip(at).zip(edge) {
                *place = *byte;
            }
        }
        5 => bytes.truncate(at),
        6 => {
            let end = at + random.below((length - at).min(32) + 1);
            bytes.drain(at..end);
        }
        7 => {
            let piece = random.one_of(&TOKENS);
            bytes.splice(at..at, piece.iter().copied());
        }
        8 => {
            let end = at + random.below((length - at).min(64) + 1);
            let (piece, times) = (bytes[at..end].to_vec(), 1 + random.below(4));
            bytes.splice(at..at, piece.repeat(times));
        }
        9 => {
            let from = random.below(other.len() + 1);
            let to = from + random.below((other.len() - from).min(256) + 1);
            bytes.splice(at..at, other[from..to].iter().copied());
        }
        10 => {
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        _ => {
            let count = random.below(9);
            let noise: Vec<u8> = (0..count).map(|_| random.number() as u8).collect();
            bytes.splice(at..at, noise);
        }
    }
}

/// Changes a copy of a valid message as `script` says, for targets whose messages are valid once only.
///
/// Four bytes are an edit: where (two bytes, modulo the length), what, and the value. No edits, no change.
pub fn edited(valid: &[u8], script: &[u8]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for edit in script.as_chunks::<4>().0 {
        let &[high, low, what, value] = edit;
        let at = usize::from(u16::from_be_bytes([high, low])) % (bytes.len() + 1);
        match what % 6 {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (value % 8);
                }
            }
            3 => bytes.insert(at, value),
            4 => bytes.truncate(at),
            _ => {
                let end = (at + usize::from(value)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_of_bounded_length() {
        let make = |seed| {
            let mut random = Random::new(seed);
            let mut bytes = b"a valid message".to_vec();
            (0..2000).for_each(|_| mutate(&mut bytes, b"another one", 100, &mut random));
            assert!(bytes.len() <= 100);
            bytes
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }

    #[test]
    fn a_script_edits_and_an_empty_one_does_not() {
        assert_eq!(edited(b"valid", b""), b"valid");
        assert_eq!(edited(b"valid", &[0, 0, 0, b'V', 0, 5, 3, b'!']), b"Valid!");
        assert_eq!(edited(b"valid", &[0, 2, 4, 0]), b"va");
        assert_eq!(edited(b"", &[9, 9, 2, 9, 9, 9, 5, 9]), b"");
    }
}
