//! The machine-readable report: schema `hangup-report/1`, as one JSON object or as one object per line.
//!
//! In: a [`Snapshot`](crate::report::snapshot::Snapshot). Out: JSON written row by row, so that a report on hundreds of
//! thousands of connections needs no more memory than one row. The field names are stable, since scripts depend on
//! them; fields may be added, and an unknown value is `null`, never left out. Text from packets passes through
//! [`escape`]. Analysis types are deliberately not `Serialize`: a rename there must not change the schema.

mod layers;
mod row;
mod search_result;
mod tls;

use row::{BothSides, JsonTime, millis, text};
use std::borrow::Cow;
use std::io::{self, Write};
use std::rc::Rc;

use serde::{Serialize, Serializer};

use super::view::View;
use crate::analysis::connection::{CloseEvent, Connection, Who};
use crate::analysis::hosts::Sockets;
use crate::base::escape::{escape, harmless};
use crate::base::frame_ref::{FrameNames, FrameNumber};
use crate::base::net::{Endpoint, Skip};
use crate::knowledge::NamedBy;
use crate::protocol::http::{
    ConnectionOptions, Exchange, Fault, HttpVersion, Message, MessageProgress, Outcome,
};
use crate::report::json::search_result::{IgnoredRow, SearchRow};
use crate::report::json::tls::TlsRow;
use crate::report::snapshot::InputSummary;
use crate::report::wording::terms;
use crate::rules::Finding;
use crate::rules::log_errors::{PredictedText, filled};

const SCHEMA: &str = "hangup-report/1";

/// Writes one JSON object. Each row is on a line of its own, so that two reports can be compared line by line.
pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let snapshot = view.snapshot;
    write!(out, "{{\"schema\":\"{SCHEMA}\",\n\"tool\":")?;
    row(out, &ToolRow::OURS)?;
    write!(out, ",\n\"capture\":")?;
    row(out, &CaptureRow::new(view))?;
    write!(out, ",\n\"search\":")?;
    row(out, &SearchRow::of(snapshot))?;
    write!(out, ",\n\"ignored\":")?;
    row(out, &IgnoredRow::of(snapshot))?;
    let connections = view.shown().map(|it| ConnectionRow::new(it, view));
    rows(out, "connections", connections)?;
    rows(
        out,
        "findings",
        snapshot
            .findings
            .iter()
            .map(|it| FindingRow::new(it, &snapshot.frames)),
    )?;
    rows(out, "sockets", snapshot.sockets.iter().map(SocketsRow::new))?;
    writeln!(out, "}}")
}

/// Writes the same objects one per line, each with its `kind`.
pub(super) fn write_lines(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let snapshot = view.snapshot;
    line(
        out,
        "capture",
        &ReportHead {
            schema: SCHEMA,
            tool: ToolRow::OURS,
            capture: CaptureRow::new(view),
        },
    )?;
    if let Some(search) = SearchRow::of(snapshot) {
        line(out, "search", &search)?;
    }
    if let Some(ignored) = IgnoredRow::of(snapshot) {
        line(out, "ignored", &ignored)?;
    }
    for connection in view.shown() {
        line(out, "connection", &ConnectionRow::new(connection, view))?;
    }
    for finding in &snapshot.findings {
        line(out, "finding", &FindingRow::new(finding, &snapshot.frames))?;
    }
    for sockets in &snapshot.sockets {
        line(out, "sockets", &SocketsRow::new(sockets))?;
    }
    Ok(())
}

fn rows<R: Serialize>(
    out: &mut dyn Write,
    name: &str,
    rows: impl Iterator<Item = R>,
) -> io::Result<()> {
    write!(out, ",\n\"{name}\":[")?;
    let mut between = "\n";
    for each in rows {
        out.write_all(between.as_bytes())?;
        row(out, &each)?;
        between = ",\n";
    }
    write!(out, "]")
}

fn row(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

fn line(out: &mut dyn Write, kind: &'static str, object: &impl Serialize) -> io::Result<()> {
    row(out, &NdjsonLine { kind, object })?;
    writeln!(out)
}

#[derive(Serialize)]
struct NdjsonLine<'a, T: Serialize> {
    kind: &'static str,
    #[serde(flatten)]
    object: &'a T,
}

#[derive(Serialize)]
struct ReportHead<'a> {
    schema: &'static str,
    tool: ToolRow,
    #[serde(flatten)]
    capture: CaptureRow<'a>,
}

#[derive(Serialize)]
struct ToolRow {
    name: &'static str,
    version: &'static str,
}

impl ToolRow {
    const OURS: Self = Self {
        name: "hangup",
        version: env!("CARGO_PKG_VERSION"),
    };
}

