//! Timestamps and durations on the packet clock.
//!
//! Below `app`, the only clock is the timestamp of the latest packet. A [`Timestamp`] counts nanoseconds since
//! 1970-01-01T00:00:00Z, as captures do; a difference between two of them is a [`std::time::Duration`]. Formatting for
//! readers (UTC or their own time zone) belongs to `report`.

use std::time::Duration;

/// A point in time on the packet clock: nanoseconds since the Unix epoch. It is signed, so that the times of damaged
/// captures before 1970 stay comparable. Covers the years 1677 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest representable time.
    pub const MIN: Self = Self(i64::MIN);

    /// The time `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The time `seconds` and `nanos` after the epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn new(seconds: i64, nanos: u32) -> Self {
        Self(
            seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(nanos as i64),
        )
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The duration from `earlier` to this time; zero if this time lies before `earlier` (captures are not always in
    /// order).
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        let span = self.0.saturating_sub(earlier.0);
        Duration::from_nanos(if span > 0 { span as u64 } else { 0 })
    }

    /// The time `span` later; saturates.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// The time `span` earlier; saturates.
    #[must_use]
    pub(crate) fn before(self, span: Duration) -> Self {
        let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_never_run_backwards() {
        let early = Timestamp::new(1, 0);
        let late = Timestamp::new(2, 5);
        assert_eq!(late.since(early), Duration::new(1, 5));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.after(Duration::new(1, 5)), late);
    }

    #[test]
    fn the_ends_of_the_range_saturate() {
        assert_eq!(Timestamp::new(i64::MAX, 0), Timestamp::from_nanos(i64::MAX));
        assert_eq!(
            Timestamp::MIN.since(Timestamp::from_nanos(i64::MAX)),
            Duration::ZERO
        );
    }
}
