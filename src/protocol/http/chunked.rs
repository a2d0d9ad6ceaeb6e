//! Finds where a chunked body ends (RFC 9112 §7.1). Chunk data is counted, and read only where it is checked; extensions and trailers are
//! skipped.

use memchr::memchr;

use super::fault::FaultRule;

/// Maximum bytes of a chunk size line with its extensions. Go and nginx stop at 4 and 16 KiB.
const MAX_LINE: u32 = 16 << 10;
/// Maximum bytes of all trailer fields together.
const MAX_TRAILERS: u32 = 64 << 10;
/// Hexadecimal digits of a size that always fit into its counter.
const MAX_DIGITS: u32 = 15;

/// Where in a chunked body the next byte lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChunkPart {
    /// In the digits of a size; `count` of them were seen.
    Size,
    /// After the digits, before the line end.
    Extension,
    /// In the data; `size` bytes are left.
    Data,
    /// At the CR after the data.
    DataCr,
    /// At the LF after that.
    DataLf,
    /// In a trailer line; `count` bytes of trailers were seen, `size` is 1 if the line has any byte but CR.
    Trailer,
}

/// The result of feeding some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkStep {
    /// All bytes are used, more are to come.
    More,
    /// The body ends after the bytes used.
    Done,
    /// The grammar is violated, but it is clear how to continue after the bytes used.
    Fault(FaultRule),
    /// The grammar is violated, and where the body ends is undefined. The bytes before the fault are used.
    Broken(FaultRule),
}

/// The state of a chunked body that is being skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    size: u64,
    count: u32,
    part: ChunkPart,
    trailers: u16,
    sizes: u8,
}

impl Chunks {
    pub(super) const fn new() -> Self {
        Self {
            size: 0,
            count: 0,
            part: ChunkPart::Size,
            trailers: 0,
            sizes: 0,
        }
    }

    /// Number of trailer fields so far.
    pub(super) const fn trailers(&self) -> u16 {
        self.trailers
    }

    /// Whether the last chunk has come, and what is missing is the end of the trailers.
    pub(super) fn is_after_last(&self) -> bool {
        self.part == ChunkPart::Trailer
    }

    /// Number of size lines so far; counting stops at 255.
    pub(super) const fn sizes(&self) -> u8 {
        self.sizes
    }

    /// Digits so far of the size that is being read.
    pub(super) fn digits(&self) -> u32 {
        match self.part {
            ChunkPart::Size => self.count,
            _ => 0,
        }
    }

    /// Whether a chunk size comes next: the chunk before, if there was one, is complete.
    pub(super) fn between(&self) -> bool {
        self.part == ChunkPart::Size && self.count == 0
    }

    /// Skips `length` uncaptured bytes, if all of them are the rest of a chunk, and adds its data to `data`. Returns
    /// whether they are: the line end behind the data is the only thing that can follow it.
    pub(super) fn skip(&mut self, length: u64, data: &mut u64) -> bool {
        let whole = match self.part {
            ChunkPart::Data => self.size.saturating_add(2),
            ChunkPart::DataCr => 2,
            ChunkPart::DataLf => 1,
            _ => return false,
        };
        if self.part == ChunkPart::Data && length <= self.size {
            self.take_data(length, data);
            return true;
        }
        if length == whole {
            *data = data.saturating_add(self.size);
            self.start_size();
        }
        length == whole
    }

    fn take_data(&mut self, length: u64, data: &mut u64) {
        self.size -= length;
        *data = data.saturating_add(length);
        if self.size == 0 {
            self.part = ChunkPart::DataCr;
        }
    }

    /// Skips bytes and adds the number of data bytes among them to `data`. Returns how many were used, and the result.
    pub(super) fn feed(&mut self, bytes: &[u8], data: &mut u64) -> (usize, ChunkStep) {
        self.feed_to(bytes, data, |_| {})
    }

