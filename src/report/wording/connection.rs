//! One connection's end in a plain sentence: who closed it, how and when, and what happened to the affected exchange.

use std::net::IpAddr;

use super::segment;
use super::terms;
use crate::analysis::connection::{
    By, CloseEvent, Connection, ConnectionSummary, How, Opening, Phase, ResetKind, Roles, Who,
};
use crate::analysis::hosts::Legs;
use crate::base::certainty::Certainty;
use crate::base::escape::{in_backticks, shortened};
use crate::base::flow_end::FlowEnd;
use crate::base::format::duration;
use crate::base::format::{bytes, count, number};
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::{Endpoint, QuoteKind};
use crate::protocol::http::{CloseSign, ConnectionEnd, Exchange, Outcome, Protocol};
use crate::protocol::layers::ProxyHeader;
use crate::protocol::tls::{HandshakeStage, TlsFacts, alert_name};

/// Characters of a request target or host in a sentence.
const TARGET: usize = 48;

/// The summary sentence of one connection.
#[must_use]
pub fn story(connection: &Connection, frames: &FrameNames) -> String {
    let mut told = ending(connection, frames);
    match connection.teardown.certainty {
        Certainty::Certain => {}
        Certainty::Likely => told = hedged("Likely: ", &told),
        Certainty::Possible => told = hedged("Possibly: ", &told),
    }
    told += &exchanges(connection, frames);
    told.push('.');
    let [client, server] = connection.sent.map(|sent| sent.missing);
    let missing = client.saturating_add(server);
    if missing > 0 {
        told += &format!(" The capture lacks {} that were sent.", bytes(missing));
    }
    if connection.roles == Roles::Ports {
        told += " Which side is the client is judged by the ports.";
    }
    told
}

/// How it ended, in a few words, for tables.
#[must_use]
pub const fn how(how: How) -> &'static str {
    match how {
        How::Fin => "FIN",
        How::Reset(ResetKind::Refusal) => "RST (refusal)",
        How::Reset(ResetKind::NoSocket) => "RST (no socket)",
        How::Reset(ResetKind::Abort) => "RST (abort)",
        How::Reset(ResetKind::Foreign) => "RST (foreign)",
        How::Reset(ResetKind::Stale) => "RST (too late)",
        How::Silence => "silence",
        How::Open => "still open",
    }
}

/// Who ended it, for tables.
#[must_use]
pub const fn who(by: By) -> &'static str {
    match by {
        By::Client => "client",
        By::Server => "server",
        By::Both => "both at once",
        By::Middlebox => "middlebox",
        By::Nobody => "nobody",
    }
}

/// When, for tables.
#[must_use]
pub const fn when(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "while connecting",
        Phase::TlsHandshake => "in the TLS handshake",
        Phase::BeforeRequest => "before a request",
        Phase::Request => "during the request",
        Phase::Waiting => "awaiting response",
        Phase::ResponseHead => "in the response head",
        Phase::ResponseBody => "in the response body",
        Phase::Between => "while idle",
        Phase::After => "after announced close",
        Phase::Tunnel => "in a tunnel",
        Phase::Opaque => "in unparsed data",
    }
}

fn hedged(hedge: &str, sentence: &str) -> String {
    let mut chars = sentence.chars();
    let first = chars.next().map(|first| first.to_ascii_lowercase());
    hedge.chars().chain(first).chain(chars).collect()
}

const fn actor(by: By) -> &'static str {
    match by {
        By::Client => "The client",
        By::Server => "The server",
        By::Both => "Both sides",
        By::Middlebox => "A middlebox",
        By::Nobody => "One side",
    }
}

