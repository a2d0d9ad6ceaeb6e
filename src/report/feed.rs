//! A running analysis, a line for each thing that happens: for people, or as JSON (schema `hangup-feed/1`).
//!
//! What happens is decided by `app::feed`; here is what the lines say.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::finding::touched;
use super::page::outcomes;
use super::wording::moment::{self, Zone};
use super::wording::{local, terms};
use crate::analysis::connection::{ConnectionOutcome, ConnectionSummary, How, UnknownReason, Who};
use crate::base::escape::{escape, harmless};
use crate::base::format::{count, number};
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::report::snapshot::Snapshot;
use crate::rules::{Finding, Severity};

const SCHEMA: &str = "hangup-feed/1";

/// How the lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedFormat {
    /// For people.
    Text,
    /// An object each.
    Ndjson,
}

/// A line of a running analysis: `kind` says what happened. Fields may be added; one that is here keeps its name and meaning.
/// What is not known is `null`. Times are RFC 3339 in UTC. Text from packets is escaped.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(title = "hangup-feed/1"))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FeedLine<'a> {
    /// The first line.
    Start(StartRow),
    /// A finding stands: two looks in a row showed it, or the last one did.
    FindingOpened(OpenedRow<'a>),
    /// A finding has further cases.
    FindingUpdated(UpdatedRow<'a>),
    /// A finding does not stand any more: later packets changed the verdict. If it comes back, it is opened again.
    FindingClosed(ClosedRow<'a>),
    /// A connection is over and judged.
    Connection(SettledRow),
    /// The totals.
    Summary(SummaryRow),
    /// What the program did or met, in words.
    Note(NoteRow<'a>),
    /// The totals, at the end. There is no line after it.
    End(SummaryRow),
}

/// The first line.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StartRow {
    /// Always `hangup-feed/1`.
    schema: &'static str,
    /// The version of hangup.
    version: &'static str,
}

/// A finding that stands.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OpenedRow<'a> {
    /// Its number in this run: the same rule between the same hosts has the same number.
    id: u64,
    /// When the evidence of the case that is shown was complete.
    at: Option<String>,
    /// The rule; `hangup explain RULE` prints its page.
    rule: &'static str,
    /// How bad it is.
    severity: &'static str,
    /// How far the capture proves it.
    certainty: &'static str,
    /// How often it happened.
    times: u64,
    /// The connection that is shown, by its number: the worst so far.
    connection: Option<u32>,
    /// The client: with its port, if one connection is named.
    client: Option<String>,
    /// The server.
    server: Option<String>,
    /// The programs that hold the client's socket, if that is on this host and the operating system says so.
    client_process: Option<String>,
    /// The programs that hold the server's socket.
    server_process: Option<String>,
    /// Why this host's operating system reset the connection, for each RST that it sent.
    reset_reasons: Vec<String>,
    /// Method, host and path of that connection's affected request, without a query.
    request: Option<String>,
    /// The headline.
    summary: String,
    /// What happened, and what it means.
    message: Cow<'a, str>,
    /// The frames that prove it, of the case that is shown.
    frames: Vec<u64>,
    /// What to change, the likeliest first.
    remedies: Vec<Cow<'a, str>>,
    #[serde(skip)]
    time: Timestamp,
    #[serde(skip)]
    happened: String,
}

/// Further cases of a finding.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UpdatedRow<'a> {
    /// Its number.
    pub id: u64,
    /// When this was written.
    #[serde(serialize_with = "time")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
    /// The rule.
    pub rule: &'a str,
    /// How bad it is.
    pub severity: &'static str,
    /// Between which hosts.
    pub hosts: String,
    /// Cases since the line before.
    pub added: u64,
    /// When that was written.
    #[serde(serialize_with = "time")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub since: Timestamp,
    /// Cases in all.
    pub times: u64,
}

/// A finding that does not stand any more.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClosedRow<'a> {
    /// Its number.
    pub id: u64,
    /// When this was written.
    #[serde(serialize_with = "time")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
    /// The rule.
    pub rule: &'a str,
    /// Between which hosts.
    pub hosts: String,
    /// Cases in all.
    pub times: u64,
}

/// A connection that is over.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SettledRow {
    /// Its number.
    id: u32,
    /// Time of its first segment.
    first: String,
    /// Time of its last segment.
    last: String,
    /// The client as `address:port`.
    client: String,
    /// The server as `address:port`.
    server: String,
    /// The programs that hold the client's socket, if that is on this host and the operating system says so.
    client_process: Option<String>,
    /// The programs that hold the server's socket.
    server_process: Option<String>,
    /// Why this host's operating system reset the connection, for each RST that it sent.
    reset_reasons: Vec<String>,
    /// `fine`, `failed` or `unknown`.
    outcome: &'static str,
    /// Why, in one word.
    reason: &'static str,
    #[serde(skip)]
    phrase: &'static str,
    /// `fin`, `reset`, `silence`, or `open` if the capture ended first.
    how: &'static str,
    /// The side that closed it; `null` if none did, or it is not known.
    by: Option<&'static str>,
    /// How many requests it carried.
    requests: u32,
    /// Payload bytes of the client and of the server.
    bytes: [u64; 2],
    #[serde(skip)]
    time: Timestamp,
}

