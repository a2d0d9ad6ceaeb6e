//! Which line of an access log belongs to which exchange.
//!
//! Lines and exchanges are compared within groups: same server, same request, same client as far as the log has it. First by
//! all that the line says (status, bytes, program), then by the status alone, last by the request alone. Within a group a line
//! reaches the exchanges that were over (or began) at its time; what reaches into each other is a cluster. A cluster of as many
//! lines as exchanges is joined in order, as servers write a line when a request is over. Any other is left undecided.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::kept::{Joined, KeptLine, LATE, MAX_LEFT};
use super::legs::{LineServer, LogLeg, may_be_of};
use crate::analysis::connection::Who;
use crate::base::net::Endpoint;
use crate::knowledge::{LogFormat, NOT_SENT, StampedAt};
use crate::logs::agreement::counts;
use crate::logs::clock::ClockOffset;
use crate::logs::line::{LineKind, LogLine, SECOND};
use crate::logs::wire::{Wire, WireExchange, outcome};
use crate::protocol::http::{Exchange, Outcome};

/// Members of a group that are compared each with each.
const FEW: usize = 64;

/// What was decided of each line.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) lines: Vec<Joined>,
    /// Exchanges that have a line, or may have one.
    spoken_for: HashSet<u32>,
}

/// What makes a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Group {
    server: Endpoint,
    key: (u64, bool),
    client: Option<IpAddr>,
    port: Option<u16>,
}

/// Lines and exchanges of one group that are not decided yet: places in their lists.
#[derive(Clone, Debug, Default)]
struct Members {
    lines: Vec<usize>,
    exchanges: Vec<u32>,
}

/// How a log counts bytes and stamps its lines.
#[derive(Clone, Copy, Debug)]
struct Habits {
    /// Which of the three counts of bytes it has.
    bytes: Option<usize>,
    at_start: bool,
}

/// Assigns the lines.
pub(super) fn assign(
    kept: &[KeptLine],
    leg: &LogLeg,
    wire: &Wire<'_>,
    clock: ClockOffset,
    format: LogFormat,
) -> Decided {
    let mut decided = Decided {
        lines: vec![Joined::Nothing; kept.len()],
        spoken_for: HashSet::new(),
    };
    let mut groups = groups(kept, leg, wire, &mut decided);
    let habits = habits(kept, &groups, wire, format);
    let mut order: Vec<Group> = groups.keys().copied().collect();
    order.sort_unstable();
    for group in order {
        let Some(mut members) = groups.remove(&group) else {
            continue;
        };
        for tier in [Tier::All, Tier::Status, Tier::Request] {
            let each = parts(&members, kept, wire, tier, habits);
            for part in each {
                decided.part(&part, kept, wire, clock, tier, habits);
            }
            members
                .lines
                .retain(|it| decided.lines[*it] == Joined::Nothing);
            members
                .exchanges
                .retain(|it| !decided.spoken_for.contains(it));
        }
        decided.rest(&members, kept, wire, clock);
    }
    decided
}

/// The exchanges of one request by their server, and by their client's address where it counts.
type Pool = HashMap<(Endpoint, Option<IpAddr>), Vec<u32>>;

fn groups(
    kept: &[KeptLine],
    leg: &LogLeg,
    wire: &Wire<'_>,
    decided: &mut Decided,
) -> HashMap<Group, Members> {
    let mut groups: HashMap<Group, Members> = HashMap::new();
    // The exchanges of a request by server and client, put together once for each request.
    let mut pools: HashMap<(u64, bool), Pool> = HashMap::new();
    for (nth, (line, server)) in kept.iter().zip(&leg.of_line).enumerate() {
        let (Some(server), Some(key)) = (server, Wire::key_of(&line.line)) else {
            continue;
        };
        let LineServer::Of(server) = *server else {
            decided.lines[nth] = Joined::Undecided;
            continue;
        };
        let client = line.line.client.filter(|_| leg.strict);
        let port = line.line.client_port;
        let group = Group {
            server,
            key,
            client,
            port,
        };
        let members = groups.entry(group).or_default();
        if members.lines.is_empty() {
            let pool = pools.entry(key).or_insert_with(|| pool(&line.line, wire));
            let all = pool.get(&(server, client)).into_iter().flatten().copied();
            let fits = all.filter(|it| {
                wire.exchange(*it)
                    .is_some_and(|(_, connection, _)| may_be_of(&line.line, connection))
            });
            members.exchanges = fits.collect();
        }
        members.lines.push(nth);
    }
    groups
}

