//! Conversations as scripts: what both sides say, and what is made of it.

use proptest::prelude::*;

use super::*;
use crate::base::frame_ref::FrameNumber;
use crate::protocol::http::Exchange;

/// What both sides say: `>` for the client or `<` for the server, and bytes.
pub(super) type Said<'a> = &'a [(&'a str, &'a [u8])];

/// What is made of this conversation, in one line. It is
/// read as given, and byte by byte: both must come to the same.
#[track_caller]
pub(super) fn told(port: u16, said: Said<'_>) -> String {
    told_of(port, None, said)
}

/// The same without the handshake of TCP.
#[track_caller]
pub(super) fn told_midstream(port: u16, said: Said<'_>) -> String {
    told_of(port, Some(FlowEnd::A), said)
}

#[track_caller]
fn told_of(port: u16, midstream: Option<FlowEnd>, said: Said<'_>) -> String {
    let whole = said.iter().map(|(who, bytes)| (end(who), *bytes));
    let whole = Script::read(port, midstream, whole);
    let each = said
        .iter()
        .flat_map(|(who, bytes)| bytes.chunks(1).map(|byte| (end(who), byte)));
    let each = Script::read(port, midstream, each);
    assert_eq!(each.told, whole.told, "byte by byte");
    whole.told
}

fn end(who: &str) -> FlowEnd {
    match who {
        ">" => FlowEnd::A,
        _ => FlowEnd::B,
    }
}

struct Script {
    told: String,
}

impl Script {
    fn read<'a>(
        port: u16,
        midstream: Option<FlowEnd>,
        said: impl Iterator<Item = (FlowEnd, &'a [u8])>,
    ) -> Self {
        let mut texts = TextInterner::new();
        let mut dialogue = Dialogue::new([50_000, port], [0; 2], midstream);
        let mut reach = [Reach::default(); 2];
        let at = FrameRef::default();
        for (from, bytes) in said {
            dialogue.data(from, at, bytes, bytes.len() as u32, &mut texts);
            from.of_mut(&mut reach).bytes += bytes.len() as u64;
        }
        dialogue.finish(None);
        let [client, server] = reach;
        let phase = dialogue.phase_at(FlowEnd::B, server, client, at.time);
        let facts = dialogue.into_facts();
        let mut told = facts.protocol.map_or("?", AppProtocol::name).to_owned();
        for exchange in &facts.exchanges {
            told += &format!("; {}", one(exchange));
        }
        if let Some(complaint) = &facts.complaint {
            let code = complaint.code.as_ref().and_then(|it| it.as_str());
            let text = complaint.text.as_str().unwrap_or("?");
            told += &format!("; {:?}: {} {text}", complaint.by, code.unwrap_or("-"));
        }
        if facts.goodbyes.iter().any(Option::is_some) {
            told += "; goodbye";
        }
        told += &format!("; {}", phase.map_or("?", Phase::name));
        Self { told }
    }
}

fn one(exchange: &Exchange) -> String {
    let asked = exchange.rare.as_ref().and_then(|it| it.asked.as_ref());
    let asked = asked.expect("asked");
    let words = asked.words.as_ref().and_then(|it| it.as_str());
    let words = words.map(|it| format!(" {it}")).unwrap_or_default();
    let how = match (&exchange.request, &exchange.response) {
        (Some(request), _) if !request.message.is_complete() => "begun",
        (_, None) => "unanswered",
        (_, Some(response)) if !response.message.is_complete() => "answer begun",
        _ => "answered",
    };
    format!("{}{words}: {how}", asked.noun)
}

#[test]
fn turns_of_an_unknown_protocol_are_presumed_to_be_requests_and_answers() {
    let (ask, answer): (&[u8], &[u8]) = (&[1, 2, 3, 4, 9], &[7, 7, 7, 1]);
    let said = [(">", ask), ("<", answer), (">", ask), ("<", answer)];
    assert_eq!(told(9, &said), "?; ?");
    let habit = [&said[..], &said[..1]].concat();
    let read = Script::read(9, None, habit.iter().map(|(who, bytes)| (end(who), *bytes)));
    // So short and so soon that it may be a goodbye.
    assert_eq!(
        read.told,
        "?; request: answered; request: answered; request: unanswered; ?"
    );
}

#[test]
fn what_the_capture_cut_off_within_a_message_is_counted() {
    let mut texts = TextInterner::new();
    let mut dialogue = Dialogue::new([50_000, 5432], [0; 2], None);
    let at = FrameRef::default();
    let startup = [&[0, 0, 0, 9, 0, 3, 0, 0, 0][..]].concat();
    dialogue.data(FlowEnd::A, at, &startup, 9, &mut texts);
    dialogue.data(
        FlowEnd::B,
        at,
        b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I",
        15,
        &mut texts,
    );
    dialogue.data(FlowEnd::A, at, b"Q\0\0\x01\0select", 257, &mut texts);
    assert_eq!(
        dialogue.phase_at(FlowEnd::A, Reach::bytes(266), Reach::bytes(15), at.time),
        Some(Phase::Waiting)
    );
    dialogue.gap(FlowEnd::B, at, 10);
    assert_eq!(
        dialogue.phase_at(FlowEnd::A, Reach::bytes(266), Reach::bytes(25), at.time),
        None
    );
}

#[test]
fn requests_that_are_no_longer_followed_are_counted() {
    let mut texts = TextInterner::new();
    let mut dialogue = Dialogue::new([50_000, 6379], [0; 2], None);
    let at = FrameRef::default();
    for _ in 0..5000 {
        dialogue.data(FlowEnd::A, at, b"*1\r\n$4\r\nPING\r\n", 14, &mut texts);
    }
    assert_eq!(dialogue.let_go(), 5000 - 4096);
}

