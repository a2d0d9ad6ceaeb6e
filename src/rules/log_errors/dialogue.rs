//! The wire events that both applications met in a protocol other than HTTP.
//!
//! In: a connection whose protocol its bytes show, or the port of its server if there are none to read. What a side said
//! in the words of the protocol comes first: it is what a program prints. Then the close, by what was outstanding.

use std::time::Duration;

use super::ending::{self, ClientDeparture, ClientEvent};
use crate::analysis::connection::{Connection, ConnectionOutcome, FailedReason, Who};
use crate::base::flow_end::FlowEnd;
use crate::base::time::Timestamp;
use crate::knowledge::WireEvent;
use crate::protocol::dialogue::{
    AppProtocol, Complaint, DialogueFacts, HOST_KEY, SSL_REQUEST, UNMATCHED, begins_with, is_login,
};
use crate::protocol::http::{Exchange, Message};
use crate::protocol::layers::FirstWords;

/// The commands by which a client asks for TLS: SMTP, IMAP and others; FTP.
const TLS: [&str; 4] = ["AUTH SSL", "AUTH TLS", "STARTTLS", "STLS"];
/// No client of these protocols has a shorter limit by itself.
const SHORTEST_LIMIT: Duration = Duration::from_secs(1);
/// A client closes within this time after the message that ends the session.
const GOODBYE: Duration = Duration::from_millis(20);
/// A connection that was unused for less than this was not left idle.
const IDLE: Duration = Duration::from_secs(1);

/// Whether this grammar reads the connection, and not that of HTTP or TLS.
pub(super) fn is_spoken(connection: &Connection) -> bool {
    connection.exchanges.is_empty() && super::program::protocol(connection).is_some()
}

/// The protocol that the client speaks where the server speaks another one.
pub(super) fn spoken_alone(connection: &Connection) -> Option<AppProtocol> {
    match connection.mismatch()? {
        (FirstWords::Other(protocol), _) => Some(protocol),
        _ => None,
    }
}

/// What the client's application met, in order.
pub(super) fn of_client(connection: &Connection, met: ClientEvent) -> Vec<WireEvent> {
    // Its client skips every line before the server's version (RFC 4253 §4.2).
    if spoken_alone(connection) == Some(AppProtocol::Ssh) {
        return match met {
            ClientEvent::Fin => vec![WireEvent::FinAfterAccept],
            ClientEvent::Reset => vec![WireEvent::RstAfterAccept],
            ClientEvent::Left => vec![WireEvent::GreetingSilent],
            ClientEvent::Silence | ClientEvent::Open => Vec::new(),
        };
    }
    let facts = connection.dialogue.as_deref();
    let mut events = Vec::new();
    let own = facts.and_then(|it| it.complaint.as_ref());
    if own.is_some_and(|it| it.by == FlowEnd::A && it.fatal) {
        return vec![WireEvent::ClientEndsSession];
    }
    // An error that other requests came after.
    let mut earlier = None;
    // Client libraries print a warning, and report the close.
    let warns = |it: &Complaint| it.text.as_bytes().starts_with(b"WARNING: ");
    let complained = facts.and_then(complaint);
    if let Some((facts, complaint)) = complained.filter(|(_, it)| !warns(it)) {
        let over = is_over(connection, facts, complaint);
        let event = said(facts, complaint, over);
        if over {
            return vec![event];
        }
        match is_last(facts, complaint) {
            true => events.push(event),
            false => earlier = Some(event),
        }
    }
    if let Some(event) = facts
        .and_then(unopened)
        .filter(|_| met == ClientEvent::Left)
    {
        events.push(event);
    }
    let exchanges = connection.spoken();
    let until = (met == ClientEvent::Left).then_some(connection.teardown.at);
    let owed = owed_at(exchanges, until);
    let left = facts.is_some_and(|it| it.goodbyes[Who::Client as usize].is_some());
    match (owed, met) {
        (_, ClientEvent::Open) => {}
        (_, ClientEvent::Silence) => {
            let known = ending::silence(connection, exchanges, owed);
            events.extend(known.map(|it| greeting(connection, it)));
            // A client with a limit of its own gives up before its system does.
            let silent = greeting(connection, WireEvent::ServerSilent);
            events.extend(owed.map(|_| silent).filter(|it| !events.contains(it)));
        }
        (Some(at), ClientEvent::Fin | ClientEvent::Reset) => {
            if let Some(exchange) = exchanges.get(at) {
                events.extend(cut(connection, exchange, at, met));
            }
        }
        (Some(at), ClientEvent::Left) => {
            let exchange = exchanges.get(at);
            events.extend(exchange.and_then(|it| gave_up(connection, it)));
        }
        (None, _) if left => {
            let lacks = facts.filter(|_| events.is_empty() && earlier.is_none());
            events.extend(lacks.and_then(|it| lacks_tls(connection, it)));
        }
        (None, ClientEvent::Left) if connection.overdue(Who::Server).is_some() => {
            events.push(WireEvent::ServerSilent);
        }
        (None, ClientEvent::Left) => events.extend(unserved(connection, exchanges)),
        (None, ClientEvent::Fin | ClientEvent::Reset) => events.extend(unasked(connection, met)),
    }
    events.extend(earlier);
    events
}

