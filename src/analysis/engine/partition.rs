//! One partition of the flows: the flow table, the closed connections that are still tracked, and the limits.
//!
//! A closed connection stays tracked, because late FINs, data and RSTs are evidence. It is settled by a new SYN on its
//! addresses and ports (RFC 6191), or when room is needed. While a SYN on a live connection has not been answered, both
//! connections are tracked.

use crate::packet::decode::Decoded;
use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashSet;

use super::closed_tuples::ClosedTuples;
use super::settings::{EngineSettings, Witness};
use super::stats::EngineStats;
use super::tuple::{HalfOpen, PlainOdds, TrackedFlow, TupleState};
use super::{Event, Sink};
use crate::analysis::connection::{
    ConnectionTracker, HeldBytes, PlainConnection, PlainNotes, PlainStep, SegmentMatch,
    SettledBecause,
};
use crate::base::frame_ref::FrameRef;
use crate::base::net::{Context, Flags, Quote, Skip};
use crate::base::passage::Passage;
use crate::base::time::Timestamp;
use crate::packet::decode::Segment;
use crate::packet::flow::{FlowKey, FlowSlot, FlowTable};
use crate::protocol::annotations::Annotator;
use crate::protocol::http::TextInterner;
use crate::protocol::layers::LayerOptions;
use crate::protocol::tcp::SegmentResult;
use crate::protocol::tls::secrets::KeyStore;

/// Connections tracked at once, in one partition; 131 072 in all. Each takes about a kilobyte, and a quarter of that
/// while there is only a SYN: a flood of SYNs is what fills the table.
pub(crate) const MAX_LIVE: usize = 8192;
/// Closed connections that are still tracked, in one partition; 256 in all. Late segments come within a round trip or
/// two, so this is too few only where hundreds of connections close in that time. It is also few enough that they are
/// still in the cache when they are settled, which takes a third off the cost of a short connection.
pub(crate) const MAX_CLOSED: usize = 16;
/// Bytes that wait behind holes, of all connections of one partition: a hundred megabytes in all. A single stream may
/// hold one megabyte ([`crate::protocol::tcp`] limits it); dozens do so at once only where the capture has lost much.
pub(crate) const MAX_HELD: usize = 6 << 20;
/// Bytes that wait for the end of their element (heads, handshake messages, header blocks and their tables, records),
/// of all connections of one partition: a quarter of a gigabyte in all. A single connection may hold 64 KB or so in
/// either direction. A few thousand connections with full HTTP/2 tables stay within it; a flood of endless heads does
/// not.
pub(crate) const MAX_WAITING: usize = 16 << 20;
/// Bytes of exchanges of connections that are not settled, in one partition; a hundred megabytes in all, which is a
/// quarter of a million exchanges. A frame of ten bytes can begin one.
pub(crate) const MAX_LIVE_EXCHANGE_BYTES: usize = 6 << 20;
/// Tuples of addresses and ports that are used by several connections in several VLANs, in one partition.
pub(crate) const MAX_SPLIT: usize = 1024;

/// Plain connections whose room for notes is kept for others once they are settled or tracked, in one partition: as many
/// as are in the cache.
const MAX_ROOM: usize = MAX_CLOSED;

/// The silence after which an attempt to connect is over. Linux never waits longer than 120 s before it repeats a SYN
/// (`TCP_RTO_MAX`), others less.
const GIVEN_UP: Duration = Duration::from_secs(130);

/// How connections are parsed.
#[derive(Debug, Default)]
struct TrackerOptions {
    keys: KeyStore,
    /// Whether to record annotations.
    with_annotations: bool,
}

