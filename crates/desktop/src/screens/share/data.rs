//! What is shared and by whom, in words. Pure: the engine decides in the end.

use conclave_capture::{ScreenKind, ScreenSource};
use conclave_client::{OwnShare, Participant, ScreenChoice, ScreenPause, Snapshot};
use conclave_identity::Sharing;
use conclave_model::{LeafIndex, Level};
use conclave_session::SourceState;

use crate::{screens::lobby::data::since, time::Now, words::Words};

/// Everything about sharing.
#[derive(Clone, Debug)]
pub struct ShareData {
    /// The button in the bar.
    pub button: ShareButton,
    /// How the own screen stands.
    pub own: Own,
    /// How the own sharing would begin.
    pub way: Way,
    /// Whose screen would no longer be shared if the person's were; the certified name.
    pub replaces: Option<String>,
    /// What somebody else shares.
    pub shown: Option<ShownScreen>,
    /// Who asks, longest first; for the chair.
    pub requests: Vec<RequestRow>,
    /// Who else shares or may, for the chair.
    pub sharer: Option<Sharer>,
    /// The level of the meeting, which no label exceeds.
    pub level: Level,
}

/// The button that shares and stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareButton {
    /// The word on it.
    pub label: String,
    /// The state and what pressing does.
    pub spoken: String,
    /// What pressing does.
    pub does: Pressing,
    /// Whether the others see the own screen.
    pub live: bool,
}

/// What pressing the button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressing {
    /// Opens the picker.
    Pick,
    /// Stops sharing, or takes the request back.
    Stop,
}

/// How the own screen stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// Not shared.
    Idle,
    /// The chair is asked.
    Asking,
    /// It may be shared; what was chosen when it was asked for.
    Granted(Option<(ScreenChoice, Level)>),
    /// It is being opened.
    Opening,
    /// The others see it.
    Sharing {
        /// What is shared and with how many, in one sentence.
        sentence: String,
        /// Its level.
        label: Level,
        /// Why it gives no picture, in words.
        paused: Option<String>,
    },
}

/// How the own sharing would begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// At once.
    AtOnce,
    /// Once the chair says yes.
    Asks,
    /// Not while this person shares.
    Busy(String),
    /// Nobody is here who could say yes.
    Nobody,
}

/// What somebody else shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownScreen {
    /// Who.
    pub leaf: LeafIndex,
    /// The certified name.
    pub name: String,
    /// The seat.
    pub seat: String,
    /// The level of what is shown.
    pub label: Level,
    /// Whether its picture may be shown: it comes, and nothing is wrong with it.
    pub show_picture: bool,
    /// Why there is none, in words.
    pub missing: String,
    /// All of it in one sentence.
    pub spoken: String,
}

/// Somebody who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Who.
    pub leaf: LeafIndex,
    /// The certified name.
    pub name: String,
    /// The seat.
    pub seat: String,
    /// Level and time.
    pub detail: String,
    /// All of it in one sentence.
    pub spoken: String,
}

/// Who else shares or may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharer {
    /// What they do.
    pub sentence: String,
    /// The word on the button that ends it.
    pub end: String,
    /// What a screen reader says of the button.
    pub spoken: String,
}

/// Makes it of what the engine says.
pub fn data(snapshot: &Snapshot, now: Now, words: &Words) -> ShareData {
    let stage = &snapshot.stage;
    let find = |leaf: LeafIndex| snapshot.participants.iter().find(|participant| participant.leaf == leaf);
    let name = |leaf: LeafIndex| find(leaf).map(|participant| participant.person.name.clone());
    let leads = snapshot.me.is_some() && chair(snapshot) == snapshot.me;
    let other = stage.shared.filter(|shared| Some(shared.leaf) != snapshot.me);
    let own = own(snapshot, words);
    let way = way(snapshot, leads, other.and_then(|shared| name(shared.leaf)));
    let request = |row: &conclave_client::ShareRequest| {
        let participant = find(row.leaf)?;
        Some(request_row(row, participant, now, words))
    };
    let is_other = |leaf: &LeafIndex| leads && Some(*leaf) != snapshot.me;
    ShareData {
        button: button(&own, &way, words),
        replaces: other.filter(|_| leads).and_then(|shared| name(shared.leaf)),
        shown: other.and_then(|shared| Some(shown(find(shared.leaf)?, shared.label, words))),
        requests: if leads { stage.requests.iter().filter_map(request).collect() } else { Vec::new() },
        sharer: stage.holder.filter(is_other).and_then(|leaf| Some(sharer(&name(leaf)?, other.is_some(), words))),
        level: snapshot.level,
        own,
        way,
    }
}

fn chair(snapshot: &Snapshot) -> Option<LeafIndex> {
    snapshot.governance.as_ref()?.chair
}

