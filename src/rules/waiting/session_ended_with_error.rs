//! One side reported an error in the words of its protocol, and ended the session.

use crate::analysis::connection::{Connection, ConnectionOutcome, FailedReason, tls_close::who};
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::base::frame_ref::FrameRef;
use crate::protocol::http::Exchange;
use crate::rules::Severity;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{named, not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// One side said in the words of the protocol what was wrong, and the session ended by it: an error message of a
    /// database, a reply 421 of a mail server, a refusal of a broker.
    ///
    /// # Why it matters
    ///
    /// The network did its part, and the text says what the program thought. The client's own error may hide it: many
    /// drivers report only that the connection was closed.
    ///
    /// # Remedy
    ///
    /// - Read the text: it names the cause better than the close does.
    /// - Look into the log of the side that said it, at the time of the message.
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
    /// A command that is refused while the session goes on:
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
    "one side reported an error and ended the session", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let reported = connection.outcome == ConnectionOutcome::Failed(FailedReason::ReportedError);
    let facts = connection.dialogue.as_deref();
    let Some((facts, complaint)) = facts
        .filter(|_| reported)
        .and_then(|facts| Some((facts, facts.complaint.as_ref()?)))
    else {
        return not_yet(connection);
    };
    let by = who(complaint.by);
    let close = FrameRef {
        frame: connection.teardown.frame,
        time: connection.teardown.at,
    };
    let text = shortened(complaint.text.as_bytes().trim_ascii(), TEXT);
    let code = complaint
        .code
        .as_ref()
        .map(|code| shortened(code.as_bytes(), TEXT));
    let message = match code {
        Some(code) => sentence!(
            "The {} said \"{} {}\" and the connection was closed {} later.",
            side(by),
            code,
            text,
            close.time.since(complaint.at.time)
        ),
        None => sentence!(
            "The {} said \"{}\" and the connection was closed {} later.",
            side(by),
            text,
            close.time.since(complaint.at.time)
        ),
    };
    let asked = complaint
        .answers
        .and_then(|nth| facts.exchanges.get(usize::try_from(nth).ok()?));
    // A session that had served its purpose loses nothing that was asked for.
    let used = facts.before > 0 || facts.exchanges.iter().any(Exchange::is_complete);
    let severity = match used && asked.is_none() {
        true => Severity::Warning,
        false => Severity::Error,
    };
    tell(
        &RULE,
        severity,
        Certainty::Certain.max(connection.teardown.certainty),
        "sessions ended with an error that one side reported",
        message,
    )
    .adds(asked.map(|it| sentence!("It was the answer to {}.", named(it))))
    .adds(
        facts
            .protocol
            .map(|it| sentence!("The protocol is {}.", it.name())),
    )
    .shows(
        asked
            .and_then(|it| it.request.as_ref())
            .map(|request| request.message.last),
        "the request is complete",
    )
    .shows(Some(complaint.at), "the error")
    .shows(Some(close), "the close")
    .about(connection)
}

/// Characters of the text that are quoted.
const TEXT: usize = 120;
