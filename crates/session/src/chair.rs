//! Who leads the meeting, by the signed succession, with the patience that a lost connection deserves.
//!
//! What counts for the group is structural: the first of the succession who is a member may change it. A member who
//! became the first because others went uses that only once all before have been gone for [`PATIENCE`]; whoever comes
//! back leads at once. Nobody leads by anybody's word.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long those before must be gone until a successor leads.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Follows who of the succession is here.
#[derive(Debug)]
pub(crate) struct Lead {
    /// When each place of the succession was last seen taken.
    seen: BTreeMap<usize, Instant>,
    /// The own place.
    mine: Option<usize>,
    /// Since when this member watches.
    begun: Instant,
    /// Whether the group was there before: then another successor who leads it has waited already, this one has not.
    found: bool,
    /// The first place taken, and who leads.
    first: Option<usize>,
    leads: Option<usize>,
}

impl Lead {
    /// `mine` is the own place in the succession; `found` says whether the group was there before this member.
    pub(crate) fn new(mine: Option<usize>, found: bool, now: Instant) -> Self {
        Self { seen: BTreeMap::new(), mine, begun: now, found, first: None, leads: None }
    }

    /// Takes in which places are taken; returns the place that leads, `None` where nobody does.
    pub(crate) fn refresh(&mut self, taken: impl IntoIterator<Item = usize>, now: Instant) -> Option<usize> {
        let taken: Vec<usize> = taken.into_iter().collect();
        // Whoever is gone was there until now, as far as this member knows.
        for place in &taken {
            self.seen.insert(*place, now);
        }
        self.first = taken.into_iter().min();
        self.leads = self.first.filter(|first| self.turn(*first).is_none_or(|at| at <= now));
        self.leads
    }

    /// Who leads, by the last [`Self::refresh`].
    pub(crate) fn leads(&self) -> Option<usize> {
        self.leads
    }

    /// When a successor's turn comes, so that [`Self::refresh`] has news.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let first = self.first.filter(|_| self.leads.is_none())?;
        self.turn(first)
    }

    /// When the turn of a place comes, if those before stay away.
    fn turn(&self, place: usize) -> Option<Instant> {
        let waits = |before: usize| match self.seen.get(&before) {
            Some(last) => Some(*last + PATIENCE),
            None if self.found && self.mine != Some(place) => None,
            None => Some(self.begun + PATIENCE),
        };
        (0..place).filter_map(waits).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn the_chair_leads_at_once_and_a_successor_after_ten_seconds() {
        let now = Instant::now();
        let mut lead = Lead::new(Some(1), false, now);
        assert_eq!(lead.refresh([1], now), None);
        assert_eq!(lead.deadline(), Some(now + PATIENCE));
        assert_eq!(lead.refresh([1], now + seconds(9)), None);
        assert_eq!(lead.refresh([1], now + PATIENCE), Some(1));
        assert_eq!(lead.deadline(), None);
        assert_eq!(lead.refresh([1, 0], now + seconds(11)), Some(0));
    }

    #[test]
    fn the_patience_begins_when_the_chair_goes_and_ends_when_they_come_back() {
        let now = Instant::now();
        let mut lead = Lead::new(Some(1), true, now);
        assert_eq!(lead.refresh([0, 1], now), Some(0));
        assert_eq!(lead.refresh([0, 1], now + seconds(100)), Some(0));
        assert_eq!(lead.refresh([1], now + seconds(101)), None);
        assert_eq!(lead.deadline(), Some(now + seconds(110)));
        assert_eq!(lead.refresh([0, 1], now + seconds(105)), Some(0));
        assert_eq!(lead.refresh([1], now + seconds(106)), None);
        assert_eq!(lead.refresh([1], now + seconds(114)), None);
        assert_eq!(lead.refresh([1], now + seconds(115)), Some(1));
    }

    #[test]
    fn whoever_comes_to_a_led_meeting_sees_who_leads_but_takes_no_turn_early() {
        let now = Instant::now();
        assert_eq!(Lead::new(None, true, now).refresh([2], now), Some(2));
        assert_eq!(Lead::new(Some(3), true, now).refresh([2, 3], now), Some(2));
        assert_eq!(Lead::new(Some(2), true, now).refresh([2, 3], now), None);
        assert_eq!(Lead::new(None, false, now).refresh([2], now), None);
    }

    #[test]
    fn each_of_those_before_has_their_own_ten_seconds() {
        let now = Instant::now();
        let mut lead = Lead::new(Some(2), true, now);
        lead.refresh([0, 1, 2], now);
        assert_eq!(lead.refresh([1, 2], now + seconds(5)), None);
        assert_eq!(lead.refresh([2], now + seconds(8)), None);
        assert_eq!(lead.refresh([2], now + seconds(14)), None, "the second was there at 5 s");
        assert_eq!(lead.refresh([2], now + seconds(15)), Some(2));
        assert_eq!(Lead::new(Some(0), false, now).refresh([], now), None);
    }
}
