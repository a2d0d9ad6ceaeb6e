//! The table of facts by which connections are compared: what each is called, and how it is read from a record.
//!
//! A fact is read only where the record shows it: a connection that began before the capture says nothing about its opening,
//! one that is still open nothing about its close. Values are words for people, so that reports and programs have the same.

use std::borrow::Cow;

use super::profile::Observations;
use crate::analysis::connection::{
    By, Connection, ConnectionOutcome, How, Opening, Phase, ResetKind, UnknownReason, Who,
};
use crate::base::escape::escape;
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::protocol::http::{
    ConnectionOptions, Exchange, Framing, HttpVersion, Message, MessageProgress, Protocol,
};
use crate::protocol::tls::{CloseNotify, HandshakeStage, ServerHello};
use crate::report::wording::connection::{how, when};

/// What is counted of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Connections.
    Connection,
    /// Requests.
    Request,
    /// Responses.
    Response,
    /// Closes by a timer.
    Close,
}

impl Unit {
    /// Its noun, for one and for many.
    pub(super) const fn nouns(self) -> (&'static str, &'static str) {
        match self {
            Self::Connection => ("connection", "connections"),
            Self::Request => ("request", "requests"),
            Self::Response => ("response", "responses"),
            Self::Close => ("such close", "such closes"),
        }
    }
}

/// What is said of a fact wherever it is compared.
#[derive(Debug)]
pub(crate) struct FactName {
    /// Its name for programs.
    pub(crate) name: &'static str,
    /// What it is called in reports and on screens.
    pub(crate) label: &'static str,
    /// What is counted.
    pub(crate) unit: Unit,
    /// What a difference in it means, in a sentence; empty if it says so itself.
    pub(crate) meaning: &'static str,
}

