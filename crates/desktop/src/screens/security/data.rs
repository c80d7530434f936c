//! What the panel on security shows. [`data`](fn@data) makes it of the engine's [`Snapshot`], without a window.

use conclave_client::{KeyState, Participant, Snapshot};
use conclave_identity::Admission;
use conclave_session::Standing;

use crate::{
    screens::{
        lobby::data::{clearance, since},
        meeting::data::key_words,
    },
    time::Now,
    words::Words,
};

/// Everything on the panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityData {
    /// Six words that all members share and nobody else can make; empty while not a member.
    pub words: Vec<&'static str>,
    /// What stands beside what: a name and its value.
    pub facts: Vec<(String, String)>,
    /// Who can see and hear, the person included.
    pub people: Vec<SecureRow>,
    /// Who waits, in words, if anybody does.
    pub waiting: Option<String>,
}

/// Somebody who can see and hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecureRow {
    /// The certified name.
    pub name: String,
    /// Seat and clearance.
    pub detail: String,
    /// What is known of their keys, where it is not all well.
    pub problem: Option<String>,
    /// All of it in one sentence, for screen readers.
    pub spoken: String,
}

/// Makes the panel of a snapshot.
pub fn data(snapshot: &Snapshot, now: Now, words: &Words) -> SecurityData {
    let governance = snapshot.governance.as_ref();
    let chair = governance.and_then(|governance| governance.chair);
    let chair = snapshot.participants.iter().find(|participant| Some(participant.leaf) == chair);
    let chair = chair.map_or_else(|| words.say("security-nobody"), |chair| chair.person.name.clone());
    let mut facts = vec![(words.say("security-level"), words.marking(snapshot.level))];
    if let Some(maximum) = snapshot.relay_maximum {
        let up_to = words.tell("security-relay-maximum", [("level", words.marking(maximum).into())]);
        facts.push((words.say("security-relay"), up_to));
    }
    if let Some(governance) = governance {
        facts.push((words.say("security-chair"), chair));
        let door = words.say(match (governance.locked, governance.admission) {
            (true, _) => "security-door-locked",
            (false, Admission::Lobby) => "security-door-lobby",
            (false, Admission::Open) => "security-door-open",
        });
        let door = match governance.ejected {
            0 => door,
            count => format!("{door}. {}", words.tell("security-out", [("count", count.into())])),
        };
        facts.push((words.say("security-door"), door));
    }
    if let Some(at) = snapshot.keys_since {
        let gaps = [("time", since(at, now, words).into()), ("epoch", snapshot.epoch.0.into())];
        facts.push((words.say("security-keys"), words.tell("security-keys-since", gaps)));
    }
    facts.push((words.say("security-suite"), snapshot.suite.replace('_', " ")));
    SecurityData {
        words: governance.map(|governance| governance.words.clone()).unwrap_or_default(),
        facts,
        people: snapshot.participants.iter().map(|participant| row(participant, now.wall, words)).collect(),
        waiting: (!snapshot.lobby.is_empty())
            .then(|| words.tell("security-waiting", [("count", snapshot.lobby.len().into())])),
    }
}

fn row(participant: &Participant, wall: u64, words: &Words) -> SecureRow {
    let person = &participant.person;
    let name = if participant.is_me {
        words.tell("tile-me", [("name", person.name.as_str().into())])
    } else {
        person.name.clone()
    };
    let detail = format!("{} · {}", person.seat, clearance(person, wall, words));
    let problem = problem(participant, words);
    let state = problem.clone().unwrap_or_else(|| words.say("standing-confirmed"));
    let spoken = format!("{name}. {detail}. {state}");
    SecureRow { name, detail, problem, spoken }
}

/// What is wrong with a member's keys or state, the gravest first; nothing of it is asked of oneself.
fn problem(participant: &Participant, words: &Words) -> Option<String> {
    if participant.is_me {
        return None;
    }
    match (participant.standing, participant.key) {
        (Standing::Diverged, _) => Some(words.say("standing-diverged")),
        (_, KeyState::Failing | KeyState::Unproven | KeyState::Forged) => Some(key_words(participant.key, words)),
        (Standing::Silent, _) => Some(words.say("standing-silent")),
        (Standing::Confirmed, KeyState::Verified | KeyState::Open) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch;

    #[test]
    fn the_six_words_and_everybody_with_their_clearance_are_there() {
        let snapshot = sketch::snapshot(4);
        let data = data(&snapshot, sketch::now(), &Words::english());
        assert_eq!(data.words.len(), 6);
        assert_eq!(data.people.len(), 4);
        assert!(data.people.iter().all(|row| row.detail.contains("leared") || row.detail.contains("learance")));
        assert!(data.facts.iter().any(|(name, value)| name == "Level" && value == "RESTREINT UE/EU RESTRICTED"));
        assert!(data.facts.iter().any(|(name, value)| name == "Keys" && value.contains("epoch 7")), "{data:?}");
        let relay = data.facts.iter().find(|(name, _)| name == "Relay").map(|(_, value)| value.as_str());
        assert_eq!(relay, Some("May carry meetings up to TRÈS SECRET UE/EU TOP SECRET"));
    }

    #[test]
    fn who_is_kept_apart_or_silent_is_marked() {
        let mut snapshot = sketch::snapshot(4);
        snapshot.participants[1].standing = Standing::Silent;
        snapshot.participants[2].standing = Standing::Diverged;
        snapshot.participants[2].key = KeyState::Failing;
        let data = data(&snapshot, sketch::now(), &Words::english());
        assert_eq!(data.people[1].problem.as_deref(), Some("No sign of life for some seconds."));
        assert!(data.people[2].spoken.contains("kept apart"), "{}", data.people[2].spoken);
        assert_eq!(data.people[3].problem, None);
    }

    #[test]
    fn before_the_meeting_no_words_are_made_up() {
        let mut snapshot = sketch::snapshot(0);
        snapshot.governance = None;
        snapshot.keys_since = None;
        assert_eq!(data(&snapshot, sketch::now(), &Words::english()).words, Vec::<&str>::new());
    }
}
