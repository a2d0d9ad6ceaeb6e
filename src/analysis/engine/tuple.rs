//! The entries of a partition's flow table: what is known of a tuple of addresses and ports.
//!
//! Each entry becomes only larger: a SYN, a plain connection, a tracked one.

use crate::analysis::connection::{
    ConnectionTracker, PlainConnection, PlainNotes, PredecessorState,
};
use crate::base::flow_end::FlowEnd;
use crate::packet::decode::Segment;
use crate::protocol::http::TextInterner;
use crate::protocol::layers::LayerOptions;

/// The table's entry for a tuple of addresses and ports.
#[derive(Debug)]
pub(super) enum TupleState {
    /// A SYN only.
    HalfOpen(Box<HalfOpen>),
    /// Plain so far.
    Plain(Box<PlainFlow>),
    Flow(TrackedFlow),
}

/// A connection that is not tracked, because it is plain so far.
#[derive(Debug)]
pub(super) struct PlainFlow {
    pub(super) connection: PlainConnection,
    pub(super) share: u64,
}

impl PlainFlow {
    /// Turns it into what it would be had it been tracked from its first segment.
    pub(super) fn promote(
        &self,
        layer_options: LayerOptions,
        texts: &mut TextInterner,
    ) -> TrackedFlow {
        TrackedFlow {
            live: self.connection.replay(layer_options, texts),
            share: self.share,
            before: None,
            queued: self.connection.is_over(),
            vlans: self.connection.vlans(),
        }
    }
}

/// A SYN that nothing has followed.
#[derive(Debug)]
pub(super) struct HalfOpen {
    pub(super) syn: Segment<'static>,
    pub(super) share: u64,
    pub(super) predecessor: Option<PredecessorState>,
}

impl HalfOpen {
    /// The plain connection that the SYN and this segment begin. One of `room` is taken for it.
    pub(super) fn plain(
        &self,
        answer: &Segment<'_>,
        room: &mut Vec<PlainNotes>,
    ) -> Option<PlainFlow> {
        Some(PlainFlow {
            connection: PlainConnection::begun(&self.syn, answer, self.predecessor, room)?,
            share: self.share,
        })
    }

    /// Turns it into the connection that the SYN begins.
    pub(super) fn promote(
        &self,
        layer_options: LayerOptions,
        texts: &mut TextInterner,
    ) -> TrackedFlow {
        let mut live = Box::new(ConnectionTracker::new(&self.syn, self.predecessor));
        live.set_layer_options(layer_options);
        live.segment(FlowEnd::A, &self.syn, texts);
        TrackedFlow {
            live,
            share: self.share,
            before: None,
            queued: false,
            vlans: [Some(self.syn.vlan), None],
        }
    }
}

/// One flow: the connection, and the one before it while segments may still belong to either.
#[derive(Debug)]
pub(super) struct TrackedFlow {
    pub(super) live: Box<ConnectionTracker>,
    pub(super) share: u64,
    pub(super) before: Option<Box<ConnectionTracker>>,
    /// It is in the queue of closed connections.
    pub(super) queued: bool,
    /// The VLAN of each end's first segment.
    pub(super) vlans: [Option<u16>; 2],
}

impl TrackedFlow {
    /// Whether a segment of this end in `vlan` is in another VLAN than its first one.
    pub(super) fn is_elsewhere(&self, from: FlowEnd, vlan: u16) -> bool {
        self.vlans[from.index()].is_some_and(|own| own != vlan)
    }
}

/// Whether it is worth while to begin connections plainly: where most of them are promoted in the end, it costs more than it
/// saves. The output does not depend on it.
#[derive(Debug)]
pub(super) struct PlainOdds {
    balance: u8,
    passed_over: u8,
}

impl PlainOdds {
    /// What a plain end saves, in promotions.
    const GAIN: u8 = 3;
    const MOST: u8 = 96;
    /// How many connections are tracked from the start before the next one is tried again.
    const PAUSE: u8 = 16;

    /// Whether the next connection begins plainly.
    pub(super) const fn favour(&mut self) -> bool {
        if self.balance > 0 {
            return true;
        }
        self.passed_over = (self.passed_over + 1) % Self::PAUSE;
        self.passed_over == 0
    }

    /// A connection was plain to its end.
    pub(super) const fn won(&mut self) {
        self.balance = self.balance.saturating_add(Self::GAIN);
        if self.balance > Self::MOST {
            self.balance = Self::MOST;
        }
    }

    /// One was not.
    pub(super) const fn lost(&mut self) {
        self.balance = self.balance.saturating_sub(1);
    }
}

impl Default for PlainOdds {
    fn default() -> Self {
        Self {
            balance: Self::MOST,
            passed_over: 0,
        }
    }
}
