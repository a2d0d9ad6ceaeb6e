//! Follows a message that was proven to begin: its head, its body, its end, and what they mean for the exchange.

use super::chunked::{ChunkStep, Chunks};
use super::coding::{CodingCheck, CodingFault, ContentCoding};
use super::conversation::{HttpConversation, Protocol};
use super::direction::HttpReadState;
use super::exchange::{Interim, RareHead, RareParts};
use super::fault::FaultRule;
use super::fields::{FieldFacts, FieldName, Upgrade};
use super::framing::{self, BodyFraming};
use super::head::{self, Head, HeadKind};
use super::message::{Framing, HttpVersion, Message, MessageProgress, Method};
use super::sample::MAX_SAMPLE;
use super::text::{SharedText, TextInterner};
use super::unfold::unfold;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::parts::StreamPart;

/// Interim responses kept per exchange; a server may send any number of 102 or 103 responses.
pub(crate) const MAX_INTERIM: usize = 8;
/// Bytes kept of the beginning of a body: the pages that gateways write say in these what failed.
const MAX_QUOTE: usize = 320;

/// Field lines that any program accepts: how many there are is not kept.
pub(crate) const FEW_LINES: u16 = 64;

impl HttpConversation {
    pub(super) fn message_of(&self, from: FlowEnd) -> Option<&Message> {
        let exchange = self.exchange_of(from)?;
        match self.role(from)? {
            HeadKind::Request => exchange.request.as_ref().map(|request| &request.message),
            HeadKind::Response => exchange.response.as_ref().map(|response| &response.message),
        }
    }

    pub(super) fn message_mut(&mut self, from: FlowEnd) -> Option<&mut Message> {
        let role = self.role(from)?;
        let index = self.direction(from).exchange as usize;
        let exchange = self.exchanges.get_mut(index)?;
        match role {
            HeadKind::Request => exchange
                .request
                .as_mut()
                .map(|request| &mut request.message),
            HeadKind::Response => exchange
                .response
                .as_mut()
                .map(|response| &mut response.message),
        }
    }

    pub(super) fn rare_head(&mut self, from: FlowEnd) -> Option<&mut RareHead> {
        let role = self.role(from)?;
        let index = self.direction(from).exchange as usize;
        let rare = self.exchanges.get_mut(index)?.rare_mut();
        Some(match role {
            HeadKind::Request => &mut rare.request,
            HeadKind::Response => &mut rare.response,
        })
    }

    /// Parses the head of the message that began at `start`, or (`whole` is false) as much of it as will ever be seen.
    pub(super) fn read_head(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        head: &[u8],
        start: u64,
        whole: bool,
        texts: &mut TextInterner,
    ) {
        if let Some(teller) = &self.teller {
            let is_request = self.role(from) == Some(HeadKind::Request);
            let part = StreamPart::Head {
                bytes: head,
                is_request,
            };
            teller.part(from, start, head.len() as u64, part);
        }
        let before = texts.allocated();
        self.take_head(from, at, head, start, whole, texts);
        self.text_bytes += texts.allocated().wrapping_sub(before);
    }

    fn take_head(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        head: &[u8],
        start: u64,
        whole: bool,
        texts: &mut TextInterner,
    ) {
        let Some(role) = self.role(from) else { return };
        let unfolded;
        let mut read = Head::default();
        if !whole {
            read = head::read_part(head, role, start, texts);
        } else if head::read_well_formed(head, role, start, texts, &mut read).is_none() {
            unfolded = unfold(head, start);
            read = head::read_unfolded(&unfolded, role, start, texts);
        }
        let Some(message) = self.message_mut(from) else {
            self.direction_mut(from).lose();
            return;
        };
        message.last = at;
        message.head_len = head.len() as u32;
        message.version = read.version.unwrap_or(HttpVersion::UNKNOWN);
        message.connection = read.facts.connection;
        message.keep_alive = read.facts.keep_alive;
        let split = message.first != at;
        match role {
            HeadKind::Request => self.request_head(from, at, read, split, whole, texts),
            HeadKind::Response => {
                self.response_head(from, at, read, split, whole, texts);
                if whole && self.is_odd(from) {
                    self.sample(from, head, start);
                }
            }
        }
    }

