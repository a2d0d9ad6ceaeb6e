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
use super::flows::{Flows, Passed};
use super::items::{BASE, Feed, Item, OTHER, Partner, Side, TcpFacts};
use super::rewrite::rewrite;
use crate::base::frame_ref::{FrameNumber, FrameRun};
use crate::base::net::{Flags, Loss};
use crate::base::passage::{Passage, Vantage};
use crate::base::time::Timestamp;
use crate::packet::capture::{Batch, CaptureError, FileSummary, Fill, Frame, RunLog, Source};

/// How long a frame waits for its counterpart, at least; four round trips between the places if that is more.
const WINDOW: Duration = Duration::from_secs(1);
/// Bytes of frames that wait, of both places. When there are more, the oldest is returned without a word on its passage.
pub(crate) const MAX_HELD_BYTES: usize = 64 << 20;
/// Frames that wait, of both places; 150 bytes each.
pub(crate) const MAX_ITEMS: usize = 1 << 18;
/// Bytes of frames in one batch.
const CHUNK: usize = 256 << 10;
/// Frames in which the rest of a payload is looked for that is divided otherwise at the other place.
const LOOKED_THROUGH: usize = 4096;

/// The joined source.
pub(super) struct Union {
    feeds: [Feed; 2],
    window: i64,
    /// The round trip between the places, in nanoseconds; 0 if unknown.
    round_trip: i64,
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
}

