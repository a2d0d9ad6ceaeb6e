//! Cases of one rule that become one finding, joined one by one.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::time::Duration;

use super::members::Members;
use super::remedy::FittingRemedies;
use super::rule::{Diagnosis, HostDiagnosis};
use super::statement::{Sentence, Statement};
use super::{Evidence, Severity};
use crate::analysis::connection::{Connection, ConnectionSummary, Phase};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;

/// What makes two cases members of one finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CaseKey {
    /// The rule's index in the catalogue.
    pub(super) rule: usize,
    pub(super) severity: Severity,
    pub(super) certainty: Certainty,
    /// The template of the summary: cases with different phrases are different findings.
    pub(super) summary: &'static str,
    /// The words in it: an error code, a side.
    pub(super) variant: u64,
    pub(super) client: Option<IpAddr>,
    pub(super) server: Option<Endpoint>,
    /// The first frame of a case across connections, which stays a finding of its own; else 0.
    pub(super) first: FrameNumber,
}

impl CaseKey {
    /// The key of a case on one connection.
    pub(super) fn of(rule: usize, story: &Diagnosis, connection: &Connection) -> Self {
        let (client, server) = (Some(connection.client.ip), Some(connection.server));
        Self::between(rule, story, client, server)
    }

    /// The key of a case between these two.
    pub(super) fn between(
        rule: usize,
        story: &Diagnosis,
        client: Option<IpAddr>,
        server: Option<Endpoint>,
    ) -> Self {
        Self {
            rule,
            severity: story.severity,
            certainty: story.certainty,
            summary: story.summary.template(),
            variant: story.summary.variant(),
            client,
            server,
            first: FrameNumber(0),
        }
    }

    /// The same for the client and whatever server.
    pub(super) const fn of_client(&self) -> Self {
        Self {
            server: None,
            ..*self
        }
    }

    /// The same for the server and whatever client.
    pub(super) const fn of_server(&self) -> Self {
        Self {
            client: None,
            ..*self
        }
    }
}

/// One case or many. Joining needs the diagnosis of the new case alone, not the connections before it.
#[derive(Clone, Debug)]
pub(super) struct Cases {
    pub(super) summary: Sentence,
    pub(super) message: Statement,
    /// The frames of the case that is shown.
    pub(super) evidence: Vec<Evidence>,
    pub(super) remedies: FittingRemedies,
    /// The first frame of the first case's connection.
    pub(super) first: FrameNumber,
    pub(super) connections: Vec<u32>,
    /// Connections that are not in `connections`, because their details are given up.
    pub(super) gone: u64,
    /// How many cases were joined.
    pub(super) count: u64,
    /// How often it happened: once for each connection, unless several make one event.
    pub(super) times: u64,
    /// The case that is shown as the example.
    pub(super) example: Example,
}

/// The case that a report shows of many: one that must not be retried, then one that cost the user much more time, then the
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Example {
    forbids_retry: bool,
    /// A step for each doubling of the time.
    cost: u32,
    first: Reverse<FrameNumber>,
    /// Its connection; none if its details are given up.
    pub(super) connection: Option<u32>,
}

/// Microseconds below which the time that a case cost makes no difference.
pub(crate) const WORTH_TELLING: u64 = 100_000;

/// What a case cost the user, in microseconds: the wait, or the time that connecting took.
pub(crate) fn cost(summary: &ConnectionSummary) -> u64 {
    let lasted = || summary.last.since(summary.first.time);
    cost_in(summary.phase, lasted, || summary.waited)
}

/// The same by the record.
fn cost_of(connection: &Connection) -> u64 {
    let lasted = || connection.last.time.since(connection.first.time);
    cost_in(connection.teardown.phase, lasted, || connection.waited())
}

fn cost_in(phase: Phase, lasted: impl Fn() -> Duration, waited: impl Fn() -> u32) -> u64 {
    match phase {
        Phase::Connecting => u64::try_from(lasted().as_micros()).unwrap_or(u64::MAX),
        Phase::Waiting | Phase::ResponseHead | Phase::ResponseBody | Phase::Opaque => {
            waited().into()
        }
        _ => 0,
    }
}

/// A step for each doubling of what a case cost.
fn steps(cost: u64) -> u32 {
    let worth = cost / WORTH_TELLING;
    worth.checked_ilog2().map_or(0, |it| it + 1)
}

impl Cases {
    /// A case on one connection.
    pub(super) fn of(story: Diagnosis, connection: &Connection) -> Self {
        let first = connection.first.frame;
        let mut cases = Self::on(story, first, vec![connection.id], &[connection]);
        cases.example.cost = steps(cost_of(connection));
        cases
    }

    /// A case on a connection whose details are given up: it is counted, and has no number.
    pub(super) fn given_up(story: Diagnosis, connection: &Connection) -> Self {
        let first = connection.first.frame;
        let mut cases = Self::made(story, first, Vec::new(), &Members::default(), &[connection]);
        (cases.gone, cases.times) = (1, 1);
        cases.example.cost = steps(cost_of(connection));
        cases
    }

    /// A case on several connections; `known`: the records of them that are kept.
    pub(super) fn across(story: HostDiagnosis, known: &[&Connection]) -> Self {
        let times = story.times;
        let mut cases = Self::on(story.story, story.first, story.connections, known);
        let members = Members::on(times.max(1), &cases.connections);
        cases.message.weigh(&members);
        Self { times, ..cases }
    }

    /// A case on connections of which these records are known. A remedy fits if it fits one of them.
    pub(super) fn on(
        story: Diagnosis,
        first: FrameNumber,
        connections: Vec<u32>,
        known: &[&Connection],
    ) -> Self {
        let members = Members::on(1, &connections);
        Self::made(story, first, connections, &members, known)
    }

    /// The same, where `members` is what sentences and remedies hold for.
    fn made(
        story: Diagnosis,
        first: FrameNumber,
        connections: Vec<u32>,
        members: &Members,
        known: &[&Connection],
    ) -> Self {
        let fitting = story.remedies.into_iter().filter(|it| {
            !it.is_conditional() || known.iter().any(|connection| it.fits(connection))
        });
        let mut message = story.message;
        message.weigh(members);
        Self {
            summary: story.summary,
            evidence: story.evidence,
            remedies: FittingRemedies::of(members, fitting),
            first,
            gone: 0,
            count: 1,
            times: connections.len() as u64,
            example: Example {
                forbids_retry: message.forbids_retry(),
                cost: 0,
                first: Reverse(first),
                connection: connections.first().copied(),
            },
            message,
            connections,
        }
    }

    /// Connections, with those whose details are given up.
    pub(super) fn in_all(&self) -> u64 {
        self.connections.len() as u64 + self.gone
    }

    /// Joins other cases with the same key. What one case says stands before what others say.
    pub(super) fn absorb(&mut self, other: Self) {
        let mut later = other;
        // One that can be shown, then the worst.
        let rank = |it: &Self| (it.example.connection.is_some(), it.example);
        if rank(&later) > rank(self) {
            std::mem::swap(self, &mut later);
        }
        self.first = self.first.min(later.first);
        self.summary.absorb(later.summary);
        self.message.absorb(later.message);
        self.remedies.absorb(later.remedies);
        self.connections.extend(later.connections);
        self.gone += later.gone;
        self.count += later.count;
        self.times = self.times.saturating_add(later.times);
    }
}
