//! Packets captured twice: on two interfaces, in a mirror of both directions, on both sides of a bridge.
//!
//! A retransmission is another packet: its IPv4 identification or its timestamp has moved on. A second sighting is the
//! same packet bit for bit, except for what a hop may change. If the host does not number its packets (IPv6,
//! identification 0), the link layer must differ, or the packet must occupy sequence space and recur sooner than any
//! host would retransmit it. A copy that a router sent on has a smaller time to live, and comes as late as the router was slow.

use super::fingerprint::Fingerprint;
use crate::base::net::Flags;
use crate::packet::decode::Segment;

/// Longest time between two sightings, in microseconds: capture buffers of two interfaces are read in turn.
const WINDOW: u32 = 20_000;
/// No host retransmits a segment sooner than this, in microseconds; the shortest known timers are far above it.
const TOO_SOON: u32 = 500;
/// A copy that was sent on comes within this time, in microseconds. A host's clock for timestamps has moved on by then
/// (RFC 7323 §5.4), so the same timestamp behind a hop is the same packet.
const FORWARDED: u32 = 1_000_000;
/// A SYN or a SYN-ACK is not retransmitted sooner, in microseconds; timers may be a little early.
const HANDSHAKE_TIMER: u32 = 900_000;
/// Hops that a copy may have passed between two sightings.
const HOPS: u8 = 3;
/// Number of segments remembered per endpoint: a whole burst may be captured before its second sighting.
const ROOM: usize = 6;

/// Hashes of the latest segments of one endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sightings {
    hashes: [u64; ROOM],
    places: [u32; ROOM],
    ttls: [u8; ROOM],
    /// Microseconds, wrapping every 71 minutes; the window is far shorter.
    times: [u32; ROOM],
    cursor: u8,
    /// A second sighting was recognised.
    has_second: bool,
}

impl Sightings {
    /// Whether a segment of this endpoint was captured twice.
    pub(crate) const fn has_second(&self) -> bool {
        self.has_second
    }

    /// Whether `segment` was captured before; remembers it otherwise. `peer_doubled`: segments of the other endpoint
    /// were captured twice.
    ///
    /// A host may well send the same SYN-ACK twice at once: its timer sends one, and a repeated SYN asks for another. So
    /// where nothing but the short time speaks for a second sighting, the SYN must have been captured twice, too, or only
    /// one: `asked_once`.
    pub(crate) fn is_second(
        &mut self,
        segment: &Segment<'_>,
        host: &Fingerprint,
        peer_doubled: bool,
        asked_once: bool,
    ) -> bool {
        let identity_hash = identity_hash(segment);
        let now = (segment.time.as_nanos() / 1000) as u32;
        let place = place(segment);
        for index in 0..ROOM {
            if self.hashes[index] != identity_hash {
                continue;
            }
            let apart = now.wrapping_sub(self.times[index]);
            let hops = self.ttls[index].wrapping_sub(segment.ttl);
            let stamped = segment.options.timestamps.is_some_and(|it| it.value != 0);
            // No timer of a handshake is shorter (RFC 6298 §2.1), and a host that counts its packets gives each another number.
            let same_packet = stamped
                || segment.flags.has(Flags::SYN) && apart < HANDSHAKE_TIMER
                || segment.ip_id.is_some_and(|id| id != 0);
            let forwarded = apart <= FORWARDED && (1..=HOPS).contains(&hops) && same_packet;
            if apart > WINDOW && !forwarded {
                continue;
            }
            let numbered = segment.ip_id.is_some_and(|id| id != 0) && host.counts_ids();
            let elsewhere = self.places[index] != place;
            let answers_syn = segment.flags.has(Flags::SYN) && segment.flags.has(Flags::ACK);
            let too_soon = segment.seq_len() > 0
                && apart <= TOO_SOON
                && (!answers_syn || peer_doubled || self.has_second);
            let too_soon = too_soon || answers_syn && asked_once;
            if numbered || elsewhere || too_soon {
                self.has_second = true;
                return true;
            }
        }
        let cursor = usize::from(self.cursor) % ROOM;
        self.hashes[cursor] = identity_hash;
        self.places[cursor] = place;
        self.ttls[cursor] = segment.ttl;
        self.times[cursor] = now;
        self.cursor = self.cursor.wrapping_add(1) % ROOM as u8;
        false
    }
}

