//! The HTTP/2 parser of one connection: the way of a byte through it.
//!
//! In: both directions' bytes in order. Out: exchanges, [`H2Facts`], phases. DATA is counted in place. Control frames
//! and header blocks are parsed in place when one slice holds them; otherwise they are buffered, within bounds.

use std::collections::BTreeMap;

use super::direction::{H2Direction, H2ReadState};
use super::facts::{FrameFault, H2Facts, H2FrameRule, MAX_FRAME_FAULTS, PrefaceMismatch};
use super::frame::{H2FrameHeader, HEADER, PREFACE, kind};
use super::header_block::MAX_BLOCK;
use super::streams::OpenStream;
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::annotations::{Annotator, RecordKind};
use crate::protocol::http::{Exchange, H2Stream, Protocol, SharedText, TextInterner};
use crate::protocol::parts::{PartTeller, StreamPart};

/// Streams kept of one connection (about 8 MB). Beyond that the oldest are evicted, and counted: a peer that opens and
/// resets streams without end makes as many as there are numbers, 2³⁰.
pub(crate) const MAX_STREAMS: usize = 16_384;
/// Streams followed at a time; servers rarely allow more than a few hundred.
pub(crate) const MAX_OPEN: usize = 4096;
/// Bytes quoted of what is not HTTP/2.
const MAX_QUOTE: usize = 64;

/// The HTTP/2 parser of one TCP connection.
#[derive(Clone, Debug)]
pub struct H2Conversation {
    pub(super) directions: [H2Direction; 2],
    pub(super) requester: FlowEnd,
    pub(super) exchanges: Vec<Exchange>,
    /// Bytes that the exchanges hold beside their own size.
    pub(super) text_bytes: usize,
    pub(super) let_go: u64,
    pub(super) open: BTreeMap<u32, OpenStream>,
    /// The first stream whose beginning was seen.
    pub(super) first_begun: Option<u32>,
    pub(super) facts: H2Facts,
    /// Whether each direction has ended.
    pub(super) over: [bool; 2],
    /// Records what is read; `None` where annotations are not wanted.
    annotator: Option<Annotator>,
    /// Is told which bytes are what.
    teller: Option<PartTeller>,
}

impl H2Conversation {
    /// Begins with the preface of `requester`, the next byte of its direction. `offsets` are the numbers of bytes that
    /// each end had sent before.
    #[must_use]
    pub fn new(requester: FlowEnd, offsets: [u64; 2]) -> Self {
        let directions = FlowEnd::BOTH.map(|end| {
            let state = if end == requester {
                H2ReadState::Preface { have: 0 }
            } else {
                H2ReadState::Header { have: 0 }
            };
            H2Direction::new(state, offsets[end.index()])
        });
        Self {
            directions,
            requester,
            exchanges: Vec::new(),
            text_bytes: 0,
            let_go: 0,
            open: BTreeMap::new(),
            first_begun: None,
            facts: H2Facts::default(),
            over: [false; 2],
            annotator: None,
            teller: None,
        }
    }

    /// The same, with an annotator that records the frames.
    #[must_use]
    pub(crate) fn with_annotator(mut self, annotator: Option<Annotator>) -> Self {
        self.annotator = annotator;
        self
    }

    /// The same, with an observer that is told which bytes are what.
    #[must_use]
    pub(crate) fn with_teller(mut self, teller: Option<PartTeller>) -> Self {
        self.teller = teller;
        self
    }

    /// A connection that began before the capture, or whose beginning is missing. `requester` is the client, by content
    /// or presumed.
    #[must_use]
    pub(crate) fn midstream(requester: FlowEnd, offsets: [u64; 2]) -> Self {
        let mut conversation = Self::new(requester, offsets);
        conversation.facts.midstream = true;
        for direction in &mut conversation.directions {
            direction.state = H2ReadState::Lost;
            direction.half.lost = true;
            direction.reader.lose();
        }
        conversation
    }

    /// Takes this side for the client, where another was presumed and no stream was seen yet.
    pub(crate) fn correct_requester(&mut self, requester: FlowEnd) {
        if self.exchanges.is_empty() && self.open.is_empty() {
            self.requester = requester;
        }
    }

    /// The same after a 101 to `h2c`: the last exchange in `before` is the request that asked for the upgrade, which is
    /// stream 1 (RFC 7540 §3.2).
    #[must_use]
    pub(crate) fn upgraded(mut self, before: Vec<Exchange>) -> Self {
        self.facts.upgraded = true;
        self.exchanges = before;
        if let Some(request) = self.exchanges.pop() {
            self.adopt(request);
        }
        self
    }

