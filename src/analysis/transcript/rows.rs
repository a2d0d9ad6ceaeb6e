//! The rows of the ladder: one for each significant segment, one for each run of others, and one for each pause.

use std::time::Duration;

use super::{SegmentKind, Transcript, TranscriptStep};
use crate::analysis::connection::Connection;
use crate::base::frame_ref::FrameNumber;
use crate::protocol::annotations::RecordKind;

/// A row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscriptRow {
    /// The step with this index.
    Step(usize),
    /// The steps from `first` to `last` in one row: data and acknowledgements without loss.
    Run {
        /// Index of the first step.
        first: usize,
        /// Index of the last step.
        last: usize,
        /// Payload bytes of each side.
        bytes: [u64; 2],
        /// Retransmissions among them.
        again: usize,
    },
    /// Nothing was sent for this long.
    Pause(Duration),
    /// This many segments are not in the transcript.
    LeftOut(u64),
}

/// All rows of a transcript.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranscriptRows {
    /// The rows in order.
    pub lines: Vec<TranscriptRow>,
    /// The index of the row with the segment that closed the connection.
    pub close: Option<usize>,
}

/// The shortest pause with a row of its own: people notice it, and timers have this length.
const PAUSE: Duration = Duration::from_secs(1);
/// Rows of a run shown before the folded part; [`RUN_TAIL`] after it.
const RUN_HEAD: usize = 2;
const RUN_TAIL: usize = 1;
/// Fewer steps than this are not folded.
const FOLD_LEAST: usize = 3;
/// Retransmissions beyond this number are folded as well, because they add nothing.
const MAX_AGAIN: usize = 200;

impl TranscriptRows {
    /// The rows of a transcript; if `whole`, each segment has its own row.
    #[must_use]
    pub fn new(transcript: &Transcript, connection: &Connection, whole: bool) -> Self {
        let mut rows = Self::default();
        let mut run = 0..0;
        let mut again = 0;
        let ends = ends(connection);
        for (nth, step) in transcript.steps.iter().enumerate() {
            let before = nth.checked_sub(1).and_then(|nth| transcript.steps.get(nth));
            // Between two retransmissions the times tell it.
            let is_repeat = step.kind == SegmentKind::Again
                && before.is_some_and(|it| it.from == step.from && it.length == step.length);
            let pause = before
                .map(|before| step.time.since(before.time))
                .filter(|pause| *pause >= PAUSE && !is_repeat);
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

    /// The index of the row that shows a step.
    #[must_use]
    pub(crate) fn line_of(&self, step: usize) -> Option<usize> {
        self.lines.iter().position(|row| match row {
            TranscriptRow::Step(nth) => *nth == step,
            TranscriptRow::Run { first, last, .. } => (*first..=*last).contains(&step),
            TranscriptRow::Pause(_) | TranscriptRow::LeftOut(_) => false,
        })
    }

    /// Adds a run of plain steps, and folds its middle if it is long.
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

/// The frames that show how the connection ended, which are never folded.
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

/// Whether a record has a row of its own: those that begin or end a layer do.
const fn tells(what: RecordKind) -> bool {
    match what {
        RecordKind::Handshake(_) | RecordKind::Alert(..) | RecordKind::Proxied(..) => true,
        RecordKind::Ws(opcode, _) => opcode >= 8,
        _ => false,
    }
}

impl TranscriptStep {
    /// Data or an acknowledgement only, without a change of state.
    pub(crate) fn is_plain(&self, before: Option<&Self>, again_too: bool) -> bool {
        !self.flags.is_control()
            && self.missing == [0; 2]
            && self.window > 0
            && before.is_some_and(|before| before.standings == self.standings)
            && match self.kind {
                SegmentKind::Bare | SegmentKind::New => true,
                SegmentKind::Other => true,
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

    /// One short line per row.
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
