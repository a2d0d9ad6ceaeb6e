//! The phase of a connection at a given moment, as one end saw it.

/// The phases of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The TCP handshake is not complete. Never returned by this module: TCP determines it.
    Connecting,
    /// The TLS handshake is in progress.
    TlsHandshake,
    /// The connection is open, no byte of a request was sent yet.
    BeforeRequest,
    /// A request has begun and is not complete.
    Request,
    /// The request is complete, no byte of the final response was sent yet (1xx responses do not count).
    Waiting,
    /// The response has begun; its head is not complete.
    ResponseHead,
    /// The head of the response is complete; by its own framing, the body is not.
    ResponseBody,
    /// Every exchange is complete, no close was announced.
    Between,
    /// Every exchange is complete and the close was announced or implied.
    After,
    /// After a 101, or a CONNECT's 2xx.
    Tunnel,
    /// The protocol or the phase cannot be determined.
    Opaque,
}

impl Phase {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::TlsHandshake => "tls-handshake",
            Self::BeforeRequest => "before-request",
            Self::Request => "request",
            Self::Waiting => "waiting",
            Self::ResponseHead => "response-head",
            Self::ResponseBody => "response-body",
            Self::Between => "between",
            Self::After => "after",
            Self::Tunnel => "tunnel",
            Self::Opaque => "opaque",
        }
    }

    /// Whether a message is outstanding: a request or its response is under way.
    #[must_use]
    pub(crate) const fn is_outstanding(self) -> bool {
        matches!(
            self,
            Self::Request | Self::Waiting | Self::ResponseHead | Self::ResponseBody
        )
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far one direction had got: payload bytes from the first byte seen, and whether the FIN was included. The FIN
/// matters: it completes a body that is delimited by the close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reach {
    /// Number of payload bytes.
    pub bytes: u64,
    /// Whether the FIN is included.
    pub fin: bool,
}

impl Reach {
    /// `bytes` of payload, and no FIN.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self { bytes, fin: false }
    }

    /// `bytes` of payload and the FIN after them.
    #[must_use]
    pub const fn with_fin(bytes: u64) -> Self {
        Self { bytes, fin: true }
    }
}

use std::fmt;

use super::conversation::{HttpConversation, Protocol};
use super::exchange::{Exchange, Request, Response};
use super::message::{Framing, MessageProgress};
use crate::base::flow_end::FlowEnd;

/// What one end had seen of a message.
pub(crate) enum MessageSeen {
    /// No byte.
    Nothing,
    /// Part of the head.
    Head,
    /// The head, but not all of the body.
    Body,
    /// All of it.
    All,
    /// Part of it; the capture lost what would show how much.
    Unclear,
}

impl HttpConversation {
    /// The phase in which `closer` was when it had sent and received this much.
    ///
    /// Only message bytes below these offsets exist for it: a request that crosses the server's FIN on the wire does
    /// not count.
    #[must_use]
    pub fn phase_at(&self, closer: FlowEnd, sent: Reach, received: Reach) -> Phase {
        let [mine, theirs] = [closer, closer.other()].map(|end| self.since[end.index()]);
        if sent.bytes <= mine && received.bytes <= theirs {
            return Phase::BeforeRequest;
        }
        let reach_of = |end: FlowEnd| if end == closer { sent } else { received };
        let Some((requester, _)) = self.requester else {
            let begun = FlowEnd::BOTH
                .into_iter()
                .any(|end| self.has_begun(end) && reach_of(end).bytes > 0);
            return if begun { Phase::Request } else { Phase::Opaque };
        };
        let (requests, responses) = (reach_of(requester), reach_of(requester.other()));
        if responses.bytes >= self.switched_at {
            return Phase::Tunnel;
        }
        if self.protocol == Protocol::Http2 && self.exchanges.is_empty() {
            return Phase::Opaque;
        }
        self.phase_of_exchanges(requester, requests, responses)
    }

