//! Both streams of one connection: the bytes as they were, and what replaces them.
//!
//! In: what the parsers tell while they read the streams ([`StreamObserver`]). Out: for any place of a stream what replaces its
//! bytes, once it is known. What no part covers is replaced by a filler. A segment that repeats bytes gets what replaced
//! them the first time; where it has other bytes than before, its replacement differs as well.
//!
//! Of a stream the latest part is remembered; what is repeated later than that becomes filler.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::body::Recoder;
use super::filler::{FILLER, unknown};
use super::h2::H2Side;
use super::words::Words;
use super::{dns, faulty, head, message, proxied, tls, websocket};
use crate::base::flow_end::FlowEnd;
use crate::protocol::parts::{StreamObserver, StreamPart};

/// Bytes of a direction that are remembered for segments that repeat them: a receive window of most hosts.
pub(crate) const MAX_REMEMBERED: usize = 256 << 10;
/// Bytes of a body that may show which gateway wrote it.
const QUOTED: u64 = 320;
/// First bytes that may show a protocol.
const FIRST: usize = 256;
/// A gap that is not remembered: what is in it arrives no more.
const MAX_GAP: u64 = 64 << 10;
/// Handshake messages that wait for their end, in bytes.
pub(crate) const MAX_HANDSHAKE: usize = 128 << 10;

/// What was replaced, in bytes of streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamTotals {
    /// Heads of HTTP.
    pub heads: u64,
    /// Bodies.
    pub bodies: u64,
    /// TLS records, in the clear and encrypted.
    pub tls: u64,
    /// Frames of HTTP/2 and WebSocket.
    pub frames: u64,
    /// Messages of other protocols.
    pub messages: u64,
    /// What was not understood, and is filler.
    pub unknown: u64,
}

/// What all streams share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) words: Words,
    pub(super) totals: StreamTotals,
}

/// The streams of one connection.
pub(super) struct ConnectionBytes {
    sides: [Side; 2],
    shared: Arc<Mutex<Shared>>,
}

/// What the bytes to come belong to.
#[derive(Clone, Copy, Debug)]
enum Cover {
    /// A TLS record whose content is in the clear, or not.
    Tls {
        kind: u8,
        is_clear: bool,
    },
    H2,
    WebSocket(websocket::Frame),
    /// The rest of a message.
    Message,
}

#[derive(Default)]
struct Side {
    /// The offset of the first byte that is remembered.
    base: u64,
    original: Vec<u8>,
    out: Vec<u8>,
    /// The end of what is understood, or replaced for good.
    covered: u64,
    cover: Option<(Cover, u64, u64)>,
    /// Where a message of TLS or a header block began that is not complete.
    waits_from: Option<u64>,
    handshake: Vec<u8>,
    /// Where its bytes are: places and lengths.
    handshake_places: Vec<(u64, usize)>,
    body: Body,
    h2: Option<Box<H2Side>>,
    /// The bytes that break the grammar are a head that goes on.
    in_faulty_head: bool,
    /// The first bytes, which show a protocol, and what replaces them.
    first: Option<(u64, Vec<u8>, Vec<u8>)>,
}

/// The HTTP/1 body that this direction is in.
#[derive(Default)]
struct Body {
    taken: u64,
    is_quoted: bool,
    recoder: Option<Box<Recoder>>,
}

impl Side {
    fn top(&self) -> u64 {
        self.base + self.original.len() as u64
    }

    /// The end of what is replaced for good.
    fn limit(&self) -> u64 {
        let recoder = self.body.recoder.as_ref().and_then(|it| it.pending());
        let h2 = self.h2.as_ref().and_then(|it| it.pending());
        let waits = [recoder, h2, self.waits_from].into_iter().flatten().min();
        waits.map_or(self.covered, |it| it.min(self.covered))
    }

    fn range(&self, start: u64, end: u64) -> Option<std::ops::Range<usize>> {
        let start = start.max(self.base) - self.base;
        let end = end.min(self.top()).checked_sub(self.base)?;
        (start < end).then_some(start as usize..end as usize)
    }

    fn original(&self, start: u64, end: u64) -> &[u8] {
        self.range(start, end)
            .and_then(|it| self.original.get(it))
            .unwrap_or_default()
    }

    fn written(&self, start: u64, end: u64) -> &[u8] {
        self.range(start, end)
            .and_then(|it| self.out.get(it))
            .unwrap_or_default()
    }

