//! Who was asked for by ARP, and did not answer (RFC 826).
//!
//! Where a neighbour does not answer, no packet can be sent to it: a connect fails without a SYN. In: every ARP packet,
//! on the reading thread. Out: the questions for addresses from which no ARP packet came.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::base::frame_ref::FrameRef;
use crate::packet::decode::ArpPacket;

/// Questions, and hosts that are there, of which as many are kept: a scan asks for a whole network.
pub(crate) const MAX_QUESTIONS: usize = 4096;
/// Addresses kept from which ARP packets came; whoever is not among them may be present all the same.
pub(crate) const MAX_PRESENT: usize = 65_536;

/// One host's questions for one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourQuestion {
    /// Who asked.
    pub asker: Ipv4Addr,
    /// For whom.
    pub target: Ipv4Addr,
    /// How often.
    pub times: u32,
    /// The first time.
    pub first: FrameRef,
    /// The last time.
    pub last: FrameRef,
}

/// The ARP packets of a capture, summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbours {
    asked: BTreeMap<(Ipv4Addr, Ipv4Addr), NeighbourQuestion>,
    /// Addresses from which an ARP packet came.
    present: BTreeSet<Ipv4Addr>,
    packets: u64,
    let_go: u64,
    /// Packets whose sender is not in `present`, because it had too many.
    unseen: u64,
}

impl Neighbours {
    /// Takes one packet.
    pub(super) fn packet(&mut self, packet: ArpPacket, at: FrameRef) {
        self.packets += 1;
        let ArpPacket {
            is_question,
            sender,
            target,
        } = packet;
        // A host without an address yet asks whether somebody has the one that it wants (RFC 5227).
        if sender.is_unspecified() {
            return;
        }
        if self.present.len() < MAX_PRESENT || self.present.contains(&sender) {
            self.present.insert(sender);
        } else {
            self.unseen += 1;
        }
        if !is_question || sender == target {
            return;
        }
        let full = self.asked.len() >= MAX_QUESTIONS;
        match self.asked.entry((sender, target)) {
            std::collections::btree_map::Entry::Occupied(mut own) => {
                let own = own.get_mut();
                own.times += 1;
                own.last = at;
            }
            std::collections::btree_map::Entry::Vacant(_) if full => self.let_go += 1,
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(NeighbourQuestion {
                    asker: sender,
                    target,
                    times: 1,
                    first: at,
                    last: at,
                });
            }
        }
    }

    /// Questions for addresses from which no ARP packet came, by asker.
    pub fn unanswered(&self) -> impl Iterator<Item = &NeighbourQuestion> {
        // Whoever is not among the hosts that are kept may have been heard all the same.
        let asked = self.asked.values().filter(|_| self.unseen == 0);
        asked.filter(|it| !self.present.contains(&it.target))
    }

    /// How many hosts asked.
    #[must_use]
    pub fn askers(&self) -> usize {
        let askers: BTreeSet<Ipv4Addr> = self.asked.keys().map(|(asker, _)| *asker).collect();
        askers.len()
    }

    /// Number of ARP packets.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Packets of which the question or the sender was not kept.
    #[must_use]
    pub const fn let_go(&self) -> u64 {
        self.let_go.saturating_add(self.unseen)
    }
}
