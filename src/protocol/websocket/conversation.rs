//! The WebSocket parser of one connection: counts frames, and reads Close, Ping and Pong.

use super::facts::{CloseFrame, WebSocketFacts, WebSocketFrameRule, WebSocketHalf};
use super::frame::{CLOSE, LONGEST, MAX_CONTROL, PING, PONG, WebSocketFrameHeader};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::annotations::{Annotator, RecordKind};
use crate::protocol::http::{Phase, Protocol, SharedText, TextInterner};
use crate::protocol::parts::{PartTeller, StreamPart};

/// Offsets stop here.
const MAX_OFFSET: u64 = u64::MAX >> 1;

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WebSocketReadState {
    /// A frame header.
    Header,
    /// A payload, of which `left` bytes are to come.
    Payload { left: u64 },
    /// Unknown, until a slice is one frame and nothing else.
    Lost,
}

/// One direction.
#[derive(Clone, Debug)]
struct WebSocketDirection {
    offset: u64,
    state: WebSocketReadState,
    /// The frame in progress.
    header: WebSocketFrameHeader,
    start: u64,
    /// Bytes of a header, or the payload of a Close, that came in several slices.
    kept: [u8; MAX_CONTROL],
    have: usize,
    /// Part of this frame's payload was not captured.
    is_cut: bool,
    half: WebSocketHalf,
}

/// The WebSocket parser of one connection.
#[derive(Clone, Debug)]
pub struct WebSocketConversation {
    directions: [WebSocketDirection; 2],
    requester: FlowEnd,
    /// Records what is read; `None` where annotations are not wanted.
    annotator: Option<Annotator>,
    /// Is told which bytes are what.
    teller: Option<PartTeller>,
}

impl WebSocketConversation {
    /// Begins after the 101. `offsets` are how many bytes each end had sent before.
    #[must_use]
    pub fn new(requester: FlowEnd, offsets: [u64; 2]) -> Self {
        let direction = |offset: u64| WebSocketDirection {
            offset: offset.min(MAX_OFFSET),
            state: WebSocketReadState::Header,
            header: WebSocketFrameHeader::default(),
            start: 0,
            kept: [0; MAX_CONTROL],
            have: 0,
            is_cut: false,
            half: WebSocketHalf::default(),
        };
        Self {
            directions: offsets.map(direction),
            requester,
            annotator: None,
            teller: None,
        }
    }

    /// The next bytes of one direction, in order and without overlap. `bytes` is what was captured, `length` what was
    /// on the wire: the rest was cut off by the snap length.
    pub fn data(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        length: u32,
        _texts: &mut TextInterner,
    ) {
        let masked = from == self.requester;
        let mut rest = bytes;
        if self.direction(from).state == WebSocketReadState::Lost && is_frame(bytes, length, masked)
        {
            let direction = self.direction_mut(from);
            direction.state = WebSocketReadState::Header;
            direction.have = 0;
        }
        while !rest.is_empty() {
            let used = self.step(from, at, rest).clamp(1, rest.len());
            rest = rest.get(used..).unwrap_or_default();
        }
        let cut = u64::from(length).saturating_sub(bytes.len() as u64);
        self.pass_over(from, at, cut);
    }

