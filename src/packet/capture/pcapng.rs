//! The pcapng format: sections of blocks, each block with its length at both ends.
//!
//! The input is a buffer with part of the file's bytes. The output is a slot for each complete packet block in it; the
//! contents of other blocks go to the [`FileSummary`]. The format is draft-ietf-opsawg-pcapng; section numbers below
//! refer to it. Supported are all three packet blocks, including the obsolete one; several sections, in either byte
//! order; and several interfaces, each with its own clock. Custom blocks, journal entries and unknown blocks are
//! skipped, as §3.1 requires; but Wireshark counts the first two as packets, so each takes up a frame number.
//!
//! The blocks are parsed directly from the buffer rather than with pcap-parser: that builds a list of the options of
//! every packet, and it takes the interface's time offset and the drop counters to be little-endian in either kind of
//! section. The tests use it as a second opinion.

use super::frame::{FrameSlot, LinkType};
use super::pcapng_facts::{self, Counters};
use super::record::{Buffer, BufferPass, ByteOrder, PassEnd, longest};
use super::summary::FileSummary;
use crate::base::passage::Passage;
use crate::base::time::Timestamp;

pub(crate) const SECTION_HEADER: u32 = 0x0A0D_0D0A;
pub(crate) const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
pub(crate) const INTERFACE_DESCRIPTION: u32 = 1;
pub(crate) const ENHANCED_PACKET: u32 = 6;
pub(super) const OBSOLETE_PACKET: u32 = 2;
pub(super) const SIMPLE_PACKET: u32 = 3;
pub(crate) const NAME_RESOLUTION: u32 = 4;
pub(crate) const INTERFACE_STATISTICS: u32 = 5;
const SYSTEMD_JOURNAL: u32 = 9;
pub(crate) const DECRYPTION_SECRETS: u32 = 10;
const CUSTOM: u32 = 0x0BAD;
const CUSTOM_NOT_COPIED: u32 = 0x4000_0BAD;

/// Bytes of a block's type and its two lengths.
const FRAMING: usize = 12;
/// The longest block accepted, as in libpcap, unless an interface's frames may be longer.
const MAX_BLOCK: u32 = 16 << 20;
/// The maximum number of bytes in a block in addition to its frame, as in libpcap: framing, lengths, options.
const MAX_BESIDE: u32 = 128 << 10;
/// The longest block accepted when resynchronising after damage: twice the longest usual frame. A longer one is lost,
/// but a false length cannot make the search wait for megabytes.
const MAX_FOUND: u32 = 512 << 10;
/// The maximum number of interfaces in a section. A description takes 20 bytes in the file and 32 in memory; this
/// bounds the latter.
const MAX_INTERFACES: usize = 1 << 16;

/// The state of reading a pcapng file.
#[derive(Debug)]
pub(crate) struct Pcapng {
    order: ByteOrder,
    /// The interfaces of this section; packets refer to them by index.
    interfaces: Vec<InterfaceTiming>,
    max_block: u32,
    /// The time of the last packet, for packets without a time of their own.
    latest: Timestamp,
    numbering: Numbering,
    counters: Counters,
}

/// The numbers of packets, as Wireshark counts them.
#[derive(Clone, Copy, Debug, Default)]
struct Numbering {
    /// The number of the last packet.
    last: u64,
    /// Number of blocks since then that are not packets but have a number in Wireshark.
    unseen: u32,
}

/// The properties of an interface that are needed to read its packets.
#[derive(Clone, Copy, Debug)]
struct InterfaceTiming {
    number: u32,
    snap_length: u32,
    link: LinkType,
    ticks: Ticks,
    /// Nanoseconds to add to each timestamp (§4.2, `if_tsoffset`).
    offset: i64,
}

/// The conversion from ticks to nanoseconds (§4.2, `if_tsresol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ticks {
    Multiply(u64),
    Divide(u64),
    /// A tick is 2^-n seconds.
    Shift(u32),
}

impl Pcapng {
    /// Whether a file with these first bytes is pcapng; needs twelve bytes.
    pub(crate) fn knows(start: &[u8]) -> bool {
        ByteOrder::Little.u32_at(start, 0) == Some(SECTION_HEADER) && section_order(start).is_some()
    }

    pub(crate) fn new() -> Self {
        Self {
            order: ByteOrder::Little,
            interfaces: Vec::new(),
            max_block: MAX_BLOCK,
            latest: Timestamp::default(),
            numbering: Numbering::default(),
            counters: Counters::default(),
        }
    }

