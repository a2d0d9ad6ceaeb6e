//! Builds real frames from a ladder: Ethernet, IPv4 or IPv6, TCP, with correct lengths and checksums.

use std::net::IpAddr;
use std::time::Duration;

use etherparse::{
    IpHeaders, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, TcpHeader, TcpOptions,
};

use super::dns::Dns;
use super::notation::{Cell, Ladder, Sends, Title, by_title};
use super::sequence::{RelativeNumbers, SequenceNumbers};
use crate::analysis::connection::Who;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::{Endpoint, Flags};
use crate::base::time::Timestamp;
use crate::packet::capture::{Frame, LinkType};
use crate::protocol::dns::RecordType;

/// The start time of every ladder.
const START: Timestamp = Timestamp::new(1_247_276_416, 0);
/// The link type of Ethernet.
const ETHERNET: LinkType = LinkType(1);
/// Length of the Ethernet header.
const ETHERNET_HEADER: usize = 14;
/// The sender of ICMP errors that do not come from the host itself.
const ROUTER: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 0, 0, 254);
/// The defaults where a title states none.
const TTL: u8 = 64;
const WINDOW: u16 = 64_240;
const ISN: [u32; 2] = [1_000_000, 5_000_000];
const MSS: u16 = 1460;

/// A frame with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedFrame {
    /// The frame number, from 1.
    pub number: FrameNumber,
    /// When it was captured.
    pub time: Timestamp,
    /// Length on the wire.
    pub length: u32,
    /// The captured bytes.
    pub bytes: Vec<u8>,
    /// The line of the ladder that it comes from, counted from 1.
    pub line: usize,
    /// The sender.
    pub from: Who,
    /// The client's address.
    pub client: Endpoint,
}

impl OwnedFrame {
    /// The frame as a source returns it.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        Frame {
            number: self.number,
            time: self.time,
            link: ETHERNET,
            interface: 0,
            length: self.length,
            passage: crate::base::passage::Passage::Unknown,
            data: &self.bytes,
        }
    }
}

/// The captured frames of a ladder, in order of time.
#[must_use]
pub fn frames(ladder: &Ladder) -> Vec<OwnedFrame> {
    let (titles, packets) = by_title(ladder);
    let mut frames = Vec::new();
    for (index, title) in titles.iter().enumerate() {
        for copy in 0..title.times {
            let mut wire = Wire::new(title, copy);
            let delay = title.every.saturating_mul(copy.into());
            for (line, _, packet) in packets.iter().filter(|(_, title, _)| *title == index) {
                let (bytes, length) = wire.send(packet.from, &packet.cell);
                if packet.seen {
                    frames.push(OwnedFrame {
                        number: FrameNumber(0),
                        time: START.after(packet.time.saturating_add(delay)),
                        length,
                        bytes,
                        line: line + 1,
                        from: packet.from,
                        client: wire.ends[0],
                    });
                }
            }
        }
    }
    // At equal times, lines keep their order; copies of a connection follow one another.
    frames.sort_by_key(|frame| (frame.time, frame.line));
    for (number, frame) in (1..).zip(&mut frames) {
        frame.number = FrameNumber(number);
    }
    frames
}

/// Writes a capture file (pcap with nanoseconds, little-endian).
#[must_use]
pub fn to_pcap(frames: &[OwnedFrame]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [
        0xa1b2_3c4d,
        0x0004_0002,
        0,
        0,
        262_144,
        u32::from(ETHERNET.0),
    ] {
        file.extend_from_slice(&u32::to_le_bytes(word));
    }
    for frame in frames {
        let time = Duration::from_nanos(u64::try_from(frame.time.as_nanos()).unwrap_or(0));
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let captured = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        for word in [seconds, time.subsec_nanos(), captured, frame.length] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&frame.bytes);
    }
    file
}

/// One connection while its frames are built.
struct Wire {
    ends: [Endpoint; 2],
    ttl: [u8; 2],
    window: [u16; 2],
    numbers: SequenceNumbers,
    /// The payload that `again` repeats.
    last: [Vec<u8>; 2],
    /// The IP packet that each side sent last.
    packets: [Vec<u8>; 2],
    /// The last IPv4 identification.
    id: [u16; 2],
    /// The name that was queried last.
    asked: Option<(String, RecordType)>,
}

impl Wire {
    fn new(title: &Title, copy: u16) -> Self {
        let [client, server] = &title.sides;
        let mut ends = [client.endpoint, server.endpoint];
        ends[0].port = ends[0].port.wrapping_add(copy);
        Self {
            ends,
            ttl: [client, server].map(|side| side.ttl.unwrap_or(TTL)),
            window: [client, server].map(|side| side.window.unwrap_or(WINDOW)),
            numbers: SequenceNumbers::new([
                client.isn.unwrap_or(ISN[0]),
                server.isn.unwrap_or(ISN[1]),
            ]),
            last: Default::default(),
            packets: Default::default(),
            id: [0x1000, 0x2000],
            asked: None,
        }
    }

