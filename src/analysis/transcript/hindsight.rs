//! What the end of a conversation says of the segments and states before it.
//!
//! In: the steps of a connection, each with the states that were presumed when it was captured. Out: the same, where each
//! step says whether the capture shows that it arrived, without the states that later steps contradict or that rest on such
//! a segment. A segment that arrives changes its receiver's state, and whether it arrived shows in what the receiver does
//! next: a host that never answered a SYN was not in SYN-RECEIVED, one that never acknowledged a FIN may not be in
//! CLOSE-WAIT, and one that goes on sending after a RST had not received it yet.
//!
//! Only what asks for an acknowledgement is judged: no capture shows that a bare acknowledgement or a RST arrived, unless it
//! was taken at the receiver.

use super::step::{SegmentKind, TranscriptStep};
use crate::analysis::connection::{
    Connection, How, ResetKind, Standing, Standpoint, State, Who, beside, standpoint,
};
use crate::base::net::Flags;
use crate::base::passage::Passage;
use crate::protocol::tcp::StateInput;

/// Marks the segments of which nothing shows that they arrived.
pub(super) fn mark_unproven(steps: &mut [TranscriptStep], connection: &Connection) {
    // A RST that a box between the hosts sent proves nothing of the host that it names.
    let foreign = match connection.teardown.how {
        How::Reset(ResetKind::Foreign) => Some(connection.teardown.frame),
        _ => None,
    };
    for from in Who::BOTH {
        let to = from.other();
        let answers = |it: &TranscriptStep| {
            it.from == to && Some(it.frame) != foreign && it.passage != Passage::Forged
        };
        // Where a side is heard of through the acknowledgements of the other alone, the capture lacks its direction.
        let is_unseen = !steps.iter().any(|it| it.from == to)
            && steps.iter().any(|it| it.from == from && it.ack.is_some());
        if is_unseen || is_captured_at(connection, to) {
            continue;
        }
        // What the receiver acknowledges after the step, and the SYN that its next answer follows.
        let mut acknowledged = 0;
        let mut refused = false;
        let mut answered = None;
        let mut echoed = None;
        for step in steps.iter_mut().rev() {
            if answers(step) {
                acknowledged = acknowledged.max(step.ack.unwrap_or(0));
                // A RST that answers what has no socket repeats a number and acknowledges nothing (RFC 9293 §3.5.2).
                refused |= step.flags.has(Flags::RST) && step.ack.is_none();
                answered = None;
                echoed = step.header.timestamps.map(|(_, echo)| echo);
            }
            let is_syn = step.flags.has(Flags::SYN);
            let takes =
                i64::from(step.length) + i64::from(is_syn) + i64::from(step.flags.has(Flags::FIN));
            let is_known = step.passage.is_one_sided() || step.passage == Passage::Both;
            if step.from != from || takes == 0 || step.kind == SegmentKind::Probe || is_known {
                continue;
            }
            // Of several SYNs the last one is answered, or the one whose timestamp is echoed (RFC 7323 §3.2).
            let is_other = is_syn
                && answered.is_some()
                && step
                    .header
                    .timestamps
                    .is_none_or(|(own, _)| Some(own) != echoed);
            if is_syn {
                answered = Some(step.frame);
            }
            step.may_be_lost = !refused && acknowledged < step.seq + takes || is_other;
        }
    }
}

/// Whether what is sent to this side was captured where it arrives: on its host or beside it.
fn is_captured_at(connection: &Connection, to: Who) -> bool {
    connection.client.ip == connection.server.ip
        || beside(connection) == Some(to)
        || standpoint([connection]).is_some_and(|(place, _)| place == Standpoint::Near(to))
}

