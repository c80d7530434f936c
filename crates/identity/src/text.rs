//! What may stand in a name, a title or a code that people are shown.
//!
//! Such text is signed by an office, yet it is what everybody trusts to tell people apart; so it may hold nothing that
//! cannot be seen, that turns the direction of reading, or that imitates another script (Unicode Technical Reports 36
//! and 39).

/// The longest name of a person or a seat, in bytes of UTF-8.
pub const MAX_NAME: usize = 100;

/// The longest title of a meeting, in bytes of UTF-8.
pub const MAX_TITLE: usize = 200;

/// The longest warning in an invitation, in bytes of UTF-8.
pub const MAX_WARNING: usize = 1000;

/// The longest seat code, in bytes.
pub const MAX_CODE: usize = 16;

/// How many combining accents may stand on one letter.
const MAX_ACCENTS: u8 = 2;

/// Why a text may not be shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is nothing to see.
    #[error("it is empty")]
    Empty,
    /// It is too long.
    #[error("it has {found} bytes, at most {limit} are allowed")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// It holds a character that is invisible, steers the direction of reading, or is no letter of any script.
    #[error("it holds the forbidden character U+{0:04X}")]
    Forbidden(u32),
    /// It begins or ends with a space, or has two in a row.
    #[error("it has a space at its beginning or end, or two in a row")]
    Spaces,
    /// One word has letters of two scripts that look alike.
    #[error("one of its words mixes scripts, which is how a name imitates another")]
    MixedScripts,
    /// A letter carries too many accents.
    #[error("a letter carries more than {MAX_ACCENTS} combining accents")]
    Accents,
}

/// Checks one line of text: a name, a title, a warning.
///
/// # Errors
/// [`TextError`], the first that applies.
pub fn check_line(line: &str, limit: usize) -> Result<(), TextError> {
    if line.is_empty() {
        return Err(TextError::Empty);
    }
    if line.len() > limit {
        return Err(TextError::TooLong { found: line.len(), limit });
    }
    if let Some(character) = line.chars().find(|character| is_forbidden(*character)) {
        return Err(TextError::Forbidden(character.into()));
    }
    if line.starts_with(' ') || line.ends_with(' ') || line.contains("  ") {
        return Err(TextError::Spaces);
    }
    let mut accents = 0;
    for character in line.chars() {
        accents = if is_accent(character) { accents + 1 } else { 0 };
        if accents > MAX_ACCENTS {
            return Err(TextError::Accents);
        }
    }
    let mixed = |word: &str| {
        let mut scripts = word.chars().filter_map(script);
        scripts.next().is_some_and(|first| scripts.any(|other| other != first))
    };
    if line.split(' ').any(mixed) { Err(TextError::MixedScripts) } else { Ok(()) }
}

/// Checks a seat code: 2 to 16 of A to Z, 0 to 9 and "-", as `FI` or `EC`.
///
/// # Errors
/// [`TextError`], the first that applies.
pub fn check_code(code: &str) -> Result<(), TextError> {
    if code.len() < 2 {
        return Err(TextError::Empty);
    }
    if code.len() > MAX_CODE {
        return Err(TextError::TooLong { found: code.len(), limit: MAX_CODE });
    }
    let allowed = |character: char| character.is_ascii_uppercase() || character.is_ascii_digit() || character == '-';
    match code.chars().find(|character| !allowed(*character)) {
        Some(character) => Err(TextError::Forbidden(character.into())),
        None => Ok(()),
    }
}

/// The scripts whose letters are taken for each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
}

fn script(character: char) -> Option<Script> {
    match u32::from(character) {
        0x41..=0x5a | 0x61..=0x7a | 0xc0..=0xd6 | 0xd8..=0xf6 | 0xf8..=0x24f | 0x1e00..=0x1eff => Some(Script::Latin),
        0x370..=0x3ff | 0x1f00..=0x1fff => Some(Script::Greek),
        0x400..=0x52f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff | 0xa640..=0xa69f => Some(Script::Cyrillic),
        _ => None,
    }
}

