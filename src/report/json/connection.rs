//! Rows about connections.

use std::borrow::Cow;
use std::rc::Rc;

use serde::{Serialize, Serializer};

use super::exchange::ExchangeRow;
use super::layers;
use super::legs::{ExchangeLegs, LegRow};
use super::local::LocalEndRow;
use super::row::{BothSides, EndpointRow, JsonTime, PlaceRow};
use super::tls::TlsRow;
use super::vantage::SightingRow;
use crate::analysis::connection::{CloseEvent, Connection, Who};
use crate::base::escape::escape;
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::FrameNumber;
use crate::knowledge::NamedBy;
use crate::protocol::layers::ProxyHeader;
use crate::report::view::View;
use crate::report::wording::terms::{self, millis};
use crate::rules::log_errors::{PredictedText, filled};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ConnectionRow<'a> {
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
    /// What this host's operating system says of each end that is on it; absent where it was not asked, or knows nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<BothSides<Option<LocalEndRow<'a>>>>,
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
    /// What the proxy that opened the connection said of its client, in the PROXY protocol; `null` without it.
    proxied: Option<ProxiedRow>,
    /// What several places of capture show of its segments, beside their frames.
    sightings: Vec<SightingRow>,
    /// The findings that name it, by their `id`.
    findings: &'a [u32],
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

/// The header of the PROXY protocol.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ProxiedRow {
    /// 1 or 2.
    version: u8,
    /// The proxy's client; `null` if it names none.
    client: Option<EndpointRow>,
    /// What this client connected to.
    server: Option<EndpointRow>,
}

impl ProxiedRow {
    fn new(header: &ProxyHeader) -> Self {
        let end = |at: usize| header.ends.map(|it| EndpointRow::new(it[at]));
        Self {
            version: header.version,
            client: end(0),
            server: end(1),
        }
    }
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
    pub(super) fn new(connection: &'a Connection, view: &'a View<'a>) -> Self {
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
        let told = Who::BOTH.map(|who| view.told(connection, who));
        let errors = |who| ErrorRows {
            told: Rc::clone(&told[who as usize]),
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
            local: LocalEndRow::both(connection.id, view.snapshot),
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
                .map(|(index, exchange)| {
                    let legs = ExchangeLegs::new(connection.id, index, legs);
                    ExchangeRow::new(exchange, exchange.outcome(ending), legs, frames)
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
            sightings: SightingRow::all(connection, frames),
            proxied: connection.proxied.as_deref().map(ProxiedRow::new),
            findings: view.finding_numbers(connection.id),
        }
    }
}

/// The log lines expected from one side's program. The texts are from the tables; the values filled in are escaped.
pub(super) struct ErrorRows<'a> {
    told: Rc<[PredictedText]>,
    connection: &'a Connection,
    who: Who,
}

impl<'a> ErrorRows<'a> {
    pub(super) fn new(connection: &'a Connection, who: Who, view: &View<'a>) -> Self {
        Self {
            told: view.told(connection, who),
            connection,
            who,
        }
    }
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
pub(super) struct ErrorRow<'a> {
    /// The program, by its name in the tables.
    stack: &'static str,
    /// Programs with the same text.
    also: &'a [&'static str],
    /// The exception's class or the error's code, if the text has one.
    r#type: Option<&'static str>,
    /// The text, with `…` for what the capture does not show; `null` if it reports nothing.
    text: Option<Cow<'static, str>>,
    /// What names the program: `user-agent`, `server`, `via`, `answer` or `handshake`; `null` for a usual suspect.
    identified_by: Option<&'static str>,
    /// Why there is no text, or what else to know.
    note: Option<&'static str>,
    /// Whether the program is named by a request that a proxy passed on, so that it may not have opened this
    /// connection.
    handed_on: bool,
}

impl SentRow {
    pub(super) fn new(connection: &Connection, who: Who) -> Self {
        let sent = &connection.sent[who as usize];
        let passages = connection.passages(who);
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
            lost_between_places: passages.lost,
            forged: passages.forged,
        }
    }
}

impl CloseRow {
    pub(super) fn new(event: &CloseEvent, frames: &FrameNames) -> Self {
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
