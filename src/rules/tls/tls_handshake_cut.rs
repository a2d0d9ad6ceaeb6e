//! A connection that ended within the TLS handshake without an alert.

use crate::base::format::duration;
use crate::rules::wording_tls::describe;
use crate::rules::wording_tls::hello;
use crate::rules::wording_tls::named;
use std::time::Duration;

use crate::analysis::connection::{By, Connection, ConnectionSummary, How, Who};
use crate::base::certainty::Certainty;
use crate::protocol::tls::{CertificateFlaw, HandshakeStage};
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailure, TlsFailureKind, failure, who};
use crate::rules::rule::{Check, Diagnosis, Verdict, rule};
use crate::rules::statement::sentence;
use crate::rules::wording::{not_yet, side, tell};

rule! {
    /// # What happened
    ///
    /// The connection was closed or reset before the TLS handshake was complete, and no alert said why. Or a client closed
    /// as soon as it was, without a word under the keys: some programs check the server's certificate only then.
    ///
    /// # Why it matters
    ///
    /// No request was sent. To the client it is "unexpected eof while reading", `SSL_ERROR_SYSCALL`, "connection reset by
    /// peer"; .NET Framework says that an unexpected error occurred on a send or receive.
    ///
    /// # Remedy
    ///
    /// - After the ClientHello only: does that port speak TLS at all, is the load balancer's target healthy, does a filter
    ///   on the path object to the name?
    /// - After the server's messages: the client did not like them and says nothing (pinning, an old library); look at the
    ///   client's log.
    /// - After the client's Finished: the server did not like the client: look at its log for the client certificate it
    ///   wanted.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => teardown server fin tls-handshake
    ///  => findings tls-handshake-cut
    /// ```
    ///
    /// # Not this
    ///
    /// A probe that connects and closes has not begun a handshake:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ACK                -->
    ///  0.030  FIN                -->
    ///  0.040                     <--  FIN
    ///  0.050  ACK                -->
    /// ```
    ///
    /// Nor is it this where an alert says why:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a] -->
    ///  0.030                     <--  alert 80 FIN
    ///  0.040  FIN                -->
    ///  0.050                     <--  ACK
    ///  => findings tls-alert
    /// ```
    ///
    /// A client that opened several connections at once, and closed those it did not need as soon as one served it: a note.
    ///
    /// # References
    ///
    /// RFC 8446 §4 (handshake protocol), §6.1 (a connection that is closed without an alert).
    pub(in crate::rules) RULE: "tls-handshake-cut", Severity::Error,
    "the connection ended within the TLS handshake and no alert said why", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let Some(reading) = failure(connection) else {
        return not_yet(connection);
    };
    let left = match reading.failure {
        TlsFailureKind::Cut => false,
        TlsFailureKind::LeftAfterHandshake => true,
        _ => return not_yet(connection),
    };
    let asked = named(reading.facts);
    let by = reading.by.map_or_else(
        || match connection.teardown.by {
            By::Middlebox => "a box on the path, in somebody's name,".to_owned(),
            _ => "both sides".to_owned(),
        },
        |by| format!("the {}", side(by)),
    );
    let word = match connection.teardown.how {
        How::Fin => "closed the connection",
        _ => "reset the connection",
    };
    let place = match reading.facts.stage {
        HandshakeStage::Begun | HandshakeStage::Unseen => "before the ClientHello was whole",
        HandshakeStage::ClientHello => "after the ClientHello, which had no answer",
        HandshakeStage::ServerHello => "after the server's hello",
        HandshakeStage::ServerFlight => "after the server's messages",
        HandshakeStage::ClientFinished => "after the client had finished its part",
        HandshakeStage::Complete => {
            "as soon as the handshake was complete, without a word under the keys"
        }
    };
    let since = connection
        .last_data
        .iter()
        .max()
        .copied()
        .unwrap_or_default();
    let waited = duration(reading.at.time.since(since.time));
    let (severity, hint) = if left {
        let other = reading.facts.flaw(connection.server.ip) == Some(CertificateFlaw::OtherAddress);
        let hint = if other {
            " It sent no name, as one does that calls an address, and the certificate is not for that address: a client \
             that checks it only then leaves so, and so does a probe."
        } else {
            " A client that checks the certificate only then does so, and so does a probe."
        };
        (Severity::Note, hint.to_owned() + &describe(reading.facts))
    } else if went_on(connection, &reading) {
        (
            Severity::Warning,
            " The client had sent application data before the server had finished, so it liked what it saw and left of its own accord."
                .to_owned(),
        )
    } else {
        (Severity::Error, String::new())
    };
    let message = format!(
        "In the TLS handshake{asked} {by} {word} {place}, {waited} after the last message, and no alert said why.{hint}"
    );
    tell(
        &RULE,
        severity,
        reading.certainty,
        "TLS handshakes ended without a word",
        message,
    )
    .shows(hello(&reading), "ClientHello")
    .shows(Some(reading.at), format!("{by} {word}"))
    .about(connection)
}

