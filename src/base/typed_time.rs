//! Times as people type them: `90s`, `1m30s`, `250ms`, `1.5h`, `2 d`; a bare number counts seconds.
//!
//! The units are those of jiff's "friendly" durations, from nanoseconds to days of 24 hours. `m` is minutes. Left out:
//! weeks and longer, because no setting of a program is given in them, and negative times.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use jiff::{SpanRelativeTo, Unit};

/// How a time is typed, for messages.
pub const EXAMPLES: &str = "90s, 1m30s, 250ms or 2h (a number alone means seconds)";

/// Longer texts are no times.
const MAX_LENGTH: usize = 64;

/// The time that `typed` names, if it names one.
#[must_use]
pub fn typed_time(typed: &str) -> Option<Duration> {
    let typed = typed.trim();
    if typed.len() > MAX_LENGTH {
        return None;
    }
    let mut text = typed.to_lowercase();
    let is_bare = |char: char| char.is_ascii_digit() || char == '.';
    if text.chars().all(is_bare) {
        text.push('s');
    }
    // The parser accepts a sign, "ago" and ISO 8601 only in other forms; a time begins with a digit.
    if !text.starts_with(|char: char| char.is_ascii_digit()) || text.contains("ago") {
        return None;
    }
    let span = SpanParser::new().parse_span(&text).ok()?;
    let is_too_large = span.get_years() != 0 || span.get_months() != 0 || span.get_weeks() != 0;
    if is_too_large || !span.is_zero() && span.total((Unit::Second, DAYS)).ok()? <= 0.0 {
        return None;
    }
    Duration::try_from(span.to_duration(DAYS).ok()?).ok()
}

const DAYS: SpanRelativeTo<'static> = SpanRelativeTo::days_are_24_hours();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (typed, millis) in [
            ("90", 90_000),
            ("1.5", 1500),
            ("0", 0),
            ("90s", 90_000),
            ("250ms", 250),
            ("1m", 60_000),
            ("1M", 60_000),
            ("2min", 120_000),
            ("1m30s", 90_000),
            ("1h 30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("30sec", 30_000),
            ("2d", 172_800_000),
            ("90 seconds", 90_000),
        ] {
            assert_eq!(
                typed_time(typed),
                Some(Duration::from_millis(millis)),
                "{typed}"
            );
        }
        assert_eq!(
            typed_time("1.000000001s"),
            Some(Duration::from_nanos(1_000_000_001))
        );
    }

    #[test]
    fn nonsense_is_no_time() {
        for typed in [
            "",
            "s",
            "-1s",
            "+1s",
            "1s ago",
            "1y",
            "1mo",
            "1w",
            "5 parsecs",
            "1.",
            ".5s",
            "1s1m",
            "99999999999999999999h",
            "1m30",
        ] {
            assert_eq!(typed_time(typed), None, "{typed}");
        }
    }
}
