//! The office tool, the relay and clients as separate processes.

mod card;
mod client;
mod pki;
mod running;

use std::{
    env,
    ffi::OsStr,
    fs::OpenOptions,
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

pub use self::{
    card::Card,
    client::{Client, TLS_KEYS},
    running::Running,
};

/// The password of everything in these tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// The title of all meetings in these tests.
pub const TITLE: &str = "Council of the Heliotrope";

/// An office with a relay and some people, in a folder of its own.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    /// The port of the relay.
    pub port: u16,
    people: Vec<String>,
    /// The relay's address.
    host: String,
    /// More of the environment of all programs.
    variables: Vec<(&'static str, PathBuf)>,
}

impl World {
    /// Makes a CA, a relay's certificate and configuration, and an encrypted credential for each of `people`; the first
    /// is the chair. All by `conclave-registry`, as an office would. `reached_at` is the port of an in-between that the
    /// clients use in place of the relay's own.
    ///
    /// # Errors
    /// The first step that does not succeed, with what the program said.
    pub fn new(people: &[(&str, &str, &str)], reached_at: Option<u16>) -> Result<Self> {
        Self::at("127.0.0.1", people, reached_at)
    }

    /// As [`Self::new`], with a relay at this address of the machine.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn at(host: &str, people: &[(&str, &str, &str)], reached_at: Option<u16>) -> Result<Self> {
        let world = Self { host: host.to_owned(), ..Self::empty(people)? };
        world.write_password(PASSWORD)?;
        world.registry(["ca", "create", "--ca", "ca", "--password-file", "password", "--name", "Test Office"])?;
        for (number, (name, seat, code)) in people.iter().enumerate() {
            let out = format!("{number}.credential.pem");
            world.registry([
                "credential",
                "issue",
                "--ca",
                "ca",
                "--password-file",
                "password",
                "--name",
                name,
                "--seat",
                seat,
                "--seat-code",
                code,
                "--clearance",
                "secret",
                "--clearance-until",
                "2099-12-31",
                "--out",
                &out,
                "--credential-password-file",
                "password",
                "--role",
                if number == 0 { "chair" } else { "delegate" },
            ])?;
        }
        world.registry([
            "relay-certificate",
            "--ca",
            "ca",
            "--password-file",
            "password",
            "--host",
            host,
            "--max-level",
            "secret",
            "--out",
            "relay",
        ])?;
        let port = reached_at.unwrap_or(world.port);
        world.write_config(port)?;
        world.invite("meeting.conclave", port, "now", "+2h")?;
        Ok(world)
    }

    /// A folder of its own and a port, nothing more.
    fn empty(people: &[(&str, &str, &str)]) -> Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            port: free_port()?,
            people: people.iter().map(|(name, ..)| (*name).to_owned()).collect(),
            host: "127.0.0.1".to_owned(),
            variables: Vec::new(),
        })
    }

    fn write_config(&self, reached_at: u16) -> Result<()> {
        let config = format!(
            "listen = \"{host}:{}\"\npublic = [\"{host}:{reached_at}\"]\ncertificate = \"relay.pem\"\n\
             key = \"relay.key.pem\"\ntrust = \"root.pem\"\nmax_level = \"secret\"\nlog = \"debug\"\n",
            self.port,
            host = self.host,
        );
        Ok(std::fs::write(self.path("relay/relay.toml"), config)?)
    }

    /// Adds lines to the relay's configuration; it reads them when it starts.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn configure(&self, lines: &str) -> Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.path("relay/relay.toml"))?;
        Ok(writeln!(file, "{lines}")?)
    }

    /// Lets the relay log everything that it can; it reads that when it starts.
    ///
    /// # Errors
    /// Where its configuration cannot be changed.
    pub fn trace_relay(&self) -> Result<()> {
        let path = self.path("relay/relay.toml");
        let config = std::fs::read_to_string(&path)?.replace("log = \"debug\"", "log = \"trace\"");
        Ok(std::fs::write(path, config)?)
    }

    /// Signs an invitation for everybody, to a meeting without a lobby.
    ///
    /// # Errors
    /// Where the office tool refuses.
    pub fn invite(&self, out: &str, port: u16, from: &str, until: &str) -> Result<()> {
        self.invite_with(out, port, from, until, &["--open"])
    }

    /// Signs an invitation for everybody; `more` are words for the office tool.
    ///
    /// # Errors
    /// Where the office tool refuses.
    pub fn invite_with(&self, out: &str, port: u16, from: &str, until: &str, more: &[&str]) -> Result<()> {
        let relay = format!("{}:{port}", self.host);
        let mut words = vec![
            "invite",
            "--ca",
            "ca",
            "--password-file",
            "password",
            "--title",
            TITLE,
            "--level",
            "restricted",
            "--from",
            from,
            "--until",
            until,
            "--relay",
            &relay,
            "--relay-certificate",
            "relay/relay.pem",
            "--out",
            out,
        ];
        words.extend(more);
        let participants: Vec<_> = (0..self.people.len()).map(|number| format!("{number}.credential.pem")).collect();
        for (number, participant) in participants.iter().enumerate() {
            words.extend(["--participant", participant]);
            if number == 0 {
                words.pop();
                words.push("0.credential.pem,role=chair");
            }
        }
        self.registry(words)
    }

    /// Writes the password file, readable by its owner alone as the tools demand.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_password(&self, password: &str) -> Result<()> {
        let path = self.path("password");
        std::fs::write(&path, password)?;
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(())
    }

    /// A file of this world.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The credential of one of the people.
    pub fn credential(&self, number: usize) -> PathBuf {
        self.path(format!("{number}.credential.pem"))
    }

    /// Runs the office tool in the world's folder.
    ///
    /// # Errors
    /// Where it does not succeed; with what it said.
    pub fn registry<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let mut command = Command::new(program("conclave-registry")?);
        command.args(words);
        self.run(command)
    }

    /// Runs a program in the world's folder to its end.
    fn run(&self, mut command: Command) -> Result<()> {
        command.current_dir(self.folder.path()).envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
        ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Starts the relay and waits until it answers.
    ///
    /// # Errors
    /// Where it does not within 10 s; with what it said.
    pub fn relay(&self) -> Result<Running> {
        let mut command = Command::new(program("conclave-relay")?);
        command.arg("serve").arg("--config").arg(self.path("relay/relay.toml"));
        let running = self.start(command, "relay")?;
        let begun = Instant::now();
        while TcpStream::connect((self.host.as_str(), self.port)).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                bail!("the relay does not answer: {}", self.log("relay"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(running)
    }

    /// Starts `conclave join --headless` for one of the people.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn join<W: AsRef<OsStr>>(
        &self,
        number: usize,
        invitation: &str,
        more: impl IntoIterator<Item = W>,
    ) -> Result<Running> {
        self.client(number).with(more).start(invitation)
    }

    /// As [`Self::join`], with an open standard input for [`Running::order`].
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn lead<W: AsRef<OsStr>>(
        &self,
        number: usize,
        invitation: &str,
        more: impl IntoIterator<Item = W>,
    ) -> Result<Running> {
        self.client(number).with(more).led().start(invitation)
    }

    /// Starts any program of ours, its output in a log of the world.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(&self, command: Command, name: &str) -> Result<Running> {
        self.start_with(command, name, Stdio::null(), false)
    }

    /// `apart` gives standard error a log of its own, `NAME.err`.
    fn start_with(&self, mut command: Command, name: &str, input: Stdio, apart: bool) -> Result<Running> {
        let log = std::fs::File::create(self.path(format!("{name}.log")))?;
        let errors =
            if apart { std::fs::File::create(self.path(format!("{name}.err.log")))? } else { log.try_clone()? };
        command.current_dir(self.folder.path()).env("XDG_CONFIG_HOME", self.path("config"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(input).stdout(log).stderr(errors);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Running::new(child, name))
    }

    /// Waits until a program has said something.
    ///
    /// # Errors
    /// Where it does not within 30 s; with what it said.
    pub fn until(&self, name: &str, words: &str) -> Result<()> {
        self.until_after(name, 0, words)
    }

    /// As [`Self::until`], of what it says behind the first `from` bytes of its log.
    ///
    /// # Errors
    /// Where it does not within 30 s; with what it said.
    pub fn until_after(&self, name: &str, from: usize, words: &str) -> Result<()> {
        let begun = Instant::now();
        while !self.log(name).get(from..).is_some_and(|said| said.contains(words)) {
            let said = begun.elapsed() < Duration::from_secs(30);
            ensure!(said, "{name} does not say \"{words}\": {}\nrelay: {}", self.log(name), self.log("relay"));
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// How many bytes a program has said.
    pub fn said(&self, name: &str) -> usize {
        self.log(name).len()
    }

    /// What a program said.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(format!("{name}.log"))).unwrap_or_default()
    }
}

/// A port of the loopback interface that nobody uses now.
///
/// # Errors
/// Where the system gives none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A program of the workspace, built for the same profile as this test.
///
/// # Errors
/// Where it has not been built: `cargo build --workspace --bins` does, and `cargo xtask test` does that first.
pub fn program(name: &str) -> Result<PathBuf> {
    let here = env::current_exe()?;
    let folder = here.ancestors().find(|folder| folder.join(name).is_file());
    folder
        .map(|folder| folder.join(name))
        .with_context(|| format!("{name} is not built; run `cargo build --workspace --bins` first"))
}
