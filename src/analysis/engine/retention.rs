//! The store of settled connections: a summary of each, and the whole record of those that are wanted.
//!
//! Each partition has a store of its own, so that limits take effect at the same place on any number of threads.

use std::sync::Arc;

use super::{EngineSettings, Event, Sink};
use crate::analysis::connection::{Connection, ConnectionSummary, Opening};

/// Connections whose summary is kept, in one store; sixteen times that in all: 327 680, two hundred bytes each.
const MAX_SUMMARIES: usize = 20_480;
/// Connections whose whole record is kept, in one store; sixteen times that in all: 327 680, half a kilobyte each,
/// exchanges not counted.
const MAX_RECORDS: usize = 20_480;

/// Whole records of connections that never got an answer, in one store; 65 536 in all. They are all alike, and only
/// floods and scans have more; their summaries are kept like any other.
const MAX_UNANSWERED: usize = 4096;
/// Exchanges kept with the records, in one store; a million in all, a third of a kilobyte each. Connections beyond this
/// limit keep their verdict and lose their exchanges.
const MAX_EXCHANGES: usize = 65_536;

/// Which settled connections are kept with their whole record.
#[derive(Clone, Default)]
pub enum Keep {
    /// All of them.
    #[default]
    All,
    /// Those for which this returns true.
    Only(Arc<dyn Fn(&Connection) -> bool + Send + Sync>),
}

impl std::fmt::Debug for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::All => "All",
            Self::Only(_) => "Only",
        })
    }
}

/// Which connections are kept when there are too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stay {
    /// The first to be settled: for an input that has an end.
    #[default]
    First,
    /// The latest: for an input that may go on for ever. Taking connections out of a store makes room in it again, so
    /// the caller has to evict.
    Latest,
}

/// Settled connections, unsorted: a summary of each and the whole record of some.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) summaries: Vec<ConnectionSummary>,
    pub(super) records: Vec<Arc<Connection>>,
}

impl Settled {
    pub(super) fn append(&mut self, other: &mut Self) {
        self.summaries.append(&mut other.summaries);
        self.records.append(&mut other.records);
    }
}

/// The settled connections of one partition.
#[derive(Debug)]
pub(super) struct SettledStore {
    keep: Keep,
    stay: Stay,
    pub(super) settled_connections: Settled,
    /// How many summaries were stored. Under [`Stay::First`] this includes those taken out again; so do the counts
    /// below.
    summaries: usize,
    records: usize,
    unanswered: usize,
    exchanges: usize,
    pub(super) let_go: u64,
    pub(super) exchanges_dropped: u64,
}

impl SettledStore {
    pub(super) fn new(settings: &EngineSettings) -> Self {
        Self {
            keep: settings.keep.clone(),
            stay: settings.stay,
            settled_connections: Settled::default(),
            summaries: 0,
            records: 0,
            unanswered: 0,
            exchanges: 0,
            let_go: 0,
            exchanges_dropped: 0,
        }
    }

    /// Takes the stored connections out.
    pub(super) fn clear(&mut self) -> Settled {
        if self.stay == Stay::Latest {
            (self.summaries, self.records) = (0, 0);
            (self.unanswered, self.exchanges) = (0, 0);
        }
        std::mem::take(&mut self.settled_connections)
    }

    /// An empty store with the same settings and counts: what it accepts is what this one would accept next.
    pub(super) fn beside(&self) -> Self {
        Self {
            keep: self.keep.clone(),
            settled_connections: Settled::default(),
            ..*self
        }
    }
}

impl Sink for SettledStore {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Settled(connection) = event {
            self.settled(*connection);
        }
    }

    fn settled(&mut self, mut connection: Connection) {
        if self.summaries >= MAX_SUMMARIES {
            self.let_go += 1;
            return;
        }
        self.summaries += 1;
        self.settled_connections
            .summaries
            .push(ConnectionSummary::from(&connection));
        let wanted = match &self.keep {
            Keep::All => true,
            Keep::Only(wanted) => wanted(&connection),
        };
        if wanted {
            if self.records >= MAX_RECORDS {
                self.let_go += 1;
                return;
            }
            if connection.opening == Opening::Unanswered {
                if self.unanswered >= MAX_UNANSWERED {
                    self.let_go += 1;
                    return;
                }
                self.unanswered += 1;
            }
            let exchanges = connection.exchanges.len();
            if self.exchanges + exchanges > MAX_EXCHANGES {
                self.exchanges_dropped += exchanges as u64;
                connection.exchanges = Box::default();
            } else {
                self.exchanges += exchanges;
            }
            self.records += 1;
            self.settled_connections.records.push(Arc::new(connection));
        }
    }
}
