//! The connections of each client with each server, and how much of them the capture contains.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use super::Sockets;
use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::base::net::{Context, Endpoint};
use crate::base::time::Timestamp;

/// A program with another address to try does so at once.
const FALLS_BACK_WITHIN: Duration = Duration::from_secs(1);
/// Connections examined for each failed one, so that a flood of failures does not cost quadratic time.
const MAX_LOOK_AHEAD: usize = 64;

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
    halves: OneSided,
}

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
        let mut places: HashMap<(IpAddr, Endpoint, Context), usize, foldhash::fast::FixedState> =
            HashMap::default();
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
                pairs.len() - 1
            });
            pairs[place].members.push(index);
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
            halves,
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

    /// The connection that the client opened instead of this one ([`fallback`]).
    #[must_use]
    pub(crate) fn fallback(&self, failed: &ConnectionSummary) -> Option<&'a ConnectionSummary> {
        fallback(self.connections, failed)
    }

    /// How many connections the capture has from one side only.
    #[must_use]
    pub const fn halves(&self) -> OneSided {
        self.halves
    }
}

/// The connection that the client opened to the same port of another address when this one failed: another address of
/// the server, or the other IP version (RFC 8305). The connections must be in order of first frame.
#[must_use]
pub(crate) fn fallback<'a>(
    connections: &'a [ConnectionSummary],
    failed: &ConnectionSummary,
) -> Option<&'a ConnectionSummary> {
    let from = connections.partition_point(|it| it.first.frame <= failed.first.frame);
    let until = failed
        .close
        .time
        .max(failed.first.time)
        .after(FALLS_BACK_WITHIN);
    connections[from..]
        .iter()
        .take(MAX_LOOK_AHEAD)
        .take_while(|it| it.first.time <= until)
        .find(|it| {
            let host = it.client.ip == failed.client.ip
                || it.client.ip.is_ipv4() != failed.client.ip.is_ipv4();
            host && it.server.port == failed.server.port
                && it.server.ip != failed.server.ip
                && it.opening == Opening::Handshake
        })
}

/// One side continued as if the other had answered, but the answers are not in the capture.
fn is_half(summary: &ConnectionSummary) -> bool {
    matches!(summary.opening, Opening::Handshake | Opening::Midstream)
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
