//! Both sides closed at the same time.

use std::time::Duration;

use crate::analysis::connection::{By, Connection, How};
use crate::base::frame_ref::FrameRef;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::wording::tell;

rule! {
    /// # What happened
    ///
    /// Both sides sent a FIN before they had the other's FIN: the two crossed on the way.
    ///
    /// # Why it matters
    ///
    /// This is a normal close. Both sides go through CLOSING, and both hold a TIME-WAIT, which counts if ports are scarce.
    /// Neither side closed first. After an idle time it is a note.
    ///
    /// # Remedy
    ///
    /// - Change nothing.
    /// - *If the connection had been idle for 1 s or more:* Where it happens often, both sides have the same idle timeout:
    ///   shorten one of them.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.050  ACK                -->
    ///  0.060                     <--  FIN
    ///  0.061  FIN [crossed]      -->
    ///  0.070                     <--  ACK
    ///  0.071  ACK                -->
    ///  => teardown both fin after
    /// ```
    ///
    /// # Not this
    ///
    /// The second FIN acknowledges the first:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.060                     <--  FIN
    ///  0.061  FIN                -->
    ///  0.070                     <--  ACK
    /// ```
    ///
    /// The client's FIN came while it waited for the response, and its host reset the connection for that response:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.100                     <--  SYN
    ///  0.101  GET /              -->
    ///  0.150  FIN [crossed]      -->
    ///  0.200                     <--  200 "hello"
    ///  0.201                     <--  FIN
    ///  0.202  RST [noack]        -->
    ///  => findings client-gave-up-waiting
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.6, Figure 13.
    pub(super) RULE: "simultaneous-close", Severity::Note,
    "both sides close at the same time", Check::Connection(check)
}

/// Programs that close sooner after the last data close for it, and not for a timer.
const IDLE: Duration = Duration::from_secs(1);

/// The last data of either side.
fn last_data(connection: &Connection) -> FrameRef {
    let [client, server] = connection.last_data;
    client.max(server).max(connection.first)
}

fn check(connection: &Connection) -> Verdict {
    let (By::Both, How::Fin) = (connection.teardown.by, connection.teardown.how) else {
        return Verdict::Clear;
    };
    let [Some(client), Some(server)] = connection.fin else {
        return Verdict::Clear;
    };
    if connection.outcome.is_failed() {
        return Verdict::Clear;
    }
    let severity = match client.frame_ref.time.min(server.frame_ref.time) {
        closed if closed.since(last_data(connection).time) < IDLE => Severity::Benign,
        _ => Severity::Note,
    };
    let waits = connection.time_wait.iter().all(Option::is_some);
    tell(
        &RULE,
        severity,
        connection.teardown.certainty,
        "Both sides closed [a connection|# connections] at the same time",
        "Each side sent its FIN before the other side's FIN had arrived: the two crossed on the way.",
    )
    .means(waits.then_some("Nothing was lost. Both sides keep the socket in TIME-WAIT for a while."))
    .shows(
        Some(client.frame_ref),
        "FIN from the client, sent before the server's FIN had arrived",
    )
    .shows(
        Some(server.frame_ref),
        "FIN from the server, sent before the client's FIN had arrived",
    )
    .about(connection)
}
