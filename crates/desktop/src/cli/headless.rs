//! Taking part without a window.
#![allow(clippy::print_stdout, reason = "a command-line tool speaks on standard output")]

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::Receiver,
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use conclave_capture::{
    CameraChoice, CameraStream, CameraWish, Clock, MicrophoneChoice, MicrophoneStream, SpeakerChoice, TestPerson,
    Turns, devices,
};
use conclave_client::{Client, Command, Config, EndReason, Notice, Notices, OwnShare, Phase, Report, Share, Snapshot};

use conclave_model::{MediaTime, wire::signal::Refusal};

use super::{SourceArguments, lead};
use crate::{explain, words::Words};

/// How often the loop looks around when nothing wakes it.
const LOOK: Duration = Duration::from_millis(200);

/// A participant without a window.
pub(super) struct Participant {
    client: Client,
    notices: Notices,
    woken: Arc<Woken>,
    said: Option<String>,
    entered: bool,
    /// Orders from standard input, and what was last said of what they are about.
    orders: Option<Receiver<String>>,
    standing: Vec<String>,
    /// Whether the leave to share, as it is now, was used.
    began_sharing: bool,
}

/// What takes the place of a camera or microphone that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandIn {
    /// A test source: in demonstrations.
    Test,
    /// Nothing: nobody sends what is made up into a real meeting.
    Nothing,
}

/// Lets the loop sleep until the engine has something to say.
#[derive(Default)]
struct Woken {
    flag: Mutex<bool>,
    came: Condvar,
}

impl Participant {
    /// Starts taking part.
    pub(super) fn start(config: Config) -> Result<Self> {
        let woken = Arc::<Woken>::default();
        let waker = Arc::clone(&woken);
        let wake = move || {
            *waker.flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
            waker.came.notify_one();
        };
        let (client, notices) = Client::start(config, Arc::new(wake))?;
        Ok(Self {
            client,
            notices,
            woken,
            said: None,
            entered: false,
            orders: None,
            standing: Vec::new(),
            began_sharing: false,
        })
    }

    /// Takes orders from standard input from now on.
    pub(super) fn take_orders(&mut self) -> Result<()> {
        self.orders = Some(lead::lines().context("standard input cannot be read")?);
        Ok(())
    }

    /// Carries out what was ordered, and says what has changed.
    fn lead(&mut self, snapshot: &Snapshot) {
        let Some(orders) = &self.orders else { return };
        while let Some(line) = lead::next(orders) {
            match lead::parse(&line, snapshot) {
                Ok(wanted) => {
                    if let Err(error) = self.client.try_send(wanted.into()) {
                        println!("{error}");
                    }
                }
                Err(error) => println!("{error}"),
            }
        }
        self.begin_sharing(snapshot);
        let standing = lead::standing(snapshot);
        for line in standing.iter().filter(|line| !self.standing.contains(line)) {
            println!("{line}");
        }
        self.standing = standing;
    }

    /// Shares what an order named as soon as the chair lets it: without a window nobody is there to say it again.
    fn begin_sharing(&mut self, snapshot: &Snapshot) {
        let OwnShare::Granted { wanted: Some((choice, label)) } = &snapshot.own_share else {
            self.began_sharing = false;
            return;
        };
        if !self.began_sharing {
            self.began_sharing = self.client.try_send(Command::Share(Share::Screen(choice.clone(), *label))).is_ok();
        }
    }

