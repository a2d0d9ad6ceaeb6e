//! A client opens and closes a connection at a fixed period, to check that the server accepts it.

use std::time::Duration;

use crate::analysis::connection::{By, ConnectionSummary, How, Opening};
use crate::analysis::hosts::{Hosts, Measured, Period};
use crate::base::certainty::Certainty;
use crate::base::time::Timestamp;
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
    /// A load test goes through a list of requests, so each of them comes back at an interval:
    ///
    /// ```ladder
    ///         client :40000 [times=5 every=10s] server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /a [http=1.0]  -->
    ///  0.030                     <--  200 "a" [close]
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///         client :41000 [times=5 every=10s] server
    ///  2.000  SYN                -->
    ///  2.010                     <--  SYN
    ///  2.020  GET /b [http=1.0]  -->
    ///  2.030                     <--  200 "b" [close]
    ///  2.031                     <--  FIN
    ///  2.040  FIN                -->
    ///  2.050                     <--  ACK
    ///         client :42000 [times=5 every=10s] server
    ///  4.000  SYN                -->
    ///  4.010                     <--  SYN
    ///  4.020  GET /c [http=1.0]  -->
    ///  4.030                     <--  200 "c" [close]
    ///  4.031                     <--  FIN
    ///  4.040  FIN                -->
    ///  4.050                     <--  ACK
    ///         client :43000 [times=5 every=10s] server
    ///  6.000  SYN                -->
    ///  6.010                     <--  SYN
    ///  6.020  GET /d [http=1.0]  -->
    ///  6.030                     <--  200 "d" [close]
    ///  6.031                     <--  FIN
    ///  6.040  FIN                -->
    ///  6.050                     <--  ACK
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

/// More different requests that come back at an interval each are a program that goes through its list: a load test, a crawl.
const MOST_ASKED: usize = 3;

/// Connections of one kind, and their interval.
struct Checks<'a> {
    probes: Vec<&'a ConnectionSummary>,
    beat: Measured,
}

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut found = Vec::new();
    for host_pairs in hosts.busy(HALF_OPEN) {
        let own = host_pairs.connections.iter().zip(0..);
        let mut kinds: Vec<_> = own.filter_map(|(it, at)| Case::of(it, at)).collect();
        kinds.sort_unstable_by_key(|it| (it.kind, it.at));
        let kinds = kinds.chunk_by(|one, other| one.kind == other.kind);
        let mut checks: Vec<Checks<'_>> = kinds
            .filter_map(|it| at_interval(it, &host_pairs.connections))
            .collect();
        checks.sort_by_key(|it| it.probes[0].id);
        let asking = checks.iter().filter(|it| it.probes[0].spoke[0]).count();
        if asking > MOST_ASKED {
            checks.retain(|it| !it.probes[0].spoke[0]);
        }
        let diagnosis = match &checks[..] {
            [] => continue,
            [one] => story(&one.probes, one.beat),
            several => story_of_several(several),
        };
        let mut probes: Vec<_> = checks.into_iter().flat_map(|it| it.probes).collect();
        probes.sort_by_key(|it| it.id);
        found.push(HostDiagnosis::of(diagnosis, &probes));
    }
    found
}

/// The kind of a probe that only connects.
const SILENT: u32 = 0;

/// A connection that may be a probe: its kind, its place among those of both hosts, and when it began. (Very many may have to
/// be sorted and looked at.)
struct Case {
    kind: u32,
    at: u32,
    began: Timestamp,
}

impl Case {
    fn of(it: &ConnectionSummary, at: u32) -> Option<Self> {
        Some(Self {
            kind: kind_of(it)?,
            at,
            began: it.first.time,
        })
    }
}

