//! WebSocket: arbitrary bytes in both directions, in slices of any size, with gaps and truncated segments.

#![no_main]

use hangup::protocol::http::TextInterner;
use hangup::base::frame_ref::FrameRef;
use hangup::base::flow_end::FlowEnd;
use hangup::protocol::websocket::WebSocketConversation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut conversation = WebSocketConversation::new(FlowEnd::A, [0, 0]);
    let mut texts = TextInterner::new();
    let mut rest = data;
    // The first two bytes of each turn give direction, kind and length.
    while let Some((&[what, amount], tail)) = rest.split_first_chunk::<2>() {
        let from = if what & 1 == 0 { FlowEnd::A } else { FlowEnd::B };
        let size = usize::from(amount) << (what >> 1 & 3);
        rest = tail;
        if what >> 3 & 15 == 0 {
            conversation.gap(from, FrameRef::default(), size as u64, &mut texts);
            continue;
        }
        let (bytes, next) = tail.split_at(size.min(tail.len()));
        rest = next;
        let length = bytes.len() as u32 + if what >> 3 & 15 == 1 { 100 } else { 0 };
        conversation.data(from, FrameRef::default(), bytes, length, &mut texts);
    }
    conversation.finish(&mut texts);
    for half in conversation.into_facts().halves {
        assert!(half.messages <= half.frames);
        assert!(half.pings.answered <= half.pings.sent);
    }
});
