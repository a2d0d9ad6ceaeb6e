//! Reassembles the bytes of one direction by their offsets; what is missing becomes a gap.
//!
//! In: segments in capture order and the peer's acknowledgements. Out: slices in stream order to a [`StreamSink`]; gaps
//! as lengths, never as bytes. In-order payload is passed on as a slice of the frame; only what lies beyond a hole is
//! copied. A hole becomes a gap when the peer acknowledges past it, when a bound is hit, or at the end.
//!
//! Offsets count payload bytes from the first after the SYN, or from the first sequence number seen if the SYN was
//! not captured (RFC 9293 §3.4 gives the arithmetic; 64 bits never wrap here).

use crate::base::flow_end::FlowEnd;
use crate::base::frame_ref::FrameRef;
use crate::base::seq::Seq;

/// Receives the reassembled streams of both directions.
pub trait StreamSink {
    /// The next `length` bytes; `bytes` is the prefix of them that was captured.
    fn data(&mut self, from: FlowEnd, at: FrameRef, bytes: &[u8], length: u32);
    /// The next `length` bytes were never captured.
    fn gap(&mut self, from: FlowEnd, at: FrameRef, length: u64);
    /// The stream ends here: the FIN.
    fn end(&mut self, from: FlowEnd, at: FrameRef);
}

/// Bytes held per direction beyond a hole. A megabyte is the whole receive window of most hosts; a hole that holds up
/// more than this is treated as a capture loss.
pub(crate) const MAX_HELD_BYTES: usize = 1 << 20;
/// Pieces held per direction beyond a hole: a bound against hostile one-byte segments.
pub(crate) const MAX_HELD_PIECES: usize = 2048;
/// Gaps remembered per direction, to distinguish a late arrival from a retransmission.
pub(crate) const MAX_GAPS: usize = 64;
/// How many bytes beyond everything sent a segment may lie and still belong to this stream. The largest possible window
/// is 1 GiB (RFC 7323 §2.3); windows over 64 MiB are not seen in practice.
pub(crate) const MAX_LEAP: i64 = 64 << 20;

/// A piece of payload held until the hole before it is filled or given up.
#[derive(Clone, Debug)]
struct HeldSegment {
    start: i64,
    length: u32,
    at: FrameRef,
    bytes: Box<[u8]>,
}

impl HeldSegment {
    fn end(&self) -> i64 {
        self.start + i64::from(self.length)
    }
}

/// How a payload relates to the bytes seen before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// New bytes, in order.
    New,
    /// New bytes beyond a hole.
    Ahead,
    /// Bytes that fill a hole.
    Fill,
    /// Only bytes that had been seen.
    Again,
    /// Not part of this stream: far from everything sent.
    OutOfRange,
}

/// Where the first word of a [`Sample`] is taken: behind `HTTP/1.1 200`, which forged responses have, too.
const SAMPLED_AT: usize = 16;

/// Two words of the first segment of the latest flight. A forged answer comes before the real one and takes its place;
/// the real one then repeats the sequence numbers with other bytes. Nothing is taken of a flight's later segments, so
/// a transfer in bulk pays nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    /// Where the segment was seen.
    at: FrameRef,
    /// Offset and bytes.
    words: [Option<(i64, [u8; 8])>; 2],
}

impl Sample {
    fn of(at: FrameRef, start: i64, bytes: &[u8]) -> Self {
        let word = |at: usize| Some((start + at as i64, *bytes.get(at..)?.first_chunk()?));
        let last = bytes.len().checked_sub(8);
        Self {
            at,
            words: [word(SAMPLED_AT), last.and_then(word)],
        }
    }

    /// Whether these bytes at `start` differ from the sample.
    fn contradicts(&self, start: i64, bytes: &[u8]) -> bool {
        self.words.iter().flatten().any(|(at, word)| {
            let place = usize::try_from(at - start).ok();
            let other = place.and_then(|place| bytes.get(place..)?.first_chunk());
            other.is_some_and(|other| other != word)
        })
    }
}

/// The byte stream of one direction.
#[derive(Clone, Debug, Default)]
pub struct ByteStream {
    base: Seq,
    anchored: bool,
    /// The base is the number after a SYN: offset 0 is the first byte ever sent.
    whole: bool,
    ended: bool,
    /// A bound was hit, and a hole became a gap because of it.
    limited: bool,
    next: i64,
    top: i64,
    acked: i64,
    fin: Option<i64>,
    bytes: u64,
    /// Payload bytes that are not part of the stream.
    beside: u64,
    missing: u64,
    /// The latest segment overlaps an earlier one with other bytes.
    contradicts: bool,
    sample: Sample,
    later: Option<Box<OutOfOrder>>,
}

