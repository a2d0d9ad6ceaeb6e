//! Two connections next to each other: what differs, both ladders, and the first event by which they differ.
//!
//! The differences are those of `hangup diff` (`report::comparison`), a line each as far as there is room.
//!
//! Compared are events in their order, not times, numbers or bytes: who sends a SYN, data, a FIN, a RST, a keep-alive
//! probe or data again. Segments that continue what their sender is saying, and bare acknowledgements, are no events of
//! their own. Where all events are the same, what was requested and responded is compared.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::keys::{Action, Scope};
use super::ladder_pane::{LadderPane, evidence_lines};
use super::reread::Reread;
use super::text_layout::{one_above_the_other, side_by_side};
use super::{KeyOutcome, Screen, SeekResult, TextSeek, ViewContext};
use crate::analysis::connection::Who;
use crate::analysis::transcript::{ConnectionTranscript, SegmentKind, TranscriptStep};
use crate::base::format::count;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Flags;
use crate::report::comparison::differences_of_pair;
use crate::report::rich_text::{StyledLine, Tone};
use crate::report::wording::segment::{self, Detail};

/// From this width on the ladders are next to each other, else one is above the other.
const BESIDE: u16 = 120;
/// Rows of a side: its title, the heads, two segments, and the details of one.
const LEAST: u16 = 6;
/// From this height on there is a line for each of the first few facts that differ, else one for all.
const TALL: u16 = 24;
/// Those lines.
const FACTS: usize = 4;
/// Bytes of words of one event after which no more are added: a line shows less.
const MAX_WORDS: usize = 200;

/// The screen of two connections.
pub(super) struct CompareScreen {
    sides: [Side; 2],
    /// The side that keys move in.
    focus: usize,
    /// Every fact that differs: what it is called, and the sides.
    facts: Option<Vec<(&'static str, String)>>,
    /// The first event that differs.
    difference: Option<Difference>,
    /// The first row of the body.
    top: u16,
}

/// One of the two.
struct Side {
    reread: Reread,
    pane: LadderPane,
    area: Rect,
}

/// What a segment means for the order of events.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Event {
    from: Who,
    kind: EventKind,
    /// What it says, in the words of its protocol.
    words: String,
    frame: FrameNumber,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventKind {
    Syn,
    Data,
    Again,
    Probe,
    Fin,
    Rst,
}

/// The result of comparing two sequences of events.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Difference {
    /// The events at this index differ; one may be missing.
    Event(usize, [Option<Event>; 2]),
    /// The events are the same, and these say something else.
    Words(usize, [Event; 2]),
    None,
}

impl CompareScreen {
    pub(super) fn new(ids: [u32; 2]) -> Self {
        Self {
            sides: ids.map(|id| Side {
                reread: Reread::of(id),
                pane: LadderPane::default(),
                area: Rect::default(),
            }),
            focus: 0,
            facts: None,
            difference: None,
            top: 0,
        }
    }

    /// Selects the first difference in both ladders.
    fn show_difference(&mut self) {
        let frames = match &self.difference {
            Some(Difference::Event(_, events)) => events.each_ref().map(|it| {
                let event = it.as_ref();
                event.map(|it| it.frame)
            }),
            Some(Difference::Words(_, events)) => events.each_ref().map(|it| Some(it.frame)),
            Some(Difference::None) | None => return,
        };
        for (side, frame) in self.sides.iter_mut().zip(frames) {
            if let (Some(frame), Some(transcript)) = (frame, side.reread.transcript()) {
                side.pane.show(frame, transcript);
            } else {
                // There is no such event on this side: its end is where it would be.
                side.pane.act_alone(Action::Last);
            }
        }
    }

    /// The lines about what differs, on a screen of this height.
    fn facts(&self, height: u16) -> Vec<StyledLine> {
        let Some(facts) = &self.facts else {
            return Vec::new();
        };
        let most = match height >= TALL {
            true => FACTS,
            false => 1,
        };
        let line = |(label, sides): &(&str, String)| StyledLine::from(format!("{label}: {sides}"));
        if facts.len() <= most {
            return facts.iter().map(line).collect();
        }
        let rest = facts.len() - (most - 1);
        let more = facts.iter().skip(most - 1);
        let labels = more.map(|(label, _)| *label).collect::<Vec<_>>().join(", ");
        let rest = count(rest as u64, "difference", "differences");
        let mut lines: Vec<_> = facts.iter().take(most - 1).map(line).collect();
        lines.push(StyledLine::of(Tone::Warning, format!("{rest}: ")).plain(labels));
        lines
    }