/// What the client met on a data connection of FTP: it has no requests, and what came of it is told by its end.
pub(super) fn of_data(connection: &Connection) -> Option<WireEvent> {
    let server = &connection.sent[Who::Server as usize];
    match ending::met(connection) {
        ClientEvent::Left if server.bytes > 0 => Some(WireEvent::BodyStalled),
        ClientEvent::Reset => Some(WireEvent::RstInAnswer),
        _ => None,
    }
}

/// What the server's application met.
pub(super) fn of_server(connection: &Connection) -> Option<WireEvent> {
    use WireEvent as E;
    let facts = connection.dialogue.as_deref();
    let complaint = facts.and_then(complaint);
    if complaint.is_some_and(|(facts, it)| is_over(connection, facts, it)) {
        return Some(E::ServerEndsSession);
    }
    if ending::stopped_reading(connection) {
        return Some(E::ClientStoppedReading);
    }
    let reset = ending::leaving(connection)? == ClientDeparture::Reset;
    let choose = |on_fin: E, on_reset: E| if reset { on_reset } else { on_fin };
    if connection.sent[Who::Client as usize].bytes == 0 {
        return Some(choose(E::ClientFinBeforeRequest, E::ClientRstBeforeRequest));
    }
    let exchanges = connection.spoken();
    match owed(exchanges).and_then(|at| exchanges.get(at)) {
        Some(exchange) => Some(
            match (request(exchange)?.is_complete(), &exchange.response) {
                (false, _) => choose(E::ClientFinInRequestBody, E::ClientRstInRequestBody),
                (true, None) => choose(E::ClientFinWhileWaiting, E::ClientRstWhileWaiting),
                (true, Some(_)) => choose(E::ClientFinInResponse, E::ClientRstInResponse),
            },
        ),
        None => {
            let facts = facts.filter(|it| it.protocol.is_some())?;
            let goodbye = facts.goodbyes.iter().any(Option::is_some);
            if facts.protocol == Some(AppProtocol::Ssh) && says_last(connection) {
                return Some(E::ClientDisconnects);
            }
            (!goodbye).then_some(E::ClientLeftWithoutGoodbye)
        }
    }
}

/// Whether the client's last data came right before its FIN, with nothing from the server between: in a protocol that is
/// encrypted, the message that ends the session.
fn says_last(connection: &Connection) -> bool {
    let [own, other] = connection.last_data;
    let fin = connection.fin[Who::Client as usize].map(|it| it.frame_ref);
    own > other && fin.is_some_and(|fin| fin > own && fin.time.since(own.time) < GOODBYE)
}

/// The server's error, if it reported one.
fn complaint(facts: &DialogueFacts) -> Option<(&DialogueFacts, &Complaint)> {
    let complaint = facts.complaint.as_ref();
    Some((facts, complaint.filter(|it| it.by == FlowEnd::B)?))
}

/// Whether the session ended with an error that a side reported. Of AMQP that of a channel ends the channel alone.
fn is_over(connection: &Connection, facts: &DialogueFacts, complaint: &Complaint) -> bool {
    let ended = ConnectionOutcome::Failed(FailedReason::ReportedError);
    let channel = facts.protocol == Some(AppProtocol::Amqp);
    complaint.fatal || connection.outcome == ended && !channel
}

/// Why the client left before a session was open, as far as the last step of the opening shows it.
fn unopened(facts: &DialogueFacts) -> Option<WireEvent> {
    let step = facts.unopened?;
    if UNMATCHED.contains(&step) {
        return Some(WireEvent::NothingInCommon);
    }
    (step == HOST_KEY).then_some(WireEvent::HostKeyRefused)
}

