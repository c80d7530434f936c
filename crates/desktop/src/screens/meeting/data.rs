//! What the meeting shows. [`data`](fn@data) makes it of the engine's [`Snapshot`], without a window.

use conclave_client::{KeyState, LocalSource, Participant, Phase, Quality, Snapshot, Standing};
use conclave_model::{LeafIndex, Level, Role, SeatRank};
use conclave_session::SourceState;
use fluent_bundle::FluentValue;

use super::{
    devices::{self, DeviceList, Openness},
    speakers::Speakers,
    voice,
};
use crate::{
    explain,
    screens::{
        control::data::{ControlData, control},
        lead::data::{self as lead, Charter, LeadData},
        lobby::data::{self as lobby, LobbyData},
        preview::data::{Kind, Picker, SourceView},
        security::data::{self as security, SecurityData},
        share::data::{self as share, ShareData},
    },
    time::{self, Now},
    widgets::Urgency,
    words::Words,
};

/// Everything on the meeting's screen.
#[derive(Clone, Debug)]
pub struct MeetingData {
    /// The title.
    pub title: String,
    /// The level.
    pub level: Level,
    /// Where the person stands with the meeting.
    pub stage: Stage,
    /// Who is there, in the order of the table.
    pub tiles: Vec<TileData>,
    /// The own microphone.
    pub microphone: ControlData,
    /// The own camera.
    pub camera: ControlData,
    /// Microphones and loudspeakers to choose from.
    pub sound_devices: [DeviceList; 2],
    /// How the own voice is prepared, as a list to choose from.
    pub voice: DeviceList,
    /// Cameras to choose from.
    pub picture_devices: [DeviceList; 1],
    /// The loudspeaker that is really open, or why none is, in words.
    pub speaker: String,
    /// Whether there is no loudspeaker.
    pub speaker_trouble: bool,
    /// How good the connection is.
    pub quality: QualityData,
    /// What the encryption is, in words.
    pub encryption: String,
    /// Who waits.
    pub lobby: LobbyData,
    /// What the person can do as chair or originator.
    pub lead: LeadData,
    /// What can be checked.
    pub security: SecurityData,
    /// What is shared and by whom.
    pub share: ShareData,
}

/// Where the person stands with the meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not in it yet: what is being waited for, and what went wrong before.
    Entering {
        /// One sentence.
        sentence: String,
        /// More of it.
        detail: Option<String>,
        /// What can be done about it.
        offer: Option<Offer>,
    },
    /// At the table.
    Seated,
    /// The connection is lost and being made again.
    Reconnecting {
        /// One sentence.
        sentence: String,
    },
}

/// What can be done about what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Try at once.
    Retry,
    /// Go on here and end the other connection.
    TakeOver,
    /// See who waits.
    Lobby,
}

/// What stands in the strip above the tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripData {
    /// How urgent it is.
    pub urgency: Urgency,
    /// In one sentence.
    pub sentence: String,
    /// What can be done about it.
    pub offer: Option<Offer>,
}

/// One person's tile, and their row in the list.
#[derive(Clone, Debug)]
pub struct TileData {
    /// The place in the group.
    pub leaf: LeafIndex,
    /// The certified name.
    pub name: String,
    /// The seat, as "Finland".
    pub seat: String,
    /// Its code, as "FI".
    pub seat_code: String,
    /// Role and rank, in words.
    pub role: String,
    /// Whether they lead the meeting.
    pub chair: bool,
    /// Whether it is the person at the machine.
    pub mine: bool,
    /// Their microphone.
    pub microphone: SourceState,
    /// Their camera.
    pub camera: SourceState,
    /// Their key.
    pub key: KeyState,
    /// Whether they have shown that they are in the same meeting.
    pub standing: Standing,
    /// What both mean, in words.
    pub state: String,
    /// Whether they speak.
    pub speaking: bool,
    /// Whether their newest picture may be shown.
    pub show_picture: bool,
    /// Whether what comes of their camera cannot be decoded.
    pub picture_fails: bool,
    /// All of it in one sentence, for screen readers.
    pub spoken: String,
}

/// How good the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualityData {
    /// From 0 to 4.
    pub bars: u8,
    /// In one word.
    pub word: String,
    /// With numbers.
    pub detail: String,
}

impl MeetingData {
    /// Whether somebody works against the meeting: keeps people apart, or speaks in another's name.
    pub fn is_attacked(&self) -> bool {
        self.tiles.iter().any(|tile| tile.standing == Standing::Diverged || tile.key == KeyState::Forged)
    }
}

