//! The only place of this crate that reads clocks.

use std::{
    sync::{Arc, OnceLock},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use conclave_capture::Clock;
use conclave_model::MediaTime;

/// Seconds since 1970-01-01 UTC, as validity periods are compared with.
pub fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The clock that stamps captured samples: wall clock at the start of the process, monotonic from there.
///
/// All clients of one process share it exactly, all clients of one machine up to what the system clock was corrected
/// by in the meantime.
pub fn media_clock() -> Clock {
    Arc::new(|| media_time(now()))
}

/// What [`media_clock`] says at `instant`; instants before the process's first look at the clock count as that look.
pub(crate) fn media_time(instant: Instant) -> MediaTime {
    static ANCHOR: OnceLock<(Instant, MediaTime)> = OnceLock::new();
    let &(anchor, wall) = ANCHOR.get_or_init(|| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (now(), MediaTime(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX)))
    });
    wall + instant.saturating_duration_since(anchor)
}

/// The current time.
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn media_time_runs_with_the_monotonic_clock_from_the_wall_clock() {
        let clock = media_clock();
        let first = clock();
        let start = now();
        assert!(first.0 / 1_000_000 >= wall_clock() - 1);
        assert_eq!(media_time(start + Duration::from_millis(20)).since(media_time(start)), Duration::from_millis(20));
        assert!(clock() >= first);
    }
}
