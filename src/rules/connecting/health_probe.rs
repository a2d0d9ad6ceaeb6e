//! A client opens and closes a connection at a fixed period, to check that the server accepts it.

use crate::base::format::duration;
use std::time::Duration;

use crate::analysis::connection::{By, ConnectionSummary, How, Opening};
use crate::analysis::hosts::{Hosts, Measured, Period};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// One host opens a connection to the server at a fixed period and closes or resets it at once, without a byte, or after
    /// one quick answer: a health check of a load balancer, an orchestrator or a monitor.
    ///
    /// # Why it matters
    ///
    /// It is harmless, but it looks like failures: connections without requests, resets by the client, entries such as
    /// "client disconnected" in the server's log at every period.
    ///
    /// # Remedy
    ///
    /// - Nothing at the prober; a RST instead of a FIN is deliberate, it leaves no TIME-WAIT.
    /// - Where the server's log fills up, let it ignore connections without a request (HAProxy `option http-ignore-probes`,
    ///   `option dontlognull`).
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client [times=6 every=2s] server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.021  RST                -->
    /// ```
    ///
    /// # Not this
    ///
    /// Once is no habit:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.021  RST                -->
    /// ```
    ///
    /// Nor is it one when requests get no answer:
    ///
    /// ```ladder
    ///         client [times=6 every=2s] server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  ACK
    ///  0.500                     <--  RST
    ///  => findings request-retried reset-before-response
    /// ```
    ///
    /// # References
    ///
    /// The check settings of load balancers; RFC 9293 §3.5.
    pub(super) RULE: "health-probe", Severity::Benign,
    "connections are opened and closed at a fixed period, to see whether that works", Check::Hosts(check)
}

/// Probes that make a pattern.
const PROBES: usize = 5;
/// Fewer suffice if the handshake was not even completed, which no program does for work.
const HALF_OPEN: usize = 3;
/// Longest duration of a probe.
const QUICK: Duration = Duration::from_secs(1);
/// Jitter of the period, as a share of it.
const JITTER: f64 = 0.1;
/// A shorter period is load, not a probe.
const SHORTEST: Duration = Duration::from_millis(200);

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut found = Vec::new();
    for host_pairs in hosts.busy(HALF_OPEN) {
        let mut probes = host_pairs.connections;
        let all = probes.len();
        probes.retain(|it| is_probe(it));
        let half_open =
            probes.len() == all && probes.iter().all(|it| it.opening == Opening::Rejected);
        if probes.len() < if half_open { HALF_OPEN } else { PROBES } {
            continue;
        }
        let at: Vec<_> = probes.iter().map(|it| it.first.time).collect();
        let beat = Period::of(&at, JITTER).map(|it| it.measured);
        if let Some(beat) = beat.filter(|beat| beat.median >= SHORTEST) {
            found.push(HostDiagnosis::of(story(&probes, beat), &probes));
        }
    }
    found
}

fn is_probe(it: &ConnectionSummary) -> bool {
    let closed = matches!(it.how, How::Fin | How::Reset(_)) && it.by == By::Client;
    let quick = it.close.time.since(it.first.time) <= QUICK;
    // The server may greet first, or answer the FIN by an alert of TLS.
    let silent = !it.spoke[0] && matches!(it.opening, Opening::Handshake | Opening::Rejected);
    let asks =
        it.exchanges == 1 && (200..300).contains(&it.status) && matches!(it.how, How::Reset(_));
    closed && quick && (silent || asks)
}

fn story(probes: &[&ConnectionSummary], beat: Measured) -> Diagnosis {
    let ends = match probes[0].how {
        How::Fin => "closed",
        _ => "reset",
    };
    let what = if probes[0].spoke[0] {
        "after one answer"
    } else {
        "without a byte"
    };
    Diagnosis {
        severity: Severity::Benign,
        certainty: Certainty::Likely,
        summary: format!("probes, {ends} {what}, every {}", duration(beat.median)).into(),
        message: format!(
            "{} connections were opened every {} (between {} and {}) and {ends} {what}: a health check.",
            probes.len(),
            duration(beat.median),
            duration(beat.range.0),
            duration(beat.range.1),
        ).into(),
        evidence: vec![
            shows(probes[0].first, "the first"),
            shows(probes[0].close, format!("{ends} by the client")),
            shows(probes[1].first, "the next"),
        ],
        remedies: RULE.remedies(),
    }
}