    fn request_head(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        read: Head<'_>,
        split: bool,
        whole: bool,
        texts: &mut TextInterner,
    ) {
        let index = self.direction(from).exchange as usize;
        let Some(exchange) = self.exchanges.get_mut(index) else {
            return;
        };
        let Some(request) = exchange.request.as_mut() else {
            return;
        };
        let method = if read.method.is_empty() {
            Method::Unknown
        } else {
            Method::from_bytes(read.method)
        };
        request.method = method;
        request.target = read.target.map(|target| texts.beginning(target));
        request.host = read.facts.host.map(|host| texts.beginning(host));
        request.user_agent = read.facts.user_agent.map(|agent| texts.beginning(agent));
        request.forwarded = read.facts.forwarded;
        request.accepts_coding = read.facts.accepts_coding;
        let version = request.message.version;
        if method == Method::Other {
            exchange.rare_mut().method = Some(texts.text(read.method));
        }
        exchange.pass_on(&read.facts.passed_on);
        let body = framing::of_request(&read.facts, version);
        // Without a version there are no fields and no body (RFC 1945 §4.1), but this one had both: its framing is
        // unclear.
        let upgrade = read.facts.upgrade != Upgrade::None && read.facts.connection.upgrade;
        let hold = method == Method::Connect || upgrade;
        self.keep(from, read, split.then_some(at));
        self.begin_body(from, body, whole);
        if hold && self.direction(from).state == HttpReadState::Boundary {
            self.direction_mut(from).state = HttpReadState::Held;
        }
        if method == Method::Head {
            self.end_head_response(from.other(), index as u32);
        }
    }

    fn response_head(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        mut read: Head<'_>,
        split: bool,
        whole: bool,
        texts: &mut TextInterner,
    ) {
        let index = self.direction(from).exchange as usize;
        let Some(exchange) = self.exchanges.get_mut(index) else {
            return;
        };
        let mut calls = exchange.request_fields(FieldName::SoapAction);
        if calls.next().is_some() {
            read.facts.keep_media(texts);
        }
        drop(calls);
        exchange.pass_on(&read.facts.passed_on);
        let method = exchange.request.as_ref().map(|request| request.method);
        let status = read.status;
        let unasked = status == 101 && exchange.is_known_without_upgrade();
        let Some(response) = exchange.response.as_mut() else {
            return;
        };
        if matches!(status, 100..=199) && status != 101 {
            let message = &response.message;
            let interim = Interim {
                status,
                at,
                start: message.start,
                end: message.head_end(),
            };
            exchange.response = None;
            let rare = exchange.rare_mut();
            if rare.interim.len() < MAX_INTERIM {
                rare.interim.push(interim);
            } else {
                rare.more_interim = rare.more_interim.saturating_add(1);
            }
            if !read.faults.is_empty() {
                self.keep(from, read, None);
            }
            let direction = self.direction_mut(from);
            direction.state = HttpReadState::Boundary;
            if !whole {
                direction.lose();
            }
            return;
        }
        response.status = status;
        // Whether a gateway wrote it, TLS was wanted, and what else it says of the error.
        let is_quoted = matches!(status, 400..=599);
        response.server = read.facts.server.map(|server| texts.beginning(server));
        let body = framing::of_response(&read.facts, response.message.version, status, method);
        let upgrade = read.facts.upgrade;
        // A part of a representation is no whole of its coding (RFC 9110 §14.4). Without the request it is not known
        // whether a body comes at all.
        let coding = read.facts.content_coding();
        let coding = coding.filter(|_| whole && status != 206 && method.is_some());
        self.keep(from, read, split.then_some(at));
        self.direction_mut(from).quotes = is_quoted;
        if unasked && whole {
            let start = self.message_of(from).map_or(0, |it| it.start);
            self.fault(from, FaultRule::UnaskedUpgrade, start, &[]);
        }
        self.begin_body(from, body, whole);
        if let Some(coding) = coding {
            self.begin_check(from, coding, texts);
        }
        if whole {
            self.release(from, body.framing, status, upgrade);
        }
    }

