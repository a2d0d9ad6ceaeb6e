//! The server responded to a request with an error of its own.

use crate::analysis::connection::{Connection, How};
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::protocol::http::Exchange;
use crate::rules::Severity;
use crate::rules::classify::{request, response};
use crate::rules::classify_messages::timed_out;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::waiting::gateway_error::{answered, is_told, shown};
use crate::rules::wording::{named, not_yet, repetition, tell};

rule! {
    /// # What happened
    ///
    /// The connection carried a complete response, and the response says that the server failed. Its status is 500 or above,
    /// and nothing shows that a gateway wrote it. The client's log names that status.
    ///
    /// A call of gRPC says it at its end, in `grpc-status`: its HTTP status is 200 all the same.
    ///
    /// # Why it matters
    ///
    /// Nothing is wrong with the connection. If this is the request that failed, the reason is in the server's program and
    /// not in the network. The server's log has it.
    ///
    /// # Remedy
    ///
    /// - *If the status was 503:* Look whether the server was down for maintenance, or at a limit of its own (workers,
    ///   connections, rate of requests), which can be raised.
    /// - Look in the server's log at the time of the response.
    /// - Look also in the logs of the proxies in front of the server: they say whether the response is their own.
    ///
    /// # Tell it by
    ///
    /// The response is complete, its status is 500 or above, and nothing in it names a gateway.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /report        -->
    ///  2.520                     <--  500 "worker timeout"
    ///  2.530  FIN                -->
    ///  2.540                     <--  FIN
    ///  2.550  ACK                -->
    ///  => findings server-error-status
    /// ```
    ///
    /// # Not this
    ///
    /// A 4xx status is about the client's request, not about a failure of the server:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /nowhere       -->
    ///  0.030                     <--  404 "no such page"
    ///  0.040  FIN                -->
    ///  0.050                     <--  FIN
    ///  0.060  ACK                -->
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §15.6 (server errors); gRPC over HTTP/2, Responses; gRPC status codes.
    pub(in crate::rules) RULE: "server-error-status", Severity::Note,
    "the server responds that it failed", Check::Connection(check)
}

fn failed(exchange: &&Exchange) -> bool {
    exchange
        .status()
        .is_some_and(|status| (500..600).contains(&status))
        && !is_told(exchange)
        && !exchange.is_proxied()
}

/// Whether the server answered half a request whose rest did not come, and closed: the rule on that tells it.
fn is_too_slow(connection: &Connection, exchange: &Exchange) -> bool {
    let half = request(exchange).is_some_and(|message| !message.is_complete());
    half && connection.teardown.how != How::Open && timed_out(exchange)
}

fn check(connection: &Connection) -> Verdict {
    let all = connection.exchanges.iter().filter(failed);
    let mut all = all.filter(|it| !is_too_slow(connection, it));
    let Some(exchange) = all.next() else {
        return grpc(connection);
    };
    let status = exchange.status().unwrap_or_default();
    let more = all.count();
    let told = tell(
        &RULE,
        Severity::Note,
        Certainty::Certain,
        "Server responded with an error status[| on # connections]",
        Statement::from(answered(exchange, "The server", status)).means(repetition(exchange)),
    )
    .means((status == 503).then_some("503 stands for a passing state: wait before the retry."));
    shown(told, exchange, more, connection)
}

/// The codes of gRPC by which the server, or what is behind it, failed; the others are about the call, or the client's own.
const GRPC_FAILURES: [(u16, &str); 6] = [
    (2, "UNKNOWN"),
    (4, "DEADLINE_EXCEEDED"),
    (8, "RESOURCE_EXHAUSTED"),
    (13, "INTERNAL"),
    (14, "UNAVAILABLE"),
    (15, "DATA_LOSS"),
];

/// A call that the server ended with one of those codes.
fn grpc(connection: &Connection) -> Verdict {
    let failure = |exchange: &Exchange| {
        let code = exchange.stream.as_ref()?.grpc_status?;
        GRPC_FAILURES.into_iter().find(|(known, _)| *known == code)
    };
    let all = connection.exchanges.iter();
    let mut all = all.filter_map(|it| Some((it, failure(it)?)));
    let Some((exchange, (code, name))) = all.next() else {
        return not_yet(connection);
    };
    let more = all.count();
    let stream = exchange.stream.as_ref();
    let said = stream.and_then(|it| it.grpc_message.as_ref());
    let said = said.map(|it| shortened(it.as_bytes(), QUOTED).into_owned());
    let code = format!("{code} ({name})");
    let message = match said.filter(|it| !it.is_empty()) {
        Some(said) => sentence!(
            "The server ended the call {} with `grpc-status` {}: \"{}\".",
            named(exchange),
            code,
            said
        ),
        None => sentence!(
            "The server ended the call {} with `grpc-status` {}.",
            named(exchange),
            code
        ),
    };
    tell(
        &RULE,
        Severity::Note,
        Certainty::Certain,
        "Server responded with an error status[| on # connections]",
        Statement::from(message).means(repetition(exchange)),
    )
    .adds((more > 0).then(|| {
        sentence!(
            "{} on this connection failed.",
            Value::count(more as u64, "more call", "more calls")
        )
    }))
    .shows(request(exchange).map(|it| it.first), "call")
    .shows(response(exchange).map(|it| it.last), "`grpc-status`")
    .about(connection)
}

/// Characters of a message that are quoted.
const QUOTED: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check::told_by;

    /// The HTTP status of a failed call is 200.
    #[test]
    fn a_call_of_grpc_says_at_its_end_that_it_failed() {
        for (code, told) in [
            (0, None),
            (5, None),
            (8, Some("`grpc-status` 8 (RESOURCE_EXHAUSTED)")),
            (14, Some("`grpc-status` 14 (UNAVAILABLE)")),
        ] {
            let text = format!(
                "SYN -->\n<-- SYN\nh2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\nh2 HEADERS 1 POST /S/M END -->\n\
                 <-- h2 HEADERS 1 200 END [grpc-status={code}]\nFIN -->\n<-- FIN\nACK -->"
            );
            let found = told_by(&RULE, &text);
            let fits = found
                .as_deref()
                .map(|it| told.is_some_and(|told| it.contains(told)));
            assert_eq!(fits, told.map(|_| true), "{found:?}");
        }
    }

    #[test]
    fn the_status_and_the_time_are_reported() {
        let told = told_by(
            &RULE,
            "SYN -->\n<-- SYN\nACK -->\nGET /a -->\n+2500ms <-- 500 \"x\"\nACK -->\nGET /b -->\n<-- 501 \"x\"",
        );
        assert_eq!(
            told.as_deref(),
            Some(
                "The server responded with 500 to `GET /a` after 2.50 s. 1 more request on this \
                 connection got a response like this. `GET /a` is safe to retry (GET is idempotent)."
            )
        );
    }
}
