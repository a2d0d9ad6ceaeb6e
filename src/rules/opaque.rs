//! What the turns of a connection show whose protocol is not read.

use super::Severity;
use super::rule::{Rule, Verdict};
use super::statement::{Value, sentence};
use super::wording::{not_yet, tell};
use crate::analysis::connection::{
    By, Connection, ConnectionOutcome, FailedReason, How, Opening, Phase, UnknownReason, Who,
};
use crate::base::certainty::Certainty;

/// The verdict of a rule on a connection that the server closed without a reply to the client's last bytes, in a protocol
/// that is not read. `closes`: "FIN" or "RST".
pub(super) fn unanswered(
    rule: &'static Rule,
    connection: &Connection,
    closes: &'static str,
) -> Verdict {
    if connection.outcome != ConnectionOutcome::Failed(FailedReason::UnansweredWords) {
        let mute = (closes == "FIN").then(|| mute(rule, connection)).flatten();
        return mute.unwrap_or_else(|| not_yet(connection));
    }
    let turns = &connection.turns;
    let asked = connection.last_data[Who::Client as usize];
    let close = connection.teardown.frame_ref();
    // What came after the close was not what it left unanswered.
    if asked > close {
        return Verdict::Clear;
    }
    let waited = close.time.since(asked.time);
    let length = Value::exact_bytes(turns.length);
    let message = match closes {
        "FIN" => sentence!(
            "The server closed the connection {} after the client's last {}, without a byte of a reply.",
            waited,
            length
        ),
        _ => sentence!(
            "The server reset the connection {} after the client's last {}, without a byte of a reply.",
            waited,
            length
        ),
    };
    let answered = u64::from(turns.taken[Who::Server as usize]);
    let habit = (answered > 0).then(|| {
        sentence!(
            "The server had replied {} before.",
            Value::count(answered, "time", "times")
        )
    });
    // What all turns are presumed to be is said with every finding on the connection.
    let presumed = connection.is_presumed() && connection.teardown.phase != Phase::Opaque;
    let certainty = match answered {
        0 => Certainty::Possible,
        _ => Certainty::Likely,
    };
    tell(
        rule,
        Severity::Error,
        certainty,
        "Client data got no reply[| on # connections]",
        message,
    )
    .adds(habit)
    .presumes(Some("A reply to these bytes was due."))
    .means(
        (!presumed)
            .then_some("hangup does not read this protocol, so it does not know what was asked."),
    )
    .shows(Some(asked), "client's last bytes")
    .shows(Some(close), format!("{closes} from the server"))
    .about(connection)
}

