//! The server refused a request: a reply of another protocol that is an error, or a status of HTTP for which clients fail.

use crate::analysis::connection::{Connection, ConnectionOutcome, FailedReason};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::protocol::dialogue::{Complaint, is_login};
use crate::protocol::http::{Exchange, MessageProgress};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, request, response};
use crate::rules::refusals::{Refusal, are_credentials, refused};
use crate::rules::retry::{PASSING, is_passing};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::{
    far, in_other_words, named, not_yet, quoted_error, refused_again, tell,
};

rule! {
    /// # What happened
    ///
    /// The server replied with an error to a request of a protocol other than HTTP. It may be a command with a reply 5yz, a
    /// query with an SQLSTATE or a search with a result code. The session went on, or was closed cleanly. The application's
    /// log has the text of the error.
    ///
    /// Where nothing was done on the connection after a login was refused, it counts as failed. That is no fault of the
    /// connection: the finding is a note.
    ///
    /// In HTTP, the server refused a request for its size (413, 414, 431), or an upload before all of it had arrived. Or it did
    /// not open the WebSocket that the client asked for, or its page says that it wants a client certificate.
    ///
    /// # Why it matters
    ///
    /// The connection did its part. If the application reports a failure, the reason is in this reply and not in how the
    /// connection ended.
    ///
    /// # Remedy
    ///
    /// - *If the user or the password was refused:* Correct the user or the password in the client's configuration, or the
    ///   account at the server.
    /// - *If HTTP was not spoken and neither user nor password was refused:* Correct what the error names, in the client or at
    ///   the server.
    /// - *If the request was refused with 413:* Raise the server's limit on the body (nginx `client_max_body_size`, Apache
    ///   `LimitRequestBody`, Kestrel `MaxRequestBodySize`, IIS `maxAllowedContentLength`), or let the client send less at once.
    /// - *If the request was refused with 414:* Let the client send its parameters in the body of a POST, or raise the server's
    ///   limit (nginx `large_client_header_buffers`, Apache `LimitRequestLine`).
    /// - *If the request was refused with 431:* Let the client send a smaller head, mostly cookies, or raise the server's
    ///   limit (Node.js `--max-http-header-size`, Tomcat `maxHttpHeaderSize`).
    /// - *If a WebSocket was refused:* Check path, `Origin` and credentials of the request. Behind a proxy, check that it passes
    ///   on `Upgrade` and `Connection`.
    /// - *If a client certificate was wanted:* Give the client a certificate of an authority that the server accepts (nginx
    ///   `ssl_client_certificate`), or make it optional at the server (nginx `ssl_verify_client`).
    /// - *If an upload was refused:* Look in the server's log for the reason. Let the client ask first, with `Expect:
    ///   100-continue`, before it sends a large body.
    ///
    /// # Tell it by
    ///
    /// The server replies with an error of its protocol, and the connection stays open. In HTTP, the status is 413, 414 or 431,
    /// or it comes before the end of the upload. A request with `Upgrade: websocket` gets another status than 101.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "220 mail.example ESMTP\r\n"
    ///  0.040  "EHLO a\r\n"       -->
    ///  0.050                     <--  "250 mail.example\r\n"
    ///  0.060  "MAIL FROM:<a@b>\r\n" -->
    ///  0.070                     <--  "550 5.7.1 not from there\r\n"
    ///  0.080  "QUIT\r\n"         -->
    ///  0.090                     <--  "221 bye\r\n"
    ///  0.091                     <--  FIN
    ///  0.100  FIN                -->
    ///  0.110                     <--  ACK
    ///  => findings request-refused
    /// ```
    ///
    /// An upload that is too large, refused before its end:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  POST /up [length=9000] data 1000 -->
    ///  0.030                     <--  413 "too large" [close]
    ///  0.031                     <--  FIN
    ///  0.035  data 2000          -->
    ///  0.040                     <--  ACK
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings request-refused
    /// ```
    ///
    /// # Not this
    ///
    /// The server wants credentials first, or does not know the path:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  POST /up [length=9000] data 1000 -->
    ///  0.030                     <--  401 "who?"
    ///  0.035  data 8000          -->
    ///  0.040                     <--  ACK
    ///  0.050  GET /nowhere       -->
    ///  0.060                     <--  404 "no"
    ///  0.070  FIN                -->
    ///  0.080                     <--  FIN
    ///  0.090  ACK                -->
    /// ```
    ///
    /// The server ends the session with an error:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "421 4.3.2 mail.example ESMTP: too many connections\r\n"
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings session-ended-with-error
    /// ```
    ///
    /// # References
    ///
    /// RFC 5321 §4.2 (reply codes); RFC 4511 §4.1.9 (result codes). RFC 9110 §15.5.14, §15.5.15 and RFC 6585 §5 (limits of size).
    /// RFC 6455 §4.2.2 (a server that does not open a WebSocket).
    pub(in crate::rules) RULE: "request-refused", Severity::Note,
    "the server replies to a request with an error, or refuses it for its size", Check::Read(check)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    let reset = ending.is_some_and(|it| it.reading == EndingKind::EarlyReset);
    match refused(connection).filter(|_| !reset) {
        Some((exchange, status, refusal)) => status_of_http(connection, exchange, status, refusal),
        None => reply(connection),
    }
}

