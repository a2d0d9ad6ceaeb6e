//! HTTP/2: arbitrary bytes in both directions, in slices of any size, with gaps and truncated segments.

#![no_main]

use hangup::protocol::h2::{H2Conversation, PREFACE};
use hangup::protocol::http::{Reach, TextInterner};
use hangup::base::frame_ref::{FrameNumber, FrameRef};
use hangup::base::flow_end::FlowEnd;
use hangup::base::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut conversation = H2Conversation::new(FlowEnd::A, [0, 0]);
    let mut texts = TextInterner::new();
    let mut said = [PREFACE.len() as u64, 0];
    let mut line = 0;
    let mut frame_ref = || {
        line += 1;
        FrameRef {
            frame: FrameNumber(line),
            time: Timestamp::from_nanos(line as i64 * 1_000_000),
        }
    };
    conversation.data(FlowEnd::A, frame_ref(), PREFACE, PREFACE.len() as u32, &mut texts);
    let mut rest = data;
    // The first two bytes of each turn give direction, kind and length.
    while let Some((&[what, amount], tail)) = rest.split_first_chunk::<2>() {
        let at = frame_ref();
        let from = if what & 1 == 0 { FlowEnd::A } else { FlowEnd::B };
        let size = usize::from(amount) << (what >> 1 & 3);
        rest = tail;
        if what >> 3 & 15 == 0 {
            conversation.gap(from, at, 1 + size as u64, &mut texts);
            said[from.index()] += 1 + size as u64;
            continue;
        }
        let (bytes, next) = tail.split_at(size.min(tail.len()));
        rest = next;
        let length = bytes.len() as u32 + if what >> 3 & 15 == 1 { 100 } else { 0 };
        conversation.data(from, at, bytes, length, &mut texts);
        said[from.index()] += u64::from(length);
    }
    conversation.finish(&mut texts);
    for closer in FlowEnd::BOTH {
        for share in [1, 2, 4] {
            let reach = |end: FlowEnd| Reach::bytes(said[end.index()] / share);
            let _ = conversation.phase_at(closer, reach(closer), reach(closer.other()));
        }
    }
    let (exchanges, _) = conversation.into_parts();
    for exchange in &exchanges {
        let request = exchange.request.as_ref().map(|it| (&it.message, said[0]));
        let response = exchange.response.as_ref().map(|it| (&it.message, said[1]));
        for (message, said) in request.into_iter().chain(response) {
            assert!(message.start <= message.head_end() && message.head_end() <= message.end());
            assert!(message.end() <= said, "{message:?} of {said}");
        }
    }
});