    /// The line about the first event that differs.
    fn verdict(&self) -> StyledLine {
        let [one, two] = self.sides.each_ref().map(|it| it.reread.id);
        let cut = self.sides.iter().any(|side| {
            let transcript = side.reread.transcript();
            transcript.is_some_and(|it| it.transcript.left_out.is_some())
        });
        let scope = if cut {
            ", in the segments that are kept"
        } else {
            ""
        };
        let named = |side: usize, event: &Event| match self.sides[side].reread.transcript() {
            Some(transcript) => format!(
                "{} {}, {}",
                event.from.name(),
                event.name(),
                transcript.frames.name(event.frame)
            ),
            None => event.name(),
        };
        match &self.difference {
            None if self.sides.iter().any(|it| it.reread.has_failed()) => StyledLine::of(
                Tone::Warning,
                "Both cannot be read, so they are not compared.",
            ),
            None => StyledLine::default().faint("reading both once more…"),
            Some(Difference::None) => {
                let text =
                    format!("#{one} and #{two} have the same events in the same order{scope}");
                StyledLine::of(Tone::Good, text)
            }
            Some(Difference::Event(nth, events)) => {
                let side = |side: usize| match &events[side] {
                    Some(event) => named(side, event),
                    None => "nothing more".to_owned(),
                };
                let text = match *nth as u64 {
                    0 => format!("The first event differs{scope}: "),
                    same => {
                        let same = count(same, "equal event", "equal events");
                        format!("After {same}{scope}: ")
                    }
                };
                StyledLine::of(Tone::Warning, text).plain(format!(
                    "#{one} {}; #{two} {}",
                    side(0),
                    side(1)
                ))
            }
            Some(Difference::Words(_, events)) => {
                let text = format!("Same events{scope}; what is said first differs here: ");
                StyledLine::of(Tone::Note, text).plain(format!(
                    "#{one} {}; #{two} {}",
                    named(0, &events[0]),
                    named(1, &events[1])
                ))
            }
        }
    }
}

impl Event {
    fn name(&self) -> String {
        let kind = match self.kind {
            EventKind::Syn => "SYN",
            EventKind::Data if !self.words.is_empty() => return self.words.clone(),
            EventKind::Data => "data",
            EventKind::Again => "data, retransmitted",
            EventKind::Probe => "keep-alive probe",
            EventKind::Fin => "FIN",
            EventKind::Rst => "RST",
        };
        kind.to_owned()
    }

    /// Whether a reader of the order would call both the same.
    fn is_like(&self, other: &Self) -> bool {
        (self.from, self.kind) == (other.from, other.kind)
    }
}

/// The events of a connection.
fn events(reread: &ConnectionTranscript) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for step in &reread.transcript.steps {
        for kind in kinds(step) {
            let goes_on = events
                .last()
                .is_some_and(|it| it.from == step.from && it.kind == kind);
            let words = match kind {
                EventKind::Data => words(step, reread),
                _ => String::new(),
            };
            if let Some(last) = events.last_mut().filter(|_| goes_on) {
                let gap = if last.words.is_empty() { "" } else { "; " };
                if !words.is_empty() && last.words.len() < MAX_WORDS {
                    last.words += &format!("{gap}{words}");
                }
                continue;
            }
            events.push(Event {
                from: step.from,
                kind,
                words,
                frame: step.frame,
            });
        }
    }
    events
}

/// What a segment is: data with a FIN is both, in this order.
fn kinds(step: &TranscriptStep) -> Vec<EventKind> {
    let has = |flag| step.flags.has(flag);
    let mut kinds = Vec::new();
    match step.kind {
        SegmentKind::Again if step.length > 0 => kinds.push(EventKind::Again),
        SegmentKind::Probe => kinds.push(EventKind::Probe),
        _ if step.length > 0 => kinds.push(EventKind::Data),
        _ => {}
    }
    for (flag, kind) in [
        (Flags::SYN, EventKind::Syn),
        (Flags::FIN, EventKind::Fin),
        (Flags::RST, EventKind::Rst),
    ] {
        if has(flag) {
            kinds.push(kind);
        }
    }
    kinds
}

