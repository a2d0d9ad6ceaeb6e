//! What requests and responses have in common: position in the stream, framing, progress.
//!
//! Kept small on purpose: a capture can hold millions. Parts that few messages have are in [`super::RareHead`].

use std::fmt;

use super::fields::KeepAlive;
use crate::base::frame_ref::FrameRef;

/// The version of a message, `HTTP/major.minor`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpVersion(u8);

impl HttpVersion {
    /// Not seen, or not legible.
    pub const UNKNOWN: Self = Self(0);
    /// HTTP/0.9: a request without a version, and its response without a head.
    pub const HTTP_09: Self = Self::new(0, 9);
    /// HTTP/1.0 (RFC 1945).
    pub const HTTP_10: Self = Self::new(1, 0);
    /// HTTP/1.1 (RFC 9112).
    pub const HTTP_11: Self = Self::new(1, 1);

    /// HTTP/2 (RFC 9113).
    pub const HTTP_2: Self = Self::new(2, 0);

    /// The version `major.minor`. The grammar allows one digit each; only the low four bits are kept.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self((major & 15) << 4 | minor & 15)
    }

    /// The version that a word of a start line names: `HTTP/1.1` (RFC 9112 §2.3).
    #[must_use]
    pub(crate) const fn of(word: &[u8]) -> Option<Self> {
        match word {
            [
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                major @ b'0'..=b'9',
                b'.',
                minor @ b'0'..=b'9',
            ] => Some(Self::new(*major - b'0', *minor - b'0')),
            _ => None,
        }
    }

    /// The digit before the dot.
    #[must_use]
    pub const fn major(self) -> u8 {
        self.0 >> 4
    }

    /// The digit after the dot.
    #[must_use]
    pub const fn minor(self) -> u8 {
        self.0 & 15
    }
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.major(), self.minor()) {
            // RFC 9113 §3.1 gives it no second digit.
            (2, 0) => f.write_str("HTTP/2"),
            (major, minor) => write!(f, "HTTP/{major}.{minor}"),
        }
    }
}

impl fmt::Debug for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A request method (RFC 9110 §9.3). The name of another one is in [`super::RareParts::method`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "they are their names")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
    /// Some other token.
    Other,
    /// The head was not complete enough to contain it.
    Unknown,
}

impl Method {
    pub(crate) fn from_bytes(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"CONNECT" => Self::Connect,
            b"OPTIONS" => Self::Options,
            b"TRACE" => Self::Trace,
            b"PATCH" => Self::Patch,
            _ => Self::Other,
        }
    }

    /// The name on the wire; `None` for [`Method::Other`] and [`Method::Unknown`].
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
            Self::Other | Self::Unknown => return None,
        })
    }

    /// Whether sending it twice does no more than sending it once (RFC 9110 §9.2.2), so that a client may retry.
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        matches!(
            self,
            Self::Get | Self::Head | Self::Put | Self::Delete | Self::Options | Self::Trace
        )
    }
}

/// How the end of a message is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// The head is not complete, was cut or is broken: the framing cannot be determined.
    Unknown,
    /// There is no body, by rule or because none was announced.
    NoBody,
    /// `Content-Length` bytes.
    Length,
    /// Chunks until the last one.
    Chunked,
    /// HTTP/2 frames until one that ends the stream (RFC 9113 §8.1). Frames of other streams lie between them, so that
    /// [`Message::end`] is where the last frame of this one ends.
    Streamed,
    /// All bytes until the sender closes (a response only).
    UntilClose,
    /// What follows is another protocol: 101, or a CONNECT's 2xx.
    Tunnel,
    /// Messages of a protocol other than HTTP, until the one that ends it.
    Messages,
}

/// How much of a message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageProgress {
    /// The head is not complete.
    Head,
    /// The head is complete, the body is not.
    Body,
    /// All of it, by its own framing.
    Complete,
    /// Its framing is broken (see the faults): where it ends is undefined.
    Broken,
    /// Its head or a chunk size was not captured: where it ends is unknown.
    Unseen,
}

