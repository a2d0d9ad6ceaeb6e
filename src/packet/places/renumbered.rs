//! Connections whose sequence numbers a box between the places changes: firewalls that choose initial numbers at random, and
//! those that answer a SYN themselves and open the connection to the server later.
//!
//! Such a box adds one number to all of an end's, and takes it from the acknowledgements of the other end; the payload,
//! the lengths, the order and, of most boxes, the timestamps remain. So a segment is looked for by what remains
//! ([`likeness`]), and two segments of one flow that need the same numbers to be added prove that the flow is the same
//! ([`Shift::agreed`]), as does one whose numbers relative to both SYNs are the same ([`Shift::of_first`]): by chance that
//! happens once in four thousand million times.

use super::identity::{self, Numbers};
use crate::base::net::{Endpoint, Flags};
use crate::packet::decode::Segment;
use crate::packet::flow::FlowKey;

/// Bytes of the payload that are looked at.
const LOOKED_AT: usize = 32;

/// What is added to the numbers of both ends, by their order at the base, to get those that the base shows. `None`: not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shift {
    seq: [Option<u32>; 2],
    times: [Option<u32>; 2],
}

impl Shift {
    /// What makes one segment of the other, if both are the same and this end of the base sent it.
    pub(super) fn between(base: &Numbers, other: &Numbers, end: usize) -> Self {
        let mut shift = Self::default();
        shift.seq[end] = Some(base.seq.wrapping_sub(other.seq));
        if base.flags.has(Flags::ACK) && other.flags.has(Flags::ACK) {
            shift.seq[1 - end] = Some(base.ack.wrapping_sub(other.ack));
        }
        if let (Some(ours), Some(theirs)) = (base.times, other.times) {
            shift.times[end] = Some(ours.value.wrapping_sub(theirs.value));
            if ours.echo != 0 && theirs.echo != 0 {
                shift.times[1 - end] = Some(ours.echo.wrapping_sub(theirs.echo));
            }
        }
        shift
    }

    /// What two segments say together; `None` if they contradict each other or have nothing in common.
    pub(super) fn agreed(self, with: Self) -> Option<Self> {
        let one = |a: Option<u32>, b: Option<u32>| match (a, b) {
            (Some(a), Some(b)) => (a == b).then_some(Some(a)),
            (a, b) => Some(a.or(b)),
        };
        let common = (0..2).any(|end| self.seq[end].is_some() && with.seq[end].is_some());
        if !common {
            return None;
        }
        let pair =
            |a: [Option<u32>; 2], b: [Option<u32>; 2]| Some([one(a[0], b[0])?, one(a[1], b[1])?]);
        Some(Self {
            seq: pair(self.seq, with.seq)?,
            times: pair(self.times, with.times)?,
        })
    }

    /// What follows from the first numbers of both ends at both places, each in the order of the base.
    pub(super) fn of_first(base: [Option<u32>; 2], other: [Option<u32>; 2]) -> Option<Self> {
        let one = |end: usize| Some(base[end]?.wrapping_sub(other[end]?));
        Some(Self {
            seq: [Some(one(0)?), Some(one(1)?)],
            times: [None; 2],
        })
    }

    /// A segment of this end has the same numbers at both places.
    pub(super) fn keep(&mut self, numbers: &Numbers, end: usize) {
        self.seq[end].get_or_insert(0);
        if numbers.flags.has(Flags::ACK) {
            self.seq[1 - end].get_or_insert(0);
        }
    }

    /// Whether it is known what happens to the numbers of both ends.
    pub(super) const fn is_whole(&self) -> bool {
        self.seq[0].is_some() && self.seq[1].is_some()
    }

    /// Whether nothing is changed, as far as is known.
    pub(super) fn is_plain(&self) -> bool {
        let all = self.seq.iter().chain(&self.times);
        all.flatten().all(|it| *it == 0)
    }

    /// What is added to the sequence numbers of an end.
    pub(super) fn seq(&self, end: usize) -> u32 {
        self.seq[end].unwrap_or(0)
    }

    /// What is added to the timestamps of an end.
    pub(super) fn times(&self, end: usize) -> u32 {
        self.times[end].unwrap_or(0)
    }

    /// The numbers of a segment of this end as the base would show them.
    pub(super) fn to_base(self, mut numbers: Numbers, end: usize) -> Numbers {
        numbers.seq = numbers.seq.wrapping_add(self.seq(end));
        if numbers.flags.has(Flags::ACK) {
            numbers.ack = numbers.ack.wrapping_add(self.seq(1 - end));
        }
        if let Some(times) = &mut numbers.times {
            times.value = times.value.wrapping_add(self.times(end));
            if times.echo != 0 {
                times.echo = times.echo.wrapping_add(self.times(1 - end));
            }
        }
        numbers
    }
}

