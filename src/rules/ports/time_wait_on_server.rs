//! The server closes most connections first, at a high rate.

use std::collections::BTreeMap;

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::hosts::{Hosts, TIME_WAIT};
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The server closed most of its connections first, more than a hundred a second, and holds the TIME-WAIT of each.
    ///
    /// # Why it matters
    ///
    /// A server with one listening port does not run out of ports; each TIME-WAIT costs a few hundred bytes of memory. But
    /// connections are not kept, so each request pays for a handshake. Where one proxy is the only client, the same addresses
    /// and ports return while they are still in TIME-WAIT.
    ///
    /// # Remedy
    ///
    /// - Keep connections between proxy and server (`proxy_http_version 1.1` and an upstream `keepalive` in nginx, `http-reuse`
    ///   in HAProxy), and find what sends `Connection: close`.
    /// - Do not shorten TIME-WAIT because of this; it does no harm here.
    ///
    /// # Tell it by
    ///
    /// The server sends the first FIN on most connections, more than a hundred a second.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40000 [times=300 every=5ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [close]      -->
    ///  0.003                     <--  200 "hello" [close]
    ///  0.004                     <--  FIN
    ///  0.005  FIN                -->
    ///  0.006                     <--  ACK
    /// ```
    ///
    /// # Not this
    ///
    /// A slower server:
    ///
    /// ```ladder
    ///         client :40000 [times=300 every=50ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [close]      -->
    ///  0.003                     <--  200 "hello" [close]
    ///  0.004                     <--  FIN
    ///  0.005  FIN                -->
    ///  0.006                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.4.2, §3.6; RFC 9112 §9.6.
    pub(super) RULE: "time-wait-on-server", Severity::Note,
    "the server closes most connections first, at a high rate", Check::Hosts(check)
}

/// Connections per second.
const FAST: f64 = 100.0;
/// Fewer connections are a burst, not a rate.
const LEAST: usize = 200;

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut servers: BTreeMap<Endpoint, Vec<&ConnectionSummary>> = BTreeMap::new();
    for connection_summary in hosts.connections.iter().filter(|it| it.server_time_wait) {
        servers
            .entry(connection_summary.server)
            .or_default()
            .push(connection_summary);
    }
    let mut found = Vec::new();
    for (server, connections) in servers {
        if connections.len() < LEAST {
            continue;
        }
        let all = hosts.connections_to(server);
        let span = connections[connections.len() - 1]
            .first
            .time
            .since(connections[0].first.time);
        let rate = connections.len() as f64 / span.as_secs_f64().max(f64::MIN_POSITIVE);
        if connections.len() * 2 <= all || rate < FAST {
            continue;
        }
        let client = connections[0].client.ip;
        let mut it = HostDiagnosis::of(story(&connections, all, rate), &connections);
        it.client = connections
            .iter()
            .all(|it| it.client.ip == client)
            .then_some(client);
        found.push(it);
    }
    found
}

fn story(connections: &[&ConnectionSummary], all: usize, rate: f64) -> Diagnosis {
    let single = connections.iter().filter(|it| it.exchanges <= 1).count();
    let says = connections.iter().filter(|it| it.server_says_close).count();
    Diagnosis {
        severity: Severity::Note,
        certainty: Certainty::Certain,
        summary: "Server closes most connections first and holds TIME-WAIT".into(),
        message: Statement::from(sentence!(
            "The server closed {} of {} connections first, {} a second. With a TIME-WAIT of {}, it holds about {} of them \
             at this rate.",
            connections.len(),
            all,
            rate.round() as u64,
            TIME_WAIT,
            (rate * TIME_WAIT.as_secs_f64()).round() as u64
        ))
        .and(sentence!(
            "{} carried no more than one request. On {} the server sent `Connection: close`.",
            single,
            says
        )),
        evidence: vec![shows(connections[0].close, "the server closes first")],
        remedies: RULE.remedies(),
    }
}
