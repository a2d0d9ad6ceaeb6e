//! What one report shows of a snapshot: which connections, and which findings name each.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Options, Shown, clock};
use crate::connection::{Connection, How, Phase, Who};
use crate::errors::{Predictor, Told};
use crate::ledger::Snapshot;
use crate::rules::{Finding, Severity};
use crate::time::Timestamp;

/// A snapshot through the eyes of one report.
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) options: &'a Options,
    shown: Shown,
    /// Where the findings of connection `id` begin in `numbers`: at `starts[id]`, to `starts[id + 1]`.
    starts: Vec<u32>,
    numbers: Vec<u32>,
    predictor: RefCell<Predictor>,
}

impl<'a> View<'a> {
    /// `usual` is what the format shows if the reader did not say.
    pub(super) fn new(snapshot: &'a Snapshot, options: &'a Options, usual: Shown) -> Self {
        let last = snapshot.briefs.len();
        // An index of two flat rows: most captures have no more than a few findings, some name every connection.
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
        Self {
            snapshot,
            options,
            shown: options.connections.unwrap_or(usual),
            starts,
            numbers,
            predictor: RefCell::default(),
        }
    }

    /// What the program at one side of a connection will have in its log.
    pub(super) fn told(&self, connection: &Connection, who: Who) -> Rc<[Told]> {
        self.predictor.borrow_mut().told(connection, who)
    }

    /// The connections to show, in order.
    pub(super) fn shown(&self) -> impl Iterator<Item = &'a Connection> {
        let connections = match self.shown {
            Shown::None => &[][..],
            Shown::All | Shown::Notable => &self.snapshot.connections,
        };
        let all = self.shown == Shown::All;
        let connections = connections.iter();
        connections.filter(move |connection| all || self.is_notable(connection))
    }

    /// Whether every connection is to be shown.
    pub(super) fn shows_all(&self) -> bool {
        self.shown == Shown::All
    }

    /// Whether a connection did not end in order, or is named by a finding above benign. What a benign finding explains
    /// is not notable, and neither is what is still open while nothing is owed.
    pub(super) fn is_notable(&self, connection: &Connection) -> bool {
        // What was asked for is worth a look.
        if self.snapshot.narrowed.is_some() {
            return true;
        }
        let mut worst = None;
        for finding in self.findings(connection) {
            worst = worst.max(Some(finding.severity));
        }
        match worst {
            Some(severity) => severity > Severity::Benign,
            None if connection.teardown.how == How::Open => is_owed(connection.teardown.phase),
            None => !connection.teardown.orderly,
        }
    }

    /// `01:40:16.041 (+0.041 s)`: the time of day, with the date unless it is the capture's first, and since its start.
    pub(super) fn at(&self, at: Timestamp) -> String {
        format!("{} {}", self.time(at), self.offset(at))
    }

    fn time(&self, at: Timestamp) -> String {
        let zone = &self.options.zone;
        let start = self.snapshot.summary.span.map_or(at, |(first, _)| first);
        let time = zone.time_of_day(at);
        if zone.date(start) == zone.date(at) {
            time
        } else {
            format!("{} {time}", zone.date(at))
        }
    }

    /// `(+0.041 s)`.
    pub(super) fn offset(&self, at: Timestamp) -> String {
        let (start, end) = self.snapshot.summary.span.unwrap_or((at, at));
        format!("({})", clock::offset(at, start, end))
    }

    /// The findings that name a connection, worst first.
    pub(super) fn findings(&self, connection: &Connection) -> impl Iterator<Item = &'a Finding> {
        let findings = &self.snapshot.findings;
        let numbers = self.finding_numbers(connection.id).iter();
        numbers.filter_map(|number| findings.get((*number as usize).checked_sub(1)?))
    }

    /// Their numbers.
    pub(super) fn finding_numbers(&self, id: u32) -> &[u32] {
        let at = id as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(from), Some(to)) => &self.numbers[*from as usize..*to as usize],
            _ => &[],
        }
    }
}

/// Whether somebody waits for something in this phase.
const fn is_owed(phase: Phase) -> bool {
    use Phase as P;
    match phase {
        P::Connecting
        | P::TlsHandshake
        | P::Request
        | P::Waiting
        | P::ResponseHead
        | P::ResponseBody => true,
        P::BeforeRequest | P::Between | P::After | P::Tunnel | P::Opaque => false,
    }
}
