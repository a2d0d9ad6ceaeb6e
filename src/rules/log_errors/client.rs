//! The wire events that the client's application met.

use std::time::Duration;

use super::certificate::{dated, mismatch, own_and_other_address, refused, untrusted};
use super::ending::{
    ClientEvent, SHORTEST_LIMIT, USUAL_ROUND_TRIP, last_byte, met, silence, waited,
};
use super::program::calls_by_soap;
use super::{dialogue, h2, http_faults};
use crate::analysis::connection::tls_close::{
    ended_unanswered, gave_up, is_unanswered, refused_without_certificate, response_cut,
};
use crate::analysis::connection::{
    By, Connection, ConnectionOutcome, FailedReason, How, Oddity, Opening, Phase, ResetKind, Who,
};
use crate::base::flow_end::FlowEnd;
use crate::base::net::Quote;
use crate::knowledge::WireEvent;
use crate::protocol::http::{
    CodingFault, Exchange, FaultRule, FieldName, Framing, Message, MessageProgress, Method,
    Protocol,
};
use crate::protocol::tls::{Alert, ClientCertificate, HandshakeStage, TlsFacts, TlsVersion};
use crate::rules::tcp::retransmissions_exhausted::is_given_up;
use crate::rules::{self, classify};

/// A server that closes an unused connection later than this closes it for idleness and refuses nobody.
const IDLE: Duration = Duration::from_secs(1);
/// A program that is sending has not read a response when a RST follows it within this time.
const AT_ONCE: Duration = Duration::from_millis(20);
/// When a SYN is retransmitted at the latest: some systems wait for three seconds (RFC 6298 §2.1, RFC 1122 §4.2.3.1).
const SYN_RETRY: Duration = Duration::from_secs(4);
/// Retransmissions of a SYN before any common system gives up by itself (Linux `tcp_syn_retries`).
const ALL_SYN_RETRIES: u16 = 6;

/// The possible sequences of events, likeliest first, each in order; empty if the client met none.
pub(super) fn stories(connection: &Connection) -> Vec<Vec<WireEvent>> {
    if connection.protocol == Protocol::Tls {
        return tls(connection).into_iter().map(|it| vec![it]).collect();
    }
    // An alert outranks the fate of the request, which the client had sent before it read the alert.
    let alert = connection.tls.as_deref().and_then(TlsFacts::fatal);
    if alert.is_some() {
        let told = tls(connection);
        if !told.is_empty() {
            return told.into_iter().map(|it| vec![it]).collect();
        }
    }
    let mut events = events(connection);
    if let Some(facts) = &connection.tls {
        let notified = facts.flows[FlowEnd::B.index()]
            .close_notify
            .frame_ref()
            .is_some();
        for event in &mut events {
            *event = event.inside_tls(notified);
        }
    }
    if events.is_empty() {
        return Vec::new();
    }
    let mut stories = vec![events];
    if resets_at_connect(connection) {
        stories.push(vec![WireEvent::RstAtConnect]);
    }
    // A client whose timeout expires here closes behind what it still has to send: no packet shows it.
    if write_stalls(connection) {
        stories.insert(0, vec![WireEvent::WriteStalled]);
    }
    // As long as the next retransmission is not overdue, the operating system has not given up, and the program may have.
    let mut met = stories.iter().flatten();
    let unanswered = connection.unanswered.as_ref();
    if met.any(|it| *it == WireEvent::RetransmissionsExhausted)
        && unanswered.is_none_or(|it| !is_given_up(connection, &it[Who::Client as usize]))
    {
        stories.insert(0, waiting(connection));
    }
    if dialogue::is_spoken(connection) && dialogue::resets_while_sending(connection) {
        stories.push(vec![WireEvent::RaceWriteFails]);
    }
    stories
}

/// Whether the server reset the connection so soon after the handshake that a program which waits for it to open may meet the
/// RST there.
fn resets_at_connect(connection: &Connection) -> bool {
    let sent = &connection.sent[Who::Client as usize];
    let reset = connection.reset[Who::Server as usize];
    sent.bytes == 0
        && sent.missing == 0
        && met(connection) == ClientEvent::Reset
        && reset
            .zip(connection.connect_time)
            .is_some_and(|(reset, opened)| {
                reset.frame_ref.time.since(connection.first.time) < opened + AT_ONCE
            })
}

/// Whether the server took nothing more of a request for so long that the client may have given up, and ended the
/// connection then.
fn write_stalls(connection: &Connection) -> bool {
    let last = connection
        .exchanges
        .last()
        .and_then(|it| it.request.as_ref());
    let unsent = last.filter(|it| {
        matches!(
            it.message.progress,
            MessageProgress::Body | MessageProgress::Unseen
        )
    });
    classify::is_shut(connection, Who::Server)
        && matches!(met(connection), ClientEvent::Fin | ClientEvent::Reset)
        && unsent.is_some_and(|it| connection.teardown.at.since(it.message.last.time) >= IDLE)
}