fn pool(line: &LogLine, wire: &Wire<'_>) -> Pool {
    let mut pool = Pool::new();
    for place in wire.asked(line) {
        if let Some((_, connection, _)) = wire.exchange(*place) {
            for client in [None, Some(connection.client.ip)] {
                let own = pool.entry((connection.server, client)).or_default();
                own.push(*place);
            }
        }
    }
    pool
}

/// How the log counts and stamps, by the lines of requests that were made once.
fn habits(
    kept: &[KeptLine],
    groups: &HashMap<Group, Members>,
    wire: &Wire<'_>,
    format: LogFormat,
) -> Habits {
    let mut counted = [0_usize; 3];
    let mut stamped = [0_usize; 2];
    for members in groups.values() {
        let ([line], [place]) = (&members.lines[..], &members.exchanges[..]) else {
            continue;
        };
        let (Some(line), Some((it, _, exchange))) = (kept.get(*line), wire.exchange(*place)) else {
            continue;
        };
        if let (Some(log), Some(response)) = (line.line.bytes, &exchange.response) {
            for (tally, own) in counted.iter_mut().zip(counts(&response.message)) {
                *tally += usize::from(own == log);
            }
        }
        if it.end - it.start > 3 * SECOND / 2 {
            let start = (line.at.0 - it.start).abs();
            let end = (line.at.0 - it.end).abs();
            stamped[usize::from(end < start)] += 1;
        }
    }
    let most = counted.iter().max().copied().unwrap_or(0);
    Habits {
        bytes: counted.iter().position(|it| *it == most && most > 0),
        at_start: match format.stamped_at() {
            StampedAt::Start => true,
            StampedAt::End | StampedAt::Event => false,
            StampedAt::StartOrEnd => stamped[0] > stamped[1],
        },
    }
}

/// By what lines and exchanges must be alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tier {
    All,
    Status,
    Request,
}

/// What must be equal: status, bytes, program.
type Likeness = (u16, u64, Vec<u8>);

/// The parts of a group whose lines and exchanges are alike.
fn parts(
    members: &Members,
    kept: &[KeptLine],
    wire: &Wire<'_>,
    tier: Tier,
    habits: Habits,
) -> Vec<Members> {
    let mut parts: HashMap<Likeness, Members> = HashMap::new();
    let agents = members
        .lines
        .iter()
        .any(|it| kept[*it].line.agent.is_some());
    let rough = members.lines.iter().any(|it| kept[*it].line.rough_bytes);
    for nth in &members.lines {
        let line = &kept[*nth].line;
        let status = line.status.filter(|it| !NOT_SENT.contains(it)).unwrap_or(0);
        let bytes = line.bytes.filter(|_| habits.bytes.is_some()).unwrap_or(0);
        let agent = line
            .agent
            .as_ref()
            .map_or(Vec::new(), |it| it.as_bytes().to_vec());
        let alike = likeness(tier, status, bytes, agent);
        parts.entry(alike).or_default().lines.push(*nth);
    }
    for place in &members.exchanges {
        let Some((_, _, exchange)) = wire.exchange(*place) else {
            continue;
        };
        let response = exchange.response.as_ref().map(|it| &it.message);
        let way = habits.bytes.filter(|_| !rough);
        let bytes = response.zip(way).map(|(it, way)| counts(it)[way]);
        let agent = exchange
            .request
            .as_ref()
            .and_then(|it| it.user_agent.as_ref());
        let agent = agent.filter(|_| agents);
        let agent = agent.map_or(Vec::new(), |it| {
            String::from_utf8_lossy(it.as_bytes())
                .into_owned()
                .into_bytes()
        });
        let alike = likeness(
            tier,
            exchange.status().unwrap_or(0),
            bytes.unwrap_or(0),
            agent,
        );
        parts.entry(alike).or_default().exchanges.push(*place);
    }
    let mut parts: Vec<Members> = parts
        .into_values()
        .filter(|it| !it.lines.is_empty() && !it.exchanges.is_empty())
        .collect();
    parts.sort_by_key(|it| it.lines.first().copied());
    parts
}

