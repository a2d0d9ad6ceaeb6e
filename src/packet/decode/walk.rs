//! Walks a frame from its first byte to its TCP header, layer by layer.
//!
//! Each layer parses its own header, advances [`Walk::bytes`] past it and names the next [`Layer`]; only the loop in
//! [`Walk::run`] continues with it. Facts from layers on the way (VLAN, tunnel, addresses) are kept in the walk. The
//! layers themselves are in the other files of this module, each an `impl Walk`.

use super::Decoded;
use crate::base::net::Context;
use crate::base::net::Endpoint;
use crate::base::net::Quote;
use crate::base::net::Skip;
use crate::base::passage::Passage;
use std::net::{IpAddr, Ipv4Addr};

use crate::packet::capture::{Frame, LinkType};

use super::bytes::Bytes;
use super::context::{Contexts, Tunnel};
use super::fragment::{Fragment, WholeDatagram};
use super::{ArpPacket, Segment, TcpOptions, tcp};

/// Maximum number of layers in a packet. Three nested tunnels with VLANs and labels have about twenty; a frame with
/// more was crafted to waste time.
const MAX_LAYERS: usize = 48;

/// The layer to parse next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layer {
    Link(LinkType),
    Ethernet,
    EtherType(u16),
    Llc,
    Snap,
    Ppp,
    PppoeSession,
    CiscoHdlc,
    Hdlc,
    FrameRelay,
    Mpls,
    Nsh,
    Wifi,
    WifiTunnelled,
    /// A subframe of an A-MSDU.
    Aggregate,
    Ip,
    /// The layer that an IP header announces with this protocol number.
    Protocol(u8),
    Tcp,
}

/// The kind of a layer, for whoever changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayerKind {
    Link(LinkType),
    Ethernet,
    EtherType(u16),
    Wifi,
    Ip,
    Protocol(u8),
    Tcp,
    /// One without addresses.
    Other,
}

/// Where a layer begins in its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerPlace {
    pub(crate) kind: LayerKind,
    pub(crate) start: usize,
}

/// The fields of the IP header that a segment needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct IpHead {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ttl: u8,
    pub(super) id: Option<u16>,
}

/// The facts collected on the way to an IP packet; a reassembled datagram continues with them.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathSoFar {
    pub(super) context: Context,
    pub(super) vlan: u16,
    pub(super) link_digest: u32,
    pub(super) ip: IpHead,
}

/// The rest of a frame after the packet that was decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct RestOfFrame {
    pub(super) start: usize,
    pub(super) captured: usize,
    pub(super) wire: usize,
    pub(super) path: PathSoFar,
}

/// The position of a datagram that is not TCP but still useful: DNS or QUIC.
#[derive(Clone, Copy, Debug)]
pub(super) struct DatagramPlace {
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) context: Context,
    pub(super) source: Endpoint,
    pub(super) destination: Endpoint,
}

/// The successful end of a walk.
#[derive(Debug)]
pub(super) enum WalkEnd<'a> {
    /// A TCP header comes next; [`Walk::segment`] parses it.
    Tcp,
    Quote(Quote),
    Piece(Fragment<'a>),
    /// A decompressed packet, held in its own buffer.
    Unpacked(WholeDatagram),
}

/// The result of one layer: the next layer, or the end of the walk.
pub(super) enum WalkStep<'a> {
    Next(Layer),
    End(WalkEnd<'a>),
}

/// One packet being decoded.
pub(super) struct Walk<'a, 'w> {
    pub(super) bytes: Bytes<'a>,
    pub(super) path: PathSoFar,
    pub(super) frame: &'w Frame<'w>,
    pub(super) rest: Option<RestOfFrame>,
    pub(super) noted_datagram: Option<DatagramPlace>,
    pub(super) arp: Option<ArpPacket>,
    /// The innermost protocol that an IP header has announced.
    pub(super) last_protocol: Option<u8>,
    contexts: &'w mut Contexts,
    /// Where each layer begins, if that is asked for.
    pub(super) trace: Option<&'w mut Vec<LayerPlace>>,
}

impl<'a, 'w> Walk<'a, 'w> {
    /// Starts at the first byte of `frame`.
    #[inline]
    pub(super) fn new(frame: &'w Frame<'w>, data: &'a [u8], contexts: &'w mut Contexts) -> Self {
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let context = match frame.passage {
            Passage::Apart => contexts.another_place(),
            _ => Context(0),
        };
        Self {
            bytes: Bytes {
                data,
                wire: (frame.length as usize).max(data.len()),
            },
            path: PathSoFar {
                context,
                vlan: 0,
                link_digest: 0,
                ip: IpHead {
                    source: nowhere,
                    destination: nowhere,
                    ttl: 0,
                    id: None,
                },
            },
            frame,
            rest: None,
            noted_datagram: None,
            arp: None,
            last_protocol: None,
            contexts,
            trace: None,
        }
    }

    /// Continues with a reassembled datagram or the rest of an aggregate.
    pub(super) fn resumed(
        frame: &'w Frame<'w>,
        bytes: Bytes<'a>,
        path: PathSoFar,
        contexts: &'w mut Contexts,
    ) -> Self {
        Self {
            bytes,
            path,
            frame,
            rest: None,
            noted_datagram: None,
            arp: None,
            last_protocol: None,
            contexts,
            trace: None,
        }
    }

