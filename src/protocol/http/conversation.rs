//! Detects the protocol of one connection and decides for each byte what it belongs to.
//!
//! Each direction is a [`HttpDirection`] whose [`HttpReadState`] states what the next byte belongs to. Bodies of known
//! length are counted; heads that lie in one slice are parsed in place; others are buffered, bounded by [`MAX_HEAD`].
//! What begins a message is decided in `recognition.rs`; what a complete head means, in `message_state.rs`. After a
//! gap, after broken framing and in data that is not HTTP, only a slice that begins with a proven start line is
//! accepted.

use super::coding::CodingCheck;
use super::direction::{HeadCut, HttpDirection, HttpReadState, NONE, PendingHead};
use super::exchange::Exchange;
use super::fault::FaultRule;
use super::head::{self, HeadKind};
use super::recognition::{
    FirstBytes, begins_request, is_hello, is_versioned, may_be_request, recognise,
};
use super::text::TextInterner;
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::parts::{PartTeller, StreamPart};

/// Maximum bytes of a head that are buffered: as much as the most generous servers accept.
pub(crate) const MAX_HEAD: usize = 64 << 10;
/// Exchanges kept per connection (about 13 MB); beyond that the oldest are evicted and counted.
pub(crate) const MAX_EXCHANGES: usize = 65_536;

/// Bytes before a status line that Chrome and Firefox skip.
const MAX_STRAY: usize = 4;

/// Bytes buffered of what may be a malformed request, until the other end shows whether it took them for one.
const MAX_DOUBTED: usize = 8 << 10;

/// The protocol of a connection, detected by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// No bytes yet, or too few to decide.
    Unknown,
    /// HTTP/1.x, or 0.9.
    Http1,
    /// HTTP/2 without TLS, by its preface or an upgrade to `h2c`.
    Http2,
    /// TLS records.
    Tls,
    /// WebSocket, after a 101 to `websocket`.
    WebSocket,
    /// A tunnel, after a CONNECT's 2xx or a 101 to another protocol.
    Tunnel,
    /// Any other protocol.
    Opaque,
}

/// The HTTP/1.x dissector of one TCP connection.
#[derive(Clone, Debug)]
pub struct HttpConversation {
    pub(super) directions: [HttpDirection; 2],
    pub(super) exchanges: Vec<Exchange>,
    /// Bytes that the exchanges hold beside their own size.
    pub(super) text_bytes: usize,
    pub(super) requester: Option<(FlowEnd, Certainty)>,
    pub(super) protocol: Protocol,
    /// The oldest exchange whose final response is not complete.
    pub(super) awaiting: u32,
    /// Exchanges below this index had begun when responses were last lost; their responses may have been among those.
    pub(super) doubtful: u32,
    /// Exchanges below this index that wait for a response are marked: it may have been lost.
    pub(super) marked: u32,
    /// Offset in the responses' direction at which another protocol begins.
    pub(super) switched_at: u64,
    pub(super) let_go: u64,
    /// Faults of grammar found so far.
    pub(crate) faults: u32,
    /// Offset at which each direction starts.
    pub(super) since: [u64; 2],
    /// Is told which bytes are what.
    pub(super) teller: Option<PartTeller>,
}

impl Default for HttpConversation {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpConversation {
    /// A connection on which nothing was sent yet.
    #[must_use]
    pub const fn new() -> Self {
        Self::starting([0; 2])
    }

    /// Starts at these offsets of the two directions; the bytes before them belong to what came earlier.
    #[must_use]
    pub(crate) const fn starting(since: [u64; 2]) -> Self {
        let [a, b] = since;
        Self {
            since,
            directions: [HttpDirection::new(a), HttpDirection::new(b)],
            exchanges: Vec::new(),
            text_bytes: 0,
            requester: None,
            protocol: Protocol::Unknown,
            awaiting: 0,
            doubtful: 0,
            marked: 0,
            switched_at: u64::MAX,
            let_go: 0,
            faults: 0,
            teller: None,
        }
    }

    /// The same, with an observer that is told which bytes are what.
    #[must_use]
    pub(crate) fn with_teller(mut self, teller: Option<PartTeller>) -> Self {
        self.teller = teller;
        self
    }

