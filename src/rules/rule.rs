//! What a rule is made of.

use std::net::IpAddr;

use super::classify::{Ending, EndingKind};
use super::{CaptureQuality, Evidence, RuleInput, Severity};
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::hosts::{Hosts, Sockets};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;

/// A rule: a fault that can be seen, named, and explained.
#[derive(Debug)]
pub struct Rule {
    /// Kebab case: the fault as observed, neither cause nor cure.
    pub name: &'static str,
    /// The worst it can be.
    pub severity: Severity,
    /// A line for the catalogue.
    pub summary: &'static str,
    /// The doc comment, as Markdown, each line with the space that follows `///`.
    pub(super) page: &'static str,
    /// How it is found.
    pub check: Check,
}

/// How a rule looks.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// At one connection.
    Connection(fn(&Connection) -> Verdict),
    /// At the ending of one connection, where it is read as one of these. An ending has one reading, which is made once
    /// for all rules.
    Ending(
        &'static [EndingKind],
        fn(&Connection, &Ending<'_>) -> Verdict,
    ),
    /// At the connections of many hosts.
    Hosts(fn(&Hosts<'_>) -> Vec<HostDiagnosis>),
    /// At everything: where names matter, which only whole records and lookups have.
    All(fn(&RuleInput<'_>, &Hosts<'_>) -> Vec<HostDiagnosis>),
    /// At the capture itself.
    Capture(fn(&CaptureQuality, &Hosts<'_>) -> Verdict),
    /// At the sockets that one client spends on one server, and the connections they belong to.
    Sockets(fn(&Sockets, &[&ConnectionSummary]) -> Verdict),
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not so.
    Clear,
    /// It cannot be told before the connection is over.
    NotYet,
    /// It is so.
    Found(Box<Diagnosis>),
}

impl Verdict {
    /// Leaves the remedies that fit this case.
    pub(super) fn keeps(mut self, fits: fn(&str) -> bool) -> Self {
        if let Self::Found(story) = &mut self {
            story.remedies.retain(|remedy| fits(remedy));
        }
        self
    }
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// How bad it is.
    pub severity: Severity,
    /// How far the capture proves it.
    pub certainty: Certainty,
    /// What follows a count of connections: "2 connections: …".
    pub summary: String,
    /// What happened here.
    pub message: String,
    /// The frames that show it.
    pub evidence: Vec<Evidence>,
    /// What to change.
    pub remedies: Vec<String>,
}

/// One case among many hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDiagnosis {
    /// What it is.
    pub story: Diagnosis,
    /// The client, if it is one.
    pub client: Option<IpAddr>,
    /// The server, if it is one.
    pub server: Option<Endpoint>,
    /// The connections, in order of first frame.
    pub connections: Vec<u32>,
    /// The first frame of the first of them.
    pub first: FrameNumber,
}

impl HostDiagnosis {
    /// The story of these connections, which one client had with one server.
    pub(super) fn of(story: Diagnosis, connections: &[&ConnectionSummary]) -> Self {
        let first = connections.first();
        Self {
            story,
            client: first.map(|it| it.client.ip),
            server: first.map(|it| it.server),
            connections: connections.iter().map(|it| it.id).collect(),
            first: first.map_or(FrameNumber(0), |it| it.first.frame),
        }
    }
}

/// Declares a rule; its doc comment is the user's page.
macro_rules! rule {
    (
        $(#[doc = $line:literal])+
        $vis:vis $id:ident: $name:literal, $severity:expr, $summary:literal, $check:expr $(,)?
    ) => {
        $(#[doc = $line])+
        $vis static $id: $crate::rules::Rule = $crate::rules::Rule {
            name: $name,
            severity: $severity,
            summary: $summary,
            page: concat!($($line, "\n"),+),
            check: $check,
        };
    };
}
pub(super) use rule;

/// Declares the rules of a group: each name is a file beside it, and an entry of the catalogue.
macro_rules! rules {
    ($($name:ident),+ $(,)?) => {
        $(pub(in crate::rules) mod $name;)+

        /// The rules of this group, by name.
        pub(in crate::rules) static RULES: &[&$crate::rules::Rule] = &[$(&$name::RULE),+];
    };
}
pub(super) use rules;
