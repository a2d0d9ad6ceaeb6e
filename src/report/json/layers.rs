//! Rows about HTTP/2, WebSocket and other protocols.

use std::borrow::Cow;

use serde::Serialize;

use super::legs::ExchangeLegs;
use super::row::{BothSides, JsonTime, text};
use crate::analysis::connection::{Connection, Who};
use crate::analysis::hosts::Legs;
use crate::base::escape::escape;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::dialogue::AppProtocol;
use crate::protocol::h2;
use crate::protocol::http::{ErrorCode, Exchange, H2Stream, Party};
use crate::protocol::websocket;
use crate::report::wording::terms::millis;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MarkRow {
    /// The frame.
    frame: u64,
    /// When.
    at: JsonTime,
}

impl MarkRow {
    const fn new(frame_ref: FrameRef) -> Self {
        Self {
            frame: frame_ref.frame.0,
            at: JsonTime(frame_ref.time),
        }
    }
}

/// The fields of an HTTP/2 stream that an HTTP/1 exchange does not have.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct StreamRow<'a> {
    /// The stream's identifier.
    id: u32,
    /// The RST_STREAM that ended it.
    reset: Option<ResetRow>,
    /// The GOAWAY that says that the stream was not processed.
    refused_frame: Option<u64>,
    /// Whether HTTP/2 guarantees that it was not processed.
    safe_to_retry: bool,
    /// The gRPC status of the trailers.
    grpc_status: Option<u16>,
    /// The gRPC message of the trailers.
    grpc_message: Option<Cow<'a, str>>,
    /// A field that HTTP/2 forbids.
    forbidden_field: Option<Cow<'a, str>>,
    /// Whether fields are missing, because bytes of the connection were not captured.
    fields_unread: bool,
    /// Whether the stream is a WebSocket (RFC 8441).
    websocket: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ResetRow {
    /// Its sender.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server"])))]
    by: &'static str,
    /// The error code.
    code: u32,
    /// The code's name in RFC 9113.
    name: Option<&'static str>,
    /// The frame.
    frame: u64,
    /// When.
    at: JsonTime,
}

impl<'a> StreamRow<'a> {
    pub(super) fn new(stream: &'a H2Stream) -> Self {
        Self {
            id: stream.id,
            reset: stream.reset.map(|reset| ResetRow {
                by: match reset.by {
                    Party::Requester => "client",
                    Party::Responder => "server",
                },
                code: reset.code.0,
                name: reset.code.name(),
                frame: reset.at.frame.0,
                at: JsonTime(reset.at.time),
            }),
            refused_frame: stream.refused.map(|frame_ref| frame_ref.frame.0),
            safe_to_retry: stream.is_safe_to_retry(),
            grpc_status: stream.grpc_status,
            grpc_message: text(&stream.grpc_message),
            forbidden_field: text(&stream.forbidden),
            fields_unread: stream.is_unread,
            websocket: stream.is_websocket,
        }
    }
}

/// The HTTP/2 facts of a connection.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct H2Row<'a> {
    /// Whether HTTP/1.1 was upgraded to it.
    upgraded: bool,
    /// Whether it began before the capture.
    midway: bool,
    /// What stands where HTTP/2 was expected.
    mismatch: Option<MismatchRow<'a>>,
    /// Streams opened by the client.
    streams: u64,
    /// Streams promised by the server.
    promised: u64,
    /// The most streams open at once.
    peak_open: u32,
    /// How often the client had as many open as the server allows.
    at_limit: u64,
    /// Streams that were not followed to their end, because too many were open.
    not_followed: u64,
    /// What each side sent.
    sent: BothSides<H2HalfRow<'a>>,
    /// Frames that break the rules of HTTP/2.
    faults: Vec<FrameFaultRow>,
    /// Further ones.
    more_faults: u64,
    /// WebSockets on streams.
    websockets: Vec<StreamSocketRow<'a>>,
}

