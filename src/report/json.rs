//! The machine-readable report: schema `hangup-report/1`, as one JSON object or as one object per line.
//!
//! In: a [`Snapshot`](crate::report::snapshot::Snapshot). Out: JSON written row by row, so that a report on hundreds of
//! thousands of connections needs no more memory than one row. The field names are stable, since scripts depend on
//! them; fields may be added, and an unknown value is `null`, never left out. Text from packets passes through
//! [`escape`]. Analysis types are deliberately not `Serialize`: a rename there must not change the schema.

mod chunks;
mod layers;
mod legs;
mod log;
mod row;
#[cfg(test)]
mod schema;
mod search_result;
mod tls;
mod vantage;

use legs::{ExchangeLegs, LegRow};
use row::{BothSides, JsonTime, text};
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
use crate::protocol::http::{ConnectionOptions, Exchange, Fault, Message, Outcome};
use crate::report::json::search_result::{IgnoredRow, SearchRow};
use crate::report::json::tls::TlsRow;
use crate::report::json::vantage::VantageRow;
use crate::report::snapshot::InputSummary;
use crate::report::wording::terms::{self, millis};
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
    write!(out, ",\n\"connections\":[")?;
    chunks::write(view, out, |view, place, connection, out| {
        out.extend_from_slice(if place == 0 { b"\n" } else { b",\n" });
        row(out, &ConnectionRow::new(connection, view))
    })?;
    write!(out, "]")?;
    rows(
        out,
        "findings",
        snapshot
            .findings
            .iter()
            .map(|it| FindingRow::new(it, &snapshot.frames)),
    )?;
    rows(out, "sockets", snapshot.sockets.iter().map(SocketsRow::new))?;
    rows(out, "vantages", VantageRow::all(&snapshot.summary.inputs))?;
    let logs = snapshot.logs.iter().map(|it| log::LogRow::new(it, view));
    rows(out, "log", logs)?;
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
    chunks::write(view, out, |view, _, connection, out| {
        line(out, "connection", &ConnectionRow::new(connection, view))
    })?;
    for finding in &snapshot.findings {
        line(out, "finding", &FindingRow::new(finding, &snapshot.frames))?;
    }
    for sockets in &snapshot.sockets {
        line(out, "sockets", &SocketsRow::new(sockets))?;
    }
    for vantage in VantageRow::all(&snapshot.summary.inputs) {
        line(out, "vantage", &vantage)?;
    }
    for log in &snapshot.logs {
        line(out, "log", &log::LogRow::new(log, view))?;
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

fn row<W: Write + ?Sized>(out: &mut W, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

fn line<W: Write + ?Sized>(
    out: &mut W,
    kind: &'static str,
    object: &impl Serialize,
) -> io::Result<()> {
    row(out, &NdjsonLine { kind, object })?;
    writeln!(out)
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NdjsonLine<'a, T: Serialize> {
    kind: &'static str,
    #[serde(flatten)]
    object: &'a T,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ReportHead<'a> {
    /// The schema of all lines.
    schema: &'static str,
    /// What wrote the report.
    tool: ToolRow,
    /// The capture.
    #[serde(flatten)]
    capture: CaptureRow<'a>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ToolRow {
    /// Always `hangup`.
    name: &'static str,
    /// The version that wrote the report.
    version: &'static str,
}

impl ToolRow {
    const OURS: Self = Self {
        name: "hangup",
        version: env!("CARGO_PKG_VERSION"),
    };
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CaptureRow<'a> {
    /// The input files, in the order given.
    files: Vec<FileRow<'a>>,
    /// Time of the first frame; `null` without frames.
    first: Option<JsonTime>,
    /// Time of the last frame.
    last: Option<JsonTime>,
    /// Frames read.
    packets: u64,
    /// TCP segments among them.
    segments: u64,
    /// Frames that are no TCP segments or could not be read, by reason; only reasons that occurred.
    skipped: SkippedRow<'a>,
    /// Packets that the system dropped before they were captured; `null` if nobody counted.
    dropped_by_kernel: Option<u64>,
    /// Packets that the interface dropped; `null` if nobody counted.
    dropped_by_interface: Option<u64>,
    /// Connections in the capture, all of which were judged.
    connections_total: u64,
    /// Connections in `connections`.
    connections_listed: u64,
    /// Connections judged before their end, to make room for others.
    connections_let_go: u64,
    /// QUIC connections seen; they are not analysed.
    quic_connections: u64,
    /// Connections that were judged and counted, and whose details are gone.
    details_let_go: u64,
    /// The limits of memory that took effect.
    limits_hit: Vec<LimitRow>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FileRow<'a> {
    /// The path as given; `-` is standard input.
    path: Cow<'a, str>,
    /// The format: `pcap`, `pcapng`, `live` and others.
    format: &'a str,
    /// Frames read from it.
    packets: u64,
    /// Bytes read from it.
    bytes: u64,
    /// Where and why reading stopped short; `null` for a whole file.
    damage: Option<DamageRow<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DamageRow<'a> {
    /// Bytes from the start of the file.
    offset: u64,
    /// What is wrong there.
    reason: Cow<'a, str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LimitRow {
    /// The limit's name in `docs/architecture.md`.
    name: &'static str,
    /// How often it took effect.
    count: u64,
    /// What that means for the report.
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ConnectionRow<'a> {
    /// Its number, from 1, in order of first frames.
    id: u32,
    /// The side that opened the connection.
    client: EndpointRow,
    /// The other side.
    server: EndpointRow,
    /// What tells which side is the client.
    #[cfg_attr(test, schemars(extend("enum" = ["handshake", "http", "ports"])))]
    roles: &'static str,
    /// The tunnel it was seen in; `null` outside tunnels.
    context: Option<Cow<'a, str>>,
    /// Number of the frame, counted over all input files from 1: the connection's first.
    first_frame: u64,
    /// Index in `capture.files` of the first frame's file.
    first_file: Option<usize>,
    /// The first frame's number in that file, from 1.
    first_frame_in_file: Option<u64>,
    /// The connection's last frame.
    last_frame: u64,
    /// Index in `capture.files` of the last frame's file.
    last_file: Option<usize>,
    /// The last frame's number in that file.
    last_frame_in_file: Option<u64>,
    /// Time of the first frame.
    first: JsonTime,
    /// Time of the last frame.
    last: JsonTime,
    /// How it was opened.
    #[cfg_attr(test, schemars(extend("enum" = ["handshake", "refused", "unreachable", "unanswered", "rejected", "midstream"])))]
    opening: &'static str,
    /// Milliseconds from the SYN to the SYN-ACK; `null` if the capture does not show both.
    connect_ms: Option<f64>,
    /// SYNs sent again.
    syn_retries: u16,
    /// Who closed it, how and when.
    teardown: TeardownRow,
    /// Whether anything that was begun was lost.
    #[cfg_attr(test, schemars(extend("enum" = ["failed", "fine", "unknown"])))]
    outcome: &'static str,
    /// Why, in one of a fixed list of words, such as `no-response` or `still-open`.
    outcome_reason: &'static str,
    /// The TCP state of both ends at the end of the capture (RFC 9293 §3.3.2); `null` where it was not seen.
    states: BothSides<Option<&'static str>>,
    /// The sides that have been in TIME-WAIT.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server", "both", null])))]
    time_wait: Option<&'static str>,
    /// The protocol spoken; `null` if no byte was.
    #[cfg_attr(test, schemars(extend("enum" = ["http/1", "http/2", "tls", "websocket", "connect", "opaque", null])))]
    protocol: Option<&'static str>,
    /// What each side sent.
    sent: BothSides<SentRow>,
    /// Each side's first FIN.
    fin: BothSides<Option<CloseRow>>,
    /// Each side's first RST.
    reset: BothSides<Option<CloseRow>>,
    /// The ICMP error that concerned it.
    icmp: Option<IcmpRow>,
    /// Last frame of the earlier connection with the same addresses and ports, if that was still known.
    predecessor_frame: Option<u64>,
    /// TLS, if it was spoken.
    tls: Option<TlsRow<'a>>,
    /// The HTTP requests with their responses, in order.
    exchanges: Vec<ExchangeRow<'a>>,
    /// HTTP/2, if it was spoken.
    h2: Option<layers::H2Row<'a>>,
    /// The WebSocket, if it became one.
    websocket: Option<layers::WebSocketRow<'a>>,
    /// Another protocol than HTTP, if one was spoken.
    dialogue: Option<layers::DialogueRow<'a>>,
    /// What the program on each side will have logged, likeliest first.
    errors_predicted: BothSides<ErrorRows<'a>>,
    /// The former name of `errors_predicted`, with the same content.
    errors_seen: BothSides<ErrorRows<'a>>,
    /// The exchanges on the other side of a proxy, and which exchange of this connection each belongs to.
    legs: Vec<LegRow>,
    /// The findings that name it, by their `id`.
    findings: &'a [u32],
}

/// Which frame of which file a frame is.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PlaceRow {
    /// Its index in `capture.files`.
    file: Option<usize>,
    /// The frame's number in that file, from 1.
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EndpointRow {
    /// IPv4 or IPv6 address.
    ip: std::net::IpAddr,
    /// TCP port.
    port: u16,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TeardownRow {
    /// The side that began the close: the sender of the first FIN or RST in the order that acknowledgements prove.
    /// `middlebox` if the RST is not that host's own; `null` if nobody closed.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server", "both", "middlebox", null])))]
    by: Option<&'static str>,
    /// How.
    #[cfg_attr(test, schemars(extend("enum" = ["fin", "reset", "silence", "open"])))]
    how: &'static str,
    /// The kind of RST, if one ended it.
    #[cfg_attr(test, schemars(extend("enum" = ["refusal", "no-socket", "abort", "foreign", "stale", null])))]
    reset: Option<&'static str>,
    /// What the closer was in the midst of, by what it had sent and received: `connecting`, `tls-handshake`, `before-
    /// request`, `request`, `waiting`, `response-head`, `response-body`, `between`, `after`, `tunnel` or `opaque`.
    phase: &'static str,
    /// The frame that closed it.
    frame: Option<u64>,
    #[serde(flatten)]
    place: PlaceRow,
    /// When.
    at: Option<JsonTime>,
    /// How far the capture proves it.
    #[cfg_attr(test, schemars(extend("enum" = ["certain", "likely", "possible"])))]
    certainty: &'static str,
    /// Whether all bytes of both sides arrived and nothing was owed.
    orderly: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SentRow {
    /// Segments.
    packets: u64,
    /// Payload without retransmissions.
    bytes: u64,
    /// Segments that repeat payload.
    retransmitted: u32,
    /// Bytes that were acknowledged and are not in the capture.
    missing: u64,
    /// Segments with FIN.
    fins: u32,
    /// Segments with RST.
    resets: u32,
    /// Keep-alive probes.
    keep_alives: u32,
    /// Times its receive window was closed.
    zero_windows: u32,
    /// Bytes of it that the other side acknowledged.
    acknowledged: u64,
    /// Time to live or hop limit of its segments; 0 if none was seen.
    ttl: u8,
    /// Segments that were lost between two places of capture.
    lost_between_places: u32,
    /// Segments with its address that it did not send, as two places of capture show.
    forged: u32,
}

/// A side's first FIN or RST.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CloseRow {
    /// The frame.
    frame: u64,
    #[serde(flatten)]
    place: PlaceRow,
    /// When.
    at: JsonTime,
    /// Bytes that this side had sent by then.
    sent: u64,
    /// Bytes that this side had received by then.
    received: u64,
    /// Whether it had the other side's FIN by then.
    knew_fin: bool,
    /// What another place of capture shows of it: `both`, `lost` or `forged`; `null` if that is not known.
    passage: Option<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct IcmpRow {
    /// The frame.
    frame: u64,
    #[serde(flatten)]
    place: PlaceRow,
    /// When.
    at: JsonTime,
    /// The host that reported it.
    reporter: std::net::IpAddr,
    /// ICMP type.
    r#type: u8,
    /// ICMP code.
    code: u8,
    /// The MTU it names, if any.
    mtu: Option<u32>,
}

impl<'a> ConnectionRow<'a> {
    fn new(connection: &'a Connection, view: &'a View<'a>) -> Self {
        let teardown = &connection.teardown;
        let shown = teardown.frame != FrameNumber(0);
        let ending = terms::ending(connection);
        let exchanges = connection.exchanges.iter();
        let frames = &view.snapshot.frames;
        let legs = &view.snapshot.legs;
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
            exchanges: (0..)
                .zip(exchanges)
                .map(|(index, exchange)| ExchangeRow {
                    legs: ExchangeLegs::new(connection.id, index, legs),
                    ..ExchangeRow::new(exchange, exchange.outcome(ending), frames)
                })
                .collect(),
            h2: connection.h2.as_deref().map(layers::H2Row::new),
            websocket: connection
                .websocket
                .as_deref()
                .map(layers::WebSocketRow::new),
            dialogue: layers::DialogueRow::new(connection, legs),
            errors_predicted: BothSides::of(errors),
            errors_seen: BothSides::of(errors),
            legs: LegRow::all(connection.id, legs),
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ErrorRow<'a> {
    /// The program, by its name in the tables.
    stack: &'static str,
    /// Programs with the same text.
    also: &'a [&'static str],
    /// The exception's class or the error's code, if the text has one.
    r#type: Option<&'static str>,
    /// The text, with `…` for what the capture does not show; `null` if it reports nothing.
    text: Option<Cow<'static, str>>,
    /// What names the program: `user-agent`, `server`, `via` or `answer`; `null` for a usual suspect.
    identified_by: Option<&'static str>,
    /// Why there is no text, or what else to know.
    note: Option<&'static str>,
    /// Whether the program is named by a request that a proxy passed on, so that it may not have opened this
    /// connection.
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
            lost_between_places: sent.passages.lost,
            forged: sent.passages.forged,
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
            passage: terms::passage(event.passage),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
struct ExchangeRow<'a> {
    #[serde(flatten)]
    legs: ExchangeLegs,
    /// The request's method.
    method: Option<Cow<'a, str>>,
    /// The request's target, escaped.
    target: Option<Cow<'a, str>>,
    /// The request's host.
    host: Option<Cow<'a, str>>,
    /// The version of HTTP, such as `HTTP/1.1`.
    version: Option<String>,
    /// The request's first frame; `null` if the request was not captured.
    request_frame: Option<u64>,
    /// Index in `capture.files` of that frame's file.
    request_file: Option<usize>,
    /// That frame's number in its file.
    request_frame_in_file: Option<u64>,
    /// The final response's status.
    status: Option<u16>,
    /// The response's first frame.
    response_frame: Option<u64>,
    /// Index in `capture.files` of that frame's file.
    response_file: Option<usize>,
    /// That frame's number in its file.
    response_frame_in_file: Option<u64>,
    /// What came of it; `null` if it is not known.
    #[cfg_attr(test, schemars(extend("enum" = ["complete", "no-response", "cut-short", "client-left", "reset", "unfinished", null])))]
    outcome: Option<&'static str>,
    /// Bytes that the response's body should have; `null` if its head does not say.
    expected: Option<u64>,
    /// Bytes of it that came.
    received: Option<u64>,
    /// Milliseconds from the request's last byte to the response's first.
    waited_ms: Option<f64>,
    /// The request's last frame.
    request_last_frame: Option<u64>,
    /// The response's last frame.
    response_last_frame: Option<u64>,
    /// The request's `User-Agent`.
    user_agent: Option<Cow<'a, str>>,
    /// The response's `Server`.
    server: Option<Cow<'a, str>>,
    /// Statuses of informational responses, such as 100.
    interim: Vec<u16>,
    /// The `Connection` field lines of both messages.
    connection_header: PerMessage<Option<OptionsRow>>,
    /// What announced that the connection closes after it.
    #[cfg_attr(test, schemars(extend("enum" = ["request-close", "request-version", "response-close", "response-version", "response-framing", null])))]
    closes: Option<&'static str>,
    /// What breaks the rules of HTTP in both messages.
    faults: PerMessage<Vec<FaultRow<'a>>>,
    /// The HTTP/2 stream, if it is one.
    stream: Option<layers::StreamRow<'a>>,
}

/// A value for each message of an exchange.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
struct PerMessage<T> {
    /// Of the request.
    request: T,
    /// Of the response.
    response: T,
}

/// The `Connection` field lines of a message, with their counts.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OptionsRow {
    /// Field lines.
    lines: u8,
    /// How often they say `close`.
    close: u8,
    /// How often they say `keep-alive`.
    keep_alive: u8,
    /// Other options in them.
    others: u8,
    /// Whether they say `upgrade`.
    upgrade: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FaultRow<'a> {
    /// The rule that is broken.
    rule: &'static str,
    /// Bytes from the start of the message.
    offset: u64,
    /// What stands there, escaped.
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
        Self {
            legs: ExchangeLegs::default(),
            method: exchange.method().map(escape),
            target: request.and_then(|request| text(&request.target)),
            host: request.and_then(|request| text(&request.host)),
            version: exchange.version().map(|version| version.to_string()),
            request_frame: asked.map(|message| message.first.frame.0),
            request_file: asked_at.and_then(|place| place.0),
            request_frame_in_file: asked_at.and_then(|place| place.1),
            status: exchange.status(),
            response_frame: answered.map(|message| message.first.frame.0),
            response_file: answered_at.and_then(|place| place.0),
            response_frame_in_file: answered_at.and_then(|place| place.1),
            outcome: outcome.map(Outcome::name),
            expected: exchange.response_expected(),
            received: exchange.response_received(outcome),
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FindingRow<'a> {
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
    client: Option<std::net::IpAddr>,
    /// The server as `address:port`, if there is exactly one.
    server: Option<String>,
    /// The finding that this one follows from; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    caused_by: Option<u32>,
    /// The headline.
    summary: String,
    /// What happened, and what it means.
    message: Cow<'a, str>,
    /// The frames that prove it, of the first case.
    evidence: Vec<EvidenceRow<'a>>,
    /// What to change, the likeliest first.
    remedies: Vec<Cow<'a, str>>,
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SocketsRow {
    /// The client.
    client: std::net::IpAddr,
    /// The server as `address:port`.
    server: String,
    /// Connections between them.
    connections: u64,
    /// Client sockets in TIME-WAIT when the capture ends, by the assumed duration.
    time_wait_now: u64,
    /// The most at once.
    time_wait_peak: u64,
    /// Lowest client port seen.
    ports_low: u16,
    /// Highest client port seen.
    ports_high: u16,
    /// The client's ephemeral ports, as `low-high`.
    range: String,
    /// What the range rests on.
    #[cfg_attr(test, schemars(extend("enum" = ["told", "observed", "default"])))]
    range_basis: &'static str,
    /// The largest share of the range in use at once.
    used_peak_percent: f64,
    /// When the range runs out at this rate; `null` if it does not.
    runs_out_at: Option<JsonTime>,
    /// When the most were in TIME-WAIT.
    peak_at: Option<JsonTime>,
    /// The most client ports open or in TIME-WAIT at once.
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
