//! The way of a message: what its beginning, its head, its body and its end mean for the exchange it belongs to.

use super::chunked::{Chunks, Step};
use super::conversation::{Conversation, MAX_EXCHANGES, Protocol};
use super::exchange::{Exchange, Interim, RareHead, Request, Response};
use super::fault::{Fault, FaultRule, MAX_FAULTS, MAX_QUOTE};
use super::fields::{Facts, FieldName, Upgrade};
use super::framing::{self, Body};
use super::head::{self, Head, Kind};
use super::lane::{Cut, NONE, State};
use super::message::{Framing, Message, Method, Progress, Version};
use super::recognition::smells_like_request;
use super::text::{Text, Texts};
use crate::certainty::Certainty;
use crate::mark::Mark;
use crate::side::End;

/// Interim responses kept of one exchange; a server may send 102 or 103 as often as it likes.
const MAX_INTERIM: usize = 8;

impl Conversation {
    /// The exchange whose message this direction is in, or was in last.
    pub(super) fn exchange_of(&self, from: End) -> Option<&Exchange> {
        self.exchanges.get(self.lane(from).exchange as usize)
    }

    fn message_mut(&mut self, from: End) -> Option<&mut Message> {
        let role = self.role(from)?;
        let index = self.lane(from).exchange as usize;
        let exchange = self.exchanges.get_mut(index)?;
        match role {
            Kind::Request => exchange
                .request
                .as_mut()
                .map(|request| &mut request.message),
            Kind::Response => exchange
                .response
                .as_mut()
                .map(|response| &mut response.message),
        }
    }

    fn rare_head(&mut self, from: End) -> Option<&mut RareHead> {
        let role = self.role(from)?;
        let index = self.lane(from).exchange as usize;
        let rare = self.exchanges.get_mut(index)?.rare_mut();
        Some(match role {
            Kind::Request => &mut rare.request,
            Kind::Response => &mut rare.response,
        })
    }

    /// Notes a fault of the message this direction is in.
    pub(super) fn fault(&mut self, from: End, rule: FaultRule, offset: u64, bytes: &[u8]) {
        let Some(head) = self.rare_head(from) else {
            return;
        };
        if head.faults.len() < MAX_FAULTS {
            let bytes = Text::new(bytes.get(..MAX_QUOTE).unwrap_or(bytes));
            head.faults.push(Fault {
                rule,
                offset,
                bytes,
            });
        } else {
            head.more_faults = head.more_faults.saturating_add(1);
        }
    }

    /// A message is proven to begin at `start`.
    pub(super) fn begin(&mut self, from: End, kind: Kind, first: Mark, start: u64) {
        let requester = if kind == Kind::Request {
            from
        } else {
            from.other()
        };
        self.meet(requester);
        let message = Message::begun(first, start);
        match kind {
            Kind::Request => {
                let request = Request {
                    message,
                    target: None,
                    host: None,
                    user_agent: None,
                    method: Method::Unknown,
                };
                let exchange = Exchange {
                    request: Some(request),
                    ..Exchange::default()
                };
                self.lane_mut(from).exchange = self.push(exchange);
            }
            Kind::Response => {
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
                self.lane_mut(from).exchange = index;
            }
        }
    }

