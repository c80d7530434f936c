//! How often one certificate may try to come in.
//!
//! Whoever stands on a list can be refused as often as they like: too early, over, not let in. Each attempt costs
//! handshakes and a line in the audit log, which an app gone wild would fill.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use conclave_model::Fingerprint;

/// One attempt in this time can go on for ever: an app tries every 8 s at most.
const EVERY: Duration = Duration::from_secs(5);

/// How many there may be at once after a rest: a person who clicks, a network that comes and goes.
const AT_ONCE: u32 = 20;

/// The most certificates that are remembered. All of them have been issued by the relay's own offices.
const REMEMBERED: usize = 8192;

/// Counts attempts, by certificate.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<Fingerprint, Tries>>);

/// The attempts of one certificate, by the generic cell rate algorithm (ITU-T I.371).
#[derive(Clone, Copy, Debug)]
struct Tries {
    /// Until when the attempts so far last.
    busy_until: Instant,
    /// Whether it has been told that there are too many, since the last that was not.
    is_told: bool,
}

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It may be looked at.
    Fine,
    /// It is the first that is one too many: worth a line in the audit log.
    FirstTooMany,
    /// It is one of many that are too many.
    TooMany,
}

impl Attempts {
    /// Counts an attempt. One that is too many costs nothing: waiting always helps.
    pub(crate) fn count(&self, who: Fingerprint, now: Instant) -> Attempt {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED && !all.contains_key(&who) {
            all.retain(|_, tries| tries.busy_until > now);
            if all.len() >= REMEMBERED {
                return Attempt::Fine;
            }
        }
        let tries = all.entry(who).or_insert(Tries { busy_until: now, is_told: false });
        let used = tries.busy_until.saturating_duration_since(now) + EVERY;
        if used <= EVERY * AT_ONCE {
            *tries = Tries { busy_until: now + used, is_told: false };
            return Attempt::Fine;
        }
        if std::mem::replace(&mut tries.is_told, true) { Attempt::TooMany } else { Attempt::FirstTooMany }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(number: usize) -> Fingerprint {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&number.to_be_bytes());
        Fingerprint(name)
    }

    #[test]
    fn an_app_gone_wild_gets_one_line_in_the_log_and_others_are_not_concerned() {
        let attempts = Attempts::default();
        let now = Instant::now();
        let tried: Vec<_> = (0..200).map(|_| attempts.count(who(1), now)).collect();
        assert_eq!(tried.iter().filter(|attempt| **attempt == Attempt::Fine).count(), 20);
        assert_eq!(tried.iter().filter(|attempt| **attempt == Attempt::FirstTooMany).count(), 1);
        assert_eq!(tried[20], Attempt::FirstTooMany);
        assert_eq!(attempts.count(who(2), now), Attempt::Fine);
        assert_eq!(attempts.count(who(1), now + EVERY), Attempt::Fine, "it may try again after a while");
        assert_eq!(attempts.count(who(1), now + EVERY), Attempt::FirstTooMany, "and is told again");
    }

    #[test]
    fn an_app_that_waits_between_attempts_may_try_for_ever() {
        let attempts = Attempts::default();
        let start = Instant::now();
        let steady = (0..10_000).map(|step| attempts.count(who(1), start + Duration::from_secs(6) * step));
        assert!({ steady }.all(|attempt| attempt == Attempt::Fine));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for number in 0..REMEMBERED * 3 {
            attempts.count(who(number), start + Duration::from_millis(1) * u32::try_from(number).unwrap_or(0));
        }
        assert!(attempts.0.lock().map(|all| all.len()).unwrap_or(usize::MAX) <= REMEMBERED);
    }
}
