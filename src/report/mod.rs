//! Floor 13: reports. A [`Snapshot`] goes in, text in one of the formats goes out.
//!
//! `page.rs` decides what a reader is told and in which order, `story.rs` tells one connection in a sentence; `text.rs`
//! and `markdown.rs` are two ways to put the same page on paper. `json.rs` and `csv.rs` are for programs. All text from
//! packets passes through [`crate::escape`]. Output depends on nothing but the snapshot and the options.

mod clock;
mod csv;
mod groups;
mod json;
mod line;
mod markdown;
mod page;
mod story;
mod text;
mod view;
mod words;

use std::io::{self, Write};

pub use clock::Zone;

use crate::ledger::Snapshot;
use view::View;

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
pub struct Options {
    /// Which connections; `None`: as the format usually does (text and Markdown the notable ones, the others all).
    pub connections: Option<Shown>,
    /// Colour, for text.
    pub color: bool,
    /// The zone for people; machines always get UTC.
    pub zone: Zone,
}

/// Writes a report.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(
    snapshot: &Snapshot,
    format: Format,
    options: &Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    let usual = match format {
        Format::Text | Format::Markdown => Shown::Notable,
        Format::Json | Format::Ndjson | Format::Csv => Shown::All,
    };
    let view = View::new(snapshot, options, usual);
    match format {
        Format::Text => page::write(&view, &mut text::Text::new(out, options.color)),
        Format::Markdown => page::write(&view, &mut markdown::Markdown::new(out)),
        Format::Json => json::write(&view, out),
        Format::Ndjson => json::write_lines(&view, out),
        Format::Csv => csv::write(&view, out),
    }
}
