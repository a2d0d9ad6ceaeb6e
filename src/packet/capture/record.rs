//! What the two file formats have in common: byte order, lengths that can be believed, and how a pass over a
//! buffer ends.

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

    /// The number at `at`, if the bytes reach that far.
    #[inline]
    pub(crate) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        Some(self.u32(*bytes.get(at..)?.first_chunk()?))
    }

    /// The number at `at`, if the bytes reach that far.
    #[inline]
    pub(crate) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        Some(self.u16(*bytes.get(at..)?.first_chunk()?))
    }
}

/// Some of a file's bytes, and where their records are noted.
pub(crate) struct Buffer<'b> {
    pub(crate) bytes: &'b [u8],
    /// Where `bytes` begins in the file.
    pub(crate) offset: u64,
    pub(crate) slots: &'b mut Vec<FrameSlot>,
}

/// How a pass over a buffer ended, and how far it came.
#[derive(Debug)]
pub(crate) struct BufferPass {
    /// Where the next record begins in the buffer.
    pub(crate) at: usize,
    pub(crate) then: PassEnd,
}

/// Why a pass ended.
#[derive(Debug)]
pub(crate) enum PassEnd {
    /// The next record needs this many bytes from `at`; there are fewer.
    Needs(usize),
    /// What stands at `at` cannot be a record.
    Damaged(String),
    /// As `Damaged`, and nothing after it can be read.
    Unreadable(String),
}

/// The longest frame that is believed, as in libpcap: 256 KiB, the largest snap length that captures are made
/// with; but D-Bus messages may have 128 MiB, EBHSCR frames 8 MiB and USB transfers 1 MiB. No larger claim is
/// ever allocated for, and each is allocated for only as its bytes arrive.
pub(crate) const fn longest(link: LinkType) -> u32 {
    match link.0 {
        231 => 128 << 20,
        279 => 8 << 20,
        249 => 1 << 20,
        _ => 256 << 10,
    }
}
