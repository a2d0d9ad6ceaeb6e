//! Requests at a steady period: health probes, monitoring, warm-ups. Some clients wait for the response, some close at
//! once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::measured::Period;
use super::{HostPair, Hosts};
use crate::analysis::connection::{By, ConnectionSummary, How, Phase};
use crate::base::net::Endpoint;
use crate::base::time::Timestamp;

/// The same request, repeated at a steady period.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodicRequest {
    /// The client.
    pub client: IpAddr,
    /// The server and its port.
    pub server: Endpoint,
    /// What is requested: a hash, as in [`ConnectionSummary::asked`].
    pub asked: u32,
    /// Number of requests.
    pub requests: usize,
    /// How many of them the client abandoned before a response.
    pub abandoned: usize,
    /// The period.
    pub period: Period,
    /// The connections, by number.
    pub connections: Vec<u32>,
}

/// The fewest requests that make a period: three can be evenly spaced by chance, or be sent by a person.
const REQUESTS: usize = 4;
/// How early or late a request may be, as a share of the period.
pub(super) const JITTER: f64 = 0.1;
/// A shorter period is ordinary load.
const SHORTEST: Duration = Duration::from_secs(1);

impl Hosts<'_> {
    /// Requests that repeat steadily, each on a connection of its own, by first connection within each host pair.
    #[must_use]
    pub fn periodic_requests(&self) -> Vec<PeriodicRequest> {
        self.busy(REQUESTS)
            .flat_map(|it| periodic_requests(&it))
            .collect()
    }
}

fn periodic_requests(host_pairs: &HostPair<'_>) -> Vec<PeriodicRequest> {
    let mut by_request: BTreeMap<u32, Vec<&ConnectionSummary>> = BTreeMap::new();
    let single = host_pairs.connections.iter();
    for it in single.filter(|it| it.exchanges == 1 && it.asked != 0) {
        by_request.entry(it.asked).or_default().push(it);
    }
    let mut found: Vec<PeriodicRequest> = Vec::new();
    for (asked, cases) in by_request {
        if cases.len() < REQUESTS {
            continue;
        }
        let at: Vec<Timestamp> = cases.iter().map(|it| it.first.time).collect();
        let steady = Period::of(&at, JITTER).filter(|it| it.measured.median >= SHORTEST);
        let Some(period) = steady else { continue };
        found.push(PeriodicRequest {
            client: host_pairs.client,
            server: host_pairs.server,
            asked,
            requests: cases.len(),
            abandoned: cases.iter().filter(|it| is_abandoned(it)).count(),
            period,
            connections: cases.iter().map(|it| it.id).collect(),
        });
    }
    found.sort_by_key(|it| it.connections.first().copied());
    found
}

/// Whether its client closed without waiting for the response.
#[must_use]
pub(crate) fn is_abandoned(it: &ConnectionSummary) -> bool {
    it.asked != 0
        && it.by == By::Client
        && it.phase == Phase::Waiting
        && matches!(it.how, How::Fin | How::Reset(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    /// Runs one connection with a request at each of these times in seconds, closed with `end`.
    fn found(times: &[f64], end: &str) -> Vec<PeriodicRequest> {
        let mut text = String::new();
        for (port, at) in times.iter().enumerate() {
            text += &format!(
                "client :{} server\n{at:.3} SYN -->\n<-- SYN\nGET /health -->\n{end}\n",
                40_000 + port
            );
        }
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let summaries: Vec<_> = proof
            .connections
            .iter()
            .map(ConnectionSummary::from)
            .collect();
        let end = summaries.iter().map(|it| it.last).max().unwrap_or_default();
        Hosts::new(&summaries, &[], end).periodic_requests()
    }

    const ANSWERED: &str = "<-- 200 \"up\"\nFIN -->\n<-- FIN\nACK -->";
    const LEFT: &str = "FIN -->\n<-- ACK\n<-- FIN\nACK -->";

    #[test]
    fn beats_jitter_and_are_missed() {
        for (end, abandoned) in [(ANSWERED, 0), (LEFT, 6)] {
            let found = found(&[0.0, 15.2, 29.9, 60.4, 75.0, 90.1], end);
            let [beat] = &found[..] else {
                panic!("{found:?}")
            };
            assert_eq!(
                (beat.requests, beat.abandoned, beat.period.missed),
                (6, abandoned, 1)
            );
            let seconds = beat.period.measured.median.as_secs_f64();
            assert!((14.6..15.4).contains(&seconds), "{beat:?}");
            assert!(beat.period.jitter < Duration::from_secs(1), "{beat:?}");
        }
    }

    #[test]
    fn people_and_load_have_no_period() {
        assert!(found(&[0.0, 3.0, 21.0, 22.0, 60.0, 61.5, 140.0], ANSWERED).is_empty());
        let load: Vec<f64> = (0..40).map(|n| f64::from(n) * 0.25).collect();
        assert!(found(&load, ANSWERED).is_empty());
        assert!(
            found(&[0.0, 15.0, 30.0], ANSWERED).is_empty(),
            "three are too few"
        );
    }
}
