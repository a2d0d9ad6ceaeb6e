//! A request was sent on a connection that the other side had closed, as the client's system knew.

use super::keep_alive_race::idle_until_close;
use crate::analysis::connection::{Connection, Who};
use crate::base::format::duration;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, request};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{again, asked, tell};

rule! {
    /// # What happened
    ///
    /// The server closed an idle connection. The client's system acknowledged the FIN and told the program, which did not
    /// look, and sent a request on that connection much later. It met a closed socket and drew a RST. The log says
    /// `ECONNRESET`, `EPIPE`, `NoHttpResponseException`, "A connection that was expected to be kept alive was closed".
    ///
    /// # Why it matters
    ///
    /// Unlike a race this can be avoided: the connection was readable (with the end of the stream) all the time. A pool that
    /// does not check before it hands a connection out fails whenever a pause is longer than the server's idle limit.
    ///
    /// # Remedy
    ///
    /// - Let the pool check a connection before it hands it out (Apache HttpClient `validateAfterInactivity`, OkHttp and urllib3
    ///   do) or remove it when the end of the stream is signalled; upgrade a client library that does neither.
    /// - Make the client's idle limit shorter than the server's.
    /// - In an event loop, do not block it: the close is noticed only between two events.
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
    ///  5.040                     <--  FIN
    ///  5.050  ACK                -->
    ///  9.000  GET /2             -->
    ///  9.010                     <--  RST [noack]
    ///  => teardown server fin between
    ///  => findings reuse-of-closed-connection
    /// ```
    ///
    /// # Not this
    ///
    /// A FIN that the client could not have known yet:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.045  GET /2 [crossed]   -->
    ///  5.055                     <--  RST [noack]
    /// ```
    ///
    /// Nor one of which it had only just been told:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.050  ACK                -->
    ///  5.060  GET /2             -->
    ///  5.070                     <--  RST [noack]
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.5 (clients should watch for the close of idle connections), §9.3.1 (retrying).
    pub(super) RULE: "reuse-of-closed-connection", Severity::Error,
    "a request was sent on a connection that was known to be closed", Check::Ending(&[EndingKind::ReuseOfClosed], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some(sent) = ending.exchange.and_then(request) else {
        return Verdict::Clear;
    };
    let known = connection.fin_acknowledged[Who::Server as usize];
    let knew = known.map(|frame_ref| duration(sent.first.time.since(frame_ref.time)));
    let what = asked(ending.exchange);
    let idle = idle_until_close(connection, ending).map(|idle| {
        format!(
            "The server had closed it after {} without a request.",
            duration(idle)
        )
    });
    let message = format!(
        "The client sent a {what} {} after its own system had acknowledged the server's FIN; it was never answered. {}",
        knew.unwrap_or_default(),
        again(ending.exchange)
    );
    tell(
        &RULE,
        Severity::Error,
        ending.certainty,
        "requests were sent on connections that were known to be closed",
        message,
    )
    .adds(idle)
    .shows(Some(ending.close.frame_ref), "FIN from the server")
    .shows(known, "the client acknowledges the FIN")
    .shows(Some(sent.first), format!("the {what} is sent all the same"))
    .about(connection)
}
