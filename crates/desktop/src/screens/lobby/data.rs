//! What the lobby shows. [`data`](fn@data) makes it of the engine's [`Snapshot`], without a window.

use std::time::Instant;

use conclave_client::Snapshot;
use conclave_model::{LeafRef, Person};
use conclave_session::Waiting;

use crate::{
    explain,
    time::{self, Now},
    words::Words,
};

/// The lobby, for those who are in the meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LobbyData {
    /// Who waits, longest first.
    pub rows: Vec<WaitingRow>,
    /// Whether the person decides who comes in.
    pub leads: bool,
}

/// Somebody who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRow {
    /// Their leaf.
    pub reference: LeafRef,
    /// The certified name.
    pub name: String,
    /// The seat and, where it is not plain, the role.
    pub detail: String,
    /// Up to which level they are cleared.
    pub clearance: String,
    /// That they can be let in, or why they cannot.
    pub state: String,
    /// Since when they wait.
    pub since: String,
    /// Whether the chair can let them in.
    pub admissible: bool,
    /// All of it in one sentence, for screen readers.
    pub spoken: String,
}

/// What the person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LobbyAction {
    /// Let them in.
    Admit(Vec<LeafRef>),
    /// Send somebody away.
    Deny(LeafRef),
}

impl LobbyData {
    /// Who can be let in at once.
    pub fn admissible(&self) -> Vec<LeafRef> {
        self.rows.iter().filter(|row| row.admissible).map(|row| row.reference).collect()
    }
}

/// Makes the lobby of a snapshot.
pub fn data(snapshot: &Snapshot, now: Now, words: &Words) -> LobbyData {
    let leads = super::super::lead::data::leads(snapshot);
    LobbyData { rows: snapshot.lobby.iter().map(|waiting| row(waiting, now, words)).collect(), leads }
}

fn row(waiting: &Waiting, now: Now, words: &Words) -> WaitingRow {
    let (name, detail, clearance) = match &waiting.person {
        Some(person) => {
            let role = words.role(person.role);
            (person.name.clone(), format!("{}, {role}", person.seat), self::clearance(person, now.wall, words))
        }
        None => (words.say("lobby-unknown"), words.say("lobby-unknown-detail"), words.say("clearance-none")),
    };
    let obstacle = waiting.problem.as_ref().and_then(|problem| explain::newcomer(problem, words));
    // Whose certificate does not hold is nobody, whatever else is said of them.
    let admissible = obstacle.is_none() && waiting.person.is_some();
    let state = obstacle.unwrap_or_else(|| words.say("lobby-ready"));
    let spoken = words.tell(
        "lobby-spoken",
        [
            ("name", name.as_str().into()),
            ("detail", detail.as_str().into()),
            ("clearance", clearance.as_str().into()),
            ("state", state.as_str().into()),
        ],
    );
    let since = words.tell("lobby-since", [("time", since(waiting.since, now, words).into())]);
    WaitingRow { reference: waiting.reference, name, detail, clearance, state, since, admissible, spoken }
}

/// Up to which level somebody is cleared at `wall` seconds since 1970-01-01 UTC, in words.
pub fn clearance(person: &Person, wall: u64, words: &Words) -> String {
    match person.clearance {
        None => words.say("clearance-none"),
        Some(clearance) if clearance.expires <= wall => {
            words.tell("clearance-ended", [("when", time::moment(clearance.expires, wall, words).into())])
        }
        Some(clearance) => words.tell("clearance-up-to", [("level", words.marking(clearance.level).into())]),
    }
}

/// A moment of the engine's clock, as people read it.
pub fn since(at: Instant, now: Now, words: &Words) -> String {
    let ago = now.instant.saturating_duration_since(at).as_secs();
    time::moment(now.wall.saturating_sub(ago), now.wall, words)
}

#[cfg(test)]
mod tests {
    use conclave_identity::MemberError;
    use conclave_model::Level;
    use conclave_session::NewcomerError;

    use super::*;
    use crate::sketch;

    fn made(change: impl FnOnce(&mut Vec<Waiting>)) -> LobbyData {
        let mut snapshot = sketch::snapshot(3);
        let mut lobby = sketch::lobby(2);
        change(&mut lobby);
        snapshot.lobby = lobby.into();
        data(&snapshot, sketch::now(), &Words::english())
    }

    #[test]
    fn who_waits_is_shown_with_seat_clearance_and_state() {
        let lobby = made(|_| {});
        assert!(lobby.leads);
        let row = &lobby.rows[0];
        assert_eq!(row.name, sketch::person(20).name);
        assert!(row.detail.starts_with(&sketch::person(20).seat), "{}", row.detail);
        assert!(row.clearance.starts_with("Cleared up to"), "{}", row.clearance);
        assert_eq!(row.state, "On the list, credential valid");
        assert!(row.spoken.contains(&row.name) && row.spoken.contains(&row.clearance), "{}", row.spoken);
        assert_eq!(lobby.admissible().len(), 2);
    }

    #[test]
    fn who_fails_a_check_cannot_be_let_in_and_the_reason_is_said() {
        let lobby = made(|lobby| {
            lobby[0].problem =
                Some(NewcomerError::Member(MemberError::NotCleared { needed: Level::Restricted, found: None }));
            lobby[1].person = None;
        });
        assert_eq!(lobby.admissible(), []);
        assert_eq!(lobby.rows[0].state, "Their clearance does not reach RESTREINT UE/EU RESTRICTED.");
        assert_eq!(lobby.rows[1].name, "Unknown person");
    }

    #[test]
    fn that_only_the_chair_may_let_them_in_is_no_obstacle() {
        let lobby = made(|lobby| lobby[0].problem = Some(NewcomerError::NotAdmitted));
        assert!(lobby.rows[0].admissible);
    }

    #[test]
    fn only_the_acting_chair_decides() {
        let mut snapshot = sketch::snapshot(3);
        snapshot.lobby = sketch::lobby(1).into();
        if let Some(governance) = &mut snapshot.governance {
            governance.chair = Some(conclave_model::LeafIndex(1));
        }
        assert!(!data(&snapshot, sketch::now(), &Words::english()).leads);
        snapshot.governance = None;
        assert!(!data(&snapshot, sketch::now(), &Words::english()).leads);
    }
}