/// What a program meets that stops waiting while its operating system still retransmits.
fn waiting(connection: &Connection) -> Vec<WireEvent> {
    let begun = connection.exchanges.iter().any(|it| {
        let response = it.response.as_ref();
        response.is_some_and(|it| it.message.progress == MessageProgress::Body)
    });
    vec![match begun {
        true => WireEvent::BodyStalled,
        false => WireEvent::ServerSilent,
    }]
}

fn events(connection: &Connection) -> Vec<WireEvent> {
    let mut events = Vec::new();
    if is_odd(connection) {
        return events;
    }
    match connection.opening {
        Opening::Handshake | Opening::Midstream => {}
        _ => {
            events.extend(not_connected(connection));
            return events;
        }
    }
    match connection.protocol {
        _ if dialogue::is_spoken(connection) => {
            events = dialogue::of_client(connection, met(connection));
        }
        Protocol::WebSocket => {
            // Without a Close there was no closing handshake (RFC 6455 §7.1.1).
            let no_close = connection
                .websocket
                .as_ref()
                .is_none_or(|websocket| websocket.has_no_close());
            if no_close && matches!(met(connection), ClientEvent::Fin | ClientEvent::Reset) {
                events.push(WireEvent::WebsocketCut);
            }
            let first = connection
                .websocket
                .as_ref()
                .and_then(|it| it.first_close());
            let blamed = first.is_some_and(|(end, it)| end == FlowEnd::B && it.blames().is_some());
            events.extend(blamed.then_some(WireEvent::WebsocketError));
        }
        Protocol::Http1 | Protocol::Unknown => http(connection, &mut events),
        // After the CONNECT: the exchanges inside the tunnel.
        Protocol::Tunnel if connection.exchanges.len() > 1 => http(connection, &mut events),
        Protocol::Http2 => h2::events(connection, met(connection), &mut events),
        Protocol::Tunnel => events.extend(unasked_switch(connection)),
        Protocol::Tls | Protocol::Opaque => {}
    }
    events
}

/// A `101 Switching Protocols` that nobody asked for.
fn unasked_switch(connection: &Connection) -> Option<WireEvent> {
    let mut faults = connection.exchanges.last()?.response_faults().iter();
    let unasked = faults.any(|it| it.rule == FaultRule::UnaskedUpgrade);
    unasked.then_some(WireEvent::SwitchUnasked)
}

/// A circle of redirects with which the connection ends, by their number: each client follows so many and no more.
fn redirects(exchanges: &[Exchange]) -> Option<WireEvent> {
    let redirects = |it: &&Exchange| {
        let response = it.response.as_ref();
        let moved = |it: &Message| it.is_complete();
        matches!(it.status(), Some(301..=303 | 307 | 308))
            && response.is_some_and(|it| moved(&it.message))
    };
    let run = exchanges.iter().rev().take_while(redirects).count();
    let event = match run {
        10 => WireEvent::Redirects10,
        11 => WireEvent::Redirects11,
        21 => WireEvent::Redirects21,
        31 => WireEvent::Redirects31,
        51 => WireEvent::Redirects51,
        _ => return None,
    };
    let (last, before) = exchanges.split_last()?;
    let target = |it: &Exchange| it.request.as_ref().and_then(|it| it.target.clone());
    let asked = target(last)?;
    let circle = before.iter().rev().take(run - 1);
    circle
        .filter_map(target)
        .any(|it| it == asked)
        .then_some(event)
}

fn not_connected(connection: &Connection) -> Option<WireEvent> {
    match connection.opening {
        Opening::Refused => Some(WireEvent::ConnectRefused),
        Opening::Unreachable => connection.icmp.as_deref().map(unreachable),
        Opening::Unanswered | Opening::Rejected if connection.syn_retries >= ALL_SYN_RETRIES => {
            Some(WireEvent::ConnectUnansweredToTheEnd)
        }
        // A program's operating system sends the SYN again after a second.
        Opening::Unanswered
            if connection.syn_retries == 0
                && connection.until.since(connection.first.time) > SYN_RETRY =>
        {
            None
        }
        Opening::Unanswered
            if connection.teardown.how != How::Open
                && connection.until.since(connection.first.time) >= SHORTEST_LIMIT =>
        {
            Some(WireEvent::ConnectUnanswered)
        }
        // A SYN-ACK that came after the client had given up.
        Opening::Rejected if connection.syn_retries > 0 => Some(WireEvent::ConnectUnanswered),
        _ => None,
    }
}

