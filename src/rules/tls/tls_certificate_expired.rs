//! A certificate outside its validity period.

use std::time::Duration;

use crate::analysis::connection::Connection;
use crate::base::certainty::Certainty;
use crate::base::escape::shortened;
use crate::protocol::tls::TlsFacts;
use crate::rules::Severity;
use crate::rules::classify_tls::{TlsFailureKind, failure, failure_as};
use crate::rules::rule::{Check, Verdict, rule};
use crate::rules::statement::{Sentence, sentence};
use crate::rules::wording::{not_yet, tell};
use crate::rules::wording_tls::{SHORT_NAME, adding, asked_for, dates, describe, hello, sign};

rule! {
    /// # What happened
    ///
    /// The server sent a certificate that was not valid at that time: expired, or not valid yet. The time is that of the
    /// capture, not of today.
    ///
    /// # Why it matters
    ///
    /// Clients that check certificates end the handshake: "certificate has expired", `CERT_HAS_EXPIRED`,
    /// `ERR_CERT_DATE_INVALID`. A client that went on does not check; others will fail.
    ///
    /// # Remedy
    ///
    /// - *If the certificate had expired:* Renew the certificate and reload the server: many use the old one until then.
    /// - *If the certificate was not valid yet:* Compare the clocks of the client, of the host that captured, and of the authority
    ///   that issued it.
    /// - *If the certificate is hidden:* Look at the dates that the server sends (`openssl s_client -connect
    ///   HOST:PORT -servername NAME`), and compare the client's clock.
    /// - Also watch the date of what the server sends, not of the file.
    ///
    /// # Tell it by
    ///
    /// The client leaves after the server's Certificate message, and the dates in that certificate do not include the time
    /// of the capture.
    ///
    /// # Example
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a expired] ServerHelloDone
    ///  0.040  alert 45           -->
    ///  0.041  FIN                -->
    ///  0.050                     <--  FIN
    ///  0.060  ACK                -->
    ///  => findings tls-certificate-expired
    /// ```
    ///
    /// # Not this
    ///
    /// A certificate within its dates:
    ///
    /// ```ladder
    ///         client                  server
    ///  0.000  SYN                -->
    ///  0.010                     <--  SYN
    ///  0.020  ClientHello [sni=a version=1.2] -->
    ///  0.030                     <--  ServerHello Certificate [name=a] ServerHelloDone
    ///  0.040  KeyExchange Finished -->
    ///  0.050                     <--  Finished
    ///  0.060  app 300            -->
    ///  0.070                     <--  app 900
    ///  0.080                     <--  close_notify FIN
    ///  0.090  FIN                -->
    ///  0.100                     <--  ACK
    ///  => findings none
    /// ```
    ///
    /// # References
    ///
    /// RFC 5280 §4.1.2.5 (validity).
    pub(super) RULE: "tls-certificate-expired", Severity::Error,
    "the server sent a certificate that was not valid at that time", Check::Connection(check)
}

fn check(connection: &Connection) -> Verdict {
    let failed = failure_as(connection, TlsFailureKind::Date);
    let Some(facts) = connection.tls.as_deref() else {
        return not_yet(connection);
    };
    let outdated = facts.outdated();
    if failed.is_none() && (outdated.is_none() || failure(connection).is_some()) {
        return not_yet(connection);
    }
    let hidden =
        || "The capture does not show the certificate's dates: the client's alert says so.".into();
    let what = dates(facts).unwrap_or_else(hidden);
    let (severity, message) = match &failed {
        Some(_) => (
            Severity::Error,
            "The server's certificate was not valid at that time, and the client ended the handshake.",
        ),
        // What is after the end of the capture is not known.
        None if connection.last.frame
            <= outdated.map_or_else(Default::default, |(at, _)| at.frame) =>
        {
            (
                Severity::Warning,
                "The server sent a certificate that was not valid at that time. Nothing after it was captured.",
            )
        }
        None if facts.flows[facts.caller.index()].hidden_alert.is_some() => (
            Severity::Warning,
            "The server sent a certificate that was not valid at that time. The client completed the handshake.",
        ),
        None => (
            Severity::Warning,
            "The server sent a certificate that was not valid at that time. The client did not object with an alert.",
        ),
    };
    // A server has no certificate of the future, and this client did not mind.
    let clock = failed.is_none() && not_yet_valid(facts);
    let severity = match clock {
        true => Severity::Note,
        false => severity,
    };
    let certainty = failed
        .as_ref()
        .map_or(Certainty::Certain, |reading| reading.certainty);
    let certainty = match clock {
        true => Certainty::Likely,
        false => certainty,
    };
    let mut telling = tell(
        &RULE,
        severity,
        certainty,
        match clock {
            true => "Server's certificate is newer than the capture's clock",
            false => "Server's certificate was not valid at that time",
        },
        message,
    )
    .adds(Some(what))
    .presumes(clock.then_some(
        "The clock of the host that captured was wrong, or the times of the capture were changed.",
    ))
    .presumes(
        failed
            .is_some()
            .then_some("The client refused the certificate for that reason."),
    )
    .adds(asked_for(facts))
    .adds(above(facts));
    telling =
        adding(telling, describe(facts)).shows(facts.leaf().map(|(at, _)| at), "the certificate");
    if let Some(reading) = &failed {
        telling = telling
            .shows(hello(reading), "ClientHello")
            .shows(Some(reading.at), sign(reading, connection));
    }
    telling.about(connection)
}

/// Nobody is this far from the clock of the authority that issued a certificate.
const CLOCK: Duration = Duration::from_secs(24 * 3600);

/// Whether the certificate begins to be valid so late that a clock is wrong.
fn not_yet_valid(facts: &TlsFacts) -> bool {
    let leaf = facts.leaf();
    leaf.is_some_and(|(at, leaf)| leaf.from.time().since(at.time) > CLOCK)
}

/// The certificates above the server's own that were outside of their dates, which a new one of the server leaves as they
/// are.
fn above(facts: &TlsFacts) -> Option<Sentence> {
    let (at, chain) = facts.certificates.as_ref()?;
    let mut above = chain.iter().skip(1);
    let other = above.find(|it| !it.is_valid_at(at.time))?;
    Some(sentence!(
        "The certificate of {} in the chain was not valid either: clients that have no other path to an authority need \
         another chain.",
        shortened(other.subject.as_bytes(), SHORT_NAME)
    ))
}

/// Certificates are only parsed in builds with this feature.
#[cfg(feature = "decrypt")]
#[cfg(test)]
mod tests {
    use crate::rules::{Severity, ladder_check};

    #[test]
    fn a_certificate_of_the_future_shows_a_wrong_clock() {
        let text = "SYN -->\n<-- SYN\nClientHello [sni=a version=1.2] -->\n\
            <-- ServerHello Certificate [name=a early] ServerHelloDone\n\
            KeyExchange Finished -->\n<-- Finished\napp 300 -->\n<-- app 900\n\
            close_notify FIN -->\n<-- close_notify FIN\nACK -->";
        let proof = ladder_check::run(&text.parse().expect("a ladder"));
        let [finding] = proof.findings.as_slice() else {
            panic!("{:?}", proof.findings);
        };
        assert_eq!(
            (finding.rule, finding.severity),
            (super::RULE.name, Severity::Note)
        );
        assert!(
            finding.message.contains("valid 173 days later"),
            "{}",
            finding.message
        );
    }
}
