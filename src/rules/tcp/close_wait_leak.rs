//! One side closed, and the other never did.

use std::time::Duration;

use crate::analysis::connection::{Connection, How, Opening, Who};
use crate::base::certainty::Certainty;
use crate::base::format::capitalised;
use crate::base::frame_ref::FrameRef;
use crate::rules::Severity;
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// One side sent its FIN, and the other side's operating system acknowledged it. For more than a minute nothing followed: no data,
    /// no FIN, no RST. The other side's socket stays in CLOSE-WAIT, because its program has not closed it.
    ///
    /// # Why it matters
    ///
    /// No timer ends a CLOSE-WAIT. Each one holds a file descriptor until the program ends ("Too many open files",
    /// `EMFILE`). Causes are an error path that forgets to close, a response body that is never read to its end, or a
    /// blocked thread.
    ///
    /// # Remedy
    ///
    /// - Close the connection on every path of the program that got the end of the stream (`finally`, `using`, `defer`).
    ///   Read response bodies to their end. The last request on these connections shows where to look.
    /// - Also set an idle timeout on the side that leaks, so that forgotten connections are closed.
    ///
    /// # Tell it by
    ///
    /// One side's FIN is acknowledged, and the other side sends no FIN for more than a minute.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///         client :40002 server
    ///  0.100  SYN                -->
    ///  0.110                     <--  SYN
    ///  0.120  ACK                -->
    /// 90.000  FIN                -->
    /// 90.010                     <--  FIN
    /// 90.020  ACK                -->
    ///  => 1: states FIN-WAIT-2 | CLOSE-WAIT
    ///  => findings close-wait-leak preconnect-unused
    /// ```
    ///
    /// # Not this
    ///
    /// The capture ends too soon to tell:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  => states FIN-WAIT-2 | CLOSE-WAIT
    ///  => findings none
    /// ```
    ///
    /// The other side still has something to say:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.025  FIN                -->
    ///  0.030                     <--  ACK
    ///  0.040                     <--  200 data 100 [length=200]
    ///  0.050  ACK                -->
    /// 80.000                     <--  data 100
    /// 80.010  ACK                -->
    /// 80.020                     <--  FIN
    /// 80.030  ACK                -->
    /// ```
    ///
    /// The capture begins at the last FIN, and the other one came before it:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  FIN                -->
    ///  0.010                     <--  ACK
    ///         client :40002 server
    ///  0.100  SYN                -->
    ///  0.110                     <--  SYN
    ///  0.120  ACK                -->
    /// 90.000  FIN                -->
    /// 90.010                     <--  FIN
    /// 90.020  ACK                -->
    /// ```
    ///
    /// The FIN may be among the packets that the capture lost:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello"
    ///  0.050  FIN                -->
    ///  0.060                     <--  ACK
    ///  0.070                     <~~  FIN
    ///  0.080  ACK                -->
    ///         client :40002 server
    ///  0.100  SYN                -->
    ///  0.110                     <--  SYN
    ///  0.120  ACK                -->
    /// 90.000  FIN                -->
    /// 90.010                     <--  FIN
    /// 90.020  ACK                -->
    /// ```
    ///
    /// A NAT or a proxy beside the client acknowledged the FIN: the server is 33 ms away.
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.033                     <--  SYN
    ///  0.034  ACK                -->
    ///  5.000  FIN                -->
    ///  5.001                     <--  ACK
    ///         client :40002 server
    ///  6.000  SYN                -->
    ///  6.033                     <--  SYN
    ///  6.034  ACK                -->
    /// 90.000  FIN                -->
    /// 90.001                     <--  FIN
    /// 90.002  ACK                -->
    /// ```
    ///
    /// # References
    ///
    /// RFC 9293 §3.3.2 (CLOSE-WAIT), §3.6.
    pub(in crate::rules) RULE: "close-wait-leak", Severity::Error,
    "one side closed, and the other side never did", Check::Connection(check)
}

/// Reduces the finding where the capture lacks packets: the close may be among them.
pub(in crate::rules) fn temper(story: &mut Diagnosis) {
    story.severity = Severity::Note;
    story.certainty = Certainty::Possible;
    story
        .message
        .mean("The capture lacks packets of other connections: this close may be among them.");
}

/// Time a program may take to close.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer spans come from clocks that were set, or from merged captures.
const BELIEVABLE: Duration = Duration::from_secs(24 * 3600);

/// Whether this side's FIN may have been sent where the capture does not show it.
fn may_have_closed(connection: &Connection, who: Who, known: FrameRef) -> bool {
    let sent = &connection.sent[who as usize];
    let spoke = connection.last_data[who as usize];
    // A side that is first seen when it acknowledges a FIN may have sent its own before the capture.
    let before = connection.opening == Opening::Midstream && (spoke.frame.0 == 0 || spoke > known);
    before || connection.sent.iter().any(|sent| sent.missing > 0) || sent.packets == 0
}

/// A FIN whose acknowledgement took less than this part of the time to the SYN-ACK was acknowledged by something nearer.
const NEARER: u32 = 10;
/// Shorter round trips are not told apart.
const FAR: Duration = Duration::from_millis(10);

/// Whether another host acknowledged the client's FIN in the server's place: a NAT or a proxy that keeps a connection of its own, so
/// that the server may have closed, or never have got the FIN.
fn was_acknowledged_nearer(
    connection: &Connection,
    who: Who,
    fin: FrameRef,
    known: FrameRef,
) -> bool {
    who == Who::Client
        && answer_takes(connection)
            .is_some_and(|far| far >= FAR && known.time.since(fin.time) * NEARER < far)
}

