//! What the engine has of a whole input, put in order.

use super::retention::SettledStore;
use super::stats::EngineStats;
use crate::analysis::connection::{Connection, ConnectionSummary};
use std::sync::Arc;

/// All connections of an input.
#[derive(Clone, Debug, Default)]
pub struct EngineOutput {
    /// One line of each, in order of first frame: number `n` is `briefs[n - 1]`.
    pub briefs: Vec<ConnectionSummary>,
    /// The whole record of those that are wanted ([`Settings::keep`]), in the same order, with their numbers.
    pub connections: Vec<Arc<Connection>>,
    /// What became of the frames.
    pub stats: EngineStats,
}

impl EngineOutput {
    pub(super) fn join(mut shelves: Vec<SettledStore>, mut stats: EngineStats) -> Self {
        stats.bounds.let_go += shelves.iter().map(|shelf| shelf.let_go).sum::<u64>();
        let mut briefs = Vec::new();
        let mut connections = Vec::new();
        // One shelf after the other is emptied, so that nothing large is there twice; what is sorted then is the keys.
        for shelf in &mut shelves {
            briefs.append(&mut shelf.harvest.briefs);
            connections.append(&mut shelf.harvest.records);
            stats.bounds.exchanges += shelf.exchanges_let_go;
        }
        drop(shelves);
        briefs.sort_by_cached_key(|brief: &ConnectionSummary| brief.first.frame);
        connections.sort_by_cached_key(|connection: &Arc<Connection>| connection.first.frame);
        for (id, brief) in (1..).zip(&mut briefs) {
            brief.id = id;
        }
        let mut numbered = briefs.iter();
        for connection in &mut connections {
            let own = numbered.find(|brief| brief.first.frame >= connection.first.frame);
            Arc::make_mut(connection).id = own.map_or(0, |brief| brief.id);
        }
        Self {
            briefs,
            connections,
            stats,
        }
    }
}