    /// Tells that bytes of a direction are this. They begin `before` bytes from its present offset.
    pub(super) fn tell(&self, from: FlowEnd, before: usize, length: usize, part: StreamPart<'_>) {
        if let Some(teller) = &self.teller {
            let start = self.direction(from).offset.saturating_add(before as u64);
            teller.part(from, start, length as u64, part);
        }
    }

    /// The next bytes of one direction, in order and without overlap. `bytes` is what was captured, `length` what was
    /// on the wire: the rest was cut off by the snap length.
    ///
    /// Returns how many of the last bytes are not HTTP/1: the protocol that [`HttpConversation::protocol`] names begins
    /// at the first of them, or began earlier. They are not counted here, nor is what the snap length cut off after
    /// them.
    pub fn data(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        length: u32,
        texts: &mut TextInterner,
    ) -> usize {
        let mut rest = bytes;
        let mut begins = true;
        while !rest.is_empty() {
            let used = self.step(from, at, rest, begins, texts);
            let foreign = matches!(self.direction(from).state, HttpReadState::Foreign);
            let used = used.clamp(usize::from(!foreign), rest.len());
            if self.direction(from).sampling.is_some() {
                self.sample_on(from, rest.get(..used).unwrap_or_default());
            }
            self.direction_mut(from).advance(used as u64);
            rest = rest.get(used..).unwrap_or_default();
            if foreign && !rest.is_empty() {
                return rest.len();
            }
            begins = false;
        }
        let cut = u64::from(length).saturating_sub(bytes.len() as u64);
        if cut > 0 {
            self.pass_over(from, at, cut, false, texts);
        }
        0
    }

    /// The next `length` bytes of one direction were never captured.
    pub fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64, texts: &mut TextInterner) {
        if length > 0 {
            self.pass_over(from, at, length, true, texts);
        }
    }

    /// The FIN of one direction, in order. It completes a body that is delimited by the close.
    pub fn end(&mut self, from: FlowEnd, texts: &mut TextInterner) {
        self.end_sample(from);
        match self.direction(from).state {
            HttpReadState::UntilClose => self.complete(from),
            HttpReadState::Head { .. } => self.give_up_head(from, HeadCut::Sender, texts),
            _ => {}
        }
    }

    /// The connection is over: incomplete heads are parsed as far as they go, and the working memory is freed.
    pub fn finish(&mut self, texts: &mut TextInterner) {
        for end in FlowEnd::BOTH {
            self.direction_mut(end).coding = CodingCheck::NONE;
            self.end_sample(end);
            self.give_up_head(end, HeadCut::Sender, texts);
            if let HttpReadState::Chunks(chunks) = self.direction(end).state
                && !chunks.between()
                && let Some(rare) = self.rare_head(end)
            {
                rare.within_chunk = true;
                rare.last_chunk = chunks.is_after_last();
            }
        }
        self.exchanges.shrink_to_fit();
    }

