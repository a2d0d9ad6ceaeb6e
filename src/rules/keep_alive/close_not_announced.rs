//! The server closed right after a response that had not announced it.

use std::time::Duration;

use super::idle_timeout_close::{idle, pause};
use super::keep_alive_promise_broken::broken;
use crate::analysis::connection::{Connection, How, Who};
use crate::protocol::http::Protocol;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The server closed the connection within a second after a complete response. No message had announced it: both sides
    /// use HTTP/1.1, and neither had sent `Connection: close`.
    ///
    /// # Why it matters
    ///
    /// No request was lost here. But a client that sends its next request at once loses it to such a close. A server that
    /// knows it will close should announce it (RFC 9112 §9.6). It happens at a limit of requests, on a reload, or when a
    /// handler closes the connection itself.
    ///
    /// # Remedy
    ///
    /// - Let the server send `Connection: close` in the last response before it closes.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings close-not-announced
    /// ```
    ///
    /// # Not this
    ///
    /// The response announced the close:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// An idle timer cannot announce anything:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    ///  5.040                     <--  FIN
    ///  5.050  FIN                -->
    ///  5.060                     <--  ACK
    /// ```
    ///
    /// HTTP/1.0 is over after one exchange:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [http=1.0]   -->
    ///  0.040                     <--  200 "hello"
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.6 (tear-down).
    pub(super) RULE: "close-not-announced", Severity::Note,
    "the server closes right after a response that did not announce it", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(pause) = pause(connection) else {
        return not_yet(connection);
    };
    let soon = pause.time < Duration::from_secs(1);
    let lossy = connection.sent.iter().any(|sent| sent.missing > 0);
    if pause.who != Who::Server
        || connection.protocol == Protocol::Http2
        || connection.teardown.how != How::Fin
        || !soon
        || lossy
        || broken(connection).is_some()
        || idle(connection).is_some()
    {
        return Verdict::Clear;
    }
    let close = connection.fin[Who::Server as usize];
    let count = connection.exchanges.len();
    let message = sentence!(
        "The server closed the connection {} after response number {}. That response had not announced it.",
        pause.time,
        count
    );
    tell(
        &RULE,
        Severity::Note,
        connection.teardown.certainty,
        "Server closed [a connection|# connections] without announcing it",
        message,
    )
    .means(Some("No request was lost."))
    .shows(
        Some(pause.since),
        "response complete, without `Connection: close`",
    )
    .shows(close.map(|event| event.frame_ref), "FIN from the server")
    .about(connection)
}
