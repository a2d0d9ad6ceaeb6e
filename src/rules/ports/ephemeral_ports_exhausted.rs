//! A client used every port of its range, and then stopped connecting.

use crate::analysis::connection::ConnectionSummary;
use crate::analysis::hosts::{PortExhaustion, RangeBasis, Sockets};
use crate::base::certainty::Certainty;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::shows;
use crate::rules::{Evidence, Severity};

rule! {
    /// # What happened
    ///
    /// A client used practically every ephemeral port of its system, all of them open or in TIME-WAIT at once towards one
    /// server. From then on `connect` fails before a packet is sent. The capture cannot show that failure, only what leads to
    /// it.
    ///
    /// # Why it matters
    ///
    /// The client's log says "Only one usage of each socket address (protocol/network address/port) is normally permitted",
    /// 10048, `EADDRNOTAVAIL` or "Cannot assign requested address". Network and server are healthy. Attempts succeed again when
    /// the oldest TIME-WAITs end, and fail again soon after: in waves of about a minute.
    ///
    /// # Remedy
    ///
    /// - Use each connection for many requests. What prevents that is mostly a finding of its own.
    /// - Confirm it at the client: `ss -s` or `netstat -an` while it happens, and the error in its log.
    /// - Or widen the range (`net.ipv4.ip_local_port_range`, `netsh int ipv4 set dynamicport tcp`), or let the server close
    ///   first.
    ///
    /// # Tell it by
    ///
    /// No SYN is sent at the time of the error. Shortly before, the client used nearly every ephemeral port towards one
    /// server and port.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :40100 [times=100 every=5ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [close]      -->
    ///  0.003                     <--  200 "hello" [close]
    ///  0.004  FIN                -->
    ///  0.005                     <--  FIN
    ///  0.006  ACK                -->
    ///         client :40000 [times=100 every=5ms] server
    ///  1.000  SYN                -->
    ///  1.001                     <--  SYN
    ///  1.002  GET / [close]      -->
    ///  1.003                     <--  200 "hello" [close]
    ///  1.004  FIN                -->
    ///  1.005                     <--  FIN
    ///  1.006  ACK                -->
    ///  => findings ephemeral-ports-exhausted time-wait-on-client
    /// ```
    ///
    /// The failure shows by what is missing, too: every port is used once, then there is silence, and then each port comes back
    /// as its TIME-WAIT ends:
    ///
    /// ```ladder
    ///         client :40000 [times=200 every=5ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [close]      -->
    ///  0.003                     <--  200 "hello" [close]
    ///  0.004  FIN                -->
    ///  0.005                     <--  FIN
    ///  0.006  ACK                -->
    ///         client :40000 [times=100 every=5ms isn=900000000] server
    /// 61.000  SYN                -->
    /// 61.001                     <--  SYN
    /// 61.002  GET / [close]      -->
    /// 61.003                     <--  200 "hello" [close]
    /// 61.004  FIN                -->
    /// 61.005                     <--  FIN
    /// 61.006  ACK                -->
    ///  => findings ephemeral-ports-exhausted
    /// ```
    ///
    /// # Not this
    ///
    /// Ports counted upwards do not show where the range ends:
    ///
    /// ```ladder
    ///         client :40000 [times=200 every=5ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [close]      -->
    ///  0.003                     <--  200 "hello" [close]
    ///  0.004  FIN                -->
    ///  0.005                     <--  FIN
    ///  0.006  ACK                -->
    ///  => findings time-wait-on-client
    /// ```
    ///
    /// The traffic stops with ports left:
    ///
    /// ```ladder
    ///         client :40000 [times=100 every=5ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [close]      -->
    ///  0.003                     <--  200 "hello" [close]
    ///  0.004  FIN                -->
    ///  0.005                     <--  FIN
    ///  0.006  ACK                -->
    ///         client :40200           server
    /// 70.000  SYN                -->
    /// 70.001                     <--  SYN
    /// 70.002  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.4.2; RFC 6056 §3.2.
    pub(super) RULE: "ephemeral-ports-exhausted", Severity::Error,
    "a client has used every port of its range towards one server", Check::Sockets(check)
}

/// Percentage of the range that must have been in use at once.
const FULL: f64 = 95.0;
/// Ports of an observed range from which on so dense a use is no coincidence.
const LEAST: usize = 100;

