//! Keep-alive probes got no answer.

use crate::analysis::connection::Connection;
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::silent_host::{WHICH, why};
use crate::rules::statement::{Value, sentence};
use crate::rules::unanswered::probed;
use crate::rules::wording::{side, tell};

rule! {
    /// # What happened
    ///
    /// One side's kernel sent keep-alive probes on an idle connection, and the other side answered none of them.
    ///
    /// # Why it matters
    ///
    /// The other host is gone, or a device on the way has forgotten the connection. After the last probe the connection ends
    /// with `ETIMEDOUT`, and the other end does not notice. The probes are useful: without them the connection would hang
    /// until one side writes.
    ///
    /// # Remedy
    ///
    /// - Find out what happened to the host that stopped answering, at the time of its last segment.
    /// - Set `TCP_KEEPIDLE` below the idle timeout of firewalls and load balancers on the way. Then a host that is still
    ///   there answers.
    ///
    /// # Tell it by
    ///
    /// An idle connection carries keep-alive probes of at most one byte at a constant interval, and none is acknowledged.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    /// 60.000  probe              -->
    /// 70.000  probe              -->
    /// 80.000  probe              -->
    /// 90.000  RST                -->
    ///  => findings client-reset-after-response keepalive-probes-unanswered
    /// ```
    ///
    /// # Not this
    ///
    /// Probes that are answered:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    /// 60.000  probe              -->
    /// 60.010                     <--  ACK
    /// 70.000  probe              -->
    /// 70.010                     <--  ACK
    /// 80.000  probe              -->
    /// 80.010                     <--  ACK
    /// ```
    ///
    /// Pings of the program itself carry payload:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  "ping"             -->
    ///  0.030                     <--  "pong"
    /// 10.000  "ping"             -->
    /// 20.000  "ping"             -->
    /// 30.000  "ping"             -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.8.4; tcp(7).
    pub(in crate::rules) RULE: "keepalive-probes-unanswered", Severity::Error,
    "keep-alive probes got no answer", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some((who, it)) = probed(connection) else {
        return Verdict::Clear;
    };
    let between = it.until.time.since(it.since.time) / u32::from(it.probes - 1).max(1);
    let reset = connection.reset[who as usize].filter(|reset| reset.frame_ref >= it.until);
    let given_up = reset.map(|_| sentence!("Then the {} reset the connection.", side(who)));
    tell(
        &RULE,
        Severity::Error,
        Certainty::Likely,
        "Keep-alive probes on [a connection|# connections] got no answer",
        sentence!(
            "After {} of idle time the {} sent {}, {} apart. None was answered.",
            it.since.time.since(it.peer_last_sent.time),
            side(who),
            Value::count(it.probes.into(), "keep-alive probe", "keep-alive probes"),
            between
        ),
    )
    .adds(given_up)
    .presumes(Some(why(connection, who.other())))
    .means(Some(WHICH))
    .shows(
        Some(it.peer_last_sent),
        format!("last segment from the {}", side(who.other())),
    )
    .shows(Some(it.since), "first probe")
    .shows(Some(it.until), "last probe")
    .shows(
        reset.map(|reset| reset.frame_ref),
        format!("RST from the {}", side(who)),
    )
    .about(connection)
}
