//! The classic capture format (pcap): a header of 24 bytes, then records, each with a header of 16 bytes or more.
//!
//! The input is a buffer with part of the file's bytes; the output is a slot for each complete record in it. The format
//! is draft-ietf-opsawg-pcap. Supported variants are those that libpcap and Wireshark read: either byte order,
//! microseconds or nanoseconds, Alexey Kuznetzov's records with 24 bytes of header (some Red Hat releases), the two
//! formats of Ixia's testers, and the swapped lengths that tcpdump wrote before version 2.3 and DG/UX ever since.
//!
//! The record header is parsed directly from the buffer rather than with pcap-parser, which supports neither swapped
//! lengths, nor Kuznetzov's records in big-endian files, nor Ixia's formats. Both have the same speed (`cargo bench`).
//!
//! Files of one kind that were concatenated are read as one. Parsed as a record, the second file header would set the
//! clock to the year 2055, its magic number.
//!
//! Deliberately not supported: record formats that share a magic number with another (Nokia's, and Kuznetzov's with the
//! debugging fields). Distinguishing them requires reading ahead and guessing.

use super::frame::{FrameSlot, LinkType};
use super::record::{Buffer, BufferPass, ByteOrder, PassEnd, longest};
use super::summary::{FileSummary, Interface};
use crate::base::passage::Passage;
use crate::base::time::Timestamp;

/// Length of the file header in bytes.
pub(crate) const FILE_HEADER: usize = 24;
/// Length in bytes of the part of a record header that every variant has.
const RECORD_HEADER: usize = 16;
/// Number of plausible headers in a row required to resynchronise after damage. One false header among random bytes has
/// a probability of about one in 2^40; three are beyond any file's size.
const PROOF: usize = 3;
/// Maximum difference in seconds between neighbouring records when resynchronising after damage.
const NEIGHBOURS: u32 = 24 * 60 * 60;

/// The longest frame accepted when resynchronising after damage, so that a false header cannot make the search wait for
/// as many bytes as the longest link type allows.
const MAX_FOUND: u32 = 256 << 10;

/// The state of reading a classic file.
#[derive(Debug)]
pub(crate) struct Classic {
    order: ByteOrder,
    /// The magic number in the file's byte order.
    magic: u32,
    /// Nanoseconds per unit of the second time field.
    unit: u32,
    header: usize,
    /// Bytes of the file header not yet read.
    extra: usize,
    lengths: LengthOrder,
    link: LinkType,
    interface: u32,
    longest: u32,
    /// Seconds of the last record, to recognise records after damage.
    latest: Option<u32>,
}

/// The order of the two lengths in a record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LengthOrder {
    /// Captured length, then original length.
    InOrder,
    /// Original length, then captured length.
    Swapped,
    /// Version 2.3 was written both ways; the captured length is the smaller one.
    Either,
}

/// The fields of a record header.
#[derive(Clone, Copy)]
struct RecordHeader {
    seconds: u32,
    fraction: u32,
    captured: u32,
    length: u32,
}

impl Classic {
    /// Whether `magic` is the magic number of a supported classic file.
    pub(crate) fn knows(magic: [u8; 4]) -> bool {
        variant(magic).is_some()
    }

    /// Parses the file header.
    pub(crate) fn new(
        header: &[u8; FILE_HEADER],
        interface: u32,
        summary: &mut FileSummary,
    ) -> Result<Self, String> {
        let [a, b, c, d, ..] = *header;
        let (order, unit, record, extra) = variant([a, b, c, d]).ok_or("unknown magic number")?;
        let u16_at = |at| order.u16_at(header, at).unwrap_or(0);
        let u32_at = |at| order.u32_at(header, at).unwrap_or(0);
        let (major, minor) = (u16_at(4), u16_at(6));
        let lengths = match (major, minor) {
            (2, 0..=2) | (543, _) => LengthOrder::Swapped,
            (2, 3) => LengthOrder::Either,
            (2, _) => LengthOrder::InOrder,
            _ => {
                return Err(format!(
                    "pcap version {major}.{minor}; versions 2.0 to 2.4 are read. Try: editcap -F pcapng IN OUT"
                ));
            }
        };
        let field = u32_at(20);
        let link = LinkType(field as u16);
        // The upper bits: 4 for the length of the frame check sequence in units of 16 bits, 1 that says the length is
        // known.
        let fcs = (field & 0x0400_0000 != 0).then_some((field >> 28) as u8 * 2);
        summary.note_interface(Interface {
            number: interface,
            name: None,
            link,
            fcs,
            snap_length: u32_at(16),
            resolution: if unit == 1 { 9 } else { 6 },
        });
        Ok(Self {
            order,
            magic: u32_at(0),
            unit,
            header: record,
            extra,
            lengths,
            link,
            interface,
            longest: longest(link),
            latest: None,
        })
    }

