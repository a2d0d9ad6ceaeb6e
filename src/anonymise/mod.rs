//! Captures without names and contents: every frame again, with other addresses, names and bodies of the same lengths.
//!
//! In: the frames of a capture, and a key. Out: frames on which the same is found. Each connection is followed and parsed as for
//! a report; the parsers tell which bytes of its streams are what ([`parts`](crate::protocol::parts)), and so what replaces
//! them (`stream.rs`). A frame waits until that is known of its payload, within a bound: what is not understood by then, and
//! what no parser understands at all, is filler. Nothing is written as it was because nobody knew what it is.
//!
//! What an address or a word becomes depends on the key and on itself alone, never on its place: so what belongs together
//! still does. Left out: what is inside TLS, which is replaced as a whole.

mod addresses;
mod body;
mod copy;
mod der;
mod dns;
mod faulty;
mod filler;
mod frame;
mod h2;
mod head;
mod key;
mod message;
mod proxied;
mod stream;
mod tls;
mod websocket;
mod words;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::analysis::connection::{ConnectionTracker, SegmentMatch, SettledBecause};
use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameNumber;
use crate::base::net::Flags;
use crate::base::passage::Passage;
use crate::base::time::Timestamp;
use crate::packet::capture::{Frame, LinkType};
use crate::packet::decode::{Decoded, Decoder, LayerPlace, Segment};
use crate::packet::flow::FlowKey;
use crate::protocol::http::TextInterner;
use crate::protocol::layers::LayerOptions;
use crate::protocol::parts::PartTeller;

pub use copy::{CopyError, copy};
use frame::Inside;
pub use key::{Key, KeyError};
pub use stream::StreamTotals;
use stream::{ByFlow, ConnectionBytes, Shared, lock};
pub use words::Words;

/// Bytes of frames that wait until it is known what their payload is.
pub(crate) const MAX_WAITING: usize = 32 << 20;
/// Connections that are followed at once; of the one that was silent longest the rest is filler.
pub(crate) const MAX_FOLLOWED: usize = 1 << 16;
/// Bytes of streams that are remembered for retransmissions.
pub(crate) const MAX_HELD: usize = 256 << 20;
/// What a frame takes beside its bytes, about.
const EACH_FRAME: usize = 256;
const DNS: u16 = 53;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames that were written.
    pub frames: u64,
    /// Frames without a TCP segment, whose content is filler.
    pub others: u64,
    /// Connections.
    pub connections: u64,
    /// What the streams held.
    pub streams: StreamTotals,
    /// Connections whose rest is filler, because too many were open.
    pub dropped: u64,
}

/// A connection and its streams.
struct Followed {
    live: Box<ConnectionTracker>,
    bytes: Arc<Mutex<ConnectionBytes>>,
}

struct Flow {
    now: Followed,
    before: Option<Followed>,
    last: u64,
}

/// A segment's payload in a frame.
struct Piece {
    bytes: Arc<Mutex<ConnectionBytes>>,
    from: FlowEnd,
    /// `None`: it is no part of the stream, but the text of a reset.
    offset: Option<i64>,
    start: usize,
    length: usize,
}

/// A frame that waits.
struct Waiting {
    number: FrameNumber,
    time: Timestamp,
    link: LinkType,
    interface: u32,
    length: u32,
    data: Vec<u8>,
    places: Vec<LayerPlace>,
    inside: Inside,
    pieces: Vec<Piece>,
}

/// Anonymises frames one after another.
pub struct Anonymiser {
    shared: Arc<Mutex<Shared>>,
    decoder: Decoder,
    texts: TextInterner,
    flows: ByFlow<FlowKey, Flow>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    since_look: u64,
    now: Timestamp,
    totals: Totals,
}

impl std::fmt::Debug for Anonymiser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Anonymiser")
            .field("totals", &self.totals)
            .finish_non_exhaustive()
    }
}

impl Anonymiser {
    /// Under this key.
    #[must_use]
    pub fn new(key: Key) -> Self {
        let shared = Shared {
            words: Words::new(key),
            totals: StreamTotals::default(),
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
            decoder: Decoder::tracing(),
            texts: TextInterner::new(),
            flows: ByFlow::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            since_look: 0,
            now: Timestamp::default(),
            totals: Totals::default(),
        }
    }

    /// Takes the next frame, and passes on those that are ready.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn frame<E>(
        &mut self,
        frame: &Frame<'_>,
        mut write: impl FnMut(&Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.now = frame.time;
        let waiting = self.read(frame);
        self.waiting_bytes += waiting.data.len() + EACH_FRAME;
        self.waiting.push_back(waiting);
        self.since_look += 1;
        if self.since_look.is_multiple_of(4096) {
            self.make_room();
        }
        while let Some(first) = self.waiting.front() {
            if self.waiting_bytes <= MAX_WAITING && !first.is_ready() {
                break;
            }
            self.write_first(&mut write)?;
        }
        Ok(())
    }

