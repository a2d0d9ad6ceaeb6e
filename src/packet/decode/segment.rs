//! What decoding gives: one TCP segment, every length taken from the IP header.

use crate::base::frame_ref::FrameNumber;
use crate::base::frame_ref::FrameRef;
use crate::base::net::Endpoint;
use crate::base::net::Flags;
use crate::base::net::{Context, Quote};
use crate::base::seq::Seq;
use crate::base::time::Timestamp;

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
    /// How many of `sack` are filled.
    pub sack_count: u8,
    /// A TCP Fast Open cookie or request for one (RFC 7413).
    pub fast_open: bool,
    /// Any option at all, the ones not listed here included (a reset by the kernel has none, or timestamps).
    pub any: bool,
    /// The option list breaks its own grammar; what came before the break is kept.
    pub malformed: bool,
}

impl TcpOptions {
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
    pub options: TcpOptions,
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
    pub frame_ref: FrameRef,
    /// The tunnel it came through.
    pub context: Context,
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// What of it was captured.
    pub payload: &'a [u8],
}

/// What a frame that is about TCP holds.
#[derive(Clone, Copy, Debug)]
pub enum Decoded<'a> {
    /// A segment.
    Segment(Segment<'a>),
    /// An ICMP error that quotes one; its frame counts as [`Skip::IcmpError`].
    Quote(Quote),
}