/// State that only streams with holes need.
#[derive(Clone, Debug, Default)]
struct OutOfOrder {
    held: Vec<HeldSegment>,
    held_bytes: usize,
    gaps: Vec<(i64, i64)>,
}

impl ByteStream {
    /// Sets offset 0 to sequence number `first`, unless it is already set. `whole`: a SYN proves that nothing was sent
    /// before.
    pub fn anchor(&mut self, first: Seq, whole: bool) {
        if !self.anchored {
            self.anchored = true;
            self.base = first;
            self.whole = whole;
        }
    }

    /// Sets offset 0 again, as long as the stream is empty: a SYN other than the one assumed has been acknowledged, or
    /// what came before the SYN was not part of this stream.
    pub(crate) fn anchor_again(&mut self, first: Seq) {
        if self.bytes == 0 && self.next == 0 {
            *self = Self {
                anchored: true,
                whole: true,
                base: first,
                ..Self::default()
            };
        }
    }

    /// Moves offset 0 by one: the stream began with a keep-alive probe, which repeats the number before the next
    /// (RFC 9293 §3.8.4), and not with a byte of its own.
    pub(super) fn begin_after_probe(&mut self) {
        if self.may_begin_with_probe() {
            self.base = self.base.add(1);
            self.acked = (self.acked - 1).max(0);
        }
    }

    /// Whether all that is known of the stream is its first number and an acknowledgement of that number.
    pub(super) const fn may_begin_with_probe(&self) -> bool {
        let empty = self.top == 0 && self.next == 0 && self.bytes == 0 && self.fin.is_none();
        self.anchored && !self.whole && empty && self.later.is_none() && self.acked <= 1
    }

    /// Counts bytes that are not part of the stream: the payload of a RST (RFC 9293 §3.5.3), or of a segment with
    /// foreign numbers.
    pub(crate) fn count_extraneous(&mut self, length: u32) {
        self.beside += u64::from(length);
    }

    /// Whether offset 0 is set.
    #[must_use]
    pub(crate) const fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// Whether offset 0 is known to be the stream's first byte.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// The offset of `seq`: of the candidates 2^32 apart, the one nearest to the highest offset sent or acknowledged.
    #[must_use]
    pub const fn offset(&self, seq: Seq) -> i64 {
        let near = if self.acked > self.top {
            self.acked
        } else {
            self.top
        };
        near + seq.from(self.base.add(near as u32)) as i64
    }

    /// The sequence number at `offset`.
    #[must_use]
    pub const fn seq(&self, offset: i64) -> Seq {
        self.base.add(offset as u32)
    }

    /// The offset after the highest payload byte seen.
    #[must_use]
    pub const fn top(&self) -> i64 {
        self.top
    }

    /// The sender's next number as an offset: after the highest byte, and after the FIN if there was one
    /// (RFC 9293 SND.NXT).
    #[must_use]
    pub(crate) const fn send_next(&self) -> i64 {
        match self.fin {
            Some(fin) if fin + 1 > self.top => fin + 1,
            _ => self.top,
        }
    }

    /// The offset up to which the stream has been delivered to the sink.
    #[must_use]
    pub const fn delivered(&self) -> i64 {
        self.next
    }

    /// The highest offset the peer has acknowledged; counts the FIN as one.
    #[must_use]
    pub const fn acknowledged(&self) -> i64 {
        self.acked
    }

    /// The offset of the FIN, if one was sent.
    #[must_use]
    pub const fn fin(&self) -> Option<i64> {
        self.fin
    }

