//! How much of the own picture the processor bears; pure.
//!
//! Each step down about halves what the encoders take: first the highest encoding shows half as many pictures, then it
//! is left out, and so on down. A step is taken back only where twice the load would still be far from too much, so that
//! under steady conditions no step is ever taken back and forth.

use std::time::{Duration, Instant};

use super::ladder::LAYERS;

/// Share of the time between two pictures that encoding one may take.
const TOO_MUCH: f64 = 0.75;

/// Share below which twice as much would do.
const LITTLE: f64 = 0.3;

/// From this share on the encoders are to blame where threads get their turn late.
const TO_BLAME: f64 = 0.2;

/// How late threads may get their turn, on average: sound has less patience than the picture.
const LATE: Duration = Duration::from_millis(20);

/// How long it is too much before a step is taken, and how long after a step what it did is waited for.
const SOON: Duration = Duration::from_millis(800);
const SETTLE: Duration = Duration::from_millis(1500);

/// How long it has to be little before a step is taken back; doubled, up to the limit, each time that this was wrong.
const CALM: Duration = Duration::from_secs(10);
const CALM_LIMIT: Duration = Duration::from_secs(320);

/// A step taken back was wrong if it has to be taken again within this time.
const REGRET: Duration = Duration::from_secs(20);

/// Weight of the newest observation.
const WEIGHT: f64 = 0.2;

/// What the processor does not bear: how many steps down from all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strain(u8);

impl Strain {
    /// All steps: the lowest encoding with half of its pictures is sent however bad it is.
    const MOST: u8 = 2 * LAYERS as u8 - 1;

    /// So many steps down.
    #[cfg(test)]
    pub(crate) fn after(steps: u8) -> Self {
        Self(steps.min(Self::MOST))
    }

    /// The highest encoding that may be made.
    pub(crate) fn top(self) -> usize {
        LAYERS - 1 - usize::from(self.0 / 2).min(LAYERS - 1)
    }

    /// Whether that one shows half of its pictures only.
    pub(crate) fn halves(self) -> bool {
        self.0 % 2 == 1
    }

    fn steps(self) -> impl Iterator<Item = Self> {
        (self.0 + 1..=Self::MOST).map(Self)
    }

    fn steps_back(self) -> impl Iterator<Item = Self> {
        (0..self.0).rev().map(Self)
    }
}

/// What was seen since the last observation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    /// The largest share of the time between two pictures that encoding one took, over the encodings; `None` where
    /// nothing was encoded.
    pub(crate) encoding: Option<f64>,
    /// How late the engine got its turn.
    pub(crate) late: Duration,
}

/// Watches the load and decides on the [`Strain`].
#[derive(Debug)]
pub(crate) struct Governor {
    strain: Strain,
    encoding: f64,
    late: f64,
    /// Since when it is too much, or little.
    heavy: Option<Instant>,
    light: Option<Instant>,
    changed: Option<Instant>,
    /// When a step was taken back last.
    relaxed: Option<Instant>,
    calm: Duration,
}

impl Default for Governor {
    fn default() -> Self {
        Self {
            strain: Strain::default(),
            encoding: 0.0,
            late: 0.0,
            heavy: None,
            light: None,
            changed: None,
            relaxed: None,
            calm: CALM,
        }
    }
}

impl Governor {
    pub(crate) fn strain(&self) -> Strain {
        self.strain
    }

