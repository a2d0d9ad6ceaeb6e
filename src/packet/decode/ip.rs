//! IPv4 (RFC 791) and IPv6 (RFC 8200): addresses, lengths, extension headers, and fragments.
//!
//! The length in the header is authoritative: padding after the packet is dropped, and bytes cut by the snap length
//! still count. A length of zero comes from captures taken before segmentation offload (IPv4) or from BIG TCP (IPv6,
//! RFC 2675); then the packet is as long as the frame says. Header checksums are not verified.

use crate::base::net::Skip;
use std::net::{IpAddr, Ipv6Addr};

use super::fragment::{DatagramKey, Fragment, FragmentSender};
use super::walk::{IpHead, Layer, Walk, WalkEnd, WalkStep};
use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice};

impl<'a> Walk<'a, '_> {
    /// IP of either version, determined by the first four bits.
    #[inline]
    pub(super) fn ip(&mut self) -> Result<WalkStep<'a>, Skip> {
        match self.bytes.u8(0)? >> 4 {
            4 => self.ipv4(),
            6 => self.ipv6(),
            _ => Err(Skip::Malformed),
        }
    }

    #[inline]
    pub(super) fn ipv4(&mut self) -> Result<WalkStep<'a>, Skip> {
        let header = Ipv4HeaderSlice::from_slice(self.bytes.data).map_err(|error| {
            use etherparse::err::ipv4::HeaderSliceError::{Content, Len};
            match error {
                Len(_) => Skip::Cut,
                Content(_) => Skip::Malformed,
            }
        })?;
        let header_len = header.slice().len();
        match usize::from(header.total_len()) {
            0 => {}
            total if total < header_len => return Err(Skip::Malformed),
            total => self.bytes = self.bytes.of_length(total),
        }
        self.bytes = self.bytes.after(header_len)?;
        self.path.ip = IpHead {
            source: IpAddr::V4(header.source_addr()),
            destination: IpAddr::V4(header.destination_addr()),
            ttl: header.ttl(),
            id: Some(header.identification()),
        };
        let protocol = header.protocol();
        if header.is_fragmenting_payload() {
            return Ok(self.piece(
                u32::from(header.identification()),
                FragmentSender::Ipv4(protocol.0),
                Layer::Protocol(protocol.0),
                usize::from(header.fragments_offset().value()) * 8,
                header.more_fragments(),
            ));
        }
        Ok(WalkStep::Next(Layer::Protocol(protocol.0)))
    }

    #[inline]
    pub(super) fn ipv6(&mut self) -> Result<WalkStep<'a>, Skip> {
        let header = Ipv6HeaderSlice::from_slice(self.bytes.data).map_err(|error| {
            use etherparse::err::ipv6::HeaderSliceError::{Content, Len};
            match error {
                Len(_) => Skip::Cut,
                Content(_) => Skip::Malformed,
            }
        })?;
        self.bytes = self.bytes.after(header.slice().len())?;
        match usize::from(header.payload_length()) {
            0 => {}
            length => self.bytes = self.bytes.of_length(length),
        }
        self.path.ip = IpHead {
            source: IpAddr::V6(header.source_addr()),
            destination: IpAddr::V6(header.destination_addr()),
            ttl: header.hop_limit(),
            id: None,
        };
        Ok(WalkStep::Next(Layer::Protocol(header.next_header().0)))
    }

    /// The layer that a protocol number in an IP header or an extension header announces.
    #[inline]
    pub(super) fn protocol(&mut self, number: u8) -> Result<WalkStep<'a>, Skip> {
        match IpNumber(number) {
            IpNumber::TCP => Ok(WalkStep::Next(Layer::Tcp)),
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_DESTINATION_OPTIONS
            | IpNumber::MOBILITY_HEADER
            | IpNumber::HIP
            | IpNumber::SHIM6 => {
                let &[next, length] = self.bytes.head()?;
                self.on(8 + usize::from(length) * 8, Layer::Protocol(next))
            }
            IpNumber::IPV6_ROUTE_HEADER => self.routing(),
            IpNumber::IPV6_FRAGMENTATION_HEADER => self.ipv6_fragment(),
            IpNumber::AUTHENTICATION_HEADER => {
                let &[next, length] = self.bytes.head()?;
                self.on((usize::from(length) + 2) * 4, Layer::Protocol(next))
            }
            IpNumber::UDP => self.udp(),
            IpNumber::ICMP => self.icmp_v4(),
            IpNumber::IPV6_ICMP => self.icmp_v6(),
            IpNumber::ENCAPSULATING_SECURITY_PAYLOAD => Err(Skip::Encrypted),
            _ => self.ip_tunnel(number),
        }
    }

    /// The routing header (RFC 8200 §4.4). While segments are left, the destination in the IP header is an intermediate
    /// node; TCP's pseudo-header, and thus the connection, uses the final one (RFC 8200 §8.1).
    fn routing(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[next, length, kind, left] = self.bytes.head()?;
        if left > 0 {
            let last = match kind {
                // Source route (forbidden by RFC 5095, but found in captures) and Mobile IPv6 (RFC 6275 §6.4).
                0 | 2 => usize::from(length).checked_sub(2).map(|at| 8 + at * 8),
                // Segment routing lists the last segment first (RFC 8754 §2).
                4 => Some(8),
                _ => None,
            };
            let address = last
                .and_then(|at| self.bytes.data.get(at..)?.first_chunk::<16>())
                .copied();
            if let Some(address) = address {
                self.path.ip.destination = IpAddr::V6(Ipv6Addr::from(address));
            }
        }
        self.on(8 + usize::from(length) * 8, Layer::Protocol(next))
    }

    /// The fragment header (RFC 8200 §4.5). One on an unfragmented packet ("atomic fragment") is skipped (RFC 6946).
    fn ipv6_fragment(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[next, _, high, low, i0, i1, i2, i3] = self.bytes.head()?;
        let field = u16::from_be_bytes([high, low]);
        let (offset, more) = (usize::from(field & !7), field & 1 != 0);
        self.bytes = self.bytes.after(8)?;
        if offset == 0 && !more {
            return Ok(WalkStep::Next(Layer::Protocol(next)));
        }
        let id = u32::from_be_bytes([i0, i1, i2, i3]);
        Ok(self.piece(
            id,
            FragmentSender::Ipv6,
            Layer::Protocol(next),
            offset,
            more,
        ))
    }

    /// The remaining bytes as one fragment of a datagram that continues with layer `next`.
    pub(super) fn piece(
        &self,
        id: u32,
        sender: FragmentSender,
        next: Layer,
        offset: usize,
        more: bool,
    ) -> WalkStep<'a> {
        WalkStep::End(WalkEnd::Piece(Fragment {
            key: DatagramKey {
                context: self.path.context,
                source: self.path.ip.source,
                destination: self.path.ip.destination,
                id,
                sender,
            },
            next,
            offset,
            more,
            bytes: self.bytes,
            path: self.path,
        }))
    }
}
