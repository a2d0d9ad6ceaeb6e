//! What two sides have in common, and what not.
//!
//! Of each fact, the two distributions are held against each other. A difference is told where each side is all of one kind,
//! or where chance does not explain the counts. Times are compared only where several closes on each side have one in
//! common, and numbers of requests only where a connection was used again.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::time::Duration;

use super::chance;
use super::facts::{FACTS, FactName, IDLE_TIMEOUT, REQUESTS, WAIT_TIMEOUT};
use super::profile::{self, Example, Profile, Tallies};
use super::services::{Matched, Services, Unmatched};
use crate::analysis::connection::{Connection, How, Opening, Who};
use crate::base::escape::escape;
use crate::base::format::{bytes, count, duration, number};
use crate::base::frame_names::FrameNames;
use crate::base::frame_ref::FrameNumber;
use crate::base::time::Timestamp;
use crate::knowledge::TimerPhase;
use crate::report::snapshot::Snapshot;

/// The probability by chance below which a difference is told, by the number of connections.
const CHANCE: f64 = 1e-3;
/// The same by the number of requests or responses: those of one connection are rarely independent.
const CHANCE_OF_UNITS: f64 = 1e-6;
/// The least difference of two shares that is told, in percent, unless one is at least twice the other.
const SHARE: f64 = 5.0;
/// Connections that must have the same number of requests for that number to be the server's or the client's limit.
const LIMITED: u64 = 3;

/// What two sides have in common, and what not.
#[derive(Debug)]
pub struct Comparison {
    /// The captures; for two connections, the same one twice.
    pub(crate) captures: [Captured; 2],
    /// The connections that are compared, if they are only two.
    pub(crate) pair: Option<[u32; 2]>,
    pub(crate) services: Vec<ServiceComparison>,
    /// What only one side has.
    pub(crate) unmatched: [Vec<Unmatched>; 2],
}

/// One of the captures.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    pub(crate) path: String,
    /// Its name before frame numbers; empty if there is one capture only.
    pub(crate) name: String,
    pub(crate) format: String,
    pub(crate) packets: u64,
    pub(crate) connections: u64,
    pub(crate) span: Option<(Timestamp, Timestamp)>,
    /// What it lacks, in sentences.
    pub(crate) lacks: Vec<String>,
}

impl Captured {
    /// `frames 9 and 12`, or `a.pcap:9 and 12` where there are two captures.
    pub(crate) fn frames(&self, frames: &[FrameNumber]) -> String {
        let numbers: Vec<String> = frames.iter().map(|it| it.0.to_string()).collect();
        let numbers = match &numbers[..] {
            [] => return "no frame".to_owned(),
            [one] => one.clone(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        };
        match (self.name.is_empty(), frames.len()) {
            (true, 1) => format!("frame {numbers}"),
            (true, _) => format!("frames {numbers}"),
            (false, _) => format!("{}:{numbers}", self.name),
        }
    }
}

/// The comparison of one service.
#[derive(Debug)]
pub(crate) struct ServiceComparison {
    /// What it is called on each side.
    pub(crate) names: [String; 2],
    /// Connections of each side.
    pub(crate) connections: [u64; 2],
    /// What the clients and the servers of each side call themselves.
    pub(crate) products: [[Vec<String>; 2]; 2],
    pub(crate) differences: Vec<Difference>,
    /// Values that only one side has, too rarely to be more than chance.
    pub(crate) chance: Vec<Difference>,
    /// The facts that both sides show and that are equal.
    pub(crate) equal: Vec<&'static FactName>,
}

/// A fact that differs.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) fact: &'static FactName,
    /// The values that make the difference, of each side.
    pub(crate) sides: [Vec<Share>; 2],
}

/// How often a value occurs on one side.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) value: Cow<'static, str>,
    pub(crate) count: u64,
    pub(crate) of: u64,
    /// Where it shows; none if it does not occur.
    pub(crate) example: Option<Example>,
}