/// Whether the client opened nothing, but probed with segments that no program sends.
fn is_odd(connection: &Connection) -> bool {
    let mut odd = connection.oddities[Who::Client as usize].iter();
    let probe = |kind| {
        matches!(
            kind,
            Oddity::SynFin | Oddity::FinWithoutAck | Oddity::WithoutAck
        )
    };
    connection.opening != Opening::Handshake
        && connection.sent.iter().all(|it| it.bytes == 0)
        && odd.any(|it| probe(it.kind))
}

/// The event that an ICMP error causes for `connect` (RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3.1).
fn unreachable(quote: &Quote) -> WireEvent {
    if quote.reporter.is_ipv4() {
        match quote.icmp_code {
            0 | 6 | 11 => WireEvent::NetUnreachable,
            3 => WireEvent::PortUnreachable,
            9 | 10 | 13 => WireEvent::AdminProhibited,
            _ => WireEvent::HostUnreachable,
        }
    } else {
        match quote.icmp_code {
            0 => WireEvent::NetUnreachable,
            1 | 5 | 6 => WireEvent::AdminProhibited,
            4 => WireEvent::PortUnreachable,
            _ => WireEvent::HostUnreachable,
        }
    }
}

/// The end of a connection whose client spoke and had no byte of an answer.
pub(super) fn ends_before_answer(connection: &Connection) -> Option<WireEvent> {
    let [client, server] = &connection.sent;
    let unanswered = client.bytes > 0 && server.bytes == 0 && server.missing == 0;
    match met(connection) {
        ClientEvent::Fin if unanswered => Some(WireEvent::FinBeforeResponse),
        ClientEvent::Reset if unanswered => Some(WireEvent::RstBeforeResponse),
        _ => None,
    }
}

