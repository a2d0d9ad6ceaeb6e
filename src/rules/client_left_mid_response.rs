//! The client left in the middle of the response.

use super::Severity;
use super::ending::{Ending, Reading, response};
use super::measure::number;
use super::rule::{Check, Verdict, rule};
use super::telling::{asked, bytes, close_word, span, tell};
use super::timers;
use crate::connection::Connection;
use crate::http::{Framing, Message, Progress};

rule! {
    /// # What happened
    ///
    /// The client closed the connection (RST, or FIN and then RSTs) while the server was still sending the response. The
    /// server's log says `EPIPE`, "broken pipe", `ECONNRESET`, "client prematurely closed connection",
    /// "The remote host closed the connection. The error code is 0x800704CD"; IIS `Connection_Dropped`, HAProxy `CD`.
    ///
    /// # Why it matters
    ///
    /// Most often nothing is wrong: a user went on to another page, a player jumped, a download was cancelled. It is worth a
    /// look when it happens after the same time again and again (a client timeout over the whole response), at the same
    /// number of bytes (a limit of size), or to a program that should have read it all.
    ///
    /// # Remedy
    ///
    /// - If the times are equal and round, raise the client's timeout for the whole response, or send it faster.
    /// - If users leave, let the server ask (`Response.IsClientConnected`) and log it quietly: it is no error of the server.
    /// - If a program closes without reading to the end, let it read the body or cancel it on purpose.
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
    /// The client had everything:
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
    /// A client that closes its direction and reads on:
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
    pub(super) RULE: "client-left-mid-response", Severity::Warning,
    "the client closed the connection before the response was complete", Check::Ending(&[Reading::LeftMidResponse], check)
}

/// How much of a message had reached the client when it left.
fn received(message: &Message, acknowledged: u64) -> String {
    let got = acknowledged.saturating_sub(message.head_end());
    match (message.progress, message.framing) {
        (Progress::Head, _) => "the head was not complete".to_owned(),
        (_, Framing::Length) => format!(
            "it had {} of {} body bytes",
            number(got),
            number(message.expected().unwrap_or(0))
        ),
        _ => format!(
            "it had {} of a body without an announced length",
            bytes(got)
        ),
    }
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some(message) = ending.exchange.and_then(response) else {
        return Verdict::Clear;
    };
    let close = ending.close.mark;
    let word = close_word(ending);
    let time = close.time.since(message.first.time);
    let quiet = close.time.since(message.last.time);
    let told = format!(
        "The client closed with a {word} {} after the response to its {} had begun; {}.",
        span(time),
        asked(ending.exchange),
        received(message, ending.close.received),
    );
    let stalled = (message.last < close && quiet.as_secs() >= 1).then(|| {
        let round = match timers::is_round(quiet) {
            Some(seconds) => format!(", and {seconds} s is a round number: a timeout that was set"),
            None => String::new(),
        };
        format!(
            "The server had sent nothing for {} before{round}.",
            span(quiet)
        )
    });
    // Whoever reads a stream without an end can only leave it.
    let severity = match (message.framing, message.progress) {
        (Framing::UntilClose, _) | (_, Progress::Unseen) => Severity::Note,
        _ => Severity::Warning,
    };
    tell(
        &RULE,
        severity,
        ending.certainty,
        "clients left before the response was complete",
        told,
    )
    .adds(stalled)
    .shows(Some(message.first), "the response begins")
    .shows(Some(close), format!("{word} from the client"))
    .about(connection)
}

#[cfg(test)]
mod tests {
    use super::super::{Severity, proof};

    fn finding(text: &str) -> super::super::Finding {
        let text = format!("SYN -->\n<-- SYN\nGET / -->\n{text}");
        let proof = proof::run(&text.parse().expect("a ladder"));
        assert_eq!(proof.rules(), [super::RULE.name]);
        proof.findings.into_iter().next().expect("one")
    }

    #[test]
    fn what_was_delivered_is_counted() {
        let told = finding("<-- 200 data 1000 [length=5000]\nACK -->\n<-- data 1000\n+10s RST -->")
            .message;
        assert!(told.contains("had 2,000 of 5,000"), "{told}");
        assert!(
            told.contains("nothing for 10.0 s") && told.contains("round"),
            "{told}"
        );
    }

    #[test]
    fn a_stream_without_an_end_can_only_be_left() {
        let found = finding("<-- 200 data 1000 [no-length]\nACK -->\n+10s RST -->");
        assert_eq!(found.severity, Severity::Note);
    }
}
