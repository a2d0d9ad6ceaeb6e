//! What is remembered of connections whose details are given up: each was judged before, and is counted here.

use std::any::Any;
use std::fmt::Debug;

use hashbrown::HashMap;

use crate::analysis::connection::{
    By, Connection, ConnectionOutcome, ConnectionSummary, How, Phase,
};

/// How a connection ended: by whom, how, in which phase, and what came of it.
pub type EndingKey = (By, How, Phase, ConnectionOutcome);

/// Totals of the connections that are not in the list, or are without their record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// Connections that are not in the list, by how they ended. There are few hundred possible endings.
    pub endings: HashMap<EndingKey, u64, foldhash::fast::FixedState>,
    /// Listed connections whose whole record was wanted and given up.
    pub records: u64,
}

impl GivenUp {
    /// Connections that are not in the list.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.endings.values().sum()
    }

    /// Counts a connection that is not in the list.
    pub(super) fn count(&mut self, summary: &ConnectionSummary) {
        let ending = (summary.by, summary.how, summary.phase, summary.outcome);
        *self.endings.entry(ending).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (ending, count) in &other.endings {
            *self.endings.entry(*ending).or_default() += count;
        }
        self.records += other.records;
    }
}

/// Collects what the caller's judgement says of connections whose record is given up.
pub trait Tally: Any + Debug + Send + Sync {
    /// Adds a connection; `found`: what the judge has found on it, if it was judged just now ([`Judgement::found`]).
    ///
    /// [`Judgement::found`]: super::Judgement::found
    fn count(&mut self, connection: &Connection, found: Option<Box<dyn Any>>);
    /// A copy, for a view of a running analysis.
    fn copy(&self) -> Box<dyn Tally>;
    /// The tally itself, for its maker.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// The tallies of all partitions.
#[derive(Debug, Default)]
pub struct Tallies(pub Vec<Box<dyn Tally>>);

impl Clone for Tallies {
    fn clone(&self) -> Self {
        Self(self.0.iter().map(|tally| tally.copy()).collect())
    }
}
