//! The findings, worst first: those that say the same about different hosts in one row, consequences under their cause,
//! and below the list what the selected one says.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::help::HelpScreen;
use super::keys::{Action, Scope};
use super::story::{self, StoryScreen};
use super::text_layout::{Line, Pager, Place, find, holds, scroll_bar};
use super::view_model::Group;
use super::{Cx, Outcome, Screen, Seek, Tab, Tone};
use crate::base::format::{count, number};
use crate::rules::{self, Finding};

/// Where a list alone and a list with a story under it part.
const TALL: u16 = 14;

/// The list of findings.
#[derive(Default)]
pub(super) struct FindingsScreen {
    place: Place,
    /// The list's rows, and the columns.
    list: Rect,
    below: Option<Rect>,
    story: Pager,
    /// For which group and state of affairs the story was told.
    told: Option<(usize, u64)>,
    /// What is selected, whatever row it moves to.
    held: Option<Identity>,
}

type Identity = (
    &'static str,
    Option<std::net::IpAddr>,
    Option<crate::packet::decode::Endpoint>,
);

fn identity(group: &Group, findings: &[Finding]) -> Option<Identity> {
    let finding = findings.get(group.first)?;
    Some((finding.rule, finding.client, finding.server))
}

impl FindingsScreen {
    fn hold(&mut self, cx: &Cx<'_>) {
        let group = cx.digest.groups.get(self.place.selected);
        self.held = group.and_then(|group| identity(group, &cx.snapshot().findings));
    }
}

impl Screen for FindingsScreen {
    fn name(&self, _cx: &Cx<'_>) -> String {
        "Findings".to_owned()
    }

    fn scope(&self) -> Scope {
        Scope::Findings
    }

    fn lay(&mut self, cx: &Cx<'_>, body: Rect) {
        let groups = &cx.digest.groups;
        let findings = &cx.snapshot().findings;
        if self
            .told
            .is_some_and(|(_, version)| version != cx.digest.version)
            && let Some(held) = &self.held
        {
            let held = Some(*held);
            let again = groups
                .iter()
                .position(|group| identity(group, findings) == held);
            self.place.selected = again.unwrap_or(self.place.selected);
        }
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
        self.below = tall.then(|| Rect {
            x: body.x + 1,
            y: body.y + list + 1,
            width: body.width.saturating_sub(1),
            height: body.height - list - 1,
        });
        self.place.lay(groups.len(), usize::from(list));
        let of = (self.place.selected, cx.digest.version);
        if self.told != Some(of) {
            self.told = Some(of);
            self.story = match groups.get(self.place.selected) {
                Some(group) => Pager::new(story::paragraphs(group, cx).0),
                None => Pager::default(),
            };
        }
        if let Some(below) = self.below {
            self.story.lay(below);
        }
        self.hold(cx);
    }

    fn act(&mut self, action: Action, cx: &Cx<'_>) -> Outcome {
        let nth = self.place.selected;
        let group = cx.digest.groups.get(nth);
        match (action, group) {
            (Action::Open, Some(_)) => Outcome::Open(Box::new(StoryScreen::new(cx.digest, nth))),
            (Action::Connections, Some(group)) => connections(group, cx),
            (Action::Rule, Some(group)) => rule(group, cx),
            (Action::Copy, Some(group)) => story::copy(group, cx),
            _ if self.place.act(action) => {
                self.hold(cx);
                Outcome::Done
            }
            _ => Outcome::Ignored,
        }
    }

    fn seek(&mut self, needle: &str, seek: Seek, cx: &Cx<'_>) -> bool {
        let findings = &cx.snapshot().findings;
        let groups = &cx.digest.groups;
        let found = find(groups.len(), self.place.selected, seek, |nth| {
            let finding = findings.get(groups[nth].first);
            finding.is_some_and(|it| {
                let hosts = hosts(&groups[nth], cx);
                let texts = [it.summary.as_str(), it.message.as_str(), it.rule, &hosts];
                texts.into_iter().any(|text| holds(text, needle))
            })
        });
        let found = found.is_some_and(|nth| self.place.select(nth));
        self.hold(cx);
        found
    }

    fn click(&mut self, _column: u16, row: u16, cx: &Cx<'_>) -> Outcome {
        let nth = self.place.top + usize::from(row);
        if row >= self.list.height || nth >= cx.digest.groups.len() {
            return Outcome::Ignored;
        }
        if nth == self.place.selected {
            return self.act(Action::Open, cx);
        }
        self.place.select(nth);
        self.hold(cx);
        Outcome::Done
    }

