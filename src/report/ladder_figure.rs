//! The ladder: both lifelines, an arrow for each segment, and the states of RFC 9293 beside it where they change.
//!
//! In: a connection reread from its input, and which frames to mark. Out: lines of a given width. A report keeps the
//! evidence, with the row before and the one after it; `hangup ladder` shows all rows.
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

use super::ladder_rows::{
    LadderColumns, LadderGlyphs, LadderRow, Mark, SegmentRow, characters, signs,
};
use super::rich_text::{StyledLine, Tone, sign};
use super::wording::segment::Detail;
use crate::analysis::connection::Who;
use crate::analysis::transcript::{
    ConnectionTranscript, SegmentKind, TranscriptRow, TranscriptRows,
};
use crate::base::format::count;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::rules::{Evidence, ProxyRole, Severity};

/// Rows of a ladder in a report, at most.
pub(super) const REPORT_ROWS: usize = 10;
/// Rows of a ladder that is not worth shortening.
const SHORT: usize = 4;
/// How a ladder is drawn.
#[derive(Clone, Debug)]
pub struct LadderOptions<'a> {
    /// Columns of a line.
    pub width: usize,
    /// Only the evidence with the row before and the one after it, and so many rows at most.
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
    /// Frames of other connections that belong to the story, with what they show, in order of time.
    pub beside: &'a [Evidence],
    /// The side that is a proxy.
    pub proxy: ProxyRole,
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
            beside: &[],
            proxy: ProxyRole::None,
        }
    }
}

/// What the marks of these severities mean, worst first.
pub(super) fn legend(severities: impl IntoIterator<Item = Severity>) -> Option<String> {
    let mut marks: Vec<Severity> = severities.into_iter().collect();
    marks.sort_unstable_by_key(|it| std::cmp::Reverse(*it));
    marks.dedup();
    let told = marks.iter().enumerate().map(|(nth, it)| {
        let article = if *it == Severity::Error { "an" } else { "a" };
        let what_of = if nth == 0 { "evidence of" } else { "of" };
        let what = match it {
            Severity::Benign => "harmless finding",
            it => it.name(),
        };
        format!("{} {what_of} {article} {what}", sign(*it))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join(", "))
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

/// The ladder, line by line, with what its signs mean.
pub(crate) fn lines(reread: &ConnectionTranscript, options: &LadderOptions<'_>) -> Vec<StyledLine> {
    let DrawnLadder {
        mut lines, signs, ..
    } = drawn(reread, options);
    lines.extend(below(&signs, options.width));
    lines
}

/// The lines below a ladder: as many parts in each as there is room for.
pub(super) fn below(parts: &[String], width: usize) -> Vec<StyledLine> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if characters(line) + 2 + characters(part) <= width => {
                *line += "; ";
                *line += part;
            }
            _ => lines.push(part.clone()),
        }
    }
    let faint = lines.into_iter().map(|it| StyledLine::of(Tone::Faint, it));
    faint.collect()
}

/// A ladder, and what it shows.
#[derive(Default)]
pub(super) struct DrawnLadder {
    pub(super) lines: Vec<StyledLine>,
    /// What its signs mean, those of severities excepted.
    pub(super) signs: Vec<String>,
    /// The frames that have a row of their own.
    pub(super) frames: Vec<FrameNumber>,
    /// Segments that it leaves out without a row that says so: acknowledgements, and what comes before the first row and after
    /// the last one.
    pub(super) left_out: u64,
}