/// The event in the TLS handshake or inside TLS. Where the encrypted records leave several possible, each is a sequence
/// of its own, likeliest first.
fn tls(connection: &Connection) -> Vec<WireEvent> {
    use WireEvent as E;
    let Some(facts) = connection.tls.as_deref() else {
        return Vec::new();
    };
    if facts.plain.is_some() && facts.stage <= HandshakeStage::ClientHello {
        return vec![match connection.exchanges.is_empty() {
            true => E::TlsGarbageAnswer,
            false => E::TlsPlaintextAnswer,
        }];
    }
    // A scanner, which is none of the programs of the tables.
    if facts.heartbeat.is_some() {
        return Vec::new();
    }
    // A client that never spoke has asked for nothing, and no certificate was shown to it.
    if connection.opening == Opening::Handshake && connection.sent[Who::Client as usize].bytes == 0
    {
        return Vec::new();
    }
    let server = &facts.flows[FlowEnd::B.index()];
    let met = met(connection);
    let no_certificate = matches!(facts.client_certificate, ClientCertificate::Missing(..));
    // An alert sent after the client had closed is not the reason for the close.
    let too_late = |from| {
        from == FlowEnd::B && connection.teardown.by == By::Client && met == ClientEvent::Left
    };
    // OpenSSL complains about the end of the stream by an alert.
    let ended = connection.fin[Who::Server as usize].map(|fin| fin.frame_ref.frame);
    let complains =
        |it: &Alert| it.from == FlowEnd::A && ended.is_some_and(|ended| ended < it.at.frame);
    if let Some(alert) = facts.fatal().filter(|it| {
        let in_time = it.at.frame <= connection.teardown.frame || !too_late(it.from);
        in_time && (it.in_handshake || it.said.is_some()) && !complains(it)
    }) {
        return match (alert.from, alert.code()) {
            // The client prints the alert by its name: that a certificate is missing, only TLS 1.3 says.
            (FlowEnd::B, Some(40)) => vec![E::TlsAlertHandshakeFailure],
            (FlowEnd::B, Some(48)) => vec![E::TlsAlertUnknownCa],
            (FlowEnd::B, Some(70)) => vec![E::TlsAlertProtocolVersion],
            (FlowEnd::B, Some(112)) => vec![E::TlsAlertUnrecognizedName],
            (FlowEnd::B, Some(116)) => vec![E::TlsClientCertRequired],
            (FlowEnd::B, None) if no_certificate => vec![E::TlsClientCertRequired],
            (FlowEnd::B, Some(_)) => vec![E::TlsAlertOther],
            // For which of these faults a program sends this alert is a matter of its library (`knowledge::may_send`).
            (FlowEnd::A, Some(45)) => dated(facts),
            (FlowEnd::A, Some(48)) if facts.certificates.is_none() => {
                vec![E::TlsCertUntrusted, E::TlsIssuerUnknown]
            }
            (FlowEnd::A, Some(48)) => vec![untrusted(facts)],
            (FlowEnd::A, Some(42)) if own_and_other_address(connection, facts) => {
                vec![E::TlsCertOtherAddress, E::TlsCertUntrusted]
            }
            (FlowEnd::A, Some(43)) => vec![E::TlsCertWrongPurpose],
            (FlowEnd::A, Some(42 | 46) | None) => refused(connection, facts),
            _ => Vec::new(),
        };
    }
    let answer = connection.sent[Who::Server as usize].bytes;
    match met {
        ClientEvent::Open | ClientEvent::Silence => Vec::new(),
        // Up to TLS 1.2 the client still waits for the end of the handshake.
        _ if refused_without_certificate(connection, facts).is_some() => vec![match met {
            _ if facts.version() >= Some(TlsVersion::TLS_13) => E::TlsClientCertRequired,
            ClientEvent::Reset => E::TlsRstAfterHello,
            _ => E::TlsFinAfterHello,
        }],
        _ if facts.stage < HandshakeStage::Complete => match met {
            ClientEvent::Fin if answer == 0 || facts.stage <= HandshakeStage::ClientHello => {
                vec![E::TlsFinAfterHello]
            }
            ClientEvent::Reset => vec![E::TlsRstAfterHello],
            ClientEvent::Left if answer == 0 => vec![E::TlsHandshakeSilent],
            // Up to TLS 1.2 a client's alert would be seen: it had none to send.
            ClientEvent::Fin
                if facts.version() < Some(TlsVersion::TLS_13)
                    && facts.flows[FlowEnd::A.index()].hidden_alert.is_none() =>
            {
                vec![E::TlsFinAfterHello]
            }
            ClientEvent::Left if facts.accepts_early() => Vec::new(),
            // The client had the server's messages and rejected them. A server that has sent its messages and then
            // closes was told so by the client.
            _ => refused(connection, facts),
        },
        ClientEvent::Left if left_unused(connection, facts) && !facts.is_resumed() => {
            // Some clients verify the name only after the handshake.
            match facts.flaw(connection.server.ip) {
                Some(_) => refused(connection, facts),
                None if facts.certificates.is_some() => refused(connection, facts),
                None => vec![
                    mismatch(facts),
                    E::TlsCertUntrusted,
                    E::TlsCertExpired,
                    E::TlsCertNotYetValid,
                ],
            }
        }
        _ if ended_unanswered(connection).is_some() => vec![E::TlsNotifyBeforeResponse],
        ClientEvent::Left => match gave_up(connection) {
            Some(left) if left.waited() >= SHORTEST_LIMIT => vec![E::ServerSilent],
            Some(_) => vec![E::ClientAbort],
            None => Vec::new(),
        },
        // What was sent last crossed the close, or met a host that knew nothing of it.
        _ if connection.outcome == ConnectionOutcome::Failed(FailedReason::BytesLost) => {
            vec![match met {
                ClientEvent::Reset => E::RaceRst,
                _ => E::RaceFin,
            }]
        }
        _ if is_unanswered(connection) => vec![match met {
            ClientEvent::Reset => E::TlsRstBeforeResponse,
            _ if server.close_notify.frame_ref().is_some() => E::TlsNotifyBeforeResponse,
            _ => E::TlsFinBeforeResponse,
        }],
        _ => match response_cut(connection).map(|cut| cut.word) {
            Some("RST") => vec![E::TlsRstInBody],
            Some(_) => vec![E::TlsFinInBody],
            None => Vec::new(),
        },
    }
}

/// Whether the client closed right after the handshake, without sending data.
fn left_unused(connection: &Connection, facts: &TlsFacts) -> bool {
    let own = &facts.flows[FlowEnd::A.index()];
    let at_once = own
        .finished
        .is_some_and(|finished| connection.teardown.at.since(finished.time) < SHORTEST_LIMIT);
    own.records == 0 && at_once && facts.only_greets()
}