fn own(snapshot: &Snapshot, words: &Words) -> Own {
    match &snapshot.own_share {
        OwnShare::Idle => Own::Idle,
        OwnShare::Asking { .. } => Own::Asking,
        OwnShare::Granted { wanted } => Own::Granted(wanted.clone()),
        OwnShare::Opening { .. } => Own::Opening,
        OwnShare::Sharing { name, label, paused } => {
            let others = snapshot.participants.len().saturating_sub(1);
            let message = match (others, name.is_empty()) {
                (0, false) => "share-mine-alone",
                (0, true) => "share-mine-alone-unnamed",
                (_, false) => "share-mine",
                (_, true) => "share-mine-unnamed",
            };
            let sentence = words.tell(message, [("name", name.as_str().into()), ("count", others.into())]);
            let paused = paused.map(|why| {
                words.say(match why {
                    ScreenPause::Minimised => "share-mine-minimised",
                    ScreenPause::Locked => "share-mine-locked",
                })
            });
            Own::Sharing { sentence, label: *label, paused }
        }
    }
}

fn way(snapshot: &Snapshot, leads: bool, busy: Option<String>) -> Way {
    let stage = &snapshot.stage;
    let may = leads || stage.holder.is_some() && stage.holder == snapshot.me;
    match (may, stage.rule, busy) {
        (true, _, _) => Way::AtOnce,
        (false, Sharing::Open, Some(name)) => Way::Busy(name),
        (false, _, _) if stage.decides.is_none() => Way::Nobody,
        (false, Sharing::Open, None) => Way::AtOnce,
        (false, Sharing::Granted, _) => Way::Asks,
    }
}

fn button(own: &Own, way: &Way, words: &Words) -> ShareButton {
    let (label, spoken, does) = match own {
        Own::Idle if *way == Way::Asks => ("control-share", "control-share-ask-spoken", Pressing::Pick),
        Own::Idle => ("control-share", "control-share-spoken", Pressing::Pick),
        Own::Granted(_) => ("control-share", "control-share-granted-spoken", Pressing::Pick),
        Own::Asking => ("control-share-asked", "control-share-asked-spoken", Pressing::Stop),
        Own::Opening => ("control-share-stop", "control-share-opening-spoken", Pressing::Stop),
        Own::Sharing { .. } => ("control-share-stop", "control-share-stop-spoken", Pressing::Stop),
    };
    ShareButton {
        label: words.say(label),
        spoken: words.say(spoken),
        does,
        live: matches!(own, Own::Sharing { .. } | Own::Opening),
    }
}

fn shown(participant: &Participant, label: Level, words: &Words) -> ShownScreen {
    let person = &participant.person;
    let paused = participant.screen == SourceState::Missing;
    let missing = if paused {
        words.tell("share-paused", [("name", person.name.as_str().into())])
    } else {
        words.say("share-waiting")
    };
    let gaps = [
        ("name", person.name.as_str().into()),
        ("seat", person.seat.as_str().into()),
        ("level", words.marking(label).into()),
    ];
    ShownScreen {
        leaf: participant.leaf,
        name: person.name.clone(),
        seat: person.seat.clone(),
        label,
        show_picture: participant.screen_seen && !paused,
        missing,
        spoken: words.tell("share-spoken", gaps),
    }
}

fn request_row(
    request: &conclave_client::ShareRequest,
    participant: &Participant,
    now: Now,
    words: &Words,
) -> RequestRow {
    let person = &participant.person;
    let (level, time) = (words.marking(request.label), since(request.since, now, words));
    let spoken = words.tell(
        "share-request-spoken",
        [
            ("name", person.name.as_str().into()),
            ("seat", person.seat.as_str().into()),
            ("level", level.as_str().into()),
            ("time", time.as_str().into()),
        ],
    );
    let detail = words.tell("share-request-detail", [("level", level.into()), ("time", time.into())]);
    RequestRow { leaf: participant.leaf, name: person.name.clone(), seat: person.seat.clone(), detail, spoken }
}

fn sharer(name: &str, shares: bool, words: &Words) -> Sharer {
    let (sentence, end, spoken) = if shares {
        ("share-shares", "share-end-short", "share-end-spoken")
    } else {
        ("share-may", "share-may-end", "share-may-end-spoken")
    };
    let tell = |message: &str| words.tell(message, [("name", name.into())]);
    Sharer { sentence: tell(sentence), end: words.say(end), spoken: tell(spoken) }
}

/// What can be chosen in the picker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRow {
    /// Shares it.
    pub choice: ScreenChoice,
    /// What kind of thing it is.
    pub kind: ScreenKind,
    /// Its name.
    pub name: String,
    /// Its size, or what choosing it does.
    pub detail: String,
    /// All of it in one sentence.
    pub spoken: String,
}