fn status_of_http(
    connection: &Connection,
    exchange: &Exchange,
    status: u16,
    refusal: Refusal,
) -> Verdict {
    let name = named(exchange);
    let (summary, message) = match refusal {
        Refusal::Size(what) => (
            "Server refused [a request|# requests] as too large",
            sentence!(
                "The server responded with {} to {}: {} is larger than it accepts.",
                status.to_string(),
                name,
                what
            ),
        ),
        Refusal::WebSocket => (
            "Server did not open [a WebSocket|# WebSockets]",
            sentence!(
                "The client asked for a WebSocket with {}, and the server responded with {}.",
                name,
                status.to_string()
            ),
        ),
        Refusal::Certificate => (
            "Server wants [a client certificate|client certificates for # requests]",
            sentence!(
                "The server responded with {} to {}: its page says that it wants a client certificate, or did not accept the one \
                 that was sent.",
                status.to_string(),
                name
            ),
        ),
        Refusal::Early => (
            "Server refused [an upload|# uploads] before its end",
            sentence!(
                "The server responded with {} to {} before all of it had arrived.",
                status.to_string(),
                name
            ),
        ),
    };
    let sent = request(exchange);
    let size = sent.and_then(|message| match (refusal, message.expected()) {
        (Refusal::Size("its head"), _) if message.progress != MessageProgress::Head => {
            let head = u64::from(message.head_len);
            Some(sentence!("The head has {}.", Value::exact_bytes(head)))
        }
        (Refusal::Size("its body") | Refusal::Early, _) if !exchange.is_complete() => {
            Some(far(exchange, message))
        }
        (Refusal::Size("its body"), Some(body)) => {
            Some(sentence!("The body has {}.", Value::exact_bytes(body)))
        }
        _ => None,
    });
    tell(&RULE, Severity::Note, Certainty::Certain, summary, message)
        .adds(size)
        .means(Some(refused_again(exchange, status)))
        .shows(sent.map(|it| it.first), "request")
        .shows(response(exchange).map(|it| it.first), "response")
        .about(connection)
}

fn reply(connection: &Connection) -> Verdict {
    let ended = connection.outcome == ConnectionOutcome::Failed(FailedReason::ReportedError);
    let facts = connection.dialogue.as_deref().filter(|_| !ended);
    let Some((facts, complaint)) = facts
        .filter(|facts| facts.refused > 0)
        .and_then(|facts| Some((facts, facts.complaint.as_ref()?)))
        .filter(|(_, complaint)| complaint.by == FlowEnd::B)
    else {
        return not_yet(connection);
    };
    let said = quoted_error(complaint);
    let asked = facts.refused_request();
    let message = match asked {
        Some(asked) => sentence!(
            "The server replied to {} with the error {}.",
            named(asked),
            said
        ),
        None => sentence!("The server replied to a request with the error {}.", said),
    };
    let more = facts.refused.saturating_sub(1);
    let more = (more > 0).then(|| {
        sentence!(
            "{} on this connection got an error before.",
            Value::count(more.into(), "more request", "more requests")
        )
    });
    tell(
        &RULE,
        Severity::Note,
        Certainty::Certain,
        match asked.and_then(in_other_words).is_some_and(is_login) {
            true => "Server refused [a login|# logins]",
            false => "Server replied with an error[| on # connections]",
        },
        message,
    )
    .adds(more)
    .means(Some(retry_of_refused(connection, complaint)))
    .shows(Some(complaint.at), "error message")
    .about(connection)
}

