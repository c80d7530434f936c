//! Who waits to become a member, and whether the chair's word is missing or something else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use conclave_e2ee::NewcomerError;
use conclave_model::{LeafRef, Person};

use crate::{Waiting, neighbours::Newcomer};

/// What this member's own check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Any member may let them in: nobody waits in this meeting, or they were in before, or they lead.
    Free(Person),
    /// Good, but only the chair lets them in.
    AskChair(Person),
    /// Not good.
    Refused(Option<Person>, NewcomerError),
    /// The own certificate, from elsewhere: another member decides which of the two goes.
    Myself,
}

/// Everybody who waits, as this member sees them.
#[derive(Debug, Default)]
pub(crate) struct Lobby {
    waiting: BTreeMap<LeafRef, Entry>,
    /// How many came so far; who came first stands first.
    came: u64,
    /// Whom the chair, who is this member, lets in.
    granted: BTreeSet<LeafRef>,
    told: Vec<Waiting>,
}

#[derive(Debug)]
struct Entry {
    since: Instant,
    number: u64,
    finding: Finding,
}

/// How a newcomer comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is any member's duty, in turn.
    Anybody,
    /// This member, who is the chair, has said so.
    Mine,
}

impl Lobby {
    /// Takes over who waits, and checks those who are new; all of them where `again` says that the group's state has
    /// changed. Returns whom the check newly refused.
    pub(crate) fn refresh(
        &mut self,
        arrivals: &BTreeMap<LeafRef, Newcomer>,
        again: bool,
        check: impl Fn(LeafRef, &Bytes) -> Finding,
        now: Instant,
    ) -> Vec<(LeafRef, NewcomerError)> {
        self.waiting.retain(|leaf, _| arrivals.contains_key(leaf));
        self.granted.retain(|leaf| arrivals.contains_key(leaf));
        let mut refused = Vec::new();
        for (leaf, newcomer) in arrivals {
            let before = self.waiting.get(leaf);
            if before.is_some() && !again {
                continue;
            }
            let finding = check(*leaf, &newcomer.key_package);
            let (since, number) = before.map_or((now, self.came), |entry| (entry.since, entry.number));
            if let Finding::Refused(_, error) = &finding
                && before.is_none_or(|entry| entry.finding != finding)
                && !is_for_the_chair(error)
            {
                refused.push((*leaf, error.clone()));
            }
            self.came += u64::from(before.is_none());
            self.waiting.insert(*leaf, Entry { since, number, finding });
        }
        refused
    }

    /// How somebody comes in, if so.
    pub(crate) fn way(&self, leaf: LeafRef) -> Option<Way> {
        match &self.waiting.get(&leaf)?.finding {
            Finding::Free(_) => Some(Way::Anybody),
            Finding::AskChair(_) => self.granted.contains(&leaf).then_some(Way::Mine),
            Finding::Refused(..) | Finding::Myself => None,
        }
    }

    /// The chair lets somebody in; returns whether they are there. Who cannot come in now is not let in later either.
    pub(crate) fn grant(&mut self, leaf: LeafRef) -> bool {
        let Some(entry) = self.waiting.get(&leaf) else { return false };
        if matches!(entry.finding, Finding::AskChair(_)) {
            self.granted.insert(leaf);
        }
        true
    }

    /// The chair lets in everybody with whom nothing is wrong.
    pub(crate) fn grant_all(&mut self) {
        let asking = self.waiting.iter().filter(|(_, entry)| matches!(entry.finding, Finding::AskChair(_)));
        self.granted.extend(asking.map(|(leaf, _)| *leaf));
    }

    /// Takes back what the chair said: this member leads no longer.
    pub(crate) fn revoke(&mut self) {
        self.granted.clear();
    }

    /// The group refused somebody after all.
    pub(crate) fn refuse(&mut self, leaf: LeafRef, error: NewcomerError) {
        self.granted.remove(&leaf);
        if let Some(entry) = self.waiting.get_mut(&leaf) {
            let person = entry.finding.person().cloned();
            entry.finding = Finding::Refused(person, error);
        }
    }

