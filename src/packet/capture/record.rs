//! What both file formats share: byte order, plausible lengths, and the result of a pass over a buffer.

use super::frame::{FrameSlot, LinkType};

/// The byte order of a file or section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    #[inline]
    pub(crate) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    #[inline]
    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(crate) fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }

    /// The 32-bit number at offset `at`, if `bytes` is long enough.
    #[inline]
    pub(crate) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        Some(self.u32(*bytes.get(at..)?.first_chunk()?))
    }

    /// The 16-bit number at offset `at`, if `bytes` is long enough.
    #[inline]
    pub(crate) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        Some(self.u16(*bytes.get(at..)?.first_chunk()?))
    }
}

/// Part of a file's bytes, and the slots of the records found in it.
pub(crate) struct Buffer<'b> {
    pub(crate) bytes: &'b [u8],
    /// The offset of `bytes` in the file.
    pub(crate) offset: u64,
    pub(crate) slots: &'b mut Vec<FrameSlot>,
}

/// The result of a pass over a buffer.
#[derive(Debug)]
pub(crate) struct BufferPass {
    /// The offset of the next record in the buffer.
    pub(crate) at: usize,
    pub(crate) then: PassEnd,
}

/// Why a pass ended.
#[derive(Debug)]
pub(crate) enum PassEnd {
    /// The next record needs this many bytes from `at`, and fewer are available.
    Needs(usize),
    /// The bytes at `at` cannot be a record.
    Damaged(String),
    /// Like `Damaged`, and nothing after it can be read.
    Unreadable(String),
}

/// The longest frame accepted, as in libpcap: 256 KiB, the largest snap length that captures are made with; but D-Bus
/// messages may have 128 MiB, EBHSCR frames 8 MiB and USB transfers 1 MiB. Memory is allocated only as the bytes of a
/// frame arrive, and never for a larger length.
pub(crate) const fn longest(link: LinkType) -> u32 {
    match link.0 {
        231 => 128 << 20,
        279 => 8 << 20,
        249 => 1 << 20,
        _ => 256 << 10,
    }
}
