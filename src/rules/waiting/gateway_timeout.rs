//! A gateway responded with 504: the server behind it was too slow.

use std::time::Duration;

use crate::analysis::connection::{Author, Connection, Who, author};
use crate::rules::Severity;
use crate::rules::classify::{request, response};
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::waiting::gateway_error::answered;
use crate::rules::wording::{not_yet, repetition, tell};

rule! {
    /// # What happened
    ///
    /// The response is 504 (Gateway Timeout). A proxy, load balancer or gateway waited for the server behind it as long as it
    /// is set to, and timed out. The time that the client waited is that timeout.
    ///
    /// # Why it matters
    ///
    /// The server behind the gateway may still be working, and may finish, so nobody knows whether the request took effect.
    /// The timeout is one setting in one place. Its value (60 s nginx and ALB, 120 s Cloudflare, 230 s Azure) points to
    /// which.
    ///
    /// # Remedy
    ///
    /// - *If the answer came after 1 s or more:* Raise the gateway's timeout above the longest call (nginx
    ///   `proxy_read_timeout`, HAProxy `timeout server`, ALB `idle_timeout.timeout_seconds`), or make the call shorter.
    /// - *If the answer came in under 1 s:* Look in the gateway's log: it may not have reached the server behind it at all.
    /// - Capture between the gateway and the server behind it at the same time. That shows whether the server received the
    ///   request, and what it did with it.
    ///
    /// # Tell it by
    ///
    /// A complete 504 comes a round number of seconds after the request. That time is the gateway's timeout.
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
    /// A slow response is a response:
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
    pub(in crate::rules) RULE: "gateway-timeout", Severity::Error,
    "a gateway times out waiting for the server behind it", Check::Connection(check)
}

/// A sooner response is no timeout.
const AT_ONCE: Duration = Duration::from_secs(1);

fn check(connection: &Connection) -> Verdict {
    let mut late = connection
        .exchanges
        .iter()
        .filter(|exchange| exchange.status() == Some(504) && !exchange.is_proxied());
    let Some(exchange) = late.next() else {
        return not_yet(connection);
    };
    let time = exchange.waited();
    let gateway = match author(exchange) {
        Author::Gateway(product, _) | Author::Presumed(Some(product)) => Some(product),
        Author::Presumed(None) | Author::Unknown => None,
    };
    let who = gateway.map_or("A gateway", |it| it.title);
    let mut message = Statement::from(answered(exchange, who, 504));
    match time.is_some_and(|time| time < AT_ONCE) {
        false => message.say(sentence!("{} timed out waiting for the server behind it.", match gateway { Some(it) => it.title, None => "The gateway" })),
        true => message.mean("That is soon for a timeout: the gateway may not have reached the server behind it, or it passed on another \
                              gateway's response."),
    }
    message.mean(repetition(exchange));
    let more = late.count();
    tell(
        &RULE,
        Severity::Error,
        connection.teardown.certainty,
        "Gateway responded 504[| on # connections]",
        message,
    )
    .adds(time.and_then(|time| measured_time::wait_of(gateway, time, Who::Server)))
    .adds((more > 0).then(|| {
        sentence!(
            "{} on this connection got the same response.",
            Value::count(more as u64, "more request", "more requests")
        )
    }))
    .shows(
        request(exchange).map(|message| message.last),
        "request complete",
    )
    .shows(response(exchange).map(|message| message.first), "504")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check::told_by;

    #[test]
    fn a_response_at_once_is_no_timeout() {
        let told = |wait: &str| {
            let text = format!("SYN -->\n<-- SYN\nACK -->\nGET / -->\n+{wait} <-- 504 \"x\"");
            told_by(&RULE, &text).expect("found")
        };
        assert!(told("60s").contains("timed out waiting"));
        assert!(!told("3ms").contains("timed out waiting"));
    }
}
