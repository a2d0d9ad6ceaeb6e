//! Draws a ladder from a captured connection.
//!
//! In: its segments in capture order with the states after each, and finally its record. Out: a [`Ladder`] with
//! relative times and relative numbers; numbers are written only where they differ from the computed ones. Long runs of
//! data are folded into a comment, which also bounds the memory, whatever the length of the connection.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::describe;
use super::expectation::{Claim, Expectation};
use super::message::Piece;
use super::notation::{Cell, Ladder, LadderLine, LadderSegment, Sends, Title, TitleSide};
use super::sequence::{RelativeNumbers, SequenceNumbers};
use crate::analysis::connection::{Connection, Standing, Who};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::{Endpoint, Flags};
use crate::base::seq::Seq;
use crate::base::time::Timestamp;
use crate::packet::decode::Segment;

/// What is redacted in a ladder that is passed on to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Addresses, ports and host names.
    pub addresses: bool,
    /// Payload, targets, and the values of fields that do not concern the connection.
    pub payload: bool,
}

/// Rows kept before a run of data is folded; [`RUN_TAIL`] rows are kept after it.
const RUN_HEAD: usize = 3;
const RUN_TAIL: usize = 2;
/// Runs with fewer rows than this to fold are not folded.
const FOLD_LEAST: usize = 5;
/// A pause from which on a run is split, so that the pause stays visible.
const PAUSE: Duration = Duration::from_secs(1);
/// The most lines of a ladder, more than anybody reads; beyond this only the last [`LAST_LINES`] are kept.
const MAX_LINES: usize = 5000;
const LAST_LINES: usize = 50;
/// The default where a title states none.
const TTL: u8 = 64;

/// Draws a ladder, one segment at a time.
#[derive(Debug)]
pub struct Recorder {
    redaction: Redaction,
    start: Option<(Timestamp, Endpoint)>,
    /// In the order of [`FlowEnd`]; `A` is taken for the client until the record is known.
    numbers: SequenceNumbers,
    known: [bool; 2],
    ttl: [Option<u8>; 2],
    lines: Vec<LadderLine>,
    run: SegmentRun,
    frame_notes: RecorderNotes,
}

/// Notes on segments, by frame and sender, for payload that is shown as bytes only.
pub type RecorderNotes = HashMap<(FrameNumber, Endpoint), String>;

/// Consecutive segments with data and acknowledgements only.
#[derive(Debug, Default)]
struct SegmentRun {
    /// Rows of the run already written.
    written: usize,
    tail: VecDeque<RecordedSegment>,
    last: Option<Duration>,
    folded: u64,
    bytes: [u64; 2],
}

/// One segment, before its numbers are compared with the computed ones.
#[derive(Debug)]
struct RecordedSegment {
    time: Duration,
    from: FlowEnd,
    seq: Seq,
    ack: Seq,
    flags: Flags,
    ttl: u8,
    window: u16,
    length: u32,
    captured: u32,
    payload: Vec<Piece>,
    standings: [Standing; 2],
    frame_note: Option<String>,
}

impl Recorder {
    /// Creates a recorder without segments.
    #[must_use]
    pub fn new(redaction: Redaction) -> Self {
        Self {
            redaction,
            start: None,
            numbers: SequenceNumbers::new([0; 2]),
            known: [false; 2],
            ttl: [None; 2],
            lines: Vec::new(),
            run: SegmentRun::default(),
            frame_notes: RecorderNotes::new(),
        }
    }

    /// Sets the notes on segments.
    #[must_use]
    pub(crate) fn with_notes(mut self, frame_notes: RecorderNotes) -> Self {
        self.frame_notes = frame_notes;
        self
    }

    /// Adds the connection's next segment, and the presumed states of both ends after it in the order of [`FlowEnd`].
    pub fn segment(&mut self, from: FlowEnd, segment: &Segment<'_>, standings: [Standing; 2]) {
        let a = match from {
            FlowEnd::A => segment.source,
            FlowEnd::B => segment.destination,
        };
        let (start, _) = *self.start.get_or_insert((segment.time, a));
        let before = self.run.last.unwrap_or_default();
        let payload = describe::pieces(segment.payload, segment.length, self.redaction);
        let says_itself = !payload.iter().all(Piece::is_bytes);
        let frame_note = self.frame_notes.get(&(segment.frame, segment.source));
        let frame_note = frame_note.filter(|_| segment.length > 0 && !says_itself);
        let row = RecordedSegment {
            // Captures are not always in order of time; ladders must be.
            time: microseconds(segment.time.since(start)).max(before),
            from,
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            ttl: segment.ttl,
            window: segment.window,
            length: segment.length,
            captured: u32::try_from(segment.payload.len()).unwrap_or(u32::MAX),
            payload,
            standings,
            frame_note: frame_note.cloned(),
        };
        self.take(row);
    }

