//! Tests of whole connections: ordinary ones first, then other protocols, gaps and broken grammar, then properties.

use std::time::Duration;

use proptest::prelude::*;

use super::script::{HttpScript, script};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd::{self, A, B};
use crate::protocol::http::conversation::{HttpConversation, MAX_EXCHANGES, MAX_HEAD, Protocol};
use crate::protocol::http::exchange::Exchange;
use crate::protocol::http::exchange::{ConnectionEnd, Outcome};
use crate::protocol::http::fault::FaultRule;
use crate::protocol::http::fields::FieldName;
use crate::protocol::http::message::{Framing, MessageProgress, Method};
use crate::protocol::http::persistence::CloseSign;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[track_caller]
fn check(script: &HttpScript, expect: &[&str]) {
    assert_eq!(script.summary(), expect, "{:#?}", script.conversation);
}

#[test]
fn an_ordinary_exchange() {
    let script = script()
        .a("GET /x?y=1 HTTP/1.1\r\nHost: example.org\r\nUser-Agent: test/1\r\nConnection: keep-alive\r\n\r\n")
        .b("HTTP/1.1 200 OK\r\nServer: s/2\r\nContent-Length: 5\r\nKeep-Alive: timeout=5, max=99\r\n\r\nhel")
        .b("lo");
    let exchange = script.only();
    let request = exchange.request.as_ref().expect("it was said");
    let response = exchange.response.as_ref().expect("it was said");
    let text = |text: &Option<crate::protocol::http::SharedText>| {
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
    assert_eq!(
        script.conversation.requester(),
        Some((A, Certainty::Certain))
    );
    assert_eq!(script.conversation.protocol(), Protocol::Http1);
}

#[test]
fn small_when_idle_and_small_when_not() {
    assert!(
        size_of::<HttpConversation>() <= 300,
        "{}",
        size_of::<HttpConversation>()
    );
    assert!(size_of::<Exchange>() <= 248, "{}", size_of::<Exchange>());
    let script = script().a(GET).b(OK);
    assert_eq!(script.conversation.exchanges.capacity(), 1);
}

#[test]
fn messages_are_framed_by_the_book() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\n";
    let script = script()
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
        &script,
        &[
            "HEAD /h 200 complete",
            "GET /304 304 complete",
            "DELETE /204 204 complete",
            "GET /chunked 200 complete",
            "PUT /up 201 complete",
            "PURGE http://a/ 200 complete",
        ],
    );
    let exchanges = script.conversation.exchanges();
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
    let script = script()
        .a(format!("{GET}{}", GET.replacen('/', "/2", 1)))
        .b(format!("{OK}{OK}"));
    check(&script, &["GET / 200 complete", "GET /2 200 complete"]);
}

#[test]
fn an_answer_may_come_before_the_question_is_whole() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n";
    let request = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    for slice in [usize::MAX, 1] {
        for cut in 1..request.len() {
            let (begin, rest) = request.split_at(cut);
            let script = script().sliced(slice).a(begin).b(head).a(rest).a(GET).b(OK);
            check(&script, &["HEAD / 200 complete", "GET / 200 complete"]);
        }
    }
}

