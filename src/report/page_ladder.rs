//! The ladders of a rule's page, drawn: their source is the notation of the tests, their readers get the picture.
//!
//! In: a ladder as text. Out: its lines, in the order in which they were written. Its frames are analysed like those of a
//! capture; so states and words are those that a report would show. What is not in a capture or belongs to no connection
//! (lookups, ICMP, segments that were not captured) is drawn in the words of its cell. Expectations are left out: they are
//! for the tests.

use std::collections::HashMap;
use std::time::Duration;

use super::ladder_figure::{Clock, legend};
use super::ladder_rows::{self, LadderColumns, LadderGlyphs, LadderRow, SegmentRow, characters};
use super::rich_text::{StyledLine, Tone, sign};
use super::wording::segment::Detail;
use crate::analysis::connection::{ConnectionSummary, Who};
use crate::analysis::transcript::{ConnectionTranscript, TranscriptRow};
use crate::base::format::{count, duration};
use crate::base::frame_ref::FrameNumber;
use crate::base::passage::Passage;
use crate::base::time::Timestamp;
use crate::ladder::{
    Ladder, LadderLine, LadderSegment, LadderSource, Title, TitleSide, frames, parse,
};
use crate::rules::{Severity, ladder_check};

/// The shortest pause with a row of its own.
const PAUSE: Duration = Duration::from_secs(1);

/// A ladder of a page.
pub(super) struct PageLadder {
    pub(super) lines: Vec<StyledLine>,
    /// What its signs mean.
    pub(super) signs: Vec<String>,
}

/// Draws a ladder in lines of this width; what `rule` finds in it is marked. `None` if the text is not a ladder.
pub(super) fn drawn(
    text: &str,
    rule: Option<&str>,
    width: usize,
    glyphs: LadderGlyphs,
) -> Option<PageLadder> {
    let mut ladder = parse(text).ok()?;
    let copies = without_copies(&mut ladder);
    let drawing = Drawing::new(&ladder, rule.filter(|_| copies.is_empty()), &copies, glyphs);
    let (rows, remarks): (Vec<_>, Vec<_>) = drawing.rows().into_iter().unzip();
    let columns = LadderColumns::of(&rows, width, glyphs);
    let signs = legend(drawing.marked.values().copied());
    let signs = signs.into_iter().chain(ladder_rows::signs(&rows, &glyphs));
    let signs = signs.collect();
    let mut lines = Vec::new();
    for (mut row, remarks) in rows.into_iter().zip(remarks) {
        let mut below = Vec::new();
        if let LadderRow::Segment(segment) = &mut row
            && !remarks.is_empty()
        {
            let more = format!("[{}]", remarks.join("; "));
            let whole = format!("{} {more}", segment.text);
            let room = columns.arrow.saturating_sub(6);
            match characters(&whole) <= room {
                true => segment.text = whole,
                false => below = wrapped(&more, room),
            }
        }
        let from = match &row {
            LadderRow::Segment(segment) => segment.from,
            _ => Who::Client,
        };
        lines.push(columns.line(&row));
        let below = below.into_iter().map(|it| LadderRow::Below(from, it));
        lines.extend(below.map(|it| columns.line(&it)));
    }
    Some(PageLadder { lines, signs })
}

/// A text in lines of this width; words that are longer are broken.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        while let Some(line) = lines.last_mut() {
            let gap = usize::from(!line.is_empty());
            let room = width.saturating_sub(characters(line) + gap);
            if word.len() <= room || gap == 0 && room == 0 {
                line.extend(std::iter::repeat_n(' ', gap).chain(word));
                break;
            }
            // Only a word that fits no line is broken.
            if word.len() > width {
                let rest = word.split_off(room);
                line.extend(std::iter::repeat_n(' ', gap).chain(word));
                word = rest;
            }
            lines.push(String::new());
        }
    }
    lines
}

/// Copies of a connection: how many there are, and how long after each other they begin, by line.
type Copies = HashMap<usize, (u16, Duration)>;