    fn write(&mut self, start: u64, bytes: &[u8]) {
        let skip = self.base.saturating_sub(start);
        let bytes = usize::try_from(skip)
            .ok()
            .and_then(|it| bytes.get(it..))
            .unwrap_or_default();
        if let Some(range) = self.range(start, start.saturating_add(skip + bytes.len() as u64))
            && let Some(out) = self.out.get_mut(range)
        {
            out.copy_from_slice(bytes.get(..out.len()).unwrap_or_default());
        }
    }

    fn fill(&mut self, start: u64, end: u64, filler: u8) {
        if let Some(range) = self.range(start, end) {
            self.out.get_mut(range).unwrap_or_default().fill(filler);
        }
    }

    /// Up to here it is understood.
    fn cover_to(&mut self, end: u64) {
        self.covered = self.covered.max(end.min(self.top()));
    }

    /// Appends bytes of the stream, which are filler until they are understood.
    fn append(&mut self, bytes: &[u8], length: u64) {
        self.original.extend_from_slice(bytes);
        self.out.extend(bytes.iter().map(|it| unknown(*it)));
        let lacks = length - bytes.len() as u64;
        if lacks > MAX_GAP {
            self.give_up(self.top());
            self.base = self.top() + lacks;
            self.covered = self.base;
            self.original.clear();
            self.out.clear();
        } else if lacks > 0 {
            let length = self.original.len() + lacks as usize;
            self.original.resize(length, 0);
            self.out.resize(length, 0);
        }
        let done = (self.limit() - self.base.min(self.limit())) as usize;
        if done > 2 * MAX_REMEMBERED {
            self.forget(done - MAX_REMEMBERED);
        }
    }

    fn forget(&mut self, count: usize) {
        let count = count.min(self.original.len());
        self.original.drain(..count);
        self.out.drain(..count);
        self.base += count as u64;
    }

    /// A message that is not complete is replaced as far as it goes.
    fn give_up_handshake(&mut self, words: &mut Words, end: u64) {
        if self.waits_from.is_some_and(|it| it < end) {
            let mut message = std::mem::take(&mut self.handshake);
            tls::handshake(words, &mut message);
            scatter(self, &message);
            self.waits_from = None;
            self.handshake_places.clear();
        }
    }

    /// What is not understood by now remains filler.
    fn give_up(&mut self, end: u64) {
        self.covered = self.covered.max(end.min(self.top()));
        if let Some(recoder) = &self.body.recoder
            && recoder.pending().is_some_and(|it| it < end)
        {
            self.body.recoder = None;
        }
        if let Some(h2) = &mut self.h2
            && h2.pending().is_some_and(|it| it < end)
        {
            h2.give_up();
        }
    }

    /// Bytes of a message that also show the protocol stay.
    fn keep_first(&self, start: u64, out: &mut [u8]) {
        let Some((first, original, kept)) = &self.first else {
            return;
        };
        let skip = usize::try_from(start.saturating_sub(*first)).unwrap_or(usize::MAX);
        if start < *first {
            return;
        }
        let bytes = original.iter().zip(kept).skip(skip);
        for (slot, (original, kept)) in out.iter_mut().zip(bytes) {
            if original == kept {
                *slot = *original;
            }
        }
    }

    fn end_body(&mut self) {
        if let Some(mut recoder) = self.body.recoder.take() {
            let mut last = Vec::new();
            recoder.finish(|place, byte| last.push((place, byte)));
            for (place, byte) in last {
                self.write(place, &[byte]);
            }
        }
    }
}

impl ConnectionBytes {
    pub(super) fn new(shared: Arc<Mutex<Shared>>) -> Self {
        Self {
            sides: [Side::default(), Side::default()],
            shared,
        }
    }

    /// Bytes that are remembered.
    pub(super) fn held(&self) -> usize {
        self.sides
            .iter()
            .map(|it| it.original.len() * 2 + it.handshake.len())
            .sum()
    }

