//! What a frame means for its stream, and a stream for its exchange (RFC 9113 §5.1, §8).

use super::conversation::{H2Conversation, MAX_OPEN, MAX_STREAMS};
use super::direction::PartialBlock;
use super::facts::H2FrameRule;
use super::frame::{flag, kind};
use super::header_block::{BlockOutcome, KeptFields, MAX_BLOCK};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{
    CodingCheck, ErrorCode, Exchange, Framing, H2Stream, HttpVersion, Interim, Message,
    MessageProgress, Method, Party, Request, Response, StreamReset, TextInterner,
};
use crate::protocol::websocket;

/// Interim responses kept of one stream.
const MAX_INTERIM: usize = 8;
/// Streams among which one from before the capture is searched; servers rarely allow more at a time.
const MAX_BEFORE: usize = 256;

/// A stream that is open, or half closed.
#[derive(Clone, Debug)]
pub(super) struct OpenStream {
    /// The number of its exchange, counted from the first one of the connection.
    pub(super) exchange: u64,
    /// How many bytes each end may still send on it.
    pub(super) window: [i64; 2],
    /// Whether each end has ended its direction.
    pub(super) ended: [bool; 2],
    /// The WebSocket that uses it instead of HTTP (RFC 8441).
    pub(super) socket: Option<Box<websocket::WebSocketConversation>>,
    /// Whether the body of the response is in its coding.
    pub(super) coding: CodingCheck,
}

impl H2Conversation {
    pub(super) fn party(&self, end: FlowEnd) -> Party {
        if end == self.requester {
            Party::Requester
        } else {
            Party::Responder
        }
    }

    /// The exchange of an open stream.
    pub(super) fn exchange_mut(&mut self, stream: u32) -> Option<&mut Exchange> {
        let number = self.open.get(&stream)?.exchange;
        let index = usize::try_from(number.checked_sub(self.let_go)?).ok()?;
        self.exchanges.get_mut(index)
    }

    /// The message that this end sends on an open stream.
    fn message_mut(&mut self, from: FlowEnd, stream: u32) -> Option<&mut Message> {
        let party = self.party(from);
        let exchange = self.exchange_mut(stream)?;
        match party {
            Party::Requester => exchange.request.as_mut().map(|it| &mut it.message),
            Party::Responder => exchange.response.as_mut().map(|it| &mut it.message),
        }
    }

    /// Evicts the oldest `old` streams.
    pub(crate) fn evict_oldest(&mut self, old: usize) {
        let old = old.min(self.exchanges.len());
        if let Some(each) = self.text_bytes.checked_div(self.exchanges.len()) {
            self.text_bytes = self.text_bytes.saturating_sub(each * old);
        }
        self.exchanges.drain(..old);
        self.let_go = self.let_go.saturating_add(old as u64);
        let first = self.let_go;
        self.open.retain(|_, open| open.exchange >= first);
    }

    /// Whether this stream began before the first one whose beginning was seen, and is not among the latest
    /// [`MAX_BEFORE`].
    fn is_before(&self, id: u32) -> bool {
        let lately = self.exchanges.iter().rev().take(MAX_BEFORE);
        let mut seen = lately.filter_map(|it| it.stream.as_ref());
        self.first_begun.is_none_or(|first| id < first) && !seen.any(|stream| stream.id == id)
    }

    /// Keeps an exchange; follows its stream if there is room.
    fn open(&mut self, id: u32, exchange: Exchange) {
        if self.exchanges.len() >= MAX_STREAMS {
            self.evict_oldest(MAX_STREAMS / 4);
        }
        let number = self.let_go.saturating_add(self.exchanges.len() as u64);
        self.exchanges.push(exchange);
        if self.open.len() >= MAX_OPEN {
            self.facts.not_followed = self.facts.not_followed.saturating_add(1);
            return;
        }
        let window = FlowEnd::BOTH
            .map(|end| i64::from(self.direction(end.other()).half.settings.initial_window));
        let open = OpenStream {
            exchange: number,
            window,
            ended: [false; 2],
            socket: None,
            coding: CodingCheck::NONE,
        };
        self.open.insert(id, open);
        let count = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        self.facts.peak_open = self.facts.peak_open.max(count);
        let limit = self
            .direction(self.requester.other())
            .half
            .settings
            .max_concurrent_streams;
        if limit == Some(count) {
            self.facts.at_limit = self.facts.at_limit.saturating_add(1);
        }
    }

