//! `conclave join`.

use std::{
    io::{IsTerminal as _, Read as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use conclave_capture::{CameraChoice, MicrophoneChoice, SpeakerChoice, TestPerson, Turns};
use conclave_client::{Config, EndReason, wall_clock};
use conclave_identity::{
    CardError, CardUri, Holder, Invitation, Revocations, WindowError, check_member, invitation::MAX_INVITATION,
};
use zeroize::Zeroizing;

use super::{JoinArguments, Prepared, Quit, SourceArguments, headless, prepare, window};
use crate::{
    app::{JoinStart, Start},
    explain,
    jobs::read_bounded,
    policy::Policy,
    screens::unlock::data::Password,
    settings::Settings,
    words::Words,
};

/// The exit code of a client that never was in the meeting: the relay was down, or the meeting had not begun.
const NEVER_ENTERED: u8 = 3;

/// How the address of a credential on a card begins (RFC 7512).
const CARD: &str = "pkcs11:";

/// The longest password file that is read.
const MAX_PASSWORD_FILE: usize = 4096;

/// How long a pipe is waited for: somebody may have to unlock a password store first.
const PIPE_PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(arguments: JoinArguments, policy: Policy, words: &Words, quit: &Arc<Quit>) -> Result<u8> {
    let Prepared { mut settings, path, policy } = prepare(policy);
    // What a command line names counts for this meeting; it is not remembered for others.
    let path = if arguments.credential.is_some() { None } else { path };
    if let Some(credential) = arguments.credential {
        settings.credential = Some(credential);
    }
    let password = arguments.password_file.as_deref().map(|path| read_password(path, words)).transpose()?;
    if !arguments.headless.headless {
        use_sources(&mut settings, &arguments.sources);
        let start = JoinStart { invitation: arguments.invitation, password: password.unwrap_or_default() };
        return window(Prepared { settings, path, policy }, Start::Join(start), quit).map(|()| 0);
    }
    arguments.headless.report.as_deref().map(headless::check_report).transpose()?;
    headless::check_sources(&arguments.sources, words)?;
    let credential = settings.credential.clone().context("name a credential with --credential")?;
    let password = match password {
        Some(password) => password,
        None => ask_password(&credential, words)?,
    };
    let (holder, invitation) = unlock(&credential, &password, &arguments.invitation, words)?;
    // Nothing needs it any more, and a meeting is long.
    drop(password);
    policy.check_level(invitation.content().level)?;
    let sources = headless::with_what_is_there(&arguments.sources, headless::StandIn::Nothing, words);
    let mut config = configure(Config::new(holder, invitation), sources);
    if let Some(height) = arguments.headless.height {
        config.video.height = height;
    }
    config.take_over = arguments.take_over;
    policy.apply(&mut config);
    let mut participant = headless::Participant::start(config)?;
    if arguments.orders {
        participant.take_orders()?;
    }
    let end = participant.run(arguments.headless.seconds, &quit.flag, words);
    let entered = participant.has_entered();
    let report = participant.finish();
    if let Some(path) = &arguments.headless.report {
        headless::write_report(path, &report)?;
    }
    Ok(match end {
        None | Some(EndReason::Left | EndReason::Over) if !entered => NEVER_ENTERED,
        None | Some(EndReason::Left | EndReason::Over) => 0,
        Some(
            EndReason::Refused(_)
            | EndReason::Removed
            | EndReason::CardRemoved
            | EndReason::LevelRaised(_)
            | EndReason::Connection(_)
            | EndReason::Credential(_)
            | EndReason::Untrustworthy(_)
            | EndReason::Failed(_),
        ) => 2,
    })
}

/// The devices of the command line, in a configuration.
pub(super) fn configure(mut config: Config, sources: SourceArguments) -> Config {
    config.camera = match sources.camera.unwrap_or_default() {
        // A test picture shows whose it is.
        CameraChoice::Test(test) if test == TestPerson::default() => CameraChoice::Test(TestPerson {
            name: config.holder.person().name.clone(),
            seat: config.holder.person().seat.clone(),
            turns: Turns::NEVER,
            ..test
        }),
        camera @ (CameraChoice::Test(_)
        | CameraChoice::Default
        | CameraChoice::Device(_)
        | CameraChoice::File(_)
        | CameraChoice::Off) => camera,
    };
    config.microphone = sources.microphone.unwrap_or_default();
    config.speaker = sources.speaker.unwrap_or_default();
    config
}

/// The devices of the command line, as if they had been chosen in the window.
pub(super) fn use_sources(settings: &mut Settings, sources: &SourceArguments) {
    match &sources.camera {
        None => {}
        Some(CameraChoice::Off) => settings.camera_on = false,
        Some(CameraChoice::Default) => "default".clone_into(&mut settings.camera),
        Some(CameraChoice::Device(id)) => settings.camera = format!("device:{id}"),
        Some(CameraChoice::File(path)) => settings.camera = format!("file:{}", path.display()),
        Some(CameraChoice::Test(_)) => "test".clone_into(&mut settings.camera),
    }
    match &sources.microphone {
        None => {}
        Some(MicrophoneChoice::Off) => "off".clone_into(&mut settings.microphone),
        Some(MicrophoneChoice::Default) => "default".clone_into(&mut settings.microphone),
        Some(MicrophoneChoice::Device(id)) => settings.microphone = format!("device:{id}"),
        Some(MicrophoneChoice::File(path)) => settings.microphone = format!("file:{}", path.display()),
        Some(MicrophoneChoice::Test { .. }) => "test".clone_into(&mut settings.microphone),
    }
    match &sources.speaker {
        None => {}
        Some(SpeakerChoice::Default) => "default".clone_into(&mut settings.speaker),
        Some(SpeakerChoice::Device(id)) => settings.speaker = format!("device:{id}"),
        Some(SpeakerChoice::Null) => "null".clone_into(&mut settings.speaker),
    }
}

fn read_password(path: &Path, words: &Words) -> Result<Password> {
    let shown = path.display();
    let is_pipe = std::fs::metadata(path).is_ok_and(|found| is_pipe(found.file_type()));
    let bytes = match is_pipe {
        true => read_pipe(path)?,
        false => {
            Zeroizing::new(read_bounded(path, MAX_PASSWORD_FILE).map_err(|error| unreadable(path, &error, words))?)
        }
    };
    if bytes.len() > MAX_PASSWORD_FILE {
        bail!("{shown} is longer than {MAX_PASSWORD_FILE} bytes, so it is no file with a password");
    }
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{shown} is no text, so it holds no password"))?;
    let mut password = Password::with_room();
    password.0.push_str(text.lines().next().unwrap_or_default());
    Ok(password)
}

#[cfg(unix)]
fn is_pipe(kind: std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    kind.is_fifo()
}

#[cfg(not(unix))]
fn is_pipe(_: std::fs::FileType) -> bool {
    false
}

/// Reads a password from a pipe, as of `<(pass conclave)`. One that nobody writes to must not hold the program up for ever.
fn read_pipe(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let shown = path.display();
    let (sender, read) = std::sync::mpsc::sync_channel(1);
    let pipe = path.to_owned();
    // Left behind where nothing comes: a read that waits cannot be ended.
    std::thread::Builder::new().name("password-pipe".to_owned()).spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_PASSWORD_FILE + 1));
        let found = std::fs::File::open(pipe)
            .and_then(|file| file.take(MAX_PASSWORD_FILE as u64 + 1).read_to_end(&mut bytes).map(|_| bytes));
        // Nobody waits any more where it was too late.
        drop(sender.send(found));
    })?;
    match read.recv_timeout(PIPE_PATIENCE) {
        Ok(found) => found.with_context(|| format!("{shown} cannot be read")),
        Err(_) => bail!("{shown} is a pipe, and no password came through it within {} s", PIPE_PATIENCE.as_secs()),
    }
}

