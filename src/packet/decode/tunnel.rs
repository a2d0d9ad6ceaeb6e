//! Tunnels directly over IP: GRE and its payloads, L2TPv3, EtherIP, IPComp, service headers.
//!
//! Each tunnel that gives its packets their own address space enters a [`super::Context`]; a header that only marks or
//! protects a packet (AH, IPComp, NSH) does not.

use crate::base::net::Skip;
use std::net::IpAddr;

use super::bytes::Bytes;
use super::ether::{TRANSPARENT_ETHERNET, looks_like_ethernet};
use super::fragment::WholeDatagram;
use super::walk::{Layer, Walk, WalkEnd, WalkStep};
use etherparse::IpNumber;
use flate2::{Decompress, FlushDecompress, Status};

/// Maximum length of a decompressed packet in bytes: the longest that IP can carry.
const MAX_INFLATED: usize = 65_535;

const ERSPAN_1_2: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;
const MIKROTIK_EOIP: u16 = 0x6400;
const WCCP: u16 = 0x883e;

impl<'a> Walk<'a, '_> {
    /// The layer for a protocol number that announces a tunnel.
    pub(super) fn ip_tunnel(&mut self, number: u8) -> Result<WalkStep<'a>, Skip> {
        /// IANA numbers that etherparse has no name for.
        const L2TP: u8 = 115;
        const ETHERNET: u8 = 143;
        match IpNumber(number) {
            IpNumber::IPV4 | IpNumber::IPIP => {
                self.enter(self.ip_in_ip("ipip", "4in6"), None);
                self.ipv4()
            }
            IpNumber::IPV6 => {
                self.enter(self.ip_in_ip("6in4", "6in6"), None);
                self.ipv6()
            }
            IpNumber::GRE => self.gre(),
            IpNumber::IP_COMP => self.ip_comp(),
            IpNumber::MPLS_IN_IP => {
                self.enter("mpls", None);
                self.mpls()
            }
            IpNumber::ETHER_IP => {
                self.enter("etherip", None);
                self.on(2, Layer::Ethernet)
            }
            IpNumber(ETHERNET) => {
                self.enter("srv6", None);
                Ok(WalkStep::Next(Layer::Ethernet))
            }
            IpNumber(L2TP) => self.l2tp_v3(),
            _ => Err(Skip::NotTcp),
        }
    }

    fn ip_in_ip(&self, over_v4: &'static str, over_v6: &'static str) -> &'static str {
        match self.path.ip.source {
            IpAddr::V4(_) => over_v4,
            IpAddr::V6(_) => over_v6,
        }
    }

    /// GRE: RFC 2784 with key and sequence number (RFC 2890), and version 1 as used by PPTP (RFC 2637 §4.1).
    fn gre(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[flags, version, p0, p1] = self.bytes.head()?;
        let (checksum, routing, key, sequence) =
            (flags & 0x80, flags & 0x40, flags & 0x20, flags & 0x10);
        let mut header = 4;
        // Source routes (RFC 1701) have not been sent for decades.
        if routing != 0 {
            return Err(Skip::NotTcp);
        }
        if checksum != 0 {
            header += 4;
        }
        let mut id = None;
        if key != 0 {
            id = Some(self.bytes.u32(header)?);
            header += 4;
        }
        if sequence != 0 {
            header += 4;
        }
        let protocol = u16::from_be_bytes([p0, p1]);
        match (version & 7, protocol) {
            (1, MIKROTIK_EOIP) => {
                self.enter("eoip", id.map(|key| u32::from((key as u16).swap_bytes())));
                self.on(8, Layer::Ethernet)
            }
            (1, _) => {
                // Each direction has its own call identifier, so it does not identify a path. Without a sequence number
                // the packet is only an acknowledgement.
                if sequence == 0 {
                    return Err(Skip::NotTcp);
                }
                self.enter("pptp", None);
                let acknowledgement = if version & 0x80 != 0 { 4 } else { 0 };
                self.on(header + acknowledgement, Layer::EtherType(protocol))
            }
            (0, ERSPAN_1_2) => {
                self.enter("erspan", None);
                // Type I has neither a sequence number nor a header.
                let erspan = if sequence != 0 { 8 } else { 0 };
                self.on(header + erspan, Layer::Ethernet)
            }
            (0, ERSPAN_3) => {
                self.enter("erspan", None);
                let flags = self.bytes.u16(header + 10)?;
                let subheader = if flags & 1 != 0 { 8 } else { 0 };
                let inner = match flags >> 10 & 0x1f {
                    0 => Layer::Ethernet,
                    _ => Layer::Ip,
                };
                self.on(header + 12 + subheader, inner)
            }
            // NVGRE (RFC 7637 §3.2): the low byte of the key identifies a flow, not a network.
            (0, TRANSPARENT_ETHERNET) => {
                self.enter("gre", id.map(|key| key >> 8));
                self.on(header, Layer::Ethernet)
            }
            (0, WCCP) => {
                self.enter("wccp", None);
                let redirect = if self.bytes.u8(header)? >> 4 == 4 {
                    0
                } else {
                    4
                };
                self.on(header + redirect, Layer::Ip)
            }
            // Aruba's access points number their radios starting here.
            (0, 0x8200..=0x83ff | 0x9000..=0x90ff) => {
                self.enter("gre", id);
                self.on(header, Layer::WifiTunnelled)
            }
            (0, _) => {
                self.enter("gre", id);
                self.on(header, Layer::EtherType(protocol))
            }
            _ => Err(Skip::Malformed),
        }
    }

    /// L2TPv3, RFC 3931 §4.1.1. Only the two ends know whether a cookie of 4 or 8 bytes and a sublayer of 4 follow; the
    /// position where an Ethernet frame is recognised decides.
    pub(super) fn l2tp_v3(&mut self) -> Result<WalkStep<'a>, Skip> {
        if self.bytes.u32(0)? == 0 {
            return Err(Skip::NotTcp);
        }
        for header in [4, 8, 12, 16] {
            if looks_like_ethernet(self.bytes.after(header)?) {
                self.enter("l2tp", None);
                return self.on(header, Layer::Ethernet);
            }
        }
        Err(Skip::NotTcp)
    }

    /// Network Service Header, RFC 8300 §2.
    pub(super) fn nsh(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[_, length, _, next] = self.bytes.head()?;
        let length = usize::from(length & 0x3f) * 4;
        if length < 8 {
            return Err(Skip::Malformed);
        }
        let next = nsh_next(next)?;
        self.on(length, next)
    }

    /// IPComp, RFC 3173: the rest is compressed, nearly always with DEFLATE (RFC 2394).
    fn ip_comp(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[protocol, _, _, _] = self.bytes.head()?;
        let packed = self.bytes.after(4)?;
        let mut data = vec![0; MAX_INFLATED];
        let mut inflate = Decompress::new(false);
        let status = inflate.decompress(packed.data, &mut data, FlushDecompress::Finish);
        let length = usize::try_from(inflate.total_out()).unwrap_or(0);
        data.truncate(length);
        // Truncated compressed data yields the beginning of the packet, but not its full length; the IP header inside
        // states it, if there is one.
        match status {
            Ok(Status::StreamEnd) => {}
            Ok(_) if length > 0 && packed.wire > packed.data.len() => {}
            _ => return Err(Skip::NotTcp),
        }
        Ok(WalkStep::End(WalkEnd::Unpacked(WholeDatagram {
            data,
            length,
            next: Layer::Protocol(protocol),
            path: self.path,
        })))
    }
}

/// The layer for a next-protocol number of NSH and VXLAN-GPE (RFC 8300 §2.2).
pub(super) fn nsh_next(number: u8) -> Result<Layer, Skip> {
    match number {
        1 | 2 => Ok(Layer::Ip),
        3 => Ok(Layer::Ethernet),
        4 => Ok(Layer::Nsh),
        5 => Ok(Layer::Mpls),
        _ => Err(Skip::NotIp),
    }
}

/// Whether an Ethernet frame that carries IP follows `header` bytes; used where a port alone proves nothing.
pub(super) fn carries_ethernet(bytes: Bytes<'_>, header: usize) -> bool {
    bytes.after(header).is_ok_and(looks_like_ethernet)
}
