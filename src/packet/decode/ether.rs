//! Ethernet and what EtherTypes announce: VLAN, provider and switch tags, MPLS labels, LLC, IP.
//!
//! Tags and labels are not tunnels here: an MPLS label says where a packet goes, not which address space its addresses
//! belong to, and each direction has its own.

use super::ArpPacket;
use super::bytes::Bytes;
use super::walk::{Layer, Walk, WalkStep, ethernet_digest};
use crate::base::net::Skip;
use etherparse::EtherType;

/// The highest value of the two bytes after the addresses that is a length (IEEE 802.3 §3.2.6).
const MAX_802_3_LENGTH: u16 = 1500;

/// Two nonstandard EtherTypes that switches use for outer VLAN tags.
const VLAN_9200: u16 = 0x9200;
const VLAN_9300: u16 = 0x9300;
const MPLS_UNICAST: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
const PPPOE_SESSION: u16 = 0x8864;
pub(super) const TRANSPARENT_ETHERNET: u16 = 0x6558;
const PPP: u16 = 0x880b;
const JUMBO_LLC: u16 = 0x8870;
const BACKBONE_SERVICE_TAG: u16 = 0x88e7;
const FABRIC_PATH: u16 = 0x8903;
const CISCO_METADATA: u16 = 0x8909;
const VN_TAG: u16 = 0x8926;
const HSR: u16 = 0x892f;
const E_TAG: u16 = 0x893f;
const NSH: u16 = 0x894f;
const ARP: u16 = 0x0806;
const TRILL: u16 = 0x22f3;
const MARVELL_TAG: u16 = 0xdada;