fn likeness(tier: Tier, status: u16, bytes: u64, agent: Vec<u8>) -> Likeness {
    match tier {
        Tier::All => (status, bytes, agent),
        Tier::Status => (status, 0, Vec::new()),
        Tier::Request => (0, 0, Vec::new()),
    }
}

impl Decided {
    /// Joins what can be joined of one part.
    fn part(
        &mut self,
        part: &Members,
        kept: &[KeptLine],
        wire: &Wire<'_>,
        clock: ClockOffset,
        tier: Tier,
        habits: Habits,
    ) {
        let moment = |it: &WireExchange| match habits.at_start {
            true => it.start,
            false => it.end,
        };
        let targets: Vec<(i64, u32)> = part
            .exchanges
            .iter()
            .filter_map(|place| Some((moment(wire.exchanges.get(*place as usize)?), *place)))
            .collect();
        let lines: Vec<((i64, i64), usize)> =
            part.lines.iter().map(|nth| (kept[*nth].at, *nth)).collect();
        let clusters = in_order(&lines, &targets, &reaches(clock));
        for (nth, place) in clusters.joined {
            // Only one request that fits in time may have another status.
            if tier == Tier::Request && (part.lines.len() > 1 || part.exchanges.len() > 1) {
                continue;
            }
            self.lines[nth] = Joined::Exchange(place, Who::Server);
            self.spoken_for.insert(place);
        }
        if tier != Tier::Request {
            for nth in clusters.undecided {
                self.lines[nth] = Joined::Undecided;
            }
            self.spoken_for.extend(clusters.contested);
        }
    }

    /// Joins what is left of a group: a line whose time lies within one exchange, that no other line fits.
    fn rest(&mut self, members: &Members, kept: &[KeptLine], wire: &Wire<'_>, clock: ClockOffset) {
        if members.lines.len() > FEW || members.exchanges.len() > FEW {
            return;
        }
        let slack = clock.uncertainty + LATE;
        let fits = |nth: usize, place: u32| {
            let at = kept[nth].at;
            let it = wire.exchanges.get(place as usize);
            it.is_some_and(|it| it.start <= at.1 + slack && it.end + slack >= at.0)
        };
        for nth in &members.lines {
            let own = members.exchanges.iter().filter(|it| fits(*nth, **it));
            let own: Vec<u32> = own.copied().collect();
            let others = |place| members.lines.iter().any(|it| it != nth && fits(*it, place));
            self.lines[*nth] = match own[..] {
                [] => continue,
                [only] if !others(only) => Joined::Exchange(only, Who::Server),
                _ => Joined::Undecided,
            };
            self.spoken_for.extend(own);
        }
    }

    /// Requests to the log's server, in the log's time, that have no line.
    pub(super) fn unlogged(
        &self,
        wire: &Wire<'_>,
        leg: &LogLeg,
        span: Option<(i64, i64)>,
    ) -> (u64, Vec<(u32, u32)>) {
        let Some((first, last)) = span else {
            return (0, Vec::new());
        };
        let mut count = 0;
        let mut listed = Vec::new();
        for (place, it) in (0..).zip(&wire.exchanges) {
            let Some((_, connection, exchange)) = wire.exchange(place) else {
                continue;
            };
            let inside = it.start >= first && it.end <= last;
            if !inside
                || self.spoken_for.contains(&place)
                || !leg.servers.contains(&connection.server)
                || !is_over(outcome(connection, exchange))
            {
                continue;
            }
            count += 1;
            if listed.len() < MAX_LEFT {
                listed.push((connection.id, it.exchange));
            }
        }
        (count, listed)
    }
}