impl Comparison {
    /// Compares two captures.
    #[must_use]
    pub fn of_captures(a: &Snapshot, b: &Snapshot) -> Self {
        let sides = [a, b];
        let captures = captures(sides);
        let all = sides.map(|it| it.connections.iter().map(|it| &**it).collect());
        let services = Services::new(all);
        Self {
            captures,
            pair: None,
            services: services
                .matched
                .iter()
                .map(|it| compared(it, false))
                .collect(),
            unmatched: services.unmatched,
        }
    }

    /// Compares two connections of one capture.
    #[must_use]
    pub fn of_connections(snapshot: &Snapshot, a: &Connection, b: &Connection) -> Self {
        Self {
            captures: [snapshot, snapshot].map(|it| captured(it, String::new())),
            pair: Some([a.id, b.id]),
            services: vec![of_pair([a, b])],
            unmatched: [Vec::new(), Vec::new()],
        }
    }

    /// How many differences there are.
    #[must_use]
    pub fn differences(&self) -> usize {
        self.services.iter().map(|it| it.differences.len()).sum()
    }

    /// Whether no service of one side is on the other.
    #[must_use]
    pub fn has_nothing_in_common(&self) -> bool {
        self.services.is_empty()
    }

    /// The services of one side that the other does not have: `port 80 (24 connections)`.
    #[must_use]
    pub fn alone(&self, side: usize) -> Vec<String> {
        let own = self.unmatched.get(side).map_or(&[][..], Vec::as_slice);
        let told = own.iter().map(|it| {
            format!(
                "{} ({})",
                it.name,
                count(it.connections, "connection", "connections")
            )
        });
        told.collect()
    }
}

/// The facts of two connections.
pub(super) fn of_pair(connections: [&Connection; 2]) -> ServiceComparison {
    let matched = Matched {
        names: connections.map(|it| format!("connection #{}", it.id)),
        connections: connections.map(|it| vec![it]),
    };
    compared(&matched, true)
}

/// Both captures, with names that tell them apart.
fn captures(sides: [&Snapshot; 2]) -> [Captured; 2] {
    let paths = sides.map(path);
    let names = FrameNames::new(paths.map(|path| (path, &[][..])));
    let name = |nth| names.file(nth).unwrap_or_default().to_owned();
    let [one, other] = sides;
    [captured(one, name(0)), captured(other, name(1))]
}

/// The path of a capture.
fn path(snapshot: &Snapshot) -> &str {
    let first = snapshot.summary.inputs.first();
    first.map_or("", |it| it.path.as_str())
}

fn captured(snapshot: &Snapshot, name: String) -> Captured {
    let input = snapshot.summary.inputs.first();
    Captured {
        path: path(snapshot).to_owned(),
        name: escape(name.as_bytes()).into_owned(),
        format: input.map_or_else(String::new, |it| it.format.clone()),
        packets: snapshot.summary.frames,
        connections: snapshot.connections_total(),
        span: snapshot.summary.span,
        lacks: lacks(snapshot),
    }
}

