//! One direction of HTTP/2: how far it is in which frame.

use super::facts::H2Half;
use super::frame::{H2FrameHeader, HEADER, USUAL_MAX_FRAME};
use super::header_block::BlockDecoder;
use crate::base::frame_ref::FrameRef;

/// Offsets stop here, so that sums of an offset and a length cannot overflow.
const MAX_OFFSET: u64 = u64::MAX >> 1;
/// What a side may send on the connection before the other gives more (RFC 9113 §6.9.2).
const FIRST_WINDOW: i64 = 65_535;

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum H2ReadState {
    /// The client's preface, of which so many bytes were read.
    Preface { have: usize },
    /// A frame header, of which so many bytes were read.
    Header { have: usize },
    /// A payload of so many more bytes.
    Payload { left: u32 },
    /// Nobody knows. The next slice that begins with a likely frame ends it.
    Lost,
    /// No HTTP/2.
    Foreign,
}

/// A header block in progress (§4.3).
#[derive(Clone, Debug)]
pub(super) struct PartialBlock {
    pub(super) stream: u32,
    pub(super) ends_stream: bool,
    /// It is a promise, no head of a stream (§6.6).
    pub(super) is_promise: bool,
    pub(super) bytes: Vec<u8>,
    /// Part of it is missing or too long: it cannot be decoded.
    pub(super) is_broken: bool,
}

/// One direction.
#[derive(Clone, Debug)]
pub(super) struct H2Direction {
    /// Bytes so far.
    pub(super) offset: u64,
    pub(super) state: H2ReadState,
    /// The frame header so far.
    pub(super) header_bytes: [u8; HEADER],
    /// The frame whose payload is being read.
    pub(super) header: H2FrameHeader,
    /// Where that frame begins.
    pub(super) start: u64,
    pub(super) first: FrameRef,
    /// Bytes of a DATA frame that are neither padding nor its length; `None` until the length of the padding is known.
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

    /// Bytes kept for what is still to come.
    pub(super) fn waiting_bytes(&self) -> usize {
        let block = self.block.as_ref().map_or(0, |block| block.bytes.len());
        self.pending.len() + block + self.reader.waiting_bytes()
    }

    /// Keeps nothing of it, so that blocks cannot be read any more.
    pub(super) fn give_up_waiting(&mut self) {
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
