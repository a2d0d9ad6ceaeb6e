//! The layout of a page; plain text, Markdown and HTML implement it.

use super::rich_text::{RichTable, StyledLine};
use std::io;

/// The label of remedies, which HTML folds.
pub(super) const REMEDY: &str = "Fix";

/// The elements of a page.
pub(super) trait Sheet {
    /// Whether a page in this format says nothing twice: it is read from top to bottom, in one go.
    fn is_brief(&self) -> bool {
        false
    }
    /// The subject of the page, and what is to be said of it in a line.
    fn title(&mut self, subject: &StyledLine, verdict: Option<&StyledLine>) -> io::Result<()>;
    /// Begins a section.
    fn heading(&mut self, text: &str) -> io::Result<()>;
    fn paragraph(&mut self, line: &StyledLine) -> io::Result<()>;
    /// Begins an entry with details.
    fn entry(&mut self, line: &StyledLine) -> io::Result<()>;
    /// A detail with its label; a label equal to the previous one need not be repeated.
    fn detail(&mut self, label: &'static str, line: &StyledLine) -> io::Result<()>;
    /// A short lead and a text about it.
    fn item(&mut self, lead: &StyledLine, body: &StyledLine) -> io::Result<()>;
    /// A point of a list.
    fn point(&mut self, line: &StyledLine) -> io::Result<()>;
    fn table(&mut self, table: &RichTable) -> io::Result<()>;
    /// Lines to be shown verbatim.
    fn figure(&mut self, lines: &[StyledLine]) -> io::Result<()>;
}
