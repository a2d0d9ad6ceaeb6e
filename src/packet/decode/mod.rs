//! Turns a frame into a [`Segment`], or into the counted reason why it holds none. The only state is incomplete
//! fragmented datagrams and the numbers of tunnels. Decoding never panics on bytes, and every frame has a defined
//! result.
//!
//! ```text
//! frame ─► link ─► ether ─► ip ─────────────► tcp ─► Segment
//!                    ▲       │ ├► fragment ─┐
//!                    │       │ │    (waits) │  the whole datagram goes on where its first piece stopped
//!                    └─ tunnel ◄────────────┘
//! ```
//!
//! The lengths in IP headers are authoritative: padding is not payload, and bytes cut by the snap length still count.
//! Checksums are ignored, because with checksum offload captures are full of wrong ones; a segment can be asked for its own.

mod bytes;
mod checksum;
mod context;
mod envelope;
mod ether;
mod fragment;
mod icmp;
mod ip;
mod link;
mod quic;
mod segment;
mod tcp;
mod tunnel;
mod udp;
mod usual;
mod walk;
mod wifi;

use crate::base::frame_ref::FrameRef;
use crate::base::net::Context;
use crate::base::net::Skip;
use crate::packet::capture::Frame;

use bytes::Bytes;
use context::Contexts;
use fragment::{Fragments, WholeDatagram};
use walk::{DatagramPlace, Layer, RestOfFrame, Walk, WalkEnd};
pub(crate) use walk::{LayerKind, LayerPlace};

pub(crate) use context::MAX_CONTEXTS;
pub use fragment::FragmentCounts;
pub(crate) use fragment::{MAX_BYTES as MAX_FRAGMENT_BYTES, MAX_DATAGRAMS, MAX_PIECES};
pub use segment::{ArpPacket, Datagram, Decoded, Segment, TcpOptions, TimestampOption};
pub(crate) use usual::{usual_endpoints, with_usual_segment};

/// How many times a packet may be reassembled or decompressed before its TCP header is found. Each tunnel may fragment
/// once; compressed bytes can be crafted to decompress to themselves forever.
const MAX_UNPACKINGS: usize = 4;

/// Turns frames into segments; keeps the state that spans frames.
#[derive(Debug, Default)]
pub struct Decoder {
    contexts: Contexts,
    fragments: Fragments,
    /// The datagram that the last frame completed; its segment borrows from here.
    whole: Vec<u8>,
    /// The part of the last frame that [`Decoder::decode_more`] can still read.
    rest: Option<RestOfFrame>,
    /// The position of a datagram of DNS or QUIC in the last frame, if that was not TCP; for [`Decoder::datagram`].
    noted_datagram: Option<DatagramPlace>,
    arp: Option<ArpPacket>,
    last_protocol: Option<u8>,
    /// Where the layers of the last frame begin, if that is asked for.
    trace: Option<Vec<LayerPlace>>,
}

