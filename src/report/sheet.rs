//! What a page is put on: text and Markdown are two kinds of it.

use super::rich_text::{Line, Table};
use std::io;

/// What a page is made of.
pub(super) trait Sheet {
    /// What the page is about.
    fn title(&mut self, line: &Line) -> io::Result<()>;
    /// Begins a section.
    fn heading(&mut self, text: &str) -> io::Result<()>;
    fn paragraph(&mut self, line: &Line) -> io::Result<()>;
    /// Begins something with details.
    fn entry(&mut self, line: &Line) -> io::Result<()>;
    /// A detail and what it is; the same label as before need not be shown again.
    fn detail(&mut self, label: &'static str, line: &Line) -> io::Result<()>;
    /// Something short, and a text about it.
    fn item(&mut self, lead: &Line, body: &Line) -> io::Result<()>;
    fn table(&mut self, table: &Table) -> io::Result<()>;
    /// Lines to be shown as they are, below a detail.
    fn figure(&mut self, label: &'static str, lines: &[String]) -> io::Result<()>;
}
