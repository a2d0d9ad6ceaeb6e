//! An exchange that is a stream of HTTP/2 (RFC 9113 §5): what it has that an exchange of HTTP/1 has not.
//!
//! A stream can end by itself while its connection goes on. Whoever reads the frames puts this together; here it is only
//! kept. Left out: priorities, which RFC 9113 §5.3 deprecates.

use std::fmt;

use super::exchange::Exchange;
use super::message::{Framing, Message};
use super::text::SharedText;
use crate::base::frame_ref::FrameRef;

/// One of the two sides of an exchange, whoever opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The one that asks.
    Requester,
    /// The one that answers.
    Responder,
}

/// An error code of HTTP/2 (RFC 9113 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// No error: a graceful end.
    pub const NO_ERROR: Self = Self(0);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1);
    /// Something went wrong inside.
    pub const INTERNAL_ERROR: Self = Self(2);
    /// Not processed: safe to send again (§8.7).
    pub const REFUSED_STREAM: Self = Self(7);
    /// No longer wanted.
    pub const CANCEL: Self = Self(8);
    /// The peer does something too often.
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

/// A RST_STREAM (§6.4), the first one of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamReset {
    /// Who sent it.
    pub by: Party,
    /// Why, as it says.
    pub code: ErrorCode,
    /// Where it was seen.
    pub at: FrameRef,
    /// Offset of its frame among the bytes of its sender.
    pub start: u64,
}

/// What an exchange of HTTP/2 has besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct H2Stream {
    /// Its number on the connection (§5.1.1).
    pub id: u32,
    /// How it was ended before its time, or after.
    pub reset: Option<StreamReset>,
    /// A GOAWAY says that it was not processed and may be sent again (§6.8); where that was seen.
    pub refused: Option<FrameRef>,
    /// The body lengths that request and response announce.
    pub announced: [Option<u64>; 2],
    /// The status of gRPC in the trailers of the response; 0 is success.
    pub grpc_status: Option<u16>,
    /// The message beside it.
    pub grpc_message: Option<SharedText>,
    /// The content type says gRPC.
    pub is_grpc: bool,
    /// A field that HTTP/2 forbids, as sent (§8.2.2), or a name in upper case (§8.2.1).
    pub forbidden: Option<SharedText>,
    /// A header block that could not be read: the capture lacks part of what it, or one before it, needs.
    pub is_unread: bool,
    /// It asks for a WebSocket on this stream (RFC 8441): what its DATA holds is no body.
    pub is_websocket: bool,
}

impl H2Stream {
    /// A stream of which nothing but its number is known.
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

    /// The server says that it did not process this request, so that any method may be sent again (§8.7).
    #[must_use]
    pub fn is_safe_to_retry(&self) -> bool {
        self.refused.is_some()
            || self.reset.is_some_and(|reset| {
                reset.by == Party::Responder && reset.code == ErrorCode::REFUSED_STREAM
            })
    }
}

impl Exchange {
    /// The number of the stream, if it is one.
    #[must_use]
    pub fn stream_id(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.id)
    }

    /// The RST_STREAM that ended it before it was complete.
    #[must_use]
    pub fn cut_by(&self) -> Option<StreamReset> {
        let reset = self.stream.as_ref()?.reset?;
        (!self.is_complete()).then_some(reset)
    }

    /// It is over whatever becomes of the connection: complete, or a stream that ended by itself.
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

    /// The response ended in the orderly way with another length than it announced (RFC 9113 §8.1.1).
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