    /// Buffered bytes of incomplete heads.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        let waiting =
            |direction: &HttpDirection| direction.pending.as_ref().map_or(0, |it| it.bytes.len());
        self.directions.iter().map(waiting).sum()
    }

    /// Reads the heads that wait as far as they go, since too much waits in all.
    pub(crate) fn drop_incomplete(&mut self, texts: &mut TextInterner) {
        for end in FlowEnd::BOTH {
            if let Some(pending) = &self.direction(end).pending {
                let last = pending.last;
                self.give_up_head(end, HeadCut::Capture, texts);
                self.lose_framing(end, last, 0, false);
            }
        }
    }

    /// The protocol detected so far.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The end that is the HTTP (or TLS) client, by content.
    #[must_use]
    pub const fn requester(&self) -> Option<(FlowEnd, Certainty)> {
        self.requester
    }

    /// The exchanges in order of their requests.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Bytes of memory that the exchanges take.
    #[must_use]
    pub(crate) const fn exchange_bytes(&self) -> usize {
        self.exchanges.len() * size_of::<Exchange>() + self.text_bytes
    }

    /// Takes the exchanges out, so that another protocol continues with them.
    pub(crate) fn take_exchanges(&mut self) -> Vec<Exchange> {
        std::mem::take(&mut self.exchanges)
    }

    /// The exchanges, when nothing else is needed any more.
    #[must_use]
    pub(crate) fn into_exchanges(self) -> Vec<Exchange> {
        self.exchanges
    }

    /// Number of exchanges, the oldest ones, that were evicted because there were more than [`MAX_EXCHANGES`].
    #[must_use]
    pub const fn let_go(&self) -> u64 {
        self.let_go
    }

    pub(super) fn direction(&self, end: FlowEnd) -> &HttpDirection {
        end.of(&self.directions)
    }

    pub(super) fn direction_mut(&mut self, end: FlowEnd) -> &mut HttpDirection {
        end.of_mut(&mut self.directions)
    }

    /// What this end is known to send, requests or responses.
    pub(super) fn role(&self, end: FlowEnd) -> Option<HeadKind> {
        let (requester, _) = self.requester?;
        Some(if requester == end {
            HeadKind::Request
        } else {
            HeadKind::Response
        })
    }

    /// Whether HTTP was seen, even if only as a plain-text response to a TLS client. Then the roles are known, and TLS
    /// cannot begin any more.
    fn is_http(&self) -> bool {
        self.protocol == Protocol::Http1 || !self.exchanges.is_empty()
    }

    /// Consumes some of `bytes` and returns how many: at least one, unless another protocol begins. `begins`: they
    /// begin a slice.
    fn step(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        begins: bool,
        texts: &mut TextInterner,
    ) -> usize {
        match self.direction(from).state {
            HttpReadState::Body { left } => {
                if begins && self.is_body_missing(from) && self.restarts(from, bytes) {
                    return self.boundary(from, at, bytes, texts);
                }
                let take = left.min(bytes.len() as u64);
                self.tell(from, 0, take as usize, StreamPart::Body);
                let body = bytes.get(..take as usize).unwrap_or_default();
                self.see_body(from, body, texts);
                self.take_body(from, at, take);
                take as usize
            }
            HttpReadState::Chunks(chunks) => {
                if begins && self.is_body_missing(from) && self.restarts(from, bytes) {
                    return self.boundary(from, at, bytes, texts);
                }
                self.take_chunks(from, at, bytes, chunks, texts)
            }
            HttpReadState::Boundary => self.boundary(from, at, bytes, texts),
            HttpReadState::Head { proven } => self.more_of_head(from, at, bytes, proven, texts),
            HttpReadState::UntilClose => {
                self.tell(from, 0, bytes.len(), StreamPart::Body);
                self.see_body(from, bytes, texts);
                self.extend(from, at, bytes.len() as u64, 0);
                bytes.len()
            }
            HttpReadState::Held | HttpReadState::Lost => {
                let first_bytes = if begins {
                    recognise(bytes, 0)
                } else {
                    FirstBytes::Nothing
                };
                // TLS after plain text, as with STARTTLS.
                if first_bytes == FirstBytes::Tls && !self.is_http() && is_hello(bytes) {
                    return self.tls(from, bytes);
                }
                let kind = match first_bytes {
                    FirstBytes::Request => HeadKind::Request,
                    FirstBytes::Response => HeadKind::Response,
                    // The snap length may have cut it: if the role is known, a part of a start line is enough.
                    FirstBytes::NotYet
                        if bytes.starts_with(b"HTTP/1.") && self.role(from).is_some() =>
                    {
                        HeadKind::Response
                    }
                    FirstBytes::NotYet
                        if bytes.contains(&b' ')
                            && may_be_request(bytes)
                            && self.role(from).is_some() =>
                    {
                        HeadKind::Request
                    }
                    _ => {
                        self.extend(from, at, bytes.len() as u64, 0);
                        self.regain(from, bytes, begins);
                        if begins && self.is_last_chunk(from, bytes) {
                            self.tell(from, 0, bytes.len(), StreamPart::Framing);
                            self.complete(from);
                        }
                        return bytes.len();
                    }
                };
                if self.role(from).is_some_and(|role| role != kind) {
                    self.extend(from, at, bytes.len() as u64, 0);
                    return bytes.len();
                }
                self.resume(from);
                self.boundary(from, at, bytes, texts)
            }
            HttpReadState::Doubted => {
                self.tell(from, 0, bytes.len(), StreamPart::Malformed);
                let direction = self.direction_mut(from);
                match &mut direction.pending {
                    Some(pending) if pending.bytes.len() + bytes.len() <= MAX_DOUBTED => {
                        pending.bytes.extend_from_slice(bytes);
                        pending.last = at;
                    }
                    _ => {
                        direction.lose();
                        self.judge();
                    }
                }
                bytes.len()
            }
            HttpReadState::Foreign => 0,
        }
    }

    /// Whether nothing of the body in progress has been sent, and it is possible that the body never comes.
    fn is_body_missing(&self, from: FlowEnd) -> bool {
        let Some(exchange) = self.exchange_of(from) else {
            return false;
        };
        match self.role(from) {
            // The final response came before the body: the client may withhold it (RFC 9110 §10.1.1).
            Some(HeadKind::Request) => exchange
                .rare
                .as_ref()
                .is_some_and(|rare| rare.body_withheld),
            // The request was not seen: it may have been a HEAD.
            Some(HeadKind::Response) => {
                exchange.request.is_none()
                    && exchange
                        .response
                        .as_ref()
                        .is_some_and(|response| response.message.body_wire == 0)
            }
            None => false,
        }
    }

    /// If another message begins here, the announced body never came: returns to the message boundary. Returns whether
    /// it did.
    fn restarts(&mut self, from: FlowEnd, bytes: &[u8]) -> bool {
        match (self.role(from), recognise(bytes, 0)) {
            (Some(HeadKind::Request), FirstBytes::Request) => {}
            (Some(HeadKind::Response), FirstBytes::Response) => self.complete_without_body(from),
            _ => return false,
        }
        self.direction_mut(from).state = HttpReadState::Boundary;
        true
    }

    /// Parses bytes at a message boundary.
    fn boundary(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        texts: &mut TextInterner,
    ) -> usize {
        // §2.2: a server ignores at least one empty line before the request line; some send one after a body.
        let blank = bytes
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        if blank > 0 {
            if let Some(stray) = self.stray_bytes(from, bytes) {
                return self.stray_head(from, at, bytes, stray, texts);
            }
            if let Some(rare) = self.rare_head(from) {
                rare.blank_after = rare.blank_after.saturating_add(blank as u32);
            }
            self.tell(from, 0, blank, StreamPart::Framing);
            return blank;
        }
        match self.first_bytes(from, bytes, 0) {
            FirstBytes::NotYet => self.wait(from, at, bytes, 0, false),
            FirstBytes::LikeRequest if self.role(from).is_none() && !is_versioned(bytes) => {
                self.tell(from, 0, bytes.len(), StreamPart::Malformed);
                let used = self.wait(from, at, bytes, 0, false);
                self.direction_mut(from).state = HttpReadState::Doubted;
                used
            }
            FirstBytes::Request | FirstBytes::LikeRequest => {
                self.head(from, HeadKind::Request, at, bytes, 0, texts)
            }
            FirstBytes::Response | FirstBytes::LikeResponse => {
                self.head(from, HeadKind::Response, at, bytes, 0, texts)
            }
            FirstBytes::Preface => {
                self.requester = Some((from, Certainty::Certain));
                self.hand_over(from, Protocol::Http2)
            }
            FirstBytes::Settings => {
                self.requester = Some((from.other(), Certainty::Certain));
                self.hand_over(from, Protocol::Http2)
            }
            FirstBytes::Tls => self.tls(from, bytes),
            FirstBytes::Nothing => {
                if let Some(stray) = self.stray_bytes(from, bytes) {
                    return self.stray_head(from, at, bytes, stray, texts);
                }
                self.not_a_message(from, at, bytes);
                bytes.len()
            }
        }
    }

    /// Parses a head behind bytes that should not be there.
    fn stray_head(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        stray: usize,
        texts: &mut TextInterner,
    ) -> usize {
        let start = self.direction(from).offset;
        let used = self.head(from, HeadKind::Response, at, bytes, stray, texts);
        let quote = bytes.get(..stray).unwrap_or_default();
        self.tell(from, 0, stray, self.faulty(from, false));
        self.fault(from, FaultRule::BeforeStartLine, start, quote);
        self.sample(from, bytes.get(..used).unwrap_or_default(), start);
        used
    }

    /// Number of bytes before a status line, if these are the first bytes of the first response and few enough that
    /// browsers skip them.
    fn stray_bytes(&self, from: FlowEnd, bytes: &[u8]) -> Option<usize> {
        let first = self.role(from) == Some(HeadKind::Response)
            && self.direction(from).exchange == NONE
            && self.direction(from).clean;
        let begins = |skip: &usize| {
            let rest = bytes.get(*skip..).unwrap_or_default();
            rest.starts_with(b"HTTP/") && recognise(rest, 0) == FirstBytes::Response
        };
        (1..=MAX_STRAY).find(|skip| first && begins(skip))
    }

    /// What `bytes` begin with, given what this end is known to send.
    fn first_bytes(&mut self, from: FlowEnd, bytes: &[u8], scanned: usize) -> FirstBytes {
        let first_bytes = recognise(bytes, scanned);
        let role = self.role(from);
        match first_bytes {
            // A server that answers a plain-text request in TLS, or with a version alone, violates HTTP.
            FirstBytes::Tls if self.is_http() => FirstBytes::Nothing,
            FirstBytes::Preface
                if role == Some(HeadKind::Response) || !self.exchanges.is_empty() =>
            {
                FirstBytes::Nothing
            }
            FirstBytes::Settings
                if role.is_some() || self.direction(from).offset > self.since[from.index()] =>
            {
                FirstBytes::Nothing
            }
            FirstBytes::Request if role == Some(HeadKind::Response) => FirstBytes::Nothing,
            // The first bytes of a response are fixed.
            FirstBytes::NotYet
                if role == Some(HeadKind::Response)
                    && !b"HTTP/".starts_with(bytes)
                    && !bytes.starts_with(b"HTTP/") =>
            {
                FirstBytes::Nothing
            }
            FirstBytes::Response if role == Some(HeadKind::Request) => FirstBytes::Nothing,
            FirstBytes::LikeResponse if role != Some(HeadKind::Response) => FirstBytes::Nothing,
            FirstBytes::LikeRequest if role == Some(HeadKind::Response) => FirstBytes::Nothing,
            first_bytes => first_bytes,
        }
    }

    /// Buffers the bytes of a head until there are more.
    fn wait(
        &mut self,
        from: FlowEnd,
        first: FrameRef,
        bytes: &[u8],
        scanned: usize,
        proven: bool,
    ) -> usize {
        let direction = self.direction_mut(from);
        direction.state = HttpReadState::Head { proven };
        direction.pending = Some(Box::new(PendingHead {
            bytes: bytes.to_vec(),
            scanned,
            first,
            last: first,
        }));
        bytes.len()
    }

    /// A message of this kind begins with `bytes`, after `stray` others.
    fn head(
        &mut self,
        from: FlowEnd,
        kind: HeadKind,
        at: FrameRef,
        bytes: &[u8],
        stray: usize,
        texts: &mut TextInterner,
    ) -> usize {
        let start = self.direction(from).offset.saturating_add(stray as u64);
        let bytes = bytes.get(stray..).unwrap_or_default();
        self.begin(from, kind, at, start);
        let mut scanned = 0;
        match head::end_of(bytes, &mut scanned) {
            Some(end) if end <= MAX_HEAD => {
                let head = bytes.get(..end).unwrap_or_default();
                self.read_head(from, at, head, start, true, texts);
                stray + end
            }
            None if bytes.len() < MAX_HEAD => stray + self.wait(from, at, bytes, scanned, true),
            _ => {
                let head = bytes.get(..MAX_HEAD).unwrap_or(bytes);
                self.head_too_long(from, at, head, start, texts);
                stray + head.len()
            }
        }
    }

    /// Adds bytes to a buffered head.
    fn more_of_head(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        proven: bool,
        texts: &mut TextInterner,
    ) -> usize {
        let Some(mut pending) = self.direction_mut(from).pending.take() else {
            self.direction_mut(from).lose();
            return bytes.len();
        };
        let before = pending.bytes.len();
        pending.last = at;
        let room = MAX_HEAD.saturating_sub(before).min(bytes.len());
        pending
            .bytes
            .extend_from_slice(bytes.get(..room).unwrap_or_default());
        let start = self.direction(from).offset.saturating_sub(before as u64);
        let mut proven = proven;
        if !proven {
            let kind = match self.first_bytes(from, &pending.bytes, pending.scanned) {
                FirstBytes::NotYet => {
                    pending.scanned = pending.bytes.len();
                    self.direction_mut(from).pending = Some(pending);
                    return room;
                }
                FirstBytes::LikeRequest
                    if self.role(from).is_none() && !is_versioned(&pending.bytes) =>
                {
                    if let Some(teller) = &self.teller {
                        let length = pending.bytes.len() as u64;
                        teller.part(from, start, length, StreamPart::Malformed);
                    }
                    let direction = self.direction_mut(from);
                    direction.pending = Some(pending);
                    direction.state = HttpReadState::Doubted;
                    return room;
                }
                FirstBytes::Request | FirstBytes::LikeRequest => HeadKind::Request,
                FirstBytes::Response | FirstBytes::LikeResponse => HeadKind::Response,
                first_bytes @ (FirstBytes::Preface | FirstBytes::Tls) => {
                    let used = match first_bytes {
                        FirstBytes::Tls => self.tls(from, &pending.bytes),
                        _ => {
                            self.requester = Some((from, Certainty::Certain));
                            self.hand_over(from, Protocol::Http2)
                        }
                    };
                    pending.bytes.truncate(before);
                    self.direction_mut(from).pending = Some(pending);
                    return used;
                }
                FirstBytes::Settings | FirstBytes::Nothing => {
                    self.not_a_message_at(from, pending.first, at, &pending.bytes, start);
                    return room;
                }
            };
            pending.scanned = 0;
            self.begin(from, kind, pending.first, start);
            self.direction_mut(from).state = HttpReadState::Head { proven: true };
            proven = true;
        }
        match head::end_of(&pending.bytes, &mut pending.scanned) {
            Some(end) => {
                let head = pending.bytes.get(..end).unwrap_or_default();
                self.read_head(from, at, head, start, true, texts);
                end.saturating_sub(before)
            }
            None if pending.bytes.len() < MAX_HEAD => {
                let direction = self.direction_mut(from);
                direction.state = HttpReadState::Head { proven };
                direction.pending = Some(pending);
                room
            }
            None => {
                self.head_too_long(from, at, &pending.bytes, start, texts);
                room
            }
        }
    }

    fn head_too_long(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        head: &[u8],
        start: u64,
        texts: &mut TextInterner,
    ) {
        self.read_head(from, at, head, start, false, texts);
        self.fault(from, FaultRule::HeadTooLong, start, &[]);
        self.break_off(from);
    }

    /// Skips bytes that the snap length cut off (`lost` is false) or that were never captured.
    fn pass_over(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        length: u64,
        lost: bool,
        texts: &mut TextInterner,
    ) {
        let mut left_over = length;
        // Without them the rest cannot be decoded.
        let direction = self.direction_mut(from);
        direction.coding = CodingCheck::NONE;
        direction.quotes = false;
        direction.sampling = None;
        if let HttpReadState::Body { left } = self.direction(from).state {
            let take = left.min(length);
            self.missing(from, if lost { take } else { 0 });
            self.take_body(from, at, take);
            self.direction_mut(from).advance(take);
            left_over = length - take;
        }
        if left_over == 0 {
            return;
        }
        match self.direction(from).state {
            HttpReadState::Body { .. } | HttpReadState::Foreign | HttpReadState::Held => {}
            HttpReadState::UntilClose => {
                self.missing(from, if lost { left_over } else { 0 });
                self.extend(from, at, left_over, 0);
            }
            HttpReadState::Chunks(mut chunks) => {
                let mut data = 0;
                if chunks.skip(left_over, &mut data) {
                    self.missing(from, if lost { left_over } else { 0 });
                    self.extend(from, at, left_over, data);
                    self.direction_mut(from).state = HttpReadState::Chunks(chunks);
                } else {
                    self.lose_framing(from, at, left_over, lost);
                }
            }
            HttpReadState::Head { .. } | HttpReadState::Doubted => {
                self.give_up_head(from, HeadCut::Capture, texts);
                self.lose_framing(from, at, left_over, lost);
            }
            HttpReadState::Boundary => {
                if self.role(from) == Some(HeadKind::Response) {
                    self.doubt_responses();
                }
                let direction = self.direction_mut(from);
                direction.exchange = NONE;
                direction.lose();
                self.judge();
            }
            HttpReadState::Lost => {
                if self.role(from) == Some(HeadKind::Response) {
                    self.doubt_responses();
                }
                self.extend(from, at, left_over, 0);
                if lost {
                    self.direction_mut(from).guess = None;
                } else {
                    self.skip_in_guess(from, left_over);
                }
            }
        }
        self.direction_mut(from).advance(left_over);
    }

    /// TLS records begin here.
    fn tls(&mut self, from: FlowEnd, bytes: &[u8]) -> usize {
        let hello = bytes.first() == Some(&22);
        match bytes.get(5) {
            Some(1) if hello => self.requester = Some((from, Certainty::Certain)),
            Some(2) if hello => self.requester = Some((from.other(), Certainty::Certain)),
            _ => {}
        }
        self.hand_over(from, Protocol::Tls)
    }

    /// Whether nothing shows which protocol this is: it may be one that began earlier.
    #[must_use]
    pub(crate) fn is_open(&self) -> bool {
        self.requester.is_none() && matches!(self.protocol, Protocol::Unknown | Protocol::Opaque)
    }

    /// The connection is HTTP/2, part of which is missing: hands over both directions.
    pub(crate) fn start_midstream(&mut self, requester: FlowEnd, certainty: Certainty) {
        self.protocol = Protocol::Http2;
        self.requester = Some((requester, certainty));
        for direction in &mut self.directions {
            direction.state = HttpReadState::Foreign;
            direction.pending = None;
        }
    }

    /// This direction carries another protocol from here on; none of its bytes were consumed. The other direction may
    /// still answer in plain text, which shows the client that it connected to the wrong port.
    fn hand_over(&mut self, from: FlowEnd, protocol: Protocol) -> usize {
        self.protocol = protocol;
        self.direction_mut(from).state = HttpReadState::Foreign;
        0
    }

    /// Bytes at the beginning of what this direction was handed over to, which had waited here to be recognised, and
    /// when the first of them was seen. They are not part of [`HttpConversation::exchanges`] any more.
    #[must_use]
    pub(crate) fn take_waiting(&mut self, from: FlowEnd) -> Option<(FrameRef, Vec<u8>)> {
        let direction = self.direction_mut(from);
        if !matches!(direction.state, HttpReadState::Foreign) {
            return None;
        }
        let pending = direction.pending.take()?;
        direction.offset = direction.offset.saturating_sub(pending.bytes.len() as u64);
        Some((pending.first, pending.bytes))
    }

    /// Payload bytes of one direction that were consumed.
    #[must_use]
    pub(crate) fn consumed(&self, from: FlowEnd) -> u64 {
        self.direction(from).offset
    }

    /// Declares the protocol opaque if none is proven.
    pub(super) fn judge(&mut self) {
        if self.protocol == Protocol::Unknown && self.requester.is_none() {
            self.protocol = Protocol::Opaque;
        }
    }

    /// Whether the buffered bytes of a direction begin like a request.
    pub(super) fn is_beginning(&self, end: FlowEnd) -> bool {
        let pending = self.direction(end).pending.as_ref();
        pending.is_some_and(|pending| may_be_request(&pending.bytes))
    }

    /// Whether they prove that a request has begun, as far as the other end has said nothing else.
    pub(super) fn has_begun(&self, end: FlowEnd) -> bool {
        let pending = self.direction(end).pending.as_ref();
        self.direction(end.other()).clean
            && pending.is_some_and(|pending| begins_request(&pending.bytes))
    }
}
