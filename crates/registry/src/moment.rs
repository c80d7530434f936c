//! Dates and times as people type them; always UTC.

use time::{
    Date, OffsetDateTime, PrimitiveDateTime, Time,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};

const MINUTES: &[&[BorrowedFormatItem<'_>]] = &[
    format_description!("[year]-[month]-[day]T[hour]:[minute]Z"),
    format_description!("[year]-[month]-[day]T[hour]:[minute]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]"),
    format_description!("[year]-[month]-[day] [hour]:[minute] UTC"),
];

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// The furthest step from now, in seconds: ten years.
const FURTHEST: u64 = 10 * 366 * 24 * 60 * 60;

/// Why a text is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It has none of the forms.
    #[error("write now, +30m, +2h, +1d, 2026-11-23, \"2026-11-23 14:00\" or 2026-11-23T14:00:00Z (UTC)")]
    Form,
    /// It is before 1970, or more than ten years from now for a step.
    #[error("it is too far away")]
    TooFar,
}

/// Reads `now`, a step from now (`+30m`, `+2h`, `+1d`), a day (its beginning), or a time, in seconds since 1970-01-01
/// UTC. `wall` is now.
///
/// # Errors
/// [`MomentError`].
pub fn parse(text: &str, wall: u64) -> Result<u64, MomentError> {
    let text = text.trim();
    if text == "now" {
        return Ok(wall);
    }
    if let Some(step) = text.strip_prefix('+') {
        return Ok(wall.saturating_add(parse_step(step)?));
    }
    let moment = OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| MINUTES.iter().find_map(|form| PrimitiveDateTime::parse(text, form).ok()).map(|at| at.assume_utc()))
        .or_else(|| Date::parse(text, DAY).ok().map(|day| day.with_time(Time::MIDNIGHT).assume_utc()))
        .ok_or(MomentError::Form)?;
    u64::try_from(moment.unix_timestamp()).map_err(|_| MomentError::TooFar)
}

fn parse_step(step: &str) -> Result<u64, MomentError> {
    let (number, unit) = step.split_at_checked(step.len().saturating_sub(1)).ok_or(MomentError::Form)?;
    let number: u64 = number.parse().map_err(|_| MomentError::Form)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(MomentError::Form),
    };
    number.checked_mul(seconds).filter(|step| *step <= FURTHEST).ok_or(MomentError::TooFar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read_as_utc() {
        let wall = 1_000_000;
        for (text, wanted) in [
            ("now", wall),
            ("+30m", wall + 1800),
            ("+2h", wall + 7200),
            ("+1d", wall + 86_400),
            ("1970-01-02", 86_400),
            ("1970-01-02 01:00", 90_000),
            ("1970-01-02T01:00", 90_000),
            ("1970-01-02T01:00Z", 90_000),
            ("1970-01-02T01:00:01Z", 90_001),
            ("1970-01-02T02:00:01+01:00", 90_001),
            ("1970-01-02 01:00 UTC", 90_000),
        ] {
            assert_eq!(parse(text, wall), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["", "+", "+h", "+2w", "+-1h", "tomorrow", "23.11.2026", "2026-13-01", "2026-11-23T25:00Z", "+1é"]
        {
            assert_eq!(parse(text, 0), Err(MomentError::Form), "{text}");
        }
        assert_eq!(parse("1969-12-31", 0), Err(MomentError::TooFar));
        assert_eq!(parse("+99999999999999999h", 0), Err(MomentError::TooFar));
    }
}