    /// The request that asked for the upgrade is stream 1, and complete.
    pub(super) fn adopt(&mut self, mut exchange: Exchange) {
        exchange.stream = Some(Box::new(H2Stream::new(1)));
        if let Some(switch) = exchange.response.take() {
            let interim = Interim {
                status: switch.status,
                at: switch.message.last,
                start: switch.message.start,
                end: switch.message.head_end(),
            };
            exchange.rare_mut().interim.push(interim);
        }
        self.facts.streams = 1;
        let requester = self.requester;
        self.direction_mut(requester).last_stream = 1;
        self.open(1, exchange);
        if let Some(open) = self.open.get_mut(&1) {
            open.ended[requester.index()] = true;
        }
    }

    /// A HEADERS frame begins.
    pub(super) fn begin_head(&mut self, from: FlowEnd, at: FrameRef) {
        let direction = self.direction(from);
        let (id, start) = (direction.header.stream, direction.start);
        if id == 0 {
            return self.fault(from, H2FrameRule::StreamId, id, at);
        }
        let message = || {
            let mut message = Message::begun(at, start);
            message.version = HttpVersion::HTTP_2;
            message.framing = Framing::Streamed;
            message
        };
        match self.party(from) {
            Party::Requester if id % 2 == 0 => self.fault(from, H2FrameRule::StreamId, id, at),
            Party::Requester if id > direction.last_stream => {
                self.direction_mut(from).last_stream = id;
                self.first_begun.get_or_insert(id);
                self.facts.streams = self.facts.streams.saturating_add(1);
                let mut stream = H2Stream::new(id);
                // It crossed a GOAWAY on the wire, or its sender ignored one (§6.8).
                let goaway = self.direction(from.other()).half.goaway();
                stream.refused = goaway.filter(|it| id > it.last_stream).map(|it| it.at);
                let request = Request {
                    message: message(),
                    target: None,
                    host: None,
                    user_agent: None,
                    method: Method::Unknown,
                    forwarded: false,
                    accepts_coding: false,
                };
                let exchange = Exchange {
                    request: Some(request),
                    stream: Some(Box::new(stream)),
                    ..Exchange::default()
                };
                self.open(id, exchange);
            }
            Party::Requester => {}
            Party::Responder => {
                let last = self.direction(from.other()).last_stream;
                // Requests from before the capture may be answered in any order.
                let before = self.facts.midstream && self.is_before(id);
                let is_new = !self.open.contains_key(&id) && id % 2 == 1 && (id > last || before);
                if is_new && self.direction(from.other()).half.lost {
                    // Its request was not captured.
                    self.direction_mut(from.other()).last_stream = last.max(id);
                    let exchange = Exchange {
                        stream: Some(Box::new(H2Stream::new(id))),
                        ..Exchange::default()
                    };
                    self.open(id, exchange);
                }
                if let Some(exchange) = self.exchange_mut(id)
                    && exchange.response.is_none()
                {
                    exchange.response = Some(Response {
                        message: message(),
                        server: None,
                        status: 0,
                    });
                    if let Some(rare) = &mut exchange.rare {
                        rare.response_lost = false;
                    }
                }
            }
        }
    }

