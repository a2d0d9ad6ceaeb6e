//! The engine's output for a whole input, sorted and numbered.

use super::given_up::{GivenUp, Tallies};
use super::retention::SettledStore;
use super::stats::EngineStats;
use crate::analysis::connection::{Connection, ConnectionSummary, RequestList};
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
        let mut summaries = Vec::new();
        let mut connections = Vec::new();
        // The stores are emptied one after another, so that nothing large exists twice; the sort then works on cached
        // keys.
        for store in &mut stores {
            let mut settled = store.clear();
            summaries.reserve_exact(settled.summaries.len());
            summaries.append(&mut settled.summaries);
            connections.append(&mut settled.records);
            store.add_given_up(&mut given_up, &mut tallies);
        }
        drop(stores);
        summaries.sort_by_cached_key(|summary: &ConnectionSummary| summary.first.frame);
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
