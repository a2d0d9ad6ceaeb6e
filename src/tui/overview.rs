//! The overview: the worst finding with its remedy, how the connections ended, events over time, and facts about the
//! capture.
//!
//! The parts are in the order in which a user investigates a fault. In a low terminal the findings keep their rows and
//! the charts shrink.

use std::borrow::Cow;

use super::export::Export;
use super::finding_ladder::{FindingLadder, Split};
use super::finding_words::{self, headline};
use super::finding_words::{hosts, subject};
use super::theme::tone;
use crate::report::rich_text::Tone;
use crate::report::wording::other_packets::{no_tcp, quic};
use crate::report::wording::outcomes::why_it_failed;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::chart::{self, BarPart};
use super::keys::{Action, Scope};
use super::narrowed;
use super::story::StoryScreen;
use super::text_layout::{LEGIBLE, ListPosition, Paragraph, WrappedRow, find, holds, shorten};
use super::view_model::{FindingGroup, OutcomeClass};
use super::{KeyOutcome, PromptError, PromptInput, Screen, SeekResult, TextSeek, ViewContext};
use crate::base::escape::escape;
use crate::base::format::duration;
use crate::base::format::{count, number};
use crate::base::net::Skip;
use crate::report::places;
use crate::report::rich_text::StyledLine;
use crate::report::snapshot::ReadStage;
use crate::rules::{Finding, Severity};

/// Columns to the left of a chart.
const LABEL: u16 = 11;
/// Columns to the right of a chart.
const FIGURES: u16 = 18;
/// Limits of rows for the message and for the remedy of the selected finding, in a low and in a tall terminal.
const MESSAGE_ROWS: (usize, usize) = (3, 6);
const REMEDY: (usize, usize) = (2, 4);
/// Height from which on a terminal is tall.
const TALL: u16 = 32;
/// With fewer events than this, each is drawn at its own position.
const FEW: usize = 16;
/// Limit of columns that share one value.
const WIDEST: usize = 8;
/// Rows of the smallest useful ladder below the charts.
const LADDER_ROWS: u16 = 12;
/// The highest useful chart.
const HIGHEST: u16 = 3;

/// The overview.
#[derive(Default)]
pub(super) struct OverviewScreen {
    place: ListPosition,
    /// Rows for findings; `charts` are the rows of each chart.
    findings: u16,
    chart: u16,
    /// The area without its margins, for which texts are wrapped.
    body: Rect,
    /// The selected finding's text, wrapped.
    told: Vec<WrappedRow>,
    /// The facts about the capture, wrapped.
    capture: Vec<WrappedRow>,
    legend: Vec<WrappedRow>,
    /// What is left of the ladder.
    left: Rect,
    ladder: FindingLadder,
    export: Export,
}

impl OverviewScreen {
    /// The first finding of the selected group.
    fn finding<'a>(&self, cx: &ViewContext<'a>) -> Option<&'a Finding> {
        let findings = &cx.model.snapshot.findings;
        self.selected(cx).and_then(|it| findings.get(it.first))
    }

    fn selected<'a>(&self, cx: &ViewContext<'a>) -> Option<&'a FindingGroup> {
        cx.model.groups.get(self.place.selected)
    }
}

impl Screen for OverviewScreen {
    fn name(&self, _cx: &ViewContext<'_>) -> String {
        "Overview".to_owned()
    }

    fn scope(&self) -> Scope {
        Scope::Overview
    }

