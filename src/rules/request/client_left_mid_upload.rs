//! The client closed before its request was complete.

use crate::analysis::connection::{Connection, Who};
use crate::protocol::http::{Framing, MessageProgress};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, late_timeout, request, response};
use crate::rules::classify_messages::unheard_for;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{close_word, named, sent_in_parts, tell};

rule! {
    /// # What happened
    ///
    /// The client began a request and closed the connection (FIN or RST) before it had sent all that the request's head
    /// announces. Or it stopped sending until the server closed. The server's log says "unexpected end of stream",
    /// `Unexpected EOF`, HAProxy `CR` or `CH`, IIS `Timer_EntityBody`, or 400, 408, 499.
    ///
    /// # Why it matters
    ///
    /// The request cannot be executed. A user may have cancelled an upload, or the client's timeout expired during sending.
    /// Or the program that supplied the body failed, or the network lost the large segments.
    ///
    /// # Remedy
    ///
    /// - *If the server closed first and the request's head was not complete:* Raise the server's timeout for the head, if
    ///   clients need longer (nginx `client_header_timeout`, Node.js `headersTimeout`, Apache `RequestReadTimeout`, HAProxy
    ///   `timeout http-request`, Tomcat `connectionTimeout`, Go `ReadHeaderTimeout`).
    /// - *If the server closed first and the request's head was complete:* Raise the server's timeout for the body, if
    ///   clients need longer (nginx `client_body_timeout`, Node.js `requestTimeout`, Apache `RequestReadTimeout`, HAProxy
    ///   `timeout http-request`, Tomcat `connectionUploadTimeout`, Go `ReadTimeout`).
    /// - *If the server closed first:* Find out why the client stopped sending: look in its log for an error while reading
    ///   what it uploads, or for a program that was stopped.
    /// - *If the client closed first:* Look in the client's log at the time of the close for a timeout, a cancellation or an
    ///   error while reading what it uploads.
    /// - *If the client closed first:* Compare several cases. Uploads that stop after the same time met a timeout of the
    ///   client, for the whole request or for writing: make it longer.
    /// - *If the request announced its length:* Compare `Content-Length` with what the client meant to send. One that is too
    ///   large makes the server wait for bytes that never come.
    ///
    /// # Tell it by
    ///
    /// The client closes or stops sending before the body is as long as the request's head announces.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                              server
    ///  0.000  SYN                            -->
    ///  0.010                                 <--  SYN
    ///  0.020  POST /up [length=9000] data 1000 -->
    ///  0.030                                 <--  ACK
    ///  2.000  FIN                            -->
    ///  2.010                                 <--  FIN
    ///  2.020  ACK                            -->
    ///  => teardown client fin request
    ///  => findings client-left-mid-upload
    /// ```
    ///
    /// # Not this
    ///
    /// The server responded before the end, so the client need not go on:
    ///
    /// ```ladder
    ///         client                              server
    ///  0.000  SYN                            -->
    ///  0.010                                 <--  SYN
    ///  0.020  POST /up [length=9000] data 1000 -->
    ///  0.030                                 <--  413 "too large" [close]
    ///  0.040  FIN                            -->
    ///  0.050                                 <--  FIN
    ///  0.060  ACK                            -->
    ///  => findings request-refused
    /// ```
    ///
    /// The server closed first:
    ///
    /// ```ladder
    ///         client                              server
    ///  0.000  SYN                            -->
    ///  0.010                                 <--  SYN
    ///  0.020  POST /up [length=9000] data 1000 -->
    ///  0.030                                 <--  RST
    /// ```
    ///
    /// The capture lost part of the request, and shows the response:
    ///
    /// ```ladder
    ///         client                              server
    ///  0.000  SYN                            -->
    ///  0.010                                 <--  SYN
    ///  0.020  POST /up [length=3000] data 1000 -->
    ///  0.025  data 2000                      ~~>
    ///  0.030                                 <--  200 "thanks"
    ///  0.040  FIN                            -->
    ///  0.050                                 <--  FIN
    ///  0.060  ACK                            -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §8 (incomplete messages); RFC 9110 §15.5.9 (408).
    pub(in crate::rules) RULE: "client-left-mid-upload", Severity::Warning,
    "the client closes, or stops sending, before its request is complete", Check::Ending(&[EndingKind::LeftMidUpload, EndingKind::StalledUpload], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some(exchange) = ending.exchange else {
        return Verdict::Clear;
    };
    let Some(message) = request(exchange) else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    let word = close_word(ending);
    let far = || match (message.progress, message.framing) {
        (MessageProgress::Head, _) => "The head was not complete.".into(),
        (_, Framing::Length) => sentence!(
            "{} of {} body bytes had been sent.",
            message.received(),
            message.expected().unwrap_or(0)
        ),
        (_, Framing::Messages) => sentence!(
            "{} of it had been sent, without its end.",
            Value::exact_bytes(message.received())
        ),
        _ => sentence!(
            "{} body bytes had been sent, without the last chunk.",
            message.received()
        ),
    };
    let far = sent_in_parts(exchange, message).unwrap_or_else(far);
    let stalled = ending.reading == EndingKind::StalledUpload;
    let name = named(exchange);
    let answer = response(exchange).filter(|_| stalled);
    // What ended the silence: the server's answer, or its close.
    let late = late_timeout(connection).filter(|_| stalled);
    let until = late.or(answer).map_or(close, |answer| answer.first);
    let quiet = unheard_for(connection, Who::Client, message, until);
    let told = match stalled {
        true => sentence!(
            "The client stopped in the middle of {} and sent nothing for {}. Then the server closed with a {}.",
            name,
            quiet,
            word
        ),
        false => sentence!(
            "The client closed with a {} while it was sending {}, {} after the last bytes it sent.",
            word,
            name,
            quiet
        ),
    };
    let told = Statement::from(told).and(far);
    let stuck = message.end() > connection.sent[Who::Client as usize].acknowledged;
    let stuck = stuck.then_some(
        "Not all that it sent was acknowledged: the network or the server did not accept it.",
    );
    let answered =
        exchange
            .status()
            .zip(response(exchange))
            .map(|(status, answer)| match stalled {
                true => sentence!(
                    "The server responded with {} before it closed.",
                    status.to_string()
                ),
                false => sentence!(
                    "The server responded with {}, {} later.",
                    status.to_string(),
                    answer.first.time.since(close.time)
                ),
            });
    let by = if stalled { "server" } else { "client" };
    tell(
        &RULE,
        Severity::Warning,
        ending.certainty,
        match stalled {
            true => "Client stopped sending mid-request[| on # connections]",
            false => "Client closed [the connection|# connections] mid-request",
        },
        told,
    )
    .adds(stuck)
    .adds(answered)
    .adds(late.map(|it| sentence!("After that silence it sent 408 as well ({}).", it.first)))
    .shows(Some(message.first), "request begins")
    .shows(Some(close), format!("{word} from the {by}"))
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check::{found_by, told_by};

    const HALF: &str =
        "SYN -->\n<-- SYN\nACK -->\n\"GET / HTTP/1.1\\r\\nHost: a\\r\\n\" -->\n<-- ACK\n";
    const CLOSE: &str = "<-- FIN\nFIN -->\n<-- ACK";

    #[test]
    fn a_status_after_a_silence_is_the_servers_timeout_on_half_a_request() {
        for status in [400, 408, 500] {
            let told = told_by(
                &super::RULE,
                &format!("{HALF}+1100ms <-- {status} \"bad\" [close]\n{CLOSE}"),
            );
            let told = told.expect("found");
            assert!(told.contains("sent nothing for 1.10 s"), "{told}");
        }
        let at_once = format!("{HALF}+20ms <-- 400 \"bad\" [close]\n+2s {CLOSE}");
        assert_eq!(told_by(&super::RULE, &at_once), None);
    }

    /// The time at which bytes came that the capture lacks is not known.
    #[test]
    fn bytes_that_were_not_captured_do_not_shorten_the_silence() {
        let text = "SYN -->\n<-- SYN\nACK -->\nPOST / [length=9000] data 1000 -->\n<-- ACK\ndata 100 ~~>\n+2s <-- FIN\n\
                    FIN -->\n<-- ACK";
        let told = told_by(&super::RULE, text).expect("found");
        assert!(told.contains("sent nothing for 2.0"), "{told}");
    }

    /// Who waits for leave to send is not slow.
    #[test]
    fn a_client_that_expects_100_continue_has_not_stalled() {
        let text = format!(
            "SYN -->\n<-- SYN\nACK -->\nPOST / [length=9000 expect=100-continue] -->\n<-- ACK\n+2s <-- 500 \"late\" [close]\n{CLOSE}"
        );
        assert_eq!(told_by(&super::RULE, &text), None);
    }

    /// Whose timer it was shows in who closed.
    #[test]
    fn a_server_that_closed_is_not_mended_at_the_clients_timeout() {
        for (end, server) in [
            ("+2s <-- FIN\nFIN -->", true),
            ("+2s FIN -->\n<-- FIN", false),
        ] {
            let found = found_by(&super::RULE, &format!("{HALF}{end}")).expect("found");
            let has = |word: &str| found.remedies.iter().any(|it| it.contains(word));
            assert_eq!(
                has("`client_header_timeout`"),
                server,
                "{:?}",
                found.remedies
            );
            assert_eq!(
                has("a timeout of the client"),
                !server,
                "{:?}",
                found.remedies
            );
        }
    }

    /// Head and body have timers of their own.
    #[test]
    fn the_timer_is_that_of_the_part_that_did_not_come() {
        let body = "SYN -->\n<-- SYN\nACK -->\nPOST / [length=900] data 5 -->\n<-- ACK\n";
        for (part, setting, other) in [
            (HALF, "`headersTimeout`", "`requestTimeout`"),
            (body, "`requestTimeout`", "`headersTimeout`"),
        ] {
            let text = format!("{part}+2s <-- 408 \"late\" [close]\n{CLOSE}");
            let found = found_by(&super::RULE, &text).expect("found");
            let first = found.remedies.first().expect("a remedy");
            assert!(first.contains(setting) && !first.contains(other), "{first}");
        }
    }

    #[test]
    fn a_client_that_a_zero_window_stops_has_not_stalled() {
        let text = "SYN -->\n<-- SYN\nACK -->\nPOST / [length=9000] data 1000 -->\n<-- ACK [win=0]\n+5s <-- RST";
        assert_eq!(told_by(&super::RULE, text), None);
    }
}
