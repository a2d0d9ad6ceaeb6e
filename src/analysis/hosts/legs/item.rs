//! What is compared of an exchange, or of a connection without one.

use std::net::IpAddr;
use std::sync::Arc;

use super::leg::ExchangeId;
use crate::analysis::connection::{By, Connection, How, Opening};
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::protocol::http::{Exchange, Method, PassedOn, Protocol, SharedText};

/// An exchange that may be one side of a pair, or a connection without one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) id: ExchangeId,
    pub(super) connection: &'a Connection,
    /// `None` for a connection without exchanges.
    pub(super) exchange: Option<&'a Exchange>,
    /// When its request began, or the connection.
    pub(super) begin: Timestamp,
    /// When its response began.
    pub(super) told: Option<Timestamp>,
    /// When it was over: its response complete, or the connection closed.
    pub(super) end: Timestamp,
}

/// The exchanges with a request of HTTP or FastCGI, and the connections without one, in the order of their numbers.
pub(super) fn items(connections: &[Arc<Connection>]) -> Vec<Item<'_>> {
    let mut all = Vec::new();
    for connection in connections {
        let spoken = connection.spoken();
        if speaks(connection) {
            let exchanges = (0..).zip(spoken);
            all.extend(exchanges.filter_map(|(index, it)| Item::of(connection, index, it)));
        } else if spoken.is_empty() || connection.is_presumed() {
            all.push(Item::whole(connection));
        }
    }
    all
}

/// Whether the requests on it may be those of a proxy.
fn speaks(connection: &Connection) -> bool {
    !connection.exchanges.is_empty() || is_fastcgi(connection)
}

pub(super) fn is_fastcgi(connection: &Connection) -> bool {
    let spoken = connection.dialogue.as_deref().and_then(|it| it.protocol);
    spoken.is_some_and(|it| it.id() == "fastcgi")
}

impl<'a> Item<'a> {
    fn of(connection: &'a Connection, index: u32, exchange: &'a Exchange) -> Option<Self> {
        let request = &exchange.request.as_ref()?.message;
        let answer = exchange.response.as_ref().map(|it| &it.message);
        // What came after its client had left was a response to nobody.
        let left = connection.teardown.by == By::Client && connection.teardown.how != How::Open;
        let left = left.then_some(connection.teardown.at);
        let answer = answer.filter(|it| left.is_none_or(|left| it.first.time < left));
        let begin = request.first.time;
        let end = match (answer, exchange.cut_by()) {
            (Some(answer), _) if answer.is_complete() => answer.last.time,
            (_, Some(reset)) => reset.at.time,
            _ => connection.over().max(request.last.time),
        };
        Some(Self {
            id: ExchangeId {
                connection: connection.id,
                exchange: Some(index),
            },
            connection,
            exchange: Some(exchange),
            begin,
            told: answer.map(|it| it.first.time),
            end,
        })
    }

    fn whole(connection: &'a Connection) -> Self {
        Self {
            id: ExchangeId {
                connection: connection.id,
                exchange: None,
            },
            connection,
            exchange: None,
            begin: connection.first.time,
            told: None,
            end: connection.over().max(connection.first.time),
        }
    }

    /// Until when a proxy may begin to do something for it.
    pub(super) fn until(&self) -> Timestamp {
        self.told.map_or(self.end, |told| told.min(self.end))
    }

    pub(super) fn client(&self) -> IpAddr {
        self.connection.client.ip
    }

    pub(super) fn server(&self) -> IpAddr {
        self.connection.server.ip
    }

    pub(super) fn passed_on(&self) -> Option<&'a PassedOn> {
        self.exchange.and_then(|it| it.passed_on.as_deref())
    }

    /// The client that the proxy which opened the connection named first.
    pub(super) fn proxied(&self) -> Option<Endpoint> {
        self.connection.proxied.as_deref()?.client()
    }

    pub(super) fn is_fastcgi(&self) -> bool {
        self.connection.exchanges.is_empty() && self.exchange.is_some()
    }

    pub(super) fn status(&self) -> u16 {
        let exchange = self.exchange.filter(|_| self.told.is_some());
        exchange.and_then(Exchange::status).unwrap_or(0)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.told.is_some() && self.exchange.is_some_and(Exchange::is_complete)
    }

    /// Whether what is asked on it is hidden in TLS.
    pub(super) fn is_hidden(&self) -> bool {
        self.exchange.is_none() && self.connection.tls.is_some()
    }

    /// The words of a FastCGI request: its method and its path.
    fn words(&self) -> Option<(&'a [u8], &'a [u8])> {
        let asked = self.exchange?.rare.as_ref()?.asked.as_ref()?;
        let words = asked.words.as_ref()?.as_bytes();
        let end = words.iter().position(|byte| *byte == b' ');
        let (method, path) = words.split_at(end.unwrap_or(words.len()));
        Some((method, path.trim_ascii()))
    }

    pub(super) fn method(&self) -> &'a [u8] {
        let own = || self.exchange.and_then(Exchange::method);
        match self.is_fastcgi() {
            true => self.words().map_or(&[], |it| it.0),
            false => own().unwrap_or_default(),
        }
    }

    /// Whether it sets up a tunnel.
    pub(super) fn is_tunnel(&self) -> bool {
        let request = self.exchange.and_then(|it| it.request.as_ref());
        request.is_some_and(|it| it.method == Method::Connect)
    }

    pub(super) fn agent(&self) -> Option<&'a SharedText> {
        self.exchange?.request.as_ref()?.user_agent.as_ref()
    }

    /// The path and the query that it asks for; `None` if it is not known.
    pub(super) fn target(&self) -> Option<(&'a [u8], &'a [u8])> {
        if self.is_fastcgi() {
            let (_, path) = self.words()?;
            return (!path.is_empty()).then_some((path, &[]));
        }
        let target = self.exchange?.request.as_ref()?.target.as_ref()?.as_bytes();
        let path = without_authority(target);
        let query = path.iter().position(|byte| *byte == b'?');
        Some(path.split_at(query.unwrap_or(path.len())))
    }

    /// Whether it failed its client before any response.
    pub(super) fn failed_unanswered(&self) -> bool {
        match self.connection.opening {
            Opening::Refused | Opening::Unanswered | Opening::Unreachable => true,
            Opening::Rejected => false,
            Opening::Handshake | Opening::Midstream => {
                let [client, server] = self.connection.sent;
                let silent = client.bytes > 0 && server.bytes == 0 && server.missing == 0;
                let closed = !matches!(self.connection.teardown.how, How::Open);
                let unknown = matches!(
                    self.connection.protocol,
                    Protocol::Opaque | Protocol::Unknown
                );
                closed && (silent && unknown || self.connection.tls.is_some())
            }
        }
    }
}

/// The target in origin form (RFC 9112 §3.2.1): a proxy is asked in absolute form.
fn without_authority(target: &[u8]) -> &[u8] {
    let after = |scheme: &[u8]| {
        let start = target.get(..scheme.len())?;
        let rest = target.get(scheme.len()..)?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    match after(b"http://").or_else(|| after(b"https://")) {
        Some(rest) => match rest.iter().position(|byte| matches!(byte, b'/' | b'?')) {
            Some(path) => rest.get(path..).unwrap_or(b"/"),
            None => b"/",
        },
        None => target,
    }
}

/// The last part of a path.
pub(super) fn tail(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
