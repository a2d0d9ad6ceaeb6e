//! Annotations of one connection: what was parsed in which segment.
//!
//! In: the kind of each record and frame, from the dissector that parsed it. Out: [`Annotations`], which hold notes in
//! order and the decrypted data. One [`Annotator`] is shared by all layers of a connection. Without one nothing is
//! recorded, so an analysis of many connections does not pay for it. Bounded: of a long connection the beginning and
//! the end are kept.
//!
//! Kinds are the numbers of the RFCs; the code that displays them supplies the words.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Endpoint;

/// Notes kept from the beginning, and as many from the end: more than anybody reads.
const MAX_NOTES: usize = 50_000;
/// Bytes of decrypted data kept from the beginning, and as many from the end: hundreds of screens each.
const MAX_BYTES: usize = 1 << 20;

/// What was parsed on one connection. [`FlowEnd::A`] is the client once this is part of a connection record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Records and frames, in the order in which they ended.
    pub notes: Vec<Annotation>,
    /// Decrypted data of both directions, in order of arrival. Empty if nothing was decrypted.
    pub said: Vec<DecryptedPart>,
}

/// One record or frame that was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The end that sent it.
    pub from: FlowEnd,
    /// The segment in which it ended; for an HTTP/2 frame, in which it began.
    pub at: FrameRef,
    /// Its kind.
    pub what: RecordKind,
}

/// The kind of a record or frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A TLS handshake message: its type (RFC 8446 §4).
    Handshake(u8),
    /// A TLS ChangeCipherSpec record.
    ChangeCipherSpec,
    /// A TLS alert: level and description (RFC 8446 §6).
    Alert(u8, u8),
    /// A TLS record that was not decrypted: its outer content type and its length in bytes.
    Closed(u8, u16),
    /// Decrypted application data: its length in bytes.
    Data(u64),
    /// An HTTP/2 frame (RFC 9113 §4.1).
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
    /// A WebSocket frame (RFC 6455 §5.2): its opcode and its payload length in bytes.
    Ws(u8, u64),
    /// The header of the PROXY protocol: its version, and the client that it names.
    Proxied(u8, Option<Endpoint>),
}

/// A part of the decrypted data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecryptedPart {
    /// The end that sent it.
    pub from: FlowEnd,
    /// The segment in which its record ended.
    pub at: FrameRef,
    /// The bytes; empty if `missing` counts bytes that are not available.
    pub bytes: Vec<u8>,
    /// Approximate number of missing bytes.
    pub missing: u64,
    /// Data of both directions before this part was discarded to stay within the bound.
    pub after_gap: bool,
}

impl Annotations {
    /// Swaps the ends if necessary, so that `client` becomes [`FlowEnd::A`].
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

/// Records what is parsed. Clones write to the same annotations.
#[derive(Clone, Debug, Default)]
pub struct Annotator(Arc<Mutex<Collected>>);

#[derive(Debug, Default)]
struct Collected {
    notes: HeadAndTail<Annotation>,
    said: HeadAndTail<DecryptedPart>,
}

impl Annotator {
    /// Records that a record or frame was parsed.
    pub fn note(&self, from: FlowEnd, at: FrameRef, what: RecordKind) {
        self.draft()
            .notes
            .push(Annotation { from, at, what }, 1, MAX_NOTES);
    }

    /// Records decrypted bytes.
    pub fn said(&self, from: FlowEnd, at: FrameRef, bytes: &[u8]) {
        self.part(from, at, bytes.to_vec(), 0);
    }

    /// Records that `length` bytes of decrypted data are missing.
    pub fn missing(&self, from: FlowEnd, at: FrameRef, length: u64) {
        self.part(from, at, Vec::new(), length);
    }

    /// Takes out everything recorded so far.
    #[must_use]
    pub(crate) fn annotations(&self) -> Annotations {
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
        // A panic while the lock was held leaves only whole notes behind, so poisoning is harmless.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning and the end of a long sequence; the middle is discarded.
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

    /// All kept items, and the index of the first one after the discarded middle, if anything was discarded.
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
