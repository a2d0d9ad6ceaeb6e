//! Which bytes of both streams are what: told to an observer while the streams are parsed.
//!
//! In: the places of heads, bodies, records, frames and messages, from the dissectors that parse them. Out: calls to a
//! [`StreamObserver`], in the order in which the parts are understood. Offsets count from the first byte of a direction's TCP
//! stream. An analysis has no observer and pays a branch for each part. What no part covers was not understood.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::flow_end::FlowEnd;

/// What a part of a stream is.
#[derive(Clone, Copy)]
pub enum StreamPart<'a> {
    /// The head of an HTTP/1 message, or as much of it as will ever be seen.
    Head {
        /// Its bytes.
        bytes: &'a [u8],
        /// It is that of a request.
        is_request: bool,
    },
    /// Bytes of the body that belongs to the last head of this direction.
    Body,
    /// The body is complete.
    BodyEnds,
    /// Lines around the data of an HTTP/1 body: chunk sizes, trailers, empty lines. Data among them comes as `Body` afterwards.
    Framing,
    /// A line that may be a request, and is not well-formed.
    Malformed,
    /// Bytes where a message of HTTP/1 breaks the grammar: they are quoted, and read as the parsers of clients read them.
    Faulty {
        /// They stand where a head begins; else where a chunk or its size is, or behind such bytes.
        in_head: bool,
        /// They are the client's.
        is_request: bool,
    },
    /// A TLS record: the length includes its header.
    TlsRecord {
        /// Its content type.
        kind: u8,
        /// What its content is not encrypted: handshake messages, or an alert.
        is_clear: bool,
    },
    /// The header in which a proxy names its client: the PROXY protocol.
    ProxyHeader,
    /// The connection preface of HTTP/2.
    H2Preface,
    /// An HTTP/2 frame (RFC 9113 §4.1): the length includes its header.
    H2Frame {
        /// Its type.
        kind: u8,
        /// Its flags.
        flags: u8,
    },
    /// A WebSocket frame (RFC 6455 §5.2): the length includes its header.
    WebSocket {
        /// Bytes of its header.
        header: u8,
        /// Its opcode.
        opcode: u8,
        /// The key that its payload is masked with.
        mask: Option<[u8; 4]>,
    },
    /// The first bytes of a direction, which show a protocol by themselves. They may turn out to be something else.
    First {
        /// The bytes.
        bytes: &'a [u8],
        /// Reads other bytes in their place.
        read: &'a dyn Fn(&[u8]) -> MessageReading,
    },
    /// A message of another protocol; the length is what the grammar says.
    Message {
        /// The protocol's name in JSON.
        protocol: &'static str,
        /// Its beginning, or all of it and what follows at once.
        bytes: &'a [u8],
        /// Reads other bytes in its place, and says what a report may show of them.
        read: &'a dyn Fn(&[u8]) -> MessageReading,
    },
}

/// What a grammar makes of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageReading {
    /// All that is no text.
    pub meaning: String,
    /// The words of a request, the code and text of an error, and what a side says of its program.
    pub texts: [Vec<u8>; 6],
}

/// Learns what both streams of a connection consist of.
pub trait StreamObserver: Send {
    /// The next bytes of one direction; `bytes` is what was captured of `length`.
    fn slice(&mut self, from: FlowEnd, bytes: &[u8], length: u32);
    /// The next `length` bytes of one direction were never captured.
    fn gap(&mut self, from: FlowEnd, length: u64);
    /// A part that begins at this offset.
    fn part(&mut self, from: FlowEnd, start: u64, length: u64, part: StreamPart<'_>);
}

/// Tells an observer. Clones tell the same one.
#[derive(Clone)]
pub struct PartTeller(Arc<Mutex<dyn StreamObserver>>);

impl PartTeller {
    /// Tells this observer.
    #[must_use]
    pub fn new(observer: Arc<Mutex<dyn StreamObserver>>) -> Self {
        Self(observer)
    }

    /// As [`StreamObserver::slice`].
    pub fn slice(&self, from: FlowEnd, bytes: &[u8], length: u32) {
        self.observer().slice(from, bytes, length);
    }

    /// As [`StreamObserver::gap`].
    pub fn gap(&self, from: FlowEnd, length: u64) {
        self.observer().gap(from, length);
    }

    /// As [`StreamObserver::part`].
    pub fn part(&self, from: FlowEnd, start: u64, length: u64, part: StreamPart<'_>) {
        self.observer().part(from, start, length, part);
    }

    fn observer(&self) -> MutexGuard<'_, dyn StreamObserver + 'static> {
        // What an observer does is complete or not done at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PartTeller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartTeller")
    }
}
