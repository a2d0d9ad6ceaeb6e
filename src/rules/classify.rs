//! Classifies a disorderly ending: what was lost, and by which side.
//!
//! In: the record of one connection. Out: an [`Ending`], the one classification that fits best, or none. Several rules
//! look at the same event from different sides; one classification per ending keeps them from reporting it twice.
//! Endings in which nothing was lost have rules of their own. Not covered: refused, unanswered and silent connections,
//! and RSTs from middleboxes.

use std::time::Duration;

use super::classify_messages::{
    NO_WAIT, STALLED, is_cut_by_itself, is_unreadable, timed_out, unheard_for,
};
pub(super) use super::classify_messages::{
    announced, body_without_length, has_more, is_open_ended, may_have_more, request, response,
    unannounced_body,
};
use super::classify_tls::failure;
use super::named_products::may_be_browser;
use crate::analysis::connection::{
    By, CloseEvent, Connection, ConnectionOutcome, FailedReason, How, Opening, Phase, ResetKind,
    Who, is_answered_with_holes, is_leftover,
};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{Exchange, Framing, Message, MessageProgress, Protocol};

/// The classes of disorderly endings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndingKind {
    /// The server closed before a byte of a request had arrived.
    ClosedBeforeRequest,
    /// The server closed without a response while a request was still arriving.
    ClosedInRequest,
    /// The server reset the connection right after the handshake.
    ResetAfterHandshake,
    /// The server answered, or refused to, before the request was complete, and then sent a RST.
    EarlyReset,
    /// The server closed instead of responding.
    ClosedBeforeResponse,
    /// The server sent a RST instead of a response.
    ResetBeforeResponse,
    /// The server closed before the end of its response.
    CutShort,
    /// The server sent a RST within a response that only the close delimits.
    EndUnknown,
    /// The server reset before the end of its response.
    ResetMidResponse,
    /// The server reset after its response.
    ResetAfterResponse,
    /// A request and the server's close crossed on the wire.
    Race,
    /// A request was sent on a connection that the client's system knew to be closed.
    ReuseOfClosed,
    /// A request was sent on a connection of which the server had no state any more.
    ReuseOfForgotten,
    /// The client closed before its request was complete.
    LeftMidUpload,
    /// The client stopped in the middle of its request, until the server closed.
    StalledUpload,
    /// The client closed while it waited for the response.
    GaveUp,
    /// The client closed only its direction, and the server took it for an abort.
    HalfCloseTakenAsAbort,
    /// The client closed only its direction, and got its response.
    HalfClose,
    /// The client closed before the end of the response.
    LeftMidResponse,
    /// The client sent a RST after every exchange was complete.
    ClientResetAfter,
}

/// A disorderly ending and its classification.
#[derive(Debug)]
pub struct Ending<'a> {
    /// The class.
    pub reading: EndingKind,
    /// The affected exchange.
    pub exchange: Option<&'a Exchange>,
    /// The FIN or RST that began it.
    pub close: CloseEvent,
    /// How far the capture proves it.
    pub certainty: Certainty,
}

/// A close within this time after the handshake is a consequence of the handshake.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Shorter pauses before a close that crosses the data are the ordinary rhythm of requests.
pub(super) const PAUSE: Duration = Duration::from_millis(190);
/// Time in which a server that takes the client's FIN for an abort closes: its application has to learn of the FIN
/// first.
const ABORT_WITHIN: Duration = Duration::from_millis(100);

