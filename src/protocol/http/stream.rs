//! An exchange that is an HTTP/2 stream (RFC 9113 §5): what it has in addition to an HTTP/1 exchange.
//!
//! A stream can end on its own while its connection continues. The HTTP/2 dissector fills this in; here it is only
//! stored. Left out: priorities, which RFC 9113 §5.3 deprecates.

use std::fmt;

use super::exchange::Exchange;
use super::message::{Framing, Message};
use super::text::SharedText;
use crate::base::frame_ref::FrameRef;

/// One of the two sides of an exchange, regardless of which one opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The side that sends the request.
    Requester,
    /// The side that sends the response.
    Responder,
}

/// An HTTP/2 error code (RFC 9113 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// No error: a graceful end.
    pub const NO_ERROR: Self = Self(0);
    /// The peer violated the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1);
    /// An internal error of the sender.
    pub const INTERNAL_ERROR: Self = Self(2);
    /// Not processed: safe to send again (§8.7).
    pub const REFUSED_STREAM: Self = Self(7);
    /// The stream is no longer needed.
    pub const CANCEL: Self = Self(8);
    /// The peer may be causing excessive load.
    pub const ENHANCE_YOUR_CALM: Self = Self(11);

    /// The names of §7, in order of their numbers.
    pub const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];

    /// The name, if the number has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.get(self.0 as usize).copied()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

/// A RST_STREAM frame (§6.4), the first one of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamReset {
    /// The side that sent it.
    pub by: Party,
    /// The error code it states.
    pub code: ErrorCode,
    /// Where it was seen.
    pub at: FrameRef,
    /// Offset of the frame in its sender's byte stream.
    pub start: u64,
}

/// What an HTTP/2 exchange has in addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct H2Stream {
    /// Stream identifier (§5.1.1).
    pub id: u32,
    /// The RST_STREAM, sent before or after the stream was complete.
    pub reset: Option<StreamReset>,
    /// Where a GOAWAY was seen which states that the stream was not processed and may be retried (§6.8).
    pub refused: Option<FrameRef>,
    /// The body lengths in bytes that request and response announce, in this order.
    pub announced: [Option<u64>; 2],
    /// The gRPC status in the trailers of the response; 0 is success.
    pub grpc_status: Option<u16>,
    /// The gRPC message that accompanies it.
    pub grpc_message: Option<SharedText>,
    /// The content type is that of gRPC.
    pub is_grpc: bool,
    /// A field that HTTP/2 forbids, as sent (§8.2.2), or a name in upper case (§8.2.1).
    pub forbidden: Option<SharedText>,
    /// A header block could not be decoded: the capture lacks part of it, or of an earlier one that it depends on.
    pub is_unread: bool,
    /// It requests a WebSocket on this stream (RFC 8441): its DATA frames do not carry a body.
    pub is_websocket: bool,
}

impl H2Stream {
    /// A stream of which nothing but its identifier is known.
    #[must_use]
    pub const fn new(id: u32) -> Self {
        Self {
            id,
            reset: None,
            refused: None,
            announced: [None; 2],
            grpc_status: None,
            grpc_message: None,
            is_grpc: false,
            forbidden: None,
            is_unread: false,
            is_websocket: false,
        }
    }

    /// Whether the server states that it did not process this request, so that any method may be retried (§8.7).
    #[must_use]
    pub fn is_safe_to_retry(&self) -> bool {
        self.refused.is_some()
            || self.reset.is_some_and(|reset| {
                reset.by == Party::Responder && reset.code == ErrorCode::REFUSED_STREAM
            })
    }
}

impl Exchange {
    /// The stream identifier, if the exchange is an HTTP/2 stream.
    #[must_use]
    pub fn stream_id(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.id)
    }

    /// The RST_STREAM that ended the exchange before it was complete.
    #[must_use]
    pub fn cut_by(&self) -> Option<StreamReset> {
        let reset = self.stream.as_ref()?.reset?;
        (!self.is_complete()).then_some(reset)
    }

    /// Whether it is over regardless of the connection: complete, or a stream that ended on its own.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_complete()
            || self
                .stream
                .as_ref()
                .is_some_and(|stream| stream.reset.is_some() || stream.refused.is_some())
    }

    /// Body bytes that the response announced.
    #[must_use]
    pub fn response_expected(&self) -> Option<u64> {
        let message = &self.response.as_ref()?.message;
        match &self.stream {
            Some(stream) => expected(message, stream.announced[1]),
            None => message.expected(),
        }
    }

    /// Body bytes that the request announced.
    #[must_use]
    pub fn request_expected(&self) -> Option<u64> {
        let message = &self.request.as_ref()?.message;
        match &self.stream {
            Some(stream) => expected(message, stream.announced[0]),
            None => message.expected(),
        }
    }

    /// Whether the response ended in the orderly way, but with a shorter body than it announced (RFC 9113 §8.1.1).
    #[must_use]
    pub fn is_short(&self) -> bool {
        let Some(response) = &self.response else {
            return false;
        };
        self.stream.is_some()
            && response.message.is_complete()
            && response.message.framing == Framing::Streamed
            && self
                .rare
                .as_ref()
                .is_none_or(|rare| rare.response.missing == 0)
            && self
                .response_expected()
                .is_some_and(|expected| expected > response.message.received())
    }
}

fn expected(message: &Message, announced: Option<u64>) -> Option<u64> {
    match message.framing {
        Framing::NoBody => Some(0),
        _ => announced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_of_the_registry() {
        assert_eq!(ErrorCode(8).to_string(), "CANCEL");
        assert_eq!(ErrorCode(13).to_string(), "HTTP_1_1_REQUIRED");
        assert_eq!(ErrorCode(14).to_string(), "0xe");
        assert_eq!(
            ErrorCode::ENHANCE_YOUR_CALM.to_string(),
            "ENHANCE_YOUR_CALM"
        );
    }

    #[test]
    fn a_stream_is_settled_by_its_own_end() {
        let mut exchange = Exchange::default();
        assert!(!exchange.is_settled());
        let mut stream = H2Stream::new(1);
        stream.refused = Some(FrameRef::default());
        assert!(stream.is_safe_to_retry());
        exchange.stream = Some(Box::new(stream));
        assert!(exchange.is_settled() && !exchange.is_complete());
        assert_eq!((exchange.stream_id(), exchange.cut_by()), (Some(1), None));
    }
}
