//! Changes of keys that one of two members knows of before the other.

use std::time::{Duration, Instant};

/// A change of keys takes no longer than this to reach everybody: half a second is allowed for it, and the signs of life
/// find who keeps it from whom.
const LONGEST: Duration = Duration::from_secs(4);

/// Frames under unknown keys that are further apart do not belong to one change.
const APART: Duration = Duration::from_secs(3);

/// Whether what a member sends under keys that are not known here is explained by a change of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BetweenKeys {
    /// First and last time that such frames were told of, since one opened.
    told: Option<(Instant, Instant)>,
}

impl BetweenKeys {
    /// Frames came under unknown keys. Says whether that is no more than a change so far.
    pub(super) fn unknown(&mut self, now: Instant) -> bool {
        let goes_on = |(_, last): &(Instant, Instant)| now.saturating_duration_since(*last) < APART;
        let (first, _) = self.told.filter(goes_on).unwrap_or((now, now));
        self.told = Some((first, now));
        now.saturating_duration_since(first) < LONGEST
    }

    /// A frame opened.
    pub(super) fn opened(&mut self) {
        self.told = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_keys_alarms_nobody_and_keys_that_never_come_do() {
        let (mut keys, now) = (BetweenKeys::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert!((0..4).all(|number| keys.unknown(now + second * number)));
        assert!(!keys.unknown(now + second * 4), "that is no change any more");
        keys.opened();
        assert!(keys.unknown(now + second * 5));
        assert!(keys.unknown(now + second * 60), "another change, long after");
        assert!(keys.unknown(now + second * 62));
        assert!(!keys.unknown(now + second * 64));
    }
}
