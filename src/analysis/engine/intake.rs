//! From a frame to the partition that has its flow: decodes and counts the frame, parses DNS, and counts QUIC.

use super::stats::EngineStats;
use crate::base::frame_ref::FrameRef;
use crate::base::net::{Context, Skip};
use crate::packet::capture::Frame;
use crate::packet::decode::Decoded;
use crate::packet::decode::{Decoder, Segment, usual_endpoints, with_usual_segment};
use crate::packet::flow::FlowKey;

/// The number of partitions that flows are distributed over. It is fixed, so that limits take effect at the same place
/// on any machine, and equals the largest number of threads that can share the work.
pub(crate) const PARTITIONS: usize = 16;

/// The port of DNS.
pub(super) const DNS: u16 = 53;

/// Decodes one frame, counts it, and passes what it holds to `take`.
#[inline]
pub(super) fn decode(
    decoder: &mut Decoder,
    stats: &mut EngineStats,
    frame: &Frame<'_>,
    mut take: impl FnMut(&Decoded<'_>),
) {
    stats.frame(frame.time);
    let skipped = match &decoder.decode(frame) {
        Ok(decoded) => {
            if let Decoded::Segment(segment) = decoded {
                stats.segment_kept(segment);
                if segment.source.port == DNS || segment.destination.port == DNS {
                    stats.lookups.segment(segment);
                }
            }
            if let Decoded::Quote(_) = decoded {
                stats.skip(Skip::IcmpError);
            }
            take(decoded);
            None
        }
        Err(skip) => {
            stats.skip(*skip);
            Some(*skip)
        }
    };
    if skipped == Some(Skip::NotTcp)
        && let Some(protocol) = decoder.last_protocol()
    {
        *stats.protocols.entry(protocol).or_default() += 1;
    }
    if skipped == Some(Skip::NotTcp)
        && let Some(datagram) = decoder.datagram(frame)
    {
        if datagram.source.port == DNS || datagram.destination.port == DNS {
            stats.lookups.datagram(&datagram);
        } else {
            stats.quic.datagram(&datagram);
        }
    }
    if skipped == Some(Skip::NotIp)
        && let Some(packet) = decoder.arp()
    {
        let at = FrameRef {
            frame: frame.number,
            time: frame.time,
        };
        stats.neighbours.packet(packet, at);
    }
    while let Some(more) = &decoder.decode_more(frame) {
        if let Ok(decoded @ Decoded::Segment(_)) = more {
            stats.aggregated += 1;
            take(decoded);
        }
    }
}

/// The flow of the segment in a frame, if it is of the most usual kind: any decoder reads it without state, and it is not
/// DNS.
#[inline(always)]
pub(super) fn usual_flow(frame: &Frame<'_>) -> Option<FlowKey> {
    let (source, destination) = usual_endpoints(frame)?;
    let dns = source.port == DNS || destination.port == DNS;
    (!dns).then(|| FlowKey::new(source, destination, Context(0)))
}

/// Passes on the flow of such a frame with its segment, or with the reason why it has none.
#[inline(always)]
pub(super) fn usual(frame: &Frame<'_>, mut take: impl FnMut(&FlowKey, Result<&Segment<'_>, Skip>)) {
    let Some((source, destination)) = usual_endpoints(frame) else {
        return;
    };
    let flow = FlowKey::new(source, destination, Context(0));
    let taken = with_usual_segment(frame, (source, destination), |segment| {
        take(&flow, Ok(segment));
    });
    if let Err(skip) = taken {
        take(&flow, Err(skip));
    }
}

pub(super) fn key(decoded: &Decoded<'_>) -> FlowKey {
    match decoded {
        Decoded::Segment(segment) => {
            FlowKey::new(segment.source, segment.destination, segment.context)
        }
        Decoded::Quote(quote) => FlowKey::new(quote.source, quote.destination, quote.context),
    }
}

pub(super) fn partition(key: &FlowKey) -> usize {
    (key.share() % PARTITIONS as u64) as usize
}
