//! Signs of life: when to give one, and what those of others say.
//!
//! A pulse is signed over the state of the group, so it proves more than that somebody is connected: that they are in
//! the same epoch with the same members and keys. The first in an epoch says "ready"; silence, another state and a
//! later epoch each mean something else.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::{Epoch, LeafIndex, LeafRef, PeerId};

use crate::{Standing, link::earliest};

/// Between two own signs of life.
const INTERVAL: Duration = Duration::from_secs(3);

/// A connected member from whom nothing came for this long is silent.
const SILENCE: Duration = Duration::from_secs(10);

/// Most others are in a later epoch: the commit that leads there must come within this.
const CATCH_UP: Duration = Duration::from_secs(2);

/// The own signs of life and those of the other members that are connected.
#[derive(Debug)]
pub(crate) struct Pulses {
    next: Instant,
    heard: BTreeMap<LeafRef, Heard>,
    /// The later epoch that each connection says it is in. Without that epoch's keys nobody can tell whether it is
    /// true, so it takes more than half of them to believe it.
    ahead: BTreeMap<PeerId, Epoch>,
    ahead_since: Option<Instant>,
}

/// One other member.
#[derive(Clone, Copy, Debug)]
struct Heard {
    leaf: LeafIndex,
    /// When the last sign of life came, or when the member did.
    last: Instant,
    /// The newest epoch that it proved to be in.
    epoch: Option<Epoch>,
    /// In which epoch it proved another state.
    diverged: Option<Epoch>,
    told: Standing,
}

impl Pulses {
    pub(crate) fn new(now: Instant) -> Self {
        Self { next: now, heard: BTreeMap::new(), ahead: BTreeMap::new(), ahead_since: None }
    }

    /// Takes over who else is a member and connected.
    pub(crate) fn set_others(&mut self, others: impl IntoIterator<Item = (LeafRef, LeafIndex)>, now: Instant) {
        let mut before = std::mem::take(&mut self.heard);
        let fresh = |leaf| Heard { leaf, last: now, epoch: None, diverged: None, told: Standing::Confirmed };
        for (reference, leaf) in others {
            let heard = before.remove(&reference).map_or_else(|| fresh(leaf), |heard| Heard { leaf, ..heard });
            self.heard.insert(reference, heard);
        }
    }

    /// The group entered an epoch: a sign of life is due.
    pub(crate) fn entered(&mut self, epoch: Epoch, now: Instant) {
        self.next = now;
        self.ahead.retain(|_, ahead| *ahead > epoch);
        self.count_ahead(now);
    }

    /// A valid sign of life came, in an epoch that is the `current` one or was not long ago.
    pub(crate) fn heard(&mut self, leaf: LeafIndex, epoch: Epoch, current: Epoch, now: Instant) {
        let Some(heard) = self.of(leaf) else { return };
        // Who stays in an old epoch is as good as silent.
        if epoch >= current {
            heard.last = now;
        }
        heard.epoch = heard.epoch.max(Some(epoch));
        // One of an epoch before, which both still had in common, takes nothing back.
        heard.diverged = heard.diverged.filter(|diverged| epoch < *diverged);
    }

    /// A sign of life proved another state of the epoch.
    pub(crate) fn diverged(&mut self, leaf: LeafIndex, epoch: Epoch) {
        if let Some(heard) = self.of(leaf) {
            heard.diverged = heard.diverged.max(Some(epoch));
        }
    }

    /// A sign of life came that is of a later epoch, as it says.
    pub(crate) fn ahead(&mut self, from: PeerId, epoch: Epoch, now: Instant) {
        if self.ahead.len() <= self.heard.len() {
            self.ahead.insert(from, epoch);
        }
        self.count_ahead(now);
    }

    /// A connection is gone, and what it said.
    pub(crate) fn departed(&mut self, peer: PeerId, now: Instant) {
        self.ahead.remove(&peer);
        self.count_ahead(now);
    }

    /// Forgets who is ahead: this member did not follow on purpose.
    pub(crate) fn stay(&mut self) {
        self.ahead.clear();
        self.ahead_since = None;
    }

