//! What the chair and the originator can do, and what follows from it. Pure: the engine decides in the end.

use conclave_client::{Participant, Snapshot};
use conclave_model::{Fingerprint, LeafIndex, Level};

use crate::words::Words;

/// What leading the meeting shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadData {
    /// Whether the person is the acting chair.
    pub leads: bool,
    /// Whether only those let in before can come back.
    pub locked: bool,
    /// Whether the person is the originator, who alone may agree to a lower level.
    pub originates: bool,
    /// Every level and what it would take to go there; the present one is left out.
    pub choices: Vec<LevelChoice>,
    /// The level that the originator has agreed to, in its exact words.
    pub consent: Option<String>,
}

/// A level to go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelChoice {
    /// Which.
    pub level: Level,
    /// Its exact words.
    pub marking: String,
    /// Whether it is higher than the present one.
    pub higher: bool,
    /// Who would be put out, as "Anna Virtanen, Finland".
    pub leaving: Vec<String>,
    /// What else is to be known of it.
    pub note: Option<String>,
    /// Why the chair cannot go there now.
    pub obstacle: Option<String>,
}

/// What is asked before something is done that cannot be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether to put somebody out.
    Eject {
        /// Their place in the group.
        leaf: LeafIndex,
        /// The certified name.
        name: String,
        /// The seat.
        seat: String,
    },
    /// Which level to go to.
    Level {
        /// What was chosen so far.
        chosen: Option<Level>,
    },
    /// Which lower level to agree to.
    Consent {
        /// What was chosen so far.
        chosen: Option<Level>,
    },
}

/// What the person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeadAction {
    /// Lock the door, or unlock it.
    Lock(bool),
    /// Put somebody out.
    Eject(LeafIndex),
    /// Change the level.
    SetLevel(Level),
    /// Agree to a lower level.
    Consent(Level),
}

/// What the signed invitation says of the person and the originator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charter {
    /// The originator: who may agree to a lower level.
    pub originator: Option<Originator>,
    /// Whether people wait in a lobby before they come in.
    pub has_lobby: bool,
}

/// Who may agree to a lower level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Originator {
    /// Their certificate.
    pub fingerprint: Fingerprint,
    /// Their name on the signed list.
    pub name: String,
}

/// Whether the person is the acting chair.
pub fn leads(snapshot: &Snapshot) -> bool {
    let chair = snapshot.governance.as_ref().and_then(|governance| governance.chair);
    chair.is_some() && chair == snapshot.me
}

/// Makes it of a snapshot, at `wall` seconds since 1970-01-01 UTC.
pub fn data(snapshot: &Snapshot, charter: &Charter, wall: u64, words: &Words) -> LeadData {
    let Some(governance) = &snapshot.governance else { return LeadData::default() };
    let me = snapshot.participants.iter().find(|participant| participant.is_me);
    let originates = match (me, &charter.originator) {
        (Some(me), Some(originator)) => me.person.fingerprint == originator.fingerprint.0,
        _ => false,
    };
    // Neither the relay nor the office's policy carries more.
    let others = Level::ALL.into_iter().filter(|level| *level != snapshot.level && *level <= snapshot.ceiling);
    LeadData {
        leads: leads(snapshot),
        locked: governance.locked,
        originates,
        choices: others.map(|level| choice(level, snapshot, charter, wall, words)).collect(),
        consent: governance.consent.map(|level| words.marking(level)),
    }
}