    /// Remembers no more than what is not replaced yet.
    pub(super) fn forget(&mut self) {
        for side in &mut self.sides {
            let done = side.limit().saturating_sub(side.base) as usize;
            side.forget(done);
            side.original.shrink_to_fit();
            side.out.shrink_to_fit();
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) {
        let shared = Arc::clone(&self.shared);
        for side in &mut self.sides {
            side.give_up_handshake(&mut lock(&shared).words, u64::MAX);
            side.give_up(u64::MAX);
        }
    }

    /// Whether it is known what replaces so many bytes at this offset.
    pub(super) fn knows(&self, from: FlowEnd, offset: i64, length: usize) -> bool {
        let end = u64::try_from(offset.saturating_add(length as i64)).unwrap_or(0);
        let side = from.of(&self.sides);
        end <= side.limit()
    }

    /// Replaces the bytes of a segment at this offset. What is not known becomes filler for good.
    pub(super) fn replace(&mut self, from: FlowEnd, offset: i64, bytes: &mut [u8]) {
        let end = u64::try_from(offset.saturating_add(bytes.len() as i64)).unwrap_or(0);
        let side = from.of_mut(&mut self.sides);
        if end > side.limit() {
            let limit = side.limit();
            let left = end.min(side.top()).saturating_sub(limit.max(side.base));
            let mut shared = lock(&self.shared);
            shared.totals.unknown += left;
            side.give_up_handshake(&mut shared.words, end);
            side.give_up(end);
        }
        for (nth, byte) in bytes.iter_mut().enumerate() {
            let place = offset.saturating_add(nth as i64);
            let index = u64::try_from(place)
                .ok()
                .and_then(|it| it.checked_sub(side.base));
            let index = index.and_then(|it| usize::try_from(it).ok());
            let known = index.and_then(|it| Some((*side.original.get(it)?, *side.out.get(it)?)));
            *byte = match known {
                Some((original, out)) if original == *byte => out,
                // Other bytes than the first time: so is what replaces them.
                Some((_, out)) if out == unknown(*byte) => unknown(*byte) ^ 1,
                _ => unknown(*byte),
            };
        }
    }

    /// Goes on with what the present record, frame or message consists of.
    fn go_on(&mut self, from: FlowEnd) {
        let shared = Arc::clone(&self.shared);
        let mut shared = lock(&shared);
        let side = from.of_mut(&mut self.sides);
        let Some((cover, next, end)) = side.cover else {
            return;
        };
        let until = end.min(side.top());
        if until <= next {
            return;
        }
        let piece = side.original(next, until).to_vec();
        match cover {
            Cover::Tls { kind, is_clear } => {
                shared.totals.tls += until - next;
                tls_piece(side, &mut shared.words, (kind, is_clear), &piece, next);
            }
            Cover::H2 => {
                shared.totals.frames += until - next;
                let mut h2 = side.h2.take().unwrap_or_default();
                h2.piece(&mut shared.words, &piece, next, &mut |place, bytes| {
                    side.write(place, bytes)
                });
                side.h2 = Some(h2);
            }
            Cover::WebSocket(mut frame) => {
                shared.totals.frames += until - next;
                let mut bytes = piece;
                frame.piece(&mut shared.words, &mut bytes);
                side.write(next, &bytes);
                side.cover = Some((Cover::WebSocket(frame), next, end));
            }
            Cover::Message => side.fill(next, until, FILLER),
        }
        side.cover_to(until);
        side.cover = match (until == end, side.cover) {
            (false, Some((cover, ..))) => Some((cover, until, end)),
            _ => None,
        };
    }
}

/// A part of the content of a TLS record.
fn tls_piece(
    side: &mut Side,
    words: &mut Words,
    (kind, is_clear): (u8, bool),
    piece: &[u8],
    at: u64,
) {
    const HANDSHAKE: u8 = 22;
    if !is_clear {
        side.fill(at, at + piece.len() as u64, 0);
        return;
    }
    if kind != HANDSHAKE {
        // An alert, or the byte of a ChangeCipherSpec.
        side.write(at, piece);
        return;
    }
    if side.handshake.len() + piece.len() > MAX_HANDSHAKE {
        side.handshake.clear();
        side.handshake_places.clear();
        side.waits_from = None;
        return;
    }
    side.waits_from.get_or_insert(at);
    side.handshake.extend_from_slice(piece);
    side.handshake_places.push((at, piece.len()));
    while let Some(&[_, a, b, c]) = side.handshake.first_chunk() {
        let length = 4 + u32::from_be_bytes([0, a, b, c]) as usize;
        if length > side.handshake.len() {
            break;
        }
        let rest = side.handshake.split_off(length);
        let mut message = std::mem::replace(&mut side.handshake, rest);
        tls::handshake(words, &mut message);
        scatter(side, &message);
    }
    side.waits_from = side.handshake_places.first().map(|(at, _)| *at);
}

/// Writes a message to the places that its bytes come from.
fn scatter(side: &mut Side, mut message: &[u8]) {
    while !message.is_empty() {
        let Some((at, length)) = side.handshake_places.first().copied() else {
            return;
        };
        let now = length.min(message.len());
        side.write(at, message.get(..now).unwrap_or_default());
        message = message.get(now..).unwrap_or_default();
        if now == length {
            side.handshake_places.remove(0);
        } else if let Some(first) = side.handshake_places.first_mut() {
            *first = (at + now as u64, length - now);
        }
    }
}

impl StreamObserver for ConnectionBytes {
    fn slice(&mut self, from: FlowEnd, bytes: &[u8], length: u32) {
        let length = u64::from(length).max(bytes.len() as u64);
        from.of_mut(&mut self.sides).append(bytes, length);
        self.go_on(from);
    }