    /// Walks from `layer` to the end.
    #[inline]
    pub(super) fn run(&mut self, mut layer: Layer) -> Result<WalkEnd<'a>, Skip> {
        for _ in 0..MAX_LAYERS {
            if self.trace.is_some() {
                self.note_place(layer);
            }
            let step = match layer {
                Layer::Link(link) => self.link(link),
                Layer::EtherType(kind) => self.ether_type(kind),
                Layer::Ethernet => self.ethernet(),
                Layer::Llc => self.llc(),
                Layer::Snap => self.snap(),
                Layer::Ppp => self.ppp(),
                Layer::PppoeSession => self.pppoe(),
                Layer::CiscoHdlc => self.cisco_hdlc(),
                Layer::Hdlc => self.ppp_or_hdlc(),
                Layer::FrameRelay => self.frame_relay(),
                Layer::Mpls => self.mpls(),
                Layer::Nsh => self.nsh(),
                Layer::Wifi => self.wifi(),
                Layer::WifiTunnelled => self.wifi_tunnelled(),
                Layer::Aggregate => self.aggregate(),
                Layer::Ip => self.ip(),
                Layer::Protocol(number) => {
                    self.last_protocol = Some(number);
                    self.protocol(number)
                }
                Layer::Tcp => return Ok(WalkEnd::Tcp),
            };
            match step? {
                WalkStep::Next(next) => layer = next,
                WalkStep::End(found) => return Ok(found),
            }
        }
        Err(Skip::Malformed)
    }

    /// Notes where a layer begins in the frame.
    #[cold]
    fn note_place(&mut self, layer: Layer) {
        let place = |bytes: &[u8]| bytes.as_ptr() as usize;
        let start = place(self.bytes.data).checked_sub(place(self.frame.data));
        let start = start.filter(|it| *it <= self.frame.data.len());
        if let Some((trace, start)) = self.trace.as_mut().zip(start) {
            let kind = match layer {
                Layer::Link(link) => LayerKind::Link(link),
                Layer::Ethernet => LayerKind::Ethernet,
                Layer::Wifi | Layer::WifiTunnelled => LayerKind::Wifi,
                Layer::Ip => LayerKind::Ip,
                Layer::Protocol(number) => LayerKind::Protocol(number),
                Layer::Tcp => LayerKind::Tcp,
                Layer::EtherType(kind) => LayerKind::EtherType(kind),
                _ => LayerKind::Other,
            };
            trace.push(LayerPlace { kind, start });
        }
    }

    /// Advances past `count` bytes and returns the next layer.
    #[inline]
    pub(super) fn on(&mut self, count: usize, next: Layer) -> Result<WalkStep<'a>, Skip> {
        self.bytes = self.bytes.after(count)?;
        Ok(WalkStep::Next(next))
    }

    /// Records that the following layers came through a tunnel between the addresses of the current IP header.
    pub(super) fn enter(&mut self, kind: &'static str, id: Option<u32>) {
        self.path.context = self.contexts.number(Tunnel {
            around: self.path.context,
            kind,
            id,
            ends: (self.path.ip.source, self.path.ip.destination),
        });
    }

    /// Mixes link-layer addresses or a packet type into the link digest.
    #[inline]
    pub(super) fn mix_link_digest(&mut self, high: u64, low: u64) {
        self.path.link_digest = mixed(self.path.link_digest, high, low);
    }

    /// Parses the segment whose header is next. The result is constructed in its final type, because moving a segment
    /// through intermediate results costs more than parsing it.
    #[inline(always)]
    pub(super) fn segment(&self) -> Result<Decoded<'a>, Skip> {
        let header = tcp::header(self.bytes)?;
        let mut options = TcpOptions::default();
        header.options.read(&mut options);
        let path = &self.path;
        Ok(Decoded::Segment(Segment {
            frame: self.frame.number,
            time: self.frame.time,
            interface: self.frame.interface,
            context: path.context,
            vlan: path.vlan,
            link_digest: path.link_digest,
            source: Endpoint {
                ip: path.ip.source,
                port: header.source,
            },
            destination: Endpoint {
                ip: path.ip.destination,
                port: header.destination,
            },
            ttl: path.ip.ttl,
            ip_id: path.ip.id,
            seq: header.seq,
            ack: header.ack,
            flags: header.flags,
            window: header.window,
            urgent: header.urgent,
            options,
            length: header.length,
            passage: match self.frame.passage {
                Passage::Apart => Passage::Unknown,
                passage => passage,
            },
            payload: header.payload,
            bytes: header.bytes,
        }))
    }
}

/// A link digest with more mixed into it.
#[inline]
const fn mixed(digest: u32, high: u64, low: u64) -> u32 {
    // Two odd constants from the golden ratio and the square root of three. Any would do; they only have to spread the
    // bits.
    let mixed = (high ^ digest as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
        ^ low.wrapping_mul(0xbb67_ae85_84ca_a73b);
    ((mixed >> 32) ^ mixed) as u32 | 1
}

/// The link digest after these two Ethernet addresses, the first ones of a frame or those inside a tunnel.
#[inline]
pub(super) const fn ethernet_digest(before: u32, addresses: &[u8; 12]) -> u32 {
    let &[a, b, c, d, e, f, g, h, i, j, k, l] = addresses;
    let high = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
    mixed(before, high, u32::from_ne_bytes([i, j, k, l]) as u64)
}
