//! Counts how often a picture stood still.

use std::{collections::VecDeque, time::Duration};

/// Counts freezes: gaps between shown pictures above max(3 × mean, mean + 150 ms), the mean being that of the last 30
/// gaps (W3C webrtc-stats, `freezeCount`).
#[derive(Clone, Debug, Default)]
pub struct FreezeMeter {
    last: Option<Duration>,
    gaps: VecDeque<Duration>,
    freezes: u64,
    longest: Duration,
    /// All gaps so far, and how many.
    total: Duration,
    count: u64,
}

impl FreezeMeter {
    /// Tells that a picture was shown at `time`, on any clock that only goes forward. Returns whether a freeze ended
    /// with it.
    pub fn shown(&mut self, time: Duration) -> bool {
        let Some(last) = self.last.replace(time) else { return false };
        let gap = time.saturating_sub(last);
        self.longest = self.longest.max(gap);
        self.total += gap;
        self.count += 1;
        let frozen = self.threshold().is_some_and(|threshold| gap > threshold);
        self.freezes += u64::from(frozen);
        if self.gaps.len() == WINDOW {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
        frozen
    }

    /// Tells that the picture stopped on purpose; the gap until the next one does not count.
    pub fn pause(&mut self) {
        self.last = None;
    }

    /// How many freezes there were.
    pub fn freezes(&self) -> u64 {
        self.freezes
    }

    /// The longest gap between two pictures.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// Pictures per second, pauses left out; 0 before the second picture.
    pub fn rate(&self) -> f64 {
        if self.total.is_zero() { 0.0 } else { self.count as f64 / self.total.as_secs_f64() }
    }

    /// The time that pictures were shown for, pauses left out.
    pub fn watched(&self) -> Duration {
        self.total
    }

    /// The gap from which on a picture stands still; `None` before there is enough to compare with.
    fn threshold(&self) -> Option<Duration> {
        let count = u32::try_from(self.gaps.len()).ok().filter(|count| *count >= ENOUGH)?;
        let mean = self.gaps.iter().sum::<Duration>() / count;
        Some((mean * 3).max(mean + Duration::from_millis(150)))
    }
}

/// Gaps that make the mean.
const WINDOW: usize = 30;

/// Gaps that are needed before the mean means anything.
const ENOUGH: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn play(gaps: impl IntoIterator<Item = u64>) -> FreezeMeter {
        let mut meter = FreezeMeter::default();
        let mut time = Duration::ZERO;
        meter.shown(time);
        for gap in gaps {
            time += Duration::from_millis(gap);
            meter.shown(time);
        }
        meter
    }

    #[test]
    fn a_steady_picture_does_not_freeze() {
        assert_eq!(play([33; 100]).freezes(), 0);
        assert_eq!(play([200; 100]).freezes(), 0);
        assert!((play([200; 100]).rate() - 5.0).abs() < 1e-9);
    }

    #[test]
    fn a_gap_counts_from_150_ms_above_the_mean() {
        let with = |gap| play([40; 20].into_iter().chain([gap])).freezes();
        assert_eq!(with(190), 0);
        assert_eq!(with(191), 1);
    }

    #[test]
    fn a_slow_picture_freezes_from_three_times_its_mean() {
        let with = |gap| play([200; 20].into_iter().chain([gap])).freezes();
        assert_eq!(with(600), 0);
        assert_eq!(with(601), 1);
    }

    #[test]
    fn a_pause_is_no_freeze() {
        let mut meter = play([40; 20]);
        meter.pause();
        assert!(!meter.shown(Duration::from_secs(100)));
        assert_eq!((meter.freezes(), meter.longest()), (0, Duration::from_millis(40)));
        assert!(meter.shown(Duration::from_secs(101)));
    }

    #[test]
    fn the_beginning_is_not_judged() {
        assert_eq!(play([900, 40, 40]).freezes(), 0);
    }
}
