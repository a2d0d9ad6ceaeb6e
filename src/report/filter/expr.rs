//! What a filter means, once its words are read.

use super::address::AddressTest;
use super::amount::{AmountRange, Unit};
use crate::analysis::connection::{By, Opening, Phase, ResetKind, State, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::{Outcome, Protocol};
use crate::rules::Severity;

/// How tests are joined. Never nested without need: no `All` in an `All`, no `Any` in an `Any`, none with fewer than two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FilterExpr {
    All(Vec<FilterExpr>),
    Any(Vec<FilterExpr>),
    Not(Box<FilterExpr>),
    Test(FilterTest),
}

/// What is asked of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FilterTest {
    By(By),
    How(HowTest),
    Phase(Phase),
    Opening(Opening),
    Protocol(Protocol),
    Orderly(bool),
    Certainty(Certainty),
    /// Of either side, if neither is named.
    State(Option<Who>, State),
    /// Of either side, if neither is named.
    Place(Option<Who>, AddressTest),
    Outcome(Outcome),
    Amount(Measure, AmountRange),
    /// A rule with this in its name.
    Rule(String),
    Severity(SeverityTest),
    /// No finding names it.
    Unnamed,
    /// A request's host, target, or program has this in it.
    Said(RequestPart, String),
    /// Anything that a row shows has this in it.
    Text(String),
}

/// By which means it ended, coarse or fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HowTest {
    Fin,
    Reset,
    Kind(ResetKind),
    Silence,
    Open,
}

/// How bad the findings that name it are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeverityTest {
    /// One is just so bad.
    Is(Severity),
    /// One is so bad or worse.
    AtLeast(Severity),
}

/// What can be counted or timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Its number.
    Id,
    /// A frame between its first and the one that shows its end.
    Frame,
    /// The number of a finding that names it.
    Finding,
    /// Of either side.
    Port,
    Status,
    Requests,
    Bytes,
    Took,
    Waited,
    Idle,
}

impl Measure {
    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::Bytes => Unit::Bytes,
            Self::Took | Self::Waited | Self::Idle => Unit::Time,
            Self::Status => Unit::Status,
            Self::Id | Self::Frame | Self::Finding | Self::Port | Self::Requests => Unit::Plain,
        }
    }
}

/// What a request said, in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestPart {
    Host,
    Target,
    Method,
    Agent,
}
