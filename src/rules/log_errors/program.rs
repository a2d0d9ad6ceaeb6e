//! Identifies the program on one side of a connection by its messages.

use std::hash::{Hash, Hasher};

use super::dialogue;
use crate::analysis::connection::{Connection, Oddity, Who};
use crate::base::escape::shortened;
use crate::knowledge::{
    HeadShape, Introduced, Introduction, KnownProgram, LogSide, NamedBy, NamedProduct, Product,
    TlsClient, WireEvent, identify, inside, introduced, is_stranger, sent_for, tls_client,
};
use crate::protocol::dialogue::Complaint;
use crate::protocol::http::{
    Exchange, FaultRule, FieldName, Framing, MessageProgress, Method, Request, SharedText,
};

/// What is known of the program on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// A header names it.
    Known(NamedProduct),
    /// Its messages were captured and carry no such header.
    Nameless(Option<HeadShape>),
    /// It makes SOAP calls, and no captured header names it.
    Soap,
    /// Its messages are encrypted, and its ClientHello is that of a few programs.
    Tls(&'static TlsClient),
    /// None of its messages could be parsed.
    Unknown,
    /// The header of its messages names a product that the tables do not have.
    Other,
    /// None of the products of the tables: a header names it, or it wrote what no library does.
    Stranger,
    /// It speaks this protocol, a word of the tables, and nothing is known of how it introduces itself.
    Speaks(&'static str),
    /// The same, and it said no name.
    Unnamed(&'static str),
    /// It introduced itself as a few programs do.
    Among(&'static [&'static str]),
}

/// The protocol other than HTTP that a connection is in: by its bytes, or by the port of its server if there are none to
/// read.
pub(super) fn protocol(connection: &Connection) -> Option<&'static str> {
    let [protocol, _] = connection.carried();
    Some(protocol).filter(|it| !matches!(*it, "" | "http" | "websocket"))
}

/// The protocol that the bytes of a connection show.
pub(super) fn shown(connection: &Connection) -> Option<&'static str> {
    if !connection.exchanges.is_empty() {
        return Some("http");
    }
    let facts = connection.dialogue.as_deref();
    Some(facts?.protocol?.id())
}

/// Whether a Redis server said that the client's bytes break its protocol, which no library writes.
fn breaks_redis(connection: &Connection) -> bool {
    let facts = connection.dialogue.as_deref();
    let complaint = facts.and_then(|it| it.complaint.as_ref());
    shown(connection) == Some("redis") && complaint.is_some_and(Complaint::is_of_grammar)
}

impl Hash for Program {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        if let Self::Nameless(shape) = self {
            shape.hash(state);
        }
        if let Self::Among(names) = self {
            names.hash(state);
        }
        if let Self::Speaks(protocol) | Self::Unnamed(protocol) = self {
            protocol.hash(state);
        }
        if let Self::Tls(client) = self {
            client.hash(state);
        }
        if let Self::Known(stack) = self {
            stack.product.name.hash(state);
            stack.version.hash(state);
            stack.by.hash(state);
        }
    }
}

impl Program {
    /// The program on this side of the connection.
    pub(super) fn of(connection: &Connection, who: Who) -> Self {
        // No program's system opens a connection like this.
        let mut odd = connection.oddities[Who::Client as usize].iter();
        if who == Who::Client && odd.any(|it| it.kind == Oddity::SynFin) {
            return Self::Stranger;
        }
        let alone = dialogue::spoken_alone(connection).filter(|_| who == Who::Client);
        if let Some(protocol) = alone {
            return introduced_by(connection, who, protocol.id());
        }
        if connection.exchanges.is_empty()
            && let Some(protocol) = protocol(connection)
        {
            return match who == Who::Client && breaks_redis(connection) {
                true => Self::Stranger,
                false => introduced_by(connection, who, protocol),
            };
        }
        let mut program = Self::Unknown;
        // A library writes its requests as they must be; these are typed, or made by a scanner.
        let requests = || {
            let all = connection.exchanges.iter().filter(|_| who == Who::Client);
            all.flat_map(Exchange::request_faults)
        };
        let made_by_hand = requests().any(|it| it.rule != FaultRule::Target);
        let typed = requests().any(|it| it.rule == FaultRule::BareLf);
        for exchange in &connection.exchanges {
            let named = match who {
                Who::Client => client(exchange),
                Who::Server => server(exchange),
            };
            match named {
                // A scanner takes a browser's name, and what is typed any.
                Self::Known(stack) if typed || made_by_hand && stack.product.is_browser() => {
                    return Self::Stranger;
                }
                Self::Known(_) | Self::Stranger => return named,
                Self::Nameless(_) | Self::Soap | Self::Other => program = named,
                Self::Unknown
                | Self::Tls(_)
                | Self::Speaks(_)
                | Self::Unnamed(_)
                | Self::Among(_) => {}
            }
        }
        // A plain answer to a ClientHello is an exchange without a request.
        let mut exchanges = connection.exchanges.iter();
        let hidden = who == Who::Client && exchanges.all(|it| it.request.is_none());
        match made_by_hand {
            true => Self::Stranger,
            false if hidden => match by_hello(connection) {
                Some(client) => Self::Tls(client),
                None if greases(connection) => Self::Among(&["chrome"]),
                None => program,
            },
            false => program,
        }
    }

