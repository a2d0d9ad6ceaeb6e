//! Link-layer header types: what the first byte of a frame is the start of, by LINKTYPE number
//! (<https://www.tcpdump.org/linktypes.html>, where each layout is written down).
//!
//! A trailing frame check sequence needs no care anywhere: the IP header says where the packet ends.
//! Left out: link types that carry no IP (USB, Bluetooth, CAN, 802.15.4) and those that need a session to be read
//! (raw serial lines).

use crate::capture::LinkType;

use super::Skip;
use super::walk::{Layer, Step, Walk};

const JUNIPER_MAGIC: [u8; 3] = [0x4d, 0x47, 0x43];

impl<'a> Walk<'a, '_> {
    #[inline]
    pub(super) fn link(&mut self, link: LinkType) -> Result<Step<'a>, Skip> {
        match link.0 {
            1 => self.ethernet(),
            12 | 14 | 101 => self.ip(),
            228 => self.ipv4(),
            229 => self.ipv6(),
            113 => self.linux_cooked(),
            other => self.uncommon_link(other),
        }
    }

    fn uncommon_link(&mut self, link: u16) -> Result<Step<'a>, Skip> {
        match link {
            0 => self.null(),
            6 => self.token_ring(),
            8 => self.on(16, Layer::Ip),
            9 | 50 => self.ppp_or_hdlc(),
            10 => self.fddi(),
            51 => self.pppoe(),
            100 => self.atm_rfc1483(),
            104 => self.cisco_hdlc(),
            105 => self.wifi(),
            106 => self.llc(),
            107 => self.frame_relay(),
            108 => self.null(),
            109 => self.bsd_encapsulation(),
            117 => self.pf_log(),
            119 => self.prism(),
            122 => self.on(16, Layer::Llc),
            123 => self.sun_atm(),
            127 => self.radiotap(),
            129 => self.arcnet(),
            138 => self.ip_over_1394(),
            163 => self.avs(),
            // A byte for the direction in front.
            166 | 204 => self.on(1, Layer::Ppp),
            205 => self.on(1, Layer::CiscoHdlc),
            206 => self.on(1, Layer::FrameRelay),
            130..=137 | 167 | 169 | 178..=181 | 183 | 194 => self.juniper(link),
            192 => self.ppi(),
            197 => self.erf(),
            219 => self.mpls(),
            226 => self.on(24, Layer::Ip),
            239 => self.netfilter_log(),
            // Hilscher netANALYZER puts four bytes, an EPON and an Ethernet mPacket a preamble in front.
            240 => self.on(4, Layer::Ethernet),
            259 | 274 => self.on(8, Layer::Ethernet),
            242 => self.ip_over_infiniband(),
            258 => self.pktap(),
            276 => self.linux_cooked_2(),
            281 | 284 | 285 => self.switch_tag(link),
            282 => self.on(4, Layer::Ethernet),
            _ => Err(Skip::LinkType),
        }
    }

    /// A BSD address family in some byte order (NULL: the capturing host's, LOOP: the network's).
    fn null(&mut self) -> Result<Step<'a>, Skip> {
        let &[a, b, c, d] = self.bytes.head()?;
        if (a, b) == (0xff, 0x03) {
            return self.ppp();
        }
        // Either end may be the low one; the high half says so by being zero.
        let family = match (a, b, c, d) {
            (0, 0, high, low) => u16::from_be_bytes([high, low]),
            (low, high, 0, 0) => u16::from_be_bytes([high, low]),
            _ => return Err(Skip::NotIp),
        };
        match family {
            // Families differ: Linux has IPv6 as 10, NetBSD and OpenBSD 24, Solaris 26, FreeBSD 28, Darwin 30.
            2 | 10 | 24 | 26 | 28 | 30 => self.on(4, Layer::Ip),
            1501.. => self.on(4, Layer::EtherType(family)),
            _ => Err(Skip::NotIp),
        }
    }

    fn token_ring(&mut self) -> Result<Step<'a>, Skip> {
        let header = *self.bytes.head::<14>()?;
        if header[1] >> 6 != 1 {
            return Err(Skip::NotIp);
        }
        self.digest_addresses(&header[2..]);
        // The top bit of the source address announces source routing; its first byte has the length.
        let route = if header[8] & 0x80 != 0 {
            usize::from(self.bytes.u8(14)? & 0x1f)
        } else {
            0
        };
        self.on(14 + route, Layer::Llc)
    }

    fn fddi(&mut self) -> Result<Step<'a>, Skip> {
        let header = *self.bytes.head::<13>()?;
        if header[0] & 0xc0 != 0x40 {
            return Err(Skip::NotIp);
        }
        self.digest_addresses(&header[1..]);
        self.on(13, Layer::Llc)
    }

    pub(super) fn ppp_or_hdlc(&mut self) -> Result<Step<'a>, Skip> {
        match self.bytes.u8(0)? {
            0x0f | 0x8f => self.cisco_hdlc(),
            _ => self.ppp(),
        }
    }

    pub(super) fn cisco_hdlc(&mut self) -> Result<Step<'a>, Skip> {
        let kind = self.bytes.u16(2)?;
        self.on(4, Layer::EtherType(kind))
    }

    /// RFC 2684 (1483): LLC, or nothing at all in front of the packet.
    fn atm_rfc1483(&mut self) -> Result<Step<'a>, Skip> {
        match self.bytes.head()? {
            [0xaa, 0xaa, 3] | [0xfe, 0xfe, 3] => self.llc(),
            _ => self.ip(),
        }
    }

    fn sun_atm(&mut self) -> Result<Step<'a>, Skip> {
        match self.bytes.u8(0)? & 0x0f {
            // LAN emulation: two bytes of its own, then the Ethernet frame.
            1 => self.on(6, Layer::Ethernet),
            2 => self.on(4, Layer::Llc),
            _ => Err(Skip::NotIp),
        }
    }

    /// RFC 2427: address of two to four bytes, then a network layer identifier, or an EtherType as Cisco has it.
    pub(super) fn frame_relay(&mut self) -> Result<Step<'a>, Skip> {
        let mut at = 1;
        while self.bytes.u8(at)? & 1 == 0 {
            at += 1;
            if at > 3 {
                return Err(Skip::Malformed);
            }
        }
        at += 1;
        if self.bytes.u8(at)? != 3 {
            let kind = self.bytes.u16(at)?;
            return self.on(at + 2, Layer::EtherType(kind));
        }
        at += 1;
        if self.bytes.u8(at)? == 0 {
            at += 1;
        }
        match self.bytes.u8(at)? {
            0xcc | 0x8e => self.on(at + 1, Layer::Ip),
            0xcf => self.on(at + 1, Layer::Ppp),
            0x80 => self.on(at + 1, Layer::Snap),
            _ => Err(Skip::NotIp),
        }
    }

    /// OpenBSD's enc: address family, SPI and flags in front of packets that IPsec has opened.
    fn bsd_encapsulation(&mut self) -> Result<Step<'a>, Skip> {
        self.on(12, Layer::Ip)
    }

    fn pf_log(&mut self) -> Result<Step<'a>, Skip> {
        let length = usize::from(self.bytes.u8(0)?);
        self.on(length.next_multiple_of(4), Layer::Ip)
    }

    /// RFC 1201 on ARCNET as Linux captures it: addresses, an offset, the protocol, then the fragmentation header.
    fn arcnet(&mut self) -> Result<Step<'a>, Skip> {
        let &[_, _, _, _, protocol, split] = self.bytes.head()?;
        let header = match split {
            // An exception frame: padded so that no frame has a length that ARCNET cannot send.
            0xff => 12,
            0 => 8,
            _ => return Err(Skip::FragmentDropped),
        };
        match protocol {
            212 | 196 => self.on(header, Layer::Ip),
            240 => self.on(5, Layer::Ip),
            _ => Err(Skip::NotIp),
        }
    }

    fn ip_over_1394(&mut self) -> Result<Step<'a>, Skip> {
        let kind = self.bytes.u16(16)?;
        self.on(18, Layer::EtherType(kind))
    }

    fn ip_over_infiniband(&mut self) -> Result<Step<'a>, Skip> {
        let kind = self.bytes.u16(0)?;
        self.on(4, Layer::EtherType(kind))
    }

    /// Juniper's header: magic, flags, extensions; then the layer that the link type names.
    fn juniper(&mut self, link: u16) -> Result<Step<'a>, Skip> {
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

    /// Per-packet information: fields about the capture, then a frame of another link type.
    fn ppi(&mut self) -> Result<Step<'a>, Skip> {
        let &[_, _, l0, l1, t0, t1, t2, t3] = self.bytes.head()?;
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        self.within(length, u32::from_le_bytes([t0, t1, t2, t3]))
    }

    /// Apple's PKTAP: process and interface, then a frame of another link type.
    fn pktap(&mut self) -> Result<Step<'a>, Skip> {
        let header = self.bytes.head::<12>()?;
        let word = |at: usize| {
            header[at..]
                .first_chunk()
                .map_or(0, |bytes| u32::from_le_bytes(*bytes))
        };
        self.within(word(0) as usize, word(8))
    }

    /// A frame of link type `inner` behind a header of `length` bytes.
    fn within(&mut self, length: usize, inner: u32) -> Result<Step<'a>, Skip> {
        // A header of no length would hold itself.
        if length < 8 {
            return Err(Skip::Malformed);
        }
        let inner = u16::try_from(inner).map_err(|_| Skip::LinkType)?;
        self.on(length, Layer::Link(LinkType(inner)))
    }

    /// Endace's extensible record: the type says what follows the record header and its extensions.
    fn erf(&mut self) -> Result<Step<'a>, Skip> {
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

    /// Linux's netfilter log: fields of type, length, value, one of which is the packet.
    fn netfilter_log(&mut self) -> Result<Step<'a>, Skip> {
        const PAYLOAD: u16 = 9;
        self.bytes = self.bytes.after(4)?;
        loop {
            let &[l0, l1, t0, t1] = self.bytes.head()?;
            // Fields are in the byte order of the host that captured; a length is small, so it shows which.
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

    /// Linux's "any" device, first version.
    fn linux_cooked(&mut self) -> Result<Step<'a>, Skip> {
        let &[_, packet, h0, h1, _, _, a, b, c, d, e, f, g, h, p0, p1] = self.bytes.head()?;
        self.digest(
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from(packet),
        );
        self.cooked(16, u16::from_be_bytes([h0, h1]), [p0, p1])
    }

    /// The second version, with the interface.
    fn linux_cooked_2(&mut self) -> Result<Step<'a>, Skip> {
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
        self.digest(
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from(packet) | interface << 8,
        );
        self.cooked(20, u16::from_be_bytes([h0, h1]), [p0, p1])
    }

    /// What follows a cooked header, by the device's ARPHRD type and the protocol.
    fn cooked(
        &mut self,
        header: usize,
        hardware: u16,
        protocol: [u8; 2],
    ) -> Result<Step<'a>, Skip> {
        match (hardware, u16::from_be_bytes(protocol)) {
            (824, _) => Err(Skip::NotIp),
            (803, _) => self.on(header, Layer::Link(LinkType(127))),
            (_, 4) => self.on(header, Layer::Llc),
            (_, kind) => self.on(header, Layer::EtherType(kind)),
        }
    }

    /// A switch chip's tag between the addresses and the EtherType (Broadcom, Marvell).
    fn switch_tag(&mut self, link: u16) -> Result<Step<'a>, Skip> {
        let addresses = *self.bytes.head::<12>()?;
        self.digest_addresses(&addresses);
        // Marvell's extended tag stands behind an EtherType of its own.
        let tag = if link == 285 { 8 } else { 4 };
        let kind = self.bytes.u16(12 + tag)?;
        self.on(14 + tag, Layer::EtherType(kind))
    }

    /// Folds destination and source addresses, 12 bytes, into the digest.
    pub(super) fn digest_addresses(&mut self, addresses: &[u8]) {
        if let Some(&[a, b, c, d, e, f, g, h, i, j, k, l]) = addresses.first_chunk() {
            self.digest(
                u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
                u64::from(u32::from_ne_bytes([i, j, k, l])),
            );
        }
    }
}
