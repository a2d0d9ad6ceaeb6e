//! The client closed in the middle of the response.

use std::time::Duration;

use crate::analysis::connection::{Connection, Who};
use crate::base::format::whole_seconds;
use crate::protocol::http::{ErrorCode, Exchange, Framing, Message, MessageProgress};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, is_shut, response};
use crate::rules::measured_time;
use crate::rules::named_products::is_browser;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::wording::{close_word, is_of_another_protocol, named, tell};

rule! {
    /// # What happened
    ///
    /// The client closed the connection (RST, or FIN and then RSTs) while the server was still sending the response. The
    /// server's log says `EPIPE`, "broken pipe", `ECONNRESET`, "client prematurely closed connection" or "The remote host
    /// closed the connection. The error code is 0x800704CD"; IIS logs `Connection_Dropped`, HAProxy `CD`.
    ///
    /// # Why it matters
    ///
    /// Most often nothing is wrong: a user went on to another page, a player jumped, a download was cancelled. Look closer if it recurs after the same time (a client timeout) or at the same number of bytes (a size limit). Look closer also if the client is a program that should have read it all.
    ///
    /// # Remedy
    ///
    /// - *If nothing had come for 1 s or more:* Compare the times of several cases: equal and round ones are the client's
    ///   timeout. Raise it for the whole response, or send the response faster.
    /// - *If the client's window had gone to zero:* Let the client read what comes, or close as soon as it has what it needs:
    ///   it kept the server waiting.
    /// - Let the server notice that the client has closed (`Response.IsClientConnected`, `HttpContext.RequestAborted`, a
    ///   request's context in Go) and log it quietly: it is not an error of the server.
    /// - Look for a place in the client that closes without reading to the end. Let it read the body, or cancel it on
    ///   purpose.
    ///
    /// # Tell it by
    ///
    /// The client's FIN or RST comes while the server is sending the body, before its end.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 1000 [length=100000]
    ///  0.050  ACK                -->
    ///  0.060                     <--  data 1000
    ///  0.070  RST                -->
    ///  => teardown client reset abort response-body
    ///  => findings client-left-mid-response
    /// ```
    ///
    /// # Not this
    ///
    /// Both sides close at once after all that was ever sent, so that the end that the server announced may be wrong:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  200 data 84 [length=88]
    ///  0.031  FIN                -->
    ///  0.032                     <--  FIN
    ///  0.033  ACK                -->
    ///  => findings response-cut-short
    /// ```
    ///
    /// The client had received everything:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 1000
    ///  0.050  RST                -->
    ///  => teardown client reset abort between
    /// ```
    ///
    /// The server closed first, too early:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 1000 [length=100000]
    ///  0.041                     <--  FIN
    ///  0.050  RST                -->
    ///  => teardown server fin response-body
    /// ```
    ///
    /// A client that closes its direction reads on:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 1000 [length=2000]
    ///  0.050  FIN                -->
    ///  0.060                     <--  data 1000
    ///  0.070  ACK                -->
    ///  0.080                     <--  FIN
    ///  0.090  ACK                -->
    ///  => outcome 1 complete
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §8 (incomplete messages), §9.6; RFC 9293 §3.6.1 (unread data is answered by a RST).
    pub(in crate::rules) RULE: "client-left-mid-response", Severity::Warning,
    "the client closes the connection before the response is complete", Check::Ending(&[EndingKind::LeftMidResponse], check)
}