    pub(super) fn program(&self) -> KnownProgram<'_> {
        match self {
            Self::Known(stack) => KnownProgram::Known(stack),
            Self::Nameless(shape) => KnownProgram::Nameless(*shape),
            Self::Soap => KnownProgram::Soap,
            Self::Tls(client) => KnownProgram::Tls(client),
            Self::Unknown => KnownProgram::Unknown,
            Self::Other => KnownProgram::Other,
            Self::Stranger => KnownProgram::Stranger,
            Self::Speaks(protocol) => KnownProgram::Speaks(protocol),
            Self::Unnamed(protocol) => KnownProgram::Unnamed(protocol),
            Self::Among(names) => KnownProgram::Among(names),
        }
    }

    /// The program, if a header names it.
    pub(super) fn product(&self) -> Option<&'static Product> {
        match self {
            Self::Known(stack) => Some(stack.product),
            _ => None,
        }
    }

    /// The framework that likely runs inside the server.
    pub(super) fn inside(&self) -> Option<NamedProduct> {
        match self {
            Self::Known(stack) => Some(NamedProduct {
                product: inside(stack.product)?,
                version: None,
                by: stack.by,
            }),
            _ => None,
        }
    }

    pub(super) fn named_by(&self) -> Option<NamedBy> {
        match self {
            Self::Known(stack) => Some(stack.by),
            _ => None,
        }
    }
}

/// The program on one side of a session of this protocol, by what it said of itself when the session began.
fn introduced_by(connection: &Connection, who: Who, protocol: &'static str) -> Program {
    let facts = connection.dialogue.as_deref();
    let said = facts.and_then(|it| it.programs[who as usize].as_deref());
    let Some(said) = said else {
        return Program::Speaks(protocol);
    };
    let text = |it: &SharedText| String::from_utf8_lossy(it.as_bytes()).into_owned();
    let [name, version, shape] = [&said.name, &said.version, &said.shape].map(text);
    let said = Introduction {
        name: &name,
        version: &version,
        shape: &shape,
    };
    match introduced(protocol, who.log_side(), said) {
        Introduced::Named(product) => Program::Known(product),
        Introduced::Among(names) => Program::Among(names),
        Introduced::Stranger => Program::Stranger,
        Introduced::Nameless => Program::Unnamed(protocol),
    }
}

/// The TLS library of the client, and the faults of a certificate for which it sends this alert, as far as its ClientHello
/// or a header shows the program.
pub(in crate::rules) fn certificate_alert(
    connection: &Connection,
    code: u8,
) -> Option<(&'static str, &'static [WireEvent])> {
    match Program::of(connection, Who::Client) {
        Program::Known(program) => sent_for(&[program.product.name], code),
        Program::Tls(client) => sent_for(&client.products, code),
        _ => None,
    }
}

/// The programs that send a ClientHello like that of this connection.
fn by_hello(connection: &Connection) -> Option<&'static TlsClient> {
    let (_, hello) = connection.tls.as_deref()?.hello.as_ref()?;
    tls_client(&hello.ciphers, &hello.alpn)
}

/// Whether the ClientHello offers a cipher suite that is none (RFC 8701), as browsers and no library of a program do.
fn greases(connection: &Connection) -> bool {
    let hello = connection.tls.as_deref().and_then(|it| it.hello.as_ref());
    let none = |suite: &u16| suite & 0x0f0f == 0x0a0a && suite >> 8 == suite & 0xff;
    hello.is_some_and(|(_, hello)| hello.ciphers.iter().any(none))
}

fn client(exchange: &Exchange) -> Program {
    let Some(request) = &exchange.request else {
        return Program::Unknown;
    };
    // A proxy forwards its client's `User-Agent`, but it is the proxy that meets the events of this connection.
    if exchange.request_fields(FieldName::Via).next().is_some() {
        return Program::Unknown;
    }
    match text(&request.user_agent) {
        Some(agent) => match identify(Some(agent), None, None, LogSide::Client) {
            None if is_stranger(agent, LogSide::Client) => Program::Stranger,
            // Whose it is nobody knows, but a program that names itself would have another one.
            None => Program::Other,
            named => named.into(),
        },
        None if request.user_agent.is_none() && calls_by_soap(exchange) => Program::Soap,
        None if request.user_agent.is_some() || request.target.is_none() => Program::Unknown,
        None => match whole_head(request.message.progress, exchange, |rare| {
            rare.request.head_cut
        }) {
            Program::Nameless(_) => Program::Nameless(shape(request)),
            other => other,
        },
    }
}