    /// The exchange that a response beginning now belongs to; a new one if none is waited for.
    fn answered(&mut self) -> u32 {
        // A response that was lost by the capture belonged to an older request, if there is a younger one.
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

    /// Responses were lost by the capture: whatever is waited for may have been among them.
    pub(super) fn doubt_responses(&mut self) {
        self.doubtful = self.exchanges.len() as u32;
        let from = self.awaiting as usize;
        for exchange in self.exchanges.iter_mut().skip(from) {
            if exchange.response.is_none() {
                exchange.rare_mut().response_lost = true;
            }
        }
    }

    /// HTTP is spoken, and this end asks.
    fn meet(&mut self, requester: End) {
        if self.protocol == Protocol::Tls
            || (self.protocol == Protocol::Http1 && self.requester.is_some())
        {
            return;
        }
        self.protocol = Protocol::Http1;
        self.requester = Some((requester, Certainty::Certain));
        let lane = self.lane_mut(requester);
        if lane.state == State::Simple
            && let Some(pending) = lane.pending.take()
        {
            self.simple_request(requester, pending.first, &pending.bytes);
        }
    }

    /// `GET /` without a version turned out to be a request, as what came back shows.
    fn simple_request(&mut self, from: End, first: Mark, line: &[u8]) {
        let start = self.lane(from).offset.saturating_sub(line.len() as u64);
        let mut message = Message::begun(first, start);
        message.head_len = line.len() as u32;
        message.version = Version::HTTP_09;
        message.framing = Framing::NoBody;
        message.progress = Progress::Complete;
        let target = line
            .strip_prefix(b"GET ")
            .map(|target| Text::new(target.trim_ascii()));
        let request = Request {
            message,
            target,
            host: None,
            user_agent: None,
            method: Method::Get,
        };
        let index = self.push(Exchange {
            request: Some(request),
            ..Exchange::default()
        });
        let lane = self.lane_mut(from);
        lane.exchange = index;
        lane.state = State::Boundary;
    }

    fn push(&mut self, exchange: Exchange) -> u32 {
        if self.exchanges.len() >= MAX_EXCHANGES {
            let old = MAX_EXCHANGES / 4;
            self.exchanges.drain(..old);
            self.let_go = self.let_go.saturating_add(old as u64);
            self.awaiting = self.awaiting.saturating_sub(old as u32);
            self.doubtful = self.doubtful.saturating_sub(old as u32);
            for lane in &mut self.lanes {
                lane.exchange = lane.exchange.checked_sub(old as u32).map_or(NONE, |index| {
                    if lane.exchange == NONE { NONE } else { index }
                });
            }
        }
        // Most connections have one exchange: no room for more until there are more.
        let room = self.exchanges.len();
        if room == self.exchanges.capacity() {
            self.exchanges.reserve_exact(room.max(1));
        }
        self.exchanges.push(exchange);
        (self.exchanges.len() - 1) as u32
    }

    /// The head of the message that began at `start` is here, or (`whole` is false) as much of it as ever will be.
    pub(super) fn read_head(
        &mut self,
        from: End,
        at: Mark,
        head: &[u8],
        start: u64,
        whole: bool,
        texts: &mut Texts,
    ) {
        let Some(role) = self.role(from) else { return };
        let read = if whole {
            head::read(head, role, start, texts)
        } else {
            head::read_part(head, role, start, texts)
        };
        let Some(message) = self.message_mut(from) else {
            self.lane_mut(from).lose();
            return;
        };
        message.last = at;
        message.head_len = head.len() as u32;
        message.version = read.version.unwrap_or(Version::UNKNOWN);
        message.connection = read.facts.connection;
        message.keep_alive = read.facts.keep_alive;
        let split = message.first != at;
        match role {
            Kind::Request => self.request_head(from, at, read, split, whole, texts),
            Kind::Response => self.response_head(from, at, read, split, whole, texts),
        }
    }

    fn request_head(
        &mut self,
        from: End,
        at: Mark,
        read: Head<'_>,
        split: bool,
        whole: bool,
        texts: &mut Texts,
    ) {
        let index = self.lane(from).exchange as usize;
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
        request.target = read.target.map(|target| texts.text(target));
        request.host = read.facts.host.map(|host| texts.text(host));
        request.user_agent = read.facts.user_agent.map(|agent| texts.text(agent));
        let version = request.message.version;
        if method == Method::Other {
            exchange.rare_mut().method = Some(texts.text(read.method));
        }
        let body = framing::of_request(&read.facts, version);
        // Without a version there are no fields and no body (RFC 1945 §4.1), but this one had both: nobody can tell.
        let upgrade = read.facts.upgrade != Upgrade::None && read.facts.connection.upgrade;
        let hold = method == Method::Connect || upgrade;
        self.keep(from, read, split.then_some(at));
        self.begin_body(from, at, body, whole);
        if hold && self.lane(from).state == State::Boundary {
            self.lane_mut(from).state = State::Held;
        }
    }

    fn response_head(
        &mut self,
        from: End,
        at: Mark,
        read: Head<'_>,
        split: bool,
        whole: bool,
        texts: &mut Texts,
    ) {
        let index = self.lane(from).exchange as usize;
        let Some(exchange) = self.exchanges.get_mut(index) else {
            return;
        };
        let method = exchange.request.as_ref().map(|request| request.method);
        let Some(response) = exchange.response.as_mut() else {
            return;
        };
        let status = read.status;
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
            let lane = self.lane_mut(from);
            lane.state = State::Boundary;
            if !whole {
                lane.lose();
            }
            return;
        }
        response.status = status;
        response.server = read.facts.server.map(|server| texts.text(server));
        let body = framing::of_response(&read.facts, response.message.version, status, method);
        let upgrade = read.facts.upgrade;
        self.keep(from, read, split.then_some(at));
        self.begin_body(from, at, body, whole);
        if whole {
            self.release(from, body.framing, status, upgrade);
        }
    }

