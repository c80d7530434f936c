//! Telling of frames that could not be opened, without flooding.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use conclave_model::LeafIndex;

use crate::{Event, UndecryptableCause};

/// At most one event in this time for each member and cause.
const INTERVAL: Duration = Duration::from_secs(1);

/// Frames that could not be opened, by member and cause.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    entries: BTreeMap<(Option<LeafIndex>, UndecryptableCause), Entry>,
}

#[derive(Debug)]
struct Entry {
    frames: u64,
    due: Instant,
}

impl Reports {
    /// Notes a frame; it is told of now, or together with others when the interval is over.
    pub(crate) fn note(&mut self, leaf: Option<LeafIndex>, cause: UndecryptableCause, now: Instant) {
        self.entries.entry((leaf, cause)).or_insert(Entry { frames: 0, due: now }).frames += 1;
    }

    /// The events that are due.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        for ((leaf, cause), entry) in &mut self.entries {
            if entry.frames > 0 && entry.due <= now {
                events.push(Event::Undecryptable { leaf: *leaf, cause: *cause, frames: entry.frames });
                *entry = Entry { frames: 0, due: now + INTERVAL };
            }
        }
        self.entries.retain(|_, entry| entry.frames > 0 || entry.due > now);
        events
    }

    /// When [`Self::due`] has something next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.entries.values().filter(|entry| entry.frames > 0).map(|entry| entry.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_rest_once_a_second() {
        let now = Instant::now();
        let mut reports = Reports::default();
        let cause = UndecryptableCause::Forged;
        let event = |frames| vec![Event::Undecryptable { leaf: None, cause, frames }];
        reports.note(None, cause, now);
        assert_eq!(reports.due(now), event(1));
        for _ in 0..500 {
            reports.note(None, cause, now);
        }
        assert_eq!(reports.due(now), []);
        assert_eq!(reports.deadline(), Some(now + INTERVAL));
        assert_eq!(reports.due(now + INTERVAL), event(500));
        assert_eq!(reports.due(now + INTERVAL * 3), []);
        assert!(reports.entries.is_empty());
    }
}