/// Makes the screen of a snapshot. `pickers` are what is plugged in: cameras, microphones, loudspeakers.
pub fn data(
    snapshot: &Snapshot,
    speakers: &Speakers,
    pickers: &[Picker; 3],
    charter: &Charter,
    now: Now,
    words: &Words,
) -> MeetingData {
    let mut people: Vec<&Participant> = snapshot.participants.iter().collect();
    people.sort_by_key(|participant| table_order(participant));
    let tiles: Vec<TileData> =
        people.into_iter().map(|participant| tile(participant, snapshot, speakers, words)).collect();
    let speaker_trouble = snapshot.speaker.open_device.is_none() && snapshot.speaker.problem.is_some();
    let speaker = match (&snapshot.speaker.open_device, &snapshot.speaker.problem) {
        (Some(device), _) => words.tell("speaker-open", [("device", device.as_str().into())]),
        (None, Some(problem)) => explain::capture(problem, words),
        (None, None) => words.say("speaker-none"),
    };
    MeetingData {
        title: snapshot.title.clone(),
        level: snapshot.level,
        stage: stage(snapshot, charter, now.wall, words),
        microphone: control(Kind::Microphone, &own_source(&snapshot.microphone, &pickers[1], words), words),
        camera: control(Kind::Camera, &own_source(&snapshot.camera, &pickers[0], words), words),
        sound_devices: [
            source_list(Kind::Microphone, &pickers[1], &snapshot.microphone, true, words),
            speaker_list(&pickers[2], snapshot, words),
        ],
        voice: voice::list(snapshot.voice, &pickers[1].chosen, words),
        picture_devices: [source_list(Kind::Camera, &pickers[0], &snapshot.camera, snapshot.camera.on, words)],
        speaker,
        speaker_trouble,
        quality: quality(&snapshot.quality, &snapshot.relay, words),
        encryption: words.tell(
            "encryption-detail",
            [("count", tiles.len().into()), ("suite", snapshot.suite.into()), ("epoch", snapshot.epoch.0.into())],
        ),
        lobby: lobby::data(snapshot, now, words),
        lead: lead::data(snapshot, charter, now.wall, words),
        security: security::data(snapshot, now, words),
        share: share::data(snapshot, now, words),
        tiles,
    }
}

/// The chair first, then by seat, head before deputy before expert; the same at everybody's window.
fn table_order(participant: &Participant) -> (bool, String, u8, String) {
    let person = &participant.person;
    let rank = match person.rank {
        SeatRank::Head => 0,
        SeatRank::Deputy => 1,
        SeatRank::Expert => 2,
    };
    (person.role != Role::Chair, person.seat.to_lowercase(), rank, person.name.to_lowercase())
}

fn tile(participant: &Participant, snapshot: &Snapshot, speakers: &Speakers, words: &Words) -> TileData {
    let person = &participant.person;
    // Of ourselves we show what is really open, not what we announced.
    let own = |source: &LocalSource| match (source.on, &source.open_device) {
        (false, _) => SourceState::Off,
        (true, Some(_)) => SourceState::On,
        (true, None) => SourceState::Missing,
    };
    let (microphone, camera) = if participant.is_me {
        (own(&snapshot.microphone), own(&snapshot.camera))
    } else {
        (participant.microphone, participant.camera)
    };
    let speaking = microphone == SourceState::On && speakers.is_lit(participant.leaf);
    let show_picture = camera == SourceState::On && !is_broken(participant.key);
    // Who leads is what the group agrees on; before that is known, nobody does.
    let chair = snapshot.governance.as_ref().and_then(|governance| governance.chair);
    let role = match person.role {
        Role::Delegate => words.rank(person.rank),
        Role::Chair | Role::Interpreter | Role::Observer | Role::Secretariat => words.role(person.role),
    };
    let state = state_words(participant, words);
    TileData {
        leaf: participant.leaf,
        name: person.name.clone(),
        seat: person.seat.clone(),
        seat_code: person.seat_code.clone(),
        chair: chair == Some(participant.leaf),
        mine: participant.is_me,
        microphone,
        camera,
        key: participant.key,
        standing: participant.standing,
        speaking,
        show_picture,
        picture_fails: show_picture && participant.picture_fails,
        spoken: spoken(participant, &role, microphone, camera, speaking, &state, words),
        state,
        role,
    }
}

