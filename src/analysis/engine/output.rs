//! The engine's output for a whole input, sorted and numbered.

use super::given_up::{GivenUp, Tallies};
use super::retention::{Settled, SettledStore};
use super::stats::EngineStats;
use crate::analysis::connection::{Connection, ConnectionSummary, RequestList};
use crate::base::frame_ref::FrameNumber;
use std::sync::Arc;

/// All connections of an input.
#[derive(Clone, Debug, Default)]
pub struct EngineOutput {
    /// The summary of each that is kept, in order of first frame: number `n` is `summaries[n - 1]`.
    pub summaries: Vec<ConnectionSummary>,
    /// The whole record of those that [`EngineSettings::judge`](super::EngineSettings::judge) wants, in the same order,
    /// with their numbers.
    pub connections: Vec<Arc<Connection>>,
    /// What is kept of the requests of each summary, in the same order; empty if nobody searches them, as in the output of
    /// [`analyse`](super::analyse).
    pub requests: Vec<Option<RequestList>>,
    /// The disposition of the frames, and which limits were hit.
    pub stats: EngineStats,
    /// Totals of the connections whose details are given up.
    pub given_up: GivenUp,
    /// What the judge's tallies say of them.
    pub tallies: Tallies,
}

impl EngineOutput {
    pub(super) fn join(mut stores: Vec<SettledStore>, stats: EngineStats) -> Self {
        let (mut given_up, mut tallies) = (GivenUp::default(), Tallies::default());
        let mut all = Settled::default();
        // The stores are emptied one after another, so that nothing large exists twice.
        for store in &mut stores {
            store.clear_into(&mut all);
            store.add_given_up(&mut given_up, &mut tallies);
        }
        drop(stores);
        let Settled {
            mut summaries,
            records: mut connections,
            ..
        } = all;
        sort(&mut summaries, |it| it.first.frame);
        connections.sort_by_cached_key(|connection: &Arc<Connection>| connection.first.frame);
        for (id, summary) in (1..).zip(&mut summaries) {
            summary.id = id;
        }
        let mut numbered = summaries.iter();
        for connection in &mut connections {
            let own = numbered.find(|summary| summary.first.frame >= connection.first.frame);
            Arc::make_mut(connection).id = own.map_or(0, |summary| summary.id);
        }
        Self {
            summaries,
            connections,
            requests: Vec::new(),
            stats,
            given_up,
            tallies,
        }
    }
}

/// Sorts by the first frames; those of one frame stay as they are. Each is moved once, to its place, because moving them is
/// what takes the time.
fn sort<T: Copy>(all: &mut [T], frame: impl Fn(&T) -> FrameNumber) {
    let mut order: Vec<_> = all.iter().map(frame).zip(0_usize..).collect();
    order.sort_unstable();
    for start in 0..all.len() {
        if order[start].1 == start {
            continue;
        }
        // A circle of moves: what belongs at `to` is at `from`.
        let (first, mut to) = (all[start], start);
        loop {
            let from = std::mem::replace(&mut order[to].1, to);
            if from == start {
                break;
            }
            all[to] = all[from];
            to = from;
        }
        all[to] = first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorting_keeps_the_order_within_a_frame() {
        let frames = [7, 3, 9, 3, 1, 7, 2, 7, 1, 8];
        let mut all: Vec<(u64, usize)> = frames.into_iter().zip(0..).collect();
        let mut wanted = all.clone();
        wanted.sort_by_key(|(frame, _)| *frame);
        sort(&mut all, |(frame, _)| FrameNumber(*frame));
        assert_eq!(all, wanted);
    }
}
