//! A server abandons requests, each after the same time.

use crate::base::format::duration;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::analysis::connection::{
    By, ConnectionOutcome, ConnectionSummary, FailedReason, How, Phase, ResetKind, Who,
};
use crate::analysis::hosts::{Hosts, Measured};
use crate::base::certainty::Certainty;
use crate::base::net::Endpoint;
use crate::rules::Severity;
use crate::rules::measured_time;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// Several requests ended without a response, or with a 500, 503 or 408, each after the same time. The server, or
    /// something in front of it, has a timeout and stops what takes longer. Clients log a closed or reset connection, or that
    /// status.
    ///
    /// # Why it matters
    ///
    /// The calls do not fail, they are too long for a setting. The server may go on working on them all the same, so a retry
    /// doubles the load.
    ///
    /// # Remedy
    ///
    /// - *If the status was not 408:* Find the timeout with the measured value, and raise it above the longest call (ASP.NET
    ///   `executionTimeout`, gunicorn `--timeout`, nginx `proxy_read_timeout`).
    /// - *If the status was not 408:* Or make the call shorter. Or respond at once, and let the client ask for the result
    ///   later.
    /// - *If the status was 408:* Find out why the client takes so long to send its request.
    /// - *If the status was 408:* Or give it more time: raise the server's timeout for the whole request (nginx
    ///   `client_header_timeout`, Apache `RequestReadTimeout`, HAProxy `timeout http-request`, Node.js `requestTimeout`).
    ///
    /// # Tell it by
    ///
    /// Several requests end after the same time each, without a response or with 500, 503 or 408.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client [times=3 every=1min] server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    ///  0.030                     <--  ACK
    /// 12.020                     <--  500 "too long" [close]
    /// 12.021                     <--  FIN
    /// 12.030  FIN                -->
    /// 12.040                     <--  ACK
    /// ```
    ///
    /// # Not this
    ///
    /// Failures that take different times:
    ///
    /// ```ladder
    ///         client :40000           server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    /// 12.020                     <--  500 "oh"
    /// 12.030  GET /report        -->
    /// 14.020                     <--  500 "oh"
    /// 14.030  GET /report        -->
    /// 21.020                     <--  500 "oh"
    /// 21.060  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §15.5.9 (408), §15.6.
    pub(in crate::rules) RULE: "server-time-limit", Severity::Error,
    "a server ends requests after the same time each, as by a timeout", Check::Hosts(check)
}

/// How near to each other times caused by one limit are, as a share.
const SHARE: f64 = 0.02;
/// Timers and processes are at most this late, however short the limit.
const FLOOR: Duration = Duration::from_millis(50);
/// Requests that show a limit.
const REQUESTS: usize = 3;
/// Shorter waits are a server that fails at once.
const SHORTEST: Duration = Duration::from_secs(1);
/// The request was not whole.
const REQUEST_CUT: ConnectionOutcome = ConnectionOutcome::Failed(FailedReason::RequestCut);

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut servers: BTreeMap<Endpoint, Vec<&ConnectionSummary>> = BTreeMap::new();
    for it in hosts.connections.iter().filter(|it| gave_up(it)) {
        servers.entry(it.server).or_default().push(it);
    }
    let mut found = Vec::new();
    for (_, ended) in servers {
        let waits: Vec<_> = ended.iter().map(|it| wait(it)).collect();
        let Some(limit) = Measured::cluster(waits, SHARE, FLOOR) else {
            continue;
        };
        // A client that stopped in the middle of its request is reported for that.
        let said = ended
            .iter()
            .any(|it| it.status == 408 && it.outcome != REQUEST_CUT);
        if limit.count < REQUESTS && !said {
            continue;
        }
        let within = |it: &&&ConnectionSummary| (limit.range.0..=limit.range.1).contains(&wait(it));
        let cases: Vec<&ConnectionSummary> = ended.iter().filter(within).copied().collect();
        let client = cases[0].client.ip;
        let mut it = HostDiagnosis::of(story(&cases, limit), &cases);
        it.client = cases
            .iter()
            .all(|it| it.client.ip == client)
            .then_some(client);
        found.push(it);
    }
    found
}

