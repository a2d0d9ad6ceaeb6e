//! The server reset a connection right after the handshake.

use std::time::Duration;

use crate::analysis::connection::{Connection, Opening, ResetKind, Who};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, request};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::tell;

rule! {
    /// # What happened
    ///
    /// The handshake was completed, and the server sent a RST at once, before it had read or sent anything. To the client the
    /// connect succeeds, and the first read or write fails: `ECONNRESET`, "connection reset by peer".
    ///
    /// # Why it matters
    ///
    /// The server's kernel took the connection, and then there was nobody to have it: an accept queue that is full with
    /// `tcp_abort_on_overflow` set, a load balancer without a healthy target, a limit of connections, an address that is not
    /// allowed, or an application that closes with the request unread.
    ///
    /// # Remedy
    ///
    /// - Look at the health of the targets behind a load balancer, and at its list of allowed addresses.
    /// - Compare the number of connections with the server's limit, and the accept queue with the backlog (`ss -ltn`,
    ///   `nstat TcpExtListenOverflows`); raise `listen()`'s backlog and `net.core.somaxconn` together.
    /// - *If the request may be repeated:* Let the client repeat the request on a new connection.
    ///
    /// # Tell it by
    ///
    /// The server's RST follows the handshake at once, before the server has acknowledged a byte of a request.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.021                     <--  RST
    ///  => teardown server reset abort before-request
    ///  => findings reset-after-handshake
    /// ```
    ///
    /// A server may also accept, and close without reading the request that has come. From a server that reads it and resets
    /// at once this cannot be told, so it is a note and possible,
    /// besides the request that was lost:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.022                     <--  RST
    ///  => findings reset-after-handshake reset-before-response
    /// ```
    ///
    /// # Not this
    ///
    /// The server took its time with the request:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.060                     <--  RST
    ///  => findings reset-before-response
    /// ```
    ///
    /// Nobody listens: the SYN itself is refused.
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  RST
    ///  => opening refused
    /// ```
    ///
    /// A probe that connects and resets; here it is the client:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.021  RST                -->
    ///  => teardown client reset abort before-request
    /// ```
    ///
    /// A RST that bears another time to live is not the server's:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.021                     <--  RST [ttl=249]
    /// ```
    ///
    /// An unused connection that is reset much later:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    /// 60.000                     <--  RST
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.10.7 (reset processing); Linux `tcp(7)`, `tcp_abort_on_overflow`.
    pub(super) RULE: "reset-after-handshake", Severity::Warning,
    "the server reset the connection as soon as it was open", Check::Ending(&[EndingKind::ResetAfterHandshake, EndingKind::ResetBeforeResponse], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    if ending.reading == EndingKind::ResetBeforeResponse {
        return at_first_use(connection, ending);
    }
    let close = ending.close.frame_ref;
    let opened = connection
        .first
        .time
        .after(connection.connect_time.unwrap_or_default());
    let sent = connection.sent[Who::Client as usize].bytes;
    let mut message = Statement::from(sentence!(
        "The server reset the connection {} after the handshake, without having sent a byte.",
        close.time.since(opened)
    ));
    message.say(match sent {
        0 => sentence!("Nothing had been sent to it."),
        sent => sentence!(
            "{} from the client were on the way or unread.",
            Value::exact_bytes(sent)
        ),
    });
    if ending.close.kind == Some(ResetKind::NoSocket) {
        message.say("The RST says that there was no socket: the server's kernel had let the connection go before.");
    }
    tell(
        &RULE,
        Severity::Warning,
        ending.certainty,
        "the server reset connections as soon as they were open",
        message,
    )
    .shows(Some(connection.first), "the client's SYN")
    .shows(Some(close), "RST from the server, which has sent nothing")
    .about(connection)
}

/// A RST later than this after the handshake is unrelated to it.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A server that resets this soon has hardly read the request.
const UNREAD: Duration = Duration::from_millis(5);

/// The first request caused the RST so soon that it may not have been read.
fn at_first_use(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let close = ending.close.frame_ref;
    let opened = connection
        .first
        .time
        .after(connection.connect_time.unwrap_or_default());
    let first = connection.exchanges.first().and_then(request);
    let is_first = connection.opening == Opening::Handshake
        && connection.sent[Who::Server as usize].bytes == 0
        && ending.close.kind == Some(ResetKind::Abort)
        && close.time.since(opened) <= AT_ONCE;
    let soon = first.filter(|asked| is_first && close.time.since(asked.last.time) <= UNREAD);
    let Some(asked) = soon else {
        return Verdict::Clear;
    };
    tell(
        &RULE,
        // The loss is reported by `reset-before-response`; this is a hypothesis about its cause.
        Severity::Note,
        Certainty::Possible,
        "the server reset connections at their first request, perhaps without reading it",
        sentence!(
            "The server reset the connection {} after the handshake and {} after the first request, without a byte: it may \
             have closed the connection without reading the request. The server's log, or a trace of its system calls, \
             would settle it.",
            close.time.since(opened),
            close.time.since(asked.last.time)
        ),
    )
    .shows(Some(asked.last), "the first request is complete")
    .shows(Some(close), "RST from the server, which has sent nothing")
    .about(connection)
}