    /// As [`Chunks::feed`]; `read` gets the data.
    #[inline]
    pub(super) fn feed_to(
        &mut self,
        bytes: &[u8],
        data: &mut u64,
        mut read: impl FnMut(&[u8]),
    ) -> (usize, ChunkStep) {
        let mut used = 0;
        while let Some(&byte) = bytes.get(used) {
            match self.part {
                ChunkPart::Size => match (byte as char).to_digit(16) {
                    Some(_) if self.count >= MAX_LINE => {
                        return (used, ChunkStep::Broken(FaultRule::ChunkExtension));
                    }
                    Some(_) if self.count >= MAX_DIGITS && self.size >> 56 != 0 => {
                        return (used, ChunkStep::Broken(FaultRule::ChunkTooLarge));
                    }
                    Some(digit) => {
                        self.size = self.size << 4 | u64::from(digit);
                        self.count += 1;
                    }
                    None if self.count == 0 => {
                        let rule = match byte {
                            b'\r' | b'\n' | b' ' | b'\t' => FaultRule::BeforeChunkSize,
                            _ => FaultRule::ChunkSize,
                        };
                        return (used, ChunkStep::Broken(rule));
                    }
                    None => {
                        self.part = ChunkPart::Extension;
                        self.count = 0;
                        if !matches!(byte, b';' | b' ' | b'\t' | b'\r' | b'\n') {
                            return (used, ChunkStep::Broken(FaultRule::ChunkSize));
                        }
                        continue;
                    }
                },
                ChunkPart::Extension => {
                    let rest = bytes.get(used..).unwrap_or_default();
                    let line = memchr(b'\n', rest);
                    let length = line.unwrap_or(rest.len());
                    self.count = self
                        .count
                        .saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
                    if self.count > MAX_LINE {
                        return (used, ChunkStep::Broken(FaultRule::ChunkExtension));
                    }
                    used += length;
                    if line.is_none() {
                        break;
                    }
                    self.count = 0;
                    self.sizes = self.sizes.saturating_add(1);
                    self.part = if self.size == 0 {
                        ChunkPart::Trailer
                    } else {
                        ChunkPart::Data
                    };
                    let line = rest.get(..length).unwrap_or_default();
                    let ended = line.strip_suffix(b"\r").unwrap_or(line);
                    if ended.contains(&b'\r') {
                        return (used + 1, ChunkStep::Fault(FaultRule::ChunkLine));
                    }
                }
                ChunkPart::Data => {
                    let take = self.size.min((bytes.len() - used) as u64);
                    self.take_data(take, data);
                    read(bytes.get(used..used + take as usize).unwrap_or_default());
                    used += take as usize;
                    continue;
                }
                ChunkPart::DataCr if byte == b'\r' => self.part = ChunkPart::DataLf,
                ChunkPart::DataCr if byte == b'\n' => {
                    self.start_size();
                    return (used + 1, ChunkStep::Fault(FaultRule::ChunkEnd));
                }
                ChunkPart::DataLf if byte == b'\n' => self.start_size(),
                ChunkPart::DataCr | ChunkPart::DataLf => {
                    return (used, ChunkStep::Broken(FaultRule::ChunkEnd));
                }
                ChunkPart::Trailer => {
                    self.count += 1;
                    if self.count > MAX_TRAILERS {
                        return (used, ChunkStep::Broken(FaultRule::HeadTooLong));
                    }
                    match byte {
                        b'\n' if self.size == 0 => return (used + 1, ChunkStep::Done),
                        b'\n' => {
                            self.size = 0;
                            self.trailers = self.trailers.saturating_add(1);
                        }
                        b'\r' => {}
                        _ => self.size = 1,
                    }
                }
            }
            used += 1;
        }
        (used, ChunkStep::More)
    }

