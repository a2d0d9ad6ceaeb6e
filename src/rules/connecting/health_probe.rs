//! A client opens and closes a connection at a fixed period, to check that the server accepts it.

use std::time::Duration;

use crate::analysis::connection::{By, ConnectionSummary, How, Opening};
use crate::analysis::hosts::{Hosts, Measured, Period};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// One host opens a connection to the server at a fixed interval. The connection is closed or reset at once, without
    /// data or after one quick response. This is a health check of a load balancer, an orchestrator or a monitor.
    ///
    /// # Why it matters
    ///
    /// It is harmless, but it looks like failures. There are connections without requests, resets by the client, and entries
    /// such as "client disconnected" in the server's log at each interval.
    ///
    /// # Remedy
    ///
    /// - Change nothing in the health check. A RST instead of a FIN is deliberate: it leaves no TIME-WAIT.
    /// - Let the server ignore connections without a request, if its log fills up (HAProxy `option http-ignore-probes`,
    ///   `option dontlognull`).
    ///
    /// # Tell it by
    ///
    /// The same host connects at a constant interval, and sends nothing or one short request.
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
    /// If the check sends a request, the server may be the side that closes:
    ///
    /// ```ladder
    ///         client [times=6 every=5s] server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /health [http=1.0] -->
    ///  0.030                     <--  200 "up" [close]
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    /// ```
    ///
    /// # Not this
    ///
    /// Different requests are work, even at a fixed interval:
    ///
    /// ```ladder
    ///         client :40000 [times=3 every=10s] server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /a [http=1.0]  -->
    ///  0.030                     <--  200 "up" [close]
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///         client :41000 [times=3 every=10s] server
    ///  5.000  SYN                -->
    ///  5.010                     <--  SYN
    ///  5.020  GET /b [http=1.0]  -->
    ///  5.030                     <--  200 "up" [close]
    ///  5.031                     <--  FIN
    ///  5.040  FIN                -->
    ///  5.050                     <--  ACK
    /// ```
    ///
    /// A single connection has no interval:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.021  RST                -->
    /// ```
    ///
    /// The requests get no answer, so this is not a health check that works:
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
    "a client connects and closes at a fixed interval, as health checks do", Check::Hosts(check)
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
/// The same for requests.
const SHORTEST_ASKED: Duration = Duration::from_secs(1);
/// A health check gets a short answer.
const SHORT: u64 = 4096;

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut found = Vec::new();
    for host_pairs in hosts.busy(HALF_OPEN) {
        let all = host_pairs.connections.len();
        let own = host_pairs.connections.into_iter();
        let mut kinds: Vec<_> = own.filter_map(|it| Some((kind_of(it)?, it))).collect();
        kinds.sort_by_key(|(kind, _)| *kind);
        for probes in kinds.chunk_by(|(one, _), (other, _)| one == other) {
            let half_open =
                probes.len() == all && probes.iter().all(|(_, it)| it.opening == Opening::Rejected);
            if probes.len() < if half_open { HALF_OPEN } else { PROBES } {
                continue;
            }
            let shortest = match probes[0].0 {
                SILENT => SHORTEST,
                _ => SHORTEST_ASKED,
            };
            let at: Vec<_> = probes.iter().map(|(_, it)| it.first.time).collect();
            let beat = Period::of(&at, JITTER).map(|it| it.measured);
            if let Some(beat) = beat.filter(|beat| beat.median >= shortest) {
                let probes: Vec<&ConnectionSummary> = probes.iter().map(|(_, it)| *it).collect();
                found.push(HostDiagnosis::of(story(&probes, beat), &probes));
            }
        }
    }
    found
}

/// The kind of a probe that only connects.
const SILENT: u32 = 0;

/// What a probe does: [`SILENT`], or the hash of its request, which is always the same. (A number, because very many may have
/// to be sorted.)
fn kind_of(it: &ConnectionSummary) -> Option<u32> {
    let quick = it.close.time.since(it.first.time) <= QUICK;
    if !quick {
        return None;
    }
    let closed = matches!(it.how, How::Fin | How::Reset(_)) && it.by == By::Client;
    let silent = matches!(it.opening, Opening::Handshake | Opening::Rejected);
    // The server may greet first, or answer the FIN by an alert of TLS.
    if closed && silent && !it.spoke[0] {
        return Some(SILENT);
    }
    let answered = it.exchanges == 1 && (200..300).contains(&it.status) && it.bytes[1] <= SHORT;
    let ended = match (it.by, it.how) {
        (By::Client, How::Reset(_)) => true,
        // All bytes arrived, and no exchange was left unfinished.
        (By::Server | By::Both, How::Fin) => it.orderly,
        _ => false,
    };
    (answered && ended && it.asked != SILENT).then_some(it.asked)
}

fn story(probes: &[&ConnectionSummary], beat: Measured) -> Diagnosis {
    let (ends, side) = match (probes[0].by, probes[0].how) {
        (By::Client, How::Fin) => ("closed", "close by the client"),
        (By::Client, _) => ("reset", "RST from the client"),
        _ => ("closed by the server", "close by the server"),
    };
    let asks = probes[0].spoke[0];
    let what = match probes[0].spoke {
        [true, _] => "after one response",
        [false, true] => "without data from the client",
        [false, false] => "without data",
    };
    let mut message = Statement::from(sentence!(
        "The client opened {}, one every {} ({}). Each was {} {}.",
        Value::count(probes.len() as u64, "connection", "connections"),
        beat.median,
        Value::Duration(beat.range.0, beat.range.1),
        ends,
        what
    ));
    if asks {
        message.say("The request was the same each time.");
    }
    message.presume("These are health checks.");
    message.mean("Nothing was lost.");
    Diagnosis {
        severity: Severity::Benign,
        certainty: Certainty::Likely,
        summary: sentence!(
            "[A health check connected|Health checks connected # times], every {}",
            beat.median
        ),
        message,
        evidence: vec![
            shows(probes[0].first, "first connection"),
            shows(probes[0].close, side),
            shows(probes[1].first, "next connection"),
        ],
        remedies: RULE.remedies(),
    }
}
