//! How many requests the connections between a client and a server carried.

use std::net::IpAddr;

use super::{HostPair, Hosts};
use crate::analysis::connection::{By, ConnectionSummary, Phase};
use crate::base::net::Endpoint;

/// Requests per connection, between one client and one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestCounts {
    /// The client.
    pub client: IpAddr,
    /// The server.
    pub server: Endpoint,
    /// Connections that carried a request.
    pub connections: usize,
    /// Connections that were opened and carried none.
    pub unused: usize,
    /// Total number of requests.
    pub requests: u64,
    /// Connections that carried exactly one.
    pub single: usize,
    /// The median number of requests per connection.
    pub median: u32,
    /// The maximum number of requests on a connection.
    pub most: u32,
    /// The number of requests after which the server closes, if it has such a limit: no connection carried more, and
    /// several ended at exactly that number.
    pub cap: Option<u32>,
}

/// Connections that must end at the same number for it to be a limit.
const ENOUGH: usize = 3;
/// The smallest limit: smaller numbers are equal by chance.
const LEAST_CAP: u32 = 5;

impl Hosts<'_> {
    /// The counts of each client and server with a request, in order of their first connections.
    #[must_use]
    pub fn request_counts(&self) -> Vec<RequestCounts> {
        self.host_pairs().filter_map(|it| counts(&it)).collect()
    }
}

fn counts(host_pairs: &HostPair<'_>) -> Option<RequestCounts> {
    let all = || host_pairs.connections.iter().copied();
    let mut each: Vec<u32> = all().map(|it| it.exchanges).filter(|it| *it > 0).collect();
    each.sort_unstable();
    let most = *each.last()?;
    let ended = all()
        .filter(|it| it.exchanges == most && by_count(it))
        .count();
    Some(RequestCounts {
        client: host_pairs.client,
        server: host_pairs.server,
        connections: each.len(),
        unused: all().filter(|it| it.exchanges == 0 && !it.spoke[0]).count(),
        requests: each.iter().map(|it| u64::from(*it)).sum(),
        single: each.iter().take_while(|it| **it == 1).count(),
        median: each[each.len() / 2],
        most,
        cap: (ended >= ENOUGH && most >= LEAST_CAP).then_some(most),
    })
}

/// The server closed right after a response, not after an idle time.
fn by_count(it: &ConnectionSummary) -> bool {
    const SOON_MILLIS: u32 = 100;
    it.by == By::Server
        && matches!(it.phase, Phase::Between | Phase::After)
        && it.idle <= SOON_MILLIS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn table(ladder: &str) -> Vec<RequestCounts> {
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        let summaries: Vec<_> = proof
            .connections
            .iter()
            .map(ConnectionSummary::from)
            .collect();
        let end = summaries.iter().map(|it| it.last).max().unwrap_or_default();
        Hosts::new(&summaries, &[], end).request_counts()
    }

    fn calls(number: usize) -> String {
        "GET / -->\n<-- 200 \"x\"\n".repeat(number)
    }

    fn closes(by: &str, number: usize, times: usize) -> String {
        let port = 40_000 + number * 10;
        let end = match by {
            "server" => "<-- FIN\nFIN -->\n<-- ACK",
            _ => "FIN -->\n<-- FIN\nACK -->",
        };
        format!(
            "client :{port} [times={times} every=1s] server\nSYN -->\n<-- SYN\n{}{end}\n",
            calls(number)
        )
    }

    #[test]
    fn requests_are_counted_by_connection() {
        let text = closes("client", 1, 3)
            + &closes("client", 7, 1)
            + "client :50000 server\n9.0 SYN -->\n<-- SYN\nACK -->\nFIN -->\n";
        let [row] = table(&text)[..] else {
            panic!("one row")
        };
        assert_eq!((row.connections, row.unused, row.requests), (4, 1, 10));
        assert_eq!((row.single, row.median, row.most, row.cap), (3, 1, 7, None));
    }

    #[test]
    fn a_server_that_keeps_count_is_recognised() {
        assert_eq!(table(&closes("server", 8, 3))[0].cap, Some(8));
        let with_others = closes("server", 8, 4) + &closes("client", 3, 2);
        assert_eq!(table(&with_others)[0].cap, Some(8));
    }

    #[test]
    fn equal_numbers_are_not_always_a_limit() {
        assert_eq!(
            table(&closes("client", 8, 5))[0].cap,
            None,
            "the client's own choice"
        );
        assert_eq!(
            table(&closes("server", 1, 5))[0].cap,
            None,
            "one each is no keep-alive at all"
        );
        let beyond = closes("server", 8, 5) + &closes("client", 9, 1);
        assert_eq!(table(&beyond)[0].cap, None, "one carried more");
    }
}
