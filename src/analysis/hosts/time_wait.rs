//! TIME-WAITs by host: who holds them, as client and as server, how many now and how many at most.
//!
//! Each costs a client a port towards that server, and a server only some memory; this difference is what matters (RFC
//! 9293 §3.4.2).

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;

use super::time_series::{client_wait, server_wait};
use crate::analysis::connection::ConnectionSummary;
use crate::base::time::Timestamp;

/// Hosts that are distinguished; a flood has more addresses than anybody reads, and holds no TIME-WAIT.
pub(crate) const MAX_HOSTS: usize = 65_536;

/// The TIME-WAITs of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostTimeWaits {
    /// The host.
    pub host: IpAddr,
    /// TIME-WAITs entered as the side that opened the connection.
    pub as_client: u64,
    /// TIME-WAITs entered as the side that accepted it.
    pub as_server: u64,
    /// Held when the capture ends.
    pub now: u64,
    /// The most held at once.
    pub peak: u64,
    /// When that maximum was reached.
    pub peak_at: Timestamp,
}

/// Every host that held a TIME-WAIT, sorted by the most held at once, descending.
#[must_use]
pub fn waits(
    connections: &[ConnectionSummary],
    time_wait: Duration,
    end: Timestamp,
) -> Vec<HostTimeWaits> {
    let mut hosts: HashMap<IpAddr, [Vec<Timestamp>; 2], foldhash::fast::FixedState> =
        HashMap::default();
    for summary in connections {
        let held = [
            (summary.client.ip, client_wait(summary)),
            (summary.server.ip, server_wait(summary)),
        ];
        for (role, (host, since)) in held.into_iter().enumerate() {
            let Some(since) = since else { continue };
            if hosts.len() < MAX_HOSTS || hosts.contains_key(&host) {
                hosts.entry(host).or_default()[role].push(since);
            }
        }
    }
    let mut rows: Vec<HostTimeWaits> = hosts
        .into_iter()
        .map(|(host, [as_client, as_server])| row(host, as_client, as_server, time_wait, end))
        .collect();
    rows.sort_by(|one, other| {
        let by_weight = (other.peak, other.now).cmp(&(one.peak, one.now));
        by_weight.then_with(|| one.host.cmp(&other.host))
    });
    rows
}

fn row(
    host: IpAddr,
    as_client: Vec<Timestamp>,
    as_server: Vec<Timestamp>,
    time_wait: Duration,
    end: Timestamp,
) -> HostTimeWaits {
    let counts = [as_client.len() as u64, as_server.len() as u64];
    let mut begins = as_client;
    begins.extend(as_server);
    begins.sort_unstable();
    // All have the same duration, so they end in the order in which they begin.
    let (mut over, mut peak, mut peak_at) = (0, 0, Timestamp::default());
    for (at, since) in begins.iter().enumerate() {
        while begins[over].after(time_wait) <= *since {
            over += 1;
        }
        if at + 1 - over > peak {
            (peak, peak_at) = (at + 1 - over, *since);
        }
    }
    let now = begins
        .iter()
        .filter(|since| **since <= end && since.after(time_wait) > end)
        .count();
    HostTimeWaits {
        host,
        as_client: counts[0],
        as_server: counts[1],
        now: now as u64,
        peak: peak as u64,
        peak_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    const MINUTE: Duration = Duration::from_secs(60);

    fn table(ladder: &str) -> Vec<(String, u64, u64, u64, u64)> {
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        let summaries: Vec<_> = proof
            .connections
            .iter()
            .map(ConnectionSummary::from)
            .collect();
        let end = summaries
            .iter()
            .map(|it| it.last)
            .max()
            .expect("connections");
        let row = |it: HostTimeWaits| {
            (
                it.host.to_string(),
                it.as_client,
                it.as_server,
                it.now,
                it.peak,
            )
        };
        waits(&summaries, MINUTE, end)
            .into_iter()
            .map(row)
            .collect()
    }

    #[test]
    fn who_closes_first_holds_it() {
        let calls = "GET / -->\n<-- 200 \"x\"\n";
        let table = table(&format!(
            "client :40000 [times=100 every=1s] server\nSYN -->\n<-- SYN\n{calls}FIN -->\n<-- FIN\nACK -->\n\
             client 10.0.0.9:50000 [times=3 every=1s] server\n1.0 SYN -->\n<-- SYN\n{calls}<-- FIN\nFIN -->\n<-- ACK"
        ));
        let wanted = [
            ("10.0.0.1".to_owned(), 100, 0, 60, 60),
            ("10.0.0.2".to_owned(), 0, 3, 0, 3),
        ];
        assert_eq!(table, wanted);
    }

    #[test]
    fn a_reset_leaves_none() {
        let calls =
            "client [times=5 every=1s] server\nSYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\"\nRST -->";
        assert!(table(calls).is_empty());
    }

    #[test]
    fn both_hold_one_after_a_simultaneous_close() {
        let both = "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\"\nACK -->\nFIN -->\n<-- FIN [crossed]\nACK -->\n<-- ACK";
        let table = table(both);
        assert_eq!(table.len(), 2, "{table:?}");
    }
}
