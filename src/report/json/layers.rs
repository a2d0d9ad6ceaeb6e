//! Rows about HTTP/2, WebSocket and other protocols.

use std::borrow::Cow;

use serde::Serialize;

use super::row::{BothSides, JsonTime, millis, text};
use crate::analysis::connection::{Connection, Who};
use crate::base::escape::escape;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::dialogue::AppProtocol;
use crate::protocol::h2;
use crate::protocol::http::{ErrorCode, Exchange, H2Stream, Party};
use crate::protocol::websocket;

#[derive(Serialize)]
struct MarkRow {
    frame: u64,
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
pub(super) struct StreamRow<'a> {
    id: u32,
    reset: Option<ResetRow>,
    refused_frame: Option<u64>,
    safe_to_retry: bool,
    grpc_status: Option<u16>,
    grpc_message: Option<Cow<'a, str>>,
    forbidden_field: Option<Cow<'a, str>>,
    fields_unread: bool,
    websocket: bool,
}

#[derive(Serialize)]
struct ResetRow {
    by: &'static str,
    code: u32,
    name: Option<&'static str>,
    frame: u64,
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
pub(super) struct H2Row<'a> {
    upgraded: bool,
    midway: bool,
    mismatch: Option<MismatchRow<'a>>,
    streams: u64,
    promised: u64,
    peak_open: u32,
    at_limit: u64,
    not_followed: u64,
    sent: BothSides<H2HalfRow<'a>>,
    faults: Vec<FrameFaultRow>,
    more_faults: u64,
    websockets: Vec<StreamSocketRow<'a>>,
}

/// A WebSocket on an HTTP/2 stream.
#[derive(Serialize)]
struct StreamSocketRow<'a> {
    stream: u32,
    ended_frame: Option<u64>,
    #[serde(flatten)]
    said: WebSocketRow<'a>,
}

#[derive(Serialize)]
struct MismatchRow<'a> {
    by: &'static str,
    frame: u64,
    bytes: Cow<'a, str>,
}

#[derive(Serialize)]
struct FrameFaultRow {
    rule: &'static str,
    by: &'static str,
    stream: u32,
    frame: u64,
}

#[derive(Serialize)]
struct H2HalfRow<'a> {
    frames: u64,
    data: u64,
    max_concurrent_streams: Option<u32>,
    initial_window: u32,
    max_frame: u32,
    settings_frame: Option<u64>,
    goaways: Vec<GoawayRow<'a>>,
    more_goaways: u64,
    resets: u64,
    pings: PingsRow,
    stalls: StallsRow,
    unread_blocks: u64,
    lost: bool,
}

#[derive(Serialize)]
struct GoawayRow<'a> {
    last_stream: u32,
    code: u32,
    name: Option<&'static str>,
    debug: Cow<'a, str>,
    frame: u64,
    at: JsonTime,
}

#[derive(Serialize)]
struct PingsRow {
    sent: u64,
    answered: u64,
    unanswered: Option<MarkRow>,
}

#[derive(Serialize)]
struct StallsRow {
    count: u64,
    longest_ms: f64,
    stream: Option<u32>,
    since: Option<MarkRow>,
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
pub(super) struct WebSocketRow<'a> {
    sent: BothSides<WebSocketHalfRow<'a>>,
}

/// What was said in a protocol other than HTTP.
#[derive(Serialize)]
pub(super) struct DialogueRow<'a> {
    protocol: Option<&'static str>,
    presumed: bool,
    requests_before: u64,
    requests: Vec<AskedRow<'a>>,
    goodbye_frames: BothSides<Option<u64>>,
    error: Option<ReportedRow<'a>>,
    last_words: BothSides<Option<Cow<'a, str>>>,
}

#[derive(Serialize)]
struct AskedRow<'a> {
    kind: &'static str,
    words: Option<Cow<'a, str>>,
    request_frame: u64,
    request_complete: bool,
    response_frame: Option<u64>,
    response_complete: bool,
}

#[derive(Serialize)]
struct ReportedRow<'a> {
    by: &'static str,
    code: Option<Cow<'a, str>>,
    text: Cow<'a, str>,
    frame: u64,
}

impl<'a> DialogueRow<'a> {
    pub(super) fn new(connection: &'a Connection) -> Option<Self> {
        let facts = connection.dialogue.as_deref()?;
        Some(Self {
            protocol: facts.protocol.map(AppProtocol::id),
            presumed: facts.presumed,
            requests_before: facts.before,
            requests: facts.exchanges.iter().filter_map(AskedRow::new).collect(),
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
    fn new(exchange: &'a Exchange) -> Option<Self> {
        let asked = exchange.rare.as_ref()?.asked.as_ref()?;
        let request = &exchange.request.as_ref()?.message;
        let response = exchange.response.as_ref().map(|it| &it.message);
        Some(Self {
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
struct WebSocketHalfRow<'a> {
    frames: u64,
    messages: u64,
    bytes: u64,
    close: Option<CloseFrameRow<'a>>,
    pings: PingsRow,
    last_frame: Option<u64>,
    fault: Option<&'static str>,
    cut: bool,
    lost: bool,
}

#[derive(Serialize)]
struct CloseFrameRow<'a> {
    code: Option<u16>,
    meaning: Option<&'static str>,
    reason: Cow<'a, str>,
    frame: u64,
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
