//! When a publisher is asked for a key frame.

use std::time::{Duration, Instant};

/// At most one request for a key frame of an encoding in this time: a key frame costs about ten others.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(300);

/// A key frame that was asked for and has not come by now is asked for again.
const PATIENCE: Duration = Duration::from_secs(1);

/// When a publisher was and will be asked for a key frame of one encoding.
#[derive(Debug, Default)]
pub(crate) struct KeyFrames {
    last: Option<Instant>,
    /// Asked for again within the interval: ask at this moment, unless a key frame begins before it.
    due: Option<Instant>,
}

impl KeyFrames {
    /// Somebody needs one. `true`: ask now.
    pub(crate) fn want(&mut self, now: Instant) -> bool {
        match self.last.map(|last| last + KEY_FRAME_INTERVAL) {
            Some(next) if now < next => {
                self.due = Some(next);
                false
            }
            Some(_) | None => {
                self.last = Some(now);
                self.due = None;
                true
            }
        }
    }

    /// A key frame begins: whoever asked gets it.
    pub(crate) fn on_key_frame(&mut self) {
        self.due = None;
    }

    /// Somebody still waits for one. `true`: ask now, for an earlier request came to nothing.
    pub(crate) fn want_still(&mut self, now: Instant) -> bool {
        self.last.is_none_or(|last| last + PATIENCE <= now) && self.want(now)
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// `true`: ask now.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now) && self.want(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_requests_cost_one_key_frame_per_interval() {
        let start = Instant::now();
        let mut state = KeyFrames::default();
        let mut asked = 0;
        for step in 0..1000 {
            let now = start + Duration::from_millis(step);
            asked += usize::from(state.on_timeout(now)) + usize::from(state.want(now));
        }
        assert_eq!(asked, 4);
    }

    #[test]
    fn a_key_frame_on_its_way_answers_the_pending_request() {
        let start = Instant::now();
        let mut state = KeyFrames::default();
        assert!(state.want(start));
        assert!(!state.want(start + Duration::from_millis(10)));
        assert_eq!(state.due(), Some(start + KEY_FRAME_INTERVAL));
        state.on_key_frame();
        assert_eq!(state.due(), None);
        assert!(!state.on_timeout(start + Duration::from_secs(1)));
    }

    #[test]
    fn a_request_within_the_interval_is_not_forgotten() {
        let start = Instant::now();
        let mut state = KeyFrames::default();
        assert!(state.want(start));
        assert!(!state.want(start + Duration::from_millis(10)));
        assert!(!state.on_timeout(start + Duration::from_millis(299)));
        assert!(state.on_timeout(start + Duration::from_millis(300)));
        assert_eq!(state.due(), None);
    }

    #[test]
    fn a_request_that_came_to_nothing_is_repeated_after_a_second() {
        let start = Instant::now();
        let mut state = KeyFrames::default();
        assert!(state.want_still(start));
        let asked = (0..5_000).filter(|step| state.want_still(start + Duration::from_millis(*step))).count();
        assert_eq!(asked, 4);
    }
}
