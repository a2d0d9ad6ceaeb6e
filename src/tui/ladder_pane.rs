//! The ladder: both lifelines, an arrow for each segment, and the states of RFC 9293 next to it where they change.
//!
//! ```text
//!    0.000  SYN-SENT     │── SYN ─────────────────────▶│
//!    0.010               │◀──────────────── SYN, ACK ──│  SYN-RECEIVED
//!            ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ 5.0 s ┄┄┄┄┄┄┄┄┄┄┄┄┄┄
//! ✖  5.012               │◀───────────────────── RST ──│  CLOSED
//! ```

use crate::report::rich_text::Tone;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text_layout::{ListPosition, holds, scroll_bar, width};
use super::times::{self, TimeStyle};
use super::{Action, Look, SeekResult, TextSeek, ViewContext};
use crate::analysis::connection::{Connection, Standing, State, Who};
use crate::analysis::transcript::{
    ConnectionTranscript, SegmentKind, TranscriptRow, TranscriptRows, TranscriptStep,
};
use crate::base::format::bytes;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Flags;
use crate::report::rich_text::StyledLine;
use crate::report::wording::segment::Detail;
use crate::report::wording::step;
use crate::rules::{Finding, Severity};

/// Width of a state's name, the longest being `SYN-RECEIVED`.
const STATE: u16 = 12;
/// Width of the time at the left, if it is no time of day.
const TIME: u16 = 9;
/// Width of a frame number.
const FRAME: u16 = 8;
/// Pane width from which on frame numbers are shown.
const WIDE: u16 = 92;
/// Limit of rows in a copied ladder; `TEXT_WIDTH` is its width.
const MOST_ROWS: usize = 2000;
const TEXT_WIDTH: u16 = 100;
/// Rows under the ladder with details of the selected segment.
const DETAIL: u16 = 2;

/// The ladder's rows, and the selected one.
#[derive(Default)]
pub(super) struct LadderPane {
    segment_rows: TranscriptRows,
    place: ListPosition,
    whole: bool,
    made: bool,
}

/// A frame that a finding cites as evidence, the finding's severity, and what the frame shows.
pub(super) type EvidenceLine<'a> = (FrameNumber, Severity, &'a str);

/// The evidence of all findings.
pub(super) fn evidence_lines<'a>(
    findings: impl Iterator<Item = &'a Finding>,
) -> Vec<EvidenceLine<'a>> {
    let each = findings.flat_map(|finding| {
        let evidence = finding.evidence.iter();
        evidence.map(|it| (it.frame_ref.frame, finding.severity, it.note.as_str()))
    });
    each.collect()
}

impl LadderPane {
    /// Rebuilds the rows for new segments and keeps the position.
    pub(super) fn take(&mut self, reread: &ConnectionTranscript) {
        let first = !self.made;
        self.segment_rows = TranscriptRows::new(&reread.transcript, &reread.connection, self.whole);
        self.place.lay(self.segment_rows.lines.len(), 1);
        self.made = true;
        if first && let Some(close) = self.segment_rows.close {
            // The first time, select the close: it is what users look for.
            self.place.select(close);
        }
    }

    pub(super) fn lay(&mut self, area: Rect) {
        let height = area.height.saturating_sub(1 + DETAIL);
        self.place
            .lay(self.segment_rows.lines.len(), usize::from(height));
    }

    pub(super) fn act(&mut self, action: Action, reread: &ConnectionTranscript) -> bool {
        match action {
            Action::Connections => {
                self.place.select(self.segment_rows.close.unwrap_or(0));
                true
            }
            Action::Open => {
                // Keep the selected step; of a folded run, its first segment.
                let step = self.step();
                self.whole = !self.whole;
                self.take(reread);
                let line = step.and_then(|step| self.segment_rows.line_of(step));
                self.place.select(line.unwrap_or(0));
                true
            }
            action => self.place.act(action),
        }
    }

    /// Handles a cursor motion where nothing can be unfolded.
    pub(super) fn act_alone(&mut self, action: Action) -> bool {
        self.place.act(action)
    }

    /// The selected frame; of a folded run, its first.
    pub(super) fn frame(&self, reread: &ConnectionTranscript) -> Option<FrameNumber> {
        let step = self.step().and_then(|it| reread.transcript.steps.get(it))?;
        Some(step.frame)
    }

