//! Segments whose control bits or numbers contradict RFC 9293, of the kinds that are worth reporting.
//!
//! In: segments as [`super::EndpointPair`] takes them. Out: one entry for each kind and sender, with the first frame
//! and a count. Left out on purpose: a FIN a little beyond the data seen, which a lost segment explains as well.

use crate::base::frame_ref::FrameRef;
use crate::packet::decode::Segment;

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
    /// New bytes from another distance, sooner than the host has ever answered: another device sent them.
    ForeignBytes,
    /// A FIN whose sequence number is far from everything sent.
    FinOutOfRange,
    /// A RST with payload, which may state the reason (RFC 9293 §3.5.3).
    ResetWithText,
    /// A RST outside the receiver's window, on a connection that was not over (RFC 5961 §3).
    ResetOutOfWindow,
    /// A RST that answers a SYN and does not acknowledge it, which the receiver ignores (RFC 9293 §3.10.7.3).
    EarlyReset,
}

/// A segment that has signs of another sender: often one of two with the same sequence numbers and other bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgedBytes {
    /// The segment with the signs.
    pub forged: FrameRef,
    /// The other one, which is like the rest of the sender's segments; `None` if it was not sent.
    pub genuine: Option<FrameRef>,
    /// Its time to live or hop limit, and that of the other one, or of the host.
    pub ttls: [u8; 2],
    /// It has no timestamps, and the other one has.
    pub unstamped: bool,
    /// Its receiver had acknowledged its bytes before the other one came.
    pub taken: bool,
}

impl ForgedBytes {
    /// Whether no other route explains it: it came from another distance, and lacks what the sender's segments have, or came before
    /// the sender can have answered.
    pub(crate) const fn is_certainly_foreign(&self) -> bool {
        self.ttls[0] != self.ttls[1] && (self.unstamped || self.genuine.is_none())
    }
}

/// What tells one host's segments from another's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traits {
    pub(super) at: FrameRef,
    pub(super) ttl: u8,
    pub(super) stamped: bool,
    /// The identification of IPv4; 0 if there is none.
    pub(super) id: u16,
}

impl Traits {
    pub(super) const fn of(segment: &Segment<'_>, at: FrameRef) -> Self {
        Self {
            at,
            ttl: segment.ttl,
            stamped: segment.options.timestamps.is_some(),
            id: match segment.ip_id {
                Some(id) => id,
                None => 0,
            },
        }
    }

    /// Whether two segments are one packet, which a device changed on its way.
    pub(super) const fn is_packet_of(self, other: Self) -> bool {
        self.id != 0 && self.id == other.id
    }

    /// Whether a segment with these traits may be one of a host whose first segment had this time to live.
    const fn fits(self, ttl: u8, stamps: bool) -> bool {
        self.ttl == ttl && self.stamped == stamps
    }
}

/// Which of two segments with the same numbers and other bytes is not one of the host, if its traits show it. `ttl` is
/// the host's, `stamps` whether it sends timestamps; `taken`: the first of them was acknowledged before the second came.
pub(super) fn forged(
    first: Traits,
    second: Traits,
    ttl: u8,
    stamps: bool,
    taken: bool,
) -> Option<ForgedBytes> {
    if first.is_packet_of(second) {
        return None;
    }
    let fit = (first.fits(ttl, stamps), second.fits(ttl, stamps));
    let (odd, even) = match fit {
        (false, true) => (first, second),
        (true, false) => (second, first),
        _ => return None,
    };
    Some(ForgedBytes {
        forged: odd.at,
        genuine: Some(even.at),
        ttls: [odd.ttl, even.ttl],
        unstamped: even.stamped && !odd.stamped,
        taken: taken && odd.at == first.at,
    })
}