/// The classification of this connection's end; `None` if nothing was lost or nothing can be concluded.
pub(super) fn ending(connection: &Connection) -> Option<Ending<'_>> {
    if connection.disordered {
        return None;
    }
    let teardown = &connection.teardown;
    let who = match teardown.by {
        By::Client => Who::Client,
        By::Server => Who::Server,
        // The server's FIN came behind a response that nobody read.
        By::Both if connection.outcome == ConnectionOutcome::Failed(FailedReason::ClientLeft) => {
            Who::Client
        }
        By::Both | By::Middlebox | By::Nobody => return None,
    };
    let close = match teardown.how {
        How::Fin => connection.fin[who as usize]?,
        How::Reset(ResetKind::Abort | ResetKind::NoSocket) => connection.reset[who as usize]?,
        _ => return None,
    };
    if !matches!(connection.opening, Opening::Handshake | Opening::Midstream) {
        return None;
    }
    // One side not speaking HTTP/2 at all has a rule of its own.
    if connection
        .h2
        .as_ref()
        .is_some_and(|h2| h2.mismatch.is_some() || h2.halves[Who::Server as usize].frames == 0)
    {
        return None;
    }
    // Nor did a client whose TLS handshake failed get a response; that is classified as a TLS failure.
    if failure(connection).is_some() {
        return None;
    }
    // If only one direction was captured, nothing is known about the missing messages of the other. But a response that
    // the server itself did not complete is one.
    let one_sided = connection.sent.iter().any(|sent| sent.packets == 0);
    if one_sided && !is_cut_by_itself(connection) {
        return None;
    }
    // Skips connections on which the requests come from the side that did not open them.
    let [client, _] = connection.sent;
    let asks = |exchange: &Exchange| {
        request(exchange).is_none_or(|message| message.start < client.bytes + client.missing)
    };
    if !connection.spoken().first().is_none_or(asks) {
        return None;
    }
    // Nothing was outstanding: only a client's RST, or a server closing before any request, is reported.
    let unanswered = connection.outcome == ConnectionOutcome::Failed(FailedReason::NoResponse);
    if teardown.orderly
        && !unanswered
        && who == Who::Server
        && teardown.phase != Phase::BeforeRequest
        && owns_reset(connection, Who::Client).is_none()
    {
        return None;
    }
    let told = teardown
        .close_notify_seen
        .filter(|_| teardown.phase.is_outstanding())
        .map(|frame_ref| CloseEvent {
            frame_ref,
            sent: close.received,
            received: close.sent,
            kind: None,
            ..close
        });
    // The one number beyond everything that was captured, acknowledged by a client that then closed, was the server's FIN.
    let lost_fin = Some(&close).filter(|_| {
        let [_, server] = connection.sent;
        close.kind.is_none()
            && server.missing == 1
            && server.fins + server.resets == 0
            && close.received == server.bytes.saturating_add(1)
            && matches!(teardown.phase, Phase::ResponseHead | Phase::ResponseBody)
    });
    let server_too = connection.fin[Who::Server as usize].filter(|_| teardown.server_too);
    // The other way round it may have been the client's FIN, and the server closed since the client had.
    if who == Who::Server && connection.may_answer_close() {
        return None;
    }
    let told = told.or(server_too.filter(|_| who == Who::Client));
    // What the server cut after the client had closed its direction alone.
    let after = connection
        .after_half_close()
        .filter(|_| told.is_none())
        .and_then(|close| Some((close, after_half_close(connection, &close)?)));
    let told = told.or(after.map(|(close, _)| close));
    let (reading, exchange) = match (who, &told) {
        (Who::Client, _) if after.is_some() => after.map(|(_, read)| read),
        (Who::Client, None) if lost_fin.is_some() => by_server(connection, &close),
        (Who::Client, Some(told)) => by_server(connection, told),
        (Who::Server, _) => by_server(connection, &close),
        (Who::Client, None) => by_client(connection, &close),
    }?;
    let close = told.unwrap_or(close);
    // The server said why it closed; that no more came follows from it.
    let reported = connection.outcome == ConnectionOutcome::Failed(FailedReason::ReportedError);
    let follows = matches!(
        reading,
        EndingKind::ClosedBeforeResponse
            | EndingKind::ResetBeforeResponse
            | EndingKind::ResetAfterResponse
            | EndingKind::ClosedInRequest
            | EndingKind::Race
            | EndingKind::ReuseOfClosed
    );
    if reported && follows && who == Who::Server {
        return None;
    }
    // What the server sent after the request, and was not read, may have been its response.
    let unread = exchange.is_some_and(|it| connection.has_unread_answer(it));
    if follows && unread && who == Who::Server {
        return None;
    }
    if exchange.is_some_and(|exchange| {
        let settled = match reading {
            EndingKind::LeftMidResponse => goes_on(connection, exchange, &close),
            EndingKind::GaveUp => is_too_late(exchange, &close),
            _ => false,
        };
        is_unreadable(exchange) && !has_more(connection, exchange) && !settled
    }) {
        return None;
    }
    let missing = one_sided
        || connection.sent.iter().any(|sent| sent.missing > 0)
        || connection.closed_unseen();
    // What the client had acknowledged when it left shows how far it got, whatever the capture lacks of the server.
    let far = exchange.and_then(response).is_some_and(|answer| {
        let end = answer
            .expected()
            .map(|body| answer.head_end().saturating_add(body));
        reading == EndingKind::LeftMidResponse && end.is_some_and(|end| end > close.received)
    });
    let missing = missing && !(far && who == Who::Client && !one_sided);
    // The snap length hid a part of the head, which might change the meaning of the rest.
    let hidden = exchange.is_some_and(|exchange| {
        let rare = exchange.rare.as_ref();
        rare.is_some_and(|rare| rare.response.head_cut)
            || is_open_ended(exchange)
            || has_more(connection, exchange)
    });
    Some(Ending {
        reading,
        exchange,
        close,
        // A client that leaves may have said something that has no answer.
        certainty: if missing
            || server_too.is_some_and(|fin| fin.knew_fin)
            || after.is_some() && exchange.is_some_and(|it| it.response.is_none())
            || connection.is_presumed() && who == Who::Client
            || exchange.is_some_and(|it| may_have_more(connection, it, &close))
        {
            Certainty::Possible
        } else if hidden
            || connection.is_presumed()
            || server_too.is_some()
            || exchange.is_some_and(|it| is_first_in_view(connection, it))
        {
            teardown.certainty.max(Certainty::Likely)
        } else {
            teardown.certainty
        },
    })
}

