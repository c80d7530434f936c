//! When to give the group fresh keys without anybody coming or going.
//!
//! A commit replaces the keys of who makes it, so that whoever learned them once can follow no longer (RFC 9420 section
//! 16.6). A member's first comes soon after it was added, for until then others chose its path keys; after that every
//! few minutes. Whoever is due longest goes first, the next ones later by their place in that order, and never right
//! after another commit.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::LeafRef;

/// After being added.
const FIRST: Duration = Duration::from_secs(5);

/// After an own commit.
const PERIOD: Duration = Duration::from_secs(300);

/// After any commit; keeps renewals of a large group apart.
const SPACING: Duration = Duration::from_secs(2);

/// How much later each next one in the order goes, so that two do not commit at once.
const STEP: Duration = Duration::from_millis(500);

/// When each member's keys are due.
#[derive(Debug)]
pub(crate) struct Renewal {
    due: BTreeMap<LeafRef, Instant>,
    last: Instant,
}

impl Renewal {
    /// Begins with the members of a group that was there before, as far as known: their order is not.
    pub(crate) fn new(members: impl IntoIterator<Item = LeafRef>, me: LeafRef, now: Instant) -> Self {
        let mut due: BTreeMap<_, _> = members.into_iter().map(|leaf| (leaf, now + PERIOD)).collect();
        due.insert(me, now + FIRST);
        Self { due, last: now }
    }

    /// A commit of `author` took effect; those in `added` are new.
    pub(crate) fn committed(
        &mut self,
        author: LeafRef,
        added: impl IntoIterator<Item = LeafRef>,
        is_member: impl Fn(&LeafRef) -> bool,
        now: Instant,
    ) {
        self.last = now;
        self.due.insert(author, now + PERIOD);
        self.due.extend(added.into_iter().map(|leaf| (leaf, now + FIRST)));
        self.due.retain(|leaf, _| is_member(leaf));
    }

    /// When `me` renews, where nothing else is committed before; `None` where nobody else is here.
    pub(crate) fn deadline(&self, me: LeafRef, is_present: impl Fn(&LeafRef) -> bool) -> Option<Instant> {
        let mine = (*self.due.get(&me)?, me);
        let mut others = self.due.iter().filter(|(leaf, _)| **leaf != me && is_present(leaf)).peekable();
        others.peek()?;
        let before = others.filter(|(leaf, due)| (**due, **leaf) < mine).count();
        let step = STEP * u32::try_from(before).unwrap_or(u32::MAX);
        Some(mine.0.max(self.last + SPACING) + step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(number: u8) -> LeafRef {
        LeafRef([number; 16])
    }

    /// The renewals of members that each follow the rules, by simulated ticks.
    fn play(count: u8, time: Duration, start: Instant) -> Vec<(Duration, u8)> {
        let everybody: Vec<LeafRef> = (0..count).map(leaf).collect();
        let mut views: Vec<Renewal> = everybody.iter().map(|me| Renewal::new([leaf(0)], *me, start)).collect();
        for view in &mut views {
            view.committed(leaf(0), everybody[1..].iter().copied(), |_| true, start);
        }
        let mut renewals = Vec::new();
        let mut now = start;
        while now < start + time {
            now += Duration::from_millis(50);
            let is_due = |number: &u8| {
                let me = leaf(*number);
                views[usize::from(*number)].deadline(me, |_| true).is_some_and(|at| at <= now)
            };
            let due: Vec<u8> = (0..count).filter(is_due).collect();
            assert!(due.len() <= 1, "{due:?} at once after {:?}", now - start);
            for number in due {
                renewals.push((now - start, number));
                for view in &mut views {
                    view.committed(leaf(number), [], |_| true, now);
                }
            }
        }
        renewals
    }

    #[test]
    fn everybody_renews_soon_after_joining_and_every_five_minutes_and_no_two_at_once() {
        let start = Instant::now();
        for count in [2, 5, 40] {
            let renewals = play(count, Duration::from_secs(15 * 60), start);
            for number in 0..count {
                let of: Vec<_> = renewals.iter().filter(|(_, who)| *who == number).map(|(at, _)| *at).collect();
                assert!((2..=4).contains(&of.len()), "{number} of {count} at {of:?}");
                assert!(number == 0 || of[0] < FIRST + SPACING * 2 * u32::from(count), "{number} of {count}: {of:?}");
                assert!(of.windows(2).all(|pair| pair[1] - pair[0] < PERIOD + SPACING * 2 * u32::from(count)));
            }
            assert!(renewals.windows(2).all(|pair| pair[1].0 - pair[0].0 >= SPACING));
        }
    }

    #[test]
    fn who_is_alone_does_not_renew_and_the_absent_are_not_waited_for() {
        let now = Instant::now();
        let renewal = Renewal::new([leaf(1)], leaf(1), now);
        assert_eq!(renewal.deadline(leaf(1), |_| true), None);
        let mut renewal = Renewal::new([leaf(1), leaf(2)], leaf(3), now);
        renewal.committed(leaf(2), [leaf(4), leaf(2)], |_| true, now);
        renewal.committed(leaf(1), [leaf(3)], |_| true, now + Duration::from_secs(1));
        let due = now + Duration::from_secs(1) + FIRST;
        assert_eq!(renewal.deadline(leaf(3), |_| true), Some(due + STEP * 2), "after 4, who came first, and 2");
        renewal.committed(leaf(9), [], |leaf| leaf.0[0] < 9, due);
        assert_eq!(renewal.deadline(leaf(3), |_| true), Some(due + SPACING + STEP * 2));
        assert_eq!(renewal.deadline(leaf(3), |other| *other == leaf(1)), Some(due + SPACING));
        assert_eq!(renewal.deadline(leaf(9), |_| true), None, "no member");
    }
}
