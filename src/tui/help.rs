//! The help: how to read the screens in a few lines, then the key table. Also the page of a rule.

use super::theme::tone;
use crate::report::rich_text::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::keys::{self, Action, Scope};
use super::text_layout::{Pager, Paragraph};
use super::view_model::OutcomeClass;
use super::{KeyOutcome, Look, Screen, SeekResult, TextSeek, ViewContext};
use crate::report::ladder_rows::UNPROVEN;
use crate::report::rich_text::StyledLine;
use crate::report::rule_page::{PageBlock, blocks};
use crate::rules::Rule;

/// Width of the column of key names.
const KEYS: usize = 20;
/// Width of the ladders in a rule's page: they stand in half of a wide terminal.
const LADDER: usize = 72;

/// A text page without a selection.
pub(super) struct HelpScreen {
    name: String,
    /// The scope whose keys the help lists first; `None` for a page that is not the help.
    from: Option<Scope>,
    pager: Pager,
    ready: bool,
}

impl HelpScreen {
    pub(super) fn new(from: Scope) -> Self {
        Self {
            name: "Help".to_owned(),
            from: Some(from),
            pager: Pager::default(),
            ready: false,
        }
    }

    /// The page of a rule.
    pub(super) fn rule(rule: &Rule, look: &Look) -> Self {
        let mut page = vec![
            Paragraph::new(0, StyledLine::default().strong(rule.name)),
            Paragraph::new(0, rule.summary),
        ];
        for block in blocks(rule, LADDER, look.glyphs.ladder) {
            match block {
                PageBlock::Heading(heading) => {
                    let is_apart = page.last().is_some_and(|it| it.line.0.is_empty());
                    if !is_apart {
                        page.push(Paragraph::default());
                    }
                    page.push(Paragraph::new(0, StyledLine::of(Tone::Heading, heading)));
                }
                PageBlock::Paragraph(line) => page.push(Paragraph::new(2, line)),
                PageBlock::Point(line) => {
                    let mut point = StyledLine::from("- ");
                    point.0.extend(line.0);
                    page.push(Paragraph::new(2, point).hanging(4));
                }
                PageBlock::Figure(lines) => {
                    let lines = lines.into_iter();
                    page.extend(lines.map(|line| Paragraph::new(0, line).hanging(8)));
                    page.push(Paragraph::default());
                }
            }
        }
        Self {
            name: rule.name.to_owned(),
            from: None,
            pager: Pager::new(page),
            ready: true,
        }
    }
}

fn page(from: Scope, cx: &ViewContext<'_>) -> Vec<Paragraph> {
    let glyphs = &cx.look.glyphs;
    let heading = |text: &str| Paragraph::new(0, StyledLine::of(Tone::Heading, text));
    let mut page = vec![
        heading("How to read this"),
        Paragraph::new(
            2,
            "Connections: who closed each, how (FIN, RST, silence) and when (the phase of the exchange). \
             Faults are under Findings, worst first, each with what both programs are expected to log, \
             what to change, and the frames that prove it.",
        ),
        Paragraph::default(),
    ];
    let mut signs = StyledLine::default();
    use crate::rules::Severity as S;
    for (severity, meaning) in [
        (S::Error, "something was lost"),
        (S::Warning, "something is wrong, or will be lost"),
        (S::Note, "worth knowing"),
        (S::Benign, "harmless"),
    ] {
        // A sign and its meaning stay on one line.
        let sign = format!("{}\u{a0}{}", glyphs.sign(severity), severity.name());
        let meaning = format!(": {meaning}").replace(' ', "\u{a0}");
        signs = signs
            .with(severity.into(), sign)
            .faint(meaning)
            .plain("   ");
    }
    page.push(Paragraph::new(2, signs));
    let mut kinds = StyledLine::default();
    for (kind, fill) in OutcomeClass::ALL.into_iter().zip(glyphs.fills) {
        let sign = format!("{fill}{fill}");
        kinds = kinds.with(tone(kind), sign);
        let name = format!("\u{a0}{}", kind.name().replace(' ', "\u{a0}"));
        let meaning = match kind {
            OutcomeClass::Failed => ": something was lost",
            OutcomeClass::Unknown => ": the capture does not show it",
            OutcomeClass::StillOpen => "",
            OutcomeClass::Fine => ": all was completed",
        };
        let meaning = meaning.replace(' ', "\u{a0}");
        kinds = kinds.faint(name + &meaning).plain("   ");
    }
    page.push(Paragraph::new(2, kinds));
    let ladder = &glyphs.ladder;
    let mut arrows = StyledLine::default();
    for (sign, meaning) in [
        (ladder.unproven, UNPROVEN),
        (ladder.between, "lost on the way, or sent by neither host"),
        (ladder.place, "a place of capture that does not have it"),
        (ladder.line[1], "this side has no connection any more"),
    ] {
        let told = format!("\u{a0}{}", meaning.replace(' ', "\u{a0}"));
        arrows = arrows.strong(sign).faint(told).plain("   ");
    }
    page.push(Paragraph::new(2, arrows));
    let mut scopes = vec![from, Scope::Everywhere];
    scopes.extend(Scope::ALL);
    let mut told = Vec::new();
    for scope in scopes {
        let rows: Vec<_> = cx.session.keys.own(scope).collect();
        if told.contains(&scope) || rows.is_empty() {
            continue;
        }
        told.push(scope);
        page.push(Paragraph::default());
        page.push(heading(scope.name()));
        for row in rows {
            let keys = format!("{:<KEYS$}", keys::names(row));
            let line = StyledLine::of(Tone::Key, keys).plain(row.help);
            page.push(Paragraph::new(2, line).hanging(2 + KEYS as u16));
        }
    }
    page
}

impl Screen for HelpScreen {
    fn name(&self, _cx: &ViewContext<'_>) -> String {
        self.name.clone()
    }

    fn scope(&self) -> Scope {
        Scope::Page
    }

    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect) {
        if let Some(from) = self.from.filter(|_| !self.ready) {
            self.pager = Pager::new(page(from, cx));
            self.ready = true;
        }
        self.pager.lay(inside(body));
    }

    fn act(&mut self, action: Action, _cx: &ViewContext<'_>) -> KeyOutcome {
        if self.pager.act(action) {
            KeyOutcome::Done
        } else {
            KeyOutcome::Ignored
        }
    }

    fn seek(&mut self, needle: &str, seek: TextSeek, _cx: &ViewContext<'_>) -> SeekResult {
        self.pager.seek(needle, seek)
    }

    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        self.pager.draw(cx.look, inside(area), buffer);
    }
}

fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    }
}
