//! Link types that put a header about the capture itself in front of the packet: the interface, the process, the
//! firewall rule. Each such header states the type of the frame that follows.

use super::walk::{Layer, Walk, WalkStep};
use crate::base::net::Skip;
use crate::packet::capture::LinkType;

const JUNIPER_MAGIC: [u8; 3] = [0x4d, 0x47, 0x43];

impl<'a> Walk<'a, '_> {
    /// OpenBSD's enc: address family, SPI and flags in front of packets that IPsec has decrypted.
    pub(super) fn bsd_encapsulation(&mut self) -> Result<WalkStep<'a>, Skip> {
        self.on(12, Layer::Ip)
    }

    pub(super) fn pf_log(&mut self) -> Result<WalkStep<'a>, Skip> {
        let length = usize::from(self.bytes.u8(0)?);
        self.on(length.next_multiple_of(4), Layer::Ip)
    }

    /// Juniper's header: magic, flags, extensions; then the layer that the link type names.
    pub(super) fn juniper(&mut self, link: u16) -> Result<WalkStep<'a>, Skip> {
        const HAS_EXTENSIONS: u8 = 0x80;
        const NO_LINK_LAYER: u8 = 0x02;
        let &[m0, m1, m2, flags] = self.bytes.head()?;
        if [m0, m1, m2] != JUNIPER_MAGIC {
            return Err(Skip::Malformed);
        }
        let header = match flags & HAS_EXTENSIONS {
            0 => 4,
            _ => 6 + usize::from(self.bytes.u16(4)?),
        };
        if flags & NO_LINK_LAYER != 0 {
            return self.on(header + 4, Layer::Ip);
        }
        match link {
            178 => self.on(header, Layer::Ethernet),
            179 => self.on(header, Layer::Ppp),
            180 => self.on(header, Layer::FrameRelay),
            181 => self.on(header, Layer::CiscoHdlc),
            167 => self.on(header, Layer::PppoeSession),
            _ => Err(Skip::LinkType),
        }
    }

    /// Per-Packet Information (PPI): fields about the capture, then a frame of another link type.
    pub(super) fn ppi(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[_, _, l0, l1, t0, t1, t2, t3] = self.bytes.head()?;
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        self.within(length, u32::from_le_bytes([t0, t1, t2, t3]))
    }

    /// Apple's PKTAP: process and interface, then a frame of another link type.
    pub(super) fn pktap(&mut self) -> Result<WalkStep<'a>, Skip> {
        let header = self.bytes.head::<12>()?;
        let word = |at: usize| {
            header[at..]
                .first_chunk()
                .map_or(0, |bytes| u32::from_le_bytes(*bytes))
        };
        self.within(word(0) as usize, word(8))
    }

    /// A frame of link type `inner` behind a header of `length` bytes.
    fn within(&mut self, length: usize, inner: u32) -> Result<WalkStep<'a>, Skip> {
        // A shorter header would make the frame contain itself.
        if length < 8 {
            return Err(Skip::Malformed);
        }
        let inner = u16::try_from(inner).map_err(|_| Skip::LinkType)?;
        self.on(length, Layer::Link(LinkType(inner)))
    }

    /// Endace's extensible record format (ERF): the type determines what follows the record header and its extensions.
    pub(super) fn erf(&mut self) -> Result<WalkStep<'a>, Skip> {
        let kind = self.bytes.u8(8)?;
        let mut header = 16;
        let mut extended = kind & 0x80 != 0;
        while extended {
            extended = self.bytes.u8(header)? & 0x80 != 0;
            header += 8;
        }
        match kind & 0x7f {
            2 | 11 | 16 | 20 => self.on(header + 2, Layer::Ethernet),
            1 | 10 | 15 | 17 => self.on(header, Layer::Hdlc),
            22 | 23 => self.on(header, Layer::Ip),
            _ => Err(Skip::NotIp),
        }
    }

    /// Linux's netfilter log: type-length-value fields, one of which is the packet.
    pub(super) fn netfilter_log(&mut self) -> Result<WalkStep<'a>, Skip> {
        const PAYLOAD: u16 = 9;
        self.bytes = self.bytes.after(4)?;
        loop {
            let &[l0, l1, t0, t1] = self.bytes.head()?;
            // Fields are in the byte order of the capturing host. Lengths are small, so a length reveals the byte
            // order.
            let little = u16::from_le_bytes([l0, l1]);
            let (length, kind) = if l0 != 0 && usize::from(little) <= self.bytes.wire {
                (little, u16::from_le_bytes([t0, t1]))
            } else {
                (u16::from_be_bytes([l0, l1]), u16::from_be_bytes([t0, t1]))
            };
            if length < 4 {
                return Err(Skip::Malformed);
            }
            if kind & 0x7fff == PAYLOAD {
                self.bytes = self.bytes.of_length(usize::from(length));
                return self.on(4, Layer::Ip);
            }
            self.bytes = self.bytes.after(usize::from(length).next_multiple_of(4))?;
        }
    }

    /// Linux's "any" device, version 1 (SLL).
    pub(super) fn linux_cooked(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[_, packet, h0, h1, _, _, a, b, c, d, e, f, g, h, p0, p1] = self.bytes.head()?;
        self.mix_link_digest(
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from(packet),
        );
        self.cooked(16, u16::from_be_bytes([h0, h1]), [p0, p1])
    }

    /// Version 2 (SLL2), with the interface.
    pub(super) fn linux_cooked_2(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[
            p0,
            p1,
            _,
            _,
            i0,
            i1,
            i2,
            i3,
            h0,
            h1,
            packet,
            _,
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
        ] = self.bytes.head()?;
        let interface = u64::from(u32::from_be_bytes([i0, i1, i2, i3]));
        self.mix_link_digest(
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from(packet) | interface << 8,
        );
        self.cooked(20, u16::from_be_bytes([h0, h1]), [p0, p1])
    }

    /// The layer after a cooked header, by the device's ARPHRD type and the protocol.
    fn cooked(
        &mut self,
        header: usize,
        hardware: u16,
        protocol: [u8; 2],
    ) -> Result<WalkStep<'a>, Skip> {
        match (hardware, u16::from_be_bytes(protocol)) {
            (824, _) => Err(Skip::NotIp),
            (803, _) => self.on(header, Layer::Link(LinkType(127))),
            (_, 4) => self.on(header, Layer::Llc),
            (_, kind) => self.on(header, Layer::EtherType(kind)),
        }
    }
}