fn choice(level: Level, snapshot: &Snapshot, charter: &Charter, wall: u64, words: &Words) -> LevelChoice {
    let higher = level > snapshot.level;
    let uncleared = |participant: &&Participant| higher && !participant.person.is_cleared(level, wall);
    let leaving: Vec<&Participant> = snapshot.participants.iter().filter(uncleared).collect();
    let (note, obstacle) = if higher {
        let me = leaving.iter().any(|participant| participant.is_me);
        (None, me.then(|| words.say("level-not-cleared-me")))
    } else {
        let consent = snapshot.governance.as_ref().and_then(|governance| governance.consent);
        match (&charter.originator, consent) {
            (None, _) => (None, Some(words.say("level-no-originator"))),
            (Some(originator), Some(agreed)) if agreed == level => {
                (Some(words.tell("level-consented", [("name", originator.name.as_str().into())])), None)
            }
            (Some(originator), _) => {
                (None, Some(words.tell("level-no-consent", [("name", originator.name.as_str().into())])))
            }
        }
    };
    let named = |participant: &&Participant| format!("{}, {}", participant.person.name, participant.person.seat);
    let leaving = leaving.iter().filter(|participant| !participant.is_me).map(named).collect();
    LevelChoice { level, marking: words.marking(level), higher, leaving, note, obstacle }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use conclave_model::Clearance;

    use super::*;
    use crate::sketch::{self, WALL};

    fn cleared(snapshot: &mut Snapshot, index: usize, level: Level, expires: u64) {
        snapshot.participants[index].person.clearance = Some(Clearance { level, expires });
    }

    fn made(snapshot: &Snapshot, charter: &Charter) -> LeadData {
        data(snapshot, charter, WALL, &Words::english())
    }

    fn choice_of(data: &LeadData, level: Level) -> &LevelChoice {
        data.choices.iter().find(|choice| choice.level == level).unwrap()
    }

    #[test]
    fn a_higher_level_names_exactly_those_who_would_have_to_leave() {
        let mut snapshot = sketch::snapshot(4);
        cleared(&mut snapshot, 0, Level::TopSecret, WALL + 9);
        cleared(&mut snapshot, 1, Level::Secret, WALL + 9);
        cleared(&mut snapshot, 2, Level::Secret, WALL);
        cleared(&mut snapshot, 3, Level::Confidential, WALL + 9);
        let data = made(&snapshot, &Charter::default());
        let named = |index: usize| {
            let person = &snapshot.participants[index].person;
            format!("{}, {}", person.name, person.seat)
        };
        assert_eq!(choice_of(&data, Level::Secret).leaving, [named(2), named(3)]);
        assert_eq!(choice_of(&data, Level::Secret).obstacle, None);
        assert!(data.choices.iter().all(|choice| choice.level != snapshot.level));
    }

    #[test]
    fn no_level_is_offered_that_the_relay_does_not_carry() {
        let mut snapshot = sketch::snapshot(2);
        snapshot.ceiling = Level::Confidential;
        let offered: Vec<Level> = made(&snapshot, &Charter::default()).choices.iter().map(|it| it.level).collect();
        assert_eq!(offered, [Level::Unclassified, Level::Confidential]);
    }

    #[test]
    fn nobody_raises_the_level_above_their_own_clearance() {
        let mut snapshot = sketch::snapshot(2);
        cleared(&mut snapshot, 0, Level::Confidential, WALL + 9);
        let data = made(&snapshot, &Charter::default());
        assert!(choice_of(&data, Level::Secret).obstacle.is_some());
        assert_eq!(choice_of(&data, Level::Confidential).obstacle, None);
    }

    #[test]
    fn a_lower_level_needs_the_originator_and_their_consent_to_that_very_level() {
        let mut snapshot = sketch::snapshot(2);
        snapshot.level = Level::Secret;
        let none = made(&snapshot, &Charter::default());
        assert!(choice_of(&none, Level::Restricted).obstacle.as_ref().unwrap().contains("names nobody"));
        let charter = sketch::charter(1);
        let asked = made(&snapshot, &charter);
        let name = &charter.originator.as_ref().unwrap().name;
        assert!(choice_of(&asked, Level::Restricted).obstacle.as_ref().unwrap().contains(name.as_str()));
        snapshot.governance.as_mut().unwrap().consent = Some(Level::Restricted);
        let agreed = made(&snapshot, &charter);
        assert_eq!(choice_of(&agreed, Level::Restricted).obstacle, None);
        assert!(choice_of(&agreed, Level::Unclassified).obstacle.is_some());
    }

    #[test]
    fn only_the_originator_is_asked_to_agree() {
        let snapshot = sketch::snapshot(2);
        assert!(made(&snapshot, &sketch::charter(0)).originates);
        assert!(!made(&snapshot, &sketch::charter(1)).originates);
    }
}
