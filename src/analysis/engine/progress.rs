//! A look at an analysis while it goes on: what has been settled since the last look, and what is open, as if the capture
//! ended here. Nothing is ended by it: what is open is copied and the copy settled.
//!
//! Every part of the flows shows what it has at the same frame; the parts come from several threads, and whoever looks
//! may wait for them on a thread of its own ([`Outlook::wait`]) while the analysis goes on.

use std::sync::mpsc::Receiver;

use super::Stats;
use super::retention::Harvest;
use crate::packet::capture::Source;

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
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
    fn next(&mut self, frames: u64, source: &dyn Source) -> Next;

    /// The look that was asked for. To wait for it here would hold up the reading.
    fn look(&mut self, outlook: Outlook);
}

/// A look on its way.
#[derive(Debug)]
pub struct Outlook {
    pub(super) parts: Receiver<Part>,
    /// Of the thread that reads.
    pub(super) stats: Stats,
}

/// What one thread's share of the flows has to show.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) settled: Harvest,
    pub(super) open: Harvest,
    pub(super) stats: Stats,
}

/// What there was at one frame. [`Roll`](super::Roll) puts it in order.
#[derive(Debug, Default)]
pub struct Glance {
    pub(super) settled: Harvest,
    pub(super) open: Harvest,
    pub(super) stats: Stats,
}

impl Outlook {
    /// Waits until all parts have come.
    #[must_use]
    pub fn wait(self) -> Glance {
        let mut glance = Glance {
            stats: self.stats,
            ..Glance::default()
        };
        // It ends when every thread has sent what it had and let go of its end.
        for part in self.parts {
            glance.add(part);
        }
        glance
    }
}

impl Glance {
    /// Frames taken until then.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.stats.frames
    }

    pub(super) fn add(&mut self, mut part: Part) {
        self.settled.append(&mut part.settled);
        self.open.append(&mut part.open);
        self.stats.add(part.stats);
    }
}
