//! The client closes most of its connections first, and so accumulates the TIME-WAITs.

use crate::analysis::connection::{By, ConnectionSummary};
use crate::analysis::hosts::{RangeBasis, Sockets};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{rate, shows};

rule! {
    /// # What happened
    ///
    /// The client opened many connections to one server and closed most of them first. The side that closes first holds the
    /// TIME-WAIT, one to four minutes for each connection, and with it a port.
    ///
    /// # Why it matters
    ///
    /// A client has about ten thousand ports or more towards each server. If it uses them faster than TIME-WAIT frees them,
    /// connection attempts fail without a packet: "Only one usage of each socket address" (10048), `EADDRNOTAVAIL`. At the
    /// server the same TIME-WAITs would cost no port.
    ///
    /// # Remedy
    ///
    /// - Keep connections: share one client object, make its pool large enough, read responses to their end, and do not send
    ///   `Connection: close`.
    /// - Or, where a connection must serve one request only, let the server close first, as HTTP servers do after a
    ///   response with `Connection: close`.
    ///
    /// # Tell it by
    ///
    /// The client sends the first FIN on most of its many short connections to one server.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client :49152 [times=200 every=5ms] server
    ///  0.000  SYN                -->
    ///  0.001                     <--  SYN
    ///  0.002  GET / [close]      -->
    ///  0.003                     <--  200 "hello"
    ///  0.004  FIN                -->
    ///  0.005                     <--  FIN
    ///  0.006  ACK                -->
    ///  => 1: time-wait client
    /// ```
    ///
    /// # Not this
    ///
    /// The server closes first:
    ///
    /// ```ladder
    ///         client :49152 [times=200 every=5ms] server
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
    pub(super) RULE: "time-wait-on-client", Severity::Warning,
    "the client closes most of its connections first and collects TIME-WAITs", Check::Sockets(check)
}

/// Connections per second at which TIME-WAITs of one minute accumulate to more than a thousand.
const FAST: f64 = 20.0;
/// Share of the range that is worth reporting, whatever the rate.
const SHARE: f64 = 0.25;
/// Fewer connections are no pattern.
const LEAST: u64 = 50;

fn check(sockets: &Sockets, connections: &[&ConnectionSummary]) -> Verdict {
    if sockets.time_wait_peak < LEAST {
        return Verdict::Clear;
    }
    let waits = connections
        .iter()
        .filter(|it| it.client_time_wait.is_some())
        .count();
    let share = sockets.time_wait_peak as f64 / sockets.range_size() as f64;
    let rate = rate(connections).unwrap_or(0.0);
    let large = share > SHARE && sockets.basis != RangeBasis::Observed;
    if waits * 2 <= connections.len() || !(rate > FAST || large) {
        return Verdict::Clear;
    }
    let all = connections.len();
    let refused = connections.iter().filter(|it| it.server_says_close).count();
    let single = connections.iter().filter(|it| it.exchanges == 1).count();
    let asked = connections
        .iter()
        .filter(|it| it.exchanges > 0 && !it.client_persists)
        .count();
    let first = connections.iter().filter(|it| it.by == By::Client).count();
    let mut message = Statement::from(sentence!(
        "The client closed {} of {} connections first, {} a second.",
        first,
        all,
        rate.round() as u64
    ))
    .and(sentence!(
        "The client held {} TIME-WAITs at once, {} % of {} ports.",
        sockets.time_wait_peak,
        (share * 100.0).round() as u64,
        sockets.range_size()
    ));
    if let Some(port_exhaustion) = &sockets.port_exhaustion {
        message.say(sentence!(
            "A TIME-WAIT lasts {} on this client, as measured.",
            port_exhaustion.time_wait.median
        ));
    }
    message.say(match () {
        () if asked * 2 > all => "The client closes first because it asks for the close itself.",
        () if refused * 2 > all => {
            "The client closes first because the server sends `Connection: close` and does not close itself."
        }
        () if single * 2 > all => {
            "The client uses each connection for one request, though both sides would keep it."
        }
        () => "Nobody announces the close.",
    });
    if single > 0 {
        message.say(sentence!(
            "{} carried one request each.",
            Value::count(single as u64, "connection", "connections")
        ));
    }
    if let (Some(out), Some(start)) = (sockets.runs_out_at, connections.first()) {
        message.say(sentence!(
            "At this rate, the ports run out {} after the first connection.",
            out.since(start.first.time)
        ));
    }
    let mut evidence = Vec::new();
    if let Some(one) = connections.iter().find(|it| it.client_time_wait.is_some()) {
        evidence.push(shows(one.close, "the client closes first"));
        evidence.extend(
            one.client_time_wait
                .map(|frame_ref| shows(frame_ref, "its TIME-WAIT begins")),
        );
    }
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Warning,
        certainty: Certainty::Certain,
        summary: "Client closes most connections first and holds TIME-WAIT".into(),
        message,
        evidence,
        remedies: RULE.remedies(),
    }))
}
