//! A gateway responded with an error of its own: 502, or 503 where the response shows who wrote it.

use crate::analysis::connection::{Author, Connection, author};
use crate::base::certainty::Certainty;

use crate::protocol::http::{Exchange, FieldName, Message};
use crate::rules::Severity;
use crate::rules::classify::{request, response};
use crate::rules::refusals::is_gateway_limit;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::wording::{DiagnosisBuilder, named, not_yet, repetition, tell};

rule! {
    /// # What happened
    ///
    /// The response is an error of a gateway: 502 (Bad Gateway), or 503 (Service Unavailable) with the text of a proxy or
    /// load balancer. The client's connection is fine. What failed lies between the gateway and the server behind it, or in
    /// the gateway's own limits.
    ///
    /// # Why it matters
    ///
    /// The client sees only that the request failed. This side does not show whether the server behind the gateway received
    /// it, or whether it took effect. A server that closed or reset may have had all of it.
    ///
    /// # Remedy
    ///
    /// - *If a limit of the gateway refused the request:* Raise that limit (nginx `limit_req`, `limit_conn`), or let the client
    ///   send less often.
    /// - *If the server is not named:* Look in the gateway's log at the time of the response: it names the server behind it and what that
    ///   server did.
    /// - *If no limit of the gateway refused the request:* Capture between the gateway and the server behind it at the same time,
    ///   on all interfaces of the gateway's host. A refusal, a FIN or a RST before the response shows there.
    /// - *If the status was 502 and the answer came in under 1 s:* Compare the idle timeout of the server behind the gateway
    ///   with the gateway's. Where the server closes idle connections first, requests meet the close.
    /// - *If the status was 503 and no limit of the gateway refused the request:* Check whether the gateway had a server for the request: health checks, a full pool, a rate
    ///   limit, a deployment in progress.
    ///
    /// # Tell it by
    ///
    /// This connection carries a complete 502 or 503. The fault is on another connection: between the gateway and the server
    /// behind it.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  POST /api "{}"     -->
    ///  0.045                     <--  502 "sorry" [server=awselb/2.0]
    ///  0.055  FIN                -->
    ///  0.065                     <--  FIN
    ///  0.075  ACK                -->
    ///  => findings gateway-error
    /// ```
    ///
    /// The text of the body names the gateway where no header does:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /sh            -->
    ///  0.045                     <--  503 "<html><body><h1>503</h1>No server is available to handle this request."
    ///  0.055  FIN                -->
    ///  0.065                     <--  FIN
    ///  0.075  ACK                -->
    ///  => findings gateway-error
    /// ```
    ///
    /// # Not this
    ///
    /// A 503 with the application's own text says nothing about a gateway, even if it came through one:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.045                     <--  503 "{\"later\":true}" [server=nginx/1.22.1]
    ///  0.055  FIN                -->
    ///  0.065                     <--  FIN
    ///  0.075  ACK                -->
    ///  => findings server-error-status
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §15.6.3 (502), §15.6.4 (503), §3.7 (gateways).
    pub(in crate::rules) RULE: "gateway-error", Severity::Error,
    "a gateway responds with an error of its own", Check::Connection(check)
}

/// Whether the response is a gateway's error that this rule reports.
fn failed(exchange: &&Exchange) -> bool {
    !exchange.is_proxied()
        && match exchange.status() {
            Some(502) => true,
            Some(503) => matches!(author(exchange), Author::Gateway(..)),
            _ => false,
        }
}

/// Whether another rule reports this response as one of a gateway.
pub(in crate::rules) fn is_told(exchange: &Exchange) -> bool {
    exchange.status() == Some(504) || failed(&exchange)
}

