//! The flows of two places: which are the same, which place is nearer to which host, and whether a place shows all it must.
//!
//! Two flows are linked by one segment with telling numbers. The nearer place shows the higher hop limit, and what the
//! host sends earlier than the other place, compared with what it receives: both hold without comparing clocks.

use hashbrown::{HashMap, HashTable};
use std::net::IpAddr;

use super::ahead::SegmentFacts;
use super::clock::median;
use super::identity::Numbers;
use super::items::{BASE, Item, OTHER, Side, TcpFacts};
use super::renumbered::{Shift, Sighting, may_be_same};
use super::rewrite::Rewriting;
use super::way::{Position, Stop, neighbours};
use crate::base::net::{Endpoint, Flags};

/// Flows that are followed at both places. When there are more, all are forgotten; each takes 400 bytes.
pub(crate) const MAX_FLOWS: usize = 65_536;
/// Differences of times that are kept of each direction.
const KEPT: usize = 5;
/// Segments of a flow after which it is asked which place is nearer to its client: all that are kept of both directions.
const NOTED: u8 = 2 * KEPT as u8;
/// Segments that passed a place unseen, as a share of those seen, from which on its silence proves nothing.
const UNSEEN_SHARE: u64 = 1000;

/// Possible additions to the numbers of one flow that wait for a second segment.
const VOTES: usize = 8;
/// Numbers of one end that are further apart than this at about the same time are not of one connection: a second at 1 Gbit/s.
const FAR: u32 = 1 << 27;

/// One flow at one place. What is looked at of every segment stands together: flows lie far apart in memory, and fetching them is
/// what takes the time.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Flow {
    share: u64,
    /// The sender of its first segment, and the receiver.
    endpoints: [Endpoint; 2],
    /// The same flow at the other place, and whether its ends are in the other order there.
    link: Option<(u32, bool)>,
    /// The lesser end is the first.
    lesser_first: bool,
    /// The other place shows another connection with these addresses and ports.
    apart: bool,
    /// It is open what is added to the other place's numbers, because of a new connection.
    reopened: bool,
    /// Whether a box between the places gives packets other identifications.
    renumbered: bool,
    /// How often it was asked which place is nearer to its client.
    noted: u8,
    next_recent: u8,

    /// Of each end, the latest number, and the first of the connection.
    latest: [Option<u32>; 2],
    isn: [Option<u32>; 2],
    /// Of the base: what is added to the other place's numbers.
    shift: Shift,

    /// The latest segments that both places show, to recognise second sightings here.
    recent: [u32; 8],
    /// Of each end, how much higher the hop limit is here than at the other place.
    hops: [Option<i16>; 2],
    /// It was opened here, by this end.
    opener: Option<usize>,

    /// Of each end, how much later the other place saw its segments.
    later: [[i64; KEPT]; 2],
    counts: [usize; 2],
    /// Of the base: the last frame whose counterpart has left the window, with its time, and the counterpart's own time.
    passed: Option<Passed>,
    votes: Vec<Vote>,
    /// Of the other place: its frames that wait, as long as it is open whether the base shows it with other numbers.
    waits: Vec<u64>,
}

/// What two similar segments say of two flows.
#[derive(Clone, Copy, Debug)]
struct Vote {
    other: u32,
    turned: bool,
    shift: Shift,
}

/// Up to where both places agree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub(super) item: u64,
    pub(super) time: i64,
    pub(super) own_time: i64,
}

/// A client and one port of a server.
type Pair = (IpAddr, Endpoint);

/// What is known of the connections of a pair, as one place shows them; both places have shown one of them.
#[derive(Clone, Copy, Debug, Default)]
struct PairFacts {
    /// The handshake was answered here, and the other place shows none of it: there are ways around it.
    around: bool,
    /// Where the other place lies on the way of the client's segments, and on that of the server's.
    positions: Option<[Position; 2]>,
}

/// What the places before say of a segment that only one side shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// The side nearer to its sender.
    pub(super) near: Side,
    /// The neighbours between which it was lost, or from between which it comes, in the order of its way.
    pub(super) between: (Stop, Stop),
}

