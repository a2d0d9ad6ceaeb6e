//! The ladder: both lifelines, an arrow for each segment, and the states of RFC 9293 beside it where they change.
//!
//! In: a connection reread from its input, and which frames to mark. Out: lines of a given width. A report keeps the
//! beginning, the end and the evidence of a long ladder; `hangup ladder` shows all rows.
//!
//! ```text
//!   1   0.000  SYN-SENT  │── SYN ────────────────────▶│
//!   2   0.102            │◀──────────────── SYN-ACK ──│  SYN-RECEIVED
//!                        │┄┄┄┄┄ 5.0 s of silence ┄┄┄┄┄│
//! ✖ 6   5.329            │◀──────────────────── RST ──│  CLOSED
//! ```
//!
//! The times are relative to the connection's first segment, with as few digits as tell neighbours apart. A RST that a box
//! between the hosts sent in the name of one of them begins between the lifelines.

use std::time::Duration;

use super::rich_text::{StyledLine, Tone, sign};
use super::wording::segment::Detail;
use super::wording::step::{LONG_PAUSE, between, said};
use crate::analysis::connection::{Connection, How, ResetKind, Standing, State, Who};
use crate::analysis::transcript::{
    ConnectionTranscript, SegmentKind, TranscriptRow, TranscriptRows, TranscriptStep,
};
use crate::base::format::count;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Flags;
use crate::rules::Severity;

/// Rows of a ladder in a report.
pub(super) const REPORT_ROWS: usize = 14;
/// Rows kept at the beginning of a shortened ladder, and at its end.
const HEAD: usize = 3;
const TAIL: usize = 5;
/// Columns between the lifelines, at least.
const ARROW: usize = 16;

/// How a ladder is drawn.
#[derive(Clone, Debug)]
pub struct LadderOptions<'a> {
    /// Columns of a line.
    pub width: usize,
    /// Rows at most; more are folded.
    pub rows: Option<usize>,
    /// A row for each segment, where runs of data are folded otherwise.
    pub whole: bool,
    /// Below each segment its numbers, window, time to live and options.
    pub headers: bool,
    /// Frames to mark, each with a severity.
    pub marked: &'a [(FrameNumber, Severity)],
    /// What to leave out.
    pub omit: Detail,
    /// Leave out addresses and ports.
    pub hide_addresses: bool,
}

impl Default for LadderOptions<'_> {
    fn default() -> Self {
        Self {
            width: 80,
            rows: None,
            whole: false,
            headers: false,
            marked: &[],
            omit: Detail::default(),
            hide_addresses: false,
        }
    }
}

/// The ladder as text.
#[must_use]
pub fn ladder_text(reread: &ConnectionTranscript, options: &LadderOptions<'_>) -> String {
    let mut text = String::new();
    for line in lines(reread, options) {
        text += line.text().trim_end();
        text.push('\n');
    }
    text
}

/// The ladder, line by line.
pub(crate) fn lines(reread: &ConnectionTranscript, options: &LadderOptions<'_>) -> Vec<StyledLine> {
    let rows = TranscriptRows::new(&reread.transcript, &reread.connection, options.whole);
    let keeps = match options.rows {
        Some(most) => chosen(&rows, reread, options.marked, most),
        None => vec![true; rows.lines.len()],
    };
    let figure = Figure::new(reread, options, &rows, &keeps);
    let mut lines = vec![figure.head()];
    let mut left_out = 0;
    for (row, keep) in rows.lines.iter().zip(keeps) {
        if !keep {
            left_out += segments(row);
            continue;
        }
        lines.extend(figure.fold(&mut left_out));
        figure.row(row, &mut lines);
    }
    lines.extend(figure.fold(&mut left_out));
    lines
}

