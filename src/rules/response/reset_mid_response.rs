//! The server reset in the middle of its response.

use super::response_cut_short::how_far;
use crate::analysis::connection::{Connection, Who};
use crate::rules::Severity;
use crate::rules::classify::{Ending, EndingKind, is_shut, response};
use crate::rules::classify_messages::unheard_for;
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Statement, sentence};
use crate::rules::wording::{half_closed_before, named, repetition, tell};
use crate::rules::wording_tls::hidden_response;

rule! {
    /// # What happened
    ///
    /// The server began to respond and sent a RST before the response was complete by its own framing. The client reads what
    /// came before, or not even that. Then it reports `ECONNRESET`, "connection reset by peer", curl (56) or "An unexpected
    /// error occurred on a receive".
    ///
    /// Inside TLS without keys, a RST soon after the server's data is reported here. It is an error where data was not
    /// acknowledged or a record was cut. Otherwise it is a warning, because the response may have been complete.
    ///
    /// # Why it matters
    ///
    /// The response or a part of it is lost. A RST also discards what was still on the way or not yet read, so the client may
    /// see less than was sent. Servers reset after an error while writing, when they are killed, or with `SO_LINGER` 0. They
    /// also reset clients that read too slowly for their send timeout (nginx `reset_timedout_connection`). Proxies pass on
    /// the reset of a server behind them.
    ///
    /// # Remedy
    ///
    /// - Look in the server's log at the time of the RST for an error while writing, a killed worker or a send timeout.
    /// - Find out whether a proxy sent the RST, and look at its connection to the server behind it: the fault may lie
    ///   there.
    /// - *If the client's window had gone to zero and nothing had come for 1 s or more:* Let the client read faster, or raise the server's send timeout (nginx
    ///   `send_timeout`).
    ///
    /// # Tell it by
    ///
    /// The server's RST comes after a part of the response. With a FIN instead it is `response-cut-short`.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [length=1000]
    ///  0.050  ACK                -->
    ///  0.060                     <--  RST
    ///  => teardown server reset abort response-body
    ///  => findings reset-mid-response
    /// ```
    ///
    /// # Not this
    ///
    /// The response was complete:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 1000
    ///  0.050  ACK                -->
    ///  0.060                     <--  RST
    ///  => teardown server reset abort between
    /// ```
    ///
    /// A RST with another time to live than the server's packets does not come from the server:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [length=1000]
    ///  0.050  ACK                -->
    ///  0.060                     <--  RST [ttl=249]
    ///  => teardown middlebox reset foreign response-body
    /// ```
    ///
    /// Without an announced length, it is not known whether something is missing:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  GET /              -->
    ///  0.040                     <--  200 data 300 [no-length close]
    ///  0.050  ACK                -->
    ///  0.060                     <--  RST
    /// ```
    ///
    /// # References
    ///
    /// RFC 9112 §8 (incomplete messages); RFC 9293 §3.5.2 and §3.10.7 (reset generation and processing).
    pub(in crate::rules) RULE: "reset-mid-response", Severity::Error,
    "the server resets the connection before its response is complete", Check::Read(check)
}

fn check(connection: &Connection, ending: Option<&Ending<'_>>) -> Verdict {
    match ending.filter(|it| it.reading == EndingKind::ResetMidResponse) {
        Some(ending) => story(connection, ending),
        None => hidden_response(&RULE, connection, "RST"),
    }
}

fn story(connection: &Connection, ending: &Ending<'_>) -> Verdict {
    let Some((exchange, message)) = ending
        .exchange
        .and_then(|exchange| Some((exchange, response(exchange)?)))
    else {
        return Verdict::Clear;
    };
    let close = ending.close.frame_ref;
    let told = Statement::from(sentence!(
        "The server reset the connection before its response to {} was complete.",
        named(exchange)
    ))
    .and(how_far(exchange, message))
    .and(sentence!(
        "The RST came {} after the last bytes.",
        unheard_for(connection, Who::Server, message, close)
    ));
    let unacknowledged = message
        .end()
        .saturating_sub(connection.sent[Who::Server as usize].acknowledged);
    let lost = (unacknowledged > 0).then(|| {
        sentence!(
            "The last {} bytes were never acknowledged: the client may not have received them either.",
            unacknowledged
        )
    });
    let slow = is_shut(connection, Who::Client)
        .then_some("The client's window had gone to zero: it did not read what had come.");
    tell(
        &RULE,
        Severity::Error,
        ending.certainty,
        "Server reset [the connection|# connections] mid-response",
        told,
    )
    .adds(slow)
    .adds(half_closed_before(connection))
    .means(lost)
    .means(Some(repetition(exchange)))
    .shows(Some(message.first), "response begins")
    .shows(Some(message.last), "last bytes of the response")
    .shows(Some(close), "RST from the server")
    .about(connection)
}

#[cfg(test)]
mod tests {
    use crate::rules::ladder_check;

    #[test]
    fn what_was_not_acknowledged_may_be_lost_too() {
        let text = "SYN -->\n<-- SYN\nGET / -->\n<-- 200 data 300 [length=1000]\nACK -->\n<-- data 50\n<-- RST";
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        assert_eq!(proof.rules(), [super::RULE.name]);
        let message = &proof.findings[0].message;
        assert!(
            message.contains("350 of 1,000") && message.contains("last 50 bytes"),
            "{message}"
        );
    }

    #[test]
    fn probes_of_a_zero_window_show_that_more_was_due() {
        let run = |window: &str| {
            let text = format!(
                "SYN -->\n<-- SYN\nGET / -->\n<-- 200 data 2000 [length=9000 cut=20]\n<-- data 2000\n{window}+1s <-- RST"
            );
            ladder_check::found_by(&super::RULE, &text)
        };
        let found = run("ACK [win=0] -->\n+1s <-- probe\nACK [win=0] -->\n").expect("found");
        assert!(found.message.contains("More was due"), "{}", found.message);
        assert_eq!(found.certainty, crate::base::certainty::Certainty::Likely);
    }
}