#[derive(Serialize)]
struct CaptureRow<'a> {
    files: Vec<FileRow<'a>>,
    first: Option<JsonTime>,
    last: Option<JsonTime>,
    packets: u64,
    segments: u64,
    skipped: SkippedRow<'a>,
    dropped_by_kernel: Option<u64>,
    dropped_by_interface: Option<u64>,
    connections_total: u64,
    connections_listed: u64,
    connections_let_go: u64,
    quic_connections: u64,
    details_let_go: u64,
    limits_hit: Vec<LimitRow>,
}

#[derive(Serialize)]
struct FileRow<'a> {
    path: Cow<'a, str>,
    format: &'a str,
    packets: u64,
    bytes: u64,
    damage: Option<DamageRow<'a>>,
}

#[derive(Serialize)]
struct DamageRow<'a> {
    offset: u64,
    reason: Cow<'a, str>,
}

#[derive(Serialize)]
struct LimitRow {
    name: &'static str,
    count: u64,
    meaning: &'static str,
}

impl<'a> CaptureRow<'a> {
    fn new(view: &'a View<'_>) -> Self {
        let summary = &view.snapshot.summary;
        let limits = summary.limits.iter();
        Self {
            files: summary.inputs.iter().map(FileRow::new).collect(),
            first: summary.span.map(|(first, _)| JsonTime(first)),
            last: summary.span.map(|(_, last)| JsonTime(last)),
            packets: summary.frames,
            segments: summary.segments,
            skipped: SkippedRow(&summary.skipped),
            dropped_by_kernel: summary.lost.kernel,
            dropped_by_interface: summary.lost.interface,
            connections_total: view.snapshot.connections_total(),
            connections_listed: view.shown().count() as u64,
            connections_let_go: summary.let_go,
            quic_connections: summary.quic_connections,
            details_let_go: summary.given_up.records,
            limits_hit: limits
                .map(|limit| LimitRow {
                    name: limit.name,
                    count: limit.count,
                    meaning: limit.meaning,
                })
                .collect(),
        }
    }
}

impl<'a> FileRow<'a> {
    fn new(input: &'a InputSummary) -> Self {
        Self {
            path: escape(input.path.as_bytes()),
            format: &input.format,
            packets: input.packets,
            bytes: input.bytes,
            damage: input.damage.as_ref().map(|damage| DamageRow {
                offset: damage.offset,
                reason: escape(damage.reason.as_bytes()),
            }),
        }
    }
}

/// The skip reasons that occurred, with their counts.
struct SkippedRow<'a>(&'a [u64; Skip::ALL.len()]);

impl Serialize for SkippedRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counted = Skip::ALL.iter().zip(self.0);
        let counted = counted.filter(|(_, count)| **count > 0);
        serializer.collect_map(counted.map(|(skip, count)| (skip.name(), count)))
    }
}

#[derive(Serialize)]
struct ConnectionRow<'a> {
    id: u32,
    client: EndpointRow,
    server: EndpointRow,
    roles: &'static str,
    context: Option<Cow<'a, str>>,
    first_frame: u64,
    first_file: Option<usize>,
    first_frame_in_file: Option<u64>,
    last_frame: u64,
    last_file: Option<usize>,
    last_frame_in_file: Option<u64>,
    first: JsonTime,
    last: JsonTime,
    opening: &'static str,
    connect_ms: Option<f64>,
    syn_retries: u16,
    teardown: TeardownRow,
    outcome: &'static str,
    outcome_reason: &'static str,
    states: BothSides<Option<&'static str>>,
    time_wait: Option<&'static str>,
    protocol: Option<&'static str>,
    sent: BothSides<SentRow>,
    fin: BothSides<Option<CloseRow>>,
    reset: BothSides<Option<CloseRow>>,
    icmp: Option<IcmpRow>,
    predecessor_frame: Option<u64>,
    tls: Option<TlsRow<'a>>,
    exchanges: Vec<ExchangeRow<'a>>,
    h2: Option<layers::H2Row<'a>>,
    websocket: Option<layers::WebSocketRow<'a>>,
    dialogue: Option<layers::DialogueRow<'a>>,
    errors_predicted: BothSides<ErrorRows<'a>>,
    /// The former name of `errors_predicted`, with the same content.
    errors_seen: BothSides<ErrorRows<'a>>,
    findings: &'a [u32],
}

/// Which frame of which file a frame is.
#[derive(Serialize)]
struct PlaceRow {
    /// Its index in `capture.files`.
    file: Option<usize>,
    frame_in_file: Option<u64>,
}

