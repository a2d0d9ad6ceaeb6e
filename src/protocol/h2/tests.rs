//! HTTP/2 connections, written frame by frame. The time of a line is its number in milliseconds.

use proptest::prelude::*;

use super::conversation::{MAX_OPEN, MAX_STREAMS};
use super::frame::{flag, kind};
use super::header_block::MAX_BLOCK;
use super::wire::{field, frame};
use super::*;
use crate::base::flow_end::FlowEnd::{self, A, B};
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::base::time::Timestamp;
use crate::protocol::http::{
    ConnectionEnd, ErrorCode, Exchange, MessageProgress, Outcome, Party, Phase, Reach, TextInterner,
};

struct H2Script {
    layer_facts: H2Conversation,
    texts: TextInterner,
    said: [Reach; 2],
    line: u64,
    slice: usize,
}

/// After the preface and both SETTINGS.
fn talk() -> H2Script {
    sliced(usize::MAX)
}

fn sliced(slice: usize) -> H2Script {
    let mut preface = PREFACE.to_vec();
    frame(kind::SETTINGS, 0, 0, &[], &mut preface);
    let talk = H2Script {
        layer_facts: H2Conversation::new(A, [0, 0]),
        texts: TextInterner::new(),
        said: [Reach::default(); 2],
        line: 0,
        slice,
    };
    talk.say(A, preface).frame(B, kind::SETTINGS, 0, 0, &[])
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        field(name.as_bytes(), value.as_bytes(), &mut out);
    }
    out
}

impl H2Script {
    fn frame_ref(&mut self) -> FrameRef {
        self.line += 1;
        frame_ref(self.line)
    }

    fn say(mut self, from: FlowEnd, bytes: impl AsRef<[u8]>) -> Self {
        let at = self.frame_ref();
        for slice in bytes.as_ref().chunks(self.slice) {
            self.layer_facts
                .data(from, at, slice, slice.len() as u32, &mut self.texts);
        }
        self.said[from.index()].bytes += bytes.as_ref().len() as u64;
        self
    }

    fn frame(self, from: FlowEnd, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
        let mut bytes = Vec::new();
        frame(kind, flags, stream, payload, &mut bytes);
        self.say(from, bytes)
    }

    fn get(self, stream: u32, path: &str) -> Self {
        let block = block(&[(":method", "GET"), (":path", path), (":authority", "a")]);
        self.frame(
            A,
            kind::HEADERS,
            flag::END_HEADERS | flag::END_STREAM,
            stream,
            &block,
        )
    }

    fn ok(self, stream: u32, length: &str) -> Self {
        let block = block(&[(":status", "200"), ("content-length", length)]);
        self.frame(B, kind::HEADERS, flag::END_HEADERS, stream, &block)
    }

    fn send(self, from: FlowEnd, stream: u32, count: usize, flags: u8) -> Self {
        self.frame(from, kind::DATA, flags, stream, &vec![b'x'; count])
    }

    fn reset(self, from: FlowEnd, stream: u32, code: u32) -> Self {
        self.frame(from, kind::RST_STREAM, 0, stream, &code.to_be_bytes())
    }

    fn goaway(self, from: FlowEnd, last: u32, code: u32, debug: &[u8]) -> Self {
        let mut payload = last.to_be_bytes().to_vec();
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(debug);
        self.frame(from, kind::GOAWAY, 0, 0, &payload)
    }

    fn gap(mut self, from: FlowEnd, length: u64) -> Self {
        let at = self.frame_ref();
        self.layer_facts.gap(from, at, length, &mut self.texts);
        self.said[from.index()].bytes += length;
        self
    }

    /// The phase of an end that has sent and received everything written so far.
    #[track_caller]
    fn in_phase(self, phase: Phase) -> Self {
        for end in FlowEnd::BOTH {
            let (sent, received) = (self.said[end.index()], self.said[end.other().index()]);
            assert_eq!(
                self.layer_facts.phase_at(end, sent, received),
                phase,
                "{:#?}",
                self.layer_facts
            );
        }
        self
    }

