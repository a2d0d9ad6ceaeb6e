//! A connection was opened only after SYN or SYN-ACK had been repeated.

use std::time::Duration;

use crate::analysis::connection::{Connection, Opening, Who};
use crate::base::certainty::Certainty;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, Value, sentence};
use crate::rules::wording::tell;

rule! {
    /// # What happened
    ///
    /// The connection was opened late: the client had to send its SYN more than once, or the server its SYN-ACK.
    ///
    /// # Why it matters
    ///
    /// Each retransmission waits twice as long as the one before: 1, 3, 7, 15 s in all. A program with a shorter connect
    /// timeout fails. One without a timeout waits that long for its first request, while the server's log shows a quick
    /// response. A single retransmission is an ordinary loss. More of them come from a path that drops packets, a listener
    /// that does not accept, or a rate limit on SYNs.
    ///
    /// # Remedy
    ///
    /// - Capture at both ends. What is missing at one end was dropped on the way. What arrived and got no answer was dropped
    ///   by that host (full queue: `nstat TcpExtListenOverflows`; rules of a local firewall).
    /// - Set a connect timeout of a few seconds and let the program try again, or keep connections open so that fewer are
    ///   opened.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  1.000  again              -->
    ///  3.000  again              -->
    ///  3.010                     <--  SYN
    ///  3.020  GET /              -->
    ///  3.040                     <--  200 "hello"
    ///  3.050  ACK                -->
    /// ```
    ///
    /// The server accepted the data late, although the client had acknowledged the first SYN-ACK:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.220  again              -->
    ///  0.620  again              -->
    ///  1.010                     <--  again [ack=1]
    ///  1.420  again              -->
    ///  3.010                     <--  again [ack=1]
    ///  3.020  again              -->
    ///  3.030                     <--  200 "hello"
    ///  3.040  ACK                -->
    /// ```
    ///
    /// # Not this
    ///
    /// A long path, and nothing retransmitted:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.950                     <--  SYN
    ///  0.960  GET /              -->
    ///  1.900                     <--  200 "hello"
    ///  1.910  ACK                -->
    /// ```
    ///
    /// A server that waits for the request before it accepts repeats its SYN-ACK, but the connection was open at once:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  1.010                     <--  again
    ///  1.020  ACK                -->
    ///  5.000  GET /              -->
    ///  5.010                     <--  200 "hello"
    ///  5.020  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 6298 §2.1, §5.5 to §5.7; RFC 9293 §3.8.3.
    pub(in crate::rules) RULE: "connect-delayed", Severity::Warning,
    "a connection opens only after SYN or SYN-ACK was retransmitted", Check::Connection(check)
}

/// The first retransmission comes after a second (RFC 6298 §2.1); timers may be a little early.
const REPEATED: Duration = Duration::from_millis(900);
/// From the second retransmission on it is no chance loss.
const LONG: Duration = Duration::from_millis(2900);
/// No system retransmits a SYN for longer; the clock of the capture has jumped.
const LONGEST: Duration = Duration::from_secs(600);
/// After this time without an acknowledgement a SYN-ACK is repeated (RFC 6298 §2.1), and what a timer may be late by.
const UNREPEATED: Duration = Duration::from_millis(1500);