fn is_accent(character: char) -> bool {
    matches!(u32::from(character), 0x300..=0x36f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe20..=0xfe2f)
}

/// Control characters, every space but U+0020, format characters (bidirectional marks, joiners, tags), variation
/// selectors, fillers that look like nothing, full-width and mathematical look-alikes of Latin letters, private use and
/// non-characters.
pub(crate) fn is_forbidden(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(
            u32::from(character),
            0x00ad
                | 0x034f
                | 0x0600..=0x0605
                | 0x061c
                | 0x06dd
                | 0x070f
                | 0x115f..=0x1160
                | 0x17b4..=0x17b5
                | 0x180b..=0x180f
                | 0x200b..=0x200f
                | 0x202a..=0x202e
                | 0x2060..=0x206f
                | 0x2800
                | 0x3164
                | 0xe000..=0xf8ff
                | 0xfdd0..=0xfdef
                | 0xfe00..=0xfe0f
                | 0xfeff
                | 0xff00..=0xff65
                | 0xffa0
                | 0xfff0..=0xffff
                | 0x1d173..=0x1d17a
                | 0x1d400..=0x1d7ff
                | 0xe0000..=0x10_ffff
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_kinds_pass() {
        for name in [
            "Anna Virtanen",
            "Zoë O’Brien-Šimůnek",
            "Ελένη Παπαδοπούλου",
            "Иван Петров",
            "Łukasz Żółć",
            "李明",
            "J. Å. III",
        ] {
            assert_eq!(check_line(name, MAX_NAME), Ok(()), "{name}");
        }
        assert_eq!(check_line("Meeting of Ιωάννης and Anna", MAX_TITLE), Ok(()), "each word may have its own script");
    }

    #[test]
    fn what_hides_turns_or_imitates_is_refused() {
        for (name, wanted) in [
            ("", TextError::Empty),
            ("a\u{202e}b", TextError::Forbidden(0x202e)),
            ("a\u{200f}b", TextError::Forbidden(0x200f)),
            ("a\u{2066}b", TextError::Forbidden(0x2066)),
            ("a\u{200b}b", TextError::Forbidden(0x200b)),
            ("a\u{feff}", TextError::Forbidden(0xfeff)),
            ("a\u{ad}b", TextError::Forbidden(0xad)),
            ("a\nb", TextError::Forbidden(0x0a)),
            ("a\u{1b}[2J", TextError::Forbidden(0x1b)),
            ("a\u{a0}b", TextError::Forbidden(0xa0)),
            ("a\u{e0041}", TextError::Forbidden(0xe0041)),
            ("\u{3164}", TextError::Forbidden(0x3164)),
            (" a", TextError::Spaces),
            ("a ", TextError::Spaces),
            ("a  b", TextError::Spaces),
            ("Аnna", TextError::MixedScripts),
            ("Annα", TextError::MixedScripts),
            ("a\u{301}\u{301}\u{301}", TextError::Accents),
        ] {
            assert_eq!(check_line(name, MAX_NAME), Err(wanted), "{name:?}");
        }
        let long = "x".repeat(MAX_NAME + 1);
        assert_eq!(check_line(&long, MAX_NAME), Err(TextError::TooLong { found: 101, limit: 100 }));
        assert_eq!(check_line(&long[1..], MAX_NAME), Ok(()));
    }

    #[test]
    fn codes_are_short_capitals() {
        for code in ["FI", "EC", "EU-COUNCIL", "UN1"] {
            assert_eq!(check_code(code), Ok(()), "{code}");
        }
        for code in ["", "F", "fi", "F I", "ABCDEFGHIJKLMNOPQ", "FÍ"] {
            assert!(check_code(code).is_err(), "{code}");
        }
    }
}