/// A fact that has words as values.
pub(super) struct Fact {
    pub(super) name: FactName,
    pub(super) read: fn(&Connection, &mut Observations<'_>),
}

/// How many requests one connection carries.
pub(super) const REQUESTS: FactName = FactName {
    name: "requests-per-connection",
    label: "Requests per connection",
    unit: Unit::Connection,
    meaning: "",
};

/// After how long a side closes an idle connection.
pub(super) const IDLE_TIMEOUT: FactName = FactName {
    name: "idle-timeout",
    label: "Idle timeout",
    unit: Unit::Close,
    meaning: "",
};

/// After how long a side closes without a response.
pub(super) const WAIT_TIMEOUT: FactName = FactName {
    name: "response-timeout",
    label: "Response timeout",
    unit: Unit::Close,
    meaning: "",
};

const fn fact(
    name: &'static str,
    label: &'static str,
    unit: Unit,
    meaning: &'static str,
    read: fn(&Connection, &mut Observations<'_>),
) -> Fact {
    Fact {
        name: FactName {
            name,
            label,
            unit,
            meaning,
        },
        read,
    }
}

/// All facts, in the order in which their differences are told.
pub(super) const FACTS: &[Fact] = &[
    fact("outcome", "Outcome", Unit::Connection, "", outcome),
    fact(
        "opening",
        "Connection attempt",
        Unit::Connection,
        "",
        opening,
    ),
    fact(
        "response-connection",
        "`Connection` of responses",
        Unit::Response,
        "",
        |connection, seen| heads(connection, Who::Server).for_each(|it| connection_field(it, seen)),
    ),
    fact(
        "request-connection",
        "`Connection` of requests",
        Unit::Request,
        "",
        |connection, seen| heads(connection, Who::Client).for_each(|it| connection_field(it, seen)),
    ),
    fact(
        "keep-alive",
        "`Keep-Alive` of responses",
        Unit::Response,
        "",
        keep_alive,
    ),
    fact(
        "closing",
        "Order of FINs and RSTs",
        Unit::Connection,
        "",
        closing,
    ),
    fact(
        "time-wait",
        "TIME-WAIT held by",
        Unit::Connection,
        "The side in TIME-WAIT cannot use the port again until it ends.",
        time_wait,
    ),
    fact("phase", "Closed when", Unit::Connection, "", phase),
    fact("status", "Status code", Unit::Response, "", status),
    fact(
        "response-version",
        "Version of responses",
        Unit::Response,
        "",
        |connection, seen| messages(connection, Who::Server).for_each(|it| version(it, seen)),
    ),
    fact(
        "request-version",
        "Version of requests",
        Unit::Request,
        "",
        |connection, seen| messages(connection, Who::Client).for_each(|it| version(it, seen)),
    ),
    fact(
        "response-length",
        "End of responses",
        Unit::Response,
        "",
        |connection, seen| heads(connection, Who::Server).for_each(|it| framing(it, seen)),
    ),
    fact(
        "request-length",
        "End of requests",
        Unit::Request,
        "",
        |connection, seen| heads(connection, Who::Client).for_each(|it| framing(it, seen)),
    ),
    fact("protocol", "Protocol", Unit::Connection, "", protocol),
    fact(
        "tls-version",
        "TLS version",
        Unit::Connection,
        "",
        |connection, seen| {
            if let Some((at, hello)) = server_hello(connection) {
                seen.add(hello.version.to_string(), &[*at]);
            }
        },
    ),
    fact(
        "tls-cipher",
        "Cipher suite",
        Unit::Connection,
        "",
        |connection, seen| {
            if let Some((at, hello)) = server_hello(connection) {
                seen.add(format!("0x{:04x}", hello.cipher), &[*at]);
            }
        },
    ),
    fact("alpn", "ALPN", Unit::Connection, "", |connection, seen| {
        let answer = server_hello(connection);
        // Without secrets TLS 1.3 does not show it.
        if let Some((at, chosen)) = answer.and_then(|(at, it)| Some((at, it.alpn.as_ref()?))) {
            seen.add(escape(chosen).into_owned(), &[*at]);
        }
    }),
    fact(
        "server-close-notify",
        "Server's `close_notify`",
        Unit::Connection,
        "",
        |connection, seen| close_notify(connection, Who::Server, seen),
    ),
    fact(
        "client-close-notify",
        "Client's `close_notify`",
        Unit::Connection,
        "",
        |connection, seen| close_notify(connection, Who::Client, seen),
    ),
    fact("goaway", "Server's GOAWAY", Unit::Connection, "", goaway),
    fact(
        "websocket-close",
        "Close of the WebSocket",
        Unit::Connection,
        "",
        websocket_close,
    ),
];

/// Whether the close of the connection is in the capture.
fn is_closed(connection: &Connection) -> bool {
    let opened = matches!(connection.opening, Opening::Handshake | Opening::Midstream);
    match connection.teardown.how {
        How::Open => false,
        How::Silence => opened,
        How::Fin | How::Reset(_) => opened && connection.teardown.by != By::Nobody,
    }
}

fn outcome(connection: &Connection, seen: &mut Observations<'_>) {
    match connection.outcome {
        ConnectionOutcome::Failed(reason) => {
            seen.add(
                format!("failed: {}", reason.phrase()),
                &[connection.teardown.frame_ref()],
            );
        }
        // What ends a stream may be among the bytes that were cut.
        ConnectionOutcome::Fine(_) if connection.turns.cut && connection.h2.is_some() => {}
        ConnectionOutcome::Fine(_) => seen.add("fine", &[connection.teardown.frame_ref()]),
        ConnectionOutcome::Unknown(_) => {}
    }
}

fn opening(connection: &Connection, seen: &mut Observations<'_>) {
    if let ConnectionOutcome::Unknown(UnknownReason::NoAnswerSeen) = connection.outcome {
        return;
    }
    let value = match connection.opening {
        Opening::Handshake => "opened",
        Opening::Refused => "refused by RST",
        Opening::Unreachable => "refused by ICMP",
        Opening::Unanswered => "unanswered",
        Opening::Rejected => "given up in the handshake",
        Opening::Midstream => return,
    };
    seen.add(value, &[connection.first]);
}

/// The FINs and RSTs in their order: "client FIN, then server FIN".
fn closing(connection: &Connection, seen: &mut Observations<'_>) {
    if !is_closed(connection) {
        return;
    }
    if connection.teardown.how == How::Silence {
        let by = match connection.teardown.by {
            By::Client => "client",
            By::Server => "server",
            By::Both | By::Middlebox | By::Nobody => "one side",
        };
        return seen.add(
            format!("{by} stopped responding"),
            &[connection.teardown.frame_ref()],
        );
    }
    let mut events: Vec<(FrameRef, String)> = Vec::new();
    for who in Who::BOTH {
        let name = who.name();
        if let Some(fin) = &connection.fin[who as usize] {
            events.push((fin.frame_ref, format!("{name} FIN")));
        }
        // One that came too late changed nothing.
        let reset = connection.reset[who as usize].as_ref();
        if let Some((reset, kind)) = reset.and_then(|it| Some((it, it.kind?)))
            && kind != ResetKind::Stale
        {
            events.push((reset.frame_ref, format!("{name} {}", how(How::Reset(kind)))));
        }
    }
    let [client, server] = connection.fin.map(|it| it.is_some());
    let reset = events.len() > usize::from(client) + usize::from(server);
    // A side that has not closed yet may close after the capture.
    if !(reset || client && server) {
        return;
    }
    // The first one is that which acknowledgements prove to be first, wherever it was captured.
    events.sort_by_key(|(at, _)| (at.frame != connection.teardown.frame, *at));
    // What follows a RST changes nothing.
    let end = events.iter().position(|(_, it)| !it.ends_with("FIN"));
    events.truncate(end.map_or(events.len(), |end| end + 1));
    let frames: Vec<FrameRef> = events.iter().map(|(at, _)| *at).collect();
    let at_once = connection.teardown.by == By::Both && connection.teardown.how == How::Fin;
    let value = match at_once {
        true => {
            let rest = events.iter().map(|(_, it)| it.as_str());
            let rest = rest.filter(|it| !it.ends_with("FIN"));
            std::iter::once("both FINs at once")
                .chain(rest)
                .collect::<Vec<_>>()
        }
        false => events.iter().map(|(_, it)| it.as_str()).collect(),
    };
    seen.add(value.join(", then "), &frames);
}

fn time_wait(connection: &Connection, seen: &mut Observations<'_>) {
    let value = match connection.time_wait {
        [Some(client), Some(server)] => ("both", vec![client, server]),
        [Some(client), None] => ("client", vec![client]),
        [None, Some(server)] => ("server", vec![server]),
        [None, None] => return,
    };
    seen.add(value.0, &value.1);
}

/// Whether the capture has every byte, so that what is not there was not sent.
fn shows_every_byte(connection: &Connection) -> bool {
    let lacks = connection.turns.cut || connection.sent.iter().any(|it| it.missing > 0);
    connection.opening == Opening::Handshake && !lacks
}

/// Whether the capture shows that a side sends nothing more.
fn has_ended(connection: &Connection, who: Who) -> bool {
    let fin = connection.fin[who as usize].is_some();
    fin || connection.reset.iter().any(Option::is_some)
}

fn phase(connection: &Connection, seen: &mut Observations<'_>) {
    let phase = connection.teardown.phase;
    if shows_every_byte(connection) && is_closed(connection) && phase != Phase::Opaque {
        seen.add(when(phase), &[connection.teardown.frame_ref()]);
    }
}

/// What this side sent: the requests, or the final responses.
fn messages(connection: &Connection, who: Who) -> impl Iterator<Item = &Message> {
    let all = connection.exchanges.iter();
    all.filter_map(move |it| message(it, who))
}

fn message(exchange: &Exchange, who: Who) -> Option<&Message> {
    match who {
        Who::Client => exchange.request.as_ref().map(|it| &it.message),
        Who::Server => exchange.response.as_ref().map(|it| &it.message),
    }
}

/// The same, where all of the head was captured and is one of HTTP/1.
fn heads(connection: &Connection, who: Who) -> impl Iterator<Item = &Message> {
    let is_cut = move |it: &Exchange| {
        it.rare.as_ref().is_some_and(|rare| match who {
            Who::Client => rare.request.head_cut,
            Who::Server => rare.response.head_cut,
        })
    };
    let whole = connection.exchanges.iter().filter(move |it| !is_cut(it));
    let whole = whole.filter_map(move |it| message(it, who));
    whole.filter(|it| is_head(it))
}

fn is_head(message: &Message) -> bool {
    let read = !matches!(
        message.progress,
        MessageProgress::Head | MessageProgress::Unseen
    ) && message.framing != Framing::Unknown;
    read && (HttpVersion::HTTP_10..HttpVersion::HTTP_2).contains(&message.version)
}

fn connection_field(message: &Message, seen: &mut Observations<'_>) {
    seen.add(options(message.connection), &[message.first]);
}

/// The options of the `Connection` lines of a head, with how often each is repeated.
fn options(field: ConnectionOptions) -> Cow<'static, str> {
    let times = |option: &str, times: u8| match times {
        0 => None,
        1 => Some(format!("`{option}`")),
        2 => Some(format!("`{option}` twice")),
        more => Some(format!("`{option}` {more} times")),
    };
    let known = [
        times("close", field.close),
        times("keep-alive", field.keep_alive),
        times("upgrade", u8::from(field.upgrade)),
        (field.others > 0).then(|| "other options".to_owned()),
    ];
    let told: Vec<String> = known.into_iter().flatten().collect();
    match (field.lines, told.is_empty()) {
        (0, _) => "absent".into(),
        (_, true) => "empty".into(),
        (1, _) => told.join(" and ").into(),
        (lines, _) => format!("{} on {lines} lines", told.join(" and ")).into(),
    }
}

fn keep_alive(connection: &Connection, seen: &mut Observations<'_>) {
    for message in heads(connection, Who::Server) {
        // The number of requests that are left counts down; it is no setting.
        let value: Cow<'static, str> = match message.keep_alive.timeout() {
            Some(seconds) => format!("`timeout={seconds}`").into(),
            None => "no timeout".into(),
        };
        seen.add(value, &[message.first]);
    }
}