fn http(connection: &Connection, events: &mut Vec<WireEvent>) {
    let exchanges = &connection.exchanges;
    let met = met(connection);
    let owed = owed_at(connection, met);
    for (at, exchange) in exchanges.iter().enumerate() {
        // A response followed by another exchange was accepted by the client.
        let next = exchanges.get(at + 1);
        let taken = next.is_some_and(|next| next.response.is_some() && next.request.is_some());
        let clean = owed != Some(at) && exchange.response_faults().is_empty();
        if is_too_late(connection, exchange) {
            continue;
        }
        if !taken && !clean {
            http_faults::response(exchange, events);
        }
        if !taken {
            events.extend(http_faults::beyond_limits(exchange));
        }
        events.extend(http_faults::coding(exchange));
        events.extend(answered(exchange));
    }
    if events.is_empty() && rules::uncaptured_excess(connection).is_some() {
        let status = exchanges.last().and_then(Exchange::status);
        events.push(http_faults::excess(status));
    }
    let broken = !events.is_empty();
    // A program that expects XML looks at the first bytes before it meets the end; a reset takes them away, and a chunked
    // body is read to its end first.
    let unfit = exchanges.iter().flat_map(unfit_for_soap);
    let unfit: Vec<WireEvent> = unfit.collect();
    let chunked = owed
        .and_then(|at| exchanges.get(at)?.response.as_ref())
        .is_some_and(|it| it.message.framing == Framing::Chunked);
    let at_once = met != ClientEvent::Reset && !(chunked && met == ClientEvent::Fin);
    events.extend(unfit.iter().filter(|_| at_once));
    match owed {
        // Which side ended the response is not known.
        Some(_) if connection.teardown.server_too => {}
        // Whether a response was complete is not known behind a head that was not read to its end.
        Some(at)
            if met == ClientEvent::Left
                && exchanges.get(at).is_some_and(http_faults::is_endless) => {}
        // A response that came before the request is taken for its response.
        Some(at) if is_answered_before(exchanges, at) => {}
        Some(at) => events.extend(cut_off(connection, at, met)),
        None if exchanges.is_empty() => events.extend(unasked(connection, met)),
        // What is written on it next fails, unless the program looks first.
        None if met == ClientEvent::Reset && !broken && has_ended(connection) => {
            events.push(WireEvent::IdleRst);
        }
        None => {}
    }
    events.extend(unfit.iter().filter(|_| !at_once));
    // A reader that did not notice the fault waits for an end that does not come.
    let waited = waited(connection);
    let misread = events.iter().any(|it| http_faults::hides_the_end(*it));
    if broken && owed.is_none() && met == ClientEvent::Left && misread && waited >= SHORTEST_LIMIT {
        events.push(WireEvent::BodyStalled);
    }
    if let Some(at) = owed {
        events.extend(stray_end(events, exchanges.get(at), met));
    }
    // Of a response at which the client left, the status is not told.
    let read = exchanges.iter().enumerate();
    let left = |at: usize| owed == Some(at) && met == ClientEvent::Left;
    let read = read.filter(|(at, _)| !left(*at)).map(|it| it.1);
    let mut read = read.filter(|it| !is_too_late(connection, it));
    events.extend(read.find_map(refusing));
    events.extend(redirects(exchanges));
    if met == ClientEvent::Silence {
        events.extend(silence(connection, exchanges, owed));
    }
}

/// Whether a complete response, which no request had asked for, came before this exchange. A 408 is no response to it.
fn is_answered_before(exchanges: &[Exchange], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|it| exchanges.get(it));
    let unasked = before.filter(|it| it.request.is_none() && it.status() != Some(408));
    let answer = unasked.and_then(|it| it.response.as_ref());
    answer.is_some_and(|it| it.message.is_complete())
        && exchanges.get(at).is_some_and(|it| it.response.is_none())
}

/// Whether the last exchange is complete, and did not announce the close.
fn has_ended(connection: &Connection) -> bool {
    let last = connection.exchanges.last();
    last.is_some_and(|it| it.is_complete() && it.status() != Some(408))
        && connection.teardown.phase == Phase::Between
}

/// Whether the response began after the client had closed, and its host reset the connection for it: no program read it.
fn is_too_late(connection: &Connection, exchange: &Exchange) -> bool {
    let client = Who::Client as usize;
    let closed = connection.fin[client].zip(connection.reset[client]);
    let began = exchange.response.as_ref().map(|it| it.message.first);
    closed.zip(began).is_some_and(|((fin, reset), began)| {
        reset.kind == Some(ResetKind::NoSocket) && fin.frame_ref < began
    })
}

/// What comes to a program that waits for the end of a line or of a head that does not come.
fn stray_end(
    events: &[WireEvent],
    exchange: Option<&Exchange>,
    met: ClientEvent,
) -> Option<WireEvent> {
    let stray = |it: &WireEvent| matches!(it, WireEvent::StrayLine | WireEvent::StrayBytes);
    let response = exchange?.response.as_ref()?;
    let broken = response.message.progress == MessageProgress::Broken;
    if !broken || !events.iter().any(stray) {
        return None;
    }
    match met {
        ClientEvent::Fin => Some(WireEvent::FinInStatusLine),
        ClientEvent::Reset => Some(WireEvent::RstInStatusLine),
        ClientEvent::Left | ClientEvent::Silence | ClientEvent::Open => None,
    }
}