/// Keeps one of the copies of each connection.
fn without_copies(ladder: &mut Ladder) -> Copies {
    let mut copies = Copies::new();
    for (nth, line) in ladder.lines.iter_mut().enumerate() {
        if let LadderLine::Title(title) = line
            && title.times > 1
        {
            copies.insert(nth, (title.times, title.every));
            title.times = 1;
        }
    }
    copies
}

/// A ladder, and what the analysis of its frames says.
struct Drawing<'a> {
    ladder: &'a Ladder,
    copies: &'a Copies,
    glyphs: LadderGlyphs,
    read: Vec<ConnectionTranscript>,
    /// Which step of which connection a frame is.
    steps: HashMap<FrameNumber, (usize, usize)>,
    /// The frame of each line.
    frames: HashMap<usize, FrameNumber>,
    marked: HashMap<FrameNumber, Severity>,
    clock: Clock,
}

impl<'a> Drawing<'a> {
    fn new(
        ladder: &'a Ladder,
        rule: Option<&str>,
        copies: &'a Copies,
        glyphs: LadderGlyphs,
    ) -> Self {
        let owned = frames(ladder);
        let own = owned.iter().map(|it| (it.line, it.number)).collect();
        let check = ladder_check::run(ladder);
        let found = check.findings.iter().filter(|it| Some(it.rule) == rule);
        let marked = found.flat_map(|it| {
            let evidence = it.evidence.iter();
            evidence.map(|one| (one.frame_ref.frame, it.severity))
        });
        let marked = marked.collect();
        let summaries: Vec<_> = check
            .connections
            .iter()
            .map(ConnectionSummary::from)
            .collect();
        let mut source = LadderSource::new(owned);
        let last = FrameNumber(u64::MAX);
        let read = ConnectionTranscript::read_many(&mut source, &summaries, None, last);
        let read = read.unwrap_or_default();
        let mut steps = HashMap::new();
        for (connection, one) in read.iter().enumerate() {
            for (nth, step) in one.transcript.steps.iter().enumerate() {
                steps.insert(step.frame, (connection, nth));
            }
        }
        let times = ladder.lines.iter().filter_map(|line| match line {
            LadderLine::Packet(packet) => Some(since_start(packet.time)),
            _ => None,
        });
        Self {
            ladder,
            copies,
            glyphs,
            clock: Clock::new(Timestamp::new(0, 0), &times.collect::<Vec<_>>()),
            read,
            steps,
            frames: own,
            marked,
        }
    }

    /// The rows, each with what is to be remarked on it.
    fn rows(&self) -> Vec<(LadderRow, Vec<String>)> {
        let mut rows: Vec<(LadderRow, Vec<String>)> = Vec::new();
        let mut before: Option<Duration> = None;
        for (nth, line) in self.ladder.lines.iter().enumerate() {
            match line {
                LadderLine::Title(title) => {
                    rows.push((self.head(title, rows.is_empty()), Vec::new()));
                    before = None;
                    if let Some((times, every)) = self.copies.get(&nth) {
                        let connections = count((*times).into(), "connection", "connections");
                        let text = format!("{connections}, {} apart", duration(*every));
                        let row = LadderRow::Between {
                            mark: None,
                            text,
                            fill: " ",
                        };
                        rows.push((row, Vec::new()));
                    }
                }
                LadderLine::Packet(packet) => {
                    if rows.is_empty() {
                        rows.push((self.head(&Title::default(), true), Vec::new()));
                    }
                    let segment = self.segment(nth, packet);
                    let pause = before.and_then(|it| packet.time.checked_sub(it));
                    if let Some(pause) = pause.filter(|it| *it >= PAUSE) {
                        let pause = TranscriptRow::Pause(pause);
                        let row = LadderColumns::row_between(&self.glyphs, &pause);
                        rows.extend(row.map(|it| (it, Vec::new())));
                    }
                    before = Some(packet.time);
                    let mut remarks = packet.cell.remarks();
                    // What the words of the segment say need not be said again.
                    remarks.retain(|it| {
                        let core = it.trim_matches('"').trim_end_matches("\\r\\n");
                        core.is_empty() || !segment.text.contains(core)
                    });
                    rows.push((LadderRow::Segment(segment), remarks));
                }
                LadderLine::Blank | LadderLine::Comment(_) | LadderLine::Expect(_) => {}
            }
        }
        rows
    }

