//! How long to wait before the next attempt to connect.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// Waits that grow: half a second first, then one, two, four, at most eight, each up to a quarter shorter or longer,
/// so that the members of a meeting do not all come back at the same moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    attempt: u32,
    random: SmallRng,
}

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);

impl Backoff {
    /// No attempt has failed yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self { attempt: 0, random: SmallRng::seed_from_u64(seed) }
    }

    /// Counts a failed attempt; returns the wait before the next.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = FIRST.saturating_mul(1 << self.attempt.min(10)).min(LONGEST);
        self.attempt = self.attempt.saturating_add(1);
        wait.mul_f64(self.random.random_range(0.75..=1.25)).min(LONGEST)
    }

    /// How many attempts have failed.
    pub(crate) fn failed(&self) -> u32 {
        self.attempt
    }

    /// An attempt succeeded.
    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_eight_seconds_and_begin_again_after_a_success() {
        let mut backoff = Backoff::new(7);
        for expected in [0.5, 1.0, 2.0, 4.0, 8.0, 8.0] {
            let wait = backoff.next_wait().as_secs_f64();
            assert!(wait >= expected * 0.75 && wait <= (expected * 1.25).min(8.0), "{wait} for {expected}");
        }
        assert_eq!(backoff.failed(), 6);
        backoff.reset();
        assert!(backoff.next_wait() < Duration::from_millis(700));
    }

    #[test]
    fn two_clients_do_not_come_back_at_the_same_moment() {
        assert_ne!(Backoff::new(1).next_wait(), Backoff::new(2).next_wait());
    }
}