    fn told(mut self) -> (Vec<Exchange>, H2Facts) {
        self.layer_facts.finish(&mut self.texts);
        self.layer_facts.into_parts()
    }

    /// Each stream: number, status, bytes received, outcome if the server closes now.
    fn summary(self) -> Vec<String> {
        let (exchanges, _) = self.told();
        let told = exchanges.iter().map(|exchange| {
            let id = exchange.stream_id().unwrap_or(0);
            let status = exchange.status().unwrap_or(0);
            let received = exchange
                .response
                .as_ref()
                .map_or(0, |it| it.message.received());
            let outcome = exchange
                .outcome(ConnectionEnd::ServerFin)
                .map_or("unknown", Outcome::name);
            format!("{id} {status} {received} {outcome}")
        });
        told.collect()
    }
}

fn frame_ref(line: u64) -> FrameRef {
    FrameRef {
        frame: FrameNumber(line),
        time: Timestamp::from_nanos(line as i64 * 1_000_000),
    }
}

#[test]
fn streams_are_exchanges_of_their_own() {
    for slice in [1, 2, 7, 100, usize::MAX] {
        let talk = sliced(slice)
            .get(1, "/a")
            .get(3, "/b")
            .ok(3, "5")
            .send(B, 3, 5, flag::END_STREAM)
            .ok(1, "9")
            .send(B, 1, 4, 0);
        let (exchanges, facts) = talk.told();
        let [first, second] = exchanges.as_slice() else {
            panic!("{exchanges:#?}")
        };
        assert_eq!((first.stream_id(), second.stream_id()), (Some(1), Some(3)));
        assert!(
            !first.is_complete() && second.is_complete(),
            "slices of {slice}"
        );
        let request = first.request.as_ref().expect("a request");
        assert_eq!(first.method(), Some(&b"GET"[..]));
        assert_eq!(
            request.target.as_ref().map(|it| it.as_bytes()),
            Some(&b"/a"[..])
        );
        assert_eq!(
            request.host.as_ref().map(|it| it.as_bytes()),
            Some(&b"a"[..])
        );
        assert_eq!(request.message.version.to_string(), "HTTP/2");
        assert_eq!(
            (first.status(), first.response_expected()),
            (Some(200), Some(9))
        );
        assert_eq!(
            (facts.streams, facts.peak_open, facts.halves[1].data),
            (2, 2, 9)
        );
        assert!(facts.faults.is_empty() && facts.mismatch.is_none());
    }
}

#[test]
fn the_oldest_open_stream_is_the_phase() {
    talk()
        .in_phase(Phase::BeforeRequest)
        .get(1, "/a")
        .in_phase(Phase::Waiting)
        .get(3, "/b")
        .ok(3, "5")
        .in_phase(Phase::Waiting)
        .ok(1, "5")
        .in_phase(Phase::ResponseBody)
        .send(B, 1, 5, flag::END_STREAM)
        .send(B, 3, 5, flag::END_STREAM)
        .in_phase(Phase::Between)
        .goaway(B, 3, 0, b"")
        .in_phase(Phase::After);
    let post = block(&[(":method", "POST"), (":path", "/")]);
    talk()
        .frame(A, kind::HEADERS, flag::END_HEADERS, 1, &post)
        .in_phase(Phase::Request)
        .send(A, 1, 3, flag::END_STREAM)
        .in_phase(Phase::Waiting);
    talk()
        .get(1, "/")
        .reset(A, 1, 8)
        .in_phase(Phase::Between)
        .get(3, "/")
        .in_phase(Phase::Waiting);
}

