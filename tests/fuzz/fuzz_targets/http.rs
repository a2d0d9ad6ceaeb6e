//! HTTP/1: arbitrary bytes in both directions, in slices of any size, with gaps and truncated segments.

#![no_main]

use hangup::protocol::http::Reach;
use hangup::protocol::http::{HttpConversation, TextInterner};
use hangup::base::frame_ref::{FrameNumber, FrameRef};
use hangup::base::flow_end::FlowEnd;
use hangup::base::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut conversation = HttpConversation::new();
    let mut texts = TextInterner::new();
    let mut said = [0_u64; 2];
    let mut rest = data;
    let mut line = 0;
    // The first two bytes of each turn give direction, kind and length.
    while let Some((&[what, amount], tail)) = rest.split_first_chunk::<2>() {
        line += 1;
        let at = FrameRef {
            frame: FrameNumber(line),
            time: Timestamp::from_nanos(line as i64 * 1_000_000),
        };
        let from = if what & 1 == 0 { FlowEnd::A } else { FlowEnd::B };
        let size = usize::from(amount) << (what >> 1 & 3);
        rest = tail;
        match what >> 3 & 7 {
            0 => {
                let length = 1 + size as u64 * 1000;
                conversation.gap(from, at, length, &mut texts);
                said[from.index()] += length;
            }
            1 => conversation.end(from, &mut texts),
            how => {
                let (bytes, next) = tail.split_at(size.min(tail.len()));
                rest = next;
                // Some of the bytes may have been truncated by the snap length.
                let length = bytes.len() as u32 + if how == 2 { 100 } else { 0 };
                if length > 0 {
                    conversation.data(from, at, bytes, length, &mut texts);
                    said[from.index()] += u64::from(length);
                }
            }
        }
    }
    conversation.finish(&mut texts);
    for closer in FlowEnd::BOTH {
        for share in [0, 1, 2, 4] {
            let reach = |end: FlowEnd, fin| Reach {
                bytes: said[end.index()].checked_div(share).unwrap_or(0),
                fin,
            };
            for fin in [false, true] {
                let _ =
                    conversation.phase_at(closer, reach(closer, true), reach(closer.other(), fin));
            }
        }
    }
    let mut starts = [0; 2];
    for exchange in conversation.exchanges() {
        let request = exchange.request.as_ref().map(|it| &it.message);
        let response = exchange.response.as_ref().map(|it| &it.message);
        for (message, start) in [request, response].into_iter().zip(&mut starts) {
            let Some(message) = message else { continue };
            assert!(message.start >= *start, "messages begin in order");
            assert!(message.start <= message.head_end() && message.head_end() <= message.end());
            assert!(
                message.end() <= said[0].max(said[1]),
                "{message:?} of {said:?}"
            );
            *start = message.start;
        }
        let _ = (exchange.method(), exchange.status(), exchange.waited());
    }
});