/// Takes back the states that what follows contradicts.
pub(super) fn correct_states(steps: &mut [TranscriptStep]) {
    for who in Who::BOTH {
        let at = who as usize;
        let acts = |it: &TranscriptStep| it.from == who && !it.flags.has(Flags::RST);
        let last_act = steps.iter().rposition(acts);
        let answers = steps.iter().any(|it| acts(it) && it.flags.has(Flags::SYN));
        let accepts = is_accepted(steps, at);
        let fin = arrives(steps, who, Flags::FIN);
        let gone = without_socket(steps, who);
        let mut shown = Standing::Unseen;
        for (nth, step) in steps.iter_mut().enumerate() {
            let mut presumed = step.standings[at];
            if fin.is_some_and(|it| nth < it) {
                presumed = without_fin(presumed);
            }
            let goes_on = last_act.is_some_and(|last| nth <= last);
            let is_false = match presumed {
                Standing::In(State::Closed) => goes_on,
                // It sent a SYN of its own, or is known to have gone on.
                Standing::In(State::SynReceived) => {
                    let may_be_lost = step.from != who && step.may_be_lost;
                    !answers && !accepts || shown == Standing::Unseen && may_be_lost
                }
                Standing::In(State::TimeWait) => gone.is_some_and(|it| it < nth),
                // A RST ends it for good.
                _ => shown == Standing::In(State::Closed) && !goes_on && step.from != who,
            };
            if !is_false {
                shown = presumed;
            } else if step.from == who && step.flags.has(Flags::FIN) {
                shown = shown.after(StateInput::SendFin);
            }
            step.standings[at] = shown;
        }
    }
}

/// The first step that met no socket of a side: its RST says so and repeats the number that this step acknowledges (RFC 9293 §3.5.2).
/// What came after that met none either.
fn without_socket(steps: &[TranscriptStep], who: Who) -> Option<usize> {
    let refuses =
        |it: &TranscriptStep| it.from == who && it.flags.has(Flags::RST) && it.ack.is_none();
    let (at, reset) = steps.iter().enumerate().find(|(_, it)| refuses(it))?;
    let met = |it: &TranscriptStep| it.from != who && it.length > 0 && it.ack == Some(reset.seq);
    steps.get(..at)?.iter().rposition(met)
}

/// The step before which the other side's SYN or FIN had not arrived as far as the capture shows, if that is another step
/// than that of its first copy.
fn arrives(steps: &[TranscriptStep], who: Who, flag: Flags) -> Option<usize> {
    let has_it = |it: &TranscriptStep| it.from != who && it.flags.has(flag);
    let first = steps.iter().position(has_it)?;
    let arrives = steps.iter().position(|it| has_it(it) && !it.may_be_lost);
    (arrives != Some(first)).then(|| arrives.unwrap_or(steps.len()))
}

/// The state of a side that has not received the other's FIN.
const fn without_fin(standing: Standing) -> Standing {
    match standing {
        Standing::In(State::CloseWait) => Standing::In(State::Established),
        Standing::In(State::Closing | State::LastAck) => Standing::In(State::FinWait1),
        Standing::In(State::TimeWait) => Standing::In(State::FinWait2),
        other => other,
    }
}

/// Whether the side came to a state in which it had accepted the connection.
fn is_accepted(steps: &[TranscriptStep], at: usize) -> bool {
    let closed = [
        Standing::Unseen,
        Standing::In(State::Closed),
        Standing::In(State::Listen),
        Standing::In(State::SynReceived),
    ];
    steps.iter().any(|it| !closed.contains(&it.standings[at]))
}

#[cfg(test)]
mod tests {
    use crate::analysis::connection::Who;
    use crate::analysis::transcript::tests::followed;

    /// The states of both sides after each step, where they change.
    fn states(picture: &str) -> Vec<String> {
        let (_, transcript) = followed(picture);
        let mut before = [String::new(), String::new()];
        let mut told = Vec::new();
        for step in &transcript.steps {
            let now = step.standings.each_ref().map(ToString::to_string);
            let changed = Who::BOTH.map(|who| match now[who as usize] == before[who as usize] {
                true => "",
                false => now[who as usize].as_str(),
            });
            told.push(changed.join(" | "));
            before = now;
        }
        told
    }

    #[test]
    fn a_side_that_never_answers_a_syn_has_no_state() {
        let told = states(
            "0.0 SYN -->
             1.0 SYN -->",
        );
        assert_eq!(told, ["SYN-SENT | UNSEEN", " | "]);
    }

    /// A request that crossed the close met no socket: the server was not waiting for anything any more.
    #[test]
    fn a_side_without_a_socket_is_not_in_time_wait() {
        let open = "SYN -->\n<-- SYN\nACK -->\ndata 9 -->\n<-- data 20\nACK -->\n+2s <-- FIN\n";
        let told = states(&format!(
            "{open}+1ms data 9 [crossed] -->\nFIN -->\n+9ms <-- RST [noack seq=21]"
        ));
        assert!(!told.concat().contains("TIME-WAIT"), "{told:?}");
        let told = states(&format!("{open}+1ms ACK -->\nFIN -->\n<-- ACK"));
        assert!(told.concat().contains("TIME-WAIT"), "{told:?}");
    }

