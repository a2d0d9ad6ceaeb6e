//! The connections of each client with each server, and how much of them the capture contains.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use hashbrown::HashMap;

use super::{Alternatives, Sockets};
use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::base::net::{Context, Endpoint};
use crate::base::time::Timestamp;

/// A program with another address to try does so at once.
const FALLS_BACK_WITHIN: Duration = Duration::from_secs(1);

/// Evidence that takes many connections.
#[derive(Debug)]
pub struct Hosts<'a> {
    /// The summary of each connection, in order of first frame.
    pub connections: &'a [ConnectionSummary],
    /// Sockets by client and server.
    pub sockets: &'a [Sockets],
    /// When the capture ends.
    pub end: Timestamp,
    pairs: Vec<PairIndex>,
    /// The place in `pairs` of each client with each server.
    places: Places,
    halves: OneSided,
    fallbacks: OnceLock<Fallbacks<'a>>,
}

type Places = HashMap<(IpAddr, Endpoint, Context), u32, foldhash::fast::FixedState>;

/// One client and one server, and the indexes of their connections.
#[derive(Debug)]
struct PairIndex {
    client: IpAddr,
    server: Endpoint,
    members: Vec<u32>,
}

/// One client and one server.
#[derive(Clone, Debug)]
pub struct HostPair<'a> {
    /// The client.
    pub client: IpAddr,
    /// The server and its port.
    pub server: Endpoint,
    /// Their connections, in order of first frame.
    pub connections: Vec<&'a ConnectionSummary>,
}

/// How many connections were captured from one side only although both sides took part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OneSided {
    /// Connections of which both sides were captured.
    pub whole: u32,
    /// Connections of which one side was captured that continued as if the other had answered.
    pub half: u32,
}

impl OneSided {
    /// One-sided connections are at least as many as whole ones: a silence in this capture proves nothing.
    #[must_use]
    pub(crate) const fn misses_a_direction(self) -> bool {
        self.half > 0 && self.half >= self.whole
    }
}

impl<'a> Hosts<'a> {
    /// Groups the connections, which must be in order of first frame.
    #[must_use]
    pub fn new(
        connections: &'a [ConnectionSummary],
        sockets: &'a [Sockets],
        end: Timestamp,
    ) -> Self {
        let mut places = Places::default();
        let mut pairs: Vec<PairIndex> = Vec::new();
        let mut halves = OneSided::default();
        for (index, summary) in (0..).zip(connections) {
            let key = (summary.client.ip, summary.server, summary.context);
            let place = *places.entry(key).or_insert_with(|| {
                pairs.push(PairIndex {
                    client: summary.client.ip,
                    server: summary.server,
                    members: Vec::new(),
                });
                pairs.len() as u32 - 1
            });
            pairs[place as usize].members.push(index);
            match summary.seen {
                [true, true] => halves.whole += 1,
                _ if is_half(summary) => halves.half += 1,
                _ => {}
            }
        }
        Self {
            connections,
            sockets,
            end,
            pairs,
            places,
            halves,
            fallbacks: OnceLock::new(),
        }
    }

    /// Each client with each server, in order of their first connections.
    pub(crate) fn host_pairs(&self) -> impl Iterator<Item = HostPair<'a>> {
        self.pairs.iter().map(|pair| self.deal(pair))
    }

    /// The pairs with at least `least` connections.
    pub fn busy(&self, least: usize) -> impl Iterator<Item = HostPair<'a>> {
        let pairs = self.pairs.iter();
        pairs
            .filter(move |pair| pair.members.len() >= least)
            .map(|pair| self.deal(pair))
    }

    fn deal(&self, pair: &PairIndex) -> HostPair<'a> {
        let all = self.connections;
        HostPair {
            client: pair.client,
            server: pair.server,
            connections: pair.members.iter().map(|at| &all[*at as usize]).collect(),
        }
    }

    /// How many connections clients have with a server.
    pub(crate) fn connections_to(&self, server: Endpoint) -> usize {
        let own = self.pairs.iter().filter(|pair| pair.server == server);
        own.map(|pair| pair.members.len()).sum()
    }

    /// The connection that the client opened instead of this one ([`Fallbacks`]).
    #[must_use]
    pub(crate) fn fallback(&self, failed: &ConnectionSummary) -> Option<&'a ConnectionSummary> {
        let all = self
            .fallbacks
            .get_or_init(|| Fallbacks::new(self.connections));
        all.of(failed)
    }

    /// All connections between the hosts of these ones: each client with each of its servers.
    pub(crate) fn beside(
        &self,
        some: &[&ConnectionSummary],
    ) -> impl Iterator<Item = &'a ConnectionSummary> {
        let key = |it: &ConnectionSummary| (it.client.ip, it.server, it.context);
        let mut own: Vec<u32> = some
            .iter()
            .filter_map(|it| self.places.get(&key(it)).copied())
            .collect();
        own.sort_unstable();
        own.dedup();
        let pairs = own.into_iter().filter_map(|at| self.pairs.get(at as usize));
        let all = self.connections;
        pairs.flat_map(move |pair| {
            pair.members
                .iter()
                .filter_map(move |at| all.get(*at as usize))
        })
    }

    /// How many connections the capture has from one side only.
    #[must_use]
    pub const fn halves(&self) -> OneSided {
        self.halves
    }
}

