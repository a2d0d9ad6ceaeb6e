//! Two places joined: a source with each segment once.
//!
//! Frames of both are taken in order of time, the other place's by the clock of the base, and wait in a window until
//! their counterpart has come, or must have come. Then a frame of the base is returned, a frame of the other place that has a
//! counterpart is left out, and one without is returned after everything that came before it there. So the order of one
//! flow is that of the base, and between its frames that of the other place; clocks choose only between a frame of the
//! base alone and one of the other place alone.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::{HashMap, HashTable};

use super::clock::ClockEstimate;
use super::feed::{Feed, Origin};
use super::flows::{Flows, Passed};
use super::items::{BASE, Item, OTHER, Partner, Side, TcpFacts};
use super::notes::{Notes, changes};
use super::output::Output;
use super::rewrite::rewrite;
use super::way::{
    Fate, HELD, PLACES, Position, Seen, Stop, Trail, bit, narrowed, neighbours, revised,
};
use crate::base::frame_ref::{FrameNumber, FrameRun};
use crate::base::net::{Endpoint, Flags, Loss};
use crate::base::passage::{Passage, Sight, Vantage};
use crate::base::time::Timestamp;
use crate::packet::capture::{Batch, CaptureError, FileSummary, Fill, Frame, RunLog, Source};

/// How long a frame waits for its counterpart, at least; four round trips between the places if that is more.
const WINDOW: Duration = Duration::from_secs(1);
/// How long one waits that would be lost otherwise, and that cannot be confused with its retransmission: it may have been held.
const LONG_WINDOW: Duration = Duration::from_secs(15);
/// Frames that may wait meanwhile.
const ROOM: usize = 1 << 14;
/// Bytes of frames that wait, of both places. When there are more, the oldest is returned without a word on its passage.
pub(crate) const MAX_HELD_BYTES: usize = 64 << 20;
/// Frames that wait, of both places; 150 bytes each.
pub(crate) const MAX_ITEMS: usize = 1 << 18;
/// Bytes of frames that are copied to one batch.
const CHUNK: usize = 256 << 10;
/// Frames in which the rest of a payload is looked for that is divided otherwise at the other place.
const LOOKED_THROUGH: usize = 4096;
/// Frames in which a SYN is looked for that has lost its timestamps.
const LOOKED_BACK: usize = 64;

/// The joined source.
pub(super) struct Union {
    feeds: [Feed; 2],
    window: i64,
    /// The round trip between the places, in nanoseconds.
    round_trip: Option<i64>,
    /// Frames that wait, in order of time, and the number of the first.
    waiting: VecDeque<Item>,
    first: u64,
    /// Those without a counterpart, by their numbers.
    alone: HashTable<(u64, u64)>,
    /// Those of them whose numbers may be others at the other place, by what remains.
    alike: HashTable<(u64, u64)>,
    flows: Flows,
    /// Frames of the other place that are returned after one of the base, by its number.
    after: HashMap<u64, Vec<(Item, Passage)>>,
    next_number: u64,
    files: Vec<FileSummary>,
    /// Of each side, the index in `files` of each of its files.
    indexes: [Vec<usize>; 2],
    runs: RunLog,
    counts: [Vantage; 2],
    stopped: bool,
    bytes: Vec<u8>,
    notes: Notes,
    output: Output,
    /// The places joined here that may show a segment, as they were asked for last.
    stops: Vec<Stop>,
    /// Segments that were lost on the way between each two places, and those that were forged there.
    lost: [[u64; PLACES]; PLACES],
    forged: [[u64; PLACES]; PLACES],
}

