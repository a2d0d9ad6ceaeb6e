//! The screen of one connection: ladder, verdict, exchanges, bytes, segments.
//!
//! ```text
//!  Ladder  Verdict  Exchanges 3  Bytes  Segments 24
//! ┌ the tab ───────────────────────────┐┌ the verdict, ┐
//! │                                    ││ where there  │
//! └────────────────────────────────────┘└ is room ─────┘
//! ```
//!
//! The segments are reread from the input in a task; until they arrive the screen shows the verdict.

use crate::report::rich_text::Tone;
use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::bytes_pane::BytesPane;
use super::connections::open_finding;
use super::export::Export;
use super::keys::{Action, Scope};
use super::ladder_pane::{LadderPane, evidence_lines};
use super::menu::{Menu, MenuItem};
use super::reread::Reread;
use super::segments_pane::SegmentsPane;
use super::story;
use super::text_layout::{ListPosition, Pager, find, holds, scroll_bar};
use super::{
    KeyOutcome, PromptError, PromptInput, Screen, SeekResult, TextSeek, ViewContext, verdict_pane,
};
use crate::analysis::connection::{BriefRequest, Connection};
use crate::analysis::transcript::ConnectionTranscript;
use crate::base::format::duration;
use crate::base::format::number;
use crate::base::frame_ref::FrameNumber;
use crate::protocol::http::{Exchange, Outcome as Became};
use crate::report::filter::RequestMatcher;
use crate::report::rich_text::StyledLine;
use crate::report::snapshot::Snapshot;
use crate::report::wording::connection;
use crate::report::wording::segment::{how_far, request};
use crate::rules::Finding;

/// From this width on the verdict is drawn next to the other panes.
const SIDE_BY_SIDE: u16 = 130;
/// Width of the verdict in that layout, in percent.
const SHARE: u32 = 36;

/// The panes of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionPane {
    Ladder,
    Verdict,
    Exchanges,
    Bytes,
    Segments,
}

impl ConnectionPane {
    const ALL: [Self; 5] = [
        Self::Ladder,
        Self::Verdict,
        Self::Exchanges,
        Self::Bytes,
        Self::Segments,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Ladder => "Ladder",
            Self::Verdict => "Verdict",
            Self::Exchanges => "Exchanges",
            Self::Bytes => "Bytes",
            Self::Segments => "Segments",
        }
    }
}

/// The screen of one connection.
pub(super) struct ConnectionScreen {
    id: u32,
    part: ConnectionPane,
    reread: Reread,
    /// The frame to select once the segments are there.
    wanted: Option<FrameNumber>,
    /// The request to select once the segments are there.
    sought: Option<RequestMatcher>,
    ladder: LadderPane,
    verdict: Pager,
    /// What the verdict was rendered from.
    told_of: Option<(u64, bool)>,
    exchanges: ListPosition,
    bytes: BytesPane,
    segments: SegmentsPane,
    menu: Menu,
    export: Export,
    wide: bool,
    height: u16,
    tabs: Vec<(ConnectionPane, u16, u16)>,
}

impl ConnectionScreen {
    pub(super) fn new(id: u32, _cx: &ViewContext<'_>) -> Self {
        Self {
            id,
            part: ConnectionPane::Ladder,
            reread: Reread::of(id),
            wanted: None,
            sought: None,
            ladder: LadderPane::default(),
            verdict: Pager::default(),
            told_of: None,
            exchanges: ListPosition::default(),
            bytes: BytesPane::default(),
            segments: SegmentsPane::default(),
            menu: Menu::default(),
            export: Export::default(),
            wide: false,
            height: 0,
            tabs: Vec::new(),
        }
    }

    /// The screen at one of the connection's frames.
    pub(super) fn at(id: u32, frame: FrameNumber, cx: &ViewContext<'_>) -> Self {
        Self {
            wanted: Some(frame),
            ..Self::new(id, cx)
        }
    }

    /// The screen at the first of the connection's requests that was looked for.
    pub(super) fn at_request(id: u32, sought: RequestMatcher, cx: &ViewContext<'_>) -> Self {
        Self {
            sought: Some(sought),
            ..Self::new(id, cx)
        }
    }