/// How long the server's host took to answer the SYN, if the capture shows both.
fn answer_takes(connection: &Connection) -> Option<Duration> {
    let answered = connection.last_syn[Who::Server as usize].filter(|_| connection.syn_acks == 1);
    let opened = answered.filter(|_| connection.client_syn && connection.syn_retries == 0);
    opened.map(|at| at.time.since(connection.first.time))
}

fn check(connection: &Connection) -> Verdict {
    if connection.teardown.how != How::Fin || connection.teardown.orderly {
        return not_yet(connection);
    }
    for who in Who::BOTH {
        let (this, other) = (who as usize, who.other() as usize);
        let (Some(fin), Some(known)) = (connection.fin[this], connection.fin_acknowledged[this])
        else {
            continue;
        };
        // A FIN waits behind data that is not acknowledged.
        let closed = connection.in_flight(who.other()).is_some()
            || connection.skipped(who.other()).is_some()
            || connection.fin[other].is_some()
            || connection.reset[other].is_some()
            || connection.reset[this].is_some();
        let spoke = connection.last_data[other] > known;
        let open = connection.until.since(known.time);
        if closed
            || spoke
            || !(PATIENCE..BELIEVABLE).contains(&open)
            || may_have_closed(connection, who.other(), known)
            || was_acknowledged_nearer(connection, who, fin.frame_ref, known)
        {
            continue;
        }
        let (closer, leaker) = (side(who), side(who.other()));
        // A client may keep a connection that the server has closed until it wants one again: pools of browsers and libraries
        // notice the close only then.
        let pooled = who == Who::Server && !connection.outcome.is_failed();
        let message = Statement::from(sentence!(
            "The {} closed the connection, and the {}'s operating system acknowledged that. The {} did not close for the rest of \
             the capture, {}.",
            closer,
            leaker,
            leaker,
            open
        ))
        .presuming(match pooled {
            true => sentence!(
                "The {}'s browser or pool notices the close only when it wants a connection again.",
                leaker
            ),
            false => sentence!("The {}'s program has forgotten to close the socket.", leaker),
        })
        .means(match pooled {
            true => "Nothing was lost. The socket stays in CLOSE-WAIT; many of them are a leak.",
            false => "The socket stays in CLOSE-WAIT and holds a file descriptor until the program closes it or ends.",
        });
        return tell(
            &RULE,
            match pooled {
                true => Severity::Note,
                false => Severity::Error,
            },
            match who == Who::Client && answer_takes(connection).is_none() {
                true => Certainty::Possible,
                false => Certainty::Likely,
            },
            sentence!(
                "{} never closed [a connection|# connections]",
                capitalised(leaker)
            ),
            message,
        )
        .shows(Some(fin.frame_ref), format!("FIN from the {closer}"))
        .shows(
            Some(known),
            format!("FIN acknowledged by the {leaker}, nothing more follows"),
        )
        .about(connection);
    }
    not_yet(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ladder_check;

    const OTHER: &str =
        "client :40002 server\nSYN -->\n<-- SYN\nACK -->\n+90s FIN -->\n<-- FIN\nACK -->";

    /// Where the SYN is missing, nothing shows whether the server itself acknowledged the FIN.
    #[test]
    fn who_acknowledged_is_not_known_without_the_syn() {
        let text = |syn: &str| format!("{syn}<-- SYN\nACK -->\n+5s FIN -->\n<-- ACK\n{OTHER}");
        for (syn, severity, certainty) in [
            ("SYN -->\n", Severity::Error, Certainty::Likely),
            ("SYN ~~>\n", Severity::Note, Certainty::Possible),
        ] {
            let found = ladder_check::found_by(&RULE, &text(syn)).expect("found");
            assert_eq!(
                (found.severity, found.certainty),
                (severity, certainty),
                "{syn}"
            );
        }
    }

    #[test]
    fn a_capture_that_lacks_packets_may_lack_the_close() {
        let lossy = "client :40003 server\nSYN -->\n<-- SYN\nACK -->\nGET / -->\n<~~ data 100\n<-- data 100\nACK -->\n\
                     FIN -->\n<-- FIN\nACK -->\n";
        for (more, severity) in [("", Severity::Error), (lossy, Severity::Note)] {
            let text = format!("SYN -->\n<-- SYN\nACK -->\n+5s FIN -->\n<-- ACK\n{more}{OTHER}");
            let found = ladder_check::found_by(&RULE, &text).expect("found");
            assert_eq!(found.severity, severity, "{more}");
        }
    }

    /// A FIN stands behind all data: while that is not acknowledged, nobody sees whether the program has closed.
    #[test]
    fn a_fin_may_wait_behind_data_that_does_not_arrive() {
        let text = |sent: &str, fin: &str| {
            format!(
                "SYN -->\n<-- SYN\nACK -->\nGET / -->\n<-- 200 \"x\"\nACK -->\nGET /2 -->\n{sent}+2s FIN{fin} -->\n<-- ACK\n{OTHER}"
            )
        };
        assert!(ladder_check::found_by(&RULE, &text("<-- ACK\n", "")).is_some());
        let lost = "<-- 200 data 900 [lost]\n+300ms <-- again [lost]\n";
        assert!(ladder_check::found_by(&RULE, &text(lost, "")).is_none());
    }

    #[test]
    fn a_pool_that_keeps_a_closed_connection_loses_nothing() {
        let open = "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"hello\"\nACK -->\n";
        for (close, severity) in [
            ("<-- FIN\nACK -->\n", Severity::Note),
            ("FIN -->\n<-- ACK\n", Severity::Error),
        ] {
            let found = ladder_check::found_by(&RULE, &format!("{open}{close}{OTHER}"));
            assert_eq!(found.map(|it| it.severity), Some(severity), "{close}");
        }
    }
}