/// First bytes of a client that no grammar may take: they belong to HTTP, to TLS, or to nobody.
const NOBODYS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /x HTTP/1.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
    b"\x00",
    b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"a line of text that nobody asked for\n",
    b"<?xml version='1.0'?><stream>",
    b"\x05\x01\x00",
    b"\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03",
    b"\x03\x00\x00\x16\x11\xe0\x00\x00\x00\x01\x00\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02",
    b"\x8f\x3a\x51\xee\x02\x99\x7c\x40\xd1\xb6\x00\x18\xfa\x63\x21\x9d\x75\xe8",
];

#[test]
fn what_is_nobodys_is_taken_by_nobody() {
    for bytes in NOBODYS {
        for port in [
            21, 22, 25, 53, 80, 110, 143, 179, 445, 1883, 3306, 5432, 5672, 6379, 50_001,
        ] {
            let opening = Opening {
                client: bytes,
                server: &[],
                port,
                midstream: false,
            };
            let taken = recognise(&opening).map(AppProtocol::name);
            assert_eq!(taken, None, "{} at {port}", bytes.escape_ascii());
        }
    }
}

/// The beginning of a conversation that some grammar takes, so that what follows is read by it.
fn beginning() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"\0\0\0\x09\0\x03\0\0\0".to_vec()),
        Just(b"EHLO a\r\n".to_vec()),
        Just(b"AMQP\0\0\x09\x01".to_vec()),
        Just(b"SSH-2.0-a\r\n".to_vec()),
        Just(b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a".to_vec()),
        Just(b"\0\0\0\x40\xfeSMB".to_vec()),
        Just([&[0xff; 16][..], &[0, 29, 1]].concat()),
        Just(b"\0\x13\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01".to_vec()),
        Just(b"@RSYNCD: 31.0\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    /// Whatever is said, in whatever slices and with whatever gaps, it is read to the end, and no more is kept than the bound
    /// allows.
    #[test]
    fn anything_can_be_said(
        begins in beginning(),
        port in prop_oneof![Just(25_u16), Just(3306), Just(5432), Just(6379), any::<u16>()],
        said in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..60), 0_u32..9),
            0..30,
        ),
        midstream in any::<bool>(),
    ) {
        let mut texts = TextInterner::new();
        let mut dialogue = Dialogue::new([50_000, port], [0; 2], midstream.then_some(FlowEnd::A));
        let at = FrameRef::default();
        dialogue.data(FlowEnd::A, at, &begins, begins.len() as u32, &mut texts);
        let mut reach = [Reach::bytes(begins.len() as u64), Reach::default()];
        for (client, bytes, cut) in said {
            let from = if client { FlowEnd::A } else { FlowEnd::B };
            let length = bytes.len() as u32 + cut;
            match bytes.is_empty() {
                true => dialogue.gap(from, at, u64::from(cut) + 1),
                false => dialogue.data(from, at, &bytes, length, &mut texts),
            }
            from.of_mut(&mut reach).bytes += u64::from(length);
            prop_assert!(dialogue.waiting_bytes() <= 16 << 10);
        }
        dialogue.finish(None);
        for closer in FlowEnd::BOTH {
            let _ = dialogue.phase_at(closer, *closer.of(&reach), *closer.other().of(&reach), at.time);
        }
        let _ = dialogue.into_facts();
    }
}

#[test]
fn the_first_bytes_of_other_protocols_are_recognised_as_none_of_these() {
    let hello = [
        &b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03"[..],
        &[0x5a; 60],
    ]
    .concat();
    let random = [
        0x9c, 0x01, 0x42, 0xe7, 0x10, 0x33, 0x80, 0xfe, 0x02, 0x00, 0x71, 0x5d, 0xaa, 0x0b, 0x64,
        0x39, 0xc1, 0x08, 0x77, 0x2e, 0x90, 0xd4, 0x16, 0x4b,
    ];
    let said: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"stats of the day\r\n",
        b"USER a\r\n",
        b"+OK POP3 ready\r\n",
        b"-ERR too many connections\r\n",
        b"* OK IMAP4rev1 ready\r\n",
        &hello,
        &random,
        &[0; 64],
        &[0xff; 64],
    ];
    for port in [1, 389, 3306, 6379, 9000, 9092, 27017] {
        for bytes in said {
            for who in [">", "<"] {
                let told = told(port, &[(who, bytes)]);
                // Three of them are read as what they are.
                let own = ["SSH;", "POP3;", "IMAP;"]
                    .iter()
                    .any(|it| told.starts_with(it));
                assert!(
                    own || told.starts_with('?'),
                    "{told}: port {port}, {bytes:?}"
                );
            }
        }
    }
}

#[test]
fn an_error_is_told_where_its_last_byte_came() {
    let mut texts = TextInterner::new();
    let mut dialogue = Dialogue::new([50_000, 6379], [0; 2], None);
    let at = |frame| FrameRef {
        frame: FrameNumber(frame),
        ..FrameRef::default()
    };
    dialogue.data(FlowEnd::B, at(4), b"-DENIED Redis", 13, &mut texts);
    dialogue.data(FlowEnd::B, at(5), b" is not for you\r\n", 17, &mut texts);
    dialogue.data(FlowEnd::A, at(6), b"*1\r\n$4\r\nPING\r\n", 14, &mut texts);
    let complaint = dialogue.into_facts().complaint;
    assert_eq!(complaint.map(|it| it.at), Some(at(5)));
}