impl<'a> Walk<'a, '_> {
    #[inline]
    pub(super) fn ethernet(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[ref addresses @ .., t0, t1]: &[u8; 14] = self.bytes.head()?;
        self.path.link_digest = ethernet_digest(self.path.link_digest, addresses);
        self.bytes = self.bytes.after(14)?;
        self.ether_type(u16::from_be_bytes([t0, t1]))
    }

    /// The layer that an EtherType announces.
    #[inline]
    pub(super) fn ether_type(&mut self, kind: u16) -> Result<WalkStep<'a>, Skip> {
        match EtherType(kind) {
            // The version field takes precedence: rewritten captures have one version under the other's EtherType.
            EtherType::IPV4 | EtherType::IPV6 => self.ip(),
            EtherType::VLAN_TAGGED_FRAME
            | EtherType::PROVIDER_BRIDGING
            | EtherType::VLAN_DOUBLE_TAGGED_FRAME => self.vlan(),
            _ => self.uncommon_ether_type(kind),
        }
    }

    /// IEEE 802.1Q §9.6.
    #[inline]
    fn vlan(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[t0, t1, n0, n1] = self.bytes.head()?;
        self.path.vlan = u16::from_be_bytes([t0, t1]) & 0x0fff;
        self.on(4, Layer::EtherType(u16::from_be_bytes([n0, n1])))
    }

    fn uncommon_ether_type(&mut self, kind: u16) -> Result<WalkStep<'a>, Skip> {
        match kind {
            0..=MAX_802_3_LENGTH | JUMBO_LLC => self.llc(),
            VLAN_9200 | VLAN_9300 => self.vlan(),
            MPLS_UNICAST | MPLS_MULTICAST => self.mpls(),
            PPPOE_SESSION => self.pppoe(),
            PPP => self.ppp(),
            TRANSPARENT_ETHERNET => Ok(WalkStep::Next(Layer::Ethernet)),
            // Provider backbone bridge (IEEE 802.1Q §9.7): the service tag, then the customer's frame.
            BACKBONE_SERVICE_TAG => self.on(4, Layer::Ethernet),
            FABRIC_PATH => self.on(2, Layer::Ethernet),
            CISCO_METADATA | E_TAG | MARVELL_TAG => self.tag(6),
            VN_TAG | HSR => self.tag(4),
            TRILL => self.trill(),
            NSH => self.nsh(),
            kind if EtherType(kind) == EtherType::MACSEC => self.macsec(),
            ARP => {
                self.note_arp();
                Err(Skip::NotIp)
            }
            _ => Err(Skip::NotIp),
        }
    }

    /// RFC 826: hardware and protocol, the lengths of their addresses, the operation, then both addresses of the sender and
    /// of the target.
    fn note_arp(&mut self) {
        const IPV4: u16 = 0x0800;
        let read = || {
            let bytes = self.bytes;
            let hardware = usize::from(bytes.u8(4)?);
            let known = bytes.u16(2)? == IPV4 && bytes.u8(5)? == 4;
            let operation = bytes.u16(6)?;
            let sender = bytes.u32(8 + hardware)?;
            let target = bytes.u32(8 + hardware + 4 + hardware)?;
            Ok::<_, Skip>((known && matches!(operation, 1 | 2)).then_some(ArpPacket {
                is_question: operation == 1,
                sender: sender.into(),
                target: target.into(),
            }))
        };
        self.arp = read().ok().flatten();
    }

    /// A tag of `length` bytes, then the next EtherType.
    fn tag(&mut self, length: usize) -> Result<WalkStep<'a>, Skip> {
        let kind = self.bytes.u16(length)?;
        self.on(length + 2, Layer::EtherType(kind))
    }

    /// RFC 6325 §3: the header, its options, then the inner frame.
    fn trill(&mut self) -> Result<WalkStep<'a>, Skip> {
        let words = self.bytes.u16(0)? >> 6 & 0x1f;
        self.on(6 + usize::from(words) * 4, Layer::Ethernet)
    }

    /// IEEE 802.1AE §9: a frame with integrity protection only can be read, an encrypted one cannot.
    fn macsec(&mut self) -> Result<WalkStep<'a>, Skip> {
        const HAS_CHANNEL_ID: u8 = 0x20;
        const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
        let control = self.bytes.u8(0)?;
        if control & ENCRYPTED_OR_CHANGED != 0 {
            return Err(Skip::Encrypted);
        }
        self.tag(if control & HAS_CHANNEL_ID != 0 { 14 } else { 6 })
    }

    /// IEEE 802.2 LLC that identifies a protocol: SNAP (RFC 1042), IP by its own SAP, or ISO's identifiers (RFC 2684
    /// §5.1).
    pub(super) fn llc(&mut self) -> Result<WalkStep<'a>, Skip> {
        match *self.bytes.head()? {
            [0xaa, 0xaa, 3] => self.on(3, Layer::Snap),
            [6, 6, 3] => self.on(3, Layer::Ip),
            [0xfe, 0xfe, 3] => match self.bytes.u8(3)? {
                0xcc | 0x8e => self.on(4, Layer::Ip),
                0xcf => self.on(4, Layer::Ppp),
                _ => Err(Skip::NotIp),
            },
            _ => Err(Skip::NotIp),
        }
    }

    /// SNAP: organisation code and protocol.
    pub(super) fn snap(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[a, b, c, p0, p1] = self.bytes.head()?;
        let protocol = u16::from_be_bytes([p0, p1]);
        match ([a, b, c], protocol) {
            // Encapsulated Ethernet, and bridge tunnel (IEEE 802.1H).
            ([0, 0, 0] | [0, 0, 0xf8], kind) => self.on(5, Layer::EtherType(kind)),
            // Bridged frames with and without a check sequence (RFC 2427 §4.2; over ATM two bytes of padding come
            // first, RFC 2684 §5.2).
            ([0, 0x80, 0xc2], 1 | 7) => {
                let rest = self.bytes.after(5)?;
                let padding = if looks_like_ethernet(rest) { 0 } else { 2 };
                self.on(5 + padding, Layer::Ethernet)
            }
            _ => Err(Skip::NotIp),
        }
    }

    /// PPPoE, RFC 2516 §4; only the session stage has this EtherType.
    pub(super) fn pppoe(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[version, code, _, _, l0, l1] = self.bytes.head()?;
        if version != 0x11 || code != 0 {
            return Err(Skip::NotIp);
        }
        self.bytes = self.bytes.after(6)?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length > 0 {
            self.bytes = self.bytes.of_length(length);
        }
        self.ppp()
    }

    /// PPP, RFC 1661 §2 and RFC 1662 §3.1; address, control and the protocol's first byte may be omitted by
    /// compression.
    pub(super) fn ppp(&mut self) -> Result<WalkStep<'a>, Skip> {
        if self.bytes.data.starts_with(&[0xff, 0x03]) {
            self.bytes = self.bytes.after(2)?;
        }
        let first = self.bytes.u8(0)?;
        let (protocol, length) = if first & 1 != 0 {
            (u16::from(first), 1)
        } else {
            (self.bytes.u16(0)?, 2)
        };
        match protocol {
            0x0021 | 0x0057 => self.on(length, Layer::Ip),
            0x0281 | 0x0283 => self.on(length, Layer::Mpls),
            // Bridged Ethernet: flags and MAC type (RFC 3518 §4.2).
            0x0031 if self.bytes.u8(length + 1)? == 1 => self.on(length + 2, Layer::Ethernet),
            // Frames of the Encryption Control Protocol, and Microsoft's, which are sent as compressed frames.
            0x0053 | 0x0055 | 0x00fd => Err(Skip::Encrypted),
            _ => Err(Skip::NotIp),
        }
    }

    /// MPLS, RFC 3032. No field says what follows the last label: IP is recognised by its version and length, an
    /// Ethernet pseudowire (RFC 4448), with or without control word, by an EtherType in the right place.
    pub(super) fn mpls(&mut self) -> Result<WalkStep<'a>, Skip> {
        loop {
            let &[_, _, bottom, _] = self.bytes.head()?;
            self.bytes = self.bytes.after(4)?;
            if bottom & 1 != 0 {
                break;
            }
        }
        if looks_like_ip(self.bytes) {
            return Ok(WalkStep::Next(Layer::Ip));
        }
        if self.bytes.u8(0)? >> 4 == 0 && looks_like_ethernet(self.bytes.after(4)?) {
            return self.on(4, Layer::Ethernet);
        }
        if looks_like_ethernet(self.bytes) {
            return Ok(WalkStep::Next(Layer::Ethernet));
        }
        match self.bytes.u8(0)? >> 4 {
            4 | 6 => Ok(WalkStep::Next(Layer::Ip)),
            _ => Err(Skip::NotIp),
        }
    }
}

