//! The requests of one connection in few bytes: what a reader searches in, where the whole record would be too large.
//!
//! In: a settled [`Connection`]. Out: a [`RequestList`], one allocation, from which [`BriefRequest`]s are read. A host or
//! a program that the request before had takes no byte. Left out on purpose: header fields, times, and of the response
//! all but its status.

use std::sync::Arc;

use super::record::Connection;
use crate::protocol::http::{Exchange, Method};

/// What is searched of one request. A part that was not seen is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BriefRequest<'a> {
    /// The method as sent.
    pub method: &'a [u8],
    /// The target as sent; in a protocol other than HTTP the words of the request.
    pub target: &'a [u8],
    /// The host that was asked.
    pub host: &'a [u8],
    /// The program that asked.
    pub agent: &'a [u8],
    /// The status of the response; 0 if there was none.
    pub status: u16,
}

impl<'a> BriefRequest<'a> {
    /// What is searched of an exchange.
    #[must_use]
    pub fn of(exchange: &'a Exchange) -> Self {
        let request = exchange.request.as_ref();
        let target = request.and_then(|it| it.target.as_ref());
        let asked = || exchange.rare.as_ref()?.asked.as_ref()?.words.as_ref();
        let host = request.and_then(|it| it.host.as_ref());
        let agent = request.and_then(|it| it.user_agent.as_ref());
        Self {
            method: exchange.method().unwrap_or_default(),
            target: target.or_else(asked).map_or(&[], |it| it.as_bytes()),
            host: host.map_or(&[], |it| it.as_bytes()),
            agent: agent.map_or(&[], |it| it.as_bytes()),
            status: exchange.status().unwrap_or(0),
        }
    }
}

/// The requests of one connection, and the name that it was opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestList {
    packed: Arc<[u8]>,
}

/// The methods with a number; 0 is a method that was not seen, [`SPELLED`] one that is not among them.
const METHODS: [Method; 9] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Put,
    Method::Delete,
    Method::Connect,
    Method::Options,
    Method::Trace,
    Method::Patch,
];
const SPELLED: u8 = 15;
/// Flags beside the method: the host, the program and the status are those of the request before.
const SAME_HOST: u8 = 0x10;
const SAME_AGENT: u8 = 0x20;
const SAME_STATUS: u8 = 0x40;
/// What the allocation of a list takes beside its bytes: two counts, the allocator's own, and the handle.
const OVERHEAD: usize = 48;

impl RequestList {
    /// The requests of a connection; `None` if it has neither requests nor a name.
    #[must_use]
    pub fn of(connection: &Connection) -> Option<Self> {
        if !Self::is_worth(connection) {
            return None;
        }
        let mut packed = Vec::new();
        put_text(&mut packed, connection.name().unwrap_or_default());
        let mut before = BriefRequest::default();
        for exchange in connection.spoken() {
            let request = BriefRequest::of(exchange);
            put(&mut packed, &request, &before);
            before = request;
        }
        Some(Self {
            packed: packed.into(),
        })
    }

    /// Whether a connection has requests, or a name.
    #[must_use]
    pub fn is_worth(connection: &Connection) -> bool {
        !connection.spoken().is_empty() || connection.name().is_some()
    }

    /// Bytes that it takes in memory.
    #[must_use]
    pub fn footprint(&self) -> usize {
        self.packed.len() + OVERHEAD
    }

    /// The name that the connection was opened for ([`Connection::name`]); empty if there is none.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        Unpacker { rest: &self.packed }.text()
    }

    /// The requests in order.
    #[must_use]
    pub fn iter(&self) -> BriefRequests<'_> {
        let mut unpacker = Unpacker { rest: &self.packed };
        let _ = unpacker.text();
        BriefRequests {
            unpacker,
            before: BriefRequest::default(),
        }
    }
}

impl<'a> IntoIterator for &'a RequestList {
    type Item = BriefRequest<'a>;
    type IntoIter = BriefRequests<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The requests of a list.
#[derive(Clone, Debug)]
pub struct BriefRequests<'a> {
    unpacker: Unpacker<'a>,
    before: BriefRequest<'a>,
}