fn spoken(
    participant: &Participant,
    role: &str,
    microphone: SourceState,
    camera: SourceState,
    speaking: bool,
    state: &str,
    words: &Words,
) -> String {
    let person = &participant.person;
    let who = words.tell(
        if participant.is_me { "tile-spoken-me" } else { "tile-spoken" },
        [("name", person.name.as_str().into()), ("seat", person.seat.as_str().into()), ("role", role.into())],
    );
    let microphone = words.say(match (speaking, microphone) {
        (true, _) => "tile-speaking",
        (false, SourceState::On) => "tile-microphone-on",
        (false, SourceState::Off) => "tile-microphone-off",
        (false, SourceState::Missing) => "tile-microphone-missing",
    });
    let camera = words.say(match (camera, participant.picture_fails) {
        (SourceState::On, true) => "tile-camera-fails",
        (SourceState::On, false) => "tile-camera-on",
        (SourceState::Off, _) => "tile-camera-off",
        (SourceState::Missing, _) => "tile-camera-missing",
    });
    format!("{who} {microphone} {camera} {state}")
}

/// What the state of a member's keys means.
fn state_words(participant: &Participant, words: &Words) -> String {
    match participant.standing {
        Standing::Diverged => words.say("standing-diverged"),
        Standing::Silent if !is_broken(participant.key) => words.say("standing-silent"),
        Standing::Silent | Standing::Confirmed => key_words(participant.key, words),
    }
}

/// Whether nothing of a member is shown or played.
fn is_broken(key: KeyState) -> bool {
    matches!(key, KeyState::Failing | KeyState::Unproven | KeyState::Forged)
}

/// What the state of a key means.
pub fn key_words(key: KeyState, words: &Words) -> String {
    words.say(match key {
        KeyState::Verified => "key-verified",
        KeyState::Open => "key-open",
        KeyState::Failing => "key-failing",
        KeyState::Unproven => "key-unproven",
        KeyState::Forged => "key-forged",
    })
}

fn stage(snapshot: &Snapshot, charter: &Charter, wall: u64, words: &Words) -> Stage {
    let relay = || [("relay", snapshot.relay.as_str().into())];
    match &snapshot.phase {
        Phase::Connecting { attempt, last_error } => Stage::Entering {
            sentence: words.tell("stage-connecting", relay()),
            detail: last_error.as_ref().map(|why| {
                let attempt = words.tell("stage-attempt", [("attempt", (*attempt).into())]);
                format!("{} {attempt}", explain::retry(why, words))
            }),
            offer: last_error.is_some().then_some(Offer::Retry),
        },
        Phase::TooEarly { begins } => Stage::Entering {
            sentence: words.tell("stage-too-early", [("when", time::moment(*begins, wall, words).into())]),
            detail: Some(words.say("stage-too-early-detail")),
            offer: None,
        },
        Phase::Waiting if charter.has_lobby => Stage::Entering {
            sentence: words.say("stage-lobby"),
            detail: Some(words.say("stage-lobby-detail")),
            offer: None,
        },
        Phase::Waiting => Stage::Entering {
            sentence: words.say("stage-waiting"),
            detail: Some(words.say("stage-waiting-detail")),
            offer: None,
        },
        Phase::Locked => Stage::Entering {
            sentence: words.say("stage-locked"),
            detail: Some(words.say("stage-locked-detail")),
            offer: None,
        },
        Phase::AskTakeOver => Stage::Entering {
            sentence: words.say("stage-ask-take-over"),
            detail: Some(words.say("stage-ask-take-over-detail")),
            offer: Some(Offer::TakeOver),
        },
        Phase::Joined => Stage::Seated,
        Phase::Reconnecting { attempt, retry_in, why } => {
            let why = explain::retry(why, words);
            let next = if retry_in.is_zero() {
                words.tell("stage-reconnecting-now", [("attempt", (*attempt).into())])
            } else {
                words.tell("stage-reconnecting-in", [("seconds", retry_in.as_secs_f32().ceil().into())])
            };
            Stage::Reconnecting { sentence: format!("{why} {next}") }
        }
        // The window shows its own screen for this; the sentence is for the moment between the two.
        Phase::Ended(reason) => Stage::Entering { sentence: explain::end(reason, words), detail: None, offer: None },
    }
}

fn own_source(source: &LocalSource, picker: &Picker, words: &Words) -> SourceView {
    // A device that was given up on purpose is no trouble of its own, and still none is open.
    let given_up = || (picker.chosen == "off").then(|| words.say("device-none"));
    SourceView {
        on: source.on,
        device: source.open_device.clone(),
        problem: source.problem.as_ref().map(|problem| explain::capture(problem, words)).or_else(given_up),
        level: source.level,
    }
}