    /// The oldest exchange that is not complete decides.
    fn phase_of_exchanges(&self, requester: FlowEnd, requests: Reach, responses: Reach) -> Phase {
        let seen = |exchange: &&Exchange| {
            !matches!(
                request_seen(exchange.request.as_ref(), requests),
                MessageSeen::Nothing
            ) || !matches!(
                response_seen(exchange.response.as_ref(), responses),
                MessageSeen::Nothing
            )
        };
        let waits = |end: FlowEnd, reach: Reach| {
            let start = self.direction(end).pending_start();
            start.is_some_and(|start| reach.bytes > start)
        };
        let mut begun = self.exchanges.iter().filter(seen).peekable();
        let mut last = None;
        while let Some(exchange) = begun.next() {
            let has_next = begun.peek().is_some();
            match phase_of(exchange, requests, responses) {
                // What came after it shows that it was over, though the capture does not show its end.
                Some(Phase::Opaque) if has_next => {}
                // A few bytes that are not yet proven to be a status line.
                Some(Phase::Waiting) if waits(requester.other(), responses) => {
                    return Phase::ResponseHead;
                }
                // After an announced close nothing more is read (RFC 9112 §9.6); bytes that are not a request need no
                // answer.
                Some(Phase::Waiting)
                    if exchange.method().is_none()
                        && last.is_some_and(|it: &Exchange| it.closes().is_some()) =>
                {
                    continue;
                }
                Some(phase) => return phase,
                // A request that the closer had received is waiting even after an announced close: its sender may have
                // sent it before it could know of the close (RFC 9112 §9.3.2), and gets no answer to it (§9.6).
                None => {}
            }
            last = Some(exchange);
        }
        if waits(requester, requests) {
            return Phase::Request;
        }
        match last {
            None if self.is_midstream(requester, requests) => Phase::Opaque,
            None => Phase::BeforeRequest,
            Some(exchange) if exchange.closes().is_some() => Phase::After,
            // A server that times out waiting for a request may send an unsolicited 408 (RFC 9110 §15.5.9).
            Some(exchange)
                if requests.bytes <= self.since[requester.index()]
                    && exchange.status() == Some(408) =>
            {
                Phase::BeforeRequest
            }
            Some(_) => Phase::Between,
        }
    }

    /// Whether bytes of the requester that belong to no exchange were seen before the first exchange.
    fn is_midstream(&self, requester: FlowEnd, requests: Reach) -> bool {
        !self.direction(requester).clean && requests.bytes > self.since[requester.index()]
    }
}

/// The phase of an exchange that is not complete; [`Phase::Opaque`] if it cannot be determined. `None` if the exchange
/// is complete.
pub(crate) fn phase_of(exchange: &Exchange, requests: Reach, responses: Reach) -> Option<Phase> {
    let rare = exchange.rare.as_deref();
    let response = response_seen(exchange.response.as_ref(), responses);
    let answered = !matches!(response, MessageSeen::Nothing);
    let withheld = rare.is_some_and(|rare| rare.body_withheld);
    match request_seen(exchange.request.as_ref(), requests) {
        MessageSeen::Head => return Some(Phase::Request),
        MessageSeen::Body if !(withheld && answered) => return Some(Phase::Request),
        _ => {}
    }
    match response {
        MessageSeen::Nothing if rare.is_some_and(|rare| rare.response_lost) => Some(Phase::Opaque),
        MessageSeen::Nothing => Some(Phase::Waiting),
        MessageSeen::Head => Some(Phase::ResponseHead),
        MessageSeen::Body => Some(Phase::ResponseBody),
        MessageSeen::Unclear => Some(Phase::Opaque),
        MessageSeen::All => None,
    }
}

pub(crate) fn request_seen(request: Option<&Request>, reach: Reach) -> MessageSeen {
    let Some(message) = request.map(|request| &request.message) else {
        return MessageSeen::Nothing;
    };
    match message.progress {
        _ if reach.bytes <= message.start => MessageSeen::Nothing,
        MessageProgress::Head => MessageSeen::Head,
        _ if reach.bytes < message.head_end() => MessageSeen::Head,
        // Where a broken or unseen request ends is unknown, but it was sent at least as far as it was captured.
        MessageProgress::Complete | MessageProgress::Broken | MessageProgress::Unseen
            if reach.bytes >= message.end() =>
        {
            MessageSeen::All
        }
        _ => MessageSeen::Body,
    }
}

