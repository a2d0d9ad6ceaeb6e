//! HTTP/2 frames: header fields are replaced where they stand in a block, at their encoded length; data is replaced.
//!
//! Settings, stream numbers, windows and error codes stay. A string that is Huffman-coded gets a replacement whose code has as
//! many bytes; fields in tables follow by themselves, since the block that put them there was replaced.

use std::collections::BTreeMap;

use super::body::Recoder;
use super::filler::FILLER;
use super::head;
use super::words::Words;
use crate::protocol::h2::{
    BlockDecoder, FieldPlaces, StringPlace, huffman_code_length, huffman_encode,
};
use crate::protocol::http::TextInterner;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const HAS_PRIORITY: u8 = 0x20;

/// Bytes of a frame or block that wait for their end.
pub(crate) const MAX_WAITING: usize = 128 << 10;
/// Streams whose body is in a coding.
pub(crate) const MAX_CODED: usize = 128;

/// One direction.
#[derive(Default)]
pub(super) struct H2Side {
    kind: u8,
    flags: u8,
    stream: u32,
    /// Bytes of the payload that are still to come.
    left: usize,
    payload: Vec<u8>,
    payload_at: u64,
    /// Bytes of data before the padding, and whether the length of the padding was read.
    data_left: usize,
    knows_padding: bool,
    block: Vec<u8>,
    /// Where its bytes are.
    block_places: Vec<(u64, usize)>,
    ends_stream: bool,
    decoder: BlockDecoder,
    coded: BTreeMap<u32, Recoder>,
}

impl H2Side {
    /// The first place that is not replaced for good.
    pub(super) fn pending(&self) -> Option<u64> {
        let frame = (!self.payload.is_empty()).then_some(self.payload_at);
        let block = self.block_places.first().map(|it| it.0);
        let coded = self.coded.values().filter_map(Recoder::pending).min();
        [frame, block, coded].into_iter().flatten().min()
    }

    /// What waits is not replaced any more.
    pub(super) fn give_up(&mut self) {
        self.payload.clear();
        self.block.clear();
        self.block_places.clear();
        self.decoder.lose();
        self.coded.clear();
    }

    /// A frame begins.
    pub(super) fn begin(&mut self, header: [u8; 9], write: &mut dyn FnMut(u64, &[u8])) {
        let [a, b, c, kind, flags, s3, s2, s1, s0] = header;
        if !self.payload.is_empty() {
            self.give_up();
        }
        self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        (self.kind, self.flags) = (kind, flags);
        self.stream = u32::from_be_bytes([s3 & 0x7f, s2, s1, s0]);
        self.data_left = self.left;
        self.knows_padding = flags & PADDED == 0;
        if kind == DATA && self.left == 0 && flags & END_STREAM != 0 {
            self.end_stream(self.stream, write);
        }
    }

    /// The next bytes of its payload.
    pub(super) fn piece(
        &mut self,
        words: &mut Words,
        bytes: &[u8],
        at: u64,
        write: &mut dyn FnMut(u64, &[u8]),
    ) {
        self.left = self.left.saturating_sub(bytes.len());
        if self.kind == DATA {
            return self.data(bytes, at, write);
        }
        if self.payload.is_empty() {
            self.payload_at = at;
        }
        if self.payload.len() + bytes.len() > MAX_WAITING {
            self.give_up();
            return;
        }
        self.payload.extend_from_slice(bytes);
        if self.left > 0 {
            return;
        }
        let mut payload = std::mem::take(&mut self.payload);
        let start = self.payload_at;
        match self.kind {
            PRIORITY | RST_STREAM | SETTINGS | WINDOW_UPDATE => {}
            GOAWAY => words.text(payload.get_mut(8..).unwrap_or_default()),
            PING => words.key().opaque.replace(&mut payload),
            HEADERS | PUSH_PROMISE | CONTINUATION => {
                return self.fragment(words, &mut payload, start, write);
            }
            _ => words.names(&mut payload),
        }
        write(start, &payload);
    }

    fn data(&mut self, mut bytes: &[u8], mut at: u64, write: &mut dyn FnMut(u64, &[u8])) {
        if !self.knows_padding
            && let Some((padding, rest)) = bytes.split_first()
        {
            self.knows_padding = true;
            write(at, &[*padding]);
            self.data_left = self.data_left.saturating_sub(1 + usize::from(*padding));
            (bytes, at) = (rest, at + 1);
        }
        let now = self.data_left.min(bytes.len());
        let (data, padding) = bytes.split_at(now);
        self.data_left -= now;
        match self.coded.get_mut(&self.stream) {
            Some(recoder) => {
                let mut out = Vec::with_capacity(data.len());
                recoder.feed(data, at, |_, byte| out.push(byte));
                write(at, &out);
            }
            None => write(at, &vec![FILLER; data.len()]),
        }
        write(at + now as u64, &vec![0; padding.len()]);
        if self.left == 0 && self.flags & END_STREAM != 0 {
            self.end_stream(self.stream, write);
        }
    }

    fn end_stream(&mut self, stream: u32, write: &mut dyn FnMut(u64, &[u8])) {
        if let Some(mut recoder) = self.coded.remove(&stream) {
            recoder.finish(|place, byte| write(place, &[byte]));
        }
    }

