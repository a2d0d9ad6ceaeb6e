//! A client reused a port while it should itself have been in TIME-WAIT.

use std::time::Duration;

use crate::analysis::connection::{Connection, Opening};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The client closed a connection first and so held its TIME-WAIT. It then opened another connection from the same port to
    /// the same server before that TIME-WAIT can have been over.
    ///
    /// # Why it matters
    ///
    /// TIME-WAIT keeps old segments out of a new connection, and makes sure that the last acknowledgement arrives. A client
    /// that cuts it short usually lacks ports. Timestamps and growing sequence numbers make this safe on most systems
    /// (`tcp_tw_reuse`, RFC 6191). Without them, old data can get into the new connection (RFC 1337).
    ///
    /// # Remedy
    ///
    /// - Look for the cause: `net.ipv4.tcp_tw_reuse`, a program that binds a fixed port with `SO_REUSEADDR`, `SO_LINGER` 0, or
    ///   a very small range of ephemeral ports.
    /// - Let the program keep its connections, and leave the choice of ports to the system.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  FIN                -->
    ///  0.060                     <--  FIN
    ///  0.070  ACK                -->
    ///  5.000  SYN [isn=9000000]  -->
    ///  5.010                     <--  SYN
    ///  5.020  ACK                -->
    ///  => 1: time-wait client
    /// ```
    ///
    /// # Not this
    ///
    /// The TIME-WAIT was over:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  FIN                -->
    ///  0.060                     <--  FIN
    ///  0.070  ACK                -->
    /// 70.000  SYN [isn=9000000]  -->
    /// 70.010                     <--  SYN
    /// 70.020  ACK                -->
    /// ```
    ///
    /// A program with a port of its own, whose server closes first, uses it again:
    ///
    /// ```ladder
    ///         client :665             server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  data 100           -->
    ///  0.040                     <--  data 100
    ///  0.050                     <--  FIN
    ///  0.060  FIN                -->
    ///  0.070                     <--  ACK
    ///  5.000  SYN [isn=9000000]  -->
    ///  5.010                     <--  SYN
    ///  5.020  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.4.2, §3.6.1; RFC 6191; RFC 1337.
    pub(super) RULE: "early-tuple-reuse", Severity::Note,
    "a client reused a port while it held the TIME-WAIT", Check::Connection(check)
}

/// The shortest TIME-WAIT in use (Linux).
const TIME_WAIT: Duration = Duration::from_secs(60);

fn check(connection: &Connection) -> Verdict {
    let Some(before) = connection.predecessor else {
        return Verdict::Clear;
    };
    let gap = connection.first.time.since(before.last.time);
    if !before.waits[0] || gap >= TIME_WAIT || connection.opening != Opening::Handshake {
        return Verdict::Clear;
    }
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Note,
        certainty: Certainty::Likely,
        summary: "Client reused a port in TIME-WAIT[| # times]".into(),
        message: Statement::from(sentence!(
            "The client reused the port {} after a connection that it had closed first.",
            gap
        ))
        .presuming("The client still held that port in TIME-WAIT."),
        evidence: vec![
            shows(before.last, "last segment of the old connection"),
            shows(connection.first, "SYN on the same addresses and ports"),
        ],
        remedies: RULE.remedies(),
    }))
}