    /// A HEADERS, PUSH_PROMISE or CONTINUATION frame is over.
    pub(super) fn fragment(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        payload: &[u8],
        texts: &mut TextInterner,
    ) {
        let direction = self.direction_mut(from);
        let header = direction.header;
        let is_cut = direction.is_cut;
        let ends_block = header.has(flag::END_HEADERS);
        if header.kind == kind::CONTINUATION {
            let Some(block) = direction
                .block
                .as_mut()
                .filter(|block| block.stream == header.stream)
            else {
                // Its block is unknown, but it changed the table.
                direction.reader.lose();
                return;
            };
            block.is_broken |= is_cut;
            if block.bytes.len() + payload.len() > MAX_BLOCK {
                if !std::mem::replace(&mut block.is_broken, true) {
                    self.fault(from, H2FrameRule::BlockTooLong, header.stream, at);
                }
            } else if !block.is_broken {
                block.bytes.extend_from_slice(payload);
            }
            if ends_block && let Some(block) = self.direction_mut(from).block.take() {
                self.whole_block(from, at, &block, &block.bytes, texts);
            }
            return;
        }
        let is_promise = header.kind == kind::PUSH_PROMISE;
        let fragment = strip(payload, header.flags, is_promise);
        if fragment.is_none() && !is_cut {
            self.fault(from, H2FrameRule::Padding, header.stream, at);
        }
        if is_promise {
            self.facts.promised = self.facts.promised.saturating_add(1);
        }
        let fragment_bytes = fragment.unwrap_or_default();
        let mut block = PartialBlock {
            stream: header.stream,
            ends_stream: !is_promise && header.has(flag::END_STREAM),
            is_promise,
            bytes: Vec::new(),
            is_broken: is_cut || fragment.is_none(),
        };
        if ends_block {
            return self.whole_block(from, at, &block, fragment_bytes, texts);
        }
        block.bytes.extend_from_slice(fragment_bytes);
        self.direction_mut(from).block = Some(Box::new(block));
    }

    /// A header block is complete.
    fn whole_block(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        block: &PartialBlock,
        bytes: &[u8],
        texts: &mut TextInterner,
    ) {
        let direction = self.direction_mut(from);
        let was_broken = direction.half.lost || direction.half.unread_blocks > 0;
        if block.is_broken {
            direction.reader.lose();
        }
        let before = texts.allocated();
        let read = direction.reader.read(bytes, texts);
        self.text_bytes += texts.allocated().wrapping_sub(before);
        let direction = self.direction_mut(from);
        if matches!(read, BlockOutcome::Unknown) {
            direction.half.unread_blocks = direction.half.unread_blocks.saturating_add(1);
            if !was_broken && !block.is_broken {
                self.fault(from, H2FrameRule::Compression, block.stream, at);
            }
        }
        if block.is_promise {
            return;
        }
        let fields = match read {
            BlockOutcome::Fields(fields) => Some(fields),
            BlockOutcome::Unknown => None,
        };
        if let Some(name) = fields.as_ref().and_then(|fields| fields.forbidden.clone()) {
            self.fault(from, H2FrameRule::ForbiddenField, block.stream, at);
            if let Some(stream) = self
                .exchange_mut(block.stream)
                .and_then(|exchange| exchange.stream.as_mut())
            {
                stream.forbidden.get_or_insert(name);
            }
        }
        let offset = self.direction(from).offset;
        match self.party(from) {
            Party::Requester => self.request_head(from, at, block, fields, offset),
            Party::Responder => {
                let coding = fields.as_ref().and_then(|fields| fields.coding());
                self.response_head(from, at, block, fields, offset);
                if let Some(coding) = coding {
                    self.begin_check(block.stream, coding, texts);
                }
            }
        }
        if block.ends_stream {
            self.end_side(from, block.stream);
            self.end_socket(from, at, block.stream);
        }
    }