    /// Takes an observation, ten or so in a second. Returns whether the strain changed.
    ///
    /// `differs` says whether a strain would change what is encoded now: a step that changes nothing is no step.
    pub(crate) fn observe(&mut self, load: Load, differs: impl Fn(Strain) -> bool, now: Instant) -> bool {
        let encoding = load.encoding.unwrap_or(0.0);
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        self.encoding += (encoding - self.encoding) * WEIGHT;
        self.late += (load.late.as_secs_f64() - self.late) * WEIGHT;
        let is_late = self.late > LATE.as_secs_f64();
        let is_heavy = self.encoding > TOO_MUCH || (is_late && self.encoding > TO_BLAME);
        let is_light = self.encoding < LITTLE && !is_late;
        if since(self.changed).is_some_and(|since| since < SETTLE) {
            return false;
        }
        self.heavy = is_heavy.then(|| self.heavy.unwrap_or(now));
        self.light = is_light.then(|| self.light.unwrap_or(now));
        let next = if since(self.heavy).is_some_and(|since| since >= SOON) {
            let Some(step) = self.strain.steps().find(|strain| differs(*strain)) else { return false };
            if since(self.relaxed.take()).is_some_and(|since| since < REGRET) {
                self.calm = (self.calm * 2).min(CALM_LIMIT);
            }
            step
        } else if since(self.light).is_some_and(|since| since >= self.calm) && self.strain != Strain::default() {
            if since(self.relaxed.replace(now)).is_some_and(|since| since >= REGRET) {
                self.calm = CALM;
            }
            // Where no step back changes anything, nothing is held back.
            self.strain.steps_back().find(|strain| differs(*strain)).unwrap_or_default()
        } else {
            return false;
        };
        self.strain = next;
        (self.heavy, self.light, self.changed) = (None, None, Some(now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);

    /// A machine on which full quality takes this share of the time, and each step down half of the one before.
    fn run(governor: &mut Governor, from: Instant, seconds: u64, full: impl Fn(u64) -> f64) -> Vec<(u64, u8)> {
        let mut changes = Vec::new();
        for tick in 0..seconds * 10 {
            let share = full(tick / 10) / f64::from(1_u32 << governor.strain.0);
            let load = Load { encoding: Some(share), late: Duration::ZERO };
            if governor.observe(load, |_| true, from + TICK * u32::try_from(tick).unwrap_or(u32::MAX)) {
                changes.push((tick / 10, governor.strain.0));
            }
        }
        changes
    }

    #[test]
    fn too_much_is_stepped_down_from_within_seconds_and_never_back_while_it_lasts() {
        for (full, steps) in [(0.5, 0), (0.74, 0), (0.9, 1), (1.4, 1), (1.6, 2), (2.9, 2), (7.0, 4), (50.0, 5)] {
            let mut governor = Governor::default();
            let changes = run(&mut governor, Instant::now(), 900, |_| full);
            assert_eq!(governor.strain.0, steps, "at {full}: {changes:?}");
            assert_eq!(changes.len(), usize::from(steps), "at {full}: {changes:?}");
            assert!(changes.iter().all(|(second, _)| *second < 15), "at {full}: {changes:?}");
        }
    }

    #[test]
    fn a_free_processor_is_used_again_slowly() {
        let mut governor = Governor::default();
        let changes = run(&mut governor, Instant::now(), 120, |second| if second < 20 { 2.5 } else { 0.4 });
        assert_eq!(governor.strain.0, 0, "{changes:?}");
        let ups: Vec<_> = changes.iter().filter(|(second, _)| *second >= 20).collect();
        assert!(ups.len() == 2 && ups[0].0 >= 30 && ups[1].0 >= ups[0].0 + 10, "{changes:?}");
    }

    #[test]
    fn a_load_that_comes_and_goes_is_answered_less_and_less_often() {
        let mut governor = Governor::default();
        // Every 25 seconds something else takes the processor for five.
        let changes = run(&mut governor, Instant::now(), 3000, |second| if second % 25 < 5 { 1.2 } else { 0.3 });
        assert!(changes.len() < 60, "{}: {changes:?}", changes.len());
        let late = changes.iter().filter(|(second, _)| *second > 1500).count();
        assert!(late <= changes.len() / 2, "{changes:?}");
    }

    #[test]
    fn noise_alone_changes_nothing() {
        let mut governor = Governor::default();
        let changes = run(&mut governor, Instant::now(), 600, |second| [0.5, 0.65, 0.3, 0.72][second as usize % 4]);
        assert_eq!(changes, []);
    }

    #[test]
    fn threads_that_come_late_count_only_where_the_encoders_are_to_blame() {
        for (encoding, steps) in [(0.1, 0), (0.5, 1)] {
            let mut governor = Governor::default();
            let start = Instant::now();
            let mut at = start;
            while at < start + Duration::from_secs(3) {
                at += TICK;
                let share = encoding / f64::from(1_u32 << governor.strain.0);
                let load = Load {
                    encoding: Some(share),
                    late: Duration::from_millis(if governor.strain.0 > 0 { 2 } else { 40 }),
                };
                governor.observe(load, |_| true, at);
            }
            assert_eq!(governor.strain.0, steps);
        }
    }

    #[test]
    fn a_step_that_would_change_nothing_is_passed_over() {
        let mut governor = Governor::default();
        let start = Instant::now();
        for tick in 0..20 {
            let load = Load { encoding: Some(1.0), late: Duration::ZERO };
            governor.observe(load, |strain| strain.0 >= 3, start + TICK * tick);
        }
        assert_eq!(governor.strain, Strain::after(3));
        let resting = Load::default();
        for tick in 20..200 {
            governor.observe(resting, |_| false, start + TICK * tick);
        }
        assert_eq!(governor.strain, Strain::default(), "nothing is encoded, so nothing is held back");
    }
}
