//! Why a frame gave no segment. Every frame has exactly one disposition: `frames == segments + Σ skips`.

/// The reason, counted; [`Skip::name`] is its name in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// No IP inside: ARP, STP, LLDP, management frames.
    NotIp,
    /// IP, but neither TCP nor an ICMP error about TCP.
    NotTcp,
    /// An ICMP error that quotes a TCP segment; it was handed to that connection.
    IcmpError,
    /// A fragment whose siblings were waited for; the frame that completed the datagram counts as the segment.
    Fragment,
    /// A fragment that was let go: its siblings never came, the train was too long, or it overlapped.
    FragmentDropped,
    /// Cut by the snap length or short of itself before the TCP header was complete.
    Cut,
    /// The bytes contradict themselves: lengths, versions, header sizes.
    Malformed,
    /// A link-layer header type that is not read.
    LinkType,
    /// Encrypted below TCP: ESP, protected 802.11 frames.
    Encrypted,
    /// The same packet seen a second time (two interfaces, a mirror of both directions, a bridge).
    Duplicate,
}

impl Skip {
    /// All of them, in order.
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
