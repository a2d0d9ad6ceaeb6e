//! Messages that are broken, and messages that were not captured completely. The two must not be confused: a message
//! cut by its sender is a finding, one cut by the capture is not.

use super::conversation::{HttpConversation, Protocol};
use super::direction::{HeadCut, HttpReadState, NONE};
use super::fault::{Fault, FaultRule, MAX_FAULTS, MAX_QUOTE};
use super::head::HeadKind;
use super::message::{Framing, HttpVersion, MessageProgress};
use super::pairing::is_simple_request;
use super::recognition::{begins_request, may_be_request};
use super::sample::MAX_SAMPLE;
use super::text::{SharedText, TextInterner};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::parts::StreamPart;

impl HttpConversation {
    /// Records a fault of the message this direction is in.
    pub(super) fn fault(&mut self, from: FlowEnd, rule: FaultRule, offset: u64, bytes: &[u8]) {
        self.faults = self.faults.saturating_add(1);
        let Some(head) = self.rare_head(from) else {
            return;
        };
        if head.faults.len() < MAX_FAULTS {
            let bytes = SharedText::new(bytes.get(..MAX_QUOTE).unwrap_or(bytes));
            head.faults.push(Fault {
                rule,
                offset,
                bytes,
                quoted: offset,
            });
        } else {
            head.more_faults = head.more_faults.saturating_add(1);
        }
    }

    /// Counts bytes of the message this direction is in that were never captured.
    pub(super) fn missing(&mut self, from: FlowEnd, bytes: u64) {
        if bytes > 0
            && let Some(rare) = self.rare_head(from)
        {
            rare.missing = rare.missing.saturating_add(bytes);
        }
    }

    /// The framing of the message this direction is in is broken: where it ends is undefined.
    pub(super) fn break_off(&mut self, from: FlowEnd) {
        if let Some(message) = self.message_mut(from)
            && message.progress != MessageProgress::Complete
        {
            message.progress = MessageProgress::Broken;
        }
        self.direction_mut(from).lose();
    }

    /// The capture lost what would show where the message this direction is in ends.
    pub(super) fn lose_framing(&mut self, from: FlowEnd, at: FrameRef, bytes: u64, lost: bool) {
        self.missing(from, if lost { bytes } else { 0 });
        self.extend(from, at, bytes, 0);
        if let Some(message) = self.message_mut(from)
            && message.progress != MessageProgress::Complete
        {
            message.progress = MessageProgress::Unseen;
        }
        if self.role(from) == Some(HeadKind::Response) {
            self.doubtful = self.exchanges.len() as u32;
        }
        self.direction_mut(from).lose();
        self.judge();
    }

    /// A message is proven to begin after a stretch that could not be parsed.
    pub(super) fn resume(&mut self, from: FlowEnd) {
        let direction = self.direction_mut(from);
        direction.state = HttpReadState::Boundary;
        let index = direction.exchange;
        // The response whose end was lost is over, complete or not.
        if self.role(from) == Some(HeadKind::Response) && index != NONE && index == self.awaiting {
            let begun = self
                .exchanges
                .get(index as usize)
                .is_some_and(|exchange| exchange.response.is_some());
            self.awaiting = self.awaiting.saturating_add(u32::from(begun));
        }
    }

    /// The buffered head will never be complete: it is parsed as far as it goes.
    pub(super) fn give_up_head(&mut self, from: FlowEnd, by: HeadCut, texts: &mut TextInterner) {
        let start = self.direction(from).pending_start();
        let state = self.direction(from).state;
        let (Some(start), Some(pending)) = (start, self.direction_mut(from).pending.take()) else {
            return;
        };
        if state == (HttpReadState::Head { proven: false }) {
            let role = self.role(from);
            match role {
                // What the other side has sent is another protocol's: this is an answer in that protocol.
                None if self.direction(from.other()).clean && begins_request(&pending.bytes) => {
                    self.begin(from, HeadKind::Request, pending.first, start);
                    self.requester = Some((from, Certainty::Likely));
                }
                Some(HeadKind::Request) if may_be_request(&pending.bytes) => {
                    self.begin(from, HeadKind::Request, pending.first, start);
                }
                Some(HeadKind::Response) if pending.bytes.starts_with(b"HTTP/") => {
                    self.begin(from, HeadKind::Response, pending.first, start);
                }
                Some(role) if self.direction(from).clean && self.protocol == Protocol::Http1 => {
                    self.begin(from, role, pending.first, start)
                }
                _ => {
                    self.direction_mut(from).lose();
                    return self.judge();
                }
            }
        } else if state == HttpReadState::Doubted {
            return self.direction_mut(from).lose();
        }
        self.read_head(from, pending.last, &pending.bytes, start, false, texts);
        if by == HeadCut::Sender
            && let Some(message) = self.message_mut(from)
        {
            message.progress = MessageProgress::Head;
            if let Some(rare) = self.rare_head(from) {
                rare.head_cut = false;
            }
            self.look_for_bare_crs(from, start, &pending.bytes);
        }
    }