fn status(connection: &Connection, seen: &mut Observations<'_>) {
    for exchange in &connection.exchanges {
        if let (Some(status), Some(response)) = (exchange.status(), exchange.response.as_ref()) {
            seen.add(status.to_string(), &[response.message.first]);
        }
    }
}

fn version(message: &Message, seen: &mut Observations<'_>) {
    if message.version != HttpVersion::UNKNOWN {
        seen.add(message.version.to_string(), &[message.first]);
    }
}

fn framing(message: &Message, seen: &mut Observations<'_>) {
    let value = match message.framing {
        Framing::NoBody => "no body",
        Framing::Length => "by `Content-Length`",
        Framing::Chunked => "by the last chunk",
        Framing::UntilClose => "by the close",
        Framing::Tunnel => "becomes a tunnel",
        Framing::Unknown | Framing::Streamed | Framing::Messages => return,
    };
    seen.add(value, &[message.first]);
}

/// The ServerHello, and where it is.
fn server_hello(connection: &Connection) -> Option<&(FrameRef, ServerHello)> {
    connection.tls.as_ref()?.answer.as_ref()
}

fn protocol(connection: &Connection, seen: &mut Observations<'_>) {
    // What is inside of TLS shows only to who has its secrets.
    let known = connection.dialogue.as_ref().and_then(|it| it.protocol);
    let value = match (connection.protocol, known) {
        _ if connection.tls.is_some() => "TLS",
        (_, Some(known)) if connection.exchanges.is_empty() => known.name(),
        // What it was upgraded to may be among the bytes that were cut.
        _ if connection.turns.cut => return,
        (Protocol::Http1, _) => "HTTP/1",
        (Protocol::Http2, _) => "HTTP/2",
        (Protocol::WebSocket, _) => "WebSocket",
        (Protocol::Tunnel, _) => "tunnel by `CONNECT`",
        (Protocol::Tls, _) => "TLS",
        (Protocol::Unknown | Protocol::Opaque, _) => return,
    };
    seen.add(value, &[connection.first]);
}

