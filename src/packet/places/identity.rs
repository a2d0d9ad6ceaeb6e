//! What stays the same of a segment wherever it is captured: its numbers.
//!
//! Addresses, ports, hop limit and checksums change on the way, and some options do. Sequence and acknowledgement number,
//! flags, length and timestamps do not; nobody but their sender knows them. The IPv4 identification tells retransmissions
//! apart, but some boxes rewrite it, so it only chooses between equals.

use crate::base::net::Flags;
use crate::packet::capture::Frame;
use crate::packet::decode::{Segment, TimestampOption};

use super::rewrite::network;

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
/// FIN, SYN, RST and ACK: others are changed by congested routers and by segmentation.
const FLAGS: u8 = Flags::FIN.0 | Flags::SYN.0 | Flags::RST.0 | Flags::ACK.0;

/// The numbers of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) seq: u32,
    /// 0 without [`Flags::ACK`].
    pub(super) ack: u32,
    pub(super) times: Option<TimestampOption>,
    pub(super) length: u32,
    pub(super) flags: Flags,
}

impl Numbers {
    pub(super) fn of(segment: &Segment<'_>) -> Self {
        let acks = segment.flags.has(Flags::ACK);
        Self {
            seq: segment.seq.0,
            ack: if acks { segment.ack.0 } else { 0 },
            times: segment.options.timestamps,
            length: segment.length,
            flags: segment.flags,
        }
    }

    /// Whether they are the same but for timestamps, which only one of the two has.
    pub(super) fn differ_in_timestamps(&self, other: &Self) -> bool {
        self.times.is_some() != other.times.is_some()
            && (self.seq, self.ack, self.length) == (other.seq, other.ack, other.length)
            && lasting(self.flags) == lasting(other.flags)
    }

    /// A hash of them.
    pub(super) fn identity(&self) -> u64 {
        let times = self.times.unwrap_or_default();
        let hash = mix(MULTIPLIER ^ (u64::from(self.seq) << 32 | u64::from(self.ack)));
        let hash = mix(hash ^ (u64::from(times.value) << 32 | u64::from(times.echo)));
        mix(hash ^ (u64::from(self.length) << 8 | u64::from(lasting(self.flags))))
    }
}

/// The flags that nobody changes on the way.
pub(super) const fn lasting(flags: Flags) -> u8 {
    flags.0 & FLAGS
}

/// Whether these numbers are hardly ever the same by chance.
pub(super) fn is_telling(segment: &Segment<'_>) -> bool {
    let flags = segment.flags;
    let opens = flags.has(Flags::SYN);
    opens || flags.has(Flags::ACK) && segment.seq.0 != 0 && segment.ack.0 != 0
}

/// A hash of an IP packet that holds no TCP segment, without what routers change; `None` if there is no IP packet.
pub(super) fn of_other(frame: &Frame<'_>) -> Option<u64> {
    let packet = frame.data.get(network(frame.link, frame.data)?..)?;
    let (head, rest) = match packet.first()? >> 4 {
        4 => (packet.get(4..10)?, packet.get(12..)?),
        6 => (packet.get(4..7)?, packet.get(8..)?),
        _ => return None,
    };
    // The hop limit is the last of `head` for IPv4, and lies between the two for IPv6.
    let head = head
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != 4 || head.len() < 6);
    let bytes = head
        .map(|(_, byte)| *byte)
        .chain(rest.iter().take(256).copied());
    let hash = bytes.fold(MULTIPLIER ^ rest.len() as u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Some(mix(hash))
}

pub(super) const fn mix(word: u64) -> u64 {
    let word = word.wrapping_mul(MULTIPLIER);
    (word ^ word >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ word >> 32
}
