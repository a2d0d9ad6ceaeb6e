//! What a host's packets have in common, so that one which is not its own stands out.
//!
//! A RST forged by a box on the path has that box's distance (TTL) and its own way of numbering (IPv4
//! identification). One sign alone may have another cause; the verdict says so with its certainty.

use crate::packet::decode::Segment;

/// Hops by which segments of one host may differ: a container's bridge or an address translator takes one or two from what
/// passes through it and none from what it answers in the host's name, and routes change a little.
const HOPS: u8 = 3;

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
    /// Identifications it has sent in short steps, one after the other.
    steps: u8,
    /// An identification that did not follow the one before it.
    leapt: bool,
    /// It sends timestamps.
    stamps: bool,
}

/// The most by which a host that counts its packets goes on from one of a connection to the next: it has others too.
const STEP: u16 = 512;
/// Steps after which it is known that a host counts.
const ENOUGH_STEPS: u8 = 3;
/// How far off an identification is none of that count.
const FAR: u16 = 4096;

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

    /// Whether the identification field tells this host's segments apart.
    #[must_use]
    pub const fn counts_ids(&self) -> bool {
        self.counts_ids
    }

    /// Whether it sends timestamps.
    #[must_use]
    pub const fn stamps(&self) -> bool {
        self.stamps
    }

    /// Whether a segment's identification is none that this host would give: it counts, and this is far from where it is.
    #[must_use]
    pub fn is_misnumbered(&self, segment: &Segment<'_>) -> bool {
        let Some(id) = segment.ip_id.filter(|id| *id != 0) else {
            return false;
        };
        let off = id
            .wrapping_sub(self.last_id)
            .min(self.last_id.wrapping_sub(id));
        self.steps >= ENOUGH_STEPS && !self.leapt && off >= FAR
    }

    /// Whether a segment came another way than all others of this host: its TTL lies well outside what was seen.
    #[must_use]
    pub const fn is_distant(&self, segment: &Segment<'_>) -> bool {
        self.seen > 0
            && (segment.ttl < self.low_ttl.saturating_sub(HOPS)
                || segment.ttl > self.high_ttl.saturating_add(HOPS))
    }
}
