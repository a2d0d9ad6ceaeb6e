//! Which findings name each connection, so that no row needs a scan over all findings.

use super::Snapshot;
use crate::analysis::connection::Connection;
use crate::rules::{Finding, Severity};

/// An index over one snapshot's findings. Use it only with that snapshot.
///
/// Two flat arrays: most captures have only a few findings, but some findings name every connection.
#[derive(Clone, Debug, Default)]
pub struct FindingsIndex {
    /// The findings of connection `id` are at `starts[id]..starts[id + 1]` in `numbers`.
    starts: Vec<u32>,
    numbers: Vec<u32>,
}

impl FindingsIndex {
    /// Builds the index of `snapshot`.
    #[must_use]
    pub fn new(snapshot: &Snapshot) -> Self {
        // In a live capture the first connections may have been evicted: numbers exceed the count.
        let last = snapshot.summaries.last().map_or(0, |it| it.id as usize);
        let mut starts = vec![0u32; last + 2];
        let named = || {
            let findings = snapshot.findings.iter();
            let named =
                findings.flat_map(|it| it.connections.iter().map(move |id| (*id as usize, it)));
            named.filter(|(id, _)| *id <= last)
        };
        for (id, _) in named() {
            starts[id + 1] += 1;
        }
        for id in 1..starts.len() {
            starts[id] += starts[id - 1];
        }
        let mut numbers = vec![0; starts[last + 1] as usize];
        let mut next = starts.clone();
        for (id, finding) in named() {
            numbers[next[id] as usize] = finding.id;
            next[id] += 1;
        }
        Self { starts, numbers }
    }

    /// The numbers of the findings that name connection `id`.
    #[must_use]
    pub fn numbers(&self, id: u32) -> &[u32] {
        let at = id as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(from), Some(to)) => &self.numbers[*from as usize..*to as usize],
            _ => &[],
        }
    }

    /// The findings themselves, worst first.
    pub fn findings<'a>(
        &self,
        snapshot: &'a Snapshot,
        id: u32,
    ) -> impl Iterator<Item = &'a Finding> {
        let numbers = self.numbers(id).iter();
        numbers.filter_map(|number| snapshot.findings.get((*number as usize).checked_sub(1)?))
    }

    /// Whether a connection is worth a look: a finding above benign names it, or it failed or cannot be judged. Not
    /// notable: what only a benign finding names, and open connections on which nothing is outstanding.
    #[must_use]
    pub(crate) fn is_notable(&self, snapshot: &Snapshot, connection: &Connection) -> bool {
        let named = self.findings(snapshot, connection.id);
        match named.map(|it| it.severity).max() {
            Some(severity) => severity > Severity::Benign,
            None => !connection.outcome.is_fine() && !connection.outcome.is_still_open(),
        }
    }
}
