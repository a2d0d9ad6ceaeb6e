//! The server closed an idle connection sooner than it had announced.

use std::time::Duration;

use super::idle_timeout_close::pause;
use crate::analysis::connection::{Connection, How, Who};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The server announced how long it keeps an idle connection (`Keep-Alive: timeout=N`). It closed more than a second
    /// sooner, and `max` still allowed requests. If it closed within a second of its response, no idle timer expired, and
    /// this is only a note. It is one as well where the server was stopped: the next connection to its port is refused, or
    /// it closes several at one instant, after other idle times.
    ///
    /// # Why it matters
    ///
    /// Clients rely on the number: they reuse a connection until a second or two before it (undici, Apache HttpClient). If
    /// the close comes sooner, they lose requests to it. Often an application announces the number and a proxy in front of
    /// it closes. Or the server was being restarted.
    ///
    /// # Remedy
    ///
    /// - Announce the timeout of the program that really closes: remove the field at the server behind, or raise the proxy's
    ///   idle timeout above it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [keep-alive="timeout=30, max=100"]
    ///  0.050  ACK                -->
    /// 10.040                     <--  FIN
    /// 10.050  FIN                -->
    /// 10.060                     <--  ACK
    ///  => findings keep-alive-promise-broken
    /// ```
    ///
    /// # Not this
    ///
    /// Kept as long as announced:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [keep-alive="timeout=30, max=100"]
    ///  0.050  ACK                -->
    /// 30.040                     <--  FIN
    /// 30.050  FIN                -->
    /// 30.060                     <--  ACK
    /// ```
    ///
    /// The announced number of requests was used up:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [keep-alive="timeout=30, max=0"]
    ///  0.050  ACK                -->
    ///  0.060                     <--  FIN
    ///  0.070  FIN                -->
    ///  0.080                     <--  ACK
    /// ```
    ///
    /// The client closed, which it may do at any time:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [keep-alive="timeout=30, max=100"]
    ///  0.050  FIN                -->
    ///  0.060                     <--  FIN
    ///  0.070  ACK                -->
    ///  => findings none
    /// ```
    ///
    /// A response that arrived slowly, because the server counts from its write:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 1000 [keep-alive="timeout=15, max=100" length=2000]
    ///  0.050  ACK                -->
    ///  2.000                     <--  data 1000
    ///  2.010  ACK                -->
    /// 15.040                     <--  FIN
    /// 15.050  FIN                -->
    /// 15.060                     <--  ACK
    /// ```
    ///
    /// Packets are missing from the capture, and may have been another request:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [keep-alive="timeout=30, max=100"]
    ///  0.050  ACK                -->
    ///  5.000  GET /2             ~~>
    ///  5.010                     <~~  200 "hello" [keep-alive="timeout=30, max=100"]
    /// 10.040                     <--  FIN
    /// 10.050  FIN                -->
    /// 10.060                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 2068 §19.7.1 (`Keep-Alive`); RFC 9112 §9.5 (timeouts).
    pub(in crate::rules) RULE: "keep-alive-promise-broken", Severity::Warning,
    "the server closes an idle connection sooner than announced", Check::Connection(check)
}

/// The timeout that the server had announced, in seconds, if it closed an idle connection sooner.
pub(in crate::rules) fn broken(connection: &Connection) -> Option<u16> {
    let pause = pause(connection)?;
    let promised = pause.promised?;
    // What was not captured may have been another request.
    if pause.who != Who::Server || connection.sent.iter().any(|sent| sent.missing > 0) {
        return None;
    }
    let last = connection.exchanges.last()?.response.as_ref()?;
    // The server counts from its write, which the client's side of a slow path sees long before the last byte.
    let idle = connection.teardown.at.since(last.message.first.time);
    let kept = idle + Duration::from_secs(1) >= Duration::from_secs(promised.into());
    (!kept && last.message.keep_alive.max() != Some(0)).then_some(promised)
}

fn check(connection: &Connection) -> Verdict {
    let (Some(promised), Some(pause)) = (broken(connection), pause(connection)) else {
        return not_yet(connection);
    };
    let announced = Duration::from_secs(promised.into());
    let message = match connection.teardown.how {
        How::Reset(_) => sentence!(
            "The server announced that it keeps an idle connection for {}, and reset it {} after the last byte of the response.",
            announced,
            pause.time
        ),
        _ => sentence!(
            "The server announced that it keeps an idle connection for {}, and closed it {} after the last byte of the response.",
            announced,
            pause.time
        ),
    };
    let close = connection.fin[Who::Server as usize].or(connection.reset[Who::Server as usize]);
    // A close right after a response is a decision of the server, as without the announcement, and no idle limit.
    let severity = match pause.time < Duration::from_secs(1) {
        true => Severity::Note,
        false => Severity::Warning,
    };
    tell(
        &RULE,
        severity,
        connection.teardown.certainty.max(Certainty::Likely),
        "Server closed [a connection|# connections] sooner than announced",
        message,
    )
    .presumes(Some(
        "Another setting of the server, or a proxy, closes idle connections sooner than announced.",
    ))
    .shows(
        Some(pause.since),
        format!("last response complete, with `Keep-Alive: timeout={promised}`"),
    )
    .shows(close.map(|event| event.frame_ref), "close by the server")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::{Severity, ladder_check};

    #[test]
    fn a_close_right_after_the_response_is_no_idle_limit() {
        for (wait, severity) in [("+1ms", Severity::Note), ("+9s", Severity::Warning)] {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"hello\" [keep-alive=\"timeout=30, max=100\"]\nACK -->\n\
                 {wait} <-- FIN\nFIN -->\n<-- ACK"
            );
            let found = ladder_check::found_by(&super::RULE, &text).expect("found");
            assert_eq!(found.severity, severity, "{wait}");
        }
    }
}