impl TrackerOptions {
    /// The options for the next connection.
    fn layer_options(&self) -> LayerOptions {
        LayerOptions {
            // Pass the key store on only if it has secrets, or more may come.
            keys: self.keys.may_have_secrets().then(|| self.keys.clone()),
            annotator: self.with_annotations.then(Annotator::default),
            teller: None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Partition {
    table: FlowTable<TupleState>,
    texts: TextInterner,
    tracker_options: TrackerOptions,
    /// Bytes that wait behind holes.
    held: usize,
    /// What all connections hold of their streams.
    kept: HeldBytes,
    /// Closed connections in the order of their closes, each with its first segment to detect reuse of the slot.
    closed: VecDeque<(FlowSlot, FrameRef)>,
    closed_tuples: ClosedTuples,
    /// Tuples of addresses and ports ([`FlowKey::share`]) that several connections use at once, in several VLANs.
    split: HashSet<u64, foldhash::fast::FixedState>,
    /// Room for the notes of plain connections.
    room: Vec<PlainNotes>,
    odds: PlainOdds,
    stats: EngineStats,
    witness: Witness,
}

impl Partition {
    pub(super) fn new(keys: &KeyStore) -> Self {
        Self {
            tracker_options: TrackerOptions {
                keys: keys.clone(),
                with_annotations: false,
            },
            ..Self::default()
        }
    }

    /// One with the secrets and the witness of these settings.
    pub(super) fn of(settings: &EngineSettings) -> Self {
        Self {
            witness: settings.witness.clone(),
            ..Self::new(&settings.keys)
        }
    }

    /// Enables annotations, for rereading one connection.
    pub(super) fn with_annotations(mut self) -> Self {
        self.tracker_options.with_annotations = true;
        self
    }

    /// Processes what one frame held.
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

    /// Processes the result of decoding a frame of the most usual kind, and counts it.
    #[inline(always)]
    pub(super) fn usual<S: Sink + ?Sized>(
        &mut self,
        key: &FlowKey,
        decoded: Result<&Segment<'_>, Skip>,
        sink: &mut S,
    ) {
        match decoded {
            Ok(segment) => {
                self.stats.segment_kept(segment);
                self.segment(key, segment, sink);
            }
            Err(skip) => self.stats.skip(skip),
        }
    }

    fn segment<S: Sink + ?Sized>(&mut self, key: &FlowKey, segment: &Segment<'_>, sink: &mut S) {
        if segment.flags.has(Flags::RST) && self.is_known(segment) {
            let passage = Passage::Sent;
            let known = Segment {
                passage,
                ..*segment
            };
            return self.segment(key, &known, sink);
        }
        if let Some((slot, is_first)) = self.place(key, segment, sink)
            && !self.take_plainly(slot, segment, sink)
        {
            self.track(key, slot, is_first, segment, sink);
        }
    }

    /// Whether a RST, of which no place says more, is known to be its sender's own.
    #[cold]
    fn is_known(&self, segment: &Segment<'_>) -> bool {
        let outside = segment.passage == Passage::Unknown && segment.context == Context(0);
        let (from, to) = (segment.source, segment.destination);
        outside && self.witness.knows(from, to, segment.time)
    }

    /// Passes the segment to the connection that is tracked there. (In a function of its own: what it needs in registers
    /// would be prepared for every plain segment as well.)
    #[inline(never)]
    fn track<S: Sink + ?Sized>(
        &mut self,
        key: &FlowKey,
        slot: FlowSlot,
        is_first: bool,
        segment: &Segment<'_>,
        sink: &mut S,
    ) {
        let Some(TupleState::Flow(flow)) = self.table.at(slot) else {
            return;
        };
        let from = flow.live.end_of(segment.source);
        let fit = if is_first {
            SegmentMatch::Ours
        } else {
            flow.live.fit(from, segment, flow.before.as_deref())
        };
        if fit == SegmentMatch::Fresh
            && flow.is_elsewhere(from, segment.vlan)
            && !flow.live.is_over()
        {
            if self.split.len() < MAX_SPLIT {
                self.split.insert(key.share());
                return self.segment(key, segment, sink);
            }
            self.stats.bounds.vlans += 1;
        }
        let mut settled = [None, None];
        let (live, from) = match (fit, &mut flow.before) {
            (SegmentMatch::Before, Some(before)) => {
                flow.live.note_challenge(segment);
                let from = before.end_of(segment.source);
                (before, from)
            }
            (SegmentMatch::Fresh, _) => {
                let mut fresh = Box::new(ConnectionTracker::new(
                    segment,
                    Some(flow.live.predecessor_state()),
                ));
                fresh.set_layer_options(self.tracker_options.layer_options());
                let old = std::mem::replace(&mut flow.live, fresh);
                settled[0] = flow.before.take();
                if old.is_over() {
                    settled[1] = Some(old);
                } else {
                    flow.before = Some(old);
                }
                flow.queued = false;
                flow.vlans = [None; 2];
                let from = flow.live.end_of(segment.source);
                (&mut flow.live, from)
            }
            _ => (&mut flow.live, from),
        };
        flow.vlans[from.index()].get_or_insert(segment.vlan);
        let held = live.held_bytes();
        let kept = live.kept();
        let received = live.segment(from, segment, &mut self.texts);
        self.held = (self.held + live.held_bytes()).saturating_sub(held);
        if self.held > MAX_HELD && live.held_bytes() > 0 {
            // Only the growing connection is cut: the others keep waiting for what may still come.
            self.held -= live.held_bytes();
            live.skip_holes(&mut self.texts);
        }
        let now = live.kept();
        if now != kept {
            let others = HeldBytes {
                waiting: self.kept.waiting.saturating_sub(kept.waiting),
                exchanges: self.kept.exchanges.saturating_sub(kept.exchanges),
            };
            if now.waiting > kept.waiting && others.waiting + now.waiting > MAX_WAITING {
                live.drop_incomplete(&mut self.texts);
            }
            let more = now.exchanges > kept.exchanges;
            let mut own = now.exchanges;
            while more && others.exchanges + own > MAX_LIVE_EXCHANGE_BYTES {
                live.evict_older_exchanges();
                let left = live.kept().exchanges;
                if left >= own {
                    break;
                }
                own = left;
            }
            self.kept = HeldBytes {
                waiting: others.waiting + live.kept().waiting,
                exchanges: others.exchanges + live.kept().exchanges,
            };
        }
        match received {
            SegmentResult::Taken => self.stats.segments += 1,
            SegmentResult::Duplicate => self.stats.duplicate(segment),
        }
        if received == SegmentResult::Taken && sink.wants_segments() {
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
            self.settle(old, SettledBecause::Reused(reused), sink);
        }
        if over && self.closed.len() > MAX_CLOSED {
            self.evict_oldest(segment.time, sink);
        }
    }

    /// Notes the segment of a connection that remains plain with it. Returns false if the connection is tracked, as every
    /// one is from its first segment on that is not plain.
    #[inline]
    fn take_plainly<S: Sink + ?Sized>(
        &mut self,
        slot: FlowSlot,
        segment: &Segment<'_>,
        sink: &mut S,
    ) -> bool {
        let most = sink.plain_segments();
        let Some(place) = self.table.at(slot) else {
            return false;
        };
        let step = match place {
            TupleState::Flow(_) => return false,
            TupleState::Plain(plain) => plain.connection.take(segment, most, &mut self.texts),
            TupleState::HalfOpen(_) if most == 0 || !self.odds.favour() => PlainStep::Unfit,
            TupleState::HalfOpen(half_open) => match half_open.plain(segment, &mut self.room) {
                Some(plain) => {
                    *place = TupleState::Plain(Box::new(plain));
                    PlainStep::Noted
                }
                None => PlainStep::Unfit,
            },
        };
        match (step, place) {
            (PlainStep::Noted, _) => self.stats.segments += 1,
            (PlainStep::Over, TupleState::Plain(plain)) => {
                self.stats.segments += 1;
                self.closed.push_back((slot, plain.connection.first()));
                if self.closed.len() > MAX_CLOSED {
                    self.evict_oldest(segment.time, sink);
                }
            }
            _ => {
                self.promote(slot);
                return false;
            }
        }
        true
    }

    /// Tracks the connection from here on.
    #[inline(never)]
    fn promote(&mut self, slot: FlowSlot) {
        let Some(place) = self.table.at(slot) else {
            return;
        };
        let layer_options = self.tracker_options.layer_options();
        let flow = match place {
            TupleState::Flow(_) => return,
            TupleState::HalfOpen(half_open) => half_open.promote(layer_options, &mut self.texts),
            TupleState::Plain(plain) => {
                self.odds.lost();
                plain.promote(layer_options, &mut self.texts)
            }
        };
        let kept = flow.live.kept();
        self.kept.waiting += kept.waiting;
        self.kept.exchanges += kept.exchanges;
        if let TupleState::Plain(plain) = std::mem::replace(place, TupleState::Flow(flow)) {
            self.keep_room(plain.connection);
        }
    }

    /// Keeps the room for the notes of a connection that needs them no more.
    fn keep_room(&mut self, connection: PlainConnection) {
        if self.room.len() < MAX_ROOM {
            self.room.push(connection.into_room());
        }
    }

    /// The slot of the flow of a segment, and whether it was just created. `None` if the segment is done with: it is a
    /// late segment of a settled connection, or a SYN that waits for what follows.
    #[inline]
    fn place<S: Sink + ?Sized>(
        &mut self,
        key: &FlowKey,
        segment: &Segment<'_>,
        sink: &mut S,
    ) -> Option<(FlowSlot, bool)> {
        let in_vlan;
        let key = if self.split.contains(&key.share()) {
            in_vlan = self.key_in_vlan(key, segment);
            &in_vlan
        } else {
            key
        };
        if let Some(slot) = self.table.find(key) {
            return Some((slot, false));
        }
        let predecessor = self.closed_tuples.find(key.share());
        if predecessor.is_some() && !opens(segment) {
            self.stats.segments += 1;
            self.stats.bounds.stragglers += 1;
            return None;
        }
        if self.table.len() >= MAX_LIVE {
            self.make_room(segment.time, sink);
        }
        let share = key.share();
        if segment.flags.0 == Flags::SYN.0 && segment.length == 0 && !sink.wants_segments() {
            self.stats.segments += 1;
            let syn = Segment {
                payload: &[],
                bytes: &[],
                ..*segment
            };
            let half_open = HalfOpen {
                syn,
                share,
                predecessor,
            };
            self.table
                .insert(*key, TupleState::HalfOpen(Box::new(half_open)));
            return None;
        }
        let mut live = Box::new(ConnectionTracker::new(segment, predecessor));
        live.set_layer_options(self.tracker_options.layer_options());
        let flow = TrackedFlow {
            live,
            share,
            before: None,
            queued: false,
            vlans: [None; 2],
        };
        Some((self.table.insert(*key, TupleState::Flow(flow)), true))
    }

    /// Where several connections share addresses and ports, the first keeps the plain key and the others get one with
    /// their VLAN.
    fn key_in_vlan(&mut self, key: &FlowKey, segment: &Segment<'_>) -> FlowKey {
        let first = self.table.find(key).and_then(|slot| self.table.at(slot));
        match first {
            Some(TupleState::Flow(flow)) if !flow.vlans.contains(&Some(segment.vlan)) => {
                key.in_vlan(segment.vlan)
            }
            Some(TupleState::Plain(plain))
                if !plain.connection.vlans().contains(&Some(segment.vlan)) =>
            {
                key.in_vlan(segment.vlan)
            }
            Some(TupleState::HalfOpen(half_open)) if half_open.syn.vlan != segment.vlan => {
                key.in_vlan(segment.vlan)
            }
            _ => *key,
        }
    }

    fn quote(&mut self, key: &FlowKey, quote: &Quote) {
        if let Some(slot) = self.table.find(key) {
            self.promote(slot);
            if let Some(TupleState::Flow(flow)) = self.table.at(slot) {
                flow.live.quote(quote);
            }
        }
    }

    /// Settles the connection that closed longest ago, if its slot still holds it and it is still closed.
    fn evict_oldest<S: Sink + ?Sized>(&mut self, now: Timestamp, sink: &mut S) {
        let Some((slot, first)) = self.closed.pop_front() else {
            return;
        };
        let predecessor_state = match self.table.at(slot) {
            Some(TupleState::Flow(flow)) if flow.live.first() == first && flow.queued => {
                if !flow.live.is_over() {
                    flow.queued = false;
                    return;
                }
                flow.live.predecessor_state()
            }
            Some(TupleState::Plain(plain))
                if plain.connection.first() == first && plain.connection.is_over() =>
            {
                plain.connection.predecessor_state()
            }
            _ => return,
        };
        if let Some(place) = self.table.remove(slot) {
            let share = match &place {
                TupleState::Flow(flow) => flow.share,
                TupleState::Plain(plain) => plain.share,
                TupleState::HalfOpen(half_open) => half_open.share,
            };
            self.closed_tuples.keep(share, predecessor_state);
            self.settle_place(place, SettledBecause::Forgotten(now), sink);
        }
    }

    fn make_room<S: Sink + ?Sized>(&mut self, now: Timestamp, sink: &mut S) {
        while !self.closed.is_empty() && self.table.len() >= MAX_LIVE {
            self.evict_oldest(now, sink);
        }
        if self.table.len() < MAX_LIVE {
            return;
        }
        let is_cheap = |place: &TupleState| match place {
            TupleState::HalfOpen(_) => true,
            TupleState::Plain(_) => false,
            TupleState::Flow(flow) => flow.live.is_half_open(),
        };
        if let Some(slot) = self.table.candidate(is_cheap)
            && let Some(place) = self.table.remove(slot)
        {
            self.stats.bounds.forgotten += 1;
            self.settle_place(place, SettledBecause::Forgotten(now), sink);
        }
    }

    fn settle_place<S: Sink + ?Sized>(
        &mut self,
        place: TupleState,
        ended: SettledBecause,
        sink: &mut S,
    ) {
        let options = &self.tracker_options;
        let flow = match place {
            TupleState::Flow(flow) => return self.settle_flow(flow, ended, sink),
            TupleState::HalfOpen(half_open) => {
                half_open.promote(options.layer_options(), &mut self.texts)
            }
            TupleState::Plain(plain) => {
                if let Some(summary) = plain.connection.summary() {
                    let record = || {
                        let mut texts = TextInterner::new();
                        let live = plain.connection.replay(options.layer_options(), &mut texts);
                        live.settle(ended, &mut texts)
                    };
                    self.odds.won();
                    sink.settled_plainly(summary, &record);
                    return self.keep_room(plain.connection);
                }
                self.odds.lost();
                let flow = plain.promote(options.layer_options(), &mut self.texts);
                self.keep_room(plain.connection);
                flow
            }
        };
        // It is settled at once: what it holds does not count any more.
        let kept = flow.live.kept();
        self.kept.waiting += kept.waiting;
        self.kept.exchanges += kept.exchanges;
        self.settle_flow(flow, ended, sink);
    }

    fn settle_flow<S: Sink + ?Sized>(
        &mut self,
        flow: TrackedFlow,
        ended: SettledBecause,
        sink: &mut S,
    ) {
        if let Some(before) = flow.before {
            let reused = flow.live.first().time;
            self.settle(before, SettledBecause::Reused(reused), sink);
        }
        self.settle(flow.live, ended, sink);
    }

    fn settle<S: Sink + ?Sized>(
        &mut self,
        live: Box<ConnectionTracker>,
        ended: SettledBecause,
        sink: &mut S,
    ) {
        let limits = live.limits();
        self.held = self.held.saturating_sub(live.held_bytes());
        let kept = live.kept();
        self.kept.waiting = self.kept.waiting.saturating_sub(kept.waiting);
        self.kept.exchanges = self.kept.exchanges.saturating_sub(kept.exchanges);
        self.stats.bounds.evicted(limits);
        let connection = live.settle(ended, &mut self.texts);
        self.stats.bounds.settled(&connection);
        sink.settled(connection);
    }

    /// Settles attempts to connect that their client has given up: no answer came, and no SYN for longer than any system
    /// waits between two. They would stay until the table is full.
    pub(super) fn settle_given_up<S: Sink + ?Sized>(&mut self, now: Timestamp, sink: &mut S) {
        let over = self.table.slots(|place| {
            let last = match place {
                TupleState::HalfOpen(half_open) => half_open.syn.time,
                TupleState::Flow(flow) if flow.live.is_half_open() => flow.live.last().time,
                TupleState::Plain(_) | TupleState::Flow(_) => return false,
            };
            now.since(last) > GIVEN_UP
        });
        for slot in over {
            if let Some(place) = self.table.remove(slot) {
                self.settle_place(place, SettledBecause::Capture(now), sink);
            }
        }
    }

    /// Emits what is open, as if the capture ended at `now`, and returns the counts so far. The tracked state does not
    /// change.
    pub(super) fn show<S: Sink + ?Sized>(&mut self, now: Timestamp, sink: &mut S) -> EngineStats {
        let mut stats = self.stats.clone();
        let texts = &mut self.texts;
        let mut settle = |live: &ConnectionTracker, ended, texts: &mut TextInterner| {
            let limits = live.limits();
            stats.bounds.evicted(limits);
            let connection = live.clone().settle(ended, texts);
            stats.bounds.settled(&connection);
            sink.settled(connection);
        };
        for place in self.table.values() {
            match place {
                TupleState::HalfOpen(half_open) => {
                    let flow = half_open.promote(self.tracker_options.layer_options(), texts);
                    settle(&flow.live, SettledBecause::Capture(now), texts);
                }
                TupleState::Plain(plain) => {
                    let flow = plain.promote(self.tracker_options.layer_options(), texts);
                    settle(&flow.live, SettledBecause::Capture(now), texts);
                }
                TupleState::Flow(flow) => {
                    if let Some(before) = &flow.before {
                        settle(
                            before,
                            SettledBecause::Reused(flow.live.first().time),
                            texts,
                        );
                    }
                    settle(&flow.live, SettledBecause::Capture(now), texts);
                }
            }
        }
        stats
    }

    /// Settles all connections; the capture ends at `end`.
    pub(super) fn finish<S: Sink + ?Sized>(mut self, end: Timestamp, sink: &mut S) -> EngineStats {
        let places: Vec<TupleState> = self.table.drain().collect();
        for place in places {
            self.settle_place(place, SettledBecause::Capture(end), sink);
        }
        self.stats
    }
}

/// Whether a segment can begin a connection on addresses and ports whose last connection is over.
fn opens(segment: &Segment<'_>) -> bool {
    segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::RST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::connection::{Connection, Opening};
    use crate::analysis::engine::SentResets;
    use crate::base::frame_ref::FrameNumber;
    use crate::base::net::Endpoint;
    use crate::base::seq::Seq;
    use crate::packet::decode::TcpOptions;
    use crate::protocol::http::Exchange;
    use crate::protocol::tcp::ResetKind;
    use std::sync::Arc;

    const CLIENT: Endpoint = Endpoint {
        ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
        port: 40_000,
    };
    const SERVER: Endpoint = Endpoint {
        ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)),
        port: 80,
    };

    /// A segment from the client, or to it, at `frame` milliseconds.
    fn segment(
        frame: u64,
        from_client: bool,
        vlan: u16,
        flags: Flags,
        seq: u32,
        ack: u32,
    ) -> Segment<'static> {
        let (source, destination) = if from_client {
            (CLIENT, SERVER)
        } else {
            (SERVER, CLIENT)
        };
        Segment {
            frame: FrameNumber(frame),
            time: Timestamp::new(0, frame as u32 * 1_000_000),
            interface: 0,
            context: Context(0),
            vlan,
            link_digest: 0,
            source,
            destination,
            ttl: 64,
            ip_id: Some(frame as u16),
            seq: Seq(seq),
            ack: Seq(ack),
            flags,
            window: 1000,
            urgent: 0,
            options: TcpOptions::default(),
            length: 0,
            passage: crate::base::passage::Passage::Unknown,
            payload: &[],
            bytes: &[],
        }
    }

