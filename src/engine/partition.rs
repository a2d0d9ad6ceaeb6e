//! One part of the flows: the table, what is closed and still listened to, and the bounds.
//!
//! A closed connection stays: late FINs, data and RSTs are the evidence. A new SYN on its addresses and ports settles
//! it (RFC 6191), as does the want of room. While a SYN on a live connection has not been answered, both are at hand.

use std::collections::VecDeque;

use super::stats::Stats;
use super::{Event, Sink};
use crate::connection::{Ended, Fit, Live, Remains};
use crate::decode::{Decoded, Flags, Quote, Segment};
use crate::flow::{FlowKey, Slot, Table};
use crate::http::Texts;
use crate::mark::Mark;
use crate::tcp::Received;
use crate::time::Timestamp;

/// Connections that are followed at once, in one partition; sixteen times that in all. About a kilobyte each.
const MAX_LIVE: usize = 12_288;
/// Closed connections that are still listened to, in one partition; 256 in all. What comes late comes within a round trip
/// or two, so this is too few only where hundreds close in each of them; and few enough that they are still in the cache
/// when they are settled, which takes a third off the cost of a short connection.
const MAX_AFTERLIFE: usize = 16;
/// Settled connections whose addresses and ports are remembered, in one partition, so that a straggler is known as one
/// and not taken for the middle of a new connection; four thousand in all.
const MAX_GRAVES: usize = 256;

/// What the table has for addresses and ports.
#[derive(Debug)]
enum Place {
    Flow(Flow),
    /// A connection that is settled, by its last segment.
    Grave(Remains),
}

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
    table: Table<Place>,
    texts: Texts,
    /// Closed ones, in the order in which they closed, with their first segments to tell reuse.
    closed: VecDeque<(Slot, Mark)>,
    /// Settled ones, in that order, with their last segments to tell reuse.
    graves: VecDeque<(Slot, Mark)>,
    stats: Stats,
}

impl Partition {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// What one frame held.
    #[inline]
    pub(super) fn take<S: Sink + ?Sized>(
        &mut self,
        key: &FlowKey,
        decoded: &Decoded<'_>,
        sink: &mut S,
    ) {
        match decoded {
            Decoded::Segment(segment) => self.segment(key, segment, sink),
            Decoded::Quote(quote) => self.quote(key, quote),
        }
    }

    fn segment<S: Sink + ?Sized>(&mut self, key: &FlowKey, segment: &Segment<'_>, sink: &mut S) {
        let (slot, is_first) = match self.table.find(key) {
            Some(slot) => match self.table.at(slot) {
                Some(Place::Grave(_)) if !opens(segment) => {
                    self.stats.segments += 1;
                    self.stats.bounds.stragglers += 1;
                    return;
                }
                Some(place @ Place::Grave(_)) => {
                    let Place::Grave(remains) = *place else {
                        return;
                    };
                    *place = flow(segment, Some(remains));
                    (slot, true)
                }
                _ => (slot, false),
            },
            None => {
                if self.table.len() >= MAX_LIVE {
                    self.make_room(segment.time, sink);
                }
                (self.table.insert(*key, flow(segment, None)), true)
            }
        };
        let Some(Place::Flow(flow)) = self.table.at(slot) else {
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
                flow.live.note_challenge(segment);
                let from = before.end_of(segment.source);
                (before, from)
            }
            (Fit::Fresh, _) => {
                let fresh = Box::new(Live::new(segment, Some(flow.live.remains())));
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
            Received::Duplicate => self.stats.duplicate(segment),
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

    fn quote(&mut self, key: &FlowKey, quote: &Quote) {
        if let Some(slot) = self.table.find(key)
            && let Some(Place::Flow(flow)) = self.table.at(slot)
        {
            flow.live.quote(quote);
        }
    }

    /// The connection that closed longest ago is settled, if it is still that one and still closed.
    fn let_oldest_go<S: Sink + ?Sized>(&mut self, now: Timestamp, sink: &mut S) {
        let Some((slot, first)) = self.closed.pop_front() else {
            return;
        };
        let Some(place) = self.table.at(slot) else {
            return;
        };
        let Place::Flow(flow) = place else { return };
        if flow.live.first() != first || !flow.queued {
            return;
        }
        if !flow.live.is_over() {
            flow.queued = false;
            return;
        }
        let remains = flow.live.remains();
        if let Place::Flow(flow) = std::mem::replace(place, Place::Grave(remains)) {
            self.graves.push_back((slot, remains.last));
            self.settle_flow(flow, Ended::Forgotten(now), sink);
        }
        if self.graves.len() > MAX_GRAVES {
            self.clear_oldest_grave();
        }
    }

    fn clear_oldest_grave(&mut self) {
        if let Some((slot, last)) = self.graves.pop_front()
            && matches!(self.table.at(slot), Some(Place::Grave(remains)) if remains.last == last)
        {
            self.table.remove(slot);
        }
    }

    fn make_room<S: Sink + ?Sized>(&mut self, now: Timestamp, sink: &mut S) {
        while !self.graves.is_empty() && self.table.len() >= MAX_LIVE {
            self.clear_oldest_grave();
        }
        while !self.closed.is_empty() && self.table.len() >= MAX_LIVE {
            self.let_oldest_go(now, sink);
            self.clear_oldest_grave();
        }
        if self.table.len() < MAX_LIVE {
            return;
        }
        let is_cheap = |place: &Place| match place {
            Place::Flow(flow) => flow.live.is_embryonic(),
            Place::Grave(_) => true,
        };
        if let Some(slot) = self.table.candidate(is_cheap)
            && let Some(Place::Flow(flow)) = self.table.remove(slot)
        {
            self.stats.bounds.forgotten += 1;
            self.settle_flow(flow, Ended::Forgotten(now), sink);
        }
    }

    fn settle_flow<S: Sink + ?Sized>(&mut self, flow: Flow, ended: Ended, sink: &mut S) {
        if let Some(before) = flow.before {
            let reused = flow.live.first().time;
            self.settle(before, Ended::Reused(reused), sink);
        }
        self.settle(flow.live, ended, sink);
    }

    fn settle<S: Sink + ?Sized>(&mut self, live: Box<Live>, ended: Ended, sink: &mut S) {
        let limits = live.limits();
        self.stats.bounds.holes += limits.holes;
        self.stats.bounds.exchanges += limits.exchanges;
        sink.settled(live.settle(ended, &mut self.texts));
    }

    /// Settles everything; the capture ends at `end`.
    pub(super) fn finish<S: Sink + ?Sized>(mut self, end: Timestamp, sink: &mut S) -> Stats {
        let places: Vec<Place> = self.table.drain().collect();
        for place in places {
            if let Place::Flow(flow) = place {
                self.settle_flow(flow, Ended::Capture(end), sink);
            }
        }
        self.stats
    }
}

fn flow(segment: &Segment<'_>, predecessor: Option<Remains>) -> Place {
    Place::Flow(Flow {
        live: Box::new(Live::new(segment, predecessor)),
        before: None,
        queued: false,
    })
}

/// Whether a segment can be the first of a connection on addresses and ports whose last one is over.
fn opens(segment: &Segment<'_>) -> bool {
    segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::RST)
}