/// A complete response with a status that many libraries report as an error.
fn refusing(exchange: &Exchange) -> Option<WireEvent> {
    let response = exchange.response.as_ref()?;
    let method = exchange.request.as_ref()?.method;
    let event = match response.status {
        401 => WireEvent::StatusUnauthorized,
        407 => WireEvent::StatusProxyAuthentication,
        500..=599 => WireEvent::StatusServerError,
        304 => WireEvent::StatusNotModified,
        400..=499 => WireEvent::StatusError,
        _ => return None,
    };
    (response.message.is_complete() && method != Method::Connect).then_some(event)
}

/// A response to a SOAP call that is not the XML expected: compressed, or of another media type.
fn unfit_for_soap(exchange: &Exchange) -> Vec<WireEvent> {
    let answered = exchange.response.as_ref().filter(|it| {
        let empty = it.message.progress == MessageProgress::Body && it.message.received() == 0;
        (matches!(it.status, 200..=299) || has_odd_status(exchange)) && !empty
    });
    if answered.is_none() || !calls_by_soap(exchange) {
        return Vec::new();
    }
    let value = |name| exchange.response_fields(name).next().map(|it| &it.value);
    // Of the codings, only gzip begins with a byte that no text has.
    let gzip = |coding: &[u8]| {
        coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip")
    };
    let plain = matches!(exchange.coding_fault(), Some((_, CodingFault::NotCoded)));
    let encoded = value(FieldName::ContentEncoding).is_some_and(|it| gzip(it.as_bytes())) && !plain;
    let other = value(FieldName::ContentType).is_some_and(|it| !is_xml(it.as_bytes()));
    let mut events = Vec::new();
    events.extend(encoded.then_some(WireEvent::SoapEncoded));
    events.extend(other.then_some(WireEvent::SoapMediaType));
    events
}

/// Whether the status is a number that has not three digits.
fn has_odd_status(exchange: &Exchange) -> bool {
    let mut events = Vec::new();
    http_faults::response(exchange, &mut events);
    let digits = [WireEvent::ShortStatusCode, WireEvent::LongStatusCode];
    events.iter().any(|it| digits.contains(it))
}

/// Whether it is `text/xml`, `application/soap+xml`, or a message with attachments (MTOM).
fn is_xml(media_type: &[u8]) -> bool {
    let name = media_type.split(|byte| *byte == b';').next();
    let name = name.unwrap_or_default().trim_ascii().to_ascii_lowercase();
    name.ends_with(b"/xml") || name.ends_with(b"+xml") || name.starts_with(b"multipart/")
}

/// The index of the exchange that was incomplete when the connection ended for the client. What arrived after the
/// client had closed came too late.
fn owed_at(connection: &Connection, met: ClientEvent) -> Option<usize> {
    let exchanges = &connection.exchanges;
    let under_way = matches!(
        connection.teardown.phase,
        Phase::Request | Phase::Waiting | Phase::ResponseHead | Phase::ResponseBody
    );
    let incomplete = exchanges.iter().position(|it| !it.is_complete());
    match incomplete {
        None if met == ClientEvent::Left && under_way && !half_closed(connection) => {
            exchanges.len().checked_sub(1)
        }
        at => at,
    }
}

/// Whether the client's FIN was a half-close (RFC 9293 §3.6): it still accepted what came after it.
fn half_closed(connection: &Connection) -> bool {
    connection.reset[Who::Client as usize].is_none()
        && last_byte(connection).time > connection.teardown.at
}

/// A complete response that the client's library reports as an error instead of returning it.
fn answered(exchange: &Exchange) -> Option<WireEvent> {
    let request = exchange.request.as_ref()?;
    match (request.method, exchange.status()?) {
        (Method::Connect, 403) => Some(WireEvent::Proxy403),
        (Method::Connect, 407) => Some(WireEvent::Proxy407),
        (Method::Connect, 502) => Some(WireEvent::Proxy502),
        (Method::Connect, 503) => Some(WireEvent::Proxy503),
        (Method::Connect, 504) => Some(WireEvent::Proxy504),
        (_, 417) if exchange.request_fields(FieldName::Expect).next().is_some() => {
            Some(WireEvent::Expect417)
        }
        _ => None,
    }
}

