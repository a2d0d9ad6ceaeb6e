//! The close was announced, and did not follow.

use std::time::Duration;

use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::CloseSign;
use crate::rules::Severity;
use crate::rules::classify::response;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::{not_yet, tell};

rule! {
    /// # What happened
    ///
    /// The response said `Connection: close`, or the request did, which obliges the server too. The response was complete,
    /// but the server left the connection open for more than a second.
    ///
    /// # Why it matters
    ///
    /// The server must close after such a response (RFC 9112 §9.6). A client that waits for the close hangs until a timer
    /// ends it. A client that moves on leaves a connection behind, which holds a file descriptor at the server.
    ///
    /// # Remedy
    ///
    /// - Let the server close after a response with `Connection: close`, or do not send that field. Often an application
    ///   adds it, and its server goes on keeping connections.
    /// - Look for a proxy that adds the field. The proxy must then close, or leave the field out.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.050  ACK                -->
    ///  9.000  FIN                -->
    ///  9.010                     <--  FIN
    ///  9.020  ACK                -->
    ///  => findings close-promise-not-kept
    /// ```
    ///
    /// # Not this
    ///
    /// The client closed first:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.050  FIN                -->
    ///  3.000                     <--  FIN
    ///  3.010  ACK                -->
    ///  => findings none
    /// ```
    ///
    /// The capture ends before anything can be said:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.050  ACK                -->
    ///  => findings none
    /// ```
    ///
    /// The FIN is missing from the capture:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <~~  FIN
    ///  9.000  FIN                -->
    ///  9.010                     <--  ACK
    ///  => findings capture-lost-packets
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.6 (tear-down: a server that sends or receives `close` must close).
    pub(super) RULE: "close-promise-not-kept", Severity::Warning,
    "the server announces the close and leaves the connection open", Check::Connection(check)
}

/// Time within which a server should have closed.
const SOON: Duration = Duration::from_secs(1);

fn check(connection: &Connection) -> Verdict {
    let Some(last) = connection.exchanges.last() else {
        return Verdict::Clear;
    };
    let sign = match last.closes() {
        Some(CloseSign::ResponseClose) => "The response",
        Some(CloseSign::RequestClose) => "The request",
        _ => return Verdict::Clear,
    };
    let Some(answer) = response(last).filter(|_| last.is_complete()) else {
        return Verdict::Clear;
    };
    let server = &connection.sent[Who::Server as usize];
    let closed = |who: Who| {
        let fin = connection.fin[who as usize].map(|event| event.frame_ref);
        let reset = connection.reset[who as usize].map(|event| event.frame_ref);
        fin.into_iter().chain(reset).min()
    };
    let open_until = |who: Who| closed(who).map_or(connection.until, |frame_ref| frame_ref.time);
    let open = open_until(Who::Server).since(answer.last.time);
    let until_client = open_until(Who::Client).since(answer.last.time);
    // Data still in flight may have delayed the FIN, and packets lost by the capture may include it.
    if open <= SOON
        || until_client <= SOON
        || server.missing > 0
        || server.retransmitted > 0
        || server.acknowledged < answer.end()
        || connection.sent[Who::Client as usize].packets == 0
    {
        return not_yet(connection);
    }
    let end = match (closed(Who::Server), closed(Who::Client)) {
        (Some(server), Some(client)) if client < server => {
            "The server closed only after the client did."
        }
        (Some(_), _) => "Then the server closed it.",
        (None, Some(_)) => "Then the client closed it.",
        (None, None) => "The connection was still open when the capture ended.",
    };
    let message = Statement::from(sentence!("{} said `Connection: close`.", sign))
        .presuming(sentence!(
            "The server left the connection open for {} after the response.",
            open.min(until_client)
        ))
        .and(end);
    tell(
        &RULE,
        Severity::Warning,
        connection.teardown.certainty.max(Certainty::Likely),
        "[A connection|# connections] stayed open after an announced close",
        message,
    )
    .shows(Some(answer.last), "last response complete")
    .shows(closed(Who::Client), "close by the client")
    .shows(closed(Who::Server), "close by the server")
    .about(connection)
}