    /// Whom only the lock keeps out.
    pub(crate) fn locked_out(&self) -> impl Iterator<Item = LeafRef> {
        let is_locked = |entry: &Entry| matches!(entry.finding, Finding::Refused(_, NewcomerError::Locked));
        self.waiting.iter().filter(move |(_, entry)| is_locked(entry)).map(|(leaf, _)| *leaf)
    }

    /// Whoever waits with this certificate.
    pub(crate) fn with_certificate(&self, fingerprint: [u8; 32]) -> Option<LeafRef> {
        let same = |entry: &Entry| entry.finding.person().is_some_and(|person| person.fingerprint == fingerprint);
        self.waiting.iter().find(|(_, entry)| same(entry)).map(|(leaf, _)| *leaf)
    }

    /// Who waits for the chair or cannot come in, longest first; `None` where that is as before.
    pub(crate) fn news(&mut self) -> Option<Arc<[Waiting]>> {
        let mut shown: Vec<_> = self.waiting.iter().filter(|(_, entry)| entry.is_shown()).collect();
        shown.sort_by_key(|(_, entry)| entry.number);
        let shown: Vec<Waiting> = shown.into_iter().map(|(leaf, entry)| entry.show(*leaf)).collect();
        if shown == self.told {
            return None;
        }
        self.told.clone_from(&shown);
        Some(shown.into())
    }
}

/// Whether it is the chair's own wish that keeps somebody out, which is nobody's fault.
fn is_for_the_chair(error: &NewcomerError) -> bool {
    matches!(error, NewcomerError::NotAdmitted | NewcomerError::Locked)
}

impl Finding {
    fn person(&self) -> Option<&Person> {
        match self {
            Self::Free(person) | Self::AskChair(person) => Some(person),
            Self::Refused(person, _) => person.as_ref(),
            Self::Myself => None,
        }
    }
}

impl Entry {
    /// Those whom any member lets in are in within a moment.
    fn is_shown(&self) -> bool {
        matches!(self.finding, Finding::AskChair(_) | Finding::Refused(..))
    }

