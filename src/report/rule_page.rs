//! The pages of the rules, for the terminal, for `docs/rules/` and for the screens. Their source is the rule's doc comment;
//! its ladders, which are the rule's tests, are drawn.

use std::fmt::Write as _;
use std::io;

use super::ladder_figure::below;
use super::ladder_rows::LadderGlyphs;
use super::page_ladder::{PageLadder, drawn};
use super::rich_text::{StyledLine, Tone};
use super::sheet::Sheet;
use super::text::TextSheet;
use crate::rules::{CATALOGUE, GROUPS, Group, Rule, rule};

/// Columns of a drawn ladder.
const WIDTH: usize = 80;
/// The fence before a ladder, and after it.
const LADDER: &str = "```ladder";
const FENCE: &str = "```";

/// A part of a page.
#[derive(Clone, Debug)]
pub(crate) enum PageBlock {
    Heading(String),
    Paragraph(StyledLine),
    Point(StyledLine),
    /// Lines to be shown as they are.
    Figure(Vec<StyledLine>),
}

/// A line of a page, or a ladder with the name of the rule if that finds something on it.
enum PagePiece<'a> {
    Line(&'a str),
    Ladder(String, Option<&'static str>),
}

/// A page as lines and ladders.
fn pieces<'a>(rule: &Rule, page: &'a str) -> Vec<PagePiece<'a>> {
    let mut pieces = Vec::new();
    let mut lines = page.lines();
    let mut fires = None;
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("# ") {
            fires = (heading == "Example").then_some(rule.name);
        }
        if line != LADDER {
            pieces.push(PagePiece::Line(line));
            continue;
        }
        let ladder = lines.by_ref().take_while(|line| *line != FENCE);
        let ladder: Vec<&str> = ladder.collect();
        pieces.push(PagePiece::Ladder(ladder.join("\n"), fires));
    }
    pieces
}

/// A ladder drawn, or as it is if it cannot be read. Below it stands what those of its signs mean that are not among
/// `explained`, to which they are added.
fn figure(
    ladder: &str,
    rule: Option<&str>,
    width: usize,
    glyphs: LadderGlyphs,
    explained: &mut Vec<String>,
) -> Vec<StyledLine> {
    let Some(PageLadder { mut lines, signs }) = drawn(ladder, rule, width, glyphs) else {
        return ladder.lines().map(StyledLine::from).collect();
    };
    let new = signs.into_iter().filter(|it| !explained.contains(it));
    let new: Vec<String> = new.collect();
    lines.extend(below(&new, width));
    explained.extend(new);
    lines
}

/// The parts of a rule's page, with ladders of this width.
pub(crate) fn blocks(rule: &Rule, width: usize, glyphs: LadderGlyphs) -> Vec<PageBlock> {
    let page = rule.page();
    let mut blocks = Vec::new();
    // The lines of a paragraph or a point that is not complete.
    let mut open = String::new();
    let mut explained = Vec::new();
    let end = |open: &mut String, blocks: &mut Vec<PageBlock>| {
        let text = std::mem::take(open);
        match text.strip_prefix("- ") {
            Some(point) => blocks.push(PageBlock::Point(emphasised(point))),
            None if text.is_empty() => {}
            None => blocks.push(PageBlock::Paragraph(emphasised(&text))),
        }
    };
    for piece in pieces(rule, &page) {
        match piece {
            PagePiece::Ladder(ladder, rule) => {
                end(&mut open, &mut blocks);
                let lines = figure(&ladder, rule, width, glyphs, &mut explained);
                blocks.push(PageBlock::Figure(lines));
            }
            PagePiece::Line(line) => {
                let heading = line.strip_prefix("# ");
                if heading.is_some() || line.is_empty() || line.starts_with("- ") {
                    end(&mut open, &mut blocks);
                }
                match heading {
                    Some(heading) => blocks.push(PageBlock::Heading(heading.to_owned())),
                    None => {
                        if !open.is_empty() {
                            open.push(' ');
                        }
                        open += line.trim();
                    }
                }
            }
        }
    }
    end(&mut open, &mut blocks);
    blocks
}

/// Text with `*…*`, which is emphasised.
fn emphasised(text: &str) -> StyledLine {
    let mut line = StyledLine::default();
    let mut code = false;
    let mut tone = Tone::Plain;
    let mut from = 0;
    for (at, char) in text.char_indices() {
        code ^= char == '`';
        if char == '*' && !code {
            line = line.with(tone, text.get(from..at).unwrap_or_default());
            from = at + 1;
            tone = match tone {
                Tone::Plain => Tone::Strong,
                _ => Tone::Plain,
            };
        }
    }
    line.with(tone, text.get(from..).unwrap_or_default())
}