    /// Index of the selected step; of a folded run, its first.
    fn step(&self) -> Option<usize> {
        match self.segment_rows.lines.get(self.place.selected)? {
            TranscriptRow::Step(nth) => Some(*nth),
            TranscriptRow::Run { first, .. } => Some(*first),
            TranscriptRow::Pause(_) | TranscriptRow::LeftOut(_) => None,
        }
    }

    /// Selects the row of a frame.
    pub(super) fn show(&mut self, frame: FrameNumber, reread: &ConnectionTranscript) {
        let step = reread.transcript.step_of(frame);
        let line = step.and_then(|step| self.segment_rows.line_of(step));
        if let Some(line) = line {
            self.place.select(line);
        }
    }

    pub(super) fn click(&mut self, row: u16) -> bool {
        let at = (self.place.top + usize::from(row)).checked_sub(1);
        at.is_some_and(|at| self.place.select(at))
    }

    pub(super) fn seek(
        &mut self,
        needle: &str,
        seek: TextSeek,
        reread: &ConnectionTranscript,
    ) -> SeekResult {
        let lines = &self.segment_rows.lines;
        let found = super::text_layout::find(lines.len(), self.place.selected, seek, |nth| {
            match lines[nth] {
                TranscriptRow::Step(step) => reread
                    .transcript
                    .steps
                    .get(step)
                    .is_some_and(|step| holds(&said(step, reread), needle)),
                _ => false,
            }
        });
        self.place.go_to(found)
    }

    /// The whole ladder as text.
    pub(super) fn to_text(&self, reread: &ConnectionTranscript, cx: &ViewContext<'_>) -> String {
        let rows = u16::try_from(self.segment_rows.lines.len().min(MOST_ROWS)).unwrap_or(u16::MAX);
        let area = Rect::new(0, 0, TEXT_WIDTH, rows + 1 + DETAIL);
        let mut whole = Self {
            segment_rows: self.segment_rows.clone(),
            ..Self::default()
        };
        whole
            .place
            .lay(self.segment_rows.lines.len(), usize::from(rows));
        let mut buffer = Buffer::empty(area);
        whole.draw_rows(&[], cx, reread, area, &mut buffer);
        let lines = (0..=rows).map(|y| {
            let cells = (0..area.width).filter_map(|x| Some(buffer.cell((x, y))?.symbol()));
            cells.collect::<String>().trim_end().to_owned()
        });
        let mut text = lines.collect::<Vec<_>>().join("\n");
        text.push('\n');
        text
    }