    /// What few messages have.
    fn keep(&mut self, from: End, read: Head<'_>, head_end: Option<Mark>) {
        let Facts { kept, more, .. } = read.facts;
        if kept.is_empty() && read.faults.is_empty() && head_end.is_none() {
            return;
        }
        let Some(rare) = self.rare_head(from) else {
            return;
        };
        rare.head_end = head_end;
        rare.fields = kept;
        rare.more_fields = more;
        rare.faults.extend(read.faults);
        rare.more_faults = rare.more_faults.saturating_add(read.more_faults);
    }

    /// The head is read; the body follows.
    fn begin_body(&mut self, from: End, at: Mark, body: Body, whole: bool) {
        let offset = self.message_mut(from).map_or(0, |message| message.start);
        for fault in body.faults.into_iter().flatten() {
            self.fault(from, fault, offset, &[]);
        }
        let Some(message) = self.message_mut(from) else {
            return;
        };
        message.framing = body.framing;
        message.amount = body.length;
        message.progress = Progress::Body;
        if !whole {
            // Without the rest of the head only what was said counts, not what was not.
            if !matches!(body.framing, Framing::Length | Framing::Chunked) {
                message.framing = Framing::Unknown;
            }
            message.progress = Progress::Unseen;
            if let Some(rare) = self.rare_head(from) {
                rare.head_cut = true;
            }
            self.lane_mut(from).lose();
            return;
        }
        let state = match body.framing {
            Framing::NoBody | Framing::Tunnel => return self.complete(from, at),
            Framing::Length if body.length == 0 => return self.complete(from, at),
            Framing::Length => State::Body { left: body.length },
            Framing::Chunked => State::Chunks(Chunks::new()),
            Framing::UntilClose => State::UntilClose,
            Framing::Unknown => return self.break_off(from),
        };
        self.lane_mut(from).state = state;
    }

