//! The most usual frame, at a glance: a whole TCP segment over IPv4 on Ethernet. Decoding it needs no state and leaves
//! none, so it takes a short way here; a test compares the result with that of the decoder.

use std::net::{IpAddr, Ipv4Addr};

use super::bytes::Bytes;
use super::walk::ethernet_digest;
use super::{Decoded, Decoder, Segment, TcpOptions, tcp};
use crate::base::net::{Context, Endpoint, Skip};
use crate::base::passage::Passage;
use crate::packet::capture::Frame;

const ETHERNET: u16 = 1;
/// IPv4 with a header of five words.
const VERSION_AND_WORDS: u8 = 0x45;
const TCP: u8 = 6;
const ETHERNET_HEADER: usize = 14;
const IP_HEADER: usize = 20;

/// Sender and receiver of the segment in the most usual frame; `None` for any other frame.
#[inline(always)]
pub(crate) fn usual_endpoints(frame: &Frame<'_>) -> Option<(Endpoint, Endpoint)> {
    let head: &[u8; 38] = frame.data.first_chunk()?;
    let usual = frame.link.0 == ETHERNET
        && head[12..15] == [8, 0, VERSION_AND_WORDS]
        // No more fragments, and no offset.
        && head[20] & 0x3f == 0
        && head[21] == 0
        && head[23] == TCP
        && frame.passage != Passage::Apart;
    let endpoint = |ip: usize, port: usize| Endpoint {
        ip: IpAddr::V4(Ipv4Addr::new(
            head[ip],
            head[ip + 1],
            head[ip + 2],
            head[ip + 3],
        )),
        port: u16::from_be_bytes([head[port], head[port + 1]]),
    };
    usual.then(|| (endpoint(26, 34), endpoint(30, 36)))
}

/// What `take` makes of the segment in a frame between these [`usual_endpoints`]. It is not moved from where it is decoded to.
///
/// # Errors
/// The reason why the frame yields no segment.
#[inline(always)]
pub(crate) fn with_usual_segment<'a, R>(
    frame: &Frame<'a>,
    (source, destination): (Endpoint, Endpoint),
    take: impl FnOnce(&Segment<'a>) -> R,
) -> Result<R, Skip> {
    let bytes = Bytes {
        data: frame.data,
        wire: (frame.length as usize).max(frame.data.len()),
    };
    let &[ref addresses @ .., _, _]: &[u8; ETHERNET_HEADER] = bytes.head()?;
    let packet = bytes.after(ETHERNET_HEADER)?;
    let &[_, _, t0, t1, i0, i1, _, _, ttl]: &[u8; 9] = packet.head()?;
    let packet = match usize::from(u16::from_be_bytes([t0, t1])) {
        0 => packet,
        total if total < IP_HEADER => return Err(Skip::Malformed),
        total => packet.of_length(total),
    };
    let header = tcp::header(packet.after(IP_HEADER)?)?;
    let mut segment = Segment {
        frame: frame.number,
        time: frame.time,
        interface: frame.interface,
        context: Context(0),
        vlan: 0,
        link_digest: ethernet_digest(0, addresses),
        source,
        destination,
        ttl,
        ip_id: Some(u16::from_be_bytes([i0, i1])),
        seq: header.seq,
        ack: header.ack,
        flags: header.flags,
        window: header.window,
        urgent: header.urgent,
        options: TcpOptions::NONE,
        length: header.length,
        passage: frame.passage,
        payload: header.payload,
        bytes: header.bytes,
    };
    header.options.read(&mut segment.options);
    Ok(take(&segment))
}

impl Decoder {
    /// What `take` makes of the segment in a frame, if there is one. The most usual frame takes the short way.
    #[inline]
    pub(crate) fn with_segment<R>(
        &mut self,
        frame: &Frame<'_>,
        take: impl FnOnce(&Segment<'_>) -> R,
    ) -> Option<R> {
        match usual_endpoints(frame) {
            Some(endpoints) => with_usual_segment(frame, endpoints, take).ok(),
            None => match &self.decode(frame) {
                Ok(Decoded::Segment(segment)) => Some(take(segment)),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::frame_ref::FrameNumber;
    use crate::base::time::Timestamp;
    use crate::packet::capture::LinkType;

    /// A segment with timestamps and ten bytes of payload.
    const FRAME: [u8; 76] = {
        let mut bytes = [0; 76];
        let head = [
            2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 62, 0, 7, 0x40, 0, 64, 6, 0, 0,
            10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x80, 0x18, 1, 0,
            0, 0, 0, 0, 1, 1, 8, 10,
        ];
        let mut at = 0;
        while at < head.len() {
            bytes[at] = head[at];
            at += 1;
        }
        bytes
    };

    proptest! {
        #[test]
        fn both_ways_lead_to_the_same_segment(
            changes in prop::collection::vec((0..FRAME.len(), any::<u8>()), 0..4),
            captured in 30..=FRAME.len(),
            length in 0..2 * FRAME.len() as u32,
        ) {
            let mut bytes = FRAME;
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            let frame = Frame {
                number: FrameNumber(1),
                time: Timestamp::new(1, 0),
                link: LinkType(ETHERNET),
                interface: 0,
                length,
                passage: Passage::Unknown,
                data: &bytes[..captured],
            };
            if let Some(endpoints) = usual_endpoints(&frame) {
                let usual = with_usual_segment(&frame, endpoints, |segment| Decoded::Segment(*segment));
                let mut decoder = Decoder::new();
                prop_assert_eq!(format!("{usual:?}"), format!("{:?}", decoder.decode(&frame)));
            }
        }
    }
}
