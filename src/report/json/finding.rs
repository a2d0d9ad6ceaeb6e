//! Rows about findings.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;

use serde::Serialize;

use super::connection::ErrorRows;
use super::row::{BothSides, JsonTime, PlaceRow, text};
use crate::analysis::connection::Connection;
use crate::base::escape::{escape, harmless};
use crate::base::frame_names::FrameNames;
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::protocol::http::{Exchange, Outcome};
use crate::report::finding::{affected, touched_paths};
use crate::report::snapshot::Snapshot;
use crate::report::view::View;
use crate::report::wording::connection as wording;
use crate::report::wording::{local, terms};
use crate::rules::Finding;

/// Requests listed of one finding.
const REQUESTS: usize = 16;
/// Kinds of requests counted of one finding.
const KINDS: usize = 16;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct FindingRow<'a> {
    /// Its number, from 1, worst first.
    id: u32,
    /// The rule; `hangup explain RULE` prints its page.
    rule: &'a str,
    /// How bad it is.
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning", "note", "benign"])))]
    severity: &'static str,
    /// How far the capture proves it.
    #[cfg_attr(test, schemars(extend("enum" = ["certain", "likely", "possible"])))]
    certainty: &'static str,
    /// The connections, by their `id`.
    connections: &'a [u32],
    /// Further connections, whose details are gone.
    connections_gone: u64,
    /// The client, if there is exactly one.
    client: Option<IpAddr>,
    /// The server as `address:port`, if there is exactly one.
    server: Option<String>,
    /// The finding that this one follows from; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    caused_by: Option<u32>,
    /// The headline.
    summary: String,
    /// What happened, and what it means.
    message: Cow<'a, str>,
    /// The frames that prove it, of the case that is shown: the worst.
    evidence: Vec<EvidenceRow<'a>>,
    /// What to change, the likeliest first.
    remedies: Vec<Cow<'a, str>>,
    /// When the first frame of its connections was captured; `null` if it names none that is listed.
    first: Option<JsonTime>,
    /// When the last frame of its connections was captured.
    last: Option<JsonTime>,
    /// The affected request of each connection, of the first 16 connections that have one: the first request that is not
    /// complete, else the last.
    requests: Vec<RequestRow<'a>>,
    /// Further connections, which were not examined for `requests`, or whose details are gone.
    requests_unread: u64,
    /// A Wireshark display filter: of the connection if there is one, else of all traffic between the client and the server;
    /// `null` if it concerns several of either.
    filter: Option<String>,
    /// The log lines expected in the case that is shown, as `errors_predicted` of its connection.
    predicted: BothSides<Option<ErrorRows<'a>>>,
    /// How much it concerns, and what differs between its cases.
    counts: CountsRow,
}

/// A request that a finding concerns.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RequestRow<'a> {
    /// The connection, by its `id`.
    connection: u32,
    /// The request's method.
    method: Option<Cow<'a, str>>,
    /// The request's target, escaped.
    target: Option<Cow<'a, str>>,
    /// The final response's status; `null` without one.
    status: Option<u16>,
    /// What came of it; `null` if it is not known.
    #[cfg_attr(test, schemars(extend("enum" = ["complete", "no-response", "cut-short", "client-left", "reset", "unfinished", null])))]
    outcome: Option<&'static str>,
    /// The request's first frame; `null` if the request was not captured.
    request_frame: Option<u64>,
    /// The response's first frame; `null` without one.
    response_frame: Option<u64>,
}

/// The numbers of a finding.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CountsRow {
    /// How often it happened: once for each connection, unless several make one event.
    times: u64,
    /// Connections, with those whose details are gone.
    connections: u64,
    /// Addresses of clients, of the connections that are listed.
    clients: u64,
    /// Addresses and ports of servers, of the connections that are listed.
    servers: u64,
    /// The affected requests of the first 4,096 connections by method and path, the most frequent first; at most 16.
    requests: Vec<KindRow>,
    /// Further kinds of requests, which are not listed.
    requests_more: u64,
}

/// Requests that are alike.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct KindRow {
    /// Method and path, shortened, such as `GET /a`.
    request: String,
    /// Connections with such a request.
    connections: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EvidenceRow<'a> {
    /// The frame.
    frame: u64,
    #[serde(flatten)]
    place: PlaceRow,
    /// When.
    at: JsonTime,
    /// What it shows.
    note: Cow<'a, str>,
}

