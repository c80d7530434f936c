//! Moments as people read them.

use std::fmt;

use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

/// A moment in seconds since 1970-01-01 UTC, shown as `2026-11-23 14:05 UTC`; by `{:#}` with its seconds where it has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(pub u64);

const SHOWN: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");

const EXACT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = i64::try_from(self.0).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        let form = if f.alternate() && !self.0.is_multiple_of(60) { EXACT } else { SHOWN };
        match moment.and_then(|moment| moment.format(form).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} seconds after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_utc_and_absurd_ones_as_numbers() {
        assert_eq!(Utc(0).to_string(), "1970-01-01 00:00 UTC");
        assert_eq!(Utc(1_795_442_700).to_string(), "2026-11-23 14:05 UTC");
        assert_eq!(Utc(1_795_442_707).to_string(), "2026-11-23 14:05 UTC");
        assert_eq!(
            format!("{:#} {:#}", Utc(1_795_442_700), Utc(1_795_442_707)),
            "2026-11-23 14:05 UTC 2026-11-23 14:05:07 UTC"
        );
        assert_eq!(Utc(u64::MAX).to_string(), "18446744073709551615 seconds after 1970");
    }
}
