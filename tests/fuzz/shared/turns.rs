//! Turns two fuzzed byte streams into calls of the protocol stack, optionally cut at other places.

#![allow(dead_code, reason = "every target uses a part of it")]

use hangup::protocol::http::{Reach, TextInterner};
use hangup::base::frame_ref::{FrameNumber, FrameRef};
use hangup::base::flow_end::FlowEnd;
use hangup::protocol::layers::{LayerFacts, ProtocolStack};
use hangup::base::time::Timestamp;

/// One step of a two-way exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Payload bytes, and how many more the snap length cut off.
    Said(FlowEnd, Vec<u8>, u32),
    /// Bytes that were never captured.
    Gap(FlowEnd, u64),
    /// A FIN.
    Over(FlowEnd),
}

/// Parses turns: two bytes give direction, kind and length; the payload follows.
pub fn turns(data: &[u8]) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut rest = data;
    while let Some((&[what, amount], tail)) = rest.split_first_chunk::<2>() {
        let from = if what & 1 == 0 { FlowEnd::A } else { FlowEnd::B };
        let size = usize::from(amount) << (what >> 1 & 3);
        rest = tail;
        match what >> 3 & 7 {
            0 => turns.push(Turn::Gap(from, 1 + size as u64)),
            1 => turns.push(Turn::Over(from)),
            how => {
                let (bytes, next) = tail.split_at(size.min(tail.len()));
                rest = next;
                let cut = if how == 2 { 100 } else { 0 };
                turns.push(Turn::Said(from, bytes.to_vec(), cut));
            }
        }
    }
    turns
}

/// Whether no byte is missing.
pub fn are_whole(turns: &[Turn]) -> bool {
    let whole = |turn: &Turn| !matches!(turn, Turn::Gap(..) | Turn::Said(_, _, 1..));
    turns.iter().all(whole)
}

/// Bytes that each end has sent.
pub fn said(turns: &[Turn]) -> [u64; 2] {
    let mut said = [0; 2];
    for turn in turns {
        match turn {
            Turn::Said(from, bytes, cut) => {
                said[from.index()] += bytes.len() as u64 + u64::from(*cut);
            }
            Turn::Gap(from, length) => said[from.index()] += length,
            Turn::Over(_) => {}
        }
    }
    said
}

pub fn frame_ref(line: usize) -> FrameRef {
    FrameRef {
        frame: FrameNumber(1 + line as u64),
        time: Timestamp::from_nanos(1 + line as i64 * 1_000_000),
    }
}

/// Passes the turns to the protocol stack, in pieces that `seed` chooses; 0 passes each turn whole. Calls `before`
/// with the index of each turn.
pub fn hear(mut stack: ProtocolStack, turns: &[Turn], seed: u64, mut before: impl FnMut(usize)) -> LayerFacts {
    let mut texts = TextInterner::new();
    let mut seed = seed;
    for (line, turn) in turns.iter().enumerate() {
        before(line);
        match turn {
            Turn::Gap(from, length) => stack.gap(*from, frame_ref(line), *length, &mut texts),
            Turn::Over(from) => stack.end(*from, &mut texts),
            Turn::Said(from, bytes, cut) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let piece = match seed {
                        0 => rest.len(),
                        _ => 1 + next(&mut seed) as usize % (1 << (seed >> 61)) * 7,
                    };
                    let (piece, after) = rest.split_at(piece.min(rest.len()));
                    rest = after;
                    let cut = if rest.is_empty() { *cut } else { 0 };
                    stack.data(
                        *from,
                        frame_ref(line),
                        piece,
                        piece.len() as u32 + cut,
                        &mut texts,
                    );
                }
            }
        }
    }
    stack.finish(&mut texts);
    let said = said(turns);
    for closer in FlowEnd::BOTH {
        for share in [0, 1, 2, 4] {
            let reach = |end: FlowEnd| Reach {
                bytes: said[end.index()].checked_div(share).unwrap_or(0),
                fin: share == 1,
            };
            let _ = stack.phase_at(closer, reach(closer), reach(closer.other()));
            let _ = stack.inside(closer, reach(closer).bytes);
        }
    }
    let _ = (
        stack.protocol(),
        stack.requester(),
        stack.let_go(),
        stack.waiting_bytes(),
    );
    stack.into_layer_facts()
}

fn next(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}
