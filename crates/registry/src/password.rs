//! Where passwords come from: a file, the environment, or a question on the terminal.

use std::{
    env,
    fs::File,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use conclave_identity::credential::words;
use zeroize::Zeroizing;

/// The variable with the CA's password.
pub const CA_VARIABLE: &str = "CONCLAVE_CA_PASSWORD";

/// The variable with a credential's password.
pub const CREDENTIAL_VARIABLE: &str = "CONCLAVE_CREDENTIAL_PASSWORD";

/// The variable with the PIN of a card.
pub const PIN_VARIABLE: &str = "CONCLAVE_CARD_PIN";

/// The variable with the password of a key that other tools made.
pub const KEY_VARIABLE: &str = "CONCLAVE_KEY_PASSWORD";

const MAX_PASSWORD: usize = 1024;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file cannot be read.
    #[error("the password file {} cannot be read: {}", path.display(), words(error.kind()))]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Others may read the file.
    #[error("the password file {0} is open to others; run: chmod 600 {0}")]
    Permissions(PathBuf),
    /// The first line is empty, too long, or no text.
    #[error("the first line of {0} is no password (1 to {MAX_PASSWORD} bytes of text)")]
    Line(PathBuf),
    /// The variable holds no text.
    #[error("the variable {0} holds no password")]
    Variable(&'static str),
    /// There is no terminal to ask at.
    #[error("there is no terminal to ask for the {what}; give {option} or {variable}")]
    NoTerminal {
        /// Which password.
        what: &'static str,
        /// The option that names a file.
        option: &'static str,
        /// The variable.
        variable: &'static str,
    },
    /// The question failed.
    #[error("the password could not be read: {0}")]
    Prompt(#[source] io::Error),
    /// The two answers differ.
    #[error("the two passwords differ; nothing was written")]
    Differ,
}

/// Which password, and where it may come from.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// In words, as "password of the CA".
    pub what: &'static str,
    /// The file that was given.
    pub file: Option<&'a Path>,
    /// The option that names a file.
    pub option: &'static str,
    /// The variable.
    pub variable: &'static str,
    /// Whether it is a new one, so that it is asked for twice.
    pub new: bool,
}

impl<'a> Wanted<'a> {
    /// The CA's.
    pub fn of_ca(file: Option<&'a Path>, new: bool) -> Self {
        Self { what: "password of the CA", file, option: "--password-file", variable: CA_VARIABLE, new }
    }

    /// A credential's.
    pub fn of_credential(file: Option<&'a Path>, new: bool) -> Self {
        let (what, option) = ("password of the credential", "--credential-password-file");
        Self { what, file, option, variable: CREDENTIAL_VARIABLE, new }
    }

    /// The PIN of a card.
    pub fn of_card(file: Option<&'a Path>) -> Self {
        Self { what: "PIN of the card", file, option: "--pin-file", variable: PIN_VARIABLE, new: false }
    }

    /// That of a key which other tools made.
    pub fn of_key(file: Option<&'a Path>) -> Self {
        let (what, option) = ("password of the key as it is now", "--key-password-file");
        Self { what, file, option, variable: KEY_VARIABLE, new: false }
    }

    /// Reads it: from the file if one was given, else from the variable if set, else from the terminal.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn read(&self) -> Result<Zeroizing<String>, PasswordError> {
        if let Some(path) = self.file {
            return read_file(path);
        }
        if let Some(value) = env::var_os(self.variable) {
            let value = value.into_string().map_err(|_| PasswordError::Variable(self.variable))?;
            let value = Zeroizing::new(value);
            return if value.is_empty() { Err(PasswordError::Variable(self.variable)) } else { Ok(value) };
        }
        if !io::stdin().is_terminal() {
            let Self { what, option, variable, .. } = *self;
            return Err(PasswordError::NoTerminal { what, option, variable });
        }
        let ask =
            |prompt: String| rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(PasswordError::Prompt);
        let first = ask(format!("{}{}: ", if self.new { "New " } else { "" }, self.what))?;
        if self.new && ask(format!("Once more, {}: ", self.what))? != first {
            return Err(PasswordError::Differ);
        }
        Ok(first)
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, PasswordError> {
    let failed = |error| PasswordError::Read { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = file.metadata().map_err(failed)?;
        // Pipes, as of `<(…)`, belong to the caller alone.
        if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
            return Err(PasswordError::Permissions(path.to_owned()));
        }
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(2 * MAX_PASSWORD as u64).read_to_end(&mut bytes).map_err(failed)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(password) if (1..=MAX_PASSWORD).contains(&password.len()) => Ok(Zeroizing::new(password.to_owned())),
        Ok(_) | Err(_) => Err(PasswordError::Line(path.to_owned())),
    }
}