    fn request_head(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        block: &PartialBlock,
        fields: Option<Box<KeptFields>>,
        offset: u64,
    ) {
        let Some(exchange) = self.exchange_mut(block.stream) else {
            return;
        };
        let Some(request) = exchange.request.as_mut() else {
            return;
        };
        if request.message.progress != MessageProgress::Head {
            // Trailers.
            return self.extend(from, block.stream, at, offset);
        }
        head_done(&mut request.message, at, offset, block.ends_stream);
        let Some(fields) = fields else {
            if let Some(stream) = &mut exchange.stream {
                stream.is_unread = true;
            }
            return;
        };
        let fields = *fields;
        if fields.is_partial
            && (fields.method.is_none() || fields.path.is_none())
            && let Some(stream) = &mut exchange.stream
        {
            stream.is_unread = true;
        }
        request.method = fields.method.unwrap_or(Method::Unknown);
        request.target = fields.path;
        request.host = fields.authority.or(fields.host);
        request.user_agent = fields.user_agent;
        request.forwarded = fields.forwarded;
        request.accepts_coding = fields.accepts_coding;
        if request.method == Method::Connect {
            // It has no body: what follows belongs to the tunnel (§8.5).
            request.message.framing = Framing::Tunnel;
            request.message.progress = MessageProgress::Complete;
            if request.target.is_none() {
                request.target.clone_from(&request.host);
            }
        }
        let is_socket = request.method == Method::Connect
            && fields
                .protocol
                .as_ref()
                .is_some_and(|protocol| protocol.as_bytes() == b"websocket");
        if let Some(name) = fields.method_name {
            exchange.rare_mut().method = Some(name);
        }
        exchange.pass_on(&fields.passed_on);
        if let Some(stream) = &mut exchange.stream {
            stream.announced[0] = fields.content_length;
            stream.is_grpc = fields.is_grpc;
            stream.is_websocket = is_socket;
        }
        if is_socket {
            self.open_socket(block.stream);
        }
    }

    fn response_head(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        block: &PartialBlock,
        fields: Option<Box<KeptFields>>,
        offset: u64,
    ) {
        let Some(exchange) = self.exchange_mut(block.stream) else {
            return;
        };
        if let Some(fields) = &fields {
            exchange.pass_on(&fields.passed_on);
        }
        let method = exchange.request.as_ref().map(|request| request.method);
        let has_no_body = method == Some(Method::Head);
        let Some(response) = exchange.response.as_mut() else {
            return;
        };
        if response.message.progress != MessageProgress::Head {
            if let (Some(fields), Some(stream)) = (&fields, &mut exchange.stream) {
                stream.grpc_status = fields.grpc_status;
                stream.grpc_message.clone_from(&fields.grpc_message);
            }
            return self.extend(from, block.stream, at, offset);
        }
        let status = fields
            .as_ref()
            .and_then(|fields| fields.status)
            .unwrap_or(0);
        if matches!(status, 100..=199) && !block.ends_stream {
            let interim = Interim {
                status,
                at,
                start: response.message.start,
                end: offset,
            };
            exchange.response = None;
            let rare = exchange.rare_mut();
            if rare.interim.len() < MAX_INTERIM {
                rare.interim.push(interim);
            } else {
                rare.more_interim = rare.more_interim.saturating_add(1);
            }
            return;
        }
        head_done(&mut response.message, at, offset, block.ends_stream);
        if has_no_body || matches!(status, 204 | 304) {
            response.message.framing = Framing::NoBody;
        }
        // What follows is no body, but the data of the tunnel (§8.5).
        if method == Some(Method::Connect) && matches!(status, 200..=299) {
            response.message.framing = Framing::Tunnel;
            response.message.progress = MessageProgress::Complete;
        }
        response.status = status;
        let Some(stream) = &mut exchange.stream else {
            return;
        };
        let Some(fields) = fields else {
            stream.is_unread = true;
            return;
        };
        let fields = *fields;
        stream.is_unread |= fields.is_partial && fields.status.is_none();
        response.server = fields.server;
        stream.announced[1] = fields.content_length;
        stream.is_grpc |= fields.is_grpc;
        // A response of trailers only (gRPC over HTTP/2, "Trailers-Only").
        stream.grpc_status = fields.grpc_status;
        stream.grpc_message = fields.grpc_message;
    }