    /// Distinct payload bytes seen, including those that are not part of the stream.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes + self.beside
    }

    /// Payload bytes acknowledged but never seen: gaps, and what the peer acknowledged beyond the highest byte.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let beyond = self.acked - self.send_next();
        let held: i64 = self.later.as_ref().map_or(0, |later| {
            let mut from = self.next;
            let mut hole = 0;
            for piece in &later.held {
                if piece.start >= self.acked {
                    // Of this hole only a part is acknowledged.
                    hole += (self.acked - from).max(0);
                    break;
                }
                hole += (piece.start - from).max(0);
                from = piece.end();
            }
            hole
        });
        self.missing + u64::try_from(beyond).unwrap_or(0) + u64::try_from(held).unwrap_or(0)
    }

    /// Whether the latest segment repeats sequence numbers with other bytes, as far as the earlier ones are still known.
    /// Which of them the receiver took, the capture does not show.
    pub(crate) const fn contradicts(&self) -> bool {
        self.contradicts
    }

    /// The segment whose bytes those of later ones are compared with: the first of the latest flight.
    pub(super) const fn sampled(&self) -> FrameRef {
        self.sample.at
    }

    /// Whether these bytes are those of the segment at the beginning of the latest flight.
    pub(super) fn is_echo(&self, bytes: &[u8]) -> bool {
        let [Some((first, _)), Some((last, _))] = self.sample.words else {
            return false;
        };
        let start = first - SAMPLED_AT as i64;
        last + 8 == start + bytes.len() as i64 && !self.sample.contradicts(start, bytes)
    }

    /// Whether a bound turned a hole into a gap early.
    #[must_use]
    pub const fn was_limited(&self) -> bool {
        self.limited
    }

    /// Bytes held beyond holes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.later.as_ref().map_or(0, |later| later.held_bytes)
    }

    /// Gives up all holes: too much waits behind those of other streams.
    pub(crate) fn skip_holes<R: StreamSink>(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        reader: &mut R,
    ) {
        while self.held_bytes() > 0 {
            self.limited = true;
            self.give_up_hole(from, at, reader);
        }
    }

    /// Adds a payload of `length` bytes at offset `start`, of which the prefix `bytes` was captured.
    pub fn data<R: StreamSink>(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        start: i64,
        bytes: &[u8],
        length: u32,
        reader: &mut R,
    ) -> Arrival {
        if start == self.next && self.later.is_none() && length > 0 && self.fin.is_none() {
            // The common case: the next bytes, nothing held.
            self.contradicts = false;
            self.next += i64::from(length);
            self.top = self.next;
            self.bytes += u64::from(length);
            if self.acked >= start {
                self.sample = Sample::of(at, start, bytes);
            }
            reader.data(from, at, bytes, length);
            return Arrival::New;
        }
        self.data_out_of_order(from, at, start, bytes, length, reader)
    }

    fn data_out_of_order<R: StreamSink>(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        mut start: i64,
        mut bytes: &[u8],
        mut length: u32,
        reader: &mut R,
    ) -> Arrival {
        self.contradicts = false;
        if start > self.top.max(self.acked) + MAX_LEAP || start < self.top - MAX_LEAP {
            return Arrival::OutOfRange;
        }
        let mut end = start + i64::from(length);
        if let Some(fin) = self.fin
            && end > fin
        {
            // Nothing can follow a FIN; bytes that do are ignored (RFC 9293 §3.10.7.4, seventh).
            let over = (end - fin).min(i64::from(length)) as u32;
            length -= over;
            end = start + i64::from(length);
            bytes = &bytes[..bytes.len().min(length as usize)];
        }
        if length == 0 {
            return Arrival::Again;
        }
        self.contradicts = self.contradicts_earlier(start, bytes);
        let old_top = self.top;
        self.top = self.top.max(end);
        let mut filled = self.fill_gaps(start, end);
        if start > self.next && self.acked >= start && self.hole_is_empty(start) {
            self.declare_gap(from, at, start, reader);
        }
        if start < self.next {
            let seen = (self.next - start).min(i64::from(length)) as u32;
            start += i64::from(seen);
            length -= seen;
            bytes = bytes.get(seen as usize..).unwrap_or(&[]);
        }
        if length > 0 {
            if start == self.next {
                filled |= self.deliver_until_held(from, at, start, bytes, length, reader);
            } else {
                filled |= self.hold(from, at, start, bytes, length, reader);
            }
            self.release(from, at, reader);
        }
        match (filled, end > old_top) {
            (false, _) => Arrival::Again,
            (true, true) if self.next >= end => Arrival::New,
            (true, true) => Arrival::Ahead,
            (true, false) => Arrival::Fill,
        }
    }

    /// Whether a segment differs from what is known of earlier ones: the sample, and the pieces that are held.
    fn contradicts_earlier(&self, start: i64, bytes: &[u8]) -> bool {
        if start < self.next && self.sample.contradicts(start, bytes) {
            return true;
        }
        let Some(later) = &self.later else {
            return false;
        };
        let end = start + bytes.len() as i64;
        let first = later.held.partition_point(|piece| piece.end() <= start);
        let held = later.held.get(first..).unwrap_or_default().iter();
        held.take_while(|piece| piece.start < end).any(|piece| {
            let from = start.max(piece.start);
            let theirs = piece.bytes.get((from - piece.start) as usize..);
            let ours = bytes.get((from - start) as usize..);
            let pairs = theirs
                .unwrap_or_default()
                .iter()
                .zip(ours.unwrap_or_default());
            pairs.clone().count() >= 8 && pairs.clone().any(|(one, other)| one != other)
        })
    }

    /// Delivers a piece that begins at `next`; the parts that are already held do not count as new. Returns whether any
    /// byte was new.
    fn deliver_until_held<R: StreamSink>(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        start: i64,
        bytes: &[u8],
        length: u32,
        reader: &mut R,
    ) -> bool {
        let end = start + i64::from(length);
        let mut new = 0i64;
        let mut cursor = start;
        if let Some(later) = &self.later {
            for piece in &later.held {
                if piece.start >= end {
                    break;
                }
                new += (piece.start - cursor).max(0);
                cursor = cursor.max(piece.end());
            }
        }
        new += (end - cursor).max(0);
        self.bytes += new as u64;
        self.next = end;
        reader.data(from, at, bytes, length);
        new > 0
    }

    /// Holds a piece beyond a hole, without the parts already held. Returns whether any byte was new.
    fn hold<R: StreamSink>(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        start: i64,
        bytes: &[u8],
        length: u32,
        reader: &mut R,
    ) -> bool {
        let end = start + i64::from(length);
        let later = self.later.get_or_insert_default();
        let mut index = later.held.partition_point(|piece| piece.end() <= start);
        let mut cursor = start;
        let mut new = 0i64;
        while cursor < end {
            let (until, skip_to) = match later.held.get(index) {
                Some(piece) if piece.start < end => (piece.start.max(cursor), piece.end()),
                _ => (end, end),
            };
            if until > cursor {
                let skip = (cursor - start) as usize;
                let take = (until - cursor) as usize;
                let captured = bytes.get(skip..).unwrap_or(&[]);
                let captured = &captured[..captured.len().min(take)];
                later.held_bytes += captured.len();
                later.held.insert(
                    index,
                    HeldSegment {
                        start: cursor,
                        length: take as u32,
                        at,
                        bytes: captured.into(),
                    },
                );
                new += take as i64;
                index += 1;
            }
            cursor = cursor.max(skip_to);
            index += 1;
        }
        self.bytes += new as u64;
        // A loop, because the first hole may hold up a single byte: giving that hole up alone frees hardly any room.
        while self.holds_too_much() {
            self.limited = true;
            self.give_up_hole(from, at, reader);
        }
        new > 0
    }

    fn holds_too_much(&self) -> bool {
        self.later.as_ref().is_some_and(|later| {
            later.held_bytes > MAX_HELD_BYTES || later.held.len() > MAX_HELD_PIECES
        })
    }

    fn hole_is_empty(&self, until: i64) -> bool {
        self.later
            .as_ref()
            .and_then(|later| later.held.first())
            .is_none_or(|piece| piece.start >= until)
    }

    /// Delivers the held pieces that are now next in order.
    fn release<R: StreamSink>(&mut self, from: FlowEnd, at: FrameRef, reader: &mut R) {
        let Some(later) = &mut self.later else { return };
        let mut done = 0;
        for piece in &later.held {
            if piece.start > self.next {
                break;
            }
            done += 1;
            later.held_bytes -= piece.bytes.len();
            let seen = self.next - piece.start;
            let rest = i64::from(piece.length) - seen;
            if rest > 0 {
                let bytes = piece.bytes.get(seen as usize..).unwrap_or(&[]);
                self.next = piece.end();
                reader.data(from, piece.at, bytes, rest as u32);
            }
        }
        later.held.drain(..done);
        if later.held.is_empty() && later.gaps.is_empty() {
            self.later = None;
        }
        self.end_if_done(from, at, reader);
    }

    /// Declares everything up to `until` lost by the capture.
    fn declare_gap<R: StreamSink>(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        until: i64,
        reader: &mut R,
    ) {
        let length = until - self.next;
        if length <= 0 {
            return;
        }
        let later = self.later.get_or_insert_default();
        if later.gaps.len() == MAX_GAPS {
            later.gaps.remove(0);
        }
        later.gaps.push((self.next, until));
        self.missing += length as u64;
        self.next = until;
        reader.gap(from, at, length as u64);
    }

    fn give_up_hole<R: StreamSink>(&mut self, from: FlowEnd, at: FrameRef, reader: &mut R) {
        let first = self
            .later
            .as_ref()
            .and_then(|later| later.held.first())
            .map(|piece| piece.start);
        if let Some(start) = first {
            self.declare_gap(from, at, start, reader);
            self.release(from, at, reader);
        }
    }

    /// Counts bytes that arrive late inside declared gaps. Returns whether there were any.
    fn fill_gaps(&mut self, start: i64, end: i64) -> bool {
        let Some(later) = &mut self.later else {
            return false;
        };
        let mut new = 0i64;
        let mut index = 0;
        while let Some(&(low, high)) = later.gaps.get(index) {
            let from = low.max(start);
            let to = high.min(end);
            if from >= to {
                index += 1;
                continue;
            }
            new += to - from;
            later.gaps.remove(index);
            for rest in [(low, from), (to, high)] {
                if rest.0 < rest.1 && later.gaps.len() < MAX_GAPS {
                    later.gaps.insert(index, rest);
                    index += 1;
                } else if rest.0 < rest.1 {
                    self.limited = true;
                }
            }
        }
        self.bytes += new as u64;
        self.missing = self.missing.saturating_sub(new as u64);
        new > 0
    }

    /// The sender's FIN is at `offset`.
    pub fn finish<R: StreamSink>(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        offset: i64,
        reader: &mut R,
    ) {
        if self.fin.is_none() && offset >= self.top && offset <= self.top.max(self.acked) + MAX_LEAP
        {
            self.fin = Some(offset);
            // All before it had been acknowledged, and none of it was captured.
            if self.later.is_none() && self.next < offset && self.acked >= offset {
                self.declare_gap(from, at, offset, reader);
            }
        }
        self.end_if_done(from, at, reader);
    }

    fn end_if_done<R: StreamSink>(&mut self, from: FlowEnd, at: FrameRef, reader: &mut R) {
        if !self.ended && self.fin.is_some_and(|fin| self.next >= fin) {
            self.ended = true;
            reader.end(from, at);
        }
    }

    /// The peer acknowledges everything before `offset`.
    pub fn acknowledge<R: StreamSink>(
        &mut self,
        from: FlowEnd,
        at: FrameRef,
        offset: i64,
        reader: &mut R,
    ) {
        if offset <= self.acked || offset > self.top.max(self.acked) + MAX_LEAP {
            return;
        }
        self.acked = offset;
        if offset <= self.next || self.later.is_none() && self.fin.is_none() {
            return;
        }
        // Holes whose bytes the peer has, and the capture has not.
        while let Some(start) = self
            .later
            .as_ref()
            .and_then(|later| later.held.first())
            .map(|piece| piece.start)
        {
            if start > self.acked {
                break;
            }
            self.declare_gap(from, at, start, reader);
            self.release(from, at, reader);
        }
        if let Some(fin) = self.fin
            && self.acked > fin
            && self.next < fin
        {
            self.declare_gap(from, at, fin, reader);
            self.end_if_done(from, at, reader);
        }
    }

    /// The peer had acknowledged everything before `seq`, as its host's number shows.
    pub(super) fn note_acknowledged(&mut self, seq: Seq) {
        self.acked = self.acked.max(self.offset(seq));
    }

    /// Takes back an acknowledgement of what was never sent: the RST that carried it is not the peer's.
    pub(super) fn forget_unsent(&mut self) {
        if self.later.is_none() {
            self.acked = self.acked.min(self.send_next());
        }
    }

    /// Nothing more will come: held pieces are delivered, and holes become gaps (counted as missing only if
    /// acknowledged).
    pub fn close<R: StreamSink>(&mut self, from: FlowEnd, at: FrameRef, reader: &mut R) {
        let missing = self.missing();
        while self
            .later
            .as_ref()
            .is_some_and(|later| !later.held.is_empty())
        {
            self.give_up_hole(from, at, reader);
        }
        if let Some(fin) = self.fin
            && self.next < fin
        {
            self.declare_gap(from, at, fin, reader);
            self.end_if_done(from, at, reader);
        }
        // What was acknowledged and never seen was sent, but a single number may have been a FIN.
        let known = self.fin.unwrap_or(self.acked).min(self.acked);
        if known > self.next + i64::from(self.fin.is_none()) {
            self.declare_gap(from, at, known, reader);
            self.end_if_done(from, at, reader);
        }
        // The earlier `missing` is right: holes that were never acknowledged may have been filled by what was dropped
        // later.
        self.missing = 0;
        let rest = self.missing();
        self.missing = missing.saturating_sub(rest);
        self.later = None;
    }
}
