//! What a host's packets have in common, so that one which is not its own stands out.
//!
//! A RST forged by a box on the path has that box's distance (TTL) and its own way of numbering (IPv4
//! identification). One sign alone may have another cause; the verdict says so with its certainty.

use crate::decode::Segment;

/// Learned from a host's segments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fingerprint {
    low_ttl: u8,
    high_ttl: u8,
    first_ttl: u8,
    seen: u8,
    last_id: u16,
    /// It has sent two segments with different identifications, neither zero.
    counts_ids: bool,
}

impl Fingerprint {
    /// Learns from a segment that is the host's own.
    pub fn learn(&mut self, segment: &Segment<'_>) {
        if self.seen == 0 {
            self.low_ttl = segment.ttl;
            self.high_ttl = segment.ttl;
            self.first_ttl = segment.ttl;
        }
        self.low_ttl = self.low_ttl.min(segment.ttl);
        self.high_ttl = self.high_ttl.max(segment.ttl);
        self.seen = self.seen.saturating_add(1);
        if let Some(id) = segment.ip_id.filter(|id| *id != 0) {
            self.counts_ids |= self.last_id != 0 && self.last_id != id;
            self.last_id = id;
        }
    }

    /// Time to live of the first segment; 0 before one was seen.
    #[must_use]
    pub const fn ttl(&self) -> u8 {
        self.first_ttl
    }

    /// Whether the identification field tells this host's segments apart.
    #[must_use]
    pub const fn counts_ids(&self) -> bool {
        self.counts_ids
    }

    /// Whether a segment came another way than all others of this host: its TTL lies outside what was seen.
    #[must_use]
    pub const fn is_distant(&self, segment: &Segment<'_>) -> bool {
        self.seen > 0 && (segment.ttl < self.low_ttl || segment.ttl > self.high_ttl)
    }
}