/// Whether a server would have written a line.
fn is_over(outcome: Option<Outcome>) -> bool {
    outcome.is_some_and(|it| it != Outcome::Unfinished)
}

/// What comes of a comparison by time.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    pub(super) joined: Vec<(usize, u32)>,
    /// Lines that reach exchanges, but not as many as there are lines.
    pub(super) undecided: Vec<usize>,
    /// Exchanges that these reach.
    pub(super) contested: Vec<u32>,
}

/// How far from its time a line reaches: first what is close, because a wider reach merges clusters.
pub(super) fn reaches(clock: ClockOffset) -> [i64; 4] {
    [SECOND / 20, SECOND / 4, SECOND, LATE].map(|late| clock.uncertainty + late)
}

/// Joins lines with what happened at their times. Lines are in the order of the file, targets in the order in which they were
/// over; each target has its moment.
pub(super) fn in_order(
    lines: &[((i64, i64), usize)],
    targets: &[(i64, u32)],
    reaches: &[i64],
) -> Clusters {
    let mut clusters = Clusters::default();
    let mut lines = lines.to_vec();
    let mut targets = targets.to_vec();
    for slack in reaches.iter().copied() {
        let each = reach(&lines, &targets, slack);
        let mut done_lines = HashSet::new();
        let mut done_targets = HashSet::new();
        for (own_lines, own_targets) in each {
            if own_lines.len() != own_targets.len() {
                continue;
            }
            let Some(pairs) = paired(&own_lines, &own_targets, slack) else {
                continue;
            };
            for (nth, place) in pairs {
                done_lines.insert(nth);
                done_targets.insert(place);
                clusters.joined.push((nth, place));
            }
        }
        lines.retain(|(_, nth)| !done_lines.contains(nth));
        targets.retain(|(_, place)| !done_targets.contains(place));
    }
    let widest = reaches.last().copied().unwrap_or(0);
    for (own_lines, own_targets) in reach(&lines, &targets, widest) {
        clusters
            .undecided
            .extend(own_lines.iter().map(|(_, nth)| *nth));
        clusters
            .contested
            .extend(own_targets.iter().map(|(_, it)| *it));
    }
    clusters
}

type Cluster = (Vec<((i64, i64), usize)>, Vec<(i64, u32)>);

/// The clusters of lines and targets that reach into each other.
fn reach(lines: &[((i64, i64), usize)], targets: &[(i64, u32)], slack: i64) -> Vec<Cluster> {
    let mut sorted = targets.to_vec();
    sorted.sort_by_key(|(at, _)| *at);
    // For each line, the first and the last target that it reaches; targets between them belong together.
    let mut linked = vec![0_i64; sorted.len() + 1];
    let mut spans = Vec::new();
    for (at, nth) in lines {
        let low = sorted.partition_point(|(it, _)| *it < at.0 - slack);
        let high = sorted.partition_point(|(it, _)| *it <= at.1 + slack);
        if low < high {
            linked[low] += 1;
            linked[high - 1] -= 1;
            spans.push((low, (*at, *nth)));
        }
    }
    let mut of_target = Vec::with_capacity(sorted.len());
    let (mut open, mut cluster) = (0, 0_usize);
    for step in linked.iter().take(sorted.len()) {
        of_target.push(cluster);
        open += step;
        if open == 0 {
            cluster += 1;
        }
    }
    let mut clusters: Vec<Cluster> = vec![Default::default(); cluster + 1];
    // In the order in which they were over, as given.
    let places: HashMap<u32, usize> = sorted
        .iter()
        .zip(&of_target)
        .map(|((_, place), cluster)| (*place, *cluster))
        .collect();
    for target in targets {
        if let Some(cluster) = places.get(&target.1).and_then(|it| clusters.get_mut(*it)) {
            cluster.1.push(*target);
        }
    }
    for (low, line) in spans {
        let cluster = of_target.get(low).and_then(|it| clusters.get_mut(*it));
        if let Some(cluster) = cluster {
            cluster.0.push(line);
        }
    }
    clusters.retain(|(lines, targets)| !lines.is_empty() && !targets.is_empty());
    clusters
}