    fn hint<'k>(&self, action: Action, usual: &'k str, cx: &ViewContext<'_>) -> Cow<'k, str> {
        let is_empty = cx.snapshot().summaries.is_empty();
        match action {
            Action::Open if cx.model.groups.is_empty() => match is_empty {
                true => "".into(),
                false => "connections".into(),
            },
            Action::Export if is_empty && cx.model.groups.is_empty() => "".into(),
            _ => usual.into(),
        }
    }

    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect) {
        let groups = cx.model.groups.len();
        self.place.selected = self.place.selected.min(groups.saturating_sub(1));
        let finding = self.finding(cx);
        let split = Split::of(finding, body);
        let (body, mut ladder) = match split {
            Split::Beside => split.parts(body),
            Split::Alone | Split::Below => (body, None),
        };
        self.left = body;
        let body = inside(body);
        self.body = body;
        self.legend = Paragraph::new(0, legend(cx)).rows(body.width);
        self.capture = capture(cx)
            .iter()
            .flat_map(|it| it.rows(body.width))
            .collect();
        self.told = self
            .selected(cx)
            .map_or_else(Vec::new, |group| told(group, cx, body));
        // Rows: verdict, blank, findings, blank, bar with legend, blank, time line, capture.
        let charts = time_rows(cx).len() as u16;
        let rest = 6 + self.legend.len() as u16 + self.capture.len() as u16;
        let least = if cx.is_growing() { 3 } else { 1 };
        let wanted = (groups + self.told.len()).clamp(least, usize::from(body.height).max(least));
        let wanted = wanted as u16;
        let room = body.height.saturating_sub(rest + charts);
        self.findings = wanted.min(room.max(4)).max(1);
        let left = room.saturating_sub(self.findings);
        let high = time_rows(cx)
            .iter()
            .filter(|time_row| !time_row.is_flat())
            .count() as u16;
        self.chart = (1 + left / high.max(1)).min(HIGHEST);
        // Below the charts, if enough rows are left, with low charts if need be.
        if split == Split::Below && left > LADDER_ROWS {
            let above = |chart: u16| high * (chart - 1);
            if left - above(self.chart).min(left) <= LADDER_ROWS {
                self.chart = 1;
            }
            let height = left - above(self.chart).min(left) - 1;
            self.left.height -= height + 1;
            ladder = Some(Rect {
                y: self.left.bottom() + 1,
                height,
                ..self.left
            });
        }
        self.ladder.lay(finding, None, ladder, cx);
        self.export.lay();
        let told = self.told.len();
        let rows = usize::from(self.findings).saturating_sub(told).max(1);
        self.place.lay(groups, rows);
    }

    fn answered(&mut self, answer: PromptInput<'_>, cx: &ViewContext<'_>) -> KeyOutcome {
        self.export.answered(answer, cx)
    }

    fn complaint(&self) -> Option<PromptError> {
        self.export.complaint()
    }

    fn act(&mut self, action: Action, cx: &ViewContext<'_>) -> KeyOutcome {
        self.export.acted();
        match action {
            Action::Export => match self.selected(cx) {
                Some(group) => finding_words::export(group, cx, &mut self.export),
                None => {
                    let summaries = cx.snapshot().summaries.iter();
                    let shown = summaries.filter(|it| cx.model.shows(it.id));
                    let ids = shown.map(|it| it.id).collect();
                    self.export.ask(ids, "connections", cx)
                }
            },
            Action::Open => match cx.model.groups.len() {
                0 => KeyOutcome::Go(super::Tab::Connections),
                _ => KeyOutcome::Open(Box::new(StoryScreen::new(cx.model, self.place.selected))),
            },
            Action::Times => self.ladder.times(),
            _ if self.place.act(action) => KeyOutcome::Done,
            _ => KeyOutcome::Ignored,
        }
    }

    fn seek(&mut self, needle: &str, seek: TextSeek, cx: &ViewContext<'_>) -> SeekResult {
        let findings = &cx.snapshot().findings;
        // What would be in sight if the finding were selected.
        let found = find(cx.model.groups.len(), self.place.selected, seek, |nth| {
            let group = &cx.model.groups[nth];
            findings.get(group.first).is_some_and(|finding| {
                let rows = told(group, cx, self.body);
                let told = rows.iter().map(WrappedRow::text).collect::<Vec<_>>();
                let texts = [
                    finding.severity.name(),
                    &subject(group, finding),
                    finding.rule,
                    &told.join(" "),
                ];
                texts.into_iter().any(|text| holds(text, needle))
            })
        });
        self.place.go_to(found)
    }

    fn click(&mut self, column: u16, row: u16, cx: &ViewContext<'_>) -> KeyOutcome {
        if column >= self.left.width {
            return KeyOutcome::Ignored;
        }
        // The findings start below the verdict and a blank row; the selected one has its text below it.
        let Some(row) = usize::from(row).checked_sub(2) else {
            return KeyOutcome::Ignored;
        };
        let selected = self.place.selected - self.place.top;
        let nth = match row {
            row if row <= selected => row,
            row => row.saturating_sub(self.told.len()).max(selected),
        };
        if row >= usize::from(self.findings) || self.place.top + nth >= cx.model.groups.len() {
            return KeyOutcome::Ignored;
        }
        if nth == selected {
            return self.act(Action::Open, cx);
        }
        self.place.select(self.place.top + nth);
        KeyOutcome::Done
    }

    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        self.ladder.draw(self.finding(cx), cx, buffer);
        let mut left = inside(self.left);
        let mut take = |height: u16| {
            let height = height.min(left.height);
            let part = Rect { height, ..left };
            left.y += height;
            left.height -= height;
            part
        };
        verdict(cx).draw(cx.look, take(1), buffer);
        take(1);
        let shown = self.draw_findings(cx, take(self.findings), buffer);
        self.draw_rest(shown, cx, take(1), buffer);
        draw_bar(cx, take(1), buffer);
        draw_rows(&self.legend, cx, take(self.legend.len() as u16), buffer);
        take(1);
        let time_rows = time_rows(cx);
        if !time_rows.is_empty() {
            draw_scale(cx, take(1), buffer);
        }
        for time_row in &time_rows {
            let height = if time_row.is_flat() { 1 } else { self.chart };
            time_row.draw(cx, take(height), buffer);
        }
        if left.height > self.capture.len() as u16 {
            left.y += 1;
            left.height -= 1;
        }
        let mut capture = self.capture.clone();
        shorten(&mut capture, usize::from(left.height), cx.look.glyphs.more);
        draw_rows(&capture, cx, left, buffer);
        self.export.draw(cx, area, buffer);
    }
}