    fn head(&self, title: &Title, is_first: bool) -> LadderRow {
        let [client, server] = &title.sides;
        let titles = self.ladder.lines.iter();
        let titles = titles.filter(|it| matches!(it, LadderLine::Title(_)));
        let is_only = titles.count() < 2;
        let name = |name: &str, who: Who, side: &TitleSide| match is_only
            && side.endpoint == TitleSide::usual(who).endpoint
        {
            true => name.to_owned(),
            false => format!("{name} {}", side.endpoint),
        };
        LadderRow::Head {
            unit: match is_first {
                true => self.clock.unit.to_owned(),
                false => String::new(),
            },
            ends: [
                name("client", Who::Client, client),
                name("server", Who::Server, server),
            ],
        }
    }

    fn segment(&self, line: usize, packet: &LadderSegment) -> SegmentRow {
        let frame = self.frames.get(&(line + 1)).filter(|_| packet.seen);
        let step = frame.and_then(|it| self.steps.get(it));
        let step = step.and_then(|(connection, nth)| {
            SegmentRow::of(self.read.get(*connection)?, *nth, Detail::default())
        });
        let mut row = step.unwrap_or_else(|| {
            let words = packet.cell.in_words(packet.from);
            SegmentRow {
                mark: None,
                frame: String::new(),
                time: String::new(),
                states: Default::default(),
                is_open: [true; 2],
                from: packet.from,
                text: match packet.seen {
                    true => words,
                    false => format!("{words} (not captured)"),
                },
                tone: Tone::Plain,
                is_again: !packet.seen,
                is_injected: false,
                passage: Passage::Unknown,
                may_be_lost: false,
            }
        });
        let mark = frame.and_then(|it| self.marked.get(it));
        row.mark = mark.map(|it| (sign(*it), Tone::from(*it)));
        // Copies of a connection lie between its frames.
        row.frame = match frame {
            Some(frame) if self.copies.is_empty() => frame.0.to_string(),
            _ => String::new(),
        };
        row.time = self.clock.text(since_start(packet.time));
        row
    }
}

/// A time of a ladder, which begins at zero.
fn since_start(time: Duration) -> Timestamp {
    Timestamp::new(0, 0).after(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn lines(text: &str) -> String {
        let lines = drawn(text, None, 80, LadderGlyphs::UNICODE).expect("a ladder");
        let lines = lines.lines.iter();
        let lines = lines.map(|it| it.text().trim_end().to_owned());
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_no_segment_or_was_not_captured_has_its_words() {
        insta::assert_snapshot!(lines(
            "client :40001 server :80
             0.000 SYN -->
             0.010 <~~ SYN
             0.020 GET /a [close] -->
             2.000 <-- 200 \"hello\" [keep-alive=\"timeout=30, max=100\" connection=keep-alive]
             2.010 <-- ACK [unreachable=1]
             client :50000 server :53
             2.020 lookup shop.example -->
             2.030 <-- nxdomain
             => findings none"
        ));
    }

    #[test]
    fn remarks_are_broken_where_they_must_be() {
        assert_eq!(wrapped("one two", 7), ["one two"]);
        assert_eq!(wrapped("one two", 5), ["one", "two"]);
        assert_eq!(wrapped("[abcdefghij]", 5), ["[abcd", "efghi", "j]"]);
        assert_eq!(wrapped("a bcdefghij", 5), ["a bcd", "efghi", "j"]);
    }

    #[test]
    fn copies_are_counted_and_what_is_no_ladder_is_not_drawn() {
        let text = "client :40001 [times=20 every=5ms] server\nSYN -->\n<-- SYN\nACK -->";
        insta::assert_snapshot!(lines(text));
        assert!(drawn("no ladder -->", None, 80, LadderGlyphs::UNICODE).is_none());
    }
}
