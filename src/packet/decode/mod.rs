//! Floor 2: a frame becomes a [`Segment`], or the counted reason why not. Pure but for fragments waiting for their
//! siblings and for the names of tunnels; never fails, never panics on bytes.
//!
//! ```text
//! frame ─► link ─► ether ─► ip ─────────────► tcp ─► Segment
//!                    ▲       │ ├► fragment ─┐
//!                    │       │ │    (waits) │  the whole datagram goes on where its first piece stopped
//!                    └─ tunnel ◄────────────┘
//! ```
//!
//! The lengths of IP headers rule: padding is no payload, bytes cut by the snap length still count. Checksums are
//! ignored, since offload makes captures full of wrong ones.

mod bytes;
mod context;
mod envelope;
mod ether;
mod fragment;
mod icmp;
mod ip;
mod link;
mod segment;
mod tcp;
mod tunnel;
mod udp;
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

pub use fragment::FragmentCounts;
pub use segment::{Datagram, Decoded, Segment, TcpOptions, TimestampOption};

/// How many times a packet is reassembled or decompressed before its TCP header is found. Each tunnel may fragment
/// once; compressed bytes can be made so that they unpack to themselves for ever.
const MAX_UNPACKINGS: usize = 4;

/// Turns frames into segments; keeps what waits between frames.
#[derive(Debug, Default)]
pub struct Decoder {
    contexts: Contexts,
    fragments: Fragments,
    /// The datagram that the last frame completed: its segment borrows from here.
    whole: Vec<u8>,
    /// What of the last frame [`Decoder::decode_more`] can still read.
    rest: Option<RestOfFrame>,
    /// Where in the last frame that was no segment a datagram lies that [`Decoder::datagram`] gives.
    aside: Option<DatagramPlace>,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one frame. The payload lies in the frame; that of a reassembled datagram lies in the decoder.
    ///
    /// # Errors
    /// The reason why there is no segment in it.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Result<Decoded<'a>, Skip> {
        let mut walk = Walk::new(frame, frame.data, &mut self.contexts);
        let found = walk.run(Layer::Link(frame.link));
        self.rest = walk.rest;
        if found.is_err() {
            self.aside = walk.aside;
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

    /// The next segment of a frame that carries several packets: an 802.11 aggregate (A-MSDU). To be asked after
    /// [`Decoder::decode`] of the same frame, until it gives `None`, which it nearly always does at once. The frame's
    /// disposition is what `decode` said; these are segments beyond the count of frames.
    #[inline]
    pub fn decode_more<'a>(&'a mut self, frame: &Frame<'a>) -> Option<Result<Decoded<'a>, Skip>> {
        let rest = self.rest.take()?;
        Some(self.decode_rest(frame, rest))
    }

    /// The datagram of DNS in a frame of which [`Decoder::decode`] has just said that it holds no TCP.
    pub fn datagram<'a>(&mut self, frame: &Frame<'a>) -> Option<Datagram<'a>> {
        let aside = self.aside.take()?;
        Some(Datagram {
            frame_ref: FrameRef {
                frame: frame.number,
                time: frame.time,
            },
            context: aside.context,
            source: aside.source,
            destination: aside.destination,
            payload: frame.data.get(aside.start..)?.get(..aside.length)?,
        })
    }

    /// The name of a tunnel path, such as `vxlan 42 10.0.0.1 - 10.0.0.2`; the endpoints stand in sorted order, since
    /// both directions share it. `None` for [`Context`] 0: no tunnel.
    #[must_use]
    pub fn context_name(&self, context: Context) -> Option<&str> {
        self.contexts.name(context)
    }

    /// What became of fragments.
    #[must_use]
    pub fn fragment_counts(&self) -> FragmentCounts {
        self.fragments.counts
    }

    /// Packets whose tunnel path was one too many to be told apart from others.
    #[must_use]
    pub fn contexts_overflowed(&self) -> u64 {
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

    /// Goes on with a datagram that is whole. What it carries may itself be a fragment of another one, inside a
    /// tunnel, or packed once more: hence the turns.
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

    /// Reads a datagram once more, now from where its bytes will stay: a loop must not borrow what it replaces.
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
