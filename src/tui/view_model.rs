//! A snapshot with what the screens compute from it, made in a thread of its own so that no key waits for it.

use std::sync::Arc;
use std::time::Duration;

use crate::analysis::connection::{ConnectionOutcome, How, Opening};
use crate::analysis::hosts;
use crate::base::time::Timestamp;
use crate::report::snapshot::{FindingsIndex, Snapshot};
use crate::report::wording::outcomes::OutcomeTally;
use crate::rules::log_errors::{Predictor, Relays};
use crate::rules::{Finding, Severity};

/// Steps that the capture's time is divided into: more than a screen has columns.
const STEPS: usize = 512;

/// What came of a connection, in the classes that the bar chart distinguishes: worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum OutcomeClass {
    Failed,
    Unknown,
    StillOpen,
    Fine,
}

impl OutcomeClass {
    pub(super) const ALL: [Self; 4] = [Self::Failed, Self::Unknown, Self::StillOpen, Self::Fine];

    pub(super) const fn of(outcome: ConnectionOutcome) -> Self {
        match outcome {
            ConnectionOutcome::Failed(_) => Self::Failed,
            ConnectionOutcome::Unknown(_) if outcome.is_still_open() => Self::StillOpen,
            ConnectionOutcome::Unknown(_) => Self::Unknown,
            ConnectionOutcome::Fine(_) => Self::Fine,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::StillOpen => "still open",
            Self::Fine => "fine",
        }
    }
}

/// How many events happened in each step of the capture's time.
#[derive(Clone, Debug, Default)]
pub(super) struct EventHistogram {
    pub(super) opened: Vec<u64>,
    pub(super) closed: Vec<u64>,
    pub(super) reset: Vec<u64>,
    /// TIME-WAIT sockets in the snapshot's first socket row: the client that has used most of its ports, towards one
    /// server.
    pub(super) time_wait: Vec<u64>,
}

/// Findings with the same summary about different hosts.
#[derive(Clone, Debug)]
pub(super) struct FindingGroup {
    /// Index of the first one in the snapshot's findings.
    pub(super) first: usize,
    /// Indices of the others.
    pub(super) others: Vec<usize>,
    /// Total of the connections that they name.
    pub(super) connections: u64,
    /// How often it happened.
    pub(super) times: u64,
    /// Index of the group that is its cause.
    pub(super) cause: Option<usize>,
}

/// A snapshot with what the screens compute from it.
#[derive(Debug, Default)]
pub struct ViewModel {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// Which findings name each connection.
    pub naming: FindingsIndex,
    /// Different in every view model.
    pub version: u64,
    /// The view model of everything, where this one is narrowed to an error.
    pub(super) whole: Option<Arc<ViewModel>>,
    /// Which connections proxies opened.
    pub(super) relays: Arc<Relays>,
    /// What came of the connections.
    pub(super) outcomes: OutcomeTally,
    pub(super) histogram: EventHistogram,
    /// The findings, grouped by summary; consequences follow their cause.
    pub(super) groups: Vec<FindingGroup>,
}

