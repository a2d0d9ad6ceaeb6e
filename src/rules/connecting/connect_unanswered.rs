//! A SYN was sent repeatedly, and nothing answered.

use crate::base::format::{counted, duration};
use std::time::Duration;

use crate::analysis::connection::{ConnectionSummary, Opening};
use crate::analysis::hosts::Hosts;
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, HostDiagnosis, rule};
use crate::rules::scans::collapse_scans;
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The client sent its SYN several times and got nothing: no SYN-ACK, no RST, no ICMP error. The client's log says
    /// "connection timed out", `ETIMEDOUT`, 10060, "Unable to connect to the remote server", curl (28).
    ///
    /// # Why it matters
    ///
    /// No request was sent, so nothing took effect. Silence is what a firewall makes that drops, a security group, a host
    /// that is down, an address that nobody has, a full accept queue, or an address translator without free ports. How long
    /// the client tries is up to it: Linux gives up after about two minutes (`tcp_syn_retries`), Windows after 21 s; a
    /// program's own limit is mostly shorter.
    ///
    /// # Remedy
    ///
    /// - Capture at the server. If the SYNs arrive there, its host drops them: local firewall, full accept queue (`nstat
    ///   TcpExtListenOverflows`), reverse path filter; if they do not, follow the way: firewall, security group, route.
    /// - Check that the address is right and its host is up.
    /// - Give the program a connect timeout of a few seconds, and let it try another address.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  1.000  again              -->
    ///  3.000  again              -->
    ///  7.000  again              -->
    /// 15.000  again              -->
    ///  => opening unanswered
    /// ```
    ///
    /// # Not this
    ///
    /// A SYN at the end of the capture: its answer may have come after.
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  1.000  again              -->
    /// ```
    ///
    /// A capture that sees one direction only cannot tell:
    ///
    /// ```ladder
    ///         client :40000           server
    ///  0.000  SYN                -->
    ///  0.010                     <~~  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <~~  200 "hello"
    ///  0.040  ACK                -->
    ///         client :40001           server
    ///  0.100  SYN                -->
    ///  1.100  again              -->
    ///  3.100  again              -->
    ///  7.100  again              -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.8.3 (R1 and R2 of SYNs); RFC 6298 §2.1, §5.7.
    pub(super) RULE: "connect-unanswered", Severity::Error,
    "a SYN was repeated and got no answer at all", Check::Hosts(check)
}

/// Repetitions, over all attempts, from which on it is not packet loss.
const REPETITIONS: u32 = 3;
/// Over at least this time.
const LONG_ENOUGH: Duration = Duration::from_secs(3);
/// An attempt whose last SYN is this near to the end of the capture may still get its answer.
const ANSWERED_WITHIN: Duration = Duration::from_millis(900);

fn check(hosts: &Hosts<'_>) -> Vec<HostDiagnosis> {
    if hosts.halves().misses_a_direction() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for host_pairs in hosts.host_pairs() {
        let answered = host_pairs
            .connections
            .iter()
            .filter(|it| it.seen[1])
            .count();
        let mut silent = host_pairs.connections;
        silent.retain(|it| is_silent(it));
        let repetitions: u32 = silent.iter().map(|it| u32::from(it.syn_retries)).sum();
        let (Some(first), Some(last)) = (silent.first(), silent.iter().map(|it| it.last).max())
        else {
            continue;
        };
        let over = last.since(first.first.time);
        // If the last SYN is the last of its attempt, the capture must go on long enough to show that no answer came.
        let watched = hosts.end.since(last) >= ANSWERED_WITHIN
            || repetitions > REPETITIONS
            || over >= LONG_ENOUGH;
        if repetitions >= REPETITIONS && over >= LONG_ENOUGH && watched {
            let benign = silent.iter().all(|it| hosts.fallback(it).is_some());
            let story = story(&silent, over, answered, benign);
            found.push(HostDiagnosis::of(story, &silent));
        }
    }
    collapse_scans(hosts, found, "connects got no answer")
}

fn is_silent(connection_summary: &ConnectionSummary) -> bool {
    connection_summary.opening == Opening::Unanswered
        && !connection_summary.seen[1]
        && connection_summary.syn_retries > 0
}

fn story(
    silent: &[&ConnectionSummary],
    over: Duration,
    answered: usize,
    benign: bool,
) -> Diagnosis {
    let syns: usize = silent
        .iter()
        .map(|it| usize::from(it.syn_retries) + 1)
        .sum();
    let longest = silent
        .iter()
        .map(|it| it.last.since(it.first.time))
        .max()
        .unwrap_or_default();
    let mut message = match silent.len() {
        1 => format!(
            "The client sent its SYN {syns} times over {} and got no answer.",
            duration(over)
        ),
        more => format!(
            "{} sent {syns} SYNs over {} and got no answer; the longest tried for {}.",
            counted(more, "connect"),
            duration(over),
            duration(longest)
        ),
    };
    if answered > 0 {
        message.push_str(&format!(
            " {} between the two got one, so the address is right and the way is open: think of a full accept queue, a limit \
             on connections, or an address translator out of ports.",
            counted(answered, "other connection")
        ));
    }
    let mut evidence = Vec::new();
    if let Some(first) = silent.first() {
        evidence.push(shows(first.first, "the first SYN"));
        if first.close != first.first {
            evidence.push(shows(
                first.close,
                format!("its last repetition, number {}", first.syn_retries),
            ));
        }
    }
    Diagnosis {
        severity: if benign {
            Severity::Benign
        } else {
            Severity::Error
        },
        certainty: Certainty::Likely,
        summary: "connects got no answer".into(),
        message: message.into(),
        evidence,
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn finding(text: &str) -> Option<crate::rules::Finding> {
        let all = ladder_check::run(&text.parse().expect("a ladder")).findings;
        all.into_iter().find(|finding| finding.rule == RULE.name)
    }

    #[test]
    fn attempts_add_up() {
        let attempt = |port: u16| format!("client :{port} server\n+500ms SYN -->\n+1s again -->\n");
        let three = finding(&(1..=3).map(attempt).collect::<String>()).expect("found");
        assert!(
            three.message.starts_with("3 connects sent 6 SYNs"),
            "{}",
            three.message
        );
        assert!(finding(&(1..=2).map(attempt).collect::<String>()).is_none());
    }

    #[test]
    fn quick_repetitions_are_no_silence() {
        assert!(finding("SYN -->\n+100ms again -->\n+100ms again -->\n+100ms again -->").is_none());
    }

    #[test]
    fn others_that_are_answered_are_told() {
        let text = "client :1 server\nSYN -->\n<-- SYN\nACK -->\nclient :2 server
            SYN -->\n+1s again -->\n+2s again -->\n+4s again -->";
        assert!(
            finding(text)
                .expect("found")
                .message
                .contains("1 other connection")
        );
    }
}