fn check(connection: &Connection) -> Verdict {
    // SYNs that met an older connection have rules of their own.
    if connection.opening != Opening::Handshake
        || !connection.client_syn
        || connection.challenge.is_some()
    {
        return Verdict::Clear;
    }
    let Some(connected) = connection.connect_time else {
        return Verdict::Clear;
    };
    // A SYN-ACK that is not acknowledged is repeated after a second: where it was not, the capture lacks the acknowledgement.
    let answered = connection.last_syn[1].map(|at| at.time.since(connection.first.time));
    let connected = match answered {
        Some(answered) if connection.syn_acks == 1 && connected > answered + UNREPEATED => answered,
        _ => connected,
    };
    let again = u64::from(connection.syn_retries);
    let answers = u64::from(connection.syn_acks.saturating_sub(1));
    let client = &connection.sent[Who::Client as usize];
    let taken = connection
        .taken
        .map(|at| at.time.since(connection.first.time));
    // The client's data was retransmitted too: a server that only waits for it would have acknowledged it.
    let ignored = client.bytes > 0 && u64::from(client.retransmitted) > again && answers > 0;
    let late = taken.filter(|taken| ignored && connected < REPEATED && *taken >= REPEATED);
    // A single retransmission that came when the connection was open has not delayed it: the round trip is that long.
    let opened = connection.first.time.after(connected);
    let crossed = connection.last_syn[1].is_some_and(|last| last.time > opened);
    let answers = match (late, answers) {
        (None, 1) if crossed => 0,
        _ => answers,
    };
    let delay = late.unwrap_or(connected);
    if again + answers == 0 || !(REPEATED..LONGEST).contains(&delay) {
        return Verdict::Clear;
    }
    let times = |count| Value::count(count, "time", "times");
    let mut message = Statement::from(match late {
        Some(late) => sentence!(
            "The client acknowledged the SYN-ACK {} after its SYN. The server's host acknowledged none of its data until {} after the \
             first SYN.",
            connected,
            late
        ),
        None => sentence!("The connection was open {} after the first SYN.", connected),
    });
    if again > 0 {
        message.say(sentence!(
            "The client retransmitted its SYN {}.",
            times(again)
        ));
    }
    if answers > 0 {
        message.say(sentence!(
            "The server retransmitted its SYN-ACK {}.",
            times(answers)
        ));
    }
    message.mean(match (late, again, answers) {
        (Some(_), ..) => {
            "The SYNs arrived, and the end of the handshake was lost or ignored. A full accept queue does that."
        }
        (None, _, 0) => "The earlier SYNs, or the answers to them, were lost, ignored or late.",
        (None, 0, _) => {
            "The SYN arrived. The earlier SYN-ACKs, or the client's acknowledgements of them, did not."
        }
        (None, ..) => {
            "Some of the SYNs arrived. The earlier SYN-ACKs, or the client's acknowledgements of them, did not."
        }
    });
    let severity = match delay >= LONG {
        true => Severity::Warning,
        false => Severity::Note,
    };
    let [last_syn, last_answer] = connection.last_syn;
    let mut frames = vec![(connection.first, "first SYN".to_owned())];
    if again > 0 {
        frames.extend(last_syn.map(|at| (at, format!("SYN, retransmission {again}"))));
    }
    if answers > 0 {
        frames.extend(last_answer.map(|at| (at, format!("SYN-ACK, retransmission {answers}"))));
    }
    if late.is_some() {
        frames.extend(
            connection
                .taken
                .map(|at| (at, "server acknowledges the client's data".to_owned())),
        );
    }
    frames.sort();
    let told = tell(
        &RULE,
        severity,
        Certainty::Certain,
        "[A connection|# connections] opened late, after retransmissions",
        message,
    );
    let told = frames
        .into_iter()
        .fold(told, |told, (at, note)| told.shows(Some(at), note));
    told.about(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    fn finding(text: &str) -> Option<crate::rules::Finding> {
        ladder_check::found_by(&RULE, text)
    }

    /// The first segment behind the SYN-ACK may be the close, where the capture lacks bare acknowledgements.
    #[test]
    fn a_syn_ack_that_is_not_repeated_opened_the_connection() {
        let told = finding("SYN -->\n+1s again -->\n<-- SYN\n+4s FIN -->\n<-- FIN").expect("found");
        assert!(told.message.contains("open 1.0"), "{}", told.message);
        assert_eq!(told.severity, Severity::Note);
    }

    #[test]
    fn the_delay_decides_and_is_reported() {
        let late = "SYN -->\n+1s again -->\n+2s again -->\n+4s again -->\n<-- SYN\nACK -->\nGET / -->\n<-- 200";
        let told = finding(late).expect("found");
        assert_eq!(told.severity, Severity::Warning);
        assert!(
            told.message.starts_with(
                "The connection was open 7.00 s after the first SYN. The client retransmitted its SYN 3 times."
            ),
            "{}",
            told.message
        );
        let one = "SYN -->\n+1s again -->\n<-- SYN\nACK -->\nGET / -->\n<-- 200";
        assert_eq!(finding(one).map(|it| it.severity), Some(Severity::Note));
        assert!(finding("SYN -->\n+200ms again -->\n<-- SYN\nACK -->").is_none());
    }

    #[test]
    fn repeated_syn_acks_count_as_well() {
        let text = "SYN -->\n<-- SYN\n+1s <-- again\n+2s <-- again\n+4s <-- again\nACK -->\nGET / -->\n<-- 200";
        let told = finding(text).expect("found").message;
        assert!(told.contains("retransmitted its SYN-ACK 3 times"), "{told}");
    }

    /// The path takes longer than the server's timer: its retransmission crosses the acknowledgement and delays nothing.
    #[test]
    fn a_syn_ack_repeated_after_the_opening_delayed_nothing() {
        let end = "+120ms <-- ACK\n+200ms <-- 200\nACK -->";
        let text = format!(
            "SYN -->\n+1500ms <-- SYN\nACK -->\nGET / -->\n+1400ms <-- again\nACK -->\n{end}"
        );
        assert!(finding(&text).is_none());
        let before = format!("SYN -->\n<-- SYN\n+1500ms <-- again\nACK -->\nGET / -->\n{end}");
        assert!(finding(&before).is_some());
    }

    #[test]
    fn a_clock_that_jumps_is_no_delay() {
        assert!(finding("SYN -->\n+1s again -->\n+2h <-- SYN\nACK -->").is_none());
    }
}
