//! Bodies: every byte of one is replaced by the same letter; one that is compressed stays readable, at its length.
//!
//! A compressed body becomes one block of fixed Huffman codes (RFC 1951 §3.2.6) that stands for letters `x`: each takes a
//! byte, so that such a block can be written on without knowing where it ends. What follows it, the end of the block and
//! the checksum, is put into the last bytes once the body is complete. If the body was damaged, ends early or has a wrong
//! checksum, so does what replaces it.

use std::collections::VecDeque;
use std::sync::Arc;

use flate2::Crc;

use super::filler::FILLER;
use crate::protocol::http::{CodingCheck, CodingFault, ContentCoding};

const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
const ZLIB_HEAD: [u8; 2] = [0x78, 0x9c];
/// Block header and the first half of the code of `x`; then the halves of two codes each.
const FIRST: u8 = 0xab;
const NEXT: u8 = 0xa8;
/// A code that stands for nothing, in this place.
const BROKEN: [u8; 2] = [0x18, 0x03];
/// The end of a block of no letters at all.
const EMPTY: u8 = 3;

/// Writes a coded body anew.
#[derive(Debug)]
pub(super) struct Recoder {
    coding: ContentCoding,
    check: CodingCheck,
    /// What the check of the original has found.
    found: Option<CodingFault>,
    is_over: bool,
    taken: u64,
    /// Without the two bytes of RFC 1950 in front.
    is_raw: bool,
    /// Where the last bytes are that may be the end of the body.
    held: VecDeque<u64>,
    /// How many bytes come after the letters.
    tail: usize,
}

impl Recoder {
    pub(super) fn new(coding: ContentCoding) -> Self {
        Self {
            coding,
            check: CodingCheck::of(coding, Arc::default()),
            found: None,
            is_over: false,
            taken: 0,
            is_raw: false,
            held: VecDeque::new(),
            tail: match coding {
                ContentCoding::Gzip => 10,
                ContentCoding::Deflate => 6,
            },
        }
    }

    /// The first place that is not written for good.
    pub(super) fn pending(&self) -> Option<u64> {
        self.held.front().copied()
    }

    /// Replaces the next bytes, which are at `start` of the stream.
    pub(super) fn feed(&mut self, bytes: &[u8], start: u64, mut write: impl FnMut(u64, u8)) {
        if self.taken == 0 && self.coding == ContentCoding::Deflate {
            let framed = matches!(bytes, [first, second, ..] if first & 15 == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0);
            if !framed && bytes.len() > 1 {
                self.is_raw = true;
                self.tail = 2;
            }
        }
        if let Some((_, fault)) = self.check.feed(bytes) {
            self.found.get_or_insert(fault);
        }
        let broken_at = match self.found {
            Some(CodingFault::Damaged(at)) => Some(at.saturating_sub(2)),
            _ => None,
        };
        for place in start..start.saturating_add(bytes.len() as u64) {
            let nth = self.taken;
            self.taken += 1;
            let byte = match self.found {
                Some(CodingFault::NotCoded) => FILLER,
                _ => match broken_at {
                    Some(at) if nth == at => BROKEN[0],
                    Some(at) if nth == at + 1 => BROKEN[1],
                    _ => self.letter(nth),
                },
            };
            write(place, byte);
            let is_whole = matches!(
                self.found,
                None | Some(CodingFault::Checksum | CodingFault::Length)
            );
            if is_whole {
                self.held.push_back(place);
                if self.held.len() > self.tail {
                    self.held.pop_front();
                }
            } else {
                self.held.clear();
            }
        }
    }

