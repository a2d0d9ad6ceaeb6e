//! A client never has more than a fixed number of connections, and requests wait for one of them.

use crate::analysis::connection::{By, ConnectionSummary, Phase};
use crate::analysis::hosts::{Concurrency, HostPair, Hosts};
use crate::base::certainty::Certainty;
use crate::base::format::number;
use crate::knowledge::{Counted, default_limit};
use crate::protocol::http::Protocol;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The client never had more than a certain number of connections open to the server, all of them were busy, and each
    /// next request began as soon as a response had ended: requests were waiting for a connection.
    ///
    /// # Why it matters
    ///
    /// Time spent in that queue counts against the request's timeout: "The operation has timed-out" although the server
    /// answers each request that it gets. .NET Framework allows two connections to a host outside ASP.NET, browsers six, pools
    /// what they were given. A pool of workers that each have their own connection looks the same and is in order.
    ///
    /// # Remedy
    ///
    /// - Raise the limit: `ServicePointManager.DefaultConnectionLimit` (.NET Framework), `MaxConnectionsPerServer`, the size of
    ///   the pool.
    /// - Make the slow calls fewer or shorter, and close each response, which gives its connection back.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40000 [times=2 every=10ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /1             -->
    ///  2.000                     <--  200 "one"
    ///  2.001  GET /2             -->
    ///  4.000                     <--  200 "two"
    ///  4.001  GET /3             -->
    ///  6.000                     <--  200 "three"
    ///  6.001  GET /4             -->
    ///  8.000                     <--  200 "four"
    ///  8.001  GET /5             -->
    /// 10.000                     <--  200 "five"
    /// 10.001  GET /6             -->
    /// 12.000                     <--  200 "six"
    /// 12.040  ACK                -->
    /// ```
    ///
    /// # Not this
    ///
    /// One connection is one program that asks one thing after the other:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /1             -->
    ///  2.000                     <--  200 "one"
    ///  2.001  GET /2             -->
    ///  4.000                     <--  200 "two"
    ///  4.001  GET /3             -->
    ///  6.000                     <--  200 "three"
    ///  6.001  GET /4             -->
    ///  8.000                     <--  200 "four"
    ///  8.001  GET /5             -->
    /// 10.000                     <--  200 "five"
    /// ```
    ///
    /// Two connections that are busy only now and then:
    ///
    /// ```ladder
    ///         client :40000 [times=2 every=10ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /1             -->
    ///  2.000                     <--  200 "one"
    ///  4.001  GET /2             -->
    ///  6.000                     <--  200 "two"
    ///  8.001  GET /3             -->
    /// 10.000                     <--  200 "three"
    /// 12.001  GET /4             -->
    /// 14.000                     <--  200 "four"
    /// 16.001  GET /5             -->
    /// 18.000                     <--  200 "five"
    /// 20.001  GET /6             -->
    /// 22.000                     <--  200 "six"
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.4 (how many connections).
    pub(super) RULE: "connection-limit-queueing", Severity::Warning,
    "all of a client's few connections are busy, and requests wait for one of them", Check::Hosts(check)
}

/// Mean number of requests per connection that shows a queue.
const DEEP: u32 = 5;
/// Share of requests that begin as soon as a response has ended.
const PROMPT: f64 = 0.8;
/// Share of the time in which the maximum number of connections is open.
const AT_LIMIT: f64 = 0.7;
/// More connections than this at once are not the effect of a forgotten limit.
const MOST: usize = 32;
/// Seconds; over a shorter time there is no long wait.
const LONG_ENOUGH: f64 = 2.0;

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    hosts
        .busy(2)
        .filter_map(|host_pairs| queue(&host_pairs))
        .collect()
}

fn queue(host_pairs: &HostPair<'_>) -> Option<HostDiagnosis> {
    let used: Vec<&ConnectionSummary> = host_pairs
        .connections
        .iter()
        .copied()
        // HTTP/2 streams do not wait for each other.
        .filter(|it| it.exchanges > 0 && it.protocol != Protocol::Http2)
        .collect();
    let requests: u32 = used.iter().map(|it| it.exchanges).sum();
    let again = requests.checked_sub(u32::try_from(used.len()).ok()?)?;
    let prompt: u32 = used.iter().map(|it| u32::from(it.prompt)).sum();
    if requests < DEEP * 2 || again == 0 || f64::from(prompt) < PROMPT * f64::from(again) {
        return None;
    }
    let at_once = Concurrency::of(&used)?;
    let limit = at_once.most;
    let deep = requests as usize >= DEEP as usize * limit;
    if !(2..=MOST).contains(&limit)
        || !deep
        || at_once.at_most < AT_LIMIT
        || at_once.seconds < LONG_ENOUGH
    {
        return None;
    }
    let gave_up = used
        .iter()
        .filter(|it| it.by == By::Client && it.phase == Phase::Waiting)
        .count();
    Some(HostDiagnosis::of(
        story(&used, limit, requests, gave_up),
        &used,
    ))
}

fn story(used: &[&ConnectionSummary], limit: usize, requests: u32, gave_up: usize) -> Diagnosis {
    let typical = default_limit(limit as u64, Counted::Connections)
        .map_or_else(String::new, |whose| format!(" {whose}"));
    let mut message = format!(
        "The client never had more than {limit} connections open to this server, and nearly each of {} requests began \
         within 10 ms of the response before it.{typical}",
        number(requests)
    );
    if gave_up > 0 {
        message.push_str(&format!(
            " It gave {} of them up while waiting.",
            number(gave_up)
        ));
    }
    Diagnosis {
        severity: if gave_up > 0 {
            Severity::Warning
        } else {
            Severity::Note
        },
        certainty: Certainty::Possible,
        summary: format!("requests queued for {limit} connections").into(),
        message: message.into(),
        evidence: used
            .iter()
            .take(limit.min(4))
            .map(|it| shows(it.first, "one of the connections"))
            .collect(),
        remedies: RULE.remedies(),
    }
}
