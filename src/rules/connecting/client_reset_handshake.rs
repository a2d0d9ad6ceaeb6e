//! The client reset a connection that the server had just accepted.

use std::time::Duration;

use crate::analysis::connection::{Connection, Opening, ResetKind, ResetSigns, Who};
use crate::base::frame_ref::FrameRef;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// The server answered the SYN, and the client's host answered that with a RST. No socket there wants the connection, or
    /// no socket wants it any more.
    ///
    /// # Why it matters
    ///
    /// Mostly it does not matter: half-open health checks and port scans work this way. But if the SYN-ACK took long, the
    /// client had timed out before. Its connect timeout is shorter than the server's answer took. Its log says "connection
    /// timed out", while the server looks healthy.
    ///
    /// # Remedy
    ///
    /// - *If the SYN was repeated:* Find out why the SYN-ACK was late (loss on the way, a full queue at the server), or
    ///   raise the client's connect timeout.
    /// - *If the SYN was not repeated:* Find out which program on the client's host probes. Without such a program, check
    ///   that host's firewall, and whether the SYN-ACKs reach another host than the one that sent the SYN.
    ///
    /// # Tell it by
    ///
    /// The client sends a RST directly after the server's SYN-ACK.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  RST [noack]        -->
    ///  => opening rejected
    /// ```
    ///
    /// # Not this
    ///
    /// The handshake was completed:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.021  RST                -->
    /// ```
    ///
    /// Another host answers the SYN-ACK of a connection that goes on:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.015  ACK                -->
    ///  0.020  RST [ttl=9 noack]  -->
    ///  0.030  GET /              -->
    ///  0.040                     <--  200 "hello"
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.10.7.1, §3.5.2.
    pub(super) RULE: "client-reset-handshake", Severity::Warning,
    "the client resets a connection that the server has just accepted", Check::Connection(check)
}

/// No common program has a shorter connect timeout.
const LATE: Duration = Duration::from_millis(900);

fn check(connection: &Connection) -> Verdict {
    if connection.opening != Opening::Rejected || connection.syn_acks == 0 {
        return Verdict::Clear;
    }
    let Some(reset) = connection.reset[Who::Client as usize] else {
        return Verdict::Clear;
    };
    if matches!(reset.kind, Some(ResetKind::Foreign | ResetKind::Stale))
        || connection.challenge.is_some()
    {
        return Verdict::Clear;
    }
    let after = reset.frame_ref.time.since(connection.first.time);
    // What comes so long after the SYN-ACK does not answer it.
    let silent = connection.last_syn[Who::Server as usize]
        .map(|answer| reset.frame_ref.time.since(answer.time))
        .filter(|silent| *silent >= LATE);
    if let Some(silent) = silent {
        return Verdict::Found(Box::new(unanswered(connection, reset.frame_ref, silent)));
    }
    // A SYN from another distance than its RST is a scanner's own: no program waited.
    let scanned = reset.signs.has(ResetSigns::DISTANCE);
    let late = after >= LATE && !scanned;
    let message = Statement::from(match late {
        true => sentence!(
            "The client's host answered the SYN-ACK with a RST, {} after the first SYN.",
            after
        ),
        false => sentence!(
            "The client's host answered the SYN-ACK with a RST, {} after its SYN. No data was sent.",
            after
        ),
    })
    .means(match late {
        true => "The program that wanted the connection had timed out before. No request was sent: a retry is safe.",
        false => "Half-open health checks and port scans do this. Nothing was lost.",
    });
    Verdict::Found(Box::new(Diagnosis {
        severity: if late {
            Severity::Warning
        } else {
            Severity::Benign
        },
        certainty: connection.teardown.certainty,
        summary: "Client reset [a connection|# connections] during the handshake".into(),
        message,
        evidence: vec![
            shows(connection.first, "SYN"),
            shows(reset.frame_ref, "RST from the client instead of an ACK"),
        ],
        remedies: RULE.remedies(),
    }))
}

/// The client's host left the SYN-ACK unanswered, and sent a RST later.
fn unanswered(connection: &Connection, reset: FrameRef, silent: Duration) -> Diagnosis {
    Diagnosis {
        severity: Severity::Note,
        certainty: connection.teardown.certainty,
        summary: "Client reset [a connection|# connections] during the handshake".into(),
        message: Statement::from(sentence!(
            "The client's host did not acknowledge the SYN-ACK. It sent a RST {} after that.",
            silent
        ))
        .means("The SYN-ACK did not reach it, or a filter there discarded it. No request was sent: a retry is safe."),
        evidence: vec![
            shows(connection.first, "SYN"),
            shows(reset, "RST from the client, without an ACK before"),
        ],
        remedies: RULE.remedies(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    #[test]
    fn a_reset_long_after_the_syn_ack_does_not_answer_it() {
        let text = "SYN -->\n+6ms <-- SYN\n+999ms RST [noack] -->";
        let found = ladder_check::found_by(&RULE, text).expect("found");
        assert_eq!(found.severity, Severity::Note);
        assert!(
            found.message.contains("999 ms after that") && !found.message.contains("timed out"),
            "{}",
            found.message
        );
    }

    #[test]
    fn a_late_answer_is_worth_a_warning() {
        for (wait, severity) in [("10ms", Severity::Benign), ("3s", Severity::Warning)] {
            let text = format!("SYN -->\n+{wait} <-- SYN\nRST [noack] -->");
            let findings = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let own = findings.iter().find(|it| it.rule == RULE.name);
            assert_eq!(own.map(|it| it.severity), Some(severity), "{wait}");
        }
    }
}