/// Which rows of a long ladder are kept: the beginning, the end, the marked ones, then heads and closing segments, the last
/// ones first.
fn chosen(
    rows: &TranscriptRows,
    reread: &ConnectionTranscript,
    marked: &[(FrameNumber, Severity)],
    most: usize,
) -> Vec<bool> {
    let all = rows.lines.len();
    if all <= most {
        return vec![true; all];
    }
    let step = |nth: usize| match rows.lines.get(nth) {
        Some(TranscriptRow::Step(step)) => reread.transcript.steps.get(*step),
        _ => None,
    };
    let is_marked = |nth: usize| {
        let frame = step(nth).map(|it| it.frame);
        marked.iter().any(|(it, _)| Some(*it) == frame) || rows.close == Some(nth)
    };
    let says = |nth: usize| {
        let control = Flags::SYN.with(Flags::FIN).with(Flags::RST);
        let of = |it: &TranscriptStep| {
            it.flags.0 & control.0 != 0 || reread.transcript.frame_notes(it).next().is_some()
        };
        step(nth).is_some_and(of) || matches!(rows.lines.get(nth), Some(TranscriptRow::Pause(_)))
    };
    let mut keeps: Vec<bool> = (0..all).map(|nth| nth < HEAD || is_marked(nth)).collect();
    // Marked rows are few, but nothing here bounds them.
    let mut kept = keeps.iter().filter(|keep| **keep).count();
    for tail in [true, false] {
        for nth in (0..all).rev() {
            let last = nth + TAIL >= all;
            if kept < most && !keeps[nth] && last == tail && (tail || says(nth)) {
                keeps[nth] = true;
                kept += 1;
            }
        }
    }
    // A fold of one row would take as much space as the row.
    for nth in 1..all.saturating_sub(1) {
        keeps[nth] |= keeps[nth - 1] && keeps[nth + 1];
    }
    keeps
}

/// The number of segments that a row stands for.
fn segments(row: &TranscriptRow) -> u64 {
    match row {
        TranscriptRow::Step(_) => 1,
        TranscriptRow::Run { first, last, .. } => (last - first + 1) as u64,
        TranscriptRow::Pause(_) => 0,
        TranscriptRow::LeftOut(many) => *many,
    }
}

/// The columns of a ladder.
struct Figure<'a> {
    reread: &'a ConnectionTranscript,
    options: &'a LadderOptions<'a>,
    clock: Clock,
    /// Widths: of frame numbers, of times, of the client's and of the server's states, and between the lifelines.
    frame: usize,
    time: usize,
    states: [usize; 2],
    arrow: usize,
}

impl<'a> Figure<'a> {
    fn new(
        reread: &'a ConnectionTranscript,
        options: &'a LadderOptions<'a>,
        rows: &TranscriptRows,
        keeps: &[bool],
    ) -> Self {
        let steps = &reread.transcript.steps;
        let shown = rows.lines.iter().zip(keeps).filter(|(_, keep)| **keep);
        let shown: Vec<usize> = shown
            .filter_map(|(row, _)| match row {
                TranscriptRow::Step(nth) if steps.get(*nth).is_some() => Some(*nth),
                _ => None,
            })
            .collect();
        let clock = Clock::new(reread, &shown);
        let widest = |of: &dyn Fn(&TranscriptStep) -> usize| {
            let each = shown.iter().filter_map(|nth| steps.get(*nth));
            each.map(of).max().unwrap_or(0)
        };
        let frame = widest(&|it| reread.frames.column(it.frame).chars().count());
        let time = widest(&|it| clock.at(it).len()).max(clock.unit.len());
        let states = Who::BOTH.map(|who| {
            let of = |nth: &usize| {
                let told = state(steps, *nth, who);
                told.map_or(0, |it| it.chars().count())
            };
            shown.iter().map(of).max().unwrap_or(0)
        });
        let taken = 2 + frame + 2 + time + 2 + states[0] + 1 + 2 + 1 + states[1];
        Self {
            reread,
            options,
            clock,
            frame,
            time,
            states,
            arrow: options.width.saturating_sub(taken).max(ARROW),
        }
    }

    /// `frame  ms  client 10.0.0.1:5000 … server 10.0.0.2:80`.
    fn head(&self) -> StyledLine {
        let connection = &self.reread.connection;
        let name = |side: &str, end: String| match self.options.hide_addresses {
            true => side.to_owned(),
            false => format!("{side} {end}"),
        };
        let client = name("client", connection.client.to_string());
        let server = name("server", connection.server.to_string());
        let before = self.before_line(String::new(), self.clock.unit.to_owned(), Tone::Faint);
        let room = self.states[0] + 1 + 2 + self.arrow + self.states[1] + 1;
        let between = room.saturating_sub(client.chars().count() + server.chars().count());
        before
            .with(Tone::Client, client)
            .plain(" ".repeat(between.max(2)))
            .with(Tone::Server, server)
    }

    /// Mark, frame number and time.
    fn before_line(&self, frame: String, time: String, tone: Tone) -> StyledLine {
        StyledLine::default().with(
            tone,
            format!("{frame:>0$}  {time:>1$}  ", self.frame + 2, self.time),
        )
    }

