//! What several screens show of a finding: its headline, its hosts, and the screens it leads to.

use std::collections::BTreeSet;

use super::export::Export;
use super::help::HelpScreen;
use super::view_model::FindingGroup;
use super::{KeyOutcome, Tab, ViewContext};
use crate::base::format::count;
use crate::report::rich_text::StyledLine;
use crate::report::rich_text::Tone;
use crate::rules::{self, Finding};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws a finding in one row.
pub(super) fn headline(
    group: &FindingGroup,
    cx: &ViewContext<'_>,
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
    let mut line = StyledLine::of(Tone::Key, cursor);
    if group.cause.is_some() {
        line = line.faint(format!("{} ", glyphs.branch));
    }
    let severity = finding.severity;
    line = line.with(
        severity.into(),
        format!("{} {:<8}", glyphs.sign(severity), severity.name()),
    );
    let weight = if selected { Tone::Strong } else { Tone::Plain };
    line = line.with(weight, subject(group, finding));
    let rule = StyledLine::default().faint(format!("  {}", finding.rule));
    let beside = line.columns() + rule.columns() <= usize::from(area.width);
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

/// The headline over all cases of a group.
pub(super) fn subject(group: &FindingGroup, finding: &Finding) -> String {
    finding.summary.over(group.times)
}

/// The group's hosts: `10.0.0.1 → 10.0.0.2:80, and 3 other pairs`.
pub(super) fn hosts(group: &FindingGroup, cx: &ViewContext<'_>) -> String {
    let Some(finding) = cx.snapshot().findings.get(group.first) else {
        return String::new();
    };
    let pair = pair(finding, cx);
    match group.others.len() as u64 {
        0 => pair,
        more => format!("{pair}, and {}", count(more, "more place", "more places")),
    }
}

/// The client and the server that a finding is about.
pub(super) fn pair(finding: &Finding, cx: &ViewContext<'_>) -> String {
    let to = cx.look.glyphs.to;
    match (finding.client, finding.server) {
        (Some(client), Some(server)) => format!("{client} {to} {server}"),
        (Some(client), None) => client.to_string(),
        (None, Some(server)) => format!("{to} {server}"),
        (None, None) if finding.connections.is_empty() => "the capture itself".to_owned(),
        (None, None) => "several hosts".to_owned(),
    }
}

/// Opens the connections that a group names.
pub(super) fn connections(group: &FindingGroup, cx: &ViewContext<'_>) -> KeyOutcome {
    let findings = &cx.snapshot().findings;
    match findings.get(group.first) {
        Some(finding) if group.connections == 1 => match finding.connections.first() {
            Some(id) => KeyOutcome::Connection(*id),
            None => KeyOutcome::Ignored,
        },
        Some(_) if group.connections > 1 => {
            KeyOutcome::Invite(Tab::Connections, these(group, findings))
        }
        _ => KeyOutcome::Say("it names no connection: it is about the whole".to_owned()),
    }
}

/// Asks where to write the connections that a group names, or the report.
pub(super) fn export(
    group: &FindingGroup,
    cx: &ViewContext<'_>,
    export: &mut Export,
) -> KeyOutcome {
    let findings = &cx.snapshot().findings;
    let members = std::iter::once(&group.first).chain(&group.others);
    let named = members.filter_map(|nth| findings.get(*nth));
    let ids: BTreeSet<u32> = named
        .flat_map(|it| it.connections.iter().copied())
        .collect();
    let stem = findings.get(group.first).map_or("report", |it| it.rule);
    export.ask(ids.into_iter().collect(), stem, cx)
}

/// The filter for exactly the connections that a group names: by rule if no other finding's rule name contains this
/// one's, else by finding numbers.
pub(super) fn these(group: &FindingGroup, findings: &[Finding]) -> String {
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

/// Opens the page of a group's rule.
pub(super) fn rule(group: &FindingGroup, cx: &ViewContext<'_>) -> KeyOutcome {
    let finding = cx.snapshot().findings.get(group.first);
    match finding.and_then(|it| rules::rule(it.rule)) {
        Some(rule) => KeyOutcome::Open(Box::new(HelpScreen::rule(rule, cx.look))),
        None => KeyOutcome::Ignored,
    }
}
