//! The lines of the ladder: every segment that tells something, runs of others in one line, pauses in lines of their own.

use std::time::Duration;

use super::{SegmentKind, Transcript, TranscriptStep};
use crate::analysis::connection::Connection;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Flags;
use crate::protocol::annotations::RecordKind;

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscriptRow {
    /// The step with this number.
    Step(usize),
    /// The steps from the first to the last in one line: data and acknowledgements, nothing lost.
    Run {
        /// The first.
        first: usize,
        /// The last.
        last: usize,
        /// Payload of each side.
        bytes: [u64; 2],
        /// Repetitions among them.
        again: usize,
    },
    /// Nothing happened for so long.
    Pause(Duration),
    /// So many segments were not kept.
    LeftOut(u64),
}

/// All lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranscriptRows {
    /// In order.
    pub lines: Vec<TranscriptRow>,
    /// The line of the segment that ended the connection.
    pub close: Option<usize>,
}

/// A pause from here on is worth a line: people wait for it, and so do timers.
const PAUSE: Duration = Duration::from_secs(1);
/// Lines of a run that are shown before the others are folded, and after.
const RUN_HEAD: usize = 2;
const RUN_TAIL: usize = 1;
/// Fewer steps than this are not worth folding.
const FOLD_LEAST: usize = 3;
/// Beyond so many repetitions one tells as much as the next: they are folded as well.
const MAX_AGAIN: usize = 200;

impl TranscriptRows {
    /// The lines of a transcript; with `whole` each segment has one.
    #[must_use]
    pub fn new(transcript: &Transcript, connection: &Connection, whole: bool) -> Self {
        let mut rows = Self::default();
        let mut run = 0..0;
        let mut again = 0;
        let ends = ends(connection);
        for (nth, step) in transcript.steps.iter().enumerate() {
            let before = nth.checked_sub(1).and_then(|nth| transcript.steps.get(nth));
            let pause = before
                .map(|before| step.time.since(before.time))
                .filter(|pause| *pause >= PAUSE);
            let gap = transcript.left_out.filter(|(_, place)| *place == nth);
            again += usize::from(step.kind == SegmentKind::Again);
            let plain = !whole
                && step.is_plain(before, again > MAX_AGAIN)
                && !ends.contains(&step.frame)
                && transcript.frame_notes(step).next().is_none()
                && !transcript.notes(step).any(tells);
            if pause.is_some() || gap.is_some() || !plain {
                rows.fold(&transcript.steps, run.clone());
                run = nth..nth;
            }
            rows.lines.extend(pause.map(TranscriptRow::Pause));
            rows.lines
                .extend(gap.map(|(count, _)| TranscriptRow::LeftOut(count)));
            if plain {
                run.end = nth + 1;
                continue;
            }
            run = nth + 1..nth + 1;
            if step.frame == connection.teardown.frame && rows.close.is_none() {
                rows.close = Some(rows.lines.len());
            }
            rows.lines.push(TranscriptRow::Step(nth));
        }
        rows.fold(&transcript.steps, run);
        rows
    }

    /// The line that shows a step.
    #[must_use]
    pub fn line_of(&self, step: usize) -> Option<usize> {
        self.lines.iter().position(|row| match row {
            TranscriptRow::Step(nth) => *nth == step,
            TranscriptRow::Run { first, last, .. } => (*first..=*last).contains(&step),
            TranscriptRow::Pause(_) | TranscriptRow::LeftOut(_) => false,
        })
    }

    /// Adds a run of plain steps, its middle folded if it is long.
    fn fold(&mut self, steps: &[TranscriptStep], run: std::ops::Range<usize>) {
        if run.len() < RUN_HEAD + RUN_TAIL + FOLD_LEAST {
            self.lines.extend(run.map(TranscriptRow::Step));
            return;
        }
        let middle = run.start + RUN_HEAD..run.end - RUN_TAIL;
        self.lines
            .extend((run.start..middle.start).map(TranscriptRow::Step));
        let mut bytes = [0u64; 2];
        let mut again = 0;
        for step in &steps[middle.clone()] {
            let side = &mut bytes[step.from as usize];
            *side = side.saturating_add(u64::from(step.length));
            again += usize::from(step.kind == SegmentKind::Again);
        }
        self.lines.push(TranscriptRow::Run {
            first: middle.start,
            last: middle.end - 1,
            bytes,
            again,
        });
        self.lines
            .extend((middle.end..run.end).map(TranscriptRow::Step));
    }
}