fn ending(connection: &Connection, frames: &FrameNames) -> String {
    let teardown = &connection.teardown;
    let actor = actor(teardown.by);
    let into = duration(teardown.at.since(connection.first.time));
    let at = if teardown.frame == FrameNumber(0) {
        format!("{into} after its first packet")
    } else {
        format!(
            "({}) {into} after its first packet",
            frames.name(teardown.frame)
        )
    };
    let phase = phase(connection);
    match (connection.opening, teardown.how) {
        (Opening::Unreachable, _) => unreachable(connection, frames),
        (Opening::Unanswered, _) => {
            let tries = u64::from(connection.syn_retries) + 1;
            format!(
                "No answer to the SYN ({}), sent {} in {}",
                frames.name(connection.first.frame),
                count(tries, "time", "times"),
                duration(connection.lasted())
            )
        }
        (Opening::Refused, How::Reset(_)) => {
            format!("{actor} refused the connection with RST {at}")
        }
        (_, How::Fin) => match teardown.by {
            By::Both => match crossed_by_reset(connection) {
                Some([fin, reset]) => format!(
                    "Both sides closed at once {into} after its first packet, the {} with FIN ({}) and the {} with RST ({}), {phase}",
                    fin.0,
                    frames.name(fin.1),
                    reset.0,
                    frames.name(reset.1)
                ),
                None => format!("Both sides closed at once with FIN {at}, {phase}"),
            },
            By::Client | By::Server if connection.closed_unseen() => format!(
                "{actor} closed with a FIN that was not captured but acknowledged {at}, {phase}"
            ),
            _ => format!("{actor} closed with FIN {at}, {phase}"),
        },
        (_, How::Reset(ResetKind::Refusal)) => format!("{actor} refused with RST {at}, {phase}"),
        (_, How::Reset(ResetKind::Abort)) => format!("{actor} reset the connection {at}, {phase}"),
        (_, How::Reset(ResetKind::NoSocket)) => {
            format!("{actor}'s host had no such connection: RST {at}, {phase}")
        }
        (_, How::Reset(ResetKind::Foreign)) => {
            format!("A forged RST {at} ended it, {phase}")
        }
        (_, How::Reset(ResetKind::Stale)) => {
            format!("{actor} sent a RST {at}, too late to matter, {phase}")
        }
        (_, How::Silence) => format!(
            "{actor} stopped responding; its last packet is {}, {into} after the first, {phase}",
            frames.name(teardown.frame)
        ),
        (_, How::Open) => format!(
            "Still open when the capture ends, {} after its first packet, {phase}",
            duration(connection.lasted())
        ),
    }
}

