//! A gateway answered 504: the server behind it was too slow.

use std::time::Duration;

use crate::analysis::connection::{Author, Connection, Who, author};
use crate::rules::Severity;
use crate::rules::classify::{request, response};
use crate::rules::connecting::proxy_refused::is_proxied;
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::waiting::gateway_error::answered;
use crate::rules::wording::{not_yet, repetition, tell};

rule! {
    /// # What happened
    ///
    /// The answer is 504 (Gateway Timeout): a proxy, load balancer or gateway in front of the server waited for it as long as
    /// it is set to, and gave up. The time that the client waited is that limit.
    ///
    /// # Why it matters
    ///
    /// The server behind may still be working, and may finish: whether the request took effect is not known. The limit is one
    /// setting at one place, and its value (60 s nginx and ALB, 120 s Cloudflare, 230 s Azure) tells which.
    ///
    /// # Remedy
    ///
    /// - *If the answer came after 1 s or more:* Raise the gateway's limit above the longest call (nginx `proxy_read_timeout`, HAProxy `timeout server`, ALB idle
    ///   timeout), or make the call shorter than it.
    /// - *If the answer came in under 1 s:* Look into the gateway's log: the server behind it may not have been reached at all.
    /// - Capture between the gateway and the server behind it at the same time: it shows whether that server had the request, and
    ///   what it did with it.
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
    pub(in crate::rules) RULE: "gateway-timeout", Severity::Error,
    "a gateway gave up waiting for the server behind it", Check::Connection(check)
}

/// Sooner than this nobody waited for an answer.
const AT_ONCE: Duration = Duration::from_secs(1);

fn check(connection: &Connection) -> Verdict {
    let mut late = connection
        .exchanges
        .iter()
        .filter(|exchange| exchange.status() == Some(504) && !is_proxied(exchange));
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
    message.say(match time.is_some_and(|time| time < AT_ONCE) {
        false => "It gave up waiting for the server behind it.",
        true => {
            "That is soon for a time limit: it may not have reached the server behind it at all, or have passed on the \
             answer of another gateway."
        }
    });
    message.mean(repetition(exchange));
    let more = late.count();
    tell(
        &RULE,
        Severity::Error,
        connection.teardown.certainty,
        "a gateway answered 504",
        message,
    )
    .adds(time.and_then(|time| measured_time::wait_of(gateway, time, Who::Server)))
    .adds((more > 0).then(|| sentence!("{} more on the connection got the same answer.", more)))
    .shows(
        request(exchange).map(|message| message.last),
        "the request is complete",
    )
    .shows(response(exchange).map(|message| message.first), "504")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check::told_by;

    #[test]
    fn an_answer_at_once_is_no_time_limit() {
        let told = |wait: &str| {
            let text = format!("SYN -->\n<-- SYN\nACK -->\nGET / -->\n+{wait} <-- 504 \"x\"");
            told_by(&RULE, &text).expect("found")
        };
        assert!(told("60s").contains("gave up waiting"));
        assert!(!told("3ms").contains("gave up waiting"));
    }
}
