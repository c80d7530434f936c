//! A named thread that ends when its handle is dropped, and the pace of a source that has no clock of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use conclave_model::MediaTime;

use crate::{CaptureError, Clock};

/// Whether the thread's owner still wants it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A running thread; dropping it asks the thread to end and waits for it.
#[derive(Debug)]
pub(crate) struct Worker {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts `run` on a thread called `name` (at most 15 bytes are shown by Linux).
    pub(crate) fn start(name: &str, run: impl FnOnce(&Stop) + Send + 'static) -> Result<Self, CaptureError> {
        let stop = Stop::default();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn({
                let stop = stop.clone();
                move || run(&stop)
            })
            .map_err(|error| CaptureError::NoThread { reason: error.to_string() })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Asks the thread to end and does not wait: it hangs in a call to the system.
    pub(crate) fn abandon(mut self) {
        self.stop.set();
        self.thread = None;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A sink may drop its own stream; a thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("a capture thread panicked");
            }
        }
    }
}

/// Steps of equal length in real time.
///
/// Steps that come late are caught up; who falls further behind than [`Pace::PATIENCE`] (a machine that slept) leaves
/// out what was missed.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    steps: u64,
    per_second: (u64, u64),
    late: Duration,
    skipped: u64,
}

impl Pace {
    const PATIENCE: Duration = Duration::from_millis(250);

    /// `numerator / denominator` steps a second, beginning now; the first step is due one step from now.
    pub(crate) fn new(numerator: u64, denominator: u64) -> Self {
        Self {
            start: now(),
            steps: 0,
            per_second: (numerator.max(1), denominator.max(1)),
            late: Duration::ZERO,
            skipped: 0,
        }
    }

    /// When the step that is taken now was due: a thread that waits for its turn does not make the clip late.
    pub(crate) fn due(&self, clock: &Clock) -> MediaTime {
        MediaTime(clock().0.saturating_sub(u64::try_from(self.late.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How many steps were left out before the one that is taken now.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Waits for the next step; false where `stop` was set meanwhile.
    pub(crate) fn wait(&mut self, stop: &Stop) -> bool {
        self.steps += 1;
        let due = self.start + self.length(self.steps);
        while !stop.is_set() {
            let now = now();
            match due.checked_duration_since(now) {
                Some(rest) if !rest.is_zero() => thread::park_timeout(rest),
                _ => {
                    self.take(now, due);
                    return true;
                }
            }
        }
        false
    }

    /// Notes how late the step is that was due then, or leaves out all that were missed.
    fn take(&mut self, now: Instant, due: Instant) {
        (self.late, self.skipped) = (now.duration_since(due), 0);
        if self.late > Self::PATIENCE {
            let missed = self.late.as_nanos() / self.length(1).as_nanos().max(1);
            self.skipped = u64::try_from(missed).unwrap_or(u64::MAX);
            (self.start, self.steps) = (due + self.length(self.skipped), 0);
            self.late = now.saturating_duration_since(self.start);
        }
    }

    /// How long so many steps are.
    fn length(&self, steps: u64) -> Duration {
        let (numerator, denominator) = self.per_second;
        let nanoseconds = u128::from(steps) * 1_000_000_000 * u128::from(denominator) / u128::from(numerator);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// The monotonic clock; read here and nowhere else in the crate.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How many µs ago something was that the system stamped with its wall clock; 0 where the stamp makes no sense.
pub(crate) fn age(stamp: Option<Duration>) -> u64 {
    const OLDEST: u64 = 1_000_000;
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = stamp.and_then(|stamp| wall.checked_sub(stamp)).map_or(0, |age| age.as_micros());
    u64::try_from(age).ok().filter(|age| *age <= OLDEST).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_keep_their_pace() {
        let (mut pace, stop, began) = (Pace::new(100, 1), Stop::default(), now());
        (0..20).for_each(|_| assert!(pace.wait(&stop)));
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(199) && took < Duration::from_millis(400), "{took:?}");
    }

    #[test]
    fn who_falls_behind_catches_up_or_leaves_out_what_was_missed_and_keeps_the_beat() {
        let step = Duration::from_millis(10);
        let clock: Clock = std::sync::Arc::new(|| MediaTime(1_000_000));
        let mut pace = Pace::new(100, 1);
        pace.take(pace.start + step * 3, pace.start + step);
        assert_eq!((pace.skipped(), pace.due(&clock)), (0, MediaTime(980_000)));
        let start = pace.start;
        pace.steps = 1;
        pace.take(start + step * 70 + step / 2, start + step);
        assert_eq!((pace.skipped(), pace.due(&clock)), (69, MediaTime(995_000)));
        assert_eq!((pace.start, pace.steps), (start + step * 70, 0));
    }

    #[test]
    fn dropping_a_worker_ends_its_wait() {
        let began = now();
        drop(Worker::start("test", |stop| while Pace::new(1, 60).wait(stop) {}).expect("a thread"));
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