impl Union {
    /// Joins a place to those joined before. `indexes`: which of all files the files of each are; `number` is that of the
    /// place.
    pub(super) fn new(
        origins: [Origin; 2],
        indexes: [&[usize]; 2],
        compared: Option<ClockEstimate>,
        number: u32,
    ) -> Self {
        let clock = compared.unwrap_or_default();
        let files = indexes.iter().map(|it| it.len()).sum();
        let [mut base, other] = origins;
        if let Origin::Joined(inner, _) = &mut base {
            inner.notes.is_inner = true;
        }
        let window = WINDOW.max(clock.round_trip.unwrap_or_default().saturating_mul(4));
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        let vantage = |place: u32, offset: Option<ClockEstimate>| Vantage {
            place,
            clock_offset: offset.map(|it| it.offset),
            drift_ppb: offset.map(|it| (it.drift_ppm * 1e3).round() as i64),
            round_trip: offset.and_then(|it| it.round_trip),
            ..Vantage::default()
        };
        let mut union = Self {
            feeds: [
                Feed::new(base, ClockEstimate::default()),
                Feed::new(other, clock),
            ],
            window: nanos(window),
            round_trip: clock.round_trip.map(nanos),
            waiting: VecDeque::new(),
            first: 0,
            alone: HashTable::new(),
            alike: HashTable::new(),
            flows: Flows::default(),
            after: HashMap::new(),
            next_number: 1,
            files: vec![FileSummary::default(); files],
            indexes: indexes.map(<[usize]>::to_vec),
            runs: RunLog::default(),
            counts: [vantage(0, None), vantage(number, compared)],
            stopped: false,
            bytes: Vec::new(),
            notes: Notes::default(),
            output: Output::default(),
            stops: Vec::new(),
            lost: [[0; PLACES]; PLACES],
            forged: [[0; PLACES]; PLACES],
        };
        union.summarise();
        union
    }

    /// Whether the first frame that waits has its counterpart, or can have none that has not been taken.
    fn is_ripe(&mut self) -> Result<bool, CaptureError> {
        let Some(head) = self.waiting.front() else {
            return Ok(false);
        };
        // Where the counterpart has come, nothing is left to wait for.
        if head.partner.is_some() || self.is_crowded() {
            return Ok(true);
        }
        let time = head.time;
        if self.comes_until(time.saturating_add(self.window))? {
            return Ok(false);
        }
        let in_pieces = !self.is_divided_elsewhere();
        let late = in_pieces && self.may_come_late();
        Ok(!late || !self.comes_until(time.saturating_add(LONG_WINDOW.as_nanos() as i64))?)
    }

