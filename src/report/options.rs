//! Report options: the format, and which connections to show.

use super::wording::moment::Zone;

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Plain text, for people.
    Text,
    /// One object, schema `hangup-report/1`.
    Json,
    /// The same objects, one per line.
    Ndjson,
    /// Markdown, for tickets.
    Markdown,
    /// A page for a browser: one file, no script.
    Html,
    /// A table: [`CsvTable`].
    Csv,
}

impl Format {
    /// The formats, and the endings of files that stand for them.
    pub(crate) const ENDINGS: &[(Self, &[&str])] = &[
        (Self::Text, &["txt", "text"]),
        (Self::Json, &["json"]),
        (Self::Ndjson, &["ndjson", "jsonl"]),
        (Self::Markdown, &["md", "markdown"]),
        (Self::Html, &["html", "htm"]),
        (Self::Csv, &["csv"]),
    ];

    /// The format that an ending stands for.
    #[must_use]
    pub(crate) fn of_ending(ending: &str) -> Option<Self> {
        let ending = ending.to_lowercase();
        let mut all = Self::ENDINGS.iter();
        let known = all.find(|(_, endings)| endings.contains(&ending.as_str()));
        known.map(|(format, _)| *format)
    }
}

/// Which connections to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Every one.
    All,
    /// Those that failed or cannot be judged, or that a finding above benign names.
    Notable,
    /// None.
    None,
}

/// What the rows of a CSV report stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CsvTable {
    /// A connection each.
    #[default]
    Connections,
    /// A request with its response each.
    Exchanges,
    /// A finding each.
    Findings,
}

/// The options of a report.
#[derive(Clone, Debug, Default)]
pub struct ReportOptions {
    /// Which connections; `None` is the format's default (text, Markdown and HTML the notable ones, the others all).
    pub connections: Option<Shown>,
    /// What the rows of a CSV report stand for.
    pub table: CsvTable,
    /// Colour, for text.
    pub color: bool,
    /// Columns of text; `None`: 80.
    pub width: Option<usize>,
    /// The time zone for people; machine-readable formats always use UTC.
    pub zone: Zone,
    /// Threads that make the rows of connections in JSON, at most; `None`: a few. The report is the same with any number.
    pub threads: Option<usize>,
}

/// Whether a format shows every connection by default: machine-readable formats do, a page does not.
#[must_use]
pub const fn shows_all(format: Format) -> bool {
    match format {
        Format::Text | Format::Markdown | Format::Html => false,
        Format::Json | Format::Ndjson | Format::Csv => true,
    }
}