/// What is wrong with a file that cannot be read.
fn unreadable(path: &Path, error: &std::io::Error, words: &Words) -> anyhow::Error {
    let said = explain::file_problem(error.kind(), words);
    anyhow::anyhow!("{} cannot be read: {said}", path.display())
}

fn ask_password(credential: &Path, words: &Words) -> Result<Password> {
    if !std::io::stdin().is_terminal() {
        bail!("name a file with the password with --password-file");
    }
    let file = crate::screens::home::data::file_name(credential);
    let prompt = words.tell("cli-password", [("file", file.into())]);
    Ok(Password(Zeroizing::new(rpassword::prompt_password(prompt + " ")?)))
}

/// What is wrong with a file, which is named once.
fn about(file: &Path, said: String) -> anyhow::Error {
    let file = file.display().to_string();
    if said.starts_with(&file) { anyhow::anyhow!("{said}") } else { anyhow::anyhow!("{file}: {said}") }
}

fn unlock(credential: &Path, password: &Password, invitation: &Path, words: &Words) -> Result<(Holder, Invitation)> {
    let wall = wall_clock();
    let bytes = read_bounded(invitation, MAX_INVITATION).map_err(|error| unreadable(invitation, &error, words))?;
    let said = |error| about(invitation, explain::invitation(&error, words));
    let unverified = Invitation::parse(&bytes).map_err(said)?;
    let holder = match credential.to_str().filter(|word| word.starts_with(CARD)) {
        Some(address) => {
            let uri = address.parse::<CardUri>().map_err(CardError::from)?;
            Holder::on_card(&uri, &password.0, wall)?
        }
        None => Holder::open(credential, &password.0, wall)
            .map_err(|error| about(credential, explain::credential(&error, words)))?,
    };
    let invitation = unverified.verify(holder.root(), wall).map_err(said)?;
    let level = invitation.content().level;
    check_member(holder.chain(), &invitation, holder.root(), &Revocations::default(), level, wall)
        .map_err(|error| anyhow::anyhow!("{}", explain::member(&error, words)))?;
    if let Err(error @ WindowError::Over { .. }) = invitation.check_window(wall) {
        bail!("{}", explain::window(error, wall, words));
    }
    Ok((holder, invitation))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use conclave_identity::CredentialError;

    use super::*;

    #[test]
    fn the_password_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "correct horse\nbattery").unwrap();
        assert_eq!(*read_password(&path, &Words::english()).unwrap().0, "correct horse");
    }

    #[test]
    fn an_error_names_its_file_once() {
        let words = Words::english();
        let folder = tempfile::tempdir().unwrap();
        let broken = folder.path().join("broken.conclave");
        fs::write(&broken, "no invitation").unwrap();
        for invitation in [folder.path().join("none.conclave"), broken] {
            let error = unlock(Path::new("a.pem"), &Password::with_room(), &invitation, &words).unwrap_err();
            let error = format!("{error:#}");
            assert_eq!(error.matches(&invitation.display().to_string()).count(), 1, "{error}");
        }
        let error = about(Path::new("a.pem"), words.tell("credential-unreadable", [("file", "a.pem".into())]));
        assert_eq!(error.to_string().matches("a.pem").count(), 1, "{error}");
        assert_eq!(about(Path::new("a.pem"), "It is damaged.".into()).to_string(), "a.pem: It is damaged.");
    }

    #[cfg(unix)]
    #[test]
    fn a_password_comes_through_a_pipe_and_nothing_else_does() {
        let words = Words::english();
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let error = unlock(Path::new("a.pem"), &Password::with_room(), &pipe, &words).unwrap_err();
        assert!(format!("{error:#}").ends_with("pipe cannot be read: it is no ordinary file"), "{error:#}");
        let written = pipe.clone();
        let write = move || fs::write(written, "correct horse\nbattery");
        let writer = std::thread::Builder::new().name("writer".to_owned()).spawn(write).unwrap();
        assert_eq!(*read_password(&pipe, &words).unwrap().0, "correct horse");
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn a_file_that_is_not_there_is_said_in_words_for_people() {
        let words = Words::english();
        let said = read_password(Path::new("none.txt"), &words).unwrap_err().to_string();
        assert_eq!(said, "none.txt cannot be read: there is no such file");
        let said = unlock(Path::new("a.pem"), &Password::with_room(), Path::new("none.conclave"), &words);
        assert_eq!(said.unwrap_err().to_string(), "none.conclave cannot be read: there is no such file");
    }

    #[test]
    fn a_missing_credential_is_said_in_words_for_people() {
        let missing = CredentialError::Read { path: "a.pem".into(), kind: std::io::ErrorKind::NotFound };
        let said = explain::credential(&missing, &Words::english());
        assert!(said.contains("there is no such file") && !said.contains("entity"), "{said}");
    }

    #[test]
    fn a_file_that_is_no_password_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("video.mp4");
        fs::write(&path, vec![b'x'; 5000]).unwrap();
        let error = read_password(&path, &Words::english()).unwrap_err().to_string();
        assert!(error.contains("video.mp4"), "{error}");
    }
}
