//! What the messages of an exchange show about the end of its connection: what was announced, unread, or still to come.
//!
//! In: one exchange and the record of its connection. Out: facts by which [`super::classify`] decides and rules speak.

use std::time::Duration;

use crate::analysis::connection::{By, CloseEvent, Connection, Phase, Who};
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{
    Exchange, FaultRule, FieldName, Framing, Message, MessageProgress, Method,
};

/// A client that sends nothing for this long in the middle of a request has stalled.
pub(super) const STALLED: Duration = Duration::from_secs(1);

pub(super) use crate::analysis::connection::NO_WAIT;

/// The response, if there is one.
pub(super) fn response(exchange: &Exchange) -> Option<&Message> {
    exchange.response.as_ref().map(|response| &response.message)
}

/// The preceding complete response, if it announced that the connection would close (RFC 9112 §9.6).
pub(super) fn announced<'a>(
    connection: &'a Connection,
    exchange: &Exchange,
) -> Option<&'a Message> {
    let before = connection
        .spoken()
        .iter()
        .take_while(|other| !std::ptr::eq(*other, exchange));
    let last = before.last()?;
    response(last).filter(|answer| {
        answer.progress == MessageProgress::Complete
            && answer.framing != Framing::UntilClose
            && last.closes().is_some()
    })
}

/// The request, if there is one.
pub(super) fn request(exchange: &Exchange) -> Option<&Message> {
    exchange.request.as_ref().map(|request| &request.message)
}

/// The request right before what is no request, if it was to have a body and announced none.
pub(super) fn body_without_length<'a>(
    connection: &'a Connection,
    exchange: &Exchange,
) -> Option<&'a Exchange> {
    let stray = self::request(exchange)?;
    let all = connection.exchanges.iter();
    let before = all
        .take_while(|other| !std::ptr::eq(*other, exchange))
        .last()?;
    let request = before.request.as_ref()?;
    let wants = matches!(request.method, Method::Post | Method::Put | Method::Patch);
    let follows = request.message.framing == Framing::NoBody
        && request.message.is_complete()
        && request.message.end() == stray.start;
    (wants && follows).then_some(before)
}

/// The first request whose body was not announced, and was taken for another request.
pub(super) fn unannounced_body(connection: &Connection) -> Option<&Exchange> {
    let mut all = connection.exchanges.iter();
    all.find_map(|exchange| {
        let mut faults = exchange.request_faults().iter();
        let headless = faults.any(|it| it.rule == FaultRule::StartLine);
        headless.then(|| body_without_length(connection, exchange))?
    })
}

/// Whether the outcome was not captured or the grammar is broken; the latter has a rule of its own.
pub(super) fn is_unreadable(exchange: &Exchange) -> bool {
    let broken = |message: Option<&Message>| {
        message.is_some_and(|message| match message.progress {
            MessageProgress::Broken => true,
            MessageProgress::Unseen => !message.is_surely_short(),
            _ => false,
        })
    };
    exchange
        .rare
        .as_ref()
        .is_some_and(|rare| rare.response_lost)
        || broken(response(exchange))
        || request(exchange).is_some_and(|message| message.progress == MessageProgress::Broken)
}

/// Whether the server probed the client's shut window until the end, in a response whose end was not captured: then it
/// had more of it to send.
pub(super) fn has_more(connection: &Connection, exchange: &Exchange) -> bool {
    let [_, server] = connection.sent;
    let last = connection.spoken().last();
    last.is_some_and(|last| std::ptr::eq(last, exchange))
        && server.window_probes > 0
        && response(exchange).is_some_and(|answer| answer.progress == MessageProgress::Unseen)
}

/// Probes of a shut window that take longer than a second: the first comes after a fifth of one, and each waits twice as
/// long as the last (RFC 9293 §3.8.6.1).
const PATIENT_PROBES: u32 = 3;

/// Whether the server may have cut a response short whose end was not captured: it had waited for the client's shut window,
/// and closed at once after what it could still send.
pub(super) fn may_have_more(
    connection: &Connection,
    exchange: &Exchange,
    close: &CloseEvent,
) -> bool {
    let [_, server] = connection.sent;
    let at_once = response(exchange)
        .is_some_and(|answer| close.frame_ref.time.since(answer.last.time) <= NO_WAIT);
    close.kind.is_none()
        && server.window_probes >= PATIENT_PROBES
        && at_once
        && has_more(connection, exchange)
        && exchange.closes().is_none()
}

/// Whether the server's side alone was captured, and shows that it ended within a response of its own: one with a body, so
/// that it does not answer a HEAD.
pub(super) fn is_cut_by_itself(connection: &Connection) -> bool {
    let [client, server] = connection.sent;
    let last = connection.spoken().last().and_then(response);
    client.packets == 0
        && server.missing == 0
        && connection.teardown.by == By::Server
        && matches!(connection.teardown.phase, Phase::ResponseBody)
        && last.is_some_and(|answer| {
            answer.progress == MessageProgress::Body
                && matches!(answer.framing, Framing::Length | Framing::Chunked)
                && answer.body_wire > 0
        })
}

/// Whether the server answered half a request because the rest did not come: the client had sent nothing for a while.
pub(super) fn timed_out(exchange: &Exchange) -> bool {
    // A client that waits for leave to send its body is not slow.
    let waits = exchange.request_fields(FieldName::Expect).next().is_some();
    let slow = matches!(exchange.status(), Some(400 | 408 | 500));
    slow && !waits
        && request(exchange)
            .zip(response(exchange))
            .is_some_and(|(asked, answer)| answer.first.time.since(asked.last.time) >= STALLED)
}

/// How long before this frame the last bytes of a message were seen: those that the capture lacks at its end may have come at
/// any time until then.
pub(super) fn unheard_for(
    connection: &Connection,
    who: Who,
    message: &Message,
    until: FrameRef,
) -> Duration {
    let last = match connection.sent[who as usize].missing {
        0 => message.last,
        _ => message.last.min(connection.last_data[who as usize]),
    };
    until.time.since(last.time)
}

/// Whether the end of the request is unknown, as the capture does not hold all of its head.
pub(super) fn is_open_ended(exchange: &Exchange) -> bool {
    request(exchange).is_some_and(|message| message.progress == MessageProgress::Unseen)
}