    /// Finishes the ladder, with the verdict as its expectations.
    #[must_use]
    pub fn finish(mut self, connection: &Connection) -> Ladder {
        self.end_run();
        let swapped = self.start.is_some_and(|(_, a)| a != connection.client);
        if swapped {
            for line in &mut self.lines {
                if let LadderLine::Packet(packet) = line {
                    packet.from = packet.from.other();
                    if let Some(states) = &mut packet.states {
                        states.swap(0, 1);
                    }
                }
            }
            self.ttl.swap(0, 1);
        }
        let mut lines = Vec::with_capacity(self.lines.len() + 6);
        if connection.id > 0 {
            lines.push(LadderLine::Comment(format!("connection {}", connection.id)));
        }
        lines.push(LadderLine::Title(self.title(connection)));
        lines.append(&mut self.lines);
        let teardown = &connection.teardown;
        let claims = [
            Claim::Teardown(teardown.by, teardown.how, Some(teardown.phase)),
            Claim::Opening(connection.opening),
            Claim::States(connection.states),
            Claim::TimeWait(connection.time_wait.map(|frame_ref| frame_ref.is_some())),
        ];
        lines.extend(claims.map(|claim| {
            LadderLine::Expect(Expectation {
                connection: None,
                claim,
            })
        }));
        Ladder { lines }
    }

    fn title(&self, connection: &Connection) -> Title {
        let ends = [connection.client, connection.server];
        let side = |who: Who| {
            let mut side = TitleSide::usual(who);
            if !self.redaction.addresses {
                side.endpoint = ends[who as usize];
            }
            side.ttl = self.ttl[who as usize].filter(|ttl| *ttl != TTL);
            side
        };
        Title {
            sides: Who::BOTH.map(side),
            ..Title::default()
        }
    }

    /// Writes the row, or holds it back as part of a long run.
    fn take(&mut self, row: RecordedSegment) {
        let full = self.lines.len() >= MAX_LINES;
        let pause = self
            .run
            .last
            .is_some_and(|last| row.time.saturating_sub(last) >= PAUSE);
        if !full && (pause || !row.is_plain()) {
            self.end_run();
        }
        self.run.last = Some(row.time);
        if !full && (!row.is_plain() || self.run.written < RUN_HEAD) {
            self.run.written = if row.is_plain() {
                self.run.written + 1
            } else {
                0
            };
            self.write(row);
            return;
        }
        self.run.tail.push_back(row);
        let room = if full { LAST_LINES } else { RUN_TAIL };
        let slack = if self.run.folded == 0 { FOLD_LEAST } else { 1 };
        if self.run.tail.len() < room + slack {
            return;
        }
        while self.run.tail.len() > room
            && let Some(row) = self.run.tail.pop_front()
        {
            self.run.folded += 1;
            self.run.bytes[row.from.index()] += u64::from(row.length);
        }
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        self.run.last = run.last;
        if run.folded > 0 {
            let bytes = run.bytes[0] + run.bytes[1];
            let segments = grouped(run.folded);
            let text = format!("… {segments} segments, {} bytes", grouped(bytes));
            self.lines.push(LadderLine::Comment(text));
        }
        for row in run.tail {
            self.write(row);
        }
    }

    fn write(&mut self, row: RecordedSegment) {
        let who = place(row.from);
        self.anchor(&row);
        let cell = self.cell(&row);
        let header = RelativeNumbers {
            seq: row.seq,
            ack: row.ack,
            flags: row.flags,
            stateless: false,
        };
        self.numbers.commit(who, header, row.length, true);
        self.lines.push(LadderLine::Packet(LadderSegment {
            time: row.time,
            from: who,
            seen: true,
            cell,
            states: Some(row.standings),
            frame_note: row.frame_note,
        }));
    }