/// How much of a message had reached the client when it closed, as a sentence.
fn received(exchange: &Exchange, message: &Message, acknowledged: u64) -> Sentence {
    if exchange.stream.is_some() {
        // Between the bytes of its body there are frames, and other streams.
        let got = message.received();
        return match exchange.response_expected() {
            Some(expected) => sentence!("{} of {} body bytes had been sent.", got, expected),
            None => sentence!(
                "{} of a body without an announced length had been sent.",
                Value::exact_bytes(got)
            ),
        };
    }
    if is_of_another_protocol(exchange) {
        // Of an answer in several messages it is not known how many are to come.
        let got = acknowledged.saturating_sub(message.start);
        return sentence!(
            "The client had received {} of the reply.",
            Value::exact_bytes(got)
        );
    }
    let got = acknowledged.saturating_sub(message.head_end());
    let expected = message.expected().unwrap_or(0);
    match (message.progress, message.framing) {
        (MessageProgress::Head, _) => "The head was not complete.".into(),
        // If the head was truncated, the start of the body is unknown.
        (MessageProgress::Unseen, Framing::Length) => {
            sentence!(
                "The client had received at most {} of {} body bytes.",
                got,
                expected
            )
        }
        (_, Framing::Length) => sentence!(
            "The client had received {} of {} body bytes.",
            got,
            expected
        ),
        // Without the chunk sizes between the data, where it had all that was sent.
        (MessageProgress::Body, Framing::Chunked) if acknowledged >= message.end() => sentence!(
            "The client had received {} of a body without an announced length.",
            Value::exact_bytes(message.received())
        ),
        (_, Framing::Chunked) => sentence!(
            "The client had received {} of a body without an announced length, chunk sizes included.",
            Value::exact_bytes(got)
        ),
        (MessageProgress::Unseen, _) => sentence!(
            "The client had received {}. The end of the response was not captured.",
            Value::exact_bytes(got)
        ),
        (_, Framing::Messages) => sentence!(
            "The client had received {} of the reply, without the message that ends it.",
            Value::exact_bytes(got)
        ),
        _ => sentence!(
            "The client had received {} of a body without an announced length.",
            Value::exact_bytes(got)
        ),
    }
}