/// The `Connection` field lines of a message, counted (RFC 9110 §7.6.1). Counts stop at 255.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnectionOptions {
    /// Number of `Connection` lines.
    pub lines: u8,
    /// Number of `close` options.
    pub close: u8,
    /// Number of `keep-alive` options.
    pub keep_alive: u8,
    /// Number of other options, not counting `upgrade`.
    pub others: u8,
    /// Whether there is an `upgrade` option.
    pub upgrade: bool,
}

/// What a request and a response have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where its first byte was seen.
    pub first: FrameRef,
    /// Where its last byte so far was seen; for a complete message, its very last byte.
    pub last: FrameRef,
    /// Offset of its first byte in its direction.
    pub start: u64,
    /// Bytes of its body on the wire, chunk sizes and trailers included.
    pub(crate) body_wire: u64,
    /// Bytes. [`Framing::Length`]: the announced length. [`Framing::Chunked`]: the chunk data decoded so far.
    /// [`Framing::Streamed`]: the data in its frames so far.
    pub(crate) amount: u64,
    /// Bytes of its head including the empty line; those seen so far, if the head is not complete.
    pub head_len: u32,
    /// The `Keep-Alive` line.
    pub keep_alive: KeepAlive,
    /// The `Connection` lines.
    pub connection: ConnectionOptions,
    /// Its HTTP version.
    pub version: HttpVersion,
    /// How its end is found.
    pub framing: Framing,
    /// How much of it was sent.
    pub progress: MessageProgress,
}

impl Message {
    pub(crate) fn begun(at: FrameRef, start: u64) -> Self {
        Self {
            first: at,
            last: at,
            start,
            body_wire: 0,
            amount: 0,
            head_len: 0,
            keep_alive: KeepAlive::default(),
            connection: ConnectionOptions::default(),
            version: HttpVersion::UNKNOWN,
            framing: Framing::Unknown,
            progress: MessageProgress::Head,
        }
    }

    /// Offset after its head.
    #[must_use]
    pub const fn head_end(&self) -> u64 {
        self.start.saturating_add(self.head_len as u64)
    }

    /// Offset after its last byte so far.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.head_end().saturating_add(self.body_wire)
    }

    /// Body bytes announced beforehand; `None` when nothing was announced (chunked, until close, unknown).
    #[must_use]
    pub const fn expected(&self) -> Option<u64> {
        match self.framing {
            Framing::Length => Some(self.amount),
            Framing::NoBody => Some(0),
            _ => None,
        }
    }

    /// Body bytes that were sent, as framed; for a chunked body, the data without the chunk framing (too few if chunk
    /// sizes were not captured; such a message is [`MessageProgress::Unseen`] or has [`super::RareHead::missing`]
    /// bytes).
    #[must_use]
    pub const fn received(&self) -> u64 {
        match self.framing {
            Framing::Chunked | Framing::Streamed => self.amount,
            // HTTP/2 frames may follow the head nevertheless: an empty one that ends the stream, or trailers.
            Framing::NoBody => 0,
            _ => self.body_wire,
        }
    }

    /// Whether fewer bytes followed the captured part of the head than that part announces for the body alone: wherever
    /// the body began, it is not complete.
    #[must_use]
    pub const fn is_surely_short(&self) -> bool {
        matches!(
            (self.progress, self.framing),
            (MessageProgress::Unseen, Framing::Length)
        ) && self.body_wire < self.amount
    }

    /// Whether all of it was sent, by its own framing.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self.progress, MessageProgress::Complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_behind_a_head_without_a_body_are_none_of_it() {
        let message = Message {
            framing: Framing::NoBody,
            body_wire: 9,
            ..Message::begun(FrameRef::default(), 100)
        };
        assert_eq!((message.received(), message.expected()), (0, Some(0)));
        assert_eq!(message.end(), 109);
    }
}
