//! The server closed with a FIN before its response was complete.

use crate::analysis::connection::Connection;
use crate::base::format::{duration, exact_bytes, number};
use crate::protocol::http::{Exchange, Framing, Message, MessageProgress};
use crate::rules::Severity;
use crate::rules::classify::{EndingKind, ending, last_word, response};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{asked, tell};
use crate::rules::wording_tls::hidden_response;

rule! {
    /// # What happened
    ///
    /// The server began to answer and closed the connection with a FIN before the end that its own framing had announced:
    /// fewer body bytes than `Content-Length`, no last chunk, or an unfinished head. The client's log says `IncompleteRead`,
    /// "Premature end of Content-Length delimited message body", `unexpected EOF`, curl (18), `ERR_CONTENT_LENGTH_MISMATCH`,
    /// `ERR_INCOMPLETE_CHUNKED_ENCODING`, "The response ended prematurely, with at least N additional bytes expected".
    ///
    /// # Why it matters
    ///
    /// What arrived is a part, and the client must not take it for the whole (RFC 9112 §8). A FIN looks polite, but a server
    /// that fails in the middle has no other way to say so: an exception while writing, a worker killed by a time limit, a
    /// proxy whose own upstream was cut or whose temporary file is full, a `Content-Length` that was counted before a filter
    /// changed the body.
    ///
    /// # Remedy
    ///
    /// - Look into the server's log at the moment of the FIN for an error while the response was being written: the status
    ///   had been sent, so the failure can show nowhere else.
    /// - If a proxy sent it, look at its leg to the server behind: limits of time and size (nginx `proxy_read_timeout`,
    ///   `proxy_max_temp_file_size`) cut there.
    /// - If always the same number of bytes is missing, correct the announced `Content-Length`: it is counted before
    ///   compression or a rewrite.
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
    /// A body without an announced end is ended by the FIN:
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
    /// The length in the answer to a HEAD announces nothing:
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
    /// Or only its beginning was kept:
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
    /// A 304 has no body, whatever its head announces:
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
    pub(super) RULE: "response-cut-short", Severity::Error,
    "the server closed the connection before its response was complete", Check::Connection(check)
}

/// How far a message came, in bytes of its body or in its own framing.
pub(in crate::rules) fn how_far(exchange: &Exchange, message: &Message) -> String {
    let unseen = exchange.rare.as_ref().map(|rare| rare.response.head_cut);
    // If the head was truncated, the start of the body is unknown.
    let (at_most, at_least) = match unseen {
        Some(true) => ("at most ", "at least "),
        _ => ("", ""),
    };
    match (message.progress, message.framing) {
        (MessageProgress::Head, _) => "its head was not complete".to_owned(),
        (_, Framing::Length | Framing::Streamed) if exchange.response_expected().is_some() => {
            let expected = exchange.response_expected().unwrap_or(0);
            let received = message.received();
            format!(
                "{at_most}{} of {} body bytes had been sent, {at_least}{} are missing",
                number(received),
                number(expected),
                number(expected.saturating_sub(received))
            )
        }
        (_, Framing::Chunked) => format!(
            "{at_least}{} of chunked data had been sent, and no last chunk",
            exact_bytes(message.received())
        ),
        _ => format!(
            "{} of the body had been sent",
            exact_bytes(message.received())
        ),
    }
}

/// An HTTP/2 stream that ended in order with fewer bytes than announced (RFC 9113 §8.1.1).
fn stream(connection: &Connection, exchange: &Exchange, message: &Message) -> Verdict {
    let told = format!(
        "The server ended stream {} before its response to the {} was complete: {}.",
        exchange.stream_id().unwrap_or(0),
        asked(Some(exchange)),
        how_far(exchange, message),
    );
    tell(
        &RULE,
        Severity::Error,
        connection.teardown.certainty,
        "streams ended with fewer bytes than announced",
        told,
    )
    .shows(Some(message.first), "the response begins")
    .shows(Some(message.last), "END_STREAM from the server")
    .about(connection)
}

fn check(connection: &Connection) -> Verdict {
    let read = ending(connection).filter(|it| it.reading == EndingKind::CutShort);
    let Some(ending) = &read else {
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
    let close = ending.close.frame_ref;
    let word = last_word(connection);
    let status = match exchange.status() {
        Some(status) => format!("response {status}"),
        None => "response".to_owned(),
    };
    let told = format!(
        "The server closed before its {status} to the {} was complete: {}. The {word} came {} after the last of them and {} \
         after the response began.",
        asked(ending.exchange),
        how_far(exchange, message),
        duration(close.time.since(message.last.time)),
        duration(close.time.since(message.first.time)),
    );
    tell(
        &RULE,
        Severity::Error,
        ending.certainty,
        sentence!("responses were cut short by the server's {}", word),
        told,
    )
    .shows(Some(message.first), format!("the {status} begins"))
    .shows(Some(message.last), "its last bytes")
    .shows(Some(close), format!("{word} from the server"))
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn message(response: &str) -> Option<String> {
        let text = format!("SYN -->\n<-- SYN\nGET / -->\n{response}\n<-- FIN\nFIN -->\n<-- ACK");
        let found = ladder_check::found_by(&super::RULE, &text)?;
        assert!(found.evidence.len() > 1);
        Some(found.message)
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
        assert!(found.message.contains("at most 3"), "{}", found.message);
        assert!(found.message.contains("at least 6"), "{}", found.message);
        assert_eq!(found.certainty, crate::base::certainty::Certainty::Likely);
        assert!(run(1000).is_none());
        assert!(run(999).is_none(), "nobody knows how long the head was");
    }

    #[test]
    fn a_message_without_a_body_is_whole() {
        assert_eq!(message("<-- 304 [length=1000]"), None);
    }
}