/// A microphone is open while muted as well: its level is shown.
fn source_list(kind: Kind, picker: &Picker, source: &LocalSource, wanted: bool, words: &Words) -> DeviceList {
    let problem = source.problem.as_ref().map(|problem| explain::capture(problem, words));
    let standing = Openness { wanted, open: source.open_device.as_deref(), problem: problem.as_deref() };
    devices::list(kind, picker, standing, words)
}

fn speaker_list(picker: &Picker, snapshot: &Snapshot, words: &Words) -> DeviceList {
    let problem = snapshot.speaker.problem.as_ref().map(|problem| explain::capture(problem, words));
    let standing =
        Openness { wanted: true, open: snapshot.speaker.open_device.as_deref(), problem: problem.as_deref() };
    devices::list(Kind::Speaker, picker, standing, words)
}

/// Bars by what people notice: delay above ITU-T G.114's 150 ms one way, loss above what concealment hides.
fn quality(quality: &Quality, relay: &str, words: &Words) -> QualityData {
    let round_trip = quality.round_trip.map(|time| time.as_secs_f32() * 1000.0);
    let bars = if !quality.path_up {
        0
    } else {
        let by_time = match round_trip.unwrap_or(0.0) {
            ..120.0 => 4,
            ..250.0 => 3,
            ..500.0 => 2,
            _ => 1,
        };
        let by_loss = match quality.loss {
            ..0.02 => 4,
            ..0.06 => 3,
            ..0.15 => 2,
            _ => 1,
        };
        by_time.min(by_loss)
    };
    let word = words.say(match bars {
        0 => "quality-none",
        1 => "quality-bad",
        2 => "quality-fair",
        3 => "quality-good",
        _ => "quality-very-good",
    });
    let detail = words.tell(
        "quality-detail",
        [
            ("relay", relay.into()),
            ("time", round_trip.map_or_else(|| "–".to_owned(), |time| format!("{time:.0}")).into()),
            ("loss", format!("{:.0}", quality.loss * 100.0).into()),
        ],
    );
    let squeezed = match quality.squeezed {
        0 => String::new(),
        count => format!(" {}", words.tell("quality-squeezed", [("count", count.into())])),
    };
    QualityData { bars, word, detail: detail + &squeezed }
}

/// The strip above the tiles, if there is something to say; the gravest first. Who waits is not said where it is seen.
pub fn strip(data: &MeetingData, lobby_is_seen: bool, words: &Words) -> Option<StripData> {
    if let Stage::Reconnecting { sentence } = &data.stage {
        let (sentence, offer) = (sentence.clone(), Some(Offer::Retry));
        return Some(StripData { urgency: Urgency::Warning, sentence, offer });
    }
    let names = |wanted: &dyn Fn(&TileData) -> bool| {
        let names: Vec<&str> = data.tiles.iter().filter(|tile| wanted(tile)).map(|tile| tile.name.as_str()).collect();
        names.join(", ")
    };
    let diverged = names(&|tile| tile.standing == Standing::Diverged);
    let forged = names(&|tile| tile.key == KeyState::Forged);
    let failing = names(&|tile| tile.key == KeyState::Failing);
    let grave = [("strip-diverged", diverged), ("strip-key-forged", forged), ("strip-key-failing", failing)];
    if let Some((message, names)) = grave.into_iter().find(|(_, names)| !names.is_empty()) {
        let sentence = words.tell(message, [("names", names.into())]);
        return Some(StripData { urgency: Urgency::Bad, sentence, offer: None });
    }
    let Some(first) = data.lobby.rows.first().filter(|_| data.lobby.leads && !lobby_is_seen) else {
        let first = data.share.requests.first().filter(|_| !lobby_is_seen)?;
        let count = data.share.requests.len();
        let sentence = words.tell("strip-share", asking(count, &first.name));
        return Some(StripData { urgency: Urgency::Notice, sentence, offer: Some(Offer::Lobby) });
    };
    let count = data.lobby.rows.len();
    let sentence = words.tell("strip-lobby", asking(count, &first.name));
    Some(StripData { urgency: Urgency::Notice, sentence, offer: Some(Offer::Lobby) })
}

/// How many want something of the chair, and who the first is.
fn asking(count: usize, name: &str) -> [(&'static str, FluentValue<'_>); 3] {
    [("count", count.into()), ("name", name.into()), ("others", count.saturating_sub(1).into())]
}
