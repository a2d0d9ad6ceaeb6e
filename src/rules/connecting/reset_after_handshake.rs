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
    /// The handshake was completed, and the server sent a RST at once, before it had read or sent anything. For the client
    /// the connection opens, and the first read or write fails: `ECONNRESET`, "connection reset by peer".
    ///
    /// # Why it matters
    ///
    /// The server's kernel accepted the connection, and then no program took it. The accept queue is full and
    /// `tcp_abort_on_overflow` is set, or a load balancer has no healthy target. Or a limit of connections is reached, the
    /// client's address is not allowed, or the application closes while the request is unread.
    ///
    /// # Remedy
    ///
    /// - Check the health of the targets behind a load balancer, and its list of allowed addresses.
    /// - Compare the number of connections with the server's limit, and the accept queue with the backlog (`ss -ltn`, `nstat
    ///   TcpExtListenOverflows`). Raise the backlog of `listen()` and `net.core.somaxconn` together.
    /// - *If the request may be repeated:* Let the client retry the request on a new connection.
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
    /// A server may also accept, and close without reading the request. A server that reads the request and resets at once looks
    /// the same. So this is a note, and only possible, besides the finding on the lost request:
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
    /// The server reset later, when it could have read the request:
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
    /// No program listens, so the SYN itself is refused:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  RST
    ///  => opening refused
    /// ```
    ///
    /// A probe that connects and resets, so the client sends the RST:
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
    /// A RST with another time to live (TTL) is not the server's:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.021                     <--  RST [ttl=249]
    /// ```
    ///
    /// A client that had closed already, and had sent nothing:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  FIN                -->
    ///  0.030                     <--  RST
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
    pub(in crate::rules) RULE: "reset-after-handshake", Severity::Warning,
    "the server resets the connection as soon as it is open", Check::Ending(&[EndingKind::ResetAfterHandshake, EndingKind::ResetBeforeResponse], check)
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
    // A client that had closed without a word has lost nothing.
    let left = connection.fin[Who::Client as usize].is_some_and(|fin| fin.frame_ref < close);
    if left && sent == 0 {
        return Verdict::Clear;
    }
    let mut message = Statement::from(sentence!(
        "The server reset the connection {} after the handshake, without any data.",
        close.time.since(opened)
    ));
    message.say(match sent {
        0 => sentence!("The client had sent no data either."),
        sent => sentence!(
            "The client had sent {}, still on the way or unread.",
            Value::exact_bytes(sent)
        ),
    });
    if ending.close.kind == Some(ResetKind::NoSocket) {
        message.say(
            "The RST means that there was no socket: the server's operating system had dropped the connection before.",
        );
    }
    tell(
        &RULE,
        Severity::Warning,
        ending.certainty,
        "Server reset [a connection|# connections] right after the handshake",
        message,
    )
    .shows(Some(connection.first), "SYN")
    .shows(Some(close), "RST from the server, no data sent before")
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
        "Server reset [a connection|# connections] at the first request",
        sentence!(
            "The server reset the connection {} after the handshake and {} after the first request, without any data.",
            close.time.since(opened),
            close.time.since(asked.last.time)
        ),
    )
    .presumes(Some("The server closed the connection without reading the request."))
    .means(Some("The server's log, or a trace of its system calls, would settle it."))
    .shows(Some(asked.last), "first request complete")
    .shows(Some(close), "RST from the server, no data sent before")
    .about(connection)
}