/// A line of a cluster: the earliest and the latest time that it may mean, and its place among all lines.
type Waiting = ((i64, i64), usize);

/// The pairs of a cluster, in order; `None` if no order fits the times.
fn paired(lines: &[Waiting], targets: &[(i64, u32)], slack: i64) -> Option<Vec<(usize, u32)>> {
    let fits = |(line, target): (&Waiting, &(i64, u32))| {
        let (low, high) = line.0;
        target.0 >= low - slack && target.0 <= high + slack
    };
    let pairs = |lines: &[((i64, i64), usize)], targets: &[(i64, u32)]| {
        let pairs = lines.iter().zip(targets).map(|(line, it)| (line.1, it.1));
        pairs.collect()
    };
    if lines.iter().zip(targets).all(fits) {
        return Some(pairs(lines, targets));
    }
    let (mut lines, mut targets) = (lines.to_vec(), targets.to_vec());
    lines.sort_by_key(|(at, nth)| (at.0, *nth));
    targets.sort_by_key(|(at, _)| *at);
    let all = lines.iter().zip(&targets).all(fits);
    all.then(|| pairs(&lines, &targets))
}

/// Whether a line could be compared with exchanges at all.
pub(super) fn is_of_request(line: &KeptLine) -> bool {
    line.line.kind == LineKind::Access
}

/// How far something failed in an exchange, as a program would report it: not at all, by its status, by its end.
pub(super) fn failure(outcome: Option<Outcome>, exchange: &Exchange) -> u8 {
    match outcome {
        Some(Outcome::Complete) => u8::from(exchange.status().is_some_and(|it| it >= 500)),
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const CLOCK: ClockOffset = ClockOffset {
        nanos: 0,
        uncertainty: 20 * MS,
        support: 9,
    };

    fn order(lines: &[(i64, i64)], targets: &[i64]) -> (Vec<(usize, u32)>, Vec<usize>) {
        let lines: Vec<_> = lines.iter().copied().zip(0..).collect();
        let targets: Vec<_> = targets.iter().copied().zip(0..).collect();
        let mut found = in_order(&lines, &targets, &reaches(CLOCK));
        found.joined.sort_unstable();
        (found.joined, found.undecided)
    }

    #[test]
    fn as_many_lines_as_exchanges_are_joined_in_order() {
        let second = |it: i64| (it * SECOND, (it + 1) * SECOND);
        let all = order(
            &[second(0), second(0), second(1)],
            &[100 * MS, 900 * MS, 1500 * MS],
        );
        assert_eq!(all, (vec![(0, 0), (1, 1), (2, 2)], vec![]));
        // One line too few: which one has none?
        let few = order(&[second(0), second(0)], &[100 * MS, 500 * MS, 900 * MS]);
        assert_eq!(few, (vec![], vec![0, 1]));
        // The others are not touched by it.
        let apart = order(
            &[second(0), second(0), second(9)],
            &[100 * MS, 500 * MS, 900 * MS, 9500 * MS],
        );
        assert_eq!(apart, (vec![(2, 3)], vec![0, 1]));
        // Out of reach.
        assert_eq!(order(&[second(9)], &[100 * MS]), (vec![], vec![]));
    }

    #[test]
    fn exact_times_decide_between_alike_requests() {
        let ms = |it: i64| (it * MS, (it + 1) * MS);
        let found = order(&[ms(100), ms(900)], &[100 * MS, 500 * MS, 900 * MS]);
        assert_eq!(found, (vec![(0, 0), (1, 2)], vec![]));
    }
}