    fn run(segments: &[Segment<'_>]) -> (Vec<Connection>, EngineStats) {
        let mut partition = Partition::new(&KeyStore::default());
        let mut connections = Vec::new();
        for segment in segments {
            let key = FlowKey::new(segment.source, segment.destination, segment.context);
            partition.segment(&key, segment, &mut connections);
        }
        let stats = partition.finish(Timestamp::new(100, 0), &mut connections);
        connections.sort_by_key(|connection| connection.first);
        (connections, stats)
    }

    const SYN: Flags = Flags::SYN;
    const ACK: Flags = Flags::ACK;
    const SYN_ACK: Flags = SYN.with(ACK);
    const FIN_ACK: Flags = Flags::FIN.with(ACK);

    #[test]
    fn the_same_ports_in_two_vlans_at_once_are_two_connections() {
        let (connections, _) = run(&[
            segment(1, true, 10, SYN, 100, 0),
            segment(2, true, 20, SYN, 500, 0),
            segment(3, false, 10, SYN_ACK, 200, 101),
            segment(4, false, 20, SYN_ACK, 700, 501),
            segment(5, true, 10, ACK, 101, 201),
            segment(6, true, 20, ACK, 501, 701),
        ]);
        let openings: Vec<_> = connections.iter().map(|it| it.opening).collect();
        assert_eq!(openings, [Opening::Handshake; 2]);
    }

    /// Says that every RST was sent.
    struct All;

    impl SentResets for All {
        fn sent(&self, _: Endpoint, _: Endpoint, _: Timestamp) -> bool {
            true
        }
    }

    #[test]
    fn a_reset_that_a_host_is_known_to_have_sent_is_its_own() {
        let rst = Segment {
            ttl: 200,
            ..segment(4, false, 0, Flags::RST.with(ACK), 201, 101)
        };
        let segments = [
            segment(1, true, 0, SYN, 100, 0),
            segment(2, false, 0, SYN_ACK, 200, 101),
            segment(3, true, 0, ACK, 101, 201),
            rst,
        ];
        for (witness, kind) in [
            (Witness::default(), ResetKind::Foreign),
            (Witness(Some(Arc::new(All))), ResetKind::Abort),
        ] {
            let settings = EngineSettings {
                witness,
                ..EngineSettings::default()
            };
            let mut partition = Partition::of(&settings);
            let mut connections = Vec::new();
            for segment in &segments {
                let key = FlowKey::new(segment.source, segment.destination, segment.context);
                partition.segment(&key, segment, &mut connections);
            }
            partition.finish(Timestamp::new(100, 0), &mut connections);
            let kinds: Vec<_> = connections
                .iter()
                .map(|it: &Connection| it.reset[1].and_then(|it| it.kind))
                .collect();
            assert_eq!(kinds, [Some(kind)]);
        }
    }

    #[test]
    fn both_directions_of_a_connection_may_have_their_own_vlan() {
        let (connections, _) = run(&[
            segment(1, true, 10, SYN, 100, 0),
            segment(2, false, 20, SYN_ACK, 200, 101),
            segment(3, true, 10, ACK, 101, 201),
        ]);
        assert_eq!(connections.len(), 1);
    }

    #[test]
    fn a_straggler_of_a_settled_connection_is_no_new_one() {
        let mut segments = vec![
            segment(1, true, 0, SYN, 100, 0),
            segment(2, false, 0, SYN_ACK, 200, 101),
            segment(3, true, 0, ACK, 101, 201),
            segment(4, true, 0, FIN_ACK, 101, 201),
            segment(5, false, 0, FIN_ACK, 201, 102),
            segment(6, true, 0, ACK, 102, 202),
        ];
        let first = segments.clone();
        // Enough further connections that the first is settled.
        for number in 0..=MAX_CLOSED as u64 {
            for (step, mut again) in first.iter().copied().enumerate() {
                let port = 41_000 + number as u16;
                let end = if again.source == SERVER {
                    &mut again.destination
                } else {
                    &mut again.source
                };
                end.port = port;
                again.frame = FrameNumber(10 + number * 10 + step as u64);
                again.time = Timestamp::new(1, number as u32 * 1000);
                segments.push(again);
            }
        }
        segments.push(Segment {
            time: Timestamp::new(2, 0),
            ..segment(1000, false, 0, FIN_ACK, 201, 102)
        });
        let (connections, stats) = run(&segments);
        assert_eq!(connections.len(), MAX_CLOSED + 2);
        assert_eq!(stats.bounds.stragglers, 1);
        assert_eq!(stats.segments, segments.len() as u64);
    }

    /// Beside one that was answered, and one whose SYN may still be repeated.
    #[test]
    fn attempts_that_are_given_up_do_not_stay() {
        let mut partition = Partition::new(&KeyStore::default());
        let mut connections: Vec<Connection> = Vec::new();
        let late = |port: u16, time: i64, segment: Segment<'static>| Segment {
            source: Endpoint {
                port,
                ..segment.source
            },
            time: Timestamp::new(time, 0),
            ..segment
        };
        let repeated = [0, 1, 3].map(|time| late(1, time, segment(1, true, 0, SYN, 100, 0)));
        let others = [
            late(2, 3, segment(2, true, 0, SYN, 100, 0)),
            late(3, 80, segment(3, true, 0, SYN, 100, 0)),
            segment(4, true, 0, SYN, 100, 0),
            segment(5, false, 0, SYN_ACK, 200, 101),
        ];
        for segment in repeated.iter().chain(&others) {
            let key = FlowKey::new(segment.source, segment.destination, segment.context);
            partition.segment(&key, segment, &mut connections);
        }
        partition.settle_given_up(Timestamp::new(133, 0), &mut connections);
        assert_eq!(connections.len(), 0);
        partition.settle_given_up(Timestamp::new(134, 0), &mut connections);
        let ports: Vec<_> = connections.iter().map(|it| it.client.port).collect();
        assert_eq!(ports, [1, 2]);
        let _ = partition.show(Timestamp::new(134, 0), &mut connections);
        assert_eq!(connections.len(), 4);
    }