fn check(sockets: &Sockets, connections: &[&ConnectionSummary]) -> Verdict {
    let full = match sockets.basis {
        RangeBasis::Told => sockets.used_peak_percent() >= FULL,
        _ if sockets.used_peak_percent() >= FULL && sockets.basis == RangeBasis::Default => true,
        _ => wraps(sockets, connections),
    };
    let full = full && sockets.time_wait_peak * 2 >= sockets.used_peak;
    if !full && sockets.port_exhaustion.is_none() {
        return Verdict::Clear;
    }
    let (low, high) = match sockets.basis {
        RangeBasis::Told => sockets.range,
        _ => (sockets.ports_low, sockets.ports_high),
    };
    let ports = format!("{low}-{high}");
    let message = match &sockets.port_exhaustion {
        Some(port_exhaustion) => collapsed(port_exhaustion, ports),
        None => Statement::from(sentence!(
            "{} of the ports {} were open or in TIME-WAIT at once, {} of them in TIME-WAIT.",
            sockets.used_peak,
            ports,
            sockets.time_wait_peak
        )),
    };
    let message = message
        .and(sentence!(
            "There were {} in total.",
            Value::count(connections.len() as u64, "connection", "connections")
        ))
        .presuming("Further connection attempts failed without a packet (10048, EADDRNOTAVAIL).")
        .means("The capture cannot show that; the client's log can.");
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Error,
        certainty: match sockets.basis {
            _ if sockets.port_exhaustion.is_some() => Certainty::Likely,
            RangeBasis::Told => Certainty::Likely,
            _ => Certainty::Possible,
        },
        summary: "Client ran out of ports towards one server".into(),
        message,
        evidence: evidence(sockets, connections),
        remedies: RULE.remedies(),
    }))
}

/// The sawtooth pattern: silence once the last port is taken, then no more connections than TIME-WAITs end.
fn collapsed(port_exhaustion: &PortExhaustion, ports: String) -> Statement {
    let wait = &port_exhaustion.time_wait;
    Statement::from(sentence!(
        "The client took the ports {} one after the other, {} a second, until it had used all of them.",
        ports,
        port_exhaustion.rate_before.round() as u64
    ))
    .and(sentence!(
        "Then the client opened nothing for {}, and {} connections a second after that.",
        port_exhaustion.silence,
        port_exhaustion.rate_after.round() as u64
    ))
    .and(sentence!(
        "Each came from a port that had been unused for {} ({}, from {}): the client goes on only as fast as TIME-WAITs end.",
        wait.median,
        Value::count(wait.count as u64, "time", "times"),
        Value::Duration(wait.range.0, wait.range.1)
    ))
}

fn evidence(sockets: &Sockets, connections: &[&ConnectionSummary]) -> Vec<Evidence> {
    let from = |it: &ConnectionSummary, what: &str| {
        shows(it.first, format!("{what}, from port {}", it.client.port))
    };
    let mut evidence = Vec::new();
    evidence.extend(
        connections
            .first()
            .map(|it| from(it, "the first connection")),
    );
    if let Some(port_exhaustion) = &sockets.port_exhaustion {
        let place = connections.partition_point(|it| it.first.time <= port_exhaustion.since);
        let last = place.checked_sub(1).and_then(|it| connections.get(it));
        evidence.extend(last.map(|it| from(it, "the last before the silence")));
        evidence.extend(
            connections
                .get(place)
                .map(|it| from(it, "the first after it")),
        );
    }
    evidence.extend(connections.last().map(|it| from(it, "the last connection")));
    evidence.sort_by_key(|it| it.frame_ref);
    evidence.dedup_by_key(|it| it.frame_ref);
    evidence
}

/// Whether the ports wrapped around: they returned to a lower part of a range and then filled it. Ports that only count
/// upwards fill what they pass, and do not show a limit.
fn wraps(sockets: &Sockets, connections: &[&ConnectionSummary]) -> bool {
    let (low, high) = (sockets.ports_low, sockets.ports_high);
    let width = usize::from(high - low) + 1;
    if width < LEAST || (sockets.used_peak as f64) < width as f64 * FULL / 100.0 {
        return false;
    }
    let back = |pair: &[&ConnectionSummary]| {
        let (before, after) = (pair[0].client.port, pair[1].client.port);
        before > after && usize::from(before - after) * 2 > width
    };
    connections.windows(2).any(back)
}
