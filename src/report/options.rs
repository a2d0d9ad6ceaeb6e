//! How to report: in which format, and which connections.

use super::wording::moment::Zone;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One object, schema `hangup-report/1`.
    Json,
    /// The same objects, one a line.
    Ndjson,
    /// For tickets.
    Markdown,
    /// One row a connection.
    Csv,
}

/// Which connections to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Every one.
    All,
    /// The ones that did not end in order, or that a finding above benign names.
    Notable,
    /// None.
    None,
}

/// How to report.
#[derive(Clone, Debug, Default)]
pub struct ReportOptions {
    /// Which connections; `None`: as the format usually does (text and Markdown the notable ones, the others all).
    pub connections: Option<Shown>,
    /// Colour, for text.
    pub color: bool,
    /// The zone for people; machines always get UTC.
    pub zone: Zone,
}

/// Whether a format shows every connection if it is not told which: those for machines do, a page does not.
#[must_use]
pub const fn shows_all(format: Format) -> bool {
    match format {
        Format::Text | Format::Markdown => false,
        Format::Json | Format::Ndjson | Format::Csv => true,
    }
}
