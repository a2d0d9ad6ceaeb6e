//! The engine's output for a whole input, sorted and numbered.

use super::retention::SettledStore;
use super::stats::EngineStats;
use crate::analysis::connection::{Connection, ConnectionSummary};
use std::sync::Arc;

/// All connections of an input.
#[derive(Clone, Debug, Default)]
pub struct EngineOutput {
    /// The summary of each, in order of first frame: number `n` is `summaries[n - 1]`.
    pub summaries: Vec<ConnectionSummary>,
    /// The whole record of those that [`EngineSettings::keep`](super::EngineSettings::keep) selects, in the same order,
    /// with their numbers.
    pub connections: Vec<Arc<Connection>>,
    /// The disposition of the frames, and which limits were hit.
    pub stats: EngineStats,
}

impl EngineOutput {
    pub(super) fn join(mut stores: Vec<SettledStore>, mut stats: EngineStats) -> Self {
        stats.bounds.let_go += stores.iter().map(|store| store.let_go).sum::<u64>();
        let mut summaries = Vec::new();
        let mut connections = Vec::new();
        // The stores are emptied one after another, so that nothing large exists twice; the sort then works on cached
        // keys.
        for store in &mut stores {
            summaries.append(&mut store.settled_connections.summaries);
            connections.append(&mut store.settled_connections.records);
            stats.bounds.exchanges += store.exchanges_dropped;
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
            stats,
        }
    }
}