    /// Finds the packets in the buffer, starting at `at`. `next_interface` numbers the interfaces over all inputs.
    pub(crate) fn scan(
        &mut self,
        buffer: Buffer<'_>,
        mut at: usize,
        summary: &mut FileSummary,
        next_interface: &mut u32,
    ) -> BufferPass {
        let slots = buffer.slots;
        loop {
            let block = match self.block_at(buffer.bytes, at, self.max_block) {
                Ok(block) => block,
                Err(then) => return BufferPass { at, then },
            };
            let body = at + 8;
            let understood = match block.kind {
                ENHANCED_PACKET => self.enhanced(block.body, body, slots, summary),
                OBSOLETE_PACKET => self.obsolete(block.body, body, slots, summary),
                SIMPLE_PACKET => self.simple(block.body, body, slots),
                SECTION_HEADER if unreadable(&block) => {
                    let then =
                        PassEnd::Unreadable("a section of another version than 1.x".to_owned());
                    return BufferPass { at, then };
                }
                _ => self.other(&block, summary, next_interface),
            };
            // The block's two lengths agree, so the next block starts where they say.
            if let Err(reason) = understood {
                summary.note_damage(buffer.offset + at as u64, reason);
            }
            at += block.body.len() + FRAMING;
        }
    }

    /// Searches for a block, starting at `at`: a known type, and the same plausible length at both ends.
    pub(crate) fn search(
        &self,
        bytes: &[u8],
        mut at: usize,
        last: bool,
    ) -> Result<usize, BufferPass> {
        while at + FRAMING <= bytes.len() {
            // Blocks are padded to 32 bits (§3.1), but the number of bytes lost need not be a multiple of four.
            if !self.order.u32_at(bytes, at).is_some_and(known) {
                at += 1;
                continue;
            }
            match self.block_at(bytes, at, MAX_FOUND) {
                Ok(_) => return Ok(at),
                Err(PassEnd::Needs(needs)) if !last => {
                    let then = PassEnd::Needs(needs);
                    return Err(BufferPass { at, then });
                }
                Err(_) => at += 1,
            }
        }
        let then = PassEnd::Needs(FRAMING);
        Err(BufferPass { at, then })
    }