/// The page of a rule as text of 80 columns: name, severity, summary, then its sections.
#[must_use]
pub fn rule_page(name: &str, color: bool) -> Option<String> {
    let rule = rule(name)?;
    let mut page: Vec<u8> = Vec::new();
    let written = write(rule, &mut TextSheet::new(&mut page, color));
    debug_assert!(written.is_ok(), "a vector takes everything");
    Some(String::from_utf8_lossy(&page).into_owned())
}

fn write(rule: &Rule, sheet: &mut dyn Sheet) -> io::Result<()> {
    let severity = rule.severity;
    sheet.title(
        &StyledLine::default()
            .strong(rule.name)
            .plain(" (")
            .with(severity.into(), severity.name())
            .plain(")"),
        None,
    )?;
    sheet.paragraph(&rule.summary.into())?;
    let mut after_text = false;
    for block in blocks(rule, WIDTH, LadderGlyphs::UNICODE) {
        let is_text = matches!(block, PageBlock::Paragraph(_));
        if is_text && after_text {
            sheet.paragraph(&StyledLine::default())?;
        }
        match &block {
            PageBlock::Heading(text) => sheet.heading(text)?,
            PageBlock::Paragraph(line) => sheet.paragraph(line)?,
            PageBlock::Point(line) => sheet.point(line)?,
            PageBlock::Figure(lines) => sheet.figure(lines)?,
        }
        after_text = !matches!(block, PageBlock::Heading(_));
    }
    Ok(())
}

/// The pages of `docs/rules/`: a name, and what it holds. The first is the index.
#[must_use]
pub fn rule_pages() -> Vec<(String, String)> {
    let count = CATALOGUE.len();
    let mut index = format!(
        "# Rules\n\nThe {count} things that `hangup` finds, by the part of a connection's life that they are about. These pages are \
         made from the rules themselves; `hangup explain RULE` shows the same.\n"
    );
    let mut pages = Vec::new();
    for group in GROUPS {
        let Group {
            name, title, about, ..
        } = group;
        let page = format!("{}.md", name.replace('_', "-"));
        let _ = write!(
            index,
            "\n## [{title}]({page}): {about}\n\n| rule | at worst | in short |\n|---|---|---|\n"
        );
        let mut text = format!("# {title}: {about}\n");
        for rule in group.rules {
            let Rule { name, summary, .. } = rule;
            let severity = rule.severity.name();
            let _ = writeln!(
                index,
                "| [`{name}`]({page}#{name}) | {severity} | {summary} |"
            );
            let _ = write!(text, "\n## {name}\n\n");
            let mut explained = Vec::new();
            for piece in pieces(rule, &rule.page()) {
                match piece {
                    PagePiece::Line(line) => {
                        let deeper = if line.starts_with("# ") { "##" } else { "" };
                        let _ = writeln!(text, "{deeper}{line}");
                    }
                    PagePiece::Ladder(ladder, rule) => {
                        text += "```text\n";
                        let glyphs = LadderGlyphs::UNICODE;
                        for line in figure(&ladder, rule, WIDTH, glyphs, &mut explained) {
                            text += line.text().trim_end();
                            text.push('\n');
                        }
                        text += "```\n";
                    }
                }
            }
        }
        pages.push((page, text));
    }
    pages.insert(0, ("README.md".to_owned(), index));
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ladder_of_every_page_is_drawn() {
        for rule in CATALOGUE.iter() {
            for piece in pieces(rule, &rule.page()) {
                if let PagePiece::Ladder(ladder, _) = piece {
                    let lines = drawn(&ladder, None, WIDTH, LadderGlyphs::UNICODE);
                    let lines = lines.unwrap_or_else(|| panic!("{}: {ladder}", rule.name));
                    let lines = lines.lines;
                    for line in &lines {
                        assert!(line.width() <= WIDTH, "{}: {}", rule.name, line.text());
                    }
                    let packets = ladder.lines().filter(|it| {
                        let arrows = ["-->", "~~>", "<--", "<~~"];
                        arrows.iter().any(|arrow| it.contains(arrow))
                    });
                    assert!(lines.len() > packets.count(), "{}: {ladder}", rule.name);
                }
            }
        }
    }

    #[test]
    fn a_page_in_the_terminal() {
        let page = rule_page("reset-before-response", false).expect("a rule");
        for part in [
            "reset-before-response (error)\n",
            "\nWhat happened\n-------------\n",
            "\n- If HTTP was spoken and the wait was under 50 ms and",
            "30.0 s of silence",
            "✖ 5  30.020",
            "RST [TTL 249] ──╳",
        ] {
            assert!(page.contains(part), "{part:?}: {page}");
        }
        assert!(!page.contains("=>") && !page.contains("```"), "{page}");
        assert_eq!(rule_page("no-such-rule", false), None);
    }
}