/// Frames that show how the connection ended: never folded.
fn ends(connection: &Connection) -> Vec<FrameNumber> {
    let mut frames = vec![connection.teardown.frame];
    let closes = connection.fin.iter().chain(&connection.reset);
    frames.extend(closes.flatten().map(|close| close.frame_ref.frame));
    frames.extend(
        connection
            .fin_acknowledged
            .iter()
            .flatten()
            .map(|frame_ref| frame_ref.frame),
    );
    frames
}

/// Whether it is worth a line of its own: what opens or ends a layer.
const fn tells(what: RecordKind) -> bool {
    match what {
        RecordKind::Handshake(_) | RecordKind::Alert(..) => true,
        RecordKind::Ws(opcode, _) => opcode >= 8,
        _ => false,
    }
}

impl TranscriptStep {
    /// Nothing but data or an acknowledgement, after which everything is as it was.
    fn is_plain(&self, before: Option<&Self>, again_too: bool) -> bool {
        let control = Flags::SYN.with(Flags::FIN).with(Flags::RST);
        self.flags.0 & control.0 == 0
            && self.missing == [0; 2]
            && self.window > 0
            && before.is_some_and(|before| before.standings == self.standings)
            && match self.kind {
                SegmentKind::Bare | SegmentKind::New => true,
                SegmentKind::Again
                | SegmentKind::Ahead(_)
                | SegmentKind::Fill
                | SegmentKind::Probe => again_too,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connection::Who;
    use crate::analysis::transcript::tests::followed;

    /// One line each, short.
    fn drawn(picture: &str, whole: bool) -> String {
        let (connection, transcript) = followed(picture);
        let rows = TranscriptRows::new(&transcript, &connection, whole);
        let mut text = String::new();
        for (nth, row) in rows.lines.iter().enumerate() {
            let close = if rows.close == Some(nth) { " *" } else { "" };
            text += &match row {
                TranscriptRow::Step(nth) => {
                    let step = &transcript.steps[*nth];
                    let arrow = if step.from == Who::Client { ">" } else { "<" };
                    let frame_notes: Vec<_> = transcript
                        .frame_notes(step)
                        .map(|it| format!(" {it:?}"))
                        .collect();
                    format!(
                        "{} {arrow} {} {} {:?}{}{}",
                        step.frame.0,
                        step.seq,
                        step.ack.map_or("-".to_owned(), |ack| ack.to_string()),
                        step.kind,
                        if step.missing == [0; 2] {
                            String::new()
                        } else {
                            format!(" missing {:?}", step.missing)
                        },
                        frame_notes.concat(),
                    )
                }
                row => format!("{row:?}"),
            };
            text += close;
            text += "\n";
        }
        text
    }

    #[test]
    fn a_short_connection_has_a_line_for_each_segment() {
        insta::assert_snapshot!(drawn(
            "SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- 200 \"hello\"\n+5s <-- FIN\nFIN -->\n<-- ACK\n",
            false
        ));
    }

    #[test]
    fn losses_and_probes_are_seen() {
        insta::assert_snapshot!(drawn(
            concat!(
                "SYN -->\nagain -->\n<-- SYN\nACK -->\nGET / -->\nagain -->\n<-- 200 data 100 [length=900]\n",
                "<~~ data 100\n<-- data 100\nACK -->\n+60s <-- probe\nACK -->\nRST -->\n",
            ),
            false
        ));
    }

    #[test]
    fn runs_are_folded() {
        let mut picture =
            "SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- 200 data 100 [length=5100]\n".to_owned();
        for _ in 0..50 {
            picture += "<-- data 100\nACK -->\n";
        }
        picture += "<-- FIN\n";
        insta::assert_snapshot!(drawn(&picture, false));
        assert_eq!(drawn(&picture, true).lines().count(), 106);
    }
}
