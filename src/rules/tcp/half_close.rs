//! The client closed its direction and still got its response.

use crate::analysis::connection::Connection;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, request, response};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{asked, tell};

rule! {
    /// # What happened
    ///
    /// The client closed its direction of the connection after the request (`shutdown(SHUT_WR)`). The server then sent the
    /// complete response.
    ///
    /// # Why it matters
    ///
    /// It worked here. TCP allows it, but HTTP/1.1 does not need it, because a request shows its own end. Servers and
    /// proxies may take the FIN for a client that has left, and stop (nginx logs 499). The same client may fail elsewhere.
    ///
    /// # Remedy
    ///
    /// - Do not half-close: send `Connection: close` instead, and close after the response. `nc -N` is a client that
    ///   half-closes.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.021  FIN                -->
    ///  0.030                     <--  ACK
    ///  0.500                     <--  200 "hello" [close]
    ///  0.510  ACK                -->
    ///  0.520                     <--  FIN
    ///  0.530  ACK                -->
    ///  => teardown client fin waiting
    ///  => findings half-close
    /// ```
    ///
    /// # Not this
    ///
    /// The client had left, and refuses the response:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.021  FIN                -->
    ///  0.030                     <--  ACK
    ///  0.500                     <--  200 "hello"
    ///  0.510  RST [noack]        -->
    /// ```
    ///
    /// The ordinary close after a response:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.050  FIN                -->
    ///  0.060                     <--  FIN
    ///  0.070  ACK                -->
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.6 (half-closed connections); RFC 9112 §9.6.
    pub(super) RULE: "half-close", Severity::Benign,
    "the client closes its direction after the request and still gets the response", Check::Ending(&[EndingKind::HalfClose], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let both = ending
        .exchange
        .and_then(|it| Some((request(it)?, response(it)?)));
    let Some((sent, answer)) = both else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    let message = sentence!(
        "The client closed its direction (FIN) {} after the last byte of the {}. The complete response came {} later, and the \
         client accepted it.",
        close.time.since(sent.last.time),
        asked(ending.exchange),
        answer.last.time.since(close.time)
    );
    tell(
        &RULE,
        Severity::Benign,
        ending.certainty,
        "[A half-closed connection|# half-closed connections] still got the response",
        message,
    )
    .means(Some("Nothing was lost."))
    .shows(Some(close), "FIN from the client")
    .shows(Some(answer.last), "response complete")
    .about(connection)
}