/// Whether this is the first request that the capture has of a connection that began before it: what had become of the connection
/// is not known.
pub(super) fn is_first_in_view(connection: &Connection, exchange: &Exchange) -> bool {
    let first = connection.spoken().first();
    connection.opening == Opening::Midstream && first.is_some_and(|it| std::ptr::eq(it, exchange))
}

/// The event of the server's close: a FIN, or the `close_notify` after which the client closed.
pub(super) const fn last_word(connection: &Connection) -> &'static str {
    match connection.teardown.close_notify_seen {
        Some(_) => "close_notify",
        None => "FIN",
    }
}

/// A side's own RST, if it had an effect: not forged, not stale.
pub(super) fn owns_reset(connection: &Connection, who: Who) -> Option<CloseEvent> {
    connection.reset[who as usize]
        .filter(|event| matches!(event.kind, Some(ResetKind::Abort | ResetKind::NoSocket)))
}

/// Whether the end of the connection affects this exchange: not an HTTP/2 stream that had ended before.
fn at_stake(exchange: &&Exchange) -> bool {
    exchange.stream.is_none() || !exchange.is_settled()
}

/// Whether the end of the response was not captured, but the server went on sending after the client had closed.
fn goes_on(connection: &Connection, exchange: &Exchange, close: &CloseEvent) -> bool {
    response(exchange).is_some_and(|answer| answer.progress == MessageProgress::Unseen)
        && connection.last_data[Who::Server as usize] > close.frame_ref
        && owns_reset(connection, Who::Client).is_some()
}

/// Whether nothing of the response had arrived when the client closed: then it does not matter what it says.
fn is_too_late(exchange: &Exchange, close: &CloseEvent) -> bool {
    let began = response(exchange);
    began.is_some_and(|it| it.first > close.frame_ref && it.start >= close.received)
}

type EndingRead<'a> = Option<(EndingKind, Option<&'a Exchange>)>;

fn by_server<'a>(connection: &'a Connection, close: &CloseEvent) -> EndingRead<'a> {
    let exchanges = connection.spoken();
    let is_reset = close.kind.is_some();
    let owing = || exchanges.iter().find(|exchange| !exchange.is_settled());
    match connection.teardown.phase {
        Phase::BeforeRequest => before_request(connection, close),
        Phase::Request => {
            // The rest of the request may have been sent after all, beyond what the server had received when it closed.
            // Of a request with a cut head the next one shows that it was complete.
            let ended = |exchange: &Exchange| {
                let last = exchanges
                    .last()
                    .is_some_and(|it| std::ptr::eq(it, exchange));
                is_open_ended(exchange) && exchange.response.is_some() && !last
            };
            let exchange = exchanges.iter().filter(at_stake).find(|exchange| {
                let open = request(exchange).is_some_and(|message| {
                    message.progress != MessageProgress::Complete || message.end() > close.received
                });
                open && !ended(exchange)
            })?;
            if is_leftover(connection, exchange) || is_answered_with_holes(connection, exchange) {
                return None;
            }
            let quiet = request(exchange)
                .map(|message| unheard_for(connection, Who::Client, message, close.frame_ref))
                .unwrap_or_default();
            // What the server does not take, the client cannot send.
            let shut = is_shut(connection, Who::Server);
            let silent = exchange.response.is_none() || late_timeout(connection).is_some();
            if (silent && quiet >= STALLED || timed_out(exchange)) && !shut {
                return Some((EndingKind::StalledUpload, Some(exchange)));
            }
            if exchange.response.is_none() {
                let reading = if is_reset {
                    EndingKind::EarlyReset
                } else {
                    EndingKind::ClosedInRequest
                };
                return Some((reading, Some(exchange)));
            }
            // A client that stopped sending and closed has had its response.
            let reset = owns_reset(connection, Who::Server)?;
            let had_closed = connection.fin[Who::Client as usize]
                .is_some_and(|fin| fin.frame_ref < reset.frame_ref);
            (!had_closed).then_some((EndingKind::EarlyReset, Some(exchange)))
        }
        Phase::Waiting => {
            let exchange = exchanges
                .iter()
                .filter(at_stake)
                .find(|exchange| exchange.request.is_some() && exchange.response.is_none())?;
            let is_rubbish = request(exchange)
                .is_some_and(|message| message.progress == MessageProgress::Broken);
            if is_reset && is_rubbish {
                // The bytes after the last request were not a request, and were not read.
                let last = exchanges.iter().rfind(|exchange| exchange.is_complete())?;
                return Some((EndingKind::ResetAfterResponse, Some(last)));
            }
            if is_reset && let Some(answer) = announced(connection, exchange) {
                // Unread data causes the RST, which endangers the response already sent.
                let sent = &connection.sent[Who::Server as usize];
                let last = exchanges.iter().rfind(|exchange| exchange.is_complete())?;
                if sent.acknowledged < answer.end() {
                    return Some((EndingKind::ResetAfterResponse, Some(last)));
                }
            }
            // Where the head was cut by the capture, a shut window shows that there was more to come.
            let partial = is_open_ended(exchange) && is_shut(connection, Who::Server);
            let reading = match (is_reset, partial) {
                (true, true) => EndingKind::EarlyReset,
                (false, true) => EndingKind::ClosedInRequest,
                (true, false) => EndingKind::ResetBeforeResponse,
                (false, false) => EndingKind::ClosedBeforeResponse,
            };
            Some((reading, Some(exchange)))
        }
        Phase::ResponseHead | Phase::ResponseBody => {
            let Some(exchange) = owing() else {
                // Everything was sent, but the RST came before it had arrived.
                let last = exchanges.last()?;
                return is_reset.then_some((EndingKind::ResetAfterResponse, Some(last)));
            };
            let framing = response(exchange)?.framing;
            let reading = match (is_reset, framing) {
                (false, _) => EndingKind::CutShort,
                (true, Framing::UntilClose) => EndingKind::EndUnknown,
                (true, _) => EndingKind::ResetMidResponse,
            };
            Some((reading, Some(exchange)))
        }
        Phase::Between | Phase::After => after_server(connection, close),
        Phase::Opaque => not_followed(connection, close),
        _ => None,
    }
}

