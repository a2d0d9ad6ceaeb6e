//! The `search` and `ignored` objects: the error that was searched for, and what the ignore list left out.
//!
//! Each is `null` if not requested.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

use crate::base::escape::escape;
use crate::report::snapshot::Snapshot;
use crate::rules::log_errors::{ClockReading, SearchBasis};

/// The error that the report is narrowed to.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SearchRow<'a> {
    /// The text that was searched for.
    error: Cow<'a, str>,
    /// Numbers of the connections that match.
    fits: &'a [u32],
    /// How sure the match is.
    #[cfg_attr(test, schemars(extend("enum" = ["certain", "likely", "possible"])))]
    certainty: &'static str,
    /// What the match is based on.
    /// What the match rests on.
    #[cfg_attr(test, schemars(extend("enum" = ["words", "story", "other-program", "ending", "close", "finding", "line"])))]
    grounds: &'static str,
    /// Wire events that would be this error, likeliest first.
    events: Vec<&'static str>,
    /// Rules whose findings would be this error.
    rules: &'a [&'static str],
    /// The addresses of the log line that are on a matching connection.
    addresses: &'a [IpAddr],
    /// The ports of the log line that are on a matching connection.
    ports: &'a [u16],
    /// How the line's time was interpreted; `null` if it has none, or none that matches.
    /// How the line's time was read; `null` if it has none, or none that matches.
    #[cfg_attr(test, schemars(extend("enum" = ["told", "utc", "shifted", null])))]
    clock: Option<&'static str>,
    /// Seconds that the log's clock is ahead of the capture's.
    clock_ahead_seconds: Option<i32>,
    /// The connection that the line identifies although its events do not match.
    points_to: Option<u32>,
}

impl<'a> SearchRow<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Option<Self> {
        let narrowed = snapshot.narrowed.as_ref()?;
        let clock = narrowed.located.time.map(|(_, clock)| clock);
        let shifted = matches!(clock, Some(ClockReading::Shifted(_)));
        let surely = matches!(
            narrowed.grounds,
            SearchBasis::Words | SearchBasis::Story | SearchBasis::Line
        );
        Some(Self {
            error: escape(narrowed.text.as_bytes()),
            fits: &narrowed.fits,
            certainty: match (narrowed.grounds, surely && !shifted) {
                (SearchBasis::Ending | SearchBasis::Close, _) => "possible",
                (_, true) => "certain",
                (_, false) => "likely",
            },
            grounds: match narrowed.grounds {
                SearchBasis::Words => "words",
                SearchBasis::Story => "story",
                SearchBasis::OtherProgram => "other-program",
                SearchBasis::Ending => "ending",
                SearchBasis::Close => "close",
                SearchBasis::Finding => "finding",
                SearchBasis::Line => "line",
            },
            events: narrowed.wanted.iter().map(|it| it.name()).collect(),
            rules: &narrowed.rules,
            addresses: &narrowed.located.addresses,
            ports: &narrowed.located.ports,
            clock: clock.map(|clock| match clock {
                ClockReading::Told => "told",
                ClockReading::Utc => "utc",
                ClockReading::Shifted(_) => "shifted",
            }),
            clock_ahead_seconds: match clock {
                Some(ClockReading::Shifted(seconds)) => Some(seconds),
                Some(ClockReading::Utc) => Some(0),
                _ => None,
            },
            points_to: narrowed.pointed,
        })
    }
}

/// What the user's ignore list left out.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct IgnoredRow<'a> {
    /// The ignore file.
    file: Cow<'a, str>,
    /// The connections left out, by their `id`.
    connections: &'a [u32],
    /// Findings left out.
    findings: u64,
    /// What each line left out.
    lines: Vec<LineRow<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LineRow<'a> {
    /// Number of the line, from 1.
    line: usize,
    /// The line.
    text: Cow<'a, str>,
    /// Connections it left out.
    connections: u64,
    /// Findings it left out.
    findings: u64,
}

impl<'a> IgnoredRow<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Option<Self> {
        let ignored = &snapshot.ignored;
        if ignored.path.is_empty() {
            return None;
        }
        let lines = ignored.lines.iter().map(|tally| LineRow {
            line: tally.line,
            text: escape(tally.text.as_bytes()),
            connections: tally.connections,
            findings: tally.findings,
        });
        Some(Self {
            file: escape(ignored.path.as_bytes()),
            connections: &ignored.connections,
            findings: ignored.findings,
            lines: lines.collect(),
        })
    }
}