/// All flows.
#[derive(Debug, Default)]
pub(super) struct Flows {
    /// Of each side, the places of its flows by their `share`, which is a hash.
    index: [HashTable<u32>; 2],
    flows: [Vec<Flow>; 2],
    /// The flow that was looked up last on each side.
    latest: [Option<(u64, u32)>; 2],
    pairs: [HashMap<Pair, PairFacts, foldhash::fast::FixedState>; 2],
    /// Segments that both places show, and those that each must have seen and does not show.
    matched: u64,
    unseen: [u64; 2],
    /// Flows linked.
    pub(super) linked: u64,
    /// Linked flows with other addresses or ports at the other place.
    pub(super) translated: u64,
    /// Linked connections with other numbers at the other place.
    pub(super) renumbered: u64,
    /// Flows that both places show with other numbers, and that were not linked.
    pub(super) apart: u64,
}

impl Flows {
    /// The flow of a segment, and which end sent it. A flow that is new has these ends.
    pub(super) fn place(
        &mut self,
        side: Side,
        segment: &SegmentFacts,
        ends: &mut dyn FnMut() -> Option<[Endpoint; 2]>,
    ) -> (u32, usize) {
        let share = segment.share;
        // The next segment is often of the same flow.
        let latest = self.latest[side].filter(|it| it.0 == share);
        let found = latest.map(|it| it.1);
        let found = found.or_else(|| self.find(side, share));
        if let Some(at) = found
            && let Some(flow) = self.flows[side].get(at as usize)
        {
            self.latest[side] = Some((share, at));
            return (at, usize::from(flow.lesser_first != segment.from_lesser));
        }
        let at = u32::try_from(self.flows[side].len()).unwrap_or(u32::MAX);
        let Some(endpoints) = ends() else {
            return (u32::MAX, 0);
        };
        self.flows[side].push(Flow {
            share,
            endpoints,
            link: None,
            lesser_first: segment.from_lesser,
            apart: false,
            reopened: false,
            renumbered: false,
            noted: 0,
            next_recent: 0,
            latest: [None; 2],
            isn: [None; 2],
            shift: Shift::default(),
            recent: [0; 8],
            hops: [None; 2],
            opener: None,
            later: [[0; KEPT]; 2],
            counts: [0; 2],
            passed: None,
            votes: Vec::new(),
            waits: Vec::new(),
        });
        let flows = &self.flows[side];
        let hash = |at: &u32| flows.get(*at as usize).map_or(0, |flow| flow.share);
        self.index[side].insert_unique(share, at, hash);
        (at, 0)
    }

    /// The place of the flow with this identity.
    fn find(&self, side: Side, share: u64) -> Option<u32> {
        let flows = &self.flows[side];
        let is_it = |at: &u32| flows.get(*at as usize).is_some_and(|it| it.share == share);
        self.index[side].find(share, is_it).copied()
    }

    /// Whether there are too many: the window must be emptied, then [`Flows::forget`] called.
    pub(super) fn is_full(&self) -> bool {
        self.flows.iter().any(|it| it.len() >= MAX_FLOWS)
    }

    /// Forgets all flows. Live ones are linked again by their next segments.
    pub(super) fn forget(&mut self) {
        for side in [BASE, OTHER] {
            self.index[side].clear();
            self.flows[side].clear();
            self.latest[side] = None;
            if self.pairs[side].len() >= MAX_FLOWS {
                self.pairs[side].clear();
            }
        }
    }

    /// Takes note of a segment's numbers. A SYN begins another connection on the flow: what was known of the old one does
    /// not hold for it.
    pub(super) fn open(&mut self, side: Side, at: u32, end: usize, numbers: &Numbers) {
        let Some(flow) = self.flows[side].get_mut(at as usize) else {
            return;
        };
        flow.latest[end] = Some(numbers.seq.wrapping_add(numbers.length));
        if numbers.flags.has(Flags::ACK) {
            flow.latest[1 - end].get_or_insert(numbers.ack);
        }
        if !numbers.flags.has(Flags::SYN) {
            return;
        }
        flow.isn[end] = Some(numbers.seq);
        if numbers.flags.has(Flags::ACK) {
            return;
        }
        flow.opener = Some(end);
        flow.isn[1 - end] = None;
        flow.latest[1 - end] = None;
        flow.apart = false;
        let base = match (side, flow.link) {
            (_, None) => return,
            (BASE, _) => at,
            (_, Some((base, _))) => base,
        };
        if let Some(flow) = self.flows[BASE].get_mut(base as usize) {
            // A box that changes the numbers changes those of each connection in its own way.
            flow.reopened |= !flow.shift.is_plain();
        }
    }