    /// Keeps the parts that few messages have.
    fn keep(&mut self, from: FlowEnd, read: Head<'_>, head_end: Option<FrameRef>) {
        let FieldFacts {
            kept, more, lines, ..
        } = read.facts;
        let few = lines <= FEW_LINES;
        if kept.is_empty() && read.faults.is_empty() && head_end.is_none() && few {
            return;
        }
        self.text_bytes += size_of::<RareParts>() / 2 + size_of_val(&kept[..]);
        self.faults = self.faults.saturating_add(read.faults.len() as u32);
        let Some(rare) = self.rare_head(from) else {
            return;
        };
        rare.head_end = head_end;
        rare.fields = kept;
        rare.more_fields = more;
        rare.field_lines = if few { 0 } else { lines };
        rare.faults.extend(read.faults);
        rare.more_faults = rare.more_faults.saturating_add(read.more_faults);
    }

    /// The head is parsed; the body follows.
    fn begin_body(&mut self, from: FlowEnd, body: BodyFraming, whole: bool) {
        let offset = self.message_mut(from).map_or(0, |message| message.start);
        for fault in body.faults.into_iter().flatten() {
            // The value that is no number was kept with the fields.
            let value = (fault == FaultRule::ContentLength)
                .then(|| self.rare_head(from))
                .flatten()
                .and_then(|head| {
                    head.fields
                        .iter()
                        .find(|it| it.name == FieldName::ContentLength)
                })
                .map(|field| field.value.clone());
            let quoted = value.as_ref().map_or(&[][..], |value| value.as_bytes());
            self.fault(from, fault, offset, quoted);
        }
        let Some(message) = self.message_mut(from) else {
            return;
        };
        message.framing = body.framing;
        message.amount = body.length;
        message.progress = MessageProgress::Body;
        if !whole {
            // Without the rest of the head, what it states counts, but what it does not state proves nothing.
            if !matches!(body.framing, Framing::Length | Framing::Chunked) {
                message.framing = Framing::Unknown;
            }
            message.progress = MessageProgress::Unseen;
            if let Some(rare) = self.rare_head(from) {
                rare.head_cut = true;
            }
            self.direction_mut(from).lose();
            return;
        }
        let state = match body.framing {
            Framing::NoBody | Framing::Tunnel => return self.complete(from),
            Framing::Length if body.length == 0 => return self.complete(from),
            Framing::Length => HttpReadState::Body { left: body.length },
            Framing::Chunked => HttpReadState::Chunks(Chunks::new()),
            Framing::UntilClose => HttpReadState::UntilClose,
            Framing::Unknown | Framing::Streamed | Framing::Messages => {
                return self.break_off(from);
            }
        };
        self.direction_mut(from).state = state;
    }

    /// A final response is known: the requests' direction, if it was on hold, continues, or both directions become
    /// another protocol.
    fn release(&mut self, from: FlowEnd, framing: Framing, status: u16, upgrade: Upgrade) {
        let requester = from.other();
        if framing == Framing::Tunnel {
            let end = self
                .message_mut(from)
                .map_or(0, |message| message.head_end());
            self.switched_at = end;
            self.protocol = match (status, upgrade) {
                (101, Upgrade::WebSocket) => Protocol::WebSocket,
                (101, Upgrade::H2c) => Protocol::Http2,
                _ => Protocol::Tunnel,
            };
            self.directions.iter_mut().for_each(|direction| {
                direction.state = HttpReadState::Foreign;
                direction.pending = None;
            });
            return;
        }
        // What was sent in the meantime was meant for the other protocol; it is not parsed again.
        let owner = self.direction(from).exchange == self.direction(requester).exchange;
        let end = self
            .message_mut(requester)
            .map_or(0, |message| message.end());
        let direction = self.direction_mut(requester);
        if owner && direction.state == HttpReadState::Held {
            if direction.offset == end {
                direction.state = HttpReadState::Boundary
            } else {
                direction.lose()
            }
        }
    }