/// Totals.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SummaryRow {
    /// When this was written.
    #[serde(serialize_with = "time")]
    #[cfg_attr(test, schemars(with = "String"))]
    at: Timestamp,
    /// Frames read.
    pub packets: u64,
    /// Packets that were dropped before they were captured, as far as somebody counted.
    pub packets_lost: Option<u64>,
    /// Connections in all.
    pub connections: u64,
    /// Those on which something was lost.
    pub failed: u64,
    /// Those on which everything was completed.
    pub fine: u64,
    /// Those that are open, with nothing outstanding.
    pub open: u64,
    /// Those that cannot be judged, or not yet.
    pub unknown: u64,
    /// Of these, those that are not over: something is outstanding.
    pub waiting: u64,
    /// Findings that stand and are errors.
    pub errors: u64,
    /// Findings that stand and are warnings.
    pub warnings: u64,
    /// Findings that stand and are notes.
    pub notes: u64,
    /// Bytes of memory that the program holds, where the system says so.
    pub memory: Option<u64>,
}

/// A note.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NoteRow<'a> {
    /// When this was written.
    #[serde(serialize_with = "time")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub at: Timestamp,
    /// What it says.
    pub text: Cow<'a, str>,
}

fn time<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&moment::rfc3339(*at))
}

/// `10.0.0.1 → 10.0.0.2:80`, as far as there is one of each.
#[must_use]
pub fn hosts(client: Option<IpAddr>, server: Option<Endpoint>) -> String {
    let client = client.map(|it| it.to_string());
    let server = server.map(|it| it.to_string());
    between(client.as_deref(), server.as_deref())
}

/// `10.0.0.1:5000 (curl[811])`.
fn end(at: &str, process: Option<&str>) -> String {
    process.map_or_else(|| at.to_owned(), |it| format!("{at} ({it})"))
}

fn between(client: Option<&str>, server: Option<&str>) -> String {
    match (client, server) {
        (Some(client), Some(server)) => format!("{client} → {server}"),
        (one, other) => one.or(other).unwrap_or_default().to_owned(),
    }
}

impl<'a> FeedLine<'a> {
    /// The first line.
    #[must_use]
    pub const fn start() -> Self {
        Self::Start(StartRow {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
        })
    }

    /// A finding that stands.
    #[must_use]
    pub fn opened(id: u64, times: u64, finding: &'a Finding, snapshot: &Snapshot) -> Self {
        let connection = finding.example();
        let summary = connection.and_then(|id| snapshot.connection_summary(id));
        let record = connection.and_then(|id| snapshot.connection(id));
        let shown = summary.map(|it| (it.client.to_string(), it.server.to_string()));
        let (client, server) = shown.unzip();
        let held = |who| local::holders_of(snapshot, connection?, who);
        let resets = connection.into_iter();
        let resets = resets.flat_map(|id| local::resets(snapshot, id));
        let time = finding.evidence.iter().map(|it| it.frame_ref.time).max();
        Self::FindingOpened(OpenedRow {
            id,
            at: time.map(moment::rfc3339),
            rule: finding.rule,
            severity: finding.severity.name(),
            certainty: finding.certainty.name(),
            times,
            connection,
            client: client.or_else(|| finding.client.map(|it| it.to_string())),
            server: server.or_else(|| finding.server.map(|it| it.to_string())),
            client_process: held(Who::Client),
            server_process: held(Who::Server),
            reset_reasons: resets
                .map(|(who, reset)| local::reset(reset, finding.proxy.name_of(who)))
                .collect(),
            request: record.and_then(|it| touched(it, true)),
            summary: harmless(&finding.headline()).into_owned(),
            message: harmless(&finding.message),
            frames: finding
                .evidence
                .iter()
                .map(|it| it.frame_ref.frame.0)
                .collect(),
            remedies: finding.remedies.iter().map(|it| harmless(it)).collect(),
            time: time.unwrap_or_default(),
            happened: {
                let hedged = finding.message.hedged(finding.certainty);
                harmless(hedged.happened()).into_owned()
            },
        })
    }

    /// A connection that is over.
    #[must_use]
    pub fn settled(summary: &ConnectionSummary, snapshot: &Snapshot) -> Self {
        let held = |who| local::holders_of(snapshot, summary.id, who);
        Self::Connection(SettledRow {
            id: summary.id,
            first: moment::rfc3339(summary.first.time),
            last: moment::rfc3339(summary.last),
            client: summary.client.to_string(),
            server: summary.server.to_string(),
            client_process: held(Who::Client),
            server_process: held(Who::Server),
            reset_reasons: local::resets(snapshot, summary.id)
                .map(|(who, reset)| local::reset(reset, who.name()))
                .collect(),
            outcome: summary.outcome.name(),
            reason: summary.outcome.reason(),
            phrase: summary.outcome.phrase(),
            how: summary.how.name(),
            by: terms::by(summary.by),
            requests: summary.exchanges,
            bytes: summary.bytes,
            time: summary.last,
        })
    }

