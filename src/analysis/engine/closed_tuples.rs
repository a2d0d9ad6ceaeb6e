//! The addresses and ports of settled connections, kept so that a late segment is not taken for the middle of a new
//! connection, and a new connection knows the one before.

use crate::analysis::connection::PredecessorState;

/// How many are kept in one partition. The hash of each determines its slot; a later connection with the same slot
/// overwrites it.
const SLOTS: usize = 1024;

/// The settled connections that are kept, by [`FlowKey::share`](crate::packet::flow::FlowKey::share): two flows with the same
/// value are not distinguished here, at odds of 2⁻⁶⁴.
#[derive(Debug, Default)]
pub(super) struct ClosedTuples {
    /// The hash in each slot. Every new connection is looked for here, and hardly one is found: so they stand close together,
    /// and the states apart. Both are empty until the first.
    shares: Vec<u64>,
    states: Vec<Option<PredecessorState>>,
}

impl ClosedTuples {
    pub(super) fn keep(&mut self, share: u64, state: PredecessorState) {
        if self.shares.is_empty() {
            self.shares.resize(SLOTS, 0);
            self.states.resize(SLOTS, None);
        }
        self.shares[slot(share)] = share;
        self.states[slot(share)] = Some(state);
    }

    /// The state of the settled connection that had these addresses and ports, if it is kept.
    pub(super) fn find(&self, share: u64) -> Option<PredecessorState> {
        let at = slot(share);
        let found = *self.shares.get(at)? == share;
        found.then(|| self.states[at]).flatten()
    }
}

/// The high bits, because the low bits of a share are the same throughout a partition.
const fn slot(share: u64) -> usize {
    (share >> 32) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connection::PredecessorState;
    use crate::base::frame_ref::FrameRef;
    use crate::base::net::Endpoint;

    #[test]
    fn a_later_one_takes_the_slot() {
        let state = PredecessorState::of_plain(
            FrameRef::default(),
            [Endpoint::UNSPECIFIED; 2],
            [true, false],
        );
        let mut kept = ClosedTuples::default();
        // A hash of 0 is one like any other.
        assert_eq!(kept.find(0), None);
        let (one, other) = (7 << 32 | 5, 7 << 32 | 21);
        kept.keep(one, state);
        assert_eq!(
            [0, one, other].map(|it| kept.find(it)),
            [None, Some(state), None]
        );
        kept.keep(other, state);
        assert_eq!([one, other].map(|it| kept.find(it)), [None, Some(state)]);
    }
}