impl Union {
    /// Joins a place to those joined before. `indexes`: which of all files the files of each are; `number` is that of the
    /// place. Only for the first two is it known what each should have shown.
    pub(super) fn new(
        sources: [Box<dyn Source>; 2],
        indexes: [&[usize]; 2],
        compared: Option<ClockEstimate>,
        number: u32,
    ) -> Self {
        let clock = compared.unwrap_or_default();
        let files = indexes.iter().map(|it| it.len()).sum();
        let [base, other] = sources;
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
            round_trip: nanos(clock.round_trip.unwrap_or_default()),
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
        let until = head.time.saturating_add(self.window);
        if head.partner.is_some() || self.is_crowded() {
            return Ok(true);
        }
        for feed in &mut self.feeds {
            if feed.peek()?.is_some_and(|next| next <= until) {
                return Ok(false);
            }
        }
        Ok(true)
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
        let taken = self.feeds[side].take(side, |key, time, tcp| {
            (tcp.flow, tcp.end) = flows.place(side, key, time);
            flows.open(side, tcp);
            flows.is_unsettled(side, tcp)
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
        if !self.flows.vote(base, other) {
            return;
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
        equal.min().map(|(_, number)| number)
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
        match item.side {
            BASE => self.flows.link(item, waits),
            _ => self.flows.link(waits, item),
        }
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
            if self.is_in_pieces(&item) {
                item.partner = Some(Partner {
                    item: number,
                    time: item.time,
                });
            }
        }
        let passage = self.passage(&item, crowded);
        let tcp = item.tcp;
        match (item.side, item.partner) {
            (BASE, _) => {
                self.put(batch, &item, passage, None);
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
                self.feeds[OTHER].release(&item);
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

    /// Whether frames of the other side show the payload of this one, divided otherwise: segmentation offload.
    fn is_in_pieces(&mut self, item: &Item) -> bool {
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
        for other in self.waiting.iter_mut().take(LOOKED_THROUGH) {
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

    /// What the other place shows of a frame, and what that means.
    fn passage(&mut self, item: &Item, crowded: bool) -> Passage {
        let Some(tcp) = &item.tcp else {
            return Passage::Unknown;
        };
        if item.partner.is_some() {
            return Passage::Both;
        }
        self.counts[item.side].alone += 1;
        self.counts[item.side].hurried += u64::from(crowded);
        if self.flows.is_apart(item.side, tcp) {
            return match item.side {
                BASE => Passage::Unknown,
                _ => Passage::Apart,
            };
        }
        if crowded || self.counts[OTHER].place > 1 || self.flows.is_second(item) {
            return Passage::Unknown;
        }
        let Some(near) = self.flows.expected(item) else {
            return Passage::Unknown;
        };
        let lost = near == item.side;
        // What was sent arrives after the time on the way; what arrived was sent before.
        let margin = if lost { self.round_trip } else { 0 };
        if !self.captured_at(1 - item.side, item.time, margin) {
            return Passage::Unknown;
        }
        match lost {
            true => {
                self.counts[item.side].lost += 1;
                Passage::Lost
            }
            false if tcp.numbers.flags.has(Flags::RST) => {
                self.counts[item.side].forged += 1;
                Passage::Forged
            }
            false => Passage::Unknown,
        }
    }

    /// Whether a place was capturing at a time, and after it.
    fn captured_at(&self, side: Side, time: i64, margin: i64) -> bool {
        let span = self.feeds[side].span;
        span.is_some_and(|(first, last)| first <= time && last >= time.saturating_add(margin))
    }

    /// Returns a frame of the other place as the base would have it.
    fn put_other(&mut self, batch: &mut Batch, item: &Item, passage: Passage) {
        // Two clocks agree only so far: three digits of what lies between two events are enough.
        let anchor = item.tcp.and_then(|tcp| self.flows.passed(&tcp));
        let time = anchor.map_or(item.time, |it| {
            it.time.saturating_add(rounded(item.own_time - it.own_time))
        });
        self.put(batch, item, passage, Some(time));
    }

    fn put(&mut self, batch: &mut Batch, item: &Item, passage: Passage, time: Option<i64>) {
        if item.side == BASE && item.tcp.is_some() && item.partner.is_some() {
            self.counts[BASE].both += 1;
        }
        let Some(frame) = self.feeds[item.side].frame(item) else {
            return;
        };
        let rewriting = match (&item.tcp, item.side) {
            (Some(tcp), OTHER) => self.flows.rewriting(tcp),
            _ => None,
        };
        let data = match &rewriting {
            Some(rewriting) => {
                self.bytes.clear();
                self.bytes.extend_from_slice(frame.data);
                // What is not plain TCP over IP stays as it is, and is a flow of its own.
                let _ = rewrite(frame.link, &mut self.bytes, rewriting);
                &self.bytes[..]
            }
            None => frame.data,
        };
        let own = frame.number;
        batch.push(Frame {
            number: FrameNumber(self.next_number),
            time: time.map_or(frame.time, Timestamp::from_nanos),
            passage: match frame.passage {
                Passage::Unknown => passage,
                known => known,
            },
            data,
            ..frame
        });
        let first = FrameNumber(self.next_number);
        let place = self.origin(item.side, own);
        self.runs.record(&mut self.files, first, place);
        self.next_number += 1;
        self.feeds[item.side].release(item);
    }

    /// The file of a frame of one side, and its number in it.
    fn origin(&self, side: Side, number: FrameNumber) -> Option<(usize, u64)> {
        let files = self.feeds[side].source.files();
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
            let files = self.feeds[side].source.files();
            for (file, index) in files.iter().zip(&self.indexes[side]) {
                let Some(summary) = self.files.get_mut(*index) else {
                    continue;
                };
                // What a place further down has found out about its own files stays.
                let vantage = match file.vantage {
                    Some(inner) if side == BASE && inner.place > 0 => inner,
                    Some(inner) => Vantage {
                        both: inner.both,
                        alone: inner.alone,
                        lost: inner.lost,
                        forged: inner.forged,
                        ..self.counts[side]
                    },
                    None => self.counts[side],
                };
                summary.follow(file);
                summary.vantage = Some(vantage);
            }
        }
    }
}

impl Source for Union {
    fn fill(&mut self, batch: &mut Batch) -> Result<Fill, CaptureError> {
        batch.clear();
        while !self.stopped && batch.used < CHUNK {
            if self.is_ripe()? {
                self.retire(batch);
            } else if !self.take()? {
                break;
            }
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
        base.source.lost().and(other.source.lost())
    }

    fn files(&self) -> &[FileSummary] {
        &self.files
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
