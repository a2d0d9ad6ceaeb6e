//! The bytes of one layer: those that were captured, and how many there were on the wire.
//!
//! Every read is checked and returns [`Skip::Cut`] if the captured bytes end first; no other file of this module
//! indexes a packet by a number taken from the packet.
use crate::base::net::Skip;

/// The rest of a packet at some layer. `wire` exceeds `data.len()` if the snap length cut the packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    pub(super) data: &'a [u8],
    pub(super) wire: usize,
}

impl<'a> Bytes<'a> {
    /// The first `N` bytes.
    #[inline]
    pub(super) fn head<const N: usize>(self) -> Result<&'a [u8; N], Skip> {
        self.data.first_chunk().ok_or(Skip::Cut)
    }

    /// The byte at offset `at`.
    #[inline]
    pub(super) fn u8(self, at: usize) -> Result<u8, Skip> {
        self.data.get(at).copied().ok_or(Skip::Cut)
    }

    /// The 16-bit number at offset `at`, in network order.
    #[inline]
    pub(super) fn u16(self, at: usize) -> Result<u16, Skip> {
        let bytes = self.data.get(at..).and_then(<[u8]>::first_chunk);
        bytes.copied().map(u16::from_be_bytes).ok_or(Skip::Cut)
    }

    /// The 32-bit number at offset `at`, in network order.
    #[inline]
    pub(super) fn u32(self, at: usize) -> Result<u32, Skip> {
        let bytes = self.data.get(at..).and_then(<[u8]>::first_chunk);
        bytes.copied().map(u32::from_be_bytes).ok_or(Skip::Cut)
    }

    /// The bytes after the first `count`.
    #[inline]
    pub(super) fn after(self, count: usize) -> Result<Self, Skip> {
        let data = self.data.get(count..).ok_or(Skip::Cut)?;
        Ok(Self {
            data,
            wire: self.wire.saturating_sub(count).max(data.len()),
        })
    }

    /// Limits the layer to `length` bytes on the wire. Removes padding; `length` also holds if fewer bytes were
    /// captured.
    #[inline]
    pub(super) fn of_length(self, length: usize) -> Self {
        Self {
            data: self.data.get(..length).unwrap_or(self.data),
            wire: length,
        }
    }
}
