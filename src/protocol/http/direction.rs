//! The parser state of one direction: its offset, and what the next byte belongs to.

use super::chunked::Chunks;
use super::coding::CodingCheck;
use crate::base::frame_ref::FrameRef;

/// The index that means no exchange.
pub(super) const NONE: u32 = u32::MAX;
/// Offsets saturate here, so that the sum of an offset and a message's length cannot overflow.
const MAX_OFFSET: u64 = u64::MAX >> 1;

/// What the next byte of a direction belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HttpReadState {
    /// A message must begin here.
    Boundary,
    /// A head that waits for more bytes; it is buffered in [`HttpDirection::pending`]. If not `proven`, it may turn out
    /// not to be a head.
    Head { proven: bool },
    /// A known method and a line that is not a request line: HTTP/0.9, malformed, or not HTTP at all. The response will
    /// show which. The bytes are in [`HttpDirection::pending`].
    Doubted,
    /// A body of known length, of which `left` bytes are outstanding.
    Body { left: u64 },
    /// A chunked body.
    Chunks(Chunks),
    /// A body that ends with the connection.
    UntilClose,
    /// After a request for another protocol, until the response states which one follows.
    Held,
    /// Another protocol, agreed on or recognised; no more bytes are consumed.
    Foreign,
    /// Unknown. The next slice that begins with a proven start line ends this state.
    Lost,
}

/// Why a head will never be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadCut {
    /// The sender sent no more of it.
    Sender,
    /// The capture does not hold the rest.
    Capture,
}

/// A head that waits for more bytes.
#[derive(Clone, Debug)]
pub(super) struct PendingHead {
    pub(super) bytes: Vec<u8>,
    /// Number of bytes that were searched for the end of the head.
    pub(super) scanned: usize,
    /// Where its first byte was seen.
    pub(super) first: FrameRef,
    /// Where its last byte so far was seen.
    pub(super) last: FrameRef,
}

/// A sample that is being taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sampling {
    /// The exchange it is for.
    pub(super) exchange: u32,
    /// The offset of the next byte that belongs to it.
    pub(super) next: u64,
}

/// One direction of a connection.
#[derive(Clone, Debug)]
pub(super) struct HttpDirection {
    /// Payload bytes so far.
    pub(super) offset: u64,
    pub(super) pending: Option<Box<PendingHead>>,
    pub(super) state: HttpReadState,
    /// Index of the exchange whose message is being parsed, or was parsed last.
    pub(super) exchange: u32,
    /// Chunks that may be those of a body whose framing was lost.
    pub(super) guess: Option<Box<Chunks>>,
    /// Whether all bytes so far belong to messages that were parsed.
    pub(super) clean: bool,
    /// The beginning of the body that comes next, or that this direction is in, is kept.
    pub(super) quotes: bool,
    /// Checks the body that this direction is in, if it has a content coding.
    pub(super) coding: CodingCheck,
    /// A sample of a response is being taken.
    pub(super) sampling: Option<Sampling>,
}

impl HttpDirection {
    /// Starts at this offset.
    pub(super) const fn new(offset: u64) -> Self {
        Self {
            offset: if offset < MAX_OFFSET {
                offset
            } else {
                MAX_OFFSET
            },
            pending: None,
            state: HttpReadState::Boundary,
            exchange: NONE,
            guess: None,
            clean: true,
            quotes: false,
            coding: CodingCheck::NONE,
            sampling: None,
        }
    }

    /// Whether the next byte belongs to a body.
    pub(super) const fn is_in_body(&self) -> bool {
        matches!(
            self.state,
            HttpReadState::Body { .. } | HttpReadState::Chunks(_) | HttpReadState::UntilClose
        )
    }

    pub(super) fn advance(&mut self, bytes: u64) {
        self.offset = self.offset.saturating_add(bytes).min(MAX_OFFSET);
    }

    /// Offset of the head that waits for more bytes.
    pub(super) fn pending_start(&self) -> Option<u64> {
        let length = self.pending.as_ref()?.bytes.len() as u64;
        Some(self.offset.saturating_sub(length))
    }

    /// From here on it is unknown what the bytes belong to.
    pub(super) fn lose(&mut self) {
        self.state = HttpReadState::Lost;
        self.clean = false;
        self.pending = None;
        self.guess = None;
        self.quotes = false;
        self.coding = CodingCheck::NONE;
    }
}