    /// Whether a frame that was not taken is as old as this.
    fn comes_until(&mut self, until: i64) -> Result<bool, CaptureError> {
        for feed in &mut self.feeds {
            if feed.peek()?.is_some_and(|next| next <= until) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the other place shows the payload of the first frame that waits, divided otherwise. It is looked at once.
    fn is_divided_elsewhere(&mut self) -> bool {
        let number = self.first;
        let Some(mut item) = self
            .waiting
            .front()
            .copied()
            .filter(|it| !it.looked_through)
        else {
            return false;
        };
        let divided = self.is_in_pieces(&item, 1);
        item.looked_through = true;
        if divided {
            let time = item.time;
            item.partner = Some(Partner { item: number, time });
        }
        if let Some(waits) = self.waits_mut(number) {
            (waits.looked_through, waits.partner) = (true, item.partner);
        }
        divided
    }

    /// Whether the first frame that waits may still come at the other place, long after others.
    fn may_come_late(&self) -> bool {
        let item = self.waiting.front();
        let Some((item, tcp)) = item.and_then(|it| Some((it, it.tcp?))) else {
            return false;
        };
        let takes = tcp.numbers.length > 0 || tcp.numbers.flags.has(Flags::SYN);
        let known = tcp.numbers.times.is_some() || tcp.ip_id != 0;
        takes && known && self.waiting.len() < ROOM && self.flows.is_linked(&tcp, item.side)
    }

    fn is_crowded(&self) -> bool {
        let bytes: usize = self.feeds.iter().map(|it| it.held_bytes).sum();
        self.waiting.len() >= MAX_ITEMS || bytes >= MAX_HELD_BYTES || self.flows.is_full()
    }

    /// Takes the next frame of either place. Returns false if there is none.
    fn take(&mut self) -> Result<bool, CaptureError> {
        let [base, other] = &mut self.feeds;
        let side = match (base.peek()?, other.peek()?) {
            (None, None) => return Ok(false),
            (Some(a), Some(b)) if b < a => OTHER,
            (Some(_), _) => BASE,
            (None, Some(_)) => OTHER,
        };
        let flows = &mut self.flows;
        let taken = self.feeds[side].take(side, |segment, ends| {
            let (flow, end) = flows.place(side, segment, ends);
            flows.open(side, flow, end, &segment.tcp.numbers);
            (flow, end)
        });
        let Some(mut item) = taken else {
            return Ok(false);
        };
        if let (OTHER, Some(numbers)) = (side, item.tcp.and_then(|tcp| self.flows.renumbered(&tcp)))
        {
            item.identity = numbers.identity();
        }
        let number = self.first + self.waiting.len() as u64;
        self.waiting.push_back(item);
        if item.identity != 0 {
            self.look(&item, number);
        }
        Ok(true)
    }

    /// Looks for the counterpart of a frame that waits.
    fn look(&mut self, item: &Item, number: u64) {
        if let Some(partner) = self.counterpart(item) {
            self.pair(number, partner);
            return;
        }
        let entry = (item.identity, number);
        self.alone.insert_unique(item.identity, entry, |it| it.0);
        if let Some(tcp) = item.tcp
            && self.flows.is_unsettled(item.side, &tcp)
        {
            if item.side == OTHER {
                self.flows.wait(&tcp, number, self.first);
            }
            if tcp.likeness != 0 {
                self.look_alike(item, &tcp, number);
            }
        }
    }

    /// Looks for the same segment with other numbers. Once they prove that both flows are the same, the frames of the other
    /// place that wait are looked for again.
    fn look_alike(&mut self, item: &Item, tcp: &TcpFacts, number: u64) {
        let mut alike = None;
        let mut is_one = true;
        for entry in self.alike.iter_hash(tcp.likeness) {
            let Some(waits) = self.waits(entry.1).filter(|_| entry.0 == tcp.likeness) else {
                continue;
            };
            let Some(theirs) = waits.tcp else { continue };
            if waits.side == item.side {
                // Of several that are alike it is not known which is which.
                is_one &= theirs.flow != tcp.flow;
            } else if self.flows.may_be_same(tcp, item.side, &theirs) {
                is_one &= alike.is_none();
                alike = Some((entry.1, theirs));
            }
        }
        let Some((partner, theirs)) = alike.filter(|_| is_one) else {
            let entry = (tcp.likeness, number);
            self.alike.insert_unique(tcp.likeness, entry, |it| it.0);
            return;
        };
        self.forget_alike(Some(theirs), partner);
        let (base, other) = match item.side {
            BASE => (tcp, &theirs),
            _ => (&theirs, tcp),
        };
        let at = if item.side == BASE { number } else { partner };
        if !self.flows.vote(base, other) {
            return;
        }
        if let Some((place, added)) = self.own_place().zip(self.flows.added(base)) {
            self.notes.add(at, Sight::Renumbered(place, added));
        }
        for number in self.flows.waited(other) {
            let Some(waits) = self.waits(number).filter(|it| it.partner.is_none()) else {
                continue;
            };
            let mut again = *waits;
            let numbers = again.tcp.and_then(|tcp| self.flows.renumbered(&tcp));
            self.forget_alone(again.identity, number);
            if let Some(numbers) = numbers {
                again.identity = numbers.identity();
            }
            if let Some(waits) = self.waits_mut(number) {
                waits.identity = again.identity;
            }
            match self.counterpart(&again) {
                Some(partner) => self.pair(number, partner),
                None => {
                    let entry = (again.identity, number);
                    self.alone.insert_unique(again.identity, entry, |it| it.0);
                }
            }
        }
    }

    fn waits(&self, number: u64) -> Option<&Item> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.waiting.get(at)
    }

    fn waits_mut(&mut self, number: u64) -> Option<&mut Item> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.waiting.get_mut(at)
    }

    /// The frame of the other side that waits and is the same: with the same identification if there are several, else the
    /// oldest.
    fn counterpart(&self, item: &Item) -> Option<u64> {
        let equal = self.alone.iter_hash(item.identity).filter_map(|entry| {
            let waits = self.waits(entry.1)?;
            if entry.0 != item.identity || waits.side == item.side {
                return None;
            }
            match (&waits.tcp, &item.tcp) {
                (None, None) => Some((false, entry.1)),
                (Some(a), Some(b)) => {
                    let same = self.flows.are_same(a, waits.side, b);
                    same.then_some((a.ip_id != b.ip_id, entry.1))
                }
                _ => None,
            }
        });
        let equal = equal.min().map(|(_, number)| number);
        equal.or_else(|| self.stripped(item))
    }

    /// The SYN of the other side that waits and is the same, but for timestamps that only one of the two has: a box has taken them
    /// out.
    fn stripped(&self, item: &Item) -> Option<u64> {
        let own = item.tcp.filter(|it| it.numbers.flags.has(Flags::SYN))?;
        let waits = self.waiting.iter().enumerate().rev().take(LOOKED_BACK);
        let mut same = waits.filter(|(_, waits)| {
            waits.side != item.side
                && waits.partner.is_none()
                && waits.tcp.is_some_and(|it| {
                    let flows = &self.flows;
                    let apart =
                        flows.is_linked(&own, item.side) || flows.is_linked(&it, waits.side);
                    let may_be = !apart || flows.are_linked(&own, item.side, &it);
                    may_be && it.numbers.differ_in_timestamps(&own.numbers)
                })
        });
        let (at, _) = same.next()?;
        Some(self.first + at as u64)
    }

