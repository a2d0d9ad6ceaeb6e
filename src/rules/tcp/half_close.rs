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
    /// The client closed its direction of the connection after the request (`shutdown(SHUT_WR)`), and the server sent the whole
    /// response to it afterwards.
    ///
    /// # Why it matters
    ///
    /// It worked here. It is allowed in TCP and of no use in HTTP/1.1, where the request tells its own end; and servers and
    /// proxies may take the FIN for the client's departure and give up (nginx logs 499). The same client may fail elsewhere.
    ///
    /// # Remedy
    ///
    /// - Do not half-close: send `Connection: close` instead, and close after the response (`nc -N` is such a client).
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
    /// A client that has gone refuses the answer:
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
    "the client closed its direction after the request and read the answer", Check::Ending(&[EndingKind::HalfClose], check)
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
        "The client sent its FIN {} after the last byte of the {}; the response was complete {} later and was taken.",
        close.time.since(sent.last.time),
        asked(ending.exchange),
        answer.last.time.since(close.time)
    );
    tell(
        &RULE,
        Severity::Benign,
        ending.certainty,
        "clients closed their direction and read the answer",
        message,
    )
    .shows(Some(close), "FIN from the client")
    .shows(Some(answer.last), "the response is complete")
    .about(connection)
}