    /// The block at `at`, if it is complete and its two lengths agree.
    #[inline]
    fn block_at<'b>(
        &self,
        bytes: &'b [u8],
        at: usize,
        max: u32,
    ) -> Result<PcapngBlock<'b>, PassEnd> {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(&[a, b, c, d, e, f, g, h]) = rest.first_chunk() else {
            return Err(PassEnd::Needs(FRAMING));
        };
        let mut order = self.order;
        // This type is a palindrome, so it also announces a section in the other byte order.
        if u32::from_le_bytes([a, b, c, d]) == SECTION_HEADER {
            if rest.len() < FRAMING {
                return Err(PassEnd::Needs(FRAMING));
            }
            order = section_order(rest)
                .ok_or_else(|| damaged("a section begins without its byte-order magic"))?;
        }
        let kind = order.u32([a, b, c, d]);
        let total = order.u32([e, f, g, h]);
        if total < FRAMING as u32 || !total.is_multiple_of(4) {
            return Err(damaged(format!(
                "a block claims {total} bytes, not a multiple of 4 from 12 on"
            )));
        }
        if total > max {
            return Err(damaged(format!(
                "a block claims {total} bytes; at most {max} are believed"
            )));
        }
        let total = total as usize;
        let Some(whole) = rest.get(..total) else {
            return Err(PassEnd::Needs(total));
        };
        let body = &whole[8..total - 4];
        let again = order.u32_at(whole, total - 4);
        if again != Some(total as u32) {
            return Err(damaged(format!(
                "a block of {total} bytes ends with the length {}",
                again.unwrap_or(0)
            )));
        }
        Ok(PcapngBlock { kind, order, body })
    }

    /// Enhanced packet block, §4.3.
    #[inline]
    fn enhanced(
        &mut self,
        body: &[u8],
        offset: usize,
        slots: &mut Vec<FrameSlot>,
        summary: &mut FileSummary,
    ) -> Result<(), String> {
        let Some(numbers) = body.first_chunk::<20>() else {
            return Err("a packet block is too short for its own header".into());
        };
        let number = |n: usize| {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| numbers[n * 4 + i]);
            self.order.u32([a, b, c, d])
        };
        let time = (u64::from(number(1)) << 32) | u64::from(number(2));
        let packet = PacketBlock {
            interface: number(0),
            ticks: time,
            captured: number(3),
            length: number(4),
        };
        self.packet(packet, &body[20..], offset + 20, slots, summary)
    }

    /// Obsolete packet block, appendix A: like the enhanced one, with a shorter interface number and its own drop
    /// counter.
    fn obsolete(
        &mut self,
        body: &[u8],
        offset: usize,
        slots: &mut Vec<FrameSlot>,
        summary: &mut FileSummary,
    ) -> Result<(), String> {
        let Some(&numbers) = body.first_chunk::<20>() else {
            return Err("a packet block is too short for its own header".into());
        };
        let u32_at = |at| self.order.u32_at(&numbers, at).unwrap_or(0);
        let u16_at = |at| self.order.u16_at(&numbers, at).unwrap_or(0);
        let packet = PacketBlock {
            interface: u32::from(u16_at(0)),
            ticks: (u64::from(u32_at(4)) << 32) | u64::from(u32_at(8)),
            captured: u32_at(12),
            length: u32_at(16),
        };
        // 0xffff means unknown.
        let dropped = u16_at(2);
        if dropped != u16::MAX {
            self.counters.between(u64::from(dropped), summary);
        }
        self.packet(packet, &body[20..], offset + 20, slots, summary)
    }

    /// Simple packet block, §4.4: on the first interface, without a time. It gets the time of the packet before it, so
    /// the clock does not move.
    fn simple(
        &mut self,
        body: &[u8],
        offset: usize,
        slots: &mut Vec<FrameSlot>,
    ) -> Result<(), String> {
        let Some(length) = self.order.u32_at(body, 0) else {
            return Err("a packet block is too short for its own header".into());
        };
        let Some(interface) = self.interfaces.first() else {
            return Err("a packet comes before any interface is described".into());
        };
        let mut captured = (body.len() - 4).min(length as usize) as u32;
        if interface.snap_length > 0 {
            captured = captured.min(interface.snap_length);
        }
        slots.push(FrameSlot {
            time: self.latest,
            start: (offset + 4) as u32,
            captured,
            length,
            interface: interface.number,
            nth: next_nth(slots, &mut self.numbering),
            link: interface.link,
            passage: Passage::Unknown,
        });
        Ok(())
    }

    #[inline]
    fn packet(
        &mut self,
        packet: PacketBlock,
        rest: &[u8],
        start: usize,
        slots: &mut Vec<FrameSlot>,
        summary: &mut FileSummary,
    ) -> Result<(), String> {
        let Some(interface) = self.interfaces.get(packet.interface as usize) else {
            return Err(format!(
                "a packet names interface {}; {} are described",
                packet.interface,
                self.interfaces.len()
            ));
        };
        let captured = packet.captured as usize;
        if captured > rest.len() {
            return Err(format!(
                "a packet claims {captured} captured bytes; its block holds {}",
                rest.len()
            ));
        }
        let time = interface.time(packet.ticks);
        slots.push(FrameSlot {
            time,
            start: start as u32,
            captured: packet.captured,
            length: packet.length,
            interface: interface.number,
            nth: next_nth(slots, &mut self.numbering),
            link: interface.link,
            passage: Passage::Unknown,
        });
        self.latest = time;
        let padded = captured.next_multiple_of(4);
        if rest.len() > padded {
            let options = &rest[padded..];
            let number = self.numbering.last;
            pcapng_facts::packet_options(options, self.order, number, &mut self.counters, summary);
        }
        Ok(())
    }

    fn other(
        &mut self,
        block: &PcapngBlock<'_>,
        summary: &mut FileSummary,
        next_interface: &mut u32,
    ) -> Result<(), String> {
        match block.kind {
            SECTION_HEADER => self.section(block, summary),
            INTERFACE_DESCRIPTION => self.interface(block, summary, next_interface),
            INTERFACE_STATISTICS => {
                let number = self.order.u32_at(block.body, 0).unwrap_or(u32::MAX);
                if let Some(interface) = self.interfaces.get(number as usize) {
                    let (order, number) = (block.order, interface.number);
                    pcapng_facts::statistics(
                        block.body,
                        order,
                        number,
                        &mut self.counters,
                        summary,
                    );
                }
                Ok(())
            }
            NAME_RESOLUTION => {
                pcapng_facts::names(block.body, block.order, summary);
                Ok(())
            }
            CUSTOM | CUSTOM_NOT_COPIED | SYSTEMD_JOURNAL => {
                self.numbering.unseen = self.numbering.unseen.saturating_add(1);
                Ok(())
            }
            DECRYPTION_SECRETS => {
                pcapng_facts::secrets(block.body, block.order, summary);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Section header block, §4.1. Interface numbers restart in each section.
    fn section(
        &mut self,
        block: &PcapngBlock<'_>,
        summary: &mut FileSummary,
    ) -> Result<(), String> {
        let order = block.order;
        let Some(options) = block.body.get(16..) else {
            return Err("a section header is too short".into());
        };
        self.order = order;
        self.interfaces.clear();
        self.max_block = MAX_BLOCK;
        pcapng_facts::comments(options, order, summary);
        Ok(())
    }

    /// Interface description block, §4.2.
    fn interface(
        &mut self,
        block: &PcapngBlock<'_>,
        summary: &mut FileSummary,
        next_interface: &mut u32,
    ) -> Result<(), String> {
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(format!(
                "more than {MAX_INTERFACES} interfaces in a section"
            ));
        }
        let number = *next_interface;
        let Some(facts) = pcapng_facts::interface(block.body, block.order, number, summary) else {
            return Err("an interface description is too short".into());
        };
        *next_interface = next_interface.saturating_add(1);
        self.interfaces.push(InterfaceTiming {
            number,
            snap_length: facts.interface.snap_length,
            link: facts.interface.link,
            ticks: Ticks::of(facts.interface.resolution),
            offset: facts.offset.saturating_mul(1_000_000_000),
        });
        let frame = longest(facts.interface.link);
        self.max_block = self.max_block.max(frame.saturating_add(MAX_BESIDE));
        summary.note_interface(facts.interface);
        Ok(())
    }
}

impl InterfaceTiming {
    #[inline]
    fn time(&self, ticks: u64) -> Timestamp {
        let nanos = self.nanos(ticks);
        // Such a time is no date: a program wrote one before the epoch, which the format does not have.
        let nanos = match i64::try_from(nanos) {
            Err(_) if ticks > i64::MAX as u64 => {
                i64::try_from(self.nanos(ticks.wrapping_neg())).map_or(i64::MAX, |it| -it)
            }
            nanos => nanos.unwrap_or(i64::MAX),
        };
        Timestamp::from_nanos(nanos.saturating_add(self.offset))
    }

    #[inline]
    fn nanos(&self, ticks: u64) -> u64 {
        match self.ticks {
            Ticks::Multiply(by) => ticks.saturating_mul(by),
            Ticks::Divide(by) => ticks / by,
            Ticks::Shift(bits) => {
                let nanos = (u128::from(ticks) * 1_000_000_000) >> bits;
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        }
    }
}

impl Ticks {
    /// Parses `if_tsresol`: a negative power of two if the highest bit is set, otherwise of ten.
    fn of(resolution: u8) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        if resolution & 0x80 != 0 {
            return Self::Shift(exponent);
        }
        match exponent {
            0..=9 => Self::Multiply(10_u64.pow(9 - exponent)),
            // Above an exponent of 28, everything that 64 bits can count is less than a nanosecond.
            _ => Self::Divide(10_u64.checked_pow(exponent - 9).unwrap_or(u64::MAX)),
        }
    }
}

/// A block's content between its two lengths.
struct PcapngBlock<'b> {
    kind: u32,
    order: ByteOrder,
    body: &'b [u8],
}

