//! Which parser gets which byte, whatever the slices.

use super::*;
use crate::base::flow_end::FlowEnd::{A, B};
use crate::base::frame_ref::FrameNumber;
use crate::base::time::Timestamp;

struct LayerScript {
    layer_facts: ProtocolStack,
    texts: TextInterner,
    said: [Reach; 2],
    line: u64,
    slice: usize,
}

fn talk() -> LayerScript {
    sliced(usize::MAX)
}

fn sliced(slice: usize) -> LayerScript {
    LayerScript {
        layer_facts: ProtocolStack::default(),
        texts: TextInterner::new(),
        said: [Reach::default(); 2],
        line: 0,
        slice,
    }
}

impl LayerScript {
    fn say(mut self, from: FlowEnd, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.line += 1;
        let at = FrameRef {
            frame: FrameNumber(self.line),
            time: Timestamp::from_nanos(self.line as i64 * 1_000_000),
        };
        for slice in bytes.chunks(self.slice) {
            self.layer_facts
                .data(from, at, slice, slice.len() as u32, &mut self.texts);
        }
        self.said[from.index()].bytes += bytes.len() as u64;
        self
    }

    fn a(self, bytes: impl AsRef<[u8]>) -> Self {
        self.say(A, bytes)
    }

    fn b(self, bytes: impl AsRef<[u8]>) -> Self {
        self.say(B, bytes)
    }

    fn phase(&self, closer: FlowEnd) -> Phase {
        let [a, b] = self.said;
        let (sent, received) = if closer == A { (a, b) } else { (b, a) };
        self.layer_facts.phase_at(closer, sent, received)
    }

    #[track_caller]
    fn check(mut self, phase: Phase) -> Self {
        assert_eq!((self.phase(A), self.phase(B)), (phase, phase));
        self.layer_facts.finish(&mut self.texts);
        assert_eq!((self.phase(A), self.phase(B)), (phase, phase), "finished");
        self
    }
}

fn record(kind: u8, length: usize) -> Vec<u8> {
    let hello = if length == 90 { 2 } else { 1 };
    let mut bytes = vec![kind, 3, 3, (length >> 8) as u8, length as u8];
    bytes.resize(5 + length, hello);
    bytes
}

#[test]
fn tls_is_a_handshake_and_then_opaque() {
    for slice in [1, 2, 3, 7, 100, usize::MAX] {
        let hello = || sliced(slice).a(record(22, 200)).b(record(22, 90));
        sliced(slice).a(record(22, 200)).check(Phase::TlsHandshake);
        hello().check(Phase::TlsHandshake);
        hello().b(record(23, 900)).check(Phase::TlsHandshake);
        hello()
            .b(record(23, 900))
            .a(record(20, 1))
            .a(record(23, 19))
            .check(Phase::TlsHandshake);
        hello()
            .b(record(23, 900))
            .a(record(20, 1))
            .a(record(23, 53))
            .check(Phase::Opaque);
        hello().a(record(21, 2)).check(Phase::TlsHandshake);
        let talk = hello();
        assert_eq!(talk.layer_facts.protocol(), Protocol::Tls);
    }
    talk().b(record(23, 900)).check(Phase::Opaque);
    let both = talk().a(record(22, 200)).b(record(22, 90));
    assert_eq!(both.layer_facts.requester().map(|(end, _)| end), Some(A));
}

/// The secret is there, and is not used.
#[cfg(not(feature = "decrypt"))]
#[test]
fn a_build_that_cannot_decrypt_says_so() {
    let handshake = |kind: u8, rest: &[u8]| {
        let body = [&[3, 3][..], &[7; 32], rest].concat();
        let length = body.len() as u8;
        [&[22, 3, 3, 0, length + 4, kind, 0, 0, length], &body[..]].concat()
    };
    let keys = KeyStore::default();
    let line = format!("CLIENT_RANDOM {} {}\n", "07".repeat(32), "09".repeat(48));
    keys.read(line.as_bytes(), FrameNumber(0));
    let options = LayerOptions {
        keys: Some(keys),
        teller: None,
        annotator: None,
    };
    let mut talk = talk();
    talk.layer_facts = *ProtocolStack::boxed(&options, None, [0; 2]);
    let mut talk = talk
        .a(handshake(1, &[0, 0, 2, 0xc0, 0x2f, 1, 0]))
        .b(handshake(2, &[0, 0xc0, 0x2f, 0]))
        .a(record(20, 1))
        .a(record(22, 40))
        .b(record(20, 1))
        .b(record(22, 40))
        .a(record(23, 300));
    assert_eq!(talk.phase(A), Phase::Opaque);
    talk.layer_facts.finish(&mut talk.texts);
    let facts = talk.layer_facts.into_layer_facts().tls.expect("it is TLS");
    assert_eq!(facts.why_closed(), Some("not-in-this-build"));
    assert_eq!(facts.flows[0].bytes, 300);
}

#[test]
fn an_answer_in_plain_text_is_read() {
    for slice in [1, 3, usize::MAX] {
        let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
        let talk = sliced(slice).a(record(22, 200)).b(answer);
        let talk = talk.check(Phase::TlsHandshake);
        assert_eq!(talk.layer_facts.protocol(), Protocol::Tls);
        let statuses: Vec<_> = talk.layer_facts.exchanges().map(Exchange::status).collect();
        assert_eq!(statuses, [Some(400)]);
    }
}