/// The 408 with which the server ends a request whose rest did not come, though it had responded to it before.
pub(super) fn late_timeout(connection: &Connection) -> Option<&Message> {
    let mut all = connection.exchanges.iter().rev();
    let late = all.next().filter(|it| it.request.is_none())?;
    let open = all.next().and_then(request)?;
    let begun = matches!(open.progress, MessageProgress::Head | MessageProgress::Body);
    let answer = response(late).filter(|_| late.status() == Some(408))?;
    (begun && open.last < answer.first).then_some(answer)
}

/// A response this soon behind another one was not sent by a timer.
const DIRECTLY: Duration = Duration::from_millis(50);

/// The exchange behind whose response, which was complete, another one came at once, if there is such a response.
pub(super) fn behind_another(connection: &Connection) -> Option<&Exchange> {
    connection.exchanges.windows(2).find_map(|pair| {
        let [first, second] = pair else {
            return None;
        };
        let (own, other) = (response(first)?, response(second)?);
        let unasked = second.request.is_none() && second.status() != Some(408);
        let soon = other.first.time.since(own.last.time) < DIRECTLY;
        (first.is_complete() && unasked && soon).then_some(first)
    })
}

/// What the server cut after the client had closed its direction alone.
fn after_half_close<'a>(connection: &'a Connection, close: &CloseEvent) -> EndingRead<'a> {
    if may_be_browser(connection) && connection.sent[Who::Server as usize].bytes == 0 {
        return None;
    }
    let mut all = connection.spoken().iter().filter(at_stake);
    let exchange = all.find(|it| it.request.is_some() && !it.is_settled())?;
    let framing = response(exchange).map(|it| it.framing);
    let reading = match (close.kind.is_some(), framing) {
        (false, None) => EndingKind::ClosedBeforeResponse,
        (true, None) => EndingKind::ResetBeforeResponse,
        (false, Some(_)) => EndingKind::CutShort,
        (true, Some(Framing::UntilClose)) => EndingKind::EndUnknown,
        (true, Some(_)) => EndingKind::ResetMidResponse,
    };
    Some((reading, Some(exchange)))
}

/// Whether this side had let its window go to zero, and the other sent until it was full.
pub(super) fn is_shut(connection: &Connection, who: Who) -> bool {
    connection.sent[who as usize].zero_windows > 0
}

/// Whether the server's host repeated its SYN-ACK and took nothing of what the client sent: its program never had the
/// connection.
pub(super) fn is_ignored(connection: &Connection) -> bool {
    let [client, server] = &connection.sent;
    connection.opening == Opening::Handshake
        && connection.client_syn
        && connection.syn_acks > 1
        && client.bytes > 0
        && client.acknowledged == 0
        && server.bytes == 0
        && connection.taken.is_none()
}

fn before_request<'a>(connection: &'a Connection, close: &CloseEvent) -> EndingRead<'a> {
    if connection.sent[Who::Server as usize].bytes > 0
        || close.received > 0
        || is_ignored(connection)
    {
        return None;
    }
    if connection.opening == Opening::Midstream {
        return before_request_in_view(connection, close);
    }
    if connection.opening != Opening::Handshake {
        return None;
    }
    let opened = connection
        .first
        .time
        .after(connection.connect_time.unwrap_or_default());
    let at_once = close.frame_ref.time.since(opened) <= AT_ONCE;
    let asked = connection.sent[Who::Client as usize].bytes > 0;
    let exchange = connection.spoken().first();
    let reading = match (close.kind, at_once, asked) {
        (Some(_), true, _) => EndingKind::ResetAfterHandshake,
        (Some(ResetKind::NoSocket), false, true) => EndingKind::ReuseOfForgotten,
        (_, _, true) | (None, true, false) => EndingKind::ClosedBeforeRequest,
        // Nobody resets what was only opened in advance: the client's program reads an error.
        (Some(ResetKind::Abort), false, false) => EndingKind::ClosedBeforeRequest,
        // An unused connection that is closed after a while.
        (_, false, false) => return None,
    };
    Some((reading, exchange))
}