    /// The line of a note.
    #[must_use]
    pub fn note(at: Timestamp, text: &'a str) -> Self {
        Self::Note(NoteRow {
            at,
            text: escape(text.as_bytes()),
        })
    }

    /// Writes the line. In text the first and the last one have none.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write(&self, format: FeedFormat, zone: &Zone, out: &mut dyn Write) -> io::Result<()> {
        match format {
            FeedFormat::Ndjson => {
                serde_json::to_writer(&mut *out, self).map_err(io::Error::from)?;
                writeln!(out)
            }
            FeedFormat::Text => match self.text(zone) {
                Some((at, text)) => writeln!(out, "{}  {text}", zone.full(at)),
                None => Ok(()),
            },
        }
    }

    fn text(&self, zone: &Zone) -> Option<(Timestamp, String)> {
        let named = |severity: &str, id: u64, rule: &str| format!("{severity:7}  [{id}] {rule}");
        Some(match self {
            Self::Start(_) | Self::End(_) => return None,
            Self::FindingOpened(it) => {
                let mut text = named(it.severity, it.id, it.rule);
                let own = it.connection.map(|id| format!("#{id}"));
                let end = |at: &Option<String>, process: &Option<String>| {
                    at.as_deref().map(|at| end(at, process.as_deref()))
                };
                let client = end(&it.client, &it.client_process);
                let server = end(&it.server, &it.server_process);
                let hosts = between(client.as_deref(), server.as_deref());
                let request = it.request.clone().unwrap_or_default();
                let happened = it.happened.clone();
                let reasons = it.reset_reasons.join("; ");
                for part in [own.unwrap_or_default(), hosts, request, happened, reasons] {
                    if !part.is_empty() {
                        text += &format!("  {part}");
                    }
                }
                if it.times > 1 {
                    text += &format!("  ({} cases)", number(it.times));
                }
                (it.time, text)
            }
            Self::FindingUpdated(it) => {
                let name = named(it.severity, it.id, it.rule);
                let (added, all) = (number(it.added), number(it.times));
                let since = zone.time_of_day(it.since);
                let text = format!("{name}  +{added} since {since}, {all} in all  {}", it.hosts);
                (it.at, text)
            }
            Self::FindingClosed(it) => {
                let name = named("closed", it.id, it.rule);
                let text = format!("{name}  later packets changed the verdict  {}", it.hosts);
                (it.at, text)
            }
            Self::Connection(it) => {
                let text = format!(
                    "{:7}  #{}  {} → {}  {}",
                    it.outcome,
                    it.id,
                    end(&it.client, it.client_process.as_deref()),
                    end(&it.server, it.server_process.as_deref()),
                    it.phrase
                );
                (it.time, text)
            }
            Self::Summary(it) => (it.at, it.text()),
            Self::Note(it) => (it.at, format!("note     {}", it.text)),
        })
    }
}

/// Connections that cannot be judged because they are not over: later packets decide what becomes of them.
fn waiting(snapshot: &Snapshot) -> u64 {
    let all = snapshot.summaries.iter();
    let all = all.filter(|it| !snapshot.ignored.leaves_out(it.id));
    let waiting = all.filter(|it| match it.outcome {
        ConnectionOutcome::Unknown(UnknownReason::StillOpen) => false,
        ConnectionOutcome::Unknown(UnknownReason::CutOff | UnknownReason::HalfClosed) => true,
        ConnectionOutcome::Unknown(_) => it.how == How::Open,
        _ => false,
    });
    waiting.count() as u64
}

impl SummaryRow {
    /// The totals of a snapshot.
    #[must_use]
    pub fn of(at: Timestamp, snapshot: &Snapshot, memory: Option<u64>) -> Self {
        let outcomes = outcomes(snapshot);
        let of = |severity: Severity| {
            let own = snapshot
                .findings
                .iter()
                .filter(|it| it.severity == severity);
            own.count() as u64
        };
        Self {
            at,
            packets: snapshot.summary.frames,
            packets_lost: snapshot.summary.lost.total(),
            connections: outcomes.all(),
            failed: outcomes.failed,
            fine: outcomes.fine,
            open: outcomes.still_open(),
            unknown: outcomes.unknown().saturating_sub(outcomes.still_open()),
            waiting: waiting(snapshot),
            errors: of(Severity::Error),
            warnings: of(Severity::Warning),
            notes: of(Severity::Note),
            memory,
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "summary  {}, {}: {} failed, {} fine, {} open",
            count(self.packets, "packet", "packets"),
            count(self.connections, "connection", "connections"),
            number(self.failed),
            number(self.fine),
            number(self.open),
        );
        if self.unknown > 0 {
            text += &format!(", {} not judged", number(self.unknown));
        }
        for (found, one, many) in [
            (self.errors, "error", "errors"),
            (self.warnings, "warning", "warnings"),
            (self.notes, "note", "notes"),
        ] {
            if found > 0 {
                text += &format!("; {}", count(found, one, many));
            }
        }
        if let Some(lost @ 1..) = self.packets_lost {
            text += &format!("; {} lost", count(lost, "packet", "packets"));
        }
        text
    }
}
