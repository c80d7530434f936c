//! Who was put out of which meeting.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use conclave_model::{Fingerprint, MeetingId};

/// How many meetings with somebody put out are remembered. An office signs an invitation for each, so more than some
/// hundred at once say that something is wrong; then the one that ends first is forgotten.
const MEETINGS: usize = 4096;

/// The certificates that a meeting does not take in any more, until its time window ends, whoever comes and goes.
#[derive(Debug, Default)]
pub(crate) struct Banned {
    meetings: BTreeMap<MeetingId, List>,
}

#[derive(Debug)]
struct List {
    until: Instant,
    who: BTreeSet<Fingerprint>,
}

impl Banned {
    pub(crate) fn add(&mut self, meeting: MeetingId, who: Fingerprint, until: Instant, now: Instant) {
        self.forget(now);
        if !self.meetings.contains_key(&meeting) && self.meetings.len() >= MEETINGS {
            let first = self.meetings.iter().min_by_key(|(_, list)| list.until).map(|(meeting, _)| *meeting);
            first.and_then(|first| self.meetings.remove(&first));
        }
        let list = self.meetings.entry(meeting).or_insert_with(|| List { until, who: BTreeSet::new() });
        list.until = list.until.max(until);
        list.who.insert(who);
    }

    pub(crate) fn contains(&mut self, meeting: MeetingId, who: Fingerprint, now: Instant) -> bool {
        self.forget(now);
        self.meetings.get(&meeting).is_some_and(|list| list.who.contains(&who))
    }

    fn forget(&mut self, now: Instant) {
        self.meetings.retain(|_, list| list.until > now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WHO: Fingerprint = Fingerprint([7; 32]);

    #[test]
    fn the_end_of_a_meeting_is_the_end_of_its_list() {
        let start = Instant::now();
        let meeting = MeetingId([1; 16]);
        let mut banned = Banned::default();
        banned.add(meeting, WHO, start + Duration::from_secs(10), start);
        assert!(banned.contains(meeting, WHO, start + Duration::from_secs(9)));
        assert!(!banned.contains(MeetingId([2; 16]), WHO, start));
        assert!(!banned.contains(meeting, Fingerprint([8; 32]), start));
        assert!(!banned.contains(meeting, WHO, start + Duration::from_secs(10)));
        assert!(banned.meetings.is_empty());
    }

    #[test]
    fn no_number_of_meetings_fills_the_memory() {
        let start = Instant::now();
        let mut banned = Banned::default();
        for number in 0..2 * MEETINGS {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let until = start + Duration::from_secs(60) + Duration::from_millis(number as u64);
            banned.add(MeetingId(id), WHO, until, start);
        }
        assert_eq!(banned.meetings.len(), MEETINGS);
        assert!(!banned.contains(MeetingId([0; 16]), WHO, start), "the one that ends first goes first");
    }
}