    fn row(&self, row: &TranscriptRow, lines: &mut Vec<StyledLine>) {
        let fill = match row {
            TranscriptRow::Step(nth) => return self.step(*nth, lines),
            TranscriptRow::Run { .. } => ":",
            TranscriptRow::Pause(pause) if *pause >= LONG_PAUSE => "═",
            TranscriptRow::Pause(_) => "┄",
            TranscriptRow::LeftOut(_) => "…",
        };
        lines.extend(between(row).map(|text| self.between(&text, fill)));
    }

    /// The line for rows that were left out.
    fn fold(&self, left_out: &mut u64) -> Option<StyledLine> {
        let many = std::mem::take(left_out);
        (many > 0).then(|| self.between(&count(many, "more segment", "more segments"), "…"))
    }

    /// A row between the lifelines that is not a segment.
    fn between(&self, text: &str, fill: &str) -> StyledLine {
        let room = self.arrow.saturating_sub(2);
        let text = format!(" {} ", cut(text, room.saturating_sub(2)));
        let side = room.saturating_sub(text.chars().count());
        let (left, right) = (side / 2, side - side / 2);
        self.before_line(String::new(), String::new(), Tone::Faint)
            .plain(" ".repeat(self.states[0] + 1))
            .with(Tone::Client, "│")
            .faint(format!(
                " {}{text}{} ",
                fill.repeat(left),
                fill.repeat(right)
            ))
            .with(Tone::Server, "│")
    }

    fn step(&self, nth: usize, lines: &mut Vec<StyledLine>) {
        let steps = &self.reread.transcript.steps;
        let Some(step) = steps.get(nth) else {
            return;
        };
        let marked = self.options.marked.iter();
        let mark = marked
            .filter(|(frame, _)| *frame == step.frame)
            .map(|(_, severity)| *severity)
            .max();
        let sign = mark.map_or(" ", sign);
        let line = StyledLine::default()
            .with(mark.map_or(Tone::Plain, Tone::from), sign)
            .faint(format!(
                " {:>2$}  {:>3$}  ",
                self.reread.frames.column(step.frame),
                self.clock.at(step),
                self.frame,
                self.time
            ));
        let standing = |who: Who| state(steps, nth, who).unwrap_or_default();
        let lifeline = |who: Who| {
            let standing = step.standings[who as usize];
            match matches!(standing, Standing::In(State::Closed) | Standing::Unseen) {
                true => "·",
                false => "│",
            }
        };
        let client = format!("{:<1$}", standing(Who::Client), self.states[0] + 1);
        let line = line
            .with(Tone::Client, client)
            .with(Tone::Client, lifeline(Who::Client));
        let line = self
            .arrow(step, line)
            .with(Tone::Server, lifeline(Who::Server));
        lines.push(line.with(Tone::Server, format!(" {}", standing(Who::Server))));
        if self.options.headers {
            let mut text = format!("seq {}", step.seq);
            if let Some(ack) = step.ack {
                text += &format!(" ack {ack}");
            }
            text += &format!(" len {} win {} {}", step.length, step.window, step.header);
            let before = self.before_line(String::new(), String::new(), Tone::Faint);
            lines.push(before.plain(" ".repeat(self.states[0] + 2)).faint(text));
        }
    }

    fn arrow(&self, step: &TranscriptStep, line: StyledLine) -> StyledLine {
        let connection = &self.reread.connection;
        let room = self.arrow;
        let ends = step.flags.has(Flags::RST) || step.flags.has(Flags::FIN);
        let tone = match (step.flags.has(Flags::RST), ends, step.kind) {
            (true, ..) => Tone::Error,
            (_, true, _) => Tone::Strong,
            (.., SegmentKind::Again | SegmentKind::Ahead(_) | SegmentKind::Probe) => Tone::Warning,
            (.., SegmentKind::Bare) if !step.flags.has(Flags::SYN) => Tone::Faint,
            _ => Tone::Plain,
        };
        let shaft = match step.kind {
            SegmentKind::Again => "┄",
            _ => "─",
        };
        // What a box between the hosts sent begins between the lifelines.
        let injected = is_injected(connection, step);
        let reach = if injected { room / 2 } else { room };
        let origin = if injected { "╳" } else { "" };
        let text = said(step, self.reread, self.options.omit);
        let text = cut(text.trim(), reach.saturating_sub(6 + origin.len().min(1)));
        let body = reach.saturating_sub(1 + text.chars().count() + 4 + usize::from(injected));
        let rest = " ".repeat(room - reach);
        match step.from {
            Who::Client => line
                .faint(rest)
                .with(tone, origin)
                .faint(shaft.repeat(2))
                .with(tone, format!(" {text} "))
                .faint(shaft.repeat(body))
                .with(tone, "▶"),
            Who::Server => line
                .with(tone, "◀")
                .faint(shaft.repeat(body))
                .with(tone, format!(" {text} "))
                .faint(shaft.repeat(2))
                .with(tone, origin)
                .faint(rest),
        }
    }
}

