//! What decoding gives: one TCP segment, every length taken from the IP header.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::base::frame_ref::Mark;
use crate::base::seq::Seq;
use crate::base::time::Timestamp;
use crate::packet::capture::FrameNumber;

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// IPv4 or IPv6 address.
    pub ip: IpAddr,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// All zero; stands where nothing is known yet.
    pub const UNSPECIFIED: Self = Self {
        ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        port: 0,
    };
}

impl fmt::Display for Endpoint {
    /// `10.0.0.1:80`, `[2001:db8::1]:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&SocketAddr::new(self.ip, self.port), f)
    }
}

/// The world in which the addresses hold: the tunnel a packet came through. Two connections with equal addresses in
/// different tunnels are two. `0` is no tunnel; other numbers are given by the decoder in order of appearance and
/// name a path of tunnels (see the decoder).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Context(pub u32);

/// The control bits (RFC 9293 §3.1), in wire order: `CWR ECE URG ACK PSH RST SYN FIN` from the high bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push function.
    pub const PSH: Self = Self(0x08);
    /// Acknowledgement field is significant.
    pub const ACK: Self = Self(0x10);
    /// Urgent pointer field is significant.
    pub const URG: Self = Self(0x20);
    /// ECN-Echo (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// TSval and TSecr (RFC 7323 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimestampOption {
    /// The sender's clock.
    pub value: u32,
    /// The peer's clock as last seen by the sender.
    pub echo: u32,
}

/// The TCP options that tell something about endings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Maximum segment size (RFC 9293 §3.7.1).
    pub mss: Option<u16>,
    /// Window scale shift (RFC 7323 §2).
    pub window_scale: Option<u8>,
    /// SACK permitted (RFC 2018 §2).
    pub sack_permitted: bool,
    /// Timestamps (RFC 7323 §3).
    pub timestamps: Option<TimestampOption>,
    /// SACK blocks (RFC 2018 §3; the first may be a D-SACK, RFC 2883), `sack_count` of them.
    pub sack: [(Seq, Seq); 4],
    /// How many of `sack` are filled.
    pub sack_count: u8,
    /// A TCP Fast Open cookie or request for one (RFC 7413).
    pub fast_open: bool,
    /// Any option at all, the ones not listed here included (a reset by the kernel has none, or timestamps).
    pub any: bool,
    /// The option list breaks its own grammar; what came before the break is kept.
    pub malformed: bool,
}

impl Options {
    /// The SACK blocks.
    #[must_use]
    pub fn sack_blocks(&self) -> &[(Seq, Seq)] {
        &self.sack[..usize::from(self.sack_count).min(4)]
    }
}

/// One TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The frame it came in (of a fragmented datagram: the frame that completed it).
    pub frame: FrameNumber,
    /// When that frame was captured.
    pub time: Timestamp,
    /// Which interface saw it.
    pub interface: u32,
    /// The tunnel it came through.
    pub context: Context,
    /// The innermost VLAN identifier, 0 if none. Not part of a connection's identity unless it must be.
    pub vlan: u16,
    /// A digest of the link-layer addresses and packet type; tells two sightings of one packet apart. 0 if none.
    pub link_digest: u32,
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// IPv4 identification; `None` for IPv6.
    pub ip_id: Option<u16>,
    /// Sequence number.
    pub seq: Seq,
    /// Acknowledgement number; means nothing without [`Flags::ACK`].
    pub ack: Seq,
    /// Control bits.
    pub flags: Flags,
    /// Window field, unscaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options.
    pub options: Options,
    /// Payload bytes it carried on the wire, by the IP header.
    pub length: u32,
    /// The part of the payload that was captured, from its start.
    pub payload: &'a [u8],
}

impl Segment<'_> {
    /// Sequence space it occupies: payload, SYN and FIN (RFC 9293 §3.4, SEG.LEN).
    #[must_use]
    pub const fn seq_len(&self) -> u32 {
        self.length
            .wrapping_add(self.flags.has(Flags::SYN) as u32)
            .wrapping_add(self.flags.has(Flags::FIN) as u32)
    }

    /// The number after its last (RFC 9293 §3.4).
    #[must_use]
    pub const fn seq_end(&self) -> Seq {
        self.seq.add(self.seq_len())
    }

    /// Where its payload begins: after the SYN, if it has one.
    #[must_use]
    pub const fn payload_seq(&self) -> Seq {
        self.seq.add(self.flags.has(Flags::SYN) as u32)
    }
}

/// A datagram of UDP to or from the port of DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Its frame.
    pub mark: Mark,
    /// The tunnel it came through.
    pub context: Context,
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// What of it was captured.
    pub payload: &'a [u8],
}

/// An ICMP error that quotes the head of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The frame of the ICMP message.
    pub frame: FrameNumber,
    /// When it was captured.
    pub time: Timestamp,
    /// The tunnel it came through.
    pub context: Context,
    /// Who sent the error: the device that speaks.
    pub reporter: IpAddr,
    /// What it says.
    pub kind: QuoteKind,
    /// ICMP or ICMPv6 type.
    pub icmp_type: u8,
    /// ICMP or ICMPv6 code.
    pub icmp_code: u8,
    /// Sender of the quoted segment.
    pub source: Endpoint,
    /// Receiver of the quoted segment.
    pub destination: Endpoint,
    /// Sequence number of the quoted segment.
    pub seq: Seq,
    /// Next-hop MTU where the message gives one.
    pub mtu: Option<u32>,
}

/// What an ICMP error says, RFC 792, RFC 1122 §3.2.2.1, RFC 4443 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuoteKind {
    /// Network, host or port unreachable, or forbidden by an administrator.
    Unreachable,
    /// Fragmentation needed, packet too big.
    TooBig,
    /// Hop limit exceeded in transit, or fragment reassembly time exceeded.
    TimeExceeded,
    /// Any other error that quotes a packet.
    Other,
}