/// Segments of one kind from one sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddSegments {
    /// What is odd.
    pub kind: Oddity,
    /// The frame of the first one.
    pub first: FrameRef,
    /// The frame of the last one.
    pub last: FrameRef,
    /// Number of such segments; saturates.
    pub count: u32,
    /// Those of them that have a wrong TCP checksum, which no receiver accepts.
    pub damaged: u32,
    /// Payload of the first one, at most 80 bytes of it; empty unless it is a RST.
    pub text: Box<[u8]>,
    /// Time to live or hop limit of the last one; 0 unless it is an [`Oddity::EarlyReset`].
    pub ttl: u8,
    /// Of [`Oddity::OtherBytes`] which of the two is forged, where their traits show it; of [`Oddity::ForeignBytes`] itself.
    pub forged: Option<Box<ForgedBytes>>,
    /// Of the same: the two have one IP identification, so that they are one packet whose bytes were changed.
    pub is_one_packet: bool,
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
            Some(odd) => (odd.count, odd.last) = (odd.count.saturating_add(1), at),
            None => all.push(OddSegments {
                kind,
                first: at,
                last: at,
                count: 1,
                damaged: 0,
                text: text.get(..MAX_TEXT).unwrap_or(text).into(),
                ttl: 0,
                forged: None,
                is_one_packet: false,
            }),
        }
    }

    /// Counts a segment with other bytes under numbers that were sent before.
    #[cold]
    pub(super) fn note_other_bytes(
        &mut self,
        at: FrameRef,
        forged: Option<ForgedBytes>,
        is_one_packet: bool,
    ) {
        let first = !self.has(Oddity::OtherBytes);
        self.note(Oddity::OtherBytes, at, &[]);
        let all = self.0.as_deref_mut().map_or(&mut [][..], Vec::as_mut_slice);
        if let Some(odd) = all.iter_mut().find(|odd| odd.kind == Oddity::OtherBytes)
            && odd.forged.is_none()
        {
            odd.forged = forged.map(Box::new);
            odd.is_one_packet |= is_one_packet && first;
        }
    }

    /// Notes bytes that another device sent in a host's name, whose segments have the TTL `own`.
    #[cold]
    pub(super) fn note_foreign_bytes(&mut self, at: FrameRef, ttl: u8, own: u8) {
        self.note(Oddity::ForeignBytes, at, &[]);
        let all = self.0.as_deref_mut().map_or(&mut [][..], Vec::as_mut_slice);
        if let Some(odd) = all.iter_mut().find(|odd| odd.kind == Oddity::ForeignBytes) {
            odd.forged.get_or_insert_with(|| {
                Box::new(ForgedBytes {
                    forged: at,
                    genuine: None,
                    ttls: [ttl, own],
                    unstamped: false,
                    taken: false,
                })
            });
        }
    }

    /// Whether there are any.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Looks at the checksum of a segment, if it is one of these.
    #[cold]
    pub(super) fn note_checksum(&mut self, segment: &Segment<'_>, at: FrameRef) {
        let all = self.0.as_deref_mut().map_or(&mut [][..], Vec::as_mut_slice);
        let mut own = all.iter_mut().filter(|odd| odd.last == at).peekable();
        if own.peek().is_some() && segment.has_right_checksum() == Some(false) {
            own.for_each(|odd| odd.damaged = odd.damaged.saturating_add(1));
        }
    }

    /// Notes a RST that came before the answer to a SYN and does not acknowledge it.
    #[cold]
    pub(super) fn note_early_reset(&mut self, at: FrameRef, ttl: u8) {
        self.note(Oddity::EarlyReset, at, &[]);
        let all = self.0.as_deref_mut().map_or(&mut [][..], Vec::as_mut_slice);
        if let Some(odd) = all.iter_mut().find(|odd| odd.kind == Oddity::EarlyReset) {
            odd.ttl = ttl;
        }
    }

    /// Takes back what a later segment explains.
    #[cold]
    pub(super) fn forget(&mut self, kind: Oddity) {
        if let Some(all) = &mut self.0 {
            all.retain(|odd| odd.kind != kind);
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