impl PlaceRow {
    fn new(frame: FrameNumber, frames: &FrameNames) -> Self {
        let place = frames.place(frame);
        Self {
            file: place.map(|(file, _)| file),
            frame_in_file: place.map(|(_, own)| own),
        }
    }
}

#[derive(Serialize)]
struct EndpointRow {
    ip: std::net::IpAddr,
    port: u16,
}

#[derive(Serialize)]
struct TeardownRow {
    by: Option<&'static str>,
    how: &'static str,
    reset: Option<&'static str>,
    phase: &'static str,
    frame: Option<u64>,
    #[serde(flatten)]
    place: PlaceRow,
    at: Option<JsonTime>,
    certainty: &'static str,
    orderly: bool,
}

#[derive(Serialize)]
struct SentRow {
    packets: u64,
    bytes: u64,
    retransmitted: u32,
    missing: u64,
    fins: u32,
    resets: u32,
    keep_alives: u32,
    zero_windows: u32,
    acknowledged: u64,
    ttl: u8,
}

/// A side's first FIN or RST.
#[derive(Serialize)]
struct CloseRow {
    frame: u64,
    #[serde(flatten)]
    place: PlaceRow,
    at: JsonTime,
    sent: u64,
    received: u64,
    knew_fin: bool,
}

#[derive(Serialize)]
struct IcmpRow {
    frame: u64,
    #[serde(flatten)]
    place: PlaceRow,
    at: JsonTime,
    reporter: std::net::IpAddr,
    r#type: u8,
    code: u8,
    mtu: Option<u32>,
}

impl<'a> ConnectionRow<'a> {
    fn new(connection: &'a Connection, view: &'a View<'a>) -> Self {
        let teardown = &connection.teardown;
        let shown = teardown.frame != FrameNumber(0);
        let ending = terms::ending(connection);
        let exchanges = connection.exchanges.iter();
        let frames = &view.snapshot.frames;
        let (first, last) = (
            PlaceRow::new(connection.first.frame, frames),
            PlaceRow::new(connection.last.frame, frames),
        );
        let context = usize::try_from(connection.context.0).unwrap_or(usize::MAX);
        let close = |event: &CloseEvent| CloseRow::new(event, frames);
        let errors = |who| ErrorRows {
            told: view.told(connection, who),
            connection,
            who,
        };
        Self {
            id: connection.id,
            client: EndpointRow::new(connection.client),
            server: EndpointRow::new(connection.server),
            roles: terms::roles(connection.roles),
            context: (context != 0).then(|| {
                let name = view.snapshot.contexts.get(context);
                name.map_or(Cow::Borrowed("tunnel"), |name| escape(name.as_bytes()))
            }),
            first_frame: connection.first.frame.0,
            first_file: first.file,
            first_frame_in_file: first.frame_in_file,
            last_frame: connection.last.frame.0,
            last_file: last.file,
            last_frame_in_file: last.frame_in_file,
            first: JsonTime(connection.first.time),
            last: JsonTime(connection.last.time),
            opening: terms::opening(connection.opening),
            connect_ms: connection.connect_time.map(millis),
            syn_retries: connection.syn_retries,
            teardown: TeardownRow {
                by: terms::by(teardown.by),
                how: terms::how(teardown.how),
                reset: terms::reset(teardown.how),
                phase: teardown.phase.name(),
                frame: shown.then_some(teardown.frame.0),
                place: PlaceRow::new(teardown.frame, frames),
                at: shown.then_some(JsonTime(teardown.at)),
                certainty: teardown.certainty.name(),
                orderly: teardown.orderly,
            },
            outcome: connection.outcome.name(),
            outcome_reason: connection.outcome.reason(),
            states: BothSides::of(|who| terms::state(connection.states[who as usize])),
            time_wait: terms::time_wait(connection),
            protocol: terms::protocol(connection.protocol),
            sent: BothSides::of(|who| SentRow::new(connection, who)),
            fin: BothSides::of(|who| connection.fin[who as usize].as_ref().map(close)),
            reset: BothSides::of(|who| connection.reset[who as usize].as_ref().map(close)),
            icmp: connection.icmp.as_ref().map(|quote| IcmpRow {
                frame: quote.frame.0,
                place: PlaceRow::new(quote.frame, frames),
                at: JsonTime(quote.time),
                reporter: quote.reporter,
                r#type: quote.icmp_type,
                code: quote.icmp_code,
                mtu: quote.mtu,
            }),
            predecessor_frame: connection.predecessor.map(|before| before.last.frame.0),
            tls: connection.tls.as_deref().map(TlsRow::new),
            exchanges: exchanges
                .map(|exchange| ExchangeRow::new(exchange, exchange.outcome(ending), frames))
                .collect(),
            h2: connection.h2.as_deref().map(layers::H2Row::new),
            websocket: connection
                .websocket
                .as_deref()
                .map(layers::WebSocketRow::new),
            dialogue: layers::DialogueRow::new(connection),
            errors_predicted: BothSides::of(errors),
            errors_seen: BothSides::of(errors),
            findings: view.finding_numbers(connection.id),
        }
    }
}