    /// Whether two segments with the same numbers are the same.
    pub(super) fn are_same(&self, a: &TcpFacts, a_side: Side, b: &TcpFacts) -> bool {
        let (Some(own), Some(other)) = (self.flow(a_side, a), self.flow(1 - a_side, b)) else {
            return false;
        };
        let numbered = a.ip_id != 0 && b.ip_id != 0;
        match (own.link, other.link) {
            (Some((to, turned)), _) => {
                to == b.flow
                    && (a.end == b.end) != turned
                    && (!numbered || a.ip_id == b.ip_id || own.renumbered || other.renumbered)
            }
            (None, Some(_)) => false,
            (None, None) => {
                let opens = a.numbers.flags.has(Flags::SYN);
                a.telling && (!numbered || a.ip_id == b.ip_id || opens && own.share != other.share)
            }
        }
    }

    /// Both places show a segment: `base` and `other` are the same. Returns the ends at the other place if it is now known that
    /// they differ there.
    pub(super) fn link(&mut self, base: &Item, other: &Item) -> Option<[Endpoint; 2]> {
        let (Some(a), Some(b)) = (&base.tcp, &other.tcp) else {
            return None;
        };
        self.matched += 1;
        let translated = self.join(a, b);
        if let Some(far) = self.flows[OTHER].get_mut(b.flow as usize) {
            far.note(base.identity);
        }
        let near = self.flows[BASE].get_mut(a.flow as usize)?;
        near.note(base.identity);
        near.shift.keep(&a.numbers, a.end);
        near.renumbered |= a.ip_id != 0 && b.ip_id != 0 && a.ip_id != b.ip_id;
        near.hops[a.end] = Some(i16::from(a.ttl) - i16::from(b.ttl));
        // The time of what another place than the first has in the base is not that of the first one.
        if base.trail.seen & 1 != 0 {
            let at = near.counts[a.end] % KEPT;
            near.later[a.end][at] = other.time - base.time;
            near.counts[a.end] += 1;
        }
        translated
    }

    /// Makes two flows one, as these two segments of them are the same. Returns the ends of the segment at the other place if
    /// the flow is linked now, and has others there.
    fn join(&mut self, a: &TcpFacts, b: &TcpFacts) -> Option<[Endpoint; 2]> {
        let turned = a.end != b.end;
        let far = self.flows[OTHER].get_mut(b.flow as usize)?;
        let (far_ends, fresh) = (far.endpoints, far.link.is_none());
        far.link = Some((a.flow, turned));
        let near = self.flows[BASE].get_mut(a.flow as usize)?;
        near.link = Some((b.flow, turned));
        if !fresh {
            return None;
        }
        self.linked += 1;
        let same = near.endpoints == far_ends || near.endpoints == [far_ends[1], far_ends[0]];
        self.translated += u64::from(!same);
        if let Some(opener) = near.opener {
            let both = [
                pair(near.endpoints, opener),
                pair(far_ends, opener ^ usize::from(turned)),
            ];
            for (pairs, pair) in self.pairs.iter_mut().zip(both) {
                if pairs.len() < MAX_FLOWS {
                    pairs.entry(pair).or_default();
                }
            }
        }
        (!same).then(|| [far_ends[b.end], far_ends[1 - b.end]])
    }

    /// The numbers of a segment of the other place as the base shows them, if they are others there.
    pub(super) fn renumbered(&self, tcp: &TcpFacts) -> Option<Numbers> {
        // Hardly any capture has such a connection.
        if self.renumbered == 0 {
            return None;
        }
        let (flow, end) = self.of_base(OTHER, tcp)?;
        let shift = self.flows[BASE].get(flow as usize)?.shift;
        (!shift.is_plain()).then(|| shift.to_base(tcp.numbers, end))
    }

    /// The sequence number of a segment as the base shows it.
    pub(super) fn base_seq(&self, side: Side, tcp: &TcpFacts) -> u32 {
        let other = (side == OTHER).then(|| self.renumbered(tcp)).flatten();
        other.unwrap_or(tcp.numbers).seq
    }

