//! IEEE 802.11 data frames and the headers that capture cards put in front of them.
//!
//! Protected frames are [`Skip::Encrypted`] unless the card has already decrypted them, which the LLC header shows. The
//! packets of an A-MSDU are decoded one by one ([`super::Decoder::decode_more`]); fragments of an MSDU are dropped.
use super::bytes::Bytes;
use super::walk::{Layer, RestOfFrame, Walk, WalkStep};
use crate::base::net::Skip;

/// The start of the LLC header in front of every IP packet.
const SNAP: [u8; 3] = [0xaa, 0xaa, 3];
/// Link type 119 may hold a prism or an AVS header; AVS starts with these bytes.
const AVS_MAGIC: [u8; 3] = [0x80, 0x21, 0x10];

const TO_DS: u8 = 0x01;
const FROM_DS: u8 = 0x02;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
const SUBTYPE_NO_DATA: u8 = 0x40;
const SUBTYPE_QOS: u8 = 0x80;
const QOS_AMSDU: u8 = 0x80;

impl<'a> Walk<'a, '_> {
    pub(super) fn radiotap(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[_, _, low, high] = self.bytes.head()?;
        self.on(usize::from(u16::from_le_bytes([low, high])), Layer::Wifi)
    }

    pub(super) fn prism(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[a, b, c, _, l0, l1, l2, l3] = self.bytes.head()?;
        if [a, b, c] == AVS_MAGIC {
            return self.avs();
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        self.on(length, Layer::Wifi)
    }

    pub(super) fn avs(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[_, _, _, _, l0, l1, l2, l3] = self.bytes.head()?;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        self.on(length, Layer::Wifi)
    }

    pub(super) fn wifi(&mut self) -> Result<WalkStep<'a>, Skip> {
        let header = *self.bytes.head::<24>()?;
        self.data_frame(header[0], header[1], &header)
    }

    /// 802.11 as carried by tunnels to access points: some swap the two bytes of the frame control field, which is
    /// recognisable because version 0 and type "data" must come first.
    pub(super) fn wifi_tunnelled(&mut self) -> Result<WalkStep<'a>, Skip> {
        let header = *self.bytes.head::<24>()?;
        if header[0] & 0x0f == 0x08 {
            self.data_frame(header[0], header[1], &header)
        } else {
            self.data_frame(header[1], header[0], &header)
        }
    }

    fn data_frame(&mut self, kind: u8, flags: u8, header: &[u8; 24]) -> Result<WalkStep<'a>, Skip> {
        // Version 0, type 2 (data); "no data" subtypes carry no packet.
        if kind & 0x0f != 0x08 || kind & SUBTYPE_NO_DATA != 0 {
            return Err(Skip::NotIp);
        }
        self.digest_addresses(&header[4..16]);
        let mut length = 24;
        if flags & (TO_DS | FROM_DS) == TO_DS | FROM_DS {
            length += 6;
        }
        let mut aggregate = false;
        if kind & SUBTYPE_QOS != 0 {
            aggregate = self.bytes.u8(length)? & QOS_AMSDU != 0;
            length += if flags & ORDER != 0 { 6 } else { 2 };
        }
        let length = body(self.bytes, length, aggregate);
        let llc = if aggregate { length + 14 } else { length };
        let opened = self.bytes.after(llc)?.data.starts_with(&SNAP);
        if flags & PROTECTED != 0 && !opened {
            return Err(Skip::Encrypted);
        }
        // A fragment number other than zero would mean a later piece, but some tunnels store other values there.
        if flags & MORE_FRAGMENTS != 0 || (header[22] & 0x0f != 0 && !opened) {
            return Err(Skip::FragmentDropped);
        }
        if aggregate {
            return self.on(length, Layer::Aggregate);
        }
        self.on(llc, Layer::Llc)
    }

    /// One A-MSDU subframe: addresses, length, packet, padding to four bytes (IEEE 802.11 §9.3.2.2). The bytes after it
    /// are recorded as the rest.
    pub(super) fn aggregate(&mut self) -> Result<WalkStep<'a>, Skip> {
        let length = usize::from(self.bytes.u16(12)?);
        let next = self.bytes.after((14 + length).next_multiple_of(4));
        self.rest = next
            .ok()
            .filter(|rest| rest.data.len() > 14)
            .map(|rest| RestOfFrame {
                // Outer layers may have removed bytes at both ends, so the offset is computed from the addresses.
                start: (rest.data.as_ptr() as usize)
                    .wrapping_sub(self.frame.data.as_ptr() as usize),
                captured: rest.data.len(),
                wire: rest.wire,
                path: self.path,
            });
        self.on(14, Layer::Llc)
    }
}

/// The offset of the body: some cards pad the header to four bytes, which the position of the LLC header shows.
fn body(bytes: Bytes<'_>, length: usize, aggregate: bool) -> usize {
    let padded = length.next_multiple_of(4);
    let inner = if aggregate { 14 } else { 0 };
    let is_llc = |at: usize| {
        bytes
            .data
            .get(at + inner..)
            .is_some_and(|rest| rest.starts_with(&SNAP))
    };
    if !is_llc(length) && is_llc(padded) {
        padded
    } else {
        length
    }
}