/// The side whose FIN crossed a RST, and the side that sent this RST and no FIN, with their frames.
fn crossed_by_reset(connection: &Connection) -> Option<[(&'static str, FrameNumber); 2]> {
    let names = ["client", "server"];
    Who::BOTH.into_iter().find_map(|who| {
        let (own, other) = (who as usize, who.other() as usize);
        let reset = connection.reset[own].filter(|it| it.kind == Some(ResetKind::Abort))?;
        let fin = connection.fin[other].filter(|_| connection.fin[own].is_none())?;
        let frame = |event: CloseEvent| event.frame_ref.frame;
        Some([(names[other], frame(fin)), (names[own], frame(reset))])
    })
}

fn unreachable(connection: &Connection, frames: &FrameNames) -> String {
    let Some(quote) = &connection.icmp else {
        return "The network reported that the server cannot be reached".to_owned();
    };
    let what = match quote.kind {
        QuoteKind::Unreachable => "destination unreachable",
        QuoteKind::TooBig => "packet too big",
        QuoteKind::TimeExceeded => "time exceeded",
        QuoteKind::Other => "an error",
    };
    format!(
        "{} reported by ICMP that the server cannot be reached: {what}, type {} code {} ({})",
        quote.reporter,
        quote.icmp_type,
        quote.icmp_code,
        frames.name(quote.frame)
    )
}

/// When it ended, as a clause that follows a comma.
fn phase(connection: &Connection) -> String {
    let teardown = &connection.teardown;
    let by_server = teardown.by == By::Server;
    let clause = match teardown.phase {
        Phase::Connecting => "before the handshake was complete",
        Phase::TlsHandshake => return handshake(connection),
        Phase::BeforeRequest if by_server => "before a request had reached it",
        Phase::BeforeRequest => "before any request",
        Phase::Request if by_server => "before the request was complete",
        Phase::Request => "during the request",
        Phase::Waiting if by_server => "without a byte of the response",
        Phase::Waiting => "while waiting for the response",
        Phase::ResponseHead => "during the response head",
        Phase::ResponseBody => "during the response body",
        Phase::Between if connection.spoken().is_empty() => "with nothing outstanding",
        Phase::Between | Phase::After if connection.exchanges.is_empty() => {
            "with every request answered"
        }
        Phase::Between
            if connection.h2.is_some()
                && !connection.exchanges.iter().all(Exchange::is_complete) =>
        {
            "with every stream over"
        }
        Phase::Between => "with every exchange complete and no close announced",
        Phase::After if goodbye(connection).is_some() => {
            return format!(
                "after a GOAWAY ({}) with every stream over",
                goodbye(connection).unwrap_or_default()
            );
        }
        Phase::After => {
            return format!("after every exchange was complete and {}", sign(connection));
        }
        Phase::Tunnel if connection.protocol == Protocol::WebSocket => {
            return close_notify(connection);
        }
        Phase::Tunnel => "in the tunnel",
        Phase::Opaque => {
            let [client, server] = connection.sent.map(|sent| sent.bytes);
            if client == 0 && server == 0 {
                return "with no data seen".to_owned();
            }
            let (client, server) = (bytes(client), bytes(server));
            let stack = match connection.protocol {
                Protocol::Tls => under(connection),
                Protocol::Http2 => "in HTTP/2".to_owned(),
                Protocol::Http1 => "in HTTP that could not be followed".to_owned(),
                _ => match connection.dialogue.as_ref().and_then(|it| it.protocol) {
                    Some(protocol) => format!("in {}", protocol.name()),
                    None => "in a protocol that is not read".to_owned(),
                },
            };
            return format!("after {client} from the client and {server} from the server {stack}");
        }
    };
    clause.to_owned()
}

/// Which handshake it ended in, and how far that had come.
fn handshake(connection: &Connection) -> String {
    let Some(facts) = connection.tls.as_deref() else {
        return "in the TLS handshake".to_owned();
    };
    let place = match facts.stage {
        HandshakeStage::Begun | HandshakeStage::Unseen => "",
        HandshakeStage::ClientHello if facts.plain.is_some() => ", answered in plain text",
        HandshakeStage::ClientHello => ", after the ClientHello",
        HandshakeStage::ServerHello => ", after the server's hello",
        HandshakeStage::ServerFlight => ", after the server's messages",
        HandshakeStage::ClientFinished => ", after the client had finished its part",
        HandshakeStage::Complete => ", which was complete",
    };
    let alert = match facts.fatal() {
        Some(alert) => {
            let from = match alert.from {
                FlowEnd::A => "client",
                FlowEnd::B => "server",
            };
            let name = match alert.code() {
                Some(code) => alert_name(code).map_or_else(|| code.to_string(), str::to_owned),
                None => "hidden".to_owned(),
            };
            format!(", with an alert from the {from} ({name})")
        }
        None => String::new(),
    };
    format!("in the TLS handshake{}{place}{alert}", wanted(facts))
}

/// "under TLS 1.2 with a.example".
fn under(connection: &Connection) -> String {
    let Some(facts) = connection.tls.as_deref() else {
        return "under TLS".to_owned();
    };
    let version = facts
        .version()
        .map_or("TLS".to_owned(), |it| it.to_string());
    format!("under {version}{}", wanted(facts))
}

fn wanted(facts: &TlsFacts) -> String {
    match facts.sni() {
        Some(name) => format!(" with {}", shortened(name.as_bytes(), TARGET)),
        None => String::new(),
    }
}

/// How the WebSocket had ended before: whose Close frame came first, or that none came.
fn close_notify(connection: &Connection) -> String {
    let Some(websocket) = &connection.websocket else {
        return "in the WebSocket".to_owned();
    };
    let [client, server] = &websocket.halves;
    let first = [("client", &client.close), ("server", &server.close)]
        .into_iter()
        .filter_map(|(who, close)| Some((who, close.as_ref()?)))
        .min_by_key(|(_, close)| close.at);
    match first {
        None => "in the WebSocket, without a Close frame".to_owned(),
        Some((who, close)) => {
            let code = close
                .code
                .map_or_else(String::new, |code| format!(" {code}"));
            format!("after the {who}'s Close{code} on the WebSocket")
        }
    }
}

/// The code of the GOAWAY that announced the close; the server's if both sides sent one.
fn goodbye(connection: &Connection) -> Option<String> {
    let [client, server] = &connection.h2.as_ref()?.halves;
    let goaway = server.goaway().or(client.goaway())?;
    Some(goaway.code.to_string())
}

/// What announced the close.
fn sign(connection: &Connection) -> &'static str {
    let signs = connection.exchanges.iter().rev();
    match signs.filter_map(Exchange::closes).next() {
        Some(CloseSign::RequestClose) => "the close announced by the request",
        Some(CloseSign::ResponseClose) => "the close announced by the response",
        Some(CloseSign::RequestVersion | CloseSign::ResponseVersion) => {
            "the close implied by the HTTP version"
        }
        Some(CloseSign::ResponseFraming) => "the response delimited by the close",
        None => "the close announced",
    }
}