/// The header fields that the enhanced and the obsolete packet block share.
struct PacketBlock {
    interface: u32,
    ticks: u64,
    captured: u32,
    length: u32,
}

/// §4.1: "if the major version number is not one that is known, the section must not be read".
fn unreadable(section: &PcapngBlock<'_>) -> bool {
    section
        .order
        .u16_at(section.body, 4)
        .is_some_and(|major| major != 1)
}

/// The next packet's offset from the batch's first number; `unseen` numbered blocks precede it.
#[inline]
fn next_nth(slots: &[FrameSlot], numbering: &mut Numbering) -> u32 {
    let next = slots.last().map_or(0, |slot| slot.nth.saturating_add(1));
    let unseen = std::mem::take(&mut numbering.unseen);
    numbering.last = numbering.last.saturating_add(u64::from(unseen) + 1);
    next.saturating_add(unseen)
}

fn damaged(reason: impl Into<String>) -> PassEnd {
    PassEnd::Damaged(reason.into())
}

fn known(kind: u32) -> bool {
    matches!(
        kind,
        SECTION_HEADER
            | INTERFACE_DESCRIPTION
            | OBSOLETE_PACKET
            | SIMPLE_PACKET
            | NAME_RESOLUTION
            | INTERFACE_STATISTICS
            | ENHANCED_PACKET
            | SYSTEMD_JOURNAL
            | DECRYPTION_SECRETS
            | CUSTOM
            | CUSTOM_NOT_COPIED
    )
}

/// The byte order of the section that starts here.
fn section_order(start: &[u8]) -> Option<ByteOrder> {
    [ByteOrder::Little, ByteOrder::Big]
        .into_iter()
        .find(|order| order.u32_at(start, 8) == Some(BYTE_ORDER_MAGIC))
}
