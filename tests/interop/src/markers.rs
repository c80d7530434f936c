//! Secrets and names to look for, in every form that a program may write them down in.

use std::fmt::Write as _;

use memchr::memmem;

/// Something that must not stand somewhere.
#[derive(Clone, Debug)]
pub struct Marker {
    /// What it is, for whoever reads that it was found.
    pub what: String,
    forms: Vec<Vec<u8>>,
}

/// The shortest form that is looked for, other than the bytes themselves.
const SHORTEST: usize = 8;

/// The digits of base64 (RFC 4648 section 4).
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Marker {
    /// Bytes or a text: looked for as they are, in hexadecimal, in base64 wherever it begins, and as a list of numbers.
    pub fn new(what: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let hexadecimal = bytes.iter().fold(String::new(), |mut text, byte| {
            // Writing into a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let numbers = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        let mut forms = vec![
            bytes.to_vec(),
            hexadecimal.to_uppercase().into_bytes(),
            hexadecimal.into_bytes(),
            numbers.into_bytes(),
        ];
        forms.extend((0..3).map(|skipped| base64(bytes.get(skipped..).unwrap_or_default())));
        // What is shorter stands somewhere by chance.
        forms.retain(|form| form == bytes || form.len() >= SHORTEST);
        Self { what: what.into(), forms }
    }

    /// Words that may be parted by spaces or stand in a list.
    pub fn words(what: impl Into<String>, words: &[&str]) -> Self {
        let mut marker = Self::new(what, words.join(" "));
        marker.forms.push(words.join("\", \"").into_bytes());
        marker
    }

    /// Whether any form of it stands in `place`.
    pub fn is_in(&self, place: &[u8]) -> bool {
        self.is_where(|form| memmem::find(place, form).is_some())
    }

    /// Whether `holds` says of any form that it stands there.
    pub fn is_where(&self, holds: impl Fn(&[u8]) -> bool) -> bool {
        self.forms.iter().any(|form| holds(form))
    }
}

/// What every base64 text shows that has these bytes: the digits of all their whole groups of three.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let digit = |bits: u32| DIGITS[(bits & 63) as usize];
    let groups = bytes.chunks_exact(3).flat_map(|group| {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        [bits >> 18, bits >> 12, bits >> 6, bits].map(digit)
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_in_every_form_and_nowhere_else() {
        let marker = Marker::new("a secret", "secret=42");
        for text in [
            "the secret=42 is out",
            "7365637265743d3432",
            "00 7365637265743D3432",
            "[115, 101, 99, 114, 101, 116, 61, 52, 50]",
            // Behind none, one and two other bytes: `base64 <<< …`.
            "c2VjcmV0PTQy",
            "LXNlY3JldD00Mg==",
            "LS1zZWNyZXQ9NDI=",
        ] {
            assert!(marker.is_in(text.as_bytes()), "{text}");
        }
        for text in ["", "secret=43", "c2VjcmV0PTQz", "7365637265743d3433"] {
            assert!(!marker.is_in(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn words_are_found_in_a_sentence_and_in_a_list() {
        let marker = Marker::words("words", &["also", "random", "walnut"]);
        assert!(marker.is_in(b"words: also random walnut (epoch 0)"));
        assert!(marker.is_in(br#"words: ["also", "random", "walnut"]"#));
        assert!(!marker.is_in(b"also random"));
    }
}