#[test]
fn interim_responses_are_no_answer() {
    let script = script()
        .a("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .b("HTTP/1.1 100 Continue\r\n\r\n")
        .a("hello")
        .b("HTTP/1.1 103 Early Hints\r\n\r\n")
        .b(OK);
    check(&script, &["POST / 200 complete"]);
    let rare = script
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
    assert_eq!(script.only().waited(), Some(Duration::from_millis(2)));
    assert_eq!(script.only().request_fields(FieldName::Expect).count(), 1);
}

#[test]
fn a_close_said_twice_is_kept_as_two() {
    let script = script().a(GET).b(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    let exchange = script.only();
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
        script().a(upgrade).b(switch).conversation.protocol(),
        Protocol::WebSocket
    );
    let tunnel = script()
        .a("CONNECT a:1 HTTP/1.1\r\n\r\n")
        .b("HTTP/1.1 200 Fine\r\n\r\n")
        .a(GET)
        .b(OK);
    assert_eq!(tunnel.conversation.protocol(), Protocol::Tunnel);
    check(&tunnel, &["CONNECT a:1 200 complete"]);
    let refused = script().a(upgrade).b(OK).a(GET).b(OK);
    check(&refused, &["GET /ws 200 complete", "GET / 200 complete"]);
    let preface = script().a("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(preface.conversation.protocol(), Protocol::Http2);
    assert_eq!(preface.sliced(1).conversation.protocol(), Protocol::Http2);
    assert_eq!(
        script()
            .sliced(3)
            .a("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .conversation
            .protocol(),
        Protocol::Http2
    );
}

/// What is kept of the content of the first response.
fn body_start(script: &HttpScript) -> Option<String> {
    let rare = script.conversation.exchanges().first()?.rare.as_ref()?;
    let start = rare.body_start.as_ref()?;
    Some(start.as_bytes().escape_ascii().to_string())
}

#[test]
fn the_beginning_of_an_error_is_the_same_however_it_is_cut() {
    let page = "<html><body>The server did not respond in time.</body></html>";
    let length = page.len();
    let (begin, rest) = page.split_at(20);
    let long = page.repeat(9);
    let counted = format!("Content-Length: {length}\r\n\r\n{page}");
    let chunked = format!(
        "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{begin}\r\n{:x};x=y\r\n{rest}\r\n0\r\n\r\n",
        begin.len(),
        rest.len()
    );
    let until_close = format!("{page}{OK}").as_bytes().escape_ascii().to_string();
    let rows = [
        (counted, page),
        (chunked, page),
        (format!("\r\n{page}{OK}"), &until_close),
        (format!("\r\n{long}"), &long[..320]),
        (format!("Content-Length: 999\r\n\r\n{long}"), &long[..320]),
        // What follows in the same bytes is not of this body.
        (format!("Content-Length: 0\r\n\r\n{OK}"), ""),
        (format!("Content-Length: 4\r\n\r\nBusy{OK}"), "Busy"),
    ];
    for (rest, kept) in rows {
        for slice in [usize::MAX, 1000, 7, 1] {
            let script = script()
                .sliced(slice)
                .a(format!("{GET}{GET}"))
                .b(format!("HTTP/1.1 504 Gateway Time-out\r\n{rest}"));
            let told = body_start(&script).unwrap_or_default();
            assert_eq!(told, kept, "{rest:?} by {slice}");
        }
    }
}

#[test]
fn behind_a_hole_nothing_is_the_beginning_of_an_error() {
    let head = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 30\r\n\r\n";
    let holed = script().a(GET).b(head).b("12345").gap(B, 5).b("abcde");
    assert_eq!(body_start(&holed).as_deref(), Some("12345"));
    let cut = script().a(GET).b(head).cut(B, "1234567890", 4).b("abcde");
    assert_eq!(body_start(&cut).as_deref(), Some("1234"));
    let first = script().a(GET).b(head).gap(B, 5).b("abcde");
    assert_eq!(body_start(&first), None);
    // A response that needs none of it keeps none.
    assert_eq!(body_start(&script().a(GET).b(OK)), None);
}

#[test]
fn an_answer_in_plain_text_settles_who_asks() {
    let hello = "\x16\x03\x01\x00\x05\x01";
    let script = script()
        .b(hello)
        .a("HTTP/1.1 400 No\r\nContent-Length: x\r\n\r\n")
        .a(hello);
    check(&script, &["- - 400 incomplete"]);
    assert_eq!(
        script.conversation.requester(),
        Some((B, Certainty::Certain))
    );
    assert_eq!(script.conversation.protocol(), Protocol::Tls);
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
            let script = script().sliced(slice).a(line).b("SIP/2.0 200 OK\r\n\r\n");
            assert_eq!(
                (
                    script.conversation.protocol(),
                    script.conversation.exchanges().len()
                ),
                (Protocol::Opaque, 0),
                "{line}"
            );
        }
    }
}

#[test]
fn the_oldest_http_has_no_version() {
    let script = script()
        .a("GET /index.html\r\n")
        .b("<html>hi</html>")
        .fin(B);
    check(&script, &["GET /index.html - complete"]);
    assert_eq!(
        script.conversation.requester(),
        Some((A, Certainty::Likely))
    );
    let modern = super::script::script()
        .a("GET /\r\n")
        .b("HTTP/1.0 400 No\r\nContent-Length: 0\r\n\r\n");
    check(&modern, &["GET / 400 complete"]);
    let memcached = super::script::script().a("GET /\r\n").b("ERROR\r\n");
    assert_eq!(memcached.conversation.protocol(), Protocol::Opaque);
}

#[test]
fn a_malformed_first_request_is_one_if_it_is_answered_as_one() {
    let refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    for request in [
        "GET /a\r\nHost: b\r\n\r\n",
        "GET /a HTTP\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
        "POST /a\r\n",
    ] {
        for slice in [1, 3, usize::MAX] {
            let script = script().sliced(slice).a(request).b(refused);
            let exchange = script.only();
            assert_eq!(exchange.status(), Some(400), "{request}");
            assert!(!exchange.request_faults().is_empty(), "{request}");
            let other = super::script::script()
                .sliced(slice)
                .a(request)
                .b("530 what?\r\n");
            // A line that ends in a version says itself what it is.
            if request.starts_with("GET  HTTP/1.1") {
                assert_eq!(other.conversation.protocol(), Protocol::Http1);
                continue;
            }
            assert_eq!(other.conversation.exchanges().len(), 0, "{request}");
            assert_eq!(other.conversation.protocol(), Protocol::Opaque);
        }
    }
}

#[test]
fn mid_stream_the_next_proven_message_counts() {
    let script = script().b("rest of a body").a(GET).b(OK);
    check(&script, &["GET / 200 complete"]);
    let unasked = super::script::script().b("rest").b(OK).a(GET).b(OK);
    check(&unasked, &["- - 200 complete", "GET / 200 complete"]);
    assert_eq!(
        unasked.conversation.requester(),
        Some((A, Certainty::Certain))
    );
}

#[test]
fn gaps() {
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    let inside = script().a(GET).b(long).gap(B, 600).b(vec![b'x'; 400]);
    check(&inside, &["GET / 200 complete"]);
    assert_eq!(
        inside
            .only()
            .rare
            .as_ref()
            .map(|rare| rare.response.missing),
        Some(600)
    );
    let beyond = script().a(GET).b(long).gap(B, 1100).a(GET).b(OK);
    check(&beyond, &["GET / 200 complete", "GET / 200 complete"]);
    let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n";
    let chunked = script()
        .a(GET)
        .b(chunk)
        .gap(B, 0x400)
        .b("\r\n0\r\n\r\n")
        .a(GET)
        .b(OK);
    check(&chunked, &["GET / 200 complete", "GET / 200 complete"]);
    let lost = script().a(GET).b(chunk).gap(B, 0x401).a(GET).b(OK);
    check(&lost, &["GET / 200 incomplete", "GET / 200 complete"]);
    assert_eq!(
        lost.conversation.exchanges()[0].outcome(ConnectionEnd::ServerFin),
        None
    );
    let response = script().a(GET).gap(B, 100).a(GET).b(OK);
    check(&response, &["GET / - incomplete", "GET / 200 complete"]);
    assert_eq!(
        response.conversation.exchanges()[0].outcome(ConnectionEnd::ServerFin),
        None
    );
    let request = script().gap(A, 100).b(OK).a(GET).b(OK);
    check(&request, &["- - 200 complete", "GET / 200 complete"]);
    let head = script()
        .a("GET /a HTTP/1.1\r\nHos")
        .gap(A, 20)
        .b(OK)
        .a(GET)
        .b(OK);
    check(&head, &["GET /a 200 complete", "GET / 200 complete"]);
}

#[test]
fn a_head_cut_by_the_snap_length_counts_as_far_as_it_goes() {
    let script = script()
        .cut(A, GET, 15)
        .cut(B, OK, 17)
        .cut(A, GET, 8)
        .cut(B, OK, 30);
    assert_eq!(
        script
            .conversation
            .exchanges()
            .iter()
            .map(|exchange| exchange.status())
            .collect::<Vec<_>>(),
        [Some(200), Some(200)]
    );
    assert_eq!(
        script.conversation.exchanges()[0].method(),
        Some(&b"GET"[..])
    );
    assert_eq!(
        script.conversation.exchanges()[0].waited(),
        Some(Duration::from_millis(1))
    );
    check(&script, &["GET / 200 incomplete", "GET / 200 incomplete"]);
    let lost = super::script::script()
        .a("GET / HTTP/1.1\r\n")
        .gap(A, 9)
        .b(OK);
    assert_eq!(lost.only().waited(), None);
    let refused = super::script::script().a("GET / HT").b(OK);
    assert_eq!(refused.only().waited(), None);
}

#[test]
fn malformed_messages_are_told() {
    let rules = |script: &HttpScript| -> Vec<FaultRule> {
        let exchanges = script.conversation.exchanges().iter();
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
    let garbage = script().a(GET).b("garbage\r\n");
    assert_eq!(rules(&garbage), [FaultRule::StartLine]);
    let alert = script().a(GET).b([21, 3, 1, 0, 2, 2, 40]);
    assert_eq!(rules(&alert), [FaultRule::StartLine]);
    let excess = script().a(GET).b(OK).b("more").a(GET).b(OK);
    assert_eq!(rules(&excess), [FaultRule::ExcessBytes]);
    check(&excess, &["GET / 200 complete", "GET / 200 complete"]);
    let bad_request = script()
        .a(GET)
        .b(OK)
        .a("\x01\x02\x03")
        .b("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(rules(&bad_request), [FaultRule::StartLine]);
    check(&bad_request, &["GET / 200 complete", "- - 400 complete"]);
    let status = script()
        .a(GET)
        .b("HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(rules(&status), [FaultRule::Status]);
    for stray in [" ", "\0", " \r\n", " \n", "abcd"] {
        let head = format!("{stray}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        for (head, body) in [
            (head.as_str(), "hi"),
            (&head[..stray.len() + 20], &head[stray.len() + 20..]),
        ] {
            let rest = if body == "hi" { "" } else { "hi" };
            let strays = script().a(GET).b(head).b(body).b(rest);
            assert_eq!(rules(&strays), [FaultRule::BeforeStartLine], "{stray:?}");
            check(&strays, &["GET / 200 complete"]);
        }
    }
    let junk = script().a(GET).b("foobar\r\nHTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(rules(&junk), [FaultRule::StartLine]);
    let large = script()
        .a(GET)
        .b("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n10000000000000000\r\n");
    assert_eq!(rules(&large), [FaultRule::ChunkTooLarge]);
    let exchange = large.only();
    let fault = &exchange.response_faults()[0];
    assert_eq!((fault.offset, fault.bytes.as_bytes().len()), (53, 19));
    let chunk = script()
        .a(GET)
        .b("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    assert_eq!(rules(&chunk), [FaultRule::ChunkSize]);
    assert_eq!(
        chunk.only().outcome(ConnectionEnd::ServerFin),
        Some(Outcome::CutShort)
    );
    let both = script()
        .a("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(rules(&both), [FaultRule::LengthAndEncoding]);
    let mut long = b"GET / HTTP/1.1\r\nA: ".to_vec();
    long.resize(2 * MAX_HEAD, b'x');
    for slice in [1460, 65_535, usize::MAX] {
        let long = script().sliced(slice).a(&long);
        assert_eq!(
            rules(&long),
            [FaultRule::BareLf, FaultRule::HeadTooLong][1..]
        );
        assert!(long.conversation.directions[0].pending.is_none());
    }
}

#[test]
fn outcomes() {
    let ended = |script: HttpScript, ending| script.finish().only().outcome(ending);
    assert_eq!(
        ended(script().a(GET).b(OK), ConnectionEnd::ServerReset),
        Some(Outcome::Complete)
    );
    assert_eq!(
        ended(script().a(GET), ConnectionEnd::ServerFin),
        Some(Outcome::NoResponse)
    );
    assert_eq!(
        ended(script().a(GET), ConnectionEnd::ServerReset),
        Some(Outcome::Reset)
    );
    assert_eq!(
        ended(script().a(GET), ConnectionEnd::ByClient),
        Some(Outcome::ClientLeft)
    );
    assert_eq!(
        ended(script().a(GET), ConnectionEnd::Open),
        Some(Outcome::Unfinished)
    );
    assert_eq!(
        ended(script().a(GET).b(&OK[..20]), ConnectionEnd::ServerFin),
        Some(Outcome::CutShort)
    );
    assert_eq!(
        ended(
            script().a(GET).b(&OK[..OK.len() - 1]),
            ConnectionEnd::ServerFin
        ),
        Some(Outcome::CutShort)
    );
    assert_eq!(
        ended(script().a("GET / HT"), ConnectionEnd::ByClient),
        Some(Outcome::ClientLeft)
    );
}

#[test]
fn a_head_without_end_is_read_as_far_as_it_goes() {
    let script = script()
        .a("GET /x HTTP/1.1\r\nHost: h\r\nUser")
        .fin(A)
        .finish();
    let request = script.only().request.as_ref().expect("it was begun");
    assert_eq!(
        (request.method, request.message.progress),
        (Method::Get, MessageProgress::Head)
    );
    assert_eq!(
        request.host.as_ref().and_then(|host| host.as_str()),
        Some("h")
    );
}

#[test]
fn exchanges_are_bounded() {
    let mut script = script();
    let at = script.frame_ref();
    for _ in 0..MAX_EXCHANGES + 10 {
        script
            .conversation
            .data(A, at, GET.as_bytes(), GET.len() as u32, &mut script.texts);
        script
            .conversation
            .data(B, at, OK.as_bytes(), OK.len() as u32, &mut script.texts);
    }
    assert_eq!(script.conversation.let_go(), MAX_EXCHANGES as u64 / 4);
    assert!(script.conversation.exchanges().len() <= MAX_EXCHANGES);
    assert!(
        script
            .conversation
            .exchanges()
            .iter()
            .all(Exchange::is_complete)
    );
}

/// A well-formed request and its response.
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
        Just(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 No\r\nWWW-Authenticate: NTLM abc\r\n\r\n"
                .to_owned()
        ),
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
            let mut script = script().sliced(slice);
            if pipelined {
                script = script.a(exchanges.iter().map(|(request, _)| request.as_str()).collect::<String>());
                script = script.b(exchanges.iter().map(|(_, response)| response.as_str()).collect::<String>());
            } else {
                for (request, response) in &exchanges {
                    script = script.a(request).b(response);
                }
            }
            script.finish()
        };
        let (whole, sliced) = (run(usize::MAX), run(slice));
        prop_assert_eq!(whole.conversation.exchanges(), sliced.conversation.exchanges());
        prop_assert_eq!(whole.conversation.exchanges().len(), exchanges.len());
        prop_assert!(whole.conversation.exchanges().iter().all(Exchange::is_complete));
    }

    #[test]
    fn gaps_cuts_and_garbage_never_panic(
        exchanges in proptest::collection::vec(exchange(), 1..4),
        hurts in proptest::collection::vec((0usize..400, 0u8..5, 0u64..60, any::<[u8; 3]>()), 0..5),
        slice in 1usize..60)
    {
        let mut script = script().sliced(slice);
        let mut place = 0;
        for (request, response) in &exchanges {
            for (from, bytes) in [(A, request.as_bytes()), (B, response.as_bytes())] {
                for piece in bytes.chunks(slice) {
                    let before = place;
                    place += piece.len();
                    for (_, kind, length, junk) in hurts.iter().filter(|hurt| (before..place).contains(&hurt.0)) {
                        script = match kind {
                            0 => script.gap(from, *length),
                            1 => script.cut(from, piece, *length as usize),
                            2 => script.say(from, junk),
                            3 => script.fin(from),
                            _ => script.gap(from.other(), u64::MAX),
                        };
                    }
                    script = script.say(from, piece);
                    script.phase(A);
                    script.phase(B);
                }
            }
        }
        let script = script.finish();
        prop_assert!(script.conversation.directions.iter().all(|direction| direction.pending.is_none()));
    }

    #[test]
    fn random_bytes_never_panic(said in proptest::collection::vec((any::<bool>(), any::<Vec<u8>>()), 0..20)) {
        let mut script = script();
        for (a, bytes) in said {
            script = script.say(if a { A } else { B }, bytes);
            script.phase(A);
        }
        script.finish();
    }
}

/// Pieces of HTTP in any order.
fn soup() -> impl Strategy<Value = Vec<(bool, &'static str)>> {
    let piece = proptest::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.0\r\n",
        "CONNECT a:1 HTTP/1.1\r\n",
        "GET /\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Go\r\n\r\n",
        "HTTP/1.1 101 Go\r\n",
        "HTTP/1.1 xx\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Connection: close, upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Authorization: Basic x\0\r\n",
        " folded\r\n",
        "\r\n",
        "\n",
        "\r",
        "5\r\nhello\r\n",
        "ffffffffffffffff\r\n",
        "0\r\n\r\n",
        "PRI * HTTP/2.0\r\n",
        "\x16\x03\x01\x00\x05\x01",
        "<html>",
        "\0",
    ]);
    proptest::collection::vec((any::<bool>(), piece), 0..30)
}

proptest! {
    #[test]
    fn soup_never_panics_and_stays_in_order(said in soup(), slice in 1usize..40) {
        let mut script = script().sliced(slice);
        for (a, piece) in said {
            script = script.say(if a { A } else { B }, piece);
            script.phase(A);
            script.phase(B);
        }
        let script = script.finish();
        let requester = script.conversation.requester().map(|(end, _)| end);
        for end in FlowEnd::BOTH {
            let mut before = 0;
            for exchange in script.conversation.exchanges() {
                let message = match requester == Some(end) {
                    true => exchange.request.as_ref().map(|request| &request.message),
                    false => exchange.response.as_ref().map(|response| &response.message),
                };
                let Some(message) = message else { continue };
                prop_assert!(before <= message.start, "{:#?}", script.conversation);
                before = message.end();
            }
            prop_assert!(before <= script.conversation.direction(end).offset, "{:#?}", script.conversation);
        }
    }
}