    fn forget_alone(&mut self, identity: u64, number: u64) {
        if let Ok(entry) = self.alone.find_entry(identity, |it| it.1 == number) {
            entry.remove();
        }
    }

    fn forget_alike(&mut self, tcp: Option<TcpFacts>, number: u64) {
        let likeness = tcp.map_or(0, |tcp| tcp.likeness);
        if likeness != 0
            && !self.alike.is_empty()
            && let Ok(entry) = self.alike.find_entry(likeness, |it| it.1 == number)
        {
            entry.remove();
        }
    }

    /// Makes two frames that wait counterparts; `partner` is among those without one.
    fn pair(&mut self, number: u64, partner: u64) {
        let place = |number: u64| usize::try_from(number.wrapping_sub(self.first));
        let (Ok(own), Ok(theirs)) = (place(number), place(partner)) else {
            return;
        };
        let (Some(item), Some(waits)) = (self.waiting.get(own), self.waiting.get(theirs)) else {
            return;
        };
        let (time, waited, identity) = (item.time, waits.time, waits.identity);
        let ((base, at), (other, _)) = match item.side {
            BASE => ((*item, number), (*waits, partner)),
            _ => ((*waits, partner), (*item, number)),
        };
        let translated = self.flows.link(&base, &other);
        self.note(&base, at, &other, translated);
        self.forget_alone(identity, partner);
        for (at, other, time) in [(number, partner, waited), (partner, number, time)] {
            if let Some(waits) = self.waits_mut(at) {
                waits.partner = Some(Partner { item: other, time });
            }
            if !self.alike.is_empty() {
                self.forget_alike(self.waits(at).and_then(|it| it.tcp), at);
            }
        }
    }

    /// Notes what was changed of a segment between the places: `at` is the number of the frame of the base.
    fn note(&mut self, base: &Item, at: u64, other: &Item, translated: Option<[Endpoint; 2]>) {
        let (Some(tcp), Some(place)) = (base.tcp, self.own_place()) else {
            return;
        };
        if let Some(ends) = translated {
            self.notes.add(at, Sight::Translated(place, ends));
        }
        if !tcp.numbers.flags.has(Flags::SYN) {
            return;
        }
        let [here, there] = [base, other].map(|item| self.feeds[item.side].options(item));
        let (Some(here), Some(there)) = (here, there) else {
            return;
        };
        let found = changes(place, here, there);
        self.counts[OTHER].other_options += u64::from(!found.is_empty());
        for what in found {
            self.notes.add(at, what);
        }
    }

    /// The number of the other place, if it is told apart.
    fn own_place(&self) -> Option<u8> {
        let place = u8::try_from(self.counts[OTHER].place).ok()?;
        (usize::from(place) < PLACES).then_some(place)
    }

    /// What is known of the next frame that an outer union takes, which has this number.
    pub(super) fn trail(&mut self, number: u64) -> Trail {
        self.notes.trail(number)
    }

    /// The places joined here on the way of a flow's segments from this sender.
    fn stops(&self, share: u64, sender: Endpoint, found: &mut Vec<Stop>) {
        match &self.feeds[BASE].origin {
            Origin::Joined(inner, _) => inner.stops(share, sender, found),
            Origin::One(..) => found.push(Stop {
                place: 0,
                position: Position::FIRST,
                span: self.feeds[BASE].span,
                trusted: self.flows.is_trusted(BASE),
            }),
        }
        let position = self.flows.position_of(share, sender);
        if let Some((stop, position)) = self.own_stop().zip(position) {
            found.push(Stop { position, ..stop });
        }
    }

    /// The other place, without its position on a way.
    fn own_stop(&self) -> Option<Stop> {
        Some(Stop {
            place: self.own_place()?,
            position: Position::default(),
            span: self.feeds[OTHER].span,
            trusted: self.flows.is_trusted(OTHER),
        })
    }

    /// The places before the other one, on the way of a segment.
    fn stops_of(&mut self, side: Side, tcp: &TcpFacts) -> Vec<Stop> {
        let mut stops = std::mem::take(&mut self.stops);
        stops.clear();
        let named = self.flows.named(side, tcp);
        match (&self.feeds[BASE].origin, named) {
            (Origin::Joined(inner, _), Some((share, sender))) => {
                inner.stops(share, sender, &mut stops);
            }
            _ => stops.push(Stop {
                place: 0,
                position: Position::FIRST,
                span: self.feeds[BASE].span,
                trusted: self.flows.is_trusted(BASE),
            }),
        }
        stops
    }