    fn draw(&self, cx: &Cx<'_>, _area: Rect, buffer: &mut Buffer) {
        let groups = &cx.digest.groups;
        if groups.is_empty() {
            let text = if cx.is_growing() {
                " Nothing was found so far."
            } else {
                " Nothing was found: no rule has anything to say about this capture."
            };
            Line::from(text).draw(cx.look, self.list, buffer);
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
    }
}

/// A finding in a row.
pub(super) fn headline(
    group: &Group,
    cx: &Cx<'_>,
    area: Rect,
    selected: bool,
    buffer: &mut Buffer,
) {
    let findings = &cx.snapshot().findings;
    let Some(finding) = findings.get(group.first) else {
        return;
    };
    let glyphs = &cx.look.glyphs;
    let cursor = if selected { glyphs.cursor } else { " " };
    let mut line = Line::of(Tone::Key, cursor);
    if group.cause.is_some() {
        line = line.faint(format!("{} ", glyphs.branch));
    }
    let severity = finding.severity;
    line = line.with(
        severity.into(),
        format!("{} {:<8}", glyphs.mark(severity), severity.name()),
    );
    let weight = if selected { Tone::Strong } else { Tone::Plain };
    line = line.with(weight, subject(group, finding, cx));
    let rule = Line::default().faint(format!("  {}", finding.rule));
    let beside = line.width() + rule.width() <= usize::from(area.width);
    let room = if beside && area.width >= 100 {
        let taken = rule.draw_right(cx.look, area, buffer);
        Rect {
            width: area.width - taken,
            ..area
        }
    } else {
        area
    };
    line.draw(cx.look, room, buffer);
    if selected {
        buffer.set_style(area, cx.look.theme.style(Tone::Selected));
    }
}

/// `12 × responses say …`, or what it is about.
pub(super) fn subject(group: &Group, finding: &Finding, cx: &Cx<'_>) -> String {
    match group.connections {
        0 | 1 => finding.summary.clone(),
        many => format!(
            "{} {} {}",
            number(many),
            cx.look.glyphs.times,
            finding.summary
        ),
    }
}

/// `10.0.0.1 → 10.0.0.2:80, and 3 other pairs`.
pub(super) fn hosts(group: &Group, cx: &Cx<'_>) -> String {
    let Some(finding) = cx.snapshot().findings.get(group.first) else {
        return String::new();
    };
    let pair = pair(finding, cx);
    match group.others.len() as u64 {
        0 => pair,
        more => format!("{pair}, and {}", count(more, "more place", "more places")),
    }
}

/// Between whom.
pub(super) fn pair(finding: &Finding, cx: &Cx<'_>) -> String {
    let to = cx.look.glyphs.to;
    match (finding.client, finding.server) {
        (Some(client), Some(server)) => format!("{client} {to} {server}"),
        (Some(client), None) => client.to_string(),
        (None, Some(server)) => format!("{to} {server}"),
        (None, None) if finding.connections.is_empty() => "the capture itself".to_owned(),
        (None, None) => "several hosts".to_owned(),
    }
}

/// The connections that a group names.
pub(super) fn connections(group: &Group, cx: &Cx<'_>) -> Outcome {
    let findings = &cx.snapshot().findings;
    match findings.get(group.first) {
        Some(finding) if group.connections == 1 => match finding.connections.first() {
            Some(id) => Outcome::Connection(*id),
            None => Outcome::Ignored,
        },
        Some(_) if group.connections > 1 => {
            Outcome::Invite(Tab::Connections, these(group, findings))
        }
        _ => Outcome::Say("it names no connection: it is about the whole".to_owned()),
    }
}

/// The filter for just the connections that a group names: by its rule, where no finding beside it has that in its name.
fn these(group: &Group, findings: &[Finding]) -> String {
    let members = || std::iter::once(group.first).chain(group.others.iter().copied());
    let named: Vec<&Finding> = members().filter_map(|nth| findings.get(nth)).collect();
    let rule = named.first().map_or("", |it| it.rule);
    let alike = findings.iter().filter(|it| it.rule.contains(rule)).count();
    if alike == named.len() {
        return format!("rule:{rule}");
    }
    let numbers: Vec<_> = named.iter().map(|it| it.id.to_string()).collect();
    format!("finding:{}", numbers.join(","))
}

/// The page of a group's rule.
pub(super) fn rule(group: &Group, cx: &Cx<'_>) -> Outcome {
    let finding = cx.snapshot().findings.get(group.first);
    match finding.and_then(|it| rules::rule(it.rule)) {
        Some(rule) => Outcome::Open(Box::new(HelpScreen::rule(rule))),
        None => Outcome::Ignored,
    }
}