/// A client that left when it had learnt that the server does no TLS, without asking for anything.
fn lacks_tls(connection: &Connection, facts: &DialogueFacts) -> Option<WireEvent> {
    let learns = |it: &Exchange| {
        let asked = it.rare.as_ref().and_then(|it| it.asked.as_ref());
        asked.is_some_and(|it| it.optional)
    };
    let only = facts.before == 0 && connection.spoken().iter().all(learns);
    (only && facts.offers_tls == Some(false)).then_some(WireEvent::TlsNotOffered)
}

/// What an error of the server is to the client, by the request that it answers. `over`: the session ends with it.
fn said(facts: &DialogueFacts, complaint: &Complaint, over: bool) -> WireEvent {
    let rare = facts.refused_request().and_then(|it| it.rare.as_ref());
    let greeting = !complaint.is_answer && facts.before == 0 && facts.exchanges.is_empty();
    // A line in place of the server's version (RFC 4253 §4.2) comes before all that a client asks.
    if facts.protocol == Some(AppProtocol::Ssh) && complaint.code.is_none() {
        return WireEvent::GreetingRefused;
    }
    let other = match over {
        true => WireEvent::SessionEnded,
        false if is_cancelled(complaint) => WireEvent::StatementCancelled,
        false => WireEvent::ErrorAnswered,
    };
    let Some(asked) = rare.and_then(|it| it.asked.as_ref()) else {
        return if greeting {
            WireEvent::GreetingRefused
        } else {
            other
        };
    };
    if TLS.iter().any(|it| begins_with(asked, it)) || asked.noun.eq_ignore_ascii_case("StartTLS") {
        return WireEvent::TlsNotOffered;
    }
    // Redis wants a login before it does what is asked.
    let unknown = complaint.text.as_bytes().starts_with(b"NOAUTH ");
    if unknown || is_login(asked) {
        WireEvent::LoginRefused
    } else if begins_with(asked, "RCPT") {
        WireEvent::RecipientRefused
    } else {
        other
    }
}

/// Whether PostgreSQL ended a statement because of a CancelRequest: some drivers send one when their own timeout expires.
fn is_cancelled(complaint: &Complaint) -> bool {
    complaint.code_bytes() == b"57014"
        && memchr::memmem::find(complaint.text.as_bytes(), b"user request").is_some()
}

/// Whether the server reported an error and reset the connection before the request that it is about was complete: a client
/// that is still writing meets the RST first.
pub(super) fn resets_while_sending(connection: &Connection) -> bool {
    let reset = connection.reset[Who::Server as usize].is_some();
    let complained = connection.dialogue.as_deref().and_then(complaint);
    reset
        && complained.is_some_and(|(facts, complaint)| {
            let asked = facts.refused_request().and_then(request);
            asked.is_some_and(|it| !it.is_complete() || it.last > complaint.at)
        })
}

/// Whether no request was answered after the error, apart from a goodbye.
fn is_last(facts: &DialogueFacts, complaint: &Complaint) -> bool {
    let goodbye = facts.goodbyes[Who::Client as usize].is_some();
    let later = facts.exchanges.iter().filter(|it| {
        let response = it.response.as_ref();
        response.is_some_and(|it| it.message.first > complaint.at)
    });
    later.count() <= usize::from(goodbye)
}

fn request(exchange: &Exchange) -> Option<&Message> {
    exchange.request.as_ref().map(|it| &it.message)
}

/// The first request that was not answered to the end.
fn owed(exchanges: &[Exchange]) -> Option<usize> {
    owed_at(exchanges, None)
}

/// The same at a time: what is answered later was not answered.
fn owed_at(exchanges: &[Exchange], at: Option<Timestamp>) -> Option<usize> {
    let late = |it: &Exchange| {
        let response = it.response.as_ref().map(|it| it.message.last.time);
        response.zip(at).is_some_and(|(last, at)| last > at)
    };
    let asked = |it: &Exchange| it.request.is_some() && (!it.is_complete() || late(it));
    exchanges.iter().position(asked)
}

/// The same event where not a byte had come from the server.
fn greeting(connection: &Connection, event: WireEvent) -> WireEvent {
    let silent = connection.sent[Who::Server as usize].bytes == 0;
    match event {
        WireEvent::ServerSilent if silent => WireEvent::GreetingSilent,
        event => event,
    }
}