/// The end of a connection without any request.
fn unasked(connection: &Connection, met: ClientEvent) -> Option<WireEvent> {
    let silent = connection.sent.iter().all(|sent| sent.bytes == 0);
    // What came before the capture began is not known.
    let begun = connection.opening == Opening::Handshake;
    let fresh = begun && silent && connection.teardown.at.since(connection.first.time) < IDLE;
    match met {
        ClientEvent::Fin if fresh => Some(WireEvent::FinAfterAccept),
        ClientEvent::Reset if fresh => Some(WireEvent::RstAfterAccept),
        _ => None,
    }
}

/// The events that cut off an incomplete exchange.
fn cut_off(connection: &Connection, at: usize, met: ClientEvent) -> Vec<WireEvent> {
    let Some(exchange) = connection.exchanges.get(at) else {
        return Vec::new();
    };
    let lost = exchange.rare.as_ref().is_some_and(|it| it.response_lost);
    let Some(request) = exchange.request.as_ref().filter(|_| !lost) else {
        return Vec::new();
    };
    // Where the capture cut the head, a shut window shows that there was more to send.
    let partial = classify::is_open_ended(exchange) && classify::is_shut(connection, Who::Server);
    let under_way = matches!(
        request.message.progress,
        MessageProgress::Head | MessageProgress::Body
    );
    let sent = !partial && (!under_way || withholds(exchange, &request.message));
    let event = match (&exchange.response, met) {
        (_, ClientEvent::Open | ClientEvent::Silence) => return Vec::new(),
        // Both closed at once, and nothing was lost by it.
        (Some(_), ClientEvent::Left)
            if connection.teardown.by == By::Both && connection.outcome.is_fine() =>
        {
            return Vec::new();
        }
        (response, ClientEvent::Left) => {
            let headless = exchange.status().is_none();
            let response = response.as_ref().map(|it| &it.message);
            return left(connection, &request.message, response, headless);
        }
        (Some(response), ClientEvent::Reset | ClientEvent::Fin)
            if response.message.is_complete() =>
        {
            match early_reset(connection, &response.message) {
                Some(event) => event,
                None => return Vec::new(),
            }
        }
        (Some(response), how) => match cut(&response.message, exchange, how == ClientEvent::Fin) {
            Some(event) => event,
            None => return Vec::new(),
        },
        (None, ClientEvent::Fin) if request.method == Method::Connect => WireEvent::ProxyFin,
        (None, ClientEvent::Reset) if request.method == Method::Connect => WireEvent::ProxyRst,
        (None, met) if at > 0 || is_reused(connection, &request.message) => {
            let repeatable = request.method.is_idempotent();
            return reused(connection, &request.message, met, repeatable);
        }
        (None, ClientEvent::Fin) => match connection.teardown.phase {
            _ if !sent => WireEvent::FinWhileSending,
            Phase::BeforeRequest => WireEvent::FinAfterAccept,
            _ if is_continued(exchange) => WireEvent::FinAfterInterim,
            _ => WireEvent::FinBeforeResponse,
        },
        (None, ClientEvent::Reset) => match connection.teardown.phase {
            _ if !sent => WireEvent::RstWhileSending,
            Phase::BeforeRequest => WireEvent::RstAfterAccept,
            _ => WireEvent::RstBeforeResponse,
        },
    };
    vec![event]
}

/// Whether the first request in the capture came on a connection that had been used, as far as that shows: the connection was there
/// before the capture, and the request did not follow its opening at once.
fn is_reused(connection: &Connection, request: &Message) -> bool {
    const PAUSE: Duration = Duration::from_millis(100);
    let paused = request.first.time.since(connection.first.time) >= PAUSE;
    let begins = request.first == connection.first;
    connection.opening == Opening::Midstream && request.start == 0 && (paused || begins)
}

/// Whether an interim response had come.
fn is_continued(exchange: &Exchange) -> bool {
    let rare = exchange.rare.as_ref();
    rare.is_some_and(|it| !it.interim.is_empty())
}

/// The RST with which the server, which has responded, meets what the client still sends; also behind a FIN.
fn early_reset(connection: &Connection, response: &Message) -> Option<WireEvent> {
    let reset = connection.reset[Who::Server as usize]?;
    let at_once = reset.frame_ref.time.since(response.last.time) < AT_ONCE;
    // A RST behind a FIN is another error to what writes.
    let closed = connection.fin[Who::Server as usize];
    let closed = closed.is_some_and(|fin| fin.frame_ref < reset.frame_ref);
    Some(match (closed, at_once) {
        (true, _) => WireEvent::EarlyResponseFinThenRst,
        (false, true) => WireEvent::EarlyResponseRstAtOnce,
        (false, false) => WireEvent::EarlyResponseThenRst,
    })
}

/// Whether the client withholds the body until it gets `100 Continue` (RFC 9110 §10.1.1): it reads, and does not send.
fn withholds(exchange: &Exchange, request: &Message) -> bool {
    request.progress == MessageProgress::Body
        && request.received() == 0
        && exchange.request_fields(FieldName::Expect).next().is_some()
        && !is_continued(exchange)
}

