//! What a host's packets have in common, so that a packet sent by another device stands out.
//!
//! A RST forged by a middlebox on the path has the middlebox's distance (TTL) and its way of numbering (IPv4
//! identification). One sign alone may have another cause; the verdict reflects this in its certainty.

use crate::packet::decode::Segment;

/// Hops by which the TTL of one host's segments may differ: a container's bridge or a NAT takes one or two off what
/// passes through it and none off what it answers in the host's name, and routes change a little.
pub(super) const MOST_HOPS: u8 = 3;

/// What is known of a host's packets, learned from its segments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fingerprint {
    low_ttl: u8,
    high_ttl: u8,
    first_ttl: u8,
    seen: u8,
    last_id: u16,
    /// Whether it has sent two segments with different identifications, neither of them zero.
    counts_ids: bool,
    /// Number of identifications that followed the one before in a short step.
    steps: u8,
    /// Whether an identification did not follow the one before it.
    leapt: bool,
    /// Whether it sends timestamps.
    stamps: bool,
}

/// Largest step between two packets of a connection from a host that counts its packets: it has other connections too.
const STEP: u16 = 512;
/// Steps needed to conclude that a host counts its packets.
const ENOUGH_STEPS: u8 = 3;
/// Distance from the latest identification at which another one does not belong to the same count.
const FAR: u16 = 4096;

impl Fingerprint {
    /// Learns from a segment that is the host's own.
    pub(crate) fn learn(&mut self, segment: &Segment<'_>) {
        if self.seen == 0 {
            self.low_ttl = segment.ttl;
            self.high_ttl = segment.ttl;
            self.first_ttl = segment.ttl;
        }
        self.low_ttl = self.low_ttl.min(segment.ttl);
        self.high_ttl = self.high_ttl.max(segment.ttl);
        self.seen = self.seen.saturating_add(1);
        self.stamps |= segment.options.timestamps.is_some();
        if let Some(id) = segment.ip_id.filter(|id| *id != 0) {
            self.counts_ids |= self.last_id != 0 && self.last_id != id;
            if self.last_id != 0 {
                let follows = id.wrapping_sub(self.last_id) <= STEP;
                self.steps = self.steps.saturating_add(u8::from(follows));
                self.leapt |= !follows;
            }
            self.last_id = id;
        }
    }

    /// Time to live of the first segment; 0 before one was seen.
    #[must_use]
    pub const fn ttl(&self) -> u8 {
        self.first_ttl
    }

    /// The least and the greatest time to live.
    #[must_use]
    pub const fn ttls(&self) -> (u8, u8) {
        (self.low_ttl, self.high_ttl)
    }

    /// Whether the identification field distinguishes this host's segments.
    #[must_use]
    pub(crate) const fn counts_ids(&self) -> bool {
        self.counts_ids
    }

    /// Whether it sends timestamps.
    #[must_use]
    pub(crate) const fn stamps(&self) -> bool {
        self.stamps
    }

    /// Whether this host would not have given a segment its identification: the host counts, and the count is far from
    /// it.
    #[must_use]
    pub(crate) fn is_misnumbered(&self, segment: &Segment<'_>) -> bool {
        let Some(id) = segment.ip_id.filter(|id| *id != 0) else {
            return false;
        };
        let off = id
            .wrapping_sub(self.last_id)
            .min(self.last_id.wrapping_sub(id));
        self.steps >= ENOUGH_STEPS && !self.leapt && off >= FAR
    }

    /// Whether its TTL is not the one that several segments of this host have without an exception.
    #[must_use]
    pub(crate) fn is_off(&self, segment: &Segment<'_>) -> bool {
        self.seen >= ENOUGH_STEPS
            && self.low_ttl == self.high_ttl
            && segment.ttl != self.low_ttl
            && !self.is_distant(segment)
    }

    /// Whether a segment took another path than all others of this host: its TTL lies well outside the range seen. Another first
    /// value alone is no other path: a load balancer answers at the place of the host, with a TTL of its own.
    #[must_use]
    pub(crate) fn is_distant(&self, segment: &Segment<'_>) -> bool {
        let outside = self.seen > 0
            && (segment.ttl < self.low_ttl.saturating_sub(MOST_HOPS)
                || segment.ttl > self.high_ttl.saturating_add(MOST_HOPS));
        outside && !self.is_at_place(segment.ttl) && !segment.source.ip.is_loopback()
    }

    /// Whether what has this TTL was sent as far away as the host, which is not next to the capture: there everything else is as
    /// near.
    fn is_at_place(&self, ttl: u8) -> bool {
        let (near, far) = (hops(self.high_ttl), hops(self.low_ttl));
        near > 0 && near <= far && (near..=far).contains(&hops(ttl))
    }

    /// Whether more than one segment was seen.
    pub(super) const fn is_seen_twice(&self) -> bool {
        self.seen > 1
    }

    /// Whether the host is farther away than the sender of a segment with this TTL.
    pub(super) fn is_farther_than(&self, ttl: u8) -> bool {
        hops(self.high_ttl) > hops(ttl)
    }
}

/// How many hops away a segment was sent, if its sender began with the next of the usual values.
#[must_use]
pub(crate) fn hops(ttl: u8) -> u8 {
    let first = [64, 128, 255].into_iter().find(|first| *first >= ttl);
    first.unwrap_or(u8::MAX) - ttl
}