#[test]
fn a_stream_ends_by_itself() {
    let told = talk()
        .get(1, "/")
        .get(3, "/")
        .get(5, "/")
        .ok(5, "9")
        .reset(A, 1, 8)
        .reset(B, 3, 7)
        .send(B, 5, 4, 0)
        .reset(B, 5, 2)
        .get(7, "/");
    let (exchanges, facts) = told.told();
    let ends: Vec<_> = exchanges
        .iter()
        .map(|exchange| {
            let cut = exchange.cut_by().map(|reset| (reset.by, reset.code));
            (cut, exchange.outcome(ConnectionEnd::ServerFin))
        })
        .collect();
    let wanted = [
        (
            Some((Party::Requester, ErrorCode::CANCEL)),
            Some(Outcome::ClientLeft),
        ),
        (
            Some((Party::Responder, ErrorCode::REFUSED_STREAM)),
            Some(Outcome::Reset),
        ),
        (
            Some((Party::Responder, ErrorCode::INTERNAL_ERROR)),
            Some(Outcome::Reset),
        ),
        (None, Some(Outcome::NoResponse)),
    ];
    assert_eq!(ends, wanted);
    let safe: Vec<_> = exchanges
        .iter()
        .map(|it| it.stream.as_ref().is_some_and(|it| it.is_safe_to_retry()))
        .collect();
    assert_eq!(safe, [false, true, false, false]);
    assert_eq!(facts.halves.map(|half| half.resets), [1, 2]);
}

/// RFC 9113 §8.1: a server may answer, and then state that it does not want the rest of the request.
#[test]
fn an_answer_before_the_end_of_the_request_is_complete() {
    let post = block(&[(":method", "POST"), (":path", "/")]);
    let talk = talk()
        .frame(A, kind::HEADERS, flag::END_HEADERS, 1, &post)
        .send(A, 1, 100, 0)
        .ok(1, "2")
        .send(B, 1, 2, flag::END_STREAM)
        .reset(B, 1, 0)
        .in_phase(Phase::Between);
    assert_eq!(talk.summary(), ["1 200 2 complete"]);
}

#[test]
fn goaway_says_what_may_be_sent_again() {
    let talk = talk()
        .get(1, "/")
        .get(3, "/")
        .goaway(B, 1, 11, b"too_many_pings")
        .get(5, "/")
        .ok(1, "0");
    let (exchanges, facts) = talk.told();
    let refused: Vec<_> = exchanges
        .iter()
        .map(|it| it.stream.as_ref().and_then(|it| it.refused))
        .collect();
    assert_eq!(refused, [None, Some(frame_ref(5)), Some(frame_ref(5))]);
    let goaway = facts.halves[1].goaway().expect("a GOAWAY");
    assert_eq!(
        (goaway.last_stream, goaway.code),
        (1, ErrorCode::ENHANCE_YOUR_CALM)
    );
    assert_eq!(goaway.debug.as_bytes(), b"too_many_pings");
}

#[test]
fn interim_responses_and_trailers() {
    let early = block(&[(":status", "103")]);
    let trailers = block(&[("grpc-status", "14"), ("grpc-message", "unavailable")]);
    let talk = talk()
        .get(1, "/")
        .frame(B, kind::HEADERS, flag::END_HEADERS, 1, &early)
        .in_phase(Phase::Waiting)
        .ok(1, "3")
        .send(B, 1, 3, 0)
        .frame(
            B,
            kind::HEADERS,
            flag::END_HEADERS | flag::END_STREAM,
            1,
            &trailers,
        )
        .in_phase(Phase::Between);
    let (exchanges, _) = talk.told();
    let exchange = &exchanges[0];
    assert_eq!(exchange.status(), Some(200));
    assert_eq!(
        exchange.rare.as_ref().map(|rare| rare.interim.len()),
        Some(1)
    );
    let stream = exchange.stream.as_ref().expect("a stream");
    assert_eq!(stream.grpc_status, Some(14));
    assert_eq!(
        stream.grpc_message.as_ref().map(|it| it.as_bytes()),
        Some(&b"unavailable"[..])
    );
}

