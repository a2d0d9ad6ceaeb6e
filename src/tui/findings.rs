//! The list of findings, worst first. Findings with the same summary about different hosts share one row, consequences
//! follow their cause, and the selected finding is shown in full below the list.

use super::export::Export;
use super::finding_ladder::{FindingLadder, Split};
use super::finding_words::{self, headline};
use super::finding_words::{connections, rule};
use crate::report::rich_text::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::borrow::Cow;

use super::keys::{Action, Scope};
use super::narrowed;
use super::story::{self, StoryScreen};
use super::text_layout::{ListPosition, Pager, Paragraph, find, holds, scroll_bar};
use super::view_model::FindingGroup;
use super::{KeyOutcome, PromptError, PromptInput, Screen, SeekResult, TextSeek, ViewContext};
use crate::report::rich_text::StyledLine;
use crate::rules::Finding;

/// From this height on the selected finding is shown below the list.
const TALL: u16 = 14;

/// The list of findings.
#[derive(Default)]
pub(super) struct FindingsScreen {
    place: ListPosition,
    /// The area of the list.
    list: Rect,
    below: Option<Rect>,
    story: Pager,
    ladder: FindingLadder,
    export: Export,
    /// The group and view model version from which the text below was made.
    told: Option<(usize, u64)>,
    /// Identity of the selected group, which keeps it selected when it moves to another row.
    held: Option<Identity>,
    /// The text of each group, for the search, and the version of the view model that it is of.
    texts: Option<(u64, Vec<String>)>,
    /// What the search found, to show where in the text below it is.
    found: Option<String>,
}

type Identity = (
    &'static str,
    Option<std::net::IpAddr>,
    Option<crate::base::net::Endpoint>,
);

fn identity(group: &FindingGroup, findings: &[Finding]) -> Option<Identity> {
    let finding = findings.get(group.first)?;
    Some((finding.rule, finding.client, finding.server))
}

impl FindingsScreen {
    /// The first finding of the selected group.
    fn finding<'a>(&self, cx: &ViewContext<'a>) -> Option<&'a Finding> {
        let group = cx.model.groups.get(self.place.selected)?;
        cx.model.snapshot.findings.get(group.first)
    }

    /// The text of each group: what its row and the part below show of it.
    fn texts(&mut self, cx: &ViewContext<'_>) -> &[String] {
        let version = cx.model.version;
        let made = self.texts.take().filter(|(made, _)| *made == version);
        let (_, texts) = self.texts.insert(made.unwrap_or_else(|| {
            let groups = cx.model.groups.iter();
            (version, groups.map(|it| text_of(it, cx)).collect())
        }));
        texts
    }

    fn hold(&mut self, cx: &ViewContext<'_>) {
        let group = cx.model.groups.get(self.place.selected);
        self.held = group.and_then(|group| identity(group, &cx.snapshot().findings));
    }
}

fn text_of(group: &FindingGroup, cx: &ViewContext<'_>) -> String {
    let finding = cx.snapshot().findings.get(group.first);
    let mut text = finding.map_or_else(String::new, |it| it.rule.to_owned());
    for paragraph in story::paragraphs(group, cx).0 {
        text.push('\n');
        text += &paragraph.line.text();
    }
    text
}

impl Screen for FindingsScreen {
    fn name(&self, _cx: &ViewContext<'_>) -> String {
        "Findings".to_owned()
    }

    fn scope(&self) -> Scope {
        Scope::Findings
    }