impl OverviewScreen {
    /// Says how many findings are above and below those in sight.
    fn draw_rest(&self, shown: usize, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let above = self.place.top;
        let below = cx.model.groups.len().saturating_sub(above + shown);
        let more = |many: usize, place: &str| match many {
            0 => None,
            many => Some(format!("{} more {place}", number(many as u64))),
        };
        let parts: Vec<String> = [more(above, "above"), more(below, "below")]
            .into_iter()
            .flatten()
            .collect();
        let room = Rect {
            x: area.x + 2.min(area.width),
            width: area.width.saturating_sub(2),
            ..area
        };
        StyledLine::default()
            .faint(parts.join(", "))
            .draw(cx.look, room, buffer);
    }

    /// Draws the findings and returns how many are in sight.
    fn draw_findings(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) -> usize {
        let groups = &cx.model.groups;
        if groups.is_empty() {
            nothing(cx).draw(cx.look, area, buffer);
            draw_progress(cx, area, buffer);
            return 0;
        }
        let mut shown = 0;
        let mut y = area.y;
        let rows = groups.iter().enumerate().skip(self.place.top);
        for (nth, group) in rows {
            if y >= area.bottom() {
                break;
            }
            let room = Rect {
                y,
                height: 1,
                ..area
            };
            let selected = nth == self.place.selected;
            headline(group, cx, room, selected, buffer);
            shown += 1;
            y += 1;
            if selected {
                let height = (self.told.len() as u16).min(area.bottom() - y);
                draw_rows(&self.told, cx, Rect { y, height, ..area }, buffer);
                y += height;
            }
        }
        shown
    }
}

/// The text below the selected finding: what happened, and the first remedy.
fn told(group: &FindingGroup, cx: &ViewContext<'_>, body: Rect) -> Vec<WrappedRow> {
    let columns = body.width.min(LEGIBLE);
    let (most, remedy) = if body.height >= TALL {
        (MESSAGE_ROWS.1, REMEDY.1)
    } else {
        (MESSAGE_ROWS.0, REMEDY.0)
    };
    let Some(finding) = cx.snapshot().findings.get(group.first) else {
        return Vec::new();
    };
    let glyphs = &cx.look.glyphs;
    let message = finding.message.hedged(finding.certainty).to_string();
    let mut rows = Paragraph::new(4, StyledLine::default().faint(hosts(group, cx))).rows(columns);
    rows.truncate(1);
    let message = sentences(&message, columns, most);
    let mut more = Paragraph::new(4, message).rows(columns);
    shorten(&mut more, most, glyphs.more);
    rows.extend(more);
    if let Some(first) = finding.remedies.first() {
        let line = StyledLine::of(Tone::Good, "Fix     ").plain(first.clone());
        let mut change = Paragraph::new(4, line).hanging(12).rows(columns);
        shorten(&mut change, remedy, glyphs.more);
        rows.extend(change);
    }
    rows
}

