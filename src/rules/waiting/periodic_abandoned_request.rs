//! The same request comes at a fixed interval, and its client never waits for the response.

use std::net::IpAddr;
use std::time::Duration;

use std::collections::BTreeMap;

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::hosts::{Hosts, Measured, Period, is_abandoned};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// One client sends the same request at a fixed interval, and closes the connection each time before the response comes.
    /// The server logs an error each time: "broken pipe", "client prematurely closed connection", "The remote host closed the
    /// connection. The error code is 0x800704CD", "An error occurred while communicating with the remote host".
    ///
    /// # Why it matters
    ///
    /// Nobody is waiting for the response, so no user is affected. The client is a probe, a warm-up job or a monitor whose
    /// timeout is shorter than the response time.
    ///
    /// # Remedy
    ///
    /// - Find the program on the client's host. The interval is the best hint: a scrape interval, or an idle timeout plus the
    ///   minute after each recycling of a worker process.
    /// - Give it a longer timeout, or a cheaper path to request.
    /// - *If both ends are on one host:* Over loopback every 21 minutes, IIS warms up a worker that it stopped after 20 idle
    ///   minutes. Set the idle timeout to 0 or the start mode to `OnDemand`, or ignore it in the logger.
    ///
    /// # Tell it by
    ///
    /// The same request comes at a constant interval, and its client closes each time before the response.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client [times=4 every=21min] server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /warmup        -->
    ///  0.030  FIN                -->
    ///  0.040                     <--  ACK
    ///  0.050                     <--  FIN
    ///  0.060  ACK                -->
    ///  => 1: teardown client fin waiting
    ///  => findings half-close-taken-as-abort periodic-abandoned-request
    /// ```
    ///
    /// # Not this
    ///
    /// Requests that get their responses:
    ///
    /// ```ladder
    ///         client [times=4 every=21min] server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /warmup        -->
    ///  0.040                     <--  200 "warm"
    ///  0.050  FIN                -->
    ///  0.060                     <--  FIN
    ///  0.070  ACK                -->
    /// ```
    ///
    /// A client that has received the head and comes back for more (long polling, event streams):
    ///
    /// ```ladder
    ///         client [times=4 every=30s] server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /events        -->
    ///  0.040                     <--  200 "data: 1\n\n" [no-length]
    ///  0.050  ACK                -->
    /// 25.000  FIN                -->
    /// 25.010                     <--  FIN
    /// 25.020  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.5, §9.6.
    pub(in crate::rules) RULE: "periodic-abandoned-request", Severity::Warning,
    "a client repeats a request at a fixed interval and never waits for the response", Check::Hosts(check)
}

/// Requests that make a period.
const REQUESTS: usize = 3;
/// Jitter of the period, as a share of it.
const JITTER: f64 = 0.1;
/// How near to each other waits caused by one timeout are, as a share.
const SHARE: f64 = 0.05;
/// A client that closes this soon did not wait at all.
const AT_ONCE: Duration = Duration::from_millis(50);
/// A timer of a busy machine fires this much late or not.
const SLACK: Duration = Duration::from_millis(50);
/// A shorter period is load.
const SHORTEST: Duration = Duration::from_secs(1);

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    let mut found = Vec::new();
    for host_pairs in hosts.busy(REQUESTS) {
        let mut by_request: BTreeMap<u32, Vec<&ConnectionSummary>> = BTreeMap::new();
        for it in host_pairs.connections.iter().filter(|it| is_abandoned(it)) {
            by_request.entry(it.asked).or_default().push(it);
        }
        for (_, cases) in by_request {
            if cases.len() < REQUESTS {
                continue;
            }
            let at: Vec<_> = cases.iter().map(|it| it.first.time).collect();
            let waits: Vec<_> = cases
                .iter()
                .map(|it| Duration::from_micros(it.waited.into()))
                .collect();
            let (Some(beat), Some(waited)) = (Period::of(&at, JITTER), Measured::of(waits)) else {
                continue;
            };
            let near = waited.range.1.saturating_sub(waited.range.0) <= SLACK;
            let same = near || waited.spread() <= SHARE || waited.range.1 <= AT_ONCE;
            if beat.measured.median >= SHORTEST && same {
                found.push(HostDiagnosis::of(story(&cases, beat, waited), &cases).once());
            }
        }
    }
    found
}

const fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback(),
    }
}

fn story(cases: &[&ConnectionSummary], period: Period, waited: Measured) -> Diagnosis {
    let beat = period.measured;
    let mut message = Statement::from(sentence!(
        "The same request came {} times, every {} ({} to {}). Each time the client closed {} later, without a response.",
        cases.len(),
        beat.median,
        beat.range.0,
        beat.range.1,
        waited.median
    ));
    if period.missed > 0 {
        message.say(sentence!(
            "{} missing in between.",
            Value::count(period.missed as u64, "request is", "requests are")
        ));
    }
    message.presume(
        "A program sends this request on a timer, such as a health check, and times out before the response.",
    );
    if is_loopback(cases[0].client.ip) {
        message.say("The client is on the server's own host.");
    }
    Diagnosis {
        severity: Severity::Warning,
        certainty: Certainty::Likely,
        summary: sentence!("Client abandoned the same request every {}", beat.median),
        message,
        evidence: vec![
            shows(cases[0].first, "first connection"),
            shows(cases[0].close, "close by the client, no response"),
            shows(cases[1].first, "next connection"),
        ],
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn fires(title: &str, leaves: &str) -> bool {
        let text = format!(
            "client [{title}] server\nSYN -->\n<-- SYN\nGET /x -->\n<-- ACK\n+{leaves} FIN -->\n<-- FIN\nACK -->"
        );
        ladder_check::run(&text.parse().expect("a ladder"))
            .rules()
            .contains(&RULE.name)
    }

    #[test]
    fn a_period_and_enough_of_it() {
        assert!(fires("times=3 every=15s", "10s"));
        assert!(!fires("times=2 every=15s", "10s"));
        assert!(!fires("times=9 every=100ms", "10ms"), "a load generator");
    }

    /// One timer, told once: its requests are no retries of what was lost.
    #[test]
    fn what_a_timer_sends_again_is_no_retry() {
        let text = "client [times=5 every=15s] server\nSYN -->\n<-- SYN\nGET /x -->\n<-- ACK\n+10s FIN -->\n<-- FIN\nACK -->";
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let causes: Vec<_> = proof
            .findings
            .iter()
            .map(|it| (it.rule, it.caused_by.is_some()))
            .collect();
        assert_eq!(
            causes,
            [("client-gave-up-waiting", true), (RULE.name, false)]
        );
    }

    /// The waits are those of one timer, as exact as its machine is.
    #[test]
    fn a_busy_machine_makes_no_difference() {
        let fires = |waits: [&str; 3]| {
            let each = waits.iter().enumerate().map(|(nth, wait)| {
                format!("client :{} server\n+4s SYN -->\n<-- SYN\nGET /x -->\n<-- ACK\n+{wait} FIN -->\n<-- FIN\nACK -->\n", nth + 1)
            });
            let text: String = each.collect();
            ladder_check::run(&text.parse().expect("a ladder"))
                .rules()
                .contains(&RULE.name)
        };
        assert!(fires(["51ms", "70ms", "62ms"]));
        assert!(fires(["250ms", "270ms", "251ms"]));
        assert!(!fires(["150ms", "300ms", "220ms"]));
    }
}
