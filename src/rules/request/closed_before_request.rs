//! The server closed before it had a whole request.

use std::time::Duration;

use crate::analysis::connection::{Connection, Who};
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::{Framing, Message, Protocol};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, request};
use crate::rules::classify_messages::unheard_for;
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::unanswered::silence;
use crate::rules::wording::{close_word, is_of_another_protocol, named, tell};

rule! {
    /// # What happened
    ///
    /// The server accepted the connection and closed it before it had read a complete request, without sending a byte. What
    /// the client sent afterwards met a closed socket. The client's log says `ECONNRESET`, `EOF`, "Empty reply from server"
    /// (curl 52), `ERR_EMPTY_RESPONSE` or `RemoteDisconnected`.
    ///
    /// # Why it matters
    ///
    /// The request was lost, but not because of its content: nobody read it. The server turned the *connection* away. Possible reasons: a list of allowed addresses (`hosts.deny`, an ingress rule), a limit of connections, a listener that is
    /// shutting down, or a crash at accept. Or the server expected TLS or a PROXY line.
    ///
    /// # Remedy
    ///
    /// - *If it was the first request on the connection:* Look in the server's log at the time of the FIN for a refused address, a
    ///   limit of connections, a shutdown or a crash.
    /// - *If the connection had carried a request before:* Make the client's idle timeout shorter than the server's: the server
    ///   ends idle connections. Look in its log for a shutdown at the time of the FIN.
    /// - *If the client had sent nothing:* Raise the server's timeout for the first message (RabbitMQ `handshake_timeout`), or let the
    ///   client speak at once.
    /// - *If the client had sent something and it was the first request on the connection and the client had sent under 16 kB:*
    ///   Compare what the port expects with what the client sends: TLS, plain HTTP, or a PROXY protocol line before either.
    /// - *If HTTP was spoken and the client had sent 16 kB or more:* Look for a handler that returns without reading the body,
    ///   and for a limit on its size or time.
    /// - *If the client had sent something:* Let the client retry the request on a new connection. The server cannot have
    ///   executed what it had not received whole.
    ///
    /// # Tell it by
    ///
    /// The server's FIN comes on a new connection, before the server has acknowledged a whole request.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.025                     <--  FIN
    ///  0.030  GET /              -->
    ///  0.040                     <--  RST [noack]
    ///  => teardown server fin before-request
    ///  => findings closed-before-request
    /// ```
    ///
    /// # Not this
    ///
    /// A connection that was opened in advance and never used is closed after a while:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    /// 60.000                     <--  FIN
    /// 60.010  FIN                -->
    /// 60.020                     <--  ACK
    ///  => teardown server fin before-request
    /// ```
    ///
    /// The server received the request and did not respond, which is `closed-before-response`:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => teardown server fin waiting
    /// ```
    ///
    /// A server that speaks first has sent something before it closes:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "421 too busy\r\n"
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.6 (tear-down); RFC 9293 §3.10.7.1 (data to a closed socket draws a RST).
    pub(in crate::rules) RULE: "closed-before-request", Severity::Error,
    "the server closes the connection before it has a whole request", Check::Ending(&[EndingKind::ClosedBeforeRequest, EndingKind::ClosedInRequest], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let close = ending.close.frame_ref;
    // What the client sent before was lost on the way, and never got an answer: that is the fault.
    if silence(connection).is_some_and(|(who, it)| who == Who::Client && it.again < close) {
        return Verdict::Clear;
    }
    let word = close_word(ending);
    let sent = connection.sent[Who::Client as usize].bytes;
    let begun = ending.exchange.and_then(request);
    let name = ending.exchange.map(named).unwrap_or_default();
    let (severity, summary, message) = match ending.reading {
        EndingKind::ClosedInRequest => {
            let came = match begun {
                _ if ending.exchange.is_some_and(is_of_another_protocol) => sentence!(
                    "{} of it had arrived.",
                    Value::exact_bytes(
                        begun.map_or(0, |it| ending.close.received.saturating_sub(it.start))
                    )
                ),
                Some(message) if message.framing == Framing::Length => sentence!(
                    "{} of {} body bytes had arrived.",
                    had_of_body(ending, message),
                    message.expected().unwrap_or(0)
                ),
                Some(message) if message.framing == Framing::Messages => {
                    sentence!(
                        "{} of it had arrived.",
                        Value::exact_bytes(message.received())
                    )
                }
                _ => sentence!(
                    "{} of it had arrived.",
                    Value::exact_bytes(ending.close.received)
                ),
            };
            let idle = begun.map(|message| unheard_for(connection, Who::Client, message, close));
            // Its head had come, and nothing of its body.
            let headed = begun.filter(|it| it.last > close && had_of_body(ending, it) == 0);
            let message = Statement::from(match headed {
                Some(_) => sentence!(
                    "The server closed when the head of {} had come, before any of its body. It sent no byte of a response.",
                    name.clone()
                ),
                None => sentence!(
                    "The server closed while the client was still sending {}, {} after the last bytes. It sent no byte of \
                 a response.",
                    name,
                    idle.unwrap_or_default()
                ),
            });
            (
                Severity::Error,
                "Server closed [the connection|# connections] mid-request",
                message.and(came),
            )
        }
        _ => {
            let opened = connection.connect_time.unwrap_or_default();
            let after = close.time.since(connection.first.time.after(opened));
            let message = Statement::from(sentence!(
                "The server's {} came {} after the handshake. The server had received no byte from the client and had sent none.",
                word,
                after
            ));
            let opaque = !matches!(
                connection.protocol,
                Protocol::Http1 | Protocol::Http2 | Protocol::Tls
            );
            let unseen = connection.unseen_fin(Who::Server).is_some();
            let early = lost_before(connection, close);
            let late = match (unseen, early) {
                (true, _) => Sentence::from(
                    "A byte of the server that the capture lacks would be acknowledged in the same way, and then it did not \
                     close.",
                ),
                (false, Some(early)) => sentence!(
                    "The client had sent {}, {} before that. None of it was acknowledged: it was lost on the way.",
                    Value::exact_bytes(sent),
                    early
                ),
                (false, None) => sentence!(
                    "The {} that the client then sent met a closed socket.",
                    Value::exact_bytes(sent)
                ),
            };
            match sent {
                1.. if unseen => (
                    Severity::Note,
                    "Server may have closed [the connection|# connections] before data",
                    message.and(late),
                ),
                0 => (
                    Severity::Note,
                    "Server closed [the connection|# connections] before any data",
                    waited(connection, message, after).means(
                        "Nothing is lost if the connection was opened in advance, by a probe or for data that did not \
                         come.",
                    ),
                ),
                _ if connection.only_said_goodbye() => (
                    Severity::Warning,
                    "Server closed [the connection|# connections] without a greeting",
                    message.and("Then the client said goodbye, and had asked for nothing."),
                ),
                _ if opaque && (connection.spoken().is_empty() || connection.is_presumed()) => (
                    Severity::Warning,
                    "Server closed [the connection|# connections] before client data came",
                    message
                        .and(late)
                        .means("Whether they asked for anything is not known: they are not HTTP."),
                ),
                _ => (
                    Severity::Error,
                    "Server closed [the connection|# connections] before the request came",
                    message.and(late),
                ),
            }
        }
    };
    let verdict = tell(&RULE, severity, ending.certainty, summary, message)
        .shows(Some(close), format!("{word} from the server, no byte sent"))
        .shows(begun.map(|message| message.first), "request begins")
        .about(connection);
    match ending.reading == EndingKind::ClosedBeforeRequest
        && lost_before(connection, close).is_some()
    {
        // The server had no reason in what it never received.
        true => verdict.keeps(|remedy| remedy.contains("retry")),
        false => verdict,
    }
}

/// Body bytes that the server had when it closed: what came later it has not read.
fn had_of_body(ending: &Ending<'_>, message: &Message) -> u64 {
    let sent = message.received();
    let later = message.end().saturating_sub(ending.close.received);
    sent.saturating_sub(later.min(sent))
}

/// How long before the close the client had sent what did not arrive in all that time.
fn lost_before(connection: &Connection, close: FrameRef) -> Option<Duration> {
    let sent = connection
        .in_flight(Who::Client)
        .filter(|it| it.since < close)?;
    let time = close.time.since(sent.since.time);
    (time > connection.expected_round_trip()).then_some(time)
}

/// What the server may have waited for. Only where it waited does a time mean anything.
fn waited(connection: &Connection, message: Statement, after: Duration) -> Statement {
    let message = message.and("The client had sent nothing either.");
    let whose = measured_time::first_request(connection, after);
    let round = || {
        measured_time::round(after).map(|round| {
            sentence!(
                "{}: the server probably closes a connection on which nothing comes in that time.",
                round
            )
        })
    };
    match whose.or_else(round) {
        Some(told) => message.and(told),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;
    use crate::rules::{Finding, Severity};

    fn finding(text: &str) -> Option<Finding> {
        ladder_check::found_by(&super::RULE, text)
    }

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";

    #[test]
    fn it_is_worse_when_the_client_asked_for_something() {
        let asked = finding(&format!("{OPEN}<-- FIN\nGET / -->\n<-- RST [noack]")).expect("found");
        assert_eq!(asked.severity, Severity::Error);
        let unasked = finding(&format!("{OPEN}<-- FIN\nFIN -->\n<-- ACK")).expect("found");
        assert_eq!(unasked.severity, Severity::Note);
    }

    #[test]
    fn a_server_that_waited_and_reset_is_a_note_with_its_time() {
        let text = "client server 10.0.0.2:5672\nSYN -->\n<-- SYN\nACK -->\n";
        let ten = finding(&format!("{text}+10s <-- RST")).expect("found");
        assert_eq!(ten.severity, Severity::Note);
        assert!(ten.message.contains("RabbitMQ"), "{}", ten.message);
        let two = finding(&format!("{text}+2s <-- RST")).expect("found");
        assert!(two.message.contains("round number"), "{}", two.message);
        assert_eq!(
            finding(&format!("{text}+10s <-- FIN\nFIN -->\n<-- ACK")),
            None
        );
    }

    #[test]
    fn an_incomplete_request_is_reported_with_its_bytes() {
        let text = format!(
            "{OPEN}POST / [length=9000] data 1000 -->\n<-- ACK\n+200ms <-- FIN\nFIN -->\n<-- ACK"
        );
        let found = finding(&text).expect("found");
        assert!(
            found.message.contains("1,000 of 9,000"),
            "{}",
            found.message
        );
        assert!(found.message.contains("201 ms"), "{}", found.message);
    }

    #[test]
    fn a_request_that_was_sent_long_before_met_no_closed_socket() {
        let lost =
            format!("{OPEN}GET / [lost] -->\n+3s again [lost] -->\n+60s <-- FIN\nFIN -->\n<-- ACK");
        let found = finding(&lost).expect("found");
        assert!(
            found.message.contains("lost on the way") && !found.message.contains("then sent"),
            "{}",
            found.message
        );
        assert_eq!(found.remedies.len(), 1, "{:?}", found.remedies);
    }

    /// The client waits for a 100 before it sends the body. The server closes after the head; the body meets no socket.
    #[test]
    fn what_came_after_the_close_had_not_arrived() {
        let used = format!("{OPEN}POST /1 \"one\" -->\n<-- 200 \"one\"\nACK -->\n");
        let found = finding(&format!(
            "{used}+400ms POST /x [length=174] -->\n<-- FIN\n+2ms data 174 -->\n<-- RST [noack]"
        ));
        let found = found.expect("found");
        let told = found.message.to_string();
        assert!(told.contains("0 of 174 body bytes had arrived"), "{told}");
        assert!(told.contains("cannot have processed it whole"), "{told}");
    }

    #[test]
    fn bytes_that_begin_no_request_are_not_called_one() {
        let found = finding(&format!(
            "{OPEN}<-- FIN\n\"\\xff\\x00\\x01\" -->\n<-- RST [noack]"
        ));
        let found = found.expect("found");
        assert_eq!(found.severity, Severity::Warning);
        assert!(found.message.contains("not HTTP"), "{}", found.message);
    }
}
