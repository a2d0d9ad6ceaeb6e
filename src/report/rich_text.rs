//! Lines of styled text: pieces with a tone that each format renders in its own way, or ignores.

/// The style of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextTone {
    Plain,
    /// Stands out.
    Strong,
    /// Recedes.
    Faint,
    /// To be copied as it is.
    Code,
    Error,
    Warning,
    Note,
    Good,
}

/// Pieces of text, each with its tone. They contain no control bytes: all text from packets was escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RichLine(pub(super) Vec<(TextTone, String)>);

impl RichLine {
    pub(super) fn with(mut self, tone: TextTone, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.0.push((tone, text));
        }
        self
    }

    pub(super) fn plain(self, text: impl Into<String>) -> Self {
        self.with(TextTone::Plain, text)
    }

    pub(super) fn strong(self, text: impl Into<String>) -> Self {
        self.with(TextTone::Strong, text)
    }

    pub(super) fn faint(self, text: impl Into<String>) -> Self {
        self.with(TextTone::Faint, text)
    }

    pub(super) fn code(self, text: impl Into<String>) -> Self {
        self.with(TextTone::Code, text)
    }

    /// Width in characters, which equals columns for all but East Asian text.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }
}

impl From<&str> for RichLine {
    fn from(text: &str) -> Self {
        Self::default().plain(text)
    }
}

impl From<String> for RichLine {
    fn from(text: String) -> Self {
        Self::default().plain(text)
    }
}

/// A table; numbers are aligned to the right.
#[derive(Debug, Default)]
pub(super) struct RichTable {
    /// Each column's name, and whether it holds numbers.
    pub(super) columns: Vec<(&'static str, bool)>,
    pub(super) rows: Vec<Vec<RichLine>>,
}