/// A request on a reused connection got no response. The client cannot know whether the server received it.
fn reused(
    connection: &Connection,
    request: &Message,
    met: ClientEvent,
    repeatable: bool,
) -> Vec<WireEvent> {
    let mut events = Vec::new();
    if met == ClientEvent::Reset {
        events.push(WireEvent::RaceRst);
    } else {
        let round_trip = connection.connect_time.unwrap_or(USUAL_ROUND_TRIP);
        let fin = connection.fin[Who::Server as usize].map(|fin| fin.frame_ref);
        let late = fin.is_some_and(|fin| request.first.time.since(fin.time) > round_trip);
        // The FIN was in the client's socket buffer before the request was written. A client that checks for it would
        // not have written here, so its texts for that case are those of a race.
        if late {
            events.push(WireEvent::IdleFin);
        }
        events.push(WireEvent::RaceFin);
    }
    if !repeatable {
        for event in &mut events {
            *event = event.for_unsafe_method();
        }
    }
    events
}

/// The event of a response that ends too soon; `None` if it was malformed before, or its end was not captured.
fn cut(response: &Message, exchange: &Exchange, fin: bool) -> Option<WireEvent> {
    use WireEvent as E;
    Some(match (response.progress, response.framing, fin) {
        (MessageProgress::Head, _, true) if exchange.status().is_none() => E::FinInStatusLine,
        (MessageProgress::Head, _, true) => E::FinInHeaders,
        (MessageProgress::Head, _, false) if exchange.status().is_none() => E::RstInStatusLine,
        (MessageProgress::Head, _, false) => E::RstInHeaders,
        (MessageProgress::Unseen, Framing::Length, true) if response.is_surely_short() => {
            E::FinInBodyLength
        }
        (MessageProgress::Unseen, Framing::Length, false) if response.is_surely_short() => {
            E::RstInBodyLength
        }
        (MessageProgress::Body, Framing::Length, true) => E::FinInBodyLength,
        (MessageProgress::Body, Framing::Length, false) => E::RstInBodyLength,
        (MessageProgress::Body, Framing::Chunked, true) if within_chunk(exchange) => E::FinInChunk,
        (MessageProgress::Body, Framing::Chunked, true) => E::FinBetweenChunks,
        (MessageProgress::Body, Framing::Chunked, false) => E::RstInChunk,
        (MessageProgress::Body, Framing::UntilClose, false) => E::RstInBodyUntilClose,
        // The length of such a body cannot be determined, but a RST is not its end.
        (MessageProgress::Broken, _, false) => E::RstInBodyLength,
        _ => return None,
    })
}

fn within_chunk(exchange: &Exchange) -> bool {
    let rare = exchange.rare.as_ref();
    rare.is_some_and(|it| it.response.within_chunk)
}

/// The client closed before it had its response.
fn left(
    connection: &Connection,
    request: &Message,
    response: Option<&Message>,
    headless: bool,
) -> Vec<WireEvent> {
    let unaware = connection.unaware_close(Who::Client);
    let closed = unaware.map_or(connection.teardown.at, |it| it.time);
    // What was captured after the client had closed did not reach its application.
    let response = response.filter(|it| it.first.time <= closed);
    let server = &connection.sent[Who::Server as usize];
    let mut events = Vec::new();
    match response.map(|it| it.progress) {
        // The snap length or a loss hides how much arrived.
        Some(MessageProgress::Unseen) if response.is_none_or(|it| !it.is_surely_short()) => {
            return events;
        }
        // The server sent bytes that no parser takes for a response.
        None if server.bytes > 0
            && server.missing == 0
            && connection.tls.is_none()
            && connection.exchanges.len() == 1 =>
        {
            // An interim response is one, and says that the server waits for more or works.
            let unread = |it: &Exchange| it.response.is_none() && !is_continued(it);
            let unread = connection.exchanges.iter().all(unread);
            events.extend(unread.then_some(WireEvent::BadStatusLine));
        }
        _ => {}
    }
    let heard = |it: &Message| connection.last_heard(Who::Client, it).max(request.last);
    let since = response.map_or(request.last, heard);
    let waited = closed.since(since.time);
    if waited >= SHORTEST_LIMIT {
        let waits = |it: &Message| headless || it.progress == MessageProgress::Head;
        events.push(match response.is_none_or(waits) {
            true => WireEvent::ServerSilent,
            false => WireEvent::BodyStalled,
        });
    }
    events.push(WireEvent::ClientAbort);
    events
}