/// Whether the client of this exchange decodes what it has not asked for, too.
pub(super) fn decodes_unasked(exchange: &Exchange) -> bool {
    matches!(client(exchange), Program::Known(it) if it.product.decodes_unasked())
}

/// The name by which a client calls itself whose texts are not known; none if a proxy forwarded its request.
#[must_use]
pub fn client_without_texts(connection: &Connection) -> Option<String> {
    if Program::of(connection, Who::Client) != Program::Stranger {
        return None;
    }
    let mut agents = connection.exchanges.iter().filter_map(|it| {
        let own = it.request_fields(FieldName::Via).next().is_none();
        text(&it.request.as_ref().filter(|_| own)?.user_agent)
    });
    let agent = agents.find(|it| is_stranger(it, LogSide::Client))?;
    // Every browser begins with this word.
    if agent.starts_with("Mozilla/") {
        let explorer = ["MSIE", "Trident/"].iter().any(|it| agent.contains(it));
        return Some(
            if explorer {
                "Internet Explorer"
            } else {
                "A browser"
            }
            .to_owned(),
        );
    }
    let name = agent.split(['/', ' ']).find(|it| !it.is_empty())?;
    Some(shortened(name.as_bytes(), MAX_NAME).into_owned())
}

/// Characters of a client's name that are told.
const MAX_NAME: usize = 40;

/// The shape of a request's head, told by its length; `None` if it has other fields.
fn shape(request: &Request) -> Option<HeadShape> {
    let length = |text: &Option<SharedText>| text.as_ref().map_or(0, |it| it.as_bytes().len());
    let known = [length(&request.target), length(&request.host)];
    let method = match request.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        _ => return None,
    };
    let message = &request.message;
    let announced = match message.framing {
        Framing::Length => "Content-Length: \r\n".len() + message.amount.to_string().len(),
        Framing::Chunked => return None,
        _ => 0,
    };
    // What every request has: `GET  HTTP/1.1`, `Host: ` and three line ends.
    let always = announced
        + method.len()
        + "  HTTP/1.1\r\nHost: \r\n\r\n".len()
        + known.iter().sum::<usize>();
    let rest = (request.message.head_len as usize).checked_sub(always)?;
    let shapes = [
        (0, HeadShape::Bare),
        ("Connection: keep-alive\r\n".len(), HeadShape::KeepAlive),
        ("Connection: close\r\n".len(), HeadShape::Close),
        ("Accept: */*\r\n".len(), HeadShape::Accept),
        ("Accept-Encoding: identity\r\n".len(), HeadShape::Identity),
        (
            "Expect: 100-continue\r\nConnection: keep-alive\r\n".len(),
            HeadShape::Expects,
        ),
    ];
    shapes.into_iter().find(|it| it.0 == rest).map(|it| it.1)
}

/// Whether the request is a SOAP 1.1 call (§6.1.1 of its W3C note).
pub(super) fn calls_by_soap(exchange: &Exchange) -> bool {
    let mut actions = exchange.request_fields(FieldName::SoapAction);
    actions.next().is_some()
}

fn server(exchange: &Exchange) -> Program {
    let Some(response) = &exchange.response else {
        return Program::Unknown;
    };
    let mut via = exchange.response_fields(FieldName::Via);
    let via = via.next().and_then(|field| field.value.as_str());
    let server = text(&response.server);
    if response.server.is_none() && via.is_none() {
        return match exchange.status() {
            Some(_) => whole_head(response.message.progress, exchange, |rare| {
                rare.response.head_cut
            }),
            None => Program::Unknown,
        };
    }
    match (identify(None, server, via, LogSide::Server), server) {
        (None, Some(server)) if is_stranger(server, LogSide::Server) => Program::Stranger,
        (None, Some(_)) => Program::Other,
        (named, _) => named.into(),
    }
}

/// The program of a head that names none: `Nameless` if it was captured to its end.
fn whole_head(
    progress: MessageProgress,
    exchange: &Exchange,
    cut: fn(&crate::protocol::http::RareParts) -> bool,
) -> Program {
    let cut = exchange.rare.as_deref().is_some_and(cut);
    match progress {
        MessageProgress::Body | MessageProgress::Complete if !cut => Program::Nameless(None),
        _ => Program::Unknown,
    }
}

fn text(text: &Option<SharedText>) -> Option<&str> {
    text.as_ref().and_then(SharedText::as_str)
}

impl From<Option<NamedProduct>> for Program {
    fn from(stack: Option<NamedProduct>) -> Self {
        stack.map_or(Self::Unknown, Self::Known)
    }
}