    /// The frame's bytes as captured, and its length on the wire.
    fn send(&mut self, who: Who, cell: &Cell) -> (Vec<u8>, u32) {
        let me = who as usize;
        if let Some(code) = cell.deviations.unreachable {
            let bytes = self.unreachable(who, code);
            let length = bytes.len() as u32;
            return (bytes, length);
        }
        if let Some(lookup) = &cell.lookup {
            let bytes = self.datagram(who, lookup);
            let length = bytes.len() as u32;
            return (bytes, length);
        }
        if let Some(arp) = cell.arp {
            let end = |who: Who| match self.ends[who as usize].ip {
                IpAddr::V4(ip) => (ip, mac(who)),
                IpAddr::V6(_) => (std::net::Ipv4Addr::UNSPECIFIED, mac(who)),
            };
            let bytes = arp.frame(end(who), end(who.other()));
            let length = bytes.len() as u32;
            return (bytes, length);
        }
        let payload = match cell.sends {
            Sends::New => {
                let mut bytes = cell.bytes();
                bytes.truncate(super::notation::MAX_PAYLOAD as usize);
                bytes
            }
            Sends::Again => self.last[me].clone(),
            Sends::Probe => Vec::new(),
        };
        let header = self.numbers.send(who, cell, payload.len() as u32);
        let id = self.identify(who, cell, header);
        let mut bytes = Vec::with_capacity(80 + payload.len());
        let tcp = self.tcp_header(who, cell, header, &payload);
        // From the checksum to the end of the header.
        let below = tcp.header_len() - 16;
        let builder = PacketBuilder::ethernet2(mac(who), mac(who.other()))
            .ip(self.ip_header(who, cell, id, IpNumber::TCP))
            .tcp_header(tcp);
        builder
            .write(&mut bytes, &payload)
            .expect("a vector takes everything, and the payload is short enough for a segment");
        let length = bytes.len() as u32;
        self.packets[me] = bytes[ETHERNET_HEADER..].to_vec();
        if cell.deviations.damaged
            && let Some(sum) = bytes.len().checked_sub(payload.len() + below)
            && let Some(sum) = bytes.get_mut(sum)
        {
            *sum ^= 0x40;
        }
        if let Some(cut) = cell.deviations.cut {
            let lost = payload.len().saturating_sub(cut as usize);
            bytes.truncate(bytes.len() - lost);
        }
        let repeats =
            header.flags.has(Flags::SYN) || header.flags.has(Flags::FIN) || !payload.is_empty();
        if repeats && !header.flags.has(Flags::RST) {
            self.last[me] = payload;
        }
        (bytes, length)
    }

    /// A UDP datagram with a DNS message.
    fn datagram(&mut self, who: Who, lookup: &Dns) -> Vec<u8> {
        let payload = lookup.bytes(&mut self.asked);
        let [source, destination] = [who, who.other()].map(|who| self.ends[who as usize].port);
        let ip = self.ip_header(who, &Cell::default(), 0, IpNumber::UDP);
        let mut bytes = Vec::with_capacity(80 + payload.len());
        PacketBuilder::ethernet2(mac(who), mac(who.other()))
            .ip(ip)
            .udp(source, destination)
            .write(&mut bytes, &payload)
            .expect("a vector takes everything, and a message of DNS is short");
        bytes
    }

