//! The wire events that the server's application met.

use std::time::Duration;

use super::ending::{ClientDeparture, leaving, stopped_reading};
use super::{dialogue, http_faults};
use crate::analysis::connection::{Author, By, Connection, How, Opening, Phase, Who, author};
use crate::base::flow_end::FlowEnd;
use crate::knowledge::WireEvent;
use crate::protocol::http::{Exchange, Framing, Message, MessageProgress, Protocol};
use crate::protocol::tls::HandshakeStage;
use crate::rules::classify;

/// Servers' time limits for a request are whole seconds and more; an earlier failure has another cause.
const SHORTEST_LIMIT: Duration = Duration::from_secs(5);
/// A client that sends nothing for this long has stalled.
const STALLED: Duration = Duration::from_secs(1);

/// The events in order, as the only sequence; empty if the server met none.
pub(super) fn stories(connection: &Connection) -> Vec<Vec<WireEvent>> {
    let events = events(connection);
    if events.is_empty() {
        return Vec::new();
    }
    vec![events]
}

/// Whether the server caused the event by itself: no packet then shows the error.
pub(super) const fn is_own_failure(event: WireEvent) -> bool {
    event.is_of_gateway()
        || matches!(
            event,
            WireEvent::ServerTimeLimit
                | WireEvent::ServerWorkerLost
                | WireEvent::ServerAbortsResponse
        )
}

fn events(connection: &Connection) -> Vec<WireEvent> {
    let mut events = Vec::new();
    // Before the handshake is complete the application does not know of the connection.
    if !matches!(connection.opening, Opening::Handshake | Opening::Midstream) {
        return events;
    }
    match connection.protocol {
        _ if dialogue::is_spoken(connection) && connection.protocol != Protocol::Tls => {
            events.extend(dialogue::of_server(connection));
        }
        Protocol::Tls => match tls(connection) {
            Some(WireEvent::TlsToPlain) => events.extend(plain_port(connection)),
            event => events.extend(event),
        },
        Protocol::Http1 | Protocol::Http2 | Protocol::Unknown => http(connection, &mut events),
        Protocol::Tunnel if connection.exchanges.len() > 1 => http(connection, &mut events),
        _ => {}
    }
    events
}

/// What waited for the end of a line that a ClientHello does not have.
fn plain_port(connection: &Connection) -> Vec<WireEvent> {
    let waited = connection.exchanges.iter().find_map(|exchange| {
        let answer = &exchange.response.as_ref()?.message;
        Some(answer.first.time.since(connection.first.time) >= SHORTEST_LIMIT)
    });
    let stalled = waited
        .unwrap_or(false)
        .then_some(WireEvent::RequestHeadStalled);
    [WireEvent::TlsToPlain].into_iter().chain(stalled).collect()
}

fn tls(connection: &Connection) -> Option<WireEvent> {
    let facts = connection.tls.as_deref()?;
    if facts.plain == Some(FlowEnd::B) && facts.stage <= HandshakeStage::ClientHello {
        return Some(WireEvent::TlsToPlain);
    }
    if let Some(alert) = facts.fatal() {
        return match (alert.from, alert.code()) {
            (FlowEnd::A, Some(42)) => Some(WireEvent::TlsClientSaysBadCertificate),
            (FlowEnd::A, Some(45)) => Some(WireEvent::TlsClientSaysExpired),
            (FlowEnd::A, Some(46)) => Some(WireEvent::TlsClientSaysUnknown),
            (FlowEnd::A, Some(48)) => Some(WireEvent::TlsClientSaysUnknownCa),
            (FlowEnd::A, Some(43..=44 | 47)) => Some(WireEvent::TlsClientRejectsCert),
            (FlowEnd::B, Some(70)) => Some(WireEvent::TlsClientTooOld),
            _ => None,
        };
    }
    if facts.stage >= HandshakeStage::Complete {
        return None;
    }
    match leaving(connection)? {
        ClientDeparture::Fin => Some(WireEvent::TlsClientFinInHandshake),
        ClientDeparture::Reset => Some(WireEvent::TlsClientRstInHandshake),
    }
}

fn http(connection: &Connection, events: &mut Vec<WireEvent>) {
    for exchange in &connection.exchanges {
        // A request that was served was well-formed enough.
        if exchange
            .status()
            .is_some_and(|status| (400..500).contains(&status))
        {
            http_faults::request(exchange, events);
        }
        events.extend(as_gateway(exchange));
    }
    let open = |it: &&Exchange| !it.is_settled() || classify::has_more(connection, it);
    let owed = connection.exchanges.iter().find(open);
    if connection.teardown.how == How::Silence {
        if stopped_reading(connection) {
            events.push(WireEvent::ClientStoppedReading);
        }
        return;
    }
    match leaving(connection) {
        Some(_) if connection.teardown.server_too => {}
        // A server that refuses such a request does not meet the end of its client in it.
        Some(_) if owed.is_some_and(is_refusable) => {}
        Some(leaving) => events.extend(left(connection, leaving, owed)),
        None if matches!(connection.teardown.by, By::Server) => {
            gave_up(connection, owed, events);
        }
        None => {}
    }
}