/// Whether this RST is not the work of the host that it names.
fn is_injected(connection: &Connection, step: &TranscriptStep) -> bool {
    let teardown = &connection.teardown;
    step.flags.has(Flags::RST)
        && teardown.how == How::Reset(ResetKind::Foreign)
        && teardown.frame == step.frame
}

/// The state of a side after a step, if it is another than before.
fn state(steps: &[TranscriptStep], nth: usize, who: Who) -> Option<String> {
    let at = who as usize;
    let now = steps.get(nth)?.standings[at];
    let before = nth.checked_sub(1).and_then(|it| steps.get(it));
    let before = before.map_or(Standing::Unseen, |it| it.standings[at]);
    (now != before).then(|| now.to_string())
}

fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(width.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

/// The unit of the times and their digits: as few as tell the shown segments apart.
struct Clock {
    start: crate::base::time::Timestamp,
    unit: &'static str,
    places: usize,
}

impl Clock {
    fn new(reread: &ConnectionTranscript, shown: &[usize]) -> Self {
        let steps = &reread.transcript.steps;
        let start = reread.connection.first.time;
        let times = shown.iter().filter_map(|nth| steps.get(*nth));
        let times: Vec<_> = times.map(|it| it.time).collect();
        let last = times.iter().map(|it| it.since(start)).max();
        let short = last.unwrap_or_default() < Duration::from_secs(1);
        let (unit, most, apart) = match short {
            true => ("ms", 3, Duration::from_micros(1)),
            false => ("s", 4, Duration::from_micros(100)),
        };
        let mut clock = Self {
            start,
            unit,
            places: if short { 1 } else { 3 },
        };
        let alike = |clock: &Self| {
            let mut pairs = times.windows(2);
            pairs.any(|pair| {
                let differ = pair[1].since(pair[0]) >= apart;
                differ && clock.text(pair[0]) == clock.text(pair[1])
            })
        };
        while clock.places < most && alike(&clock) {
            clock.places += 1;
        }
        clock
    }

    fn at(&self, step: &TranscriptStep) -> String {
        self.text(step.time)
    }

    fn text(&self, time: crate::base::time::Timestamp) -> String {
        let seconds = time.since(self.start).as_secs_f64();
        let amount = if self.unit == "ms" {
            seconds * 1e3
        } else {
            seconds
        };
        format!("{amount:.*}", self.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::transcript::tests::followed;

    fn drawn(ladder: &str, options: &LadderOptions<'_>) -> String {
        let (connection, transcript) = followed(ladder);
        let reread = ConnectionTranscript {
            connection,
            transcript,
            frames: std::sync::Arc::default(),
        };
        ladder_text(&reread, options)
    }

    const RACE: &str = "
        0.000 SYN -->
        0.010 <-- SYN
        0.0105 ACK -->
        0.020 GET /a/long/target/that/goes/on/and/on -->
        0.041 <-- FIN
        0.050 <-- 200 \"hello\"
        0.060 ACK -->";

    #[test]
    fn a_short_one_is_shown_whole_and_its_evidence_marked() {
        let marked = [(FrameNumber(5), Severity::Error)];
        let options = LadderOptions {
            marked: &marked,
            ..LadderOptions::default()
        };
        insta::assert_snapshot!(drawn(RACE, &options));
    }

    #[test]
    fn a_long_one_keeps_both_ends_and_what_is_marked() {
        let mut text = RACE.to_owned();
        for millis in 100..140 {
            text += &format!("\n0.{millis} data 100 -->\n0.{millis}5 <-- ACK");
        }
        text += "\n+12s <-- RST";
        let options = LadderOptions {
            rows: Some(REPORT_ROWS),
            ..LadderOptions::default()
        };
        let lines = drawn(&text, &options);
        insta::assert_snapshot!(lines);
        assert!(lines.lines().all(|it| it.chars().count() <= 80), "{lines}");
    }

    #[test]
    fn an_injected_reset_begins_between_the_hosts() {
        let text =
            "SYN -->\n+10ms <-- SYN\n+10ms GET / -->\n+10ms <-- ACK\n+10ms <-- RST [ttl=249]";
        let options = LadderOptions {
            headers: true,
            ..LadderOptions::default()
        };
        insta::assert_snapshot!(drawn(text, &options));
    }
}
