//! After an idle period nothing was answered any more.

use std::time::Duration;

use crate::analysis::connection::{Connection, Phase, UnansweredSegments, Who};
use crate::base::certainty::Certainty;
use crate::base::format::duration;
use crate::base::frame_ref::FrameRef;
use crate::rules::Severity;
use crate::rules::measured_time;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::silent_host::{WHICH, why};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::unanswered::silence;
use crate::rules::wording::{side, tell};

rule! {
    /// # What happened
    ///
    /// A connection was idle for a while. Then one side sent data and retransmitted it several times. Nothing came back: no
    /// acknowledgement and no RST.
    ///
    /// # Why it matters
    ///
    /// A firewall, a NAT gateway or a load balancer on the way has dropped the state of the connection, and drops its
    /// packets too. The sender hangs until its own timeout, or until its system stops: about 15 minutes on Linux
    /// (`tcp_retries2`). Then its log says `ETIMEDOUT`, "connection timed out". The first request after a quiet night fails,
    /// and the next one works on a new connection.
    ///
    /// # Remedy
    ///
    /// - *If the capture was taken beside the silent host:* Find out why that host lost its connections: its network went down and
    ///   came up, it slept, or its firewall was loaded anew.
    /// - *If the capture was not taken beside the silent host:* Set a TCP keep-alive time shorter than the limit on the way (Linux waits 7200 s by default), or send pings in the
    ///   application. Devices on the way keep a connection that is in use.
    /// - *If the capture was not taken beside the silent host:* Or let pools drop connections that were idle for longer than that.
    /// - Also let the sender notice sooner: set `TCP_USER_TIMEOUT` or a request timeout.
    /// - *If the capture was not taken beside the silent host:* Compare the idle time with the limits of the devices on the way. Load balancers, NAT gateways and firewalls forget
    ///   a connection after 4 minutes to an hour.
    ///
    /// # Tell it by
    ///
    /// After a long idle time the first data is retransmitted again and again. Neither an ACK nor a RST comes.
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
    /// The connection was not idle before:
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
    /// The server answers in the end:
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
    pub(in crate::rules) RULE: "idle-state-lost", Severity::Error,
    "after an idle time no answer came any more", Check::Connection(check)
}

/// No middlebox drops its state after a shorter idle period.
pub(in crate::rules) const IDLE: Duration = Duration::from_secs(30);

/// No connection is idle for longer; a clock that was set is.
const BELIEVABLE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Whether the other side had closed before and nothing was outstanding: late data gets no answer then.
fn had_left(connection: &Connection, who: Who, since: FrameRef) -> bool {
    let owed = matches!(
        connection.teardown.phase,
        Phase::Request | Phase::Waiting | Phase::ResponseHead | Phase::ResponseBody
    );
    let closed = connection.fin[who.other() as usize];
    !owed && closed.is_some_and(|fin| fin.frame_ref < since)
}

fn check(connection: &Connection) -> Verdict {
    let long = |it: &UnansweredSegments| (IDLE..BELIEVABLE).contains(&it.idle);
    let Some((who, it)) =
        silence(connection).filter(|(who, it)| long(it) && !had_left(connection, *who, it.since))
    else {
        return Verdict::Clear;
    };
    let name = side(who);
    let message = Statement::from(sentence!(
        "After {} of idle time the {} sent data and retransmitted it {} over {}. No answer of any kind came.",
        it.idle,
        name,
        Value::count(it.same.into(), "time", "times"),
        it.until.time.since(it.since.time)
    ))
    .presuming(why(connection, who.other()))
    .means(WHICH);
    let missing = connection.sent[who.other() as usize].missing > 0;
    tell(
        &RULE,
        Severity::Error,
        match missing {
            true => Certainty::Possible,
            false => Certainty::Likely,
        },
        "[A connection|# connections] got no answer after an idle time",
        message,
    )
    .adds(measured_time::forgotten(it.idle))
    .shows(
        Some(it.peer_last_sent),
        format!("last segment from the {}", side(who.other())),
    )
    .shows(
        Some(it.since),
        format!(
            "data from the {name} after {} of idle time",
            duration(it.idle)
        ),
    )
    .shows(Some(it.until), "last retransmission")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::ladder_check::told_by;

    #[test]
    fn a_side_that_had_closed_does_not_answer_late_data() {
        let open = "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\"\nACK -->";
        let again = "+400ms <-- again [lost]\n".repeat(4);
        let late = format!("{open}\nFIN -->\n<-- ACK\n+235s <-- \"bye\" FIN [lost]\n{again}");
        assert_eq!(told_by(&RULE, &late), None);
        let open = format!("{open}\n+235s <-- \"bye\" [lost]\n{again}");
        assert!(told_by(&RULE, &open).is_some_and(|it| it.contains("235")));
    }

    #[test]
    fn limits_on_the_way_are_named_if_they_were_passed() {
        let open = "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\"\nACK -->";
        let again = "+400ms again [lost] -->\n".repeat(4);
        let after = |idle: &str| {
            let text = format!("{open}\n+{idle} GET /2 [lost] -->\n{again}");
            told_by(&RULE, &text).unwrap_or_default()
        };
        assert!(
            after("412s").contains("350 s (AWS Gateway Load Balancer, AWS NLB and "),
            "{}",
            after("412s")
        );
        assert!(!after("60s").contains("idle timeouts that are known"));
    }
}