    /// The frames of which nothing shows that they arrived.
    fn unproven(picture: &str) -> Vec<u64> {
        let (_, transcript) = followed(picture);
        let lost = transcript.steps.iter().filter(|it| it.may_be_lost);
        lost.map(|it| it.frame.0).collect()
    }

    #[test]
    fn what_nobody_acknowledges_is_not_known_to_have_arrived() {
        for (picture, wanted) in [
            // No SYN is answered; the last of three is.
            ("0.0 SYN -->\n1.0 again -->", &[1, 2][..]),
            (
                "0.0 SYN -->\n1.0 again -->\n3.0 again -->\n3.1 <-- SYN\n3.1 ACK -->",
                &[1, 2],
            ),
            ("SYN -->\n<-- RST ACK", &[]),
            // The request and its copies, and what the other side acknowledged.
            (
                "SYN -->\n<-- SYN\nACK -->\n+1ms data 10 -->\n+1s again -->",
                &[4, 5],
            ),
            (
                "SYN -->\n<-- SYN\nACK -->\n+1ms data 10 -->\n+1s again -->\n<-- ACK",
                &[],
            ),
            // A FIN; a RST and a bare acknowledgement are never acknowledged.
            (
                "SYN -->\n<-- SYN\nACK -->\n+1ms FIN -->\n+1s <-- RST [noack]",
                &[],
            ),
            ("SYN -->\n<-- SYN\nACK -->\n+1ms FIN -->", &[4]),
            ("SYN -->\n<-- SYN\nACK -->\n+1ms RST -->", &[]),
            // A capture of one direction.
            (
                "SYN -->\n<~~ SYN\nACK -->\n+1ms data 10 -->\n<~~ ACK\nFIN -->",
                &[],
            ),
        ] {
            assert_eq!(unproven(picture), wanted, "{picture}");
        }
    }

    #[test]
    fn a_box_between_the_hosts_acknowledges_nothing_for_them() {
        let picture = "SYN -->
            +10ms <-- SYN
            +10ms ACK -->
            +1ms GET / -->
            +1ms <-- RST [ttl=249]";
        assert_eq!(unproven(picture), [4]);
    }

    #[test]
    fn what_is_captured_at_its_receiver_arrived() {
        let picture = "client 10.0.0.2:40000 server 10.0.0.2:80
            0.0 SYN -->
            1.0 again -->";
        assert!(unproven(picture).is_empty());
    }

    #[test]
    fn a_fin_that_may_be_lost_changes_no_state() {
        let told = states(
            "0.00 SYN -->
             0.02 <-- SYN
             0.02 ACK -->
             0.03 FIN -->
             0.05 again -->",
        );
        assert_eq!(told[3..], ["FIN-WAIT-1 | ", " | "]);
    }

    #[test]
    fn the_last_of_several_syns_is_the_one_that_is_answered() {
        let told = states(
            "0.0 SYN -->
             1.0 again -->
             1.1 <-- SYN
             1.1 ACK -->",
        );
        assert_eq!(
            told[..3],
            ["SYN-SENT | UNSEEN", " | SYN-RECEIVED", "ESTABLISHED | "]
        );
    }

    #[test]
    fn a_refusal_closes_what_was_never_opened() {
        let told = states(
            "0.0 SYN -->
             0.1 <-- RST ACK",
        );
        assert_eq!(told, ["SYN-SENT | UNSEEN", "CLOSED | CLOSED"]);
    }

    #[test]
    fn who_sends_after_a_reset_had_not_received_it() {
        let told = states(
            "0.00 SYN -->
             0.02 <-- SYN
             0.02 ACK -->
             0.03 data 100 -->
             0.05 <-- data 30
             0.05 <-- FIN
             0.05 <-- RST
             0.05 ACK -->
             0.06 FIN -->
             0.08 <-- RST",
        );
        assert_eq!(
            told[5..],
            [
                "CLOSE-WAIT | FIN-WAIT-1",
                " | CLOSED",
                " | ",
                "LAST-ACK | ",
                "CLOSED | ",
            ]
        );
    }
}