fn after_server<'a>(connection: &'a Connection, close: &CloseEvent) -> EndingRead<'a> {
    let late = connection
        .spoken()
        .iter()
        .filter(at_stake)
        .find(|exchange| {
            exchange.response.is_none()
                && request(exchange).is_some_and(|message| message.start >= close.received)
        });
    let last = connection
        .spoken()
        .iter()
        .rfind(|exchange| exchange.response.is_some())?;
    if late.is_some() && connection.protocol == Protocol::Http2 {
        // GOAWAY states the outcome of a stream that crosses a close (RFC 9113 §6.8); its absence has a rule of its
        // own.
        return None;
    }
    let Some(late) = late else {
        let reset = owns_reset(connection, Who::Client);
        if close.kind.is_none() {
            return reset.map(|_| (EndingKind::ClientResetAfter, Some(last)));
        }
        // The response came before the request was complete, and the RST after it.
        let early = request(last).is_some_and(|message| {
            response(last).is_some_and(|answer| answer.first.time < message.last.time)
                && message.received() > 0
        });
        let reading = if early {
            EndingKind::EarlyReset
        } else {
            EndingKind::ResetAfterResponse
        };
        return Some((reading, Some(last)));
    };
    let asked = request(late)?.first;
    if close.kind == Some(ResetKind::NoSocket) {
        // The server's FIN may be among the packets that the capture lost.
        let lost = connection.sent[Who::Server as usize].missing > 0;
        return (!lost).then_some((EndingKind::ReuseOfForgotten, Some(late)));
    }
    // What crosses a close is under way for a round trip at most. Sent long before it, and never acknowledged, it was lost.
    let message = request(late)?;
    let arrived = connection.sent[Who::Client as usize].acknowledged > message.start;
    if !arrived && close.frame_ref.time.since(asked.time) > under_way(connection) {
        return None;
    }
    // A server that closes right behind its response ends no idle connection.
    let idle = response(last).map(|it| close.frame_ref.time.since(it.last.time));
    let at_once = idle.is_some_and(|idle| idle < PAUSE);
    Some((after_close(connection, close, asked, at_once), Some(late)))
}

/// The longest that segments which cross are under way, and a program takes to notice a close.
pub(super) fn under_way(connection: &Connection) -> Duration {
    (connection.expected_round_trip() * 5).max(Duration::from_millis(50))
}

/// No host delays an acknowledgement for longer (RFC 9293 §3.8.6.3: less than half a second, and most for 40 to 200 ms).
const DELAYED: Duration = Duration::from_millis(500);

/// What a request is that was sent at `asked`, which the server had not received when it closed. `at_once`: it closed right
/// behind its last response.
fn after_close(
    connection: &Connection,
    close: &CloseEvent,
    asked: FrameRef,
    at_once: bool,
) -> EndingKind {
    let known = acknowledged_close(connection, asked).filter(|_| close.kind.is_none());
    let margin = under_way(connection);
    // Where the request itself acknowledges a close that was long before it, the capture lacks an earlier acknowledgement.
    let late = asked.time.since(close.frame_ref.time) > margin + DELAYED;
    if late && known == Some(asked) {
        return EndingKind::ReuseOfClosed;
    }
    match known.is_some_and(|known| at_once || asked.time.since(known.time) > margin) {
        true => EndingKind::ReuseOfClosed,
        false => EndingKind::Race,
    }
}

/// What was said before is hidden, and the server closed.
fn not_followed<'a>(connection: &'a Connection, close: &CloseEvent) -> EndingRead<'a> {
    // A request met no socket, or came to the server after its close.
    let met = || met_no_socket(connection, close).or_else(|| unheard_request(connection, close));
    if close.kind.is_none()
        && let Some(late) = met()
    {
        return reused(connection, close, late);
    }
    if let Some(late) = refused_late(connection, close) {
        return Some((EndingKind::ReuseOfForgotten, Some(late)));
    }
    let last = connection.spoken().last();
    match close.kind {
        Some(_) => {
            let exchange = last.filter(|it| has_more(connection, it))?;
            Some((EndingKind::ResetMidResponse, Some(exchange)))
        }
        None => {
            let exchange = last.filter(|it| may_have_more(connection, it, close))?;
            Some((EndingKind::CutShort, Some(exchange)))
        }
    }
}

/// A request was sent after the server's close, or crossed it.
fn reused<'a>(connection: &Connection, close: &CloseEvent, late: &'a Exchange) -> EndingRead<'a> {
    let asked = request(late)?.first;
    Some((after_close(connection, close, asked, false), Some(late)))
}

/// The capture begins late, with the server's FIN or the RST for a request that met no socket. What came before is not known.
fn before_request_in_view<'a>(connection: &'a Connection, close: &CloseEvent) -> EndingRead<'a> {
    if close.kind == Some(ResetKind::NoSocket) {
        let asked = connection.spoken().first()?;
        let drawn = request(asked)?.first < close.frame_ref && asked.response.is_none();
        return drawn.then_some((EndingKind::ReuseOfForgotten, Some(asked)));
    }
    reused(connection, close, met_no_socket(connection, close)?)
}

