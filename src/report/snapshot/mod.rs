//! Immutable snapshots of everything that readers may see.

mod control;
mod findings_index;
mod local;
mod publish;
#[cfg(test)]
pub(crate) mod sample;

pub use control::{AnalysisControl, BackgroundResult};
pub use findings_index::FindingsIndex;
pub use local::{LocalEnd, LocalEnds, LocalReset, Process};
pub use publish::{ReadProgress, ReadStage, SnapshotWatch};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::analysis::connection::{Connection, ConnectionSummary, RequestList};
use crate::analysis::engine::GivenUp;
use crate::analysis::hosts::{Legs, Sockets};
use crate::analysis::transcript::ConnectionTranscript;
use crate::base::frame_names::FrameNames;
use crate::base::net::Loss;
use crate::base::net::Skip;
use crate::base::passage::Vantage;
use crate::base::time::Timestamp;
use crate::logs::LogComparison;
use crate::protocol::dns::Lookups;
use crate::rules::Finding;
use crate::rules::ignore::Ignored;
use crate::rules::log_errors::SearchResult;

/// Where an input file is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputDamage {
    /// Byte offset in the (uncompressed) file.
    pub offset: u64,
    /// What is wrong there and how it was handled.
    pub reason: String,
}

/// One input file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSummary {
    /// The path as given.
    pub path: String,
    /// `pcap`, `pcapng`, `pcap+gzip` and so on.
    pub format: String,
    /// Frames read from it.
    pub packets: u64,
    /// Bytes read from it, as stored.
    pub bytes: u64,
    /// Where it is damaged, if at all.
    pub damage: Option<InputDamage>,
    /// By how many nanoseconds its clock was ahead of another file's; its times are told without that.
    pub clock_ahead: Option<i64>,
    /// The place where it was captured, if several places show the same connections.
    pub vantage: Option<Vantage>,
    /// The interfaces whose frames are read of it, if those of others are another place.
    pub only: Option<String>,
}

/// A bound that was reached: something was evicted or discarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitHit {
    /// The bound's name, kebab case.
    pub name: &'static str,
    /// How often.
    pub count: u64,
    /// What was evicted or discarded, in a sentence.
    pub meaning: &'static str,
}

/// Totals over the whole input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureSummary {
    /// The inputs in the order given.
    pub inputs: Vec<InputSummary>,
    /// Time of the earliest and of the latest frame.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Frames read (after the capture filter, if there is one).
    pub frames: u64,
    /// Frames that held a TCP segment.
    pub segments: u64,
    /// Frames without a TCP segment, by reason in the order of [`Skip::ALL`]; `frames == segments + Σ skipped`.
    pub skipped: [u64; Skip::ALL.len()],
    /// Frames of ARP.
    pub arp: u64,
    /// Frames that hold IP and no TCP, by the number of the innermost protocol.
    pub protocols: BTreeMap<u8, u64>,
    /// QUIC connections, by their endpoints; they are not analysed.
    pub quic_connections: u64,
    /// Frames that were never captured.
    pub lost: Loss,
    /// Bounds that were reached.
    pub limits: Vec<LimitHit>,
    /// Connections that were judged and counted, and are not listed because there were too many.
    pub let_go: u64,
    /// Totals of the connections whose details are given up; each was judged.
    pub given_up: GivenUp,
    /// How many of those have findings.
    pub given_up_with_findings: u64,
}

impl CaptureSummary {
    /// The paths of the inputs, each once: a file of several places is several inputs.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let mut before = None;
        let paths = self.inputs.iter().map(|it| it.path.as_str());
        paths.filter(move |path| before.replace(*path) != Some(*path))
    }
}