    fn show(&self, reference: LeafRef) -> Waiting {
        let problem = match &self.finding {
            Finding::Refused(_, error) => Some(error.clone()),
            Finding::Free(_) | Finding::AskChair(_) | Finding::Myself => None,
        };
        Waiting { reference, person: self.finding.person().cloned(), problem, since: self.since }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use conclave_model::{PeerId, Role, SeatRank};

    use super::*;

    fn leaf(number: u8) -> LeafRef {
        LeafRef([number; 16])
    }

    fn person(number: u8) -> Person {
        Person {
            name: format!("N{number}"),
            seat: "Finland".into(),
            seat_code: "FI".into(),
            rank: SeatRank::Head,
            role: Role::Delegate,
            clearance: None,
            fingerprint: [number; 32],
        }
    }

    fn arrivals(numbers: &[u8]) -> BTreeMap<LeafRef, Newcomer> {
        let newcomer = |number| Newcomer { peer: PeerId(number), key_package: Bytes::from_static(b"kp") };
        numbers.iter().map(|number| (leaf(*number), newcomer(u16::from(*number)))).collect()
    }

    /// 1 to 9 wait for the chair, 10 to 19 are free, 20 to 29 are bad, 30 is locked out.
    fn find(leaf: LeafRef, _: &Bytes) -> Finding {
        let person = person(leaf.0[0]);
        match leaf.0[0] {
            1..=9 => Finding::AskChair(person),
            10..=19 => Finding::Free(person),
            30 => Finding::Refused(Some(person), NewcomerError::Locked),
            40 => Finding::Myself,
            _ => Finding::Refused(None, NewcomerError::Binding),
        }
    }

    fn numbers(waiting: Option<Arc<[Waiting]>>) -> Vec<u8> {
        waiting.iter().flat_map(|waiting| waiting.iter().map(|waiting| waiting.reference.0[0])).collect()
    }

    #[test]
    fn those_who_wait_are_told_in_the_order_of_their_coming_and_only_when_that_changes() {
        let now = Instant::now();
        let mut lobby = Lobby::default();
        assert!(lobby.refresh(&arrivals(&[5]), false, find, now).is_empty());
        assert_eq!(numbers(lobby.news()), [5]);
        assert_eq!(lobby.news(), None);
        let later = now + Duration::from_secs(1);
        let refused = lobby.refresh(&arrivals(&[1, 5, 10, 20, 30, 40]), false, find, later);
        assert_eq!(refused, [(leaf(20), NewcomerError::Binding)], "a locked door is no fault");
        let told = lobby.news().unwrap();
        assert_eq!(numbers(Some(told.clone())), [5, 1, 20, 30]);
        assert_eq!((told[0].since, told[1].since), (now, later));
        assert_eq!((&told[0].problem, &told[3].problem), (&None, &Some(NewcomerError::Locked)));
        assert_eq!(lobby.refresh(&arrivals(&[1]), true, find, later), []);
        assert_eq!(numbers(lobby.news()), [1]);
        lobby.refresh(&arrivals(&[]), false, find, later);
        assert_eq!(lobby.news().map(|waiting| waiting.len()), Some(0));
    }

    #[test]
    fn only_the_chairs_word_opens_for_those_who_need_it() {
        let now = Instant::now();
        let mut lobby = Lobby::default();
        lobby.refresh(&arrivals(&[1, 2, 10, 20, 40]), false, find, now);
        let ways = |lobby: &Lobby| [1, 2, 10, 20, 40].map(|number| lobby.way(leaf(number)));
        assert_eq!(ways(&lobby), [None, None, Some(Way::Anybody), None, None]);
        assert!(lobby.grant(leaf(1)));
        assert!(!lobby.grant(leaf(77)));
        assert_eq!(ways(&lobby), [Some(Way::Mine), None, Some(Way::Anybody), None, None]);
        lobby.grant_all();
        assert_eq!(ways(&lobby), [Some(Way::Mine), Some(Way::Mine), Some(Way::Anybody), None, None]);
        lobby.refuse(leaf(2), NewcomerError::Twice);
        assert_eq!(lobby.way(leaf(2)), None);
        lobby.revoke();
        assert_eq!(lobby.way(leaf(1)), None);
        lobby.grant(leaf(1));
        lobby.refresh(&arrivals(&[2]), false, find, now);
        lobby.refresh(&arrivals(&[1, 2]), false, find, now);
        assert_eq!(lobby.way(leaf(1)), None, "who comes again asks again");
    }

    #[test]
    fn a_changed_state_is_checked_anew_and_the_wait_goes_on() {
        let now = Instant::now();
        let mut lobby = Lobby::default();
        lobby.refresh(&arrivals(&[30]), false, find, now);
        assert!(lobby.grant(leaf(30)));
        assert_eq!(lobby.way(leaf(30)), None);
        let open = |leaf: LeafRef, _: &Bytes| Finding::AskChair(person(leaf.0[0]));
        lobby.refresh(&arrivals(&[30]), false, open, now + Duration::from_secs(5));
        assert!(lobby.news().unwrap()[0].problem.is_some());
        lobby.refresh(&arrivals(&[30]), true, open, now + Duration::from_secs(5));
        let told = lobby.news().unwrap();
        assert_eq!((told[0].since, &told[0].problem), (now, &None));
        assert_eq!(lobby.way(leaf(30)), None, "it was said while the door was locked");
        assert_eq!(lobby.with_certificate([30; 32]), Some(leaf(30)));
        assert_eq!(lobby.with_certificate([31; 32]), None);
    }
}