/// As many whole sentences as fit into `most` rows, but at least the first.
fn sentences(message: &str, columns: u16, most: usize) -> String {
    let ends = message.match_indices(". ").map(|(at, _)| at + 1);
    let ends: Vec<usize> = ends.chain([message.len()]).collect();
    let fits = |end: &&usize| {
        let rows = Paragraph::new(4, &message[..**end]).rows(columns);
        rows.len() <= most
    };
    let end = ends.iter().rev().find(fits).or(ends.first());
    end.map_or_else(String::new, |end| message[..*end].to_owned())
}

fn draw_rows(rows: &[WrappedRow], cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
    for (row, y) in rows.iter().zip(area.top()..area.bottom()) {
        let indent = row.indent.min(area.width);
        let room = Rect {
            x: area.x + indent,
            y,
            width: area.width - indent,
            height: 1,
        };
        row.line.draw(cx.look, room, buffer);
    }
}

/// The summary of all connections in one line.
fn verdict(cx: &ViewContext<'_>) -> StyledLine {
    let model = cx.model;
    let all = cx.model.connections();
    let mut line = StyledLine::default();
    for (severity, one, many) in [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Note, "note", "notes"),
    ] {
        let found = model.count(severity);
        if found > 0 {
            let sign = cx.look.glyphs.sign(severity);
            let text = format!("{sign} {}   ", count(found, one, many));
            line = line.with(severity.into(), text);
        }
    }
    if all == 0 {
        return line;
    }
    let blamed = !line.0.is_empty();
    // The causes of many stand in the list below.
    let snapshot = cx.snapshot();
    let why = match snapshot.summaries.len() {
        1 => why_it_failed(snapshot),
        _ => None,
    };
    line.plain(model.outcomes.brief(blamed, why.as_ref()))
}

/// Text for an empty list of findings.
fn nothing(cx: &ViewContext<'_>) -> StyledLine {
    let summary = &cx.snapshot().summary;
    if let Some(line) = narrowed::nothing_fits(cx) {
        return line;
    }
    match &cx.progress.stage {
        ReadStage::Failed(why) => StyledLine::of(Tone::Error, escape(why.as_bytes())),
        ReadStage::Reading if summary.frames == 0 => StyledLine::of(
            Tone::Note,
            format!(
                "Reading: {} so far.",
                count(cx.progress.frames, "packet", "packets")
            ),
        )
        .faint(" Findings appear here as soon as they stand."),
        ReadStage::Following if summary.segments == 0 => {
            StyledLine::of(Tone::Note, "Waiting for the first TCP packet.")
        }
        _ if summary.frames == 0 => {
            StyledLine::of(Tone::Warning, "There is no packet in this capture.")
        }
        _ if summary.segments == 0 => StyledLine::of(Tone::Warning, no_tcp(summary)),
        _ if cx.model.outcomes.fine == cx.model.outcomes.all() => {
            let sign = cx.look.glyphs.sign(Severity::Benign);
            StyledLine::of(Tone::Good, format!("{sign} Nothing is wrong."))
        }
        _ if cx.model.outcomes.failed == 0 => StyledLine::from("No fault is shown."),
        _ => StyledLine::from("No rule has anything to say. ").faint("3 lists the connections."),
    }
}

/// Draws the progress of the analysis run as a bar in the third row, if the input's size is known.
fn draw_progress(cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(of) = cx.progress.of.filter(|of| *of > 0 && cx.is_growing()) else {
        return;
    };
    let row = Rect {
        y: area.y + 2,
        height: 1,
        ..area
    };
    let done = cx.progress.bytes.min(of);
    let part = |count, tone, fill| BarPart { count, tone, fill };
    let parts = [part(done, Tone::Note, 0), part(of - done, Tone::Faint, 5)];
    chart::bar(&parts, cx.look, row.intersection(area), buffer);
}