    /// A DATA frame begins.
    pub(super) fn begin_data(&mut self, from: FlowEnd, at: FrameRef) {
        let direction = self.direction_mut(from);
        let header = direction.header;
        if !header.has(flag::PADDED) {
            direction.data_left = Some(header.length);
        }
        direction.window = direction.window.saturating_sub(i64::from(header.length));
        if header.stream == 0 {
            self.fault(from, H2FrameRule::StreamId, 0, at);
        }
        if let Some(open) = self.open.get_mut(&header.stream) {
            let window = &mut open.window[from.index()];
            *window = window.saturating_sub(i64::from(header.length));
        }
    }

    /// `count` bytes of a DATA frame, of which `bytes` were captured.
    pub(super) fn take_data(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        count: u32,
        lost: bool,
        texts: &mut TextInterner,
    ) {
        let direction = self.direction_mut(from);
        let header = direction.header;
        let mut count = count;
        let mut bytes = bytes;
        let before = match direction.data_left {
            Some(left) => left,
            None => {
                // The first byte is the length of the padding (§6.1).
                count = count.saturating_sub(1);
                let pad = u32::from(bytes.first().copied().unwrap_or(0));
                bytes = bytes.get(1..).unwrap_or_default();
                let left = header.length.saturating_sub(1).saturating_sub(pad);
                if pad >= header.length {
                    self.fault(from, H2FrameRule::Padding, header.stream, at);
                }
                left
            }
        };
        let data = before.min(count);
        let direction = self.direction_mut(from);
        direction.data_left = Some(before - data);
        direction.half.data = direction.half.data.saturating_add(u64::from(data));
        let offset = direction.offset;
        let party = self.party(from);
        self.take_socket(from, at, (header.stream, data), bytes, lost, texts);
        self.check_coding(from, header.stream, data, bytes);
        let Some(exchange) = self.exchange_mut(header.stream) else {
            return;
        };
        if lost {
            let rare = exchange.rare_mut();
            let head = match party {
                Party::Requester => &mut rare.request,
                Party::Responder => &mut rare.response,
            };
            head.missing = head.missing.saturating_add(u64::from(data));
        }
        if let Some(message) = self.message_mut(from, header.stream)
            && message.framing != Framing::Tunnel
        {
            message.amount = message.amount.saturating_add(u64::from(data));
        }
        self.extend(from, header.stream, at, offset);
    }

    /// A DATA frame is over.
    pub(super) fn end_data(&mut self, from: FlowEnd, at: FrameRef) {
        let direction = self.direction(from);
        let (header, offset) = (direction.header, direction.offset);
        self.extend(from, header.stream, at, offset);
        if header.has(flag::END_STREAM) {
            self.end_side(from, header.stream);
            self.end_socket(from, at, header.stream);
        } else {
            self.check_windows(from, header.stream, at);
        }
    }

    /// The message reaches up to this offset now.
    fn extend(&mut self, from: FlowEnd, stream: u32, at: FrameRef, offset: u64) {
        let party = self.party(from);
        let Some(message) = self.message_mut(from, stream) else {
            return;
        };
        if message.framing == Framing::Tunnel {
            return;
        }
        message.last = at;
        message.body_wire = offset.saturating_sub(message.head_end());
        // Frames may be missing in between, but the end of the message was not among them.
        if message.progress == MessageProgress::Unseen {
            message.progress = MessageProgress::Body;
        }
        if party == Party::Requester
            && let Some(rare) = self
                .exchange_mut(stream)
                .and_then(|exchange| exchange.rare.as_mut())
        {
            rare.body_began.get_or_insert(at);
        }
    }

    /// END_STREAM (§5.1): this end sends no more on the stream.
    fn end_side(&mut self, from: FlowEnd, stream: u32) {
        self.end_check(from, stream);
        if let Some(message) = self.message_mut(from, stream) {
            message.progress = MessageProgress::Complete;
        }
        let Some(open) = self.open.get_mut(&stream) else {
            return;
        };
        open.ended[from.index()] = true;
        if open.ended == [true; 2] && open.socket.is_none() {
            self.open.remove(&stream);
        }
    }