    /// Returns or leaves out the first frame that waits.
    fn retire(&mut self, batch: &mut Batch) {
        let crowded = self.is_crowded();
        let Some(mut item) = self.waiting.pop_front() else {
            return;
        };
        let number = self.first;
        self.first += 1;
        if item.partner.is_none() && item.identity != 0 {
            self.forget_alone(item.identity, number);
            self.forget_alike(item.tcp, number);
            if !item.looked_through && self.is_in_pieces(&item, 0) {
                item.partner = Some(Partner {
                    item: number,
                    time: item.time,
                });
            }
        }
        let mut whats = match item.side {
            BASE => self.notes.take(number),
            _ => Vec::new(),
        };
        whats.extend(self.noted_before(&item));
        // Of what is divided otherwise it is not known when it came.
        let partner = item.partner.filter(|it| it.item != number);
        if let (BASE, Some(partner), Some(tcp)) = (item.side, partner, item.tcp) {
            let later = partner.time - item.time;
            self.note_held((item.trail.seen, &tcp), later, &mut whats);
        }
        let passage = self.passage(&mut item, crowded);
        let tcp = item.tcp;
        match (item.side, item.partner) {
            (BASE, _) => {
                self.put(batch, &item, passage, None, whats);
                for (item, passage) in self.after.remove(&number).unwrap_or_default() {
                    self.put_other(batch, &item, passage);
                }
            }
            (_, Some(partner)) => {
                if let Some(tcp) = tcp {
                    self.counts[OTHER].both += 1;
                    let passed = Passed {
                        item: partner.item,
                        time: partner.time,
                        own_time: item.own_time,
                    };
                    self.flows.pass(&tcp, passed);
                }
                self.release(&item);
            }
            (_, None) => {
                let passed = tcp.and_then(|tcp| self.flows.passed(&tcp));
                match passed.filter(|it| it.item > number && self.waits(it.item).is_some()) {
                    Some(passed) => self
                        .after
                        .entry(passed.item)
                        .or_default()
                        .push((item, passage)),
                    None => self.put_other(batch, &item, passage),
                }
            }
        }
        if crowded && self.waiting.is_empty() && self.flows.is_full() {
            self.flows.forget();
        }
    }

    /// Whether frames of the other side show the payload of this one, divided otherwise: segmentation offload. `after`: frames
    /// that wait and are not looked at, because this one is among them.
    fn is_in_pieces(&mut self, item: &Item, after: usize) -> bool {
        let Some(tcp) = item.tcp.filter(|it| it.numbers.length > 0) else {
            return false;
        };
        let flows = &self.flows;
        if !flows.is_linked(&tcp, item.side) {
            // Where one place shows much that does not pass the other, most frames end here.
            return false;
        }
        let (mut covered, length) = (item.covered, tcp.numbers.length);
        let seq = flows.base_seq(item.side, &tcp);
        for other in self.waiting.iter_mut().skip(after).take(LOOKED_THROUGH) {
            if covered >= length {
                break;
            }
            let Some(theirs) = other.tcp.filter(|it| it.numbers.length > 0) else {
                continue;
            };
            if other.side == item.side
                || other.partner.is_some()
                || !flows.are_linked(&tcp, item.side, &theirs)
            {
                continue;
            }
            let shift = i64::from(flows.base_seq(other.side, &theirs).wrapping_sub(seq) as i32);
            let from = shift.max(0);
            let to = (shift + i64::from(theirs.numbers.length)).min(i64::from(length));
            if let Some(shared) = u32::try_from(to - from).ok().filter(|it| *it > 0) {
                covered = covered.saturating_add(shared);
                other.covered = other.covered.saturating_add(shared);
            }
        }
        covered >= length
    }

    /// What the places before the other one have noted of a frame of the base.
    fn noted_before(&mut self, item: &Item) -> Vec<Sight> {
        if item.side != BASE || !self.feeds[BASE].origin.is_joined() {
            return Vec::new();
        }
        let number = self.feeds[BASE].frame(item).map(|it| it.number.0);
        let inner = self.feeds[BASE].origin.inner();
        inner
            .zip(number)
            .map(|(inner, number)| inner.notes.of(number))
            .unwrap_or_default()
    }

