//! A request on an idle connection met a host that had no state of it any more.

use super::keep_alive_race::idle_until_close;
use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::base::format::duration;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, request};
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{again, asked, tell};

rule! {
    /// # What happened
    ///
    /// After a pause the client sent a request on a connection that had never been closed, as far as the capture shows: no FIN
    /// came. The answer was the RST of a host that has no such connection. The log says `ECONNRESET`, "connection reset by
    /// peer".
    ///
    /// # Why it matters
    ///
    /// Somebody forgot the connection without a word: a load balancer or NAT gateway whose idle limit had passed (AWS NLB
    /// 350 s, Azure 4 min), a server that was restarted or crashed, or a firewall that kept the FIN to itself. The client
    /// cannot know, and finds out only by losing a request.
    ///
    /// # Remedy
    ///
    /// - Make the client's idle limit, or the interval of its TCP keep-alive, shorter than the pause after which this
    ///   happens; the measured one is in the finding.
    /// - If it happens after any pause at all, look for a restart or a crash of the server at that time.
    /// - Let the client repeat requests that are idempotent on a new connection (RFC 9112 §9.3.1).
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    /// 400.00  GET /2             -->
    /// 400.01                     <--  RST [noack]
    ///  => findings reuse-of-forgotten-connection
    /// ```
    ///
    /// # Not this
    ///
    /// With a FIN before, the server had not forgotten:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.041  GET /2 [crossed]   -->
    ///  5.051                     <--  RST [noack]
    /// ```
    ///
    /// A request that was acknowledged met a live socket:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    /// 400.00  GET /2             -->
    /// 400.01                     <--  ACK
    /// 400.02                     <--  RST
    ///  => teardown server reset abort waiting
    /// ```
    ///
    /// The FIN is not in the capture, but the client has acknowledged it:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <~~  FIN
    ///  5.050  ACK                -->
    /// 400.00  GET /2             -->
    /// 400.01                     <--  RST [noack]
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.5.1 (half-open connections), §3.10.7.1; RFC 5382 REQ-5 (how long a NAT should remember); RFC 9112 §9.3.1.
    pub(super) RULE: "reuse-of-forgotten-connection", Severity::Error,
    "a request met a host that knew nothing of the connection", Check::Ending(&[EndingKind::ReuseOfForgotten], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some(sent) = ending.exchange.and_then(request) else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    let what = asked(ending.exchange);
    let idle = idle_until_close(connection, ending)
        .unwrap_or_else(|| sent.first.time.since(connection.first.time));
    let message = format!(
        "After {} without a word the client sent a {what}; a RST without a socket behind it answered {} later. No FIN of the \
         server was ever seen. {}",
        duration(idle),
        duration(close.time.since(sent.first.time)),
        again(ending.exchange)
    );
    let whose = measured_time::idle(idle, Who::Server).map(|default| format!("{default}."));
    let resets = connection.sent[Who::Server as usize].missing > 0;
    tell(
        &RULE,
        Severity::Error,
        if resets {
            Certainty::Possible
        } else {
            ending.certainty
        },
        "requests met a host that knew nothing of the connection",
        message,
    )
    .adds(whose)
    .shows(Some(sent.first), format!("the {what}"))
    .shows(Some(close), "RST without ACK: there is no such connection")
    .about(connection)
}
