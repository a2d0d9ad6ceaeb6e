//! The server replied to a request of another protocol with an error, and the session went on.

use crate::analysis::connection::{Connection, ConnectionOutcome, FailedReason};
use crate::base::certainty::Certainty;
use crate::base::flow_end::FlowEnd;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Value, sentence};
use crate::rules::wording::{named, not_yet, quoted_error, tell};

rule! {
    /// # What happened
    ///
    /// The server replied with an error to a request of a protocol other than HTTP. It may be a command with a reply 5yz, a
    /// query with an SQLSTATE or a search with a result code. The session went on, or was closed cleanly. The application's
    /// log has the text of the error.
    ///
    /// # Why it matters
    ///
    /// The connection did its part. If the application reports a failure, the reason is in this reply and not in how the
    /// connection ended.
    ///
    /// # Remedy
    ///
    /// - Read the text: it says what the server did not accept.
    ///
    /// # Tell it by
    ///
    /// The server replies with an error of its protocol, and the connection stays open.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030                     <--  "220 mail.example ESMTP\r\n"
    ///  0.040  "EHLO a\r\n"       -->
    ///  0.050                     <--  "250 mail.example\r\n"
    ///  0.060  "MAIL FROM:<a@b>\r\n" -->
    ///  0.070                     <--  "550 5.7.1 not from there\r\n"
    ///  0.080  "QUIT\r\n"         -->
    ///  0.090                     <--  "221 bye\r\n"
    ///  0.091                     <--  FIN
    ///  0.100  FIN                -->
    ///  0.110                     <--  ACK
    ///  => findings request-refused
    /// ```
    ///
    /// # Not this
    ///
    /// The server ends the session with an error:
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
    /// # References
    ///
    /// RFC 5321 §4.2 (reply codes), RFC 4511 §4.1.9 (result codes).
    pub(in crate::rules) RULE: "request-refused", Severity::Note,
    "the server replies to a request with an error", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let ended = connection.outcome == ConnectionOutcome::Failed(FailedReason::ReportedError);
    let facts = connection.dialogue.as_deref().filter(|_| !ended);
    let Some((facts, complaint)) = facts
        .filter(|facts| facts.refused > 0)
        .and_then(|facts| Some((facts, facts.complaint.as_ref()?)))
        .filter(|(_, complaint)| complaint.by == FlowEnd::B)
    else {
        return not_yet(connection);
    };
    let said = quoted_error(complaint);
    let asked = facts.refused_request();
    let message = match asked {
        Some(asked) => sentence!(
            "The server replied to {} with the error {}.",
            named(asked),
            said
        ),
        None => sentence!("The server replied to a request with the error {}.", said),
    };
    let more = facts.refused.saturating_sub(1);
    let more = (more > 0).then(|| {
        sentence!(
            "{} on this connection got an error before.",
            Value::count(more.into(), "more request", "more requests")
        )
    });
    tell(
        &RULE,
        Severity::Note,
        Certainty::Certain,
        "Server replied with an error[| on # connections]",
        message,
    )
    .adds(more)
    .shows(Some(complaint.at), "error message")
    .about(connection)
}
