//! The frames of one place on their way into the window in which their counterparts are looked for: read ahead, decoded, and held
//! until they leave it.

use std::collections::VecDeque;

use super::clock::ClockEstimate;
use super::identity::{self, Numbers};
use super::items::{Item, Side, TcpFacts};
use super::renumbered;
use super::union::Union;
use super::way::{self, Trail};
use crate::base::net::{Endpoint, Loss};
use crate::packet::capture::{Batch, CaptureError, FileSummary, Fill, Frame, Source};
use crate::packet::decode::{Decoder, Segment};
use crate::packet::flow::FlowKey;

/// Where the frames of one side come from.
pub(super) enum Origin {
    /// One place, by its number.
    One(Box<dyn Source>, u32),
    /// Several, which were joined before.
    Joined(Box<Union>),
}

impl Origin {
    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::One(source, _) => &mut **source,
            Self::Joined(union) => &mut **union,
        }
    }

    pub(super) fn files(&self) -> &[FileSummary] {
        match self {
            Self::One(source, _) => source.files(),
            Self::Joined(union) => union.files(),
        }
    }

    pub(super) fn lost(&self) -> Loss {
        match self {
            Self::One(source, _) => source.lost(),
            Self::Joined(union) => union.lost(),
        }
    }

    pub(super) const fn is_joined(&self) -> bool {
        matches!(self, Self::Joined(_))
    }

    pub(super) fn inner(&mut self) -> Option<&mut Union> {
        match self {
            Self::One(..) => None,
            Self::Joined(union) => Some(union),
        }
    }

    /// What is known of its next frame, which has this number. Frames are asked for in their order.
    fn trail(&mut self, number: u64) -> Trail {
        match self {
            Self::One(_, place) => Trail {
                seen: way::bit(*place),
                ..Trail::default()
            },
            Self::Joined(union) => union.trail(number),
        }
    }
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
    pub(super) origin: Origin,
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
    pub(super) fn new(origin: Origin, clock: ClockEstimate) -> Self {
        Self {
            origin,
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
            if self.origin.source().fill(&mut batch)? == Fill::End {
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
            looked_through: false,
            trail: self.origin.trail(frame.number.0),
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