#[test]
fn continuation_and_padding() {
    let whole = block(&[(":method", "GET"), (":path", "/long"), (":authority", "a")]);
    let (head, tail) = whole.split_at(9);
    let mut padded = vec![3, 0, 0, 0, 0, 9];
    padded.extend_from_slice(head);
    padded.extend_from_slice(b"\0\0\0");
    let mut data = vec![2];
    data.extend_from_slice(b"hello\0\0");
    for slice in [1, 4, usize::MAX] {
        let talk = sliced(slice)
            .frame(
                A,
                kind::HEADERS,
                flag::PADDED | flag::PRIORITY | flag::END_STREAM,
                1,
                &padded,
            )
            .in_phase(Phase::Request)
            .frame(A, kind::CONTINUATION, flag::END_HEADERS, 1, tail)
            .in_phase(Phase::Waiting)
            .ok(1, "5")
            .frame(B, kind::DATA, flag::PADDED | flag::END_STREAM, 1, &data);
        let (exchanges, facts) = talk.told();
        let target = exchanges[0]
            .request
            .as_ref()
            .and_then(|it| it.target.clone());
        assert_eq!(target.expect("a target").as_bytes(), b"/long");
        assert!(exchanges[0].is_complete() && !exchanges[0].is_short());
        assert!(facts.faults.is_empty(), "{:?}", facts.faults);
    }
}

#[test]
fn an_orderly_end_with_too_few_bytes_is_cut_short() {
    let talk = talk()
        .get(1, "/")
        .ok(1, "9")
        .send(B, 1, 4, flag::END_STREAM);
    assert_eq!(talk.summary(), ["1 200 4 cut-short"]);
}

#[test]
fn after_a_gap_frames_are_found_again_and_fields_that_need_no_lost_one() {
    let talk = talk()
        .get(1, "/")
        .get(3, "/")
        .ok(1, "9")
        .gap(B, 100)
        .in_phase(Phase::Opaque)
        .send(B, 1, 4, flag::END_STREAM)
        .ok(3, "0")
        .send(B, 3, 0, flag::END_STREAM);
    let (exchanges, facts) = talk.told();
    assert!(
        exchanges.iter().all(Exchange::is_complete),
        "{exchanges:#?}"
    );
    assert_eq!(
        (exchanges[0].status(), exchanges[1].status()),
        (Some(200), Some(200))
    );
    assert!(facts.halves[1].lost && facts.faults.is_empty());
    assert_eq!(facts.halves[1].unread_blocks, 0);
}

#[test]
fn what_began_before_the_capture_goes_on() {
    let mut talk = H2Script {
        layer_facts: H2Conversation::midstream(A, [0, 0]),
        texts: TextInterner::new(),
        said: [Reach::default(); 2],
        line: 0,
        slice: usize::MAX,
    };
    talk = talk
        .frame(B, kind::WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())
        .in_phase(Phase::Opaque)
        .get(9, "/")
        .in_phase(Phase::Waiting)
        // The end of an answer to a request from before; and the answer to another one.
        .send(B, 7, 3, flag::END_STREAM)
        .ok(5, "0")
        .send(B, 5, 0, flag::END_STREAM)
        .ok(9, "2")
        .send(B, 9, 2, flag::END_STREAM)
        .in_phase(Phase::Between)
        .goaway(B, 9, 0, b"")
        .in_phase(Phase::After);
    let (exchanges, facts) = talk.told();
    let told: Vec<_> = exchanges
        .iter()
        .map(|it| (it.stream_id(), it.status(), it.request.is_some()))
        .collect();
    assert_eq!(
        told,
        [(Some(9), Some(200), true), (Some(5), Some(200), false)]
    );
    assert!(facts.midstream && facts.faults.is_empty() && facts.mismatch.is_none());
}

/// DATA interrupts a header block, and another block follows: the message is no longer than what was sent.
#[test]
fn a_message_ends_where_its_last_frame_ends() {
    let fields = block(&[(":status", "200")]);
    let mut bytes = Vec::new();
    frame(kind::HEADERS, 0, 1, &fields, &mut bytes);
    frame(kind::DATA, 0, 1, &[b'x'; 500], &mut bytes);
    frame(
        kind::HEADERS,
        flag::END_HEADERS | flag::END_STREAM,
        1,
        &fields,
        &mut bytes,
    );
    let talk = talk().get(1, "/").say(B, bytes);
    let said = talk.said[B.index()].bytes;
    let (exchanges, _) = talk.told();
    let response = exchanges[0].response.as_ref().map(|it| &it.message);
    assert_eq!(response.map(|message| message.end()), Some(said));
}

