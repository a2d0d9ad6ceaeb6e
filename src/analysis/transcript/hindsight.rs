//! What the end of a conversation says of the states before it.
//!
//! In: the steps of a connection, each with the states that were presumed when it was captured. Out: the same, without the
//! states that later steps contradict. A segment that arrives changes its receiver's state, and whether it arrived shows in
//! what the receiver does next: a host that never answered a SYN was not in SYN-RECEIVED, and one that goes on sending after
//! a RST had not received it yet.

use super::step::TranscriptStep;
use crate::analysis::connection::{Standing, State, Who};
use crate::base::net::Flags;
use crate::protocol::tcp::StateInput;

/// Takes back the states that what follows contradicts.
pub(super) fn correct_states(steps: &mut [TranscriptStep]) {
    for who in Who::BOTH {
        let at = who as usize;
        let acts = |it: &TranscriptStep| it.from == who && !it.flags.has(Flags::RST);
        let last_act = steps.iter().rposition(acts);
        let answers = steps.iter().any(|it| acts(it) && it.flags.has(Flags::SYN));
        let accepts = is_accepted(steps, at);
        let mut shown = Standing::Unseen;
        for (nth, step) in steps.iter_mut().enumerate() {
            let presumed = step.standings[at];
            let goes_on = last_act.is_some_and(|last| nth <= last);
            let is_false = match presumed {
                Standing::In(State::Closed) => goes_on,
                // It sent a SYN of its own, or is known to have gone on.
                Standing::In(State::SynReceived) => !answers && !accepts,
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
