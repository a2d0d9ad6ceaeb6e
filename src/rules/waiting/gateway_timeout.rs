//! A gateway answered 504: the server behind it was too slow.

use crate::analysis::connection::{Connection, Who};
use crate::base::format::duration;
use crate::rules::Severity;
use crate::rules::classify::{request, response};
use crate::rules::connecting::proxy_refused::is_proxied;
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::{asked, not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The answer is 504 (Gateway Timeout): a proxy, load balancer or gateway in front of the server waited for it as long as
    /// it is set to, and gave up. The time that the client waited is that limit.
    ///
    /// # Why it matters
    ///
    /// The server behind may still be working, and may finish: whether the request took effect is not known. The limit is one
    /// setting at one place, and its value (60 s nginx and ALB, 100 s Cloudflare, 230 s Azure) tells which.
    ///
    /// # Remedy
    ///
    /// - Raise the gateway's limit above the longest call (nginx `proxy_read_timeout`, HAProxy `timeout server`, ALB idle
    ///   timeout), or make the call shorter than it.
    /// - If the server behind could not be reached at all, look there: a capture between the gateway and it will show.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    ///  0.030                     <--  ACK
    /// 60.020                     <--  504 "too slow" [close]
    /// 60.021                     <--  FIN
    /// 60.030  FIN                -->
    /// 60.040                     <--  ACK
    ///  => findings gateway-timeout
    /// ```
    ///
    /// # Not this
    ///
    /// A slow answer is an answer:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    ///  0.030                     <--  ACK
    /// 59.000                     <--  200 "here" [close]
    /// 59.001                     <--  FIN
    /// 59.010  FIN                -->
    /// 59.020                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §15.6.5 (504).
    pub(super) RULE: "gateway-timeout", Severity::Error,
    "a gateway gave up waiting for the server behind it", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let mut late = connection
        .exchanges
        .iter()
        .filter(|exchange| exchange.status() == Some(504) && !is_proxied(exchange));
    let Some(exchange) = late.next() else {
        return not_yet(connection);
    };
    let time = exchange.waited().unwrap_or_default();
    let message = format!(
        "A gateway answered 504 to the {} after {}: it gave up waiting for the server behind it.",
        asked(Some(exchange)),
        duration(time)
    );
    let more = late.count();
    let more = (more > 0).then(|| format!("{more} more on this connection got the same answer."));
    tell(
        &RULE,
        Severity::Error,
        connection.teardown.certainty,
        "a gateway answered 504",
        message,
    )
    .adds(measured_time::wait(time, Who::Server))
    .adds(more)
    .shows(
        request(exchange).map(|message| message.last),
        "the request is complete",
    )
    .shows(response(exchange).map(|message| message.first), "504")
    .about(connection)
}
