//! A client has most of its ephemeral ports towards one server open or in TIME-WAIT.

use crate::analysis::connection::{By, ConnectionSummary};
use crate::analysis::hosts::{RangeBasis, Sockets};
use crate::base::certainty::Certainty;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::{Evidence, Severity};

rule! {
    /// # What happened
    ///
    /// A client has used most of its ephemeral ports towards one server and port. A port is taken while its connection is open.
    /// If the client closed first, it stays taken during the TIME-WAIT (RFC 9293 §3.4.2: four minutes; Linux uses one, Windows
    /// one to four).
    ///
    /// # Why it matters
    ///
    /// When the last port is taken, the next connection attempt fails at once and without a packet. The log says "Only one
    /// usage of each socket address" (10048), `EADDRNOTAVAIL` (99) or "Cannot assign requested address". Attempts succeed again
    /// as old ports are freed. The rate that can be sustained is the size of the range divided by the TIME-WAIT. That is 470
    /// connections a second on Linux (28 232 ports, 60 s), 136 on Windows (16 384 ports, 120 s).
    ///
    /// # Remedy
    ///
    /// - Use each connection for many requests: share one client object, make its pool large enough, read responses to their
    ///   end. Do not switch keep-alive off on either side.
    /// - As second best, widen the range (`net.ipv4.ip_local_port_range`; `netsh int ipv4 set dynamicport tcp`) or shorten
    ///   TIME-WAIT (`net.ipv4.tcp_tw_reuse=1` on Linux, `TcpTimedWaitDelay` on old Windows).
    /// - Or spread the connections over several server addresses.
    ///
    /// # Tell it by
    ///
    /// Connections still open. Most of the client's ephemeral ports towards one server and port are in use or in TIME-WAIT.
    ///
    /// # Example
    ///
    /// Ten thousand calls, each on its own connection, which the client closes first:
    ///
    /// ```ladder
    ///         client :49152 [times=10000 every=2ms]    server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /              -->
    ///  0.003                     <--  200 [close]
    ///  0.004  FIN                -->
    ///  0.005                     <--  FIN
    ///  0.006  ACK                -->
    ///  => 1: time-wait client
    ///  => findings ephemeral-port-pressure keep-alive-refused time-wait-on-client
    /// ```
    ///
    /// # Not this
    ///
    /// Where the server closes first, the TIME-WAIT is its own, and the client's ports are free again:
    ///
    /// ```ladder
    ///         client :49152 [times=10000 every=2ms]    server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET /              -->
    ///  0.003                     <--  200 [close]
    ///  0.004                     <--  FIN
    ///  0.005  FIN                -->
    ///  0.006                     <--  ACK
    ///  => 1: time-wait server
    ///  => findings keep-alive-refused time-wait-on-server
    /// ```
    ///
    /// As many connections to several servers: each has the range for itself:
    ///
    /// ```ladder
    ///         client :49152 [times=3000 every=2ms] server 10.0.0.2:80
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [close]      -->
    ///  0.003                     <--  200 [close]
    ///  0.004  FIN                -->
    ///  0.005                     <--  FIN
    ///  0.006  ACK                -->
    ///         client :53152 [times=3000 every=2ms] server 10.0.0.3:80
    ///  6.000  SYN                -->
    ///  6.001                     <--  SYN
    ///  6.002  GET / [close]      -->
    ///  6.003                     <--  200 [close]
    ///  6.004  FIN                -->
    ///  6.005                     <--  FIN
    ///  6.006  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.4.2, RFC 6056 §3.2 (ephemeral port ranges), RFC 6191 (reusing them earlier).
    pub(super) RULE: "ephemeral-port-pressure", Severity::Error,
    "a client is about to run out of ports towards one server", Check::Sockets(check)
}

/// Percentage of the range in use from which a warning is due.
const WARNING_PERCENT: f64 = 60.0;
/// Percentage of the range from which the next burst may take the last port: systems pick ports at random or in
/// sequence, and the search gets slow before none is left.
const ERROR_PERCENT: f64 = 85.0;
/// An observed range is full by definition; below this many ports it is not reported.
const LEAST_OBSERVED: u64 = 1000;

fn check(sockets: &Sockets, connections: &[&ConnectionSummary]) -> Verdict {
    let percent = sockets.used_peak_percent();
    if percent < WARNING_PERCENT {
        return Verdict::Clear;
    }
    if sockets.basis == RangeBasis::Observed && sockets.used_peak < LEAST_OBSERVED {
        return Verdict::Clear;
    }
    Verdict::Found(Box::new(story(sockets, connections, percent)))
}