    /// Notes how long a segment that both sides show was held between the first place and the other one, which has seen it this
    /// much later.
    fn note_held(&mut self, (seen, tcp): (Seen, &TcpFacts), later: i64, whats: &mut Vec<Sight>) {
        let least = HELD.as_nanos() as i64;
        let is_held = |it: &Sight| matches!(it, Sight::Held(..));
        let Some(trip) = self.round_trip else { return };
        if later.abs() < least && !whats.iter().any(is_held) {
            return;
        }
        let placed = self.own_stop().and_then(|own| self.flows.placed(tcp, own));
        let (Some(own), Some((near, span))) = (placed, self.flows.held(tcp, later, trip)) else {
            return;
        };
        let span = if span >= least.max(trip) {
            span.unsigned_abs()
        } else {
            0
        };
        let span = Duration::from_nanos(span);
        let stops = self.stops_of(BASE, tcp);
        if !narrowed(whats, &stops, &own, span) && !span.is_zero() {
            let shown = stops.iter().filter(|it| seen >> it.place & 1 != 0);
            whats.extend(match (near, neighbours(shown, &own)) {
                (BASE, [Some(before), _]) => Some(Sight::Held(before.place, own.place, span)),
                (OTHER, [_, Some(behind)]) => Some(Sight::Held(own.place, behind.place, span)),
                _ => None,
            });
        }
        self.stops = stops;
    }

    /// What the other place shows of a frame, and what that means.
    fn passage(&mut self, item: &mut Item, crowded: bool) -> Passage {
        let Some(tcp) = item.tcp else {
            return Passage::Unknown;
        };
        let Some(own) = self.own_stop() else {
            return match item.partner {
                Some(_) => Passage::Both,
                None => Passage::Unknown,
            };
        };
        if item.partner.is_some() {
            item.trail.seen |= bit(own.place.into());
            if item.trail.fate == Fate::Open {
                return Passage::Both;
            }
        } else {
            self.counts[item.side].alone += 1;
            self.counts[item.side].hurried += u64::from(crowded);
            if self.flows.is_apart(item.side, &tcp) {
                return match item.side {
                    BASE => Passage::Unknown,
                    _ => Passage::Apart,
                };
            }
            if crowded || self.flows.is_second(item) {
                return told(item.trail.fate);
            }
        }
        let stops = self.stops_of(item.side, &tcp);
        let fate = match (item.trail.fate, item.partner) {
            (Fate::Open, _) => self.fate(item, &tcp, &stops, own),
            (fate, partner) => match self.flows.placed(&tcp, own) {
                Some(own) => {
                    let silent = own.captured_at(item.time, self.margin(fate));
                    revised(fate, &stops, &own, partner.is_some(), silent)
                }
                None => fate,
            },
        };
        self.stops = stops;
        item.trail.fate = fate;
        match (fate, item.partner) {
            (Fate::Open, Some(_)) => Passage::Both,
            _ => told(fate),
        }
    }

    /// What was sent arrives after the time on the way; what arrived was sent before.
    fn margin(&self, fate: Fate) -> i64 {
        match fate {
            Fate::Lost(..) => self.round_trip.unwrap_or(0),
            _ => 0,
        }
    }

    /// What became of a segment that only one side shows.
    fn fate(&mut self, item: &Item, tcp: &TcpFacts, stops: &[Stop], own: Stop) -> Fate {
        let Some(found) = self.flows.expected(item, stops, own) else {
            return Fate::Open;
        };
        let (from, to) = found.between;
        let fate = match found.near == item.side {
            true => Fate::Lost(from.place, to.place),
            false => Fate::Forged(from.place, to.place),
        };
        let silent = if found.near == item.side { to } else { from };
        let resets = tcp.numbers.flags.has(Flags::RST);
        let claimed = matches!(fate, Fate::Lost(..)) || resets;
        match claimed && silent.captured_at(item.time, self.margin(fate)) {
            true => fate,
            false => Fate::Open,
        }
    }

    /// What is taken from the hop limit of a frame of the other place, as it is returned, to get its own.
    fn hops(&self, tcp: &TcpFacts) -> Option<Sight> {
        let place = self.own_place()?;
        let added = self.flows.rewriting(tcp)?.hops;
        let told = (i16::from(tcp.ttl) + added).clamp(1, 255);
        let hops = told - i16::from(tcp.ttl);
        (hops != 0).then_some(Sight::Hops(place, hops))
    }

