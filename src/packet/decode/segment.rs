//! The output of decoding: a TCP segment, with all lengths taken from the IP header.

use crate::base::frame_ref::FrameNumber;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Endpoint;
use crate::base::net::Flags;
use crate::base::net::{Context, Quote};
use crate::base::passage::Passage;
use crate::base::seq::Seq;
use crate::base::time::Timestamp;

/// TSval and TSecr (RFC 7323 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimestampOption {
    /// TSval: the sender's clock.
    pub value: u32,
    /// TSecr: the peer's clock as last received by the sender.
    pub echo: u32,
}

/// The TCP options that help to explain how a connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
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
    /// Number of valid entries in `sack`.
    pub sack_count: u8,
    /// A TCP Fast Open cookie or a request for one (RFC 7413).
    pub fast_open: bool,
    /// MP_FASTCLOSE: the sender aborts all subflows of a Multipath TCP connection (RFC 8684 §3.5).
    pub fast_close: bool,
    /// Whether there is any option, including those not listed here (a reset by the kernel has none, or timestamps).
    pub any: bool,
    /// The option list is malformed; options before the error are kept.
    pub malformed: bool,
}

impl TcpOptions {
    /// No options. (A constant, because default values that are made one by one are copied once more.)
    pub(crate) const NONE: Self = Self {
        mss: None,
        window_scale: None,
        sack_permitted: false,
        timestamps: None,
        sack: [(Seq(0), Seq(0)); 4],
        sack_count: 0,
        fast_open: false,
        fast_close: false,
        any: false,
        malformed: false,
    };

    /// The valid SACK blocks.
    #[must_use]
    pub fn sack_blocks(&self) -> &[(Seq, Seq)] {
        &self.sack[..usize::from(self.sack_count).min(4)]
    }
}

/// One TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The frame that carried it (of a fragmented datagram: the frame that completed it).
    pub frame: FrameNumber,
    /// When that frame was captured.
    pub time: Timestamp,
    /// The interface it was captured on.
    pub interface: u32,
    /// The tunnel it came through.
    pub context: Context,
    /// The innermost VLAN identifier, 0 if none. Part of a connection's identity only where it has to be.
    pub vlan: u16,
    /// A digest of the link-layer addresses and packet type; distinguishes two captures of one packet. 0 if none.
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
    /// Acknowledgement number; valid only with [`Flags::ACK`].
    pub ack: Seq,
    /// Control bits.
    pub flags: Flags,
    /// Window field, unscaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// TCP options.
    pub options: TcpOptions,
    /// Payload length on the wire in bytes, according to the IP header.
    pub length: u32,
    /// What another place that captured the same connection shows of it.
    pub passage: Passage,
    /// The captured part of the payload, from its start.
    pub payload: &'a [u8],
    /// The captured bytes from the TCP header on; empty if they are not at hand any more.
    pub bytes: &'a [u8],
}

impl Segment<'_> {
    /// Length in sequence space: payload, SYN and FIN (RFC 9293 §3.4, SEG.LEN).
    #[must_use]
    pub(crate) const fn seq_len(&self) -> u32 {
        self.length
            .wrapping_add(self.flags.has(Flags::SYN) as u32)
            .wrapping_add(self.flags.has(Flags::FIN) as u32)
    }

    /// The sequence number of the first payload byte: after the SYN, if there is one.
    #[must_use]
    pub const fn payload_seq(&self) -> Seq {
        self.seq.add(self.flags.has(Flags::SYN) as u32)
    }
}

/// A UDP datagram to or from the DNS port, or one that begins with a long header of QUIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The frame that carried it.
    pub frame_ref: FrameRef,
    /// The tunnel it came through.
    pub context: Context,
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// The captured part of its payload.
    pub payload: &'a [u8],
}

/// The content of a frame that concerns TCP.
#[derive(Clone, Copy, Debug)]
pub enum Decoded<'a> {
    /// A TCP segment.
    Segment(Segment<'a>),
    /// An ICMP error that quotes a segment; its frame counts as [`Skip::IcmpError`](crate::base::net::Skip::IcmpError).
    Quote(Quote),
}

/// An ARP packet about IPv4 (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArpPacket {
    /// It asks who has the target's address.
    pub is_question: bool,
    /// Its sender.
    pub sender: std::net::Ipv4Addr,
    /// Who is asked for, or answered.
    pub target: std::net::Ipv4Addr,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_options_are_the_default() {
        assert_eq!(TcpOptions::NONE, TcpOptions::default());
    }
}