/// What a gateway met behind it that answers in its own words, or by a bare 504 after a wait.
fn as_gateway(exchange: &Exchange) -> Option<WireEvent> {
    let status = exchange.status().filter(|it| matches!(it, 503 | 504))?;
    let asked = exchange.request.as_ref()?.message.last.time;
    let answered = exchange.response.as_ref()?.message.first.time;
    let waited = answered.since(asked) >= STALLED;
    match (author(exchange), status) {
        (Author::Gateway(..), 504) => Some(WireEvent::GatewayTimesOut),
        // Less is no timeout for a connection.
        (Author::Gateway(..), _) if !waited => Some(WireEvent::GatewayCannotConnect),
        (Author::Gateway(..), _) => Some(WireEvent::GatewayConnectTimesOut),
        (Author::Presumed(Some(_)), 504) if waited && !exchange.is_proxied() => {
            Some(WireEvent::GatewayTimesOut)
        }
        _ => None,
    }
}

/// Whether common servers refuse the request when they have its head.
fn is_refusable(exchange: &Exchange) -> bool {
    let mut faults = Vec::new();
    http_faults::request(exchange, &mut faults);
    !faults.is_empty()
}

/// The client closed first: the event by how far the exchange had come at the server.
fn left(
    connection: &Connection,
    leaving: ClientDeparture,
    owed: Option<&Exchange>,
) -> Option<WireEvent> {
    use WireEvent as E;
    let reset = leaving == ClientDeparture::Reset;
    let choose = |on_fin: E, on_reset: E| if reset { on_reset } else { on_fin };
    let Some(exchange) = owed else {
        let unused = connection.exchanges.is_empty() && connection.sent[0].bytes == 0;
        return (unused && connection.teardown.phase == Phase::BeforeRequest)
            .then_some(choose(E::ClientFinBeforeRequest, E::ClientRstBeforeRequest));
    };
    let request = &exchange.request.as_ref()?.message;
    let response = exchange.response.as_ref().map(|it| it.message.progress);
    Some(match (request.progress, response) {
        (MessageProgress::Head, _) => choose(E::ClientFinInRequestHead, E::ClientRstInRequestHead),
        (MessageProgress::Body, _) if request.framing == Framing::Chunked && !reset => {
            E::ClientFinInRequestChunk
        }
        (MessageProgress::Body, _) => choose(E::ClientFinInRequestBody, E::ClientRstInRequestBody),
        (MessageProgress::Complete, None) => {
            choose(E::ClientFinWhileWaiting, E::ClientRstWhileWaiting)
        }
        (_, Some(MessageProgress::Unseen)) if classify::has_more(connection, exchange) => {
            choose(E::ClientFinInResponse, E::ClientRstInResponse)
        }
        // A response that was malformed was not cut short by the client.
        (MessageProgress::Complete, Some(MessageProgress::Head | MessageProgress::Body)) => {
            choose(E::ClientFinInResponse, E::ClientRstInResponse)
        }
        _ => return None,
    })
}

/// The server closed while a message was outstanding.
fn gave_up(connection: &Connection, owed: Option<&Exchange>, events: &mut Vec<WireEvent>) {
    let teardown = &connection.teardown;
    let Some(exchange) = owed else {
        return;
    };
    let Some(request) = exchange.request.as_ref().map(|it| &it.message) else {
        return;
    };
    let answer = exchange.response.as_ref().map(|it| &it.message);
    // What ended the wait for the rest of a request: the server's answer, or its close.
    let until = answer.map_or(teardown.at, |it| it.first.time);
    let waited = until.since(request.last.time);
    let probes = connection.sent[Who::Server as usize].window_probes > 0;
    let stuck =
        |it: &Message| probes && it.received() > 0 && teardown.at.since(it.last.time) >= STALLED;
    let shut = classify::is_shut(connection, Who::Server);
    match teardown.phase {
        _ if answer.is_some_and(stuck) && classify::is_shut(connection, Who::Client) => {
            events.push(WireEvent::ClientStoppedReading);
        }
        // Whom the server's shut window stops has not stalled.
        Phase::Request if shut => {}
        Phase::Waiting if shut && classify::is_open_ended(exchange) => {}
        Phase::Request if waited >= STALLED => events.push(match request.progress {
            MessageProgress::Head => WireEvent::RequestHeadStalled,
            _ => WireEvent::RequestBodyStalled,
        }),
        Phase::Waiting => {
            if waited >= SHORTEST_LIMIT {
                events.push(WireEvent::ServerTimeLimit);
            }
            events.push(WireEvent::ServerWorkerLost);
        }
        Phase::ResponseHead | Phase::ResponseBody if exchange.response_faults().is_empty() => {
            events.push(WireEvent::ServerAbortsResponse);
        }
        _ => {}
    }
}
