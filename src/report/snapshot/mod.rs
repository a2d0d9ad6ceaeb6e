//! Floor 12: everything readers may see, as immutable snapshots.

mod control;
mod findings_index;
mod publish;
#[cfg(test)]
pub(crate) mod sample;

pub use control::{AnalysisControl, BackgroundResult};
pub use findings_index::FindingsIndex;
pub use publish::{ReadProgress, ReadStage, SnapshotWatch};

use std::sync::Arc;

use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::hosts::Sockets;
use crate::base::net::Loss;
use crate::base::net::Skip;
use crate::base::time::Timestamp;
use crate::ladder::Ladder;
use crate::rules::Finding;
use crate::rules::ignore::Ignored;
use crate::rules::log_errors::SearchResult;

/// Where a file stopped making sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputDamage {
    /// Bytes from the start of the (uncompressed) file.
    pub offset: u64,
    /// What is wrong there and what was done about it.
    pub reason: String,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSummary {
    /// As it was given.
    pub path: String,
    /// `pcap`, `pcapng`, `pcap+gzip` and so on.
    pub format: String,
    /// Frames read from it.
    pub packets: u64,
    /// Bytes read from it, as stored.
    pub bytes: u64,
    /// Where it is damaged, if it is.
    pub damage: Option<InputDamage>,
}

/// A bound that was hit: something was let go, and this says what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitHit {
    /// Its name, kebab case.
    pub name: &'static str,
    /// How often.
    pub count: u64,
    /// What was let go, in a sentence.
    pub meaning: &'static str,
}

/// What the whole input was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureSummary {
    /// The inputs in the order given.
    pub inputs: Vec<InputSummary>,
    /// Time of the earliest and of the latest frame.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Frames read (after the filter, if there is one).
    pub frames: u64,
    /// Frames that held a TCP segment.
    pub segments: u64,
    /// Frames that did not, by reason in the order of [`Skip::ALL`]; `frames == segments + Σ skipped`.
    pub skipped: [u64; Skip::ALL.len()],
    /// Frames that were never captured.
    pub lost: Loss,
    /// Bounds that were hit.
    pub limits: Vec<LimitHit>,
    /// Connections that were counted and let go because there were too many to keep.
    pub let_go: u64,
}

/// One state of affairs. Readers hold it as `Arc<Snapshot>`.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What the whole input was.
    pub summary: CaptureSummary,
    /// One line of each connection, in order of first frame and so of their numbers. The numbers are dense from 1, unless
    /// the oldest have been forgotten ([`Snapshot::brief`] finds one by its number).
    pub summaries: Vec<ConnectionSummary>,
    /// The whole record of those that were wanted, in the same order; the others need no look.
    pub connections: Vec<Arc<Connection>>,
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// Sockets by client and server, most used first.
    pub sockets: Vec<Sockets>,
    /// Names of the tunnels that [`crate::base::net::Context`] numbers; index 0 is none.
    pub contexts: Vec<String>,
    /// What was asked for, if the report is narrowed to an error: connections and findings are those that fit.
    pub narrowed: Option<SearchResult>,
    /// What the user's list left out; connections and findings are the rest.
    pub ignored: Ignored,
    /// Typical cases, drawn.
    pub drawn: Vec<DrawnLadder>,
}

/// A connection as a ladder.
#[derive(Clone, Debug)]
pub struct DrawnLadder {
    /// Its number.
    pub connection: u32,
    /// The picture.
    pub ladder: Ladder,
}

impl Snapshot {
    /// The line of connection `id`, if it is kept.
    #[must_use]
    pub fn connection_summary(&self, id: u32) -> Option<&ConnectionSummary> {
        let dense = self.summaries.get((id as usize).wrapping_sub(1));
        dense.filter(|it| it.id == id).or_else(|| {
            let at = self.summaries.binary_search_by_key(&id, |it| it.id).ok()?;
            self.summaries.get(at)
        })
    }

    /// The whole record of connection `id`, if it was wanted.
    #[must_use]
    pub fn connection(&self, id: u32) -> Option<&Connection> {
        let at = self
            .connections
            .binary_search_by_key(&id, |it| it.id)
            .ok()?;
        self.connections.get(at).map(|it| &**it)
    }
}