    /// The connection's record: the one that came with the segments, else the snapshot's.
    fn record<'a>(&'a self, snapshot: &'a Snapshot) -> Option<&'a Connection> {
        let own = self.reread.transcript().map(|it| &it.connection);
        own.or_else(|| snapshot.connection(self.id))
    }

    /// Takes the segments that were reread, and shows the frame that the screen was opened at.
    fn load(&mut self, cx: &ViewContext<'_>) {
        if !self.reread.load(cx) {
            return;
        }
        let Some(reread) = self.reread.transcript() else {
            return;
        };
        self.ladder.take(reread);
        self.bytes.take();
        self.told_of = None;
        if let Some(sought) = self.sought.take() {
            let all = reread.connection.spoken();
            let is_found = |it: &&Exchange| sought.holds(&BriefRequest::of(it));
            if let Some(found) = all.iter().find(is_found)
                && let Some(frame) = first_frame(found)
            {
                self.ladder.show(frame, reread);
                self.segments.show(frame, reread);
            }
            self.exchanges.lay(all.len(), 1);
            let found = all.iter().position(|it| is_found(&it));
            self.exchanges.select(found.unwrap_or(0));
        }
        if let Some(frame) = self.wanted.take() {
            if reread.transcript.step_of(frame).is_some() {
                self.ladder.show(frame, reread);
                self.segments.show(frame, reread);
            } else {
                let frame = reread.frames.name(frame);
                let text = format!("{frame} is not among the segments that are shown");
                self.export.say(Tone::Warning, text);
            }
        }
    }

    /// Moves the focus to another pane. While the verdict is next to the others, it takes no focus of its own.
    fn turn(&mut self, by: usize) {
        let parts: Vec<ConnectionPane> = ConnectionPane::ALL
            .into_iter()
            .filter(|part| !self.wide || *part != ConnectionPane::Verdict)
            .collect();
        let at = parts
            .iter()
            .position(|part| *part == self.part)
            .unwrap_or(0);
        self.part = parts[(at + by) % parts.len()];
    }

    fn copy(&mut self, cx: &ViewContext<'_>) -> KeyOutcome {
        let Some(record) = self.record(cx.snapshot()) else {
            return KeyOutcome::Say("its record is still being read".to_owned());
        };
        let mut items = vec![MenuItem::new(
            "Wireshark filter",
            connection::filter(record),
        )];
        if let Some(reread) = self.reread.transcript() {
            items.push(MenuItem::new("ladder", self.ladder.to_text(reread, cx)));
        }
        items.push(MenuItem::new(
            "what happened",
            connection::story(record, &cx.snapshot().frames),
        ));
        for group in cx.model.groups_naming(self.id) {
            if let Some(finding) = cx.snapshot().findings.get(group.first) {
                items.push(MenuItem::new(finding.rule, story::markdown(group, cx)));
            }
        }
        self.menu.open(items);
        KeyOutcome::Done
    }

    fn left(&self, area: &Rect) -> (Rect, Option<Rect>) {
        let body = Rect {
            y: area.y + 1.min(area.height),
            height: area.height.saturating_sub(1),
            ..*area
        };
        if !self.wide {
            return (body, None);
        }
        let side = u16::try_from(u32::from(body.width) * SHARE / 100).unwrap_or(0);
        let left = Rect {
            width: body.width - side - 2,
            ..body
        };
        let right = Rect {
            x: left.right() + 2,
            width: side.saturating_sub(1),
            ..body
        };
        (left, Some(right))
    }
}

impl Screen for ConnectionScreen {
    fn name(&self, cx: &ViewContext<'_>) -> String {
        match cx.snapshot().connection_summary(self.id) {
            Some(summary) => format!(
                "#{} {} {} {}",
                self.id, summary.client, cx.look.glyphs.to, summary.server
            ),
            None => format!("#{}", self.id),
        }
    }

    fn scope(&self) -> Scope {
        match self.menu.is_open() {
            true => Scope::Menu,
            false => Scope::Connection,
        }
    }

