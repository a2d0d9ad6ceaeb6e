//! Connections of which only the summary is kept: what was asked on them is not known.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::base::time::Timestamp;

/// When a server had a connection whose record is not kept, by its address.
#[derive(Debug, Default)]
pub(super) struct Unkept {
    /// From and until, apart from one another and ascending.
    times: HashMap<IpAddr, Vec<(Timestamp, Timestamp)>, foldhash::fast::FixedState>,
}

impl Unkept {
    /// Those among the summaries that have no record. Records are in the order of their numbers.
    pub(super) fn new(connections: &[Arc<Connection>], summaries: &[ConnectionSummary]) -> Self {
        let mut unkept = Self::default();
        if summaries.len() <= connections.len() {
            return unkept;
        }
        let is_kept = |id: u32| connections.binary_search_by_key(&id, |it| it.id).is_ok();
        for it in summaries.iter().filter(|it| !is_kept(it.id)) {
            let times = unkept.times.entry(it.server.ip).or_default();
            times.push((it.first.time, it.last));
        }
        for times in unkept.times.values_mut() {
            times.sort_unstable();
            times.dedup_by(|next, before| {
                let joins = next.0 <= before.1;
                if joins {
                    before.1 = before.1.max(next.1);
                }
                joins
            });
        }
        unkept
    }

    /// Whether this server had such a connection at this time.
    pub(super) fn had(&self, server: IpAddr, at: Timestamp) -> bool {
        let Some(times) = self.times.get(&server) else {
            return false;
        };
        let after = times.partition_point(|it| it.0 <= at);
        let last = after.checked_sub(1).and_then(|it| times.get(it));
        last.is_some_and(|(_, until)| *until >= at)
    }
}