/// The same, with what it shows.
pub(super) fn drawn(reread: &ConnectionTranscript, options: &LadderOptions<'_>) -> DrawnLadder {
    let rows = TranscriptRows::new(&reread.transcript, &reread.connection, options.whole);
    let mut hidden = vec![false; rows.lines.len()];
    let mut keeps = vec![true; rows.lines.len()];
    if let Some(most) = options.rows.filter(|_| rows.lines.len() > SHORT) {
        hidden = acknowledgements(&rows, reread, options.marked);
        let visible = (0..hidden.len()).filter(|nth| !hidden[*nth]);
        let visible: Vec<usize> = visible.collect();
        let kept = chosen(&rows, &visible, reread, options.marked, most);
        keeps.fill(false);
        for (nth, keep) in visible.into_iter().zip(kept) {
            keeps[nth] = keep;
        }
    }
    let shown = rows.lines.iter().zip(&keeps).filter(|(_, keep)| **keep);
    let shown = shown.filter_map(|(row, _)| match row {
        TranscriptRow::Step(nth) => reread.transcript.steps.get(*nth),
        _ => None,
    });
    let beside = options.beside.iter().map(|it| it.frame_ref);
    let mut shown: Vec<_> = shown.map(|step| (step.time, step.frame)).collect();
    shown.extend(beside.map(|it| (it.time, it.frame)));
    shown.sort_unstable();
    let (times, frames): (Vec<_>, Vec<_>) = shown.into_iter().unzip();
    let clock = Clock::new(reread.connection.first.time, &times);
    let glyphs = LadderGlyphs::UNICODE;
    let mut drawn = vec![head(reread, options, &clock)];
    let mut beside = options.beside.iter().peekable();
    let mut left_out = LeftOut::default();
    let mut untold = 0;
    let time = |step: usize| reread.transcript.steps.get(step).map(|it| it.time);
    // When the last row ends that is drawn, and the last one of all.
    let (mut told_until, mut until) = (None, None);
    for (nth, (row, keep)) in rows.lines.iter().zip(keeps).enumerate() {
        let ends = match row {
            TranscriptRow::Step(step) | TranscriptRow::Run { last: step, .. } => time(*step),
            TranscriptRow::Pause(pause) => until.map(|it: Timestamp| it.after(*pause)),
            TranscriptRow::LeftOut(_) => until,
        };
        until = ends;
        if !keep {
            left_out.segments += segments(row);
            left_out.is_told |= !hidden[nth];
            continue;
        }
        let only_hidden = left_out.segments > 0 && !left_out.is_told;
        untold += match drawn.len() {
            1 => left_out.forget(),
            _ => left_out.untold(),
        };
        drawn.extend(left_out.fold());
        // A frame during a pause stands before it or after it, where it is nearer.
        let before = match row {
            TranscriptRow::Pause(pause) => told_until.map(|it: Timestamp| it.after(*pause / 2)),
            _ => ends,
        };
        while let Some(it) = beside.next_if(|it| before.is_some_and(|at| it.frame_ref.time < at)) {
            drawn.push(row_beside(reread, it, &clock, options));
        }
        match (row, told_until.zip(ends)) {
            (TranscriptRow::Step(nth), _) => {
                drawn.extend(segment(reread, *nth, &clock, options));
            }
            // Where acknowledgements are not drawn, a pause lasts from one row to the next.
            (TranscriptRow::Pause(_), Some((from, to))) if only_hidden => {
                let pause = TranscriptRow::Pause(to.since(from));
                drawn.extend(LadderColumns::row_between(&glyphs, &pause));
            }
            (other, _) => drawn.extend(LadderColumns::row_between(&glyphs, other)),
        }
        told_until = ends;
    }
    untold += left_out.forget();
    drawn.extend(beside.map(|it| row_beside(reread, it, &clock, options)));
    let columns = LadderColumns::of(&drawn, options.width, glyphs);
    let lines = drawn.iter().map(|row| columns.line(row));
    DrawnLadder {
        lines: lines.collect(),
        signs: signs(&drawn, &glyphs),
        frames,
        left_out: untold,
    }
}

/// The row of a frame of another connection.
fn row_beside(
    reread: &ConnectionTranscript,
    it: &Evidence,
    clock: &Clock,
    options: &LadderOptions<'_>,
) -> LadderRow {
    LadderRow::Beside {
        mark: marked(it.frame_ref.frame, options),
        frame: reread.frames.column(it.frame_ref.frame),
        time: clock.text(it.frame_ref.time),
        text: it.note.clone(),
    }
}

/// The sign of the worst finding that cites a frame.
fn marked(frame: FrameNumber, options: &LadderOptions<'_>) -> Mark {
    let own = options.marked.iter().filter(|(it, _)| *it == frame);
    let worst = own.map(|(_, severity)| *severity).max();
    worst.map(|it| (sign(it), Tone::from(it)))
}

/// Which rows are acknowledgements that change no state and prove nothing: a ladder that has too many rows does without them.
/// The frame numbers show that they are missing.
fn acknowledgements(
    rows: &TranscriptRows,
    reread: &ConnectionTranscript,
    marked: &[(FrameNumber, Severity)],
) -> Vec<bool> {
    let steps = &reread.transcript.steps;
    let says_nothing = |row: &TranscriptRow| {
        let TranscriptRow::Step(nth) = row else {
            return false;
        };
        let Some(step) = steps.get(*nth) else {
            return false;
        };
        let before = nth.checked_sub(1).and_then(|it| steps.get(it));
        step.kind == SegmentKind::Bare
            && step.is_plain(before, false)
            && step.frame != reread.connection.teardown.frame
            && marked.iter().all(|(frame, _)| *frame != step.frame)
    };
    rows.lines.iter().map(says_nothing).collect()
}

/// Rows that were left out since the last one that is drawn.
#[derive(Default)]
struct LeftOut {
    segments: u64,
    /// Not only acknowledgements.
    is_told: bool,
}

impl LeftOut {
    /// Segments for which there will be no row.
    const fn untold(&self) -> u64 {
        match self.is_told {
            true => 0,
            false => self.segments,
        }
    }

    /// Segments for which there is no row because nothing stands on the other side of it.
    fn forget(&mut self) -> u64 {
        std::mem::take(self).segments
    }

    /// The row that says so.
    fn fold(&mut self) -> Option<LadderRow> {
        let Self { segments, is_told } = std::mem::take(self);
        (segments > 0 && is_told).then(|| LadderRow::Between {
            mark: None,
            text: count(segments, "more segment", "more segments"),
            fill: LadderGlyphs::UNICODE.more,
        })
    }
}

