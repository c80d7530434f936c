//! Leading a meeting without a window: orders from standard input, and what there is to decide on, a line each.

use std::{
    io::{self, BufRead, Read as _},
    sync::mpsc::{Receiver, sync_channel},
};

use conclave_capture::ScreenChoice;
use conclave_client::{Command, Order, OwnShare, Share, Snapshot, Waiting};
use conclave_model::{LeafIndex, Level};

/// The longest line that is read.
const MAX_LINE: u64 = 1024;

/// How many lines may wait.
const LINES: usize = 64;

/// A line of standard input that is no order, or one that nobody is there for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    /// No order begins so.
    #[error(
        "\"{0}\" is no order; use admit all, admit NAME, deny NAME, eject NAME, lock, unlock, level LEVEL, consent LEVEL, share SOURCE, share SOURCE LEVEL, stop sharing, grant NAME or refuse NAME"
    )]
    Unknown(String),
    /// Nobody of that name waits.
    #[error("nobody named \"{0}\" waits in the lobby")]
    NotWaiting(String),
    /// Nobody of that name is a member.
    #[error("nobody named \"{0}\" is in the meeting")]
    NotMember(String),
    /// A level that is none; what the model says of it.
    #[error("{0}")]
    Level(String),
    /// What is to be shared is nothing; what the parser says of it.
    #[error("{0}")]
    Source(String),
}

/// What a line wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Of leading the meeting.
    Lead(Order),
    /// Of sharing screens.
    Share(Share),
}

impl From<Wanted> for Command {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Lead(order) => Self::Lead(order),
            Wanted::Share(share) => Self::Share(share),
        }
    }
}

/// What a line wants, given who waits and who is here.
pub(super) fn parse(line: &str, snapshot: &Snapshot) -> Result<Wanted, LineError> {
    let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let rest = rest.trim();
    let lead = |order| Ok(Wanted::Lead(order));
    match (word, rest) {
        ("admit", "all") => lead(Order::Admit(Vec::new())),
        ("admit", name) if !name.is_empty() => lead(Order::Admit(vec![waiting(name, snapshot)?.reference])),
        ("deny", name) if !name.is_empty() => lead(Order::Deny(waiting(name, snapshot)?.reference)),
        ("eject", name) if !name.is_empty() => lead(Order::Eject(member(name, snapshot)?)),
        ("lock", "") => lead(Order::Lock(true)),
        ("unlock", "") => lead(Order::Lock(false)),
        ("level", word) => lead(Order::SetLevel(level(word)?)),
        ("consent", word) => lead(Order::Consent(level(word)?)),
        ("share", source) if !source.is_empty() => share(source, snapshot).map(Wanted::Share),
        ("stop", "sharing") if snapshot.own_share == OwnShare::Idle => Ok(Wanted::Share(Share::StopSharer)),
        ("stop", "sharing") => Ok(Wanted::Share(Share::Stop)),
        ("grant", name) if !name.is_empty() => Ok(Wanted::Share(Share::Grant(member(name, snapshot)?))),
        ("refuse", name) if !name.is_empty() => Ok(Wanted::Share(Share::Deny(member(name, snapshot)?))),
        _ => Err(LineError::Unknown(line.trim().chars().take(80).collect())),
    }
}

/// A source and its level, which is the meeting's where none is named.
fn share(words: &str, snapshot: &Snapshot) -> Result<Share, LineError> {
    let (source, label) = match words.rsplit_once(' ') {
        Some((source, word)) => (source.trim(), level(word)?),
        None => (words, snapshot.level),
    };
    let choice = source
        .parse::<ScreenChoice>()
        .map_err(|error: <ScreenChoice as std::str::FromStr>::Err| LineError::Source(error.to_string()))?;
    Ok(Share::Screen(choice, label))
}

fn member(name: &str, snapshot: &Snapshot) -> Result<LeafIndex, LineError> {
    let found = snapshot.participants.iter().find(|participant| participant.person.name == name);
    found.map(|member| member.leaf).ok_or_else(|| LineError::NotMember(name.to_owned()))
}

fn level(word: &str) -> Result<Level, LineError> {
    word.parse().map_err(|error: <Level as std::str::FromStr>::Err| LineError::Level(error.to_string()))
}

fn waiting<'a>(name: &str, snapshot: &'a Snapshot) -> Result<&'a Waiting, LineError> {
    let is_named = |waiting: &&Waiting| waiting.person.as_ref().is_some_and(|person| person.name == name);
    snapshot.lobby.iter().find(is_named).ok_or_else(|| LineError::NotWaiting(name.to_owned()))
}