    /// Whether it is open what the other place adds to the numbers of a segment's flow.
    pub(super) fn is_unsettled(&self, side: Side, tcp: &TcpFacts) -> bool {
        let Some(flow) = self.flow(side, tcp) else {
            return false;
        };
        if flow.link.is_none() {
            return !flow.apart;
        }
        let base = self.of_base(side, tcp);
        let base = base.and_then(|(flow, _)| self.flows[BASE].get(flow as usize));
        base.is_some_and(|flow| flow.reopened || !flow.shift.is_whole())
    }

    /// A frame of the other place waits until it is known what the numbers of its flow are at the base. `first` is the first
    /// frame that still waits.
    pub(super) fn wait(&mut self, tcp: &TcpFacts, number: u64, first: u64) {
        if let Some(flow) = self.flows[OTHER].get_mut(tcp.flow as usize) {
            if flow.waits.len() == flow.waits.capacity() {
                flow.waits.retain(|it| *it >= first);
            }
            flow.waits.push(number);
        }
    }

    /// The frames of the other place that have waited, of the flow of a segment.
    pub(super) fn waited(&mut self, tcp: &TcpFacts) -> Vec<u64> {
        let flow = self.flows[OTHER].get_mut(tcp.flow as usize);
        flow.map(|flow| std::mem::take(&mut flow.waits))
            .unwrap_or_default()
    }

    /// Whether two segments of one likeness, one of each place, may be the same.
    pub(super) fn may_be_same(&self, a: &TcpFacts, a_side: Side, b: &TcpFacts) -> bool {
        let (Some(own), Some(other)) = (self.flow(a_side, a), self.flow(1 - a_side, b)) else {
            return false;
        };
        let linked = match (own.link, other.link) {
            (None, None) => true,
            (Some((to, turned)), Some(_)) => to == b.flow && (a.end == b.end) != turned,
            _ => false,
        };
        linked && may_be_same(own.sighting(a), other.sighting(b))
    }

    /// Two segments that may be the same have other numbers. Returns whether it is now proven that their flows are the same.
    pub(super) fn vote(&mut self, base: &TcpFacts, other: &TcpFacts) -> bool {
        let turned = base.end != other.end;
        let shift = Shift::between(&base.numbers, &other.numbers, base.end);
        let far = self.flows[OTHER].get(other.flow as usize);
        let far = far.map_or([None; 2], |it| it.isn);
        let far = if turned { [far[1], far[0]] } else { far };
        let Some(near) = self.flows[BASE].get_mut(base.flow as usize) else {
            return false;
        };
        if shift.is_plain() {
            return false;
        }
        let relative = (base.numbers.length > 0).then(|| Shift::of_first(near.isn, far));
        let known = (near.link.is_some() && !near.reopened).then_some(near.shift);
        let votes = near.votes.iter();
        let votes = votes.filter(|it| it.other == other.flow && it.turned == turned);
        let mut earlier = known
            .into_iter()
            .chain(relative.flatten())
            .chain(votes.map(|it| it.shift));
        let Some(agreed) = earlier.find_map(|it| it.agreed(shift)) else {
            if near.votes.len() == VOTES {
                near.votes.remove(0);
            }
            near.votes.push(Vote {
                other: other.flow,
                turned,
                shift,
            });
            return false;
        };
        near.votes = Vec::new();
        near.shift = agreed;
        near.reopened = false;
        near.renumbered |= base.ip_id != other.ip_id;
        self.renumbered += 1;
        self.join(base, other);
        true
    }

    /// Whether both places show other connections with the addresses and ports of a segment: their numbers contradict each
    /// other.
    pub(super) fn is_apart(&mut self, side: Side, tcp: &TcpFacts) -> bool {
        let Some(flow) = self.flow(side, tcp).filter(|flow| flow.link.is_none()) else {
            return false;
        };
        if flow.apart {
            return true;
        }
        let found = self.find(1 - side, flow.share);
        let Some(other) = found.and_then(|at| self.flows[1 - side].get(at as usize)) else {
            return false;
        };
        if !flow.contradicts(other) {
            return false;
        }
        if let Some(flow) = self.flows[side].get_mut(tcp.flow as usize) {
            flow.apart = true;
            self.apart += u64::from(side == OTHER);
        }
        true
    }

