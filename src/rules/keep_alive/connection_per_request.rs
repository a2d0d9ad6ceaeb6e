//! A client opens a connection for each request, although both sides would keep it open.

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{rate, shows};

rule! {
    /// # What happened
    ///
    /// One client opened more than twenty connections a second to one server, each for a single request. Neither side had
    /// asked to close the connection.
    ///
    /// # Why it matters
    ///
    /// Each request pays for a handshake, and the server accepts a new connection each time. TIME-WAITs pile up on the side
    /// that closes first. On the client that ends in "Only one usage of each socket address".
    ///
    /// # Remedy
    ///
    /// - Share one client object among all calls (.NET `IHttpClientFactory` or a static `HttpClient`, Python
    ///   `requests.Session`, one Go `http.Transport`, a Node.js `Agent` with `keepAlive`).
    /// - Also read each response to its end and close it. Otherwise its connection cannot return to the pool.
    /// - Also make the pool as large as the number of calls at once: what does not fit is closed after one use (Go
    ///   `MaxIdleConnsPerHost`, 2 by default).
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40000 [times=40 every=20ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /              -->
    ///  0.003                     <--  200 "hello"
    ///  0.004  FIN                -->
    ///  0.005                     <--  FIN
    ///  0.006  ACK                -->
    /// ```
    ///
    /// # Not this
    ///
    /// The client asks for the close itself:
    ///
    /// ```ladder
    ///         client :40000 [times=40 every=20ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [close]      -->
    ///  0.003                     <--  200 "hello" [close]
    ///  0.004  FIN                -->
    ///  0.005                     <--  FIN
    ///  0.006  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.3, §9.4.
    pub(super) RULE: "connection-per-request", Severity::Warning,
    "a client opens a connection per request, though both sides would keep it open", Check::Hosts(check)
}

/// Connections per second.
const FAST: f64 = 20.0;
/// Fewer connections are the warm-up of a pool.
const LEAST: usize = 30;

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut found = Vec::new();
    for host_pairs in hosts.busy(LEAST) {
        let served = host_pairs
            .connections
            .iter()
            .filter(|it| it.exchanges > 0)
            .count();
        let mut single = host_pairs.connections;
        single.retain(|it| {
            it.exchanges == 1
                && it.client_persists
                && it.server_persists
                && !it.server_says_close
                && it.orderly
        });
        let rate = rate(&single).unwrap_or(0.0);
        if single.len() >= LEAST && single.len() * 10 >= served * 9 && rate > FAST {
            found.push(HostDiagnosis::of(story(&single, rate), &single));
        }
    }
    found
}

fn story(single: &[&ConnectionSummary], rate: f64) -> Diagnosis {
    Diagnosis {
        severity: Severity::Warning,
        certainty: Certainty::Likely,
        summary: "[A connection|# connections] carried one request each".into(),
        message: Statement::from(sentence!(
            "The client opened {}, {} a second. Each was closed after one request, and neither side had said `Connection: \
             close`.",
            Value::count(single.len() as u64, "connection", "connections"),
            rate.round() as u64
        ))
        .presuming("The client does not reuse its connections.")
        .means("If many users share this address, each of them may have needed its own connection."),
        evidence: vec![
            shows(single[0].first, "first of these connections"),
            shows(single[0].close, "closed after one request"),
            shows(single[1].first, "next connection opened"),
        ],
        remedies: RULE.remedies(),
    }
}
