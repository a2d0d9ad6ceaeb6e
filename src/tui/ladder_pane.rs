//! The ladder: both lifelines, an arrow for each segment, and the states of RFC 9293 next to it where they change. The rows
//! are drawn as in a report (`report::ladder_rows`); here they have columns of fixed width, so that nothing moves while they
//! scroll, a cursor, and the numbers of the selected segment below.

use crate::report::rich_text::Tone;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text_layout::{ListPosition, holds, scroll_bar};
use super::times;
use super::{Action, Look, SeekResult, TextSeek, ViewContext};
use crate::analysis::connection::{Connection, Who};
use crate::analysis::transcript::{
    ConnectionTranscript, SegmentKind, TranscriptRow, TranscriptRows, TranscriptStep,
};
use crate::base::format::bytes;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Flags;
use crate::report::ladder_rows::{LadderColumns, LadderRow, SegmentRow, UNPROVEN, signs};
use crate::report::rich_text::StyledLine;
use crate::report::wording::segment::Detail;
use crate::report::wording::step;
use crate::rules::{Finding, Severity};

/// Width of a state's name, the longest being `SYN-RECEIVED`.
const STATE: usize = 12;
/// Width of the time at the left, if it is no time of day.
const TIME: u16 = 9;
/// Width of a frame number, if none needs more.
const FRAME: usize = 6;
/// Pane width from which on frame numbers are shown.
const WIDE: usize = 92;
/// Pane width from which on states are shown.
const STATES: usize = 60;
/// Columns between the lifelines, at least.
const ARROW: usize = 8;
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
    /// Steps whose runs are unfolded, because they were asked for.
    unfolded: Vec<usize>,
    /// The width that the frames' numbers need.
    frame: usize,
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
        let names = reread
            .transcript
            .steps
            .iter()
            .map(|it| reread.frames.column(it.frame).len());
        self.frame = names.max().unwrap_or(0).max(FRAME);
        for step in &self.unfolded {
            unfold(&mut self.segment_rows, *step);
        }
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
                self.unfolded.clear();
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

    /// What unfolding does to the rows: nothing where none is folded.
    pub(super) fn unfolds(&self) -> &'static str {
        let is_run = |row: &TranscriptRow| matches!(row, TranscriptRow::Run { .. });
        match self.whole {
            true => "fold",
            false if self.segment_rows.lines.iter().any(is_run) => "unfold",
            false => "",
        }
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

    /// Selects the row of a frame. A run that hides it is unfolded.
    pub(super) fn show(&mut self, frame: FrameNumber, reread: &ConnectionTranscript) {
        let Some(step) = reread.transcript.step_of(frame) else {
            return;
        };
        if unfold(&mut self.segment_rows, step) {
            self.unfolded.push(step);
            self.place.lay(self.segment_rows.lines.len(), 1);
        }
        if let Some(line) = self.segment_rows.line_of(step) {
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
        let columns = columns(TEXT_WIDTH, self.frame, cx.look);
        let rows = 0..self.segment_rows.lines.len().min(MOST_ROWS);
        let rows = rows.filter_map(|nth| self.row(nth, &[], cx, reread));
        let rows: Vec<LadderRow> = std::iter::once(head(reread, cx.look)).chain(rows).collect();
        let mut text = String::new();
        for row in &rows {
            text += columns.line(row).text().trim_end();
            text.push('\n');
        }
        for sign in signs(&rows, &columns.glyphs) {
            text += &sign;
            text.push('\n');
        }
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
        // The first column is the cursor's, the last the scroll bar's.
        let inner = Rect {
            x: area.x + 1.min(area.width),
            width: area.width.saturating_sub(2),
            height: 1.min(area.height),
            ..area
        };
        let columns = columns(inner.width, self.frame, cx.look);
        columns
            .line(&head(reread, cx.look))
            .draw(cx.look, inner, buffer);
        let rows = Rect {
            y: area.y + 1.min(area.height),
            height: area.height.saturating_sub(1 + DETAIL),
            ..area
        };
        for (y, nth) in (rows.top()..rows.bottom()).zip(self.place.top..) {
            let Some(row) = self.row(nth, evidence_lines, cx, reread) else {
                break;
            };
            let place = Rect { y, ..inner };
            columns.line(&row).draw(cx.look, place, buffer);
        }
        rows
    }

    /// A row, with its mark and time.
    fn row(
        &self,
        nth: usize,
        evidence_lines: &[EvidenceLine<'_>],
        cx: &ViewContext<'_>,
        reread: &ConnectionTranscript,
    ) -> Option<LadderRow> {
        let look = cx.look;
        let steps = &reread.transcript.steps;
        let mark = |steps: &[TranscriptStep]| {
            let severity = cited(evidence_lines, steps)?;
            Some((look.glyphs.sign(severity), severity.into()))
        };
        let row = self.segment_rows.lines.get(nth)?;
        if let TranscriptRow::Step(step) = row {
            let mut row = SegmentRow::of(reread, *step, Detail::default())?;
            let one = steps.get(*step)?;
            let before = step.checked_sub(1).and_then(|it| steps.get(it));
            row.mark = mark(std::slice::from_ref(one));
            row.time = look.times.cell(
                one.time,
                before.map(|it| it.time),
                reread.connection.first.time,
                times::places(reread),
                &cx.session.zone,
            );
            return Some(LadderRow::Segment(row));
        }
        let mut between = LadderColumns::row_between(&look.glyphs.ladder, row)?;
        if let (TranscriptRow::Run { first, last, .. }, LadderRow::Between { mark: own, .. }) =
            (row, &mut between)
        {
            *own = mark(steps.get(*first..=*last).unwrap_or_default());
        }
        Some(between)
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
        line = line.faint(format!("  {}", step.own_header(&reread.frames)));
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
                SegmentKind::Other => {
                    StyledLine::default().faint("other bytes came under these numbers before")
                }
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
        let line = match step.may_be_lost {
            true if line.0.is_empty() => StyledLine::default().faint(UNPROVEN),
            true => line.faint(format!("; {UNPROVEN}")),
            false => line,
        };
        if area.height > 1 {
            line.draw(look, row(1), buffer);
        }
    }
}

/// Replaces the folded run that holds a step by a row for each of its segments; returns whether there was one.
fn unfold(rows: &mut TranscriptRows, step: usize) -> bool {
    let Some(line) = rows.line_of(step) else {
        return false;
    };
    let Some(TranscriptRow::Run { first, last, .. }) = rows.lines.get(line).copied() else {
        return false;
    };
    rows.lines
        .splice(line..=line, (first..=last).map(TranscriptRow::Step));
    if let Some(close) = &mut rows.close
        && *close > line
    {
        *close += last - first;
    }
    true
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

/// The columns of a pane of this width, without those of the cursor and the scroll bar; `frame` is what frame numbers need.
fn columns(width: u16, frame: usize, look: &Look) -> LadderColumns {
    let width = usize::from(width);
    let state = if width < STATES { 0 } else { STATE };
    let mut columns = LadderColumns {
        glyphs: look.glyphs.ladder,
        measure: super::text_layout::width,
        frame: if width < WIDE { 0 } else { frame },
        time: usize::from(look.times.columns(TIME)),
        states: [state; 2],
        arrow: 0,
    };
    columns.arrow = width.saturating_sub(columns.taken()).max(ARROW);
    columns
}

/// The names of both ends, and of the times.
fn head(reread: &ConnectionTranscript, look: &Look) -> LadderRow {
    let connection = &reread.connection;
    LadderRow::Head {
        unit: look.times.heading().to_owned(),
        ends: [
            format!("client {}", connection.client),
            format!("server {}", connection.server),
        ],
    }
}
