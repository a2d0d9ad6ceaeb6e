//! After an idle period nothing was answered any more.

use crate::base::format::duration;
use std::time::Duration;

use crate::analysis::connection::{Connection, Opening, UnansweredSegments, Who};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::wording::shows;

rule! {
    /// # What happened
    ///
    /// A connection was idle for a while. Then one side sent something, repeated it several times, and got no answer: no
    /// acknowledgement, no RST.
    ///
    /// # Why it matters
    ///
    /// A firewall, an address translator or a load balancer between the two had forgotten the connection and drops what
    /// belongs to it. The sender hangs until its own timeout, or until the system gives up: about 15 minutes on Linux
    /// (`tcp_retries2`). Then its log says `ETIMEDOUT`, "connection timed out". The first request after a quiet night fails,
    /// the next one, on a new connection, works.
    ///
    /// # Remedy
    ///
    /// - Let one side say something before the state is lost: TCP keep-alive with an idle time below half of what was
    ///   measured (Linux has 7200 s by default, longer than any of them), or a ping of the application.
    /// - Let pools drop connections that were idle for longer than that.
    /// - Let the sender notice sooner: `TCP_USER_TIMEOUT`, a request timeout.
    /// - Compare with known limits: 240 s Azure load balancer, 350 s AWS network load balancer and NAT gateway, 600 s Google
    ///   Cloud, 900 s IPVS, 1800 or 3600 s firewalls.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    /// 400.000 GET /2             -->
    /// 400.300 again              -->
    /// 400.900 again              -->
    /// 402.100 again              -->
    /// 404.500 again              -->
    ///  => teardown nobody silence waiting
    /// ```
    ///
    /// # Not this
    ///
    /// Without idleness before, it is another story:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.320  again              -->
    ///  0.920  again              -->
    ///  2.120  again              -->
    ///  4.520  again              -->
    ///  9.320  again              -->
    /// ```
    ///
    /// One that answers in the end:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /1             -->
    ///  0.040                     <--  200 "one"
    ///  0.050  ACK                -->
    /// 400.000 GET /2             -->
    /// 400.300 again              -->
    /// 400.900 again              -->
    /// 402.100 again              -->
    /// 402.200                    <--  200 "two"
    /// ```
    ///
    /// # References
    ///
    /// RFC 5382 REQ-5 (translators should wait for two hours and four minutes); RFC 9293 §3.8.3, §3.8.4.
    pub(super) RULE: "idle-state-lost", Severity::Error,
    "after a time of idleness nobody answered any more", Check::Connection(check)
}

/// No middlebox drops its state after a shorter idle period.
pub(in crate::rules) const IDLE: Duration = Duration::from_secs(30);
/// Repetitions without an answer; packet loss does not take that many in a row.
const REPETITIONS: u16 = 3;
/// Over at least this time.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// The side whose segments got no answer, and those segments.
pub(in crate::rules) fn silence(connection: &Connection) -> Option<(Who, &UnansweredSegments)> {
    let unanswered = connection.unanswered.as_deref()?;
    if !matches!(connection.opening, Opening::Handshake | Opening::Midstream) {
        return None;
    }
    // Both directions must be captured to conclude that there was no answer.
    if connection.sent.iter().any(|sent| sent.packets == 0) {
        return None;
    }
    Who::BOTH.into_iter().find_map(|who| {
        let it = &unanswered[who as usize];
        let data = it.count - it.probes.min(it.count);
        let last = connection.last.time.max(it.until.time);
        let reset = connection.reset[who.other() as usize];
        // Anything the peer sends after the first transmission is an answer of a kind.
        let silent = it.peer_last_sent.time <= it.again.time
            && reset.is_none_or(|reset| reset.frame_ref.time < it.again.time);
        let over = last.since(it.peer_last_sent.time);
        (data >= REPETITIONS && it.length > 0 && silent && over >= LONG_ENOUGH).then_some((who, it))
    })
}

fn check(connection: &Connection) -> Verdict {
    let Some((who, it)) = silence(connection).filter(|(_, it)| it.idle >= IDLE) else {
        return Verdict::Clear;
    };
    let name = match who {
        Who::Client => "client",
        Who::Server => "server",
    };
    let message = format!(
        "After {} of idleness the {name} sent something, repeated it {} times over {}, and got no answer of any kind. \
         Something on the way has forgotten the connection, or the other host is gone; whether new connections work tells \
         the two apart.",
        duration(it.idle),
        it.count,
        duration(it.until.time.since(it.since.time)),
    );
    Verdict::Found(Box::new(Diagnosis {
        severity: Severity::Error,
        certainty: Certainty::Likely,
        summary: format!(
            "connections got no answer any more after {} of idleness",
            duration(it.idle)
        )
        .into(),
        message: message.into(),
        evidence: vec![
            shows(it.peer_last_sent, "the last segment from the other side"),
            shows(
                it.since,
                format!("sent by the {name} after {} of idleness", duration(it.idle)),
            ),
            shows(it.until, "sent for the last time"),
        ],
        remedies: RULE.remedies(),
    }))
}
