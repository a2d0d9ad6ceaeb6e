//! Floor 0¾: what was read in which segment, taken down for whoever looks at one connection at close range.
//!
//! In: from those who read records and frames, what each was. Out: [`Annotations`]: notes in order, and the bytes that were said
//! under keys. A [`Annotator`] is handed to all layers of one connection; without one nothing is taken down, so that an analysis
//! of many connections pays nothing. Bounded: of very much the beginning and the end stay.
//!
//! Kinds are the numbers of the RFCs; words are left to whoever shows them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;

/// Notes kept of the beginning, and as many of the end: more than anybody reads.
const MAX_NOTES: usize = 50_000;
/// Bytes kept of what was said under keys, of the beginning, and as many of the end: hundreds of screens each.
const MAX_BYTES: usize = 1 << 20;

/// What was read of one connection. [`FlowEnd::A`] is the client of the connection once it is in a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Records and frames, as they ended.
    pub notes: Vec<Annotation>,
    /// What was said under keys, both sides as it came. Empty where nothing was opened.
    pub said: Vec<DecryptedPart>,
}

/// Something that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Who sent it.
    pub from: FlowEnd,
    /// The segment in which it ended; of a frame of HTTP/2, in which it began.
    pub at: FrameRef,
    /// What it was.
    pub what: RecordKind,
}

/// What something was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A handshake message of TLS, by its type (RFC 8446 §4).
    Handshake(u8),
    /// A ChangeCipherSpec.
    ChangeCipherSpec,
    /// An alert: level and description (RFC 8446 §6).
    Alert(u8, u8),
    /// A record under keys that was not opened: its content type outside, and its length.
    Closed(u8, u16),
    /// So many bytes of application data, opened.
    Data(u64),
    /// A frame of HTTP/2 (RFC 9113 §4.1).
    H2 {
        /// Its type.
        kind: u8,
        /// Its flags.
        flags: u8,
        /// Its stream.
        stream: u32,
        /// Bytes of its payload.
        length: u32,
    },
    /// A frame of a WebSocket (RFC 6455 §5.2): opcode, and bytes of its payload.
    Ws(u8, u64),
}

/// A part of what was said under keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecryptedPart {
    /// By whom.
    pub from: FlowEnd,
    /// Where its record ended.
    pub at: FrameRef,
    /// The bytes; none where some are missing.
    pub bytes: Vec<u8>,
    /// Bytes that are missing, about.
    pub missing: u64,
    /// Much that is not kept was before it, of both sides.
    pub after_gap: bool,
}

impl Annotations {
    /// The same with the client of the connection as [`FlowEnd::A`].
    #[must_use]
    pub fn seen_from(mut self, client: FlowEnd) -> Self {
        if client == FlowEnd::B {
            for note in &mut self.notes {
                note.from = note.from.other();
            }
            for part in &mut self.said {
                part.from = part.from.other();
            }
        }
        self
    }
}

/// Takes the minutes. Clones write into the same ones.
#[derive(Clone, Debug, Default)]
pub struct Annotator(Arc<Mutex<Collected>>);

#[derive(Debug, Default)]
struct Collected {
    notes: HeadAndTail<Annotation>,
    said: HeadAndTail<DecryptedPart>,
}

impl Annotator {
    /// Something was read.
    pub fn note(&self, from: FlowEnd, at: FrameRef, what: RecordKind) {
        self.draft()
            .notes
            .push(Annotation { from, at, what }, 1, MAX_NOTES);
    }

    /// This was said under keys.
    pub fn said(&self, from: FlowEnd, at: FrameRef, bytes: &[u8]) {
        self.part(from, at, bytes.to_vec(), 0);
    }

    /// So many bytes that were said under keys are not there.
    pub fn missing(&self, from: FlowEnd, at: FrameRef, length: u64) {
        self.part(from, at, Vec::new(), length);
    }

    /// What was taken down so far.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        let mut draft = self.draft();
        let (notes, _) = std::mem::take(&mut draft.notes).into_parts();
        let (mut said, gap) = std::mem::take(&mut draft.said).into_parts();
        if let Some(after) = gap.and_then(|at| said.get_mut(at)) {
            after.after_gap = true;
        }
        Annotations { notes, said }
    }

    fn part(&self, from: FlowEnd, at: FrameRef, bytes: Vec<u8>, missing: u64) {
        let weight = bytes.len() + size_of::<DecryptedPart>();
        let part = DecryptedPart {
            from,
            at,
            bytes,
            missing,
            after_gap: false,
        };
        self.draft().said.push(part, weight, MAX_BYTES);
    }

    fn draft(&self) -> MutexGuard<'_, Collected> {
        // Whoever panicked here left whole notes behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning and the end of something long.
#[derive(Debug)]
struct HeadAndTail<T> {
    beginning: Vec<T>,
    end: VecDeque<(T, usize)>,
    weights: [usize; 2],
    left_out: bool,
}

impl<T> Default for HeadAndTail<T> {
    fn default() -> Self {
        Self {
            beginning: Vec::new(),
            end: VecDeque::new(),
            weights: [0; 2],
            left_out: false,
        }
    }
}

impl<T> HeadAndTail<T> {
    fn push(&mut self, it: T, weight: usize, most: usize) {
        if self.end.is_empty() && self.weights[0] + weight <= most {
            self.weights[0] += weight;
            self.beginning.push(it);
            return;
        }
        self.weights[1] += weight;
        self.end.push_back((it, weight));
        while self.weights[1] > most && self.end.len() > 1 {
            let Some((_, weight)) = self.end.pop_front() else {
                break;
            };
            self.weights[1] = self.weights[1].saturating_sub(weight);
            self.left_out = true;
        }
    }

    /// All that is kept, and behind what something is missing.
    fn into_parts(self) -> (Vec<T>, Option<usize>) {
        let gap = self.left_out.then_some(self.beginning.len());
        let mut all = self.beginning;
        all.extend(self.end.into_iter().map(|(it, _)| it));
        (all, gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_much_the_beginning_and_the_end_stay() {
        let annotator = Annotator::default();
        let at = FrameRef::default();
        for nth in 0..3 * MAX_NOTES as u64 {
            annotator
                .clone()
                .note(FlowEnd::A, at, RecordKind::Data(nth));
        }
        annotator.said(FlowEnd::A, at, b"first");
        for _ in 0..5 {
            annotator.said(FlowEnd::B, at, &vec![b'x'; MAX_BYTES / 2]);
        }
        annotator.said(FlowEnd::B, at, b"last");
        let annotations = annotator.annotations().seen_from(FlowEnd::B);
        assert_eq!(annotations.notes.len(), 2 * MAX_NOTES);
        assert_eq!(annotations.notes[0].what, RecordKind::Data(0));
        assert_eq!(annotations.notes[0].from, FlowEnd::B);
        let last = annotations.notes.last().expect("notes");
        assert_eq!(last.what, RecordKind::Data(3 * MAX_NOTES as u64 - 1));
        let [first, .., end] = &annotations.said[..] else {
            panic!("parts");
        };
        assert_eq!(
            (&first.bytes[..], &end.bytes[..]),
            (&b"first"[..], &b"last"[..])
        );
        assert_eq!(annotations.said.iter().filter(|it| it.after_gap).count(), 1);
        let bytes: usize = annotations.said.iter().map(|it| it.bytes.len()).sum();
        assert!(bytes <= 2 * MAX_BYTES, "{bytes}");
    }
}