/// What bounds the comparison on one side.
fn lacks(snapshot: &Snapshot) -> Vec<String> {
    let mut told = Vec::new();
    let summary = &snapshot.summary;
    let of = |which: fn(&Connection) -> bool| {
        let all = snapshot.connections.iter();
        all.filter(|it| which(it)).count() as u64
    };
    let many = |number: u64, was: &str, were: &str| {
        let verb = if number == 1 { was } else { were };
        format!("{} {verb}", count(number, "connection", "connections"))
    };
    let early = of(|it| it.opening == Opening::Midstream);
    if early > 0 {
        let text = many(early, "began", "began");
        told.push(format!("{text} before the capture."));
    }
    let open = of(|it| it.teardown.how == How::Open);
    if open > 0 {
        let text = many(open, "was", "were");
        told.push(format!("{text} still open when the capture ended."));
    }
    let missing = snapshot.connections.iter().flat_map(|it| it.sent);
    let missing = missing.fold(0, |sum: u64, it| sum.saturating_add(it.missing));
    if missing > 0 {
        told.push(format!(
            "{} of payload were sent and are not captured.",
            bytes(missing)
        ));
    }
    let dropped = [summary.lost.kernel, summary.lost.interface];
    let dropped: u64 = dropped.into_iter().flatten().fold(0, u64::saturating_add);
    if dropped > 0 {
        let were = if dropped == 1 { "was" } else { "were" };
        let packets = count(dropped, "packet", "packets");
        told.push(format!("{packets} {were} dropped while capturing."));
    }
    if let Some(damage) = summary.inputs.iter().find_map(|it| it.damage.as_ref()) {
        let at = number(damage.offset);
        told.push(format!(
            "The file is damaged at byte {at}; the rest was read as far as possible."
        ));
    }
    let listed = snapshot.connections.len() as u64;
    let gone = snapshot.connections_total().saturating_sub(listed);
    if gone > 0 {
        let are = if gone == 1 { "is" } else { "are" };
        told.push(format!(
            "The details of {} {are} gone, because there were too many: not compared.",
            count(gone, "connection", "connections")
        ));
    }
    told
}

/// Compares the two sides of one service, or two connections.
fn compared(matched: &Matched<'_>, is_pair: bool) -> ServiceComparison {
    let sides = matched.connections.each_ref().map(|it| Profile::of(it));
    let [a, b] = &sides;
    let mut comparison = ServiceComparison {
        names: matched.names.clone(),
        connections: [a.connections, b.connections],
        products: sides.each_ref().map(|side| {
            side.products
                .each_ref()
                .map(|it| it.iter().cloned().collect())
        }),
        differences: Vec::new(),
        chance: Vec::new(),
        equal: Vec::new(),
    };
    for (nth, fact) in FACTS.iter().enumerate() {
        let tallies = [&a.facts[nth], &b.facts[nth]];
        match judged(tallies) {
            Judgement::Unseen => {}
            Judgement::Equal => comparison.equal.push(&fact.name),
            Judgement::Chance(values) => {
                comparison
                    .chance
                    .push(difference(&fact.name, tallies, &values));
            }
            Judgement::Differs(values) => {
                comparison
                    .differences
                    .push(difference(&fact.name, tallies, &values));
            }
        }
    }
    comparison.take(&REQUESTS, requests([a, b], is_pair));
    for (name, running) in [
        (&IDLE_TIMEOUT, TimerPhase::Idle),
        (&WAIT_TIMEOUT, TimerPhase::Wait),
    ] {
        for who in Who::BOTH {
            comparison.take(name, timeout([a, b], who, running));
        }
    }
    comparison
}

impl ServiceComparison {
    /// Takes the result of a fact with amounts; `None` if it is not on both sides.
    fn take(&mut self, fact: &'static FactName, result: Option<Option<[Share; 2]>>) {
        match result {
            None => {}
            Some(None) if self.equal.iter().any(|it| it.name == fact.name) => {}
            Some(None) => self.equal.push(fact),
            Some(Some(shares)) => self.differences.push(Difference {
                fact,
                sides: shares.map(|it| vec![it]),
            }),
        }
    }
}