/// The server took what the client said, and closed first without a byte of its own. Some protocols need no reply, so this proves
/// no loss.
fn mute(rule: &'static Rule, connection: &Connection) -> Option<Verdict> {
    let [client, server] = &connection.sent;
    let teardown = &connection.teardown;
    let fin = connection.fin[Who::Server as usize]?;
    let had = fin.received.min(client.bytes);
    let is_mute = connection.outcome == ConnectionOutcome::Unknown(UnknownReason::Opaque)
        && connection.opening == Opening::Handshake
        && (teardown.by, teardown.how) == (By::Server, How::Fin)
        && server.bytes + server.missing == 0
        && client.missing == 0
        && had > 0;
    is_mute.then(|| {
        tell(
            rule,
            Severity::Note,
            Certainty::Possible,
            "Server closed [a connection|# connections] without a word",
            sentence!(
                "The server had received {}, and closed the connection {} after it began. It had sent no byte of data.",
                Value::exact_bytes(had),
                fin.frame_ref.time.since(connection.first.time)
            ),
        )
        .presumes(Some("A reply to these bytes was due."))
        .shows(Some(fin.frame_ref), "FIN from the server")
        .about(connection)
    })
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
    fn a_server_that_replied_before_and_closes_at_the_next_request_lost_it() {
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
    fn a_server_that_says_nothing_and_closes_is_noted() {
        let said = "\"\\x01\\x02hello, is anybody there\" -->\n<-- ACK\n+30ms <-- FIN\n";
        let text = format!("{OPEN}{said}FIN -->\n<-- ACK");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let found = proof.findings.iter().map(|it| (it.rule, it.severity));
        let wanted = [("closed-before-response", super::Severity::Note)];
        assert_eq!(found.collect::<Vec<_>>(), wanted);
        let spoke = format!("<-- \"\\x05hi\"\n{said}FIN -->\n<-- ACK");
        assert_eq!(rules(&spoke), [""; 0]);
    }

    #[test]
    fn shorter_words_than_those_that_were_answered_may_need_no_answer() {
        let none: [&str; 0] = [];
        let asked =
            "\"\\x01\\x02a request of forty bytes or more than that\" -->\n<-- \"\\x01one\"\n";
        let last = "\"\\x01\\x03an unbind under a signature, say\" -->\n";
        let closes = "FIN\nFIN -->\n<-- ACK";
        for end in [
            format!("<-- {closes}"),
            "<-- RST".into(),
            format!("+60s <-- {closes}"),
        ] {
            assert_eq!(rules(&format!("{asked}{asked}{last}{end}")), none, "{end}");
        }
    }

    /// A server that speaks first may be the one that asks: the receiver of a file counts what it got.
    #[test]
    fn last_words_to_a_server_that_spoke_first_may_be_an_answer() {
        let none: [&str; 0] = [];
        let part = "<-- \"\\x01\\x02a part of a file\"\n\"\\x00\\x01count of what came, and some more bytes\" -->\n";
        let closes = "<-- FIN\nFIN -->\n<-- ACK";
        assert_eq!(rules(&format!("{part}{part}{part}{closes}")), none);
        assert_eq!(
            rules(&format!("{part}{part}{part}+7s {closes}")),
            ["closed-before-response"]
        );
    }

    /// What comes sooner than the server can have had the question is no answer to it.
    #[test]
    fn sides_that_speak_when_they_like_owe_no_answer() {
        let rules = |answer: &str| {
            let turn =
                format!("\"\\x01\\x02a message of some length\" -->\n{answer} <-- \"\\x01one\"\n");
            let text = format!(
                "SYN -->\n+40ms <-- SYN\nACK -->\n{turn}+90ms {turn}+90ms \
                 \"\\x01\\x02a message of some length, the last\" -->\n+40ms <-- ACK\n+3s <-- FIN\nFIN -->\n<-- ACK"
            );
            ladder_check::run(&text.parse().expect("a ladder")).rules()
        };
        let none: [&str; 0] = [];
        assert_eq!(rules("+41ms"), ["closed-before-response"]);
        assert_eq!(rules("+2ms"), none);
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
        // At once, it may be the end of a session, or bytes of a protocol that the server does not speak.
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
    fn a_client_that_only_sends_waits_for_nothing() {
        let none: [&str; 0] = [];
        let log = "\"\\x01\\x02a line of a log that nobody answers\" -->\n<-- ACK\n";
        assert_eq!(rules(&format!("{log}+1s {log}+1s {log}+5s <-- RST")), none);
    }

    /// The handshakes of TLS 1.2 and 1.3, and a first request with its answer.
    const VERSIONS: [(&str, &str); 2] = [
        (
            "1.2",
            "ClientHello [version=1.2] -->\n<-- ServerHello Certificate ServerHelloDone\n\
             KeyExchange Finished -->\n<-- Finished\napp 60 -->\n<-- app 50\n",
        ),
        (
            "1.3",
            "ClientHello [version=1.3] -->\n<-- ServerHello [version=1.3] Finished [version=1.3] app 800\n\
             Finished [version=1.3] -->\napp 60 -->\n<-- app 50\n",
        ),
    ];

    /// A row: what happens at the end, with `last` for the client's last record, and the rules that see it where that
    /// record is as short as a goodbye, and where it is a request.
    #[test]
    fn the_end_after_a_goodbye_inside_tls_is_no_fault_and_a_lost_request_is() {
        const CLOSED: &[&str] = &["closed-before-response"];
        const RESET: &[&str] = &["reset-before-response"];
        const UNSAID: &[&str] = &["tls-no-close-notify"];
        const CUT: &[&str] = &["reset-mid-response"];
        const LATE: &[&str] = &["tls-reset-after-close-notify"];
        const LOST: &[&str] = &["data-lost-in-reset"];
        let rows: &[(&str, &[&str], &[&str])] = &[
            // The server ends it, without an answer.
            ("last --> / <-- FIN / FIN --> / <-- ACK", UNSAID, CLOSED),
            ("last --> / <-- notify FIN / FIN --> / <-- ACK", &[], CLOSED),
            ("last --> / <-- RST", UNSAID, RESET),
            ("last --> / <-- ACK / <-- RST", UNSAID, RESET),
            ("last --> / <-- notify / <-- RST", &[], RESET),
            ("last --> / +2s <-- RST", UNSAID, RESET),
            // The client's own FIN.
            ("last --> / FIN --> / <-- FIN / ACK -->", &[], &[]),
            ("last FIN --> / <-- FIN / ACK -->", &[], &[]),
            ("last --> / FIN --> / <-- RST", &[], &[]),
            (
                "last --> / FIN --> / <-- notify FIN / RST [noack] -->",
                &[],
                &[],
            ),
            ("last --> / notify FIN --> / <-- FIN / ACK -->", &[], &[]),
            (
                "last --> / notify FIN --> / <-- notify FIN / RST [noack] -->",
                LATE,
                LATE,
            ),
            ("last --> / notify FIN --> / <-- RST", LATE, LATE),
            // Its own RST.
            ("last --> / RST -->", &[], &[]),
            ("last --> / notify --> / RST -->", &[], &[]),
            // The answer meets a client that is gone: the RST takes it away.
            (
                "last --> / FIN --> / <-- app 50 / RST [noack] -->",
                &[],
                &[],
            ),
            (
                "last --> / notify FIN --> / <-- app 50 / RST [noack] -->",
                &[],
                &[],
            ),
            // After the answer.
            (
                "last --> / <-- app 50 / ACK --> / <-- FIN / FIN --> / <-- ACK",
                UNSAID,
                UNSAID,
            ),
            (
                "last --> / <-- app 50 / ACK --> / <-- notify FIN / FIN --> / <-- ACK",
                &[],
                &[],
            ),
            ("last --> / <-- app 50 / ACK --> / <-- RST", UNSAID, CUT),
            ("last --> / <-- app 50 / <-- notify / <-- RST", &[], &[]),
            (
                "last --> / <-- app 50 / FIN --> / <-- FIN / ACK -->",
                &[],
                &[],
            ),
            (
                "last --> / <-- app 50 / notify FIN --> / <-- RST",
                LATE,
                LATE,
            ),
            ("last --> / <-- app 50 / RST -->", &[], &[]),
            // More than a goodbye is answered with, or an answer that may not have arrived.
            ("last --> / <-- app 900 / ACK --> / <-- RST", CUT, CUT),
            ("last --> / <-- app 50 / <-- RST", CUT, CUT),
            // It met the server's close.
            (
                "<-- notify FIN / last [crossed] --> / <-- RST [noack]",
                &[],
                LOST,
            ),
        ];
        for (version, open) in VERSIONS {
            let notify = format!("close_notify [version={version}]");
            for (end, short, long) in rows {
                for (length, wanted) in [(29, short), (300, long)] {
                    let end = end
                        .replace(" / ", "\n")
                        .replace("last", &format!("app {length}"))
                        .replace("notify", &notify);
                    assert_eq!(rules(&format!("{open}{end}")), *wanted, "{version}: {end}");
                }
            }
        }
    }

    /// A goodbye is the last of several turns, and is not what a client of HTTP says.
    #[test]
    fn what_is_no_goodbye_inside_tls() {
        let (_, open) = VERSIONS[0];
        let end = "app 29 -->\n<-- app 50\nACK -->\n<-- RST";
        let http = open.replace("ClientHello [", "ClientHello [alpn=http/1.1 ");
        assert_eq!(rules(&format!("{http}{end}")), ["reset-mid-response"]);
        let first = open.replace("app 60 -->\n<-- app 50\n", "");
        assert_eq!(rules(&format!("{first}{end}")), ["reset-mid-response"]);
    }

    /// Answers of one length, each to words of its own, are no session tickets of TLS 1.3.
    #[test]
    fn answers_of_one_length_are_answers() {
        let (_, open) = VERSIONS[1];
        let none: [&str; 0] = [];
        let closes = "<-- close_notify [version=1.3] FIN\nFIN -->\n<-- ACK";
        let asked = "app 300 -->\n<-- app 50\n";
        assert_eq!(rules(&format!("{open}{asked}{closes}")), none);
        let tickets = open.replace(
            "app 60 -->\n<-- app 50\n",
            "app 300 -->\n<-- app 250 app 250\n",
        );
        assert_eq!(
            rules(&format!("{tickets}{closes}")),
            ["closed-before-response"]
        );
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