    /// The next `length` bytes of one direction were never captured.
    pub fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64, _texts: &mut TextInterner) {
        self.pass_over(from, at, length);
    }

    /// The FIN of one direction, in order.
    pub fn end(&mut self, from: FlowEnd, _texts: &mut TextInterner) {
        let direction = self.direction_mut(from);
        direction.half.is_cut = match direction.state {
            WebSocketReadState::Header => direction.have > 0,
            WebSocketReadState::Payload { .. } => true,
            WebSocketReadState::Lost => false,
        };
    }

    /// The connection is over. There are no buffers to free.
    pub fn finish(&mut self, texts: &mut TextInterner) {
        for end in FlowEnd::BOTH {
            self.end(end, texts);
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

    /// The protocol.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        Protocol::WebSocket
    }

    /// The client: the side whose request asked for the WebSocket.
    #[must_use]
    pub const fn requester(&self) -> Option<(FlowEnd, Certainty)> {
        Some((self.requester, Certainty::Certain))
    }

    /// The phase; after the 101 there is only one.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        Phase::Tunnel
    }

    /// What both sides sent, halves in the order of the flow ends.
    #[must_use]
    pub fn into_facts(self) -> WebSocketFacts {
        WebSocketFacts {
            halves: self.directions.map(|direction| direction.half),
        }
    }

    fn direction(&self, end: FlowEnd) -> &WebSocketDirection {
        let [a, b] = &self.directions;
        match end {
            FlowEnd::A => a,
            FlowEnd::B => b,
        }
    }

    fn direction_mut(&mut self, end: FlowEnd) -> &mut WebSocketDirection {
        let [a, b] = &mut self.directions;
        match end {
            FlowEnd::A => a,
            FlowEnd::B => b,
        }
    }

    /// Consumes at least one byte of `bytes` and returns how many.
    fn step(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8]) -> usize {
        let masked = from == self.requester;
        let direction = self.direction_mut(from);
        match direction.state {
            WebSocketReadState::Lost => {
                direction.advance(bytes.len() as u64);
                bytes.len()
            }
            WebSocketReadState::Header => {
                let room = LONGEST - direction.have.min(LONGEST);
                let take = room.min(bytes.len());
                direction.keep(bytes.get(..take).unwrap_or_default());
                let known = direction.kept.get(..direction.have).unwrap_or_default();
                let Some((header, size)) = WebSocketFrameHeader::read(known) else {
                    direction.advance(take as u64);
                    return take;
                };
                // Bytes kept beyond the header are payload, and are read again as such.
                let before = direction.have - take;
                let used = size.saturating_sub(before);
                direction.advance(used as u64);
                direction.begin(header, size, masked, at);
                if let Some(annotator) = &self.annotator {
                    annotator.note(from, at, RecordKind::Ws(header.opcode, header.length));
                }
                if let Some(teller) = &self.teller {
                    let part = StreamPart::WebSocket {
                        header: size as u8,
                        opcode: header.opcode,
                        mask: header.mask,
                    };
                    let length = header.length.saturating_add(size as u64);
                    teller.part(from, self.direction(from).start, length, part);
                }
                if header.length == 0 {
                    self.end_frame(from, at, &[]);
                }
                used
            }
            WebSocketReadState::Payload { left } => {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let now = bytes.get(..take).unwrap_or_default();
                let left = left - take as u64;
                direction.advance(take as u64);
                direction.half.bytes = direction.half.bytes.saturating_add(take as u64);
                direction.state = WebSocketReadState::Payload { left };
                if direction.header.opcode == CLOSE {
                    direction.keep(now);
                }
                if left == 0 {
                    let kept = direction.kept;
                    let have = direction.have;
                    self.end_frame(from, at, kept.get(..have).unwrap_or_default());
                }
                take
            }
        }
    }

    /// A frame is over; `payload` is that of a Close.
    fn end_frame(&mut self, from: FlowEnd, at: FrameRef, payload: &[u8]) {
        let direction = self.direction_mut(from);
        direction.state = WebSocketReadState::Header;
        direction.have = 0;
        let header = direction.header;
        match header.opcode {
            CLOSE => {
                let close = direction.close(payload, at);
                direction.half.close.get_or_insert(close);
            }
            PING => {
                let pings = &mut direction.half.pings;
                pings.sent = pings.sent.saturating_add(1);
                pings.unanswered.get_or_insert(at);
                pings.last = Some(at);
            }
            PONG => {
                let pings = &mut self.direction_mut(from.other()).half.pings;
                // An unsolicited Pong is allowed (§5.5.3).
                if pings.unanswered.take().is_some() {
                    pings.answered = pings.answered.saturating_add(1);
                }
            }
            _ if header.fin => direction.half.messages = direction.half.messages.saturating_add(1),
            _ => {}
        }
    }

    /// Skips bytes that were cut off or never captured.
    fn pass_over(&mut self, from: FlowEnd, at: FrameRef, length: u64) {
        let mut length = length;
        let direction = self.direction_mut(from);
        if let WebSocketReadState::Payload { left } = direction.state {
            let take = left.min(length);
            length -= take;
            direction.advance(take);
            direction.half.bytes = direction.half.bytes.saturating_add(take);
            direction.is_cut |= take > 0;
            direction.state = WebSocketReadState::Payload { left: left - take };
            if left == take && take > 0 {
                let kept = direction.kept;
                let have = direction.have;
                self.end_frame(from, at, kept.get(..have).unwrap_or_default());
            }
        }
        if length > 0 {
            let direction = self.direction_mut(from);
            direction.advance(length);
            direction.state = WebSocketReadState::Lost;
            direction.half.lost = true;
        }
    }
}

