//! Cuts both directions into messages, as the grammar says.

use super::exchanges::Exchanges;
use super::grammar::{Rest, Side, Step};
use super::protocols::Grammar;
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::TextInterner;

/// Bytes of a message that wait until the grammar can tell what they are.
const MAX_HEAD: usize = 4096;

/// Reads both directions of one conversation.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    grammar: Grammar,
    client: FlowEnd,
    directions: [Direction; 2],
}

#[derive(Clone, Debug, Default)]
struct Direction {
    /// Payload bytes so far.
    offset: u64,
    /// Bytes of the present message that are still to come.
    left: u64,
    /// The beginning of a message that the grammar could not tell yet, and where it was seen.
    head: Vec<u8>,
    first: FrameRef,
}

impl Reader {
    pub(super) fn new(grammar: Grammar, client: FlowEnd, since: [u64; 2]) -> Self {
        Self {
            grammar,
            client,
            directions: since.map(|offset| Direction {
                offset,
                ..Direction::default()
            }),
        }
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.directions.iter().map(|it| it.head.len()).sum()
    }

    /// The next bytes; `false` if the rest cannot be read.
    pub(super) fn data(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        bytes: &[u8],
        length: u32,
        to: &mut Exchanges,
        texts: &mut TextInterner,
    ) -> bool {
        let mut rest = bytes;
        let cut = u64::from(length).saturating_sub(bytes.len() as u64);
        while !rest.is_empty() {
            let direction = from.of_mut(&mut self.directions);
            if direction.left > 0 {
                let used = rest
                    .len()
                    .min(usize::try_from(direction.left).unwrap_or(usize::MAX));
                direction.pass(used as u64);
                to.extend(from, used as u64, at, direction.left == 0);
                rest = rest.get(used..).unwrap_or_default();
                continue;
            }
            let waited = direction.head.len();
            if waited == 0 {
                direction.first = at;
            }
            let side = match from == self.client {
                true => Side::Client,
                false => Side::Server,
            };
            let left_out = match cut {
                0 => Rest::MayCome,
                _ => Rest::NotCaptured,
            };
            let step = match waited {
                0 => self.grammar.next(side, rest, left_out),
                _ => {
                    let room = MAX_HEAD.saturating_sub(waited).min(rest.len());
                    direction
                        .head
                        .extend_from_slice(rest.get(..room).unwrap_or_default());
                    self.grammar.next(side, &direction.head, left_out)
                }
            };
            match step {
                Step::Message(unit) => {
                    let (first, start) = (direction.first, direction.offset);
                    direction.head = Vec::new();
                    direction.left = unit.length.max(1);
                    // What waited was too little to tell, so it is no more than this message.
                    let used = (waited as u64).min(direction.left);
                    direction.pass(used);
                    let ends = direction.left == 0;
                    to.begin(from, unit, first, start, texts);
                    if used > 0 {
                        to.extend(from, used, at, ends);
                    }
                }
                Step::More => {
                    let direction = from.of_mut(&mut self.directions);
                    if waited == 0 {
                        direction.head = rest
                            .get(..rest.len().min(MAX_HEAD))
                            .unwrap_or_default()
                            .to_vec();
                        to.waits(from, direction.offset);
                    }
                    if direction.head.len() >= MAX_HEAD {
                        return false;
                    }
                    rest = &[];
                }
                Step::Broken => return false,
            }
        }
        cut == 0 || self.skip(from, at, cut, to)
    }

    /// The next bytes were not captured; `false` if the rest cannot be read.
    pub(super) fn skip(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        length: u64,
        to: &mut Exchanges,
    ) -> bool {
        let direction = from.of_mut(&mut self.directions);
        if direction.left < length {
            return false;
        }
        direction.pass(length);
        to.extend(from, length, at, direction.left == 0);
        true
    }
}

impl Direction {
    const fn pass(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
        self.offset = self.offset.saturating_add(bytes);
    }
}
