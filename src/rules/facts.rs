//! The input of the rules.

use super::CaptureQuality;
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::engine::Neighbours;
use crate::analysis::hosts::{Legs, Sockets};
use crate::base::frame_names::FrameNames;
use crate::base::time::Timestamp;
use crate::protocol::dns::Lookups;
use std::sync::Arc;

/// Everything that rules may read.
#[derive(Clone, Copy, Debug)]
pub struct RuleInput<'a> {
    /// The connections kept in full, in order of their numbers.
    pub connections: &'a [Arc<Connection>],
    /// The summary of every connection that is listed.
    pub summaries: &'a [ConnectionSummary],
    /// The same, without the connections that a file holds a second time.
    pub counted_once: &'a [ConnectionSummary],
    /// Sockets by client and server.
    pub sockets: &'a [Sockets],
    /// The DNS lookups captured.
    pub lookups: &'a Lookups,
    /// The addresses that ARP asked for.
    pub neighbours: &'a Neighbours,
    /// The quality of the capture.
    pub capture_quality: CaptureQuality,
    /// Which frame of which file each frame is.
    pub frames: &'a FrameNames,
    /// The legs of proxies.
    pub legs: &'a Legs,
    /// The time of the capture's last frame.
    pub end: Timestamp,
}

impl<'a> RuleInput<'a> {
    /// The record of this connection, if it is kept.
    pub(super) fn record(&self, id: u32) -> Option<&'a Connection> {
        let at = self
            .connections
            .binary_search_by_key(&id, |it| it.id)
            .ok()?;
        self.connections.get(at).map(AsRef::as_ref)
    }

    /// The records of these connections, as far as they are kept.
    pub(super) fn records(&self, ids: &[u32]) -> Vec<&'a Connection> {
        // Few records are kept of very many connections; each is looked for among these then.
        if ids.len() > self.connections.len() && ids.is_sorted_by(|one, other| one < other) {
            let kept = self.connections.iter().map(AsRef::as_ref);
            return kept
                .filter(|it: &&Connection| ids.binary_search(&it.id).is_ok())
                .collect();
        }
        ids.iter().filter_map(|id| self.record(*id)).collect()
    }
}
