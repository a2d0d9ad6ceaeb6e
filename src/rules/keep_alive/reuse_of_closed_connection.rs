//! A request was sent on a connection that the other side had closed, as the client's operating system knew.

use super::keep_alive_race::idle_until_close;
use crate::analysis::connection::{Connection, Who};
use crate::base::frame_ref::FrameRef;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, request};
use crate::rules::lost_data::{Before, LostData, lost_data};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::{asked, not_yet, repetition_on, tell};

rule! {
    /// # What happened
    ///
    /// The server closed an idle connection. The client's operating system acknowledged the FIN and signalled the end of
    /// the stream, but the program did not look. Much later it sent a request on that connection and got a RST. The log says
    /// `ECONNRESET`, `EPIPE`, `NoHttpResponseException`, "A connection that was expected to be kept alive was closed".
    ///
    /// # Why it matters
    ///
    /// Unlike a race, this can be avoided: the end of the stream could be read all the time. A pool that does not check a
    /// connection before it hands it out fails after each pause that is longer than the server's idle timeout.
    ///
    /// # Remedy
    ///
    /// - *If HTTP was spoken:* Let the pool check a connection before it hands it out (Apache HttpClient
    ///   `validateAfterInactivity`), or drop it as soon as the server closes it. OkHttp and urllib3 check; upgrade a client
    ///   library that does neither.
    /// - *If HTTP was not spoken:* Let the pool check a connection before it hands it out (SQLAlchemy `pool_pre_ping`, Jedis
    ///   `testOnBorrow`), or drop it as soon as the server closes it.
    /// - Or make the client's idle timeout shorter than the server's.
    ///
    /// # Tell it by
    ///
    /// The client acknowledged the server's FIN long before it sent the next request. That request gets a RST.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.050  ACK                -->
    ///  9.000  GET /2             -->
    ///  9.010                     <--  RST [noack]
    ///  => teardown server fin between
    ///  => findings reuse-of-closed-connection
    /// ```
    ///
    /// # Not this
    ///
    /// The client could not know of the FIN yet:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.045  GET /2 [crossed]   -->
    ///  5.055                     <--  RST [noack]
    /// ```
    ///
    /// The client had only just been told of the FIN:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.050  ACK                -->
    ///  5.060  GET /2             -->
    ///  5.070                     <--  RST [noack]
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.5 (clients should watch for the close of idle connections), §9.3.1 (retrying).
    pub(in crate::rules) RULE: "reuse-of-closed-connection", Severity::Error,
    "a request was sent on a connection that the client's operating system knew was closed", Check::Read(check)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    let orderly = connection.teardown.orderly && !connection.outcome.is_failed();
    if orderly || connection.fin_acknowledged[Who::Server as usize].is_none() {
        return not_yet(connection);
    }
    if let Some(ending) = ending.filter(|it| it.exchange.is_some()) {
        return match ending.reading {
            EndingKind::ReuseOfClosed => read(connection, ending),
            _ => Verdict::Clear,
        };
    }
    if let Some(lost) = lost_data(connection)
        && let Before::KnownClosed(known) = lost.before
    {
        return unread(connection, known, &lost);
    }
    Verdict::Clear
}

/// Data whose meaning is not read.
fn unread(connection: &Connection, known: FrameRef, lost: &LostData) -> Verdict {
    let close = connection.fin[Who::Server as usize];
    let sent = lost.sent;
    let message = sentence!(
        "The server closed the connection. The client sent {} {} after its operating system had acknowledged the close. The server's \
         host replied with a RST.",
        Value::bytes(sent.bytes),
        sent.since.time.since(known.time)
    );
    tell(
        &RULE,
        Severity::Error,
        connection.teardown.certainty,
        "Client sent data on [a closed connection|# closed connections]",
        message,
    )
    .means(Some("What the client sent was lost."))
    .shows(close.map(|event| event.frame_ref), "FIN from the server")
    .shows(Some(known), "FIN acknowledged by the client")
    .shows(Some(sent.since), "data sent after that")
    .shows(Some(lost.reset.frame_ref), "RST from the server")
    .about(connection)
}

/// A request.
fn read(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some((exchange, sent)) = ending
        .exchange
        .and_then(|exchange| Some((exchange, request(exchange)?)))
    else {
        return Verdict::Clear;
    };
    // A response that was there before the first request is the fault: it has a rule of its own.
    let server = connection.sent[Who::Server as usize];
    if sent.start == 0 && server.bytes > 0 {
        return Verdict::Clear;
    }
    let known = connection.fin_acknowledged[Who::Server as usize];
    let knew = known.map(|frame_ref| sent.first.time.since(frame_ref.time));
    let what = asked(Some(exchange));
    let mut message = Statement::from(match idle_until_close(connection, ending) {
        Some(idle) => sentence!(
            "The server closed the connection after {} without a request.",
            idle
        ),
        None => sentence!("The server closed the connection."),
    });
    message.say(sentence!(
        "The client sent a {} {} after its operating system had acknowledged the close. No response came.",
        &what,
        knew.unwrap_or_default()
    ));
    tell(
        &RULE,
        Severity::Error,
        ending.certainty,
        "[A request was sent on a closed connection|# requests were sent on closed connections]",
        message,
    )
    .means(Some(repetition_on(connection, exchange)))
    .shows(Some(ending.close.frame_ref), "FIN from the server")
    .shows(known, "FIN acknowledged by the client")
    .shows(Some(sent.first), format!("{what} sent after that"))
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check::told_by;

    /// A RST without a socket shows that nobody read the request.
    #[test]
    fn a_request_that_met_no_socket_was_not_processed() {
        let used = "SYN -->\n<-- SYN\nGET /a -->\n<-- 200 \"a\"\nACK -->\n+5s <-- FIN\n+40ms ACK -->\n+157ms POST /b -->\n";
        for (end, told) in [
            (
                "<-- RST [noack]",
                "The server did not process `POST /b`: it is safe to retry",
            ),
            ("+9s FIN -->\n<-- ACK", "Do not retry `POST /b` blindly"),
        ] {
            let said = told_by(&super::RULE, &format!("{used}{end}")).expect("found");
            assert!(said.contains(told), "{said}");
        }
    }

    #[test]
    fn data_of_any_protocol_meets_a_closed_socket() {
        let open = "SYN -->\n<-- SYN\nACK -->\n\"PING\" -->\n<-- \"PONG\"\nACK -->\n+2260ms <-- FIN\n+40ms ACK -->";
        let told = |rest: &str| told_by(&super::RULE, &format!("{open}\n{rest}"));
        let late = told("+1730ms \"GET a\" -->\n<-- RST [noack]").expect("found");
        assert!(late.contains("5 B") && late.contains("1.73 s"), "{late}");
        assert_eq!(
            told("+1ms \"GET a\" -->\n<-- RST [noack]"),
            None,
            "it could not know yet"
        );
        assert_eq!(told("FIN -->\n<-- ACK"), None);
    }
}
