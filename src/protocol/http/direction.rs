//! One direction of a conversation: how far it is, and what the next byte belongs to.

use super::chunked::Chunks;
use crate::base::frame_ref::FrameRef;

/// No exchange.
pub(super) const NONE: u32 = u32::MAX;
/// Offsets stop here, so that sums of an offset and a message's length cannot overflow.
const MAX_OFFSET: u64 = u64::MAX >> 1;

/// What the next byte of a direction belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HttpReadState {
    /// A message must begin here.
    Boundary,
    /// A head that waits for more bytes; they are in [`HttpDirection::pending`]. Unproven: perhaps it is none.
    Head { proven: bool },
    /// A known method and a line that is no request line: HTTP/0.9, malformed, or no HTTP at all. The answer tells. The
    /// bytes are in [`HttpDirection::pending`].
    Doubted,
    /// A body of so many more bytes.
    Body { left: u64 },
    /// A chunked body.
    Chunks(Chunks),
    /// A body until the end.
    UntilClose,
    /// After a request that asked for another protocol, until the answer says which.
    Held,
    /// Another protocol, agreed on or recognised; nothing is taken any more.
    Foreign,
    /// Nobody knows. The next slice that begins with a proven start line ends it.
    Lost,
}

/// Why a head will never be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadCut {
    /// Its sender sent no more.
    Sender,
    /// The capture does not hold the rest.
    Capture,
}

/// A head that waits for more bytes.
#[derive(Clone, Debug)]
pub(super) struct PendingHead {
    pub(super) bytes: Vec<u8>,
    /// So many bytes were searched for the end of the head.
    pub(super) scanned: usize,
    /// Where its first byte was seen.
    pub(super) first: FrameRef,
    /// Where its last byte so far was seen.
    pub(super) last: FrameRef,
}

/// One direction.
#[derive(Clone, Debug)]
pub(super) struct HttpDirection {
    /// Payload bytes so far.
    pub(super) offset: u64,
    pub(super) pending: Option<Box<PendingHead>>,
    pub(super) state: HttpReadState,
    /// The exchange whose message is being read; of the last one, when it was read.
    pub(super) exchange: u32,
    /// Chunks that may be those of a body that was lost sight of.
    pub(super) guess: Option<Box<Chunks>>,
    /// All bytes so far belong to messages that were understood.
    pub(super) clean: bool,
}

impl HttpDirection {
    /// Begins at this offset.
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
        }
    }

    pub(super) fn advance(&mut self, bytes: u64) {
        self.offset = self.offset.saturating_add(bytes).min(MAX_OFFSET);
    }

    /// Offset of the head that waits for more bytes.
    pub(super) fn pending_start(&self) -> Option<u64> {
        let length = self.pending.as_ref()?.bytes.len() as u64;
        Some(self.offset.saturating_sub(length))
    }

    /// From here on nobody knows.
    pub(super) fn lose(&mut self) {
        self.state = HttpReadState::Lost;
        self.clean = false;
        self.pending = None;
        self.guess = None;
    }
}
