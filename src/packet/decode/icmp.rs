//! ICMP errors that quote the header of a TCP segment (RFC 792, RFC 1122 §3.2.2, RFC 4443 §3).
//!
//! A router must quote eight bytes after the IP header (RFC 792): both ports and the sequence number, enough to find
//! the connection. All other ICMP messages are [`Skip::NotTcp`].

use crate::base::net::Endpoint;
use crate::base::net::Quote;
use crate::base::net::QuoteKind;
use crate::base::net::Skip;
use std::net::IpAddr;

use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice};

use crate::base::seq::Seq;

use super::bytes::Bytes;
use super::walk::{Walk, WalkEnd, WalkStep};

/// Length in bytes of the ICMP header in front of the quoted packet, in both versions.
const HEADER: usize = 8;
/// Maximum number of extension headers skipped in a quoted packet.
const MAX_EXTENSIONS: usize = 8;

impl<'a> Walk<'a, '_> {
    pub(super) fn icmp_v4(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[kind, code, _, _, _, _, high, low] = self.bytes.head::<HEADER>()?;
        let quote = match (kind, code) {
            (3, 4) => QuoteKind::TooBig,
            (3, _) => QuoteKind::Unreachable,
            (11, _) => QuoteKind::TimeExceeded,
            // Source quench, redirect, parameter problem.
            (4 | 5 | 12, _) => QuoteKind::Other,
            _ => return Err(Skip::NotTcp),
        };
        // RFC 1191 §4; older routers leave it zero.
        let mtu = u32::from(u16::from_be_bytes([high, low]));
        let mtu = (quote == QuoteKind::TooBig && mtu > 0).then_some(mtu);
        self.quote(quote, kind, code, mtu)
    }

    pub(super) fn icmp_v6(&mut self) -> Result<WalkStep<'a>, Skip> {
        let &[kind, code, _, _, m0, m1, m2, m3] = self.bytes.head::<HEADER>()?;
        let quote = match kind {
            1 => QuoteKind::Unreachable,
            2 => QuoteKind::TooBig,
            3 => QuoteKind::TimeExceeded,
            4 => QuoteKind::Other,
            _ => return Err(Skip::NotTcp),
        };
        let mtu = u32::from_be_bytes([m0, m1, m2, m3]);
        let mtu = (quote == QuoteKind::TooBig && mtu > 0).then_some(mtu);
        self.quote(quote, kind, code, mtu)
    }

    fn quote(
        &self,
        kind: QuoteKind,
        icmp_type: u8,
        icmp_code: u8,
        mtu: Option<u32>,
    ) -> Result<WalkStep<'a>, Skip> {
        let (source, destination, head) = quoted(self.bytes.after(HEADER)?)?;
        let &[s0, s1, d0, d1, q0, q1, q2, q3] = head.head()?;
        let endpoint = |ip, high, low| Endpoint {
            ip,
            port: u16::from_be_bytes([high, low]),
        };
        Ok(WalkStep::End(WalkEnd::Quote(Quote {
            frame: self.frame.number,
            time: self.frame.time,
            context: self.path.context,
            reporter: self.path.ip.source,
            kind,
            icmp_type,
            icmp_code,
            source: endpoint(source, s0, s1),
            destination: endpoint(destination, d0, d1),
            seq: Seq(u32::from_be_bytes([q0, q1, q2, q3])),
            mtu,
        })))
    }
}

/// The addresses of a quoted packet and the bytes of its TCP header.
fn quoted(packet: Bytes<'_>) -> Result<(IpAddr, IpAddr, Bytes<'_>), Skip> {
    if packet.u8(0)? >> 4 == 4 {
        let header = Ipv4HeaderSlice::from_slice(packet.data).map_err(|_| Skip::Cut)?;
        if header.protocol() != IpNumber::TCP || header.fragments_offset().value() != 0 {
            return Err(Skip::NotTcp);
        }
        return Ok((
            IpAddr::V4(header.source_addr()),
            IpAddr::V4(header.destination_addr()),
            packet.after(header.slice().len())?,
        ));
    }
    let header = Ipv6HeaderSlice::from_slice(packet.data).map_err(|_| Skip::Cut)?;
    let mut next = header.next_header();
    let mut rest = packet.after(header.slice().len())?;
    for _ in 0..MAX_EXTENSIONS {
        let length = match next {
            IpNumber::TCP => {
                return Ok((
                    IpAddr::V6(header.source_addr()),
                    IpAddr::V6(header.destination_addr()),
                    rest,
                ));
            }
            IpNumber::IPV6_FRAGMENTATION_HEADER if rest.u16(2)? & !7 == 0 => 8,
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS => 8 + usize::from(rest.u8(1)?) * 8,
            _ => break,
        };
        next = IpNumber(rest.u8(0)?);
        rest = rest.after(length)?;
    }
    Err(Skip::NotTcp)
}
