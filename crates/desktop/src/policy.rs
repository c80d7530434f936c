//! What the IT department decides for every user of a computer: one TOML file that only administrators can write.
//!
//! | key | meaning | unless given |
//! | --- | --- | --- |
//! | `max_level` | highest level of meetings that this computer takes part in, as `"restricted"` | `"top-secret"` |
//! | `lock_after_minutes` | minutes without keyboard and pointer until the window locks, 0 to 1440; 0 is never | 0 |
//! | `constant_bitrate_from` | lowest level at which the voice is sent at a constant bitrate | never |
//! | `credential` | where credentials are, for people who chose none: an absolute path, one from `~/`, or a card's address | none |
//!
//! The place of the file is fixed in the program, so that no user gets around it with a variable of the environment. No
//! file is the defaults. A file that is not understood whole is an error, and the app does not start: half a policy would
//! pass for all of it.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use conclave_identity::CardUri;
use conclave_model::Level;
use toml::de::{DeTable, DeValue};

/// Where the policy is. On Windows beside the program, where only administrators write; `%ProgramData%` is a variable.
pub const PLACE: &str = if cfg!(windows) {
    r"C:\Program Files\Conclave\policy.toml"
} else if cfg!(target_os = "macos") {
    "/Library/Application Support/Conclave/policy.toml"
} else {
    "/etc/conclave/policy.toml"
};

/// The longest file that is read, in bytes.
const MAX_FILE: usize = 64 * 1024;

/// A day.
const MAX_MINUTES: u64 = 24 * 60;

const LEVELS: &str = "\"unclassified\", \"restricted\", \"confidential\", \"secret\" or \"top-secret\"";
const MINUTES: &str = "a whole number of minutes from 0 (never) to 1440 (a day)";
const CREDENTIAL: &str = "an absolute path, a path that begins with \"~/\", or the address of a card as \
                          \"pkcs11:?module-path=/usr/lib/opensc-pkcs11.so\"";

/// Every key, as messages list them.
const KEYS: &str = "max_level, lock_after_minutes, constant_bitrate_from, credential";

/// What the IT department decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The highest level of meetings that this computer takes part in.
    pub max_level: Level,
    /// How long nobody may have touched keyboard and pointer before the window locks; `None` is for ever.
    pub lock_after: Option<Duration>,
    /// The lowest level at which the voice is sent at a constant bitrate; `None` is at none.
    pub constant_bitrate_from: Option<Level>,
    /// Where the credential is of somebody who chose none; `~/` stands for their home.
    pub credential: Option<PathBuf>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { max_level: Level::TopSecret, lock_after: None, constant_bitrate_from: None, credential: None }
    }
}

/// That a meeting is at a level that this computer may not be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the meeting is at {}, and this computer may be used up to {} by its policy", .found.word(), .allowed.word())]
pub struct AboveMaximum {
    /// The meeting's.
    pub found: Level,
    /// The policy's.
    pub allowed: Level,
}

/// What is wrong with a policy: which file, which line, which key, and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("{}: {reason}", .file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// Others than its owner can change the file.
    #[error(
        "{}: everybody on this computer could change the policy; let its owner alone write it (chmod go-w)",
        .file.display()
    )]
    Writable {
        /// Which file.
        file: PathBuf,
    },
    /// It is longer than a policy can be.
    #[error("{}: a policy has at most {MAX_FILE} bytes", .file.display())]
    TooLong {
        /// Which file.
        file: PathBuf,
    },
    /// It is no TOML.
    #[error("{}:{line}: {message}", .file.display())]
    Syntax {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What the parser found.
        message: String,
    },
    /// A key that does not exist.
    #[error("{}:{line}: there is no key `{key}`; there are {KEYS}", .file.display())]
    Unknown {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Which key.
        key: String,
    },
    /// A value that the key does not take.
    #[error("{}:{line}: `{key}` is {found}, but takes {allowed}", .file.display())]
    Value {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Which key.
        key: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        allowed: &'static str,
    },
}

