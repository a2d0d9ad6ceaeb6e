//! The telling segments of one input, and what two inputs share.

use std::cell::OnceCell;

use hashbrown::{HashMap, HashSet};

use super::clock::Sample;
use super::identity::Numbers;
use super::renumbered::{self, Shift, Sighting, may_be_same};
use crate::base::net::{Endpoint, Flags};
use crate::packet::decode::Segment;
use crate::packet::flow::FlowKey;

/// Segments that two files must share; one of them opens a connection or carries data.
const SHARED: usize = 2;
/// Segments of one connection that are looked at where its numbers are changed.
const VOTES: usize = 16;

/// A segment of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Print {
    identity: u64,
    time: i64,
    /// The flow by its addresses and ports.
    pub(super) flow: u64,
    /// Whether it comes from the endpoint that sorts first.
    pub(super) low: bool,
    ip_id: u16,
    /// It opens a connection or carries data.
    weighty: bool,
    pub(super) numbers: Numbers,
    /// What remains where a box changes the numbers; 0 if that says too little.
    likeness: u64,
    ends: [Endpoint; 2],
    ttl: u8,
    pub(super) interface: u32,
}

/// What two files share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) samples: Vec<SharedSegment>,
    weighty: usize,
    /// They show other connections with the same addresses and ports at the same time.
    contradicts: bool,
}

/// A segment that two files show.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedSegment {
    pub(super) sample: Sample,
    /// How much higher its hop limit is in the first of both.
    pub(super) hops: i16,
    /// Its sender opened the connection, or has the higher port.
    pub(super) from_client: bool,
}

impl Shared {
    /// Whether both files show the same connections, at two places.
    pub(super) fn is_of_places(&self) -> bool {
        self.contradicts || self.samples.len() >= SHARED && self.weighty > 0 && !is_one_clock(self)
    }

    /// Whether two interfaces of a file show the same connections at two hosts, or before and behind a router. A host that
    /// passes frames from one interface to the other changes no hop limit and takes less time: those are copies.
    pub(super) fn is_of_hosts(&self) -> bool {
        if self.samples.len() < SHARED || self.weighty == 0 {
            return false;
        }
        let samples = self.samples.iter();
        let mut apart: Vec<i64> = samples.map(|it| it.sample.later.abs()).collect();
        apart.sort_unstable();
        let routed = self.samples.iter().filter(|it| it.hops != 0).count();
        routed * 2 > self.samples.len() || apart[apart.len() / 2] >= PASSED_ON
    }
}

/// A host has passed a frame on from one of its interfaces to another within this time, in nanoseconds.
const PASSED_ON: i64 = 1_000_000;
/// A connection that began in two files at times no further apart than this is one, or two at the same time.
const SAME_BEGIN: i64 = 1_000_000_000;

/// The prints that are the only ones with their key.
type ByKey<'a> = HashMap<u64, Option<&'a Print>>;

/// The prints of one file by what they are sought by.
pub(super) struct Index<'a> {
    prints: &'a [Print],
    by_identity: ByKey<'a>,
    /// Only made where the numbers are not the same.
    by_likeness: OnceCell<ByKey<'a>>,
    /// The SYNs by flow.
    opens: HashMap<u64, &'a Print>,
}

/// Segments by a key; those that occur more than once are left out.
fn index(prints: &[Print], key: impl Fn(&Print) -> u64) -> ByKey<'_> {
    let mut index = HashMap::with_capacity(prints.len());
    for print in prints.iter().filter(|it| key(it) != 0) {
        index
            .entry(key(print))
            .and_modify(|it| *it = None)
            .or_insert(Some(print));
    }
    index
}

impl Print {
    /// The print of a segment that was captured at this time on this interface.
    pub(super) fn of(segment: &Segment<'_>, (time, interface): (i64, u32)) -> Self {
        let numbers = Numbers::of(segment);
        Self {
            identity: numbers.identity(),
            time,
            flow: FlowKey::new(segment.source, segment.destination, segment.context).share(),
            low: segment.source <= segment.destination,
            ip_id: segment.ip_id.unwrap_or(0),
            weighty: segment.length > 0 || segment.flags.has(Flags::SYN),
            numbers,
            likeness: renumbered::likeness(segment),
            ends: [segment.source, segment.destination],
            ttl: segment.ttl,
            interface,
        }
    }

