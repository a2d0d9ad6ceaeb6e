//! Checks that a body is in the coding that its `Content-Encoding` names: gzip or deflate (RFC 9110 §8.4.1).
//!
//! What is decoded is thrown away. Every body has a decoder of its own, so their number is limited, and so is how much
//! of one body is decoded.

use std::sync::Arc;

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// Decoders alive at once in one partition; each takes 44 kB.
pub(crate) const MAX_DECODERS: usize = 32;
/// Bytes of one body that are decoded: a program that damages bodies does it in small ones as well.
pub(crate) const MAX_CODED: u64 = 1 << 20;
/// Bytes that one body is decoded to: few bytes can stand for very many.
pub(crate) const MAX_DECODED: u64 = 16 << 20;
/// Longest header of gzip that is read; the file name in it is the only long part.
const MAX_GZIP_HEAD: usize = 4096;
/// Bytes decoded at a time.
const ROOM: usize = 4096;
/// Bytes behind the data of gzip: checksum and length (RFC 1952 §2.3.1).
const GZIP_TRAILER: usize = 8;
/// Bytes behind the data of RFC 1950: a checksum.
const ZLIB_TRAILER: usize = 4;
/// Bytes before them.
const ZLIB_HEAD: usize = 2;

/// A content coding that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentCoding {
    /// RFC 1952; `x-gzip` is the same.
    Gzip,
    /// RFC 1950; what some servers send instead is RFC 1951 without that frame, and clients accept it.
    Deflate,
}

impl ContentCoding {
    /// The coding of this name, if it is one that is checked.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("gzip") || is("x-gzip") {
            Some(Self::Gzip)
        } else {
            is("deflate").then_some(Self::Deflate)
        }
    }

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// What was found of a body that is not in its coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodingFault {
    /// Its first bytes are not those of the coding.
    NotCoded,
    /// No decoder gets past this many bytes of it.
    Damaged(u64),
    /// Its data do not have the checksum that stands behind them.
    Checksum,
    /// Its data do not have the length that stands behind them (gzip).
    Length,
    /// Its data end, and of the checksum and length behind them so many bytes are missing.
    TrailerCut(u8),
    /// It is complete by its framing, and these bytes end before the coded data do.
    EndsEarly(u64),
    /// The same, but the bytes end where all that was coded so far was flushed: nothing more is known to be missing than the
    /// mark of the end (RFC 1951 §3.2.4, an empty block that is not the last).
    NotEnded,
    /// Not a fault: it was not checked to its end, because a limit was reached.
    Unchecked,
}

impl CodingFault {
    /// Whether what was coded cannot be read, or not all of it: a wrong or missing checksum leaves it as it is.
    #[must_use]
    pub const fn hides_data(self) -> bool {
        matches!(self, Self::NotCoded | Self::Damaged(_) | Self::EndsEarly(_))
    }
}

/// Permission to have a decoder; it ends with the last copy.
pub(crate) type DecoderPermit = Arc<()>;

/// The check of the body that a direction is in. A copy of it checks nothing.
#[derive(Debug, Default)]
pub(crate) struct CodingCheck(Option<Box<CodedBody>>);

impl Clone for CodingCheck {
    fn clone(&self) -> Self {
        Self::NONE
    }
}

impl CodingCheck {
    /// Nothing to check.
    pub(crate) const NONE: Self = Self(None);

    /// A check from the first byte of a body on.
    pub(crate) fn of(coding: ContentCoding, permit: DecoderPermit) -> Self {
        Self(Some(Box::new(CodedBody::new(coding, permit))))
    }

    pub(crate) const fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// The next bytes of the body. Once there is a result, nothing more is checked.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<(ContentCoding, CodingFault)> {
        let body = self.0.as_mut()?;
        let found = body.feed(bytes).map(|fault| (body.coding, fault));
        if found.is_some() {
            self.0 = None;
        }
        found
    }

    /// The body is complete.
    pub(crate) fn finish(&mut self) -> Option<(ContentCoding, CodingFault)> {
        let body = self.0.take()?;
        Some((body.coding, body.finish()?))
    }
}

/// What the next byte of a coded body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CodedPart {
    Head,
    Data,
    Trailer,
    /// What follows is ignored, as by most clients.
    Over,
}

