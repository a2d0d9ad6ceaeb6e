//! The parsed form of a filter.

use super::address::AddressTest;
use super::amount::{AmountRange, Unit};
use crate::analysis::connection::{By, Opening, Phase, ResetKind, State, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::{Outcome, Protocol};
use crate::rules::{Finding, Severity};

/// A combination of tests. Always flat: no `All` in an `All`, no `Any` in an `Any`, and none with fewer than two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FilterExpr {
    All(Vec<FilterExpr>),
    Any(Vec<FilterExpr>),
    Not(Box<FilterExpr>),
    Test(FilterTest),
}

impl FilterExpr {
    /// Whether it asks for the connections of this finding.
    pub(super) fn asks_for(&self, finding: &Finding) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|it| it.asks_for(finding)),
            Self::Test(FilterTest::Rule(name)) => finding.rule.contains(name.as_str()),
            Self::Test(FilterTest::Severity(SeverityTest::Is(one))) => finding.severity == *one,
            Self::Test(FilterTest::Severity(SeverityTest::AtLeast(least))) => {
                finding.severity >= *least
            }
            Self::Not(_) | Self::Test(_) => false,
        }
    }
}

/// A test on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FilterTest {
    By(By),
    How(HowTest),
    Phase(Phase),
    Opening(Opening),
    Protocol(Protocol),
    Orderly(bool),
    Certainty(Certainty),
    /// Of either side, if `None`.
    State(Option<Who>, State),
    /// Of either side, if `None`.
    Place(Option<Who>, AddressTest),
    Outcome(Outcome),
    /// What came of the connection has this name.
    Came(&'static str),
    /// What came of the connection has this reason.
    Reason(&'static str),
    Amount(Measure, AmountRange),
    /// The name of a rule that found it contains this.
    Rule(String),
    Severity(SeverityTest),
    /// No finding names it.
    Unnamed,
    /// It fits this error: a text, a code, or a line of a log.
    Error(String),
    /// A request's host, target or program contains this.
    Said(RequestPart, String),
    /// Anything shown in its row contains this.
    Text(String),
}

/// How the connection ended, coarse or fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HowTest {
    Fin,
    Reset,
    Kind(ResetKind),
    Silence,
    Open,
}

/// A test on the severity of the findings that name the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeverityTest {
    /// One has this severity.
    Is(Severity),
    /// One has this severity or a worse one.
    AtLeast(Severity),
}

/// What can be counted or timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// The connection's number.
    Id,
    /// A frame between its first and the one that shows its end.
    Frame,
    /// The number of a finding that names it.
    Finding,
    /// The port of either side.
    Port,
    Status,
    Requests,
    Bytes,
    /// Payload that the client sent.
    Sent,
    /// Payload that the server sent.
    Received,
    /// Segments that repeat payload.
    Retransmitted,
    Took,
    /// From the SYN to the end of the handshake.
    Handshake,
    Waited,
    Idle,
}

impl Measure {
    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::Bytes | Self::Sent | Self::Received => Unit::Bytes,
            Self::Took | Self::Handshake | Self::Waited | Self::Idle => Unit::Time,
            Self::Status => Unit::Status,
            Self::Id
            | Self::Frame
            | Self::Finding
            | Self::Port
            | Self::Requests
            | Self::Retransmitted => Unit::Plain,
        }
    }
}

/// A part of a request that can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestPart {
    Host,
    Target,
    Method,
    Agent,
}
