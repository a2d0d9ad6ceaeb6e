//! The client closed while it waited for the response.

use std::time::Duration;

use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;
use crate::knowledge::service_name;
use crate::protocol::http::{ErrorCode, Party};
use crate::rules::Severity;
use crate::rules::classify::{EndingKind, ending, is_open_ended, request, response};
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, sentence};
use crate::rules::wording::{asked, close_word, named, not_yet, tell, waited};
use crate::rules::wording_tls::hidden_wait;

rule! {
    /// # What happened
    ///
    /// The client sent a complete request, waited, and closed the connection (FIN or RST) before the first byte of the final
    /// response. Its log says "The operation has timed out", `ETIMEDOUT`, `context deadline exceeded`, curl (28); the server's
    /// says "client closed request" (nginx 499), "broken pipe", `ClientAbortException`; a load balancer 460.
    ///
    /// Inside TLS without its keys the turns of the records show it: the client had the last word, waited, and left. HTTP/2 has
    /// records that are no requests, so nothing is said of it.
    ///
    /// Where servers speak first (mail, FTP, SSH, MySQL), the client may have waited for the greeting: the server's system took the
    /// connection, and its program was busy, stopped or dead.
    ///
    /// # Why it matters
    ///
    /// The answer comes too late for a client that has stopped waiting, and the server goes on working for nobody. Whether
    /// the request took effect the client does not know. A round number of seconds is a timeout that somebody set; another
    /// one may be a user who left.
    ///
    /// # Remedy
    ///
    /// - Decide which of the two is wrong: compare the time waited with what the server needs for this request, then raise
    ///   the client's timeout or make the request faster.
    /// - Set the timeouts from the outside inwards in decreasing order, so that the server gives up before its callers do, and
    ///   let the server stop working when the client has gone (`RequestAborted`, `Response.IsClientConnected`).
    ///
    /// # Tell it by
    ///
    /// The client's FIN or RST comes first, often a round number of seconds after its request, and the server has sent no
    /// response byte.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /slow          -->
    ///  0.030                     <--  ACK
    ///  5.020  FIN                -->
    ///  5.030                     <--  ACK
    ///  => teardown client fin waiting
    ///  => findings client-gave-up-waiting
    /// ```
    ///
    /// # Not this
    ///
    /// A client that closes only its own direction and still reads:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.021  FIN                -->
    ///  0.030                     <--  ACK
    ///  0.500                     <--  200 "hello"
    ///  0.510  ACK                -->
    ///  0.520                     <--  FIN
    ///  0.530  ACK                -->
    ///  => outcome 1 complete
    /// ```
    ///
    /// The response had begun:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.030                     <--  200 data 300 [length=1000]
    ///  5.020  RST                -->
    /// ```
    ///
    /// The capture ends while the client still waits:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /slow          -->
    ///  0.030                     <--  ACK
    ///  => teardown nobody open waiting
    /// ```
    ///
    /// Only the client's side was captured, which says nothing about an answer:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <~~  SYN
    ///  0.020  GET /              -->
    ///  5.020  FIN                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9110 §9.2.2 (idempotent methods), §15.5.9 (408); RFC 9112 §9.5 (timeouts).
    pub(super) RULE: "client-gave-up-waiting", Severity::Error,
    "the client closed the connection while it waited for the response", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let read = ending(connection).filter(|it| it.reading == EndingKind::GaveUp);
    let Some(ending) = &read else {
        let whose = |time| {
            [
                round(time),
                measured_time::wait(connection, time, Who::Client),
            ]
        };
        return hidden_wait(&RULE, connection, whose)
            .or_else(|| cancelled(connection))
            .or_else(|| ungreeted(connection))
            .unwrap_or_else(|| not_yet(connection));
    };
    let Some(exchange) = ending.exchange else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    let word = close_word(ending);
    let what = asked(Some(exchange));
    let time = waited(Some(exchange), close);
    let taken = request(exchange)
        .is_some_and(|message| connection.sent[Who::Client as usize].acknowledged >= message.end());
    let server = match (taken, is_open_ended(exchange)) {
        (true, false) => "The server's system had acknowledged the request.",
        (true, true) => "The server's system had acknowledged what was sent of it.",
        (false, _) => {
            "The server had not even acknowledged the request: look for what stopped it on the way."
        }
    };
    let message = Statement::from(sentence!(
        "The client closed with a {} {} after the last byte of {}, without a byte of the response.",
        word,
        time,
        named(exchange)
    ))
    .and(server);
    let round = round(time);
    let late = response(exchange).map(|answer| {
        sentence!(
            "The response came {} later, to nobody.",
            answer.first.time.since(close.time)
        )
    });
    let usual = usual(connection).map(|usual| {
        sentence!(
            "The other requests on this connection were answered within {}.",
            usual
        )
    });
    tell(
        &RULE,
        Severity::Error,
        ending.certainty,
        "clients gave up waiting for the response",
        message,
    )
    .adds(round)
    .adds(measured_time::wait(connection, time, Who::Client))
    .adds(late)
    .adds(usual)
    .shows(
        request(exchange).map(|message| message.last),
        format!("the {what} is complete"),
    )
    .shows(
        Some(close),
        format!("{word} from the client, 0 bytes of the response received"),
    )
    .about(connection)
}

