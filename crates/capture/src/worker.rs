//! A named thread that ends when its handle is dropped, and the pace of a source that has no clock of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::CaptureError;

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
/// Steps that come late are caught up; who falls further behind than [`Pace::PATIENCE`] (a machine that slept) goes on
/// from now.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    steps: u64,
    per_second: (u64, u64),
}

impl Pace {
    const PATIENCE: Duration = Duration::from_millis(250);

    /// `numerator / denominator` steps a second, beginning now; the first step is due one step from now.
    pub(crate) fn new(numerator: u64, denominator: u64) -> Self {
        Self { start: now(), steps: 0, per_second: (numerator.max(1), denominator.max(1)) }
    }

    /// Waits for the next step; false where `stop` was set meanwhile.
    pub(crate) fn wait(&mut self, stop: &Stop) -> bool {
        self.steps += 1;
        let nanoseconds =
            u128::from(self.steps) * 1_000_000_000 * u128::from(self.per_second.1) / u128::from(self.per_second.0);
        let due = self.start + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        while !stop.is_set() {
            let now = now();
            match due.checked_duration_since(now) {
                Some(rest) if !rest.is_zero() => thread::park_timeout(rest),
                _ => {
                    if now.duration_since(due) > Self::PATIENCE {
                        (self.start, self.steps) = (now, 0);
                    }
                    return true;
                }
            }
        }
        false
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
    fn dropping_a_worker_ends_its_wait() {
        let began = now();
        drop(Worker::start("test", |stop| while Pace::new(1, 60).wait(stop) {}).expect("a thread"));
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
