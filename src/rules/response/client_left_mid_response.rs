//! The client closed in the middle of the response.

use std::time::Duration;

use crate::analysis::connection::{Connection, Who, wanted_the_status};
use crate::base::format::whole_seconds;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{Exchange, Framing, Message, MessageProgress};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, is_shut, response, unaccepted};
use crate::rules::classify_h2::{client_cancelled, more_cancelled, was_sent_away};
use crate::rules::h2::h2_reset_burst::burst;
use crate::rules::measured_time;
use crate::rules::named_products::is_browser;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::waiting::client_gave_up_waiting::LOST_ON_THE_WAY;
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
    /// - *If nothing had come for 3 s or more and the client's window had not gone to zero:* Find out why the server sent nothing
    ///   more: look in its log for that time, and at what stands behind it. Data that was lost on the way shows in a capture
    ///   at the server.
    /// - *If nothing had come for 1 s or more:* Compare the times of several cases: equal and round ones are the client's
    ///   timeout. Raise it for the whole response, or send the response faster.
    /// - *If the client's window had gone to zero:* Let the client read what comes, or close as soon as it has what it needs:
    ///   it kept the server waiting.
    /// - *If the close came within 3 s of the last bytes:* Let the server notice that the client has closed (`Response.IsClientConnected`, `HttpContext.RequestAborted`, a
    ///   request's context in Go) and log it quietly: it is not an error of the server.
    /// - *If the close came within 3 s of the last bytes:* Look for a place in the client that closes without reading to the end. Let it read the body, or cancel it on
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
    "the client closes the connection before the response is complete", Check::Read(check)
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

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    match ending.filter(|it| it.reading == EndingKind::LeftMidResponse) {
        Some(ending) => left(connection, ending),
        None => cancelled_stream(connection).unwrap_or(Verdict::Clear),
    }
}

/// An HTTP/2 stream that the client cancelled in the middle of its response (RFC 9113 §7, CANCEL). The connection goes on.
fn cancelled_stream(connection: &Connection) -> Option<Verdict> {
    connection.h2.as_ref()?;
    if burst(connection).is_some() {
        return None;
    }
    let mut all = connection.exchanges.iter().filter_map(|exchange| {
        let message = response(exchange)?;
        let reset = client_cancelled(exchange)?;
        let cut = !message.is_complete() && !exchange.is_endless();
        cut.then_some((exchange, message, reset))
    });
    let (exchange, message, reset) = all.next()?;
    let told = Statement::from(sentence!(
        "The client cancelled stream {}, {} after the response to {} had begun.",
        exchange.stream_id().unwrap_or(0),
        reset.at.time.since(message.first.time),
        named(exchange)
    ))
    .and(received(exchange, message, 0));
    let more = more_cancelled(all.count());
    Some(
        tell(
            &RULE,
            Severity::Note,
            connection.teardown.certainty,
            "Client cancelled [a stream|streams on # connections] mid-response",
            told,
        )
        .adds(more)
        .shows(Some(message.first), "response begins")
        .shows(Some(reset.at), "RST_STREAM (CANCEL) from the client")
        .about(connection),
    )
}