fn wait(it: &ConnectionSummary) -> Duration {
    Duration::from_micros(it.waited.into())
}

fn gave_up(it: &ConnectionSummary) -> bool {
    let own = matches!(
        it.how,
        How::Fin | How::Reset(ResetKind::Abort | ResetKind::NoSocket)
    );
    let closed = it.by == By::Server && own && it.phase == Phase::Waiting && it.status == 0;
    // Inside TLS that is not decrypted the turns show it.
    let hidden = it.by == By::Server
        && own
        && it.phase == Phase::Opaque
        && it.outcome == ConnectionOutcome::Failed(FailedReason::NoResponse);
    // A response after the client had closed shows the client's timeout, not the server's.
    let left = it.by == By::Client && it.phase == Phase::Waiting;
    let failed = matches!(it.status, 408 | 500 | 503) && !left;
    (hidden || it.exchanges > 0 && (closed || failed)) && !it.missing && wait(it) >= SHORTEST
}

fn story(cases: &[&ConnectionSummary], limit: Measured) -> Diagnosis {
    let statuses: Vec<u16> = cases
        .iter()
        .map(|it| it.status)
        .filter(|status| *status != 0)
        .collect();
    let count = Value::count(limit.count as u64, "request", "requests");
    let mut message = Statement::from(match (statuses.first(), statuses.len() == cases.len()) {
        (Some(status), true) => sentence!(
            "{} got the response {} after {} ({} to {}).",
            count,
            status.to_string(),
            limit.median,
            limit.range.0,
            limit.range.1
        ),
        (Some(_), false) => sentence!(
            "{} got an error or no response after {} ({} to {}).",
            count,
            limit.median,
            limit.range.0,
            limit.range.1
        ),
        (None, _) => sentence!(
            "{} ended without a response after {} ({} to {}).",
            count,
            limit.median,
            limit.range.0,
            limit.range.1
        ),
    });
    message.presume("A timeout of the server, or of a proxy in front of the server, ended them.");
    if let Some(whose) = measured_time::wait_of(None, limit.median, Who::Server) {
        message.say(whose);
    }
    let slow_client = statuses.iter().all(|status| *status == 408) && !statuses.is_empty();
    Diagnosis {
        severity: if slow_client {
            Severity::Warning
        } else {
            Severity::Error
        },
        certainty: if limit.count >= REQUESTS {
            Certainty::Likely
        } else {
            Certainty::Possible
        },
        summary: sentence!(
            "[A request|# requests] failed after {}[| each]",
            limit.median
        ),
        message,
        evidence: cases
            .iter()
            .take(3)
            .map(|it| shows(it.close, format!("after {}", duration(wait(it)))))
            .collect(),
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::ladder_check;

    /// Inside TLS without keys the turns show which request got no response.
    #[test]
    fn requests_inside_tls_end_by_the_same_timeout() {
        let fires = |end: &str| {
            let text = format!(
                "client [times=4 every=15s] server\nSYN -->\n<-- SYN\nClientHello [sni=a alpn=http/1.1 version=1.2] -->\n\
                 <-- ServerHello Certificate [name=a] ServerHelloDone\nKeyExchange Finished -->\n<-- Finished\n{end}"
            );
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            proof.rules().contains(&RULE.name)
        };
        let close = "<-- FIN\nFIN -->\n<-- ACK";
        assert!(fires(&format!("app 300 -->\n<-- ACK\n+6.5s {close}")));
        assert!(fires("app 300 -->\n<-- ACK\n+6.5s <-- RST"));
        assert!(!fires(&format!("app 300 -->\n<-- app 900\n+6.5s {close}")));
    }
}