/// The state of an analysis at one moment. Readers hold it as `Arc<Snapshot>`.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Totals over the whole input.
    pub summary: CaptureSummary,
    /// One summary per connection, in the order of first frames and thus of numbers. The numbers are dense from 1,
    /// unless the oldest were evicted ([`Snapshot::connection_summary`] finds one by its number).
    pub summaries: Vec<ConnectionSummary>,
    /// The full records that were kept, in the same order. Of the others the summary is all there is.
    pub connections: Vec<Arc<Connection>>,
    /// What is kept of the requests of each summary, in the same order, where there is no full record; empty if nobody searches
    /// them.
    pub requests: Vec<Option<RequestList>>,
    /// The DNS lookups, by which addresses have names.
    pub lookups: Arc<Lookups>,
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// What the user's choice of rules left out: the connection that a finding shows, and its rule. What these explain, no other
    /// finding does.
    pub left_out: Vec<(u32, &'static str)>,
    /// Sockets by client and server, most used first.
    pub sockets: Vec<Sockets>,
    /// Which frame of which file each frame is.
    pub frames: Arc<FrameNames>,
    /// Names of the tunnels that [`crate::base::net::Context`] numbers; index 0 is no tunnel.
    pub contexts: Vec<String>,
    /// The error that the report is narrowed to, if any: connections and findings are those that match it.
    pub narrowed: Option<SearchResult>,
    /// What narrowing left out, for readers that show all at a key.
    pub unnarrowed: Option<Arc<Unnarrowed>>,
    /// What the user's ignore list left out; connections and findings are the rest.
    pub ignored: Ignored,
    /// The two sides of requests that proxies passed on.
    pub legs: Arc<Legs>,
    /// Logs, compared with the connections.
    pub logs: Vec<LogComparison>,
    /// What this host's operating system says of the ends that are its own, where it was asked.
    pub local: LocalEnds,
    /// Typical cases, reread for their ladders.
    pub drawn: Vec<Arc<ConnectionTranscript>>,
}

/// The records and findings of a snapshot before it was narrowed to an error.
#[derive(Clone, Debug, Default)]
pub struct Unnarrowed {
    /// As [`Snapshot::connections`].
    pub connections: Vec<Arc<Connection>>,
    /// As [`Snapshot::findings`].
    pub findings: Vec<Finding>,
}

impl Snapshot {
    /// How many connections the input has, with those that are not listed.
    #[must_use]
    pub fn connections_total(&self) -> u64 {
        self.summary
            .let_go
            .saturating_add(self.summaries.len() as u64)
    }

    /// From the first frame of a finding's connections to the last, as far as they are listed.
    #[must_use]
    pub fn span_of(&self, finding: &Finding) -> Option<(Timestamp, Timestamp)> {
        let own = finding.connections.iter();
        let own = own.filter_map(|id| self.connection_summary(*id));
        own.map(|it| (it.first.time, it.last))
            .reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }

    /// The summary of connection `id`, if it is kept.
    #[must_use]
    pub fn connection_summary(&self, id: u32) -> Option<&ConnectionSummary> {
        let at = ConnectionSummary::place_of(id, &self.summaries)?;
        self.summaries.get(at)
    }

    /// The name of the server that the connection in this place of the summaries is to: the one that it was opened for, else
    /// the one by which its client learned the server's address.
    #[must_use]
    pub fn host(&self, place: usize) -> Option<&[u8]> {
        let summary = self.summaries.get(place)?;
        let list = self.requests.get(place).and_then(Option::as_ref);
        let listed = list.map(RequestList::name).filter(|it| !it.is_empty());
        let own = listed.or_else(|| self.connection(summary.id)?.name());
        own.or_else(|| self.looked_up(summary))
    }

    /// The name by which the client of a connection learned the server's address.
    #[must_use]
    pub fn looked_up(&self, summary: &ConnectionSummary) -> Option<&[u8]> {
        let lookup = self.lookups.of(summary.client.ip, summary.server.ip)?;
        Some(&lookup.name)
    }

    /// The full record of connection `id`, if it was kept.
    #[must_use]
    pub fn connection(&self, id: u32) -> Option<&Connection> {
        let at = self
            .connections
            .binary_search_by_key(&id, |it| it.id)
            .ok()?;
        self.connections.get(at).map(|it| &**it)
    }
}
