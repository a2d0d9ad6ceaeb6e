//! Padding of short Ethernet frames that was counted as payload.
//!
//! An Ethernet frame carries at least 46 bytes, 42 behind a VLAN tag (IEEE 802.3 §3.2.8, 802.1Q §G.2.3), so that a bare segment of
//! IPv4 is padded by a few bytes. Some devices write the padded length into the IP header, and the padding looks like payload.
//! Here is what it looks like, and where it is kept; `unpadded.rs` decides.

use crate::base::frame_ref::FrameRef;
use crate::base::net::Flags;
use crate::packet::decode::Segment;

/// An Ethernet frame of an IPv4 acknowledgement is padded by 6 bytes at most.
const MAX_PADDING: u32 = 6;
/// The least that an Ethernet frame carries, without and with a VLAN tag.
const LEAST: [usize; 2] = [46, 42];
/// An IPv4 header without options.
const IP_HEADER: usize = 20;

/// What is known of one endpoint's padding.
#[derive(Clone, Debug, Default)]
pub(super) struct Padding {
    /// Bytes of which it is not known yet what they are.
    pub(super) aside: Option<Box<SetAside>>,
    /// Bytes at the end of its segments took no sequence numbers.
    pub(super) proven: bool,
}

/// The last bytes of a segment.
#[derive(Clone, Debug)]
pub(super) struct SetAside {
    segment: Segment<'static>,
    bytes: [u8; MAX_PADDING as usize],
    /// How many of these it has.
    length: u32,
    /// The offset of their first byte in the stream.
    pub(super) start: i64,
}

impl SetAside {
    pub(super) fn new(segment: &Segment<'_>, start: i64) -> Self {
        let mut bytes = [0; MAX_PADDING as usize];
        let own = bytes.iter_mut().zip(segment.payload);
        own.for_each(|(to, from)| *to = *from);
        Self {
            segment: Segment {
                payload: &[],
                bytes: &[],
                ..*segment
            },
            bytes,
            length: segment.length,
            start,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes
            .get(..self.length as usize)
            .unwrap_or(&self.bytes)
    }

    /// The segment again, with its payload.
    pub(super) fn whole(&self) -> (Segment<'_>, FrameRef) {
        let at = FrameRef {
            frame: self.segment.frame,
            time: self.segment.time,
        };
        let payload = self.bytes();
        (
            Segment {
                payload,
                ..self.segment
            },
            at,
        )
    }
}

/// Whether what looks like a payload is the padding of a short frame: some boxes count it as a part of the packet.
pub(super) fn is_padding(segment: &Segment<'_>) -> bool {
    segment.length <= MAX_PADDING
        && !segment.payload.is_empty()
        && segment.payload.iter().all(|byte| *byte == 0)
}

/// Whether the payload may be padding: it fills the packet up to the least that a frame carries, and nobody pushes it.
pub(crate) fn may_be_padding(segment: &Segment<'_>) -> bool {
    (1..=MAX_PADDING).contains(&segment.length) && fills_up(segment)
}

fn fills_up(segment: &Segment<'_>) -> bool {
    let sure = Flags::SYN.0 | Flags::FIN.0 | Flags::ACK.0;
    let header = segment.bytes.len().saturating_sub(segment.payload.len());
    let whole = segment.payload.len() == segment.length as usize && header > 0;
    let packet = IP_HEADER + header + segment.payload.len();
    segment.flags.0 & !sure == 0 && segment.source.ip.is_ipv4() && whole && LEAST.contains(&packet)
}
