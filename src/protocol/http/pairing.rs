//! Determines which exchange a message belongs to, and which end sends the requests.
//!
//! Responses come in the order of the requests (RFC 9112 §9.3.2). If the capture has a gap, this order alone is not
//! enough: a response after lost ones belongs to the oldest request that began after the loss, if there is one.

use super::conversation::{HttpConversation, MAX_EXCHANGES, Protocol};
use super::direction::{HttpReadState, NONE};
use super::exchange::{Exchange, Request, Response};
use super::head::{self, HeadKind};
use super::message::{Framing, HttpVersion, Message, Method};
use super::text::{SharedText, TextInterner};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;

impl HttpConversation {
    /// The exchange whose message this direction is in, or was in last.
    pub(super) fn exchange_of(&self, from: FlowEnd) -> Option<&Exchange> {
        self.exchanges.get(self.direction(from).exchange as usize)
    }

    /// A message is proven to begin at `start`.
    pub(super) fn begin(&mut self, from: FlowEnd, kind: HeadKind, first: FrameRef, start: u64) {
        let requester = if kind == HeadKind::Request {
            from
        } else {
            from.other()
        };
        self.set_requester(requester);
        let message = Message::begun(first, start);
        match kind {
            HeadKind::Request => {
                let request = Request {
                    message,
                    target: None,
                    host: None,
                    user_agent: None,
                    method: Method::Unknown,
                    forwarded: false,
                    accepts_coding: false,
                };
                let exchange = Exchange {
                    request: Some(request),
                    ..Exchange::default()
                };
                self.direction_mut(from).exchange = self.push(exchange);
            }
            HeadKind::Response => {
                self.begin_if_answered(requester);
                let index = self.answered();
                if let Some(exchange) = self.exchanges.get_mut(index as usize) {
                    if let Some(rare) = &mut exchange.rare {
                        rare.response_lost = false;
                    }
                    exchange.response = Some(Response {
                        message,
                        server: None,
                        status: 0,
                    });
                }
                self.direction_mut(from).exchange = index;
            }
        }
    }

    /// A response came before the request line was complete, and no other request waits for one: it belongs to this
    /// one.
    fn begin_if_answered(&mut self, requester: FlowEnd) {
        let next = self.exchanges.get(self.awaiting as usize);
        let direction = self.direction(requester);
        if next.is_some_and(|exchange| exchange.response.is_none())
            || direction.state != (HttpReadState::Head { proven: false })
            || !self.is_beginning(requester)
        {
            return;
        }
        let start = direction.pending_start();
        let direction = self.direction_mut(requester);
        direction.state = HttpReadState::Head { proven: true };
        if let (Some(start), Some(pending)) = (start, &mut direction.pending) {
            pending.scanned = 0;
            let first = pending.first;
            self.begin(requester, HeadKind::Request, first, start);
        }
    }

    /// The exchange that a response beginning now belongs to; a new one if no response is outstanding.
    fn answered(&mut self) -> u32 {
        // A response that the capture lost belonged to an older request, if there is a younger one.
        if self.awaiting < self.doubtful && (self.doubtful as usize) < self.exchanges.len() {
            self.awaiting = self.doubtful;
        }
        self.doubtful = 0;
        let next = self.exchanges.get(self.awaiting as usize);
        match next {
            Some(exchange) if exchange.response.is_none() => self.awaiting,
            _ => {
                let index = self.push(Exchange::default());
                self.awaiting = index;
                index
            }
        }
    }

    /// The capture lost responses: any outstanding response may have been among them.
    pub(super) fn doubt_responses(&mut self) {
        self.doubtful = self.exchanges.len() as u32;
        let awaited = self.awaiting as usize;
        // The exchanges between were marked at an earlier loss; the next one may have had an interim response since.
        let fresh = (awaited + 1).max(self.marked as usize);
        for index in std::iter::once(awaited).chain(fresh..self.exchanges.len()) {
            if let Some(exchange) = self.exchanges.get_mut(index)
                && exchange.response.is_none()
            {
                exchange.rare_mut().response_lost = true;
            }
        }
        self.marked = self.doubtful;
    }