fn check(connection: &Connection) -> Verdict {
    let mut all = connection.exchanges.iter().filter(failed);
    let Some(exchange) = all.next() else {
        return not_yet(connection);
    };
    let status = exchange.status().unwrap_or_default();
    let author = author(exchange);
    let (certainty, who) = match author {
        Author::Gateway(product, _) => (Certainty::Certain, product.title),
        Author::Presumed(_) | Author::Unknown => (Certainty::Likely, "The server"),
    };
    let mut message = Statement::from(answered(exchange, who, status));
    match author {
        Author::Gateway(product, meaning) => {
            message.say(sentence!("This status from {} means: {}.", product.title, meaning));
        }
        Author::Presumed(Some(product)) => message.presume(sentence!(
            "{} sent it as a gateway, because the server behind it gave no usable response.",
            product.title
        )),
        Author::Presumed(None) | Author::Unknown => message.presume(
            "A gateway sent it, because the server behind it gave no usable response. The text of the body names no gateway.",
        ),
    }
    if let Some(via) = exchange.response_fields(FieldName::Via).next() {
        let via = crate::base::escape::shortened(via.value.as_bytes(), 60).into_owned();
        message.say(sentence!("The response's `Via` field says {}.", via));
    }
    message.mean(repetition(exchange));
    if is_gateway_limit(exchange) {
        message.mean("At once, a retry meets the same limit.");
    }
    let more = all.count();
    let told = tell(
        &RULE,
        Severity::Error,
        certainty,
        sentence!(
            "Gateway responded {}[| on # connections]",
            status.to_string()
        ),
        message,
    );
    shown(told, exchange, more, connection)
}

/// Completes the case of this response: how many more there are, and the frames of request and response.
pub(in crate::rules) fn shown(
    told: DiagnosisBuilder,
    exchange: &Exchange,
    more: usize,
    connection: &Connection,
) -> Verdict {
    let status = exchange.status().unwrap_or_default();
    told.adds((more > 0).then(|| {
        sentence!(
            "{} on this connection got a response like this.",
            Value::count(more as u64, "more request", "more requests")
        )
    }))
    .shows(
        request(exchange).map(|message| message.last),
        match request(exchange).is_some_and(Message::is_complete) {
            true => "request complete",
            false => "last of the request that was captured",
        },
    )
    .shows(
        response(exchange).map(|message| message.first),
        status.to_string(),
    )
    .about(connection)
}

/// Who responded with what to which request, and when.
pub(in crate::rules) fn answered(exchange: &Exchange, who: &'static str, status: u16) -> Sentence {
    match exchange.waited() {
        Some(waited) => sentence!(
            "{} responded with {} to {} after {}.",
            who,
            status.to_string(),
            named(exchange),
            waited
        ),
        None => sentence!(
            "{} responded with {} to {}.",
            who,
            status.to_string(),
            named(exchange)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check::{found_by, told_by};

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\nPOST /a \"x\" -->\n";

    #[test]
    fn the_text_of_the_body_names_the_gateway_and_its_reason() {
        let nginx = "<hr><center>nginx/1.22.1</center>";
        let told = told_by(
            &RULE,
            &format!("{OPEN}+3ms <-- 502 \"{nginx}\" [server=nginx/1.22.1]"),
        );
        let told = told.expect("found");
        assert!(
            told.starts_with(
                "nginx responded with 502 to `POST /a` after 3.0 ms. This status from nginx means"
            ),
            "{told}"
        );
        assert!(
            told.contains("not HTTP") && told.contains("blindly"),
            "{told}"
        );
        let limit = told_by(
            &RULE,
            &format!("{OPEN}<-- 503 \"{nginx}\" [server=nginx/1.22.1]"),
        );
        assert!(limit.expect("found").contains("limit_req"));
    }

    #[test]
    fn a_502_without_known_text_is_presumed_to_be_a_gateways() {
        let found = found_by(&RULE, &format!("{OPEN}<-- 502 \"oops\"")).expect("found");
        assert_eq!(found.certainty, Certainty::Likely);
        let found = found_by(&RULE, &format!("{OPEN}<-- 502 \"\" [server=awselb/2.0]"));
        assert_eq!(found.expect("found").certainty, Certainty::Certain);
    }

    #[test]
    fn an_applications_own_error_is_not_a_gateways() {
        for answer in [
            "503 \"x\"",
            "503 \"x\" [server=envoy]",
            "500 \"x\" [server=awselb/2.0]",
        ] {
            assert!(
                found_by(&RULE, &format!("{OPEN}<-- {answer}")).is_none(),
                "{answer}"
            );
        }
    }
}
