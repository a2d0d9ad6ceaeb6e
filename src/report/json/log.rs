//! The `log` array: what the logs say beside the packets. Each log has its `lines`, as far as they were joined.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

use super::row::JsonTime;
use crate::analysis::connection::Who;
use crate::base::escape::escape;
use crate::base::time::Timestamp;
use crate::logs::{
    Compared, LeftBecause, LeftLine, LineKind, LogComparison, LogLine, LogRow as Joined,
};
use crate::report::view::View;
use crate::report::wording::terms::millis;

/// A log, compared with the capture.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LogRow<'a> {
    /// The path as given.
    path: Cow<'a, str>,
    /// The format that was recognised.
    format: &'static str,
    /// All lines.
    lines_total: u64,
    /// Lines of a time before the capture.
    before: u64,
    /// Lines of a time after it.
    after: u64,
    /// Lines without a time.
    untimed: u64,
    /// Lines about no request and no connection.
    about_no_connection: u64,
    /// Lines at their request or connection.
    joined: u64,
    /// Lines that several requests or connections fit.
    undecided: u64,
    /// Lines of the capture's time that nothing in it fits.
    without_packets: u64,
    /// Lines that were not compared, because there were too many.
    not_compared: u64,
    /// By how much the log's clock is ahead of the capture's; `null` if nothing shows it.
    clock_ahead_ms: Option<f64>,
    /// How exactly that is known.
    clock_uncertainty_ms: f64,
    /// How many requests or connections show it.
    clock_shown_by: usize,
    /// The log's clients are none of those in the capture.
    addresses_differ: bool,
    /// The lines that were joined.
    lines: Vec<LineRow<'a>>,
    /// The first lines of the capture's time that were not joined.
    left: Vec<LeftRow<'a>>,
    /// Requests to this log's server, in its time, without a line; not counted if lines were not compared.
    requests_without_line: u64,
    /// The first of them.
    requests_without_line_first: Vec<RequestRow>,
}

/// A line of a log, and what it is about.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "LogLine"))]
struct LineRow<'a> {
    /// Its number in the file, from 1.
    line: u64,
    /// The line, cut if it is long.
    text: Cow<'a, str>,
    /// Whether it reports a request that is over, or something that happened.
    #[cfg_attr(test, schemars(extend("enum" = ["access", "event"])))]
    kind: &'static str,
    /// Its time on the clock of the capture.
    at: Option<JsonTime>,
    /// The `id` of its connection.
    connection: u32,
    /// Its place among the connection's exchanges, from 0; `null` if it is about none.
    exchange: Option<u32>,
    /// Which side of the connection wrote the line.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server"])))]
    written_by: &'static str,
    /// What the line says.
    says: Says<'a>,
    /// What the packets show.
    wire: Wire,
    /// Whether both agree; `null` if nothing can be compared.
    agrees: Option<bool>,
    /// In what they agree: `status`, `bytes`, `time`, `text`.
    same: Vec<&'static str>,
    /// In what they differ.
    differs: Vec<&'static str>,
    /// The findings that name the connection.
    findings: &'a [u32],
}

/// What a line of a log says.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "LogSays"))]
struct Says<'a> {
    /// The client's address.
    client: Option<IpAddr>,
    /// The client's port.
    client_port: Option<u16>,
    /// The server behind a proxy.
    upstream: Option<String>,
    /// The method.
    method: Option<Cow<'a, str>>,
    /// The target.
    target: Option<Cow<'a, str>>,
    /// The status; 0 stands for none.
    status: Option<u16>,
    /// Bytes sent to the client.
    bytes: Option<u64>,
    /// How long it took.
    duration_ms: Option<f64>,
    /// How it ended, in the log's own code.
    ending: Option<Cow<'a, str>>,
    /// How grave it is.
    level: Option<Cow<'a, str>>,
    /// The text of an event.
    message: Option<Cow<'a, str>>,
}

/// What the packets show of a line's request.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "LogWire"))]
struct Wire {
    /// The status of the response.
    status: Option<u16>,
    /// How the exchange ended.
    outcome: Option<&'static str>,
    /// Bytes of the response's body.
    received: Option<u64>,
}