    fn hint<'k>(&self, action: Action, usual: &'k str, cx: &ViewContext<'_>) -> Cow<'k, str> {
        match (action, cx.model.groups.get(self.place.selected)) {
            (_, None) => "".into(),
            (Action::Connections, Some(group)) if group.connections == 0 => "".into(),
            _ => usual.into(),
        }
    }

    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect) {
        let groups = &cx.model.groups;
        let findings = &cx.snapshot().findings;
        if self
            .told
            .is_some_and(|(_, version)| version != cx.model.version)
            && let Some(held) = &self.held
        {
            let held = Some(*held);
            let again = groups
                .iter()
                .position(|group| identity(group, findings) == held);
            self.place.selected = again.unwrap_or(self.place.selected);
        }
        let finding = self.finding(cx);
        let split = Split::of(finding, body);
        // To the right the ladder takes the whole height, below only what the list leaves.
        let (body, beside) = match split {
            Split::Beside => split.parts(body),
            Split::Alone | Split::Below => (body, None),
        };
        let rows = u16::try_from(groups.len()).unwrap_or(u16::MAX);
        let tall = body.height >= TALL;
        let list = if tall {
            rows.min(body.height * 2 / 5).max(1)
        } else {
            body.height
        };
        self.list = Rect {
            height: list,
            ..body
        };
        let below = tall.then(|| Rect {
            y: body.y + list + 1,
            height: body.height - list - 1,
            ..body
        });
        let (below, ladder) = match (below, split) {
            (Some(below), Split::Below) => {
                let (text, ladder) = Split::of(finding, below).parts(below);
                (Some(text), ladder)
            }
            (below, _) => (below, beside),
        };
        self.below = below.map(|it| Rect {
            x: it.x + 1,
            width: it.width.saturating_sub(1),
            ..it
        });
        self.place.lay(groups.len(), usize::from(list));
        let of = (self.place.selected, cx.model.version);
        if self.told != Some(of) {
            self.told = Some(of);
            self.story = match groups.get(self.place.selected) {
                Some(group) => {
                    let paragraphs = story::paragraphs(group, cx).0.into_iter();
                    // The links are for the finding's own screen.
                    Pager::new(
                        paragraphs
                            .map(|it| Paragraph { link: None, ..it })
                            .collect(),
                    )
                }
                None => Pager::default(),
            };
        }
        if let Some(below) = self.below {
            self.story.lay(below);
            if let Some(needle) = self.found.take() {
                self.story.seek(&needle, TextSeek::Here);
            }
        }
        self.hold(cx);
        let finding = self.finding(cx);
        self.ladder.lay(finding, None, ladder, cx);
        self.export.lay();
    }

    fn answered(&mut self, answer: PromptInput<'_>, cx: &ViewContext<'_>) -> KeyOutcome {
        self.export.answered(answer, cx)
    }

    fn complaint(&self) -> Option<PromptError> {
        self.export.complaint()
    }

    fn act(&mut self, action: Action, cx: &ViewContext<'_>) -> KeyOutcome {
        self.export.acted();
        let nth = self.place.selected;
        let group = cx.model.groups.get(nth);
        match (action, group) {
            (Action::Open, Some(_)) => KeyOutcome::Open(Box::new(StoryScreen::new(cx.model, nth))),
            (Action::Connections, Some(group)) => connections(group, cx),
            (Action::Rule, Some(group)) => rule(group, cx),
            (Action::Export, Some(group)) => finding_words::export(group, cx, &mut self.export),
            (Action::Times, _) => self.ladder.times(),
            (Action::Copy, Some(group)) => story::copy(group, cx),
            _ if self.place.act(action) => {
                self.hold(cx);
                KeyOutcome::Done
            }
            _ => KeyOutcome::Ignored,
        }
    }

    fn seek(&mut self, needle: &str, seek: TextSeek, cx: &ViewContext<'_>) -> SeekResult {
        let selected = self.place.selected;
        let texts = self.texts(cx);
        let found = find(texts.len(), selected, seek, |nth| {
            holds(&texts[nth], needle)
        });
        let found = self.place.go_to(found);
        self.found = (found != SeekResult::Missing).then(|| needle.to_owned());
        self.hold(cx);
        found
    }

    fn click(&mut self, column: u16, row: u16, cx: &ViewContext<'_>) -> KeyOutcome {
        let nth = self.place.top + usize::from(row);
        if row >= self.list.height || column >= self.list.width || nth >= cx.model.groups.len() {
            return KeyOutcome::Ignored;
        }
        if nth == self.place.selected {
            return self.act(Action::Open, cx);
        }
        self.place.select(nth);
        self.hold(cx);
        KeyOutcome::Done
    }

    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let groups = &cx.model.groups;
        if groups.is_empty() {
            let text = if cx.is_growing() {
                " Nothing was found so far."
            } else {
                " Nothing was found: no rule has anything to say about this capture."
            };
            let line = narrowed::nothing_fits(cx);
            let line = line.map_or_else(
                || StyledLine::from(text),
                |it| {
                    let mut line = StyledLine::from(" ");
                    line.0.extend(it.0);
                    line
                },
            );
            line.draw(cx.look, self.list, buffer);
            return;
        }
        let rows = groups.iter().enumerate().skip(self.place.top);
        for ((nth, group), y) in rows.zip(self.list.top()..self.list.bottom()) {
            let room = Rect {
                x: self.list.x + 1,
                y,
                width: self.list.width.saturating_sub(2),
                height: 1,
            };
            headline(group, cx, room, nth == self.place.selected, buffer);
        }
        scroll_bar(groups.len(), self.place.top, cx.look, self.list, buffer);
        if let Some(below) = self.below {
            let rule = cx.look.glyphs.rule.repeat(usize::from(self.list.width));
            let style = cx.look.theme.style(Tone::Faint);
            let wide = usize::from(self.list.width);
            buffer.set_stringn(self.list.x, self.list.bottom(), rule, wide, style);
            self.story.draw(cx.look, below, buffer);
        }
        self.ladder.draw(self.finding(cx), cx, buffer);
        self.export.draw(cx, area, buffer);
    }
}
