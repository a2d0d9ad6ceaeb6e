//! A server closes after a fixed number of requests on one connection.

use crate::knowledge::Counted;
use std::collections::BTreeMap;

use crate::analysis::connection::{By, ConnectionSummary, How, Phase};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::measured_time::default_count;
use crate::rules::rule::{Check, HostDiagnosis, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::tell;

rule! {
    /// # What happened
    ///
    /// The server closed several connections after the same number of requests. That is a limit of requests per connection
    /// (100 in Apache and Tomcat, 1000 in nginx, 999 in Puma).
    ///
    /// # Why it matters
    ///
    /// It is a setting, and works well if the last response announces the close. A client that pipelines, or does not read
    /// the announcement, loses a request at each limit. If the limit is low, keep-alive saves little.
    ///
    /// # Remedy
    ///
    /// - Let the client obey `Connection: close` in the last response, and retry idempotent requests that were outstanding.
    /// - Or, if connections are opened often, raise the limit (nginx `keepalive_requests`, Apache `MaxKeepAliveRequests`,
    ///   Tomcat `maxKeepAliveRequests`).
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40001 [times=3 every=1s]  server
    ///         SYN                -->
    ///                            <--  SYN
    ///         GET /1             -->
    ///                            <--  200 "x"
    ///         GET /2             -->
    ///                            <--  200 "x"
    ///         GET /3             -->
    ///                            <--  200 "x"
    ///         GET /4             -->
    ///                            <--  200 "x"
    ///         GET /5             -->
    ///                            <--  200 "x"
    ///         GET /6             -->
    ///                            <--  200 "x"
    ///         GET /7             -->
    ///                            <--  200 "x"
    ///         GET /8             -->
    ///                            <--  200 "x"
    ///         GET /9             -->
    ///                            <--  200 "x"
    ///         GET /10            -->
    ///                            <--  200 "x" [close]
    ///                            <--  FIN
    ///         FIN                -->
    ///                            <--  ACK
    ///  => findings max-requests-close
    /// ```
    ///
    /// # Not this
    ///
    /// One request on each connection is not such a limit:
    ///
    /// ```ladder
    ///         client :40001 [times=3 every=1s]  server
    ///         SYN                -->
    ///                            <--  SYN
    ///         GET /1             -->
    ///                            <--  200 "x" [close]
    ///                            <--  FIN
    ///         FIN                -->
    ///                            <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.3 (persistence), §9.6 (tear-down).
    pub(super) RULE: "max-requests-close", Severity::Note,
    "the server closes after a fixed number of requests", Check::Hosts(check)
}

/// Fewer requests are a coincidence.
const AT_LEAST: u32 = 10;
/// Connections that show the same number.
const ENOUGH: usize = 3;

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let pairs = hosts.busy(ENOUGH);
    pairs
        .filter_map(|pair| of_pair(&pair.connections))
        .collect()
}

fn of_pair(connections: &[&ConnectionSummary]) -> Option<HostDiagnosis> {
    let mut numbers: BTreeMap<u32, Vec<&ConnectionSummary>> = BTreeMap::new();
    let mut closed = 0usize;
    for summary in connections {
        let by_server = summary.by == By::Server
            && summary.how == How::Fin
            && matches!(summary.phase, Phase::Between | Phase::After);
        if by_server && summary.exchanges >= AT_LEAST {
            closed += 1;
            numbers.entry(summary.exchanges).or_default().push(summary);
        }
    }
    let (limit, list) = numbers.into_iter().max_by_key(|(_, list)| list.len())?;
    // All or nearly all connections reach a limit: those that were idle for long may have been closed sooner.
    if list.len() < ENOUGH || list.len() * 2 < closed {
        return None;
    }
    let whose = default_count(limit.into(), Counted::Requests);
    let message = sentence!(
        "The server closed each of {} after exactly {}.",
        Value::count(list.len() as u64, "connection", "connections"),
        Value::count(limit.into(), "request", "requests")
    );
    let first = list.first().map(|summary| summary.first);
    let story = tell(
        &RULE,
        Severity::Note,
        Certainty::Likely,
        sentence!(
            "Server closed [a connection|# connections] after {} requests",
            limit
        ),
        message,
    )
    .presumes(Some("The server limits the requests on a connection."))
    .adds(whose)
    .shows(
        first,
        format!("first connection that ended after {limit} requests"),
    )
    .story();
    Some(HostDiagnosis::of(story, &list))
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    /// A connection that was used less is none of those that reached the limit.
    #[test]
    fn only_those_that_reached_the_limit_are_counted() {
        let requests = "GET / -->\n<-- 200 \"a\"\nACK -->\n".repeat(12);
        let text = format!(
            "client :40001 [times=3 every=10s] server\nSYN -->\n<-- SYN\nACK -->\n{requests}<-- FIN\nFIN -->\n<-- ACK\n\
             client :50001 server\nSYN -->\n<-- SYN\nACK -->\nFIN -->\n<-- FIN\nACK -->"
        );
        let found = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let found = found.iter().find(|it| it.rule == super::RULE.name);
        let found = found.expect("found");
        assert_eq!(found.connections.len(), 3);
        assert_eq!(
            found.headline(),
            "Server closed 3 connections after 12 requests"
        );
    }
}
