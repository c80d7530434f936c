//! Development only: a bad network in user space.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// A bad network, applied to the datagrams of one client in both directions. Tests use it where the machine gives no
/// `tc netem`; nothing in the product sets it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// The share of datagrams that is lost in each direction, from 0 to 1.
    pub loss: f32,
    /// How much later each datagram arrives, in each direction.
    pub delay: Duration,
    /// Decides which are lost.
    pub seed: u64,
}

/// A line that loses and delays what is put in.
#[derive(Debug)]
pub(crate) struct Line<T> {
    how: Impairment,
    random: SmallRng,
    waiting: BTreeMap<(Instant, u64), T>,
    count: u64,
}

/// The most that a line holds; more is lost, as in a router.
const CAPACITY: usize = 4096;

impl<T> Line<T> {
    /// An empty line. `salt` tells the two directions apart.
    pub(crate) fn new(how: Impairment, salt: u64) -> Self {
        let random = SmallRng::seed_from_u64(how.seed ^ salt);
        Self { how, random, waiting: BTreeMap::new(), count: 0 }
    }

    /// Puts something in; it may be lost.
    pub(crate) fn put(&mut self, what: T, now: Instant) {
        self.count += 1;
        let lost = self.random.random_bool(f64::from(self.how.loss.clamp(0.0, 1.0)));
        if !lost && self.waiting.len() < CAPACITY {
            self.waiting.insert((now + self.how.delay, self.count), what);
        }
    }

    /// Takes out what has arrived by `now`, in order.
    pub(crate) fn take(&mut self, now: Instant) -> Option<T> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next arrives.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_delays_all_and_loses_its_share_the_same_way_each_time() {
        let how = Impairment { loss: 0.25, delay: Duration::from_millis(50), seed: 9 };
        let start = crate::clock::now();
        let survivors = |salt| {
            let mut line = Line::new(how, salt);
            (0..4000).for_each(|number| line.put(number, start));
            assert_eq!(line.next_arrival(), Some(start + how.delay));
            assert_eq!(line.take(start + Duration::from_millis(49)), None);
            std::iter::from_fn(|| line.take(start + how.delay)).collect::<Vec<i32>>()
        };
        let first = survivors(0);
        assert!((2850..3150).contains(&first.len()), "{} of 4000", first.len());
        assert!(first.is_sorted());
        assert_eq!(first, survivors(0));
        assert_ne!(first, survivors(1));
    }
}