/// The client left a server that, by its port, should have greeted it.
fn ungreeted(connection: &Connection) -> Option<Verdict> {
    let protocol = service_name(connection.ungreeted()?)?;
    let opened = connection
        .first
        .time
        .after(connection.connect_time.unwrap_or_default());
    let time = connection.teardown.at.since(opened);
    let message = sentence!(
        "The client waited {} for the server's greeting and closed: servers of {}, which port {} is known for, speak first. The \
         server's system took the connection, and its program sent nothing.",
        time,
        protocol,
        connection.server.port.to_string()
    );
    let close = FrameRef {
        frame: connection.teardown.frame,
        time: connection.teardown.at,
    };
    let found = tell(
        &RULE,
        Severity::Error,
        Certainty::Likely,
        "clients gave up waiting for the greeting",
        message,
    )
    .adds(round(time))
    .shows(
        connection.last_syn[Who::Server as usize],
        "the server's system takes the connection",
    )
    .shows(Some(close), "the client closes, 0 bytes received")
    .about(connection);
    Some(found)
}

/// A client that cancels a stream sooner did not wait in vain: users and programs change their minds.
const WAITED: Duration = Duration::from_secs(1);

/// An HTTP/2 stream that the client cancelled while it waited (RFC 9113 §7, CANCEL).
fn cancelled(connection: &Connection) -> Option<Verdict> {
    let mut all = connection.exchanges.iter().filter_map(|exchange| {
        let reset = exchange.cut_by()?;
        let gave_up = reset.by == Party::Requester
            && reset.code == ErrorCode::CANCEL
            && exchange.response.is_none()
            && request(exchange).is_some_and(|message| message.is_complete());
        let time = waited(Some(exchange), reset.at);
        (gave_up && time >= WAITED).then_some((exchange, reset, time))
    });
    let (exchange, reset, time) = all.next()?;
    let more = all.count();
    let what = asked(Some(exchange));
    let told = sentence!(
        "The client cancelled stream {} {} after the last byte of {}, without a byte of the response.",
        exchange.stream_id().unwrap_or(0),
        time,
        named(exchange)
    );
    let round = round(time);
    let severity = if round.is_some() {
        Severity::Error
    } else {
        Severity::Warning
    };
    let more = (more > 0).then(|| sentence!("{} more streams on this connection ended so.", more));
    Some(
        tell(
            &RULE,
            severity,
            connection.teardown.certainty,
            "streams were cancelled while the client waited for the response",
            told,
        )
        .adds(round)
        .adds(measured_time::wait(connection, time, Who::Client))
        .adds(more)
        .shows(
            request(exchange).map(|message| message.last),
            format!("the {what} is complete"),
        )
        .shows(Some(reset.at), "RST_STREAM (CANCEL) from the client")
        .about(connection),
    )
}

/// A round number of seconds is somebody's setting.
fn round(time: Duration) -> Option<Sentence> {
    let seconds = measured_time::is_round(time)?;
    Some(sentence!(
        "{} is a round number: a timeout that was set.",
        Duration::from_secs(seconds)
    ))
}

/// The longest wait of another request on this connection.
fn usual(connection: &Connection) -> Option<Duration> {
    let complete = connection.spoken().iter();
    complete
        .filter(|exchange| exchange.is_complete())
        .filter_map(|exchange| {
            let answered = response(exchange)?.first;
            (answered.time < connection.teardown.at).then(|| exchange.waited())?
        })
        .max()
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    fn message(text: &str) -> Option<String> {
        let text = format!("SYN -->\n<-- SYN\nACK -->\n{text}");
        ladder_check::told_by(&super::RULE, &text)
    }

    #[test]
    fn a_round_time_is_a_setting() {
        let told = message("GET / -->\n<-- ACK\n+30s FIN -->\n<-- ACK").expect("found");
        assert!(
            told.contains("30.0 s") && told.contains("round number"),
            "{told}"
        );
        let told = message("GET / -->\n<-- ACK\n+3.4s RST -->").expect("found");
        assert!(
            told.contains("RST 3.40 s") && !told.contains("round"),
            "{told}"
        );
    }

    #[test]
    fn a_server_that_should_greet_and_does_not_is_waited_for() {
        let told = |port: &str, wait: &str| {
            let text = format!(
                "client server :{port}\nSYN -->\n<-- SYN\nACK -->\n+{wait} FIN -->\n<-- ACK\n+5s <-- FIN\nACK -->"
            );
            ladder_check::told_by(&super::RULE, &text)
        };
        let found = told("3306", "3s").expect("found");
        assert!(
            found.contains("3.00 s") && found.contains("MySQL"),
            "{found}"
        );
        // A probe does not wait, and on other ports the client begins.
        assert_eq!(told("3306", "40ms"), None);
        assert_eq!(told("8080", "3s"), None);
        assert_eq!(told("993", "3s"), None);
    }

    #[test]
    fn what_the_server_needed_before_is_told() {
        let text = "GET /1 -->\n+20ms <-- 200 \"x\"\nGET /2 -->\n<-- ACK\n+2s FIN -->\n<-- ACK";
        let told = message(text).expect("found");
        assert!(told.contains("answered within 20.0 ms"), "{told}");
    }

    #[test]
    fn whether_the_server_had_the_request_is_told() {
        let told = message("GET / [lost] -->\n+2s FIN -->").expect("found");
        assert!(told.contains("not even acknowledged"), "{told}");
    }
}