/// What a segment begins or ends, in the words of its protocol.
fn words(step: &TranscriptStep, reread: &ConnectionTranscript) -> String {
    let frame_notes: Vec<_> = reread.transcript.frame_notes(step).collect();
    let notes: Vec<_> = reread.transcript.notes(step).collect();
    let detail = Detail::default();
    segment::words(&reread.connection, step.from, &frame_notes, &notes, detail).join("; ")
}

/// The first difference of two sequences.
fn difference(one: &[Event], two: &[Event]) -> Difference {
    for nth in 0..one.len().max(two.len()) {
        let pair = [one.get(nth), two.get(nth)];
        match pair {
            [Some(one), Some(two)] if one.is_like(two) => {}
            _ => return Difference::Event(nth, pair.map(|it| it.cloned())),
        }
    }
    let mut pairs = one.iter().zip(two).enumerate();
    match pairs.find(|(_, (one, two))| one.words != two.words) {
        Some((nth, (one, two))) => Difference::Words(nth, [one.clone(), two.clone()]),
        None => Difference::None,
    }
}

impl Screen for CompareScreen {
    fn name(&self, _cx: &ViewContext<'_>) -> String {
        let [one, two] = self.sides.each_ref().map(|it| it.reread.id);
        format!("#{one} and #{two}")
    }

    fn scope(&self) -> Scope {
        Scope::Compare
    }

    fn lay(&mut self, cx: &ViewContext<'_>, body: Rect) {
        let mut new = false;
        for side in &mut self.sides {
            if side.reread.load(cx)
                && let Some(transcript) = side.reread.transcript()
            {
                side.pane.take(transcript);
                new = true;
            }
        }
        if new {
            let both = self.sides.each_ref().map(|it| it.reread.transcript());
            if let [Some(one), Some(two)] = both {
                self.facts = Some(differences_of_pair([&one.connection, &two.connection]));
                self.difference = Some(difference(&events(one), &events(two)));
                self.show_difference();
            }
        }
        self.top = body.y;
        let areas = areas(body, self.facts(body.height).len(), self.focus);
        for (side, area) in self.sides.iter_mut().zip(areas) {
            side.area = area;
            side.pane.lay(ladder(area));
        }
    }

    fn act(&mut self, action: Action, _cx: &ViewContext<'_>) -> KeyOutcome {
        let side = &mut self.sides[self.focus];
        match action {
            Action::Next | Action::Previous | Action::Left | Action::Right => {
                self.focus = 1 - self.focus;
                return KeyOutcome::Done;
            }
            Action::Connections => {
                self.show_difference();
                return KeyOutcome::Done;
            }
            Action::Open => {
                let frame = side.reread.transcript().and_then(|it| side.pane.frame(it));
                return match frame {
                    Some(frame) => KeyOutcome::Frame(side.reread.id, frame),
                    None => KeyOutcome::Connection(side.reread.id),
                };
            }
            _ => {}
        }
        match side.pane.act_alone(action) {
            true => KeyOutcome::Done,
            false => KeyOutcome::Ignored,
        }
    }

    fn seek(&mut self, needle: &str, seek: TextSeek, _cx: &ViewContext<'_>) -> SeekResult {
        let side = &mut self.sides[self.focus];
        let transcript = side.reread.transcript().map(Arc::clone);
        transcript.map_or(SeekResult::Missing, |it| side.pane.seek(needle, seek, &it))
    }

    fn click(&mut self, column: u16, row: u16, _cx: &ViewContext<'_>) -> KeyOutcome {
        // The areas are relative to the screen, a click to the body.
        let top = self.top;
        for (nth, side) in self.sides.iter_mut().enumerate() {
            let ladder = ladder(side.area);
            let row = (row + top).checked_sub(ladder.y);
            let within = (ladder.x..ladder.right()).contains(&column);
            if let (Some(row), true) = (row.filter(|it| *it < ladder.height), within) {
                self.focus = nth;
                side.pane.click(row);
                return KeyOutcome::Done;
            }
        }
        KeyOutcome::Ignored
    }

