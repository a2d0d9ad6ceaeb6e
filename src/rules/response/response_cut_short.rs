//! The server closed with a FIN before its response was complete.

use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::{Exchange, Framing, Message, MessageProgress};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, is_shut, last_word, may_have_more, response};
use crate::rules::classify_messages::unheard_for;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::wording::{half_closed_before, is_of_another_protocol, named, repetition, tell};
use crate::rules::wording_tls::hidden_response;

rule! {
    /// # What happened
    ///
    /// The server began to respond and closed the connection with a FIN before the end that its own framing had announced.
    /// There are fewer body bytes than `Content-Length`, no last chunk, or an unfinished head. The client's log says
    /// `IncompleteRead`, "Premature end of Content-Length delimited message body", `unexpected EOF` or curl (18). Other
    /// clients say `ERR_CONTENT_LENGTH_MISMATCH`, `ERR_INCOMPLETE_CHUNKED_ENCODING` or "The response ended prematurely, with
    /// at least N additional bytes expected".
    ///
    /// # Why it matters
    ///
    /// Only a part arrived, and the client must not take it for the whole (RFC 9112 §8). A FIN looks clean, but a server that
    /// fails during a response has no other way to say so. An exception while writing or a worker killed by a timeout ends
    /// like this. So does a proxy whose upstream was cut or whose temporary file is full. Another cause is a `Content-Length` that was
    /// counted before a filter changed the body. The client's FIN may come at once
    /// after the last bytes, and the server's at once after that. Then the packets do not show which side ended the response:
    /// a warning, and only possible.
    ///
    /// # Remedy
    ///
    /// - *If the client's window had gone to zero and nothing had come for 1 s or more:* Let the client read faster, or raise the server's send timeout (nginx
    ///   `send_timeout`, Apache `Timeout`, HAProxy `timeout client`).
    /// - Look in the server's log at the time of the FIN for an error while writing, a crash or a killed process. Look in the
    ///   system log for an out-of-memory kill.
    /// - *If the close came within 1 s of the last bytes and the response announced its length:* Compare `Content-Length`
    ///   with the length of what the program sends: counted before compression or a rewrite, it is too large. The same
    ///   number of missing bytes in several cases means this.
    /// - Find out whether a proxy sent the FIN, and look at its connection to the server behind it. A timeout or size limit
    ///   of the proxy also ends responses like this (nginx `proxy_read_timeout`, HAProxy `timeout server`).
    ///
    /// # Tell it by
    ///
    /// The server's FIN comes after a part of the response, before `Content-Length` or the last chunk.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [length=1000]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => teardown server fin response-body
    ///  => findings response-cut-short
    /// ```
    ///
    /// # Not this
    ///
    /// A body without an announced length ends with the FIN:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [no-length close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// The length in the response to a HEAD announces nothing:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  HEAD / [close]     -->
    ///  0.040                     <--  200 [length=1000 close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// The rest was sent, but not captured:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 data 300 [length=1000 close]
    ///  0.041                     <~~  data 700
    ///  0.042                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings capture-lost-packets
    /// ```
    ///
    /// The rest was sent, and only its beginning was kept:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 data 1000 [close cut=100]
    ///  0.042                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings capture-cut-short
    /// ```
    ///
    /// The client left first:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [length=1000]
    ///  0.050  RST                -->
    ///  => teardown client reset abort response-body
    /// ```
    ///
    /// A 304 has no body, no matter what its head announces:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  304 [length=1000]
    ///  0.050                     <--  FIN
    ///  0.060  FIN                -->
    ///  0.070                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §6.3 (message body length), §7.1 (chunks), §8 (incomplete messages); RFC 9110 §8.6 (`Content-Length`).
    pub(in crate::rules) RULE: "response-cut-short", Severity::Error,
    "the server closes the connection before its response is complete", Check::Read(check)
}

