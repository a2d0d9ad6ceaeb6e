//! The page as HTML: one file without a script and without anything from elsewhere, for a browser, a printer or a ticket.
//!
//! Everything is escaped by the templates of `maud`; the styles are in `html.css`. It follows the reader's choice of light or
//! dark. Headings are in order, tables have headers, and a ladder is a picture with its text beside it for readers that see
//! none. Its picture is drawn from the cells of the ladder of text (`html_figure.rs`).

use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::html_figure::figure;
use super::rich_text::{RichTable, StyledLine, Tone};
use super::sheet::{REMEDY, Sheet};

const STYLES: &str = include_str!("html.css");
/// Nothing is loaded from anywhere, whatever a text says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// What is being written, and is closed by what comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    /// Details, the last with this label.
    Details(&'static str),
    /// Remedies, which fold.
    Remedies,
    /// Points of a list.
    Points,
}

/// Writes HTML.
pub(super) struct HtmlSheet<'o> {
    out: &'o mut dyn Write,
    open: Open,
    /// Whether a heading was written.
    headed: bool,
    /// Whether an entry is open.
    in_entry: bool,
    /// Entries so far.
    entries: u32,
    /// Whether the verdict was written, which is the first paragraph.
    judged: bool,
}

impl<'o> HtmlSheet<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        Self {
            out,
            open: Open::Nothing,
            headed: false,
            in_entry: false,
            entries: 0,
            judged: false,
        }
    }

    /// Ends the page.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.close_entry()?;
        self.raw("</main>\n</body>\n</html>\n")
    }

    fn put(&mut self, markup: &Markup) -> io::Result<()> {
        self.raw(&markup.0)
    }

    /// Tags of this program's own.
    fn raw(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    fn close(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => Ok(()),
            Open::Details(_) => self.raw("</dl>\n"),
            Open::Remedies => self.raw("</ul></details>\n"),
            Open::Points => self.raw("</ul>\n"),
        }
    }

    fn close_entry(&mut self) -> io::Result<()> {
        self.close()?;
        match std::mem::take(&mut self.in_entry) {
            true => self.raw("</article>\n"),
            false => Ok(()),
        }
    }

    fn remedy(&mut self, line: &StyledLine) -> io::Result<()> {
        if self.open != Open::Remedies {
            self.close()?;
            self.raw("<details open><summary>What to change</summary><ul class=\"fixes\">\n")?;
            self.open = Open::Remedies;
        }
        self.put(&html! { li { (inline(line)) } })
    }
}

