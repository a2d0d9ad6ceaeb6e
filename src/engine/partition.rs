//! One part of the flows: the table, what is closed and still listened to, and the bounds.
//!
//! A closed connection stays: late FINs, data and RSTs are the evidence. A new SYN on its addresses and ports settles
//! it (RFC 6191), as does the want of room. While a SYN on a live connection has not been answered, both are at hand.

use std::collections::VecDeque;

use super::stats::Stats;
use super::{Event, Sink};
use crate::connection::{Ended, Fit, Live};
use crate::decode::{Quote, Segment, Skip};
use crate::flow::{FlowKey, Slot, Table};
use crate::http::Texts;
use crate::mark::Mark;
use crate::tcp::Received;
use crate::time::Timestamp;

/// Connections that are followed at once, in one partition; sixteen times that in all. About a kilobyte each.
const MAX_LIVE: usize = 12_288;
/// Closed connections that are still listened to, in one partition. At the end of a busy second there are some
/// thousand; TIME-WAIT by itself needs no segment to be remembered.
const MAX_AFTERLIFE: usize = 1024;
/// Settled connections that are kept, in one partition: half a million in all, about 300 bytes each.
const MAX_SETTLED: u64 = 32_768;

/// One flow: the connection, and the one before it while it is not certain which of the two is spoken of.
#[derive(Debug)]
struct Flow {
    live: Box<Live>,
    before: Option<Box<Live>>,
    /// It is in the queue of closed ones.
    queued: bool,
}

#[derive(Debug, Default)]
pub(super) struct Partition {
    table: Table<Flow>,
    texts: Texts,
    /// Closed ones, in the order in which they closed, with their first segments to tell reuse.
    closed: VecDeque<(Slot, Mark)>,
    settled: u64,
    stats: Stats,
}

impl Partition {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn segment<S: Sink + ?Sized>(
        &mut self,
        key: &FlowKey,
        segment: &Segment<'_>,
        sink: &mut S,
    ) {
        let (slot, is_first) = match self.table.find(key) {
            Some(slot) => (slot, false),
            None => {
                if self.table.len() >= MAX_LIVE {
                    self.make_room(segment.time, sink);
                }
                let flow = Flow {
                    live: Box::new(Live::new(segment, None)),
                    before: None,
                    queued: false,
                };
                (self.table.insert(*key, flow), true)
            }
        };
        let Some(flow) = self.table.at(slot) else {
            return;
        };
        let from = flow.live.end_of(segment.source);
        let fit = if is_first {
            Fit::Ours
        } else {
            flow.live.fit(from, segment, flow.before.as_deref())
        };
        let mut settled = [None, None];
        let (live, from) = match (fit, &mut flow.before) {
            (Fit::Before, Some(before)) => {
                let from = before.end_of(segment.source);
                (before, from)
            }
            (Fit::Fresh, _) => {
                let fresh = Box::new(Live::new(segment, Some(flow.live.last())));
                let old = std::mem::replace(&mut flow.live, fresh);
                settled[0] = flow.before.take();
                if old.is_over() {
                    settled[1] = Some(old);
                } else {
                    flow.before = Some(old);
                }
                flow.queued = false;
                let from = flow.live.end_of(segment.source);
                (&mut flow.live, from)
            }
            _ => (&mut flow.live, from),
        };
        let received = live.segment(from, segment, &mut self.texts);
        match received {
            Received::Taken => self.stats.segments += 1,
            Received::Duplicate => self.stats.skip(Skip::Duplicate),
        }
        if received == Received::Taken && sink.wants_segments() {
            sink.event(Event::Segment {
                first: live.first(),
                from,
                segment,
                standings: live.standings(),
            });
        }
        let reused = flow.live.first().time;
        if flow.before.is_some() && flow.live.is_established() {
            settled[0] = flow.before.take();
        }
        let over = !flow.queued && flow.live.is_over();
        if over {
            flow.queued = true;
            self.closed.push_back((slot, flow.live.first()));
        }
        for old in settled.into_iter().flatten() {
            self.settle(old, Ended::Reused(reused), sink);
        }
        if over && self.closed.len() > MAX_AFTERLIFE {
            self.let_oldest_go(segment.time, sink);
        }
    }

    pub(super) fn quote(&mut self, key: &FlowKey, quote: &Quote) {
        if let Some(slot) = self.table.find(key)
            && let Some(flow) = self.table.at(slot)
        {
            flow.live.quote(quote);
        }
    }

    /// The connection that closed longest ago is settled, if it is still that one and still closed.
    fn let_oldest_go<S: Sink + ?Sized>(&mut self, now: Timestamp, sink: &mut S) {
        let Some((slot, first)) = self.closed.pop_front() else {
            return;
        };
        let Some(flow) = self.table.at(slot) else {
            return;
        };
        if flow.live.first() != first || !flow.queued {
            return;
        }
        if !flow.live.is_over() {
            flow.queued = false;
            return;
        }
        self.remove(slot, now, sink);
    }

    fn make_room<S: Sink + ?Sized>(&mut self, now: Timestamp, sink: &mut S) {
        while !self.closed.is_empty() && self.table.len() >= MAX_LIVE {
            self.let_oldest_go(now, sink);
        }
        if self.table.len() < MAX_LIVE {
            return;
        }
        if let Some(slot) = self.table.candidate(|flow| flow.live.is_embryonic()) {
            self.stats.bounds.forgotten += 1;
            self.remove(slot, now, sink);
        }
    }

    fn remove<S: Sink + ?Sized>(&mut self, slot: Slot, now: Timestamp, sink: &mut S) {
        if let Some(flow) = self.table.remove(slot) {
            if let Some(before) = flow.before {
                let reused = flow.live.first().time;
                self.settle(before, Ended::Reused(reused), sink);
            }
            self.settle(flow.live, Ended::Forgotten(now), sink);
        }
    }

    fn settle<S: Sink + ?Sized>(&mut self, live: Box<Live>, ended: Ended, sink: &mut S) {
        let limits = live.limits();
        self.stats.bounds.holes += limits.holes;
        self.stats.bounds.exchanges += limits.exchanges;
        if self.settled >= MAX_SETTLED {
            self.stats.bounds.let_go += 1;
            return;
        }
        self.settled += 1;
        let connection = live.settle(ended, &mut self.texts);
        sink.event(Event::Settled(Box::new(connection)));
    }

    pub(super) fn finish<S: Sink + ?Sized>(mut self, end: Timestamp, sink: &mut S) -> Stats {
        let flows: Vec<Flow> = self.table.drain().collect();
        for flow in flows {
            if let Some(before) = flow.before {
                let reused = flow.live.first().time;
                self.settle(before, Ended::Reused(reused), sink);
            }
            self.settle(flow.live, Ended::Capture(end), sink);
        }
        self.stats
    }
}
