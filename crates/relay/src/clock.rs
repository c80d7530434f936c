//! The only place that asks what time it is.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The moment, for everything that counts durations.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970-01-01 UTC.
pub(crate) fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