/// What happened to the requests: the first incomplete one, otherwise their number.
fn exchanges(connection: &Connection, frames: &FrameNames) -> String {
    if connection.is_presumed() {
        return String::new();
    }
    // Of other protocols only the last ones are kept.
    let before = match connection.exchanges.is_empty() {
        true => connection.dialogue.as_ref().map_or(0, |it| it.before),
        false => 0,
    };
    let all = connection.spoken().len() as u64 + before;
    let ending = terms::ending(connection);
    let hit = connection
        .spoken()
        .iter()
        .enumerate()
        .find_map(|(nth, it)| {
            let outcome = it.outcome(ending)?;
            (outcome != Outcome::Complete).then_some((nth + 1, it, outcome))
        });
    match hit {
        None if all == 0 => String::new(),
        None => format!("; {}", count(all, "request", "requests")),
        Some((nth, exchange, outcome)) => {
            let place = match all {
                1 => "its request".to_owned(),
                all => format!("request {} of {}", number(nth as u64 + before), number(all)),
            };
            let asked = asked(exchange, frames);
            match fate(exchange, outcome, ending) {
                _ if exchange.request.is_none() => "; the request was not captured".to_owned(),
                // The clause about the phase has stated it.
                None if connection.teardown.phase == Phase::Waiting => {
                    format!("; {place}: {asked}")
                }
                None => format!("; {place}, {asked}, got no response"),
                Some(fate) => format!("; {place}, {asked}, {fate}"),
            }
        }
    }
}

/// "`GET /path` (frame 4)", with backticks; what other protocols ask has quotation marks of its own.
#[must_use]
pub fn asked(exchange: &Exchange, frames: &FrameNames) -> String {
    let Some(request) = &exchange.request else {
        return "which was not captured".to_owned();
    };
    let frame = frames.name(request.message.first.frame);
    let words = segment::request(exchange);
    match exchange.rare.as_ref().is_some_and(|it| it.asked.is_some()) {
        true => format!("{words} ({frame})"),
        false => format!("{} ({frame})", in_backticks(&words)),
    }
}

/// What happened to a request that was not answered in full; `None` if not a byte of the response came.
fn fate(exchange: &Exchange, outcome: Outcome, ending: ConnectionEnd) -> Option<String> {
    let response = exchange.response.as_ref()?;
    let message = &response.message;
    if message.is_complete() {
        let status = exchange.status().map(|status| format!(" {status}"));
        let status = status.unwrap_or_default();
        return Some(format!("was answered{status} before it was complete"));
    }
    let received = number(message.received());
    let got = match exchange.response_expected() {
        Some(expected) if expected > 0 => {
            format!("{received} of {} bytes of the response", number(expected))
        }
        _ => format!("{received} bytes of an incomplete response"),
    };
    Some(match (outcome, ending) {
        (Outcome::Unfinished, _) => format!("had {got} so far"),
        (_, ConnectionEnd::ByClient) => format!("had got {got}"),
        _ => format!("got {got}"),
    })
}

/// A Wireshark display filter for one connection.
#[must_use]
pub fn filter(connection: &Connection) -> String {
    filter_between(connection.client, connection.server)
}

/// The same for everything sent between two endpoints.
#[must_use]
pub(crate) fn filter_between(client: Endpoint, server: Endpoint) -> String {
    let ports = match client.port == server.port {
        true => format!("tcp.srcport=={0} && tcp.dstport=={0}", client.port),
        false => format!("tcp.port=={} && tcp.port=={}", client.port, server.port),
    };
    format!("{} && {ports}", addresses(client.ip, server.ip))
}

