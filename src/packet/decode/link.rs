//! Link-layer header types: the layer at the start of a frame, by LINKTYPE number
//! (<https://www.tcpdump.org/linktypes.html>, which documents each layout).
//!
//! A trailing frame check sequence needs no handling: the IP header says where the packet ends. Not supported: link
//! types that carry no IP (USB, Bluetooth, CAN, 802.15.4) and those that cannot be parsed without state (raw serial
//! lines).

use super::walk::{Layer, Walk, WalkStep};
use crate::base::net::Skip;
use crate::packet::capture::LinkType;

impl<'a> Walk<'a, '_> {
    #[inline]
    pub(super) fn link(&mut self, link: LinkType) -> Result<WalkStep<'a>, Skip> {
        match link.0 {
            1 => self.ethernet(),
            12 | 14 | 101 => self.ip(),
            228 => self.ipv4(),
            229 => self.ipv6(),
            113 => self.linux_cooked(),
            other => self.uncommon_link(other),
        }
    }

    fn uncommon_link(&mut self, link: u16) -> Result<WalkStep<'a>, Skip> {
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
            // Preceded by one byte for the direction.
            166 | 204 => self.on(1, Layer::Ppp),
            205 => self.on(1, Layer::CiscoHdlc),
            206 => self.on(1, Layer::FrameRelay),
            130..=137 | 167 | 169 | 178..=181 | 183 | 194 => self.juniper(link),
            192 => self.ppi(),
            197 => self.erf(),
            219 => self.mpls(),
            226 => self.on(24, Layer::Ip),
            239 => self.netfilter_log(),
            // Preceded by four bytes from Hilscher netANALYZER, or by the preamble of an EPON frame or an Ethernet
            // mPacket.
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

    /// A BSD address family, in the capturing host's byte order (NULL) or in network order (LOOP).
    fn null(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[a, b, c, d] = self.bytes.head()?;
        if (a, b) == (0xff, 0x03) {
            return self.ppp();
        }
        // Either byte order is possible; the half that is zero is the high one.
        let family = match (a, b, c, d) {
            (0, 0, high, low) => u16::from_be_bytes([high, low]),
            (low, high, 0, 0) => u16::from_be_bytes([high, low]),
            _ => return Err(Skip::NotIp),
        };
        match family {
            // IPv6 differs by system: Linux 10, NetBSD and OpenBSD 24, Solaris 26, FreeBSD 28, Darwin 30.
            2 | 10 | 24 | 26 | 28 | 30 => self.on(4, Layer::Ip),
            1501.. => self.on(4, Layer::EtherType(family)),
            _ => Err(Skip::NotIp),
        }
    }

    fn token_ring(&mut self) -> Result<WalkStep<'a>, Skip> {
        let header = *self.bytes.head::<14>()?;
        if header[1] >> 6 != 1 {
            return Err(Skip::NotIp);
        }
        self.digest_addresses(&header[2..]);
        // The top bit of the source address announces a source route; the route's first byte holds its length.
        let route = if header[8] & 0x80 != 0 {
            usize::from(self.bytes.u8(14)? & 0x1f)
        } else {
            0
        };
        self.on(14 + route, Layer::Llc)
    }

    fn fddi(&mut self) -> Result<WalkStep<'a>, Skip> {
        let header = *self.bytes.head::<13>()?;
        if header[0] & 0xc0 != 0x40 {
            return Err(Skip::NotIp);
        }
        self.digest_addresses(&header[1..]);
        self.on(13, Layer::Llc)
    }

    pub(super) fn ppp_or_hdlc(&mut self) -> Result<WalkStep<'a>, Skip> {
        match self.bytes.u8(0)? {
            0x0f | 0x8f => self.cisco_hdlc(),
            _ => self.ppp(),
        }
    }

    pub(super) fn cisco_hdlc(&mut self) -> Result<WalkStep<'a>, Skip> {
        let kind = self.bytes.u16(2)?;
        self.on(4, Layer::EtherType(kind))
    }

    /// RFC 2684 (1483): LLC encapsulation, or the packet without any header.
    fn atm_rfc1483(&mut self) -> Result<WalkStep<'a>, Skip> {
        match self.bytes.head()? {
            [0xaa, 0xaa, 3] | [0xfe, 0xfe, 3] => self.llc(),
            _ => self.ip(),
        }
    }

    fn sun_atm(&mut self) -> Result<WalkStep<'a>, Skip> {
        match self.bytes.u8(0)? & 0x0f {
            // LAN emulation: two bytes of header, then the Ethernet frame.
            1 => self.on(6, Layer::Ethernet),
            2 => self.on(4, Layer::Llc),
            _ => Err(Skip::NotIp),
        }
    }

    /// Frame Relay, RFC 2427: an address of two to four bytes, then a network layer protocol identifier, or an
    /// EtherType in Cisco's variant.
    pub(super) fn frame_relay(&mut self) -> Result<WalkStep<'a>, Skip> {
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

    /// RFC 1201 on ARCNET as Linux captures it: addresses, an offset, the protocol, then the fragmentation header.
    fn arcnet(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[_, _, _, _, protocol, split] = self.bytes.head()?;
        let header = match split {
            // An exception frame: padded to avoid lengths that ARCNET cannot send.
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

    fn ip_over_1394(&mut self) -> Result<WalkStep<'a>, Skip> {
        let kind = self.bytes.u16(16)?;
        self.on(18, Layer::EtherType(kind))
    }

    fn ip_over_infiniband(&mut self) -> Result<WalkStep<'a>, Skip> {
        let kind = self.bytes.u16(0)?;
        self.on(4, Layer::EtherType(kind))
    }

    /// A switch chip's tag between the addresses and the EtherType (Broadcom, Marvell).
    fn switch_tag(&mut self, link: u16) -> Result<WalkStep<'a>, Skip> {
        let addresses = *self.bytes.head::<12>()?;
        self.digest_addresses(&addresses);
        // Marvell's extended tag is preceded by an EtherType of its own.
        let tag = if link == 285 { 8 } else { 4 };
        let kind = self.bytes.u16(12 + tag)?;
        self.on(14 + tag, Layer::EtherType(kind))
    }

    /// Mixes the destination and source addresses, 12 bytes, into the link digest.
    pub(super) fn digest_addresses(&mut self, addresses: &[u8]) {
        if let Some(&[a, b, c, d, e, f, g, h, i, j, k, l]) = addresses.first_chunk() {
            self.mix_link_digest(
                u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
                u64::from(u32::from_ne_bytes([i, j, k, l])),
            );
        }
    }
}