    fn start_size(&mut self) {
        self.part = ChunkPart::Size;
        self.size = 0;
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes used, data counted, trailers, and how it ended.
    #[track_caller]
    fn check(bytes: &[u8], expect: (usize, u64, u16, ChunkStep)) {
        for slice in 1..=bytes.len() {
            let mut chunks = Chunks::new();
            let (mut used, mut data) = (0, 0);
            let mut last = ChunkStep::More;
            'bytes: for piece in bytes.chunks(slice) {
                let mut piece = piece;
                while !piece.is_empty() {
                    let (taken, step) = chunks.feed(piece, &mut data);
                    used += taken;
                    piece = &piece[taken..];
                    if step != ChunkStep::More {
                        last = step;
                    }
                    if matches!(step, ChunkStep::Done | ChunkStep::Broken(_)) {
                        break 'bytes;
                    }
                }
            }
            assert_eq!(
                (used, data, chunks.trailers(), last),
                expect,
                "in slices of {slice}"
            );
        }
    }

    #[test]
    fn bodies_end_where_they_end() {
        check(b"0\r\n\r\n", (5, 0, 0, ChunkStep::Done));
        check(b"5\r\nhello\r\n0\r\n\r\nnext", (15, 5, 0, ChunkStep::Done));
        check(
            b"1;a=b\r\nx\r\n00;z\r\nA: b\r\nC: d\r\n\r\n",
            (30, 1, 2, ChunkStep::Done),
        );
        check(
            b"A \r\n0123456789\r\n0\r\n\r\n",
            (21, 10, 0, ChunkStep::Done),
        );
        check(b"1\nx\r\n0\n\n", (8, 1, 0, ChunkStep::Done));
        check(b"5\r\nhel", (6, 3, 0, ChunkStep::More));
    }

    #[test]
    fn broken_bodies_say_where() {
        check(b"1\r\nx\n0\r\n\r\n", (10, 1, 0, ChunkStep::Done));
        check(
            b"1\r\nxy",
            (4, 1, 0, ChunkStep::Broken(FaultRule::ChunkEnd)),
        );
        check(
            b"1\r\nx\ry",
            (5, 1, 0, ChunkStep::Broken(FaultRule::ChunkEnd)),
        );
        check(
            b"zz\r\n",
            (0, 0, 0, ChunkStep::Broken(FaultRule::ChunkSize)),
        );
        check(
            b"1x\r\n",
            (1, 0, 0, ChunkStep::Broken(FaultRule::ChunkSize)),
        );
        for stray in [b"\r\n", b"\n5", b" 5", b"\t5"] {
            let step = ChunkStep::Broken(FaultRule::BeforeChunkSize);
            check(stray, (0, 0, 0, step));
        }
        check(
            b"\x0b5\r\n",
            (0, 0, 0, ChunkStep::Broken(FaultRule::ChunkSize)),
        );
        check(
            b"fffffffffffffffff\r\n",
            (15, 0, 0, ChunkStep::Broken(FaultRule::ChunkTooLarge)),
        );
    }

    #[test]
    fn an_extension_has_a_bound_of_its_own() {
        let line = format!("5;{}", "x".repeat(MAX_LINE as usize + 1));
        let mut chunks = Chunks::new();
        let (_, step) = chunks.feed(line.as_bytes(), &mut 0);
        assert_eq!(step, ChunkStep::Broken(FaultRule::ChunkExtension));
    }

    #[test]
    fn only_the_rest_of_a_chunk_can_be_skipped() {
        for (length, rest) in [(4, "\r\n0\r\n\r\n"), (6, "0\r\n\r\n")] {
            let mut chunks = Chunks::new();
            let mut data = 0;
            chunks.feed(b"5\r\nh", &mut data);
            assert!(chunks.skip(length, &mut data), "{length}");
            let end = chunks.feed(rest.as_bytes(), &mut data);
            assert_eq!(end, (rest.len(), ChunkStep::Done), "{length}");
            assert_eq!(data, 5);
        }
        let mut chunks = Chunks::new();
        let mut data = 0;
        assert!(!chunks.skip(1, &mut data));
        chunks.feed(b"5\r\nh", &mut data);
        assert!(!chunks.skip(5, &mut data) && !chunks.skip(7, &mut data));
        assert!(chunks.skip(4, &mut data));
        assert_eq!(
            chunks.feed(b"\r\n0\r\n\r\n", &mut data),
            (7, ChunkStep::Done)
        );
        assert_eq!(data, 5);
    }
}