    /// RST_STREAM (§6.4).
    pub(super) fn reset_stream(&mut self, from: FlowEnd, at: FrameRef, id: u32, code: ErrorCode) {
        let by = self.party(from);
        let start = self.direction(from).start;
        // A client that cleans up after the server has closed ends no stream any more.
        if by == Party::Requester && self.over[from.other().index()] {
            return;
        }
        if let Some(exchange) = self.exchange_mut(id) {
            let answered = exchange
                .response
                .as_ref()
                .is_some_and(|response| response.message.is_complete());
            // The answer is complete, and the server does not want the rest of the request (§8.1).
            if answered && by == Party::Responder {
                exchange.rare_mut().body_withheld = true;
            }
            if let Some(stream) = &mut exchange.stream {
                stream.reset.get_or_insert(StreamReset {
                    by,
                    code,
                    at,
                    start,
                });
            }
        }
        self.close_socket(id, Some(at));
        self.open.remove(&id);
    }

    /// GOAWAY of the server: what it has not processed, it never will (§6.8).
    pub(super) fn refuse_above(&mut self, last: u32, at: FrameRef) {
        let above: Vec<u32> = self
            .open
            .range(last.saturating_add(1)..)
            .map(|(id, _)| *id)
            .collect();
        for id in above {
            if let Some(stream) = self
                .exchange_mut(id)
                .and_then(|exchange| exchange.stream.as_mut())
            {
                stream.refused.get_or_insert(at);
            }
            self.open.remove(&id);
        }
    }

    /// Frames of this end were lost: its messages may have continued, or ended.
    pub(super) fn doubt(&mut self, from: FlowEnd, bytes: u64) {
        let party = self.party(from);
        let ids: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, open)| !open.ended[from.index()])
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            // What is lost of a tunnel is not part of a message.
            let tunnel = self
                .message_mut(from, id)
                .is_some_and(|message| message.framing == Framing::Tunnel);
            if party == Party::Responder
                && let Some(open) = self.open.get_mut(&id)
            {
                open.coding = CodingCheck::NONE;
            }
            let Some(exchange) = self.exchange_mut(id).filter(|_| !tunnel) else {
                continue;
            };
            if party == Party::Responder && exchange.response.is_none() {
                exchange.rare_mut().response_lost = true;
                continue;
            }
            let rare = exchange.rare_mut();
            let head = match party {
                Party::Requester => &mut rare.request,
                Party::Responder => &mut rare.response,
            };
            head.missing = head.missing.saturating_add(bytes);
            if let Some(message) = self.message_mut(from, id) {
                message.progress = MessageProgress::Unseen;
            }
        }
    }
}

/// The head of a message is complete.
fn head_done(message: &mut Message, at: FrameRef, offset: u64, ends_stream: bool) {
    message.last = at;
    // If DATA interrupted the header block, it came before the head was complete.
    let whole = offset.saturating_sub(message.start);
    message.head_len = u32::try_from(whole.saturating_sub(message.body_wire)).unwrap_or(u32::MAX);
    message.progress = MessageProgress::Body;
    if ends_stream {
        message.framing = Framing::NoBody;
    }
}

/// The header block in the payload of HEADERS or PUSH_PROMISE: without padding, priority and promised stream (§6.2,
/// §6.6). `None` if the payload is too short.
fn strip(payload: &[u8], flags: u8, is_promise: bool) -> Option<&[u8]> {
    let mut rest = payload;
    let mut pad = 0;
    if flags & flag::PADDED != 0 {
        let (first, after) = rest.split_first()?;
        pad = usize::from(*first);
        rest = after;
    }
    let before = match is_promise {
        true => 4,
        false if flags & flag::PRIORITY != 0 => 5,
        false => 0,
    };
    rest = rest.get(before..)?;
    rest.get(..rest.len().checked_sub(pad)?)
}
