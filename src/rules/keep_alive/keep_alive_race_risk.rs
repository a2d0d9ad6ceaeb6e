//! A client reuses connections that the server is about to close.

use std::time::Duration;

use crate::analysis::connection::{By, ConnectionSummary, How, Phase};
use crate::analysis::hosts::{HostPair, Hosts, Measured};
use crate::base::certainty::Certainty;
use crate::protocol::http::Protocol;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The server closes idle connections after a fixed time. The client reuses connections that were idle for nearly as
    /// long. This is a risk, even if no request was lost so far.
    ///
    /// # Why it matters
    ///
    /// Sooner or later a request meets the server's FIN on the way and is lost. Then the client's log says "connection reset
    /// by peer", `socket hang up`, or "A connection that was expected to be kept alive was closed by the server". The error
    /// comes and goes, at quiet times, and mostly with requests that are not safe to retry.
    ///
    /// # Remedy
    ///
    /// - Set the client's idle timeout a second or more below the server's (.NET `MaxServicePointIdleTime` or
    ///   `PooledConnectionIdleTimeout`, Node.js `keepAliveTimeout` of the agent, nginx's upstream `keepalive_timeout`).
    /// - Or raise the server's keep-alive timeout above the client's.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client [times=3 every=1min] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /1             -->
    ///  0.010                     <--  200 "one"
    ///  0.020  ACK                -->
    ///  4.900  GET /2             -->
    ///  4.910                     <--  200 "two"
    ///  4.920  ACK                -->
    ///  9.910                     <--  FIN
    ///  9.920  FIN                -->
    ///  9.930                     <--  ACK
    ///  => findings idle-timeout-close keep-alive-race-risk
    /// ```
    ///
    /// # Not this
    ///
    /// A client that reuses connections soon, or not at all:
    ///
    /// ```ladder
    ///         client [times=3 every=1min] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /1             -->
    ///  0.010                     <--  200 "one"
    ///  0.020  ACK                -->
    ///  1.000  GET /2             -->
    ///  1.010                     <--  200 "two"
    ///  1.020  ACK                -->
    ///  6.010                     <--  FIN
    ///  6.020  FIN                -->
    ///  6.030                     <--  ACK
    /// ```
    ///
    /// A client that heeds the limit it was told:
    ///
    /// ```ladder
    ///         client [times=3 every=1min] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /1             -->
    ///  0.010                     <--  200 "one" [keep-alive="timeout=5"]
    ///  0.020  ACK                -->
    ///  3.000  GET /2             -->
    ///  3.010                     <--  200 "two" [keep-alive="timeout=5"]
    ///  3.020  ACK                -->
    ///  8.010                     <--  FIN
    ///  8.020  FIN                -->
    ///  8.030                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.3, §9.5.
    pub(super) RULE: "keep-alive-race-risk", Severity::Warning,
    "a client reuses connections that the server is about to close", Check::Hosts(check)
}

/// Closes that indicate a timer.
const CLOSES: usize = 3;
/// How near to each other they have to be: servers check their timers at intervals.
const SHARE: f64 = 0.03;
const FLOOR: Duration = Duration::from_millis(50);
/// Share of the timer from which on a short delay leads to a race.
const NEAR: f64 = 0.9;
/// Shorter timers are not idle timers.
const SHORTEST: Duration = Duration::from_secs(1);

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    hosts
        .busy(CLOSES)
        .filter_map(|host_pairs| risk(&host_pairs))
        .collect()
}

fn risk(host_pairs: &HostPair<'_>) -> Option<HostDiagnosis> {
    let idle = |it: &ConnectionSummary| Duration::from_millis(it.idle.into());
    let closed: Vec<&ConnectionSummary> = host_pairs
        .connections
        .iter()
        .copied()
        .filter(|it| {
            it.by == By::Server
                && it.how == How::Fin
                && it.phase == Phase::Between
                && it.protocol != Protocol::Http2
                && idle(it) >= SHORTEST
        })
        .collect();
    let timer = Measured::cluster(closed.iter().map(|it| idle(it)).collect(), SHARE, FLOOR)?;
    // Closes that vary are not caused by a timer.
    if timer.count < CLOSES || timer.count * 10 < closed.len() * 8 {
        return None;
    }
    let reused = |it: &&&ConnectionSummary| {
        let after = Duration::from_millis(it.reused_after.into());
        after >= timer.median.mul_f64(NEAR) && after <= timer.range.1
    };
    let daring: Vec<&ConnectionSummary> = host_pairs
        .connections
        .iter()
        .filter(reused)
        .copied()
        .collect();
    (!daring.is_empty()).then(|| HostDiagnosis::of(story(&closed, &daring, timer), &daring))
}

fn story(
    closed: &[&ConnectionSummary],
    daring: &[&ConnectionSummary],
    timer: Measured,
) -> Diagnosis {
    let longest = daring.iter().map(|it| it.reused_after).max().unwrap_or(0);
    Diagnosis {
        severity: Severity::Warning,
        certainty: Certainty::Likely,
        summary: sentence!(
            "[A connection was|# connections were] reused near the idle timeout of {}",
            timer.median
        ),
        message: Statement::from(sentence!(
            "The server closed {} after {} of idle time.",
            Value::count(timer.count as u64, "connection", "connections"),
            Value::Duration(timer.range.0, timer.range.1)
        ))
        .presuming(sentence!("The server's idle timeout is {}.", timer.median))
        .and(sentence!(
            "The client reused {} after up to {} of idle time.",
            Value::count(daring.len() as u64, "connection", "connections"),
            Duration::from_millis(longest.into())
        ))
        .means("So late a request may cross the server's FIN and be lost."),
        evidence: vec![
            shows(closed[0].close, "idle connection closed by the server"),
            shows(daring[0].first, "connection that is reused late"),
        ],
        remedies: RULE.remedies(),
    }
}
