//! A frame of one place as another place would show it: the addresses, ports, numbers and hop limit that a NAT, a firewall
//! and routers between them change. Checksums are left as they are; nobody looks at them, since offloading leaves wrong ones in captures.

use std::net::IpAddr;

use crate::base::net::{Endpoint, Flags};
use crate::packet::capture::LinkType;

const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// What to write into a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rewriting {
    pub(super) source: Endpoint,
    pub(super) destination: Endpoint,
    /// Added to the hop limit.
    pub(super) hops: i16,
    /// Added to the sequence numbers and timestamps of the sender, and to those of the receiver that it acknowledges.
    pub(super) seq: [u32; 2],
    pub(super) times: [u32; 2],
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
    if (to.seq, to.times) != ([0; 2], [0; 2]) {
        renumber(packet.get_mut(ports..)?, to)?;
    }
    Some(())
}

/// Adds to the number at this place.
fn add(bytes: &mut [u8], at: usize, number: u32) -> Option<()> {
    let place = bytes.get_mut(at..at + 4)?;
    let old = u32::from_be_bytes([place[0], place[1], place[2], place[3]]);
    place.copy_from_slice(&old.wrapping_add(number).to_be_bytes());
    Some(())
}

/// Changes the numbers of a segment: those of its header, of its timestamps and of what it acknowledges selectively.
fn renumber(tcp: &mut [u8], to: &Rewriting) -> Option<()> {
    let acks = Flags(*tcp.get(13)?).has(Flags::ACK);
    add(tcp, 4, to.seq[0])?;
    if acks {
        add(tcp, 8, to.seq[1])?;
    }
    let end = (usize::from(tcp.get(12)? >> 4) * 4).min(tcp.len());
    let mut at = 20;
    while at + 1 < end {
        let length = match tcp[at] {
            0 => break,
            1 => 1,
            _ => usize::from(tcp[at + 1]),
        };
        if length == 0 || at + length > end {
            break;
        }
        match (tcp[at], length) {
            (TIMESTAMPS, 10) => {
                add(tcp, at + 2, to.times[0])?;
                if tcp[at + 6..at + 10] != [0; 4] {
                    add(tcp, at + 6, to.times[1])?;
                }
            }
            (SACK, 10..) => {
                for edge in (at + 2..at + length - 3).step_by(4) {
                    add(tcp, edge, to.seq[1])?;
                }
            }
            _ => {}
        }
        at += length;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_changed_wherever_they_stand() {
        let to = Rewriting {
            source: Endpoint {
                ip: IpAddr::from([10, 0, 0, 1]),
                port: 1,
            },
            destination: Endpoint {
                ip: IpAddr::from([10, 0, 0, 2]),
                port: 2,
            },
            hops: 0,
            seq: [1, 0x10],
            times: [2, 0x20],
        };
        let mut tcp = vec![
            0, 9, 0, 9, 0, 0, 0, 5, 0, 0, 0, 6, 0xb0, 0x10, 0, 0, 0, 0, 0, 0,
        ];
        tcp.extend([1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 8]);
        tcp.extend([1, 1, 5, 10, 0, 0, 0, 9, 0, 0, 0, 10]);
        renumber(&mut tcp, &to).unwrap();
        assert_eq!(tcp[4..12], [0, 0, 0, 6, 0, 0, 0, 0x16]);
        assert_eq!(tcp[24..32], [0, 0, 0, 9, 0, 0, 0, 0x28]);
        assert_eq!(tcp[36..44], [0, 0, 0, 0x19, 0, 0, 0, 0x1a]);
        // Options that end too early are left as they are.
        for cut in 14..tcp.len() {
            let mut short = tcp[..cut].to_vec();
            let _ = renumber(&mut short, &to);
        }
    }
}