#[test]
fn tls_begins_after_words_in_plain_text() {
    let talk = talk()
        .b("220 mail ESMTP\r\n")
        .a("EHLO a\r\n")
        .b("250 STARTTLS\r\n")
        .a("STARTTLS\r\n")
        .b("220 go\r\n");
    assert_eq!(talk.phase(A), Phase::Opaque);
    let talk = talk.a(record(22, 200)).check(Phase::TlsHandshake);
    assert_eq!(talk.layer_facts.protocol(), Protocol::Tls);
    let talk = talk.b(record(22, 90)).b(record(23, 900));
    let talk = talk.a(record(20, 1)).a(record(23, 53));
    talk.check(Phase::Opaque);
}

#[test]
fn a_tunnel_is_a_tunnel_whatever_is_in_it() {
    let connect = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
    let talk = talk()
        .a(connect)
        .b("HTTP/1.1 200 OK\r\n\r\n")
        .a(record(22, 200))
        .b(record(22, 90));
    let talk = talk.check(Phase::Tunnel);
    assert_eq!(talk.layer_facts.protocol(), Protocol::Tunnel);
    assert_eq!(talk.layer_facts.exchanges().count(), 1);
}

#[test]
fn what_is_said_in_a_tunnel_is_read() {
    let connect = "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n";
    let agreed = "HTTP/1.0 200 OK\r\n\r\n";
    let get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for slice in [1, 3, usize::MAX] {
        let open = || sliced(slice).a(connect).b(agreed);
        open().check(Phase::Tunnel);
        open().a("GET /").check(Phase::Request);
        open().a(get).check(Phase::Waiting);
        open().a(get).b("HTTP/1.1 200").check(Phase::ResponseHead);
        open()
            .a(get)
            .b(&answer[..answer.len() - 1])
            .check(Phase::ResponseBody);
        let talk = open().a(get).b(answer).check(Phase::Tunnel);
        assert_eq!(talk.layer_facts.protocol(), Protocol::Tunnel);
        let layer_facts = talk.layer_facts.into_layer_facts();
        let statuses: Vec<_> = layer_facts.exchanges.iter().map(Exchange::status).collect();
        assert_eq!(statuses, [Some(200), Some(200)], "slices of {slice}");
    }
}

#[test]
fn http2_and_a_websocket_in_a_tunnel_are_told_as_such() {
    let open = || {
        talk()
            .a("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n")
            .b("HTTP/1.1 200 OK\r\n\r\n")
    };
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    let preface = [h2::PREFACE, settings].concat();
    // GET / of the static table.
    let get = b"\0\0\x03\x01\x05\0\0\0\x01\x82\x84\x86";
    let talk = open().a(preface).b(settings).a(get).check(Phase::Waiting);
    assert_eq!(talk.layer_facts.protocol(), Protocol::Http2);
    let layer_facts = talk.layer_facts.into_layer_facts();
    assert!(layer_facts.h2.is_some());
    assert_eq!(layer_facts.exchanges.len(), 2);
    let upgrade =
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let switch = "HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let talk = open().a(upgrade).b(switch).b(b"\x88\x02\x03\xe9");
    let talk = talk.check(Phase::Tunnel);
    assert_eq!(talk.layer_facts.protocol(), Protocol::WebSocket);
    let layer_facts = talk.layer_facts.into_layer_facts();
    let facts = layer_facts.websocket.expect("a WebSocket");
    let code = facts.halves[1].close.as_ref().and_then(|close| close.code);
    assert_eq!(code, Some(1001));
}

/// A proxy behind a proxy behind a proxy: every layer that is parsed has a cost.
#[test]
fn tunnels_in_tunnels_are_followed_to_some_depth() {
    let mut talk = talk();
    for _ in 0..20_000 {
        talk = talk
            .a("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
            .b("HTTP/1.1 200 OK\r\n\r\n");
    }
    talk.layer_facts.finish(&mut talk.texts);
    assert_eq!(talk.layer_facts.protocol(), Protocol::Tunnel);
    let looked_into = usize::from(MAX_TUNNELS) + 1;
    assert_eq!(
        talk.layer_facts.into_layer_facts().exchanges.len(),
        looked_into
    );
}

#[test]
fn http2_is_known_from_its_middle_on() {
    let ping = b"\0\0\x08\x06\0\0\0\0\0abcdefgh";
    let ok = b"\0\0\x01\x01\x05\0\0\0\x07\x88";
    for (likely, client) in [(A, A), (B, A)] {
        let mut talk = talk();
        talk.layer_facts = *ProtocolStack::boxed(&LayerOptions::default(), Some(likely), [0; 2]);
        let talk = talk.a("the rest of a body").b(ok).a(ping);
        assert_eq!(talk.layer_facts.protocol(), Protocol::Http2);
        let (requester, certainty) = talk.layer_facts.requester().expect("a client");
        assert_eq!((requester, certainty), (client, Certainty::Likely));
        let layer_facts = talk.layer_facts.into_layer_facts();
        let facts = layer_facts.h2.expect("HTTP/2");
        assert_eq!((facts.midstream, facts.halves[0].frames), (true, 1));
        assert_eq!(layer_facts.exchanges.len(), 1);
    }
    // A PING may be sent by either side, so the ports decide; and a connection captured from its start begins with a
    // preface.
    let mut talk = talk();
    talk.layer_facts = *ProtocolStack::boxed(&LayerOptions::default(), Some(B), [0; 2]);
    let talk = talk.a(ping);
    let presumed = Some((B, Certainty::Possible));
    assert_eq!(talk.layer_facts.requester(), presumed);
    assert_eq!(
        self::talk().a(ping).layer_facts.protocol(),
        Protocol::Opaque
    );
}