impl WebSocketDirection {
    fn advance(&mut self, bytes: u64) {
        self.offset = self.offset.saturating_add(bytes).min(MAX_OFFSET);
    }

    fn keep(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(slot) = self.kept.get_mut(self.have) {
                *slot = *byte;
                self.have += 1;
            }
        }
    }

    /// A frame header of `size` bytes ends at the offset.
    fn begin(&mut self, header: WebSocketFrameHeader, size: usize, masked: bool, at: FrameRef) {
        self.header = header;
        self.start = self.offset.saturating_sub(size as u64);
        self.have = 0;
        self.is_cut = false;
        self.state = WebSocketReadState::Payload {
            left: header.length,
        };
        self.half.frames = self.half.frames.saturating_add(1);
        self.half.last = Some(at);
        let too_long = header.length > MAX_CONTROL as u64 || !header.fin;
        let fault = if header.mask.is_some() != masked {
            Some(WebSocketFrameRule::Mask)
        } else if !header.is_defined() {
            Some(WebSocketFrameRule::Opcode)
        } else if header.is_control() && too_long {
            Some(WebSocketFrameRule::Control)
        } else {
            None
        };
        if let Some(rule) = fault {
            self.half.fault.get_or_insert((rule, at));
        }
    }

    /// Parses the Close that ends here (§5.5.1): two bytes of code, then the reason.
    fn close(&self, payload: &[u8], at: FrameRef) -> CloseFrame {
        let mask = self.header.mask.unwrap_or_default();
        let plain: Vec<u8> = payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect();
        let (code, reason) = match plain.split_first_chunk() {
            Some((code, reason)) => (Some(u16::from_be_bytes(*code)), reason),
            None => (None, &[][..]),
        };
        CloseFrame {
            at,
            start: self.start,
            code,
            reason: SharedText::new(reason),
        }
    }
}

