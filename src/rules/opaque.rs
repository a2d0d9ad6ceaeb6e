//! What the turns of a connection show whose protocol is not read.

use super::Severity;
use super::rule::{Rule, Verdict};
use super::statement::{Value, sentence};
use super::wording::{not_yet, tell};
use crate::analysis::connection::{Connection, ConnectionOutcome, FailedReason, Who};
use crate::base::certainty::Certainty;
use crate::base::frame_ref::FrameRef;

/// The verdict of a rule on a connection whose server closed it without an answer to the client's last words, in a protocol
/// that is not read. `closes`: "FIN" or "RST".
pub(super) fn unanswered(
    rule: &'static Rule,
    connection: &Connection,
    closes: &'static str,
) -> Verdict {
    if connection.outcome != ConnectionOutcome::Failed(FailedReason::UnansweredWords) {
        return not_yet(connection);
    }
    let turns = &connection.turns;
    let asked = connection.last_data[Who::Client as usize];
    let close = FrameRef {
        frame: connection.teardown.frame,
        time: connection.teardown.at,
    };
    let waited = close.time.since(asked.time);
    let length = Value::exact_bytes(turns.length);
    let message = match closes {
        "FIN" => sentence!(
            "The server closed the connection {} after the client's last {}, without a byte of an answer.",
            waited,
            length
        ),
        _ => sentence!(
            "The server reset the connection {} after the client's last {}, without a byte of an answer.",
            waited,
            length
        ),
    };
    let answered = u64::from(turns.taken[Who::Server as usize]);
    let habit = (answered > 0).then(|| {
        sentence!(
            "It had spoken in answer {} before.",
            Value::count(answered, "time", "times")
        )
    });
    tell(
        rule,
        Severity::Error,
        Certainty::Likely,
        "what the client sent was not answered",
        message,
    )
    .adds(habit)
    .adds(Some(
        "The protocol is not read, so that an answer was due is likely, not certain.",
    ))
    .shows(Some(asked), "the client's last bytes")
    .shows(Some(close), format!("{closes} from the server"))
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    const OPEN: &str = "SYN -->\n<-- SYN\nACK -->\n";
    const TALK: &str =
        "\"\\x01\\x02one\" -->\n<-- \"\\x01one\"\n\"\\x01\\x02two\" -->\n<-- \"\\x01two\"\n";

    fn rules(text: &str) -> Vec<&'static str> {
        let proof = ladder_check::run(&format!("{OPEN}{text}").parse().expect("a ladder"));
        proof.rules()
    }

    #[test]
    fn a_server_that_answered_before_and_closes_on_the_next_words_lost_them() {
        let query = "\"\\x01\\x02select everything from somewhere large\" -->\n<-- ACK\n";
        assert_eq!(
            rules(&format!("{TALK}{query}+1280ms <-- FIN\nFIN -->\n<-- ACK")),
            ["closed-before-response"]
        );
        assert_eq!(
            rules(&format!("{TALK}{query}+1280ms <-- RST")),
            ["reset-before-response"]
        );
    }

    #[test]
    fn a_reset_after_a_wait_needs_no_habit() {
        let asked =
            "\"\\x01\\x01\\x00\\x01one request of forty bytes or more than that\" -->\n<-- ACK\n";
        assert_eq!(
            rules(&format!("{asked}+2640ms <-- RST")),
            ["reset-before-response"]
        );
        let none: [&str; 0] = [];
        // At once, it may be a goodbye, or bytes that nobody there speaks.
        assert_eq!(rules(&format!("{asked}+2ms <-- RST")), none);
    }

    #[test]
    fn a_goodbye_has_no_answer() {
        let none: [&str; 0] = [];
        let goodbye = "\"\\x01\\x02bye\" -->\n";
        assert_eq!(
            rules(&format!("{TALK}{goodbye}<-- FIN\nFIN -->\n<-- ACK")),
            none
        );
    }

    #[test]
    fn who_only_sends_waits_for_nothing() {
        let none: [&str; 0] = [];
        let log = "\"\\x01\\x02a line of a log that nobody answers\" -->\n<-- ACK\n";
        assert_eq!(rules(&format!("{log}+1s {log}+1s {log}+5s <-- RST")), none);
    }

    #[test]
    fn a_goodbye_inside_tls_has_no_answer_either() {
        let open = "ClientHello [version=1.2] -->\n<-- ServerHello Certificate ServerHelloDone\n\
                    KeyExchange Finished -->\n<-- Finished\napp 60 -->\n<-- app 50\n";
        // An unbind of LDAP under a cipher with CBC.
        let unbind = rules(&format!("{open}app 64 -->\n<-- FIN\nFIN -->\n<-- ACK"));
        assert!(!unbind.contains(&"closed-before-response"), "{unbind:?}");
        for asked in ["app 64 -->\n+2s <-- FIN", "app 300 -->\n<-- FIN"] {
            assert_eq!(
                rules(&format!("{open}{asked}\nFIN -->\n<-- ACK")),
                ["closed-before-response"],
                "{asked}"
            );
        }
    }
}