/// The rest of a frame is not read as if it were its beginning.
#[test]
fn a_hole_in_a_frame_about_the_connection_hides_what_it_says() {
    let mut window = Vec::new();
    frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1], &mut window);
    let mut goaway = Vec::new();
    frame(
        kind::GOAWAY,
        0,
        0,
        &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 2],
        &mut goaway,
    );
    let talk = talk()
        .say(B, &goaway[..9])
        .gap(B, 8)
        .say(B, &goaway[17..])
        .say(B, window);
    let (_, facts) = talk.layer_facts.into_parts();
    assert!(facts.halves[B.index()].goaways.is_empty());
    assert!(!facts.halves[B.index()].lost);
}

#[test]
fn a_websocket_on_a_stream_is_read() {
    let ask = block(&[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":path", "/chat"),
        (":authority", "a"),
    ]);
    // A Close in two DATA frames, the second one padded.
    let close = b"\x88\x05\x03\xe9bye";
    let padded = [&[3], &close[4..], &[0; 3]].concat();
    let opened = |status: &str| {
        talk()
            .frame(A, kind::HEADERS, flag::END_HEADERS, 1, &ask)
            .frame(
                B,
                kind::HEADERS,
                flag::END_HEADERS,
                1,
                &block(&[(":status", status)]),
            )
    };
    let (exchanges, facts) = opened("200")
        .in_phase(Phase::Between)
        .frame(A, kind::DATA, 0, 1, b"\x89\x80\0\0\0\0")
        .frame(B, kind::DATA, 0, 1, &close[..4])
        .frame(B, kind::DATA, flag::PADDED | flag::END_STREAM, 1, &padded)
        .frame(
            A,
            kind::DATA,
            flag::END_STREAM,
            1,
            b"\x88\x82\0\0\0\0\x03\xe9",
        )
        .told();
    assert!(
        exchanges[0].is_complete()
            && exchanges[0]
                .stream
                .as_ref()
                .is_some_and(|it| it.is_websocket)
    );
    let [socket] = facts.websockets.as_slice() else {
        panic!("{:?}", facts.websockets);
    };
    let [client, server] = &socket.said.halves;
    assert_eq!((socket.stream, client.pings.sent), (1, 1));
    assert!(socket.ended.is_some() && !server.is_cut);
    for half in [client, server] {
        assert_eq!(half.close.as_ref().and_then(|close| close.code), Some(1001));
    }
    // One that ends with the connection, one that was reset, and one that was refused.
    let (_, facts) = opened("200").told();
    assert!(facts.websockets[0].ended.is_none() && facts.websockets[0].said.has_no_close());
    let (_, facts) = opened("200").reset(A, 1, 8).told();
    assert!(facts.websockets[0].ended.is_some());
    let (_, facts) = opened("403").reset(A, 1, 8).told();
    assert!(facts.websockets.is_empty());
}

#[test]
fn the_first_complaint_and_the_last_goaway_are_kept() {
    for complains in 0..10 {
        let mut talk = talk();
        for nth in 0..10 {
            let code = if nth == complains { 0xb } else { 0 };
            talk = talk.goaway(B, 100 - nth, code, b"");
        }
        let (_, facts) = talk.told();
        let half = &facts.halves[1];
        assert_eq!((half.goaways.len(), half.more_goaways), (MAX_GOAWAYS, 6));
        let complaint = half.complaint().expect("it is kept");
        assert_eq!(complaint.last_stream, 100 - complains, "{complains}");
        assert_eq!(
            half.goaway().map(|it| it.last_stream),
            Some(91),
            "{complains}"
        );
    }
}

