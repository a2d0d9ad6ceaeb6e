//! The turns of both sides: runs of bytes from one of them.

use std::time::Duration;

use super::facts::EncryptedTurn;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::time::Timestamp;
use crate::protocol::http::SharedText;

/// A side that sends again after this pause, without an answer, does not wait for one.
const PAUSE: Duration = Duration::from_millis(20);
/// Turns after which it is a habit that the caller speaks and the other side answers.
const HABIT: u32 = 3;
/// Last words as short as this may be a goodbye, which has no answer, if the close follows at once.
const GOODBYE: u64 = 32;
const AT_ONCE: Duration = Duration::from_secs(1);
/// Bytes kept of the beginning of a turn.
const MAX_WORDS: usize = 120;
/// Turns that are kept.
const KEPT: usize = 6;

/// One turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) from: FlowEnd,
    /// Offset of its first byte in its direction.
    pub(super) start: u64,
    /// Its bytes.
    pub(super) length: u64,
    /// Where its first byte was seen.
    pub(super) first: FrameRef,
    /// Where its last byte was seen.
    pub(super) last: FrameRef,
}

/// The last turns of both sides.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    kept: Vec<Turn>,
    taken: [u32; 2],
    sent: [u64; 2],
    goes_on: bool,
    /// The least bytes of a turn of the caller that was answered; 0 without one.
    shortest: u64,
    /// The least time from a turn of the caller to the one of the other side that followed it.
    soonest: Option<Duration>,
    /// The capture lacks some of the bytes, so that the protocol may be one that is read.
    cut: bool,
    words: [Vec<u8>; 2],
}

impl Turns {
    /// No turn yet; offsets begin at these.
    pub(super) fn starting(since: [u64; 2]) -> Self {
        Self {
            sent: since,
            ..Self::default()
        }
    }

    /// Counts bytes of one side.
    pub(super) fn count(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8], length: u64) {
        self.cut |= (bytes.len() as u64) < length;
        let start = *from.of(&self.sent);
        *from.of_mut(&mut self.sent) = start.saturating_add(length);
        match self.kept.last_mut() {
            Some(turn) if turn.from == from => {
                self.goes_on |= from == FlowEnd::A && at.time.since(turn.last.time) >= PAUSE;
                turn.length = turn.length.saturating_add(length);
                turn.last = at;
            }
            last => {
                if let Some(turn) = last.filter(|turn| turn.from == FlowEnd::A) {
                    let after = at.time.since(turn.last.time);
                    self.soonest = Some(self.soonest.map_or(after, |it| it.min(after)));
                    self.shortest = match self.shortest {
                        0 => turn.length,
                        before => before.min(turn.length),
                    };
                }
                if self.kept.len() == KEPT {
                    self.kept.remove(0);
                }
                self.kept.push(Turn {
                    from,
                    start,
                    length,
                    first: at,
                    last: at,
                });
                let taken = from.of_mut(&mut self.taken);
                *taken = taken.saturating_add(1);
                let words = from.of_mut(&mut self.words);
                words.clear();
                words.extend_from_slice(bytes.get(..bytes.len().min(MAX_WORDS)).unwrap_or(bytes));
            }
        }
    }

    /// The last turns, if they are a habit of question and answer; else none. `least`: no answer comes sooner where it was
    /// captured, if that is known. A last turn that is shorter than any that was answered may be one that needs no answer.
    pub(super) fn pairs(&self, least: Option<Duration>) -> &[Turn] {
        let [asked, answered] = self.taken;
        let habit = asked >= HABIT && answered + 1 >= HABIT && !self.goes_on && !self.cut;
        let alike = self
            .kept
            .last()
            .is_some_and(|turn| turn.from == FlowEnd::B || turn.length >= self.shortest);
        let answers = least.zip(self.soonest).is_none_or(|(a, b)| b >= a);
        match habit && alike && answers {
            true => &self.kept,
            false => &[],
        }
    }

    /// Whether the side that was called spoke first: what follows may be answers of the caller.
    fn begins_with_other(&self) -> bool {
        let [caller, called] = self.taken;
        let last = self.kept.last().map(|turn| turn.from);
        // Turns alternate.
        match last {
            Some(FlowEnd::A) => called >= caller,
            Some(FlowEnd::B) => called > caller,
            None => false,
        }
    }

    /// The last turns, as far as they tell who spoke when.
    pub(super) fn last_ones(&self) -> Vec<EncryptedTurn> {
        let turns = self.kept.iter().map(|turn| EncryptedTurn {
            from: turn.from,
            first: turn.first,
            last: turn.last,
        });
        turns.collect()
    }

    /// Whether the caller's last words may be a goodbye, when `closer` closes at this time.
    pub(super) fn may_be_goodbye(&self, closer: FlowEnd, at: Timestamp) -> bool {
        self.kept.last().is_some_and(|turn| {
            let soon = at.since(turn.last.time) < AT_ONCE;
            let short = turn.length <= GOODBYE || self.begins_with_other();
            turn.from == FlowEnd::A && soon && (closer == FlowEnd::A || short)
        })
    }

    /// The beginning of each side's last turn, if it is printable.
    pub(super) fn last_words(&self) -> [Option<SharedText>; 2] {
        [0, 1].map(|end| {
            let words = self.words.get(end)?;
            let text = words.trim_ascii();
            let printable = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
            (text.len() > 2 && text.iter().all(printable)).then(|| SharedText::new(text))
        })
    }
}
