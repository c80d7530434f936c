//! How a client is started, most of them without a window.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::Result;

use super::{Running, World, program};

/// Where a program that obeys `SSLKEYLOGFILE` writes its keys of TLS.
pub const TLS_KEYS: &str = "tls-keys.log";

/// `conclave join --headless` for one of the people, before it starts.
#[derive(Debug)]
pub struct Client<'a> {
    world: &'a World,
    name: String,
    credential: OsString,
    password: PathBuf,
    words: Vec<OsString>,
    leads: bool,
    traces: bool,
    display: Option<String>,
}

impl World {
    /// A client of one of the people, with their credential as a file; its log is named `join-NUMBER`.
    pub fn client(&self, number: usize) -> Client<'_> {
        Client {
            world: self,
            name: format!("join-{number}"),
            credential: self.credential(number).into(),
            password: self.path("password"),
            words: Vec::new(),
            leads: false,
            traces: false,
            display: None,
        }
    }
}

impl Client<'_> {
    /// Another name for the log.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Another credential, as `pkcs11:…`, and the file with what unlocks it.
    #[must_use]
    pub fn by(self, credential: &str, password: &str) -> Self {
        Self { credential: credential.into(), password: self.world.path(password), ..self }
    }

    /// More words for the command line.
    #[must_use]
    pub fn with<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// With an open standard input for [`Running::order`].
    #[must_use]
    pub fn led(self) -> Self {
        Self { leads: true, ..self }
    }

    /// With everything that it can log, in a log of its own: `NAME.err`.
    #[must_use]
    pub fn traced(self) -> Self {
        Self { traces: true, ..self }
    }

    /// At this X11 display, whose screens and windows it can share.
    #[must_use]
    pub fn at_display(self, name: &str) -> Self {
        Self { display: Some(name.to_owned()), ..self }
    }

    /// Starts it with a window at its display, which is drawn by the processor. Whoever sits in front of it types the
    /// password.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn open(self, invitation: &str) -> Result<Running> {
        let mut command = Command::new(program("conclave")?);
        command.arg("join").arg(self.world.path(invitation)).arg("--credential").arg(&self.credential);
        command.args(["--speaker", "null"]).args(&self.words).env("LIBGL_ALWAYS_SOFTWARE", "1");
        if let Some(display) = &self.display {
            command.env("DISPLAY", display).env_remove("WAYLAND_DISPLAY");
        }
        self.world.start(command, &self.name)
    }

    /// Starts it without a window.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(self, invitation: &str) -> Result<Running> {
        let mut command = Command::new(program("conclave")?);
        command.arg("join").arg(self.world.path(invitation)).arg("--headless");
        command.arg("--credential").arg(self.credential).arg("--password-file").arg(self.password);
        command.arg("--speaker").arg("null").args(self.words);
        let mut input = Stdio::null();
        if self.leads {
            command.arg("--orders");
            input = Stdio::piped();
        }
        if let Some(display) = self.display {
            command.env("DISPLAY", display).env_remove("WAYLAND_DISPLAY");
        }
        if self.traces {
            command.env("CONCLAVE_LOG", "trace").env("SSLKEYLOGFILE", self.world.path(TLS_KEYS));
        }
        self.world.start_with(command, &self.name, input, self.traces)
    }
}