/// The connections that clients opened to the same port of another address when one had failed: another address of the
/// server, or the other IP version (RFC 8305).
#[derive(Debug)]
pub(crate) struct Fallbacks<'a> {
    connections: &'a [ConnectionSummary],
    opened: Alternatives<'a>,
}

impl<'a> Fallbacks<'a> {
    /// Those among the connections, which must be in order of first frame.
    #[must_use]
    pub(crate) fn new(connections: &'a [ConnectionSummary]) -> Self {
        let opened = |it: &ConnectionSummary| it.opening == Opening::Handshake;
        Self {
            connections,
            opened: Alternatives::new(connections, opened),
        }
    }

    /// The one that was opened instead of this one.
    #[must_use]
    pub(crate) fn of(&self, failed: &ConnectionSummary) -> Option<&'a ConnectionSummary> {
        let before = |it: &ConnectionSummary| it.first.frame <= failed.first.frame;
        let from = self.connections.partition_point(before);
        let until = failed.close.time.max(failed.first.time);
        self.opened
            .first(failed, from, until.after(FALLS_BACK_WITHIN))
    }
}

/// One side continued as if the other had answered, but the answers are not in the capture.
fn is_half(summary: &ConnectionSummary) -> bool {
    matches!(summary.opening, Opening::Handshake | Opening::Midstream)
        && !summary.met_silence()
        && (summary.spoke[0] || summary.spoke[1] || summary.opening == Opening::Handshake)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::snapshot::sample;

    #[test]
    fn connections_are_put_together_by_client_and_server() {
        let one = ConnectionSummary::from(&sample::connection());
        let mut other = one;
        other.server.port = 81;
        let mut again = one;
        again.client.port = 7;
        let all = [one, other, again];
        let hosts = Hosts::new(&all, &[], one.last);
        let counts: Vec<_> = hosts.host_pairs().map(|it| it.connections.len()).collect();
        assert_eq!(counts, [2, 1]);
        assert_eq!(hosts.busy(2).count(), 1);
        assert_eq!(hosts.connections_to(one.server), 2);
    }

    #[test]
    fn a_flood_of_failures_hides_no_fallback() {
        let mut failed = ConnectionSummary::from(&sample::connection());
        failed.opening = Opening::Refused;
        let mut all = vec![failed; 1000];
        let mut other = failed;
        other.opening = Opening::Handshake;
        // To the same address, before the one to another.
        all.extend(vec![other; 200]);
        other.server.ip = [10, 9, 8, 7].into();
        all.push(other);
        for (frame, it) in (1..).zip(&mut all) {
            it.first.frame.0 = frame;
        }
        let fallbacks = Fallbacks::new(&all);
        let found = fallbacks.of(&all[0]).map(|it| it.server.ip);
        assert_eq!(found, Some(other.server.ip));
        let later = fallbacks.of(all.last().expect("one"));
        assert!(later.is_none());
    }

    #[test]
    fn half_a_connection_is_one_that_goes_on_with_somebody_unseen() {
        let whole = ConnectionSummary::from(&sample::connection());
        let mut half = whole;
        half.seen = [true, false];
        let mut unanswered = half;
        (unanswered.opening, unanswered.spoke) = (Opening::Unanswered, [false; 2]);
        let halves = |all: &[ConnectionSummary]| Hosts::new(all, &[], whole.last).halves();
        assert!(halves(&[half]).misses_a_direction());
        assert!(!halves(&[half, whole, whole]).misses_a_direction());
        assert!(!halves(&[unanswered]).misses_a_direction());
    }
}