/// The names of both ends.
fn head(reread: &ConnectionTranscript, options: &LadderOptions<'_>, clock: &Clock) -> LadderRow {
    let connection = &reread.connection;
    let name = |side: &str, end: Endpoint| match options.hide_addresses {
        true => side.to_owned(),
        false => format!("{side} {end}"),
    };
    LadderRow::Head {
        unit: clock.unit.to_owned(),
        ends: [
            name(options.proxy.name_of(Who::Client), connection.client),
            name(options.proxy.name_of(Who::Server), connection.server),
        ],
    }
}

/// A segment, and its numbers if they are wanted.
fn segment(
    reread: &ConnectionTranscript,
    nth: usize,
    clock: &Clock,
    options: &LadderOptions<'_>,
) -> Vec<LadderRow> {
    let row = SegmentRow::of(reread, nth, options.omit);
    let (Some(step), Some(mut row)) = (reread.transcript.steps.get(nth), row) else {
        return Vec::new();
    };
    row.mark = marked(step.frame, options);
    row.time = clock.text(step.time);
    let mut rows = vec![LadderRow::Segment(row)];
    if options.headers {
        let mut text = format!("seq {}", step.seq);
        if let Some(ack) = step.ack {
            text += &format!(" ack {ack}");
        }
        let header = step.own_header(&reread.frames);
        text += &format!(" len {} win {} {header}", step.length, step.window);
        rows.push(LadderRow::Numbers(text));
    }
    rows
}

/// Which of the visible rows of a ladder are kept: the marked ones, or the close if none is, then their neighbours.
fn chosen(
    rows: &TranscriptRows,
    visible: &[usize],
    reread: &ConnectionTranscript,
    marked: &[(FrameNumber, Severity)],
    most: usize,
) -> Vec<bool> {
    let all = visible.len();
    let row = |nth: usize| visible.get(nth).and_then(|it| rows.lines.get(*it));
    let step = |nth: usize| match row(nth) {
        Some(TranscriptRow::Step(step)) => reread.transcript.steps.get(*step),
        _ => None,
    };
    let is_marked = |nth: &usize| {
        let frame = step(*nth).map(|it| it.frame);
        marked.iter().any(|(it, _)| Some(*it) == frame)
    };
    let mut own: Vec<usize> = (0..all).filter(is_marked).collect();
    if own.is_empty() {
        own.extend(
            (0..all).find(|nth| rows.close.is_some() && rows.close == visible.get(*nth).copied()),
        );
    }
    let mut keeps = vec![false; all];
    own.iter().for_each(|nth| keeps[*nth] = true);
    // Marked rows are few, but nothing here bounds them.
    let mut kept = own.len();
    let beside = own
        .iter()
        .flat_map(|nth| [nth.checked_sub(1), Some(nth + 1)]);
    for nth in beside.flatten().filter(|nth| *nth < all) {
        if kept < most && !keeps[nth] {
            keeps[nth] = true;
            kept += 1;
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

/// The unit of the times and their digits: as few as tell the shown segments apart.
pub(super) struct Clock {
    start: Timestamp,
    pub(super) unit: &'static str,
    places: usize,
}

impl Clock {
    pub(super) fn new(start: Timestamp, times: &[Timestamp]) -> Self {
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

    pub(super) fn text(&self, time: Timestamp) -> String {
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
    fn a_long_one_keeps_what_is_marked_and_its_neighbours() {
        let mut text = RACE.to_owned();
        for millis in 100..140 {
            text += &format!("\n0.{millis} data 100 -->\n0.{millis}5 <-- ACK");
        }
        text += "\n+12s <-- RST";
        let options = LadderOptions {
            rows: Some(REPORT_ROWS),
            ..LadderOptions::default()
        };
        // Without evidence it is the close.
        let close = drawn(&text, &options);
        assert!(
            close.contains("FIN-WAIT-1") && !close.contains("silence"),
            "{close}"
        );
        let marked = [5, 88].map(|frame| (FrameNumber(frame), Severity::Error));
        let options = LadderOptions {
            marked: &marked,
            ..options
        };
        let lines = drawn(&text, &options);
        insta::assert_snapshot!(lines);
        assert!(lines.lines().all(|it| it.chars().count() <= 80), "{lines}");
    }

    #[test]
    fn what_may_not_have_arrived_ends_before_the_other_side() {
        let syn = drawn("SYN -->\n+1s again -->", &LadderOptions::default());
        let fin = "SYN -->\n+10ms <-- SYN\n+10ms ACK -->\n+1ms <-- FIN\n+1s <-- again";
        let fin = drawn(fin, &LadderOptions::default());
        insta::assert_snapshot!([syn, fin].join("\n"));
    }

    #[test]
    fn below_a_ladder_stand_as_many_parts_in_a_line_as_fit() {
        let parts = ["one", "two", "three"].map(str::to_owned);
        let lines = |width| -> Vec<String> {
            let lines = below(&parts, width);
            lines.iter().map(StyledLine::text).collect()
        };
        assert_eq!(lines(80), ["one; two; three"]);
        assert_eq!(lines(10), ["one; two", "three"]);
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