fn response_seen(response: Option<&Response>, reach: Reach) -> MessageSeen {
    let Some(message) = response.map(|response| &response.message) else {
        return MessageSeen::Nothing;
    };
    match message.progress {
        _ if reach.bytes <= message.start => MessageSeen::Nothing,
        MessageProgress::Head => MessageSeen::Head,
        MessageProgress::Broken if message.head_len == 0 => MessageSeen::Head,
        _ if reach.bytes < message.head_end() => MessageSeen::Head,
        MessageProgress::Broken | MessageProgress::Body => MessageSeen::Body,
        // More of it followed, wherever it ends.
        MessageProgress::Unseen if reach.bytes < message.end() => MessageSeen::Body,
        MessageProgress::Unseen => match message.expected() {
            // The head was cut, but it is shorter than what was seen beyond the announced body.
            Some(expected) if message.body_wire >= expected => MessageSeen::All,
            Some(_) => MessageSeen::Body,
            None => MessageSeen::Unclear,
        },
        MessageProgress::Complete if reach.bytes < message.end() => MessageSeen::Body,
        MessageProgress::Complete if message.framing == Framing::UntilClose && !reach.fin => {
            MessageSeen::Body
        }
        MessageProgress::Complete => MessageSeen::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::flow_end::FlowEnd::{A, B};
    use crate::protocol::http::tests::script::{HttpScript, script};

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
    const LAST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    const EXPECT: &str = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    const CONNECT: &str = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    const OK_LAST: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n";
    const OK_OLD: &str = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe";
    const OPEN: &str = "HTTP/1.1 200 OK\r\n\r\n";
    const SWITCH: &str =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    const UPGRADE: &str = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

    #[track_caller]
    fn check(script: HttpScript, phase: Phase) {
        assert_eq!(
            (script.phase(A), script.phase(B)),
            (phase, phase),
            "{:#?}",
            script.conversation
        );
        let script = script.finish();
        assert_eq!(
            (script.phase(A), script.phase(B)),
            (phase, phase),
            "finished: {:#?}",
            script.conversation
        );
    }

    #[test]
    fn every_phase() {
        check(script(), Phase::BeforeRequest);
        check(script().fin(B), Phase::BeforeRequest);
        check(
            script().b("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"),
            Phase::BeforeRequest,
        );
        check(script().a("GET"), Phase::Request);
        check(script().a("GET / HT"), Phase::Request);
        check(script().a("GET / HTTP/1.1\r\nHost: a\r\n"), Phase::Request);
        check(script().a(POST).a("hell"), Phase::Request);
        check(script().a(POST).b(OK).b("hi"), Phase::Request);
        check(script().a(GET), Phase::Waiting);
        check(script().a(POST).a("hello"), Phase::Waiting);
        check(
            script().a(GET).b("HTTP/1.1 102 Processing\r\n\r\n"),
            Phase::Waiting,
        );
        check(script().a(GET).b("H"), Phase::ResponseHead);
        check(
            script().a(GET).b("HTTP/1.1 200 OK\r\nServer:"),
            Phase::ResponseHead,
        );
        check(script().a(GET).b("garbage"), Phase::ResponseHead);
        check(script().a(GET).b(OK), Phase::ResponseBody);
        check(script().a(GET).b(OK).b("h"), Phase::ResponseBody);
        check(script().a(GET).b(OPEN).b("hi"), Phase::ResponseBody);
        check(script().a(GET).b(OPEN).b("hi").fin(B), Phase::After);
        check(script().a(GET).b(OK).b("hi"), Phase::Between);
        check(script().a(GET).b(OK).b("hi").fin(B), Phase::Between);
        check(script().a(LAST).b(OK).b("hi"), Phase::After);
        check(script().a(GET).b(OK_LAST).b("hi"), Phase::After);
        check(script().a(GET).b(OK_OLD).b("hi"), Phase::After);
        check(script().a(OLD).b(OK).b("hi"), Phase::After);
        check(script().a(CONNECT), Phase::Waiting);
        check(script().a(CONNECT).b(OPEN), Phase::Tunnel);
        check(script().a(CONNECT).b(OPEN).a("x").b("y"), Phase::Tunnel);
        check(
            script()
                .a(CONNECT)
                .b("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"),
            Phase::Between,
        );
        check(script().a(UPGRADE).b(SWITCH).b("\x01\x02"), Phase::Tunnel);
        check(script().a("\x00\x01\x02"), Phase::Opaque);
        check(script().b("220 hello\r\n"), Phase::Opaque);
    }

    #[test]
    fn a_body_that_was_withheld_is_not_owed() {
        check(script().a(EXPECT), Phase::Request);
        check(
            script().a(EXPECT).b("HTTP/1.1 100 Continue\r\n\r\n"),
            Phase::Request,
        );
        check(
            script()
                .a(EXPECT)
                .b("HTTP/1.1 100 Continue\r\n\r\n")
                .a("hello"),
            Phase::Waiting,
        );
        check(
            script()
                .a(EXPECT)
                .b("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"),
            Phase::Between,
        );
        let retried = script()
            .a(EXPECT)
            .b("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
            .a(GET);
        check(retried, Phase::Waiting);
        let sent_anyway = script()
            .a(EXPECT)
            .b("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
            .a("hel");
        check(sent_anyway, Phase::Request);
    }

    #[test]
    fn pipelining_the_oldest_incomplete_decides() {
        let two = format!("{GET}{POST}he");
        check(script().a(&two).b(OK), Phase::ResponseBody);
        check(script().a(&two).b(OK).b("hi"), Phase::Request);
        check(script().a(&two).a("llo").b(OK).b("hi"), Phase::Waiting);
    }

    /// The server's FIN crosses the second request on the wire.
    #[test]
    fn what_the_closer_did_not_see_does_not_exist() {
        let script = script().a(GET).b(OK).b("hi").a(GET);
        let requests = GET.len() as u64;
        let responses = OK.len() as u64 + 2;
        let phase = |end, sent, received| script.conversation.phase_at(end, sent, received);
        assert_eq!(
            phase(B, Reach::with_fin(responses), Reach::bytes(requests)),
            Phase::Between
        );
        assert_eq!(
            phase(B, Reach::with_fin(responses), Reach::bytes(requests + 1)),
            Phase::Request
        );
        assert_eq!(
            phase(B, Reach::with_fin(responses), Reach::bytes(2 * requests)),
            Phase::Waiting
        );
        assert_eq!(
            phase(A, Reach::bytes(2 * requests), Reach::bytes(responses)),
            Phase::Waiting
        );
        assert_eq!(
            phase(A, Reach::bytes(requests), Reach::bytes(responses - 1)),
            Phase::ResponseBody
        );
        assert_eq!(
            phase(A, Reach::bytes(requests), Reach::bytes(OK.len() as u64 - 1)),
            Phase::ResponseHead
        );
        assert_eq!(
            phase(A, Reach::bytes(requests), Reach::bytes(0)),
            Phase::Waiting
        );
        assert_eq!(
            phase(A, Reach::bytes(requests - 1), Reach::bytes(0)),
            Phase::Request
        );
        assert_eq!(
            phase(A, Reach::bytes(0), Reach::bytes(0)),
            Phase::BeforeRequest
        );
    }

    /// Of a body that ends with the connection, the FIN is the last byte.
    #[test]
    fn without_the_fin_an_open_body_is_not_complete() {
        let script = script().a(GET).b(OPEN).b("hi").fin(B);
        let (requests, responses) = (GET.len() as u64, OPEN.len() as u64 + 2);
        let phase = |received| {
            script
                .conversation
                .phase_at(A, Reach::bytes(requests), received)
        };
        assert_eq!(phase(Reach::bytes(responses)), Phase::ResponseBody);
        assert_eq!(phase(Reach::with_fin(responses)), Phase::After);
    }

    #[test]
    fn a_capture_that_begins_in_the_middle() {
        check(script().b("rest of a body"), Phase::Opaque);
        check(script().b("rest of a body").a(GET), Phase::Waiting);
        check(script().b("rest of a body").b(OK).b("hi"), Phase::Between);
        check(
            script().a("rest of a form").b(OK).b("hi").a(GET),
            Phase::Waiting,
        );
    }

    #[test]
    fn a_lost_response_leaves_no_claim() {
        check(script().a(GET).gap(B, 500), Phase::Opaque);
        check(
            script().a(GET).gap(B, 500).a(GET).b(OK).b("hi"),
            Phase::Between,
        );
        check(script().a(GET).b(OK).gap(B, 2), Phase::Between);
        check(script().a(GET).b(CHUNKED).gap(B, 10), Phase::Opaque);
        check(
            script().a(GET).b(CHUNKED).gap(B, 10).b("\r\n0\r\n\r\n"),
            Phase::Between,
        );
        let more = script().a(GET).b(CHUNKED).gap(B, 10).b("x");
        let (requests, responses) = (GET.len() as u64, CHUNKED.len() as u64 + 10);
        let phase = |received| {
            more.conversation
                .phase_at(A, Reach::bytes(requests), Reach::bytes(received))
        };
        assert_eq!(
            (phase(responses), phase(responses + 1)),
            (Phase::ResponseBody, Phase::Opaque)
        );
        check(script().a(GET).b(OK).gap(B, 1), Phase::ResponseBody);
    }
}
