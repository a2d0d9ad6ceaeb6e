//! Any protocol: arbitrary bytes in both directions, in slices of any size, with gaps and truncated segments. Much of
//! it is TLS: a turn can put a record header or a handshake header in front of its bytes.

#![no_main]

use hangup::protocol::http::{Reach, TextInterner};
use hangup::base::frame_ref::{FrameNumber, FrameRef};
use hangup::base::flow_end::FlowEnd;
use hangup::protocol::layers::ProtocolStack;
use hangup::base::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut stack = ProtocolStack::default();
    let mut texts = TextInterner::new();
    let mut said = [0_u64; 2];
    let mut rest = data;
    let mut line = 0;
    // The first three bytes of each turn give direction and kind, length, and content type.
    while let Some((&[what, amount, kind], tail)) = rest.split_first_chunk::<3>() {
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
                let length = 1 + size as u64;
                stack.gap(from, at, length, &mut texts);
                said[from.index()] += length;
            }
            1 => stack.end(from, &mut texts),
            how => {
                let (bytes, next) = tail.split_at(size.min(tail.len()));
                rest = next;
                let mut slice = Vec::new();
                if how >= 5 {
                    let inner = bytes.len() + if how == 6 { 4 } else { 0 };
                    slice.extend([20 + (kind & 3), 3, 3, (inner >> 8) as u8, inner as u8]);
                    if how == 6 {
                        slice.extend([
                            kind >> 2 & 15,
                            0,
                            (bytes.len() >> 8) as u8,
                            bytes.len() as u8,
                        ]);
                    }
                }
                slice.extend_from_slice(bytes);
                // Some bytes may have been truncated by the snap length, and some arrive in small pieces.
                let cut = if how == 2 { 100 } else { 0 };
                let piece = if how == 7 {
                    1 + usize::from(kind >> 5)
                } else {
                    usize::MAX
                };
                for part in slice.chunks(piece) {
                    let length = part.len() as u32 + cut;
                    stack.data(from, at, part, length, &mut texts);
                    said[from.index()] += u64::from(length);
                }
            }
        }
    }
    stack.finish(&mut texts);
    for closer in FlowEnd::BOTH {
        for share in [0, 1, 2, 4] {
            let reach = |end: FlowEnd| Reach {
                bytes: said[end.index()].checked_div(share).unwrap_or(0),
                fin: share == 1,
            };
            let _ = stack.phase_at(closer, reach(closer), reach(closer.other()));
        }
    }
    let Some(facts) = stack.into_layer_facts().tls else {
        return;
    };
    let told = facts.clone().seen_from(FlowEnd::B).seen_from(FlowEnd::B);
    assert_eq!(*facts, told, "turned twice is as before");
    let [a, b] = [FlowEnd::A, FlowEnd::B].map(|end| &facts.flows[end.index()]);
    assert!(a.bytes <= said[0] + (1 << 15) && b.bytes <= said[1] + (1 << 15));
    let _ = (
        facts.flaw(std::net::Ipv4Addr::LOCALHOST.into()),
        facts.fatal(),
        facts.sni(),
        facts.version(),
    );
    let _ = facts.is_unanswered(Timestamp::from_nanos(i64::MAX));
});