/// Whether a slice is one frame and nothing else: after a loss, nothing less is accepted as a frame.
fn is_frame(bytes: &[u8], length: u32, masked: bool) -> bool {
    WebSocketFrameHeader::read(bytes).is_some_and(|(header, size)| {
        header.is_defined()
            && header.reserved & 3 == 0
            && header.mask.is_some() == masked
            && header.length.checked_add(size as u64) == Some(u64::from(length))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::flow_end::FlowEnd::{A, B};
    use crate::base::frame_ref::FrameNumber;
    use crate::base::time::Timestamp;

    fn frame_ref(line: u64) -> FrameRef {
        FrameRef {
            frame: FrameNumber(line),
            time: Timestamp::from_nanos(line as i64 * 1_000_000),
        }
    }

    fn frame(opcode: u8, payload: &[u8], masked: bool) -> Vec<u8> {
        let key = [1, 2, 3, 4];
        let mut bytes = vec![0x80 | opcode];
        let bit = if masked { 0x80 } else { 0 };
        match payload.len() {
            short @ 0..126 => bytes.push(bit | short as u8),
            length => {
                bytes.push(bit | 126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
        }
        if masked {
            bytes.extend_from_slice(&key);
        }
        let key = if masked { key } else { [0; 4] };
        let payload = payload.iter().zip(key.iter().cycle());
        bytes.extend(payload.map(|(byte, key)| byte ^ key));
        bytes
    }

    fn layer_facts(said: &[(FlowEnd, Vec<u8>)], slice: usize) -> WebSocketFacts {
        let mut talk = WebSocketConversation::new(A, [10, 20]);
        let mut texts = TextInterner::new();
        for ((from, bytes), line) in said.iter().zip(1..) {
            for piece in bytes.chunks(slice) {
                talk.data(
                    *from,
                    frame_ref(line),
                    piece,
                    piece.len() as u32,
                    &mut texts,
                );
            }
        }
        talk.finish(&mut texts);
        talk.into_facts()
    }

    #[test]
    fn a_close_is_read_whatever_the_slices() {
        let said = [
            (A, frame(1, b"hello", true)),
            (B, frame(1, &[b'x'; 300], false)),
            (B, frame(CLOSE, b"\x03\xe9bye", false)),
            (A, frame(CLOSE, b"\x03\xe9bye", true)),
        ];
        for slice in 1..20 {
            let facts = layer_facts(&said, slice);
            let [client, server] = &facts.halves;
            for (half, line) in [(server, 3), (client, 4)] {
                let close = half.close.as_ref().expect("a Close");
                assert_eq!(
                    (close.code, close.at),
                    (Some(1001), frame_ref(line)),
                    "slices of {slice}"
                );
                assert_eq!(close.reason.as_bytes(), b"bye");
                assert_eq!((half.frames, half.messages, half.is_cut), (2, 1, false));
            }
            assert_eq!((client.bytes, server.bytes), (10, 305));
            assert_eq!(
                server.close.as_ref().map(|close| close.start),
                Some(20 + 304)
            );
            assert!(client.fault.is_none() && !facts.has_no_close());
        }
    }

    #[test]
    fn pings_want_pongs() {
        let facts = layer_facts(
            &[
                (B, frame(PING, b"1", false)),
                (A, frame(PONG, b"1", true)),
                (B, frame(PING, b"2", false)),
                (B, frame(PING, b"3", false)),
            ],
            99,
        );
        let pings = facts.halves[1].pings;
        assert_eq!((pings.sent, pings.answered), (3, 1));
        assert_eq!(
            (pings.unanswered, pings.last),
            (Some(frame_ref(3)), Some(frame_ref(4)))
        );
        assert!(facts.has_no_close());
    }

    #[test]
    fn what_is_missing_ends_at_the_next_whole_frame() {
        let mut talk = WebSocketConversation::new(A, [0, 0]);
        let mut texts = TextInterner::new();
        talk.gap(B, frame_ref(1), 50, &mut texts);
        talk.data(B, frame_ref(2), b"\x81\x10rest", 6, &mut texts);
        let close = frame(CLOSE, b"\x03\xe8", false);
        talk.data(B, frame_ref(3), &close, close.len() as u32, &mut texts);
        let facts = talk.into_facts();
        let half = &facts.halves[1];
        assert!(half.lost);
        assert_eq!(half.close.as_ref().and_then(|close| close.code), Some(1000));
    }

    #[test]
    fn a_frame_cut_short_and_one_without_its_mask() {
        let mut cut = frame(1, b"hello", false);
        cut.pop();
        let facts = layer_facts(&[(B, cut), (A, frame(1, b"x", false))], 99);
        assert!(facts.halves[1].is_cut && !facts.halves[0].is_cut);
        assert_eq!(
            facts.halves[0].fault,
            Some((WebSocketFrameRule::Mask, frame_ref(2)))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(said in proptest::collection::vec((any::<bool>(), any::<Vec<u8>>(), 0..300_u64), 0..8)) {
            let mut talk = WebSocketConversation::new(A, [u64::MAX, 0]);
            let mut texts = TextInterner::new();
            for (client, bytes, gap) in said {
                let from = if client { A } else { B };
                talk.data(from, frame_ref(1), &bytes, bytes.len() as u32, &mut texts);
                if gap < 100 {
                    talk.gap(from, frame_ref(2), gap, &mut texts);
                }
            }
            talk.finish(&mut texts);
            prop_assert!(talk.into_facts().halves.iter().all(|half| half.messages <= half.frames));
        }
    }
}
