//! The frames of one place on their way into the window in which their counterparts are looked for: read ahead, decoded, and held
//! until they leave it.

use std::collections::VecDeque;

use super::ahead::{Ahead, FactReader, ReadBatch, SegmentFacts};
use super::clock::ClockEstimate;
use super::items::{Item, Side, TcpFacts};
use super::union::Union;
use super::way::{self, Trail};
use crate::base::net::{Endpoint, Loss};
use crate::packet::capture::{
    Batch, CaptureError, FileSummary, Fill, Frame, FrameSlot, Source as _,
};
use crate::packet::decode::TcpOptions;

/// Where the frames of one side come from.
pub(super) enum Origin {
    /// One place, and its number.
    One(Ahead, u32),
    /// Several, which were joined before, and what decodes their frames.
    Joined(Box<Union>, FactReader),
}

impl Origin {
    fn fill(&mut self, read: &mut ReadBatch) -> Result<Fill, CaptureError> {
        match self {
            Self::One(ahead, _) => ahead.fill(read),
            Self::Joined(union, reader) => reader.fill(&mut **union, read),
        }
    }

    pub(super) fn files(&self) -> &[FileSummary] {
        match self {
            Self::One(ahead, _) => ahead.files(),
            Self::Joined(union, _) => union.files(),
        }
    }

    pub(super) fn lost(&self) -> Loss {
        match self {
            Self::One(ahead, _) => ahead.lost(),
            Self::Joined(union, _) => union.lost(),
        }
    }

    pub(super) const fn is_joined(&self) -> bool {
        matches!(self, Self::Joined(..))
    }

    pub(super) fn inner(&mut self) -> Option<&mut Union> {
        match self {
            Self::One(..) => None,
            Self::Joined(union, _) => Some(union),
        }
    }

    /// What is known of its next frame, which has this number. Frames are asked for in their order.
    fn trail(&mut self, number: u64) -> Trail {
        match self {
            Self::One(_, place) => Trail {
                seen: way::bit(*place),
                ..Trail::default()
            },
            Self::Joined(union, _) => union.trail(number),
        }
    }
}

/// A batch that holds frames of the window.
#[derive(Debug)]
struct HeldBatch {
    read: ReadBatch,
    /// Frames in the window, or still to be taken.
    left: usize,
}

/// One place, read ahead.
pub(super) struct Feed {
    pub(super) origin: Origin,
    clock: ClockEstimate,
    batches: VecDeque<HeldBatch>,
    /// The number of the first of `batches`.
    first: u64,
    /// The next frame to take, in the last batch, and its time by the clock of the base, once it was asked.
    next: usize,
    next_time: Option<i64>,
    spare: Vec<ReadBatch>,
    ended: bool,
    pub(super) held_bytes: usize,
    /// The times of its first frame and of the latest looked at, by the clock of the base.
    pub(super) span: Option<(i64, i64)>,
}

impl Feed {
    pub(super) fn new(origin: Origin, clock: ClockEstimate) -> Self {
        Self {
            origin,
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
            if let Some(slot) = last.and_then(|last| last.read.batch.slots.get(self.next)) {
                let time = self.clock.to_first(slot.time.as_nanos());
                let (begin, end) = self.span.unwrap_or((time, time));
                self.span = Some((begin.min(time), end.max(time)));
                return Ok(Some(time));
            }
            if self.ended {
                return Ok(None);
            }
            let mut read = self.spare.pop().unwrap_or_default();
            if self.origin.fill(&mut read)? == Fill::End {
                self.ended = true;
                continue;
            }
            if read.batch.is_empty() {
                self.spare.push(read);
                continue;
            }
            self.held_bytes += read.batch.used;
            self.next = 0;
            let left = read.batch.len();
            self.batches.push_back(HeldBatch { read, left });
        }
    }

    /// Takes the next frame, after [`Feed::peek`] has found one. `place` gives the flow of a segment and the end that sent it;
    /// a flow that is new has these two ends.
    pub(super) fn take(
        &mut self,
        side: Side,
        place: impl FnOnce(&SegmentFacts, &mut dyn FnMut() -> Option<[Endpoint; 2]>) -> (u32, usize),
    ) -> Option<Item> {
        let read = &self.batches.back()?.read;
        let facts = read.facts.get(self.next)?;
        let slot = read.batch.slots.get(self.next)?;
        let own_time = slot.time.as_nanos();
        let number = read.batch.first + u64::from(slot.nth);
        let tcp = facts.segment.as_ref().map(|segment| {
            let (flow, end) = place(segment, &mut || read.ends(self.next));
            TcpFacts {
                flow,
                end,
                ..segment.tcp
            }
        });
        let item = Item {
            side,
            batch: self.first + self.batches.len() as u64 - 1,
            slot: u32::try_from(self.next).unwrap_or(u32::MAX),
            time: self.clock.to_first(own_time),
            own_time,
            identity: facts.identity,
            tcp,
            partner: None,
            covered: 0,
            looked_through: false,
            trail: self.origin.trail(number),
        };
        self.next += 1;
        self.next_time = None;
        Some(item)
    }

    /// The options of a SYN that was not released.
    pub(super) fn options(&self, item: &Item) -> Option<&TcpOptions> {
        self.held(item)?.options(item.slot)
    }

    fn held(&self, item: &Item) -> Option<&ReadBatch> {
        let at = usize::try_from(item.batch.checked_sub(self.first)?).ok()?;
        self.batches.get(at).map(|held| &held.read)
    }

    /// The frame of an item that was not released.
    pub(super) fn frame(&self, item: &Item) -> Option<Frame<'_>> {
        self.held(item)?.batch.nth(item.slot as usize)
    }

    /// The slot of the frame of an item that was not released.
    pub(super) fn slot(&self, item: &Item) -> Option<&FrameSlot> {
        self.held(item)?.batch.slots.get(item.slot as usize)
    }

    /// The first batch that is held.
    pub(super) fn front(&self) -> Option<&Batch> {
        self.batches.front().map(|held| &held.read.batch)
    }

    /// The frame of this item is not needed any more.
    pub(super) fn release(&mut self, item: &Item) {
        let at = item.batch.checked_sub(self.first);
        let at = at.and_then(|at| usize::try_from(at).ok());
        if let Some(held) = at.and_then(|at| self.batches.get_mut(at)) {
            held.left = held.left.saturating_sub(1);
        }
    }

    /// Reuses the batches of which no frame is needed any more, after `done` has had them.
    pub(super) fn reuse(&mut self, mut done: impl FnMut(&mut Batch)) {
        while self.batches.len() > 1 && self.batches.front().is_some_and(|held| held.left == 0) {
            let Some(mut held) = self.batches.pop_front() else {
                break;
            };
            self.first += 1;
            self.held_bytes = self.held_bytes.saturating_sub(held.read.batch.used);
            done(&mut held.read.batch);
            held.read.clear();
            self.spare.push(held.read);
        }
    }
}
