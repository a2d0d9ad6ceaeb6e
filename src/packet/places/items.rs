//! The frames of one place on their way through the window in which their counterparts are looked for.

use std::collections::VecDeque;

use super::clock::ClockEstimate;
use super::identity::{self, Numbers};
use super::renumbered;
use crate::base::net::Endpoint;
use crate::packet::capture::{Batch, CaptureError, Fill, Frame, Source};
use crate::packet::decode::{Decoder, Segment};
use crate::packet::flow::FlowKey;

/// One of two places: that of the base stream, or the other.
pub(super) type Side = usize;
pub(super) const BASE: Side = 0;
pub(super) const OTHER: Side = 1;

/// A frame in the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) side: Side,
    /// The batch that holds it, and its index there.
    pub(super) batch: u64,
    pub(super) slot: u32,
    /// Its time by the clock of the base, and by its own.
    pub(super) time: i64,
    pub(super) own_time: i64,
    /// A hash of its numbers as the base would show them; 0 if it has none.
    pub(super) identity: u64,
    pub(super) tcp: Option<TcpFacts>,
    /// The frame of the other side that shows the same.
    pub(super) partner: Option<Partner>,
    /// Bytes of its payload that frames of the other side show, which are divided otherwise.
    pub(super) covered: u32,
}

/// The counterpart of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partner {
    pub(super) item: u64,
    /// Its time by the clock of the base.
    pub(super) time: i64,
}

/// What is looked at of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpFacts {
    /// The flow at its own side, and which end sent it.
    pub(super) flow: u32,
    pub(super) end: usize,
    /// Its numbers at its own side.
    pub(super) numbers: Numbers,
    pub(super) ttl: u8,
    pub(super) ip_id: u16,
    pub(super) telling: bool,
    /// What remains where its numbers are changed; 0 if that says too little, or is not asked.
    pub(super) likeness: u64,
}

/// A batch that holds frames of the window.
#[derive(Debug)]
struct HeldBatch {
    batch: Batch,
    /// Frames in the window, or still to be taken.
    left: usize,
}

/// One place, read ahead.
pub(super) struct Feed {
    pub(super) source: Box<dyn Source>,
    decoder: Decoder,
    clock: ClockEstimate,
    batches: VecDeque<HeldBatch>,
    /// The number of the first of `batches`.
    first: u64,
    /// The next frame to take, in the last batch, and its time by the clock of the base, once it was asked.
    next: usize,
    next_time: Option<i64>,
    spare: Vec<Batch>,
    ended: bool,
    pub(super) held_bytes: usize,
    /// The times of its first frame and of the latest looked at, by the clock of the base.
    pub(super) span: Option<(i64, i64)>,
}

impl Feed {
    pub(super) fn new(source: Box<dyn Source>, clock: ClockEstimate) -> Self {
        Self {
            source,
            decoder: Decoder::new(),
            clock,
            batches: VecDeque::new(),
            first: 0,
            next: 0,
            next_time: None,
            spare: Vec::new(),
            ended: false,
            held_bytes: 0,
            span: None,
        }
    }

    /// The time of its next frame by the clock of the base; `None` at its end.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<Option<i64>, CaptureError> {
        if self.next_time.is_none() {
            self.next_time = self.look_ahead()?;
        }
        Ok(self.next_time)
    }

    fn look_ahead(&mut self) -> Result<Option<i64>, CaptureError> {
        loop {
            let last = self.batches.back();
            if let Some(slot) = last.and_then(|last| last.batch.slots.get(self.next)) {
                let time = self.clock.to_first(slot.time.as_nanos());
                let (begin, end) = self.span.unwrap_or((time, time));
                self.span = Some((begin.min(time), end.max(time)));
                return Ok(Some(time));
            }
            if self.ended {
                return Ok(None);
            }
            let mut batch = self.spare.pop().unwrap_or_default();
            if self.source.fill(&mut batch)? == Fill::End {
                self.ended = true;
                continue;
            }
            if batch.is_empty() {
                self.spare.push(batch);
                continue;
            }
            self.held_bytes += batch.used;
            self.next = 0;
            let left = batch.len();
            self.batches.push_back(HeldBatch { batch, left });
        }
    }

    /// Takes the next frame, after [`Feed::peek`] has found one. `settle` gives a segment its flow, whose key and ends it gets,
    /// and says whether it must be known what remains of the segment if its numbers are changed.
    pub(super) fn take(
        &mut self,
        side: Side,
        settle: impl FnOnce((u64, Endpoint, Endpoint), i64, &mut TcpFacts) -> bool,
    ) -> Option<Item> {
        let last = self.batches.back()?;
        let frame = last.batch.nth(self.next)?;
        let own_time = frame.time.as_nanos();
        let time = self.clock.to_first(own_time);
        let mut item = Item {
            side,
            batch: self.first + self.batches.len() as u64 - 1,
            slot: u32::try_from(self.next).unwrap_or(u32::MAX),
            time,
            own_time,
            identity: 0,
            tcp: None,
            partner: None,
            covered: 0,
        };
        self.next += 1;
        self.next_time = None;
        let read = |segment: &Segment<'_>| {
            let numbers = Numbers::of(segment);
            item.identity = numbers.identity();
            let mut tcp = TcpFacts {
                flow: 0,
                end: 0,
                numbers,
                ttl: segment.ttl,
                ip_id: segment.ip_id.unwrap_or(0),
                telling: identity::is_telling(segment),
                likeness: 0,
            };
            let (from, to) = (segment.source, segment.destination);
            let share = FlowKey::new(from, to, segment.context).share();
            if settle((share, from, to), time, &mut tcp) {
                tcp.likeness = renumbered::likeness(segment);
            }
            item.tcp = Some(tcp);
        };
        if self.decoder.with_segment(&frame, read).is_none() {
            item.identity = identity::of_other(&frame).unwrap_or(0);
        }
        Some(item)
    }

    /// The frame of an item that was not released.
    pub(super) fn frame(&self, item: &Item) -> Option<Frame<'_>> {
        let at = usize::try_from(item.batch.checked_sub(self.first)?).ok()?;
        self.batches.get(at)?.batch.nth(item.slot as usize)
    }

    /// The frame of this item is not needed any more.
    pub(super) fn release(&mut self, item: &Item) {
        let at = item.batch.checked_sub(self.first);
        let at = at.and_then(|at| usize::try_from(at).ok());
        if let Some(held) = at.and_then(|at| self.batches.get_mut(at)) {
            held.left = held.left.saturating_sub(1);
        }
        while self.batches.len() > 1 && self.batches.front().is_some_and(|held| held.left == 0) {
            let Some(mut held) = self.batches.pop_front() else {
                break;
            };
            self.first += 1;
            self.held_bytes = self.held_bytes.saturating_sub(held.batch.used);
            held.batch.clear();
            self.spare.push(held.batch);
        }
    }
}