fn story(sockets: &Sockets, connections: &[&ConnectionSummary], percent: f64) -> Diagnosis {
    let (low, high) = sockets.range;
    let basis = match sockets.basis {
        RangeBasis::Told => "the range given",
        RangeBasis::Default => "a system default that fits",
        RangeBasis::Observed => "as seen",
    };
    let mut message = Statement::from(sentence!(
        "The client had {} ports open or in TIME-WAIT at once, {} of them in TIME-WAIT.",
        sockets.used_peak,
        sockets.time_wait_peak
    ))
    .presuming(sentence!(
        "That is {} % of its {} ports ({}, {}).",
        percent.round() as u64,
        sockets.range_size(),
        format!("{low}-{high}"),
        basis
    ));
    if let Some(port_exhaustion) = &sockets.port_exhaustion {
        message.say(sentence!(
            "A TIME-WAIT lasts {} on this client, as measured.",
            port_exhaustion.time_wait.median
        ));
    }
    if let (Some(out), Some(peak)) = (sockets.runs_out_at, sockets.peak_at) {
        message.say(match (out > peak, sockets.rate) {
            (true, Some(rate)) => sentence!(
                "At {} connections a second, the range runs out {} later.",
                rate.round() as u64,
                out.since(peak)
            ),
            (true, None) => sentence!(
                "At this rate, the range runs out {} later.",
                out.since(peak)
            ),
            (false, _) => sentence!("Then no port was left."),
        });
    }
    let count =
        |what: fn(&ConnectionSummary) -> bool| connections.iter().filter(|it| what(it)).count();
    let by_client = count(|connection| connection.by == By::Client);
    let single = count(|connection| connection.exchanges == 1);
    let refused = count(|connection| connection.server_says_close);
    let all = connections.len();
    if all > 0 {
        message.say(sentence!(
            "The client closed {} of {} connections first. {} carried one request, and on {} the server sent \
             `Connection: close`.",
            by_client,
            all,
            single,
            refused
        ));
    }
    let mut remedies = RULE.remedies();
    if refused * 2 > all {
        remedies.insert(
            0,
            "Find out why the server sends `Connection: close`, and enable keep-alive there."
                .into(),
        );
    }
    Diagnosis {
        severity: if percent >= ERROR_PERCENT {
            Severity::Error
        } else {
            Severity::Warning
        },
        certainty: match sockets.basis {
            RangeBasis::Told => Certainty::Certain,
            RangeBasis::Default => Certainty::Likely,
            RangeBasis::Observed => Certainty::Possible,
        },
        summary: sentence!(
            "Client used {} % of its ports towards one server",
            percent.round() as u64
        ),
        message,
        evidence: evidence(sockets, connections),
        remedies,
    }
}

/// The first connection, and the last one that began before the peak.
fn evidence(sockets: &Sockets, connections: &[&ConnectionSummary]) -> Vec<Evidence> {
    let first = connections.iter().min_by_key(|connection| connection.first);
    let last = connections
        .iter()
        .filter(|connection| {
            sockets
                .peak_at
                .is_none_or(|peak| connection.first.time <= peak)
        })
        .max_by_key(|connection| connection.first);
    let note = |connection: &&ConnectionSummary, what: &str| Evidence {
        frame_ref: connection.first,
        note: format!("{what}, from port {}", connection.client.port),
    };
    let mut evidence = Vec::new();
    evidence.extend(first.map(|connection| note(connection, "the first connection")));
    evidence.extend(last.map(|connection| note(connection, "the last one before the peak")));
    let waiting = last.and_then(|connection| connection.client_time_wait);
    evidence.extend(waiting.map(|frame_ref| Evidence {
        frame_ref,
        note: "its TIME-WAIT begins at the client".to_owned(),
    }));
    evidence.sort_by_key(|evidence| evidence.frame_ref);
    evidence.dedup_by_key(|evidence| evidence.frame_ref);
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::net::Endpoint;

    fn sockets(used: u64, basis: RangeBasis) -> Sockets {
        let server = Endpoint::UNSPECIFIED;
        Sockets {
            client: server.ip,
            server,
            connections: used,
            time_wait_now: 0,
            time_wait_peak: used,
            peak_at: None,
            used_peak: used,
            ports_low: 49_152,
            ports_high: 65_535,
            range: (49_152, 65_535),
            basis,
            rate: None,
            runs_out_at: None,
            port_exhaustion: None,
        }
    }

    #[test]
    fn the_share_of_the_range_decides() {
        use RangeBasis::{Default, Told};
        for (used, basis, wanted) in [
            (9_830, Default, None),
            (9_831, Default, Some((Severity::Warning, Certainty::Likely))),
            (13_926, Told, Some((Severity::Warning, Certainty::Certain))),
            (13_927, Told, Some((Severity::Error, Certainty::Certain))),
        ] {
            let got = match check(&sockets(used, basis), &[]) {
                Verdict::Found(story) => Some((story.severity, story.certainty)),
                _ => None,
            };
            assert_eq!(got, wanted, "{used}");
        }
    }

    #[test]
    fn a_range_guessed_from_a_few_ports_is_always_full_and_says_nothing() {
        let few = |basis| Sockets {
            range: (50_000, 50_004),
            ..sockets(5, basis)
        };
        assert_eq!(check(&few(RangeBasis::Observed), &[]), Verdict::Clear);
        assert!(matches!(
            check(&few(RangeBasis::Told), &[]),
            Verdict::Found(_)
        ));
    }
}
