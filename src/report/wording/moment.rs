//! Moments and spans as readers want them: UTC, or the reader's own zone, and seconds from the start.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::base::time::Timestamp;

/// The zone that moments are told in.
#[derive(Clone, Debug, Default)]
pub struct Zone(Option<TimeZone>);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(None);

    /// The zone of the machine the report is made on.
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

    /// `01:40:16.041`, to stand beside a date that was given before.
    #[must_use]
    pub fn time_of_day(&self, at: Timestamp) -> String {
        self.show(at, "%H:%M:%S%.3f")
    }

    /// The day, to tell whether it must be said again.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> String {
        self.show(at, "%Y-%m-%d")
    }

    fn show(&self, at: Timestamp, format: &str) -> String {
        let zone = self.0.clone().unwrap_or(TimeZone::UTC);
        moment(at).to_zoned(zone).strftime(format).to_string()
    }
}

/// RFC 3339 in UTC with all nine digits, as machines want it.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    let mut out = String::with_capacity(30);
    // Writing to a string cannot fail.
    let _ = write!(out, "{:.9}", moment(at));
    out
}

/// A span in seconds to the millisecond, `0.041 s`; finer where that would read as nothing, in minutes, hours and days
/// where it is long.
#[must_use]
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let micros = span.as_micros();
    match (seconds, micros) {
        (0, 0) => "0 s".to_owned(),
        (0, 1..=999) => format!("{:.3} ms", micros as f64 / 1e3),
        (0..=119, _) => format!("{:.3} s", span.as_secs_f64()),
        (120..=7199, _) => format!("{} min {} s", seconds / 60, seconds % 60),
        (7200..=172_799, _) => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Seconds after the start of a capture, `+0.041 s`; to the microsecond where the whole capture is short.
#[must_use]
pub fn offset(at: Timestamp, start: Timestamp, end: Timestamp) -> String {
    let seconds = at.since(start).as_secs_f64();
    if end.since(start) < Duration::from_secs(1) {
        format!("+{seconds:.6} s")
    } else {
        format!("+{seconds:.3} s")
    }
}

fn moment(at: Timestamp) -> jiff::Timestamp {
    // 1677 to 2262 lies well inside what jiff can write.
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
    }

    #[test]
    fn the_ends_of_the_range_can_be_told() {
        assert!(rfc3339(Timestamp::MIN).starts_with("1677-09-21T"));
        assert!(rfc3339(Timestamp::from_nanos(i64::MAX)).starts_with("2262-04-11T"));
    }

    #[test]
    fn spans_are_told_as_people_tell_them() {
        for (millis, text) in [
            (0, "0 s"),
            (41, "0.041 s"),
            (119_999, "119.999 s"),
            (120_000, "2 min 0 s"),
            (7_260_000, "2 h 1 min"),
            (200_000_000, "2 d 7 h"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
        assert_eq!(span(Duration::from_micros(85)), "0.085 ms");
        assert_eq!(span(Duration::from_nanos(85)), "0 s");
    }
}
