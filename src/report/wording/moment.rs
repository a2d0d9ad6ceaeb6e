//! Timestamps and durations as readers want them: in UTC or a time zone of their own, and in seconds from the start.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::base::format;
use crate::base::time::Timestamp;

/// The time zone for timestamps.
#[derive(Clone, Debug, Default)]
pub struct Zone(Option<TimeZone>);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(None);

    /// The time zone of the machine that writes the report.
    #[must_use]
    pub fn local() -> Self {
        Self(Some(TimeZone::system()))
    }

    /// A given zone.
    #[must_use]
    pub const fn of(zone: TimeZone) -> Self {
        Self(Some(zone))
    }

    /// `2009-07-11 01:40:16.041 UTC`.
    #[must_use]
    pub fn full(&self, at: Timestamp) -> String {
        self.show(at, "%Y-%m-%d %H:%M:%S%.3f %Z")
    }

    /// `01:40:16.041`, to be printed next to a date given before.
    #[must_use]
    pub(crate) fn time_of_day(&self, at: Timestamp) -> String {
        self.show(at, "%H:%M:%S%.3f")
    }

    /// `01:40:16.041 UTC`, where no date with its zone is near.
    #[must_use]
    pub(crate) fn time_in_zone(&self, at: Timestamp) -> String {
        self.show(at, "%H:%M:%S%.3f %Z")
    }

    /// `01:40:16.041000`, to be compared with the times of other segments.
    #[must_use]
    pub(crate) fn clock(&self, at: Timestamp) -> String {
        self.show(at, "%H:%M:%S%.6f")
    }

    /// The date, to decide whether it must be printed again.
    #[must_use]
    pub(crate) fn date(&self, at: Timestamp) -> String {
        self.show(at, "%Y-%m-%d")
    }

    fn show(&self, at: Timestamp, format: &str) -> String {
        let zone = self.0.clone().unwrap_or(TimeZone::UTC);
        moment(at).to_zoned(zone).strftime(format).to_string()
    }
}

/// RFC 3339 in UTC with all nine digits, as machines expect it.
#[must_use]
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let mut out = String::with_capacity(30);
    // Writing to a string cannot fail.
    let _ = write!(out, "{:.9}", moment(at));
    out
}

/// Seconds after the start of a capture that ends at `end`, as `format::offset` tells it.
#[must_use]
pub fn offset(at: Timestamp, start: Timestamp, end: Timestamp) -> String {
    format::offset(at.since(start), end.since(start))
}

fn moment(at: Timestamp) -> jiff::Timestamp {
    // The range of `at`, 1677 to 2262, is well inside that of jiff.
    jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_their_zone() {
        let at = Timestamp::new(1_247_276_416, 41_000_001);
        assert_eq!(rfc3339(at), "2009-07-11T01:40:16.041000001Z");
        assert_eq!(Zone::UTC.full(at), "2009-07-11 01:40:16.041 UTC");
        let zone = Zone::of(TimeZone::fixed(jiff::tz::offset(2)));
        assert_eq!(zone.full(at), "2009-07-11 03:40:16.041 +02");
        assert_eq!(zone.time_of_day(at), "03:40:16.041");
        assert_eq!(zone.clock(at), "03:40:16.041000");
    }

    #[test]
    fn the_ends_of_the_range_can_be_told() {
        assert!(rfc3339(Timestamp::MIN).starts_with("1677-09-21T"));
        assert!(rfc3339(Timestamp::from_nanos(i64::MAX)).starts_with("2262-04-11T"));
    }
}
