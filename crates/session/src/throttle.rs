//! Requests that must neither be lost nor repeated too often.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Lets one request for each thing through per interval; what comes in between is put off to its end, not dropped.
#[derive(Debug)]
pub(crate) struct Throttle<K> {
    interval: Duration,
    entries: BTreeMap<K, Entry>,
}

#[derive(Debug)]
struct Entry {
    last: Instant,
    again: bool,
}

/// The most things that are remembered at once.
const MAX_ENTRIES: usize = 4096;

impl<K: Ord + Copy> Throttle<K> {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, entries: BTreeMap::new() }
    }

    /// Whether the request goes out at once; otherwise [`Self::due`] returns it later.
    pub(crate) fn request(&mut self, key: K, now: Instant) -> bool {
        if let Some(entry) = self.entries.get_mut(&key)
            && now.saturating_duration_since(entry.last) < self.interval
        {
            entry.again = true;
            return false;
        }
        if self.entries.len() >= MAX_ENTRIES {
            let interval = self.interval;
            self.entries.retain(|_, entry| now.saturating_duration_since(entry.last) < interval);
            if self.entries.len() >= MAX_ENTRIES {
                return false;
            }
        }
        self.entries.insert(key, Entry { last: now, again: false });
        true
    }

    /// Takes back what was put off, since it came to pass.
    pub(crate) fn satisfied(&mut self, key: K) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.again = false;
        }
    }

    /// The requests that were put off and go out now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<K> {
        let mut due = Vec::new();
        for (key, entry) in &mut self.entries {
            if entry.again && now.saturating_duration_since(entry.last) >= self.interval {
                *entry = Entry { last: now, again: false };
                due.push(*key);
            }
        }
        due
    }

    /// When [`Self::due`] has something next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.entries.values().filter(|entry| entry.again).map(|entry| entry.last + self.interval).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_soon_goes_out_once_at_the_end_of_the_interval() {
        let now = Instant::now();
        let interval = Duration::from_millis(300);
        let mut throttle = Throttle::new(interval);
        assert!(throttle.request(1, now));
        assert!(throttle.request(2, now));
        assert_eq!(throttle.deadline(), None);
        assert!(!throttle.request(1, now + interval / 3));
        assert!(!throttle.request(1, now + interval / 2));
        assert_eq!(throttle.deadline(), Some(now + interval));
        assert_eq!(throttle.due(now + interval / 2), [0; 0]);
        assert_eq!(throttle.due(now + interval), [1]);
        assert_eq!(throttle.due(now + interval * 3), [0; 0]);
        assert!(throttle.request(1, now + interval * 3));
    }

    #[test]
    fn a_satisfied_request_is_not_repeated() {
        let now = Instant::now();
        let mut throttle = Throttle::new(Duration::from_millis(300));
        throttle.request('a', now);
        throttle.request('a', now);
        throttle.satisfied('a');
        assert_eq!(throttle.deadline(), None);
    }

    #[test]
    fn what_it_remembers_is_bounded() {
        let now = Instant::now();
        let mut throttle = Throttle::new(Duration::from_millis(300));
        for key in 0..10_000 {
            throttle.request(key, now);
        }
        assert!(throttle.entries.len() <= MAX_ENTRIES);
    }
}