/// A WebSocket on an HTTP/2 stream.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StreamSocketRow<'a> {
    /// The stream's identifier.
    stream: u32,
    /// The frame that ended the stream.
    ended_frame: Option<u64>,
    #[serde(flatten)]
    said: WebSocketRow<'a>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct MismatchRow<'a> {
    /// Who sent it.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server"])))]
    by: &'static str,
    /// The frame.
    frame: u64,
    /// The first bytes, escaped.
    bytes: Cow<'a, str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FrameFaultRow {
    /// The rule that is broken.
    rule: &'static str,
    /// By whom.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server"])))]
    by: &'static str,
    /// The stream; 0 is the connection.
    stream: u32,
    /// The frame.
    frame: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct H2HalfRow<'a> {
    /// HTTP/2 frames.
    frames: u64,
    /// Bytes of DATA.
    data: u64,
    /// Streams that this side allows the other at once; `null` if it sets no limit.
    max_concurrent_streams: Option<u32>,
    /// The window it gives a new stream, in bytes.
    initial_window: u32,
    /// The longest frame it accepts, in bytes.
    max_frame: u32,
    /// The frame of its first SETTINGS.
    settings_frame: Option<u64>,
    /// Its GOAWAYs.
    goaways: Vec<GoawayRow<'a>>,
    /// Further ones.
    more_goaways: u64,
    /// RST_STREAMs.
    resets: u64,
    /// PINGs.
    pings: PingsRow,
    /// Waits for the other side's window.
    stalls: StallsRow,
    /// Header blocks that could not be read.
    unread_blocks: u64,
    /// Whether bytes of this side were not captured.
    lost: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct GoawayRow<'a> {
    /// The last stream that is processed.
    last_stream: u32,
    /// The error code.
    code: u32,
    /// The code's name in RFC 9113.
    name: Option<&'static str>,
    /// The debug data, escaped.
    debug: Cow<'a, str>,
    /// The frame.
    frame: u64,
    /// When.
    at: JsonTime,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PingsRow {
    /// How many.
    sent: u64,
    /// How many were answered.
    answered: u64,
    /// The oldest one without an answer.
    unanswered: Option<MarkRow>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StallsRow {
    /// How many.
    count: u64,
    /// The longest, in milliseconds.
    longest_ms: f64,
    /// The stream of the longest; `null` for the connection's window.
    stream: Option<u32>,
    /// When it began.
    since: Option<MarkRow>,
    /// When it ended; `null` if it never did.
    until: Option<MarkRow>,
}

const fn side(by_client: bool) -> &'static str {
    if by_client { "client" } else { "server" }
}

impl<'a> H2Row<'a> {
    pub(super) fn new(facts: &'a h2::H2Facts) -> Self {
        Self {
            upgraded: facts.upgraded,
            midway: facts.midstream,
            mismatch: facts.mismatch.as_ref().map(|mismatch| MismatchRow {
                by: side(mismatch.by_client),
                frame: mismatch.at.frame.0,
                bytes: escape(mismatch.bytes.as_bytes()),
            }),
            streams: facts.streams,
            promised: facts.promised,
            peak_open: facts.peak_open,
            at_limit: facts.at_limit,
            not_followed: facts.not_followed,
            sent: BothSides::of(|who| H2HalfRow::new(who_of(&facts.halves, who))),
            faults: facts
                .faults
                .iter()
                .map(|fault| FrameFaultRow {
                    rule: fault.rule.text(),
                    by: side(fault.by_client),
                    stream: fault.stream,
                    frame: fault.at.frame.0,
                })
                .collect(),
            more_faults: facts.more_faults,
            websockets: facts
                .websockets
                .iter()
                .map(|socket| StreamSocketRow {
                    stream: socket.stream,
                    ended_frame: socket.ended.map(|frame_ref| frame_ref.frame.0),
                    said: WebSocketRow::new(&socket.said),
                })
                .collect(),
        }
    }
}

fn who_of<T>(pair: &[T; 2], who: Who) -> &T {
    let [client, server] = pair;
    match who {
        Who::Client => client,
        Who::Server => server,
    }
}

impl<'a> H2HalfRow<'a> {
    fn new(half: &'a h2::H2Half) -> Self {
        let stall = half.stalls.worst;
        Self {
            frames: half.frames,
            data: half.data,
            max_concurrent_streams: half.settings.max_concurrent_streams,
            initial_window: half.settings.initial_window,
            max_frame: half.settings.max_frame,
            settings_frame: half.settings_at.map(|frame_ref| frame_ref.frame.0),
            goaways: half.goaways.iter().map(GoawayRow::new).collect(),
            more_goaways: half.more_goaways,
            resets: half.resets,
            pings: PingsRow {
                sent: half.pings.sent,
                answered: half.pings.answered,
                unanswered: half.pings.unanswered.map(MarkRow::new),
            },
            stalls: StallsRow {
                count: half.stalls.count,
                longest_ms: millis(half.stalls.longest),
                stream: stall.map(|stall| stall.stream),
                since: stall.map(|stall| MarkRow::new(stall.since)),
                until: stall.and_then(|stall| stall.until).map(MarkRow::new),
            },
            unread_blocks: half.unread_blocks,
            lost: half.lost,
        }
    }
}

impl<'a> GoawayRow<'a> {
    fn new(goaway: &'a h2::Goaway) -> Self {
        let ErrorCode(code) = goaway.code;
        Self {
            last_stream: goaway.last_stream,
            code,
            name: goaway.code.name(),
            debug: escape(goaway.debug.as_bytes()),
            frame: goaway.at.frame.0,
            at: JsonTime(goaway.at.time),
        }
    }
}

/// How a WebSocket ended.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct WebSocketRow<'a> {
    /// What each side sent.
    sent: BothSides<WebSocketHalfRow<'a>>,
}