    /// Keeps the beginning of a body that shows who wrote it. `bytes` are the next ones of its content.
    pub(super) fn quote(&mut self, from: FlowEnd, bytes: &[u8], texts: &mut TextInterner) {
        let index = self.direction(from).exchange as usize;
        let Some(exchange) = self.exchanges.get_mut(index) else {
            return;
        };
        let start = &mut exchange.rare_mut().body_start;
        let before = start.as_ref().map_or(&[][..], SharedText::as_bytes);
        let room = MAX_QUOTE.saturating_sub(before.len());
        let new = bytes.get(..room).unwrap_or(bytes);
        let allocated = texts.allocated();
        *start = Some(texts.text(&[before, new].concat()));
        self.text_bytes += texts.allocated().wrapping_sub(allocated);
        self.direction_mut(from).quotes = room > new.len();
    }

    /// The body that comes has a content coding.
    fn begin_check(&mut self, from: FlowEnd, coding: ContentCoding, texts: &TextInterner) {
        if !self.direction(from).is_in_body() {
            return;
        }
        match texts.decoder() {
            Some(permit) => self.direction_mut(from).coding = CodingCheck::of(coding, permit),
            None => self.coding_found(from, Some((coding, CodingFault::Unchecked))),
        }
    }

    /// Body bytes that were captured, of a body that is no chunked one.
    #[inline]
    pub(super) fn see_body(&mut self, from: FlowEnd, bytes: &[u8], texts: &mut TextInterner) {
        if self.direction(from).quotes {
            self.quote(from, bytes, texts);
        }
        if self.direction(from).coding.is_some() {
            let found = self.direction_mut(from).coding.feed(bytes);
            self.coding_found(from, found);
        }
    }

    fn coding_found(&mut self, from: FlowEnd, found: Option<(ContentCoding, CodingFault)>) {
        let index = self.direction(from).exchange as usize;
        if found.is_some()
            && let Some(exchange) = self.exchanges.get_mut(index)
        {
            exchange.rare_mut().coding = found;
        }
    }

    /// Body bytes of a message of known length.
    pub(super) fn take_body(&mut self, from: FlowEnd, at: FrameRef, bytes: u64) {
        self.extend(from, at, bytes, 0);
        let direction = self.direction_mut(from);
        if let HttpReadState::Body { left } = &mut direction.state {
            *left = left.saturating_sub(bytes);
            if *left == 0 {
                self.complete(from);
            }
        }
    }

    pub(super) fn take_chunks(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        mut chunks: Chunks,
        texts: &mut TextInterner,
    ) -> usize {
        let before = chunks;
        if self.teller.is_some() {
            self.tell_chunks(from, bytes, chunks);
        }
        if self.direction(from).quotes {
            self.quote_chunks(from, bytes, chunks, texts);
        }
        let mut data = 0;
        let (used, step) = if self.direction(from).coding.is_some() {
            let mut check = std::mem::take(&mut self.direction_mut(from).coding);
            let mut found = None;
            let read = chunks.feed_to(bytes, &mut data, |bytes| {
                found = found.take().or(check.feed(bytes));
            });
            self.direction_mut(from).coding = check;
            self.coding_found(from, found);
            read
        } else {
            chunks.feed(bytes, &mut data)
        };
        if matches!(step, ChunkStep::Fault(_) | ChunkStep::Broken(_)) {
            self.sample_chunks(from, bytes, before, (used, step));
        }
        self.extend(from, at, used as u64, data);
        self.direction_mut(from).state = HttpReadState::Chunks(chunks);
        if chunks.trailers() > 0
            && let Some(rare) = self.rare_head(from)
        {
            rare.trailers = u32::from(chunks.trailers());
        }
        let offset = self.direction(from).offset.saturating_add(used as u64);
        match step {
            ChunkStep::More => used,
            ChunkStep::Done => {
                self.complete(from);
                used
            }
            ChunkStep::Fault(rule) => {
                self.fault(from, rule, offset, &[]);
                used
            }
            ChunkStep::Broken(rule) => {
                let rest = bytes.get(used..).unwrap_or_default();
                // Of a size that is too large, all digits are at fault.
                let digits = match rule {
                    FaultRule::ChunkTooLarge => used.min(chunks.digits() as usize),
                    _ => 0,
                };
                let quote = bytes.get(used - digits..).unwrap_or_default();
                let faulty = quote.len().min(MAX_SAMPLE);
                self.tell(from, used - digits, faulty, self.faulty(from, false));
                self.fault(from, rule, offset.saturating_sub(digits as u64), quote);
                self.break_off(from);
                // The rest of this slice belongs to the same broken message.
                self.extend(from, at, rest.len() as u64, 0);
                bytes.len()
            }
        }
    }