    /// Whether to give a sign of life now.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + INTERVAL;
        }
        due
    }

    /// The latest epoch that everybody connected has proved to be in; `None` before that.
    pub(crate) fn ready(&self) -> Option<Epoch> {
        self.heard.values().map(|heard| heard.epoch).min().unwrap_or(Some(Epoch(u64::MAX)))
    }

    /// The epoch that others are in and this member cannot reach.
    pub(crate) fn out_of_reach(&self, now: Instant) -> Option<Epoch> {
        let since = self.ahead_since?;
        if now.saturating_duration_since(since) < CATCH_UP { None } else { self.ahead.values().max().copied() }
    }

    /// Whose standing has changed since the last call.
    pub(crate) fn news(&mut self, now: Instant) -> Vec<(LeafIndex, Standing)> {
        let mut news = Vec::new();
        for heard in self.heard.values_mut() {
            let standing = heard.standing(now);
            if standing != heard.told {
                heard.told = standing;
                news.push((heard.leaf, standing));
            }
        }
        news
    }

    /// When something is due: a sign of life, or the lack of one.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let silent = self.heard.values().filter(|heard| heard.told == Standing::Confirmed);
        let silent = silent.map(|heard| heard.last + SILENCE).min();
        earliest([Some(self.next), silent, self.ahead_since.map(|since| since + CATCH_UP)])
    }

    fn count_ahead(&mut self, now: Instant) {
        let is_most = self.ahead.len() * 2 > self.heard.len();
        self.ahead_since = if is_most { self.ahead_since.or(Some(now)) } else { None };
    }

    fn of(&mut self, leaf: LeafIndex) -> Option<&mut Heard> {
        self.heard.values_mut().find(|heard| heard.leaf == leaf)
    }
}