    /// Returns a frame of the other place as the base would have it.
    fn put_other(&mut self, batch: &mut Batch, item: &Item, passage: Passage) {
        // Two clocks agree only so far: three digits of what lies between two events are enough.
        let anchor = item.tcp.and_then(|tcp| self.flows.passed(&tcp));
        let time = anchor.map_or(item.time, |it| {
            it.time.saturating_add(rounded(item.own_time - it.own_time))
        });
        let tcp = item.tcp;
        let whats = tcp.and_then(|tcp| self.hops(&tcp)).into_iter().collect();
        self.put(batch, item, passage, Some(time), whats);
    }

    fn put(
        &mut self,
        batch: &mut Batch,
        item: &Item,
        passage: Passage,
        time: Option<i64>,
        whats: Vec<Sight>,
    ) {
        if item.side == BASE && item.tcp.is_some() && item.partner.is_some() {
            self.counts[BASE].both += 1;
        }
        if item.side == BASE {
            // It is of another batch than those before it, of which all frames are known then.
            let output = &mut self.output;
            self.feeds[BASE].reuse(|base| output.pass_on(batch, base));
        }
        let Some(frame) = self.feeds[item.side].frame(item) else {
            return;
        };
        let rewriting = match (&item.tcp, item.side) {
            (Some(tcp), OTHER) => self.flows.rewriting(tcp),
            _ => None,
        };
        let own = frame.number;
        let frame = Frame {
            number: FrameNumber(self.next_number),
            time: time.map_or(frame.time, Timestamp::from_nanos),
            passage: match (item.trail.fate, frame.passage) {
                (_, Passage::Unknown | Passage::Lost | Passage::Forged) => passage,
                (Fate::Open, known) => known,
                _ => passage,
            },
            ..frame
        };
        match (&rewriting, self.feeds[item.side].slot(item)) {
            (None, Some(slot)) if item.side == BASE => self.output.push(&frame, slot),
            (Some(rewriting), _) => {
                self.bytes.clear();
                self.bytes.extend_from_slice(frame.data);
                // What is not plain TCP over IP stays as it is, and is a flow of its own.
                let _ = rewrite(frame.link, &mut self.bytes, rewriting);
                self.output.push_copy(&Frame {
                    data: &self.bytes,
                    ..frame
                });
            }
            _ => self.output.push_copy(&frame),
        }
        let first = FrameNumber(self.next_number);
        let place = self.origin(item.side, own);
        self.runs.record(&mut self.files, first, place);
        self.next_number += 1;
        match item.trail.fate {
            Fate::Open => {}
            Fate::Lost(from, to) => self.lost[usize::from(from)][usize::from(to)] += 1,
            Fate::Forged(from, to) => self.forged[usize::from(from)][usize::from(to)] += 1,
        }
        let flows = &self.flows;
        self.notes
            .put(&mut self.files, first.0, item.trail, whats, || {
                flows.ends(item.side, item.tcp.as_ref()?)
            });
        self.release(item);
    }

    /// The frame of this item is not needed any more. (Those of the base are needed until they are returned: see
    /// [`Union::put`].)
    fn release(&mut self, item: &Item) {
        self.feeds[item.side].release(item);
        if item.side == OTHER {
            self.feeds[OTHER].reuse(|_| ());
        }
    }

    /// The file of a frame of one side, and its number in it.
    fn origin(&self, side: Side, number: FrameNumber) -> Option<(usize, u64)> {
        let files = self.feeds[side].origin.files();
        let indexes = &self.indexes[side];
        if let [only] = indexes[..] {
            return Some((only, number.0));
        }
        let runs = files.iter().zip(indexes).filter_map(|(file, index)| {
            let after = file.runs.partition_point(|run| run.first <= number);
            let run = file.runs.get(after.checked_sub(1)?)?;
            Some((run.first, run.own, *index))
        });
        let (first, own, file) = runs.max()?;
        (own != FrameRun::UNKNOWN).then(|| (file, own + (number.0 - first.0)))
    }

    /// Brings the summaries of the files up to date.
    fn summarise(&mut self) {
        for side in [BASE, OTHER] {
            let files = self.feeds[side].origin.files();
            for (file, index) in files.iter().zip(&self.indexes[side]) {
                let Some(summary) = self.files.get_mut(*index) else {
                    continue;
                };
                // What a place further down has found out about its own files stays.
                let vantage = match file.vantage.as_deref().copied() {
                    Some(inner) if side == BASE && inner.place > 0 => inner,
                    Some(inner) => Vantage {
                        both: inner.both,
                        alone: inner.alone,
                        ..self.counts[side]
                    },
                    None => self.counts[side],
                };
                summary.follow(file);
                // What was lost or forged is known when all places have been asked.
                let place = usize::try_from(vantage.place).unwrap_or(usize::MAX);
                summary.vantage = Some(Box::new(Vantage {
                    lost_to: self.lost.get(place).copied().unwrap_or_default(),
                    forged_from: self
                        .forged
                        .each_ref()
                        .map(|it| it.get(place).copied().unwrap_or(0)),
                    ..vantage
                }));
            }
        }
    }
}