    /// Takes part until the meeting ends, the time is over or the program is told to end.
    ///
    /// Each change of where the participant stands is one line. Returns why the meeting ended, where it did by itself.
    pub(super) fn run(&mut self, seconds: Option<u64>, quit: &AtomicBool, words: &Words) -> Option<EndReason> {
        let deadline = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        loop {
            self.sleep();
            while let Some((notice, _)) = self.notices.try_next() {
                self.on_notice(&notice, words);
            }
            let snapshot = self.client.snapshot();
            let sentence = phase(&snapshot.phase, &snapshot.relay, words);
            if self.said.as_ref() != Some(&sentence) {
                println!("{sentence}");
                self.said = Some(sentence);
            }
            self.entered |= snapshot.phase == Phase::Joined;
            self.lead(&snapshot);
            // Nobody is there to ask.
            if snapshot.phase == Phase::AskTakeOver {
                return Some(EndReason::Refused(Refusal::AlreadyHere));
            }
            if let Phase::Ended(reason) = &snapshot.phase {
                return Some(reason.clone());
            }
            if quit.load(Ordering::Relaxed) || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return None;
            }
        }
    }

    /// Whether it ever was in the meeting.
    pub(super) fn has_entered(&self) -> bool {
        self.entered
    }

    /// Leaves and returns what was measured.
    pub(super) fn finish(self) -> Report {
        // An ended engine takes no command and needs none.
        let _ = self.client.try_send(Command::Leave);
        self.client.join();
        self.client.report()
    }

    fn sleep(&self) {
        let flag = self.woken.flag.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut flag, _) =
            self.woken.came.wait_timeout_while(flag, LOOK, |flag| !*flag).unwrap_or_else(PoisonError::into_inner);
        *flag = false;
        drop(flag);
        // Frames wake more often than there is anything to say.
        std::thread::sleep(LOOK / 10);
    }

    fn on_notice(&self, notice: &Notice, words: &Words) {
        match notice {
            Notice::DeviceLost { error, .. } => println!("{}", explain::capture(error, words)),
            Notice::DeviceBack { name, .. } => {
                println!("{}", words.tell("toast-device-back", [("name", name.as_str().into())]));
            }
            Notice::NewcomerRefused { reason, .. } => {
                println!("{}", words.tell("toast-newcomer-refused", [("reason", reason.as_str().into())]));
            }
            Notice::ConnectionLost(reason) => println!("{}", explain::retry(reason, words)),
            Notice::Reconnected => println!("{}", words.say("toast-reconnected")),
            Notice::Undecryptable { who, frames, .. } => {
                let who = who.as_deref().unwrap_or("nobody");
                println!("{}", words.tell("toast-undecryptable", [("who", who.into()), ("frames", (*frames).into())]));
            }
            Notice::OrderRefused(error) => println!("{}", explain::order(error, words)),
            Notice::Objected { .. }
            | Notice::Forged { .. }
            | Notice::Diverged { .. }
            | Notice::Revoked { .. }
            | Notice::NobodyVouched => {
                if let Some(sentence) = explain::foul(notice, words) {
                    println!("{sentence}");
                }
            }
            Notice::Sharing(notice) => println!("{}", explain::sharing::notice(notice, words)),
            Notice::EncoderFailed { reason, .. } => {
                println!("{}", words.tell("toast-encoder", [("reason", reason.as_str().into())]));
            }
        }
    }
}

fn phase(phase: &Phase, relay: &str, words: &Words) -> String {
    match phase {
        Phase::Connecting { last_error: None, .. } => words.tell("stage-connecting", [("relay", relay.into())]),
        Phase::Connecting { last_error: Some(why), .. } | Phase::Reconnecting { why, .. } => explain::retry(why, words),
        Phase::TooEarly { begins } => words.tell(
            "stage-too-early",
            [("when", crate::time::moment(*begins, conclave_client::wall_clock(), words).into())],
        ),
        Phase::Waiting => words.say("stage-waiting"),
        Phase::Locked => words.say("stage-locked"),
        Phase::AskTakeOver => words.say("cli-take-over"),
        Phase::Joined => words.say("stage-joined"),
        Phase::Ended(reason) => explain::end(reason, words),
    }
}

/// Puts test sources in place of default devices that are not there, and says so in a line each.
pub(super) fn with_what_is_there(sources: &SourceArguments, stand_in: StandIn, words: &Words) -> SourceArguments {
    let mut sources = sources.clone();
    let camera = sources.camera.get_or_insert_default();
    let microphone = sources.microphone.get_or_insert_default();
    let speaker = sources.speaker.get_or_insert_default();
    if *camera != CameraChoice::Default
        && *microphone != MicrophoneChoice::Default
        && *speaker != SpeakerChoice::Default
    {
        return sources;
    }
    let found = devices();
    let reason = |kind| {
        let mut errors = found.errors.iter().filter(|error| explain::is_about(error, kind));
        let said = errors.next().map(|error| explain::capture(error, words));
        said.unwrap_or_else(|| words.say("cli-nothing-found"))
    };
    if *camera == CameraChoice::Default && found.cameras.is_empty() {
        let reason = reason(conclave_capture::DeviceKind::Camera);
        let (message, choice) = match stand_in {
            StandIn::Test => ("cli-no-camera", CameraChoice::Test(TestPerson::default())),
            StandIn::Nothing => ("cli-without-camera", CameraChoice::Off),
        };
        println!("{}", words.tell(message, [("reason", reason.into())]));
        *camera = choice;
    }
    if *microphone == MicrophoneChoice::Default && found.microphones.is_empty() {
        let reason = reason(conclave_capture::DeviceKind::Microphone);
        let (message, choice) = match stand_in {
            StandIn::Test => ("cli-no-microphone", MicrophoneChoice::Test { seed: 0, turns: Turns::NEVER }),
            StandIn::Nothing => ("cli-without-microphone", MicrophoneChoice::Off),
        };
        println!("{}", words.tell(message, [("reason", reason.into())]));
        *microphone = choice;
    }
    if *speaker == SpeakerChoice::Default && found.speakers.is_empty() {
        let reason = reason(conclave_capture::DeviceKind::Speaker);
        println!("{}", words.tell("cli-no-speaker", [("reason", reason.into())]));
        *speaker = SpeakerChoice::Null;
    }
    sources
}

