//! The server reset after its response was complete.

use std::time::Duration;

use crate::analysis::connection::{Connection, Who};
use crate::base::certainty::Certainty;
use crate::protocol::http::Message;
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, response};
use crate::rules::keep_alive::idle_timeout_close::idle;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, Statement, Value, sentence};
use crate::rules::wording::tell;
use crate::rules::wording_tls::hidden_reset;

rule! {
    /// # What happened
    ///
    /// The response was complete, and the server ended the connection with a RST instead of a FIN.
    ///
    /// In TLS without its keys, this rule reports a RST after a pause in which nothing was outstanding.
    ///
    /// # Why it matters
    ///
    /// If everything was acknowledged, nothing is lost. The server had unread bytes (a pipelined request, a stray line end),
    /// uses `SO_LINGER` 0, or closed an idle connection. If the last bytes were not acknowledged, the RST may overtake them,
    /// or make the client's operating system discard them. The client then reads "connection reset by peer" instead of a complete
    /// response.
    ///
    /// # Remedy
    ///
    /// - *If the server had waited for an acknowledgement:* Find out what happened to the client, and to the path to it, at
    ///   the moment of its last segment.
    /// - *If HTTP was spoken and the server had not waited for an acknowledgement:* Let the server close in steps: send its
    ///   FIN, read on for a while, then close (nginx `lingering_close`). Do not use `SO_LINGER` 0.
    /// - *If HTTP was spoken and the server had not waited for an acknowledgement:* Or let the client send nothing after its
    ///   request: no additional line end after a body (RFC 9112 §2.2).
    /// - *If HTTP was not spoken and the server had not waited for an acknowledgement:* Look in the server's log at the time of
    ///   the RST for a timeout of idle sessions, a killed session, or a shutdown.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  RST
    ///  => findings reset-after-response
    /// ```
    ///
    /// # Not this
    ///
    /// A FIN after the response, and a RST that answers what the client sends after that:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.041                     <--  FIN
    ///  0.050  "\r\n"             -->
    ///  0.060                     <--  RST [noack]
    ///  => teardown server fin after
    /// ```
    ///
    /// The response was not complete:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [length=1000]
    ///  0.050  ACK                -->
    ///  0.060                     <--  RST
    /// ```
    ///
    /// The client's RST after a complete response:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 "hello" [close]
    ///  0.050  RST                -->
    ///  => teardown client reset abort after
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §9.6 (tear-down); RFC 9293 §3.10.7; RFC 2525 §2.17.
    pub(in crate::rules) RULE: "reset-after-response", Severity::Error,
    "the server resets the connection after a complete response", Check::Read(check)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    match ending.filter(|it| it.reading == EndingKind::ResetAfterResponse) {
        Some(ending) => read(connection, ending),
        // A reset of an idle connection is reported by its idle time.
        None if idle(connection).is_none() => hidden_reset(&RULE, connection),
        None => Verdict::Clear,
    }
}

fn read(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some(message) = ending.exchange.and_then(response) else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    let after = close.time.since(message.last.time);
    let sent = &connection.sent[Who::Server as usize];
    let unacknowledged = message.end().saturating_sub(sent.acknowledged);
    let at_risk = unacknowledged > 0 && connection.may_overtake(message.last, close);
    if let Some(waited) = connection
        .waited_unacknowledged(Who::Server)
        .filter(|_| unacknowledged > 0)
    {
        return lost(connection, ending, message, unacknowledged, waited);
    }
    // A reset of an idle connection is reported by its idle time.
    if !at_risk && idle(connection).is_some() {
        return Verdict::Clear;
    }
    let (severity, rest) = if at_risk {
        (
            Severity::Error,
            sentence!(
                "{} of the response had not been acknowledged, so the client may lose it.",
                Value::exact_bytes(unacknowledged)
            ),
        )
    } else {
        (
            Severity::Note,
            Sentence::from(match unacknowledged {
                0 => "The client had acknowledged the whole response, so nothing was lost.",
                _ => {
                    "The RST came so late that the response had arrived, unless its packets were lost."
                }
            }),
        )
    };
    let told = Statement::from(sentence!(
        "The server reset the connection {} after the last byte of a complete response.",
        after
    ))
    .means(rest);
    tell(
        &RULE,
        severity,
        ending.certainty,
        "Server reset [a connection|# connections] after the full response",
        told,
    )
    .shows(Some(message.last), "response complete")
    .shows(Some(close), "RST from the server")
    .about(connection)
}

/// The response was sent, and never arrived.
fn lost(
    connection: &Connection,
    ending: &Ending<'_>,
    message: &Message,
    unacknowledged: u64,
    waited: Duration,
) -> Verdict {
    tell(
        &RULE,
        Severity::Error,
        ending.certainty.max(Certainty::Likely),
        "Server reset [a connection|# connections] before the response arrived",
        sentence!(
            "The server reset the connection {} after it had sent the response. {} of the response had not been acknowledged in \
             that time.",
            waited,
            Value::exact_bytes(unacknowledged)
        ),
    )
    .presumes(Some("These bytes were lost on the way."))
    .shows(Some(message.last), "response complete")
    .shows(Some(ending.close.frame_ref), "RST from the server")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use super::Severity;
    use crate::rules::ladder_check;

    #[test]
    fn what_was_acknowledged_is_not_lost() {
        let text = "SYN -->\n<-- SYN\nGET / -->\n<-- 200 \"x\" [close]\nACK -->\n<-- RST";
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert_eq!(proof.rules(), [super::RULE.name]);
        assert_eq!(proof.findings[0].severity, Severity::Note);
    }
}