    fn hint<'k>(&self, action: Action, usual: &'k str, cx: &ViewContext<'_>) -> Cow<'k, str> {
        let is_read = self.reread.transcript().is_some();
        let works = match action {
            Action::Open => {
                return match self.part {
                    _ if !is_read => "",
                    ConnectionPane::Ladder => self.ladder.unfolds(),
                    ConnectionPane::Exchanges | ConnectionPane::Segments => "ladder",
                    ConnectionPane::Verdict | ConnectionPane::Bytes => "",
                }
                .into();
            }
            Action::OtherLeg => other_leg(self.id, cx).is_some(),
            Action::Finding => !cx.model.naming.numbers(self.id).is_empty(),
            Action::Connections | Action::Times => is_read,
            _ => true,
        };
        if works { usual } else { "" }.into()
    }

    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect) {
        self.load(cx);
        self.wide = body.width >= SIDE_BY_SIDE;
        self.height = body.height;
        if self.wide && self.part == ConnectionPane::Verdict {
            self.part = ConnectionPane::Ladder;
        }
        let made = (cx.model.version, self.reread.transcript().is_some());
        if self.told_of != Some(made)
            && let Some(record) = self.record(cx.snapshot())
        {
            let findings: Vec<&Finding> =
                cx.model.naming.findings(cx.snapshot(), self.id).collect();
            let page = verdict_pane::page(record, &findings, cx);
            self.verdict.replace(page);
            self.told_of = Some(made);
        }
        let (left, right) = self.left(&body);
        self.verdict.lay(right.unwrap_or(left));
        if let Some(reread) = self.reread.transcript() {
            self.ladder.lay(left);
            self.bytes.lay(reread, left);
            self.segments.lay(reread, left);
            self.exchanges.lay(
                reread.connection.spoken().len(),
                usize::from(left.height.saturating_sub(1)),
            );
        }
        self.export.lay();
        let mut x = body.x + 1;
        self.tabs.clear();
        for part in ConnectionPane::ALL {
            if self.wide && part == ConnectionPane::Verdict {
                continue;
            }
            let wide = u16::try_from(self.tab(part).len()).unwrap_or(0);
            self.tabs.push((part, x, x + wide));
            x += wide + 1;
        }
    }

    fn act(&mut self, action: Action, cx: &ViewContext<'_>) -> KeyOutcome {
        self.export.acted();
        if let Some(outcome) = self.menu.act(action) {
            return outcome;
        }
        match action {
            Action::Next => {
                self.turn(1);
                return KeyOutcome::Done;
            }
            Action::Previous => {
                self.turn(ConnectionPane::ALL.len() - 1 - usize::from(self.wide));
                return KeyOutcome::Done;
            }
            Action::Copy => return self.copy(cx),
            Action::Finding => return open_finding(self.id, cx),
            Action::OtherLeg => return open_leg(self.id, cx),
            Action::Export => {
                let stem = format!("connection-{}", self.id);
                return self.export.ask(vec![self.id], &stem, cx);
            }
            _ => {}
        }
        let Some(reread) = self.reread.transcript().cloned() else {
            return match self.verdict.act(action) {
                true => KeyOutcome::Done,
                false => KeyOutcome::Ignored,
            };
        };
        let done = match self.part {
            ConnectionPane::Verdict => self.verdict.act(action),
            ConnectionPane::Ladder => self.ladder.act(action, &reread),
            ConnectionPane::Bytes => self.bytes.act(action),
            _ if action == Action::Connections => {
                self.part = ConnectionPane::Ladder;
                self.ladder.act(action, &reread)
            }
            ConnectionPane::Segments if action == Action::Open => {
                if let Some(frame) = self.segments.frame(&reread) {
                    self.ladder.show(frame, &reread);
                }
                self.part = ConnectionPane::Ladder;
                true
            }
            ConnectionPane::Segments => self.segments.act(action),
            ConnectionPane::Exchanges if action == Action::Open => {
                let exchange = reread.connection.spoken().get(self.exchanges.selected);
                if let Some(frame) = exchange.and_then(first_frame) {
                    self.ladder.show(frame, &reread);
                    self.part = ConnectionPane::Ladder;
                }
                true
            }
            ConnectionPane::Exchanges => self.exchanges.act(action),
        };
        match done {
            true => KeyOutcome::Done,
            false => KeyOutcome::Ignored,
        }
    }

    fn answered(&mut self, answer: PromptInput<'_>, cx: &ViewContext<'_>) -> KeyOutcome {
        self.export.answered(answer, cx)
    }

    fn complaint(&self) -> Option<PromptError> {
        self.export.complaint()
    }

    fn seek(&mut self, needle: &str, seek: TextSeek, _cx: &ViewContext<'_>) -> SeekResult {
        let Some(reread) = self.reread.transcript().cloned() else {
            return self.verdict.seek(needle, seek);
        };
        match self.part {
            ConnectionPane::Ladder => self.ladder.seek(needle, seek, &reread),
            ConnectionPane::Verdict => self.verdict.seek(needle, seek),
            ConnectionPane::Bytes => self.bytes.seek(needle, seek, &reread),
            ConnectionPane::Segments => self.segments.seek(needle, seek, &reread),
            ConnectionPane::Exchanges => {
                let all = reread.connection.spoken();
                let found = find(all.len(), self.exchanges.selected, seek, |nth| {
                    holds(&request(&all[nth]), needle)
                });
                self.exchanges.go_to(found)
            }
        }
    }

    fn click(&mut self, column: u16, row: u16, _cx: &ViewContext<'_>) -> KeyOutcome {
        if let Some(outcome) = self.menu.click(row, self.height) {
            return outcome;
        }
        if row == 0 {
            let hit = self
                .tabs
                .iter()
                .find(|(_, from, to)| (*from..*to).contains(&column));
            if let Some((part, ..)) = hit {
                self.part = *part;
            }
            return KeyOutcome::Done;
        }
        let row = row - 1;
        let done = match self.part {
            ConnectionPane::Ladder => self.ladder.click(row),
            ConnectionPane::Segments => self.segments.click(row),
            ConnectionPane::Bytes => self.bytes.click(row),
            ConnectionPane::Exchanges => {
                let at = (self.exchanges.top + usize::from(row)).checked_sub(1);
                at.is_some_and(|at| self.exchanges.select(at))
            }
            ConnectionPane::Verdict => false,
        };
        match done {
            true => KeyOutcome::Done,
            false => KeyOutcome::Ignored,
        }
    }

    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let look = cx.look;
        for (part, from, to) in &self.tabs {
            let tone = if *part == self.part {
                Tone::Here
            } else {
                Tone::Faint
            };
            let room = Rect {
                x: (*from).min(area.right()),
                width: (to - from).min(area.right().saturating_sub(*from)),
                height: 1.min(area.height),
                ..area
            };
            StyledLine::of(tone, self.tab(*part)).draw(look, room, buffer);
        }
        let (left, right) = self.left(&area);
        if let Some(right) = right {
            for y in right.top()..right.bottom() {
                buffer.set_stringn(
                    right.x - 1,
                    y,
                    look.glyphs.line,
                    1,
                    look.theme.style(Tone::Faint),
                );
            }
            let inner = Rect {
                x: right.x + 1,
                ..right
            };
            self.verdict.draw(look, inner, buffer);
        }
        match (self.reread.transcript(), self.part) {
            (_, ConnectionPane::Verdict) => self.verdict.draw(look, left, buffer),
            (Some(reread), ConnectionPane::Ladder) => {
                let evidence_lines =
                    evidence_lines(cx.model.naming.findings(cx.snapshot(), self.id));
                self.ladder.draw(cx, reread, &evidence_lines, left, buffer);
            }
            (Some(reread), ConnectionPane::Bytes) => self.bytes.draw(cx, reread, left, buffer),
            (Some(reread), ConnectionPane::Segments) => {
                self.segments.draw(cx, reread, left, buffer)
            }
            (Some(reread), ConnectionPane::Exchanges) => {
                self.draw_exchanges(cx, reread, left, buffer)
            }
            (None, _) => self.draw_without(cx, left, buffer),
        }
        self.export.draw(cx, area, buffer);
        self.menu.draw(look, area, buffer);
    }
}