/// A Wireshark display filter for one connection that fits a line of a report: without the server's address, if the client
/// used the port towards no `other` server with the same port.
#[must_use]
pub(crate) fn short_filter<'a>(
    connection: &Connection,
    mut others: impl Iterator<Item = &'a ConnectionSummary>,
) -> String {
    let Connection { client, server, .. } = connection;
    let ambiguous = others.any(|it| {
        it.client == *client && it.server.port == server.port && it.server.ip != server.ip
    });
    if ambiguous || client.port == server.port {
        return filter(connection);
    }
    let family = if client.ip.is_ipv4() { "ip" } else { "ipv6" };
    format!(
        "{family}.addr=={} && tcp.port=={} && tcp.port=={}",
        client.ip, client.port, server.port
    )
}

/// A Wireshark display filter for what is sent between two addresses, which may be one.
fn addresses(client: IpAddr, server: IpAddr) -> String {
    let family = |ip: IpAddr| if ip.is_ipv4() { "ip" } else { "ipv6" };
    let (one, other) = (family(client), family(server));
    match client == server {
        true => format!("{one}.src=={client} && {one}.dst=={client}"),
        false => format!("{one}.addr=={client} && {other}.addr=={server}"),
    }
}

/// The port of name servers.
const DNS: u16 = 53;

/// A Wireshark display filter for all traffic between a client and a server.
#[must_use]
pub(crate) fn filter_of_all(client: IpAddr, server: Endpoint) -> String {
    // Names are looked up over UDP, and over TCP.
    let port = match server.port {
        DNS => format!("(udp.port=={DNS} || tcp.port=={DNS})"),
        port => format!("tcp.port=={port}"),
    };
    format!("{} && {port}", addresses(client, server.ip))
}

/// `10.0.0.1:50819 → 10.0.0.2:80`.
#[must_use]
pub fn route(connection: &Connection) -> String {
    format!("{} → {}", connection.client, connection.server)
}

/// Connections on the other side of a proxy that are named.
const OTHER_LEGS: usize = 4;

/// `made by the proxy for #3; passed on by the proxy: #5`; empty if it is no leg of a proxy's. A client that only the PROXY
/// protocol names is called by its address.
#[must_use]
pub fn other_legs(legs: &Legs, connection: &Connection) -> String {
    let id = connection.id;
    let mut before = named(legs.before_all(id).iter().map(|it| it.client.connection));
    let behind = named(legs.behind_all(id).iter().map(|it| it.upstream.connection));
    let client = connection.proxied.as_deref().and_then(ProxyHeader::client);
    if let Some(client) = client.filter(|_| before.is_empty()) {
        before = format!("the client {client} (PROXY protocol)");
    }
    match (before.as_str(), behind.as_str()) {
        ("", "") => String::new(),
        (before, "") => format!("made by the proxy for {before}"),
        ("", behind) => format!("passed on by the proxy: {behind}"),
        (before, behind) => {
            format!("made by the proxy for {before}; passed on by the proxy: {behind}")
        }
    }
}

