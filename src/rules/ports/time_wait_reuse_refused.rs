//! A SYN met a TIME-WAIT that did not accept it.

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
    /// The client opened a connection from a port whose last connection the server had closed shortly before. The server still
    /// held that one in TIME-WAIT and did not accept the SYN. It answered with an acknowledgement of the old numbers, or not at
    /// all.
    ///
    /// # Why it matters
    ///
    /// The connection attempt takes one or three seconds longer, or times out, now and then, mostly for clients behind a NAT. A
    /// host accepts a SYN in TIME-WAIT only if its sequence number or timestamp is higher than the last of the old connection
    /// (RFC 6191). Many clients behind one address cannot promise that.
    ///
    /// # Remedy
    ///
    /// - Make sure that `net.ipv4.tcp_tw_recycle` is not set on the server (Linux before 4.12 has it).
    /// - Look for a NAT between clients and server: give it more addresses or ports, and do not let it reuse one within a
    ///   minute.
    /// - Keep connections, so that fewer are closed; and let clients close first, so that they hold the TIME-WAIT.
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
    ///  5.000  SYN [isn=900000]   -->
    ///  5.010                     <--  ACK
    ///  5.020  RST [noack]        -->
    ///  6.000  again              -->
    ///  6.010                     <--  SYN
    ///  6.020  ACK                -->
    ///  => findings time-wait-reuse-refused
    /// ```
    ///
    /// # Not this
    ///
    /// A TIME-WAIT that accepted the SYN:
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
    ///  => findings time-wait-reused
    /// ```
    ///
    /// The connection before is not in the capture, so nobody knows how it ended:
    ///
    /// ```ladder
    ///         client                  server
    ///  5.000  SYN [isn=900000]   -->
    ///  5.010                     <--  ACK [seq=4000000 ack=4000000]
    ///  5.020  RST [noack]        -->
    ///  6.000  again              -->
    ///  6.010                     <--  SYN
    ///  6.020  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 6191; RFC 7323 §5; RFC 1337; RFC 9293 §3.6.1, MAY-2.
    pub(super) RULE: "time-wait-reuse-refused", Severity::Error,
    "a SYN met a TIME-WAIT that did not accept it", Check::Connection(check)
}

/// Delay of a connect that a user notices.
const NOTICED: Duration = Duration::from_millis(900);
/// The shortest TIME-WAIT in use (Linux).
const TIME_WAIT: Duration = Duration::from_secs(60);
/// A SYN lost by chance is repeated once; not more often.
const REPEATED: u16 = 3;

fn check(connection: &Connection) -> Verdict {
    let Some(before) = connection.predecessor.filter(|before| before.over) else {
        return Verdict::Clear;
    };
    let gap = connection.first.time.since(before.last.time);
    let opened = connection.opening == Opening::Handshake;
    let (certainty, how) = match connection.challenge {
        Some(_) => (
            Certainty::Certain,
            "The server answered the SYN with an acknowledgement of the old numbers.",
        ),
        None if connection.opening == Opening::Unanswered
            && before.waits[1]
            && gap < TIME_WAIT
            && connection.syn_retries >= REPEATED =>
        {
            (
                Certainty::Possible,
                "The server did not answer the SYN and its retransmissions.",
            )
        }
        None => return Verdict::Clear,
    };
    let time = connection.connect_time.filter(|_| opened);
    let message = Statement::from(sentence!(
        "The last connection on these addresses and ports ended {} before.",
        gap
    ))
    .and(how)
    .presuming("The server still held the old connection in TIME-WAIT.")
    .and(match time {
        Some(time) => sentence!("The connection attempt took {}.", time),
        None => sentence!("The connection was not opened."),
    });
    let mut evidence = vec![
        shows(before.last, "last segment of the old connection"),
        shows(connection.first, "SYN on the same addresses and ports"),
    ];
    evidence.extend(
        connection
            .challenge
            .map(|frame_ref| shows(frame_ref, "acknowledgement with the old numbers")),
    );
    Verdict::Found(Box::new(Diagnosis {
        severity: if time.is_some_and(|time| time < NOTICED) {
            Severity::Warning
        } else {
            Severity::Error
        },
        certainty,
        summary: "[A SYN|# SYNs] not accepted: port still in TIME-WAIT".into(),
        message,
        evidence,
        remedies: RULE.remedies(),
    }))
}