    /// A part of a header block.
    fn fragment(
        &mut self,
        words: &mut Words,
        payload: &mut [u8],
        start: u64,
        write: &mut dyn FnMut(u64, &[u8]),
    ) {
        let mut front = 0;
        let mut padding = 0;
        if self.kind != CONTINUATION {
            self.block.clear();
            self.block_places.clear();
            self.ends_stream = self.kind == HEADERS && self.flags & END_STREAM != 0;
            if self.flags & PADDED != 0 {
                padding = payload.first().map_or(0, |it| usize::from(*it));
                front += 1;
            }
            if self.kind == HEADERS && self.flags & HAS_PRIORITY != 0 {
                front += 5;
            }
            if self.kind == PUSH_PROMISE {
                front += 4;
            }
        }
        let end = payload.len().saturating_sub(padding);
        let front = front.min(end);
        payload.get_mut(end..).unwrap_or_default().fill(0);
        // What comes before the block stays; the block itself is written when it is complete.
        write(start, payload.get(..front).unwrap_or_default());
        write(start + end as u64, payload.get(end..).unwrap_or_default());
        let fragment = payload.get(front..end).unwrap_or_default();
        if self.block.len() + fragment.len() > MAX_WAITING {
            return self.give_up();
        }
        self.block.extend_from_slice(fragment);
        self.block_places
            .push((start + front as u64, fragment.len()));
        if self.flags & END_HEADERS == 0 {
            return;
        }
        let mut block = std::mem::take(&mut self.block);
        let places = std::mem::take(&mut self.block_places);
        self.rewrite(words, &mut block);
        let mut rest = &block[..];
        for (at, length) in places {
            let (now, after) = rest.split_at(length.min(rest.len()));
            write(at, now);
            rest = after;
        }
        if self.ends_stream {
            self.end_stream(self.stream, write);
        }
    }

    fn rewrite(&mut self, words: &mut Words, block: &mut [u8]) {
        let mut texts = TextInterner::new();
        let mut fields = self.decoder.places(block, &mut texts);
        if fields.is_none() {
            // Blocks were before the capture, or are not in it.
            self.decoder.lose();
            fields = self.decoder.places(block, &mut texts);
        }
        let Some(fields) = fields else {
            // What cannot be decoded cannot be told apart.
            block.fill(0);
            return;
        };
        let mut codings = head::Codings::default();
        let mut status = Vec::new();
        for (
            name,
            value,
            FieldPlaces {
                name: name_place,
                value: value_place,
            },
        ) in fields
        {
            codings.field(&name, &value);
            if name == b":status" {
                status = value.clone();
            }
            if let Some(place) = name_place {
                let mut own = name.clone();
                head::field_name(words, &mut own);
                put(block, place, &name, own);
            }
            if let Some(place) = value_place {
                let mut own = value.clone();
                head::value(words, &name.to_ascii_lowercase(), &mut own);
                put(block, place, &value, own);
            }
        }
        if let Some(coding) = codings.outer()
            && status != b"206"
            && !status.is_empty()
            && self.coded.len() < MAX_CODED
        {
            self.coded.insert(self.stream, Recoder::new(coding));
        }
    }
}

/// Writes a string into its place.
fn put(block: &mut [u8], place: StringPlace, before: &[u8], mut text: Vec<u8>) {
    let Some(room) = block.get_mut(place.start..place.start.saturating_add(place.length)) else {
        return;
    };
    if !place.is_coded {
        match room.len() == text.len() {
            true => room.copy_from_slice(&text),
            false => room.fill(FILLER),
        }
        return;
    }
    fit(before, &mut text, place.length);
    let mut coded = Vec::new();
    huffman_encode(&text, &mut coded);
    if coded.len() == room.len() {
        room.copy_from_slice(&coded);
    } else {
        // No code has so many bits: a string that is not readable.
        room.fill(0);
    }
}

/// Changes letters and digits until the code of a text takes this many bytes.
fn fit(before: &[u8], text: &mut [u8], length: usize) {
    // Beyond ASCII codes are long: there the first byte of the same length stands for all.
    for (byte, old) in text.iter_mut().zip(before) {
        if *old >= 0x80 {
            let bits = huffman_code_length(*old);
            *byte = (0x80..=0xff)
                .find(|it| huffman_code_length(*it) == bits)
                .unwrap_or(*old);
        }
    }
    let bits = |text: &[u8]| {
        text.iter()
            .map(|it| usize::from(huffman_code_length(*it)))
            .sum::<usize>()
    };
    let most = length * 8;
    let mut has = bits(text);
    while has > most || has + 7 < most {
        let longer = has < most;
        let mut changed = false;
        for byte in text.iter_mut().rev() {
            let now = huffman_code_length(*byte);
            let wanted = if longer { now + 1 } else { now.wrapping_sub(1) };
            let kind: &[u8] = match *byte {
                b'0'..=b'9' => b"0123456789",
                b'a'..=b'z' => b"abcdefghijklmnopqrstuvwxyz",
                b'A'..=b'Z' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                _ => continue,
            };
            let others: Vec<u8> = kind
                .iter()
                .copied()
                .filter(|it| huffman_code_length(*it) == wanted)
                .collect();
            if let Some(other) = others.get(usize::from(*byte) % others.len().max(1)) {
                *byte = *other;
                has = if longer { has + 1 } else { has - 1 };
                changed = true;
                if has <= most && has + 7 >= most {
                    return;
                }
            }
        }
        if !changed {
            return;
        }
    }
}