#[derive(Debug)]
struct CodedBody {
    coding: ContentCoding,
    part: CodedPart,
    /// Bytes of an incomplete head or trailer.
    waiting: Vec<u8>,
    decoder: Option<Decompress>,
    checksum: Crc,
    adler: Adler,
    /// Bytes of the trailer; 0 of data without a frame.
    trailer: usize,
    /// All bytes so far are text, which coded data are not.
    is_text: bool,
    /// The last bytes so far.
    tail: [u8; 4],
    /// Bytes of the body so far.
    taken: u64,
    _permit: DecoderPermit,
}

/// What the first bytes of a coded body are.
enum CodedHead {
    Incomplete,
    Other,
    /// A head of this many bytes, which does not match its checksum.
    Damaged(usize),
    /// A head of this many bytes, and as many behind the data.
    Whole(usize, usize),
}

/// The checksum of RFC 1950 §8.2 (Adler-32).
#[derive(Debug)]
struct Adler([u32; 2]);

impl Adler {
    const MODULUS: u32 = 65521;
    /// Bytes after which the second sum may not fit any more.
    const BLOCK: usize = 5552;

    const fn new() -> Self {
        Self([1, 0])
    }

    fn update(&mut self, bytes: &[u8]) {
        let [one, two] = &mut self.0;
        for block in bytes.chunks(Self::BLOCK) {
            for byte in block {
                *one += u32::from(*byte);
                *two += *one;
            }
            *one %= Self::MODULUS;
            *two %= Self::MODULUS;
        }
    }

    const fn sum(&self) -> u32 {
        self.0[1] << 16 | self.0[0]
    }
}

