//! Cuts both directions into messages, as the grammar says.

use super::exchanges::Exchanges;
use super::grammar::{Opening, Rest, Side, Step};
use super::protocols::{AppProtocol, Grammar, recognise};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::TextInterner;
use crate::protocol::parts::{MessageReading, PartTeller, StreamPart};

/// Bytes of a message that wait until the grammar can tell what they are.
const MAX_HEAD: usize = 4096;

/// Bytes behind a message by which a grammar may tell what it is.
const LOOKS_AHEAD: usize = 64;

/// Reads both directions of one conversation.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    grammar: Grammar,
    client: FlowEnd,
    directions: [Direction; 2],
    /// Is told which bytes are what.
    teller: Option<Box<Telling>>,
}

/// What is told, and whom.
#[derive(Clone, Debug)]
struct Telling {
    protocol: AppProtocol,
    teller: PartTeller,
    beginnings: Beginnings,
    since: [u64; 2],
}

/// The first bytes of both directions, by which the protocol was recognised.
#[derive(Clone, Debug)]
pub(super) struct Beginnings {
    pub(super) ends: [Vec<u8>; 2],
    pub(super) caller: FlowEnd,
    pub(super) port: u16,
    pub(super) midstream: bool,
}

impl Beginnings {
    /// The protocol that would be recognised if these bytes were at this place.
    fn recognised(&self, from: FlowEnd, at: u64, bytes: &[u8]) -> Option<AppProtocol> {
        let mut ends = self.ends.clone();
        let own = from.of_mut(&mut ends);
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(own.len());
        for (slot, byte) in own.iter_mut().skip(start).zip(bytes) {
            *slot = *byte;
        }
        let [a, b] = &ends;
        let ends: [&[u8]; 2] = [a, b];
        recognise(&Opening {
            client: ends[self.caller.index()],
            server: ends[self.caller.other().index()],
            port: self.port,
            midstream: self.midstream,
        })
    }

    /// Whether a message at this place was looked at.
    fn has(&self, from: FlowEnd, at: u64) -> bool {
        at < from.of(&self.ends).len() as u64
    }
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
    /// A hole came, and no message since.
    lost: bool,
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
            teller: None,
        }
    }

    /// Tells which bytes are messages.
    pub(super) fn tell(
        &mut self,
        protocol: AppProtocol,
        teller: PartTeller,
        beginnings: Beginnings,
    ) {
        self.teller = Some(Box::new(Telling {
            protocol,
            teller,
            beginnings,
            since: self.directions.each_ref().map(|it| it.offset),
        }));
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
            let before = self.teller.is_some().then(|| self.grammar.clone());
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
                    direction.lost = false;
                    let (first, start) = (direction.first, direction.offset);
                    let head = std::mem::take(&mut direction.head);
                    if let Some((telling, before)) = self.teller.as_ref().zip(before) {
                        let bytes = if waited == 0 { rest } else { &head };
                        let length = usize::try_from(unit.length.max(1)).unwrap_or(usize::MAX);
                        let seen = length.saturating_add(LOOKS_AHEAD).min(bytes.len());
                        let bytes = bytes.get(..seen).unwrap_or(bytes);
                        let place = start.saturating_sub(*from.of(&telling.since));
                        let read = |bytes: &[u8]| {
                            let mut read = reading(before.clone(), side, bytes, left_out);
                            if telling.beginnings.has(from, place) {
                                let protocol = telling.beginnings.recognised(from, place, bytes);
                                read.meaning += &format!(" {protocol:?}");
                            }
                            read
                        };
                        let part = StreamPart::Message {
                            protocol: telling.protocol.id(),
                            bytes,
                            read: &read,
                        };
                        telling.teller.part(from, start, length as u64, part);
                    }
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
                    self.tell_rest(from, rest, before, (side, left_out));
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
                Step::Broken if direction.lost => {
                    let all = (waited + rest.len()) as u64;
                    direction.head.clear();
                    direction.offset = direction.offset.saturating_add(all);
                    rest = &[];
                }
                Step::Broken => {
                    self.tell_rest(from, rest, before, (side, left_out));
                    return false;
                }
            }
        }
        cut == 0 || self.skip(from, at, cut, to)
    }

    /// Tells of bytes that are no message, or none yet. `grammar`: as it was before them.
    fn tell_rest(
        &self,
        from: FlowEnd,
        rest: &[u8],
        grammar: Option<Grammar>,
        (side, left_out): (Side, Rest),
    ) {
        let Some((telling, grammar)) = self.teller.as_ref().zip(grammar) else {
            return;
        };
        let direction = from.of(&self.directions);
        let bytes = match direction.head.is_empty() {
            true => rest,
            false => &direction.head,
        };
        let read = |bytes: &[u8]| reading(grammar.clone(), side, bytes, left_out);
        let part = StreamPart::First { bytes, read: &read };
        let (start, length) = (direction.offset, bytes.len() as u64);
        telling.teller.part(from, start, length, part);
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
            let left = direction.left;
            direction.head.clear();
            direction.pass(length);
            direction.lost = self.grammar.is_self_evident();
            let goes_on = direction.lost;
            if goes_on && left > 0 {
                to.extend(from, left, at, true);
            }
            return goes_on;
        }
        direction.pass(length);
        to.extend(from, length, at, direction.left == 0);
        true
    }
}

/// What a grammar makes of a message with these bytes.
fn reading(mut grammar: Grammar, side: Side, bytes: &[u8], left_out: Rest) -> MessageReading {
    let step = grammar.next(side, bytes, left_out);
    let (meaning, texts) = match step {
        Step::Message(mut unit) => {
            let words = std::mem::take(&mut unit.words);
            let said = unit.program.take().map(|it| *it).unwrap_or_default();
            let error = unit.error.as_deref_mut().map(std::mem::take);
            let (code, text) = error.unwrap_or_default();
            let terms = (said.offers_tls, said.alive, said.listens);
            // Addresses and ids are other ones afterwards.
            let names = (
                unit.passed_on.take().is_some(),
                unit.announces.take().is_some(),
            );
            (
                format!("{unit:?} {names:?} {terms:?} {grammar:?}"),
                [words, code, text, said.name, said.version, said.shape],
            )
        }
        other => (format!("{other:?}"), [const { Vec::new() }; 6]),
    };
    MessageReading { meaning, texts }
}

impl Direction {
    const fn pass(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
        self.offset = self.offset.saturating_add(bytes);
    }
}