    pub(super) fn draw(
        &self,
        cx: &ViewContext<'_>,
        reread: &ConnectionTranscript,
        evidence_lines: &[EvidenceLine<'_>],
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let look = cx.look;
        let rows = self.draw_rows(evidence_lines, cx, reread, area, buffer);
        let selected = self.place.selected.checked_sub(self.place.top);
        if let Some(y) = selected.and_then(|it| u16::try_from(it).ok())
            && y < rows.height
            && !self.segment_rows.lines.is_empty()
        {
            let row = Rect {
                y: rows.y + y,
                height: 1,
                ..rows
            };
            let inner = Rect {
                width: row.width.saturating_sub(1),
                ..row
            };
            buffer.set_style(inner, look.theme.style(Tone::Selected));
            buffer.set_stringn(
                row.x,
                row.y,
                look.glyphs.cursor,
                1,
                look.theme.style(Tone::Key),
            );
        }
        scroll_bar(
            self.segment_rows.lines.len(),
            self.place.top,
            look,
            rows,
            buffer,
        );
        let detail = Rect {
            y: rows.bottom(),
            height: area.bottom() - rows.bottom(),
            ..area
        };
        self.draw_detail(reread, evidence_lines, look, detail, buffer);
    }

    /// Draws the visible rows and returns the area that they occupy.
    fn draw_rows(
        &self,
        evidence_lines: &[EvidenceLine<'_>],
        cx: &ViewContext<'_>,
        reread: &ConnectionTranscript,
        area: Rect,
        buffer: &mut Buffer,
    ) -> Rect {
        let look = cx.look;
        let columns = LadderColumns::of(area, look.times);
        columns.draw_head(reread, look, area, buffer);
        let rows = Rect {
            y: area.y + 1.min(area.height),
            height: area.height.saturating_sub(1 + DETAIL),
            ..area
        };
        let start = reread.connection.first.time;
        let places = times::places(reread);
        for (y, nth) in (rows.top()..rows.bottom()).zip(self.place.top..) {
            let Some(segment_row) = self.segment_rows.lines.get(nth) else {
                break;
            };
            let row = Rect {
                y,
                height: 1,
                ..rows
            };
            match segment_row {
                TranscriptRow::Step(step) => {
                    let Some(one) = reread.transcript.steps.get(*step) else {
                        continue;
                    };
                    let before = step
                        .checked_sub(1)
                        .and_then(|it| reread.transcript.steps.get(it));
                    let sign = cited(evidence_lines, std::slice::from_ref(one));
                    let earlier = before.map(|it| it.time);
                    let zone = &cx.session.zone;
                    let time = look.times.cell(one.time, earlier, start, places, zone);
                    let drawing = LadderDrawing {
                        step: one,
                        before,
                        sign,
                        is_close: self.segment_rows.close == Some(nth),
                        time,
                    };
                    columns.draw_step(&drawing, reread, look, row, buffer);
                }
                other => {
                    let glyphs = &look.glyphs;
                    let fill = match other {
                        TranscriptRow::Pause(pause) => {
                            glyphs.gaps[usize::from(*pause >= step::LONG_PAUSE)]
                        }
                        TranscriptRow::LeftOut(_) => glyphs.more,
                        _ => ":",
                    };
                    let text = step::between(other).unwrap_or_default();
                    columns.draw_between(&text, fill, look, row, buffer);
                    let TranscriptRow::Run { first, last, .. } = other else {
                        continue;
                    };
                    let steps = reread.transcript.steps.get(*first..=*last);
                    if let Some(severity) = cited(evidence_lines, steps.unwrap_or_default()) {
                        let style = look.theme.style(severity.into());
                        let sign = look.glyphs.sign(severity);
                        buffer.set_stringn(row.x + 1, row.y, sign, 1, style);
                    }
                }
            }
        }
        rows
    }

    /// Draws the selected segment's numbers, and the evidence it gives.
    fn draw_detail(
        &self,
        reread: &ConnectionTranscript,
        evidence_lines: &[EvidenceLine<'_>],
        look: &Look,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        if area.is_empty() {
            return;
        }
        let row = |nth: u16| Rect {
            x: area.x + 1,
            y: area.y + nth,
            width: area.width.saturating_sub(2),
            height: 1,
        };
        let Some(step) = self.step().and_then(|it| reread.transcript.steps.get(it)) else {
            return;
        };
        let from = if step.from == Who::Client {
            Tone::Client
        } else {
            Tone::Server
        };
        let mut line = StyledLine::default()
            .strong(reread.frames.name(step.frame))
            .plain("  ");
        line = line
            .with(from, flags(step.flags))
            .faint(format!("  seq {}", step.seq));
        if let Some(ack) = step.ack {
            line = line.faint(format!(" ack {ack}"));
        }
        line = line.faint(format!(" len {} win {}", step.length, step.window));
        line = line.faint(format!("  {}", step.header));
        if let Some(close) = close_of(&reread.connection, step) {
            line = line.plain("  ").strong(close);
        }
        line.draw(look, row(0), buffer);
        let mut shown = evidence_lines.iter().filter(|it| it.0 == step.frame);
        let line = match shown.next() {
            Some((_, severity, note)) => StyledLine::of(
                (*severity).into(),
                format!("{} {note}", look.glyphs.sign(*severity)),
            ),
            None => match step.kind {
                SegmentKind::Again => StyledLine::default().faint(match step.before {
                    Some(before) => format!(
                        "sent before, in {}: the sender did not see it acknowledged",
                        reread.frames.name(before)
                    ),
                    None => "sent before: the sender did not see it acknowledged".to_owned(),
                }),
                SegmentKind::Ahead(hole) => StyledLine::default().faint(format!(
                    "{} before it are missing here: lost, late, or not captured",
                    bytes(hole)
                )),
                SegmentKind::Fill => StyledLine::default().faint("fills a hole"),
                SegmentKind::Probe => {
                    StyledLine::default().faint("keep-alive probe: is the other side still there?")
                }
                // The row in the ladder may have truncated it.
                SegmentKind::New if step.length > 0 => {
                    StyledLine::default().faint(said(step, reread))
                }
                SegmentKind::Bare | SegmentKind::New => StyledLine::default(),
            },
        };
        if area.height > 1 {
            line.draw(look, row(1), buffer);
        }
    }
}

/// The severity of the worst finding that cites one of these segments.
fn cited(evidence_lines: &[EvidenceLine<'_>], steps: &[TranscriptStep]) -> Option<Severity> {
    let of = |line: &&EvidenceLine<'_>| steps.iter().any(|step| step.frame == line.0);
    evidence_lines.iter().filter(of).map(|it| it.1).max()
}

/// The text for the step that ended the connection.
fn close_of(connection: &Connection, step: &TranscriptStep) -> Option<&'static str> {
    let teardown = &connection.teardown;
    let closes = step.flags.has(Flags::FIN) || step.flags.has(Flags::RST);
    (teardown.frame == step.frame && closes).then_some("the end begins here")
}

/// `SYN, ACK`.
pub(super) fn flags(flags: Flags) -> String {
    let names = [
        (Flags::SYN, "SYN"),
        (Flags::FIN, "FIN"),
        (Flags::RST, "RST"),
        (Flags::PSH, "PSH"),
        (Flags::ACK, "ACK"),
        (Flags::URG, "URG"),
        (Flags::ECE, "ECE"),
        (Flags::CWR, "CWR"),
    ];
    let set: Vec<_> = names
        .iter()
        .filter(|(flag, _)| flags.has(*flag))
        .map(|(_, name)| *name)
        .collect();
    match set.is_empty() {
        true => "no flags".to_owned(),
        false => set.join(" "),
    }
}

/// Describes a segment.
pub(super) fn said(step: &TranscriptStep, reread: &ConnectionTranscript) -> String {
    step::said(step, reread, Detail::default())
}

/// The column of each part of a row.
struct LadderColumns {
    times: TimeStyle,
    time: u16,
    frame: Option<u16>,
    states: [u16; 2],
    lines: [u16; 2],
}

struct LadderDrawing<'a> {
    step: &'a TranscriptStep,
    before: Option<&'a TranscriptStep>,
    sign: Option<Severity>,
    is_close: bool,
    time: String,
}

impl LadderColumns {
    fn of(area: Rect, times: TimeStyle) -> Self {
        let wide = times.columns(TIME);
        // Cursor, severity symbol, then the time.
        let time = area.x + 2;
        let frame = (area.width >= WIDE).then_some(time + wide + 1);
        let narrow = area.width < 60;
        let state = if narrow { 0 } else { STATE };
        let first = frame.map_or(time + wide, |frame| frame + FRAME) + 1;
        let left = first + state + u16::from(!narrow);
        let right = area.right().saturating_sub(state + 4).max(left + 4);
        Self {
            times,
            time,
            frame,
            states: [first, right + 2],
            lines: [left, right],
        }
    }

    fn draw_head(
        &self,
        reread: &ConnectionTranscript,
        look: &Look,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let connection = &reread.connection;
        let client = StyledLine::of(Tone::Client, format!("client {}", connection.client));
        let server = StyledLine::of(Tone::Server, format!("server {}", connection.server));
        let wide = usize::from(self.times.columns(TIME));
        let heading = format!("{:>wide$}", self.times.heading());
        let time = Rect {
            x: self.time.min(area.right()),
            width: self
                .times
                .columns(TIME)
                .min(area.right().saturating_sub(self.time)),
            height: 1.min(area.height),
            ..area
        };
        StyledLine::default()
            .faint(heading)
            .draw(look, time, buffer);
        let from = self.states[0].min(area.right());
        let room = Rect {
            x: from,
            width: area.right().saturating_sub(from + 1),
            height: 1.min(area.height),
            ..area
        };
        client.draw(look, room, buffer);
        server.draw_right(look, room, buffer);
    }

    fn draw_step(
        &self,
        drawing: &LadderDrawing<'_>,
        reread: &ConnectionTranscript,
        look: &Look,
        row: Rect,
        buffer: &mut Buffer,
    ) {
        let (step, y) = (drawing.step, row.y);
        let wide = self.times.columns(TIME);
        let right = row.right().saturating_sub(1);
        let style = |tone| look.theme.style(tone);
        let mut put = |x: u16, room: u16, text: &str, tone: Tone| {
            if x < right {
                buffer.set_stringn(x, y, text, usize::from(room.min(right - x)), style(tone));
            }
        };
        if let Some(severity) = drawing.sign {
            put(row.x + 1, 1, look.glyphs.sign(severity), severity.into());
        }
        put(
            self.time,
            wide,
            &format!("{:>w$}", drawing.time, w = usize::from(wide)),
            Tone::Faint,
        );
        if let Some(frame) = self.frame {
            put(
                frame,
                FRAME,
                &format!(
                    "{:>w$}",
                    reread.frames.column(step.frame),
                    w = usize::from(FRAME) - 1
                ),
                Tone::Faint,
            );
        }
        for who in Who::BOTH {
            let at = who as usize;
            let standing = step.standings[at];
            let before = drawing
                .before
                .map_or(Standing::Unseen, |it| it.standings[at]);
            let live = !matches!(standing, Standing::In(State::Closed) | Standing::Unseen);
            let sign = if live {
                look.glyphs.line
            } else {
                look.glyphs.dot
            };
            let tone = if who == Who::Client {
                Tone::Client
            } else {
                Tone::Server
            };
            put(self.lines[at], 1, sign, tone);
            if standing != before && self.lines[0] > self.states[0] {
                put(self.states[at], STATE, &standing.to_string(), tone);
            }
        }
        let from = self.lines[0] + 1;
        let room = self.lines[1].saturating_sub(from);
        let said = said(step, reread);
        let ends = step.flags.has(Flags::RST) || step.flags.has(Flags::FIN);
        let tone = match (
            drawing.is_close && ends,
            step.flags.has(Flags::RST),
            step.kind,
        ) {
            (true, true, _) => Tone::Error,
            (true, false, _) => Tone::Strong,
            (_, _, SegmentKind::Again | SegmentKind::Ahead(_) | SegmentKind::Probe) => {
                Tone::Warning
            }
            (_, _, SegmentKind::Bare) if !ends => Tone::Faint,
            _ => Tone::Plain,
        };
        self.draw_arrow(step, &said, tone, from, room, look, row, buffer);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a place, a text, and what to draw with"
    )]
    fn draw_arrow(
        &self,
        step: &TranscriptStep,
        said: &str,
        tone: Tone,
        from: u16,
        room: u16,
        look: &Look,
        row: Rect,
        buffer: &mut Buffer,
    ) {
        let [head_left, shaft, head_right] = look.glyphs.arrow;
        let again = step.kind == SegmentKind::Again;
        let shaft = if again { look.glyphs.ceiling } else { shaft };
        let faint = look.theme.style(Tone::Faint);
        let body = usize::from(room.saturating_sub(1));
        if body < 4 {
            return;
        }
        let right = step.from == Who::Client;
        let (line_from, head) = if right {
            (from, from + room - 1)
        } else {
            (from + 1, from)
        };
        buffer.set_stringn(line_from, row.y, shaft.repeat(body), body, faint);
        let sign = if right { head_right } else { head_left };
        buffer.set_stringn(head, row.y, sign, 1, look.theme.style(tone));
        let line = StyledLine::of(tone, format!(" {} ", said.trim()));
        let wide = line.columns().min(body - 3);
        let x = match right {
            true => from + 2,
            false => from + room - 2 - u16::try_from(wide).unwrap_or(0),
        };
        let place = Rect {
            x,
            y: row.y,
            width: u16::try_from(wide).unwrap_or(0),
            height: 1,
        };
        line.draw(look, place, buffer);
    }

    /// Draws a row between the lifelines that is not a segment, such as a pause.
    fn draw_between(&self, text: &str, fill: &str, look: &Look, row: Rect, buffer: &mut Buffer) {
        for (at, tone) in self.lines.iter().zip([Tone::Client, Tone::Server]) {
            if *at < row.right() {
                buffer.set_stringn(*at, row.y, look.glyphs.line, 1, look.theme.style(tone));
            }
        }
        let from = self.lines[0] + 2;
        let room = usize::from(self.lines[1].saturating_sub(from + 1));
        let text = format!(" {text} ");
        let side = room.saturating_sub(width(&text)) / 2;
        let line = format!("{}{text}{}", fill.repeat(side), fill.repeat(side));
        let place = Rect {
            x: from,
            y: row.y,
            width: u16::try_from(room).unwrap_or(0),
            height: 1,
        };
        StyledLine::default().faint(line).draw(look, place, buffer);
    }
}