impl ConnectionScreen {
    fn tab(&self, part: ConnectionPane) -> String {
        let many = match (part, self.reread.transcript()) {
            (ConnectionPane::Exchanges, Some(reread)) => reread.connection.spoken().len(),
            (ConnectionPane::Segments, Some(reread)) => reread.transcript.steps.len(),
            _ => 0,
        };
        match many {
            0 => format!(" {} ", part.name()),
            many => format!(" {} {} ", part.name(), number(many as u64)),
        }
    }

    /// Draws the reason why there are no segments, and the verdict.
    fn draw_without(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let line = self.reread.absence();
        let first = Rect {
            x: area.x + 1.min(area.width),
            width: area.width.saturating_sub(2),
            ..area
        };
        line.draw(cx.look, first, buffer);
        if !self.wide && area.height > 2 {
            let rest = Rect {
                y: area.y + 2,
                height: area.height - 2,
                ..area
            };
            self.verdict.draw(cx.look, rest, buffer);
        }
    }

    fn draw_exchanges(
        &self,
        cx: &ViewContext<'_>,
        reread: &ConnectionTranscript,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let look = cx.look;
        if area.is_empty() {
            return;
        }
        let all = reread.connection.spoken();
        let row = |y: u16| Rect {
            y,
            height: 1,
            width: area.width.saturating_sub(1),
            ..area
        };
        let target = usize::from(area.width).saturating_sub(66).clamp(12, 80);
        let streams = all.iter().any(|it| it.stream_id().is_some());
        let asked = if streams { "stream request" } else { "request" };
        let head = format!(
            "  {:>5}  {:<target$}  {:>6}  {:>18}  {:>10}  {}",
            "frame", asked, "status", "response", "waited", "became"
        );
        StyledLine::default()
            .faint(head)
            .draw(look, row(area.y), buffer);
        if all.is_empty() && area.height > 1 {
            StyledLine::default()
                .faint("  no request was seen on it")
                .draw(look, row(area.y + 1), buffer);
        }
        let ending = reread.connection.teardown.ending();
        for (y, nth) in (area.top() + 1..area.bottom()).zip(self.exchanges.top..) {
            let Some(exchange) = all.get(nth) else {
                break;
            };
            let frame = first_frame(exchange)
                .map_or_else(String::new, |it| cx.snapshot().frames.column(it));
            let status = exchange
                .status()
                .map_or_else(|| look.glyphs.dot.to_owned(), |it| it.to_string());
            let got = exchange
                .response
                .as_ref()
                .map_or_else(String::new, |it| how_far(&it.message));
            let waited = exchange.waited().map_or_else(String::new, duration);
            let became = exchange.outcome(ending);
            let tone = match became {
                Some(Became::Complete) => Tone::Good,
                Some(Became::Unfinished) | None => Tone::Faint,
                Some(_) => Tone::Error,
            };
            let name = became.map_or("cannot be told", Became::name);
            let asked = match exchange.stream_id() {
                Some(id) => format!("{id} {}", request(exchange)),
                None => request(exchange),
            };
            let asked = crate::base::escape::shortened(asked.as_bytes(), target).into_owned();
            let line = StyledLine::default()
                .faint(format!("  {frame:>5}  "))
                .plain(format!(
                    "{asked:<target$}  {status:>6}  {got:>18}  {waited:>10}  "
                ))
                .with(tone, name);
            line.draw(look, row(y), buffer);
            if nth == self.exchanges.selected {
                buffer.set_style(row(y), look.theme.style(Tone::Selected));
                buffer.set_stringn(
                    area.x,
                    y,
                    look.glyphs.cursor,
                    1,
                    look.theme.style(Tone::Key),
                );
            }
        }
        let rows = Rect {
            y: area.y + 1,
            height: area.height - 1,
            ..area
        };
        scroll_bar(all.len(), self.exchanges.top, look, rows, buffer);
    }
}

fn first_frame(exchange: &Exchange) -> Option<FrameNumber> {
    let request = exchange.request.as_ref().map(|it| it.message.first.frame);
    request.or_else(|| exchange.response.as_ref().map(|it| it.message.first.frame))
}

/// The connection for which a proxy made this one, or the last one that it made for this one.
fn other_leg(id: u32, cx: &ViewContext<'_>) -> Option<u32> {
    let legs = &cx.snapshot().legs;
    let before = legs.before_all(id).first().map(|it| it.client.connection);
    before.or_else(|| legs.behind_all(id).last().map(|it| it.upstream.connection))
}

fn open_leg(id: u32, cx: &ViewContext<'_>) -> KeyOutcome {
    match other_leg(id, cx) {
        Some(other) => KeyOutcome::Connection(other),
        None => KeyOutcome::Say(format!(
            "connection {id} is no leg of a proxy that was captured"
        )),
    }
}
