//! Segments whose control bits or numbers contradict RFC 9293, of the kinds that are worth reporting.
//!
//! In: segments as [`super::EndpointPair`] takes them. Out: one entry for each kind and sender, with the first frame
//! and a count. Left out on purpose: a FIN a little beyond the data seen, which a lost segment explains as well.

use crate::base::frame_ref::FrameRef;

/// Bytes kept of the payload of a RST: one line on a screen.
const MAX_TEXT: usize = 80;

/// What is odd about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oddity {
    /// SYN and FIN in one segment.
    SynFin,
    /// FIN without ACK: every segment after the first has an ACK, unless it is a RST (RFC 9293 §3.1).
    FinWithoutAck,
    /// None of SYN, RST, FIN and ACK.
    WithoutAck,
    /// New bytes beyond the sender's own FIN (RFC 9293 §3.6).
    DataAfterFin,
    /// Sequence numbers sent before, with other bytes: two hosts send in one name, or a box on the path changed bytes.
    OtherBytes,
    /// A FIN whose sequence number is far from everything sent.
    FinOutOfRange,
    /// A RST with payload, which may state the reason (RFC 9293 §3.5.3).
    ResetWithText,
    /// A RST outside the receiver's window, on a connection that was not over (RFC 5961 §3).
    ResetOutOfWindow,
}

/// Segments of one kind from one sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddSegments {
    /// What is odd.
    pub kind: Oddity,
    /// The frame of the first one.
    pub first: FrameRef,
    /// Number of such segments; saturates.
    pub count: u32,
    /// Payload of the first one, at most 80 bytes of it; empty unless it is a RST.
    pub text: Box<[u8]>,
}

/// What is odd about one sender's segments; nearly always empty.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::box_collection,
    reason = "every peer has the word, and hardly any the list"
)]
pub struct Oddities(Option<Box<Vec<OddSegments>>>);

impl Oddities {
    /// Counts one odd segment.
    #[cold]
    pub(super) fn note(&mut self, kind: Oddity, at: FrameRef, text: &[u8]) {
        let all = self.0.get_or_insert_default();
        match all.iter_mut().find(|odd| odd.kind == kind) {
            Some(odd) => odd.count = odd.count.saturating_add(1),
            None => all.push(OddSegments {
                kind,
                first: at,
                count: 1,
                text: text.get(..MAX_TEXT).unwrap_or(text).into(),
            }),
        }
    }

    /// Whether a segment of this kind was noted.
    pub(super) fn has(&self, kind: Oddity) -> bool {
        self.all().iter().any(|odd| odd.kind == kind)
    }

    /// All entries, in order of their first frames.
    #[must_use]
    pub fn all(&self) -> &[OddSegments] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_line_for_each_kind() {
        let mut oddities = Oddities::default();
        assert!(oddities.all().is_empty());
        for text in [&b"first"[..], b"second"] {
            oddities.note(Oddity::ResetWithText, FrameRef::default(), text);
        }
        oddities.note(Oddity::SynFin, FrameRef::default(), &[b'x'; 500]);
        let lines: Vec<_> = oddities
            .all()
            .iter()
            .map(|odd| (odd.kind, odd.count, odd.text.len()))
            .collect();
        let wanted = [(Oddity::ResetWithText, 2, 5), (Oddity::SynFin, 1, MAX_TEXT)];
        assert_eq!(lines, wanted);
    }
}