    /// Fixes the initial sequence number of each side, once.
    fn anchor(&mut self, row: &RecordedSegment) {
        let has = |flag| row.flags.has(flag);
        let me = row.from.index();
        let other = row.from.other().index();
        if has(Flags::ACK) && !self.known[other] {
            self.known[other] = true;
            self.numbers
                .anchor(place(row.from.other()), row.ack.back(1));
        }
        let refusal = has(Flags::RST) && row.seq == Seq(0);
        if !self.known[me] && !refusal {
            self.known[me] = true;
            let isn = if has(Flags::SYN) {
                row.seq
            } else {
                row.seq.back(1)
            };
            self.numbers.anchor(place(row.from), isn);
        }
        self.ttl[me].get_or_insert(row.ttl);
    }

    /// The shortest cell that describes the segment.
    fn cell(&mut self, row: &RecordedSegment) -> Cell {
        let who = place(row.from);
        let has = |flag| row.flags.has(flag);
        let (syn, fin, rst, ack) = (
            has(Flags::SYN),
            has(Flags::FIN),
            has(Flags::RST),
            has(Flags::ACK),
        );
        let repeats = self.numbers.repeated(who) == Some((row.seq, row.length, syn, fin));
        let bare = row.length == 0 && !syn && !fin && !rst;
        let sends = if repeats && !rst && !bare {
            Sends::Again
        } else if bare && self.numbers.is_probe(who, row.seq) {
            Sends::Probe
        } else {
            Sends::New
        };
        let short = Cell {
            sends,
            ..Cell::default()
        };
        let long = Cell {
            sends: Sends::New,
            syn,
            fin,
            rst,
            ack: bare,
            payload: row.payload.clone(),
            ..Cell::default()
        };
        let spelled = match sends {
            Sends::New => None,
            Sends::Again | Sends::Probe => self.spell_ack(who, &short, row),
        };
        let spelled = spelled.or_else(|| self.spell_ack(who, &long, row));
        let (mut cell, plan) = spelled.expect("ACK can be written out or denied");
        if plan.seq != row.seq {
            cell.deviations.seq = Some(self.numbers.relative(who, row.seq));
        }
        if ack && plan.ack != row.ack {
            cell.deviations.ack = Some(self.numbers.relative(who.other(), row.ack));
        }
        let usual = self.ttl[row.from.index()];
        cell.deviations.ttl = Some(row.ttl).filter(|ttl| Some(*ttl) != usual);
        if plan.stateless != (row.window == 0) {
            cell.deviations.window = Some(row.window);
        }
        if row.captured < row.length {
            cell.deviations.cut = Some(row.captured);
        }
        cell
    }
}

impl Recorder {
    /// Finds the shortest way to state whether the segment carries ACK: by default, with `ACK`, or with `noack`. For a
    /// SYN this also decides whether it begins another connection, so the sequence number is taken into account.
    fn spell_ack(
        &mut self,
        who: Who,
        cell: &Cell,
        row: &RecordedSegment,
    ) -> Option<(Cell, RelativeNumbers)> {
        let mut best: Option<(bool, Cell, SequenceNumbers, RelativeNumbers)> = None;
        for (ack, no_ack) in [(false, false), (true, false), (false, true), (true, true)] {
            if ack && cell.sends != Sends::New {
                continue;
            }
            let mut cell = cell.clone();
            cell.ack |= ack;
            cell.deviations.no_ack = no_ack;
            let mut numbers = self.numbers.clone();
            numbers.begin(who, &cell);
            let plan = numbers.plan(who, &cell);
            if plan.flags.has(Flags::ACK) != row.flags.has(Flags::ACK) {
                continue;
            }
            let fits = !cell.syn || plan.seq == row.seq;
            if best.as_ref().is_none_or(|(fitted, ..)| fits && !fitted) {
                best = Some((fits, cell, numbers, plan));
            }
        }
        let (_, cell, numbers, plan) = best?;
        self.numbers = numbers;
        Some((cell, plan))
    }
}

impl RecordedSegment {
    /// Data or an acknowledgement only.
    fn is_plain(&self) -> bool {
        !self.flags.is_control()
            && self.window != 0
            && self.frame_note.is_none()
            && !self
                .payload
                .iter()
                .any(|piece| matches!(piece, Piece::Request { .. } | Piece::Response { .. }))
    }
}

/// Rounds down to microseconds: nanoseconds reflect the capture rather than the network.
const fn microseconds(time: Duration) -> Duration {
    Duration::new(time.as_secs(), time.subsec_micros() * 1000)
}

/// `A` is drawn on the left until the record is known.
const fn place(end: FlowEnd) -> Who {
    Who::of(end)
}

/// Groups digits by three: `1 175 776`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