    /// Whether the other place shows the flow of a segment too.
    pub(super) fn is_linked(&self, tcp: &TcpFacts, side: Side) -> bool {
        self.flow(side, tcp).is_some_and(|flow| flow.link.is_some())
    }

    /// Whether two segments come from the same end of the same flow.
    pub(super) fn are_linked(&self, a: &TcpFacts, a_side: Side, b: &TcpFacts) -> bool {
        let link = self.flow(a_side, a).and_then(|flow| flow.link);
        link.is_some_and(|(to, turned)| to == b.flow && (a.end == b.end) != turned)
    }

    /// Whether the other place shows anything of the sender of this segment on its connection.
    fn has_sent_elsewhere(&self, tcp: &TcpFacts, side: Side) -> bool {
        let link = self.flow(side, tcp).and_then(|flow| flow.link);
        link.is_some_and(|(to, turned)| {
            let flow = self.flows[1 - side].get(to as usize);
            let end = tcp.end ^ usize::from(turned);
            flow.is_some_and(|it| it.latest[end].is_some())
        })
    }

    fn flow(&self, side: Side, tcp: &TcpFacts) -> Option<&Flow> {
        self.flows[side].get(tcp.flow as usize)
    }

    /// The flow of the base that a segment belongs to, and its sender's end there.
    fn of_base(&self, side: Side, tcp: &TcpFacts) -> Option<(u32, usize)> {
        match side {
            BASE => self.flow(BASE, tcp)?.link.map(|_| (tcp.flow, tcp.end)),
            _ => {
                let (flow, turned) = self.flow(OTHER, tcp)?.link?;
                Some((flow, tcp.end ^ usize::from(turned)))
            }
        }
    }

    /// Where the other place lies on the way of a segment, compared with the first place.
    fn position(&self, side: Side, tcp: &TcpFacts) -> Option<Position> {
        if let Some((flow, end)) = self.of_base(side, tcp) {
            return Some(self.flows[BASE].get(flow as usize)?.position(end));
        }
        let flow = self.flow(side, tcp)?;
        self.usual_position(side, flow, tcp.end)
    }

    /// Where the other place lies on the way of this end's segments, by other connections of the same hosts.
    fn usual_position(&self, side: Side, flow: &Flow, end: usize) -> Option<Position> {
        let opener = flow.opener?;
        let facts = self.pairs[side].get(&pair(flow.endpoints, opener))?;
        Some(facts.positions?[usize::from(end != opener)])
    }

    /// Where the other place lies on the way from this end of a flow of the base.
    pub(super) fn position_of(&self, share: u64, sender: Endpoint) -> Option<Position> {
        let flow = self.flows[BASE].get(self.find(BASE, share)? as usize)?;
        let end = usize::from(flow.endpoints[0] != sender);
        match flow.link {
            Some(_) => Some(flow.position(end)),
            None => self.usual_position(BASE, flow, end),
        }
    }

    /// The flow of a segment as the base shows it, and its sender there.
    pub(super) fn named(&self, side: Side, tcp: &TcpFacts) -> Option<(u64, Endpoint)> {
        let (side, at, end) = match self.of_base(side, tcp) {
            Some((flow, end)) => (BASE, flow, end),
            None => (side, tcp.flow, tcp.end),
        };
        let flow = self.flows[side].get(at as usize)?;
        Some((flow.share, flow.endpoints[end]))
    }

    /// The ends of a segment as the base shows them, the sender first.
    pub(super) fn ends(&self, side: Side, tcp: &TcpFacts) -> Option<[Endpoint; 2]> {
        let (side, at, end) = match self.of_base(side, tcp) {
            Some((flow, end)) => (BASE, flow, end),
            None => (side, tcp.flow, tcp.end),
        };
        let flow = self.flows[side].get(at as usize)?;
        Some([flow.endpoints[end], flow.endpoints[1 - end]])
    }

    /// What is added to the sequence numbers of a segment's sender at the other place, if it is known to be something.
    pub(super) fn added(&self, base: &TcpFacts) -> Option<u32> {
        let flow = self.flows[BASE].get(base.flow as usize)?;
        Some(flow.shift.seq(base.end)).filter(|it| *it != 0)
    }

