//! A complete Certificate message of a server, in records of a handshake; the bytes of its one certificate are
//! arbitrary.

#![no_main]

use hangup::protocol::http::TextInterner;
use hangup::base::frame_ref::{FrameNumber, FrameRef};
use hangup::base::flow_end::FlowEnd;
use hangup::protocol::layers::ProtocolStack;
use hangup::base::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let data = &data[..data.len().min(60_000)];
    let length = |extra: usize| {
        let [_, a, b, c] = ((data.len() + extra) as u32).to_be_bytes();
        [a, b, c]
    };
    let mut message = vec![11];
    message.extend(length(6));
    message.extend(length(3));
    message.extend(length(0));
    message.extend_from_slice(data);
    let mut stream = vec![22, 3, 3, 0, 4, 2, 0, 0, 0];
    for part in message.chunks(1 << 14) {
        stream.extend([22, 3, 3]);
        stream.extend((part.len() as u16).to_be_bytes());
        stream.extend_from_slice(part);
    }
    let at = FrameRef {
        frame: FrameNumber(1),
        time: Timestamp::new(1_700_000_000, 0),
    };
    let mut texts = TextInterner::new();
    let mut stack = ProtocolStack::default();
    stack.data(FlowEnd::B, at, &stream, stream.len() as u32, &mut texts);
    stack.finish(&mut texts);
    let facts = stack.into_layer_facts().tls.expect("it begins like TLS");
    let (_, chain) = facts.certificates.as_ref().expect("the message is whole");
    for certificate in chain {
        let _ = certificate.is_for("a.example");
        let _ = certificate.is_valid_at(at.time);
        let _ = (certificate.key.to_string(), certificate.from.time());
    }
});