    /// Finds the records in the buffer, starting at `at`.
    pub(crate) fn scan(
        &mut self,
        buffer: Buffer<'_>,
        mut at: usize,
        summary: &mut FileSummary,
    ) -> BufferPass {
        let Buffer { bytes, slots, .. } = buffer;
        if self.extra > 0 {
            if bytes.len() - at < self.extra {
                let then = PassEnd::Needs(self.extra);
                return BufferPass { at, then };
            }
            at += std::mem::take(&mut self.extra);
        }
        let mut latest = self.latest;
        let then = loop {
            let Some(header) = self.header_at(bytes, at) else {
                break PassEnd::Needs(self.header);
            };
            if header.seconds == self.magic {
                let Some(joined) = bytes.get(at..at + FILE_HEADER) else {
                    break PassEnd::Needs(FILE_HEADER);
                };
                summary.note_damage(
                    buffer.offset + at as u64,
                    "another file's header: joined files",
                );
                self.link = LinkType(self.order.u32_at(joined, 20).unwrap_or(0) as u16);
                self.longest = longest(self.link);
                at += FILE_HEADER;
                continue;
            }
            if header.captured > self.longest {
                break PassEnd::Damaged(format!(
                    "a record claims {} captured bytes; link type {} has at most {}",
                    header.captured, self.link.0, self.longest
                ));
            }
            let start = at + self.header;
            let end = start + header.captured as usize;
            if end > bytes.len() {
                break PassEnd::Needs(end - at);
            }
            let nanos = i64::from(header.seconds) * 1_000_000_000
                + i64::from(header.fraction) * i64::from(self.unit);
            slots.push(FrameSlot {
                time: Timestamp::from_nanos(nanos),
                start: start as u32,
                captured: header.captured,
                length: header.length,
                interface: self.interface,
                nth: slots.len() as u32,
                link: self.link,
                passage: Passage::Unknown,
            });
            latest = Some(header.seconds);
            at = end;
        };
        self.latest = latest;
        BufferPass { at, then }
    }

    /// Searches for a record, starting at `at`: [`PROOF`] plausible headers in a row, or as many as fit before the end
    /// of the file.
    pub(crate) fn search(
        &self,
        bytes: &[u8],
        mut at: usize,
        last: bool,
    ) -> Result<usize, BufferPass> {
        while at + self.header <= bytes.len() {
            match self.proof(bytes, at, last) {
                RecordCheck::Given => return Ok(at),
                RecordCheck::Refuted => at += 1,
                RecordCheck::Needs(needs) => {
                    let then = PassEnd::Needs(needs);
                    return Err(BufferPass { at, then });
                }
            }
        }
        let then = PassEnd::Needs(self.header);
        Err(BufferPass { at, then })
    }

    fn proof(&self, bytes: &[u8], from: usize, last: bool) -> RecordCheck {
        let mut at = from;
        let mut before = self.latest;
        for _ in 0..PROOF {
            if at == bytes.len() && last && at > from {
                return RecordCheck::Given;
            }
            let Some(header) = self.header_at(bytes, at) else {
                return RecordCheck::short(last, at - from + self.header);
            };
            if !self.plausible(&header, before) {
                return RecordCheck::Refuted;
            }
            before = Some(header.seconds);
            at += self.header + header.captured as usize;
            if at > bytes.len() {
                return RecordCheck::short(last, at - from);
            }
        }
        RecordCheck::Given
    }

    fn plausible(&self, header: &RecordHeader, before: Option<u32>) -> bool {
        header.captured > 0
            && header.captured <= header.length
            && header.length <= MAX_FOUND
            && u64::from(header.fraction) * u64::from(self.unit) < 1_000_000_000
            && before.is_none_or(|before| header.seconds.abs_diff(before) <= NEIGHBOURS)
    }

    #[inline]
    fn header_at(&self, bytes: &[u8], at: usize) -> Option<RecordHeader> {
        let whole = bytes.get(at..at + self.header)?;
        let numbers: &[u8; RECORD_HEADER] = whole.first_chunk()?;
        // One load of all 16 bytes; an array built byte by byte takes ten times as long.
        let all = match self.order {
            ByteOrder::Little => u128::from_le_bytes(*numbers),
            ByteOrder::Big => u128::from_be_bytes(*numbers),
        };
        let number = |n: usize| match self.order {
            ByteOrder::Little => (all >> (32 * n)) as u32,
            ByteOrder::Big => (all >> (32 * (3 - n))) as u32,
        };
        let (first, second) = (number(2), number(3));
        let swap = match self.lengths {
            LengthOrder::InOrder => false,
            LengthOrder::Swapped => true,
            LengthOrder::Either => first > second,
        };
        let (captured, length) = if swap {
            (second, first)
        } else {
            (first, second)
        };
        Some(RecordHeader {
            seconds: number(0),
            fraction: number(1),
            captured,
            length,
        })
    }
}

/// Whether a record starts at a position.
enum RecordCheck {
    Given,
    Refuted,
    Needs(usize),
}

impl RecordCheck {
    fn short(last: bool, needs: usize) -> Self {
        if last {
            Self::Refuted
        } else {
            Self::Needs(needs)
        }
    }
}

/// Byte order, nanoseconds per unit, bytes in a record header, and bytes of file header beyond the usual 24.
fn variant(magic: [u8; 4]) -> Option<(ByteOrder, u32, usize, usize)> {
    [ByteOrder::Little, ByteOrder::Big]
        .into_iter()
        .find_map(|order| {
            let (unit, record, extra) = match order.u32(magic) {
                0xa1b2_c3d4 => (1000, 16, 0),
                0xa1b2_3c4d => (1, 16, 0),
                // Kuznetzov: interface index, protocol, packet type and padding follow the lengths.
                0xa1b2_cd34 => (1000, 24, 0),
                // Ixia, hardware and software: the total size of all records follows the file header.
                0x1c00_01ac | 0x1c00_01ab => (1, 16, 4),
                _ => return None,
            };
            Some((order, unit, record, extra))
        })
}