fn close_notify(connection: &Connection, who: Who, seen: &mut Observations<'_>) {
    let Some(tls) = connection.tls.as_deref() else {
        return;
    };
    if tls.stage != HandshakeStage::Complete {
        return;
    }
    match tls.flows[who as usize].close_notify {
        CloseNotify::None if !has_ended(connection, who) => {}
        CloseNotify::None => seen.add("not sent", &[connection.teardown.frame_ref()]),
        CloseNotify::Notify(at, _) => seen.add("sent", &[at]),
        CloseNotify::Unclear => {}
    }
}

fn goaway(connection: &Connection, seen: &mut Observations<'_>) {
    let Some(h2) = connection.h2.as_deref().filter(|it| !it.midstream) else {
        return;
    };
    let [_, server] = &h2.halves;
    match server.goaway() {
        Some(goaway) => seen.add(goaway.code.to_string(), &[goaway.at]),
        None if server.lost || connection.turns.cut || !has_ended(connection, Who::Server) => {}
        None => seen.add("not sent", &[connection.teardown.frame_ref()]),
    }
}

fn websocket_close(connection: &Connection, seen: &mut Observations<'_>) {
    let Some(websocket) = connection.websocket.as_deref() else {
        return;
    };
    let halves = Who::BOTH.into_iter().zip(&websocket.halves);
    let closes = halves.filter_map(|(who, half)| Some((who.name(), half.close.as_ref()?)));
    match closes.min_by_key(|(_, close)| close.at) {
        Some((who, close)) => {
            let code = close
                .code
                .map_or_else(|| "no code".to_owned(), |it| it.to_string());
            seen.add(format!("{who} first: {code}"), &[close.at]);
        }
        None if websocket.halves.iter().any(|it| it.lost) || connection.turns.cut => {}
        None if !Who::BOTH.iter().all(|who| has_ended(connection, *who)) => {}
        None => seen.add("no Close", &[connection.teardown.frame_ref()]),
    }
}

/// Where the requests of a connection begin.
pub(super) fn requests(connection: &Connection) -> Vec<FrameNumber> {
    let begun = |it: &Exchange| Some(it.request.as_ref()?.message.first.frame);
    connection.exchanges.iter().filter_map(begun).collect()
}

/// Whether a connection shows all that was requested on it.
pub(super) fn shows_every_request(connection: &Connection) -> bool {
    shows_every_byte(connection) && is_closed(connection)
}