/// A hash of what remains of a segment where its numbers are changed; 0 if that says too little.
pub(super) fn likeness(segment: &Segment<'_>) -> u64 {
    let opens = segment.flags.has(Flags::SYN);
    let value = segment.options.timestamps.map(|times| times.value);
    let closes = segment.flags.has(Flags::FIN) && value.is_some();
    if !opens && !closes && segment.length == 0 {
        return 0;
    }
    let hash =
        identity::mix(u64::from(segment.length) << 8 | u64::from(identity::lasting(segment.flags)));
    let hash = match value {
        Some(value) => identity::mix(hash ^ u64::from(value) << 1 ^ 1),
        None if opens => {
            // Only its addresses and ports are left; which end sends it is told by its flags.
            let (from, to) = (segment.source, segment.destination);
            identity::mix(hash ^ FlowKey::new(from, to, segment.context).share())
        }
        None => hash,
    };
    let whole = usize::try_from(segment.length)
        .unwrap_or(usize::MAX)
        .min(LOOKED_AT);
    let Some(begin) = segment.payload.get(..whole) else {
        // The snap length has cut what must be compared.
        return 0;
    };
    let words = begin.chunks(8).map(|part| {
        part.iter()
            .fold(1_u64, |word, byte| word.rotate_left(8) ^ u64::from(*byte))
    });
    words
        .fold(hash, |hash, word| identity::mix(hash ^ word))
        .max(1)
}

/// One sighting of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting<'a> {
    pub(super) numbers: &'a Numbers,
    pub(super) ip_id: u16,
    /// Sender and receiver.
    pub(super) ends: [Endpoint; 2],
}

/// Whether two segments of one likeness may be the same. Equal timestamps are a part of the likeness. Without them the
/// legs of a proxy are alike as well: their packets have other identifications, and other addresses.
pub(super) fn may_be_same(a: Sighting<'_>, b: Sighting<'_>) -> bool {
    match (a.numbers.times, b.numbers.times) {
        (Some(_), Some(_)) => true,
        (None, None) if a.ip_id != 0 && b.ip_id != 0 => a.ip_id == b.ip_id,
        (None, None) => a.ends == b.ends,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::decode::TimestampOption;

    fn numbers(seq: u32, ack: u32, flags: Flags, times: Option<(u32, u32)>) -> Numbers {
        Numbers {
            seq,
            ack,
            times: times.map(|(value, echo)| TimestampOption { value, echo }),
            length: 0,
            flags,
        }
    }

    #[test]
    fn two_segments_prove_what_is_added() {
        let (syn, ack) = (Flags::SYN, Flags::ACK);
        // The client's numbers gain 100 on the way to the base, the server's lose 7.
        let first = Shift::between(
            &numbers(1100, 0, syn, Some((5, 0))),
            &numbers(1000, 0, syn, Some((5, 0))),
            0,
        );
        assert!(!first.is_whole() && !first.is_plain());
        let second = Shift::between(
            &numbers(493, 1101, Flags(syn.0 | ack.0), Some((9, 5))),
            &numbers(500, 1001, Flags(syn.0 | ack.0), Some((9, 5))),
            1,
        );
        let shift = first.agreed(second).unwrap();
        assert!(shift.is_whole());
        let base = shift.to_base(numbers(1001, 501, ack, Some((6, 9))), 0);
        assert_eq!((base.seq, base.ack), (1101, 494));
        let other = Shift::between(&numbers(7, 1101, ack, None), &numbers(1, 900, ack, None), 1);
        assert_eq!(shift.agreed(other), None, "other numbers are added");
    }

    #[test]
    fn one_segment_of_each_end_that_say_nothing_of_the_other_prove_nothing() {
        let syn = |seq| numbers(seq, 0, Flags::SYN, None);
        let first = Shift::between(&syn(1), &syn(5), 0);
        assert_eq!(first.agreed(Shift::between(&syn(1), &syn(5), 1)), None);
        assert!(first.agreed(first).is_some());
    }

    #[test]
    fn numbers_that_go_round_are_added_as_well() {
        let shift = Shift::between(
            &numbers(3, u32::MAX, Flags::ACK, None),
            &numbers(u32::MAX - 1, 2, Flags::ACK, None),
            1,
        );
        let base = shift.to_base(numbers(u32::MAX, 3, Flags::ACK, None), 1);
        assert_eq!((base.seq, base.ack), (4, 0));
    }
}