/// How far a message came, in bytes of its body or in its own framing, as a sentence.
pub(in crate::rules) fn how_far(exchange: &Exchange, message: &Message) -> Sentence {
    if is_of_another_protocol(exchange) {
        let sent = message.end().saturating_sub(message.start);
        return sentence!(
            "{} of the response had been sent.",
            Value::exact_bytes(sent)
        );
    }
    // If the head was truncated, the start of the body is unknown.
    let cut = exchange
        .rare
        .as_ref()
        .is_some_and(|it| it.response.head_cut);
    let received = message.received();
    match (message.progress, message.framing) {
        (MessageProgress::Head, _) => "The head was not complete.".into(),
        (_, Framing::Length | Framing::Streamed) if exchange.response_expected().is_some() => {
            let expected = exchange.response_expected().unwrap_or(0);
            let rest = expected.saturating_sub(received);
            match cut {
                true => sentence!(
                    "At most {} of {} body bytes had been sent, at least {} are missing.",
                    received,
                    expected,
                    rest
                ),
                false => sentence!(
                    "{} of {} body bytes had been sent, {} are missing.",
                    received,
                    expected,
                    rest
                ),
            }
        }
        (_, Framing::Chunked)
            if exchange
                .rare
                .as_ref()
                .is_some_and(|it| it.response.last_chunk) =>
        {
            sentence!(
                "{} of chunked data had been sent, and the last chunk. The empty line after it is missing: many clients take the response as \
                 complete.",
                Value::exact_bytes(received)
            )
        }
        (_, Framing::Chunked) if cut => sentence!(
            "At least {} of chunked data had been sent, and no last chunk.",
            Value::exact_bytes(received)
        ),
        (_, Framing::Chunked) => sentence!(
            "{} of chunked data had been sent, and no last chunk.",
            Value::exact_bytes(received)
        ),
        (_, Framing::Messages) => match received < message.amount {
            true => sentence!(
                "{} of it had been sent, and the last message was not whole.",
                Value::exact_bytes(received)
            ),
            false => sentence!(
                "{} of it had been sent, without the message that ends it.",
                Value::exact_bytes(received)
            ),
        },
        (MessageProgress::Unseen, _) => sentence!(
            "{} had been sent after the captured part of its head. More was due: the server probed a closed window.",
            Value::exact_bytes(received)
        ),
        _ => sentence!(
            "{} of the body had been sent.",
            Value::exact_bytes(received)
        ),
    }
}

/// An HTTP/2 stream that ended with END_STREAM and fewer bytes than announced (RFC 9113 §8.1.1).
fn stream(connection: &Connection, exchange: &Exchange, message: &Message) -> Verdict {
    let told = Statement::from(sentence!(
        "The server ended stream {} before its response to {} was complete.",
        exchange.stream_id().unwrap_or(0),
        named(exchange)
    ));
    tell(
        &RULE,
        Severity::Error,
        connection.teardown.certainty,
        "Server ended [a stream|streams on # connections] too early",
        told.and(how_far(exchange, message))
            .means(repetition(exchange)),
    )
    .shows(Some(message.first), "response begins")
    .shows(Some(message.last), "END_STREAM from the server")
    .about(connection)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    let read = ending.filter(|it| it.reading == EndingKind::CutShort);
    let Some(ending) = read else {
        let short = connection.exchanges.iter().find(|it| it.is_short());
        return short
            .and_then(|exchange| Some(stream(connection, exchange, response(exchange)?)))
            .unwrap_or_else(|| hidden_response(&RULE, connection, "FIN"));
    };
    let Some((exchange, message)) = ending
        .exchange
        .and_then(|exchange| Some((exchange, response(exchange)?)))
    else {
        return Verdict::Clear;
    };
    if may_have_more(connection, exchange, &ending.close) {
        return after_shut_window(connection, ending, exchange, message);
    }
    let close = ending.close.frame_ref;
    let word = last_word(connection);
    let began = match exchange.status() {
        Some(status) => sentence!(
            "The server closed the connection before its response {} to {} was complete.",
            status.to_string(),
            named(exchange)
        ),
        None => sentence!(
            "The server closed the connection before its response to {} was complete.",
            named(exchange)
        ),
    };
    let server = &connection.sent[Who::Server as usize];
    let unseen = server.fins == 0 && connection.teardown.close_notify_seen.is_none();
    // The acknowledgement of a FIN that was not captured is told with every finding on such a connection.
    let when = match (unseen, connection.unseen_fin(Who::Server)) {
        (true, Some(_)) => None,
        (true, None) => Some(sentence!(
            "The server's FIN was not captured: {} acknowledges one number more than was captured.",
            close
        )),
        (false, _) => {
            let silent = unheard_for(connection, Who::Server, message, close);
            let whole = close.time.since(message.first.time);
            Some(match whole > silent.saturating_mul(2) {
                true => sentence!(
                    "The {} came {} after the last bytes and {} after the response began.",
                    word,
                    silent,
                    whole
                ),
                false => sentence!("The {} came {} after the last bytes.", word, silent),
            })
        }
    };
    let too = connection.teardown.server_too;
    // What is wrong with the message has a rule of its own, and is why no end was found.
    if too
        && exchange
            .response_faults()
            .iter()
            .any(|it| !it.rule.is_tolerated())
    {
        return Verdict::Clear;
    }
    let shown = match unseen {
        true => "ACK from the client, one number more than was captured".to_owned(),
        false => format!("{word} from the server"),
    };
    let (severity, summary) = match too {
        // Such a response has no end.
        true if exchange.is_endless() => return Verdict::Clear,
        // The request may have been a HEAD.
        true if exchange.request.is_none() => return Verdict::Clear,
        true => (
            Severity::Warning,
            "[A response was|# responses were] incomplete when both sides closed",
        ),
        false => (
            Severity::Error,
            "Server closed [the connection|# connections] mid-response",
        ),
    };
    let first = too.then(|| {
        sentence!(
            "The client had received all that was sent, and closed its direction {} before the server.",
            close.time.since(connection.teardown.at)
        )
    });
    let slow = is_shut(connection, Who::Client).then_some(
        "The client's window had gone to zero before: for a time it did not read what had come.",
    );
    let why = too.then_some(
        "The server had more to send and stopped because of the client's close, or the end that it announced is wrong. Its \
         log shows which.",
    );
    tell(
        &RULE,
        severity,
        ending.certainty,
        summary,
        Statement::from(began)
            .and(how_far(exchange, message))
            .means(repetition(exchange)),
    )
    .adds(when)
    .adds(slow)
    .adds(first)
    .adds(half_closed_before(connection))
    .means(why)
    .shows(Some(message.first), "response begins")
    .shows(Some(message.last), "last bytes of the response")
    .shows(Some(close), shown)
    .about(connection)
}

