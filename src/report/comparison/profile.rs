//! What many connections show of each fact: how often each value occurs, on how many connections, and one example.
//!
//! In: the records of one side of a comparison. Out: a [`Profile`]. Its memory is bounded by that of the records.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::facts::{self, FACTS};
use crate::analysis::connection::{Connection, ConnectionSummary, Who};
use crate::analysis::hosts::{Hosts, ObservedTimer};
use crate::base::escape::shortened;
use crate::base::frame_ref::{FrameNumber, FrameRef};
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;
use crate::knowledge::TimerPhase;

/// Frames that an example names.
const FRAMES: usize = 3;
/// Names of products that one side lists.
const PRODUCTS: usize = 3;
/// Characters of the name of a product.
const PRODUCT: usize = 40;

/// A connection that shows something, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    pub(crate) connection: u32,
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) frames: Vec<FrameNumber>,
}

impl Example {
    fn of(connection: &Connection, frames: &[FrameNumber]) -> Self {
        let mut frames: Vec<FrameNumber> = frames
            .iter()
            .copied()
            .filter(|it| *it != FrameNumber(0))
            .take(FRAMES)
            .collect();
        frames.dedup();
        Self {
            connection: connection.id,
            client: connection.client,
            server: connection.server,
            frames,
        }
    }
}

/// How often one value occurs.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// In units of the fact.
    pub(super) units: u64,
    /// Connections that show it.
    pub(super) connections: u64,
    /// The first of them.
    pub(super) example: Example,
}

/// The values of one fact.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies {
    /// In units of the fact, all values together.
    pub(super) units: u64,
    /// Connections that show the fact at all.
    pub(super) connections: u64,
    pub(super) values: BTreeMap<Cow<'static, str>, Tally>,
}

impl Tallies {
    /// The value, if there is only one.
    pub(super) fn only(&self) -> Option<&Cow<'static, str>> {
        match self.values.len() {
            1 => self.values.keys().next(),
            _ => None,
        }
    }
}

/// Takes what one connection shows of one fact.
pub(super) struct Observations<'t> {
    tallies: &'t mut Tallies,
    connection: &'t Connection,
    /// The values that it has shown.
    shown: Vec<Cow<'static, str>>,
}

impl Observations<'_> {
    /// Takes a value, and the frames that show it.
    pub(super) fn add(&mut self, value: impl Into<Cow<'static, str>>, frames: &[FrameRef]) {
        let value = value.into();
        if self.shown.is_empty() {
            self.tallies.connections += 1;
        }
        self.tallies.units += 1;
        let is_new = !self.shown.contains(&value);
        let tally = self.tallies.values.entry(value.clone());
        let tally = tally.or_insert_with(|| Tally {
            units: 0,
            connections: 0,
            example: Example::of(
                self.connection,
                &frames.iter().map(|it| it.frame).collect::<Vec<_>>(),
            ),
        });
        tally.units += 1;
        if is_new {
            tally.connections += 1;
            self.shown.push(value);
        }
    }
}

/// How many requests the connections carry.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    /// Connections by the number of their requests, where the capture shows all of them.
    pub(super) whole: BTreeMap<usize, (u64, Example)>,
    /// Connections with more than one request that the capture does not show from beginning to end, and the fewest requests of
    /// one.
    pub(super) several: Option<(u64, usize, Example)>,
}

/// A timeout that closed several connections.
#[derive(Clone, Debug)]
pub(super) struct Timeout {
    pub(super) observed: ObservedTimer,
    pub(super) example: Example,
}

/// A connection that was idle, and was closed by no timer in this time.
#[derive(Clone, Debug)]
pub(super) struct Idle {
    pub(super) time: Duration,
    pub(super) example: Example,
}

/// What the connections of one side show.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    pub(super) connections: u64,
    /// In the order of [`FACTS`].
    pub(super) facts: Vec<Tallies>,
    pub(super) requests: Requests,
    pub(super) timeouts: Vec<Timeout>,
    /// The connection that was idle for the longest time and then used again.
    pub(super) longest_idle: Option<Idle>,
    /// What the servers and the clients call themselves.
    pub(super) products: [BTreeSet<String>; 2],
}

