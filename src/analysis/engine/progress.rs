//! A look at an analysis while it goes on: what has been settled since the last look, and what is open, as if the capture
//! ended here. Nothing is ended by it: what is open is copied and the copy settled.
//!
//! Every part of the flows shows what it has at the same frame; the parts come from several threads, and whoever looks
//! may wait for them on a thread of its own ([`PendingView::wait`]) while the analysis goes on.

use std::sync::mpsc::Receiver;

use super::EngineStats;
use super::retention::Settled;
use crate::packet::capture::Source;

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Read on.
    GoOn,
    /// Look, and read on.
    Look,
    /// Take what the source still holds, and end.
    Stop,
}

/// Whoever watches an analysis.
pub trait Observer {
    /// Asked between two batches; `frames` have been taken so far.
    fn next(&mut self, frames: u64, source: &dyn Source) -> NextStep;

    /// The look that was asked for. To wait for it here would hold up the reading.
    fn look(&mut self, pending_view: PendingView);
}

/// A look on its way.
#[derive(Debug)]
pub struct PendingView {
    pub(super) parts: Receiver<PartialView>,
    /// Of the thread that reads.
    pub(super) stats: EngineStats,
}

/// What one thread's share of the flows has to show.
#[derive(Debug, Default)]
pub(super) struct PartialView {
    pub(super) settled: Settled,
    pub(super) open: Settled,
    pub(super) stats: EngineStats,
}

/// What there was at one frame. [`Roll`](super::Roll) puts it in order.
#[derive(Debug, Default)]
pub struct EngineView {
    pub(super) settled: Settled,
    pub(super) open: Settled,
    pub(super) stats: EngineStats,
}

impl PendingView {
    /// Waits until all parts have come.
    #[must_use]
    pub fn wait(self) -> EngineView {
        let mut view = EngineView {
            stats: self.stats,
            ..EngineView::default()
        };
        // It ends when every thread has sent what it had and let go of its end.
        for part in self.parts {
            view.add(part);
        }
        view
    }
}

impl EngineView {
    /// Frames taken until then.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.stats.frames
    }

    pub(super) fn add(&mut self, mut part: PartialView) {
        self.settled.append(&mut part.settled);
        self.open.append(&mut part.open);
        self.stats.add(part.stats);
    }
}