    pub(super) const fn time(&self) -> i64 {
        self.time
    }

    fn sample(&self, other: &Self) -> Sample {
        Sample {
            time: self.time,
            later: other.time.saturating_sub(self.time),
            flow: self.flow,
            forward: self.low,
        }
    }

    fn sighting(&self) -> Sighting<'_> {
        Sighting {
            numbers: &self.numbers,
            ip_id: self.ip_id,
            ends: self.ends,
        }
    }
}

impl<'a> Index<'a> {
    pub(super) fn of(prints: &'a [Print]) -> Self {
        let opens = prints.iter().filter(|it| {
            let flags = it.numbers.flags;
            flags.has(Flags::SYN) && !flags.has(Flags::ACK)
        });
        Self {
            prints,
            by_identity: index(prints, |it| it.identity),
            by_likeness: OnceCell::new(),
            opens: opens.map(|it| (it.flow, it)).collect(),
        }
    }

    fn by_likeness(&self) -> &ByKey<'a> {
        self.by_likeness
            .get_or_init(|| index(self.prints, |it| it.likeness))
    }

    /// What two files share.
    pub(super) fn shared(&self, other: &Self) -> Shared {
        let mut shared = self.with_these_numbers(other);
        let few = shared.samples.len() < SHARED || shared.weighty == 0;
        let later = self.is_before(other) || other.is_before(self);
        let repeats = later && self.same_hops(other) == Some(true);
        if few && !repeats && !self.goes_on_in(other) && !other.goes_on_in(self) {
            shared = self.with_other_numbers(other);
        }
        if shared.samples.len() < SHARED {
            shared.contradicts = self.opens.iter().any(|(flow, own)| {
                other.opens.get(flow).is_some_and(|theirs| {
                    own.numbers.seq != theirs.numbers.seq
                        && own.ends == theirs.ends
                        && (own.time - theirs.time).abs() < SAME_BEGIN
                })
            });
        }
        // The order in a hash map is another in each run.
        shared
            .samples
            .sort_unstable_by_key(|it| (it.sample.time, it.sample.flow, it.sample.later));
        shared
    }

    /// Whether the other file begins after this one ends.
    fn is_before(&self, other: &Self) -> bool {
        let last = self.prints.iter().map(|it| it.time).max();
        let first = other.prints.iter().map(|it| it.time).min();
        last.zip(first).is_some_and(|(last, first)| last <= first)
    }

    /// Whether the other file begins after this one ends and goes on with its connections, as in a set of rotated files. What is
    /// alike in two such files is alike by nature, such as the requests of a load test.
    pub(super) fn goes_on_in(&self, other: &Self) -> bool {
        if !self.is_before(other) {
            return false;
        }
        let own: HashSet<u64> = self.prints.iter().map(|it| it.flow).collect();
        let mut theirs = other.prints.iter();
        theirs.any(|it| own.contains(&it.flow) && !other.opens.contains_key(&it.flow))
    }

    /// A segment that both files show. (What opened a connection may be in one of them alone.)
    fn segment(&self, own: &Print, other: &Print) -> SharedSegment {
        let [source, destination] = own.ends;
        let from_client = match self.opens.get(&own.flow) {
            Some(open) => open.low == own.low,
            None => (source.port, source) > (destination.port, destination),
        };
        SharedSegment {
            sample: own.sample(other),
            hops: i16::from(own.ttl) - i16::from(other.ttl),
            from_client,
        }
    }

    /// Whether both files show the segments of a host with one hop limit, as far as they show the same connections; `None` if they
    /// do not.
    pub(super) fn same_hops(&self, other: &Self) -> Option<bool> {
        let same = |ends: &HashMap<(u64, bool), u8>, it: &Print| {
            ends.get(&(it.flow, it.low)).map(|ttl| *ttl == it.ttl)
        };
        let own: HashMap<(u64, bool), u8> = self
            .prints
            .iter()
            .map(|it| ((it.flow, it.low), it.ttl))
            .collect();
        let (mut equal, mut others) = (0, 0);
        for same in other.prints.iter().filter_map(|it| same(&own, it)) {
            *(if same { &mut equal } else { &mut others }) += 1;
        }
        (equal != others).then_some(equal > others)
    }

    /// The segments that two files share.
    fn with_these_numbers(&self, other: &Self) -> Shared {
        let mut shared = Shared::default();
        for (identity, first) in &self.by_identity {
            let (Some(first), Some(Some(second))) = (first, other.by_identity.get(identity)) else {
                continue;
            };
            let others = first.ip_id != 0 && second.ip_id != 0 && first.ip_id != second.ip_id;
            if others && first.flow == second.flow {
                // Retransmissions without timestamps.
                continue;
            }
            shared.weighty += usize::from(first.weighty);
            shared.samples.push(self.segment(first, second));
        }
        shared
    }

    /// The segments that two files share with other numbers: those of one connection to whose numbers the same is added.
    fn with_other_numbers(&self, other: &Self) -> Shared {
        type Flows = (u64, u64, bool);
        let mut alike: HashMap<Flows, Vec<(Shift, SharedSegment)>> = HashMap::new();
        let (own, theirs) = (self.by_likeness(), other.by_likeness());
        // Which of them vote below must not depend on the order in a hash map.
        for first in self.prints {
            let only = |index: &ByKey<'a>| index.get(&first.likeness).copied().flatten();
            let (Some(_), Some(second)) = (only(own), only(theirs)) else {
                continue;
            };
            if !may_be_same(first.sighting(), second.sighting()) {
                continue;
            }
            let shift = Shift::between(&first.numbers, &second.numbers, usize::from(first.low));
            if !shift.is_plain() {
                let flows = (first.flow, second.flow, first.low != second.low);
                let found = alike.entry(flows).or_default();
                found.push((shift, self.segment(first, second)));
            }
        }
        let mut shared = Shared::default();
        for found in alike.values() {
            let agrees = |shift: &Shift| {
                let others = found.iter().filter(|it| it.0.agreed(*shift).is_some());
                others.count() > 1
            };
            let proven = found.iter().take(VOTES).filter(|it| agrees(&it.0));
            shared.samples.extend(proven.map(|it| it.1));
        }
        // All that have a likeness are weighty.
        shared.weighty = shared.samples.len();
        shared
    }
}