    /// A final response is known: a request lane that was held goes on, or becomes another protocol with this one.
    fn release(&mut self, from: End, framing: Framing, status: u16, upgrade: Upgrade) {
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
            self.lanes.iter_mut().for_each(|lane| {
                lane.state = State::Foreign;
                lane.pending = None;
            });
            return;
        }
        // What was sent in the meantime was for the other protocol; it is not read again.
        let owner = self.lane(from).exchange == self.lane(requester).exchange;
        let end = self
            .message_mut(requester)
            .map_or(0, |message| message.end());
        let lane = self.lane_mut(requester);
        if owner && lane.state == State::Held {
            if lane.offset == end {
                lane.state = State::Boundary
            } else {
                lane.lose()
            }
        }
    }

    /// Body bytes of a message of known length.
    pub(super) fn take_body(&mut self, from: End, at: Mark, bytes: u64) {
        self.extend(from, at, bytes, 0);
        let lane = self.lane_mut(from);
        if let State::Body { left } = &mut lane.state {
            *left = left.saturating_sub(bytes);
            if *left == 0 {
                self.complete(from, at);
            }
        }
    }

    pub(super) fn take_chunks(
        &mut self,
        from: End,
        at: Mark,
        bytes: &[u8],
        mut chunks: Chunks,
    ) -> usize {
        let mut data = 0;
        let (used, step) = chunks.feed(bytes, &mut data);
        self.extend(from, at, used as u64, data);
        self.lane_mut(from).state = State::Chunks(chunks);
        if chunks.trailers() > 0
            && let Some(rare) = self.rare_head(from)
        {
            rare.trailers = u32::from(chunks.trailers());
        }
        let offset = self.lane(from).offset.saturating_add(used as u64);
        match step {
            Step::More => used,
            Step::Done => {
                self.complete(from, at);
                used
            }
            Step::Fault(rule) => {
                self.fault(from, rule, offset, &[]);
                used
            }
            Step::Broken(rule) => {
                let rest = bytes.get(used..).unwrap_or_default();
                self.fault(from, rule, offset, rest);
                self.break_off(from);
                // The rest of this slice is the wreck of the same message.
                self.extend(from, at, rest.len() as u64, 0);
                bytes.len()
            }
        }
    }

    /// So many more bytes belong to the message this direction is in; `data` of them are decoded chunk data.
    pub(super) fn extend(&mut self, from: End, at: Mark, bytes: u64, data: u64) {
        let is_request = self.role(from) == Some(Kind::Request);
        let Some(message) = self.message_mut(from) else {
            return;
        };
        if message.progress == Progress::Complete {
            return;
        }
        message.body_wire = message.body_wire.saturating_add(bytes);
        if message.framing == Framing::Chunked {
            message.amount = message.amount.saturating_add(data);
        }
        message.last = at;
        if is_request && bytes > 0 {
            let index = self.lane(from).exchange as usize;
            if let Some(rare) = self
                .exchanges
                .get_mut(index)
                .and_then(|exchange| exchange.rare.as_mut())
            {
                rare.body_withheld = false;
            }
        }
    }

    /// Bytes of the message this direction is in were never captured.
    pub(super) fn missing(&mut self, from: End, bytes: u64) {
        if bytes > 0
            && let Some(rare) = self.rare_head(from)
        {
            rare.missing = rare.missing.saturating_add(bytes);
        }
    }

    /// The message this direction is in ends here.
    pub(super) fn complete(&mut self, from: End, at: Mark) {
        if let Some(message) = self.message_mut(from) {
            message.progress = Progress::Complete;
            message.last = at;
        }
        self.lane_mut(from).state = State::Boundary;
        if self.role(from) == Some(Kind::Response) {
            let index = self.lane(from).exchange;
            self.awaiting = index.saturating_add(1);
            self.withhold(index);
        }
    }

    /// A response turned out to have no body although its head announces one: the request was a HEAD.
    pub(super) fn complete_without_body(&mut self, from: End) {
        let Some(message) = self.message_mut(from) else {
            return;
        };
        message.framing = Framing::NoBody;
        message.amount = 0;
        let at = message.last;
        self.complete(from, at);
    }

    /// A final response came while the client waits for `100 Continue`: the body may never come (RFC 9110 §10.1.1).
    fn withhold(&mut self, index: u32) {
        let Some(exchange) = self.exchanges.get_mut(index as usize) else {
            return;
        };
        let expects = exchange.request_fields(FieldName::Expect).next().is_some();
        let nothing_sent = exchange.request.as_ref().is_some_and(|request| {
            request.message.progress == Progress::Body && request.message.body_wire == 0
        });
        if expects && nothing_sent {
            exchange.rare_mut().body_withheld = true;
        }
    }

    /// Nobody can say where the message this direction is in ends.
    pub(super) fn break_off(&mut self, from: End) {
        if let Some(message) = self.message_mut(from)
            && message.progress != Progress::Complete
        {
            message.progress = Progress::Broken;
        }
        self.lane_mut(from).lose();
    }

    /// The capture lost what would tell where the message this direction is in ends.
    pub(super) fn lose_sight(&mut self, from: End, at: Mark, bytes: u64, lost: bool) {
        self.missing(from, if lost { bytes } else { 0 });
        self.extend(from, at, bytes, 0);
        if let Some(message) = self.message_mut(from)
            && message.progress != Progress::Complete
        {
            message.progress = Progress::Unseen;
        }
        if self.role(from) == Some(Kind::Response) {
            self.doubtful = self.exchanges.len() as u32;
        }
        self.lane_mut(from).lose();
        self.judge();
    }

    /// A message is proven to begin after a stretch that nobody understood.
    pub(super) fn resume(&mut self, from: End) {
        let lane = self.lane_mut(from);
        lane.state = State::Boundary;
        let index = lane.exchange;
        // The response that was lost sight of is over, complete or not.
        if self.role(from) == Some(Kind::Response) && index != NONE && index == self.awaiting {
            let begun = self
                .exchanges
                .get(index as usize)
                .is_some_and(|exchange| exchange.response.is_some());
            self.awaiting = self.awaiting.saturating_add(u32::from(begun));
        }
    }

    /// The head that waits will never be complete: it counts as far as it goes.
    pub(super) fn give_up_head(&mut self, from: End, at: Mark, by: Cut, texts: &mut Texts) {
        let start = self.lane(from).pending_start();
        let state = self.lane(from).state;
        let (Some(start), Some(pending)) = (start, self.lane_mut(from).pending.take()) else {
            return;
        };
        if state == (State::Head { proven: false }) {
            let role = self.role(from);
            match role {
                None if smells_like_request(&pending.bytes) => {
                    self.begin(from, Kind::Request, pending.first, start);
                    self.requester = Some((from, Certainty::Likely));
                }
                Some(role) if self.lane(from).clean => self.begin(from, role, pending.first, start),
                _ => return self.lane_mut(from).lose(),
            }
        } else if state == State::Simple {
            return self.lane_mut(from).lose();
        }
        self.read_head(from, at, &pending.bytes, start, false, texts);
        if by == Cut::Sender
            && let Some(message) = self.message_mut(from)
        {
            message.progress = Progress::Head;
            if let Some(rare) = self.rare_head(from) {
                rare.head_cut = false;
            }
        }
    }

    /// What begins here is no message.
    pub(super) fn no_message(&mut self, from: End, at: Mark, bytes: &[u8]) {
        let start = self.lane(from).offset;
        self.no_message_at(from, at, at, bytes, start);
    }

    pub(super) fn no_message_at(
        &mut self,
        from: End,
        first: Mark,
        at: Mark,
        bytes: &[u8],
        start: u64,
    ) {
        let other = self.lane(from.other()).state;
        if self.role(from).is_none() && other == State::Simple && bytes.first() == Some(&b'<') {
            return self.simple_response(from, first, at, bytes.len() as u64, start);
        }
        let peer_clean = self.lane(from.other()).clean;
        let clean = self.lane(from).clean && self.protocol == Protocol::Http1;
        let awaited = self
            .exchanges
            .get(self.awaiting as usize)
            .is_some_and(|exchange| exchange.response.is_none());
        let length = bytes.len() as u64;
        match self.role(from) {
            Some(Kind::Request) if clean && !self.exchanges.is_empty() => {
                self.begin(from, Kind::Request, first, start);
                self.fault(from, FaultRule::StartLine, start, bytes);
                self.break_off(from);
                self.extend(from, at, length, 0);
            }
            Some(Kind::Response) if clean && awaited && peer_clean => {
                self.begin(from, Kind::Response, first, start);
                self.fault(from, FaultRule::StartLine, start, bytes);
                self.break_off(from);
                self.extend(from, at, length, 0);
            }
            Some(Kind::Response) if clean && !awaited && self.lane(from).exchange != NONE => {
                self.fault(from, FaultRule::ExcessBytes, start, bytes);
                self.lane_mut(from).lose();
            }
            _ => {
                self.lane_mut(from).lose();
                self.judge();
            }
        }
    }

    /// HTML in answer to `GET /` without a version: HTTP/0.9 (RFC 1945 §4.1).
    fn simple_response(&mut self, from: End, first: Mark, at: Mark, length: u64, start: u64) {
        self.begin(from, Kind::Response, first, start);
        if let Some((_, certainty)) = &mut self.requester {
            *certainty = Certainty::Likely;
        }
        if let Some(message) = self.message_mut(from) {
            message.version = Version::HTTP_09;
            message.framing = Framing::UntilClose;
            message.progress = Progress::Body;
        }
        self.lane_mut(from).state = State::UntilClose;
        self.extend(from, at, length, 0);
    }
}
