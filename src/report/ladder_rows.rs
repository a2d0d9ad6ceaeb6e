//! The rows of a ladder as they are drawn: one drawing for reports, rule pages and screens.
//!
//! In: what a row says. Out: a line with tones, in columns that the rows of one ladder share. Which rows there are, and in
//! which columns, is decided elsewhere: by `ladder_figure` for reports, by `rule_page` for the ladders of a rule's page, and
//! by the pane of the screens.
//!
//! ```text
//! ✖ 6   5.329            │◀──────────────────── RST ──│  CLOSED
//! ```
//!
//! A RST that a box between the hosts sent in the name of one of them begins between the lifelines. A segment that one of
//! two places of capture has and the other must have had ends where it was lost, and a dotted bar stands for the place that
//! does not have it. One of which nothing shows that it arrived ends with a question mark before the other side.

use super::rich_text::{StyledLine, Tone};
use super::wording::segment::Detail;
use super::wording::step::{LONG_PAUSE, between, said};
use crate::analysis::connection::{Connection, How, ResetKind, Standing, State, Who};
use crate::analysis::transcript::{
    ConnectionTranscript, SegmentKind, TranscriptRow, TranscriptStep,
};
use crate::base::net::Flags;
use crate::base::passage::Passage;

/// Columns between the lifelines, at least.
const ARROW: usize = 16;
/// Columns by which an arrow of which nothing shows that it arrived ends before the other lifeline.
const SHORT: usize = 4;

/// What is said of a segment of which nothing shows that it arrived.
pub(crate) const UNPROVEN: &str = "no acknowledgement captured: it may not have arrived";

/// What each sign means that these rows have. A retransmission, a pause and a fold say it in words.
pub(crate) fn signs(rows: &[LadderRow], glyphs: &LadderGlyphs) -> Vec<String> {
    let segments = || {
        rows.iter().filter_map(|row| match row {
            LadderRow::Segment(row) => Some(row),
            _ => None,
        })
    };
    let is_injected = |row: &SegmentRow| row.is_injected && !row.passage.is_lost();
    let any = |has: &dyn Fn(&SegmentRow) -> bool| segments().any(has);
    let signs = [
        (
            any(&|row| row.may_be_lost && !row.passage.is_lost() && !is_injected(row)),
            glyphs.unproven,
            UNPROVEN,
        ),
        (
            any(&|row| row.passage.is_lost()),
            glyphs.between,
            "lost between the places of capture",
        ),
        (any(&is_injected), glyphs.between, "sent by neither host"),
        (
            any(&|row| row.passage.is_one_sided()),
            glyphs.place,
            "a place of capture that does not have it",
        ),
        (
            any(&|row| row.is_open.contains(&false)),
            glyphs.line[1],
            "this side has no connection any more",
        ),
    ];
    let there = signs.into_iter().filter(|(is_there, ..)| *is_there);
    there
        .map(|(_, sign, told)| format!("{sign} {told}"))
        .collect()
}