/// Hash of what stays the same when a packet is captured twice: all but time to live and the link layer.
fn identity_hash(segment: &Segment<'_>) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let times = segment.options.timestamps.unwrap_or_default();
    let words = [
        u64::from(segment.seq.0) << 32 | u64::from(segment.ack.0),
        u64::from(times.value) << 32 | u64::from(times.echo),
        u64::from(segment.ip_id.unwrap_or(0)) << 48
            | u64::from(segment.window) << 32
            | u64::from(segment.flags.0) << 24
            | u64::from(segment.length & 0x00ff_ffff),
        segment
            .options
            .sack_blocks()
            .first()
            .map_or(0, |block| u64::from(block.0.0) << 32 | u64::from(block.1.0)),
    ];
    let mut hash = MULTIPLIER;
    for word in words {
        hash = (hash ^ word).wrapping_mul(MULTIPLIER);
        hash ^= hash >> 29;
    }
    // Zero marks an empty slot.
    hash.max(1)
}

/// Hash of what differs between two sightings: link layer, interface, time to live and VLAN.
fn place(segment: &Segment<'_>) -> u32 {
    segment.link_digest
        ^ segment.interface.wrapping_mul(0x9e37_79b1)
        ^ u32::from(segment.ttl) << 16
        ^ u32::from(segment.vlan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::net::{Context, Endpoint};
    use crate::base::passage::Passage;
    use crate::base::seq::Seq;
    use crate::base::time::Timestamp;
    use crate::packet::decode::{TcpOptions, TimestampOption};

    fn sent(ttl: u8, after: i64, value: u32) -> Segment<'static> {
        let end = Endpoint {
            ip: std::net::Ipv4Addr::LOCALHOST.into(),
            port: 443,
        };
        Segment {
            frame: Default::default(),
            time: Timestamp::from_nanos(1_000_000_000 + after * 1_000_000),
            interface: 0,
            context: Context::default(),
            vlan: 0,
            link_digest: 0,
            source: end,
            destination: end,
            ttl,
            ip_id: None,
            seq: Seq(1),
            ack: Seq(1),
            flags: Flags::SYN.with(Flags::ACK),
            window: 1,
            urgent: 0,
            options: TcpOptions {
                timestamps: Some(TimestampOption { value, echo: 7 }),
                ..TcpOptions::default()
            },
            length: 0,
            passage: Passage::Unknown,
            payload: &[],
            bytes: &[],
        }
    }

    #[test]
    fn a_copy_that_a_router_sent_on_has_the_same_timestamp() {
        for (ttl, after, value, second) in [
            (225, 500, 976, true),
            (226, 500, 976, false),
            (225, 500, 1476, false),
            (225, 1500, 976, false),
            (212, 500, 976, false),
            // A SYN-ACK without a timestamp: its timer is a second.
            (225, 500, 0, true),
            (225, 950, 0, false),
        ] {
            let mut sightings = Sightings::default();
            let host = Fingerprint::default();
            let first = if value == 0 { 0 } else { 976 };
            assert!(!sightings.is_second(&sent(226, 0, first), &host, false, false));
            let copy = sightings.is_second(&sent(ttl, after, value), &host, false, false);
            assert_eq!(copy, second, "{ttl} {after} {value}");
        }
    }
    /// Its timer is a second, and no second SYN asked for another.
    #[test]
    fn a_syn_ack_that_nobody_asked_for_again_is_a_copy() {
        for (after, asked_once, second) in [(1, true, true), (1, false, false), (30, true, false)] {
            let mut sightings = Sightings::default();
            let host = Fingerprint::default();
            assert!(!sightings.is_second(&sent(64, 0, 976), &host, false, asked_once));
            let copy = sightings.is_second(&sent(64, after, 976), &host, false, asked_once);
            assert_eq!(copy, second, "{after} {asked_once}");
        }
    }
}