    /// An ICMP error about the other side's last packet: from the host itself if it has no such port (code 3), else
    /// from a router.
    fn unreachable(&self, who: Who, code: u8) -> Vec<u8> {
        let quoted = &self.packets[who.other() as usize];
        let from = |host: IpAddr, router: IpAddr| if code == 3 { host } else { router };
        let ethernet = PacketBuilder::ethernet2(mac(who), mac(who.other()));
        let mut bytes = Vec::new();
        let written = match (
            self.ends[who as usize].ip,
            self.ends[who.other() as usize].ip,
        ) {
            (host @ IpAddr::V4(_), IpAddr::V4(to)) => {
                let IpAddr::V4(source) = from(host, ROUTER.into()) else {
                    unreachable!("both are of one version")
                };
                let quoted = &quoted[..quoted.len().min(28)];
                ethernet
                    .ipv4(source.octets(), to.octets(), TTL)
                    .icmpv4_raw(3, code, [0; 4])
                    .write(&mut bytes, quoted)
            }
            (host, to) => {
                let octets = |ip: IpAddr| match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                    IpAddr::V6(ip) => ip.octets(),
                };
                let source = from(host, ROUTER.to_ipv6_mapped().into());
                let quoted = &quoted[..quoted.len().min(60)];
                ethernet
                    .ipv6(octets(source), octets(to), TTL)
                    .icmpv6_raw(1, code, [0; 4])
                    .write(&mut bytes, quoted)
            }
        };
        written.expect("a vector takes everything");
        bytes
    }

    /// Hosts count their packets; packets that no socket sends have identification 0 (as on Linux).
    fn identify(&mut self, who: Who, cell: &Cell, header: RelativeNumbers) -> u16 {
        if let Some(id) = cell.deviations.id {
            return id;
        }
        if header.stateless {
            return 0;
        }
        let id = &mut self.id[who as usize];
        *id = id.wrapping_add(1);
        *id
    }

    fn ip_header(&self, who: Who, cell: &Cell, id: u16, protocol: IpNumber) -> IpHeaders {
        let ttl = cell.deviations.ttl.unwrap_or(self.ttl[who as usize]);
        match (
            self.ends[who as usize].ip,
            self.ends[who.other() as usize].ip,
        ) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => IpHeaders::Ipv4(
                Ipv4Header {
                    identification: id,
                    dont_fragment: true,
                    time_to_live: ttl,
                    protocol,
                    source: source.octets(),
                    destination: destination.octets(),
                    ..Ipv4Header::default()
                },
                Default::default(),
            ),
            (source, destination) => {
                let octets = |ip: IpAddr| match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                    IpAddr::V6(ip) => ip.octets(),
                };
                IpHeaders::Ipv6(
                    Ipv6Header {
                        next_header: protocol,
                        hop_limit: ttl,
                        source: octets(source),
                        destination: octets(destination),
                        ..Ipv6Header::default()
                    },
                    Default::default(),
                )
            }
        }
    }

    fn tcp_header(
        &self,
        who: Who,
        cell: &Cell,
        header: RelativeNumbers,
        payload: &[u8],
    ) -> TcpHeader {
        let has = |flag| header.flags.has(flag);
        let usual = if header.stateless {
            0
        } else {
            self.window[who as usize]
        };
        let mut tcp = TcpHeader::new(
            self.ends[who as usize].port,
            self.ends[who.other() as usize].port,
            header.seq.0,
            cell.deviations.window.unwrap_or(usual),
        );
        tcp.acknowledgment_number = header.ack.0;
        tcp.syn = has(Flags::SYN);
        tcp.fin = has(Flags::FIN);
        tcp.rst = has(Flags::RST);
        tcp.ack = has(Flags::ACK);
        tcp.psh = !payload.is_empty();
        if tcp.syn {
            let [high, low] = MSS.to_be_bytes();
            tcp.options = TcpOptions::from([2, 4, high, low]);
        }
        tcp
    }
}

