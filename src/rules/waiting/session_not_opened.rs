//! A session of another protocol ended before its opening was complete, and neither side said why.

use crate::analysis::connection::{By, Connection, ConnectionOutcome, How, UnknownReason, Who};
use crate::base::frame_ref::FrameRef;
use crate::protocol::dialogue::AppProtocol;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// Client and server had begun to open a session. One of them closed the connection before it was open, without a
    /// message. In SSH, that is before both sides use their keys.
    ///
    /// # Why it matters
    ///
    /// After the server's key exchange the client knows the server's host key, and a client that does not accept it closes. A
    /// side that finds no algorithm in common closes after the offers. Scanners that only read a server's version or key do
    /// the same on purpose, and so do health checks.
    ///
    /// # Remedy
    ///
    /// - Read what the client printed: whether it did not accept the host key, or found no algorithm in common.
    /// - Compare the server's host key with the client's list of known hosts (`ssh-keygen -F`, `ssh-keyscan`).
    /// - Look in the server's log: it names the client's address and the step at which it left.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "SSH-2.0-OpenSSH_9.2\r\n"
    ///  0.040  "SSH-2.0-OpenSSH_9.2\r\n" -->
    ///  0.050  FIN                -->
    ///  0.060                     <--  FIN
    ///  0.070  ACK                -->
    ///  => findings session-not-opened
    /// ```
    ///
    /// # Not this
    ///
    /// The server says why:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030  "SSH-2.0-OpenSSH_9.2\r\n" -->
    ///  0.040                     <--  "Exceeded MaxStartups\r\n"
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    /// ```
    ///
    /// # References
    ///
    /// RFC 4253 §4.2 (versions), §7 (key exchange), §8 (the host key).
    pub(in crate::rules) RULE: "session-not-opened", Severity::Note,
    "a session ends before it is open", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let facts = connection.dialogue.as_deref();
    let ended = connection.outcome == ConnectionOutcome::Unknown(UnknownReason::NotOpened);
    let Some((facts, step)) = facts
        .filter(|_| ended)
        .and_then(|facts| Some((facts, facts.unopened?)))
    else {
        return not_yet(connection);
    };
    let by = match connection.teardown.by {
        By::Client => Who::Client,
        By::Server => Who::Server,
        By::Both | By::Middlebox | By::Nobody => return not_yet(connection),
    };
    let close = FrameRef {
        frame: connection.teardown.frame,
        time: connection.teardown.at,
    };
    let word = match connection.teardown.how {
        How::Fin => "FIN",
        _ => "RST",
    };
    let [client, server] = connection.last_data;
    let spoke = client.max(server).min(close);
    let protocol = facts.protocol.map_or("", AppProtocol::name);
    tell(
        &RULE,
        Severity::Note,
        connection.teardown.certainty,
        "[Session closed before it was open|# sessions closed before they were open]",
        sentence!(
            "The {} ended the connection with a {}, {} after the last data. The {} session was not open yet: it had \
             come as far as {}.",
            side(by),
            word,
            close.time.since(spoke.time),
            protocol,
            step
        ),
    )
    .shows(Some(spoke), "last data")
    .shows(Some(close), format!("{word} from the {}", side(by)))
    .about(connection)
}