/// `#3, #5 and 2 more`, each once.
fn named(ids: impl Iterator<Item = u32>) -> String {
    let mut ids: Vec<u32> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    let first = ids.iter().take(OTHER_LEGS).map(|id| format!("#{id}"));
    let first = first.collect::<Vec<_>>().join(", ");
    match ids.len().saturating_sub(OTHER_LEGS) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::snapshot::sample;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Connection), told: &str) {
        let mut connection = sample::connection();
        change(&mut connection);
        assert_eq!(story(&connection, &FrameNames::default()), told);
    }

    #[test]
    fn the_filter_of_a_name_server_takes_datagrams_too() {
        let client = IpAddr::from([10, 0, 0, 1]);
        let ip = IpAddr::from([10, 0, 0, 2]);
        let filter = |port| filter_of_all(client, Endpoint { ip, port });
        let both = "ip.addr==10.0.0.1 && ip.addr==10.0.0.2 && ";
        assert_eq!(filter(80), format!("{both}tcp.port==80"));
        assert_eq!(filter(53), format!("{both}(udp.port==53 || tcp.port==53)"));
        let one = filter_of_all(ip, Endpoint { ip, port: 80 });
        assert_eq!(one, "ip.src==10.0.0.2 && ip.dst==10.0.0.2 && tcp.port==80");
    }

    #[test]
    fn endings_are_told_in_one_sentence() {
        check(
            |_| {},
            "The server closed with FIN (frame 9) 41.0 ms after its first packet, after 100 B from the client and 100 B from the server \
             in a protocol that is not read.",
        );
        check(
            |connection| connection.protocol = Protocol::Http1,
            "The server closed with FIN (frame 9) 41.0 ms after its first packet, after 100 B from the client and 100 B from the server \
             in HTTP that could not be followed.",
        );
        check(
            |it| it.teardown.phase = Phase::Between,
            "The server closed with FIN (frame 9) 41.0 ms after its first packet, with nothing outstanding.",
        );
        check(
            |it| {
                it.teardown.by = By::Client;
                it.teardown.how = How::Reset(ResetKind::Abort);
                it.teardown.phase = Phase::Waiting;
                it.teardown.certainty = Certainty::Likely;
            },
            "Likely: the client reset the connection (frame 9) 41.0 ms after its first packet, while waiting for the response.",
        );
        check(
            |it| {
                it.opening = Opening::Refused;
                it.teardown.how = How::Reset(ResetKind::Refusal);
                it.teardown.phase = Phase::Connecting;
            },
            "The server refused the connection with RST (frame 9) 41.0 ms after its first packet.",
        );
        check(
            |it| {
                it.opening = Opening::Unanswered;
                it.syn_retries = 3;
                it.teardown.by = By::Nobody;
                it.teardown.how = How::Silence;
                it.sent[0].missing = 1200;
            },
            "No answer to the SYN (frame 1), sent 4 times in 60.0 ms. The capture lacks 1.2 kB that were sent.",
        );
        check(
            |it| {
                it.teardown.by = By::Nobody;
                it.teardown.how = How::Open;
                it.teardown.phase = Phase::ResponseBody;
                it.roles = Roles::Ports;
            },
            "Still open when the capture ends, 60.0 ms after its first packet, during the response body. Which side is the client is judged by the ports.",
        );
        check(
            |it| {
                it.teardown.by = By::Nobody;
                it.teardown.how = How::Silence;
                it.teardown.phase = Phase::Waiting;
            },
            "One side stopped responding; its last packet is frame 9, 41.0 ms after the first, while waiting for the response.",
        );
    }

    #[track_caller]
    fn told(ladder: &str) -> String {
        let proof = crate::rules::ladder_check::run(&ladder.parse().expect("a ladder"));
        story(&proof.connections[0], &FrameNames::default())
    }

    #[test]
    fn who_sent_the_fin_and_who_the_reset_is_told_where_they_crossed() {
        let open = "SYN -->\n+10ms <-- SYN\n+1ms \"one\" -->\n+10ms <-- \"two\"\n+1ms ACK -->\n";
        let text = told(&format!("{open}+50ms RST -->\n+5ms <-- FIN"));
        assert!(
            text.starts_with("Both sides closed at once 77.0 ms after its first packet, the server with FIN (frame 7) and the client with RST (frame 6)"),
            "{text}"
        );
        let text = told(&format!(
            "{open}+50ms FIN -->\n+1ms <-- FIN [crossed]\nACK -->"
        ));
        assert!(
            text.starts_with("Both sides closed at once with FIN (frame 6)"),
            "{text}"
        );
    }

    #[test]
    fn a_request_that_was_not_captured_is_told_as_such() {
        let text = told("SYN -->\n<-- SYN\nACK -->\n<-- 200 \"hello\" [length=9]");
        assert!(text.contains("; the request was not captured"), "{text}");
        assert!(!text.contains("request: which"), "{text}");
    }

    #[test]
    fn filters_name_both_ends() {
        assert_eq!(
            filter(&sample::connection()),
            "ip.addr==10.0.0.1 && ip.addr==10.0.0.2 && tcp.port==50819 && tcp.port==80"
        );
        let one = sample::connection();
        let summary = ConnectionSummary::from(&one);
        assert_eq!(
            short_filter(&one, std::iter::once(&summary)),
            "ip.addr==10.0.0.1 && tcp.port==50819 && tcp.port==80"
        );
        let mut other = summary;
        other.server.ip = IpAddr::from([10, 0, 0, 3]);
        assert_eq!(short_filter(&one, [summary, other].iter()), filter(&one));
    }
}
