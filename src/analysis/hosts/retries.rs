//! What a client does after a failure: whether it repeats the request or the connect, and how soon.
//!
//! A retry is a request with the same method, host and target as one that got no response, on a later connection, soon
//! after the failure. No packet proves that it is the same request; that a client repeats itself after each failure
//! does.

use std::net::IpAddr;
use std::time::Duration;

use super::{HostPair, Hosts, Measured};
use crate::analysis::connection::{ConnectionSummary, How, Opening, Phase};
use crate::base::net::Endpoint;

/// What was retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetriedRequest {
    /// A connect that was refused or not answered.
    Connect,
    /// A request that got no complete response.
    Request,
}

/// Retries of one client towards one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Retries {
    /// The client.
    pub client: IpAddr,
    /// The server.
    pub server: Endpoint,
    /// What was retried.
    pub tried: RetriedRequest,
    /// Number of failures.
    pub failed: usize,
    /// How many of them were retried.
    pub again: usize,
    /// How many retries succeeded.
    pub rescued: usize,
    /// The time from the failure to the retry.
    pub after: Measured,
    /// The first failure and its retry, by connection number.
    pub first: (u32, u32),
}

/// What comes later is another request, or a person.
const SOON: Duration = Duration::from_secs(60);
/// Connections after a failure that are searched for its retry, so that many failures do not cost quadratic time.
const LOOK_AHEAD: usize = 32;

impl Hosts<'_> {
    /// All retries, in order of the first connection of each client and server.
    #[must_use]
    pub fn retries(&self) -> Vec<Retries> {
        let of = |host_pairs: HostPair<'_>| {
            let both = [RetriedRequest::Connect, RetriedRequest::Request];
            both.map(|tried| retries(&host_pairs, tried))
        };
        self.busy(2).flat_map(of).flatten().collect()
    }
}

fn retries(host_pairs: &HostPair<'_>, tried: RetriedRequest) -> Option<Retries> {
    let all = &host_pairs.connections;
    let (mut failed, mut rescued) = (0, 0);
    let (mut after, mut first) = (Vec::new(), None);
    // A connection is the retry of one failure only.
    let mut taken = vec![false; all.len()];
    for (index, it) in all.iter().enumerate() {
        if !fails(it, tried) {
            continue;
        }
        failed += 1;
        let over = it.close.time.max(it.first.time);
        let next = all.iter().enumerate().skip(index + 1).take(LOOK_AHEAD);
        let retry = next
            .take_while(|(_, next)| next.first.time.since(over) <= SOON)
            .find(|(place, next)| {
                !taken[*place] && next.first.time >= over && same(it, next, tried)
            });
        let Some((place, retry)) = retry else {
            continue;
        };
        taken[place] = true;
        rescued += usize::from(!fails(retry, tried));
        after.push(retry.first.time.since(over));
        first.get_or_insert((it.id, retry.id));
    }
    Some(Retries {
        client: host_pairs.client,
        server: host_pairs.server,
        tried,
        failed,
        again: after.len(),
        rescued,
        after: Measured::of(after)?,
        first: first?,
    })
}

fn fails(it: &ConnectionSummary, tried: RetriedRequest) -> bool {
    match tried {
        RetriedRequest::Connect => match it.opening {
            Opening::Refused | Opening::Unreachable => true,
            Opening::Unanswered => it.how != How::Open,
            _ => false,
        },
        RetriedRequest::Request => {
            let owed = matches!(
                it.phase,
                Phase::Request | Phase::Waiting | Phase::ResponseHead | Phase::ResponseBody
            );
            it.asked != 0 && owed && !it.orderly && it.how != How::Open
        }
    }
}

fn same(failed: &ConnectionSummary, next: &ConnectionSummary, tried: RetriedRequest) -> bool {
    match tried {
        RetriedRequest::Connect => true,
        // The summary of a connection with more exchanges describes its last request only.
        RetriedRequest::Request => next.asked == failed.asked && next.exchanges == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn found(ladder: &str) -> Vec<Retries> {
        let proof = ladder_check::run(&ladder.parse().expect("a ladder"));
        let summaries: Vec<_> = proof
            .connections
            .iter()
            .map(ConnectionSummary::from)
            .collect();
        let end = summaries.iter().map(|it| it.last).max().unwrap_or_default();
        Hosts::new(&summaries, &[], end).retries()
    }

    fn call(port: u16, at: &str, target: &str, end: &str) -> String {
        format!("client :{port} server\n{at} SYN -->\n<-- SYN\nGET {target} -->\n<-- ACK\n{end}\n")
    }

    const RESET: &str = "<-- RST";
    const ANSWERED: &str = "<-- 200 \"x\"\nFIN -->\n<-- FIN\nACK -->";

    #[test]
    fn the_same_request_again_is_a_retry() {
        let text = call(40_000, "0.0", "/a", RESET)
            + &call(40_001, "1.0", "/a", RESET)
            + &call(40_002, "3.0", "/a", ANSWERED);
        let rows = found(&text);
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!(
            (row.tried, row.failed, row.again, row.rescued),
            (RetriedRequest::Request, 2, 2, 1)
        );
        assert_eq!(row.first, (1, 2));
        assert!(
            (1.0..2.0).contains(&row.after.median.as_secs_f64()),
            "{row:?}"
        );
    }

    #[test]
    fn connects_are_tried_again() {
        let text = "client [times=4 every=500ms] server\nSYN -->\n<-- RST";
        let rows = found(text);
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!(
            (row.tried, row.failed, row.again, row.rescued),
            (RetriedRequest::Connect, 4, 3, 0)
        );
        assert!(row.after.median < Duration::from_millis(501), "{row:?}");
    }

    #[test]
    fn other_requests_are_no_retries() {
        let another = call(40_000, "0.0", "/a", RESET) + &call(40_001, "1.0", "/b", ANSWERED);
        assert!(found(&another).is_empty());
        let much_later = call(40_000, "0.0", "/a", RESET) + &call(40_001, "600.0", "/a", ANSWERED);
        assert!(found(&much_later).is_empty());
        let fine = call(40_000, "0.0", "/a", ANSWERED) + &call(40_001, "1.0", "/a", ANSWERED);
        assert!(found(&fine).is_empty());
        let beside = format!(
            "client :40000 server\n0.0 SYN -->\n<-- SYN\nGET /a -->\n<-- ACK\n{}client :40000 server\n9.0 <-- RST",
            call(40_001, "1.0", "/a", ANSWERED)
        );
        assert!(
            found(&beside).is_empty(),
            "it began before the other failed"
        );
    }
}