impl<'a> FindingRow<'a> {
    pub(super) fn new(finding: &'a Finding, view: &View<'a>) -> Self {
        let snapshot = view.snapshot;
        let frames: &FrameNames = &snapshot.frames;
        let evidence = finding.evidence.iter();
        let hosts = HostsConcerned::of(finding, snapshot);
        let (requests, requests_unread) = requests(finding, snapshot);
        let first = finding.example();
        let first = first.and_then(|id| snapshot.connection(id));
        Self {
            id: finding.id,
            rule: finding.rule,
            severity: finding.severity.name(),
            certainty: finding.certainty.name(),
            connections: &finding.connections,
            connections_gone: finding.gone,
            client: finding.client,
            server: finding.server.map(|server| server.to_string()),
            caused_by: finding.caused_by,
            summary: harmless(&finding.headline()).into_owned(),
            message: harmless(&finding.message),
            evidence: evidence
                .map(|evidence| EvidenceRow {
                    frame: evidence.frame_ref.frame.0,
                    place: PlaceRow::new(evidence.frame_ref.frame, frames),
                    at: JsonTime(evidence.frame_ref.time),
                    note: harmless(&evidence.note),
                })
                .chain(resets(finding, snapshot))
                .collect(),
            remedies: finding.remedies.iter().map(|it| harmless(it)).collect(),
            first: hosts.span.map(|(first, _)| JsonTime(first)),
            last: hosts.span.map(|(_, last)| JsonTime(last)),
            requests,
            requests_unread,
            filter: filter(finding, snapshot),
            predicted: BothSides::of(|who| first.map(|it| ErrorRows::new(it, who, view))),
            counts: CountsRow::new(finding, snapshot, &hosts),
        }
    }
}

/// When and between whom the connections of a finding were, as far as they are listed. All of it is found in one pass, since very
/// many connections may have one finding.
#[derive(Default)]
struct HostsConcerned {
    span: Option<(Timestamp, Timestamp)>,
    clients: HashSet<IpAddr>,
    servers: HashSet<Endpoint>,
}

impl HostsConcerned {
    fn of(finding: &Finding, snapshot: &Snapshot) -> Self {
        let mut all = Self::default();
        let mut before = None;
        let ids = finding.connections.iter();
        for it in ids.filter_map(|id| snapshot.connection_summary(*id)) {
            let (first, last) = all.span.unwrap_or((it.first.time, it.last));
            all.span = Some((first.min(it.first.time), last.max(it.last)));
            let hosts = (it.client.ip, it.server);
            // Many in a row are of the same two.
            if before.replace(hosts) != Some(hosts) {
                all.clients.insert(hosts.0);
                all.servers.insert(hosts.1);
            }
        }
        all
    }
}

/// Why this host's operating system reset the connection that is shown.
fn resets<'a>(finding: &Finding, snapshot: &'a Snapshot) -> impl Iterator<Item = EvidenceRow<'a>> {
    let shown = finding.example().into_iter();
    let resets = shown.flat_map(|id| local::resets(snapshot, id));
    resets.map(|(who, reset)| EvidenceRow {
        frame: reset.frame.frame.0,
        place: PlaceRow::new(reset.frame.frame, &snapshot.frames),
        at: JsonTime(reset.frame.time),
        note: local::reset(reset, finding.proxy.name_of(who)).into(),
    })
}

/// The affected requests, and the number of connections that were not examined.
fn requests<'a>(finding: &Finding, snapshot: &'a Snapshot) -> (Vec<RequestRow<'a>>, u64) {
    let mut rows = Vec::new();
    let mut unread = finding.gone;
    for (looked_at, id) in finding.connections.iter().enumerate() {
        if rows.len() >= REQUESTS {
            unread += (finding.connections.len() - looked_at) as u64;
            break;
        }
        match snapshot.connection(*id) {
            Some(connection) => {
                rows.extend(affected(connection).map(|it| RequestRow::new(connection, it)));
            }
            None => unread += 1,
        }
    }
    (rows, unread)
}

/// A display filter that shows it.
fn filter(finding: &Finding, snapshot: &Snapshot) -> Option<String> {
    match (&finding.connections[..], finding.client, finding.server) {
        ([only], ..) => {
            let it = snapshot.connection_summary(*only)?;
            Some(wording::filter_between(it.client, it.server))
        }
        (_, Some(client), Some(server)) => Some(wording::filter_of_all(client, server)),
        _ => None,
    }
}

impl<'a> RequestRow<'a> {
    fn new(connection: &Connection, exchange: &'a Exchange) -> Self {
        let request = exchange.request.as_ref();
        let response = exchange.response.as_ref();
        Self {
            connection: connection.id,
            method: exchange.method().map(escape),
            target: request.and_then(|it| text(&it.target)),
            status: exchange.status(),
            outcome: exchange
                .outcome(terms::ending(connection))
                .map(Outcome::name),
            request_frame: request.map(|it| it.message.first.frame.0),
            response_frame: response.map(|it| it.message.first.frame.0),
        }
    }
}

impl CountsRow {
    fn new(finding: &Finding, snapshot: &Snapshot, hosts: &HostsConcerned) -> Self {
        let kinds = touched_paths(snapshot, &finding.connections);
        let more = kinds.len().saturating_sub(KINDS) as u64;
        let kinds = kinds.into_iter().take(KINDS);
        Self {
            times: finding.times,
            connections: finding.in_all(),
            clients: hosts.clients.len() as u64,
            servers: hosts.servers.len() as u64,
            requests: kinds
                .map(|(request, connections)| KindRow {
                    request,
                    connections,
                })
                .collect(),
            requests_more: more,
        }
    }
}