/// What a retry is good for after a reply that is an error.
fn retry_of_refused(connection: &Connection, complaint: &Complaint) -> &'static str {
    match () {
        () if is_passing(connection) => PASSING,
        () if are_credentials(connection, complaint) => {
            "The same login fails again. Retrying it may lock the account."
        }
        () => "An unchanged retry most likely gets the same reply.",
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::ladder_check;

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";
    const CLOSE: &str = "\n<-- FIN\nFIN -->\n<-- ACK";
    const ASKED: &str = "GET /ws [connection=Upgrade upgrade=websocket] -->\n";

    #[test]
    fn a_refusal_is_told_where_a_client_fails_for_it() {
        let upload = "POST / [length=9000] data 1000 -->\n";
        for (text, told) in [
            (
                format!("{upload}<-- 413 \"no\" [close]{CLOSE}"),
                Some("its body is larger than it accepts. 1,000 of 9,000 body bytes"),
            ),
            (
                format!("{upload}<-- 403 \"no\" [close]{CLOSE}"),
                Some("before all of it had arrived. 1,000 of 9,000"),
            ),
            (
                format!("POST / \"all\" -->\n<-- 413 \"no\" [close]{CLOSE}"),
                Some("The body has 3 bytes."),
            ),
            (
                format!("GET / -->\n<-- 431 \"no\" [close]{CLOSE}"),
                Some("its head is larger than it accepts. The head has "),
            ),
            (
                format!("{ASKED}<-- 403 \"no\"{CLOSE}"),
                Some("asked for a WebSocket with `GET /ws`, and the server responded with 403."),
            ),
            (
                format!(
                    "GET / -->\n<-- 400 \"<h1>No required SSL certificate was sent</h1>\"{CLOSE}"
                ),
                Some("wants a client certificate"),
            ),
            (
                format!("GET / -->\n<-- 400 \"<h1>Bad Request</h1>\"{CLOSE}"),
                None,
            ),
            (format!("{ASKED}<-- 401 \"no\"{CLOSE}"), None),
            (format!("{ASKED}<-- 502 \"no\"{CLOSE}"), None),
            (format!("{upload}<-- 401 \"no\" [close]{CLOSE}"), None),
            (format!("GET / -->\n<-- 403 \"no\"{CLOSE}"), None),
            (
                format!("{ASKED}<-- 101 [connection=Upgrade upgrade=websocket]{CLOSE}"),
                None,
            ),
        ] {
            let found = ladder_check::told_by(&RULE, &format!("{OPEN}{text}"));
            match told {
                Some(told) => assert!(
                    found.as_ref().is_some_and(|it| it.contains(told)),
                    "{text}: {found:?}"
                ),
                None => assert_eq!(found, None, "{text}"),
            }
        }
    }

    #[test]
    fn a_login_that_is_refused_is_called_so() {
        let begin = "client server :25\nSYN -->\n<-- SYN\nACK -->\n<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n<-- \"250 mx\\r\\n\"\n";
        for (asked, reply, summary, retry, remedy) in [
            (
                "AUTH PLAIN AGEAYg==",
                "535 5.7.8 no",
                "Server refused a login",
                "The same login fails again.",
                "Correct the user or the password",
            ),
            (
                "AUTH PLAIN AGEAYg==",
                "454 4.7.0 not now",
                "Server refused a login",
                "A later retry may succeed",
                "Correct what the error names",
            ),
            (
                "VRFY me",
                "550 5.1.1 no",
                "Server replied with an error",
                "An unchanged retry most likely gets the same reply.",
                "Correct what the error names",
            ),
        ] {
            let text = format!(
                "{begin}\"{asked}\\r\\n\" -->\n<-- \"{reply}\\r\\n\"\n\"QUIT\\r\\n\" -->\n<-- \"221 bye\\r\\n\" FIN\nFIN -->\n<-- ACK"
            );
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let found = proof
                .findings
                .iter()
                .find(|it| it.rule == RULE.name)
                .expect("found");
            assert_eq!(found.summary.over(1), summary, "{asked}");
            let meaning = found.message.meaning();
            assert!(meaning.starts_with(retry), "{asked}: {meaning}");
            assert!(
                found.remedies[0].starts_with(remedy),
                "{:?}",
                found.remedies
            );
        }
    }
}