impl Decoder {
    /// A decoder without any state.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder that notes where the layers of a frame begin.
    #[must_use]
    #[cfg(feature = "anonymise")]
    pub(crate) fn tracing() -> Self {
        Self {
            trace: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// Where the layers of the last frame begin, from the outermost on. Those of a reassembled datagram are not among them.
    #[must_use]
    #[cfg(feature = "anonymise")]
    pub(crate) fn trace(&self) -> &[LayerPlace] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// Decodes one frame. The payload borrows from the frame, or from the decoder if the datagram was reassembled.
    ///
    /// # Errors
    /// The reason why the frame yields no segment.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Decoded<'a>, Skip> {
        let mut walk = Walk::new(frame, frame.data, &mut self.contexts);
        if let Some(trace) = &mut self.trace {
            trace.clear();
            walk.trace = Some(trace);
        }
        let found = walk.run(Layer::Link(frame.link));
        self.rest = walk.rest;
        if found.is_err() {
            self.noted_datagram = walk.noted_datagram;
            self.arp = walk.arp;
            self.last_protocol = walk.last_protocol;
        }
        match found? {
            WalkEnd::Tcp => walk.segment(),
            WalkEnd::Quote(quote) => Ok(Decoded::Quote(quote)),
            WalkEnd::Piece(piece) => {
                let whole = self.fragments.insert(&piece, frame.time)?;
                self.decode_whole(frame, whole)
            }
            WalkEnd::Unpacked(whole) => self.decode_whole(frame, whole),
        }
    }

    /// The next segment of a frame that carries several packets: an 802.11 aggregate (A-MSDU). Call it after
    /// [`Decoder::decode`] of the same frame until it returns `None`, which it usually does at once. The frame's
    /// disposition is the result of `decode`; segments returned here are in addition to the count of frames.
    #[inline]
    pub fn decode_more<'a>(&'a mut self, frame: &Frame<'a>) -> Option<Result<Decoded<'a>, Skip>> {
        let rest = self.rest.take()?;
        Some(self.decode_rest(frame, rest))
    }

    /// The innermost IP protocol of a frame, if [`Decoder::decode`] has just found that it holds no TCP.
    pub(crate) fn last_protocol(&mut self) -> Option<u8> {
        self.last_protocol.take()
    }

    /// The ARP packet in a frame, if [`Decoder::decode`] has just found that the frame holds no IP.
    pub(crate) fn arp(&mut self) -> Option<ArpPacket> {
        self.arp.take()
    }

    /// The datagram of DNS or QUIC in a frame, if [`Decoder::decode`] has just found that the frame holds no TCP.
    pub(crate) fn datagram<'a>(&mut self, frame: &Frame<'a>) -> Option<Datagram<'a>> {
        let noted = self.noted_datagram.take()?;
        Some(Datagram {
            frame_ref: FrameRef {
                frame: frame.number,
                time: frame.time,
            },
            context: noted.context,
            source: noted.source,
            destination: noted.destination,
            payload: frame.data.get(noted.start..)?.get(..noted.length)?,
        })
    }

    /// The description of a tunnel path, such as `vxlan 42 10.0.0.1 - 10.0.0.2`; the endpoints are in sorted order,
    /// since both directions share the path. `None` for [`Context`] 0: no tunnel.
    #[must_use]
    pub(crate) fn context_name(&self, context: Context) -> Option<&str> {
        self.contexts.name(context)
    }

    /// The results of fragment reassembly.
    #[must_use]
    pub(crate) fn fragment_counts(&self) -> FragmentCounts {
        self.fragments.counts
    }

    /// Number of packets whose tunnel path exceeded the limit of distinct paths.
    #[must_use]
    pub(crate) fn contexts_overflowed(&self) -> u64 {
        self.contexts.overflowed
    }

    #[cold]
    fn decode_rest<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        rest: RestOfFrame,
    ) -> Result<Decoded<'a>, Skip> {
        let tail = frame.data.get(rest.start..).ok_or(Skip::Malformed)?;
        let bytes = Bytes {
            data: tail.get(..rest.captured).ok_or(Skip::Malformed)?,
            wire: rest.wire,
        };
        let mut walk = Walk::resumed(frame, bytes, rest.path, &mut self.contexts);
        if let Some(trace) = &mut self.trace {
            trace.clear();
            walk.trace = Some(trace);
        }
        let found = walk.run(Layer::Aggregate);
        self.rest = walk.rest;
        match found? {
            WalkEnd::Tcp => walk.segment(),
            WalkEnd::Quote(quote) => Ok(Decoded::Quote(quote)),
            WalkEnd::Piece(piece) => {
                let whole = self.fragments.insert(&piece, frame.time)?;
                self.decode_whole(frame, whole)
            }
            WalkEnd::Unpacked(whole) => self.decode_whole(frame, whole),
        }
    }

    /// Decodes a reassembled datagram. Its content may itself be a fragment of another datagram, inside a tunnel, or
    /// compressed again: hence the loop.
    fn decode_whole<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        mut whole: WholeDatagram,
    ) -> Result<Decoded<'a>, Skip> {
        for _ in 0..MAX_UNPACKINGS {
            let bytes = Bytes {
                data: &whole.data,
                wire: whole.length,
            };
            let mut walk = Walk::resumed(frame, bytes, whole.path, &mut self.contexts);
            match walk.run(whole.next)? {
                WalkEnd::Piece(piece) => whole = self.fragments.insert(&piece, frame.time)?,
                WalkEnd::Unpacked(inner) => whole = inner,
                WalkEnd::Quote(quote) => return Ok(Decoded::Quote(quote)),
                WalkEnd::Tcp => return self.keep_whole(frame, whole),
            }
        }
        Err(Skip::Malformed)
    }

    /// Decodes a datagram again from its final place in the decoder: a loop cannot borrow from what it replaces.
    fn keep_whole<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        whole: WholeDatagram,
    ) -> Result<Decoded<'a>, Skip> {
        self.whole = whole.data;
        let bytes = Bytes {
            data: &self.whole,
            wire: whole.length,
        };
        let mut walk = Walk::resumed(frame, bytes, whole.path, &mut self.contexts);
        match walk.run(whole.next)? {
            WalkEnd::Tcp => walk.segment(),
            WalkEnd::Quote(quote) => Ok(Decoded::Quote(quote)),
            WalkEnd::Piece(_) | WalkEnd::Unpacked(_) => Err(Skip::Malformed),
        }
    }
}

#[cfg(test)]
mod against_tshark;
#[cfg(test)]
mod tests;