/// The log lines expected from one side's program. The texts are from the tables; the values filled in are escaped.
struct ErrorRows<'a> {
    told: Rc<[PredictedText]>,
    connection: &'a Connection,
    who: Who,
}

impl Serialize for ErrorRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.told.iter().map(|told| ErrorRow {
            stack: told.stack,
            also: &told.also,
            r#type: told.kind,
            text: told.text.map(|it| filled(it, self.connection, self.who)),
            identified_by: told.identified_by.map(NamedBy::name),
            note: told.note,
            handed_on: told.handed_on,
        }))
    }
}

#[derive(Serialize)]
struct ErrorRow<'a> {
    stack: &'static str,
    also: &'a [&'static str],
    r#type: Option<&'static str>,
    text: Option<Cow<'static, str>>,
    identified_by: Option<&'static str>,
    note: Option<&'static str>,
    handed_on: bool,
}

impl EndpointRow {
    const fn new(endpoint: Endpoint) -> Self {
        Self {
            ip: endpoint.ip,
            port: endpoint.port,
        }
    }
}

impl SentRow {
    const fn new(connection: &Connection, who: Who) -> Self {
        let sent = &connection.sent[who as usize];
        Self {
            packets: sent.packets,
            bytes: sent.bytes,
            retransmitted: sent.retransmitted,
            missing: sent.missing,
            fins: sent.fins,
            resets: sent.resets,
            keep_alives: sent.keep_alives,
            zero_windows: sent.zero_windows,
            acknowledged: sent.acknowledged,
            ttl: sent.ttl,
        }
    }
}

impl CloseRow {
    fn new(event: &CloseEvent, frames: &FrameNames) -> Self {
        Self {
            frame: event.frame_ref.frame.0,
            place: PlaceRow::new(event.frame_ref.frame, frames),
            at: JsonTime(event.frame_ref.time),
            sent: event.sent,
            received: event.received,
            knew_fin: event.knew_fin,
        }
    }
}

#[derive(Serialize)]
struct ExchangeRow<'a> {
    method: Option<Cow<'a, str>>,
    target: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
    version: Option<String>,
    request_frame: Option<u64>,
    request_file: Option<usize>,
    request_frame_in_file: Option<u64>,
    status: Option<u16>,
    response_frame: Option<u64>,
    response_file: Option<usize>,
    response_frame_in_file: Option<u64>,
    outcome: Option<&'static str>,
    expected: Option<u64>,
    received: Option<u64>,
    waited_ms: Option<f64>,
    request_last_frame: Option<u64>,
    response_last_frame: Option<u64>,
    user_agent: Option<Cow<'a, str>>,
    server: Option<Cow<'a, str>>,
    interim: Vec<u16>,
    connection_header: PerMessage<Option<OptionsRow>>,
    closes: Option<&'static str>,
    faults: PerMessage<Vec<FaultRow<'a>>>,
    stream: Option<layers::StreamRow<'a>>,
}

/// A value for each message of an exchange.
#[derive(Serialize)]
struct PerMessage<T> {
    request: T,
    response: T,
}

/// The `Connection` field lines of a message, with their counts.
#[derive(Serialize)]
struct OptionsRow {
    lines: u8,
    close: u8,
    keep_alive: u8,
    others: u8,
    upgrade: bool,
}

#[derive(Serialize)]
struct FaultRow<'a> {
    rule: &'static str,
    offset: u64,
    bytes: Cow<'a, str>,
}

