//! A view of an analysis while it runs: what was settled since the last view, and what is open, as if the capture ended
//! here. Taking a view changes nothing: open connections are copied, and the copies are settled.
//!
//! Every partition reports its state at the same frame. The parts come from several threads; the caller may wait for
//! them on a thread of its own ([`PendingView::wait`]) while the analysis goes on.

use std::sync::mpsc::Receiver;

use super::EngineStats;
use super::given_up::{GivenUp, Tallies};
use super::retention::Settled;
use crate::packet::capture::Source;

/// What the engine does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Read on.
    GoOn,
    /// Take a view, and read on.
    Look,
    /// Process what the source still holds, and end.
    Stop,
}

/// Observes an analysis and controls it.
pub trait Observer {
    /// Called between two batches; `frames` have been processed so far.
    fn next(&mut self, frames: u64, source: &dyn Source) -> NextStep;

    /// Receives the view that was requested by [`NextStep::Look`]. Waiting for it here would hold up the reading
    /// thread.
    fn look(&mut self, pending_view: PendingView);
}

/// A view whose parts are still to come.
#[derive(Debug)]
pub struct PendingView {
    pub(super) parts: Receiver<PartialView>,
    /// Statistics of the reading thread.
    pub(super) stats: EngineStats,
}

/// The view of one worker's share of the flows.
#[derive(Debug, Default)]
pub(super) struct PartialView {
    pub(super) settled: Settled,
    pub(super) open: Settled,
    pub(super) stats: EngineStats,
    pub(super) given_up: GivenUp,
    pub(super) tallies: Tallies,
}

/// The state at one frame, unsorted. [`Numbering`](super::Numbering) sorts and numbers it.
#[derive(Debug, Default)]
pub struct EngineView {
    pub(super) settled: Settled,
    pub(super) open: Settled,
    pub(super) stats: EngineStats,
    /// Everything that was given up so far.
    pub(super) given_up: GivenUp,
    pub(super) tallies: Tallies,
}

impl PendingView {
    /// Waits until all parts have come.
    #[must_use]
    pub fn wait(self) -> EngineView {
        let mut view = EngineView {
            stats: self.stats,
            ..EngineView::default()
        };
        // The loop ends when every worker has sent its part and dropped its sender.
        for part in self.parts {
            view.add(part);
        }
        view
    }
}

impl EngineView {
    /// Frames processed until then.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.stats.frames
    }

    pub(super) fn add(&mut self, mut part: PartialView) {
        self.settled.append(part.settled);
        self.open.append(part.open);
        self.stats.add(part.stats);
        self.given_up.add(&part.given_up);
        self.tallies.0.append(&mut part.tallies.0);
    }
}
