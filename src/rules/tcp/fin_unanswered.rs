//! A FIN was repeated and never acknowledged.

use crate::analysis::connection::{Connection, How, Who};
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::unanswered::silence;
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// One side sent its FIN and retransmitted it at growing intervals. The other side never acknowledged it: that host had
    /// vanished, or a device on the way had forgotten the connection and drops its packets.
    ///
    /// # Why it matters
    ///
    /// All data had been acknowledged, so nothing was lost here. But the path or the host failed while the connection was
    /// idle. The next request on such a connection would have hung for minutes. If the other side had closed before, it may
    /// only have forgotten the connection: then this is a note.
    ///
    /// # Remedy
    ///
    /// - *If the connection had been idle for 30 s or more:* Look for a firewall or NAT gateway whose idle timeout is
    ///   shorter than the pause before this FIN. Let the program close, or send TCP keep-alive probes, sooner than that.
    /// - Find out whether the host that did not answer was switched off or disconnected at the time of the FIN.
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
    /// 93.700  FIN [lost]         -->
    /// 93.900  again [lost]       -->
    /// 94.300  again [lost]       -->
    /// 95.100  again [lost]       -->
    ///  => findings fin-unanswered
    /// ```
    ///
    /// # Not this
    ///
    /// The FIN was acknowledged in the end:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    /// 93.700  FIN [lost]         -->
    /// 93.900  again [lost]       -->
    /// 94.300  again              -->
    /// 94.310                     <--  FIN
    /// 94.320  ACK                -->
    /// ```
    ///
    /// Only one side was captured:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <~~  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <~~  200 "hello"
    ///  1.000  FIN [lost]         -->
    ///  1.200  again [lost]       -->
    ///  1.600  again [lost]       -->
    ///  2.400  again [lost]       -->
    /// ```
    ///
    /// The acknowledgement was lost, and the FIN of the other side comes later:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  ACK                -->
    /// 93.700  FIN                -->
    /// 93.710                     <~~  ACK [lost]
    /// 93.900  again              -->
    /// 94.300  again              -->
    /// 94.310                     <--  FIN
    /// 94.320  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.8.1 (retransmission), §3.6; RFC 6298 §5.5 (the interval doubles).
    pub(in crate::rules) RULE: "fin-unanswered", Severity::Warning,
    "a FIN is retransmitted and never acknowledged", Check::Connection(check)
}

/// This many FINs without an answer are no coincidence.
const ENOUGH: u32 = 3;

fn check(connection: &Connection) -> Verdict {
    if connection.teardown.how != How::Fin {
        return not_yet(connection);
    }
    for who in Who::BOTH {
        let (this, other) = (who as usize, who.other() as usize);
        let Some(fin) = connection.fin[this] else {
            continue;
        };
        let sent = &connection.sent[this];
        let peer_last_sent = connection.fin_acknowledged[this].is_some()
            || connection.reset[other].is_some()
            || connection.fin[other].is_some_and(|event| event.frame_ref > fin.frame_ref);
        if sent.fins < ENOUGH
            || peer_last_sent
            || sent.acknowledged < fin.sent
            || connection.sent[other].packets == 0
            || connection.sent[other].missing > 0
            // What the other side sent did not get through either, which has a rule of its own.
            || silence(connection).is_some_and(|(sender, _)| sender == who.other())
        {
            continue;
        }
        let name = side(who);
        let idle = fin.frame_ref.time.since(
            connection
                .last_data
                .iter()
                .map(|it| it.time)
                .fold(connection.first.time, std::cmp::max),
        );
        let message = Statement::from(sentence!(
            "The {} sent its FIN {} within {}. The {} never acknowledged it.",
            name,
            Value::count(sent.fins.into(), "time", "times"),
            connection.last.time.since(fin.frame_ref.time),
            side(who.other())
        ))
        .and(sentence!(
            "The connection had been idle for {} before.",
            idle
        ));
        let message = match connection.in_flight(who.other()) {
            None => message.means("All data had been acknowledged, so nothing was lost."),
            Some(_) => message,
        };
        // A side that has closed and got its acknowledgement needs this connection no more, and may forget it.
        let closed = connection.fin[other];
        return tell(
            &RULE,
            match closed {
                Some(_) => Severity::Note,
                None => Severity::Warning,
            },
            connection.teardown.certainty,
            "[A FIN was|FINs on # connections were] never acknowledged",
            message,
        )
        .adds(closed.map(|_| sentence!("The {} had closed before.", side(who.other()))))
        .shows(Some(fin.frame_ref), format!("FIN from the {name}"))
        .shows(Some(connection.last), "last segment of the connection")
        .about(connection);
    }
    not_yet(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::{Severity, ladder_check};

    #[test]
    fn a_side_that_had_closed_may_forget_the_connection() {
        let severity = |end: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"hello\"\nACK -->\n{end}+50ms FIN [lost] -->\n\
                 +200ms again [lost] -->\n+400ms again [lost] -->\n+800ms again [lost] -->"
            );
            ladder_check::found_by(&super::RULE, &text).map(|found| found.severity)
        };
        assert_eq!(severity(""), Some(Severity::Warning));
        assert_eq!(severity("<-- FIN\nACK -->\n"), Some(Severity::Note));
    }
}