    fn head(&self) -> &'static [u8] {
        match (self.coding, self.is_raw) {
            (ContentCoding::Gzip, _) => &GZIP_HEAD,
            (ContentCoding::Deflate, false) => &ZLIB_HEAD,
            (ContentCoding::Deflate, true) => &[],
        }
    }

    /// The byte at this place of the body, if letters go on.
    fn letter(&self, nth: u64) -> u8 {
        let head = self.head();
        match usize::try_from(nth) {
            Ok(nth) if nth < head.len() => head.get(nth).copied().unwrap_or(FILLER),
            Ok(nth) if nth == head.len() => FIRST,
            _ => NEXT,
        }
    }

    /// The body is complete.
    pub(super) fn finish(&mut self, mut write: impl FnMut(u64, u8)) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        let ends = self.check.finish().map(|(_, fault)| fault);
        let fault = self.found.or(ends);
        let overhead = (self.head().len() + self.tail) as u64;
        // So many bytes of the trailer never came.
        let cut = match fault {
            Some(CodingFault::TrailerCut(bytes)) => u64::from(bytes),
            _ => 0,
        };
        let letters = self.taken.saturating_add(cut).checked_sub(overhead);
        let held = std::mem::take(&mut self.held);
        let (
            Some(letters),
            None | Some(CodingFault::Checksum | CodingFault::Length | CodingFault::TrailerCut(_)),
        ) = (letters, fault)
        else {
            return;
        };
        let mut tail = match letters {
            0 => vec![EMPTY, 0],
            _ => vec![0, 0],
        };
        match (self.coding, self.is_raw) {
            (ContentCoding::Gzip, _) => {
                let mut sum = Crc::new();
                let part = [FILLER; 1024];
                let mut left = letters;
                while left > 0 {
                    let now = left.min(1024);
                    sum.update(part.get(..now as usize).unwrap_or_default());
                    left -= now;
                }
                let wrong = u32::from(fault == Some(CodingFault::Checksum));
                tail.extend((sum.sum() ^ wrong).to_le_bytes());
                let longer = u32::from(fault == Some(CodingFault::Length));
                tail.extend((sum.amount() ^ longer).to_le_bytes());
            }
            (ContentCoding::Deflate, false) => tail.extend(adler(letters).to_be_bytes()),
            (ContentCoding::Deflate, true) => {}
        }
        let held = held.into_iter().skip(usize::try_from(cut).unwrap_or(0));
        for (place, byte) in held.zip(tail) {
            write(place, byte);
        }
    }
}

/// Adler-32 (RFC 1950 §8.2) of so many letters.
fn adler(letters: u64) -> u32 {
    const BASE: u128 = 65_521;
    let (count, letter) = (u128::from(letters), u128::from(FILLER));
    let a = (1 + count * letter) % BASE;
    let b = (count + letter * (count * (count + 1) / 2)) % BASE;
    (b as u32) << 16 | a as u32
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn recoded(coding: ContentCoding, body: &[u8], slice: usize, ends: bool) -> Vec<u8> {
        let mut out = vec![0; body.len()];
        let mut recoder = Recoder::new(coding);
        for (nth, piece) in body.chunks(slice).enumerate() {
            recoder.feed(piece, (nth * slice) as u64, |at, byte| {
                out[at as usize] = byte
            });
        }
        if ends {
            recoder.finish(|at, byte| out[at as usize] = byte);
        }
        out
    }

    fn checked(coding: ContentCoding, body: &[u8], ends: bool) -> Option<CodingFault> {
        let mut check = CodingCheck::of(coding, Arc::default());
        let found = check
            .feed(body)
            .or_else(|| if ends { check.finish() } else { None });
        found.map(|(_, fault)| fault)
    }

    #[test]
    fn what_is_found_of_a_coded_body_stays() {
        for length in [0, 1, 2, 20, 300, 5000] {
            let text: Vec<u8> = (0..length).map(|it| (it * 7 % 251) as u8).collect();
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(&text).unwrap();
            let gzip = gzip.finish().unwrap();
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
            zlib.write_all(&text).unwrap();
            let zlib = zlib.finish().unwrap();
            let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
            raw.write_all(&text).unwrap();
            let raw = raw.finish().unwrap();
            let mut wrong = gzip.clone();
            let sum = wrong.len() - 6;
            wrong[sum] ^= 1;
            let mut long = gzip.clone();
            let amount = long.len() - 2;
            long[amount] ^= 1;
            let cut = gzip[..gzip.len() - 3].to_vec();
            for (coding, body) in [
                (ContentCoding::Gzip, gzip.clone()),
                (ContentCoding::Gzip, wrong),
                (ContentCoding::Gzip, long),
                (ContentCoding::Gzip, cut),
                (ContentCoding::Gzip, b"<html>plain</html>".to_vec()),
                (ContentCoding::Deflate, zlib),
                (ContentCoding::Deflate, raw),
            ] {
                for slice in [2, 3, 7, 100, 100_000] {
                    let out = recoded(coding, &body, slice, true);
                    assert_eq!(out.len(), body.len());
                    assert_eq!(
                        checked(coding, &out, true),
                        checked(coding, &body, true),
                        "{coding:?} {length} {slice} {out:x?}"
                    );
                }
            }
        }
    }
}