/// What was said in a protocol other than HTTP.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct DialogueRow<'a> {
    /// The protocol; `null` if it is not known.
    protocol: Option<&'static str>,
    /// Whether the requests are presumed from turns alone.
    presumed: bool,
    /// Requests before those that are listed.
    requests_before: u64,
    /// The last requests.
    requests: Vec<AskedRow<'a>>,
    /// The frame of each side's goodbye.
    goodbye_frames: BothSides<Option<u64>>,
    /// The last error that a side reported.
    error: Option<ReportedRow<'a>>,
    /// What each side said last, if it is text.
    last_words: BothSides<Option<Cow<'a, str>>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AskedRow<'a> {
    #[serde(flatten)]
    legs: ExchangeLegs,
    /// What the protocol calls it: query, command and so on.
    kind: &'static str,
    /// Its text, if it has one.
    words: Option<Cow<'a, str>>,
    /// The request's first frame.
    request_frame: u64,
    /// Whether all of it was seen.
    request_complete: bool,
    /// The response's first frame.
    response_frame: Option<u64>,
    /// Whether all of it was seen.
    response_complete: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ReportedRow<'a> {
    /// Who reported it.
    #[cfg_attr(test, schemars(extend("enum" = ["client", "server"])))]
    by: &'static str,
    /// Its code, such as an SQLSTATE.
    code: Option<Cow<'a, str>>,
    /// Its text, escaped.
    text: Cow<'a, str>,
    /// The frame.
    frame: u64,
}

impl<'a> DialogueRow<'a> {
    pub(super) fn new(connection: &'a Connection, legs: &Legs) -> Option<Self> {
        let facts = connection.dialogue.as_deref()?;
        Some(Self {
            protocol: facts.protocol.map(AppProtocol::id),
            presumed: facts.presumed,
            requests_before: facts.before,
            requests: (0..)
                .zip(&facts.exchanges)
                .filter_map(|(index, it)| {
                    let legs = ExchangeLegs::new(connection.id, index, legs);
                    AskedRow::new(it, legs)
                })
                .collect(),
            goodbye_frames: BothSides::of(|who| facts.goodbyes[who as usize].map(|at| at.frame.0)),
            error: facts.complaint.as_ref().map(|it| ReportedRow {
                by: match it.by {
                    FlowEnd::A => "client",
                    FlowEnd::B => "server",
                },
                code: text(&it.code),
                text: escape(it.text.as_bytes()),
                frame: it.at.frame.0,
            }),
            last_words: BothSides::of(|who| text(&facts.last_words[who as usize])),
        })
    }
}

impl<'a> AskedRow<'a> {
    fn new(exchange: &'a Exchange, legs: ExchangeLegs) -> Option<Self> {
        let asked = exchange.rare.as_ref()?.asked.as_ref()?;
        let request = &exchange.request.as_ref()?.message;
        let response = exchange.response.as_ref().map(|it| &it.message);
        Some(Self {
            legs,
            kind: asked.noun,
            words: text(&asked.words),
            request_frame: request.first.frame.0,
            request_complete: request.is_complete(),
            response_frame: response.map(|it| it.first.frame.0),
            response_complete: response.is_some_and(|it| it.is_complete()),
        })
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct WebSocketHalfRow<'a> {
    /// Frames.
    frames: u64,
    /// Complete messages.
    messages: u64,
    /// Bytes of messages.
    bytes: u64,
    /// The Close frame.
    close: Option<CloseFrameRow<'a>>,
    /// Pings.
    pings: PingsRow,
    /// The last frame.
    last_frame: Option<u64>,
    /// The rule that a frame breaks.
    fault: Option<&'static str>,
    /// Whether the last message is incomplete.
    cut: bool,
    /// Whether bytes of this side were not captured.
    lost: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CloseFrameRow<'a> {
    /// The status code; `null` if it has none.
    code: Option<u16>,
    /// What the code means.
    meaning: Option<&'static str>,
    /// The reason, escaped.
    reason: Cow<'a, str>,
    /// The frame.
    frame: u64,
    /// When.
    at: JsonTime,
}

impl<'a> WebSocketRow<'a> {
    pub(super) fn new(facts: &'a websocket::WebSocketFacts) -> Self {
        Self {
            sent: BothSides::of(|who| {
                let half = who_of(&facts.halves, who);
                WebSocketHalfRow {
                    frames: half.frames,
                    messages: half.messages,
                    bytes: half.bytes,
                    close: half.close.as_ref().map(|close| CloseFrameRow {
                        code: close.code,
                        meaning: close.code.and_then(websocket::CloseFrame::meaning),
                        reason: escape(close.reason.as_bytes()),
                        frame: close.at.frame.0,
                        at: JsonTime(close.at.time),
                    }),
                    pings: PingsRow {
                        sent: half.pings.sent,
                        answered: half.pings.answered,
                        unanswered: half.pings.unanswered.map(MarkRow::new),
                    },
                    last_frame: half.last.map(|frame_ref| frame_ref.frame.0),
                    fault: half.fault.map(|(rule, _)| rule.text()),
                    cut: half.is_cut,
                    lost: half.lost,
                }
            }),
        }
    }
}