/// The last request, and what was sent of it, if nothing came for it.
fn last_unanswered(connection: &Connection) -> Option<(&Exchange, &Message)> {
    let last = connection.spoken().last()?;
    let asked = request(last).filter(|_| last.response.is_none())?;
    Some((last, asked))
}

/// The RST of the server's host, if that had no socket any more.
fn socketless_reset(connection: &Connection) -> Option<CloseEvent> {
    owns_reset(connection, Who::Server).filter(|it| it.kind == Some(ResetKind::NoSocket))
}

/// The last request, if it was sent after the server's FIN, and a RST from a host without a socket answered it.
fn met_no_socket<'a>(connection: &'a Connection, close: &CloseEvent) -> Option<&'a Exchange> {
    let refused = socketless_reset(connection)?;
    let (late, asked) = last_unanswered(connection)?;
    let after = asked.first > close.frame_ref && refused.frame_ref > asked.first;
    (close.kind.is_none() && after).then_some(late)
}

/// The last request, if it crossed the server's FIN: nothing of it had arrived, and a RST from a host without a socket
/// answered it.
fn unheard_request<'a>(connection: &'a Connection, close: &CloseEvent) -> Option<&'a Exchange> {
    let refused = socketless_reset(connection)?;
    let (late, asked) = last_unanswered(connection)?;
    let crossed = close.frame_ref.time.since(asked.first.time) <= under_way(connection);
    let unheard = asked.start >= close.received && refused.frame_ref > asked.first;
    (crossed && unheard && !connection.has_holes()).then_some(late)
}

/// The last request, if a RST from a host without a socket answered it, after a pause in which the server had nothing more to
/// say.
fn refused_late<'a>(connection: &'a Connection, close: &CloseEvent) -> Option<&'a Exchange> {
    let (late, asked) = last_unanswered(connection)?;
    let quiet = connection.last_data[Who::Server as usize];
    let paused = quiet < asked.first && asked.first.time.since(quiet.time) >= PAUSE;
    let drawn = close.kind == Some(ResetKind::NoSocket)
        && asked.first < close.frame_ref
        && asked.start >= connection.sent[Who::Client as usize].acknowledged;
    (drawn && paused && !connection.has_holes()).then_some(late)
}

/// Where the client's host acknowledged the server's FIN, if that was before this segment of its own or with it: then the
/// two did not cross.
pub(super) fn acknowledged_close(connection: &Connection, sent: FrameRef) -> Option<FrameRef> {
    connection.fin_acknowledged[Who::Server as usize].filter(|known| *known <= sent)
}

fn by_client<'a>(connection: &'a Connection, close: &CloseEvent) -> EndingRead<'a> {
    let exchanges = connection.spoken();
    let reset = owns_reset(connection, Who::Client);
    // What the client had not received when it closed does not count.
    let unread = |exchange: &&Exchange| {
        let answered = response(exchange).is_some_and(|answer| {
            answer.progress == MessageProgress::Complete && answer.end() <= close.received
        });
        !answered
    };
    match connection.teardown.phase {
        Phase::Request => {
            let exchange = exchanges.iter().filter(at_stake).find(|exchange| {
                request(exchange)
                    .is_some_and(|message| !matches!(message.progress, MessageProgress::Complete))
            })?;
            let answered =
                response(exchange).is_some_and(|answer| answer.first.time <= close.frame_ref.time);
            (!answered).then_some((EndingKind::LeftMidUpload, Some(exchange)))
        }
        Phase::Waiting => {
            let exchange = exchanges.iter().filter(at_stake).find(|exchange| {
                exchange.request.is_some()
                    && response(exchange).is_none_or(|answer| answer.start >= close.received)
            })?;
            let waited = request(exchange)
                .map(|message| close.frame_ref.time.since(message.last.time))
                .unwrap_or_default();
            // In a protocol that is not read, last words right before the close may be a goodbye.
            if connection.is_presumed() && waited <= NO_WAIT {
                return None;
            }
            let told = announced(connection, exchange);
            let reading = if told.is_some_and(|answer| answer.end() <= close.received) {
                // It did not give up: the announced close meant that there would be no response.
                EndingKind::ClosedBeforeResponse
            } else if close.kind.is_some() {
                EndingKind::GaveUp
            } else if response(exchange).is_some_and(|answer| {
                answer.is_complete() && unaccepted(connection, answer).is_none()
            }) && reset.is_none()
            {
                // Its kernel accepted the response: the other direction was open.
                EndingKind::HalfClose
            } else if waited > NO_WAIT.max(connection.expected_round_trip())
                || may_be_browser(connection)
                || is_rejected(connection, exchange, close)
            {
                // Browsers close a connection to cancel its request, and never close one direction alone. Nor did a client
                // whose host has no connection any more for the response.
                EndingKind::GaveUp
            } else if response(exchange).is_some() {
                return None;
            } else {
                let told = closed_by(connection, Who::Server)?;
                let soon = told.time.since(close.frame_ref.time)
                    <= ABORT_WITHIN.max(connection.expected_round_trip() * 2);
                if !soon {
                    return None;
                }
                EndingKind::HalfCloseTakenAsAbort
            };
            Some((reading, Some(exchange)))
        }
        Phase::ResponseHead | Phase::ResponseBody => {
            let exchange = exchanges.iter().filter(at_stake).find(unread)?;
            let complete = response(exchange)?.progress == MessageProgress::Complete;
            let reading = if close.kind.is_none() && complete && reset.is_none() {
                EndingKind::HalfClose
            } else {
                EndingKind::LeftMidResponse
            };
            Some((reading, Some(exchange)))
        }
        Phase::Opaque
            if close.kind.is_some()
                && exchanges.last().is_some_and(|it| has_more(connection, it)) =>
        {
            Some((EndingKind::LeftMidResponse, exchanges.last()))
        }
        Phase::Opaque => {
            let last = exchanges.last()?;
            goes_on(connection, last, close).then_some((EndingKind::LeftMidResponse, Some(last)))
        }
        Phase::Between | Phase::After if close.kind.is_some() => {
            let last = exchanges.last()?;
            last.is_complete()
                .then_some((EndingKind::ClientResetAfter, Some(last)))
        }
        _ => None,
    }
}