#[test]
fn a_gap_in_data_is_no_loss_of_frames() {
    let mut bytes = Vec::new();
    frame(kind::DATA, flag::END_STREAM, 1, &[b'x'; 500], &mut bytes);
    let talk = talk()
        .get(1, "/")
        .ok(1, "500")
        .say(B, &bytes[..109])
        .gap(B, 300);
    let talk = talk.say(B, &bytes[409..]);
    let (exchanges, facts) = talk.told();
    assert!(exchanges[0].is_complete() && !facts.halves[1].lost);
    assert_eq!(
        exchanges[0].rare.as_ref().map(|it| it.response.missing),
        Some(300)
    );
}

#[test]
fn a_lost_end_leaves_no_claim() {
    let talk = talk()
        .get(1, "/")
        .ok(1, "9")
        .gap(B, 100)
        .in_phase(Phase::Opaque);
    assert_eq!(talk.summary(), ["1 200 0 unknown"]);
}

#[test]
fn who_does_not_speak_it_is_quoted() {
    let talk = H2Script {
        layer_facts: H2Conversation::new(A, [0, 0]),
        texts: TextInterner::new(),
        said: [Reach::default(); 2],
        line: 0,
        slice: usize::MAX,
    };
    let (_, facts) = talk
        .say(A, PREFACE)
        .say(B, "HTTP/1.1 400 Bad Request\r\n\r\n")
        .told();
    let mismatch = facts.mismatch.expect("a mismatch");
    assert!(mismatch.is_http1() && !mismatch.by_client && mismatch.at == frame_ref(2));
}

#[test]
fn flow_control_that_holds_up_is_told() {
    let talk = talk()
        .get(1, "/")
        .ok(1, "99999")
        .send(B, 1, 16_384, 0)
        .send(B, 1, 16_384, 0)
        .send(B, 1, 16_384, 0)
        .send(B, 1, 16_383, 0)
        .frame(A, kind::WINDOW_UPDATE, 0, 0, &100_000_u32.to_be_bytes())
        .frame(A, kind::WINDOW_UPDATE, 0, 1, &100_000_u32.to_be_bytes())
        .send(B, 1, 10, flag::END_STREAM);
    let (_, facts) = talk.told();
    let stalls = facts.halves[1].stalls;
    let stall = stalls.worst.expect("a stall");
    assert_eq!(
        (stalls.count, stall.stream, stall.since),
        (1, 1, frame_ref(8))
    );
    assert_eq!(stall.until, Some(frame_ref(10)));
    assert_eq!(facts.halves[0].stalls.count, 0);
}

#[test]
fn pings_and_settings() {
    let settings = [0, 3, 0, 0, 0, 1, 0, 4, 0, 0, 0, 9];
    let talk = talk()
        .frame(B, kind::SETTINGS, 0, 0, &settings)
        .frame(B, kind::PING, 0, 0, &[0; 8])
        .frame(A, kind::PING, flag::ACK, 0, &[0; 8])
        .frame(A, kind::PING, 0, 0, &[0; 8])
        .get(1, "/")
        .get(3, "/");
    let (_, facts) = talk.told();
    let [client, server] = &facts.halves;
    assert_eq!(server.settings.max_concurrent_streams, Some(1));
    assert_eq!(server.settings.initial_window, 9);
    assert_eq!(
        (server.pings.unanswered, client.pings.unanswered),
        (None, Some(frame_ref(6)))
    );
    assert_eq!((facts.at_limit, facts.peak_open), (1, 2));
}

