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

/// Summaries from which on a second thread gains more than its start costs.
const WORTH_A_THREAD: usize = 4096;

/// The connections of some stores, in order of first frame.
#[derive(Debug, Default)]
struct Sorted {
    settled: Settled,
    given_up: GivenUp,
    tallies: Tallies,
}

impl Sorted {
    fn of(mut stores: Vec<SettledStore>) -> Self {
        let mut all = Self::default();
        // The stores are emptied one after another, so that nothing large exists twice.
        for store in &mut stores {
            store.clear_into(&mut all.settled);
            store.add_given_up(&mut all.given_up, &mut all.tallies);
        }
        sort(&mut all.settled.summaries, |it| it.first.frame);
        all
    }

    fn merge(&mut self, other: Self) {
        let (own, theirs) = (&mut self.settled, other.settled);
        merge(&mut own.summaries, &theirs.summaries, |it| it.first.frame);
        own.records.extend(theirs.records);
        self.given_up.add(&other.given_up);
        self.tallies.0.extend(other.tallies.0);
    }
}

impl EngineOutput {
    pub(super) fn join(mut stores: Vec<SettledStore>, stats: EngineStats, threads: usize) -> Self {
        let count: usize = stores.iter().map(SettledStore::len).sum();
        let half = match threads > 1 && count >= WORTH_A_THREAD {
            true => stores.len() / 2,
            false => stores.len(),
        };
        let others = stores.split_off(half);
        let all = match others.is_empty() {
            true => Sorted::of(stores),
            false => std::thread::scope(|scope| {
                let others = scope.spawn(|| Sorted::of(others));
                let mut all = Sorted::of(stores);
                match others.join() {
                    Ok(others) => all.merge(others),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
                all
            }),
        };
        let Sorted {
            settled,
            given_up,
            tallies,
        } = all;
        let Settled {
            mut summaries,
            records: mut connections,
            ..
        } = settled;
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

/// Merges `other` into `one`, both of which are sorted by the first frames; of the same frame, those of `one` come first.
fn merge<T: Copy>(one: &mut Vec<T>, other: &[T], frame: impl Fn(&T) -> FrameNumber) {
    let (mut left, mut right) = (one.len(), other.len());
    one.reserve_exact(right);
    one.extend_from_slice(other);
    // From the end, where there is room.
    while right > 0 {
        let to = left + right - 1;
        if left > 0 && frame(&one[left - 1]) > frame(&other[right - 1]) {
            left -= 1;
            one[to] = one[left];
        } else {
            right -= 1;
            one[to] = other[right];
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
        let all: Vec<(u64, usize)> = frames.into_iter().zip(0..).collect();
        let mut wanted = all.clone();
        wanted.sort_by_key(|(frame, _)| *frame);
        for half in 0..=all.len() {
            let mut all = all.clone();
            let mut others = all.split_off(half);
            sort(&mut all, |(frame, _)| FrameNumber(*frame));
            sort(&mut others, |(frame, _)| FrameNumber(*frame));
            merge(&mut all, &others, |(frame, _)| FrameNumber(*frame));
            assert_eq!(all, wanted);
        }
    }
}
