//! Addresses, TCP flags, ICMP quotes, and the reasons why frames yield no segment: types of the decoder that rooms far
//! above it also use.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::frame_ref::FrameNumber;
use super::seq::Seq;
use super::time::Timestamp;

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// IPv4 or IPv6 address.
    pub ip: IpAddr,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// All zero: a placeholder while nothing is known.
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

/// The address space in which the addresses are valid: the tunnel a packet came through. Two connections with equal
/// addresses in different tunnels are distinct. `0` means no tunnel; the decoder assigns other numbers in order of
/// appearance, each of which stands for a path of nested tunnels.
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

    /// Whether SYN, FIN or RST is set.
    pub(crate) const fn is_control(self) -> bool {
        self.0 & Self::SYN.with(Self::FIN).with(Self::RST).0 != 0
    }

    /// The union of both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An ICMP error that quotes the header of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The frame of the ICMP message.
    pub frame: FrameNumber,
    /// When it was captured.
    pub time: Timestamp,
    /// The tunnel the message came through.
    pub context: Context,
    /// The sender of the error, such as a router.
    pub reporter: IpAddr,
    /// What the error means.
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
    /// Next-hop MTU, if the message gives one.
    pub mtu: Option<u32>,
}

/// What an ICMP error means (RFC 792, RFC 1122 §3.2.2.1, RFC 4443 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuoteKind {
    /// Network, host or port unreachable, or administratively prohibited.
    Unreachable,
    /// Fragmentation needed, packet too big.
    TooBig,
    /// Hop limit exceeded in transit, or fragment reassembly time exceeded.
    TimeExceeded,
    /// Any other error that quotes a packet.
    Other,
}

/// Why a frame yielded no segment. Every reason is counted; [`Skip::name`] is its name in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// No IP inside: ARP, STP, LLDP, management frames.
    NotIp,
    /// IP, but neither TCP nor an ICMP error about TCP.
    NotTcp,
    /// An ICMP error that quotes a TCP segment; it was passed on to that segment's connection.
    IcmpError,
    /// A fragment held for reassembly; the frame that completed the datagram counts as the segment.
    Fragment,
    /// A fragment that was dropped: the rest never came, there were too many pieces, or it overlapped another.
    FragmentDropped,
    /// Cut off before the end of the TCP header, by the snap length or because the packet is too short.
    Cut,
    /// The bytes contradict themselves: lengths, versions, header sizes.
    Malformed,
    /// A link-layer header type that is not supported.
    LinkType,
    /// Encrypted below TCP: ESP, protected 802.11 frames.
    Encrypted,
    /// The same packet seen a second time (two interfaces, a mirror of both directions, a bridge).
    Duplicate,
}

impl Skip {
    /// All reasons, in order.
    pub const ALL: [Self; 10] = [
        Self::NotIp,
        Self::NotTcp,
        Self::IcmpError,
        Self::Fragment,
        Self::FragmentDropped,
        Self::Cut,
        Self::Malformed,
        Self::LinkType,
        Self::Encrypted,
        Self::Duplicate,
    ];

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotIp => "not-ip",
            Self::NotTcp => "not-tcp",
            Self::IcmpError => "icmp-error",
            Self::Fragment => "fragment",
            Self::FragmentDropped => "fragment-dropped",
            Self::Cut => "cut",
            Self::Malformed => "malformed",
            Self::LinkType => "link-type",
            Self::Encrypted => "encrypted",
            Self::Duplicate => "duplicate",
        }
    }
}

/// What the source knows about frames that were never captured. `None`: the source cannot know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Dropped by the kernel for lack of buffer space, as the capture itself reports (pcapng statistics, libpcap).
    pub kernel: Option<u64>,
    /// Dropped by the interface or its driver.
    pub interface: Option<u64>,
}

impl Loss {
    /// All that were dropped, if somebody counted.
    #[must_use]
    pub fn total(self) -> Option<u64> {
        match (self.kernel, self.interface) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
        }
    }

    /// The sum of two sources' losses.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        Self {
            kernel: sum(self.kernel, other.kernel),
            interface: sum(self.interface, other.interface),
        }
    }
}
