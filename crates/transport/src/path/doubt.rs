//! Falls of the estimate that nothing of the line bears out.
//!
//! The loss controller of Google Congestion Control takes what a line loses at random for too much sent: with a tenth
//! lost and little sent, some packets more that are missed by chance bring an estimate of megabits down to 200 kbit/s, from
//! which it rises by seconds. A line that is too full is slow, or loses much more than that; so such a fall is undone where
//! a second was neither.

use conclave_model::Bitrate;

use super::Quality;
use crate::round_trips::RoundTrips;

/// A line that loses less than this in the mean gives the loss controller no reason; the fall has another.
const LOSSLESS: f32 = 0.02;

/// A line that is not slow and loses no more than this in the mean, and this in one second, loses at random.
const AT_RANDOM: f32 = 0.15;
const AT_RANDOM_IN_A_SECOND: f32 = 0.25;

/// How much of a second's loss goes into the mean.
const NEWEST: f32 = 0.25;

/// A fall is one below this share of what was borne before, in percent, and what is then taken instead of it.
const FALLEN: u64 = 50;
const RETURN: u64 = 90;

/// What was borne before is forgotten by this much a second, in percent.
const FORGOTTEN: u64 = 2;

/// The first seconds find the line's measure, and so do those after the line was too full: what is estimated in them is no
/// measure of anything.
const FIRST: u32 = 2;
const AFTERWARDS: u32 = 10;

/// Judges the estimate of one path.
#[derive(Debug)]
pub(crate) struct Doubt {
    estimate: Bitrate,
    /// What the line was good for until now.
    borne: Bitrate,
    /// The mean loss of the last few seconds, 0 to 1.
    loss: f32,
    round_trips: RoundTrips,
    /// For so many seconds more nothing is doubted.
    believes: u32,
}

impl Default for Doubt {
    fn default() -> Self {
        let estimate = Bitrate::default();
        Self { estimate, borne: estimate, loss: 0.0, round_trips: RoundTrips::default(), believes: FIRST }
    }
}

impl Doubt {
    /// Takes a new estimate.
    pub(crate) fn estimated(&mut self, rate: Bitrate) {
        self.estimate = rate;
    }

    /// Takes how the line did in the last second. Returns what the estimate should be instead of what it is.
    pub(crate) fn observed(&mut self, quality: Quality) -> Option<Bitrate> {
        let loss = if quality.loss.is_finite() { quality.loss.clamp(0.0, 1.0) } else { 0.0 };
        self.loss += (loss - self.loss) * NEWEST;
        let is_fast = self.round_trips.observe(quality.round_trip);
        let is_full = !is_fast || self.loss > AT_RANDOM || loss > AT_RANDOM_IN_A_SECOND;
        if is_full {
            self.believes = AFTERWARDS;
        }
        if self.believes > 0 {
            self.believes -= 1;
            self.borne = self.estimate;
            return None;
        }
        self.borne = percent(self.borne, 100 - FORGOTTEN).max(self.estimate);
        if self.loss < LOSSLESS || self.estimate >= percent(self.borne, FALLEN) {
            return None;
        }
        self.borne = percent(self.borne, RETURN);
        self.estimate = self.borne;
        Some(self.borne)
    }
}

fn percent(rate: Bitrate, percent: u64) -> Bitrate {
    Bitrate(rate.as_bps().saturating_mul(percent) / 100)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WIDE: Bitrate = Bitrate::kbps(2_000);
    const FALL: Bitrate = Bitrate::kbps(214);

    /// What becomes of a fall on a line that did so since a while, and so in the second of the fall.
    fn judge(before: (u64, f32), then: (u64, f32)) -> Option<Bitrate> {
        let quality = |(millis, loss): (u64, f32)| Quality { round_trip: Some(Duration::from_millis(millis)), loss };
        let mut doubt = Doubt::default();
        doubt.estimated(WIDE);
        for _ in 0..20 {
            assert_eq!(doubt.observed(quality(before)), None);
        }
        doubt.estimated(FALL);
        doubt.observed(quality(then))
    }

    #[test]
    fn a_fall_on_a_line_that_loses_at_random_and_is_not_slow_is_undone() {
        for (before, then) in [(0.1, 0.1), (0.05, 0.12), (0.12, 0.2), (0.03, 0.0)] {
            assert_eq!(judge((40, before), (60, then)), Some(Bitrate::kbps(1_764)), "{before}, {then}");
        }
    }

    #[test]
    fn a_fall_on_a_line_that_is_too_full_stands() {
        for (before, then) in [
            ((40, 0.1), (140, 0.1)),
            ((40, 0.1), (40, 0.4)),
            ((40, 0.18), (40, 0.1)),
            ((40, 0.0), (40, 0.05)),
            ((40, 0.0), (40, 0.0)),
        ] {
            assert_eq!(judge(before, then), None, "{before:?}, {then:?}");
        }
    }

    #[test]
    fn a_slow_second_makes_a_lower_estimate_the_measure() {
        let mut doubt = Doubt::default();
        let quality = |millis| Quality { round_trip: Some(Duration::from_millis(millis)), loss: 0.1 };
        doubt.estimated(WIDE);
        (0..20).for_each(|_| assert_eq!(doubt.observed(quality(40)), None));
        doubt.estimated(FALL);
        assert_eq!(doubt.observed(quality(300)), None);
        (0..20).for_each(|_| assert_eq!(doubt.observed(quality(40)), None));
        // The mean over some seconds falls on, after the queue has run empty.
        let mut doubt = Doubt::default();
        doubt.estimated(WIDE);
        (0..20).for_each(|_| assert_eq!(doubt.observed(quality(40)), None));
        assert_eq!(doubt.observed(quality(300)), None);
        doubt.estimated(Bitrate::kbps(900));
        assert_eq!(doubt.observed(quality(60)), None);
        doubt.estimated(FALL);
        (0..20).for_each(|_| assert_eq!(doubt.observed(quality(40)), None));
    }

    #[test]
    fn an_estimate_that_keeps_falling_is_given_way_to_in_the_end() {
        let mut doubt = Doubt::default();
        let quality = Quality { round_trip: Some(Duration::from_millis(40)), loss: 0.1 };
        doubt.estimated(WIDE);
        (0..20).for_each(|_| assert_eq!(doubt.observed(quality), None));
        let returned: Vec<u64> = (0..60)
            .filter_map(|_| {
                doubt.estimated(FALL);
                doubt.observed(quality).map(|rate| rate.as_bps() / 1_000)
            })
            .collect();
        assert_eq!(returned.first(), Some(&1_764));
        assert!(returned.last().is_some_and(|last| *last < 500) && returned.len() < 30, "{returned:?}");
    }

    #[test]
    fn the_first_seconds_are_no_measure() {
        let mut doubt = Doubt::default();
        let quality = Quality { round_trip: Some(Duration::from_millis(40)), loss: 0.1 };
        doubt.estimated(WIDE);
        assert_eq!(doubt.observed(quality), None);
        doubt.estimated(FALL);
        (0..10).for_each(|_| assert_eq!(doubt.observed(quality), None));
    }
}
