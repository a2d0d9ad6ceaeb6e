//! One side reported an error in its protocol, and the session ended.

use crate::analysis::connection::{Connection, ConnectionOutcome, FailedReason, How, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::Exchange;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{named, not_yet, quoted_error, side, tell};

rule! {
    /// # What happened
    ///
    /// One side reported an error in the protocol's own terms, and the session ended with it. It may be an error message of a
    /// database, a reply 421 of a mail server or a refusal of a broker. The program's log has this text, or only that the
    /// connection was closed.
    ///
    /// # Why it matters
    ///
    /// The network did its part, and the text says what was wrong. The client's own error may hide it: many drivers report
    /// only that the connection was closed.
    ///
    /// # Remedy
    ///
    /// - *If the reported code was 53300, 1040:* Raise `max_connections` at the server, or let the clients hold fewer
    ///   connections: smaller pools, or one pooler for all of them.
    /// - *If the reported code was 25P03:* Let the program end its transaction before it waits for something else, or raise
    ///   `idle_in_transaction_session_timeout` at the server.
    /// - *If the reported code was 57P05:* Let the pool close idle connections sooner, or raise `idle_session_timeout` at the
    ///   server.
    /// - *If the reported code was 57P01:* Look in the server's log for who ended it: a shutdown, or `pg_terminate_backend`. Let
    ///   the pool replace such connections.
    /// - *If the reported code was 57P03:* Wait until the server has started: let the program retry, or start after it.
    /// - *If the reported code was 1153:* Raise `max_allowed_packet` at the server, or let the client send less at once.
    /// - *If the reported code was 1129:* Find out why connections from this host failed, then run `mysqladmin flush-hosts`
    ///   at the server.
    /// - *If the reported code was 1130:* Allow the client's host for this user at the server.
    /// - *If the reported code was 3D000, 1049:* Correct the name of the database in the client's configuration, or create it.
    /// - *If the reported text mentions pg_hba.conf:* Allow this host, user and database in the server's `pg_hba.conf`. Where
    ///   the text says "no encryption", let the client use TLS.
    /// - *If the reported text mentions max number of clients reached:* Raise `maxclients` at the server, or let the clients
    ///   hold fewer connections.
    /// - *If the reported text mentions Exceeded MaxStartups:* Raise `MaxStartups` in the server's `sshd_config`, or open
    ///   fewer sessions at the same time.
    /// - *If the reported text mentions too many connect, too many concurrent, maximum number of:* Let the client open fewer
    ///   sessions at the same time, or raise the server's limit on them.
    /// - *If the reported text mentions Timeout, timeout exceeded, 4.4.2, inactivity, idle for too long:* Let the client send
    ///   its next command sooner, or close before the server does. Or raise the server's idle timeout.
    /// - *If the user or the password was refused:* Correct the user or the password in the client's configuration, or the
    ///   account at the server.
    /// - *If the server reported the error:* Look in the server's log at the time of the message.
    /// - *If the client reported the error:* Look in the client's log at the time of the message.
    /// - Correct what the reported text names, in the client or at the server.
    ///
    /// # Tell it by
    ///
    /// The last message before the close is an error in the words of the protocol, and tcpdump's `-A` shows its text.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "421 4.3.2 mail.example ESMTP: too many connections\r\n"
    ///  0.031                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings session-ended-with-error
    /// ```
    ///
    /// # Not this
    ///
    /// The server refuses a command, and the session goes on:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "220 mail.example ESMTP\r\n"
    ///  0.040  "EHLO a\r\n"       -->
    ///  0.050                     <--  "250 mail.example\r\n"
    ///  0.060  "VRFY b\r\n"       -->
    ///  0.070                     <--  "502 5.5.1 not here\r\n"
    ///  0.080  "QUIT\r\n"         -->
    ///  0.090                     <--  "221 bye\r\n"
    ///  0.091                     <--  FIN
    ///  0.100  FIN                -->
    ///  0.110                     <--  ACK
    ///  => findings request-refused
    /// ```
    ///
    /// # References
    ///
    /// RFC 5321 §3.8 (a 421 before the close), RFC 4511 §4.4.1 (notice of disconnection), MQTT 3.1.1 §3.2.2.3 (return codes).
    pub(in crate::rules) RULE: "session-ended-with-error", Severity::Error,
    "one side reports an error, and the session ends", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let facts = connection.dialogue.as_deref();
    let Some((facts, complaint)) = facts.and_then(|it| Some((it, it.complaint.as_ref()?))) else {
        return not_yet(connection);
    };
    let by = Who::of(complaint.by);
    let verdict = connection.teardown.frame_ref();
    // Where both sides close at once, the first of the two closes follows the report.
    let events = connection.fin.iter().chain(&connection.reset).flatten();
    let close = events
        .map(|event| event.frame_ref)
        .filter(|at| *at >= complaint.at)
        .fold(verdict, Ord::min);
    let failed = connection.outcome == ConnectionOutcome::Failed(FailedReason::ReportedError);
    // A side that ends the session with such a message, when nothing was under way.
    let open = connection.teardown.how == How::Open;
    let parted = facts.goodbyes[complaint.by.index()].is_some()
        && !complaint.is_answer
        && (open || complaint.at <= close);
    if !failed && !parted {
        return not_yet(connection);
    }
    let message = match open {
        true => sentence!(
            "The {} reported {}, which ends the session. The capture does not show the close.",
            side(by),
            quoted_error(complaint)
        ),
        false => sentence!(
            "The {} reported {}. The connection was closed {} later.",
            side(by),
            quoted_error(complaint),
            close.time.since(complaint.at.time)
        ),
    };
    let asked = facts.refused_request();
    // A session that had served its purpose loses nothing that was asked for.
    let used = facts.before > 0 || facts.exchanges.iter().any(Exchange::is_complete);
    let severity = match used && asked.is_none() {
        _ if !failed => Severity::Note,
        true => Severity::Warning,
        false => Severity::Error,
    };
    let summary = match failed {
        true => "[Session|# sessions] ended with a reported error",
        false => "[Session|# sessions] ended, with the reason given",
    };
    tell(
        &RULE,
        severity,
        Certainty::Certain.max(connection.teardown.certainty),
        summary,
        message,
    )
    .adds(asked.map(|it| sentence!("That report was the reply to {}.", named(it))))
    .shows(
        asked
            .and_then(|it| it.request.as_ref())
            .map(|request| request.message.last),
        "request complete",
    )
    .shows(Some(complaint.at), "error message")
    .shows(Some(close).filter(|_| !open), "close")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn the_first_of_two_closes_follows_the_report() {
        let text = "client server :3306\nSYN -->\n<-- SYN\nACK -->\n\
                    <-- \"\\x49\\x00\\x00\\x00\\xff\\x6a\\x04Host '10.0.0.1' is not allowed to connect to this MySQL server, no way\"\n\
                    +1ms <-- FIN\n+5ms FIN [crossed] -->\n<-- ACK\nACK -->";
        let found = ladder_check::found_by(&super::RULE, text).expect("found");
        assert!(found.message.contains("1.0 ms later"), "{}", found.message);
    }

    const USED: &str = "SYN -->\n<-- SYN\nACK -->\n<-- \"220 mx ESMTP\\r\\n\"\n\"EHLO a\\r\\n\" -->\n<-- \"250 \
                        mx\\r\\n\"\nACK -->\n";
    const TIMEOUT: &str = "+2s <-- \"421 4.4.2 timeout\\r\\n\"\n<-- FIN\nACK -->\n";

    /// The texts of limits name no code of their own.
    #[test]
    fn the_text_of_a_limit_names_the_setting() {
        for (port, said, setting) in [
            (
                6379,
                "-ERR max number of clients reached\\r\\n",
                "`maxclients`",
            ),
            (22, "Exceeded MaxStartups\\r\\n", "`MaxStartups`"),
            (25, "421 4.7.0 too many connections\\r\\n", "fewer sessions"),
        ] {
            let text = format!(
                "client server :{port}\nSYN -->\n<-- SYN\nACK -->\n<-- \"{said}\"\n<-- FIN\nFIN -->\n<-- ACK"
            );
            let found = ladder_check::found_by(&super::RULE, &text).expect("found");
            let first = found.remedies.first().expect("a remedy");
            assert!(first.contains(setting), "{first}");
        }
    }

    /// A capture that stops with the last message does not hide it.
    #[test]
    fn a_session_that_was_ended_is_told_before_the_close() {
        let open = "client server :179\nSYN -->\n<-- SYN\nACK -->\n\"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x1d\\x01\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\" -->\n<-- \"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x1d\\x01\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\\x04\"\nACK -->\n";
        let told = |end: &str| {
            let text = format!("{open}{end}");
            ladder_check::told_by(&super::RULE, &text)
        };
        let told_open = told("<-- \"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x15\\x03\\x06\\x09\"").expect("found");
        assert!(
            told_open.starts_with("The server reported \"NOTIFICATION 6/9 Cease, Hard Reset\", which ends the session. The capture does not"),
            "{told_open}"
        );
        assert!(told("").is_none());
    }

    #[test]
    fn an_idle_session_that_the_server_ends_with_a_reply_lost_nothing() {
        let text = format!("{USED}{TIMEOUT}FIN -->\n<-- ACK");
        let told = ladder_check::told_by(&super::RULE, &text).expect("found");
        assert!(
            told.starts_with("The server reported \"421 4.4.2 timeout\""),
            "{told}"
        );
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert!(proof.connections[0].outcome.is_fine());
    }

    /// A capture that is started while a connection opens begins with the answer to its SYN.
    #[test]
    fn a_syn_that_was_not_captured_hides_nothing() {
        let rest = "<-- SYN\nACK -->\n\"*1\\r\\n$4\\r\\nPING\\r\\n\" -->\n<-- \"-NOAUTH Authentication required.\\r\\n\"\n\
                    <-- FIN\nFIN -->\n<-- ACK";
        for syn in ["SYN -->", "SYN ~~>"] {
            let text = format!("client :40000 server :6379\n{syn}\n{rest}");
            let proof = ladder_check::run(&text.parse().expect("a ladder"));
            assert_eq!(proof.rules(), [super::RULE.name], "{syn}");
        }
    }

    /// The advice for a code comes before the advice to read it.
    #[test]
    fn a_known_code_has_its_setting() {
        let begin = "client server :5432\nSYN -->\n<-- SYN\nACK -->\n\"\\0\\0\\0\\x12\\0\\x03\\0\\0user\\0me\\0\\0\\0\" -->\n";
        for (code, setting) in [
            ("53300", "`max_connections`"),
            ("99999", "Look in the server's log"),
        ] {
            let error = format!(
                "{begin}<-- \"E\\0\\0\\0\\x24SFATAL\\0VFATAL\\0C{code}\\0Mtoo many\\0\\0\" FIN\nFIN -->\n<-- ACK"
            );
            let found = ladder_check::found_by(&super::RULE, &error).expect("found");
            assert!(
                found
                    .remedies
                    .first()
                    .is_some_and(|it| it.contains(setting)),
                "{:?}",
                found.remedies
            );
        }
    }

    /// What comes behind it does not hide the command that was refused.
    #[test]
    fn the_refused_command_is_named_whatever_follows() {
        let text = format!(
            "{USED}\"BDAT 5 X\\r\\n\" -->\n<-- \"521 5.5.4 Syntax\\r\\n\"\n<-- FIN\n\
             \"VRFY a\\r\\nVRFY b\\r\\nVRFY c\\r\\nVRFY d\\r\\nVRFY e\\r\\n\" [crossed] -->\n<-- RST [noack]"
        );
        let found = ladder_check::found_by(&super::RULE, &text).expect("found");
        assert!(
            found
                .message
                .contains("the reply to the command \"BDAT 5 X\""),
            "{}",
            found.message
        );
        assert_eq!(found.severity, crate::rules::Severity::Error);
        assert!(
            found
                .message
                .contains("A retry of the command \"BDAT 5 X\" fails"),
            "{}",
            found.message
        );
    }

    #[test]
    fn the_reply_is_reported_though_a_command_came_too_late() {
        let text = format!("{USED}{TIMEOUT}+1s \"MAIL FROM:<a>\\r\\n\" -->\n<-- RST");
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert!(proof.rules().contains(&"session-ended-with-error"));
        assert!(proof.connections[0].outcome.is_failed());
    }
}
