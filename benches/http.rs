//! The cost of HTTP: a small exchange, a large body that is only counted, a chunked body.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use hangup::base::flow_end::FlowEnd;
use hangup::base::frame_ref::FrameRef;
use hangup::protocol::http::{HttpConversation, TextInterner};

const REQUEST: &[u8] = b"GET /api/items/1?full=true HTTP/1.1\r\nHost: shop.example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: application/json\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.24.0\r\nDate: Sat, 11 Jul 2009 01:40:16 GMT\r\n\
    Content-Type: application/json\r\nContent-Length: 13\r\nConnection: keep-alive\r\n\
    Keep-Alive: timeout=5, max=100\r\n\r\n{\"ok\": true}\r\n";
/// Payload of a full segment.
const SEGMENT: usize = 1448;

fn main() {
    divan::main();
}

/// Exchanges on one connection after another, a hundred on each.
#[divan::bench]
fn small_exchanges(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(100u32))
        .with_inputs(TextInterner::new)
        .bench_refs(|texts| {
            let mut conversation = HttpConversation::new();
            for _ in 0..100 {
                say(&mut conversation, FlowEnd::A, REQUEST, texts);
                say(&mut conversation, FlowEnd::B, RESPONSE, texts);
            }
            conversation
        });
}

/// One connection per exchange.
#[divan::bench]
fn one_exchange_per_connection(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(100u32))
        .with_inputs(TextInterner::new)
        .bench_refs(|texts| {
            for _ in 0..100 {
                let mut conversation = HttpConversation::new();
                say(&mut conversation, FlowEnd::A, REQUEST, texts);
                say(&mut conversation, FlowEnd::B, RESPONSE, texts);
                conversation.finish(texts);
                divan::black_box(&conversation);
            }
        });
}

/// 1000 segments of a body with a known length.
#[divan::bench]
fn counted_body(bencher: Bencher<'_, '_>) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        1000 * SEGMENT
    );
    body(bencher, &head, &vec![0; 1000 * SEGMENT]);
}

/// 1000 segments of a body in chunks of 8 KiB.
#[divan::bench]
fn chunked_body(bencher: Bencher<'_, '_>) {
    let mut bytes = Vec::new();
    while bytes.len() < 1000 * SEGMENT {
        bytes.extend_from_slice(b"2000\r\n");
        bytes.resize(bytes.len() + 0x2000, b'x');
        bytes.extend_from_slice(b"\r\n");
    }
    body(
        bencher,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        &bytes,
    );
}

/// 1000 segments of a protocol other than HTTP.
#[divan::bench]
fn opaque(bencher: Bencher<'_, '_>) {
    body(bencher, "\x00\x01\x02\x03", &vec![b'A'; 1000 * SEGMENT]);
}

fn body(bencher: Bencher<'_, '_>, head: &str, body: &[u8]) {
    bencher
        .counter(BytesCount::new(body.len()))
        .counter(ItemsCount::new(body.len() / SEGMENT))
        .with_inputs(TextInterner::new)
        .bench_refs(|texts| {
            let mut conversation = HttpConversation::new();
            if head.starts_with("HTTP") {
                say(&mut conversation, FlowEnd::A, REQUEST, texts);
            }
            say(&mut conversation, FlowEnd::B, head.as_bytes(), texts);
            for segment in body.chunks(SEGMENT) {
                say(&mut conversation, FlowEnd::B, segment, texts);
            }
            conversation
        });
}

fn say(conversation: &mut HttpConversation, from: FlowEnd, bytes: &[u8], texts: &mut TextInterner) {
    conversation.data(from, FrameRef::default(), bytes, bytes.len() as u32, texts);
}
