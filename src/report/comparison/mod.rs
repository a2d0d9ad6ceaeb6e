//! Two captures of the same work, or two connections: what differs in how they begin, carry requests and end.
//!
//! In: the records of both sides. They are matched by service (`services.rs`), and counted by the table of facts (`facts.rs`,
//! `profile.rs`). Out: a [`Comparison`] (`differences.rs`), which has only those differences that chance does not explain
//! (`chance.rs`), each with an example from both sides. `page.rs` puts it into words, `json.rs` writes it for programs.

mod chance;
mod differences;
mod facts;
pub(super) mod json;
mod page;
mod profile;
mod services;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

pub use differences::Comparison;

use super::markdown::MarkdownSheet;
use super::text::TextSheet;
use super::{Format, ReportOptions};
use crate::analysis::connection::Connection;

impl Comparison {
    /// Writes the comparison as text, Markdown or JSON.
    ///
    /// # Errors
    ///
    /// If writing to `out` fails, or the format has no place for a comparison.
    pub fn write(
        &self,
        format: Format,
        options: &ReportOptions,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match format {
            Format::Text => page::write(self, options, &mut TextSheet::new(out, options.color)),
            Format::Markdown => page::write(self, options, &mut MarkdownSheet::new(out)),
            Format::Json => json::write(self, out),
            Format::Ndjson | Format::Csv | Format::Html => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a comparison is written as text, markdown or json",
            )),
        }
    }
}

/// The differences between two connections: what each is in, and the sides, `#1 client FIN; #2 server FIN`.
pub(crate) fn differences_of_pair(connections: [&Connection; 2]) -> Vec<(&'static str, String)> {
    let ids = connections.map(|it| it.id);
    let comparison = differences::of_pair(connections);
    let all = comparison.differences.iter();
    all.map(|it| (it.fact.label, page::sides(it, ids)))
        .collect()
}