/// A line that was not joined.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "LogLeft"))]
struct LeftRow<'a> {
    /// Its number in the file, from 1.
    line: u64,
    /// The line, cut if it is long.
    text: Cow<'a, str>,
    /// Why it was not joined.
    #[cfg_attr(test, schemars(extend("enum" = ["not-captured", "several-fit"])))]
    why: &'static str,
}

/// A request without a line.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "LogRequest"))]
struct RequestRow {
    /// The `id` of its connection.
    connection: u32,
    /// Its place among the connection's exchanges, from 0.
    exchange: u32,
}

impl<'a> LogRow<'a> {
    pub(super) fn new(log: &'a LogComparison, view: &'a View<'_>) -> Self {
        let counts = &log.counts;
        let unlogged = log.unlogged_first.iter();
        Self {
            path: escape(log.path.as_bytes()),
            format: log.format.name(),
            lines_total: counts.lines,
            before: counts.before,
            after: counts.after,
            untimed: counts.untimed,
            about_no_connection: counts.others,
            joined: counts.joined,
            undecided: counts.undecided,
            without_packets: counts.without_packets,
            not_compared: counts.beyond,
            clock_ahead_ms: (log.clock.support > 0).then(|| log.clock.nanos as f64 / 1e6),
            clock_uncertainty_ms: log.clock.uncertainty as f64 / 1e6,
            clock_shown_by: log.clock.support,
            addresses_differ: log.addresses_differ,
            lines: log
                .rows
                .iter()
                .map(|row| LineRow::new(row, log, view))
                .collect(),
            left: log.left.iter().map(LeftRow::new).collect(),
            requests_without_line: log.unlogged,
            requests_without_line_first: unlogged
                .map(|(connection, exchange)| RequestRow {
                    connection: *connection,
                    exchange: *exchange,
                })
                .collect(),
        }
    }
}

impl<'a> LineRow<'a> {
    fn new(row: &'a Joined, log: &LogComparison, view: &'a View<'_>) -> Self {
        let names = |list: &[Compared]| list.iter().map(|it| it.name()).collect();
        let connection = view.snapshot.connection(row.connection);
        let exchange = connection.and_then(|it| Some((it, row.exchange_on(it)?)));
        Self {
            line: row.number,
            text: escape(row.text.as_bytes()),
            kind: match row.line.kind {
                LineKind::Access => "access",
                LineKind::Event => "event",
            },
            at: row.line.time.map(|it| {
                let at = it.nanos.saturating_sub(log.clock.nanos);
                JsonTime(Timestamp::from_nanos(at))
            }),
            connection: row.connection,
            exchange: row.exchange,
            written_by: match row.writer {
                Who::Client => "client",
                Who::Server => "server",
            },
            says: Says::new(&row.line),
            wire: Wire {
                status: exchange.and_then(|(_, it)| it.status()),
                outcome: exchange
                    .and_then(|(on, it)| it.outcome(on.teardown.ending()))
                    .map(|it| it.name()),
                received: exchange
                    .and_then(|(_, it)| it.response.as_ref())
                    .map(|it| it.message.received()),
            },
            agrees: row.agreement.agrees(),
            same: names(&row.agreement.same),
            differs: names(&row.agreement.differs),
            findings: view.finding_numbers(row.connection),
        }
    }
}

impl<'a> Says<'a> {
    fn new(line: &'a LogLine) -> Self {
        let text = |it: &'a Option<Box<str>>| it.as_deref().map(|it| escape(it.as_bytes()));
        Self {
            client: line.client,
            client_port: line.client_port,
            upstream: line.upstream.map(|it| it.to_string()),
            method: text(&line.method),
            target: text(&line.target),
            status: line.status,
            bytes: line.bytes,
            duration_ms: line.duration.map(millis),
            ending: text(&line.ending),
            level: text(&line.level),
            message: text(&line.message),
        }
    }
}

impl<'a> LeftRow<'a> {
    fn new(left: &'a LeftLine) -> Self {
        Self {
            line: left.number,
            text: escape(left.text.as_bytes()),
            why: match left.why {
                LeftBecause::NotCaptured => "not-captured",
                LeftBecause::SeveralFit => "several-fit",
            },
        }
    }
}