/// The connections of one kind, if they come at an interval: of `all` between the two hosts.
fn at_interval<'a>(kind: &[Case], all: &[&'a ConnectionSummary]) -> Option<Checks<'a>> {
    let first = kind.first()?;
    let summaries = || {
        kind.iter()
            .filter_map(|it| all.get(it.at as usize).copied())
    };
    let half_open =
        kind.len() == all.len() && summaries().all(|it| it.opening == Opening::Rejected);
    if kind.len() < if half_open { HALF_OPEN } else { PROBES } {
        return None;
    }
    let shortest = match first.kind {
        SILENT => SHORTEST,
        _ => SHORTEST_ASKED,
    };
    let at: Vec<_> = kind.iter().map(|it| it.began).collect();
    let beat = Period::of(&at, JITTER).map(|it| it.measured);
    let beat = beat.filter(|beat| beat.median >= shortest)?;
    let probes = summaries().collect();
    Some(Checks { probes, beat })
}

/// What a probe does: [`SILENT`], or the hash of its request, which is always the same.
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

/// Checks of several kinds between the same two hosts: of the port and of a path, or of two paths.
fn story_of_several(checks: &[Checks<'_>]) -> Diagnosis {
    let mut message = Statement::default();
    let mut evidence = Vec::new();
    for Checks { probes, beat } in checks {
        let (count, first) = (probes.len() as u64, probes[0]);
        let template = match first.spoke[0] {
            true => sentence!(
                "{} with the same request came every {}.",
                Value::count(count, "connection", "connections"),
                beat.median
            ),
            false => sentence!(
                "{} without data from the client came every {}.",
                Value::count(count, "connection", "connections"),
                beat.median
            ),
        };
        message.say(template);
        evidence.push(shows(first.first, "first connection of its kind"));
        evidence.push(shows(probes[1].first, "next of its kind"));
    }
    message.presume("These are health checks.");
    message.mean("Nothing was lost.");
    Diagnosis {
        severity: Severity::Benign,
        certainty: Certainty::Likely,
        summary: "[A health check connected|Health checks connected # times]".into(),
        message,
        evidence,
        remedies: RULE.remedies(),
    }
}

fn story(probes: &[&ConnectionSummary], beat: Measured) -> Diagnosis {
    let asks = probes[0].spoke[0];
    let what = match probes[0].spoke {
        [true, _] => "after one response",
        [false, _] => "without sending data",
    };
    let (ended, side) = match (probes[0].by, probes[0].how) {
        (By::Client, How::Fin) => (
            sentence!("The client closed each {}.", what),
            "close by the client",
        ),
        (By::Client, _) => (
            sentence!("The client reset each {}.", what),
            "RST from the client",
        ),
        _ => (
            sentence!("The server closed each {}.", what),
            "close by the server",
        ),
    };
    let mut message = Statement::from(sentence!(
        "The client opened {}, one about every {} ({}).",
        Value::count(probes.len() as u64, "connection", "connections"),
        beat.median,
        Value::Duration(beat.range.0, beat.range.1)
    ))
    .and(ended);
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

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::ladder_check;

    /// A balancer that checks the port, and two paths: one finding on the two hosts.
    #[test]
    fn checks_of_several_kinds_are_one_finding() {
        let asks = |port: u32, path: &str, every: u32| {
            format!(
                "client :{port} [times=6 every={every}s] server\nSYN -->\n<-- SYN\nGET {path} [http=1.0] -->\n\
                 <-- 200 \"up\" [close]\n<-- FIN\nFIN -->\n<-- ACK\n"
            )
        };
        let text = format!(
            "client :40000 [times=6 every=2s] server\nSYN -->\n<-- SYN\nACK -->\nRST -->\n{}{}",
            asks(41000, "/live", 3),
            asks(42000, "/ready", 7)
        );
        let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
        let own: Vec<_> = findings.iter().filter(|it| it.rule == RULE.name).collect();
        let [finding] = own[..] else {
            panic!("one finding, not {own:#?}")
        };
        assert_eq!(finding.connections.len(), 18);
        insta::assert_snapshot!(finding.message, @"6 connections without data from the client came every 2.00 s. 6 connections with the same request came every 3.00 s. 6 connections with the same request came every 7.00 s. These are health checks. Nothing was lost.");
    }
}