impl Policy {
    /// The policy of this computer; the defaults where there is none.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn of_this_computer() -> Result<Self, PolicyError> {
        Self::load(Path::new(PLACE))
    }

    /// The policy in a file; the defaults where there is none.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn load(file: &Path) -> Result<Self, PolicyError> {
        let unreadable = |reason| PolicyError::Read { file: file.to_owned(), reason };
        let bytes = match crate::jobs::read_bounded(file, MAX_FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unreadable(error)),
        };
        if is_open_to_all(&fs::metadata(file).map_err(unreadable)?) {
            return Err(PolicyError::Writable { file: file.to_owned() });
        }
        if bytes.len() > MAX_FILE {
            return Err(PolicyError::TooLong { file: file.to_owned() });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
            PolicyError::Syntax { file: file.to_owned(), line, message: "this is no text (UTF-8)".to_owned() }
        })?;
        Self::parse(file, &text)
    }

    /// The policy that `text` says; `file` is named where something is wrong with it.
    ///
    /// # Errors
    /// [`PolicyError::Syntax`], [`PolicyError::Unknown`], [`PolicyError::Value`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, PolicyError> {
        let at = |span: Range<usize>| line_of(text.as_bytes(), span.start);
        let table = DeTable::parse(text).map_err(|error| PolicyError::Syntax {
            file: file.to_owned(),
            line: error.span().map_or(1, at),
            message: error.message().to_owned(),
        })?;
        let mut policy = Self::default();
        for (key, value) in table.get_ref() {
            let wrong = |allowed| PolicyError::Value {
                file: file.to_owned(),
                line: at(value.span()),
                key: key.get_ref().to_string(),
                found: describe(value.get_ref()),
                allowed,
            };
            let value = value.get_ref();
            match &**key.get_ref() {
                "max_level" => policy.max_level = level(value).ok_or_else(|| wrong(LEVELS))?,
                "lock_after_minutes" => {
                    let minutes = minutes(value).ok_or_else(|| wrong(MINUTES))?;
                    policy.lock_after = Some(Duration::from_secs(60 * minutes)).filter(|after| !after.is_zero());
                }
                "constant_bitrate_from" => {
                    policy.constant_bitrate_from = Some(level(value).ok_or_else(|| wrong(LEVELS))?);
                }
                "credential" => policy.credential = Some(credential(value).ok_or_else(|| wrong(CREDENTIAL))?),
                other => {
                    let (file, line) = (file.to_owned(), at(key.span()));
                    return Err(PolicyError::Unknown { file, line, key: other.to_owned() });
                }
            }
        }
        Ok(policy)
    }

    /// Checks that a meeting at `level` may be entered from this computer.
    ///
    /// # Errors
    /// [`AboveMaximum`].
    pub fn check_level(&self, level: Level) -> Result<(), AboveMaximum> {
        if level > self.max_level { Err(AboveMaximum { found: level, allowed: self.max_level }) } else { Ok(()) }
    }

    /// Puts what it decides of a client into its configuration.
    pub fn apply(&self, config: &mut conclave_client::Config) {
        config.ceiling = config.ceiling.min(self.max_level);
        config.constant_from = self.constant_bitrate_from;
    }

    /// Where the credential is of somebody with this home who chose none.
    pub fn credential_in(&self, home: Option<&Path>) -> Option<PathBuf> {
        let path = self.credential.as_ref()?;
        match path.strip_prefix("~") {
            Ok(rest) => Some(home?.join(rest)),
            Err(_) => Some(path.clone()),
        }
    }
}

fn level(value: &DeValue<'_>) -> Option<Level> {
    let word = value.as_str()?;
    Level::ALL.into_iter().find(|level| level.word() == word)
}

fn minutes(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|minutes| *minutes <= MAX_MINUTES)
}