impl ViewModel {
    /// Computes the view model: some milliseconds per hundred thousand connections.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>, version: u64, time_wait: Duration) -> Self {
        let whole = snapshot.unnarrowed.as_ref().map(|unnarrowed| {
            let whole = Snapshot {
                connections: unnarrowed.connections.clone(),
                findings: unnarrowed.findings.clone(),
                narrowed: None,
                unnarrowed: None,
                ..Snapshot::clone(&snapshot)
            };
            Arc::new(Self::of(Arc::new(whole), 2 * version + 1, time_wait))
        });
        Self {
            whole,
            ..Self::of(snapshot, 2 * version, time_wait)
        }
    }

    fn of(snapshot: Arc<Snapshot>, version: u64, time_wait: Duration) -> Self {
        let mut outcomes = OutcomeTally::default();
        for connection_summary in snapshot
            .summaries
            .iter()
            .filter(|it| fits(&snapshot, it.id))
        {
            outcomes.add_connection(connection_summary.id, connection_summary.outcome);
        }
        if snapshot.narrowed.is_none() {
            for ((.., outcome), connections) in &snapshot.summary.given_up.endings {
                outcomes.add_many(*outcome, *connections);
            }
        }
        Self {
            whole: None,
            naming: FindingsIndex::new(&snapshot),
            version,
            relays: Arc::new(Relays::new(&snapshot.connections, &snapshot.legs)),
            outcomes,
            histogram: histogram(&snapshot, time_wait),
            groups: groups(&snapshot.findings),
            snapshot,
        }
    }

    /// Whether a connection is shown: not if the screens are narrowed to an error that it does not fit.
    pub(super) fn shows(&self, id: u32) -> bool {
        fits(&self.snapshot, id)
    }

    /// How many connections are shown, with those that are only counted.
    pub(super) fn connections(&self) -> u64 {
        match &self.snapshot.narrowed {
            None => self.snapshot.connections_total(),
            Some(_) => self.outcomes.all(),
        }
    }

    /// Predicts what programs log, from all connections of the snapshot.
    pub(super) fn predictor(&self) -> Predictor {
        Predictor::with(Arc::clone(&self.relays))
    }

    /// The groups of findings that name a connection, worst first.
    pub(super) fn groups_naming(&self, id: u32) -> impl Iterator<Item = &FindingGroup> {
        let places: Vec<usize> = self
            .naming
            .numbers(id)
            .iter()
            .filter_map(|number| (*number as usize).checked_sub(1))
            .collect();
        let names = move |group: &&FindingGroup| {
            let mut all = std::iter::once(&group.first).chain(&group.others);
            all.any(|nth| places.contains(nth))
        };
        self.groups.iter().filter(names)
    }

    /// Number of connections of a class.
    pub(super) fn counted(&self, class: OutcomeClass) -> u64 {
        let outcomes = &self.outcomes;
        match class {
            OutcomeClass::Failed => outcomes.failed,
            OutcomeClass::Unknown => outcomes.unknown() - outcomes.still_open(),
            OutcomeClass::StillOpen => outcomes.still_open(),
            OutcomeClass::Fine => outcomes.fine,
        }
    }

    /// Number of findings of a severity.
    pub(super) fn count(&self, severity: Severity) -> u64 {
        let findings = self.snapshot.findings.iter();
        findings.filter(|it| it.severity == severity).count() as u64
    }
}

fn fits(snapshot: &Snapshot, id: u32) -> bool {
    let narrowed = snapshot.narrowed.as_ref();
    narrowed.is_none_or(|it| it.fits.binary_search(&id).is_ok() || it.pointed == Some(id))
}

fn histogram(snapshot: &Snapshot, time_wait: Duration) -> EventHistogram {
    let Some((first, last)) = snapshot.summary.span else {
        return EventHistogram::default();
    };
    let step = step(first, last);
    let mut course = EventHistogram {
        opened: vec![0; STEPS],
        closed: vec![0; STEPS],
        reset: vec![0; STEPS],
        time_wait: Vec::new(),
    };
    let place = |at: Timestamp| {
        let nanos = at.since(first).as_nanos();
        usize::try_from(nanos / step.as_nanos().max(1)).map_or(STEPS - 1, |it| it.min(STEPS - 1))
    };
    for connection_summary in snapshot.summaries.iter().filter(|it| fits(snapshot, it.id)) {
        if connection_summary.opening != Opening::Midstream {
            course.opened[place(connection_summary.first.time)] += 1;
        }
        match connection_summary.how {
            How::Reset(_) => course.reset[place(connection_summary.close.time)] += 1,
            How::Fin => course.closed[place(connection_summary.close.time)] += 1,
            How::Silence | How::Open => {}
        }
    }
    // The sockets are those of all connections.
    let row = snapshot.sockets.first();
    if let Some(row) = row.filter(|row| row.time_wait_peak > 0 && snapshot.narrowed.is_none()) {
        course.time_wait = time_waits(snapshot, row, time_wait);
    }
    course
}

/// Length of a step.
fn step(first: Timestamp, last: Timestamp) -> Duration {
    let whole = last.since(first).max(Duration::from_micros(STEPS as u64));
    whole / STEPS as u32 + Duration::from_nanos(1)
}

