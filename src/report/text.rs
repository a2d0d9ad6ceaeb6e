//! The page as plain text, for mail and tickets; in colour for a terminal that supports it.

use super::rich_text::{RichTable, StyledLine, Tone};
use super::sheet::Sheet;
use crate::base::escape::harmless;
use std::io::{self, Write};

/// Columns of the page, if nothing else is wanted.
pub(super) const WIDTH: usize = 80;
/// Columns before details, and between a label and its text.
const INDENT: usize = 2;
/// Columns of labels.
const LABEL: usize = 11;
/// Columns before the text of an item.
const BODY: usize = 4;

pub(super) struct TextSheet<'o> {
    out: &'o mut dyn Write,
    color: bool,
    /// Columns of the page.
    width: usize,
    /// The last label shown, while details follow each other.
    label: Option<&'static str>,
}

impl<'o> TextSheet<'o> {
    pub(super) fn new(out: &'o mut dyn Write, color: bool) -> Self {
        Self {
            out,
            color,
            width: WIDTH,
            label: None,
        }
    }

    /// The same in lines of this many columns.
    pub(super) fn of_width(self, width: Option<usize>) -> Self {
        Self {
            width: width.unwrap_or(WIDTH),
            ..self
        }
    }

    /// Writes a line that begins in column `at` and wraps to column `indent`. Text to be copied is never broken.
    fn wrap(&mut self, line: &StyledLine, mut at: usize, indent: usize) -> io::Result<()> {
        // Blanks are held back until the next word follows on the same line.
        let mut owed = 0;
        let mut fresh = true;
        for (nth, (tone, text)) in line.0.iter().enumerate() {
            let text = harmless(text);
            // A full stop of its own stays with the word before it.
            let stop = line.0.get(nth + 1).filter(|it| it.1 == ".");
            let words: Vec<&str> = match tone {
                Tone::Code => vec![&text],
                _ => text.split_inclusive(' ').collect(),
            };
            let last = words.len().saturating_sub(1);
            for (nth, word) in words.into_iter().enumerate() {
                let (bare, space) = match word.strip_suffix(' ') {
                    Some(bare) => (bare, 1),
                    None => (word, 0),
                };
                if bare.is_empty() {
                    owed += space;
                    continue;
                }
                let stop = usize::from(stop.is_some() && nth == last);
                let width = owed + bare.chars().count() + stop;
                if !fresh && owed > 0 && at + width > self.width {
                    write!(self.out, "\n{:indent$}", "")?;
                    at = indent;
                } else {
                    write!(self.out, "{:owed$}", "")?;
                    at += owed;
                }
                self.tone(*tone, bare)?;
                at += bare.chars().count();
                owed = space;
                fresh = false;
            }
        }
        writeln!(self.out)
    }

    fn tone(&mut self, tone: Tone, text: &str) -> io::Result<()> {
        let code = match tone {
            Tone::Plain
            | Tone::Code
            | Tone::Heading
            | Tone::Key
            | Tone::Client
            | Tone::Server
            | Tone::Selected
            | Tone::Here => "",
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Error => "1;31",
            Tone::Warning => "33",
            Tone::Note => "36",
            Tone::Good => "32",
        };
        if self.color && !code.is_empty() && !text.is_empty() {
            write!(self.out, "\x1b[{code}m{text}\x1b[0m")
        } else {
            write!(self.out, "{text}")
        }
    }
}

impl Sheet for TextSheet<'_> {
    fn is_brief(&self) -> bool {
        true
    }

    fn title(&mut self, subject: &StyledLine, verdict: Option<&StyledLine>) -> io::Result<()> {
        let mut line = subject.clone();
        if let Some(verdict) = verdict {
            line = line.plain(": ");
            line.0.extend(verdict.0.iter().cloned());
        }
        self.wrap(&line, 0, 0)
    }

    fn heading(&mut self, text: &str) -> io::Result<()> {
        self.label = None;
        writeln!(self.out)?;
        self.tone(Tone::Strong, text)?;
        let rule = "-".repeat(text.chars().count());
        writeln!(self.out, "\n{rule}")
    }

    fn paragraph(&mut self, line: &StyledLine) -> io::Result<()> {
        self.wrap(line, 0, 0)
    }

    fn entry(&mut self, line: &StyledLine) -> io::Result<()> {
        writeln!(self.out)?;
        self.label = Some("");
        self.wrap(line, 0, 3)
    }

    fn detail(&mut self, label: &'static str, line: &StyledLine) -> io::Result<()> {
        let shown = if self.label == Some(label) { "" } else { label };
        self.label = Some(label);
        if label.is_empty() {
            write!(self.out, "{:INDENT$}", "")?;
            return self.wrap(line, INDENT, INDENT);
        }
        // Text to be copied that is too long starts further left, to stay on one line.
        if let [(Tone::Code, text)] = &line.0[..]
            && INDENT + LABEL + text.chars().count() > self.width
        {
            if !shown.is_empty() {
                write!(self.out, "{:INDENT$}", "")?;
                self.tone(Tone::Faint, shown)?;
                writeln!(self.out)?;
            }
            write!(self.out, "{:BODY$}", "")?;
            return self.wrap(line, BODY, BODY);
        }
        write!(self.out, "{:INDENT$}", "")?;
        self.tone(Tone::Faint, &format!("{shown:<LABEL$}"))?;
        self.wrap(line, INDENT + LABEL, INDENT + LABEL)
    }

    fn item(&mut self, lead: &StyledLine, body: &StyledLine) -> io::Result<()> {
        self.wrap(lead, 0, BODY)?;
        write!(self.out, "{:BODY$}", "")?;
        self.wrap(body, BODY, BODY)
    }

    fn point(&mut self, line: &StyledLine) -> io::Result<()> {
        write!(self.out, "- ")?;
        self.wrap(line, 2, 2)
    }

    fn figure(&mut self, lines: &[StyledLine]) -> io::Result<()> {
        writeln!(self.out)?;
        for line in lines {
            let end = line.text().trim_end().chars().count();
            let mut at = 0;
            for (tone, text) in &line.0 {
                let rest: String = text.chars().take(end.saturating_sub(at)).collect();
                at += text.chars().count();
                self.tone(*tone, &rest)?;
            }
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn table(&mut self, table: &RichTable) -> io::Result<()> {
        let header = table
            .columns
            .iter()
            .map(|(name, _)| StyledLine::default().faint(*name));
        let header: Vec<StyledLine> = header.collect();
        let lines = || std::iter::once(&header).chain(&table.rows);
        let width = |column: usize| {
            let cells = lines().filter_map(|row| row.get(column));
            cells.map(StyledLine::width).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
        let all: usize = widths.iter().map(|it| it + INDENT).sum();
        if table.spares_last && all > self.width {
            widths.pop();
        }
        for row in lines() {
            let last = widths.len().min(row.len()).saturating_sub(1);
            let cells = row.iter().zip(&table.columns).take(widths.len());
            for (nth, (cell, (_, right))) in cells.enumerate() {
                let room = widths[nth] - cell.width();
                let (before, after) = if *right { (room, 0) } else { (0, room) };
                write!(self.out, "{:before$}", "", before = before + INDENT)?;
                for (tone, text) in &cell.0 {
                    self.tone(*tone, &harmless(text))?;
                }
                if nth < last {
                    write!(self.out, "{:after$}", "")?;
                }
            }
            writeln!(self.out)?;
        }
        Ok(())
    }
}
