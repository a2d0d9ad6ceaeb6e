//! A frame of one place as another place would show it: the addresses, ports and hop limit that a NAT and routers between
//! them change. Checksums are left as they are; nobody looks at them, since offloading leaves wrong ones in captures.

use std::net::IpAddr;

use crate::base::net::Endpoint;
use crate::packet::capture::LinkType;

/// What to write into a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rewriting {
    pub(super) source: Endpoint,
    pub(super) destination: Endpoint,
    /// Added to the hop limit.
    pub(super) hops: i16,
}

/// Where the IP header of a frame begins, if nothing but VLAN tags comes before it.
pub(super) fn network(link: LinkType, data: &[u8]) -> Option<usize> {
    let kind = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
    let is_ip = |kind: u16| matches!(kind, 0x0800 | 0x86dd);
    match link.0 {
        1 => {
            let mut at = 12;
            while matches!(kind(at)?, 0x8100 | 0x88a8) && at < 24 {
                at += 4;
            }
            is_ip(kind(at)?).then_some(at + 2)
        }
        113 => is_ip(kind(14)?).then_some(16),
        276 => is_ip(kind(0)?).then_some(20),
        0 | 108 => Some(4),
        101 | 228 | 229 => Some(0),
        _ => None,
    }
}

/// Writes into the frame, if it is TCP directly over IP. Returns whether it did.
pub(super) fn rewrite(link: LinkType, data: &mut [u8], to: &Rewriting) -> Option<()> {
    let at = network(link, data)?;
    let packet = data.get_mut(at..)?;
    let hops = |old: u8| u8::try_from((i16::from(old) + to.hops).clamp(1, 255)).unwrap_or(old);
    let ports = match (packet.first()? >> 4, to.source.ip, to.destination.ip) {
        (4, IpAddr::V4(source), IpAddr::V4(destination)) if *packet.get(9)? == 6 => {
            let length = usize::from(packet.first()? & 15) * 4;
            packet.get(length + 3)?;
            packet[8] = hops(packet[8]);
            packet[12..16].copy_from_slice(&source.octets());
            packet[16..20].copy_from_slice(&destination.octets());
            length
        }
        (6, IpAddr::V6(source), IpAddr::V6(destination)) if *packet.get(6)? == 6 => {
            packet.get(43)?;
            packet[7] = hops(packet[7]);
            packet[8..24].copy_from_slice(&source.octets());
            packet[24..40].copy_from_slice(&destination.octets());
            40
        }
        _ => return None,
    };
    packet[ports..ports + 2].copy_from_slice(&to.source.port.to_be_bytes());
    packet[ports + 2..ports + 4].copy_from_slice(&to.destination.port.to_be_bytes());
    Some(())
}
