//! How slow a line is for its own measure.

use std::time::Duration;

/// A round trip that is longer than the fastest by more than this waited in a queue.
const SLOWER: Duration = Duration::from_millis(50);

/// The round trips of one line.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundTrips {
    fastest: Option<Duration>,
}

impl RoundTrips {
    /// Takes the round trip of the last second, `None` where there was none. Returns whether it was no slower than the
    /// fastest of late by more than a little: nothing waits in a queue.
    pub fn observe(&mut self, trip: Option<Duration>) -> bool {
        let Some(trip) = trip else { return false };
        let is_fast = self.fastest.is_none_or(|fastest| trip <= fastest + SLOWER);
        // Ways change: the fastest is forgotten over a minute.
        let fastest = self.fastest.map_or(trip, |fastest| fastest + trip.saturating_sub(fastest) / 64);
        self.fastest = Some(fastest.min(trip));
        is_fast
    }

    /// The shortest of late, once known.
    pub fn fastest(&self) -> Option<Duration> {
        self.fastest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(trips: &mut RoundTrips, millis: u64) -> bool {
        trips.observe(Some(Duration::from_millis(millis)))
    }

    #[test]
    fn what_is_slow_is_measured_by_the_fastest() {
        let mut trips = RoundTrips::default();
        assert!(!trips.observe(None));
        assert!(observe(&mut trips, 300));
        assert!(observe(&mut trips, 40));
        assert!(observe(&mut trips, 89));
        assert!(!observe(&mut trips, 140));
        assert!(trips.fastest().is_some_and(|fastest| fastest < Duration::from_millis(45)), "{trips:?}");
    }

    #[test]
    fn another_way_becomes_the_measure_within_some_minutes() {
        let mut trips = RoundTrips::default();
        observe(&mut trips, 20);
        let slow = (0..300).take_while(|_| !observe(&mut trips, 200)).count();
        assert!((30..150).contains(&slow), "{slow} s");
    }
}