impl<'a> Iterator for BriefRequests<'a> {
    type Item = BriefRequest<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let unpacker = &mut self.unpacker;
        let (head, rest) = unpacker.rest.split_first()?;
        unpacker.rest = rest;
        let number = head & 0x0f;
        let method = match number {
            SPELLED => unpacker.text(),
            number => METHODS
                .get(usize::from(number).wrapping_sub(1))
                .and_then(|method| method.name())
                .map_or(&[][..], str::as_bytes),
        };
        let target = unpacker.text();
        let mut unless = |flag: u8, same: &'a [u8]| match head & flag {
            0 => unpacker.text(),
            _ => same,
        };
        let host = unless(SAME_HOST, self.before.host);
        let agent = unless(SAME_AGENT, self.before.agent);
        let status = match head & SAME_STATUS {
            0 => unpacker.status(),
            _ => self.before.status,
        };
        self.before = BriefRequest {
            method,
            target,
            host,
            agent,
            status,
        };
        Some(self.before)
    }
}

fn put(packed: &mut Vec<u8>, request: &BriefRequest<'_>, before: &BriefRequest<'_>) {
    let named = |method: &Method| method.name().map(str::as_bytes) == Some(request.method);
    let number = match METHODS.iter().position(named) {
        Some(place) => place as u8 + 1,
        None if request.method.is_empty() => 0,
        None => SPELLED,
    };
    let flag = |flag: u8, same: bool| if same { flag } else { 0 };
    let same_host = request.host == before.host;
    let same_agent = request.agent == before.agent;
    let same_status = request.status == before.status;
    packed.push(
        number
            | flag(SAME_HOST, same_host)
            | flag(SAME_AGENT, same_agent)
            | flag(SAME_STATUS, same_status),
    );
    if number == SPELLED {
        put_text(packed, request.method);
    }
    put_text(packed, request.target);
    if !same_host {
        put_text(packed, request.host);
    }
    if !same_agent {
        put_text(packed, request.agent);
    }
    if !same_status {
        packed.extend_from_slice(&request.status.to_le_bytes());
    }
}

/// A length in groups of seven bits, lowest first, and the bytes.
fn put_text(packed: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    while length > 0x7f {
        packed.push(length as u8 & 0x7f | 0x80);
        length >>= 7;
    }
    packed.push(length as u8);
    packed.extend_from_slice(text);
}

#[derive(Clone, Debug)]
struct Unpacker<'a> {
    rest: &'a [u8],
}

impl<'a> Unpacker<'a> {
    fn text(&mut self) -> &'a [u8] {
        let mut length = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let Some((byte, rest)) = self.rest.split_first() else {
                return &[];
            };
            self.rest = rest;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (text, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        text
    }

    fn status(&mut self) -> u16 {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return 0;
        };
        self.rest = rest;
        u16::from_le_bytes(*bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let long = vec![b'x'; 3000];
        let request = |method: &'static [u8], target, host, agent, status| BriefRequest {
            method,
            target,
            host,
            agent,
            status,
        };
        let all = [
            request(b"GET", b"/a", b"api.example", b"curl/8", 200),
            request(b"POST", &long, b"api.example", b"curl/8", 502),
            request(b"BREW", b"/\xff", b"", b"curl/8", 502),
            request(b"", b"", b"api.example", b"", 0),
        ];
        let mut packed = Vec::new();
        put_text(&mut packed, b"api.example");
        let mut before = BriefRequest::default();
        for request in all {
            put(&mut packed, &request, &before);
            before = request;
        }
        let list = RequestList {
            packed: packed.into(),
        };
        assert_eq!(list.name(), b"api.example");
        assert_eq!(list.iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn a_usual_request_takes_few_bytes() {
        let mut packed = Vec::new();
        let request = BriefRequest {
            method: b"GET",
            target: b"/1.txt?id=123456",
            host: b"10.9.0.1:81",
            agent: b"",
            status: 200,
        };
        put(&mut packed, &request, &request);
        assert_eq!(packed.len(), 2 + request.target.len());
    }
}