fn credential(value: &DeValue<'_>) -> Option<PathBuf> {
    let word = value.as_str()?;
    let is_file = Path::new(word).is_absolute() || word.strip_prefix("~/").is_some_and(|rest| !rest.is_empty());
    (is_file || word.parse::<CardUri>().is_ok()).then(|| PathBuf::from(word))
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The line, from 1, of the byte at `index`.
fn line_of(text: &[u8], index: usize) -> usize {
    text.iter().take(index).filter(|byte| **byte == b'\n').count() + 1
}

/// Whether others than the owner can write the file.
#[cfg(unix)]
fn is_open_to_all(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o022 != 0
}

/// Whether others than the owner can write the file; the folder sees to that here.
#[cfg(not(unix))]
fn is_open_to_all(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn said(text: &str) -> String {
        Policy::parse(Path::new("/etc/conclave/policy.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn every_key_is_understood() {
        let text = "# ours\nmax_level = \"confidential\"\nlock_after_minutes = 10\nconstant_bitrate_from = \
                    \"restricted\"\ncredential = \"~/conclave/me.pem\"\n";
        let policy = Policy::parse(Path::new("p"), text).unwrap();
        assert_eq!(policy.max_level, Level::Confidential);
        assert_eq!(policy.lock_after, Some(Duration::from_secs(600)));
        assert_eq!(policy.constant_bitrate_from, Some(Level::Restricted));
        assert_eq!(policy.credential_in(Some(Path::new("/home/anna"))), Some("/home/anna/conclave/me.pem".into()));
        assert_eq!(policy.credential_in(None), None);
        assert_eq!(Policy::parse(Path::new("p"), "lock_after_minutes = 0").unwrap(), Policy::default());
    }

    #[test]
    fn wrong_content_names_file_line_key_and_what_is_allowed() {
        for (text, key, found) in [
            ("\nmax_level = \"geheim\"", "max_level", "\"geheim\""),
            ("\nmax_level = 3", "max_level", "3"),
            ("\nlock_after_minutes = -1", "lock_after_minutes", "-1"),
            ("\nlock_after_minutes = 1441", "lock_after_minutes", "1441"),
            ("\nlock_after_minutes = 1.5", "lock_after_minutes", "1.5"),
            ("\nlock_after_minutes = \"5\"", "lock_after_minutes", "\"5\""),
            ("\nconstant_bitrate_from = true", "constant_bitrate_from", "true"),
            ("\ncredential = \"me.pem\"", "credential", "\"me.pem\""),
            ("\ncredential = \"pkcs11:token=Anna\"", "credential", "\"pkcs11:token=Anna\""),
            ("\ncredential = [\"/a\"]", "credential", "a list"),
        ] {
            let error = said(text);
            let begin = format!("/etc/conclave/policy.toml:2: `{key}` is {found}, but takes ");
            assert!(error.strip_prefix(&begin).is_some_and(|allowed| allowed.len() > 20), "{error}");
        }
    }

    #[test]
    fn a_policy_that_is_not_understood_whole_is_none() {
        let error = said("max_level = \"secret\"\nlock_after = 5\n");
        assert!(error.starts_with("/etc/conclave/policy.toml:2: there is no key `lock_after`; there are "), "{error}");
        for key in KEYS.split(", ") {
            assert!(error.contains(key), "{error}");
        }
        assert!(said("max_level = \"secret\"\n[section]\n").contains(":2: there is no key `section`"));
        assert!(said("\n\nmax_level secret").starts_with("/etc/conclave/policy.toml:3: "));
        assert!(said("max_level = \"secret\"\nmax_level = \"secret\"").starts_with("/etc/conclave/policy.toml:2: "));
    }

    #[test]
    fn no_file_is_the_defaults_and_one_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        assert_eq!(Policy::load(&path).unwrap(), Policy::default());
        assert!(matches!(Policy::load(folder.path()), Err(PolicyError::Read { .. })));
        fs::write(&path, b"max_level = \"secret\"\n# \xff").unwrap();
        assert!(Policy::load(&path).unwrap_err().to_string().contains("policy.toml:2: "));
        fs::write(&path, vec![b'#'; MAX_FILE + 1]).unwrap();
        assert!(matches!(Policy::load(&path), Err(PolicyError::TooLong { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_policy_that_everybody_can_change_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        fs::write(&path, "max_level = \"secret\"").unwrap();
        for (mode, good) in [(0o644, true), (0o664, false), (0o646, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Policy::load(&path).is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn a_meeting_above_the_maximum_is_refused_by_both_levels() {
        let policy = Policy { max_level: Level::Restricted, ..Policy::default() };
        assert_eq!(policy.check_level(Level::Restricted), Ok(()));
        let said = policy.check_level(Level::Secret).unwrap_err().to_string();
        assert!(said.contains("secret") && said.contains("restricted"), "{said}");
    }

    #[test]
    fn the_example_that_is_shipped_says_every_key_and_can_be_used() {
        let example = include_str!("../../../packaging/app/policy.toml");
        // A key is commented out without a blank, so that words are not taken for one.
        let used: String = example
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if key.starts_with(|first: char| first.is_ascii_lowercase()) => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let policy = Policy::parse(Path::new("policy.toml"), &used).unwrap();
        assert!(KEYS.split(", ").all(|key| used.lines().any(|line| line.starts_with(key))), "{used}");
        assert!(policy.lock_after.is_some() && policy.credential.is_some() && policy.constant_bitrate_from.is_some());
        assert_eq!(Policy::parse(Path::new("policy.toml"), example).unwrap(), Policy::default());
    }
}
