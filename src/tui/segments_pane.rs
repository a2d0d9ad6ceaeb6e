//! Every segment in a table, without folding.

use crate::report::rich_text::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ladder_pane::{flags, said};
use super::text_layout::{ListPosition, find, holds, scroll_bar};
use super::{Action, SeekResult, TextSeek, ViewContext};
use crate::analysis::connection::Who;
use crate::analysis::transcript::{ConnectionTranscript, SegmentKind, TranscriptStep};
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Flags;
use crate::report::rich_text::StyledLine;

/// From this width on there is space for the receive window.
const WIDE: u16 = 100;
/// Columns from which the IP identification is shown too.
const WIDER: u16 = 120;

/// Width of the time, if it is no time of day.
const TIME: u16 = 10;
/// Decimal places of the time: as captures have it.
const PLACES: usize = 6;

/// The table's position.
#[derive(Default)]
pub(super) struct SegmentsPane {
    place: ListPosition,
}

impl SegmentsPane {
    pub(super) fn lay(&mut self, reread: &ConnectionTranscript, area: Rect) {
        let height = usize::from(area.height.saturating_sub(1));
        self.place.lay(reread.transcript.steps.len(), height);
    }

    pub(super) fn act(&mut self, action: Action) -> bool {
        self.place.act(action)
    }

    /// The selected frame.
    pub(super) fn frame(&self, reread: &ConnectionTranscript) -> Option<FrameNumber> {
        reread
            .transcript
            .steps
            .get(self.place.selected)
            .map(|it| it.frame)
    }

    /// Selects the row of a frame.
    pub(super) fn show(&mut self, frame: FrameNumber, reread: &ConnectionTranscript) {
        if let Some(step) = reread.transcript.step_of(frame) {
            self.place.lay(reread.transcript.steps.len(), 1);
            self.place.select(step);
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
        let steps = &reread.transcript.steps;
        let found = find(steps.len(), self.place.selected, seek, |nth| {
            holds(&text(&steps[nth], reread), needle)
        });
        self.place.go_to(found)
    }

    pub(super) fn draw(
        &self,
        cx: &ViewContext<'_>,
        reread: &ConnectionTranscript,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let look = cx.look;
        let wide = area.width >= WIDE;
        let time = usize::from(look.times.columns(TIME));
        let mut head = format!(
            "  {:>7} {:>time$}  {:<9} {:>8} {:>8} {:>6}",
            "frame",
            look.times.heading(),
            "flags",
            "seq",
            "ack",
            "len"
        );
        if wide {
            head += &format!(" {:>9} {:>3}", "window", "ttl");
        }
        let wider = area.width >= WIDER;
        if wider {
            head += &format!(" {:>6}", "ip id");
        }
        head += "  what";
        let row = |y: u16| Rect {
            y,
            height: 1,
            width: area.width.saturating_sub(1),
            ..area
        };
        if area.is_empty() {
            return;
        }
        StyledLine::default()
            .faint(head)
            .draw(look, row(area.y), buffer);
        let start = reread.connection.first.time;
        for (y, nth) in (area.top() + 1..area.bottom()).zip(self.place.top..) {
            let Some(step) = reread.transcript.steps.get(nth) else {
                break;
            };
            let (tone, arrow) = match step.from {
                Who::Client => (Tone::Client, look.glyphs.ladder.arrow[2]),
                Who::Server => (Tone::Server, look.glyphs.ladder.arrow[0]),
            };
            let odd = matches!(
                step.kind,
                SegmentKind::Again
                    | SegmentKind::Other
                    | SegmentKind::Ahead(_)
                    | SegmentKind::Fill
                    | SegmentKind::Probe
            );
            let earlier = nth
                .checked_sub(1)
                .and_then(|it| reread.transcript.steps.get(it));
            let earlier = earlier.map(|it| it.time);
            let zone = &cx.session.zone;
            let at = look.times.cell(step.time, earlier, start, PLACES, zone);
            let mut line = StyledLine::default()
                .plain(format!(
                    "  {:>7} {at:>time$}  ",
                    reread.frames.column(step.frame),
                ))
                .with(tone, format!("{arrow} {:<7}", short(step.flags)))
                .plain(format!(
                    " {:>8} {:>8} {:>6}",
                    step.seq,
                    step.ack.map_or_else(String::new, |ack| ack.to_string()),
                    step.length,
                ));
            if wide {
                let ttl = reread.frames.own_ttl(step.frame, step.header.ttl);
                line = line.plain(format!(" {:>9} {ttl:>3}", step.window));
            }
            if wider {
                let id = step
                    .header
                    .ip_id
                    .map_or_else(String::new, |id| format!("{id:#06x}"));
                line = line.plain(format!(" {id:>6}"));
            }
            let line = line.with(
                if odd { Tone::Warning } else { Tone::Faint },
                format!("  {}", said(step, reread)),
            );
            line.draw(look, row(y), buffer);
            if nth == self.place.selected {
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
        scroll_bar(
            reread.transcript.steps.len(),
            self.place.top,
            look,
            rows,
            buffer,
        );
    }
}

/// The flags as letters in wire order, `.` for ACK, as tcpdump prints them.
fn short(flags: Flags) -> String {
    let letters = [
        (Flags::SYN, 'S'),
        (Flags::FIN, 'F'),
        (Flags::RST, 'R'),
        (Flags::PSH, 'P'),
        (Flags::ACK, '.'),
        (Flags::URG, 'U'),
        (Flags::ECE, 'E'),
        (Flags::CWR, 'W'),
    ];
    letters
        .iter()
        .filter(|(flag, _)| flags.has(*flag))
        .map(|(_, letter)| letter)
        .collect()
}

fn text(step: &TranscriptStep, reread: &ConnectionTranscript) -> String {
    format!(
        "{} {} {}",
        step.frame.0,
        flags(step.flags),
        said(step, reread)
    )
}