impl CodedBody {
    fn new(coding: ContentCoding, permit: DecoderPermit) -> Self {
        Self {
            coding,
            part: CodedPart::Head,
            waiting: Vec::new(),
            decoder: None,
            checksum: Crc::new(),
            adler: Adler::new(),
            trailer: 0,
            is_text: true,
            tail: [0xff; 4],
            taken: 0,
            _permit: permit,
        }
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Option<CodingFault> {
        self.taken = self.taken.saturating_add(bytes.len() as u64);
        for byte in bytes
            .get(bytes.len().saturating_sub(4)..)
            .unwrap_or_default()
        {
            self.tail.rotate_left(1);
            self.tail[3] = *byte;
        }
        self.is_text &= bytes
            .iter()
            .all(|it| matches!(it, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
        if self.part == CodedPart::Head {
            let before = self.waiting.len();
            self.waiting.extend_from_slice(bytes);
            match self.head() {
                CodedHead::Other => return Some(CodingFault::NotCoded),
                CodedHead::Damaged(length) => return Some(CodingFault::Damaged(length as u64)),
                CodedHead::Incomplete => {
                    return (self.waiting.len() > MAX_GZIP_HEAD).then_some(CodingFault::Unchecked);
                }
                CodedHead::Whole(length, trailer) => {
                    let waited = std::mem::take(&mut self.waiting);
                    self.decoder = Some(Decompress::new(false));
                    self.trailer = trailer;
                    self.part = CodedPart::Data;
                    let held = waited.get(length..before).unwrap_or_default();
                    if let Some(fault) = self.decode(held, self.taken - bytes.len() as u64) {
                        return Some(fault);
                    }
                    bytes = bytes
                        .get(length.saturating_sub(before)..)
                        .unwrap_or_default();
                }
            }
        }
        let end = self.taken;
        if let Some(fault) = self.decode(bytes, end) {
            return Some(fault);
        }
        (self.taken > MAX_CODED && self.part != CodedPart::Over).then_some(CodingFault::Unchecked)
    }

    /// Decodes bytes that end at this place of the body.
    fn decode(&mut self, mut bytes: &[u8], end: u64) -> Option<CodingFault> {
        let mut room = [0; ROOM];
        while self.part == CodedPart::Data
            && let Some(decoder) = &mut self.decoder
        {
            let before = (decoder.total_in(), decoder.total_out());
            let status = decoder.decompress(bytes, &mut room, FlushDecompress::None);
            let used = (decoder.total_in() - before.0) as usize;
            let made = (decoder.total_out() - before.1) as usize;
            bytes = bytes.get(used..).unwrap_or_default();
            let made_bytes = room.get(..made).unwrap_or_default();
            match self.coding {
                ContentCoding::Gzip => self.checksum.update(made_bytes),
                ContentCoding::Deflate => self.adler.update(made_bytes),
            }
            match status {
                // Data without a frame begin with any byte.
                Err(_) if self.trailer == 0 && self.is_text => return Some(CodingFault::NotCoded),
                Err(_) => return Some(CodingFault::Damaged(end - bytes.len() as u64)),
                Ok(Status::StreamEnd) => {
                    self.part = match self.trailer {
                        0 => CodedPart::Over,
                        _ => CodedPart::Trailer,
                    };
                    self.decoder = None;
                }
                Ok(_) if decoder.total_out() > MAX_DECODED => return Some(CodingFault::Unchecked),
                // Without progress it wants more input; what it holds back comes first.
                Ok(_) if made == 0 && used == 0 => return None,
                Ok(_) => {}
            }
        }
        if self.part == CodedPart::Trailer {
            let room = self.trailer.saturating_sub(self.waiting.len());
            let more = bytes.get(..room).unwrap_or(bytes);
            self.waiting.extend_from_slice(more);
            if self.waiting.len() >= self.trailer {
                self.part = CodedPart::Over;
                return self.compare();
            }
        }
        None
    }

    /// Compares what stands behind the data with them.
    fn compare(&self) -> Option<CodingFault> {
        match self.waiting[..] {
            [a, b, c, d, e, f, g, h] => {
                if u32::from_le_bytes([a, b, c, d]) != self.checksum.sum() {
                    return Some(CodingFault::Checksum);
                }
                let length = u32::from_le_bytes([e, f, g, h]);
                (length != self.checksum.amount()).then_some(CodingFault::Length)
            }
            [a, b, c, d] => {
                let sum = u32::from_be_bytes([a, b, c, d]);
                (sum != self.adler.sum()).then_some(CodingFault::Checksum)
            }
            _ => None,
        }
    }

    fn head(&self) -> CodedHead {
        match self.coding {
            ContentCoding::Gzip => gzip_head(&self.waiting),
            ContentCoding::Deflate => deflate_head(&self.waiting),
        }
    }

    fn finish(&self) -> Option<CodingFault> {
        if self.part == CodedPart::Trailer {
            let missing = self.trailer.saturating_sub(self.waiting.len());
            return Some(CodingFault::TrailerCut(
                u8::try_from(missing).unwrap_or(u8::MAX),
            ));
        }
        if self.part == CodedPart::Data && self.trailer == 0 && self.is_text {
            return Some(CodingFault::NotCoded);
        }
        // An empty stored block, as `Z_SYNC_FLUSH` of zlib writes it.
        if self.part == CodedPart::Data && self.tail == [0, 0, 0xff, 0xff] {
            return Some(CodingFault::NotEnded);
        }
        // Without any byte there is nothing to decode; clients accept it.
        (self.taken > 0 && self.part != CodedPart::Over)
            .then_some(CodingFault::EndsEarly(self.taken))
    }
}

/// The header of gzip (RFC 1952 §2.3).
fn gzip_head(bytes: &[u8]) -> CodedHead {
    const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
    const FIXED: usize = 10;
    let known = bytes.len().min(MAGIC.len());
    if bytes.get(..known) != MAGIC.get(..known) {
        return CodedHead::Other;
    }
    match gzip_head_length(bytes, FIXED) {
        Some(length) if length <= bytes.len() => {
            match has_wrong_sum(bytes.get(..length).unwrap_or_default()) {
                true => CodedHead::Damaged(length),
                false => CodedHead::Whole(length, GZIP_TRAILER),
            }
        }
        _ => CodedHead::Incomplete,
    }
}

/// Whether a header of gzip ends with a checksum of its own, and has another one (RFC 1952 §2.3.1, FHCRC).
fn has_wrong_sum(head: &[u8]) -> bool {
    const SUMMED: u8 = 1 << 1;
    if head.get(3).is_none_or(|flags| flags & SUMMED == 0) {
        return false;
    }
    let Some((covered, &[low, high])) = head.split_last_chunk() else {
        return false;
    };
    let mut sum = Crc::new();
    sum.update(covered);
    u32::from(u16::from_le_bytes([low, high])) != sum.sum() & 0xffff
}

/// Length of the header of gzip whose first bytes these are; `None` if they do not show it.
fn gzip_head_length(bytes: &[u8], fixed: usize) -> Option<usize> {
    let flags = *bytes.get(3)?;
    let has = |bit: u8| flags & 1 << bit != 0;
    let mut length = fixed;
    if has(2) {
        let [low, high] = *bytes.get(length..length + 2)?.first_chunk()?;
        length += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    // File name and comment end with NUL.
    for bit in [3, 4] {
        if has(bit) {
            length += memchr::memchr(0, bytes.get(length..)?)? + 1;
        }
    }
    Some(length + if has(1) { 2 } else { 0 })
}

/// Whether the frame of RFC 1950 §2.2 is there or left out.
fn deflate_head(bytes: &[u8]) -> CodedHead {
    /// The data need a dictionary that both sides know, which no HTTP has.
    const DICTIONARY: u8 = 1 << 5;
    let &[first, second, ..] = bytes else {
        return CodedHead::Incomplete;
    };
    let framed = first & 15 == 8 && u16::from_be_bytes([first, second]) % 31 == 0;
    match framed {
        true if second & DICTIONARY != 0 => CodedHead::Other,
        true => CodedHead::Whole(ZLIB_HEAD, ZLIB_TRAILER),
        false => CodedHead::Whole(0, 0),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;
    use crate::base::flow_end::FlowEnd;
    use crate::base::frame_ref::FrameRef;
    use crate::protocol::http::{HttpConversation, TextInterner};
    use CodingFault as F;
    use ContentCoding::{Deflate, Gzip};

    const TEXT: &[u8] =
        b"The quick brown fox jumps over the lazy dog, and the dog sleeps on. 0123456789";

    fn gzip() -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(TEXT).unwrap();
        packer.finish().unwrap()
    }

    fn zlib() -> Vec<u8> {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
        packer.write_all(TEXT).unwrap();
        packer.finish().unwrap()
    }

    fn raw() -> Vec<u8> {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
        packer.write_all(TEXT).unwrap();
        packer.finish().unwrap()
    }

    /// What is found of a complete body that comes in slices of any length.
    #[track_caller]
    fn check(coding: ContentCoding, body: &[u8], expect: Option<CodingFault>) {
        for slice in 1..=body.len().max(1) {
            let mut check = CodingCheck::of(coding, Arc::default());
            let mut found = None;
            for piece in body.chunks(slice) {
                found = found.or(check.feed(piece));
            }
            found = found.or_else(|| check.finish());
            let found = found.map(|(_, fault)| fault);
            match (found, expect) {
                // How many bytes the decoder looks ahead is its own affair.
                (Some(F::Damaged(at)), Some(F::Damaged(before))) => {
                    assert!(at <= before, "{at} of {before} bytes in slices of {slice}")
                }
                _ => assert_eq!(found, expect, "in slices of {slice}"),
            }
        }
    }

    fn with(mut body: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
        body[at..at + bytes.len()].copy_from_slice(bytes);
        body
    }

    #[test]
    fn what_is_coded_passes() {
        check(Gzip, &gzip(), None);
        check(Deflate, &zlib(), None);
        check(Deflate, &raw(), None);
        check(Gzip, b"", None);
        check(Deflate, b"", None);
        // A second member, and padding.
        check(Gzip, &[gzip(), gzip()].concat(), None);
        check(Gzip, &[&gzip()[..], &[0; 20]].concat(), None);
        // All optional parts of the header.
        let head = b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x02\0xyname\0note\0";
        let mut sum = Crc::new();
        sum.update(head);
        let sum = (sum.sum() as u16).to_le_bytes();
        check(Gzip, &[&head[..], &sum, &gzip()[10..]].concat(), None);
    }

    #[test]
    fn what_is_not_coded_is_found() {
        check(Gzip, b"<html>not packed</html>", Some(F::NotCoded));
        check(Gzip, &zlib(), Some(F::NotCoded));
        check(Deflate, &gzip(), Some(F::Damaged(gzip().len() as u64)));
        check(Gzip, &with(gzip(), 10, &[0xff; 12]), Some(F::Damaged(24)));
        let end = gzip().len();
        check(Gzip, &with(gzip(), end - 8, b"sum?"), Some(F::Checksum));
        check(Gzip, &with(gzip(), end - 4, b"len?"), Some(F::Length));
        let end = zlib().len();
        check(Deflate, &with(zlib(), end - 4, b"sum?"), Some(F::Checksum));
        // Text is not coded, whatever a decoder makes of its first bytes.
        for text in ["X5O!P%@AP[4 and so on", "[1, 2, 3]\r\n", "<p>text</p>"] {
            check(Deflate, text.as_bytes(), Some(F::NotCoded));
        }
    }

    #[test]
    fn what_ends_early_is_found_wherever_it_ends() {
        for (coding, body) in [(Gzip, gzip()), (Deflate, zlib())] {
            let trailer = if coding == Gzip { 8 } else { 4 };
            for length in 1..body.len() {
                let missing = body.len() - length;
                let expect = match missing <= trailer {
                    true => F::TrailerCut(missing as u8),
                    false => F::EndsEarly(length as u64),
                };
                check(coding, &body[..length], Some(expect));
            }
        }
    }

    #[test]
    fn what_was_flushed_lacks_only_its_end() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(TEXT).unwrap();
        packer.flush().unwrap();
        check(Gzip, packer.get_ref(), Some(F::NotEnded));
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
        packer.write_all(TEXT).unwrap();
        packer.flush().unwrap();
        check(Deflate, packer.get_ref(), Some(F::NotEnded));
    }

    #[test]
    fn a_body_is_decoded_up_to_a_limit() {
        // Stored blocks of 0xffff bytes, none of them the last.
        let block = [&[0, 0xff, 0xff, 0, 0][..], &[0; 0xffff]].concat();
        let mut check = CodingCheck::of(Gzip, Arc::default());
        assert_eq!(check.feed(&gzip()[..10]), None);
        let mut taken = 10;
        while taken <= MAX_CODED {
            taken += block.len() as u64;
            let expect = (taken > MAX_CODED).then_some((Gzip, F::Unchecked));
            assert_eq!(check.feed(&block), expect, "{taken}");
        }
        assert!(!check.is_some());
        // Zeros are packed a thousandfold.
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer
            .write_all(&vec![0; MAX_DECODED as usize + 4 * ROOM])
            .unwrap();
        let packed = packer.finish().unwrap();
        assert!((packed.len() as u64) < MAX_CODED);
        let mut check = CodingCheck::of(Gzip, Arc::default());
        assert_eq!(check.feed(&packed), Some((Gzip, F::Unchecked)));
    }

    #[test]
    fn only_so_many_bodies_are_checked_at_once() {
        let mut texts = TextInterner::new();
        let mut open = || {
            let mut http = HttpConversation::new();
            let asks = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
            let begins =
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n\x1f\x8b";
            for (from, bytes) in [(FlowEnd::A, &asks[..]), (FlowEnd::B, begins)] {
                let length = bytes.len() as u32;
                http.data(from, FrameRef::default(), bytes, length, &mut texts);
            }
            http
        };
        let unchecked = |it: &HttpConversation| {
            let rare = it.exchanges()[0].rare.as_ref();
            rare.and_then(|it| it.coding) == Some((Gzip, F::Unchecked))
        };
        let mut all: Vec<_> = (0..MAX_DECODERS).map(|_| open()).collect();
        assert!(!all.iter().any(unchecked));
        assert!(unchecked(&open()));
        // One that is over makes room.
        all.pop();
        assert!(!unchecked(&open()));
    }

    #[test]
    fn a_long_head_is_not_waited_for() {
        let mut check = CodingCheck::of(Gzip, Arc::default());
        assert_eq!(check.feed(b"\x1f\x8b\x08\x08\0\0\0\0\0\x03"), None);
        let long = check.feed(&[b'n'; MAX_GZIP_HEAD]);
        assert_eq!(long, Some((Gzip, F::Unchecked)));
    }

    #[test]
    fn a_header_of_gzip_may_have_a_checksum_of_its_own() {
        let head = [0x1f, 0x8b, 8, 2, 0, 0, 0, 0, 0, 3];
        let mut sum = Crc::new();
        sum.update(&head);
        let own = (sum.sum() as u16).to_le_bytes();
        let with = |sum: [u8; 2]| [&head[..], &sum, gzip().get(10..).unwrap()].concat();
        assert!(matches!(gzip_head(&with(own)), CodedHead::Whole(12, _)));
        assert!(matches!(gzip_head(&with([0, 0])), CodedHead::Damaged(12)));
    }
}