/// A locally administered MAC address for each side.
fn mac(who: Who) -> [u8; 6] {
    [2, 0, 0, 0, 0, who as u8 + 1]
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::ladder::parse;
    use crate::packet::decode::{Decoded, Decoder};

    /// One line per decoded frame: direction, flags, relative numbers, length.
    fn wire(text: &str) -> String {
        let frames = frames(&parse(text).expect("a ladder"));
        let mut decoder = Decoder::new();
        let mut out = String::new();
        let mut bases: [Option<u32>; 2] = [None; 2];
        for frame in &frames {
            let Ok(Decoded::Segment(segment)) = decoder.decode(&frame.frame()) else {
                panic!("frame {:?} holds no segment", frame.number)
            };
            let me = frame.from as usize;
            let base = |known: &mut Option<u32>, usual: u32| *known.get_or_insert(usual);
            let own = base(&mut bases[me], ISN[me]);
            let other = base(&mut bases[1 - me], ISN[1 - me]);
            let mut flags = String::new();
            for (name, flag) in [
                ("S", Flags::SYN),
                ("F", Flags::FIN),
                ("R", Flags::RST),
                (".", Flags::ACK),
            ] {
                if segment.flags.has(flag) {
                    flags.push_str(name);
                }
            }
            let seq = segment.seq.0.wrapping_sub(own) as i32;
            let ack = match segment.flags.has(Flags::ACK) {
                true => (segment.ack.0.wrapping_sub(other) as i32).to_string(),
                false => format!("raw {}", segment.ack.0),
            };
            let arrow = ["->", "<-"][me];
            writeln!(
                out,
                "{arrow} {flags} seq {seq} ack {ack} len {}",
                segment.length
            )
            .unwrap();
        }
        out
    }

    #[test]
    fn numbers_advance_by_themselves() {
        insta::assert_snapshot!(wire(
            "SYN --> \n <-- SYN \n ACK --> \n data 10 --> \n <~~ data 5 \n ACK --> \n again --> \n <-- probe
             <-- ACK [ack=1] \n <-- data 7 FIN \n FIN --> \n <-- ACK \n again --> \n RST [noack] -->"
        ), @r"
        -> S seq 0 ack raw 0 len 0
        <- S. seq 0 ack 1 len 0
        -> . seq 1 ack 1 len 0
        -> . seq 1 ack 1 len 10
        -> . seq 11 ack 6 len 0
        -> . seq 1 ack 6 len 10
        <- . seq 5 ack 11 len 0
        <- . seq 6 ack 1 len 0
        <- F. seq 6 ack 11 len 7
        -> F. seq 11 ack 14 len 0
        <- . seq 14 ack 12 len 0
        -> F. seq 11 ack 14 len 0
        -> R seq 12 ack raw 0 len 0
        ");
    }

    #[test]
    fn holes_are_not_acknowledged() {
        insta::assert_snapshot!(wire(
            "data 10 [lost] --> \n data 10 --> \n <-- ACK \n data 10 [seq=1] --> \n <-- ACK \n <-- ACK [ack=1] \n <-- ACK"
        ), @r"
        -> . seq 1 ack 1 len 10
        -> . seq 11 ack 1 len 10
        <- . seq 1 ack 1 len 0
        -> . seq 1 ack 1 len 10
        <- . seq 1 ack 21 len 0
        <- . seq 1 ack 1 len 0
        <- . seq 1 ack 21 len 0
        ");
    }

    #[test]
    fn resets_have_kinds() {
        // Refusal, no such socket, abort (RFC 9293 §3.10.7.1 and §3.10.5).
        insta::assert_snapshot!(wire("SYN --> \n <-- RST"), @r"
        -> S seq 0 ack raw 0 len 0
        <- R. seq -5000000 ack 1 len 0
        ");
        insta::assert_snapshot!(wire("data 3 [ack=1] --> \n <-- FIN \n data 4 [ack=1] --> \n <-- RST [noack] \n <-- RST"), @r"
        -> . seq 1 ack 1 len 3
        <- F. seq 1 ack 4 len 0
        -> . seq 4 ack 1 len 4
        <- R seq 1 ack raw 0 len 0
        <- R. seq 2 ack 8 len 0
        ");
    }

    #[test]
    fn simultaneous_opens_and_fresh_connections() {
        insta::assert_snapshot!(wire("SYN --> \n <-- SYN [noack] \n SYN ACK --> \n <-- SYN ACK"), @r"
        -> S seq 0 ack raw 0 len 0
        <- S seq 0 ack raw 0 len 0
        -> S. seq 0 ack 1 len 0
        <- S. seq 0 ack 1 len 0
        ");
        // A SYN on a live connection elicits an acknowledgement with the old numbers (RFC 9293 §3.5.1, RFC 5961 §4).
        insta::assert_snapshot!(wire(
            "SYN --> \n <-- SYN \n data 9 --> \n <-- ACK \n SYN --> \n <-- ACK \n RST [noack] --> \n again --> \n <-- SYN \n ACK -->"
        ), @r"
        -> S seq 0 ack raw 0 len 0
        <- S. seq 0 ack 1 len 0
        -> . seq 1 ack 1 len 9
        <- . seq 1 ack 10 len 0
        -> S seq 65547 ack raw 0 len 0
        <- . seq 1 ack 10 len 0
        -> R seq 10 ack raw 0 len 0
        -> S seq 65547 ack raw 0 len 0
        <- S. seq 65538 ack 65548 len 0
        -> . seq 65548 ack 65539 len 0
        ");
    }

    #[test]
    fn the_capture_has_what_it_has() {
        let text = "client :1 [ttl=3 times=2 every=2ms] server :2\n data 100 [cut=4] -->\n <~~ ACK\n ACK -->";
        let frames = frames(&parse(text).unwrap());
        let seen: Vec<_> = frames
            .iter()
            .map(|frame| {
                (
                    frame.number.0,
                    frame.line,
                    frame.client.port,
                    frame.bytes.len(),
                    frame.length,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (1, 2, 1, 58, 154),
                (2, 2, 2, 58, 154),
                (3, 4, 1, 54, 54),
                (4, 4, 2, 54, 54)
            ]
        );
        assert!(
            frames.iter().all(|frame| frame.bytes[22] == 3),
            "time to live"
        );
        assert_eq!(to_pcap(&frames).len(), 24 + 4 * 16 + 2 * 58 + 2 * 54);
    }

    #[test]
    fn ipv6_goes_as_well() {
        let text = "client [2001:db8::1]:5 server [2001:db8::2]:6\n SYN -->";
        let frames = frames(&parse(text).unwrap());
        let mut decoder = Decoder::new();
        match decoder.decode(&frames[0].frame()) {
            Ok(Decoded::Segment(segment)) => {
                assert_eq!(segment.source.to_string(), "[2001:db8::1]:5")
            }
            other => panic!("{other:?}"),
        }
    }
}