    /// The next bytes of one direction, in order and without overlap. `bytes` is what was captured, `length` what was
    /// on the wire: the rest was cut off by the snap length.
    pub fn data(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        length: u32,
        texts: &mut TextInterner,
    ) {
        let mut rest = bytes;
        let mut begins = true;
        while !rest.is_empty() {
            let used = self
                .step(from, at, rest, begins, texts)
                .clamp(1, rest.len());
            rest = rest.get(used..).unwrap_or_default();
            begins = false;
        }
        let cut = u64::from(length).saturating_sub(bytes.len() as u64);
        if cut > 0 {
            self.pass_over(from, at, cut, false, texts);
        }
    }

    /// The next `length` bytes of one direction were never captured.
    pub fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64, texts: &mut TextInterner) {
        if length > 0 {
            self.pass_over(from, at, length, true, texts);
        }
    }

    /// The FIN of one direction, in order. It ends no frame, but every stream that the other side still reads.
    pub fn end(&mut self, from: FlowEnd, _texts: &mut TextInterner) {
        self.over[from.index()] = true;
    }

    /// The connection is over: frees the buffers.
    pub fn finish(&mut self, _texts: &mut TextInterner) {
        self.finish_sockets();
        for direction in &mut self.directions {
            direction.pending = Vec::new();
            direction.block = None;
            direction.reader.lose();
        }
        self.open.clear();
        self.exchanges.shrink_to_fit();
    }

    /// Bytes of incomplete frames and header blocks, and of the tables that blocks are decoded with.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.directions.iter().map(H2Direction::waiting_bytes).sum()
    }

    /// Drops incomplete frames and the tables, since too much waits in total: from then on fields are not decoded, but
    /// frames are read.
    pub(crate) fn drop_incomplete(&mut self) {
        self.directions
            .iter_mut()
            .for_each(H2Direction::drop_incomplete);
    }

    /// The protocol.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        Protocol::Http2
    }

    /// Who is the client, by the preface.
    #[must_use]
    pub const fn requester(&self) -> Option<(FlowEnd, Certainty)> {
        Some((self.requester, Certainty::Certain))
    }

    /// The request streams, in the order in which they began.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// The streams, and what is about the connection, with halves in the order of the flow ends.
    #[must_use]
    pub fn into_parts(mut self) -> (Vec<Exchange>, H2Facts) {
        self.facts.halves = self.directions.map(|direction| direction.half);
        (self.exchanges, self.facts)
    }

    /// Streams that were evicted: the oldest, beyond [`MAX_STREAMS`] or to save memory.
    #[must_use]
    pub const fn let_go(&self) -> u64 {
        self.let_go
    }

    /// Bytes of memory that the exchanges take.
    #[must_use]
    pub(crate) const fn exchange_bytes(&self) -> usize {
        let each = size_of::<Exchange>() + size_of::<H2Stream>();
        self.exchanges.len() * each + self.text_bytes
    }

    pub(super) fn direction(&self, end: FlowEnd) -> &H2Direction {
        end.of(&self.directions)
    }

    pub(super) fn direction_mut(&mut self, end: FlowEnd) -> &mut H2Direction {
        end.of_mut(&mut self.directions)
    }

    /// Notes a frame that breaks the protocol.
    pub(super) fn fault(&mut self, from: FlowEnd, rule: H2FrameRule, stream: u32, at: FrameRef) {
        if self.facts.faults.len() < MAX_FRAME_FAULTS {
            self.facts.faults.push(FrameFault {
                rule,
                by_client: from == self.requester,
                stream,
                at,
            });
        } else {
            self.facts.more_faults = self.facts.more_faults.saturating_add(1);
        }
    }

    /// Consumes at least one byte of `bytes` and returns how many. `begins`: they begin a slice.
    fn step(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        begins: bool,
        texts: &mut TextInterner,
    ) -> usize {
        match self.direction(from).state {
            H2ReadState::Preface { have } => self.preface(from, at, bytes, have),
            H2ReadState::Header { have } => self.header(from, at, bytes, have, texts),
            H2ReadState::Payload { left } => self.payload(from, at, bytes, left, texts),
            // The upgrade to HTTP/2 was before the capture or among what it lacks, and the preface is here.
            H2ReadState::Lost if begins && bytes.starts_with(PREFACE) => {
                self.preface(from, at, bytes, 0)
            }
            H2ReadState::Lost if begins && is_likely(bytes, self.direction(from).max_frame) => {
                self.direction_mut(from).state = H2ReadState::Header { have: 0 };
                self.header(from, at, bytes, 0, texts)
            }
            H2ReadState::Lost | H2ReadState::Foreign => {
                self.direction_mut(from).advance(bytes.len() as u64);
                bytes.len()
            }
        }
    }

    fn preface(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8], have: usize) -> usize {
        let wanted = PREFACE.get(have..).unwrap_or_default();
        let take = wanted.len().min(bytes.len());
        let same = bytes.get(..take) == wanted.get(..take);
        if !same {
            self.mismatch(from, at, bytes);
            self.direction_mut(from).advance(bytes.len() as u64);
            return bytes.len();
        }
        if let Some(teller) = &self.teller {
            let start = self.direction(from).offset;
            teller.part(from, start, take as u64, StreamPart::H2Preface);
        }
        let direction = self.direction_mut(from);
        direction.advance(take as u64);
        let have = have + take;
        direction.state = if have == PREFACE.len() {
            H2ReadState::Header { have: 0 }
        } else {
            H2ReadState::Preface { have }
        };
        take
    }

    fn mismatch(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8]) {
        let quote = bytes.get(..MAX_QUOTE).unwrap_or(bytes);
        let by_client = from == self.requester;
        self.facts.mismatch.get_or_insert_with(|| PrefaceMismatch {
            at,
            by_client,
            bytes: SharedText::new(quote),
        });
        self.direction_mut(from).state = H2ReadState::Foreign;
    }

    fn header(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        have: usize,
        texts: &mut TextInterner,
    ) -> usize {
        let is_first = self.direction(from).half.frames == 0 && !self.direction(from).half.lost;
        // The answer of a server that does not use HTTP/2 need not be nine bytes long.
        if is_first && have == 0 && from != self.requester && bytes.starts_with(b"HTTP/") {
            self.mismatch(from, at, bytes);
            self.direction_mut(from).advance(bytes.len() as u64);
            return bytes.len();
        }
        let direction = self.direction_mut(from);
        if have == 0 {
            direction.start = direction.offset;
            direction.first = at;
        }
        let take = (HEADER - have.min(HEADER)).min(bytes.len());
        for (slot, byte) in direction
            .header_bytes
            .iter_mut()
            .skip(have)
            .zip(bytes.iter().take(take))
        {
            *slot = *byte;
        }
        direction.advance(take as u64);
        if have + take < HEADER {
            direction.state = H2ReadState::Header { have: have + take };
            return take;
        }
        let header = H2FrameHeader::read(direction.header_bytes);
        let read = direction.header_bytes;
        if is_first && !header.is_likely(direction.max_frame) {
            let rest = bytes.get(take..).unwrap_or_default();
            let quote: Vec<u8> = read
                .iter()
                .chain(rest.iter().take(MAX_QUOTE))
                .copied()
                .collect();
            self.mismatch(from, at, &quote);
            return take;
        }
        self.begin_frame(from, at, header);
        if header.length == 0 {
            self.end_frame(from, at, &[], texts);
        }
        take
    }

    /// A frame header is complete.
    fn begin_frame(&mut self, from: FlowEnd, at: FrameRef, header: H2FrameHeader) {
        if let Some(annotator) = &self.annotator {
            let what = RecordKind::H2 {
                kind: header.kind,
                flags: header.flags,
                stream: header.stream,
                length: header.length,
            };
            annotator.note(from, at, what);
        }
        if let Some(teller) = &self.teller {
            let part = StreamPart::H2Frame {
                kind: header.kind,
                flags: header.flags,
            };
            let length = u64::from(header.length) + HEADER as u64;
            teller.part(from, self.direction(from).start, length, part);
        }
        let direction = self.direction_mut(from);
        direction.header = header;
        direction.state = H2ReadState::Payload {
            left: header.length,
        };
        direction.is_cut = false;
        direction.pending.clear();
        direction.data_left = None;
        direction.half.frames = direction.half.frames.saturating_add(1);
        direction.half.last = Some(at);
        let max = direction.max_frame;
        let in_block = direction.block.as_ref().map(|block| block.stream);
        // The limit that was announced before the capture is not known.
        if !header.fits(max) && !self.facts.midstream {
            self.fault(from, H2FrameRule::FrameSize, header.stream, at);
        }
        match (in_block, header.kind) {
            (Some(stream), kind::CONTINUATION) if stream == header.stream => {}
            (Some(stream), _) => {
                self.fault(from, H2FrameRule::HeaderBlockBroken, stream, at);
                let direction = self.direction_mut(from);
                direction.block = None;
                direction.reader.lose();
            }
            (None, kind::CONTINUATION) => {
                self.fault(from, H2FrameRule::LoneContinuation, header.stream, at);
            }
            (None, _) => {}
        }
        match header.kind {
            kind::DATA => self.begin_data(from, at),
            kind::HEADERS => self.begin_head(from, at),
            _ => {}
        }
    }

    fn payload(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        left: u32,
        texts: &mut TextInterner,
    ) -> usize {
        let take = (left as usize).min(bytes.len());
        let now = bytes.get(..take).unwrap_or_default();
        let left = left - take as u32;
        let direction = self.direction_mut(from);
        direction.advance(take as u64);
        direction.state = H2ReadState::Payload { left };
        match direction.header.kind {
            kind::DATA => {
                self.take_data(from, at, now, take as u32, false, texts);
                if left == 0 {
                    self.end_frame(from, at, &[], texts);
                }
            }
            // Extensions are to be ignored (§5.5), and priorities show nothing here.
            other if other > kind::CONTINUATION || other == kind::PRIORITY => {
                if left == 0 {
                    direction.state = H2ReadState::Header { have: 0 };
                }
            }
            _ if left == 0 && direction.pending.is_empty() && !direction.is_cut => {
                self.end_frame(from, at, now, texts);
            }
            _ => {
                // Bytes after a hole are not at their place in the payload.
                let room = match direction.is_cut {
                    true => 0,
                    false => MAX_BLOCK.saturating_sub(direction.pending.len()),
                };
                direction.is_cut |= room < now.len();
                direction
                    .pending
                    .extend_from_slice(now.get(..room).unwrap_or(now));
                if left == 0 {
                    let pending = std::mem::take(&mut self.direction_mut(from).pending);
                    self.end_frame(from, at, &pending, texts);
                }
            }
        }
        take
    }

    /// A frame is over: read to its end, or skipped. `payload` is that of a control frame, as far as it was captured.
    fn end_frame(&mut self, from: FlowEnd, at: FrameRef, payload: &[u8], texts: &mut TextInterner) {
        self.direction_mut(from).state = H2ReadState::Header { have: 0 };
        match self.direction(from).header.kind {
            kind::DATA => self.end_data(from, at),
            kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION => {
                self.fragment(from, at, payload, texts);
            }
            _ => self.notice(from, at, payload, texts),
        }
    }

    /// Bytes that were cut off (`lost` is false) or never captured.
    fn pass_over(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        length: u64,
        lost: bool,
        texts: &mut TextInterner,
    ) {
        let mut length = length;
        if let H2ReadState::Payload { left } = self.direction(from).state {
            let take = u64::from(left).min(length) as u32;
            length -= u64::from(take);
            let direction = self.direction_mut(from);
            direction.advance(u64::from(take));
            direction.is_cut = true;
            direction.state = H2ReadState::Payload { left: left - take };
            if direction.header.kind == kind::DATA {
                self.take_data(from, at, &[], take, lost, texts);
            }
            if take == left {
                let pending = std::mem::take(&mut self.direction_mut(from).pending);
                self.end_frame(from, at, &pending, texts);
            }
        }
        if length == 0 {
            return;
        }
        let direction = self.direction_mut(from);
        direction.advance(length);
        if direction.state == H2ReadState::Foreign {
            return;
        }
        direction.state = H2ReadState::Lost;
        direction.half.lost = true;
        direction.block = None;
        direction.reader.lose();
        self.doubt(from, length);
    }
}

/// Whether a slice begins with a frame: a likely header, and another one after its payload if the slice reaches that
/// far.
fn is_likely(bytes: &[u8], max: u32) -> bool {
    let mut rest = bytes;
    let mut seen = 0;
    while let Some(header) = rest.first_chunk() {
        let header = H2FrameHeader::read(*header);
        if !header.is_likely(max) {
            return false;
        }
        seen += 1;
        let next = HEADER + header.length as usize;
        match rest.get(next..) {
            Some(after) if seen < 3 && !after.is_empty() => rest = after,
            _ => return true,
        }
    }
    // The rest is too short for a header.
    seen > 0
}
