//! The same bytes were sent repeatedly, and the other side did not answer.

use super::path_mtu_blackhole;
use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::base::format::{duration, number};
use crate::rules::Severity;
use crate::rules::keep_alive::idle_state_lost::{IDLE, silence};
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// One side sent the same bytes again and again, at growing distances, and the other side did not answer any more: no
    /// acknowledgement, no FIN, no RST.
    ///
    /// # Why it matters
    ///
    /// The other host has vanished in the middle of a connection (crashed, suspended, unplugged, moved), or the way to it
    /// broke. The sender hangs until its own timeout or the system's (about 15 minutes on Linux, `tcp_retries2`;
    /// `TCP_USER_TIMEOUT` where a program has set it), then its log says `ETIMEDOUT`, "connection timed out".
    ///
    /// # Remedy
    ///
    /// - Find out what happened to the other host and to the way there at the moment of its last segment.
    /// - Let the sender notice sooner: a request timeout, `TCP_USER_TIMEOUT`.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.220  again              -->
    ///  0.620  again              -->
    ///  1.420  again              -->
    ///  3.020  again              -->
    ///  6.220  again              -->
    ///  => teardown nobody silence waiting
    /// ```
    ///
    /// # Not this
    ///
    /// Loss that was made good:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.220  again              -->
    ///  0.620  again              -->
    ///  1.420  again              -->
    ///  3.020  again              -->
    ///  3.040                     <--  200 "hello"
    ///  3.050  ACK                -->
    /// ```
    ///
    /// A capture of one direction shows no answers:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <~~  SYN
    ///  0.020  GET /1             -->
    ///  0.220  again              -->
    ///  0.620  again              -->
    ///  1.420  again              -->
    ///  3.020  again              -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.8.3 (R1, R2); RFC 6298 §5.
    pub(super) RULE: "retransmissions-exhausted", Severity::Error,
    "the same bytes were sent again and again, without an answer", Check::Connection(check)
}

/// Repetitions; fewer at the end of a short capture may still be answered.
const REPETITIONS: u16 = 3;

fn check(connection: &Connection) -> Verdict {
    let Some((who, it)) = silence(connection) else {
        return Verdict::Clear;
    };
    if it.idle >= IDLE || it.count < REPETITIONS || path_mtu_blackhole::is_one(connection) {
        return Verdict::Clear;
    }
    let name = match who {
        Who::Client => "client",
        Who::Server => "server",
    };
    let over = it.until.time.since(it.again.time);
    let certainty = if it.count > REPETITIONS {
        Certainty::Likely
    } else {
        Certainty::Possible
    };
    // A side that has closed and is gone needs no more data; at most the sender's socket lingers.
    let left = connection.fin[who.other() as usize].is_some_and(|fin| fin.frame_ref <= it.again);
    Verdict::Found(Box::new(Diagnosis {
        severity: if left {
            Severity::Warning
        } else {
            Severity::Error
        },
        certainty,
        summary: "bytes were sent again and again, without an answer".into(),
        message: format!(
            "The {name} sent the same {} bytes {} times more over {}; the other side, last heard of {} before that, did \
             not answer.",
            number(it.length),
            it.count,
            duration(over),
            duration(it.until.time.since(it.peer_last_sent.time)),
        ).into(),
        evidence: vec![
            shows(it.peer_last_sent, "the last segment from the other side"),
            shows(it.again, "repeated for the first time"),
            shows(it.until, "sent for the last time"),
        ],
        remedies: RULE.remedies(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    #[test]
    fn whoever_has_closed_and_left_lost_nothing() {
        for (last, severity) in [
            ("GET / -->", Severity::Error),
            ("GET / FIN -->", Severity::Warning),
        ] {
            let again = "+400ms <-- again [lost]\n".repeat(5);
            let text = format!("SYN -->\n<-- SYN\n{last}\n<-- 200 \"x\" [lost]\n{again}");
            let all = ladder_check::run(&text.parse().expect("a ladder")).findings;
            let own = all.iter().find(|it| it.rule == RULE.name);
            assert_eq!(own.map(|it| it.severity), Some(severity), "{last}");
        }
    }
}
