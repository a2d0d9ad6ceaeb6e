//! How a connection ended for each side.

use std::time::Duration;

use crate::analysis::connection::{By, CloseEvent, Connection, How, ResetKind, Who};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::knowledge::WireEvent;
use crate::protocol::http::{Exchange, MessageProgress};

/// No time limit is set below this; a client that closes sooner did not wait in vain.
pub(super) const SHORTEST_LIMIT: Duration = Duration::from_millis(100);
/// Round trip assumed where the handshake was not captured.
pub(super) const USUAL_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Unanswered repetitions that are more than packet loss.
const REPEATED: u32 = 3;

/// How the connection ended for the client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientEvent {
    /// The server's FIN came first.
    Fin,
    /// A RST from the server, or forged in its name.
    Reset,
    /// The client closed first.
    Left,
    /// Nothing came, and the client waits.
    Silence,
    /// The capture ends before the connection.
    Open,
}

/// How it ended for the client.
pub(super) fn met(connection: &Connection) -> ClientEvent {
    let teardown = &connection.teardown;
    let server = Who::Server as usize;
    let effective = |event: &CloseEvent| event.kind != Some(ResetKind::Stale);
    let reset = connection.reset[server].filter(effective);
    let first = match (connection.fin[server], reset) {
        (Some(fin), Some(reset)) if reset.frame_ref < fin.frame_ref => ClientEvent::Reset,
        (Some(_), _) => ClientEvent::Fin,
        (None, Some(_)) => ClientEvent::Reset,
        (None, None) => ClientEvent::Silence,
    };
    match (teardown.by, teardown.how) {
        (_, How::Open) => ClientEvent::Open,
        (_, How::Silence) => ClientEvent::Silence,
        // The server's `close_notify` had come first, and the client read it.
        (By::Client, _) if teardown.close_notify_seen.is_some() => ClientEvent::Fin,
        // Its socket was gone before: by a RST that was not captured here, as far as a program notices it.
        (By::Client, How::Reset(ResetKind::NoSocket)) if connection.client_had_vanished() => {
            ClientEvent::Reset
        }
        // A device reset both hosts: it answers what comes as one without a socket.
        (By::Middlebox, _) if is_cut(connection) => ClientEvent::Reset,
        (By::Server, How::Fin) if is_unheard(connection) => ClientEvent::Silence,
        // It had closed its direction alone, and waited for the rest.
        (By::Client, _) if teardown.half_closed.is_some() => first,
        (By::Client | By::Both, _) => ClientEvent::Left,
        // It knew nothing of the server's close when it closed.
        (By::Server, _) if teardown.unheard || says_goodbye(connection) => ClientEvent::Left,
        _ => first,
    }
}

/// Whether a RST in the client's name is forged, and its host knows of no connection any more.
fn is_cut(connection: &Connection) -> bool {
    let client = Who::Client as usize;
    let forged = connection.reset[client].filter(|it| it.kind == Some(ResetKind::Foreign));
    let own = connection.sent[client].resets > 1 && connection.fin[client].is_none();
    forged.is_some() && own
}

/// Whether the server's FIN was lost on the way to a client that waited for an acknowledgement.
fn is_unheard(connection: &Connection) -> bool {
    let [client, server] = [Who::Client as usize, Who::Server as usize];
    let lost = connection.fin[server].is_some_and(|fin| fin.passage.is_lost());
    let waits = connection.sent[client].bytes > connection.sent[client].acknowledged;
    lost && waits && connection.fin_acknowledged[server].is_none()
}

/// Whether the client ended its part of TLS before the server's FIN or RST, and the server had not.
fn says_goodbye(connection: &Connection) -> bool {
    let Some(facts) = connection.tls.as_deref() else {
        return false;
    };
    let said = |end: FlowEnd| facts.flows[end.index()].close_notify.frame_ref();
    let first = said(FlowEnd::A).filter(|it| it.frame < connection.teardown.frame);
    first.is_some_and(|first| said(FlowEnd::B).is_none_or(|other| first.frame < other.frame))
}

/// What a client meets on a connection that ends in silence.
pub(super) fn silence(
    connection: &Connection,
    exchanges: &[Exchange],
    owed: Option<usize>,
) -> Option<WireEvent> {
    let sent = &connection.sent[Who::Client as usize];
    if sent.bytes > sent.acknowledged && sent.retransmitted >= REPEATED {
        return Some(WireEvent::RetransmissionsExhausted);
    }
    if sent.keep_alives >= REPEATED {
        return Some(WireEvent::KeepAliveUnanswered);
    }
    let exchange = exchanges.get(owed?)?;
    match exchange.response.as_ref().map(|it| it.message.progress) {
        None | Some(MessageProgress::Head) => Some(WireEvent::ServerSilent),
        Some(MessageProgress::Body) => Some(WireEvent::BodyStalled),
        Some(_) => None,
    }
}

/// How the client closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientDeparture {
    Fin,
    Reset,
}

/// How the client closed; `None` if it did not close first.
pub(super) fn leaving(connection: &Connection) -> Option<ClientDeparture> {
    let forged = connection.reset[Who::Client as usize]
        .is_some_and(|event| event.kind == Some(ResetKind::Foreign));
    match (connection.teardown.by, connection.teardown.how) {
        (By::Client, _) if connection.teardown.half_closed.is_some() => None,
        // The server had ended its part of TLS before, and learns nothing from the client's close.
        (By::Client, _) if connection.teardown.close_notify_seen.is_some() => None,
        (By::Client, How::Fin) => Some(ClientDeparture::Fin),
        (By::Client, How::Reset(_)) => Some(ClientDeparture::Reset),
        (By::Middlebox, _) if forged => Some(ClientDeparture::Reset),
        _ => None,
    }
}

/// The connection ended in silence while the server repeated what the client did not acknowledge.
pub(super) fn stopped_reading(connection: &Connection) -> bool {
    let sent = &connection.sent[Who::Server as usize];
    connection.teardown.how == How::Silence
        && sent.bytes > sent.acknowledged
        && sent.retransmitted >= REPEATED
}

/// How long the last byte of the last message had come when the connection was closed.
pub(super) fn waited(connection: &Connection) -> Duration {
    connection.teardown.at.since(last_byte(connection).time)
}

/// The frame with the last byte of the last message.
pub(super) fn last_byte(connection: &Connection) -> FrameRef {
    let last = connection.exchanges.last();
    let request = last.and_then(|it| it.request.as_ref().map(|it| it.message.last));
    let response = last.and_then(|it| it.response.as_ref().map(|it| it.message.last));
    response.max(request).unwrap_or(connection.first)
}