    /// The protocol is HTTP, and this end sends the requests.
    fn set_requester(&mut self, requester: FlowEnd) {
        if self.protocol == Protocol::Tls
            || (self.protocol == Protocol::Http1 && self.requester.is_some())
        {
            return;
        }
        self.protocol = Protocol::Http1;
        self.requester = Some((requester, Certainty::Certain));
        if self.direction(requester).state == HttpReadState::Doubted {
            self.accept_malformed_request(requester);
        }
    }

    /// The peer took what was not a request line for a request, as its response shows.
    fn accept_malformed_request(&mut self, from: FlowEnd) {
        let start = self.direction(from).pending_start();
        let (Some(start), Some(pending)) = (start, self.direction_mut(from).pending.take()) else {
            return;
        };
        self.begin(from, HeadKind::Request, pending.first, start);
        let bytes = &pending.bytes;
        if is_simple_request(bytes) {
            if let Some(message) = self.message_mut(from) {
                message.head_len = bytes.len() as u32;
                message.version = HttpVersion::HTTP_09;
                message.framing = Framing::NoBody;
            }
            let index = self.direction(from).exchange as usize;
            if let Some(request) = self
                .exchanges
                .get_mut(index)
                .and_then(|exchange| exchange.request.as_mut())
            {
                request.method = Method::Get;
                request.target = bytes
                    .strip_prefix(b"GET ")
                    .map(|target| SharedText::new(target.trim_ascii()));
            }
            return self.complete(from);
        }
        let mut scanned = 0;
        let end = head::end_of(bytes, &mut scanned);
        let head = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes);
        // Rare, so its strings are not shared.
        self.read_head(
            from,
            pending.last,
            head,
            start,
            end.is_some(),
            &mut TextInterner::new(),
        );
        if head.len() < bytes.len() {
            self.direction_mut(from).lose();
            self.extend(from, pending.last, (bytes.len() - head.len()) as u64, 0);
        } else if end.is_none() {
            self.break_off(from);
        }
    }

    /// Lets so many exchanges go, the oldest first.
    pub(crate) fn evict_oldest(&mut self, old: usize) {
        let old = old.min(self.exchanges.len());
        if let Some(each) = self.text_bytes.checked_div(self.exchanges.len()) {
            self.text_bytes = self.text_bytes.saturating_sub(each * old);
        }
        self.exchanges.drain(..old);
        self.let_go = self.let_go.saturating_add(old as u64);
        self.awaiting = self.awaiting.saturating_sub(old as u32);
        self.doubtful = self.doubtful.saturating_sub(old as u32);
        self.marked = self.marked.saturating_sub(old as u32);
        for direction in &mut self.directions {
            direction.exchange = direction
                .exchange
                .checked_sub(old as u32)
                .map_or(NONE, |index| {
                    if direction.exchange == NONE {
                        NONE
                    } else {
                        index
                    }
                });
        }
    }

    fn push(&mut self, exchange: Exchange) -> u32 {
        if self.exchanges.len() >= MAX_EXCHANGES {
            self.evict_oldest(MAX_EXCHANGES / 4);
        }
        // Most connections have one exchange: do not reserve room for more until there are more.
        let room = self.exchanges.len();
        if room == self.exchanges.capacity() {
            self.exchanges.reserve_exact(room.max(1));
        }
        self.exchanges.push(exchange);
        (self.exchanges.len() - 1) as u32
    }
}

/// Whether it is an HTTP/0.9 request (RFC 1945 §4.1): GET, a path, and nothing else.
pub(super) fn is_simple_request(bytes: &[u8]) -> bool {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let path = line.strip_prefix(b"GET ").unwrap_or_default();
    line.len() < bytes.len() && path.first() == Some(&b'/') && path.iter().all(u8::is_ascii_graphic)
}
