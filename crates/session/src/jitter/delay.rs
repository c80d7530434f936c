//! How late packets come, and what delay that asks for.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use conclave_model::MediaTime;

use super::SHORT_FRAME;

/// How many packets the estimate looks back on: 10 s of speech. Shorter, and random loss moves the percentile to and fro.
const HISTORY: usize = 500;

/// Which share of packets must come in time.
const PERCENTILE: usize = 99;

/// What is added, for the phase between arrivals and pulls.
const MARGIN: Duration = Duration::from_millis(4);

/// The bounds of the target: one packet, and ten long ones.
const MIN_TARGET: Duration = SHORT_FRAME;
const MAX_TARGET: Duration = Duration::from_millis(200);

/// For how many packets less must do before the target comes down: 10 s. Each change of the delay is a little damage, and
/// loss that is random makes the percentile sway.
const HOLD: u32 = 500;

/// How near to the target counts as the target.
const SAME: Duration = Duration::from_millis(8);

/// How fast the target then comes down, per packet: 20 ms in 2 s. It goes up at once.
const DECAY: Duration = Duration::from_micros(200);

/// A transit that differs this much from the one before is a clock that was set, not a network.
const CLOCK_STEP: i64 = 2_000_000;

/// After a pause this long, old transits say little (clocks drift, routes change).
const STALE: Duration = Duration::from_secs(30);

/// Estimates the delay that a source's jitter asks for.
#[derive(Debug)]
pub(super) struct DelayEstimator {
    /// Arrival of the first packet: the origin of the local time scale.
    origin: Option<Instant>,
    /// Arrival minus capture time, in µs; it holds the offset of the clocks.
    transits: VecDeque<i64>,
    sorted: Vec<i64>,
    fastest: i64,
    target: Duration,
    /// Packets since the target was last needed.
    less: u32,
    last: Option<Instant>,
}

impl DelayEstimator {
    pub(super) fn new() -> Self {
        Self {
            origin: None,
            transits: VecDeque::with_capacity(HISTORY),
            sorted: Vec::with_capacity(HISTORY),
            fastest: 0,
            target: MIN_TARGET,
            less: 0,
            last: None,
        }
    }

    /// Notes that a packet of capture time `time` arrived, which lasts `length`.
    pub(super) fn arrived(&mut self, length: Duration, time: MediaTime, now: Instant) {
        let is_stale = self.last.is_some_and(|last| now.saturating_duration_since(last) > STALE);
        self.last = Some(now);
        self.origin.get_or_insert(now);
        let transit = self.transit(time, now);
        let was_set = self.transits.back().is_some_and(|before| transit.saturating_sub(*before).abs() > CLOCK_STEP);
        if is_stale || was_set {
            self.transits.clear();
            self.sorted.clear();
        }
        if self.transits.len() == HISTORY
            && let Some(old) = self.transits.pop_front()
            && let Ok(at) = self.sorted.binary_search(&old)
        {
            self.sorted.remove(at);
        }
        self.transits.push_back(transit);
        let at = self.sorted.partition_point(|other| *other < transit);
        self.sorted.insert(at, transit);
        self.fastest = self.sorted.first().copied().unwrap_or(transit);
        let slow = self.sorted.get((self.sorted.len() - 1) * PERCENTILE / 100).copied().unwrap_or(transit);
        let lateness = u64::try_from(slow.saturating_sub(self.fastest)).unwrap_or(0);
        let wanted = (Duration::from_micros(lateness) + MARGIN).clamp(length, MAX_TARGET);
        if wanted >= self.target {
            (self.target, self.less) = (wanted, 0);
        } else if self.less <= HOLD && wanted + SAME >= self.target {
            self.less = 0;
        } else {
            self.less = self.less.saturating_add(1);
        }
        if self.less > HOLD {
            self.target = wanted.max(self.target.saturating_sub(DECAY));
        }
    }

    /// How long after its earliest possible arrival a packet of capture time `time` would play now.
    pub(super) fn lag(&self, time: MediaTime, now: Instant) -> Duration {
        let late = self.transit(time, now).saturating_sub(self.fastest);
        Duration::from_micros(u64::try_from(late).unwrap_or(0))
    }

    pub(super) fn target(&self) -> Duration {
        self.target
    }

    /// Forgets all about a source that began anew.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }

    fn transit(&self, time: MediaTime, now: Instant) -> i64 {
        let elapsed = self
            .origin
            .map_or(0, |origin| i64::try_from(now.saturating_duration_since(origin).as_micros()).unwrap_or(i64::MAX));
        elapsed.saturating_sub(i64::try_from(time.0).unwrap_or(i64::MAX))
    }
}