fn draw_bar(cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
    let classes = OutcomeClass::ALL.into_iter().enumerate();
    let parts: Vec<BarPart> = classes
        .map(|(fill, class)| BarPart {
            count: cx.model.counted(class),
            tone: tone(class),
            fill,
        })
        .collect();
    chart::bar(&parts, cx.look, area, buffer);
}

fn legend(cx: &ViewContext<'_>) -> StyledLine {
    let mut line = StyledLine::default();
    for (class, fill) in OutcomeClass::ALL.into_iter().zip(cx.look.glyphs.fills) {
        let counted = cx.model.counted(class);
        if counted == 0 {
            continue;
        }
        // Non-breaking spaces keep a name in one row.
        let name = class.name().replace(' ', "\u{a0}");
        line = line
            .with(tone(class), format!("{fill}{fill}\u{a0}"))
            .plain(format!("{}\u{a0}{name}", number(counted)));
        if class == OutcomeClass::Unknown {
            line = line.faint(format!(": {}", cx.model.outcomes.doubts()));
        }
        line = line.plain("   ");
    }
    line
}

/// One quantity over time, drawn as a row of the time line.
struct TimeLane<'a> {
    name: &'static str,
    steps: &'a [u64],
    tone: Tone,
    /// The value at the top of the chart; `None` for the highest value that occurs.
    ceiling: Option<u64>,
}

fn time_rows<'a>(cx: &ViewContext<'a>) -> Vec<TimeLane<'a>> {
    let histogram = &cx.model.histogram;
    let mut time_rows = Vec::new();
    if histogram.opened.is_empty() || cx.snapshot().summaries.is_empty() {
        return time_rows;
    }
    let time_row = |name, steps, tone| TimeLane {
        name,
        steps,
        tone,
        ceiling: None,
    };
    time_rows.push(time_row("opened", &histogram.opened, Tone::Note));
    time_rows.push(time_row("FIN", &histogram.closed, Tone::Good));
    time_rows.push(time_row("RST", &histogram.reset, Tone::Error));
    if !histogram.time_wait.is_empty() {
        let row = cx.snapshot().sockets.first();
        time_rows.push(TimeLane {
            name: "TIME-WAIT",
            steps: &histogram.time_wait,
            tone: Tone::Warning,
            ceiling: row.map(crate::analysis::hosts::Sockets::range_size),
        });
    }
    time_rows
}

impl TimeLane<'_> {
    /// Whether all values are zero.
    fn is_flat(&self) -> bool {
        self.steps.iter().all(|it| *it == 0)
    }

    /// One value per column. If there are few events, several columns share a value: a row of isolated strokes does
    /// not show their rate.
    fn values(&self, columns: usize) -> Vec<u64> {
        let total: u64 = self.steps.iter().sum();
        let shared = match (self.ceiling, usize::try_from(total)) {
            (None, Ok(total)) if total >= FEW => (columns * 4).div_ceil(total).min(WIDEST),
            _ => 1,
        };
        let values = chart::fit(self.steps, columns.div_ceil(shared), self.ceiling.is_some());
        let spread = values
            .iter()
            .flat_map(|it| std::iter::repeat_n(*it, shared));
        spread.take(columns).collect()
    }

    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let chart = plot(area);
        let values = self.values(usize::from(chart.width));
        let most = values.iter().copied().max().unwrap_or(0);
        let bottom = Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        };
        let label = Rect {
            width: LABEL.min(area.width),
            ..bottom
        };
        StyledLine::default()
            .faint(self.name)
            .draw(cx.look, label, buffer);
        let ceiling = self.ceiling.unwrap_or(most);
        if let Some(top) = self.ceiling {
            let style = cx.look.theme.style(Tone::Faint);
            let sign = cx.look.glyphs.ceiling.repeat(usize::from(chart.width));
            buffer.set_stringn(chart.x, chart.y, sign, usize::from(chart.width), style);
            chart::columns(&values, top, self.tone, cx.look, chart, buffer);
        } else {
            chart::columns(&values, ceiling, self.tone, cx.look, chart, buffer);
        }
        let figures = match self.ceiling {
            Some(top) => format!("{} of {}", number(most), number(top)),
            None => number(self.steps.iter().sum::<u64>()),
        };
        let room = Rect {
            x: chart.right() + 1,
            width: area.right().saturating_sub(chart.right() + 1),
            ..bottom
        };
        StyledLine::default()
            .faint(figures)
            .draw_right(cx.look, room, buffer);
    }
}