/// Whether the times are the same as well: one file given twice, or two interfaces of one host whose packets were stamped
/// once.
fn is_one_clock(shared: &Shared) -> bool {
    let same = shared.samples.iter().filter(|it| it.sample.later == 0);
    let same = same.count();
    same * 4 >= shared.samples.len() * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A load test sends the same on one connection after another. Where its capture was rotated, what is alike in both files is no
    /// second place: the connection that is open goes on in the second.
    #[test]
    fn a_file_that_goes_on_is_no_place() {
        let print = |flow: u64, nth: u32, time: i64, flags: Flags| Print {
            identity: flow << 32 | u64::from(nth),
            time,
            flow,
            low: true,
            ip_id: 0,
            weighty: true,
            numbers: Numbers {
                seq: flow as u32 * 1_000_003 + nth * 10,
                ack: flow as u32 * 7_000_003,
                times: Some(crate::packet::decode::TimestampOption { value: 5, echo: 5 }),
                length: 10,
                flags,
            },
            likeness: u64::from(nth) + 1,
            ends: [Endpoint {
                ip: std::net::Ipv4Addr::LOCALHOST.into(),
                port: 1,
            }; 2],
            ttl: 64,
            interface: 0,
        };
        let flow = |number: u64, parts: std::ops::Range<u32>, at: i64| {
            parts.map(move |nth| {
                let flags = if nth == 0 { Flags::SYN } else { Flags::ACK };
                print(number, nth, at + i64::from(nth), flags)
            })
        };
        let alike = |second: Vec<Print>| {
            let first: Vec<_> = flow(1, 0..6, 0).chain(flow(2, 0..3, 10)).collect();
            Index::of(&first).shared(&Index::of(&second)).samples.len()
        };
        assert_eq!(alike(flow(2, 3..6, 20).collect()), 0);
        // At the same time, or with nothing that goes on, it may be one.
        assert!(alike(flow(2, 3..6, 5).collect()) > 0);
        assert!(alike(flow(3, 0..6, 20).collect()) > 0);
    }
}
