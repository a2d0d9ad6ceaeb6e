//! The wire events that the client's application met on HTTP/2: streams reset or lost, connections ended by GOAWAY.

use std::time::Duration;

use super::ending::ClientEvent;
use crate::analysis::connection::{Connection, Who};
use crate::knowledge::WireEvent;
use crate::protocol::http::{ErrorCode, Exchange, Party};

/// A client that cancels a stream sooner did not wait in vain.
const WAITED: Duration = Duration::from_secs(1);

/// The events, in the order the client met them.
pub(super) fn events(connection: &Connection, met: ClientEvent, events: &mut Vec<WireEvent>) {
    let Some(h2) = &connection.h2 else {
        return;
    };
    let server = &h2.halves[Who::Server as usize];
    let ended = matches!(met, ClientEvent::Fin | ClientEvent::Reset);
    let not_spoken = h2.mismatch.as_ref().is_some_and(|it| !it.by_client);
    if not_spoken || ended && server.frames == 0 && !server.lost {
        events.push(WireEvent::H2NoSettings);
        // A client that does not look for the missing SETTINGS reports the end alone.
        events.extend(match met {
            _ if not_spoken => None,
            ClientEvent::Fin => Some(WireEvent::H2Fin),
            ClientEvent::Reset => Some(WireEvent::RstBeforeResponse),
            _ => None,
        });
        return;
    }
    let resets = connection.exchanges.iter().filter_map(Exchange::cut_by);
    let resets = resets.filter(|it| it.by == Party::Responder);
    let refused_only = resets
        .clone()
        .all(|it| it.code == ErrorCode::REFUSED_STREAM);
    events.extend(resets.clone().next().map(|_| match refused_only {
        true => WireEvent::H2RefusedStream,
        false => WireEvent::H2ResetStream,
    }));
    if connection.exchanges.iter().any(was_given_up) {
        events.push(WireEvent::ServerSilent);
    }
    let refused = connection.exchanges.iter().any(|it| {
        let stream = it.stream.as_ref();
        stream.is_some_and(|stream| stream.refused.is_some())
    });
    let cancelled = connection
        .exchanges
        .iter()
        .filter_map(Exchange::cut_by)
        .any(|reset| reset.by == Party::Requester && h2.passes_on(reset));
    let lost = connection.exchanges.iter().find(|it| !it.is_settled());
    match (lost, server.goaway()) {
        (_, Some(_)) if refused || cancelled => events.push(WireEvent::H2Goaway),
        (Some(_), Some(_)) if ended => events.push(WireEvent::H2GoawayKept),
        (Some(exchange), None) if met == ClientEvent::Left && waits(connection, exchange) => {
            events.push(match exchange.response {
                None => WireEvent::ServerSilent,
                Some(_) => WireEvent::BodyStalled,
            });
        }
        (Some(_), None) if met == ClientEvent::Fin => events.push(WireEvent::H2Fin),
        (Some(exchange), None) if met == ClientEvent::Reset => {
            events.push(match exchange.response {
                None => WireEvent::RstBeforeResponse,
                Some(_) => WireEvent::RstInBodyLength,
            })
        }
        _ => {}
    }
}

/// Whether nothing had come for this stream for long when the client closed.
fn waits(connection: &Connection, exchange: &Exchange) -> bool {
    let asked = exchange.request.as_ref().map(|it| it.message.last);
    let answered = exchange.response.as_ref().map(|it| it.message.last);
    let last = answered.max(asked).unwrap_or(connection.first);
    connection.teardown.at.since(last.time) >= WAITED
}

fn was_given_up(exchange: &Exchange) -> bool {
    let Some((reset, request)) = exchange.cut_by().zip(exchange.request.as_ref()) else {
        return false;
    };
    reset.by == Party::Requester
        && reset.code == ErrorCode::CANCEL
        && exchange.response.is_none()
        && reset.at.time.since(request.message.last.time) >= WAITED
}
