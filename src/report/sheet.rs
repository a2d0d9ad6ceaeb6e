//! What a page is put on: text and Markdown are two kinds of it.

use super::rich_text::{RichLine, RichTable};
use std::io;

/// What a page is made of.
pub(super) trait Sheet {
    /// What the page is about.
    fn title(&mut self, line: &RichLine) -> io::Result<()>;
    /// Begins a section.
    fn heading(&mut self, text: &str) -> io::Result<()>;
    fn paragraph(&mut self, line: &RichLine) -> io::Result<()>;
    /// Begins something with details.
    fn entry(&mut self, line: &RichLine) -> io::Result<()>;
    /// A detail and what it is; the same label as before need not be shown again.
    fn detail(&mut self, label: &'static str, line: &RichLine) -> io::Result<()>;
    /// Something short, and a text about it.
    fn item(&mut self, lead: &RichLine, body: &RichLine) -> io::Result<()>;
    fn table(&mut self, table: &RichTable) -> io::Result<()>;
    /// Lines to be shown as they are, below a detail.
    fn figure(&mut self, label: &'static str, lines: &[String]) -> io::Result<()>;
}
