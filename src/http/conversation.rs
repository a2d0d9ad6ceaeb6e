//! What is spoken on one connection: the way of a byte.
//!
//! Each direction is a [`Lane`] whose [`State`] says what the next byte belongs to. Bodies of known length are counted;
//! heads that lie in one slice are read in place; others wait, bounded by [`MAX_HEAD`]. What begins a message is decided
//! in `recognition.rs`; what a complete head means is in `reading.rs`. After a gap, after broken framing and in what is
//! no HTTP at all, only a slice that begins with a proven start line is believed.

use super::exchange::Exchange;
use super::fault::FaultRule;
use super::head::{self, Kind};
use super::lane::{Cut, Lane, NONE, Pending, State};
use super::recognition::{Sight, recognise, smells_like_request};
use super::text::Texts;
use super::tls_stage::{TlsLane, TlsNews};
use crate::certainty::Certainty;
use crate::mark::Mark;
use crate::side::End;

/// Bytes of a head that are waited for: what the most generous servers take.
pub const MAX_HEAD: usize = 64 << 10;
/// Exchanges kept of one connection (about 13 MB); the oldest are let go, and counted.
pub const MAX_EXCHANGES: usize = 65_536;

/// What is spoken on a connection, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Nothing was said yet, or too little to tell.
    Unknown,
    /// HTTP/1.x, or 0.9.
    Http1,
    /// HTTP/2 without TLS, by its preface or an upgrade to `h2c`.
    Http2,
    /// TLS records.
    Tls,
    /// After a 101 to `websocket`.
    WebSocket,
    /// After a CONNECT's 2xx, or a 101 to something else.
    Tunnel,
    /// Something else.
    Opaque,
}

/// The HTTP spoken on one TCP connection.
#[derive(Debug)]
pub struct Conversation {
    pub(super) lanes: [Lane; 2],
    pub(super) exchanges: Vec<Exchange>,
    pub(super) requester: Option<(End, Certainty)>,
    pub(super) protocol: Protocol,
    /// The oldest exchange whose final response is not complete.
    pub(super) awaiting: u32,
    /// Exchanges below this had begun when responses were last lost; theirs may have been among those.
    pub(super) doubtful: u32,
    /// Offset among the responses at which another protocol begins.
    pub(super) switched_at: u64,
    pub(super) let_go: u64,
}

impl Default for Conversation {
    fn default() -> Self {
        Self::new()
    }
}