fn left(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some((exchange, message)) = ending
        .exchange
        .and_then(|exchange| Some((exchange, response(exchange)?)))
    else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    // A client to which the server reported an error by GOAWAY did not close by itself.
    if was_sent_away(connection, close) {
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
    let shut = is_shut(connection, Who::Client);
    let vanished = connection.client_had_vanished();
    let told = Statement::from(match vanished {
        true => sentence!(
            "The client's host answered a segment of the server with a RST, {} after the response to {} had begun: it knew of no \
             such connection.",
            time,
            named(exchange)
        ),
        false => sentence!(
            "The client closed with a {}, {} after the response to {} had begun.",
            word,
            time,
            named(exchange)
        ),
    })
    .and(received(exchange, message, ending.close.received));
    // What was sent again and again, and acknowledged by nobody.
    let stuck = stuck_before(connection, message, close);
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
    let stalled = match stuck {
        Some(times) => Some(sentence!(
            "For {} nothing new had come from the server, which repeated the same bytes {}. The client acknowledged none of them.",
            quiet,
            Value::count(times.into(), "time", "times")
        )),
        None => stalled,
    };
    let unread = shut.then_some(
        "The client's window had gone to zero: it had not read what came, and the server could not send the rest.",
    );
    // Then the server, or the way to it, was gone before the client left.
    let gone = unanswered_close(connection, close);
    // A reader of an endless stream can only end it by closing.
    let endless = ending.exchange.is_some_and(|it| {
        // If the head was truncated, its media type is unknown.
        let cut = it.rare.as_ref().is_some_and(|it| it.response.head_cut);
        it.is_endless() || cut && message.framing == Framing::Chunked
    });
    let status_alone = wanted_the_status(connection, exchange);
    // A download that is cancelled, a film in which somebody jumps: what was coming is no longer wanted.
    let cancelled = is_browser(connection) && (shut || quiet < FLOWING);
    let severity = match (message.framing, message.progress) {
        _ if endless || status_alone => Severity::Note,
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
    .adds(status_alone.then_some(
        "Its request had no field but `Host` and `Connection`: health checks ask so, and want the status alone.",
    ))
    .adds(unread)
    .adds(gone.map(|times| {
        sentence!(
            "That FIN got no answer either, though it was repeated {} times.",
            times.to_string()
        )
    }))
    .presumes(match (gone, vanished, stuck) {
        (Some(_), ..) => Some("The server's host, or the path to it, was gone before the client closed."),
        (None, true, _) => Some(
            "The client's connection had ended before, unknown to the server: by a RST from a device on the way, with a restart \
             of the client's host, or by a FIN that was lost.",
        ),
        (None, false, Some(_)) => Some("What the server sent was lost on the way to the client."),
        (None, false, None) if status_alone => Some("This is a health check, and harmless."),
        (None, false, None) => None,
    })
    .shows(Some(message.first), "response begins")
    .shows(Some(close), format!("{word} from the client"))
    .about(connection)
    .advises(match (gone, vanished, stuck) {
        (Some(_), ..) => Some(GONE),
        (None, true, _) => Some(VANISHED),
        (None, false, Some(_)) => Some(LOST_ON_THE_WAY),
        (None, false, None) => None,
    })
}

/// How often the server had repeated what the client did not acknowledge to the end, if that began before the close.
fn stuck_before(connection: &Connection, message: &Message, close: FrameRef) -> Option<u16> {
    const ENOUGH: u16 = 2;
    let times = unaccepted(connection, message)?;
    let began = connection.unanswered.as_deref()?[Who::Server as usize].again;
    (times >= ENOUGH && began < close).then_some(times)
}

/// Where to look for what ended the client's connection.
const VANISHED: &str = "Capture at the client as well: that shows what ended its connection. Look at its host, and at the devices on the \
                        way, at the time when the client stopped acknowledging.";

/// What to look at where nothing comes from the server any more.
const GONE: &str = "Look at the server's host, and at the path to it, at the time of the last segment from the server: a crash, a \
                    suspended machine, a firewall that dropped the connection.";

/// How often the client's FIN was repeated, if nothing came from the server after it, and nothing for long before.
fn unanswered_close(connection: &Connection, close: FrameRef) -> Option<u16> {
    const REPEATED: u16 = 3;
    const BEFORE: Duration = Duration::from_secs(1);
    let own = &connection.unanswered.as_deref()?[Who::Client as usize];
    let heard = own
        .peer_last_sent
        .max(connection.last_data[Who::Server as usize]);
    let quiet = heard < close && close.time.since(heard.time) >= BEFORE;
    let both = connection.sent.iter().all(|sent| sent.packets > 0);
    (both && quiet && own.count >= REPEATED && connection.fin[Who::Server as usize].is_none())
        .then_some(own.count)
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

    /// The connection goes on, and what the other streams bring arrives.
    /// The server goes on repeating what gets no acknowledgement: the client that leaves in the end is no cause.
    #[test]
    fn what_was_lost_on_the_way_is_not_the_clients_doing() {
        let text = "SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- 200 data 1000 [length=9000]\nACK -->\n<-- data 1000 [lost]\n\
                    +300ms <-- again [lost]\n+600ms <-- again [lost]\n+1200ms <-- again [lost]\n+3s FIN -->\n<-- ACK";
        let found = ladder_check::found_by(&super::RULE, text).expect("found");
        assert!(
            found.message.contains("acknowledged none")
                && found.message.contains("lost on the way"),
            "{}",
            found.message
        );
        assert!(
            !found.remedies.iter().any(|it| it.contains("quietly")),
            "{:?}",
            found.remedies
        );
    }

    /// A program that leaves sends a FIN or a RST of its own. A host that resets what comes has no such connection any more.
    #[test]
    fn a_host_without_the_connection_is_no_client_that_times_out() {
        let text = |end: &str| {
            format!(
                "SYN -->\n<-- SYN\nACK -->\nGET / [user-agent=curl/8.5] -->\n<-- 200 data 1000 [length=9000]\nACK -->\n\
                 <-- data 1000 [lost]\n+300ms <-- again [lost]\n+1200ms <-- again\n{end}"
            )
        };
        let found = ladder_check::found_by(&super::RULE, &text("RST [noack] -->")).expect("found");
        assert!(
            found.message.contains("knew of no such connection"),
            "{}",
            found.message
        );
        assert!(
            found.remedies[0].contains("Capture at the client"),
            "{:?}",
            found.remedies
        );
    }

    #[test]
    fn a_stream_that_is_cancelled_in_the_middle_is_a_note() {
        let text = |ends: &str| {
            format!(
                "SYN -->\n<-- SYN\nh2 preface h2 SETTINGS -->\n<-- h2 SETTINGS\nh2 HEADERS 1 GET /a END -->\n\
                 <-- h2 HEADERS 1 200 h2 DATA 1 700\nACK -->\n{ends}\nh2 HEADERS 3 GET /b END -->\n\
                 <-- h2 HEADERS 3 200 h2 DATA 3 7 END\nh2 GOAWAY 0 NO_ERROR FIN -->\n<-- FIN\nACK -->"
            )
        };
        let found = |ends: &str| {
            let found = ladder_check::run(&text(ends).parse().expect("a ladder")).findings;
            found
                .into_iter()
                .map(|it| (it.rule, it.severity, it.message.to_string()))
                .collect::<Vec<_>>()
        };
        let cancelled = found("+40ms h2 RST_STREAM 1 CANCEL -->");
        let [(rule, severity, message)] = &cancelled[..] else {
            panic!("{cancelled:?}")
        };
        assert_eq!((*rule, *severity), (super::RULE.name, Severity::Note));
        assert!(
            message.contains("cancelled stream 1") && message.contains("700 bytes"),
            "{message}"
        );
        assert_eq!(found("<-- h2 DATA 1 0 END"), []);
    }

    /// Health checks read the status, and reset.
    #[test]
    fn who_asks_for_nothing_but_the_status_has_it() {
        let rows = [
            ("GET / -->", "+1ms RST -->", Severity::Note, true),
            ("GET / -->", "+100ms RST -->", Severity::Warning, false),
            (
                "GET / -->",
                "+1ms FIN -->\n<-- ACK",
                Severity::Warning,
                false,
            ),
            (
                "GET / [user-agent=curl/8.5] -->",
                "+1ms RST -->",
                Severity::Warning,
                false,
            ),
        ];
        for (ask, end, severity, fine) in rows {
            let text = format!("SYN -->\n<-- SYN\nACK -->\n{ask}\n<-- 200 [length=2]\n{end}");
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            let found = proof.findings.iter().find(|it| it.rule == super::RULE.name);
            assert_eq!(found.map(|it| it.severity), Some(severity), "{text}");
            assert_eq!(proof.connections[0].outcome.is_fine(), fine, "{text}");
        }
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

    /// A client that leaves a server which is gone is not the cause.
    #[test]
    fn a_close_that_nobody_answers_shows_that_the_server_was_gone() {
        let text = format!(
            "SYN -->\n<-- SYN\nGET / -->\n{}",
            "<-- 200 data 300 [length=1000]\nACK -->\n+3s FIN -->\n+300ms again -->\n+600ms again -->\n+1200ms again -->"
        );
        let found = ladder_check::found_by(&super::RULE, &text).expect("found");
        assert!(
            found.message.contains("repeated 3 times") && found.message.contains("was gone"),
            "{}",
            found.message
        );
        assert!(
            found.remedies.iter().all(|it| it.contains("host")),
            "{:?}",
            found.remedies
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