/// The part of the row that is the chart.
fn plot(area: Rect) -> Rect {
    Rect {
        x: area.x + LABEL.min(area.width),
        width: area.width.saturating_sub(LABEL + FIGURES),
        ..area
    }
}

/// Draws when the charts begin and end.
fn draw_scale(cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
    let Some((first, last)) = cx.snapshot().summary.span else {
        return;
    };
    let zone = &cx.session.zone;
    let chart = plot(area);
    let lasted = last.since(first);
    let from = zone.time_of_day(first);
    let left = StyledLine::default().faint(from);
    let taken = left.draw(cx.look, chart, buffer);
    let middle = StyledLine::default().faint(duration(lasted));
    let right = StyledLine::default().faint(zone.time_of_day(last));
    let ends = u16::try_from(right.columns()).unwrap_or(0) + taken + 4;
    let wide = u16::try_from(middle.columns()).unwrap_or(0);
    if chart.width > ends {
        right.draw_right(cx.look, chart, buffer);
    }
    if chart.width > ends + wide {
        let x = chart.x + (chart.width - wide) / 2;
        let room = Rect {
            x,
            width: wide,
            ..chart
        };
        middle.draw(cx.look, room, buffer);
    }
}

/// What was captured, and what is missing from it.
fn capture(cx: &ViewContext<'_>) -> Vec<Paragraph> {
    let summary = &cx.snapshot().summary;
    let mut told = Vec::new();
    let label = |label: &str, tone, text: String| {
        let line = StyledLine::default()
            .faint(format!("{label:<9}"))
            .with(tone, text);
        Paragraph::new(0, line).hanging(9)
    };
    if let Some((first, _)) = summary.span {
        let tcp = match summary.segments {
            all if all == summary.frames => "all TCP".to_owned(),
            some => format!("{} TCP", number(some)),
        };
        let fragments = summary.skipped[Skip::Malformed as usize];
        let malformed = match fragments {
            0 => String::new(),
            some => format!(", {} malformed", number(some)),
        };
        let text = format!(
            "{}, {}, {tcp}{malformed}",
            cx.session.zone.full(first),
            count(summary.frames, "packet", "packets"),
        );
        told.push(label("captured", Tone::Plain, text));
    }
    for (title, line) in places::lines(&summary.inputs, &cx.snapshot().frames) {
        let mut all = StyledLine::default().faint(format!("{:<9}", title.to_lowercase()));
        all.0.extend(line.0);
        told.push(Paragraph::new(0, all).hanging(9));
    }
    if let Some(quic) = quic(summary) {
        told.push(label("udp", Tone::Plain, format!("{quic}, not analysed")));
    }
    let lost: u64 = [summary.lost.kernel, summary.lost.interface]
        .into_iter()
        .flatten()
        .sum();
    if lost > 0 {
        let text = format!(
            "{} never captured: what follows is less certain",
            count(lost, "packet was", "packets were")
        );
        told.push(label("lost", Tone::Warning, text));
    }
    for input in &summary.inputs {
        if let Some(damage) = &input.damage {
            let name = match input.path.as_str() {
                "-" => "standard input".into(),
                path => escape(path.as_bytes()),
            };
            let text = format!(
                "{name} at byte {}: {}",
                number(damage.offset),
                escape(damage.reason.as_bytes())
            );
            told.push(label("damaged", Tone::Warning, text));
        }
    }
    for limit in &summary.limits {
        let text = format!("{} {}", number(limit.count), limit.meaning);
        told.push(label("limit", Tone::Warning, text));
    }
    told
}

fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(2),
        ..area
    }
}