/// Tries whether a report can be written, before the meeting that it is about. Leaves the file as it was.
///
/// # Errors
/// Which file, and what the system says.
pub(super) fn check_report(path: &Path) -> Result<()> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        // A pipe or terminal: opening it may wait for a reader, closing it may be its end.
        return Ok(());
    }
    let was_there = fs::symlink_metadata(path).is_ok();
    let unwritable = || format!("{} cannot be written", path.display());
    fs::OpenOptions::new().append(true).create(true).open(path).with_context(unwritable)?;
    if was_there { Ok(()) } else { fs::remove_file(path).with_context(unwritable) }
}

/// Writes what was measured.
pub(super) fn write_report(path: &Path, report: &Report) -> Result<()> {
    let json = serde_json::to_string_pretty(report)?;
    fs::write(path, json).with_context(|| format!("{} cannot be written", path.display()))
}

/// One line on what was measured.
pub(super) fn summary(report: &Report) -> String {
    let mut rates: Vec<f64> = report.pairs.iter().map(|pair| pair.video_fps).collect();
    rates.sort_by(f64::total_cmp);
    let median = rates.get(rates.len() / 2).copied().unwrap_or(0.0);
    format!(
        "{} participants, {} pairs, median {median:.1} frames/s, {:.1} s CPU in {:.1} s, {:.0} MB at most",
        report.participants.len(),
        report.pairs.len(),
        report.process.cpu_s,
        report.process.wall_s,
        report.process.rss_peak_mb,
    )
}

/// Opens each camera and microphone that the command line names, and closes it again, before a meeting depends on it:
/// without a window nobody is there to choose another.
pub(super) fn check_sources(sources: &SourceArguments, words: &Words) -> Result<()> {
    let said = |error| anyhow::anyhow!("{}", explain::capture(&error, words));
    let ordinary = |path: &Path| {
        conclave_identity::credential::open_file(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let clock: Clock = Arc::new(|| MediaTime(0));
    if let Some(choice @ (CameraChoice::File(_) | CameraChoice::Device(_))) = &sources.camera {
        if let CameraChoice::File(path) = choice {
            ordinary(path)?;
        }
        let wish = CameraWish { width: 640, height: 360, frames_per_second: 30 };
        CameraStream::open(choice, wish, Arc::clone(&clock), |_| {}).map_err(said)?;
    }
    if let Some(choice @ (MicrophoneChoice::File(_) | MicrophoneChoice::Device(_))) = &sources.microphone {
        if let MicrophoneChoice::File(path) = choice {
            ordinary(path)?;
        }
        MicrophoneStream::open(choice, clock, |_| {}).map_err(said)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_source_that_is_named_and_none_is_refused_before_the_meeting() {
        let words = Words::english();
        let folder = tempfile::tempdir().unwrap();
        let (missing, none) = (folder.path().join("missing"), folder.path().join("none"));
        fs::write(&none, "neither picture nor sound").unwrap();
        let named = |camera, microphone| SourceArguments { camera, microphone, speaker: None };
        for path in [missing, none] {
            let camera = named(Some(CameraChoice::File(path.clone())), Some(MicrophoneChoice::Off));
            let microphone = named(Some(CameraChoice::Off), Some(MicrophoneChoice::File(path.clone())));
            for sources in [camera, microphone] {
                let error = format!("{:#}", check_sources(&sources, &words).unwrap_err());
                assert!(error.contains(&path.display().to_string()), "{error}");
            }
        }
        check_sources(&named(Some(CameraChoice::Off), None), &words).unwrap();
        check_sources(&named(None, Some(MicrophoneChoice::Off)), &words).unwrap();
    }

    #[test]
    fn a_report_that_cannot_be_written_is_refused_before_the_meeting() {
        let folder = tempfile::tempdir().unwrap();
        for place in [folder.path().to_owned(), folder.path().join("no/such/report.json"), "".into()] {
            let error = check_report(&place).unwrap_err().to_string();
            assert!(error.starts_with(&place.display().to_string()) && error.contains("cannot be written"), "{error}");
        }
    }

    #[test]
    fn trying_the_report_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (folder.path().join("new.json"), folder.path().join("old.json"));
        fs::write(&old, "of the last meeting").unwrap();
        check_report(&new).unwrap();
        check_report(&old).unwrap();
        assert!(!new.exists());
        assert_eq!(fs::read_to_string(old).unwrap(), "of the last meeting");
    }
}