    /// A head of which the sender ends each line with a CR alone never ends (RFC 9112 §2.2).
    fn look_for_bare_crs(&mut self, from: FlowEnd, start: u64, bytes: &[u8]) {
        let is_response = self.role(from) == Some(HeadKind::Response);
        let cr = memchr::memchr(b'\r', bytes).filter(|_| memchr::memchr(b'\n', bytes).is_none());
        let Some(cr) = cr.filter(|cr| is_response && cr + 1 < bytes.len()) else {
            return;
        };
        let quote = bytes.get(cr..).unwrap_or_default();
        self.fault(from, FaultRule::BareCr, start + cr as u64, quote);
        self.sample(from, bytes, start);
        if let Some(message) = self.message_mut(from) {
            message.progress = MessageProgress::Broken;
        }
    }

    /// What begins here is not a message.
    pub(super) fn not_a_message(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8]) {
        let start = self.direction(from).offset;
        self.not_a_message_at(from, at, at, bytes, start);
    }

    pub(super) fn not_a_message_at(
        &mut self,
        from: FlowEnd,
        first: FrameRef,
        at: FrameRef,
        bytes: &[u8],
        start: u64,
    ) {
        let other = self.direction(from.other()).state;
        if self.role(from).is_none() && other == HttpReadState::Doubted {
            let asked = self.direction(from.other()).pending.as_ref();
            if bytes.first() == Some(&b'<')
                && asked.is_some_and(|asked| is_simple_request(&asked.bytes))
            {
                if let Some(teller) = &self.teller {
                    teller.part(from, start, bytes.len() as u64, StreamPart::Body);
                    // The mark by which it is known.
                    teller.part(from, start, 1, StreamPart::Framing);
                }
                return self.simple_response(from, first, at, bytes.len() as u64, start);
            }
            self.direction_mut(from.other()).lose();
        }
        let peer_clean = self.direction(from.other()).clean;
        let clean = self.direction(from).clean && self.protocol == Protocol::Http1;
        let awaited = self
            .exchanges
            .get(self.awaiting as usize)
            .is_some_and(|exchange| exchange.response.is_none());
        let length = bytes.len() as u64;
        match self.role(from) {
            Some(HeadKind::Request) if clean && !self.exchanges.is_empty() => {
                self.tell_faulty(from, start, bytes);
                self.begin(from, HeadKind::Request, first, start);
                self.fault(from, FaultRule::StartLine, start, bytes);
                self.break_off(from);
                self.extend(from, at, length, 0);
            }
            Some(HeadKind::Response) if clean && awaited && peer_clean => {
                self.tell_faulty(from, start, bytes);
                self.begin(from, HeadKind::Response, first, start);
                self.fault(from, FaultRule::StartLine, start, bytes);
                self.sample(from, bytes, start);
                if !bytes.contains(&b'\n')
                    && let Some(rare) = self.rare_head(from)
                {
                    rare.no_line_end = true;
                }
                self.break_off(from);
                self.extend(from, at, length, 0);
            }
            Some(HeadKind::Response)
                if clean && !awaited && self.direction(from).exchange != NONE =>
            {
                self.tell_faulty(from, start, bytes);
                self.fault(from, FaultRule::ExcessBytes, start, bytes);
                self.direction_mut(from).lose();
            }
            _ => {
                self.direction_mut(from).lose();
                self.judge();
            }
        }
    }

    /// Tells of bytes that are no message, as many as are read of them.
    fn tell_faulty(&self, from: FlowEnd, start: u64, bytes: &[u8]) {
        if let Some(teller) = &self.teller {
            let length = bytes.len().min(MAX_SAMPLE) as u64;
            teller.part(from, start, length, self.faulty(from, true));
        }
    }

    /// Bytes that are no message of this side.
    pub(super) fn faulty(&self, from: FlowEnd, in_head: bool) -> StreamPart<'static> {
        let is_request = self.role(from) == Some(HeadKind::Request);
        StreamPart::Faulty {
            in_head,
            is_request,
        }
    }

    /// HTML in response to `GET /` without a version: HTTP/0.9 (RFC 1945 §4.1).
    fn simple_response(
        &mut self,
        from: FlowEnd,
        first: FrameRef,
        at: FrameRef,
        length: u64,
        start: u64,
    ) {
        self.begin(from, HeadKind::Response, first, start);
        if let Some((_, certainty)) = &mut self.requester {
            *certainty = Certainty::Likely;
        }
        if let Some(message) = self.message_mut(from) {
            message.version = HttpVersion::HTTP_09;
            message.framing = Framing::UntilClose;
            message.progress = MessageProgress::Body;
        }
        self.direction_mut(from).state = HttpReadState::UntilClose;
        self.extend(from, at, length, 0);
    }

    /// Whether a slice ends a chunked body whose framing was lost: it ends in the last chunk, and data is very unlikely
    /// to look like that at the very end of a slice.
    pub(super) fn is_last_chunk(&self, from: FlowEnd, bytes: &[u8]) -> bool {
        let lost = self.message_of(from).is_some_and(|message| {
            message.framing == Framing::Chunked && message.progress == MessageProgress::Unseen
        });
        lost && (bytes == b"0\r\n\r\n" || bytes.ends_with(b"\r\n0\r\n\r\n"))
    }
}