impl Conversation {
    /// Nothing said yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            lanes: [Lane::new(), Lane::new()],
            exchanges: Vec::new(),
            requester: None,
            protocol: Protocol::Unknown,
            awaiting: 0,
            doubtful: 0,
            switched_at: u64::MAX,
            let_go: 0,
        }
    }

    /// The next bytes of one direction, in order and without overlap. `bytes` is what was captured, `length` what was
    /// on the wire: the rest was cut off by the snap length.
    pub fn data(&mut self, from: End, at: Mark, bytes: &[u8], length: u32, texts: &mut Texts) {
        let mut rest = bytes;
        let mut begins = true;
        while !rest.is_empty() {
            let used = self
                .step(from, at, rest, begins, texts)
                .clamp(1, rest.len());
            self.lane_mut(from).advance(used as u64);
            rest = rest.get(used..).unwrap_or_default();
            begins = false;
        }
        let cut = u64::from(length).saturating_sub(bytes.len() as u64);
        if cut > 0 {
            self.pass_over(from, at, cut, false, texts);
        }
    }

    /// The next `length` bytes of one direction were never captured.
    pub fn gap(&mut self, from: End, at: Mark, length: u64, texts: &mut Texts) {
        if length > 0 {
            self.pass_over(from, at, length, true, texts);
        }
    }

    /// The FIN of one direction, in order. It completes a body that is delimited by the close.
    pub fn end(&mut self, from: End, at: Mark, texts: &mut Texts) {
        match self.lane(from).state {
            State::UntilClose => self.complete(from, at),
            State::Head { .. } => self.give_up_head(from, at, Cut::Sender, texts),
            _ => {}
        }
    }

    /// The connection is over: what waits for more bytes is read as far as it goes, and the working memory is freed.
    pub fn finish(&mut self, texts: &mut Texts) {
        for end in End::BOTH {
            if let Some(pending) = &self.lane(end).pending {
                let at = pending.first;
                self.give_up_head(end, at, Cut::Sender, texts);
            }
        }
        self.exchanges.shrink_to_fit();
    }

    /// What is spoken.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Who is the HTTP (or TLS) client, by content.
    #[must_use]
    pub const fn requester(&self) -> Option<(End, Certainty)> {
        self.requester
    }

    /// The exchanges in order of their requests.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// The exchanges, when nothing else is wanted any more.
    #[must_use]
    pub fn into_exchanges(self) -> Vec<Exchange> {
        self.exchanges
    }

    /// Exchanges that were let go because there were more than [`MAX_EXCHANGES`]; the oldest ones.
    #[must_use]
    pub const fn let_go(&self) -> u64 {
        self.let_go
    }

    pub(super) fn lane(&self, end: End) -> &Lane {
        let [a, b] = &self.lanes;
        match end {
            End::A => a,
            End::B => b,
        }
    }

    pub(super) fn lane_mut(&mut self, end: End) -> &mut Lane {
        let [a, b] = &mut self.lanes;
        match end {
            End::A => a,
            End::B => b,
        }
    }

    /// Whether this end is known to send requests, or responses.
    pub(super) fn role(&self, end: End) -> Option<Kind> {
        let (requester, _) = self.requester?;
        Some(if requester == end {
            Kind::Request
        } else {
            Kind::Response
        })
    }

    /// Takes some of `bytes`, at least one, and tells how many. `begins`: they begin a slice.
    fn step(
        &mut self,
        from: End,
        at: Mark,
        bytes: &[u8],
        begins: bool,
        texts: &mut Texts,
    ) -> usize {
        match self.lane(from).state {
            State::Body { left } => {
                if begins && self.is_body_missing(from) && self.restarts(from, bytes) {
                    return self.boundary(from, at, bytes, texts);
                }
                let take = left.min(bytes.len() as u64);
                self.take_body(from, at, take);
                take as usize
            }
            State::Chunks(chunks) => {
                if begins && self.is_body_missing(from) && self.restarts(from, bytes) {
                    return self.boundary(from, at, bytes, texts);
                }
                self.take_chunks(from, at, bytes, chunks)
            }
            State::Boundary => self.boundary(from, at, bytes, texts),
            State::Head { proven } => self.more_of_head(from, at, bytes, proven, texts),
            State::UntilClose => {
                self.extend(from, at, bytes.len() as u64, 0);
                bytes.len()
            }
            State::Held | State::Lost => {
                let sight = if begins {
                    recognise(bytes, 0)
                } else {
                    Sight::Nothing
                };
                let kind = match sight {
                    Sight::Request => Kind::Request,
                    Sight::Response => Kind::Response,
                    _ => {
                        self.extend(from, at, bytes.len() as u64, 0);
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
            State::Tls(mut tls) => {
                let news = tls.feed(bytes);
                self.lane_mut(from).state = State::Tls(tls);
                self.tls_news(from, news);
                bytes.len()
            }
            State::Simple => {
                self.lane_mut(from).lose();
                self.judge();
                bytes.len()
            }
            State::Foreign => bytes.len(),
        }
    }

    /// Whether nothing of the body in progress was sent although it may have been: it may never come.
    fn is_body_missing(&self, from: End) -> bool {
        let Some(exchange) = self.exchange_of(from) else {
            return false;
        };
        match self.role(from) {
            // The final response came before the body: it may be withheld (RFC 9110 §10.1.1).
            Some(Kind::Request) => exchange
                .rare
                .as_ref()
                .is_some_and(|rare| rare.body_withheld),
            // The request was not seen: it may have been a HEAD.
            Some(Kind::Response) => {
                exchange.request.is_none()
                    && exchange
                        .response
                        .as_ref()
                        .is_some_and(|response| response.message.body_wire == 0)
            }
            None => false,
        }
    }

    /// The body that was announced never came if another message begins here.
    fn restarts(&mut self, from: End, bytes: &[u8]) -> bool {
        match (self.role(from), recognise(bytes, 0)) {
            (Some(Kind::Request), Sight::Request) => {}
            (Some(Kind::Response), Sight::Response) => self.complete_without_body(from),
            _ => return false,
        }
        self.lane_mut(from).state = State::Boundary;
        true
    }

    /// At the beginning of a message.
    fn boundary(&mut self, from: End, at: Mark, bytes: &[u8], texts: &mut Texts) -> usize {
        // §2.2: a server ignores at least one empty line before the request line; some send one after a body.
        let blank = bytes
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        if blank > 0 {
            return blank;
        }
        match self.sight(from, bytes, 0) {
            Sight::NotYet => self.wait(from, at, bytes, 0, false),
            Sight::Request | Sight::LikeRequest => self.head(from, Kind::Request, at, bytes, texts),
            Sight::Response | Sight::LikeResponse => {
                self.head(from, Kind::Response, at, bytes, texts)
            }
            Sight::Preface => {
                self.requester = Some((from, Certainty::Certain));
                self.protocol = Protocol::Http2;
                self.lanes
                    .iter_mut()
                    .for_each(|lane| lane.state = State::Foreign);
                bytes.len()
            }
            Sight::Tls => self.tls(from, bytes),
            Sight::Nothing => {
                self.no_message(from, at, bytes);
                bytes.len()
            }
        }
    }

    /// What `bytes` begin with, in the light of what this end is known to send.
    fn sight(&mut self, from: End, bytes: &[u8], scanned: usize) -> Sight {
        let sight = recognise(bytes, scanned);
        let role = self.role(from);
        match sight {
            // A server that answers in TLS, or with a version alone, to a request in plain text breaks HTTP.
            Sight::Tls if self.protocol == Protocol::Http1 => Sight::Nothing,
            Sight::Preface if role == Some(Kind::Response) || !self.exchanges.is_empty() => {
                Sight::Nothing
            }
            Sight::Request if role == Some(Kind::Response) => Sight::Nothing,
            // Of a response the first bytes are known.
            Sight::NotYet
                if role == Some(Kind::Response)
                    && !b"HTTP/".starts_with(bytes)
                    && !bytes.starts_with(b"HTTP/") =>
            {
                Sight::Nothing
            }
            Sight::Response if role == Some(Kind::Request) => Sight::Nothing,
            Sight::LikeResponse if role != Some(Kind::Response) => Sight::Nothing,
            Sight::LikeRequest if role.is_none() => self.simple(bytes),
            Sight::LikeRequest if role == Some(Kind::Response) => Sight::Nothing,
            sight => sight,
        }
    }

    /// A known method and a line without a version, and nobody spoke HTTP here before.
    fn simple(&mut self, bytes: &[u8]) -> Sight {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // RFC 1945 §4.1: GET, a path, and nothing else.
        let path = line.strip_prefix(b"GET ").unwrap_or_default();
        let fits = line.len() < bytes.len()
            && path.first() == Some(&b'/')
            && path.iter().all(u8::is_ascii_graphic);
        if fits { Sight::NotYet } else { Sight::Nothing }
    }

    /// Keeps the bytes of a head until there are more.
    fn wait(
        &mut self,
        from: End,
        first: Mark,
        bytes: &[u8],
        scanned: usize,
        proven: bool,
    ) -> usize {
        let lane = self.lane_mut(from);
        let is_line = !proven && bytes.last() == Some(&b'\n');
        lane.state = if is_line {
            State::Simple
        } else {
            State::Head { proven }
        };
        lane.pending = Some(Box::new(Pending {
            bytes: bytes.to_vec(),
            scanned,
            first,
        }));
        bytes.len()
    }

    /// A message of this kind begins with `bytes`.
    fn head(&mut self, from: End, kind: Kind, at: Mark, bytes: &[u8], texts: &mut Texts) -> usize {
        let start = self.lane(from).offset;
        self.begin(from, kind, at, start);
        let mut scanned = 0;
        match head::end_of(bytes, &mut scanned) {
            Some(end) if end <= MAX_HEAD => {
                let head = bytes.get(..end).unwrap_or_default();
                self.read_head(from, at, head, start, true, texts);
                end
            }
            None if bytes.len() < MAX_HEAD => self.wait(from, at, bytes, scanned, true),
            _ => {
                let head = bytes.get(..MAX_HEAD).unwrap_or(bytes);
                self.head_too_long(from, at, head, start, texts);
                head.len()
            }
        }
    }

    /// More bytes for a head that waits.
    fn more_of_head(
        &mut self,
        from: End,
        at: Mark,
        bytes: &[u8],
        proven: bool,
        texts: &mut Texts,
    ) -> usize {
        let Some(mut pending) = self.lane_mut(from).pending.take() else {
            self.lane_mut(from).lose();
            return bytes.len();
        };
        let before = pending.bytes.len();
        let room = MAX_HEAD.saturating_sub(before).min(bytes.len());
        pending
            .bytes
            .extend_from_slice(bytes.get(..room).unwrap_or_default());
        let start = self.lane(from).offset.saturating_sub(before as u64);
        let mut proven = proven;
        if !proven {
            let kind = match self.sight(from, &pending.bytes, pending.scanned) {
                Sight::NotYet => {
                    pending.scanned = pending.bytes.len();
                    if pending.bytes.last() == Some(&b'\n') {
                        self.lane_mut(from).state = State::Simple;
                    }
                    self.lane_mut(from).pending = Some(pending);
                    return room;
                }
                Sight::Request | Sight::LikeRequest => Kind::Request,
                Sight::Response | Sight::LikeResponse => Kind::Response,
                Sight::Preface | Sight::Tls => {
                    // Both are decided by a handful of bytes: the ones that waited are of no weight.
                    self.lane_mut(from).state = State::Boundary;
                    let offset = std::mem::replace(&mut self.lane_mut(from).offset, start);
                    let whole = std::mem::take(&mut pending.bytes);
                    self.boundary(from, pending.first, &whole, texts);
                    self.lane_mut(from).offset = offset;
                    return room;
                }
                Sight::Nothing => {
                    self.no_message_at(from, pending.first, at, &pending.bytes, start);
                    return room;
                }
            };
            pending.scanned = 0;
            self.begin(from, kind, pending.first, start);
            self.lane_mut(from).state = State::Head { proven: true };
            proven = true;
        }
        match head::end_of(&pending.bytes, &mut pending.scanned) {
            Some(end) => {
                let head = pending.bytes.get(..end).unwrap_or_default();
                self.read_head(from, at, head, start, true, texts);
                end.saturating_sub(before)
            }
            None if pending.bytes.len() < MAX_HEAD => {
                let lane = self.lane_mut(from);
                lane.state = State::Head { proven };
                lane.pending = Some(pending);
                room
            }
            None => {
                self.head_too_long(from, at, &pending.bytes, start, texts);
                room
            }
        }
    }

    fn head_too_long(&mut self, from: End, at: Mark, head: &[u8], start: u64, texts: &mut Texts) {
        self.read_head(from, at, head, start, false, texts);
        self.fault(from, FaultRule::HeadTooLong, start, &[]);
        self.break_off(from);
    }

    /// Bytes that were cut off (`lost` is false) or never captured.
    fn pass_over(&mut self, from: End, at: Mark, length: u64, lost: bool, texts: &mut Texts) {
        let mut left_over = length;
        if let State::Body { left } = self.lane(from).state {
            let take = left.min(length);
            self.missing(from, if lost { take } else { 0 });
            self.take_body(from, at, take);
            self.lane_mut(from).advance(take);
            left_over = length - take;
        }
        if left_over == 0 {
            return;
        }
        match self.lane(from).state {
            State::Body { .. } | State::Foreign | State::Held => {}
            State::UntilClose => {
                self.missing(from, if lost { left_over } else { 0 });
                self.extend(from, at, left_over, 0);
            }
            State::Chunks(mut chunks) => {
                let mut data = 0;
                if chunks.skip(left_over, &mut data) {
                    self.missing(from, if lost { left_over } else { 0 });
                    self.extend(from, at, left_over, data);
                    self.lane_mut(from).state = State::Chunks(chunks);
                } else {
                    self.lose_sight(from, at, left_over, lost);
                }
            }
            State::Head { .. } | State::Simple => {
                self.give_up_head(from, at, Cut::Capture, texts);
                self.lose_sight(from, at, left_over, lost);
            }
            State::Boundary => {
                if self.role(from) == Some(Kind::Response) {
                    self.doubt_responses();
                }
                let lane = self.lane_mut(from);
                lane.exchange = NONE;
                lane.lose();
                self.judge();
            }
            State::Lost => {
                if self.role(from) == Some(Kind::Response) {
                    self.doubt_responses();
                }
                self.extend(from, at, left_over, 0);
            }
            State::Tls(mut tls) => {
                let news = tls.skip(left_over);
                self.lane_mut(from).state = State::Tls(tls);
                self.tls_news(from, news);
            }
        }
        self.lane_mut(from).advance(left_over);
    }

    /// TLS records begin here.
    fn tls(&mut self, from: End, bytes: &[u8]) -> usize {
        let hello = bytes.first() == Some(&22);
        match bytes.get(5) {
            Some(1) if hello => self.requester = Some((from, Certainty::Certain)),
            Some(2) if hello => self.requester = Some((from.other(), Certainty::Certain)),
            _ => {}
        }
        self.protocol = Protocol::Tls;
        let mut tls = TlsLane::new();
        let news = tls.feed(bytes);
        self.lane_mut(from).state = State::Tls(tls);
        self.tls_news(from, news);
        bytes.len()
    }

    fn tls_news(&mut self, from: End, news: Option<TlsNews>) {
        match news {
            Some(TlsNews::Settled(after)) => {
                let lane = self.lane_mut(from);
                lane.settled = lane.settled.min(lane.offset.saturating_add(after as u64));
            }
            Some(TlsNews::Midstream) => self.lanes.iter_mut().for_each(|lane| lane.settled = 0),
            None => {}
        }
    }

    /// Says whether it is something else that is spoken, when nothing is proven.
    pub(super) fn judge(&mut self) {
        if self.protocol == Protocol::Unknown && self.requester.is_none() {
            self.protocol = Protocol::Opaque;
        }
    }

    /// Whether what waits in a direction begins like a request.
    pub(super) fn is_beginning(&self, end: End) -> bool {
        let pending = self.lane(end).pending.as_ref();
        pending.is_some_and(|pending| smells_like_request(&pending.bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::exchange::{Ending, Outcome};
    use super::super::fields::FieldName;
    use super::super::message::{Framing, Method, Progress};
    use super::super::persistence::CloseSign;
    use super::super::talk::{Talk, talk};
    use super::*;
    use crate::side::End::{A, B};

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

    #[track_caller]
    fn check(talk: &Talk, expect: &[&str]) {
        assert_eq!(talk.summary(), expect, "{:#?}", talk.heard);
    }

    #[test]
    fn an_ordinary_exchange() {
        let talk = talk()
            .a("GET /x?y=1 HTTP/1.1\r\nHost: example.org\r\nUser-Agent: test/1\r\nConnection: keep-alive\r\n\r\n")
            .b("HTTP/1.1 200 OK\r\nServer: s/2\r\nContent-Length: 5\r\nKeep-Alive: timeout=5, max=99\r\n\r\nhel")
            .b("lo");
        let exchange = talk.only();
        let request = exchange.request.as_ref().expect("it was said");
        let response = exchange.response.as_ref().expect("it was said");
        let text = |text: &Option<super::super::Text>| {
            text.as_ref()
                .and_then(|text| text.as_str().map(str::to_owned))
        };
        assert_eq!(request.method, Method::Get);
        assert_eq!(text(&request.target).as_deref(), Some("/x?y=1"));
        assert_eq!(text(&request.host).as_deref(), Some("example.org"));
        assert_eq!(text(&request.user_agent).as_deref(), Some("test/1"));
        assert_eq!(text(&response.server).as_deref(), Some("s/2"));
        assert_eq!(response.message.keep_alive.timeout(), Some(5));
        assert_eq!(
            (response.message.expected(), response.message.received()),
            (Some(5), 5)
        );
        assert_eq!(
            (
                response.message.first.frame.0,
                response.message.last.frame.0
            ),
            (2, 3)
        );
        assert_eq!(exchange.waited(), Some(Duration::from_millis(1)));
        assert_eq!(exchange.closes(), None);
        assert!(exchange.rare.is_none());
        assert_eq!(talk.heard.requester(), Some((A, Certainty::Certain)));
        assert_eq!(talk.heard.protocol(), Protocol::Http1);
    }

    #[test]
    fn small_when_idle_and_small_when_not() {
        assert!(
            size_of::<Conversation>() <= 300,
            "{}",
            size_of::<Conversation>()
        );
        assert!(size_of::<Exchange>() <= 200, "{}", size_of::<Exchange>());
        let talk = talk().a(GET).b(OK);
        assert_eq!(talk.heard.exchanges.capacity(), 1);
    }

    #[test]
    fn messages_are_framed_by_the_book() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\n";
        let talk = talk()
            .a("HEAD /h HTTP/1.1\r\n\r\n")
            .b("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
            .a("GET /304 HTTP/1.1\r\n\r\n")
            .b("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
            .a("DELETE /204 HTTP/1.1\r\n\r\n")
            .b("HTTP/1.1 204 No Content\r\n\r\n")
            .a("GET /chunked HTTP/1.1\r\n\r\n")
            .b(chunked)
            .a("PUT /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            .b("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            .a("PURGE http://a/ HTTP/1.1\r\n\r\n")
            .b("HTTP/1.1 200 OK\r\n\r\nuntil the end")
            .fin(B);
        check(
            &talk,
            &[
                "HEAD /h 200 complete",
                "GET /304 304 complete",
                "DELETE /204 204 complete",
                "GET /chunked 200 complete",
                "PUT /up 201 complete",
                "PURGE http://a/ 200 complete",
            ],
        );
        let exchanges = talk.heard.exchanges();
        let response = |index: usize| {
            &exchanges[index]
                .response
                .as_ref()
                .expect("it was said")
                .message
        };
        assert_eq!((response(3).expected(), response(3).received()), (None, 5));
        assert_eq!(
            exchanges[3]
                .rare
                .as_ref()
                .map(|rare| rare.response.trailers),
            Some(1)
        );
        assert_eq!(
            (response(5).framing, response(5).received()),
            (Framing::UntilClose, 13)
        );
        assert_eq!(exchanges[5].closes(), Some(CloseSign::ResponseFraming));
    }

    #[test]
    fn pipelined_requests_are_answered_in_order() {
        let talk = talk()
            .a(format!("{GET}{}", GET.replacen('/', "/2", 1)))
            .b(format!("{OK}{OK}"));
        check(&talk, &["GET / 200 complete", "GET /2 200 complete"]);
    }

    #[test]
    fn interim_responses_are_no_answer() {
        let talk = talk()
            .a("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            .b("HTTP/1.1 100 Continue\r\n\r\n")
            .a("hello")
            .b("HTTP/1.1 103 Early Hints\r\n\r\n")
            .b(OK);
        check(&talk, &["POST / 200 complete"]);
        let rare = talk
            .only()
            .rare
            .as_ref()
            .expect("there were interim responses");
        assert_eq!(
            rare.interim
                .iter()
                .map(|interim| interim.status)
                .collect::<Vec<_>>(),
            [100, 103]
        );
        assert_eq!(rare.interim[0].at.frame.0, 2);
        assert_eq!(talk.only().waited(), Some(Duration::from_millis(2)));
        assert_eq!(talk.only().request_fields(FieldName::Expect).count(), 1);
    }

    #[test]
    fn a_close_said_twice_is_kept_as_two() {
        let talk = talk().a(GET).b("HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let exchange = talk.only();
        let options = exchange
            .response
            .as_ref()
            .expect("it was said")
            .message
            .connection;
        assert_eq!((options.lines, options.close), (2, 2));
        assert_eq!(exchange.response_fields(FieldName::Connection).count(), 2);
        assert_eq!(exchange.closes(), Some(CloseSign::ResponseClose));
    }

    #[test]
    fn other_protocols_take_over() {
        let upgrade = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        let switch = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(
            talk().a(upgrade).b(switch).heard.protocol(),
            Protocol::WebSocket
        );
        let tunnel = talk()
            .a("CONNECT a:1 HTTP/1.1\r\n\r\n")
            .b("HTTP/1.1 200 Fine\r\n\r\n")
            .a(GET)
            .b(OK);
        assert_eq!(tunnel.heard.protocol(), Protocol::Tunnel);
        check(&tunnel, &["CONNECT a:1 200 complete"]);
        let refused = talk().a(upgrade).b(OK).a(GET).b(OK);
        check(&refused, &["GET /ws 200 complete", "GET / 200 complete"]);
        let preface = talk().a("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert_eq!(preface.heard.protocol(), Protocol::Http2);
        assert_eq!(preface.sliced(1).heard.protocol(), Protocol::Http2);
        assert_eq!(
            talk()
                .sliced(3)
                .a("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                .heard
                .protocol(),
            Protocol::Http2
        );
    }

    #[test]
    fn what_is_not_http_is_not_made_http() {
        for line in [
            "INVITE sip:a@b SIP/2.0\r\n\r\n",
            "EHLO x\r\n",
            "SSH-2.0-x\r\n",
            "\x00\x01",
            "ICY 200 OK\r\n",
        ] {
            for slice in 1..9 {
                let talk = talk().sliced(slice).a(line).b("SIP/2.0 200 OK\r\n\r\n");
                assert_eq!(
                    (talk.heard.protocol(), talk.heard.exchanges().len()),
                    (Protocol::Opaque, 0),
                    "{line}"
                );
            }
        }
    }

    #[test]
    fn the_oldest_http_has_no_version() {
        let talk = talk().a("GET /index.html\r\n").b("<html>hi</html>").fin(B);
        check(&talk, &["GET /index.html - complete"]);
        assert_eq!(talk.heard.requester(), Some((A, Certainty::Likely)));
        let modern = super::super::talk::talk()
            .a("GET /\r\n")
            .b("HTTP/1.0 400 No\r\nContent-Length: 0\r\n\r\n");
        check(&modern, &["GET / 400 complete"]);
        let memcached = super::super::talk::talk().a("GET /\r\n").b("ERROR\r\n");
        assert_eq!(memcached.heard.protocol(), Protocol::Opaque);
    }

    #[test]
    fn mid_stream_the_next_proven_message_counts() {
        let talk = talk().b("rest of a body").a(GET).b(OK);
        check(&talk, &["GET / 200 complete"]);
        let unasked = super::super::talk::talk().b("rest").b(OK).a(GET).b(OK);
        check(&unasked, &["- - 200 complete", "GET / 200 complete"]);
        assert_eq!(unasked.heard.requester(), Some((A, Certainty::Certain)));
    }

    #[test]
    fn gaps() {
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
        let inside = talk().a(GET).b(long).gap(B, 600).b(vec![b'x'; 400]);
        check(&inside, &["GET / 200 complete"]);
        assert_eq!(
            inside
                .only()
                .rare
                .as_ref()
                .map(|rare| rare.response.missing),
            Some(600)
        );
        let beyond = talk().a(GET).b(long).gap(B, 1100).a(GET).b(OK);
        check(&beyond, &["GET / 200 complete", "GET / 200 complete"]);
        let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n";
        let chunked = talk()
            .a(GET)
            .b(chunk)
            .gap(B, 0x400)
            .b("\r\n0\r\n\r\n")
            .a(GET)
            .b(OK);
        check(&chunked, &["GET / 200 complete", "GET / 200 complete"]);
        let lost = talk().a(GET).b(chunk).gap(B, 0x401).a(GET).b(OK);
        check(&lost, &["GET / 200 incomplete", "GET / 200 complete"]);
        assert_eq!(lost.heard.exchanges()[0].outcome(Ending::ServerFin), None);
        let response = talk().a(GET).gap(B, 100).a(GET).b(OK);
        check(&response, &["GET / - incomplete", "GET / 200 complete"]);
        assert_eq!(
            response.heard.exchanges()[0].outcome(Ending::ServerFin),
            None
        );
        let request = talk().gap(A, 100).b(OK).a(GET).b(OK);
        check(&request, &["- - 200 complete", "GET / 200 complete"]);
        let head = talk()
            .a("GET /a HTTP/1.1\r\nHos")
            .gap(A, 20)
            .b(OK)
            .a(GET)
            .b(OK);
        check(&head, &["GET /a 200 incomplete", "GET / 200 complete"]);
    }

    #[test]
    fn a_head_cut_by_the_snap_length_counts_as_far_as_it_goes() {
        let talk = talk()
            .cut(A, GET, 15)
            .cut(B, OK, 17)
            .cut(A, GET, 8)
            .cut(B, OK, 30);
        assert_eq!(
            talk.heard
                .exchanges()
                .iter()
                .map(|exchange| exchange.status())
                .collect::<Vec<_>>(),
            [Some(200), Some(200)]
        );
        assert_eq!(talk.heard.exchanges()[0].method(), Some(&b"GET"[..]));
    }

    #[test]
    fn malformed_messages_are_told() {
        let rules = |talk: &Talk| -> Vec<FaultRule> {
            let exchanges = talk.heard.exchanges().iter();
            exchanges
                .flat_map(|exchange| {
                    exchange
                        .request_faults()
                        .iter()
                        .chain(exchange.response_faults())
                })
                .map(|fault| fault.rule)
                .collect()
        };
        let garbage = talk().a(GET).b("garbage\r\n");
        assert_eq!(rules(&garbage), [FaultRule::StartLine]);
        let alert = talk().a(GET).b([21, 3, 1, 0, 2, 2, 40]);
        assert_eq!(rules(&alert), [FaultRule::StartLine]);
        let excess = talk().a(GET).b(OK).b("more").a(GET).b(OK);
        assert_eq!(rules(&excess), [FaultRule::ExcessBytes]);
        check(&excess, &["GET / 200 complete", "GET / 200 complete"]);
        let bad_request = talk()
            .a(GET)
            .b(OK)
            .a("\x01\x02\x03")
            .b("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(rules(&bad_request), [FaultRule::StartLine]);
        check(&bad_request, &["GET / 200 complete", "- - 400 incomplete"]);
        let status = talk()
            .a(GET)
            .b("HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(rules(&status), [FaultRule::Status]);
        let chunk = talk()
            .a(GET)
            .b("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
        assert_eq!(rules(&chunk), [FaultRule::ChunkSize]);
        assert_eq!(
            chunk.only().outcome(Ending::ServerFin),
            Some(Outcome::CutShort)
        );
        let both = talk().a(
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        );
        assert_eq!(rules(&both), [FaultRule::LengthAndEncoding]);
        let mut long = b"GET / HTTP/1.1\r\nA: ".to_vec();
        long.resize(2 * MAX_HEAD, b'x');
        for slice in [1460, 65_535, usize::MAX] {
            let long = talk().sliced(slice).a(&long);
            assert_eq!(
                rules(&long),
                [FaultRule::BareLf, FaultRule::HeadTooLong][1..]
            );
            assert!(long.heard.lanes[0].pending.is_none());
        }
    }

    #[test]
    fn outcomes() {
        let ended = |talk: Talk, ending| talk.finish().only().outcome(ending);
        assert_eq!(
            ended(talk().a(GET).b(OK), Ending::ServerReset),
            Some(Outcome::Complete)
        );
        assert_eq!(
            ended(talk().a(GET), Ending::ServerFin),
            Some(Outcome::NoResponse)
        );
        assert_eq!(
            ended(talk().a(GET), Ending::ServerReset),
            Some(Outcome::Reset)
        );
        assert_eq!(
            ended(talk().a(GET), Ending::ByClient),
            Some(Outcome::ClientLeft)
        );
        assert_eq!(
            ended(talk().a(GET), Ending::Open),
            Some(Outcome::Unfinished)
        );
        assert_eq!(
            ended(talk().a(GET).b(&OK[..20]), Ending::ServerFin),
            Some(Outcome::CutShort)
        );
        assert_eq!(
            ended(talk().a(GET).b(&OK[..OK.len() - 1]), Ending::ServerFin),
            Some(Outcome::CutShort)
        );
        assert_eq!(
            ended(talk().a("GET / HT"), Ending::ByClient),
            Some(Outcome::ClientLeft)
        );
    }

    #[test]
    fn a_head_without_end_is_read_as_far_as_it_goes() {
        let talk = talk()
            .a("GET /x HTTP/1.1\r\nHost: h\r\nUser")
            .fin(A)
            .finish();
        let request = talk.only().request.as_ref().expect("it was begun");
        assert_eq!(
            (request.method, request.message.progress),
            (Method::Get, Progress::Head)
        );
        assert_eq!(
            request.host.as_ref().and_then(|host| host.as_str()),
            Some("h")
        );
    }

    #[test]
    fn exchanges_are_bounded() {
        let mut talk = talk();
        let at = talk.mark();
        for _ in 0..MAX_EXCHANGES + 10 {
            talk.heard
                .data(A, at, GET.as_bytes(), GET.len() as u32, &mut talk.texts);
            talk.heard
                .data(B, at, OK.as_bytes(), OK.len() as u32, &mut talk.texts);
        }
        assert_eq!(talk.heard.let_go(), MAX_EXCHANGES as u64 / 4);
        assert!(talk.heard.exchanges().len() <= MAX_EXCHANGES);
        assert!(talk.heard.exchanges().iter().all(Exchange::is_complete));
    }

    /// What one end says next, well-formed.
    fn exchange() -> impl Strategy<Value = (String, String)> {
        let request = prop_oneof![
            Just("GET /a HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
            Just("\r\nHEAD /b HTTP/1.1\r\nConnection: keep-alive\r\nConnection: foo\r\n\r\n".to_owned()),
            "[a-z]{1,40}".prop_map(|body| format!("POST /c HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())),
            "[a-z]{1,9}".prop_map(|body| format!(
                "MKCOL /d HTTP/1.1\nTransfer-Encoding: chunked\n\n{:x};e\r\n{body}\r\n0\r\nT: u\r\n\r\n",
                body.len()
            )),
        ];
        let response = prop_oneof![
            Just(OK.to_owned()),
            Just("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 No\r\nWWW-Authenticate: NTLM abc\r\n\r\n".to_owned()),
            Just("HTTP/1.1 204 Nothing\r\n\r\n".to_owned()),
            "[a-z]{1,40}".prop_map(|body| format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:X}\r\n{body}\r\n000\r\n\r\n",
                body.len()
            )),
        ];
        (request, response).prop_map(|(request, response)| match request.contains("HEAD") {
            true => (
                request,
                "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n".to_owned(),
            ),
            false => (request, response),
        })
    }

    proptest! {
        #[test]
        fn the_slices_of_the_stream_do_not_matter(
            exchanges in proptest::collection::vec(exchange(), 1..6), slice in 1usize..200, pipelined: bool)
        {
            let run = |slice: usize| {
                let mut talk = talk().sliced(slice);
                if pipelined {
                    talk = talk.a(exchanges.iter().map(|(request, _)| request.as_str()).collect::<String>());
                    talk = talk.b(exchanges.iter().map(|(_, response)| response.as_str()).collect::<String>());
                } else {
                    for (request, response) in &exchanges {
                        talk = talk.a(request).b(response);
                    }
                }
                talk.finish()
            };
            let (whole, sliced) = (run(usize::MAX), run(slice));
            prop_assert_eq!(whole.heard.exchanges(), sliced.heard.exchanges());
            prop_assert_eq!(whole.heard.exchanges().len(), exchanges.len());
            prop_assert!(whole.heard.exchanges().iter().all(Exchange::is_complete));
        }

        #[test]
        fn gaps_cuts_and_garbage_never_panic(
            exchanges in proptest::collection::vec(exchange(), 1..4),
            hurts in proptest::collection::vec((0usize..400, 0u8..5, 0u64..60, any::<[u8; 3]>()), 0..5),
            slice in 1usize..60)
        {
            let mut talk = talk().sliced(slice);
            let mut place = 0;
            for (request, response) in &exchanges {
                for (from, bytes) in [(A, request.as_bytes()), (B, response.as_bytes())] {
                    for piece in bytes.chunks(slice) {
                        let before = place;
                        place += piece.len();
                        for (_, kind, length, junk) in hurts.iter().filter(|hurt| (before..place).contains(&hurt.0)) {
                            talk = match kind {
                                0 => talk.gap(from, *length),
                                1 => talk.cut(from, piece, *length as usize),
                                2 => talk.say(from, junk),
                                3 => talk.fin(from),
                                _ => talk.gap(from.other(), u64::MAX),
                            };
                        }
                        talk = talk.say(from, piece);
                        talk.phase(A);
                        talk.phase(B);
                    }
                }
            }
            let talk = talk.finish();
            prop_assert!(talk.heard.lanes.iter().all(|lane| lane.pending.is_none()));
        }

        #[test]
        fn random_bytes_never_panic(said in proptest::collection::vec((any::<bool>(), any::<Vec<u8>>()), 0..20)) {
            let mut talk = talk();
            for (a, bytes) in said {
                talk = talk.say(if a { A } else { B }, bytes);
                talk.phase(A);
            }
            talk.finish();
        }
    }
}