    fn draw(&self, cx: &ViewContext<'_>, area: Rect, buffer: &mut Buffer) {
        let mut line = Rect {
            x: area.x + 1.min(area.width),
            width: area.width.saturating_sub(2),
            height: 1.min(area.height),
            ..area
        };
        for text in self.facts(area.height).into_iter().chain([self.verdict()]) {
            if line.y >= area.bottom() {
                break;
            }
            text.draw(cx.look, line, buffer);
            line.y += 1;
        }
        for (nth, side) in self.sides.iter().enumerate() {
            if side.area.is_empty() {
                continue;
            }
            let id = side.reread.id;
            let tone = match nth == self.focus {
                true => Tone::Here,
                false => Tone::Strong,
            };
            let title = StyledLine::of(tone, format!(" #{id} "));
            title.draw(
                cx.look,
                Rect {
                    height: 1,
                    ..side.area
                },
                buffer,
            );
            if side.area.x > area.x {
                let style = cx.look.theme.style(Tone::Faint);
                for y in side.area.top()..side.area.bottom() {
                    buffer.set_stringn(side.area.x - 1, y, cx.look.glyphs.line, 1, style);
                }
            }
            match side.reread.transcript() {
                Some(transcript) => {
                    let evidence = evidence_lines(cx.model.naming.findings(cx.snapshot(), id));
                    let room = ladder(side.area);
                    side.pane.draw(cx, transcript, &evidence, room, buffer);
                }
                None => {
                    side.reread
                        .absence()
                        .draw(cx.look, ladder(side.area), buffer);
                }
            }
        }
    }
}

/// The areas of both sides, below the lines for these facts and one for the first event that differs. Where both have no room
/// for a row, the side that keys move in has all of it.
fn areas(body: Rect, facts: usize, focus: usize) -> [Rect; 2] {
    let lines = u16::try_from(facts).unwrap_or(u16::MAX).saturating_add(1);
    let lines = lines.min(body.height);
    let rest = Rect {
        y: body.y + lines,
        height: body.height - lines,
        ..body
    };
    match rest.width >= BESIDE {
        true => side_by_side(rest, rest.width / 2),
        false if rest.height < 2 * LEAST => {
            let mut areas = [Rect { height: 0, ..rest }; 2];
            areas[focus] = rest;
            areas
        }
        false => one_above_the_other(rest, rest.height / 2, 0),
    }
}

/// The area below the title.
fn ladder(area: Rect) -> Rect {
    Rect {
        y: area.y + 1.min(area.height),
        height: area.height.saturating_sub(1),
        ..area
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `CS` a SYN from the client, `Sd` data from the server, `SF` a FIN, `CR` a RST.
    fn sequence(text: &str) -> Vec<Event> {
        let each = text.split_whitespace().zip(1..).map(|(word, frame)| {
            let (event, words) = word.split_once('=').unwrap_or((word, ""));
            let (who, kind) = event.split_at(1);
            Event {
                from: if who == "C" { Who::Client } else { Who::Server },
                kind: match kind {
                    "S" => EventKind::Syn,
                    "d" => EventKind::Data,
                    "F" => EventKind::Fin,
                    _ => EventKind::Rst,
                },
                words: words.to_owned(),
                frame: FrameNumber(frame),
            }
        });
        each.collect()
    }

    #[test]
    fn the_first_difference_is_of_events_then_of_words() {
        for (one, two, expected) in [
            ("CS SS Cd=a Sd=b CF SF", "CS SS Cd=a Sd=b CF SF", "none"),
            ("CS SS Cd=a Sd=b CF SF", "CS SS Cd=a SR", "event 3"),
            ("CS SS Cd=a Sd=b", "CS SS Cd=a Sd=b CF", "event 4"),
            // What is said matters less than what happens.
            ("CS SS Cd=a Sd=b CF", "CS SS Cd=x Sd=b CR", "event 4"),
            ("CS SS Cd=a Sd=200", "CS SS Cd=a Sd=502", "words 3"),
        ] {
            let found = match difference(&sequence(one), &sequence(two)) {
                Difference::Event(nth, _) => format!("event {nth}"),
                Difference::Words(nth, _) => format!("words {nth}"),
                Difference::None => "none".to_owned(),
            };
            assert_eq!(found, expected, "{one} | {two}");
        }
    }
}
