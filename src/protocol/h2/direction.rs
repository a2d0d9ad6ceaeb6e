//! The state of one direction of HTTP/2: which frame is being read, and how far.

use super::facts::H2Half;
use super::frame::{H2FrameHeader, HEADER, USUAL_MAX_FRAME};
use super::header_block::BlockDecoder;
use crate::base::frame_ref::FrameRef;

/// Offsets stop here, so that sums of an offset and a length cannot overflow.
const MAX_OFFSET: u64 = u64::MAX >> 1;
/// Bytes a side may send on the connection before the first WINDOW_UPDATE (RFC 9113 §6.9.2).
const FIRST_WINDOW: i64 = 65_535;

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum H2ReadState {
    /// The client's preface, of which `have` bytes were read.
    Preface { have: usize },
    /// A frame header, of which `have` bytes were read.
    Header { have: usize },
    /// A payload, of which `left` bytes are to come.
    Payload { left: u32 },
    /// Unknown, until a slice begins with a likely frame.
    Lost,
    /// Not HTTP/2.
    Foreign,
}

/// A header block in progress (§4.3).
#[derive(Clone, Debug)]
pub(super) struct PartialBlock {
    pub(super) stream: u32,
    pub(super) ends_stream: bool,
    /// It belongs to a PUSH_PROMISE (§6.6), and is no head of its stream.
    pub(super) is_promise: bool,
    pub(super) bytes: Vec<u8>,
    /// Part of it is missing or too long: it cannot be decoded.
    pub(super) is_broken: bool,
}

/// One direction of a connection.
#[derive(Clone, Debug)]
pub(super) struct H2Direction {
    /// Bytes of this direction so far, with those from before HTTP/2 began.
    pub(super) offset: u64,
    pub(super) state: H2ReadState,
    /// The frame header so far.
    pub(super) header_bytes: [u8; HEADER],
    /// The frame whose payload is being read.
    pub(super) header: H2FrameHeader,
    /// Offset of that frame.
    pub(super) start: u64,
    pub(super) first: FrameRef,
    /// Bytes of the current DATA frame still to come, without padding and its length; `None` until the length of the
    /// padding is known.
    pub(super) data_left: Option<u32>,
    /// The payload of a control frame that came in several slices.
    pub(super) pending: Vec<u8>,
    /// Bytes of this payload are missing.
    pub(super) is_cut: bool,
    pub(super) block: Option<Box<PartialBlock>>,
    pub(super) reader: BlockDecoder,
    /// The longest frame that the other side allows.
    pub(super) max_frame: u32,
    /// The highest stream that this side has opened.
    pub(super) last_stream: u32,
    /// What this side may still send on the connection.
    pub(super) window: i64,
    pub(super) half: H2Half,
}

impl H2Direction {
    pub(super) fn new(state: H2ReadState, offset: u64) -> Self {
        Self {
            offset: offset.min(MAX_OFFSET),
            state,
            header_bytes: [0; HEADER],
            header: H2FrameHeader::default(),
            start: 0,
            first: FrameRef::default(),
            data_left: None,
            pending: Vec::new(),
            is_cut: false,
            block: None,
            reader: BlockDecoder::default(),
            max_frame: USUAL_MAX_FRAME,
            last_stream: 0,
            window: FIRST_WINDOW,
            half: H2Half::default(),
        }
    }

    /// Bytes kept of incomplete frames and blocks, and of the table.
    pub(super) fn waiting_bytes(&self) -> usize {
        let block = self.block.as_ref().map_or(0, |block| block.bytes.len());
        self.pending.len() + block + self.reader.waiting_bytes()
    }

    /// Drops all of these, so that header blocks cannot be decoded any more.
    pub(super) fn drop_incomplete(&mut self) {
        self.is_cut |= !self.pending.is_empty();
        self.pending = Vec::new();
        if let Some(block) = &mut self.block {
            block.is_broken = true;
            block.bytes = Vec::new();
        }
        self.reader.lose();
    }

    pub(super) fn advance(&mut self, bytes: u64) {
        self.offset = self.offset.saturating_add(bytes).min(MAX_OFFSET);
    }
}
