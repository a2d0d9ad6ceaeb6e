//! A request breaks the grammar of HTTP/1.

use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::FaultRule;
use crate::rules::Severity;
use crate::rules::classify::body_without_length;
use crate::rules::response::malformed_response::{message_of, place, weight, worst};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{asked, named, not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The bytes of a request break the grammar of HTTP/1. It may be a line that is not a request line, or a field name with
    /// forbidden bytes or white space before the colon. Or it is a lone CR or LF, a bad chunk, or a length that is not a
    /// number. The finding says which rule, at which byte, and quotes the bytes. Servers respond with 400 and close, or close
    /// without a response.
    ///
    /// # Why it matters
    ///
    /// Servers and the proxies in front of them read such a request differently. Where they do, one of them can see two
    /// requests where the other sees one (request smuggling). Well-meaning clients fail with a 400 that is hard to explain.
    ///
    /// # Remedy
    ///
    /// - *If the body was not announced:* Let the client send `Content-Length` with the body, or `Transfer-Encoding: chunked`.
    /// - *If no chunk was at fault:* Correct the program that writes the request. Encode targets and field values with the
    ///   library's own functions.
    /// - *If a chunk was at fault:* Correct the program that writes the request. A library's own functions write chunks by the
    ///   grammar.
    /// - Let the first proxy refuse such requests: attackers send them as well.
    ///
    /// # Tell it by
    ///
    /// The request's bytes break the grammar of HTTP, and the server answers 400 or closes directly after them.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "GET / HTTP/1.1\r\nHost: a\r\nX-Name : b\r\nConnection: close\r\n\r\n" -->
    ///  0.040                     <--  400 "bad" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings malformed-request
    /// ```
    ///
    /// # Not this
    ///
    /// Another protocol breaks no rule of HTTP:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "\x00\x01\x02\x03" -->
    ///  0.030                     <--  "\x00\x02"
    ///  0.040  FIN                -->
    ///  0.050                     <--  FIN
    ///  0.060  ACK                -->
    ///  => findings none
    /// ```
    ///
    /// A request that uses all that is allowed:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "\r\nGET /?a=b%20c HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nConnection: close\r\n\r\n" -->
    ///  0.040                     <--  200 "fine" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// TLS is not HTTP:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00" -->
    ///  0.030                     <--  ACK
    /// ```
    ///
    /// Of the head, only the beginning was captured:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /a/long/way [cut=9] -->
    ///  0.040                     <--  200 "hello"
    /// ```
    ///
    /// The capture begins inside a body:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000                     <--  100
    ///  0.005  "abcdef"           -->
    ///  0.010                     <--  200 "hello" [close]
    ///  0.011                     <--  FIN
    ///  0.020  FIN                -->
    ///  0.030                     <--  ACK
    /// ```
    ///
    /// A gap, after which the middle of a body is read:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  POST /up [length=3000] data 1000 ~~>
    ///  0.030  "\x00 no head at all\r\n" -->
    ///  0.040                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §2.2, §3, §5, §7.1, §11.2; RFC 9110 §5.5.
    pub(super) RULE: "malformed-request", Severity::Error,
    "a request breaks the grammar of HTTP/1", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some((severity, exchange, fault, count)) =
        worst(connection, Who::Client, |rule| weight(rule, Who::Client))
    else {
        return not_yet(connection);
    };
    let message = message_of(exchange, Who::Client);
    // What the server understood all the same lost nothing.
    let understood = exchange.status().is_some_and(|it| (200..400).contains(&it));
    // So does a refusal that is about what was asked: the server had read it.
    let read = matches!(
        exchange.status(),
        Some(401..=407 | 409..=413 | 415..=417 | 501)
    );
    let severity = match (understood, severity) {
        (true, Severity::Error) => Severity::Warning,
        (true, Severity::Warning) => Severity::Note,
        (false, Severity::Warning) if read => Severity::Note,
        (_, severity) => severity,
    };
    let other_version = fault.rule == FaultRule::OtherVersion;
    let told = match other_version {
        true => sentence!(
            "The {} has an HTTP version other than 1.0 and 1.1.",
            asked(Some(exchange))
        ),
        false => sentence!(
            "The {} breaks the grammar of HTTP: {}.",
            asked(Some(exchange)),
            fault.rule.text()
        ),
    };
    let summary = match other_version {
        true => "[Request has|Requests on # connections have] an unusual HTTP version",
        false => "[Request breaks|Requests on # connections break] the grammar of HTTP",
    };
    let body = (fault.rule == FaultRule::StartLine)
        .then(|| body_without_length(connection, exchange))
        .flatten();
    let unannounced = body.map(|before| {
        sentence!(
            "These bytes are probably the body of {}, which announced none: it has neither `Content-Length` nor `Transfer-Encoding`.",
            named(before)
        )
    });
    let answer = exchange
        .status()
        .map(|status| sentence!("The server responded with {}.", status.to_string()));
    let more =
        (count > 1).then(|| sentence!("{} requests on this connection are like this.", count));
    tell(&RULE, severity, Certainty::Certain, summary, told)
        .adds(place(fault, message))
        .means(unannounced)
        .adds(answer)
        .adds(more)
        .shows(
            message
                .map(|message| message.first)
                .or(Some(connection.first)),
            format!("client's message: {}", fault.rule.text()),
        )
        .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::{Severity, ladder_check};

    /// A method that is not allowed has nothing to do with the end of a line.
    #[test]
    fn a_tolerated_fault_is_not_why_the_method_was_refused() {
        for (status, severity) in [
            ("405", Severity::Note),
            ("411", Severity::Note),
            ("501", Severity::Note),
            ("400", Severity::Warning),
        ] {
            let text = format!(
                "SYN -->\n<-- SYN\n\"TRACE / HTTP/1.1\\nHost: a\\n\\n\" -->\n<-- {status} \"no\"\nACK -->"
            );
            let found = ladder_check::found_by(&super::RULE, &text).expect("found");
            assert_eq!(found.severity, severity, "{status}");
        }
    }

    #[test]
    fn the_preface_of_http2_is_no_broken_request() {
        let found = |first: &str| {
            let text = format!(
                r#"SYN -->
<-- SYN
"GET / HTTP/1.1\r\nHost: a\r\n{first}: h2c\r\n\r\n" -->
<~~ data 71
"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" -->
ACK -->"#
            );
            ladder_check::told_by(&super::RULE, &text)
        };
        assert_eq!(found("Upgrade"), None);
        let told = found("U}grade").expect("found");
        assert!(!told.contains("2 requests"), "{told}");
    }
}