impl Source for Union {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        batch.clear();
        while !self.stopped && batch.is_empty() && self.output.copied() < CHUNK {
            if self.is_ripe()? {
                self.retire(batch);
            } else if !self.take()? {
                break;
            }
        }
        if batch.is_empty() {
            self.output.copy_to(batch, self.feeds[BASE].front());
        }
        self.counts[OTHER].flows = self.flows.linked;
        self.counts[BASE].flows = self.flows.linked;
        self.counts[OTHER].translated = self.flows.translated;
        self.counts[OTHER].renumbered = self.flows.renumbered;
        self.counts[OTHER].apart = self.flows.apart;
        self.summarise();
        Ok(match batch.is_empty() {
            true => Fill::End,
            false => Fill::Frames,
        })
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn lost(&self) -> Loss {
        let [base, other] = &self.feeds;
        base.origin.lost().and(other.origin.lost())
    }

    fn files(&self) -> &[FileSummary] {
        &self.files
    }
}

/// The passage of a segment of which this is known.
const fn told(fate: Fate) -> Passage {
    match fate {
        Fate::Open => Passage::Unknown,
        Fate::Lost(..) => Passage::Lost,
        Fate::Forged(..) => Passage::Forged,
    }
}

/// A span with three digits.
fn rounded(span: i64) -> i64 {
    let mut unit = 1;
    while span.abs() / unit >= 1000 {
        unit *= 10;
    }
    (span + unit / 2 * span.signum()) / unit * unit
}

#[cfg(test)]
mod tests {
    use super::super::probe;
    use super::*;
    use crate::packet::capture::{Input, OpenOptions, read_numbered};
    use std::path::Path;

    /// A source with its frames in other batches: so many in each.
    struct Divided {
        inner: Box<dyn Source>,
        read: Batch,
        at: usize,
        most: usize,
    }

    impl Source for Divided {
        fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
            batch.clear();
            while batch.len() < self.most {
                if let Some(frame) = self.read.nth(self.at) {
                    batch.push(frame);
                    self.at += 1;
                } else if self.inner.fill(&mut self.read)? == Fill::End {
                    break;
                } else {
                    self.at = 0;
                }
            }
            Ok(match batch.is_empty() {
                true => Fill::End,
                false => Fill::Frames,
            })
        }

        fn stop(&mut self) {}

        fn lost(&self) -> Loss {
            self.inner.lost()
        }

        fn files(&self) -> &[FileSummary] {
            self.inner.files()
        }
    }

    /// What comes out of these places, if their batches have so many frames.
    fn frames(paths: [&Path; 2], most: usize) -> Vec<String> {
        let found = probe::places(&paths).expect("they are places");
        let sources = (0..).zip(found).map(|(number, place)| {
            let inputs = place.files.iter().map(|it| Input::open(paths[*it]));
            let inner = read_numbered(inputs, &OpenOptions::default(), number * 9)?;
            let source: Box<dyn Source> = Box::new(Divided {
                inner,
                read: Batch::default(),
                at: 0,
                most,
            });
            Ok((source, place.files, place.clock))
        });
        let joined = super::super::joined(sources).expect("they are captures");
        let mut joined = joined.expect("they are two");
        let (mut batch, mut all) = (Batch::default(), Vec::new());
        while joined.fill(&mut batch).expect("they are captures") != Fill::End {
            all.extend(batch.frames().map(|frame| format!("{frame:?}")));
        }
        all
    }

    #[test]
    fn batches_may_end_anywhere() {
        for name in ["data-lost-once", "clean-parallel", "both-translated"] {
            let paths = ["", "@server"].map(|it| format!("captures/places/{name}{it}.pcap"));
            let [one, other] = [&paths[0], &paths[1]].map(Path::new);
            for paths in [[one, other], [other, one]] {
                let whole = frames(paths, usize::MAX);
                assert!(!whole.is_empty());
                for most in 1..8 {
                    assert_eq!(frames(paths, most), whole, "{paths:?}, {most}");
                }
            }
        }
    }
}