/// Whether `bytes` start with an IP header with a possible length.
pub(super) fn looks_like_ip(bytes: Bytes<'_>) -> bool {
    match bytes.data {
        [0x45..=0x4f, _, l0, l1, ..] => {
            let total = usize::from(u16::from_be_bytes([*l0, *l1]));
            (20..=bytes.wire).contains(&total)
        }
        [0x60..=0x6f, _, _, _, l0, l1, next, ..] => {
            let length = usize::from(u16::from_be_bytes([*l0, *l1]));
            length + 40 <= bytes.wire
                && matches!(next, 0 | 4 | 6 | 17 | 41 | 43 | 44 | 50 | 51 | 58..=60)
        }
        _ => false,
    }
}

/// Whether `bytes` start with an Ethernet header that announces IP, with at most one VLAN tag in between.
pub(super) fn looks_like_ethernet(bytes: Bytes<'_>) -> bool {
    let behind = |at: usize| match bytes.u16(at) {
        Ok(0x0800) => bytes.u8(at + 2).is_ok_and(|byte| byte >> 4 == 4),
        Ok(0x86dd) => bytes.u8(at + 2).is_ok_and(|byte| byte >> 4 == 6),
        _ => false,
    };
    behind(12) || (matches!(bytes.u16(12), Ok(0x8100 | 0x88a8)) && behind(16))
}