    /// Whether a side's silence says something: it shows what else passed there.
    pub(super) fn is_trusted(&self, side: Side) -> bool {
        self.unseen[side].saturating_mul(UNSEEN_SHARE) <= self.matched
    }

    /// How much longer than others a segment was on the way between the two sides: `later` is by how much the other place has
    /// seen it later. Times of the other direction tell a hold from clocks that have come apart.
    pub(super) fn held(&self, base: &TcpFacts, later: i64, round_trip: i64) -> Option<(Side, i64)> {
        let flow = self.flows[BASE].get(base.flow as usize)?;
        let from_base = !flow.position(base.end).is_before(Position::FIRST)?;
        let (near, along) = match from_base {
            true => (BASE, later),
            false => (OTHER, -later),
        };
        let back = flow.middle(1 - base.end);
        let back = back.map_or(round_trip / 2, |it| if from_base { -it } else { it });
        Some((near, along.saturating_add(back).saturating_sub(round_trip)))
    }

    /// A frame of the other place that both show leaves the window.
    pub(super) fn pass(&mut self, tcp: &TcpFacts, passed: Passed) {
        let Some((flow, _)) = self.of_base(OTHER, tcp) else {
            return;
        };
        let Some(flow) = self.flows[BASE].get_mut(flow as usize) else {
            return;
        };
        if flow.passed.is_none_or(|before| before.item < passed.item) {
            flow.passed = Some(passed);
        }
        // What the first segments of both directions do not show, later ones hardly do.
        if flow.noted >= NOTED {
            return;
        }
        flow.noted += 1;
        let Some(opener) = flow.opener else {
            return;
        };
        let middles = [0, 1].map(|end| flow.middle(end));
        let positions = [opener, 1 - opener].map(|end| flow.position_by(end, middles));
        if positions[0].is_before(Position::FIRST).is_none() {
            return;
        }
        let ends = flow.endpoints;
        let Some((far, turned)) = flow.link else {
            return;
        };
        let mut note = |side: Side, ends: [Endpoint; 2], opener: usize| {
            if let Some(facts) = self.pairs[side].get_mut(&pair(ends, opener)) {
                facts.positions = Some(positions);
            }
        };
        note(BASE, ends, opener);
        if let Some(far) = self.flows[OTHER].get(far as usize) {
            note(OTHER, far.endpoints, opener ^ usize::from(turned));
        }
    }

    /// Up to where both places agree on the flow of a segment of the other place.
    pub(super) fn passed(&self, tcp: &TcpFacts) -> Option<Passed> {
        let (flow, _) = self.of_base(OTHER, tcp)?;
        self.flows[BASE].get(flow as usize)?.passed
    }

    /// How the base would show a segment of the other place, if the flow is linked and differs there.
    pub(super) fn rewriting(&self, tcp: &TcpFacts) -> Option<Rewriting> {
        let (flow, end) = self.of_base(OTHER, tcp)?;
        let flow = self.flows[BASE].get(flow as usize)?;
        Some(Rewriting {
            source: flow.endpoints[end],
            destination: flow.endpoints[1 - end],
            hops: flow.hops[end].unwrap_or(0),
            seq: [flow.shift.seq(end), flow.shift.seq(1 - end)],
            times: [flow.shift.times(end), flow.shift.times(1 - end)],
        })
    }

    /// Whether the same place shows this segment twice, and the other has one of the two.
    pub(super) fn is_second(&self, item: &Item) -> bool {
        let flow = item.tcp.as_ref().and_then(|tcp| self.flow(item.side, tcp));
        flow.is_some_and(|flow| flow.recent.contains(&short(item.identity)))
    }

