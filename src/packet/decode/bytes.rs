//! The bytes of one layer: those that were captured, and how many there were on the wire.
//!
//! Every read is checked and answers [`Skip::Cut`] when the captured bytes end first; no other file of this floor
//! indexes a packet by a number that came out of it.
use crate::base::net::Skip;

/// What remains of a packet at some layer. `wire` may exceed `data.len()`: the snap length cut the rest.
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

    /// The byte at `at`.
    #[inline]
    pub(super) fn u8(self, at: usize) -> Result<u8, Skip> {
        self.data.get(at).copied().ok_or(Skip::Cut)
    }

    /// The two bytes at `at`, in network order.
    #[inline]
    pub(super) fn u16(self, at: usize) -> Result<u16, Skip> {
        let bytes = self.data.get(at..).and_then(<[u8]>::first_chunk);
        bytes.copied().map(u16::from_be_bytes).ok_or(Skip::Cut)
    }

    /// The four bytes at `at`, in network order.
    #[inline]
    pub(super) fn u32(self, at: usize) -> Result<u32, Skip> {
        let bytes = self.data.get(at..).and_then(<[u8]>::first_chunk);
        bytes.copied().map(u32::from_be_bytes).ok_or(Skip::Cut)
    }

    /// What follows the first `count` bytes.
    #[inline]
    pub(super) fn after(self, count: usize) -> Result<Self, Skip> {
        let data = self.data.get(count..).ok_or(Skip::Cut)?;
        Ok(Self {
            data,
            wire: self.wire.saturating_sub(count).max(data.len()),
        })
    }

    /// Exactly `length` bytes of wire: padding falls away, and a longer claim stands although fewer were captured.
    #[inline]
    pub(super) fn of_length(self, length: usize) -> Self {
        Self {
            data: self.data.get(..length).unwrap_or(self.data),
            wire: length,
        }
    }
}