impl Sheet for HtmlSheet<'_> {
    fn title(&mut self, line: &StyledLine, verdict: Option<&StyledLine>) -> io::Result<()> {
        let head = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="generator" content=(concat!("hangup ", env!("CARGO_PKG_VERSION")));
                    title { (line.text()) }
                    style { (PreEscaped(STYLES)) }
                }
                body { main { h1 { (inline(line)) } } }
            }
        };
        // The page goes on.
        let head = head.0.replace("</main></body></html>", "\n");
        self.raw(&head)?;
        verdict.map_or(Ok(()), |it| self.paragraph(it))
    }

    fn heading(&mut self, text: &str) -> io::Result<()> {
        self.close_entry()?;
        self.headed = true;
        self.put(&html! { h2 { (text) } })
    }

    fn paragraph(&mut self, line: &StyledLine) -> io::Result<()> {
        self.close_entry()?;
        if line.0.is_empty() {
            return Ok(());
        }
        let class = if self.judged { None } else { Some("verdict") };
        self.judged = true;
        self.put(&html! { p class=[class] { (inline(line)) } "\n" })
    }

    fn entry(&mut self, line: &StyledLine) -> io::Result<()> {
        if !self.headed {
            self.heading("Findings")?;
        }
        self.close_entry()?;
        self.entries += 1;
        self.in_entry = true;
        let tone = line.0.iter().find_map(|(tone, _)| class(*tone));
        let classes = format!("entry {}", tone.unwrap_or_default());
        self.raw(&format!(
            "<article id=\"finding-{}\" class=\"{}\">\n",
            self.entries,
            classes.trim()
        ))?;
        self.put(&html! { h3 { (inline(line)) } "\n" })
    }

    fn detail(&mut self, label: &'static str, line: &StyledLine) -> io::Result<()> {
        if label.is_empty() {
            self.close()?;
            return self.put(&html! { p { (inline(line)) } "\n" });
        }
        if label == REMEDY {
            return self.remedy(line);
        }
        let before = match self.open {
            Open::Details(before) => before,
            _ => {
                self.close()?;
                self.raw("<dl>\n")?;
                ""
            }
        };
        self.open = Open::Details(label);
        self.put(&html! {
            @if label != before { dt { (label) } }
            dd { (inline(line)) } "\n"
        })
    }

    fn item(&mut self, lead: &StyledLine, body: &StyledLine) -> io::Result<()> {
        self.list()?;
        self.put(&html! { li { (inline(lead)) br; (inline(body)) } "\n" })
    }

    fn point(&mut self, line: &StyledLine) -> io::Result<()> {
        self.list()?;
        self.put(&html! { li { (inline(line)) } "\n" })
    }

    fn table(&mut self, table: &RichTable) -> io::Result<()> {
        self.close_entry()?;
        // The first column of the findings is their number.
        let linked = table.columns.first().is_some_and(|(name, _)| *name == "#");
        let last = table.columns.len().checked_sub(1);
        let class = |at: usize| match table.columns.get(at) {
            Some((_, true)) => Some("number"),
            // A narrow page does without it.
            _ if table.spares_last && Some(at) == last => Some("spare"),
            _ => None,
        };
        let cell = |at: usize, cell: &StyledLine| {
            let text = cell.text();
            html! {
                td class=[class(at)] {
                    @if linked && at == 0 { a href=(format!("#finding-{text}")) { (text) } }
                    @else { (inline(cell)) }
                }
            }
        };
        self.put(&html! {
            div.wide tabindex="0" role="region" aria-label="Table" { table {
                thead { tr {
                    @for (at, (name, _)) in table.columns.iter().enumerate() {
                        th scope="col" class=[class(at)] { (name) }
                    }
                } }
                tbody {
                    @for row in &table.rows {
                        tr { @for (at, own) in row.iter().enumerate() { (cell(at, own)) } } "\n"
                    }
                }
            } } "\n"
        })
    }

    fn figure(&mut self, lines: &[StyledLine]) -> io::Result<()> {
        self.close()?;
        let drawn = figure(lines, &format!("ladder-{}", self.entries));
        self.put(&drawn)
    }
}

impl HtmlSheet<'_> {
    fn list(&mut self) -> io::Result<()> {
        if self.open == Open::Points {
            return Ok(());
        }
        self.close_entry()?;
        self.open = Open::Points;
        self.raw("<ul>\n")
    }
}

/// The class of a tone, if it looks different from plain text.
pub(super) const fn class(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Plain | Tone::Heading | Tone::Selected | Tone::Here => None,
        Tone::Strong | Tone::Key => Some("strong"),
        Tone::Faint => Some("faint"),
        Tone::Code => Some("code"),
        Tone::Error => Some("error"),
        Tone::Warning => Some("warning"),
        Tone::Note => Some("note"),
        Tone::Good => Some("good"),
        Tone::Client => Some("client"),
        Tone::Server => Some("server"),
    }
}

/// The pieces of a line.
fn inline(line: &StyledLine) -> Markup {
    html! {
        @for (tone, text) in &line.0 {
            @match (tone, class(*tone)) {
                (Tone::Code, _) => code { (text) },
                (Tone::Strong, _) => strong { (quoted(text)) },
                (_, Some(class)) => span class=(class) { (quoted(text)) },
                (_, None) => (quoted(text)),
            }
        }
    }
}

/// A text with what stands in pairs of back quotes as code.
fn quoted(text: &str) -> Markup {
    if !text.matches('`').count().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (nth, part) in text.split('`').enumerate() {
            @if nth % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_never_markup() {
        for (text, shown) in [
            ("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
            ("say `a<b>` & go", "say <code>a&lt;b&gt;</code> &amp; go"),
            ("one ` alone", "one ` alone"),
            ("\" onload=\"x", "&quot; onload=&quot;x"),
        ] {
            assert_eq!(quoted(text).0, shown);
        }
        let line = StyledLine::of(Tone::Error, "<b>").code("`<i>`");
        let shown = "<span class=\"error\">&lt;b&gt;</span><code>`&lt;i&gt;`</code>";
        assert_eq!(inline(&line).0, shown);
    }
}