    /// As [`HttpConversation::quote`], of what is data in these bytes.
    #[cold]
    fn quote_chunks(
        &mut self,
        from: FlowEnd,
        bytes: &[u8],
        mut chunks: Chunks,
        texts: &mut TextInterner,
    ) {
        let mut content = Vec::new();
        chunks.feed_to(bytes, &mut 0, |part| {
            let room = MAX_QUOTE.saturating_sub(content.len());
            content.extend_from_slice(part.get(..room).unwrap_or(part));
        });
        if !content.is_empty() {
            self.quote(from, &content, texts);
        }
    }

    /// Tells which of these bytes are lines, and which are data.
    #[cold]
    pub(super) fn tell_chunks(&self, from: FlowEnd, bytes: &[u8], mut chunks: Chunks) {
        let place = |part: &[u8]| (part.as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize);
        let mut data = Vec::new();
        let (used, _) = chunks.feed_to(bytes, &mut 0, |part| data.push((place(part), part.len())));
        self.tell(from, 0, used, StreamPart::Framing);
        for (start, length) in data {
            self.tell(from, start, length, StreamPart::Body);
        }
    }

    /// Adds bytes to the message this direction is in; `data` of them are decoded chunk data.
    pub(super) fn extend(&mut self, from: FlowEnd, at: FrameRef, bytes: u64, data: u64) {
        let is_request = self.role(from) == Some(HeadKind::Request);
        let Some(message) = self.message_mut(from) else {
            return;
        };
        if message.progress == MessageProgress::Complete {
            return;
        }
        message.body_wire = message.body_wire.saturating_add(bytes);
        if message.framing == Framing::Chunked {
            message.amount = message.amount.saturating_add(data);
        }
        message.last = at;
        if is_request && bytes > 0 {
            let index = self.direction(from).exchange as usize;
            if let Some(rare) = self
                .exchanges
                .get_mut(index)
                .and_then(|exchange| exchange.rare.as_mut())
            {
                rare.body_withheld = false;
                rare.body_began.get_or_insert(at);
            }
        }
    }

    /// The message this direction is in ends here.
    pub(super) fn complete(&mut self, from: FlowEnd) {
        if let Some(message) = self.message_mut(from) {
            message.progress = MessageProgress::Complete;
        }
        self.tell(from, 0, 0, StreamPart::BodyEnds);
        if self.direction(from).coding.is_some() {
            let found = self.direction_mut(from).coding.finish();
            self.coding_found(from, found);
        }
        let direction = self.direction_mut(from);
        direction.state = HttpReadState::Boundary;
        direction.quotes = false;
        if self.role(from) == Some(HeadKind::Response) {
            let index = self.direction(from).exchange;
            self.awaiting = index.saturating_add(1);
            self.mark_body_withheld(index);
        }
    }

    /// A response turned out to have no body although its head announces one: the request was a HEAD.
    pub(super) fn complete_without_body(&mut self, from: FlowEnd) {
        let Some(message) = self.message_mut(from) else {
            return;
        };
        message.framing = Framing::NoBody;
        message.amount = 0;
        self.complete(from);
    }

    /// The request of this exchange turns out to be a HEAD, so its response has no body; it may have come early.
    fn end_head_response(&mut self, from: FlowEnd, index: u32) {
        let awaits = self.direction(from).exchange == index
            && self.message_of(from).is_some_and(|message| {
                message.progress == MessageProgress::Body && message.body_wire == 0
            });
        if awaits {
            self.complete_without_body(from);
        }
    }

    /// A final response came while the client waits for `100 Continue`: the body may never come (RFC 9110 §10.1.1).
    fn mark_body_withheld(&mut self, index: u32) {
        let Some(exchange) = self.exchanges.get_mut(index as usize) else {
            return;
        };
        let expects = exchange.request_fields(FieldName::Expect).next().is_some();
        let nothing_sent = exchange.request.as_ref().is_some_and(|request| {
            request.message.progress == MessageProgress::Body && request.message.body_wire == 0
        });
        if expects && nothing_sent {
            exchange.rare_mut().body_withheld = true;
        }
    }
}
