//! The symbols that screens are drawn with: Unicode, or ASCII for terminals and fonts without it.

use crate::report::ladder_rows::LadderGlyphs;
use crate::report::rich_text::sign;
use crate::rules::Severity;

/// A set of symbols. Every symbol is one column wide, except `to` in ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Block heights in eighths of a cell, lowest first.
    pub levels: [&'static str; 8],
    /// Patterns for the parts of a bar, distinguishable without colour.
    pub fills: [&'static str; 6],
    /// Severities, worst first.
    pub signs: [&'static str; 4],
    /// Before the selected row.
    pub cursor: &'static str,
    /// Between source and destination.
    pub to: &'static str,
    /// Between the parts of a path.
    pub within: &'static str,
    /// Between items on one line.
    pub dot: &'static str,
    /// Where text was truncated.
    pub more: &'static str,
    /// A horizontal line.
    pub rule: &'static str,
    /// A limit drawn across a chart.
    pub ceiling: &'static str,
    /// Attaches a row to the one above.
    pub branch: &'static str,
    /// Scroll bar: track, thumb.
    pub scroll: [&'static str; 2],
    /// A vertical line.
    pub line: &'static str,
    /// The symbols of a ladder.
    pub(crate) ladder: LadderGlyphs,
    /// Sorted ascending, descending.
    pub sorted: [&'static str; 2],
    /// Frames of the activity indicator.
    pub spinner: [&'static str; 4],
    /// Multiplication sign, after a count.
    pub times: &'static str,
}

impl Glyphs {
    /// For UTF-8 terminals. Box drawing and block elements only: terminal fonts have those.
    pub const UNICODE: Self = Self {
        levels: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        fills: ["█", "▓", "▒", "░", "▚", "·"],
        signs: [
            sign(Severity::Error),
            sign(Severity::Warning),
            sign(Severity::Note),
            sign(Severity::Benign),
        ],
        cursor: "▌",
        to: "→",
        within: "›",
        dot: "·",
        more: "…",
        rule: "─",
        ceiling: "┄",
        branch: "└",
        scroll: ["│", "┃"],
        line: "│",
        ladder: LadderGlyphs::UNICODE,
        sorted: ["▲", "▼"],
        spinner: ["◐", "◓", "◑", "◒"],
        times: "×",
    };

    /// For other terminals.
    pub const ASCII: Self = Self {
        levels: [".", ".", ":", ":", "+", "+", "#", "#"],
        fills: ["#", "=", "x", "-", "%", "."],
        signs: ["X", "!", "i", "v"],
        cursor: ">",
        to: "->",
        within: ">",
        dot: "-",
        more: "~",
        rule: "-",
        ceiling: "-",
        branch: "`",
        scroll: ["|", "#"],
        line: "|",
        ladder: LadderGlyphs::ASCII,
        sorted: ["^", "v"],
        spinner: ["|", "/", "-", "\\"],
        times: "x",
    };

    /// ASCII replacement, one column wide, for a non-ASCII character of a text from elsewhere.
    #[must_use]
    pub fn plain(sign: &str) -> &'static str {
        match sign {
            "“" | "”" | "„" => "\"",
            "‘" | "’" => "'",
            "→" => ">",
            "←" => "<",
            "×" => "x",
            "…" => "~",
            "–" | "—" | "−" => "-",
            "·" => ".",
            "≥" | "≤" | "≈" => "~",
            "\u{a0}" | "\u{2009}" | "\u{202f}" => " ",
            _ => "?",
        }
    }

    /// The symbol of a severity.
    #[must_use]
    pub(crate) const fn sign(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Error => self.signs[0],
            Severity::Warning => self.signs[1],
            Severity::Note => self.signs[2],
            Severity::Benign => self.signs[3],
        }
    }
}