/// Reduces the severity for surplus connections. Some clients open several connections at once, use the first that is
/// ready and close the others at any point (Go and undici do, for HTTP/2). If another connection of the same two hosts
/// serves at that time, nothing was refused.
pub(in crate::rules) fn temper(
    story: &mut Diagnosis,
    connection: &Connection,
    all: &[ConnectionSummary],
) {
    let own = &connection.teardown;
    let left = own.by == By::Client && own.how == How::Fin && story.severity > Severity::Note;
    let spoke = connection.sent[Who::Server as usize].bytes > 0;
    if !left || !spoke {
        return;
    }
    let from = all.partition_point(|it| connection.first.time.since(it.first.time) > AT_ONCE);
    let mut near = all
        .get(from..)
        .unwrap_or_default()
        .iter()
        .take(NEIGHBOURS)
        .take_while(|it| it.first.time <= own.at);
    let other = near.find(|it| {
        it.both_sent_data
            && it.client.ip == connection.client.ip
            && it.server == connection.server
            && it.close.time >= own.at
    });
    if let Some(other) = other {
        story.severity = Severity::Note;
        story.certainty = Certainty::Likely;
        story.message.say(sentence!(
            "Connection {} of the same client to this server was in use at that time: this one was not needed.",
            u64::from(other.id)
        ));
    }
}

/// Connections opened for the same request begin within this time.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Connections examined for the one that was used.
const NEIGHBOURS: usize = 256;

/// Whether the client had accepted the server: it sent data without waiting for the server's Finished (RFC 7918), and
/// then closed in order.
fn went_on(connection: &Connection, reading: &TlsFailure<'_>) -> bool {
    let caller = reading.facts.caller;
    let own = reading.facts.flows[caller.index()];
    connection.teardown.how == How::Fin
        && reading.by == Some(who(caller))
        && own.records > 0
        && own.finished.is_some()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::{Severity, ladder_check};

    #[test]
    fn one_of_several_that_was_not_needed_is_a_note() {
        let hello = "ClientHello [sni=a version=1.2] -->\n<-- ServerHello Certificate [name=a] ServerHelloDone\n";
        let taken = format!(
            "client :1 server\nSYN -->\n<-- SYN\n{hello}KeyExchange Finished -->\n<-- Finished\napp 300 -->\n<-- app 900\n"
        );
        let end = "client :1 server\nclose_notify FIN -->\n<-- FIN\nACK -->";
        let left = |wait: &str| {
            format!("client :2 server\n{wait}SYN -->\n<-- SYN\n{hello}FIN -->\n<-- FIN\nACK -->\n")
        };
        let severity = |text: &str| ladder_check::found_by(&RULE, text).map(|found| found.severity);
        assert_eq!(
            severity(&format!("{taken}{}{end}", left(""))),
            Some(Severity::Note)
        );
        // Much later it was opened for another purpose.
        assert_eq!(
            severity(&format!("{taken}{}{end}", left("+5s "))),
            Some(Severity::Error)
        );
        assert_eq!(severity(&left("")), Some(Severity::Error));
    }

    #[test]
    fn a_client_that_wrote_before_it_left_was_content() {
        let hello = "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n\
                     <-- ServerHello Certificate [name=a] ServerHelloDone\n";
        let end = "FIN -->\n<-- FIN\nACK -->";
        for (own, severity) in [
            ("KeyExchange Finished app 60 -->\n", Severity::Warning),
            ("KeyExchange Finished -->\n", Severity::Error),
            ("", Severity::Error),
        ] {
            let found =
                ladder_check::found_by(&RULE, &format!("{hello}{own}{end}")).expect("found");
            assert_eq!(found.severity, severity, "{own}");
        }
    }
}
