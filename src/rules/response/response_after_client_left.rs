//! The server responded to a client that had already closed.

use crate::analysis::connection::{By, Connection, How, Phase, Who};
use crate::protocol::http::Exchange;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, owns_reset, request, response};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::{named, not_yet, repetition, tell};

rule! {
    /// # What happened
    ///
    /// The client closed before the response came, and the server sent it all the same. The client's operating system had no socket
    /// for it any more and sent a RST. The server's log says `EPIPE`, "broken pipe", `ECONNRESET`, `ClientAbortException` or "The
    /// remote host closed the connection. The error code is 0x800704CD".
    ///
    /// # Why it matters
    ///
    /// The error is in the server's log, but the server did nothing wrong. It worked for a client that had stopped waiting,
    /// or never waited. Its work is wasted, and a request that is not idempotent took effect without the client's knowledge.
    ///
    /// # Remedy
    ///
    /// - Compare the client's timeout with the time that the server needs, and correct the one that is wrong.
    /// - Let the server notice that the client has closed (`Response.IsClientConnected`, `HttpContext.RequestAborted`, a
    ///   request's context in Go) and log it quietly: no user is waiting.
    /// - Look for a probe or a warm-up job that sends requests without reading the responses, and let it read them.
    ///
    /// # Tell it by
    ///
    /// The client closes first. The response comes afterwards, and the client's host meets it with RSTs.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  POST /warm-up "x"  -->
    ///  0.021  FIN                -->
    ///  0.030                     <--  ACK
    ///  1.000                     <--  200 "done"
    ///  1.010  RST [noack]        -->
    ///  => teardown client fin waiting
    ///  => findings response-after-client-left
    /// ```
    ///
    /// # Not this
    ///
    /// A client that closes only its own direction reads the response:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.021  FIN                -->
    ///  0.030                     <--  ACK
    ///  1.000                     <--  200 "done"
    ///  1.010  ACK                -->
    ///  1.020                     <--  FIN
    ///  1.030  ACK                -->
    /// ```
    ///
    /// A client that has its response and leaves:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.030                     <--  200 "done" [close]
    ///  0.040  FIN                -->
    ///  0.050                     <--  FIN
    ///  0.060  RST [noack]        -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.10.7.1 (data to a closed socket draws a RST); RFC 9112 §9.6.
    pub(super) RULE: "response-after-client-left", Severity::Error,
    "the server responds to a client that has already closed", Check::Read(check)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    let teardown = &connection.teardown;
    if teardown.by != By::Client || teardown.phase != Phase::Waiting || teardown.orderly {
        return not_yet(connection);
    }
    let closed = match teardown.how {
        How::Fin => connection.fin[Who::Client as usize],
        _ => owns_reset(connection, Who::Client),
    };
    let (Some(closed), Some(refused)) = (closed, owns_reset(connection, Who::Client)) else {
        return Verdict::Clear;
    };
    let late = |exchange: &&Exchange| {
        response(exchange).is_some_and(|answer| answer.first > closed.frame_ref)
            && exchange.request.is_some()
    };
    let Some(exchange) = connection.exchanges.iter().find(late) else {
        return Verdict::Clear;
    };
    let (Some(answer), Some(sent)) = (response(exchange), request(exchange)) else {
        return Verdict::Clear;
    };
    // A late response to a client that waited and closed is reported with its waiting.
    if ending.is_some_and(|it| it.reading == EndingKind::GaveUp) {
        return Verdict::Clear;
    }
    // A response in flight when the client closed is reported for the client alone.
    if answer.first.time.since(closed.frame_ref.time) < connection.expected_round_trip() {
        return Verdict::Clear;
    }
    // A response that precedes the server's FIN in sequence and was captured after it had been sent before, and was
    // lost.
    if connection.fin[Who::Server as usize].is_some_and(|fin| fin.frame_ref < answer.first) {
        return Verdict::Clear;
    }
    let message = sentence!(
        "The client closed {} after {}. The server began to respond {} later, and {} of the response were lost.",
        closed.frame_ref.time.since(sent.last.time),
        named(exchange),
        answer.first.time.since(closed.frame_ref.time),
        Value::exact_bytes(answer.end().saturating_sub(answer.start))
    );
    tell(
        &RULE,
        Severity::Error,
        teardown.certainty,
        "Response came after the client closed[| # connections]",
        message,
    )
    .means(Some(repetition(exchange)))
    .shows(Some(closed.frame_ref), "close by the client")
    .shows(Some(answer.first), "response begins")
    .shows(
        (refused.frame_ref != closed.frame_ref).then_some(refused.frame_ref),
        "RST from the client, its socket is closed",
    )
    .about(connection)
}