/// Whether the response was on its way when the client closed, and its host had no connection for it any more. A later one
/// is the server's to notice.
fn is_rejected(connection: &Connection, exchange: &Exchange, close: &CloseEvent) -> bool {
    let reset = connection.reset[Who::Client as usize];
    let reset = reset.filter(|it| it.kind == Some(ResetKind::NoSocket));
    response(exchange)
        .zip(reset)
        .is_some_and(|(answer, reset)| {
            answer.first < reset.frame_ref
                && answer.end() > reset.received
                && answer.first.time.since(close.frame_ref.time) < connection.expected_round_trip()
        })
}

/// How often a server's message was repeated that its client never acknowledged to its end; `None` if it did, or may have.
pub(super) fn unaccepted(connection: &Connection, message: &Message) -> Option<u16> {
    let acknowledged = connection.sent[Who::Server as usize].acknowledged;
    let unanswered = &connection.unanswered.as_deref()?[Who::Server as usize];
    (acknowledged < message.end() && unanswered.same > 0).then_some(unanswered.same)
}

/// The time at which one side closed.
fn closed_by(connection: &Connection, who: Who) -> Option<FrameRef> {
    let fin = connection.fin[who as usize].map(|event| event.frame_ref);
    let reset = owns_reset(connection, who).map(|event| event.frame_ref);
    fin.into_iter().chain(reset).min()
}

#[cfg(test)]
mod tests {
    use super::super::ladder_check;
    use super::*;

    fn read(text: &str) -> Option<EndingKind> {
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        ending(proof.connections.first()?).map(|ending| ending.reading)
    }

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";
    const TURNS: &str = "SYN -->\n<-- SYN\nACK -->\n\"\\x01a\" -->\n<-- \"\\x02b\"\n\"\\x01c\" -->\n<-- \"\\x02d\"\n\
                         \"\\x01e\" -->\n<-- \"\\x02f\"\nACK -->\n";
    const KEPT: &str = "SYN -->\n<-- SYN\nGET /1 -->\n<-- 200 \"one\"\nACK -->\n";

