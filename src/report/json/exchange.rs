//! Rows about HTTP requests with their responses.

use std::borrow::Cow;

use serde::Serialize;

use super::layers;
use super::legs::ExchangeLegs;
use super::row::{PlaceRow, text};
use crate::base::escape::escape;
use crate::base::frame_names::FrameNames;
use crate::protocol::http::{ConnectionOptions, Exchange, Fault, Message, Outcome};
use crate::report::wording::terms::{self, millis};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub(super) struct ExchangeRow<'a> {
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
    pub(super) fn new(
        exchange: &'a Exchange,
        outcome: Option<Outcome>,
        legs: ExchangeLegs,
        frames: &FrameNames,
    ) -> Self {
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
            legs,
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
    pub(super) const fn new(options: ConnectionOptions) -> Self {
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
    pub(super) fn new(fault: &'a Fault) -> Self {
        Self {
            rule: fault.rule.text(),
            offset: fault.offset,
            bytes: escape(fault.bytes.as_bytes()),
        }
    }
}