#[test]
fn what_breaks_the_protocol_is_noted() {
    let rules = |talk: H2Script| -> Vec<_> {
        let (_, facts) = talk.told();
        facts.faults.iter().map(|it| it.rule).collect()
    };
    let long = talk().frame(A, kind::DATA, 0, 1, &vec![0; 16_385]);
    assert_eq!(rules(long), [H2FrameRule::FrameSize]);
    assert_eq!(
        rules(talk().frame(A, kind::PING, 0, 0, &[0; 7])),
        [H2FrameRule::FrameSize]
    );
    let lone = talk().frame(A, kind::CONTINUATION, flag::END_HEADERS, 1, &[]);
    assert_eq!(rules(lone), [H2FrameRule::LoneContinuation]);
    let even = talk().frame(A, kind::HEADERS, flag::END_HEADERS, 2, &[0x82]);
    assert_eq!(rules(even), [H2FrameRule::StreamId]);
    let broken = talk()
        .frame(A, kind::HEADERS, 0, 1, &[0x82])
        .send(A, 1, 1, 0);
    assert_eq!(rules(broken), [H2FrameRule::HeaderBlockBroken]);
    let coded = talk().frame(A, kind::HEADERS, flag::END_HEADERS, 1, &[0xff]);
    assert_eq!(rules(coded), [H2FrameRule::Compression]);
    let padded = talk().frame(
        A,
        kind::HEADERS,
        flag::END_HEADERS | flag::PADDED,
        1,
        &[9, 0x82],
    );
    assert_eq!(rules(padded), [H2FrameRule::Padding]);
    let named = block(&[(":method", "GET"), ("connection", "close")]);
    let named = talk().frame(A, kind::HEADERS, flag::END_HEADERS, 1, &named);
    assert_eq!(rules(named), [H2FrameRule::ForbiddenField]);
}

/// CVE-2024-27316 and its like: header blocks that never end.
#[test]
fn a_flood_of_continuations_is_bounded() {
    let mut talk = talk().frame(A, kind::HEADERS, 0, 1, &[0; 1000]);
    for _ in 0..500 {
        talk = talk.frame(A, kind::CONTINUATION, 0, 1, &[0; 1000]);
    }
    let kept = talk.layer_facts.directions[0]
        .block
        .as_ref()
        .map(|block| block.bytes.len());
    assert!(kept.is_some_and(|kept| kept <= MAX_BLOCK));
    let (exchanges, facts) = talk.told();
    assert_eq!(exchanges.len(), 1);
    assert_eq!(facts.faults[0].rule, H2FrameRule::BlockTooLong);
}

/// CVE-2023-44487: streams opened and reset without end; and opened and never ended.
#[test]
fn streams_without_end_are_bounded() {
    for resets in [true, false] {
        let mut talk = talk();
        for id in 0..MAX_STREAMS as u32 + 100 {
            talk = talk.get(2 * id + 1, "/");
            if resets {
                talk = talk.reset(A, 2 * id + 1, 8);
            }
        }
        let let_go = talk.layer_facts.let_go();
        assert!(let_go > 0 && talk.layer_facts.open.len() <= MAX_OPEN);
        let (exchanges, facts) = talk.told();
        assert_eq!(exchanges.len() as u64 + let_go, facts.streams);
        assert_eq!(facts.not_followed > 0, !resets);
    }
}

proptest! {
    #[test]
    fn no_frames_make_it_panic(
        said in proptest::collection::vec(
            (any::<bool>(), 0..12_u8, any::<u8>(), 0..8_u32, any::<Vec<u8>>(), 0..400_u64), 0..20),
        slice in 1..50_usize,
    ) {
        let mut talk = sliced(slice);
        for (client, kind, flags, stream, payload, gap) in said {
            let from = if client { A } else { B };
            talk = talk.frame(from, kind, flags, stream, &payload);
            if gap < 60 {
                talk = talk.gap(from, gap);
            }
            for end in FlowEnd::BOTH {
                let _ = talk.layer_facts.phase_at(end, talk.said[end.index()], talk.said[end.other().index()]);
            }
        }
        let said = talk.said;
        let (exchanges, _) = talk.told();
        for exchange in &exchanges {
            for message in exchange.response.iter().map(|it| &it.message) {
                prop_assert!(message.start <= message.head_end() && message.end() <= said[1].bytes);
                prop_assert!(message.progress != MessageProgress::Broken);
            }
        }
    }
}