impl Profile {
    /// The profile of these connections, which are in order of first frame.
    pub(super) fn of(connections: &[&Connection]) -> Self {
        let mut profile = Self {
            connections: connections.len() as u64,
            ..Self::default()
        };
        profile.facts.resize_with(FACTS.len(), Tallies::default);
        for connection in connections {
            for (fact, tallies) in FACTS.iter().zip(&mut profile.facts) {
                let mut observations = Observations {
                    tallies,
                    connection,
                    shown: Vec::new(),
                };
                (fact.read)(connection, &mut observations);
            }
            profile.requests.add(connection);
            profile.name(connection);
        }
        profile.times(connections);
        profile
    }

    /// Takes the products that the connection names.
    fn name(&mut self, connection: &Connection) {
        for exchange in &connection.exchanges {
            let client = exchange
                .request
                .as_ref()
                .and_then(|it| it.user_agent.as_ref());
            let server = exchange.response.as_ref().and_then(|it| it.server.as_ref());
            for (names, name) in self.products.iter_mut().zip([client, server]) {
                if let Some(name) = name.filter(|_| names.len() < PRODUCTS) {
                    names.insert(shortened(name.as_bytes(), PRODUCT).into_owned());
                }
            }
        }
    }

    /// Takes the timeouts, and the longest time without one.
    fn times(&mut self, connections: &[&Connection]) {
        let summaries: Vec<ConnectionSummary> = connections
            .iter()
            .map(|it| ConnectionSummary::from(*it))
            .collect();
        let end = summaries.iter().map(|it| it.last).max();
        let hosts = Hosts::new(&summaries, &[], end.unwrap_or(Timestamp::default()));
        let example = |id: u32| {
            let own = connections.iter().find(|it| it.id == id)?;
            Some(Example::of(own, &[own.teardown.frame]))
        };
        for observed in hosts.timers() {
            let first = observed.connections.first().copied();
            if let Some(example) = first.and_then(example) {
                self.timeouts.push(Timeout { observed, example });
            }
        }
        for (summary, connection) in summaries.iter().zip(connections) {
            let time = Duration::from_millis(summary.reused_after.into());
            if time
                > self
                    .longest_idle
                    .as_ref()
                    .map_or(Duration::ZERO, |it| it.time)
            {
                let frames = reused(connection, time);
                let example = Example::of(connection, &frames);
                self.longest_idle = Some(Idle { time, example });
            }
        }
    }

    /// The timeout of this kind, if the connections show one only.
    pub(super) fn timeout(&self, who: Who, running: TimerPhase) -> Option<&Timeout> {
        let mut own = self
            .timeouts
            .iter()
            .filter(|it| it.observed.who == who && it.observed.running == running);
        own.next().filter(|_| own.next().is_none())
    }
}

/// The response after which a connection was idle for this time, and the request that ended it.
fn reused(connection: &Connection, time: Duration) -> Vec<FrameNumber> {
    let pairs = connection.exchanges.windows(2).filter_map(|pair| {
        let before = pair[0].response.as_ref()?.message.last;
        let after = pair[1].request.as_ref()?.message.first;
        Some((before, after))
    });
    let longest = pairs.max_by_key(|(before, after)| after.time.since(before.time));
    let longest = longest.filter(|(before, after)| after.time.since(before.time) >= time);
    longest.map_or_else(Vec::new, |(before, after)| vec![before.frame, after.frame])
}

impl Requests {
    fn add(&mut self, connection: &Connection) {
        let begun = facts::requests(connection);
        let new = || {
            let frames: Vec<FrameNumber> = match begun[..] {
                [first, .., last] => vec![first, last],
                _ => begun.clone(),
            };
            Example::of(connection, &frames)
        };
        match (begun.len(), facts::shows_every_request(connection)) {
            (0, _) | (1, false) => {}
            (number, true) => {
                let (count, _) = self.whole.entry(number).or_insert_with(|| (0, new()));
                *count += 1;
            }
            (number, false) => {
                let (count, least, _) = self.several.get_or_insert_with(|| (0, number, new()));
                *count += 1;
                *least = number.min(*least);
            }
        }
    }

    /// Connections with one request, and those with several.
    pub(super) fn one_and_several(&self) -> [u64; 2] {
        let one = self.whole.get(&1).map_or(0, |(count, _)| *count);
        let all: u64 = self.whole.values().map(|(count, _)| count).sum();
        let more = self.several.as_ref().map_or(0, |(count, ..)| *count);
        [one, all - one + more]
    }
}