    fn gap(&mut self, from: FlowEnd, length: u64) {
        let side = from.of_mut(&mut self.sides);
        side.append(&[], length);
        // What waited for these bytes is never complete.
        if side.waits_from.is_some() {
            side.give_up_handshake(&mut lock(&self.shared).words, u64::MAX);
            side.give_up(side.top());
        }
        self.go_on(from);
    }

    fn part(&mut self, from: FlowEnd, start: u64, length: u64, part: StreamPart<'_>) {
        let end = start.saturating_add(length);
        let side = from.of_mut(&mut self.sides);
        match part {
            StreamPart::Head { bytes, is_request } => {
                side.end_body();
                let mut shared = lock(&self.shared);
                shared.totals.heads += length;
                let (bytes, facts) = head::rewrite(&mut shared.words, bytes, is_request);
                side.write(start, &bytes);
                let checked = facts.coding.filter(|_| facts.status != 206);
                side.body = Body {
                    taken: 0,
                    is_quoted: matches!(facts.status, 400 | 502..=504) && facts.coding.is_none(),
                    recoder: checked.map(|it| Box::new(Recoder::new(it))),
                };
                side.cover_to(end);
            }
            StreamPart::Body => self.body(from, start, end),
            StreamPart::BodyEnds => side.end_body(),
            StreamPart::Framing => {
                let mut shared = lock(&self.shared);
                let mut bytes = side.original(start, end).to_vec();
                framing(&mut shared.words, &mut bytes);
                side.write(start, &bytes);
                side.cover_to(end);
            }
            StreamPart::Malformed => {
                let mut shared = lock(&self.shared);
                let mut bytes = side.original(start, end).to_vec();
                bytes = head::rewrite(&mut shared.words, &bytes, true).0;
                side.write(start, &bytes);
                side.cover_to(end);
            }
            StreamPart::Faulty {
                in_head,
                is_request,
            } => {
                let mut shared = lock(&self.shared);
                let mut bytes = side.original(start, end).to_vec();
                let in_head = in_head || side.in_faulty_head;
                side.in_faulty_head =
                    faulty::rewrite(&mut shared.words, &mut bytes, in_head, is_request);
                side.keep_first(start, &mut bytes);
                side.write(start, &bytes);
                side.cover_to(end);
            }
            StreamPart::TlsRecord { kind, is_clear } => {
                // The header shows the type, the version and the length, which stay.
                let header = side.original(start, start + 5).to_vec();
                side.write(start, &header);
                side.cover_to(start + 5);
                side.cover = Some((Cover::Tls { kind, is_clear }, start + 5, end));
                self.go_on(from);
            }
            StreamPart::ProxyHeader => {
                let mut shared = lock(&self.shared);
                shared.totals.messages += length;
                let mut bytes = side.original(start, end).to_vec();
                proxied::rewrite(shared.words.key(), &mut bytes);
                side.write(start, &bytes);
                side.cover_to(end);
            }
            StreamPart::H2Preface => {
                let bytes = side.original(start, end).to_vec();
                side.write(start, &bytes);
                side.cover_to(end);
            }
            StreamPart::H2Frame { .. } => {
                let mut header = [0; 9];
                let original = side.original(start, start + 9);
                for (slot, byte) in header.iter_mut().zip(original) {
                    *slot = *byte;
                }
                side.write(start, &header);
                side.cover_to(start + 9);
                let mut h2 = side.h2.take().unwrap_or_default();
                h2.begin(header, &mut |place, bytes| side.write(place, bytes));
                side.h2 = Some(h2);
                side.cover = Some((Cover::H2, start + 9, end));
                self.go_on(from);
            }
            StreamPart::WebSocket {
                header,
                opcode,
                mask,
            } => {
                let payload = start + u64::from(header);
                let bytes = side.original(start, payload).to_vec();
                side.write(start, &bytes);
                side.cover_to(payload);
                let frame = websocket::Frame::new(opcode, mask);
                side.cover = Some((Cover::WebSocket(frame), payload, end));
                self.go_on(from);
            }
            StreamPart::First { bytes, read } => {
                let mut shared = lock(&self.shared);
                let bytes = bytes.get(..FIRST.min(bytes.len())).unwrap_or_default();
                let out = message::rewrite(&mut shared.words, bytes, read);
                // For now: what they are may still be found. What is replaced for good stays but for them.
                let known = match side.base <= start {
                    true => side.covered.saturating_sub(start).min(out.len() as u64) as usize,
                    false => 0,
                };
                let mut now = side.written(start, start + known as u64).to_vec();
                for ((now, out), own) in now.iter_mut().zip(&out).zip(bytes) {
                    if out == own {
                        *now = *own;
                    }
                }
                side.write(start, &now);
                side.write(start + known as u64, out.get(known..).unwrap_or_default());
                let first = (start, bytes.to_vec(), out);
                side.first.get_or_insert(first);
            }
            StreamPart::Message {
                protocol,
                bytes,
                read,
            } => {
                let mut shared = lock(&self.shared);
                shared.totals.messages += length.min(bytes.len() as u64);
                let mut out = match protocol {
                    "dns" => {
                        let mut out = bytes.to_vec();
                        dns::rewrite(&mut shared.words, out.get_mut(2..).unwrap_or_default());
                        out
                    }
                    _ => message::rewrite(&mut shared.words, bytes, read),
                };
                drop(shared);
                side.keep_first(start, &mut out);
                side.write(start, &out);
                // What the grammar has looked at behind the message stays when its turn comes.
                side.first = Some((start, bytes.to_vec(), out));
                let told = start.saturating_add(bytes.len() as u64).min(end);
                side.cover_to(told);
                side.cover = Some((Cover::Message, told, end));
                self.go_on(from);
            }
        }
    }
}

impl ConnectionBytes {
    fn body(&mut self, from: FlowEnd, start: u64, end: u64) {
        let mut shared = lock(&self.shared);
        let side = from.of_mut(&mut self.sides);
        shared.totals.bodies += end - start;
        let taken = side.body.taken;
        side.body.taken += end - start;
        if let Some(mut recoder) = side.body.recoder.take() {
            let piece = side.original(start, end).to_vec();
            let mut out = Vec::with_capacity(piece.len());
            recoder.feed(&piece, start, |_, byte| out.push(byte));
            side.write(start, &out);
            side.body.recoder = Some(recoder);
        } else {
            side.fill(start, end, FILLER);
            if side.body.is_quoted && taken < QUOTED {
                let until = end.min(start + QUOTED - taken);
                let mut bytes = side.original(start, until).to_vec();
                shared.words.text(&mut bytes);
                side.write(start, &bytes);
            }
        }
        side.cover_to(end);
    }
}

/// Chunk sizes stay; what follows a semicolon, and trailers, are replaced as fields are.
fn framing(words: &mut Words, bytes: &mut [u8]) {
    for line in bytes.split_inclusive_mut(|it| *it == b'\n') {
        let digits = line.iter().take_while(|it| it.is_ascii_hexdigit()).count();
        let colon = line.iter().position(|it| *it == b':');
        let is_size =
            digits > 0 && matches!(line.get(digits), None | Some(b'\r' | b'\n' | b';' | b' '));
        if is_size {
            words.names(line.get_mut(digits..).unwrap_or_default());
        } else if let Some(colon) = colon {
            let (name, value) = line.split_at_mut(colon);
            let key = name.to_ascii_lowercase();
            head::field_name(words, name);
            head::value(words, &key, value.get_mut(1..).unwrap_or_default());
        } else {
            words.names(line);
        }
    }
}

pub(super) fn lock<T: ?Sized>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is done under the lock is complete or not done at all.
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connections by their flow.
pub(super) type ByFlow<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