/// The rows of the picker: screens, then windows. Windows of this app are left out: they would show themselves.
pub fn rows(sources: &[ScreenSource], words: &Words) -> Vec<SourceRow> {
    let row = |source: &ScreenSource| {
        let size = words.tell("share-size", [("width", source.width.into()), ("height", source.height.into())]);
        let (name, detail, message) = match source.kind {
            ScreenKind::Picker => (words.say("share-picker"), words.say("share-picker-detail"), "share-choose-window"),
            ScreenKind::Screen if source.name.is_empty() => (words.say("share-main"), size, "share-choose-screen"),
            ScreenKind::Screen => (source.name.clone(), size, "share-choose-screen"),
            ScreenKind::Window if source.name.is_empty() => (words.say("share-untitled"), size, "share-choose-window"),
            ScreenKind::Window => (source.name.clone(), size, "share-choose-window"),
        };
        let spoken = match source.kind {
            ScreenKind::Picker => format!("{name}. {detail}"),
            ScreenKind::Screen | ScreenKind::Window => {
                words.tell(message, [("name", name.as_str().into()), ("size", detail.as_str().into())])
            }
        };
        SourceRow { choice: source.choice.clone(), kind: source.kind, name, detail, spoken }
    };
    sources.iter().filter(|source| !source.own).map(row).collect()
}

#[cfg(test)]
mod tests {
    use conclave_client::{ShareRequest, Shared, Stage};

    use super::*;
    use crate::sketch;

    fn made(change: impl FnOnce(&mut Snapshot)) -> ShareData {
        let mut snapshot = sketch::snapshot(4);
        change(&mut snapshot);
        data(&snapshot, sketch::now(), &Words::english())
    }

    fn shared(leaf: u32) -> Option<Shared> {
        Some(Shared { leaf: LeafIndex(leaf), label: Level::Restricted, since: sketch::now().instant })
    }

    #[test]
    fn how_the_own_sharing_would_begin_follows_from_who_leads_and_who_shares() {
        let to_two = |snapshot: &mut Snapshot| {
            if let Some(governance) = &mut snapshot.governance {
                governance.chair = Some(LeafIndex(2));
            }
            snapshot.stage.decides = Some(LeafIndex(2));
        };
        assert_eq!(made(|_| ()).way, Way::AtOnce, "the chair");
        assert_eq!(made(to_two).way, Way::Asks);
        let held = |snapshot: &mut Snapshot| {
            to_two(snapshot);
            snapshot.stage.holder = Some(LeafIndex(0));
        };
        assert_eq!(made(held).way, Way::AtOnce);
        let open = |snapshot: &mut Snapshot| {
            to_two(snapshot);
            snapshot.stage.rule = Sharing::Open;
        };
        assert_eq!(made(open).way, Way::AtOnce);
        let busy = |snapshot: &mut Snapshot| {
            open(snapshot);
            snapshot.stage.shared = shared(1);
        };
        assert_eq!(made(busy).way, Way::Busy("Maria Dimitrova".into()));
        let alone = |snapshot: &mut Snapshot| {
            to_two(snapshot);
            snapshot.stage.decides = None;
        };
        assert_eq!(made(alone).way, Way::Nobody);
    }

    #[test]
    fn the_own_screen_is_not_shown_to_oneself_and_anothers_is_with_its_label() {
        assert_eq!(made(|snapshot| snapshot.stage.shared = shared(0)).shown, None);
        let made = made(|snapshot| {
            snapshot.stage.shared = shared(1);
            snapshot.participants[1].screen = SourceState::Missing;
            snapshot.participants[1].screen_seen = true;
        });
        let shown =
            made.shown.as_ref().map(|shown| (shown.spoken.as_str(), shown.show_picture, shown.missing.as_str()));
        let spoken = "Maria Dimitrova, Bulgaria, shares a screen. Level of what is shown: RESTREINT UE/EU RESTRICTED.";
        assert_eq!(shown, Some((spoken, false, "Maria Dimitrova shows no picture at the moment.")));
        assert_eq!(made.replaces.as_deref(), Some("Maria Dimitrova"));
    }

    #[test]
    fn the_chair_alone_sees_who_asks_and_can_stop_who_shares() {
        let stage = Stage {
            decides: Some(LeafIndex(0)),
            holder: Some(LeafIndex(1)),
            shared: shared(1),
            requests: vec![ShareRequest {
                leaf: LeafIndex(3),
                label: Level::Unclassified,
                since: sketch::now().instant,
            }],
            ..Stage::default()
        };
        let seen = made(|snapshot| snapshot.stage = stage.clone());
        assert_eq!(seen.requests.len(), 1);
        assert_eq!(seen.sharer.map(|sharer| sharer.spoken).as_deref(), Some("Stop the sharing of Maria Dimitrova"));
        let others = made(|snapshot| {
            snapshot.stage = stage;
            snapshot.me = Some(LeafIndex(2));
        });
        assert_eq!((others.requests.len(), others.sharer), (0, None));
    }

    #[test]
    fn windows_of_this_app_are_not_offered() {
        let source = |kind, name: &str, own| ScreenSource {
            choice: ScreenChoice::Main,
            kind,
            name: name.into(),
            width: 1920,
            height: 1080,
            own,
        };
        let sources = [
            source(ScreenKind::Screen, "HDMI-1", false),
            source(ScreenKind::Window, "Conclave", true),
            source(ScreenKind::Window, "", false),
        ];
        let spoken: Vec<String> = rows(&sources, &Words::english()).into_iter().map(|row| row.spoken).collect();
        assert_eq!(spoken, ["Whole screen HDMI-1, 1920 × 1080", "Window Untitled window, 1920 × 1080"]);
    }
}
