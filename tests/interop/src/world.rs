//! The office tool, the relay and clients as separate processes.

mod pki;

use std::{
    env,
    ffi::OsStr,
    fs::OpenOptions,
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// The password of everything in these tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// An office with a relay and some people, in a folder of its own.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    /// The port of the relay.
    pub port: u16,
    people: Vec<String>,
}

/// A process that is ended when it goes out of scope.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
}

impl World {
    /// Makes a CA, a relay's certificate and configuration, and an encrypted credential for each of `people`; the first
    /// is the chair. All by `conclave-registry`, as an office would. `reached_at` is the port of an in-between that the
    /// clients use in place of the relay's own.
    ///
    /// # Errors
    /// The first step that does not succeed, with what the program said.
    pub fn new(people: &[(&str, &str, &str)], reached_at: Option<u16>) -> Result<Self> {
        let world = Self {
            folder: tempfile::tempdir()?,
            port: free_port()?,
            people: people.iter().map(|(name, ..)| (*name).to_owned()).collect(),
        };
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
            "127.0.0.1",
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

    fn write_config(&self, reached_at: u16) -> Result<()> {
        let config = format!(
            "listen = \"127.0.0.1:{}\"\npublic = [\"127.0.0.1:{reached_at}\"]\ncertificate = \"relay.pem\"\n\
             key = \"relay.key.pem\"\ntrust = \"root.pem\"\nmax_level = \"secret\"\nlog = \"debug\"\n",
            self.port
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
        let relay = format!("127.0.0.1:{port}");
        let mut words = vec![
            "invite",
            "--ca",
            "ca",
            "--password-file",
            "password",
            "--title",
            "Test",
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
        command.args(words).current_dir(self.folder.path());
        let output = command.output()?;
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
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
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
        self.start(self.joining(number, invitation, more)?, &format!("join-{number}"))
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
        let mut command = self.joining(number, invitation, more)?;
        command.arg("--orders");
        self.start_with(command, &format!("join-{number}"), Stdio::piped())
    }

    fn joining<W: AsRef<OsStr>>(
        &self,
        number: usize,
        invitation: &str,
        more: impl IntoIterator<Item = W>,
    ) -> Result<Command> {
        let mut command = Command::new(program("conclave")?);
        command.arg("join").arg(self.path(invitation)).arg("--headless");
        command.arg("--credential").arg(self.credential(number)).arg("--password-file").arg(self.path("password"));
        command.arg("--speaker").arg("null").args(more);
        Ok(command)
    }

    /// Starts any program of ours, its output in a log of the world.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(&self, command: Command, name: &str) -> Result<Running> {
        self.start_with(command, name, Stdio::null())
    }

    fn start_with(&self, mut command: Command, name: &str, input: Stdio) -> Result<Running> {
        let log = std::fs::File::create(self.path(format!("{name}.log")))?;
        command.current_dir(self.folder.path()).env("XDG_CONFIG_HOME", self.path("config"));
        command.stdin(input).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Running { child, name: name.to_owned() })
    }

    /// Waits until a program has said something.
    ///
    /// # Errors
    /// Where it does not within 30 s; with what it said.
    pub fn until(&self, name: &str, words: &str) -> Result<()> {
        let begun = Instant::now();
        while !self.log(name).contains(words) {
            let said = begun.elapsed() < Duration::from_secs(30);
            ensure!(said, "{name} does not say \"{words}\": {}\nrelay: {}", self.log(name), self.log("relay"));
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// What a program said.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(format!("{name}.log"))).unwrap_or_default()
    }
}

impl Running {
    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order to one that was started by [`World::lead`].
    ///
    /// # Errors
    /// Where it takes none.
    pub fn order(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().with_context(|| format!("{} takes no orders", self.name))?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end, and says whether it succeeded.
    ///
    /// # Errors
    /// Where it takes longer than `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<bool> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            if begun.elapsed() > limit {
                bail!("{} still runs after {limit:?}", self.name);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
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
