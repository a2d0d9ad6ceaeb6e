//! Lines of styled text: pieces with a tone that each format and the screens render in their own way, or ignore.

use crate::base::escape::harmless;
use crate::rules::Severity;

/// The role of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Ordinary text.
    Plain,
    /// Emphasized.
    Strong,
    /// De-emphasized.
    Faint,
    /// A heading.
    Heading,
    /// A key to press.
    Key,
    /// To be copied as it is.
    Code,
    /// A request, a connection or a byte was lost.
    Error,
    /// Something will be lost, or is wrong.
    Warning,
    /// Worth knowing.
    Note,
    /// In order.
    Good,
    /// From or about the client.
    Client,
    /// From or about the server.
    Server,
    /// The selected row.
    Selected,
    /// The current tab or location.
    Here,
}

impl From<Severity> for Tone {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Error => Self::Error,
            Severity::Warning => Self::Warning,
            Severity::Note => Self::Note,
            Severity::Benign => Self::Good,
        }
    }
}

/// The symbol of a severity, one column wide.
pub(crate) const fn sign(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "✖",
        Severity::Warning => "▲",
        Severity::Note => "●",
        Severity::Benign => "✓",
    }
}

/// Pieces of text, each with its tone, without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StyledLine(pub(crate) Vec<(Tone, String)>);

impl StyledLine {
    pub(crate) fn of(tone: Tone, text: impl Into<String>) -> Self {
        Self::default().with(tone, text)
    }

    /// Appends text. Text from packets was escaped when it was taken in; control characters are removed here all the same.
    pub(crate) fn with(mut self, tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.0.push((tone, harmless(&text).into_owned()));
        }
        self
    }

    pub(crate) fn plain(self, text: impl Into<String>) -> Self {
        self.with(Tone::Plain, text)
    }

    pub(crate) fn strong(self, text: impl Into<String>) -> Self {
        self.with(Tone::Strong, text)
    }

    pub(crate) fn faint(self, text: impl Into<String>) -> Self {
        self.with(Tone::Faint, text)
    }

    pub(crate) fn code(self, text: impl Into<String>) -> Self {
        self.with(Tone::Code, text)
    }

    /// The text without its tones.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Width in characters, which equals columns for all but East Asian text.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }
}

impl From<&str> for StyledLine {
    fn from(text: &str) -> Self {
        Self::default().plain(text)
    }
}

impl From<String> for StyledLine {
    fn from(text: String) -> Self {
        Self::default().plain(text)
    }
}

/// A table; numbers are aligned to the right.
#[derive(Debug, Default)]
pub(super) struct RichTable {
    /// Each column's name, and whether it holds numbers.
    pub(super) columns: Vec<(&'static str, bool)>,
    /// The last column is left out where a line is too short for it.
    pub(super) spares_last: bool,
    pub(super) rows: Vec<Vec<StyledLine>>,
}
