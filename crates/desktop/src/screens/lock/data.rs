//! When the window locks, and what the lock screen shows.

use std::time::Duration;

use conclave_model::Level;

/// Everything on the lock screen: nothing of the meeting but its level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockData {
    /// The level of the meeting behind it.
    pub level: Level,
    /// Whether a PIN is asked for, since the credential is on a card.
    pub card: bool,
    /// What went wrong, in words.
    pub problem: Option<String>,
    /// Whether the password is being tried.
    pub busy: bool,
}

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockAction {
    /// Try the password.
    Unlock,
    /// Leave the meeting.
    Leave,
}

/// A moment on two clocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// In seconds on the window's clock, which never jumps and stands still while the computer sleeps.
    pub window: f64,
    /// In seconds since 1970-01-01 UTC, which goes on while the computer sleeps.
    pub wall: u64,
}

/// How near the lock is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// The policy asks for none.
    Never,
    /// Nothing to say for so many seconds.
    Far(f64),
    /// Worth a warning, so many seconds before.
    Soon(f64),
    /// Now.
    Due,
}

/// Measures how long nobody has touched keyboard and pointer.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    after: Option<Duration>,
    touched: Option<Moment>,
}

impl Watch {
    /// Due once nobody has touched anything for `after`; `None` is never.
    pub fn new(after: Option<Duration>) -> Self {
        Self { after, touched: None }
    }

    /// Somebody is there.
    pub fn touch(&mut self, now: Moment) {
        self.touched = Some(now);
    }

    /// How near the lock is. The first call counts as a touch.
    pub fn standing(&mut self, now: Moment) -> Standing {
        let Some(after) = self.after.map(|after| after.as_secs_f64()) else { return Standing::Never };
        let touched = *self.touched.get_or_insert(now);
        // A clock that was set back must not hold the lock open, and a computer that slept was not touched.
        let idle = (now.window - touched.window).max(now.wall.saturating_sub(touched.wall) as f64);
        let (left, warning) = (after - idle, WARNING.min(after / 4.0));
        match left {
            ..=0.0 => Standing::Due,
            left if left <= warning => Standing::Soon(left),
            left => Standing::Far(left - warning),
        }
    }
}

/// How long before the lock it is announced, in seconds; a quarter of the whole time at most.
const WARNING: f64 = 30.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(window: f64, wall: u64) -> Moment {
        Moment { window, wall }
    }

    #[test]
    fn without_a_policy_nothing_ever_locks() {
        let mut watch = Watch::new(None);
        assert_eq!(
            (watch.standing(at(0.0, 0)), watch.standing(at(1e9, 1_000_000_000))),
            (Standing::Never, Standing::Never)
        );
    }

    #[test]
    fn the_lock_comes_after_the_time_of_the_policy_and_is_announced() {
        let mut watch = Watch::new(Some(Duration::from_secs(600)));
        assert_eq!(watch.standing(at(5.0, 1000)), Standing::Far(570.0));
        assert_eq!(watch.standing(at(580.0, 1575)), Standing::Soon(25.0));
        assert_eq!(watch.standing(at(605.0, 1600)), Standing::Due);
        watch.touch(at(606.0, 1601));
        assert_eq!(watch.standing(at(606.0, 1601)), Standing::Far(570.0));
    }

    #[test]
    fn a_short_time_is_not_all_announcement() {
        let mut watch = Watch::new(Some(Duration::from_secs(60)));
        assert_eq!(watch.standing(at(0.0, 0)), Standing::Far(45.0));
    }

    #[test]
    fn a_computer_that_slept_locks_and_a_clock_set_back_does_not_prevent_it() {
        let mut watch = Watch::new(Some(Duration::from_secs(600)));
        watch.touch(at(10.0, 5000));
        assert_eq!(watch.standing(at(11.0, 5600)), Standing::Due, "asleep");
        assert_eq!(watch.standing(at(610.0, 100)), Standing::Due, "set back");
    }
}