    /// There are no more frames: passes on those that wait.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn finish<E>(
        mut self,
        mut write: impl FnMut(&Frame<'_>) -> Result<(), E>,
    ) -> Result<Totals, E> {
        for (_, flow) in std::mem::take(&mut self.flows) {
            let Flow { now, before, .. } = flow;
            for followed in [Some(now), before].into_iter().flatten() {
                self.settle(followed);
            }
        }
        while !self.waiting.is_empty() {
            self.write_first(&mut write)?;
        }
        self.totals.streams = lock(&self.shared).totals;
        Ok(self.totals)
    }

    /// Heads that are not complete count as far as they go.
    fn settle(&mut self, followed: Followed) {
        let _ = (*followed.live).settle(SettledBecause::Capture(self.now), &mut self.texts);
        lock(&followed.bytes).finish();
    }

    fn write_first<E>(
        &mut self,
        write: &mut impl FnMut(&Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(first) = self.waiting.pop_front() else {
            return Ok(());
        };
        self.waiting_bytes = self
            .waiting_bytes
            .saturating_sub(first.data.len() + EACH_FRAME);
        let mut data = first.data.clone();
        for piece in &first.pieces {
            if let Some(payload) = data.get_mut(piece.start..piece.start + piece.length) {
                match piece.offset {
                    Some(offset) => lock(&piece.bytes).replace(piece.from, offset, payload),
                    None => lock(&self.shared).words.text(payload),
                }
            }
        }
        frame::rewrite(
            &mut lock(&self.shared),
            &mut data,
            &first.data,
            &first.places,
            first.inside,
        );
        if !matches!(first.inside, Inside::Segment(_)) && first.pieces.is_empty() {
            self.keep_kind(&first, &mut data);
        }
        self.totals.frames += 1;
        self.totals.others += u64::from(!matches!(first.inside, Inside::Segment(_)));
        write(&Frame {
            number: first.number,
            time: first.time,
            link: first.link,
            interface: first.interface,
            length: first.length,
            passage: Passage::Unknown,
            data: &data,
        })
    }

    /// A frame without a segment is skipped for a reason, which stays: bytes on which that depends are kept.
    fn keep_kind(&self, first: &Waiting, data: &mut Vec<u8>) {
        let kind = |data: &[u8]| {
            let frame = Frame {
                number: first.number,
                time: first.time,
                link: first.link,
                interface: first.interface,
                length: first.length,
                passage: Passage::Unknown,
                data,
            };
            let mut decoder = Decoder::new();
            let skip = decoder.decode(&frame).err();
            format!("{skip:?} {:?}", decoder.last_protocol())
        };
        let wanted = kind(&first.data);
        if kind(data) == wanted {
            return;
        }
        // From the headers that are rewritten on, bytes of the original are put back where they matter.
        let mut mixed = first.data.clone();
        let mut parts = vec![(0, mixed.len())];
        while let Some((start, end)) = parts.pop() {
            let Some(original) = mixed.get(start..end).map(<[u8]>::to_vec) else {
                continue;
            };
            if let (Some(place), Some(new)) = (mixed.get_mut(start..end), data.get(start..end)) {
                place.copy_from_slice(new);
            }
            if kind(&mixed) != wanted {
                if let Some(place) = mixed.get_mut(start..end) {
                    place.copy_from_slice(&original);
                }
                if end - start > 1 {
                    let middle = start + (end - start) / 2;
                    parts.extend([(middle, end), (start, middle)]);
                }
            }
        }
        *data = mixed;
    }

    /// Decodes a frame and follows its connections.
    fn read(&mut self, frame: &Frame<'_>) -> Waiting {
        let mut pieces = Vec::new();
        let mut inside = Inside::Other;
        let mut decoder = std::mem::take(&mut self.decoder);
        let place = |part: &[u8]| {
            let start = (part.as_ptr() as usize).checked_sub(frame.data.as_ptr() as usize);
            start.filter(|it| it + part.len() <= frame.data.len())
        };
        match decoder.decode(frame) {
            Ok(Decoded::Segment(segment)) => {
                if let Some(start) = place(segment.payload) {
                    inside = Inside::Segment(start);
                }
                self.segment(&segment, place(segment.payload), &mut pieces);
            }
            Ok(Decoded::Quote(_)) => inside = Inside::Quote,
            Err(_) => {
                if let Some(datagram) = decoder.datagram(frame)
                    && let Some(start) = place(datagram.payload)
                {
                    let dns = datagram.source.port == DNS || datagram.destination.port == DNS;
                    inside = if dns {
                        Inside::Dns(start)
                    } else {
                        Inside::Quic(start)
                    };
                }
            }
        }
        let places = decoder.trace().to_vec();
        while let Some(more) = decoder.decode_more(frame) {
            if let Ok(Decoded::Segment(segment)) = more {
                self.segment(&segment, place(segment.payload), &mut pieces);
            }
        }
        self.decoder = decoder;
        Waiting {
            number: frame.number,
            time: frame.time,
            link: frame.link,
            interface: frame.interface,
            length: frame.length,
            data: frame.data.to_vec(),
            places,
            inside,
            pieces,
        }
    }

    /// Passes a segment to its connection. `start`: where its payload is in the frame.
    fn segment(&mut self, segment: &Segment<'_>, start: Option<usize>, pieces: &mut Vec<Piece>) {
        let key = FlowKey::new(segment.source, segment.destination, segment.context);
        self.since_look += 1;
        let last = self.since_look;
        if !self.flows.contains_key(&key) {
            let now = self.follow(segment, None);
            let flow = Flow {
                now,
                before: None,
                last,
            };
            self.flows.insert(key, flow);
        } else {
            let flow = self.flows.get(&key);
            let fit = flow.map(|it| {
                let from = it.now.live.end_of(segment.source);
                it.now
                    .live
                    .fit(from, segment, it.before.as_ref().map(|it| &*it.live))
            });
            let state = flow.map(|it| it.now.live.predecessor_state());
            if fit == Some(SegmentMatch::Fresh) {
                let fresh = self.follow(segment, state);
                let flow = self.flows.get_mut(&key);
                let replaced =
                    flow.map(|it| (std::mem::replace(&mut it.now, fresh), it.before.take()));
                if let Some((old, older)) = replaced {
                    if let Some(older) = older {
                        self.settle(older);
                    }
                    if let Some(flow) = self.flows.get_mut(&key) {
                        flow.before = Some(old);
                    }
                }
            }
        }
        let Some(flow) = self.flows.get_mut(&key) else {
            return;
        };
        flow.last = last;
        let from = flow.now.live.end_of(segment.source);
        let fit = flow
            .now
            .live
            .fit(from, segment, flow.before.as_ref().map(|it| &*it.live));
        let own = match (fit, &mut flow.before) {
            (SegmentMatch::Before, Some(before)) => before,
            _ => &mut flow.now,
        };
        let from = own.live.end_of(segment.source);
        own.live.segment(from, segment, &mut self.texts);
        // The first segment of a direction sets where its offsets begin.
        let offset = own.live.payload_offset(from, segment);
        if let Some(start) = start.filter(|_| !segment.payload.is_empty()) {
            let takes = !segment.flags.has(Flags::RST);
            pieces.push(Piece {
                bytes: Arc::clone(&own.bytes),
                from,
                offset: takes.then_some(offset),
                start,
                length: segment.payload.len(),
            });
        }
    }

    fn follow(
        &mut self,
        segment: &Segment<'_>,
        before: Option<crate::analysis::connection::PredecessorState>,
    ) -> Followed {
        self.totals.connections += 1;
        let bytes = Arc::new(Mutex::new(ConnectionBytes::new(Arc::clone(&self.shared))));
        let mut live = Box::new(ConnectionTracker::new(segment, before));
        live.set_layer_options(LayerOptions {
            teller: Some(PartTeller::new(Arc::clone(&bytes) as _)),
            ..LayerOptions::default()
        });
        Followed { live, bytes }
    }

    /// Keeps within the bounds: first what is remembered of silent connections goes, then these themselves.
    fn make_room(&mut self) {
        let held = |flow: &Flow| lock(&flow.now.bytes).held();
        let total: usize = self.flows.values().map(held).sum();
        if total <= MAX_HELD && self.flows.len() <= MAX_FOLLOWED {
            return;
        }
        let mut ages: Vec<u64> = self.flows.values().map(|it| it.last).collect();
        ages.sort_unstable();
        let median = ages.get(ages.len() / 2).copied().unwrap_or(0);
        if total > MAX_HELD {
            for flow in self.flows.values().filter(|it| it.last <= median) {
                lock(&flow.now.bytes).forget();
            }
        }
        if self.flows.len() > MAX_FOLLOWED {
            let old: Vec<FlowKey> = self
                .flows
                .iter()
                .filter(|(_, it)| it.last <= median)
                .map(|(key, _)| *key)
                .collect();
            for key in old {
                if let Some(Flow { now, before, .. }) = self.flows.remove(&key) {
                    self.totals.dropped += u64::from(!now.live.is_over());
                    for followed in [Some(now), before].into_iter().flatten() {
                        self.settle(followed);
                    }
                }
            }
        }
    }
}

impl Waiting {
    fn is_ready(&self) -> bool {
        let known = |it: &Piece| {
            it.offset
                .is_none_or(|offset| lock(&it.bytes).knows(it.from, offset, it.length))
        };
        self.pieces.iter().all(known)
    }
}