    /// What became of a segment that only one side shows, if the other must have shown it had it passed there. `stops` are the
    /// places of the base, `own` is the other one as far as its position is not known here.
    pub(super) fn expected(&mut self, item: &Item, stops: &[Stop], own: Stop) -> Option<Expected> {
        let tcp = item.tcp.as_ref()?;
        let own = Stop {
            position: self.position(item.side, tcp)?,
            ..own
        };
        let shown = stops
            .iter()
            .filter(|it| item.side == OTHER || item.trail.seen >> it.place & 1 != 0);
        let (near, between) = match (item.side, neighbours(shown, &own)) {
            // The place in the middle has not seen what passed it.
            (BASE, [Some(_), Some(_)]) => {
                self.unseen[OTHER] += 1;
                return None;
            }
            (_, [Some(before), _]) => (BASE, (*before, own)),
            (_, [None, Some(behind)]) => (OTHER, (own, *behind)),
            (_, [None, None]) => return None,
        };
        let linked = self.is_linked(tcp, item.side);
        let unlinked = match linked {
            true => None,
            false => {
                let flow = self.flow(item.side, tcp)?;
                let pair = pair(flow.endpoints, flow.opener?);
                Some(self.pairs[item.side].get_mut(&pair)?)
            }
        };
        if unlinked.as_ref().is_some_and(|it| it.around) {
            return None;
        }
        let reset = tcp.numbers.flags.has(Flags::RST);
        if near != item.side && !reset {
            // It must have passed the place near its sender, whose capture lacks it, or there is another way.
            self.unseen[near] += 1;
            if let Some(facts) = unlinked {
                let flags = tcp.numbers.flags;
                facts.around = flags.has(Flags::SYN) && flags.has(Flags::ACK);
            }
            return None;
        }
        if near != item.side && linked && !self.has_sent_elsewhere(tcp, item.side) {
            // A capture that has nothing of a host on this connection may lack this as well.
            return None;
        }
        self.is_trusted(1 - item.side)
            .then_some(Expected { near, between })
    }

    /// The same place with the position that it has on the way of a segment of the base.
    pub(super) fn placed(&self, tcp: &TcpFacts, own: Stop) -> Option<Stop> {
        let position = self.position(BASE, tcp)?;
        Some(Stop { position, ..own })
    }
}

impl Flow {
    fn note(&mut self, identity: u64) {
        let at = self.next_recent % self.recent.len() as u8;
        self.recent[usize::from(at)] = short(identity);
        self.next_recent = at + 1;
    }

    const fn sighting<'a>(&self, tcp: &'a TcpFacts) -> Sighting<'a> {
        Sighting {
            numbers: &tcp.numbers,
            ip_id: tcp.ip_id,
            ends: [self.endpoints[tcp.end], self.endpoints[1 - tcp.end]],
        }
    }

    /// Whether a flow of the other place with the same addresses and ports has other numbers.
    fn contradicts(&self, other: &Self) -> bool {
        let turned = usize::from(self.endpoints[0] != other.endpoints[0]);
        (0..2).any(|end| {
            let theirs = end ^ turned;
            match (self.isn[end], other.isn[theirs]) {
                (Some(own), Some(theirs)) => own != theirs,
                _ => match (self.latest[end], other.latest[theirs]) {
                    (Some(own), Some(theirs)) => {
                        own.wrapping_sub(theirs).min(theirs.wrapping_sub(own)) > FAR
                    }
                    _ => false,
                },
            }
        })
    }

    /// How much later the other place has seen the segments of an end.
    fn middle(&self, end: usize) -> Option<i64> {
        let (mut later, kept) = (self.later[end], self.counts[end].min(KEPT));
        median(&mut later[..kept])
    }

    /// Where the other place lies on the way of an end's segments.
    fn position(&self, end: usize) -> Position {
        self.position_by(end, [0, 1].map(|end| self.middle(end)))
    }

    /// The same, where the middles of both ends are known.
    fn position_by(&self, end: usize, middles: [Option<i64>; 2]) -> Position {
        let there_and_back = (middles[end], middles[1 - end]);
        Position {
            hops: [
                self.hops[end].unwrap_or(0),
                -self.hops[1 - end].unwrap_or(0),
            ],
            travel: match there_and_back {
                (Some(there), Some(back)) => Some(there - back),
                _ => None,
            },
        }
    }
}

/// The pair of a flow that this end opened.
const fn pair(endpoints: [Endpoint; 2], opener: usize) -> Pair {
    (endpoints[opener].ip, endpoints[1 - opener])
}

/// Never 0, which marks an empty place.
const fn short(identity: u64) -> u32 {
    (identity >> 32) as u32 | 1
}
