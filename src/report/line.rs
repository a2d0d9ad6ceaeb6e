//! A line for people: words with a tone, which a format shows in its own way or not at all.

/// What a piece of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
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
pub(super) struct Line(pub(super) Vec<(Tone, String)>);

impl Line {
    pub(super) fn with(mut self, tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.0.push((tone, text));
        }
        self
    }

    pub(super) fn plain(self, text: impl Into<String>) -> Self {
        self.with(Tone::Plain, text)
    }

    pub(super) fn strong(self, text: impl Into<String>) -> Self {
        self.with(Tone::Strong, text)
    }

    pub(super) fn faint(self, text: impl Into<String>) -> Self {
        self.with(Tone::Faint, text)
    }

    pub(super) fn code(self, text: impl Into<String>) -> Self {
        self.with(Tone::Code, text)
    }

    /// Characters, which are columns for all but East Asian text.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::default().plain(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::default().plain(text)
    }
}

/// A table; numbers stand on the right.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Each column's name, and whether it holds numbers.
    pub(super) columns: Vec<(&'static str, bool)>,
    pub(super) rows: Vec<Vec<Line>>,
}

/// A number with its thousands apart: `15,210`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 6);
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 packet`, `2 packets`.
pub(super) fn count(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// `4.1 kB`, powers of 1000.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..=999 => format!("{count} B"),
        1_000..=999_949 => format!("{:.1} kB", count as f64 / 1e3),
        999_950..=999_949_999 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_legible() {
        for (given, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (270_000, "270,000"),
        ] {
            assert_eq!(number(given), text);
        }
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(count(1, "packet", "packets"), "1 packet");
        assert_eq!(count(0, "packet", "packets"), "0 packets");
        for (given, text) in [
            (999, "999 B"),
            (4096, "4.1 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
        ] {
            assert_eq!(bytes(given), text);
        }
    }
}