/// The symbols of a ladder, each one column wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LadderGlyphs {
    /// A lifeline, and one that is closed.
    pub(crate) line: [&'static str; 2],
    /// An arrow's parts: left head, shaft, right head.
    pub(crate) arrow: [&'static str; 3],
    /// The shaft of a retransmission.
    pub(crate) again: &'static str,
    /// Where an arrow begins that neither host sent, or ends that did not arrive.
    pub(crate) between: &'static str,
    /// Where an arrow ends of which nothing shows that it arrived.
    pub(crate) unproven: &'static str,
    /// A place of capture that does not have the segment.
    pub(crate) place: &'static str,
    /// A pause between two segments: short, long.
    pub(crate) pauses: [&'static str; 2],
    /// Rows or text that are left out.
    pub(crate) more: &'static str,
}

impl LadderGlyphs {
    /// Box drawing, which fonts of terminals have.
    pub(crate) const UNICODE: Self = Self {
        line: ["│", "·"],
        arrow: ["◀", "─", "▶"],
        again: "┄",
        between: "╳",
        unproven: "?",
        place: "┊",
        pauses: ["┄", "═"],
        more: "…",
    };

    /// For terminals without it.
    pub(crate) const ASCII: Self = Self {
        line: ["|", "."],
        arrow: ["<", "-", ">"],
        again: "-",
        between: "x",
        unproven: "?",
        place: ":",
        pauses: ["-", "="],
        more: "~",
    };
}

/// The sign of the worst finding that cites a row.
pub(crate) type Mark = Option<(&'static str, Tone)>;

/// What a row says.
#[derive(Clone, Debug)]
pub(crate) enum LadderRow {
    /// The names of both ends, and of the unit of the times.
    Head { unit: String, ends: [String; 2] },
    /// A segment.
    Segment(SegmentRow),
    /// Something between segments: a pause, a fold with its mark.
    Between {
        mark: Mark,
        text: String,
        fill: &'static str,
    },
    /// A frame of another connection, and what it shows here.
    Beside {
        mark: Mark,
        frame: String,
        time: String,
        text: String,
    },
    /// More about the segment above, from its sender's side.
    Below(Who, String),
    /// The numbers of the segment above, which may be wider than the ladder.
    Numbers(String),
}

/// One segment.
#[derive(Clone, Debug)]
pub(crate) struct SegmentRow {
    pub(crate) mark: Mark,
    pub(crate) frame: String,
    pub(crate) time: String,
    /// The states of client and server, where they change.
    pub(crate) states: [String; 2],
    /// Whether each side has a socket after it.
    pub(crate) is_open: [bool; 2],
    pub(crate) from: Who,
    pub(crate) text: String,
    pub(crate) tone: Tone,
    pub(crate) is_again: bool,
    /// Sent by a box between the hosts.
    pub(crate) is_injected: bool,
    /// What the other place of capture shows of it.
    pub(crate) passage: Passage,
    /// Nothing shows that it arrived.
    pub(crate) may_be_lost: bool,
}

impl SegmentRow {
    /// The row of a step of a connection, without mark and time.
    pub(crate) fn of(reread: &ConnectionTranscript, nth: usize, omit: Detail) -> Option<Self> {
        let steps = &reread.transcript.steps;
        let step = steps.get(nth)?;
        let closed = |it: &Standing| matches!(it, Standing::In(State::Closed));
        Some(Self {
            mark: None,
            frame: reread.frames.column(step.frame),
            time: String::new(),
            states: Who::BOTH.map(|who| state(steps, nth, who).unwrap_or_default()),
            is_open: step.standings.each_ref().map(|it| !closed(it)),
            from: step.from,
            text: said(step, reread, omit).trim().to_owned(),
            tone: tone(step, &reread.connection),
            is_again: step.kind == SegmentKind::Again,
            is_injected: is_injected(&reread.connection, step),
            passage: step.passage,
            may_be_lost: step.may_be_lost,
        })
    }
}

/// The tone of a segment's text: what ended the connection stands out, bare acknowledgements do not.
fn tone(step: &TranscriptStep, connection: &Connection) -> Tone {
    let resets = step.flags.has(Flags::RST);
    let ends = resets || step.flags.has(Flags::FIN);
    let is_close = ends && connection.teardown.frame == step.frame;
    match (is_close, resets, step.kind) {
        (true, true, _) => Tone::Error,
        (true, false, _) => Tone::Strong,
        (
            ..,
            SegmentKind::Again | SegmentKind::Other | SegmentKind::Ahead(_) | SegmentKind::Probe,
        ) => Tone::Warning,
        (.., SegmentKind::Bare) if !ends && !step.flags.has(Flags::SYN) => Tone::Faint,
        _ => Tone::Plain,
    }
}

/// Whether this RST is not the work of the host that it names.
fn is_injected(connection: &Connection, step: &TranscriptStep) -> bool {
    let teardown = &connection.teardown;
    let ended = step.flags.has(Flags::RST)
        && teardown.how == How::Reset(ResetKind::Foreign)
        && teardown.frame == step.frame;
    ended || step.passage == Passage::Forged
}

/// The state of a side after a step, if it is another than before.
fn state(steps: &[TranscriptStep], nth: usize, who: Who) -> Option<String> {
    let at = who as usize;
    let now = steps.get(nth)?.standings[at];
    let before = nth.checked_sub(1).and_then(|it| steps.get(it));
    let before = before.map_or(Standing::Unseen, |it| it.standings[at]);
    (now != before).then(|| now.to_string())
}

/// The columns that the rows of a ladder share. A column of width 0 is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LadderColumns {
    pub(crate) glyphs: LadderGlyphs,
    /// The width of a text in columns.
    pub(crate) measure: fn(&str) -> usize,
    pub(crate) frame: usize,
    pub(crate) time: usize,
    /// The states of the client and of the server.
    pub(crate) states: [usize; 2],
    /// Between the lifelines.
    pub(crate) arrow: usize,
}

/// The width of a text in a report, where one character is one column.
pub(crate) fn characters(text: &str) -> usize {
    text.chars().count()
}

impl LadderColumns {
    /// As wide as these rows need, and the arrows as wide as a line of `width` columns leaves.
    pub(crate) fn of(rows: &[LadderRow], width: usize, glyphs: LadderGlyphs) -> Self {
        let mut columns = Self {
            glyphs,
            measure: characters,
            frame: 0,
            time: 0,
            states: [0; 2],
            arrow: 0,
        };
        for row in rows {
            match row {
                LadderRow::Head { unit, .. } => {
                    columns.time = columns.time.max(characters(unit));
                }
                LadderRow::Segment(row) => {
                    columns.frame = columns.frame.max(characters(&row.frame));
                    columns.time = columns.time.max(characters(&row.time));
                    for (column, state) in columns.states.iter_mut().zip(&row.states) {
                        *column = (*column).max(characters(state));
                    }
                }
                LadderRow::Beside { frame, time, .. } => {
                    columns.frame = columns.frame.max(characters(frame));
                    columns.time = columns.time.max(characters(time));
                }
                LadderRow::Between { .. } | LadderRow::Below(..) | LadderRow::Numbers(_) => {}
            }
        }
        columns.arrow = width.saturating_sub(columns.taken()).max(ARROW);
        columns
    }

    /// Columns beside the arrows.
    pub(crate) const fn taken(&self) -> usize {
        let [client, server] = self.states;
        // A blank after each column that there is, and before the server's states; the lifelines.
        self.lead() + client + (client > 0) as usize + 2 + (server > 0) as usize + server
    }

    /// Columns before the client's states: the mark, frame numbers and times.
    const fn lead(&self) -> usize {
        let frame = match self.frame {
            0 => 0,
            wide => wide + 2,
        };
        2 + frame + self.time + 2
    }

    /// The line of a row.
    pub(crate) fn line(&self, row: &LadderRow) -> StyledLine {
        match row {
            LadderRow::Head { unit, ends } => self.head(unit, ends),
            LadderRow::Segment(segment) => self.segment(segment),
            LadderRow::Between { mark, text, fill } => self.between(*mark, text, fill),
            LadderRow::Beside {
                mark,
                frame,
                time,
                text,
            } => self.beside(*mark, [frame, time], text),
            LadderRow::Below(from, text) => self.below(*from, text),
            LadderRow::Numbers(text) => self
                .before(None, "", "")
                .plain(self.client(""))
                .faint(format!(" {text}")),
        }
    }

    /// The row for what stands between segments; `None` for a segment.
    pub(crate) fn row_between(glyphs: &LadderGlyphs, row: &TranscriptRow) -> Option<LadderRow> {
        let fill = match row {
            TranscriptRow::Step(_) => return None,
            TranscriptRow::Run { .. } => ":",
            TranscriptRow::Pause(pause) => glyphs.pauses[usize::from(*pause >= LONG_PAUSE)],
            TranscriptRow::LeftOut(_) => glyphs.more,
        };
        between(row).map(|text| LadderRow::Between {
            mark: None,
            text,
            fill,
        })
    }

    /// `frame  ms  client 10.0.0.1:5000 … server 10.0.0.2:80`.
    fn head(&self, unit: &str, [client, server]: &[String; 2]) -> StyledLine {
        let room = self.taken() - self.lead() + self.arrow;
        let measure = self.measure;
        let between = room.saturating_sub(measure(client) + measure(server));
        self.before(None, "", unit)
            .with(Tone::Client, client.as_str())
            .plain(" ".repeat(between.max(2)))
            .with(Tone::Server, server.as_str())
    }

    /// Mark, frame number and time.
    fn before(&self, mark: Mark, frame: &str, time: &str) -> StyledLine {
        let (sign, tone) = mark.unwrap_or((" ", Tone::Plain));
        let line = StyledLine::default().with(tone, sign);
        let frame = match self.frame {
            0 => String::new(),
            wide => format!("{frame:>wide$}  "),
        };
        line.faint(format!(" {frame}{time:>0$}  ", self.time))
    }

    /// The state of the client in its column.
    fn client(&self, state: &str) -> String {
        match self.states[0] {
            0 => String::new(),
            wide => format!("{state:<0$}", wide + 1),
        }
    }

    fn between(&self, mark: Mark, text: &str, fill: &str) -> StyledLine {
        let line = self.glyphs.line[0];
        let room = self.arrow.saturating_sub(2);
        let text = self.clauses(text, room.saturating_sub(2));
        let text = format!(" {} ", self.cut(text, room.saturating_sub(2)));
        let side = room.saturating_sub((self.measure)(&text));
        let (left, right) = (side / 2, side - side / 2);
        self.before(mark, "", "")
            .plain(self.client(""))
            .with(Tone::Client, line)
            .faint(format!(
                " {}{text}{} ",
                fill.repeat(left),
                fill.repeat(right)
            ))
            .with(Tone::Server, line)
    }

    /// As many clauses of a text as there is room for, and one at least.
    fn clauses<'t>(&self, text: &'t str, room: usize) -> &'t str {
        let mut told = text;
        while (self.measure)(told) > room
            && let Some((before, _)) = told.rsplit_once(", ")
        {
            told = before;
        }
        told
    }

    fn beside(&self, mark: Mark, [frame, time]: [&str; 2], text: &str) -> StyledLine {
        let line = self.glyphs.line[0];
        let room = self.arrow.saturating_sub(2);
        let text = self.cut(text, room);
        let rest = " ".repeat(room.saturating_sub((self.measure)(&text)));
        self.before(mark, frame, time)
            .plain(self.client(""))
            .with(Tone::Client, line)
            .faint(format!(" {text}{rest} "))
            .with(Tone::Server, line)
    }

    fn below(&self, from: Who, text: &str) -> StyledLine {
        let line = self.glyphs.line[0];
        let room = self.arrow.saturating_sub(6);
        let text = self.cut(text, room);
        let rest = " ".repeat(room.saturating_sub((self.measure)(&text)));
        let text = match from {
            Who::Client => format!("   {text}{rest}   "),
            Who::Server => format!("   {rest}{text}   "),
        };
        self.before(None, "", "")
            .plain(self.client(""))
            .with(Tone::Client, line)
            .faint(text)
            .with(Tone::Server, line)
    }

    fn segment(&self, row: &SegmentRow) -> StyledLine {
        let lifeline = |who: Who| self.glyphs.line[usize::from(!row.is_open[who as usize])];
        let line = self
            .before(row.mark, &row.frame, &row.time)
            .with(Tone::Client, self.client(&row.states[0]))
            .with(Tone::Client, lifeline(Who::Client));
        let line = self
            .arrow(row, line)
            .with(Tone::Server, lifeline(Who::Server));
        match self.states[1] {
            0 => line,
            _ => line.with(Tone::Server, format!(" {}", row.states[1])),
        }
    }

    fn arrow(&self, row: &SegmentRow, line: StyledLine) -> StyledLine {
        let [left, shaft, right] = self.glyphs.arrow;
        let shaft = if row.is_again {
            self.glyphs.again
        } else {
            shaft
        };
        let between = self.glyphs.between;
        let is_lost = row.passage.is_lost();
        // What was lost ends on the way, what neither host sent begins there.
        let is_injected = row.is_injected && !is_lost;
        let is_open_ended = row.may_be_lost && !is_lost && !is_injected;
        let reach = match (is_lost || is_injected, is_open_ended) {
            (true, _) => self.arrow / 2,
            (false, true) => self.arrow.saturating_sub(SHORT),
            (false, false) => self.arrow,
        };
        let origin = if is_injected { between } else { "" };
        let (tone, end) = match (is_lost, row.from) {
            (true, _) => (Tone::Error, between),
            _ if is_open_ended => (Tone::Warning, self.glyphs.unproven),
            (false, Who::Client) => (row.tone, right),
            (false, Who::Server) => (row.tone, left),
        };
        let taken = 6 + usize::from(is_injected);
        let text = self.cut(&row.text, reach.saturating_sub(taken));
        let body = reach.saturating_sub((self.measure)(&text) + taken - 1);
        let rest = self.beyond(row, self.arrow - reach);
        let (before, after) = match is_lost || is_open_ended {
            true => (String::new(), rest),
            false => (rest, String::new()),
        };
        let text = format!(" {text} ");
        match row.from {
            Who::Client => line
                .faint(before)
                .with(row.tone, origin)
                .faint(shaft.repeat(2))
                .with(row.tone, text)
                .faint(shaft.repeat(body))
                .with(tone, end)
                .faint(after),
            Who::Server => line
                .faint(after)
                .with(tone, end)
                .faint(shaft.repeat(body))
                .with(row.tone, text)
                .faint(shaft.repeat(2))
                .with(row.tone, origin)
                .faint(before),
        }
    }

    /// The part of the way that a segment did not take, with the place of capture on it.
    fn beyond(&self, row: &SegmentRow, width: usize) -> String {
        if !row.passage.is_one_sided() || width < 3 {
            return " ".repeat(width);
        }
        let at = width / 2;
        format!(
            "{}{}{}",
            " ".repeat(at),
            self.glyphs.place,
            " ".repeat(width - at - 1)
        )
    }

    /// Cuts a text to a width.
    fn cut(&self, text: &str, width: usize) -> String {
        if (self.measure)(text) <= width {
            return text.to_owned();
        }
        let mut kept = String::new();
        let mut taken = 1;
        for char in text.chars() {
            taken += (self.measure)(char.encode_utf8(&mut [0; 4]));
            if taken > width {
                break;
            }
            kept.push(char);
        }
        kept + self.glyphs.more
    }
}