/// The server waited for a shut window, and closed at once when it had opened. Where the head was not captured, its end of
/// the response may be the whole or what a timeout left of it.
fn after_shut_window(
    connection: &Connection,
    ending: &Ending<'_>,
    exchange: &Exchange,
    message: &Message,
) -> Verdict {
    let close = ending.close.frame_ref;
    let probes = connection.sent[Who::Server as usize].window_probes;
    tell(
        &RULE,
        Severity::Note,
        Certainty::Possible,
        "[A response|# responses] ended right after a shut window opened",
        sentence!(
            "During the response to {} the client's window was shut, and the server probed it {}. When the window opened, the server \
             sent the rest of {} and closed the connection.",
            named(exchange),
            Value::count(probes.into(), "time", "times"),
            Value::exact_bytes(message.received())
        ),
    )
    .presumes(Some(
        "The server's timeout for sending had expired, and the response was cut short.",
    ))
    .adds(Some(
        "The snap length cut the head of the response, so its length is not known: the server's log shows whether a timeout \
         expired.",
    ))
    .shows(Some(message.first), "the response begins")
    .shows(Some(close), "FIN from the server")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn message(response: &str) -> Option<String> {
        let text = format!("SYN -->\n<-- SYN\nGET / -->\n{response}\n<-- FIN\nFIN -->\n<-- ACK");
        let found = ladder_check::found_by(&super::RULE, &text)?;
        assert!(found.evidence.len() > 1);
        Some(found.message.to_string())
    }

    /// A server's send timeout ends the response of a client that does not read.
    #[test]
    fn a_client_that_did_not_read_is_told() {
        let slow = "<-- 200 data 300 [length=1000]\nACK [win=0] -->\n+3s ACK [win=60000] -->\n<-- data 100";
        let found = message(slow).expect("found");
        assert!(found.contains("did not read"), "{found}");
        let quick = message("<-- 200 data 300 [length=1000]\nACK -->\n<-- data 100");
        assert!(!quick.expect("found").contains("did not read"));
    }

    #[test]
    fn what_is_missing_is_counted() {
        let length = message("<-- 200 data 300 [length=1000]").expect("found");
        assert!(
            length.contains("300 of 1,000") && length.contains("700 are missing"),
            "{length}"
        );
        let chunked =
            message(r#"<-- "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n""#);
        let chunked = chunked.expect("found");
        assert!(chunked.contains("5 bytes of chunked data"), "{chunked}");
        let last = message(
            r#"<-- "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n""#,
        );
        let last = last.expect("found");
        assert!(
            last.contains("The empty line after it is missing"),
            "{last}"
        );
        let head = message(r#"<-- "HTTP/1.1 200 OK\r\nServer: x\r\n""#).expect("found");
        assert!(head.contains("head was not complete"), "{head}");
    }

    #[test]
    fn a_head_that_was_cut_may_say_enough() {
        let run = |data: usize| {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- 200 data {data} [length=1000 cut=40]\n<-- FIN\nFIN -->\n<-- ACK"
            );
            let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let mut found = findings
                .into_iter()
                .filter(|it| it.rule == super::RULE.name);
            found.next()
        };
        let found = run(300).expect("it is surely short");
        assert!(found.message.contains("At most 3"), "{}", found.message);
        assert!(found.message.contains("at least 6"), "{}", found.message);
        assert_eq!(found.certainty, crate::base::certainty::Certainty::Likely);
        assert!(run(1000).is_none());
        assert!(run(999).is_none(), "nobody knows how long the head was");
    }

    #[test]
    fn a_fin_that_was_not_captured_is_known_by_its_acknowledgement() {
        for separate in ["+1ms ACK -->\n", ""] {
            unseen_fin(separate);
        }
    }

    fn unseen_fin(separate: &str) {
        let text = format!(
            "SYN -->\n<-- SYN\nGET / -->\n<-- 200 data 1700 [length=10000]\nACK -->\n<~~ FIN\n{separate}FIN -->\n<-- ACK"
        );
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert!(
            proof.rules().contains(&super::RULE.name),
            "{:?}",
            proof.rules()
        );
        let found = proof.findings.iter().find(|it| it.rule == super::RULE.name);
        let found = found.expect("found");
        assert!(
            found.message.contains("1,700 of 10,000"),
            "{}",
            found.message
        );
        assert!(
            found.message.contains("FIN was not captured"),
            "{}",
            found.message
        );
        assert_eq!(found.certainty, crate::base::certainty::Certainty::Possible);
        assert!(!proof.rules().contains(&"client-left-mid-response"));
    }

    #[test]
    fn chunks_that_the_snap_length_cut_are_followed_to_their_ends() {
        let head = r"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = format!(r"c8\r\n{}\r\n", "x".repeat(200));
        let run = |more: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- \"{head}{chunk}{more}\" [cut=120]\n<-- FIN\nFIN -->\n<-- ACK"
            );
            ladder_check::run(&text.parse().expect("a ladder")).rules()
        };
        assert!(run("").contains(&super::RULE.name));
        assert!(!run(r"0\r\n\r\n").contains(&super::RULE.name));
    }

    #[test]
    fn a_server_that_waited_for_a_shut_window_may_have_cut_the_response() {
        let probe = "+600ms <-- probe\nACK [win=0] -->\n";
        let run = |probes: usize, more: &str, wait: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- 200 data 900 [length=9000 cut=20]\nACK [win=0] -->\n{}\
                 ACK -->\n<-- data 900 [cut=20]\nACK -->\n{wait}{more}\nFIN -->\n<-- ACK",
                probe.repeat(probes)
            );
            ladder_check::found_by(&super::RULE, &text)
        };
        let found = run(3, "<-- FIN", "").expect("found");
        assert_eq!(found.severity, super::Severity::Note);
        assert_eq!(found.certainty, crate::base::certainty::Certainty::Possible);
        assert!(
            found.message.contains("probed it 3 times"),
            "{}",
            found.message
        );
        // A short stall, and a pause before the close.
        assert!(run(1, "<-- FIN", "").is_none());
        assert!(run(3, "<-- FIN", "+5s ").is_none());
    }

    #[test]
    fn when_both_sides_close_at_once_neither_is_blamed() {
        let run = |response: &str, wait: &str, close: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- {response}\n{wait}FIN -->\n{close}\nACK -->"
            );
            ladder_check::run(&text.parse().expect("a ladder"))
        };
        let chunks = r#""HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n""#;
        let head = r#""HTTP/1.1 200 OK\r\nServer: x\r\n""#;
        for response in ["200 data 84 [length=88]", chunks, head] {
            let proof = run(response, "", "<-- FIN");
            assert_eq!(proof.rules(), [super::RULE.name], "{response}");
            let found = &proof.findings[0];
            assert_eq!(found.severity, super::Severity::Warning);
            assert_eq!(found.certainty, crate::base::certainty::Certainty::Possible);
            assert!(
                found.message.contains("received all that was sent"),
                "{}",
                found.message
            );
        }
        // The server did not know of the client's close.
        let proof = run("200 data 84 [length=88]", "", "<-- FIN [ack=33]");
        assert!(
            !proof.rules().contains(&"client-left-mid-response"),
            "{:?}",
            proof.rules()
        );
        // It had more to send; the client waited; the server noticed late.
        for (wait, close) in [
            ("", "<-- data 2\nRST [noack] -->"),
            ("+3s ", "<-- FIN"),
            ("", "+3s <-- FIN"),
        ] {
            let proof = run("200 data 84 [length=88]", wait, close);
            assert!(
                proof.rules().contains(&"client-left-mid-response"),
                "{wait}{close}: {:?}",
                proof.rules()
            );
        }
    }

    #[test]
    fn a_message_without_a_body_is_whole() {
        assert_eq!(message("<-- 304 [length=1000]"), None);
    }

    #[test]
    fn the_servers_side_alone_may_show_it() {
        let told = |response: &str| {
            let text = format!("SYN ~~>\n<-- SYN\nACK ~~>\nGET / ~~>\n<-- {response}\n<-- FIN");
            ladder_check::found_by(&super::RULE, &text)
        };
        let found = told("200 data 300 [length=1000]").expect("found");
        assert_eq!(found.certainty, crate::base::certainty::Certainty::Possible);
        // The request may have been a HEAD.
        assert!(told("200 [length=1000]").is_none());
        assert!(told("200 data 300").is_none());
    }
}