/// Lines of standard input, read on a thread of their own: nothing waits for them.
pub(super) fn lines() -> io::Result<Receiver<String>> {
    let (sender, receiver) = sync_channel(LINES);
    std::thread::Builder::new().name("orders".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if !line.is_empty() && sender.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// The next line, if there is one.
pub(super) fn next(lines: &Receiver<String>) -> Option<String> {
    lines.try_recv().ok()
}

/// Who shares a screen, and of which level.
fn sharing(snapshot: &Snapshot, name: impl Fn(LeafIndex) -> Option<String>) -> String {
    let shared = snapshot.stage.shared.and_then(|shared| Some((name(shared.leaf)?, shared.label)));
    shared.map_or_else(|| "nobody".to_owned(), |(name, label)| format!("{name} ({})", label.word()))
}

fn own_screen(own: &OwnShare) -> &'static str {
    match own {
        OwnShare::Idle => "idle",
        OwnShare::Asking { .. } => "asked for",
        OwnShare::Granted { .. } => "granted",
        OwnShare::Opening { .. } => "opening",
        OwnShare::Sharing { paused: None, .. } => "shared",
        OwnShare::Sharing { paused: Some(_), .. } => "paused",
    }
}

/// What whoever leads has to know, a line for each thing that can change: level, lock, chair, lobby, safety words.
///
/// Scripts rely on the words before the colons. Empty while not a member.
pub(super) fn standing(snapshot: &Snapshot) -> Vec<String> {
    let Some(governance) = &snapshot.governance else { return Vec::new() };
    let name = |leaf| {
        let member = snapshot.participants.iter().find(|participant| participant.leaf == leaf)?;
        Some(member.person.name.clone())
    };
    let chair = governance.chair.and_then(name).unwrap_or_else(|| "nobody".to_owned());
    let members: Vec<&str> = snapshot.participants.iter().map(|participant| participant.person.name.as_str()).collect();
    let in_lobby = |waiting: &Waiting| {
        let name = waiting.person.as_ref().map_or("somebody without a valid certificate", |person| &person.name);
        match &waiting.problem {
            None => name.to_owned(),
            Some(problem) => format!("{name} ({problem})"),
        }
    };
    let lobby: Vec<String> = snapshot.lobby.iter().map(in_lobby).collect();
    let asking: Vec<String> = snapshot.stage.requests.iter().filter_map(|request| name(request.leaf)).collect();
    vec![
        format!("level: {}", snapshot.level.word()),
        format!("locked: {}", if governance.locked { "yes" } else { "no" }),
        format!("chair: {chair}"),
        format!("members: {}", members.join(", ")),
        format!("lobby: {}", lobby.join(", ")),
        format!("sharing: {}", sharing(snapshot, name)),
        format!("asking to share: {}", asking.join(", ")),
        format!("own screen: {}", own_screen(&snapshot.own_share)),
        format!("agreed: {}", governance.consent.map_or("nothing", Level::word)),
        format!("words: {} (epoch {})", governance.words.join(" "), snapshot.epoch),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{sync::Arc, time::Instant};

    use conclave_model::LeafRef;

    use super::*;
    use crate::sketch;

    fn snapshot() -> Snapshot {
        let mut snapshot = sketch::snapshot(3);
        let guest = snapshot.participants[2].person.clone();
        snapshot.participants.truncate(2);
        let waiting =
            Waiting { reference: LeafRef([9; 16]), person: Some(guest), problem: None, since: Instant::now() };
        snapshot.lobby = Arc::from([waiting]);
        snapshot
    }

    #[test]
    fn lines_become_orders() {
        let snapshot = snapshot();
        let guest = snapshot.lobby[0].person.as_ref().unwrap().name.clone();
        let member = &snapshot.participants[1];
        let reference = LeafRef([9; 16]);
        for (line, order) in [
            ("admit all".to_owned(), Order::Admit(Vec::new())),
            (format!("admit {guest}"), Order::Admit(vec![reference])),
            (format!(" deny  {guest} "), Order::Deny(reference)),
            (format!("eject {}", member.person.name), Order::Eject(member.leaf)),
            ("lock".to_owned(), Order::Lock(true)),
            ("unlock".to_owned(), Order::Lock(false)),
            ("level secret".to_owned(), Order::SetLevel(Level::Secret)),
            ("consent unclassified".to_owned(), Order::Consent(Level::Unclassified)),
        ] {
            assert_eq!(parse(&line, &snapshot), Ok(Wanted::Lead(order)), "{line}");
        }
        let test = ScreenChoice::Test(conclave_capture::TestPage::Text);
        for (line, share) in [
            ("share test".to_owned(), Share::Screen(test.clone(), snapshot.level)),
            ("share test unclassified".to_owned(), Share::Screen(test, Level::Unclassified)),
            (
                "share screen:HDMI-1 secret".to_owned(),
                Share::Screen(ScreenChoice::Screen("HDMI-1".into()), Level::Secret),
            ),
            ("stop sharing".to_owned(), Share::StopSharer),
            (format!("grant {}", member.person.name), Share::Grant(member.leaf)),
            (format!("refuse {}", member.person.name), Share::Deny(member.leaf)),
        ] {
            assert_eq!(parse(&line, &snapshot), Ok(Wanted::Share(share)), "{line}");
        }
    }

    #[test]
    fn what_is_no_order_is_named() {
        let snapshot = snapshot();
        for line in [
            "",
            "admit",
            "lock now",
            "promote Anna",
            "level",
            "level cosmic",
            "eject Nobody",
            "deny Nobody",
            "grant Nobody",
            "share",
            "share nothing",
            "share test cosmic",
        ] {
            let error = parse(line, &snapshot).unwrap_err().to_string();
            let about = line.split(' ').next_back().unwrap_or_default();
            assert!(error.contains(about), "{line}: {error}");
        }
    }
}