/// What the values of one fact say.
enum Judgement {
    /// One side does not show it.
    Unseen,
    Equal,
    /// These values are on one side only, which may be chance.
    Chance(Vec<Cow<'static, str>>),
    /// These values make a difference.
    Differs(Vec<Cow<'static, str>>),
}

fn judged(sides: [&Tallies; 2]) -> Judgement {
    let [a, b] = sides;
    if a.connections == 0 || b.connections == 0 {
        return Judgement::Unseen;
    }
    // Each side is all of one kind: what one connection shows, all of its side show.
    if let (Some(one), Some(other)) = (a.only(), b.only()) {
        return match one == other {
            true => Judgement::Equal,
            false => Judgement::Differs(vec![one.clone(), other.clone()]),
        };
    }
    let mut all: Vec<&Cow<'static, str>> = a.values.keys().chain(b.values.keys()).collect();
    all.sort_unstable();
    all.dedup();
    let differs = all.iter().filter(|it| is_proven(sides, it));
    let differs: Vec<Cow<'static, str>> = differs.map(|it| (*it).clone()).collect();
    if !differs.is_empty() {
        return Judgement::Differs(differs);
    }
    let alone = all
        .into_iter()
        .filter(|it| a.values.contains_key(*it) != b.values.contains_key(*it));
    let alone: Vec<Cow<'static, str>> = alone.cloned().collect();
    match alone.is_empty() {
        true => Judgement::Equal,
        false => Judgement::Chance(alone),
    }
}

/// Whether the shares of a value differ, and chance does not explain it.
fn is_proven(sides: [&Tallies; 2], value: &str) -> bool {
    let counts = |of: fn(&Tallies, &str) -> (u64, u64)| sides.map(|it| of(it, value));
    let connections = counts(|side, value| {
        let own = side.values.get(value).map_or(0, |it| it.connections);
        (own, side.connections)
    });
    let units = counts(|side, value| {
        let own = side.values.get(value).map_or(0, |it| it.units);
        (own, side.units)
    });
    let proven = |[(a, all_a), (b, all_b)]: [(u64, u64); 2], chance: f64| {
        let [one, other] = [(a, all_a), (b, all_b)].map(|(it, all)| it as f64 / all.max(1) as f64);
        let (low, high) = (one.min(other), one.max(other));
        let matters = (high - low) * 100.0 >= SHARE || high >= 2.0 * low;
        matters && chance::probability(a, all_a, b, all_b) < chance
    };
    proven(connections, CHANCE) || proven(units, CHANCE_OF_UNITS)
}

/// The shares of these values on both sides; first the most frequent value of each side.
fn difference(
    fact: &'static FactName,
    sides: [&Tallies; 2],
    values: &[Cow<'static, str>],
) -> Difference {
    let [a, b] = sides;
    let shares = [(a, b), (b, a)].map(|(side, other)| {
        let share = |value: &Cow<'static, str>| {
            let own = side.values.get(value);
            Share {
                value: value.clone(),
                count: own.map_or(0, |it| it.units),
                of: side.units,
                example: own.map(|it| it.example.clone()),
            }
        };
        let mut shares: Vec<Share> = values.iter().map(share).collect();
        let usual = side.values.iter().max_by_key(|(_, it)| it.units);
        if let Some((usual, _)) = usual.filter(|(value, _)| !values.contains(value)) {
            shares.push(share(usual));
        }
        // What the other side lacks comes first.
        shares.sort_by_key(|it| (other.values.contains_key(&it.value), Reverse(it.count)));
        // What does not occur matters only where nothing else does, or beside what does.
        let is_only = side.only().is_some();
        shares.retain(|it| it.count > 0 || !is_only);
        shares
    });
    Difference {
        fact,
        sides: shares,
    }
}

/// Whether connections are used again, or how often; `None` where one side does not show it.
fn requests(sides: [&Profile; 2], is_pair: bool) -> Option<Option<[Share; 2]>> {
    let shares = sides.map(|side| {
        let [one, several] = side.requests.one_and_several();
        let whole = &side.requests.whole;
        let fewest = whole.keys().next().copied();
        let most = whole.keys().next_back().copied();
        let least = side.requests.several.as_ref().map(|(_, least, _)| *least);
        let value = match (fewest, most, least) {
            (Some(fewest), Some(most), None) if fewest == most => {
                count(fewest as u64, "request", "requests")
            }
            (Some(fewest), Some(most), None) => {
                format!("{} to {} requests", number(fewest), number(most))
            }
            (Some(fewest), _, Some(_)) => format!("{} or more requests", number(fewest)),
            (None, _, Some(least)) => format!("{} or more requests", number(least)),
            (_, _, None) => return None,
        };
        // The example shows what is remarkable: a connection that was used again.
        let reused = whole.iter().next_back().filter(|(number, _)| **number > 1);
        let reused = reused.map(|(_, (_, example))| example);
        let later = side.requests.several.as_ref().map(|(.., example)| example);
        let first = whole.values().next().map(|(_, example)| example);
        Some(Share {
            value: value.into(),
            count: one + several,
            of: one + several,
            example: reused.or(later).or(first).cloned(),
        })
    });
    let [Some(a), Some(b)] = shares else {
        return None;
    };
    let counts = sides.map(|it| it.requests.one_and_several());
    let [[one_a, more_a], [one_b, more_b]] = counts;
    // A single connection with a single request had nothing to be used again for.
    let differs = match (more_a, more_b) {
        _ if is_pair && sides.iter().all(|it| it.requests.several.is_none()) => a.value != b.value,
        _ if is_pair => return None,
        (0, 1..) if one_b == 0 => one_a > 1,
        (1.., 0) if one_a == 0 => one_b > 1,
        (0, 0) => false,
        _ => {
            let chance = chance::probability(one_a, one_a + more_a, one_b, one_b + more_b);
            chance < CHANCE || is_limited(sides)
        }
    };
    Some(differs.then_some([a, b]))
}

/// Whether each side always has the same number of requests on a connection, and not the other's.
fn is_limited(sides: [&Profile; 2]) -> bool {
    let limits = sides.map(|side| {
        let requests = &side.requests;
        let mut all = requests.whole.iter();
        let only = all.next().filter(|_| all.next().is_none());
        let (number, (connections, _)) = only?;
        (*connections >= LIMITED && requests.several.is_none()).then_some(*number)
    });
    matches!(limits, [Some(a), Some(b)] if a != b)
}

/// The timeouts of one side of the connections; `None` where they are not on both sides.
fn timeout(sides: [&Profile; 2], who: Who, running: TimerPhase) -> Option<Option<[Share; 2]>> {
    let name = who.name();
    let what = match running {
        TimerPhase::Idle => "idle",
        _ => "without a response",
    };
    let found = sides.map(|it| it.timeout(who, running));
    let share = |it: &profile::Timeout| Share {
        value: format!(
            "the {name} closes after {} {what}",
            duration(it.observed.measured.median)
        )
        .into(),
        count: it.observed.measured.count as u64,
        of: it.observed.closes as u64,
        example: Some(it.example.clone()),
    };
    // A connection that was idle for longer and then used again shows that no such timeout is there.
    let kept = |side: &Profile, other: &profile::Timeout| {
        let idle = side.longest_idle.as_ref()?;
        let longer = idle.time > at_most(other.observed.measured.range.1);
        (running == TimerPhase::Idle && longer).then(|| Share {
            value: format!("used again after {} idle", duration(idle.time)).into(),
            count: 1,
            of: 1,
            example: Some(idle.example.clone()),
        })
    };
    match found {
        [None, None] => None,
        [Some(a), Some(b)] => {
            let [one, other] = [a, b].map(|it| it.observed.measured);
            let differs =
                at_most(one.range.1) < other.range.0 || at_most(other.range.1) < one.range.0;
            Some(differs.then(|| [share(a), share(b)]))
        }
        [Some(a), None] => Some(Some([share(a), kept(sides[1], a)?])),
        [None, Some(b)] => Some(Some([kept(sides[0], b)?, share(b)])),
    }
}

/// The longest time that may still be the timer which closed after this time: many are looked at once a second, or less
/// often.
fn at_most(time: Duration) -> Duration {
    time + time.mul_f64(0.1).max(Duration::from_secs(1))
}
