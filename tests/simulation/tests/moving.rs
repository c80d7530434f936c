//! People whose machine changes from one network to another in the middle of a meeting.

use std::time::{Duration, Instant};

use conclave_sim::{Moved, moving};

/// How long the app takes to find out that the machine's address changed.
const FOUND: Duration = Duration::from_millis(300);

/// How long nobody may hear them at the most (the figure).
const GAP: Duration = Duration::from_secs(2);

#[test]
fn who_changes_the_network_is_heard_and_hears_within_two_seconds_and_never_leaves() {
    for seed in 0..24 {
        let moved = moving(seed, FOUND, Instant::now());
        let Moved { gap, is_noticed } = moved.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        assert!(gap < GAP, "seed {seed}: {gap:?}");
        assert!(!is_noticed, "seed {seed}: a roster changed");
    }
}
