//! The server reset a connection as soon as it was open.

use super::Severity;
use super::ending::{Ending, Reading};
use super::rule::{Check, Verdict, rule};
use super::telling::{bytes, span, tell};
use crate::connection::{Connection, ResetKind, Who};

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
    /// - Let the client repeat the request on a new connection: nobody has read it.
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
    /// # Not this
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
    "the server reset the connection as soon as it was open", Check::Ending(&[Reading::ResetAfterHandshake], check)
}

fn check(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let close = ending.close.mark;
    let opened = connection
        .first
        .time
        .after(connection.connect_time.unwrap_or_default());
    let sent = connection.sent[Who::Client as usize].bytes;
    let asked = match sent {
        0 => "before anything was sent".to_owned(),
        sent => format!("with {} from the client on the way or unread", bytes(sent)),
    };
    let no_socket = (ending.close.kind == Some(ResetKind::NoSocket)).then(|| {
        "The RST says that there was no socket: the server's kernel had already let the connection go.".to_owned()
    });
    let message = format!(
        "The server reset the connection {} after the handshake, {asked}. It did not send a byte.",
        span(close.time.since(opened)),
    );
    tell(
        &RULE,
        Severity::Warning,
        ending.certainty,
        "the server reset connections as soon as they were open",
        message,
    )
    .adds(no_socket)
    .shows(Some(connection.first), "the client's SYN")
    .shows(Some(close), "RST from the server, which has sent nothing")
    .about(connection)
}
