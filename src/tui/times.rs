//! How the times of segments are shown: since the connection began, since the segment before, or as the time of day.

use crate::analysis::transcript::ConnectionTranscript;
use crate::base::time::Timestamp;
use crate::report::wording::moment::Zone;
use std::time::Duration;

/// How the times of segments are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeStyle {
    /// Since the connection began.
    #[default]
    Elapsed,
    /// Since the segment before.
    Delta,
    /// The time of day, in the zone of the screens.
    Clock,
}

impl TimeStyle {
    /// The next one, for the key.
    #[must_use]
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Elapsed => Self::Delta,
            Self::Delta => Self::Clock,
            Self::Clock => Self::Elapsed,
        }
    }

    /// The heading of the column.
    pub(super) const fn heading(self) -> &'static str {
        match self {
            Self::Elapsed => "elapsed",
            Self::Delta => "delta",
            Self::Clock => "time of day",
        }
    }

    /// What it is, for a message.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Elapsed => "times since the connection began",
            Self::Delta => "times since the segment before",
            Self::Clock => "times of day",
        }
    }

    /// The width of the column: `least`, or what the time of day needs.
    pub(super) const fn columns(self, least: u16) -> u16 {
        match self {
            Self::Elapsed | Self::Delta => least,
            // `12:34:56.123456`
            Self::Clock => 15,
        }
    }

    /// The time of a segment, with so many decimal places if it is one in seconds.
    pub(super) fn cell(
        self,
        at: Timestamp,
        before: Option<Timestamp>,
        start: Timestamp,
        places: usize,
        zone: &Zone,
    ) -> String {
        match self {
            Self::Elapsed => format!("{:.places$}", at.since(start).as_secs_f64()),
            Self::Delta => {
                let passed = before.map_or(Duration::ZERO, |before| at.since(before));
                format!("{:+.places$}", passed.as_secs_f64())
            }
            Self::Clock => zone.clock(at),
        }
    }
}

/// Decimal places of the times of a connection: for one shorter than 10 s, milliseconds are too coarse.
pub(super) fn places(reread: &ConnectionTranscript) -> usize {
    match reread.connection.lasted() < Duration::from_secs(10) {
        true => 6,
        false => 3,
    }
}