impl Heard {
    fn standing(&self, now: Instant) -> Standing {
        if self.diverged.is_some() {
            Standing::Diverged
        } else if now.saturating_duration_since(self.last) >= SILENCE {
            Standing::Silent
        } else {
            Standing::Confirmed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: LeafIndex = LeafIndex(1);
    const TWO: LeafIndex = LeafIndex(2);

    fn pulses(leaves: &[u32], now: Instant) -> Pulses {
        let mut pulses = Pulses::new(now);
        pulses.set_others(others(leaves), now);
        pulses
    }

    fn others(leaves: &[u32]) -> Vec<(LeafRef, LeafIndex)> {
        leaves.iter().map(|leaf| (LeafRef([*leaf as u8; 16]), LeafIndex(*leaf))).collect()
    }

    #[test]
    fn one_is_given_at_the_beginning_of_an_epoch_and_every_three_seconds() {
        let now = Instant::now();
        let mut pulses = pulses(&[], now);
        assert!(pulses.is_due(now));
        assert!(!pulses.is_due(now + INTERVAL / 2));
        assert!(pulses.is_due(now + INTERVAL));
        pulses.entered(Epoch(7), now + INTERVAL + INTERVAL / 3);
        assert!(pulses.is_due(now + INTERVAL + INTERVAL / 3));
        assert_eq!(pulses.deadline(), Some(now + INTERVAL * 2 + INTERVAL / 3));
    }

    #[test]
    fn everybody_is_ready_once_the_last_has_said_so() {
        let now = Instant::now();
        let mut pulses = pulses(&[1, 2], now);
        assert_eq!(pulses.ready(), None);
        pulses.heard(ONE, Epoch(4), Epoch(4), now);
        assert_eq!(pulses.ready(), None);
        pulses.heard(TWO, Epoch(3), Epoch(4), now);
        assert_eq!(pulses.ready(), Some(Epoch(3)));
        pulses.heard(TWO, Epoch(4), Epoch(4), now);
        assert_eq!(pulses.ready(), Some(Epoch(4)));
        pulses.heard(TWO, Epoch(3), Epoch(4), now);
        assert_eq!(pulses.ready(), Some(Epoch(4)), "one that was overtaken");
        pulses.set_others(others(&[1, 2, 3]), now);
        assert_eq!(pulses.ready(), None, "somebody came");
        pulses.set_others(others(&[]), now);
        assert!(pulses.ready() > Some(Epoch(1000)), "nobody to wait for");
    }

    #[test]
    fn silence_is_noticed_once_after_ten_seconds_and_ends_with_a_sign_of_life() {
        let now = Instant::now();
        let mut pulses = pulses(&[1, 2], now);
        pulses.heard(TWO, Epoch(1), Epoch(1), now + SILENCE / 2);
        pulses.heard(ONE, Epoch(0), Epoch(1), now + SILENCE / 2);
        assert_eq!(pulses.news(now + SILENCE - Duration::from_millis(1)), []);
        assert_eq!(pulses.news(now + SILENCE), [(ONE, Standing::Silent)]);
        assert_eq!(pulses.news(now + SILENCE), []);
        pulses.heard(ONE, Epoch(1), Epoch(1), now + SILENCE);
        assert_eq!(pulses.news(now + SILENCE), [(ONE, Standing::Confirmed)]);
        pulses.set_others(others(&[2]), now + SILENCE);
        pulses.set_others(others(&[1, 2]), now + SILENCE);
        assert_eq!(pulses.news(now + SILENCE), [], "who comes back begins anew");
    }

    #[test]
    fn another_state_stays_noticed_until_a_later_epoch_is_shared() {
        let now = Instant::now();
        let mut pulses = pulses(&[1], now);
        pulses.diverged(ONE, Epoch(5));
        pulses.diverged(LeafIndex(77), Epoch(5));
        assert_eq!(pulses.news(now), [(ONE, Standing::Diverged)]);
        pulses.heard(ONE, Epoch(4), Epoch(5), now);
        assert_eq!(pulses.news(now), [], "an older one proves nothing");
        pulses.heard(ONE, Epoch(5), Epoch(5), now);
        assert_eq!(pulses.news(now), [(ONE, Standing::Confirmed)]);
    }

    #[test]
    fn who_is_kept_from_a_commit_notices_after_two_seconds() {
        let now = Instant::now();
        let mut pulses = pulses(&[1], now);
        pulses.ahead(PeerId(1), Epoch(5), now);
        pulses.ahead(PeerId(1), Epoch(6), now + CATCH_UP / 2);
        assert_eq!(pulses.out_of_reach(now + CATCH_UP / 2), None);
        assert_eq!(pulses.out_of_reach(now + CATCH_UP), Some(Epoch(6)));
        pulses.entered(Epoch(5), now + CATCH_UP);
        assert_eq!(pulses.out_of_reach(now + CATCH_UP), Some(Epoch(6)), "another is missing");
        pulses.entered(Epoch(6), now + CATCH_UP);
        assert_eq!(pulses.out_of_reach(now + CATCH_UP * 2), None);
        pulses.ahead(PeerId(1), Epoch(7), now);
        pulses.stay();
        assert_eq!(pulses.out_of_reach(now + CATCH_UP * 2), None);
    }

    #[test]
    fn it_takes_most_others_to_believe_in_a_later_epoch() {
        let now = Instant::now();
        let mut pulses = pulses(&[1, 2, 3, 4], now);
        for _ in 0..5 {
            pulses.ahead(PeerId(1), Epoch(9), now);
            pulses.ahead(PeerId(2), Epoch(9), now);
        }
        assert_eq!(pulses.out_of_reach(now + CATCH_UP * 5), None, "two of four may be making it up");
        pulses.ahead(PeerId(3), Epoch(9), now + CATCH_UP);
        assert_eq!(pulses.out_of_reach(now + CATCH_UP), None);
        assert_eq!(pulses.deadline(), Some(now), "a sign of life");
        assert_eq!(pulses.out_of_reach(now + CATCH_UP * 2), Some(Epoch(9)));
        pulses.departed(PeerId(2), now + CATCH_UP * 2);
        assert_eq!(pulses.out_of_reach(now + CATCH_UP * 2), None);
    }
}