/// Sockets in TIME-WAIT over the capture's time, of one client towards one server.
pub(super) fn time_waits(
    snapshot: &Snapshot,
    row: &hosts::Sockets,
    time_wait: Duration,
) -> Vec<u64> {
    let Some(span) = snapshot.summary.span else {
        return Vec::new();
    };
    let pair = (row.client, row.server);
    let series = hosts::client_series(&snapshot.summaries, pair, time_wait, span);
    let points = series.points.iter();
    points.map(|it| u64::from(it.time_wait)).collect()
}

/// Groups the findings that share rule, severity, certainty and summary, worst first. A consequence follows its cause.
fn groups(findings: &[Finding]) -> Vec<FindingGroup> {
    let mut groups: Vec<FindingGroup> = Vec::new();
    let mut place_of = vec![0; findings.len()];
    for (nth, finding) in findings.iter().enumerate() {
        let of = |it: &Finding| (it.rule, it.severity, it.certainty);
        let same = |group: &FindingGroup| {
            let first = findings.get(group.first);
            first.is_some_and(|it| of(it) == of(finding) && it.summary == finding.summary)
        };
        let named = finding.in_all();
        if let Some(place) = groups.iter().position(same) {
            groups[place].others.push(nth);
            groups[place].connections += named;
            groups[place].times += finding.times;
            place_of[nth] = place;
        } else {
            place_of[nth] = groups.len();
            groups.push(FindingGroup {
                first: nth,
                others: Vec::new(),
                connections: named,
                times: finding.times,
                cause: None,
            });
        }
    }
    for (place, group) in groups.iter_mut().enumerate() {
        let finding = findings.get(group.first);
        let cause = finding
            .and_then(|finding| finding.caused_by)
            .and_then(|id| place_of.get((id as usize).checked_sub(1)?))
            .copied();
        group.cause = cause.filter(|cause| *cause != place);
    }
    chained(groups)
}

/// Puts each consequence after its cause, and updates the indices of causes.
fn chained(groups: Vec<FindingGroup>) -> Vec<FindingGroup> {
    fn follow(place: usize, groups: &[FindingGroup], taken: &mut [bool], order: &mut Vec<usize>) {
        if std::mem::replace(&mut taken[place], true) {
            return;
        }
        order.push(place);
        for (next, group) in groups.iter().enumerate() {
            if group.cause == Some(place) {
                follow(next, groups, taken, order);
            }
        }
    }
    /// Above this number the order is not computed: nobody reads that many groups.
    const MOST: usize = 2000;
    if groups.len() > MOST {
        return groups;
    }
    let mut order = Vec::with_capacity(groups.len());
    let mut taken = vec![false; groups.len()];
    // The worst finding of a chain determines the chain's place; the root comes first.
    for place in 0..groups.len() {
        let mut root = place;
        for _ in 0..groups.len() {
            match groups[root].cause {
                Some(cause) if !taken[cause] => root = cause,
                _ => break,
            }
        }
        follow(root, &groups, &mut taken, &mut order);
    }
    let mut new_place = vec![0; groups.len()];
    for (new, old) in order.iter().enumerate() {
        new_place[*old] = new;
    }
    let mut rows: Vec<FindingGroup> = order.iter().map(|old| groups[*old].clone()).collect();
    for row in &mut rows {
        row.cause = row.cause.map(|old| new_place[old]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(first: usize, cause: Option<usize>) -> FindingGroup {
        FindingGroup {
            first,
            others: Vec::new(),
            connections: 1,
            times: 1,
            cause,
        }
    }

    #[test]
    fn consequences_stand_behind_their_cause() {
        let order = |groups| -> Vec<usize> { chained(groups).iter().map(|it| it.first).collect() };
        let groups = vec![group(0, Some(2)), group(1, None), group(2, None)];
        let rows = chained(groups);
        let firsts: Vec<_> = rows.iter().map(|row| row.first).collect();
        assert_eq!(firsts, [2, 0, 1]);
        assert_eq!(rows[1].cause, Some(0));
        // A cycle would be a bug elsewhere and must not cause an endless loop here.
        assert_eq!(order(vec![group(0, Some(1)), group(1, Some(0))]).len(), 2);
    }
}
