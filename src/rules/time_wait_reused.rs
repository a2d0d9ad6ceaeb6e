//! A port was used again while the server still held the TIME-WAIT of its last connection.

use std::time::Duration;

use super::Severity;
use super::measure::{shows, span};
use super::rule::{Check, Story, Verdict, rule};
use crate::certainty::Certainty;
use crate::connection::{Connection, Opening};

rule! {
    /// # What happened
    ///
    /// The client opened a connection from the same address and port, to the same server and port, as one that the server
    /// had closed first a short while ago. The server's TIME-WAIT gave way, as RFC 6191 allows.
    ///
    /// # Why it matters
    ///
    /// Nothing was lost. It shows that the server closes first, and that the client's ports, or those of the address
    /// translator between, come round within a minute: there are few of them, or many connections.
    ///
    /// # Remedy
    ///
    /// - Where it happens often, keep connections alive, or give the client or its address translator more ports.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  5.000  SYN [isn=9000000]  -->
    ///  5.010                     <--  SYN
    ///  5.020  ACK                -->
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
    ///  0.020  GET / [close]      -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    /// 600.000 SYN [isn=9000000]  -->
    /// 600.010                    <--  SYN
    /// 600.020 ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 6191 §2; RFC 9293 §3.6.1, MAY-2.
    pub(super) RULE: "time-wait-reused", Severity::Note,
    "a port was used again while the server held its TIME-WAIT", Check::Connection(check)
}

/// The longest TIME-WAIT in use (RFC 9293 §3.4.2, Windows).
const TIME_WAIT: Duration = Duration::from_secs(240);

fn check(connection: &Connection) -> Verdict {
    let Some(before) = connection.predecessor else {
        return Verdict::Clear;
    };
    let gap = connection.first.time.since(before.last.time);
    if !before.waits[1]
        || gap >= TIME_WAIT
        || connection.opening != Opening::Handshake
        || connection.challenge.is_some()
    {
        return Verdict::Clear;
    }
    Verdict::Found(Box::new(Story {
        severity: Severity::Note,
        certainty: if gap < TIME_WAIT / 4 {
            Certainty::Certain
        } else {
            Certainty::Likely
        },
        summary: "ports were used again while the server held their TIME-WAIT".to_owned(),
        message: format!(
            "The port was used again {} after its last connection, whose TIME-WAIT the server held; it gave way.",
            span(gap)
        ),
        evidence: vec![
            shows(before.last, "the last of the old connection"),
            shows(connection.first, "SYN on the same addresses and ports"),
        ],
        remedies: RULE.remedies(),
    }))
}