/// A response of which more had come within this time was not stalled.
const FLOWING: Duration = Duration::from_secs(3);

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some((exchange, message)) = ending
        .exchange
        .and_then(|exchange| Some((exchange, response(exchange)?)))
    else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    // A client to which the server reported an error by GOAWAY did not close by itself.
    let told_off = connection.h2.as_ref().is_some_and(|h2| {
        let goaway = h2.halves[Who::Server as usize].goaway();
        goaway.is_some_and(|it| it.code != ErrorCode::NO_ERROR && it.at < close)
    });
    if told_off {
        return Verdict::Clear;
    }
    // The response to a request that was not captured may be one to a HEAD, which has no body.
    let unknown = exchange.request.is_none() && exchange.stream.is_none();
    if unknown && ending.close.received <= message.head_end() {
        return Verdict::Clear;
    }
    let word = close_word(ending);
    let time = close.time.since(message.first.time);
    let heard = connection.last_heard(Who::Client, message);
    let quiet = close.time.since(heard.time);
    let told = Statement::from(sentence!(
        "The client closed with a {}, {} after the response to {} had begun.",
        word,
        time,
        named(exchange)
    ))
    .and(received(exchange, message, ending.close.received));
    let shut = is_shut(connection, Who::Client);
    let stalled = (heard < close && quiet.as_secs() >= 1 && !shut).then(|| {
        match measured_time::is_round(quiet) {
            Some(seconds) => sentence!(
                "The server had sent nothing for {} before. {} is a round number: probably a configured timeout.",
                quiet,
                whole_seconds(seconds)
            ),
            None => sentence!("The server had sent nothing for {} before.", quiet),
        }
    });
    let unread = shut.then_some(
        "The client's window had gone to zero: it had not read what came, and the server could not send the rest.",
    );
    // A reader of an endless stream can only end it by closing.
    let endless = ending.exchange.is_some_and(|it| {
        // If the head was truncated, its media type is unknown.
        let cut = it.rare.as_ref().is_some_and(|it| it.response.head_cut);
        it.is_endless() || cut && message.framing == Framing::Chunked
    });
    // A download that is cancelled, a film in which somebody jumps: what was coming is no longer wanted.
    let cancelled = is_browser(connection) && (shut || quiet < FLOWING);
    let severity = match (message.framing, message.progress) {
        _ if endless => Severity::Note,
        (Framing::UntilClose, _) => Severity::Note,
        (_, MessageProgress::Unseen) if !message.is_surely_short() => Severity::Note,
        _ if cancelled => Severity::Note,
        _ => Severity::Warning,
    };
    tell(
        &RULE,
        severity,
        ending.certainty,
        "Client closed [the connection|# connections] mid-response",
        told,
    )
    .adds(stalled)
    .adds(cancelled.then_some(
        "A browser does this when the user leaves the page, cancels a download or jumps in a film.",
    ))
    .adds(unread)
    .shows(Some(message.first), "response begins")
    .shows(Some(close), format!("{word} from the client"))
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::{Severity, ladder_check};

    fn finding(text: &str) -> crate::rules::Finding {
        let text = format!("SYN -->\n<-- SYN\nGET / -->\n{text}");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert_eq!(proof.rules(), [super::RULE.name]);
        proof.findings.into_iter().next().expect("one")
    }

    #[test]
    fn what_was_delivered_is_counted() {
        let told = finding("<-- 200 data 1000 [length=5000]\nACK -->\n<-- data 1000\n+10s RST -->")
            .message;
        assert!(told.contains("received 2,000 of 5,000"), "{told}");
        assert!(
            told.contains("nothing for 10.0 s") && told.contains("round"),
            "{told}"
        );
    }

    #[test]
    fn what_comes_after_the_close_does_not_end_the_silence_before_it() {
        let said = finding(
            "<-- 200 data 1000 [length=5000]\nACK -->\n+2s FIN -->\n<-- ACK\n+1s <-- data 4000\nRST [noack] -->",
        );
        assert!(
            said.message.contains("nothing for 2.00 s"),
            "{}",
            said.message
        );
    }

    #[test]
    fn chunk_sizes_are_no_part_of_a_body() {
        let chunks = r#"<-- "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n""#;
        let said = finding(&format!("{chunks}\nACK -->\n+2s FIN -->\n<-- ACK"));
        assert!(
            said.message.contains("received 5 bytes of a body"),
            "{}",
            said.message
        );
    }

    #[test]
    fn a_client_that_got_a_goaway_with_an_error_did_not_close_by_itself() {
        let open = "SYN -->\n<-- SYN\nh2 preface h2 SETTINGS h2 HEADERS 1 GET / END -->\n\
                    <-- h2 SETTINGS h2 HEADERS 1 200 [content-length=4000] h2 DATA 1 500\n";
        let rules = |code: &str| {
            let text = format!("{open}<-- h2 GOAWAY 1 {code}\n+1s FIN -->\n<-- FIN\nACK -->");
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let told = proof.findings.into_iter();
            told.filter(|it| it.rule == super::RULE.name)
                .map(|it| it.message)
                .next()
        };
        assert_eq!(rules("ENHANCE_YOUR_CALM"), None);
        let told = rules("NO_ERROR").expect("found");
        assert!(told.contains("500 of 4,000 body bytes"), "{told}");
    }

    #[test]
    fn a_stream_without_an_end_can_only_be_closed() {
        let found = finding("<-- 200 data 1000 [no-length]\nACK -->\n+10s RST -->");
        assert_eq!(found.severity, Severity::Note);
        let events = r#"<-- "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n""#;
        let found = finding(&format!("{events}\nACK -->\n+10s FIN -->"));
        assert_eq!(found.severity, Severity::Note);
    }

    #[test]
    fn a_head_that_was_cut_may_say_enough() {
        let short = "<-- 200 data 1000 [length=5000 cut=40]\nACK -->\n+10s RST -->";
        let proof = ladder_check::run(
            &format!("SYN -->\n<-- SYN\nGET / -->\n{short}")
                .parse()
                .expect("a ladder"),
        );
        let found = proof.findings.iter();
        let mut found = found.filter(|it| it.rule == super::RULE.name);
        let found = found.next().expect("it is surely short");
        assert!(found.message.contains("at most 1,0") && found.message.contains("of 5,000"));
        assert_eq!(found.certainty, crate::base::certainty::Certainty::Likely);
    }

    #[test]
    fn a_client_that_took_less_than_was_sent_has_left() {
        let run = |end: &str| {
            let ladder = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- 200 data 1000 [close cut=30]\nACK -->\n{end}"
            );
            let rules = ladder_check::run(&ladder.parse().expect("a ladder"));
            rules.rules().contains(&super::RULE.name)
        };
        assert!(run("RST -->\n<-- data 1000"));
        assert!(!run("RST -->"));
    }

    #[test]
    fn the_response_to_an_unseen_request_may_be_one_to_a_head() {
        let found = |body: &str| {
            let text = format!(
                "<-- 200 {body} [length=3000]\nACK -->\n+1s FIN -->\n<-- ACK\n<-- FIN\nACK -->"
            );
            crate::rules::ladder_check::found_by(&super::RULE, &text).is_some()
        };
        assert!(!found("data 0"));
        assert!(found("data 1000"));
    }
}
