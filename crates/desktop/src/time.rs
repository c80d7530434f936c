//! Dates and times in words, on the clock of the person's own time zone.

use std::time::Instant;

use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::words::Words;

/// One moment on both clocks: what people call it, and what the engine measures by.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Seconds since 1970-01-01 UTC.
    pub wall: u64,
    /// The same moment on the clock that never jumps.
    pub instant: Instant,
}

/// From when to when a meeting is, seen from `wall`; all in seconds since 1970-01-01 UTC.
///
/// "Today, 14:00–16:00" for today, "23 November 2026, 14:00–16:00" otherwise; with both dates where they differ.
pub fn span(begin: u64, end: u64, wall: u64, words: &Words) -> String {
    span_in(&TimeZone::system(), begin, end, wall, words)
}

/// A moment, as "14:00" today and with its date otherwise.
pub fn moment(at: u64, wall: u64, words: &Words) -> String {
    let zone = TimeZone::system();
    let (at, today) = (local(at, &zone), local(wall, &zone));
    if at.date() == today.date() { clock(&at) } else { format!("{}, {}", date(&at, words), clock(&at)) }
}

fn span_in(zone: &TimeZone, begin: u64, end: u64, wall: u64, words: &Words) -> String {
    let (begin, end, today) = (local(begin, zone), local(end, zone), local(wall, zone));
    let day = |at: &Zoned| if at.date() == today.date() { words.say("time-today") } else { date(at, words) };
    if begin.date() == end.date() {
        format!("{}, {}–{}", day(&begin), clock(&begin), clock(&end))
    } else {
        format!("{}, {} – {}, {}", day(&begin), clock(&begin), day(&end), clock(&end))
    }
}

/// Moments past what a calendar holds are shown as its ends.
fn local(seconds: u64, zone: &TimeZone) -> Zoned {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_zoned(zone.clone())
}

fn clock(at: &Zoned) -> String {
    format!("{:02}:{:02}", at.hour(), at.minute())
}

fn date(at: &Zoned, words: &Words) -> String {
    let month = words.tell("time-month", [("month", at.month().into())]);
    words.tell(
        "time-date",
        // As text, so that no language groups the digits of a year.
        [("day", at.day().into()), ("month", month.into()), ("year", at.year().to_string().into())],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 14:00 UTC.
    const BEGIN: u64 = 1_795_442_400;

    fn at(end: u64, wall: u64) -> String {
        span_in(&TimeZone::UTC, BEGIN, end, wall, &Words::english())
    }

    #[test]
    fn today_needs_no_date() {
        assert_eq!(at(BEGIN + 7200, BEGIN - 3600), "Today, 14:00–16:00");
    }

    #[test]
    fn other_days_have_one_and_long_meetings_two() {
        assert_eq!(at(BEGIN + 7200, BEGIN - 86_400 * 3), "23 November 2026, 14:00–16:00");
        assert_eq!(at(BEGIN + 86_400, BEGIN), "Today, 14:00 – 24 November 2026, 14:00");
    }

    #[test]
    fn moments_beyond_the_calendar_do_not_panic() {
        assert!(!at(u64::MAX, 0).is_empty());
    }
}
