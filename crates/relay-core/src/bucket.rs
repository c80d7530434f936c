//! Limits on what one connection may ask for.

use std::time::{Duration, Instant};

/// A limit on a rate, with a burst: the generic cell rate algorithm (ITU-T I.371), which needs one time stamp.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    /// What one unit costs.
    unit: Duration,
    /// How much may be used at once after a rest.
    burst: Duration,
    /// Until when the units taken so far last.
    busy_until: Instant,
}

impl Bucket {
    /// A full bucket: `per_second` units a second, at most `burst` units at once. Neither may be 0.
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let unit = Duration::from_secs(1) / per_second.max(1);
        Self { unit, burst: unit.saturating_mul(burst.max(1)), busy_until: now }
    }

    /// Takes `units`, all or none; `false` where they are not there.
    pub(crate) fn take(&mut self, units: usize, now: Instant) -> bool {
        let cost = self.unit.saturating_mul(u32::try_from(units).unwrap_or(u32::MAX));
        let used = self.busy_until.saturating_duration_since(now).saturating_add(cost);
        if used > self.burst {
            return false;
        }
        self.busy_until = now + used;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_served_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 5, start);
        assert_eq!((0..20).filter(|_| bucket.take(1, start)).count(), 5);
        let second_later = start + Duration::from_secs(1);
        assert_eq!((0..20).filter(|_| bucket.take(1, second_later)).count(), 5);
        let steady = (1..=100).filter(|step| bucket.take(1, second_later + Duration::from_millis(50) * *step)).count();
        assert_eq!(steady, 50);
    }

    #[test]
    fn more_than_a_burst_is_never_served() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 5, start);
        assert!(!bucket.take(6, start + Duration::from_secs(60)));
        assert!(!bucket.take(usize::MAX, start));
        assert!(bucket.take(5, start));
    }
}
