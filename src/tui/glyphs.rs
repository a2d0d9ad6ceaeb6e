//! The signs that screens are drawn with: Unicode, or ASCII for terminals and fonts that have no more.

use crate::rules::Severity;

/// A set of signs. Every sign is one column wide, but `to` in ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Eighths of a cell from below, the lowest first.
    pub levels: [&'static str; 8],
    /// Fillings of a bar's parts, told apart without colour.
    pub fills: [&'static str; 6],
    /// Severities, worst first.
    pub signs: [&'static str; 4],
    /// Before the selected row.
    pub cursor: &'static str,
    /// From one to the other.
    pub to: &'static str,
    /// Between parts of a path.
    pub within: &'static str,
    /// Between things on one line.
    pub dot: &'static str,
    /// What was cut off.
    pub more: &'static str,
    /// A level line.
    pub rule: &'static str,
    /// A limit drawn across a chart.
    pub ceiling: &'static str,
    /// Silence between two segments: short, long.
    pub gaps: [&'static str; 2],
    /// What hangs on the row above.
    pub branch: &'static str,
    /// Scroll bar: track, thumb.
    pub scroll: [&'static str; 2],
    /// A lifeline.
    pub line: &'static str,
    /// Arrow heads and shaft: left, shaft, right.
    pub arrow: [&'static str; 3],
    /// Sorted upwards, downwards.
    pub sorted: [&'static str; 2],
    /// Something is going on.
    pub spinner: [&'static str; 4],
    /// Times.
    pub times: &'static str,
}

impl Glyphs {
    /// For terminals that speak UTF-8. Box drawing and block elements only: fonts for terminals have those.
    pub const UNICODE: Self = Self {
        levels: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        fills: ["█", "▓", "▒", "░", "▚", "·"],
        signs: ["✖", "▲", "●", "✓"],
        cursor: "▌",
        to: "→",
        within: "›",
        dot: "·",
        more: "…",
        rule: "─",
        ceiling: "┄",
        gaps: ["┄", "═"],
        branch: "└",
        scroll: ["│", "┃"],
        line: "│",
        arrow: ["◀", "─", "▶"],
        sorted: ["▲", "▼"],
        spinner: ["◐", "◓", "◑", "◒"],
        times: "×",
    };

    /// For the others.
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
        gaps: ["-", "="],
        branch: "`",
        scroll: ["|", "#"],
        line: "|",
        arrow: ["<", "-", ">"],
        sorted: ["^", "v"],
        spinner: ["|", "/", "-", "\\"],
        times: "x",
    };

    /// What stands in place of a sign that is not ASCII, in a text that came from elsewhere; one column wide.
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

    /// The sign of a severity.
    #[must_use]
    pub const fn sign(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Error => self.signs[0],
            Severity::Warning => self.signs[1],
            Severity::Note => self.signs[2],
            Severity::Benign => self.signs[3],
        }
    }
}
