//! The page as Markdown, for tickets (CommonMark, with GitHub's tables).
//!
//! Characters that would be taken for markup are escaped; text to be copied is in back quotes.

use super::rich_text::{RichTable, StyledLine, Tone};
use super::sheet::Sheet;
use crate::base::escape::harmless;
use std::io::{self, Write};

pub(super) struct MarkdownSheet<'o> {
    out: &'o mut dyn Write,
}

impl<'o> MarkdownSheet<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        Self { out }
    }
}

fn marked(line: &StyledLine) -> String {
    let mut out = String::new();
    for (tone, text) in &line.0 {
        let text = harmless(text);
        // Emphasis marks must touch the words they mark (CommonMark §6.2).
        let words = text.trim();
        let start = text.len() - text.trim_start().len();
        let end = text.trim_end().len();
        if words.is_empty() {
            out += &text;
            continue;
        }
        out += &text[..start];
        match tone {
            Tone::Plain
            | Tone::Faint
            | Tone::Heading
            | Tone::Key
            | Tone::Client
            | Tone::Server
            | Tone::Selected
            | Tone::Here => out += &plain(words),
            Tone::Code => out += &code(words),
            Tone::Strong | Tone::Error | Tone::Warning | Tone::Note | Tone::Good => {
                out += &format!("**{}**", plain(words));
            }
        }
        out += &text[end..];
    }
    out
}

/// Escapes with a backslash whatever is markup within a line (CommonMark §2.4). Pairs of back quotes stay: this
/// program's own texts use them.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let paired = text.matches('`').count().is_multiple_of(2);
    let mut quoted = false;
    for char in text.chars() {
        quoted ^= char == '`' && paired;
        let markup = match char {
            '`' => !paired,
            '|' => true,
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '&' | '~' => !quoted,
            _ => false,
        };
        if markup {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

/// Encloses in as many back quotes as the text requires (CommonMark §6.1).
fn code(text: &str) -> String {
    let longest = text.split(|char| char != '`').map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or(0) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{space}{text}{space}{fence}")
}

impl Sheet for MarkdownSheet<'_> {
    fn title(&mut self, subject: &StyledLine, verdict: Option<&StyledLine>) -> io::Result<()> {
        writeln!(self.out, "# {}", marked(subject).replace("**", ""))?;
        verdict.map_or(Ok(()), |it| self.paragraph(it))
    }

    fn heading(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "\n## {text}\n")
    }

    fn paragraph(&mut self, line: &StyledLine) -> io::Result<()> {
        writeln!(self.out, "\n{}", marked(line))
    }

    fn entry(&mut self, line: &StyledLine) -> io::Result<()> {
        writeln!(self.out, "\n### {}\n", marked(line).replace("**", ""))
    }

    fn detail(&mut self, label: &'static str, line: &StyledLine) -> io::Result<()> {
        if label.is_empty() {
            writeln!(self.out, "{}\n", marked(line))
        } else {
            writeln!(self.out, "- **{label}:** {}", marked(line))
        }
    }

    fn item(&mut self, lead: &StyledLine, body: &StyledLine) -> io::Result<()> {
        writeln!(self.out, "- {}\\\n  {}", marked(lead), marked(body))
    }

    fn point(&mut self, line: &StyledLine) -> io::Result<()> {
        writeln!(self.out, "- {}", marked(line))
    }

    fn figure(&mut self, lines: &[StyledLine]) -> io::Result<()> {
        writeln!(self.out, "\n```text")?;
        for line in lines {
            let text = line.text().replace("```", "'''");
            writeln!(self.out, "{}", text.trim_end())?;
        }
        writeln!(self.out, "```")
    }

    fn table(&mut self, table: &RichTable) -> io::Result<()> {
        let mut names = String::from("|");
        let mut rule = String::from("|");
        for (name, right) in &table.columns {
            names += &format!(" {name} |");
            rule += if *right { " --: |" } else { " --- |" };
        }
        writeln!(self.out, "{names}\n{rule}")?;
        for row in &table.rows {
            let mut cells = String::from("|");
            for column in 0..table.columns.len() {
                let cell = row.get(column).map(marked).unwrap_or_default();
                cells += &format!(" {cell} |");
            }
            writeln!(self.out, "{cells}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_texts_is_none() {
        for (text, shown) in [
            ("a*b_c|d", "a\\*b\\_c\\|d"),
            ("say `Connection: *`", "say `Connection: *`"),
            ("one ` alone", "one \\` alone"),
            ("<script>", "\\<script\\>"),
        ] {
            assert_eq!(plain(text), shown);
        }
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(
            marked(&StyledLine::from("x ").strong("two ").plain("y")),
            "x **two** y"
        );
    }
}
