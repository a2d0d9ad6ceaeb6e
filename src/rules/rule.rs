//! The type of a rule, and of its results.

use std::net::IpAddr;

use super::classify::{Ending, EndingKind};
use super::remedy::Remedy;
use super::statement::{Sentence, Statement};
use super::{CaptureQuality, Evidence, RuleInput, Severity};
use crate::analysis::connection::{Connection, ConnectionSummary};
use crate::analysis::hosts::{Hosts, Sockets};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Endpoint;

/// A rule: a fault that can be observed, named, and explained.
#[derive(Debug)]
pub struct Rule {
    /// Kebab case: the observed fault, neither its cause nor its remedy.
    pub name: &'static str,
    /// The worst severity its findings can have.
    pub severity: Severity,
    /// One line for the catalogue.
    pub summary: &'static str,
    /// The doc comment, as Markdown, each line with the blank that follows `///`.
    pub(super) page: &'static str,
    /// The detection.
    pub check: Check,
}

/// The scope of a rule's check.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// One connection.
    Connection(fn(&Connection) -> Verdict),
    /// One connection, whatever its ending is classified as.
    Read(fn(&Connection, Option<&Ending<'_>>) -> Verdict),
    /// The ending of one connection, if it is classified as one of these. An ending is classified once for all rules.
    Ending(
        &'static [EndingKind],
        fn(&Connection, &Ending<'_>) -> Verdict,
    ),
    /// The summaries of all connections, across hosts.
    Hosts(fn(&Hosts<'_>) -> Vec<HostDiagnosis>),
    /// Everything: for rules on names, which only full records and lookups have.
    All(fn(&RuleInput<'_>, &Hosts<'_>) -> Vec<HostDiagnosis>),
    /// The capture itself.
    Capture(fn(&CaptureQuality, &Hosts<'_>) -> Verdict),
    /// The sockets that one client uses on one server, and their connections.
    Sockets(fn(&Sockets, &[&ConnectionSummary]) -> Verdict),
}

impl Check {
    /// Whether it looks at one connection alone.
    pub(super) const fn is_alone(&self) -> bool {
        matches!(self, Self::Connection(_) | Self::Read(_) | Self::Ending(..))
    }
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The fault is absent.
    Clear,
    /// It cannot be decided before the connection is over.
    NotYet,
    /// The fault is present.
    Found(Box<Diagnosis>),
}

impl Verdict {
    /// Keeps only the remedies that fit this case.
    pub(super) fn keeps(mut self, fits: fn(&str) -> bool) -> Self {
        if let Self::Found(story) = &mut self {
            story.remedies.retain(|remedy| fits(remedy.text()));
        }
        self
    }

    /// Has this as its only remedy, if there is one: a case of its own, for which those of the rule do not fit.
    pub(super) fn advises(mut self, instead: Option<&'static str>) -> Self {
        if let (Self::Found(story), Some(remedy)) = (&mut self, instead) {
            story.remedies = vec![remedy.into()];
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
    /// The phrase after a count of connections: "2 connections: …".
    /// Cases with different phrases are different findings.
    pub summary: Sentence,
    /// What happened here.
    pub message: Statement,
    /// The frames that show it.
    pub evidence: Vec<Evidence>,
    /// What to change. Those whose condition does not hold are not shown.
    pub remedies: Vec<Remedy>,
}

/// One case across connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDiagnosis {
    /// The diagnosis.
    pub story: Diagnosis,
    /// The client, if there is exactly one.
    pub client: Option<IpAddr>,
    /// The server, if there is exactly one.
    pub server: Option<Endpoint>,
    /// The connections, in order of first frame.
    pub connections: Vec<u32>,
    /// The first frame of the first of them.
    pub first: FrameNumber,
    /// How often it happened: the count before the summary.
    pub times: u64,
}

impl HostDiagnosis {
    /// A case of these connections, all between one client and one server.
    pub(super) fn of(story: Diagnosis, connections: &[&ConnectionSummary]) -> Self {
        let first = connections.first();
        Self {
            story,
            client: first.map(|it| it.client.ip),
            server: first.map(|it| it.server),
            connections: connections.iter().map(|it| it.id).collect(),
            first: first.map_or(FrameNumber(0), |it| it.first.frame),
            times: connections.len() as u64,
        }
    }

    /// The same as one event, which all its connections make together.
    #[must_use]
    pub(super) fn once(self) -> Self {
        Self { times: 1, ..self }
    }
}

/// Declares a rule; its doc comment is the page shown to users.
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

/// Rules about the same part of a connection's life; their files lie in one folder.
#[derive(Debug)]
pub struct Group {
    /// The folder's name.
    pub name: &'static str,
    /// The heading.
    pub title: &'static str,
    /// What they are about.
    pub about: &'static str,
    /// The rules, by name.
    pub rules: &'static [&'static Rule],
}

/// Declares a group (folder, title, what it is about) and its rules: each name is a file next to it, and an entry of the
/// catalogue.
macro_rules! rules {
    ($folder:literal, $title:literal, $about:literal: $($name:ident),+ $(,)?) => {
        $(pub(in crate::rules) mod $name;)+

        pub(in crate::rules) static GROUP: $crate::rules::Group = $crate::rules::Group {
            name: $folder,
            title: $title,
            about: $about,
            rules: &[$(&$name::RULE),+],
        };
    };
}
pub(super) use rules;
