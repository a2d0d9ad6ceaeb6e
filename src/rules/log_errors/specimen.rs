//! The bytes of a malformed response, for the parsers of [`knowledge`](crate::knowledge) to read.
//!
//! Where its head follows the grammar, and only a chunk or what follows the body does not, the head is written anew from
//! what is known of it.

use super::ending::{ClientEvent, SHORTEST_LIMIT, met, waited};
use crate::analysis::connection::Connection;
use crate::knowledge::{Readings, StreamEnd};
use crate::protocol::http::{
    Exchange, FaultRule, FieldName, Framing, HttpVersion, Method, Response,
};

/// The bytes quoted of a fault, if there are so many: what comes behind them is not known.
const QUOTED: usize = 64;

/// What the parsers of clients make of the first malformed response that the client may not have accepted; `None` if there is
/// none, or its bytes are not known.
pub(super) fn readings(connection: &Connection) -> Option<Readings> {
    if connection.tls.is_some() {
        return None;
    }
    let exchanges = &connection.exchanges;
    let mut each = exchanges.iter().enumerate();
    let (bytes, is_whole) = each.find_map(|(at, exchange)| {
        let next = exchanges.get(at + 1);
        let taken = next.is_some_and(|next| next.response.is_some() && next.request.is_some());
        (!taken).then(|| specimen(exchange)).flatten()
    })?;
    let end = match met(connection) {
        ClientEvent::Fin => StreamEnd::Fin,
        ClientEvent::Reset => StreamEnd::Reset,
        ClientEvent::Left if waited(connection) >= SHORTEST_LIMIT => StreamEnd::Waited,
        ClientEvent::Left | ClientEvent::Silence | ClientEvent::Open => StreamEnd::Open,
    };
    Some(Readings::of(&bytes, is_whole, end))
}

/// The bytes of a malformed response to a request with a body to its response, and whether no more came.
fn specimen(exchange: &Exchange) -> Option<(Vec<u8>, bool)> {
    let method = exchange.request.as_ref().map(|it| it.method);
    if matches!(method, Some(Method::Head | Method::Connect)) {
        return None;
    }
    let rare = exchange.rare.as_ref()?;
    match &rare.sample {
        Some(sample) if sample.has_head => {
            let mut bytes = interim(exchange, &sample.bytes);
            bytes.extend_from_slice(&sample.bytes);
            return Some((bytes, sample.is_whole));
        }
        Some(sample) => {
            let mut bytes = head(exchange, exchange.response.as_ref()?)?;
            bytes.extend_from_slice(&sample.bytes);
            return Some((bytes, sample.is_whole));
        }
        None => {}
    }
    let mut faults = exchange.response_faults().iter();
    let excess = faults
        .next()
        .filter(|it| it.rule == FaultRule::ExcessBytes)?;
    let response = exchange.response.as_ref()?;
    let mut bytes = head(exchange, response)?;
    match response.message.framing {
        Framing::Length => {
            let length = usize::try_from(response.message.amount).ok()?;
            // What came of the body does not matter, and how much is in the head.
            if length > QUOTED * QUOTED {
                return None;
            }
            bytes.resize(bytes.len() + length, b'x');
        }
        Framing::Chunked => bytes.extend_from_slice(b"0\r\n\r\n"),
        Framing::NoBody => {}
        _ => return None,
    }
    bytes.extend_from_slice(excess.bytes.as_bytes());
    Some((bytes, excess.bytes.as_bytes().len() < QUOTED))
}

/// The interim responses before this one, which some parsers take for it.
fn interim(exchange: &Exchange, response: &[u8]) -> Vec<u8> {
    let all = exchange.rare.iter().flat_map(|it| &it.interim);
    // A sample that begins with one of them has them all.
    let all = all.filter(|_| response.get("HTTP/1.1 ".len()) != Some(&b'1'));
    all.flat_map(|it| format!("HTTP/1.1 {} OK\r\n\r\n", it.status).into_bytes())
        .collect()
}

/// A head that says what that of the response said.
fn head(exchange: &Exchange, response: &Response) -> Option<Vec<u8>> {
    let message = &response.message;
    let version = match message.version {
        HttpVersion::HTTP_10 => "1.0",
        HttpVersion::HTTP_11 => "1.1",
        _ => return None,
    };
    let mut bytes = format!("HTTP/{version} {:03} OK\r\n", response.status).into_bytes();
    let mut line = |name: FieldName, value: &[u8]| {
        bytes.extend_from_slice(name.name().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    };
    let framing = [FieldName::ContentLength, FieldName::TransferEncoding];
    let mut framed = false;
    for name in framing.into_iter().chain([FieldName::Connection]) {
        for field in exchange.response_fields(name) {
            framed |= name != FieldName::Connection;
            line(name, field.value.as_bytes());
        }
    }
    match message.framing {
        _ if framed => {}
        Framing::Length => line(
            FieldName::ContentLength,
            message.amount.to_string().as_bytes(),
        ),
        Framing::Chunked => line(FieldName::TransferEncoding, b"chunked"),
        _ => {}
    }
    if message.connection.close > 0 {
        line(FieldName::Connection, b"close");
    } else if message.connection.keep_alive > 0 {
        line(FieldName::Connection, b"keep-alive");
    }
    bytes.extend_from_slice(b"\r\n");
    Some(bytes)
}