impl<'a> ExchangeRow<'a> {
    fn new(exchange: &'a Exchange, outcome: Option<Outcome>, frames: &FrameNames) -> Self {
        let request = exchange.request.as_ref();
        let response = exchange.response.as_ref();
        let asked = request.map(|request| &request.message);
        let answered = response.map(|response| &response.message);
        let place = |message: &Message| {
            let place = PlaceRow::new(message.first.frame, frames);
            (place.file, place.frame_in_file)
        };
        let (asked_at, answered_at) = (asked.map(place), answered.map(place));
        let rare = exchange.rare.as_deref();
        let versions = asked.into_iter().chain(answered);
        let versions = versions.map(|message| message.version);
        let seen = answered.is_none_or(|message| message.progress != MessageProgress::Unseen);
        Self {
            method: exchange.method().map(escape),
            target: request.and_then(|request| text(&request.target)),
            host: request.and_then(|request| text(&request.host)),
            version: versions
                .into_iter()
                .find(|version| *version != HttpVersion::UNKNOWN)
                .map(|version| version.to_string()),
            request_frame: asked.map(|message| message.first.frame.0),
            request_file: asked_at.and_then(|place| place.0),
            request_frame_in_file: asked_at.and_then(|place| place.1),
            status: exchange.status(),
            response_frame: answered.map(|message| message.first.frame.0),
            response_file: answered_at.and_then(|place| place.0),
            response_frame_in_file: answered_at.and_then(|place| place.1),
            outcome: outcome.map(Outcome::name),
            expected: exchange.response_expected(),
            // If a response never came, nothing was received, unless the capture lost it.
            received: (outcome.is_some() && seen).then(|| answered.map_or(0, Message::received)),
            waited_ms: exchange.waited().map(millis),
            request_last_frame: asked.map(|message| message.last.frame.0),
            response_last_frame: answered.map(|message| message.last.frame.0),
            user_agent: request.and_then(|request| text(&request.user_agent)),
            server: response.and_then(|response| text(&response.server)),
            interim: rare.map_or_else(Vec::new, |rare| {
                rare.interim.iter().map(|interim| interim.status).collect()
            }),
            connection_header: PerMessage {
                request: asked.map(|message| OptionsRow::new(message.connection)),
                response: answered.map(|message| OptionsRow::new(message.connection)),
            },
            closes: exchange.closes().map(terms::close_sign),
            faults: PerMessage {
                request: exchange
                    .request_faults()
                    .iter()
                    .map(FaultRow::new)
                    .collect(),
                response: exchange
                    .response_faults()
                    .iter()
                    .map(FaultRow::new)
                    .collect(),
            },
            stream: exchange.stream.as_deref().map(layers::StreamRow::new),
        }
    }
}

impl OptionsRow {
    const fn new(options: ConnectionOptions) -> Self {
        Self {
            lines: options.lines,
            close: options.close,
            keep_alive: options.keep_alive,
            others: options.others,
            upgrade: options.upgrade,
        }
    }
}

impl<'a> FaultRow<'a> {
    fn new(fault: &'a Fault) -> Self {
        Self {
            rule: fault.rule.text(),
            offset: fault.offset,
            bytes: escape(fault.bytes.as_bytes()),
        }
    }
}

#[derive(Serialize)]
struct FindingRow<'a> {
    id: u32,
    rule: &'a str,
    severity: &'static str,
    certainty: &'static str,
    connections: &'a [u32],
    /// Further connections, whose details are gone.
    connections_gone: u64,
    client: Option<std::net::IpAddr>,
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caused_by: Option<u32>,
    summary: String,
    message: Cow<'a, str>,
    evidence: Vec<EvidenceRow<'a>>,
    remedies: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
struct EvidenceRow<'a> {
    frame: u64,
    #[serde(flatten)]
    place: PlaceRow,
    at: JsonTime,
    note: Cow<'a, str>,
}

impl<'a> FindingRow<'a> {
    fn new(finding: &'a Finding, frames: &FrameNames) -> Self {
        let evidence = finding.evidence.iter();
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
                .collect(),
            remedies: finding.remedies.iter().map(|it| harmless(it)).collect(),
        }
    }
}

#[derive(Serialize)]
struct SocketsRow {
    client: std::net::IpAddr,
    server: String,
    connections: u64,
    time_wait_now: u64,
    time_wait_peak: u64,
    ports_low: u16,
    ports_high: u16,
    range: String,
    range_basis: &'static str,
    used_peak_percent: f64,
    runs_out_at: Option<JsonTime>,
    peak_at: Option<JsonTime>,
    used_peak: u64,
}

impl SocketsRow {
    fn new(sockets: &Sockets) -> Self {
        Self {
            client: sockets.client,
            server: sockets.server.to_string(),
            connections: sockets.connections,
            time_wait_now: sockets.time_wait_now,
            time_wait_peak: sockets.time_wait_peak,
            ports_low: sockets.ports_low,
            ports_high: sockets.ports_high,
            range: format!("{}-{}", sockets.range.0, sockets.range.1),
            range_basis: terms::basis(sockets.basis),
            used_peak_percent: (sockets.used_peak_percent() * 10.0).round() / 10.0,
            runs_out_at: sockets.runs_out_at.map(JsonTime),
            peak_at: sockets.peak_at.map(JsonTime),
            used_peak: sockets.used_peak,
        }
    }
}
