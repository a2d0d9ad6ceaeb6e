//! Tunnels over UDP, by their registered ports: VXLAN, VXLAN-GPE, GENEVE, GTP-U, Teredo, L2TP, CAPWAP, MPLS, LISP,
//! TZSP. Other datagrams end the walk; those of DNS and QUIC are noted.
//!
//! A port is only a hint, so each header must also be plausible. Sampled headers (sFlow) are deliberately not decoded:
//! they report on packets elsewhere and do not form a connection that can be followed.

use super::ether::looks_like_ip;
use super::fragment::FragmentSender;
use super::quic::begins_with_long_header;
use super::tunnel::{carries_ethernet, nsh_next};
use super::walk::{DatagramPlace, Layer, Walk, WalkStep};
use crate::base::net::Endpoint;
use crate::base::net::Skip;

const HEADER: usize = 8;
/// The UDP port of DNS.
const DNS: u16 = 53;

impl<'a> Walk<'a, '_> {
    pub(super) fn udp(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[s0, s1, d0, d1, l0, l1, _, _] = self.bytes.head::<HEADER>()?;
        // Bytes beyond the UDP length do not belong to the datagram; a length of zero means segmentation offload.
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if (HEADER..self.bytes.wire).contains(&length) {
            self.bytes = self.bytes.of_length(length);
        }
        let (source, destination) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        match destination {
            4789 | 8472 => return self.vxlan(),
            4790 => return self.vxlan_gpe(),
            6081 => return self.geneve(),
            6635 => {
                self.enter("mpls", None);
                return self.on(HEADER, Layer::Mpls);
            }
            4341 => return self.lisp(),
            37008 => return self.tzsp(),
            _ => {}
        }
        // The tunnels above vary the source port per flow; those below may answer from their registered port.
        for port in [destination, source] {
            match port {
                2152 => return self.gtp_u(),
                3544 => return self.teredo(),
                1701 => return self.l2tp(),
                5247 => return self.capwap(),
                4500 => return self.nat_traversal(),
                DNS => {
                    self.note_datagram(source, destination);
                    return Err(Skip::NotTcp);
                }
                _ => {}
            }
        }
        if begins_with_long_header(self.bytes.after(HEADER)?) {
            self.note_datagram(source, destination);
        }
        Err(Skip::NotTcp)
    }

    /// Records the position of the payload in the frame. A reassembled datagram lies elsewhere and is not recorded.
    #[cold]
    fn note_datagram(&mut self, source: u16, destination: u16) {
        let frame = self.frame.data;
        let Ok(payload) = self.bytes.after(HEADER) else {
            return;
        };
        let place = |bytes: &[u8]| bytes.as_ptr() as usize;
        let Some(start) = place(payload.data).checked_sub(place(frame)) else {
            return;
        };
        let ends = (self.path.ip.source, self.path.ip.destination);
        self.noted_datagram = (start < frame.len()).then_some(DatagramPlace {
            start,
            length: payload.data.len(),
            context: self.path.context,
            source: Endpoint {
                ip: ends.0,
                port: source,
            },
            destination: Endpoint {
                ip: ends.1,
                port: destination,
            },
        });
    }

    /// VXLAN, RFC 7348 §5; also with a group policy in the reserved bits.
    fn vxlan(&mut self) -> Result<WalkStep<'a>, Skip> {
        let flags = self.bytes.u8(HEADER)?;
        if flags & 0x08 == 0 || !carries_ethernet(self.bytes, HEADER + 8) && flags & 0x77 != 0 {
            return Err(Skip::NotTcp);
        }
        let network = self.bytes.u32(HEADER + 4)? >> 8;
        self.enter("vxlan", Some(network));
        self.on(HEADER + 8, Layer::Ethernet)
    }

    /// VXLAN-GPE, draft-ietf-nvo3-vxlan-gpe §3.
    fn vxlan_gpe(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[_, _, _, _, _, _, _, _, flags, _, _, next] = self.bytes.head()?;
        if flags & 0x08 == 0 {
            return Err(Skip::NotTcp);
        }
        let next = if flags & 0x04 != 0 {
            nsh_next(next)?
        } else {
            Layer::Ethernet
        };
        let network = self.bytes.u32(HEADER + 4)? >> 8;
        self.enter("vxlan", Some(network));
        self.on(HEADER + 8, next)
    }

    /// GENEVE, RFC 8926 §3.4.
    fn geneve(&mut self) -> Result<WalkStep<'a>, Skip> {
        let version = self.bytes.u8(HEADER)?;
        if version >> 6 != 0 {
            return Err(Skip::NotTcp);
        }
        let options = usize::from(version & 0x3f) * 4;
        let protocol = self.bytes.u16(HEADER + 2)?;
        let network = self.bytes.u32(HEADER + 4)? >> 8;
        self.enter("geneve", Some(network));
        self.on(HEADER + 8 + options, Layer::EtherType(protocol))
    }

    /// GTP-U, 3GPP TS 29.281 §5.1. The tunnel identifiers of the two directions differ, so they do not identify a path.
    fn gtp_u(&mut self) -> Result<WalkStep<'a>, Skip> {
        const USER_PACKET: u8 = 0xff;
        let flags = self.bytes.u8(HEADER)?;
        if flags >> 4 != 3 || self.bytes.u8(HEADER + 1)? != USER_PACKET {
            return Err(Skip::NotTcp);
        }
        let mut header = HEADER + 8;
        if flags & 7 != 0 {
            // Sequence number, N-PDU number, then the chain of extension headers, each ending in the next one's type.
            let mut next = self.bytes.u8(header + 3)?;
            header += 4;
            while flags & 4 != 0 && next != 0 {
                let length = usize::from(self.bytes.u8(header)?) * 4;
                if length == 0 {
                    return Err(Skip::Malformed);
                }
                header += length;
                next = self.bytes.u8(header - 1)?;
            }
        }
        self.enter("gtp", None);
        self.on(header, Layer::Ip)
    }

    /// Teredo, RFC 4380 §5.1.1: an authentication and an origin header may precede the IPv6 packet.
    fn teredo(&mut self) -> Result<WalkStep<'a>, Skip> {
        let mut header = HEADER;
        if self.bytes.u16(header)? == 1 {
            let lengths =
                usize::from(self.bytes.u8(header + 2)?) + usize::from(self.bytes.u8(header + 3)?);
            header += 13 + lengths;
        }
        if self.bytes.u16(header)? == 0 {
            header += 8;
        }
        let packet = self.bytes.after(header)?;
        if packet.u8(0)? >> 4 != 6 || !looks_like_ip(packet) {
            return Err(Skip::NotTcp);
        }
        self.enter("teredo", None);
        self.on(header, Layer::Ip)
    }

    /// L2TP, RFC 2661 §3.1 and, with version 3, RFC 3931 §4.1.2. Each side numbers its own end of a session.
    fn l2tp(&mut self) -> Result<WalkStep<'a>, Skip> {
        const CONTROL: u16 = 0x8000;
        const LENGTH: u16 = 0x4000;
        const SEQUENCE: u16 = 0x0800;
        const OFFSET: u16 = 0x0200;
        let flags = self.bytes.u16(HEADER)?;
        match (flags & CONTROL, flags & 0x0f) {
            (0, 2) => {}
            (0, 3) => {
                self.bytes = self.bytes.after(HEADER + 4)?;
                return self.l2tp_v3();
            }
            _ => return Err(Skip::NotTcp),
        }
        let mut header = HEADER + 6;
        if flags & LENGTH != 0 {
            header += 2;
        }
        if flags & SEQUENCE != 0 {
            header += 4;
        }
        if flags & OFFSET != 0 {
            header += 2 + usize::from(self.bytes.u16(header)?);
        }
        self.enter("l2tp", None);
        self.on(header, Layer::Ppp)
    }

    /// CAPWAP, RFC 5415 §4.3: access points forward client frames in 802.11 or Ethernet form.
    fn capwap(&mut self) -> Result<WalkStep<'a>, Skip> {
        const FRAGMENT: u8 = 0x80;
        const LAST: u8 = 0x40;
        let &[_, _, _, _, _, _, _, _, preamble, sizes, bits, flags] = self.bytes.head()?;
        match preamble {
            0 => {}
            1 => return Err(Skip::Encrypted),
            _ => return Err(Skip::NotTcp),
        }
        let header = HEADER + usize::from(sizes >> 3) * 4;
        let inner = if bits & 1 != 0 {
            Layer::WifiTunnelled
        } else {
            Layer::Ethernet
        };
        let id = self.bytes.u16(HEADER + 4)?;
        let offset = self.bytes.u16(HEADER + 6)? & !7;
        self.enter("capwap", None);
        if flags & FRAGMENT == 0 {
            return self.on(header, inner);
        }
        self.bytes = self.bytes.after(header)?;
        Ok(self.piece(
            u32::from(id),
            FragmentSender::Capwap,
            inner,
            usize::from(offset),
            flags & LAST == 0,
        ))
    }

    /// LISP, RFC 9300 §5.1.
    fn lisp(&mut self) -> Result<WalkStep<'a>, Skip> {
        if !looks_like_ip(self.bytes.after(HEADER + 8)?) {
            return Err(Skip::NotTcp);
        }
        self.enter("lisp", None);
        self.on(HEADER + 8, Layer::Ip)
    }

    /// TaZmen Sniffer Protocol, a mirror over UDP: version, kind, inner protocol, tagged fields.
    fn tzsp(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[_, _, _, _, _, _, _, _, version, kind, p0, p1] = self.bytes.head()?;
        if version != 1 || kind > 1 {
            return Err(Skip::NotTcp);
        }
        let mut header = HEADER + 4;
        loop {
            match self.bytes.u8(header)? {
                0 => header += 1,
                1 => break,
                _ => header += 2 + usize::from(self.bytes.u8(header + 1)?),
            }
        }
        self.enter("tzsp", None);
        match u16::from_be_bytes([p0, p1]) {
            1 => self.on(header + 1, Layer::Ethernet),
            18 => self.on(header + 1, Layer::Wifi),
            _ => Err(Skip::NotIp),
        }
    }

    /// UDP-encapsulated ESP, RFC 3948 §2: four zero bytes mark IKE; anything else is ESP.
    fn nat_traversal(&mut self) -> Result<WalkStep<'a>, Skip> {
        match self.bytes.u32(HEADER) {
            Ok(0) | Err(_) => Err(Skip::NotTcp),
            Ok(_) => Err(Skip::Encrypted),
        }
    }
}