    #[test]
    fn one_reading_for_each_ending() {
        let cases = [
            (
                OPEN,
                "<-- FIN\nGET / -->\n<-- RST [noack]",
                Some(EndingKind::ClosedBeforeRequest),
            ),
            (OPEN, "+9s <-- FIN\nFIN -->\n<-- ACK", None),
            (OPEN, "+9s <-- RST", Some(EndingKind::ClosedBeforeRequest)),
            (
                OPEN,
                "GET / -->\n<-- FIN",
                Some(EndingKind::ClosedBeforeResponse),
            ),
            (
                OPEN,
                "GET / -->\n<-- ACK\n<-- RST",
                Some(EndingKind::ResetBeforeResponse),
            ),
            (
                OPEN,
                "GET / -->\n<-- 200 data 5 [length=9]\n<-- FIN",
                Some(EndingKind::CutShort),
            ),
            (
                OPEN,
                "GET / -->\n<-- 200 data 5 [length=9]\n<-- RST",
                Some(EndingKind::ResetMidResponse),
            ),
            (
                OPEN,
                "GET / -->\n<-- 200 data 5 [no-length]\n<-- RST",
                Some(EndingKind::EndUnknown),
            ),
            (
                OPEN,
                "GET / -->\n<-- 200 \"x\"\nACK -->\n<-- RST",
                Some(EndingKind::ResetAfterResponse),
            ),
            (
                OPEN,
                "GET / -->\n<-- 200 \"x\"\nRST -->",
                Some(EndingKind::ClientResetAfter),
            ),
            (
                OPEN,
                "GET / -->\n<-- 200 \"x\"\nFIN -->\n<-- FIN\nACK -->",
                None,
            ),
            (
                KEPT,
                "<-- FIN\nGET /2 [crossed] -->\n<-- RST [noack]",
                Some(EndingKind::Race),
            ),
            // It was lost long before the server closed.
            (
                KEPT,
                "GET /2 [lost] -->\n+300ms again [lost] -->\n+600ms again [lost] -->\n+30s <-- FIN\n+1s again [lost] -->",
                None,
            ),
            (
                KEPT,
                "<-- FIN\nACK -->\n+1s GET /2 -->\n<-- RST [noack]",
                Some(EndingKind::ReuseOfClosed),
            ),
            // The first acknowledgement of the close is that of the request.
            (
                KEPT,
                "<-- FIN\n+3s GET /2 -->\n<-- RST [noack]",
                Some(EndingKind::ReuseOfClosed),
            ),
            (
                KEPT,
                "+9s GET /2 -->\n<-- RST [noack]",
                Some(EndingKind::ReuseOfForgotten),
            ),
            (
                KEPT,
                "GET /2 -->\n<-- ACK\n+9s FIN -->",
                Some(EndingKind::GaveUp),
            ),
            // The client closed its direction alone: what cut the response is the server's close.
            (
                OPEN,
                "GET / -->\nFIN -->\n<-- 200 data 5 [length=9]\nACK -->\n+1s <-- RST",
                Some(EndingKind::ResetMidResponse),
            ),
            (
                OPEN,
                "GET / -->\nFIN -->\n<-- 200 data 5 [length=9]\nACK -->\n+1s <-- FIN\nACK -->",
                Some(EndingKind::CutShort),
            ),
            (
                OPEN,
                "GET / -->\nFIN -->\n<-- ACK\n+1s <-- RST",
                Some(EndingKind::ResetBeforeResponse),
            ),
            (
                OPEN,
                "GET / -->\nFIN -->\n<-- ACK\n<-- 200 \"hello\"\nACK -->\n<-- FIN\nACK -->",
                Some(EndingKind::HalfClose),
            ),
            // A host that resets what comes after its FIN had closed both.
            (
                OPEN,
                "GET / -->\n<-- 200 data 5 [length=9]\nACK -->\n+2s FIN -->\n<-- ACK\n<-- data 4\nRST [noack] -->",
                Some(EndingKind::LeftMidResponse),
            ),
            // What came too late need not be read.
            (
                KEPT,
                "GET /2 -->\n<-- ACK\n+9s FIN -->\n<-- ACK\n<-- 200 \"two\" [cut=20] FIN\nRST [noack] -->",
                Some(EndingKind::GaveUp),
            ),
            // Last words of turns that are only presumed to be requests.
            (
                TURNS,
                "data 9 -->\nFIN -->\n<-- data 9\nRST [noack] -->",
                None,
            ),
            // Heads that the capture cut hide where messages end, and not what met no socket.
            (
                OPEN,
                "GET /1 [head=300 cut=60] -->\n<-- 200 \"a\" [head=300 cut=60]\nACK -->\n+9s GET /2 [head=300 cut=60] -->\n<-- RST [noack]",
                Some(EndingKind::ReuseOfForgotten),
            ),
            (
                OPEN,
                "GET /1 [head=300 cut=60] -->\n<-- 200 \"a\" [head=300 cut=60]\nACK -->\n+9s <-- FIN\n\
                 GET /2 [head=300 cut=60 crossed] -->\n<-- RST [noack]",
                Some(EndingKind::Race),
            ),
            // A foreign RST and the end of the capture are not classified here.
            (KEPT, "GET /2 -->\n<-- RST [ttl=9]", None),
            (KEPT, "GET /2 -->", None),
        ];
        for (open, text, reading) in cases {
            assert_eq!(read(&format!("{open}{text}")), reading, "{text}");
        }
    }

    #[test]
    fn bytes_after_the_last_request_that_are_none_wait_for_nothing() {
        let text = format!(
            "{OPEN}\"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\nextra\" -->\n<-- 200 \"x\" [close]\nACK -->\n<-- RST"
        );
        assert_eq!(read(&text), Some(EndingKind::ResetAfterResponse));
    }

    #[test]
    fn the_record_tells_who_knew_of_a_close_and_until_when_it_was_watched() {
        let text = format!("{KEPT}<-- FIN\n+40ms ACK -->\nclient :50000 server\n+9s SYN -->");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let connection = &proof.connections[0];
        let [client, server] = connection.fin_acknowledged;
        let fin = connection.fin[Who::Server as usize]
            .expect("sent")
            .frame_ref;
        let known = server.expect("it was acknowledged");
        assert_eq!((client, known.time.since(fin.time).as_millis()), (None, 40));
        assert_eq!(connection.until.since(known.time).as_secs(), 9);
        let tops = connection.last_data.map(|frame_ref| frame_ref.frame.0);
        assert_eq!(tops, [3, 4], "the request and the response");
    }
}