/// The server's close while the client waits for an answer.
fn cut(
    connection: &Connection,
    exchange: &Exchange,
    at: usize,
    met: ClientEvent,
) -> Vec<WireEvent> {
    use WireEvent as E;
    let reset = met == ClientEvent::Reset;
    if exchange.response.is_some() {
        return vec![if reset {
            E::RstInAnswer
        } else {
            E::FinInAnswer
        }];
    }
    if lacks_version(connection) {
        return vec![match reset {
            true => E::RstAfterAccept,
            false => E::FinAfterAccept,
        }];
    }
    let server = Who::Server as usize;
    let close = match reset {
        true => connection.reset[server].map(|it| it.frame_ref.time),
        false => connection.fin[server].map(|it| it.frame_ref.time),
    };
    let (Some(request), Some(close)) = (request(exchange), close) else {
        return vec![if reset {
            E::RstBeforeResponse
        } else {
            E::FinBeforeResponse
        }];
    };
    let waited = close.since(request.last.time);
    let round_trip = connection.connect_time.unwrap_or(ending::USUAL_ROUND_TRIP);
    let before = connection.spoken().get(at.wrapping_sub(1));
    let before = before.and_then(|it| it.response.as_ref());
    let idle = before.is_some_and(|it| request.first.time.since(it.message.last.time) >= IDLE);
    if close < request.first.time {
        return match reset {
            true => vec![E::RaceRst],
            false => vec![E::IdleFin, E::RaceFin],
        };
    }
    let raced = idle && waited <= round_trip + round_trip / 2;
    vec![match (reset, raced) {
        (true, true) => E::RaceRst,
        (true, false) => E::RstBeforeResponse,
        (false, true) => E::RaceFin,
        (false, false) => E::FinBeforeResponse,
    }]
}

/// Whether the server of an SSH session ended it before its version (RFC 4253 §4.2), which the client does not wait for with
/// its own.
fn lacks_version(connection: &Connection) -> bool {
    let facts = connection.dialogue.as_deref();
    let server = &connection.sent[Who::Server as usize];
    facts.is_some_and(|it| it.protocol == Some(AppProtocol::Ssh))
        && server.bytes == 0
        && server.missing == 0
}

/// The client closed while it waited for an answer.
fn gave_up(connection: &Connection, exchange: &Exchange) -> Option<WireEvent> {
    let at = connection.teardown.at;
    let response = exchange.response.as_ref().map(|it| &it.message);
    let response = response.filter(|it| it.first.time <= at);
    let last = match response {
        Some(it) => connection.last_heard(Who::Client, it),
        None => request(exchange)?.last,
    };
    // Clients of these protocols wait for seconds before they say that nothing came.
    if at.since(last.time) < SHORTEST_LIMIT {
        return Some(WireEvent::ClientAbort);
    }
    Some(match response {
        Some(_) => WireEvent::BodyStalled,
        None => greeting(connection, WireEvent::ServerSilent),
    })
}

/// The client closed with nothing outstanding: a server that should have spoken first did not, or it does no TLS.
fn unserved(connection: &Connection, exchanges: &[Exchange]) -> Option<WireEvent> {
    if connection.sent[Who::Server as usize].bytes == 0 {
        let waited = connection.teardown.at.since(connection.first.time);
        return (waited >= ending::SHORTEST_LIMIT).then_some(WireEvent::GreetingSilent);
    }
    let facts = connection.dialogue.as_deref();
    if let Some(event) = facts.and_then(|it| lacks_tls(connection, it)) {
        return Some(event);
    }
    let last = exchanges.last().filter(|_| connection.tls.is_none())?;
    let asked = last.rare.as_ref()?.asked.as_ref()?;
    (asked.noun == SSL_REQUEST).then_some(WireEvent::TlsNotOffered)
}

/// The server's close with nothing outstanding. The client's program meets it when it next uses the connection.
fn unasked(connection: &Connection, met: ClientEvent) -> Option<WireEvent> {
    let reset = met == ClientEvent::Reset;
    if connection.sent[Who::Client as usize].bytes == 0 || lacks_version(connection) {
        return Some(match reset {
            true => WireEvent::RstAfterAccept,
            false => WireEvent::FinAfterAccept,
        });
    }
    let facts = connection.dialogue.as_ref()?;
    if facts.presumed && facts.protocol.is_none() {
        return None;
    }
    Some(match reset {
        true => WireEvent::RaceWriteFails,
        false => WireEvent::IdleFin,
    })
}
