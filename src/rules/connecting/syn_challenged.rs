//! A SYN met leftover state of an older connection, and had to be sent again.

use crate::analysis::connection::{Connection, Opening};
use crate::base::certainty::Certainty;
use crate::base::format::duration;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The client opened a connection from a port on which the server still had an older one. The server answered the SYN
    /// with an acknowledgement of the old numbers (a challenge, RFC 5961 §4), the client's host reset that, and only the
    /// next SYN was answered.
    ///
    /// # Why it matters
    ///
    /// The connect takes a second longer, and the program that held the old connection at the server gets "connection reset
    /// by peer". The old one was half-open: the client's host crashed or was restarted, a RST was lost, or an address
    /// translator gave the port to somebody else. Where a firewall on the way drops the challenge or its RST, the connect
    /// hangs.
    ///
    /// # Remedy
    ///
    /// - Let the server notice that clients are gone: TCP keep-alive or an idle timeout on its connections.
    /// - Let the address translator choose ports at random and wait before it gives one out again.
    /// - Let firewalls pass acknowledgements on connections that are being opened.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    /// 10.000  SYN [isn=9000000]  -->
    /// 10.010                     <--  ACK
    /// 10.020  RST [noack]        -->
    /// 11.000  again              -->
    /// 11.010                     <--  SYN
    /// 11.020  ACK                -->
    /// ```
    ///
    /// # Not this
    ///
    /// A SYN that was lost:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  1.000  again              -->
    ///  1.010                     <--  SYN
    ///  1.020  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 5961 §4; RFC 9293 §3.5.1 (half-open connections), §3.10.7.4.
    pub(super) RULE: "syn-challenged", Severity::Warning,
    "a SYN met the remains of an older connection, and had to be sent again", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(challenge) = connection.challenge else {
        return Verdict::Clear;
    };
    // A predecessor that had ended is another case: its TIME-WAIT refused the SYN.
    if connection.predecessor.is_some_and(|before| before.over) {
        return Verdict::Clear;
    }
    let opened = connection.opening == Opening::Handshake;
    let outcome = match connection.connect_time {
        Some(time) if opened => format!("The connection was open {} after the first SYN.", duration(time)),
        _ => "The connection was not opened: the challenge or its RST may have been dropped on the way.".to_owned(),
    };
    let before = match connection.predecessor {
        Some(before) => format!(
            "last heard of {} before",
            duration(connection.first.time.since(before.last.time))
        ),
        None => "from before the capture".to_owned(),
    };
    let mut evidence = Vec::new();
    evidence.extend(
        connection
            .predecessor
            .map(|it| shows(it.last, "the last of the old connection")),
    );
    evidence.push(shows(connection.first, "SYN"));
    evidence.push(shows(challenge, "acknowledgement with the old numbers"));
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Warning,
        certainty: if opened {
            Certainty::Certain
        } else {
            Certainty::Likely
        },
        summary: "SYNs met the remains of an older connection".into(),
        message: format!(
            "The server still had a connection on these addresses and ports, {before}, and answered the SYN in its name; \
             the client's RST ended that one. {outcome}"
        ).into(),
        evidence,
        remedies: RULE.remedies(),
    }))
}