    /// Connections that never end, with thousands of requests in every segment and no response.
    #[test]
    fn exchanges_have_a_bound_that_all_connections_share() {
        const EACH: usize = 3000;
        let request = b"GET / HTTP/1.1\r\n\r\n";
        let payload = request.repeat(EACH);
        let mut partition = Partition::new(&KeyStore::default());
        let mut connections: Vec<Connection> = Vec::new();
        let (mut asked, mut frame) = (0, 0);
        for port in 0..6 {
            for number in 0..16 {
                frame += 1;
                asked += EACH;
                let seq = 100 + number * payload.len() as u32;
                let mut segment = Segment {
                    time: Timestamp::new(0, frame as u32 * 1000),
                    length: payload.len() as u32,
                    payload: &payload,
                    ..segment(frame, true, 0, ACK, seq, 201)
                };
                segment.source.port = 42_000 + port;
                let key = FlowKey::new(segment.source, segment.destination, segment.context);
                partition.segment(&key, &segment, &mut connections);
                assert!(partition.kept.exchanges <= MAX_LIVE_EXCHANGE_BYTES);
            }
        }
        assert!(asked * size_of::<Exchange>() > MAX_LIVE_EXCHANGE_BYTES);
        let stats = partition.finish(Timestamp::new(100, 0), &mut connections);
        let kept: usize = connections.iter().map(|it| it.exchanges.len()).sum();
        assert_eq!(kept as u64 + stats.bounds.exchanges, asked as u64);
    }
}
