//! Where settled connections end up: one line of each, and the whole record of those that are wanted.
//!
//! Each partition has its own shelf, so that its bounds bite at the same place on any number of threads.

use std::sync::Arc;

use super::{Event, Sink};
use crate::connection::{Brief, Connection, Opening};

/// Connections of which a line is kept, on one shelf; sixteen times that in all: 327 680, two hundred bytes each.
const MAX_BRIEFS: usize = 20_480;
/// Connections whose whole record is kept, on one shelf; sixteen times that in all: 327 680, half a kilobyte each,
/// exchanges not counted.
const MAX_RECORDS: usize = 20_480;

/// Whole records of connections that never got an answer, on one shelf; 65 536 in all. One tells as much as the next, and
/// only floods and scans have more; the line of each is kept as that of any other.
const MAX_UNANSWERED: usize = 4096;
/// Exchanges that are kept with them, on one shelf; a million in all, a third of a kilobyte each. Connections beyond keep
/// their verdict and lose their exchanges.
const MAX_EXCHANGES: usize = 65_536;

/// Which settled connections are wanted whole.
#[derive(Clone, Default)]
pub enum Keep {
    /// All of them.
    #[default]
    All,
    /// Those of which this is true.
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

/// What one partition has settled.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) keep: Keep,
    pub(super) briefs: Vec<Brief>,
    pub(super) records: Vec<Connection>,
    pub(super) let_go: u64,
    pub(super) exchanges: usize,
    pub(super) unanswered: usize,
    pub(super) exchanges_let_go: u64,
}

impl Shelf {
    pub(super) fn new(keep: &Keep) -> Self {
        Self {
            keep: keep.clone(),
            briefs: Vec::new(),
            records: Vec::new(),
            let_go: 0,
            exchanges: 0,
            unanswered: 0,
            exchanges_let_go: 0,
        }
    }
}

impl Sink for Shelf {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Settled(connection) = event {
            self.settled(*connection);
        }
    }

    fn settled(&mut self, mut connection: Connection) {
        if self.briefs.len() >= MAX_BRIEFS {
            self.let_go += 1;
            return;
        }
        self.briefs.push(Brief::from(&connection));
        let wanted = match &self.keep {
            Keep::All => true,
            Keep::Only(wanted) => wanted(&connection),
        };
        if wanted {
            if self.records.len() >= MAX_RECORDS {
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
                self.exchanges_let_go += exchanges as u64;
                connection.exchanges = Box::default();
            } else {
                self.exchanges += exchanges;
            }
            self.records.push(connection);
        }
    }
}
