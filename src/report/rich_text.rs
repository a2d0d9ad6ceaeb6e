//! A line for people: words with a tone, which a format shows in its own way or not at all.

/// What a piece of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextTone {
    Plain,
    /// To be seen first.
    Strong,
    /// Of less weight.
    Faint,
    /// To be copied as it stands.
    Code,
    Error,
    Warning,
    Note,
    Good,
}

/// Pieces of text, each with its tone. No control bytes are in it: whatever came out of a packet was escaped.
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

    /// Characters, which are columns for all but East Asian text.
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

/// A table; numbers stand on the right.
#[derive(Debug, Default)]
pub(super) struct RichTable {
    /// Each column's name, and whether it holds numbers.
    pub(super) columns: Vec<(&'static str, bool)>,
    pub(super) rows: Vec<Vec<RichLine>>,
}
